// A home with a wiki behind Google login and an open blog, from the package.
import * as gatehouse from "@gatehouse/gatehouse";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
const accountId = config.require("accountId");
const wikiOrigin = "http://wiki.wiki.svc.cluster.local:8080";
const blogOrigin = "http://blog.blog.svc.cluster.local:80";

const zone = new gatehouse.Zone("zone", { accountId, zone: "example.com" });
const google = new gatehouse.Google("google", {
    accountId,
    team: "example",
    clientId: "1-a.apps.googleusercontent.com",
    clientSecret: config.requireSecret("clientSecret"),
    people: { household: ["alice@example.com", "bob@example.com"] },
});
const tunnel = new gatehouse.Tunnel("tunnel", {
    accountId,
    tunnelName: "home",
    tunnelSecret: config.requireSecret("tunnelSecret"),
});
const routes = new gatehouse.TunnelRoutes("routes", {
    accountId,
    zoneId: zone.zoneId,
    tunnelId: tunnel.tunnelId,
    team: "example",
    identityProviderId: google.identityProviderId,
    policyIds: google.policyIds,
    bypassPolicyId: google.bypassPolicyId,
    routes: [
        {
            key: "wiki",
            title: "Wiki",
            hosts: ["wiki.example.com"],
            origin: wikiOrigin,
            people: ["household"],
            paths: { "/api": { public: true } },
        },
        { key: "blog", hosts: ["blog.example.com", "www.example.com"], origin: blogOrigin, public: true },
    ],
});
new gatehouse.Connector("connector", { token: tunnel.token, origins: [wikiOrigin, blogOrigin] });

export const nameServers = zone.nameServers;
export const redirectUri = google.redirectUri;
export const urls = routes.urls;
