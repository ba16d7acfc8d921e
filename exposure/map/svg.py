"""The drawing as SVG, to stand in the page: shapes and classes only, colours are the page's."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from html import escape

from exposure.map.layout import Box, Lane, Layout, Line, measure
from exposure.map.model import Map, Way


def drawing(found: Map, drawn: Layout, *, alone: bool = False) -> str:
    """One `<svg>`. Services and people in it are links to their rows in the page's tables, but where it is `alone`."""
    frame = drawn.frame
    numbers = {crowd: number for number, crowd in enumerate(found.crowds)}
    counts = Counter(way.crowd for way in found.ways)
    parts = [
        f'<svg class="map map-{frame.name}" viewBox="0 0 {frame.width} {_n(drawn.height)}"'
        f' width="{frame.width}" height="{_n(drawn.height)}"'
        + (' role="img">' if alone else ' role="group" aria-labelledby="map-title map-note">')
    ]
    for kind in ("region", "station"):
        parts += [_box(box) for box in drawn.boxes if box.kind == kind]
    parts += [_lane(lane, found.ways[lane.way]) for lane in drawn.lanes]
    parts += [_upright(line, frame.small) for box in drawn.boxes for line in box.lines if line.upright]
    for box in drawn.boxes:
        if box.kind == "who":
            crowd = found.ways[box.ways[0]].crowd
            label = f"{crowd.label}, {crowd.note}: {places(counts[crowd])}"
            number = numbers[crowd]
            parts.append(_link(box, "" if alone else f"who-{number}", f"w{number}", label, "who"))
    services = found.numbers
    for box in drawn.boxes:
        if box.kind == "service":
            ways = [found.ways[index] for index in box.ways]
            label = f"{ways[0].title}, {ways[0].gate}: " + "; ".join(dict.fromkeys(way.who for way in ways))
            number = services[ways[0].key]
            target = "" if alone else f"service-{number}"
            parts.append(_link(box, target, f"s{number}", label, f"service g-{ways[0].gate}"))
    parts.append("</svg>")
    return "\n".join(parts)


def sample(gate: str, past_login: bool = False) -> str:
    """A short piece of a gate's line, for the legend."""
    kind = f"sample g-{gate} past-login" if past_login else f"sample g-{gate}"
    return (
        f'<svg class="{kind}" viewBox="0 0 44 12" width="44" height="12" aria-hidden="true">'
        f"{_stroke('M1 6H43', gate)}</svg>"
    )


def _lane(lane: Lane, way: Way) -> str:
    path = f"M{_n(lane.start)} {_n(lane.y)}H{_n(lane.end - 7)}"
    tip = f'<path class="tip" d="M{_n(lane.end)} {_n(lane.y)}l-9 -5v10z"/>'
    pill = ""
    if lane.pill:
        box = lane.pill
        pill = (
            f'<rect class="pill" x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}"'
            f' rx="11"/>{"".join(map(_line, box.lines))}'
        )
    kind = f"way g-{way.gate} past-login" if way.past_login else f"way g-{way.gate}"
    label = escape(f"{way.who}: {way.title}, {way.url} ({way.gate}, {way.front})")
    return (
        f'<g class="{kind}" data-way="{lane.way}" aria-hidden="true"><title>{label}</title>'
        f"{_stroke(path, way.gate)}{tip}{pill}</g>"
    )


def _stroke(path: str, gate: str) -> str:
    """The line in the gate's own style; zero-trust is a double line."""
    inner = f'<path class="core" d="{path}"/>' if gate == "zero-trust" else ""
    return f'<path class="line" d="{path}"/>{inner}'


def _box(box: Box) -> str:
    ways = " ".join(map(str, box.ways))
    lines = "".join(_line(line) for line in box.lines if not line.upright)
    return f'<g class="box {box.kind}" data-ways="{ways}" aria-hidden="true">{_rect(box)}{lines}</g>'


def _link(box: Box, target: str, pick: str, label: str, kind: str) -> str:
    ways = " ".join(map(str, box.ways))
    lines = "".join(map(_line, box.lines))
    if not target:
        return f'<g class="box {kind}"><title>{escape(label)}</title>{_rect(box)}{lines}</g>'
    return (
        f'<a class="box {kind}" href="#{target}" data-pick="{pick}" data-ways="{ways}" aria-label="{escape(label)}">'
        f"<title>{escape(label)}</title>{_rect(box)}{lines}</a>"
    )


def _rect(box: Box) -> str:
    radius = 12 if box.kind == "region" else 8
    return f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="{radius}"/>'


def _line(line: Line) -> str:
    anchor = ' text-anchor="middle"' if line.middle else ""
    return f'<text class="t-{line.kind}" x="{_n(line.x)}" y="{_n(line.y)}"{anchor}>{escape(line.text)}</text>'


def _upright(line: Line, size: float) -> str:
    """A name across the lanes, on a ground of its own so that they pass behind it."""
    length, height = measure(line.text, size, bold=True) + 8, size * 1.6
    x, y = line.x, line.y
    return (
        f'<g class="upright" transform="rotate(-90 {_n(x)} {_n(y)})" aria-hidden="true">'
        f'<rect x="{_n(x - length / 2)}" y="{_n(y - height / 2)}" width="{_n(length)}" height="{_n(height)}" rx="4"/>'
        f"{_line(replace(line, y=y + size * 0.36))}</g>"
    )


def places(count: int) -> str:
    """So many places, in words."""
    return f"{count} place{'' if count == 1 else 's'}"


def _n(number: float) -> str:
    """A number as short as it can be, the same on every machine."""
    return f"{number:.1f}".removesuffix(".0")
