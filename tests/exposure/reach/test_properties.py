"""What holds for every estate: nothing sensitive is open, nothing is hidden, and the policy proves itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tests.kit.profiles  # noqa: F401
from exposure.check import check
from exposure.decide import chosen
from exposure.model import ExposurePlan
from exposure.names import ACME_PATH, host_of, machine_of
from exposure.policy_eval import Policy, read_policy, run_tests
from exposure.reach import ANYONE, MEMBER, Outcome, Principal, Request, Surface, from_plan, merge, table, who
from exposure.reach import surface as s
from exposure.reach.compare import compare
from exposure.reach.project import Project, plan_project
from exposure.reach.shadows import shadows
from tests.kit.estates import EMAILS, TAILNET, ZONE, Estate, estates

PATHS = (
    "/",
    "/login",
    "/api",
    "/api/v1",
    "/apis",
    "/api/v1x",
    "/x/api",
    "/API",
    "/auth",
    "/hooks/git.push",
    "/hooks/gitxpush",
)
EVERYBODY = (ANYONE, MEMBER, *(Principal("person", e) for e in EMAILS), Principal("person", "mallory@example.net"))
ESTATES = estates(most_services=5)
HALF = settings(max_examples=max(settings().max_examples // 2, 5))
FEW = settings(max_examples=max(settings().max_examples // 5, 5))
"""For what compares whole estates several times an example."""


def _project(estate: Estate) -> Project:
    return plan_project(estate.loaded())


def _protected(estate: Estate, project: Project) -> Iterator[tuple[str, list[str], set[str]]]:
    """Each host that only people may reach: host, paths without login, and the people."""
    sections = estate.sections[estate.owner]["estate"]
    for stack, loaded in project.stacks.items():
        assert loaded.config
        for key, service in loaded.config.services.items():
            if chosen(service).gate == "zero-trust":
                node = estate.sections[stack]["node"]["name"]
                exceptions = [*service.path_exceptions, *([ACME_PATH] if service.own_certificate else [])]
                people = sections["people"][service.people or sections["default_people"]]
                yield host_of(key, service, node, ZONE), exceptions, set(people)


@HALF
@given(ESTATES)
def test_every_generated_estate_is_free_of_findings(estate: Estate) -> None:
    assert check(estate.loaded()) == ()


@given(ESTATES)
def test_no_sensitive_host_is_reached_without_its_policy_but_on_acknowledged_paths(estate: Estate) -> None:
    project = _project(estate)
    surface = project.whole()[0]
    for host, exceptions, people in _protected(estate, project):
        for path in (*PATHS, *exceptions, *(f"{e}/x" for e in exceptions), *(f"{e}x" for e in exceptions)):
            excepted = any(path == e or path.startswith(f"{e}/") for e in exceptions)
            for principal in EVERYBODY:
                answer = who(surface, Request(host, path=path), principal)
                if principal.name in people and not excepted:
                    assert answer.outcome is Outcome.LOGIN, (host, path, principal, answer)
                elif not excepted:
                    assert not answer.reaches, (host, path, principal, answer)
                elif ACME_PATH not in path:
                    # A positive control: the acknowledged path is open.
                    assert answer.outcome is Outcome.OPEN


@HALF
@given(ESTATES)
def test_what_is_for_the_tailnet_is_on_no_other_way(estate: Estate) -> None:
    project = _project(estate)
    surface = project.whole()[0]
    sets = estate.sections[estate.owner]["estate"]["people"]
    for stack, loaded in project.stacks.items():
        assert loaded.config
        for key, service in loaded.config.services.items():
            if chosen(service).gate != "tailnet" or "on_node" in estate.services[stack][key]["origin"]:
                continue
            raw = estate.services[stack][key]["origin"]
            scheme = raw.get("scheme", "http")
            machine = f"{machine_of(key, service, stack)}.{TAILNET}"
            request = Request(machine, 443) if scheme == "http" else Request(machine, raw["port"], scheme=scheme)
            members = sets[service.people or estate.sections[estate.owner]["estate"]["default_people"]]
            for principal in EVERYBODY:
                expected = Outcome.TAILNET if principal.name in members else None
                answer = who(surface, request, principal)
                assert answer.reaches is (expected is not None), answer
            host = f"{key}-{stack}.{ZONE}"
            assert not any(r.host == host for r in surface.records)


@HALF
@given(ESTATES)
def test_every_protected_rule_has_every_aud_of_its_host(estate: Estate) -> None:
    for surface in _project(estate).surfaces.values():
        for rule in surface.rules:
            if rule.host is None or rule.path is not None:
                continue
            own = {a.key for a in surface.applications if any(d.host == rule.host for d in a.destinations)}
            assert (set(rule.access.applications) if rule.access else set()) == own
            assert rule.access is None or (rule.access.required and rule.access.unresolved == 0)


@HALF
@given(ESTATES)
def test_the_catch_all_is_last_and_alone(estate: Estate) -> None:
    for plan in estate.plans().values():
        general = [index for index, rule in enumerate(plan.rules) if rule.host is None]
        assert general == [len(plan.rules) - 1]
        assert plan.rules[-1].path is None
        assert plan.rules[-1].origin == "http_status:404"


@given(ESTATES)
def test_no_rule_is_hidden_and_no_bypass_is_wider_than_meant(estate: Estate) -> None:
    project = _project(estate)
    assert [shadow for surface in project.whole() for shadow in shadows(surface)] == []


@given(ESTATES, st.randoms(use_true_random=False))
def test_the_order_of_services_changes_nothing_in_the_plan(estate: Estate, random: Any) -> None:
    orders = {stack: list(services) for stack, services in estate.services.items()}
    for order in orders.values():
        random.shuffle(order)
    assert estate.plans(orders) == estate.plans()


def _policy(plan: ExposurePlan) -> dict[str, Any]:
    assume(plan.tailnet_policy is not None)
    return json.loads(json.dumps(plan.tailnet_policy))  # type: ignore[no-any-return]


def _read(policy: dict[str, Any]) -> Policy:
    reading = read_policy(policy)
    assert reading.policy is not None, reading.findings
    return reading.policy


def _passes(policy: dict[str, Any]) -> bool:
    return all(outcome.passed for outcome in run_tests(_read(policy)))


@given(ESTATES)
def test_every_generated_policy_passes_its_own_tests_and_tests_each_private_service(estate: Estate) -> None:
    policy = _policy(estate.plans()[estate.owner])
    assert _passes(policy)
    for grant in policy["grants"]:
        if grant["src"][0].startswith("group:"):
            target = f"{grant['dst'][0]}:{grant['ip'][0].split(':')[1]}"
            assert any(target in test.get("deny", ()) for test in policy["tests"]), target
            assert any(target in test.get("accept", ()) for test in policy["tests"]), target


@given(ESTATES)
def test_every_generated_policy_fails_its_tests_when_a_private_service_is_opened(estate: Estate) -> None:
    policy = _policy(estate.plans()[estate.owner])
    for grant in policy["grants"]:
        if grant["src"][0].startswith("group:"):
            assert not _passes({**policy, "grants": [*policy["grants"], {**grant, "src": ["*"]}]})
            assert not _passes({**policy, "grants": [g for g in policy["grants"] if g != grant]})


@FEW
@given(ESTATES)
def test_a_plan_compared_with_itself_changes_nothing_and_with_nothing_is_all_new(estate: Estate) -> None:
    surface = _project(estate).whole()[0]
    assert compare(surface, surface) == ()
    changes = compare(None, surface)
    assert all(change.kind == "wider" for change in changes)
    reached = {place.request for place, audience in table(surface) if audience.reached}
    assert reached <= {p.request for change in changes for p in (change.place, *change.more)}


@FEW
@given(ESTATES, st.data())
def test_taking_a_service_away_never_opens_another(estate: Estate, data: st.DataObject) -> None:
    stack = data.draw(st.sampled_from(sorted(estate.services)))
    # ACME is served for the others; a service that goes with it would not be a valid file.
    keys = [key for key in estate.services[stack] if key != "acme-renewals"]
    assume(keys)
    gone = data.draw(st.sampled_from(keys))
    less = {**estate.services, stack: {k: v for k, v in estate.services[stack].items() if k != gone}}
    before, now = _project(estate).whole()[0], _project(replace(estate, services=less)).whole()[0]
    assert [change for change in compare(before, now) if change.wider] == []
    assert [change for change in compare(now, before) if change.losses] == []


@FEW
@given(ESTATES)
def test_an_access_application_taken_away_or_opened_is_found(estate: Estate) -> None:
    """What a mutation of the planned resources opens, `who` and `diff` must see: it is not the gate that they read."""
    project = _project(estate)
    surface = project.whole()[0]
    for host, exceptions, _ in _protected(estate, project):
        for weakened in _weakened(surface, host):
            answer = who(weakened, Request(host), ANYONE)
            assert answer.outcome is Outcome.OPEN, (host, exceptions, answer)
            assert any(c.wider and c.place.request.host == host for c in compare(surface, weakened))


def _weakened(surface: Surface, host: str) -> Iterator[Surface]:
    bare = s.Tunnel(
        "bare", tuple(replace(r, access=None) for t in surface.tunnels for r in t.rules or () if r.host == host)
    )
    records = tuple(replace(r, tunnel="bare") if r.host == host else r for r in surface.records)
    unchecked = replace(surface, tunnels=(*surface.tunnels, bare), records=records)
    others = tuple(a for a in surface.applications if a.key != host)
    yield replace(unchecked, applications=others)
    bypass = s.Application((s.Destination(host),), (s.Policy("bypass", (s.Selector("everyone"),)),))
    yield replace(unchecked, applications=(*others, bypass))


@HALF
@given(ESTATES)
def test_the_estate_is_no_wider_than_its_stacks(estate: Estate) -> None:
    plans = estate.plans()
    surfaces = {name: from_plan(plan, plans[estate.owner]) for name, plan in plans.items()}
    rows = {p.request: a for p, a in table(merge(surfaces.values()))}
    for surface in surfaces.values():
        for place, audience in table(surface):
            assert rows[place.request].text() == audience.text()
