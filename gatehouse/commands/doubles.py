"""`gatehouse doubles`: what stands in the Cloudflare account a second time, and no stack knows."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from config.loader import load_project
from gatehouse.commands import UsageError, add_stack, stack_file, width

_EPILOG = """\
exit code: 0 none found, or removed, 1 some found, 2 wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.epilog = _EPILOG
    add_stack(parser)
    parser.add_argument("--remove", metavar="ID", help="delete this duplicate from the account")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask first")
    parser.add_argument(
        "--simulated", action="store_true", help="use the simulated clouds, even if credentials are set"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, project: Path) -> int:
    """List the doubles, or remove one. Returns 0, or 1 where there are some or nothing was removed.

    Raises CommandError where account or states cannot be read, UsageError for an id that is no double's.
    """
    from gatehouse.adopt.doubles import Account
    from gatehouse.engine.clouds import choose_clouds

    stack_file(project, args.stack)
    stack = load_project(project)[args.stack]
    if stack.estate is None:
        raise UsageError(f"{stack.source.file} has findings; see them with: gatehouse check --stack {args.stack}")
    simulated = not choose_clouds(os.environ, stack.source.values, args.simulated).real
    account = Account(project, stack, simulated=simulated)
    found = account.doubles()
    if args.remove is None:
        if args.json:
            print(json.dumps({"doubles": [double.to_dict() for double in found]}, indent=2, ensure_ascii=False))
        else:
            clouds = "simulated" if simulated else "real"
            texts = [double.text(args.stack, simulated, width()) for double in found]
            print("\n\n".join(texts) or f"There are no doubles on the {clouds} clouds.")
        return 1 if found else 0
    double = next((d for d in found if d.thing.own_id == args.remove), None)
    if double is None:
        raise UsageError(
            f"--remove {args.remove}: it is no double, and nothing else is removed here. Nothing was done."
        )
    if not args.yes:
        if not sys.stdin.isatty():
            raise UsageError("--remove asks first, and there is no terminal to ask on: add --yes.")
        lets_in = f" It lets in: {double.lets_in}." if double.lets_in else ""
        if input(f"Remove the {double}?{lets_in} [y/N] ").strip().lower() not in ("y", "yes"):
            print("Nothing was done.")
            return 1
    account.remove(double)
    print(f"Removed the {double}.")
    return 0
