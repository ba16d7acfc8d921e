"""`gatehouse verify`: from outside, what the plan promises, and above all what must not work."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gatehouse.commands import CommandError, UsageError, add_stack, width
from gatehouse.probe.options import add_network_arguments, planned, settings_of, wildcards_beside
from gatehouse.probe.outputs import is_simulated, outputs_here, outputs_in

if TYPE_CHECKING:
    from gatehouse.probe.probes import Check


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    add_stack(parser)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WHAT",
        help="a service, a gate, a check (such as login) or ids with * (such as 'grafana/*'); may be given again",
    )
    parser.add_argument("--list", action="store_true", help="list the checks without running them")
    parser.add_argument(
        "--demo",
        action="store_true",
        help="test stand-ins on this machine, one of them broken",
    )
    parser.add_argument("--all", action="store_true", help="show each check that passed too")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML there too, for CI")
    parser.add_argument(
        "--outputs",
        metavar="FILE",
        help="`gatehouse pulumi stack output --json` (or -): compare name servers and DS record with these",
    )
    add_network_arguments(parser)


def run(args: argparse.Namespace, project: Path) -> int:
    """Run the checks and print what was seen. Returns 0 where nothing failed and something passed, else 1.

    Raises UsageError for options that don't fit, CommandError where the JUnit file cannot be written.
    """
    found = planned(project, args.stack)
    if found is None:
        return 1
    plan, stacks = found
    stack = stacks[args.stack]
    from gatehouse.probe.account import account_checks
    from gatehouse.probe.checks import checks_of, selected
    from gatehouse.probe.clients import Clients, clients_of

    if is_simulated(stack) and outputs_here(project, stack) and not (args.demo or args.list or args.connect):
        raise CommandError(
            f"Stack {stack.name} is up on simulated clouds only: there is nothing outside to ask. To see a run, on"
            f" servers that stand in for the clouds on this machine: gatehouse verify {stack.name} --demo"
        )
    outputs = outputs_in(args.outputs) if args.outputs else {}
    clients = clients_of(project, stack, plan, secrets=not args.list) if not args.demo else Clients()
    everything = checks_of(plan, os.urandom(4).hex(), outputs, wildcards_beside(stack, stacks), clients.ended)
    everything = everything if args.demo else (*account_checks(project, stack), *everything)
    checks = selected(everything, args.only)
    if not checks:
        raise UsageError(_nothing(args.only, everything, args.stack))
    if args.list:
        _list(checks, args.json)
        return 0
    settings = replace(settings_of(args), clients=clients.by_name, no_clients=clients.why)
    import asyncio
    import ssl

    from gatehouse.probe import report
    from gatehouse.probe.runner import Result, run_checks, trusted

    try:
        tls = trusted(settings)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca-file {args.ca_file}: it holds no certificate ({error}).") from error
    out = sys.stderr if args.json else sys.stdout
    live = out.isatty()
    first = f"Asking from this machine, {len(checks)} checks, names by resolver {settings.resolver}"
    if args.demo:
        first = f"A demo: {len(checks)} checks of stand-ins on this machine, one broken"
    print(f"{first}, {settings.within:g} s at most.", file=out, flush=True)
    started = time.monotonic()
    progress = report.Progress(checks, out, live)

    async def asked() -> list[Result]:
        if not args.demo:
            return await run_checks(checks, plan.estate.team, settings, progress, tls)
        from gatehouse.probe.demo import demo

        async with demo(plan, checks, settings) as there:
            return await run_checks(checks, plan.estate.team, there, progress)

    results = asyncio.run(asked())
    seconds = time.monotonic() - started
    if args.junit:
        try:
            report.write_junit(args.junit, args.stack, results, seconds)
        except OSError as error:
            raise CommandError(f"--junit {args.junit}: {error.strerror or error}.") from error
    if args.json:
        print(json.dumps(report.to_dict(args.stack, results, seconds), indent=2, ensure_ascii=False))
    else:
        colours = live and not os.environ.get("NO_COLOR")
        text = report.findings(results, width(), colours, args.all)
        print("\n" + report.table(results, width(), colours))
        if text:
            print("\n" + text)
        print("\n" + report.summary(results, seconds))
        if args.demo:
            print("This was a demo: nothing is broken, and there is nothing to do.")
    states = {r.verdict.state for r in results}
    return 0 if "failed" not in states and "passed" in states else 1


def _list(checks: Sequence[Check], as_json: bool) -> None:
    if as_json:
        rows = [{"id": c.id, "asked": c.asked, "promise": c.promise, "must_not": c.must_not} for c in checks]
        print(json.dumps({"checks": rows}, indent=2, ensure_ascii=False))
        return
    subject = None
    for check in checks:
        if (check.subject, check.gate) != subject:
            subject = (check.subject, check.gate)
            print(f"{check.subject} ({check.gate})")
        head = f"  {check.id.removeprefix(f'{check.subject}/'):<20} "
        print(textwrap.fill(check.promise, width(), initial_indent=head, subsequent_indent=" " * len(head)))


def _nothing(patterns: Sequence[str], checks: Sequence[Check], stack: str) -> str:
    import difflib

    if not patterns:
        return f"Stack {stack} has nothing that can be checked from outside."
    words = list(dict.fromkeys(w for c in checks for w in (c.subject, c.gate, c.what, c.id)))
    near = [m for p in patterns for m in difflib.get_close_matches(p, words, n=1)]
    return f"--only {' '.join(patterns)}: no check has that name" + (
        f"; did you mean {near[0]!r}?" if near else "; --list shows them."
    )
