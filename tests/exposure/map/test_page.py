"""The page as text: one file, nothing loaded, and no name ever more than text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from exposure.map import Map, html_page, svg_file
from tests.exposure.map import kit
from tests.kit.builders import PROJECT

MAPS = [kit.shipped("alfred"), kit.estate(), kit.plain(), kit.forms(), kit.hostile(), kit.made({})]
maps = pytest.mark.parametrize("found", MAPS, ids=["alfred", "estate", "plain", "forms", "hostile", "empty"])


class Page(HTMLParser):
    """The elements with their attributes, and the text of each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag
        self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open][-1] += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


@maps
def test_nothing_is_loaded_and_nothing_runs_from_an_attribute(found: Map) -> None:
    page = Page(html_page(found))
    names = Counter(tag for tag, _ in page.elements)
    assert not {"link", "img", "iframe", "object", "embed", "base", "audio", "video", "image", "use"} & set(names)
    assert (names["script"], names["style"]) == (2, 1)
    for tag, attributes in page.elements:
        assert not {"src", "srcset", "style", "action", "formaction", "ping", "xlink:href"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")], tag
        href = attributes.get("href")
        assert href is None or (tag == "a" and href.startswith(("#", "https://", "http://"))), href
    assert "url(" not in page.texts["style"][0]
    assert "@import" not in page.texts["style"][0]


@maps
def test_the_policy_lets_in_this_style_and_this_script_alone(found: Map) -> None:
    page = Page(html_page(found))
    policy = next(str(a["content"]) for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert parts == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "style-src": hashed(page.texts["style"][0]),
        "script-src": hashed(page.texts["script"][1]),
    }
    order = [tag for tag, a in page.elements if tag in ("style", "script") or a.get("http-equiv")]
    assert order[0] == "meta", "a policy holds only for what comes after it"


@maps
def test_the_data_is_json_with_no_character_that_html_reads(found: Map) -> None:
    text = Page(html_page(found)).texts["script"][0]
    assert not set(text) & set("<>&\u2028\u2029")
    data = json.loads(text)
    assert [way["title"] for way in data["ways"]] == [way.title for way in found.ways]
    assert data["people"] == list(found.people)
    for way, written in zip(found.ways, data["ways"], strict=True):
        assert {data["people"][number] for number in written["people"]} == set(way.people)


def test_hostile_names_make_no_element_more_than_plain_ones() -> None:
    plain, hostile = Page(html_page(kit.plain())), Page(html_page(kit.hostile()))
    apart = {"li", "ol", "ul", "p", "details", "summary", "option", "code", "text", "strong"}

    def kinds(page: Page) -> Counter[str]:
        return Counter(tag for tag, _ in page.elements if tag not in apart)

    assert kinds(hostile) == kinds(plain)
    assert hostile.comments == plain.comments == []


def test_hostile_names_are_shown_as_they_were_written() -> None:
    page = Page(html_page(kit.hostile()))
    shown = [t for tag in ("th", "span", "li", "a", "text", "title") for t in page.texts[tag]]
    for way in kit.hostile().ways:
        assert way.title in shown


def test_a_persons_sentence_counts_the_places_that_they_reach() -> None:
    # Grafana is one service at two places, and an open path of it is no more than that.
    page = Page(html_page(kit.shipped("alfred")))
    assert "Anyone: 9 of 16 places" in page.texts["summary"]
    assert "bob@example.com: 15 of 16 places" in page.texts["summary"]
    assert "14 services at 16 places. Anyone on the internet reaches 9 of the places; 7 are" in "".join(page.texts["p"])


def test_the_drawing_alone_is_an_svg_that_loads_nothing_and_leads_nowhere() -> None:
    for found in MAPS[:-1]:
        page = Page(svg_file(found))
        assert page.elements[0][1]["xmlns"] == "http://www.w3.org/2000/svg"
        names = Counter(tag for tag, _ in page.elements)
        assert names["style"] == 1
        assert not {"a", "script", "image", "use", "foreignobject"} & set(names)
        assert "@import" not in page.texts["style"][0]
        assert "url(" not in page.texts["style"][0]
        shown = {"".join(text.split()) for tag in ("text", "title") for text in page.texts[tag]}
        for way in found.ways:
            assert any("".join(way.title.split()) in text for text in shown)


def test_the_picture_in_the_readme_is_the_drawing_of_alfred() -> None:
    # Made by: gatehouse map --stack alfred --out docs/map.svg
    assert (PROJECT / "docs" / "map.svg").read_text(encoding="utf-8") == svg_file(kit.shipped("alfred"))


def test_the_page_is_the_same_each_time() -> None:
    assert html_page(kit.made()) == html_page(kit.plain())


def test_ids_are_unique_and_every_inner_link_leads_somewhere() -> None:
    for found in MAPS:
        page = Page(html_page(found))
        ids = Counter(str(a["id"]) for _, a in page.elements if "id" in a)
        assert max(ids.values()) == 1
        inner = {str(a["href"])[1:] for _, a in page.elements if str(a.get("href", "")).startswith("#")}
        assert inner <= set(ids)
        labels = {w for _, a in page.elements for w in str(a.get("aria-labelledby") or "").split()}
        assert labels <= set(ids)


def test_everything_is_there_without_a_script() -> None:
    page = html_page(kit.shipped("alfred"))
    body = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    for way in kit.shipped("alfred").ways:
        assert way.title in body
        assert way.url in body
    for work in kit.shipped("alfred").manual_steps:
        assert work.title.replace("'", "&#x27;") in body
    # What works only with the script shows only with it.
    controls = [a for _, a in Page(page).elements if "needs-script" in str(a.get("class", ""))]
    assert controls
    assert all("hidden" in a for a in controls)
