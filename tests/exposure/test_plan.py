"""The plan of a stack: what the shipped stacks register, and what each fact of a service adds."""

from __future__ import annotations

from typing import Any

import pytest

from config.loader import LoadedStack, load_project, tie
from config.values import Certificates
from exposure.estate import CLOSING
from exposure.model import ExposurePlan, TunnelRule
from exposure.plan import plan_stack
from exposure.ways.funnel import FunnelWay
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import TunnelWay
from exposure.ways.way import OriginSettings
from tests.kit.builders import ACME, GAME, HTML, MEDIA, NODE, OPEN_HTML, PROJECT, SSH, loaded, plan_of
from tests.kit.certificates import HOME_CA, OTHER_CA


@pytest.fixture(scope="module")
def shipped() -> dict[str, LoadedStack]:
    return load_project(PROJECT)


@pytest.fixture(scope="module")
def alfred(shipped: dict[str, LoadedStack]) -> ExposurePlan:
    return plan_stack(shipped["alfred"], shipped)


@pytest.fixture(scope="module")
def octavo(shipped: dict[str, LoadedStack]) -> ExposurePlan:
    return plan_stack(shipped["octavo"], shipped)


ZONE = "very-very-dark-gray.top"
IN_CLUSTER = "svc.cluster.local"


def test_alfreds_tunnel_goes_to_each_services_own_port(alfred: ExposurePlan) -> None:
    # Services, namespaces and ports of the published manifests (the Service's port, not the container's); of the
    # tunnel that worked: the challenge's rule first, then https with Origin Server Name, last http_status:404.
    nginx = f"ingress-nginx-controller.ingress-nginx.{IN_CLUSTER}"
    assert [(r.host, r.path, r.origin) for r in alfred.rules] == [
        (f"code-server-alfred.{ZONE}", None, f"http://code-server.code-server.{IN_CLUSTER}:80"),
        (f"firefly-iii-alfred.{ZONE}", None, f"http://firefly-iii-svc.firefly-iii.{IN_CLUSTER}:8080"),
        # Where paths of a host differ: dot segments and backslashes, first.
        (f"grafana-alfred.{ZONE}", CLOSING, "http_status:400"),
        (f"grafana-alfred.{ZONE}", "^/api(/|$)", f"http://grafana-svc.monitoring.{IN_CLUSTER}:13000"),
        (f"grafana-alfred.{ZONE}", None, f"http://grafana-svc.monitoring.{IN_CLUSTER}:13000"),
        (f"homebox-alfred.{ZONE}", None, f"http://homebox-svc.homebox.{IN_CLUSTER}:7745"),
        (f"influxdb-alfred.{ZONE}", None, f"http://influxdb-svc.monitoring.{IN_CLUSTER}:18086"),
        (f"kubernetes-alfred.{ZONE}", CLOSING, "http_status:400"),
        (f"kubernetes-alfred.{ZONE}", r"^/\.well-known/acme-challenge/", f"http://{nginx}:80"),
        (f"kubernetes-alfred.{ZONE}", None, f"https://{nginx}:443"),
        (f"unifi-alfred.{ZONE}", None, f"https://unifi-tcp.unifi.{IN_CLUSTER}:8443"),
        (None, None, "http_status:404"),
    ]


def _rule(plan: ExposurePlan, service: str, path: str | None = None) -> TunnelRule:
    (rule,) = [r for r in plan.rules if r.service == service and r.path == path]
    return rule


def test_the_dashboards_certificate_is_checked_by_its_own_name(alfred: ExposurePlan) -> None:
    rule = _rule(alfred, "kubernetes-dashboard")
    assert rule.settings == OriginSettings(origin_server_name=f"kubernetes-alfred.{ZONE}")
    assert _rule(alfred, "unifi").settings == OriginSettings(no_tls_verify=True), "self-signed, and acknowledged"
    assert _rule(alfred, "grafana").settings == OriginSettings()


