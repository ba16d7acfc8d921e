"""An Ingress of the node's controller, with a Let's Encrypt certificate of its own."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes

from components.base import Component
from components.manifests import OURS, SKIP_AWAIT, shared_namespace


class ManagedIngress(Component):
    """One host on the node's ingress controller, whose certificate cert-manager renews.

    Takes the Service (namespace, name, port, scheme `http` or `https`), the host, and the controller's class and
    ClusterIssuer. The TLS Secret is the host's own: a shared one runs into Let's Encrypt's rate limits.

    Registers NamespacePatch and Ingress (annotated `cert-manager.io/cluster-issuer`).

    Example:
        ```python
        ManagedIngress(
            "dashboard", namespace="dashboard", service="kong-proxy", port=443, scheme="https",
            host="dashboard.example.com", class_name="nginx", cluster_issuer="letsencrypt-prod",
        )
        ```
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str,
        service: str,
        port: int,
        scheme: str,
        host: str,
        class_name: str,
        cluster_issuer: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        annotations = {**SKIP_AWAIT, "cert-manager.io/cluster-issuer": cluster_issuer}
        if class_name == "nginx":
            annotations["nginx.ingress.kubernetes.io/backend-protocol"] = scheme.upper()
        kubernetes.networking.v1.Ingress(
            f"{name}-certificate",
            metadata={
                "name": f"{name}-gatehouse",
                "namespace": namespace,
                "labels": OURS,
                "annotations": annotations,
            },
            spec={
                "ingress_class_name": class_name,
                "tls": [{"hosts": [host], "secret_name": f"{name}-gatehouse-tls"}],
                "rules": [
                    {
                        "host": host,
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "path_type": "Prefix",
                                    "backend": {"service": {"name": service, "port": {"number": port}}},
                                }
                            ]
                        },
                    }
                ],
            },
            opts=self.child(depends_on=shared_namespace(self, namespace)),
        )
        self.register_outputs({"host": host})
