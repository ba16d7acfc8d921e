"""The owner's own part of the tailnet's policy: what Tailscale would refuse of it, and what it must not open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, NamedTuple

from config.errors import Place
from exposure.audience import named_people
from exposure.names import node_tag, proxies_name, proxies_tag
from exposure.rules.base import Family, OneStack, Problem, Ref, Rules, listed, planned
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tailnet import TailnetWay
from exposure.workload import Protocol, controller, one_home

if TYPE_CHECKING:
    from exposure.model import ExposurePlan, Json
    from exposure.own_policy import Twice
    from exposure.policy_eval import Endpoint, Policy, Reading
    from exposure.policy_eval.addresses import Range
    from exposure.policy_eval.hujson import Document, Position
    from exposure.policy_eval.policy import Rule, SshRule
    from exposure.policy_eval.selectors import Traffic
    from exposure.reach.project import Project
    from exposure.tailnet import Routed
    from exposure.ways.way import Way

RULES = Rules()
_SYNTAX = "tailscale.com/kb/1337"
SSH = 22
OPENS, ROUTES, TESTS = "tailnet-policy-opens", "tailnet-route-opens", "tailnet-policy-tests"
NODE = "tailnet-route-node"


@dataclass(frozen=True)
class _Own:
    """An owner's policy that could be merged, with everything that it may not open."""

    family: Family
    document: Document
    policy: Policy
    """The merged one; the places of the owner's rules are those of the owner's file."""
    doors: tuple[_Door, ...]

    @property
    def rules(self) -> Iterator[Rule]:
        """The owner's."""
        own = _paths(self.document)
        return (rule for rule in self.policy.rules if rule.path in own)

    def problem(self, position: Position, reason: str, fix: str) -> Problem:
        """A problem at a place in the owner's policy."""
        return _problem(self.family, position, reason, fix)


class _Door(NamedTuple):
    """A port at which a service answers on the tailnet, or behind a subnet router; None is any.

    `people` and `machines` are whom it is for. `others` are the ports of a node that services have, where it stands for
    all other ones.
    """

    name: str
    device: Endpoint
    protocol: Protocol
    port: int | None
    what: str
    people: frozenset[str] = frozenset()
    machines: frozenset[str] = frozenset()
    others: frozenset[int] | None = None

    def opened(self, policy: Policy, rule: Rule) -> Iterator[str]:
        """What a rule may open of it, as machine, port and protocol."""
        from exposure.reach.tailnet import may_be

        # A rule by way of routers opens what is behind them and no device [kb/1378]; of a Service nobody says.
        for target in () if rule.via and self.device.device and not self.device.service else rule.targets:
            port = self.opened_port(target.traffic)
            if port and may_be(policy, target.selector, self.device):
                yield f"{self.name}:{port}/{self.protocol}"

    def opened_port(self, traffic: Traffic) -> int | None:
        """Its port, or the first one of several, that is let through."""
        from exposure.policy_eval.selectors import read_protocol

        number = read_protocol(self.protocol)
        if self.port is not None:
            return self.port if traffic.lets(number, self.port) else None
        ports = (p for r in traffic.ports for p in range(max(r.first, 1), r.last + 1) if number in traffic.protocols)
        return next((port for port in ports if port not in (self.others or ())), None)

    def outsider(self, policy: Policy, rule: Rule | SshRule) -> str:
        """Somebody whom a rule takes in and it is not for; empty where there is none."""
        from exposure.policy_eval.selectors import Kind

        for source in rule.sources:
            who = [_WORDS.get(source.text, source.text)]
            if source.kind is Kind.USER:
                who = [source.name]
            elif source.kind is Kind.GROUP and source.text in policy.groups:
                who = list(policy.groups[source.text])
            for one in who:
                if one.lower() not in self.people and one not in self.machines:
                    return one
        return ""


