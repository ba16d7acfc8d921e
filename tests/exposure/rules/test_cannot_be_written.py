"""What no stack file can bring about, shown on the plan of every accepted fixture and of the shipped stacks."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import Any

import pytest

from config.loader import parse_stack_text, type_stack
from exposure.ingress import in_order
from exposure.model import ExposurePlan, TunnelRule
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
    """As cloudflared does it: from the top, host equal, path found anywhere."""
    return next(r for r in plan.rules if r.host in (None, host) and (r.path is None or compiled(r.path).search(path)))


def test_the_catch_all_is_last_and_alone() -> None:
    for plan in plans():
        *others, last = plan.rules
        assert (last.host, last.path, last.origin) == CATCH_ALL
        assert all(rule.host for rule in others)
    assert max(len(plan.rules) for plan in plans()) > 5
    early = in_order([TunnelRule(None, None, "http_status:503"), TunnelRule("a.example.com", None, "http://a:80")])
    assert [(r.host, r.origin) for r in early] == [("a.example.com", "http://a:80"), (None, "http_status:404")]


def test_a_stack_with_no_service_still_has_the_catch_all() -> None:
    bare = [plan for plan in plans() if not plan.exposures]
    assert bare
    assert all([(r.host, r.path, r.origin) for r in plan.rules] == [CATCH_ALL] for plan in bare)


def test_a_narrower_rule_stands_before_a_broader_one() -> None:
    _, plan = one(
        ALFRED.replace("path_exceptions: [/api]", "path_exceptions: [/api, /api/v1/push, /a]", 1).replace(
            "services:\n", "services:\n", 1
        )
    )
    host = "grafana-alfred.very-very-dark-gray.top"
    for path in ("/api", "/api/v1/push", "/a"):
        matched = first_match(plan, host, path).path
        assert matched is not None
        # Nothing narrower matches: the expression ends where the path does.
        assert re.sub(r"\\(.)", r"\1", matched) == f"^{path}(/|$)"
    assert first_match(plan, host, "/login").path is None
    for plan in plans():
        for host in {r.host for r in plan.rules if r.host}:
            general = [number for number, r in enumerate(plan.rules) if r.host == host and r.path is None]
            paths = [number for number, r in enumerate(plan.rules) if r.host == host and r.path is not None]
            assert len(general) == 1
            assert all(number < general[0] for number in paths)


def test_every_path_is_anchored_re2() -> None:
    expressions = {r.path for plan in plans() for r in plan.rules if r.path is not None}
    assert len(expressions) > 5
    for expression in expressions:
        assert expression.startswith("^/")
        assert not re2.search(expression, "/x" + expression.strip("^").replace("\\", "").split("(")[0])
    _, plan = one(ALFRED.replace("path_exceptions: [/api]", "path_exceptions: [/socket.io]", 1))
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
    bypassed = {(plan.stack, a.host, a.path) for plan in plans() for a in plan.applications if a.path}
    assert len(bypassed) > 3
    for plan in plans():
        for application in plan.applications:
            if application.path:
                rule = first_match(plan, application.host, f"{application.path}/x")
                assert rule.path is not None
                assert rule.applications == ()


def test_a_protected_rule_names_every_application_of_its_host() -> None:
    seen = 0
    for plan in plans():
        for rule in plan.rules:
            if rule.host and rule.path is None:
                of_host = {a.name for a in plan.applications if a.host == rule.host}
                assert set(rule.applications) == of_host
                assert len(rule.applications) == len(of_host)
                seen += len(of_host) > 1
    assert seen > 3


def test_own_certificate_brings_the_bypass() -> None:
    protected = 0
    for plan in plans():
        for rule in plan.rules:
            if rule.path and "acme" in rule.path:
                assert first_match(plan, rule.host or "", f"{CHALLENGE}/token") is rule
                assert first_match(plan, rule.host or "", "/.well-known/other") is not rule
                assert rule.applications == ()
                apps = [a for a in plan.applications if a.host == rule.host]
                open_paths = [a.path for a in apps if a.people is None and a.path and a.path.startswith(CHALLENGE)]
                assert open_paths == ([CHALLENGE] if apps else [])
                protected += bool(apps)
    assert protected > 2


def test_only_a_path_is_let_by() -> None:
    let_by = [a for plan in plans() for a in plan.applications if a.people is None]
    assert let_by
    assert all(a.path and a.path.startswith("/") and len(a.path) > 1 for a in let_by)
    assert all(a.people for plan in plans() for a in plan.applications if a.path is None)


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
        tags = {i.tag for i in plan.tailscale_ingresses if i.funnel}
        assert tags <= targets
        # No proxy of a private service may go public by an annotation.
        assert not targets & {i.tag for i in plan.tailscale_ingresses if not i.funnel}
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
        used |= {i.tag for i in plan.tailscale_ingresses} | {s.tag for s in plan.tailscale_services}
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
        tags = {i.tag for i in plan.tailscale_ingresses if not i.funnel} | {s.tag for s in plan.tailscale_services}
        denied = {target.rsplit(":", 1)[0] for test in policy["tests"] for target in test.get("deny", [])}
        assert tags <= denied
        private += len(tags)
        assert policy["tests"]
    assert private > 3
