"""The map as one self-contained page, and its drawing alone: it loads nothing, and works without a script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from html import escape
from importlib.resources import files

from exposure.map.layout import FRAMES, layout
from exposure.map.model import Map, Way
from exposure.map.svg import drawing, places, sample
from exposure.render import NOT_YET, pasted
from exposure.ways import WAYS

_HEADS = ("Service", "Gate", "Who", "Address", "By way of")


def html_page(found: Map) -> str:
    """The page. Whatever a name holds stands in it as text."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none';"
        " form-action 'none'"
    )
    node = escape(found.name)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Who reaches what: {node}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#ways">Skip to the table</a>
<header>
<h1>Who reaches what: {node}</h1>
<p class="soft">{_summary(found)}</p>
</header>
<main>
{_controls(found)}
<section aria-labelledby="map-title">
<h2 id="map-title">Map</h2>
<p class="soft" id="map-note">From left to right: who, the ways in, and the services on {node}.
The <a href="#ways">table</a> says the same in words.</p>
<figure>
{_drawings(found)}
</figure>
</section>
{_table(found)}
{_people(found)}
{_manual_steps(found)}
</main>
<footer>
<p>Made from {_stacks(found)} by gatehouse map. It is the plan, not a probe of what is live.</p>
</footer>
<script type="application/json" id="map-data">{_data(found)}</script>
<script>{script}</script>
</body>
</html>
"""


def svg_file(found: Map) -> str:
    """The drawing alone, as a file: for a README or a wiki."""
    style = _asset("page.css")
    colours_, rest = style.split("* { box-sizing", 1)
    own = rest.split("/* The map */", 1)[1].split("/* Tables */", 1)[0]
    body = drawing(found, layout(found, FRAMES[0]), alone=True).split("\n", 1)
    head = body[0].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    title = f"<title>Who reaches what: {escape(found.name)}</title>"
    # The page shows one of three drawings by its width; a file has one.
    css = f"{colours_}{own}.map {{ display: block; }}"
    ground = '<rect width="100%" height="100%" fill="var(--ground)"/>'
    return f"{head}{title}<style>{css}</style>{ground}\n{body[1]}\n"


def _stacks(found: Map) -> str:
    return escape(f"stack{'' if len(found.stacks) == 1 else 's'} {', '.join(found.stacks)}")


@cache
def _asset(name: str) -> str:
    return files("exposure.map").joinpath(name).read_text(encoding="utf-8")


@cache
def colours() -> dict[str, str]:
    """The colours of the page's light theme by name: each gate's own, and `soft` for one that has none."""
    return dict(reversed(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", _asset("page.css"))))


def _digest(text: str) -> str:
    """A source as CSP takes it [W3C CSP3 2.3.1]."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data(found: Map) -> str:
    """What the script filters by, as JSON with no character that HTML reads."""
    numbers = {crowd: number for number, crowd in enumerate(found.crowds)}
    services = found.numbers
    people = {name: number for number, name in enumerate(found.people)}
    ways = [
        {
            "title": way.title,
            "address": way.address or way.title,
            "gate": way.gate,
            "picks": [f"s{services[way.key]}", f"w{numbers[way.crowd]}"],
            "people": [people[name] for name in way.people if name in people],
            "text": _searched(way),
        }
        for way in found.ways
    ]
    text = json.dumps({"ways": ways, "people": found.people}, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _searched(way: Way) -> str:
    parts = (
        *(way.node, way.service, way.title, way.gate, way.who, way.crowd.note, *way.crowd.members),
        *(*way.route, way.url, way.origin),
    )
    return " ".join(parts).lower()


def _summary(found: Map) -> str:
    open_ = sum(found.people[0] in way.people for way in found.ways)
    return (
        f"{_count(len(found.services), 'service')} at {places(len(found.ways))}. Anyone on the internet reaches"
        f" {open_} of the places; {len(found.ways) - open_} are for people you name."
    )


def _controls(found: Map) -> str:
    options = "".join(
        f'<option value="{number}">{escape(_person(name))}</option>' for number, name in enumerate(found.people)
    )
    legend = "".join(
        f'<li><label><input type="checkbox" class="needs-script" value="{gate}" checked hidden>{sample(gate)}'
        f"<span><strong>{gate}</strong>: {escape(WAYS[gate].phrase)}</span></label></li>"
        for gate in found.gates
    )
    if any(way.past_login for way in found.ways):
        legend += f'<li class="apart">{sample("zero-trust", True)}<span>broken line: a path without login</span></li>'
    return f"""<section class="controls" aria-label="Filter and legend">
<form class="filters needs-script" role="search" hidden>
<div class="row">
<label class="field" for="search">Search <input type="search" id="search" autocomplete="off" spellcheck="false"
 placeholder="service, host, gate, person"></label>
<label class="field" for="person">What does somebody reach?
<select id="person"><option value="">Everybody</option>{options}</select></label>
<button type="button" id="reset">Show all</button>
</div>
</form>
<fieldset class="legend"><legend>Gates</legend><ul>{legend}</ul></fieldset>
<p class="status needs-script" id="status" role="status" aria-live="polite" hidden></p>
</section>"""


def _drawings(found: Map) -> str:
    if not found.ways:
        return "<p>No services yet: add one under <code>gatehouse:services</code>.</p>"
    return "\n".join(drawing(found, layout(found, frame)) for frame in FRAMES)


def _table(found: Map) -> str:
    rows = []
    firsts = {ways[0]: number for number, ways in enumerate(found.services)}
    for number, way in enumerate(found.ways):
        mark = f' id="service-{firsts[way]}"' if way in firsts else ""
        url = escape(way.url)
        address = f'<a href="{url}" rel="noopener noreferrer">{url}</a>' if way.link else f"<code>{url}</code>"
        cells = (
            _cell("Gate", f'<span class="gate">{sample(way.gate, way.past_login)}{way.gate}</span>'),
            _cell("Who", escape(way.who)),
            _cell("Address", address if way.url else "none"),
            _cell("By way of", escape(" → ".join((*way.route, way.origin)))),
        )
        head = f'<th role="rowheader" scope="row">{escape(way.title)}</th>'
        rows.append(f'<tr role="row" data-way="{number}"{mark}>{head}{"".join(cells)}</tr>')
    heads = "".join(f'<th role="columnheader" scope="col">{head}</th>' for head in _HEADS)
    return f"""<section class="ways" id="ways" tabindex="-1" aria-labelledby="ways-title">
<h2 id="ways-title">Every place</h2>
<table role="table">
<caption>Each place where a service is reached: by which gate, by whom, and where it leads.</caption>
<thead role="rowgroup"><tr role="row">{heads}</tr></thead>
<tbody role="rowgroup">
{chr(10).join(rows)}
</tbody>
</table>
<p id="none" hidden>Nothing matches. Press Escape to see everything again.</p>
</section>"""


def _cell(label: str, content: str) -> str:
    return f'<td role="cell" data-label="{label}"><span>{content}</span></td>'


def _people(found: Map) -> str:
    crowds = []
    for number, crowd in enumerate(found.crowds):
        names = f": {', '.join(crowd.members)}" if crowd.members else ""
        crowds.append(f'<li id="who-{number}"><strong>{escape(crowd.label)}</strong> {escape(crowd.note + names)}</li>')
    each = []
    for name in found.people:
        own = [way.address or way.title for way in found.ways if name in way.people]
        each.append(
            f"<details><summary>{escape(_person(name))}: {len(own)} of {places(len(found.ways))}</summary>"
            f"<p>{escape(', '.join(own)) or 'nothing'}</p></details>"
        )
    return f"""<section class="people" aria-labelledby="people-title">
<h2 id="people-title">People</h2>
<ul>{"".join(crowds)}</ul>
{"".join(each)}
</section>"""


def _manual_steps(found: Map) -> str:
    items = []
    for work in found.manual_steps:
        steps = "".join(f"<li>{_with_code(step)}</li>" for step in work.steps)
        steps += "".join(f"<li>{escape(label)}: {_value(value)}</li>" for label, value in pasted(work, {}))
        items.append(f"<li>{escape(work.title)}<ul>{steps}</ul></li>")
    body = f"<ol>{''.join(items)}</ol>" if items else "<p>Nothing left to do by hand.</p>"
    return f"""<section class="manual-steps" aria-labelledby="manual-steps-title">
<h2 id="manual-steps-title">Manual steps</h2>
{body}
</section>"""


def _value(value: str) -> str:
    return _with_code(value) if value == NOT_YET else f"<code>{escape(value)}</code>"


def _with_code(step: str) -> str:
    parts = re.split(r"`([^`]+)`", step)
    return "".join(f"<code>{escape(p)}</code>" if number % 2 else escape(p) for number, p in enumerate(parts))


def _person(name: str) -> str:
    return name if "@" in name else f"{name[0].upper()}{name[1:]}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
