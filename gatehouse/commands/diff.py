"""`gatehouse diff`: who could reach what, and who can now. Made for a pull request."""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.loader import LoadedStack, parse_stack_text, tie, type_stack
from exposure.own_policy import parse, tags
from exposure.reach.compare import Change, compare
from exposure.reach.project import Project, plan_project
from exposure.reach.surface import Surface, merge
from exposure.reach.tailnet import PolicyError, is_destination
from gatehouse.changes import counts, leads, place, wrap
from gatehouse.changes import lines as change_lines
from gatehouse.commands import CommandError, UsageError
from gatehouse.stacks import known_stack, load
from gatehouse.surfaces import not_proved, planned_alone, planned_project, read_previews

RULE = "exposure-wider"
"""What a service acknowledges to let a wider exposure pass."""

_EPILOG = f"""\
Wider changes end with 1 unless the service acknowledges them in the stack file,
with a reason of this change:

  acknowledge:
    {RULE}: Bob moves in and needs Grafana

An acknowledgement that stood there in the base already was for another change.

exit code: 0 nothing wider, or acknowledged, 1 wider, 2 wrong usage,
3 not proved: there may be more than is listed, and why is said
"""


@dataclass(frozen=True)
class Row:
    """A change with the stack and service it belongs to, and whether it is acknowledged. `stale` is an old reason."""

    change: Change
    stack: str | None
    service: str | None
    acknowledged: str | None
    stale: bool = False
    own: bool = False
    """Whether it is of the owner's own part of the tailnet's policy, which is no service's to acknowledge."""

    @property
    def refused(self) -> bool:
        """Whether it is wider and nobody said why."""
        return self.change.wider and self.acknowledged is None and not self.own


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    base = parser.add_mutually_exclusive_group()
    base.add_argument("--base", metavar="GITREV", help="compare with the stack files of this revision (default: HEAD)")
    base.add_argument(
        "--from", dest="sources", metavar="FILE", action="append", help="compare with a preview's JSON; may be repeated"
    )
    parser.add_argument("--stack", metavar="S", help="only what belongs to this stack")
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="default: %(default)s")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print what changes. Returns 0, 1 where it is wider and not acknowledged or has findings, 3 for no proof."""
    stacks = load(project)
    if args.stack is not None:
        known_stack(args.stack, stacks)
    now = planned_project(stacks, None)
    if now is None:
        return 1
    notes: list[str] = []
    try:
        if args.sources:
            sides = _against_previews(args.sources, stacks, now, notes)
            label = ", ".join(args.sources)
        else:
            label = "HEAD" if args.base is None else args.base
            sides = _against_revision(project, label, stacks, now, notes)
        changes = [change for before, after in sides.pairs for change in compare(before, after)]
        unproved = max((not_proved(*filter(None, pair)) for pair in sides.pairs), default=0)
    except PolicyError as error:
        raise CommandError(str(error)) from error
    own = {tag for s in now.stacks.values() if s.own_policy for tag in tags(parse(s.own_policy))}
    rows = [_row(change, now, sides.base, sides.only, own) for change in changes]
    if args.stack is not None:
        rows = [row for row in rows if row.stack in (None, args.stack)]
    print({"text": _text, "markdown": _markdown, "json": _json}[args.format](rows, label, notes))
    return 1 if any(row.refused for row in rows) else unproved


# The two sides


@dataclass(frozen=True)
class _Sides:
    """Surfaces before (None: nothing was there) and now; the project before, and the only stack that there is."""

    pairs: Sequence[tuple[Surface | None, Surface]]
    base: Project | None = None
    only: str | None = None


def _against_previews(
    sources: Sequence[str], stacks: Mapping[str, LoadedStack], now: Project, notes: list[str]
) -> _Sides:
    base, found = read_previews(sources, stacks)
    notes += found
    for stack in base:
        known_stack(stack, now.surfaces)
    before, after = merge(base.values()), merge(now.surfaces[stack] for stack in base)
    return _Sides([(before, after)], only=next(iter(base)) if len(base) == 1 else None)


def _against_revision(
    project: Path, revision: str, stacks: Mapping[str, LoadedStack], now: Project, notes: list[str]
) -> _Sides:
    base_stacks = read_revision(project, revision)
    for name in sorted(set(stacks) - set(base_stacks)):
        notes.append(f"stack {name} is new: everything that it exposes counts as wider")
    base = _planned(base_stacks, revision, notes)
    was = {plan.node: plan.home.lan_ipv4 for plan in base.plans.values()} if base else {}
    for plan in now.plans.values():
        if was.get(plan.node, plan.home.lan_ipv4) != plan.home.lan_ipv4:
            moved = f"node {plan.node} was at {was[plan.node]} and is at {plan.home.lan_ipv4}"
            notes.append(f"{moved}: what was at its old address is told as at its new one, and the other way round")
    pairs = [(_same_estate(base, surface) if base else None, surface) for surface in now.whole()]
    there = {zone.name for surface in now.whole() for zone in surface.zones}
    for name in sorted({zone.name for surface in (base.whole() if base else []) for zone in surface.zones} - there):
        notes.append(f"zone {name} is gone, and everything that was exposed in it")
    return _Sides(pairs, base)


def _planned(stacks: Mapping[str, LoadedStack], revision: str, notes: list[str]) -> Project | None:
    """The base, planned stack by stack: what could not be planned could not be applied, and so exposed nothing."""
    possible = [name for name in stacks if planned_alone(stacks, name)]
    for name in (n for n in stacks if n not in possible):
        notes.append(f"stack {name} could not be planned at {revision}: everything that it exposes counts as wider")
    return plan_project(stacks, possible) if possible else None


def _same_estate(base: Project, surface: Surface) -> Surface | None:
    found = base.whole()
    zones = {zone.name for zone in surface.zones}
    same = (s for s in found if zones & {zone.name for zone in s.zones})
    return next(same, found[0] if len(found) == 1 else None)


def read_revision(project: Path, revision: str) -> dict[str, LoadedStack]:
    """The stack files as they are at a git revision, typed and tied. Raises UsageError for an unknown revision."""
    _git(project, "rev-parse", "--git-dir", why=f"{project} is in no git repository; compare with a file by --from")
    _git(
        project,
        *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"),
        why=f"git knows no revision {revision!r}; give one by --base, or compare with a file by --from",
    )
    listed = _git(project, "ls-tree", "-z", "--name-only", "--end-of-options", revision, why="git cannot list it")
    loaded = []

    def shown(file: str) -> str:
        try:
            return _git(project, "show", "--end-of-options", f"{revision}:./{file}", why=f"git cannot show {file}")
        except UsageError as error:
            raise LookupError(str(error), "add the file") from error

    for file in sorted(filter(None, listed.split("\0"))):
        stack = file.removeprefix("Pulumi.").removesuffix(".yml").removesuffix(".yaml")
        if file.startswith("Pulumi.") and file.endswith((".yaml", ".yml")) and file != "Pulumi.yaml" and stack:
            loaded.append(type_stack(parse_stack_text(shown(file), stack, shown)))
    return tie(loaded)


def _git(project: Path, *arguments: str, why: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments],
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise CommandError(f"git cannot be run ({error.strerror or error}); compare with a file by --from.") from error
    if done.returncode:
        detail = done.stderr.strip().removeprefix("fatal: ").splitlines()
        raise UsageError(f"{why}{f' ({detail[0]})' if detail else ''}.")
    return done.stdout


# Acknowledgements


def _row(change: Change, now: Project, base: Project | None, only: str | None, tags: set[str]) -> Row:
    owner = now.owner_of(change.place) or (base.owner_of(change.place) if base else None)
    stack, service = owner or (only, None)
    reason = _reason(now, *owner) if owner else None
    fresh = reason is not None and reason != (_reason(base, stack, service) if base else None)
    wider = change.wider
    host = change.place.request.host
    own = owner is None and (is_destination(host) or host in tags)
    accepted = reason if fresh and wider else None
    return Row(change, stack, service, accepted, wider and reason is not None and not fresh, own)


def _reason(project: Project, stack: str | None, service: str | None) -> str | None:
    """The reason given by a service, or by the stack for what is no service's."""
    config = project.stacks[stack].config if stack is not None and stack in project.stacks else None
    found = config.services.get(service) if config and service else config
    return found.acknowledge.get(RULE) if found else None


