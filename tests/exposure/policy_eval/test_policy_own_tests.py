"""A policy's own `tests` and `sshTests`.

Expectations are from https://tailscale.com/kb/1337/policy-syntax#tests (PS), from what Tailscale's
maintainers and users said of the service (github.com/tailscale/tailscale issues, by number), and from what
the real service was seen to answer to a policy with these tests (seen: it takes the policy, or says "test(s)
failed").
"""

from __future__ import annotations

from typing import Any

import pytest

from exposure.policy_eval import NOTHING, Outcome, Policy, Topology, read_policy, read_topology, run_tests

_TOPOLOGY = """{
  "users": [
    {"login": "odin@example.com", "role": "owner"},
    {"login": "thor@lab.example.com"},
    "freya@example.com",
  ],
  "nodes": [
    {"name": "n1", "user": "odin@example.com", "addresses": ["100.64.0.19", "fd7a:115c:a1e0::13"]},
    {"name": "n2", "user": "thor@lab.example.com", "addresses": ["100.64.0.17", "fd7a:115c:a1e0::11"]},
    {"name": "n3", "user": "freya@example.com", "addresses": ["100.64.0.18", "fd7a:115c:a1e0::12"]},
    {"name": "n4", "tags": ["tag:server"], "addresses": ["100.64.0.16", "fd7a:115c:a1e0::10"]},
    {"name": "n5", "tags": ["tag:client"], "addresses": ["100.64.0.14", "fd7a:115c:a1e0::e"]},
  ],
}"""

_NAMES: dict[str, Any] = {
    "groups": {"group:dev": ["thor@lab.example.com", "odin@example.com"], "group:empty": []},
    "hosts": {"web": "100.64.0.16", "away": "100.103.8.15", "net": "10.0.0.0/8"},
    "tagOwners": {"tag:server": ["odin@example.com"], "tag:client": ["odin@example.com"]},
}


def _topology() -> Topology:
    reading = read_topology(_TOPOLOGY)
    assert reading.topology is not None, reading.findings
    return reading.topology


def _policy(**sections: object) -> Policy:
    reading = read_policy({**_NAMES, **sections})
    assert reading.policy is not None, reading.findings
    return reading.policy


def _acl(src: str, dst: str, proto: str = "") -> dict[str, Any]:
    return {"action": "accept", "src": [src], "dst": [dst], "proto": proto}


def _grant(src: str, dst: str, ip: str) -> dict[str, Any]:
    return {"src": [src], "dst": [dst], "ip": [ip]}


def _test(src: str, accept: list[str] | None = None, deny: list[str] | None = None, proto: str = "") -> dict[str, Any]:
    return {"src": src, "accept": accept or [], "deny": deny or [], "proto": proto}


_THOR_WEB_80 = {"acls": [_acl("thor@lab.example.com", "web:80")]}
_THOR_SERVER = {"acls": [_acl("thor@lab.example.com", "tag:server:80")]}

