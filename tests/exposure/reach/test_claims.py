"""Claims: against the words of random stack files, and each kind of counterexample by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.loader import LoadedStack, load_project, tie
from config.stack import Claim
from config.values import Path
from exposure.reach import Request, Surface, who
from exposure.reach import surface as s
from exposure.reach.claims import Counterexample, Proof, Verdict, _within, prove
from exposure.reach.places import Place
from exposure.reach.project import plan_project
from tests.exposure.reach import homes, naive
from tests.exposure.reach.kit import ALICE, BYPASS, ZONE, allow, app, rule, world
from tests.exposure.reach.naive import Home
from tests.kit.builders import ESTATE, GAME, HTML, MEDIA, NODE, OPEN_HTML, PROJECT, SSH, loaded

PEOPLE = ESTATE["people"]


def claim(**said: Any) -> Claim:
    return Claim.model_validate(said)


def judged(stacks: dict[str, LoadedStack], claims: Sequence[Claim], stack: str = "alfred") -> tuple[Verdict, ...]:
    project = plan_project(stacks)
    [surfaces] = project.estates()
    people = project.plans[stack].estate.members
    return prove(surfaces, project.plans, {stack: claims}, people).verdicts


def one(services: dict[str, Any], said: Claim, *others: LoadedStack, **sections: Any) -> Verdict:
    [verdict] = judged(tie([loaded(services, **sections), *others]), [said])
    return verdict


def at(name: str, service: Any = HTML, **more: Any) -> dict[str, Any]:
    return {**service, "origin": {"namespace": name, "service": name, "port": 80}, **more}


def example(verdict: Verdict) -> Counterexample:
    assert verdict.state == "broken"
    assert verdict.counterexample
    return verdict.counterexample


# Against the words of the file


def owner(home: Home, scheme: str, host: str, port: int, path: str) -> str | None:
    """The service that a request is for, by the words of the file."""
    main, lan = next(iter(home.zones)), NODE["lan_ipv4"]
    web: list[tuple[str, str, str]] = []
    for key, service in home.services.items():
        ways, origin = set(naive.gates(service)), service["origin"]
        forwarded = service.get("port_forward", ()) if "port-forward" in ways else ()
        if host[0].isdigit():
            here = {f"tcp {lan}:{origin['port']}"} if origin.get("on_node") else set()
            here |= {f"tcp {origin['url'].removeprefix('http://')}"} if "url" in origin else set()
            here |= {f"{p['protocol']} {lan}:{p['node_port']}" for p in forwarded}
            found = f"{scheme} {host}:{port}" in here
        elif host.endswith(home.tailnet):
            machine = home.node if origin.get("on_node") else f"{key}-{home.node}"
            found = bool(ways & {"tailnet", "funnel"}) and host == f"{machine}.{home.tailnet}"
            found = found and (not origin.get("on_node") or port == origin["port"])
        else:
            found = (scheme, port) in {(p["protocol"], p["external_port"]) for p in forwarded}
        if found:
            return key
        if ways & {"public-tunnel", "zero-trust"}:
            said = service.get("hosts") or [service.get("host", f"{key}-{home.node}.{main}")]
            web += [(key, name, service.get("path", "")) for name in said]
    exact = [w for w in web if w[1] == host and naive.below(w[2], path)]
    above = [w for w in web if w[1].startswith("*.") and host.endswith(w[1][1:]) and naive.below(w[2], path)]
    nearest = max((len(w[1]) for w in above), default=0)
    mine = exact or [w for w in above if len(w[1]) == nearest]
    return max(mine, key=lambda w: len(w[2]))[0] if mine else None


@given(homes.homes(), st.data())
def test_a_claim_holds_if_and_only_if_the_words_of_the_file_say_so(home: Home, data: st.DataObject) -> None:
    if not home.services:
        return
    plan = homes.planned(home)
    key = data.draw(st.sampled_from(sorted(home.services)))
    paths = sorted(home.services[key].get("paths", {}))
    excepted = data.draw(st.lists(st.sampled_from(paths), unique=True, max_size=2)) if paths else []
    but = {"except": [f"{key}{path}" for path in excepted]} if excepted else {}
    strangers = [name for name in homes.PRINCIPALS if not name.startswith("tag:")]
    never = [claim(never=word, on=key, **but) for word in (*strangers, *home.people)]
    only = [claim(only=name, on=key, **but) for name in home.people]
    surface = s.from_plan(plan)
    proof = prove({"test": surface}, {"test": plan}, {"test": [*never, *only]}, home.people)
    reached = {
        (name, request)
        for request in homes.requests(home)
        if owner(home, *request) == key
        if request[0] not in ("http", "https") or not any(naive.below(p, request[3]) for p in excepted)
        for name in homes.PRINCIPALS
        if naive.meant(home, *request, name) != "no"
    }
    names = {name for name, _ in reached}
    for verdict in proof.verdicts:
        said = verdict.claim
        if said.only:
            expected = bool(names - {e for name in said.only for e in naive.named(home, name)})
        else:
            word = said.never or ""
            expected = bool(names & set(naive.named(home, word) if word in home.people else [word]))
        assert (verdict.state == "broken") is expected, (str(said), sorted(reached))
        if verdict.counterexample:
            found = verdict.counterexample
            asked = found.url.partition("://")
            host, slash, path = asked[2].partition("/")
            host, _, port = host.partition(":")
            request = (asked[0], host, int(port or {"https": 443, "http": 80}[asked[0]]), slash + path or "/")
            assert naive.meant(home, *request, found.who.word) != "no"
            assert who(surface, Request(host, request[2], request[3], request[0]), found.who).reaches  # type: ignore[arg-type]


# alfred


def alfred(*claims: Claim, **more: Any) -> tuple[Verdict, ...]:
    stacks = load_project(PROJECT)
    if more:
        config = stacks["alfred"].source.raw
        config["services"] = {**config["services"], **more}  # type: ignore[dict-item]
        kept = {k: v for k, v in config.items() if k != "services"}
        stacks = tie([loaded(config["services"], **kept), stacks["octavo"]])  # type: ignore[arg-type]
    return judged(stacks, claims)


def test_alfreds_grafana_is_for_nobody_unknown_but_at_api() -> None:
    excepted, without = alfred(
        claim(never="anyone", on="grafana", **{"except": "grafana/api"}), claim(never="anyone", on="grafana")
    )
    assert (excepted.state, excepted.classes) == ("holds", 1)
    assert str(example(without)) == "anyone reaches https://grafana-alfred.very-very-dark-gray.top/api"
    assert without.classes == 2


def test_a_public_service_on_the_same_workload_breaks_it() -> None:
    said = claim(never="anyone", on="grafana", **{"except": "grafana/api"})
    origin = {"namespace": "monitoring", "service": "grafana-svc", "port": 13000}
    [verdict] = alfred(said, blog={**OPEN_HTML, "origin": origin})
    found = example(verdict)
    assert (found.by, found.url) == (("alfred", "blog"), "https://blog-alfred.very-very-dark-gray.top/")
    assert "which leads to monitoring/grafana-svc:13000 too" in str(found)
    # The control: the same service with a workload of its own breaks nothing.
    [verdict] = alfred(said, blog={**OPEN_HTML, "origin": {**origin, "service": "blog"}})
    assert verdict.state == "holds"


# Each kind


@pytest.mark.parametrize(
    ("service", "said", "text"),
    [
        (at("web"), {"only": "admins"}, "bob@example.com reaches https://web-alfred.example.com/ after login"),
        (at("web"), {"never": "admins"}, "alice@example.com reaches https://web-alfred.example.com/ after login"),
        (
            at("web"),
            {"never": "Bob@example.com"},
            "bob@example.com reaches https://web-alfred.example.com/ after login",
        ),
        (at("web", OPEN_HTML), {"only": "household"}, "anyone reaches https://web-alfred.example.com/"),
        (at("web", OPEN_HTML), {"never": "admins"}, "anyone reaches https://web-alfred.example.com/"),
        (at("web", OPEN_HTML), {"never": "eve@example.com"}, "anyone reaches https://web-alfred.example.com/"),
        (
            at("web", OPEN_HTML, hosts=["long.example.com", "a.example.com"]),
            {"never": "anyone"},
            "anyone reaches https://a.example.com/",
        ),
        (at("web", MEDIA), {"never": "member"}, "anyone reaches https://web-alfred.tail.ts.net/"),
        (
            at("web", host="the-web-site.example.com", gates=["zero-trust", "tailnet"]),
            {"never": "bob@example.com"},
            "bob@example.com reaches https://web-alfred.tail.ts.net/ from the tailnet",
        ),
        (SSH, {"never": "bob@example.com"}, "bob@example.com reaches tcp://alfred.tail.ts.net:22 from the tailnet"),
        (GAME, {"never": "anyone"}, "anyone reaches tcp://web-alfred.example.com:25565"),
        (
            at("web", OPEN_HTML, host="*.example.com"),
            {"never": "anyone"},
            "anyone reaches https://any-name.example.com/",
        ),
    ],
)
def test_the_shortest_counterexample_is_said(service: dict[str, Any], said: dict[str, Any], text: str) -> None:
    assert str(example(one({"web": service}, claim(on="web", **said)))) == text


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (at("web"), {"never": "anyone"}),
        (at("web"), {"never": "member"}),
        (at("web"), {"never": "eve@example.com"}),
        (at("web", people="admins"), {"only": "alice@example.com"}),
        (at("web", people="admins"), {"only": ["household"]}),
        (
            at("web", OPEN_HTML, clients="nobody", paths={"/a": {"clients": "anyone"}}),
            {"never": "anyone", "except": "web/a"},
        ),
        (SSH, {"never": "anyone"}),
        (SSH, {"never": "member"}),
        (
            at("web", MEDIA, gate="funnel", clients="nobody", paths={"/share": {"clients": "anyone"}}),
            {"never": "anyone", "except": "web/share"},
        ),
    ],
)
def test_what_holds_is_said_to_hold(service: dict[str, Any], said: dict[str, Any]) -> None:
    verdict = one({"web": service}, claim(on="web", **said))
    assert (verdict.state, verdict.counterexample, verdict.doubts) == ("holds", None, ())


def test_a_forwarded_port_is_the_workload_that_another_calls_at_the_nodes_address() -> None:
    services = {
        "panel": {**HTML, "origin": {"url": "http://192.168.0.124:32565"}},
        "game": GAME,
        "other": {**HTML, "origin": {"url": "http://192.168.0.124:32566"}},
    }
    found = example(one(services, claim(never="anyone", on="panel")))
    assert (found.by, found.url) == (("alfred", "game"), "tcp://game-alfred.example.com:25565")
    assert one(services, claim(never="anyone", on="other")).state == "holds"


DOOR = {"namespace": "kube-system", "service": "traefik", "port": 443, "scheme": "https"}


@pytest.mark.parametrize(("header", "state"), [("vault-alfred.example.com", "broken"), ("www.example.com", "holds")])
def test_a_way_to_the_controller_leads_to_the_host_that_its_header_names(header: str, state: str) -> None:
    behind = {"namespace": "vault", "service": "vault", "port": 80, "through_ingress": "existing"}
    services = {
        "vault": {**HTML, "origin": behind},
        "door": {**OPEN_HTML, "origin": DOOR, "origin_request": {"http_host_header": header}},
    }
    assert one(services, claim(never="anyone", on="vault")).state == state


def test_another_stacks_service_counts_and_one_of_the_same_key_is_not_taken_for_it() -> None:
    camera = {**HTML, "origin": {"url": "http://192.168.0.50:8080"}}
    sections = {"member_of": "organization/gatehouse/alfred", "estate": None}
    node = {**NODE, "name": "octavo", "context": "octavo", "lan_ipv4": "192.168.0.8"}
    shed = loaded({"garden": {**OPEN_HTML, "origin": camera["origin"]}}, "octavo", node=node, **sections)
    found = example(one({"camera": camera}, claim(never="anyone", on="camera"), shed))
    assert (found.by, found.url) == (("octavo", "garden"), "https://garden-octavo.example.com/")
    # Behind another router the address is another machine's.
    far = loaded(
        {"garden": {**OPEN_HTML, "origin": camera["origin"]}},
        "octavo",
        node={**node, "router_ipv4": "203.0.113.8"},
        **sections,
    )
    assert one({"camera": camera}, claim(never="anyone", on="camera"), far).state == "holds"
    # Where the file does not say which router, it may be the same one.
    unsaid = {key: value for key, value in node.items() if key != "router_ipv4"}
    for member in (unsaid, {**node, "router_ipv4": "192.168.0.1"}):
        near = loaded({"garden": {**OPEN_HTML, "origin": camera["origin"]}}, "octavo", node=member, **sections)
        assert one({"camera": camera}, claim(never="anyone", on="camera"), near).state == "broken"
    same = loaded({"camera": at("shop", OPEN_HTML)}, "octavo", node=node, **sections)
    assert one({"camera": camera}, claim(never="anyone", on="camera"), same).state == "holds"


def test_a_name_without_a_certificate_is_asked_for_by_http() -> None:
    zone = {**ESTATE, "zone": {"name": "example.com", "always_use_https": False}}
    deep = {"web": at("web", OPEN_HTML, host="a.b.example.com")}
    assert example(one(deep, claim(never="anyone", on="web"), estate=zone)).url == "http://a.b.example.com/"
    assert one(deep, claim(never="anyone", on="web")).state == "holds"


@pytest.mark.parametrize(
    ("path", "within"),
    [
        ("/api", True),
        ("/api/v1", True),
        ("/apis", False),
        ("/api/..%2fadmin", False),
        ("/api/../admin", False),
        ("/api/%2e%2e/admin", False),
        ("/x/../api", False),
        ("/%61pi", True),
    ],
)
def test_a_path_is_excepted_only_if_it_is_however_it_is_read(path: str, within: bool) -> None:
    assert _within(Place(Request("web.example.com", 443, path)), [Path("/api")]) is within
    assert not _within(Place(Request("web.example.com", 22, "/api", "tcp")), [Path("/api")])


# Of other programs


def preview(surface: Surface, *claims: Claim, people: Any = PEOPLE) -> Proof:
    return prove({"test": surface}, {}, {"test": claims}, people, planned=False)


WEB = f"web.{ZONE}"
OPEN = app(f"{WEB}/", allow("alice@example.com"))


def test_what_has_no_service_is_called_by_its_host() -> None:
    found = preview(
        world(rule(WEB), rule(f"shut.{ZONE}", origin="http_status:403")),
        claim(never="anyone", on=WEB),
        claim(never="anyone", on=f"shut.{ZONE}"),
    )
    assert [v.state for v in found.verdicts] == ["broken", "holds"]
    assert {served.service[1]: served.classes for served in found.services} == {WEB: 1, f"shut.{ZONE}": 1}


def test_no_class_of_requests_is_on_both_sides_of_an_exception() -> None:
    # Of `/api` and `/secrets` the first is the shorter, and the expression treats both alike.
    hole = world(
        rule(WEB, "^/(api|secrets)"),
        rule(WEB, None, WEB),
        apps=(app(WEB, allow("alice@example.com")), app(f"{WEB}/api", BYPASS), app(f"{WEB}/secrets", BYPASS)),
    )
    [verdict] = preview(hole, claim(never="anyone", on=WEB, **{"except": f"{WEB}/api"})).verdicts
    assert example(verdict).url == f"https://{WEB}/secrets"


def test_two_unanchored_rules_that_meet_are_asked_together() -> None:
    """A rule for `v1/pub` anywhere without a JWT check, and a bypass for all below `/api`."""
    hole = world(
        rule(WEB, "v[0-9]+/pub"),
        rule(WEB, None, WEB),
        apps=(app(WEB, allow("alice@example.com")), app(f"{WEB}/api/*", BYPASS)),
    )
    [verdict] = preview(hole, claim(never="anyone", on=WEB)).verdicts
    assert example(verdict).url == f"https://{WEB}/api/v0/pub"


def test_an_expression_that_is_not_read_proves_nothing_of_its_host_alone() -> None:
    odd = world(
        rule(WEB, r"^/\pL+$", WEB),
        rule(WEB, None, WEB),
        rule(f"b.{ZONE}", origin="http://[b"),
        apps=(app(WEB, allow("alice@example.com")),),
    )
    found = preview(
        odd,
        claim(never="anyone", on=WEB),
        claim(never="bob@example.com", on=WEB),
        claim(never="anyone", on=f"b.{ZONE}"),
    )
    assert [v.state for v in found.verdicts] == ["not proved", "not proved", "broken"]
    assert {served.service[1]: bool(served.doubts) for served in found.services} == {WEB: True, f"b.{ZONE}": False}


def test_one_origin_of_two_rules_may_be_a_proxy_and_so_nothing_is_proved() -> None:
    shared = world(rule(WEB, None, WEB), rule(f"b.{ZONE}"), apps=(app(WEB, allow("alice@example.com")),))
    [verdict] = preview(shared, claim(never="anyone", on=WEB)).verdicts
    assert verdict.state == "not proved"
    assert "whether it answers there for that service too cannot be told" in verdict.doubts[0]
    apart = world(
        rule(WEB, None, WEB), rule(f"b.{ZONE}", origin="http://b:80"), apps=(app(WEB, allow("alice@example.com")),)
    )
    assert preview(apart, claim(never="anyone", on=WEB)).verdicts[0].state == "holds"


def test_a_proxy_on_the_tailnet_or_a_port_that_leads_to_what_a_rule_calls_counts_for_it_however_it_is_written() -> None:
    def verdict(**more: Any) -> str:
        home = world(
            rule(WEB, None, WEB, origin="http://web.shop.svc:80"), apps=(app(WEB, allow("alice@example.com")),), **more
        )
        return preview(home, claim(never="anyone", on=WEB)).verdicts[0].state

    def funnel(namespace: str, backend: str) -> dict[str, Any]:
        cluster = world().tunnels[0].name
        proxy = s.TailnetIngress("shop", namespace, backend, ("tag:k8s-funnel",), True, cluster=cluster)
        return {"tailnet_ingresses": [proxy], "policy": {"nodeAttrs": [{"target": ["*"], "attr": ["funnel"]}]}}

    assert verdict() == "holds"
    assert verdict(**funnel("shop", "web:80")) == "not proved"
    assert verdict(**funnel("shop", "web:8080")) == "holds"
    assert verdict(**funnel("other", "web:80")) == "holds"


def test_a_way_round_an_open_path_leaves_its_host_unproved() -> None:
    apps = (app(WEB, allow("alice@example.com")), app(f"{WEB}/api", BYPASS))
    said = claim(never="anyone", on=WEB, **{"except": f"{WEB}/api"})
    [verdict] = preview(world(rule(WEB, "^/api(/|$)"), rule(WEB, None, WEB), apps=apps), said).verdicts
    assert verdict.state == "not proved"
    assert "..%2f" in verdict.doubts[0]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"never": "anyone", "on": "nowhere"}, "nothing here belongs to service nowhere"),
        ({"never": "owners", "on": WEB}, "no set of people is called owners"),
        ({"only": ["owners", "alice@example.com"], "on": WEB}, "no set of people is called owners"),
        ({"never": "anyone", "on": WEB, "except": [WEB]}, f"{WEB} is no path of a service that the claim is about"),
        ({"never": "anyone", "on": WEB, "except": ["b/api"]}, "b/api is no path of a service that the claim is about"),
        ({"only": ["member", "alice@example.com"], "on": WEB}, "no set of people is called member"),
    ],
)
def test_a_claim_about_what_is_not_there_is_not_proved(said: dict[str, Any], why: str) -> None:
    guarded = world(rule(WEB, None, WEB), apps=(app(WEB, allow("alice@example.com")),))
    [verdict] = preview(guarded, claim(**said)).verdicts
    assert (verdict.state, verdict.doubts) == ("not proved", (why,))


def test_a_policy_that_is_registered_elsewhere_is_taken_to_let_in() -> None:
    elsewhere = world(rule(WEB, None, WEB), apps=(app(WEB, s.Policy("unknown", name="theirs")),))
    assert example(preview(elsewhere, claim(never="anyone", on=WEB)).verdicts[0]).who != ALICE
