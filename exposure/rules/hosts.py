"""Host names, and the paths of one host: inside a zone, claimed once, wildcards where they are safe."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import permutations

from config.errors import show
from config.fields import LABEL
from config.values import Host, MalformedError, Path, bare_host, is_name
from exposure.audience import ANYONE
from exposure.decide import moved
from exposure.rules.base import AllStacks, Family, OneService, OneStack, Problem, Ref, Rules, claimed_twice
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tunnel import TunnelWay
from exposure.ways.way import Claim

RULES = Rules()
_TAILSCALE = "ts.net"


def _public(service: OneService) -> Iterator[tuple[int, str, str]]:
    """The host names that it takes, each with its place in the list and what of it is a name, wildcards included."""
    if service.by(TunnelWay, PortForwardWay):
        # A redirect is the edge's, which a forwarded port passes by.
        for index, host in enumerate(service.names if service.by(TunnelWay) else service.hosts):
            star = "*." if host.startswith("*.") else ""
            yield index, host, star + bare_host(host.removeprefix(star))


def _malformed(service: OneService, rule: str) -> Iterator[Problem]:
    """The hosts that are none, by the rule that their parser names."""
    for index, host, _ in _public(service):
        try:
            Host.parse(host)
        except MalformedError as error:
            if error.rule == rule:
                derived = not service.service.said_hosts and index < len(service.hosts)
                fix = "add a `host:` with a shorter name" if derived else ""
                yield service.malformed(service.host_path(index), host, error, fix)


@RULES.service("host-form", "CFD ingress/ingress.go; RFC 1123 2.1", (5, 47))
def _host_form(service: OneService) -> Iterator[Problem]:
    """A host name is a bare, lower-case DNS name."""
    return _malformed(service, "host-form")


@RULES.service("host-wildcard", "CFD ingress/rule.go; CFDOC cloudflare-one/access-controls/policies/app-paths", (4, 33))
def _wildcard(service: OneService) -> Iterator[Problem]:
    """A wildcard stands in front of a tunnel's host, and has no paths and no certificate of its own."""
    yield from _malformed(service, "host-wildcard")
    said = service.service
    for index, host, name in _public(service):
        if not name.startswith("*.") or "*" in name[2:]:
            continue
        if index >= len(service.hosts):
            reason = "a redirect compares whole names, so a name with `*` never matches"
            fix = "list each name that redirects"
        elif not service.by(TunnelWay):
            reason, fix = "a router cannot tell names apart, so one name is enough", "write one name without `*`"
        elif said.own_certificate:
            reason = "HTTP-01 gives no certificate for a wildcard"
            fix = "remove `own_certificate:`, or write one service for each host name"
        elif said.path is not None or said.paths:
            word = "paths" if said.paths else "path"
            reason = "Cloudflare does not say which of `*.x/a` and `y.x` counts as the more specific at Access"
            fix = f"remove `{word}:`, or write one service for each host name with paths of its own"
        elif index == 0 and said.redirect_from:
            reason = "`redirect_from` leads to the first host, and no browser can go to a name with `*`"
            fix = "write a name without `*` first, or remove `redirect_from:`"
        else:
            continue
        yield service.problem(service.host_path(index), host, reason, fix)


@RULES.family("host-below-wildcard", "CFDOC cloudflare-one/access-controls/policies/app-paths", (41,))
def _below_wildcard(family: Family) -> Iterator[Problem]:
    """No name for anyone right below a wildcard behind Access."""
    found = [(stack, claim, ref) for stack in family.stacks for claim, ref in stack.claims]
    guarded = {c.host: (c, ref) for _, c, ref in found if c.host.wildcard and c.path.root and c.audience != ANYONE}
    if not guarded:
        return
    names = [
        (str(claim.host), ref)
        for stack, claim, ref in found
        if claim.audience == ANYONE and not claim.host.wildcard and _highest(claim, stack)
    ]
    names += [(stack.record, stack.ref("node", "public_record")) for stack in family.stacks if stack.record]
    for host, ref in names:
        above = guarded.get(Host(f"*.{host.partition('.')[2]}"))
        if above is not None:
            yield ref.problem(
                show(host),
                f"this is open to anyone, and service {above[0].service} guards {above[0].host}, so Access "
                "asks for a login at every name right below, this one too",
                "give it a name of another level or in another zone, say who its clients are, or list the "
                "guarded names in place of the `*`",
                related=(above[1],),
            )


def _highest(claim: Claim, stack: OneStack) -> bool:
    """Whether nothing of its own host is above it."""
    return not any(c.host == claim.host and c.path != claim.path and c.path.covers(claim.path) for c, _ in stack.claims)