_WORDS = {
    "*": "every device of the tailnet",
    "autogroup:member": "every member of the tailnet",
    "autogroup:members": "every member of the tailnet",
    "autogroup:tagged": "every tagged device",
    "autogroup:shared": "everybody with whom a machine is shared",
    "autogroup:danger-all": "everybody",
}


# Read and merged


def _asked(family: Family, policy: bool = True, routes: bool = False) -> bool:
    """Whether it has a policy of the owner's (`policy`), or a route of a node (`routes`), and can be planned."""
    # What these rules say themselves keeps no other from being asked.
    told = (OPENS, ROUTES, TESTS)
    errors = (f for stack in family.stacks for f in stack.found if f.severity == "error" and f.rule not in told)
    policy = policy and family.owner.stack.own_policy is not None
    return (policy or (routes and any(s.node and s.node.routes for s in family.stacks))) and not any(errors)


def _problem(family: Family, position: Position, reason: str, fix: str, related: tuple[Ref, ...] = ()) -> Problem:
    assert family.tailnet
    place = Place(family.tailnet.policy or "", *position)
    return family.owner.ref().problem("", reason, fix, related=related, place=place)


def _paths(document: Document) -> set[str]:
    from exposure.policy_eval.policy import render_path

    return {render_path(path) for path in document.where}


class _Merged(NamedTuple):
    """The owner's part, ours, and both together as read, with the owner's places."""

    document: Document
    generated: dict[str, Json]
    reading: Reading


def _merged(family: Family) -> _Merged:
    """Raises OwnPolicyError."""
    from exposure import own_policy
    from exposure.plan import generated_policy
    from exposure.policy_eval import read_policy
    from exposure.policy_eval.hujson import Document

    said = family.owner.stack.own_policy
    own = "{}" if said is None else said
    document = own_policy.parse(own)
    nodes = [stack.node for stack in family.stacks if stack.node]
    ways = [way for stack in family.stacks for way in _ways(stack)]
    assert family.estate
    generated = generated_policy(family.estate, nodes, ways, own)
    value = own_policy.value(own_policy.merged(own, generated))
    return _Merged(document, generated, read_policy(Document(value, document.where)))


def _ways(stack: OneStack) -> list[Way]:
    from exposure.plan import plan_services

    typed, estate = stack.stack.typed, stack.estate
    assert typed
    assert estate
    return [way for service in plan_services(typed.services, typed.node, estate) for way in service.ways]


@RULES.family("tailnet-policy-invalid", _SYNTAX, last=True)
def _invalid(family: Family) -> Iterator[Problem]:
    """A policy of your own is one that Tailscale takes, and defines no name of Gatehouse's."""
    from exposure import own_policy

    if not _asked(family):
        return
    try:
        document, generated, reading = family.once(_merged)
    except own_policy.OwnPolicyError as error:
        fix = "correct it here; a policy with nothing in it is written `{}`"
        yield _problem(family, error.position, f"this is no policy that Tailscale takes: {error}", fix)
        return
    twice = list(own_policy.twice(document, generated, family.estate.people if family.estate else ()))
    for found in twice:
        yield _defined_twice(family, found)
    for name, one in family.owner.own_sets:
        named = own_policy.place_of(document, f"group:{name}") if one.off_tailnet else None
        if named:
            keys = listed(f"`{key}`" for key in one.off_tailnet)
            reason = f"the tailnet knows people by their addresses, and no {keys}: group:{name} would be others"
            fix = "name a group whose set has `emails:` alone, or people by `user:*@` and their domain"
            yield _problem(family, named, reason, fix)
    for finding in reading.findings if not twice else ():
        hint = f" (did you mean {finding.suggestion}?)" if finding.suggestion else ""
        reason = f"Tailscale would refuse the policy: {finding.path}: {finding.reason}{hint}"
        fix = "correct it here: Tailscale refuses the whole policy for it"
        yield _problem(family, finding.position, reason, fix)


