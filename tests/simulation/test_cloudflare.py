from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime
from typing import Any

import pytest

from gatehouse.simulation.cloudflare import Cloudflare, ingress_problem
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import UNKNOWN, Secret
from tests.simulation.plugin import ACCOUNT, Plugin, ProviderError, Resource

ZONE = "cloudflare:index/zone:Zone"
SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
DNSSEC = "cloudflare:index/zoneDnssec:ZoneDnssec"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
RULESET = "cloudflare:index/ruleset:Ruleset"
TOKEN = "cloudflare:index/zeroTrustAccessServiceToken:ZeroTrustAccessServiceToken"
TUNNEL = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
CONFIG = "cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig"
IDP = "cloudflare:index/zeroTrustAccessIdentityProvider:ZeroTrustAccessIdentityProvider"
GROUP = "cloudflare:index/zeroTrustAccessGroup:ZeroTrustAccessGroup"
POLICY = "cloudflare:index/zeroTrustAccessPolicy:ZeroTrustAccessPolicy"
APP = "cloudflare:index/zeroTrustAccessApplication:ZeroTrustAccessApplication"

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TUNNEL_SECRET = base64.b64encode(b"made up, thirty-two bytes of it.").decode()


@pytest.fixture
def zone(cloudflare: Plugin) -> Resource:
    return cloudflare.create(ZONE, "zone", account={"id": ACCOUNT}, name="example.com")


def record(zone: Resource, name: str = "a.example.com", **other: Any) -> dict[str, Any]:
    return {"zoneId": zone.id, "name": name, "type": "A", "content": "192.0.2.1", "ttl": 1, "proxied": True, **other}


def tunnel(cloudflare: Plugin, name: str = "alfred", **other: Any) -> Resource:
    inputs = {"accountId": ACCOUNT, "name": name, "configSrc": "cloudflare", "tunnelSecret": Secret(TUNNEL_SECRET)}
    return cloudflare.create(TUNNEL, name, **{**inputs, **other})


def people(cloudflare: Plugin) -> tuple[Resource, Resource, Resource]:
    """A login method, a group and a policy for it."""
    config = {"clientId": "id", "clientSecret": Secret("google secret")}
    idp = cloudflare.create(IDP, "google", accountId=ACCOUNT, name="Google", type="google", config=config)
    include = [{"email": {"email": "ada@example.com"}}]
    group = cloudflare.create(GROUP, "people", accountId=ACCOUNT, name="people", includes=include)
    policy = cloudflare.create(
        POLICY, "allow", accountId=ACCOUNT, name="allow", decision="allow", includes=[{"group": {"id": group.id}}]
    )
    return idp, group, policy


def app(host: str, idp: Resource, policy: Resource, **other: Any) -> dict[str, Any]:
    return {
        "accountId": ACCOUNT,
        "type": "self_hosted",
        "name": host,
        "destinations": [{"type": "public", "uri": host}],
        "allowedIdps": [idp.id],
        "autoRedirectToIdentity": True,
        "policies": [{"id": policy.id, "precedence": 1}],
        **other,
    }


def test_a_preview_knows_the_inputs_and_not_what_the_cloud_decides(cloudflare: Plugin, store: Store) -> None:
    shown = cloudflare.create(ZONE, "zone", preview=True, account={"id": ACCOUNT}, name="example.com")
    assert shown.id == ""
    assert shown["name"] == "example.com"
    assert shown["type"] == "full"
    assert shown["nameServers"] is UNKNOWN
    assert shown["status"] is UNKNOWN
    assert list(store.find("")) == []
    made = cloudflare.create(ZONE, "zone", account={"id": ACCOUNT}, name="example.com")
    assert re.fullmatch(r"[0-9a-f]{32}", made.id)
    assert made["status"] == "pending"
    assert all(name.endswith(".ns.cloudflare.com") for name in made["nameServers"])
    assert len(set(made["nameServers"])) == 2


def test_a_misspelt_property_is_refused_and_the_right_one_named(cloudflare: Plugin) -> None:
    good = {"zoneId": UNKNOWN, "name": "a", "type": "A", "content": "192.0.2.1", "ttl": 1}
    assert cloudflare.failures(RECORD, good) == {}
    assert cloudflare.failures(RECORD, {**good, "proxyed": True}) == {
        "proxyed": 'An argument named "proxyed" is not expected here. Did you mean "proxied"?'
    }
    nested = {"accountId": ACCOUNT, "tunnelId": "t", "config": {"ingresses": [{"service": "x", "pathh": "y"}]}}
    assert list(cloudflare.failures(CONFIG, nested)) == ["config.ingresses[0].pathh"]
    assert cloudflare.failures(RECORD, {"zoneId": "z", "type": "A", "ttl": 1}) == {
        "name": 'Missing required property "name".'
    }


