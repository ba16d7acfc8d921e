"""What one part of a surface hides from another: rules never reached, swallowed hosts, bypasses wider than meant.

Each comes with a URL that shows it. Found across services and stacks, on what is registered and not on the stack file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from exposure.reach.access import ANYONE, decide
from exposure.reach.automata import shortest
from exposure.reach.evaluate import Outcome, Request, rule_text, who
from exposure.reach.match import matches_host
from exposure.reach.places import ANY_NAME, principals, web
from exposure.reach.surface import Application, Destination, Rule, Surface, Tunnel, winners

_DEEP = f"any.{ANY_NAME}"
Asked: TypeAlias = tuple[str, str]
"""A host and a path, of one class each."""


@dataclass(frozen=True)
class Shadow:
    """One finding: its kind, what it is about, a URL that shows it, why, and the services it touches.

    `opens` says that somebody gets in who should not, rather than that something cannot be reached.
    """

    kind: str
    subject: str
    example: str
    reason: str
    services: tuple[str, ...] = ()
    opens: bool = False


def shadows(surface: Surface) -> tuple[Shadow, ...]:
    """Everything found, in a stable order; one of each kind and subject."""
    found: dict[tuple[str, str], Shadow] = {}
    for shadow in _all(surface):
        found.setdefault((shadow.kind, shadow.subject), shadow)
    return tuple(found[key] for key in sorted(found))


def _all(surface: Surface) -> Iterator[Shadow]:
    requests = [(found.host, found.path) for found in web(surface) if not found.aside]
    for tunnel in surface.tunnels:
        decided = _decided(tunnel, requests)
        yield from _rules(tunnel, decided)
        yield from _unnamed(surface, tunnel)
        yield from _jwt(surface, tunnel, decided)
        yield from _without_bypass(surface, tunnel, decided)
    yield from _wildcards(surface, requests)
    yield from _bypasses(surface, requests)
    yield from _round(surface, requests)
    yield from _records(surface)


def _decided(tunnel: Tunnel, requests: Iterable[Asked]) -> dict[int, list[Asked]]:
    """The requests that each rule decides, one of each class; none where cloudflared refuses the list."""
    found: dict[int, list[Asked]] = {}
    for host, path in requests:
        try:
            index = tunnel.first(host, path)
        except ValueError:
            return {}
        if index is not None:
            found.setdefault(index, []).append((host, path))
    return found


# Rules that hide rules


def _rules(tunnel: Tunnel, decided: Mapping[int, Sequence[Asked]]) -> Iterator[Shadow]:
    """Rules that decide over no request: every class that one matches is another's, which stands before it."""
    rules = tunnel.rules or ()
    for later, rule in enumerate(rules):
        if not decided or later in decided or (rule.host is None and rule.path is None):
            continue
        host, path = _host(rule), _path(rule)
        hides = tunnel.first(host, path)
        if hides is None or hides >= later:
            continue
        by = rules[hides]
        swallowed = by.host != rule.host and (by.host or "*").startswith("*")
        yield Shadow(
            "wildcard-swallows-host" if swallowed else "rule-shadowed",
            f"rule {later + 1} ({rule_text(rule)})",
            _url(host, path),
            f"rule {hides + 1} ({rule_text(by)}) stands before it, and no request is left for it: the first match wins",
            _services(rule, by),
            opens=bool(rule.access and rule.access.required) and not (by.access and by.access.required),
        )


# Rules and what leads to them


def _unnamed(surface: Surface, tunnel: Tunnel) -> Iterator[Shadow]:
    """Rules of a host that no record leads to, through this tunnel."""
    for index, rule in enumerate(tunnel.rules or ()):
        if rule.host is None:
            continue
        hosts = _hosts_of(rule)
        records = [r for host in hosts for r in surface.lookup.answering(host)]
        own = f"*.{rule.host.removeprefix('*.')}"
        if any(r.tunnel == tunnel.name for r in records) or any(r.host.endswith(own[1:]) for r in surface.records):
            continue
        elsewhere = f"{records[0].host} leads elsewhere" if records else "no DNS record leads there"
        yield Shadow(
            "rule-without-record",
            f"rule {index + 1} ({rule_text(rule)})",
            _url(hosts[0], _path(rule)),
            f"{elsewhere}, so tunnel {tunnel.name} never sees a request for it",
            _services(rule),
        )