def _defined_twice(family: Family, found: Twice) -> Problem:
    related: tuple[Ref, ...]
    if found.section.lower() == "groups":
        name = found.name.removeprefix("group:").lower()
        reason = f"{found.name} is the set of people {name} of the estate, and a group has one list of members"
        fix = (
            f"remove it here, and say who is in it under `estate.people.{name}`; rules may go on to name the group."
            " A group of others needs another name"
        )
        related = (family.owner.ref("estate", "people", name),)
    else:
        reason = f"{found.name} is a tag of Gatehouse's, which says itself who may give it to a machine"
        fix = "remove it here; rules may go on to name the tag. A tag of your own needs another name"
        related = tuple(ref for tag, ref in _tags(family) if tag == found.name.lower())
    return _problem(family, found.position, reason, fix, related)


def _tags(family: Family) -> Iterator[tuple[str, Ref]]:
    for stack in family.stacks:
        if stack.node_name:
            yield node_tag(stack.node_name), stack.ref("node", "name")
        for way in _ways(stack):
            if isinstance(way, TailnetWay) and not way.on_node:
                yield way.tag.lower(), stack.ref("services", way.service)
            if isinstance(way, TailnetWay) and way.shared:
                yield proxies_tag(way.node).lower(), stack.ref("node", "proxy_group")


# What it opens


def _read(family: Family, policy: bool = True, routes: bool = False) -> Iterator[_Own]:
    """The one of a family that is asked; see `_asked`."""
    if _asked(family, policy, routes):
        document, _, reading = family.once(_merged)
        assert reading.policy
        doors = tuple(_doors(family.once(planned)))
        yield _Own(family, document, reading.policy, doors)


def _doors(project: Project) -> Iterator[_Door]:
    from exposure.policy_eval import machine

    for plan in project.plans.values():
        node = machine((node_tag(plan.node),), plan.home.tailnet_ipv4 or "")
        found: dict[tuple[str, Protocol, int | None], _Door] = {}
        ssh = plan.estate.ssh
        if ssh:
            people = _emails(plan, named_people(ssh, plan.estate).people)
            found[node_tag(plan.node), "tcp", SSH] = _Door(plan.node, node, "tcp", SSH, "Tailscale SSH", people)
        for way in plan.by(TailnetWay):
            ports: list[tuple[Protocol, int | None]] = [(p.protocol, p.port) for p in way.ports]
            if not (way.on_node or way.served or way.selector):
                # Somebody else's Service, which may listen at any port.
                ports = [("tcp", None), ("udp", None)]
            for protocol, port in ports:
                people, machines = _emails(plan, way.audience.people), way.audience.machines
                same = found.get((way.tag, protocol, port))
                if same:
                    # Two services at one port of a node are open to whom either names.
                    people, machines = people | same.people, machines | same.machines
                service = f"svc:{way.machine}" if way.shared else ""
                device = node if way.on_node else machine((way.tag,), service=service)
                what = f"service {way.service}"
                found[way.tag, protocol, port] = _Door(way.machine, device, protocol, port, what, people, machines)
        yield from found.values()
        # A rule that says no protocol opens both: at a number that a service has, whoever it is for may have the other.
        named = {d.port: d for d in found.values() if d.device is node and d.port}
        for protocol in ("tcp", "udp"):
            for door in named.values():
                if (node_tag(plan.node), protocol, door.port) not in found:
                    yield door._replace(protocol=protocol)
            yield _Door(plan.node, node, protocol, None, f"the node {plan.node}", others=frozenset(named))
    yield from _beside(project)


