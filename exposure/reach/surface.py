"""What is registered, as typed values that know nothing of gates: the ground on which reach is decided.

A `Surface` comes from a plan (`from_plan`) or from what an engine or the offline plan registered
(`exposure.reach.steps.from_steps`). Two surfaces are equal where they open the same; names for people do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import ip_address
from operator import itemgetter
from typing import Literal

from config.people import GOOGLE
from config.values import ROOT
from exposure import estate as one
from exposure.audience import NOBODY
from exposure.model import AccessApplication, ExposurePlan, Json, PeopleSet
from exposure.names import ACME_PATH, login_of
from exposure.policy_eval import Endpoint
from exposure.policy_eval import machine as device
from exposure.reach.match import covers_host, covers_path, matches_host, matches_path, serves
from exposure.ways.funnel import FunnelWay
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import TunnelWay
from exposure.workload import Protocol, Workload, at_home, cluster_host, controller, in_cluster, labelled, of_url

Decision = Literal["allow", "deny", "bypass", "non_identity", "unknown"]
ANY_PORT = ""
"""Stands for the port of what may listen at any."""
DECISIONS: tuple[Decision, ...] = ("allow", "deny", "bypass", "non_identity", "unknown")


@dataclass(frozen=True)
class Selector:
    """One selector of an Access policy or group: `email`, `emailDomain`, `everyone`, `group`, `serviceToken`, …

    The kind is the provider's own word; `group` is resolved.
    """

    kind: str
    value: str = ""
    group: Group | None = None

    def __str__(self) -> str:
        return IN_WORDS[self.kind].format(self.value) if self.kind in IN_WORDS else self.value or self.kind


IN_WORDS = {
    "emailDomain": "anybody@{}",
    "githubOrganization": "anybody of GitHub {}",
    "geo": "in {}",
    "ip": "at {}",
}
"""Selectors in words, by kind."""


@dataclass(frozen=True)
class Group:
    """An Access group: include any, require all, exclude none [CFDOC cloudflare-one/access-controls/policies]."""

    include: tuple[Selector, ...] = ()
    exclude: tuple[Selector, ...] = ()
    require: tuple[Selector, ...] = ()
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Policy:
    """An Access policy with its selectors. `unknown` stands for a policy that is registered elsewhere."""

    decision: Decision
    include: tuple[Selector, ...] = ()
    exclude: tuple[Selector, ...] = ()
    require: tuple[Selector, ...] = ()
    name: str = field(default="", compare=False)
    session: str = field(default="", compare=False)
    """How long a login by it lasts, where it says so itself: that counts before the application's."""


@dataclass(frozen=True, order=True)
class Destination:
    """What an Access application covers: host and path, with `*` as wildcard; path "" is the whole host."""

    host: str
    path: str = ""

    @property
    def uri(self) -> str:
        """As Access writes it."""
        return f"{self.host}{self.path}"

    def covers(self, host: str, path: str) -> bool:
        """Whether it covers a URL's host and decoded path."""
        return covers_host(self.host, host) and covers_path(self.path, path)


@dataclass(frozen=True)
class Application:
    """An Access application. `policies` stand in the order of precedence; no identity provider means every one."""

    destinations: tuple[Destination, ...]
    policies: tuple[Policy, ...] = ()
    identity_providers: tuple[str, ...] = ()
    redirect: bool = False
    name: str = field(default="", compare=False)
    service: str | None = field(default=None, compare=False)
    session: str = ""
    """How long a login lasts, in Go's words (`24h`); "" where that is not said."""
    weakened: tuple[str, ...] = ()
    """What makes a login worth less, in words (`AccessSettings.weakened`)."""

    @property
    def key(self) -> str:
        """What tells applications apart: the first destination. Access takes each only once."""
        return self.destinations[0].uri if self.destinations else self.name


@dataclass(frozen=True)
class JwtCheck:
    """cloudflared's check of Access's JWT on one rule: the applications whose AUD it takes, by `Application.key`.

    `unresolved` counts AUDs that could not be traced to an application.
    """

    required: bool
    team: str
    applications: tuple[str, ...]
    unresolved: int = 0