def test_protected_rules_name_every_application_of_their_host_and_open_ones_none(alfred: ExposurePlan) -> None:
    by_host: dict[str, set[str]] = {}
    for application in alfred.applications:
        by_host.setdefault(application.host, set()).add(application.name)
    for rule in alfred.rules:
        expected = by_host.get(rule.host or "", set()) if rule.path is None else set()
        assert set(rule.applications) == expected
    assert by_host[f"grafana-alfred.{ZONE}"] == {f"grafana-alfred.{ZONE}", f"grafana-alfred.{ZONE}/api"}
    dashboard = f"kubernetes-alfred.{ZONE}"
    assert by_host[dashboard] == {dashboard, f"{dashboard}/.well-known/acme-challenge"}
    assert f"influxdb-alfred.{ZONE}" not in by_host


def test_an_application_for_anyone_is_for_a_path_alone(alfred: ExposurePlan, octavo: ExposurePlan) -> None:
    for application in (*alfred.applications, *octavo.applications):
        assert application.audience.anyone == (application.path != "/")
        assert not application.name.endswith(("/", "*"))
    assert {a.name for a in alfred.applications if a.audience.anyone} == {
        f"grafana-alfred.{ZONE}/api",
        f"kubernetes-alfred.{ZONE}/.well-known/acme-challenge",
    }


def test_every_public_host_has_one_record_and_nothing_else_has(alfred: ExposurePlan) -> None:
    hosts = [record.host for record in alfred.records]
    assert len(hosts) == len(set(hosts))
    routed = {rule.host for rule in alfred.rules if rule.host}
    assert {r.host for r in alfred.records if r.target is None} == routed
    assert {(r.host, r.target, r.proxied) for r in alfred.records if r.target is not None} == {
        (f"minecraft-alfred.{ZONE}", "203.0.113.7", False),
        # The quick test of the post: the node's own name, proxied.
        (f"alfred.{ZONE}", "203.0.113.7", True),
    }


def test_the_funnels_go_to_the_services_ports(alfred: ExposurePlan) -> None:
    found = {(w.machine, w.namespace, w.backend, w.port, w.tag) for w in alfred.by(FunnelWay)}
    assert found == {
        ("audiobookshelf-alfred", "audiobookshelf", "audiobookshelf-svc", 13388, "tag:k8s-funnel"),
        ("komga-alfred", "komga", "komga-svc", 25600, "tag:k8s-funnel"),
        ("navidrome-alfred", "navidrome", "navidrome-svc", 4533, "tag:k8s-funnel"),
        ("plex-alfred", "plexserver", "plex-tcp", 32400, "tag:k8s-funnel"),
    }


def test_minecrafts_ports_are_forwarded(alfred: ExposurePlan) -> None:
    (game,) = alfred.by(PortForwardWay)
    assert (game.namespace, game.selector) == ("minecraft-server", {"app": "minecraft-server"})
    # (protocol, on the router, of the Service, on the node)
    found = [(p.protocol, p.external, p.port, p.node_port) for p in game.ports]
    assert found == [("tcp", 25565, 25565, 32565), ("udp", 19132, 19132, 32132)]
    assert [p.target for p in game.ports] == [25565, 19132]


def test_urls_are_what_people_type(alfred: ExposurePlan) -> None:
    urls = {s.key: s.urls for s in alfred.services}
    assert urls["grafana"] == (f"https://grafana-alfred.{ZONE}/",)
    assert urls["navidrome"] == ("https://navidrome-alfred.xantu-lizard.ts.net/",)
    assert urls["ssh"] == ("ssh://alfred.xantu-lizard.ts.net",)
    assert urls["minecraft"] == (f"tcp://minecraft-alfred.{ZONE}:25565", f"udp://minecraft-alfred.{ZONE}:19132")
    assert urls["acme-renewals"] == (f"http://kubernetes-alfred.{ZONE}/.well-known/acme-challenge/",)


