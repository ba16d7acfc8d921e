"""The position of everything on the map: computed, so that a map always looks the same and needs no script.

Columns from left to right: who, the internet, the way in, what takes it in at the node, the services. Each way is a
lane of its own; a station is a box that its lanes pass through.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeVar

from exposure.map.model import Map, Spot, Station, Way, station_names

_K = TypeVar("_K")

_SPOT_NAMES: dict[Spot, tuple[str, str]] = {
    "cluster": ("Kubernetes cluster on {node}", "Cluster"),
    "node": ("{node} itself", "The node"),
    "lan": ("Elsewhere on the LAN", "Elsewhere"),
}
"""Where a service runs, and the same in short."""


@dataclass(frozen=True)
class Frame:
    """Sizes of one drawing, in its own units, which are CSS pixels where it is shown unscaled.

    `slim` frames write the stations' names upright and have no room for what stands in front: the service says it.
    """

    name: Literal["wide", "middle", "narrow"]
    width: int
    margin: int
    who: int
    lead: int
    net: int
    way: int
    inner: int
    gap: int
    last_gap: int
    lane: int
    head: int
    run: int
    pad: int
    slim: bool
    title: float
    small: float

    @property
    def net_x(self) -> float:
        """Left edge of the internet, right of the people."""
        return self.margin + self.who + self.lead

    @property
    def way_x(self) -> float:
        """Left edge of the ways in."""
        return self.net_x + self.net + self.gap

    @property
    def inner_x(self) -> float:
        """Left edge of what takes them in."""
        return self.way_x + self.way + self.gap

    @property
    def service_x(self) -> float:
        """Left edge of the services."""
        return self.inner_x + self.inner + self.last_gap

    @property
    def service(self) -> float:
        """Width of a service."""
        return self.width - self.margin - self.pad - self.service_x


FRAMES = (
    Frame("wide", 1216, 8, 200, 28, 36, 222, 156, 22, 44, 46, 46, 30, 12, False, 14, 12),
    Frame("middle", 712, 4, 150, 16, 30, 32, 32, 12, 30, 62, 14, 28, 8, True, 14, 12),
    Frame("narrow", 328, 2, 98, 9, 18, 20, 20, 4, 13, 68, 12, 26, 5, True, 12, 11),
)
"""For a desktop, a tablet and a phone of 360 pixels."""


@dataclass(frozen=True)
class Line:
    """One line of text. `x` is its start, or its middle where `middle`; `upright` turns it around that point."""

    text: str
    x: float
    y: float
    kind: Literal["title", "small", "mono", "pill", "station", "region"]
    middle: bool = False
    upright: bool = False


@dataclass(frozen=True)
class Box:
    """A rectangle with its lines. `ways` are the indices of the ways that pass through it or end there."""

    kind: Literal["who", "station", "service", "region"]
    x: float
    y: float
    width: float
    height: float
    lines: tuple[Line, ...] = ()
    ways: tuple[int, ...] = ()
    station: Station | None = None


@dataclass(frozen=True)
class Lane:
    """A way's line from who to the service, at one height; its pill lies on it."""

    way: int
    y: float
    start: float
    end: float
    pill: Box | None = None


@dataclass(frozen=True)
class Layout:
    """A drawing: boxes from the back to the front, then lanes."""

    frame: Frame
    height: float
    boxes: tuple[Box, ...]
    lanes: tuple[Lane, ...]


def layout(found: Map, frame: Frame) -> Layout:
    """The drawing of a map in a frame."""
    ys, tops, height = _lanes(found.ways, frame)
    boxes = [*_regions(found, frame, ys, tops), *_stations(found, frame, ys, tops)]
    boxes += [*_crowds(found, frame, ys), *_services(found, frame, ys)]
    lanes = []
    for index, way in enumerate(found.ways):
        pill = None
        if not frame.slim:
            text = f"{way.gate}: {way.front}"
            text = fitted(text, frame.way - 32, frame.small)
            width = measure(text, frame.small) + 16
            x = frame.way_x + 10
            line = Line(text, x + 8, ys[index] + frame.small * 0.36, "pill")
            pill = Box("station", x, ys[index] - 11, width, 22, (line,))
        lanes.append(Lane(index, ys[index], frame.margin + frame.who, frame.service_x - 1, pill))
    bottom = max([height, *(box.y + box.height + frame.lane / 8 for box in boxes)])
    return Layout(frame, round(bottom + frame.margin, 1), tuple(boxes), tuple(lanes))