@dataclass(frozen=True)
class Rule:
    """One rule of a tunnel. `host` None matches every host; `path` is RE2, None matches every path."""

    host: str | None
    path: str | None
    origin: str
    access: JwtCheck | None = None
    service: str | None = field(default=None, compare=False)
    host_header: str = ""
    """The Host header that the origin gets, if not the request's own."""


@dataclass(frozen=True)
class Tunnel:
    """A tunnel and its rules in order. `rules` None: they are not known here."""

    name: str
    rules: tuple[Rule, ...] | None

    def first(self, host: str, path: str) -> int | None:
        """The index of the first rule that matches, None where none does. Raises ValueError as `matches_path` does."""
        near = self._near.get(host)
        if near is None:
            named, wide = self._by_host
            near = self._near[host] = sorted(
                [*named.get(host, ()), *((n, r) for n, r in wide if matches_host(r.host, host))], key=itemgetter(0)
            )
        return next((index for index, rule in near if matches_path(rule.path, path)), None)

    @cached_property
    def _near(self) -> dict[str, list[tuple[int, Rule]]]:
        return {}

    @cached_property
    def _by_host(self) -> tuple[dict[str, list[tuple[int, Rule]]], list[tuple[int, Rule]]]:
        """The rules of each exact host, and those that may be of several; each with its index."""
        named: dict[str, list[tuple[int, Rule]]] = {}
        wide = []
        for indexed in enumerate(self.rules or ()):
            host = indexed[1].host
            if not host or "*" in host or not host.isascii():
                wide.append(indexed)
            else:
                named.setdefault(host, []).append(indexed)
        return named, wide


@dataclass(frozen=True, order=True)
class Zone:
    """A zone. `always_https` is None where nothing says; `advanced_certificate`: the edge has one for any depth."""

    name: str
    advanced_certificate: bool = False
    always_https: bool | None = None


def zone_of(zones: Iterable[Zone], host: str) -> Zone | None:
    """The longest zone that a host is in, if any."""
    inside = (z for z in zones if host == z.name or host.endswith(f".{z.name}"))
    return max(inside, key=lambda z: len(z.name), default=None)


@dataclass(frozen=True)
class Record:
    """A DNS record. `tunnel` names the tunnel that a CNAME leads to; `content` is "" then."""

    host: str
    type: str
    content: str
    proxied: bool
    tunnel: str | None = None
    service: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class TailnetIngress:
    """An Ingress of the Tailscale operator: https on 443 at `machine`, for the internet too with `funnel`.

    It serves `paths` and what is below them, and nothing else. `cluster` is the name of its node. `shared`: a Tailscale
    Service, for which the proxies of a `ProxyGroup` answer; otherwise a machine with these tags.
    """

    machine: str
    namespace: str
    backend: str
    tags: tuple[str, ...]
    funnel: bool
    paths: tuple[str, ...] = ("/",)
    service: str | None = field(default=None, compare=False)
    cluster: str = ""
    backends: tuple[tuple[str, str], ...] = ()
    """A path and what answers there and below, where not all of it is `backend`."""
    shared: bool = False

    def workload(self, path: str) -> Workload:
        """What answers at a path: the longest one above it decides [Kubernetes, Ingress path types]."""
        above = [(len(p), backend) for p, backend in self.backends if serves((p,), path)]
        name, _, port = (max(above)[1] if above else self.backend).rpartition(":")
        return in_cluster(self.cluster, self.namespace, name, int(port) if port.isdigit() else port)


@dataclass(frozen=True)
class TailnetAddress:
    """A Service with a tailnet address of its own. `ports` are (`tcp` or `udp`, port).

    None: somebody else's Service, of which nothing here says the ports; it may listen at any.
    """

    machine: str
    namespace: str
    ports: tuple[tuple[Protocol, int], ...] | None
    tags: tuple[str, ...]
    service: str | None = field(default=None, compare=False)
    cluster: str = ""
    pods: str = ""
    """Their labels, or the Service's name where it does not select them."""
    targets: tuple[int | str, ...] = ()
    """The pods' port behind each of `ports`; the same one where that is not said."""
    shared: bool = False
    """As at `TailnetIngress`."""

    def workload(self, protocol: Protocol, port: int) -> Workload:
        """What answers at a port."""
        to = dict(zip(self.ports or (), self.targets, strict=False)).get((protocol, port), port)
        return in_cluster(self.cluster, self.namespace, self.pods, to, protocol)


