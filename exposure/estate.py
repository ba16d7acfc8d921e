"""What there is one of, folded from the ways of every service: rule list, applications, records, people, policy.

Each fold stands here once. The component that registers it takes it, and so does reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from config.people import GITHUB
from config.stack import Estate
from config.values import ROOT, Host, unguarded
from exposure.audience import ANYONE, NOBODY, Audience, people
from exposure.model import AccessApplication, DnsRecord, PeopleSet, Redirect, TunnelRule
from exposure.names import ACME_EXPRESSION
from exposure.ways.tunnel import TunnelWay
from exposure.ways.way import DEFAULT_ACCESS, Claim, Way

CATCH_ALL = TunnelRule(None, None, "http_status:404")
"""cloudflared demands a last rule with neither host nor path [CFD ingress/ingress.go]."""


CLOSING = r"^/(?s:(.*/)?)(\.\.?([/;]|$)|[^/]*\\)"
"""Dot segments and backslashes, in the decoded path that cloudflared matches: `/api/..%2fadmin` is below `/api` for the
edge, which decodes no `%2F`, and `/admin` for many a server [CFDOC rules/normalization; CFD proxy/proxy.go]. So is
`/api/..;/admin` for one that cuts parameters off first [Servlet 6.0, 3.5.2]."""


def claims(ways: Iterable[Way]) -> tuple[Claim, ...]:
    """What all ways take of public hosts."""
    return tuple(claim for way in ways for claim in way.claims())


def guards(found: Sequence[Claim]) -> dict[Claim, Claim | None]:
    """The claim whose Access application decides over each claim: its own or one above it; None where nothing asks.

    A claim needs an application of its own where its audience, or a setting, is not that of what is above it: the most
    specific application wins, with nothing inherited [CFDOC cloudflare-one/access-controls/policies/app-paths].
    """
    places: dict[tuple[str, str], Claim] = {}
    for claim in found:
        places.setdefault((claim.host, claim.path), claim)
    decided: dict[Claim, Claim | None] = {}
    # A wildcard is above the hosts that it covers, and a path above what is below it.
    for claim in sorted(
        found, key=lambda c: (not c.host.wildcard, -len(c.host) if c.host.wildcard else 0, len(c.path))
    ):
        above = _above(claim, places)
        inherited = (above.audience, above.access) if above else (ANYONE, DEFAULT_ACCESS)
        decided[claim] = claim if (claim.audience, claim.access) != inherited else decided[above] if above else None
    return decided


def _above(claim: Claim, places: Mapping[tuple[str, str], Claim]) -> Claim | None:
    nearer = next((places[claim.host, p] for p in claim.path.above if (claim.host, p) in places), None)
    if nearer or claim.host.wildcard:
        return nearer
    # Access's `*` is a single label, so only the wildcard that is right above a name is above it.
    return places.get((f"*.{claim.host.partition('.')[2]}", ROOT))


def applications(found: Sequence[Claim]) -> tuple[AccessApplication, ...]:
    """The Access applications: one for each host and path whose audience differs from what is above it."""
    guarded = guards(found)
    return tuple(asked_for(claim) for claim in found if guarded[claim] is claim)


def asked_for(claim: Claim) -> AccessApplication:
    """The Access application of a claim that needs one of its own."""
    return AccessApplication(
        claim.title, claim.service, claim.host, claim.path, claim.audience, claim.origin, claim.was, claim.access
    )


def rules(found: Sequence[Claim]) -> tuple[TunnelRule, ...]:
    """The tunnel's rule list.

    A rule accepts the AUD of the application that decides over it, and of those that let anyone by below it, which
    never lead to a JWT. Of narrower or other people's applications it accepts none: where Access and cloudflared read a
    path differently, nobody gets in by another path's login.
    """
    guarded = guards(found)
    opening: dict[str, list[Claim]] = {}
    for claim, guard in guarded.items():
        if guard is claim and claim.audience.opens:
            opening.setdefault(claim.host, []).append(claim)
    listed = []
    for claim, guard in guarded.items():
        accepted: tuple[str, ...] = ()
        if guard is not None and claim.audience != NOBODY and not claim.audience.opens:
            beside = [c for c in opening.get(claim.host, ()) if claim.path.covers(c.path)]
            beside.sort(key=lambda c: (c.expression == ACME_EXPRESSION, c.path))
            accepted = (guard.destination, *(c.destination for c in beside))
        listed.append(TunnelRule(claim.host, claim.expression, claim.origin, claim.service, accepted, claim.settings))
    # Where a path is taken, no request may be in it for us and elsewhere for the service.
    divided = {claim.host for claim in guarded if claim.expression is not None}
    return in_order([*listed, *(TunnelRule(host, CLOSING, "http_status:400") for host in divided)])


def in_order(unordered: Iterable[TunnelRule]) -> tuple[TunnelRule, ...]:
    """The rule list: every host's paths before its general rule, narrow before broad, the catch-all last and alone.

    The first rule that matches wins, so a longer path stands before a shorter one, an exact host before a wildcard, and
    before a host's paths what shuts the ways round them. One that is given twice is there once.
    The order does not depend on the order given.
    """
    return (*sorted({r for r in unordered if r.host is not None}, key=_key), CATCH_ALL)


def _key(rule: TunnelRule) -> tuple[bool, int, str, bool, bool, int, str]:
    host = rule.host or ""
    wildcard = host.startswith("*.")
    return (
        wildcard,
        -len(host) if wildcard else 0,
        host,
        rule.path is None,
        rule.path != CLOSING,
        -len(unguarded(rule.path or "") or rule.path or ""),
        rule.path or "",
    )


def records(ways: Sequence[Way], estate: Estate) -> tuple[DnsRecord, ...]:
    """One record a host: to the tunnel, or past it to the router. A shared one is the service's that has most of it."""
    found: dict[Host, DnsRecord] = {}
    for claim in sorted(claims(ways), key=lambda c: (len(c.path), c.service)):
        if claim.host not in found:
            found[claim.host] = _record(claim.host, estate, None, claim.service)
    for way in ways:
        for address in way.addresses():
            found[address.host] = _record(address.host, estate, address.ipv4, address.service)
    return tuple(found[host] for host in sorted(found))


