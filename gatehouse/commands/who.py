"""`gatehouse who`: who reaches a URL, a service or a workload and why, or what somebody reaches, offline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.loader import load_project
from config.text import wrap
from exposure.reach.access import ANYONE, Principal
from exposure.reach.evaluate import Answer, Outcome, Request
from exposure.reach.places import Crowd, Place, Reached, answers, principals, reached, table, together
from exposure.reach.project import Project
from exposure.reach.shadows import Shadow, shadows
from exposure.reach.surface import Surface, merge
from exposure.reach.tailnet import PolicyError
from gatehouse.commands import CommandError, UsageError, width
from gatehouse.questions import Asked, Subject
from gatehouse.stacks import known_stack, load, meant
from gatehouse.surfaces import not_proved, planned_project, read_previews

_Rows = Sequence[tuple[Place, Reached]]

_EPILOG = """\
examples:
  gatehouse who                                  who reaches what, all of it
  gatehouse who https://grafana.example.com/api  everybody's answer, by steps
  gatehouse who grafana                          a service: every way in
  gatehouse who alice@example.com                everything that she reaches;
                      a set of people, anyone and lan are asked alike
  gatehouse who tag:ci                           what machines with a tag reach
  gatehouse who grafana/grafana-svc              what answers: every way there,
                      by a Service's namespace and name
  gatehouse who grafana.example.com --as alice@example.com
  gatehouse who alfred:22 --as tag:k8s-funnel
  gatehouse who --from preview.json
                      what `preview --json` printed

