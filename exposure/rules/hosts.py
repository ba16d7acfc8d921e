"""Host names: inside the zone, one label deep, claimed once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from config.errors import show
from config.fields import LABEL
from config.values import Path
from exposure.names import path_names
from exposure.rules.base import (
    AllStacks,
    EstateRule,
    OneService,
    OneStack,
    Problem,
    Ref,
    ServiceRule,
    StackRule,
    claimed_twice,
)
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tunnel import TunnelWay, ZeroTrustWay

_DERIVED = "set `host:` to a name that fits"


def _bare(host: str) -> str:
    """What is left of a host name without scheme, port, path and capitals."""
    host = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://", "", host)
    return re.split(r"[:/?#]", host, maxsplit=1)[0].lower().rstrip(".")


def _is_name(text: str) -> bool:
    return len(text) <= 253 and all(LABEL.fullmatch(label) for label in text.split("."))


def _form(service: OneService) -> Iterator[Problem]:
    host = next(iter(service.hosts), None)
    if not service.by(TunnelWay, PortForwardWay) or host is None or "*" in host:
        return
    bare = _bare(host)
    if not _is_name(bare):
        wrong = next((label for label in bare.split(".") if not LABEL.fullmatch(label)), None)
        reason = (
            "a DNS name has at most 253 characters"
            if wrong is None
            else f"{wrong!r} is no DNS label: letters, digits and hyphens, at most 63, a letter or digit at both ends"
        )
        fixed = bare.replace("_", "-")
        mend = "write such a name" if service.service.host is not None else "set `host:` to a shorter name"
        yield service.problem("host", host, reason, mend, suggestion=fixed if _is_name(fixed) else "")
    elif bare != host:
        yield service.problem(
            "host",
            host,
            "a host name is lower case, with no scheme, port or path: cloudflared drops a request's port before it "
            "compares, and Access takes neither",
            "write the bare name",
            suggestion=bare,
        )


def _wildcard(service: OneService) -> Iterator[Problem]:
    host = service.service.host
    if service.by(TunnelWay, PortForwardWay) and host is not None and "*" in host:
        yield service.problem(
            "host",
            host,
            "a tunnel's `*.` matches any depth and an Access application's one label only, so deeper names would be "
            "open; a `*` anywhere else never matches",
            "write one service for each host name",
        )


def _outside(service: OneService) -> Iterator[Problem]:
    host, zone = service.service.host, service.inside.zone_name
    if not service.by(TunnelWay, PortForwardWay) or host is None or zone is None or "*" in host:
        return
    bare = _bare(host)
    if bare == zone or bare.endswith(f".{zone}"):
        return
    first, _, rest = bare.partition(".")
    near = LABEL.fullmatch(first) and (not rest or difflib.get_close_matches(rest, [zone], cutoff=0.6))
    yield service.problem(
        "host",
        host,
        f"outside the zone {zone}: no record of that name can be made there, so nobody would find it",
        f"write a name that ends in .{zone}",
        suggestion=f"{first}.{zone}" if near else "",
    )


def _too_deep(service: OneService) -> Iterator[Problem]:
    host, zone = service.service.host, service.inside.zone_name
    if not service.by(TunnelWay) or host is None or zone is None or "*" in host:
        return
    if service.estate is None or service.estate.zone.advanced_certificate:
        return
    bare = _bare(host)
    below = bare.removesuffix(f".{zone}")
    if below == bare or "." not in below:
        return
    joined = f"{below.replace('.', '-')}.{zone}"
    yield service.problem(
        "host",
        host,
        f"{below.count('.') + 1} labels below {zone}: Cloudflare's free certificate covers one, so browsers get a TLS "
        "handshake failure and nothing else",
        "join the labels with hyphens, or say `zone.advanced_certificate: true` if you pay for Advanced Certificate "
        "Manager",
        suggestion=joined if _is_name(joined) else "",
    )


def _twice(everything: AllStacks) -> Iterator[tuple[OneStack, Problem]]:
    where = {s.stack.name: s for s in everything.stacks}
    for host, second, first in claimed_twice(claim for stack in everything.stacks for claim in _claims(stack)):
        node_record = second.path[0] == "node"
        yield (
            where[second.stack.name],
            Problem(
                second.path,
                show(host),
                f"{_who(first, second)} claims this name too: the DNS API refuses a second record, and a tunnel sends "
                "everything to the first rule that matches",
                f"give the service another `host:`{', or take `public_record` out' if node_record else ''}",
                related=(first,),
            ),
        )


def _claims(stack: OneStack) -> Iterator[tuple[str, Ref]]:
    for service in stack.by(TunnelWay, PortForwardWay):
        for index, host in enumerate(service.hosts):
            yield _bare(host), service.ref(*service.host_path(index))
    # The node's own record last, so that the finding about it stands at the line that adds it.
    if stack.node and stack.node.public_record and stack.node_name and stack.zone_name:
        yield f"{stack.node_name}.{stack.zone_name}", stack.ref("node", "public_record")


def _who(first: Ref, second: Ref) -> str:
    what = "the node's own record" if first.path[0] == "node" else f"service {first.path[1]}"
    return what if first.stack is second.stack else f"{what} in stack {first.stack.name}"


def _logical(stack: OneStack) -> Iterator[Problem]:
    claims: list[tuple[str, Ref]] = [(service.key, service.ref()) for service in stack.by(ZeroTrustWay)]
    for service in stack.by(ZeroTrustWay):
        if service.service.own_certificate:
            claims.append((f"{service.key}-acme", service.ref("own_certificate")))
        names = path_names(service.key, map(Path, service.service.paths))
        claims += [(name, service.ref("paths")) for name in names.values()]
    for name, second, first in claimed_twice(claims):
        yield Problem(
            second.path,
            show(name),
            f"service {first.path[1]} gives an Access application this name already, and one of the two would take "
            "the other's place",
            "rename one of the two services",
            related=(first,),
        )


RULES = (
    ServiceRule(
        "host-form",
        "A host name is a bare, lower-case DNS name",
        "CFD ingress/ingress.go; RFC 1123 2.1",
        (5, 47),
        check=_form,
    ),
    ServiceRule(
        "host-wildcard",
        "No wildcard host names: a tunnel's and an Access application's wildcards differ in depth",
        "CFD ingress/rule.go; CFDOC cloudflare-one/access-controls/policies/app-paths",
        (3, 4),
        check=_wildcard,
    ),
    ServiceRule(
        "host-outside-zone",
        "A host name is inside the zone",
        "CFDOC dns/manage-dns-records",
        (1, 53),
        check=_outside,
    ),
    ServiceRule(
        "host-too-deep",
        "A host name is one label below the zone, unless an advanced certificate covers more",
        "CFDOC ssl/edge-certificates/universal-ssl/limitations",
        (2,),
        check=_too_deep,
    ),
    EstateRule(
        "host-twice",
        "One claim a host name, over all stacks",
        "CFDOC dns/manage-dns-records; CFD ingress/ingress.go",
        (8, 23),
        check=_twice,
    ),
    StackRule(
        "logical-name-twice",
        "An Access application's logical name is its own",
        "Gatehouse: logical names come from the service's key",
        check=_logical,
    ),
)