_PASS: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    ("group to host", {"acls": [_acl("group:dev", "web:22")]}, [_test("group:dev", ["web:22"])]),
    (
        "user to tag",
        {"acls": [_acl("odin@example.com", "tag:server:22")]},
        [_test("odin@example.com", ["tag:server:22"])],
    ),
    (
        "acls and grants in one policy",
        {"acls": [_acl("odin@example.com", "tag:server:22")], "grants": [_grant("tag:client", "web", "tcp:80")]},
        [_test("odin@example.com", ["tag:server:22"]), _test("tag:client", ["web:80"])],
    ),
    (
        "a host that is no device",
        {"grants": [_grant("tag:client", "away", "tcp:22")]},
        [_test("tag:client", ["away:22"])],
    ),
    (
        "an IPv4 address",
        {"grants": [_grant("tag:client", "100.64.0.16", "tcp:22")]},
        [_test("tag:client", ["100.64.0.16:22"])],
    ),
    (
        "an IPv6 address",
        {"grants": [_grant("tag:client", "fd7a:115c:a1e0::10", "tcp:22")]},
        [_test("tag:client", ["[fd7a:115c:a1e0::10]:22"])],
    ),
    ("the same test twice", _THOR_WEB_80, [_test("thor@lab.example.com", ["web:80"])] * 2),
    ("no protocol", _THOR_WEB_80, [_test("thor@lab.example.com", ["web:80"])]),
    (
        "a protocol's number",
        {"acls": [_acl("group:dev", "web:443", "6")]},
        [_test("group:dev", ["web:443"], proto="6")],
    ),
    ("udp", {"acls": [_acl("group:dev", "web:53", "udp")]}, [_test("group:dev", ["web:53"], proto="udp")]),
    # rajsinghtech/kubernetes-manifests tailscale/policy.hujson, which the service takes: icmp, port 0
    (
        "icmp at port 0",
        {"grants": [_grant("group:dev", "tag:server", "*")]},
        [_test("thor@lab.example.com", ["tag:server:0"], ["tag:client:0"], proto="icmp")],
    ),
    (
        "icmp by its number",
        {"acls": [_acl("group:dev", "web:*", "icmp")]},
        [_test("group:dev", ["web:0"], proto="1")],
    ),
    # PS, proto: if traffic is allowed for a pair of addresses, then ICMP will also be allowed
    ("icmp beside tcp", _THOR_SERVER, [_test("thor@lab.example.com", ["tag:server:0"], proto="icmp")]),
    (
        "another protocol without ports",
        {"grants": [_grant("group:dev", "web", "gre:*")]},
        [_test("group:dev", ["web:0"], proto="gre"), _test("group:dev", deny=["web:0"], proto="esp")],
    ),
    (
        "denied for want of a rule",
        _THOR_SERVER,
        [_test("thor@lab.example.com", deny=["tag:server:443", "tag:client:80"])],
    ),
]