def _beside(project: Project) -> Iterator[_Door]:
    """What answers on the home network and in the clusters, where a subnet router may lead: services that are not for
    anyone."""
    from exposure.reach.surface import ANY_PORT, merge
    from exposure.reach.tailnet import at_home, in_cluster

    whole = merge(project.surfaces.values())
    assert whole.tailnet
    policy = whole.tailnet.policy or {}
    led = "to the cluster's own addresses"
    homes = {host: at_home(policy, host) for host in whole.listeners}
    clusters = {host: tuple(in_cluster(policy, host, pods) for pods in (False, True)) for host in whole.in_clusters}
    for plan, service in [(one, service) for one in project.plans.values() for service in one.services]:
        # A path for anyone opens the rest to nobody.
        audience = reduce(or_, (way.audience for way in service.ways))
        doors = [*service.workloads, *(w for w in controller(plan.home) if service.through)]
        found: dict[tuple[str, Endpoint | None, Protocol, int | str | None, str], None] = {}
        for host, listening in whole.listeners.items():
            here = [(protocol, port) for (protocol, port), workload in listening.items() if workload in doors]
            found |= {(host, homes[host], protocol, port, "there"): None for protocol, port in here}
        places = {workload.place for workload in doors}
        for host, inside in whole.in_clusters.items():
            device, pods = clusters[host]
            for (protocol, port), (workload, _) in inside.items():
                anywhere = workload.port == ANY_PORT and workload.place in places
                if workload in doors or anywhere:
                    # Of pods nothing here says at which ports they listen.
                    found[host, device, protocol, None if anywhere else port, led] = None
                    found[host, pods, protocol, None, led] = None
        for host, device, protocol, at, where in found:
            if device and not isinstance(at, str) and not audience.anyone:
                # By Tailscale nobody is asked from where they come.
                limited = {name for name in audience.people if any(plan.estate.sets[name].terms[1:])}
                people = _emails(plan, audience.people - limited)
                past = ", past its `countries:` or `ips:`" if limited else ""
                what = f"service {service.key}, where a subnet router leads {where}{past}"
                yield _Door(host, device, protocol, at, what, people, audience.machines)


def _emails(plan: ExposurePlan, sets: Iterable[str]) -> frozenset[str]:
    return frozenset(email.lower() for email in plan.estate.who(sets))


@RULES.family(
    OPENS, "Gatehouse: what a service says of whom it is for holds over the whole policy", acceptable="stack", last=True
)
def _opens(family: Family) -> Iterator[Problem]:
    """A policy of your own opens none of Gatehouse's services to others."""
    for own in _read(family):
        for rule in own.rules:
            if examples := _examples(own, rule):
                yield _opening(own, rule, examples)
        yield from _funnels(own)
        yield from _logins(own)
        yield from _answering(own)


class _Example(NamedTuple):
    """Somebody whom a rule lets in, and no service names there."""

    text: str
    door: _Door


def _examples(own: _Own, rule: Rule) -> list[_Example]:
    """Whom a rule lets in somewhere, and no service names there; the shortest first."""
    found = {
        f"{who} reach {shown} ({door.what})": door
        for door in own.doors
        for who in [door.outsider(own.policy, rule)]
        if who
        for shown in door.opened(own.policy, rule)
    }
    return sorted(map(_Example._make, found.items()), key=lambda example: (len(example.text), example.text))


@RULES.family(
    ROUTES,
    "Gatehouse: what a service says of whom it is for holds over the whole policy",
    acceptable="stack",
    last=True,
)
def _route_opens(family: Family) -> Iterator[Problem]:
    """A route to the home network leads nobody past the gate of a service that does not name them."""
    for own in _read(family, policy=False, routes=True):
        for at, route, rules in _routes(own):
            examples = [example for rule in rules for example in _examples(own, rule)]
            if examples:
                more = f", and {len(examples) - 1} more like it" if len(examples) > 1 else ""
                yield at.problem(
                    route.to,
                    f"this route lets {examples[0].text}{more}, past the service's gate",
                    "name a set of people that the service names by its `people:`, or other machines and ports"
                    f" by its `to:` and `ports:`; or acknowledge `{ROUTES}` under `gatehouse:acknowledge`",
                )


