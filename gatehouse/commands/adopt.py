"""`gatehouse adopt`: recognise what is in the accounts, and write it into the stack file for review."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.errors import Finding, render
from config.loader import (
    LoadedStack,
    load_project,
    parse_stack_text,
    read_beside,
    read_stack_file,
    stack_names,
    tie,
    type_stack,
)
from config.text import wrap
from gatehouse.commands import CommandError, UsageError, about, add_stack, stack_file, width, write_whole

if TYPE_CHECKING:
    from gatehouse.adopt.match import Matched, Planned
    from gatehouse.adopt.services import Recognised
    from gatehouse.adopt.things import Thing

_PARTS = ("tailnet", "cluster")
_SECTIONS = ("adopt", "recover")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    add_stack(parser)
    parser.add_argument("--apply", action="store_true", help="write the stack file; without it only show a diff")
    parser.add_argument(
        "--done",
        action="store_true",
        help="remove gatehouse:adopt and gatehouse:recover, once all of it is in the state",
    )
    parser.add_argument("--tunnel", default="", metavar="NAME", help="which tunnel it is, if several are possible")
    parser.add_argument(
        "--without", action="append", default=[], choices=_PARTS, help="do not read the tailnet or the cluster"
    )
    parser.add_argument("--simulated", action="store_true", help="read the simulated clouds")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, project: Path) -> int:
    """Show, and with `--apply` write. Returns 0, or 1 where the entries need a decision first. Raises CommandError."""
    path = stack_file(project, args.stack)
    text = path.read_text(encoding="utf-8")
    if args.done:
        return _done(args, project, path, text)
    stack = _stack(project, args.stack)
    things = _read(args, project, stack)
    adoption = find(project, stack, things, text, tunnel=args.tunnel)
    if args.apply and adoption.policy:
        write_whole(project / adoption.policy[0], adoption.policy[1])
    if args.apply and adoption.text != text:
        write_whole(path, adoption.text)
    print(json.dumps(adoption.to_dict(args.apply), indent=2) if args.json else _report(adoption, path.name, args))
    if args.apply and not args.json and not args.simulated:
        _take_tunnel_secret(project, args, stack, adoption)
    return 1 if adoption.findings else 0


@dataclass
class Adoption:
    """What adopting a stack comes to: `text` is the whole stack file as it would be."""

    before: str
    text: str
    recognised: Recognised
    matched: Matched | None
    findings: list[Finding] = field(default_factory=list)
    """What a person has to decide before anything is imported; then there is no `matched`."""
    policy: tuple[str, str] | None = None
    """The file to be written with the tailnet's own policy: its name and text."""

    def to_dict(self, applied: bool) -> dict[str, object]:
        """For `--json`."""
        matched = self.matched
        return {
            "adopt": matched.as_found if matched else {},
            "recover": matched.ours if matched else {},
            "services": self.recognised.services,
            "people": self.recognised.people,
            "node": self.recognised.node,
            "differences": {m.planned.key: list(m.differences) for m in matched.matches} if matched else {},
            "in_the_way": [{"resource": p.key, "thing": str(t), "id": t.id, "why": w} for p, t, w in matched.in_the_way]
            if matched
            else [],
            "left_alone": [{"thing": str(t), "id": t.id, "why": w} for t, w in matched.left_alone] if matched else [],
            "notes": self.recognised.notes,
            "findings": [f.to_dict() for f in self.findings],
            "policy": {"file": self.policy[0], "text": self.policy[1]} if self.policy else None,
            "applied": applied,
        }


def find(project: Path, stack: LoadedStack, things: list[Thing], text: str, *, tunnel: str = "") -> Adoption:
    """What of `things` belongs to a stack, and its stack file's text with that. Raises CommandError."""
    from exposure.names import names_of
    from exposure.plan import plan_stack
    from gatehouse.adopt.match import choose_tunnel, match
    from gatehouse.adopt.policy import ended, owners_part
    from gatehouse.adopt.services import recognise
    from gatehouse.adopt.stack_text import edit

    config, estate = stack.config, stack.estate
    assert config is not None
    assert estate is not None
    node, zone = config.node.name, estate.zone.name
    hosts = [host for key, service in config.services.items() for host in names_of(key, service, node, zone)]
    own = choose_tunnel(things, node, [z.name for z in estate.zones], hosts, tunnel)
    if tunnel and own is None:
        known = ", ".join(sorted(t.label for t in things if t.type == "ZeroTrustTunnelCloudflared"))
        raise UsageError(f"--tunnel {tunnel}: there is no such tunnel in the account; there are: {known or 'none'}.")
    recognised = recognise(things, config, estate, own, owns_estate=stack.owns_estate)
    added = partial(edit, services=recognised.services, people=recognised.people, node=recognised.node)
    fresh = added(text, adopt={}, recover={})
    stacks, findings = _checked(project, stack.name, fresh)
    if findings:
        return Adoption(text, added(text), recognised, None, findings)
    planned = _planned(project, stack.name, fresh)
    standing = next((str(t.inputs.get("acl")) for t in things if t.type == "Acl" and not t.managed), None)
    policy = owners_part(project, standing, stacks, stack.name) if standing is not None else None
    if policy:
        added = partial(added, policy=policy[0])
        stacks, findings = _checked(project, stack.name, added(text, adopt={}, recover={}), policy)
        if findings:
            return Adoption(text, added(text), recognised, None, findings, policy)
        planned = [_with_policy(p, plan_stack(stacks[stack.name], stacks).tailnet_policy_text) for p in planned]
    matched = match(planned, things, own)
    if standing is not None:
        ends = ended(standing, stacks, stack.name)
        matched.matches = [
            replace(m, differences=(*m.differences, *ends)) if m.planned.type == "Acl" else m for m in matched.matches
        ]
    # What was adopted before and is in the state now is nobody's else.
    there = {t.id for t in things if t.managed}
    after = added(
        text,
        adopt={**{k: v for k, v in config.adopt.items() if v in there}, **matched.as_found},
        recover={**{k: v for k, v in config.recover.items() if v in there}, **matched.ours},
    )
    return Adoption(text, after, recognised, matched, policy=policy)


