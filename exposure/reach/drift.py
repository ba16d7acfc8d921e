"""What differs between two surfaces as sentences: which check is off, which record leads elsewhere, who was added.

`compare` says who gains and who loses; what differs without either (a check behind a check) is told here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from exposure.reach.access import named
from exposure.reach.surface import Application, Policy, Record, Rule, Selector, Surface, TailnetIngress

Policies = Mapping[str, Policy]


def differences(before: Surface, found: Surface, policies_before: Policies, policies_found: Policies) -> list[str]:
    """Every difference as a sentence, each once. `policies` are the reusable ones by name (`policies_of`)."""
    return list(
        dict.fromkeys(
            [
                *_policies({**_attached(before), **policies_before}, {**_attached(found), **policies_found}),
                *_applications(before, found),
                *_rules(before, found),
                *_records(before, found),
                *_tailnet(before, found),
                *_ports(before, found),
            ]
        )
    )


# Access


def _attached(surface: Surface) -> Policies:
    return {p.name: p for a in surface.applications for p in a.policies if p.decision != "unknown"}


def _policies(before: Policies, found: Policies) -> Iterator[str]:
    for name in before:
        if name not in found:
            yield f"the policy {name!r} is gone"
            continue
        was, now = before[name], found[name]
        if was.decision != now.decision:
            yield f"the policy {name!r} says {now.decision}, was {was.decision}"
        yield from _people(was.include, now.include, "added to", "taken out of", f"the policy {name!r}")
        yield from _people(was.exclude, now.exclude, "shut out by", "no longer shut out by", f"the policy {name!r}")
        yield from _people(was.require, now.require, "required by", "no longer required by", f"the policy {name!r}")


def _people(was: tuple[Selector, ...], now: tuple[Selector, ...], more: str, fewer: str, where: str) -> Iterator[str]:
    old, new = _single(was), _single(now)
    yield from (f"{who} was {more} {where}" for who in sorted(new - old))
    yield from (f"{who} was {fewer} {where}" for who in sorted(old - new))


def _single(selectors: tuple[Selector, ...]) -> set[str]:
    """Whom selectors name, one by one; a group that only includes counts as its members."""
    found: set[str] = set()
    for selector in selectors:
        group = selector.group
        if group is not None and not group.exclude and not group.require:
            found |= _single(group.include)
        else:
            found.add(named((selector,)))
    return found


def _applications(before: Surface, found: Surface) -> Iterator[str]:
    old, new = {a.key: a for a in before.applications}, {a.key: a for a in found.applications}
    for key, was in old.items():
        if key not in new:
            yield f"no Access application covers {key} any longer"
            continue
        now = new[key]
        more, fewer = ({p.name for p in a.policies} for a in (now, was))
        yield from (f"the policy {name!r} was added to the application of {key}" for name in sorted(more - fewer))
        yield from (f"the policy {name!r} was taken off the application of {key}" for name in sorted(fewer - more))
        if was.identity_providers != now.identity_providers:
            yield f"{key} takes logins by {_logins(now)}, was {_logins(was)}"
        if less := [words for words in now.weakened if words not in was.weakened]:
            yield f"a login to {key} is worth less: {', '.join(less)}"
        if was.destinations != now.destinations:
            covers, covered = (", ".join(d.uri for d in a.destinations) for a in (now, was))
            yield f"the application of {key} covers {covers}, was {covered}"
    yield from (f"an Access application covers {key}, which none did" for key in new.keys() - old.keys())


def _logins(application: Application) -> str:
    return ", ".join(application.identity_providers) or "every login method"


# The tunnel


def _rules(before: Surface, found: Surface) -> Iterator[str]:
    for tunnel in before.tunnels:
        now = next((t for t in found.tunnels if t.name == tunnel.name), None)
        if now is None:
            yield f"the tunnel {tunnel.name} is gone, and everything behind it is down"
            continue
        old = {(r.host, r.path): r for r in tunnel.rules or ()}
        new = {(r.host, r.path): r for r in now.rules or ()}
        for key, rule in old.items():
            if key in new:
                yield from _rule(rule, new[key])
            else:
                yield f"the tunnel {tunnel.name} has no rule for {_at(rule)} any longer"
        for key in new.keys() - old.keys():
            yield f"the tunnel {tunnel.name} has a new rule: {_at(new[key])} leads to {new[key].origin}"
        if [k for k in old if k in new] != [k for k in new if k in old]:
            yield f"the rules of tunnel {tunnel.name} stand in another order"


def _rule(was: Rule, now: Rule) -> Iterator[str]:
    checked = [bool(r.access and r.access.required) for r in (was, now)]
    if checked[0] != checked[1]:
        yield f"the JWT check is {'on' if checked[1] else 'off'} for {_at(was)}"
    elif was.access != now.access:
        yield f"the JWT check of {_at(was)} takes the tokens of other applications, or of another team"
    if was.origin != now.origin:
        yield f"{_at(was)} leads to {now.origin}, was {was.origin}"


def _at(rule: Rule) -> str:
    host = rule.service or rule.host or "every other host"
    return f"{host} ({rule.host or ''}{rule.path})" if rule.path else host


# DNS


def _records(before: Surface, found: Surface) -> Iterator[str]:
    old, new = _by_name(before), _by_name(found)
    for key, records in old.items():
        was, label = records[0], records[0].service or key[0]
        if key not in new:
            yield f"{label}'s record is gone: nothing answers at {key[0]}"
            continue
        now = new[key][0]
        if was.proxied != now.proxied:
            way = "through Cloudflare (proxied)" if now.proxied else "past Cloudflare (unproxied)"
            yield f"{label}'s record goes {way}"
        gone = was.tunnel is not None and was.tunnel not in {t.name for t in found.tunnels}
        if not gone and {_target(r) for r in records} != {_target(r) for r in new[key]}:
            to, was_to = (", ".join(map(_target, rs)) for rs in (new[key], records))
            yield f"{label}'s record leads to {to}, was {was_to}"
    for key in new.keys() - old.keys():
        yield f"{key[0]} has a new record, which leads to {', '.join(map(_target, new[key]))}"
    https = {zone.name: zone.always_https for zone in found.zones}
    for zone in before.zones:
        if zone.always_https and not https.get(zone.name):
            yield f"plain http is no longer sent to https in {zone.name}"


def _by_name(surface: Surface) -> dict[tuple[str, str], list[Record]]:
    found: dict[tuple[str, str], list[Record]] = {}
    for record in surface.records:
        found.setdefault((record.host, record.type), []).append(record)
    return found


def _target(record: Record) -> str:
    return f"tunnel {record.tunnel}" if record.tunnel else record.content


# The tailnet and the cluster


def _tailnet(before: Surface, found: Surface) -> Iterator[str]:
    was, now = before.tailnet, found.tailnet
    if was and now:
        if was.policy != now.policy:
            yield "the tailnet's policy is another"
        for name, old, new in (("MagicDNS", was.magic_dns, now.magic_dns), ("HTTPS", was.https, now.https)):
            if old != new:
                yield f"{name} of the tailnet is {'on' if new else 'off'}"
    machines = {i.machine: i for i in found.tailnet_ingresses}
    for ingress in before.tailnet_ingresses:
        if ingress.machine not in machines:
            yield f"the tailnet has no {ingress.machine} any longer"
        else:
            yield from _ingress(ingress, machines[ingress.machine])
    addresses = {a.machine: a for a in found.tailnet_addresses}
    for address in before.tailnet_addresses:
        if addresses.get(address.machine) != address:
            yield f"{address.machine} on the tailnet is gone, or has other ports or tags"


def _ingress(was: TailnetIngress, now: TailnetIngress) -> Iterator[str]:
    if was.funnel != now.funnel:
        yield f"{was.machine} is {'open to the internet by Funnel' if now.funnel else 'no longer open by Funnel'}"
    if was.paths != now.paths:
        yield f"{was.machine} serves {', '.join(now.paths) or 'nothing'}, was {', '.join(was.paths) or 'nothing'}"
    if was.backend != now.backend:
        yield f"{was.machine} leads to {now.backend}, was {was.backend}"
    if was.shared != now.shared:
        yield f"{was.machine} is {'' if now.shared else 'no longer '}behind shared proxies"
    if was.tags != now.tags:
        yield f"{was.machine} has the tags {', '.join(now.tags)}, was {', '.join(was.tags)}"


def _ports(before: Surface, found: Surface) -> Iterator[str]:
    yield from (
        f"port {port.node_port} of the node leads no longer to {port.service or port.namespace}"
        for port in before.node_ports
        if port not in found.node_ports
    )
    yield from (
        f"port {port.node_port} of the node leads to {port.service or port.namespace}"
        for port in found.node_ports
        if port not in before.node_ports
    )
