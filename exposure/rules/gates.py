"""Gates: whether the gate in force fits what the service is, and whether it has what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from config.services import NodeOrigin, ServiceOrigin
from exposure.names import scheme_of
from exposure.rules.base import OneService, Problem, ServiceRule, listed
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tailnet import TailnetWay

_ORIGINS: dict[str, tuple[type, ...]] = {
    "funnel": (ServiceOrigin,),
    "tailnet": (ServiceOrigin, NodeOrigin),
    "port-forward": (ServiceOrigin,),
}


def _objecting(rule: str) -> Callable[[OneService], Iterable[Problem]]:
    """The objections of `exposure.decide` that carry one rule's id."""

    def check(service: OneService) -> Iterator[Problem]:
        if not service.gates:
            return
        for objection in service.objections:
            if objection.rule == rule:
                value = service.gate_words if objection.field == "gate" else getattr(service.service, objection.field)
                yield service.problem(objection.field, value, objection.reason, objection.mend, source=objection.source)

    return check


def _origin(service: OneService) -> Iterator[Problem]:
    gate = service.gate_words
    kinds = _ORIGINS.get(gate) if gate else None
    if kinds and not isinstance(service.service.origin, kinds):
        also = " or a port of the node (`on_node`)" if NodeOrigin in kinds else ""
        yield service.problem(
            "origin",
            None,
            f"gate {gate} is made in the cluster, in front of a Kubernetes Service",
            f"name a Service of the cluster by namespace, service and port{also}; for something outside it, make a "
            "Service with Endpoints of its address",
        )


def _ports(service: OneService) -> Iterator[Problem]:
    if service.by(PortForwardWay) and not service.service.port_forward:
        yield service.problem(
            "port_forward",
            None,
            "nothing says which ports the router forwards",
            "list each under `port_forward:` with external_port, protocol, service_port and node_port",
        )


def _ports_twice(service: OneService) -> Iterator[Problem]:
    seen: dict[tuple[str, int], int] = {}
    for index, port in enumerate(service.service.port_forward or []):
        first = seen.setdefault((port.protocol, port.service_port), index)
        if first != index:
            yield service.problem(
                ("port_forward", index, "service_port"),
                port.service_port,
                f"{port.protocol} port {port.service_port} of the Service is listed twice, and Kubernetes refuses a "
                "Service with two such ports",
                "keep one of the two",
                related=(service.ref("port_forward", first, "service_port"),),
            )


def _selector(service: OneService) -> Iterator[Problem]:
    origin = service.service.origin
    own_service = service.by(PortForwardWay) or (
        service.by(TailnetWay) and scheme_of(service.service) in ("tcp", "udp")
    )
    if own_service and isinstance(origin, ServiceOrigin) and not origin.selector:
        yield service.problem(
            ("origin", "selector"),
            None,
            "Gatehouse makes a Service of its own here, and without its pods' labels it would lead nowhere",
            f"add `selector:` with the labels of the pods (kubectl -n {origin.namespace} describe service "
            f"{origin.service})",
        )


