"""`gatehouse schema`: JSON Schema of the stack file, for editors."""

from __future__ import annotations

import argparse
from pathlib import Path

from config.schema import stack_file_schema_text
from gatehouse.commands import CommandError

_FILE = Path("schema") / "stack.schema.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--write", action="store_true", help=f"write it to {_FILE} in the project")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the schema, or write it. Returns 0. Raises CommandError where the file cannot be written."""
    text = stack_file_schema_text()
    if not args.write:
        print(text, end="")
        return 0
    path = project / _FILE
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}.") from error
    print(f"Wrote {path}")
    return 0
