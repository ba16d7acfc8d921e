"""Who reaches what under a policy.

Expectations are from https://tailscale.com/kb/1337/policy-syntax (PS),
https://tailscale.com/kb/1538/grants-syntax (GS), https://tailscale.com/kb/1396/targets (TS),
https://tailscale.com/kb/1288/device-posture (DP), the client's packet filter (tailscale/tailscale
wgengine/filter, WF), and packet filters the real service was seen to hand out (seen).
"""

from __future__ import annotations

import ipaddress
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import exposure.policy_eval
from exposure.policy_eval import (
    NOTHING,
    Decision,
    Endpoint,
    Node,
    Policy,
    Topology,
    UnknownNameError,
    User,
    reach,
    read_policy,
    read_topology,
    who_reaches,
)
from exposure.policy_eval.addresses import Address, parse_address, parse_prefix

_NAMES: dict[str, Any] = {
    "groups": {"group:dev": ["ann@example.com"], "group:empty": []},
    "hosts": {"web": "100.64.0.16", "lan": "192.168.1.0/24"},
    "tagOwners": {f"tag:{name}": [] for name in ("server", "client", "router", "exit", "db")},
    "postures": {"posture:mac": ["node:os == 'macos'"], "posture:new": ["node:tsVersion >= '1.40'"]},
}

_TOPOLOGY = """{
  "users": [
    {"login": "ann@example.com", "role": "owner"},
    {"login": "bob@lab.example.com", "role": "member"},
    {"login": "eve@away.example.com", "role": "shared"},
  ],
  "nodes": [
    {"name": "ann-1", "user": "ann@example.com", "addresses": ["100.64.0.1", "fd7a:115c:a1e0::1"]},
    {"name": "ann-2", "user": "ann@example.com", "addresses": ["100.64.0.2"], "posture": {"node:os": "macos"}},
    {"name": "bob-1", "user": "bob@lab.example.com", "addresses": ["100.64.0.3"]},
    {"name": "eve-1", "user": "eve@away.example.com", "addresses": ["100.64.0.4"]},
    {"name": "server", "tags": ["tag:server"], "addresses": ["100.64.0.16", "fd7a:115c:a1e0::16"]},
    {"name": "both", "tags": ["tag:server", "tag:db"], "addresses": ["100.64.0.17"]},
    {"name": "router", "tags": ["tag:router"], "addresses": ["100.64.0.20"], "routes": ["192.168.1.0/24"]},
    {"name": "exit", "tags": ["tag:exit"], "addresses": ["100.64.0.21"], "exit_node": true},
  ],
}
"""


def _topology() -> Topology:
    reading = read_topology(_TOPOLOGY)
    assert reading.topology is not None, reading.findings
    return reading.topology


def _policy(*grants: dict[str, Any], **sections: object) -> Policy:
    reading = read_policy({**_NAMES, "grants": list(grants), **sections})
    assert reading.policy is not None, reading.findings
    return reading.policy


def _grant(src: str, dst: str, *ip: str, **more: object) -> dict[str, Any]:
    return {"src": [src], "dst": [dst], "ip": list(ip) or ["*"], **more}


def _acl(src: str, dst: str, **more: object) -> dict[str, Any]:
    return {"action": "accept", "src": [src], "dst": [dst], **more}


# Denied by default, allowed by any rule


def test_an_empty_rule_list_denies_everything() -> None:
    # seen: "grants": [] hands out no packet filter at all
    assert reach(_policy(), "ann@example.com", "tag:server", 443) == Decision(False, False)


def test_neither_acls_nor_grants_allow_everything_within_the_tailnet() -> None:
    # seen: the filter is then from the tailnet's addresses to everywhere
    policy = read_policy(_NAMES).policy
    assert policy is not None
    assert reach(policy, "ann@example.com", "tag:server", 443).allowed
    stranger = Endpoint("stranger", (Address(4, 0x08080808),), device=False)
    assert not reach(policy, stranger, "tag:server", 443, topology=_topology()).allowed


def test_acls_and_grants_add_up() -> None:
    policy = _policy(_grant("tag:client", "tag:server", "80"), acls=[_acl("group:dev", "tag:server:22")])
    assert reach(policy, "ann@example.com", "tag:server", 22).allowed
    assert reach(policy, "tag:client", "tag:server", 80).allowed
    assert not reach(policy, "tag:client", "tag:server", 22).partly
    assert not reach(policy, "ann@example.com", "tag:server", 80).partly