_FAIL: list[tuple[str, dict[str, Any], list[dict[str, Any]], str]] = [
    (
        "another tag",
        {"acls": [_acl("group:dev", "tag:client:22")]},
        [_test("group:dev", ["tag:server:22"])],
        "no rule lets it through",
    ),
    ("another source", {"acls": [_acl("tag:client", "web:80")]}, [_test("tag:server", ["web:80"])], "no rule lets it"),
    ("another port", {"acls": [_acl("tag:client", "web:80")]}, [_test("tag:client", ["web:443"])], "no rule lets it"),
    (
        "another protocol",
        {"acls": [_acl("group:dev", "web:53", "tcp")]},
        [_test("thor@lab.example.com", ["web:53"], proto="udp")],
        "no rule lets it through",
    ),
    (
        "another protocol, by number",
        {"acls": [_acl("group:dev", "web:443", "6")]},
        [_test("thor@lab.example.com", ["web:443"], proto="17")],
        "no rule lets it through",
    ),
    ("denied, and let through", _THOR_WEB_80, [_test("thor@lab.example.com", deny=["web:80"])], "is let through"),
    (
        "one of two tests",
        _THOR_WEB_80,
        [_test("thor@lab.example.com", ["web:80"]), _test("thor@lab.example.com", ["web:443"])],
        "no rule lets it through",
    ),
    # What a test cannot say
    (
        "a wildcard",
        {"acls": [_acl("autogroup:member", "*:*")]},
        [_test("thor@lab.example.com", ["*:80"])],
        "unknown user or",
    ),
    (
        "an autogroup as its source",  # tailscale#12370
        {"acls": [_acl("autogroup:member", "tag:server:22")]},
        [_test("autogroup:member", ["tag:server:22"])],
        'unknown user or host: "autogroup:member"',
    ),
    (
        "the internet",
        {"acls": [_acl("tag:client", "autogroup:internet:*")]},
        [_test("tag:client", ["autogroup:internet:443"])],
        'unknown user or host: "autogroup:internet"',
    ),
    (
        "one's own devices",
        {"acls": [_acl("thor@lab.example.com", "autogroup:self:22")]},
        [_test("thor@lab.example.com", ["autogroup:self:22"])],
        'unknown user or host: "autogroup:self"',
    ),
    (
        "a CIDR",
        {"grants": [_grant("tag:client", "10.0.0.0/8", "tcp:22")]},
        [_test("tag:client", ["10.0.0.0/8:22"])],
        "CIDR",
    ),
    (
        "the CIDR of one address",
        {"grants": [_grant("tag:client", "100.64.0.16/32", "tcp:22")]},
        [_test("tag:client", ["100.64.0.16/32:22"])],
        "CIDR",
    ),
    (
        "a host that is a CIDR",
        {"grants": [_grant("tag:client", "net", "tcp:22")]},
        [_test("tag:client", ["net:22"])],
        "no single address",
    ),
    ("a range of ports", {"acls": [_acl("group:dev", "web:80-90")]}, [_test("group:dev", ["web:80-90"])], "one port"),
    ("a list of ports", {"acls": [_acl("group:dev", "web:80,90")]}, [_test("group:dev", ["web:80,90"])], "one port"),
    ("all ports", {"acls": [_acl("group:dev", "web:*")]}, [_test("group:dev", ["web:*"])], "one port"),
    (
        "icmp at a port",
        {"acls": [_acl("group:dev", "web:*", "icmp")]},
        [_test("group:dev", ["web:80"], proto="icmp")],
        "icmp has no ports, so a test of it has port 0",
    ),
    (
        "icmp at all ports",  # seen
        {"acls": [_acl("group:dev", "web:*", "icmp")]},
        [_test("group:dev", ["web:*"], proto="icmp")],
        "icmp has no ports, so a test of it has port 0",
    ),
    ("icmp that no rule lets through", _THOR_WEB_80, [_test("group:empty", ["web:0"], proto="icmp")], "no rule lets"),
    ("tcp at port 0", _THOR_WEB_80, [_test("thor@lab.example.com", ["web:0"], proto="tcp")], "first port must be >0"),
    ("an unknown protocol", _THOR_WEB_80, [_test("thor@lab.example.com", ["web:80"], proto="x")], "not known"),
    ("an unknown tag", _THOR_WEB_80, [_test("thor@lab.example.com", ["tag:nobody:22"])], "tag not found"),
    ("an unknown tag as its source", _THOR_WEB_80, [_test("tag:nobody", deny=["web:80"])], "src: tag not found"),
    ("an unknown group", _THOR_WEB_80, [_test("thor@lab.example.com", ["group:nobody:22"])], "group not found"),
    ("an unknown group as its source", _THOR_WEB_80, [_test("group:nobody", deny=["web:80"])], "src: group not found"),
    ("an unknown host", _THOR_WEB_80, [_test("thor@lab.example.com", ["nobody:80"])], 'unknown user or host: "nobody"'),
    ("an unknown host as its source", _THOR_WEB_80, [_test("nobody", deny=["web:80"])], "unknown user or host"),
    ("a device's name as its source", _THOR_WEB_80, [_test("n2", ["web:80"])], 'unknown user or host: "n2"'),
    ("an unknown autogroup", _THOR_WEB_80, [_test("autogroup:bogus", deny=["web:80"])], "is no autogroup"),
    ("an unknown user that is let through", _THOR_WEB_80, [_test("ghost@example.com", ["web:80"])], "no rule lets"),
    (
        "a user as the destination",
        _THOR_WEB_80,
        [_test("thor@lab.example.com", ["odin@example.com:22"])],
        "no rule lets",
    ),
    ("a port that is no number", _THOR_WEB_80, [_test("thor@lab.example.com", ["web:http"])], "invalid first integer"),
    ("a negative port", _THOR_WEB_80, [_test("thor@lab.example.com", ["web:-1"])], "invalid first integer"),
    ("too high a port", _THOR_WEB_80, [_test("thor@lab.example.com", ["web:99999"])], "ports end at 65535"),
    ("no port", _THOR_WEB_80, [_test("thor@lab.example.com", ["web"])], "<host>:<port>"),
    ("no source", _THOR_WEB_80, [{"accept": ["web:80"]}], "src is missing"),
    ("an empty source", _THOR_WEB_80, [_test("", ["web:80"])], "src is missing"),
    ("nothing to test", _THOR_WEB_80, [{"src": "thor@lab.example.com"}], "nothing is tested"),
]

_WITH_AND_WITHOUT = pytest.mark.parametrize("topology", [NOTHING, _topology()], ids=["no topology", "topology"])