def test_a_type_the_simulation_does_not_know_is_refused_by_name(cloudflare: Plugin) -> None:
    with pytest.raises(ProviderError, match=r"does not know the resource type cloudflare:index/list:List"):
        cloudflare.create("cloudflare:index/list:List", "x", name="y")


def test_a_zone_exists_once(cloudflare: Plugin, zone: Resource) -> None:
    with pytest.raises(ProviderError, match=r'"code":1061,"message":"example.com already exists"'):
        cloudflare.create(ZONE, "again", account={"id": ACCOUNT}, name="example.com")


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ({"type": "CNAME", "content": "x.example.net"}, {"type": "CNAME", "content": "y.example.net"}, 81053),
        ({}, {"type": "CNAME", "content": "y.example.net"}, 81053),
        ({"type": "CNAME", "content": "x.example.net"}, {}, 81054),
        ({}, {}, 81058),
        ({}, {"type": "AAAA", "content": "2001:db8::1"}, None),
        ({}, {"name": "b.example.com", "type": "CNAME", "content": "y.example.net"}, None),
    ],
)
def test_a_second_claim_of_one_name_is_refused(
    cloudflare: Plugin, zone: Resource, first: dict[str, Any], second: dict[str, Any], code: int | None
) -> None:
    # Cloudflare's documentation, "Records with the same name".
    cloudflare.create(RECORD, "one", **record(zone, **first))
    if code is None:
        cloudflare.create(RECORD, "two", **record(zone, **second))
    else:
        with pytest.raises(ProviderError, match=f'"code":{code}'):
            cloudflare.create(RECORD, "two", **record(zone, **second))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"content": "192.0.2"}, "valid IPv4 address"),
        ({"content": "2001:db8::1"}, "valid IPv4 address"),
        ({"ttl": 5}, "Invalid TTL"),
        ({"type": "TXT", "content": "x"}, "cannot be proxied"),
        ({"zoneId": "0" * 32}, "Could not route to /zones/"),
        ({"tags": ["a:b"]}, "exceeding the quota of 0"),
    ],
)
def test_a_bad_record_is_refused(cloudflare: Plugin, zone: Resource, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        cloudflare.create(RECORD, "one", **record(zone, **wrong))


def test_a_relative_name_and_the_full_one_are_no_difference(cloudflare: Plugin, zone: Resource) -> None:
    made = cloudflare.create(RECORD, "one", **record(zone, "a"))
    assert made["name"] == "a"
    read = made.refresh()
    assert read is not None
    assert read["name"] == "a.example.com"
    assert read.changes(**record(zone, "a")) == {}
    assert read.changes(**record(zone, "b")) == {"name": "update"}


def test_what_replaces_a_record_and_what_updates_it(cloudflare: Plugin, zone: Resource) -> None:
    made = cloudflare.create(RECORD, "one", **record(zone))
    assert made.changes(**record(zone)) == {}
    assert made.changes(**record(zone, content="192.0.2.2", comment="c")) == {"comment": "add", "content": "update"}
    response = made.diff(**record(zone, type="CNAME", content="x.example.net"))
    assert list(response.replaces) == ["type"]
    assert not response.deleteBeforeReplace


def test_a_record_deleted_elsewhere_is_gone_on_refresh_and_fails_before(
    cloudflare: Plugin, zone: Resource, store: Store
) -> None:
    made = cloudflare.create(RECORD, "one", **record(zone))
    assert made.refresh() is not None
    with store.transaction():
        store.remove(f"cloudflare/dns/{zone.id}/{made.id}")
    with pytest.raises(ProviderError, match="404"):
        made.update(**record(zone, comment="c"))
    with pytest.raises(ProviderError, match="404"):
        made.delete()
    assert made.refresh() is None


def test_drift_shows_in_the_inputs_of_a_refresh(cloudflare: Plugin, zone: Resource, store: Store) -> None:
    made = cloudflare.create(RECORD, "one", **record(zone))
    key = f"cloudflare/dns/{zone.id}/{made.id}"
    item = store.get(key) or {}
    item["body"]["proxied"] = False
    with store.transaction():
        store.put(key, item)
    read = made.refresh()
    assert read is not None
    assert read.inputs["proxied"] is False
    assert read.changes(**record(zone)) == {"proxied": "update"}


def test_an_import_fills_the_inputs(cloudflare: Plugin, zone: Resource) -> None:
    inputs = record(zone)
    made = cloudflare.create(RECORD, "one", **inputs)
    found = cloudflare.import_(RECORD, "two", f"{zone.id}/{made.id}")
    assert found is not None
    assert found.id == made.id
    assert found.inputs == inputs
    assert found.changes(**inputs) == {}
    with pytest.raises(ProviderError, match="404"):
        cloudflare.import_(RECORD, "two", f"{zone.id}/{'0' * 32}")


def test_settings_have_their_values_checked_and_outlive_their_resource(cloudflare: Plugin, zone: Resource) -> None:
    with pytest.raises(ProviderError, match="Invalid value for zone setting min_tls_version"):
        cloudflare.create(SETTING, "tls", zoneId=zone.id, settingId="min_tls_version", value="1.4")
    with pytest.raises(ProviderError, match="Undefined zone setting: tls_min"):
        cloudflare.create(SETTING, "tls", zoneId=zone.id, settingId="tls_min", value="1.2")
    made = cloudflare.create(SETTING, "tls", zoneId=zone.id, settingId="min_tls_version", value="1.2")
    assert made.id == "min_tls_version"
    made.delete()
    still = cloudflare.import_(SETTING, "tls", f"{zone.id}/min_tls_version")
    assert still is not None
    assert still["value"] == "1.2"


def test_of_a_setting_that_is_an_object_an_update_sends_what_changed_and_an_import_fails(
    cloudflare: Plugin, zone: Resource
) -> None:
    header = {"enabled": True, "max_age": 86400, "include_subdomains": False, "preload": False, "nosniff": False}
    inputs: dict[str, Any] = {
        "zoneId": zone.id,
        "settingId": "security_header",
        "value": {"strict_transport_security": header},
    }
    made = cloudflare.create(SETTING, "header", **inputs)
    changed = made.update(**{**inputs, "value": {"strict_transport_security": {**header, "max_age": 172800}}})
    read = changed.refresh()
    assert read is not None
    assert read["value"] == {"strict_transport_security": {"max_age": 172800}}
    with pytest.raises(ProviderError, match="nil pointer dereference"):
        cloudflare.import_(SETTING, "header", f"{zone.id}/security_header")


def test_the_ds_record_belongs_to_its_key(cloudflare: Plugin, zone: Resource) -> None:
    made = cloudflare.create(DNSSEC, "dnssec", zoneId=zone.id, status="active")
    # RFC 4034: digest over owner name and DNSKEY data (flags 257, protocol 3, algorithm 13, key).
    data = b"\x01\x01\x03\x0d" + base64.b64decode(made["publicKey"])
    digest = hashlib.sha256(b"\x07example\x03com\x00" + data).hexdigest().upper()
    accumulated = 0
    for index, byte in enumerate(data):
        accumulated += byte if index & 1 else byte << 8
    accumulated += (accumulated >> 16) & 0xFFFF
    assert made["ds"] == f"example.com. 3600 IN DS {accumulated & 0xFFFF} 13 2 {digest}"
    assert made["keyTag"] == accumulated & 0xFFFF


def registrar_acts(store: Store, zone: str) -> None:
    """Lets the registrar of a simulated zone act: name servers moved, DS record published; both are active."""
    with store.transaction():
        for key in [key for key, body in store.find("cloudflare/zone/") if body["name"] == zone]:
            item = store.get(key) or {}
            item["body"] |= {"status": "active", "activatedOn": store.time()}
            store.put(key, item)
            signed = store.get(f"cloudflare/dnssec/{item['id']}")
            if signed and signed["body"]["status"] == "pending":
                signed["body"]["status"] = "active"
                store.put(f"cloudflare/dnssec/{item['id']}", signed)


def test_dnssec_cannot_be_deleted_while_it_is_active(cloudflare: Plugin, zone: Resource, store: Store) -> None:
    made = cloudflare.create(DNSSEC, "dnssec", zoneId=zone.id, status="active")
    registrar_acts(store, "example.com")
    refreshed = zone.refresh()
    assert refreshed is not None
    assert refreshed["status"] == "active"
    with pytest.raises(ProviderError, match="DNSSEC is active"):
        made.delete()


def test_a_tunnel_has_its_own_name_and_a_long_secret(cloudflare: Plugin) -> None:
    made = tunnel(cloudflare)
    assert UUID.fullmatch(made.id)
    assert made["accountTag"] == ACCOUNT
    with pytest.raises(ProviderError, match='"code":1013,"message":"You already have a tunnel with this name'):
        cloudflare.create(TUNNEL, "two", accountId=ACCOUNT, name="alfred")
    with pytest.raises(ProviderError, match="at least 32 bytes") as caught:
        tunnel(cloudflare, "short", tunnelSecret=Secret("c2hvcnQ="))
    assert "c2hvcnQ=" not in str(caught.value)


def test_only_the_source_of_the_rules_replaces_a_tunnel(cloudflare: Plugin) -> None:
    made = tunnel(cloudflare)
    inputs = {"accountId": ACCOUNT, "name": "new", "configSrc": "cloudflare", "tunnelSecret": Secret(TUNNEL_SECRET)}
    assert made.changes(**inputs) == {"name": "update"}
    assert made.changes(**{**inputs, "name": "alfred", "configSrc": "local"}) == {"configSrc": "update_replace"}


def test_the_tunnel_secret_is_nowhere_in_clear(cloudflare: Plugin, store: Store) -> None:
    made = tunnel(cloudflare)
    read = made.refresh()
    assert read is not None
    for one in (made, read):
        assert one.outputs["tunnelSecret"] == Secret(TUNNEL_SECRET)
        assert one.inputs["tunnelSecret"] == Secret(TUNNEL_SECRET)
    assert TUNNEL_SECRET not in store.path.read_text() + store.log_path.read_text()


def test_rules_go_to_a_tunnel_that_is_there(cloudflare: Plugin) -> None:
    rules = {"ingresses": [{"service": "http_status:404"}]}
    with pytest.raises(ProviderError, match="Tunnel not found"):
        cloudflare.create(CONFIG, "config", accountId=ACCOUNT, tunnelId="0" * 8, config=rules)
    made = tunnel(cloudflare)
    with pytest.raises(ProviderError, match="Tunnel not found"):
        cloudflare.create(CONFIG, "config", accountId="1" * 32, tunnelId=made.id, config=rules)
    first = cloudflare.create(CONFIG, "config", accountId=ACCOUNT, tunnelId=made.id, config=rules)
    assert first.id == made.id
    more = {"ingresses": [{"hostname": "a.example.com", "service": "http://x:80"}, {"service": "http_status:404"}]}
    assert first.update(accountId=ACCOUNT, tunnelId=made.id, config=more)["version"] == first["version"] + 1
    with pytest.raises(ProviderError, match='"code":1056,"message":"Bad Configuration: The last ingress rule'):
        first.update(accountId=ACCOUNT, tunnelId=made.id, config={"ingresses": more["ingresses"][:1]})


CATCH_ALL = {"service": "http_status:404"}


# Each row as cloudflared's own parser answered it (facts from its `ingress` package).
@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([], None),
        ([CATCH_ALL], None),
        ([{"hostname": "*.example.com", "service": "https://x"}, CATCH_ALL], None),
        ([{"hostname": "*x.example.com", "service": "https://x"}, CATCH_ALL], None),
        ([{"path": "^/a", "service": "https://x:8443"}, CATCH_ALL], None),
        ([{"hostname": "a.example.com", "service": "htp://x"}, CATCH_ALL], None),
        ([{"hostname": "a.example.com", "service": "unix:/run/x"}, CATCH_ALL], None),
        ([{"hostname": "a.example.com", "service": "http://x"}], "The last ingress rule must match all URLs"),
        ([CATCH_ALL, CATCH_ALL], "Rule #1 is matching the hostname ''"),
        ([{"hostname": "a.*.example.com", "service": "http://x"}, CATCH_ALL], "at most one wildcard"),
        ([{"hostname": "a.example.com:80", "service": "http://x"}, CATCH_ALL], "cannot contain a port"),
        ([{"hostname": "a.example.com", "service": "http://x/"}, CATCH_ALL], "different path on the origin"),
        ([{"hostname": "a.example.com", "service": "x:80"}, CATCH_ALL], "scheme and a hostname"),
        ([{"hostname": "a.example.com", "service": "http_status:99"}, CATCH_ALL], "invalid HTTP status code: 99"),
        ([{"path": "(?=a)", "service": "http://x"}, CATCH_ALL], "Rule #1 has an invalid regex"),
        (
            [
                {
                    "hostname": "a",
                    "service": "http://x",
                    "originRequest": {"access": {"required": True, "audTags": ["a"]}},
                }
            ],
            "TeamName cannot be blank",
        ),
    ],
)
def test_tunnel_rules_are_refused_as_cloudflared_does(rules: list[dict[str, Any]], words: str | None) -> None:
    problem = ingress_problem(rules)
    assert problem is None if words is None else problem is not None and words in problem


