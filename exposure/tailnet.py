"""The tailnet's policy, generated from the services of every stack: there is one policy, so one writer."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import NamedTuple

from config.services import ExitNode, Node
from config.stack import Estate, TailnetPlan, TailscaleSsh
from exposure.audience import named_people
from exposure.model import Json, Limits
from exposure.names import FUNNEL_TAG, OPERATOR_TAG, node_tag, proxies_tag
from exposure.own_policy import own_groups
from exposure.policy_eval.addresses import parse_range
from exposure.ways.way import Grant

PLANS: Mapping[TailnetPlan, Limits] = {
    "personal": Limits(6, 3, 50),
    "standard": Limits(None, 10, None),
    "premium": Limits(None, 300, None),
}
"""As read of tailscale.com/pricing on 2026-09-20; that Tailscale holds to them is not verified."""


def taken(estate: Estate, sets: Iterable[str], machines: int, own: str | None) -> Limits:
    """What an estate takes of its plan: with these sets of people on the tailnet, so many tagged machines, and the
    owner's own part of the policy, of which the groups count. Whoever that names beside is not known to be a user."""
    named, more = own_groups(own)
    sets = set(sets)
    users = estate.who(sets) | set(estate.tailnet.users if estate.tailnet else ())
    return Limits(len(users), len(_groups(estate, sets, named)) + more, machines)


def machines_of(nodes: Iterable[Node | None]) -> int:
    """How many tagged machines nodes are: each itself, and its shared proxies. Whether a Tailscale Service counts
    beside those is not known, so it does as a machine."""
    return sum(1 + (node.proxy_group.replicas if node and node.proxy_group else 0) for node in nodes)


INTERNET = "autogroup:internet"
"""What an exit node leads to. It keeps what is private, and its own home network, out of that, whatever else it
advertises [tailscale/tailscale ipn/ipnlocal, shrinkDefaultRoute]."""


class Routed(NamedTuple):
    """What people reach by a node: a range of the home network, or the internet. `ip` is as in a grant."""

    node: str
    to: str
    people: tuple[str, ...]
    ip: tuple[str, ...]

    @property
    def asked(self) -> tuple[str, str, int]:
        """A protocol, an address and a port that stand for all of it, where a test asks."""
        protocol, _, port = "tcp:443".partition(":") if self.ip == ("*",) else self.ip[0].partition(":")
        network = IPv4Network(self.to)
        return protocol, str(network[min(1, network.num_addresses - 1)]), int(port)

    def covers(self, host: str) -> bool:
        """Whether all of an address, or of a range of them, is what it leads to."""
        here, there = parse_range(self.to), parse_range(host)
        inside = (
            here and there and here.version == there.version and here.first <= there.first <= there.last <= here.last
        )
        return host == self.to or bool(inside)

    def holds(self, protocol: str, address: str, port: int) -> bool:
        """Whether it leads to what a test asks."""
        return self.covers(address) and (self.ip == ("*",) or f"{protocol}:{port}" in self.ip)


def routed(node: Node, estate: Estate) -> tuple[Routed, ...]:
    """What people reach by a node, its exit node last."""

    def one(said: ExitNode, to: str, ports: Iterable[str] | None = None) -> Routed:
        return Routed(node.name, to, tuple(sorted(named_people(said, estate).people)), tuple(ports or ("*",)))

    leads = [one(route, route.to, route.ports) for route in node.routes]
    return (*leads, one(node.exit_node, INTERNET)) if node.exit_node else tuple(leads)


