"""What one part of a surface hides from another: rules never reached, swallowed hosts, bypasses wider than meant.

Each comes with a URL that shows it. Found across services and stacks, on what is registered and not on the stack file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exposure.reach.access import ANYONE, decide
from exposure.reach.evaluate import Outcome, Request, rule_text, who
from exposure.reach.examples import examples
from exposure.reach.match import matches_host, matches_path
from exposure.reach.places import ANY_NAME, principals
from exposure.reach.surface import Application, Destination, Rule, Surface, Tunnel, winners

_DEEP = f"any.{ANY_NAME}"
_ENOUGH = 4
_PREFIX = re.compile(r"\^(?P<literal>(?:[^\\.+*?()|\[\]{}^$]|\\[^A-Za-z0-9])*)(?P<end>\(/\|\$\)|\(\?:/\|\$\)|/)?")
"""An anchored literal, alone, with what is below it, or a folder's content."""


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
    for tunnel in surface.tunnels:
        yield from _rules(tunnel)
        yield from _unnamed(surface, tunnel)
        yield from _jwt(surface, tunnel)
        yield from _without_bypass(surface, tunnel)
    yield from _wildcards(surface)
    yield from _bypasses(surface)
    yield from _records(surface)


# Rules that hide rules


def _rules(tunnel: Tunnel) -> Iterator[Shadow]:
    rules = tunnel.rules or ()
    for later, rule in enumerate(rules):
        hides = next((earlier for earlier in range(later) if hidden(rules[earlier], rule)), None)
        how = "takes all of its requests"
        if hides is None:
            hides = _all_taken(tunnel, rule, later)
            how = "and others before it took every request that was tried"
        if hides is None:
            continue
        by = rules[hides]
        swallowed = by.host != rule.host and (by.host or "*").startswith("*")
        yield Shadow(
            "wildcard-swallows-host" if swallowed else "rule-shadowed",
            f"rule {later + 1} ({rule_text(rule)})",
            _url(_host(rule), _path(rule)),
            f"rule {hides + 1} ({rule_text(by)}) stands before it and {how}: the first match wins",
            _services(rule, by),
            opens=bool(rule.access and rule.access.required) and not (by.access and by.access.required),
        )


def hidden(earlier: Rule, later: Rule) -> bool:
    """Whether an earlier rule provably takes every request of a later one."""
    if not _host_within(later.host, earlier.host):
        return False
    if earlier.path is None or earlier.path == later.path:
        return True
    if later.path is None:
        return matches_everything(earlier.path)
    return matches_everything(earlier.path) or _path_within(later.path, earlier.path)


def matches_everything(expression: str) -> bool:
    """Whether an expression matches every path: it matches the empty text, unanchored at one end at least."""
    return expression in ("^", "$", "/", "^/", ".*", "^.*", "^.*$", "^/.*", "^/.*$", "", "()") or (
        "^" not in expression and "$" not in expression and "\\" not in expression and _matches_nothing(expression)
    )


def _matches_nothing(expression: str) -> bool:
    try:
        return matches_path(expression, "")
    except ValueError:
        return False


def _host_within(inner: str | None, outer: str | None) -> bool:
    """Whether every host of one rule is one of the other's."""
    if outer in (None, "*") or inner == outer:
        return True
    if inner in (None, "*"):
        return False
    assert inner is not None
    assert outer is not None
    if inner.startswith("*."):
        return outer.startswith("*.") and inner[1:].endswith(outer[1:])
    return matches_host(outer, inner)


def _path_within(inner: str, outer: str) -> bool:
    """Whether every path of one anchored literal is one of the other's."""
    a, b = _PREFIX.fullmatch(inner), _PREFIX.fullmatch(outer)
    if not a or not b:
        return False
    one, other = _literal(a), _literal(b)
    if b["end"] is None:
        return one.startswith(other)
    if b["end"] == "/":
        return f"{one}/".startswith(f"{other}/") and (a["end"] == "/" or len(one) > len(other) or one.endswith("/"))
    # `^/api(/|$)`: the path itself and what is below it.
    below = one == other and a["end"] is not None
    return below or one.startswith(f"{other}/")


def _literal(match: re.Match[str]) -> str:
    return re.sub(r"\\(.)", r"\1", match["literal"])


def _all_taken(tunnel: Tunnel, rule: Rule, later: int) -> int | None:
    """The first earlier rule that takes the later one's examples, where earlier ones take every example there is."""
    if rule.host is None and rule.path is None:
        return None
    paths = examples(rule.path) if rule.path else ("/", "/any", "/any/below.html", "/0")
    try:
        taken = [tunnel.first(host, path) for host in _hosts_of(rule) for path in paths]
    except ValueError:
        return None
    earlier = [t for t in taken if t is not None and t < later]
    # Of a rule with few examples too little is known to call it hidden.
    return min(earlier) if len(paths) >= _ENOUGH and len(earlier) == len(taken) else None


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


