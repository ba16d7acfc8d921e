"""Logins beside Google's, and sets of people with terms: providers, groups and policies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.people import Login as LoginSettings
from exposure.model import PeopleSet
from tests.components.conftest import Known, Run
from tests.components.examples import ACCESS, ACCOUNT, google, login, zero_trust_app
from tests.kit.recorder import Secret

IDP, GROUP, POLICY = (f"cloudflare:ZeroTrustAccess{kind}" for kind in ("IdentityProvider", "Group", "Policy"))
ENDPOINTS: dict[str, Any] = {n: f"https://id.example.com/{n}" for n in ("auth_url", "token_url", "certs_url")}


@pytest.mark.parametrize(
    ("settings", "secret", "config"),
    [
        # [CFDOC cloudflare-one/identity/one-time-pin: `"config": {}`]
        (LoginSettings(type="onetimepin"), None, {}),
        (
            LoginSettings(type="github", client_id="Iv1.0"),
            "client secret",
            {"clientId": "Iv1.0", "clientSecret": Secret("client secret")},
        ),
        # [TFC zero_trust_access_identity_provider, schema.go; CFDOC idp-integration/generic-oidc]
        (
            LoginSettings(type="oidc", client_id="gatehouse", email_claim_name="mail", **ENDPOINTS),
            "client secret",
            {
                "clientId": "gatehouse",
                "clientSecret": Secret("client secret"),
                "authUrl": "https://id.example.com/auth_url",
                "tokenUrl": "https://id.example.com/token_url",
                "certsUrl": "https://id.example.com/certs_url",
                "scopes": ["openid", "email", "profile"],
                "emailClaimName": "mail",
            },
        ),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_each_type_gets_just_the_properties_that_the_provider_takes_for_it(
    run: Run, settings: LoginSettings, secret: str | None, config: dict[str, object]
) -> None:
    found = run(lambda: login("mine", login=settings, client_secret=secret)).one(IDP)
    assert found.inputs == {"accountId": ACCOUNT, "name": "mine", "type": settings.type, "config": config}
    assert "config" in found.request.additionalSecretOutputs


def test_a_group_names_addresses_domains_and_organizations(run: Run, known: Known) -> None:
    people = PeopleSet("devs", ("bob@example.com",), ("smith.example",), ("jones", "smiths/devs"), login="hub")
    found = run(lambda: login(people=[people])).one(GROUP)
    by = known("hub-idp-id")
    assert found.inputs["includes"] == [
        {"email": {"email": "bob@example.com"}},
        {"emailDomain": {"domain": "smith.example"}},
        {"githubOrganization": {"identityProviderId": by, "name": "jones"}},
        {"githubOrganization": {"identityProviderId": by, "name": "smiths", "team": "devs"}},
    ]
    assert found.inputs["name"] == "Gatehouse devs by hub"


def test_where_people_come_from_is_required_of_all_and_of_several_places_one_is_enough(run: Run, known: Known) -> None:
    # Of two values of one kind in `require` each would have to match [CFDOC access-controls/policies].
    people = PeopleSet("travel", ("bob@example.com",), countries=("AT", "DE"), ips=("203.0.113.7/32",))
    found = run(lambda: google(people=[people]))
    policy = found.one(POLICY, "google-people-travel")
    assert policy.inputs["includes"] == [{"group": {"id": known("google-limited-travel-id")}}]
    assert policy.inputs["requires"] == [
        {"group": {"id": known("google-countries-travel-id")}},
        {"group": {"id": known("google-ips-travel-id")}},
    ]
    assert found.one(GROUP, "google-countries-travel").inputs["includes"] == [
        {"geo": {"countryCode": "AT"}},
        {"geo": {"countryCode": "DE"}},
    ]
    assert found.one(GROUP, "google-ips-travel").inputs["includes"] == [{"ip": {"ip": "203.0.113.7/32"}}]
    # While the new groups are made the old ones are there, and each has a name of its own; the policy stays.
    groups = found.all(GROUP)
    assert all(g.inputs["name"].endswith("travel from AT, DE, 203.0.113.7/32") for g in groups)
    assert {g.request.replacement_trigger.string_value for g in groups} == {"AT, DE, 203.0.113.7/32"}
    assert not policy.request.HasField("replacement_trigger")
    assert not run(google).one(GROUP).request.HasField("replacement_trigger")


def test_a_set_that_has_ended_has_no_group_and_a_policy_that_denies_everyone(run: Run) -> None:
    people = PeopleSet("guests", countries=("DE",), ended=True)
    found = run(lambda: google(people=[people]))
    assert found.all(GROUP) == []
    policy = found.one(POLICY, "google-people-guests")
    assert (policy.inputs["decision"], policy.inputs["includes"]) == ("deny", [{"everyone": {}}])
    assert "requires" not in policy.inputs


def test_the_policies_that_an_account_has_once_are_made_where_they_are_asked_for(run: Run) -> None:
    assert [p.inputs["decision"] for p in run(login).all(POLICY)] == ["allow"]
    found = run(lambda: login(shared=True, nobody=True)).all(POLICY)
    assert sorted(p.inputs["decision"] for p in found) == ["allow", "bypass", "deny"]


def test_an_application_names_the_login_of_its_people_and_is_made_anew_for_another(run: Run) -> None:
    app = "cloudflare:ZeroTrustAccessApplication"
    usual = run(zero_trust_app).one(app)
    other = run(lambda: zero_trust_app(access=replace(ACCESS, logins={"household": ("pin", "pin-id")}))).one(app)
    assert usual.inputs["allowedIdps"] == ["idp-id"]
    assert other.inputs["allowedIdps"] == ["pin-id"]
    assert other.inputs["policies"] == usual.inputs["policies"]
    before, now = (r.request.replacement_trigger.string_value for r in (usual, other))
    assert now == f"{before} by pin"