def policy(
    estate: Estate,
    nodes: Iterable[str],
    private: Sequence[Grant],
    funnels: bool,
    named: Container[str] = (),
    defined: Iterable[str] = (),
    leads: Sequence[Routed] = (),
) -> dict[str, Json]:
    """The whole policy as Tailscale's API takes it: groups, tagOwners, grants, nodeAttrs and its own tests.

    A node with a route, or that is an exit node, needs nobody's approval for it [tailscale.com/kb/1337, autoApprovers].

    Sets of people are groups where a service names them, or `named` has the group: Personal has three [pricing].
    Grants open only what a service names; `autogroup:self` keeps a person's own devices in reach of each other. A
    funnel's name resolves to a tailnet address inside the tailnet, so members need a grant where strangers need none.
    A Tailscale Service goes by its tag as a machine does; that of the proxies lets them answer for it, and whoever
    reaches it has to reach them by ICMP ("a temporary limitation") [tailscale.com/kb/1439, Configure permissions].
    Sources: policy keys and `tests` [TFT resource_acl.go; tailscale.com/kb/1337], `funnel` [tailscale.com/kb/1223].
    """
    private = sorted([*private, *_to_log_in(estate, nodes, private)], key=lambda s: (s.node, s.key))
    people = _people(estate)
    groups = _groups(estate, {p for names in _sets(private, leads) for p in names}, named)
    shared = [s for s in private if s.shared]
    proxies = {s.node: proxies_tag(s.node) for s in shared}
    tags = sorted({s.tag for s in private} | {node_tag(n) for n in nodes} | set(proxies.values()))
    node_tags = {node_tag(n) for n in nodes}
    # Of a tag that the owner's own part defines, that says who gives it out.
    others = {tag for s in private for tag in s.machines} - set(tags) - set(defined)
    tag_owners: dict[str, Json] = {
        **{tag: ["autogroup:admin"] for tag in others},
        OPERATOR_TAG: ["autogroup:admin"],
        "tag:k8s": [OPERATOR_TAG],
        FUNNEL_TAG: [OPERATOR_TAG],
        **{tag: ["autogroup:admin"] if tag in node_tags else [OPERATOR_TAG] for tag in tags},
    }
    grants: list[Json] = [{"src": ["autogroup:member"], "dst": ["autogroup:self"], "ip": ["*"]}]
    for s in private:
        src: list[Json] = [*_named(s.people, people), *s.machines]
        grants += [{"src": src, "dst": [s.tag], "ip": [f"{s.protocol}:{s.port}"]}] if src else []
    for node, tag in proxies.items():
        named_here = (word for s in shared if s.node == node for word in (*_named(s.people, people), *s.machines))
        src = list(dict.fromkeys(named_here))
        grants += [{"src": src, "dst": [tag], "ip": ["icmp:*"]}] if src else []
    if funnels:
        grants.append({"src": ["autogroup:member"], "dst": [FUNNEL_TAG], "ip": ["tcp:443"]})
    for lead in leads:
        sets: list[Json] = [*_named(lead.people, people)]
        grants += [{"src": sets, "dst": [lead.to], "ip": list(lead.ip)}] if sets else []
    everyone = _everyone(estate, private, leads)
    result: dict[str, Json] = {
        "groups": {name: list(emails) for name, emails in groups.items()},
        "tagOwners": dict(sorted(tag_owners.items())),
        "grants": grants,
        "tests": _tests(estate, everyone, private, leads, funnels, sorted(node_tags), sorted(proxies.values())),
    }
    if estate.ssh:
        result |= _ssh(estate.ssh, estate, everyone, people, sorted(node_tags))
    if funnels:
        result["nodeAttrs"] = [{"target": [FUNNEL_TAG], "attr": ["funnel"]}]
    approvers: dict[str, Json] = {}
    if leads:
        ranges = sorted({lead.to for lead in leads} - {INTERNET})
        by: dict[str, list[Json]] = {
            to: list(dict.fromkeys(node_tag(lead.node) for lead in leads if lead.to == to))
            for to in (*ranges, INTERNET)
        }
        approvers |= {"routes": {to: by[to] for to in ranges}} if ranges else {}
        approvers |= {"exitNode": by[INTERNET]} if by[INTERNET] else {}
    if shared:
        approvers["services"] = {s.tag: [proxies[s.node]] for s in shared}
    return {**result, "autoApprovers": approvers} if approvers else result


def _named(sets: Iterable[str], people: Mapping[str, Sequence[str]]) -> Iterator[str]:
    return (f"group:{name}" for name in sets if people.get(name))


def _people(estate: Estate) -> dict[str, list[str]]:
    # A set that has ended is nobody, and so in no grant, and in a group only where somebody else names that.
    return {name: [] if one.ended else one.emails for name, one in sorted(estate.sets.items())}


def _groups(estate: Estate, used: Container[str], named: Container[str]) -> dict[str, list[str]]:
    return {
        f"group:{name}": sorted(set(emails))
        for name, emails in _people(estate).items()
        if (name in used and emails) or f"group:{name}" in named
    }


def _sets(private: Iterable[Grant], leads: Iterable[Routed]) -> Iterator[tuple[str, ...]]:
    yield from (s.people for s in private)
    yield from (lead.people for lead in leads)


def _to_log_in(estate: Estate, nodes: Iterable[str], private: Iterable[Grant]) -> Iterator[Grant]:
    """Port 22 of each node, where no service has it: the filter of packets stands before Tailscale SSH too
    [tailscale/tailscale net/tstun/wrap.go, PostFilterPacketInboundFromWireGuard]."""
    if estate.ssh:
        people = tuple(sorted(named_people(estate.ssh, estate).people))
        there = {(s.tag, s.port, s.protocol) for s in private}
        yield from (
            Grant("ssh", node, people, node_tag(node), 22, "tcp")
            for node in nodes
            if (node_tag(node), 22, "tcp") not in there
        )


def _ssh(
    ssh: TailscaleSsh,
    estate: Estate,
    everyone: Sequence[str],
    people: Mapping[str, Sequence[str]],
    node_tags: Sequence[str],
) -> dict[str, Json]:
    """The rule of Tailscale SSH and its tests, which leave aside who reaches port 22 [tailscale.com/kb/1193]."""
    sets = sorted(named_people(ssh, estate).people)
    src: list[Json] = [*_named(sets, people)]
    rule: dict[str, Json] = {"action": ssh.action, "src": src, "dst": list(node_tags), "users": list(ssh.users)}
    if ssh.action == "check":
        rule["checkPeriod"] = ssh.check_period
    tests: list[Json] = []
    for source in (*everyone, FUNNEL_TAG):
        users = list(dict.fromkeys(filter(None, (_as_user(user, source) for user in ssh.users))))
        let_in = users if source in estate.who(sets) else []
        shut = [user for user in dict.fromkeys(("root", *users)) if user not in let_in]
        tests.append(
            {
                "src": source,
                "dst": list(node_tags),
                **({ssh.action: list[Json](let_in)} if let_in else {}),
                **({"deny": list[Json](shut)} if shut else {}),
            }
        )
    return {**({"ssh": [rule]} if src else {}), "sshTests": tests}


