"""Tailnet: the policy, DNS and the settings, of which there is one each."""

from __future__ import annotations

import json

from config.stack import TailnetDns, TailnetSettings
from tests.components.conftest import Run
from tests.components.examples import tailnet

POLICY = {"groups": {"group:a": ["alice@example.com"]}, "grants": [], "tests": [{"src": "alice@example.com"}]}


def test_the_policy_is_written_whole_and_always_in_the_same_way(run: Run) -> None:
    # The plugin compares the text but for white space and trailing commas [TFT resource_acl.go, hujson.Format].
    first = run(lambda: tailnet(policy=POLICY)).one("tailscale:Acl").inputs
    assert json.loads(first["acl"]) == POLICY
    assert list(json.loads(first["acl"])) == list(POLICY)
    assert run(lambda: tailnet(policy=POLICY)).one("tailscale:Acl").inputs == first


def test_a_policy_written_by_hand_is_overwritten_only_where_that_is_said(run: Run) -> None:
    assert "overwriteExistingContent" not in run(tailnet).one("tailscale:Acl").inputs
    assert run(lambda: tailnet(overwrite=True)).one("tailscale:Acl").inputs["overwriteExistingContent"] is True


def test_the_policy_is_protected_and_never_reset_to_the_default(run: Run) -> None:
    # `reset_acl_on_destroy` would leave Tailscale's default policy, which allows everything.
    found = run(tailnet).one("tailscale:Acl")
    assert found.protect
    assert "resetAclOnDestroy" not in found.inputs


def test_magic_dns_is_kept_for_destroying_it_turns_it_off(run: Run) -> None:
    # [TFT resource_dns_preferences.go, delete]
    found = run(tailnet).one("tailscale:DnsPreferences")
    assert found.inputs == {"magicDns": True}
    assert found.protect
    assert found.retain


def test_of_the_settings_only_https_is_said_and_what_else_the_owner_says(run: Run) -> None:
    # What is not said stays as the tailnet has it [TFT resource_tailnet_settings.go].
    found = run(tailnet).one("tailscale:TailnetSettings")
    assert found.inputs == {"httpsEnabled": True}
    assert not found.protect
    said = TailnetSettings(https_enabled=False, devices_approval_on=True, devices_key_duration_days=90)
    assert run(lambda: tailnet(settings=said)).one("tailscale:TailnetSettings").inputs == {
        "httpsEnabled": False,
        "devicesApprovalOn": True,
        "devicesKeyDurationDays": 90,
    }


def test_magic_dns_alone_has_one_writer_and_leaves_the_rest_of_dns_alone(run: Run) -> None:
    found = run(lambda: tailnet(dns=TailnetDns(magic_dns=False)))
    assert found.one("tailscale:DnsPreferences").inputs == {"magicDns": False}
    assert not found.all("tailscale:DnsConfiguration")


def test_the_whole_of_dns_is_written_at_once_after_the_policy_and_kept(run: Run) -> None:
    dns = TailnetDns(
        nameservers=["9.9.9.9", "100.101.102.103", "9.9.9.9"],
        override_local_dns=True,
        split_dns={"home.example.com": ["100.101.102.103"], "a.example.com": ["9.9.9.9"]},
        search_paths=["home.example.com"],
    )
    ran = run(lambda: tailnet(dns=dns))
    found = ran.one("tailscale:DnsConfiguration")
    assert found.inputs == {
        "magicDns": True,
        "overrideLocalDns": True,
        "nameservers": [{"address": "100.101.102.103"}, {"address": "9.9.9.9"}],
        "splitDns": [
            {"domain": "a.example.com", "nameservers": [{"address": "9.9.9.9"}]},
            {"domain": "home.example.com", "nameservers": [{"address": "100.101.102.103"}]},
        ],
        "searchPaths": ["home.example.com"],
    }
    # Destroying it would turn MagicDNS off too [TFT resource_dns_configuration.go, Delete].
    assert found.protect
    assert found.retain
    assert found.dependencies == {"tailscale:Acl tailnet-policy", "tailscale:DnsPreferences tailnet-dns"}
    # Other parts would undo it; this one says the same.
    assert {r.short for r in ran if "Dns" in r.short} == {"tailscale:DnsConfiguration", "tailscale:DnsPreferences"}
    assert run(lambda: tailnet(dns=TailnetDns(magic_dns=False, nameservers=[]))).one(
        "tailscale:DnsPreferences"
    ).inputs == {"magicDns": False}


def test_an_empty_list_takes_out_what_there_was(run: Run) -> None:
    found = run(lambda: tailnet(dns=TailnetDns(nameservers=[]))).one("tailscale:DnsConfiguration")
    assert found.inputs == {
        "magicDns": True,
        "overrideLocalDns": False,
        "nameservers": [],
        "splitDns": [],
        "searchPaths": [],
    }
