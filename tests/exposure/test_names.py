"""Names that follow from a service's key and its node."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.values import Path, label_name, object_name
from exposure import names
from exposure.names import path_names
from tests.kit.builders import service

_PATHS = st.lists(
    st.sampled_from(["/a-b", "/a/b", "/a.b", "/A/b", "/a_b", "/ab", "/é", "/ü", "/api", "/API"]), unique=True
).map(lambda found: [Path(p) for p in found])


@given(_PATHS)
def test_every_path_has_a_name_of_its_own(paths: list[Path]) -> None:
    found = path_names("web", paths)
    assert set(found) == set(paths)
    assert len(set(found.values())) == len(paths)


@given(_PATHS, st.randoms(use_true_random=False))
def test_names_of_paths_do_not_depend_on_their_order_or_on_doubles(paths: list[Path], random: object) -> None:
    assert path_names("web", [*reversed(paths), *paths]) == path_names("web", paths)


@given(st.lists(st.text(min_size=1, max_size=10).map(lambda t: f"/{t}"), unique=True, max_size=5))
def test_any_path_has_a_name_that_a_resource_may_have(paths: list[str]) -> None:
    for name in path_names("web", [Path(p) for p in paths]).values():
        assert re.fullmatch(r"web-path-[a-z0-9-]+", name)


def test_a_paths_name_is_readable_and_stays_when_others_come() -> None:
    assert path_names("grafana", [Path("/api")]) == {"/api": "grafana-path-api"}
    more = path_names("grafana", [Path("/api"), Path("/public/build"), Path("/.well-known")])
    assert more[Path("/api")] == "grafana-path-api"
    assert more[Path("/public/build")] == "grafana-path-public-build"


def test_hosts_and_machines_are_service_and_node_unless_said() -> None:
    assert names.hosts_of("grafana", service(), "alfred", "example.com") == ("grafana-alfred.example.com",)
    assert names.hosts_of("grafana", service(host="g.example.com"), "alfred", "example.com") == ("g.example.com",)
    both = service(host="g.example.com", redirect_from=["www.example.com"])
    assert names.hosts_of("grafana", both, "alfred", "example.com") == ("g.example.com",)
    assert names.names_of("grafana", both, "alfred", "example.com") == ("g.example.com", "www.example.com")
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


@given(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True), st.sampled_from(["tailscale", "forwarded"])
)
def test_a_service_made_for_any_key_has_a_name_that_kubernetes_takes(key: str, suffix: str) -> None:
    # RFC 1035, as Kubernetes asks of a Service: a letter first, at most 63 characters.
    name = object_name(key, suffix)
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name)
    if key[0].isalpha() and len(key) <= 63 - len(suffix) - 1:
        assert name == f"{key}-{suffix}"


@given(st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True), unique=True, max_size=6))
def test_two_keys_never_make_one_name(keys: list[str]) -> None:
    assert len({object_name(key, "tailscale") for key in keys}) == len(keys)


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True))
def test_a_mark_on_a_namespace_has_a_key_that_kubernetes_takes(key: str) -> None:
    # Labels and Selectors: the part after the prefix has at most 63 characters. `-ingress` is the longest ending.
    for name in (key, f"{key}-ingress"):
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label_name(name))
        assert len(name) > 63 or label_name(name) == name


def test_keys_that_are_alike_where_they_are_cut_keep_names_of_their_own() -> None:
    long = "z" * 62
    assert object_name(f"{long}a", "forwarded") != object_name(f"{long}b", "forwarded")
    assert object_name("1x", "tailscale") != object_name("s-1x", "tailscale")
