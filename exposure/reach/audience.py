"""Everything that can be asked of a surface: its places, everybody who may ask, and who reaches each place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from exposure.names import node_tag
from exposure.reach.access import ANYONE, MEMBER, Principal
from exposure.reach.evaluate import Answer, Outcome, Request, Scheme, asking
from exposure.reach.examples import examples
from exposure.reach.match import covers_host, matches_host
from exposure.reach.surface import Selector, Surface
from exposure.reach.tailnet import nodes, people_of, ports_to, tags_of

ANY_NAME = "any-name"
"""Stands for any label under a wildcard."""


@dataclass(frozen=True)
class Place:
    """A place that somebody may reach: what to ask for, and the service that it belongs to."""

    request: Request
    service: str | None = field(default=None, compare=False)
    wildcard: bool = field(default=False, compare=False)

    @property
    def text(self) -> str:
        """As people write it: host and path for the web, with the port otherwise."""
        request = self.request
        host = request.host.replace(f"{ANY_NAME}.", "*.", 1) if self.wildcard else request.host
        if request.scheme in ("http", "https") and request.port in (80, 443):
            return f"{host}{request.path}"
        return f"{host}:{request.port}/{request.protocol}"


@dataclass(frozen=True)
class Crowd:
    """People who cannot be told apart by anything registered: one of them answers for all."""

    representative: Principal
    everybody: tuple[Principal, ...]


def places(*surfaces: Surface, thorough: bool = False) -> tuple[Place, ...]:
    """Every place of the surfaces: hosts and paths with a rule or an application, tailnet names, forwarded ports.

    `thorough` adds more paths of each rule and application, deeper names below wildcards, and tags with no machine:
    what a comparison of two surfaces has to look at.
    """
    found: dict[Request, Place] = {}

    def add(host: str, port: int, path: str, scheme: Scheme, service: str | None) -> None:
        names = [host.replace("*", name, 1) for name in (ANY_NAME, f"any.{ANY_NAME}")[: 1 + thorough]]
        for asked in dict.fromkeys(names):
            request = Request(asked, port, path, scheme)
            old = found.get(request)
            if old is None or (old.service is None and service is not None):
                found[request] = Place(request, service, asked != host)

    hosts: dict[str, str | None] = {}
    for surface in surfaces:
        for host, service in _hosts(surface).items():
            hosts[host] = hosts.get(host) or service
    for host, service in hosts.items():
        for path in sorted({p for surface in surfaces for p in _paths(surface, host, thorough)}):
            add(host, 443, path, "https", service)
    for surface in surfaces:
        for host, port, scheme, service in _ports(surface, thorough):
            add(host, port, "/", scheme, service)
    return tuple(found.values())


def _ports(surface: Surface, thorough: bool) -> Iterator[tuple[str, int, Scheme, str | None]]:
    for record in surface.records:
        for forwarded in surface.router:
            if record.proxied or record.content != forwarded.address:
                continue
            node_port = next(
                (
                    n
                    for n in surface.node_ports
                    if (n.protocol, n.node_port) == (forwarded.protocol, forwarded.node_port)
                ),
                None,
            )
            # One address has many names, and each leads to every port: the service's own name stands for them.
            if node_port is None or record.service is None or node_port.service in (None, record.service):
                yield record.host, forwarded.external, _scheme(forwarded.protocol), record.service
    tailnet = surface.tailnet
    suffix = f".{tailnet.name}" if tailnet and tailnet.name else ""
    for ingress in surface.tailnet_ingresses:
        yield f"{ingress.machine}{suffix}", 443, "https", ingress.service
    for address in surface.tailnet_addresses:
        for protocol, number in address.ports:
            yield f"{address.machine}{suffix}", number, _scheme(protocol), address.service
    if not tailnet or not tailnet.policy:
        return
    for node in nodes(tailnet.policy):
        for protocol, number in ports_to(tailnet.policy, (node_tag(node),)):
            yield f"{node}{suffix}", number, _scheme(protocol), None
    if thorough:
        listened = {(t, "tcp", 443) for i in surface.tailnet_ingresses for t in i.tags}
        listened |= {(t, *port) for a in surface.tailnet_addresses for t in a.tags for port in a.ports}
        for tag in sorted(set(tags_of(tailnet.policy)) - {node_tag(n) for n in nodes(tailnet.policy)}):
            for protocol, number in ports_to(tailnet.policy, (tag,)):
                if (tag, protocol, number) not in listened:
                    yield tag, number, _scheme(protocol), None


def _scheme(protocol: str) -> Scheme:
    return "udp" if protocol == "udp" else "tcp"


def _hosts(surface: Surface) -> dict[str, str | None]:
    """The web's hosts, with the service that each belongs to."""
    found: dict[str, str | None] = {}
    for record in surface.records:
        if record.proxied:
            found[record.host] = record.service
    for rule in surface.rules:
        if rule.host is not None:
            found[rule.host] = found.get(rule.host) or rule.service
    for application in surface.applications:
        for destination in application.destinations:
            found[destination.host] = found.get(destination.host) or application.service
    return found


