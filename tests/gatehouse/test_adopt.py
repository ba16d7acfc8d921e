"""Adopting what exists: what is recognised by shape, what is left alone, and how the stack file is changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loader import LoadedStack, parse_stack_text, tie, type_stack
from gatehouse import cli
from gatehouse.adopt.match import Matched, Planned, choose_tunnel, differences, match, prefix_of
from gatehouse.adopt.services import Recognised, recognise
from gatehouse.adopt.simulated import read_simulated
from gatehouse.adopt.stack_text import edit
from gatehouse.adopt.things import Thing, places
from gatehouse.commands import CommandError
from tests.gatehouse import hand_made as made

ROOT = Path(__file__).parents[2]
TUNNEL = f"cloudflare/tunnel-config/{made.TUNNEL}"


def things(tmp_path: Path, more: Mapping[str, Mapping[str, Any] | None] | None = None) -> list[Thing]:
    path = tmp_path / "clouds.json"
    made.write(path, more)
    return read_simulated(path, "alfred")


def stack(text: str = made.STACK) -> LoadedStack:
    return tie([type_stack(parse_stack_text(text, "alfred"))])["alfred"]


def recognised(found: list[Thing], loaded: LoadedStack | None = None, *, owns_estate: bool = True) -> Recognised:
    loaded = loaded or stack()
    assert loaded.config is not None
    assert loaded.estate is not None
    tunnel = choose_tunnel(found, "alfred", ["example.com"], [])
    return recognise(found, loaded.config, loaded.estate, tunnel, owns_estate=owns_estate)


def rules(*given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    body = made.objects()[TUNNEL]
    return {TUNNEL: {**body, "config": {"ingresses": [*given, {"service": "http_status:404"}]}}}


GRAPHS = {"hostname": "graphs.example.com", "service": "http://grafana.monitoring.svc.cluster.local:3000"}


# --- services


def test_a_service_is_recognised_by_its_host_and_origin_and_by_who_is_let_in(tmp_path: Path) -> None:
    found = recognised(things(tmp_path))
    assert found.services == {
        "graphs": {
            "title": "Our graphs",
            "host": "graphs.example.com",
            "origin": {"namespace": "monitoring", "service": "grafana", "port": 3000},
            "traffic": "html",
            "paths": {"/api": {"clients": "anyone"}},
        },
        # `<key>-<node>.<zone>` is the usual name, so it is not written.
        "blog": {
            "origin": {"namespace": "web", "service": "blog", "port": 8080},
            "traffic": "html",
            "sensitivity": "low",
            "clients": "anyone",
        },
        "comics": {
            "tailnet_name": "comics",
            # The Ingress names the port; the Service says its number.
            "origin": {"namespace": "media", "service": "komga", "port": 25600},
            "traffic": "non-html",
            "bandwidth": "high",
            "sensitivity": "low",
            "clients": "anyone",
        },
    }
    assert found.people == {}
    assert found.node == {"connector": {"namespace": "gatehouse-cloudflared"}, "tailscale_operator": "existing"}


def test_who_was_let_in_alone_gets_a_set_of_their_own_so_that_nobody_else_comes_in(tmp_path: Path) -> None:
    group = made.objects()[f"cloudflare/access-group/{made.FAMILY}"]
    alone = {**group, "includes": [{"email": {"email": "Alice@example.com"}}]}
    more = {f"cloudflare/access-group/{made.FAMILY}": alone}
    found = recognised(things(tmp_path, more))
    assert found.services["graphs"]["people"] == "graphs"
    assert found.people == {"graphs": ["alice@example.com"]}
    # A member cannot say who the people are: the service is left out.
    member = recognised(things(tmp_path, more), owns_estate=False)
    assert "graphs" not in member.services
    assert any("graphs.example.com" in note and "owner" in note for note in member.notes)


@pytest.mark.parametrize(
    "policy",
    [
        {"decision": "allow", "includes": [{"everyone": {}}]},
        {"decision": "allow", "includes": [{"emailDomain": {"domain": "example.com"}}]},
        {"decision": "non_identity", "includes": [{"anyValidServiceToken": {}}]},
        {
            "decision": "allow",
            "includes": [{"email": {"email": "alice@example.com"}}],
            "requires": [{"geo": {"countryCode": "CH"}}],
        },
        {
            "decision": "allow",
            "includes": [{"email": {"email": "alice@example.com"}}],
            "excludes": [{"ip": {"ip": "203.0.113.0/24"}}],
        },
    ],
)
def test_people_that_the_stack_file_has_no_word_for_are_never_guessed(tmp_path: Path, policy: dict[str, Any]) -> None:
    key = f"cloudflare/access-policy/{made.FAMILY_POLICY}"
    found = recognised(things(tmp_path, {key: {**made.objects()[key], **policy}}))
    assert "graphs" not in found.services
    assert any(note.startswith("graphs.example.com: its Access policies") for note in found.notes)
    assert "blog" in found.services


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ({**GRAPHS, "hostname": "graphs.example.net"}, "outside the zones example.com"),
        ({**GRAPHS, "hostname": "a.*.example.com"}, "whole first label"),
        ({**GRAPHS, "path": "/(a|b)"}, "an expression"),
        ({**GRAPHS, "hostname": "lost.example.com"}, "no DNS record"),
        ({**GRAPHS, "service": "ssh://node.example.com:22"}, "not http"),
        ({**GRAPHS, "service": "http://grafana:3000"}, "without its namespace"),
        ({**GRAPHS, "originRequest": {"disableChunkedEncoding": True}}, "disableChunkedEncoding"),
    ],
)
def test_a_rule_that_the_stack_file_has_no_word_for_is_said_and_not_written(
    tmp_path: Path, rule: dict[str, Any], word: str
) -> None:
    found = recognised(things(tmp_path, rules(rule)))
    assert "graphs" not in found.services
    [note] = [n for n in found.notes if n.startswith(str(rule["hostname"]))]
    assert word in note


def account(
    given: list[dict[str, Any]], *, apps: Mapping[str, str] | None = None, zone: str = "example.com"
) -> dict[str, Mapping[str, Any] | None]:
    """A tunnel's rules, with a record for each host, and an application for each place: its policy's id."""
    hosts = dict.fromkeys(str(r["hostname"]) for r in given)
    more: dict[str, Mapping[str, Any] | None] = {**rules(*given)}
    for number, host in enumerate(hosts):
        key = f"cloudflare/dns/{made.ZONE if host.endswith('example.com') else 'b' * 32}/{number + 50:032x}"
        more[key] = {"zoneId": made.ZONE, "name": host, "type": "CNAME", "content": made.TARGET, "proxied": True}
    more |= {f"cloudflare/access-app/{own}": None for own in (made.GRAPHS, made.GRAPHS_API)}
    for number, (place, policy) in enumerate((apps or {}).items()):
        own = f"eeeeeeee-0000-4000-8000-{number:012x}"
        more[f"cloudflare/access-app/{own}"] = made.application(own, f"App {number}", place, policy)
    return more


def at(host: str, service: str, path: str | None = None) -> dict[str, Any]:
    return {"hostname": host, "service": service, **({"path": path} if path else {})}


CHAT, MATRIX = "http://chat.chat.svc:80", "http://synapse.matrix.svc:8008"
CHAT_ORIGIN = {"namespace": "chat", "service": "chat", "port": 80}
MATRIX_ORIGIN = {"namespace": "matrix", "service": "synapse", "port": 8008}
CHAT_HOST = "chat.example.com"


def test_several_origins_at_one_host_are_services_by_path(tmp_path: Path) -> None:
    listed = [at(CHAT_HOST, MATRIX, "^/_matrix(/|$)"), at(CHAT_HOST, CHAT)]
    more = account(listed, apps={CHAT_HOST: made.FAMILY_POLICY, f"{CHAT_HOST}/_matrix": made.OPEN_POLICY})
    found = recognised(things(tmp_path, more)).services
    assert found["chat"] == {"title": "App 0", "host": CHAT_HOST, "origin": CHAT_ORIGIN, "traffic": "html"}
    assert found["chat-matrix"] == {
        "title": "App 1",
        "host": CHAT_HOST,
        "path": "/_matrix",
        "origin": MATRIX_ORIGIN,
        "traffic": "html",
        "sensitivity": "low",
        "clients": "anyone",
    }


def test_a_path_to_another_origin_behind_the_host_s_login_stays_behind_it(tmp_path: Path) -> None:
    listed = [at(CHAT_HOST, MATRIX, "^/_matrix"), at(CHAT_HOST, CHAT)]
    found = recognised(things(tmp_path, account(listed, apps={CHAT_HOST: made.FAMILY_POLICY}))).services
    assert found["chat-matrix"] == {
        "host": CHAT_HOST,
        "path": "/_matrix",
        "origin": MATRIX_ORIGIN,
        "traffic": "html",
    }, "for people, as the host is"


def test_paths_keep_whom_access_lets_in_there(tmp_path: Path) -> None:
    deny = {**made.objects()[f"cloudflare/access-policy/{made.OPEN_POLICY}"], "decision": "deny"}
    apps = {f"{CHAT_HOST}/admin": made.FAMILY_POLICY, f"{CHAT_HOST}/admin/hook": made.OPEN_POLICY}
    more = account([at(CHAT_HOST, CHAT)], apps={**apps, f"{CHAT_HOST}/old": "shut"})
    more["cloudflare/access-policy/shut"] = deny
    entry = recognised(things(tmp_path, more)).services["chat"]
    assert entry["clients"] == "anyone"
    assert entry["paths"] == {
        "/admin": {"people": "household"},
        "/admin/hook": {"clients": "anyone"},
        "/old": {"clients": "nobody"},
    }


def test_a_path_that_answers_404_is_for_nobody_and_so_is_a_host_with_open_paths_below_it(tmp_path: Path) -> None:
    gone = "http_status:404"
    found = recognised(things(tmp_path, account([at(CHAT_HOST, gone, "^/old(/|$)"), at(CHAT_HOST, CHAT)]))).services
    assert found["chat"]["paths"] == {"/old": {"clients": "nobody"}}
    found = recognised(things(tmp_path, account([at(CHAT_HOST, CHAT, "/hooks"), at(CHAT_HOST, gone)]))).services
    assert found["chat"] == {
        "host": CHAT_HOST,
        "origin": CHAT_ORIGIN,
        "traffic": "html",
        "clients": "nobody",
        "paths": {"/hooks": {"clients": "anyone"}},
    }


def test_a_host_whose_paths_alone_are_served_is_a_service_for_each(tmp_path: Path) -> None:
    found = recognised(things(tmp_path, account([at(CHAT_HOST, CHAT, "/chat"), at(CHAT_HOST, MATRIX, "/m/*")])))
    assert {key: entry["path"] for key, entry in found.services.items() if "path" in entry} == {
        "chat-chat": "/chat",
        "chat-m": "/m",
    }


def test_several_hosts_of_one_origin_are_one_service(tmp_path: Path) -> None:
    listed = [at(host, CHAT) for host in ("www.example.com", "example.com", "other.example.com")]
    apps = {"other.example.com": made.FAMILY_POLICY}
    found = recognised(things(tmp_path, account(listed, apps=apps))).services
    assert found["www"]["hosts"] == ["www.example.com", "example.com"]
    assert found["other"]["host"] == "other.example.com", "others get in there"


def test_a_host_of_another_zone_is_recognised_where_the_estate_has_it(tmp_path: Path) -> None:
    zones = made.STACK.replace("    google:", "    other_zones: [{name: example.org}]\n    google:")
    more = account([at("chat.example.org", CHAT)])
    found = recognised(things(tmp_path, more), stack(zones))
    assert found.services["chat"]["host"] == "chat.example.org"
    assert "chat" not in recognised(things(tmp_path, more)).services


def test_below_a_wildcard_s_login_nothing_is_adopted_as_open(tmp_path: Path) -> None:
    listed = [at(CHAT_HOST, CHAT), at("*.example.com", MATRIX)]
    found = recognised(things(tmp_path, account(listed, apps={"*.example.com": made.FAMILY_POLICY}))).services
    assert "clients" not in found["chat"]
    assert found["any"] == {"title": "App 0", "host": "*.example.com", "origin": MATRIX_ORIGIN, "traffic": "html"}
    apps = {"*.example.com": made.FAMILY_POLICY, CHAT_HOST: made.OPEN_POLICY}
    assert recognised(things(tmp_path, account(listed, apps=apps))).services["chat"]["clients"] == "anyone", "control"


@pytest.mark.parametrize("place", ["c*t.example.com", f"{CHAT_HOST}/a*/b"])
def test_an_application_whose_reach_is_not_plain_is_not_guessed(tmp_path: Path, place: str) -> None:
    found = recognised(things(tmp_path, account([at(CHAT_HOST, CHAT)], apps={place: made.FAMILY_POLICY})))
    assert "chat" not in found.services
    assert [note for note in found.notes if "within has no word" in note]


def test_a_rule_that_no_request_reaches_counts_for_nothing(tmp_path: Path) -> None:
    listed = [at(CHAT_HOST, CHAT), at(CHAT_HOST, MATRIX, "/_matrix")]
    found = recognised(things(tmp_path, account(listed)))
    assert "chat-matrix" not in found.services
    assert found.services["chat"]["origin"] == CHAT_ORIGIN
    found = recognised(things(tmp_path, account([at("*.example.com", MATRIX), at(CHAT_HOST, CHAT)])))
    assert "chat" not in found.services
    assert f"{CHAT_HOST}: an earlier rule of the list takes all of its requests" in found.notes


def test_a_funnel_of_single_paths_is_for_nobody_but_at_those(tmp_path: Path) -> None:
    key = "kubernetes/alfred/networking.k8s.io/v1/Ingress/media/comics"
    ingress = made.objects()[key]
    backend = {"service": {"name": "komga", "port": {"number": 25600}}}
    spec = {k: v for k, v in ingress["spec"].items() if k != "defaultBackend"}
    spec["rules"] = [{"http": {"paths": [{"path": "/share", "pathType": "Prefix", "backend": backend}]}}]
    entry = recognised(things(tmp_path, {key: {**ingress, "spec": spec}})).services["comics"]
    assert (entry["clients"], entry["paths"]) == ("nobody", {"/share": {"clients": "anyone"}})
    serve = {**ingress, "spec": spec, "metadata": {"name": "comics", "namespace": "media"}}
    found = recognised(things(tmp_path, {key: serve}))
    assert "comics" not in found.services
    assert any("single paths on the tailnet" in note for note in found.notes)


def test_an_ingress_behind_shared_proxies_is_recognised_where_they_are_gatehouses_own(tmp_path: Path) -> None:
    key = "kubernetes/alfred/networking.k8s.io/v1/Ingress/media/comics"
    ingress = made.objects()[key]

    def behind(group: str) -> Any:
        # The operator gives no Funnel to what is behind a group.
        annotations = {"tailscale.com/proxy-group": group, "tailscale.com/funnel": "true"}
        metadata = {"name": "comics", "namespace": "media", "annotations": annotations}
        return recognised(things(tmp_path, {key: {**ingress, "metadata": metadata}}))

    found = behind("gatehouse-proxies")
    assert found.services["comics"]["clients"] == "tailnet"
    assert found.node["proxy_group"] is True
    found = behind("ingress-proxies")
    assert "comics" not in found.services
    assert "proxy_group" not in found.node
    assert any("it is behind ProxyGroup ingress-proxies" in note for note in found.notes)


def test_settings_of_the_way_to_the_origin_are_kept(tmp_path: Path) -> None:
    request = {"noTlsVerify": True, "httpHostHeader": "grafana.local", "connectTimeout": 10, "http2Origin": False}
    rule = {**GRAPHS, "service": "https://192.168.0.9:3000", "originRequest": request}
    entry = recognised(things(tmp_path, rules(rule))).services["graphs"]
    assert entry["origin"] == {"url": "https://192.168.0.9:3000"}
    assert entry["origin_tls"] == {"no_tls_verify": True}
    assert entry["origin_request"] == {"connect_timeout_seconds": 10, "http_host_header": "grafana.local"}


def test_renewals_through_the_tunnel_are_recognised_by_their_path(tmp_path: Path) -> None:
    solver = "http://ingress-nginx-controller.ingress-nginx.svc:80"
    acme = {"hostname": "graphs.example.com", "path": r"^/\.well-known/acme-challenge/", "service": solver}
    found = recognised(things(tmp_path, rules(acme, GRAPHS)))
    assert found.services["graphs"]["own_certificate"] is True
    assert found.services["acme-renewals"]["traffic"] == "acme-http-01"
    assert found.services["acme-renewals"]["origin"]["service"] == "ingress-nginx-controller"
    assert found.node["ingress_controller"] == {"kind": "nginx"}


@pytest.mark.parametrize(
    ("solver", "said"),
    [
        ("traefik.kube-system", None),
        ("traefik.traefik", {"kind": "traefik", "namespace": "traefik"}),
        ("haproxy.haproxy", None),
    ],
)
def test_the_controller_that_answers_challenges_is_said_where_it_is_another_than_the_usual(
    solver: str, said: object, tmp_path: Path
) -> None:
    acme = {
        "hostname": "graphs.example.com",
        "path": r"^/\.well-known/acme-challenge/",
        "service": f"http://{solver}.svc:80",
    }
    assert recognised(things(tmp_path, rules(acme, GRAPHS))).node.get("ingress_controller") == said


def test_a_certificate_that_is_a_file_of_another_connector_is_left_to_its_owner(tmp_path: Path) -> None:
    rule = {**GRAPHS, "service": "https://192.168.0.9:3000", "originRequest": {"caPool": "/etc/ca/home.pem"}}
    found = recognised(things(tmp_path, rules(rule)))
    assert "graphs" not in found.services
    assert any("/etc/ca/home.pem" in note and "origin_tls.ca_pool" in note for note in found.notes)


def test_a_service_that_the_file_has_is_not_written_again(tmp_path: Path) -> None:
    entry = "    charts: {host: graphs.example.com, origin: {url: 'http://10.0.0.1:1'}, traffic: html}\n"
    found = recognised(things(tmp_path), stack(f"{made.STACK}\n  gatehouse:services:\n{entry}"))
    assert set(found.services) == {"blog", "comics"}


# --- what is the same thing


def planned(*given: tuple[str, str, Mapping[str, Any]]) -> list[Planned]:
    return [Planned(type_, name, inputs) for type_, name, inputs in given]


UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
RULES = (
    "ZeroTrustTunnelCloudflaredConfig",
    "alfred-rules",
    {
        "config": {
            "ingresses": [
                {"hostname": "graphs.example.com", "service": "a"},
                {"hostname": "blog-alfred.example.com", "service": "b"},
                {"service": "http_status:404"},
            ]
        }
    },
)
NODE_TUNNEL = ("ZeroTrustTunnelCloudflared", "alfred-tunnel", {"name": "alfred"})


def ids(found: Matched) -> dict[str, str]:
    """The import id of each that was recognised."""
    return {**found.as_found, **found.ours}


def matched(found: list[Thing], *given: tuple[str, str, Mapping[str, Any]]) -> Matched:
    tunnel = choose_tunnel(found, "alfred", ["example.com"], ["graphs.example.com"])
    return match(planned(*given), found, tunnel)


def test_a_tunnel_is_known_by_where_the_hosts_lead_whatever_its_name(tmp_path: Path) -> None:
    found = matched(things(tmp_path), RULES, NODE_TUNNEL)
    assert ids(found) == {
        "ZeroTrustTunnelCloudflared/alfred-tunnel": f"{made.ACCOUNT}/{made.TUNNEL}",
        "ZeroTrustTunnelCloudflaredConfig/alfred-rules": f"{made.ACCOUNT}/{made.TUNNEL}",
    }


def test_a_tunnel_with_another_rule_is_left_alone_with_its_records(tmp_path: Path) -> None:
    other = {"hostname": "shop.example.net", "service": "http://shop.shop.svc:80"}
    record = ("DnsRecord", "graphs.example.com", {"name": "graphs.example.com", "type": "CNAME", "content": UNKNOWN})
    found = matched(things(tmp_path, rules(GRAPHS, other)), RULES, NODE_TUNNEL, record)
    assert ids(found) == {}
    assert [why for thing, why in found.left_alone if thing.type == "ZeroTrustTunnelCloudflared"] == [
        "it has rules that no service of this stack stands for: shop.example.net"
    ]
    assert [p.key for p, _, _ in found.in_the_way] == ["DnsRecord/graphs.example.com"]


def test_a_tunnel_with_its_rules_in_a_file_is_left_alone_for_its_provider_would_replace_it(tmp_path: Path) -> None:
    key = f"cloudflare/tunnel/{made.TUNNEL}"
    found = matched(things(tmp_path, {key: {**made.objects()[key], "configSrc": "local"}}), RULES, NODE_TUNNEL)
    assert ids(found) == {}
    assert any("migrate" in why for thing, why in found.left_alone if thing.label == "my homelab")


def test_a_record_that_goes_elsewhere_is_in_the_way_and_not_adopted(tmp_path: Path) -> None:
    nas = ("DnsRecord", "nas.example.com", {"name": "nas.example.com", "type": "A", "content": "203.0.113.7"})
    found = matched(things(tmp_path), nas)
    assert ids(found) == {}
    [(blocked, thing, why)] = found.in_the_way
    assert (blocked.key, thing.inputs["content"]) == ("DnsRecord/nas.example.com", "198.51.100.9")
    assert "goes elsewhere" in why
    same = ("DnsRecord", "nas.example.com", {"name": "nas.example.com", "type": "A", "content": "198.51.100.9"})
    assert set(ids(matched(things(tmp_path), same))) == {"DnsRecord/nas.example.com"}


def test_where_a_thing_was_read_is_no_difference() -> None:
    wanted = {"accountId": made.ACCOUNT, "apiVersion": "v1", "kind": "Ingress", "zoneId": made.ZONE, "name": "a"}
    assert differences(wanted, {"name": "b"}) == ['name: "b" -> "a"']
    assert differences({"zoneId": made.ZONE}, {"zoneId": "another"}) == [f'zoneId: "another" -> "{made.ZONE}"']


def test_a_setting_that_is_an_object_is_never_imported_and_is_in_the_way_where_it_would_change(tmp_path: Path) -> None:
    # The plugin crashes where it imports one.
    off = {"strict_transport_security": {"enabled": False, "max_age": 0, "preload": False}}
    wanted = (
        ("ZoneSetting", "estate-ssl", {"settingId": "ssl", "value": "strict"}),
        ("ZoneSetting", "estate-security-header", {"settingId": "security_header", "value": off}),
    )
    same = matched(things(tmp_path), *wanted)
    assert (set(ids(same)), same.in_the_way) == ({"ZoneSetting/estate-ssl"}, [])

    key = f"cloudflare/setting/{made.ZONE}/security_header"
    value = {"strict_transport_security": {"enabled": True, "max_age": 86400}}
    found = matched(things(tmp_path, {key: {**made.objects()[key], "value": value}}), *wanted)
    [(blocked, _, why)] = found.in_the_way
    assert (set(ids(found)), blocked.key) == ({"ZoneSetting/estate-ssl"}, "ZoneSetting/estate-security-header")
    assert why.endswith(
        "value.strict_transport_security.enabled: true -> false; value.strict_transport_security.max_age: 86400 -> 0"
    )


def test_a_setting_is_that_of_its_own_zone(tmp_path: Path) -> None:
    other = "b" * 32
    found = things(
        tmp_path,
        {
            f"cloudflare/zone/{other}": {**made.objects()[f"cloudflare/zone/{made.ZONE}"], "name": "example.org"},
            f"cloudflare/setting/{other}/ssl": {"zoneId": other, "settingId": "ssl", "value": "strict"},
            f"cloudflare/dnssec/{other}": {"zoneId": other, "status": "active"},
        },
    )
    zones = [("Zone", "estate-zone", {"name": "example.com"}), ("Zone", "example.org-zone", {"name": "example.org"})]
    owned = [
        Planned(type_, f"{zone}-{type_}", {**inputs, "zoneId": UNKNOWN}, {"zoneId": [f"Zone/{zone}-zone"]})
        for zone in ("example.org", "estate")
        for type_, inputs in (("ZoneSetting", {"settingId": "ssl", "value": "strict"}), ("ZoneDnssec", {}))
    ]
    assert ids(match([*planned(*zones), *owned], found, None)) == {
        "Zone/estate-zone": made.ZONE,
        "Zone/example.org-zone": other,
        "ZoneSetting/estate-ZoneSetting": f"{made.ZONE}/ssl",
        "ZoneSetting/example.org-ZoneSetting": f"{other}/ssl",
        "ZoneDnssec/estate-ZoneDnssec": made.ZONE,
        "ZoneDnssec/example.org-ZoneDnssec": other,
    }


def test_an_application_for_several_hosts_is_in_the_way(tmp_path: Path) -> None:
    key = f"cloudflare/access-app/{made.GRAPHS}"
    wide = {**made.objects()[key], "destinations": [{"uri": "graphs.example.com"}, {"uri": "wiki.example.com"}]}
    app = ("ZeroTrustAccessApplication", "graphs.example.com", {"destinations": [{"uri": "graphs.example.com"}]})
    found = matched(things(tmp_path, {key: wide}), app)
    assert ids(found) == {}
    assert "several" in found.in_the_way[0][2]
    assert set(ids(matched(things(tmp_path), app))) == {"ZeroTrustAccessApplication/graphs.example.com"}


GROUP = (
    "ZeroTrustAccessGroup",
    "people",
    {"includes": [{"email": {"email": "alice@example.com"}}, {"email": {"email": "bob@example.com"}}]},
)
POLICY = Planned(
    "ZeroTrustAccessPolicy",
    "people",
    {"decision": "allow", "includes": [{"group": {"id": UNKNOWN}}]},
    {"includes": ["ZeroTrustAccessGroup/people"]},
)
NO_STRANGER = {f"cloudflare/access-app/{made.STRANGER}": None}


def test_policies_and_groups_are_known_by_who_they_let_in(tmp_path: Path) -> None:
    app = ("ZeroTrustAccessApplication", "graphs.example.com", {"destinations": [{"uri": "graphs.example.com"}]})
    found = match([*planned(GROUP, app), POLICY], things(tmp_path, NO_STRANGER), None)
    assert ids(found)["ZeroTrustAccessGroup/people"].endswith(made.FAMILY)
    assert ids(found)["ZeroTrustAccessPolicy/people"].endswith(made.FAMILY_POLICY)


def test_a_policy_that_somebody_elses_application_uses_is_left_to_it(tmp_path: Path) -> None:
    app = ("ZeroTrustAccessApplication", "graphs.example.com", {"destinations": [{"uri": "graphs.example.com"}]})
    found = match([*planned(GROUP, app), POLICY], things(tmp_path), None)
    assert set(ids(found)) == {"ZeroTrustAccessApplication/graphs.example.com"}
    why = {thing.label: why for thing, why in found.left_alone}
    assert "Access application NAS" in why["Only us"]
    assert "Access policy Only us" in why["Family"]


def test_a_service_token_is_known_by_the_name_that_gatehouse_gives_and_its_policy_by_its_tokens() -> None:
    kind, policy = "ZeroTrustAccessServiceToken", "ZeroTrustAccessPolicy"

    def auth(*ids: str) -> dict[str, Any]:
        return {"decision": "non_identity", "includes": [{"serviceToken": {"tokenId": id_}} for id_ in ids]}

    there = [
        # Made once more, since an answer was lost: no policy names it.
        Thing(kind, "accounts/a/lost", {"name": "Gatehouse phone"}, "Gatehouse phone"),
        Thing(kind, "accounts/a/mine", {"name": "Gatehouse phone"}, "Gatehouse phone"),
        # Whoever has this one's secret was let in elsewhere.
        Thing(kind, "accounts/a/theirs", {"name": "ci"}, "ci"),
        Thing(policy, "a/of-both", {"name": "both", **auth("mine", "theirs")}, "both"),
        Thing(policy, "a/of-mine", {"name": "mine", **auth("mine")}, "mine"),
        Thing(
            policy, "a/any", {"name": "any", "decision": "non_identity", "includes": [{"anyValidServiceToken": {}}]}, ""
        ),
    ]
    names = {"phone": "Gatehouse phone", "ci": "Gatehouse ci"}
    planned = [Planned(kind, f"tokens-{key}", {"name": name}) for key, name in names.items()]
    for keys in (["phone"], ["ci"], ["ci", "phone"]):
        refers = {"includes": [f"{kind}/tokens-{key}" for key in keys]}
        planned.append(Planned(policy, f"tokens-{'+'.join(keys)}", auth(*keys), refers))
    found = match(planned, there, None)
    assert {m.planned.key: m.thing.own_id for m in found.matches} == {
        f"{kind}/tokens-phone": "mine",
        f"{policy}/tokens-phone": "of-mine",
    }
    assert {t.own_id for t, _ in found.left_alone} == {"lost", "theirs", "of-both", "any"}


def test_what_a_stack_has_already_is_neither_adopted_nor_left_alone(tmp_path: Path) -> None:
    found = [Thing(t.type, t.id, t.inputs, t.label, managed=True) for t in things(tmp_path)]
    result = matched(found, RULES, NODE_TUNNEL)
    assert (ids(result), result.left_alone, result.in_the_way) == ({}, [], [])


def test_records_and_applications_that_nobody_planned_are_named_as_left_alone(tmp_path: Path) -> None:
    named = {thing.label for thing, _ in matched(things(tmp_path)).left_alone}
    assert {"NAS", "nas.example.com A 198.51.100.9", "example.com MX mail.example.net", "One-time PIN"} <= named


def test_differences_name_what_gatehouse_wants_otherwise_and_no_secret() -> None:
    wanted = {
        "name": "alfred",
        "tunnelSecret": "[secret]",
        "policies": [{"id": UNKNOWN, "precedence": 1}],
        "metadata": {"name": "new", "labels": {"a": "b"}},
        "paused": False,
    }
    there = {
        "name": "mine",
        "policies": [{"id": "p", "precedence": 1}],
        "metadata": {"name": "old", "labels": {"a": "b"}},
    }
    assert differences(wanted, there) == ['metadata.name: "old" -> "new"', 'name: "mine" -> "alfred"']


def test_differences_of_rules_are_told_by_host() -> None:
    def config(*given: Mapping[str, Any]) -> dict[str, Any]:
        return {"config": {"ingresses": [*given, {"service": "http_status:404"}]}}

    wanted = config(
        {"hostname": "a", "service": "x", "originRequest": {"access": {"required": True}}}, {"hostname": "b"}
    )
    there = config({"hostname": "c"}, {"hostname": "a", "service": "x"})
    assert differences(wanted, there) == ["rule a.originRequest changes", "new rule b", "rule c goes"]


@pytest.mark.parametrize(
    ("expression", "prefix"),
    [("^/api(/|$)", "/api"), ("/api", "/api"), ("/api/.*", "/api"), (r"^/\.well-known/", "/.well-known"), ("", "/")],
)
def test_the_literal_beginning_of_a_path(expression: str, prefix: str) -> None:
    assert prefix_of(expression) == prefix


@pytest.mark.parametrize("uri", ["Wiki.example.com/api", "wiki.example.com/api/", "wiki.example.com/api/*"])
def test_a_destination_is_read_however_it_is_written(uri: str) -> None:
    assert places(Thing("x", "x", {"destinations": [{"type": "public", "uri": uri}]}, "")) == ["wiki.example.com/api"]


# --- the stack file


@pytest.mark.parametrize("path", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda p: p.name)
def test_a_shipped_stack_file_is_given_back_as_it_was(path: Path) -> None:
    text = path.read_text()
    assert edit(text) == text
    added = edit(text, adopt={"Zone/estate-zone": "0" * 32})
    assert set(text.splitlines()) < set(added.splitlines())
    assert edit(added, adopt={}) == text


def test_what_is_added_stands_beside_the_comments_that_were_there() -> None:
    after = edit(
        made.STACK,
        services={"wiki": {"origin": {"namespace": "wiki", "service": "wiki", "port": 80}, "traffic": "html"}},
        people={"wiki": ["alice@example.com"]},
        node={"connector": {"namespace": "other"}},
    )
    assert [line for line in made.STACK.splitlines() if line not in after.splitlines()] == []
    config = stack(after).config
    assert config is not None
    assert config.node.connector.namespace == "other"
    assert config.services["wiki"].traffic == "html"


ADDED: dict[str, Any] = {
    "adopt": {"Zone/estate-zone": "0" * 32},
    "services": {"wiki": {"origin": {"namespace": "wiki", "service": "wiki", "port": 80}, "hosts": ["a.b", "c.d"]}},
    "people": {"wiki": ["alice@example.com"]},
    "node": {"connector": {"namespace": "other"}},
    "policy": "tailnet.hujson",
}
LISTS = """config:
  # the node
  gatehouse:node:
    name: pi
  gatehouse:estate:
    people:
      family:   # them
      - alice@example.com

      # and him
      - bob@example.com
    tailnet:
      name: tail.ts.net
  gatehouse:services:
    game:
      port_forward:
      - external_port: 1   # outside
        protocol: tcp