@_WITH_AND_WITHOUT
@pytest.mark.parametrize(("name", "rules", "tests"), _PASS, ids=[name for name, _, _ in _PASS])
def test_it_passes_what_the_service_passes(
    name: str, rules: dict[str, Any], tests: list[dict[str, Any]], topology: Topology
) -> None:
    del name
    outcomes = run_tests(_policy(**rules, tests=tests), topology)
    assert len(outcomes) == len(tests)
    assert [failure for outcome in outcomes for failure in (*outcome.failures, *outcome.unknown)] == []


@_WITH_AND_WITHOUT
@pytest.mark.parametrize(("name", "rules", "tests", "reason"), _FAIL, ids=[name for name, _, _, _ in _FAIL])
def test_it_fails_what_the_service_fails_and_says_why(
    name: str, rules: dict[str, Any], tests: list[dict[str, Any]], reason: str, topology: Topology
) -> None:
    del name
    outcomes = run_tests(_policy(**rules, tests=tests), topology)
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    assert len(failures) == 1
    assert reason in failures[0].reason


def _one(policy: Policy, topology: Topology = NOTHING) -> Outcome:
    (outcome,) = run_tests(policy, topology)
    return outcome


def test_a_failed_denial_names_the_rule_that_opens_it() -> None:
    policy = _policy(
        grants=[_grant("tag:client", "tag:client", "22"), _grant("group:dev", "web", "80")],
        tests=[_test("thor@lab.example.com", deny=["web:80"])],
    )
    (failure,) = _one(policy).failures
    assert [str(why) for why in failure.why] == ["grants[1]: group:dev -> web"]
    assert str(failure) == "deny web:80: is let through; grants[1]: group:dev -> web"


def test_whether_somebody_whom_nothing_names_is_a_member_is_unknown_and_where_people_are_listed_they_are_not() -> None:
    # tailscale#4558, #5931: an external user is no member, and a test that they are denied passes
    policy = _policy(
        grants=[_grant("autogroup:member", "tag:client", "80"), _grant("group:dev", "tag:server", "80")],
        tests=[
            _test("stranger@github", deny=["tag:client:80"]),
            _test("stranger@github", ["tag:client:80"]),
            _test("stranger@github", deny=["tag:server:80"]),
        ],
    )
    outcomes = run_tests(policy)
    assert [outcome.state for outcome in outcomes] == ["unknown", "unknown", "passed"]
    assert [why.source for why in outcomes[0].unknown[0].why] == ["autogroup:member"]
    assert all("stranger@github" in note for outcome in outcomes for note in outcome.notes)
    outcomes = run_tests(policy, _topology())
    assert [outcome.state for outcome in outcomes] == ["passed", "failed", "passed"]
    # A topology of devices alone says nothing of who else is there.
    outcomes = run_tests(policy, Topology(nodes=_topology().nodes))
    assert [outcome.state for outcome in outcomes] == ["unknown", "unknown", "passed"]


@pytest.mark.parametrize("group", ["autogroup:member", "user:*@example.com"])
def test_whoever_the_policy_names_is_taken_for_a_member(group: str) -> None:
    rules = [_grant(group, "tag:client", "80"), _grant("odin@example.com", "tag:server", "80")]
    assert _one(_policy(grants=rules, tests=[_test("odin@example.com", ["tag:client:80"])])).state == "passed"
    assert _one(_policy(grants=rules, tests=[_test("ghost@example.com", ["tag:client:80"])])).state == "unknown"


_BY_ROLE = {
    "acls": [_acl("autogroup:admin", "*:*")],
    "ssh": [{"action": "accept", "src": ["autogroup:admin"], "dst": ["tag:server"], "users": ["autogroup:nonroot"]}],
}


def test_what_depends_on_a_role_is_unknown_until_somebody_tells_it() -> None:
    # As in four of twelve public policies with tests, such as jonpulsifer/infra: an admin's own address.
    policy = _policy(
        **_BY_ROLE,
        tests=[_test("ann@example.com", ["tag:server:22"])],
        sshTests=[{"src": "ann@example.com", "dst": ["tag:server"], "accept": ["ann"]}],
    )
    assert [outcome.state for outcome in run_tests(policy)] == ["unknown", "unknown"]
    admin = NOTHING._replace(admins=frozenset({"ann@example.com"}))
    assert [outcome.state for outcome in run_tests(policy, admin)] == ["passed", "passed"]
    somebody_else = NOTHING._replace(admins=frozenset({"bob@example.com"}))
    assert [outcome.state for outcome in run_tests(policy, somebody_else)] == ["unknown", "unknown"]
    listed = read_topology('{"users": ["ann@example.com"]}').topology
    assert listed is not None
    assert [outcome.state for outcome in run_tests(policy, listed)] == ["unknown", "unknown"]
    told = read_topology('{"users": [{"login": "ann@example.com", "role": "member"}]}').topology
    assert told is not None
    assert [outcome.state for outcome in run_tests(policy, told)] == ["failed", "failed"]


