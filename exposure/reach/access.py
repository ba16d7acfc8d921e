"""What Cloudflare Access answers: the policies of one application for one principal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from config.people import is_public_mail
from config.text import few
from exposure.reach.surface import IN_WORDS as _IN_WORDS
from exposure.reach.surface import Application, Group, Policy, Selector

Kind = Literal["anyone", "person", "github", "token", "lan", "member", "tag"]


@dataclass(frozen=True)
class Principal:
    """Somebody who asks: a stranger on the internet (`anyone`), a person by e-mail address, somebody in a GitHub
    organization (or team, `organization/team`) whose address nothing says, a program with a service token, a stranger
    on the home network (`lan`), some member of the tailnet of whom nothing else is known, or a device by its tag.

    A stranger may log in with an account of his own; nobody's list has it.
    """

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return f"{_NAMED[self.kind]} {self.name}" if self.kind in _NAMED else self.name or _WORDS[self.kind]

    @property
    def word(self) -> str:
        """As people write one on a command line and in a claim."""
        return f"{self.kind}:{self.name}" if self.kind in _NAMED else self.name or self.kind

    @property
    def off_tailnet(self) -> bool:
        """Whether no device of the tailnet is theirs."""
        return self.kind in ("anyone", "lan", "token", "github")


_NAMED = {"token": "token", "github": "somebody of GitHub"}
_WORDS = {"anyone": "anyone", "lan": "anybody on the home network", "member": "any member of the tailnet"}
ANYONE = Principal("anyone")
LAN = Principal("lan")
MEMBER = Principal("member")

Verdict = Literal["bypass", "login", "token", "unknown", "denied"]
_PLACES = ("geo", "ip", "ipList")
"""Selectors of where a request comes from, and not of who sends it."""
_LETS_IN: Mapping[str, Verdict] = {"bypass": "bypass", "non_identity": "token"}


@dataclass(frozen=True)
class Answer:
    """Access's answer and the policy that gave it, in words; `from_` is what that asks of where one comes from: one of
    each of these."""

    verdict: Verdict
    why: str
    from_: tuple[tuple[str, ...], ...] = ()


def decide(application: Application, who: Principal) -> Answer:
    """Access's answer for one principal.

    Bypass and service-auth policies run first, then allow and deny by precedence; who matches none is denied
    [CFDOC cloudflare-one/access-controls/policies]. What Gatehouse cannot know (an address, a device's posture, a
    policy registered elsewhere) is taken to let in: an answer errs to the wide side and says so.
    """
    if not application.policies:
        return Answer("denied", "no policy at all")
    early = [p for p in application.policies if p.decision in ("bypass", "non_identity")]
    late = [p for p in application.policies if p.decision not in ("bypass", "non_identity")]
    for policy in (*early, *late):
        matched = _matches(policy, who)
        text = describe(policy)
        if policy.decision == "unknown":
            return Answer("unknown", text)
        if policy.decision == "deny":
            if matched:
                return Answer("denied", text)
        elif matched is not False:
            doubt = "" if matched else "; cannot be told from here, so taken to match"
            # Whom a token lets in has a JWT as well, which the rule's check takes [CFDOC service-tokens].
            required = (*(tuple(map(str, _within(s))) for s in policy.require), _from_there(policy))
            return Answer(_LETS_IN.get(policy.decision, "login"), f"{text}{doubt}", tuple(filter(None, required)))
    return Answer("denied", "; ".join(describe(p) for p in application.policies))


def _within(selector: Selector) -> tuple[Selector, ...]:
    return selector.group.include if selector.group else (selector,)


def _from_there(policy: Policy) -> tuple[str, ...]:
    """The places from which it lets anyone by, where it is for nobody else."""
    where = [one for s in policy.include for one in _within(s)]
    there = policy.decision == "bypass" and all(one.kind in _PLACES for one in where)
    return tuple(map(str, where)) if there else ()


def describe(policy: Policy) -> str:
    """A policy in words: its decision and whom it names."""
    if policy.decision == "unknown":
        return f"policy {policy.name or '?'} is registered elsewhere"
    words = {"allow": "allow", "deny": "deny", "bypass": "bypass for", "non_identity": "service auth:"}
    text = f"{words[policy.decision]} {'anyone ' * bool(_from_there(policy))}{named(policy.include) or 'nobody'}"
    return text + _but(policy)


def _but(of: Policy | Group) -> str:
    """What it demands of whom it includes."""
    text = "".join(f", who must be {named((one,)).replace(', ', ' or ')}" for one in of.require)
    return f"{text}, but not {named(of.exclude)}" if of.exclude else text


def emails(selectors: tuple[Selector, ...]) -> set[str]:
    """Every address that selectors name, through groups."""
    found: set[str] = set()
    for selector in selectors:
        if selector.kind == "email":
            found.add(selector.value)
        elif selector.group:
            group = selector.group
            found |= emails((*group.include, *group.exclude, *group.require))
    return found


def _matches(policy: Policy, who: Principal) -> bool | None:
    identity = policy.decision not in ("bypass", "non_identity")
    return _criteria(policy, who, identity)


def _criteria(group: Policy | Group, who: Principal, identity: bool) -> bool | None:
    """Include any, require all, exclude none. None: it hangs on what is not known."""
    include = _any(_selects(s, who, identity) for s in group.include)
    require = _all(_selects(s, who, identity) for s in group.require)
    exclude = _any(_selects(s, who, identity) for s in group.exclude)
    return _all((include, require, None if exclude is None else not exclude))


def _selects(selector: Selector, who: Principal, identity: bool) -> bool | None:
    if selector.kind == "email":
        return identity and who.kind == "person" and who.name.lower() == selector.value
    if selector.kind == "everyone" or (selector.kind == "emailDomain" and is_public_mail(selector.value)):
        # Before a login everybody is everyone; after it, everybody who can log in, by an address of a public service
        # too: a device cannot.
        return who.kind not in ("tag", "token") if identity else selector.kind == "everyone"
    if selector.kind == "emailDomain":
        return identity and who.kind == "person" and who.name.lower().endswith(f"@{selector.value}")
    if selector.kind == "githubOrganization":
        return identity and who.kind == "github" and f"{who.name}/".startswith(f"{selector.value}/")
    if selector.kind in ("serviceToken", "anyValidServiceToken"):
        return who.kind == "token" and selector.value in ("", who.name)
    if selector.kind == "group" and selector.group is not None:
        return _criteria(selector.group, who, identity)
    return None


def _any(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return True if True in found else None if None in found else False


def _all(answers: Iterable[bool | None]) -> bool | None:
    found = list(answers)
    return False if False in found else None if None in found else True


def named(selectors: tuple[Selector, ...]) -> str:
    """Whom selectors name, in words, groups followed."""
    words: list[str] = []
    for selector in selectors:
        if selector.group is None:
            plain = selector.kind in ("email", "everyone", *_IN_WORDS)
            words.append(str(selector) if plain else f"{selector.kind} {selector.value}")
            continue
        words.append(named(selector.group.include) + _but(selector.group))
    return few(words)


_UNITS = {"h": 1.0, "m": 1 / 60, "s": 1 / 3600, "ms": 0.0, "us": 0.0, "ns": 0.0}


def hours(duration: str) -> float:
    """Go's words for a duration, such as `1h30m`; what is not said is Access's own day [TFC zero_trust_access]."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)", duration)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else 24.0