# --- reading


def _stack(project: Path, name: str) -> LoadedStack:
    """The stack, typed; its own findings have to be fixed first."""
    stack = load_project(project)[name]
    errors = [f for f in stack.findings if f.severity == "error"]
    if errors or stack.config is None or stack.estate is None:
        raise CommandError(
            f"{stack.source.file} has to say node and estate first, without findings:\n\n{render(stack.findings)}"
        )
    return stack


def _read(args: argparse.Namespace, project: Path, stack: LoadedStack) -> list[Thing]:
    from gatehouse.adopt.accounts import Settings, marked, read_accounts, read_clouds
    from gatehouse.engine.secrets import known_ids

    if args.simulated:
        things = read_clouds(project, stack)
    else:
        print("Reading Cloudflare, the tailnet and the cluster; nothing is changed there.", file=sys.stderr)
        things = read_accounts(stack, Settings(stack.source.values), without=args.without)
    try:
        return marked(things, known_ids(project, simulated=args.simulated))
    except CommandError as error:
        print(f"note: what the states of the stacks have already is not known ({error})", file=sys.stderr)
        return things


# --- the plan of a text that is not written yet


def _checked(
    project: Path, name: str, text: str, policy: tuple[str, str] | None = None
) -> tuple[dict[str, LoadedStack], list[Finding]]:
    """The stacks, one of them from a text, and what keeps it from being planned."""
    from exposure.check import check_one

    def beside(file: str) -> str:
        return policy[1] if policy and file == policy[0] else read_beside(project, file)

    stacks = [type_stack(read_stack_file(stack_file(project, n))) for n in stack_names(project) if n != name]
    loaded = tie([type_stack(parse_stack_text(text, name, beside)), *stacks])
    return loaded, [f for f in check_one(name, loaded) if f.severity == "error"]


def _with_policy(planned: Planned, text: str | None) -> Planned:
    return replace(planned, inputs={**planned.inputs, "acl": text}) if planned.type == "Acl" else planned


def _planned(project: Path, name: str, text: str) -> list[Planned]:
    from gatehouse.adopt.match import Planned
    from gatehouse.offline import run_offline

    source = parse_stack_text(text, name)
    # What the engine's configuration says counts before the file.
    config = {key: value for key, value in source.values.items() if key not in source.secure}
    steps = run_offline(project, name, config=config).steps
    keys = {s.urn: f"{_short(s.type)}/{s.name}" for s in steps}
    planned = []
    for step in steps:
        inputs = step.state.get("inputs")
        refers: Any = step.state.get("propertyDependencies") or {}
        if step.state.get("custom") and isinstance(inputs, dict):
            by_key = {p: [keys[u] for u in urns if u in keys] for p, urns in refers.items()}
            planned.append(Planned(_short(step.type), step.name, inputs, by_key))
    return planned


def _short(type_: str) -> str:
    return type_.rsplit(":", 1)[-1]


# --- writing and showing


def _done(args: argparse.Namespace, project: Path, path: Path, text: str) -> int:
    from gatehouse.adopt.stack_text import edit, edited_lines

    after = edit(text, adopt={}, recover={})
    if after == text:
        print(f"{path.name} has neither gatehouse:adopt nor gatehouse:recover.")
        return 0
    left = _not_imported(args, project)
    if left:
        listed = "\n".join(f"  {key}: {id_}" for key, id_ in left.items())
        raise CommandError(
            f"{len(left)} of the ids in {path.name} are not in the state of {args.stack} yet:\n{listed}\n"
            "Nothing was changed: without its id each of these would be made a second time, or be refused. Run "
            f"`gatehouse up {about(args.stack, args.simulated)}` until it succeeds. Take out by hand what you do not "
            "want after all."
        )
    print("\n".join(edited_lines(text, after, path.name)))
    if not args.apply:
        print("\nNothing was written: add --apply. `gatehouse preview` then shows what Gatehouse would change.")
        return 0
    _complete_state(args, project, path)
    write_whole(path, after)
    print(f"\nWrote {path.name}. Next: gatehouse preview {about(args.stack, args.simulated)}")
    return 0


