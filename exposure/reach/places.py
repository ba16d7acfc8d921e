"""Everything that can be asked of a surface: its places, everybody who may ask, and who reaches each place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from config.text import few
from config.values import unguarded
from exposure.names import node_tag
from exposure.reach.access import ANYONE, LAN, MEMBER, Principal
from exposure.reach.automata import TooManyError, UnreadError, classes, search
from exposure.reach.evaluate import WIDEST, Answer, Outcome, Request, Scheme, asking, from_where
from exposure.reach.match import ODD, covers_host, glob, matches_host
from exposure.reach.surface import ANY_PORT, Selector, Surface
from exposure.reach.tailnet import (
    destination,
    destinations,
    domains_of,
    in_cluster,
    named_as_source,
    nodes,
    people_of,
    ports_to,
    tags_of,
)
from exposure.workload import Workload

ANY_NAME = "any-name"
"""Stands for any label under a wildcard."""
ROUND = "/..%2f"
"""Below a path: what some read as a part of it, and others as what is beside it (`readings`)."""


@dataclass(frozen=True)
class Place:
    """A place that somebody may reach: what to ask for, and the service that it belongs to."""

    request: Request
    service: str | None = field(default=None, compare=False)
    wildcard: bool = field(default=False, compare=False)
    aside: bool = field(default=False, compare=False)
    """Whether it is a way round a path, or a variant of a guarded one: nothing is meant to be found there."""

    @property
    def text(self) -> str:
        """As people write it: host and path for the web, with the port otherwise."""
        request = self.request
        host = request.host.replace(f"{ANY_NAME}.", "*.", 1) if self.wildcard else request.host
        if request.scheme in ("http", "https") and request.port in (80, 443):
            return f"{'http://' * (request.scheme == 'http')}{host}{request.path}"
        return f"{host}:{request.port or 'any node port'}/{request.protocol}"


@dataclass(frozen=True)
class Crowd:
    """People who cannot be told apart by anything registered: one of them answers for all."""

    representative: Principal
    everybody: tuple[Principal, ...]


def places(
    *surfaces: Surface, thorough: bool = False, ways_round: bool = False, tags: bool = False
) -> tuple[Place, ...]:
    """Every place of the surfaces: each class of a web host's paths, tailnet names, forwarded ports.

    A class holds the paths that the same rules match and the same applications cover, in each of the surfaces; the
    place is a shortest one of them, and what is so there is so in all of the class (but for `unproved`). `thorough`
    adds deeper names below wildcards, http where the zone does not send it on to https (there it needs no certificate),
    and `tags`: what a comparison of two surfaces has to look at.
    `ways_round` adds a way out of each class below a path, `tags` the tags with no machine that is known here.
    """
    found: dict[Request, Place] = {}

    def add(host: str, port: int, path: str, scheme: Scheme, wildcard: bool = False, aside: bool = False) -> None:
        request = Request(host, port, path, scheme)
        if request not in found:
            services = (service_at(surface, request) for surface in surfaces)
            found[request] = Place(request, next(filter(None, services), None), wildcard, aside)

    asked = [found for found in web(*surfaces, thorough=thorough) if thorough or not found.aside]
    classes_of = Counter(found.host for found in asked if not found.aside)
    for host, path, wildcard, aside in asked:
        add(host, 443, path, "https", wildcard, aside)
        if ways_round and classes_of[host] > 1 and not aside:
            add(host, 443, f"{path.rstrip('/')}{ROUND}", "https", wildcard, True)
        if thorough and any(zone and zone.always_https is False for zone in (s.zone_of(host) for s in surfaces)):
            add(host, 80, path, "http", wildcard, aside)
    served: dict[str, set[str]] = {}
    for surface in surfaces:
        for ingress in surface.tailnet_ingresses:
            served.setdefault(f"{ingress.machine}{_suffix(surface)}", {"/"}).update(ingress.paths)
    for machine, paths in served.items():
        for path in sorted(paths):
            add(machine, 443, path, "https")
    for surface in surfaces:
        for host, port, scheme in _ports(surface, thorough or tags):
            add(host, port, "/", scheme)
        for host, listening in surface.listeners.items():
            for protocol, at in listening:
                if isinstance(at, int):
                    add(host, at, "/", _scheme(protocol))
    policies = [s.tailnet.policy for s in surfaces if s.tailnet and s.tailnet.policy]
    for host, listens in ((host, listens) for s in surfaces for host, listens in s.in_clusters.items()):
        for policy in policies:
            services, pods = (in_cluster(policy, host, pods) for pods in (False, True))
            for protocol, at in listens if services else ():
                if isinstance(at, int):
                    add(host, at, "/", _scheme(protocol))
            anywhere = pods, services if any(at == ANY_PORT for _, at in listens) else None
            for name, number in (port for target in anywhere if target for port in ports_to(policy, target)):
                add(host, number, "/", _scheme(name))
    # What routes lead to is nobody's machine here, and shown all the same.
    for word in (word for word in destinations(policies) if thorough or word[0].isdigit()):
        for policy in policies:
            target = destination(policy, word)
            for name, number in ports_to(policy, target) if target else ():
                add(word, number, "/", _scheme(name))
    return tuple(found.values())


class Web(NamedTuple):
    """A path of a class of a host's, and whether the host stands for all below a wildcard.

    `aside`: what a guarded path takes beside itself (`Path.guarded`), where nothing is to be found.
    """

    host: str
    path: str
    wildcard: bool
    aside: bool


def web(*surfaces: Surface, thorough: bool = True) -> Iterator[Web]:
    """Each class of each host's paths. Two names stand for a wildcard where it is `thorough`: one label below it, and
    deeper."""
    for host, expressions in _hosts(surfaces).items():
        names = [host.replace("*", name, 1) for name in (ANY_NAME, f"any.{ANY_NAME}")[: 1 + thorough]]
        found, others, _ = _classes(expressions)
        for name in dict.fromkeys(names):
            for path, aside in sorted((*((p, False) for p in found), *((p, True) for p in others))):
                yield Web(name, path, name != host, aside)


def unproved(*surfaces: Surface) -> tuple[tuple[str, str], ...]:
    """Hosts of which not every class of requests was found, each with why: of those nothing is proved."""
    hosts = _hosts(surfaces).items()
    return tuple((host, why) for host, expressions in hosts if (why := _classes(expressions)[2]))


@lru_cache(maxsize=4096)
def _classes(expressions: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """A path of each class that these expressions make; of those that are variants of a guarded path; and why there may
    be more, where there may."""
    if not expressions:
        return ("/",), (), ""
    guarded = {e: plain for e in expressions if (plain := unguarded(e)) is not None}
    asked = sorted({*expressions, *guarded.values()})
    try:
        found = classes([search(ODD), *(search(e) for e in asked)], "/")
    except (UnreadError, TooManyError) as error:
        return ("/",), (), str(error)
    pairs = [(asked.index(e) + 1, asked.index(plain) + 1) for e, plain in guarded.items()]
    straight = [c for c in found if 0 not in c.matched]
    beside = [any(e in c.matched and plain not in c.matched for e, plain in pairs) for c in straight]
    kept, others = ([c.witness for c, is_ in zip(straight, beside, strict=True) if is_ is one] for one in (False, True))
    return tuple(kept), tuple(others), ""


def _hosts(surfaces: Iterable[Surface]) -> dict[str, frozenset[str]]:
    """The web's hosts, wildcards as they are, each with the expressions that tell its paths apart."""
    exact: dict[str, set[str]] = {}
    wide: dict[str, set[str]] = {}
    for surface in surfaces:
        for record in surface.records:
            if record.proxied:
                exact.setdefault(record.host, set())
        named = [(rule.host, rule.path) for rule in surface.rules]
        named += [(d.host, glob(d.path)) for a in surface.applications for d in a.destinations]
        for host, expression in named:
            if host is not None:
                exact.setdefault(host, set())
            holder = exact if host is not None and "*" not in host else wide
            holder.setdefault(host or "*", set()).update({expression} if expression else ())
    return {
        host: frozenset(expressions.union(*(e for w, e in wide.items() if e and _within(host, w))))
        for host, expressions in exact.items()
    }