@dataclass(frozen=True)
class NodePort:
    """A port that a Service opens at the node `cluster`; `node_port` 0 is one that the cluster chooses."""

    namespace: str
    protocol: Protocol
    service_port: int
    node_port: int
    service: str | None = field(default=None, compare=False)
    cluster: str = ""
    pods: str = ""
    target: int | str = 0

    @property
    def workload(self) -> Workload:
        """What answers."""
        return in_cluster(self.cluster, self.namespace, self.pods, self.target or self.service_port, self.protocol)


@dataclass(frozen=True, order=True)
class RouterRule:
    """A port that the router forwards to the node: a manual step, so no resource says it."""

    address: str
    protocol: Protocol
    external: int
    node_port: int
    node: str = ""


@dataclass(frozen=True, order=True)
class AtHome:
    """A node, by its name in the cluster and on the tailnet, and its address on the home network.

    `ports` are the services that listen there with no cluster between, which no resource says. `controller` is its
    ingress controller, by http and by https, which listens at home too where it is `on_lan`, and `behind` what that
    leads on to: by host and the beginning of the path. `tailnet_ipv4` is its address on the tailnet, where it is known.
    """

    name: str
    address: str
    ports: tuple[tuple[Protocol, int], ...] = ()
    controller: tuple[Workload, ...] = ()
    on_lan: bool = False
    behind: tuple[tuple[str, str, Workload], ...] = ()
    tailnet_ipv4: str = ""


@dataclass(frozen=True)
class Tailnet:
    """The tailnet: `policy` is its JSON, None where it is not known; `name` such as `xantu-lizard.ts.net`."""

    name: str | None
    policy: Mapping[str, Json] | None
    magic_dns: bool = True
    https: bool = True


@dataclass(frozen=True)
class Known:
    """What no resource of a stack says: the stack file and the estate's owner do.

    `zones` begin with the one for names that are not said. `people` are the owner's reusable policies by sets of people
    (`admins+household`), `logins` the login methods of those that do not use the first, which is `identity_providers`,
    `tokens` the policies by service tokens likewise, `bypass` the one that lets anyone by, `deny` the one that lets
    nobody in; `by_id` are its policies, login methods and zones by their ids in the cloud, where those
    are known.
    """

    zones: tuple[Zone, ...] = ()
    tailnet: Tailnet | None = None
    people: Mapping[str, Policy] = field(default_factory=dict)
    logins: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, Policy] = field(default_factory=dict)
    bypass: Policy | None = None
    deny: Policy | None = None
    identity_providers: tuple[str, ...] = ()
    router: tuple[RouterRule, ...] = ()
    node: AtHome | None = None
    by_id: Mapping[str, Policy | str] = field(default_factory=dict)


