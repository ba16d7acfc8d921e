"""The commands, a module each, and what they share. Light: every command imports this."""

from __future__ import annotations

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


def width() -> int:
    """The columns to fit output in: the terminal's, at most 120, and 80 where there is none."""
    return max(60, min(120, shutil.get_terminal_size((80, 24)).columns)) if sys.stdout.isatty() else 80
