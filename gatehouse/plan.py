"""The offline plan of a stack, printed: by `gatehouse plan`, and by a preview where there is no engine."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from gatehouse.commands import width


def show(project: Path, stack: str, as_json: bool) -> int:
    """Print the offline plan of a stack: as a tree with the exposure table, or as JSON. Returns 0, or 1 where a rule of
    policy/ is broken."""
    started = time.monotonic()
    from gatehouse import offline
    from gatehouse.engine import policy, tree

    found = offline.run_offline(project, stack)
    out = sys.stderr if as_json else sys.stdout
    if as_json:
        print(found.to_json())
    else:
        steps = [tree.Step(s.op, s.urn, str(s.state.get("parent", ""))) for s in found.steps]
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(tree.render_tree(steps, width(), color))
    for severity, text in found.messages:
        print(f"{severity}: {text}", file=out)
    findings = policy.check_plan(project, found)
    if findings:
        print(policy.render(findings, width()), file=out)
    if not as_json:
        print(f"\n{stack}: {tree.render_counts(Counter(step.op for step in steps), True, color)}")
        print(exposure(project, stack))
        if policy.has_rules(project):
            print(f"\n{policy.summary_of(findings, 'asked of this plan')}")
        print(f"\nplan: {time.monotonic() - started:.1f} s")
    return int(any(finding.judged for finding in findings))


def exposure(project: Path, stack: str, outputs: Mapping[str, object] | None = None) -> str:
    """The exposure table and the manual steps left, to stand below a tree; empty where another's program runs."""
    from config.loader import load_project
    from exposure.plan import plan_stack
    from exposure.render import report

    try:
        stacks = load_project(project)
        return "\n" + report(plan_stack(stacks[stack], stacks), width(), outputs).rstrip()
    except ValueError:
        # The program was content with a stack file that is not one of Gatehouse's.
        return ""
