"""What is a double: decided from an account's things and the ids in the states."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from config.loader import load_project
from gatehouse.adopt.accounts import Settings, cloudflare_client
from gatehouse.adopt.cloudflare_account import delete_access, read_access
from gatehouse.adopt.doubles import Account, doubles
from gatehouse.adopt.things import AccountError, Thing
from gatehouse.commands import UsageError
from tests.gatehouse import hand_made as made
from tests.gatehouse.test_adopt_accounts import cloudflare
from tests.kit.builders import stack_text

APP, POLICY, GROUP = "ZeroTrustAccessApplication", "ZeroTrustAccessPolicy", "ZeroTrustAccessGroup"
TOKEN = "ZeroTrustAccessServiceToken"
ALICE = [{"email": {"email": "alice@example.com"}}]


def thing(type_: str, id_: str, name: str, **inputs: Any) -> Thing:
    return Thing(type_, f"accounts/a/{id_}", {"name": name, **inputs}, name)


def at(*uris: str) -> list[dict[str, str]]:
    return [{"type": "public", "uri": uri} for uri in uris]


def test_an_object_of_the_name_of_one_in_a_state_that_is_in_none_is_a_double() -> None:
    things = [thing(GROUP, "g1", "people", includes=ALICE), thing(GROUP, "g2", "people", includes=ALICE)]
    [double] = doubles(things, {(GROUP, "g1")})
    assert double.thing.own_id == "g2"
    assert double.lets_in == "alice@example.com"
    # Which one is ours, the states say and nothing else.
    assert [d.thing.own_id for d in doubles(things, {(GROUP, "g2")})] == ["g1"]


def test_what_two_stacks_have_is_no_double_and_neither_is_what_nobody_has() -> None:
    things = [thing(GROUP, "g1", "people"), thing(GROUP, "g2", "people"), thing(POLICY, "p1", "people")]
    assert doubles(things, {(GROUP, "g1"), (GROUP, "g2")}) == []
    assert doubles(things, set()) == []
    # Ours is not in the account: what is there may be taken over by `adopt`, and is not removed.
    assert doubles(things, {(GROUP, "gone")}) == []


def test_a_second_service_token_of_a_name_is_a_double_and_where_a_policy_names_it_that_is_said() -> None:
    names = [{"serviceToken": {"tokenId": "t2"}}]
    things = [
        thing(TOKEN, "t1", "Gatehouse phone"),
        thing(TOKEN, "t2", "Gatehouse phone"),
        thing(TOKEN, "t3", "Gatehouse ci"),
        thing(POLICY, "p1", "phone", decision="non_identity", includes=names),
    ]
    [double] = doubles(things, {(TOKEN, "t1"), (POLICY, "p1")})
    assert (double.thing.own_id, double.lets_in, double.used_by) == ("t2", "", ("Access policy phone",))
    assert double.sentence.startswith('Cloudflare has a second service token "Gatehouse phone", which no stack knows')


def test_an_application_is_a_double_only_at_the_same_destination() -> None:
    ours = thing(APP, "a1", "Grafana", destinations=at("grafana.example.com"))
    copy = thing(APP, "a2", "Grafana", domain="grafana.example.com/")
    other = thing(APP, "a3", "Grafana", destinations=at("grafana.example.org"))
    assert [d.thing.own_id for d in doubles([ours, copy, other], {(APP, "a1")})] == ["a2"]


@pytest.mark.parametrize(
    ("policies", "lets_in"),
    [
        ([{"id": "p1"}], "anyone (bypass)"),
        ([{"decision": "allow", "includes": [{"everyone": {}}]}], "anyone who logs in"),
        ([{"decision": "allow", "includes": [{"group": {"id": "g1"}}]}], "alice@example.com"),
        ([], "nobody"),
    ],
)
def test_whom_an_application_lets_in_is_said_through_policies_and_groups(
    policies: list[dict[str, Any]], lets_in: str
) -> None:
    things = [
        thing(APP, "a1", "Grafana", destinations=at("grafana.example.com")),
        thing(APP, "a2", "Grafana", destinations=at("grafana.example.com"), policies=policies),
        thing(POLICY, "p1", "open", decision="bypass", includes=[{"everyone": {}}]),
        thing(GROUP, "g1", "people", includes=ALICE),
    ]
    [double] = doubles(things, {(APP, "a1")})
    assert double.lets_in == lets_in
    assert double.removal("alfred", simulated=False) == "gatehouse doubles --stack alfred --remove a2"


def test_what_is_in_use_is_not_removed(tmp_path: Any) -> None:
    things = [
        thing(POLICY, "p1", "open", decision="bypass", includes=[{"everyone": {}}]),
        thing(POLICY, "p2", "open", decision="bypass", includes=[{"everyone": {}}]),
        thing(APP, "a1", "Grafana", policies=[{"id": "p2"}]),
    ]
    [double] = doubles(things, {(POLICY, "p1")})
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.alfred.yaml").write_text(stack_text({}))
    account = Account(tmp_path, load_project(tmp_path)["alfred"], simulated=True)
    with pytest.raises(AccountError, match="is used by Access application Grafana"):
        account.remove(double)


def test_a_real_account_is_read_by_one_listing_of_each_kind() -> None:
    client = cloudflare()
    things = read_access(client, made.ACCOUNT, tokens=False)
    assert {t.type for t in things} == {APP, POLICY, GROUP, "ZeroTrustAccessIdentityProvider"}
    [ours, *_] = [t for t in things if t.type == POLICY]
    copy = Thing(POLICY, f"{made.ACCOUNT}/another", ours.inputs, ours.label)
    assert [d.thing.own_id for d in doubles([*things, copy], {(POLICY, ours.own_id)})] == ["another"]


def test_the_object_is_deleted_at_its_place_in_the_api_and_a_refusal_names_the_permission() -> None:
    from cloudflare import Cloudflare

    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path))
        code = 403 if request.url.path.endswith("refused") else 200
        errors = [{"code": 10000, "message": "Authentication error"}]
        return httpx.Response(code, json={"success": code == 200, "errors": errors if code != 200 else []})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    client = Cloudflare(api_token="a-token", http_client=http, max_retries=0)
    delete_access(client, "acc", "apps", "x1")
    # The path in the API's reference: DELETE /accounts/{account_id}/access/apps/{app_id}.
    assert asked == [("DELETE", "/client/v4/accounts/acc/access/apps/x1")]
    for kind, permission in (
        ("policies", "Apps and Policies"),
        ("groups", "Organizations, Identity Providers, and Groups"),
        ("identity_providers", "Organizations, Identity Providers, and Groups"),
        ("service_tokens", "Service Tokens"),
    ):
        with pytest.raises(AccountError, match=f"Access: {permission} Write"):
            delete_access(client, "acc", kind, "refused")


def test_the_client_asks_where_the_provider_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="CLOUDFLARE_API_TOKEN"):
        cloudflare_client(Settings({"cloudflare:apiToken": {"secure": "v1:sealed"}}))
    opened = Settings({"cloudflare:apiToken": {"secure": "v1:sealed"}}, lambda key: f"opened {key}")
    assert cloudflare_client(opened).api_token == "opened cloudflare:apiToken"
    client = cloudflare_client(
        Settings({"cloudflare:apiToken": "t", "cloudflare:baseUrl": "https://api.example.com/v4"})
    )
    assert (client.api_token, str(client.base_url)) == ("t", "https://api.example.com/v4/")
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", "https://env.example.com/v4")
    assert str(cloudflare_client(Settings({"cloudflare:apiToken": "t"})).base_url) == "https://env.example.com/v4/"
