"""`gatehouse todo`: what remains for a person, in order, each with the value to paste; ticked off where it is seen."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from config.text import wrap
from gatehouse.commands import project_name, width
from gatehouse.probe.options import add_network_arguments, planned, settings_of
from gatehouse.probe.outputs import ds_in, name_servers_in, of_zone, outputs_in

if TYPE_CHECKING:
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

_WAITS = "known after `gatehouse up`"


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
    """What is to be done for a stack, in order; `outputs` are the stack's, as far as known, `form` is of DS_FORMS."""
    found: list[Todo] = []
    for work in plan.manual_steps:
        # Of a router's rules and of zones there are several, each with its own name behind the word.
        make = _zone if "zone" in work.values else _SPECIAL.get(work.key) or _SPECIAL.get(work.key.partition("-")[0])
        found += make(plan, work, outputs, form) if make else [Todo(work.key, work.title, work.steps)]
    return found


def _zone(plan: ExposurePlan, work: ManualStep, outputs: Mapping[str, Any], form: str) -> list[Todo]:
    zone = work.values["zone"]
    own, what = of_zone(outputs, zone, plan.estate.zone.name), work.key.removesuffix(f"-{zone}")
    steps, values = work.steps, tuple[tuple[str, str], ...]()
    checks: tuple[str, ...] = (f"{zone}/{what}",)
    if what == "name-servers":
        steps = ("Replace all of the domain's name servers with these two.", *work.steps[1:])
        servers = enumerate(name_servers_in(own), 1)
        values = tuple((f"Name server {n}", server) for n, server in servers) or (("Name servers", _WAITS),)
    elif what == "ds-record":
        steps = (
            "Once the name servers have changed and Cloudflare says Active, not before: with a DS record and other name"
            " servers, the domain is down.",
            "Leave other fields of the form empty.",
        )
        checks, values = (f"{zone}/ds", f"{zone}/chain"), _ds_values(own, form)
    return [Todo(work.key, work.title, steps, values, checks)]


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


def _ds_values(outputs: Mapping[str, Any], form: str) -> tuple[tuple[str, str], ...]:
    fields = ds_fields(outputs)
    if not fields:
        return (("DS record", _WAITS),)
    # The same for every key-signing key, so no output holds them.
    fields = {"flags": "257", "protocol": "3", **fields}
    values = []
    for name, label in DS_FORMS[form].items():
        value = fields.get(name, _WAITS)
        words = {"algorithm": _ALGORITHMS, "digest_type": _DIGESTS}.get(name, {}).get(value)
        values.append((label, f"{value} ({words})" if words else value))
    return tuple(values)


def _google(plan: ExposurePlan, work: ManualStep, outputs: Mapping[str, Any], form: str) -> list[Todo]:
    emails = sorted({e for s in plan.people for e in s.emails})
    return [
        Todo(
            work.key,
            work.title,
            (
                "Google Cloud Console, Credentials, the OAuth client: enter origin and redirect URI.",
                "Audience, Test users: add each of these (not needed once the client is published).",
            ),
            (
                ("Authorized origin", work.values["origin"]),
                ("Authorized redirect URI", work.values["redirect_uri"]),
                *((f"Test user {n}", email) for n, email in enumerate(emails, 1)),
            ),
        )
    ]


def _tailnet_name(plan: ExposurePlan, work: ManualStep, outputs: Mapping[str, Any], form: str) -> list[Todo]:
    shown = _certificates(plan)[:1]
    return [Todo(work.key, work.title, work.steps, (("Tailnet name", work.values["tailnet"]),), shown)]


def _certificates(plan: ExposurePlan) -> tuple[str, ...]:
    """The checks that show a Funnel at work."""
    return tuple(f"{way.service}/certificate" for way in plan.ways if way.gate == "funnel")


def _tailscale_up(plan: ExposurePlan, work: ManualStep, outputs: Mapping[str, Any], form: str) -> list[Todo]:
    return [
        Todo(
            work.key,
            work.title,
            tuple(s for s in work.steps if "--advertise-tags" not in s),
            ((f"On {plan.node}", f"sudo tailscale up --advertise-tags={work.values['tag']}"),),
        )
    ]


def _operator(plan: ExposurePlan, work: ManualStep, outputs: Mapping[str, Any], form: str) -> list[Todo]:
    return [Todo(work.key, work.title, work.steps, checks=_certificates(plan))]


