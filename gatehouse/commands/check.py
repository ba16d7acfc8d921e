"""`gatehouse check`: everything that is wrong with the stack files, at once and offline."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from config.errors import Finding, counted, in_order, render_one
from config.loader import LoadedStack, load_project
from exposure.check import check, check_one
from gatehouse.commands import CommandError, UsageError, width

_COLOURS = {"error": "31;1", "warning": "33;1"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--stack", metavar="NAME", help="this stack only, with what touches it (default: all together)")
    parser.add_argument("--json", action="store_true", help="findings as JSON")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the findings. Returns 0 where there is no error (warnings may be there), else 1.

    Raises UsageError where there is no such stack, or no stack file at all, and CommandError where one cannot be read.
    """
    stacks = load(project)
    if args.stack is not None:
        known(args.stack, stacks, project)
    findings = check(stacks) if args.stack is None else check_one(args.stack, stacks)
    names = sorted(stacks) if args.stack is None else [args.stack]
    if args.json:
        print(json.dumps({"findings": [f.to_dict() for f in findings], "stacks": names}, indent=2, ensure_ascii=False))
    else:
        print(_text(findings, names))
    return 1 if any(f.severity == "error" for f in findings) else 0


def load(project: Path) -> dict[str, LoadedStack]:
    """Every stack of the project. Raises UsageError where there is none, CommandError where a file cannot be read."""
    try:
        stacks = load_project(project)
    except OSError as error:
        raise CommandError(f"{error.filename or project} cannot be read: {error.strerror or error}.") from error
    if not stacks:
        raise UsageError(f"There is no stack file in {project} yet; write a Pulumi.<stack>.yaml first.")
    return stacks


def known(stack: str, stacks: dict[str, LoadedStack], project: Path) -> None:
    """Raise UsageError, with the stacks there are, unless `stack` is one of them."""
    if stack in stacks:
        return
    near = difflib.get_close_matches(stack, list(stacks), n=1)
    raise UsageError(
        f"There is no stack {stack!r} in {project}; the stacks here are: {', '.join(sorted(stacks))}."
        + (f" Did you mean {near[0]!r}?" if near else "")
    )


def _text(findings: Sequence[Finding], stacks: Sequence[str]) -> str:
    if not findings:
        return f"{', '.join(stacks)}: nothing found."
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
    return "\n".join([*lines, counted(findings)])