def test_a_rule_opens_one_direction() -> None:
    policy = _policy(_grant("tag:client", "tag:server"))
    assert reach(policy, "tag:client", "tag:server", 22).allowed
    assert not reach(policy, "tag:server", "tag:client", 22).partly


def test_the_reason_names_the_rule_its_line_and_its_words() -> None:
    text = """{
      "tagOwners": {"tag:a": [], "tag:b": []},
      "grants": [
        {"src": ["tag:a"], "dst": ["tag:a"], "ip": ["22"]},
        {"src": ["tag:b", "tag:a"], "dst": ["tag:b"], "ip": ["22", "80"]},
      ],
    }"""
    policy = read_policy(text).policy
    assert policy is not None
    assert [str(why) for why in reach(policy, "tag:a", "tag:b", 80).why] == ["grants[1] (line 5): tag:a -> tag:b"]


# Sources and destinations

_SELECTORS = [
    # rule's source, asked source, does it match (source of the fact)
    ("ann@example.com", "ann-1", True, "PS"),
    ("Ann@Example.com", "ann-1", True, "PS"),
    ("ann@example.com", "bob-1", False, "PS"),
    ("group:dev", "ann-2", True, "PS"),
    ("group:dev", "bob-1", False, "PS"),
    ("group:empty", "ann-1", False, "seen"),
    ("user:*@example.com", "ann-1", True, "seen"),
    ("user:*@example.com", "bob-1", False, "seen"),
    ("user:*@ample.com", "ann-1", False, "PS"),
    ("user:*@away.example.com", "eve-1", False, "PS"),  # outside the tailnet
    ("user:*@example.com", "server", False, "seen"),
    ("autogroup:member", "ann-1", True, "PS"),
    ("autogroup:member", "server", False, "seen"),
    ("autogroup:member", "eve-1", False, "PS"),
    ("autogroup:shared", "eve-1", True, "PS"),
    ("autogroup:shared", "ann-1", False, "PS"),
    ("autogroup:tagged", "server", True, "seen"),
    ("autogroup:tagged", "ann-1", False, "seen"),
    ("autogroup:owner", "ann-1", True, "seen"),
    ("autogroup:admin", "ann-1", True, "seen"),  # the owner is an admin as well
    ("autogroup:owner", "bob-1", False, "seen"),
    ("autogroup:admin", "bob-1", False, "seen"),
    ("tag:server", "server", True, "seen"),
    ("tag:server", "both", True, "seen"),
    ("tag:db", "both", True, "seen"),
    ("tag:server", "ann-1", False, "seen"),
    ("100.64.0.1", "ann-1", True, "seen"),
    ("100.64.0.1", "100.64.0.1", True, "seen"),
    ("100.64.0.1", "fd7a:115c:a1e0::1", False, "seen"),  # an address is that address, not its device
    ("100.64.0.0/30", "ann-2", True, "seen"),
    ("100.64.0.0/30", "server", False, "seen"),
    ("web", "server", True, "seen"),
    ("lan", "192.168.1.9", True, "seen"),
    ("lan", "192.168.2.9", False, "seen"),
    ("*", "ann-1", True, "PS"),
    ("*", "server", True, "PS"),
    ("*", "192.168.1.9", True, "PS"),  # behind an approved subnet router
    ("*", "192.168.2.9", False, "PS"),
    ("*", "100.115.92.9", False, "seen"),  # ChromeOS's own part of the range is left out
    ("autogroup:danger-all", "192.168.2.9", True, "TS"),
    ("autogroup:danger-all", "8.8.8.8", True, "seen"),
    ("tag:router", "192.168.1.9", False, "seen"),  # a tag is the device, not what lies behind it
]


@pytest.mark.parametrize(("selector", "asked", "matches", "fact"), _SELECTORS)
def test_a_source_matches_what_it_says(selector: str, asked: str, matches: bool, fact: str) -> None:
    del fact
    policy = _policy(_grant(selector, "*"))
    # Towards both versions, so that only the source decides.
    answers = [reach(policy, asked, dst, 443, topology=_topology()).partly for dst in ("100.64.0.17", "server")]
    assert any(answers) is matches


