"""What holds for every estate: nothing sensitive is open, nothing is hidden, and the policy proves itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from config.values import unguarded
from exposure.check import check
from exposure.estate import CLOSING
from exposure.model import ExposurePlan
from exposure.names import ACME_PATH
from exposure.policy_eval import Policy, read_policy, run_tests
from exposure.reach import ANYONE, MEMBER, Outcome, Principal, Request, Surface, from_plan, merge, table, who
from exposure.reach import surface as s
from exposure.reach.compare import compare
from exposure.reach.project import Project, plan_project
from exposure.reach.shadows import shadows
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import TunnelWay
from exposure.workload import Workload
from tests.kit.estates import EMAILS, TAILNET, ZONE, Estate, estates

PATHS = (
    "/",
    "/login",
    "/api",
    "/api/v1",
    "/apis",
    "/api/v1x",
    "/x/api",
    "/ANY",
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


def _hosts(estate: Estate, project: Project) -> Iterator[tuple[str, dict[str, set[str] | None]]]:
    """Each host of a tunnel with who may ask for its paths by the file's words: people, or None for anyone."""
    sections = estate.sections[estate.owner]["estate"]

    def people(*said: Mapping[str, Any]) -> set[str]:
        names = next((s["people"] for s in said if "people" in s), sections["default_people"])
        return {e for name in ([names] if isinstance(names, str) else names) for e in sections["people"][name]}

    def may(said: Mapping[str, Any], *above: Mapping[str, Any]) -> set[str] | None:
        clients = said.get("clients", "people")
        return None if clients == "anyone" else set() if clients == "nobody" else people(said, *above)

    for stack, plan in project.plans.items():
        for way in plan.by(TunnelWay):
            facts = estate.services[stack][way.service]
            paths = {"": may(facts), **{path: may(said, facts) for path, said in facts.get("paths", {}).items()}}
            if facts.get("own_certificate"):
                paths[ACME_PATH] = None
            yield from ((host, paths) for host in way.hosts)


def _protected(estate: Estate, project: Project) -> Iterator[tuple[str, dict[str, set[str] | None]]]:
    """Those that not anyone may open."""
    return ((host, paths) for host, paths in _hosts(estate, project) if paths[""] is not None)


@HALF
@given(ESTATES)
def test_every_generated_estate_is_free_of_findings(estate: Estate) -> None:
    assert check(estate.loaded()) == ()


@given(ESTATES)
def test_each_path_of_a_host_is_reached_by_whom_the_nearest_words_name(estate: Estate) -> None:
    project = _project(estate)
    surface = project.whole()[0]
    for host, paths in _hosts(estate, project):
        for path in (*PATHS, *(f"{p}{end}" for p in paths for end in ("", "/x", "x") if p)):
            if path == ACME_PATH:
                continue  # The challenges are below it; the folder itself is not asked for.
            near = max((p for p in paths if not p or path == p or path.startswith(f"{p}/")), key=len)
            may = paths[near]
            # In other letters than those of a path that is not for everybody, it takes the login of that path.
            asked = f"{path}/".lower()
            taking = [p for p in paths if paths[p] is not None and asked.startswith(f"{p}/".lower())]
            guarded = max(taking, key=len, default="")
            between = [p for p in paths if f"{guarded}/".startswith(f"{p}/") and len(p) > len(near)]
            if any(paths[p] != may for p in between):
                may = set()
            for principal in EVERYBODY:
                answer = who(surface, Request(host, path=path), principal)
                expected = Outcome.OPEN if may is None else Outcome.LOGIN if principal.name in may else None
                assert (answer.outcome if answer.reaches else None) is expected, (host, path, principal, answer)


@HALF
@given(ESTATES)
def test_what_is_on_the_tailnet_is_for_those_it_names_and_on_no_public_name_unless_asked(estate: Estate) -> None:
    project = _project(estate)
    surface = project.whole()[0]
    sets = estate.sections[estate.owner]["estate"]["people"]
    for stack, plan in project.plans.items():
        for way in plan.by(TailnetWay):
            facts = estate.services[stack][way.service]
            if "on_node" in facts["origin"]:
                continue
            raw = facts["origin"]
            asked = [("https", 443)]
            if raw.get("scheme") in ("tcp", "udp"):
                asked = [(raw["scheme"], raw["port"])]
                asked += [(port["protocol"], port["port"]) for port in raw.get("other_ports", ())]
            names = facts.get("people", estate.sections[estate.owner]["estate"]["default_people"])
            members = {e for name in ([names] if isinstance(names, str) else names) for e in sets[name]}
            for scheme, port in asked:
                request = Request(f"{way.service}-{stack}.{TAILNET}", port, scheme=scheme)  # type: ignore[arg-type]
                for principal in EVERYBODY:
                    answer = who(surface, request, principal)
                    assert answer.reaches is (principal.name in members), answer
            public = any(r.host == f"{way.service}-{stack}.{ZONE}" for r in surface.records)
            assert public is ("gates" in facts)