exit code: 0 answered (with --as: it is reached), 1 with --as: it is not
reached, or the stack file has findings, 2 wrong usage, 3 not proved: more
may be reachable than is listed, and a message says why
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "target",
        nargs="?",
        metavar="WHAT",
        help="a URL or HOST[:PORT], a service, somebody, a set of people, a tag, or namespace/service; everything"
        " otherwise",
    )
    parser.add_argument(
        "--as",
        dest="principal",
        metavar="WHO",
        help="an e-mail address, a set of people, `anyone`, `lan` (anybody on the home network), `member` or a tag",
    )
    parser.add_argument("--stack", metavar="S", help="only what this stack registers; the whole estate otherwise")
    parser.add_argument(
        "--from",
        dest="sources",
        metavar="FILE",
        action="append",
        help="a preview's JSON in place of the stack files; for a member, give its owner's as well",
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the answer. Returns 0, 1 where `--as` does not reach it or a stack file has findings, 3 for no proof."""
    try:
        found = _surfaces(args, project)
        if found is None:
            return 1
        surfaces, planned = found
        if args.target is None:
            if args.principal is not None:
                raise UsageError("--as asks what somebody gets, about a URL or a service: name one too.")
            _table(surfaces, args.json)
            return not_proved(*surfaces)
        return _about(Asked.of(surfaces, planned), args)
    except PolicyError as error:
        raise CommandError(str(error)) from error


# What is asked


def _surfaces(args: argparse.Namespace, project: Path) -> tuple[list[Surface], Project | None] | None:
    """The surfaces to ask, and the stack files behind them; None where one has findings, which are printed."""
    if args.sources:
        surfaces, notes = read_previews(args.sources, load_project(project))
        for note in notes:
            print(f"gatehouse: {note}", file=sys.stderr)
        if args.stack is None:
            return [merge(surfaces.values())], None
        return [surfaces[known_stack(args.stack, surfaces)]], None
    planned = planned_project(load(project), args.stack)
    if planned is None:
        return None
    return planned.whole() if args.stack is None else [planned.surfaces[args.stack]], planned


# Answers


def _about(asked: Asked, args: argparse.Namespace) -> int:
    subject = asked.subject(args.target)
    if subject.kind == "people":
        if args.principal is not None:
            raise UsageError(f"--as asks what somebody gets, about a URL or a service, and {args.target} is somebody.")
        _everything(asked, subject, args.json)
        wanted = [(surface, [place.request for s, place in asked.places if s is surface]) for surface in asked.surfaces]
        return not_proved(*asked.surfaces) or _untold(subject.principals, wanted)
    if subject.kind == "url":
        return _answer(asked, [asked.requests(args.target)], args)
    mine = _chosen(asked, subject)
    if args.principal is not None:
        found = [(s, [place.request for place, who in table(s) if mine(place, who)]) for s in asked.surfaces]
        # What is reached is proved by that; what is not, only where every place is known.
        return _answer(asked, found, args) and (not_proved(*asked.surfaces) or 1)
    _ways(asked, subject, [row for row in asked.rows if mine(*row)], args.json)
    return not_proved(*asked.surfaces)


def _chosen(asked: Asked, subject: Subject) -> Callable[[Place, Reached], bool]:
    """Which places a service, or what answers, has."""
    if subject.kind == "service":
        return lambda place, _: asked.service_of(place) == subject.name
    names = [w for w in asked.workloads() if subject.name in (str(w), w.place.partition(" ")[2])]
    return asked.same(names, named=True)


@dataclass(frozen=True)
class _Result:
    """What was asked for, the redirects that a client follows from there, and everybody's answer at the last one."""

    request: Request
    hops: Sequence[tuple[Request, str]]
    pairs: Sequence[tuple[Crowd, Answer]]

    @property
    def last(self) -> Request:
        """What is asked for in the end."""
        return self.hops[-1][0] if self.hops else self.request


def _answer(asked: Asked, found: Sequence[tuple[Surface, Sequence[Request]]], args: argparse.Namespace) -> int:
    results: list[_Result] = []
    crowds: list[Crowd] = []
    for surface, wanted in found:
        everybody = principals(surface)
        if args.principal is not None:
            tags = sorted(p.name for c in everybody for p in c.everybody if p.kind == "tag")
            everybody = crowds = [Crowd(p, (p,)) for p in asked.principals(args.principal, tags)]
        for request in wanted:
            hops = asked.followed(surface, request)
            last = hops[-1][0] if hops else request
            results.append(_Result(request, hops, answers(surface, last, everybody)))
    if args.json:
        print(json.dumps({"answers": list(map(_to_dict, results))}, indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(_text(result, args.principal is None) for result in results))
        unknown = [r.last.host for r in results if all(a.outcome is Outcome.NO_NAME for _, a in r.pairs)]
        if unknown and (close := meant(unknown[0], sorted(asked.hosts))):
            print(f"\nNothing here has that name{close}")
        if args.principal is None:
            _beside(asked, results)
    pairs = [pair for result in results for pair in result.pairs]
    left = [crowd for crowd in crowds if not any(c == crowd and answer.reaches for c, answer in pairs)]
    return (_untold([crowd.representative for crowd in left], found) or 1) if left else 0


def _untold(people: Sequence[Principal], wanted: Sequence[tuple[Surface, Sequence[Request]]]) -> int:
    """Say of which GitHub organizations people may be, and get in. Returns the exit code for that: 3, or 0 for none."""
    if not any(p.kind == "person" for p in people):
        return 0
    names: set[str] = set()
    for surface, requests in wanted:
        organizations = [c for c in principals(surface) if c.representative.kind == "github"]
        for request in requests if organizations else ():
            names |= {c.representative.name for c, a in answers(surface, request, organizations) if a.reaches}
    for name in sorted(names):
        print(
            f"gatehouse: not proved: who is in GitHub {name} is known to GitHub alone; whoever is reaches what "
            f"`gatehouse who github:{name}` lists too",
            file=sys.stderr,
        )
    return 3 if names else 0


def _beside(asked: Asked, results: Sequence[_Result]) -> None:
    """Print the other ways in which the same workload is reached."""
    ends = {a.workload for result in results for _, a in result.pairs if a.workload}
    if ends:
        same, here = asked.same(ends), {result.last.host for result in results}
        rows = [(place, who) for place, who in asked.rows if same(place, who)]
        _also(
            [(place, who) for place, who in rows if not {place.request.host, place.request.host.split(".")[0]} & here]
        )


def _also(rows: _Rows) -> None:
    if rows:
        print("\nThe same workload is reached in other ways too:\n" + render_table(rows, width(), ends=True))


# A service, what answers, somebody


def _ways(asked: Asked, subject: Subject, mine: _Rows, as_json: bool) -> None:
    """Every place of a service, or every way to what answers, and who gets there by any of them."""
    everybody = together(found for _, found in mine)
    same = asked.same(end for _, found in mine for end in found.workloads)
    own = {place for place, _ in mine}
    others = [row for row in asked.rows if row[0] not in own and same(*row)]
    if as_json:
        document = {
            subject.kind: subject.name,
            "places": [_row(*row) for row in mine],
            "together": _whom(everybody),
            "others": [_row(*row) for row in others],
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    print(f"{subject.kind} {subject.name}\n" + render_table(mine, width(), ends=True))
    if len(mine) > 1:
        print("\n".join(wrap(f"together: {everybody.text()}", width(), "", "    ")))
    _also(others)


def _everything(asked: Asked, subject: Subject, as_json: bool) -> None:
    """All that somebody, or anybody in a set, reaches."""
    crowds = [Crowd(p, (p,)) for p in subject.principals]
    rows = [(place, reached(surface, place.request, crowds)) for surface, place in asked.places]
    rows = [(place, found) for place, found in rows if found.how]
    if unknown := asked.unknown(subject):
        print(f"gatehouse: {unknown}", file=sys.stderr)
    if as_json:
        document = {
            "principals": [p.word for p in subject.principals],
            "places": [_row(*row) for row in rows],
            "until": asked.until(subject),
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return

    def how(found: Reached) -> str:
        ways = set(map(found.way, found.how))
        return ways.pop() if len(ways) == 1 and len(found.how) == len(crowds) else found.text()

    what = f"\n{render_table(rows, width(), how, ends=True)}" if rows else " nothing"
    print(f"{subject.name} reaches{what}")
    for told in asked.until(subject):
        print("\n".join(wrap(f"set of people {told} (UTC)", width(), "", "    ")))


def _groups(pairs: Sequence[tuple[Crowd, Answer]]) -> list[tuple[list[Principal], Answer]]:
    """Those who get the same answer together; those who reach it come first."""
    groups: dict[Answer, list[Principal]] = {}
    for crowd, answer in pairs:
        groups.setdefault(answer, []).extend(crowd.everybody)
    order = sorted(groups.items(), key=lambda item: (not item[0].reaches, ANYONE not in item[1]))
    return [(everybody, answer) for answer, everybody in order]


def _label(everybody: Sequence[Principal], only: bool) -> str:
    if ANYONE in everybody:
        return "anyone" if only else "anyone else"
    names = [str(p) for p in everybody]
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:4])} and {len(names) - 4} more"


def _text(result: _Result, everybody: bool) -> str:
    lines = [result.request.url]
    for request, why in result.hops:
        lines += wrap(f"redirected to {request.url} ({why})", width(), "", "    ")
    groups = _groups(result.pairs)
    for members, answer in groups:
        label = (
            _label(members, len(groups) == 1 or (members[0] == ANYONE and answer.reaches))
            if everybody
            else ", ".join(map(str, members))
        )
        verb = "reached" if answer.reaches else "not reached"
        lines += wrap(f"{label}: {verb}, {answer.how}", width(), "", "    ")
        for step in answer.steps:
            lines += wrap(f"{step.stage:<12}{step.matched}: {step.why}", width(), "  ", " " * 14)
    return "\n".join(lines)


def _to_dict(result: _Result) -> dict[str, Any]:
    request = result.last
    return {
        "asked": result.request.url,
        "redirects": [{"to": to.url, "why": why} for to, why in result.hops],
        "url": request.url,
        "host": request.host,
        "port": request.port,
        "path": request.path,
        "scheme": request.scheme,
        "who": [
            {
                "principals": [p.word for p in members],
                "reached": answer.reaches,
                "outcome": answer.outcome.value,
                "origin": answer.origin,
                "workload": str(answer.workload) if answer.workload else None,
                "steps": [{"stage": s.stage, "matched": s.matched, "why": s.why} for s in answer.steps],
            }
            for members, answer in _groups(result.pairs)
        ],
    }


# The table


def _table(found: Sequence[Surface], as_json: bool) -> None:
    rows = [row for surface in found for row in table(surface)]
    shadowed = [shadow for surface in found for shadow in shadows(surface)]
    if as_json:
        document = {
            "places": [_row(place, reached) for place, reached in rows],
            "shadows": [
                {
                    "kind": s.kind,
                    "subject": s.subject,
                    "example": s.example,
                    "reason": s.reason,
                    "services": list(s.services),
                    "opens": s.opens,
                }
                for s in shadowed
            ],
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    print(render_table(rows, width()))
    for shadow in shadowed:
        print("\n" + render_shadow(shadow, width()))


def _row(place: Place, found: Reached) -> dict[str, Any]:
    return {
        "place": place.text,
        "url": place.request.url,
        "service": place.service,
        "workloads": [str(end) for end in found.workloads],
        **_whom(found),
    }


def _whom(found: Reached) -> dict[str, Any]:
    return {"who": found.text(), "reached": {p.word: how.value for p, how in found.everybody.items()}}


def render_table(rows: _Rows, columns: int, say: Callable[[Reached], str] = Reached.text, *, ends: bool = False) -> str:
    """Place and who reaches it, side by side where that fits; with `ends` what answers too."""

    def text(found: Reached) -> str:
        return f"{say(found)} [{', '.join(map(str, found.workloads))}]" if ends and found.how else say(found)

    shown = [(place.text, text(found)) for place, found in _without_twins(rows)]
    if not shown:
        return "Nothing is exposed."
    first = max(len(place) for place, _ in shown) + 2
    if first + max(len(who) for _, who in shown) <= columns:
        return "\n".join(f"{place:<{first}}{who}" for place, who in shown)
    lines = []
    for place, who in shown:
        lines += [place, *wrap(who, columns, "    ", "    ")]
    return "\n".join(lines)


def _without_twins(rows: _Rows) -> list[tuple[Place, Reached]]:
    """Without `/a` where `/a/` stands and nobody reaches `/a`: an application names the folder, a rule its content."""
    asked = {place.request for place, _ in rows}

    def twin(place: Place) -> bool:
        request = place.request
        return Request(request.host, request.port, f"{request.path}/", request.scheme) in asked

    return [(place, reached) for place, reached in rows if reached.how or not twin(place)]


def render_shadow(shadow: Shadow, columns: int) -> str:
    """A shadow as a warning."""
    mark = "opens" if shadow.opens else "warning"
    lines = wrap(f"{mark} [{shadow.kind}] {shadow.subject}", columns, "", "    ")
    lines += wrap(f"why:   {shadow.reason}", columns, "    ", " " * 11)
    lines += wrap(f"see:   {shadow.example}", columns, "    ", " " * 11)
    return "\n".join(lines)
