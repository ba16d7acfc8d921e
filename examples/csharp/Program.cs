// A home with a wiki behind Google login and an open blog, from the package.
using System.Collections.Generic;
using System.Linq;
using Pulumi;
using Gatehouse = GatehousePackage.Gatehouse;

return await Deployment.RunAsync(() =>
{
    var config = new Config();
    var accountId = config.Require("accountId");
    var clientSecret = config.RequireSecret("clientSecret");
    var tunnelSecret = config.RequireSecret("tunnelSecret");
    var zone = new Gatehouse.Zone("zone", new()
    {
        AccountId = accountId,
        Zone = "example.com",
    });

    var google = new Gatehouse.Google("google", new()
    {
        AccountId = accountId,
        Team = "example",
        ClientId = "1-a.apps.googleusercontent.com",
        ClientSecret = clientSecret,
        People =
        {
            { "household", new[]
            {
                "alice@example.com",
                "bob@example.com",
            } },
        },
    });

    var tunnel = new Gatehouse.Tunnel("tunnel", new()
    {
        AccountId = accountId,
        TunnelName = "home",
        TunnelSecret = tunnelSecret,
    });

    var routes = new Gatehouse.TunnelRoutes("routes", new()
    {
        AccountId = accountId,
        ZoneId = zone.ZoneId,
        TunnelId = tunnel.TunnelId,
        Team = "example",
        IdentityProviderId = google.IdentityProviderId,
        PolicyIds = google.PolicyIds,
        BypassPolicyId = google.BypassPolicyId,
        Routes = new[]
        {
            new Gatehouse.Inputs.RouteArgs
            {
                Key = "wiki",
                Title = "Wiki",
                Hosts = new[]
                {
                    "wiki.example.com",
                },
                Origin = "http://wiki.wiki.svc.cluster.local:8080",
                People = new[]
                {
                    "household",
                },
                Paths =
                {
                    { "/api", new Gatehouse.Inputs.PathRouteArgs
                    {
                        Public = true,
                    } },
                },
            },
            new Gatehouse.Inputs.RouteArgs
            {
                Key = "blog",
                Hosts = new[]
                {
                    "blog.example.com",
                    "www.example.com",
                },
                Origin = "http://blog.blog.svc.cluster.local:80",
                Public = true,
            },
        },
    });

    var connector = new Gatehouse.Connector("connector", new()
    {
        Token = tunnel.Token,
        Origins = new[]
        {
            "http://wiki.wiki.svc.cluster.local:8080",
            "http://blog.blog.svc.cluster.local:80",
        },
    });

    return new Dictionary<string, object?>
    {
        ["nameServers"] = zone.NameServers,
        ["redirectUri"] = google.RedirectUri,
        ["urls"] = routes.Urls,
    };
});