def _lanes(ways: Sequence[Way], frame: Frame) -> tuple[list[float], list[float], float]:
    """The middle of each lane, the top of its group or run where it is the first of one, and the whole height."""
    ys, tops = [], []
    y = float(frame.margin)
    before: Way | None = None
    for way in ways:
        new_group = before is None or (before.node, before.group) != (way.node, way.group)
        new_spot = before is None or (before.node, before.spot) != (way.node, way.spot)
        if before is not None and (new_group or new_spot):
            y += 12
        tops.append(y)
        y += max(frame.head if new_group else 0, frame.run if new_spot else 0)
        ys.append(y + frame.lane / 2)
        y += frame.lane
        before = way
    return ys, tops, y


def _regions(found: Map, frame: Frame, ys: Sequence[float], tops: Sequence[float]) -> Iterable[Box]:
    x, width = frame.service_x - frame.pad, frame.service + 2 * frame.pad
    for (node, spot), run in _runs(found.ways, lambda way: (way.node, way.spot)):
        top, bottom = tops[run[0]], ys[run[-1]] + frame.lane / 2 + 4
        names = [name.format(node=node) for name in _SPOT_NAMES[spot]]
        text = _longest(names, frame.service, frame.small)
        line = Line(text, frame.service_x, top + 19, "region")
        yield Box("region", x, top, width, bottom - top, (line,), run)


def _stations(found: Map, frame: Frame, ys: Sequence[float], tops: Sequence[float]) -> Iterable[Box]:
    half = frame.lane / 2
    homes = {home.node: home for home in found.homes}

    def box(station: Station, run: tuple[int, ...], x: float, width: float, upright: bool) -> Box:
        # Within a group a run may begin anywhere; its own head is there only at the group's top.
        top = tops[run[0]] if not frame.slim else ys[run[0]] - half + 2
        bottom = ys[run[-1]] + half - 2
        height = bottom - top
        names = station_names(station)
        if upright:
            text = _longest(names, height - 4, frame.small)
            middle = Line(text, x + width / 2, top + height / 2, "station", True, True)
            return Box("station", x, top, width, height, (middle,), run, station)
        name = _longest(names, width - 16, frame.title)
        lines = [Line(name, x + 10, top + 19, "title")]
        note = homes[found.ways[run[0]].node].note(station)
        if note:
            lines.append(Line(fitted(note, width - 16, frame.small), x + 10, top + 35, "small"))
        return Box("station", x, top, width, height, tuple(lines), run, station)

    for outside, run in _runs(found.ways, lambda way: way.outside):
        if outside:
            yield box("internet", run, frame.net_x, frame.net, True)
    for (_, group, outside), run in _runs(found.ways, lambda way: (way.node, way.group, way.outside)):
        x = frame.way_x if outside else frame.net_x
        yield box(group, run, x, frame.way_x + frame.way - x, frame.slim)
    for (*_, inner), run in _runs(found.ways, lambda way: (way.node, way.group, way.inner)):
        if inner is not None:
            yield box(inner, run, frame.inner_x, frame.inner, frame.slim)


