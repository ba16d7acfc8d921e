// A home with a wiki behind Google login and an open blog, from the package.
package main

import (
	"gatehouse.package/sdk/gatehouse"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		cfg := config.New(ctx, "")
		accountId := cfg.Require("accountId")
		clientSecret := cfg.RequireSecret("clientSecret")
		tunnelSecret := cfg.RequireSecret("tunnelSecret")
		zone, err := gatehouse.NewZone(ctx, "zone", &gatehouse.ZoneArgs{
			AccountId: pulumi.String(accountId),
			Zone:      pulumi.String("example.com"),
		})
		if err != nil {
			return err
		}
		google, err := gatehouse.NewGoogle(ctx, "google", &gatehouse.GoogleArgs{
			AccountId:    pulumi.String(accountId),
			Team:         pulumi.String("example"),
			ClientId:     pulumi.String("1-a.apps.googleusercontent.com"),
			ClientSecret: clientSecret,
			People: pulumi.StringArrayMap{
				"household": pulumi.StringArray{
					pulumi.String("alice@example.com"),
					pulumi.String("bob@example.com"),
				},
			},
		})
		if err != nil {
			return err
		}
		tunnel, err := gatehouse.NewTunnel(ctx, "tunnel", &gatehouse.TunnelArgs{
			AccountId:    pulumi.String(accountId),
			TunnelName:   pulumi.String("home"),
			TunnelSecret: tunnelSecret,
		})
		if err != nil {
			return err
		}
		routes, err := gatehouse.NewTunnelRoutes(ctx, "routes", &gatehouse.TunnelRoutesArgs{
			AccountId:          pulumi.String(accountId),
			ZoneId:             zone.ZoneId,
			TunnelId:           tunnel.TunnelId,
			Team:               pulumi.String("example"),
			IdentityProviderId: google.IdentityProviderId,
			PolicyIds:          google.PolicyIds,
			BypassPolicyId:     google.BypassPolicyId,
			Routes: gatehouse.RouteArray{
				&gatehouse.RouteArgs{
					Key:   pulumi.String("wiki"),
					Title: pulumi.String("Wiki"),
					Hosts: pulumi.StringArray{
						pulumi.String("wiki.example.com"),
					},
					Origin: pulumi.String("http://wiki.wiki.svc.cluster.local:8080"),
					People: pulumi.StringArray{
						pulumi.String("household"),
					},
					Paths: gatehouse.PathRouteMap{
						"/api": &gatehouse.PathRouteArgs{
							Public: pulumi.Bool(true),
						},
					},
				},
				&gatehouse.RouteArgs{
					Key: pulumi.String("blog"),
					Hosts: pulumi.StringArray{
						pulumi.String("blog.example.com"),
						pulumi.String("www.example.com"),
					},
					Origin: pulumi.String("http://blog.blog.svc.cluster.local:80"),
					Public: pulumi.Bool(true),
				},
			},
		})
		if err != nil {
			return err
		}
		_, err = gatehouse.NewConnector(ctx, "connector", &gatehouse.ConnectorArgs{
			Token: tunnel.Token,
			Origins: pulumi.StringArray{
				pulumi.String("http://wiki.wiki.svc.cluster.local:8080"),
				pulumi.String("http://blog.blog.svc.cluster.local:80"),
			},
		})
		if err != nil {
			return err
		}
		ctx.Export("nameServers", zone.NameServers)
		ctx.Export("redirectUri", google.RedirectUri)
		ctx.Export("urls", routes.Urls)
		return nil
	})
}
