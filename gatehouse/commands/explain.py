"""`gatehouse explain`: each service's gate, why, its URL, who reaches it, and what is left to do by hand."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from config.errors import render as render_findings
from config.loader import LoadedStack, load_project
from exposure.check import checked
from exposure.plan import plan_stack
from exposure.render import report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--stack", help="one stack; every stack of the project otherwise")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the explanation. 0 explained, 1 the stack file has findings, 2 no such stack."""
    stacks = load_project(project)
    names = [args.stack] if args.stack else sorted(stacks)
    if not names or any(name not in stacks for name in names):
        known = ", ".join(sorted(stacks)) or "none: write a Pulumi.<stack>.yaml"
        print(f"gatehouse explain: no stack {args.stack or ''!r} here; stacks: {known}", file=sys.stderr)
        return 2
    found = checked(stacks)
    explained = []
    for name in names:
        errors = [f for f in found.of(name) if f.severity == "error"]
        if errors:
            print(render_findings(errors), file=sys.stderr)
            return 1
        explained.append(_plan_dict(name, stacks) if args.json else _text(name, stacks, _width()))
    if args.json:
        print(json.dumps({"stacks": explained}, indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(map(str, explained)))
    return 0


def render(project: Path, stack: str, width: int = 80, outputs: Mapping[str, object] | None = None) -> str:
    """The same text for another command; `outputs` are the stack's, where it is up."""
    stacks = load_project(project)
    return report(plan_stack(stacks[stack], stacks), width, outputs)


def _text(name: str, stacks: Mapping[str, LoadedStack], width: int) -> str:
    return report(plan_stack(stacks[name], stacks), width)


def _plan_dict(name: str, stacks: Mapping[str, LoadedStack]) -> dict[str, object]:
    plan = plan_stack(stacks[name], stacks)
    return {
        "stack": name,
        "services": [asdict(e) for e in plan.exposures],
        "hand_work": [asdict(w) for w in plan.hand_work],
    }


def _width() -> int:
    return min(max(shutil.get_terminal_size((80, 24)).columns, 40), 120)