@RULES.service("host-outside-zone", "CFDOC dns/manage-dns-records", (1, 53))
def _outside(service: OneService) -> Iterator[Problem]:
    """A host name is inside a zone of the estate."""
    estate = service.estate
    if estate is None or service.inside.zone_name is None:
        return
    zones = [zone.name for zone in estate.zones]
    for index, host, name in _public(service):
        if "*" in name.removeprefix("*.") or estate.zone_of(name):
            continue
        first, _, rest = name.partition(".")
        if rest.endswith(_TAILSCALE):
            gate = "funnel" if service.service.clients == "anyone" else "tailnet"
            move = moved(service.service, estate, gate, f" and `tailnet_name: {first}`")
            yield service.problem(
                service.host_path(index),
                host,
                "names in ts.net are Tailscale's: a machine has such a name on the tailnet, and no tunnel or record "
                "can take it",
                move or f"write a name that ends in .{zones[0]}",
            )
            continue
        near = [estate.zone.name] if not rest else difflib.get_close_matches(rest, zones, n=1, cutoff=0.6)
        outside = f"the zone {zones[0]}" if len(zones) == 1 else f"every zone ({', '.join(zones)})"
        yield service.problem(
            service.host_path(index),
            host,
            f"this name is outside {outside}, where no record for it can be made, so nobody would find it",
            f"write a name that ends in {' or '.join(f'.{zone}' for zone in zones)}",
            suggestion=f"{first}.{near[0]}" if near and (LABEL.fullmatch(first) or first == "*") else "",
        )


@RULES.service("host-too-deep", "CFDOC ssl/edge-certificates/universal-ssl/limitations", (2,))
def _too_deep(service: OneService) -> Iterator[Problem]:
    """A host name is one label below its zone, unless an advanced certificate covers more."""
    estate = service.estate
    if estate is None or service.inside.zone_name is None or not service.by(TunnelWay):
        return
    for index, host, name in _public(service):
        zone = estate.zone_of(name)
        below = name.removesuffix(f".{zone.name}") if zone else name
        if zone is None or zone.advanced_certificate or below == name or "." not in below or "*" in name[2:]:
            continue
        joined = f"{below.replace('.', '-')}.{zone.name}"
        yield service.problem(
            service.host_path(index),
            host,
            f"this is {below.count('.') + 1} labels below {zone.name}, and Cloudflare's free certificate covers one, "
            "so browsers would refuse the connection",
            f"{f'write `{joined}`' if is_name(joined) else 'write a name one label below'}, or say "
            f"`advanced_certificate: true` at the zone {zone.name}, if you pay for Advanced Certificate Manager",
            suggestion=joined if is_name(joined) else "",
        )


@RULES.everything("host-twice", "CFDOC dns/manage-dns-records; CFD ingress/ingress.go", (8, 23))
def _twice(everything: AllStacks) -> Iterator[Problem]:
    # A path within a tunnel; None is a name that is taken whole, past every tunnel or by a redirect.
    """A host name, or a path of it, belongs to one service of all stacks."""
    taken: dict[str, list[tuple[Path | None, Ref]]] = {}
    for stack in everything.stacks:
        for host, path, ref in _names(stack):
            others = taken.setdefault(host, [])
            first = next((o for p, o in others if o.stack is not ref.stack or p is None or path in (None, p)), None)
            others.append((path, ref))
            if first is None or (first.stack is ref.stack and first.path[:2] == ref.path[:2]):
                continue
            why = "Cloudflare refuses a second DNS record, and a tunnel sends everything to the first rule that matches"
            if first.stack is not ref.stack:
                why = "one name for two nodes is not supported, since it leads to one node's tunnel or to one router"
            own = f"give the service another `host:`{', or remove `public_record:`' if ref.path[0] == 'node' else ''}"
            if "redirect_from" in (*first.path[2:], *ref.path[2:]):
                own = "take it out of `redirect_from:`, since a redirect takes the name with all its paths"
            shared = first.stack is ref.stack and path is not None and first.path[0] == "services"
            shared = shared and first.path[2] != "redirect_from"
            if first.stack is not ref.stack and ref.path[2:3] == ("host",):
                own += " (without one, its name has the node's name in it), or keep it on one node"
            yield ref.problem(
                show(f"{host}{path.suffix if path else ''}"),
                f"{_who(first, ref)} has this {'path of the host' if path and not path.root else 'name'} already: "
                f"{why}",
                f"{own}{', or give one of the two a `path:` of its own' if shared else ''}",
                related=(first,),
            )


