"""What a killed run left open: read from a state in the engine's form (`pulumi stack export`), and looked for."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from gatehouse.adopt.things import Thing, identity
from gatehouse.engine.recovery import (
    completed,
    made_since,
    open_operations,
    recognised,
    tunnels_without_secret,
    without,
)

_URN = "urn:pulumi:alfred::gatehouse::gatehouse:index:ZeroTrustApp${0}::{1}"
RECORD = _URN.format("cloudflare:index/dnsRecord:DnsRecord", "grafana-dns")
GROUP = _URN.format("cloudflare:index/zeroTrustAccessGroup:ZeroTrustAccessGroup", "people")
SERVICE = _URN.format("kubernetes:core/v1:Service", "game-nodeport")
TUNNEL = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
# How a state marks a secret: https://github.com/pulumi/pulumi, sdk/go/common/resource/sig.
SEALED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x:y"}


def pending(kind: str, urn: str, **inputs: Any) -> dict[str, Any]:
    return {"type": kind, "resource": {"urn": urn, "custom": True, "type": "t", "inputs": inputs, "parent": "p"}}


def state(*operations: dict[str, Any], resources: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"resources": [{"urn": urn, "id": "old"} for urn in resources], "pending_operations": list(operations)}


def creating(urn: str, **inputs: Any) -> Any:
    return open_operations(state(pending("creating", urn, **inputs)))


def record(own: str, **inputs: Any) -> Thing:
    return Thing("DnsRecord", f"zone/{own}", {"name": "g.example.com", "type": "CNAME", **inputs}, own)


def test_open_operations_are_named_as_people_know_them() -> None:
    secret = {"metadata": {"namespace": "cloudflared", "name": "token"}}
    found = open_operations(
        state(pending("creating", RECORD, name="grafana.example.com"), pending("updating", GROUP, **secret))
    )
    assert [str(one) for one in found] == [
        "creating DnsRecord/grafana-dns (grafana.example.com)",
        "updating ZeroTrustAccessGroup/people (cloudflared/token)",
    ]
    assert open_operations(None) == open_operations({}) == []


def test_what_was_being_made_is_recognised_by_what_the_account_tells_it_apart_by() -> None:
    operations = creating(RECORD, name="g.example.com", type="CNAME", content="t.cfargotunnel.com", secret=SEALED)
    other = record("other", name="h.example.com")
    address = record("address", type="A")
    ours = record("ours", content="t.cfargotunnel.com")
    assert recognised(operations, [other, address]) == {}
    assert recognised(operations, [other, address, ours]) == {"DnsRecord/grafana-dns": "zone/ours"}


def test_what_a_state_has_already_is_not_taken_twice() -> None:
    operations = creating(RECORD, name="g.example.com", type="CNAME")
    known = Thing("DnsRecord", "zone/r1", {"name": "g.example.com", "type": "CNAME"}, "", managed=True)
    assert recognised(operations, [known]) == {}
    assert recognised(operations, [known, record("r2")]) == {"DnsRecord/grafana-dns": "zone/r2"}


def test_of_two_that_were_made_the_one_that_is_as_wanted_is_taken() -> None:
    operations = creating(RECORD, name="g.example.com", type="CNAME", proxied=True)
    things = [record("a", proxied=False), record("b", proxied=True), record("c", proxied=True)]
    assert recognised(operations, things) == {"DnsRecord/grafana-dns": "zone/b"}


def test_an_object_of_the_cluster_is_ours_by_its_name_and_our_label_only() -> None:
    labels = {"app.kubernetes.io/managed-by": "gatehouse"}
    operations = creating(SERVICE, metadata={"namespace": "game", "name": "game-forwarded", "labels": labels})

    def service(name: str, **more: Any) -> Thing:
        return Thing("Service", f"game/{name}", {"metadata": {"namespace": "game", "name": name, **more}}, name)

    assert recognised(operations, [service("game-forwarded"), service("other", labels=labels)]) == {}
    ours = service("game-forwarded", labels={**labels, "extra": "x"})
    assert recognised(operations, [ours]) == {"Service/game-nodeport": "game/game-forwarded"}


@pytest.mark.parametrize(
    ("type_", "inputs", "expected"),
    [
        ("Zone", {"name": "example.com"}, ("example.com",)),
        ("DnsRecord", {"name": "a.example.com", "type": "A", "content": "192.0.2.1"}, ("a.example.com", "A")),
        ("ZeroTrustAccessPolicy", {"name": "p", "decision": "bypass"}, ("p",)),
        (
            "ZeroTrustAccessApplication",
            {"name": "Grafana", "destinations": [{"type": "public", "uri": "g.example.com/api"}]},
            ("Grafana", "g.example.com/api"),
        ),
        # What is set and not made: to set it again does no harm, so nobody has to find it.
        ("ZoneSetting", {"settingId": "ssl"}, None),
        ("ZoneDnssec", {"status": "active"}, None),
        ("ZeroTrustTunnelCloudflaredConfig", {"tunnelId": "t"}, None),
        ("DnsPreferences", {"magicDns": True}, None),
        ("NamespacePatch", {"metadata": {"name": "media"}}, None),
        ("Namespace", {"metadata": {"name": "cloudflared"}}, ("", "cloudflared")),
    ],
)
def test_each_kind_has_what_it_is_known_by(type_: str, inputs: dict[str, Any], expected: Any) -> None:
    assert identity(type_, inputs) == expected


def test_what_was_being_made_in_place_of_another_is_open_too() -> None:
    before = state(pending("creating", RECORD), pending("deleting", GROUP), resources=(RECORD, GROUP))
    assert [(one.kind, one.name) for one in open_operations(before)] == [
        ("creating", "DnsRecord/grafana-dns"),
        ("deleting", "ZeroTrustAccessGroup/people"),
    ]


def test_only_what_is_exactly_as_wanted_and_fresh_is_a_failed_runs_own() -> None:
    operations = creating(RECORD, name="g.example.com", type="CNAME", proxied=True)
    old = record("old", proxied=True, createdOn="2026-01-01T00:00:00Z")
    new = record("new", proxied=True, createdOn="2026-11-29T01:00:00.123456Z")
    other = record("other", proxied=False, createdOn="2026-11-29T01:00:00Z")
    unknown = record("unknown", proxied=True)
    began = datetime.fromisoformat("2026-11-29T00:59:30+00:00").timestamp()
    assert made_since([old, new, other, unknown], began) == [new, other]
    assert recognised(operations, [other], exactly=True) == {}
    assert recognised(operations, [new], exactly=True) == {"DnsRecord/grafana-dns": "zone/new"}
    # No cloud says when a tailnet's policy was written; in every way as ours, it may as well be.
    policy = Thing("Acl", "acl", {"acl": "{}"}, "")
    assert made_since([policy], began) == [policy]


def test_a_tunnel_that_was_imported_gets_the_secret_that_it_has() -> None:
    urn = "urn:pulumi:alfred::gatehouse::gatehouse:index:Tunnel$" + TUNNEL + "::{}"
    tunnel = {
        "urn": urn.format("alfred-tunnel"),
        "type": TUNNEL,
        "id": "t-1",
        "inputs": {"name": "alfred", "accountId": "a"},
        "outputs": {"name": "alfred"},
    }
    whole = {
        **tunnel,
        "urn": urn.format("other"),
        "id": "t-2",
        "inputs": {"tunnelSecret": SEALED},
        "outputs": {"tunnelSecret": SEALED},
    }
    before = {"resources": [tunnel, whole], "pending_operations": [pending("creating", str(tunnel["urn"]))]}
    assert tunnels_without_secret(before) == {"ZeroTrustTunnelCloudflared/alfred-tunnel": "a/t-1"}
    assert tunnels_without_secret({"resources": [{**tunnel, "importID": "a/given"}]}) == {
        "ZeroTrustTunnelCloudflared/alfred-tunnel": "a/given"
    }
    assert tunnels_without_secret(None) == {}
    after = completed(before, lambda id_: f"secret of {id_}")
    first, second = after["resources"]
    # The form that `pulumi stack import` encrypts: a marked secret with its value in JSON.
    assert first["inputs"]["tunnelSecret"]["plaintext"] == json.dumps("secret of t-1")
    assert first["outputs"]["tunnelSecret"] == first["inputs"]["tunnelSecret"]
    assert "ciphertext" not in first["inputs"]["tunnelSecret"]
    assert second == whole
    assert tunnels_without_secret(after) == {}
    assert "pending_operations" not in after


def test_what_leaves_the_state_is_named_by_nothing_that_stays() -> None:
    group, other = {"urn": "group"}, {"urn": "other"}
    named = {"metadata": ["group"], "spec": ["other"]}
    wiki = {"urn": "wiki", "dependencies": ["group", "other"], "propertyDependencies": named}
    kept = without([group, wiki, other], [group])
    # The engine refuses a state that names what it lacks [PU pkg/resource/deploy/snapshot.go, VerifyIntegrity].
    assert [(r["urn"], r["dependencies"], r["propertyDependencies"]) for r in kept] == [
        ("wiki", ["other"], {"metadata": [], "spec": ["other"]}),
        ("other", [], {}),
    ]
