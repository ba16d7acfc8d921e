"""`gatehouse who`: who reaches a URL and why, answered offline from what is planned or was registered."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.loader import load_project
from config.text import wrap
from exposure.reach.access import ANYONE, Principal
from exposure.reach.evaluate import HTTPS_PORTS, PORTS, Answer, Request, Scheme, parse_principal, who
from exposure.reach.places import Crowd, Place, Reached, answers, places, principals, table
from exposure.reach.shadows import Shadow, shadows
from exposure.reach.surface import Surface, merge
from exposure.reach.tailnet import PolicyError
from gatehouse.commands import CommandError, UsageError, width
from gatehouse.stacks import known_stack, load, meant
from gatehouse.surfaces import planned_project, read_previews

_EPILOG = """\
examples:
  gatehouse who                                  who reaches what, all of it
  gatehouse who https://grafana.example.com/api  everybody's answer, by steps
  gatehouse who grafana.example.com --as alice@example.com
  gatehouse who alfred:22 --as tag:k8s-funnel    a tailnet device, by its tag
  gatehouse who --from preview.json
                      from `pulumi preview --json --show-sames`

exit code: 0 answered (with --as: it is reached), 1 with --as: it is not
reached, or the stack file has findings, 2 wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument(
        "target", nargs="?", metavar="URL-or-HOST[:PORT]", help="what is asked for; everything otherwise"
    )
    parser.add_argument("--as", dest="principal", metavar="WHO", help="an e-mail address, `anyone`, `member` or a tag")
    parser.add_argument("--stack", metavar="S", help="what this stack registers alone; the whole estate otherwise")
    parser.add_argument(
        "--from",
        dest="sources",
        metavar="FILE",
        action="append",
        help="a preview's JSON in place of the stack files; for a member, give its owner's as well",
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the answer. Returns 0, or 1 where `--as` does not reach it or a stack file has findings."""
    try:
        found = _surfaces(args, project)
        if found is None:
            return 1
        if args.target is None:
            if args.principal is not None:
                raise UsageError("--as asks for somebody's answer about a URL: give the URL or host too.")
            return _table(found, args.json)
        return _answer(found, args)
    except PolicyError as error:
        raise CommandError(str(error)) from error


# What is asked


def _surfaces(args: argparse.Namespace, project: Path) -> list[Surface] | None:
    """The surfaces to ask; None where a stack file has findings, which are printed."""
    if args.sources:
        surfaces, notes = read_previews(args.sources, load_project(project))
        for note in notes:
            print(f"gatehouse: {note}", file=sys.stderr)
        if args.stack is None:
            return [merge(surfaces.values())]
        return [surfaces[known_stack(args.stack, surfaces)]]
    planned = planned_project(load(project), args.stack)
    if planned is None:
        return None
    return planned.whole() if args.stack is None else [planned.surfaces[args.stack]]


def requests(text: str, surface: Surface) -> list[Request]:
    """What a URL or host asks for; a bare host for each of its ports. Raises UsageError for what is neither."""
    if text.startswith("tag:"):
        tag, _, number = text.removeprefix("tag:").partition(":")
        if not number.isdigit():
            raise UsageError(f"{text!r}: a tag is asked for with a port, such as tag:{tag}:22.")
        return [Request(f"tag:{tag}", _port(text, number), "/", "tcp")]
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port_given = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{text!r} is no URL or HOST[:PORT]: {error}.") from error
    if not host or any(c.isspace() for c in text):
        raise UsageError(f"{text!r} is no URL or HOST[:PORT].")
    if port_given == 0:
        raise UsageError(f"{text!r}: ports are 1 to 65535.")
    path = parts.path or "/"
    if parts.scheme:
        if parts.scheme not in (*PORTS, "tcp", "udp"):
            known = ", ".join(sorted({*PORTS, "tcp", "udp"}))
            raise UsageError(
                f"{text!r}: scheme {parts.scheme!r} is not known{meant(parts.scheme, PORTS)}; known: {known}."
            )
        port = port_given or PORTS.get(parts.scheme)
        if port is None:
            raise UsageError(f"{text!r}: give the port too, as {parts.scheme}://{host}:PORT.")
        scheme: Scheme = parts.scheme if parts.scheme in ("http", "https", "udp") else "tcp"  # type: ignore[assignment]
        return [Request(host, port, path, scheme)]
    own = [p.request for p in places(surface) if _same_host(p.request.host, host)]
    if port_given is not None:
        schemes = [r.scheme for r in own if r.port == port_given]
        usual: Scheme = "http" if port_given == 80 else "https" if port_given in HTTPS_PORTS else "tcp"
        return [Request(host, port_given, path, s) for s in dict.fromkeys(schemes)] or [
            Request(host, port_given, path, usual)
        ]
    kinds = dict.fromkeys((r.port, r.scheme) for r in own)
    return [Request(host, port, path, scheme) for port, scheme in kinds] or [Request(host, 443, path, "https")]


def _same_host(known: str, asked: str) -> bool:
    return known == asked or ("." not in asked and known.endswith(".ts.net") and known.split(".", 1)[0] == asked)


def _port(text: str, port: str) -> int:
    if not 1 <= int(port) <= 65535:
        raise UsageError(f"{text!r}: ports are 1 to 65535.")
    return int(port)


# Answers


def _answer(found: Sequence[Surface], args: argparse.Namespace) -> int:
    surface = _owning(found, args.target)
    asked = requests(args.target, surface)
    everybody = principals(surface)
    if args.principal is not None:
        crowd = _crowd(args.principal, everybody)
        results = [(request, [(crowd, who(surface, request, crowd.representative))]) for request in asked]
    else:
        results = [(request, answers(surface, request, everybody)) for request in asked]
    if args.json:
        print(json.dumps({"answers": [_to_dict(*result) for result in results]}, indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(_text(request, pairs, args.principal is None) for request, pairs in results))
        _suggest(surface, asked)
    if args.principal is None:
        return 0
    return 0 if any(answer.reaches for _, pairs in results for _, answer in pairs) else 1


def _owning(found: Sequence[Surface], target: str) -> Surface:
    """The estate that the target belongs to; the first where none does."""
    for surface in found:
        if any(surface.zone_of(request.host) for request in requests(target, surface)):
            return surface
    return found[0]


def _crowd(text: str, everybody: Sequence[Crowd]) -> Crowd:
    tags = [c.representative.name for c in everybody if c.representative.kind == "tag"]
    principal = parse_principal(text, tags)
    if principal is None:
        known = ["anyone", "member", *tags]
        raise UsageError(f"--as {text!r}: an e-mail address, or one of {', '.join(known)}{meant(text, known)}.")
    return Crowd(principal, (principal,))


def _suggest(surface: Surface, asked: Sequence[Request]) -> None:
    hosts = sorted({p.request.host for p in places(surface)})
    for request in asked[:1]:
        if not any(_same_host(host, request.host) for host in hosts):
            close = meant(request.host, hosts)
            if close:
                print(f"\nNothing here has that name{close}")


def _groups(pairs: Sequence[tuple[Crowd, Answer]]) -> list[tuple[list[Principal], Answer]]:
    """Those with one answer together, who reaches it first."""
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


def _text(request: Request, pairs: Sequence[tuple[Crowd, Answer]], everybody: bool) -> str:
    lines = [request.url]
    groups = _groups(pairs)
    for members, answer in groups:
        label = (
            _label(members, len(groups) == 1 or (members[0] == ANYONE and answer.reaches))
            if everybody
            else str(members[0])
        )
        verb = "reached" if answer.reaches else "not reached"
        lines += wrap(f"{label}: {verb}, {answer.outcome.value}", width(), "", "    ")
        for step in answer.steps:
            lines += wrap(f"{step.stage:<12}{step.matched}: {step.why}", width(), "  ", " " * 14)
    return "\n".join(lines)


def _to_dict(request: Request, pairs: Sequence[tuple[Crowd, Answer]]) -> dict[str, Any]:
    return {
        "url": request.url,
        "host": request.host,
        "port": request.port,
        "path": request.path,
        "scheme": request.scheme,
        "who": [
            {
                "principals": [_name(p) for p in members],
                "reached": answer.reaches,
                "outcome": answer.outcome.value,
                "origin": answer.origin,
                "steps": [{"stage": s.stage, "matched": s.matched, "why": s.why} for s in answer.steps],
            }
            for members, answer in _groups(pairs)
        ],
    }


def _name(principal: Principal) -> str:
    return principal.name or principal.kind


# The table


def _table(found: Sequence[Surface], as_json: bool) -> int:
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
        return 0
    print(render_table(rows, width()))
    for shadow in shadowed:
        print("\n" + render_shadow(shadow, width()))
    return 0


def _row(place: Place, reached: Reached) -> dict[str, Any]:
    return {
        "place": place.text,
        "url": place.request.url,
        "service": place.service,
        "who": reached.text(),
        "reached": {_name(p): how.value for p, how in reached.how.items()},
    }


def render_table(rows: Sequence[tuple[Place, Reached]], columns: int) -> str:
    """Place and who reaches it, side by side where that fits."""
    shown = [(place.text, reached.text()) for place, reached in _without_twins(rows)]
    if not shown:
        return "Nothing is exposed."
    first = max(len(place) for place, _ in shown) + 2
    if first + max(len(text) for _, text in shown) <= columns:
        return "\n".join(f"{place:<{first}}{text}" for place, text in shown)
    lines = []
    for place, text in shown:
        lines += [place, *wrap(text, columns, "    ", "    ")]
    return "\n".join(lines)


def _without_twins(rows: Sequence[tuple[Place, Reached]]) -> list[tuple[Place, Reached]]:
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
