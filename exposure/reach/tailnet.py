"""The tailnet's policy as reach needs it: the offline evaluator behind a few questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from exposure.model import Json
from exposure.names import node_tag
from exposure.policy_eval import Endpoint, Policy, UnknownNameError, endpoints, reach, read_policy
from exposure.policy_eval.addresses import UNKNOWN
from exposure.policy_eval.evaluate import selects
from exposure.policy_eval.policy import Rule, Target
from exposure.policy_eval.selectors import TCP, UDP, Kind, read_protocol
from exposure.reach.access import Principal

_NODE = node_tag("")


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
    owners = document.get("tagOwners")
    tags = owners if isinstance(owners, Mapping) else {}
    return tuple(sorted(t.removeprefix(_NODE) for t in tags if t.startswith(_NODE)))


def tags_of(document: Mapping[str, Json]) -> tuple[str, ...]:
    """Every tag that the policy knows."""
    return tuple(sorted(policy_of(document).tag_owners))


def named_as_source(document: Mapping[str, Json]) -> dict[str, frozenset[str]]:
    """Every tag that rules name as a source, with those rules; the others cannot be told apart as sources."""
    found: dict[str, set[str]] = {}
    for rule in policy_of(document).rules:
        for selector in rule.sources:
            if selector.kind is Kind.TAG:
                found.setdefault(selector.text, set()).add(rule.path)
    return {tag: frozenset(rules) for tag, rules in found.items()}


def people_of(document: Mapping[str, Json]) -> dict[str, frozenset[str]]:
    """Every address in the policy, with the groups it is in and the rules that name it."""
    policy = policy_of(document)
    found: dict[str, set[str]] = {}
    for group, members in policy.groups.items():
        for member in members:
            found.setdefault(member.lower(), set()).add(group)
    for rule in policy.rules:
        for selector in (*rule.sources, *rule.destinations):
            if "@" in selector.text and not selector.text.startswith(("group:", "user:")):
                found.setdefault(selector.text.lower(), set()).add(rule.path)
    return {person: frozenset(names) for person, names in found.items()}


def gives(document: Mapping[str, Json], who: Principal, tags: Iterable[str], protocol: str, port: int | None) -> Gives:
    """Whether the policy lets a principal's device reach a device with these tags on a port.

    What hangs on the unknown (a role, a device's posture) counts as letting in, and is marked.
    """
    of_device = frozenset(tags)
    policy = _towards(document, of_device, read_protocol(protocol), port)
    target = Endpoint(", ".join(tags), UNKNOWN, tags=of_device)
    decision = reach(policy, _source(policy, who), target, port, protocol)
    if not decision.partly and not decision.maybe:
        return Gives(False)
    why = decision.why if decision.partly else decision.maybe
    texts = tuple(dict.fromkeys(f"{w.rule}: {w.source} -> {w.destination}" for w in why))
    members = all(w.source in ("autogroup:member", "autogroup:members", "*") for w in why)
    return Gives(True, texts, not decision.partly, members)


def _source(policy: Policy, who: Principal) -> Endpoint:
    try:
        name = {"member": "autogroup:member"}.get(who.kind, who.name)
        return endpoints(policy, name)[0]
    except UnknownNameError:
        # A tag that the policy does not know: a device may have it all the same.
        return Endpoint(who.name, UNKNOWN, tags=frozenset({who.name}))


def has_attribute(document: Mapping[str, Json], tags: Iterable[str], attribute: str) -> bool:
    """Whether `nodeAttrs` gives a device with these tags an attribute."""
    policy = policy_of(document)
    device = Endpoint(", ".join(tags), UNKNOWN, tags=frozenset(tags))
    return any(
        attribute in entry.attributes and any(t.text == "*" or selects(policy, t, device) for t in entry.targets)
        for entry in policy.node_attributes
    )


def ports_to(document: Mapping[str, Json], tags: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """The (protocol, port) pairs at which rules open a device with these tags; both ends of a range."""
    held = _held(document)
    of_device = frozenset(tags)
    device = Endpoint(", ".join(sorted(of_device)), UNKNOWN, tags=of_device)
    found = {
        (name, port)
        for _, target in held.opening(of_device)
        if target.selector.kind is Kind.ANY or selects(held.policy, target.selector, device)
        for name, number in (("tcp", TCP), ("udp", UDP))
        if number in target.traffic.protocols
        for ports in target.traffic.ports
        for port in {max(ports.first, 1), ports.last}
    }
    return tuple(sorted(found))