@pytest.mark.parametrize(
    ("selector", "asked", "matches", "fact"),
    [
        *(
            (selector, asked, matches, fact)
            for selector, asked, matches, fact in _SELECTORS
            if selector not in ("*", "autogroup:danger-all", "autogroup:shared")
        ),
        ("*", "8.8.8.8", True, "PS"),
        ("autogroup:internet", "8.8.8.8", True, "TS"),
        ("autogroup:internet", "2001:4860:4860::8888", True, "TS"),
        ("autogroup:internet", "192.168.1.9", False, "TS"),
        ("autogroup:internet", "fd00::9", False, "TS"),
        ("autogroup:internet", "fd7a:115c:a1e0::1", False, "TS"),
        ("autogroup:internet", "exit", False, "seen"),  # leave through an exit node is no leave to reach it
        ("autogroup:internet", "ann-1", False, "seen"),
    ],
)
def test_a_destination_matches_what_it_says(selector: str, asked: str, matches: bool, fact: str) -> None:
    del fact
    policy = _policy(acls=[_acl("tag:server", f"[{selector}]:*" if "::" in selector else f"{selector}:*")])
    assert reach(policy, "server", asked, 443, topology=_topology()).partly is matches


def test_autogroup_self_is_the_same_persons_untagged_devices() -> None:
    # seen: an ACL's * before autogroup:self stands for each owner alone; tagged devices get nothing
    policy = _policy(acls=[_acl("*", "autogroup:self:*")])
    topology = _topology()
    pairs = [("ann-1", "ann-2"), ("ann-2", "ann-1"), ("ann-1", "ann-1"), ("bob-1", "bob-1")]
    assert all(reach(policy, a, b, 22, topology=topology).allowed for a, b in pairs)
    others = [("ann-1", "bob-1"), ("server", "server"), ("both", "server"), ("ann-1", "server"), ("server", "ann-1")]
    assert not any(reach(policy, a, b, 22, topology=topology).partly for a, b in others)


def test_a_tagged_device_is_nobodys_whoever_set_it_up() -> None:
    reading = read_topology('{"nodes": [{"name": "x", "tags": ["tag:db"], "user": "ann@example.com"}]}')
    assert reading.topology is not None
    by_hand = Endpoint("y", (Address(4, None),), user="ann@example.com", tags=frozenset({"tag:db"}))
    for selector in ("ann@example.com", "group:dev", "autogroup:member", "autogroup:owner", "user:*@example.com"):
        policy = _policy(_grant(selector, "*"), _grant(selector, "autogroup:self"))
        assert not reach(policy, "x", "tag:server", 22, topology=reading.topology).partly
        assert not reach(policy, by_hand, "tag:server", 22).partly
        assert not reach(_policy(_grant(selector, "autogroup:self")), "ann@example.com", by_hand, 22).partly
        assert not reach(_policy(_grant("tag:server", selector)), "tag:server", by_hand, 22).partly
    assert reach(_policy(_grant("tag:db", "*")), by_hand, "tag:server", 22).allowed


def test_a_synced_group_holds_its_own_and_perhaps_others() -> None:
    # PS: group:name@domain comes from the identity provider; who is in it is not in the file
    policy = _policy(_grant("group:ops@example.com", "tag:server"))
    assert reach(policy, "group:ops@example.com", "tag:server", 22).allowed
    decision = reach(policy, "ann@example.com", "tag:server", 22)
    assert not decision.partly
    assert [why.rule for why in decision.maybe] == ["grants[0]"]


def test_a_service_is_reached_by_its_name_alone() -> None:
    policy = _policy(_grant("group:dev", "svc:web", "443"))
    assert reach(policy, "ann@example.com", "svc:web", 443).allowed
    assert not reach(policy, "ann@example.com", "svc:other", 443).partly
    assert not reach(policy, "ann@example.com", "tag:server", 443).partly


# Ports and protocols