def test_an_application_needs_what_it_refers_to(cloudflare: Plugin, zone: Resource) -> None:
    idp, _, policy = people(cloudflare)
    host = "grafana.example.com"
    made = cloudflare.create(APP, "grafana", **app(host, idp, policy))
    assert UUID.fullmatch(made.id)
    assert re.fullmatch(r"[0-9a-f]{64}", made["aud"])
    assert made["domain"] == host
    assert made["sessionDuration"] == "24h"
    other = "other.example.com"
    for wrong, words in (
        (app("a.example.net", idp, policy), "does not belong to a zone"),
        (app("other.example.com:443", idp, policy), "no scheme, port"),
        (app(other, idp, policy, allowedIdps=[UUID_NOT_THERE]), "identity provider .* does not exist"),
        (app(other, idp, policy, allowedIdps=[]), "needs exactly one of allowed_idps"),
        (app(other, idp, policy, policies=[{"id": UUID_NOT_THERE}]), "policy .* does not exist"),
        (app(other, idp, policy, policies=[{"decision": "bypass"}]), "needs a decision and an include"),
        (app(other, idp, policy, sessionDuration="1d"), "sessionDuration"),
        (app(other, idp, policy, corsHeaders=CORS, optionsPreflightBypass=True), "where cors_headers is set"),
        (app(other, idp, policy, policies=[{"id": policy.id}, {"id": policy.id, "precedence": 1}]), "precedence 1"),
    ):
        with pytest.raises(ProviderError, match=words):
            cloudflare.create(APP, "other", **wrong)
    cloudflare.create(APP, "other", **app(other, idp, policy))


