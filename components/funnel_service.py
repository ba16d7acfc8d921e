"""A service for anyone through Tailscale Funnel."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.base import Component
from components.manifests import tailscale_ingress
from exposure.names import FUNNEL_TAG


class FunnelService(Component):
    """A Kubernetes Service on the internet at `https://<machine>.<tailnet>/`, by Tailscale Funnel.

    Takes the Service's namespace, name and port (the Service's, not the container's), and the machine name, unique in
    the tailnet. The tailnet's policy must give the tag the `funnel` attribute first: give its `Acl` as `after`.
    TLS ends in the proxy pod; Cloudflare sees nothing; there is no login at this gate [tailscale.com/kb/1223].

    Registers NamespacePatch and Ingress (class `tailscale`, annotated `tailscale.com/funnel`, port 443).

    Example:
        ```python
        FunnelService(
            "komga",
            namespace="komga",
            service="komga-svc",
            port=25600,
            machine="komga-alfred",
            after=[tailnet.acl],
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
        machine: str,
        tag: str = FUNNEL_TAG,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        tailscale_ingress(
            self, namespace=namespace, service=service, port=port, machine=machine, tag=tag, funnel=True, after=after
        )
        self.register_outputs({"machine": machine})