def _crowds(found: Map, frame: Frame, ys: Sequence[float]) -> Iterable[Box]:
    """Who comes, in line with the lanes that they come by: one box for lanes that lie beside each other."""
    inner, half = frame.who - 15, frame.lane / 2 - 3
    for (*_, crowd), run in _runs(found.ways, lambda way: (way.node, way.group, way.spot, way.crowd)):
        top, height = ys[run[0]] - half, ys[run[-1]] - ys[run[0]] + 2 * half
        titles = wrapped(crowd.label, inner, frame.title, 2, bold=True)
        room = int((height - 4 - 17 * len(titles)) // 16)
        notes = wrapped(crowd.note, inner, frame.small, min(room, 2)) if room > 0 else []
        y = top + (height - 17 * len(titles) - 16 * len(notes)) / 2 + 13
        lines: list[Line] = []
        for kind, texts, step in (("title", titles, 17), ("small", notes, 16)):
            for text in texts:
                lines.append(Line(text, frame.margin + 9, y, "title" if kind == "title" else "small"))
                y += step
        yield Box("who", frame.margin, top, frame.who, height, tuple(lines), run)


def _services(found: Map, frame: Frame, ys: Sequence[float]) -> Iterable[Box]:
    x, inner = frame.service_x, frame.service - 16
    for _, run in _runs(found.ways, lambda way: (way.key, way.gate)):
        top, bottom = ys[run[0]] - frame.lane / 2 + 3, ys[run[-1]] + frame.lane / 2 - 3
        lines: list[Line] = []
        for index in run:
            texts: list[tuple[str, Literal["title", "small", "mono"]]] = []
            way = found.ways[index]
            if index == run[0]:
                most = 2 if frame.name == "narrow" else 1
                texts += [(t, "title") for t in wrapped(way.title, inner, frame.title, most, bold=True)]
            if frame.name == "narrow":
                label = f"no login: {way.path}" if way.past_login else way.gate
                label = label if way.how or way.link else f"{label} {way.front}"
                texts += [(t, "small") for t in wrapped(label, inner, frame.small, 2)]
            elif frame.slim:
                texts.append((fitted(f"{way.gate}: {way.front}", inner, frame.small), "small"))
                texts.append((shortened(way.address, inner, frame.small), "mono"))
            else:
                texts.append((shortened(way.address, inner, frame.small), "mono"))
            step = {"wide": 17, "middle": 16, "narrow": 15}[frame.name]
            y = ys[index] - step * len(texts) / 2 + step * 0.78
            for text, kind in texts:
                lines.append(Line(text, x + 9, y, kind))
                y += step
        yield Box("service", x, top, frame.service, bottom - top, tuple(lines), run)


def _runs(ways: Sequence[Way], key: Callable[[Way], _K]) -> Iterable[tuple[_K, tuple[int, ...]]]:
    """Neighbours with one key together: the key and their indices."""
    for value, run in groupby(range(len(ways)), key=lambda index: key(ways[index])):
        yield value, tuple(run)


# Text


def measure(text: str, size: float, *, bold: bool = False, mono: bool = False) -> float:
    """How wide a text is at most, in any of the fonts that may show it; an estimate on the safe side."""
    if mono:
        return sum(_mono(c) for c in text) * size
    return sum(_width(c) for c in text) * size * (1.09 if bold else 1)


def _mono(character: str) -> float:
    return 1.1 if unicodedata.east_asian_width(character) in "WF" else 0.0 if unicodedata.combining(character) else 0.61


def _width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.1
    if unicodedata.combining(character):
        return 0.0
    if character in "iljI.,:;|!'()[] /":
        return 0.4
    if character in "mwMW@%—…":
        return 1.0
    return 0.72 if character.isupper() else 0.64


def _longest(names: Sequence[str], room: float, size: float) -> str:
    """The first of the names, in bold, that fits; the last one, cut, where none does."""
    name = next((n for n in names if measure(n, size, bold=True) <= room), names[-1])
    return fitted(name, room, size, bold=True)


def fitted(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, cut at its end where it does not fit."""
    if measure(text, size, bold=bold) <= room:
        return text
    while text and measure(f"{text}…", size, bold=bold) > room:
        text = text[:-1]
    return f"{text.rstrip()}…"


def shortened(address: str, room: float, size: float) -> str:
    """An address in a fixed-width font, cut in its middle where it does not fit: its path tells it apart."""
    if measure(address, size, mono=True) <= room:
        return address
    kept = max(int(room / (0.61 * size)) - 1, 2)
    tail = kept // 2
    text = f"{address[: kept - tail]}…{address[-tail:]}"
    return text if measure(text, size, mono=True) <= room else fitted(address, room, size * 1.1)


def wrapped(text: str, room: float, size: float, most: int, *, bold: bool = False) -> list[str]:
    """The text in at most so many lines, broken at spaces and hyphens, the last one cut where it does not fit."""
    words = text.replace("-", "-\0").replace(" ", " \0").split("\0")
    lines: list[str] = []
    while words:
        if len(lines) == most - 1:
            lines.append(fitted("".join(words).strip(), room, size, bold=bold))
            break
        line = words.pop(0)
        while words and measure((line + words[0]).rstrip(), size, bold=bold) <= room:
            line += words.pop(0)
        lines.append(fitted(line.strip(), room, size, bold=bold))
    return [line for line in lines if line] or [""]
