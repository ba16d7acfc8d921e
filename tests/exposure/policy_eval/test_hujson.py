"""HuJSON: what it is stands at https://github.com/tailscale/hujson; the JSON in it is checked against `json`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposure.policy_eval.hujson import DEEPEST, HuJSONError, Position, parse

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def test_comments_and_trailing_commas_are_read() -> None:
    text = """// first
    {
      "a": [1, 2, /* three */ 3,], // after
      /* a comment
         over two lines */
      "b": {"c": true,},
    }
    // last
    """
    assert parse(text).value == {"a": [1, 2, 3], "b": {"c": True}}


def test_every_value_has_its_place() -> None:
    where = parse('{\n  "a": [1,\n        {"b": null}],\n}\n').where
    assert where == {
        (): Position(1, 1),
        ("a",): Position(2, 8),
        ("a", 0): Position(2, 9),
        ("a", 1): Position(3, 9),
        ("a", 1, "b"): Position(3, 15),
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("", 1, 1, "expected a value, not the end of the text"),
        ('{"a": 1,\n "a": 2}', 2, 2, "stands twice in one object"),
        ("[1 2]", 1, 4, "expected a comma or ]"),
        ("[,]", 1, 2, "expected a value"),
        ("[1,,]", 1, 4, "expected a value"),
        ("{a: 1}", 1, 2, "expected a name in double quotes"),
        ("{'a': 1}", 1, 2, "expected a name in double quotes"),
        ('{"a" 1}', 1, 6, "a colon must follow the name"),
        ('{"a": 1', 1, 8, "expected a comma or }, not the end of the text"),
        ("{} {}", 1, 4, "after the end of the value"),
        ('"open', 1, 1, "the string is never closed"),
        ('"\t"', 1, 2, "must be escaped in a string"),
        ('"\\x41"', 1, 2, "no escape of JSON"),
        ('"\\u12"', 1, 2, "no escape of JSON"),
        ('"\\ud800"', 1, 1, "half a surrogate pair"),
        ("NaN", 1, 1, "expected a value"),
        ("-Infinity", 1, 1, "expected a value"),
        ("01", 1, 1, "expected a value"),
        (".5", 1, 1, "expected a value"),
        ("1e999", 1, 1, "the number is too large"),
        ("9" * 5000, 1, 1, "the number is too large"),
        ("/* open", 1, 1, "never closed by */"),
        ("{} // no line break", 1, 4, "needs a line break"),
        ("{} # shell", 1, 4, "after the end of the value"),
        ("\ufeff{}", 1, 1, "expected a value"),
        ("[" * 200, 1, DEEPEST + 2, "nested deeper"),
    ],
)
def test_what_is_not_hujson_is_refused_at_its_place(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(HuJSONError, match=r"line \d+, column \d+: ") as caught:
        parse(text)
    assert caught.value.position == Position(line, column)
    assert reason in caught.value.reason


def test_bytes_that_are_not_utf_8_are_refused_at_their_place() -> None:
    with pytest.raises(HuJSONError) as caught:
        parse(b'{\n  "a": "\xff"}')
    assert caught.value.position == Position(2, 9)


def test_bytes_are_read_as_utf_8() -> None:
    assert parse('["Zürich 🚀"]'.encode()).value == ["Zürich 🚀"]


@given(_VALUES, st.booleans(), st.sampled_from([None, 0, 3]))
def test_what_json_writes_is_read_back(value: object, escaped: bool, indent: int | None) -> None:
    assert parse(json.dumps(value, ensure_ascii=escaped, indent=indent)).value == value


def _error(text: str | bytes) -> HuJSONError | None:
    try:
        parse(text)
    except HuJSONError as error:
        return error
    return None


_PIECES = [*'{}[]",:/*\\ \n0e1-.tfnu', "//\n", '"a":', "true", "\ud800", "é"]


@given(st.lists(st.sampled_from(_PIECES)).map("".join))
def test_any_text_gives_a_value_or_an_error_with_a_place(text: str) -> None:
    error = _error(text)
    if error is not None:
        assert error.position >= (1, 1)
        assert error.reason.isascii()


@given(st.text() | st.binary())
def test_any_bytes_give_a_value_or_an_error(text: str | bytes) -> None:
    _error(text)


@given(st.lists(st.sampled_from([*'{}[]",: \n01.-e', "true", "null", '"a"'])).map("".join))
def test_without_comments_and_trailing_commas_it_agrees_with_json(text: str) -> None:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        # `json` lets duplicate keys pass.
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    try:
        expected = json.loads(text, object_pairs_hook=unique)
    except ValueError:
        return
    assert parse(text).value == expected
