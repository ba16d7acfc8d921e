"""ZeroTrustApp, PublicTunnelRoute and AcmeHttpRoute: applications, rules and records, in the order of a birth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components import TunnelConfiguration
from components.access import Access
from components.tunnel_route import TunnelRoute
from exposure.audience import ANYONE, NOBODY, Audience
from exposure.ways.way import OriginSettings
from tests.components.conftest import Known, Run
from tests.components.examples import (
    ACCESS,
    ACCOUNT,
    ADMINS,
    HOUSEHOLD,
    ORIGIN,
    SOLVER,
    acme_http_route,
    public_tunnel_route,
    tunnel,
    zero_trust_app,
)
from tests.kit import cloudflared
from tests.kit.recorder import Recording

APPLICATION = "cloudflare:ZeroTrustAccessApplication"
RULES = "cloudflare:ZeroTrustTunnelCloudflaredConfig"
RECORD = "cloudflare:DnsRecord"
OPEN_PATHS = {"/api": ANYONE, "/socket.io": ANYONE}


def _published(run: Run, make: Callable[[], TunnelRoute], acme: bool = False) -> Recording:
    def program() -> None:
        home = tunnel()
        app = make()
        parts: list[Any] = [app, *([acme_http_route()] if acme else [])]
        rules = TunnelConfiguration(
            "alfred",
            account_id=ACCOUNT,
            tunnel_id=home.tunnel_id,
            team="team",
            rules=[rule for part in parts for rule in part.rules],
            auds={name: aud for part in parts for name, aud in part.auds.items()},
        )
        after = [rules.configured, *(a for part in parts for a in part.applications.values())]
        app.publish(zone_id="zone-id", tunnel_id=home.tunnel_id, after=after)

    return run(program)


def _rules(found: Recording) -> dict[tuple[str | None, str | None], cloudflared.Rule]:
    """By host and path, in order."""
    listed = found.one(RULES).inputs["config"]["ingresses"]
    assert cloudflared.refusals(listed) == []
    return {(r.get("hostname"), r.get("path")): r for r in cloudflared.routing(listed)}


def _auds(rule: cloudflared.Rule) -> list[str] | None:
    access = rule.get("originRequest", {}).get("access")
    return access["audTags"] if access else None


def test_the_application_guards_the_whole_host_with_one_policy_and_instant_auth(run: Run) -> None:
    # Only the one policy, only Google among the login methods, Instant Auth on. The names are the provider's
    # [TFC zero_trust_access_application]; `domain` beside `destinations` would show a difference.
    found = run(zero_trust_app).one(APPLICATION)
    assert found.inputs == {
        "accountId": ACCOUNT,
        "name": "Wiki",
        "type": "self_hosted",
        "destinations": [{"type": "public", "uri": "wiki.example.com"}],
        "allowedIdps": ["idp-id"],
        "autoRedirectToIdentity": True,
        "policies": [{"id": "policy-id", "precedence": 1}],
        "sessionDuration": "24h",
        "appLauncherVisible": True,
        "httpOnlyCookieAttribute": True,
        "sameSiteCookieAttribute": "lax",
    }


def test_each_of_several_hosts_has_an_application_a_rule_and_a_record(run: Run, known: Known) -> None:
    hosts = ["example.com", "www.example.com"]
    found = _published(run, lambda: zero_trust_app(hosts=hosts))
    assert [a.inputs["destinations"] for a in found.all(APPLICATION)] == [[{"type": "public", "uri": h}] for h in hosts]
    rules = _rules(found)
    assert list(rules) == [("example.com", None), ("www.example.com", None), (None, None)]
    assert [_auds(rules[host, None]) for host in hosts] == [[known(f"{host}-aud")] for host in hosts]
    assert [r.inputs["name"] for r in found.all(RECORD)] == hosts
    for record in found.all(RECORD):
        assert record.dependencies >= {f"{APPLICATION} {record.name}", f"{RULES} alfred-rules"}
    # They were named after the service, when it had one host.
    for short, was in ((RECORD, "wiki-dns"), (APPLICATION, "wiki-access")):
        assert [{a.spec.name for a in r.request.aliases} - {""} for r in found.all(short)] == [{was}, set()]


@pytest.mark.parametrize(
    ("key", "way", "anew"),
    [
        ("wiki", {"origin": "http://other.wiki.svc.cluster.local:8080"}, True),
        ("other", {"hosts": ["wiki.example.com"]}, True),
        ("wiki", {"audience": ADMINS}, True),
        ("wiki", {"title": "Another", "paths": {"/api": ANYONE}}, False),
    ],
)
def test_the_application_of_a_host_that_stands_for_something_else_is_made_anew(
    key: str, way: dict[str, Any], anew: bool, run: Run
) -> None:
    # Its AUD is then another, so nobody gets to one origin by the login of the other; Cloudflare takes one application
    # of a destination only (application_already_exists), so the old one goes first.
    first = run(zero_trust_app).one(APPLICATION)
    other = run(lambda: zero_trust_app(key, **way)).one(APPLICATION, first.name)
    assert first.deletes_first
    assert (other.request.replacement_trigger != first.request.replacement_trigger) is anew


def test_an_open_path_is_an_application_of_that_path_alone_with_the_bypass_policy(run: Run) -> None:
    # `host/api` covers /api and what is below it; `host/api/*` would not cover /api itself
    # [developers.cloudflare.com/cloudflare-one/access-controls/policies/app-paths/].
    found = run(lambda: zero_trust_app(paths=OPEN_PATHS))
    assert len(found.all(APPLICATION)) == 3
    for path in ("api", "socket.io"):
        exception = found.one(APPLICATION, f"wiki.example.com/{path}").inputs
        assert exception["policies"] == [{"id": "bypass-id", "precedence": 1}]
        assert exception["destinations"] == [{"type": "public", "uri": f"wiki.example.com/{path}"}]
        assert exception["appLauncherVisible"] is False
        # Nobody logs in at a bypass.
        assert not {"allowedIdps", "autoRedirectToIdentity"} & set(exception)
    assert found.one(APPLICATION, "wiki.example.com").inputs["policies"] == [{"id": "policy-id", "precedence": 1}]


def test_a_path_for_some_addresses_is_let_by_for_their_group_and_stays_whatever_it_stands_for(run: Run) -> None:
    # One Include rule; a selector of places, for a bypass takes no others [CFDOC access-controls/policies].
    hooks = Audience(ips=frozenset({"203.0.113.0/24", "198.51.100.7/32"}))
    found = _published(run, lambda: zero_trust_app(paths={"/hooks": hooks}))
    name = "wiki.example.com/hooks"
    group = found.one("cloudflare:ZeroTrustAccessGroup", f"{name}-addresses")
    assert group.inputs["includes"] == [{"ip": {"ip": "198.51.100.7/32"}}, {"ip": {"ip": "203.0.113.0/24"}}]
    policy = found.one("cloudflare:ZeroTrustAccessPolicy", f"{name}-addresses")
    assert (policy.inputs["decision"], len(policy.inputs["includes"])) == ("bypass", 1)
    assert policy.dependencies == {f"cloudflare:ZeroTrustAccessGroup {group.name}"}
    application = found.one(APPLICATION, name)
    assert application.dependencies == {f"cloudflare:ZeroTrustAccessPolicy {policy.name}"}
    assert not {"allowedIdps", "autoRedirectToIdentity"} & set(application.inputs)
    # While it had no application nothing would shut it: its rule has no JWT to ask for.
    assert not application.request.HasField("replacement_trigger")
    assert found.one(APPLICATION, "wiki.example.com").request.HasField("replacement_trigger")
    assert _auds(_rules(found)["wiki.example.com", r"^/hooks(/|$)"]) is None


def test_a_path_for_other_people_has_a_policy_and_a_jwt_of_its_own(run: Run, known: Known) -> None:
    # The most specific application wins and inherits nothing [app-paths]; a JWT of one must not pass at the other.
    found = _published(run, lambda: zero_trust_app(paths={"/admin": ADMINS, "/admin/hooks": ANYONE}))
    admin = found.one(APPLICATION, "wiki.example.com/admin").inputs
    assert admin["destinations"] == [{"type": "public", "uri": "wiki.example.com/admin"}]
    assert admin["policies"] == [{"id": "admins-id", "precedence": 1}]
    assert (admin["allowedIdps"], admin["autoRedirectToIdentity"]) == (["idp-id"], True)
    rules = _rules(found)
    assert list(rules) == [
        ("wiki.example.com", "^/admin/hooks(/|$)"),
        ("wiki.example.com", "(?i)^/admin([/;]|$)"),
        ("wiki.example.com", None),
        (None, None),
    ]
    hooks = known("wiki.example.com/admin/hooks-aud")
    assert [_auds(rule) for rule in rules.values()] == [
        None,
        [known("wiki.example.com/admin-aud"), hooks],
        [known("wiki.example.com-aud"), hooks],
        None,
    ]


def test_a_public_host_may_have_a_path_for_people(run: Run, known: Known) -> None:
    found = _published(run, lambda: public_tunnel_route(access=ACCESS, paths={"/admin": ADMINS}))
    application = found.one(APPLICATION)
    assert application.inputs["destinations"] == [{"type": "public", "uri": "blog.example.com/admin"}]
    assert application.inputs["policies"] == [{"id": "admins-id", "precedence": 1}]
    rules = _rules(found)
    assert [_auds(rule) for rule in rules.values()] == [[known("blog.example.com/admin-aud")], None, None]
    assert f"{APPLICATION} blog.example.com/admin" in found.one(RECORD).dependencies


def test_a_host_for_nobody_is_denied_by_access_and_404_at_the_tunnel_but_for_its_paths(run: Run) -> None:
    found = _published(run, lambda: zero_trust_app(audience=NOBODY, paths={"/hooks": ANYONE, "/admin": ADMINS}))
    policies = {a.name: a.inputs["policies"][0]["id"] for a in found.all(APPLICATION)}
    assert policies == {
        "wiki.example.com": "deny-id",
        "wiki.example.com/admin": "admins-id",
        "wiki.example.com/hooks": "bypass-id",
    }
    assert found.one(APPLICATION, "wiki.example.com").inputs["appLauncherVisible"] is False
    rules = _rules(found)
    assert [(path, rule["service"]) for (_, path), rule in rules.items()] == [
        ("(?i)^/admin([/;]|$)", ORIGIN),
        ("^/hooks(/|$)", ORIGIN),
        (None, "http_status:404"),
        (None, "http_status:404"),
    ]
    assert set(rules["wiki.example.com", None]) == {"hostname", "service"}


@pytest.mark.parametrize(
    ("way", "access", "said"),
    [
        ({}, None, "wiki.example.com is for household: it needs `access`"),
        ({}, Access(ACCOUNT, None, {"household": "policy-id"}), "needs identity_provider_id"),
        ({"audience": ADMINS | HOUSEHOLD}, ACCESS, r"a policy for 'admins\+household' in policy_ids"),
        ({"paths": {"/api": ANYONE}}, Access(ACCOUNT, "i", {"household": "p"}), "needs bypass_policy_id"),
        ({"audience": NOBODY}, Access(ACCOUNT, "i", {"household": "p"}), "needs deny_policy_id"),
    ],
)
def test_an_application_for_which_there_is_no_policy_or_login_is_refused(
    way: dict[str, Any], access: Access | None, said: str, run: Run
) -> None:
    with pytest.raises(ValueError, match=said):
        run(lambda: zero_trust_app(access=access, **way))


@pytest.mark.parametrize(
    ("way", "said"),
    [
        # What opened the whole host once: a path that is none.
        *(({"paths": {path: ANYONE}}, "path") for path in ("", "/", "api", "/*", "/api/", "/a//b", "/api/..", "/%2e")),
        ({"path": "/app", "paths": {"/other": ANYONE}}, "not below"),
        ({"path": "/app", "paths": {"/app": ANYONE}}, "not below"),
        ({"hosts": ["https://wiki.example.com"]}, "host"),
        ({"hosts": ["wiki.*.example.com"]}, "first label"),
        ({"hosts": ["*.example.com"], "paths": {"/api": ANYONE}}, "a wildcard host has no paths"),
        ({"origin": "wiki:8080"}, "no scheme"),
        ({"origin": "http://wiki:8080/"}, "lone `/`"),
    ],
)
def test_a_way_of_wrong_text_is_refused_before_anything_is_made(way: dict[str, Any], said: str, run: Run) -> None:
    with pytest.raises(ValueError, match=said):
        run(lambda: zero_trust_app(**way))


def test_open_paths_take_no_jwt_and_go_to_the_same_origin(run: Run) -> None:
    # On a bypassed path there is no JWT, and `required` would answer 403 [CFD ingress/rule.go].
    apps = []
    run(lambda: apps.append(zero_trust_app(paths=OPEN_PATHS, request=OriginSettings(no_tls_verify=True))))
    by_path = {rule.path: rule for rule in apps[0].rules if rule.origin != "http_status:400"}
    assert set(by_path) == {None, "^/api(/|$)", r"^/socket\.io(/|$)"}
    assert by_path["^/api(/|$)"].applications == ()
    assert by_path[None].applications[0] == "wiki.example.com"
    assert {rule.settings.no_tls_verify for rule in by_path.values()} == {True}


def test_the_auds_reach_the_rule_in_the_order_of_their_names_not_of_their_values(run: Run, known: Known) -> None:
    found = _published(run, lambda: zero_trust_app(paths=OPEN_PATHS))
    assert _rules(found)["wiki.example.com", None]["originRequest"]["access"] == {
        "required": True,
        "teamName": "team",
        "audTags": [
            known("wiki.example.com-aud"),
            known("wiki.example.com/api-aud"),
            known("wiki.example.com/socket.io-aud"),
        ],
    }


@pytest.mark.parametrize("make", [zero_trust_app, public_tunnel_route])
def test_the_record_is_a_proxied_cname_to_the_tunnel_named_after_the_host(
    make: Callable[[], Any], run: Run, known: Known
) -> None:
    # developers.cloudflare.com/cloudflare-one/connections/connect-networks/routing-to-tunnel/dns/;
    # ttl 1 is automatic, the only one that a proxied record may have [TFC dns_record].
    found = _published(run, make).one(RECORD)
    inputs = found.inputs
    assert inputs.pop("comment").startswith("gatehouse: ")
    assert inputs == {
        "zoneId": "zone-id",
        "name": found.name,
        "type": "CNAME",
        "content": known("alfred-tunnel-id.cfargotunnel.com"),
        "proxied": True,
        "ttl": 1,
    }


def _locked(run: Run) -> Recording:
    paths = {**OPEN_PATHS, "/admin": ADMINS}
    return _published(run, lambda: zero_trust_app(paths=paths), acme=True)


def test_the_record_depends_directly_on_the_rules_and_on_every_application_of_the_host(run: Run) -> None:
    # The engine orders deletes by direct dependencies only: through the rules alone, record and applications of a
    # service that is taken out are deleted at the same time (measured with the engine).
    found = _locked(run)
    applications = {f"{APPLICATION} {r.name}" for r in found.all(APPLICATION)}
    assert len(applications) == 5
    assert found.one(RECORD).dependencies >= {f"{RULES} alfred-rules", *applications}


def test_a_host_is_locked_before_it_is_born(run: Run) -> None:
    order = [r.short for r in _locked(run)]
    last_application = max(n for n, short in enumerate(order) if short == APPLICATION)
    assert last_application < order.index(RULES) < order.index(RECORD)


def test_the_rules_follow_the_applications_whose_aud_they_name(run: Run) -> None:
    found = _locked(run)
    named = {f"{APPLICATION} {r.name}" for r in found.all(APPLICATION) if "acme" not in r.name}
    assert found.one(RULES).property_dependencies("config") == named


def test_a_public_route_has_no_application_and_its_record_follows_the_rules(run: Run) -> None:
    found = _published(run, public_tunnel_route)
    assert found.all(APPLICATION) == [], "the tests above are the control"
    assert found.one(RECORD).dependencies == {
        "cloudflare:ZeroTrustTunnelCloudflared alfred-tunnel",
        f"{RULES} alfred-rules",
    }


@pytest.mark.parametrize(
    ("make", "others"),
    [
        (zero_trust_app, {"gatehouse:PublicTunnelRoute wiki", "gatehouse:PortForward wiki"}),
        (public_tunnel_route, {"gatehouse:ZeroTrustApp blog", "gatehouse:PortForward blog"}),
    ],
)
def test_a_service_that_changes_its_gate_keeps_its_record(make: Callable[[], Any], others: set[str], run: Run) -> None:
    # Another parent is another URN: the new record would stand beside the old one, which the API refuses. A change of
    # type (CNAME, A) is a replacement and has to delete first.
    found = _published(run, make).one(RECORD)
    assert found.former_parents == others
    # By its name of before too, here and there.
    before = f"{found.name.split('.')[0]}-dns"
    named = {(bool(a.spec.parentUrn), a.spec.name) for a in found.request.aliases if not a.spec.type}
    assert named == {(True, ""), (True, before), (False, before)}
    assert found.deletes_first
    assert not found.protect


def test_a_service_that_changes_its_gate_keeps_the_application_of_a_path(run: Run) -> None:
    guarded = run(lambda: zero_trust_app(paths={"/admin": ADMINS})).one(APPLICATION, "wiki.example.com/admin")
    public = run(lambda: public_tunnel_route("wiki", access=ACCESS, paths={"/admin": ADMINS})).one(APPLICATION)
    assert guarded.former_parents == {"gatehouse:PublicTunnelRoute wiki"}
    assert public.former_parents == {"gatehouse:ZeroTrustApp wiki"}
    assert public.name == guarded.name


def test_acme_opens_the_challenges_path_of_each_host_alone(run: Run) -> None:
    # RFC 8555, 8.3: the path; a broader bypass would open more than the challenge.
    hosts = ["wiki.example.com", "w.example.com"]
    found = run(lambda: acme_http_route(hosts=hosts)).all(APPLICATION)
    wanted = [[{"type": "public", "uri": f"{host}/.well-known/acme-challenge"}] for host in hosts]
    assert [a.inputs["destinations"] for a in found] == wanted
    for application in found:
        assert application.inputs["policies"] == [{"id": "bypass-id", "precedence": 1}]
        assert not {"allowedIdps", "autoRedirectToIdentity"} & set(application.inputs)
    assert "wiki-acme-access" in {alias.spec.name for alias in found[0].request.aliases}


def test_acme_of_a_host_without_access_needs_no_application(run: Run) -> None:
    routes = []
    found = run(lambda: routes.append(acme_http_route(access=None)))
    assert found.all(APPLICATION) == []
    assert routes[0].auds == {}
    assert [(r.host, r.path, r.origin) for r in routes[0].rules if r.origin != "http_status:400"] == [
        ("wiki.example.com", r"^/\.well-known/acme-challenge/", SOLVER)
    ]


def test_a_public_route_registers_nothing_but_itself_until_it_is_published(run: Run) -> None:
    assert run(public_tunnel_route).counts() == {"gatehouse:PublicTunnelRoute": 1}


def test_a_public_rule_demands_no_jwt(run: Run) -> None:
    routes = []
    run(lambda: routes.append(public_tunnel_route()))
    (rule,) = routes[0].rules
    assert (rule.host, rule.path, rule.origin, rule.applications) == ("blog.example.com", None, ORIGIN, ())