class Lookup:
    """What decides over a host, found once: the applications and records of a surface by name."""

    def __init__(
        self, applications: Iterable[Application], records: Iterable[Record], zones: Iterable[Zone] = ()
    ) -> None:
        self.applications = tuple(applications)
        self._named: dict[str, list[int]] = {}
        self._wide: list[int] = []
        for number, application in enumerate(self.applications):
            for host in {d.host for d in application.destinations}:
                (self._wide if "*" in host else self._named.setdefault(host, [])).append(number)
        self._records: dict[str, list[Record]] = {}
        # A name exists where it has a record, or a name below it has.
        self._existing = {zone.name for zone in zones}
        for record in records:
            self._records.setdefault(record.host, []).append(record)
            labels = record.host.split(".")
            self._existing.update(".".join(labels[depth:]) for depth in range(len(labels)))
        self._near: dict[str, list[Application]] = {}
        self._deciding: dict[tuple[str, str], list[Application]] = {}

    def answering(self, host: str) -> list[Record]:
        """The records that answer for a host: its own, else those of the closest wildcard.

        A wildcard covers any depth, but nothing at or below a name that exists [RFC 4592; CFDOC
        dns/manage-dns-records/reference/wildcard-dns-records].
        """
        if host in self._existing:
            return self._records.get(host, [])
        labels = host.split(".")
        for depth in range(1, len(labels)):
            above = ".".join(labels[depth:])
            if above in self._existing:
                return self._records.get(f"*.{above}", [])
        return []

    def deciding(self, host: str, path: str) -> list[Application]:
        """The applications that may decide over a URL (`winners`)."""
        found = self._deciding.get((host, path))
        if found is None:
            if host not in self._near:
                wide = (
                    n for n in self._wide if any(covers_host(d.host, host) for d in self.applications[n].destinations)
                )
                self._near[host] = [self.applications[n] for n in sorted({*self._named.get(host, ()), *wide})]
            found = self._deciding[host, path] = winners(self._near[host], host, path)
        return found


def winners(applications: Iterable[Application], host: str, path: str) -> list[Application]:
    """The applications that may decide over a URL: the most specific one; none inherits from another [CFDOC app-paths].

    There is more than one only where one has the more specific host and the other the more specific path: Cloudflare
    does not say which wins.
    """
    found: list[tuple[Application, tuple[int, int, int], tuple[int, int]]] = []
    for application in applications:
        ranks = [(_host_rank(d.host), _path_rank(d.path)) for d in application.destinations if d.covers(host, path)]
        if ranks:
            found.append((application, *max(ranks)))
    return [
        a
        for a, by_host, by_path in found
        if not any(
            by_host <= other_host and by_path <= other_path and (by_host, by_path) != (other_host, other_path)
            for _, other_host, other_path in found
        )
    ]


def _host_rank(pattern: str) -> tuple[int, int, int]:
    return (pattern.count("*") == 0, len(pattern.replace("*", "")), -pattern.count("*"))


def _path_rank(pattern: str) -> tuple[int, int]:
    pattern = pattern.rstrip("/")
    return (len(pattern.replace("*", "")), -pattern.count("*"))