def test_an_ssh_login_that_no_rule_gives_fails_whatever_the_role_and_a_check_for_sure_wins() -> None:
    def state(ssh: list[dict[str, Any]], **users: list[str]) -> str:
        test = {"src": "ann@example.com", "dst": ["tag:server"], **users}
        return _one(_policy(acls=[], ssh=ssh, sshTests=[test])).state

    by_role = _BY_ROLE["ssh"]
    assert state(by_role, accept=["root"]) == "failed", "nonroot"
    assert state(by_role, check=["ann"]) == "failed"
    assert state(by_role, deny=["ann"]) == "unknown"
    checked = [*by_role, {**by_role[0], "src": ["ann@example.com"], "action": "check"}]
    assert state(checked, check=["ann"]) == "passed"
    checked_maybe = [{**by_role[0], "action": "check"}, {**by_role[0], "src": ["ann@example.com"]}]
    assert (state(checked_maybe, accept=["ann"]), state(checked_maybe, deny=["ann"])) == ("unknown", "failed")


def test_a_known_person_is_tested_without_a_note() -> None:
    outcome = _one(_policy(**_THOR_WEB_80, tests=[_test("thor@lab.example.com", ["web:80"])]))
    assert outcome.passed
    assert not outcome.notes


def test_a_group_is_denied_only_if_each_of_its_members_is() -> None:
    rules = [_grant("odin@example.com", "tag:server", "80")]
    denied = _one(_policy(grants=rules, tests=[_test("group:dev", deny=["tag:server:80"])]))
    accepted = _one(_policy(grants=rules, tests=[_test("group:dev", ["tag:server:80"])]))
    assert [f.reason for f in denied.failures] == ["some of the devices are let through"]
    assert [f.reason for f in accepted.failures] == ["only some of the devices are let through"]


def test_a_group_without_members_is_stood_for_by_somebody_in_it() -> None:
    # PS: a representative member of the provided group
    policy = _policy(
        grants=[_grant("group:empty", "tag:server", "80")],
        tests=[_test("group:empty", ["tag:server:80"], ["tag:server:81"])],
    )
    assert _one(policy).passed
    assert _one(policy, _topology()).passed


def test_without_a_protocol_tcp_or_udp_is_enough_and_both_must_be_denied() -> None:
    # PS: when omitted, the test checks for either TCP or UDP access
    rules = [_grant("tag:client", "web", "udp:53")]
    assert _one(_policy(grants=rules, tests=[_test("tag:client", ["web:53"])])).passed
    assert not _one(_policy(grants=rules, tests=[_test("tag:client", deny=["web:53"])])).passed
    assert _one(_policy(grants=rules, tests=[_test("tag:client", deny=["web:53"], proto="tcp")])).passed


def test_a_posture_is_met_by_the_attributes_the_test_gives() -> None:
    def passes(**test: object) -> bool:
        rule = {**_grant("group:dev", "web", "80"), "srcPosture": ["posture:mac"]}
        postures = {"posture:mac": ["node:os == 'macos'"]}
        return _one(_policy(grants=[rule], postures=postures, tests=[{"src": "group:dev", **test}])).passed

    assert passes(accept=["web:80"], srcPostureAttrs={"node:os": "macos"})
    assert not passes(accept=["web:80"], srcPostureAttrs={"node:os": "linux"})
    assert not passes(accept=["web:80"])
    assert passes(deny=["web:80"])


