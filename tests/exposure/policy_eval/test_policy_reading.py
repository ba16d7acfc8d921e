"""What is a valid policy.

Expectations are from https://tailscale.com/kb/1337/policy-syntax (PS),
https://tailscale.com/kb/1538/grants-syntax (GS),
https://tailscale.com/kb/1387/ipsets (IP), https://tailscale.com/kb/1288/device-posture (DP), and from what the real
service was seen to answer to a policy, its words included (seen).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposure.policy_eval import Policy, read_policy, run_tests
from exposure.policy_eval.addresses import contains, parse_address
from exposure.policy_eval.hujson import Position
from exposure.policy_eval.policy import SECTIONS
from exposure.policy_eval.selectors import read_selector

_BASE: dict[str, Any] = {
    "groups": {"group:dev": ["ann@example.com"], "group:empty": []},
    "hosts": {"web": "100.64.0.16", "net": "10.0.0.0/8"},
    "tagOwners": {"tag:server": ["group:dev"], "tag:client": [], "tag:router": ["tag:server"]},
    "ipsets": {"ipset:lab": ["add 192.0.2.0/24", "remove 192.0.2.33"]},
    "postures": {"posture:mac": ["node:os == 'macos'"]},
}


def _valid(**sections: object) -> Policy:
    reading = read_policy({**_BASE, **sections})
    assert reading.policy is not None, reading.findings
    assert not reading.findings
    return reading.policy


def _grant(src: str = "tag:client", dst: str = "tag:server", ip: str = "tcp:443", **more: object) -> dict[str, object]:
    return {"src": [src], "dst": [dst], "ip": [ip], **more}


def _acl(src: str = "tag:client", dst: str = "tag:server:443", **more: object) -> dict[str, object]:
    return {"action": "accept", "src": [src], "dst": [dst], **more}


def _ssh(**more: object) -> dict[str, object]:
    return {"action": "accept", "src": ["autogroup:member"], "dst": ["tag:server"], "users": ["root"], **more}


_REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    # Rules: who
    ("seen", {"acls": [_acl(src="tag:nobody")]}, "acls[0].src[0]", 'tag not found: "tag:nobody"'),
    ("seen", {"acls": [_acl(dst="tag:nobody:22")]}, "acls[0].dst[0]", 'tag not found: "tag:nobody"'),
    ("seen", {"grants": [_grant(src="tag:nobody")]}, "grants[0].src[0]", 'tag not found: "tag:nobody"'),
    ("PS", {"grants": [_grant(src="group:nobody")]}, "grants[0].src[0]", 'group not found: "group:nobody"'),
    ("seen", {"grants": [_grant(dst="%bogus%")]}, "grants[0].dst[0]", '"%bogus%": invalid address'),
    ("IP", {"grants": [_grant(dst="ipset:nobody")]}, "grants[0].dst[0]", 'IP set not found: "ipset:nobody"'),
    ("PS", {"grants": [_grant(src="autogroup:bogus")]}, "grants[0].src[0]", "is no autogroup"),
    ("seen", {"grants": [_grant(src="autogroup:self")]}, "grants[0].src[0]", "not valid on the src side of a rule"),
    ("PS", {"grants": [_grant(src="autogroup:internet")]}, "grants[0].src[0]", "is not allowed here"),
    ("seen", {"grants": [_grant(dst="autogroup:danger-all")]}, "grants[0].dst[0]", "autogroup:danger-all as a dst"),
    ("PS", {"grants": [_grant(dst="autogroup:shared")]}, "grants[0].dst[0]", "is not allowed here"),
    ("PS", {"grants": [_grant(src="autogroup:nonroot")]}, "grants[0].src[0]", "is not allowed here"),
    ("PS", {"grants": [_grant(src="user:b*b@example.com")]}, "grants[0].src[0]", "only user:*@<domain>"),
    ("GS", {"grants": [_grant(dst="tag:server:22")]}, "grants[0].dst[0]", "tag names can only contain"),
    ("seen", {"grants": [_grant(dst="0.0.0.0/0")]}, "grants[0].dst[0]", "to allow all IP addresses"),
    ("seen", {"grants": [_grant(dst="::/0")]}, "grants[0].dst[0]", "to allow all IP addresses"),
    ("PS", {"grants": [_grant(dst="10.0.0.0/33")]}, "grants[0].dst[0]", "invalid address"),
    # autogroup:self is for people; in ACLs, * stands for them too
    *(
        ("seen", {"acls": [_acl(src=src, dst="autogroup:self:*")]}, "acls[0].dst[0]", "autogroup:self can only be used")
        for src in ("tag:client", "autogroup:tagged", "100.64.0.1", "web")
    ),
    ("seen", {"grants": [_grant(src="*", dst="autogroup:self")]}, "grants[0].dst[0]", "autogroup:self can only be"),
    # Rules: what
    ("seen", {"acls": [_acl(action="deny")]}, "acls[0].action", 'action="deny" is not supported'),
    ("PS", {"acls": [{"src": ["*"], "dst": ["*:*"]}]}, "acls[0]", 'action must be "accept"'),
    ("seen", {"acls": [_acl(dst="autogroup:self")]}, "acls[0].dst[0]", 'port range "self": invalid first integer'),
    ("seen", {"acls": [_acl(dst="tag:server:ssh")]}, "acls[0].dst[0]", 'port range "ssh": invalid first integer'),
    ("PS", {"acls": [_acl(dst="web")]}, "acls[0].dst[0]", "<host>:<port>"),
    ("PS", {"acls": [_acl(dst="web:70000")]}, "acls[0].dst[0]", "ports end at 65535"),
    ("PS", {"acls": [_acl(dst="web:90-80")]}, "acls[0].dst[0]", "the last port is below the first"),
    ("PS", {"acls": [_acl(dst="[web]:80")]}, "acls[0].dst[0]", "square brackets"),
    ("PS", {"acls": [_acl(proto="icmp")]}, "acls[0].dst[0]", "icmp has no ports"),
    ("PS", {"acls": [_acl(proto="nonsense")]}, "acls[0].proto", 'proto name "nonsense" not known'),
    ("PS", {"acls": [_acl(proto="*")]}, "acls[0].proto", 'proto name "*" not known'),
    ("PS", {"acls": [_acl(proto="256")]}, "acls[0].proto", "protocol numbers end at 255"),
    ("PS", {"acls": [_acl(proto="06")]}, "acls[0].proto", "without leading zeros"),
    ("PS", {"acls": [_acl(users=["*"])]}, "acls[0].users", "only one of"),
    ("seen", {"grants": [_grant(ip="icmp")]}, "grants[0].ip[0]", 'port range "icmp": invalid first integer'),
    ("seen", {"grants": [_grant(ip="tcp:0")]}, "grants[0].ip[0]", "first port must be >0"),
    ("seen", {"grants": [{"src": ["*"], "dst": ["*"]}]}, "grants[0]", "ip and app can not both be empty"),
    ("seen", {"grants": [{"src": ["*"], "dst": ["*"], "ip": []}]}, "grants[0]", "ip and app can not both be empty"),
    ("seen", {"grants": [{"src": ["*"], "dst": ["*"], "app": {}}]}, "grants[0]", "ip and app can not both be empty"),
    ("seen", {"grants": [_grant(via=["autogroup:tagged"])]}, "grants[0].via[0]", "via can only be a tag"),
    ("seen", {"grants": [_grant(via=["tag:nobody"])]}, "grants[0].via[0]", 'tag "tag:nobody" not found'),
    (
        "seen",
        {"grants": [_grant(app={"https://tailscale.com/cap/ingress": [{}]})]},
        'grants[0].app["https://tailscale.com/cap/ingress"]',
        "capability name must have the form {domain}/{path}",
    ),
    (
        "seen",
        {"grants": [_grant(app={"tailscale.com/cap/funnel": [{}]})]},
        'grants[0].app["tailscale.com/cap/funnel"]',
        "capability name must not be in the tailscale.com domain",
    ),
    (
        "seen",
        {"grants": [_grant(dst="autogroup:internet", app={"example.com/cap": [{}]})]},
        "grants[0].dst[0]",
        "cannot use app grants with autogroup:internet",
    ),
    ("DP", {"grants": [_grant(srcPosture=["posture:win"])]}, "grants[0].srcPosture[0]", "posture not found"),
    ("DP", {"defaultSrcPosture": ["posture:win"]}, "defaultSrcPosture[0]", "posture not found"),
    # Definitions
    (
        "seen",
        {"groups": {"group:a": ["group:b"], "group:b": []}},
        'groups["group:a"][0]',
        '"group:b": group members cannot be recursive',
    ),
    ("PS", {"groups": {"dev": []}}, "groups.dev", "starts with group:"),
    ("PS", {"groups": {"group:dev": ["ann"]}}, 'groups["group:dev"][0]', "a whole login name"),
    ("PS", {"groups": {"group:dev": "ann@example.com"}}, 'groups["group:dev"]', "expected a list"),
    ("PS", {"hosts": {"a@b": "10.0.0.1"}}, 'hosts["a@b"]', "a host name has no @"),
    ("PS", {"hosts": {"a": "web.example.com"}}, "hosts.a", "an IP address or a CIDR"),
    (
        "seen",
        {"tagOwners": {"tag:сервер": []}},
        'tagOwners["tag:\\u0441\\u0435\\u0440\\u0432\\u0435\\u0440"]',
        "tag names must start with a letter, after 'tag:'",
    ),
    ("PS", {"tagOwners": {"tag:a_b": []}}, 'tagOwners["tag:a_b"]', "numbers, letters, or dashes"),
    ("PS", {"tagOwners": {"server": []}}, "tagOwners.server", "starts with tag:"),
    ("PS", {"tagOwners": {"tag:a": ["*"]}}, 'tagOwners["tag:a"][0]', "is not allowed here"),
    ("PS", {"autoApprovers": {"routes": {"10.0.0.0": []}}}, 'autoApprovers.routes["10.0.0.0"]', "a route is a CIDR"),
    ("PS", {"autoApprovers": {"exitNode": ["web"]}}, "autoApprovers.exitNode[0]", "a host is not allowed here"),
    ("IP", {"ipsets": {"ipset:a": ["add tag:server"]}}, 'ipsets["ipset:a"][0]', "an IP set holds"),
    ("IP", {"ipsets": {"ipset:a": ["autogroup:member"]}}, 'ipsets["ipset:a"][0]', "an IP set holds"),
    ("IP", {"ipsets": {"ipset:a": ["host:db"]}}, 'ipsets["ipset:a"][0]', 'no host of the name "db"'),
    ("IP", {"ipsets": {"ipset:a": ["ipset:a"]}}, 'ipsets["ipset:a"]', "in a circle"),
    ("DP", {"postures": {"mac": []}}, "postures.mac", "starts with posture:"),
    ("DP", {"postures": {"posture:a": ["node:os = 'macos'"]}}, 'postures["posture:a"][0]', "operators are"),
    ("DP", {"postures": {"posture:a": ["node:os IN 'macos'"]}}, 'postures["posture:a"][0]', "a list such as"),
    ("DP", {"postures": {"posture:a": ["node:os == macos"]}}, 'postures["posture:a"][0]', "in single quotes"),
    ("DP", {"postures": {"posture:a": ["os"]}}, 'postures["posture:a"][0]', "a condition is"),
    ("seen", {"nodeAttrs": [{"target": ["tag:nobody"]}]}, "nodeAttrs[0].target[0]", 'tag not found: "tag:nobody"'),
    ("seen", {"nodeAttrs": [{"target": ["autogroup:self"]}]}, "nodeAttrs[0].target[0]", "is not allowed here"),
    (
        "seen",
        {"nodeAttrs": [{"target": ["*"], "ipPool": ["100.100.100.0/24"]}]},
        "nodeAttrs[0].ipPool[0]",
        "IPPool(100.100.100.0/24): network within reserved range",
    ),
    ("PS", {"nodeAttrs": [{"target": ["*"], "ipPool": ["10.0.0.0/8"]}]}, "nodeAttrs[0].ipPool[0]", "within 100.64"),
    # SSH
    ("seen", {"ssh": [_ssh(action="deny")]}, "ssh[0].action", '"deny" is not a valid action'),
    ("seen", {"ssh": [_ssh(action="Accept")]}, "ssh[0].action", '"Accept" is not a valid action'),
    ("seen", {"ssh": [_ssh(action="")]}, "ssh[0].action", "action must be specified"),
    ("seen", {"ssh": [_ssh(users=None)]}, "ssh[0]", "users must be specified"),
    ("seen", {"ssh": [_ssh(users=["root", "*"])]}, "ssh[0].users[1]", 'user "*" is not valid'),
    ("seen", {"ssh": [_ssh(users=[""])]}, "ssh[0].users[0]", 'user "" is not valid'),
    ("seen", {"ssh": [_ssh(users=["localpart:*@*"])]}, "ssh[0].users[0]", "* is no domain of a tailnet"),
    ("seen", {"ssh": [_ssh(dst=["web"])]}, "ssh[0].dst[0]", 'invalid dst "web"'),
    ("PS", {"ssh": [_ssh(dst=["*"])]}, "ssh[0].dst[0]", 'invalid dst "*"'),
    ("PS", {"ssh": [_ssh(src=["*"])]}, "ssh[0].src[0]", "is not allowed here"),
    ("PS", {"ssh": [_ssh(dst=["ann@example.com"])]}, "ssh[0].dst[0]", "only this user alone"),
    ("PS", {"ssh": [_ssh(src=["tag:client"], dst=["autogroup:self"])]}, "ssh[0].dst[0]", "tagged devices cannot"),
    ("seen", {"ssh": [_ssh(acceptEnv=[""])]}, "ssh[0].acceptEnv[0]", "acceptEnv values cannot be empty"),
    ("seen", {"ssh": [_ssh(action="check", checkPeriod="168h0m1s")]}, "ssh[0].checkPeriod", "is above the max (168h)"),
    ("seen", {"ssh": [_ssh(action="check", checkPeriod="-1m")]}, "ssh[0].checkPeriod", "a positive duration"),
    ("seen", {"ssh": [_ssh(action="check", checkPeriod="abc")]}, "ssh[0].checkPeriod", 'invalid duration "abc"'),
    # Tests: only what the service refuses before it runs them
    ("PS", {"tests": [{"src": "*", "accepts": []}]}, "tests[0].accepts", 'unknown field "accepts"'),
    ("PS", {"tests": [{"src": 1}]}, "tests[0].src", "expected text"),
    (
        "seen",
        {"sshTests": [{"src": "ann@example.com", "dst": ["autogroup:internet"]}]},
        "sshTests[0].dst[0]",
        'SSH tests dst contains disallowed element "autogroup:internet"',
    ),
    (
        "seen",
        {"sshTests": [{"src": "ann@example.com", "dst": ["100.64.0.0/24"]}]},
        "sshTests[0].dst[0]",
        'SSH tests dst contains disallowed element "100.64.0.0/24"',
    ),
    (
        "seen",
        {"sshTests": [{"src": "ann@example.com", "dst": ["tag:server:22"]}]},
        "sshTests[0].dst[0]",
        'SSH tests dst contains unknown tag "tag:server:22"',
    ),
    # The document
    ("PS", {"grant": []}, "grant", 'unknown field "grant"'),
    ("PS", {"grants": {}}, "grants", "expected a list, not an object"),
    ("PS", {"grants": ["*"]}, "grants[0]", "expected an object, not text"),
    ("PS", {"randomizeClientPort": "yes"}, "randomizeClientPort", "expected true or false"),
    (
        "PS",
        {"grants": [_grant(src="autogroup:members", dst="autogroup:member")]},
        "grants[0].src[0]",
        "cannot both be used",
    ),
]


@pytest.mark.parametrize(("source", "sections", "path", "reason"), _REFUSED)
def test_what_tailscale_refuses_is_refused_at_its_place(
    source: str, sections: dict[str, Any], path: str, reason: str
) -> None:
    del source
    reading = read_policy({**_BASE, **sections})
    assert reading.policy is None
    found = [finding for finding in reading.findings if finding.path == path]
    assert [finding for finding in found if reason in finding.reason], reading.findings


_ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    # PS: every kind of source and destination
    *(
        ("PS", {"acls": [_acl(src=src)]})
        for src in (
            *("*", "ann@example.com", "ann@github", "group:dev", "group:synced@example.com", "100.64.0.1"),
            *("fd7a:115c:a1e0::1", "192.168.1.0/24", "web", "tag:server", "autogroup:member", "autogroup:owner"),
            *("autogroup:danger-all", "autogroup:shared", "autogroup:tagged", "user:*@example.com", "ipset:lab"),
        )
    ),
    *(
        ("PS", {"acls": [_acl(dst=f"{dst}:{ports}")]})
        for dst, ports in (
            *(("*", "*"), ("ann@example.com", "22"), ("group:dev", "80,443"), ("100.64.0.1", "1000-2000")),
            *(("[fd7a:115c:a1e0::1]", "80"), ("fd00:1::/64", "443"), ("net", "1-65535"), ("tag:server", "22")),
            *(("autogroup:internet", "*"), ("autogroup:member", "*"), ("autogroup:admin", "*"), ("ipset:lab", "*")),
            ("svc:web", "443"),
        )
    ),
    # seen: the service takes all of these
    ("seen", {"acls": [_acl(src="*", dst="autogroup:self:*")]}),
    ("seen", {"acls": [_acl(dst="tag:server:*", proto="1")]}),
    ("seen", {"acls": [_acl(dst="tag:server:*", proto="icmp")]}),
    ("seen", {"grants": [_grant(ip="47")]}),
    ("seen", {"grants": [_grant(dst="autogroup:self", src="autogroup:member", ip="*")]}),
    ("seen", {"grants": [{"src": [], "dst": ["*"], "ip": ["*"]}]}),
    ("seen", {"grants": [{"src": ["*"], "dst": [], "ip": ["*"]}]}),
    ("seen", {"grants": [{"src": ["*"], "dst": ["*"], "app": {"example.com/a/b/c": [{}]}}]}),
    ("seen", {"grants": [{"src": ["*"], "dst": ["*"], "app": {"tailscale.com/cap/webui": [{}]}}]}),
    ("seen", {"grants": [_grant(dst="net", ip="icmp:*", via=["tag:router"])]}),
    ("seen", {"tagOwners": {"tag:a": ["tag:b"], "tag:b": ["tag:a"]}}),
    ("seen", {"nodeAttrs": [{"target": ["*"]}, {"target": [], "attr": ["funnel"]}]}),
    ("seen", {"nodeAttrs": [{"target": ["autogroup:admin"], "ipPool": ["100.81.0.0/16"]}]}),
    ("seen", {"ssh": [{"action": " accept", "users": [" root"]}]}),
    ("seen", {"ssh": [_ssh(src=[" ann@example.com"], dst=["tag:server "])]}),
    ("seen", {"ssh": [_ssh(action="check", checkPeriod="168h"), _ssh(action="check", checkPeriod="0s")]}),
    ("seen", {"ssh": [_ssh(action="check", checkPeriod="always", acceptEnv=["*X*", "**"])]}),
    ("seen", {"ssh": [_ssh(dst=["autogroup:self"], users=["autogroup:nonroot", "localpart:foo", "tag:x"])]}),
    ("seen", {"ssh": [_ssh(acceptEnv=None, checkPeriod=None)], "nodeAttrs": [], "acls": None}),
    # PS: older names
    ("PS", {"acls": [{"action": "accept", "users": ["*"], "ports": ["*:22"]}]}),
    ("PS", {"tests": [{"user": "ann@example.com", "allow": ["web:22"]}]}),
    ("PS", {"grants": [_grant(src="autogroup:members")]}),
    ("PS", {"ACLs": [_acl()], "OneCGNATRoute": "mac-always", "derpMap": {"regions": {}}, "disableIPv4": False}),
    ("PS", {"autoApprovers": {"routes": {"10.0.0.0/8": ["tag:router"]}, "exitNode": ["tag:router"]}}),
    ("DP", {"postures": {"posture:a": ["node:os IN ['macos', 'linux']", "node:tsVersion >= '1.40'"]}}),
    ("DP", {"postures": {"posture:a": ["custom:tier IS SET", "custom:n > 3", "node:tsAutoUpdate"]}}),
]


@pytest.mark.parametrize(("source", "sections"), _ACCEPTED)
def test_what_tailscale_takes_is_taken(source: str, sections: dict[str, Any]) -> None:
    del source
    _valid(**sections)


def test_every_problem_is_found_at_once_and_in_the_order_of_the_file() -> None:
    text = """{
  "grants": [
    {"src": ["tag:one"], "dst": ["*"], "ip": ["tcp:http"]},
    {"src": ["*"], "dst": ["*"], "ports": ["22"]},
  ],
  "tag_owners": {},
}
"""
    findings = read_policy(text).findings
    assert [(finding.position.line, finding.path) for finding in findings] == [
        (3, "grants[0].src[0]"),
        (3, "grants[0].ip[0]"),
        (4, "grants[1]"),
        (4, "grants[1].ports"),
        (6, "tag_owners"),
    ]
    assert findings[0].position == Position(3, 14)


def test_a_misspelt_name_is_told_the_right_one() -> None:
    reading = read_policy({**_BASE, "grants": [_grant(src="tag:clinet")], "group": {}})
    assert {finding.path: finding.suggestion for finding in reading.findings} == {
        "grants[0].src[0]": "tag:client",
        "group": "groups",
    }
    assert "did you mean tag:client?" in str(reading.findings[0]) + str(reading.findings[1])


def test_two_names_that_differ_only_in_case_are_refused() -> None:
    findings = read_policy('{"acls": [],\n "ACLs": []}').findings
    assert [(f.position.line, f.path) for f in findings] == [(2, "ACLs")]


def test_text_that_is_no_hujson_is_one_finding_with_its_place() -> None:
    reading = read_policy('{"grants": [}')
    assert reading.policy is None
    assert [finding.position for finding in reading.findings] == [Position(1, 13)]


@pytest.mark.parametrize("text", ["null", "[]", '"policy"', "1"])
def test_a_policy_that_is_no_object_is_refused(text: str) -> None:
    assert [f.path for f in read_policy(text).findings] == ["(the policy)"]


def test_a_policy_from_text_and_from_values_are_the_same() -> None:
    sections = {**_BASE, "grants": [_grant()], "tests": [{"src": "tag:client", "accept": ["tag:server:443"]}]}
    text = read_policy(json.dumps(sections)).policy
    value = read_policy(sections).policy
    assert text is not None
    assert value is not None
    assert text.rules[0]._replace(position=Position()) == value.rules[0]
    assert text.groups == value.groups
    assert text.tag_owners == value.tag_owners


def test_an_ip_set_adds_and_removes_in_order() -> None:
    # IP: operations are processed in order; a later add brings back what was removed.
    policy = _valid(
        ipsets={
            "ipset:all": ["add ipset:part", "add host:net", "remove 10.9.0.0/16", "add 10.9.9.9"],
            "ipset:part": ["192.0.2.50-192.0.2.100", "2001:db8::/32"],
        }
    )
    ranges = policy.ranges(read_selector("ipset:all"))
    assert ranges is not None

    def has(text: str) -> bool | None:
        address = parse_address(text)
        assert address is not None
        return contains(ranges, address)

    assert [has(a) for a in ("192.0.2.50", "192.0.2.100", "2001:db8::9", "10.1.2.3", "10.9.9.9")] == [True] * 5
    assert [has(a) for a in ("192.0.2.49", "192.0.2.101", "2001:db9::", "10.9.9.8", "11.0.0.0")] == [False] * 5


def test_ranges_of_an_ip_set_that_touch_are_one() -> None:
    policy = _valid(ipsets={"ipset:a": ["10.0.0.128/25", "10.0.0.0/25", "10.0.0.9", "fd00::/64"]})
    (v4, v6) = policy.ip_sets["ipset:a"]
    assert (v4.version, v4.first, v4.last) == (4, 10 << 24, (10 << 24) + 255)
    assert v6.version == 6


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_WORDS = st.sampled_from(
    [
        *("*", "", "tag:a", "tag:", "group:a", "group:a@b", "autogroup:self", "autogroup:member", "autogroup:", "a@b"),
        *(
            "host",
            "10.0.0.0/8",
            "fd7a::1",
            "[::1]:1",
            "tag:a:22",
            "*:*",
            "host:1-2,3",
            "ipset:a",
            "add ipset:a",
            "svc:a",
        ),
        *("tcp:1", "icmp:*", "accept", "check", "user:*@b", "localpart:*@b", "posture:a", "a:b == 'c'", "0.0.0.0/0"),
        *("1h", "-1m", "é", "\u2028", "🚀", "tag:é", "²", "٣", "[²]:1", "tcp:²", "10.0.0.0/²", "a:b > 1e9"),
    ]
)
_FIELDS = st.sampled_from(
    [
        *("src", "dst", "ip", "app", "via", "action", "proto", "users", "ports", "accept", "deny", "check", "target"),
        *("attr", "ipPool", "routes", "exitNode", "srcPosture", "srcPostureAttrs", "checkPeriod", "acceptEnv", "SRC"),
        *("tag:a", "group:a", "host", "ipset:a", "posture:a", "svc:a"),
    ]
)
_PART = st.recursive(
    _WORDS | _JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_FIELDS, inner, max_size=4),
    max_leaves=8,
)
_POLICIES = st.dictionaries(
    st.sampled_from(SECTIONS) | st.text(max_size=5),
    _PART | st.lists(st.dictionaries(_FIELDS, st.lists(_WORDS, max_size=2) | _WORDS, max_size=5), max_size=3),
    max_size=5,
)


@given(_POLICIES)
def test_any_value_gives_a_policy_that_can_be_run_or_findings(value: dict[str, object]) -> None:
    for source in (value, json.dumps(value)):
        reading = read_policy(source)
        assert (reading.policy is None) == bool(reading.findings)
        for finding in reading.findings:
            assert str(finding)
            json.dumps(finding.to_dict())
        if reading.policy is not None:
            for outcome in run_tests(reading.policy):
                json.dumps(outcome.to_dict())


@given(st.text() | st.binary())
def test_any_text_gives_a_policy_or_findings(text: str | bytes) -> None:
    reading = read_policy(text)
    assert (reading.policy is None) == bool(reading.findings)