def _names(stack: OneStack) -> Iterator[tuple[str, Path | None, Ref]]:
    for service in stack.by(TunnelWay, PortForwardWay):
        path = Path(service.service.path or "/") if service.by(TunnelWay) else None
        for index, _, name in _public(service):
            # The edge redirects a host with all its paths.
            yield name, path if index < len(service.hosts) else None, service.ref(*service.host_path(index))
    # The node's own record last, so that the finding about it stands at the line that adds it.
    if stack.record:
        yield stack.record, None, stack.ref("node", "public_record")


def _who(first: Ref, second: Ref) -> str:
    what = "the node's own record" if first.path[0] == "node" else f"service {first.path[1]}"
    return what if first.stack is second.stack else f"{what} in stack {first.stack.name}"


@RULES.stack("path-twice", "CFDOC cloudflare-one/access-controls/policies/app-paths", (8, 36))
def _path_twice(stack: OneStack) -> Iterator[Problem]:
    """A path of a host belongs to one service."""
    sharing: dict[str, list[tuple[Path, OneService]]] = {}
    for service in stack.by(TunnelWay):
        for _, _, name in _public(service):
            sharing.setdefault(name, []).append((Path(service.service.path or "/"), service))
    for name, parts in sharing.items():
        said = [(Path(p), service, at) for _, service in parts for p, at in _said(service)]
        alike: dict[str, list[int]] = {}
        for n, (one, _, _) in enumerate(said):
            alike.setdefault(one.lower(), []).append(n)
        pairs = {
            (min(n, m), max(n, m))
            for n, (one, _, _) in enumerate(said)
            for above in (one.lower(), *Path(one.lower()).above)
            for m in alike.get(above, ())
            if not said[m][0].covers(one)
        }
        for n, m in sorted(pairs):
            (one, service, at), (other, owner, there) = said[n], said[m]
            yield owner.problem(
                there,
                f"{name}{other}",
                f"{one} is the same but for capitals: Access tells the two apart, and many a server does not",
                "write both alike, or take one out",
                related=(service.ref(*at),),
            )
        for (base, service), (other, owner) in permutations(parts, 2):
            for path in service.service.paths if base != other and base.covers(other) else ():
                if other.covers(path):
                    yield service.problem(
                        ("paths", path),
                        f"{name}{path}",
                        f"service {owner.key} has {other} of this host, so two services would say who reaches this "
                        f"path",
                        f"remove it, and say at {owner.key} who its clients are",
                        related=(owner.ref("path"),),
                    )
    renewing = {(c.host, ref.path): ref for c, ref in stack.claims if ref.path[-1] == "own_certificate"}
    for host, second, first in claimed_twice((host, ref) for (host, _), ref in renewing.items()):
        yield Problem(
            second.path,
            show(host),
            f"service {first.path[1]} renews the certificate of this name already",
            "remove it",
            related=(first,),
        )


def _said(service: OneService) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The paths that it says, and where."""
    if service.service.path:
        yield service.service.path, ("path",)
    yield from ((path, ("paths", path)) for path in service.service.paths)


@RULES.service("redirect-to-itself", "CFDOC rules/url-forwarding")
def _redirect_to_itself(service: OneService) -> Iterator[Problem]:
    """A host serves or redirects."""
    hosts = [bare_host(host) for host in service.hosts]
    for index, host in enumerate(service.service.redirect_from or () if service.by(TunnelWay) else ()):
        if bare_host(host) in hosts:
            yield service.problem(
                ("redirect_from", index),
                host,
                f"it is a host of service {service.key} too: Cloudflare redirects before anything is served, so what "
                "is there would never be reached, and the first host would redirect to itself without end",
                "remove it",
                related=(service.ref(*service.host_path(hosts.index(bare_host(host)))),),
            )


@RULES.service("redirect-elsewhere", "CFDOC ruleset-engine/about/rulesets; TFC ruleset")
def _redirect_elsewhere(service: OneService) -> Iterator[Problem]:
    """Redirects belong to the stack that owns the zones."""
    owner = service.inside.owner
    if service.service.redirect_from and service.by(TunnelWay) and not service.inside.stack.owns_estate:
        yield service.problem(
            "redirect_from",
            None,
            "a zone has one list of redirects, which the estate's owner makes, and Cloudflare refuses a second",
            f"move it to a service of stack {owner.name}, or list the names under `hosts:`, where they are served",
            related=(service.inside.estate_ref("zone"),),
        )
