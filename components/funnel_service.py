"""A service for anyone through Tailscale Funnel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pulumi

from components.given import reads
from components.manifests import tailscale_ingress
from components.way import Context, WayComponent
from exposure.ways.funnel import FunnelWay
from exposure.ways.way import Way


class FunnelService(WayComponent):
    """A Kubernetes Service on the internet at `https://<machine>.<tailnet>/`, by Tailscale Funnel.

    Takes the way: the Service's namespace, name and port (the Service's, not the container's), the machine name, unique
    in the tailnet, and the paths that are served, all where there are none. The tailnet's policy must give the tag the
    `funnel` attribute first: give its `Acl` as `after`. TLS ends in the proxy pod; Cloudflare sees nothing; there is no
    login at this gate [tailscale.com/kb/1223].

    Registers NamespacePatch and Ingress (class `tailscale`, annotated `tailscale.com/funnel`, port 443).

    Example:
        ```python
        way = FunnelWay("komga", "Komga", ANYONE, "komga", "komga-svc", 25600, Machine("komga-alfred"))
        FunnelService("komga", way=way, after=[tailnet.acl])
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        way: FunnelWay,
        beside: frozenset[str] = frozenset(),
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        tailscale_ingress(
            self,
            namespace=way.namespace,
            service=way.backend,
            port=way.port,
            port_name=way.port_name,
            machine=way.machine,
            tag=way.tag,
            funnel=True,
            paths=way.paths,
            beside=beside,
            after=after,
        )
        self.machine: pulumi.Output[str] = pulumi.Output.from_input(way.machine)
        self.register_outputs({"machine": way.machine})

    @classmethod
    def register(cls, way: Way, context: Context) -> Sequence[WayComponent]:
        """See `WayComponent`."""
        found = cast("FunnelWay", way)
        beside = context.beside(way)
        return [cls(way.service, way=found, beside=beside, after=context.tailnet, opts=context.options)]
