"""The connector: cloudflared in the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator

from config.errors import show
from exposure.rules.base import OneStack, Problem, StackRule

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


def _image(stack: OneStack) -> Iterator[Problem]:
    image = stack.node.connector.image if stack.node else None
    if image is None:
        return
    match = _IMAGE.fullmatch(image)
    if not match:
        reason = "this is not the name of a container image"
    elif match["digest"] is None and match["tag"] is None:
        reason = "there is neither a tag nor a digest, so each restart may bring another cloudflared"
    elif match["digest"] is None and match["tag"] == "latest":
        reason = "`latest` changes: each restart may bring another cloudflared, with other rules for paths"
    else:
        return
    yield Problem(
        ("node", "connector", "image"),
        show(image),
        reason,
        "remove it to use the pinned image, or write `cloudflare/cloudflared:<version>`, better with "
        "`@sha256:<digest>`",
    )


RULES = (
    StackRule(
        "connector-replicas",
        "1 to 25 connectors a tunnel",
        "CFDOC cloudflare-one/account-limits",
        (25,),
        check=_replicas,
    ),
    StackRule("connector-image", "The connector's image is pinned", "CFD RELEASE_NOTES", check=_image),
)