def _complete_state(args: argparse.Namespace, project: Path, path: Path) -> None:
    """What `gatehouse up` does at its end: for those who typed `pulumi up`. Raises CommandError."""
    from gatehouse.engine.secrets import open_workspace
    from gatehouse.engine.takeover import TakeOver

    workspace = open_workspace(project, args.stack, simulated=args.simulated, say=print)
    TakeOver(project, read_stack_file(path), print, simulated=args.simulated).complete(workspace)


def _not_imported(args: argparse.Namespace, project: Path) -> dict[str, str]:
    """The ids of the stack file, by key, that no state has. Raises CommandError where the states cannot be read."""
    from gatehouse.engine.secrets import known_ids

    values = read_stack_file(stack_file(project, args.stack)).values
    sections = [values.get(f"gatehouse:{section}") for section in _SECTIONS]
    ids = {str(k): str(v) for section in sections if isinstance(section, dict) for k, v in section.items()}
    known = known_ids(project, simulated=args.simulated)
    return {key: id_ for key, id_ in ids.items() if (key.partition("/")[0], id_) not in known}


def _report(adoption: Adoption, name: str, args: argparse.Namespace) -> str:
    from gatehouse.adopt.stack_text import edited_lines

    lines: list[str] = []
    found, matched = adoption.recognised, adoption.matched

    def section(title: str, entries: list[str]) -> None:
        if entries:
            lines.append(f"{title}:")
            for entry in entries:
                lines.extend(wrap(entry, width(), "  ", "    "))
            lines.append("")

    section("Services recognised", [f"{key}: {_of(entry)}" for key, entry in sorted(found.services.items())])
    section("Not written, to be looked at", found.notes)
    if matched:
        ours = [f"{m.planned.key}: {m.thing}" for m in matched.matches if not m.differences]
        section("As the stack file says already, to be imported", ours)
        others = [f"{m.planned.key}: {m.thing}" for m in matched.matches if m.differences]
        section("Recognised, to be imported as it was found", others)
        changed = [f"{m.planned.key}: {'; '.join(m.differences)}" for m in matched.matches if m.differences]
        section("Left as it is by the import; what Gatehouse would change once gatehouse:adopt is out", changed)
        section("In the way", [f"{p.key}: {t} ({t.id}): {why}" for p, t, why in matched.in_the_way])
        section("Left alone", [f"{t}{f': {why}' if why else ''}" for t, why in matched.left_alone])
    diff = edited_lines(adoption.before, adoption.text, name)
    if adoption.policy:
        lines += [*edited_lines("", adoption.policy[1], adoption.policy[0]), ""]
    lines += diff or [f"{name} says all of this already."]
    lines.append("")
    if adoption.findings:
        lines += [render(adoption.findings), ""]
        lines.append("These are for you to decide. Then run this again for the import ids.")
    if diff and not args.apply:
        lines.append("Nothing was written: look at the diff, and add --apply.")
    elif diff:
        command = f"gatehouse preview {about(args.stack, args.simulated)}"
        lines.append(f"Wrote {name}. Next: {command}, which imports and changes nothing.")
    return "\n".join(lines)


def _of(entry: Mapping[str, Any]) -> str:
    origin = entry["origin"]
    where = origin.get("url") or (
        f"{origin['namespace']}/{origin['service']}:{origin['port']}"
        if "service" in origin
        else f"port {origin['port']} of the node"
    )
    names = " ".join(entry.get("hosts") or [entry.get("host") or entry.get("tailnet_name") or ""])
    return f"{names}{entry.get('path', '')} {where}, for {entry.get('clients', 'people')}".strip()


def _take_tunnel_secret(project: Path, args: argparse.Namespace, stack: LoadedStack, adoption: Adoption) -> None:
    """Set the adopted tunnel's own secret, so that the connectors that run keep a valid token."""
    own = (
        next((m.thing for m in adoption.matched.matches if m.planned.type == "ZeroTrustTunnelCloudflared"), None)
        if adoption.matched
        else None
    )
    key = "gatehouse:tunnel_secret"
    if own is None or key in stack.source.secure:
        return
    assert stack.estate is not None
    from gatehouse.adopt.accounts import Settings, cloudflare_client
    from gatehouse.adopt.cloudflare_account import read_tunnel_secret
    from gatehouse.engine.secrets import open_workspace, set_value

    try:
        workspace = open_workspace(project, args.stack, simulated=False, say=print)
        with cloudflare_client(Settings(stack.source.values)) as client:
            set_value(workspace, args.stack, key, read_tunnel_secret(client, stack.estate.account_id, own.own_id))
        print(f"Set {key} to the tunnel's own secret: the connectors that run keep a valid token.")
    except CommandError as error:
        print(
            f"warning: {key} was not set to the tunnel's own secret ({error}). With another one the first `up` after"
            " --done changes the tunnel's: connectors that are not Gatehouse's then cannot reconnect.",
            file=sys.stderr,
        )
