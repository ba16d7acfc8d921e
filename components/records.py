"""The DNS record of a public host: last to come and first to go."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.base import Component
from components.sdk import cloudflare

_ROUTES = ("ZeroTrustApp", "PublicTunnelRoute", "PortForward")


def tunnel_record(
    component: Component,
    *,
    host: str,
    zone_id: pulumi.Input[str],
    tunnel_id: pulumi.Input[str],
    after: Sequence[pulumi.Resource],
    was: str | None = None,
) -> cloudflare.DnsRecord:
    """A proxied CNAME to the tunnel, made after `after` and deleted before it. `ttl` 1 is what a proxied record has.

    It is named after the host, so that it stays where it is when the host goes to another service (docs/adr/0022);
    `was` is the name that it had before.
    """
    return cloudflare.DnsRecord(
        host,
        zone_id=zone_id,
        name=host,
        type="CNAME",
        content=pulumi.Output.concat(tunnel_id, ".cfargotunnel.com"),
        proxied=True,
        ttl=1,
        comment=f"gatehouse: {component.name}",
        opts=_options(component, after, was),
    )


def address_record(
    component: Component,
    *,
    host: str,
    zone_id: pulumi.Input[str],
    ipv4: str,
    after: Sequence[pulumi.Resource] = (),
    was: str | None = None,
) -> cloudflare.DnsRecord:
    """An unproxied A record to the router: Cloudflare's proxy carries HTTP only. Named as in `tunnel_record`."""
    return cloudflare.DnsRecord(
        host,
        zone_id=zone_id,
        name=host,
        type="A",
        content=ipv4,
        proxied=False,
        ttl=300,
        comment=f"gatehouse: {component.name}",
        opts=_options(component, after, was),
    )


def _options(component: Component, after: Sequence[pulumi.Resource], was: str | None) -> pulumi.ResourceOptions:
    # A host that changes its gate keeps its record: made anew it would stand beside the old one, which the API refuses.
    # Another type of record is a replacement, which has to delete first for the same reason.
    aliases = component.formerly(*_ROUTES) + (component.formerly(*_ROUTES, was=was) if was else [])
    return component.child(delete_before_replace=True, depends_on=after, aliases=aliases)
