"""The tailnet's policy as reach needs it: the offline evaluator behind a few questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, summarize_address_range
from itertools import pairwise
from typing import NamedTuple

from config.fields import CLUSTER_SERVICES, PODS
from exposure.model import Json
from exposure.names import node_tag
from exposure.policy_eval import Endpoint, Policy, UnknownNameError, endpoints, reach, read_policy
from exposure.policy_eval.addresses import (
    INTERNET,
    TAILNET,
    UNKNOWN,
    VIA6,
    Address,
    Range,
    contains,
    parse_address,
    parse_range,
)
from exposure.policy_eval.evaluate import selects, some
from exposure.policy_eval.policy import Rule, SshRule, Target
from exposure.policy_eval.selectors import TCP, UDP, Kind, Selector, read_protocol
from exposure.policy_eval.ssh import LOCALPART, good_for, logging_in
from exposure.policy_eval.topology import MEMBER, Standing
from exposure.reach.access import Principal, hours

_NODE = node_tag("")
_PERSON = Standing(MEMBER.sure, MEMBER.unknown | {"shared"})


@dataclass(frozen=True)
class Gives:
    """What the policy gives: the grants that let in; `doubtful` where that hangs on what is not known."""

    allowed: bool
    why: tuple[str, ...] = ()
    doubtful: bool = False
    for_members: bool = False


class PolicyError(ValueError):
    """The tailnet's policy is not valid; the message says what is wrong with it."""


def policy_of(document: Mapping[str, Json]) -> Policy:
    """The policy, read once for each document, which must not be changed afterwards. Raises PolicyError."""
    return _held(document).policy


_Asked = tuple[frozenset[str], int, int | None]


class _Held:
    """A policy as read, with its rules by the tags that they open; `wide` are those that may open any device."""

    def __init__(self, document: Mapping[str, Json]) -> None:
        self.document = document
        self.policy = _read(document)
        self.towards: dict[_Asked, Policy] = {}
        self.any_target = any(t.selector.kind is Kind.ANY for rule in self.policy.rules for t in rule.targets)
        self.ranges: tuple[Range, ...] = tuple(
            r for rule in self.policy.rules for t in rule.targets for r in self.policy.ranges(t.selector) or ()
        )
        """The addresses that rules open."""
        self._by_tag: dict[str, set[int]] = {}
        self._wide: set[int] = set()
        for number, rule in enumerate(self.policy.rules):
            for target in rule.targets:
                of_tag = target.selector.kind is Kind.TAG
                (self._by_tag.setdefault(target.selector.text, set()) if of_tag else self._wide).add(number)

    def opening(self, tags: Iterable[str]) -> Iterator[tuple[Rule, Target]]:
        """The rules that may open a device with these tags, in their order, each with the target that may."""
        for number in sorted(self._wide.union(*(self._by_tag.get(tag, ()) for tag in tags))):
            rule = self.policy.rules[number]
            for target in rule.targets:
                if target.selector.kind is not Kind.TAG or target.selector.text in tags:
                    yield rule, target


_MOST = 16
_READ: dict[int, _Held] = {}


def _held(document: Mapping[str, Json]) -> _Held:
    held = _READ.get(id(document))
    if held is None or held.document is not document:
        if len(_READ) >= _MOST:
            _READ.clear()
        # The document is held too, so that no other one gets its id.
        held = _READ[id(document)] = _Held(document)
    return held


def _towards(document: Mapping[str, Json], tags: frozenset[str], protocol: int, port: int | None) -> Policy:
    """The policy with those of its rules that may open a device with these tags: looked for once, whoever asks."""
    held = _held(document)
    asked = (tags, protocol, port)
    if asked not in held.towards:
        rules = {id(rule): rule for rule, target in held.opening(tags) if target.traffic.lets(protocol, port)}
        held.towards[asked] = held.policy._replace(rules=tuple(rules.values()))
    return held.towards[asked]


def _read(document: Mapping[str, Json]) -> Policy:
    reading = read_policy(document)
    if reading.policy is None:
        raise PolicyError(
            "the tailnet's policy is not valid: " + "; ".join(f"{f.path}: {f.reason}" for f in reading.findings)
        )
    return reading.policy


