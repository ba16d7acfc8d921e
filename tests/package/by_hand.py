"""The home of the examples from the components themselves, joined by hand: what the package is compared with."""

from __future__ import annotations

import pulumi

from components import Connector, Google, PublicTunnelRoute, Tunnel, TunnelConfiguration, ZeroTrustApp, Zone
from config.services import Connector as ConnectorSettings
from exposure.audience import ANYONE, people
from exposure.model import PeopleSet
from exposure.ways.tunnel import PublicTunnelWay, ZeroTrustWay


def main() -> None:
    """Register it all: applications, then the rules with their AUDs, then the records."""
    config = pulumi.Config()
    account_id = config.require("accountId")
    zone = Zone("zone", account_id=account_id, zone="example.com")
    google = Google(
        "google",
        account_id=account_id,
        team="example",
        client_id="1-a.apps.googleusercontent.com",
        client_secret=config.require_secret("clientSecret"),
        people=[PeopleSet("household", ("alice@example.com", "bob@example.com"))],
    )
    tunnel = Tunnel(
        "tunnel", account_id=account_id, tunnel_name="home", tunnel_secret=config.require_secret("tunnelSecret")
    )
    wiki = ZeroTrustApp(
        "wiki",
        way=ZeroTrustWay.of(
            "wiki",
            title="Wiki",
            hosts=["wiki.example.com"],
            origin="http://wiki.wiki.svc.cluster.local:8080",
            audience=people(["household"]),
            paths={"/api": ANYONE},
        ),
        access=google.access,
        after=[zone.zone],
    )
    blog = PublicTunnelRoute(
        "blog",
        way=PublicTunnelWay.of(
            "blog", hosts=["blog.example.com", "www.example.com"], origin="http://blog.blog.svc.cluster.local:80"
        ),
    )
    rules = [*wiki.rules, *blog.rules]
    configuration = TunnelConfiguration(
        "routes", account_id=account_id, tunnel_id=tunnel.tunnel_id, team="example", rules=rules, auds=wiki.auds
    )
    for route in (wiki, blog):
        route.publish(zone_id=zone.zone_id, tunnel_id=tunnel.tunnel_id, after=[configuration.configured])
    Connector("connector", token=tunnel.token, rules=rules, settings=ConnectorSettings())
    pulumi.export("nameServers", zone.name_servers)
    pulumi.export("redirectUri", google.redirect_uri)
    pulumi.export("urls", {r.name: r.way.urls[0] for r in (wiki, blog)})