@pytest.mark.parametrize(
    ("ip", "proto", "port", "let_through", "fact"),
    [
        ("*", "tcp", 65535, True, "seen"),
        ("*", "udp", 53, True, "seen"),
        ("*", "icmp", None, True, "seen"),
        ("*", "sctp", 22, False, "seen"),  # no protocol: TCP, UDP, ICMP, ICMPv6
        ("*", "gre", None, False, "seen"),
        ("443", "tcp", 443, True, "GS"),
        ("443", "udp", 443, True, "seen"),
        ("443", "tcp", 444, False, "GS"),
        ("47", "gre", None, False, "seen"),  # a number alone is a port, not a protocol
        ("tcp:443", "tcp", 443, True, "GS"),
        ("TCP:443", "tcp", 443, True, "GS"),
        ("tcp:443", "udp", 443, False, "seen"),
        ("tcp:443", "icmp", None, True, "PS"),  # any open port opens ICMP
        ("tcp:80-443", "tcp", 80, True, "seen"),
        ("tcp:80-443", "tcp", 443, True, "seen"),
        ("tcp:80-443", "tcp", 444, False, "seen"),
        ("tcp:80-443", "tcp", 79, False, "seen"),
        ("tcp:22,80,443", "tcp", 80, True, "PS"),
        ("tcp:22,80,443", "tcp", 81, False, "PS"),
        ("6:443", "tcp", 443, True, "PS"),
        ("gre:*", "47", None, True, "WF"),
        ("icmp:*", "tcp", 22, False, "seen"),
        ("icmp:*", "icmp", None, True, "seen"),
        ("sctp:22", "sctp", 22, True, "PS"),
        ("udp:53", None, 53, True, "PS"),  # no protocol asked: TCP or UDP, either
        ("tcp:53", None, 53, True, "PS"),
        ("sctp:53", None, 53, False, "PS"),
        ("udp:53", None, None, True, "PS"),
    ],
)
def test_ports_and_protocols(ip: str, proto: str | None, port: int | None, let_through: bool, fact: str) -> None:
    del fact
    policy = _policy(_grant("tag:client", "tag:server", ip))
    assert reach(policy, "tag:client", "tag:server", port, proto).allowed is let_through
    if "," not in ip and ip != "*":
        protocol, _, ports = ip.rpartition(":")
        acl = _policy(acls=[_acl("tag:client", f"tag:server:{ports}", proto=protocol.lower())])
        assert reach(acl, "tag:client", "tag:server", port, proto).allowed is let_through


def test_a_capability_alone_opens_no_port() -> None:
    # seen: such a grant hands out capabilities and no destination ports
    grant = {"src": ["*"], "dst": ["*"], "app": {"example.com/cap": [{}]}}
    assert not reach(_policy(grant), "tag:client", "tag:server", 443).partly
    assert reach(_policy({**grant, "ip": ["443"]}), "tag:client", "tag:server", 443).allowed


# Several devices, versions of IP, routers


def test_all_and_some_of_several_devices_are_told_apart() -> None:
    policy = _policy(_grant("ann@example.com", "100.64.0.16"))
    decision = reach(policy, "ann@example.com", "tag:server", 22, topology=_topology())
    assert (decision.allowed, decision.partly) == (False, True)


def test_two_devices_meet_only_in_the_same_version_of_ip() -> None:
    # bob's device has no IPv6 address
    policy = _policy(_grant("bob@lab.example.com", "fd7a:115c:a1e0::16"))
    assert not reach(policy, "bob-1", "server", 22, topology=_topology()).partly
    assert reach(_policy(_grant("bob@lab.example.com", "*")), "bob-1", "server", 22, topology=_topology()).allowed


def test_a_via_rule_opens_what_lies_behind_its_routers_and_nothing_else() -> None:
    # seen: the router with the tag gets the rule, other routers and the tailnet's devices do not
    topology = _topology()
    policy = _policy(
        _grant("tag:client", "lan", via=["tag:router"]), _grant("tag:client", "tag:server", via=["tag:router"])
    )
    assert reach(policy, "tag:client", "192.168.1.9", 22, topology=topology).why[0].via == ("tag:router",)
    assert not reach(policy, "tag:client", "tag:server", 22, topology=topology).partly
    other = _policy(_grant("tag:client", "lan", via=["tag:exit"]))
    assert not reach(other, "tag:client", "192.168.1.9", 22, topology=topology).partly
    router = next(node for node in topology.devices if node.name == "router")
    assert reach(policy, "tag:client", "192.168.1.9", 22, topology=topology, through=router).allowed


