"""Expressions as automata that are walked side by side: every way in which texts can match several of them at once.

An expression is read to a nondeterministic automaton whose sets of states are its deterministic ones, made as far as a
walk comes. RE2's own parser is not to be had from Python; what it takes and is not read here is `UnreadError`, never
another language.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import xor
from typing import Final

_LAST: Final = 0x10FFFF
_MOST_COPIES: Final = 1000
"""RE2 takes no counted repetition above this [RE2 syntax]."""

Ranges = tuple[tuple[int, int], ...]
"""Characters as code points: ranges, both ends included, in order and apart."""
State = frozenset[int]
"""A deterministic state: the automaton's own states that are alive. The empty one never matches again."""
MATCHED: Final[State] = frozenset({-1})
"""The state in which a search has found a match, whatever follows."""

ANY: Final[Ranges] = ((0, _LAST),)
_DIGIT: Final[Ranges] = ((0x30, 0x39),)
_WORD: Final[Ranges] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Final[Ranges] = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
_NAMED: Final[dict[str, Ranges]] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": _DIGIT,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": _WORD,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}
_CONTROL: Final = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}


class UnreadError(ValueError):
    """An expression with something in it that is not read here: nothing can be said of what it matches."""


class TooManyError(ValueError):
    """More states than a walk may look at."""


def union(*parts: Ranges) -> Ranges:
    """Characters that are in any of these."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(r for part in parts for r in part):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """All other characters."""
    found, at = [], 0
    for low, high in ranges:
        if at < low:
            found.append((at, low - 1))
        at = high + 1
    return tuple([*found, (at, _LAST)] if at <= _LAST else found)


def _either_case(ranges: Ranges) -> Ranges:
    more = []
    for low, high in ranges:
        if high > 0x7F:
            # Folding beyond ASCII takes a table that is not kept here.
            if low <= 0x7F or high != _LAST:
                raise UnreadError("case-insensitive characters beyond ASCII")
            continue
        for upper, lower in ((0x41, 0x61), (0x61, 0x41)):
            first, last = max(low, upper), min(high, upper + 25)
            if first <= last:
                more.append((first - upper + lower, last - upper + lower))
    return union(ranges, tuple(more))


@dataclass
class Automaton:
    """A search for one expression, as cloudflared's: anywhere in a text, unless anchored.

    `step` from `start` through a text's characters, then `accepts`. Sets of states are made when they are reached.
    """

    expression: str
    edges: list[list[tuple[Ranges, int]]] = field(default_factory=list, repr=False)
    jumps: list[list[tuple[str, int]]] = field(default_factory=list, repr=False)
    """Steps without a character: always (``), at the text's start (`^`) or end (`$`)."""
    first: int = 0
    last: int = 0
    start: State = frozenset()
    _stepped: dict[tuple[State, int], State] = field(default_factory=dict, repr=False)
    _accepting: dict[State, bool] = field(default_factory=dict, repr=False)
    _kinds: dict[State, frozenset[Ranges]] = field(default_factory=dict, repr=False)

    def step(self, state: State, char: int) -> State:
        """The state after one more character."""
        if state is MATCHED or state == MATCHED or not state:
            return state
        found = self._stepped.get((state, char))
        if found is None:
            targets = {
                target
                for one in state
                for ranges, target in self.edges[one]
                if any(low <= char <= high for low, high in ranges)
            }
            found = self._stepped[state, char] = self._closed({*targets, self.first}, "")
        return found

    def accepts(self, state: State) -> bool:
        """Whether a text that ends here matches."""
        found = self._accepting.get(state)
        if found is None:
            found = state == MATCHED or self.last in self._reached(state, "$")
            self._accepting[state] = found
        return found

    def kinds(self, state: State) -> frozenset[Ranges]:
        """The characters that the edges of a state that has not matched tell apart."""
        found = self._kinds.get(state)
        if found is None:
            found = self._kinds[state] = frozenset(ranges for one in state for ranges, _ in self.edges[one])
        return found

    def matches(self, text: str) -> bool:
        """Whether it matches anywhere in a text."""
        state = self.start
        for char in text:
            state = self.step(state, ord(char))
        return self.accepts(state)

    def _reached(self, states: Iterable[int], at: str) -> set[int]:
        found, open_ = set(states), list(states)
        while open_:
            for condition, target in self.jumps[open_.pop()]:
                if (not condition or condition in at) and target not in found:
                    found.add(target)
                    open_.append(target)
        return found

    def _closed(self, states: Iterable[int], at: str) -> State:
        found = self._reached(states, at)
        if self.last in found:
            return MATCHED
        # What has no edge and may not end here is no part of any match.
        return frozenset(s for s in found if self.edges[s] or any(c == "$" for c, _ in self.jumps[s]))


