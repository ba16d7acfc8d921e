"""HTML that anyone may see, through a tunnel."""

from __future__ import annotations

from components.tunnel_route import TunnelRoute


class PublicTunnelRoute(TunnelRoute):
    """Public hosts through a tunnel, with nothing in front: for what does no harm in a stranger's hands.

    Takes the way (`PublicTunnelWay.of`: hosts and the origin's URL), and `access` where a path of it is for people
    alone. Gives `rules` and `auds` for the `TunnelConfiguration`. Registers a ZeroTrustAccessApplication for each such
    path, and with `publish` a DnsRecord for each host, after the rules.

    Raises ValueError where `access` lacks what an application of the way needs.

    Example:
        ```python
        way = PublicTunnelWay.of("blog", hosts=["blog.example.com"], origin="http://blog.blog.svc.cluster.local:80")
        route = PublicTunnelRoute("blog", way=way)
        rules = TunnelConfiguration(
            "alfred", account_id="0" * 32, tunnel_id=tunnel.tunnel_id, team="example", rules=route.rules, auds={}
        )
        route.publish(zone_id=zone.zone_id, tunnel_id=tunnel.tunnel_id, after=[rules.configured])
        ```
    """