CORS = {"allowedOrigins": ["https://app.example.com"], "allowedMethods": ["GET"], "allowCredentials": True}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        # cloudflare/terraform-provider-cloudflare zero_trust_access_application/schema.go.
        ({"allowAllOrigins": True}, "Exactly one of 'allowAllOrigins' and 'allowedOrigins'"),
        ({"allowedMethods": None}, "Exactly one of 'allowAllMethods' and 'allowedMethods'"),
        ({"allowedOrigins": None, "allowAllOrigins": True}, "'allowCredentials' cannot be specified"),
        ({"allowedHeaders": ["a"], "allowAllHeaders": True}, "'allowAllHeaders' cannot be specified"),
        ({"allowedMethods": ["get", "FETCH"]}, "got: FETCH"),
        ({"maxAge": 86401}, "between -1 and 86400"),
    ],
)
def test_cors_is_checked_as_the_plugin_does(
    cloudflare: Plugin, zone: Resource, changed: dict[str, Any], words: str
) -> None:
    idp, _, policy = people(cloudflare)
    host = "grafana.example.com"
    cors = {key: value for key, value in {**CORS, **changed}.items() if value is not None}
    with pytest.raises(ProviderError, match=words):
        cloudflare.create(APP, "grafana", **app(host, idp, policy, corsHeaders=cors))
    assert cloudflare.create(APP, "grafana", **app(host, idp, policy, corsHeaders=CORS))["corsHeaders"] == CORS


