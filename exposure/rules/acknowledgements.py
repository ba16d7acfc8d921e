"""Acknowledgements: a risk that the owner takes knowingly, by rule id and reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Literal

from config.errors import Path_
from config.loader import LoadedStack
from exposure.rules.base import OneStack, Problem, Rules

WIDER = "exposure-wider"
"""Accepts that a change lets more people reach a service; only `gatehouse diff` can tell, so it is never unused."""


def _holders(stack: OneStack) -> Iterator[tuple[Path_, Mapping[str, str]]]:
    if stack.stack.typed:
        yield (), stack.stack.typed.acknowledge
    for service in stack.services:
        yield service.path, service.service.acknowledge


def acknowledged(stack: LoadedStack, path: Path_, rule: str) -> Path_ | None:
    """Where the stack may acknowledge a finding at `path`, if it does: its service, or the top level; else None."""
    if stack.typed is None:
        return None
    match holder := holder_of(path):
        case ():
            said = stack.typed.acknowledge
        case (_, str(key)) if key in stack.typed.services:
            said = stack.typed.services[key].acknowledge
        case _:
            return None
    return holder if rule in said else None


def holder_of(path: Path_) -> Path_:
    """Whose `acknowledge` speaks for a path: the service's, or the stack's (the empty path)."""
    return path[:2] if path[:1] == ("services",) else ()


def rules(acceptable: Mapping[str, Literal["service", "stack"]], known: frozenset[str]) -> Rules:
    """The rules about acknowledgements. `acceptable` says which ids may be accepted and where, `known` all rule ids."""
    found = Rules()
    allowed: dict[str, str] = {**acceptable, WIDER: "service or stack"}

    @found.stack("acknowledgement-unknown", "Gatehouse: an acknowledgement names the rule id and a reason")
    def unknown(stack: OneStack) -> Iterator[Problem]:
        """An acknowledgement names a rule that may be acknowledged there."""
        for holder, acknowledge in _holders(stack):
            level = "service" if holder else "stack"
            here = sorted(rule for rule, where in allowed.items() if level in where)
            for rule in acknowledge:
                if rule in here:
                    continue
                if rule in allowed:
                    reason = (
                        "this risk is one of a single service, and here it would count for none"
                        if level == "stack"
                        else "this risk is one of the whole stack, and not of one service"
                    )
                    other = "`gatehouse:acknowledge`" if level == "service" else "the service's `acknowledge`"
                    fix, suggestion = f"move it to {other}", ""
                elif rule in known:
                    reason, suggestion = "this rule keeps something from breaking, and nobody can accept that", ""
                    fix = f"remove it, and fix what the rule refuses; these may be acknowledged here: {', '.join(here)}"
                else:
                    reason = "there is no rule of this name, so nothing would be acknowledged"
                    fix = f"write one of: {', '.join(here)}"
                    suggestion = next(iter(difflib.get_close_matches(rule, here, n=1)), "")
                yield Problem((*holder, "acknowledge", rule), "", reason, fix, suggestion)

    @found.stack(
        "acknowledgement-unused",
        "Gatehouse: an acknowledgement names the rule id and a reason",
        severity="warning",
        last=True,
    )
    def unused(stack: OneStack) -> Iterator[Problem]:
        """An acknowledgement is for a risk that is taken."""
        for holder, acknowledge in _holders(stack):
            level = "service" if holder else "stack"
            about = holder or ("estate",)
            if any(path[: len(about)] == about for path in stack.stack.assumed):
                # The risk may be in what could not be read.
                continue
            for rule in acknowledge:
                if acceptable.get(rule) == level and (holder, rule) not in stack.taken:
                    yield Problem(
                        (*holder, "acknowledge", rule),
                        "",
                        "nothing here takes this risk, and if something did later, nobody would be told",
                        "remove it",
                    )

    return found