def _router(plan: ExposurePlan, work: ManualStep, outputs: Mapping[str, Any], form: str) -> list[Todo]:
    from exposure.ways.port_forward import PortForwardWay

    # The plan's own words hold the node's address: "Router: TCP port 25565 to 192.168.0.124 port 32565".
    values = tuple(("Forward", step.removeprefix("Router: ")) for step in work.steps)
    ways = [way for way in plan.by(PortForwardWay) if way.service == work.service]
    checks = tuple(f"{way.service}/{port.protocol}-{port.external}" for way in ways for port in way.ports)
    return [Todo(work.key, work.title, ("In the router's port forwarding, a rule each:",), values, checks)]


def _connector_secret(plan: ExposurePlan, work: ManualStep, outputs: Mapping[str, Any], form: str) -> list[Todo]:
    # What a login answers comes from the edge: a public page alone shows that the tunnel is connected.
    shown = [f"{way.service}/answers" for way in plan.ways if way.gate == "public-tunnel"]
    command = next((s for s in work.steps if s.startswith("kubectl ")), "")
    steps = tuple(s for s in work.steps if s != command)
    return [Todo(work.key, work.title, steps, (("Run", command),), tuple(shown[:1]))]


def _issuer(plan: ExposurePlan, work: ManualStep, outputs: Mapping[str, Any], form: str) -> list[Todo]:
    return [Todo(work.key, work.title, work.steps, (("ClusterIssuer", work.values["issuer"]),))]


_Maker = Callable[["ExposurePlan", "ManualStep", Mapping[str, Any], str], list[Todo]]
_SPECIAL: Mapping[str, _Maker] = {
    "google": _google,
    "tailnet-name": _tailnet_name,
    "tailscale-up": _tailscale_up,
    "tailscale-operator": _operator,
    "router": _router,
    "connector-secret": _connector_secret,
    "cluster-issuer": _issuer,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--stack", default="alfred", metavar="S", help="the stack (default: %(default)s)")
    parser.add_argument(
        "--outputs",
        metavar="FILE",
        help="what `pulumi stack output --json` prints (or - to read it); a simulated stack's are found",
    )
    parser.add_argument(
        "--registrar",
        choices=sorted(DS_FORMS),
        default="any",
        help="label the DS record's fields as its form does; `key`: it asks for the key (default: %(default)s)",
    )
    parser.add_argument("--probe", action="store_true", help="look from outside, and tick off what is done")
    parser.add_argument("--json", action="store_true", help="for programs")
    add_network_arguments(parser)


def run(args: argparse.Namespace, project: Path) -> int:
    """Print what is left to do. Returns 0, or 1 where the stack file has findings. Raises UsageError."""
    read = planned(project, args.stack)
    if read is None:
        return 1
    plan, _ = read
    outputs = outputs_in(args.outputs) if args.outputs else simulated_outputs(project, args.stack)
    found = todos(plan, outputs, args.registrar)
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
    if outputs and not args.outputs:
        print("\nThe values are a simulated stack's, made up: paste none of them anywhere.")
    elif any(value == _WAITS for t in found if not (seen and seen.of(t) == "done") for _, value in t.values):
        print("\nAfter the real `up`: pulumi stack output --json | gatehouse todo --outputs -")
    return 0


def simulated_outputs(project: Path, stack: str) -> dict[str, Any]:
    """The outputs of a stack that is up on simulated clouds; empty where it is not. Secrets stay encrypted."""
    # The file is the engine's checkpoint, read as `SimulatedWorkspace` does; its module costs a second to load.
    name = project_name(project)
    path = project / ".gatehouse" / "simulated" / "state" / ".pulumi" / "stacks" / name / f"{stack}.json"
    try:
        latest = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}
        resources = latest.get("resources") or []
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    root: dict[str, Any] = next((r for r in resources if r.get("type") == "pulumi:pulumi:Stack"), {})
    return dict(root.get("outputs") or {})


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
        for step in (*((f"Seen: {why}.",) if why else ()), *todo.steps):
            lines += wrap(step, columns, "       - ", "         ")
        column = max((len(k) for k, v in todo.values if len(k) + len(v) + 11 <= columns), default=0)
        for label, value in todo.values:
            lines += _value(label, value, column, columns)
    if seen:
        done = sum(seen.of(t) == "done" for t in found)
        unseen = sum(seen.of(t) == "not seen" for t in found)
        lines += ["", f"{done} of {len(found)} seen done; {unseen} cannot be seen from outside."]
    return "\n".join(lines)


def _value(label: str, value: str, column: int, columns: int) -> list[str]:
    line = f"{'':9}{label + ':':<{column + 1}} {value}"
    if len(line) <= columns:
        return [line]
    return [f"{'':9}{label}:", f"{'':{min(11, max(0, columns - len(value)))}}{value}"]