def search(expression: str) -> Automaton:
    """The automaton of an RE2 expression. Raises UnreadError."""
    made = Automaton(expression)
    reader = _Reader(expression, made)
    made.first, made.last = reader.whole()
    made.start = made._closed({made.first}, "^")
    return made


class _Reader:
    """Reads RE2's syntax into edges and jumps [github.com/google/re2/wiki/Syntax]."""

    def __init__(self, text: str, into: Automaton) -> None:
        self.text = text
        self.at = 0
        self.into = into
        self.fold = self.dotall = self.lines = False

    def whole(self) -> tuple[int, int]:
        part = self.alternatives()
        if self.at < len(self.text):
            raise UnreadError(f"an unexpected ) in {self.text!r}")
        return part

    def new(self) -> int:
        self.into.edges.append([])
        self.into.jumps.append([])
        return len(self.into.edges) - 1

    def jump(self, source: int, target: int, condition: str = "") -> None:
        self.into.jumps[source].append((condition, target))

    def alternatives(self) -> tuple[int, int]:
        kept = (self.fold, self.dotall, self.lines)
        parts = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            parts.append(self.sequence())
        self.fold, self.dotall, self.lines = kept
        if len(parts) == 1:
            return parts[0]
        start, end = self.new(), self.new()
        for first, last in parts:
            self.jump(start, first)
            self.jump(last, end)
        return start, end

    def sequence(self) -> tuple[int, int]:
        start = end = self.new()
        while (char := self.peek()) and char not in "|)":
            first, last = self.repeated()
            self.jump(end, first)
            end = last
        return start, end

    def repeated(self) -> tuple[int, int]:
        begun = self.at
        part = self.atom()
        times = self.quantifier()
        if times is None:
            return part
        part = self.times(begun, self.at, *times)
        if self.quantifier() is not None:
            raise UnreadError(f"a repetition of a repetition in {self.text!r}")
        return part

    def quantifier(self) -> tuple[int, int | None] | None:
        char = self.peek()
        found: tuple[int, int | None] | None = None
        if char and char in "*+?":
            found = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
            self.at += 1
        elif char == "{":
            end = self.text.find("}", self.at)
            low, comma, high = self.text[self.at + 1 : max(end, 0)].partition(",")
            if end < 0 or not low.isdigit() or (high and not high.isdigit()):
                return None
            found = (int(low), (int(high) if high else None) if comma else int(low))
            if max(found[0], found[1] or 0) > _MOST_COPIES:
                raise UnreadError(f"more than {_MOST_COPIES} repetitions in {self.text!r}")
            self.at = end + 1
        if found and self.peek() == "?":
            # Which match is preferred does not change whether there is one.
            self.at += 1
        return found

    def times(self, begun: int, after: int, low: int, high: int | None) -> tuple[int, int]:
        """The atom that starts at `begun`, so many times; read anew for each copy."""

        def copy() -> tuple[int, int]:
            self.at = begun
            return self.atom()

        start = end = self.new()
        for _ in range(low):
            first, last = copy()
            self.jump(end, first)
            end = last
        if high is None:
            first, last = copy()
            again = self.new()
            self.jump(end, again)
            self.jump(again, first)
            self.jump(last, again)
            end = again
        else:
            done = self.new()
            for _ in range(high - low):
                self.jump(end, done)
                first, last = copy()
                self.jump(end, first)
                end = last
            self.jump(end, done)
            end = done
        self.at = after
        return start, end

    def atom(self) -> tuple[int, int]:
        char = self.take()
        if char == "(":
            return self.group()
        if char in "^$":
            if self.lines:
                raise UnreadError("(?m)")
            return self.condition(char)
        if char == ".":
            return self.one(ANY if self.dotall else complement(((10, 10),)))
        if char == "[":
            return self.one(self.some_of())
        if char == "\\":
            return self.escaped()
        if char in "*+?":
            raise UnreadError(f"nothing to repeat in {self.text!r}")
        return self.one(((ord(char), ord(char)),))

    def condition(self, kind: str) -> tuple[int, int]:
        start, end = self.new(), self.new()
        self.jump(start, end, kind)
        return start, end

    def one(self, ranges: Ranges) -> tuple[int, int]:
        start, end = self.new(), self.new()
        self.into.edges[start].append((_either_case(ranges) if self.fold else ranges, end))
        return start, end

    def group(self) -> tuple[int, int]:
        kept = (self.fold, self.dotall, self.lines)
        if self.peek() == "?":
            self.at += 1
            if not self.flags():
                # (?i) holds to the end of the group that it stands in.
                empty = self.new()
                return empty, empty
        part = self.alternatives()
        if self.take() != ")":
            raise UnreadError(f"a ( without ) in {self.text!r}")
        self.fold, self.dotall, self.lines = kept
        return part

    def flags(self) -> bool:
        """What follows `(?`; False where it is `(?flags)` and the group is at its end."""
        if self.text.startswith(("P<", "<"), self.at):
            self.at = self.text.index(">", self.at) + 1 if ">" in self.text[self.at :] else len(self.text)
            return True
        on = True
        while (char := self.take()) not in ":)":
            if char == "-":
                on = False
            elif char == "i":
                self.fold = on
            elif char == "s":
                self.dotall = on
            elif char == "m":
                self.lines = on
            elif char != "U":
                raise UnreadError(f"(?{char} in {self.text!r}")
        return char == ":"

    def escaped(self) -> tuple[int, int]:
        char = self.take()
        if char == "A":
            return self.condition("^")
        if char == "z":
            return self.condition("$")
        if char == "Q":
            end = self.text.find("\\E", self.at)
            quoted = self.text[self.at : end if end >= 0 else len(self.text)]
            self.at = end + 2 if end >= 0 else len(self.text)
            start = last = self.new()
            for one in quoted:
                first, after = self.one(((ord(one), ord(one)),))
                self.jump(last, first)
                last = after
            return start, last
        self.at -= 1
        return self.one(self.escape())

    def escape(self) -> Ranges:
        """A `\\` was read: the characters that follow name."""
        char = self.take()
        for letter, ranges in (("d", _DIGIT), ("w", _WORD), ("s", _SPACE)):
            if char == letter:
                return ranges
            if char == letter.upper():
                return complement(ranges)
        if char in _CONTROL:
            return ((_CONTROL[char], _CONTROL[char]),)
        if char == "x":
            digits = self.text[self.at : self.at + 2]
            if self.peek() == "{":
                end = self.text.find("}", self.at)
                digits, self.at = self.text[self.at + 1 : max(end, 0)], end - 1
            if not digits or any(d not in "0123456789abcdefABCDEF" for d in digits) or int(digits, 16) > _LAST:
                raise UnreadError(f"\\x in {self.text!r}")
            self.at += 2
            return ((int(digits, 16), int(digits, 16)),)
        if char.isascii() and char.isalnum():
            raise UnreadError(f"\\{char} in {self.text!r}")
        return ((ord(char), ord(char)),)

    def some_of(self) -> Ranges:
        """A `[` was read: the class up to its `]`."""
        negated = self.peek() == "^"
        self.at += negated
        parts: list[Ranges] = []
        begun = self.at
        while (char := self.take()) != "]" or self.at - 1 == begun:
            if char == "[" and self.peek() == ":":
                end = self.text.find(":]", self.at)
                name = self.text[self.at + 1 : max(end, 0)]
                if name.removeprefix("^") not in _NAMED:
                    raise UnreadError(f"[:{name}:] in {self.text!r}")
                named = _NAMED[name.removeprefix("^")]
                parts.append(complement(named) if name.startswith("^") else named)
                self.at = end + 2
                continue
            low = self.escape() if char == "\\" else ((ord(char), ord(char)),)
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                char = self.take()
                high = self.escape() if char == "\\" else ((ord(char), ord(char)),)
                if len(low) != 1 or len(high) != 1 or low[0][0] != low[0][1] or high[0][0] < low[0][0]:
                    raise UnreadError(f"a range in {self.text!r}")
                low = ((low[0][0], high[0][0]),)
            parts.append(low)
        found = union(*parts)
        if self.fold:
            found = _either_case(found)
        # A negated class takes a line break, as in Go.
        return complement(found) if negated else found

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        if self.at >= len(self.text):
            raise UnreadError(f"{self.text!r} ends too early")
        self.at += 1
        return self.text[self.at - 1]


