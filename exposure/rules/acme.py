"""ACME HTTP-01: one solver, reached by path, for hosts of the tunnel."""

from __future__ import annotations

from collections.abc import Iterator

from config.services import NodeOrigin, ServiceOrigin
from exposure.names import scheme_of
from exposure.rules.base import OneService, OneStack, Problem, ServiceRule, StackRule
from exposure.ways.acme import AcmeWay
from exposure.ways.tunnel import TunnelWay, ZeroTrustWay

_CM = "CM pkg/issuer/acme/http"


def _without(service: OneService) -> Iterator[Problem]:
    if not service.service.own_certificate or not service.by(TunnelWay):
        return
    if service.inside.whole and not any(s.service.traffic == "acme-http-01" for s in service.inside.services):
        access = ", or Google login swallows them" if service.by(ZeroTrustWay) else ""
        yield service.problem(
            "own_certificate",
            True,
            f"no service of this stack takes HTTP-01 challenges, so they reach the service itself{access}: the "
            "certificate is never renewed",
            "add a service with `traffic: acme-http-01` whose origin is the ingress controller",
        )


def _gate(service: OneService) -> Iterator[Problem]:
    if service.service.own_certificate and service.gates and not service.by(TunnelWay):
        what = "it carries the challenges itself" if service.by(AcmeWay) else "challenges come through the tunnel"
        yield service.problem(
            "own_certificate",
            True,
            f"at gate {service.gate_words} the host has no route of the tunnel, and {what}",
            "remove it; for a `*.ts.net` name Tailscale renews the certificate",
        )


def _origin(service: OneService) -> Iterator[Problem]:
    node = service.inside.node
    if service.service.traffic != "acme-http-01" or not service.readable:
        return
    origin = service.service.origin
    if scheme_of(service.service) != "http":
        yield service.problem(
            ("origin", "scheme") if isinstance(origin, ServiceOrigin | NodeOrigin) else ("origin", "url"),
            scheme_of(service.service),
            "HTTP-01 is asked over plain http, on the solver's port",
            "say `scheme: http`",
            suggestion="http" if isinstance(origin, ServiceOrigin | NodeOrigin) else "",
        )
    if node is None or not isinstance(origin, ServiceOrigin):
        return
    controller = node.ingress_controller
    if not controller.known:
        return
    if (origin.namespace, origin.service, origin.port) != (
        controller.namespace,
        controller.service,
        controller.http_port,
    ):
        yield service.problem(
            "origin",
            f"{origin.namespace}/{origin.service}:{origin.port}",
            "cert-manager answers challenges behind the ingress controller, under a Service name that is new each "
            f"time; the node's controller is {controller.namespace}/{controller.service}:{controller.http_port}",
            "send challenges there, or say in `node.ingress_controller` which controller the node has (`kind:`)",
            suggestion=f"{controller.namespace}/{controller.service}:{controller.http_port}",
            related=(service.inside.ref("node", "ingress_controller"),),
        )


def _twice(stack: OneStack) -> Iterator[Problem]:
    solvers = [s for s in stack.services if s.service.traffic == "acme-http-01"]
    for service in solvers[1:]:
        first = solvers[0]
        yield service.problem(
            "traffic",
            "acme-http-01",
            f"{first.key} takes this node's challenges already: a path has one owner, so one of the two gets none",
            "keep one; it serves every host with `own_certificate`",
            related=(first.ref("traffic"),),
        )


def _unused(service: OneService) -> Iterator[Problem]:
    if service.service.traffic != "acme-http-01" or not service.inside.whole:
        return
    if not any(s.service.own_certificate for s in service.inside.services):
        yield service.problem(
            "traffic",
            "acme-http-01",
            "no service of this stack has `own_certificate`, so no challenge is routed",
            "remove it, or say `own_certificate: true` where a service renews its own",
        )


RULES = (
    ServiceRule(
        "own-certificate-without-acme",
        "A service that renews its own certificate has its challenges routed",
        f"{_CM}; RFC 8555 8.3",
        (32,),
        check=_without,
    ),
    ServiceRule(
        "own-certificate-gate",
        "HTTP-01 only for hosts of the tunnel",
        f"{_CM}; LE docs/challenge-types",
        (33,),
        check=_gate,
    ),
    ServiceRule("acme-origin", "Challenges go to the ingress controller, by http", _CM, (34,), check=_origin),
    StackRule("acme-twice", "One owner of the challenges a node", "RFC 8555 8.3", (36,), check=_twice),
    ServiceRule(
        "acme-unused",
        "A challenge route has a host that needs it",
        _CM,
        severity="warning",
        check=_unused,
    ),
)
