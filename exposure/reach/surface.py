"""What is registered, as typed values that know nothing of gates: the ground on which reach is decided.

A `Surface` comes from a plan (`from_plan`) or from what an engine or the offline plan registered
(`exposure.reach.steps.from_steps`). Two surfaces are equal where they open the same; names for people do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from exposure.model import AccessApplication, ExposurePlan, Json
from exposure.reach.match import covers_host, covers_path, matches_host, matches_path

Decision = Literal["allow", "deny", "bypass", "non_identity", "unknown"]
DECISIONS: tuple[Decision, ...] = ("allow", "deny", "bypass", "non_identity", "unknown")
GOOGLE = "google"


@dataclass(frozen=True)
class Selector:
    """One selector of an Access policy or group: `email`, `emailDomain`, `everyone`, `group`, `serviceToken`, …

    The kind is the provider's own word; `group` is resolved.
    """

    kind: str
    value: str = ""
    group: Group | None = None

    def __str__(self) -> str:
        return self.value or self.kind


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


@dataclass(frozen=True)
class Tunnel:
    """A tunnel and its rules in order. `rules` None: they are not known here."""

    name: str
    rules: tuple[Rule, ...] | None

    def first(self, host: str, path: str) -> int | None:
        """The index of the first rule that matches, None where none does. Raises ValueError as `matches_path` does."""
        near = self._near.get(host)
        if near is None:
            near = self._near[host] = [(n, r) for n, r in enumerate(self.rules or ()) if matches_host(r.host, host)]
        return next((index for index, rule in near if matches_path(rule.path, path)), None)

    @cached_property
    def _near(self) -> dict[str, list[tuple[int, Rule]]]:
        return {}


@dataclass(frozen=True)
class Record:
    """A DNS record of the zone. `tunnel` names the tunnel that a CNAME leads to; `content` is "" then."""

    host: str
    type: str
    content: str
    proxied: bool
    tunnel: str | None = None
    service: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class TailnetIngress:
    """An Ingress of the Tailscale operator: https on 443 at `machine`, for the internet too with `funnel`."""

    machine: str
    namespace: str
    backend: str
    tags: tuple[str, ...]
    funnel: bool
    service: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class TailnetAddress:
    """A Service with a tailnet address of its own. `ports` are (`tcp` or `udp`, port)."""

    machine: str
    namespace: str
    ports: tuple[tuple[str, int], ...]
    tags: tuple[str, ...]
    service: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class NodePort:
    """A port of the node that a Service of type NodePort opens."""

    namespace: str
    protocol: str
    service_port: int
    node_port: int
    service: str | None = field(default=None, compare=False)


@dataclass(frozen=True, order=True)
class RouterRule:
    """A port that the router forwards to the node: hand-work, so no resource says it."""

    address: str
    protocol: str
    external: int
    node_port: int


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

    `people` are the owner's reusable policies by set of people, `bypass` the one that lets anyone by, `by_id` its
    policies and login methods by their ids in the cloud, where those are known.
    """

    zone: str
    advanced_certificate: bool = False
    always_https: bool | None = None
    tailnet: Tailnet | None = None
    people: Mapping[str, Policy] = field(default_factory=dict)
    bypass: Policy | None = None
    identity_providers: tuple[str, ...] = ()
    router: tuple[RouterRule, ...] = ()
    by_id: Mapping[str, Policy | str] = field(default_factory=dict)