# Output


def _counts(rows: Sequence[Row]) -> str:
    accepted = sum(row.change.wider and row.acknowledged is not None for row in rows)
    return counts((row.change for row in rows), accepted)


def _text(rows: Sequence[Row], label: str, notes: Sequence[str]) -> str:
    lines = [f"Against {label}: {_counts(rows)}."]
    lines += [line for note in notes for line in wrap(f"note: {note}", "", "  ")]
    for row in rows:
        lines += ["", *change_lines(row.change, row.service)]
        if row.acknowledged is not None:
            lines += wrap(f"acknowledged: {row.acknowledged}", "  ", "    ")
        elif row.stale:
            lines += wrap("the acknowledgement was there before: say the reason of this change", "  ", "    ")
    if any(row.refused for row in rows):
        lines += ["", *wrap(_fix(rows), "", "")]
    return "\n".join(lines)


def _fix(rows: Sequence[Row]) -> str:
    node = "no service, so under `gatehouse:acknowledge`"
    refused = [row for row in rows if row.refused]
    services = sorted({f"{row.stack}: {row.service or node}" if row.stack else "no service's" for row in refused})
    return (
        f"Something becomes wider that nobody acknowledged ({', '.join(services)}). If it is meant, say why in"
        f" the stack file: `acknowledge: {{{RULE}: <your reason>}}`."
    )


