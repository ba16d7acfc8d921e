"""Ports that the router forwards to the node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pulumi
import pulumi_kubernetes as kubernetes

from components.given import reads
from components.manifests import GIVEN_TO_SERVICES, SKIP_AWAIT, ours, shared_namespace
from components.records import dns_records
from components.sdk import cloudflare
from components.way import Context, Locks, WayComponent
from config.values import Host, object_name
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.way import Way


class PortForward(WayComponent):
    """NodePorts for what is not HTTP, and the names that point at the router.

    Takes the way: the hosts and the router's address, the namespace, the pods' selector and the ports. The router's own
    rule is a manual step: no API.

    Registers NamespacePatch and Service (type NodePort); `publish` registers unproxied DnsRecords, for Cloudflare's
    proxy carries HTTP only.

    Example:
        ```python
        way = PortForwardWay(
            "minecraft", "Minecraft", ANYONE, (Host("minecraft.example.com"),), "203.0.113.7", "minecraft",
            {"app": "minecraft"}, (ForwardedPort("tcp", 25565, 25565, 32565, 25565),),
        )
        PortForward("minecraft", way=way).publish(zone_id=zone.zone_id)
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        way: PortForwardWay,
        beside: frozenset[str] = frozenset(),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.way = way
        self.hosts = [str(host) for host in way.hosts]
        self._service = kubernetes.core.v1.Service(
            f"{name}-nodeport",
            metadata=ours(way.namespace, object_name(name, "forwarded"), annotations=SKIP_AWAIT),
            spec={
                "type": "NodePort",
                "selector": dict(way.selector),
                "ports": [
                    {
                        "name": port.name,
                        "protocol": port.protocol.upper(),
                        "port": port.port,
                        "target_port": port.target,
                        "node_port": port.node_port,
                    }
                    for port in way.ports
                ],
            },
            opts=self.child(depends_on=shared_namespace(self, way.namespace, beside), ignore_changes=GIVEN_TO_SERVICES),
        )
        self.register_outputs({})

    @classmethod
    def register(cls, way: Way, context: Context) -> Sequence[WayComponent]:
        """See `WayComponent`."""
        return [cls(way.service, way=cast("PortForwardWay", way), beside=context.beside(way), opts=context.options)]

    def release(self, context: Context, locks: Locks) -> None:
        """See `WayComponent`; nothing locks a port of the router."""
        for record in context.records.get(self.name, ()):
            if record.target is not None:
                self.publish([record.host], zone_id=context.zone_ids[record.zone])

    def publish(self, hosts: Sequence[Host] | None = None, *, zone_id: pulumi.Input[str]) -> list[cloudflare.DnsRecord]:
        """Register a DnsRecord for each host (all of the way's), after the NodePort."""
        asked = self.way.hosts if hosts is None else hosts
        return dns_records(
            self, asked, self.way.hosts[0], zone_id=zone_id, kind="A", content=self.way.ipv4, after=[self._service]
        )
