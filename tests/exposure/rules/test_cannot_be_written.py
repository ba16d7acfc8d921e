"""What no stack file can bring about, shown on the plan of every accepted fixture and of the shipped stacks."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import Any

import pytest

from config.loader import parse_stack_text, type_stack
from config.values import unguarded
from exposure.audience import ANYONE
from exposure.estate import CLOSING, in_order
from exposure.model import AccessApplication, ExposurePlan, TunnelRule
from exposure.ways.funnel import FunnelWay
from exposure.ways.tailnet import TailnetWay
from tests.exposure.rules.plans import ROOT, one, plans

# A binding of the real RE2, which has no types.
re2: Any = import_module("re2")
compiled = cache(re2.compile)
ALFRED = (ROOT / "Pulumi.alfred.yaml").read_text()
CATCH_ALL = (None, None, "http_status:404")
CHALLENGE = "/.well-known/acme-challenge"


def changed(old: str, new: str) -> list[tuple[str, str]]:
    """What reading alfred's file finds with one change: rule and path."""
    assert old in ALFRED
    return [(f.rule, f.where) for f in type_stack(parse_stack_text(ALFRED.replace(old, new, 1), "alfred")).findings]


def first_match(plan: ExposurePlan, host: str, path: str) -> TunnelRule:
    """As cloudflared does it: from the top, host equal or below a wildcard, path found anywhere."""

    def named(rule: str | None) -> bool:
        return rule in (None, host) or (rule is not None and rule.startswith("*.") and host.endswith(rule[1:]))

    return next(r for r in plan.rules if named(r.host) and (r.path is None or compiled(r.path).search(path)))


def deciding(plan: ExposurePlan, host: str, path: str) -> AccessApplication | None:
    """The application with the most specific destination, as Access has it: an exact host first, then the path."""

    def named(application: AccessApplication) -> bool:
        pattern = re.escape(application.host).replace(re.escape("*"), "[^.]+")
        return bool(re.fullmatch(pattern, host)) and f"{path}/".startswith(f"{application.path.rstrip('/')}/")

    return max((a for a in plan.applications if named(a)), key=lambda a: ("*" not in a.host, len(a.path)), default=None)


def test_the_catch_all_is_last_and_alone() -> None:
    for plan in plans():
        *others, last = plan.rules
        assert (last.host, last.path, last.origin) == CATCH_ALL
        assert all(rule.host for rule in others)
    assert max(len(plan.rules) for plan in plans()) > 5
    early = in_order([TunnelRule(None, None, "http_status:503"), TunnelRule("a.example.com", None, "http://a:80")])
    assert [(r.host, r.origin) for r in early] == [("a.example.com", "http://a:80"), (None, "http_status:404")]


def test_a_stack_with_no_service_still_has_the_catch_all() -> None:
    bare = [plan for plan in plans() if not plan.services]
    assert bare
    assert all([(r.host, r.path, r.origin) for r in plan.rules] == [CATCH_ALL] for plan in bare)


def test_a_narrower_rule_stands_before_a_broader_one() -> None:
    _, plan = one(
        ALFRED.replace(
            "paths: {/api: {clients: anyone}}", "paths: {/api: {clients: anyone}, /api/v1/push: {}, /a: {}}", 1
        )
    )
    host = "grafana-alfred.very-very-dark-gray.top"
    for path in ("/api", "/api/v1/push", "/a"):
        matched = first_match(plan, host, path).path
        assert matched is not None
        # Nothing narrower matches: the expression ends where the path does.
        assert re.sub(r"\\(.)", r"\1", unguarded(matched) or matched) == f"^{path}(/|$)"
    assert first_match(plan, host, "/login").path is None
    for plan in plans():
        for host in {r.host for r in plan.rules if r.host}:
            general = [number for number, r in enumerate(plan.rules) if r.host == host and r.path is None]
            paths = [number for number, r in enumerate(plan.rules) if r.host == host and r.path is not None]
            assert len(general) <= 1
            assert all(number < general[0] for number in paths if general)


def test_every_path_is_anchored_re2() -> None:
    expressions = {r.path for plan in plans() for r in plan.rules if r.path is not None}
    assert len(expressions) > 5
    for expression in expressions:
        plain = expression.removeprefix("(?i)")
        assert plain.startswith("^/")
        assert not re2.search(expression, "/x" + plain.strip("^").replace("\\", "").split("(")[0])
    _, plan = one(ALFRED.replace("paths: {/api:", "paths: {/socket.io:", 1))
    host = "grafana-alfred.very-very-dark-gray.top"
    matched = {path: first_match(plan, host, path).path is not None for path in ("/socket.io", "/socket.io/1")}
    assert all(matched.values())
    for path in ("/socketxio", "/socket.io2", "/x/socket.io", "/Socket.io"):
        assert first_match(plan, host, path).path is None


@pytest.mark.parametrize("value", ["1.5", "30s", "0", "0.5"])
def test_a_duration_is_whole_seconds(value: str) -> None:
    path = "services.homebox.origin_request.connect_timeout_seconds"
    old = "port: 7745}\n      traffic: html\n"
    assert changed(old, f"{old}      origin_request: {{connect_timeout_seconds: {value}}}\n") == [("wrong-form", path)]
    assert changed(old, f"{old}      origin_request: {{connect_timeout_seconds: 30}}\n") == []


@pytest.mark.parametrize("team", ["high-energy-building.cloudflareaccess.com", '""', "https://team", "null"])
def test_a_team_is_a_bare_name(team: str) -> None:
    assert changed("team: high-energy-building", f"team: {team}") == [("wrong-form", "estate.team")]
    assert all(re.fullmatch(r"[a-z0-9-]+", plan.estate.team) for plan in plans())


