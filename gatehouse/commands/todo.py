"""`gatehouse todo`: what remains for a person, in order, each with the value to paste; ticked off where it is seen."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from exposure.render import NOT_YET, pasted, step_lines
from gatehouse.commands import add_stack, width
from gatehouse.probe.options import add_network_arguments, planned, settings_of
from gatehouse.probe.outputs import ds_in, is_simulated, name_servers_in, of_zone, outputs_here, outputs_in
from gatehouse.token_ends import tokens_ending

if TYPE_CHECKING:
    from config.loader import LoadedStack
    from exposure.model import ExposurePlan
    from exposure.ways.way import ManualStep

_ALGORITHMS = {"8": "RSA/SHA-256", "13": "ECDSA Curve P-256 with SHA-256", "14": "ECDSA Curve P-384 with SHA-384"}
"""Names in registrars' lists [RFC 8624; IANA, DNS Security Algorithm Numbers]. Cloudflare signs with 13."""
_DIGESTS = {"1": "SHA-1", "2": "SHA-256", "4": "SHA-384"}

DS_FORMS: Mapping[str, Mapping[str, str]] = {
    "any": {"key_tag": "Key tag", "algorithm": "Algorithm", "digest_type": "Digest type", "digest": "Digest"},
    "porkbun": {
        "key_tag": "Key Tag",
        "algorithm": "DS Data Algorithm",
        "digest_type": "Digest Type",
        "digest": "Digest",
    },
    "key": {"flags": "Flags", "protocol": "Protocol", "algorithm": "Algorithm", "public_key": "Public key"},
}
"""The fields of a registrar's DNSSEC form, in its order [Porkbun API v3, Create DNSSEC Record]. `key` is the form of
those who ask for the key itself (such as INWX, Gandi and the .de registry) and make the DS record of it: flags 257 and
protocol 3 are those of a key-signing key [RFC 4034, 2.1]."""


@dataclass(frozen=True)
class Todo:
    """One thing to do. `values` are (label, value to paste); `checks` are the probe's checks that show it done."""

    key: str
    title: str
    steps: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    checks: tuple[str, ...] = ()


State = Literal["done", "open", "not seen"]


@dataclass
class Seen:
    """What the probe saw: the state of each check by id, and its words."""

    states: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def of(self, todo: Todo) -> State:
        """Done where every check that shows it passed, open where one failed, else not to be seen from outside."""
        states = [self.states.get(c) for c in todo.checks]
        if "failed" in states:
            return "open"
        known = [s for s in states if s != "not proven"]
        return "done" if known and set(known) == {"passed"} else "not seen"

    def why(self, todo: Todo) -> str:
        """What was seen of one that is not done."""
        told = [self.words.get(c, "") for c in todo.checks if self.states.get(c) != "passed"]
        return "; ".join(dict.fromkeys(filter(None, told)))


def todos(plan: ExposurePlan, outputs: Mapping[str, Any], form: str = "any") -> list[Todo]:
    """The manual steps of a stack, in order; `outputs` are the stack's, as far as known, `form` is of DS_FORMS."""
    return [
        Todo(work.key, work.title, work.steps, tuple(_values(plan, work, outputs, form)), _checks(plan, work))
        for work in plan.manual_steps
    ]


def _renewals(stack: LoadedStack, outputs: Mapping[str, Any]) -> list[Todo]:
    """Service tokens that end soon: first, for they end by themselves."""
    return [
        Todo(f"token-{f.path[-1]}", f"Renew service token {f.path[-1]}", tuple(map(_sentence, (f.reason, f.fix))))
        for f in tokens_ending(stack, outputs)
    ]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _values(plan: ExposurePlan, work: ManualStep, outputs: Mapping[str, Any], form: str) -> Sequence[tuple[str, str]]:
    own = of_zone(outputs, work.zone, plan.estate.zone.name) if work.zone else {}
    if "Name servers" in work.outputs and (servers := name_servers_in(own)):
        return [(f"Name server {number}", server) for number, server in enumerate(servers, 1)]
    if "DS record" in work.outputs and (values := _ds_values(own, form)):
        return values
    return pasted(work, {})


def _checks(plan: ExposurePlan, work: ManualStep) -> tuple[str, ...]:
    """The checks of the probe that show it done."""
    from exposure.ways.port_forward import PortForwardWay

    if work.zone:
        what = work.key.removesuffix(f"-{work.zone}")
        return tuple(f"{work.zone}/{one}" for one in (("ds", "chain") if what == "ds-record" else (what,)))
    if work.service:
        ways = [way for way in plan.by(PortForwardWay) if way.service == work.service]
        return tuple(f"{way.service}/{port.protocol}-{port.external}" for way in ways for port in way.ports)
    gate, what, most = _SHOWN_BY.get(work.key, ("", "", 0))
    return tuple(f"{way.service}/{what}" for way in plan.ways if way.gate == gate)[:most]


_SHOWN_BY: Mapping[str, tuple[str, str, int | None]] = {
    "tailnet-name": ("funnel", "certificate", 1),
    "tailscale-operator": ("funnel", "certificate", None),
    # What a login answers comes from the edge: a public page alone shows that the tunnel is connected.
    "connector-secret": ("public-tunnel", "answers", 1),
}
"""The gate and the check of its services that show a manual step done, and how many of them are enough."""