def _within(host: str, wide: str) -> bool:
    return host == wide or matches_host(wide, host) or covers_host(wide, host)


def service_at(surface: Surface, request: Request) -> str | None:
    """The service that a request is for, as far as names and forwarded ports tell."""
    machine = surface.machines.get(surface.machine_name(request.host) or "")
    if machine:
        return machine.service
    asked = (request.protocol, request.port)
    at_home = surface.listening(request.host, *asked)
    if at_home is not None:
        ports = (n.service for n in surface.node_ports if n.workload == at_home)
        return next(filter(None, (*ports, *surface.calling(at_home))), None)
    if inside := surface.in_clusters.get(request.host):
        return (inside.get(asked) or next(iter(inside.values())))[1]
    addresses = {record.content for record in surface.lookup.answering(request.host)}
    rules = (r for r in surface.router if r.address in addresses and (r.protocol, r.external) == asked)
    forwarded = (port.service for rule in rules if (port := surface.forwarded_to(rule)))
    return next(filter(None, forwarded), None) or surface.taken_by(request.host, request.path)


def _suffix(surface: Surface) -> str:
    return f".{surface.tailnet.name}" if surface.tailnet and surface.tailnet.name else ""


def _ports(surface: Surface, tags: bool) -> Iterator[tuple[str, int, Scheme]]:
    for record in surface.records:
        for forwarded in surface.router:
            if record.proxied or record.content != forwarded.address:
                continue
            node_port = surface.forwarded_to(forwarded)
            # One address has many names, and each leads to every port: the service's own name stands for them.
            if node_port is None or record.service is None or node_port.service in (None, record.service):
                yield record.host, forwarded.external, _scheme(forwarded.protocol)
    policy = surface.tailnet.policy if surface.tailnet else None

    def opened(tags: Iterable[str], machine: str = "") -> tuple[tuple[str, int], ...]:
        return ports_to(policy, surface.device(machine, tags)) if policy else ()

    for address in surface.tailnet_addresses:
        for protocol, number in opened(address.tags, address.machine) if address.ports is None else address.ports:
            yield f"{address.machine}{_suffix(surface)}", number, _scheme(protocol)
    if not policy:
        return
    for node in nodes(policy):
        for protocol, number in opened((node_tag(node),), node):
            yield f"{node}{_suffix(surface)}", number, _scheme(protocol)
    if tags:
        listened = {(t, "tcp", 443) for i in surface.tailnet_ingresses for t in i.tags}
        listened |= {
            (t, *port)
            for a in surface.tailnet_addresses
            for t in a.tags
            for port in (opened((t,)) if a.ports is None else a.ports)
        }
        for tag in sorted(set(tags_of(policy)) - {node_tag(n) for n in nodes(policy)}):
            for protocol, number in opened((tag,)):
                if (tag, protocol, number) not in listened:
                    yield tag, number, _scheme(protocol)


