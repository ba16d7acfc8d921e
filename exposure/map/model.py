"""What the map shows, before it is drawn: ways from who to what, with all that lies between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from config.services import GATES, Gate, NodeOrigin, Service, ServiceOrigin, UrlOrigin
from exposure.model import Exposure, HandWork
from exposure.names import ACME_PATH
from exposure.reach.access import ANYONE, MEMBER, Principal
from exposure.reach.audience import Audience, Place, principals, table
from exposure.reach.evaluate import Outcome
from exposure.reach.project import Project

Station = Literal["internet", "edge", "funnel", "router", "tailnet", "tunnel", "proxy", "node-port"]
Spot = Literal["cluster", "node", "lan"]

STATION_NAMES: Mapping[Station, tuple[str, str]] = {
    "internet": ("Internet", "Internet"),
    "edge": ("Cloudflare edge", "Edge"),
    "funnel": ("Tailscale Funnel", "Funnel"),
    "router": ("Router", "Router"),
    "tailnet": ("Tailnet", "Tailnet"),
    "tunnel": ("Tunnel", "Tunnel"),
    "proxy": ("Tailscale proxy", "Proxy"),
    "node-port": ("NodePort", "Port"),
}
"""A station's name, and a short one."""

_STATIONS: Mapping[Gate, tuple[Station, ...]] = {
    "public-tunnel": ("internet", "edge", "tunnel"),
    "zero-trust": ("internet", "edge", "tunnel"),
    "acme": ("internet", "edge", "tunnel"),
    "funnel": ("internet", "funnel", "proxy"),
    "port-forward": ("internet", "router", "node-port"),
    "tailnet": ("tailnet", "proxy"),
}
GATE_WORDS: Mapping[Gate, str] = {
    "public-tunnel": "nothing in front",
    "zero-trust": "Google login first",
    "acme": "the challenges' path alone",
    "funnel": "Tailscale, no login",
    "port-forward": "a port of the router",
    "tailnet": "your devices, by grant",
}
"""Each gate in a few words, for the legend."""

_GROUPS: tuple[Station, ...] = ("edge", "funnel", "router", "tailnet")
_SPOTS: tuple[Spot, ...] = ("lan", "cluster", "node")
_HOW = {Outcome.OPEN: "", Outcome.LOGIN: "after Google login", Outcome.TAILNET: "from the tailnet"}


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
    in front, in words; `address` is `url` as it is written on the map.
    """

    service: str
    title: str
    gate: Gate
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

    @property
    def group(self) -> Station:
        """The station by which it comes in."""
        return next(s for s in self.stations if s in _GROUPS)

    @property
    def inner(self) -> Station | None:
        """What takes it in at the node, if anything does."""
        return next((s for s in self.stations if s in ("tunnel", "proxy", "node-port")), None)

    @property
    def path(self) -> str:
        """The path of its URL, from the first slash after the host."""
        _, slash, path = self.url.split("://", 1)[-1].partition("/")
        return slash + path

    @property
    def past_login(self) -> bool:
        """Whether it leads past the login that the rest of its service asks for."""
        return self.gate == "zero-trust" and not self.how and bool(self.people)

    @property
    def who(self) -> str:
        """Who, and how, in words."""
        return f"{self.crowd.label}, {self.how}" if self.how else self.crowd.label

    @property
    def route(self) -> tuple[str, ...]:
        """The stations' names, with what stands in front at its place."""
        names = []
        for station in self.stations:
            names.append(STATION_NAMES[station][0])
            if station == self.group:
                names.append(self.front)
        return tuple(names)


