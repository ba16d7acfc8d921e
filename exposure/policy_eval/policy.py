"""A tailnet policy, read and checked: typed, or every problem at once.

What is refused here is what Tailscale refuses when the policy is saved, as far as it can be known without the
tailnet itself: unknown names, words that are not of the grammar, combinations it does not allow
(https://tailscale.com/kb/1337/policy-syntax, https://tailscale.com/kb/1538/grants-syntax). Names of fields
are matched in any case of letters (`ACLs` is `acls`), as Go's JSON does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, Never, ParamSpec, TypeVar

from exposure.policy_eval.addresses import (
    INTERNET,
    Range,
    Ranges,
    parse_prefix,
    parse_range,
    union,
    whole,
    without,
)
from exposure.policy_eval.hujson import Document, HuJSONError, Path, Position, parse
from exposure.policy_eval.postures import NO_ATTRIBUTES, Attributes, Condition, Value, read_condition
from exposure.policy_eval.selectors import (
    DESTINATION_AUTOGROUPS,
    OWNER_AUTOGROUPS,
    ROLES,
    SOURCE_AUTOGROUPS,
    Kind,
    Selector,
    Traffic,
    check_tag,
    checked_traffic,
    read_ports,
    read_protocol,
    read_selector,
    read_traffic,
    split_port,
)

_P = ParamSpec("_P")
_T = TypeVar("_T")
_NOTHING: Mapping[str, Never] = MappingProxyType({})


class Finding(NamedTuple):
    """One thing Tailscale would refuse: its place in the text (0 where unknown) and in the policy, and why."""

    position: Position
    path: str
    reason: str
    suggestion: str = ""

    def __str__(self) -> str:
        at = f"{self.position.line}:{self.position.column}: " if self.position.line else ""
        hint = f" (did you mean {self.suggestion}?)" if self.suggestion else ""
        return f"{at}{self.path}: {self.reason}{hint}"

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        line, column = self.position
        found = {"path": self.path, "line": line, "column": column, "reason": self.reason}
        return {**found, "suggestion": self.suggestion} if self.suggestion else found


class Target(NamedTuple):
    """A destination of a rule with what is let through to it."""

    selector: Selector
    traffic: Traffic


class Rule(NamedTuple):
    """One entry of `acls` or `grants`. Rules only ever add: there is no rule that denies.

    `targets` is empty for a grant of capabilities alone. `postures` are the names of which the source's
    device must meet one (the rule's own, else the policy's default); none means no condition. `via` are the
    tags of routers.
    """

    path: str
    position: Position
    sources: tuple[Selector, ...]
    destinations: tuple[Selector, ...]
    targets: tuple[Target, ...]
    postures: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()


class PolicyTest(NamedTuple):
    """One entry of `tests`: from `src`, each of `accept` must be reachable and none of `deny`."""

    path: str
    position: Position
    src: str
    accept: tuple[str, ...]
    deny: tuple[str, ...]
    protocol: str = ""
    attributes: Attributes = NO_ATTRIBUTES


class SshRule(NamedTuple):
    """One entry of `ssh`: who may log in where, as which users of the machine, after a check or not."""

    path: str
    position: Position
    check: bool
    sources: tuple[Selector, ...]
    destinations: tuple[Selector, ...]
    users: tuple[str, ...]
    postures: tuple[str, ...] = ()
    check_period: str = "12h"


class SshTest(NamedTuple):
    """One entry of `sshTests`; `accept`, `check` and `deny` are users of the machine."""

    path: str
    position: Position
    src: str
    destinations: tuple[str, ...]
    accept: tuple[str, ...]
    check: tuple[str, ...]
    deny: tuple[str, ...]
    attributes: Attributes = NO_ATTRIBUTES


class NodeAttribute(NamedTuple):
    """One entry of `nodeAttrs`: attributes (`funnel`) of the devices it targets."""

    targets: tuple[Selector, ...]
    attributes: tuple[str, ...]
    pools: Ranges = ()
    path: str = ""
    position: Position = Position()


class Policy(NamedTuple):
    """A policy without findings. `rules` holds `acls`, then `grants`, in the order of the file.

    A policy with neither section lets every device of the tailnet reach everything; it has one rule that says
    so.
    """

    rules: tuple[Rule, ...]
    groups: Mapping[str, tuple[str, ...]] = _NOTHING
    hosts: Mapping[str, Ranges] = _NOTHING
    tag_owners: Mapping[str, tuple[Selector, ...]] = _NOTHING
    ip_sets: Mapping[str, Ranges] = _NOTHING
    postures: Mapping[str, tuple[Condition, ...]] = _NOTHING
    node_attributes: tuple[NodeAttribute, ...] = ()
    ssh: tuple[SshRule, ...] = ()
    tests: tuple[PolicyTest, ...] = ()
    ssh_tests: tuple[SshTest, ...] = ()

    @property
    def all_rules(self) -> Iterator[Rule | SshRule]:
        """`rules`, and those of `ssh`."""
        yield from self.rules
        yield from self.ssh

    def ranges(self, selector: Selector) -> Ranges | None:
        """The addresses a selector names (ADDRESS, HOST, IPSET); None for a selector by identity."""
        if selector.kind is Kind.ADDRESS:
            return selector.ranges
        if selector.kind is Kind.HOST:
            return self.hosts.get(selector.name, ())
        if selector.kind is Kind.IPSET:
            return self.ip_sets.get(selector.text, ())
        return None


class Reading(NamedTuple):
    """What came of reading a policy: the policy, or what is wrong with it."""

    policy: Policy | None
    findings: tuple[Finding, ...]


def read_policy(source: str | bytes | Document | Mapping[str, object]) -> Reading:
    """Read a policy from HuJSON, or from values as `json.loads` gives them. Raises for no policy, however wrong."""
    value: object
    where: Mapping[Path, Position]
    if isinstance(source, Document):
        value, where = source.value, source.where
    elif isinstance(source, Mapping):
        value, where = source, {}
    else:
        try:
            document = parse(source)
        except HuJSONError as error:
            return Reading(None, (Finding(error.position, "(the policy)", error.reason),))
        value, where = document.value, document.where
    builder = _Builder(where)
    policy = builder.policy(value)
    if builder.findings:
        return Reading(None, tuple(sorted(set(builder.findings))))
    return Reading(policy, ())


SECTIONS = (
    *("acls", "grants", "groups", "hosts", "tagOwners", "autoApprovers", "ssh", "nodeAttrs", "postures"),
    *("defaultSrcPosture", "ipsets", "tests", "sshTests", "derpMap", "disableIPv4", "oneCGNATRoute"),
    *("randomizeClientPort", "attrConfig"),
)

_NAME = re.compile(r"[a-zA-Z_][\w-]*")
_CAPABILITY = re.compile(r"[^/:]+/.+", re.DOTALL)
_DURATION = re.compile(r"([-+]?)((?:[0-9]+(?:\.[0-9]+)?(?:h|ms|us|ns|m|s))+|0)")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|us|ns|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_LONGEST_CHECK = 168 * 3600

# Capabilities the service gives out itself; it refuses them in a policy.
_INTERNAL = ("ingress", "funnel", "relay-target", "drive-sharer")

# Addresses no pool may hold [https://tailscale.com/kb/1304/ip-pool].
_POOLS = union(filter(None, [parse_prefix("100.64.0.0/10")]))
_RESERVED = union(filter(None, map(parse_prefix, ("100.100.0.0/24", "100.100.100.0/24", "100.115.92.0/23"))))

# `autogroup:self` needs people as its sources: a tag is nobody's own device.
_SELF_SOURCES = frozenset({"member", "members", *ROLES})
_SELF_REASON = "autogroup:self can only be used with users, groups, or supported autogroups"


def render_path(path: Path) -> str:
    """`("acls", 0, "dst", 1)` gives `acls[0].dst[1]`; keys that are no plain names stand in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _NAME.fullmatch(part) and part.isascii():
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text or "(the policy)"


