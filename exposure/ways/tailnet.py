"""On the tailnet alone: https by Serve, TCP and UDP by an address, or the node's own port."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Self

from pydantic import Field

from config.fields import Label, Port, Selector, TargetPort
from config.services import NodeOrigin, Service, ServiceOrigin
from config.stack import Estate
from config.values import Machine, Tag
from exposure.audience import Audience, on_tailnet
from exposure.names import node_tag, service_tag
from exposure.ways.way import PASSES, WEB, Facts, Grant, Way, lasting
from exposure.workload import Protocol

ROUTES_NEEDED = "a Linux device reaches it only after `sudo tailscale set --accept-routes`"
"""The address of a Tailscale Service is a route to clients [tailscale#18326]."""


@dataclass(frozen=True)
class TailnetPort:
    """One port of a machine of the tailnet, and the port of the pods behind it."""

    protocol: Protocol
    port: Port
    target: TargetPort

    @property
    def name(self) -> str:
        """Its name in a Kubernetes Service."""
        return f"{self.protocol}-{self.port}"


@dataclass(frozen=True)
class TailnetWay(Way):
    """A machine of the tailnet, for sets of people by grants of the policy.

    `served` by Serve, https on 443; else `ports` of an address of its own, in front of the pods with `selector`, or
    without one of the user's own Service. `backend` None is the node itself.
    """

    node: str
    machine: Annotated[Machine, PASSES]
    tag: Annotated[Tag, PASSES]
    ports: Annotated[tuple[TailnetPort, ...], Field(min_length=1)]
    scheme: str
    tailnet: str = ""
    namespace: Annotated[Label, PASSES] = ""
    backend: Annotated[Label | None, PASSES] = None
    served: bool = False
    backend_port: Annotated[Port, PASSES] = 0
    selector: Annotated[Selector | None, PASSES] = None
    port_name: str | None = None
    until: str = field(default="", compare=False)
    """When sets of its people end, in words."""
    shared: bool = False
    """Behind the node's shared proxies, as a Tailscale Service with the tag; else by a proxy of its own.

    A Service of the user's has its own: the operator leaves its finalizer on a Service that is no longer behind a
    `ProxyGroup`, which then cannot be deleted [TS cmd/k8s-operator/svc-for-pg.go, Reconcile].
    """

    gate = "tailnet"
    component = "components.tailnet_service.TailnetService"
    phrase = "your devices, by grant"
    stations = ("tailnet", "proxy")
    carries = WEB | {"tcp", "udp"}
    origins = (ServiceOrigin, NodeOrigin)
    settings = frozenset({"tailnet_name", "people", "machines", "selector", "other_ports", "target_port", "port_name"})
    by: ClassVar[str] = "machine"

    @classmethod
    def lets_in(cls, service: Service, estate: Estate | None) -> Audience:
        """The people that it names, from their devices, and machines by tag."""
        return on_tailnet(service, estate)

    @classmethod
    def plan(cls, facts: Facts) -> Self:
        """See `Way`."""
        origin, node = facts.service.origin, facts.node.name
        start = (facts.key, facts.title, cls.lets_in(facts.service, facts.estate), node)
        until = "".join(f", {one}" for one in lasting(facts.estate, facts.people))
        if isinstance(origin, NodeOrigin):
            port = TailnetPort("udp" if origin.scheme == "udp" else "tcp", origin.port, origin.port)
            scheme = "ssh" if origin.port == 22 else origin.scheme
            return cls(*start, Machine(node), node_tag(node), (port,), scheme, facts.tailnet, until=until)
        origin = facts.origin
        served = origin.scheme in WEB
        ports = [TailnetPort("tcp", 443, origin.target_port or origin.port)]
        if not served:
            ports = [
                TailnetPort("udp" if origin.scheme == "udp" else "tcp", origin.port, origin.target_port or origin.port),
                *(TailnetPort(p.protocol, p.port, p.target_port or p.port) for p in origin.other_ports or ()),
            ]
        return cls(
            *start,
            facts.machine,
            service_tag(facts.key, node),
            tuple(ports),
            "https" if served else origin.scheme,
            facts.tailnet,
            origin.namespace,
            origin.service,
            served,
            origin.port,
            origin.selector,
            origin.port_name,
            until,
            facts.node.proxy_group is not None and (served or origin.selector is not None),
        )

    @property
    def on_node(self) -> bool:
        """Whether it is the node's own port, with no proxy in between."""
        return self.backend is None

    @property
    def urls(self) -> tuple[str, ...]:
        """See `Way`."""
        full = f"{self.machine}.{self.tailnet}"
        if self.served:
            return (f"https://{full}/",)
        first, *others = self.ports
        shown = "" if self.scheme == "ssh" else f":{first.port}"
        return (f"{self.scheme}://{full}{shown}", *(f"{p.protocol}://{full}:{p.port}" for p in others))

    @property
    def reaches(self) -> str:
        """See `Way`."""
        return f"{self.audience}, from devices of the tailnet{self.until}"

    @property
    def mind(self) -> tuple[str, ...]:
        """See `Way`."""
        return (ROUTES_NEEDED,) if self.shared else ()

    def grants(self) -> tuple[Grant, ...]:
        """One for each port."""
        people, machines = (tuple(sorted(names)) for names in (self.audience.people, self.audience.machines))
        return tuple(
            Grant(self.service, self.node, people, self.tag, p.port, p.protocol, machines, self.shared)
            for p in self.ports
        )