def test_what_depends_on_an_unknown_device_is_told() -> None:
    policy = _policy(
        grants=[_grant("tag:client", "tag:server", "80")],
        tests=[_test("tag:client", ["100.64.0.16:80"]), _test("tag:client", deny=["100.64.0.16:80"])],
    )
    accept, deny = run_tests(policy)
    assert (accept.state, deny.state) == ("unknown", "unknown")
    assert [str(why) for why in (*accept.unknown[0].why, *deny.unknown[0].why)] == [
        "grants[0]: tag:client -> tag:server"
    ] * 2
    accept, deny = run_tests(policy, _topology())
    assert (accept.passed, deny.passed) == (True, False)


def test_each_private_service_has_a_test_that_fails_when_it_is_opened() -> None:
    def policy(*more: dict[str, Any]) -> Policy:
        grants = [_grant("group:dev", "tag:server", "tcp:443"), *more]
        tests = [_test("freya@example.com", deny=["tag:server:443"]), _test("tag:client", deny=["tag:server:443"])]
        return _policy(grants=grants, tests=tests)

    assert [outcome.passed for outcome in run_tests(policy())] == [True, True]
    assert [o.passed for o in run_tests(policy(_grant("autogroup:member", "tag:server", "443")))] == [False, True]
    assert [o.passed for o in run_tests(policy(_grant("autogroup:tagged", "*", "*")))] == [True, False]
    assert [o.passed for o in run_tests(policy(_grant("*", "*", "*")))] == [False, False]


# SSH


def _ssh(src: str, dst: str, *users: str, action: str = "accept") -> dict[str, Any]:
    return {"action": action, "src": [src], "dst": [dst], "users": list(users)}


def _login(src: str, dst: str, **users: list[str]) -> dict[str, Any]:
    return {"src": src, "dst": [dst], **users}


_THOR_ROOT = _ssh("thor@lab.example.com", "tag:server", "root")

_LOGINS: list[tuple[str, list[dict[str, Any]], dict[str, Any], bool]] = [
    ("as said", [_THOR_ROOT], _login("thor@lab.example.com", "tag:server", accept=["root"]), True),
    ("as another user", [_THOR_ROOT], _login("thor@lab.example.com", "tag:server", accept=["ubuntu"]), False),
    ("without a rule", [], _login("thor@lab.example.com", "tag:server", accept=["root"]), False),
    ("denied without a rule", [], _login("thor@lab.example.com", "tag:server", deny=["root"]), True),
    ("denied in spite of a rule", [_THOR_ROOT], _login("thor@lab.example.com", "tag:server", deny=["root"]), False),
    (
        "accepted and denied",
        [_THOR_ROOT],
        _login("thor@lab.example.com", "tag:server", accept=["root"], deny=["root"]),
        False,
    ),
    ("nothing to test", [_THOR_ROOT], _login("thor@lab.example.com", "tag:server"), False),
    ("no user", [_THOR_ROOT], _login("thor@lab.example.com", "tag:server", accept=[""]), False),
    (
        "of a group",
        [_ssh("group:dev", "tag:server", "root")],
        _login("thor@lab.example.com", "tag:server", accept=["root"]),
        True,
    ),
    (
        "of a tag",
        [_ssh("tag:client", "tag:server", "root")],
        _login("tag:client", "tag:server", accept=["root"]),
        True,
    ),
    (
        "to one's own",
        [_ssh("autogroup:member", "autogroup:self", "root")],
        _login("thor@lab.example.com", "thor@lab.example.com", accept=["root"]),
        True,
    ),
    (
        "to somebody else's",
        [_ssh("autogroup:member", "autogroup:self", "root")],
        _login("thor@lab.example.com", "odin@example.com", deny=["root"]),
        True,
    ),
    (
        "after a check",
        [_ssh("thor@lab.example.com", "tag:server", "root", action="check")],
        _login("thor@lab.example.com", "tag:server", check=["root"]),
        True,
    ),
    (
        "a check wins over none",  # PS: the most restrictive policies first
        [_THOR_ROOT, _ssh("thor@lab.example.com", "tag:server", "root", action="check")],
        _login("thor@lab.example.com", "tag:server", check=["root"]),
        True,
    ),
    (
        "anybody but root",
        [_ssh("thor@lab.example.com", "tag:server", "autogroup:nonroot")],
        _login("thor@lab.example.com", "tag:server", accept=["alice"], deny=["root"]),
        True,
    ),
    (
        "by one's own name",
        [_ssh("odin@example.com", "tag:server", "localpart:*@example.com")],
        _login("odin@example.com", "tag:server", accept=["odin"], deny=["root"]),
        True,
    ),
    (
        "by one's own name is no name itself",  # seen: the machine is told the names that people have, and no more
        [_ssh("odin@example.com", "tag:server", "localpart:*@example.com")],
        _login("odin@example.com", "tag:server", deny=["localpart:*@example.com"]),
        True,
    ),
    (
        "a pattern of no domain is a name",  # seen
        [_ssh("odin@example.com", "tag:server", "localpart:*@")],
        _login("odin@example.com", "tag:server", accept=["localpart:*@"], deny=["odin"]),
        True,
    ),
    (
        "by one's own name, of another domain",
        [_ssh("thor@lab.example.com", "tag:server", "localpart:*@example.com")],
        _login("thor@lab.example.com", "tag:server", accept=["thor"]),
        False,
    ),
    ("an autogroup as source", [_THOR_ROOT], _login("autogroup:member", "tag:server", deny=["root"]), False),
    (
        "an IPv6 address",
        [_THOR_ROOT],
        _login("thor@lab.example.com", "fd7a:115c:a1e0::10", accept=["root"]),
        False,
    ),
]