@dataclass(frozen=True)
class Class:
    """The texts that match these automata and no other, by their numbers; `witness` is a shortest one."""

    matched: frozenset[int]
    witness: str


def classes(automata: Sequence[Automaton], begin: str, most: int = 100_000) -> list[Class]:
    """Every combination of automata that some text which begins with `begin` matches, each with a shortest such text.

    Raises TooManyError where more than `most` combined states would have to be looked at.
    """
    live: list[tuple[int, State]] = []
    done: set[int] = set()
    for number, automaton in enumerate(automata):
        state = automaton.start
        for letter in begin:
            state = automaton.step(state, ord(letter))
        if state == MATCHED:
            done.add(number)
        elif state:
            live.append((number, state))
    start = (tuple(live), frozenset(done))
    witnesses = {start: begin}
    queue = [start]
    found: dict[frozenset[int], str] = {}
    told: dict[frozenset[Ranges], list[int]] = {}
    for now in queue:
        states, matched = now
        text = witnesses[now]
        ends = matched | {n for n, state in states if automata[n].accepts(state)}
        found.setdefault(ends, text)
        kinds = frozenset[Ranges]().union(*(automata[n].kinds(state) for n, state in states))
        if kinds not in told:
            told[kinds] = _told_apart(kinds)
        for char in told[kinds] if states else ():
            after: list[tuple[int, State]] = []
            reached = set(matched)
            for number, state in states:
                new = automata[number].step(state, char)
                if new == MATCHED:
                    reached.add(number)
                elif new:
                    after.append((number, new))
            then = (tuple(after), frozenset(reached))
            if then not in witnesses:
                if len(queue) >= most:
                    raise TooManyError(f"more than {most} combined states")
                witnesses[then] = text + chr(char)
                queue.append(then)
    return [Class(matched, witness) for matched, witness in found.items()]


def shortest(expression: str, begin: str = "/") -> str | None:
    """A shortest text that begins so and matches an expression; None where none does, or it is not read here."""
    try:
        found = [c.witness for c in classes([search(expression)], begin) if c.matched]
    except (UnreadError, TooManyError):
        return None
    return found[0] if found else None


_NICE: Final = [ord(c) for c in "abcdefghijklmnopqrstuvwxyz0123456789-_.~/ABCDEFGHIJKLMNOPQRSTUVWXYZ"]


def _told_apart(kinds: Iterable[Ranges]) -> list[int]:
    """One character of each combination of these kinds, such as people write where there is one."""
    # From bound to bound the combination is one; it is written as a bit for each kind.
    flips = {0: 0}
    for number, ranges in enumerate(kinds):
        for bound in (b for low, high in ranges for b in (low, high + 1)):
            flips[bound] = flips.get(bound, 0) ^ (1 << number)
    bounds = sorted(flips)
    combined = list(accumulate((flips[bound] for bound in bounds), xor))
    found: dict[int, int] = {}
    for char in (*_NICE, *bounds):
        if char <= _LAST and not 0xD800 <= char <= 0xDFFF:
            found.setdefault(combined[bisect(bounds, char) - 1], char)
    return list(found.values())
