"""Claims of stack files, proved or broken: what holds of who reaches services, asked of every class of requests.

A claim is about what answers, so another service's way to the same workload counts as its service's own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Literal, TypeAlias
from urllib.parse import unquote

from config.stack import Claim
from config.values import Path, is_named
from exposure.model import ExposurePlan, PlannedService
from exposure.reach.access import ANYONE, MEMBER, Principal
from exposure.reach.evaluate import WIDEST, Outcome, parse_principal
from exposure.reach.match import matches_host, normalised
from exposure.reach.places import Crowd, Place, Reached, crowds, places, reached, unproved
from exposure.reach.shadows import shadows
from exposure.reach.surface import Known, Rule, Surface, Tunnel, merge, surface
from exposure.ways.acme import AcmeWay
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import TunnelWay
from exposure.workload import Workload, at_home, cluster_host, controller, of_url, one_home

State = Literal["holds", "broken", "not proved"]
Key = tuple[str, str]
"""A service: its stack and its key."""
_Row: TypeAlias = tuple[Place, Reached, Key]
"""A place, who reaches it, and the service by whose way."""
_WIDE = frozenset({ANYONE, MEMBER})
"""Of whom a claim says `never` alone: nobody is outside the one, and the other has people in it that are named."""


@dataclass(frozen=True)
class Tie:
    """What makes another service's ways count: the workload in common. It is not `certain` where only a preview says
    so: behind one address there may be a proxy that tells hosts apart."""

    workload: str
    certain: bool = True


@dataclass(frozen=True)
class Counterexample:
    """A request that shows a claim broken: who asks, for which URL, and how it ends; `by` is the other service by whose
    way, with what it shares with the claim's."""

    who: Principal
    url: str
    how: Outcome
    by: Key | None = None
    tie: Tie | None = None

    def __str__(self) -> str:
        how = "" if self.how is Outcome.OPEN else f" {self.how.value}"
        by = (
            f", by service {self.by[1]} of stack {self.by[0]}, which leads to {self.tie.workload} too"
            if self.by and self.tie
            else ""
        )
        return f"{self.who} reaches {self.url}{how}{by}"


@dataclass(frozen=True)
class Verdict:
    """What became of a claim: asked of how many classes of requests, and the shortest counterexample if there is one.

    `doubts` say why it is not proved, where it is neither proved nor broken.
    """

    stack: str
    index: int
    claim: Claim
    classes: int
    counterexample: Counterexample | None = None
    doubts: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """In a word."""
        if self.counterexample:
            return "broken"
        return "not proved" if self.doubts else "holds"


@dataclass(frozen=True)
class Served:
    """Who reaches a service, by any way to it: each audience with the URLs that stand for its classes of requests, the
    widest first, each shortest first. `doubts` say why there may be more.
    """

    service: Key
    audiences: tuple[tuple[Reached, tuple[str, ...]], ...]
    doubts: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """Of how many classes of requests that was asked."""
        return sum(len(urls) for _, urls in self.audiences)


@dataclass(frozen=True)
class Proof:
    """Every service and every claim of one estate."""

    services: tuple[Served, ...]
    verdicts: tuple[Verdict, ...]


def prove(
    surfaces: Mapping[str, Surface],
    plans: Mapping[str, ExposurePlan],
    claims: Mapping[str, Sequence[Claim]],
    people: Mapping[str, Sequence[str]],
    *,
    planned: bool = True,
) -> Proof:
    """Judge the claims of one estate, all by stack. `people` are the estate's sets, ended ones too.

    The surfaces are the plans', and those say which services share a workload; or not `planned`, but of previews, of
    which the tunnels' origins say so.
    """
    owned = {stack: _owned(found, stack, planned) for stack, found in surfaces.items()}
    whole = merge(owned.values())
    ties = _ties(owned, plans, planned)
    cut = _cut(whole, claims, ties)
    everybody = _everybody(whole, claims, people)
    ports, led = _ports_of_nodes(plans), _led_on_at_home(plans)
    found: dict[Key, list[_Row]] = {}
    for place in places(whole, cut, thorough=True):
        request = place.request
        at = (request.host, request.protocol, request.port)
        owner = ports.get(at) or _key(place.service)
        owners = [owner] if owner else led.get(at) or led.get((request.host, "tcp", 0))
        if not owners:
            continue
        who = reached(whole, request, everybody)
        for owner in owners:
            for key in (owner, *ties.get(owner, ())):
                found.setdefault(key, []).append((place, who, owner))
    doubts: dict[Key, list[str]] = {}
    for why, led_to in _doubts(whole, cut, planned):
        for key in dict.fromkeys(other for one in led_to for other in (one, *ties.get(one, ()))):
            doubts.setdefault(key, []).append(why)
    return Proof(
        tuple(Served(key, _audiences(rows), tuple(doubts.get(key, ()))) for key, rows in sorted(found.items())),
        tuple(
            _judged(stack, index, claim, found, ties, people, doubts)
            for stack, said in claims.items()
            for index, claim in enumerate(said)
        ),
    )


