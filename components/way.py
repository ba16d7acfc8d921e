"""What every way's component has, so that the stack is a loop over ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import cast

import pulumi

from components.access import Access, access_application
from components.base import Component
from components.sdk import cloudflare
from config.values import Host
from exposure.model import AccessApplication, DnsRecord, ExposurePlan
from exposure.ways.way import Claim, Way


@dataclass(frozen=True)
class Context:
    """What ways are registered with: the plan, and the ids of what there is one of."""

    plan: ExposurePlan
    access: Access
    zone_ids: Mapping[str, pulumi.Input[str]]
    """By the zone's name."""
    tunnel_id: pulumi.Input[str]
    first: Sequence[pulumi.Resource]
    """The zones, where this stack makes them: Cloudflare takes no application for a host of no zone of the account."""
    tailnet: Sequence[pulumi.Resource]
    """The tailnet's policy and the operator, where this stack makes them."""
    options: pulumi.ResourceOptions

    @cached_property
    def records(self) -> Mapping[str | None, list[DnsRecord]]:
        """The records that are planned, by service; the node's own under None."""
        grouped: dict[str | None, list[DnsRecord]] = {}
        for record in self.plan.records:
            grouped.setdefault(record.service, []).append(record)
        return grouped

    @cached_property
    def _applications(self) -> Mapping[str, AccessApplication]:
        return {application.name: application for application in self.plan.applications}

    def guarding(self, claims: Iterable[Claim]) -> list[AccessApplication]:
        """The Access applications that are planned for these claims."""
        names = [claim.destination for claim in claims]
        return [self._applications[name] for name in names if name in self._applications]

    @cached_property
    def _classes(self) -> Mapping[str, list[str]]:
        return {s.key: [way.component.rpartition(".")[2] for way in s.ways] for s in self.plan.services}

    def beside(self, way: Way) -> frozenset[str]:
        """The classes of the components of the service's other ways: what is theirs is no former self of this one."""
        return frozenset(self._classes[way.service]) - {way.component.rpartition(".")[2]}


class WayComponent(Component):
    """A component that registers one way: first what locks it, and with `release` what gives it a name."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(name, opts)
        self.applications: dict[str, cloudflare.ZeroTrustAccessApplication] = {}
        """Its Access applications by destination."""
        self.behind: list[pulumi.Resource] = []
        """What leads on behind the tunnel's rules, which wait for it."""

    @property
    def auds(self) -> dict[str, pulumi.Output[str]]:
        """The AUD of each of its Access applications, by destination."""
        return {name: application.aud for name, application in self.applications.items()}

    def lock(
        self, planned: Iterable[AccessApplication], access: Access | None, after: Sequence[pulumi.Resource]
    ) -> None:
        """Register these Access applications. Raises ValueError where `access` lacks what one of them needs."""
        for application in planned:
            if access is None:
                raise ValueError(f"{self.name}: {application.name} is for {application.audience}: it needs `access`")
            self.applications[application.name] = access_application(self, application, access, after)

    @classmethod
    def register(cls, way: Way, context: Context) -> Sequence[WayComponent]:
        """Everything of the way but its names."""
        raise NotImplementedError

    def release(self, context: Context, locks: Locks) -> None:
        """Its names, once the tunnel's rules and every application are there."""


class Locks:
    """What has to be there before a host has a name: the tunnel's rules, and the applications that guard the host.

    The engine orders deletes by direct dependencies alone, and a record has to go before any of them.
    """

    def __init__(self, rules: pulumi.Resource, parts: Iterable[WayComponent]) -> None:
        self._rules = rules
        self._by_host: dict[Host, list[pulumi.Resource]] = {}
        for part in parts:
            for destination, application in part.applications.items():
                self._by_host.setdefault(Host(destination.partition("/")[0]), []).append(application)

    def of(self, host: Host) -> list[pulumi.Resource]:
        """Those of a host of the tunnel."""
        return [*self.applications(host), self._rules]

    def applications(self, host: Host) -> list[pulumi.Resource]:
        """The applications of a host: a wildcard's above it too, and for a wildcard those of every name below."""
        names = [host, Host(f"*.{host.partition('.')[2]}")]
        if host.wildcard:
            names += [other for other in self._by_host if host.covers(other)]
        return list(dict.fromkeys(application for name in names for application in self._by_host.get(name, ())))


def component_of(way: Way) -> type[WayComponent]:
    """The class that registers a way. The way names it, for what a stack means is decided without Pulumi."""
    module, _, name = way.component.rpartition(".")
    return cast("type[WayComponent]", getattr(import_module(module), name))