def _records(surface: Surface) -> Iterator[Shadow]:
    """Names that lead to a tunnel without a rule for them."""
    for record in surface.records:
        tunnel = next((t for t in surface.tunnels if t.name == record.tunnel), None)
        if tunnel is None or tunnel.rules is None:
            continue
        host = record.host.replace("*", ANY_NAME, 1)
        if not any(r.host is not None and matches_host(r.host, host) for r in tunnel.rules):
            below = record.host.startswith("*.") and any(
                r.host and r.host.endswith(record.host[1:]) for r in tunnel.rules
            )
            if not below:
                yield Shadow(
                    "record-without-rule",
                    record.host,
                    _url(host, "/"),
                    f"it leads to tunnel {tunnel.name}, which has no rule for it: the last rule answers",
                    _services(record),
                )


# Access and the tunnel


def _jwt(surface: Surface, tunnel: Tunnel, decided: Mapping[int, Sequence[Asked]]) -> Iterator[Shadow]:
    """Rules whose JWT check refuses whom Access let in: the AUD of an application that decides there is missing."""
    for index, rule in enumerate(tunnel.rules or ()):
        if rule.access is None or not rule.access.required or rule.host is None:
            continue
        for host, path in decided.get(index, ()):
            for application in surface.lookup.deciding(host, path):
                accepted = application.key in rule.access.applications or rule.access.unresolved
                if not _lets_in(application) or accepted:
                    continue
                yield Shadow(
                    "aud-missing",
                    f"rule {index + 1} ({rule_text(rule)})",
                    _url(host, path),
                    f"application {application.key} decides there, and the rule does not accept its AUD:"
                    " whoever logs in is answered 403",
                    _services(rule, application),
                )


def _without_bypass(surface: Surface, tunnel: Tunnel, decided: Mapping[int, Sequence[Asked]]) -> Iterator[Shadow]:
    """Paths of a protected host that a rule passes without a JWT, though Access bypasses none of them or not all."""
    for index, rule in enumerate(tunnel.rules or ()):
        if rule.host is None or (rule.access and rule.access.required) or rule.origin.startswith("http_status:"):
            continue
        protected = any(r.access and r.access.required and r.host == rule.host for r in tunnel.rules or ())
        for host, path in decided.get(index, ()):
            deciding = surface.lookup.deciding(host, path)
            if not deciding or not all(decide(a, ANYONE).verdict in ("login", "denied") for a in deciding):
                continue
            yield Shadow(
                "rule-wider-than-bypass" if protected else "jwt-not-checked",
                f"rule {index + 1} ({rule_text(rule)})",
                _url(host, path),
                f"Access asks for a login there (application {deciding[0].key}), and this rule checks no JWT: what"
                " passes Access is not checked again"
                + ("; a path matches anywhere unless it starts with ^" if rule.path else ""),
                _services(rule, *deciding),
            )


def _wildcards(surface: Surface, requests: Sequence[Asked]) -> Iterator[Shadow]:
    """Hosts that a tunnel's wildcard covers and Access's does not: cloudflared's is any depth, Access's one label."""
    everybody = principals(surface)
    for tunnel in surface.tunnels:
        for rule in tunnel.rules or ():
            if not (rule.host or "").startswith("*.") or rule.origin.startswith("http_status:"):
                continue
            assert rule.host is not None
            shallow, deep = (rule.host.replace("*", name, 1) for name in (ANY_NAME, _DEEP))
            for path in (path for host, path in requests if host == deep):
                guard = surface.lookup.deciding(shallow, path)
                if not guard or surface.lookup.deciding(deep, path):
                    continue
                asked = [Request(host, 443, path) for host in (deep, shallow)]
                reached = [
                    {c.representative for c in everybody if who(surface, r, c.representative).reaches} for r in asked
                ]
                if reached[0] <= reached[1]:
                    # The rule's JWT check keeps the deeper names shut, or their path is for anyone anyway.
                    continue
                yield Shadow(
                    "access-wildcard-too-shallow",
                    f"{guard[0].key} against {rule_text(rule)}",
                    _url(deep, path),
                    "the tunnel's wildcard is any depth, Access's one label: no application covers this host, and who"
                    " is refused one label below the wildcard gets in there",
                    _services(rule, *guard),
                    opens=True,
                )


