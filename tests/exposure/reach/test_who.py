"""Who reaches a URL, one fact of the way at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exposure.model import Json
from exposure.reach import ANYONE, LAN, MEMBER, Outcome, Principal, Request, who
from exposure.reach import surface as s
from exposure.reach.evaluate import Scheme, parse_principal
from exposure.reach.places import places, principals, reached, table, together
from exposure.workload import Workload
from tests.exposure.reach.kit import ALICE, BOB, BYPASS, ROUTER, ZONE, allow, app, rule, world

HOST = "grafana.example.com"
API = f"{HOST}/api"
GUARDED = world(
    rule(HOST, "^/api(/|$)"),
    rule(HOST, None, HOST, API),
    apps=(app(HOST, allow("alice@example.com")), app(API, BYPASS)),
)
FUNNELS: dict[str, Any] = {
    "tagOwners": {"tag:films": ["autogroup:admin"], "tag:wiki": ["autogroup:admin"], "tag:gatehouse-alfred": []},
    "groups": {"group:admins": ["alice@example.com"]},
    "grants": [
        {"src": ["group:admins"], "dst": ["tag:wiki"], "ip": ["tcp:443"]},
        {"src": ["group:admins"], "dst": ["tag:gatehouse-alfred"], "ip": ["tcp:22"]},
        {"src": ["autogroup:member"], "dst": ["tag:films"], "ip": ["tcp:443"]},
    ],
    "nodeAttrs": [{"target": ["tag:films"], "attr": ["funnel"]}],
}
TAILNET = world(
    policy=FUNNELS,
    tailnet_ingresses=[
        s.TailnetIngress("films", "films", "films:80", ("tag:films",), True),
        s.TailnetIngress("wiki", "wiki", "wiki:80", ("tag:wiki",), False),
    ],
    tailnet_addresses=[s.TailnetAddress("mqtt", "mqtt", (("tcp", 1883),), ("tag:wiki",))],
)


def _outcome(surface: s.Surface, host: str, principal: Principal, **request: Any) -> Outcome:
    return who(surface, Request(host, **request), principal).outcome


def test_only_the_people_of_the_policy_get_in_after_login() -> None:
    assert _outcome(GUARDED, HOST, ALICE) is Outcome.LOGIN
    assert _outcome(GUARDED, HOST, BOB) is Outcome.ACCESS_DENIED
    assert _outcome(GUARDED, HOST, ANYONE) is Outcome.ACCESS_DENIED
    assert _outcome(GUARDED, HOST, Principal("tag", "tag:films")) is Outcome.ACCESS_DENIED


def test_anyone_gets_by_on_a_bypassed_path_and_nowhere_beside_it() -> None:
    found = {
        p: who(GUARDED, Request(HOST, path=p), ANYONE).reaches for p in ("/api", "/api/x", "/apis", "/API", "/x/api")
    }
    assert found == {"/api": True, "/api/x": True, "/apis": False, "/API": False, "/x/api": False}


def test_every_step_says_what_matched_and_why() -> None:
    answer = who(GUARDED, Request(HOST), ALICE)
    assert [step.stage for step in answer.steps] == [
        *("dns", "certificate", "access", "policy", "login", "tunnel", "jwt", "origin"),
    ]
    assert all(step.matched and step.why for step in answer.steps)
    assert answer.origin == "http://web.apps.svc.cluster.local:80"
    assert "alice@example.com" in answer.steps[3].matched


def test_a_bypassed_request_has_no_jwt_for_a_rule_that_demands_one() -> None:
    surface = world(rule(HOST, None, HOST, API), apps=GUARDED.applications)
    assert _outcome(surface, HOST, ANYONE, path="/api") is Outcome.JWT_REFUSED
    assert _outcome(surface, HOST, ALICE) is Outcome.LOGIN


def test_a_rule_refuses_the_aud_of_an_application_that_it_does_not_name() -> None:
    surface = world(rule(HOST, None, API), apps=(app(HOST, allow("alice@example.com")),))
    assert _outcome(surface, HOST, ALICE) is Outcome.JWT_REFUSED


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (s.JwtCheck(False, "team", ()), Outcome.LOGIN),  # not required: cloudflared adds no check
        (s.JwtCheck(True, "", (HOST,)), Outcome.JWT_REFUSED),
        (s.JwtCheck(True, "team", ()), Outcome.JWT_REFUSED),
        (s.JwtCheck(True, "team", (), unresolved=1), Outcome.LOGIN),
    ],
)
def test_the_jwt_check_does_what_cloudflared_does(check: s.JwtCheck, expected: Outcome) -> None:
    surface = world(
        s.Rule(HOST, None, "http://web.apps.svc.cluster.local:80", check), apps=(app(HOST, allow("alice@example.com")),)
    )
    assert _outcome(surface, HOST, ALICE) is expected


def test_without_an_application_nothing_asks_who_it_is() -> None:
    assert _outcome(world(rule(HOST)), HOST, ANYONE) is Outcome.OPEN
    assert _outcome(world(rule(HOST, None, HOST)), HOST, ANYONE) is Outcome.JWT_REFUSED


def test_an_application_without_a_policy_lets_nobody_in() -> None:
    assert _outcome(world(rule(HOST), apps=(app(HOST),)), HOST, ALICE) is Outcome.ACCESS_DENIED


def test_allow_everyone_lets_in_a_stranger_with_any_account_but_no_device() -> None:
    surface = world(rule(HOST), apps=(app(HOST, s.Policy("allow", (s.Selector("everyone"),))),))
    assert _outcome(surface, HOST, ANYONE) is Outcome.LOGIN
    assert _outcome(surface, HOST, Principal("tag", "tag:films")) is Outcome.ACCESS_DENIED


def test_include_is_any_require_is_all_and_exclude_is_none() -> None:
    everyone, alice = s.Selector("everyone"), s.Selector("email", "alice@example.com")
    at_home = s.Selector("emailDomain", "example.com")
    for policy, alice_in, bob_in in [
        (s.Policy("allow", (everyone,), exclude=(alice,)), False, True),
        (s.Policy("allow", (everyone,), require=(at_home, alice)), True, False),
        (s.Policy("allow", (alice, at_home)), True, True),
        (s.Policy("allow", (s.Selector("serviceToken", "t"),)), False, False),
        (s.Policy("bypass", (alice,)), False, False),  # a bypass runs before anybody has a name
    ]:
        surface = world(rule(HOST), apps=(app(HOST, policy),))
        assert (who(surface, Request(HOST), ALICE).reaches, who(surface, Request(HOST), BOB).reaches) == (
            alice_in,
            bob_in,
        )


def test_bypass_runs_before_an_earlier_deny() -> None:
    surface = world(rule(HOST), apps=(app(HOST, s.Policy("deny", (s.Selector("everyone"),)), BYPASS),))
    assert _outcome(surface, HOST, ANYONE) is Outcome.OPEN


@pytest.mark.parametrize("policy", [s.Policy("unknown"), s.Policy("allow", (s.Selector("ip", "192.0.2.0/24"),))])
def test_what_cannot_be_known_is_taken_to_let_in(policy: s.Policy) -> None:
    answer = who(world(rule(HOST), apps=(app(HOST, policy),)), Request(HOST), ANYONE)
    assert answer.reaches
    assert "taken to" in str(answer.steps)


def test_a_name_without_record_or_outside_the_zone_is_not_there() -> None:
    assert _outcome(world(rule(HOST), hosts=()), HOST, ANYONE) is Outcome.NO_NAME
    assert _outcome(GUARDED, "grafana.example.org", ANYONE) is Outcome.NO_NAME
    assert _outcome(GUARDED, "badexample.com", ANYONE) is Outcome.NO_NAME


def test_the_free_certificate_covers_one_label_below_the_zone() -> None:
    deep = "a.b.example.com"
    surface = world(rule(deep))
    assert _outcome(surface, deep, ANYONE) is Outcome.NO_CERTIFICATE
    assert _outcome(replace(surface, zones=(s.Zone(ZONE, True, True),)), deep, ANYONE) is Outcome.OPEN
    # Over plain http nobody needs it, unless http is sent on to https.
    assert _outcome(surface, deep, ANYONE, port=80, scheme="http") is Outcome.NO_CERTIFICATE
    plain = replace(surface, zones=(s.Zone(ZONE, always_https=False),))
    assert _outcome(plain, deep, ANYONE, port=80, scheme="http") is Outcome.OPEN
    # Of a zone that is not known here nothing is said: taken to be covered.
    assert _outcome(replace(surface, zones=()), deep, ANYONE) is Outcome.OPEN


@pytest.mark.parametrize(("port", "expected"), [(443, True), (8443, True), (8444, False), (22, False)])
def test_the_edge_listens_on_its_own_ports_only(port: int, expected: bool) -> None:
    assert who(world(rule(HOST)), Request(HOST, port), ANYONE).reaches is expected


def test_a_tunnel_without_rules_or_with_a_broken_one_serves_nothing() -> None:
    for rules in (None, (), (rule(HOST, "(?=x)"),)):
        surface = replace(world(rule(HOST)), tunnels=(s.Tunnel("alfred", rules),))
        assert _outcome(surface, HOST, ANYONE) is Outcome.NO_RULES


def test_the_last_rule_answers_for_everything_else() -> None:
    answer = who(world(rule(HOST, "^/only/"), hosts=(HOST,)), Request(HOST, path="/other"), ANYONE)
    assert answer.outcome is Outcome.STATUS
    assert "404" in answer.steps[-1].why


def test_a_path_that_two_parties_may_read_apart_is_as_open_as_its_widest_reading() -> None:
    answer = who(GUARDED, Request(HOST, path="/api/%2e%2e/admin"), ANYONE)
    assert answer.outcome is Outcome.OPEN
    assert "two ways" in str(answer.steps)
    assert _outcome(GUARDED, HOST, ANYONE, path="/x/%2e%2e/admin") is Outcome.ACCESS_DENIED


def _forwarding(proxied: bool) -> s.Surface:
    return world(
        records=(s.Record("game.example.com", "A", ROUTER, proxied),),
        known={"router": (s.RouterRule(ROUTER, "tcp", 25565, 32565), s.RouterRule(ROUTER, "udp", 19132, 32132))},
        node_ports=[s.NodePort("game", "tcp", 25565, 32565)],
    )


def test_a_forwarded_port_is_open_to_anyone_and_its_neighbours_are_not() -> None:
    surface = _forwarding(proxied=False)
    assert _outcome(surface, "game.example.com", ANYONE, port=25565, scheme="tcp") is Outcome.OPEN
    assert _outcome(surface, ROUTER, ANYONE, port=25565, scheme="tcp") is Outcome.OPEN
    assert _outcome(surface, "game.example.com", ANYONE, port=25565, scheme="udp") is Outcome.NO_LISTENER
    assert _outcome(surface, "game.example.com", ANYONE, port=25566, scheme="tcp") is Outcome.NO_LISTENER
    # Forwarded, but no Service has the node port.
    assert _outcome(surface, "game.example.com", ANYONE, port=19132, scheme="udp") is Outcome.NO_LISTENER


def test_a_proxied_record_carries_no_game() -> None:
    surface = _forwarding(proxied=True)
    assert _outcome(surface, "game.example.com", ANYONE, port=25565, scheme="tcp") is Outcome.NO_LISTENER


def test_access_does_nothing_for_a_name_that_is_not_proxied() -> None:
    surface = replace(_forwarding(proxied=False), applications=(app("game.example.com", allow("alice@example.com")),))
    assert _outcome(surface, "game.example.com", ANYONE, port=25565, scheme="tcp") is Outcome.OPEN


def test_a_funnel_is_open_to_anyone_with_its_annotation_and_its_attribute() -> None:
    assert _outcome(TAILNET, "films.tail.ts.net", ANYONE) is Outcome.OPEN
    assert _outcome(TAILNET, "wiki.tail.ts.net", ANYONE) is Outcome.OFF_TAILNET
    other: Json = [{"target": ["tag:films"], "attr": ["nextdns:abc"]}, {"target": ["tag:wiki"], "attr": ["funnel"]}]
    tailnet = s.Tailnet("tail.ts.net", {**FUNNELS, "nodeAttrs": other})
    assert _outcome(replace(TAILNET, tailnet=tailnet), "films.tail.ts.net", ANYONE) is Outcome.OFF_TAILNET
    assert _outcome(replace(TAILNET, tailnet=tailnet), "films.tail.ts.net", MEMBER) is Outcome.TAILNET


@pytest.mark.parametrize("off", [{"https": False}, {"magic_dns": False}])
def test_serve_and_funnel_need_certificates_and_names(off: dict[str, bool]) -> None:
    tailnet = s.Tailnet("tail.ts.net", FUNNELS, **off)
    assert _outcome(replace(TAILNET, tailnet=tailnet), "films.tail.ts.net", ANYONE) is Outcome.NO_CERTIFICATE


def test_a_device_of_the_tailnet_meets_the_policy_and_not_the_funnel() -> None:
    assert _outcome(TAILNET, "films.tail.ts.net", Principal("tag", "tag:wiki")) is Outcome.TAILNET_DENIED


def test_a_private_service_is_for_those_whom_a_grant_names() -> None:
    for host in ("wiki.tail.ts.net", "wiki"):
        assert _outcome(TAILNET, host, ALICE) is Outcome.TAILNET
        assert _outcome(TAILNET, host, BOB) is Outcome.TAILNET_DENIED
        assert _outcome(TAILNET, host, MEMBER) is Outcome.TAILNET_DENIED
    assert _outcome(TAILNET, "wiki", ALICE, port=80, scheme="http") is Outcome.NO_LISTENER


def test_a_node_is_reached_on_the_ports_of_its_grants() -> None:
    assert _outcome(TAILNET, "alfred", ALICE, port=22, scheme="tcp") is Outcome.TAILNET
    assert _outcome(TAILNET, "alfred", ALICE, port=23, scheme="tcp") is Outcome.TAILNET_DENIED
    assert _outcome(TAILNET, "alfred", ANYONE, port=22, scheme="tcp") is Outcome.OFF_TAILNET
    # The Service listens, but no grant opens its port.
    assert _outcome(TAILNET, "mqtt", ALICE, port=1883, scheme="tcp") is Outcome.TAILNET_DENIED


def test_a_tailnet_whose_policy_is_not_known_answers_for_nobody() -> None:
    assert _outcome(replace(TAILNET, tailnet=s.Tailnet("tail.ts.net", None)), "wiki", ALICE) is Outcome.NO_RULES


def test_the_table_has_every_host_and_path_and_says_who() -> None:
    rows = {place.text: reached.text() for place, reached in table(GUARDED)}
    assert rows == {f"{HOST}/": "alice@example.com after login", f"{HOST}/api": "anyone"}
    rows = {place.text: reached.text() for place, reached in table(TAILNET)}
    assert rows["films.tail.ts.net/"] == "anyone"
    assert rows["wiki.tail.ts.net/"] == "alice@example.com from the tailnet"
    assert rows["alfred.tail.ts.net:22/tcp"] == "alice@example.com from the tailnet"
    assert rows["mqtt.tail.ts.net:1883/tcp"] == "nobody"


def test_people_whom_nothing_tells_apart_are_asked_once() -> None:
    surface = world(
        rule(HOST), apps=(app(HOST, allow("ada@example.com", "ben@example.com"), allow("cleo@example.com")),)
    )
    crowds = [[str(p) for p in crowd.everybody] for crowd in principals(surface)]
    assert ["ada@example.com", "ben@example.com"] in crowds
    assert ["cleo@example.com"] in crowds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anyone", ANYONE),
        ("lan", LAN),
        ("Alice@Example.com", ALICE),
        ("tag:wiki", Principal("tag", "tag:wiki")),
        ("wiki", Principal("tag", "tag:wiki")),
        ("alice", None),
    ],
)
def test_a_principal_is_an_address_a_tag_or_anyone(text: str, expected: Principal | None) -> None:
    assert parse_principal(text, ["tag:wiki"]) == expected


NODE = s.AtHome("alfred", "192.168.0.2", (("tcp", 22),))
HOME = s.surface(
    s.Known((s.Zone("example.com"),), router=(s.RouterRule("203.0.113.7", "udp", 2456, 32456, "alfred"),), node=NODE),
    tunnels=[
        s.Tunnel(
            "alfred",
            (
                s.Rule("blog.example.com", None, "http://ghost.blog.svc:2368", service="blog"),
                s.Rule("nas.example.com", None, "http://192.168.0.20:5000", service="nas"),
                s.Rule("ssh.example.com", None, "tcp://192.168.0.2:22"),
                s.Rule("game.example.com", None, "http://192.168.0.2:32457"),
                s.Rule("own.example.com", None, "http://localhost:2000"),
                s.Rule("file.example.com", None, "unix:/run/x"),
                s.Rule(None, None, "http_status:404"),
            ),
        )
    ],
    records=[
        *(
            s.Record(f"{n}.example.com", "CNAME", "", True, "alfred")
            for n in ("blog", "nas", "ssh", "game", "own", "file")
        ),
        s.Record("play.example.com", "A", "203.0.113.7", False),
    ],
    node_ports=[
        s.NodePort("valheim", "udp", 2456, 32456, "valheim", "alfred", "{app=valheim}", "game"),
        s.NodePort("valheim", "tcp", 80, 32457, "valheim", "alfred", "{app=valheim}", 8080),
        # Another node's port of the same number is another port.
        s.NodePort("other", "udp", 1, 32456, "other", "octavo", "{app=other}", 1),
    ],
)


@pytest.mark.parametrize(
    ("host", "place", "port"),
    [
        ("blog", "alfred blog/ghost", 2368),
        ("nas", "192.168.0.20", 5000),
        # The node by its address is the node itself, and its node port what is behind that.
        ("ssh", "192.168.0.2", 22),
        ("game", "alfred valheim/{app=valheim}", 8080),
        ("own", "alfred localhost", 2000),
        ("file", "", 0),
    ],
)
def test_a_tunnels_origin_is_a_workload(host: str, place: str, port: int) -> None:
    answer = who(HOME, Request(f"{host}.example.com"), ANYONE)
    assert answer.reaches
    assert answer.workload == (Workload(place, port) if place else None)


def test_a_forwarded_port_ends_at_the_pods_behind_the_node_port_of_that_node() -> None:
    answer = who(HOME, Request("play.example.com", 2456, scheme="udp"), ANYONE)
    assert answer.workload == Workload("alfred valheim/{app=valheim}", "game", "udp")
    elsewhere = replace(HOME, router=(replace(HOME.router[0], node="shed"),))
    assert who(elsewhere, Request("play.example.com", 2456, scheme="udp"), ANYONE).outcome is Outcome.NO_LISTENER


@pytest.mark.parametrize(
    ("host", "port", "scheme", "workload"),
    [
        ("192.168.0.2", 22, "tcp", "192.168.0.2:22"),
        ("192.168.0.2", 32456, "udp", "valheim/{app=valheim}:game/udp"),
        ("192.168.0.2", 32457, "tcp", "valheim/{app=valheim}:8080"),
        ("192.168.0.20", 5000, "tcp", "192.168.0.20:5000"),
        ("192.168.0.2", 32456, "tcp", ""),
        ("192.168.0.20", 22, "tcp", ""),
    ],
)
def test_anybody_on_the_home_network_reaches_what_listens_there_and_nobody_else_does(
    host: str, port: int, scheme: Scheme, workload: str
) -> None:
    request = Request(host, port, scheme=scheme)
    answer = who(HOME, request, LAN)
    assert (answer.reaches, str(answer.workload or "")) == (bool(workload), workload)
    for principal in (ANYONE, ALICE, MEMBER, Principal("tag", "tag:wiki")):
        assert not who(HOME, request, principal).reaches


def test_on_public_ways_who_is_on_the_home_network_is_a_stranger() -> None:
    for surface in (HOME, TAILNET, GUARDED):
        for place in places(surface):
            if place.request.host[0].isdigit():
                continue
            assert who(surface, place.request, LAN) == who(surface, place.request, ANYONE), place


def test_the_table_has_what_listens_at_home_with_its_service() -> None:
    rows = {place.text: (found.text(), place.service) for place, found in table(HOME)}
    home = {text: row for text, row in rows.items() if text[0].isdigit()}
    assert home == {
        "192.168.0.2:22/tcp": ("anybody on the home network", None),
        "192.168.0.2:32456/udp": ("anybody on the home network", "valheim"),
        "192.168.0.2:32457/tcp": ("anybody on the home network", "valheim"),
        "192.168.0.20:5000/tcp": ("anybody on the home network", "nas"),
    }
    assert rows["blog.example.com/"] == ("anyone", "blog")


def test_a_node_of_the_tailnet_answers_with_what_is_behind_its_node_port() -> None:
    policy: dict[str, Any] = {
        "tagOwners": {"tag:gatehouse-alfred": ["autogroup:admin"]},
        "grants": [{"src": ["*"], "dst": ["tag:gatehouse-alfred"], "ip": ["tcp:22", "tcp:32457"]}],
    }
    surface = replace(HOME, tailnet=s.Tailnet("tail.ts.net", policy))
    for port, workload in ((22, "192.168.0.2:22"), (32457, "valheim/{app=valheim}:8080")):
        assert str(who(surface, Request("alfred", port, scheme="tcp"), MEMBER).workload) == workload


def test_of_several_ways_the_widest_counts() -> None:
    everybody = principals(GUARDED)
    api, whole = (reached(GUARDED, Request(HOST, path=path), everybody) for path in ("/api", "/"))
    assert together([whole, api]) == together([api, whole])
    assert together([whole, api]).how == api.how
    assert together([]).text() == "nobody"


def test_a_forwarded_port_is_the_service_of_the_node_that_it_is_forwarded_to() -> None:
    ports = [s.NodePort(key, "tcp", 25565, 32565, key, cluster=node) for key, node in (("game", "a"), ("mine", "b"))]
    forwarded = s.RouterRule(ROUTER, "tcp", 25565, 32565, "b")
    found = world(
        records=(s.Record("mine.example.com", "A", ROUTER, False, None, "mine"),),
        known={"router": (forwarded,)},
        node_ports=ports,
    )
    assert [(p.text, p.service) for p in places(found)] == [("mine.example.com:25565/tcp", "mine")]
