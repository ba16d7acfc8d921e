"""The tailnet's policy, generated from the services of every stack, and the tests that Tailscale itself runs on it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from exposure.model import ExposurePlan
from exposure.policy_eval import NOTHING, User, read_policy, read_topology, run_tests
from tests.kit.builders import ESTATE, GAME, HTML, MEDIA, NODE, SSH, loaded, plan_of

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
_USERS = NOTHING._replace(users=tuple(map(User, (ALICE, BOB, CAROL))))
PRIVATE_WEB = {**HTML, "clients": "tailnet"}
OCTAVO = {**NODE, "name": "octavo", "lan_ipv4": "192.168.0.8", "context": "octavo"}
HOME = {
    "ssh": {**SSH, "people": "admins"},
    "wiki": PRIVATE_WEB,
    "komga": MEDIA,
    "db": {
        "origin": {"namespace": "db", "service": "db", "port": 5432, "scheme": "tcp", "selector": {"app": "db"}},
        "traffic": "non-html",
        "clients": "tailnet",
    },
}


def _policy(plan: ExposurePlan) -> dict[str, Any]:
    assert plan.tailnet_policy is not None
    policy = json.loads(json.dumps(plan.tailnet_policy))
    assert isinstance(policy, dict)
    return policy


@pytest.fixture(scope="module")
def policy() -> dict[str, Any]:
    """Of two nodes: alfred owns the estate, octavo is a member."""
    member = loaded({"ssh": {**SSH, "people": "admins"}}, "octavo", member_of="alfred", node=OCTAVO)
    return _policy(plan_of(HOME, member, estate={**ESTATE, "tailnet": {**ESTATE["tailnet"], "users": [CAROL]}}))


def _open(policy: Mapping[str, Any], source: str, target: str, port: int, protocol: str = "tcp") -> bool:
    """Tailscale's grants as its documents tell them (tailscale.com/kb/1324): deny unless one grants it.

    For persons and tags as sources, tags as targets: all that is generated here.
    """

    def is_source(selector: str) -> bool:
        if selector == "autogroup:member":
            return "@" in source
        return selector == source or source in policy["groups"].get(selector, ())

    return any(
        any(is_source(s) for s in grant["src"])
        and target in grant["dst"]
        and ("*" in grant["ip"] or f"{protocol}:{port}" in grant["ip"])
        for grant in policy["grants"]
    )


@pytest.mark.parametrize(
    ("target", "port", "people"),
    [
        ("tag:gatehouse-alfred", 22, {ALICE}),
        ("tag:gatehouse-octavo", 22, {ALICE}),
        ("tag:wiki-alfred", 443, {ALICE, BOB}),
        ("tag:db-alfred", 5432, {ALICE, BOB}),
        ("tag:k8s-funnel", 443, {ALICE, BOB}),
    ],
)
def test_a_private_service_is_open_to_its_people_on_its_port_alone(
    policy: dict[str, Any], target: str, port: int, people: set[str]
) -> None:
    for person in (ALICE, BOB, "mallory@example.com"):
        if target != "tag:k8s-funnel":
            assert _open(policy, person, target, port) == (person in people)
        assert not _open(policy, person, target, port + 1)
        assert not _open(policy, person, target, port, "udp")


def test_no_tag_may_open_a_connection_to_anything(policy: dict[str, Any]) -> None:
    tags = list(policy["tagOwners"])
    assert len(tags) > 5, "the control"
    for source in tags:
        for target in tags:
            assert not any(_open(policy, source, target, port) for port in (22, 443, 5432))


def test_people_keep_their_own_devices_in_reach_and_nothing_else_is_open_on_every_port(policy: dict[str, Any]) -> None:
    wide = [grant for grant in policy["grants"] if "*" in grant["ip"]]
    assert wide == [{"src": ["autogroup:member"], "dst": ["autogroup:self"], "ip": ["*"]}]
    assert not any("*" in grant["src"] or "*" in grant["dst"] for grant in policy["grants"])
    # Without either key everything is allowed; an `acls` beside grants would add to them.
    assert "acls" not in policy


def test_groups_are_the_sets_of_people(policy: dict[str, Any]) -> None:
    assert policy["groups"] == {"group:admins": [ALICE], "group:household": [ALICE, BOB]}


def test_every_tag_has_an_owner_and_proxies_belong_to_the_operator(policy: dict[str, Any]) -> None:
    # A tag that is not in tagOwners is refused; the operator may only give out tags it owns [TS cmd/k8s-operator].
    named = set(re.findall(r"tag:[a-z0-9-]+", json.dumps(policy)))
    assert named == set(policy["tagOwners"])
    assert policy["tagOwners"]["tag:k8s"] == ["tag:k8s-operator"]
    for proxy in ("tag:k8s-funnel", "tag:wiki-alfred", "tag:db-alfred"):
        assert policy["tagOwners"][proxy] == ["tag:k8s-operator"]
    for node in ("tag:gatehouse-alfred", "tag:gatehouse-octavo", "tag:k8s-operator"):
        assert policy["tagOwners"][node] == ["autogroup:admin"]


def test_funnel_is_an_attribute_of_its_own_tag_alone(policy: dict[str, Any]) -> None:
    # tailscale.com/kb/1223: nodeAttrs with `funnel`. On tag:k8s anything in the cluster could go public.
    assert policy["nodeAttrs"] == [{"target": ["tag:k8s-funnel"], "attr": ["funnel"]}]


def test_no_test_takes_somebody_for_a_member_who_may_have_a_machine_shared_with_them() -> None:
    # tailscale#4558, #5931: a person of another tailnet is in no autogroup:member. A test that a grant to members lets
    # them in fails, and Tailscale refuses the whole policy.
    def tested(estate: Mapping[str, Any]) -> list[str]:
        policy = _policy(plan_of(HOME, estate=estate))
        assert {"src": ["autogroup:member"], "dst": ["tag:k8s-funnel"], "ip": ["tcp:443"]} in policy["grants"]
        return [test["src"] for test in policy["tests"] if "tag:k8s-funnel:443" in test.get("accept", ())]

    assert tested(ESTATE) == []
    assert tested({**ESTATE, "tailnet": {**ESTATE["tailnet"], "users": [CAROL, BOB]}}) == [BOB], "the control"
    # With everybody outside whom a service names, each test still passes.
    everybody = {"users": [CAROL, *({"login": p, "role": "shared"} for p in (ALICE, BOB))]}
    topology = read_topology(json.dumps(everybody)).topology
    reading = read_policy(_policy(plan_of(HOME, estate={**ESTATE, "tailnet": {**ESTATE["tailnet"], "users": [CAROL]}})))
    assert topology is not None
    assert reading.policy is not None
    assert [r for r in run_tests(reading.policy, topology) if not r.passed] == []


def test_without_a_funnel_nothing_has_the_attribute() -> None:
    without = _policy(plan_of({"wiki": PRIVATE_WEB}))
    assert "nodeAttrs" not in without
    assert not any("tag:k8s-funnel" in grant["dst"] for grant in without["grants"])


def test_the_tests_are_such_as_tailscale_takes(policy: dict[str, Any]) -> None:
    # What its API refuses of tests, as captured in headscale's testdata/policytest_results: a source that is not one
    # known name; a target that is not one tag, host or address with exactly one port; proto icmp; neither list.
    known = {ALICE, BOB, CAROL, *policy["tagOwners"]}
    for test in policy["tests"]:
        assert test["src"] in known
        assert test["proto"] in ("tcp", "udp")
        assert test.get("accept") or test.get("deny")
        for target in (*test.get("accept", ()), *test.get("deny", ())):
            tag, _, port = target.rpartition(":")
            assert tag in policy["tagOwners"]
            assert 0 < int(port) < 65536


def test_the_tests_say_what_the_grants_do(policy: dict[str, Any]) -> None:
    for test in policy["tests"]:
        for word, expected in (("accept", True), ("deny", False)):
            for target in test.get(word, ()):
                tag, _, port = target.rpartition(":")
                assert _open(policy, test["src"], tag, int(port), test["proto"]) is expected, (test, target)


def test_every_private_service_is_tested_for_each_person_and_against_the_proxies_that_face_the_internet(
    policy: dict[str, Any],
) -> None:
    told = {
        (test["src"], target): word
        for test in policy["tests"]
        for word in ("accept", "deny")
        for target in test.get(word, ())
    }
    for target in ("tag:gatehouse-alfred:22", "tag:gatehouse-octavo:22", "tag:wiki-alfred:443", "tag:db-alfred:5432"):
        assert told[ALICE, target] == "accept"
        assert told[BOB, target] == ("deny" if target.endswith(":22") else "accept")
        assert told["tag:k8s-funnel", target] == "deny"
    # Each service's device is tried as a source, at one other service.
    sources = ["tag:gatehouse-alfred", "tag:gatehouse-octavo", "tag:wiki-alfred", "tag:db-alfred"]
    targets = ["tag:db-alfred:5432", "tag:gatehouse-alfred:22", "tag:gatehouse-octavo:22", "tag:wiki-alfred:443"]
    assert {told[pair] for pair in zip(sources, targets, strict=True)} == {"deny"}


def test_the_policy_grows_with_the_services_and_not_with_their_square_nor_with_people_who_are_alike() -> None:
    def size(services: int, people: int) -> int:
        household = [f"p{n}@example.com" for n in range(people)]
        estate = {**ESTATE, "people": {"household": household, "admins": household[:1]}}
        keys = [f"s{n:03}" for n in range(services)]
        return len(json.dumps(_policy(plan_of(dict.fromkeys(keys, PRIVATE_WEB), estate=estate))["tests"]))

    assert size(400, 3) < 2.1 * size(200, 3)
    assert size(100, 500) < 1.1 * size(100, 3)


def test_another_reading_of_tailscales_rules_finds_the_policy_right_and_its_tests_passing(
    policy: dict[str, Any],
) -> None:
    reading = read_policy(policy)
    assert reading.findings == ()
    assert reading.policy is not None
    results = run_tests(reading.policy, _USERS)
    assert len(results) == len(policy["tests"])
    assert [r for r in results if not r.passed] == []


@pytest.mark.parametrize("target", ["tag:gatehouse-alfred", "tag:wiki-alfred", "tag:db-alfred"])
@pytest.mark.parametrize("source", ["*", "tag:k8s-funnel"])
def test_a_policy_that_opens_a_private_service_fails_its_own_tests(
    policy: dict[str, Any], target: str, source: str
) -> None:
    # The negative control: Tailscale would refuse such a change.
    opened = copy.deepcopy(policy)
    opened["grants"].append({"src": [source], "dst": [target], "ip": ["*"]})
    reading = read_policy(opened)
    assert reading.policy is not None
    assert [r for r in run_tests(reading.policy, _USERS) if not r.passed]


def test_a_policy_that_forgets_a_grant_fails_its_own_tests(policy: dict[str, Any]) -> None:
    for number in range(1, len(policy["grants"])):
        forgotten = copy.deepcopy(policy)
        del forgotten["grants"][number]
        reading = read_policy(forgotten)
        assert reading.policy is not None
        assert [r for r in run_tests(reading.policy, _USERS) if not r.passed], policy["grants"][number]


def test_the_policy_is_the_owners_alone_to_write() -> None:
    member = loaded({"ssh": SSH}, "octavo", member_of="alfred", node=OCTAVO)
    from config.loader import tie
    from exposure.plan import plan_stack

    stacks = tie([loaded(HOME), member])
    assert plan_stack(stacks["octavo"], stacks).tailnet_policy is None
    assert plan_stack(stacks["alfred"], stacks).tailnet_policy is not None


def test_the_order_of_services_does_not_change_a_letter_of_the_policy() -> None:
    # Tailscale compares the text.
    assert json.dumps(_policy(plan_of(HOME))) == json.dumps(_policy(plan_of(dict(reversed(HOME.items())))))


def test_udp_is_granted_and_tested_as_udp() -> None:
    game = {**GAME, "clients": "tailnet", "port_forward": None}
    game["origin"] = {**GAME["origin"], "scheme": "udp", "port": 19132}
    found = _policy(plan_of({"game": game}))
    assert {"src": ["group:household"], "dst": ["tag:game-alfred"], "ip": ["udp:19132"]} in found["grants"]
    assert not _open(found, ALICE, "tag:game-alfred", 19132, "tcp")
    assert any(test["proto"] == "udp" for test in found["tests"])


EXPORTER = {
    "origin": {"on_node": True, "port": 9100, "scheme": "http"},
    "traffic": "non-html",
    "clients": "tailnet",
    "machines": "tag:gatehouse-octavo",
}


def _told(policy: dict[str, Any], target: str) -> dict[str, str]:
    """What the policy's tests say of each source at a target."""
    return {t["src"]: word for t in policy["tests"] for word in ("accept", "deny") if target in t.get(word, ())}


