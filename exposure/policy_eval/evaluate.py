"""What a policy lets through, rule by rule.

Everything is denied but what a rule allows; `acls` and `grants` add up, and their order means nothing
(https://tailscale.com/kb/1538/grants-syntax). Where an answer depends on what nobody here knows (whose device
an address is, a person's role, a device's posture), the rule is not counted as allowing, and kept in
`Decision.maybe`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from exposure.policy_eval.addresses import INTERNET, TAILNET, VIA6, Address, contains
from exposure.policy_eval.hujson import Position
from exposure.policy_eval.policy import Policy, Rule
from exposure.policy_eval.postures import Attributes
from exposure.policy_eval.selectors import Kind, Selector, read_protocol
from exposure.policy_eval.topology import NOTHING, Endpoint, Node, Topology, endpoints


class Why(NamedTuple):
    """A rule that lets something through: its place, the selectors that matched, the routers it must use."""

    rule: str
    position: Position
    source: str
    destination: str
    via: tuple[str, ...] = ()

    def __str__(self) -> str:
        line = f" (line {self.position.line})" if self.position.line else ""
        via = f" via {', '.join(self.via)}" if self.via else ""
        return f"{self.rule}{line}: {self.source} -> {self.destination}{via}"


class Decision(NamedTuple):
    """Whether one may reach the other.

    `allowed`: from every device that the source stands for, to every one the destination stands for.
    `partly`: for at least one such pair. `why` holds the rules that allow, `maybe` those that would, if what
    is not known were so.
    """

    allowed: bool
    partly: bool
    why: tuple[Why, ...] = ()
    maybe: tuple[Why, ...] = ()


def reach(
    policy: Policy,
    src: str | Endpoint,
    dst: str | Endpoint,
    port: int | None = None,
    proto: str | None = None,
    topology: Topology = NOTHING,
    *,
    attributes: Attributes | None = None,
    through: Node | None = None,
) -> Decision:
    """Decide whether `src` may open a connection to `dst`.

    `src` and `dst` are endpoints, or names (`topology.endpoints`): a user, group, tag, host, address, service
    or node. `port` None means any one port, `proto` None TCP or UDP (as Tailscale's tests take it), else a
    name or number. `attributes` are the posture of the source's device, if its node does not tell. `through`
    asks what one router lets pass. Raises `UnknownNameError` for a name that stands for nothing and
    `ValueError` for an unknown protocol.
    """
    protocol = read_protocol(proto) if proto else None
    sources = (src,) if isinstance(src, Endpoint) else endpoints(policy, src, topology)
    targets = (dst,) if isinstance(dst, Endpoint) else endpoints(policy, dst, topology)
    question = _Question(policy, protocol, port, topology, attributes, through)
    allowing: dict[Why, None] = {}
    possible: dict[Why, None] = {}
    open_pairs = 0
    for source in sources:
        for target in targets:
            found, doubtful = question.between(source, target)
            open_pairs += bool(found)
            allowing.update(dict.fromkeys(found))
            possible.update(dict.fromkeys(doubtful))
    pairs = len(sources) * len(targets)
    maybe = tuple(why for why in possible if why not in allowing)
    return Decision(open_pairs == pairs, open_pairs > 0, tuple(allowing), maybe)


def who_reaches(
    policy: Policy,
    dst: str | Endpoint,
    port: int | None = None,
    proto: str | None = None,
    topology: Topology = NOTHING,
) -> tuple[Why, ...]:
    """Every source of every rule that opens `dst`, in the order of the rules (`autogroup:self` means its owner)."""
    protocol = read_protocol(proto) if proto else None
    targets = (dst,) if isinstance(dst, Endpoint) else endpoints(policy, dst, topology)
    question = _Question(policy, protocol, port, topology, None, None)
    found: dict[Why, None] = {}
    for rule in policy.rules:
        for target in targets:
            for selector in question.destinations(rule, target):
                found.update(dict.fromkeys(_why(rule, source, selector) for source in rule.sources))
    return tuple(found)


def _why(rule: Rule, source: Selector, destination: Selector) -> Why:
    return Why(rule.path, rule.position, source.text, destination.text, rule.via)


class _Question(NamedTuple):
    """One question about a policy. Answers are True, False or None: it depends on what is not known."""

    policy: Policy
    protocol: int | None
    port: int | None
    topology: Topology
    attributes: Attributes | None
    through: Node | None

    def between(self, source: Endpoint, target: Endpoint) -> tuple[list[Why], list[Why]]:
        """The rules that let this pair through, and those that may."""
        allowing: list[Why] = []
        possible: list[Why] = []
        pairs = [(a, b) for a in source.addresses for b in target.addresses if a.version == b.version]
        for rule in self.policy.rules:
            postured = self.postured(rule, source)
            if postured is False:
                continue
            for item in rule.targets:
                if not item.traffic.lets(self.protocol, self.port):
                    continue
                for selector in rule.sources:
                    answer = some(
                        every(
                            self.from_source(selector, source, a),
                            self.to_target(item.selector, target, b, source),
                            self.routed(rule, target, b),
                            postured,
                        )
                        for a, b in pairs
                    )
                    if answer is not False:
                        (allowing if answer else possible).append(_why(rule, selector, item.selector))
        return allowing, possible

    def destinations(self, rule: Rule, target: Endpoint) -> list[Selector]:
        """The selectors of a rule that hold this target, and let the traffic asked for through."""
        owner = Endpoint("its owner", target.addresses, user=target.user, tags=target.tags)
        return [
            item.selector
            for item in rule.targets
            if item.traffic.lets(self.protocol, self.port)
            and any(
                self.to_target(item.selector, target, address, owner) and self.routed(rule, target, address)
                for address in target.addresses
            )
        ]

    def postured(self, rule: Rule, source: Endpoint) -> bool | None:
        """Whether the source's device meets the rule's posture; what is no device of the tailnet need not."""
        if not rule.postures or not source.device or source.standing.has("shared"):
            return True
        attributes = source.attributes if self.attributes is None else self.attributes
        if attributes is None:
            return None
        return any(all(c.holds(attributes) for c in self.policy.postures[name]) for name in rule.postures)

    def routed(self, rule: Rule, target: Endpoint, address: Address) -> bool:
        """Whether traffic to this address goes through one of the rule's routers.

        Such a rule opens what lies behind them, subnets and the internet, and not the devices of the tailnet.
        With no topology, every such router is taken to be there.
        """
        if not rule.via:
            return True
        if target.device or address.value is None:
            return False
        if self.topology.nodes is None:
            return contains(TAILNET, address) is False or contains(VIA6, address) is True
        routers = (self.through,) if self.through else self.topology.nodes
        return any(
            not node.tags.isdisjoint(rule.via)
            and (contains(node.routes, address) or (node.exit_node and contains(INTERNET, address)))
            for node in routers
        )

    def from_source(self, selector: Selector, source: Endpoint, address: Address) -> bool | None:
        if selector.kind is Kind.ANY:
            # The tailnet and what its approved subnet routers bring in; not any other address.
            if source.device or contains(TAILNET, address):
                return True
            return None if self.topology.nodes is None else bool(contains(self.topology.routes, address))
        if selector.kind is Kind.AUTOGROUP and selector.name == "danger-all":
            return True
        return self.is_in(selector, source, address)

    def to_target(self, selector: Selector, target: Endpoint, address: Address, source: Endpoint) -> bool | None:
        if selector.kind is Kind.ANY:
            return True
        if selector.kind is Kind.AUTOGROUP and selector.name == "internet":
            return contains(INTERNET, address) is True
        if selector.kind is Kind.AUTOGROUP and selector.name == "self":
            if source.tags or target.tags:
                return False
            if not (source.settled and target.settled):
                return None
            return bool(source.user) and source.user.lower() == target.user.lower()
        if selector.kind is Kind.SERVICE or (target.service and not target.tags):
            return target.service == selector.text
        return self.is_in(selector, target, address)

    def is_in(self, selector: Selector, endpoint: Endpoint, address: Address) -> bool | None:
        """Whether the selector selects this endpoint, at this address."""
        ranges = self.policy.ranges(selector)
        if ranges is not None:
            return contains(ranges, address)
        if not endpoint.settled:
            return None
        return selects(self.policy, selector, endpoint)


def selects(policy: Policy, selector: Selector, endpoint: Endpoint) -> bool | None:
    """Whether a selector by identity (user, group, tag, autogroup) selects an endpoint; None if nobody knows.

    A tagged device is nobody's: it is in no group and is no member.
    """
    if selector.kind is Kind.TAG:
        return selector.text in endpoint.tags
    if selector.kind is Kind.AUTOGROUP and selector.name == "tagged":
        return bool(endpoint.tags)
    if endpoint.tags or not endpoint.user:
        return False
    login = endpoint.user.lower()
    if selector.kind is Kind.USER:
        return login == selector.name.lower()
    if selector.kind is Kind.DOMAIN:
        return every(login.endswith("@" + selector.name.lower()), endpoint.standing.has("member"))
    if selector.kind is Kind.GROUP:
        if selector.text in endpoint.groups:
            return True
        if selector.text in policy.groups:
            return any(member.lower() == login for member in policy.groups[selector.text])
        return None if "@" in endpoint.user else False  # a group of the identity provider
    return endpoint.standing.has(selector.name) if selector.kind is Kind.AUTOGROUP else False


def some(answers: Iterable[bool | None]) -> bool | None:
    """Whether any is true; None where that depends on an unknown one."""
    unknown = False
    for answer in answers:
        if answer:
            return True
        unknown = unknown or answer is None
    return None if unknown else False


def every(*answers: bool | None) -> bool | None:
    """Whether all are true; None where that depends on an unknown one."""
    if any(answer is False for answer in answers):
        return False
    return None if any(answer is None for answer in answers) else True
