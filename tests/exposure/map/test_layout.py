"""The drawing: nothing overlaps, nothing is outside, every line goes from whom to what it says."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given

from config.loader import tie
from exposure.map import Map, map_of
from exposure.map.layout import FRAMES, Box, Frame, Layout, Line, fitted, layout, measure, shortened, wrapped
from exposure.reach.project import plan_project
from tests.exposure.map import kit
from tests.kit import builders
from tests.kit.estates import Estate, estates

frames = pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.name)


def apart(one: Box, other: Box) -> bool:
    return (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )


def faults(found: Map, drawn: Layout) -> list[str]:
    """Everything that is wrong with a drawing."""
    frame, wrong = drawn.frame, []
    for box in drawn.boxes:
        inside = box.x >= 0 and box.y >= 0 and box.x + box.width <= frame.width and box.y + box.height <= drawn.height
        if not inside or min(box.width, box.height) < 16:
            wrong.append(f"outside or too small: {box}")
        wrong += [f"text outside: {line} of {box}" for line in box.lines if not holds(frame, box, line)]
    solid = [box for box in drawn.boxes if box.kind != "region"]
    wrong += [f"overlap: {one} {other}" for one, other in combinations(solid, 2) if not apart(one, other)]
    regions = [box for box in drawn.boxes if box.kind == "region"]
    wrong += [f"overlap: {one} {other}" for one, other in combinations(regions, 2) if not apart(one, other)]
    for lane in drawn.lanes:
        way = found.ways[lane.way]
        for box in solid:
            crossed = box.y < lane.y < box.y + box.height and box.x >= frame.net_x
            if crossed != (lane.way in box.ways and box.kind != "who"):
                wrong.append(f"lane {lane.way} crosses {box.kind} {box.station} wrongly")
            if box.station and lane.way in box.ways and box.station not in way.stations:
                wrong.append(f"lane {lane.way} has no station {box.station}")
        start = [box for box in drawn.boxes if box.kind == "who" and lane.way in box.ways]
        if len(start) != 1 or not start[0].y < lane.y < start[0].y + start[0].height:
            wrong.append(f"lane {lane.way} starts nowhere")
        if {found.ways[index].crowd for box in start for index in box.ways} != {way.crowd}:
            wrong.append(f"lane {lane.way} starts at somebody else's")
        passed = {box.station for box in drawn.boxes if box.station and lane.way in box.ways}
        if passed != set(way.stations):
            wrong.append(f"lane {lane.way} passes {passed}, not {way.stations}")
    return wrong


def holds(frame: Frame, box: Box, line: Line) -> bool:
    size = frame.title if line.kind == "title" else frame.small
    length = measure(line.text, size, bold=line.kind in ("title", "station", "region"), mono=line.kind == "mono")
    if line.upright:
        return length <= box.height
    return (
        box.x <= line.x
        and line.x + length <= box.x + box.width
        and box.y <= line.y - size * 0.6 <= line.y <= (box.y + box.height)
    )


@frames
@pytest.mark.parametrize("name", ["alfred", "octavo"])
def test_the_shipped_stacks_are_drawn_without_fault(frame: Frame, name: str) -> None:
    assert faults(kit.shipped(name), layout(kit.shipped(name), frame)) == []


@frames
def test_an_estate_is_drawn_a_node_after_the_other(frame: Frame) -> None:
    found = kit.estate()
    assert {way.node for way in found.ways} == {"alfred", "octavo"}
    assert faults(found, layout(found, frame)) == []
    order = [way.node for way in found.ways]
    assert order == sorted(order)


@frames
def test_people_stand_beside_what_they_reach_and_no_corner_is_empty(frame: Frame) -> None:
    drawn = layout(kit.shipped("alfred"), frame)
    people = [(box.y, box.y + box.height) for box in drawn.boxes if box.kind == "who"]
    services = [(box.y, box.y + box.height) for box in drawn.boxes if box.kind == "service"]
    for top, bottom in services:
        assert any(above < bottom and below > top for above, below in people)
    assert abs(min(people)[0] - min(services)[0]) < frame.lane / 2
    assert abs(max(people)[1] - max(services)[1]) < frame.lane / 2
    # Those who reach the same are told once: six services for the household, one box.
    assert len(people) == 7


@frames
def test_the_longest_names_are_drawn_without_fault(frame: Frame) -> None:
    assert faults(kit.hostile(), layout(kit.hostile(), frame)) == []


@frames
def test_every_form_is_drawn_without_fault(frame: Frame) -> None:
    assert faults(kit.forms(), layout(kit.forms(), frame)) == []


@given(estates(most_members=1))
def test_any_stack_is_drawn_without_fault_and_always_alike(estate: Estate) -> None:
    stacks = tie(list(estate.loaded().values()))
    for name in estate.services:
        found = map_of(plan_project(stacks, [name]), name)
        for frame in FRAMES:
            drawn = layout(found, frame)
            assert faults(found, drawn) == []
            assert drawn == layout(found, frame)
    whole = map_of(plan_project(stacks))
    assert [fault for frame in FRAMES for fault in faults(whole, layout(whole, frame))] == []


def test_a_fault_would_be_found() -> None:
    found = kit.plain()
    drawn = layout(found, FRAMES[0])
    moved = replace(drawn.boxes[-1], y=drawn.boxes[-1].y - 30)
    assert faults(found, replace(drawn, boxes=(*drawn.boxes[:-1], moved)))
    assert faults(found, replace(drawn, lanes=(replace(drawn.lanes[0], way=3), *drawn.lanes[1:])))
    assert faults(found, replace(drawn, height=drawn.height / 2))


def test_many_sets_of_people_find_room_beside_few_lanes() -> None:
    sets = {f"set-{n}": ["alice@example.com"] for n in range(20)}
    services = {f"web-{n}": {**builders.HTML, "people": f"set-{n}"} for n in range(20)}
    found = kit.made(services, estate={**builders.ESTATE, "people": sets, "default_people": "set-0"})
    assert len(found.crowds) == 20
    for frame in FRAMES:
        assert faults(found, layout(found, frame)) == []


@pytest.mark.parametrize("word", kit.HOSTILE)
@pytest.mark.parametrize("room", [40, 90, 300])
def test_texts_are_cut_to_their_room_and_never_lost(word: str, room: float) -> None:
    assert measure(fitted(word, room, 12), 12) <= room
    assert measure(shortened(word, room, 12), 12, mono=True) <= room
    lines = wrapped(word, room, 12, 2)
    assert 1 <= len(lines) <= 2
    assert all(measure(line, 12) <= room for line in lines)
    assert fitted(word, 10_000, 12) == word == shortened(word, 10_000, 12)
    assert wrapped("Kubernetes Dashboard", 1000, 12, 2) == ["Kubernetes Dashboard"]
    assert wrapped("Kubernetes Dashboard", 90, 12, 2) == ["Kubernetes", "Dashboard"]