def _jwt(surface: Surface, tunnel: Tunnel) -> Iterator[Shadow]:
    """Rules whose JWT check refuses whom Access let in: the AUD of one of the host's applications is missing."""
    for index, rule in enumerate(tunnel.rules or ()):
        if rule.access is None or not rule.access.required or rule.host is None:
            continue
        for host in _hosts_of(rule):
            for path in _paths_of(surface, rule, host):
                for application in surface.lookup.deciding(host, path):
                    lets_in = _lets_in(application)
                    accepted = application.key in rule.access.applications or rule.access.unresolved
                    if not lets_in or accepted or not _takes(tunnel, index, host, path):
                        continue
                    yield Shadow(
                        "aud-missing",
                        f"rule {index + 1} ({rule_text(rule)})",
                        _url(host, path),
                        f"application {application.key} decides there, and the rule does not accept its AUD:"
                        " whoever logs in is answered 403",
                        _services(rule, application),
                    )


def _without_bypass(surface: Surface, tunnel: Tunnel) -> Iterator[Shadow]:
    """Paths of a protected host that a rule passes without a JWT, though Access bypasses none of them or not all."""
    for index, rule in enumerate(tunnel.rules or ()):
        if rule.host is None or (rule.access and rule.access.required) or rule.origin.startswith("http_status:"):
            continue
        protected = any(r.access and r.access.required and r.host == rule.host for r in tunnel.rules or ())
        for host in _hosts_of(rule):
            for path in _paths_of(surface, rule, host):
                deciding = surface.lookup.deciding(host, path)
                asked = bool(deciding) and all(decide(a, ANYONE).verdict in ("login", "denied") for a in deciding)
                if not asked or not _takes(tunnel, index, host, path):
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


def _wildcards(surface: Surface) -> Iterator[Shadow]:
    """Hosts that a tunnel's wildcard covers and Access's does not: cloudflared's is any depth, Access's one label."""
    everybody = principals(surface)
    for tunnel in surface.tunnels:
        for rule in tunnel.rules or ():
            if not (rule.host or "").startswith("*.") or rule.origin.startswith("http_status:"):
                continue
            assert rule.host is not None
            shallow, deep = (rule.host.replace("*", name, 1) for name in (ANY_NAME, _DEEP))
            path = _path(rule)
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
                "the tunnel's wildcard is any depth, Access's one label: no application covers this host, and who is"
                " refused one label below the wildcard gets in there",
                _services(rule, *guard),
                opens=True,
            )


def _bypasses(surface: Surface) -> Iterator[Shadow]:
    for application in surface.applications:
        if decide(application, ANYONE).verdict != "bypass":
            continue
        for destination in application.destinations:
            yield from _bypass(surface, application, destination)


def _bypass(surface: Surface, application: Application, destination: Destination) -> Iterator[Shadow]:
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
    below = [f"{path}/any", f"{path}/any/below", *_rule_examples(surface, host, path)]
    outcomes = {p: who(surface, Request(host, 443, p), ANYONE).outcome for p in below}
    won = [p for p in below if application in surface.lookup.deciding(host, p)]
    refused = [p for p in won if outcomes[p] is Outcome.JWT_REFUSED]
    reached = [p for p in won if outcomes[p] is Outcome.OPEN]
    # The bare path of a folder (`/a` where the rule wants `/a/`) is refused too, and means nothing.
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


def _rule_examples(surface: Surface, host: str, path: str) -> list[str]:
    """Paths of the host's rules that lie below a path."""
    return [
        p
        for rule in surface.rules
        if rule.path and rule.host is not None and matches_host(rule.host, host)
        for p in examples(rule.path)
        if p.startswith(f"{path}/")
    ]


def _paths_of(surface: Surface, rule: Rule, host: str) -> list[str]:
    """Paths to try at a host: the rule's own, and every application's, as far as the rule matches them."""
    paths = ["/", "/any", *(examples(rule.path) if rule.path else ())]
    for application in surface.applications:
        for destination in application.destinations:
            path = destination.path.replace("*", "any").rstrip("/")
            if path and any(d.covers(host, path) for d in application.destinations):
                paths += [path, f"{path}/any"]
    try:
        return [p for p in dict.fromkeys(paths) if matches_path(rule.path, p)]
    except ValueError:
        return []


def _takes(tunnel: Tunnel, index: int, host: str, path: str) -> bool:
    try:
        return tunnel.first(host, path) == index
    except ValueError:
        return False


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
    return (examples(rule.path)[:1] or ("/",))[0] if rule.path else "/"


def _url(host: str, path: str) -> str:
    return f"https://{host}{path}"


def _services(*things: object) -> tuple[str, ...]:
    found: Iterable[str | None] = (getattr(thing, "service", None) for thing in things)
    return tuple(sorted({service for service in found if service}))
