"""What is asked of ports that the router forwards."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from exposure.ways.port_forward import PortForwardWay
from gatehouse.probe.checks.view import View
from gatehouse.probe.probes import Check, NameProbe, PortProbe


def port_forward(view: View, way: PortForwardWay) -> Iterator[Check]:
    """Each name leads to the router, and each port answers there."""
    for host in way.hosts:
        name = view.name(host)
        ask = partial(Check, way.service, way.gate, at=host)
        yield ask(
            "name",
            f"the name leads to the router, {way.ipv4}",
            NameProbe("exactly", name, (way.ipv4,)),
            "Players are sent to the wrong address.",
            f"Has the router's public address changed? Set `node.router_ipv4` and run `gatehouse up`. The record"
            f" {host} must not be proxied.",
        )
        for port in way.ports:
            protocol = port.protocol.upper()
            yield ask(
                f"{port.protocol}-{port.external}",
                f"{protocol} port {port.external} answers",
                PortProbe(name, port.external, port.protocol),
                "Nobody outside reaches the service.",
                f"Does the router forward {protocol} {port.external} to port {port.node_port} of the node (gatehouse"
                " todo)? Is the pod ready? (Run this from outside: few routers forward their own address from home.)",
            )
