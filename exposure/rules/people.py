"""People: who is in a set, how long, how they log in, and whether that is known where the set is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from config.errors import Path_, show
from config.fields import LOGIN_NAME
from config.people import GOOGLE, is_public_mail
from config.services import Route
from config.stack import Estate
from exposure.audience import named_people
from exposure.names import login_of, login_words
from exposure.rules.base import OneService, OneStack, Problem, Rules, listed
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import TunnelWay, ZeroTrustWay

RULES = Rules()
_POLICIES = "CFDOC cloudflare-one/access-controls/policies"
_SOON = 7
_OF_EVERY_TENANT = re.compile(r"https://login\.microsoftonline\.(com|us)/(common|organizations)/", re.IGNORECASE)
"""[Microsoft, identity platform: claims validation; an `email` claim is what the tenant's admin says]."""


@RULES.stack("people-empty", _POLICIES, (39,))
def _empty(stack: OneStack) -> Iterator[Problem]:
    """A set of people is not empty."""
    for name, one in stack.own_sets:
        if not one.words and not one.ended:
            yield Problem(
                ("estate", "people", name),
                "[]" if stack.estate and stack.estate.people[name] == [] else "",
                "nobody is in this set, and Cloudflare refuses a policy that includes nobody",
                "add an e-mail address, or remove it",
            )


@RULES.stack("people-public-mail", "Gatehouse: who has an address there is for anybody to choose", (42,))
def _public_mail(stack: OneStack) -> Iterator[Problem]:
    """A domain whose people get in is no public mail service."""
    for name, one in stack.own_sets:
        for domain in one.domain:
            if is_public_mail(domain):
                yield Problem(
                    ("estate", "people", name, "domain"),
                    show(domain),
                    "anybody gets an address there within a minute, so everybody would get in",
                    "name the people, under `emails:`",
                )


@RULES.stack("people-login", "CFDOC cloudflare-one/identity; TFC zero_trust_access_group", (44,))
def _login(stack: OneStack) -> Iterator[Problem]:
    """A set of people logs in by a login that is there."""
    estate = stack.estate
    if estate is None or not stack.stack.owns_estate:
        return
    known = sorted(estate.logins)
    if GOOGLE in known:
        yield Problem(
            ("estate", "logins", GOOGLE),
            "",
            "Google's login has a key of its own, and is the one of every set that names none",
            "give this one another name",
        )
    for second in [key for key in known if estate.logins[key].type == "onetimepin"][1:]:
        yield Problem(
            ("estate", "logins", second),
            "",
            "an account has one one-time PIN, and Cloudflare refuses a second",
            "remove this one, and name the other in the sets that have it as `login:`",
        )
    for key in known:
        for name, url in (("auth_url", estate.logins[key].auth_url), ("token_url", estate.logins[key].token_url)):
            if url and _OF_EVERY_TENANT.match(url):
                yield Problem(
                    ("estate", "logins", key, name),
                    show(url),
                    "this is for every tenant of Microsoft's, and anybody makes one and chooses an address in it: "
                    "everybody would get in by an address of yours",
                    "write your own tenant's id in its place: Entra, Overview, has it",
                )
    for name, one in stack.own_sets:
        login, path = one.login, ("estate", "people", name)
        if login is not None and ("estate", "logins", login) in stack.stack.assumed:
            continue
        if login is not None and login not in known:
            yield Problem(
                (*path, "login"),
                show(login),
                "the estate has no such login, so nobody of the set could log in",
                "remove it: Google is the login of every set that names none"
                if login == GOOGLE
                else f"write one of: {', '.join(known)}"
                if known
                else "remove it, or add it to the estate's `logins:`",
                related=(stack.estate_ref("logins"),),
            )
        elif one.github and (login is None or estate.logins[login].type != "github"):
            github = [key for key in known if estate.logins[key].type == "github"]
            yield Problem(
                (*path, "github"),
                show(", ".join(one.github)),
                f"only GitHub says who is in an organization of its own, and this set logs in by "
                f"{login_words(login_of(login or GOOGLE, estate))}",
                f"add `login: {github[0]}`" if github else "add a login of `type: github`, and name it by `login:`",
            )


def _named(service: OneService) -> Iterator[tuple[Path_, tuple[str, ...]]]:
    """Where sets of people are let in by Access, and which of the estate's they are."""
    said, estate = service.service, service.estate
    known = estate.sets if estate else {}
    places: list[tuple[Path_, tuple[str, ...]]] = []
    if service.by(ZeroTrustWay) and said.clients != "nobody":
        places.append((("people",), service.people))
    for path, to in said.paths.items() if service.by(TunnelWay) else ():
        if to.clients == "people":
            places.append((("paths", path, "people"), tuple(to.people or service.people)))
    return ((path, tuple(name for name in names if name in known)) for path, names in places)


@RULES.service("people-terms", f"{_POLICIES}; TFC zero_trust_access_application", (40, 44))
def _terms(service: OneService) -> Iterator[Problem]:
    """Sets that are let in together log in alike, and from the same places."""
    estate = service.estate
    if estate is None:
        return
    for path, names in _named(service):
        terms = {name: estate.sets[name].terms for name in names}
        first = names[0] if names else ""
        other = next((name for name in names if terms[name] != terms[first]), None)
        if other is None:
            continue
        one, two = terms[first], terms[other]
        by = one.login != two.login
        yield service.problem(
            path,
            ", ".join(names),
            f"{first} and {other} log in by different methods, and an application has exactly one"
            if by
            else f"{first} and {other} get in from different places, and one policy asks the same of both",
            f"say `people: {first}`, and let {other} in by a path or a service with a host of its own"
            + ("" if by else "; or give both sets the same `countries:` and `ips:`"),
            related=tuple(service.inside.estate_ref("people", name) for name in (first, other)),
        )


@RULES.service("people-unfit", f"{_POLICIES}; tailscale.com/kb/1337")
def _unfit(service: OneService) -> Iterator[Problem]:
    """A set of people is known where it is named."""
    estate = service.estate
    if estate is None:
        return
    for path, names in _named(service):
        for name in names:
            for word in (w for w in estate.sets[name].emails if re.fullmatch(LOGIN_NAME, w)):
                yield service.problem(
                    path,
                    name,
                    f"{word} is a name on the tailnet alone: Cloudflare Access knows people by their addresses",
                    f"write the address by which {word.partition('@')[0]} logs in into set {name} in its place, or "
                    "name another set here",
                    related=(service.inside.estate_ref("people", name),),
                )
    for name, reason in _not_on_tailnet(service.people if service.by(TailnetWay) else (), estate):
        related = (service.inside.estate_ref("people", name),)
        yield service.problem(("people",), name, reason, _ADDRESSES, related=related)


_ADDRESSES = "name a set here that has `emails:` alone"


def _not_on_tailnet(names: Iterable[str], estate: Estate) -> Iterator[tuple[str, str]]:
    """Sets of people that the tailnet's policy cannot name, each with why."""
    for name in names:
        one = estate.sets.get(name)
        said = one.off_tailnet if one else ()
        if said:
            yield (
                name,
                f"the tailnet's policy names people by their addresses, and knows no {listed(f'`{s}`' for s in said)}: "
                f"of set {name} it would let in others",
            )


@RULES.stack("people-routed", "tailscale.com/kb/1337")
def _routed(stack: OneStack) -> Iterator[Problem]:
    """A route, an exit node and Tailscale SSH are for people whom the tailnet's policy knows."""
    estate = stack.estate
    for path, to in stack.leads if estate else ():
        assert estate
        names = sorted(named_people(to, estate).people)
        if not names:
            who = next(iter(sorted(estate.people)), "family")
            said = f"{{to: {to.to}, people: {who}}}" if isinstance(to, Route) else f"{path[-2]}: {{people: {who}}}"
            yield Problem(
                path[:-1],
                "",
                "nobody is named who may use it, so no grant of the tailnet's policy opens it",
                f"say `{said}`, or give the estate a `default_people:`",
                related=(stack.estate_ref("default_people"),),
            )
        for name, reason in _not_on_tailnet(names, estate):
            yield Problem(path, name, reason, _ADDRESSES, related=(stack.estate_ref("people", name),))


@RULES.stack("people-until", "Gatehouse: what ends on a day ends by the `up` after it", severity="warning")
def _until(stack: OneStack) -> Iterator[Problem]:
    """A set of people that ends is minded."""
    for name, one in stack.own_sets:
        left = one.days_left
        if left is not None and left <= _SOON:
            ends = "ends today" if left == 0 else f"ends in {left} day{'' if left == 1 else 's'}"
            yield Problem(
                ("estate", "people", name, "until"),
                show(one.until or ""),
                "its last day is over: the next `gatehouse up` takes its people out, and until it has run they get in"
                if one.ended
                else f"set {name} {ends} (UTC); the first `gatehouse up` after that day takes its people out",
                "run `gatehouse up`, then remove the set where it is named; or write a later day"
                if one.ended
                else "write a later day, if it is to go on",
            )
