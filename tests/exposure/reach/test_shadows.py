"""What hides what: each kind found with an example that shows it, and not found where it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exposure.estate import CLOSING
from exposure.reach import ANYONE, Outcome, Request, who
from exposure.reach import surface as s
from exposure.reach.match import matches_path
from exposure.reach.shadows import Shadow, shadows
from exposure.reach.surface import Surface
from tests.exposure.reach.kit import BYPASS, CATCH_ALL, allow, app, rule, world

A, B, WILD = "a.example.com", "b.example.com", "*.example.com"
PEOPLE = allow("alice@example.com")


def _only(surface: Surface, kind: str) -> Shadow:
    # These small worlds have no rule that shuts dot segments: what follows from that has a test of its own.
    found = [shadow for shadow in shadows(surface) if kind == "path-goes-round" or shadow.kind != "path-goes-round"]
    assert [shadow.kind for shadow in found] == [kind], found
    return found[0]


def _path(shadow: Shadow) -> tuple[str, str]:
    host, slash, path = shadow.example.removeprefix("https://").partition("/")
    return host, slash + path


def test_two_plain_services_hide_nothing() -> None:
    assert shadows(world(rule(A), rule(B, "^/api(/|$)"), rule(B))) == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule(A), rule(A, "^/api(/|$)")),
        (rule(A, "^/api(/|$)"), rule(A, "^/api/v1(/|$)")),
        (rule(A, "^/api/"), rule(A, "^/api/v1(/|$)")),
        (rule(A, "/api"), rule(A, "^/api(/|$)")),
        (rule(A, "^/a"), rule(A, "^/(abc|abd)/x")),
        (rule(A, "^/api(/|$)"), rule(A, "^/api(/|$)", origin="http://other:80")),
        (rule(A, ".*"), rule(A)),
    ],
)
def test_a_rule_behind_a_broader_one_is_never_reached(first: s.Rule, second: s.Rule) -> None:
    surface = world(first, second, hosts=(A,))
    shadow = _only(surface, "rule-shadowed")
    host, path = _path(shadow)
    # The example shows it: the second rule matches, and the first takes it.
    assert s.Tunnel("", (second, CATCH_ALL)).first(host, path) == 0
    assert s.Tunnel("", (first, second, CATCH_ALL)).first(host, path) == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule(A, "^/api(/|$)"), rule(A)),
        (rule(A, "^/api/v1(/|$)"), rule(A, "^/api(/|$)")),
        (rule(A, "^/api/"), rule(A, "^/api(/|$)")),
        (rule(A, "^/api(/|$)"), rule(A, "^/apis(/|$)")),
        (rule(A, "^/foo[a]"), rule(A, "^/foo[ab]")),
        (rule(A, "^/0"), rule(A, r"^/\d+")),
        (rule(A), rule(WILD)),
        (rule("*.x.example.com"), rule(WILD)),
    ],
)
def test_a_rule_that_is_reached_is_not_called_hidden(first: s.Rule, second: s.Rule) -> None:
    found = {shadow.kind for shadow in shadows(world(first, second, hosts=(A, WILD, "q.x.example.com")))}
    assert not found & {"rule-shadowed", "wildcard-swallows-host"}


def test_a_wildcard_before_a_host_swallows_it_and_its_login() -> None:
    surface = world(rule(WILD, service="all"), rule(A, None, A, service="secret"), hosts=(A, WILD), apps=())
    shadow = _only(surface, "wildcard-swallows-host")
    assert shadow.services == ("all", "secret")
    assert shadow.opens
    assert _path(shadow)[0] == A
    assert who(surface, Request(A), ANYONE).reaches


def test_an_access_wildcard_does_not_cover_a_tunnel_wildcard() -> None:
    surface = world(rule(WILD), hosts=(WILD,), apps=(app(WILD, PEOPLE),), known={"advanced_certificate": True})
    shadow = next(x for x in shadows(surface) if x.kind == "access-wildcard-too-shallow")
    assert shadow.opens
    host, path = _path(shadow)
    assert who(surface, Request(host, path=path), ANYONE).outcome is Outcome.OPEN
    assert who(surface, Request("any.example.com"), ANYONE).outcome is Outcome.ACCESS_DENIED
    # Where the rule demands a JWT the deeper names are shut.
    closed = world(
        rule(WILD, None, WILD), hosts=(WILD,), apps=(app(WILD, PEOPLE),), known={"advanced_certificate": True}
    )
    assert shadows(closed) == ()


def test_a_bypass_of_a_whole_host_is_found() -> None:
    assert _only(world(rule(A), apps=(app(A, BYPASS),)), "bypass-of-whole-host").opens
    # Below a guarded wildcard it is how one host of many is for anyone.
    guarded = (app(WILD, PEOPLE), app(A, BYPASS))
    assert shadows(world(rule(A), rule(WILD, None, WILD), hosts=(A, WILD), apps=guarded)) == ()


def test_a_bypass_wider_than_its_rule_is_found_with_a_url_that_is_refused() -> None:
    api = f"{A}/api"
    surface = world(rule(A, "^/api/v1(/|$)"), rule(A, None, A, api), apps=(app(A, PEOPLE), app(api, BYPASS)))
    shadow = _only(surface, "bypass-wider-than-rule")
    host, path = _path(shadow)
    assert who(surface, Request(host, path=path), ANYONE).outcome is Outcome.JWT_REFUSED


def test_a_rule_wider_than_its_bypass_is_found_with_a_url_that_is_checked_once_only() -> None:
    api = f"{A}/api"
    surface = world(rule(A, "/api"), rule(A, None, A, api), apps=(app(A, PEOPLE), app(api, BYPASS)))
    shadow = _only(surface, "rule-wider-than-bypass")
    host, path = _path(shadow)
    answer = who(surface, Request(host, path=path), ANYONE)
    assert answer.outcome is Outcome.ACCESS_DENIED
    assert matches_path("/api", path)


def test_a_bypass_that_fits_its_rule_is_not_found() -> None:
    acme = f"{A}/.well-known/acme-challenge"
    surface = world(
        rule(A, CLOSING, origin="http_status:400"),
        rule(A, r"^/\.well-known/acme-challenge/", origin="http://nginx:80"),
        rule(A, None, A, acme),
        apps=(app(A, PEOPLE), app(acme, BYPASS)),
    )
    assert shadows(surface) == ()


def test_a_bypass_by_one_service_on_the_host_of_another_is_found() -> None:
    surface = world(
        rule(A, "^/api(/|$)", service="grafana"),
        rule(A, None, A, f"{A}/api", service="grafana"),
        apps=(app(A, PEOPLE, service="grafana"), app(f"{A}/api", BYPASS, service="blog")),
    )
    shadow = _only(surface, "bypass-on-another-service")
    assert shadow.services == ("blog", "grafana")
    assert shadow.opens
    # A path that is the other service's own is its to open.
    own = replace(surface.rules[0], service="blog")
    shared = replace(surface, tunnels=(s.Tunnel("alfred", (own, *surface.rules[1:])),))
    assert {shadow.kind for shadow in shadows(shared)} == {"path-goes-round"}


def test_a_protected_rule_that_lacks_an_aud_is_found() -> None:
    surface = world(rule(A, None, A), apps=(app(A, PEOPLE), app(f"{A}/admin", PEOPLE)))
    shadow = _only(surface, "aud-missing")
    assert _path(shadow) == (A, "/admin")


def test_rules_and_records_that_miss_each_other_are_found() -> None:
    assert _only(world(rule(A), hosts=()), "rule-without-record").example == f"https://{A}/"
    assert _only(world(rule(A), hosts=(A, B)), "record-without-rule").subject == B


def test_an_encoded_slash_leads_round_a_login_unless_dot_segments_are_shut() -> None:
    # Access takes `..%2fadmin` for a segment below /api; cloudflared matches /api/../admin by ^/api(/|$), with no JWT.
    rules = (rule(A, "^/api(/|$)"), rule(A, None, A))
    apps = (app(A, PEOPLE), app(f"{A}/api", BYPASS))
    shadow = _only(world(*rules, apps=apps), "path-goes-round")
    assert shadow.opens
    assert shadow.example == f"https://{A}/api/..%2f"
    closed = world(rule(A, CLOSING, origin="http_status:400"), *rules, apps=apps)
    assert shadows(closed) == ()
    assert who(closed, Request(A, path="/api/..%2fadmin"), ANYONE).outcome is Outcome.STATUS
    assert who(closed, Request(A, path="/api/v1"), ANYONE).outcome is Outcome.OPEN, "the control"
