"""What matches what, against the documented examples of each party."""

from __future__ import annotations

import pytest

from exposure.reach.match import (
    compiled,
    covers_host,
    covers_path,
    matches_host,
    matches_path,
    normalised,
    readings,
    serves,
)
from exposure.reach.surface import Application, Destination, Lookup, Record, Rule, Tunnel, Zone, winners, zone_of

# https://developers.cloudflare.com/cloudflare-one/access-controls/policies/app-paths/ (its tables, read 2026)
COVERS = [
    ("*.example.com", "alpha.example.com", True),
    ("*.example.com", "beta.example.com", True),
    ("*.example.com", "example.com", False),
    ("*.example.com", "foo.bar.example.com", False),
    ("example.com", "example.com", True),
    ("example.com", "example.com/alpha", True),
    ("example.com/*", "example.com", True),
    ("example.com/*", "example.com/beta", True),
    ("example.com", "alpha.example.com", False),
    ("*.test.example.com", "alpha.test.example.com", True),
    ("*.test.example.com", "test.example.com", False),
    ("*.test.example.com", "example.com", False),
    ("*test.example.com", "test.example.com", True),
    ("*test.example.com", "alphatest.example.com", True),
    ("*test.example.com", "beta.test.example.com", False),
    ("example.com/alpha/*", "example.com/alpha/one", True),
    ("example.com/alpha/*", "example.com/alpha/two", True),
    ("example.com/alpha/*", "example.com/alpha", False),
    ("example.com/alpha/*", "example.com", False),
    ("example.com/foo*/bar", "example.com/foo/bar", True),
    ("example.com/foo*/bar", "example.com/food/bar", True),
    ("example.com/foo*/bar", "example.com/food/stuff/bar", True),
    # "If no separate rule is set for /eng/exec, it will inherit any rules set for /eng".
    ("dashboard.com/eng", "dashboard.com/eng/exec", True),
    ("dashboard.com/eng", "dashboard.com/eng", True),
    ("dashboard.com/eng", "dashboard.com/", False),
    ("dashboard.com/eng", "dashboard.com/engine", False),
]


@pytest.mark.parametrize(("application", "url", "covered"), COVERS)
def test_an_application_covers_what_cloudflare_documents(application: str, url: str, covered: bool) -> None:
    (host, _, path), (asked, _, below) = application.partition("/"), url.partition("/")
    pattern = f"/{path}" if "/" in application else ""
    assert (covers_host(host, asked) and covers_path(pattern, f"/{below}")) is covered


def _app(*uris: str) -> Application:
    return Application(tuple(Destination(h, f"/{p}" if s else "") for h, s, p in (u.partition("/") for u in uris)))


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/", "d.com"), ("/eng", "d.com/eng"), ("/eng/exec/x", "d.com/eng/exec"), ("/english", "d.com")],
)
def test_the_most_specific_path_wins_and_inherits_nothing(path: str, expected: str) -> None:
    apps = [_app("d.com/eng"), _app("d.com"), _app("d.com/eng/exec"), _app("*.com/eng/exec/x/y")]
    assert [a.key for a in winners(apps, "d.com", path)] == [expected]


def test_an_exact_host_wins_over_a_wildcard() -> None:
    assert [a.key for a in winners([_app("*.d.com"), _app("a.d.com")], "a.d.com", "/")] == ["a.d.com"]


def test_both_may_win_where_one_has_the_host_and_the_other_the_path() -> None:
    assert {a.key for a in winners([_app("*.d.com/api"), _app("a.d.com")], "a.d.com", "/api")} == {
        "*.d.com/api",
        "a.d.com",
    }


# Facts held by cloudflared's own tests [CFD ingress/rule_test.go, ingress_test.go].
@pytest.mark.parametrize(
    ("rule", "path", "host", "asked", "matches"),
    [
        ("example.com", None, "example.com", "", True),
        ("example.com", None, "foo.bar", "", False),
        ("*", None, "example.com", "/", True),
        ("*.example.com", None, "adam.example.com", "/", True),
        ("*.example.com", None, "tunnel.com", "/", False),
        ("*.example.com", None, "example.com", "/", False),
        ("*.example.com", None, "adam.chalmers.example.com", "/", True),
        ("*example.com", None, "www.example.com", "/", False),
        ("*.api.abc.cloud", None, "testing-api.abc.cloud", "/", False),
        ("*.example.com", r"/static/.*\.html", "www.example.com", "/static/index.html", True),
        ("example.com", "", "example.com", "/", True),
        ("môô.cloudflare.com", None, "xn--m-xgaa.cloudflare.com", "/", True),
        # Unanchored and case-sensitive: a fact of Go's regexp.MatchString on URL.Path.
        ("example.com", "/admin", "example.com", "/x/admin2", True),
        ("example.com", "/admin", "example.com", "/ADMIN", False),
        ("example.com", "^/api(/|$)", "example.com", "/apis", False),
    ],
)
def test_a_tunnel_rule_matches_as_cloudflared_tests_it(
    rule: str, path: str | None, host: str, asked: str, matches: bool
) -> None:
    assert (matches_host(rule, host) and matches_path(path, asked)) is matches


