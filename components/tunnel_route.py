"""A host of the tunnel: what its two gates have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pulumi

from components.access import Access, access_application
from components.managed_ingress import ManagedIngress
from components.records import tunnel_record
from components.sdk import cloudflare
from components.way import Context, WayComponent
from exposure.estate import applications as applications_of
from exposure.estate import rules as rules_of
from exposure.model import AccessApplication, TunnelRule
from exposure.names import ACME_PATH
from exposure.ways.tunnel import TunnelWay
from exposure.ways.way import Way


class TunnelRoute(WayComponent):
    """The applications of a way by the tunnel, and with `publish` its records; `rules` and `auds` in between.

    `applications` are those that the whole stack's hosts ask for, where services share one; the way's own by itself.
    """

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
        self.applications: dict[str, cloudflare.ZeroTrustAccessApplication] = {}
        for planned in applications_of(way.claims()) if applications is None else applications:
            if access is None:
                raise ValueError(f"{name}: {planned.name} is for {planned.audience}, which needs `access`")
            self.applications[planned.name] = access_application(self, planned, access, after)
        self.auds = {key: application.aud for key, application in self.applications.items()}
        self.rules: list[TunnelRule] = [rule for rule in rules_of(way.claims()) if rule.host is not None]
        self.register_outputs({"hosts": list(way.hosts), "auds": self.auds})

    @classmethod
    def register(cls, way: Way, context: Context) -> Sequence[WayComponent]:
        """See `WayComponent`."""
        found = cast("TunnelWay", way)
        mine = [a for a in context.applications(way.service) if a.path != ACME_PATH]
        route = cls(
            way.service, way=found, access=context.access, applications=mine, after=context.first, opts=context.options
        )
        for planned in mine:
            context.guards.setdefault(planned.host, []).append(route.applications[planned.name])
        if found.ingress is None:
            return [route]
        return [route, ManagedIngress(f"{way.service}-ingress", ingress=found.ingress, opts=context.options)]

    def release(self, context: Context, after: pulumi.Resource) -> None:
        """See `WayComponent`."""
        for record in context.plan.records:
            if record.service == self.name and record.target is None:
                self.publish(
                    zone_id=context.zone_ids[record.zone],
                    tunnel_id=context.tunnel_id,
                    after=after,
                    hosts=[record.host],
                    applications=context.guards.get(record.host, ()),
                )

    def publish(
        self,
        *,
        zone_id: pulumi.Input[str],
        tunnel_id: pulumi.Input[str],
        after: pulumi.Resource,
        hosts: Sequence[str] | None = None,
        applications: Sequence[pulumi.Resource] = (),
    ) -> list[cloudflare.DnsRecord]:
        """Register a DnsRecord for each host (all of the way's), after the applications and the tunnel's rules.

        `after` is `TunnelConfiguration.configured`; `applications` are further ones of the host (an `AcmeHttpRoute`'s):
        the engine orders deletes by direct dependencies alone, and the record has to go before any of them.
        """
        first = list(dict.fromkeys([*self.applications.values(), *applications, after]))
        return [
            tunnel_record(
                self,
                host=host,
                zone_id=zone_id,
                tunnel_id=tunnel_id,
                after=first,
                was=f"{self.name}-dns" if host == self.way.hosts[0] else None,
            )
            for host in (self.way.hosts if hosts is None else hosts)
        ]
