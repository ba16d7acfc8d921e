"""The page in a real Chromium, as a person meets it: eye, mouse, keyboard, screen reader, paper."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exposure.map import html_page
from tests.exposure.map import kit
from tests.kit import builders
from tests.kit.browser import Browser, browser, chromium

pytestmark = pytest.mark.browser

LOOK = Path(__file__).with_name("look.js").read_text(encoding="utf-8")
CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
WIDTHS = (320, 360, 679, 680, 768, 1119, 1120, 1280, 1920)
ROWS = "[...document.querySelectorAll('tbody tr')].filter(r => !r.hidden).map(r => r.querySelector('th').textContent)"
STATUS = "document.querySelector('#status').textContent"
LIT = """(() => { const map = [...document.querySelectorAll('svg.map')].find(m => m.checkVisibility());
    return [...map.querySelectorAll('[data-way]')].filter(w => !w.classList.contains('off')).length; })()"""
FOCUSED = """(() => { const e = document.activeElement;
    return e.id || e.value || e.dataset?.pick || e.getAttribute('href') || e.tagName; })()"""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    executable = chromium()
    if executable is None:
        pytest.skip("no Chromium on PATH: install the package `chromium`")
    with browser(executable) as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    for name, found in {
        "alfred": kit.shipped("alfred"),
        "octavo": kit.shipped("octavo"),
        "plain": kit.plain(),
        "forms": kit.forms(),
        "hostile": kit.hostile(),
        "empty": kit.made({}),
    }.items():
        (folder / f"{name}.html").write_text(html_page(found), encoding="utf-8")
    return folder


@pytest.fixture
def alfred(chrome: Browser, pages: Path) -> Browser:
    chrome.open(pages / "alfred.html", 1280)
    return chrome


# The eye


@pytest.mark.parametrize("name", ["alfred", "octavo", "plain", "forms", "hostile"])
def test_nothing_overlaps_and_nothing_is_cut_at_any_width(chrome: Browser, pages: Path, name: str) -> None:
    chrome.open(pages / f"{name}.html", 1280)
    found = {}
    for width in WIDTHS:
        chrome.size(width, 900)
        found[width] = chrome.evaluate(f"({LOOK})()")
    assert found == {width: [] for width in WIDTHS}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("document.querySelector('.map-wide text').setAttribute('x', 5000)", "outside the map"),
        ("document.querySelector('.map-wide .service text').setAttribute('y', 400)", "out of its box"),
        ("document.querySelector('h1').textContent = 'W'.repeat(40); document.body.className = ''", ""),
        ("document.querySelector('main').prepend(Object.assign(new Image(), {width: 3000}))", "the page is"),
        ("document.querySelectorAll('.map-wide .service rect')[1].setAttribute('y', 70)", "boxes on each other"),
    ],
)
def test_what_is_wrong_would_be_seen(alfred: Browser, change: str, word: str) -> None:
    alfred.evaluate(f"{change}; 0")
    assert [sentence for sentence in alfred.evaluate(f"({LOOK})()") if word in sentence] or not word


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_text_and_lines_have_the_contrast_that_wcag_asks_for(
    chrome: Browser, pages: Path, dark: bool, width: int
) -> None:
    chrome.open(pages / "plain.html", width, dark=dark)
    # elementsFromPoint knows only what is in the viewport.
    chrome.size(width, int(chrome.evaluate("document.documentElement.scrollHeight")))
    answer = chrome.evaluate(f"({CONTRAST})()")
    assert answer["looked"] > 100
    assert answer["wrong"] == []


def test_bad_contrast_would_be_seen(chrome: Browser, pages: Path) -> None:
    chrome.open(pages / "plain.html", 1280)
    chrome.size(1280, int(chrome.evaluate("document.documentElement.scrollHeight")))
    chrome.evaluate("document.documentElement.style.setProperty('--soft', '#999')")
    assert chrome.evaluate(f"({CONTRAST})()")["wrong"]


def test_dark_mode_is_dark_and_light_mode_is_light(chrome: Browser, pages: Path) -> None:
    grounds = []
    for dark in (False, True):
        chrome.open(pages / "alfred.html", 1280, dark=dark)
        grounds.append(chrome.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]


def test_each_gate_has_a_line_of_its_own_without_its_colour(alfred: Browser) -> None:
    styles = alfred.evaluate("""[...document.querySelectorAll('.legend label .sample')].map(s => {
        const line = getComputedStyle(s.querySelector('.line'));
        return [line.strokeDasharray, !!s.querySelector('.core')].join(); })""")
    assert len(set(styles)) == len(styles) == 6
    labels = alfred.evaluate("[...document.querySelectorAll('.map-wide .t-pill')].map(t => t.textContent)")
    assert sorted({label.split(":")[0] for label in labels}) == sorted(kit.shipped("alfred").gates)


# Nothing leaves the page, nothing in a name runs


@pytest.mark.parametrize(
    ("name", "dark"), [("alfred", False), ("alfred", True), ("plain", False), ("hostile", False), ("empty", False)]
)
def test_no_request_but_the_page_itself_and_no_word_on_the_console(
    chrome: Browser, pages: Path, name: str, dark: bool
) -> None:
    chrome.open(pages / f"{name}.html", 1280, dark=dark)
    chrome.evaluate("document.querySelector('#search').focus()")
    chrome.type("grafana <b>")
    for key in ("Tab", "ArrowDown", "Escape", "Tab", "Tab", "Tab", "Tab", " ", "Escape"):
        chrome.press(key)
    chrome.size(360, 800)
    assert chrome.requests() == [(pages / f"{name}.html").as_uri()]
    assert chrome.complaints() == []
    assert chrome.evaluate("window.pwned") is None


def test_a_request_and_a_complaint_would_be_seen(chrome: Browser, pages: Path, tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled.html"
    text = (pages / "plain.html").read_text(encoding="utf-8")
    # Without the policy, which stops the request itself, too.
    bare = text.replace("Content-Security-Policy", "nothing")
    spoiled.write_text(bare.replace("<main>", "<main><img src='missing.png'>"), encoding="utf-8")
    chrome.open(spoiled, 1280)
    assert [url.rsplit("/", 1)[-1] for url in chrome.requests()] == ["spoiled.html", "missing.png"]
    assert chrome.complaints()


def test_what_would_get_past_the_escaping_is_stopped_by_the_policy(
    chrome: Browser, pages: Path, tmp_path: Path
) -> None:
    spoiled = tmp_path / "spoiled.html"
    text = (pages / "plain.html").read_text(encoding="utf-8")
    attempt = (
        "<script>window.pwned=1</script><img src='x.png' onerror='window.pwned=2'><style>main{display:none}</style>"
    )
    spoiled.write_text(text.replace("<main>", f"<main>{attempt}"), encoding="utf-8")
    chrome.open(spoiled, 1280)
    assert chrome.evaluate("window.pwned") is None
    assert chrome.evaluate("getComputedStyle(document.querySelector('main')).display") == "block"
    assert len(chrome.complaints()) >= 3
    spoiled.write_text(text.replace("Content-Security-Policy", "nothing").replace("<main>", f"<main>{attempt}"))
    chrome.open(spoiled, 1280)
    assert chrome.evaluate("window.pwned") in (1, 2), "without the policy it does run"


def test_hostile_names_are_words_on_the_page(chrome: Browser, pages: Path) -> None:
    chrome.open(pages / "hostile.html", 1280)
    assert chrome.evaluate(
        "[document.scripts.length, document.images.length, document.querySelectorAll('b').length]"
    ) == [
        *(2, 0, 0),
    ]
    titles = chrome.evaluate("[...document.querySelectorAll('tbody th')].map(t => t.textContent)")
    assert titles == [way.title for way in kit.hostile().ways]


# Search, gates, people


def test_search_leaves_what_has_every_word(alfred: Browser) -> None:
    assert alfred.evaluate(STATUS) == "16 of 16 places shown"
    alfred.evaluate("document.querySelector('#search').focus()")
    alfred.type("grafana")
    assert alfred.evaluate(ROWS) == ["Grafana", "Grafana"]
    assert alfred.evaluate(LIT) == 2
    assert alfred.evaluate(STATUS) == "2 of 16 places shown"
    alfred.type(" ANYONE")
    assert alfred.evaluate(ROWS) == ["Grafana"]
    alfred.type(" nonsense")
    assert alfred.evaluate(ROWS) == []
    assert alfred.evaluate("document.querySelector('#none').checkVisibility()") is True
    alfred.press("Escape")
    assert alfred.evaluate(STATUS) == "16 of 16 places shown"
    assert alfred.evaluate("document.querySelector('#search').value") == ""


def test_a_gate_is_taken_out_by_its_box(alfred: Browser) -> None:
    alfred.evaluate("document.querySelector('.legend input[value=funnel]').click()")
    assert {"Komga", "Plex Media Server"} & set(alfred.evaluate(ROWS)) == set()
    assert alfred.evaluate(STATUS) == "12 of 16 places shown"
    assert alfred.evaluate(LIT) == 12
    alfred.evaluate("document.querySelector('#reset').click()")
    assert alfred.evaluate(STATUS) == "16 of 16 places shown"


@pytest.mark.parametrize(
    ("person", "missing"),
    [("Anyone", 7), ("alice@example.com", 0), ("bob@example.com", 1), ("Any member of the tailnet", 7)],
)
def test_a_person_is_chosen_and_what_she_reaches_is_left(alfred: Browser, person: str, missing: int) -> None:
    alfred.evaluate(f"""(() => {{ const s = document.querySelector('#person');
        s.value = [...s.options].find(o => o.text === {person!r}).value; s.dispatchEvent(new Event('change')); }})()""")
    name = person if "@" in person else person[0].lower() + person[1:]
    reached = [way.title for way in kit.shipped("alfred").ways if name in way.people]
    assert alfred.evaluate(ROWS) == reached
    assert len(reached) == alfred.evaluate(LIT) == 16 - missing
    status = alfred.evaluate(STATUS)
    assert status.lower().startswith(f"{name} reaches {16 - missing} of 16 places")
    assert ("; not ssh://alfred.xantu-lizard.ts.net" in status) == (missing == 1)


def test_a_service_and_a_crowd_are_picked_with_the_mouse_and_let_go(alfred: Browser) -> None:
    def click(selector: str) -> None:
        alfred.evaluate(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        place = alfred.evaluate(f"""(() => {{ const r = document.querySelector({selector!r}).getBoundingClientRect();
            return [r.left + r.width / 2, r.top + r.height / 2]; }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            alfred.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    click(".map-wide .who")
    crowd = alfred.evaluate("document.querySelector('.map-wide .who').getAttribute('aria-label')").split(",")[0]
    of_it = [way.title for way in kit.shipped("alfred").ways if way.crowd.label == crowd]
    assert alfred.evaluate(ROWS) == of_it
    assert 0 < len(of_it) < 16
    click(".map-wide .who")
    assert len(alfred.evaluate(ROWS)) == 16
    click(".map-wide .service")
    assert alfred.evaluate(ROWS) == ["InfluxDB"]
    assert "InfluxDB, public-tunnel: Anyone. 1 of 16 places shown" in alfred.evaluate(STATUS)
    assert alfred.evaluate("location.hash") == ""


# The keyboard


def test_everything_is_reached_by_tab_in_the_order_of_the_page_and_can_be_seen_to_be(alfred: Browser) -> None:
    alfred.evaluate("document.body.focus(); window.scrollTo(0, 0)")
    order = []
    for _ in range(80):
        alfred.press("Tab")
        order.append(alfred.evaluate(FOCUSED))
        if order[-1] == "BODY":
            break
        visible = alfred.evaluate("""(() => { const e = document.activeElement;
            const r = e.getBoundingClientRect(), s = getComputedStyle(e), b = e.querySelector(':scope > rect');
            const ring = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2;
            const edge = b && parseFloat(getComputedStyle(b).strokeWidth) >= 3;
            return r.width > 0 && r.bottom > 0 && r.top < innerHeight && (ring || edge); })()""")
        assert visible, order
    gates = list(kit.shipped("alfred").gates)
    people = [f"w{n}" for n in (1, 2, 0, 3)]
    services = [f"s{n}" for n in range(14)]
    links = [way.link for way in kit.shipped("alfred").ways if way.link]
    assert order[:4] == ["#ways", "search", "person", "reset"]
    assert order[4 : 4 + 6] == gates
    assert order[10] == "#ways"
    assert order[11:15] == people
    assert order[15:29] == services
    assert order[29 : 29 + len(links)] == links
    assert order[29 + len(links) :][:4] == ["SUMMARY"] * 4


def test_enter_and_space_pick_and_escape_lets_go(alfred: Browser) -> None:
    for key in ("Enter", " "):
        alfred.evaluate("document.querySelector('.map-wide [data-pick=s3]').focus()")
        alfred.press(key)
        assert alfred.evaluate(ROWS) == ["Grafana", "Grafana"], key
        assert alfred.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
        assert "household, after Google login; Anyone" in alfred.evaluate(STATUS)
        alfred.press("Escape")
        assert len(alfred.evaluate(ROWS)) == 16
        assert alfred.evaluate("document.activeElement.getAttribute('aria-pressed')") == "false"
        assert alfred.evaluate(FOCUSED) == "s3", "the focus stays where it was"


def test_escape_lets_go_of_what_is_picked_before_what_is_searched(alfred: Browser) -> None:
    alfred.evaluate("document.querySelector('#search').focus()")
    alfred.type("zero-trust")
    alfred.evaluate("document.querySelector('.map-wide [data-pick=s3]').focus()")
    counts = []
    for key in ("Enter", "Escape", "Escape"):
        alfred.press(key)
        counts.append(len(alfred.evaluate(ROWS)))
    assert counts == [2, 7, 16]


def test_a_slash_goes_to_the_search_and_is_not_typed(alfred: Browser) -> None:
    alfred.evaluate("document.querySelector('.map-wide [data-pick=s3]').focus()")
    alfred.press("/")
    assert alfred.evaluate(FOCUSED) == "search"
    assert alfred.evaluate("document.querySelector('#search').value") == ""


# The screen reader


def tree(chrome: Browser) -> list[dict[str, Any]]:
    nodes = chrome.call("Accessibility.getFullAXTree")["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", ""),
            **{p["name"]: p["value"].get("value") for p in node.get("properties", ())},
        }
        for node in nodes
        if not node["ignored"]
    ]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["alfred", "hostile"])
