from __future__ import annotations

import json
from typing import Any

import pytest

from gatehouse.simulation.store import Store
from gatehouse.simulation.tailscale import read_hujson
from gatehouse.simulation.values import UNKNOWN, Secret
from tests.simulation.plugin import Plugin, ProviderError

ACL = "tailscale:index/acl:Acl"
DNS = "tailscale:index/dnsPreferences:DnsPreferences"
WHOLE_DNS = "tailscale:index/dnsConfiguration:DnsConfiguration"
SETTINGS = "tailscale:index/tailnetSettings:TailnetSettings"
OAUTH = "tailscale:index/oauthClient:OauthClient"

POLICY: dict[str, Any] = {
    "tagOwners": {"tag:k8s-operator": [], "tag:k8s": ["tag:k8s-operator"]},
    "groups": {"group:people": ["ada@example.com"]},
    "grants": [{"src": ["group:people"], "dst": ["tag:k8s"], "ip": ["tcp:443"]}],
    "tests": [{"src": "ada@example.com", "accept": ["tag:k8s:443"], "deny": ["tag:k8s:22"]}],
}


@pytest.fixture
def owned(tailscale: Plugin) -> Plugin:
    """A tailnet whose policy has owners for the tags."""
    tailscale.create(ACL, "policy", acl=json.dumps(POLICY))
    return tailscale


def test_hujson_is_json_with_comments_and_trailing_commas() -> None:
    text = '{\n// a comment, with "quotes"\n"a": ["x,]", /* , */ 1,], "b": "// none",}'
    assert read_hujson(text) == {"a": ["x,]", 1], "b": "// none"}


def test_a_text_that_is_no_policy_is_refused_before_any_call(tailscale: Plugin) -> None:
    assert "is invalid HuJSON" in tailscale.failures(ACL, {"acl": '{"acls": [}'})["acl"]
    assert "stands twice" in tailscale.failures(ACL, {"acl": '{"acls": [], "acls": []}'})["acl"]
    assert tailscale.failures(ACL, {"acl": UNKNOWN}) == {}
    assert tailscale.failures(ACL, {"acl": "{}", "overwrite": True}) != {}


# Texts the service gave in headscale's captured results.
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"grantz": []}, 'unknown field "grantz"'),
        ({"grants": [{"src": ["tag:no"], "dst": ["*"], "ip": ["*"]}]}, 'tag not found: "tag:no"'),
        ({"acls": [{"action": "accept", "src": ["*"], "dst": ["tag:no:22"]}]}, 'tag not found: "tag:no"'),
        ({"grants": [{"src": ["group:no"], "dst": ["*"], "ip": ["*"]}]}, 'group not found: "group:no"'),
        ({"nodeAttrs": [{"target": ["tag:no"], "attr": ["funnel"]}]}, 'tag not found: "tag:no"'),
    ],
)
def test_a_policy_the_service_refuses_is_refused_in_up(tailscale: Plugin, wrong: dict[str, Any], words: str) -> None:
    text = json.dumps({**POLICY, "tests": [], **wrong})
    assert tailscale.create(ACL, "policy", preview=True, acl=text).id == ""
    with pytest.raises(ProviderError, match=rf"{words} \(400\)"):
        tailscale.create(ACL, "policy", acl=text)


def test_a_policy_whose_own_tests_fail_is_refused_with_no_more_than_that(tailscale: Plugin) -> None:
    wrong = {**POLICY, "tests": [{"src": "ada@example.com", "accept": ["tag:k8s:22"]}]}
    with pytest.raises(ProviderError, match=r"^Failed to set ACL: test\(s\) failed \(400\)$"):
        tailscale.create(ACL, "policy", acl=json.dumps(wrong))
    assert tailscale.create(ACL, "policy", acl=json.dumps(POLICY)).id


def test_a_policy_of_someone_else_is_not_overwritten_unasked(owned: Plugin) -> None:
    with pytest.raises(ProviderError, match="Overwrite Protected"):
        owned.create(ACL, "again", acl="{}")
    owned.create(ACL, "again", acl='{"grants": []}', overwriteExistingContent=True)


def test_a_destroyed_policy_stays_unless_it_was_to_be_reset(tailscale: Plugin) -> None:
    first = tailscale.create(ACL, "policy", acl=json.dumps(POLICY))
    first.delete()
    with pytest.raises(ProviderError, match="Overwrite Protected"):
        tailscale.create(ACL, "policy", acl="{}")
    second = tailscale.create(ACL, "policy", acl="{}", overwriteExistingContent=True, resetAclOnDestroy=True)
    second.delete()
    tailscale.create(ACL, "policy", acl=json.dumps(POLICY))


def test_white_space_in_a_policy_is_no_difference_and_a_comment_is(tailscale: Plugin) -> None:
    made = tailscale.create(ACL, "policy", acl=json.dumps(POLICY))
    assert made.changes(acl=json.dumps(POLICY, indent=2)) == {}
    assert made.changes(acl="// ours\n" + json.dumps(POLICY)) == {"acl": "update"}
    assert made.changes(acl="{}") == {"acl": "update"}


def test_destroying_the_dns_preferences_turns_magic_dns_off(tailscale: Plugin, store: Store) -> None:
    made = tailscale.create(DNS, "dns", magicDns=True)
    made.delete()
    kept = store.get("tailscale/dns-preferences")
    assert kept is not None
    assert kept["body"]["magicDns"] is False


