"""A home with a wiki behind Google login and an open blog, from the package."""

import gatehouse_gatehouse as gatehouse
import pulumi

config = pulumi.Config()
account_id = config.require("accountId")
WIKI = "http://wiki.wiki.svc.cluster.local:8080"
BLOG = "http://blog.blog.svc.cluster.local:80"

zone = gatehouse.Zone("zone", account_id=account_id, zone="example.com")
google = gatehouse.Google(
    "google",
    account_id=account_id,
    team="example",
    client_id="1-a.apps.googleusercontent.com",
    client_secret=config.require_secret("clientSecret"),
    people={"household": ["alice@example.com", "bob@example.com"]},
)
tunnel = gatehouse.Tunnel(
    "tunnel", account_id=account_id, tunnel_name="home", tunnel_secret=config.require_secret("tunnelSecret")
)
routes = gatehouse.TunnelRoutes(
    "routes",
    account_id=account_id,
    zone_id=zone.zone_id,
    tunnel_id=tunnel.tunnel_id,
    team="example",
    identity_provider_id=google.identity_provider_id,
    policy_ids=google.policy_ids,
    bypass_policy_id=google.bypass_policy_id,
    routes=[
        gatehouse.RouteArgs(
            key="wiki",
            title="Wiki",
            hosts=["wiki.example.com"],
            origin=WIKI,
            people=["household"],
            paths={"/api": gatehouse.PathRouteArgs(public=True)},
        ),
        gatehouse.RouteArgs(key="blog", hosts=["blog.example.com", "www.example.com"], origin=BLOG, public=True),
    ],
)
gatehouse.Connector("connector", token=tunnel.token, origins=[WIKI, BLOG])

pulumi.export("nameServers", zone.name_servers)
pulumi.export("redirectUri", google.redirect_uri)
pulumi.export("urls", routes.urls)
