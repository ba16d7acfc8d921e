"""A home with a wiki behind Google login and an open blog, from the components."""

from __future__ import annotations

import pulumi

from components import Connector, Google, PublicTunnelRoute, Tunnel, TunnelConfiguration, ZeroTrustApp, Zone
from config.services import Connector as ConnectorSettings
from exposure.model import PeopleSet


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
        account_id=account_id,
        host="wiki.example.com",
        title="Wiki",
        origin="http://wiki.wiki.svc.cluster.local:8080",
        identity_provider_id=google.identity_provider_id,
        policy_id=google.policy_ids["household"],
        bypass_policy_id=google.bypass_policy_id,
        path_exceptions=["/api"],
        after=[zone.zone],
    )
    blog = PublicTunnelRoute("blog", host="blog.example.com", origin="http://blog.blog.svc.cluster.local:80")
    rules = [*wiki.rules, *blog.rules]
    configuration = TunnelConfiguration(
        "routes", account_id=account_id, tunnel_id=tunnel.tunnel_id, team="example", rules=rules, auds=wiki.auds
    )
    for route in (wiki, blog):
        route.publish(zone_id=zone.zone_id, tunnel_id=tunnel.tunnel_id, after=configuration)
    Connector("connector", token=tunnel.token, rules=rules, settings=ConnectorSettings())
    pulumi.export("nameServers", zone.name_servers)
    pulumi.export("redirectUri", google.redirect_uri)
    pulumi.export("urls", {r.name: f"https://{r.host}" for r in (wiki, blog)})


main()
