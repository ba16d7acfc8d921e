"""The surfaces of a project's stack files: one a stack, and the estate's as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from config.loader import LoadedStack
from config.services import NodeOrigin
from exposure.decide import chosen
from exposure.model import ExposurePlan
from exposure.names import scheme_of
from exposure.plan import plan_stack
from exposure.reach.audience import Place
from exposure.reach.evaluate import Request
from exposure.reach.surface import Known, Surface, from_plan, known_of, merge


@dataclass(frozen=True)
class Project:
    """Stacks that could be planned, with their surfaces. `stacks` holds all of them."""

    stacks: Mapping[str, LoadedStack]
    plans: Mapping[str, ExposurePlan]
    surfaces: Mapping[str, Surface]

    def known(self, stack: str) -> Known:
        """What no resource of a stack says."""
        return known_of(self.plans[stack], self._owner(stack))

    def whole(self) -> list[Surface]:
        """One surface for each estate: what is registered by all of its stacks together."""
        estates: dict[str, list[Surface]] = {}
        for name, found in self.surfaces.items():
            owner = self.stacks[name].owner
            estates.setdefault(owner.name if owner else name, []).append(found)
        return [merge(surfaces) for surfaces in estates.values()]

    def owner_of(self, place: Place) -> tuple[str, str] | None:
        """The stack and the service that a place belongs to."""
        request = place.request
        for name, found in self.surfaces.items():
            hosts = {r.host: r.service for r in found.records if r.service}
            hosts |= {r.host: r.service for r in found.rules if r.host and r.service}
            suffix = f".{found.tailnet.name}" if found.tailnet and found.tailnet.name else ""
            hosts |= {f"{i.machine}{suffix}": i.service for i in found.tailnet_ingresses if i.service}
            hosts |= {f"{a.machine}{suffix}": a.service for a in found.tailnet_addresses if a.service}
            service = hosts.get(request.host) or _forwarded(found, request)
            if service:
                return name, service
            config = self.stacks[name].config
            for key, own in config.services.items() if config else ():
                origin = own.origin
                if config and isinstance(origin, NodeOrigin) and chosen(own).gate == "tailnet":
                    at_node = request.host in (config.node.name, f"{config.node.name}{suffix}")
                    protocol = "udp" if scheme_of(own) == "udp" else "tcp"
                    if at_node and (protocol, origin.port) == (request.protocol, request.port):
                        return name, key
        return None

    def _owner(self, stack: str) -> ExposurePlan | None:
        owner = self.stacks[stack].owner
        return self.plans.get(owner.name) if owner else None


def _forwarded(found: Surface, request: Request) -> str | None:
    """The service behind a forwarded port, under whatever name of the router it is asked for."""
    if not any(r.host == request.host and r.content in {f.address for f in found.router} for r in found.records):
        return None
    inside = {r.node_port for r in found.router if (r.protocol, r.external) == (request.protocol, request.port)}
    return next((n.service for n in found.node_ports if n.node_port in inside), None)


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
