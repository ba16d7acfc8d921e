"""What every way's component has, so that the stack is a loop over ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import cast

import pulumi

from components.access import Access
from components.base import Component
from exposure.model import AccessApplication, ExposurePlan
from exposure.ways.way import Way


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

    def applications(self, service: str) -> list[AccessApplication]:
        """The Access applications that are planned for a service."""
        return [a for a in self.plan.applications if a.service == service]

    def beside(self, way: Way) -> frozenset[str]:
        """The classes of the components of the service's other ways: what is theirs is no former self of this one."""
        others = (w for w in self.plan.service(way.service).ways if type(w) is not type(way))
        return frozenset(w.component.rpartition(".")[2] for w in others)

    @cached_property
    def guards(self) -> dict[str, list[pulumi.Resource]]:
        """The applications that are registered, by the hosts that they are for."""
        return {}


class WayComponent(Component):
    """A component that registers one way: first what locks it, and with `publish` what gives it a name."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(name, opts)
        self.auds: dict[str, pulumi.Output[str]] = {}
        """The AUD of each of its Access applications, by the application's logical name."""

    @classmethod
    def register(cls, way: Way, context: Context) -> Sequence[WayComponent]:
        """Everything of the way but its names."""
        raise NotImplementedError

    def release(self, context: Context, after: pulumi.Resource) -> None:
        """Its names, once the tunnel's rules (`after`) and every application are there."""


def component_of(way: Way) -> type[WayComponent]:
    """The class that registers a way. The way names it, for what a stack means is decided without Pulumi."""
    module, _, name = way.component.rpartition(".")
    return cast("type[WayComponent]", getattr(import_module(module), name))
