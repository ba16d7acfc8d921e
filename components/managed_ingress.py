"""An Ingress of the node's controller, with a Let's Encrypt certificate of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.given import reads
from components.manifests import FORCED, OURS, SKIP_AWAIT, shared_namespace
from components.way import WayComponent
from exposure.ways.tunnel import ManagedIngress as Planned


class ManagedIngress(WayComponent):
    """Hosts on the node's ingress controller, whose certificate cert-manager renews.

    Takes the Service (namespace, name, port, scheme `http` or `https`), the hosts, and the controller's class, kind and
    ClusterIssuer; `after` is what locks the hosts. The TLS Secret is the hosts' own: a shared one runs into Let's
    Encrypt's rate limits.

    How a controller is told to speak https to a Service, whose certificate neither of the two then checks:

    - ingress-nginx by an annotation of the Ingress [kubernetes.github.io/ingress-nginx, backend-protocol].
    - Traefik by annotations of the Service, and a ServersTransport: by itself it checks the certificate, which is not
      for a pod's address, and answers 500 [traefik pkg/provider/kubernetes/ingress, getProtocol].

    Raises ValueError for https behind any other controller.

    Registers NamespacePatch and Ingress (annotated `cert-manager.io/cluster-issuer`); for https behind Traefik also a
    ServersTransport and a ServicePatch.

    Example:
        ```python
        ManagedIngress(
            "dashboard",
            ingress=Planned(
                "web", "kong-proxy", 443, "https", (Host("wiki.example.com"),), "traefik", "letsencrypt", "traefik"
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
        first = [*shared_namespace(self, ingress.namespace), *after]
        if ingress.controller == "nginx":
            annotations["nginx.ingress.kubernetes.io/backend-protocol"] = ingress.scheme.upper()
        elif ingress.scheme == "https":
            if ingress.controller != "traefik":
                raise ValueError(
                    f"{name}: how this ingress controller is told to speak https is not known; name a port of the "
                    "Service that speaks http"
                )
            first.append(self._https_by_traefik(ingress, first))
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
            opts=self.child(depends_on=first),
        )
        self.behind.append(registered)
        self.hosts = [str(host) for host in ingress.hosts]
        self.register_outputs({"hosts": list(ingress.hosts)})

    def _https_by_traefik(self, ingress: Planned, first: Sequence[pulumi.Resource]) -> pulumi.Resource:
        # Named after the Service: it has one scheme, however many Ingresses lead to it.
        transport = f"{ingress.service}-gatehouse"
        registered = kubernetes.apiextensions.CustomResourcePatch(
            f"{self.name}-transport",
            api_version="traefik.io/v1alpha1",
            kind="ServersTransport",
            metadata={"name": transport, "namespace": ingress.namespace, "labels": OURS, "annotations": FORCED},
            spec={"insecureSkipVerify": True},
            opts=self.child(depends_on=first),
        )
        prefix = "traefik.ingress.kubernetes.io/service."
        return kubernetes.core.v1.ServicePatch(
            f"{self.name}-https",
            metadata={
                "name": ingress.service,
                "namespace": ingress.namespace,
                "annotations": {
                    **SKIP_AWAIT,
                    f"{prefix}serversscheme": "https",
                    f"{prefix}serverstransport": f"{ingress.namespace}-{transport}@kubernetescrd",
                },
            },
            opts=self.child(depends_on=[registered]),
        )