def _routes(own: _Own) -> Iterator[tuple[Ref, Routed, list[Rule]]]:
    """Each route of a node, where it stands, with the rules of the policy that are made of it."""
    from exposure.tailnet import routed

    theirs = _paths(own.document)
    ours = [rule for rule in own.policy.rules if rule.path not in theirs]
    for stack in own.family.stacks:
        assert stack.node
        assert stack.estate
        for number, route in enumerate(routed(stack.node, stack.estate)[: len(stack.node.routes)]):
            sources = {f"group:{name}" for name in route.people}
            yield (
                stack.ref("node", "routes", number),
                route,
                [
                    rule
                    for rule in ours
                    if {t.selector.text for t in rule.targets} == {route.to}
                    and {source.text for source in rule.sources} <= sources
                ],
            )


_CLUSTER: Mapping[tuple[Protocol, int], str] = {
    ("tcp", 6443): "the Kubernetes API",
    ("tcp", 10250): "the kubelet",
}
"""What a node of Kubernetes answers by itself [docs.k3s.io/installation/requirements, Networking]."""


@RULES.family(
    NODE, "docs.k3s.io/installation/requirements, Networking", acceptable="stack", severity="warning", last=True
)
def _nodes_within(family: Family) -> Iterator[Problem]:
    """A range of the home network that people reach has no node in it, unless they are to reach all of the node."""
    otherwise = f"; or, where you mean it, acknowledge `{NODE}` under `gatehouse:acknowledge`"
    if any(f.rule in (OPENS, ROUTES) for stack in family.stacks for f in stack.found):
        # What it opens of services comes first, and may go with it.
        return
    for own in _read(family, routes=True):
        plans = family.once(planned).plans.values()
        for at, route, rules in _routes(own):
            leading = at.stack.typed.node if at.stack.typed else None
            found = [_within(own.policy, rules, p) for p in plans if leading and one_home(leading, p.home)]
            if any(found):
                fix = "name other machines by its `to:`, or ports by its `ports:`"
                yield at.problem(route.to, f"by this route {listed(route.people)} reach {_and(found)}", fix + otherwise)
        for rule in own.rules:
            found = [_within(own.policy, [rule], plan) for plan in plans]
            if any(found):
                fix = "name other machines, or ports" + otherwise
                who = listed(_WORDS.get(source.text, source.text) for source in rule.sources)
                yield own.problem(rule.position, f"where a route leads there, {who} reach {_and(found)}", fix)


def _within(policy: Policy, rules: Iterable[Rule], plan: ExposurePlan) -> str:
    """What rules about addresses open of a node itself at home, where they open what it answers by itself."""
    from exposure.policy_eval.addresses import contains, parse_address
    from exposure.policy_eval.selectors import TCP, read_protocol

    address = parse_address(plan.home.lan_ipv4)
    traffic = [
        target.traffic
        for rule in rules
        for target in rule.targets
        if address and contains(policy.ranges(target.selector) or (), address) is True
    ]
    said = dict(_CLUSTER)
    said |= {(p.protocol, p.port): f"service {w.service}" for w in plan.by(TailnetWay) if w.on_node for p in w.ports}
    said |= {(p.protocol, p.node_port): f"service {w.service}" for w in plan.by(PortForwardWay) for p in w.ports}
    open_ = [key for key in sorted(said) if any(one.lets(read_protocol(key[0]), key[1]) for one in traffic)]
    if not any(key in _CLUSTER for key in open_):
        return ""
    ports = listed(f"{protocol} {port} ({said[protocol, port]})" for protocol, port in open_)
    rest = ", and whatever else listens there" * any(one.lets(TCP, 1) and one.lets(TCP, 65535) for one in traffic)
    return f"the node {plan.node} itself ({plan.home.lan_ipv4}): {ports}{rest}"


def _and(found: Iterable[str]) -> str:
    return "; and ".join(filter(None, found))