def ds_fields(outputs: Mapping[str, Any]) -> dict[str, str]:
    """A zone's DS record by field, from its output `ds`, or out of `ds_record`; empty where neither is known."""
    ds = outputs.get("ds")
    if isinstance(ds, dict) and ds.get("digest"):
        return {str(k): str(v) for k, v in ds.items()}
    words = (ds_in(outputs) or "").split()
    upper = [w.upper() for w in words]
    rest = words[upper.index("DS") + 1 :] if "DS" in upper else []
    if len(rest) < 4 or not all(w.isdigit() for w in rest[:3]):
        return {}
    return {"key_tag": rest[0], "algorithm": rest[1], "digest_type": rest[2], "digest": "".join(rest[3:])}


def _ds_values(outputs: Mapping[str, Any], form: str) -> list[tuple[str, str]]:
    fields = ds_fields(outputs)
    if not fields:
        return []
    # The same for every key-signing key, so no output holds them.
    fields = {"flags": "257", "protocol": "3", **fields}
    values = []
    for name, label in DS_FORMS[form].items():
        value = fields.get(name, NOT_YET)
        words = {"algorithm": _ALGORITHMS, "digest_type": _DIGESTS}.get(name, {}).get(value)
        values.append((label, f"{value} ({words})" if words else value))
    return values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    add_stack(parser)
    parser.add_argument(
        "--outputs",
        metavar="FILE",
        help="what `gatehouse pulumi stack output --json` prints (or - to read it); a simulated stack's are found",
    )
    parser.add_argument(
        "--registrar",
        choices=sorted(DS_FORMS),
        default="any",
        help="name the DS record's fields as this registrar's form does; `key`: the form asks for the key",
    )
    parser.add_argument("--probe", action="store_true", help="look from outside, and tick off what is done")
    parser.add_argument("--json", action="store_true", help="for programs")
    add_network_arguments(parser)


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the manual steps. Returns 0, or 1 where the stack file has findings. Raises UsageError."""
    read = planned(project, args.stack)
    if read is None:
        return 1
    plan, stacks = read
    stack = stacks[args.stack]
    outputs = outputs_in(args.outputs) if args.outputs else outputs_here(project, stack)
    found = [*_renewals(stack, outputs), *todos(plan, outputs, args.registrar)]
    seen = _probe(args, plan, outputs, {c for t in found for c in t.checks}) if args.probe else None
    if args.json:
        items = [
            {
                "key": t.key,
                "title": t.title,
                "steps": list(t.steps),
                "values": [{"label": label, "value": value} for label, value in t.values],
                "state": seen.of(t) if seen else "not looked at",
                "seen": seen.why(t) if seen else "",
            }
            for t in found
        ]
        print(json.dumps({"stack": args.stack, "todo": items}, indent=2, ensure_ascii=False))
        return 0
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(render(found, seen, width(), colours))
    if outputs and not args.outputs and is_simulated(stack):
        print("\nThese values are made up, from a simulated stack: do not paste them anywhere.")
    elif any(value == NOT_YET for t in found if not (seen and seen.of(t) == "done") for _, value in t.values):
        values = f"gatehouse pulumi stack output --json --stack {args.stack}"
        print(f"\nAfter a real `up`, with all values:\n  {values} | gatehouse todo {args.stack} --outputs -")
    return 0


def _probe(args: argparse.Namespace, plan: ExposurePlan, outputs: Mapping[str, Any], wanted: Collection[str]) -> Seen:
    import asyncio

    from gatehouse.probe.checks import checks_of, moving
    from gatehouse.probe.report import Progress
    from gatehouse.probe.runner import run_checks

    known = (*checks_of(plan, os.urandom(4).hex(), outputs), *moving(plan, outputs))
    checks = [c for c in known if c.id in wanted]
    progress = Progress(checks, sys.stderr, sys.stderr.isatty())
    results = asyncio.run(run_checks(checks, plan.estate.team, settings_of(args), progress))
    return Seen({r.check.id: r.verdict.state for r in results}, {r.check.id: r.verdict.seen for r in results})


_BOXES: Mapping[State, str] = {"done": "[x]", "open": "[ ]", "not seen": "[ ]"}


def render(found: Sequence[Todo], seen: Seen | None, columns: int = 80, colours: bool = False) -> str:
    """The list for people. Values stand alone on their lines, never broken, to be copied."""
    if not found:
        return "Nothing left to do by hand."
    lines: list[str] = []
    for number, todo in enumerate(found, 1):
        state = seen.of(todo) if seen else "open"
        box = _BOXES[state]
        note = {"done": " (seen done)", "not seen": "", "open": " (seen: not done yet)" if seen else ""}[state]
        title = textwrap.wrap(f"{number}. {todo.title}{note}", columns - 4)
        first = f"{box} {title[0]}"
        lines.append(f"\033[32m{first}\033[0m" if colours and state == "done" else first)
        lines += [f"       {line}" for line in title[1:]]
        if state == "done":
            continue
        why = seen.why(todo) if seen else ""
        steps = (*((f"Seen: {why}.",) if why else ()), *todo.steps)
        lines += step_lines(steps, todo.values, columns, "       ")
    if seen:
        done = sum(seen.of(t) == "done" for t in found)
        unseen = sum(seen.of(t) == "not seen" for t in found)
        lines += ["", f"{done} of {len(found)} seen done; {unseen} cannot be seen from outside."]
    return "\n".join(lines)
