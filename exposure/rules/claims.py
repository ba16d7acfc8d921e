"""Claims: what they name is there, and they hold of everything that is reached."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from config.errors import show
from config.fields import is_person
from exposure.names import ACME_PATH
from exposure.rules.base import Family, OneStack, Problem, Rules, planned

if TYPE_CHECKING:
    from exposure.reach.project import Project

RULES = Rules()
BROKEN = "claim-broken"
_ANYBODY = ("anyone", "lan", "member")


@RULES.stack("claim-unknown", "Gatehouse: a claim about what is not there holds of nothing")
def _unknown(stack: OneStack) -> Iterator[Problem]:
    """A claim names services, paths and people that exist."""
    typed, estate = stack.stack.typed, stack.estate
    unread = {("estate",), ("estate", "people"), ("estate", "tokens")} & stack.owner.assumed
    sets = [*sorted(estate.people), *(f"token:{t}" for t in sorted(estate.tokens))] if estate and not unread else None
    paths = {f"{s.key}{path}" for s in stack.services for path in (*s.service.paths, s.service.path) if path}
    paths |= {f"{s.key}{ACME_PATH}" for s in stack.services if s.service.own_certificate}
    known = [s.key for s in stack.services]
    machines = sorted({tag for s in stack.services for tag in s.service.machines or ()})
    for index, claim in enumerate(typed.claims if typed else ()):
        at = ("claims", index)
        if sets is not None:
            never = () if claim.never is None else (claim.never,)
            yield from _people(never, (*at, "never"), [*_ANYBODY, *sets, *machines])
            for place, name in enumerate(claim.only or ()):
                yield from _people((name,), (*at, "only", place), ["lan", *sets, *machines])
        if not stack.whole:
            # A service that is not there may be one that could not be read.
            continue
        for place, name in enumerate(claim.on):
            if name not in known:
                reason = "no service of this stack has this key, so the claim would be about nothing"
                yield _problem(
                    (*at, "on", place),
                    name,
                    reason,
                    f"write one of: {', '.join(known)}" if known else "add the service",
                    known,
                )
        mine = sorted(p for p in paths if p.partition("/")[0] in claim.on)
        for place, name in enumerate(claim.except_):
            if name not in mine:
                reason = "none of the services that the claim is about has this path under its `paths`"
                fix = f"write one of: {', '.join(mine)}" if mine else "remove it"
                yield _problem((*at, "except", place), name, reason, fix, mine)


def _people(names: Iterable[str], path: tuple[str | int, ...], known: Sequence[str]) -> Iterator[Problem]:
    for name in names:
        # Somebody of a domain is written without a name.
        address = f"{'somebody' * name.startswith('@')}{name}"
        if name not in known and not is_person(address):
            reason = "there is no set of people or service token with this name, and it is not an e-mail address"
            yield _problem(path, name, reason, f"write one of: {', '.join(known)}; or an e-mail address", known)


def _problem(path: tuple[str | int, ...], name: str, reason: str, fix: str, known: Sequence[str]) -> Problem:
    return Problem(path, show(name), reason, fix, next(iter(difflib.get_close_matches(name, known, n=1)), ""))


@RULES.family(BROKEN, "Gatehouse: a claim is proved before anything is registered", last=True)
def _broken(family: Family) -> Iterator[Problem]:
    """Every claim holds."""
    # Nothing is asked where there are no claims, and what cannot be planned has findings already.
    if any(s.stack.typed and s.stack.typed.claims for s in family.stacks) and not any(s.refused for s in family.stacks):
        yield from _judged({s.stack.name: s for s in family.stacks}, family.once(planned))


def _judged(family: dict[str, OneStack], project: Project) -> Iterator[Problem]:
    # Loaded only where there is something to prove.
    from exposure.reach.claims import prove

    claims = {name: one.stack.typed.claims for name, one in family.items() if one.stack.typed}
    people = next(iter(project.plans.values())).estate.everybody
    for verdict in prove(project.surfaces, project.plans, claims, people).verdicts:
        one = family[verdict.stack]
        found = verdict.counterexample
        if verdict.state == "holds":
            continue
        said = "never" if verdict.claim.never is not None else "only"
        # The stack by whose service it is broken is kept from being registered as well.
        related = (family[found.by[0]].ref("services", found.by[1]),) if found and found.by else ()
        yield one.ref("claims", verdict.index, said).problem(
            show(verdict.claim.never or ", ".join(verdict.claim.only or ())),
            str(found) if found else f"this cannot be proved: {'; '.join(verdict.doubts)}",
            f"`gatehouse who {found.url}` shows why; close that way in, or change the claim"
            if found
            else "write what could not be read in a simpler form, or remove the claim",
            related=related,
        )
