"""ZeroTrustApp, AcmeHttpRoute and PublicTunnelRoute: hosts through the tunnel, locked from their birth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components import AcmeHttpRoute, PublicTunnelRoute, TunnelConfiguration, ZeroTrustApp
from exposure.model import OriginSettings
from tests.components.conftest import Known, Run
from tests.components.examples import (
    ACCOUNT,
    ORIGIN,
    acme_http_route,
    public_tunnel_route,
    tunnel,
    zero_trust_app,
)
from tests.kit.recorder import Recording

APPLICATION = "cloudflare:ZeroTrustAccessApplication"
RECORD = "cloudflare:DnsRecord"
EXCEPTIONS: dict[str, Any] = {"path_exceptions": ["/api", "/socket.io"], "bypass_policy_id": "bypass-id"}


def _published(run: Run, make: Callable[[], ZeroTrustApp | PublicTunnelRoute], acme: bool = False) -> Recording:
    def program() -> None:
        home = tunnel()
        challenge = acme_http_route() if acme else None
        if challenge:
            app: ZeroTrustApp | PublicTunnelRoute = zero_trust_app(also=challenge.auds, **EXCEPTIONS)
        else:
            app = make()
        parts: list[Any] = [app, *([challenge] if challenge else [])]
        rules = TunnelConfiguration(
            "alfred",
            account_id=ACCOUNT,
            tunnel_id=home.tunnel_id,
            team="team",
            rules=[rule for part in parts for rule in part.rules],
            auds=getattr(app, "auds", {}),
        )
        if isinstance(app, ZeroTrustApp):
            also = challenge.applications if challenge else []
            app.publish(zone_id="zone-id", tunnel_id=home.tunnel_id, after=rules, applications=also)
        else:
            app.publish(zone_id="zone-id", tunnel_id=home.tunnel_id, after=rules)

    return run(program)


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


def test_a_path_exception_is_an_application_of_that_path_alone_with_the_bypass_policy(run: Run) -> None:
    # `host/api` covers /api and what is below it; `host/api/*` would not cover /api itself
    # [developers.cloudflare.com/cloudflare-one/access-controls/policies/app-paths/].
    found = run(lambda: zero_trust_app(**EXCEPTIONS))
    assert len(found.all(APPLICATION)) == 3
    for path in ("api", "socket-io"):
        exception = found.one(APPLICATION, f"wiki-path-{path}-access").inputs
        assert exception["policies"] == [{"id": "bypass-id", "precedence": 1}]
        assert exception["destinations"] == [{"type": "public", "uri": f"wiki.example.com/{path.replace('-', '.')}"}]
        assert exception["appLauncherVisible"] is False
        # Nobody logs in at a bypass.
        assert not {"allowedIdps", "autoRedirectToIdentity"} & set(exception)
    assert found.one(APPLICATION, "wiki-access").inputs["policies"] == [{"id": "policy-id", "precedence": 1}]


def test_path_exceptions_without_the_bypass_policy_are_refused(run: Run) -> None:
    with pytest.raises(ValueError, match="bypass_policy_id"):
        run(lambda: zero_trust_app(path_exceptions=["/api"]))


def test_the_general_rule_takes_the_aud_of_every_application_and_exceptions_take_none(run: Run) -> None:
    # A host with several path applications needs every AUD in `audTag`; on a bypassed path there is no JWT, and
    # `required` would answer 403 [CFD ingress/rule.go].
    apps: list[ZeroTrustApp] = []
    acmes: list[AcmeHttpRoute] = []

    def program() -> None:
        acmes.append(acme_http_route())
        apps.append(zero_trust_app(also=acmes[0].auds, settings=OriginSettings(no_tls_verify=True), **EXCEPTIONS))

    run(program)
    (app,), (acme,) = apps, acmes
    by_path = {rule.path: rule for rule in app.rules}
    assert set(by_path) == {None, "^/api(/|$)", r"^/socket\.io(/|$)"}
    assert set(by_path[None].applications) == {"wiki", "wiki-path-api", "wiki-path-socket-io", "wiki-acme"}
    assert set(by_path[None].applications) == set(app.auds)
    assert by_path["^/api(/|$)"].applications == ()
    assert {rule.settings.no_tls_verify for rule in app.rules} == {True}, "an exception goes to the same origin"
    assert [rule.applications for rule in acme.rules] == [()]


def test_the_auds_reach_the_rule_in_the_order_of_their_names_not_of_their_values(run: Run, known: Known) -> None:
    found = _published(run, lambda: zero_trust_app(**EXCEPTIONS))
    rules = found.one("cloudflare:ZeroTrustTunnelCloudflaredConfig").inputs["config"]["ingresses"]
    (general,) = [r for r in rules if r.get("hostname") and "path" not in r]
    assert general["originRequest"]["access"] == {
        "required": True,
        "teamName": "team",
        "audTags": [
            known("wiki-access-aud"),
            known("wiki-path-api-access-aud"),
            known("wiki-path-socket-io-access-aud"),
        ],
    }


@pytest.mark.parametrize("make", [zero_trust_app, public_tunnel_route])
def test_the_record_is_a_proxied_cname_to_the_tunnel(make: Callable[[], Any], run: Run, known: Known) -> None:
    # developers.cloudflare.com/cloudflare-one/connections/connect-networks/routing-to-tunnel/dns/;
    # ttl 1 is automatic, the only one that a proxied record may have [TFC dns_record].
    found = _published(run, make).one(RECORD)
    inputs = found.inputs
    assert inputs.pop("comment").startswith("gatehouse: ")
    assert inputs == {
        "zoneId": "zone-id",
        "name": f"{found.name.removesuffix('-dns')}.example.com",
        "type": "CNAME",
        "content": known("alfred-tunnel-id.cfargotunnel.com"),
        "proxied": True,
        "ttl": 1,
    }


def test_the_record_depends_directly_on_the_rules_and_on_every_application_of_the_host(run: Run) -> None:
    # The engine orders deletes by direct dependencies only: through the rules alone, record and applications of a
    # service that is taken out are deleted at the same time (measured with the engine).
    found = _published(run, zero_trust_app, acme=True)
    rules = "cloudflare:ZeroTrustTunnelCloudflaredConfig alfred-rules"
    applications = {f"{APPLICATION} {r.name}" for r in found.all(APPLICATION)}
    assert len(applications) == 4
    assert found.one(RECORD).dependencies >= {rules, *applications}


def test_a_host_is_locked_before_it_is_born(run: Run) -> None:
    found = _published(run, zero_trust_app, acme=True)
    order = [r.short for r in found]
    last_application = max(n for n, short in enumerate(order) if short == APPLICATION)
    assert last_application < order.index("cloudflare:ZeroTrustTunnelCloudflaredConfig") < order.index(RECORD)


def test_the_rules_follow_the_applications_whose_aud_they_name(run: Run) -> None:
    found = _published(run, zero_trust_app, acme=True)
    rules = found.one("cloudflare:ZeroTrustTunnelCloudflaredConfig")
    assert rules.property_dependencies("config") == {f"{APPLICATION} {r.name}" for r in found.all(APPLICATION)}


def test_a_public_route_has_no_application_and_its_record_follows_the_rules(run: Run) -> None:
    found = _published(run, public_tunnel_route)
    assert found.all(APPLICATION) == [], "the tests above are the control"
    assert found.one(RECORD).dependencies == {
        "cloudflare:ZeroTrustTunnelCloudflared alfred-tunnel",
        "cloudflare:ZeroTrustTunnelCloudflaredConfig alfred-rules",
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
    assert found.deletes_first
    assert not found.protect


def test_acme_opens_the_challenges_path_alone(run: Run) -> None:
    # RFC 8555, 8.3: the path; a broader bypass would open more than the challenge.
    found = run(acme_http_route).one(APPLICATION)
    uri = "wiki.example.com/.well-known/acme-challenge"
    assert found.inputs["destinations"] == [{"type": "public", "uri": uri}]
    assert found.inputs["policies"] == [{"id": "bypass-id", "precedence": 1}]
    assert not {"allowedIdps", "autoRedirectToIdentity"} & set(found.inputs)


def test_acme_of_a_host_without_access_needs_no_application(run: Run) -> None:
    routes: list[AcmeHttpRoute] = []
    found = run(lambda: routes.append(acme_http_route(bypass_policy_id=None)))
    assert found.all(APPLICATION) == []
    assert routes[0].auds == {}
    assert [(r.host, r.path) for r in routes[0].rules] == [("wiki.example.com", r"^/\.well-known/acme-challenge/")]


def test_acme_behind_access_needs_the_account(run: Run) -> None:
    with pytest.raises(ValueError, match="account_id"):
        run(lambda: acme_http_route(account_id=None))


def test_a_public_route_registers_nothing_but_itself_until_it_is_published(run: Run) -> None:
    assert run(public_tunnel_route).counts() == {"gatehouse:PublicTunnelRoute": 1}


def test_a_public_rule_demands_no_jwt(run: Run) -> None:
    routes: list[PublicTunnelRoute] = []
    run(lambda: routes.append(public_tunnel_route()))
    (rule,) = routes[0].rules
    assert (rule.host, rule.path, rule.origin, rule.applications) == ("blog.example.com", None, ORIGIN, ())