# Claims


def _judged(
    stack: str,
    index: int,
    claim: Claim,
    found: Mapping[Key, Sequence[_Row]],
    ties: Mapping[Key, Mapping[Key, Tie]],
    people: Mapping[str, Sequence[str]],
    doubted: Mapping[Key, Sequence[str]],
) -> Verdict:
    against = _against(claim, people)
    broken: list[Counterexample] = []
    asked: set[Place] = set()
    doubts = [why for service in claim.on for why in doubted.get((stack, service), ())]
    for word in (claim.never, *(claim.only or ())):
        if word is not None and word not in people and not _named([word], {}) - (_WIDE if claim.only else frozenset()):
            doubts.append(f"no set of people is called {word}")
    for text, (service, path) in zip(claim.except_, claim.excepted, strict=True):
        if service not in claim.on or path == "/":
            doubts.append(f"{text} is no path of a service that the claim is about")
    for service in claim.on:
        rows = found.get((stack, service), ())
        if not rows:
            doubts.append(f"nothing here belongs to service {service}")
        excepted = [Path(path) for key, path in claim.excepted if key == service]
        for place, who, owner in rows:
            if _within(place, excepted):
                continue
            asked.add(place)
            everybody = who.everybody
            if claim.never is not None:
                doubts += _not_told(_named([claim.never], people), everybody)
            breaking = [p for p in everybody if against(p)]
            if not breaking:
                continue
            # Where anyone gets in, that is the news, whoever is named.
            principal = ANYONE if ANYONE in who.how else breaking[0]
            tie = ties[owner][(stack, service)] if owner != (stack, service) else None
            by = owner if tie else None
            broken.append(Counterexample(principal, place.request.url, everybody[principal], by, tie))
    certain = _shortest(c for c in broken if c.tie is None or c.tie.certain)
    if broken and not certain:
        doubts.append(f"{_shortest(broken)}; whether it answers there for that service too cannot be told")
    return Verdict(stack, index, claim, len(asked), certain, tuple(dict.fromkeys(doubts)))


def _shortest(examples: Iterable[Counterexample]) -> Counterexample | None:
    """The one with the shortest URL, if any; of equals one by the service's own way."""
    return min(examples, key=lambda c: (len(c.url), c.by is not None, c.url, WIDEST[c.how]), default=None)


def _against(claim: Claim, people: Mapping[str, Sequence[str]]) -> Callable[[Principal], bool]:
    """Whether it breaks the claim that a principal reaches something."""
    if claim.only is not None:
        may = _named(claim.only, people) - _WIDE
        return lambda principal: not is_among(principal, may)
    named = _named([claim.never or ""], people)
    # What anyone reaches, each of those words takes in too.
    against = named if all(p.kind in ("person", "github") for p in named) else {ANYONE, *named}
    return lambda principal: is_among(principal, against)


def _named(words: Iterable[str], people: Mapping[str, Sequence[str]]) -> set[Principal]:
    """Whom words name: `anyone` and its like, those in a set of people, somebody by an address; nobody otherwise."""
    found: set[Principal] = set()
    for word in words:
        principal = parse_principal(word)
        if word in people and (principal is None or principal.kind == "person"):
            found |= {one for member in people[word] if (one := parse_principal(member))}
        elif principal:
            found.add(principal)
    return found


def is_among(principal: Principal, named: Collection[Principal]) -> bool:
    """Whether somebody is among those who are named: somebody of a domain stands for all there, and a GitHub
    organization for its teams."""
    name, _, inside = principal.name.partition("@" if principal.kind == "person" else "/")
    above = f"somebody@{inside}" if principal.kind == "person" else name
    return principal in named or (principal.kind in ("person", "github") and Principal(principal.kind, above) in named)


def _within(place: Place, excepted: Sequence[Path]) -> bool:
    """Whether a place is excepted, however its path is read. Of what is not the web no path is known."""
    request = place.request
    if request.scheme not in ("http", "https"):
        return False
    read = unquote(request.path)
    return all(any(path.covers(one) for path in excepted) for one in (read, normalised(read)))


def _not_told(named: Iterable[Principal], reaching: Iterable[Principal]) -> Iterator[str]:
    """Where a GitHub organization is on one side and an address on the other: nothing here says who is in it."""
    for one, other in ((named, reaching), (reaching, named)):
        if any(p.kind == "person" for p in other):
            for p in (p for p in one if p.kind == "github"):
                yield f"who is in {p.name} is known to GitHub alone"


