"""Secrets of a stack, set through the engine: a value goes to its standard input, never to a command line or a log."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from config.loader import read_stack_file, stack_names
from gatehouse.commands import CommandError, about, project_name, stack_file
from gatehouse.engine.acquire import find_engine, find_or_get_engine

if TYPE_CHECKING:
    from gatehouse.engine.workspace import Workspace


def open_workspace(project: Path, stack: str, *, simulated: bool, say: Callable[[str], None]) -> Workspace:
    """The place where a stack's configuration is: the repository, or the simulated run's folder.

    Raises CommandError without an engine, without the passphrase, or where a simulated stack was never up.
    """
    refused: list[str] = []
    engine = find_or_get_engine(project, say, refused)
    if engine is None:
        raise CommandError(f"Secrets are set by the Pulumi engine, and none can be had: {'; '.join(refused)}.")
    from gatehouse.engine import workspace as places

    source = read_stack_file(stack_file(project, stack))
    if not simulated:
        return places.real_workspace(project, source, engine)
    with ExitStack() as at_end:
        at_end.enter_context(places.only_one(project, say))
        workspace = places.SimulatedWorkspace(project, project_name(project), engine)
        if not workspace.exists(stack):
            raise CommandError(f"Stack {stack} was never up on simulated clouds: gatehouse up {about(stack, True)}")
        workspace.configure(source)
    return workspace


def set_value(workspace: Workspace, stack: str, key: str, value: str, *, secret: bool = True) -> None:
    """Set a value, encrypted where it is a secret. Raises CommandError, which never holds the value."""
    words = ["config", "set", "--secret" if secret else "--plaintext", key, "--stack", stack]
    try:
        workspace.ask(*words, given=value)
    except CommandError as error:
        if "no stack named" not in str(error):
            raise
        # As a first preview does.
        workspace.ask("stack", "init", "--no-select", "--stack", stack)
        workspace.ask(*words, given=value)


def value_of(workspace: Workspace, stack: str, key: str) -> str:
    """A value in clear, for a client that signs in with it. Raises CommandError where it cannot be opened."""
    return workspace.ask("config", "get", key, "--stack", stack).rstrip("\n")


def service_tokens(workspace: Workspace, stack: str) -> dict[str, dict[str, str]]:
    """The client id, the secret and the end of each service token, by name, from the outputs of its estate's owner.

    Raises CommandError where they cannot be read, or the stack was never up with one.
    """
    text = workspace.ask("stack", "output", "service_tokens", "--json", "--show-secrets", "--stack", stack)
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def known_ids(project: Path, *, simulated: bool) -> set[tuple[str, str]]:
    """What the states of the project's stacks have: the type's last part, and the id, also the one it was imported by.

    Empty where there is no engine, or no stack was ever up. Raises CommandError where a state cannot be opened.
    """
    states = []
    if simulated:
        from gatehouse.engine.workspace import simulated_folder

        for path in simulated_folder(project).glob("state/.pulumi/stacks/*/*.json"):
            checkpoint = json.loads(path.read_text(encoding="utf-8")).get("checkpoint") or {}
            states.append(checkpoint.get("latest") or {})
    elif engine := find_engine(project):
        from gatehouse.engine.workspace import real_workspace

        for stack in stack_names(project):
            workspace = real_workspace(project, read_stack_file(stack_file(project, stack)), engine)
            try:
                states.append(workspace.state(stack)["deployment"] or {})
            except CommandError as error:
                # A state that is there and cannot be read must not count as one that knows nothing.
                if "no stack named" not in str(error):
                    raise
    # What was deleted to be made anew is there no more; where it has a name, the new one has its id.
    resources = (r for state in states for r in state.get("resources") or () if not r.get("pendingReplacement"))
    return {(r["type"].rsplit(":", 1)[-1], str(r[k])) for r in resources for k in ("id", "importID") if r.get(k)}
