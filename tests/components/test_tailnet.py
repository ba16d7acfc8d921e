"""Tailnet: the policy, MagicDNS and HTTPS, of which there is one each."""

from __future__ import annotations

import json

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


def test_of_the_settings_only_https_is_said(run: Run) -> None:
    # What is not said stays as the tailnet has it [TFT resource_tailnet_settings.go].
    found = run(tailnet).one("tailscale:TailnetSettings")
    assert found.inputs == {"httpsEnabled": True}
    assert not found.protect


def test_both_can_be_switched_off(run: Run) -> None:
    found = run(lambda: tailnet(magic_dns=False, https=False))
    assert found.one("tailscale:DnsPreferences").inputs == {"magicDns": False}
    assert found.one("tailscale:TailnetSettings").inputs == {"httpsEnabled": False}
