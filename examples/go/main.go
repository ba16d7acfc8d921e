// A home with a wiki behind Google login and an open blog, from the package.
package main

import (
	"gatehouse.package/sdk/gatehouse"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

const (
	wikiOrigin = "http://wiki.wiki.svc.cluster.local:8080"
	blogOrigin = "http://blog.blog.svc.cluster.local:80"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		conf := config.New(ctx, "")
		account := pulumi.String(conf.Require("accountId"))
		zone, err := gatehouse.NewZone(ctx, "zone", &gatehouse.ZoneArgs{
			AccountId: account,
			Zone:      pulumi.String("example.com"),
		})
		if err != nil {
			return err
		}
		google, err := gatehouse.NewGoogle(ctx, "google", &gatehouse.GoogleArgs{
			AccountId:    account,
			Team:         "example",
			ClientId:     pulumi.String("1-a.apps.googleusercontent.com"),
			ClientSecret: conf.RequireSecret("clientSecret"),
			People:       map[string][]string{"household": {"alice@example.com", "bob@example.com"}},
		})
		if err != nil {
			return err
		}
		tunnel, err := gatehouse.NewTunnel(ctx, "tunnel", &gatehouse.TunnelArgs{
			AccountId:    account,
			TunnelName:   pulumi.String("home"),
			TunnelSecret: conf.RequireSecret("tunnelSecret"),
		})
		if err != nil {
			return err
		}
		public := true
		title := "Wiki"
		routes, err := gatehouse.NewTunnelRoutes(ctx, "routes", &gatehouse.TunnelRoutesArgs{
			AccountId:          account,
			ZoneId:             zone.ZoneId,
			TunnelId:           tunnel.TunnelId,
			Team:               "example",
			IdentityProviderId: google.IdentityProviderId,
			PolicyIds:          google.PolicyIds,
			BypassPolicyId:     google.BypassPolicyId,
			Routes: []gatehouse.RouteInput{
				gatehouse.RouteArgs{
					Key:    "wiki",
					Title:  &title,
					Hosts:  []string{"wiki.example.com"},
					Origin: wikiOrigin,
					People: []string{"household"},
					Paths:  map[string]gatehouse.PathRouteInput{"/api": gatehouse.PathRouteArgs{Public: &public}},
				},
				gatehouse.RouteArgs{
					Key:    "blog",
					Hosts:  []string{"blog.example.com", "www.example.com"},
					Origin: blogOrigin,
					Public: &public,
				},
			},
		})
		if err != nil {
			return err
		}
		_, err = gatehouse.NewConnector(ctx, "connector", &gatehouse.ConnectorArgs{
			Token:   tunnel.Token,
			Origins: []string{wikiOrigin, blogOrigin},
		})
		ctx.Export("nameServers", zone.NameServers)
		ctx.Export("redirectUri", google.RedirectUri)
		ctx.Export("urls", routes.Urls)
		return err
	})
}