def _scheme(protocol: str) -> Scheme:
    return "udp" if protocol == "udp" else "tcp"


def principals(surface: Surface) -> list[Crowd]:
    """Everybody whom anything names, in crowds; among them a stranger, some member of the tailnet and every tag."""
    return crowds([surface])


def crowds(surfaces: Sequence[Surface]) -> list[Crowd]:
    """The crowds of several surfaces together: nobody in a crowd differs from another in any of them."""
    marks: dict[str, set[object]] = {}
    tokens: dict[str, set[object]] = {}
    tags: dict[str, set[object]] = {}
    domains: set[str] = set()
    organizations: set[str] = set()
    for number, surface in enumerate(surfaces):
        for index, application in enumerate(surface.applications):
            for place, policy in enumerate(application.policies):
                for word, selectors in (("i", policy.include), ("e", policy.exclude), ("r", policy.require)):
                    _mark(selectors, (number, index, place, word), marks, domains, tokens, organizations)
        policy_json = surface.tailnet.policy if surface.tailnet else None
        if policy_json:
            for tag in tags_of(policy_json):
                tags.setdefault(tag, set()).add(number)
            for tag, rules in named_as_source(policy_json).items():
                tags.setdefault(tag, set()).update((number, rule) for rule in rules)
            domains |= domains_of(policy_json)
            for person, names in people_of(policy_json).items():
                marks.setdefault(person, set()).update((number, name) for name in names)
        held = [i.tags for i in surface.tailnet_ingresses] + [a.tags for a in surface.tailnet_addresses]
        for tag in {tag for of_one in held for tag in of_one}:
            tags.setdefault(tag, set())
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
        # A team's people are in its organization too, so each is asked for by itself.
        *(Crowd(p, (p,)) for p in (Principal("github", name) for name in sorted(organizations))),
        *_alike("token", tokens),
        *([Crowd(LAN, (LAN,))] if any(surface.listeners for surface in surfaces) else []),
        Crowd(MEMBER, (MEMBER,)),
        *_alike("tag", tags),
    ]


