"""What Cloudflare's plugin makes of a state: with outputs that it did not write itself, and with an import's id.

Expected words: terraform-provider-cloudflare `internal/services/*` (`resource.go`, `schema.go`, `migrations.go`),
cloudflare-go's path parameters, and what the real plugin said when it was run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gatehouse.simulation import tamper
from gatehouse.simulation.cloudflare import META, Cloudflare
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import Secret
from tests.simulation.plugin import ACCOUNT, Plugin, ProviderError, Resource
from tests.simulation.test_cloudflare import (
    APP,
    CONFIG,
    DNSSEC,
    RECORD,
    RULESET,
    SETTING,
    TOKEN,
    TUNNEL,
    TUNNEL_SECRET,
    ZONE,
    app,
    people,
    record,
    tunnel,
)

CATCH_ALL = {"ingresses": [{"service": "http_status:404"}]}


@pytest.fixture
def world(cloudflare: Plugin) -> dict[str, Resource]:
    """One resource of each type."""
    zone = cloudflare.create(ZONE, "zone", account={"id": ACCOUNT}, name="example.com")
    idp, group, policy = people(cloudflare)
    line = tunnel(cloudflare)
    made = [
        zone,
        cloudflare.create(SETTING, "tls", zoneId=zone.id, settingId="min_tls_version", value="1.2"),
        cloudflare.create(DNSSEC, "dnssec", zoneId=zone.id, status="active"),
        cloudflare.create(RECORD, "record", **record(zone)),
        cloudflare.create(
            RULESET, "redirects", accountId=ACCOUNT, kind="root", phase="http_request_redirect", name="redirects"
        ),
        line,
        cloudflare.create(CONFIG, "rules", accountId=ACCOUNT, tunnelId=line.id, config=CATCH_ALL),
        idp,
        group,
        policy,
        cloudflare.create(APP, "app", **app("a.example.com", idp, policy)),
        cloudflare.create(TOKEN, "robot", accountId=ACCOUNT, name="robot"),
    ]
    return {one.type.rsplit(":", 1)[-1]: one for one in made}


REFUSED = {
    "Zone": 'Could not parse raw state as v4 format: unsupported attribute "account"',
    "DnsRecord": "missing required dns_record_id parameter",
    "Ruleset": "missing required ruleset_id parameter",
    "ZeroTrustTunnelCloudflared": "missing required tunnel_id parameter",
    "ZeroTrustAccessIdentityProvider": "missing required identity_provider_id parameter",
    "ZeroTrustAccessGroup": "missing required group_id parameter",
    "ZeroTrustAccessPolicy": "missing required policy_id parameter",
    "ZeroTrustAccessApplication": "missing required app_id parameter",
    "ZeroTrustAccessServiceToken": "missing required service_token_id parameter",
}
OTHERS = ("ZoneDnssec", "ZoneSetting", "ZeroTrustTunnelCloudflaredConfig")


@pytest.mark.parametrize("type_", sorted(REFUSED))
def test_outputs_that_are_the_inputs_alone_cannot_be_read_changed_or_deleted(
    world: dict[str, Resource], type_: str
) -> None:
    made = world[type_]
    assert made.refresh() is not None
    made.outputs = dict(made.inputs)
    acts: tuple[Callable[[], Any], ...] = (made.refresh, lambda: made.update(**made.inputs), made.delete)
    for act in acts:
        with pytest.raises(ProviderError, match=REFUSED[type_]):
            act()


@pytest.mark.parametrize("type_", OTHERS)
def test_what_the_path_alone_finds_needs_no_id(world: dict[str, Resource], type_: str) -> None:
    made = world[type_]
    made.outputs = dict(made.inputs)
    read = made.refresh()
    assert read is not None
    assert read.id == made.id


def test_outputs_hold_the_id_and_the_schema_as_the_bridge_writes_them(world: dict[str, Resource], store: Store) -> None:
    assert set(world) == set(Cloudflare(store).kinds) == {*REFUSED, *OTHERS} == set(FORMS)
    for made in world.values():
        for one in (made, made.refresh(), made.update(**made.inputs)):
            assert one is not None
            assert one["id"] == made.id
            assert json.loads(one["__meta"]) == {"schema_version": "500"}
    assert "__meta" not in store.path.read_text()


def test_a_zone_needs_its_id_as_well_as_the_schema(world: dict[str, Resource]) -> None:
    zone = world["Zone"]
    zone.outputs = {**zone.inputs, "__meta": META}
    with pytest.raises(ProviderError, match="Invalid zone state: empty or null zone ID"):
        zone.refresh()
    zone.outputs["id"] = zone.id
    assert zone.refresh() is not None


def test_a_tunnel_without_the_schema_loses_its_secret_on_a_refresh(world: dict[str, Resource]) -> None:
    made = world["ZeroTrustTunnelCloudflared"]
    made.outputs = {**made.inputs, "id": made.id}
    read = made.refresh()
    assert read is not None
    assert "tunnelSecret" not in read.outputs | read.inputs
    made.outputs["__meta"] = META
    read = made.refresh()
    assert read is not None
    assert read["tunnelSecret"] == read.inputs["tunnelSecret"] == Secret(TUNNEL_SECRET)


FORMS = {
    "Zone": "<zone_id>",
    "ZoneDnssec": "<zone_id>",
    "ZoneSetting": "<zone_id>/<setting_id>",
    "DnsRecord": "<zone_id>/<dns_record_id>",
    "Ruleset": "<{accounts|zones}/{account_id|zone_id}>/<ruleset_id>",
    "ZeroTrustTunnelCloudflared": "<account_id>/<tunnel_id>",
    "ZeroTrustTunnelCloudflaredConfig": "<account_id>/<tunnel_id>",
    "ZeroTrustAccessIdentityProvider": "<{accounts|zones}/{account_id|zone_id}>/<identity_provider_id>",
    "ZeroTrustAccessGroup": "<{accounts|zones}/{account_id|zone_id}>/<group_id>",
    "ZeroTrustAccessPolicy": "<account_id>/<policy_id>",
    "ZeroTrustAccessApplication": "<{accounts|zones}/{account_id|zone_id}>/<app_id>",
    "ZeroTrustAccessServiceToken": "<{accounts|zones}/{account_id|zone_id}>/<service_token_id>",
}


@pytest.mark.parametrize("type_", sorted(FORMS))
def test_an_import_takes_one_form_of_id(cloudflare: Plugin, world: dict[str, Resource], type_: str) -> None:
    made, form = world[type_], FORMS[type_]
    owner = {"<account_id>": ACCOUNT, "<zone_id>": world["Zone"].id, "<{accounts": f"accounts/{ACCOUNT}"}
    id_ = "/".join(filter(None, (owner[form.split("/")[0].split("|")[0]] if "/" in form else "", made.id)))
    found = cloudflare.import_(made.type, "found", id_)
    assert found is not None
    assert found.id == made.id
    for wrong in (f"{id_}/more", made.id if "/" in form else f"x/{made.id}"):
        with pytest.raises(ProviderError) as caught:
            cloudflare.import_(made.type, "found", wrong)
        assert str(caught.value) == f'invalid ID: expected urlencoded segments "{form}", got "{wrong}"'
    if "accounts|zones" in form:
        with pytest.raises(ProviderError, match="expected discriminator to be one of"):
            cloudflare.import_(made.type, "found", f"account/{ACCOUNT}/{made.id}")
        with pytest.raises(ProviderError, match="404"):
            cloudflare.import_(made.type, "found", f"accounts/{'1' * 32}/{made.id}")


def test_an_import_takes_what_the_api_answers_for_inputs_but_nothing_that_is_zero(
    cloudflare: Plugin, world: dict[str, Resource]
) -> None:
    def inputs(type_: str, id_: str) -> dict[str, Any]:
        found = cloudflare.import_(world[type_].type, "found", id_)
        assert found is not None
        return found.inputs

    zone, line, made = world["Zone"], world["ZeroTrustTunnelCloudflared"], world["ZeroTrustAccessApplication"]
    assert inputs("Zone", zone.id) == {"account": {"id": ACCOUNT}, "name": "example.com", "type": "full"}
    rules = inputs("ZeroTrustTunnelCloudflaredConfig", f"{ACCOUNT}/{line.id}")
    assert rules == {**world["ZeroTrustTunnelCloudflaredConfig"].inputs, "source": "cloudflare"}
    policy = world["ZeroTrustAccessPolicy"]
    assert inputs("ZeroTrustAccessPolicy", f"{ACCOUNT}/{policy.id}") == {**policy.inputs, "sessionDuration": "24h"}
    assert inputs("ZeroTrustAccessApplication", f"accounts/{ACCOUNT}/{made.id}") == {
        **made.inputs,
        "appLauncherVisible": True,
        "domain": "a.example.com",
        "httpOnlyCookieAttribute": True,
        "selfHostedDomains": ["a.example.com"],
        "sessionDuration": "24h",
    }


def test_an_import_knows_no_secret(cloudflare: Plugin, world: dict[str, Resource]) -> None:
    line, idp = world["ZeroTrustTunnelCloudflared"], world["ZeroTrustAccessIdentityProvider"]
    found = cloudflare.import_(TUNNEL, "found", f"{ACCOUNT}/{line.id}")
    assert found is not None
    assert "tunnelSecret" not in found.outputs | found.inputs
    assert found.changes(**line.inputs) == {"tunnelSecret": "add"}
    read = cloudflare.import_(idp.type, "found", f"accounts/{ACCOUNT}/{idp.id}")
    assert read is not None
    assert read.inputs["config"] == {"clientId": "id"}
    assert read.changes(**idp.inputs) == {"config.clientSecret": "add"}


def test_what_somebody_added_shows_after_a_refresh_and_is_taken_away(
    cloudflare: Plugin, world: dict[str, Resource], store: Store
) -> None:
    made = world["DnsRecord"]
    tamper.change(store.path, f"cloudflare/dns/{world['Zone'].id}/{made.id}", comment="mine")
    read = made.refresh()
    assert read is not None
    assert read.changes(**made.inputs) == {"comment": "delete"}
    read = read.update(**made.inputs).refresh()
    assert read is not None
    assert read.changes(**made.inputs) == {}


def test_a_deleted_tunnel_is_still_answered_for_and_stays_in_the_state(
    cloudflare: Plugin, world: dict[str, Resource], store: Store
) -> None:
    made = world["ZeroTrustTunnelCloudflared"]
    tamper.change(store.path, f"cloudflare/tunnel/{made.id}", deletedAt="2026-11-01T00:00:00Z")
    read = made.refresh()
    assert read is not None
    assert read["deletedAt"] == "2026-11-01T00:00:00Z"
    assert read.changes(**made.inputs) == {}
    assert tunnel(cloudflare).id != made.id
