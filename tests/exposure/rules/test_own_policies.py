"""Policies of all styles, merged with an example estate: each says beside its lines what is to be found there.

`//! <what> <words>` at a line of tests/fixtures/policies/*.hujson; in a file without one nothing is found. They are
written after public policies, in other words.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from config.errors import Finding
from config.loader import LoadedStack, parse_stack_text, tie, type_stack
from exposure import own_policy
from exposure.check import check
from exposure.plan import plan_stack
from exposure.policy_eval import run_tests
from exposure.policy_eval.hujson import parse
from exposure.reach import project
from exposure.reach.access import LAN, MEMBER, Principal
from exposure.reach.compare import Change, compare
from exposure.reach.evaluate import Request, who
from exposure.reach.places import table
from exposure.reach.project import plan_project
from exposure.reach.surface import Surface
from exposure.reach.tailnet import policy_of
from exposure.rules import tailnet_policy
from tests.kit.builders import ESTATE, GAME, HTML, MEDIA, NODE, SSH, loaded, plan_of, stack_text
from tests.kit.profiles import NIGHTLY

FOLDER = Path(__file__).parents[2] / "fixtures" / "policies"
POLICIES = sorted(path.stem for path in FOLDER.glob("*.hujson"))
SERVICES = {
    "ssh": {**SSH, "people": "admins"},
    "wiki": {**HTML, "clients": "tailnet"},
    "komga": {**MEDIA, "origin": {"namespace": "media", "service": "komga", "port": 8080}},
    "nas": {"origin": {"url": "http://192.168.0.9:5000"}, "traffic": "html", "people": "admins"},
    "db": {
        "origin": {"namespace": "db", "service": "db", "port": 5432, "scheme": "tcp", "selector": {"app": "db"}},
        "traffic": "non-html",
        "clients": "tailnet",
    },
}
CAROL = Principal("person", "carol@example.com")
STANDS_FOR = {
    "every device of the tailnet": MEMBER,
    "every member of the tailnet": MEMBER,
    # Of whose address or whose machine it is, nobody here knows.
    "everybody with whom a machine is shared": Principal("person", "somebody@another-tailnet"),
    "server": CAROL,
    "user:*@example.org": Principal("person", "somebody@example.org"),
}
MARK = re.compile(r"//! (opens|funnel|twice|test|address|invalid) (.+?)(?= //!|$)", re.M)


def stack(own: str, **sections: Any) -> dict[str, LoadedStack]:
    """The example estate, with a policy of its owner's."""
    tailnet = {"name": "tail.ts.net", "policy": "tailnet.hujson", "plan": "standard"}
    said = {"node": {**NODE, "tailnet_ipv4": "100.101.102.103"}, "estate": {**ESTATE, "tailnet": tailnet}, **sections}
    text = stack_text(said.pop("services", SERVICES), **said)
    return tie([type_stack(parse_stack_text(text, "alfred", {"tailnet.hujson": own}.__getitem__))])


def told(finding: Finding) -> tuple[str, str]:
    """What a finding is about, in the words of the marks."""
    for what, words in (
        ("opens", r"lets (.+?) reach (.+?\))(?:,|$)"),
        ("funnel", r"lets (.+) go public"),
        ("twice", r"(\S+) is (?:the set|a tag)"),
        ("test", r"the test from (\S+) fails|what (\S+) is to reach fails"),
        ("address", r"^(.+): an address"),
        ("invalid", r"would refuse the policy: \S+ (.+?)(?: \(did you mean|$)|takes: (.+)"),
    ):
        found = re.search(words, finding.reason)
        if found:
            return what, " -> ".join(filter(None, found.groups()))
    raise AssertionError(finding)


@pytest.mark.parametrize("name", POLICIES)
def test_what_an_own_policy_opens_or_breaks_is_found_at_its_line_and_nothing_else(name: str) -> None:
    text = (FOLDER / f"{name}.hujson").read_text()
    marks = {(n, *m.groups()) for n, line in enumerate(text.splitlines(), 1) for m in MARK.finditer(line)}
    found = check(stack(text))
    assert {(f.place.line, *told(f)) for f in found} == marks
    assert {f.place.file for f in found} <= {"tailnet.hujson"}
    assert {f.severity for f in found if told(f)[0] == "address"} <= {"warning"}
    assert all(f.fix for f in found)


def test_a_check_plans_the_estate_and_reads_the_merged_policy_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = Mock(side_effect=plan_stack)
    reads = Mock(side_effect=tailnet_policy._merged)
    monkeypatch.setattr(project, "plan_stack", plans)
    monkeypatch.setattr(tailnet_policy, "_merged", reads)
    text = (FOLDER / "homelab-by-tags.hujson").read_text()
    found = check(stack(text, claims=[{"never": "anyone", "on": "ssh"}], node={**NODE, "routes": ["192.168.7.0/24"]}))
    assert [f.rule for f in found if f.severity == "error"] == []
    assert (plans.call_count, reads.call_count) == (1, 1)


def test_the_policies_are_of_every_kind_and_some_are_refused_and_some_are_not() -> None:
    marked = {name for name in POLICIES if MARK.search((FOLDER / f"{name}.hujson").read_text())}
    assert len(POLICIES) >= 12
    assert {"homelab-by-tags", "services"} == set(POLICIES) - marked
    every = "".join((FOLDER / f"{name}.hujson").read_text() for name in POLICIES)
    for word in ("grants", "acls", "ssh", "postures", "svc:", "via", "autoApprovers", "autogroup:internet", "@github"):
        assert word in every


@pytest.mark.parametrize("name", [n for n in POLICIES if " twice " not in (FOLDER / f"{n}.hujson").read_text()])
def test_what_is_registered_is_the_owners_text_with_what_the_services_need_and_can_be_told_apart_again(
    name: str,
) -> None:
    text = (FOLDER / f"{name}.hujson").read_text()
    stacks = stack("{}")
    ours: Any = plan_stack(stacks["alfred"], stacks).tailnet_policy
    whole = own_policy.merged(text, ours)
    comments = re.findall(r"//.*", text)
    assert [c for c in re.findall(r"//.*", whole) if c != own_policy.MARK] == comments
    said: Any = parse(whole).value
    theirs: Any = parse(text).value
    assert [key for key in said if key in theirs] == list(theirs)
    names = {key.lower(): key for key in said}
    for key, value in said.items():
        mine = next((v for k, v in ours.items() if names[k.lower()] == key), None)
        own = theirs.get(key)
        if mine is None or own is None:
            assert value == (own if mine is None else mine)
        else:
            assert value == ([*own, *mine] if isinstance(own, list) else {**own, **mine})
    rest = own_policy.without(whole, ours)
    assert re.findall(r"//.*", rest) == comments
    # But for commas after the last of a list, it is the owner's file again.
    assert parse(rest).value == {k: v for k, v in theirs.items() if v is not None}
    assert own_policy.merged(rest, ours) == whole