def test_a_screen_reader_finds_landmarks_headings_names_and_the_table(
    chrome: Browser, pages: Path, name: str, width: int
) -> None:
    chrome.open(pages / f"{name}.html", width)
    nodes = tree(chrome)
    roles = [node["role"] for node in nodes]
    for role in ("main", "banner", "contentinfo", "search"):
        assert roles.count(role) == 1, role
    assert {"Map", "Every place", "People", "Manual steps", "Filter and legend"} <= {
        node["name"] for node in nodes if node["role"] == "region"
    }
    levels = [node["level"] for node in nodes if node["role"] == "heading"]
    assert levels == [1, 2, 2, 2, 2]
    ways = {"alfred": kit.shipped("alfred"), "hostile": kit.hostile()}[name].ways
    assert roles.count("row") == len(ways) + 1
    assert roles.count("rowheader") == len(ways)
    assert roles.count("columnheader") == 5
    assert roles.count("cell") == 4 * len(ways)
    assert [n for n in nodes if n.get("focusable") and n["role"] != "RootWebArea" and not n["name"]] == []
    status = [node for node in nodes if node["role"] == "status"]
    assert [(node["live"], node["atomic"]) for node in status] == [("polite", True)]
    assert chrome.evaluate("document.documentElement.lang") == "en"
    buttons = {node["name"] for node in nodes if node["role"] == "button"}
    if name == "alfred":
        assert "Grafana, zero-trust: household, after Google login; Anyone" in buttons
        assert "household, 2 people: 6 places" in buttons