def _record(host: Host, estate: Estate, ipv4: str | None, service: str) -> DnsRecord:
    return DnsRecord(host, host, _zone(host, estate), ipv4, ipv4 is None, service)


def redirects(ways: Iterable[Way], estate: Estate) -> tuple[Redirect, ...]:
    """The hosts that redirect to the first one of their service, by zone."""
    found = ((way, host) for way in ways if isinstance(way, TunnelWay) for host in way.redirect_from)
    return tuple(sorted(Redirect(_zone(host, estate), host, way.hosts[0]) for way, host in found))


def _zone(host: Host, estate: Estate) -> str:
    zone = estate.zone_of(host)
    if zone is None:
        raise ValueError(f"{host} is in no zone of the estate; check it first")
    return zone.name


def logins(found: Iterable[Claim]) -> tuple[Audience, ...]:
    """Everybody who logs in to something behind Access, each combination of sets once."""
    guarded = {a.audience for a in applications(tuple(found))}
    return tuple(sorted((a for a in guarded if a.people), key=lambda a: a.set_name))


def people_sets(audiences: Iterable[Audience], estate: Estate) -> tuple[PeopleSet, ...]:
    """The people of each audience, as Access gets them. Its sets have the same terms: else that is a rule's finding."""
    together = sorted({people(a.people) for a in audiences if a.people}, key=lambda a: a.set_name)
    return tuple(people_set(a, estate) for a in together)


def people_set(audience: Audience, estate: Estate) -> PeopleSet:
    """The people of one audience, as Access gets them."""
    words = sorted(estate.who(audience.people))
    organizations = [word.removeprefix(GITHUB) for word in words if word.startswith(GITHUB)]
    addresses = [word for word in words if not word.startswith(GITHUB)]
    return PeopleSet(
        audience.set_name,
        tuple(word for word in addresses if not word.startswith("@")),
        tuple(word[1:] for word in addresses if word.startswith("@")),
        tuple(organizations),
        *estate.terms(audience.people),
        ended=all(estate.sets[name].ended for name in audience.people),
    )


def with_sessions(sets: Iterable[PeopleSet], found: Iterable[AccessApplication]) -> tuple[PeopleSet, ...]:
    """The sets with the sessions that applications have beside the estate's: a policy's session counts before an
    application's [CFDOC session-management]."""
    asked: dict[str, set[str]] = {}
    for application in found:
        if application.audience.people and application.settings.session_duration:
            asked.setdefault(application.audience.set_name, set()).add(application.settings.session_duration)
    return tuple(replace(one, sessions=tuple(sorted(asked.get(one.name, ())))) for one in sets)


def token_sets(audiences: Iterable[Audience]) -> tuple[tuple[str, ...], ...]:
    """The service tokens of each audience, as Access gets them."""
    return tuple(sorted({tuple(sorted(a.tokens)) for a in audiences if a.tokens}))