@pytest.mark.parametrize("name", [n for n in POLICIES if " twice " not in (FOLDER / f"{n}.hujson").read_text()])
def test_who_shows_what_an_own_rule_opens_and_nothing_changes_for_a_service_that_none_opens(name: str) -> None:
    text = (FOLDER / f"{name}.hujson").read_text()
    if " invalid " in text:
        return
    own, bare = plan_project(stack(text)), plan_project(stack("{}"))
    opened = [(m[1], *m[2].split(" -> ")) for m in MARK.finditer(text) if m[1] == "opens"]
    for _, people, what in opened:
        host, port, protocol = re.fullmatch(r"(\S+):(\d+)/(\w+) .*", what).groups()  # type: ignore[union-attr]
        host = host if host[0].isdigit() or ".svc." in host else f"{host}.tail.ts.net"
        request = Request(host, int(port), "/", "udp" if protocol == "udp" else "tcp")
        kind = "tag" if people.startswith("tag:") else "person"
        principal = STANDS_FOR.get(people) or Principal(kind, people)  # type: ignore[arg-type]
        assert who(own.surfaces["alfred"], request, principal).reaches, what
        assert not who(bare.surfaces["alfred"], request, principal).reaches, "the control"
    # What changes is of the owner's own machines, unless a rule is marked.
    mine = {place.request.host for place, _ in table(bare.surfaces["alfred"])}
    mine |= {f"{machine}.tail.ts.net" for machine in ("alfred", "wiki-alfred", "db-alfred")}
    mine |= set(own.surfaces["alfred"].in_clusters)
    changes = compare(bare.surfaces["alfred"], own.surfaces["alfred"])
    assert bool(opened) >= any(c.place.request.host in mine and _strangers(c) for c in changes)
    assert all(any(c.place.request.host in mine for c in changes) for _ in opened)


def _strangers(change: Change) -> set[Principal]:
    return set(change.gains) - {Principal("person", f"{name}@example.com") for name in ("alice",)}


def test_the_example_of_the_docs_is_a_good_one_and_the_wide_route_that_it_warns_of_is_refused() -> None:
    page = (Path(__file__).parents[3] / "docs" / "tailnet.md").read_text()
    [example] = re.findall(r"^```json\n(.*?)^```", page, re.M | re.S)
    assert check(stack(example)) == ()
    wide = example.replace('"group:admins"], "dst": ["192.168.0.40"]', '"group:household"], "dst": ["192.168.0.0/24"]')
    assert [f.rule for f in check(stack(wide.replace("tcp:631", "*")))] == ["tailnet-policy-opens"]


def test_an_opening_that_is_acknowledged_is_planned_without_the_test_against_it_and_a_claim_still_refuses_it() -> None:
    own = '{"grants": [{"src": ["group:household"], "dst": ["tag:wiki-alfred"], "ip": ["tcp:443"]}]}'
    said: dict[str, Any] = {
        "services": {**SERVICES, "wiki": {**SERVICES["wiki"], "people": "admins"}},
        "acknowledge": {"tailnet-policy-opens": "the household may read it"},
    }
    stacks = stack(own, **said)
    assert check(stacks) == ()

    def bob(policy: Any) -> set[str]:
        return {target for t in policy["tests"] if t["src"] == "bob@example.com" for target in t.get("deny", ())}

    bare = stack("{}", services=said["services"])
    wiki = "tag:wiki-alfred:443"
    before = bob(plan_stack(bare["alfred"], bare).tailnet_policy)
    assert wiki in before
    assert bob(plan_stack(stacks["alfred"], stacks).tailnet_policy) == before - {wiki}
    found = check(stack(own, **said, claims=[{"only": "admins", "on": "wiki"}]))
    assert [f.rule for f in found] == ["claim-broken"]
    assert "bob@example.com reaches https://wiki-alfred.tail.ts.net/" in found[0].reason


def test_a_route_to_the_home_network_opens_what_is_behind_the_ingress_controller_and_what_has_a_name_there() -> None:
    vault = {
        "origin": {"namespace": "v", "service": "v", "port": 443, "scheme": "https", "through_ingress": "existing"},
        "traffic": "html",
        "people": "admins",
        # A path for anyone makes nothing else of it anyone's.
        "paths": {"/share": {"clients": "anyone"}},
        "acknowledge": {"access-path-bypass": "shares have secrets of their own"},
        "origin_tls": {"match_sni_to_host": True},
    }
    nas = {"origin": {"url": "http://nas.lan:5000"}, "traffic": "html", "people": "admins"}

    def opened(*to: str, services: Any = None) -> list[str]:
        rules = [{"action": "accept", "src": ["group:household"], "dst": [word]} for word in to]
        found = check(stack(json.dumps({"acls": rules}), services=services or {"vault": vault, "nas": nas}))
        return [told(f)[1] for f in found]

    where = "where a subnet router leads there)"
    assert opened("192.168.0.0/24:443") == [f"bob@example.com -> 192.168.0.124:443/tcp (service vault, {where}"]
    # Nobody here knows the address of a name.
    assert opened("192.168.7.7:5000") == [f"bob@example.com -> nas.lan:5000/tcp (service nas, {where}"]
    assert opened("192.168.7.7:5001", "192.168.0.1:443", "100.64.7.7:5000") == []
    assert opened("192.168.0.0/24:443", services={"vault": {**vault, "people": "household"}}) == []