def test_what_is_filtered_away_is_gone_for_a_screen_reader_too(alfred: Browser) -> None:
    alfred.evaluate("document.querySelector('#search').focus()")
    alfred.type("komga")
    assert [n["name"] for n in tree(alfred) if n["role"] == "rowheader"] == ["Komga"]


@pytest.mark.parametrize("width", [360, 1280])
def test_what_is_touched_is_large_enough(chrome: Browser, pages: Path, width: int) -> None:
    chrome.open(pages / "alfred.html", width)
    # WCAG 2.2, 2.5.8: 24 pixels; links in a sentence are excepted.
    small = chrome.evaluate("""[...document.querySelectorAll('input, select, button, summary, .map a, .legend label')]
        .filter(e => e.checkVisibility()).map(e => [e.tagName, e.closest('label') ?? e])
        .filter(([, e]) => { const r = e.getBoundingClientRect(); return Math.min(r.width, r.height) < 24; }).length""")
    assert small == 0


# Without a script, and on paper


def test_without_a_script_everything_is_shown_and_nothing_dead(chrome: Browser, pages: Path) -> None:
    chrome.open(pages / "alfred.html", 1280, script=False)
    chrome.call("Emulation.setScriptExecutionDisabled", value=False)
    assert len(chrome.evaluate(ROWS)) == 16
    assert chrome.evaluate(LIT) == 16
    dead = chrome.evaluate(
        "[...document.querySelectorAll('input, select, button')].filter(e => e.checkVisibility()).length"
    )
    assert dead == 0
    # A service is then a link to its row.
    assert (
        chrome.evaluate("""(() => { const a = document.querySelector('.map-wide .service');
        return document.querySelector(a.getAttribute('href')).querySelector('th').textContent; })()""")
        == "InfluxDB"
    )


