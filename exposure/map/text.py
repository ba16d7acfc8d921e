"""The map as text: Mermaid for a README, Markdown for a pull request."""

from __future__ import annotations

import re
from html import escape

from config.services import Gate
from exposure.map.model import GATE_WORDS, Map

_LINKS: dict[Gate, tuple[str, str]] = {
    "public-tunnel": ("-->", "#0969da"),
    "zero-trust": ("==>", "#1a7f37"),
    "acme": ("-.->", "#59636e"),
    "funnel": ("-.->", "#9a6700"),
    "tailnet": ("-->", "#8250df"),
    "port-forward": ("-.->", "#cf222e"),
}
"""Each gate's arrow and colour."""
_PLAIN = frozenset(" .,:/()@+-_'→")
_MARKS = "\\`*_[]|~"
_CODE = re.compile(r"`([^`]+)`")


def mermaid(found: Map) -> str:
    """A Mermaid flowchart: who, by which stations, to which services. Ends with a line break."""
    lines = ["flowchart LR", f"  accTitle: Who reaches what in {_coded(found.node)}"]
    crowds = {crowd: f"who{number}" for number, crowd in enumerate(found.crowds)}
    lines += [f'  {name}(["{_coded(f"{crowd.label}, {crowd.note}")}"])' for crowd, name in crowds.items()]
    routes: dict[tuple[str, Gate, tuple[str, ...]], str] = {}
    for way in found.ways:
        routes.setdefault((crowds[way.crowd], way.gate, way.route), f"route{len(routes)}")
    for (_, gate, route), name in routes.items():
        lines.append(f'  {name}["{_coded(gate)}<br/>{_coded(" → ".join(route))}"]')
    firsts = {ways[0] for ways in found.services}
    services = {ways[0].service: f"service{number}" for number, ways in enumerate(found.services)}
    for ways in found.services:
        lines.append(f'  {services[ways[0].service]}["{_coded(ways[0].title)}<br/>{_coded(ways[0].address)}"]')
    colours: list[str] = []
    for (crowd_name, gate, _), name in routes.items():
        lines.append(f"  {crowd_name} {_LINKS[gate][0]} {name}")
        colours.append(_LINKS[gate][1])
    for way in found.ways:
        route_name = routes[crowds[way.crowd], way.gate, way.route]
        # The service's first address stands in its own box.
        label = f'|"{_coded(way.path)}"|' if way.link and way not in firsts else ""
        lines.append(f"  {route_name} {_LINKS[way.gate][0]}{label} {services[way.service]}")
        colours.append(_LINKS[way.gate][1])
    for colour in dict.fromkeys(colours):
        numbers = ",".join(str(n) for n, c in enumerate(colours) if c == colour)
        lines.append(f"  linkStyle {numbers} stroke:{colour},stroke-width:2px")
    return "\n".join(lines) + "\n"


def markdown(found: Map) -> str:
    """A table of every way, and the hand-work as a task list. Ends with a line break."""
    lines = [f"### Who reaches what: {_marked(found.node)}", ""]
    if found.ways:
        lines += ["| Service | Gate | Who | Address | By way of |", "|---|---|---|---|---|"]
    else:
        lines.append("No services yet.")
    for way in found.ways:
        address = f"<{way.link}>" if way.link and not set(way.link) & set("<>|\\` ") else _marked(way.url)
        route = " → ".join((*way.route, way.origin))
        lines.append(f"| {_marked(way.title)} | `{way.gate}` | {_marked(way.who)} | {address} | {_marked(route)} |")
    lines += ["", "Gates: " + "; ".join(f"`{gate}` {_marked(GATE_WORDS[gate])}" for gate in found.gates) + "."] * bool(
        found.ways
    )
    lines += ["", "#### Hand-work", ""]
    for work in found.hand_work:
        lines.append(f"- [ ] {_marked(work.title)}")
        lines += [f"  - {_stepped(step)}" for step in work.steps]
    if not found.hand_work:
        lines.append("Nothing left to do by hand.")
    return "\n".join(lines) + "\n"


def _coded(text: str) -> str:
    """Text inside a Mermaid label: letters, digits and plain marks as they are, the rest as character codes."""
    return "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in text)


def _marked(text: str) -> str:
    """Text that Markdown shows as it is: nothing in it is a mark, a tag or an entity."""
    shown = "".join(f"\\{c}" if c in _MARKS else c for c in re.sub(r"\s+", " ", text))
    # What begins a heading, a list or a quotation does so only as a line's first.
    shown = re.sub(r"^([-+#>=])|^(\d+)([.)])", r"\2\\\1\3", shown)
    return escape(shown, quote=False)


def _stepped(step: str) -> str:
    """A step of hand-work, whose code stays code."""
    parts = _CODE.split(step)
    return "".join(f"`{part}`" if number % 2 else _marked(part) for number, part in enumerate(parts))