def test_a_via_rule_to_the_internet_goes_through_exit_nodes() -> None:
    topology = _topology()
    policy = _policy(_grant("tag:client", "autogroup:internet", via=["tag:exit"]))
    assert reach(policy, "tag:client", "8.8.8.8", 443, topology=topology).allowed
    wrong = _policy(_grant("tag:client", "autogroup:internet", via=["tag:router"]))
    assert not reach(wrong, "tag:client", "8.8.8.8", 443, topology=topology).partly


# Posture


def test_a_rule_with_a_posture_holds_for_devices_that_meet_one_of_them() -> None:
    policy = _policy(_grant("autogroup:member", "tag:server", srcPosture=["posture:new", "posture:mac"]))
    topology = _topology()
    assert reach(policy, "ann-2", "server", 22, topology=topology).allowed
    unknown = reach(policy, "ann-1", "server", 22, topology=topology)
    assert not unknown.partly
    assert unknown.maybe
    # DP: an attribute that is not set meets no comparison
    assert not reach(policy, "ann-1", "server", 22, topology=topology, attributes={}).maybe


def test_the_default_posture_holds_where_a_rule_has_none_of_its_own() -> None:
    policy = _policy(
        _grant("ann@example.com", "tag:server", "22"),
        _grant("ann@example.com", "tag:server", "80", srcPosture=["posture:new"]),
        defaultSrcPosture=["posture:mac"],
    )

    def ports(**attributes: str) -> list[int]:
        told = {f"node:{name}": value for name, value in attributes.items()}
        return [p for p in (22, 80) if reach(policy, "ann@example.com", "tag:server", p, attributes=told).allowed]

    assert ports(os="macos") == [22]
    assert ports(tsVersion="1.40.0") == [80]
    assert ports(os="linux", tsVersion="1.39.9") == []


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ("node:os == 'macos'", "macos", True),
        ("node:os != 'macos'", "linux", True),
        ("node:os != 'macos'", "macos", False),
        ("node:os IN ['macos', 'linux']", "linux", True),
        ("node:os IN ['macos', 'linux']", "windows", False),
        ("node:os NOT IN ['macos', 'linux']", "windows", True),
        ("node:tsVersion >= '1.40'", "1.40.0", True),
        ("node:tsVersion >= '1.40'", "1.9.1", False),
        ("node:tsVersion < '1.40'", "1.9.1", True),
        ("node:osVersion == '13.4.0'", "13.4", True),
        ("custom:level >= 3", 3, True),
        ("custom:level > 3", 3, False),
        ("custom:level > 3", "4", False),
        ("node:tsAutoUpdate == true", True, True),
        ("node:tsAutoUpdate", False, False),
        ("custom:level == 1", True, False),
        ("custom:tier IS SET", "x", True),
        ("custom:tier NOT SET", "x", False),
    ],
)
def test_posture_conditions(condition: str, value: str | int | bool, holds: bool) -> None:
    policy = _policy(_grant("tag:client", "tag:server", srcPosture=["posture:x"]), postures={"posture:x": [condition]})
    name = condition.split()[0]
    assert reach(policy, "tag:client", "tag:server", 22, attributes={name: value}).allowed is holds
    without = reach(policy, "tag:client", "tag:server", 22, attributes={}).allowed
    assert without is ("NOT SET" in condition)


# Without a topology


def test_an_address_of_the_tailnet_may_be_anybodys_device() -> None:
    policy = _policy(_grant("tag:client", "tag:server"))
    decision = reach(policy, "tag:client", "100.64.0.16", 22)
    assert not decision.partly
    assert [why.destination for why in decision.maybe] == ["tag:server"]
    known = reach(policy, "tag:client", "100.64.0.16", 22, topology=_topology())
    assert known.allowed


def test_a_tags_device_may_have_an_address_a_rule_names() -> None:
    policy = _policy(_grant("tag:client", "100.64.0.16"))
    decision = reach(policy, "tag:client", "tag:server", 22)
    assert not decision.partly
    assert decision.maybe
    wide = _policy(_grant("100.64.0.0/10", "100.64.0.0/10"))
    assert reach(wide, "tag:client", "tag:server", 22).allowed
    elsewhere = reach(_policy(_grant("tag:client", "lan")), "tag:client", "tag:server", 22)
    assert elsewhere == Decision(False, False)