def test_a_service_may_be_for_machines_by_their_tag_alone_or_beside_people() -> None:
    member = loaded({}, "octavo", member_of="alfred", node=OCTAVO)
    services = {
        **HOME,
        "metrics": EXPORTER,
        "builds": {**PRIVATE_WEB, "people": "household", "machines": ["tag:ci", "tag:wiki-alfred"]},
    }
    found = _policy(plan_of(services, member))
    assert {"src": ["tag:gatehouse-octavo"], "dst": ["tag:gatehouse-alfred"], "ip": ["tcp:9100"]} in found["grants"]
    both = {"src": ["group:household", "tag:ci", "tag:wiki-alfred"], "dst": ["tag:builds-alfred"], "ip": ["tcp:443"]}
    assert both in found["grants"]
    # Tailscale knows no tag without an owner; one that is nobody else's is given out by admins.
    assert found["tagOwners"]["tag:ci"] == ["autogroup:admin"]
    assert found["tagOwners"]["tag:wiki-alfred"] == ["tag:k8s-operator"]
    assert _told(found, "tag:gatehouse-alfred:9100") == {
        "tag:gatehouse-octavo": "accept",
        ALICE: "deny",
        BOB: "deny",
        "tag:k8s-funnel": "deny",
        "tag:wiki-alfred": "deny",
    }
    assert _told(found, "tag:builds-alfred:443") | {"tag:ci": "accept"} == _told(found, "tag:builds-alfred:443")
    reading = read_policy(found)
    assert reading.policy is not None
    assert [r for r in run_tests(reading.policy, _USERS) if not r.passed] == []
    # The control: without its grant, or with one more, a test fails.
    for number, grant in enumerate(found["grants"]):
        if "tag:gatehouse-octavo" in grant["src"]:
            less = {**found, "grants": found["grants"][:number] + found["grants"][number + 1 :]}
            assert any(r.failures for r in run_tests(read_policy(less).policy, _USERS))  # type: ignore[arg-type]