def _bypasses(surface: Surface, requests: Sequence[Asked]) -> Iterator[Shadow]:
    for application in surface.applications:
        if decide(application, ANYONE).verdict != "bypass":
            continue
        for destination in application.destinations:
            yield from _bypass(surface, application, destination, requests)


def _bypass(
    surface: Surface, application: Application, destination: Destination, requests: Sequence[Asked]
) -> Iterator[Shadow]:
    host = destination.host.replace("*", ANY_NAME, 1).replace("*", "")
    path = destination.path.replace("*", "").rstrip("/")
    if path == "" and not winners((a for a in surface.applications if a is not application), host, "/"):
        yield Shadow(
            "bypass-of-whole-host",
            destination.uri,
            _url(host, "/"),
            "the application lets anyone by on every path of the host, so no login is ever asked for",
            _services(application),
            opens=True,
        )
        return
    # The bare path of a folder (`/a` where the rule wants `/a/`) is refused too, and means nothing.
    below = [f"{path}/any", *(p for h, p in requests if h == host and p != path)]
    won = [p for p in below if application in surface.lookup.deciding(host, p)]
    outcomes = {p: who(surface, Request(host, 443, p), ANYONE).outcome for p in won}
    refused = [p for p in won if outcomes[p] is Outcome.JWT_REFUSED]
    reached = [p for p in won if outcomes[p] is Outcome.OPEN]
    if refused:
        what = "the rule for part of it asks for" if reached else "every rule for it asks for"
        yield Shadow(
            "bypass-wider-than-rule",
            destination.uri,
            _url(host, refused[0]),
            f"Access lets anyone by, but {what} a JWT, which nobody has who did not log in: answered 403, and only the"
            " tunnel keeps it closed",
            _services(application),
        )
    foreign = {
        a.service for a in surface.applications if a.service and any(d.host == destination.host for d in a.destinations)
    }
    others = sorted(s for s in foreign if s != application.service)
    if others and application.service and surface.taken_by(host, f"{path}/any") != application.service:
        yield Shadow(
            "bypass-on-another-service",
            destination.uri,
            _url(host, path),
            f"service {application.service} lets anyone by on a host of {', '.join(others)}",
            (application.service, *others),
            opens=bool(reached),
        )


def _round(surface: Surface, requests: Sequence[Asked]) -> Iterator[Shadow]:
    """Ways round a login by an encoded slash: for Access and the rules below an open path, for many a server not."""
    outcomes: dict[str, dict[str, Outcome]] = {}
    for host, path in requests:
        outcomes.setdefault(host, {})[path] = who(surface, Request(host, 443, path), ANYONE).outcome
    for host, paths in outcomes.items():
        shut = [p for p, outcome in paths.items() if outcome in (Outcome.ACCESS_DENIED, Outcome.JWT_REFUSED)]
        for path in (p for p, outcome in paths.items() if outcome is Outcome.OPEN and shut):
            up = "..%2f" * path.rstrip("/").count("/")
            asked = f"{path.rstrip('/')}/{up}{shut[0].lstrip('/')}"
            if who(surface, Request(host, 443, asked), ANYONE).outcome is Outcome.OPEN:
                yield Shadow(
                    "path-goes-round",
                    f"{host}{path}",
                    _url(host, asked),
                    f"Access and the tunnel take it for a part of {path}, which is open; a server that decodes and then"
                    f" resolves it answers for {shut[0]}",
                    _services(*(rule for rule in surface.rules if rule.host == host)),
                    opens=True,
                )


def _lets_in(application: Application) -> bool:
    return any(p.decision in ("allow", "unknown") for p in application.policies)


def _hosts_of(rule: Rule) -> tuple[str, ...]:
    if rule.host is None or rule.host == "*":
        return (ANY_NAME,)
    if rule.host.startswith("*."):
        return (rule.host.replace("*", ANY_NAME, 1), rule.host.replace("*", _DEEP, 1))
    return (rule.host,)


def _host(rule: Rule) -> str:
    return _hosts_of(rule)[0]


def _path(rule: Rule) -> str:
    return shortest(rule.path) or "/" if rule.path else "/"


def _url(host: str, path: str) -> str:
    return f"https://{host}{path}"


def _services(*things: object) -> tuple[str, ...]:
    found: Iterable[str | None] = (getattr(thing, "service", None) for thing in things)
    return tuple(sorted({service for service in found if service}))
