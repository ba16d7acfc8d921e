"""The ways of a whole plan together: what services share, and what is above or below one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components.estate import register_estate
from components.providers import make_providers
from components.stack import register_ways
from tests.components.conftest import Run
from tests.components.examples import connector, tunnel
from tests.kit import cloudflared
from tests.kit.builders import ESTATE, GAME, HTML, NODE, OPEN_HTML, SSH, plan_of
from tests.kit.recorder import Recording

APPLICATION = "cloudflare:ZeroTrustAccessApplication"
RULES = "cloudflare:ZeroTrustTunnelCloudflaredConfig"
RECORD = "cloudflare:DnsRecord"
MARK = "kubernetes:NamespacePatch"
TCP = {**GAME, "clients": "people", "port_forward": None}


def _registered(run: Run, services: Mapping[str, Any], **sections: Any) -> Recording:
    plan = plan_of({k: {f: v for f, v in s.items() if v is not None} for k, s in services.items()}, **sections)

    def program() -> None:
        providers = make_providers("alfred", "tail.ts.net", None)
        secrets = {"google_client_secret": pulumi.Output.secret("client secret")}
        cloudflared = connector(certificates=plan.certificates)
        register_ways(plan, providers, register_estate(plan, secrets, providers.options), tunnel(), cloudflared)

    return run(program)


def _applications(found: Recording, record: str) -> set[str]:
    waited = {d for d in found.one(RECORD, record).dependencies if d.startswith(APPLICATION)}
    return {d.removeprefix(f"{APPLICATION} ") for d in waited}


def _rules(found: Recording) -> list[tuple[str | None, str | None, str]]:
    listed = found.one(RULES).inputs["config"]["ingresses"]
    assert cloudflared.refusals(listed) == []
    routing = cloudflared.routing(listed)
    return [(r.get("hostname"), r.get("path"), r["service"].split("//")[-1].split(".")[0]) for r in routing]


def _at(service: str, **more: Any) -> dict[str, Any]:
    return {**HTML, "origin": {"namespace": "web", "service": service, "port": 80}, **more}


def test_services_that_share_a_host_share_its_record_which_waits_for_the_applications_of_all(run: Run) -> None:
    chat = {"host": "chat.example.com"}
    found = _registered(
        run,
        {
            "element": _at("element", **chat, paths={"/config.json": {"clients": "anyone"}}),
            "synapse": _at("synapse", **chat, path="/_matrix", clients="anyone", sensitivity="low"),
            "admin": _at("admin", **chat, path="/_synapse/admin", people="admins"),
        },
    )
    record = found.one(RECORD)
    assert (record.name, record.parent.rsplit("::", 1)[1]) == ("chat.example.com", "element")
    places = {"chat.example.com" + path for path in ("", "/config.json", "/_matrix", "/_synapse/admin")}
    assert _applications(found, record.name) == places == {a.name for a in found.all(APPLICATION)}
    assert f"{RULES} alfred-rules" in record.dependencies
    assert _rules(found) == [
        ("chat.example.com", "(?i)^/_synapse/admin([/;]|$)", "admin"),
        ("chat.example.com", "^/config\\.json(/|$)", "element"),
        ("chat.example.com", "^/_matrix(/|$)", "synapse"),
        ("chat.example.com", None, "element"),
        (None, None, "http_status:404"),
    ]
    # The public one is a bypass below the guarded host.
    policies = {a.name: a.property_dependencies("policies") for a in found.all(APPLICATION)}
    assert policies["chat.example.com/_matrix"] == {"cloudflare:ZeroTrustAccessPolicy google-bypass"}
    assert policies["chat.example.com/_synapse/admin"] == {"cloudflare:ZeroTrustAccessPolicy google-people-admins"}


def test_a_path_with_the_audience_of_what_is_above_it_has_no_application_and_its_jwt(run: Run) -> None:
    chat = {"host": "chat.example.com"}
    found = _registered(run, {"a": _at("a", **chat), "b": _at("b", **chat, path="/b")})
    assert [a.name for a in found.all(APPLICATION)] == ["chat.example.com"]
    general, path, _ = cloudflared.routing(found.one(RULES).inputs["config"]["ingresses"])
    assert general["originRequest"]["access"] == path["originRequest"]["access"]


def test_a_record_waits_for_the_application_of_a_wildcard_above_it_and_a_wildcards_for_those_below(run: Run) -> None:
    # Through the wildcard's record each name below has an address, before it has a record of its own.
    found = _registered(
        run,
        {
            "all": _at("all", host="*.example.com"),
            "wiki": _at("wiki", host="wiki.example.com"),
            "root": _at("root", host="root.example.com", people="admins"),
            "game": {**GAME, "host": "game.example.com"},
        },
        node={**NODE, "public_record": True},
    )
    assert {a.name for a in found.all(APPLICATION)} == {"*.example.com", "root.example.com"}
    assert _applications(found, "*.example.com") == {"*.example.com", "root.example.com"}
    assert _applications(found, "wiki.example.com") == {"*.example.com"}
    assert _applications(found, "root.example.com") == {"*.example.com", "root.example.com"}
    # Proxied, so Access is asked for it too; what is not proxied never meets Access.
    assert _applications(found, "alfred-node") == {"*.example.com"}
    assert _applications(found, "game.example.com") == set()


@pytest.mark.parametrize("short", [RECORD, APPLICATION])
def test_a_host_that_goes_to_another_service_keeps_its_place_among_the_resources(short: str, run: Run) -> None:
    # Made anew it would stand beside the old one, which the API refuses.
    host = {"host": "wiki.example.com"}
    before = _registered(run, {"old": {**HTML, **host}, "new": OPEN_HTML}).one(short, "wiki.example.com")
    after = _registered(run, {"old": HTML, "new": {**HTML, **host}}).one(short, "wiki.example.com")
    assert before.urn == after.urn


def test_a_host_that_goes_to_a_service_at_another_gate_keeps_its_record(run: Run) -> None:
    host = {"host": "wiki.example.com"}
    before = _registered(run, {"old": {**HTML, **host}}).one(RECORD)
    public = _registered(run, {"new": {**OPEN_HTML, **host}}).one(RECORD)
    assert public.urn != before.urn
    # As the engine makes a URN of an alias: the parent's types and the resource's own type and name.
    parents = [a.spec.parentUrn.split("::")[2] for a in public.request.aliases if a.spec.parentUrn and not a.spec.name]
    assert before.urn.split("::")[2] in {f"{parent}${public.type}" for parent in parents}


def test_a_service_with_two_ways_marks_its_namespace_twice_and_neither_mark_was_the_other(run: Run) -> None:
    both = {**GAME, "gates": ["port-forward", "tailnet"], "acknowledge": {}}
    found = _registered(run, {"game": both})
    assert [mark.former_parents for mark in found.all(MARK)] == [{"gatehouse:FunnelService game"}] * 2
    alone = _registered(run, {"game": GAME}).one(MARK)
    assert alone.former_parents == {"gatehouse:FunnelService game", "gatehouse:TailnetService game"}


def test_a_controller_leads_on_once_the_host_is_locked_and_the_rules_come_after_it(run: Run) -> None:
    behind = {"namespace": "web", "service": "web", "port": 80, "through_ingress": "managed"}
    found = _registered(run, {"wiki": {**HTML, "origin": behind, "host": "wiki.example.com"}})
    ingress = found.one("kubernetes:Ingress")
    assert f"{APPLICATION} wiki.example.com" in ingress.dependencies
    assert f"kubernetes:Ingress {ingress.name}" in found.one(RULES).dependencies


def test_a_record_is_in_the_zone_that_its_host_is_in(run: Run) -> None:
    found = _registered(
        run,
        {"wiki": HTML, "blog": {**OPEN_HTML, "hosts": ["example.org", "www.example.com"]}},
        estate={**ESTATE, "other_zones": [{"name": "example.org"}]},
    )
    zones = {r.name: r.property_dependencies("zoneId") for r in found.all(RECORD)}
    assert zones == {
        "example.org": {"cloudflare:Zone example.org-zone"},
        "www.example.com": {"cloudflare:Zone estate-zone"},
        "wiki-alfred.example.com": {"cloudflare:Zone estate-zone"},
    }
    # Cloudflare takes no application for a host of no zone of the account.
    assert found.one(APPLICATION).dependencies >= {"cloudflare:Zone example.org-zone", "cloudflare:Zone estate-zone"}


def test_a_zone_has_the_redirects_of_its_own_hosts_whose_records_wait_for_what_shuts_them(run: Run) -> None:
    found = _registered(
        run,
        {"blog": {**OPEN_HTML, "host": "example.com", "redirect_from": ["www.example.com", "example.org"]}},
        estate={**ESTATE, "other_zones": [{"name": "example.org"}, {"name": "example.net"}]},
    )
    lists = {r.name: [rule["ref"] for rule in r.inputs["rules"]] for r in found.all("cloudflare:Ruleset")}
    assert lists == {"estate-redirects": ["www_example_com"], "example.org-redirects": ["example_org"]}
    assert "www.example.com" in _applications(found, "www.example.com")
    assert f"{RULES} alfred-rules" in found.one(RECORD, "www.example.com").dependencies
    policies = found.one(APPLICATION, "www.example.com").property_dependencies("policies")
    assert policies == {"cloudflare:ZeroTrustAccessPolicy google-nobody"}


def test_the_nodes_own_port_is_on_the_tailnet_with_nothing_registered_for_it(run: Run) -> None:
    assert _registered(run, {"ssh": SSH}).all("gatehouse:TailnetService") == []
    assert _registered(run, {"db": TCP}).one("gatehouse:TailnetService").name == "db"
