"""`gatehouse explain`: each service's ways in, why, their URLs, who reaches it by which, and what is left by hand."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from config.errors import render as render_findings
from exposure.check import checked
from exposure.model import ExposurePlan
from exposure.plan import plan_stack
from exposure.render import nameservers, report, tailscale_ssh
from gatehouse.commands import add_stack, width
from gatehouse.stacks import known_stack, load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    add_stack(parser, others="each one")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the explanation. Returns 0, or 1 where a stack has findings. Raises UsageError for an unknown stack."""
    stacks = load(project)
    names = [known_stack(args.stack, stacks)] if args.stack else sorted(stacks)
    found = checked(stacks)
    explained = []
    for name in names:
        errors = [f for f in found.of(name) if f.severity == "error"]
        if errors:
            print(render_findings(errors), file=sys.stderr)
            return 1
        plan = plan_stack(stacks[name], stacks)
        explained.append(_plan_dict(plan) if args.json else report(plan, width()))
    if args.json:
        print(json.dumps({"stacks": explained}, indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(map(str, explained)))
    return 0


def _plan_dict(plan: ExposurePlan) -> dict[str, object]:
    return {
        "stack": plan.stack,
        "services": [
            {
                "service": service.key,
                "title": service.title,
                "asked_for": service.asked_for,
                "reaches": str(service.audience),
                "ways": [
                    {
                        "gate": way.gate,
                        "reason": reason,
                        "urls": list(way.urls),
                        "reaches": way.reaches,
                        "cautions": list(way.mind),
                    }
                    for way, reason in zip(service.ways, service.reasons, strict=True)
                ],
            }
            for service in plan.services
        ],
        "nameservers": nameservers(plan),
        "tailscale_ssh": tailscale_ssh(plan),
        "manual_steps": [asdict(w) for w in plan.manual_steps],
    }