def test_an_import_has_an_applications_hosts_in_two_properties_that_exclude_each_other(
    cloudflare: Plugin, zone: Resource
) -> None:
    idp, _, policy = people(cloudflare)
    made = cloudflare.create(APP, "grafana", **app("grafana.example.com", idp, policy))
    found = cloudflare.import_(APP, "grafana", f"accounts/{ACCOUNT}/{made.id}")
    assert found is not None
    with pytest.raises(ProviderError, match='"self_hosted_domains" cannot be specified'):
        found.update(**found.inputs)
    # The API answers false where nothing was said, and the program goes on to say nothing.
    answered = dict.fromkeys(("enableBindingCookie", "optionsPreflightBypass"), "delete")
    del found.inputs["selfHostedDomains"]
    assert found.changes(**found.inputs) == answered
    seen = found.refresh()
    assert seen is not None
    assert seen.changes(**found.inputs) == answered
    settled = seen.update(**found.inputs).refresh()
    assert settled is not None
    assert settled.changes(**found.inputs) == {}
    made_here = made.refresh()
    assert made_here is not None
    assert made_here.changes(**made.inputs) == {}


def test_a_destination_has_one_application_and_an_application_five_destinations(
    cloudflare: Plugin, zone: Resource
) -> None:
    idp, _, policy = people(cloudflare)

    def to(*uris: str) -> dict[str, Any]:
        return app(uris[0], idp, policy, destinations=[{"type": "public", "uri": uri} for uri in uris])

    hosts = [f"h{n}.example.com" for n in range(5)]
    cloudflare.create(APP, "five", **to(*hosts))
    with pytest.raises(ProviderError, match="at most 5 destinations"):
        cloudflare.create(APP, "six", **to(*(f"i{n}.example.com" for n in range(6))))
    with pytest.raises(ProviderError, match=r'409 Conflict .*"code":11010.*application_already_exists'):
        cloudflare.create(APP, "again", **to("free.example.com", "H3.example.com"))
    below = cloudflare.create(APP, "path", **to("h3.example.com/api"))
    with pytest.raises(ProviderError, match="application_already_exists"):
        below.update(**to("h3.example.com"))
    assert below.update(**to("h3.example.com/api/v2"))["domain"] == "h3.example.com/api/v2"


