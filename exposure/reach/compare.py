"""What changes in who reaches what, between two surfaces: for each place who could, and who can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Literal

from exposure.reach.access import Principal, hours
from exposure.reach.evaluate import WIDEST, Outcome, Request
from exposure.reach.places import Place, Reached, crowds, places, reached
from exposure.reach.surface import AtHome, Known, Surface, surface
from exposure.reach.tailnet import beyond
from exposure.workload import Workload


@dataclass(frozen=True)
class Change:
    """A place that others reach than before; `more` are those of its host that change alike."""

    place: Place
    before: Reached
    now: Reached
    more: tuple[Place, ...] = ()

    @property
    def gains(self) -> tuple[Principal, ...]:
        """Who reaches it now and did not, or reaches it by a wider way, or finds another workload there."""
        found = {*_wider(self.before.how, self.now.how), *self.moved, *self.longer, *self.eased, *self.weaker}
        return self.now.whole(found)

    @property
    def losses(self) -> tuple[Principal, ...]:
        """Who reached it and does no longer, or only by a narrower way."""
        return self.before.whole(_wider(self.now.how, self.before.how))

    @property
    def moved(self) -> tuple[Principal, ...]:
        """Who reaches another workload there than before, or the same by another Host header."""
        was, will = self.before, self.now
        both = [p for p in will.how if p in was.how]
        return tuple(
            p for p in both if (was.ends[p], was.terms[p].host_header) != (will.ends[p], will.terms[p].host_header)
        )

    @property
    def longer(self) -> tuple[Principal, ...]:
        """Whose login, or check, lasts longer than before."""
        was, will = self.before.terms, self.now.terms
        both = (p for p in will if p in was and will[p].login and was[p].login)
        return tuple(p for p in both if hours(will[p].session) > hours(was[p].session))

    @property
    def eased(self) -> tuple[Principal, ...]:
        """Who logs in by another method than before, which may ask for less, or may come from elsewhere, or by any
        device."""
        was, will = self.before.terms, self.now.terms
        return tuple(
            p
            for p in will
            if p in was
            and (
                (will[p].login and was[p].login and will[p].login != was[p].login)
                or not _as_narrow(will[p].from_, was[p].from_)
            )
        )

    @property
    def weaker(self) -> tuple[Principal, ...]:
        """Whose login is worth less than before."""
        was, will = self.before.terms, self.now.terms
        return tuple(p for p in will if p in was and beyond(will[p].weakened, was[p].weakened))

    @property
    def kind(self) -> Literal["wider", "narrower", "wider and narrower"]:
        """`wider` where anybody gains, whoever loses."""
        if self.gains:
            return "wider and narrower" if self.losses else "wider"
        return "narrower"

    @property
    def wider(self) -> bool:
        """Whether anybody gains."""
        return bool(self.gains)

    @property
    def gone(self) -> bool:
        """Whether nobody reaches it any longer."""
        return not self.now.how


def compare(base: Surface | None, now: Surface) -> tuple[Change, ...]:
    """Every place whose audience differs, the wider ones first. `base` None: nothing was there.

    A node that has moved at home is the same node: what was at its address is compared with what is at its new one.
    """
    before = nothing(now) if base is None else base
    everybody = crowds([before, now])
    changes: dict[tuple[object, ...], Change] = {}
    straight: dict[str, list[Reached]] = {}
    moved = _moved(before, now)
    left = {new: old for old, new in moved.items()}
    found_places = places(before, now, thorough=True, ways_round=True)
    asked_for = {p.request: p for p in found_places}
    arrived = {f"{node.address}/32" for node in now.nodes} & set(moved.values())
    for place in found_places:
        host = place.request.host
        # A range that a node has come into opens it, whether anything is known to answer there or not.
        for other in (moved[host],) if host in moved else (a for a in arrived if _inside(a, [host])):
            request = replace(place.request, host=other)
            asked_for.setdefault(request, replace(place, request=request))
    # What is aside comes last.
    for place in sorted(asked_for.values(), key=_order):
        there = replace(place.request, host=left.get(place.request.host, place.request.host))
        was = _at(moved, reached(before, there, everybody))
        will = reached(now, place.request, everybody)
        found = Change(place, was, will)
        known = [w for w in (_listening(before, there), _listening(now, place.request)) if w]
        # That only what leads there says, on one side, that something is at home, is no change: it answers anyway.
        if len(known) == 1 and known[0].place in (place.request.host, there.host):
            continue
        if not place.aside and place.request.scheme == "https":
            straight.setdefault(place.request.host, []).append(will)
        if was == will or (place.aside and not _past(found, straight[place.request.host])):
            continue
        # By http as by https, where it is not sent on: said once.
        asked = (place.request.host, {80: 443}.get(place.request.port, place.request.port))
        key = (*asked, *(frozenset(each.items()) for one in (was, will) for each in (one.how, one.ends, one.terms)))
        if key not in changes:
            changes[key] = found
        elif not place.aside and place.request.scheme != "http":
            changes[key] = replace(changes[key], more=(*changes[key].more, place))
    return tuple(sorted(changes.values(), key=lambda c: (not c.wider, c.place.text)))


def _moved(before: Surface, now: Surface) -> dict[str, str]:
    """The new address of each node at home that has another one than before, by the old one, also as a range; and whose
    place nodes have taken has theirs, so that each address is one thing before and after."""
    was, will = ({n.name: n.address for n in s.nodes if _alone(n, s)} for s in (before, now))
    moved = {was[name]: will[name] for name in was if name in will and was[name] != will[name]}
    for new in [new for new in moved.values() if new not in moved]:
        old = next(old for old in moved if moved[old] == new)
        while old in moved.values():
            old = next(one for one in moved if moved[one] == old)
        moved[new] = old
    return moved | {f"{old}/32": f"{new}/32" for old, new in moved.items()}


def _alone(node: AtHome, surface: Surface) -> bool:
    """Whether no other node has its address, as one of another home may."""
    return sum(other.address == node.address for other in surface.nodes) == 1


def _at(moved: Mapping[str, str], found: Reached) -> Reached:
    """What was reached, as it is called since nodes have moved."""

    def name(end: Workload | str) -> Workload | str:
        if isinstance(end, Workload):
            return replace(end, place=moved.get(end.place, end.place))
        # Of what nobody knows, the address that was asked for (`Answer.origin`).
        host, *rest = end.split(" ", 1)
        return " ".join((moved.get(host, host), *rest))

    return replace(found, ends={p: name(end) for p, end in found.ends.items()}) if moved else found


def _listening(surface: Surface, request: Request) -> Workload | None:
    return surface.listening(request.host, request.protocol, request.port)


def _past(change: Change, straight: Iterable[Reached]) -> bool:
    """Whether a place aside lets somebody in who does not get everywhere on the host straight."""
    gained = {p: change.now.how[p] for p in _wider(change.before.how, change.now.how)}
    return any(_wider(one.how, gained) for one in straight)


def nothing(like: Surface) -> Surface:
    """A surface on which nobody reaches anything."""
    return surface(Known(zones=like.zones))


def _order(place: Place) -> tuple[str, bool, int, bool, int, str]:
    request = place.request
    return (
        request.host,
        request.scheme == "http",
        request.port,
        place.aside,
        len(request.path),
        request.path,
    )


def _wider(before: Mapping[Principal, Outcome], now: Mapping[Principal, Outcome]) -> set[Principal]:
    return {p for p, how in now.items() if WIDEST[how] < WIDEST[before.get(p, Outcome.NO_NAME)]}


def _as_narrow(now: Iterable[Iterable[str]], before: Iterable[Iterable[str]]) -> bool:
    """Whether what has to hold now leaves no more than what had to: of each list one has to."""
    lists = [tuple(one) for one in now]
    return all(any(all(_inside(one, was) for one in each) for each in lists) for was in map(tuple, before))


def _inside(one: str, demanded: Iterable[str]) -> bool:
    """Whether it is one of these, or within the range of addresses that one of these is (`surface.IN_WORDS`)."""

    def covers(other: str) -> bool:
        try:
            # Of one IP version each; mypy does not see that the other raises TypeError.
            wide, narrow = (ip_network(text.removeprefix("at ")) for text in (other, one))
            return narrow.subnet_of(wide)  # type: ignore[arg-type]
        except (ValueError, TypeError):
            return one == other

    return any(map(covers, demanded))
