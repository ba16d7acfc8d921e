"""A service for anyone that is not HTTP: a port of the router, forwarded to the node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.base import Component
from components.manifests import GIVEN_TO_SERVICES, OURS, SKIP_AWAIT, shared_namespace
from components.records import address_record
from components.sdk import cloudflare


class PortForward(Component):
    """NodePorts for ports that the router forwards, and the name that points at the router.

    Takes the namespace, the pods' selector and the ports as (name, protocol `TCP` or `UDP`, Service port, node port).
    The router's own rule is hand-work: no API.

    Registers NamespacePatch and Service (type NodePort); `publish` registers an unproxied DnsRecord, for Cloudflare's
    proxy carries HTTP only.

    Example:
        ```python
        game = PortForward(
            "minecraft", namespace="minecraft", selector={"app": "minecraft"}, ports=[("java", "TCP", 25565, 32565)]
        )
        game.publish(host="minecraft.example.com", zone_id=zone.zone_id, ipv4="203.0.113.7")
        ```
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str,
        selector: Mapping[str, str],
        ports: Sequence[tuple[str, str, int, int]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self._service = kubernetes.core.v1.Service(
            f"{name}-nodeport",
            metadata={
                "name": f"{name}-forwarded",
                "namespace": namespace,
                "labels": OURS,
                "annotations": SKIP_AWAIT,
            },
            spec={
                "type": "NodePort",
                "selector": dict(selector),
                "ports": [
                    {
                        "name": port,
                        "protocol": protocol,
                        "port": number,
                        "target_port": number,
                        "node_port": node_port,
                    }
                    for port, protocol, number, node_port in ports
                ],
            },
            opts=self.child(depends_on=shared_namespace(self, namespace), ignore_changes=GIVEN_TO_SERVICES),
        )
        self.register_outputs({})

    def publish(self, *, host: str, zone_id: pulumi.Input[str], ipv4: str) -> cloudflare.DnsRecord:
        """Register the DNS record, after the NodePort. Returns it."""
        return address_record(self, host=host, zone_id=zone_id, ipv4=ipv4, after=[self._service])