def _alike(kind: Literal["tag", "token"], marks: Mapping[str, set[object]]) -> Iterator[Crowd]:
    """The crowds of one kind: those whom the same things name."""
    groups: dict[frozenset[object], list[Principal]] = {}
    for name in sorted(marks):
        groups.setdefault(frozenset(marks[name]), []).append(Principal(kind, name))
    return (Crowd(alike[0], tuple(alike)) for alike in groups.values())


def _mark(
    selectors: Iterable[Selector],
    path: tuple[object, ...],
    marks: dict[str, set[object]],
    domains: set[str],
    tokens: dict[str, set[object]],
    organizations: set[str],
) -> None:
    for selector in selectors:
        if selector.kind == "email":
            marks.setdefault(selector.value, set()).add(path)
        elif selector.kind == "emailDomain":
            domains.add(selector.value)
        elif selector.kind == "githubOrganization":
            organizations.add(selector.value)
        elif selector.kind in ("serviceToken", "anyValidServiceToken"):
            tokens.setdefault(selector.value or "any", set()).add(path)
        elif selector.group is not None:
            group = selector.group
            for word, inner in (("i", group.include), ("e", group.exclude), ("r", group.require)):
                _mark(inner, (*path, word), marks, domains, tokens, organizations)


class Terms(NamedTuple):
    """On what terms somebody reaches what answers: see `Answer`."""

    host_header: str
    session: str
    login: str
    weakened: tuple[str, ...]
    from_: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Reached:
    """Who reaches a place: each crowd that does, by the one who answers for it: how, and what answers, in words where
    it is no workload."""

    how: Mapping[Principal, Outcome]
    ends: Mapping[Principal, Workload | str] = field(default_factory=dict)
    terms: Mapping[Principal, Terms] = field(default_factory=dict)
    alike: Mapping[Principal, tuple[Principal, ...]] = field(default_factory=dict, compare=False)
    """Everybody in each crowd."""

    @property
    def everybody(self) -> dict[Principal, Outcome]:
        """Everybody who reaches it, and how."""
        hows = {one: how for p, how in self.how.items() for one in self.alike.get(p, (p,))}
        return {one: hows[one] for one in self.whole(self.how)}

    def whole(self, some: Iterable[Principal]) -> tuple[Principal, ...]:
        """Everybody in the crowds that these answer for, in order."""
        return tuple(sorted((one for p in some for one in self.alike.get(p, (p,))), key=_rank))

    @property
    def workloads(self) -> tuple[Workload | str, ...]:
        """What answers there, one for most places."""
        return tuple(dict.fromkeys(self.ends.values()))

    @property
    def anyone(self) -> Outcome | None:
        """How a stranger reaches it; None where none does."""
        return self.how.get(ANYONE)

    @property
    def places(self) -> str:
        """From where a stranger reaches it, in words; empty where that is anywhere, or where nothing says it."""
        return from_where(self.terms[ANYONE].from_) if ANYONE in self.terms else ""

    def way(self, principal: Principal) -> str:
        """How one who answers for a crowd reaches it; by Tailscale SSH, as which users of the node too."""
        users = self.terms[principal].weakened if self.how[principal] is Outcome.TAILNET and self.terms else ()
        return ", ".join((self.how[principal].value, *users))

    def text(self, show: Callable[[Sequence[str]], str] | None = None) -> str:
        """In words: the widest first, without those who are in it anyway."""
        show = show or few
        if not self.how:
            return "nobody"
        if self.anyone is Outcome.OPEN:
            return f"anyone {self.places}".rstrip()
        parts: list[str] = []
        everybody = self.everybody.items()
        ways = {one: self.way(p) for p in self.how for one in self.alike.get(p, (p,))}
        if self.anyone:
            parts.append(f"anyone, {self.anyone.value}")
        for outcome in (o for o in Outcome if o.reaches):
            if self.anyone and outcome is not Outcome.TAILNET:
                continue
            here = [p for p, how in everybody if how is outcome]
            if MEMBER in here:
                here = [p for p in here if p.kind != "person" or ways[p] != ways[MEMBER]]
            for way in dict.fromkeys(ways[p] for p in here):
                how = "" if outcome is Outcome.OPEN else f" {way}"
                parts.append(show([str(p) for p in here if ways[p] == way]) + how)
        return "; ".join(parts)


