"""The components as the package offers them: all that one needs in one call, since YAML has no second one.

Each is the component of `components/` itself, under the same type and with the same children; `TunnelRoutes` alone is
new, and joins what a program otherwise joins by hand (docs/adr).
"""

# No `from __future__ import annotations`: the analyzer reads types, not their text.
from collections.abc import Mapping
from typing import Annotated, Any

import pulumi
from pydantic import Field

import components
from components import given
from components.base import Component
from components.way import Locks
from config.services import Connector as ConnectorSettings
from config.stack import Hsts as HstsSettings
from config.stack import TailnetDns, TailnetSettings
from config.values import Host, OriginUrl, TeamText
from exposure import estate
from exposure.model import AccessApplication, PeopleSet, TunnelRule
from exposure.ways.acme import Challenges
from exposure.ways.tunnel import PublicTunnelWay, TunnelWay
from package import read
from package.args import (
    ConnectorArgs,
    FunnelServiceArgs,
    GoogleArgs,
    ManagedIngressArgs,
    PortForwardArgs,
    TailnetArgs,
    TailnetServiceArgs,
    TailscaleOperatorArgs,
    TunnelArgs,
    TunnelRoutesArgs,
    ZoneArgs,
)

_Options = pulumi.ResourceOptions | None
_PRESENT = "present"
_ORIGINS = Annotated[tuple[OriginUrl, ...], Field(min_length=1)]