@HALF
@given(ESTATES)
def test_a_rule_takes_the_logins_of_its_own_place_and_of_no_other(estate: Estate) -> None:
    project = _project(estate)
    found = dict(_hosts(estate, project))
    for surface in project.surfaces.values():
        for rule in surface.rules:
            if rule.host is None or rule.path == CLOSING:
                continue
            paths = found[rule.host]
            plain = re.sub(r"\\(.)", r"\1", unguarded(rule.path or "") or rule.path or "")
            path = next((p for p in paths if plain in (f"^{p}(/|$)", f"^{p}/")), "")
            asks = [p for p in paths if paths[p] and (path == p or path.startswith(f"{p}/") or not p)]
            opened = {f"{rule.host}{p}" for p, may in paths.items() if may is None and p.startswith(f"{path}/")}
            if not paths[path]:
                assert rule.access is None
                assert (rule.origin == "http_status:404") is (paths[path] == set())
                continue
            assert rule.access is not None
            assert rule.access.required
            assert rule.access.unresolved == 0
            accepted = set(rule.access.applications)
            guards = accepted - opened
            assert guards <= {f"{rule.host}{p}" for p in asks}
            assert len(guards) == 1
            assert all(paths[key.removeprefix(rule.host)] == paths[path] for key in guards)


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
            icmp = grant["ip"] == ["icmp:*"]
            target = f"{grant['dst'][0]}:{443 if icmp else grant['ip'][0].split(':')[1]}"
            assert any(target in test.get("deny", ()) for test in policy["tests"]), target
            assert icmp != any(target in test.get("accept", ()) for test in policy["tests"]), target


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
    # What listens at an address at home was there before a rule or a grant led to it.
    reached = {
        place.request
        for place, found in table(surface)
        if found.how and not any(isinstance(w, Workload) and w.place == place.request.host for w in found.workloads)
    }
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
@given(ESTATES, st.data())
def test_a_node_at_another_address_at_home_is_the_same_node(estate: Estate, data: st.DataObject) -> None:
    """Each node to an address of nobody's, or of another node, with whatever else changes meanwhile."""
    stack = data.draw(st.sampled_from(sorted(estate.services)))
    fewer = data.draw(st.sets(st.sampled_from([k for k in estate.services[stack] if k != "acme-renewals"] or [""])))
    less = {**estate.services, stack: {k: v for k, v in estate.services[stack].items() if k not in fewer}}
    before, now = _project(estate).whole()[0], _project(replace(estate, services=less)).whole()[0]
    own = [node.address for node in before.nodes]
    assume(len(set(own)) == len(own))
    moved = dict(zip(own, data.draw(st.permutations([*own, "192.168.7.7", "192.168.7.8"])), strict=False))

    def elsewhere(surface: s.Surface) -> s.Surface:
        return replace(surface, nodes=tuple(replace(n, address=moved[n.address]) for n in surface.nodes))

    assert compare(before, elsewhere(before)) == ()

    def told(one: s.Surface, other: s.Surface, names: dict[str, str]) -> set[tuple[str, ...]]:
        changes = compare(one, other)
        return {
            (c.kind, replace(p, request=replace(p.request, host=names.get(p.request.host, p.request.host))).text)
            for c in changes
            for p in (c.place, *c.more)
        }

    back = {new: old for old, new in moved.items()}
    assert told(before, elsewhere(now), back) == told(before, now, {})
    assert told(elsewhere(now), before, {}) == told(now, before, {})


@FEW
@given(ESTATES)
def test_an_access_application_taken_away_or_opened_is_found(estate: Estate) -> None:
    """What a mutation of the planned resources opens, `who` and `diff` must see: it is not the gate that they read."""
    project = _project(estate)
    surface = project.whole()[0]
    for host, paths in _protected(estate, project):
        if not paths[""]:
            continue  # Nothing answers where nobody is meant to get through.
        for weakened in _weakened(surface, host):
            answer = who(weakened, Request(host), ANYONE)
            assert answer.outcome is Outcome.OPEN, (host, paths, answer)
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
    rows = {place.request: found for place, found in table(merge(surfaces.values()))}
    for surface in surfaces.values():
        for place, found in table(surface):
            assert rows[place.request].text() == found.text()