def test_a_role_nobody_told_is_a_perhaps() -> None:
    policy = _policy(_grant("autogroup:admin", "tag:server"))
    decision = reach(policy, "ann@example.com", "tag:server", 22)
    assert (decision.partly, bool(decision.maybe)) == (False, True)
    assert not reach(policy, "tag:client", "tag:server", 22).maybe
    assert not reach(policy, "autogroup:member", "tag:server", 22).maybe


@pytest.mark.parametrize(
    "name", ["tag:nobody", "group:nobody", "nobody", "lan", "10.0.0.0/8", "*", "autogroup:self", "", "tag:", "ipset:x"]
)
def test_a_name_that_stands_for_nothing_is_an_error(name: str) -> None:
    with pytest.raises(UnknownNameError):
        reach(_policy(), name, "tag:server")


def test_who_reaches_a_destination_is_listed_by_rule() -> None:
    policy = _policy(
        _grant("group:dev", "tag:server", "tcp:443"),
        _grant("tag:client", "tag:server", "tcp:22"),
        {"src": ["tag:client", "tag:db"], "dst": ["*"], "ip": ["443"]},
        _grant("autogroup:member", "autogroup:self"),
    )
    found = [(why.rule, why.source) for why in who_reaches(policy, "tag:server", 443, "tcp")]
    assert found == [("grants[0]", "group:dev"), ("grants[2]", "tag:client"), ("grants[2]", "tag:db")]
    mine = [(why.rule, why.source) for why in who_reaches(policy, "ann@example.com", 22, "tcp")]
    assert mine == [("grants[3]", "autogroup:member")]


def test_the_evaluator_imports_the_standard_library_alone() -> None:
    root = str(Path(exposure.policy_eval.__file__).parents[2])
    code = (
        f"import sys; sys.path.insert(0, {root!r}); import exposure.policy_eval;"
        "names = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names);"
        "print(sorted(n for n in names if not n.startswith('_')), 'dataclasses' in sys.modules)"
    )
    # -S: the environment's own start-up files bring in modules of theirs.
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['exposure'] False"


# A second reading of the same rules: compiled to lists of addresses as the service does it, and matched by
# `ipaddress`.


class _Filter(NamedTuple):
    sources: frozenset[str]
    destinations: frozenset[str]
    ports: tuple[int, int]
    protocols: frozenset[int]


_PEOPLE = ("ann@example.com", "bob@example.com")
_TAGS = ("tag:a", "tag:b")
_DEVICES: list[tuple[str, str, frozenset[str], str]] = [
    ("d1", "ann@example.com", frozenset(), "100.64.0.1"),
    ("d2", "ann@example.com", frozenset(), "100.64.0.2"),
    ("d3", "bob@example.com", frozenset(), "100.64.0.3"),
    ("d4", "", frozenset({"tag:a"}), "100.64.0.4"),
    ("d5", "", frozenset({"tag:b"}), "100.64.0.5"),
    ("d6", "", frozenset({"tag:a", "tag:b"}), "100.64.0.6"),
]
_OUTSIDE = ("10.1.0.1", "10.2.0.1", "8.8.8.8")
_GROUPS = {"group:g": ["ann@example.com"], "group:both": list(_PEOPLE), "group:none": []}
_HOSTS = {"h1": "100.64.0.4", "h2": "10.1.0.0/16"}
_WHO = [*_PEOPLE, *_TAGS, *_GROUPS, *_HOSTS, "*", "autogroup:member", "autogroup:tagged", "100.64.0.2", "100.64.0.4/30"]
_PORTS = {"*": (0, 65535), "22": (22, 22), "20-30": (20, 30), "443": (443, 443)}
_IP = {
    "*": (0, 65535, {6, 17, 1, 58}),
    "22": (22, 22, {6, 17, 1, 58}),
    "tcp:20-30": (20, 30, {6}),
    "udp:443": (443, 443, {17}),
    "icmp:*": (0, 65535, {1}),
    "gre:*": (0, 65535, {47}),
}


