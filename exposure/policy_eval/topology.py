"""Who and what is in a tailnet: people and devices, from a file or assumed from what the policy names.

With no file, every tag and every person a question names stands for one device of its own, about which
nothing is known but that: a tag's device has that one tag, a person's device has none and is that person's,
who is taken for a member.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from exposure.policy_eval.addresses import (
    TAILNET,
    UNKNOWN,
    UNNAMED,
    Address,
    Ranges,
    contains,
    parse_address,
    parse_prefix,
    single,
)
from exposure.policy_eval.hujson import HuJSONError, Path, Position, parse
from exposure.policy_eval.policy import Finding, Policy, render_path
from exposure.policy_eval.postures import Attributes, Value
from exposure.policy_eval.selectors import ROLES, Kind, Selector, check_tag, read_selector


class UnknownNameError(ValueError):
    """A question about somebody or something that is neither in the policy nor in the topology."""


class Standing(NamedTuple):
    """The autogroups that somebody is certainly in, and those that they may be in."""

    sure: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()

    def has(self, name: str) -> bool | None:
        """Whether somebody is in `autogroup:<name>`; None if nobody knows."""
        return True if name in self.sure else None if name in self.unknown else False


_MEMBER = frozenset({"member", "members"})
MEMBER = Standing(_MEMBER, frozenset(ROLES))
UNTOLD = Standing(unknown=frozenset({*_MEMBER, *ROLES, "shared"}))
OUTSIDE = Standing(unknown=frozenset({"shared"}))
# The owner is an admin as well, and an admin may be the owner.
ADMIN = Standing(_MEMBER | {"admin"}, frozenset({"owner"}))


class Endpoint(NamedTuple):
    """One end of a connection: a device, a service, or a bare address that is no device of the tailnet.

    `user` owns an untagged device, and `standing` is theirs. `groups` are memberships that stand in no file (of
    somebody who stands for a whole group). `attributes` is None where they are not known. `settled` is False for
    an address of the tailnet of which nobody knows the device. A `service` (`svc:…`) whose `tags` are known goes by
    them too [tailscale.com/kb/1439, Configure permissions].
    """

    name: str
    addresses: tuple[Address, ...]
    user: str = ""
    tags: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    standing: Standing = MEMBER
    attributes: Attributes | None = None
    device: bool = True
    service: str = ""
    settled: bool = True


def machine(tags: Iterable[str], ipv4: str = "", service: str = "") -> Endpoint:
    """A tagged device, or service, that no topology has: of its addresses the IPv4 one may be known."""
    known = parse_address(ipv4)
    held = frozenset(tags)
    name = ", ".join(sorted(held))
    return Endpoint(name, (known, UNNAMED[1]) if known else UNNAMED, tags=held, service=service)


class User(NamedTuple):
    """A person: login name, and role (`owner`, `admin`, …, `member`, or `shared` for one outside)."""

    login: str
    role: str = ""


class Node(NamedTuple):
    """A device: its tags, or else its user; addresses; approved subnet routes; an approved exit node or not."""

    name: str
    tags: frozenset[str]
    user: str
    addresses: tuple[Address, ...]
    routes: Ranges = ()
    exit_node: bool = False
    attributes: Attributes | None = None


class Topology(NamedTuple):
    """The people and devices of a tailnet: all of them, where any is named.

    `admins` are the logins of admins, whatever `users` says.
    """

    users: tuple[User, ...] = ()
    nodes: tuple[Node, ...] | None = ()
    admins: frozenset[str] = frozenset()

    @property
    def devices(self) -> tuple[Node, ...]:
        """The devices that are known."""
        return self.nodes or ()

    @property
    def routes(self) -> Ranges:
        """All approved subnet routes."""
        return tuple(route for node in self.devices for route in node.routes)

    def at(self, address: Address) -> Node | None:
        """The device that has this address."""
        return next((node for node in self.devices if address in node.addresses), None)

    def names(self, login: str) -> bool:
        """Whether it says who this is."""
        people = {user.login.lower() for user in self.users} | {node.user.lower() for node in self.devices}
        return login.lower() in people | self.admins

    def standing(self, login: str) -> Standing:
        """What a person is in the tailnet. Where people are listed, whoever is not among them is outside."""
        if login.lower() in self.admins:
            return ADMIN
        role = next((user.role for user in self.users if user.login.lower() == login.lower()), "")
        if role:
            return Standing(_roles(role))
        return MEMBER if not self.users or self.names(login) else OUTSIDE

    def endpoint(self, node: Node, addresses: tuple[Address, ...] | None = None) -> Endpoint:
        """A device as one end of a connection, by all its addresses or by those given."""
        return Endpoint(
            name=node.name,
            addresses=node.addresses if addresses is None else addresses,
            user="" if node.tags else node.user,
            tags=node.tags,
            standing=self.standing(node.user),
            attributes=node.attributes,
        )


def _roles(role: str) -> frozenset[str]:
    # Everybody but those outside is a member.
    if role == "shared":
        return frozenset({"shared"})
    return _MEMBER | {role} | ({"admin"} if role == "owner" else set())


NOTHING = Topology(nodes=None)
"""What is known without a file."""


class TopologyReading(NamedTuple):
    """What came of reading a topology: the topology, or what is wrong with it."""

    topology: Topology | None
    findings: tuple[Finding, ...]


def read_topology(source: str | bytes) -> TopologyReading:
    """Read `{"users": […], "nodes": […]}` (HuJSON). Never raises for a wrong file.

    A user is a login name, or `{"login", "role"}`. A node is `{"name", "tags" or "user", "addresses"}` and
    may have `routes` (approved CIDRs), `exit_node` and `posture` (its attributes).
    """
    try:
        document = parse(source)
    except HuJSONError as error:
        return TopologyReading(None, (Finding(error.position, "(the topology)", error.reason),))
    reader = _TopologyReader(document.where)
    topology = reader.topology(document.value)
    if reader.findings:
        return TopologyReading(None, tuple(sorted(set(reader.findings))))
    return TopologyReading(topology, ())


class _TopologyReader:
    def __init__(self, where: Mapping[Path, Position]) -> None:
        self.where = where
        self.findings: list[Finding] = []

    def find(self, path: Path, reason: str) -> None:
        position = self.where.get(path) or self.where.get(path[:-1]) or Position()
        self.findings.append(Finding(position, render_path(path).replace("(the policy)", "(the topology)"), reason))

    def fields(self, value: object, path: Path, known: tuple[str, ...]) -> dict[str, object]:
        if not isinstance(value, Mapping):
            self.find(path, "expected an object")
            return {}
        for key in value:
            if key not in known:
                self.find((*path, key), f'unknown field "{key}": known are {", ".join(known)}')
        return {key: item for key, item in value.items() if key in known and item is not None}

    def items(self, value: object, path: Path) -> list[tuple[object, Path]]:
        if not isinstance(value, list):
            self.find(path, "expected a list")
            return []
        return [(item, (*path, index)) for index, item in enumerate(value)]

    def texts(self, value: object, path: Path) -> list[tuple[str, Path]]:
        found: list[tuple[str, Path]] = []
        for item, at in self.items(value, path):
            if isinstance(item, str):
                found.append((item.strip(), at))
            else:
                self.find(at, "expected text")
        return found

    def topology(self, value: object) -> Topology:
        fields = self.fields(value, (), ("users", "nodes"))
        users = [self.user(item, path) for item, path in self.items(fields.get("users", []), ("users",))]
        nodes = [self.node(item, path) for item, path in self.items(fields.get("nodes", []), ("nodes",))]
        for kind, names in (
            ("user", [user.login.lower() for user in users]),
            ("node", [node.name for node in nodes]),
        ):
            for index, name in enumerate(names):
                if name in names[:index]:
                    self.find((f"{kind}s", index), f'the {kind} "{name}" is listed twice')
        seen: dict[Address, str] = {}
        for index, node in enumerate(nodes):
            for address in node.addresses:
                if address in seen:
                    self.find(("nodes", index, "addresses"), f"{address} is {seen[address]}'s already")
                seen[address] = node.name
        return Topology(tuple(users), tuple(nodes))

    def user(self, value: object, path: Path) -> User:
        fields = {"login": value} if isinstance(value, str) else self.fields(value, path, ("login", "role"))
        login, role = fields.get("login", ""), fields.get("role", "")
        if not isinstance(login, str) or "@" not in login:
            self.find((*path, "login"), "expected a whole login name with an @")
            login = ""
        if not isinstance(role, str) or role not in ("", "member", "shared", *ROLES):
            self.find((*path, "role"), f"a role is one of member, shared, {', '.join(ROLES)}")
            role = ""
        return User(login.strip(), role)

    def node(self, value: object, path: Path) -> Node:
        known = ("name", "tags", "user", "addresses", "routes", "exit_node", "posture")
        fields = self.fields(value, path, known)
        name, user = fields.get("name", ""), fields.get("user", "")
        if not isinstance(name, str) or not name:
            self.find((*path, "name"), "a node needs a name")
            name = ""
        if not isinstance(user, str) or (user and "@" not in user):
            self.find((*path, "user"), "expected a whole login name with an @")
            user = ""
        tags = self.texts(fields.get("tags", []), (*path, "tags"))
        for tag, at in tags:
            try:
                check_tag(tag.removeprefix("tag:"))
            except ValueError as error:
                self.find(at, str(error))
            if not tag.startswith("tag:"):
                self.find(at, "tags must start with 'tag:'")
        if not tags and not user:
            self.find(path, "a node has tags, or else a user")
        addresses: list[Address] = []
        for text, at in self.texts(fields.get("addresses", []), (*path, "addresses")):
            address = parse_address(text)
            if address is None:
                self.find(at, f'"{text}": invalid address')
            else:
                addresses.append(address)
        routes = [(parse_prefix(t), t, at) for t, at in self.texts(fields.get("routes", []), (*path, "routes"))]
        for found, text, at in routes:
            if found is None:
                self.find(at, f'"{text}": a route is a CIDR')
        exit_node = fields.get("exit_node", False)
        if not isinstance(exit_node, bool):
            self.find((*path, "exit_node"), "expected true or false")
        return Node(
            name=name,
            tags=frozenset(tag for tag, _ in tags),
            user=user.strip(),
            # A device without addresses in the file has some all the same.
            addresses=tuple(addresses) or UNKNOWN,
            routes=tuple(found for found, _, _ in routes if found),
            exit_node=exit_node is True,
            attributes=self.posture(fields["posture"], (*path, "posture")) if "posture" in fields else None,
        )

    def posture(self, value: object, path: Path) -> dict[str, Value]:
        if not isinstance(value, Mapping):
            self.find(path, "expected an object")
            return {}
        found: dict[str, Value] = {}
        for key, item in value.items():
            if isinstance(item, str | int | float):
                found[key] = item
            else:
                self.find((*path, key), "expected text, a number, true or false")
        return found


def endpoints(policy: Policy, text: str, topology: Topology = NOTHING) -> tuple[Endpoint, ...]:
    """Everything a name stands for: at least one endpoint.

    Takes a selector of the policy (user, group, tag, host, address, service, `autogroup:member`,
    `autogroup:tagged`) or the name of a node. Without a topology, and for a tag, a person or a group that has
    no device in it, a supposed device stands for it: nothing is said of a tag in the file, so something with
    that tag may come tomorrow. A group without members in the file is stood for by somebody in that group and
    no other. Raises `UnknownNameError`.
    """
    try:
        selector = read_selector(text)
    except ValueError as error:
        raise UnknownNameError(str(error)) from None
    if selector.kind is Kind.USER:
        return _of_person(selector.name, topology)
    if selector.kind is Kind.GROUP:
        return _of_group(policy, selector, topology)
    if selector.kind is Kind.TAG:
        if selector.text not in policy.tag_owners:
            raise UnknownNameError(f'tag not found: "{selector.text}"')
        found = [node for node in topology.devices if selector.text in node.tags]
        return _of_nodes(found, topology) or (Endpoint(selector.text, UNKNOWN, tags=frozenset({selector.text})),)
    if selector.kind is Kind.SERVICE:
        return (Endpoint(selector.text, UNKNOWN, device=False, service=selector.text),)
    if selector.kind is Kind.AUTOGROUP:
        return _of_autogroup(selector, topology)
    return _of_address(policy, selector, topology)


def _of_nodes(nodes: list[Node], topology: Topology) -> tuple[Endpoint, ...]:
    return tuple(map(topology.endpoint, nodes))


def _of_person(login: str, topology: Topology) -> tuple[Endpoint, ...]:
    mine = [n for n in topology.devices if not n.tags and n.user.lower() == login.lower()]
    return _of_nodes(mine, topology) or (Endpoint(login, UNKNOWN, user=login, standing=topology.standing(login)),)


def _of_group(policy: Policy, selector: Selector, topology: Topology) -> tuple[Endpoint, ...]:
    if selector.text not in policy.groups and "@" not in selector.name:
        raise UnknownNameError(f'group not found: "{selector.text}"')
    members = policy.groups.get(selector.text, ())
    found = dict.fromkeys(endpoint for login in members for endpoint in _of_person(login, topology))
    somebody = Endpoint(
        f"somebody in {selector.text}",
        UNKNOWN,
        user=f"(somebody in {selector.text})",
        groups=frozenset({selector.text}),
        standing=Standing(_MEMBER),
    )
    return tuple(found) or (somebody,)


def _of_autogroup(selector: Selector, topology: Topology) -> tuple[Endpoint, ...]:
    nodes = topology.devices
    if selector.name in _MEMBER:
        mine = [n for n in nodes if not n.tags and topology.standing(n.user).has("member")]
        somebody = Endpoint("a member in no group", UNKNOWN, user="(a member)", standing=Standing(_MEMBER))
        return _of_nodes(mine, topology) or (somebody,)
    if selector.name == "shared":
        return (
            Endpoint("somebody outside the tailnet", UNKNOWN, user="(a guest)", standing=Standing(_roles("shared"))),
        )
    if selector.name == "tagged" and (tagged := [n for n in nodes if n.tags]):
        return _of_nodes(tagged, topology)
    raise UnknownNameError(f'"{selector.text}" stands for no device of its own')


def _of_address(policy: Policy, selector: Selector, topology: Topology) -> tuple[Endpoint, ...]:
    if selector.kind is Kind.HOST and selector.name not in policy.hosts:
        named = [node for node in topology.devices if node.name == selector.name]
        if named:
            return _of_nodes(named, topology)
        raise UnknownNameError(f'"{selector.name}" is neither a host of the policy nor a node')
    ranges = policy.ranges(selector)
    address = single(ranges) if ranges else None
    if address is None or "/" in selector.text:
        raise UnknownNameError(f'"{selector.text}" is no single address')
    node = topology.at(address)
    if node is not None:
        return (topology.endpoint(node, (address,)),)
    unsettled = topology.nodes is None and contains(TAILNET, address) is True
    return (Endpoint(selector.text, (address,), device=False, settled=not unsettled),)