"""
STYLES = {
    "lists not indented": LISTS,
    "lists of both kinds": LISTS.replace("      - alice", "        - alice").replace("      - bob", "        - bob"),
    "four spaces": re.sub(r"^ +", lambda m: m[0] * 2, LISTS, flags=re.M).replace("    protocol", "  protocol"),
    "a step of two, then of three": LISTS.replace("\n    ", "\n     "),
    "a document's marks": f"---\n{LISTS}\n# the end\n",
    "a document's end": f"{LISTS}...\n# after it\n",
    "blank lines at the end": f"{LISTS}\n\n",
    "no end of the last line": LISTS.rstrip("\n"),
    "signs in columns": LISTS.replace("name: pi", "name:     pi").replace("name: tail", "name:  tail"),
    "lists in brackets": LISTS.replace("    tailnet:\n", "    other: {a: [ 1,\n      2 ]}\n    tailnet:\n"),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_file_of_any_style_keeps_every_line_and_gets_what_is_added(style: str) -> None:
    text = STYLES[style]
    assert edit(text) == text
    after = edit(text, **ADDED)
    rest = iter(after.splitlines())
    assert [line for line in text.splitlines() if line not in rest] == []
    # Read by another parser than the one that wrote it.
    was, now = (yaml.safe_load(t)["config"] for t in (text, after))
    was["gatehouse:services"] |= ADDED["services"]
    was["gatehouse:estate"]["people"] |= ADDED["people"]
    was["gatehouse:estate"]["tailnet"]["policy"] = ADDED["policy"]
    was["gatehouse:node"] |= ADDED["node"]
    assert now == {**was, "gatehouse:adopt": ADDED["adopt"]}
    assert edit(after, adopt={}) == edit(text, **{**ADDED, "adopt": None})


def test_where_a_line_would_have_to_be_rewritten_the_lines_to_paste_are_said() -> None:
    broken = "    tailnet: {name: tail.ts.net,\n      plan: standard}\n    dns: {a: 1,\n      b: 2}\n    x:\n"
    text = LISTS.replace("    tailnet:\n", broken)
    assert edit(text, adopt=ADDED["adopt"]).startswith(text)
    with pytest.raises(CommandError, match=r"without rewriting lines of yours") as refused:
        edit(text, policy="tailnet.hujson")
    assert (
        "+    tailnet: {name: tail.ts.net, plan: standard, policy: tailnet.hujson}" in str(refused.value).splitlines()
    )
    braces = """{
  "config": {
    "gatehouse:node": {"name": "pi"},
    "gatehouse:estate": {"tailnet": {"name": "t"}}
  }
}
"""
    assert edit(braces) == braces
    with pytest.raises(CommandError, match=r"without rewriting lines of yours"):
        edit(braces, adopt=ADDED["adopt"])


def test_what_only_the_engine_reads_is_told_with_its_line() -> None:
    text = LISTS.replace("name: pi", "name: pi\t# a tab before a comment")
    assert parse_stack_text(text, "alfred").values == parse_stack_text(LISTS, "alfred").values != {}
    with pytest.raises(CommandError, match=r"found character '\\t'.*, line 4\. .*blanks in place of a tab"):
        edit(text, adopt=ADDED["adopt"])


# --- the command


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("__main__.py", "Pulumi.yaml", "config", "exposure", "components"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "Pulumi.alfred.yaml").write_text(made.STACK)
    clouds = tmp_path / ".gatehouse" / "simulated" / "clouds" / "clouds.json"
    made.write(clouds)
    return tmp_path


def test_nothing_is_written_without_apply(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-C", str(project), "adopt", "--simulated"]) == 1
    shown = capsys.readouterr().out
    assert "+    graphs:" in shown
    # The path exception is its owner's to accept, not Gatehouse's.
    assert "access-path-bypass" in shown
    assert "Nothing was written" in shown
    assert (project / "Pulumi.alfred.yaml").read_text() == made.STACK
    assert max(len(line) for line in shown.splitlines() if line[:1] not in "+-@ ") <= 80


def test_the_json_says_the_same(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = edit(made.STACK, services={"graphs": accepted()})
    (project / "Pulumi.alfred.yaml").write_text(text)
    assert cli.main(["-C", str(project), "adopt", "--simulated", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["applied"] is False
    assert document["adopt"]["Ingress/comics-ingress"] == "media/comics"
    assert 'name: "my homelab" -> "alfred"' in document["differences"]["ZeroTrustTunnelCloudflared/alfred-tunnel"]
    assert {item["thing"] for item in document["left_alone"]} >= {"Access application NAS"}


def accepted() -> dict[str, Any]:
    """The entry of `graphs` with the risk that its owner has accepted."""
    return {
        "title": "Our graphs",
        "host": "graphs.example.com",
        "origin": {"namespace": "monitoring", "service": "grafana", "port": 3000},
        "traffic": "html",
        "paths": {"/api": {"clients": "anyone"}},
        "acknowledge": {"access-path-bypass": "Grafana asks clients of this path for its own tokens"},
    }


def test_done_takes_the_sections_out_again(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {("Zone", made.ZONE), ("DnsRecord", "zone/r1")}
    monkeypatch.setattr("gatehouse.engine.secrets.known_ids", lambda project, simulated: known)
    completed: list[Path] = []
    monkeypatch.setattr("gatehouse.commands.adopt._complete_state", lambda args, project, path: completed.append(path))
    path = project / "Pulumi.alfred.yaml"
    path.write_text(
        edit(made.STACK, adopt={"Zone/estate-zone": made.ZONE}, recover={"DnsRecord/a.example.com": "zone/r1"})
    )
    assert cli.main(["-C", str(project), "adopt", "--done"]) == 0
    assert "gatehouse:adopt" in path.read_text()
    assert "gatehouse:recover" in path.read_text()
    assert completed == []
    assert cli.main(["-C", str(project), "adopt", "--done", "--apply"]) == 0
    assert path.read_text() == made.STACK
    assert completed == [path]
    assert cli.main(["-C", str(project), "adopt", "--done", "--apply"]) == 0
    assert "neither gatehouse:adopt nor gatehouse:recover" in capsys.readouterr().out


def test_done_is_refused_for_an_id_that_no_state_has(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same id of another type is another object.
    monkeypatch.setattr("gatehouse.engine.secrets.known_ids", lambda project, simulated: {("Zone", "zone/r1")})
    path = project / "Pulumi.alfred.yaml"
    text = edit(made.STACK, recover={"DnsRecord/a.example.com": "zone/r1"})
    path.write_text(text)
    assert cli.main(["-C", str(project), "adopt", "--done", "--apply"]) == 1
    said = capsys.readouterr().err
    assert "DnsRecord/a.example.com: zone/r1" in said
    assert "gatehouse up --stack alfred" in said
    assert path.read_text() == text


def test_without_credentials_it_says_which_and_how(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-C", str(project), "adopt"]) == 2
    said = capsys.readouterr().err
    for word in ("CLOUDFLARE_API_TOKEN", "TAILSCALE_API_KEY", "--simulated"):
        assert word in said


def test_a_tunnel_that_is_not_there_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-C", str(project), "adopt", "--simulated", "--tunnel", "nope"]) == 2
    assert "my homelab" in capsys.readouterr().err


def test_a_key_that_the_stack_does_not_register_is_warned_of_and_the_others_are_imported(project: Path) -> None:
    from gatehouse.offline import run_offline

    ids = {"Zone/estate-zone": made.ZONE, "DnsRecord/gone.example.com": "a/b"}
    (project / "Pulumi.alfred.yaml").write_text(edit(made.STACK, adopt=ids))
    found = run_offline(project, "alfred")
    states = {step.name: step.state for step in found.steps}
    assert states["estate-zone"]["importID"] == made.ZONE
    assert states["estate-zone"]["ignoreChanges"] == ["*"]
    assert states["estate-zone"]["protect"] is True
    assert "importID" not in states["estate-ssl"]
    said = " ".join(text for _, text in found.messages)
    assert "DnsRecord/gone.example.com" in said
    assert "1 resources are adopted" in said
