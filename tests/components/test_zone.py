"""Zone: the zone, its settings and DNSSEC."""

from __future__ import annotations

from typing import Any

import pytest

from components.zone import _fields
from config.stack import Hsts
from tests.components.conftest import Known, Run
from tests.components.examples import ACCOUNT, zone
from tests.kit.recorder import Recording


def _settings(found: Recording) -> dict[str, Any]:
    return {r.inputs["settingId"]: r.inputs["value"] for r in found.all("cloudflare:ZoneSetting")}


def test_the_zone_is_a_full_one_of_the_account_and_nothing_more_is_said_of_it(run: Run) -> None:
    # https://developers.cloudflare.com/api/resources/zones/methods/create/: account, name, type.
    found = run(zone)
    assert found.one("cloudflare:Zone").inputs == {"account": {"id": ACCOUNT}, "name": "example.com", "type": "full"}


@pytest.mark.parametrize("kind", ["cloudflare:Zone", "cloudflare:ZoneDnssec"])
def test_what_takes_the_domain_down_is_protected_and_kept(kind: str, run: Run) -> None:
    # Deleting ZoneDnssec disables signing while the DS record is at the registrar [TFC zone_dnssec/custom.go].
    found = run(zone).one(kind)
    assert found.protect
    assert found.retain


def test_settings_are_neither_protected_nor_kept(run: Run) -> None:
    for setting in run(zone).all("cloudflare:ZoneSetting"):
        assert not setting.protect
        assert not setting.retain


def test_the_settings_have_the_values_that_the_api_takes(run: Run, known: Known) -> None:
    # Names and values: https://developers.cloudflare.com/api/resources/zones/subresources/settings/methods/edit/
    # The object's keys go through in snake case, for the SDK types it Any.
    found = run(zone)
    assert _settings(found) == {
        "ssl": "strict",
        "min_tls_version": "1.2",
        "always_use_https": "on",
        "automatic_https_rewrites": "on",
        "security_header": {
            "strict_transport_security": {
                "enabled": False,
                "max_age": 0,
                "include_subdomains": False,
                "preload": False,
                "nosniff": False,
            }
        },
    }
    assert {r.inputs["zoneId"] for r in found.all("cloudflare:ZoneSetting")} == {known("estate-zone-id")}


def test_hsts_is_on_only_where_asked_for(run: Run) -> None:
    asked = Hsts(max_age_seconds=86400, include_subdomains=True)
    header = _settings(run(lambda: zone(hsts=asked)))["security_header"]["strict_transport_security"]
    assert header == {
        "enabled": True,
        "max_age": 86400,
        "include_subdomains": True,
        "preload": False,
        "nosniff": False,
    }


def test_another_security_header_is_a_replacement_so_that_all_of_it_is_sent(run: Run) -> None:
    # The plugin's update sends only the fields that changed: `{"max_age": …}` without `enabled`.
    replaced = {
        r.inputs["settingId"]: list(r.request.replaceOnChanges) for r in run(zone).all("cloudflare:ZoneSetting")
    }
    assert replaced.pop("security_header") == ["value"]
    assert not any(replaced.values())


def test_settings_that_are_switched_off_are_sent_as_off(run: Run) -> None:
    found = _settings(run(lambda: zone(always_use_https=False, automatic_https_rewrites=False, ssl="full")))
    assert (found["always_use_https"], found["automatic_https_rewrites"], found["ssl"]) == ("off", "off", "full")


def test_dnssec_is_active_and_nothing_of_it_is_ignored(run: Run, known: Known) -> None:
    # `ignore_changes` on the status breaks the plugin's preview, and without a status it never signs.
    found = run(zone).one("cloudflare:ZoneDnssec")
    assert found.inputs == {"zoneId": known("estate-zone-id"), "status": "active"}
    assert not found.request.ignoreChanges


def test_an_unsigned_zone_has_no_dnssec_and_no_ds_record(run: Run) -> None:
    found = run(lambda: zone(dnssec=False))
    assert found.all("cloudflare:ZoneDnssec") == []
    assert "ds_record" not in found.outputs_of("gatehouse:Zone"), "the next test is the control"


def test_it_gives_what_the_registrar_is_to_get(run: Run, known: Known) -> None:
    outputs = run(zone).outputs_of("gatehouse:Zone")
    assert outputs["name_servers"] == known(["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"])
    assert outputs["ds_record"] == known("estate-dnssec 3600 IN DS 2371 13 2 ABCDEF")
    assert outputs["zone_id"] == known("estate-zone-id")


def test_the_ds_record_s_fields_are_text_as_a_registrar_s_form_takes_them() -> None:
    # The SDK gives `key_tag` as a fraction; what the API has not said yet is left out.
    made = {"key_tag": 2371.0, "algorithm": "13", "digest_type": "2", "digest": "ABCDEF", "public_key": None}
    assert _fields(made) == {"key_tag": "2371", "algorithm": "13", "digest_type": "2", "digest": "ABCDEF"}


def test_hosts_that_redirect_are_one_ruleset_with_a_rule_each(run: Run, known: Known) -> None:
    # https://developers.cloudflare.com/rules/url-forwarding/single-redirects/create-api/ and terraform-example/: the
    # zone's entry point of this phase, the action `redirect` with `from_value`.
    found = run(lambda: zone(redirects={"www.example.com": "example.com", "a-b.example.com": "example.com"}))
    ruleset = found.one("cloudflare:Ruleset", "estate-redirects")
    inputs = dict(ruleset.inputs)
    rules = inputs.pop("rules")
    assert inputs == {
        "zoneId": known("estate-zone-id"),
        "kind": "zone",
        "phase": "http_request_dynamic_redirect",
        "name": "Gatehouse redirects",
        "description": "Hosts that redirect to another",
    }
    # In one order, whatever the file's is.
    assert [(r["ref"], r["enabled"], r["action"], r["expression"]) for r in rules] == [
        ("a-b_example_com", True, "redirect", '(http.host eq "a-b.example.com")'),
        ("www_example_com", True, "redirect", '(http.host eq "www.example.com")'),
    ]
    assert rules[1]["actionParameters"] == {
        "fromValue": {
            "statusCode": 301,
            "preserveQueryString": True,
            "targetUrl": {"expression": 'concat("https://example.com", http.request.uri.path)'},
        }
    }
    assert not ruleset.protect


def test_a_zone_with_no_redirects_has_no_list_of_them(run: Run) -> None:
    assert run(zone).all("cloudflare:Ruleset") == []
