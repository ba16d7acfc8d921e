"""A gate that only the table of ways knows is drawn like the others, and nothing in the map names it."""

from __future__ import annotations

import pytest

from exposure.map import Map, html_page, markdown, mermaid
from exposure.map.layout import FRAMES, layout
from exposure.ways import WAYS
from tests.exposure.map import kit
from tests.exposure.map.test_layout import faults
from tests.exposure.map.test_text import graph
from tests.kit import builders
from tests.test_a_made_up_way import PigeonWay


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Map:
    monkeypatch.setitem(WAYS, PigeonWay.gate, PigeonWay)
    return kit.made({"wiki": {**builders.HTML, "gates": ["zero-trust", "pigeon"], "people": "admins"}})


def test_it_is_drawn_with_its_own_words(found: Map) -> None:
    # No resource tells reach of a pigeon, so the map has the plan's word for it: not nobody.
    by_gate = {way.gate: way for way in found.ways}
    way = by_gate["pigeon"]
    assert (way.who, way.url, way.people) == ("admins", "pigeon://wiki-alfred", ("alice@example.com",))
    assert way.route == ("Internet", "Tailscale proxy", "a bird in hand")
    assert by_gate["zero-trust"].who == "admins, after Google login", "its other way is as ever"
    assert found.gates == ("zero-trust", "pigeon")
    for frame in FRAMES:
        assert faults(found, layout(found, frame)) == []


def test_it_stands_in_every_form_of_the_map(found: Map) -> None:
    page = html_page(found)
    assert "<strong>pigeon</strong>: a bird in hand" in page
    assert 'class="way g-pigeon"' in page
    assert "`pigeon` a bird in hand" in markdown(found)
    _, edges = graph(mermaid(found))
    assert len([edge for edge in edges if edge[1].startswith("service")]) == 2
    # What has no colour of its own has the page's soft one, in both.
    assert ".way, .sample, .service { --gate: var(--soft); }" in page
    assert "stroke:#4d555e" in mermaid(found)