def _as_user(user: str, source: str) -> str:
    """A user that one of `ssh.users` stands for, where a test asks for it from a source; empty where there is none."""
    name, _, domain = source.partition("@")
    if user.startswith("localpart:"):
        return name if domain == user.rpartition("@")[2] else ""
    return "nonroot" if user == "autogroup:nonroot" else user


def _everyone(estate: Estate, private: Iterable[Grant], leads: Iterable[Routed]) -> list[str]:
    """Whom tests are about: of those who are in the same sets one, so that the tests grow no faster."""
    # Only people who have the tailnet: a test that names somebody Tailscale does not know fails the whole policy.
    named = estate.who(p for names in _sets(private, leads) for p in names)
    known = sorted({*named, *(estate.tailnet.users if estate.tailnet else ())})
    alike = {frozenset(name for name, emails in estate.members.items() if p in emails): p for p in reversed(known)}
    return sorted(alike.values())


def _tests(
    estate: Estate,
    everyone: Sequence[str],
    private: Sequence[Grant],
    leads: Sequence[Routed],
    funnels: bool,
    node_tags: Sequence[str],
    proxies: Sequence[str],
) -> list[Json]:
    """What must be reachable and what must not; Tailscale refuses a policy that fails its own tests."""
    accept: dict[tuple[str, str], list[str]] = {}
    deny: dict[tuple[str, str], list[str]] = {}
    users = estate.tailnet.users if estate.tailnet else []
    # One other service stands for all others.
    tags = sorted({s.tag for s in private})
    another = dict(zip(tags, [*tags[1:], *tags[:1]], strict=True))
    # Two services at one port of a node are open to whom either names.
    let_in: dict[tuple[str, int, str], set[str]] = {}
    machines: dict[tuple[str, int, str], set[str]] = {}
    for s in private:
        let_in.setdefault((s.tag, s.port, s.protocol), set()).update(estate.who(s.people))
        machines.setdefault((s.tag, s.port, s.protocol), set()).update(s.machines)
    for service in private:
        target = f"{service.tag}:{service.port}"
        members = let_in[service.tag, service.port, service.protocol]
        for person in everyone:
            (accept if person in members else deny).setdefault((person, service.protocol), []).append(target)
        allowed = machines[service.tag, service.port, service.protocol]
        # The proxies that face the internet must never be a way into a private service, nor those that are shared.
        for tag in (FUNNEL_TAG, *proxies):
            if tag not in allowed:
                deny.setdefault((tag, service.protocol), []).append(target)
        for tag in sorted(allowed):
            accept.setdefault((tag, service.protocol), []).append(target)
        if another[service.tag] not in (service.tag, *allowed):
            deny.setdefault((another[service.tag], service.protocol), []).append(target)
    for lead in leads:
        if lead.to != INTERNET:
            protocol, address, port = lead.asked
            sets = {p for other in leads if other.holds(protocol, address, port) for p in other.people}
            members = {email for p in sets for email in estate.members.get(p, ())}
            for person in everyone:
                (accept if person in members else deny).setdefault((person, protocol), []).append(f"{address}:{port}")
            for tag in (FUNNEL_TAG, *proxies):
                deny.setdefault((tag, protocol), []).append(f"{address}:{port}")
    if funnels:
        # Tailscale takes no autogroup as a test's source, so one of the users stands for its members: whoever is only
        # named by a service may have a machine shared with them, and is no member then [tailscale#4558].
        for person in sorted(users)[:1]:
            accept.setdefault((person, "tcp"), []).append(f"{FUNNEL_TAG}:443")
        for person in everyone[:1]:
            deny.setdefault((person, "tcp"), []).append(f"{FUNNEL_TAG}:22")
    for tag in node_tags:
        for proxy in (FUNNEL_TAG, *proxies):
            deny.setdefault((proxy, "tcp"), []).append(f"{tag}:22")
    for tag in proxies:
        # People have no business there but by ICMP.
        for source in (FUNNEL_TAG, *everyone[:1]):
            deny.setdefault((source, "tcp"), []).append(f"{tag}:443")
    tests: list[Json] = []
    for source, protocol in sorted({*accept, *deny}):
        test: dict[str, Json] = {"src": source, "proto": protocol}
        for word, targets in (("accept", accept), ("deny", deny)):
            if (source, protocol) in targets:
                test[word] = list(dict.fromkeys(targets[(source, protocol)]))
        tests.append(test)
    return tests
