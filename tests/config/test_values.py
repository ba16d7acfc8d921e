"""Values that cannot be wrong: what each parser takes, and what it says of the rest."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.values import ROOT, Certificates, Host, Machine, MalformedError, OriginUrl, Path, Tag, reachable
from tests.kit.certificates import HOME_CA, OTHER_CA

_TEXT = st.text(st.sampled_from("aZ09-._~/*?#%:@ é\\"), max_size=12)


def _fault(parse: Callable[[str], str], text: str) -> MalformedError | None:
    try:
        assert parse(text) == text
    except MalformedError as error:
        return error
    return None


@given(_TEXT | st.from_regex(r"(\*\.)?[a-z0-9-]{1,8}(\.[a-z]{1,4}){1,2}", fullmatch=True))
def test_a_host_is_lower_case_labels_with_a_wildcard_in_front_at_most(text: str) -> None:
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    right = re.fullmatch(rf"(\*\.)?{label}(\.{label})*", text) is not None
    fault = _fault(Host.parse, text)
    assert (fault is None) == right
    if fault:
        assert fault.rule in ("host-form", "host-wildcard")
        assert fault.suggestion == "" or Host.parse(fault.suggestion)


@given(_TEXT.map(lambda t: f"/{t}") | _TEXT)
def test_a_path_is_one_that_access_and_cloudflared_read_alike(text: str) -> None:
    # Nothing that either party decodes, folds or gives a meaning: no `%`, `//`, dot segment, `*`, query or fragment.
    segment = r"(?!\.{1,2}(/|$))[A-Za-z0-9._~@+-]+"
    right = text == "/" or re.fullmatch(rf"(/{segment})+", text) is not None
    fault = _fault(Path.parse, text)
    assert (fault is None) == right
    if fault:
        assert fault.rule == "path-form"
        assert fault.suggestion == "" or Path.parse(fault.suggestion) != "/"


@pytest.mark.parametrize(
    "text", ["", "api", "/*", "/api/", "//", "/a//b", "/a/../b", "/%61", "/a?b", "/a#b", "/a b", "/é"]
)
def test_a_path_that_would_open_more_than_it_says_is_none(text: str) -> None:
    with pytest.raises(MalformedError):
        Path.parse(text)


def test_a_path_covers_itself_and_what_is_below_and_nothing_beside() -> None:
    api = Path.parse("/api")
    assert [api.covers(p) for p in ("/api", "/api/v1", "/apis", "/", "/x/api")] == [True, True, False, False, False]
    assert all(ROOT.covers(p) for p in ("/", "/api"))
    assert (ROOT.suffix, api.suffix, ROOT.expression) == ("", "/api", None)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("http://a:80", ""),
        ("https://a.b.svc.cluster.local", ""),
        ("http://[fd00::9]:80", ""),
        ("tcp://a:22", ""),
        ("http://a/", "origin-url-form"),
        ("http://a:80/x", "origin-url-form"),
        ("http://a?x", "origin-url-form"),
        ("HTTP://a", "origin-url-form"),
        ("http://u:p@a", "origin-url-form"),
        ("http://a:0", "origin-url-form"),
        ("http://a:99999", "origin-url-form"),
        ("http://", "origin-url-form"),
        ("a:80", "origin-scheme-missing"),
        ("", "origin-scheme-missing"),
        ("htps://a", "origin-scheme-unknown"),
        ("unix:/run/x", "origin-scheme-unknown"),
        ("hello_world", "origin-scheme-unknown"),
        ("tcp://a", "origin-port-missing"),
        ("http_status:404", "origin-http-status"),
        ("http://localhost:8123", "origin-unreachable"),
        ("http://db.localhost", "origin-unreachable"),
        ("https://127.1.2.3", "origin-unreachable"),
        ("http://[::1]:80", "origin-unreachable"),
        ("http://[::]:80", "origin-unreachable"),
        ("http://host.docker.internal", "origin-unreachable"),
        ("http://169.254.169.254", "origin-unreachable"),
        ("http://[fe80::1]", "origin-unreachable"),
        ("http://printer.local:631", "origin-unreachable"),
        ("http://printer.local.:631", "origin-unreachable"),
        ("http://192.168.1.300", "origin-unreachable"),
        ("http://10.0.0", "origin-unreachable"),
        ("http://255.255.255.255", "origin-unreachable"),
        ("http://0.1.2.3", "origin-unreachable"),
        ("http://240.0.0.1:80", "origin-unreachable"),
        ("http://[ff02::1]", "origin-unreachable"),
        ("http://100.101.102.103:8123", ""),
        ("http://local", ""),
        ("http://localhost.example.com", ""),
        ("http://a.svc.cluster.local.example.org", ""),
    ],
)
def test_an_origin_is_scheme_host_and_port(text: str, rule: str) -> None:
    if not rule:
        url = OriginUrl.parse(text)
        assert (url.scheme, url.host) == (urlsplit(text).scheme, urlsplit(text).hostname)
        return
    with pytest.raises(MalformedError) as found:
        OriginUrl.parse(text)
    assert found.value.rule == rule
    assert found.value.reason
    assert found.value.fix


def test_everything_that_is_wrong_with_an_origin_is_said_at_once() -> None:
    assert [f.suggestion for f in OriginUrl.faults("HTTP://a/x")] == ["http://a/x", "HTTP://a"]


def test_an_origin_in_the_cluster_is_known_by_its_namespace_and_service() -> None:
    assert OriginUrl.parse("http://grafana.monitoring.svc.cluster.local:3000").service == ("monitoring", "grafana")
    assert OriginUrl.parse("http://nas.lan:80").service is None
    assert OriginUrl.parse("http://192.168.0.9:80").address == ipaddress.ip_address("192.168.0.9")
    assert [OriginUrl.parse(u).port for u in ("http://a", "https://a", "http://a:8080")] == [80, 443, 8080]


def test_a_wildcard_covers_names_below_at_any_depth_and_not_its_own() -> None:
    wild = Host.parse("*.example.com")
    asked = ["a.example.com", "b.a.example.com", "example.com", "aexample.com"]
    assert [wild.covers(h) for h in asked] == [True, True, False, False]
    assert Host.parse("a.example.com").covers("a.example.com")


@pytest.mark.parametrize("text", ["a.example.com", "Wiki", "", "-a", "a" * 64])
def test_a_machines_name_is_one_label(text: str) -> None:
    assert Machine.parse("wiki-alfred") == "wiki-alfred"
    with pytest.raises(MalformedError):
        Machine.parse(text)


@pytest.mark.parametrize("text", ["wiki", "tag:", "tag:1a", "tag:a b", "tag:a,tag:b"])
def test_a_tag_has_its_prefix_and_a_letter_first(text: str) -> None:
    assert Tag.parse("tag:wiki-alfred") == "tag:wiki-alfred"
    with pytest.raises(MalformedError):
        Tag.parse(text)


# IANA, IPv4 Special-Purpose Address Registry and IPv4 Multicast Address Space: first and last of each block, and their
# neighbours.
@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("0.0.0.0", "nowhere"),
        ("0.255.255.255", "nowhere"),
        ("1.0.0.0", "internet"),
        ("9.255.255.255", "internet"),
        ("10.0.0.0", "home"),
        ("10.255.255.255", "home"),
        ("100.63.255.255", "internet"),
        ("100.64.0.0", "shared"),
        ("100.127.255.255", "shared"),
        ("100.128.0.0", "internet"),
        ("127.0.0.1", "nowhere"),
        ("127.255.255.255", "nowhere"),
        ("169.254.0.1", "nowhere"),
        ("172.15.255.255", "internet"),
        ("172.16.0.0", "home"),
        ("172.31.255.255", "home"),
        ("172.32.0.0", "internet"),
        ("192.0.0.2", "home"),
        ("192.0.2.1", "example"),
        ("192.168.0.0", "home"),
        ("192.168.255.255", "home"),
        ("192.169.0.0", "internet"),
        ("198.51.100.255", "example"),
        ("203.0.113.7", "example"),
        ("223.255.255.255", "internet"),
        ("224.0.0.0", "nowhere"),
        ("239.255.255.255", "nowhere"),
        ("240.0.0.0", "nowhere"),
        ("255.255.255.255", "nowhere"),
    ],
)
def test_an_address_is_reached_from_where_its_registry_says(address: str, where: str) -> None:
    assert reachable(address) == where


# Certificates.


@pytest.mark.parametrize("text", [HOME_CA, f"# of 2026\n{HOME_CA}", HOME_CA + OTHER_CA, HOME_CA.replace("\n", "\r\n")])
def test_certificates_are_written_so_that_another_reader_finds_every_one(text: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=Certificates.parse(text))
    names = {dict(part[0] for part in ca["subject"])["commonName"] for ca in context.get_ca_certs()}  # type: ignore[misc]
    assert names == ({"home CA", "other CA"} if OTHER_CA in text else {"home CA"})


def test_a_file_of_certificates_is_named_after_what_they_are() -> None:
    assert Certificates.parse(HOME_CA).path == Certificates.parse(f"note\n{HOME_CA}\n\n").path
    assert Certificates.parse(HOME_CA).path != Certificates.parse(OTHER_CA).path


@given(st.one_of(st.text(), st.tuples(st.integers(0, 600), st.text(max_size=3))))
def test_what_is_no_certificate_is_told_and_nothing_else_goes_wrong(drawn: str | tuple[int, str]) -> None:
    text = drawn if isinstance(drawn, str) else HOME_CA[: drawn[0]] + drawn[1] + HOME_CA[drawn[0] + 1 :]
    with suppress(MalformedError):
        found = Certificates.parse(text)
        assert Certificates.parse(found) == found
