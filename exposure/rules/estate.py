"""What stacks share: the estate's owner, nodes, the router's ports, folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from config.errors import show
from exposure.rules.base import AllStacks, OneStack, Problem, Ref, Rules, claimed_twice, listed
from exposure.ways.port_forward import PortForwardWay

RULES = Rules()
_PROGRAM = frozenset(
    (
        *("bench", "components", "config", "docs", "examples", "exposure", "gatehouse"),
        *("node_modules", "package", "policy", "schema", "tests"),
    )
)
"""The folders that the repository has, and those that tools put there."""


@RULES.everything(
    "estate-owner-twice", "TFT resource_acl.go, resource_dns_preferences.go; TFC zero_trust_organization", (59,)
)
def _owner_twice(everything: AllStacks) -> Iterator[Problem]:
    """An account, team, zone or tailnet has one owner."""
    claims: list[tuple[str, Ref]] = []
    for stack in everything.stacks:
        estate = stack.estate
        if estate is None or not stack.stack.owns_estate:
            continue
        owned = [f"Cloudflare account {estate.account_id}", f"Zero Trust team {estate.team}"]
        owned += dict.fromkeys(f"zone {zone.name}" for _, zone in stack.zones)
        owned += [f"tailnet {estate.tailnet.name}"] if estate.tailnet else []
        claims += [(what, stack.estate_ref()) for what in owned]
    both: dict[tuple[str, str], list[str]] = {}
    for what, second, first in claimed_twice(claims):
        both.setdefault((second.stack.name, first.stack.name), []).append(what)
    where = {s.stack.name: s.estate_ref() for s in everything.stacks}
    for (later, earlier), shared in both.items():
        yield where[later].problem(
            "",
            f"stacks {earlier} and {later} both own {listed(shared)}: two owners of one login provider, policy or "
            "zone undo each other's work at every `up`",
            f"keep one of the two: in {later}, write `gatehouse:member_of: {earlier}` in place of the estate",
            related=(where[earlier],),
        )


@RULES.everything("node-name-twice", "Gatehouse: a stack is a node", (55,))
def _node_twice(everything: AllStacks) -> Iterator[Problem]:
    """A node's name is its own."""
    return _twice(
        everything,
        "name",
        "has a node of this name too, and host names, tags and the tunnel are named after the node",
        "give each node its own name",
    )


@RULES.everything("context-twice", "Gatehouse: a stack is a node")
def _context_twice(everything: AllStacks) -> Iterator[Problem]:
    """A cluster has one stack."""
    return _twice(
        everything,
        "context",
        "deploys to this cluster too, and two stacks would overwrite each other's connector",
        "name the kubectl context of this node's own cluster",
    )


def _twice(everything: AllStacks, field: str, reason: str, fix: str) -> Iterator[Problem]:
    claims = [(str(getattr(s.node, field)), s.ref("node", field)) for s in everything.stacks if s.node is not None]
    for claim, second, first in claimed_twice(claims):
        yield second.problem(show(claim), f"stack {first.stack.name} {reason}", fix, related=(first,))


@RULES.everything("router-port-twice", "LE docs/challenge-types", (36,))
def _router_ports(everything: AllStacks) -> Iterator[Problem]:
    """A router's port is forwarded once, port 80 too."""
    claims: list[tuple[str, Ref]] = []
    for stack in everything.stacks:
        for service in stack.by(PortForwardWay):
            for index, port in enumerate(service.service.port_forward or []):
                if stack.node is not None and stack.node.router_ipv4 is not None:
                    claim = f"{port.protocol} port {port.external_port} of router {stack.node.router_ipv4}"
                    claims.append((claim, service.ref("port_forward", index, "external_port")))
    for claim, second, first in claimed_twice(claims):
        same = second.stack.name == first.stack.name
        yield second.problem(
            claim.split()[2],
            f"service {first.path[1]}{'' if same else f' of stack {first.stack.name}'} has {claim} already, "
            "and a router forwards a port to one node only",
            "write another `external_port:`",
            related=(first,),
        )


@RULES.stack("node-port-twice", "Kubernetes Service")
def _node_ports(stack: OneStack) -> Iterator[Problem]:
    """A NodePort belongs to one Service."""
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
            f"service {first.path[1]} has this NodePort already, and Kubernetes gives it to one Service only",
            "write another `node_port:`, from 30000 to 32767",
            related=(first,),
        )


@RULES.stack("manifests-folder", "pulumi-kubernetes provider")
def _folder(stack: OneStack) -> Iterator[Problem]:
    """Manifests are rendered inside the repository."""
    folder = stack.node.manifests_folder if stack.node else None
    if folder is None:
        return
    path = PurePosixPath(folder)
    if not folder.strip() or path == PurePosixPath("."):
        reason = "this is the repository's own folder, from which `up` would remove what it takes for old manifests"
    elif path.is_absolute() or ".." in path.parts or folder.startswith("~") or "\\" in folder:
        reason = "this is outside the repository, and another place on each machine"
    elif path.parts[0].startswith("."):
        reason = "this is a hidden folder, where tools keep files of their own"
    elif path.parts[0].casefold() in _PROGRAM:
        reason = (
            f"`{path.parts[0]}` is a folder of the program: manifests would stand among its files, and `up` would "
            "take them for old manifests"
        )
    elif not folder.isprintable():
        reason = "the name has characters that cannot be seen"
    else:
        return
    yield Problem(
        ("node", "manifests_folder"),
        show(folder),
        reason,
        f"write `manifests_folder: manifests/{stack.node_name or 'alfred'}`, or another folder of the repository",
    )


@RULES.everything("manifests-folder-twice", "pulumi-kubernetes provider")
def _folder_twice(everything: AllStacks) -> Iterator[Problem]:
    """Each cluster's manifests have their own folder."""
    claims = [
        (str(PurePosixPath(s.node.manifests_folder)), s.ref("node", "manifests_folder"))
        for s in everything.stacks
        if s.node and s.node.manifests_folder
    ]
    for claim, second, first in claimed_twice(claims):
        yield second.problem(
            show(claim),
            f"stack {first.stack.name} renders to this folder too, and the manifests of two clusters would mix",
            f"write `manifests_folder: manifests/{second.stack.name}`, or another folder of its own",
            related=(first,),
        )
