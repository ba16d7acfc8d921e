"""What a refresh read, and a state without what is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import EngineEvent

from gatehouse.engine.drift import Reading, deleted_tunnels, meaning, without
from gatehouse.engine.progress import Progress
from tests.kit.builders import HTML, stack_text

TUNNEL = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
POLICY = "tailscale:index/acl:Acl"


def urn(type_: str) -> str:
    return f"urn:pulumi:alfred::gatehouse::{type_}::it"


def read(type_: str, before: dict[str, Any] | None, found: dict[str, Any] | None) -> dict[str, Reading]:
    """As the engine's events have it: a refresh begins, and ends with what was read as outputs."""

    def state(outputs: dict[str, Any] | None) -> dict[str, Any] | None:
        about = {"urn": urn(type_), "type": type_, "id": "t1", "parent": "", "inputs": before, "outputs": outputs}
        return None if outputs is None else about

    progress = Progress("x")
    about = {"urn": urn(type_), "type": type_, "old": state(before), "new": state(found)}
    progress.on_event(EngineEvent.from_json({"resourcePreEvent": {"metadata": {**about, "op": "refresh"}}}))
    progress.on_event(EngineEvent.from_json({"resOutputsEvent": {"metadata": {**about, "op": "update"}}}))
    return progress.read


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.alfred.yaml").write_text(stack_text({"wiki": HTML}))
    return tmp_path


def test_what_was_read_counts_also_where_the_provider_leaves_the_inputs_as_they_were(project: Path) -> None:
    record = {"name": "wiki-alfred.example.com", "type": "CNAME", "content": "t1.cfargotunnel.com", "proxied": True}
    told = meaning(project, "alfred", read(RECORD, record, {**record, "proxied": False, "modifiedOn": "2026"}), False)
    assert "- wiki-alfred.example.com's record goes past Cloudflare (unproxied)" in told
    assert meaning(project, "alfred", read(RECORD, record, {**record, "modifiedOn": "2026"}), False) == []
    assert meaning(project, "alfred", {}, False) == []


def test_a_resource_that_is_gone_is_told(project: Path) -> None:
    record = {"name": "wiki-alfred.example.com", "type": "A", "content": "203.0.113.7", "proxied": True}
    told = " ".join(" ".join(meaning(project, "alfred", read(RECORD, record, None), False)).split())
    assert "(1 resource)" in told
    assert "nothing answers at wiki-alfred.example.com" in told


def test_a_service_token_that_is_gone_lets_nobody_in_and_is_not_told_as_another(project: Path) -> None:
    access = "cloudflare:index/zeroTrustAccess"
    token = {"name": "Gatehouse phone", "clientId": "c.access"}
    policy = {"name": "tokens", "decision": "non_identity", "includes": [{"serviceToken": {"tokenId": "t1"}}]}
    uri = "wiki-alfred.example.com"
    application = {
        "name": "Wiki",
        "type": "self_hosted",
        "destinations": [{"type": "public", "uri": uri}],
        "policies": [{"id": "t1", "precedence": 1}],
    }
    rules = {
        "tunnelId": "t1",
        "config": {
            "ingresses": [{"hostname": uri, "service": "http://web.web:8080"}, {"service": "http_status:404"}],
        },
    }
    record = {"name": uri, "type": "CNAME", "content": "t1.cfargotunnel.com", "proxied": True}
    there = {
        **read(f"{access}Policy:ZeroTrustAccessPolicy", policy, policy),
        **read(f"{access}Application:ZeroTrustAccessApplication", application, application),
        **read("cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig", rules, rules),
        **read(TUNNEL, {"name": "alfred"}, {"name": "alfred"}),
        **read(RECORD, record, record),
    }
    gone = read(f"{access}ServiceToken:ZeroTrustAccessServiceToken", token, None)
    told = " ".join(" ".join(meaning(project, "alfred", {**there, **gone}, False)).split())
    assert "was taken out of the policy 'tokens'" in told
    assert "added" not in told
    assert "WIDER" not in told
    # One that somebody else put in its place is told.
    other = {**policy, "includes": [{"serviceToken": {"tokenId": "t2"}}]}
    there |= read(f"{access}Policy:ZeroTrustAccessPolicy", policy, other)
    told = " ".join(" ".join(meaning(project, "alfred", {**there, **gone}, False)).split())
    assert "t2 was added to the policy 'tokens'" in told
    assert "WIDER" in told


def test_what_cannot_be_read_is_said_and_not_passed_over(project: Path) -> None:
    told = " ".join(meaning(project, "alfred", read(POLICY, {"acl": "{}"}, {"acl": "not a policy {"}), True))
    assert told.startswith("Changed by the run that was ended, or by somebody else; what")
    assert "what it means for who reaches what cannot be told" in told
    assert "HuJSON" in told


def test_a_tunnel_with_a_day_of_deletion_is_deleted_and_one_without_is_not() -> None:
    there = {"name": "alfred", "deletedAt": None}
    assert deleted_tunnels(read(TUNNEL, there, there)) == []
    [tunnel] = deleted_tunnels(read(TUNNEL, there, {**there, "deletedAt": "2026-01-02T03:04:05Z"}))
    assert str(tunnel) == "tunnel alfred was deleted in Cloudflare on 2026-01-02: everything behind it is down"
    assert tunnel.urn == urn(TUNNEL)


def test_a_state_without_a_resource_keeps_what_depended_on_it() -> None:
    rules = {
        "urn": "rules",
        "dependencies": ["tunnel", "app"],
        "propertyDependencies": {"tunnelId": ["tunnel"], "config": ["app"]},
        "deletedWith": "tunnel",
    }
    state: dict[str, Any] = {"manifest": {}, "resources": [{"urn": "tunnel", "protect": True}, {"urn": "app"}, rules]}
    assert without(state, "tunnel") == {
        "manifest": {},
        "resources": [
            {"urn": "app"},
            {"urn": "rules", "dependencies": ["app"], "propertyDependencies": {"tunnelId": [], "config": ["app"]}},
        ],
    }
    assert state["resources"][0] == {"urn": "tunnel", "protect": True}
    assert rules["deletedWith"] == "tunnel"
