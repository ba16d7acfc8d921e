"""What the map shows, before it is drawn: ways from who to what, with all that lies between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from config.stack import Estate
from config.values import Host, Path
from exposure.audience import Audience
from exposure.model import ExposurePlan, PlannedService
from exposure.names import ACME_PATH, login_words
from exposure.reach.access import ANYONE, MEMBER, Principal
from exposure.reach.evaluate import PORTS, Outcome, Request, parse_principal
from exposure.reach.places import Place, Reached, principals, table
from exposure.reach.project import Project
from exposure.reach.surface import Surface
from exposure.ways import WAYS
from exposure.ways.tailnet import TailnetWay
from exposure.ways.way import ManualStep
from exposure.ways.way import Way as PlannedWay
from exposure.workload import Workload

Station: TypeAlias = str
Spot = Literal["cluster", "node", "lan"]

STATION_NAMES: Mapping[Station, tuple[str, str]] = {
    "edge": ("Cloudflare edge", "Edge"),
    "funnel": ("Tailscale Funnel", "Funnel"),
    "proxy": ("Tailscale proxy", "Proxy"),
    "node-port": ("NodePort", "Port"),
}
"""The name of a station, and a short one, where they are not its own word."""

_SPOTS: tuple[Spot, ...] = ("lan", "cluster", "node")
_HOW = {
    Outcome.OPEN: "",
    Outcome.LOGIN: "",
    Outcome.TOKEN: "with its secret",
    Outcome.TAILNET: "from the tailnet",
}
_STRANGERS = ("Anyone", "on the internet")


def station_names(station: Station) -> tuple[str, str]:
    """A station's name, and a short one."""
    return STATION_NAMES.get(station, (station.capitalize(), station.capitalize()))


@dataclass(frozen=True)
class Crowd:
    """Who comes by a way. `members` are those who can be told by name, in order; empty for a crowd of strangers."""

    label: str
    note: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Way:
    """One way from who to what: a host, path or port of a service, as reach finds it open.

    `people` are those of `Map.people` who get through; `link` is `url` where a browser opens it; `front` is what stands
    in front, in words; `address` is `url` as it is written on the map. `past_login` says that it leads past the login
    that the rest of its service asks for.
    """

    node: str
    service: str
    title: str
    gate: str
    crowd: Crowd
    front: str
    how: str
    url: str
    address: str
    link: str | None
    people: tuple[str, ...]
    stations: tuple[Station, ...]
    spot: Spot
    origin: str
    past_login: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Its service, told apart from one of the same name on another node."""
        return self.node, self.service

    @property
    def outside(self) -> bool:
        """Whether it comes in from the internet."""
        return "internet" in self.stations

    @property
    def group(self) -> Station:
        """The station by which it comes in."""
        return next((s for s in self.stations if s != "internet"), "internet")

    @property
    def inner(self) -> Station | None:
        """What takes it in at the node, if anything does."""
        return next((s for s in self.stations if s not in ("internet", self.group)), None)

    @property
    def path(self) -> str:
        """The path of its URL, from the first slash after the host."""
        _, slash, path = self.url.split("://", 1)[-1].partition("/")
        return slash + path

    @property
    def who(self) -> str:
        """Who, and how, in words."""
        return f"{self.crowd.label}, {self.how}" if self.how else self.crowd.label

    @property
    def route(self) -> tuple[str, ...]:
        """The stations' names, with what stands in front at its place."""
        names = []
        for station in self.stations:
            names.append(station_names(station)[0])
            if station == self.group:
                names.append(self.front)
        return tuple(names)


@dataclass(frozen=True)
class Home:
    """A node, and what its ways are called after."""

    node: str
    zones: tuple[str, ...]
    router: str
    tailnet: str

    def note(self, station: Station) -> str:
        """What a station is called beside its name."""
        return {
            "edge": ", ".join(self.zones),
            "router": self.router,
            TailnetWay.stations[0]: self.tailnet,
            "funnel": self.tailnet,
            "tunnel": "cloudflared",
            "proxy": "operator",
        }.get(station, "")


