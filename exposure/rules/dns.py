"""The tailnet's DNS: what devices ask, and whether they reach it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from config.errors import Path_, show
from config.stack import TailnetDns
from config.values import on_tailnet, reachable
from exposure.names import node_tag
from exposure.policy_eval import Endpoint
from exposure.rules.base import Family, OneStack, Problem, Rules, listed, planned
from exposure.ways.tailnet import TailnetWay

if TYPE_CHECKING:
    from exposure.reach.project import Project

RULES = Rules()
_PATH = ("estate", "tailnet", "dns")
_KB = "tailscale.com/kb/1054"


@RULES.stack("tailnet-dns", _KB)
def _used(stack: OneStack) -> Iterator[Problem]:
    """The tailnet's nameservers are asked."""
    tailnet = stack.estate.tailnet if stack.estate and stack.stack.owns_estate else None
    unread = any(path[:3] == _PATH for path in stack.stack.assumed)
    if tailnet is None or unread or bool(tailnet.dns.nameservers) == tailnet.dns.override_local_dns:
        return
    if tailnet.dns.override_local_dns:
        yield Problem(
            (*_PATH, "override_local_dns"),
            "true",
            "there is no nameserver that devices could ask in place of their own",
            "list some under `nameservers:`, or remove it",
        )
    else:
        yield Problem(
            (*_PATH, "nameservers"),
            show(tailnet.dns.nameservers),
            "devices go on asking the nameservers that their network gives them, and never these",
            "say `override_local_dns: true`, or remove it",
        )


@RULES.family("tailnet-nameserver", _KB, acceptable="stack", last=True)
def _reached(family: Family) -> Iterator[Problem]:
    """Devices reach the tailnet's nameservers."""
    asked = list(_nameservers(family.tailnet.dns)) if family.tailnet else []
    private = any(not _everywhere(address) for _, addresses in asked for address in addresses)
    # What cannot be planned has findings already.
    if not private or any(stack.refused for stack in family.stacks):
        return
    ways = _Ways(family.once(planned))
    for path, addresses in asked:
        everywhere = path == ("nameservers",)
        found = [None if _everywhere(a) else ways.unreached(a, everywhere=everywhere) for a in addresses]
        # All are asked at once, and the first answer counts [TS net/dns/resolver/forwarder.go].
        of = "at all" if everywhere else f"of {path[1]}"
        instead = f"resolve no name {of}" if all(found) else "get every answer from the others"
        for index, (address, told) in enumerate(zip(addresses, found, strict=True)):
            if told:
                reason, fix = told
                yield family.owner.ref(*_PATH, *path, index).problem(
                    show(address),
                    f"{reason}, and would {instead}",
                    f"{fix}; or, where something else opens the way, acknowledge `tailnet-nameserver` under"
                    " `gatehouse:acknowledge`",
                )


def _nameservers(dns: TailnetDns) -> Iterator[tuple[Path_, list[str]]]:
    yield ("nameservers",), dns.nameservers or []
    yield from ((("split_dns", domain), addresses) for domain, addresses in (dns.split_dns or {}).items())


def _everywhere(address: str) -> bool:
    return not on_tailnet(address) and reachable(address) != "home"


class _Ways:
    """How people's devices reach a nameserver, by the policy of an estate, the owner's own part included."""

    def __init__(self, project: Project) -> None:
        from exposure.reach.surface import merge
        from exposure.reach.tailnet import people_of, policy_of

        self.surface = merge(project.surfaces.values())
        self.plans = project.plans.values()
        self.document = next((p.tailnet_policy for p in self.plans if p.tailnet_policy is not None), {})
        self.policy = policy_of(self.document)
        tailnet = next(plan.estate.tailnet for plan in self.plans)
        self.people = sorted((tailnet.users if tailnet else None) or people_of(self.document))

    def unreached(self, address: str, *, everywhere: bool) -> tuple[str, str] | None:
        """Why devices do not reach a nameserver, and what opens the way; `everywhere`: all devices ask it."""
        from exposure.reach.tailnet import surely_lets

        if not on_tailnet(address) and not self._led_to(address):
            return (
                "away from home, devices do not reach this address",
                "write the nameserver's address on the tailnet, and open its UDP port 53 by a service with "
                "`clients: tailnet`, or lead people to it by `node.routes`",
            )
        # It is one machine, whichever: the one that leaves out the fewest.
        left_out, machine = min(
            (
                ([p for p in self.people if not surely_lets(self.policy, p, machine, "udp", 53)], machine)
                for machine in self._machines(address)
            ),
            key=lambda found: len(found[0]),
        )
        if len(left_out) == len(self.people) and not on_tailnet(address):
            return (
                "a route leads to its network, and no rule of the policy opens UDP port 53 of it, so devices may not"
                " ask it",
                "lead people to its UDP port 53 by `node.routes`: to all of its ports, or with `udp:53` under `ports:`",
            )
        if len(left_out) == len(self.people):
            return (
                "no service and no rule of the policy opens UDP port 53 of it, so devices may not ask it",
                "open it by a service with `clients: tailnet` and UDP port 53",
            )
        if not everywhere or not left_out:
            return None
        by = self._services(machine)
        return (
            f"the devices of {listed(left_out)} ask it too and are not let in{f' by {listed(by)}' * bool(by)}",
            f"name a set that has them under `people:` of {listed(by) or 'what leads to it'}",
        )

    def _led_to(self, address: str) -> bool:
        """Whether a route that the policy approves leads to an address at home; one to everything is an exit node."""
        from exposure.policy_eval.addresses import contains, parse_address, parse_prefix

        approved = (v for k, v in self.document.items() if k.lower() == "autoapprovers" and isinstance(v, dict))
        routes = (v for found in approved for k, v in found.items() if k.lower() == "routes" and isinstance(v, dict))
        networks = [parse_prefix(to) for found in routes for to, by in found.items() if by and not to.endswith("/0")]
        asked = parse_address(address)
        return asked is not None and contains(tuple(filter(None, networks)), asked) is True

    def _machines(self, address: str) -> Iterator[Endpoint]:
        """What may have the address: a node that says so, or else the address itself and every tag that is open there,
        but for machines of which it is known that they have another address, or do not answer there."""
        from exposure.policy_eval import endpoints, machine
        from exposure.policy_eval.addresses import parse_address
        from exposure.reach.tailnet import answering

        bare = parse_address(address)
        assert bare
        if not on_tailnet(address):
            yield Endpoint(address, (bare,), device=False)
            return
        nodes = {node_tag(n.name): n.tailnet_ipv4 for n in self.surface.nodes if n.tailnet_ipv4}
        node = next((tag for tag, known in nodes.items() if known == address), None)
        if node:
            yield machine((node,), address)
            return
        yield endpoints(self.policy, address)[0]
        shut = {t for a in self.surface.tailnet_addresses if a.ports and ("udp", 53) not in a.ports for t in a.tags}
        shut |= {t for i in self.surface.tailnet_ingresses for t in i.tags} | set(nodes)
        for name in answering(self.document, "udp", 53):
            if name not in shut:
                yield machine((name,), address) if name.startswith("tag:") else endpoints(self.policy, name)[0]

    def _services(self, machine: Endpoint) -> list[str]:
        ways = (way for plan in self.plans for way in plan.by(TailnetWay) if way.tag in machine.tags)
        return sorted(w.service for w in ways if any((p.protocol, p.port) == ("udp", 53) for p in w.ports))
