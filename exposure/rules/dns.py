"""The tailnet's DNS: what devices ask, and whether they reach it."""

from __future__ import annotations

from collections.abc import Iterator

from config.errors import Path_, show
from config.services import NodeOrigin, UrlOrigin
from config.stack import TailnetDns
from config.values import on_tailnet, reachable
from exposure.rules.base import AllStacks, EstateRule, OneService, OneStack, Problem, StackRule, listed
from exposure.ways.tailnet import TailnetWay

_PATH = ("estate", "tailnet", "dns")
_KB = "tailscale.com/kb/1054"


def _used(stack: OneStack) -> Iterator[Problem]:
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


def _reached(everything: AllStacks) -> Iterator[Problem]:
    for owner, family in everything.families():
        tailnet = owner.estate.tailnet if owner.estate else None
        for path, addresses in _nameservers(tailnet.dns) if tailnet else ():
            everywhere = path == ("nameservers",)
            # All are asked at once, and the first answer counts [TS net/dns/resolver/forwarder.go].
            others = any(not on_tailnet(a) and reachable(a) != "home" for a in addresses)
            of = "at all" if everywhere else f"of {path[1]}"
            instead = "get every answer from the others" if others else f"resolve no name {of}"
            for index, address in enumerate(addresses):
                for reason, fix in _unreached(address, owner, family, everywhere=everywhere):
                    yield owner.ref(*_PATH, *path, index).problem(
                        show(address),
                        f"{reason}, and would {instead}",
                        f"{fix}; or, where your own policy or a subnet router opens the way, acknowledge "
                        "`tailnet-nameserver` under `gatehouse:acknowledge`",
                    )


def _nameservers(dns: TailnetDns) -> Iterator[tuple[Path_, list[str]]]:
    yield ("nameservers",), dns.nameservers or []
    yield from ((("split_dns", domain), addresses) for domain, addresses in (dns.split_dns or {}).items())


def _unreached(
    address: str, owner: OneStack, family: tuple[OneStack, ...], *, everywhere: bool
) -> Iterator[tuple[str, str]]:
    """Why some devices do not reach a nameserver, and what opens the way; `everywhere`: all devices ask it."""
    if not on_tailnet(address):
        if reachable(address) == "home":
            yield (
                "away from home, devices do not reach this address",
                "write the nameserver's address on the tailnet, and open its UDP port 53 by a service with "
                "`clients: tailnet`",
            )
        return
    nodes = [stack for stack in family if stack.node and stack.node.tailnet_ipv4 == address]
    answering = [
        service
        for stack in nodes or family
        for service in stack.by(TailnetWay)
        if _answers(service) and (not nodes or isinstance(service.service.origin, NodeOrigin))
    ]
    if not answering:
        yield (
            "no service opens UDP port 53 of it, so devices may not ask it",
            "open it by a service with `clients: tailnet` and UDP port 53",
        )
        return
    estate = owner.estate
    assert estate is not None
    assert estate.tailnet is not None
    let_in = estate.who(name for service in answering for name in service.people)
    named = estate.who(name for stack in family for service in stack.by(TailnetWay) for name in service.people)
    left_out = set(estate.tailnet.users or named) - let_in
    if everywhere and left_out:
        services = listed(s.key for s in answering)
        yield (
            f"the devices of {listed(sorted(left_out))} ask it too and are not let in by {services}",
            f"name a set that has them under `people:` of {services}",
        )


def _answers(service: OneService) -> bool:
    origin = service.service.origin
    if isinstance(origin, UrlOrigin):
        return False
    others = () if isinstance(origin, NodeOrigin) else origin.other_ports or ()
    return ("udp", 53) in ((origin.scheme, origin.port), *((p.protocol, p.port) for p in others))


RULES = (
    StackRule("tailnet-dns", "The tailnet's nameservers are asked", _KB, check=_used),
    EstateRule(
        "tailnet-nameserver",
        "Devices reach the tailnet's nameservers",
        _KB,
        acceptable="stack",
        check=_reached,
    ),
)