class Lookup:
    """What decides over a host, found once: the applications and records of a surface by name."""

    def __init__(self, applications: Iterable[Application], records: Iterable[Record], zone: str) -> None:
        self.applications = tuple(applications)
        self._records: dict[str, list[Record]] = {}
        # A name exists where it has a record, or a name below it has.
        self._existing = {zone}
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
                self._near[host] = [
                    a for a in self.applications if any(covers_host(d.host, host) for d in a.destinations)
                ]
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
    """Everything that decides who reaches what, of one stack or of several (`merge`).

    `always_https` and `tailnet` are None where nothing says; `advanced_certificate` says that the edge has certificates
    for more than one label below the zone.
    """

    zone: str
    advanced_certificate: bool
    always_https: bool | None
    tunnels: tuple[Tunnel, ...]
    applications: tuple[Application, ...]
    records: tuple[Record, ...]
    tailnet: Tailnet | None
    tailnet_ingresses: tuple[TailnetIngress, ...]
    tailnet_addresses: tuple[TailnetAddress, ...]
    node_ports: tuple[NodePort, ...]
    router: tuple[RouterRule, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of every tunnel."""
        return tuple(rule for tunnel in self.tunnels for rule in tunnel.rules or ())

    @cached_property
    def lookup(self) -> Lookup:
        """Applications and records by host."""
        return Lookup(self.applications, self.records, self.zone)


def surface(
    known: Known,
    *,
    tunnels: Iterable[Tunnel] = (),
    applications: Iterable[Application] = (),
    records: Iterable[Record] = (),
    tailnet_ingresses: Iterable[TailnetIngress] = (),
    tailnet_addresses: Iterable[TailnetAddress] = (),
    node_ports: Iterable[NodePort] = (),
) -> Surface:
    """A surface with everything but the rules in one order, so that equal ones are equal."""
    return Surface(
        zone=known.zone,
        advanced_certificate=known.advanced_certificate,
        always_https=known.always_https,
        tunnels=tuple(sorted(tunnels, key=lambda t: t.name)),
        applications=tuple(sorted(applications, key=lambda a: a.key)),
        records=tuple(sorted(records, key=lambda r: (r.host, r.type, r.content))),
        tailnet=known.tailnet,
        tailnet_ingresses=tuple(sorted(tailnet_ingresses, key=lambda i: (i.machine, i.namespace))),
        tailnet_addresses=tuple(sorted(tailnet_addresses, key=lambda a: (a.machine, a.namespace))),
        node_ports=tuple(sorted(node_ports, key=lambda n: (n.protocol, n.node_port, n.namespace))),
        router=tuple(sorted(known.router)),
    )


def merge(surfaces: Iterable[Surface]) -> Surface:
    """The surfaces of one estate's stacks as one: its zone, Access account and tailnet are shared by all of them."""
    every = tuple(surfaces)
    first = every[0]
    tailnets = [s.tailnet for s in every if s.tailnet]
    return surface(
        Known(
            zone=first.zone,
            advanced_certificate=any(s.advanced_certificate for s in every),
            always_https=next((s.always_https for s in every if s.always_https is not None), None),
            tailnet=next((t for t in tailnets if t.policy is not None), tailnets[0] if tailnets else None),
            router=tuple(dict.fromkeys(r for s in every for r in s.router)),
        ),
        tunnels=dict.fromkeys(t for s in every for t in s.tunnels),
        applications=dict.fromkeys(a for s in every for a in s.applications),
        records=dict.fromkeys(r for s in every for r in s.records),
        tailnet_ingresses=dict.fromkeys(i for s in every for i in s.tailnet_ingresses),
        tailnet_addresses=dict.fromkeys(a for s in every for a in s.tailnet_addresses),
        node_ports=dict.fromkeys(n for s in every for n in s.node_ports),
    )


def known_of(plan: ExposurePlan, owner: ExposurePlan | None = None) -> Known:
    """What a plan knows beside its resources. `owner` is the plan of the estate's owner, for a member's."""
    registered = plan if plan.owns_estate else owner
    sets = {s.name: s.emails for s in registered.people} if registered else dict(plan.estate.people)
    policy = registered.tailnet_policy if registered else None
    settings = plan.estate.tailnet
    return Known(
        zone=plan.zone.name,
        advanced_certificate=plan.zone.advanced_certificate,
        always_https=plan.zone.always_use_https,
        tailnet=Tailnet(settings.name, policy, settings.magic_dns, settings.https) if settings else None,
        people={name: people_policy(name, emails) for name, emails in sets.items()},
        bypass=Policy("bypass", (Selector("everyone"),), name="bypass"),
        identity_providers=(GOOGLE,) if plan.estate.google else (),
        router=tuple(
            RouterRule(record.target, protocol.lower(), external, node_port)
            for service in plan.forwarded
            for record in plan.records
            if record.service == service.service and record.target is not None
            for _, protocol, external, _, node_port in service.ports
        ),
    )


def people_policy(name: str, emails: Iterable[str]) -> Policy:
    """The reusable policy of a set of people: it includes their group and nothing else."""
    group = Group(tuple(Selector("email", email) for email in sorted(set(emails))), name=name)
    return Policy("allow", (Selector("group", "", group),), name=name)


def from_plan(plan: ExposurePlan, owner: ExposurePlan | None = None) -> Surface:
    """The surface of a plan. `owner` is the plan of the estate's owner, for a member's stack."""
    known = known_of(plan, owner)
    keys = {a.name: a.uri for a in plan.applications}
    return surface(
        known,
        tunnels=[
            Tunnel(
                plan.node,
                tuple(
                    Rule(
                        rule.host,
                        rule.path,
                        rule.origin,
                        JwtCheck(True, plan.estate.team, tuple(sorted(keys[a] for a in rule.applications)))
                        if rule.applications
                        else None,
                        rule.service,
                    )
                    for rule in plan.rules
                ),
            )
        ],
        applications=[_application(a, known) for a in plan.applications],
        records=[
            Record(r.host, "CNAME", "", r.proxied, plan.node, r.service)
            if r.target is None
            else Record(r.host, "A", r.target, r.proxied, None, r.service)
            for r in plan.records
        ],
        tailnet_ingresses=[
            TailnetIngress(i.machine, i.namespace, f"{i.backend}:{i.port}", (i.tag,), i.funnel, i.service)
            for i in plan.tailscale_ingresses
        ],
        tailnet_addresses=[
            TailnetAddress(s.machine, s.namespace, ((s.protocol.lower(), s.port),), (s.tag,), s.service)
            for s in plan.tailscale_services
        ],
        node_ports=[
            NodePort(s.namespace, protocol.lower(), service_port, node_port, s.service)
            for s in plan.forwarded
            for _, protocol, _, service_port, node_port in s.ports
        ],
    )


def _application(planned: AccessApplication, known: Known) -> Application:
    if planned.people is None:
        policies = (known.bypass,) if known.bypass else ()
        return Application(
            (Destination(planned.host, planned.path or ""),), policies, (), False, planned.title, planned.service
        )
    policy = known.people.get(planned.people)
    return Application(
        (Destination(planned.host, planned.path or ""),),
        (policy,) if policy else (),
        known.identity_providers,
        bool(known.identity_providers),
        planned.title,
        planned.service,
    )


def with_tailnet(found: Surface, tailnet: Tailnet | None) -> Surface:
    """The surface with another tailnet."""
    return replace(found, tailnet=tailnet)
