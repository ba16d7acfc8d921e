"""The map as text: Mermaid for a README, Markdown for a pull request, plain columns for a terminal."""

from __future__ import annotations

import re
from html import escape

from exposure.map.model import Map, Way
from exposure.map.page import colours
from exposure.render import NOT_YET, pasted
from exposure.ways import WAYS

_PLAIN = frozenset(" .,:/()@+-_'→")
_MARKS = "\\`*_[]|~"
_CODE = re.compile(r"`([^`]+)`")


def mermaid(found: Map) -> str:
    """A Mermaid flowchart: who, by which stations, to which services. Ends with a line break."""
    lines = ["flowchart LR", f"  accTitle: Who reaches what in {_coded(found.name)}"]
    crowds = {crowd: f"who{number}" for number, crowd in enumerate(found.crowds)}
    lines += [f'  {name}(["{_coded(f"{crowd.label}, {crowd.note}")}"])' for crowd, name in crowds.items()]
    routes: dict[tuple[str, str, str, tuple[str, ...]], str] = {}
    for way in found.ways:
        routes.setdefault((crowds[way.crowd], way.gate, _arrow(way), way.route), f"route{len(routes)}")
    for (_, gate, _, route), name in routes.items():
        lines.append(f'  {name}["{_coded(gate)}<br/>{_coded(" → ".join(route))}"]')
    firsts = {ways[0].key: ways[0] for ways in found.services}
    numbers = found.numbers
    for key, first in firsts.items():
        lines.append(f'  service{numbers[key]}["{_coded(first.title)}<br/>{_coded(first.address)}"]')
    strokes: list[str] = []
    known = colours()
    for (crowd_name, gate, arrow, _), name in routes.items():
        lines.append(f"  {crowd_name} {arrow} {name}")
        strokes.append(known.get(gate, known["soft"]))
    for way in found.ways:
        route_name = routes[crowds[way.crowd], way.gate, _arrow(way), way.route]
        first = firsts[way.key]
        # The service's first address stands in its own box.
        same_host = way.link and way.url.removesuffix(way.path) == first.url.removesuffix(first.path)
        label = f'|"{_coded(way.path if same_host else way.address)}"|' if way != first else ""
        lines.append(f"  {route_name} {_arrow(way)}{label} service{numbers[way.key]}")
        strokes.append(known.get(way.gate, known["soft"]))
    for colour in dict.fromkeys(strokes):
        edges = ",".join(str(n) for n, c in enumerate(strokes) if c == colour)
        lines.append(f"  linkStyle {edges} stroke:{colour},stroke-width:2px")
    return "\n".join(lines) + "\n"


def markdown(found: Map) -> str:
    """A table of every way, and the manual steps as a task list. Ends with a line break."""
    lines = [f"### Who reaches what: {_marked(found.name)}", ""]
    if found.ways:
        lines += ["| Service | Gate | Who | Address | By way of |", "|---|---|---|---|---|"]
    else:
        lines.append("No services yet.")
    for way in found.ways:
        address = f"<{way.link}>" if way.link and not set(way.link) & set("<>|\\` ") else _marked(way.url)
        route = " → ".join((*way.route, way.origin))
        lines.append(f"| {_marked(way.title)} | `{way.gate}` | {_marked(way.who)} | {address} | {_marked(route)} |")
    lines += ["", "Gates: " + "; ".join(f"`{gate}` {_marked(WAYS[gate].phrase)}" for gate in found.gates) + "."] * bool(
        found.ways
    )
    lines += ["", "#### Manual steps", ""]
    for work in found.manual_steps:
        lines.append(f"- [ ] {_marked(work.title)}")
        lines += [f"  - {_stepped(step)}" for step in work.steps]
        for label, value in pasted(work, {}):
            lines.append(f"  - {_marked(label)}: {_stepped(value) if value == NOT_YET else _quoted(value)}")
    if not found.manual_steps:
        lines.append("Nothing left to do by hand.")
    return "\n".join(lines) + "\n"


def plain(found: Map) -> str:
    """Columns of every place: service, gate, who, address. Ends with a line break."""
    rows = [(way.title, way.gate, way.who, way.url or "no address") for way in found.ways]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = [f"Who reaches what: {found.name}", ""]
    for row in rows:
        lines.append("  ".join((*(f"{cell:<{size}}" for cell, size in zip(row, widths, strict=False)), row[3])))
    return "\n".join(lines if rows else [*lines, "No services yet."]) + "\n"


def _arrow(way: Way) -> str:
    """Thick after a login, broken past one."""
    return "-.->" if way.past_login else "==>" if way.how else "-->"


def _coded(text: str) -> str:
    """Text inside a Mermaid label: letters, digits and plain marks as they are, the rest as character codes."""
    return "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in text)


def _marked(text: str) -> str:
    """Text that Markdown shows as it is: nothing in it is a mark, a tag or an entity."""
    shown = "".join(f"\\{c}" if c in _MARKS else c for c in re.sub(r"\s+", " ", text))
    # What begins a heading, a list or a quotation does so only as a line's first.
    shown = re.sub(r"^([-+#>=])|^(\d+)([.)])", r"\2\\\1\3", shown)
    return escape(shown, quote=False)


def _quoted(text: str) -> str:
    """A value as code, with a fence that it does not hold [CommonMark 6.1]."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


def _stepped(step: str) -> str:
    """A manual step, whose code stays code."""
    parts = _CODE.split(step)
    return "".join(f"`{part}`" if number % 2 else _marked(part) for number, part in enumerate(parts))
