"""The DNS record of a public host: last to come and first to go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pulumi

from components.base import Component
from components.sdk import cloudflare


def dns_record(
    component: Component,
    host: str,
    *,
    zone_id: pulumi.Input[str],
    kind: Literal["CNAME", "A"],
    content: pulumi.Input[str],
    after: Sequence[pulumi.Resource],
    was: str | None,
) -> cloudflare.DnsRecord:
    """A record that is made after `after` and deleted before it.

    A CNAME leads to the tunnel and is proxied, with the one `ttl` that those have; an A record leads to the router past
    the proxy, which carries HTTP only. It is named after the host, so that it stays where it is when the host goes to
    another service (docs/adr/0022); `was` is the name that it had before.
    """
    # A host that changes its gate keeps its record: made anew it would stand beside the old one, which the API refuses.
    # Another type of record is a replacement, which has to delete first for the same reason.
    aliases = component.formerly("ZeroTrustApp", "PublicTunnelRoute", "PortForward", was=was)
    proxied = kind == "CNAME"
    return cloudflare.DnsRecord(
        host,
        zone_id=zone_id,
        name=host,
        type=kind,
        content=content,
        proxied=proxied,
        ttl=1 if proxied else 300,
        comment=f"gatehouse: {component.name}",
        opts=component.child(delete_before_replace=True, depends_on=after, aliases=aliases),
    )
