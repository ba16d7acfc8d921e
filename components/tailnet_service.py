"""A service for devices of the tailnet only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.base import Component
from components.manifests import GIVEN_TO_SERVICES, OURS, SKIP_AWAIT, shared_namespace, tailscale_ingress


class TailnetService(Component):
    """A Kubernetes Service on the tailnet: https by Serve, or TCP and UDP by an address of its own.

    Takes the Service's namespace, name and port, the machine name and the tag of its proxy, which the policy's grant
    names; `after` is that policy. `protocol` None is Serve (an Ingress, https on 443); `TCP` or `UDP` needs the pods'
    `selector`, for Gatehouse then makes a Service of class `tailscale` [TS cmd/k8s-operator].

    Registers NamespacePatch, and Ingress or Service.

    Raises ValueError for a protocol without selector.

    Example:
        ```python
        TailnetService("wiki", namespace="wiki", service="wiki", port=80, machine="wiki-alfred", tag="tag:wiki-alfred")
        ```
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str,
        service: str,
        port: int,
        machine: str,
        tag: str,
        protocol: str | None = None,
        selector: Mapping[str, str] | None = None,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        if protocol is None:
            tailscale_ingress(
                self,
                namespace=namespace,
                service=service,
                port=port,
                machine=machine,
                tag=tag,
                funnel=False,
                after=after,
            )
        else:
            if not selector:
                raise ValueError(f"{name}: a {protocol} service on the tailnet needs the selector of its pods")
            kubernetes.core.v1.Service(
                f"{name}-service",
                metadata={
                    "name": f"{name}-tailscale",
                    "namespace": namespace,
                    "labels": OURS,
                    "annotations": {
                        **SKIP_AWAIT,
                        "tailscale.com/hostname": machine,
                        "tailscale.com/tags": tag,
                    },
                },
                spec={
                    "type": "LoadBalancer",
                    "load_balancer_class": "tailscale",
                    "selector": dict(selector),
                    "ports": [
                        {
                            "name": f"{protocol.lower()}-{port}",
                            "protocol": protocol,
                            "port": port,
                            "target_port": port,
                        }
                    ],
                },
                opts=self.child(
                    depends_on=[*shared_namespace(self, namespace), *after], ignore_changes=GIVEN_TO_SERVICES
                ),
            )
        self.register_outputs({"machine": machine})