@dataclass(frozen=True)
class Map:
    """Everything that the map of one stack shows. `ways` stand in the order in which they are drawn."""

    stack: str
    node: str
    zone: str
    router: str
    tailnet: str | None
    ways: tuple[Way, ...]
    people: tuple[str, ...]
    hand_work: tuple[HandWork, ...]

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates in use, in their usual order."""
        used = {way.gate for way in self.ways}
        return tuple(gate for gate in GATES if gate in used)

    @property
    def crowds(self) -> tuple[Crowd, ...]:
        """Everybody on the left side, in the order of their first way."""
        return tuple(dict.fromkeys(way.crowd for way in self.ways))

    @property
    def services(self) -> tuple[tuple[Way, ...], ...]:
        """The ways of each service together, in order."""
        return tuple(tuple(ways) for _, ways in groupby(self.ways, key=lambda way: way.service))

    def note(self, station: Station) -> str:
        """What a station is called beside its name."""
        return {
            "edge": self.zone,
            "router": self.router,
            "tailnet": self.tailnet or "",
            "funnel": self.tailnet or "",
            "tunnel": "cloudflared",
            "proxy": "operator",
        }.get(station, "")


def map_of(project: Project, stack: str) -> Map:
    """The map of one planned stack. Every service has at least one way; one that nobody reaches says so."""
    plan, surface = project.plans[stack], project.surfaces[stack]
    config = project.stacks[stack].config
    assert config is not None
    exposures = {e.service: e for e in plan.exposures}
    solver = next((e.service for e in plan.exposures if e.gate == "acme"), None)
    found: dict[str, list[tuple[Place | None, Audience]]] = {key: [] for key in exposures}
    for place, audience in table(surface):
        key = _service_of(project, stack, place, audience, solver)
        if key in found:
            found[key].append((place, audience))
    ways: list[Way] = []
    for key, places in found.items():
        # What nobody reaches is worth a line only where there is nothing else to show.
        open_ = [p for p in places if p[1].reached] or places[:1] or [(None, Audience({}))]
        set_name = config.services[key].people or plan.estate.default_people or ""
        ways += [_way(exposures[key], config.services[key], set_name, place, audience) for place, audience in open_]
    everybody = [p for crowd in principals(surface) for p in crowd.everybody if p.kind in ("anyone", "person")]
    members = [MEMBER] if plan.estate.tailnet else []
    people = {str(p) for p in everybody if p != ANYONE} | {e for emails in plan.estate.people.values() for e in emails}
    return Map(
        stack=stack,
        node=plan.node,
        zone=plan.zone.name,
        router=config.node.router_ipv4,
        tailnet=plan.estate.tailnet.name if plan.estate.tailnet else None,
        ways=tuple(sorted(ways, key=_order)),
        people=(str(ANYONE), *sorted(people), *map(str, members)),
        hand_work=plan.hand_work,
    )


def _service_of(project: Project, stack: str, place: Place, audience: Audience, solver: str | None) -> str | None:
    owner = place.service or next((key for name, key in [project.owner_of(place) or ("", "")] if name == stack), None)
    if owner is not None and solver is not None and place.request.path.startswith(ACME_PATH):
        # The challenges of every host belong to whoever answers them; the bare folder leads nowhere.
        return solver if audience.reached else None
    return owner


def _order(way: Way) -> tuple[object, ...]:
    return (_GROUPS.index(way.group), _SPOTS.index(way.spot), GATES.index(way.gate), way.service, way.url)


def _way(exposure: Exposure, service: Service, set_name: str, place: Place | None, audience: Audience) -> Way:
    how = _outcome(audience)
    url = _url(exposure, place)
    stations = _STATIONS[exposure.gate]
    on_node = isinstance(service.origin, NodeOrigin)
    if exposure.gate == "tailnet" and on_node:
        stations = ("tailnet",)
    return Way(
        service=exposure.service,
        title=exposure.title,
        gate=exposure.gate,
        crowd=_crowd(exposure, how, set_name, audience),
        front=_front(exposure, how, place),
        how=_HOW[how] if how else "",
        url=url,
        address=url.removeprefix("https://").removesuffix("/") if url.startswith("https://") else url,
        link=url if url.startswith(("https://", "http://")) else None,
        people=tuple(str(p) for p in audience.reached if p.kind != "tag"),
        stations=stations,
        spot="node" if on_node else "lan" if isinstance(service.origin, UrlOrigin) else "cluster",
        origin=_origin(service),
    )


def _outcome(audience: Audience) -> Outcome | None:
    """How the widest of those get in who come by this way from outside."""
    found = set(audience.reached.values())
    return next((o for o in (Outcome.OPEN, Outcome.LOGIN, Outcome.TAILNET) if o in found), None)


def _url(exposure: Exposure, place: Place | None) -> str:
    if place is None or exposure.gate == "tailnet":
        return exposure.url
    if exposure.gate == "acme":
        return f"http://{place.text}"
    request = place.request
    return f"https://{place.text}" if request.scheme in ("http", "https") else request.url


def _crowd(exposure: Exposure, how: Outcome | None, set_name: str, audience: Audience) -> Crowd:
    if how is None:
        return Crowd("Nobody", "no way leads here")
    if exposure.gate == "acme":
        return Crowd("Let's Encrypt", "and anyone else")
    if how is Outcome.OPEN and ANYONE in audience.reached:
        return Crowd("Anyone", "on the internet")
    if MEMBER in audience.reached:
        return Crowd("Any member", "of the tailnet")
    named = _names(p for p in audience.reached if p.kind == "person")
    label = set_name or ", ".join(named) or "devices"
    return Crowd(label, f"{len(named)} {'person' if len(named) == 1 else 'people'}", named)


def _names(people: Iterable[Principal]) -> tuple[str, ...]:
    return tuple(sorted(map(str, people)))


def _front(exposure: Exposure, how: Outcome | None, place: Place | None) -> str:
    if how is None:
        return "closed"
    if exposure.gate == "acme":
        return "this path alone"
    if exposure.gate == "port-forward" and place is not None:
        return f"{place.request.protocol} {place.request.port}"
    if how is Outcome.LOGIN:
        return "Google login"
    if how is Outcome.TAILNET:
        return "by grant"
    return "no login here" if exposure.gate == "zero-trust" else "no login"


def _origin(service: Service) -> str:
    origin = service.origin
    if isinstance(origin, ServiceOrigin):
        return f"{origin.service}.{origin.namespace}:{origin.port}"
    if isinstance(origin, UrlOrigin):
        return origin.url
    return f"port {origin.port} of the node"