@pytest.mark.parametrize(
    ("host", "path", "index"),
    [
        ("tunnel-a.example.com", "/", 0),
        ("tunnel-a.example.com", "/pages/about", 0),
        ("tunnel-b.example.com", "/health", 1),
        ("tunnel-b.example.com", "/index.html", 2),
        ("tunnel-c.example.com", "/", 2),
    ],
)
def test_the_first_rule_that_matches_wins_as_cloudflared_tests_it(host: str, path: str, index: int) -> None:
    rules = (
        Rule("tunnel-a.example.com", None, "http://a:1"),
        Rule("tunnel-b.example.com", "/health", "http://b:1"),
        Rule("*", None, "http_status:404"),
    )
    assert Tunnel("tunnel", rules).first(host, path) == index


def test_paths_are_read_by_re2_and_not_by_python() -> None:
    assert matches_path(r"^/x\z", "/x")  # Python knows no \z.
    assert not matches_path("^/x$", "/x\n")  # Python's $ would match before the line's end.
    assert matches_path(r"^/\pL$", "/é")
    for refused in ("(?=/admin)", "(?<!x)y", r"(a)\1", "("):
        with pytest.raises(ValueError, match="no RE2 expression"):
            compiled(refused)


def _records(*hosts: str) -> list[Record]:
    return [Record(host, "A", "192.0.2.1", True) for host in hosts]


# RFC 4592 2.2.1 (its example zone, names changed to ours) and Cloudflare's page on wildcard records.
@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("host3.example", "*.example"),
        ("foo.bar.example", "*.example"),
        ("host1.example", "host1.example"),
        ("sub.host1.example", None),  # a name that exists ends the wildcard at and below itself
        ("ghost.sub.example", None),  # `sub` exists through a name below it
        ("sub.example", None),
        ("example", None),
    ],
)
def test_a_wildcard_record_answers_as_dns_says(host: str, answered: str | None) -> None:
    records = _records("*.example", "host1.example", "deep.sub.example")
    assert [r.host for r in Lookup((), records, [Zone("example")]).answering(host)] == ([answered] if answered else [])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/../b", "/b"),
        ("/a/%2e%2e/b", "/b"),
        ("/a//b", "/a/b"),
        ("/a\\b", "/a/b"),
        ("/a/./", "/a/"),
        ("/../..", "/"),
        ("/%61", "/a"),
        ("/a%2Fb", "/a%2Fb"),
    ],
)
def test_a_path_is_normalised_as_cloudflare_does(path: str, expected: str) -> None:
    assert normalised(path) == expected


# The nearest path at or above the clean one [TS ipn/ipnlocal/serve.go, getServeHandler].
@pytest.mark.parametrize(
    ("path", "served"),
    [
        *(("/hooks", True), ("/hooks/", True), ("/hooks/git", True), ("/a/b", True), ("/a//b/c", True)),
        *(("/x/../hooks/git", True), ("/hooks/%67it", True)),
        *(("/", False), ("/hooksx", False), ("/Hooks", False), ("/a", False), ("/x/hooks", False)),
        *(("/hooks/../admin", False), ("/hooks/%2e%2e/admin", False), ("/hooks/..%2fadmin", False), ("//", False)),
    ],
)
def test_a_proxy_serves_its_paths_and_what_is_below_them(path: str, served: bool) -> None:
    assert serves(("/hooks", "/a/b"), path) is served
    assert serves(("/", "/hooks"), path)


def test_a_host_is_of_the_longest_zone_that_it_ends_in() -> None:
    zones = [Zone("example.com"), Zone("dev.example.com"), Zone("example.net")]
    found = {host: zone_of(zones, host) for host in ("a.example.com", "x.dev.example.com", "dev.example.com")}
    assert {host: zone.name if zone else None for host, zone in found.items()} == {
        "a.example.com": "example.com",
        "x.dev.example.com": "dev.example.com",
        "dev.example.com": "dev.example.com",
    }
    assert zone_of(zones, "badexample.com") is None


def test_a_plain_path_has_one_reading_and_a_winding_one_two() -> None:
    assert readings("/api/v1") == (("/api/v1",), ("/api/v1",))
    # By Access, which decodes no `%2F` [rules/normalization], and by cloudflared, which decodes it.
    seen, routed = readings("/api/..%2fadmin")
    assert "/api/..%2fadmin" in seen
    assert routed == ("/api/../admin",)
    assert readings("/api/%2e%2e/admin")[1] == ("/api/../admin", "/admin")