def _addresses(selector: str, *, source: bool) -> set[str]:
    every = {address for _, _, _, address in _DEVICES}
    if selector == "*":
        return every | ({"10.1.0.1"} if source else set(_OUTSIDE))
    if selector == "autogroup:member":
        return {address for _, owner, _, address in _DEVICES if owner}
    if selector == "autogroup:tagged":
        return {address for _, _, tags, address in _DEVICES if tags}
    if selector == "autogroup:internet":
        return {"8.8.8.8"}
    if selector in _GROUPS:
        return {address for _, owner, _, address in _DEVICES if owner in _GROUPS[selector]}
    if "@" in selector:
        return {address for _, owner, _, address in _DEVICES if owner == selector}
    if selector.startswith("tag:"):
        return {address for _, _, tags, address in _DEVICES if selector in tags}
    network = ipaddress.ip_network(_HOSTS.get(selector, selector))
    return {text for text in (*every, *_OUTSIDE) if ipaddress.ip_address(text) in network}


def _compile(sources: Iterable[str], destination: str, ports: tuple[int, int], protocols: set[int]) -> list[_Filter]:
    if destination == "autogroup:self":
        found = []
        for person in _PEOPLE:
            own = _addresses(person, source=True)
            mine = {a for source in sources for a in _addresses(source, source=True)} & own
            found.append(_Filter(frozenset(mine), frozenset(own), ports, frozenset(protocols)))
        return found
    addresses = frozenset(a for source in sources for a in _addresses(source, source=True))
    return [_Filter(addresses, frozenset(_addresses(destination, source=False)), ports, frozenset(protocols))]


def _filtered(filters: Iterable[_Filter], src: str, dst: str, port: int, protocol: int) -> bool:
    for rule in filters:
        if src not in rule.sources or dst not in rule.destinations:
            continue
        if protocol == 1:
            return True
        if protocol in rule.protocols and (
            rule.ports == (0, 65535) if protocol == 47 else rule.ports[0] <= port <= rule.ports[1]
        ):
            return True
    return False


_SOURCES = st.lists(st.sampled_from(_WHO), max_size=3)
_GRANT = st.builds(
    lambda src, dst, ip: {"src": src, "dst": dst, "ip": ip},
    _SOURCES,
    st.lists(st.sampled_from([*_WHO, "autogroup:internet"]), max_size=3),
    st.lists(st.sampled_from(list(_IP)), min_size=1, max_size=2),
)
_SELF = st.builds(
    lambda src, ip: {"src": src, "dst": ["autogroup:self"], "ip": ip},
    st.lists(st.sampled_from([*_PEOPLE, *_GROUPS, "autogroup:member"]), max_size=2),
    st.lists(st.sampled_from(list(_IP)), min_size=1, max_size=2),
)
_ACL = st.builds(
    lambda src, dst, proto: {"action": "accept", "src": src, "dst": dst, "proto": proto},
    _SOURCES,
    st.lists(st.tuples(st.sampled_from(_WHO), st.sampled_from(list(_PORTS))).map(":".join), max_size=3),
    st.sampled_from(["", "tcp", "udp", "17"]),
)
_RULES = st.tuples(st.lists(_ACL, max_size=3), st.lists(_GRANT | _SELF, max_size=3))
_QUESTION = st.tuples(
    st.sampled_from([*(d[3] for d in _DEVICES), "10.1.0.1", "10.2.0.1", "8.8.8.8"]),
    st.sampled_from([*(d[3] for d in _DEVICES), *_OUTSIDE]),
    st.sampled_from([19, 20, 22, 30, 31, 443]),
    st.sampled_from([("tcp", 6), ("udp", 17), ("icmp", 1), ("gre", 47)]),
)
_SMALL = {"groups": _GROUPS, "hosts": _HOSTS, "tagOwners": {tag: [] for tag in _TAGS}}


def _small(acls: list[dict[str, Any]], grants: list[dict[str, Any]]) -> Policy:
    reading = read_policy({**_SMALL, "acls": acls, "grants": grants})
    assert reading.policy is not None, reading.findings
    return reading.policy


