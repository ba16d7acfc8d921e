"""ACME HTTP-01: one solver, reached by path, for hosts of the tunnel."""

from __future__ import annotations

from collections.abc import Iterator

from config.services import IngressController, NodeOrigin, ServiceOrigin
from exposure.names import scheme_of
from exposure.rules.base import OneService, OneStack, Problem, Rules
from exposure.ways.acme import AcmeWay
from exposure.ways.tunnel import TunnelWay, ZeroTrustWay

RULES = Rules()
_CM = "CM pkg/issuer/acme/http"


def _door(controller: IngressController) -> str:
    return f"{{namespace: {controller.namespace}, service: {controller.service}, port: {controller.http_port}}}"


def _solver(stack: OneStack) -> str:
    controller = stack.node.ingress_controller if stack.node else IngressController()
    return f"challenges: {{origin: {_door(controller)}, traffic: acme-http-01}}"


@RULES.service("own-certificate-without-acme", f"{_CM}; RFC 8555 8.3", (32,))
def _without(service: OneService) -> Iterator[Problem]:
    """A service that renews its own certificate has its challenges routed."""
    if not service.service.own_certificate or not service.by(TunnelWay):
        return
    if service.inside.whole and not any(s.service.traffic == "acme-http-01" for s in service.inside.services):
        access = " or stop at the login" if service.by(ZeroTrustWay) else ""
        yield service.problem(
            "own_certificate",
            True,
            f"no service of this stack takes HTTP-01 challenges, so they would reach the service itself{access}, and "
            "the certificate would never be renewed",
            f"add `{_solver(service.inside)}` to the services",
        )


@RULES.service("own-certificate-gate", f"{_CM}; LE docs/challenge-types", (33,))
def _gate(service: OneService) -> Iterator[Problem]:
    """HTTP-01 is for hosts of the tunnel."""
    if service.service.own_certificate and service.gates and not service.by(TunnelWay):
        what = "it carries the challenges itself" if service.by(AcmeWay) else "challenges come through the tunnel"
        yield service.problem(
            "own_certificate",
            True,
            f"at gate {service.gate_words} the host has no route in the tunnel, and {what}",
            "remove it; for a `*.ts.net` name Tailscale renews the certificate",
        )


@RULES.service("acme-origin", _CM, (34,))
def _origin(service: OneService) -> Iterator[Problem]:
    """Challenges go to the ingress controller, by http."""
    node = service.inside.node
    if service.service.traffic != "acme-http-01" or not service.readable:
        return
    origin = service.service.origin
    if scheme_of(service.service) != "http":
        yield service.problem(
            ("origin", "scheme") if isinstance(origin, ServiceOrigin | NodeOrigin) else ("origin", "url"),
            scheme_of(service.service),
            "Let's Encrypt asks for challenges over plain http",
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
            "cert-manager answers challenges behind the ingress controller, each time in a Service of another name, "
            f"and the node's controller is {controller.namespace}/{controller.service}:{controller.http_port}",
            f"write `origin: {_door(controller)}`, or say in `node.ingress_controller` which controller the node has "
            "(`kind:`)",
            related=(service.inside.ref("node", "ingress_controller"),),
        )


@RULES.stack("acme-twice", "RFC 8555 8.3", (36,))
def _twice(stack: OneStack) -> Iterator[Problem]:
    """One service of a node takes the challenges."""
    solvers = [s for s in stack.services if s.service.traffic == "acme-http-01"]
    for service in solvers[1:]:
        first = solvers[0]
        yield service.problem(
            "traffic",
            "acme-http-01",
            f"{first.key} takes this node's challenges already, and only one of the two would get them",
            f"remove this service: {first.key} serves every host with `own_certificate`",
            related=(first.ref("traffic"),),
        )


@RULES.service("acme-unused", _CM, severity="warning")
def _unused(service: OneService) -> Iterator[Problem]:
    """The service for challenges is needed."""
    if service.service.traffic != "acme-http-01" or not service.inside.whole:
        return
    if not any(s.service.own_certificate for s in service.inside.services):
        yield service.problem(
            "traffic",
            "acme-http-01",
            "no service of this stack has `own_certificate`, so there are no challenges to take",
            "remove this service, or give the one that renews its own certificate `own_certificate: true`",
        )