def test_nobody_and_wildcards_have_applications_and_records_too(cloudflare: Plugin, zone: Resource) -> None:
    idp, _, _ = people(cloudflare)
    deny = cloudflare.create(
        POLICY, "deny", accountId=ACCOUNT, name="deny", decision="deny", includes=[{"everyone": {}}]
    )
    made = cloudflare.create(APP, "any", **app("*.example.com", idp, deny))
    assert made["domain"] == "*.example.com"
    with pytest.raises(ProviderError, match="does not belong to a zone"):
        cloudflare.create(APP, "other", **app("*.example.net", idp, deny))
    record_ = {"type": "CNAME", "content": "x.cfargotunnel.com"}
    assert cloudflare.create(RECORD, "any", **record(zone, "*.example.com", **record_))["name"] == "*.example.com"
    with pytest.raises(ProviderError, match="81053"):
        cloudflare.create(RECORD, "again", **record(zone, "*.example.com", type="CNAME", content="y.example.net"))
    with pytest.raises(ProviderError, match="DNS name is invalid"):
        cloudflare.create(RECORD, "inner", **record(zone, "a.*.example.com", **record_))


def test_zones_beside_each_other_keep_their_own_records_and_settings(cloudflare: Plugin, zone: Resource) -> None:
    other = cloudflare.create(ZONE, "other", account={"id": ACCOUNT}, name="example.org")
    assert other["nameServers"] != []
    for owner, name in ((zone, "www.example.com"), (other, "www.example.org")):
        assert cloudflare.create(RECORD, name, **record(owner, name))["name"] == name
    # A name outside the zone goes below it, so that it is not the one that was asked for.
    astray = cloudflare.create(RECORD, "astray", **record(zone, "www.example.org")).refresh()
    assert astray is not None
    assert astray["name"] == "www.example.org.example.com"
    for owner, value in ((zone, "1.2"), (other, "1.3")):
        cloudflare.create(SETTING, "tls", zoneId=owner.id, settingId="min_tls_version", value=value)
    signed = [cloudflare.create(DNSSEC, "dnssec", zoneId=owner.id, status="active") for owner in (zone, other)]
    assert [one["ds"].split(".")[1] for one in signed] == ["com", "org"]


UUID_NOT_THERE = "00000000-0000-4000-8000-000000000000"


def test_a_policy_needs_an_include_rule_and_a_group_somebody(cloudflare: Plugin) -> None:
    base: dict[str, Any] = {"accountId": ACCOUNT, "name": "x"}
    with pytest.raises(ProviderError, match="at least one include rule"):
        cloudflare.create(POLICY, "x", **base, decision="allow", includes=[])
    with pytest.raises(ProviderError, match="must have at least one rule"):
        cloudflare.create(GROUP, "x", **base, includes=[])
    two = [{"email": {"email": "a@example.com"}, "everyone": {}}]
    with pytest.raises(ProviderError, match="exactly one selector"):
        cloudflare.create(GROUP, "x", **base, includes=two)
    with pytest.raises(ProviderError, match=r"group .* does not exist"):
        cloudflare.create(POLICY, "x", **base, decision="allow", includes=[{"group": {"id": UUID_NOT_THERE}}])
    everyone: list[dict[str, Any]] = [{"everyone": {}}]
    with pytest.raises(ProviderError, match="sessionDuration"):
        cloudflare.create(POLICY, "x", **base, decision="bypass", includes=everyone, sessionDuration="1w")
    made = cloudflare.create(POLICY, "x", **base, decision="bypass", includes=everyone)
    assert made["sessionDuration"] == "24h"
    assert cloudflare.failures(POLICY, {**base, "decision": "alow"}) != {}


def test_what_is_in_use_is_not_deleted(cloudflare: Plugin, zone: Resource) -> None:
    idp, group, policy = people(cloudflare)
    made = cloudflare.create(APP, "grafana", **app("grafana.example.com", idp, policy))
    with pytest.raises(ProviderError, match="used by the application"):
        policy.delete()
    with pytest.raises(ProviderError, match="group is used by"):
        group.delete()
    for one in (made, policy, group, idp):
        one.delete()


def test_an_application_made_again_has_another_aud_and_every_run_the_same(
    cloudflare: Plugin, zone: Resource, store: Store
) -> None:
    idp, _, policy = people(cloudflare)
    first = cloudflare.create(APP, "grafana", **app("grafana.example.com", idp, policy))
    first.delete()
    second = cloudflare.create(APP, "grafana", **app("grafana.example.com", idp, policy))
    assert first["aud"] != second["aud"]
    assert first.id != second.id
    world = Store(store.path.with_name("another.json"))
    try:
        plugin = Plugin(Cloudflare(world))
        plugin.create(ZONE, "zone", account={"id": ACCOUNT}, name="example.com")
        idp, _, policy = people(plugin)
        assert plugin.create(APP, "grafana", **app("grafana.example.com", idp, policy))["aud"] == first["aud"]
    finally:
        world.close()


