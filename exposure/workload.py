"""What answers: the things in the cluster, on the node and at home that ways lead to, so that they can be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from config.services import Node, NodeOrigin, Service, ServiceOrigin, UrlOrigin
from config.values import OriginUrl, reachable

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


def in_cluster(node: str, namespace: str, service: str, port: int | str, protocol: Protocol = "tcp") -> Workload:
    """A port of a Kubernetes Service in a node's cluster, or of pods where `service` is `labelled`."""
    return Workload(f"{node} {namespace}/{service}", port, protocol)


def labelled(selector: Mapping[str, object]) -> str:
    """The pods with these labels, as they stand in a workload's place."""
    return f"{{{','.join(f'{k}={v}' for k, v in sorted(selector.items()))}}}"


def at_home(address: str, port: int, protocol: Protocol = "tcp") -> Workload:
    """A port of a machine at home, the node's own among them."""
    return Workload(address, port, protocol)


def cluster_host(workload: Workload) -> str:
    """A name for what is in a node's cluster, as a host; empty for what is not, and for a pod's loopback address."""
    node, _, place = workload.place.partition(" ")
    namespace, _, name = place.partition("/")
    return f"{re.sub(r'[^a-z0-9-]+', '-', name.lower()).strip('-')}.{namespace}.svc.{node}" if name else ""


def workloads(services: Mapping[str, Service], node: Node) -> dict[str, tuple[Workload, ...]]:
    """What each service of a node is: every port, by each name by which it is known.

    Pods that are among those which another service selects are that service's too.
    """
    found = {key: _workloads(service, node) for key, service in services.items()}
    chosen: dict[tuple[str, int | str, Protocol], list[tuple[frozenset[str], Workload]]] = {}
    for workload in dict.fromkeys(w for own in found.values() for w in own):
        namespace, labels = _selected(workload)
        if labels:
            chosen.setdefault((namespace, workload.port, workload.protocol), []).append((labels, workload))
    wider = {
        one: [other for fewer, other in alike if fewer < labels]
        for alike in chosen.values()
        if len(alike) > 1
        for labels, one in alike
    }
    return {
        key: tuple(dict.fromkeys(w for one in own for w in (one, *wider.get(one, ())))) for key, own in found.items()
    }


def _selected(workload: Workload) -> tuple[str, frozenset[str]]:
    """The namespace in a cluster, and the labels of the pods; no labels for what is named otherwise."""
    namespace, _, name = workload.place.partition("/")
    return namespace, frozenset(name[1:-1].split(",") if name.startswith("{") else ())


def _workloads(service: Service, node: Node) -> tuple[Workload, ...]:
    found = _named(service, node)
    # By whatever name the controller is reached, it is one thing.
    return tuple(dict.fromkeys((*found, *(door for workload in found for door in _as_controller(workload, node)))))


def _named(service: Service, node: Node) -> list[Workload]:
    origin = service.origin
    if isinstance(origin, NodeOrigin):
        return [at_home(node.lan_ipv4, origin.port, _protocol(origin.scheme))]
    if isinstance(origin, UrlOrigin):
        called = of_url(origin.url, node.name)
        return [called] if called else []
    ports: list[tuple[Protocol, int, int | str]] = [
        (_protocol(origin.scheme), origin.port, origin.target_port or origin.port)
    ]
    ports += [(p.protocol, p.port, p.target_port or p.port) for p in origin.other_ports or ()]
    ports += [(p.protocol, p.service_port, p.target_port or p.service_port) for p in service.port_forward or ()]
    found = [in_cluster(node.name, origin.namespace, origin.service, port, protocol) for protocol, port, _ in ports]
    if origin.selector:
        pods = labelled(origin.selector)
        found += [in_cluster(node.name, origin.namespace, pods, target, protocol) for protocol, _, target in ports]
    return found


def one_home(one: Node, other: Node) -> bool:
    """Whether two nodes may be behind one router, so that an address at home is one machine's for both.

    Where the public address of either router is not said, they may.
    """
    routers = {
        n.router_ipv4 for n in (one, other) if n.router_ipv4 and reachable(n.router_ipv4) in ("internet", "example")
    }
    return len(routers) < 2


def controller(node: Node) -> tuple[Workload, Workload]:
    """The node's ingress controller, by http and by https: it leads on to every service that goes through it."""
    said = node.ingress_controller
    return (
        in_cluster(node.name, said.namespace, said.service, said.http_port),
        in_cluster(node.name, said.namespace, said.service, said.https_port),
    )


_SHARED = ("kube-system", "default")
"""Namespaces in which many things are."""


def _as_controller(workload: Workload, node: Node) -> tuple[Workload, ...]:
    """The node's ingress controller, where a workload is it by another name: its pods' labels, or a port of the node.

    It listens at the node's 80 and 443: k3s's by its service load balancer, others by host ports.
    """
    by_http, by_https = controller(node)
    if workload.place == str(node.lan_ipv4) and workload.protocol == "tcp":
        return {80: (by_http,), 443: (by_https,)}.get(int(workload.port), ())
    said = node.ingress_controller
    namespace, labels = _selected(workload)
    if namespace != f"{node.name} {said.namespace}" or workload.protocol == "udp" or not labels:
        return ()
    values = {label.partition("=")[2] for label in labels}
    return (by_http, by_https) if said.namespace not in _SHARED or values & {said.service, said.class_name} else ()


def through(service: Service, node: Node) -> Workload | None:
    """The controller that a service is reached through, if any."""
    origin = service.origin
    return controller(node)[1] if isinstance(origin, ServiceOrigin) and origin.through_ingress else None


@lru_cache(maxsize=4096)
def of_url(text: str, node: str) -> Workload | None:
    """What a URL leads to when it is called in a node's cluster; None for what names no host.

    A loopback address is the caller's own pod.
    """
    url = OriginUrl(text)
    try:
        host, port = url.host, url.port
    except ValueError:
        return None
    if not host:
        return None
    protocol = _protocol(url.scheme)
    if url.service:
        return in_cluster(node, *url.service, port, protocol)
    address = url.address
    own = address.is_loopback or address.is_unspecified if address else host == "localhost"
    return Workload(f"{node} localhost", port, protocol) if own else at_home(str(address or host), port, protocol)


def _protocol(scheme: str) -> Protocol:
    return "udp" if scheme == "udp" else "tcp"