@pytest.mark.parametrize(
    ("owners", "who_may"),
    [
        ('["carol@example.com"]', {"carol@example.com"}),
        ('["Carol@example.com"]', {"carol@example.com"}),
        ('["group:team"]', {"carol@example.com"}),
        ('["tag:mine"]', {"carol@example.com", "tag:mine"}),
        ('["user:*@example.org"]', {"somebody@example.org"}),
        ('["autogroup:member"]', {"member", "alice@example.com", "carol@example.com", "somebody@example.org"}),
        # Who is in a group of the identity provider, nobody here knows.
        ('["group:team@example.com"]', {"alice@example.com", "carol@example.com", "somebody@example.org"}),
        # Whoever has a role may change the policy itself.
        ('["autogroup:admin"]', set()),
        ("[]", set()),
    ],
)
def test_whoever_may_give_a_machine_a_tag_reaches_what_the_tag_reaches(owners: str, who_may: set[str]) -> None:
    own = f"""{{
      "groups": {{"group:team": ["carol@example.com"]}},
      "tagOwners": {{"tag:ci": {owners}, "tag:mine": ["carol@example.com"]}},
    }}"""
    exporter = {"origin": {"on_node": True, "port": 9100, "scheme": "http"}, "traffic": "non-html"}
    services = {"exporter": {**exporter, "clients": "tailnet", "machines": "tag:ci"}}
    found = stack(own, services=services)
    assert not [f for f in check(found) if f.severity == "error"]
    [surface] = plan_project(found).whole()
    request = Request("alfred.tail.ts.net", 9100, "/", "tcp")
    everybody = [
        MEMBER,
        *(
            Principal("person", f"{name}")
            for name in ("alice@example.com", "carol@example.com", "somebody@example.org")
        ),
        *(Principal("tag", f"tag:{name}") for name in ("ci", "mine", "gatehouse-alfred")),
    ]
    assert {p.word for p in everybody if who(surface, request, p).reaches} == {"tag:ci", *who_may}


def test_an_address_at_home_is_told_by_a_routers_4via6_too() -> None:
    def refused(address: str) -> bool:
        own = f'{{"grants": [{{"src": ["carol@example.com"], "dst": ["{address}"], "ip": ["tcp:5000"]}}]}}'
        return any(f.rule == "tailnet-policy-opens" for f in check(stack(own)))

    # 192.168.0.9 at site 7 [tailscale.com/kb/1201].
    assert refused("fd7a:115c:a1e0:b1a:0:7:c0a8:9/128")
    assert refused("fd7a:115c:a1e0:b1a:0:7:c0a8:0/112")
    assert not refused("fd7a:115c:a1e0:b1a:0:7:c0a8:a/128")


def test_an_address_of_another_site_by_4via6_is_no_machine_of_the_tailnet() -> None:
    def found(address: str) -> set[str]:
        own = f'{{"grants": [{{"src": ["carol@example.com"], "dst": ["{address}"], "ip": ["*"]}}]}}'
        return {f.rule for f in check(stack(own))}

    # 10.1.1.0/24 at site 7; the second range is one in which a device's own address may be.
    assert found("fd7a:115c:a1e0:b1a:0:7:a01:100/120") == set()
    assert found("fd7a:115c:a1e0:b1b:0:7:a01:100/120") == {"tailnet-policy-opens"}


VAULT = {
    "origin": {"namespace": "v", "service": "vault", "port": 443, "scheme": "https", "through_ingress": "existing"},
    "traffic": "html",
    "people": "admins",
    "origin_tls": {"match_sni_to_host": True},
}
INSIDE = {
    "wiki": {**HTML, "origin": {"namespace": "wiki", "service": "wiki", "port": 8080}, "people": "admins"},
    "blog": {
        **HTML,
        "origin": {"namespace": "blog", "service": "blog", "port": 8081},
        "sensitivity": "low",
        "clients": "anyone",
    },
    "db": {**SERVICES["db"], "people": "admins"},
    "vault": VAULT,
}


@pytest.mark.parametrize(
    ("to", "ip", "opened"),
    [
        # k3s' Services are in 10.43.0.0/16 and its pods in 10.42.0.0/16 [docs.k3s.io/cli/server].
        ("10.43.0.0/16", "tcp:8080", {"wiki"}),
        ("10.43.7.7", "tcp:8080", {"wiki"}),
        ("10.43.0.0/16", "tcp:5432", {"db"}),
        ("10.43.0.0/16", "tcp:443", {"vault"}),
        ("10.0.0.0/8", "*", {"wiki", "db", "vault"}),
        # A pod's port is not its Service's.
        ("10.42.0.0/16", "tcp:3000", {"wiki", "db", "vault"}),
        ("fd7a:115c:a1e0:b1a:0:7:a2b:0/112", "tcp:8080", {"wiki"}),
        # The cluster's DNS, what is for anyone, and what is none of the cluster's.
        ("10.43.0.10", "udp:53", set()),
        ("10.43.0.0/16", "tcp:8081", set()),
        ("10.43.0.0/16", "icmp:*", set()),
        ("10.44.0.0/16", "*", set()),
        ("fd7a:115c:a1e0:b1a:0:7:a2c:0/112", "*", set()),
    ],
)
def test_a_route_to_the_clusters_own_addresses_leads_past_every_gate(to: str, ip: str, opened: set[str]) -> None:
    own = json.dumps({"grants": [{"src": ["bob@example.com"], "dst": [to], "ip": [ip]}]})
    claims = [{"only": ["admins", "lan"], "on": name} for name in ("wiki", "db", "vault")]
    found = check(stack(own, services=INSIDE))
    assert {f.rule for f in found} == ({"tailnet-policy-opens"} if opened else set())
    assert all("where a subnet router leads to the cluster's own addresses" in f.reason for f in found)
    accepted = {"acknowledge": {"tailnet-policy-opens": "a router of mine leads there"}} if opened else {}
    found = check(stack(own, services=INSIDE, claims=claims, **accepted))
    broken = {claims[int(re.findall(r"\d+", f.where)[0])]["on"] for f in found if f.rule == "claim-broken"}
    assert broken == opened
    surface = plan_project(stack(own, services=INSIDE)).surfaces["alfred"]
    led = {p.service: r.everybody for p, r in table(surface) if p.request.host.endswith(".svc.alfred")}
    bob = Principal("person", "bob@example.com")
    assert {name for name, who_does in led.items() if bob in who_does} >= opened - {"vault"}
    assert not any(LAN in who_does for who_does in led.values())
    shut = plan_project(stack("{}", services=INSIDE)).surfaces["alfred"]
    assert not [p for p, _ in table(shut) if p.request.host.endswith(".svc.alfred")]


