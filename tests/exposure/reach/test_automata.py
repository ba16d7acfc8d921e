"""Expressions walked side by side, against RE2 itself: every text falls in one class, and each class has one."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from exposure.reach.automata import TooManyError, UnreadError, classes, complement, search, shortest, union
from exposure.reach.match import covers_path, glob

EXPRESSIONS = [
    *(r"^/api(/|$)", r"v[0-9]+/pub", r"^/\.well-known/acme-challenge/", "(?i)admin", "a{2,3}b", "[^/]+$"),
    *("^/(a|b)*c?$", r"\A/ab\z", "x*", "(?s).b", "[[:alpha:]]+/$", "a|^/b|c$", "[a-c-]x", "(?:ab)+?", r"\Qa.b\E"),
    *(
        r"\x61",
        "(?i:A)b",
        "^/$",
        "",
        "^",
        "$",
        "a$b",
        "[^a-c]",
        r"\w\d",
        r"\S\s",
        "(?P<n>a)c",
        "(a|)(b|)$",
        "a{0}b",
        "a{,2}",
    ),
]
# Few letters, so that they meet; a line break, which `.` does not take; one beyond ASCII.
_ALPHABET = "/abcA1.-x\né"


@cache
def _compiled(expression: str) -> Any:
    return re2.compile(expression)


def _re2(expression: str, text: str) -> bool:
    return _compiled(expression).search(text) is not None


_TEXTS = ["/" + "".join(t) for n in range(4) for t in itertools.product(_ALPHABET, repeat=n)]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_automaton_matches_what_re2_matches(expression: str) -> None:
    automaton = search(expression)
    wrong = [text for text in _TEXTS if automaton.matches(text) != _re2(expression, text)]
    assert wrong == []


@settings(max_examples=settings().max_examples * 2)
@given(st.sampled_from(EXPRESSIONS), st.text(st.sampled_from(_ALPHABET), max_size=9).map(lambda t: f"/{t}"))
def test_it_matches_longer_texts_alike(expression: str, text: str) -> None:
    assert search(expression).matches(text) == _re2(expression, text)


@settings(max_examples=max(settings().max_examples // 3, 5))
@given(st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=4, unique=True))
def test_every_text_falls_in_one_class_and_every_class_has_a_shortest_text(expressions: list[str]) -> None:
    found = {c.matched: c.witness for c in classes([search(e) for e in expressions], "/")}
    shortest_seen: dict[frozenset[int], int] = {}
    for text in _TEXTS:
        matched = frozenset(n for n, e in enumerate(expressions) if _re2(e, text))
        assert matched in found, (text, expressions)
        shortest_seen.setdefault(matched, len(text))
    for matched, witness in found.items():
        assert frozenset(n for n, e in enumerate(expressions) if _re2(e, witness)) == matched
        assert len(witness) <= shortest_seen.get(matched, len(witness))


@pytest.mark.parametrize(
    "expression",
    ["(", ")", "[", "*a", "a**", r"\p{Greek}", r"a\b", "(?m)^a", "a{2}{3}", "(?=x)", "[z-a]", r"\C", "a\\"],
)
def test_what_is_not_read_is_said_and_never_taken_for_another_language(expression: str) -> None:
    with pytest.raises(UnreadError):
        search(expression)


def test_a_walk_has_an_end() -> None:
    # Each remembers the letter eleven places back: the states are two to the power of that.
    with pytest.raises(TooManyError):
        classes([search("a.{11}$"), search("b.{11}$")], "/", most=500)


@pytest.mark.parametrize("pattern", ["", "/", "/*", "/alpha", "/alpha/", "/alpha/*", "/a*b", "/*/x", "/a.b", "/(x"])
def test_an_access_path_as_an_expression_covers_what_the_path_covers(pattern: str) -> None:
    automaton = search(glob(pattern))
    for text in (
        "/",
        "/alpha",
        "/alpha/",
        "/alpha/one",
        "/alphabet",
        "/ab",
        "/axb/c",
        "/x",
        "/q/x",
        "/a.b",
        "/axb",
        "/(x",
    ):
        assert automaton.matches(text) == covers_path(pattern, text), (pattern, text)


def test_characters_are_joined_and_turned_round() -> None:
    assert union(((1, 3),), ((2, 5),), ((6, 6),), ((9, 9),)) == ((1, 6), (9, 9))
    assert union(complement(((1, 6), (9, 9))), ((1, 6), (9, 9))) == ((0, 0x10FFFF),)


def test_the_shortest_example_is_one_that_people_can_read() -> None:
    assert shortest(r"^/api/v[0-9]+(/|$)") == "/api/v0"
    assert shortest("admin") == "/admin"
    assert shortest("^x") is None


def test_two_rules_that_meet_in_the_middle_of_a_path_are_told_apart() -> None:
    # What a look at examples of each rule alone does not show.
    found = classes([search("v[0-9]+/pub"), search("^/api(/.*)?$")], "/")
    both = next(c for c in found if c.matched == {0, 1})
    assert both.witness == "/api/v0/pub"