def test_magic_dns_is_one_switch_and_a_destroyed_configuration_turns_it_off(tailscale: Plugin) -> None:
    # The provider's delete writes a configuration that says nothing [TFT resource_dns_configuration.go].
    preferences = tailscale.create(DNS, "dns", magicDns=False)
    whole = tailscale.create(WHOLE_DNS, "whole", nameservers=[{"address": "9.9.9.9"}], overrideLocalDns=True)
    read = preferences.refresh()
    assert read is not None
    assert read["magicDns"] is True
    whole.delete()
    read = preferences.refresh()
    assert read is not None
    assert read["magicDns"] is False
    found = tailscale.import_(WHOLE_DNS, "again", "dns_configuration")
    assert found is not None
    assert found.inputs.get("nameservers", []) == []


@pytest.mark.parametrize("wrong", [["9.9.9.9", "1.1.1.1", "8.8.8.8"], ["1.1.1.1", "8.8.8.8", "9.9.9.9"]])
def test_a_refresh_finds_nameservers_in_another_order_unless_they_are_in_that_of_their_text(
    tailscale: Plugin, wrong: list[str]
) -> None:
    # The provider looks each up by a binary search in what the API answered [the same, reconcileNameservers].
    servers = [{"address": address} for address in wrong]
    read = tailscale.create(WHOLE_DNS, "whole", nameservers=servers).refresh()
    assert read is not None
    assert (read["nameservers"] == servers) == (wrong == sorted(wrong))


def test_what_is_no_address_and_a_domain_with_no_nameserver_are_refused(tailscale: Plugin) -> None:
    # In the plugin's own words.
    (said,) = tailscale.failures(WHOLE_DNS, {"splitDns": [{"domain": "a.example", "nameservers": []}]}).values()
    assert 'At least 1 "nameservers" blocks are required' in said
    assert tailscale.failures(WHOLE_DNS, {"nameservers": ["9.9.9.9"], "split": []})
    with pytest.raises(ProviderError, match="invalid IP nowhere"):
        tailscale.create(WHOLE_DNS, "x", nameservers=[{"address": "nowhere"}])
    with pytest.raises(ProviderError, match="invalid key duration 181"):
        tailscale.create(SETTINGS, "x", devicesKeyDurationDays=181)


def test_what_every_tailnet_has_can_be_imported(tailscale: Plugin) -> None:
    expected: tuple[tuple[str, str, dict[str, Any]], ...] = (
        (ACL, "acl", {"acl": '{"grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]}]}'}),
        (DNS, "dns_preferences", {"magicDns": True}),
    )
    for type_, id_, inputs in expected:
        found = tailscale.import_(type_, "x", id_)
        assert found is not None
        assert found.inputs == inputs
    settings = tailscale.import_(SETTINGS, "x", "tailnet_settings")
    assert settings is not None
    assert settings.inputs["httpsEnabled"] is False


def test_settings_not_given_are_kept_and_destroying_changes_none(tailscale: Plugin) -> None:
    first = tailscale.create(SETTINGS, "one", httpsEnabled=True)
    assert (first["httpsEnabled"], first["devicesApprovalOn"]) == (True, False)
    first.delete()
    assert tailscale.create(SETTINGS, "two", devicesApprovalOn=True)["httpsEnabled"] is True


def test_keys_are_secret_and_known_to_nobody_but_the_state(owned: Plugin, store: Store) -> None:
    shown = owned.create(OAUTH, "oauth", preview=True, scopes=["devices:core"], tags=["tag:k8s-operator"])
    assert shown["key"] == Secret(UNKNOWN)
    client = owned.create(OAUTH, "oauth", scopes=["devices:core"], tags=["tag:k8s-operator"])
    assert isinstance(client["key"], Secret)
    assert client["key"].value.startswith("tskey-client-")
    assert client["key"].value not in store.path.read_text()
    read = client.refresh()
    assert read is not None
    assert read["key"] == client["key"]


def test_a_key_is_found_by_the_id_of_its_state_and_an_import_does_not_know_it(owned: Plugin) -> None:
    key = owned.create(OAUTH, "key", scopes=["devices:core"], tags=["tag:k8s"])
    assert key["id"] == key.id
    found = owned.import_(OAUTH, "key", key.id)
    assert found is not None
    assert "key" not in found.outputs
    key.outputs = dict(key.inputs)
    for act in (key.refresh, key.delete):
        with pytest.raises(ProviderError, match='with id ""'):
            act()


def test_tags_without_an_owner_in_the_policy_are_refused(tailscale: Plugin) -> None:
    with pytest.raises(ProviderError, match=r"requested tags \[tag:k8s\] are invalid or not permitted"):
        tailscale.create(OAUTH, "x", tags=["tag:k8s"], scopes=["devices:core"])
    with pytest.raises(ProviderError, match="tags are required"):
        tailscale.create(OAUTH, "x", scopes=["auth_keys"])
    with pytest.raises(ProviderError, match='invalid scope "device:core"'):
        tailscale.create(OAUTH, "x", scopes=["device:core"])


def test_a_client_is_updated_and_the_order_of_its_scopes_is_no_difference(owned: Plugin) -> None:
    client = owned.create(OAUTH, "oauth", scopes=["dns", "policy_file"])
    assert client.changes(scopes=["policy_file", "dns"]) == {}
    assert client.changes(scopes=["dns"]) == {"scopes[1]": "delete"}
