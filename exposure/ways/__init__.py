"""The ways in, a file a way. `WAYS` is the one table of them: its order is the order in which people are shown them."""

from __future__ import annotations

from exposure.ways.acme import AcmeWay
from exposure.ways.funnel import FunnelWay
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import PublicTunnelWay, ZeroTrustWay
from exposure.ways.way import Way

WAYS: dict[str, type[Way]] = {
    way.gate: way for way in (PublicTunnelWay, ZeroTrustWay, AcmeWay, FunnelWay, TailnetWay, PortForwardWay)
}
"""Each gate's way, by the name that the stack file has for it."""