@dataclass(frozen=True)
class Map:
    """Everything that the map of some stacks shows. `ways` stand in the order in which they are drawn."""

    stacks: tuple[str, ...]
    homes: tuple[Home, ...]
    ways: tuple[Way, ...]
    people: tuple[str, ...]
    manual_steps: tuple[ManualStep, ...]

    @property
    def name(self) -> str:
        """Its nodes."""
        return ", ".join(home.node for home in self.homes)

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates in use, in their usual order."""
        used = {way.gate for way in self.ways}
        return tuple(gate for gate in WAYS if gate in used)

    @property
    def crowds(self) -> tuple[Crowd, ...]:
        """Everybody on the left side, in the order of their first way."""
        return tuple(dict.fromkeys(way.crowd for way in self.ways))

    @property
    def services(self) -> tuple[tuple[Way, ...], ...]:
        """The ways of each service together, in the order of their first one."""
        found: dict[tuple[str, str], list[Way]] = {}
        for way in self.ways:
            found.setdefault(way.key, []).append(way)
        return tuple(map(tuple, found.values()))

    @property
    def numbers(self) -> Mapping[tuple[str, str], int]:
        """The place of each service among `services`."""
        return {ways[0].key: number for number, ways in enumerate(self.services)}


def map_of(project: Project, *stacks: str) -> Map:
    """The map of planned stacks, all of them by default. It has every way of every service, even one for nobody."""
    names = stacks or tuple(sorted(project.surfaces, key=lambda name: (not project.plans[name].owns_estate, name)))
    plans = [project.plans[name] for name in names]
    ways: list[Way] = []
    people: set[str] = set()
    for plan, name in zip(plans, names, strict=True):
        surface = project.surfaces[name]
        ways += _ways(plan, surface)
        everybody = [p for crowd in principals(surface) for p in crowd.everybody]
        people |= {str(p) for p in everybody if p.kind in ("person", "github")}
        people |= {str(p) for words in plan.estate.members.values() for p in _principals(words)}
    homes = [_home(plan) for plan in plans]
    return Map(
        stacks=names,
        homes=tuple(homes),
        ways=_in_order(ways, [home.node for home in homes]),
        people=(str(ANYONE), *sorted(people), *([str(MEMBER)] if any(home.tailnet for home in homes) else [])),
        manual_steps=tuple(work for plan in plans for work in plan.manual_steps),
    )


def _home(plan: ExposurePlan) -> Home:
    estate = plan.estate
    zones = tuple(zone.name for zone in estate.zones)
    return Home(plan.node, zones, plan.home.router_ipv4 or "", estate.tailnet.name if estate.tailnet else "")


def _ways(plan: ExposurePlan, surface: Surface) -> Iterator[Way]:
    planned = [(service, way) for service in plan.services for way in service.ways]
    found: list[list[tuple[str, Place, Reached]]] = [[] for _ in planned]
    for place, reached in table(surface):
        for number, url in _leading(planned, place.request):
            found[number].append((url, place, reached))
    for (service, way), places in zip(planned, found, strict=True):
        # What nobody reaches is worth a line only where there is nothing else to show.
        open_ = [p for p in places if p[2].how] or places[:1]
        yield from [_way(plan, service, way, *p) for p in open_] or [_untold(plan, service, way)]


def _leading(planned: Iterable[tuple[PlannedService, PlannedWay]], request: Request) -> list[tuple[int, str]]:
    """The ways, by number, whose URL is nearest to a request, and that URL: exact hosts first, then longer paths."""
    found: dict[tuple[bool, int, int], list[tuple[int, str]]] = {}
    for number, (_, way) in enumerate(planned):
        for url in way.urls:
            rank = _rank(url, request)
            if rank is not None:
                found.setdefault(rank, []).append((number, url))
    return found[max(found)] if found else []


def _rank(url: str, request: Request) -> tuple[bool, int, int] | None:
    """How near a way's URL is to a request; None where it does not lead there."""
    parts = urlsplit(url)
    host, path = Host(parts.hostname or ""), Path(parts.path.rstrip("/") or "/")
    if not host.covers(request.host) or not path.covers(request.path):
        return None
    web = {parts.scheme, request.scheme} <= {"http", "https"}
    at = ("udp" if parts.scheme == "udp" else "tcp", parts.port or PORTS.get(parts.scheme))
    if not web and at != (request.protocol, request.port):
        return None
    return (not host.wildcard, len(host), len(path))


_GROUPS = ("edge", "funnel", "router")


def _in_order(ways: Iterable[Way], nodes: Sequence[str]) -> tuple[Way, ...]:
    """In the order in which they are drawn: node by node, with those of the same people beside each other."""

    def where(way: Way) -> tuple[object, ...]:
        group = _GROUPS.index(way.group) if way.group in _GROUPS else len(_GROUPS)
        return (nodes.index(way.node), group, way.group, _SPOTS.index(way.spot), list(WAYS).index(way.gate))

    services: dict[tuple[object, ...], list[Way]] = {}
    for way in sorted(ways, key=lambda w: (where(w), w.service, w.url)):
        services.setdefault((where(way), way.service), []).append(way)
    ordered = []
    for own in services.values():
        first = own[0].crowd
        # A service with more than one crowd stands last among those of its first one, whose ways stand first.
        own.sort(key=lambda w: (w.crowd != first, w.crowd.label, w.url))
        ordered.append((where(own[0]), first.label, len({w.crowd for w in own}), own[0].service, own))
    return tuple(way for *_, own in sorted(ordered, key=lambda item: item[:4]) for way in own)