def test_a_service_that_is_taken_as_it_is_may_listen_at_any_port_in_its_cluster_too() -> None:
    dns = {"namespace": "dns", "service": "dns", "port": 53, "scheme": "udp"}
    services = {"dns": {"origin": dns, "traffic": "non-html", "clients": "tailnet", "people": "admins"}}
    claim = [{"only": "admins", "on": "dns"}]
    for ip, said in (("udp:53", True), ("tcp:853", True), ("icmp:*", False)):
        own = json.dumps({"grants": [{"src": ["bob@example.com"], "dst": ["10.43.0.0/16"], "ip": [ip]}]})
        assert [f.rule for f in check(stack(own, services=services))] == ["tailnet-policy-opens"] * said
        accepted = {"acknowledge": {"tailnet-policy-opens": "a router of mine leads there"}} if said else {}
        found = check(stack(own, services=services, claims=claim, **accepted))
        assert [f.rule for f in found] == ["claim-broken"] * said


def test_another_port_of_a_node_is_told_how_to_be_a_service() -> None:
    def fix(port: int) -> str:
        own = f'{{"grants": [{{"src": ["bob@example.com"], "dst": ["tag:gatehouse-alfred"], "ip": ["tcp:{port}"]}}]}}'
        [found] = check(stack(own))
        return found.fix

    assert "as a service for these people, with `origin: {on_node: true, port: …}`" in fix(6443)
    assert "let these people in by the service's `people:`" in fix(22)


def test_a_default_posture_is_told_to_stand_at_each_rule_where_it_breaks_nothing() -> None:
    rule = '{"src": ["alice@example.com"], "dst": ["autogroup:internet"], "ip": ["*"]%s}'
    own = '{"postures": {"posture:home": ["node:os == \'linux\'"]}, %s"grants": [%s]}'
    found = check(stack(own % ('"defaultSrcPosture": ["posture:home"], ', rule % "")))
    assert found
    assert all("write `srcPosture` at each of your own rules" in f.fix for f in found)
    assert check(stack(own % ("", rule % ', "srcPosture": ["posture:home"]'))) == ()


def test_an_older_name_of_members_is_refused_with_the_one_that_gatehouse_writes() -> None:
    own = '{"ssh": [{"action": "check", "src": ["%s"], "dst": ["autogroup:self"], "users": ["autogroup:nonroot"]}]}'
    [found] = check(stack(own % "autogroup:members"))
    assert "(did you mean autogroup:member?)" in found.reason
    assert check(stack(own % "autogroup:member")) == ()


def test_a_group_of_people_whom_the_tailnet_does_not_know_is_refused_where_a_rule_names_it() -> None:
    people = {**ESTATE["people"], "smiths": {"domain": "smith.example"}, "away": {"emails": ["c@example.com"]}}
    estate = {**ESTATE, "tailnet": {"name": "tail.ts.net", "policy": "tailnet.hujson"}, "people": people}
    own = '{"grants": [\n{"src": ["group:smiths", "group:away"], "dst": ["autogroup:internet"], "ip": ["*"]}]}'
    [found] = [f for f in check(stack(own, estate=estate)) if f.severity == "error"]
    assert (found.rule, found.place.line if found.place else 0) == ("tailnet-policy-invalid", 2)
    assert "no `domain`: group:smiths would be others" in found.reason


def test_a_rule_that_no_longer_asks_for_a_posture_or_a_role_is_wider_and_one_that_begins_to_is_narrower() -> None:
    def surface(more: str, source: str = "carol@example.com") -> Surface:
        own = f"""{{
          "postures": {{"posture:ours": ["node:os == 'linux'"]}},
          "grants": [{{"src": ["{source}"], "dst": ["tag:db-alfred"], "ip": ["tcp:5432"]{more}}}],
        }}"""
        return plan_project(stack(own)).whole()[0]

    asked = surface(', "srcPosture": ["posture:ours"]')
    for before, now, kind in ((asked, surface(""), "wider"), (surface(""), asked, "narrower")):
        found = [c for c in compare(before, now) if c.place.request.host.startswith("db-alfred")]
        assert [c.kind for c in found] == [kind]
        assert found[0].gains == ((CAROL,) if kind == "wider" else ())
    by_role = compare(surface("", "autogroup:admin"), surface("", "alice@example.com"))
    assert "wider" not in {c.kind for c in by_role}, "alice is let in by her set anyway"


SOURCES = (
    *("*", "autogroup:member", "autogroup:tagged", "autogroup:admin", "autogroup:shared", "autogroup:danger-all"),
    *("alice@example.com", "bob@example.com", "carol@github", "user:*@example.org", "group:own", "group:household"),
    *(
        "group:admins",
        "tag:own",
        "tag:wiki-alfred",
        "tag:gatehouse-alfred",
        "server",
        "100.64.0.0/10",
        "group:x@example.com",
    ),
)
TARGETS = (
    *(
        "*",
        "autogroup:tagged",
        "autogroup:self",
        "autogroup:internet",
        "autogroup:member",
        "alice@example.com",
        "tag:own",
    ),
    *("tag:wiki-alfred", "tag:db-alfred", "tag:gatehouse-alfred", "tag:k8s-funnel", "192.168.0.0/24", "192.168.0.9"),
    *("192.168.0.124", "100.64.0.0/10", "100.101.102.103", "server", "ipset:all", "fd7a:115c:a1e0::/48", "group:own"),
)
IP = ("*", "tcp:*", "tcp:443", "udp:53", "22", "tcp:22", "tcp:5000-6000", "udp:*", "icmp:*", "9100")
MEANT = {
    "wiki-alfred.tail.ts.net:443/tcp": {"alice", "bob"},
    "wiki-alfred.tail.ts.net/": {"alice", "bob"},
    "db-alfred.tail.ts.net:5432/tcp": {"alice", "bob"},
    "alfred.tail.ts.net:22/tcp": {"alice"},
    # At the number of a service's port, whoever it is for may have the other protocol.
    "alfred.tail.ts.net:22/udp": {"alice"},
    "192.168.0.9:5000/tcp": {"alice"},
    "192.168.0.124:22/tcp": {"alice"},
}


