"""Pulumi components: the plan as resources. Each can be used on its own from another program."""

from components.acme_http_route import AcmeHttpRoute
from components.connector import Connector
from components.funnel_service import FunnelService
from components.google import Google
from components.login import Login
from components.managed_ingress import ManagedIngress
from components.port_forward import PortForward
from components.proxy_group import ProxyGroup
from components.public_tunnel_route import PublicTunnelRoute
from components.service_tokens import ServiceTokens
from components.tailnet import Tailnet
from components.tailnet_service import TailnetService
from components.tailscale_operator import TailscaleOperator
from components.tunnel import Tunnel, TunnelConfiguration
from components.zero_trust_app import ZeroTrustApp
from components.zone import Zone

__all__ = [
    "AcmeHttpRoute",
    "Connector",
    "FunnelService",
    "Google",
    "Login",
    "ManagedIngress",
    "PortForward",
    "ProxyGroup",
    "PublicTunnelRoute",
    "ServiceTokens",
    "Tailnet",
    "TailnetService",
    "TailscaleOperator",
    "Tunnel",
    "TunnelConfiguration",
    "ZeroTrustApp",
    "Zone",
]