def nodes(document: Mapping[str, Json]) -> tuple[str, ...]:
    """The nodes of the estate: each has a tag of its own in the policy."""
    return tuple(sorted(t.removeprefix(_NODE) for t in policy_of(document).tag_owners if t.startswith(_NODE)))


def tags_of(document: Mapping[str, Json]) -> tuple[str, ...]:
    """Every tag that the policy knows."""
    return tuple(sorted(policy_of(document).tag_owners))


def named_as_source(document: Mapping[str, Json]) -> dict[str, frozenset[str]]:
    """Every tag that rules name as a source, or that owns a tag, with those rules and tags; the others cannot be told
    apart as sources."""
    policy = policy_of(document)
    found: dict[str, set[str]] = {}
    for place, selectors in (*((r.path, r.sources) for r in policy.all_rules), *policy.tag_owners.items()):
        for selector in selectors:
            if selector.kind is Kind.TAG:
                found.setdefault(selector.text, set()).add(place)
    return {tag: frozenset(rules) for tag, rules in found.items()}


def people_of(document: Mapping[str, Json]) -> dict[str, frozenset[str]]:
    """Every address in the policy, with the groups it is in, and the rules and tags that name it."""
    policy = policy_of(document)
    found: dict[str, set[str]] = {}
    for group, members in policy.groups.items():
        for member in members:
            found.setdefault(member.lower(), set()).add(group)
    ruled = ((rule.path, (*rule.sources, *rule.destinations)) for rule in policy.all_rules)
    for place, selectors in (*ruled, *policy.tag_owners.items()):
        for selector in selectors:
            if selector.kind is Kind.USER:
                found.setdefault(selector.text.lower(), set()).add(place)
    return {person: frozenset(names) for person, names in found.items()}


def domains_of(document: Mapping[str, Json]) -> frozenset[str]:
    """Every domain whose people rules let in, or give a tag (`user:*@example.com`), or log in by their names, and one
    that stands for other tailnets' people."""
    policy = policy_of(document)
    sources = [s for named in (*(r.sources for r in policy.all_rules), *policy.tag_owners.values()) for s in named]
    guests = any(s.text in ("autogroup:shared", "autogroup:danger-all") for s in sources)
    found = [s.name for s in sources if s.kind is Kind.DOMAIN]
    found += [u.removeprefix(LOCALPART) for rule in policy.ssh for u in rule.users if u.startswith(LOCALPART)]
    return frozenset([*map(str.lower, found), *["another-tailnet"] * guests])


def gives(document: Mapping[str, Json], who: Principal, target: Endpoint, protocol: str, port: int | None) -> Gives:
    """Whether the policy lets a principal's device reach another device, or an address, on a port.

    What hangs on the unknown (a role, a device's posture, whose an address is) counts as letting in, and is marked.
    """
    policy = _towards(document, target.tags, read_protocol(protocol), port)
    source = _source(policy, who)
    found = _opened(source, policy, target, port, protocol)
    if found.allowed and not found.doubtful:
        return found
    tags = {s.text for rule in policy.rules for s in rule.sources if s.kind is Kind.TAG} - source.tags
    taken = {tag: may for tag in sorted(tags) if (may := _may_take(policy, tag, source)) is not False}
    for tag in sorted(taken, key=lambda tag: taken[tag] is None):
        tagged = _opened(endpoints(policy, tag)[0], policy, target, port, protocol)
        doubtful = tagged.doubtful or taken[tag] is None
        if tagged.allowed and not (found.allowed and doubtful):
            why = f"tagOwners: {who} may give a device {tag}"
            return replace(tagged, why=(why, *tagged.why), doubtful=doubtful)
    return found


def surely_lets(policy: Policy, email: str, target: Endpoint, protocol: str, port: int) -> bool:
    """Whether every device of somebody's reaches another, or an address, whatever else is not known of them."""
    return bool(reach(policy, _source(policy, Principal("person", email)), target, port, protocol).partly)