def reached(surface: Surface, request: Request, everybody: Sequence[Crowd]) -> Reached:
    """Who of everybody reaches it."""
    found = [(c, a) for c, a in answers(surface, request, everybody) if a.reaches]
    return Reached(
        {c.representative: a.outcome for c, a in found},
        {c.representative: a.workload or a.origin for c, a in found},
        {c.representative: Terms(a.host_header, a.session, a.login, a.weakened, a.from_) for c, a in found},
        {c.representative: c.everybody for c, _ in found},
    )


_KINDS = ("anyone", "person", "github", "token", "lan", "member", "tag")


def _rank(principal: Principal) -> tuple[int, str]:
    return _KINDS.index(principal.kind), principal.name


def together(found: Iterable[Reached]) -> Reached:
    """Who reaches any of several places, asked for the same crowds, each by the widest way."""
    how: dict[Principal, Outcome] = {}
    ends: dict[Principal, Workload | str] = {}
    terms: dict[Principal, Terms] = {}
    alike: dict[Principal, tuple[Principal, ...]] = {}
    for one in found:
        alike |= one.alike
        for principal, outcome in one.how.items():
            if principal not in how or WIDEST[outcome] < WIDEST[how[principal]]:
                how[principal], ends[principal], terms[principal] = outcome, one.ends[principal], one.terms[principal]
    return Reached(how, ends, terms, alike)


def answers(surface: Surface, request: Request, everybody: Sequence[Crowd]) -> list[tuple[Crowd, Answer]]:
    """Each crowd's answer."""
    answer = asking(surface, request)
    return [(crowd, answer(crowd.representative)) for crowd in everybody]


def table(surface: Surface) -> list[tuple[Place, Reached]]:
    """Every place with who reaches it."""
    everybody = principals(surface)
    return [(place, reached(surface, place.request, everybody)) for place in places(surface)]
