"""Names that follow from a service's key and its node."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposure import names
from exposure.plan import path_names
from tests.kit import profiles
from tests.kit.builders import service

profiles.load_profile()

_PATHS = st.lists(
    st.sampled_from(["/a-b", "/a/b", "/a.b", "/A/b", "/a_b", "/ab", "/é", "/ü", "/api", "/API"]), unique=True
)


@given(_PATHS)
def test_every_path_exception_has_a_name_of_its_own(paths: list[str]) -> None:
    found = path_names("web", paths)
    assert set(found) == set(paths)
    assert len(set(found.values())) == len(paths)


@given(_PATHS, st.randoms(use_true_random=False))
def test_names_of_paths_do_not_depend_on_their_order_or_on_doubles(paths: list[str], random: object) -> None:
    assert path_names("web", [*reversed(paths), *paths]) == path_names("web", paths)


@given(st.lists(st.text(min_size=1, max_size=10).map(lambda t: f"/{t}"), unique=True, max_size=5))
def test_any_path_has_a_name_that_a_resource_may_have(paths: list[str]) -> None:
    for name in path_names("web", paths).values():
        assert re.fullmatch(r"web-path-[a-z0-9-]+", name)


def test_a_paths_name_is_readable_and_stays_when_others_come() -> None:
    assert path_names("grafana", ["/api"]) == {"/api": "grafana-path-api"}
    more = path_names("grafana", ["/api", "/public/build", "/.well-known"])
    assert more["/api"] == "grafana-path-api"
    assert more["/public/build"] == "grafana-path-public-build"


def test_hosts_and_machines_are_service_and_node_unless_said() -> None:
    assert names.host_of("grafana", service(), "alfred", "example.com") == "grafana-alfred.example.com"
    assert names.host_of("grafana", service(host="g.example.com"), "alfred", "example.com") == "g.example.com"
    assert names.machine_of("komga", service(), "alfred") == "komga-alfred"
    assert names.machine_of("komga", service(tailnet_name="books"), "alfred") == "books"


@pytest.mark.parametrize("key", ["komga", "2fauth", "x"])
def test_a_tag_begins_with_a_letter(key: str) -> None:
    # tailscale.com/kb/1068: `tag:`, a letter, then letters, digits and hyphens.
    assert re.fullmatch(r"tag:[a-z][a-z0-9-]*", names.service_tag(key, "alfred"))


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        # A Service's name in the cluster: kubernetes.io/docs/concepts/services-networking/dns-pod-service/#services
        ({"namespace": "m", "service": "g", "port": 13000}, "http://g.m.svc.cluster.local:13000"),
        ({"namespace": "u", "service": "t", "port": 8443, "scheme": "https"}, "https://t.u.svc.cluster.local:8443"),
        ({"on_node": True, "port": 8123, "scheme": "http"}, "http://192.168.0.124:8123"),
        ({"url": "https://nas.lan:5001"}, "https://nas.lan:5001"),
    ],
)
def test_an_origins_url_has_scheme_host_and_port_and_no_path(origin: dict[str, object], url: str) -> None:
    found = names.origin_url(service(origin=origin), "192.168.0.124")
    assert found == url
    assert found.count("/") == 2


def test_a_title_is_the_key_in_words_unless_said() -> None:
    assert names.title_of("code-server", service()) == "Code server"
    assert names.title_of("code-server", service(title="Editor")) == "Editor"


def test_the_schemes_case_does_not_count() -> None:
    assert names.scheme_of(service(origin={"url": "HTTPS://nas.lan:5001"})) == "https"
    assert names.scheme_of(service(origin={"url": "nas.lan"})) == ""