def answering(document: Mapping[str, Json], protocol: str, port: int) -> tuple[str, ...]:
    """The tags and services at which rules open a port."""
    found = (
        t for rule in policy_of(document).rules for t in rule.targets if t.traffic.lets(read_protocol(protocol), port)
    )
    return tuple(dict.fromkeys(t.selector.text for t in found if t.selector.kind in (Kind.TAG, Kind.SERVICE)))


def _opened(source: Endpoint, policy: Policy, target: Endpoint, port: int | None, protocol: str) -> Gives:
    decision = reach(policy, source, target, port, protocol)
    if not decision.partly and not decision.maybe:
        return Gives(False)
    why = decision.why if decision.partly else decision.maybe
    texts = tuple(dict.fromkeys(f"{w.rule}: {w.source} -> {w.destination}" for w in why))
    members = all(w.source in ("autogroup:member", "autogroup:members", "*") for w in why)
    return Gives(True, texts, not decision.partly, members)


class Logins(NamedTuple):
    """As which users somebody logs in to a device by Tailscale SSH, in words: by which rules, and how long a check is
    good; "" where there is none."""

    users: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    check_period: str = ""


def logins(document: Mapping[str, Json], who: Principal, target: Endpoint) -> Logins | None:
    """Who a principal is on a device that has Tailscale SSH on; None where no rule is about the device.

    What hangs on the unknown counts as letting in. Who gets to its port is a question of its own (`gives`).
    """
    policy = policy_of(document)
    aimed = [r for r in policy.ssh if any(may_be(policy, selector, target) for selector in r.destinations)]
    if not aimed:
        return None
    source = _source(policy, who)
    tags = {s.text for rule in aimed for s in rule.sources if s.kind is Kind.TAG} - source.tags
    sources = [
        source,
        *(endpoints(policy, tag)[0] for tag in sorted(tags) if _may_take(policy, tag, source) is not False),
    ]
    asked: dict[str, bool] = {}
    periods: list[str] = []
    why: dict[str, None] = {}
    for each in sources:
        found = list(logging_in(policy._replace(ssh=tuple(aimed)), each, target, None))
        checked = {user for rule, certain in found if rule.check and certain for user in _users(rule, who)}
        for rule, _ in found:
            names = (", ".join(selector.text for selector in part) for part in (rule.sources, rule.destinations))
            why[f"{rule.path}: {' -> '.join(names)}"] = None
            periods += [good_for(rule.check_period)] * rule.check
        free = {user for rule, _ in found if not rule.check for user in _users(rule, who)}
        for user in (user for rule, _ in found for user in _users(rule, who)):
            sure = any(_takes_in(one, user) for one in checked) or not any(_takes_in(one, user) for one in free)
            asked[user] = asked.get(user, True) and sure
    alone = (u for u in asked if not any(o != u and _takes_in(o, u) and asked[o] == asked[u] for o in asked))
    said = tuple(f"{_AS}{user}{'' if asked[user] else _UNCHECKED}" for user in sorted(alone))
    return Logins(said, tuple(why), max(periods, key=hours, default=""))


_AS, _NONROOT, _UNCHECKED = "SSH as ", "any user but root", " with no check"


def _users(rule: SshRule, who: Principal) -> Iterator[str]:
    """As whom a rule lets somebody log in, in words."""
    for user in rule.users:
        local, domain = who.name.rpartition("@")[0], user.removeprefix(LOCALPART).lower()
        if not user.startswith(LOCALPART):
            yield _NONROOT if user == "autogroup:nonroot" else user
        elif who.kind == "member" or who.name.endswith(f"@{domain}"):
            yield "root" if local == "root" else "the name in their address"


def _takes_in(user: str, other: str) -> bool:
    return user == other or (user == _NONROOT and other != "root")


