"""Each component alone, with literal arguments, the way its docstring's example does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from components import (
    AcmeHttpRoute,
    Connector,
    FunnelService,
    Google,
    ManagedIngress,
    PortForward,
    PublicTunnelRoute,
    Tailnet,
    TailnetService,
    TailscaleOperator,
    Tunnel,
    TunnelConfiguration,
    ZeroTrustApp,
    Zone,
)
from config.services import Connector as ConnectorSettings
from exposure.ingress import general_rule
from exposure.model import PeopleSet

ACCOUNT = "0" * 32
TUNNEL_SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I="
ORIGIN = "http://wiki.wiki.svc.cluster.local:8080"


def zone(name: str = "estate", **more: Any) -> Zone:
    return Zone(name, **{"account_id": ACCOUNT, "zone": "example.com", **more})


def tunnel(name: str = "alfred", **more: Any) -> Tunnel:
    return Tunnel(name, **{"account_id": ACCOUNT, "tunnel_name": "alfred", "tunnel_secret": TUNNEL_SECRET, **more})


def configuration(name: str = "alfred", **more: Any) -> TunnelConfiguration:
    usual = {
        "account_id": ACCOUNT,
        "tunnel_id": "tunnel-id",
        "team": "team",
        "rules": [general_rule("wiki", "wiki.example.com", ORIGIN)],
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


def zero_trust_app(name: str = "wiki", **more: Any) -> ZeroTrustApp:
    usual = {
        "account_id": ACCOUNT,
        "host": f"{name}.example.com",
        "title": "Wiki",
        "origin": ORIGIN,
        "identity_provider_id": "idp-id",
        "policy_id": "policy-id",
    }
    return ZeroTrustApp(name, **{**usual, **more})


def public_tunnel_route(name: str = "blog", **more: Any) -> PublicTunnelRoute:
    return PublicTunnelRoute(name, **{"host": f"{name}.example.com", "origin": ORIGIN, **more})


def acme_http_route(name: str = "wiki-acme", **more: Any) -> AcmeHttpRoute:
    usual = {
        "service": "wiki",
        "host": "wiki.example.com",
        "solver": "http://ingress-nginx-controller.ingress-nginx.svc.cluster.local:80",
        "account_id": ACCOUNT,
        "bypass_policy_id": "bypass-id",
    }
    return AcmeHttpRoute(name, **{**usual, **more})


def funnel_service(name: str = "komga", **more: Any) -> FunnelService:
    usual = {"namespace": "komga", "service": "komga-svc", "port": 25600, "machine": f"{name}-alfred"}
    return FunnelService(name, **{**usual, **more})


def tailnet(name: str = "tailnet", **more: Any) -> Tailnet:
    return Tailnet(name, **{"policy": {"grants": [], "tests": []}, **more})


def tailnet_service(name: str = "wiki", **more: Any) -> TailnetService:
    usual = {"namespace": "wiki", "service": "wiki-svc", "port": 8080, "machine": f"{name}-alfred", "tag": "tag:wiki"}
    return TailnetService(name, **{**usual, **more})


def tailscale_operator(name: str = "operator", **more: Any) -> TailscaleOperator:
    return TailscaleOperator(name, **{"node": "alfred", **more})


def port_forward(name: str = "game", **more: Any) -> PortForward:
    usual = {
        "namespace": "game",
        "selector": {"app": "game"},
        "ports": [("java", "TCP", 25565, 32565), ("bedrock", "UDP", 19132, 32132)],
    }
    return PortForward(name, **{**usual, **more})


def managed_ingress(name: str = "dashboard", **more: Any) -> ManagedIngress:
    usual = {
        "namespace": "dashboard",
        "service": "kong-proxy",
        "port": 443,
        "scheme": "https",
        "host": f"{name}.example.com",
        "class_name": "nginx",
        "cluster_issuer": "letsencrypt-prod",
    }
    return ManagedIngress(name, **{**usual, **more})


def connector(name: str = "connector", **more: Any) -> Connector:
    usual = {
        "token": "the token",
        "rules": [general_rule("wiki", "wiki.example.com", ORIGIN)],
        "settings": ConnectorSettings(),
    }
    return Connector(name, **{**usual, **more})


EXAMPLES: Mapping[str, Callable[..., Any]] = {
    "AcmeHttpRoute": acme_http_route,
    "Connector": connector,
    "FunnelService": funnel_service,
    "Google": google,
    "ManagedIngress": managed_ingress,
    "PortForward": port_forward,
    "PublicTunnelRoute": public_tunnel_route,
    "Tailnet": tailnet,
    "TailnetService": tailnet_service,
    "TailscaleOperator": tailscale_operator,
    "Tunnel": tunnel,
    "TunnelConfiguration": configuration,
    "ZeroTrustApp": zero_trust_app,
    "Zone": zone,
}
