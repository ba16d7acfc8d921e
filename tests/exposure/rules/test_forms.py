"""Texts of open forms: durations and zones, against what Go, Access and the registries say of them."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.loader import tie
from exposure.check import check
from tests.kit.builders import ESTATE, loaded

_GO = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 6 * 10**10, "h": 36 * 10**11}
"""Go's time.Duration: nanoseconds in each unit [go.dev/pkg/time, ParseDuration]."""
_MONTH = 730 * _GO["h"]
"""CFDOC cloudflare-one/access-controls/access-settings/session-management: from immediate timeout to one month."""

numbers = st.one_of(st.integers(0, 800), st.integers(0, 999_999_999), st.decimals(0, 800, places=2).map(str)).map(str)
durations = st.lists(st.tuples(numbers, st.sampled_from(sorted(_GO))), min_size=1, max_size=3)


def session(text: str) -> set[str]:
    return {f.rule for f in check(tie([loaded({}, estate={**ESTATE, "session_duration": text})]))}


def zone(name: str, **more: Any) -> dict[str, str]:
    stack = loaded({}, estate={**ESTATE, "zone": {"name": name}}, **more)
    return {f.rule: f.suggestion for f in check(tie([stack]))}


@given(durations)
def test_a_session_is_taken_where_go_reads_a_duration_of_up_to_a_month(parts: list[tuple[str, str]]) -> None:
    text = "".join(number + unit for number, unit in parts)
    length = sum(Fraction(number) * _GO[unit] for number, unit in parts)
    assert session(text) == (set() if text == "0s" or 0 < length <= _MONTH else {"session-duration"})


@pytest.mark.parametrize("text", ["730h", "43800m", "2628000s", "2628000000ms", "729h60m", "0s"])
def test_a_month_is_taken_in_every_unit_and_nothing_at_all(text: str) -> None:
    assert session(text) == set()


@given(st.text(st.sampled_from("0123456789.hmsdnuµ w-+e\n"), max_size=12))
def test_of_other_texts_none_is_taken(text: str) -> None:
    if not re.fullmatch(r"([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+", text):
        # What is no text in YAML is told before that it is none.
        assert session(text)


def test_a_text_without_end_is_refused_at_once() -> None:
    assert session("1h" * 200_000) == {"session-duration"}


# publicsuffix.org, tests/test_psl.txt: the domain that is registered of each name.
@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("b.example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("b.domain.biz", "domain.biz"),
        ("b.example.uk.com", ""),
        ("test.ac", "test.ac"),
        ("b.test.ac.jp", "test.ac.jp"),
        ("c.kobe.jp", ""),
        ("b.c.kobe.jp", "b.c.kobe.jp"),
        ("city.kobe.jp", "city.kobe.jp"),
        ("www.city.kobe.jp", "city.kobe.jp"),
        ("b.test.ck", "b.test.ck"),
        ("www.ck", "www.ck"),
        ("www.www.ck", "www.ck"),
        ("test.k12.ak.us", "test.k12.ak.us"),
        ("www.test.k12.ak.us", "test.k12.ak.us"),
        ("xn--85x722f.com.cn", "xn--85x722f.com.cn"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("xn--55qx5d.cn", ""),
    ],
)
def test_a_zone_is_what_the_public_suffix_list_says_is_registered(name: str, domain: str) -> None:
    found = zone(name)
    if name == domain:
        assert found == {}
    else:
        assert found == {"zone-registered": domain}
        assert zone(name, acknowledge={"zone-registered": "on an Enterprise plan"}) == {}


@given(st.text(max_size=20))
@example("www.Example.com.")
@example("*.Smith.DuckDNS.org")
@example("Co.uk")
@example("https://home.example.co.uk/")
def test_any_text_for_a_zone_has_an_answer_and_what_is_suggested_is_taken(name: str) -> None:
    for suggestion in zone(name).values():
        assert not suggestion or zone(suggestion) == {}