def test_who_reaches_it_is_said_of_every_service(alfred: ExposurePlan) -> None:
    reaches = {s.key: s.ways[0].reaches for s in alfred.services}
    assert [len(s.ways) for s in alfred.services] == [1] * len(alfred.services)
    assert reaches["influxdb"] == "anyone on the internet"
    assert reaches["homebox"] == "household (2 people) after Google login"
    assert reaches["grafana"] == "household (2 people) after Google login; anyone: /api"
    assert reaches["ssh"] == "admins, from devices of the tailnet"
    assert "anyone" in reaches["plex"]


def test_the_member_takes_what_the_owner_has(octavo: ExposurePlan, alfred: ExposurePlan) -> None:
    assert octavo.owner == "organization/gatehouse/alfred"
    assert not octavo.owns_estate
    assert octavo.estate == alfred.estate
    assert octavo.people == (), "the groups and policies are the owner's to make"
    assert {p.name for p in alfred.people} == {"household"}
    assert [way.urls for way in octavo.by(TunnelWay)] == [(f"https://home-assistant-octavo.{ZONE}/",)]


def test_the_owner_makes_the_policies_that_its_members_need() -> None:
    member = loaded(
        {"wiki": {**HTML, "people": "admins"}}, "octavo", member_of="alfred", node={**NODE, "name": "octavo"}
    )
    assert {p.name for p in plan_of({"web": HTML}, member).people} == {"household", "admins"}
    assert {p.name for p in plan_of({"web": HTML}).people} == {"household"}


def test_people_are_one_group_each_once_and_in_order() -> None:
    estate: dict[str, Any] = {
        "account_id": "0" * 32,
        "team": "team",
        "zone": {"name": "example.com"},
        "google": {"client_id": "1-a.apps.googleusercontent.com"},
        "people": {"all": ["Bob@example.com", "alice@example.com", "bob@example.com"]},
        "default_people": "all",
    }
    (people,) = plan_of({"web": HTML}, estate=estate).people
    assert people.emails == ("alice@example.com", "bob@example.com")


# What each fact of a service adds.


def test_a_public_page_has_a_rule_and_a_record_and_no_application() -> None:
    plan = plan_of({"web": OPEN_HTML})
    assert [r.host for r in plan.rules] == ["web-alfred.example.com", None]
    assert plan.applications == ()
    assert plan.rules[0].applications == ()


def test_own_certificate_brings_the_challenges_rule_before_the_hosts_own_and_past_access() -> None:
    https = {**HTML["origin"], "port": 443, "scheme": "https"}
    plan = plan_of({"acme": ACME, "web": {**HTML, "origin": https, "own_certificate": True}})
    _, challenge, general, _ = plan.rules
    assert challenge.origin == "http://traefik.kube-system.svc.cluster.local:80"
    assert (challenge.path, general.path) == (r"^/\.well-known/acme-challenge/", None)
    assert general.settings.origin_server_name == "web-alfred.example.com"
    assert {(a.path, str(a.audience)) for a in plan.applications} == {
        ("/", "household"),
        ("/.well-known/acme-challenge", "anyone"),
    }


@pytest.mark.parametrize(
    "tls", [{"no_tls_verify": True}, {"match_sni_to_host": True}, {"ca_pool": HOME_CA}, {"origin_server_name": "x"}]
)
def test_a_way_to_check_the_certificate_that_is_said_is_the_one_used(tls: dict[str, Any]) -> None:
    https = {**HTML["origin"], "port": 443, "scheme": "https"}
    said = {**HTML, "origin": https, "own_certificate": True, "origin_tls": tls}
    plan = plan_of({"acme": ACME, "web": said})
    in_pod = {"ca_pool": Certificates(HOME_CA).path} if "ca_pool" in tls else tls
    assert _rule(plan, "web").settings == OriginSettings(**in_pod)
    assert plan.certificates == ((HOME_CA,) if "ca_pool" in tls else ())


