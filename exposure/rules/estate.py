"""What stacks share: the estate's owner, nodes, the router's ports, folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from config.errors import show
from exposure.rules.base import AllStacks, EstateRule, OneStack, Problem, Ref, StackRule, claimed_twice
from exposure.ways.port_forward import PortForwardWay


def _owner_twice(everything: AllStacks) -> Iterator[tuple[OneStack, Problem]]:
    where = {s.stack.name: s for s in everything.stacks}
    claims: list[tuple[str, Ref]] = []
    for stack in everything.stacks:
        estate = stack.estate
        if estate is None or not stack.stack.owns_estate:
            continue
        claims.append((f"Cloudflare account {estate.account_id}", stack.ref("estate", "account_id")))
        claims.append((f"Zero Trust team {estate.team}", stack.ref("estate", "team")))
        zones = {zone.name: path for path, zone in reversed(stack.zones)}
        claims += [(f"zone {name}", stack.ref(*path, "name")) for name, path in zones.items()]
        if estate.tailnet:
            claims.append((f"tailnet {estate.tailnet.name}", stack.ref("estate", "tailnet", "name")))
    for what, second, first in claimed_twice(claims):
        yield (
            where[second.stack.name],
            Problem(
                second.path,
                show(what.rsplit(" ", 1)[1]),
                f"stack {first.stack.name} owns {what} already: two owners of its one login provider, policy or DNS "
                "settings undo each other's work at every `up`",
                f"say `gatehouse:member_of: organization/gatehouse/{first.stack.name}` in place of the estate",
                related=(first,),
            ),
        )


def _node_twice(everything: AllStacks) -> Iterator[tuple[OneStack, Problem]]:
    return _twice(
        everything,
        "name",
        "names this node too: host names, tags and the tunnel are named after the node",
        "give each node its own name",
    )


def _context_twice(everything: AllStacks) -> Iterator[tuple[OneStack, Problem]]:
    return _twice(
        everything,
        "context",
        "deploys to this cluster too: two stacks would overwrite each other's connector",
        "name the kubectl context of this node's own cluster",
    )


def _twice(everything: AllStacks, field: str, reason: str, fix: str) -> Iterator[tuple[OneStack, Problem]]:
    where = {s.stack.name: s for s in everything.stacks}
    claims = [(str(getattr(s.node, field)), s.ref("node", field)) for s in everything.stacks if s.node is not None]
    for claim, second, first in claimed_twice(claims):
        yield (
            where[second.stack.name],
            Problem(second.path, show(claim), f"stack {first.stack.name} {reason}", fix, related=(first,)),
        )


def _router_ports(everything: AllStacks) -> Iterator[tuple[OneStack, Problem]]:
    where = {s.stack.name: s for s in everything.stacks}
    claims: list[tuple[str, Ref]] = []
    for stack in everything.stacks:
        for service in stack.by(PortForwardWay):
            for index, port in enumerate(service.service.port_forward or []):
                if stack.node is not None and stack.node.router_ipv4 is not None:
                    claim = f"{port.protocol} port {port.external_port} of router {stack.node.router_ipv4}"
                    claims.append((claim, service.ref("port_forward", index, "external_port")))
    for claim, second, first in claimed_twice(claims):
        same = second.stack.name == first.stack.name
        yield (
            where[second.stack.name],
            Problem(
                second.path,
                claim.split()[2],
                f"service {first.path[1]}{'' if same else f' of stack {first.stack.name}'} has {claim}: a router "
                "forwards a port to one node",
                "use another external port",
                related=(first,),
            ),
        )


def _node_ports(stack: OneStack) -> Iterator[Problem]:
    claims: list[tuple[str, Ref]] = []
    for service in stack.by(PortForwardWay):
        seen: dict[int, str] = {}
        for index, port in enumerate(service.service.port_forward or []):
            # One Service may use a NodePort for TCP and for UDP; two Services may not share it.
            if port.node_port in seen and seen[port.node_port] != port.protocol:
                continue
            seen[port.node_port] = port.protocol
            claims.append((str(port.node_port), service.ref("port_forward", index, "node_port")))
    for claim, second, first in claimed_twice(claims):
        yield Problem(
            second.path,
            claim,
            f"service {first.path[1]} has this NodePort: Kubernetes gives it to one Service, and refuses the other",
            "use another from 30000 to 32767",
            related=(first,),
        )


def _folder(stack: OneStack) -> Iterator[Problem]:
    folder = stack.node.manifests_folder if stack.node else None
    if folder is None:
        return
    path = PurePosixPath(folder)
    if not folder.strip() or path == PurePosixPath("."):
        reason = "the repository's own folder: manifests would stand among its files, and old ones be removed from it"
    elif path.is_absolute() or ".." in path.parts or folder.startswith("~") or "\\" in folder:
        reason = "outside the repository: it means another place on each machine"
    elif path.parts[0].startswith("."):
        reason = "a hidden folder of the repository, which tools keep their own files in"
    else:
        return
    yield Problem(
        ("node", "manifests_folder"),
        show(folder),
        reason,
        "name a folder in the repository, such as `manifests/alfred`",
    )


def _folder_twice(everything: AllStacks) -> Iterator[tuple[OneStack, Problem]]:
    where = {s.stack.name: s for s in everything.stacks}
    claims = [
        (str(PurePosixPath(s.node.manifests_folder)), s.ref("node", "manifests_folder"))
        for s in everything.stacks
        if s.node and s.node.manifests_folder
    ]
    for claim, second, first in claimed_twice(claims):
        yield (
            where[second.stack.name],
            Problem(
                second.path,
                show(claim),
                f"stack {first.stack.name} renders to this folder too, and the manifests of two clusters would mix",
                "name a folder for each node",
                related=(first,),
            ),
        )


RULES = (
    EstateRule(
        "estate-owner-twice",
        "One owner of an account, team, zone and tailnet",
        "TFT resource_acl.go, resource_dns_preferences.go; TFC zero_trust_organization",
        (59,),
        check=_owner_twice,
    ),
    EstateRule("node-name-twice", "A node's name is its own", "Gatehouse: a stack is a node", (55,), check=_node_twice),
    EstateRule("context-twice", "A cluster has one stack", "Gatehouse: a stack is a node", check=_context_twice),
    EstateRule(
        "router-port-twice",
        "A router's port is forwarded once, port 80 too",
        "LE docs/challenge-types",
        (36,),
        check=_router_ports,
    ),
    StackRule("node-port-twice", "A NodePort belongs to one Service", "Kubernetes Service", check=_node_ports),
    StackRule(
        "manifests-folder", "Manifests are rendered inside the repository", "pulumi-kubernetes provider", check=_folder
    ),
    EstateRule(
        "manifests-folder-twice",
        "Each cluster's manifests have their own folder",
        "pulumi-kubernetes provider",
        check=_folder_twice,
    ),
)
