"""Paths that a rule's expression matches: what shows a rule at work."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice, product

from exposure.reach.match import matches_path

_MOST = 24
_CLASSES = {"d": "07", "w": "aZ_", "s": " \t", "D": "a-", "W": "-~", "S": "a0"}
_PRINTABLE = "a0-/_.~b1zAZ9" + "".join(chr(c) for c in range(33, 127))


@lru_cache(maxsize=1024)
def examples(expression: str) -> tuple[str, ...]:
    """Short paths that an RE2 expression matches, the shortest first; empty where none was found.

    Every one starts with `/` and is proved by RE2 itself. Each alternative, and each `?`, `*` both taken and left out,
    has its own example as far as there is room.
    """
    try:
        texts = _Reader(expression).alternatives()
    except (_UnreadError, RecursionError):
        texts = [""]
    candidates: dict[str, None] = {}
    for text in texts:
        for path in (text, f"/{text}", f"{text}/", f"/{text}/", f"{text}/below", f"/x{text}"):
            if path.startswith("/"):
                candidates.setdefault(path)
    candidates.setdefault("/")
    try:
        found = [p for p in candidates if matches_path(expression, p)]
    except ValueError:
        return ()
    return tuple(sorted(found, key=lambda p: ("//" in p, len(p), p))[:_MOST])


class _UnreadError(Exception):
    pass


class _Reader:
    """Reads the common part of RE2's syntax to texts that may match; RE2 has the last word."""

    def __init__(self, expression: str) -> None:
        self.text = expression
        self.at = 0

    def alternatives(self) -> list[str]:
        """`a|b` up to its end or a closing bracket."""
        found = self.sequence()
        while self.peek() == "|":
            self.at += 1
            found += self.sequence()
        return list(dict.fromkeys(found))[:_MOST]

    def sequence(self) -> list[str]:
        parts: list[list[str]] = []
        while (char := self.peek()) and char not in "|)":
            parts.append(self.repeated(self.atom()))
        return ["".join(p) for p in islice(product(*parts), _MOST)]

    def repeated(self, atom: list[str]) -> list[str]:
        char = self.peek()
        if char and char in "*+?":
            self.at += 1
            self.lazy()
            more = [] if char == "?" else [a + b for a, b in zip(atom, reversed(atom), strict=True)]
            return list(dict.fromkeys([*atom, *more] if char == "+" else ["", *atom, *more]))[:_MOST]
        if char == "{":
            end = self.text.find("}", self.at)
            low = self.text[self.at + 1 : end].split(",")[0]
            if end > 0 and low.isdigit() and int(low) < 64:
                self.at = end + 1
                self.lazy()
                return [a * int(low) for a in atom]
        return atom

    def lazy(self) -> None:
        if self.peek() == "?":
            self.at += 1

    def atom(self) -> list[str]:
        char = self.take()
        if char in "^$":
            return [""]
        if char == ".":
            return ["a", "Z", "-"]
        if char == "(":
            return self.group()
        if char == "[":
            return self.some_of_class()
        if char == "\\":
            return self.escaped()
        return [char]

    def group(self) -> list[str]:
        if self.peek() == "?":
            end = min((i for i in (self.text.find(c, self.at) for c in ":>)") if i > 0), default=-1)
            if end < 0:
                raise _UnreadError
            closed = self.text[end] == ")"
            self.at = end + 1
            if closed:
                return [""]
        found = self.alternatives()
        if self.take() != ")":
            raise _UnreadError
        return found

    def escaped(self) -> list[str]:
        char = self.take()
        if char in _CLASSES:
            return list(_CLASSES[char])
        if char in "bBAz":
            return [""]
        if char.isalnum():
            return [{"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}.get(char) or self.unread()]
        return [char]

    def unread(self) -> str:
        raise _UnreadError

    def some_of_class(self) -> list[str]:
        """The first, a middle and the last of the characters that a class has."""
        start = self.at - 1
        if self.peek() == "^":
            self.at += 1
        if self.peek() == "]":
            self.at += 1
        while self.take() != "]":
            if self.text[self.at - 1] == "\\":
                self.at += 1
            elif self.text.startswith("[:", self.at - 1):
                self.at = self.text.find(":]", self.at) + 2
        expression = self.text[start : self.at]
        try:
            found = sorted({c for c in _PRINTABLE if matches_path(f"^{expression}$", c)})
        except ValueError:
            raise _UnreadError from None
        if not found:
            raise _UnreadError
        return list(dict.fromkeys((found[0], found[len(found) // 2], found[-1])))

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        if self.at >= len(self.text):
            raise _UnreadError
        self.at += 1
        return self.text[self.at - 1]