def test_a_renamed_application_keeps_its_aud_in_preview_and_after(cloudflare: Plugin, zone: Resource) -> None:
    idp, _, policy = people(cloudflare)
    made = cloudflare.create(APP, "grafana", **app("grafana.example.com", idp, policy))
    new = app("graphs.example.com", idp, policy)
    assert not made.diff(**new).replaces
    shown = made.update(preview=True, **new)
    assert shown["aud"] == made["aud"]
    assert shown["domain"] is UNKNOWN
    done = made.update(**new)
    assert (done["aud"], done["domain"]) == (made["aud"], "graphs.example.com")


def test_the_order_of_login_methods_is_no_difference(cloudflare: Plugin, zone: Resource) -> None:
    idp, _, policy = people(cloudflare)
    config = {"clientId": "id", "clientSecret": Secret("s")}
    second = cloudflare.create(IDP, "github", accountId=ACCOUNT, name="GitHub", type="github", config=config)
    pair = {"autoRedirectToIdentity": False, "allowedIdps": [idp.id, second.id]}
    made = cloudflare.create(APP, "a", **app("a.example.com", idp, policy, **pair))
    pair["allowedIdps"] = [second.id, idp.id]
    assert made.changes(**app("a.example.com", idp, policy, **pair)) == {}


def test_secrets_of_login_methods_stay_secret(cloudflare: Plugin, store: Store) -> None:
    idp, _, _ = people(cloudflare)
    assert idp["config"] == {"clientId": "id", "clientSecret": Secret("google secret")}
    plain = cloudflare.create(
        IDP, "two", accountId=ACCOUNT, name="two", type="google", config={"clientId": "i", "clientSecret": "careless"}
    )
    assert plain["config"]["clientSecret"] == Secret("careless")
    text = store.path.read_text()
    assert not [one for one in ("google secret", "careless") if one in text]


def test_a_service_tokens_secret_stays_one_and_a_raised_version_makes_another(cloudflare: Plugin, store: Store) -> None:
    token = cloudflare.create(TOKEN, "robot", accountId=ACCOUNT, name="robot")
    first = token["clientSecret"]
    assert isinstance(first, Secret)
    read = token.refresh()
    assert read is not None
    assert read["clientSecret"] == first
    assert first.value not in store.path.read_text()
    # Each of the two goes with the other [terraform-provider-cloudflare, schema.go].
    with pytest.raises(ProviderError, match="previousClientSecretExpiresAt"):
        cloudflare.create(TOKEN, "late", accountId=ACCOUNT, name="late", clientSecretVersion=2)
    until: dict[str, Any] = {"clientSecretVersion": 2, "previousClientSecretExpiresAt": "2026-12-24T18:00:00Z"}
    rotated = token.update(accountId=ACCOUNT, name="robot", **until)
    assert isinstance(rotated["clientSecret"], Secret)
    assert rotated["clientSecret"] != first


