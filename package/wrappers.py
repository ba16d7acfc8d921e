"""The components as the package offers them: all that one needs in one call, since YAML has no second one.

Each is the component of `components/` itself, under the same type and with the same children; `TunnelRoutes` alone is
new, and joins what a program otherwise joins by hand (docs/adr).
"""

# No `from __future__ import annotations`: the analyzer reads types, not their text.
from collections.abc import Mapping
from typing import Any

import pulumi

import components
from components.base import Component
from components.zero_trust_app import ZeroTrustApp
from config.services import Connector as ConnectorSettings
from config.stack import Hsts as HstsSettings
from exposure.model import OriginSettings, PeopleSet, TunnelRule
from package.args import (
    ConnectorArgs,
    FunnelServiceArgs,
    GoogleArgs,
    ManagedIngressArgs,
    PortForwardArgs,
    Route,
    TailnetArgs,
    TailnetServiceArgs,
    TailscaleOperatorArgs,
    TunnelArgs,
    TunnelRoutesArgs,
    ZoneArgs,
)

_Options = pulumi.ResourceOptions | None
_PRESENT = "present"


def _given(args: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """The arguments that are there; whole numbers as such, for they come over the wire as floats."""
    return {k: _whole(v) for k, v in args.items() if v is not None and k not in without}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Zone(components.Zone):
    """A full Cloudflare zone with its TLS settings, signed where asked. Zone and DNSSEC are protected."""

    zone_id: pulumi.Output[str]
    """The zone's id."""
    name_servers: pulumi.Output[list[str]]
    """For the registrar."""
    ds_record: pulumi.Output[str | None] | None
    """For the registrar; absent without DNSSEC."""

    def __init__(self, name: str, args: ZoneArgs, opts: _Options = None) -> None:
        hsts = args.get("hsts")
        settings = HstsSettings.model_validate(_given(hsts)) if hsts else None
        super().__init__(name, **_given(args, "hsts"), hsts=settings, opts=opts)


class Google(components.Google):
    """Google as Access's identity provider, and one reusable policy for each set of people."""

    identity_provider_id: pulumi.Output[str]
    """The identity provider's id."""
    policy_ids: dict[str, pulumi.Output[str]]
    """The policies' ids by set of people."""
    bypass_policy_id: pulumi.Output[str]
    """The policy that lets anyone by, for path exceptions and ACME."""
    redirect_uri: str
    """To be entered at Google."""

    def __init__(self, name: str, args: GoogleArgs, opts: _Options = None) -> None:
        people = [PeopleSet(key, tuple(emails)) for key, emails in sorted(args["people"].items())]
        super().__init__(name, **_given(args, "people"), people=people, opts=opts)


class Tunnel(components.Tunnel):
    """A remotely managed tunnel, protected."""

    tunnel_id: pulumi.Output[str]
    """The tunnel's id."""
    token: pulumi.Output[str]
    """The connectors' token, a secret."""

    def __init__(self, name: str, args: TunnelArgs, opts: _Options = None) -> None:
        super().__init__(name, **_given(args), opts=opts)


class TunnelRoutes(Component):
    """Everything that comes in through one tunnel, born locked: applications, then the rule list, then DNS records.

    Registers a ZeroTrustApp or PublicTunnelRoute for each route, an AcmeHttpRoute where one renews its own certificate,
    and one TunnelConfiguration.
    """

    urls: dict[str, str]
    """The routes' URLs by key."""
    auds: dict[str, pulumi.Output[str]]
    """The AUD of each Access application by its name."""

    def __init__(self, name: str, args: TunnelRoutesArgs, opts: _Options = None) -> None:
        super().__init__(name, opts)
        routes = args["routes"]
        _refuse_ambiguous(name, routes, args)
        mine = pulumi.ResourceOptions(parent=self)
        account_id, bypass = args["account_id"], args.get("bypass_policy_id")
        acme = {
            route["key"]: components.AcmeHttpRoute(
                f"{route['key']}-acme",
                service=route["key"],
                host=route["host"],
                solver=route["acme_solver"],
                account_id=account_id,
                bypass_policy_id=bypass if route.get("people") else None,
                opts=mine,
            )
            for route in routes
            if route.get("acme_solver")
        }
        parts = [self._route(route, args, acme.get(route["key"])) for route in routes]
        self.auds = {
            key: aud
            for part in (*acme.values(), *parts)
            if not isinstance(part, components.PublicTunnelRoute)
            for key, aud in part.auds.items()
        }
        configuration = components.TunnelConfiguration(
            name,
            account_id=account_id,
            tunnel_id=args["tunnel_id"],
            team=args["team"],
            rules=[rule for part in (*acme.values(), *parts) for rule in part.rules],
            auds=self.auds,
            opts=mine,
        )
        for part in parts:
            if isinstance(part, ZeroTrustApp):
                others = acme[part.name].applications if part.name in acme else []
                part.publish(
                    zone_id=args["zone_id"], tunnel_id=args["tunnel_id"], after=configuration, applications=others
                )
            else:
                part.publish(zone_id=args["zone_id"], tunnel_id=args["tunnel_id"], after=configuration)
        self.urls = {route["key"]: f"https://{route['host']}" for route in routes}
        self.register_outputs({"urls": self.urls, "auds": self.auds})

    def _route(
        self, route: Route, args: TunnelRoutesArgs, acme: components.AcmeHttpRoute | None
    ) -> components.ZeroTrustApp | components.PublicTunnelRoute:
        settings = OriginSettings(
            origin_server_name=route.get("origin_server_name"),
            no_tls_verify=route.get("no_tls_verify", False),
            http_host_header=route.get("http_host_header"),
        )
        mine = pulumi.ResourceOptions(parent=self)
        key, people = route["key"], route.get("people")
        if people is None:
            return components.PublicTunnelRoute(
                key, host=route["host"], origin=route["origin"], settings=settings, opts=mine
            )
        return components.ZeroTrustApp(
            key,
            account_id=args["account_id"],
            host=route["host"],
            title=route.get("title", key),
            origin=route["origin"],
            identity_provider_id=args["identity_provider_id"],
            policy_id=pulumi.Output.from_input(args["policy_ids"]).apply(lambda ids: _policy(ids, people, key)),
            bypass_policy_id=args.get("bypass_policy_id"),
            path_exceptions=route.get("path_exceptions", []),
            also=acme.auds if acme else None,
            settings=settings,
            session_duration=args.get("session_duration", "24h"),
            opts=mine,
        )


def _policy(policies: Mapping[str, Any], people: str, route: str) -> Any:
    if people not in policies:
        raise ValueError(f"route {route!r} is for {people!r}; policyIds has {', '.join(sorted(policies)) or 'none'}")
    return policies[people]


def _refuse_ambiguous(name: str, routes: list[Route], args: TunnelRoutesArgs) -> None:
    """Raise ValueError for what a slip would leave open, or what would fail half way."""
    for route in routes:
        key = f"{name}: route {route['key']!r}"
        public, people = bool(route.get("public")), route.get("people")
        if public == (people is not None):
            raise ValueError(f"{key} says {'both' if public else 'neither'} of `people` and `public`; say one")
        if public and route.get("path_exceptions"):
            raise ValueError(f"{key} is public, so a path exception has no effect")
        missing = [k for k in ("identity_provider_id", "policy_ids") if args.get(k) is None]
        if people is not None and missing:
            raise ValueError(f"{key} is for {people!r}, which needs identityProviderId and policyIds")
        passes = route.get("acme_solver") or route.get("path_exceptions")
        if people is not None and passes and args.get("bypass_policy_id") is None:
            raise ValueError(f"{key} has paths without login, which need bypassPolicyId")
    for what in ("key", "host"):
        values = [str(route[what]) for route in routes]
        twice = sorted({v for v in values if values.count(v) > 1})
        if twice:
            raise ValueError(f"{name}: two routes have the {what} {', '.join(twice)}")


class Connector(components.Connector):
    """cloudflared as a Deployment that Pod Security `restricted` admits."""

    def __init__(self, name: str, args: ConnectorArgs, opts: _Options = None) -> None:
        logins = (_PRESENT,) if args.get("logins", True) else ()
        super().__init__(
            name,
            token=args["token"],
            rules=[TunnelRule(None, None, origin, None, logins) for origin in args["origins"]],
            settings=ConnectorSettings.model_validate(_given(args, "token", "origins", "logins")),
            opts=opts,
        )


class ManagedIngress(components.ManagedIngress):
    """An Ingress of the node's controller, with a Let's Encrypt certificate of its own."""

    def __init__(self, name: str, args: ManagedIngressArgs, opts: _Options = None) -> None:
        defaults = {"scheme": "http", "class_name": "nginx", "cluster_issuer": "letsencrypt-prod"}
        super().__init__(name, **{**defaults, **_given(args)}, opts=opts)


class FunnelService(components.FunnelService):
    """A Service on the internet by Tailscale Funnel: for what is not HTML, or too much for a tunnel."""

    def __init__(self, name: str, args: FunnelServiceArgs, opts: _Options = None) -> None:
        super().__init__(name, **_given(args), opts=opts)


class TailnetService(components.TailnetService):
    """A Service for devices of the tailnet only."""

    def __init__(self, name: str, args: TailnetServiceArgs, opts: _Options = None) -> None:
        super().__init__(name, **_given(args), opts=opts)


class PortForward(components.PortForward):
    """NodePorts for ports that the router forwards, and the name that points at the router."""

    def __init__(self, name: str, args: PortForwardArgs, opts: _Options = None) -> None:
        super().__init__(
            name,
            namespace=args["namespace"],
            selector=args["selector"],
            ports=[(p["name"], p["protocol"], int(p["port"]), int(p["node_port"])) for p in args["ports"]],
            opts=opts,
        )
        self.publish(host=args["host"], zone_id=args["zone_id"], ipv4=args["ipv4"])


class Tailnet(components.Tailnet):
    """The tailnet's policy (its tests are run by Tailscale on every change), DNS preference and HTTPS setting."""

    def __init__(self, name: str, args: TailnetArgs, opts: _Options = None) -> None:
        super().__init__(name, **_given(args), opts=opts)


class TailscaleOperator(components.TailscaleOperator):
    """The Tailscale operator, from its chart, with an OAuth client of its own."""

    def __init__(self, name: str, args: TailscaleOperatorArgs, opts: _Options = None) -> None:
        super().__init__(name, **_given(args), opts=opts)


COMPONENTS: list[type[pulumi.ComponentResource]] = [
    Zone,
    Google,
    Tunnel,
    TunnelRoutes,
    Connector,
    ManagedIngress,
    FunnelService,
    TailnetService,
    PortForward,
    Tailnet,
    TailscaleOperator,
]
"""What the package offers."""