def _no_effect(service: OneService) -> Iterator[Problem]:
    HOST_GATES = {"public-tunnel", "zero-trust", "port-forward"}
    TUNNEL_GATES = {"public-tunnel", "zero-trust"}
    gate, said, origin = service.gate_words, service.service, service.service.origin
    if not gate:
        return
    in_cluster = isinstance(origin, ServiceOrigin)
    raw = scheme_of(said) in ("tcp", "udp")
    through = origin.through_ingress if isinstance(origin, ServiceOrigin) else None
    selector = origin.selector if isinstance(origin, ServiceOrigin) else None
    https = scheme_of(said) == "https" or through is not None
    # (field, what is said, whether it counts, at which gates it would)
    rows: list[tuple[tuple[str, ...], object, bool, Iterable[str]]] = [
        (("host",), said.host, gate in HOST_GATES or gate == "funnel", sorted(HOST_GATES)),
        (
            ("tailnet_name",),
            said.tailnet_name,
            gate == "funnel" or (gate == "tailnet" and in_cluster),
            ("funnel", "tailnet (for a Service of the cluster)"),
        ),
        (("people",), said.people, gate in ("zero-trust", "tailnet"), ("zero-trust", "tailnet")),
        (("port_forward",), said.port_forward, gate == "port-forward", ("port-forward",)),
        (("funnel_port",), said.funnel_port, gate == "funnel", ("funnel",)),
        (("origin_request",), said.origin_request, gate in TUNNEL_GATES, sorted(TUNNEL_GATES)),
        (
            ("origin_tls",),
            said.origin_tls,
            gate in TUNNEL_GATES and https,
            (f"{g} with an https origin" for g in sorted(TUNNEL_GATES)),
        ),
        (("origin", "through_ingress"), through, gate in TUNNEL_GATES, sorted(TUNNEL_GATES)),
        (
            ("origin", "selector"),
            selector,
            gate == "port-forward" or (gate == "tailnet" and raw),
            ("port-forward", "tailnet with a tcp or udp origin"),
        ),
    ]
    for field, value, counts, gates in rows:
        if value is not None and not counts:
            shown = value if isinstance(value, str | int) else None
            yield service.problem(
                field,
                shown,
                f"it has no effect at gate {gate}: who relies on it would be let down",
                f"remove it; it counts at gate {listed(gates)}",
            )


RULES = (
    ServiceRule(
        "gate-acme",
        "Gate acme is for HTTP-01 challenges, and they for it",
        "LE docs/challenge-types",
        check=_objecting("gate-acme"),
    ),
    ServiceRule(
        "gate-not-http",
        "A tunnel and a Funnel carry HTTP only",
        "CFDOC cloudflare-one/applications/non-http",
        (53,),
        check=_objecting("gate-not-http"),
    ),
    ServiceRule(
        "media-through-tunnel",
        "No media or high bandwidth through Cloudflare, unless knowingly",
        "CFDOC fundamentals/reference/policies-compliances/delivering-videos-with-cloudflare",
        (50,),
        acceptable=True,
        check=_objecting("media-through-tunnel"),
    ),
    ServiceRule(
        "sensitive-without-access",
        "Sensitive HTML is behind Access",
        "Gatehouse: sensitive HTML goes behind Zero Trust Access",
        (38,),
        check=_objecting("sensitive-without-access"),
    ),
    ServiceRule(
        "sensitive-on-funnel",
        "Something sensitive on a Funnel only knowingly",
        "tailscale.com/kb/1223",
        acceptable=True,
        check=_objecting("sensitive-on-funnel"),
    ),
    ServiceRule(
        "http-by-port-forward",
        "Plain HTTP by port forwarding only knowingly",
        "Gatehouse: port forwarding is for non-HTTP services",
        acceptable=True,
        check=_objecting("http-by-port-forward"),
    ),
    ServiceRule(
        "tailnet-for-anyone",
        "Anyone is not on the tailnet",
        "tailscale.com/kb/1136",
        check=_objecting("tailnet-for-anyone"),
    ),
    ServiceRule(
        "wider-than-meant",
        "The gate lets in no more than the clients said",
        "Gatehouse: a gate is checked against the facts",
        check=_objecting("wider-than-meant"),
    ),
    ServiceRule(
        "sensitive-for-anyone",
        "Sensitive HTML has named clients",
        "Gatehouse: sensitive HTML goes behind Zero Trust Access",
        (42,),
        check=_objecting("sensitive-for-anyone"),
    ),
    ServiceRule(
        "gate-origin",
        "Funnel, tailnet and port forwarding have an origin they can serve",
        "TS cmd/k8s-operator",
        (53, 58),
        check=_origin,
    ),
    ServiceRule("port-forward-ports", "Port forwarding names its ports", "Kubernetes Service", check=_ports),
    ServiceRule(
        "port-forward-twice", "A forwarded Service lists each port once", "Kubernetes Service", check=_ports_twice
    ),
    ServiceRule(
        "selector-missing", "A Service that Gatehouse makes knows its pods", "Kubernetes Service", check=_selector
    ),
    ServiceRule(
        "no-effect",
        "No setting without effect at the service's gate",
        "Gatehouse: unknown keys are refused, for a key with no effect protects nothing",
        check=_no_effect,
    ),
)