@pytest.mark.parametrize("width", [360, 1280])
def test_on_paper_there_is_the_wide_map_and_no_control(chrome: Browser, pages: Path, width: int) -> None:
    chrome.open(pages / "alfred.html", width, dark=True)
    chrome.call("Emulation.setEmulatedMedia", media="print")
    shown = chrome.evaluate("""['.map-wide', '.map-middle', '.map-narrow', '.filters', '.legend', '.legend input',
        '.ways', '.manual-steps'].filter(s => document.querySelector(s).checkVisibility())""")
    assert shown == [".map-wide", ".legend", ".ways", ".manual-steps"]
    assert chrome.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    paper = base64.b64decode(chrome.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
    assert paper.startswith(b"%PDF")
    # The map on the first page, then the table, the people and the manual steps.
    assert 3 <= paper.count(b"/Type /Page\n") <= 6


def test_three_hundred_services_are_filtered_like_a_few(chrome: Browser, tmp_path: Path) -> None:
    found = kit.made({f"web-{n:03}": (builders.HTML, builders.OPEN_HTML, builders.MEDIA)[n % 3] for n in range(300)})
    page = tmp_path / "many.html"
    page.write_text(html_page(found), encoding="utf-8")
    chrome.open(page, 1280)
    chrome.evaluate("document.querySelector('#search').focus()")
    chrome.type("web-017")
    assert chrome.evaluate(ROWS) == ["Web 017"]
    assert chrome.evaluate(STATUS) == "1 of 300 places shown"
