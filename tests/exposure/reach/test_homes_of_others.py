"""Homes as other people write them: what is refused, and what a change of them says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from config.loader import tie
from exposure.check import check
from exposure.reach import Request, who
from exposure.reach.access import ANYONE, LAN, Principal
from exposure.reach.compare import compare
from exposure.reach.surface import from_plan
from tests.kit.builders import NODE, loaded, plan_of

CONTROLLER = {"namespace": "kube-system", "service": "traefik", "class_name": "traefik"}
HOME = {**NODE, "tailnet_ipv4": "100.101.102.103", "ingress_controller": CONTROLLER}
VAULT = "{namespace: vault, service: vault, port: 80}"
HASS = "{on_node: true, port: 8123, scheme: http}"
NAS = "{url: 'http://nas.lan:5000'}"


def home(text: str) -> dict[str, Any]:
    """Services as YAML; what is not said is sensitive HTML for people."""
    return {key: {"traffic": "html", **said} for key, said in yaml.safe_load(text).items()}


def rules(services: Mapping[str, Any]) -> set[str]:
    return {finding.rule for finding in check(tie([loaded(services, node=HOME)]))}


@pytest.mark.parametrize(
    ("private", "public", "found"),
    [
        (VAULT, "{url: 'http://vault.vault.svc'}", {"workload-wider"}),
        (VAULT, "{url: 'http://VAULT.vault.svc.cluster.local.:80'}", {"workload-wider"}),
        (VAULT, "{url: 'http://vault.vault'}", {"origin-other-name"}),
        (VAULT, "{url: 'http://vault-0.vault.vault.svc:80'}", {"origin-other-name"}),
        (VAULT, "{url: 'http://vault.vault.svc:8080'}", set()),
        (VAULT, "{url: 'http://private.example.com.'}", {"origin-unreachable"}),
        (HASS, "{url: 'http://192.168.0.124:8123'}", {"workload-wider"}),
        (HASS, "{url: 'http://192.168.0.124.:8123'}", {"workload-wider"}),
        (HASS, "{url: 'http://[::ffff:192.168.0.124]:8123'}", {"workload-wider"}),
        (HASS, "{url: 'http://[::ffff:c0a8:7c]:8123'}", {"workload-wider"}),
        (HASS, "{url: 'http://0xc0a8007c:8123'}", {"origin-unreachable"}),
        (HASS, "{url: 'http://100.101.102.103:8123'}", {"origin-other-name"}),
        (HASS, "{url: 'http://alfred:8123'}", {"origin-other-name"}),
        (HASS, "{url: 'http://alfred.tail.ts.net:8123'}", {"origin-other-name"}),
        (HASS, "{url: 'http://203.0.113.7:8123'}", {"origin-other-name"}),
        (HASS, "{url: 'http://192.168.0.124:8124'}", set()),
        (NAS, "{url: 'http://NAS.lan.:5000'}", {"workload-wider"}),
        (NAS, "{url: 'http://nas.home:5000'}", set()),
    ],
)
def test_one_thing_by_two_names_is_one(private: str, public: str, found: set[str]) -> None:
    services = home(
        f"""
        private: {{host: private.example.com, origin: {private}}}
        public: {{host: public.example.com, origin: {public}, sensitivity: low, clients: anyone}}
        """
    )
    assert rules(services) == found


_CLOUD = """
cloud:
  host: cloud.example.com
  origin: {namespace: cloud, service: cloud, port: 443, scheme: https, through_ingress: existing}
  origin_tls: {match_sni_to_host: true}
"""


@pytest.mark.parametrize(
    ("origin", "header", "found"),
    [
        ("{namespace: kube-system, service: traefik, port: 80}", "cloud.example.com", {"workload-wider"}),
        ("{namespace: kube-system, service: traefik, port: 80}", "Cloud.Example.COM", {"workload-wider"}),
        ("{url: 'http://traefik.kube-system.svc'}", "cloud.example.com:443", {"workload-wider"}),
        ("{url: 'http://192.168.0.124'}", "CLOUD.example.com:80", {"workload-wider"}),
        ("{on_node: true, port: 80, scheme: http}", "cloud.example.com", {"workload-wider"}),
        ("{on_node: true, port: 8080, scheme: http}", "cloud.example.com", set()),
        ("{namespace: kube-system, service: traefik, port: 80}", "www.example.com", set()),
    ],
)
def test_a_host_header_to_the_controller_asks_for_what_is_behind_it(origin: str, header: str, found: set[str]) -> None:
    services = home(
        f"""{_CLOUD}
