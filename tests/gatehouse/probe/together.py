"""Many faults in few worlds: each fault in two of them, and no two faults together in both.

A run of all checks takes a tenth of a second, and a fault concerns one check or two, so that several fit into a world.
What one fault breaks besides its own could then be taken for what another breaks. So each is in two worlds, and no
check is anybody else's in both: for each fault and each check there is a world with the fault where nobody else breaks
the check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatehouse.probe.runner import Result
from tests.gatehouse.probe.world import Reply, Request, Response, World

Meant = Callable[[Request], bool]


@dataclass(frozen=True)
class Fault:
    """What makes a world bad, and what the checks say then.

    `world` are a World's own words; a reply of None is the protected service's.
    """

    name: str
    world: Mapping[str, Any]
    failing: frozenset[str]
    unproven: frozenset[str] = frozenset()

    @property
    def checks(self) -> frozenset[str]:
        """All that it concerns."""
        return self.failing | self.unproven

    def fits(self, other: Fault) -> bool:
        """Whether both can be in one world: of no check, no record, no port, no server do both say something."""
        if self.checks & other.checks:
            return False
        for word in self.world.keys() & other.world.keys() - {"replies"}:
            mine, its = self.world[word], other.world[word]
            if word not in ("records", "open_ports", "closed_ports") or set(mine) & set(its):
                return False
        return True


def placed(faults: Iterable[Fault], least: int) -> list[list[Fault]]:
    """The worlds' faults: each fault in two of `least` worlds, the emptiest that will do, or in new ones."""
    worlds: list[list[Fault]] = [[] for _ in range(least)]
    # Those first that fit with the fewest.
    given = list(faults)
    for fault in sorted(given, key=lambda f: sum(f.fits(other) for other in given)):
        for _ in range(2):
            world = next((w for w in sorted(worlds, key=len) if _may_join(fault, w, worlds)), None)
            if world is None:
                world = []
                worlds.append(world)
            world.append(fault)
    return worlds


def _may_join(fault: Fault, world: list[Fault], worlds: list[list[Fault]]) -> bool:
    if fault in world or not all(map(fault.fits, world)):
        return False
    joined = [[*w, fault] if w is world else w for w in worlds]
    return not any(hidden(member, joined) for member in [*world, fault])


def hidden(fault: Fault, worlds: Iterable[Sequence[Fault]]) -> frozenset[str]:
    """The checks that others break in each of a fault's worlds; empty while it has fewer than two."""
    others = [frozenset().union(*(f.checks for f in w if f is not fault)) for w in worlds if fault in w]
    return frozenset.intersection(*others) if len(others) > 1 else frozenset()


@dataclass
class Company:
    """A world with several faults, and what came of it."""

    faults: Sequence[Fault]
    world: World = field(init=False)
    results: list[Result] = field(default_factory=list)
    used: dict[str, list[Request]] = field(init=False)
    """What each fault answered, by its name."""
    disputed: list[Request] = field(default_factory=list)
    """What more than one fault would have answered."""

    def __post_init__(self) -> None:
        self.used = {fault.name: [] for fault in self.faults}
        words: dict[str, Any] = {"replies": list(self._replies())}
        for fault in self.faults:
            for word, value in fault.world.items():
                if word == "records":
                    words[word] = {**words.get(word, {}), **value}
                elif word in ("open_ports", "closed_ports"):
                    words[word] = words.get(word, frozenset()) | value
                elif word != "replies":
                    assert word not in words, word
                    words[word] = value
        self.world = World(**words)

    def _replies(self) -> Iterator[tuple[Meant, Reply]]:
        every = [(fault, *reply) for fault in self.faults for reply in fault.world.get("replies", ())]

        def noted(fault: Fault, reply: Reply | None, request: Request) -> Response:
            self.used[fault.name].append(request)
            if len([1 for _, meant, _ in every if meant(request)]) > 1:
                self.disputed.append(request)
            return reply(request) if reply else self.world.origin(request)

        for fault, meant, reply in every:
            yield meant, lambda request, f=fault, r=reply: noted(f, r, request)  # type: ignore[misc]

    def found(self, state: str) -> set[str]:
        """The checks that ended so."""
        return {result.check.id for result in self.results if result.verdict.state == state}

    def seen(self, check: str) -> str:
        """What a check saw."""
        return next(result.verdict.seen for result in self.results if result.check.id == check)

    def holds_what_is_said_and_no_more(self) -> None:
        """What the checks found is what the faults say, each answered by itself alone, and nobody got in besides."""
        assert self.disputed == []
        assert self.found("failed") == frozenset().union(*(fault.failing for fault in self.faults))
        assert self.found("not proven") == frozenset().union(*(fault.unproven for fault in self.faults))
        through = [r for fault in self.faults for r in self.used[fault.name]]
        assert [r.target for r in self.world.reached if r not in through] == [
            "/api" for _ in [1] if not any(r.name.startswith("wiki-") and r.target == "/api" for r in through)
        ], "the service behind the login saw besides the one request to its open path"