@st.composite
def own_rules(draw: st.DrawFn) -> dict[str, Any]:
    some = {"min_size": 1, "max_size": 2, "unique": True}
    rule: dict[str, Any] = {
        "src": draw(st.lists(st.sampled_from(SOURCES), **some)),  # type: ignore[arg-type]
        "dst": draw(st.lists(st.sampled_from(TARGETS), **some)),  # type: ignore[arg-type]
        "ip": draw(st.lists(st.sampled_from(IP), **some)),  # type: ignore[arg-type]
    }
    return {**rule, "via": ["tag:own"]} if draw(st.integers(0, 5)) == 0 else rule


@settings(max_examples=1_000 if NIGHTLY else 8)
@given(rules=st.lists(own_rules(), min_size=1, max_size=2))
def test_where_nothing_is_refused_nobody_reaches_a_service_whom_it_does_not_name(rules: list[dict[str, Any]]) -> None:
    own = {
        "groups": {"group:own": ["alice@example.com", "carol@github"]},
        "tagOwners": {"tag:own": ["autogroup:admin"]},
        "hosts": {"server": "100.101.102.103"},
        "ipsets": {"ipset:all": ["add 100.64.0.0/10", "add 192.168.0.0/16"]},
        "grants": rules,
    }
    stacks = stack(json.dumps(own))
    found = {finding.rule for finding in check(stacks)}
    assume("tailnet-policy-invalid" not in found)
    changes = compare(plan_project(stack("{}")).surfaces["alfred"], plan_project(stacks).surfaces["alfred"])
    strangers = {
        (change.place.text, principal.name or principal.kind)
        for change in changes
        for principal in change.gains
        for machine in [change.place.request.host.partition(".tail.ts.net")[0]]
        if machine in ("alfred", "wiki-alfred", "db-alfred", "192.168.0.9", "192.168.0.124")
        and principal.name.partition("@")[0] not in MEANT.get(change.place.text, ())
    }
    event("refused" if "tailnet-policy-opens" in found else "accepted")
    assert not strangers or "tailnet-policy-opens" in found, strangers


# Routes and exit nodes


def routing(own: str = "{}", exit_node: Any = False, **sections: Any) -> dict[str, LoadedStack]:
    """The example estate, whose node leads admins to the home network."""
    node = {**NODE, "routes": [{"to": "192.168.0.0/24", "people": "admins"}], "exit_node": exit_node}
    return stack(own, **{"node": node, **sections})


def test_a_route_and_an_exit_node_are_grants_approvals_and_tests_of_the_policy_and_nothing_else_of_it_changes() -> None:
    bare, stacks = stack("{}"), routing(exit_node={"people": "household"})
    before: Any = plan_stack(bare["alfred"], bare).tailnet_policy
    policy: Any = plan_stack(stacks["alfred"], stacks).tailnet_policy
    assert [grant for grant in policy["grants"] if grant not in before["grants"]] == [
        {"src": ["group:admins"], "dst": ["192.168.0.0/24"], "ip": ["*"]},
        {"src": ["group:household"], "dst": ["autogroup:internet"], "ip": ["*"]},
    ]
    tag = "tag:gatehouse-alfred"
    assert policy["autoApprovers"] == {"routes": {"192.168.0.0/24": [tag]}, "exitNode": [tag]}
    assert "autoApprovers" not in before

    def asked(word: str) -> set[str]:
        return {test["src"] for test in policy["tests"] if "192.168.0.1:443" in test.get(word, ())}

    assert (asked("accept"), asked("deny")) == ({"alice@example.com"}, {"bob@example.com", "tag:k8s-funnel"})
    assert all(outcome.passed for outcome in run_tests(policy_of(policy)))
    for key in ("groups", "tagOwners", "nodeAttrs"):
        assert policy[key] == before[key]


def test_whom_a_route_leads_reaches_all_of_it_and_an_exit_node_leads_to_nothing_at_home() -> None:
    node = {**NODE, "routes": [{"to": "192.168.0.8/31", "people": "admins", "ports": ["tcp:5000", "udp:53"]}]}
    surfaces = {
        "route": plan_project(stack("{}", node=node)).surfaces["alfred"],
        "exit": plan_project(stack("{}", node={**NODE, "exit_node": True})).surfaces["alfred"],
        "neither": plan_project(stack("{}")).surfaces["alfred"],
    }
    alice, bob = (Principal("person", f"{name}@example.com") for name in ("alice", "bob"))

    def reached(host: str, port: int, scheme: Any = "tcp") -> set[tuple[str, Principal]]:
        asked = Request(host, port, "/", scheme)
        return {(name, one) for name, s in surfaces.items() for one in (alice, bob) if who(s, asked, one).reaches}

    assert reached("192.168.0.9", 5000) == {("route", alice)}
    # What no stack file knows is there is reached as well.
    assert reached("192.168.0.8", 5000) == reached("192.168.0.8", 53, "udp") == {("route", alice)}
    for host, port in (("192.168.0.8", 53), ("192.168.0.10", 5000), ("192.168.0.124", 22), ("10.0.0.1", 5000)):
        assert reached(host, port) == set()
    told = {place.text for place, _ in table(surfaces["route"])} - {place.text for place, _ in table(surfaces["exit"])}
    assert told == {"192.168.0.8/31:5000/tcp", "192.168.0.8/31:53/udp"}
    gained = {
        (change.place.request.host, one)
        for change in compare(surfaces["neither"], surfaces["exit"])
        for one in change.gains
    }
    assert {host for host, _ in gained} == {"autogroup:internet"}
    assert {alice, bob} <= {one for _, one in gained}


def test_a_claim_is_broken_by_a_route_and_names_the_way() -> None:
    claim = [{"only": "household", "on": "nas"}]
    services = {"nas": {**SERVICES["nas"], "people": "household"}}
    lan = [{"only": ["household", "lan"], "on": "nas"}]
    node = ["tailnet-route-node"]
    found = check(routing(services=services, claims=claim))
    assert [f.rule for f in found] == [*node, "claim-broken"], "from home, as before"
    assert [f.rule for f in check(routing(services=services, claims=lan))] == node
    estate = {**ESTATE, "people": {**ESTATE["people"], "guests": ["carol@example.com"]}}
    led = {**NODE, "routes": [{"to": "192.168.0.0/24", "people": "guests"}]}
    said = {"services": services, "claims": lan, "node": led, "estate": estate}
    known = {"tailnet-route-opens": "guests may see it", "tailnet-route-node": "guests may see all of it"}
    found = check(stack("{}", acknowledge=known, **said))
    assert [f.rule for f in found] == ["claim-broken"]
    assert "carol@example.com reaches" in found[0].reason


