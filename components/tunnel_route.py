"""Hosts of the tunnel: what its two gates have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pulumi

from components.access import Access
from components.given import reads
from components.managed_ingress import ManagedIngress
from components.records import dns_records
from components.sdk import cloudflare
from components.way import Context, Locks, WayComponent
from config.values import Host
from exposure import estate
from exposure.model import AccessApplication, TunnelRule
from exposure.ways.tunnel import TunnelWay
from exposure.ways.way import Way


class TunnelRoute(WayComponent):
    """The applications of a way by the tunnel, and with `publish` its records; `rules` and `auds` in between.

    `applications` are those that all ways together ask for, where services share a host; the way's own by itself.
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        way: TunnelWay,
        access: Access | None = None,
        applications: Sequence[AccessApplication] | None = None,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.way = way
        self.lock(estate.applications(way.claims()) if applications is None else applications, access, after)
        self.register_outputs({"hosts": list(way.hosts), "auds": self.auds})

    @property
    def rules(self) -> tuple[TunnelRule, ...]:
        """The tunnel's rules for the way by itself."""
        return estate.rules(self.way.claims())[:-1]

    @classmethod
    def register(cls, way: Way, context: Context) -> Sequence[WayComponent]:
        """See `WayComponent`."""
        found = cast("TunnelWay", way)
        route = cls(
            way.service,
            way=found,
            access=context.access,
            applications=context.guarding(way.claims()),
            after=context.first,
            opts=context.options,
        )
        if found.ingress is None:
            return [route]
        # A host that goes to another service is shut by that one's application before the controller leads there.
        locks = list(route.applications.values())
        return [
            route,
            ManagedIngress(f"{way.service}-ingress", ingress=found.ingress, after=locks, opts=context.options),
        ]

    def release(self, context: Context, locks: Locks) -> None:
        """See `WayComponent`."""
        for record in context.records.get(self.name, ()):
            if record.target is None:
                zone_id = context.zone_ids[record.zone]
                self.publish([record.host], zone_id=zone_id, tunnel_id=context.tunnel_id, after=locks.of(record.host))

    def publish(
        self,
        hosts: Sequence[Host] | None = None,
        *,
        zone_id: pulumi.Input[str],
        tunnel_id: pulumi.Input[str],
        after: Sequence[pulumi.Resource],
    ) -> list[cloudflare.DnsRecord]:
        """Register a DnsRecord for each host (all of the way's), after its applications and `after`.

        `after` is what else locks the host: the tunnel's rules (`TunnelConfiguration.configured`), and applications of
        other components (an `AcmeHttpRoute`'s). The record goes before any of them.
        """
        first = list(dict.fromkeys([*self.applications.values(), *after]))
        content = pulumi.Output.concat(tunnel_id, ".cfargotunnel.com")
        asked = self.way.hosts if hosts is None else hosts
        return dns_records(self, asked, self.way.hosts[0], zone_id=zone_id, kind="CNAME", content=content, after=first)