def _paths(surface: Surface, host: str, thorough: bool) -> set[str]:
    paths = {"/"}
    for application in surface.applications:
        for destination in application.destinations:
            if destination.path and (destination.host == host or covers_host(destination.host, host)):
                path = destination.path.replace("*", "any")
                paths |= {path, f"{path.rstrip('/')}/any"} if thorough else {path}
    for rule in surface.rules:
        if rule.path and rule.host is not None and matches_host(rule.host, host):
            paths |= set(examples(rule.path)[: 12 if thorough else 1])
    return paths


def principals(surface: Surface) -> list[Crowd]:
    """Everybody whom anything names, in crowds; among them a stranger, some member of the tailnet and every tag."""
    return crowds([surface])


def crowds(surfaces: Sequence[Surface]) -> list[Crowd]:
    """The crowds of several surfaces together: nobody in a crowd differs from another in any of them."""
    marks: dict[str, set[object]] = {}
    tags: set[str] = set()
    domains: set[str] = set()
    for number, surface in enumerate(surfaces):
        for index, application in enumerate(surface.applications):
            for place, policy in enumerate(application.policies):
                for word, selectors in (("i", policy.include), ("e", policy.exclude), ("r", policy.require)):
                    _mark(selectors, (number, index, place, word), marks, domains)
        policy_json = surface.tailnet.policy if surface.tailnet else None
        if policy_json:
            tags |= set(tags_of(policy_json))
            for person, names in people_of(policy_json).items():
                marks.setdefault(person, set()).update((number, name) for name in names)
        tags |= {tag for ingress in surface.tailnet_ingresses for tag in ingress.tags}
        tags |= {tag for address in surface.tailnet_addresses for tag in address.tags}
    groups: dict[tuple[frozenset[object], frozenset[str]], list[str]] = {}
    for person in sorted(marks):
        own = frozenset(d for d in domains if person.endswith(f"@{d}"))
        groups.setdefault((frozenset(marks[person]), own), []).append(person)
    for domain in sorted(domains):
        groups.setdefault((frozenset(), frozenset({domain})), []).append(f"somebody@{domain}")
    people = [tuple(Principal("person", name) for name in names) for names in groups.values()]
    return [
        Crowd(ANYONE, (ANYONE,)),
        *(Crowd(everybody[0], everybody) for everybody in people),
        Crowd(MEMBER, (MEMBER,)),
        *(Crowd(Principal("tag", tag), (Principal("tag", tag),)) for tag in sorted(tags)),
    ]


def _mark(
    selectors: Iterable[Selector], path: tuple[object, ...], marks: dict[str, set[object]], domains: set[str]
) -> None:
    for selector in selectors:
        if selector.kind == "email":
            marks.setdefault(selector.value, set()).add(path)
        elif selector.kind == "emailDomain":
            domains.add(selector.value)
        elif selector.group is not None:
            group = selector.group
            for word, inner in (("i", group.include), ("e", group.exclude), ("r", group.require)):
                _mark(inner, (*path, word), marks, domains)


@dataclass(frozen=True)
class Audience:
    """Who reaches a place: each principal that does, and how."""

    reached: Mapping[Principal, Outcome]

    @property
    def anyone(self) -> Outcome | None:
        """How a stranger reaches it; None where none does."""
        return self.reached.get(ANYONE)

    def text(self, show: Callable[[Sequence[str]], str] | None = None) -> str:
        """In words: the widest first, without those who are in it anyway."""
        show = show or _names
        if not self.reached:
            return "nobody"
        parts: list[str] = []
        if self.anyone:
            parts.append("anyone" if self.anyone is Outcome.OPEN else f"anyone, {self.anyone.value}")
        for outcome in (Outcome.OPEN, Outcome.LOGIN, Outcome.TAILNET):
            if self.anyone and outcome is not Outcome.TAILNET:
                continue
            here = [p for p, how in self.reached.items() if how is outcome]
            if self.anyone is Outcome.OPEN:
                here = []
            if MEMBER in here:
                here = [p for p in here if p.kind != "person"]
            names = [str(p) for p in here]
            if names:
                how = "" if outcome is Outcome.OPEN else f" {outcome.value}"
                parts.append(show(names) + how)
        return "; ".join(parts)


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def audience(surface: Surface, request: Request, everybody: Sequence[Crowd]) -> Audience:
    """Who of everybody reaches it."""
    found = {p: a.outcome for c, a in answers(surface, request, everybody) if a.reaches for p in c.everybody}
    return Audience(dict(sorted(found.items(), key=lambda item: (_KINDS.index(item[0].kind), item[0].name))))


_KINDS = ("anyone", "person", "member", "tag")


def answers(surface: Surface, request: Request, everybody: Sequence[Crowd]) -> list[tuple[Crowd, Answer]]:
    """Each crowd's answer."""
    answer = asking(surface, request)
    return [(crowd, answer(crowd.representative)) for crowd in everybody]


def table(surface: Surface) -> list[tuple[Place, Audience]]:
    """Every place with who reaches it."""
    everybody = principals(surface)
    return [(place, audience(surface, place.request, everybody)) for place in places(surface)]
