"""The commands, a module each, and what they share. Light: every command imports this."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path


class CommandError(Exception):
    """What a user has to read and fix; printed as it is, with no traceback, and the command ends with 1."""


class UsageError(CommandError):
    """The command was called wrongly; it ends with 2."""


def project_name(project: Path) -> str:
    """The project's name in its Pulumi.yaml."""
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        settings = yaml.load((project / "Pulumi.yaml").read_text(encoding="utf-8"), Loader=loader)
        return str(settings["name"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise CommandError(f"{project / 'Pulumi.yaml'} has no readable `name:` ({error}).") from error


def stack_file(project: Path, stack: str) -> Path:
    """The stack's file. Raises UsageError, with the stacks there are, where it has none."""
    from config.loader import stack_names, stack_path

    names = stack_names(project)
    if stack in names:
        return stack_path(project, stack)
    found = f"the stacks here are: {', '.join(names)}" if names else "there is no stack file here yet"
    raise UsageError(f"There is no stack {stack!r}: {project / f'Pulumi.{stack}.yaml'} is missing; {found}.")


def add_stack(parser: argparse.ArgumentParser, *, others: str = "") -> None:
    """`STACK`, typed as it is or behind `--stack`; `main` puts it into `args.stack`.

    `others` says what the command is about where no stack is named; without it, that is `only_stack`.
    """
    text = f"the stack (default: {others or 'the only one that owns an estate'})"
    parser.add_argument("stack_typed", nargs="?", metavar="STACK", help=text)
    parser.add_argument("--stack", metavar="STACK", help="the same")
    parser.set_defaults(needs_stack=not others)


def named_stack(args: argparse.Namespace, project: Path) -> str | None:
    """The stack that the arguments name, in either way. Raises UsageError where both differ, or one is to be named."""
    typed: str | None = getattr(args, "stack_typed", None)
    if typed and args.stack not in (None, typed):
        raise UsageError(f"STACK {typed} and --stack {args.stack} are two stacks: name one.")
    named: str | None = typed or args.stack
    return only_stack(project) if named is None and getattr(args, "needs_stack", False) else named


def only_stack(project: Path) -> str:
    """The project's only stack, or the only one that owns an estate. Raises UsageError where there is no such one."""
    from config.loader import read_stack_file, stack_names, stack_path

    names = stack_names(project)
    if not names:
        raise UsageError(f"There is no stack file in {project} yet. Write one: gatehouse new-stack NAME")
    members = {n for n in names if "gatehouse:member_of" in read_stack_file(stack_path(project, n)).values}
    owners = [n for n in names if n not in members]
    found = names if len(names) == 1 else owners
    if len(found) != 1:
        raise UsageError(
            f"Which stack? The stacks here are: {', '.join(names)}. Name one, such as --stack {names[0]}"
            f" (with make: STACK={names[0]})."
        )
    return found[0]


def write_whole(path: Path, text: str, mode: int | None = None) -> None:
    """Write a file whole or not at all, whoever reads or writes it meanwhile. Raises OSError.

    It keeps the mode and the line ends of the one that was there, unless `mode` says one.
    """
    ends = "\n"
    if path.exists():
        mode = path.stat().st_mode if mode is None else mode
        with path.open(encoding="utf-8") as there:
            there.read()
            ends = there.newlines if isinstance(there.newlines, str) else ends
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8", newline=ends)
        if mode is not None:
            fresh.chmod(mode)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def about(stack: str, simulated: bool) -> str:
    """The options by which a command that is proposed is about the same stack, on the same clouds."""
    return f"--stack {stack}{' --simulated' if simulated else ''}"


def width() -> int:
    """The columns to fit output in: the terminal's, at most 120, and 80 where there is none."""
    return max(60, min(120, shutil.get_terminal_size((80, 24)).columns)) if sys.stdout.isatty() else 80
