"""Each component alone, with literal arguments, the way its docstring's example does.

What a function does not name itself goes to the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pulumi

from components import (
    AcmeHttpRoute,
    Connector,
    FunnelService,
    Google,
    Login,
    ManagedIngress,
    PortForward,
    ProxyGroup,
    PublicTunnelRoute,
    ServiceTokens,
    Tailnet,
    TailnetService,
    TailscaleOperator,
    Tunnel,
    TunnelConfiguration,
    ZeroTrustApp,
    Zone,
)
from components.access import Access
from config.people import Login as LoginSettings
from config.services import Connector as ConnectorSettings
from config.stack import Token
from config.values import Host, Machine, OriginUrl, Tag
from exposure.audience import ANYONE, people
from exposure.model import PeopleSet, TunnelRule
from exposure.ways.acme import Challenges
from exposure.ways.funnel import FunnelWay
from exposure.ways.port_forward import ForwardedPort, PortForwardWay
from exposure.ways.tailnet import TailnetPort, TailnetWay
from exposure.ways.tunnel import ManagedIngress as PlannedIngress
from exposure.ways.tunnel import PublicTunnelWay, ZeroTrustWay

ACCOUNT = "0" * 32
TUNNEL_SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I="
ORIGIN = "http://wiki.wiki.svc.cluster.local:8080"
SOLVER = "http://ingress-nginx-controller.ingress-nginx.svc.cluster.local:80"
HOUSEHOLD, ADMINS = people(["household"]), people(["admins"])
ACCESS = Access(
    ACCOUNT,
    "idp-id",
    {"household": "policy-id", "admins": "admins-id"},
    "bypass-id",
    "deny-id",
    token_policy_ids={"phone": "phone-id", "phone+prometheus": "both-id"},
)
Options = pulumi.ResourceOptions | None


def zone(name: str = "estate", **more: Any) -> Zone:
    return Zone(name, **{"account_id": ACCOUNT, "zone": "example.com", **more})


def tunnel(name: str = "alfred", **more: Any) -> Tunnel:
    return Tunnel(name, **{"account_id": ACCOUNT, "tunnel_name": "alfred", "tunnel_secret": TUNNEL_SECRET, **more})


def configuration(name: str = "alfred", **more: Any) -> TunnelConfiguration:
    usual = {
        "account_id": ACCOUNT,
        "tunnel_id": "tunnel-id",
        "team": "team",
        "rules": [TunnelRule("wiki.example.com", None, ORIGIN)],
        "auds": {},
    }
    return TunnelConfiguration(name, **{**usual, **more})


def google(name: str = "google", **more: Any) -> Google:
    usual = {
        "account_id": ACCOUNT,
        "team": "team",
        "client_id": "client.apps.googleusercontent.com",
        "client_secret": "client secret",
        "people": [PeopleSet("household", ("alice@example.com", "bob@example.com"))],
    }
    return Google(name, **{**usual, **more})


def login(name: str = "hub", **more: Any) -> Login:
    usual = {
        "account_id": ACCOUNT,
        "team": "team",
        "login": LoginSettings(type="github", client_id="Iv1.0123456789abcdef"),
        "client_secret": "client secret",
        "people": [PeopleSet("devs", ("alice@example.com",), github=("smiths/devs",), login=name)],
    }
    return Login(name, **{**usual, **more})


def service_tokens(name: str = "tokens", **more: Any) -> ServiceTokens:
    usual = {
        "account_id": ACCOUNT,
        "tokens": {
            "phone": Token(holder="the photo app"),
            "prometheus": Token(duration="720h", version=2, previous_until="2026-12-24T18:00:00Z"),
        },
        "together": [("prometheus", "phone"), ("phone",)],
    }
    return ServiceTokens(name, **{**usual, **more})


def zero_trust_app(
    name: str = "wiki",
    *,
    access: Access | None = ACCESS,
    after: Sequence[pulumi.Resource] = (),
    opts: Options = None,
    **way: Any,
) -> ZeroTrustApp:
    usual = {"title": "Wiki", "hosts": [f"{name}.example.com"], "origin": ORIGIN, "audience": HOUSEHOLD}
    return ZeroTrustApp(name, way=ZeroTrustWay.of(name, **{**usual, **way}), access=access, after=after, opts=opts)


def public_tunnel_route(
    name: str = "blog", *, access: Access | None = None, opts: Options = None, **way: Any
) -> PublicTunnelRoute:
    usual = {"hosts": [f"{name}.example.com"], "origin": ORIGIN}
    return PublicTunnelRoute(name, way=PublicTunnelWay.of(name, **{**usual, **way}), access=access, opts=opts)


def acme_http_route(
    name: str = "wiki-acme",
    *,
    hosts: Sequence[str] = (),
    access: Access | None = ACCESS,
    opts: Options = None,
) -> AcmeHttpRoute:
    key = name.removesuffix("-acme")
    challenges = Challenges(key, "Wiki", tuple(map(Host, hosts or [f"{key}.example.com"])), OriginUrl(SOLVER))
    return AcmeHttpRoute(name, challenges=challenges, access=access, opts=opts)


def funnel_service(
    name: str = "komga",
    *,
    beside: frozenset[str] = frozenset(),
    after: Sequence[pulumi.Resource] = (),
    opts: Options = None,
    **way: Any,
) -> FunnelService:
    usual = {"namespace": "komga", "backend": "komga-svc", "port": 25600, "machine": Machine(f"{name}-alfred")}
    made = FunnelWay(name, "Komga", ANYONE, **{**usual, **way})
    return FunnelService(name, way=made, beside=beside, after=after, opts=opts)


def tailnet(name: str = "tailnet", **more: Any) -> Tailnet:
    return Tailnet(name, **{"policy": {"grants": [], "tests": []}, **more})


def tailnet_service(
    name: str = "wiki",
    *ports: TailnetPort,
    beside: frozenset[str] = frozenset(),
    after: Sequence[pulumi.Resource] = (),
    opts: Options = None,
    **way: Any,
) -> TailnetService:
    """By Serve; with `ports`, those at an address of its own."""
    usual = {
        "machine": Machine(f"{name}-alfred"),
        "tag": Tag("tag:wiki"),
        "ports": ports or (TailnetPort("tcp", 443, 8080),),
        "scheme": "tcp" if ports else "https",
        "namespace": "wiki",
        "backend": "wiki-svc",
        "served": not ports,
        "backend_port": 8080,
    }
    made = TailnetWay(name, "Wiki", HOUSEHOLD, "alfred", **{**usual, **way})
    return TailnetService(name, way=made, beside=beside, after=after, opts=opts)


def proxy_group(name: str = "proxies", **more: Any) -> ProxyGroup:
    return ProxyGroup(name, **{"node": "alfred", **more})


def tailscale_operator(name: str = "operator", **more: Any) -> TailscaleOperator:
    return TailscaleOperator(name, **{"node": "alfred", **more})


def port_forward(
    name: str = "game", *, beside: frozenset[str] = frozenset(), opts: Options = None, **way: Any
) -> PortForward:
    usual = {
        "hosts": (Host("game.example.com"),),
        "ipv4": "203.0.113.7",
        "namespace": "game",
        "selector": {"app": "game"},
        "ports": (
            ForwardedPort("tcp", 25565, 25565, 32565, 25565),
            ForwardedPort("udp", 19132, 19132, 32132, 19132),
        ),
    }
    return PortForward(name, way=PortForwardWay(name, "Game", ANYONE, **{**usual, **way}), beside=beside, opts=opts)


def managed_ingress(name: str = "dashboard", *, opts: Options = None, **more: Any) -> ManagedIngress:
    usual = {
        "namespace": "dashboard",
        "service": "kong-proxy",
        "port": 443,
        "scheme": "https",
        "hosts": (Host(f"{name}.example.com"),),
        "class_name": "nginx",
        "cluster_issuer": "letsencrypt-prod",
        "controller": "nginx",
    }
    return ManagedIngress(name, ingress=PlannedIngress(**{**usual, **more}), opts=opts)


def connector(name: str = "connector", **more: Any) -> Connector:
    usual = {
        "token": "the token",
        "rules": [TunnelRule("wiki.example.com", None, ORIGIN)],
        "settings": ConnectorSettings(),
    }
    return Connector(name, **{**usual, **more})


EXAMPLES: Mapping[str, Callable[..., Any]] = {
    "AcmeHttpRoute": acme_http_route,
    "Connector": connector,
    "FunnelService": funnel_service,
    "Google": google,
    "Login": login,
    "ManagedIngress": managed_ingress,
    "PortForward": port_forward,
    "ProxyGroup": proxy_group,
    "PublicTunnelRoute": public_tunnel_route,
    "ServiceTokens": service_tokens,
    "Tailnet": tailnet,
    "TailnetService": tailnet_service,
    "TailscaleOperator": tailscale_operator,
    "Tunnel": tunnel,
    "TunnelConfiguration": configuration,
    "ZeroTrustApp": zero_trust_app,
    "Zone": zone,
}
