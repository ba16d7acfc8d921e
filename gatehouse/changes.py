"""A change of who reaches what, in words: for `gatehouse diff`, and for what a refresh found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

from config.text import wrap as text_lines
from exposure.names import login_words
from exposure.reach.access import ANYONE, Principal
from exposure.reach.compare import Change
from exposure.reach.evaluate import from_where
from exposure.reach.places import Reached, Terms
from exposure.reach.tailnet import beyond
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
    """What else it leads to now than before, by which Host header, for how long, by which login, from where, and what
    makes that login worth less."""
    found = []
    if change.moved:
        now, before = (_ends(one) for one in (change.now, change.before))
        found.append(f"leads to {now}, no longer to {before}")
    if change.longer:
        now, before = (_terms(one, lambda t: t.session) for one in (change.now, change.before))
        found.append(f"a login lasts {now}, no longer {before}")
    login, was = (_terms(one, lambda t: t.login and login_words(t.login)) for one in (change.now, change.before))
    if login and was and login != was:
        found.append(f"{login}, no longer {was}")
    terms = change.before.terms
    both = [(now, terms[p]) for p, now in change.now.terms.items() if p in terms]
    found += dict.fromkeys(
        f"{from_where(now.from_) or 'from anywhere'}, no longer {from_where(before.from_) or 'from anywhere'}"
        for now, before in both
        if now.from_ != before.from_
    )
    found += dict.fromkeys(t for p in change.weaker for t in beyond(change.now.terms[p].weakened, terms[p].weakened))
    return "; ".join(found)


def _terms(reached: Reached, say: Callable[[Terms], str]) -> str:
    return " or ".join(dict.fromkeys(filter(None, map(say, reached.terms.values()))))


def _ends(reached: Reached) -> str:
    found = ((end, reached.terms[p].host_header) for p, end in reached.ends.items())
    return " and ".join(f"{end}{f' as {host}' if host else ''}" for end, host in dict.fromkeys(found))


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
    if leads(change):
        found += wrap(f"and: {leads(change)}", "  ", "       ")
    return found


def wrap(text: str, first: str, rest: str) -> list[str]:
    """Text in the terminal's columns, words whole."""
    return text_lines(text, width(), first, rest)