def beyond(now: Sequence[str], before: Iterable[str]) -> tuple[str, ...]:
    """What makes a login worth less now and did not before; of Tailscale SSH, what its words before did not take in."""

    was = tuple(before)
    had, has = _logged_in(was), _logged_in(now)

    def known(words: str) -> bool:
        for user, free in _logged_in([words]).items():
            once = had.get(user, had.get(_NONROOT) if user != "root" else None)
            # Of any user, some may have been checked.
            lost = any(_takes_in(user, one) and has.get(one, True) for one, unasked in had.items() if not unasked)
            return once is not None and not (free and (lost or not once))
        return words in was

    return tuple(words for words in now if not known(words))


def _logged_in(words: Iterable[str]) -> dict[str, bool]:
    """The users that are said, each with whether nothing is asked."""
    said = (one.removeprefix(_AS) for one in words if one.startswith(_AS))
    return {user.removesuffix(_UNCHECKED): user.endswith(_UNCHECKED) for user in said}


def _may_take(policy: Policy, tag: str, who: Endpoint, asked: frozenset[str] = frozenset()) -> bool | None:
    """Whether somebody may give a device of theirs a tag: as its owner, or as the owner of a tag that is its owner
    [tailscale.com/kb/1068]; None where nobody here knows, as of a group of the identity provider. Whoever has a role,
    such as an admin, may give themselves anything, and is not counted."""
    answers: list[bool | None] = []
    for owner in policy.tag_owners.get(tag, ()):
        owns = selects(policy, owner, who)
        answers.append(owns is True if owner.kind is Kind.AUTOGROUP else owns)
        if owner.kind is Kind.TAG and owner.text not in asked:
            answers.append(_may_take(policy, owner.text, who, asked | {tag}))
    return some(answers)


def _source(policy: Policy, who: Principal) -> Endpoint:
    try:
        name = {"member": "autogroup:member"}.get(who.kind, who.name)
        found = endpoints(policy, name)[0]
        # Whoever is named may have a machine shared with them, and be no member.
        return found._replace(standing=_PERSON) if who.kind == "person" else found
    except UnknownNameError:
        # A tag that the policy does not know: a device may have it all the same.
        return Endpoint(who.name, UNKNOWN, tags=frozenset({who.name}))


def has_attribute(document: Mapping[str, Json], device: Endpoint, attribute: str) -> bool:
    """Whether `nodeAttrs` gives a device an attribute."""
    policy = policy_of(document)
    return any(
        attribute in entry.attributes and any(may_be(policy, t, device) for t in entry.targets)
        for entry in policy.node_attributes
    )


def at_home(document: Mapping[str, Json], host: str) -> Endpoint | None:
    """A host of the home network, where a subnet router's route may lead; None where no rule is about addresses.

    A name there may have any address that the policy names and that is none of the tailnet.
    """
    if not (_held(document).ranges or _held(document).any_target):
        return None
    known = parse_address(host)
    if known:
        # The same by way of a router's 4via6, at whichever site a rule names [kb/1201].
        low = known.value or 0
        sites = {Address(6, (r.first >> 32 << 32) | low) for r in _held(document).ranges if known.version < r.version}
        return Endpoint(host, (known, *sorted(a for a in sites if contains(VIA6, a))), device=False)
    named = (Address(r.version, r.first) for r in _held(document).ranges)
    others = (_HOME, *(a for a in named if contains(TAILNET, a) is False or contains(VIA6, a)))
    return Endpoint(host, others, device=False)


def in_cluster(document: Mapping[str, Json], host: str, pods: bool) -> Endpoint | None:
    """What has some address of a cluster, where a subnet router may lead: of its `pods`, which listen at any port, or
    of its Services; None where no rule is about such addresses."""
    whole = parse_range(str(PODS if pods else CLUSTER_SERVICES))
    assert whole
    opened = [*_held(document).ranges, *([whole] if _held(document).any_target else [])]
    # By way of a router's 4via6 too: the last 32 bits are the address there [kb/1201].
    ends = ((r, (r.first >> 32 << 32 if r.version > whole.version else 0) | whole.first) for r in opened)
    found = {Address(r.version, max(r.first, low)) for r, low in ends if low <= r.last}
    led = {a for a in found if whole.first <= (a.value or 0) % (1 << 32) <= whole.last}
    home = sorted(a for a in led if a.version == whole.version or contains(VIA6, a))
    return Endpoint(host, tuple(home), device=False) if home else None