class _Entry(NamedTuple):
    """A value with its path."""

    value: object
    path: Path


class _Builder:
    """Reads one policy, collecting what is wrong; a part with something wrong in it is left out."""

    def __init__(self, where: Mapping[Path, Position]) -> None:
        self.where = where
        self.findings: list[Finding] = []
        self.groups: dict[str, tuple[str, ...]] = {}
        self.hosts: dict[str, Ranges] = {}
        self.tags: set[str] = set()
        self.ip_set_names: set[str] = set()
        self.postures: dict[str, tuple[Condition, ...]] = {}
        self.default_postures: tuple[str, ...] = ()
        self.members_spelt: dict[str, Path] = {}

    # What is wrong

    def position(self, path: Path) -> Position:
        for length in range(len(path), -1, -1):
            if path[:length] in self.where:
                return self.where[path[:length]]
        return Position()

    def find(self, path: Path, reason: str, name: str = "", known: Iterable[str] = ()) -> None:
        suggestion = ""
        if name:
            from difflib import get_close_matches  # only needed for a policy that is wrong

            suggestion = next(iter(get_close_matches(name[:100], sorted(known), 1)), "")
        self.findings.append(Finding(self.position(path), render_path(path), reason, suggestion))

    def attempt(self, path: Path, read: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        try:
            return read(*args, **kwargs)
        except ValueError as error:
            self.find(path, str(error))
            return None

    # Shapes

    def fields(self, entry: _Entry, known: tuple[str, ...]) -> dict[str, _Entry]:
        """The fields of an object by their right names; absent and null ones are left out."""
        if not isinstance(entry.value, Mapping):
            self.find(entry.path, f"expected an object, not {_shape(entry.value)}")
            return {}
        right = {name.lower(): name for name in known}
        found: dict[str, _Entry] = {}
        for key, value in entry.value.items():
            path = (*entry.path, str(key))
            name = right.get(str(key).lower())
            if name is None:
                self.find(path, f'unknown field "{key}"', str(key), known)
            elif name in found:
                self.find(path, f'"{key}" is "{found[name].path[-1]}" once more: names differ in more than case')
            else:
                found[name] = _Entry(value, path)
        return {name: field for name, field in found.items() if field.value is not None}

    def members(self, entry: _Entry | None) -> list[tuple[str, _Entry]]:
        """The members of an object whose keys are names of the user's choice."""
        if entry is None:
            return []
        if not isinstance(entry.value, Mapping):
            self.find(entry.path, f"expected an object, not {_shape(entry.value)}")
            return []
        return [(str(key), _Entry(value, (*entry.path, str(key)))) for key, value in entry.value.items()]

    def items(self, entry: _Entry | None) -> list[_Entry]:
        if entry is None or entry.value is None:
            return []
        if not isinstance(entry.value, list | tuple):
            self.find(entry.path, f"expected a list, not {_shape(entry.value)}")
            return []
        return [_Entry(value, (*entry.path, index)) for index, value in enumerate(entry.value)]

    def text(self, entry: _Entry | None, default: str = "") -> str:
        if entry is None or entry.value is None:
            return default
        if not isinstance(entry.value, str):
            self.find(entry.path, f"expected text, not {_shape(entry.value)}")
            return default
        return entry.value

    def texts(self, entry: _Entry | None) -> list[tuple[str, Path]]:
        found: list[tuple[str, Path]] = []
        for item in self.items(entry):
            if isinstance(item.value, str):
                found.append((item.value, item.path))
            else:
                self.find(item.path, f"expected text, not {_shape(item.value)}")
        return found

    def flag(self, entry: _Entry | None) -> None:
        if entry is not None and not isinstance(entry.value, bool):
            self.find(entry.path, f"expected true or false, not {_shape(entry.value)}")

    # Selectors

    def selector(self, text: str, path: Path, autogroups: frozenset[str], kinds: Iterable[Kind]) -> Selector | None:
        selector = self.attempt(path, read_selector, text)
        if selector is None:
            return None
        name = selector.name
        if selector.kind is Kind.AUTOGROUP:
            if name not in autogroups:
                self.find(path, _misplaced(name, autogroups))
                return None
            if name in ("member", "members"):
                self.members_spelt.setdefault(name, path)
        elif selector.kind not in kinds:
            self.find(path, f'"{selector.text}": {_KINDS[selector.kind]} is not allowed here')
            return None
        elif selector.kind is Kind.TAG and selector.text not in self.tags:
            self.find(path, f'tag not found: "{selector.text}"', selector.text, self.tags)
        elif selector.kind is Kind.GROUP and selector.text not in self.groups and "@" not in name:
            # group:name@domain comes from the identity provider and is defined nowhere in the file.
            self.find(path, f'group not found: "{selector.text}"', selector.text, self.groups)
        elif selector.kind is Kind.HOST and name not in self.hosts:
            self.find(path, f'"{name}": invalid address, and no host of that name', name, self.hosts)
        elif selector.kind is Kind.IPSET and selector.text not in self.ip_set_names:
            self.find(path, f'IP set not found: "{selector.text}"', selector.text, self.ip_set_names)
        return selector

    def selectors(
        self, entry: _Entry | None, autogroups: frozenset[str], kinds: Iterable[Kind]
    ) -> list[tuple[Selector, Path]]:
        found = ((self.selector(text, path, autogroups, kinds), path) for text, path in self.texts(entry))
        return [(selector, path) for selector, path in found if selector is not None]

    def sources(self, entry: _Entry | None) -> list[tuple[Selector, Path]]:
        return self.selectors(entry, SOURCE_AUTOGROUPS, _SOURCE_KINDS)

    # The policy

    def policy(self, value: object) -> Policy:
        fields = self.fields(_Entry(value, ()), SECTIONS)
        self.read_groups(fields.get("groups"))
        self.read_hosts(fields.get("hosts"))
        owners = self.read_tags(fields.get("tagOwners"))
        ip_sets = self.read_ip_sets(fields.get("ipsets"))
        self.read_postures(fields.get("postures"), fields.get("defaultSrcPosture"))
        acls = [rule for item in self.items(fields.get("acls")) if (rule := self.acl(item))]
        grants = [rule for item in self.items(fields.get("grants")) if (rule := self.grant(item))]
        rules = tuple(acls + grants)
        if "acls" not in fields and "grants" not in fields:
            everyone = Selector(Kind.ANY, "*", "")
            path = "(no acls and no grants: everything is allowed)"
            target = Target(everyone, Traffic(read_ports("*")))
            rules = (Rule(path, Position(), (everyone,), (everyone,), (target,), self.default_postures),)
        self.approvers(fields.get("autoApprovers"))
        for name in ("disableIPv4", "randomizeClientPort"):
            self.flag(fields.get(name))
        policy = Policy(
            rules=rules,
            groups=self.groups,
            hosts=self.hosts,
            tag_owners=owners,
            ip_sets=ip_sets,
            postures=self.postures,
            node_attributes=tuple(map(self.node_attribute, self.items(fields.get("nodeAttrs")))),
            ssh=tuple(map(self.ssh_rule, self.items(fields.get("ssh")))),
            tests=tuple(map(self.test, self.items(fields.get("tests")))),
            ssh_tests=tuple(map(self.ssh_test, self.items(fields.get("sshTests")))),
        )
        if len(self.members_spelt) == 2:
            reason = "autogroup:members and its newer name autogroup:member cannot both be used"
            self.find(self.members_spelt["members"], reason, "autogroup:members", ["autogroup:member"])
        return policy

    def read_groups(self, entry: _Entry | None) -> None:
        for name, group in self.members(entry):
            if not name.startswith("group:") or name == "group:":
                self.find(group.path, f'"{name}": the name of a group starts with group:')
            people: list[str] = []
            for text, path in self.texts(group):
                person = text.strip()
                if person.startswith("group:"):
                    self.find(path, f'"{person}": group members cannot be recursive')
                elif "@" not in person:
                    self.find(path, f'"{person}": a member is a whole login name with an @')
                else:
                    people.append(person)
            self.groups[name] = tuple(people)

    def read_hosts(self, entry: _Entry | None) -> None:
        for name, host in self.members(entry):
            if not name or "@" in name or ":" in name:
                self.find(host.path, f'"{name}": a host name has no @ and no colon')
            text = self.text(host).strip()
            found = None if "-" in text else parse_range(text)
            if found is None:
                self.find(host.path, f'"{text}": expected an IP address or a CIDR')
            self.hosts[name] = (found,) if found else ()

    def read_tags(self, entry: _Entry | None) -> dict[str, tuple[Selector, ...]]:
        entries = self.members(entry)
        for name, owners in entries:
            prefix, _, tag = name.partition(":")
            if prefix != "tag":
                self.find(owners.path, f'"{name}": the name of a tag starts with tag:')
            else:
                self.attempt(owners.path, check_tag, tag)
            self.tags.add(name)
        kinds = (Kind.USER, Kind.GROUP, Kind.TAG, Kind.DOMAIN)
        return {
            name: tuple(selector for selector, _ in self.selectors(owners, OWNER_AUTOGROUPS, kinds))
            for name, owners in entries
        }

    def read_ip_sets(self, entry: _Entry | None) -> dict[str, Ranges]:
        operations: dict[str, list[tuple[bool, Ranges | str]]] = {}
        entries = self.members(entry)
        self.ip_set_names.update(name for name, _ in entries)
        for name, ip_set in entries:
            if not name.startswith("ipset:") or name == "ipset:":
                self.find(ip_set.path, f'"{name}": the name of an IP set starts with ipset:')
            operations[name] = []
            for text, path in self.texts(ip_set):
                operation, _, rest = text.strip().partition(" ")
                told = bool(rest) and operation in ("add", "remove")
                target = self.ip_set_target(rest.strip() if told else text.strip(), path)
                operations[name].append((told and operation == "remove", target))
        # Sets refer to each other in any order: one is resolved when all those it refers to are.
        needs = {name: {to for _, to in steps if isinstance(to, str)} for name, steps in operations.items()}
        users: dict[str, list[str]] = {}
        for name, referred in needs.items():
            for other in referred:
                users.setdefault(other, []).append(name)
        resolved: dict[str, Ranges] = {}
        ready = [name for name, referred in needs.items() if not referred]
        while ready:
            name = ready.pop()
            ranges: Ranges = ()
            for removes, target in operations[name]:
                found = resolved[target] if isinstance(target, str) else target
                ranges = without(ranges, found) if removes else union(ranges + found)
            resolved[name] = ranges
            for user in users.get(name, ()):
                needs[user].discard(name)
                if not needs[user]:
                    ready.append(user)
        for name, ip_set in entries:
            if name not in resolved:
                self.find(ip_set.path, f'"{name}": IP sets cannot refer to each other in a circle')
        return resolved

    def ip_set_target(self, text: str, path: Path) -> Ranges | str:
        """The addresses of a target, or the name of another IP set."""
        if text == "autogroup:internet":
            return INTERNET
        if text.startswith("host:"):
            if text[5:] not in self.hosts:
                self.find(path, f'no host of the name "{text[5:]}"', text[5:], self.hosts)
            return self.hosts.get(text[5:], ())
        if text.startswith("ipset:"):
            if text in self.ip_set_names:
                return text
            self.find(path, f'IP set not found: "{text}"', text, self.ip_set_names)
            return ()
        found = parse_range(text)
        if found is None:
            known = "addresses, CIDRs, ranges, hosts, IP sets and autogroup:internet"
            self.find(path, f'"{text}": an IP set holds {known}')
        return (found,) if found else ()

    def read_postures(self, entry: _Entry | None, default: _Entry | None) -> None:
        for name, posture in self.members(entry):
            if not name.startswith("posture:") or name == "posture:":
                self.find(posture.path, f'"{name}": the name of a posture starts with posture:')
            read = (self.attempt(path, read_condition, text) for text, path in self.texts(posture))
            self.postures[name] = tuple(condition for condition in read if condition)
        self.default_postures = self.posture_names(default, ())

    def posture_names(self, entry: _Entry | None, default: tuple[str, ...]) -> tuple[str, ...]:
        names = self.texts(entry)
        for name, path in names:
            if name not in self.postures:
                self.find(path, f'posture not found: "{name}"', name, self.postures)
        return tuple(name for name, _ in names) or default

    # Rules

    def acl(self, entry: _Entry) -> Rule | None:
        fields = self.fields(entry, ("action", "src", "dst", "proto", "srcPosture", "users", "ports"))
        if not fields and not isinstance(entry.value, Mapping):
            return None
        action = self.text(fields.get("action"))
        if action != "accept":
            path = fields["action"].path if "action" in fields else entry.path
            self.find(path, f'action="{action}" is not supported' if action else 'action must be "accept"')
        protocol = self.protocol(fields.get("proto"))
        sources = self.sources(self.either(fields, "src", "users"))
        targets: list[Target] = []
        for text, path in self.texts(self.either(fields, "dst", "ports")):
            split = self.attempt(path, split_port, text)
            if split is None:
                continue
            ports = self.attempt(path, read_ports, split[1])
            selector = self.selector(split[0], path, DESTINATION_AUTOGROUPS, _DESTINATION_KINDS)
            if selector is None or ports is None:
                continue
            self.self_sources(selector, sources, path, any_source=True)
            traffic = self.attempt(path, checked_traffic, ports, protocol)
            if traffic is not None:
                targets.append(Target(selector, traffic))
        return Rule(
            path=render_path(entry.path),
            position=self.position(entry.path),
            sources=tuple(selector for selector, _ in sources),
            destinations=tuple(target.selector for target in targets),
            targets=tuple(targets),
            postures=self.posture_names(fields.get("srcPosture"), self.default_postures),
        )

    def grant(self, entry: _Entry) -> Rule | None:
        fields = self.fields(entry, ("src", "dst", "ip", "app", "srcPosture", "via"))
        if not fields and not isinstance(entry.value, Mapping):
            return None
        sources = self.sources(fields.get("src"))
        destinations = self.selectors(fields.get("dst"), DESTINATION_AUTOGROUPS, _DESTINATION_KINDS)
        capabilities = self.capabilities(fields.get("app"))
        texts = self.texts(fields.get("ip"))
        if not texts and not capabilities:
            self.find(entry.path, "ip and app can not both be empty")
        read = (self.attempt(path, read_traffic, text) for text, path in texts)
        traffic = [item for item in read if item is not None]
        for selector, path in destinations:
            self.self_sources(selector, sources, path, any_source=False)
            if capabilities and selector.kind is Kind.AUTOGROUP and selector.name == "internet":
                self.find(path, "cannot use app grants with autogroup:internet")
            if selector.kind is Kind.ADDRESS and all(map(whole, selector.ranges)):
                reason = 'to allow all IP addresses, use "*" or "autogroup:internet"'
                self.find(path, f'dst "{selector.text}": {reason}')
        via: list[str] = []
        for text, path in self.texts(fields.get("via")):
            tag = text.strip()
            if not tag.startswith("tag:"):
                self.find(path, "via can only be a tag")
            elif tag not in self.tags:
                self.find(path, f'tag "{tag}" not found', tag, self.tags)
            via.append(tag)
        return Rule(
            path=render_path(entry.path),
            position=self.position(entry.path),
            sources=tuple(selector for selector, _ in sources),
            destinations=tuple(selector for selector, _ in destinations),
            targets=tuple(Target(selector, item) for selector, _ in destinations for item in traffic),
            postures=self.posture_names(fields.get("srcPosture"), self.default_postures),
            via=tuple(via),
            capabilities=capabilities,
        )

    def either(self, fields: Mapping[str, _Entry], name: str, older: str) -> _Entry | None:
        if name in fields and older in fields:
            self.find(fields[older].path, f'only one of "{name}" and its older name "{older}" may be given')
        return fields.get(name) or fields.get(older)

    def protocol(self, entry: _Entry | None) -> int | None:
        if entry is None or entry.value == "":
            return None
        if isinstance(entry.value, int) and not isinstance(entry.value, bool):
            entry = _Entry(str(entry.value), entry.path)
        text = self.text(entry)
        return self.attempt(entry.path, read_protocol, text) if text else None

    def self_sources(
        self, selector: Selector, sources: list[tuple[Selector, Path]], path: Path, *, any_source: bool
    ) -> None:
        """Refuse `autogroup:self` for sources that are not people; ACLs alone let `*` stand for them."""
        if selector.kind is not Kind.AUTOGROUP or selector.name != "self":
            return
        for source, _ in sources:
            people = source.kind in (Kind.USER, Kind.GROUP, Kind.DOMAIN)
            people = people or (source.kind is Kind.AUTOGROUP and source.name in _SELF_SOURCES)
            if not people and not (any_source and source.kind is Kind.ANY):
                self.find(path, _SELF_REASON)
                return

    def capabilities(self, entry: _Entry | None) -> tuple[str, ...]:
        names: list[str] = []
        for name, parameters in self.members(entry):
            if not _CAPABILITY.fullmatch(name):
                self.find(parameters.path, "capability name must have the form {domain}/{path}")
            elif name in {f"tailscale.com/cap/{word}" for word in _INTERNAL}:
                self.find(parameters.path, "capability name must not be in the tailscale.com domain")
            self.items(parameters)
            names.append(name)
        return tuple(names)

    # The rest

    def approvers(self, entry: _Entry | None) -> None:
        fields = self.fields(entry, ("routes", "exitNode", "services")) if entry else {}
        routes = self.members(fields.get("routes"))
        for name, value in routes:
            if parse_prefix(name) is None:
                self.find(value.path, f'"{name}": a route is a CIDR, such as 10.0.0.0/8')
        services = self.members(fields.get("services"))
        for approving in (*(v for _, v in routes), fields.get("exitNode"), *(v for _, v in services)):
            self.selectors(approving, OWNER_AUTOGROUPS, (Kind.USER, Kind.GROUP, Kind.TAG, Kind.DOMAIN))

    def node_attribute(self, entry: _Entry) -> NodeAttribute:
        fields = self.fields(entry, ("target", "attr", "app", "ipPool"))
        kinds = (Kind.ANY, Kind.USER, Kind.GROUP, Kind.TAG, Kind.DOMAIN, Kind.HOST, Kind.ADDRESS)
        targets = self.selectors(fields.get("target"), OWNER_AUTOGROUPS, kinds)
        pools: list[Range] = []
        for text, path in self.texts(fields.get("ipPool")):
            pool = parse_prefix(text)
            if pool is None or without((pool,), _POOLS):
                self.find(path, f"IPPool({text}): expected a CIDR within 100.64.0.0/10")
            elif without((pool,), _RESERVED) != (pool,):
                self.find(path, f"IPPool({text}): network within reserved range")
            else:
                pools.append(pool)
        self.members(fields.get("app"))
        attributes = tuple(text for text, _ in self.texts(fields.get("attr")))
        return NodeAttribute(
            tuple(selector for selector, _ in targets),
            attributes,
            tuple(pools),
            render_path(entry.path),
            self.position(entry.path),
        )

    def ssh_rule(self, entry: _Entry) -> SshRule:
        known = (
            "action",
            "src",
            "dst",
            "users",
            "checkPeriod",
            "acceptEnv",
            "recorder",
            "enforceRecorder",
            "srcPosture",
        )
        fields = self.fields(entry, known)
        action = self.text(fields.get("action")).strip()
        if action not in ("accept", "check"):
            path = fields["action"].path if "action" in fields else entry.path
            self.find(path, f'"{action}" is not a valid action' if action else "action must be specified")
        kinds = (Kind.USER, Kind.GROUP, Kind.TAG, Kind.DOMAIN)
        users = self.texts(fields.get("users"))
        if not users:
            self.find(fields["users"].path if "users" in fields else entry.path, "users must be specified")
        for user, path in users:
            if user.strip() in ("", "*"):
                self.find(path, f'user "{user.strip()}" is not valid')
            elif user.strip().startswith("localpart:*@") and "*" in user.strip()[len("localpart:*@") :]:
                self.find(path, f'"{user.strip()}": * is no domain of a tailnet')
        for text, path in self.texts(fields.get("acceptEnv")):
            if not text:
                self.find(path, "acceptEnv values cannot be empty")
        self.check_period(fields.get("checkPeriod"))
        self.flag(fields.get("enforceRecorder"))
        self.texts(fields.get("recorder"))
        sources = self.selectors(fields.get("src"), OWNER_AUTOGROUPS | {"shared"}, kinds)
        destinations = self.ssh_destinations(fields.get("dst"))
        self.ssh_pairs([source for source, _ in sources], destinations)
        return SshRule(
            path=render_path(entry.path),
            position=self.position(entry.path),
            check=action == "check",
            sources=tuple(selector for selector, _ in sources),
            destinations=tuple(selector for selector, _ in destinations),
            users=tuple(user.strip() for user, _ in users),
            postures=self.posture_names(fields.get("srcPosture"), ()),
            check_period=self.text(fields.get("checkPeriod")).strip() or "12h",
        )

    def ssh_destinations(self, entry: _Entry | None) -> list[tuple[Selector, Path]]:
        found: list[tuple[Selector, Path]] = []
        for text, path in self.texts(entry):
            try:
                kind = read_selector(text).kind
            except ValueError:
                kind = Kind.TAG  # said below
            if kind in (Kind.ANY, Kind.HOST, Kind.ADDRESS, Kind.IPSET, Kind.SERVICE):
                self.find(path, f'invalid dst "{text.strip()}"')
                continue
            selector = self.selector(text, path, OWNER_AUTOGROUPS | {"self"}, (Kind.USER, Kind.GROUP, Kind.TAG))
            if selector is not None:
                found.append((selector, path))
        return found

    def ssh_pairs(self, sources: list[Selector], destinations: list[tuple[Selector, Path]]) -> None:
        """Refuse what lets one log in to another one's device [kb/1337/policy-syntax#tailscale-ssh]."""
        tagged = any(s.kind is Kind.TAG or (s.kind is Kind.AUTOGROUP and s.name == "tagged") for s in sources)
        for selector, path in destinations:
            if selector.kind is Kind.USER and any(s.kind is not Kind.USER or s.text != selector.text for s in sources):
                self.find(
                    path,
                    f'"{selector.text}": only this user alone may be the source; else use autogroup:self',
                )
            elif tagged and selector.kind is Kind.AUTOGROUP and selector.name in ("self", "member", "members"):
                self.find(path, f"tagged devices cannot log in to people's devices ({selector.text})")

    def check_period(self, entry: _Entry | None) -> None:
        text = self.text(entry)
        if entry is None or not text or text == "always":
            return
        found = _DURATION.fullmatch(text)
        if found is None:
            self.find(entry.path, f'time: invalid duration "{text}"')
            return
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(found[2]))
        if found[1] == "-" and seconds > 0:
            self.find(entry.path, f"checkPeriod {text} must be a positive duration")
        elif seconds > _LONGEST_CHECK:
            self.find(entry.path, f"checkPeriod {text} is above the max (168h)")

    # Tests: their shape only. What a test's words mean is judged where the tests are run, as Tailscale does.

    def test(self, entry: _Entry) -> PolicyTest:
        fields = self.fields(entry, ("src", "proto", "accept", "deny", "srcPostureAttrs", "user", "allow"))
        protocol = fields.get("proto")
        if protocol is not None and isinstance(protocol.value, int) and not isinstance(protocol.value, bool):
            protocol = _Entry(str(protocol.value), protocol.path)
        return PolicyTest(
            path=render_path(entry.path),
            position=self.position(entry.path),
            src=self.text(self.either(fields, "src", "user")).strip(),
            accept=tuple(text for text, _ in self.texts(self.either(fields, "accept", "allow"))),
            deny=tuple(text for text, _ in self.texts(fields.get("deny"))),
            protocol=self.text(protocol),
            attributes=self.attributes(fields.get("srcPostureAttrs")),
        )

    def attributes(self, entry: _Entry | None) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for name, value in self.members(entry):
            if isinstance(value.value, str | int | float):
                found[name] = value.value
            else:
                self.find(value.path, f"expected text, a number, true or false, not {_shape(value.value)}")
        return found

    def ssh_test(self, entry: _Entry) -> SshTest:
        fields = self.fields(entry, ("src", "dst", "accept", "check", "deny", "srcPostureAttrs"))
        destinations = self.texts(fields.get("dst"))
        for text, path in destinations:
            self.ssh_test_destination(text.strip(), path)

        def users(name: str) -> tuple[str, ...]:
            return tuple(text.strip() for text, _ in self.texts(fields.get(name)))

        return SshTest(
            path=render_path(entry.path),
            position=self.position(entry.path),
            src=self.text(fields.get("src")).strip(),
            destinations=tuple(text.strip() for text, _ in destinations),
            accept=users("accept"),
            check=users("check"),
            deny=users("deny"),
            attributes=self.attributes(fields.get("srcPostureAttrs")),
        )

    def ssh_test_destination(self, text: str, path: Path) -> None:
        if text.startswith("tag:") and text not in self.tags:
            self.find(path, f'SSH tests dst contains unknown tag "{text}"', text, self.tags)
            return
        found = parse_prefix(text)
        if text in ("*", "autogroup:internet") or (found is not None and found.first != found.last):
            self.find(path, f'SSH tests dst contains disallowed element "{text}"')


_SOURCE_KINDS = (Kind.ANY, Kind.USER, Kind.DOMAIN, Kind.GROUP, Kind.TAG, Kind.IPSET, Kind.ADDRESS, Kind.HOST)
_DESTINATION_KINDS = (*_SOURCE_KINDS, Kind.SERVICE)

_KINDS = {
    Kind.ANY: "*",
    Kind.USER: "a user",
    Kind.DOMAIN: "the people of a domain",
    Kind.GROUP: "a group",
    Kind.TAG: "a tag",
    Kind.AUTOGROUP: "an autogroup",
    Kind.SERVICE: "a service",
    Kind.IPSET: "an IP set",
    Kind.ADDRESS: "an address",
    Kind.HOST: "a host",
}


def _misplaced(name: str, allowed: frozenset[str]) -> str:
    if name == "self" and allowed is SOURCE_AUTOGROUPS:
        return '"autogroup:self" not valid on the src side of a rule'
    if name == "danger-all" and allowed is DESTINATION_AUTOGROUPS:
        return "cannot use autogroup:danger-all as a dst"
    return f'"autogroup:{name}" is not allowed here'


def _shape(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return "text" if isinstance(value, str) else "a number"
