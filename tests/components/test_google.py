"""Google: the identity provider, and one policy with one Include rule for each set of people."""

from __future__ import annotations

from exposure.model import PeopleSet
from tests.components.conftest import Known, Run
from tests.components.examples import ACCOUNT, google
from tests.kit.recorder import Secret


def test_google_is_the_provider_and_its_client_secret_is_a_secret(run: Run) -> None:
    # https://developers.cloudflare.com/cloudflare-one/identity/idp-integration/google/: client_id, client_secret.
    found = run(google).one("cloudflare:ZeroTrustAccessIdentityProvider")
    assert found.inputs == {
        "accountId": ACCOUNT,
        "name": "Google",
        "type": "google",
        "config": {"clientId": "client.apps.googleusercontent.com", "clientSecret": Secret("client secret")},
    }
    assert "config" in found.request.additionalSecretOutputs


def test_the_people_of_a_set_are_one_group_in_one_order_each_once(run: Run) -> None:
    # In the API a group's `include` is a list whose order counts, and each address an entry of its own
    # [TFC zero_trust_access_group].
    people = [PeopleSet("household", ("bob@example.com", "alice@example.com", "bob@example.com"))]
    found = run(lambda: google(people=people)).one("cloudflare:ZeroTrustAccessGroup")
    assert found.inputs["includes"] == [
        {"email": {"email": "alice@example.com"}},
        {"email": {"email": "bob@example.com"}},
    ]
    assert "requires" not in found.inputs
    assert "excludes" not in found.inputs


def test_each_set_has_one_policy_with_one_include_rule_its_own_group(run: Run, known: Known) -> None:
    # Of several policies, or rules of one, any that matches lets in: with one of each it is plain who that is.
    people = [PeopleSet("household", ("bob@example.com",)), PeopleSet("admins", ("alice@example.com",))]
    found = run(lambda: google(people=people))
    for name in ("household", "admins"):
        policy = found.one("cloudflare:ZeroTrustAccessPolicy", f"google-people-{name}")
        assert policy.inputs["decision"] == "allow"
        assert policy.inputs["includes"] == [{"group": {"id": known(f"google-people-{name}-id")}}]
        assert policy.property_dependencies("includes") == {f"cloudflare:ZeroTrustAccessGroup google-people-{name}"}
        assert not {"requires", "excludes"} & set(policy.inputs)


def test_bypass_lets_everyone_by_and_there_is_one_of_it(run: Run) -> None:
    # https://developers.cloudflare.com/cloudflare-one/access-controls/policies/: bypass takes no identity selector.
    policies = run(google).all("cloudflare:ZeroTrustAccessPolicy")
    (bypass,) = [p for p in policies if p.inputs["decision"] == "bypass"]
    assert bypass.inputs["includes"] == [{"everyone": {}}]
    assert [p.name for p in policies if {"everyone": {}} in p.inputs["includes"]] == [bypass.name]


def test_policies_say_how_long_a_login_lasts(run: Run) -> None:
    # Never empty: that differs from the API's answer for ever (provider issue 7165).
    found = run(lambda: google(session_duration="12h")).all("cloudflare:ZeroTrustAccessPolicy")
    assert {p.inputs["sessionDuration"] for p in found} == {"12h"}


def test_a_session_beside_the_estates_is_one_more_policy_for_the_same_group(run: Run, known: Known) -> None:
    # https://developers.cloudflare.com/cloudflare-one/access-controls/access-settings/session-management/: a policy's
    # session counts before an application's, so what lasts otherwise needs a policy of its own.
    people = [PeopleSet("household", ("bob@example.com",), sessions=("1h", "720h"))]
    found = run(lambda: google(people=people))
    assert len(found.all("cloudflare:ZeroTrustAccessGroup")) == 1
    shown = {
        p.name: (p.inputs["name"], p.inputs["sessionDuration"], p.inputs["includes"])
        for p in found.all("cloudflare:ZeroTrustAccessPolicy")
        if p.inputs["decision"] == "allow"
    }
    members = [{"group": {"id": known("google-people-household-id")}}]
    assert shown == {
        "google-people-household": ("Google Account: household", "24h", members),
        "google-people-household@1h": ("Google Account: household for 1h", "1h", members),
        "google-people-household@720h": ("Google Account: household for 720h", "720h", members),
    }


def test_it_gives_the_redirect_uri_to_enter_at_google(run: Run, known: Known) -> None:
    # https://developers.cloudflare.com/cloudflare-one/identity/idp-integration/google/
    outputs = run(google).outputs_of("gatehouse:Google")
    assert outputs["redirect_uri"] == "https://team.cloudflareaccess.com/cdn-cgi/access/callback"
    assert outputs["identity_provider_id"] == known("google-idp-id")


def test_without_people_there_is_no_group_and_nobody_is_let_in(run: Run) -> None:
    found = run(lambda: google(people=[]))
    assert found.all("cloudflare:ZeroTrustAccessGroup") == []
    assert [p.inputs["decision"] for p in found.all("cloudflare:ZeroTrustAccessPolicy")] == ["bypass"]


def test_no_set_of_people_can_take_the_name_of_another_policy(run: Run) -> None:
    # The engine refuses a second resource of one name, but only after it has made some.
    found = run(lambda: google(people=[PeopleSet(name, ("alice@example.com",)) for name in ("bypass", "idp")]))
    assert len(found.all("cloudflare:ZeroTrustAccessPolicy")) == 3


def test_several_sets_together_are_a_group_and_a_policy_of_their_own(run: Run, known: Known) -> None:
    # A policy with two groups would have two Include rules: of those any that matches lets in.
    both = PeopleSet("admins+household", ("alice@example.com", "bob@example.com"))
    found = run(lambda: google(people=[both, PeopleSet("admins", ("alice@example.com",))]))
    group = found.one("cloudflare:ZeroTrustAccessGroup", "google-people-admins+household")
    assert [e["email"]["email"] for e in group.inputs["includes"]] == ["alice@example.com", "bob@example.com"]
    policy = found.one("cloudflare:ZeroTrustAccessPolicy", "google-people-admins+household")
    assert policy.inputs["includes"] == [{"group": {"id": known("google-people-admins+household-id")}}]


def test_nobody_is_a_policy_that_denies_everyone_and_is_there_only_where_it_is_needed(run: Run) -> None:
    # An application without a policy denies too [CFDOC access-controls/policies], and has none of the one that it must
    # have; `deny` says it.
    found = run(lambda: google(nobody=True)).all("cloudflare:ZeroTrustAccessPolicy")
    (deny,) = [p for p in found if p.inputs["decision"] == "deny"]
    assert deny.inputs["includes"] == [{"everyone": {}}]
    assert [p for p in run(google).all("cloudflare:ZeroTrustAccessPolicy") if p.inputs["decision"] == "deny"] == []
