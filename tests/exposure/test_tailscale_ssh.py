"""Tailscale SSH: `estate.tailnet.ssh`, from the policy to who logs in as whom.

Expected: https://tailscale.com/kb/1193 (Tailscale SSH), https://tailscale.com/kb/1337 (`ssh`, `sshTests`), and
headscale's captured answers of Tailscale's service (hscontrol/policy/v2/testdata, ssh_results and sshtest_results).
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from config.errors import Finding
from config.loader import LoadedStack, tie
from exposure import own_policy
from exposure.check import check
from exposure.map.model import map_of
from exposure.plan import plan_stack
from exposure.policy_eval import endpoints, machine, run_tests
from exposure.policy_eval.hujson import parse
from exposure.policy_eval.ssh import login
from exposure.reach.access import Principal
from exposure.reach.compare import Change, compare
from exposure.reach.evaluate import Answer, Request, who
from exposure.reach.places import table
from exposure.reach.project import plan_project
from exposure.reach.surface import Surface
from exposure.reach.tailnet import beyond, logins, policy_of
from exposure.render import report
from gatehouse.changes import leads
from tests.exposure.rules.test_own_policies import stack
from tests.kit.builders import ESTATE, HTML, NODE, SSH, loaded
from tests.kit.profiles import NIGHTLY

ALICE, BOB, CAROL = (Principal("person", f"{name}@example.com") for name in ("alice", "bob", "carol"))
TAG = "tag:gatehouse-alfred"
PORT = Request("alfred", 22, "/", "tcp")
TERMINAL = {**SSH, "people": "admins"}


def home(ssh: Any, own: str = "{}", services: Any = None, **sections: Any) -> dict[str, LoadedStack]:
    """The example estate with Tailscale SSH and no service at port 22, unless said."""
    tailnet = {"name": "tail.ts.net", "policy": "tailnet.hujson", **({"ssh": ssh} if ssh else {})}
    said = {"services": {"grafana": HTML}} if services is None else {"services": services}
    return stack(own, **{"estate": {**ESTATE, "tailnet": tailnet}, **said, **sections})


def policy(ssh: Any, own: str = "{}", **sections: Any) -> Any:
    stacks = home(ssh, own, **sections)
    return plan_stack(stacks["alfred"], stacks).tailnet_policy


def surface(ssh: Any, own: str = "{}", **sections: Any) -> Surface:
    return plan_project(home(ssh, own, **sections)).surfaces["alfred"]


def found(ssh: Any, own: str = "{}", **sections: Any) -> list[Finding]:
    return list(check(home(ssh, own, **sections)))


# The policy


def test_it_is_one_rule_a_grant_to_port_22_and_tests_and_nothing_else_of_the_policy_changes() -> None:
    before, now = policy(None), policy({"people": "admins"})
    assert {"ssh", "sshTests"} & set(before) == set()
    assert now["ssh"] == [
        {
            "action": "check",
            "src": ["group:admins"],
            "dst": [TAG],
            "users": ["autogroup:nonroot"],
            "checkPeriod": "12h",
        }
    ]
    assert [g for g in now["grants"] if g not in before["grants"]] == [
        {"src": ["group:admins"], "dst": [TAG], "ip": ["tcp:22"]}
    ]
    assert now["groups"] == {"group:admins": ["alice@example.com"]}
    assert now["tagOwners"] == before["tagOwners"]
    assert {"src": "alice@example.com", "proto": "tcp", "accept": [f"{TAG}:22"]} in now["tests"]
    assert now["sshTests"] == [
        {"src": "alice@example.com", "dst": [TAG], "check": ["nonroot"], "deny": ["root"]},
        {"src": "tag:k8s-funnel", "dst": [TAG], "deny": ["root", "nonroot"]},
    ]
    assert all(outcome.passed for outcome in run_tests(policy_of(now)))


def test_true_is_for_the_default_people_and_who_else_is_known_to_the_tailnet_is_tested_to_be_turned_away() -> None:
    estate = {**ESTATE, "default_people": "admins"}
    tailnet = {"name": "tail.ts.net", "users": ["bob@example.com"], "ssh": True}
    now = policy(None, estate={**estate, "tailnet": {**tailnet, "policy": "tailnet.hujson"}})
    assert now["ssh"][0]["src"] == ["group:admins"]
    assert {"src": "bob@example.com", "dst": [TAG], "deny": ["root", "nonroot"]} in now["sshTests"]


def test_the_nodes_of_all_stacks_are_meant_and_only_the_owners_file_says_so() -> None:
    estate = {**ESTATE, "tailnet": {"name": "tail.ts.net", "ssh": {"people": "admins"}}}
    octavo = {
        "node": {**NODE, "name": "octavo", "lan_ipv4": "192.168.0.125", "context": "octavo"},
        "member_of": "alfred",
    }
    stacks = tie([loaded({"grafana": HTML}, estate=estate), loaded({}, "octavo", **octavo)])
    assert list(check(stacks)) == []
    now: Any = plan_stack(stacks["alfred"], stacks).tailnet_policy
    assert now["ssh"][0]["dst"] == [TAG, "tag:gatehouse-octavo"]
    assert {s.key for s in plan_stack(stacks["octavo"], stacks).manual_steps} >= {"tailscale-ssh"}
    surfaces = plan_project(stacks).whole()
    assert who(surfaces[0], Request("octavo", 22, "/", "tcp"), ALICE).weakened == ("SSH as any user but root",)


@pytest.mark.parametrize(
    ("ssh", "rule", "let_in", "shut"),
    [
        ({"users": "root"}, {"action": "check", "checkPeriod": "12h"}, {"check": ["root"]}, None),
        (
            {"users": ["root", "autogroup:nonroot"], "action": "accept"},
            {"action": "accept"},
            {"accept": ["root", "nonroot"]},
            None,
        ),
        (
            {"users": ["pi"], "check_period": "always"},
            {"action": "check", "checkPeriod": "always"},
            {"check": ["pi"]},
            ["root"],
        ),
        (
            {"users": "localpart:*@example.com"},
            {"action": "check", "checkPeriod": "12h"},
            {"check": ["alice"]},
            ["root"],
        ),
        ({"users": ["localpart:*@example.org"]}, {"action": "check", "checkPeriod": "12h"}, {}, ["root"]),
    ],
)
def test_each_form_of_users_and_action_has_its_tests(ssh: Any, rule: Any, let_in: Any, shut: Any) -> None:
    now = policy({"people": "admins", **ssh})
    said = ssh["users"] if isinstance(ssh["users"], list) else [ssh["users"]]
    assert now["ssh"] == [{"src": ["group:admins"], "dst": [TAG], "users": said, **rule}]
    test = next(t for t in now["sshTests"] if t["src"] == "alice@example.com")
    assert test == {"src": "alice@example.com", "dst": [TAG], **let_in, **({"deny": shut} if shut else {})}
    assert all(outcome.passed for outcome in run_tests(policy_of(now)))


def test_people_of_a_set_that_has_ended_log_in_no_longer() -> None:
    people = {"household": ["alice@example.com"], "admins": {"emails": ["bob@example.com"], "until": "2020-01-01"}}
    tailnet = {"name": "tail.ts.net", "ssh": {"people": "admins"}, "policy": "tailnet.hujson"}
    now = policy(None, estate={**ESTATE, "people": people, "tailnet": tailnet})
    assert "ssh" not in now
    assert TAG not in str(now["grants"])
    assert now["sshTests"]


def test_a_service_at_port_22_for_the_same_people_has_the_one_grant() -> None:
    now = policy({"people": "admins"}, services={"ssh": TERMINAL})
    assert [g for g in now["grants"] if g["dst"] == [TAG]] == [
        {"src": ["group:admins"], "dst": [TAG], "ip": ["tcp:22"]}
    ]


@settings(max_examples=200 if NIGHTLY else 15)
@given(
    people=st.lists(st.sampled_from(["household", "admins", "guests"]), min_size=1, unique=True),
    users=st.lists(
        st.sampled_from(["root", "pi", "autogroup:nonroot", "localpart:*@example.com"]), min_size=1, unique=True
    ),
    action=st.sampled_from(["check", "accept"]),
)
def test_whoever_it_is_for_alone_logs_in_and_every_test_passes(
    people: list[str], users: list[str], action: str
) -> None:
    sets = {"household": ["alice@example.com", "bob@example.com"], "admins": ["alice@example.com"]}
    sets["guests"] = ["carol@example.com"]
    ssh = {"people": people, "users": users, "action": action}
    tailnet = {"name": "tail.ts.net", "plan": "standard", "ssh": ssh, "policy": "tailnet.hujson"}
    estate = {**ESTATE, "people": sets, "tailnet": {**tailnet, "users": [u for s in sets.values() for u in s]}}
    assert found(None, estate=estate) == []
    assert all(outcome.passed for outcome in run_tests(policy_of(policy(None, estate=estate))))
    whole = surface(None, estate=estate)
    named = {email for name in people for email in sets[name]}
    for one in (ALICE, BOB, CAROL):
        answer = who(whole, PORT, one)
        assert answer.reaches == bool(answer.weakened) == (one.name in named)
        assert any("with no check" in words for words in answer.weakened) == (answer.reaches and action == "accept")


# The stack file


@pytest.mark.parametrize(
    ("ssh", "path"),
    [
        ({"users": ["*"]}, "users"),
        ({"users": []}, "users"),
        ({"users": ["group:admins"]}, "users"),
        ({"users": ["localpart:*@*"]}, "users"),
        ({"check_period": "0m"}, "check_period"),
        ({"check_period": "30s"}, "check_period"),
        ({"check_period": "169h"}, "check_period"),
        ({"check_period": "8d"}, "check_period"),
        ({"check_period": "1h", "action": "accept"}, "check_period"),
        ({"action": "deny"}, "action"),
    ],
)
def test_what_tailscale_does_not_take_is_refused_where_it_stands(ssh: Any, path: str) -> None:
    told = found({"people": "admins", **ssh})
    assert [f.path[:4] for f in told] == [("estate", "tailnet", "ssh", path)]
    assert all(f.fix for f in told)


@pytest.mark.parametrize("period", ["1m", "90m", "1h", "168h", "always"])
def test_a_check_is_good_from_a_minute_to_a_week(period: str) -> None:
    assert found({"people": "admins", "check_period": period}) == []


def test_it_is_for_a_set_that_is_there_and_that_the_tailnet_knows() -> None:
    people = {**ESTATE["people"], "germans": {"emails": ["carol@example.com"], "countries": ["DE"]}}
    for named, rule in (("amdins", "people-unknown"), ("germans", "people-routed")):
        tailnet = {"name": "tail.ts.net", "ssh": {"people": named}, "policy": "tailnet.hujson"}
        assert [f.rule for f in found(None, estate={**ESTATE, "people": people, "tailnet": tailnet})] == [rule]


# Who logs in as whom


def test_who_says_as_whom_one_logs_in_and_that_nobody_else_reaches_the_port() -> None:
    whole = surface({"people": "admins", "users": ["root", "pi"]})
    answer = who(whole, PORT, ALICE)
    assert answer.reaches
    assert answer.weakened == ("SSH as pi", "SSH as root")
    assert [step.stage for step in answer.steps] == ["name", "tailnet", "ssh", "origin"]
    assert answer.steps[2].matched == f"ssh[0]: group:admins -> {TAG}"
    assert answer.steps[2].why.endswith("with no key, after a login at Tailscale that is good for 12h")
    assert not who(whole, PORT, BOB).reaches
    bare = who(surface(None, services={"ssh": TERMINAL}), PORT, ALICE)
    assert (bare.reaches, bare.weakened, [step.stage for step in bare.steps]) == (
        True,
        (),
        ["name", "tailnet", "origin"],
    )


def test_a_rule_of_the_owners_own_counts_in_who_and_whoever_may_take_its_tag_does_too() -> None:
    own = """{
      "tagOwners": {"tag:ci": ["bob@example.com"]},
      "grants": [{"src": ["group:household"], "dst": ["tag:gatehouse-alfred"], "ip": ["tcp:22"]}],
      "ssh": [{"action": "accept", "src": ["tag:ci"], "dst": ["tag:gatehouse-alfred"], "users": ["root"]}],
    }"""
    services = {"ssh": {**SSH, "people": "household"}}
    whole = surface(None, own, services=services, acknowledge={"tailnet-policy-opens": "builds are installed by it"})
    assert who(whole, PORT, BOB).weakened == ("SSH as root with no check",)
    nobody: Answer = who(whole, PORT, ALICE)
    assert (nobody.reaches, nobody.weakened) == (True, ())
    assert nobody.steps[2].why == "Tailscale SSH, where it is on, logs them in as nobody"


def test_those_who_log_in_as_others_are_told_apart_where_they_reach_the_port_alike() -> None:
    text = own(src="bob@example.com", action="accept")
    whole = surface(None, text, services={"ssh": {**SSH, "people": "household"}})
    told = {place.text: found.text() for place, found in table(whole)}
    assert told["alfred.tail.ts.net:22/tcp"] == (
        "alice@example.com from the tailnet; bob@example.com from the tailnet, SSH as pi with no check"
    )


def test_a_name_of_an_address_is_a_user_for_addresses_of_its_domain_alone() -> None:
    people = {"household": ["alice@example.com"], "admins": ["alice@example.com", "carol@example.org"]}
    ssh = {"people": "admins", "users": "localpart:*@example.com"}
    tailnet = {"name": "tail.ts.net", "policy": "tailnet.hujson", "ssh": ssh}
    whole = surface(None, estate={**ESTATE, "people": people, "tailnet": tailnet})
    told = {place.text: found.text() for place, found in table(whole)}
    assert told["alfred.tail.ts.net:22/tcp"] == (
        "alice@example.com from the tailnet, SSH as the name in their address; carol@example.org from the tailnet"
    )


def changed(before: Any, now: Any, services: Any = None) -> Change | None:
    sides = (surface(before, services=services), surface(now, services=services))
    found = [c for c in compare(*sides) if c.place.request.host.startswith("alfred")]
    assert {c.place.request.port for c in found} <= {22}
    return found[0] if found else None


@pytest.mark.parametrize("services", [{"grafana": HTML}, {"ssh": TERMINAL}])
@pytest.mark.parametrize(
    ("less", "more", "words"),
    [
        (None, {}, "SSH as any user but root"),
        ({"users": ["pi"]}, {"users": ["pi", "root"]}, "SSH as root"),
        ({}, {"action": "accept"}, "with no check"),
        ({"check_period": "1h"}, {"check_period": "24h"}, "a login lasts 24h, no longer 1h"),
        ({"check_period": "always"}, {}, "a login lasts 12h, no longer 0s"),
    ],
)
def test_diff_says_that_more_is_wider_and_that_less_is_not(services: Any, less: Any, more: Any, words: str) -> None:
    def said(ssh: Any) -> Any:
        return None if ssh is None else {"people": "admins", **ssh}

    wider, narrower = changed(said(less), said(more), services), changed(said(more), said(less), services)
    assert wider
    assert (wider.gains, wider.kind) == ((ALICE,), "wider")
    if less is None and "ssh" not in services:
        assert "SSH as any user but root" in wider.now.text()
    else:
        assert words in leads(wider)
    assert narrower
    assert (narrower.gains, narrower.kind) == ((), "narrower")
    assert changed(said(more), said(more), services) is None


RULES = st.lists(
    st.builds(
        lambda action, users: {"action": action, "src": ["alice@example.com"], "dst": [TAG], "users": users},
        st.sampled_from(["check", "accept"]),
        st.lists(st.sampled_from(["root", "pi", "ann", "autogroup:nonroot"]), min_size=1, max_size=2, unique=True),
    ),
    max_size=3,
)
FREE = {"deny": 0, "check": 1, "accept": 2}


@settings(max_examples=1000 if NIGHTLY else 100)
@given(before=RULES, now=RULES)
def test_words_say_more_exactly_where_some_user_of_the_node_is_got_with_less(before: Any, now: Any) -> None:
    def read(rules: Any) -> tuple[tuple[str, ...], list[int]]:
        document = {"tagOwners": {TAG: ["autogroup:admin"]}, "grants": [], "ssh": rules}
        found = logins(document, ALICE, machine((TAG,)))
        got = [
            login(policy_of(document), endpoints(policy_of(document), ALICE.name)[0], machine((TAG,)), user, {})
            # Zoe stands for whoever no rule names.
            for user in ("root", "pi", "ann", "zoe")
        ]
        return found.users if found else (), [FREE[one] for (one,) in got]

    (was, had), (words, has) = read(before), read(now)
    more = any(one > other for one, other in zip(has, had, strict=True))
    event("more" if more else "no more")
    assert bool(beyond(words, was)) == more


def test_to_log_in_as_fewer_is_narrower() -> None:
    every, one = {"people": "admins"}, {"people": "admins", "users": ["pi"]}
    narrower, wider = changed(every, one), changed(one, every)
    assert narrower
    assert narrower.kind == "narrower"
    assert wider
    assert wider.kind == "wider"


def test_a_name_of_an_address_that_is_root_is_root() -> None:
    people = {**ESTATE["people"], "admins": ["alice@example.com", "root@example.com"]}
    tailnet = {"name": "tail.ts.net", "policy": "tailnet.hujson", "ssh": {"people": "admins"}}
    text = own(user="localpart:*@example.com")
    told = found(None, text, estate={**ESTATE, "people": people, "tailnet": tailnet})
    assert ["as localpart:*@example.com" in f.reason for f in told] == [True]
    assert found({"people": "admins"}, text) == []
    taken = {"tailnet-policy-opens": "they look after the machine"}
    whole = surface(None, text, acknowledge=taken, estate={**ESTATE, "people": people, "tailnet": tailnet})
    assert who(whole, PORT, Principal("person", "root@example.com")).weakened == (
        "SSH as any user but root",
        "SSH as root",
    )


def test_a_check_of_an_own_rule_covers_what_needs_none() -> None:
    whole = surface({"people": "admins"}, own(action="accept"))
    assert who(whole, PORT, ALICE).weakened == ("SSH as any user but root",)


def test_diff_names_who_is_new() -> None:
    change = changed({"people": "admins"}, {"people": "household"})
    assert change
    assert change.gains == (BOB,)
    assert change.now.text() == "alice@example.com, bob@example.com from the tailnet, SSH as any user but root"


# An own policy beside it


RULE = '{"action": "%s", "src": ["%s"], "dst": ["%s"], "users": ["%s"]}'


def own(action: str = "check", src: str = "group:admins", dst: str = TAG, user: str = "pi") -> str:
    return '{\n  "ssh": [\n    ' + RULE % (action, src, dst, user) + ",\n  ],\n}"


@pytest.mark.parametrize(
    ("ssh", "services", "rule", "example"),
    [
        (None, {}, {}, "alice@example.com log in to alfred as pi"),
        (None, {"ssh": TERMINAL}, {}, ""),
        (None, {"ssh": TERMINAL}, {"src": "group:household"}, "bob@example.com log in to alfred as pi"),
        (None, {"ssh": TERMINAL}, {"src": "autogroup:admin"}, "autogroup:admin log in to alfred as pi"),
        ({"people": "admins"}, {}, {}, ""),
        ({"people": "admins"}, {}, {"user": "root"}, "group:admins log in to alfred as root"),
        ({"people": "admins", "users": ["root"]}, {}, {"user": "root"}, ""),
        ({"people": "admins", "users": ["root"]}, {}, {}, "group:admins log in to alfred as pi"),
        ({"people": "admins"}, {}, {"src": "carol@example.com"}, "carol@example.com log in to alfred as pi"),
        ({"people": "admins"}, {}, {"src": "autogroup:member", "dst": "autogroup:tagged"}, "every member"),
        ({"people": "admins"}, {}, {"src": "autogroup:member", "dst": "autogroup:self", "user": "root"}, ""),
    ],
)
def test_an_own_rule_that_lets_others_log_in_to_a_node_or_as_others_is_refused_at_its_line(
    ssh: Any, services: Any, rule: Any, example: str
) -> None:
    told = found(ssh, own(**rule), services=services)
    assert [(f.rule, f.place.file, f.place.line) for f in told] == (
        [("tailnet-policy-opens", "tailnet.hujson", 3)] if example else []
    )
    assert all(example in f.reason for f in told)
    if example:
        taken = {"tailnet-policy-opens": "they look after the machine"}
        assert found(ssh, own(**rule), services=services, acknowledge=taken) == []
        merged = policy(ssh, own(**rule), services=services, acknowledge=taken)
        assert all(outcome.passed for outcome in run_tests(policy_of(merged)))
        assert merged["ssh"][0]["users"] == [rule.get("user", "pi")]


@pytest.mark.parametrize(
    ("said", "own_period", "refused"),
    [
        ({"check_period": "1h"}, "168h", True),
        ({"check_period": "1h"}, "61m", True),
        ({"check_period": "1h"}, "60m", False),
        ({"check_period": "1h"}, "always", False),
        ({"check_period": "always"}, "1m", True),
        # Tailscale's own default, and ours.
        ({}, "", False),
        ({"check_period": "1h"}, "", True),
    ],
)
def test_an_own_check_that_is_good_for_longer_is_refused_since_it_comes_first(
    said: Any, own_period: str, refused: bool
) -> None:
    # evalSSHPolicy takes the first rule that matches [tailscale/tailscale ssh/tailssh/tailssh.go].
    text = own().replace(', "users"', f', "checkPeriod": "{own_period}", "users"' if own_period else ', "users"')
    ssh = {"people": "admins", **said}
    told = found(ssh, text)
    assert [(f.rule, f.place.line) for f in told] == [("tailnet-policy-opens", 3)] * refused
    if refused:
        assert f"good for {own_period or '12h'} on alfred" in told[0].reason
        fix = re.search(r'"checkPeriod": "\w+"', told[0].fix)
        assert fix
        corrected = (
            text.replace(f'"checkPeriod": "{own_period}"', fix[0])
            if own_period
            else own().replace(', "users"', f', {fix[0]}, "users"')
        )
        assert found(ssh, corrected) == []


def test_an_own_check_on_what_is_to_need_none_fails_gatehouses_own_test() -> None:
    told = found({"people": "admins", "users": ["pi"], "action": "accept"}, own())
    assert [f.rule for f in told] == ["tailnet-policy-tests"]
    assert "what alice@example.com is to reach fails" in told[0].reason


def test_own_rules_and_tests_stay_in_the_owners_file_and_are_told_apart_again() -> None:
    text = """{
      // A laptop logs in to machines of its own.
      "tagOwners": {"tag:homelab": ["autogroup:admin"]},
      "ssh": [{"action": "accept", "src": ["autogroup:admin"], "dst": ["tag:homelab"], "users": ["root"]}],
      "sshTests": [{"src": "tag:homelab", "dst": ["tag:homelab"], "deny": ["root"]}],
    }"""
    assert found({"people": "admins"}, text) == []
    ours = policy({"people": "admins"})
    whole = own_policy.merged(text, ours)
    said: Any = parse(whole).value
    theirs: Any = parse(text).value
    rest: Any = parse(own_policy.without(whole, ours)).value
    for key in ("ssh", "sshTests"):
        assert said[key] == [*theirs[key], *ours[key]]
        assert rest[key] == theirs[key]


@settings(max_examples=300 if NIGHTLY else 15)
@given(
    rules=st.lists(
        st.builds(
            lambda **words: {key: value if key == "action" else [value] for key, value in words.items()},
            action=st.sampled_from(["check", "accept"]),
            src=st.sampled_from(["group:admins", "bob@example.com", "autogroup:member", "group:household", "tag:ci"]),
            dst=st.sampled_from([TAG, "autogroup:tagged", "tag:homelab", "autogroup:self"]),
            users=st.sampled_from(["root", "pi", "autogroup:nonroot", "localpart:*@example.com"]),
        ),
        max_size=2,
    ),
    users=st.sampled_from([["root"], ["pi"], ["autogroup:nonroot"], ["autogroup:nonroot", "root"]]),
    action=st.sampled_from(["check", "accept"]),
)
def test_where_nothing_is_refused_nobody_else_logs_in_and_nobody_as_another(
    rules: list[dict[str, Any]], users: list[str], action: str
) -> None:
    said = [rule for rule in rules if rule["src"] != ["tag:ci"] or rule["dst"] != ["autogroup:self"]]
    tags = {"tag:ci": ["autogroup:admin"], "tag:homelab": ["autogroup:admin"]}
    text = json.dumps({"tagOwners": tags, "ssh": said})
    ssh = {"people": "admins", "users": users, "action": action}
    refused = bool(found(ssh, text))
    event("refused" if refused else "accepted")
    if not refused:
        read = policy_of(policy(ssh, text))
        assert all(outcome.passed for outcome in run_tests(read))
        node = machine((TAG,))
        for source in ("alice@example.com", "bob@example.com", "carol@example.com", "tag:ci"):
            for user in ("root", "pi", "alice"):
                let_in = source == "alice@example.com" and (
                    user in users or (user != "root" and "autogroup:nonroot" in users)
                )
                got = login(read, endpoints(read, source)[0], node, user, {})
                # A check of the owner's own, of one user, comes before what needs none.
                assert got <= ({action, "check"} if let_in else {"deny"}), (source, user)


# What is said of it


def test_the_manual_step_has_the_exact_commands_and_the_warning() -> None:
    def steps(ssh: Any) -> list[Any]:
        stacks = home(ssh)
        return [s for s in plan_stack(stacks["alfred"], stacks).manual_steps if s.key == "tailscale-ssh"]

    assert steps(None) == []
    (step,) = steps({"people": "admins"})
    assert list(step.values.values()) == ["sudo tailscale set --ssh", "sudo tailscale set --ssh=false"]
    assert "--accept-risk=lose-ssh" in " ".join(step.steps)
    assert "192.168.0.124" in " ".join(step.steps)


def test_whoever_is_no_user_of_the_tailnet_yet_is_to_be_invited() -> None:
    stacks = home({"people": "household"})
    steps = {step.key: step.values for step in plan_stack(stacks["alfred"], stacks).manual_steps}
    assert steps["share-machines"] == {"alfred": "alice@example.com, bob@example.com"}


def test_explain_says_who_logs_in_as_whom_and_that_root_has_all() -> None:
    def told(ssh: Any) -> str:
        stacks = home(ssh)
        return " ".join(report(plan_stack(stacks["alfred"], stacks)).split())

    assert "Tailscale SSH" not in told(None)
    text = told({"people": "admins"})
    assert "admins as any user but root, checked every 12h, at port 22 of alfred on the tailnet" in text
    assert "Root has the whole node" not in text
    # This home has a policy of its own, whose rules may let others in.
    assert "`gatehouse who alfred:22` counts rules of your own policy too" in text
    text = told({"people": "admins", "users": ["root"], "action": "accept"})
    assert "admins as root, with no check" in text
    assert "Root has the whole node, and every service on it" in text


def test_the_map_names_it_at_a_service_of_port_22() -> None:
    def front(ssh: Any) -> list[str]:
        return [way.front for way in map_of(plan_project(home(ssh, services={"ssh": TERMINAL}))).ways]

    assert front(None) == ["by grant"]
    assert front({"people": "admins"}) == ["by Tailscale SSH"]