def _opening(own: _Own, rule: Rule, examples: Sequence[_Example]) -> Problem:
    more = f", and {len(examples) - 1} more like it" if len(examples) > 1 else ""
    if all(s.text == "*" for s in (*rule.sources, *rule.destinations)):
        reason = (
            "this is the rule of every new tailnet: each device reaches every other one, and no other rule keeps"
            f" anybody out beside it. It lets {examples[0].text}{more}"
        )
        fix = "remove it, and write a rule for each of your own machines that others than its owner are to reach"
    else:
        reason = f"this rule lets {examples[0].text}{more}, and Gatehouse's services are for those whom they name"
        fix = "name machines or ports of your own alone, or let these people in by the service's `people:`"
        if all(example.door.others is not None for example in examples):
            fix = (
                "name machines of your own alone, or describe what answers at that port of the node as a service for"
                " these people, with `origin: {on_node: true, port: …}` and `clients: tailnet`"
            )
    fix += f"; or acknowledge `{OPENS}` under `gatehouse:acknowledge`"
    return own.problem(rule.position, reason, fix)


def _funnels(own: _Own) -> Iterator[Problem]:
    from exposure.policy_eval import machine
    from exposure.reach.tailnet import may_be

    for entry in own.policy.node_attributes:
        if "funnel" not in entry.attributes or entry.path not in _paths(own.document):
            continue
        machines = {d.name: d.device for d in own.doors if d.device.device}
        machines |= {f"{proxies_name(w.node)}-0": machine((proxies_tag(w.node),)) for w in _shared(own)}
        names = sorted(n for n, device in machines.items() if any(may_be(own.policy, t, device) for t in entry.targets))
        if names:
            yield own.problem(
                entry.position,
                f"this attribute lets {listed(names)} go public by Funnel, and only `tag:k8s-funnel` is meant to",
                f"name tags of your own machines alone; or acknowledge `{OPENS}` under `gatehouse:acknowledge`",
            )


def _logins(own: _Own) -> Iterator[Problem]:
    """What the owner's rules for Tailscale SSH open of a node, whoever reaches its port 22 today."""
    from exposure.policy_eval.ssh import good_for
    from exposure.reach.access import hours
    from exposure.reach.tailnet import may_be

    ssh, paths = own.family.estate.ssh if own.family.estate else None, _paths(own.document)
    longest = hours(good_for(ssh.check_period)) if ssh and ssh.action == "check" else None
    otherwise = f"; or acknowledge `{OPENS}` under `gatehouse:acknowledge`"
    doors = [d for d in own.doors if node_tag(d.name) in d.device.tags and d.protocol == "tcp"]
    doors = [d for d in doors if d.port == SSH or (d.port is None and SSH not in (d.others or ()))]
    for rule in own.policy.ssh:
        for door in doors if rule.path in paths else ():
            if not any(may_be(own.policy, target, door.device) for target in rule.destinations):
                continue
            who, users = door.outsider(own.policy, rule), list(rule.users)
            if not who and ssh:
                # Of those who log in by Gatehouse's rule, as whom they do not.
                who, users = rule.sources[0].text if rule.sources else "", _beyond(ssh.users, rule.users, door.people)
            if who and users:
                yield own.problem(
                    rule.position,
                    f"this rule lets {who} log in to {door.name} as {users[0]} by Tailscale SSH, and neither a service"
                    " at its port 22 nor `estate.tailnet.ssh` does",
                    "name tags of your own machines alone, or say under `estate.tailnet.ssh` who logs in, and as which "
                    f"users{otherwise}",
                )
                break
            if who and ssh and rule.check and longest is not None and hours(good_for(rule.check_period)) > longest:
                # It stands before Gatehouse's, and the first one counts.
                yield own.problem(
                    rule.position,
                    f"by this rule a check of {who} is good for {rule.check_period} on {door.name}, and `estate.tailnet"
                    f".ssh` says {ssh.check_period}",
                    f'remove the rule, since `ssh:` makes one, or say `"checkPeriod": "{ssh.check_period}"`{otherwise}',
                )
                break


def _beyond(known: Sequence[str], said: Iterable[str], people: Iterable[str]) -> list[str]:
    """The users of a rule that are none of these."""
    from exposure.policy_eval.ssh import LOCALPART

    def is_root(user: str) -> bool:
        return user == "root" or f"root@{user.removeprefix(LOCALPART).lower()}" in people

    any_other = "autogroup:nonroot" in known
    return [user for user in said if user not in known and not (any_other and ("root" in known or not is_root(user)))]


