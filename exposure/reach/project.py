"""The surfaces of a project's stack files: one a stack, and the estate's as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from config.loader import LoadedStack
from exposure.model import ExposurePlan
from exposure.plan import plan_stack
from exposure.reach.places import Place, service_at
from exposure.reach.surface import Known, Surface, from_plan, known_of, merge
from exposure.tailnet import routed
from exposure.ways.tailnet import TailnetWay


@dataclass(frozen=True)
class Project:
    """Stacks that could be planned, with their surfaces. `stacks` holds all of them."""

    stacks: Mapping[str, LoadedStack]
    plans: Mapping[str, ExposurePlan]
    surfaces: Mapping[str, Surface]

    def known(self, stack: str) -> Known:
        """What no resource of a stack says."""
        return known_of(self.plans[stack], self._owner(stack))

    def estates(self) -> list[dict[str, Surface]]:
        """The surfaces of each estate by stack."""
        estates: dict[str, dict[str, Surface]] = {}
        for name, found in self.surfaces.items():
            owner = self.stacks[name].owner
            estates.setdefault(owner.name if owner else name, {})[name] = found
        return list(estates.values())

    def whole(self) -> list[Surface]:
        """One surface for each estate: what is registered by all of its stacks together."""
        return [merge(surfaces.values()) for surfaces in self.estates()]

    def owner_of(self, place: Place) -> tuple[str, str | None] | None:
        """The stack and the service that a place belongs to. What is no service's: a port of a node, such as Tailscale
        SSH's, is of the estate's owner, and a route, or the internet by an exit node, of the stack that says it."""
        request = place.request
        for name, found in self.surfaces.items():
            service = service_at(found, request)
            for way in self.plans[name].by(TailnetWay) if service is None else ():
                names = (way.machine, f"{way.machine}.{way.tailnet}", self.plans[name].home.lan_ipv4)
                at_node = way.on_node and request.host in names
                if at_node and (request.protocol, request.port) == (way.ports[0].protocol, way.ports[0].port):
                    service = way.service
            if service is not None:
                return name, service
        for name, plan in self.plans.items():
            tailnet, owner = plan.estate.tailnet, self.stacks[name].owner
            if tailnet and request.host in (plan.node, f"{plan.node}.{tailnet.name}"):
                return owner.name if owner else name, None
            if any(lead.covers(request.host) for lead in routed(plan.home, plan.estate)):
                return name, None
        return None

    def _owner(self, stack: str) -> ExposurePlan | None:
        owner = self.stacks[stack].owner
        return self.plans.get(owner.name) if owner else None


def plan_project(stacks: Mapping[str, LoadedStack], names: Iterable[str] | None = None) -> Project:
    """Plan the named stacks (all of them by default) and the owners they need.

    Raises ValueError for a stack that was not checked first.
    """
    wanted = list(stacks if names is None else names)
    owners = {owner.name for name in wanted if (owner := stacks[name].owner)}
    plans = {name: plan_stack(stacks[name], stacks) for name in sorted({*wanted, *owners})}
    surfaces = {}
    for name in wanted:
        owner = stacks[name].owner
        surfaces[name] = from_plan(plans[name], plans[owner.name] if owner else None)
    return Project(stacks, plans, surfaces)