def _markdown(rows: Sequence[Row], label: str, notes: Sequence[str]) -> str:
    lines = [f"### Exposure against `{_cell(label)}`: {_counts(rows)}", ""]
    lines += [f"> {_cell(note)}" for note in notes]
    lines += [""] if notes else []
    if rows:
        lines += ["| | Place | Service | Could | Can now |", "|---|---|---|---|---|"]
    for row in rows:
        mark = "narrower"
        if row.change.wider:
            mark = "wider, acknowledged" if row.acknowledged is not None else "**WIDER**"
        before, now = _cell(row.change.before.text()), _cell(row.change.now.text())
        now += f"; {_cell(leads(row.change))}" if leads(row.change) else ""
        reason = f" ({_cell(row.acknowledged)})" if row.acknowledged is not None else ""
        lines.append(
            f"| {mark} | `{_cell(place(row.change))}` | {_cell(row.service or '')} | {before} | {now}{reason} |"
        )
    if any(row.refused for row in rows):
        lines += ["", _fix(rows)]
    return "\n".join(lines).rstrip()


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _json(rows: Sequence[Row], label: str, notes: Sequence[str]) -> str:
    document: dict[str, Any] = {
        "base": label,
        "notes": list(notes),
        "wider": sum(row.change.wider for row in rows),
        "refused": sum(row.refused for row in rows),
        "changes": [
            {
                "kind": row.change.kind,
                "place": row.change.place.text,
                "url": row.change.place.request.url,
                "alike": [place.request.url for place in row.change.more],
                "stack": row.stack,
                "service": row.service,
                "before": row.change.before.text(),
                "now": row.change.now.text(),
                "leads_to": [str(end) for end in row.change.now.workloads],
                "led_to": [str(end) for end in row.change.before.workloads],
                "also": leads(row.change),
                "gains": [str(p) for p in row.change.gains],
                "losses": [str(p) for p in row.change.losses],
                "acknowledged": row.acknowledged,
            }
            for row in rows
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)