def test_a_route_for_the_same_people_is_refused_where_the_service_asks_from_where_they_come() -> None:
    limited = {"emails": ["alice@example.com"], "countries": "DE"}
    estate = {**ESTATE, "people": {**ESTATE["people"], "german": limited}}
    services = {"nas": {**SERVICES["nas"], "people": "german"}}
    found = check(routing(services=services, estate=estate))
    assert [f.rule for f in found] == ["tailnet-route-opens"]
    assert "lets alice@example.com reach 192.168.0.9:5000/tcp" in found[0].reason
    assert "past its `countries:` or `ips:`" in found[0].reason
    control = check(routing(services={"nas": SERVICES["nas"]}, estate=estate))
    assert [f.rule for f in control] == ["tailnet-route-node"]


def test_a_range_that_takes_in_a_node_is_told_with_every_port_of_the_node_that_is_known() -> None:
    # kubelet and API server: docs.k3s.io, Requirements, Networking; the rest are the stack file's.
    services = {"ssh": {**SSH, "people": "admins"}, "game": GAME}
    [found] = check(routing(services=services))
    assert (found.rule, found.severity) == ("tailnet-route-node", "warning")
    ports = "tcp 22 (service ssh), tcp 6443 (the Kubernetes API), tcp 10250 (the kubelet) and tcp 32565 (service game)"
    itself = "admins reach the node alfred itself (192.168.0.124): "
    assert found.reason == f"by this route {itself}{ports}, and whatever else listens there"
    # In the owner's own part, by a host's name, a range and both ends of one.
    for to, opened, told in (
        ("home", "*", f"{ports}, and whatever else listens there"),
        ("192.168.0.124", "tcp:10250", "tcp 10250 (the kubelet)"),
        ("192.168.0.64/26", "tcp:6000-7000", "tcp 6443 (the Kubernetes API)"),
        ("192.168.0.128/25", "*", ""),
        ("home", "udp:6443", ""),
        ("home", "tcp:22", ""),
        ("tag:nas", "*", ""),
    ):
        own = f"""{{
  "hosts": {{"home": "192.168.0.0/24"}}, "tagOwners": {{"tag:nas": ["autogroup:admin"]}},
  "grants": [{{"src": ["group:admins"], "dst": ["{to}"], "ip": ["{opened}"]}}]
}}"""
        told_here = [f for f in check(stack(own, services=services)) if f.rule != "limit-tailnet"]
        assert [(f.rule, f.place.file, f.place.line) for f in told_here] == (
            [("tailnet-route-node", "tailnet.hujson", 3)] if told else []
        ), to
        assert all(f.reason == f"where a route leads there, group:{itself}{told}" for f in told_here)


def test_approvals_of_the_owners_own_stand_beside_ours_in_one_list_and_are_told_apart_again() -> None:
    own = """{
  "autoApprovers": {
    "routes": {"192.168.0.0/24": ["autogroup:admin"], "10.1.0.0/16": ["alice@example.com"]}, // mine
    "exitNode": ["bob@example.com"],
  },
  "grants": [{"src": ["bob@example.com"], "dst": ["192.168.0.1"], "ip": ["tcp:443"]}],
}
"""
    stacks = routing(own, exit_node=True)
    assert [f.rule for f in check(stacks)] == ["tailnet-route-node"]
    plan = plan_stack(stacks["alfred"], stacks)
    ours: Any = plan.tailnet_policy
    assert ours["autoApprovers"] == {
        "routes": {"192.168.0.0/24": ["autogroup:admin", "tag:gatehouse-alfred"], "10.1.0.0/16": ["alice@example.com"]},
        "exitNode": ["bob@example.com", "tag:gatehouse-alfred"],
    }
    # The owner lets bob in there, so no test says that he is not.
    assert not [t for t in ours["tests"] if t["src"] == "bob@example.com" and "192.168.0.1:443" in t.get("deny", ())]
    assert all(outcome.passed for outcome in run_tests(policy_of(ours)))
    bare = routing(exit_node=True)
    generated: Any = plan_stack(bare["alfred"], bare).tailnet_policy
    rest = own_policy.without(plan.tailnet_policy_text or "", generated)
    said, theirs = (parse(text).value for text in (rest, own))
    # But for the test that we took ours out of.
    assert isinstance(said, dict)
    assert {key: value for key, value in said.items() if key != "tests"} == theirs
    assert re.findall("//.*", rest) == ["// mine"]


def test_the_manual_steps_have_the_exact_commands_of_what_a_node_leads_to() -> None:
    def commands(**node: Any) -> list[str]:
        stacks = stack("{}", node={**NODE, **node})
        steps = [s for s in plan_stack(stacks["alfred"], stacks).manual_steps if s.key == "tailscale-routes"]
        return [value for step in steps for value in step.values.values()]

    routes = ["192.168.7.0/24", "192.168.9.1/32"]
    assert commands() == []
    forwarding, offered = commands(routes=routes)
    assert offered == "sudo tailscale set --advertise-routes=192.168.7.0/24,192.168.9.1/32"
    assert forwarding.startswith("printf 'net.ipv4.ip_forward = 1\\n' | sudo tee /etc/sysctl.d/99-tailscale.conf")
    forwarding, offered = commands(exit_node=True)
    assert offered == "sudo tailscale set --advertise-exit-node"
    assert "net.ipv6.conf.all.forwarding = 1" in forwarding
    assert commands(routes=routes, exit_node=True)[1].endswith("192.168.9.1/32 --advertise-exit-node")


@settings(max_examples=300 if NIGHTLY else 8)
@given(
    to=st.sampled_from(["192.168.0.0/16", "192.168.0.8/29", "192.168.0.124/32", "192.168.0.9/32", "172.16.0.0/12"]),
    people=st.sampled_from(["household", "admins", "guests"]),
    ports=st.sampled_from([None, ["tcp:22"], ["tcp:5000", "udp:22"], ["udp:5000"], ["tcp:443"]]),
)
def test_where_no_route_is_refused_nobody_is_led_to_a_service_that_does_not_name_them(
    to: str, people: str, ports: Any
) -> None:
    estate = {**ESTATE, "people": {**ESTATE["people"], "guests": ["carol@example.com"]}}
    route = {"to": to, "people": people, **({"ports": ports} if ports else {})}
    stacks = stack("{}", node={**NODE, "routes": [route]}, estate=estate)
    refused = {finding.rule for finding in check(stacks) if finding.severity == "error"}
    surface = plan_project(stacks).surfaces["alfred"]
    strangers = {
        (host, name)
        for host, port in (("192.168.0.9", 5000), ("192.168.0.124", 22))
        for name in ("bob", "carol")
        if who(surface, Request(host, port, "/", "tcp"), Principal("person", f"{name}@example.com")).reaches
    }
    event("refused" if refused else "accepted")
    assert refused == ({"tailnet-route-opens"} if strangers else set())