def test_machines_are_shown_by_who_and_hold_a_claim_and_nobody_else_gets_in() -> None:
    from config.loader import tie
    from exposure.check import check
    from exposure.reach.access import Principal
    from exposure.reach.evaluate import Request, who
    from exposure.reach.project import plan_project

    claims = [{"only": "tag:gatehouse-octavo", "on": "metrics"}]

    def findings(service: Mapping[str, Any]) -> list[str]:
        member = loaded({}, "octavo", member_of="alfred", node=OCTAVO)
        return [f.rule for f in check(tie([loaded({"metrics": service}, claims=claims), member]))]

    # At home the port answers everybody, and a claim says so.
    assert findings(EXPORTER) == ["claim-broken"]
    web = {**PRIVATE_WEB, "machines": "tag:gatehouse-octavo"}
    assert findings(web) == []
    assert findings({**web, "people": "admins"}) == ["claim-broken"]
    assert findings({**web, "machines": ["tag:gatehouse-octavo", "tag:ci"]}) == ["claim-broken"]
    assert "wrong-form" in findings({**web, "machines": "tag:k8s-funnel"})
    assert "no-effect" in findings({**HTML, "machines": "tag:ci"})
    stacks = tie([loaded({"metrics": web}), loaded({}, "octavo", member_of="alfred", node=OCTAVO)])
    surface = plan_project(stacks).surfaces["alfred"]
    asked = Request("metrics-alfred.tail.ts.net", 443)
    assert who(surface, asked, Principal("tag", "tag:gatehouse-octavo")).reaches
    for other in (Principal("person", ALICE), Principal("member"), Principal("tag", "tag:gatehouse-alfred")):
        assert not who(surface, asked, other).reaches
