"""A change of who reaches what, in words: for `gatehouse diff`, and for what a refresh found."""

from __future__ import annotations

from collections.abc import Iterable

from config.text import wrap as text_lines
from exposure.reach.compare import Change, names
from gatehouse.commands import width


def counts(changes: Iterable[Change], accepted: int = 0) -> str:
    """How many places become wider and narrower; `accepted` of the wider ones are acknowledged."""
    every = list(changes)
    wider = sum(change.wider for change in every)
    parts = [f"{wider} wider" + (f" ({accepted} acknowledged)" if accepted else "")] if wider else []
    parts += [f"{len(every) - wider} narrower"] if len(every) > wider else []
    return ", ".join(parts) or "no change in who reaches what"


def place(change: Change) -> str:
    """Where, and how many more places change alike."""
    also = len(change.more)
    return f"{change.place.text}{f' (and {also} more alike)' if also else ''}"


def lines(change: Change, service: str | None) -> list[str]:
    """A paragraph: where, who could and who can, and who is new."""
    mark = "WIDER" if change.wider else "narrower"
    found = wrap(f"{mark}  {place(change)}{f'  [{service}]' if service else ''}", "", "  ")
    found += wrap(f"was: {change.before.text()}", "  ", "       ")
    found += wrap(f"now: {change.now.text()}", "  ", "       ")
    if change.wider:
        found += wrap(f"new: {names(change.gains)}", "  ", "       ")
    return found


def wrap(text: str, first: str, rest: str) -> list[str]:
    """Text in the terminal's columns, words whole."""
    return text_lines(text, width(), first, rest)