def _given(args: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """The arguments that are there."""
    return {k: read.whole(v) for k, v in args.items() if v is not None and k not in without}


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
        settings = given.read(name, ("hsts",), HstsSettings, _given(hsts)) if hsts else None
        super().__init__(name, **_given(args, "hsts"), hsts=settings, opts=opts)


class Google(components.Google):
    """Google as Access's identity provider, and one reusable policy for each set of people."""

    identity_provider_id: pulumi.Output[str]
    """The identity provider's id."""
    policy_ids: dict[str, pulumi.Output[str]]
    """The policies' ids by set of people."""
    bypass_policy_id: pulumi.Output[str]
    """The policy that lets anyone by, for open paths and ACME."""
    deny_policy_id: pulumi.Output[str] | None
    """The policy that lets nobody in; absent without `nobody`."""
    redirect_uri: str
    """To be entered at Google."""

    def __init__(self, name: str, args: GoogleArgs, opts: _Options = None) -> None:
        people = [PeopleSet(key, read.listed(emails)) for key, emails in sorted(args["people"].items())]
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
    """The routes' usual URLs by key."""
    auds: dict[str, pulumi.Output[str]]
    """The AUD of each Access application by its destination: `host` or `host/path`."""

    def __init__(self, name: str, args: TunnelRoutesArgs, opts: _Options = None) -> None:
        ways = read.tunnel_ways(name, args["routes"])
        renewing = read.challenges(name, args["routes"], ways)
        team = given.read(name, ("team",), TeamText, args["team"])
        claims = [*estate.claims(ways), *(claim for found in renewing for claim in found.claims())]
        read.refuse_twice(name, [way.service for way in ways], claims)
        planned = {application.name: application for application in estate.applications(claims)}
        access = read.access(name, args, planned.values())
        super().__init__(name, opts)
        mine = pulumi.ResourceOptions(parent=self)

        def applications(of: TunnelWay | Challenges) -> list[AccessApplication]:
            return [planned[claim.destination] for claim in of.claims() if claim.destination in planned]

        routes = [
            (components.PublicTunnelRoute if isinstance(way, PublicTunnelWay) else components.ZeroTrustApp)(
                way.service, way=way, access=access, applications=applications(way), opts=mine
            )
            for way in ways
        ]
        acme = [
            components.AcmeHttpRoute(
                found.name, challenges=found, access=access, applications=applications(found), opts=mine
            )
            for found in renewing
        ]
        self.auds = {key: aud for part in (*acme, *routes) for key, aud in part.auds.items()}
        configuration = components.TunnelConfiguration(
            name,
            account_id=args["account_id"],
            tunnel_id=args["tunnel_id"],
            team=team,
            rules=estate.rules(claims),
            auds=self.auds,
            opts=mine,
        )
        locks = Locks(configuration.configured, [*acme, *routes])
        named: set[Host] = set()
        # A record is the route's that has most of its host, as in a stack.
        for route in sorted(routes, key=lambda route: (len(route.way.path), route.name)):
            for host in route.way.hosts:
                if host not in named:
                    named.add(host)
                    route.publish([host], zone_id=args["zone_id"], tunnel_id=args["tunnel_id"], after=locks.of(host))
        self.urls = {way.service: way.urls[0] for way in ways}
        self.register_outputs({"urls": self.urls, "auds": self.auds})


class Connector(components.Connector):
    """cloudflared as a Deployment that Pod Security `restricted` admits."""

    namespace: str
    """The namespace made for it."""

    def __init__(self, name: str, args: ConnectorArgs, opts: _Options = None) -> None:
        logins = (_PRESENT,) if args.get("logins", True) else ()
        origins = given.read(name, ("origins",), _ORIGINS, args["origins"])
        super().__init__(
            name,
            token=args["token"],
            rules=[TunnelRule(None, None, origin, None, logins) for origin in origins],
            settings=given.read(name, ("settings",), ConnectorSettings, _given(args, "token", "origins", "logins")),
            opts=opts,
        )


class ManagedIngress(components.ManagedIngress):
    """An Ingress of the node's controller, with a Let's Encrypt certificate of its own."""

    hosts: list[str]
    """Its host names."""

    def __init__(self, name: str, args: ManagedIngressArgs, opts: _Options = None) -> None:
        super().__init__(name, ingress=read.managed_ingress(name, args), opts=opts)


class FunnelService(components.FunnelService):
    """A Service on the internet by Tailscale Funnel: for what is not HTML, or too much for a tunnel."""

    machine: pulumi.Output[str]
    """Its name in the tailnet: `https://<machine>.<tailnet>/` is where it is found."""

    def __init__(self, name: str, args: FunnelServiceArgs, opts: _Options = None) -> None:
        super().__init__(name, way=read.funnel_way(name, args), opts=opts)


class TailnetService(components.TailnetService):
    """A Service for devices of the tailnet only: by https, or ports by TCP and UDP."""

    machine: pulumi.Output[str]
    """Its name in the tailnet: `<machine>.<tailnet>` is where devices find it."""

    def __init__(self, name: str, args: TailnetServiceArgs, opts: _Options = None) -> None:
        super().__init__(name, way=read.tailnet_way(name, args), opts=opts)


class PortForward(components.PortForward):
    """NodePorts for ports that the router forwards, and the names that point at the router."""

    hosts: list[str]
    """The names that lead to the router."""

    def __init__(self, name: str, args: PortForwardArgs, opts: _Options = None) -> None:
        super().__init__(name, way=read.port_forward_way(name, args), opts=opts)
        self.publish(zone_id=args["zone_id"])


class Tailnet(components.Tailnet):
    """The tailnet's policy (its tests are run by Tailscale on every change), DNS and settings."""

    policy_id: pulumi.Output[str]
    """The policy's id: give it where something has to wait for the policy."""

    def __init__(self, name: str, args: TailnetArgs, opts: _Options = None) -> None:
        dns = given.read(name, ("dns",), TailnetDns, _given(args.get("dns") or {}))
        settings = given.read(name, ("settings",), TailnetSettings, _given(args.get("settings") or {}))
        super().__init__(name, **_given(args, "dns", "settings"), dns=dns, settings=settings, opts=opts)


class TailscaleOperator(components.TailscaleOperator):
    """The Tailscale operator, from its chart, with an OAuth client of its own."""

    client_id: pulumi.Output[str]
    """The id of its OAuth client."""

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
