"""HTML that anyone may see, through a tunnel."""

from __future__ import annotations

import pulumi

from components.base import Component
from components.records import tunnel_record
from components.sdk import cloudflare
from components.tunnel import TunnelConfiguration
from exposure.ingress import general_rule
from exposure.model import OriginSettings, TunnelRule


class PublicTunnelRoute(Component):
    """A public host through a tunnel, with nothing in front: for what does no harm in a stranger's hands.

    Takes the host and the origin's URL. Gives `rules` for the `TunnelConfiguration`. Registers nothing but itself until
    `publish`, which registers the DnsRecord after the rules.

    Example:
        ```python
        route = PublicTunnelRoute("blog", host="blog.example.com", origin="http://blog.blog.svc.cluster.local:80")
        rules = TunnelConfiguration("alfred", ..., rules=route.rules, auds={})
        route.publish(zone_id=zone.zone_id, tunnel_id=tunnel.tunnel_id, after=rules)
        ```
    """

    def __init__(
        self,
        name: str,
        *,
        host: str,
        origin: str,
        settings: OriginSettings = OriginSettings(),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.host = host
        self.rules: list[TunnelRule] = [general_rule(name, host, origin, (), settings)]
        self.register_outputs({"host": host})

    def publish(
        self, *, zone_id: pulumi.Input[str], tunnel_id: pulumi.Input[str], after: TunnelConfiguration
    ) -> cloudflare.DnsRecord:
        """Register the DNS record, after the tunnel's rules. Returns it."""
        return tunnel_record(self, host=self.host, zone_id=zone_id, tunnel_id=tunnel_id, after=[after.configured])
