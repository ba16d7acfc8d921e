"""The ingress controller: which one the node has."""

from __future__ import annotations

from collections.abc import Iterator

from exposure.rules.base import OneStack, Problem, Rules, listed
from exposure.ways.acme import AcmeWay

RULES = Rules()
_PATH = ("node", "ingress_controller")


@RULES.stack("ingress-controller", "Gatehouse: what is not known is asked for")
def _unknown(stack: OneStack) -> Iterator[Problem]:
    """It is said where the ingress controller is."""
    controller = stack.node.ingress_controller if stack.node else None
    if controller and not controller.known:
        missing = [key for key in ("namespace", "service", "class_name") if not getattr(controller, key)]
        yield Problem(
            (*_PATH, "kind"),
            controller.kind,
            f"nothing says {listed(f'`{key}`' for key in missing)} of this controller, and only those of traefik and "
            "nginx are known",
            "add them below `ingress_controller:`, or write `kind: traefik` or `nginx`",
        )


@RULES.stack(
    "ingress-nginx-retired",
    "kubernetes.io/blog/2025/11/11/ingress-nginx-retirement",
    severity="warning",
    acceptable="stack",
)
def _retired(stack: OneStack) -> Iterator[Problem]:
    """The ingress controller is one that somebody maintains."""
    used = any(
        s.by(AcmeWay) or s.service.own_certificate or (s.cluster_origin and s.cluster_origin.through_ingress)
        for s in stack.services
    )
    if used and stack.node and stack.node.ingress_controller.kind == "nginx":
        yield Problem(
            (*_PATH, "kind"),
            "nginx",
            "ingress-nginx was retired on 2026-03-24: nobody fixes what is found in it from then on",
            "move to another controller, such as Traefik (`kind: traefik`); or acknowledge `ingress-nginx-retired` "
            "under `gatehouse:acknowledge` and say until when",
        )
