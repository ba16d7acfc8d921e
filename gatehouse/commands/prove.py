"""`gatehouse prove`: who reaches each service at most, and whether the stack files' claims hold, offline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from config.loader import LoadedStack, load_project
from config.text import few, wrap
from exposure.model import ExposurePlan
from exposure.reach.claims import Proof, Verdict, prove
from exposure.reach.surface import Surface
from exposure.reach.tailnet import PolicyError
from gatehouse.commands import CommandError, add_stack, width
from gatehouse.stacks import known_stack, load
from gatehouse.surfaces import planned_alone, planned_project, read_previews

_EPILOG = """\
Requests that every rule treats alike are one class. Each class is evaluated
once, for everybody. What this does not prove: docs/proved.md

exit code: 0 all proved, 1 a claim is broken, or a stack file has findings,
2 wrong usage, 3 not proved
"""
_MARKS = {"holds": "holds", "broken": "BROKEN", "not proved": "not proved"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.epilog = _EPILOG
    add_stack(parser, others="all of them")
    parser.add_argument(
        "--from",
        dest="sources",
        metavar="FILE",
        action="append",
        help="read a preview's JSON, of any program, instead of the stack files; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print what is proved. Returns 0, 1 where a claim is broken or a stack file has findings, or 3 where something is
    not proved."""
    try:
        proofs = _from_previews(args, project) if args.sources else _from_stack_files(args, project)
    except PolicyError as error:
        raise CommandError(str(error)) from error
    if proofs is None:
        return 1
    shown = [_of_stack(proof, args.stack) for proof, _ in proofs]
    people = {name: emails for _, sets in proofs for name, emails in sets.items()}
    print(json.dumps(_document(shown), indent=2, ensure_ascii=False) if args.json else _text(shown, people, width()))
    states = {verdict.state for proof in shown for verdict in proof.verdicts}
    if "broken" in states:
        return 1
    return 3 if "not proved" in states or any(served.doubts for proof in shown for served in proof.services) else 0


_Proved = list[tuple[Proof, Mapping[str, Sequence[str]]]]


def _from_stack_files(args: argparse.Namespace, project: Path) -> _Proved | None:
    stacks = load(project)
    if args.stack is not None:
        known_stack(args.stack, stacks)
    # Another stack of the estate may lead to what this one's claims are about.
    planned = planned_project(stacks, None)
    if planned is None:
        return None
    return [_proved(surfaces, planned.plans, stacks) for surfaces in planned.estates()]


def _from_previews(args: argparse.Namespace, project: Path) -> _Proved:
    stacks = load_project(project)
    surfaces, notes = read_previews(args.sources, stacks)
    for note in notes:
        print(f"gatehouse: {note}", file=sys.stderr)
    if args.stack is not None:
        known_stack(args.stack, surfaces)
    plans = {name: alone.plans[name] for name in surfaces if (alone := planned_alone(stacks, name))}
    return [_proved(surfaces, plans, stacks, planned=False)]


def _proved(
    surfaces: Mapping[str, Surface],
    plans: Mapping[str, ExposurePlan],
    stacks: Mapping[str, LoadedStack],
    *,
    planned: bool = True,
) -> tuple[Proof, Mapping[str, Sequence[str]]]:
    # Another program's stack file is no stack file of Gatehouse's, and may have claims and people all the same.
    mine = {name: stacks[name] for name in surfaces if name in stacks}
    claims = {name: loaded.typed.claims for name, loaded in mine.items() if loaded.typed}
    estates = [loaded.estate for loaded in mine.values() if loaded.estate]
    claimed, people = (estates[0].everybody, estates[0].members) if estates else ({}, {})
    return prove(surfaces, plans, claims, claimed, planned=planned), people


def _of_stack(proof: Proof, stack: str | None) -> Proof:
    if stack is None:
        return proof
    services = tuple(s for s in proof.services if s.service[0] == stack)
    return Proof(services, tuple(v for v in proof.verdicts if v.stack == stack))


# Output


def _text(proofs: Sequence[Proof], people: Mapping[str, Sequence[str]], columns: int) -> str:
    rows = [("service", "who at most", "classes", "")]
    several = len({served.service[0] for proof in proofs for served in proof.services}) > 1
    for proof in proofs:
        for served in proof.services:
            stack, service = served.service
            name = f"{stack}/{service}" if several else service
            state = "not proved" if served.doubts else "proved"
            for who, urls in served.audiences:
                rows.append((name, who.text(lambda names: by_sets(names, people)), str(len(urls)), state))
                name = state = ""
    first = min(max(len(row[0]) for row in rows), 30) + 2
    second = min(max(len(row[1]) for row in rows), columns - first - 21)
    lines = []
    for name, text, classes, state in rows:
        if len(name) > first - 2:
            lines.append(name)
            name = ""
        start, *more = wrap(text, second, "", "")
        lines.append(f"{name:<{first}}{start:<{second}}  {classes:>7}  {state}".rstrip())
        lines += [f"{'':<{first}}{part}" for part in more]
    for verdict in (v for proof in proofs for v in proof.verdicts):
        lines += ["", *_claim(verdict, several, columns)]
    for why in dict.fromkeys(why for proof in proofs for served in proof.services for why in served.doubts):
        lines += ["", *wrap(f"not proved: {why}", columns, "", "    ")]
    return "\n".join(lines)


def _claim(verdict: Verdict, several: bool, columns: int) -> list[str]:
    stack = f" [{verdict.stack}]" if several else ""
    number = f"{verdict.classes} class{'' if verdict.classes == 1 else 'es'} of requests"
    lines = wrap(f"{_MARKS[verdict.state]}  {verdict.claim}{stack}, {number}", columns, "", "    ")
    found = verdict.counterexample
    if found:
        lines += wrap(str(found), columns, "    ", "    ")
        lines += [f"    see: gatehouse who {found.url}"]
    elif verdict.doubts:
        lines += [line for why in verdict.doubts for line in wrap(why, columns, "    ", "    ")]
    return lines


def by_sets(names: Sequence[str], people: Mapping[str, Sequence[str]]) -> str:
    """People by the sets that they make up, the largest first, and who is left by name."""
    left = list(names)
    words = []
    for name, emails in sorted(people.items(), key=lambda item: (-len(item[1]), item[0])):
        if emails and set(emails) <= set(names) and set(emails) & set(left):
            words.append(name)
            left = [one for one in left if one not in emails]
    return few([*words, *left])


def _document(proofs: Sequence[Proof]) -> dict[str, Any]:
    return {
        "services": [
            {
                "stack": served.service[0],
                "service": served.service[1],
                "classes": served.classes,
                "proved": not served.doubts,
                "doubts": list(served.doubts),
                "audiences": [
                    {
                        "who": who.text(),
                        "reached": {p.word: how.value for p, how in who.everybody.items()},
                        "urls": urls,
                    }
                    for who, urls in served.audiences
                ],
            }
            for proof in proofs
            for served in proof.services
        ],
        "claims": [_claim_document(verdict) for proof in proofs for verdict in proof.verdicts],
    }


def _claim_document(verdict: Verdict) -> dict[str, Any]:
    found = verdict.counterexample
    return {
        "stack": verdict.stack,
        "claim": str(verdict.claim),
        "state": verdict.state,
        "classes": verdict.classes,
        "doubts": list(verdict.doubts),
        "counterexample": None
        if found is None
        else {
            "who": found.who.word,
            "url": found.url,
            "how": found.how.value,
            "by": None if found.by is None else {"stack": found.by[0], "service": found.by[1]},
            "workload": None if found.tie is None else found.tie.workload,
        },
    }
