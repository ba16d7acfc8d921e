"""Mermaid and Markdown of the map, read by others' rules."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from exposure.map import Map, markdown, mermaid
from tests.exposure.map import kit

MAPS = [kit.shipped("alfred"), kit.shipped("octavo"), kit.plain(), kit.forms(), kit.hostile(), kit.made({})]
maps = pytest.mark.parametrize("found", MAPS, ids=["alfred", "octavo", "plain", "forms", "hostile", "empty"])

LABEL = r"(?:#\d+;|<br/>|[^\"#<>&;`\[\]{}|\n])*"
NODE = re.compile(rf'\s+(\w+)(?:\(\["{LABEL}"\]\)|\["{LABEL}"\])')
EDGE = re.compile(rf'\s+(\w+) (?:-->|==>|-\.->)(?:\|"{LABEL}"\|)? (\w+)')


def graph(text: str) -> tuple[set[str], list[tuple[str, str]]]:
    """The nodes and edges of a flowchart. Every line has to be one of the few forms we write."""
    lines = text.splitlines()
    assert lines[0] == "flowchart LR"
    assert re.fullmatch(rf"  accTitle: {LABEL}", lines[1])
    nodes, edges = set(), []
    for line in lines[2:]:
        if re.fullmatch(r"  linkStyle [\d,]+ stroke:#[0-9a-f]{6},stroke-width:2px", line):
            continue
        node, edge = NODE.fullmatch(line), EDGE.fullmatch(line)
        assert node or edge, line
        if node:
            nodes.add(node[1])
        elif edge:
            edges.append((edge[1], edge[2]))
    return nodes, edges


@pytest.mark.parametrize(
    "line", ['  who9["a"b"]', '  who9["<b>"]', "  click who0 x", "  %%{init: {}}%%", '  a["x"] --> b']
)
def test_a_line_of_another_form_would_be_seen(line: str) -> None:
    with pytest.raises(AssertionError):
        graph(mermaid(kit.plain()) + line + "\n")


@maps
def test_the_flowchart_has_one_edge_a_way_and_leads_from_who_to_what(found: Map) -> None:
    nodes, edges = graph(mermaid(found))
    assert {name for edge in edges for name in edge} == nodes
    assert len([e for e in edges if e[1].startswith("service")]) == len(found.ways)
    assert len([n for n in nodes if n.startswith("service")]) == len(found.services)
    befores = {edge[1]: edge[0] for edge in edges if edge[1].startswith("route")}
    assert len(befores) == len([e for e in edges if e[1].startswith("route")]), "a route has one crowd"


def test_a_flowchart_says_who_for_each_service() -> None:
    found = kit.plain()
    nodes, edges = graph(mermaid(found))
    names = {n: f"who{i}" for i, n in enumerate(crowd.label for crowd in found.crowds)}
    services = {ways[0].service: f"service{i}" for i, ways in enumerate(found.services)}
    reached = {(a, c) for a, b in edges if a.startswith("who") for b2, c in edges if b2 == b}
    assert reached == {(names[way.crowd.label], services[way.service]) for way in found.ways}
    assert nodes


def tokens(text: str) -> list[Token]:
    parser = MarkdownIt("commonmark").enable("table")
    return [t for token in parser.parse(text) for t in (token, *(token.children or ()))]


@maps
def test_the_table_has_a_row_for_each_way_and_five_cells_in_each(found: Map) -> None:
    read = tokens(markdown(found))
    assert [t.type for t in read].count("tr_open") == (len(found.ways) + 1 if found.ways else 0)
    assert [t.type for t in read].count("td_open") == 5 * len(found.ways)


@maps
def test_nothing_in_a_name_is_markup(found: Map) -> None:
    read = tokens(markdown(found))
    assert {t.type for t in read} & {
        "html_inline",
        "html_block",
        "image",
        "fence",
        "s_open",
        "em_open",
        "strong_open",
    } == (set())
    links = [str(t.attrGet("href")) for t in read if t.type == "link_open"]
    assert all(link.startswith(("https://", "http://")) for link in links)


def test_a_hostile_title_reads_as_it_was_written() -> None:
    found = kit.hostile()
    parser = MarkdownIt("commonmark").enable("table")
    blocks = [t for t in parser.parse(markdown(found)) if t.type == "inline"]
    texts = {"".join(c.content for c in block.children or ()) for block in blocks}
    for ways in found.services:
        assert re.sub(r"\s+", " ", ways[0].title).strip() in texts
    # A value stands as code, to be copied.
    code = {child.content for block in blocks for child in block.children or () if child.type == "code_inline"}
    values = [value for work in found.manual_steps for value in work.values.values()]
    assert {re.sub(r"\s+", " ", value) for value in values} <= {re.sub(r"\s+", " ", text) for text in code}


def test_the_manual_steps_is_a_task_list_with_its_code_kept() -> None:
    text = markdown(kit.shipped("alfred"))
    assert "- [ ] Point very-very-dark-gray.top to Cloudflare at its registrar\n" in text
    assert "set `node.tailscale_operator: helm`" in text
    assert "  - On alfred: `sudo tailscale up --hostname=alfred --advertise-tags=tag:gatehouse-alfred`\n" in text
    assert "  - Name servers: known after `gatehouse up`\n" in text
    assert text.count("- [ ] ") == len(kit.shipped("alfred").manual_steps)
