"""What answers: the things in the cluster, on the node and at home that ways lead to, so that they can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from config.services import Node, NodeOrigin, Service, ServiceOrigin, UrlOrigin
from config.values import MalformedError, OriginUrl

Protocol = Literal["tcp", "udp"]


@dataclass(frozen=True, order=True)
class Workload:
    """What answers at one port. Two services with a workload in common are one thing with two ways in.

    `place` is `<node> <namespace>/<Service>` or `<node> <namespace>/{<labels of pods>}` in a node's cluster, else an
    address or name of the home network; the node itself is its address there.
    """

    place: str
    port: int | str
    protocol: Protocol = "tcp"

    def __str__(self) -> str:
        where = self.place.partition(" ")[2] or self.place
        return f"{where}:{self.port}" + ("/udp" if self.protocol == "udp" else "")


def in_cluster(node: str, namespace: str, service: str, port: int, protocol: Protocol = "tcp") -> Workload:
    """A port of a Kubernetes Service in a node's cluster."""
    return Workload(f"{node} {namespace}/{service}", port, protocol)


def at_home(address: str, port: int, protocol: Protocol = "tcp") -> Workload:
    """A port of a machine at home, the node's own among them."""
    return Workload(address, port, protocol)


def workloads(service: Service, node: Node) -> tuple[Workload, ...]:
    """What a service is: every port of it, by the Service's name and, where they are known, by its pods' labels."""
    origin = service.origin
    if isinstance(origin, NodeOrigin):
        return (at_home(node.lan_ipv4, origin.port, _protocol(origin.scheme)),)
    if isinstance(origin, UrlOrigin):
        return _of_url(origin.url, node)
    ports: list[tuple[Protocol, int, int | str]] = [
        (_protocol(origin.scheme), origin.port, origin.target_port or origin.port)
    ]
    ports += [(p.protocol, p.port, p.target_port or p.port) for p in origin.other_ports or ()]
    ports += [(p.protocol, p.service_port, p.target_port or p.service_port) for p in service.port_forward or ()]
    found = [in_cluster(node.name, origin.namespace, origin.service, port, protocol) for protocol, port, _ in ports]
    if origin.selector:
        labels = ",".join(f"{k}={v}" for k, v in sorted(origin.selector.items()))
        pods = f"{node.name} {origin.namespace}/{{{labels}}}"
        found += [Workload(pods, target, protocol) for protocol, _, target in ports]
    return tuple(dict.fromkeys(found))


def controller(node: Node) -> tuple[Workload, Workload]:
    """The node's ingress controller, by http and by https: it leads on to every service that goes through it."""
    said = node.ingress_controller
    return (
        in_cluster(node.name, said.namespace, said.service, said.http_port),
        in_cluster(node.name, said.namespace, said.service, said.https_port),
    )


def through(service: Service, node: Node) -> Workload | None:
    """The controller that a service is reached through, if any."""
    origin = service.origin
    return controller(node)[1] if isinstance(origin, ServiceOrigin) and origin.through_ingress else None


def _of_url(text: str, node: Node) -> tuple[Workload, ...]:
    try:
        url = OriginUrl.parse(text)
    except MalformedError:
        return ()
    protocol = _protocol(url.scheme)
    if url.service:
        return (in_cluster(node.name, *url.service, url.port, protocol),)
    return (at_home(str(url.address or url.host), url.port, protocol),)


def _protocol(scheme: str) -> Protocol:
    return "udp" if scheme == "udp" else "tcp"
