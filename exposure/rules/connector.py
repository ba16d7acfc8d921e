"""The connector: cloudflared in the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from config.values import Image, replicas
from exposure.rules.base import OneStack, Problem, StackRule, malformed


def _replicas(stack: OneStack) -> Iterator[Problem]:
    if stack.node:
        yield from malformed(replicas, stack.node.connector.replicas, ("node", "connector", "replicas"))


def _image(stack: OneStack) -> Iterator[Problem]:
    if stack.node and stack.node.connector.image is not None:
        yield from malformed(Image.parse, stack.node.connector.image, ("node", "connector", "image"))


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
