"""By ports that the router forwards: for what is not HTTP, from clients that run no Tailscale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from pydantic import Field

from config.fields import IPv4, Label, NodePort, Port, Selector, TargetPort
from config.services import Node, Service, ServiceOrigin
from config.stack import Estate
from config.values import Host
from exposure.audience import ANYONE, Audience
from exposure.ways.way import PASSES, WEB, Address, Facts, ManualStep, Way
from exposure.workload import Protocol


@dataclass(frozen=True)
class ForwardedPort:
    """One port of the router, the node's port that it leads to, and the pods' port behind that."""

    protocol: Protocol
    external: Port
    port: Port
    node_port: NodePort
    target: TargetPort

    @property
    def name(self) -> str:
        """Its name in a Kubernetes Service."""
        return f"{self.protocol}-{self.port}"


@dataclass(frozen=True)
class PortForwardWay(Way):
    """A NodePort Service behind forwarded ports, and unproxied names that lead to the router."""

    hosts: Annotated[tuple[Host, ...], Field(min_length=1)]
    ipv4: Annotated[IPv4, PASSES]
    namespace: Annotated[Label, PASSES]
    selector: Annotated[Selector, PASSES]
    ports: Annotated[tuple[ForwardedPort, ...], Field(min_length=1)]

    gate = "port-forward"
    component = "components.port_forward.PortForward"
    phrase = "a port of the router"
    stations = ("internet", "router", "node-port")
    carries = WEB | {"tcp", "udp"}
    origins = (ServiceOrigin,)
    settings = frozenset({"host", "port_forward", "selector"})
    cautions = ("the service meets the internet with nothing in front of it: keep it patched",)
    by: ClassVar[str] = "host"

    @classmethod
    def lets_in(cls, service: Service, estate: Estate | None) -> Audience:
        """Anyone."""
        return ANYONE

    @classmethod
    def plan(cls, facts: Facts) -> Self:
        """See `Way`."""
        ports = tuple(
            ForwardedPort(p.protocol, p.external_port, p.service_port, p.node_port, p.target_port or p.service_port)
            for p in facts.service.port_forward or ()
        )
        origin = facts.origin
        selector = dict(origin.selector or {})
        # A stack without the address is refused (`router-address`); names are known before that.
        router = facts.node.router_ipv4 or ""
        return cls(facts.key, facts.title, ANYONE, facts.hosts, router, origin.namespace, selector, ports)

    @property
    def urls(self) -> tuple[str, ...]:
        """See `Way`."""
        return tuple(f"{p.protocol}://{host}:{p.external}" for host in self.hosts for p in self.ports)

    @property
    def reaches(self) -> str:
        """See `Way`."""
        return "anyone on the internet"

    def addresses(self) -> tuple[Address, ...]:
        """See `Way`."""
        return tuple(Address(host, self.ipv4, self.service) for host in self.hosts)

    def manual_steps(self, node: Node) -> tuple[ManualStep, ...]:
        """One rule of the router for each port."""
        rules = {
            f"{p.protocol.upper()} port {p.external}": f"to {node.lan_ipv4} port {p.node_port}" for p in self.ports
        }
        return (
            ManualStep(
                f"router-{self.service}",
                f"Forward the ports of {self.service}",
                ("In the router's port forwarding, a rule each:",),
                self.service,
                rules,
            ),
        )