def _small_topology() -> Topology:
    def address(text: str) -> tuple[Address, ...]:
        found = parse_address(text)
        assert found is not None
        return (found,)

    route = parse_prefix("10.1.0.0/16")
    assert route is not None
    nodes = tuple(Node(name, tags, owner, address(text)) for name, owner, tags, text in _DEVICES)
    # The subnet router is d5: what lies behind it counts as the tailnet's.
    nodes = tuple(node._replace(routes=(route,)) if node.name == "d5" else node for node in nodes)
    return Topology(tuple(User(person) for person in _PEOPLE), nodes)


@given(_RULES, st.lists(_QUESTION, min_size=1, max_size=8))
def test_it_agrees_with_a_second_reading_of_the_rules(
    rules: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    questions: list[tuple[str, str, int, tuple[str, int]]],
) -> None:
    acls, grants = rules
    filters: list[_Filter] = []
    for acl in acls:
        protocols = {"": {6, 17, 1, 58}, "tcp": {6}, "udp": {17}, "17": {17}}[acl["proto"]]
        for target in acl["dst"]:
            who, _, ports = target.rpartition(":")
            filters += _compile(acl["src"], who, _PORTS[ports], protocols)
    for grant in grants:
        for who in grant["dst"]:
            for ip in grant["ip"]:
                first, last, protocols = _IP[ip]
                filters += _compile(grant["src"], who, (first, last), protocols)
    policy, topology = _small(acls, grants), _small_topology()
    for src, dst, port, (name, number) in questions:
        decision = reach(policy, src, dst, port, name, topology)
        assert decision.allowed is _filtered(filters, src, dst, port, number), (src, dst, port, name)
        assert decision.allowed is decision.partly is bool(decision.why)
        assert not decision.maybe


_NAMED = st.tuples(
    st.sampled_from([*_PEOPLE, *_TAGS, *_GROUPS, "autogroup:member", "100.64.0.2", "10.1.0.1"]),
    st.sampled_from([*_PEOPLE, *_TAGS, *_GROUPS, "100.64.0.4", "10.1.0.1", "8.8.8.8"]),
    st.sampled_from([None, 20, 22, 443]),
    st.sampled_from([None, "tcp", "udp", "icmp"]),
    st.sampled_from([NOTHING, _small_topology()]),
)


@given(_RULES, _NAMED, st.randoms(use_true_random=False))
def test_the_order_of_rules_and_of_their_words_changes_nothing(
    rules: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    question: tuple[str, str, int | None, str | None, Topology],
    chance: random.Random,
) -> None:
    def shuffled(items: list[Any]) -> list[Any]:
        return chance.sample(items, len(items))

    mixed = [
        [{k: shuffled(v) if isinstance(v, list) else v for k, v in rule.items()} for rule in shuffled(section)]
        for section in rules
    ]
    before, after = reach(_small(*rules), *question), reach(_small(*mixed), *question)
    assert (before.allowed, before.partly) == (after.allowed, after.partly)

    def words(decision: Decision) -> set[tuple[str, str]]:
        return {(why.source, why.destination) for why in decision.why}

    assert words(before) == words(after)


@given(_RULES, _ACL | _GRANT | _SELF, _NAMED)
def test_one_more_rule_takes_no_reach_away(
    rules: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    added: dict[str, Any],
    question: tuple[str, str, int | None, str | None, Topology],
) -> None:
    acls, grants = rules
    more = ([*acls, added], grants) if "action" in added else (acls, [*grants, added])
    before, after = reach(_small(acls, grants), *question), reach(_small(*more), *question)
    assert (before.allowed, before.partly) <= (after.allowed, after.partly)
    assert before.allowed <= after.allowed
    assert before.partly <= after.partly


@given(_RULES, _NAMED)
def test_what_is_allowed_is_allowed_by_a_rule_that_says_so(
    rules: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    question: tuple[str, str, int | None, str | None, Topology],
) -> None:
    acls, grants = rules
    decision = reach(_small(acls, grants), *question)
    assert decision.partly is bool(decision.why)
    assert decision.partly or not decision.allowed
    for why in decision.why:
        section, _, index = why.rule.rstrip("]").partition("[")
        rule = {"acls": acls, "grants": grants}[section][int(index)]
        assert why.source in rule["src"]
        assert any(target.startswith(why.destination) for target in rule["dst"])
