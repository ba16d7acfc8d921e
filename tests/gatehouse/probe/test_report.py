"""The results as people, programs and CI get them."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

from gatehouse.probe.judge import State, Verdict
from gatehouse.probe.probes import Check, NameProbe
from gatehouse.probe.report import Progress, findings, summary, table, to_dict, write_junit
from gatehouse.probe.runner import Result


def result(id_: str, state: State = "passed", seen: str = "seen", must_not: bool = False) -> Result:
    subject, what = id_.split("/")
    check = Check(
        subject, "zero-trust", what, "a promise", NameProbe("absent", "x.example.com"), "it means", "do this", must_not
    )
    return Result(check, Verdict(state, seen), 0.25)


MIXED = [
    result("wiki/name"),
    result("wiki/login", "failed", "200, answered", must_not=True),
    result("a-service-with-a-very-long-key-indeed/name", "not proven", "silence"),
    result("very-very-long-domain-name.example.com/ds"),
]


def test_the_table_counts_what_works_and_what_must_not_by_subject() -> None:
    rows = table(MIXED).splitlines()
    assert rows[0].split() == ["gate", "works", "kept", "shut", "unproven"]
    assert re.split(r"  +", rows[1].strip()) == ["wiki", "zero-trust", "1 of 1", "0 of 1", "FAILED"]
    assert re.split(r"  +", rows[2].strip())[-2:] == ["1", "?"]


def test_everything_fits_80_columns_and_colour_says_nothing_alone() -> None:
    for colours in (False, True):
        text = table(MIXED, 80, colours) + "\n" + findings(MIXED, 80, colours, every=True)
        plain = re.sub(r"\033\[[0-9;]*m", "", text)
        assert max(map(len, plain.splitlines())) <= 80
        assert (text != plain) == colours
        assert "FAILED" in plain


def test_a_failure_says_what_was_seen_what_it_means_and_what_to_do() -> None:
    text = findings(MIXED)
    assert re.findall(r"^    (\w+) +(.*)$", text, re.M)[:5] == [
        ("asked", "x.example.com"),
        ("promised", "a promise"),
        ("seen", "200, answered"),
        ("means", "it means"),
        ("do", "do this"),
    ]
    assert "not proven: a-service-with-a-very-long-key-indeed/name" in text


def test_the_last_line_counts() -> None:
    assert summary(MIXED, 1.23) == "4 checks in 1.2 s: 2 passed, 1 failed, 1 not proven."
    assert summary(MIXED[:1], 0) == "1 check in 0.0 s: 1 passed, none failed."


def test_progress_is_a_line_for_each_subject_off_a_terminal() -> None:
    stream = io.StringIO()
    progress = Progress([r.check for r in MIXED], stream, live=False)
    for found in MIXED:
        progress(found)
    assert stream.getvalue().splitlines()[0] == "[  2 of 4] wiki: 2 checks, 1 failed"
    assert len(stream.getvalue().splitlines()) == 3


def test_progress_is_one_line_on_a_terminal_and_it_is_wiped() -> None:
    stream = io.StringIO()
    progress = Progress([r.check for r in MIXED], stream, live=True)
    for found in MIXED:
        progress(found)
    assert "\n" not in stream.getvalue()
    assert "2 of 4, 1 failed  wiki/login" in stream.getvalue()
    assert stream.getvalue().endswith("\r\033[K")


def test_junit_has_a_suite_for_each_subject_and_any_answer_is_xml(tmp_path: Path) -> None:
    path = tmp_path / "verify.xml"
    write_junit(path, "alfred", [*MIXED, result("wiki/odd", "failed", "\x00\x1b<&\ud800")], 2)
    root = ElementTree.parse(path).getroot()
    assert [root.get(k) for k in ("tests", "failures", "skipped", "time")] == ["5", "2", "1", "2.000"]
    wiki = root[0]
    assert (wiki.get("name"), wiki.get("tests"), wiki.get("failures")) == ("wiki", "3", "2")
    failure = wiki.find("testcase[@name='wiki/login']/failure")
    assert failure is not None
    assert failure.text == "asked: x.example.com\npromised: a promise\nmeans: it means\ndo: do this"
    odd = wiki.find("testcase[@name='wiki/odd']/failure")
    assert odd is not None
    assert odd.get("message") == "??<&?"
    assert root.find("testsuite/testcase/skipped") is not None


def test_json_holds_every_check() -> None:
    document = json.loads(json.dumps(to_dict("alfred", MIXED, 1.0)))
    assert (document["passed"], document["failed"], document["not_proven"]) == (2, 1, 1)
    assert document["checks"][1]["id"] == "wiki/login"
    assert document["checks"][1]["must_not"] is True
    assert document["checks"][1]["state"] == "failed"
