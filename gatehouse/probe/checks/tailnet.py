"""What is asked of a service of the tailnet: that nobody outside gets at it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tailnet import TailnetWay
from gatehouse.probe.checks.view import View
from gatehouse.probe.probes import Check, ClosedProbe, NameProbe


def tailnet(view: View, way: TailnetWay) -> Iterator[Check]:
    """No public name, no name in the zone, and no forward of its TCP ports.

    What is served by https, or by a Service that Gatehouse makes, has no port of the node that could be forwarded.
    """
    key, gate = way.service, way.gate
    name = f"{way.machine}.{way.tailnet}"
    ask = partial(Check, key, gate)
    yield ask(
        "private-name",
        "public DNS does not know the tailnet name",
        NameProbe("absent", name),
        "The machine's name is public, which Tailscale does for Funnel alone.",
        "On the machine: `tailscale funnel status`; `tailscale funnel reset` closes it. (Ask a public resolver:"
        " on a device of the tailnet, its own one knows the name.)",
        must_not=True,
    )
    forwarded = {port.external for other in view.plan.by(PortForwardWay) for port in other.ports}
    ports = [port.port for port in way.ports if port.protocol == "tcp" and port.port not in forwarded]
    for port in ports if view.router and not (way.served or way.selector) else ():
        assert view.router
        yield ask(
            "router" if len(ports) == 1 else f"router-{port}",
            f"the router's own address does not answer on port {port}",
            ClosedProbe(view.router, port),
            "Anyone on the internet reaches it, not the tailnet alone.",
            f"Delete the router's forward of port {port}. (Run this from outside: at home a router may answer for"
            " itself.)",
            must_not=True,
        )
    yield from view.no_name(key, gate)
