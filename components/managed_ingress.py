"""An Ingress of the node's controller, with a Let's Encrypt certificate of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.given import reads
from components.manifests import OURS, SKIP_AWAIT, shared_namespace
from components.way import WayComponent
from exposure.ways.tunnel import ManagedIngress as Planned


class ManagedIngress(WayComponent):
    """Hosts on the node's ingress controller, whose certificate cert-manager renews.

    Takes the Service (namespace, name, port, scheme `http` or `https`), the hosts, and the controller's class and
    ClusterIssuer; `after` is what locks the hosts. The TLS Secret is the hosts' own: a shared one runs into Let's
    Encrypt's rate limits.

    Registers NamespacePatch and Ingress (annotated `cert-manager.io/cluster-issuer`).

    Example:
        ```python
        ManagedIngress(
            "dashboard",
            ingress=Planned(
                "dashboard", "kong-proxy", 443, "https", (Host("dashboard.example.com"),), "nginx", "letsencrypt-prod"
            ),
        )
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        ingress: Planned,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        annotations = {**SKIP_AWAIT, "cert-manager.io/cluster-issuer": ingress.cluster_issuer}
        if ingress.class_name == "nginx":
            annotations["nginx.ingress.kubernetes.io/backend-protocol"] = ingress.scheme.upper()
        backend: Any = {"service": {"name": ingress.service, "port": {"number": ingress.port}}}
        everything: Any = [{"path": "/", "path_type": "Prefix", "backend": backend}]
        registered = kubernetes.networking.v1.Ingress(
            f"{name}-certificate",
            metadata={
                "name": f"{name}-gatehouse",
                "namespace": ingress.namespace,
                "labels": OURS,
                "annotations": annotations,
            },
            spec={
                "ingress_class_name": ingress.class_name,
                "tls": [{"hosts": list(ingress.hosts), "secret_name": f"{name}-gatehouse-tls"}],
                "rules": [{"host": host, "http": {"paths": everything}} for host in ingress.hosts],
            },
            opts=self.child(depends_on=[*shared_namespace(self, ingress.namespace), *after]),
        )
        self.behind.append(registered)
        self.hosts = [str(host) for host in ingress.hosts]
        self.register_outputs({"hosts": list(ingress.hosts)})
