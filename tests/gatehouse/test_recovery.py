"""Mending a state that a killed run left; its form is the engine's (`pulumi stack export`)."""

from __future__ import annotations

from typing import Any

from gatehouse.engine.recovery import open_operations, settled, what_to_say

_URN = "urn:pulumi:alfred::gatehouse::gatehouse:index:ZeroTrustApp$cloudflare:index/{0}:{1}::{2}"
RECORD = _URN.format("dnsRecord", "DnsRecord", "grafana-dns")
GROUP = _URN.format("zeroTrustAccessGroup", "ZeroTrustAccessGroup", "people")


def pending(kind: str, urn: str, **inputs: Any) -> dict[str, Any]:
    return {"type": kind, "resource": {"urn": urn, "custom": True, "type": "t", "inputs": inputs, "parent": "p"}}


def state(*operations: dict[str, Any], resources: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"resources": [{"urn": urn, "id": "old"} for urn in resources], "pending_operations": list(operations)}


def test_open_operations_are_named_as_people_know_them() -> None:
    secret = {"metadata": {"namespace": "cloudflared", "name": "token"}}
    found = open_operations(
        state(pending("creating", RECORD, name="grafana.example.com"), pending("x", GROUP, **secret))
    )
    assert [str(one) for one in found] == [
        "creating DnsRecord/grafana-dns (grafana.example.com)",
        "x ZeroTrustAccessGroup/people (cloudflared/token)",
    ]
    assert open_operations(None) == open_operations({}) == []


def test_what_was_made_becomes_a_resource_and_what_was_not_is_forgotten() -> None:
    before = state(pending("creating", RECORD, name="g"), pending("creating", GROUP, name="p"))
    after = settled(before, {RECORD: "id-1"})
    assert after == {
        "resources": [
            {
                "urn": RECORD,
                "custom": True,
                "type": "t",
                "inputs": {"name": "g"},
                "parent": "p",
                "id": "id-1",
                "outputs": {"name": "g"},
            }
        ]
    }
    assert len(before["pending_operations"]) == 2


def test_what_was_changed_or_deleted_stays_for_a_refresh_to_look_at() -> None:
    before = state(pending("updating", RECORD), pending("deleting", GROUP), resources=(RECORD, GROUP))
    assert settled(before, {RECORD: "new"}) == {"resources": before["resources"]}


def test_what_is_in_the_state_already_is_not_put_in_again() -> None:
    before = state(pending("creating", RECORD), resources=(RECORD,))
    assert settled(before, {RECORD: "new"})["resources"] == before["resources"]


def test_the_user_is_told_what_to_look_for_and_how_to_answer() -> None:
    text = what_to_say(
        "alfred", open_operations(state(pending("creating", RECORD, name="g"), pending("creating", GROUP)))
    )
    assert "  DnsRecord/grafana-dns: g\n  ZeroTrustAccessGroup/people\n" in text
    assert "refresh --stack alfred --made DnsRecord/grafana-dns=ID --not-made ZeroTrustAccessGroup/people" in text
