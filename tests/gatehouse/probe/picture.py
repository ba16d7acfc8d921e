"""Runs `gatehouse verify --stack alfred` against a world on loopback and keeps what it prints.

python -m tests.gatehouse.probe.picture docs/verify.txt docs/verify.svg    # rich makes the picture, where it is there
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path

from config.loader import load_project
from exposure.names import ACME_PATH
from exposure.plan import plan_stack
from exposure.ways.funnel import FunnelWay
from gatehouse.cli import main
from tests.gatehouse.probe.world import Request, Response, World, login
from tests.kit.builders import PROJECT

HOLE = "homebox-alfred"
"""The host whose Access application believes any cookie, so that the picture shows a finding."""


class _Alfred(World):
    def edge(self, request: Request) -> Response:
        plan = _PLAN
        if request.scheme == "http":
            return Response(301, headers={"Location": f"https://{request.name}{request.target}"})
        if request.name.startswith(HOLE) and "CF_Authorization=" in request.headers.get("cookie", ""):
            return self.origin(request)
        own = [a for a in plan.applications if a.host == request.name]
        path = request.target.replace("%2e", ".")
        inside = [a.path for a in own if not a.path.root]
        inside = [p for p in inside if path.startswith(f"{p}/" if p == ACME_PATH else p)]
        if any(re.fullmatch(rf"{re.escape(p)}(/[^.]*)?", path) for p in inside):
            return Response(404, "no such thing")
        if own:
            return login(request, plan.estate.team)
        return Response(200, "hello") if any(r.host == request.name for r in plan.rules) else Response(404)


_STACKS = load_project(PROJECT)
_PLAN = plan_stack(_STACKS["alfred"], _STACKS)


def world() -> World:
    """Alfred's estate on loopback, with one hole."""
    zone = _PLAN.estate.zone.name
    machines = [f"{way.machine}.{way.tailnet}" for way in _PLAN.by(FunnelWay)]
    proxied = [r.host.removesuffix(f".{zone}") for r in _PLAN.records if r.proxied]
    game = next(r.host for r in _PLAN.records if not r.proxied)
    return _Alfred(zone=zone, hosts=proxied, machines=machines, funnel_names=machines, game=game)


def run() -> str:
    """What the command prints on a terminal in the end, with the made-up resolver's address as the usual one's."""
    out = io.StringIO()
    with world() as made, contextlib.redirect_stdout(out):
        main(["-C", str(PROJECT), "verify", "--stack", "alfred", *made.arguments()])
    # On a terminal, progress is one line, and wiped.
    lines = [line for line in out.getvalue().splitlines() if not re.match(r"\[ *\d+ of \d+\]", line)]
    return "$ gatehouse verify --stack alfred\n" + re.sub(r"127\.0\.0\.1:\d+", "1.1.1.1", "\n".join(lines)) + "\n"


if __name__ == "__main__":
    text = run()
    for name in sys.argv[1:]:
        if name.endswith(".svg"):
            from rich.console import Console
            from rich.text import Text

            console = Console(record=True, width=80, file=io.StringIO())
            styled = Text(text)
            styled.highlight_regex(r"\bFAILED\b", "bold red")
            styled.highlight_regex(r"\bok(?=\n)", "green")
            styled.highlight_regex(r"^\$ .*", "bold")
            console.print(styled)
            console.save_svg(name, title="gatehouse verify")
        else:
            Path(name).write_text(text, encoding="utf-8")
    print(text)
