"""The list of checks, from the plan alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given

from config.loader import load_project
from exposure.model import ExposurePlan
from exposure.plan import plan_stack
from exposure.reach import ANYONE, from_plan, who
from exposure.reach import Request as Asked
from gatehouse.probe.checks import checks_of, selected
from gatehouse.probe.probes import Check, ClosedProbe, HttpProbe, NameProbe, PortProbe, ZoneProbe
from tests.gatehouse.probe.test_paths_hosts_and_zones import SECTIONS as FORMS_SECTIONS
from tests.gatehouse.probe.test_paths_hosts_and_zones import SERVICES as FORMS
from tests.gatehouse.probe.world import SECTIONS, SERVICES
from tests.kit.builders import ESTATE, GAME, HTML, MEDIA, NODE, OPEN_HTML, PROJECT, SSH, plan_of
from tests.kit.estates import Estate, estates

OPEN = {"clients": "anyone"}


def made(services: Mapping[str, Any], **sections: Any) -> dict[str, Check]:
    return {c.id: c for c in checks_of(plan_of(services, **sections), "n0nce")}


@pytest.fixture(scope="module")
def alfred() -> ExposurePlan:
    stacks = load_project(PROJECT)
    return plan_stack(stacks["alfred"], stacks)


def test_a_protected_host_is_asked_for_in_every_way_that_must_not_work() -> None:
    # The task's own list: login, forged JWT in header and cookie, http, a deeper path, odd hosts.
    found = made({"wiki": HTML, "page": OPEN_HTML})
    asked = {c.what for c in found.values() if c.subject == "wiki" and c.must_not}
    assert asked == {
        "login",
        "deeper-path",
        "forged-header",
        "forged-cookie",
        "forged-token",
        "http",
        "host-capitals",
        "host-dot",
        "host-port",
        "fronted",
    }
    assert found["wiki/host-capitals"].probe == HttpProbe(
        "guarded", "https", "wiki-alfred.example.com", host="WIKI-ALFRED.EXAMPLE.COM"
    )


def test_the_router_is_asked_only_where_the_plan_knows_its_address() -> None:
    assert "wiki/router-https" not in made({"wiki": HTML})
    found = made({"wiki": HTML}, node={**NODE, "public_record": True})
    probe = found["wiki/router-https"].probe
    assert isinstance(probe, HttpProbe)
    assert (probe.address, probe.sni, probe.verify) == ("203.0.113.7", "wiki-alfred.example.com", False)


def test_a_lone_protected_host_has_no_other_to_be_fronted_by() -> None:
    assert "wiki/fronted" not in made({"wiki": HTML})
    assert "wiki/fronted" in made({"wiki": HTML, "wiki2": HTML}), "control"


def test_what_lies_beside_an_open_path_is_asked_unless_another_opens_it() -> None:
    why = {"acknowledge": {"access-path-bypass": "a reason that is long enough"}}
    found = made({"wiki": {**HTML, "paths": {"/api": OPEN, "/API": OPEN}, **why}})
    assert "wiki/sibling/api" in found
    assert "wiki/capitals/api" not in found, "/API is an exception of its own"
    assert "wiki/capitals/API" not in found
    assert {"wiki/open/api", "wiki/open/API", "wiki/dots/api"} <= set(found)


def test_a_member_does_not_ask_about_the_zone_that_its_owner_has() -> None:
    stacks = load_project(PROJECT)
    found = checks_of(plan_stack(stacks["octavo"], stacks))
    assert {c.subject for c in found} == {"home-assistant", "ssh"}


def test_the_zone_is_asked_about_its_signatures_where_it_is_signed() -> None:
    signed = made({})
    assert {i for i, c in signed.items() if isinstance(c.probe, ZoneProbe)} == {
        "example.com/name-servers",
        "example.com/ds",
        "example.com/chain",
    }
    unsigned = made({}, estate={**ESTATE, "zone": {"name": "example.com", "dnssec": False}})
    assert {i for i, c in unsigned.items() if isinstance(c.probe, ZoneProbe)} == {
        "example.com/name-servers",
        "example.com/no-ds",
    }


def test_tailnet_services_are_asked_for_where_they_must_not_be() -> None:
    found = made({"ssh": SSH, "game": GAME})
    assert found["ssh/private-name"].probe == NameProbe("absent", "alfred.tail.ts.net")
    assert found["ssh/router"].probe == ClosedProbe("203.0.113.7", 22)
    assert found["ssh/no-name"].probe == NameProbe("absent", "ssh-alfred.example.com")


def test_a_port_that_the_plan_forwards_is_not_asked_to_be_closed() -> None:
    on_node = {"origin": {"on_node": True, "port": 25565}, "traffic": "non-html", "clients": "tailnet"}
    assert "files/router" not in made({"files": on_node, "game": GAME})
    assert "files/router" in made({"files": {**on_node, "origin": {"on_node": True, "port": 873}}, "game": GAME})


def test_forwarded_ports_and_funnel_names_are_asked_for() -> None:
    found = made({"game": GAME, "media": MEDIA})
    assert found["game/tcp-25565"].probe == PortProbe("game-alfred.example.com", 25565, "tcp")
    assert found["media/certificate"].asked == "media-alfred.tail.ts.net:443"


def test_plain_http_is_not_asked_for_where_the_zone_allows_it() -> None:
    lax = {**ESTATE, "zone": {"name": "example.com", "always_use_https": False}}
    assert "page/http" not in made({"page": OPEN_HTML}, estate=lax)
    assert "page/http" in made({"page": OPEN_HTML}), "control"


def test_nothing_is_left_to_chance_but_the_nonce() -> None:
    plan = plan_of(SERVICES, **SECTIONS)
    assert checks_of(plan, "a") == checks_of(plan, "a")
    assert checks_of(plan, "a") != checks_of(plan, "b")
    assert [c.id for c in checks_of(plan, "a")] == [c.id for c in checks_of(plan, "b")]


def test_every_service_of_the_shipped_stack_is_asked_about(alfred: ExposurePlan) -> None:
    subjects = {c.subject for c in checks_of(alfred)}
    # The solver is asked about at the hosts that it renews for.
    assert {s.key for s in alfred.services} - subjects == {"acme-renewals"}
    assert "kubernetes-dashboard/acme" in {c.id for c in checks_of(alfred)}


@given(estates())
def test_checks_agree_with_who_reaches_what_in_any_estate(estate: Estate) -> None:
    for plan in estate.plans().values():
        agree_with_reach(plan)


def test_checks_agree_with_who_reaches_what_where_every_form_is_used() -> None:
    assert agree_with_reach(plan_of(FORMS, **FORMS_SECTIONS)) > 100


def agree_with_reach(plan: ExposurePlan) -> int:
    """exposure.reach decides from rules and applications, not from ways: a second source. How much was compared."""
    checks = checks_of(plan, "n0nce")
    assert len({c.id for c in checks}) == len(checks)
    assert all(c.means and c.fix and c.promise for c in checks)
    surface = from_plan(plan)
    compared = 0
    for check in checks:
        probe = check.probe
        if not isinstance(probe, HttpProbe) or probe.sni.endswith(".ts.net") or probe.scheme == "http":
            continue
        # Other spellings of a path are the edge's to fold.
        odd = any(word in probe.target for word in ("..", "%", "//"))
        if probe.expect not in ("page", "open", "login", "guarded") or odd:
            continue
        host = (probe.host or probe.sni).lower().rstrip(".").split(":")[0]
        path = urlsplit(probe.target).path
        answer = who(surface, Asked(host, 443, path, "https"), ANYONE)
        # Where it is from some addresses alone, the check is asked from another.
        assert (answer.reaches and not answer.from_) == (probe.expect in ("page", "open")), check.id
        compared += 1
    return compared


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ssh", {"ssh/private-name", "ssh/router", "ssh/no-name"}),
        ("tailnet", {"ssh/private-name", "ssh/router", "ssh/no-name"}),
        ("login", {"board/login", "wiki/login"}),
        ("wiki/forged*", {"wiki/forged-header", "wiki/forged-cookie", "wiki/forged-token"}),
        ("nothing", set()),
    ],
)
def test_checks_are_picked_by_service_gate_name_or_pattern(pattern: str, expected: set[str]) -> None:
    found = selected(checks_of(plan_of(SERVICES, **SECTIONS)), [pattern])
    assert {c.id for c in found} == expected
