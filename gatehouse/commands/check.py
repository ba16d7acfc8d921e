"""`gatehouse check`: everything that is wrong with the stack files, at once and offline."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.errors import Finding, counted, in_order, render_one
from config.loader import LoadedStack
from exposure.check import check, check_one
from gatehouse.commands import add_stack, width
from gatehouse.stacks import known_stack, load

_COLOURS = {"error": "31;1", "warning": "33;1"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_stack(parser, others="all together")
    parser.add_argument("--json", action="store_true", help="findings as JSON")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the findings. Returns 0 where there is no error (warnings may be there), else 1.

    Raises UsageError where there is no such stack, or no stack file at all, and CommandError where one cannot be read.
    """
    stacks = load(project)
    if args.stack is not None:
        known_stack(args.stack, stacks)
    findings = check(stacks) if args.stack is None else check_one(args.stack, stacks)
    names = sorted(stacks) if args.stack is None else [args.stack]
    for stack in (stacks[name] for name in names):
        if stack.owns_estate and stack.estate and stack.estate.tokens:
            from gatehouse.probe.outputs import outputs_here
            from gatehouse.token_ends import tokens_ending

            findings += tuple(tokens_ending(stack, outputs_here(project, stack)))
    if args.json:
        print(json.dumps({"findings": [f.to_dict() for f in findings], "stacks": names}, indent=2, ensure_ascii=False))
    else:
        print(_text(findings, {name: stacks[name] for name in names}))
    return 1 if any(f.severity == "error" for f in findings) else 0


def _text(findings: Sequence[Finding], stacks: Mapping[str, LoadedStack]) -> str:
    columns, colours = width(), sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    lines: list[str] = []
    for finding in in_order(findings):
        first, *rest = render_one(finding, columns)
        if colours:
            first = re.sub(
                rf"{finding.severity} \[",
                f"\033[{_COLOURS[finding.severity]}m{finding.severity}\033[0m [",
                first,
                count=1,
            )
        lines += [first, *rest, ""]
    return "\n".join([*lines, *([counted(findings)] if findings else map(_sound, stacks.values()))])


def _sound(stack: LoadedStack) -> str:
    """What was looked at, where nothing is wrong with it."""
    count = len(stack.typed.services) if stack.typed else 0
    return f"{stack.name}: {count} service{'' if count == 1 else 's'}, no problem"