@dataclass(frozen=True)
class Surface:
    """Everything that decides who reaches what, of one stack or of several (`merge`). `tailnet` is None where nothing
    says."""

    zones: tuple[Zone, ...]
    tunnels: tuple[Tunnel, ...]
    applications: tuple[Application, ...]
    records: tuple[Record, ...]
    tailnet: Tailnet | None
    tailnet_ingresses: tuple[TailnetIngress, ...]
    tailnet_addresses: tuple[TailnetAddress, ...]
    node_ports: tuple[NodePort, ...]
    router: tuple[RouterRule, ...]
    nodes: tuple[AtHome, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of every tunnel."""
        return tuple(rule for tunnel in self.tunnels for rule in tunnel.rules or ())

    @cached_property
    def lookup(self) -> Lookup:
        """Applications and records by host."""
        return Lookup(self.applications, self.records, self.zones)

    @cached_property
    def listeners(self) -> Mapping[str, Mapping[tuple[Protocol, int | str], Workload]]:
        """What answers on the home network beside every way: the ports of each address there, and what is behind them.

        A node's are its node ports, port 0 for those that the cluster chooses, its ingress controller where something
        is behind it, and its own services, which listen on all of its addresses. What a tunnel's rule calls at home
        answers everybody there.
        """
        found: dict[str, dict[tuple[Protocol, int | str], Workload]] = {}
        for node in self.nodes:
            own = found.setdefault(node.address, {})
            own |= {(n.protocol, n.node_port): n.workload for n in self.node_ports if n.cluster == node.name}
            if node.behind and node.on_lan:
                own |= {("tcp", port): door for port, door in zip((80, 443), node.controller, strict=False)}
            for protocol, port in node.ports:
                own.setdefault((protocol, port), at_home(node.address, port, protocol))
        for workload in self.called_at_home:
            found.setdefault(workload.place, {}).setdefault((workload.protocol, workload.port), workload)
        return found

    @cached_property
    def called_at_home(self) -> tuple[Workload, ...]:
        """What a tunnel's rules call on the home network: all that says that it is there."""
        called = (of_url(rule.origin, tunnel.name) for tunnel in self.tunnels for rule in tunnel.rules or ())
        return tuple(dict.fromkeys(w for w in called if w and _is_at_home(w.place)))

    @cached_property
    def in_clusters(self) -> Mapping[str, Mapping[tuple[Protocol, int | str], tuple[Workload, str | None]]]:
        """What ways lead to in the clusters, each with its service; an ingress controller is none's.

        It answers beside every way, where a subnet router leads to the cluster's own addresses; at ANY_PORT where its
        ports are not known.
        """
        found: dict[str, dict[tuple[Protocol, int | str], tuple[Workload, str | None]]] = {}
        for workload, service, port in self._called_in_clusters():
            if host := cluster_host(workload):
                told = workload, None if any(self._is_door(node, workload) for node in self.nodes) else service
                for at in (port, workload.port):
                    found.setdefault(host, {}).setdefault((workload.protocol, at), told)
        return found

    def _called_in_clusters(self) -> Iterator[tuple[Workload, str | None, int | str]]:
        """What is called, with its service and the port that its Service has."""
        for tunnel in self.tunnels:
            for rule in tunnel.rules or ():
                if called := of_url(rule.origin, tunnel.name):
                    yield called, rule.service, called.port
        for ingress in self.tailnet_ingresses:
            for path in ("/", *(path for path, _ in ingress.backends)):
                called = ingress.workload(path)
                yield called, ingress.service, called.port
        for address in self.tailnet_addresses:
            anything: tuple[tuple[Protocol, int | str], ...] = (("tcp", ANY_PORT), ("udp", ANY_PORT))
            for protocol, at in anything if address.ports is None else address.ports:
                called = in_cluster(address.cluster, address.namespace, address.pods, at, protocol)
                yield address.workload(protocol, at) if isinstance(at, int) else called, address.service, at
        for node_port in self.node_ports:
            yield node_port.workload, node_port.service, node_port.service_port

    def listening(self, address: str, protocol: Protocol, port: int | str) -> Workload | None:
        """What answers at a port of an address of the home network."""
        return self.listeners.get(address, {}).get((protocol, port))

    def forwarded_to(self, rule: RouterRule) -> NodePort | None:
        """The port of the node that the router forwards to, where a Service has it."""
        wanted = (rule.node, rule.protocol, rule.node_port)
        return next((n for n in self.node_ports if (n.cluster, n.protocol, n.node_port) == wanted), None)

    def device(self, machine: str, tags: Iterable[str]) -> Endpoint:
        """A machine, or a Tailscale Service, with these tags as the tailnet's policy sees it."""
        found = self.machines.get(machine)
        if found:
            return device(tags, service=f"svc:{machine}" if found.shared else "")
        return device(tags, next((node.tailnet_ipv4 for node in self.nodes if node.name == machine), ""))

    @cached_property
    def machines(self) -> Mapping[str, TailnetIngress | TailnetAddress]:
        """What the operator puts on the tailnet, by the machine's name; an Ingress comes before a Service."""
        addresses = {address.machine: address for address in reversed(self.tailnet_addresses)}
        return addresses | {ingress.machine: ingress for ingress in reversed(self.tailnet_ingresses)}

    def machine_name(self, host: str) -> str | None:
        """The name on the tailnet that a host is, if it can be one."""
        if "." not in host:
            return host
        if self.tailnet and self.tailnet.name:
            suffix = f".{self.tailnet.name}"
            return host.removesuffix(suffix) if host.endswith(suffix) else None
        return host.split(".", 1)[0] if host.endswith(".ts.net") else None

    def led_on(self, workload: Workload | None, host: str, path: str) -> Workload | None:
        """What answers in the end: behind an ingress controller what it leads that host and path on to, where known.

        Challenges end at the controller: an Ingress of their solver's own takes them [CM pkg/issuer/acme/http].
        """
        if ACME_PATH.covers(path):
            return workload
        behind = next((n.behind for n in self.nodes if workload and self._is_door(n, workload)), ())
        found = [(h == host, len(p), w) for h, p, w in behind if matches_host(h, host) and serves((p,), path)]
        return max(found)[2] if found else workload

    @staticmethod
    def _is_door(node: AtHome, workload: Workload) -> bool:
        return any(door.place == workload.place for door in node.controller)

    def calling(self, workload: Workload) -> Iterator[str]:
        """The services whose rules of a tunnel lead to a workload; an ingress controller is none's."""
        if any(self._is_door(node, workload) for node in self.nodes):
            return
        for tunnel in self.tunnels:
            for rule in tunnel.rules or ():
                if rule.service and of_url(rule.origin, tunnel.name) == workload:
                    yield rule.service

    def zone_of(self, host: str) -> Zone | None:
        """The longest zone that a host is in, if any."""
        return zone_of(self.zones, host)

    def taken_by(self, host: str, path: str) -> str | None:
        """The service that a host, or that path of it, belongs to: by the rule that takes it, else by its record."""
        records = self.lookup.answering(host)
        led_to = {record.tunnel for record in records}
        for tunnel in self.tunnels:
            try:
                index = tunnel.first(host, path) if tunnel.name in led_to or not records else None
            except ValueError:
                continue
            if index is not None and tunnel.rules and tunnel.rules[index].service:
                return tunnel.rules[index].service
        owners = [r.service for r in records] + [a.service for a in self.lookup.deciding(host, path)]
        return next(filter(None, owners), None)


def _is_at_home(place: str) -> bool:
    try:
        address = ip_address(place)
    except ValueError:
        return " " not in place and ("." not in place or place.endswith((".lan", ".home.arpa", ".internal", ".home")))
    return address.is_private


def surface(
    known: Known,
    *,
    tunnels: Iterable[Tunnel] = (),
    applications: Iterable[Application] = (),
    records: Iterable[Record] = (),
    tailnet_ingresses: Iterable[TailnetIngress] = (),
    tailnet_addresses: Iterable[TailnetAddress] = (),
    node_ports: Iterable[NodePort] = (),
    nodes: Iterable[AtHome] | None = None,
) -> Surface:
    """A surface with everything but the rules in one order, so that equal ones are equal."""
    return Surface(
        zones=tuple(sorted(known.zones)),
        tunnels=tuple(sorted(tunnels, key=lambda t: t.name)),
        applications=tuple(sorted(applications, key=lambda a: a.key)),
        records=tuple(sorted(records, key=lambda r: (r.host, r.type, r.content))),
        tailnet=known.tailnet,
        tailnet_ingresses=tuple(sorted(tailnet_ingresses, key=lambda i: (i.machine, i.namespace))),
        tailnet_addresses=tuple(sorted(tailnet_addresses, key=lambda a: (a.machine, a.namespace))),
        node_ports=tuple(sorted(node_ports, key=lambda n: (n.protocol, n.node_port, n.namespace))),
        router=tuple(sorted(known.router)),
        nodes=tuple(sorted(nodes if nodes is not None else [known.node] if known.node else [])),
    )


def merge(surfaces: Iterable[Surface]) -> Surface:
    """The surfaces of one estate's stacks as one: its zones, Access account and tailnet are shared by all of them."""
    every = tuple(surfaces)
    tailnets = [s.tailnet for s in every if s.tailnet]
    zones: dict[str, Zone] = {}
    for zone in (z for s in every for z in s.zones):
        same = zones.get(zone.name, zone)
        https = zone.always_https if same.always_https is None else same.always_https
        zones[zone.name] = Zone(zone.name, same.advanced_certificate or zone.advanced_certificate, https)
    return surface(
        Known(
            zones=tuple(zones.values()),
            tailnet=next((t for t in tailnets if t.policy is not None), tailnets[0] if tailnets else None),
            router=tuple(dict.fromkeys(r for s in every for r in s.router)),
        ),
        tunnels=dict.fromkeys(t for s in every for t in s.tunnels),
        applications=dict.fromkeys(a for s in every for a in s.applications),
        records=dict.fromkeys(r for s in every for r in s.records),
        tailnet_ingresses=dict.fromkeys(i for s in every for i in s.tailnet_ingresses),
        tailnet_addresses=dict.fromkeys(a for s in every for a in s.tailnet_addresses),
        node_ports=dict.fromkeys(n for s in every for n in s.node_ports),
        nodes=dict.fromkeys(n for s in every for n in s.nodes),
    )


def known_of(plan: ExposurePlan, owner: ExposurePlan | None = None) -> Known:
    """What a plan knows beside its resources. `owner` is the plan of the estate's owner, for a member's."""
    registered = plan if plan.owns_estate else owner
    logins = {a.audience for a in plan.applications if a.audience.people}
    sets = registered.people if registered else one.people_sets(logins, plan.estate)
    tokens = registered.token_sets if registered else one.token_sets(a.audience for a in plan.applications)
    policy = registered.tailnet_policy if registered else None
    settings = plan.estate.tailnet
    return Known(
        zones=tuple(Zone(z.name, z.advanced_certificate, z.always_use_https) for z in plan.estate.zones),
        tailnet=Tailnet(settings.name, policy, settings.dns.magic_dns, settings.settings.https_enabled)
        if settings
        else None,
        people={s.name: people_policy(s) for s in sets},
        logins={s.name: login_of(s.login, plan.estate) for s in sets if s.login != GOOGLE},
        tokens={policy.name: policy for policy in map(tokens_policy, tokens)},
        bypass=Policy("bypass", (Selector("everyone"),), name="bypass"),
        deny=Policy("deny", (Selector("everyone"),), name="nobody"),
        identity_providers=(login_of(first, plan.estate),) if (first := plan.estate.first_login) else (),
        router=tuple(
            RouterRule(way.ipv4, port.protocol, port.external, port.node_port, plan.node)
            for way in plan.by(PortForwardWay)
            for port in way.ports
        ),
        node=AtHome(
            plan.node,
            plan.home.lan_ipv4,
            tuple(sorted((p.protocol, p.port) for w in plan.by(TailnetWay) if w.on_node for p in w.ports)),
            controller(plan.home),
            plan.home.ingress_controller.on_lan,
            tuple(sorted(_behind(plan, managed=False))),
            plan.home.tailnet_ipv4 or "",
        ),
    )


def _behind(plan: ExposurePlan, managed: bool) -> Iterator[tuple[str, str, Workload]]:
    """What the ingress controller leads on to, by Ingresses that Gatehouse makes (`managed`) or that are there."""
    for service in plan.services:
        for way in service.ways if service.through else ():
            if isinstance(way, TunnelWay) and bool(way.ingress) == managed:
                yield from ((host, ROOT if managed else way.path, service.workloads[0]) for host in way.hosts)


def people_policy(people: PeopleSet) -> Policy:
    """The reusable policy of a set of people: it includes their group and nothing else, and requires where they are."""
    if people.ended:
        return Policy("deny", (Selector("everyone"),), name=people.name)
    words = [("email", people.emails), ("emailDomain", people.domains), ("githubOrganization", people.github)]
    group = Group(_selectors(words), name=people.name)
    kinds = {"countries": "geo", "ips": "ip"}
    required = [Selector("group", "", Group(_selectors([(kinds[word], values)]))) for word, values in people.limits]
    return Policy("allow", (Selector("group", "", group),), require=tuple(required), name=people.name)


def addresses_policy(ips: Iterable[str]) -> Policy:
    """The policy of a path that anyone reaches from these addresses: it includes their group and nothing else."""
    return Policy("bypass", (Selector("group", "", Group(_selectors([("ip", ips)]))),))


def _selectors(words: Iterable[tuple[str, Iterable[str]]]) -> tuple[Selector, ...]:
    # GitHub tells names apart without case.
    lower = ("githubOrganization",)
    found = {(kind, value.lower() if kind in lower else value) for kind, values in words for value in values}
    return tuple(Selector(kind, value) for kind, value in sorted(found))


def tokens_policy(names: Iterable[str]) -> Policy:
    """The reusable policy of service tokens that are let in together."""
    words = tuple(Selector("serviceToken", name) for name in sorted(set(names)))
    return Policy("non_identity", words, name="+".join(s.value for s in words))


def from_plan(plan: ExposurePlan, owner: ExposurePlan | None = None) -> Surface:
    """The surface of a plan. `owner` is the plan of the estate's owner, for a member's stack."""
    known = known_of(plan, owner)
    rules = []
    for rule in plan.rules:
        # An application is named after its destination, which is its key here too.
        check = JwtCheck(True, plan.estate.team, tuple(sorted(rule.applications))) if rule.applications else None
        header = rule.settings.http_host_header or ""
        rules.append(Rule(rule.host, rule.path, rule.origin, check, rule.service, header))
    proxied = [way for way in plan.by(TailnetWay) if not way.on_node]
    return surface(
        known,
        tunnels=[Tunnel(plan.node, tuple(rules))],
        applications=[_application(a, known, plan.estate.session_duration) for a in plan.applications],
        records=[
            Record(r.host, "CNAME", "", r.proxied, plan.node, r.service)
            if r.target is None
            else Record(r.host, "A", r.target, r.proxied, None, r.service)
            for r in plan.records
        ],
        tailnet_ingresses=[
            *(
                TailnetIngress(
                    w.machine, w.namespace, f"{w.backend}:{w.port}", (w.tag,), True, w.paths, w.service, plan.node
                )
                for w in plan.by(FunnelWay)
            ),
            *(
                TailnetIngress(
                    *(w.machine, w.namespace, f"{w.backend}:{w.backend_port}", (w.tag,), False),
                    service=w.service,
                    cluster=plan.node,
                    shared=w.shared,
                )
                for w in proxied
                if w.served
            ),
        ],
        tailnet_addresses=[
            tailnet_address(
                w.machine,
                w.namespace,
                {(p.protocol, p.port): p.target for p in w.ports} if w.selector else None,
                (w.tag,),
                w.service,
                plan.node,
                labelled(w.selector) if w.selector else str(w.backend),
                w.shared,
            )
            for w in proxied
            if not w.served
        ],
        node_ports=[
            NodePort(w.namespace, p.protocol, p.port, p.node_port, w.service, plan.node, labelled(w.selector), p.target)
            for w in plan.by(PortForwardWay)
            for p in w.ports
        ],
        nodes=with_behind(known, _behind(plan, managed=True)),
    )


def with_behind(known: Known, behind: Iterable[tuple[str, str, Workload]]) -> list[AtHome]:
    """The node that is known, with what its ingress controller leads on to beside what is known."""
    node = known.node
    return [replace(node, behind=tuple(sorted({*node.behind, *behind})))] if node else []


def tailnet_address(
    machine: str,
    namespace: str,
    targets: Mapping[tuple[Protocol, int], int | str] | None,
    tags: tuple[str, ...],
    service: str | None,
    cluster: str,
    pods: str,
    shared: bool = False,
) -> TailnetAddress:
    """A Service on the tailnet, from its ports with the pods' port behind each; None where they are not said."""
    ports = None if targets is None else tuple(sorted(targets))
    behind = tuple(targets[port] for port in ports) if ports and targets else ()
    return TailnetAddress(machine, namespace, ports, tags, service, cluster, pods, behind, shared)


def _application(planned: AccessApplication, known: Known, session: str) -> Application:
    audience = planned.audience
    anyone = audience.opens
    if audience.ips:
        policies: list[Policy | None] = [addresses_policy(audience.ips)]
    elif anyone or audience == NOBODY:
        policies = [known.bypass if anyone else known.deny]
    else:
        policies = [known.tokens.get(audience.token_name), known.people.get(audience.set_name)]
    other = known.logins.get(audience.set_name)
    providers = () if anyone else (other,) if other else known.identity_providers
    return Application(
        (Destination(planned.host, planned.path.suffix),),
        tuple(policy for policy in policies if policy),
        providers,
        bool(providers),
        planned.title,
        planned.service,
        "24h" if anyone else planned.settings.session_duration or session,
        planned.settings.weakened,
    )