def _answering(own: _Own) -> Iterator[Problem]:
    """Who is let answer for a Tailscale Service of ours, beside the shared proxies of its node."""
    document: Any = own.document.value
    for path in [path for path in own.document.where if len(path) == 3]:
        section, kind, name = (str(part) for part in path)
        if (section.lower(), kind.lower()) != ("autoapprovers", "services"):
            continue
        said = [str(word) for word in document[section][kind][name] or ()]
        for way in _shared(own):
            others = [word for word in said if word != proxies_tag(way.node)]
            # Whether a name may stand for all is documented nowhere.
            if not others or name.lower() not in (way.tag.lower(), f"svc:{way.machine}".lower(), "*", "svc:*"):
                continue
            yield own.problem(
                own.document.where[path],
                f"this lets {listed(others)} answer as {way.machine}, in place of service {way.service}: whatever is"
                " sent there, passwords too, would reach them",
                f"remove it: its own proxies are approved without it; or acknowledge `{OPENS}` under"
                " `gatehouse:acknowledge`",
            )
            break


def _shared(own: _Own) -> list[TailnetWay]:
    """What is behind shared proxies."""
    return [way for stack in own.family.stacks for way in _ways(stack) if isinstance(way, TailnetWay) and way.shared]


@RULES.family(
    "tailnet-policy-address",
    "Gatehouse: a machine's address is Tailscale's to choose",
    acceptable="stack",
    severity="warning",
    last=True,
)
def _addresses(family: Family) -> Iterator[Problem]:
    """An address of the tailnet in a policy of your own is a known machine's."""
    from exposure.policy_eval.addresses import TAILNET, Address, contains

    for own in _read(family):
        known = {a for d in own.doors for a in d.device.addresses if a.value is not None}

        def unknown(found: Range, known: set[Address] = known) -> bool:
            address = Address(found.version, found.first)
            return found.first == found.last and address not in known and contains(TAILNET, address) is True

        named: dict[str, Position] = {}
        for rule in own.rules:
            for target in rule.targets:
                versions = {r.version for r in own.policy.ranges(target.selector) or () if unknown(r)}
                machines = (d for d in own.doors if d.device.device and d.opened_port(target.traffic))
                if any(a.value is None and a.version in versions for d in machines for a in d.device.addresses):
                    named.setdefault(target.selector.text, rule.position)
        if named:
            yield own.problem(
                next(iter(named.values())),
                f"{listed(named)}: an address of the tailnet, and nobody here knows whose. It is taken to be none"
                " of Gatehouse's machines; whoever may reach it would otherwise reach a service",
                "look the machine up in Tailscale's admin console, and say `tailnet_ipv4` of a node; or acknowledge"
                " `tailnet-policy-address` under `gatehouse:acknowledge`",
            )


# Its tests


@RULES.family(TESTS, "tailscale.com/kb/1337, tests", last=True)
def _tests(family: Family) -> Iterator[Problem]:
    """The policy's tests pass, yours and Gatehouse's."""
    from exposure.policy_eval import run_tests

    for own in _read(family):
        paths = _paths(own.document)
        for outcome in run_tests(own.policy):
            mine = outcome.test.path in paths
            # What its rules open of ours is told by another rule.
            failures = [f for f in outcome.failures if mine or f.expected != "deny"]
            if failures:
                whose = (
                    f"the test from {outcome.test.src or '(nobody)'}"
                    if mine
                    else f"what {outcome.test.src} is to reach"
                )
                yield own.problem(
                    outcome.test.position if mine else own.document.where[()],
                    f"{whose} fails, and Tailscale refuses a policy for that: {'; '.join(map(str, failures))}",
                    "correct the test, or the rule that it is about"
                    if mine
                    else "write `srcPosture` at each of your own rules in place of `defaultSrcPosture`, which counts"
                    " for Gatehouse's grants too",
                )