www:
  host: www.example.com
  origin: {origin}
  origin_request: {{http_host_header: "{header}"}}
  sensitivity: low
  clients: anyone
"""
    )
    assert rules(services) == found


@pytest.mark.parametrize("way", ["existing", "managed"])
def test_another_service_behind_the_controller_is_another_one(way: str) -> None:
    managed = {"origin_tls": None, "own_certificate": True} if way == "managed" else {}
    acme = {
        "origin": {"namespace": "kube-system", "service": "traefik", "port": 80},
        "traffic": "acme-http-01",
        "sensitivity": "low",
        "clients": "anyone",
    }

    def surface(service: str) -> Any:
        cloud = home(_CLOUD)["cloud"]
        origin = {**cloud["origin"], "through_ingress": way, "service": service}
        said = {key: value for key, value in {**cloud, "origin": origin, **managed}.items() if value is not None}
        return from_plan(plan_of({"cloud": said} | ({"acme": acme} if managed else {}), node=HOME))

    assert not compare(surface("cloud"), surface("cloud"))
    (change,) = compare(surface("cloud"), surface("vault"))
    assert change.wider
    assert [str(end) for end in change.now.workloads] == ["cloud/vault:443"]


_APP = """
wiki:
  host: wiki.example.com
  origin: {url: 'http://192.168.0.20'}
  sensitivity: low
  clients: anyone
  paths: {/Admin: {people: admins}, /Admin/pub: {clients: anyone}, /off: {clients: nobody}}
  acknowledge: {access-path-bypass: it is for everybody}
"""


@pytest.mark.parametrize(
    "path",
    ["/Admin", "/ADMIN", "/admin/x", "/Admin;a=b", "/admin;/x", "/Off", "/off;x", "/x/..;/Admin", "/Admin/pub/..;/x"],
)
def test_a_guarded_path_is_guarded_as_servers_read_it(path: str) -> None:
    surface = from_plan(plan_of(home(_APP), node=HOME))
    assert not who(surface, Request("wiki.example.com", path=path), ANYONE).reaches
    assert who(surface, Request("wiki.example.com", path="/Admin/pub"), ANYONE).reaches
    assert who(surface, Request("wiki.example.com", path="/Administration"), ANYONE).reaches
    assert who(surface, Request("wiki.example.com", path="/Admin/x"), Principal("person", "alice@example.com")).reaches


@pytest.mark.parametrize(
    ("one", "two", "found"),
    [
        ("/Admin", "/admin", {"path-twice"}),
        ("/Api", "/api/admin", {"path-twice"}),
        ("/api", "/api/Admin", set()),
        ("/Api", "/apis", set()),
    ],
)
def test_paths_that_differ_in_capitals_alone_are_refused(one: str, two: str, found: set[str]) -> None:
    services = home("web: {origin: {namespace: web, service: web, port: 80}}")
    services["web"]["paths"] = {path: {"people": "admins"} for path in (one, two)}
    assert rules(services) == found


@pytest.mark.parametrize("on_lan", [True, False])
def test_the_controller_lets_the_home_network_in_to_what_is_behind_it(on_lan: bool) -> None:
    node = {**HOME, "ingress_controller": {**CONTROLLER, "on_lan": on_lan}}
    private = home(f"{_CLOUD}\nvault: {{origin: {VAULT}}}")
    claims = [{"never": "lan", "on": "cloud"}, {"never": "lan", "on": "vault"}]
    found = check(tie([loaded(private, node=node, claims=claims)]))
    assert [f.where for f in found] == (["claims[0].never"] if on_lan else [])
    surface = from_plan(plan_of(private, node=node))
    for port in (80, 443):
        assert who(surface, Request("192.168.0.124", port, scheme="tcp"), LAN).reaches is on_lan
        assert not who(surface, Request("192.168.0.124", port, scheme="tcp"), ANYONE).reaches


def test_a_controller_with_nothing_behind_it_lets_nobody_in_to_anything() -> None:
    surface = from_plan(plan_of(home(f"vault: {{origin: {VAULT}}}"), node=HOME))
    assert not who(surface, Request("192.168.0.124", 443, scheme="tcp"), LAN).reaches