@_WITH_AND_WITHOUT
@pytest.mark.parametrize(("name", "rules", "test", "passes"), _LOGINS, ids=[name for name, _, _, _ in _LOGINS])
def test_ssh_logins(
    name: str, rules: list[dict[str, Any]], test: dict[str, Any], passes: bool, topology: Topology
) -> None:
    del name
    assert _one(_policy(acls=[], ssh=rules, sshTests=[test]), topology).state == ("passed" if passes else "failed")


@pytest.mark.parametrize(
    ("src", "dst"),
    [("thor@lab.example.com", "web"), ("100.64.0.17", "tag:server"), ("thor@lab.example.com", "100.64.0.16")],
)
def test_an_ssh_test_on_an_address_needs_a_topology(src: str, dst: str) -> None:
    policy = _policy(ssh=[_THOR_ROOT], sshTests=[_login(src, dst, accept=["root"])])
    assert _one(policy, _topology()).passed
    assert _one(policy).state == "unknown"


# The topology


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        ("[]", "(the topology)", "expected an object"),
        ('{"node": []}', "node", 'unknown field "node"'),
        ('{"users": ["ann"]}', "users[0].login", "a whole login name"),
        ('{"users": [{"login": "a@example.com", "role": "king"}]}', "users[0].role", "a role is one of"),
        ('{"users": ["a@example.com", "A@Example.com"]}', "users[1]", "listed twice"),
        ('{"nodes": [{"name": "x"}]}', "nodes[0]", "tags, or else a user"),
        ('{"nodes": [{"user": "a@example.com"}]}', "nodes[0].name", "a node needs a name"),
        ('{"nodes": [{"name": "x", "tags": ["server"]}]}', "nodes[0].tags[0]", "must start with 'tag:'"),
        (
            '{"nodes": [{"name": "x", "user": "a@example.com", "addresses": ["10.0.0.0/8"]}]}',
            "nodes[0].addresses[0]",
            "invalid",
        ),
        ('{"nodes": [{"name": "x", "user": "a@example.com", "routes": ["10.0.0.1"]}]}', "nodes[0].routes[0]", "a CIDR"),
        ('{"nodes": [{"name": "x", "user": "a@example.com", "exit_node": 1}]}', "nodes[0].exit_node", "true or false"),
        (
            '{"nodes": [{"name": "x", "user": "a@example.com", "posture": {"a": null}}]}',
            "nodes[0].posture.a",
            "expected ",
        ),
        (
            '{"nodes": [{"name": "x", "user": "a@example.com", "addresses": ["100.64.0.1"]},'
            ' {"name": "y", "user": "a@example.com", "addresses": ["100.64.0.1"]}]}',
            "nodes[1].addresses",
            "100.64.0.1 is x's already",
        ),
        ('{"nodes": [', "(the topology)", "expected a value"),
    ],
)
def test_a_wrong_topology_is_refused_at_its_place(text: str, path: str, reason: str) -> None:
    reading = read_topology(text)
    assert reading.topology is None
    assert [f for f in reading.findings if f.path == path and reason in f.reason], reading.findings
