"""The connector: cloudflared in the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config.errors import show
from config.services import UrlOrigin
from config.values import OriginUrl
from exposure.rules.base import OneService, OneStack, Problem, Ref, StackRule

_MOST_REPLICAS = 25
_IMAGE = re.compile(
    r"(?P<name>[a-z0-9]+([._:-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*?)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def _replicas(stack: OneStack) -> Iterator[Problem]:
    if stack.node and not 1 <= stack.node.connector.replicas <= _MOST_REPLICAS:
        count = stack.node.connector.replicas
        yield Problem(
            ("node", "connector", "replicas"),
            show(count),
            "a tunnel takes at most 25 connectors, and the rest would restart for ever"
            if count > _MOST_REPLICAS
            else "without a connector every host of the tunnel answers 530",
            "write `replicas: 2`, which keeps the tunnel up while one restarts, or another number from 1 to 25",
        )


_BODIES = (
    "it does not pass on a POST with an empty body as it is, so buttons and logins fail; the next release took the "
    "change back"
)
_UNFIT = (
    (
        (0, 0, 0),
        (2022, 9, 99),
        "it does not know `access` in a rule, so it never checks Access's JWT again; the first that does is 2022.10.0",
        "CFD RELEASE_NOTES 2022.10.0 (TUN-6774, TUN-6775)",
    ),
    ((2024, 9, 0), (2024, 9, 0), _BODIES, "CFD RELEASE_NOTES 2024.9.1 (reverts TUN-8592); cloudflared#1340"),
    ((2024, 10, 0), (2024, 10, 0), _BODIES, "CFD RELEASE_NOTES 2024.10.1 (reverts TUN-8592); cloudflared#1340"),
    (
        (2026, 8, 0),
        (2026, 8, 1),
        "it rewrites a request's path before it compares, and path rules depend on the path as it is; 2026.8.2 took "
        "that back",
        "CFD RELEASE_NOTES 2026.8.2 (VULN-141859)",
    ),
)
"""Releases of cloudflared that are unfit: the first and the last of them, why, and where that is said."""
_VERSION = re.compile(r"v?(20\d\d)\.(\d{1,2})\.(\d{1,2})(?![\d.])")


def _image(stack: OneStack) -> Iterator[Problem]:
    image = stack.node.connector.image if stack.node else None
    if image is None:
        return
    match = _IMAGE.fullmatch(image)
    tag, digest = (match["tag"] or "", match["digest"]) if match else ("", None)
    said = _VERSION.match(tag)
    version = tuple(map(int, said.groups())) if said else ()
    unfit = next((row for row in _UNFIT if version and row[0] <= version <= row[1]), None)
    if not match:
        reason = "this is not the name of a container image"
    elif unfit:
        reason = unfit[2]
    elif digest is None and not tag:
        reason = "there is neither a tag nor a digest, so each restart may bring another cloudflared"
    elif digest is None and (tag.startswith("latest") or not re.search(r"\d", tag)):
        reason = f"`{tag}` changes: each restart may bring another cloudflared, with other rules for paths"
    else:
        return
    yield Problem(
        ("node", "connector", "image"),
        show(image),
        reason,
        "remove it to use the pinned image, or write `cloudflare/cloudflared:<version>`, better with "
        "`@sha256:<digest>`",
        source=unfit[3] if unfit else "",
    )


_USUAL = "cloudflared"
_TAKEN = frozenset({"default", "cert-manager", "ingress-nginx", "traefik"})


def _namespace(stack: OneStack) -> Iterator[Problem]:
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


RULES = (
    StackRule(
        "connector-replicas",
        "A tunnel has 1 to 25 connectors",
        "CFDOC cloudflare-one/account-limits",
        (25,),
        check=_replicas,
    ),
    StackRule("connector-image", "The connector's image is pinned, and fit", "CFD RELEASE_NOTES", check=_image),
    StackRule(
        "connector-namespace",
        "The connector has a namespace of its own",
        "Kubernetes, Pod Security Admission; Gatehouse: the namespace is made and deleted with the stack",
        check=_namespace,
    ),
)
