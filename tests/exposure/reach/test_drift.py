"""Differences between two surfaces, as sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exposure.reach import surface as s
from exposure.reach.drift import differences
from exposure.reach.surface import Group, Policy, Selector, Surface
from tests.exposure.reach.kit import BYPASS, app, rule, world

A = "a.example.com"
ALICE = Policy("allow", (Selector("group", "", Group((Selector("email", "alice@example.com"),))),), name="home")
EVERYONE = Selector("everyone")
GUARDED = world(rule(A, None, A), apps=(app(A, ALICE),))


def told(before: Surface, found: Surface) -> list[str]:
    return differences(before, found, {}, {})


def test_a_surface_does_not_differ_from_itself() -> None:
    assert told(GUARDED, GUARDED) == []
    assert differences(GUARDED, GUARDED, {"home": ALICE}, {"home": ALICE}) == []


def test_who_is_added_to_a_policy_is_told_whether_it_is_in_a_group_or_not_and_whoever_uses_it() -> None:
    wide = replace(ALICE, include=(*ALICE.include, EVERYONE))
    sentence = "everyone was added to the policy 'home'"
    assert told(GUARDED, world(rule(A, None, A), apps=(app(A, wide),))) == [sentence]
    # Used by other stacks alone.
    assert differences(GUARDED, GUARDED, {"home": ALICE}, {"home": wide}) == [sentence]
    nobody = replace(ALICE, include=())
    assert differences(GUARDED, GUARDED, {"home": ALICE}, {"home": nobody}) == [
        "alice@example.com was taken out of the policy 'home'"
    ]
    denied = replace(ALICE, decision="bypass")
    assert differences(GUARDED, GUARDED, {"home": ALICE}, {"home": denied}) == [
        "the policy 'home' says bypass, was allow"
    ]


def test_a_policy_on_an_application_that_is_gone_or_new_is_told() -> None:
    both = world(rule(A, None, A), apps=(app(A, ALICE, replace(BYPASS, name="open")),))
    assert told(GUARDED, both) == ["the policy 'open' was added to the application of a.example.com"]
    assert "the policy 'open' was taken off the application of a.example.com" in told(both, GUARDED)
    bare = world(rule(A, None, A))
    assert "no Access application covers a.example.com any longer" in told(GUARDED, bare)


def test_a_jwt_check_behind_an_application_is_told_though_nobody_gains() -> None:
    off = world(rule(A, None), apps=(app(A, ALICE),))
    assert told(GUARDED, off) == ["the JWT check is off for a.example.com"]
    assert told(off, GUARDED) == ["the JWT check is on for a.example.com"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"proxied": False}, "blog's record goes past Cloudflare (unproxied)"),
        ({"content": "203.0.113.9"}, "blog's record leads to 203.0.113.9, was 203.0.113.7"),
        ({"host": "b.example.com"}, "blog's record is gone: nothing answers at a.example.com"),
    ],
)
def test_a_record_that_is_another_is_told(change: dict[str, object], sentence: str) -> None:
    record = s.Record(A, "A", "203.0.113.7", True, None, "blog")
    before = replace(GUARDED, records=(record,))
    after = replace(GUARDED, records=(replace(record, **change),))  # type: ignore[arg-type]
    assert sentence in told(before, after)


def test_the_tailnet_and_the_cluster_are_told() -> None:
    ingress = s.TailnetIngress("wiki", "wiki", "wiki:80", ("tag:wiki",), False)
    before = replace(GUARDED, tailnet_ingresses=(ingress,), tailnet=s.Tailnet("t.ts.net", {"grants": []}))
    after = replace(
        before,
        tailnet_ingresses=(replace(ingress, funnel=True),),
        tailnet=s.Tailnet("t.ts.net", {"grants": [1]}, magic_dns=False),
        node_ports=(s.NodePort("game", "udp", 1, 30000),),
    )
    assert told(before, after) == [
        "the tailnet's policy is another",
        "MagicDNS of the tailnet is off",
        "wiki is open to the internet by Funnel",
        "port 30000 of the node leads to game",
    ]
    assert "the tailnet has no wiki any longer" in told(before, replace(before, tailnet_ingresses=()))
    assert told(GUARDED, replace(GUARDED, tunnels=()))[-1].startswith("the tunnel ")
