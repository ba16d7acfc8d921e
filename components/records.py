"""The DNS records of public hosts: last to come and first to go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pulumi

from components.base import Component
from components.sdk import cloudflare
from config.values import Host


def dns_records(
    component: Component,
    hosts: Sequence[Host],
    usual: Host,
    *,
    zone_id: pulumi.Input[str],
    kind: Literal["CNAME", "A"],
    content: pulumi.Input[str],
    after: Sequence[pulumi.Resource],
) -> list[cloudflare.DnsRecord]:
    """A record for each host, made after `after` and deleted before it.

    A CNAME leads to the tunnel and is proxied, with the one `ttl` that those have; an A record leads to the router past
    the proxy, which carries HTTP only. It is named after the host, so that it stays where it is when the host goes to
    another service (docs/adr/0022); that of the `usual` host was named after the service once.
    """
    proxied = kind == "CNAME"
    return [
        cloudflare.DnsRecord(
            host,
            zone_id=zone_id,
            name=host,
            type=kind,
            content=content,
            proxied=proxied,
            ttl=1 if proxied else 300,
            comment=f"gatehouse: {component.name}",
            opts=component.child(
                # Another type of record is a replacement, and made first it would stand beside the old one, which the
                # API refuses. For the same reason a host that changes its gate keeps its record.
                delete_before_replace=True,
                depends_on=after,
                aliases=component.formerly(
                    "ZeroTrustApp",
                    "PublicTunnelRoute",
                    "PortForward",
                    was=f"{component.name}-dns" if host == usual else None,
                ),
            ),
        )
        for host in hosts
    ]
