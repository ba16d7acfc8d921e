"""A change of who reaches what, in words: for `gatehouse diff`, and for what a refresh found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from config.text import wrap as text_lines
from exposure.reach.access import ANYONE, Principal
from exposure.reach.compare import Change
from gatehouse.commands import width


def counts(changes: Iterable[Change], accepted: int = 0) -> str:
    """How many places become wider and narrower; `accepted` of the wider ones are acknowledged."""
    every = list(changes)
    wider = sum(change.wider for change in every)
    parts = [f"{wider} wider" + (f" ({accepted} acknowledged)" if accepted else "")] if wider else []
    parts += [f"{len(every) - wider} narrower"] if len(every) > wider else []
    return ", ".join(parts) or "no change in who reaches what"


def place(change: Change) -> str:
    """Where, and which more places of the host change alike: each, or how many and how they all begin."""
    paths = [more.request.path for more in change.more]
    if not paths:
        return change.place.text
    if len(paths) <= 4:
        return f"{change.place.text} (and alike {', '.join(paths)})"
    same = takewhile(lambda pair: pair[0] == pair[1], zip(min(paths), max(paths), strict=False))
    return f"{change.place.text} (and {len(paths)} more alike, {''.join(sign for sign, _ in same)}*)"


def leads(change: Change) -> str:
    """Where it leads now and where it led, if that is another workload for anybody."""
    before, now = (" and ".join(map(str, one.workloads)) for one in (change.before, change.now))
    return f"{now}, no longer to {before}" if change.moved else ""


def gains(principals: Sequence[Principal]) -> str:
    """Everybody who gains: after anyone nobody else has to be named."""
    return "anyone" if ANYONE in principals else ", ".join(map(str, principals))


def lines(change: Change, service: str | None) -> list[str]:
    """A paragraph: where, who could and who can, who is new, and what else it leads to."""
    mark = "WIDER" if change.wider else "narrower"
    found = wrap(f"{mark}  {place(change)}{f'  [{service}]' if service else ''}", "", "  ")
    found += wrap(f"was: {change.before.text()}", "  ", "       ")
    found += wrap(f"now: {change.now.text()}", "  ", "       ")
    if change.wider:
        found += wrap(f"new: {gains(change.gains)}", "  ", "       ")
    if change.moved:
        found += wrap(f"to:  {leads(change)}", "  ", "       ")
    return found


def wrap(text: str, first: str, rest: str) -> list[str]:
    """Text in the terminal's columns, words whole."""
    return text_lines(text, width(), first, rest)