@pytest.mark.parametrize(
    ("to", "fix"),
    [
        ("192.168.1.5/24", "192.168.1.0/24"),
        ("0.0.0.0/0", ""),
        ("203.0.113.0/24", ""),
        ("100.64.0.0/10", ""),
        ("fd00::/64", ""),
        # All of k3s' Services and pods are in these.
        ("10.0.0.0/8", ""),
        ("10.43.0.1/32", ""),
        ("router.lan", ""),
    ],
)
def test_a_route_is_private_written_as_it_is_and_none_of_the_clusters(to: str, fix: str) -> None:
    for route in (to, {"to": to}):
        wiki = {**SERVICES["wiki"], "people": "nobodys"}
        found, other = check(stack("{}", node={**NODE, "routes": [route]}, services={"wiki": wiki}))
        assert found.where == ("node.routes[0]" if route == to else "node.routes[0].to")
        assert (found.rule, found.suggestion) == ("wrong-form", fix)
        assert other.rule == "people-unknown", "what else is wrong is told as well"
    assert check(stack("{}", node={**NODE, "routes": ["192.168.77.0/24", "172.16.0.0/12", "10.1.0.0/16"]})) == ()


@pytest.mark.parametrize(
    ("servers", "ports", "instead", "fix"),
    [
        (["192.168.0.9"], ["tcp:53"], "resolve no name at all", "with `udp:53` under `ports:`"),
        (["192.168.0.9", "192.168.7.9"], ["tcp:53"], "resolve no name at all", "with `udp:53` under `ports:`"),
        (["192.168.0.9", "192.168.7.9"], ["udp:53"], "get every answer from the others", "lead people to it"),
        (["9.9.9.9", "192.168.7.9"], ["udp:53"], "get every answer from the others", "lead people to it"),
    ],
)
def test_of_a_nameserver_at_home_that_nobody_asks_it_is_said_who_answers_and_what_leads_there(
    servers: list[str], ports: list[str], instead: str, fix: str
) -> None:
    dns = {"nameservers": servers, "override_local_dns": True}
    tailnet = {"name": "tail.ts.net", "policy": "tailnet.hujson", "dns": dns}
    node = {**NODE, "routes": [{"to": "192.168.0.9/32", "people": "household", "ports": ports}]}
    found = check(stack("{}", estate={**ESTATE, "tailnet": tailnet}, node=node, services={"wiki": HTML}))
    assert {f.rule for f in found} == {"tailnet-nameserver"}
    assert all(instead in f.reason for f in found)
    assert fix in found[0].fix


# Shared proxies

SHARING = {**NODE, "tailnet_ipv4": "100.101.102.103", "proxy_group": True}
DB = {**SERVICES, "db": {**SERVICES["db"], "machines": "tag:server", "people": "admins"}}


@pytest.mark.parametrize("name", POLICIES)
def test_an_own_policy_opens_the_same_whether_or_not_proxies_are_shared(name: str) -> None:
    text = (FOLDER / f"{name}.hujson").read_text()
    marks = {(n, *m.groups()) for n, line in enumerate(text.splitlines(), 1) for m in MARK.finditer(line)}
    # The proxies are machines too, that Funnel is not for.
    found = {(f.place.line, *told(f)) for f in check(stack(text, node=SHARING))}
    assert {(line, what, words.replace("alfred-proxies-0, ", "")) for line, what, words in found} == marks


def test_shared_proxies_are_grants_approvals_and_tests_of_the_policy_and_nothing_else_of_it_changes() -> None:
    # tailscale.com/kb/1439, Configure permissions: `autoApprovers.services` from the Service's tag to the proxies', a
    # grant to the Service's tag, and one of ICMP to the proxies' for whoever has that; the operator owns both tags.
    bare, stacks = stack("{}", services=DB), stack("{}", services=DB, node=SHARING)
    off: Any = plan_stack(bare["alfred"], bare).tailnet_policy
    on: Any = plan_stack(stacks["alfred"], stacks).tailnet_policy
    proxies = "tag:k8s-proxies-alfred"
    assert on["autoApprovers"] == {"services": {"tag:db-alfred": [proxies], "tag:wiki-alfred": [proxies]}}
    icmp = {"src": ["group:admins", "tag:server", "group:household"], "dst": [proxies], "ip": ["icmp:*"]}
    assert [grant for grant in on["grants"] if grant not in off["grants"]] == [icmp]
    assert [grant for grant in off["grants"] if grant not in on["grants"]] == []
    assert on["tagOwners"] == {**off["tagOwners"], proxies: ["tag:k8s-operator"]}
    denied = {(test["src"], target) for test in on["tests"] for target in test.get("deny", ())}
    assert {target for source, target in denied if source == proxies} >= {
        *("tag:wiki-alfred:443", "tag:db-alfred:5432", "tag:gatehouse-alfred:22")
    }
    assert {source for source, target in denied if target == f"{proxies}:443"} == {
        *("alice@example.com", "tag:k8s-funnel")
    }
    assert not any(outcome.failures for outcome in run_tests(policy_of(on)))
    assert {key for key in on if on[key] != off.get(key)} == {"autoApprovers", "grants", "tagOwners", "tests"}


def test_whom_a_service_is_for_is_the_same_whether_or_not_proxies_are_shared() -> None:
    off, on = (plan_project(stack("{}", services=DB, node=node)).surfaces["alfred"] for node in (NODE, SHARING))
    assert not compare(off, on)
    assert not compare(on, off)
    request = Request("db-alfred.tail.ts.net", 5432, "/", "tcp")
    for surface in (off, on):
        reached = {p for p in ("alice", "bob") if who(surface, request, _person(p)).reaches}
        assert reached == {"alice"}
        assert who(surface, request, Principal("tag", "tag:server")).reaches
        assert not who(surface, request, Principal("tag", "tag:k8s-proxies-alfred")).reaches


