"""The addresses of nodes and their routers: ones that machines can have, reached from where they have to be."""

from __future__ import annotations

from collections.abc import Iterator

from config.errors import show
from config.values import reachable
from exposure.rules.base import AllStacks, OneStack, Problem, Rules, listed
from exposure.ways.port_forward import PortForwardWay
from exposure.workload import one_home

RULES = Rules()
_SPECIAL = "IANA, IPv4 Special-Purpose Address Registry"
_ROUTER = "write the address that the router has on the internet"
_AT_HOME = "write the node's address on the home network, such as 192.168.0.9"


@RULES.stack("address-impossible", _SPECIAL)
def _impossible(stack: OneStack) -> Iterator[Problem]:
    """An address is one that a machine can have."""
    node = stack.node
    for field in ("router_ipv4", "lan_ipv4", "tailnet_ipv4") if node else ():
        address, reason, source = getattr(node, field), "", ""
        if address and reachable(address) == "nowhere":
            reason = "no other machine reaches this address: it is reserved, of many machines at once, or one's own"
        elif address and field == "tailnet_ipv4" and reachable(address) != "shared":
            reason, source = (
                "a tailnet's addresses are those from 100.64.0.0 to 100.127.255.255",
                "tailscale.com/kb/1015",
            )
        if reason:
            yield Problem(("node", field), show(address), reason, _FIXES[field], source=source)


_FIXES = {
    "router_ipv4": f"{_ROUTER}, or leave it out where no port-forward and no `public_record` needs it",
    "lan_ipv4": _AT_HOME,
    "tailnet_ipv4": "write what `tailscale ip -4` says on the node, or leave it out",
}


@RULES.stack("router-address", f"{_SPECIAL}; RFC 6598")
def _router(stack: OneStack) -> Iterator[Problem]:
    """What leads to the router has its public address."""
    node, forwarded = stack.node, list(stack.by(PortForwardWay))
    users = [(f"service {s.key}", s.ref()) for s in forwarded]
    if node and node.public_record:
        users.append(("`public_record`", stack.ref("node", "public_record")))
    said = node.router_ipv4 if node else None
    wrong = {
        None: "and its address is not said",
        "shared": "and this is behind carrier-grade NAT: an address of the provider's network, which nobody outside "
        "reaches",
        "home": "and this is an address inside a home, which nobody outside reaches",
    }.get(said and reachable(said))
    if node and users and wrong:
        yield Problem(
            ("node", "router_ipv4"),
            show(said) if said else "",
            f"{listed(what for what, _ in users)} {'leads' if len(users) == 1 else 'lead'} the internet to the router, "
            f"{wrong}",
            f"{_ROUTER}; where it has no public one, ask your provider for one, or "
            + (
                "say `clients: tailnet`, or use gate funnel for what speaks HTTP: those need none"
                if forwarded
                else "take `public_record` out"
            ),
            related=tuple(ref for _, ref in users),
        )


@RULES.stack("lan-address", "RFC 1918", acceptable="stack")
def _lan(stack: OneStack) -> Iterator[Problem]:
    """A node's address at home is private, unless knowingly."""
    node = stack.node
    where = reachable(node.lan_ipv4) if node else "home"
    if node is None or where not in ("shared", "internet"):
        return
    yield Problem(
        ("node", "lan_ipv4"),
        show(node.lan_ipv4),
        "an address of a tailnet or of a provider's network, and none at home: no router forwards a port to it"
        if where == "shared"
        else "a public address, and none at home: what the connector sends to the node would cross the internet, and "
        "whoever has the address gets it",
        _AT_HOME
        + ("; that of the tailnet is `tailnet_ipv4:`" if where == "shared" else "")
        + "; or, for a rented server that has no other, acknowledge `lan-address` under `gatehouse:acknowledge`",
    )


@RULES.everything("lan-address-twice", "RFC 1918")
def _lan_twice(everything: AllStacks) -> Iterator[Problem]:
    """No two nodes of one home have one address."""
    known = [(stack, stack.node) for stack in everything.stacks if stack.node is not None]
    for index, (stack, node) in enumerate(known):
        same = (s for s, n in known[:index] if n.lan_ipv4 == node.lan_ipv4 and one_home(n, node))
        first = next(same, None)
        if first is None:
            continue
        yield stack.ref("node", "lan_ipv4").problem(
            show(node.lan_ipv4),
            f"stack {first.stack.name} has a node at this address, and two machines of one home cannot: what the "
            "router forwards to one would end at the other",
            "write each node's own address, or, where they are in two homes, each router's public address as "
            "`router_ipv4:`",
            related=(first.ref("node", "lan_ipv4"),),
        )
