"""The connector: cloudflared in the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from config.errors import show
from config.services import UrlOrigin
from config.values import Image, OriginUrl, replicas
from exposure.rules.base import OneService, OneStack, Problem, Ref, Rules, malformed

RULES = Rules()


@RULES.stack("connector-replicas", "CFDOC cloudflare-one/account-limits", (25,))
def _replicas(stack: OneStack) -> Iterator[Problem]:
    """A tunnel has 1 to 25 connectors."""
    if stack.node:
        yield from malformed(replicas, stack.node.connector.replicas, ("node", "connector", "replicas"))


@RULES.stack("connector-image", "CFD RELEASE_NOTES")
def _image(stack: OneStack) -> Iterator[Problem]:
    """The connector's image is pinned, and fit."""
    if stack.node and stack.node.connector.image is not None:
        yield from malformed(Image.parse, stack.node.connector.image, ("node", "connector", "image"))


_USUAL = "cloudflared"
_TAKEN = frozenset({"default", "cert-manager", "ingress-nginx", "traefik"})


@RULES.stack(
    "connector-namespace",
    "Kubernetes, Pod Security Admission; Gatehouse: the namespace is made and deleted with the stack",
)
def _namespace(stack: OneStack) -> Iterator[Problem]:
    """The connector has a namespace of its own."""
    node = stack.node
    if node is None:
        return
    name, who, related = node.connector.namespace, "", tuple[Ref, ...]()
    if name.startswith("kube-") or name.endswith("-system") or name in _TAKEN:
        who = "parts of the cluster live"
    elif name == node.ingress_controller.namespace:
        who, related = "the ingress controller lives", (stack.ref("node", "ingress_controller"),)
    elif name == "tailscale" and node.tailscale_operator != "none":
        who, related = "the Tailscale operator lives", (stack.ref("node", "tailscale_operator"),)
    elif found := next((s for s in stack.services if _lives_in(s) == name), None):
        who, related = f"service {found.key} lives", (found.ref("origin"),)
    if who:
        free = all(_lives_in(s) != _USUAL for s in stack.services)
        yield Problem(
            ("node", "connector", "namespace"),
            show(name),
            f"{who} there: Gatehouse makes this namespace for the connector alone, holds every pod in it to Pod "
            "Security `restricted`, and deletes it with all that is in it at `destroy`",
            f"leave it out (it is `{_USUAL}` then), or write a name that nothing else has"
            if free
            else "write a name that nothing else has",
            suggestion=_USUAL if free else "",
            related=related,
        )


def _lives_in(service: OneService) -> str:
    """The namespace of a service's origin, where it has one."""
    if service.cluster_origin:
        return service.cluster_origin.namespace
    origin = service.service.origin
    url = OriginUrl(origin.url) if isinstance(origin, UrlOrigin) and not OriginUrl.faults(origin.url) else None
    return url.service[0] if url and url.service else ""