_HOME, _PUBLIC = Address(4, 0xC0A80000), Address(4, 0x01010101)
"""Some address of a home network, and some other one."""
_SOMEBODY = "autogroup:member"
_OUTSIDE = "autogroup:internet"


def destinations(documents: Sequence[Mapping[str, Json]]) -> tuple[str, ...]:
    """What policies open that is no tagged machine: classes of addresses, people's devices, services, the internet.

    Of each class of addresses every rule opens all or none. People's devices are told apart by their owners alone.
    """
    found: dict[str, None] = {}
    bounds: set[tuple[int, int]] = set()
    for held in map(_held, documents):
        bounds |= {edge for r in held.ranges for edge in ((r.version, r.first), (r.version, r.last + 1))}
        for target in (target for rule in held.policy.rules for target in rule.targets):
            selector = target.selector
            if selector.kind is Kind.ANY:
                found |= dict.fromkeys((_SOMEBODY, _OUTSIDE))
            elif selector.kind is Kind.AUTOGROUP and selector.name not in ("self", "tagged"):
                found[_OUTSIDE if selector.name == "internet" else _SOMEBODY] = None
            elif selector.kind is Kind.GROUP:
                found |= dict.fromkeys(held.policy.groups.get(selector.text, ()))
            elif selector.kind in (Kind.USER, Kind.SERVICE):
                found[selector.text] = None
    edges = sorted(bounds)
    for (version, first), (other, after) in pairwise(edges):
        within = Address(version, first)
        if version == other and any(contains(held.ranges, within) for held in map(_held, documents)):
            found[_range(within, Address(version, after - 1))] = None
    return tuple(found)


def _range(first: Address, last: Address) -> str:
    found = list(summarize_address_range(ip_address(str(first)), ip_address(str(last))))
    return str(found[0]) if len(found) == 1 else f"{first}-{last}"


def is_destination(host: str) -> bool:
    """Whether it is one of the words that `destinations` gives."""
    named = host.startswith(("autogroup:", "svc:")) or "@" in host
    return named or (("-" in host or "/" in host) and parse_range(host) is not None)


def destination(document: Mapping[str, Json], host: str) -> Endpoint | None:
    """What a policy opens under one of the words that `destinations` gives, or an address of the home network; None
    for every other word."""
    policy = policy_of(document)
    if host == _OUTSIDE:
        return Endpoint(host, (_PUBLIC,), device=False)
    found = parse_range(host)
    if found is None:
        return endpoints(policy, host)[0] if is_destination(host) else None
    if not is_destination(host) and contains((*INTERNET, *TAILNET), Address(found.version, found.first)) is not False:
        return None
    # Whose device it is, if any, nobody knows: it is asked what is opened by the address alone.
    return Endpoint(host, (Address(found.version, found.first),), device=False)


def may_be(policy: Policy, selector: Selector, device: Endpoint) -> bool:
    """Whether a selector selects a device, as far as anybody here knows."""
    ranges = policy.ranges(selector)
    if ranges is not None:
        return any(contains(ranges, address) is not False for address in device.addresses)
    if selector.kind is Kind.SERVICE or (device.service and not device.tags):
        return selector.text in ("*", device.service)
    if selector.kind is Kind.AUTOGROUP and selector.name == "internet":
        return any(contains(INTERNET, address) is True for address in device.addresses)
    return selector.kind is Kind.ANY or selects(policy, selector, device) is not False


def ports_to(document: Mapping[str, Json], device: Endpoint) -> tuple[tuple[str, int], ...]:
    """The (protocol, port) pairs at which rules open a device; both ends of a range."""
    held = _held(document)
    found = {
        (name, port)
        for _, target in held.opening(device.tags)
        if may_be(held.policy, target.selector, device)
        for name, number in (("tcp", TCP), ("udp", UDP))
        if number in target.traffic.protocols
        for ports in target.traffic.ports
        for port in {max(ports.first, 1), ports.last}
    }
    return tuple(sorted(found))
