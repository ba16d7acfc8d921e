"""The stack files of a project, for the commands that ask about them, and what is said of an unknown name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

from config.loader import LoadedStack, load_project
from gatehouse.commands import CommandError, UsageError


def load(project: Path) -> dict[str, LoadedStack]:
    """Every stack of the project. Raises UsageError where there is none, CommandError where a file cannot be read."""
    try:
        stacks = load_project(project)
    except OSError as error:
        raise CommandError(f"{error.filename or project} cannot be read: {error.strerror or error}.") from error
    if not stacks:
        raise UsageError(f"There is no stack file in {project} yet; write a Pulumi.<stack>.yaml first.")
    return stacks


def known_stack(stack: str, stacks: Mapping[str, object]) -> str:
    """The stack's name. Raises UsageError, with what there is, for an unknown one."""
    if stack in stacks:
        return stack
    there = ", ".join(sorted(stacks)) or "none"
    raise UsageError(f"There is no stack {stack!r}{meant(stack, stacks)}; the stacks here are: {there}.")


def meant(word: str, known: Iterable[str]) -> str:
    """The known word that is closest, as a question in brackets; empty where none is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