def test_a_bypassed_path_asks_for_no_jwt() -> None:
    bypassed = {(plan.stack, a.name) for plan in plans() for a in plan.applications if a.audience.opens}
    assert len(bypassed) > 3
    for plan in plans():
        for application in plan.applications:
            if application.audience.opens:
                rule = first_match(plan, application.host, f"{application.path}/x")
                assert rule.path is not None
                assert rule.applications == ()


def test_a_rule_accepts_the_application_that_decides_over_it_and_what_is_let_by_below() -> None:
    several, paths, shut = 0, 0, 0
    for plan in plans():
        people = {a.name for a in plan.applications if a.audience.people or a.audience.tokens}
        for rule in (r for r in plan.rules[:-1] if r.path != CLOSING):
            assert rule.host
            host, plain = rule.host.replace("*", "some"), unguarded(rule.path or "") or rule.path or ""
            path = re.sub(r"\\(.)", r"\1", plain.removesuffix("(/|$)").removeprefix("^")).rstrip("/")
            guard = deciding(plan, host, path)
            if guard is None or guard.audience.opens:
                assert rule.applications == ()
                continue
            if rule.origin == "http_status:404":
                assert not guard.audience.people
                shut += 1
                continue
            below = {
                a.name
                for a in plan.applications
                if a.host == rule.host and a.audience.opens and f"{a.path}/".startswith(f"{path}/")
            }
            # One login alone: nobody gets in by the login of another path.
            assert {name for name in rule.applications if name in people} == {guard.name}
            assert set(rule.applications) == {guard.name, *below}
            several += len(rule.applications) > 1
            paths += bool(path)
    assert several > 3
    assert paths > 3
    assert shut > 1


def test_a_guarded_wildcards_rule_asks_for_the_jwt_at_any_depth() -> None:
    guarded = 0
    for plan in plans():
        for rule in plan.rules:
            if rule.host and rule.host.startswith("*.") and deciding(plan, f"one{rule.host[1:]}", "/"):
                # Access does not see the deeper name, and the rule does.
                assert deciding(plan, f"two.one{rule.host[1:]}", "/") is None
                assert first_match(plan, f"two.one{rule.host[1:]}", "/").applications == rule.applications
                assert rule.applications
                guarded += 1
    assert guarded


def test_own_certificate_brings_the_bypass() -> None:
    protected = 0
    for plan in plans():
        for rule in plan.rules:
            if rule.path and "acme" in rule.path:
                host = rule.host or ""
                assert first_match(plan, host, f"{CHALLENGE}/token") is rule
                assert first_match(plan, host, "/.well-known/other") is not rule
                assert rule.applications == ()
                above = deciding(plan, host, "/.well-known")
                asked = deciding(plan, host, f"{CHALLENGE}/token")
                if above is not None and above.audience != ANYONE:
                    assert asked is not None
                    assert (asked.path, asked.audience) == (CHALLENGE, ANYONE)
                    protected += 1
                else:
                    assert asked is above
    assert protected > 2


def test_only_a_path_is_let_by() -> None:
    let_by = [a for plan in plans() for a in plan.applications if a.audience == ANYONE]
    assert let_by
    assert all(a.path.startswith("/") and len(a.path) > 1 for a in let_by)
    # And nothing stands in front of what is for anyone with nothing above.
    whole = [a for plan in plans() for a in plan.applications if a.path == "/"]
    assert whole
    assert all(a.audience != ANYONE for a in whole)


@pytest.mark.parametrize(
    "address", ['"*"', '"*@example.com"', '"@example.com"', "everyone", "a@example.com;b@example.com"]
)
def test_a_set_of_people_holds_single_addresses(address: str) -> None:
    found = changed("- bob@example.com", f"- {address}")
    assert found == [("wrong-form", "estate.people.household[1]")]


def test_a_funnel_brings_its_node_attribute() -> None:
    funnels = 0
    for plan in plans():
        policy: Any = plan.tailnet_policy
        if policy is None:
            continue
        targets = {t for entry in policy.get("nodeAttrs", []) if "funnel" in entry["attr"] for t in entry["target"]}
        tags = {way.tag for way in plan.by(FunnelWay)}
        assert tags <= targets
        # No proxy of a private service may go public by an annotation.
        assert not targets & {way.tag for way in plan.by(TailnetWay)}
        funnels += bool(tags)
    assert funnels > 3


def test_every_tag_has_an_owner() -> None:
    seen = set()
    for plan in plans():
        if plan.tailnet_policy is None:
            continue
        policy: Any = dict(plan.tailnet_policy)
        owners = policy.pop("tagOwners")
        used = set(re.findall(r"tag:[A-Za-z0-9-]+", str(policy)))
        used |= {way.tag for way in plan.by(FunnelWay)} | {way.tag for way in plan.by(TailnetWay)}
        assert used <= set(owners), plan.stack
        assert all(owners[tag] for tag in used)
        seen |= used
    assert len(seen) > 3


def test_a_policy_has_tests() -> None:
    private = 0
    for plan in plans():
        policy: Any = plan.tailnet_policy
        if policy is None:
            continue
        tags = {way.tag for way in plan.by(TailnetWay) if not way.on_node}
        denied = {target.rsplit(":", 1)[0] for test in policy["tests"] for target in test.get("deny", [])}
        assert tags <= denied
        private += len(tags)
        assert policy["tests"]
    assert private > 3