def _way(plan: ExposurePlan, service: PlannedService, way: PlannedWay, url: str, place: Place, reached: Reached) -> Way:
    how = next((o for o in _HOW if o in set(reached.how.values())), None)
    web = place.request.scheme in ("http", "https")
    if web:
        url = f"{url.partition('://')[0]}://{place.text}"
    past_login = how is Outcome.OPEN and "edge" in way.stations and not way.audience.anyone
    challenge = place.request.path.startswith(ACME_PATH)
    if how is None:
        crowd, front = Crowd("Nobody", "no way leads here"), "closed"
    elif challenge:
        crowd, front = Crowd("Let's Encrypt", "and anyone else"), "this path alone"
    else:
        crowd, front = (
            _crowd(plan.estate, way, place.request.path, reached),
            _front(how, place.request, past_login, reached),
        )
    at = (place.request.protocol, place.request.port)
    return _drawn(
        plan,
        service,
        way,
        crowd,
        front,
        f"after {front}" if how is Outcome.LOGIN else _HOW[how] if how else "",
        url,
        tuple(str(p) for p in reached.everybody if p.kind not in ("tag", "lan", "token")),
        next((w for w in service.workloads if (w.protocol, w.port) == at), service.workloads[0]),
        past_login,
    )


def _untold(plan: ExposurePlan, service: PlannedService, way: PlannedWay) -> Way:
    """A way that no resource known to reach describes: drawn as the plan has it."""
    emails = _emails(plan.estate, way.audience)
    crowd = Crowd(*_STRANGERS) if way.audience.anyone else Crowd(str(way.audience), _count(len(emails)), emails)
    people = (
        (str(ANYONE), *sorted({str(p) for w in plan.estate.members.values() for p in _principals(w)}))
        if way.audience.anyone
        else emails
    )
    url = way.urls[0] if way.urls else ""
    return _drawn(plan, service, way, crowd, way.phrase, "", url, people, service.workloads[0])


def _drawn(
    plan: ExposurePlan,
    service: PlannedService,
    way: PlannedWay,
    crowd: Crowd,
    front: str,
    how: str,
    url: str,
    people: tuple[str, ...],
    workload: Workload,
    past_login: bool = False,
) -> Way:
    spot: Spot = "node" if workload.place == plan.home.lan_ipv4 else "lan"
    spot = "cluster" if " " in workload.place else spot
    at_home = isinstance(way, TailnetWay) and way.on_node
    return Way(
        node=plan.node,
        service=service.key,
        title=service.title,
        gate=way.gate,
        crowd=crowd,
        front=front,
        how=how,
        url=url,
        address=url.removeprefix("https://").removesuffix("/") if url.startswith("https://") else url,
        link=url if url.startswith(("https://", "http://")) and "*" not in url else None,
        people=people,
        stations=way.stations[:1] if at_home else way.stations,
        spot=spot,
        origin=f"port {workload.port} of the node" if spot == "node" else str(workload),
        past_login=past_login,
    )


def _crowd(estate: Estate, way: PlannedWay, path: str, reached: Reached) -> Crowd:
    if reached.anyone is Outcome.OPEN:
        return Crowd("Anyone", reached.places) if reached.places else Crowd(*_STRANGERS)
    if MEMBER in reached.how:
        return Crowd("Any member", "of the tailnet")
    named = tuple(sorted(str(p) for p in reached.everybody if p.kind in ("person", "github")))
    programs = [str(p) for p in reached.everybody if p.kind == "token"]
    if programs and not named:
        return Crowd(", ".join(programs), "an app or a script")
    machines = [str(p) for p in reached.everybody if p.kind == "tag"]
    if machines and not named:
        return Crowd(", ".join(machines), "by tag")
    # The sets of people are named where they are just those who get in.
    meant = [c.audience for c in sorted(way.claims(), key=lambda c: -len(c.path)) if c.path.covers(path)]
    label = next((str(a) for a in (*meant, way.audience) if a.people and _emails(estate, a) == named), "")
    return Crowd(label or ", ".join(named) or "devices", _count(len(named)), named)


def _emails(estate: Estate, audience: Audience) -> tuple[str, ...]:
    return tuple(sorted({str(p) for p in _principals(estate.who(audience.people))}))


def _principals(words: Iterable[str]) -> Iterator[Principal]:
    """Who stands for each word of a set of people."""
    return (principal for word in words if (principal := parse_principal(word)))


def _count(people: int) -> str:
    return f"{people} {'person' if people == 1 else 'people'}"


def _front(how: Outcome, request: Request, past_login: bool, reached: Reached) -> str:
    if how is Outcome.LOGIN:
        return " or ".join(dict.fromkeys(login_words(t.login) for t in reached.terms.values() if t.login))
    if how is Outcome.TOKEN:
        return "service token"
    if how is Outcome.TAILNET:
        return "by Tailscale SSH" if any(terms.weakened for terms in reached.terms.values()) else "by grant"
    if request.scheme in ("tcp", "udp"):
        return f"{request.protocol} {request.port}"
    return "no login here" if past_login else "no login"