# What is asked


def _everybody(
    whole: Surface, claims: Mapping[str, Sequence[Claim]], people: Mapping[str, Sequence[str]]
) -> list[Crowd]:
    """The crowds of the surface, and those whom claims name and nothing that is registered does."""
    everybody = crowds([whole])
    known = {principal for crowd in everybody for principal in crowd.everybody}
    words = {w for said in claims.values() for c in said for w in (c.never, *(c.only or ())) if w}
    named = {principal for principal in _named(words, people) if principal.kind in ("person", "github")}
    absent: dict[str, list[Principal]] = {}
    for principal in sorted(named - known, key=str):
        # Nothing tells them apart but a rule for a whole domain.
        absent.setdefault(principal.name.rpartition("@")[2], []).append(principal)
    return [*everybody, *(Crowd(those[0], tuple(those)) for those in absent.values())]


def _cut(whole: Surface, claims: Mapping[str, Sequence[Claim]], ties: Mapping[Key, Mapping[Key, Tie]]) -> Surface:
    """A surface that opens nothing and tells excepted paths apart from others, at each host that leads to the service:
    so no class is on both sides of an exception."""
    paths: dict[Key, set[Path]] = {}
    for stack, said in claims.items():
        for service, path in (excepted for claim in said for excepted in claim.excepted):
            paths.setdefault((stack, service), set()).add(Path(path))
    hosts = [(rule.host, _key(rule.service)) for rule in whole.rules]
    hosts += [(record.host, _key(record.service)) for record in whole.records]
    rules = {
        (host, path.expression)
        for host, key in hosts
        if host and key
        for service in (key, *ties.get(key, ()))
        for path in paths.get(service, ())
    }
    return surface(Known(), tunnels=[Tunnel("", tuple(Rule(host, path, "") for host, path in sorted(rules, key=str)))])


def _doubts(whole: Surface, cut: Surface, planned: bool) -> Iterator[tuple[str, list[Key]]]:
    """What is not proved, and the services that it is about: those to which the host may lead."""
    for host, why in unproved(whole, cut):
        named = [rule.service for rule in whole.rules if matches_host(rule.host, host)]
        named += [record.service for record in whole.records if record.host == host]
        yield f"not every request is known of {host}: {why}", [key for name in named if (key := _key(name))]
    # A plan's rules shut the ways round them.
    for shadow in () if planned else shadows(whole):
        if shadow.kind == "path-goes-round":
            yield f"{shadow.example}: {shadow.reason}", [key for name in shadow.services if (key := _key(name))]


def _owned(found: Surface, stack: str, planned: bool) -> Surface:
    """The surface with its stack in the name of each service: two stacks may have services of one key.

    What another program registers has no service, and is called by its host.
    """

    def name(service: str | None, host: str | None = None) -> str | None:
        word = service or (None if planned else host)
        return None if word is None else f"{stack}/{word}"

    return replace(
        found,
        tunnels=tuple(
            replace(t, rules=t.rules and tuple(replace(r, service=name(r.service, r.host)) for r in t.rules))
            for t in found.tunnels
        ),
        applications=tuple(replace(a, service=name(a.service)) for a in found.applications),
        records=tuple(replace(r, service=name(r.service, r.host)) for r in found.records),
        tailnet_ingresses=tuple(replace(i, service=name(i.service, i.machine)) for i in found.tailnet_ingresses),
        tailnet_addresses=tuple(replace(a, service=name(a.service, a.machine)) for a in found.tailnet_addresses),
        node_ports=tuple(replace(n, service=name(n.service)) for n in found.node_ports),
    )


def _key(name: str | None) -> Key | None:
    stack, slash, service = (name or "").partition("/")
    return (stack, service) if slash else None


def _audiences(rows: Iterable[_Row]) -> tuple[tuple[Reached, tuple[str, ...]], ...]:
    found: dict[frozenset[object], tuple[Reached, set[str]]] = {}
    for place, who, _ in rows:
        found.setdefault(frozenset(who.how.items()), (who, set()))[1].add(place.request.url)
    widest = sorted(found.values(), key=lambda f: (_rank(f[0]), -sum(map(len, f[0].alike.values())), min(f[1])))
    return tuple((who, tuple(sorted(urls, key=lambda u: (len(u), u)))) for who, urls in widest)


def _rank(who: Reached) -> int:
    return min((WIDEST[how] + len(Outcome) * (p != ANYONE) for p, how in who.how.items()), default=2 * len(Outcome))


# Workloads


