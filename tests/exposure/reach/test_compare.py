"""Who could and who can: what counts as wider."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]

from exposure.reach import surface as s
from exposure.reach.compare import Change, compare
from exposure.reach.surface import Surface
from tests.exposure.reach import naive, worlds
from tests.exposure.reach.kit import BYPASS, allow, app, rule, world
from tests.kit.profiles import NIGHTLY

A, B = "a.example.com", "b.example.com"
ALICE, BOTH = allow("alice@example.com"), allow("alice@example.com", "bob@example.com")
GUARDED = world(rule(A, None, A), apps=(app(A, ALICE),))
POLICY: dict[str, Any] = {
    "tagOwners": {"tag:wiki": ["autogroup:admin"], "tag:ci": ["autogroup:admin"]},
    "groups": {"group:admins": ["alice@example.com"]},
    "grants": [{"src": ["group:admins"], "dst": ["tag:wiki"], "ip": ["tcp:443"]}],
}


def _tailnet(**changes: Any) -> Surface:
    funnel = changes.pop("funnel", False)
    wiki = s.TailnetIngress("wiki", "wiki", "wiki:80", ("tag:wiki",), funnel)
    return world(policy={**POLICY, **changes}, tailnet_ingresses=[wiki])


def _texts(changes: tuple[Change, ...]) -> list[tuple[str, str, str, str]]:
    return [(c.kind, c.place.text, c.before.text(), c.now.text()) for c in changes]


@pytest.mark.parametrize("surface", [GUARDED, _tailnet()])
def test_a_surface_does_not_differ_from_itself(surface: Surface) -> None:
    assert compare(surface, surface) == ()


def test_one_more_person_is_wider_and_one_less_narrower() -> None:
    more = world(rule(A, None, A), apps=(app(A, BOTH),))
    alice, both = "alice@example.com after login", "alice@example.com, bob@example.com after login"
    assert _texts(compare(GUARDED, more)) == [("wider", f"{A}/", alice, both)]
    assert _texts(compare(more, GUARDED)) == [("narrower", f"{A}/", both, alice)]
    assert [str(p) for p in compare(GUARDED, more)[0].gains] == ["bob@example.com"]


def test_one_person_for_another_is_wider_and_narrower() -> None:
    swapped = world(rule(A, None, A), apps=(app(A, allow("bob@example.com")),))
    assert [c.kind for c in compare(GUARDED, swapped)] == ["wider and narrower"]
    assert compare(GUARDED, swapped)[0].wider


def test_a_login_taken_away_is_wider_for_anyone() -> None:
    changes = compare(GUARDED, world(rule(A)))
    assert _texts(changes) == [("wider", f"{A}/", "alice@example.com after login", "anyone")]


def test_a_new_bypass_is_wider_on_its_path_alone() -> None:
    opened = world(rule(A, "^/api(/|$)"), rule(A, None, A, f"{A}/api"), apps=(app(A, ALICE), app(f"{A}/api", BYPASS)))
    change = compare(GUARDED, opened)[0]
    assert (change.place.text, change.now.text(), len(compare(GUARDED, opened))) == (f"{A}/api", "anyone", 1)
    assert all(place.request.path.startswith("/api/") for place in change.more)


def _hooks(*ips: str) -> Surface:
    policy = s.addresses_policy(ips) if ips else BYPASS
    return world(rule(A, "^/hooks(/|$)"), rule(A, None, A), apps=(app(A, ALICE), app(f"{A}/hooks", policy)))


def test_one_more_address_is_wider_and_one_less_narrower_and_none_at_all_is_anyone() -> None:
    one, two = "203.0.113.0/24", "198.51.100.7/32"
    at_one, at_both = f"anyone at {one}", f"anyone at {two} or at {one}"
    for was, now, kind, before, after in (
        (_hooks(one), _hooks(one, two), "wider", at_one, at_both),
        (_hooks(one, two), _hooks(one), "narrower", at_both, at_one),
        (_hooks(one), _hooks(two), "wider", at_one, f"anyone at {two}"),
        (_hooks(one), _hooks(), "wider", at_one, "anyone"),
        (_hooks(), _hooks(one), "narrower", "anyone", at_one),
        (GUARDED, _hooks(one), "wider", "alice@example.com after login", at_one),
        # Alice may come from anywhere again.
        (_hooks(one), GUARDED, "wider", at_one, "alice@example.com after login"),
    ):
        changes = [c for c in compare(was, now) if c.place.text == f"{A}/hooks"]
        assert [(c.kind.partition(" ")[0], c.before.text(), c.now.text()) for c in changes] == [(kind, before, after)]


def test_a_rule_that_matches_more_without_a_jwt_is_wider() -> None:
    before = world(rule(A, "^/api(/|$)"), rule(A, None, A))
    after = world(rule(A, "/api"), rule(A, None, A))
    changes = compare(before, after)
    assert changes
    assert all(c.kind == "wider" and "api" in c.place.request.path for c in changes)


def test_a_bypass_over_a_rule_without_a_jwt_is_wider_where_they_meet_and_nowhere_else() -> None:
    # The rule's expression is not anchored: the two meet in paths that neither has as an example of its own.
    def opened(api: s.Policy) -> Surface:
        return world(rule(A, "v[0-9]+/pub"), rule(A, None, A), apps=(app(A, ALICE), app(f"{A}/api/*", api)))

    assert compare(opened(ALICE), opened(ALICE)) == ()
    change, *others = compare(opened(ALICE), opened(BYPASS))
    assert (change.now.text(), others) == ("anyone", [])
    for place in (change.place, *change.more):
        assert re2.search(r"^/api/.*v[0-9]+/pub", place.request.path), place.text


def test_a_new_host_is_wider_and_one_that_is_gone_narrower() -> None:
    both = world(rule(A, None, A), rule(B), apps=(app(A, ALICE),))
    assert _texts(compare(GUARDED, both)) == [("wider", f"{B}/", "nobody", "anyone")]
    assert [c.gone for c in compare(both, GUARDED)] == [True]


def test_everything_is_new_without_a_base() -> None:
    assert _texts(compare(None, GUARDED)) == [("wider", f"{A}/", "nobody", "alice@example.com after login")]


def test_a_wildcard_opens_deeper_names_too() -> None:
    wide = world(rule(A, None, A), rule("*.example.com"), hosts=(A, "*.example.com"), apps=(app(A, ALICE),))
    assert {c.place.text for c in compare(GUARDED, wide)} == {"*.example.com/"}
    deep = replace(wide, zones=(s.Zone("example.com", True, True),))
    assert {c.place.request.host for c in compare(wide, deep)} == {"any.any-name.example.com"}


def test_a_funnel_on_a_private_service_is_wider_only_with_its_attribute() -> None:
    assert compare(_tailnet(), _tailnet(funnel=True)) == ()
    attribute = [{"target": ["tag:wiki"], "attr": ["funnel"]}]
    changes = compare(_tailnet(), _tailnet(funnel=True, nodeAttrs=attribute))
    assert _texts(changes) == [("wider", "wiki.tail.ts.net/", "alice@example.com from the tailnet", "anyone")]


@pytest.mark.parametrize(
    ("grant", "place"),
    [
        ({"src": ["autogroup:member"], "dst": ["tag:wiki"], "ip": ["tcp:443"]}, "wiki.tail.ts.net/"),
        ({"src": ["tag:ci"], "dst": ["tag:wiki"], "ip": ["*"]}, "wiki.tail.ts.net/"),
        ({"src": ["group:admins"], "dst": ["tag:wiki"], "ip": ["tcp:22"]}, "tag:wiki:22/tcp"),
        ({"src": ["*"], "dst": ["tag:ci"], "ip": ["udp:53"]}, "tag:ci:53/udp"),
    ],
)
def test_a_wider_grant_is_found_wherever_it_opens_something(grant: dict[str, Any], place: str) -> None:
    changes = compare(_tailnet(), _tailnet(grants=[*POLICY["grants"], grant]))
    assert place in {c.place.text for c in changes if c.wider}


def test_a_person_added_to_a_group_of_the_policy_is_wider() -> None:
    groups = {"group:admins": ["alice@example.com", "bob@example.com"]}
    assert [[str(p) for p in c.gains] for c in compare(_tailnet(), _tailnet(groups=groups))] == [["bob@example.com"]]


@pytest.mark.parametrize("seed", range(50 if NIGHTLY else 2))
def test_another_origin_of_a_rule_is_seen_wherever_a_request_gets_to_it(seed: int) -> None:
    random = Random(seed)
    hits = 0
    for _ in range(40):
        found = worlds.world(random)
        surface = worlds.as_surface(found, random)
        number = random.randrange(len(found.rules))
        rule_, tunnel = found.rules[number], surface.tunnels[0]
        if rule_[2].startswith("http_status:"):
            continue
        rules = list(tunnel.rules or ())
        rules[number] = replace(rules[number], origin="http://vault.vault.svc.cluster.local:80")
        moved = compare(surface, replace(surface, tunnels=(replace(tunnel, rules=tuple(rules)),)))
        assert all(change.wider and change.moved for change in moved)
        for _ in range(150):
            host, port, path, who, protocol = worlds.request(found, random)
            record = naive.record_for(found, host)
            web = host not in {*found.machines, *found.devices} and record and record[1] and record[2] == "tunnel"
            if not web or protocol == "udp" or naive.ask(found, host, port, path, who) == "no":
                continue
            # Two rules may be alike: the first of them is asked.
            if found.rules.index(naive.tunnel_rule(found, host, path)) == number:
                assert moved, (host, path, who, found)
                hits += 1
    assert hits


def test_a_rule_taken_away_does_not_say_that_what_it_called_at_home_is_gone() -> None:
    nas = rule(B, origin="http://192.168.0.9:8123")
    home = {"node": s.AtHome("alfred", "192.168.0.7")}
    before, now = world(rule(A), nas, known=home), world(rule(A), known=home)
    assert [c.place.request.host for c in compare(before, now)] == [B]
    assert [c.place.request.host for c in compare(now, before)] == [B]
    # What a Service opens at the node is another thing: without it nothing answers there.
    opened = [s.NodePort("games", "udp", 34197, 30197, "game", "alfred", "app=game", 34197)]
    gone = compare(world(rule(A), known=home, node_ports=opened), now)
    assert [(c.kind, c.place.text) for c in gone] == [("narrower", "192.168.0.7:30197/udp")]


def _at_home(*policy: str, origin: str = "192.168.0.7", **nodes: str) -> Surface:
    """Nodes with SSH, each at its address; a panel by a URL, and grants of TCP 22 at addresses."""
    grants: list[Any] = [{"src": ["group:admins"], "dst": [to], "ip": ["tcp:22"]} for to in policy]
    return world(
        rule(A, origin=f"tcp://{origin}:22"),
        policy={**POLICY, "grants": grants},
        nodes=[s.AtHome(name, address, (("tcp", 22),)) for name, address in nodes.items()],
    )


def test_a_node_that_moves_at_home_is_the_same_and_what_no_longer_leads_to_it_is_told() -> None:
    old, new, nas = "192.168.0.7", "192.168.0.8", "192.168.0.9"
    before = _at_home(alfred=old)
    assert compare(before, _at_home(alfred=new, origin=new)) == ()
    # The panel leads to whatever is at the old address now.
    assert [(c.place.request.host, bool(c.moved)) for c in compare(before, _at_home(alfred=new))] == [(A, True)]
    # Two nodes change places, and one takes the place of one that goes.
    both = _at_home(alfred=old, octavo=new)
    assert compare(both, _at_home(alfred=new, octavo=old, origin=new)) == ()
    assert compare(both, _at_home(alfred=nas, octavo=old, origin=nas)) == ()
    assert [c.wider for c in compare(both, _at_home(alfred=new, origin=new))] == []

    def told(before: Surface, *policy: str) -> list[tuple[str, str]]:
        return [(c.kind, c.place.text) for c in compare(before, _at_home(*policy, alfred=new, origin=new))]

    # A rule about the address goes on to be about the address, whoever is there.
    assert told(_at_home(old, alfred=old), new) == []
    assert ("narrower", f"{new}:22/tcp") in told(_at_home(old, alfred=old), old)
    assert ("wider", f"{new}:22/tcp") in told(_at_home(new, alfred=old), new)
    assert told(_at_home("192.168.0.0/24", alfred=old), "192.168.0.0/24") == []


def test_a_node_that_moves_into_a_range_that_people_reach_is_wider_whatever_is_known_to_answer_there() -> None:
    old, new, edge = "192.168.0.7", "192.168.0.200", "192.168.0.192/26"

    def home(address: str, *policy: str) -> Surface:
        grants: list[Any] = [{"src": ["group:admins"], "dst": [to], "ip": ["tcp:10250"]} for to in policy]
        return world(rule(A), policy={**POLICY, "grants": grants}, nodes=[s.AtHome("alfred", address, ())])

    into = compare(home(old, edge), home(new, edge))
    assert [(c.kind, c.place.text) for c in into] == [("wider", f"{new}/32:10250/tcp")]
    assert compare(home(new, edge), home(new, edge)) == ()
    assert compare(home(new, edge), home("192.168.0.201", edge)) == ()
    # Out of it, nobody reaches it by that.
    assert [c.kind for c in compare(home(new, edge), home(old, edge)) if c.wider] == []


def test_by_http_where_it_is_not_sent_on_a_name_without_certificate_is_compared_too() -> None:
    def deep(always_https: bool) -> Surface:
        zones = (s.Zone("example.com", False, always_https),)
        return world(rule("x.y.example.com"), known={"zones": zones})

    assert compare(world(known={"zones": deep(True).zones}), deep(True)) == ()
    opened = compare(world(known={"zones": deep(False).zones}), deep(False))
    assert _texts(opened) == [("wider", "http://x.y.example.com/", "nobody", "anyone")]


def test_a_way_round_an_open_path_is_wider_where_nothing_shuts_it() -> None:
    closing = replace(rule(A, r"(^|/)\.\.?(/|$)|\\"), origin="http_status:400")
    apps = (app(A, ALICE), app(f"{A}/api", BYPASS))
    rules = (rule(A, "^/api(/|$)"), rule(A, None, A))
    shut, open_ = world(closing, *rules, apps=apps), world(*rules, apps=apps)
    assert _texts(compare(shut, open_)) == [("wider", f"{A}/api/..%2f", "nobody", "anyone")]
    assert compare(open_, shut) == ()
    # Where everybody gets everywhere straight, a way round opens nothing.
    assert compare(world(closing, rule(A, "^/api(/|$)"), rule(A)), world(rule(A, "^/api(/|$)"), rule(A))) == ()
