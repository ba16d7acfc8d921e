"""`gatehouse plan`: the resources that a stack wants, offline."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gatehouse.commands import add_stack
from gatehouse.plan import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    add_stack(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, in the form of `pulumi preview --json`")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the plan. Returns 0, or 1 where a rule is broken; raises CommandError for what the user has to fix."""
    from gatehouse import offline

    if not args.json:
        print("Engine: none, this is the offline plan. Clouds: none.", flush=True)
    try:
        return show(project, args.stack, args.json)
    except offline.ProgramError as error:
        if args.debug:
            print(error.trace, file=sys.stderr)
        raise