def _ties(
    surfaces: Mapping[str, Surface], plans: Mapping[str, ExposurePlan], planned: bool
) -> dict[Key, dict[Key, Tie]]:
    """For each service the others to whose workload its ways lead too."""
    ties: dict[Key, dict[Key, Tie]] = {}
    behind: dict[object, dict[Key, Tie]] = {}
    for stack, found in surfaces.items():
        plan = plans.get(stack)
        if plan is None or not planned:
            _called(stack, found, plan, behind)
            continue
        for service in plan.services:
            for workload in _answering(service, plan.home.lan_ipv4):
                behind.setdefault(workload, {})[stack, service.key] = Tie(str(workload))
        for door, at, inside in _through_controllers(plan, plans):
            ties.setdefault((at, door.key), {})[stack, inside.key] = Tie(str(controller(plan.home)[1]))
    for sharing in behind.values():
        for one, other in permutations(sharing, 2):
            # An address is one machine's behind one router only.
            if one[0] == other[0] or one_home(plans[one[0]].home, plans[other[0]].home):
                ties.setdefault(one, {})[other] = sharing[other]
    return ties


def _called(stack: str, found: Surface, plan: ExposurePlan | None, behind: dict[object, dict[Key, Tie]]) -> None:
    """What the rules of a preview call, and what its proxies on the tailnet and ports of the node lead to; the ingress
    controller of a stack file is known to tell hosts apart."""
    doors = {door.place for door in controller(plan.home)} if plan else set()
    ways: list[tuple[str | None, object, str]] = [
        (rule.service, of_url(rule.origin, tunnel.name) or rule.origin, rule.origin)
        for tunnel in found.tunnels
        for rule in tunnel.rules or ()
        if not rule.origin.startswith("http_status:")
    ]
    ends = [(i.service, i.workload(path)) for i in found.tailnet_ingresses for path in i.paths]
    ends += [(a.service, a.workload(*port)) for a in found.tailnet_addresses for port in a.ports or ()]
    ends += [(n.service, n.workload) for n in found.node_ports]
    for service, end, text in (*ways, *((service, end, str(end)) for service, end in ends)):
        key = _key(service)
        if key and not (isinstance(end, Workload) and end.place in doors):
            behind.setdefault((stack, end), {})[key] = Tie(text, certain=False)


def _answering(service: PlannedService, lan_ipv4: str) -> Iterator[Workload]:
    """What its ways lead to. Challenges end at what solves them, which serves nothing else by that path."""
    if any(isinstance(way, AcmeWay) for way in service.ways):
        return
    yield from service.workloads
    for way in service.ways:
        if isinstance(way, PortForwardWay):
            yield from (at_home(lan_ipv4, port.node_port, port.protocol) for port in way.ports)


def _through_controllers(
    plan: ExposurePlan, plans: Mapping[str, ExposurePlan]
) -> Iterator[tuple[PlannedService, str, PlannedService]]:
    """Services that lead to a node's ingress controller itself, each with its stack and those that it leads on to by
    their host's name."""
    place = controller(plan.home)[1].place
    ports = {at_home(plan.home.lan_ipv4, port) for port in (80, 443)}
    doors = [
        (door, stack)
        for stack, other in plans.items()
        if other is plan or one_home(other.home, plan.home)
        for door in other.services
        if any(w.place == place or w in ports for w in door.workloads)
    ]
    for inside in plan.services if doors else ():
        hosts = [host for way in inside.ways if isinstance(way, TunnelWay) for host in way.hosts]
        for door, stack in doors:
            if door is not inside and any(
                # A tunnel passes on the host that it was asked by; another way carries any.
                is_named(way.request.http_host_header, hosts) if isinstance(way, TunnelWay) else inside.through
                for way in door.ways
                if not isinstance(way, AcmeWay)
            ):
                yield door, stack, inside


def _led_on_at_home(plans: Mapping[str, ExposurePlan]) -> dict[tuple[str, str, int], list[Key]]:
    """The services behind each ingress controller, in its cluster and where it listens at home: there any host may be
    asked for."""
    return {
        (host, "tcp", port): [(stack, s.key) for s in plan.services if s.through]
        for stack, plan in plans.items()
        for at_lan, door in zip((80, 443), controller(plan.home), strict=True)
        for host, port in (
            *([(str(plan.home.lan_ipv4), at_lan)] if plan.home.ingress_controller.on_lan else []),
            # Of its pods nothing says at which ports they listen.
            (cluster_host(door), 0),
        )
    }


def _ports_of_nodes(plans: Mapping[str, ExposurePlan]) -> dict[tuple[str, str, int], Key]:
    """The services that are ports of a node, on the tailnet and at home, which no resource names."""
    return {
        (host, port.protocol, port.port): (stack, way.service)
        for stack, plan in plans.items()
        for way in plan.by(TailnetWay)
        if way.on_node
        for port in way.ports
        for host in (f"{way.machine}.{way.tailnet}", str(plan.home.lan_ipv4))
    }