def _person(name: str) -> Principal:
    return Principal("person", f"{name}@example.com")


def test_a_rule_to_a_tailscale_service_opens_it_where_proxies_are_shared_alone() -> None:
    own = '{"grants": [\n{"src": ["carol@example.com"], "dst": ["svc:db-alfred"], "ip": ["*"]}]}'
    [found] = check(stack(own, node=SHARING))
    assert (found.rule, found.place.line) == ("tailnet-policy-opens", 2)
    assert "lets carol@example.com reach db-alfred:5432/tcp" in found.reason
    # The control: without them there is no such Service.
    assert not check(stack(own))
    request = Request("db-alfred.tail.ts.net", 5432, "/", "tcp")
    on, off = (plan_project(stack(own, node=node)).surfaces["alfred"] for node in (SHARING, NODE))
    assert who(on, request, CAROL).reaches
    assert not who(off, request, CAROL).reaches


def test_a_rule_by_way_of_a_router_to_a_tailscale_service_is_taken_to_open_it() -> None:
    # kb/1378 says what it is for exit nodes, subnet routers and app connectors, and of Services nothing.
    grant = '{"src": ["carol@example.com"], "dst": ["%s"], "ip": ["*"], "via": ["tag:r"]}'
    own = f'{{"tagOwners": {{"tag:r": []}}, "grants": [\n{grant}]}}'
    request = Request("db-alfred.tail.ts.net", 5432, "/", "tcp")
    for name in ("svc:db-alfred", "tag:db-alfred"):
        [found] = check(stack(own % name, node=SHARING))
        assert (found.rule, found.place.line) == ("tailnet-policy-opens", 2)
        assert who(plan_project(stack(own % name, node=SHARING)).surfaces["alfred"], request, CAROL).reaches
        # The control: a machine is behind no router.
        assert not check(stack(own % name))
        assert not who(plan_project(stack(own % name)).surfaces["alfred"], request, CAROL).reaches


def test_the_attribute_of_funnel_is_not_for_shared_proxies() -> None:
    own = '{"nodeAttrs": [\n{"target": ["tag:k8s-proxies-alfred"], "attr": ["funnel"]}], "grants": []}'
    [found] = check(stack(own, node=SHARING))
    assert (found.rule, found.place.line) == ("tailnet-policy-opens", 2)
    assert "lets alfred-proxies-0 go public by Funnel" in found.reason
    others = own.replace("tag:k8s-proxies-alfred", "tag:mine").replace("{", '{"tagOwners": {"tag:mine": []}, ', 1)
    assert not check(stack(others, node=SHARING)), "the control: machines of the owner's"


def test_whoever_reaches_shared_proxies_by_a_rule_reaches_no_service_by_that() -> None:
    # They answer at the addresses of Services alone [TS cmd/k8s-operator/ingress-for-pg.go, the serve configuration].
    own = '{"grants": [{"src": ["carol@example.com"], "dst": ["tag:k8s-proxies-alfred"], "ip": ["*"]}]}'
    assert not check(stack(own, node=SHARING))
    surface = plan_project(stack(own, node=SHARING)).surfaces["alfred"]
    assert not who(surface, Request("db-alfred.tail.ts.net", 5432, "/", "tcp"), CAROL).reaches


@pytest.mark.parametrize("name", ["tag:db-alfred", "svc:db-alfred", "SVC:DB-alfred", "*", "svc:*"])
def test_no_other_machine_may_answer_for_a_service_behind_shared_proxies(name: str) -> None:
    own = f'{{"tagOwners": {{"tag:x": []}},\n"autoApprovers": {{"services": {{"{name}": ["tag:x"]}}}}, "grants": []}}'
    [found] = check(stack(own, node=SHARING))
    assert (found.rule, found.place.line) == ("tailnet-policy-opens", 2)
    assert re.search(r"lets tag:x answer as (db|wiki)-alfred", found.reason)
    assert not check(stack(own)), "the control: a machine of that name is no Service"
    mine = own.replace('"tag:x"]', '"tag:k8s-proxies-alfred"]')
    assert not check(stack(mine, node=SHARING))


@pytest.mark.parametrize("name", ["services", "home-network"])
def test_approvals_for_shared_proxies_can_be_told_apart_from_the_owners(name: str) -> None:
    text = (FOLDER / f"{name}.hujson").read_text()
    stacks = stack("{}", node=SHARING)
    ours: Any = plan_stack(stacks["alfred"], stacks).tailnet_policy
    whole = own_policy.merged(text, ours)
    assert parse(own_policy.without(whole, ours)).value == parse(text).value
    said: Any = own_policy.value(whole)
    assert said["autoApprovers"]["services"]["tag:db-alfred"] == ["tag:k8s-proxies-alfred"]


def test_who_may_give_out_the_tag_of_shared_proxies_is_gatehouses_to_say() -> None:
    own = '{"tagOwners": {"tag:k8s-proxies-alfred": ["carol@example.com"]}, "grants": []}'
    [found] = check(stack(own, node=SHARING))
    assert found.rule == "tailnet-policy-invalid"
    assert "tag:k8s-proxies-alfred is a tag of Gatehouse's" in found.reason


def test_the_proxies_of_one_node_answer_for_no_service_of_another() -> None:
    second = {**SHARING, "name": "octavo", "context": "octavo", "lan_ipv4": "192.168.0.125", "tailnet_ipv4": None}
    services = {"notes": {**HTML, "clients": "tailnet"}}
    member = loaded(services, "octavo", member_of="alfred", node=second)
    policy: Any = plan_of({"wiki": SERVICES["wiki"]}, member, node=SHARING).tailnet_policy
    assert policy["autoApprovers"]["services"] == {
        "tag:wiki-alfred": ["tag:k8s-proxies-alfred"],
        "tag:notes-octavo": ["tag:k8s-proxies-octavo"],
    }
    # A member without the key has its own proxies still.
    member = loaded(services, "octavo", member_of="alfred", node={**second, "proxy_group": False})
    policy = plan_of({"wiki": SERVICES["wiki"]}, member, node=SHARING).tailnet_policy
    assert policy["autoApprovers"]["services"] == {"tag:wiki-alfred": ["tag:k8s-proxies-alfred"]}
    assert "tag:k8s-proxies-octavo" not in policy["tagOwners"]