def test_services_with_one_ca_share_its_file_and_rules_without_one_name_none() -> None:
    https = {"traffic": "html", "origin_tls": {"ca_pool": HOME_CA}}
    plan = plan_of(
        {
            "one": {**https, "origin": {"url": "https://192.168.0.20:8006"}},
            # The same certificate, with what openssl writes above it.
            "two": {
                **https,
                "origin": {"url": "https://192.168.0.21:8006"},
                "origin_tls": {"ca_pool": f"subject=CN = home CA\n\n{HOME_CA}\n"},
            },
            "other": {
                **https,
                "origin": {"url": "https://192.168.0.22:8006"},
                "origin_tls": {"ca_pool": OTHER_CA},
            },
            "plain": HTML,
        }
    )
    files = {r.service: r.settings.ca_pool for r in plan.rules if r.service}
    assert files["one"] == files["two"] != files["other"]
    assert files["plain"] is None
    assert set(plan.certificates) == {HOME_CA, OTHER_CA}
    assert {c.path for c in plan.certificates} == set(files.values()) - {None}


def test_through_the_ingress_controller_the_tunnel_goes_there_and_a_managed_one_is_registered() -> None:
    for through in ("managed", "existing"):
        origin = {"namespace": "web", "service": "web", "port": 8080, "through_ingress": through}
        plan = plan_of({"acme": ACME, "web": {**HTML, "origin": origin, "own_certificate": True}})
        controller = "https://traefik.kube-system.svc.cluster.local:443"
        assert _rule(plan, "web").origin == controller
        (way,) = plan.by(TunnelWay)
        assert (way.ingress is not None) == (through == "managed")
    (plain,) = plan_of({"web": HTML}).by(TunnelWay)
    assert plain.ingress is None


def test_settings_of_the_way_to_the_origin_hold_for_its_open_paths_too() -> None:
    said = {**HTML, "paths": {"/api": {"clients": "anyone"}}, "origin_request": {"connect_timeout_seconds": 5}}
    plan = plan_of({"web": said})
    assert {r.settings.connect_timeout_seconds for r in plan.rules if r.service} == {5}
    assert {r.path for r in plan.rules if r.service} == {None, "^/api(/|$)"}


def test_http_on_the_tailnet_is_served_by_an_ingress_and_other_ports_by_an_address() -> None:
    tcp = {"namespace": "db", "service": "db", "port": 5432, "scheme": "tcp", "selector": {"app": "db"}}
    private = {"clients": "tailnet", "traffic": "non-html"}
    plan = plan_of({"wiki": {**HTML, **private}, "db": {**private, "origin": tcp}, "ssh": SSH})
    ways = {way.service: way for way in plan.by(TailnetWay)}
    assert [(way.served, way.on_node) for way in (ways["wiki"], ways["db"], ways["ssh"])] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    assert ways["wiki"].tag == "tag:wiki-alfred"
    assert [(p.protocol, p.port, p.target) for p in ways["db"].ports] == [("tcp", 5432, 5432)]
    assert ways["db"].selector == {"app": "db"}
    assert {s.key: s.urls for s in plan.services} == {
        "wiki": ("https://wiki-alfred.tail.ts.net/",),
        "db": ("tcp://db-alfred.tail.ts.net:5432",),
        "ssh": ("ssh://alfred.tail.ts.net",),
    }
    assert plan.records == ()
    assert [r.host for r in plan.rules] == [None]


def test_services_on_funnel_and_tailnet_have_no_record_and_no_rule() -> None:
    plan = plan_of({"media": MEDIA, "ssh": SSH})
    assert plan.records == ()
    assert [r.host for r in plan.rules] == [None]
    assert len(plan_of({"web": OPEN_HTML, "game": GAME}).records) == 2, "the control"


def test_the_order_of_services_in_the_file_changes_nothing() -> None:
    services = {"a": HTML, "b": OPEN_HTML, "c": MEDIA, "d": SSH, "e": GAME, "f": ACME}
    assert plan_of(services) == plan_of(dict(reversed(services.items())))


def test_a_stack_with_findings_is_not_planned() -> None:
    stacks = tie([loaded({"web": {**HTML, "sensitivty": "low"}})])
    with pytest.raises(ValueError, match="check it first"):
        plan_stack(stacks["alfred"], stacks)
