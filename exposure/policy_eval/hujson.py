"""HuJSON (JSON with comments and trailing commas) to Python values, with the place of each value.

The PyPI parsers of JSON5 take a much wider language (bare names, single quotes, hex numbers), keep neither
places nor duplicate keys apart, and would accept what Tailscale refuses: this is standard JSON plus the two
additions and no more (https://github.com/tailscale/hujson). Duplicate keys are refused, as Tailscale does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Path = tuple[str | int, ...]

# A policy is four levels deep. The bound keeps hostile text from exhausting the stack.
DEEPEST = 100

_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_WORD = re.compile(r"[-+.a-zA-Z0-9]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, Json] = {"null": None, "true": True, "false": False}


class Position(NamedTuple):
    """A place in the text; both count from 1, columns in characters. 0 where there is none."""

    line: int = 0
    column: int = 0


class HuJSONError(ValueError):
    """Text that is not HuJSON: what is wrong, and where."""

    def __init__(self, reason: str, position: Position) -> None:
        self.reason = reason
        self.position = position
        super().__init__(f"line {position.line}, column {position.column}: {reason}")


class Span(NamedTuple):
    """What a value takes of the text, by offsets: from the name before it, if it has one, then from itself."""

    begin: int
    value: int
    end: int


class Document(NamedTuple):
    """A parsed text: its value, and the place of each value in it, by path (a member of an object by its key)."""

    value: Json
    where: Mapping[Path, Position]
    spans: Mapping[Path, Span] = MappingProxyType({})


def parse(text: str | bytes) -> Document:
    """Read HuJSON.

    Takes the text (bytes must be UTF-8) and gives its value with the place of every value in it. Objects keep
    the order of their members. Raises `HuJSONError` for everything that is not HuJSON, and nothing else.
    """
    if isinstance(text, bytes):
        raw = text
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            before = raw[: error.start].decode("utf-8")
            raise HuJSONError("this is not UTF-8", _Reader(before).position(len(before))) from None
    reader = _Reader(text)
    value, end = reader.value(reader.extra(0), (), 0)
    end = reader.extra(end)
    if end < len(text):
        raise reader.error(f"{reader.shown(end)} after the end of the value", end)
    return Document(value, reader.where, reader.spans)


def skip(text: str, at: int) -> int:
    """The offset after white space and comments."""
    return _Reader(text).extra(at)


class _Reader:
    """One pass over one text. Every method takes an offset and gives the offset after what it read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.where: dict[Path, Position] = {}
        self.spans: dict[Path, Span] = {}
        self._line, self._line_start, self._seen = 1, 0, 0

    def position(self, at: int) -> Position:
        # Asked in rising order while reading, so that the whole text is counted once.
        if at < self._seen:
            self._line, self._line_start, self._seen = 1, 0, 0
        self._line += self.text.count("\n", self._seen, at)
        self._line_start = max(self._line_start, self.text.rfind("\n", self._seen, at) + 1)
        self._seen = at
        return Position(self._line, at - self._line_start + 1)

    def error(self, reason: str, at: int) -> HuJSONError:
        return HuJSONError(reason, self.position(at))

    def shown(self, at: int) -> str:
        return ascii(self.text[at]) if at < len(self.text) else "the end of the text"

    def extra(self, at: int) -> int:
        """Skip white space and comments."""
        text = self.text
        while True:
            at = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if text.startswith("//", at):
                end = text.find("\n", at)
                if end < 0:
                    raise self.error("the comment on the last line needs a line break after it", at)
                at = end + 1
            elif text.startswith("/*", at):
                end = text.find("*/", at + 2)
                if end < 0:
                    raise self.error("the comment is never closed by */", at)
                at = end + 2
            else:
                return at

    def value(self, at: int, path: Path, depth: int, begin: int | None = None) -> tuple[Json, int]:
        if depth > DEEPEST:
            raise self.error(f"nested deeper than {DEEPEST} levels", at)
        self.where[path] = self.position(at)
        value, end = self.bare(at, path, depth)
        self.spans[path] = Span(at if begin is None else begin, at, end)
        return value, end

    def bare(self, at: int, path: Path, depth: int) -> tuple[Json, int]:
        first = self.text[at : at + 1]
        if first == "{":
            return self.object(at, path, depth)
        if first == "[":
            return self.array(at, path, depth)
        if first == '"':
            return self.string(at)
        return self.literal(at)

    def object(self, at: int, path: Path, depth: int) -> tuple[Json, int]:
        members: dict[str, Json] = {}
        at = self.extra(at + 1)
        while self.text[at : at + 1] != "}":
            if self.text[at : at + 1] != '"':
                raise self.error(f"expected a name in double quotes, not {self.shown(at)}", at)
            begin = at
            name, at = self.string(at)
            if name in members:
                raise self.error(f"the name {name!a} stands twice in one object", begin)
            at = self.extra(at)
            if self.text[at : at + 1] != ":":
                raise self.error(f"a colon must follow the name, not {self.shown(at)}", at)
            members[name], at = self.value(self.extra(at + 1), (*path, name), depth + 1, begin)
            at = self.separator(at, "}")
        return members, at + 1

    def array(self, at: int, path: Path, depth: int) -> tuple[Json, int]:
        elements: list[Json] = []
        at = self.extra(at + 1)
        while self.text[at : at + 1] != "]":
            element, at = self.value(at, (*path, len(elements)), depth + 1)
            elements.append(element)
            at = self.separator(at, "]")
        return elements, at + 1

    def separator(self, at: int, close: str) -> int:
        at = self.extra(at)
        if self.text[at : at + 1] == ",":
            return self.extra(at + 1)
        if self.text[at : at + 1] != close:
            raise self.error(f"expected a comma or {close}, not {self.shown(at)}", at)
        return at

    def string(self, at: int) -> tuple[str, int]:
        begin, parts = at, list[str]()
        at += 1
        while True:
            end = _PLAIN.match(self.text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
            parts.append(self.text[at:end])
            stop = self.text[end : end + 1]
            if stop == '"':
                break
            if stop != "\\":
                reason = "the string is never closed" if not stop else f"{stop!a} must be escaped in a string"
                raise self.error(reason, end if stop else begin)
            part, at = self.escape(end)
            parts.append(part)
        value = "".join(parts)
        if _SURROGATE.search(value):
            raise self.error("half a surrogate pair is no character", begin)
        return value, end + 1

    def escape(self, at: int) -> tuple[str, int]:
        kind = self.text[at + 1 : at + 2]
        if kind in _ESCAPES:
            return _ESCAPES[kind], at + 2
        digits = _HEX.match(self.text, at + 2) if kind == "u" else None
        if digits is None:
            raise self.error("this is no escape of JSON", at)
        code = int(digits.group(), 16)
        if 0xD800 <= code < 0xDC00 and self.text.startswith("\\u", at + 6):
            low = _HEX.match(self.text, at + 8)
            if low is not None and 0xDC00 <= int(low.group(), 16) < 0xE000:
                return chr(0x10000 + ((code - 0xD800) << 10) + int(low.group(), 16) - 0xDC00), at + 12
        return chr(code), at + 6

    def literal(self, at: int) -> tuple[Json, int]:
        word = _WORD.match(self.text, at).group()  # type: ignore[union-attr]  # it matches nothing, too
        end = at + len(word)
        if word in _WORDS:
            return _WORDS[word], end
        number = _NUMBER.fullmatch(word)
        if number is None:
            what = ascii(word[:20]) if word else self.shown(at)
            raise self.error(f"expected a value, not {what}", at)
        try:
            value = float(word) if number[2] or number[3] else int(word)
        except ValueError:  # Python reads no integer of more than 4,300 digits
            value = float("inf")
        if value in (float("inf"), float("-inf")):
            raise self.error("the number is too large", at)
        return value, end
