"""Sensitive HTML behind Google login."""

from __future__ import annotations

from components.tunnel_route import TunnelRoute


class ZeroTrustApp(TunnelRoute):
    """Hosts behind a Cloudflare Access application with exactly one policy and Google as the only login.

    Takes the way (`ZeroTrustWay.of`: hosts, the origin's URL with no path, the people, and paths with audiences of
    their own), and `access`, the login and policies (`Google.access`); `after` is the zone, where this program makes
    it. Gives `rules` and `auds` for the `TunnelConfiguration`.

    Registers a ZeroTrustAccessApplication for the hosts (Instant Auth: one login method and redirect to it) and one for
    each path with another audience; `publish` then registers a DnsRecord for each host. The order is *born locked*:
    application, rules with its AUD, record; on delete the reverse. The most specific path's application wins, with
    nothing inherited [CFDOC cloudflare-one/access-controls/policies/app-paths].

    Raises ValueError where `access` lacks what an application of the way needs.

    Example:
        ```python
        way = ZeroTrustWay.of(
            "grafana",
            title="Grafana",
            hosts=["grafana.example.com"],
            origin="http://grafana.monitoring.svc.cluster.local:3000",
            audience=people(["household"]),
            paths={"/api": ANYONE},
        )
        app = ZeroTrustApp("grafana", way=way, access=google.access)
        rules = TunnelConfiguration(
            "alfred", account_id="0" * 32, tunnel_id=tunnel.tunnel_id, team="example", rules=app.rules, auds=app.auds
        )
        app.publish(zone_id=zone.zone_id, tunnel_id=tunnel.tunnel_id, after=[rules.configured])
        ```
    """
