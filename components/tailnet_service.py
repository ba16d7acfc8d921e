"""A service for devices of the tailnet only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pulumi
import pulumi_kubernetes as kubernetes

from components.given import reads
from components.manifests import (
    BY_PROXY_GROUP,
    GIVEN_TO_SERVICES,
    SKIP_AWAIT,
    ours,
    proxied,
    shared_namespace,
    tailscale_ingress,
)
from components.way import Context, WayComponent
from config.values import object_name
from exposure.ways.tailnet import TailnetWay
from exposure.ways.way import Way


class TailnetService(WayComponent):
    """A Kubernetes Service on the tailnet: https by Serve, or TCP and UDP by an address of its own.

    Takes the way: the Service's namespace and name, the machine name, the tag of its proxy, which the policy's grant
    names, and the ports; `after` is that policy. `served` is Serve (an Ingress, https on 443). Otherwise, with the
    `selector` of the pods Gatehouse makes a Service, without one the Service that is there stays its owner's; either is
    annotated `tailscale.com/expose` [TS cmd/k8s-operator/svc.go]. `shared` puts an Ingress or a Service of Gatehouse's
    behind the cluster's `ProxyGroup`, which is among `after`, as a Tailscale Service with the tag; what changes to
    `shared`, or back, is deleted first.

    Registers NamespacePatch, and Ingress, Service or ServicePatch.

    Raises ValueError for the node's own port, of which nothing is to be registered.

    Example:
        ```python
        way = TailnetWay(
            "wiki", "Wiki", people(["household"]), "alfred", Machine("wiki-alfred"), Tag("tag:wiki-alfred"),
            (TailnetPort("tcp", 443, 80),), "https", namespace="wiki", backend="wiki", served=True, backend_port=80,
        )
        TailnetService("wiki", way=way, after=[tailnet.acl])
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        way: TailnetWay,
        beside: frozenset[str] = frozenset(),
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        if way.backend is None:
            raise ValueError(f"{name}: a port of the node itself is on the tailnet by the node's own Tailscale")
        if way.served:
            tailscale_ingress(
                self,
                namespace=way.namespace,
                service=way.backend,
                port=way.backend_port,
                port_name=way.port_name,
                machine=way.machine,
                tag=way.tag,
                funnel=False,
                shared=way.shared,
                beside=beside,
                after=after,
            )
        elif way.selector:
            kubernetes.core.v1.Service(
                f"{name}-service",
                metadata=ours(way.namespace, object_name(name, "tailscale"), annotations=_annotations(way)),
                spec=_spec(way),
                opts=self.child(
                    delete_before_replace=True,
                    replace_on_changes=BY_PROXY_GROUP,
                    depends_on=[*shared_namespace(self, way.namespace, beside), *after],
                    ignore_changes=GIVEN_TO_SERVICES,
                ),
            )
        else:
            kubernetes.core.v1.ServicePatch(
                f"{name}-exposed",
                metadata={"name": way.backend, "namespace": way.namespace, "annotations": _annotations(way)},
                opts=self.child(depends_on=[*shared_namespace(self, way.namespace, beside), *after]),
            )
        self.machine: pulumi.Output[str] = pulumi.Output.from_input(way.machine)
        self.register_outputs({"machine": way.machine})

    @classmethod
    def register(cls, way: Way, context: Context) -> Sequence[WayComponent]:
        """See `WayComponent`: nothing for a port of the node, which is on the tailnet by itself."""
        found = cast("TailnetWay", way)
        if found.on_node:
            return []
        beside = context.beside(way)
        return [cls(way.service, way=found, beside=beside, after=context.tailnet, opts=context.options)]


def _annotations(way: TailnetWay) -> dict[str, str]:
    return {
        **SKIP_AWAIT,
        "tailscale.com/expose": "true",
        "tailscale.com/hostname": way.machine,
        "tailscale.com/tags": way.tag,
        **proxied(way.shared),
    }


def _spec(way: TailnetWay) -> Any:
    return {
        # A LoadBalancer opens each port on the node too, for everybody at home, and keeps those that it has once
        # `allocateLoadBalancerNodePorts` is false; a change to this type gives them back [Kubernetes, Service].
        "type": "ClusterIP",
        "selector": dict(way.selector or {}),
        "ports": [
            {"name": port.name, "protocol": port.protocol.upper(), "port": port.port, "target_port": port.target}
            for port in way.ports
        ],
    }