def test_another_duration_renews_a_service_token_from_that_moment_on(cloudflare: Plugin, store: Store) -> None:
    # Cloudflare resets the expiration relative to the time of the update [CFDOC service-tokens#renew-service-tokens].
    token = cloudflare.create(TOKEN, "robot", accountId=ACCOUNT, name="robot", duration="24h")
    first, secret = token["expiresAt"], token["clientSecret"]
    store._now = lambda: datetime.fromisoformat(first).timestamp() + 3600
    renewed = token.update(accountId=ACCOUNT, name="robot", duration="48h")
    hours = datetime.fromisoformat(renewed["expiresAt"]) - datetime.fromisoformat(first)
    assert (hours.total_seconds() // 3600, renewed["clientSecret"]) == (49, secret)
    # Another name, or a new secret, is no renewal.
    named = token.update(accountId=ACCOUNT, name="other", duration="48h")
    assert named["expiresAt"] == renewed["expiresAt"]


def test_the_zone_goes_with_all_that_is_in_it(cloudflare: Plugin, zone: Resource, store: Store) -> None:
    cloudflare.create(RECORD, "one", **record(zone))
    cloudflare.create(DNSSEC, "dnssec", zoneId=zone.id, status="active")
    zone.delete()
    assert [key for key, _ in store.find("cloudflare/")] == []


def redirects(zone: Resource, *hosts: str, **other: Any) -> dict[str, Any]:
    target = {"targetUrl": {"expression": 'concat("https://example.com", http.request.uri.path)'}, "statusCode": 301}
    rules = [
        {
            "ref": host.replace(".", "_"),
            "expression": f'(http.host eq "{host}")',
            "action": "redirect",
            "actionParameters": {"fromValue": target},
        }
        for host in hosts
    ]
    phase = "http_request_dynamic_redirect"
    return {"zoneId": zone.id, "kind": "zone", "phase": phase, "name": "redirects", "rules": rules, **other}


def test_a_zone_has_one_ruleset_of_a_phase(cloudflare: Plugin, zone: Resource) -> None:
    made = cloudflare.create(RULESET, "mine", **redirects(zone, "www.example.com"))
    # As terraform-provider-cloudflare#6273 has it of another phase.
    message = (
        r'"code":20217,"message":"\'zone\' is not a valid value for kind because exceeded maximum number of zone '
        r'rulesets for phase http_request_dynamic_redirect"'
    )
    with pytest.raises(ProviderError, match=message):
        cloudflare.create(RULESET, "again", **redirects(zone, "www.example.com"))
    cloudflare.create(RULESET, "cache", **redirects(zone, phase="http_request_cache_settings"))
    other = cloudflare.create(ZONE, "other", account={"id": ACCOUNT}, name="example.org")
    cloudflare.create(RULESET, "other", **redirects(other, "www.example.org"))
    assert made["version"] == "1"


def test_the_free_plan_has_ten_redirects_a_zone_and_each_has_a_ref_of_its_own(
    cloudflare: Plugin, zone: Resource
) -> None:
    hosts = [f"h{number}.example.com" for number in range(11)]
    with pytest.raises(ProviderError, match="11 of 10"):
        cloudflare.create(RULESET, "many", **redirects(zone, *hosts))
    with pytest.raises(ProviderError, match="same ref"):
        cloudflare.create(RULESET, "same", **redirects(zone, hosts[0], hosts[0]))
    cloudflare.create(RULESET, "ten", **redirects(zone, *hosts[:10]))


def test_a_ruleset_goes_with_its_zone(cloudflare: Plugin, zone: Resource, store: Store) -> None:
    cloudflare.create(RULESET, "mine", **redirects(zone, "www.example.com"))
    assert list(store.find("cloudflare/ruleset/"))
    zone.delete()
    assert not list(store.find("cloudflare/ruleset/"))


def test_a_ruleset_takes_other_rules_in_place_and_is_imported_by_its_zone(cloudflare: Plugin, zone: Resource) -> None:
    made = cloudflare.create(RULESET, "mine", **redirects(zone, "www.example.com"))
    more = redirects(zone, "a.example.com", "www.example.com")
    assert not made.diff(**more).replaces
    changed = made.update(**more)
    assert [rule["ref"] for rule in changed["rules"]] == ["a_example_com", "www_example_com"]
    assert changed["version"] == "2"
    again = changed.refresh()
    assert again
    assert again.changes(**more) == {}
    assert changed.diff(**{**more, "phase": "http_request_origin"}).replaces
    taken = cloudflare.import_(RULESET, "mine", f"zones/{zone.id}/{made.id}")
    assert taken
    assert taken["rules"] == changed["rules"]


def test_logins_and_selectors_are_taken_as_the_api_and_the_plugin_take_them(cloudflare: Plugin) -> None:
    """[TFC zero_trust_access_identity_provider, schema.go; CFDOC one-time-pin, generic-oidc; API: access groups]"""

    def login(name: str, type_: str, **config: Any) -> Resource:
        return cloudflare.create(IDP, name, accountId=ACCOUNT, name=name, type=type_, config=config)

    secret = {"clientId": "id", "clientSecret": Secret("the secret")}
    urls = dict.fromkeys(("authUrl", "tokenUrl", "certsUrl"), "https://id.example.com")
    pin, hub = login("pin", "onetimepin"), login("hub", "github", **secret)
    login("work", "oidc", **secret, **urls, scopes=["openid"])
    for name, type_, config, words in (
        ("again", "onetimepin", {}, "exists already"),
        ("half", "oidc", secret, "authUrl is required"),
        ("bare", "github", {}, "clientId is required"),
        ("scoped", "github", {**secret, "scopes": ["user"]}, r'one of \["oidc"\]'),
    ):
        with pytest.raises(ProviderError, match=words):
            login(name, type_, **config)

    def group(include: Any) -> Resource:
        return cloudflare.create(GROUP, "some", accountId=ACCOUNT, name="some", includes=[include])

    for include, words in (
        ({"emailDomain": {"domain": "@smith.example"}}, "not a domain"),
        ({"geo": {"countryCode": "Germany"}}, "not a country code"),
        ({"ip": {"ip": "203.0.113.7/24"}}, "not an IP address or range"),
        ({"githubOrganization": {"identityProviderId": UUID_NOT_THERE, "name": "smiths"}}, "does not exist"),
        ({"githubOrganization": {"identityProviderId": pin.id, "name": "smiths"}}, "no GitHub identity provider"),
    ):
        with pytest.raises(ProviderError, match=words):
            group(include)
    for include in (
        {"emailDomain": {"domain": "smith.example"}},
        {"geo": {"countryCode": "DE"}},
        {"ip": {"ip": "2001:db8::/32"}},
        {"githubOrganization": {"identityProviderId": hub.id, "name": "smiths", "team": "devs"}},
    ):
        group(include)
