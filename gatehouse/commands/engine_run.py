"""`gatehouse preview | up | refresh | destroy`: the stack by the real Pulumi engine."""

from __future__ import annotations

import argparse
from pathlib import Path

from gatehouse.commands import add_stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options; `command` is set as the parser's default already."""
    command = parser.get_default("command")
    add_stack(parser)
    parser.add_argument(
        "--simulated", action="store_true", help="use the simulated clouds, even if credentials are set"
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    if command == "preview":
        parser.add_argument("--json", action="store_true", help="print JSON, as `pulumi preview --json` does")
    if command in ("preview", "up"):
        parser.add_argument("--refresh", action="store_true", help="read the clouds first, to show what others changed")
    if command in ("up", "destroy"):
        parser.add_argument("--yes", "-y", action="store_true", help="do not ask before changing real clouds")


def run(args: argparse.Namespace, project: Path) -> int:
    """Run the engine. Returns its exit code: 0, or 1 where the run failed."""
    from gatehouse.engine.run import Options
    from gatehouse.engine.run import run as drive

    options = Options(
        simulated=args.simulated,
        yes=getattr(args, "yes", False),
        as_json=getattr(args, "json", False),
        refresh=getattr(args, "refresh", False),
        debug=args.debug,
    )
    return drive(args.command, project, args.stack, options)
