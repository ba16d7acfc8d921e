"""The surface of what was really registered equals the plan's, for every stack file of the repository."""

from __future__ import annotations

import copy
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.loader import load_project, stack_names
from config.secrets import SECRETS
from exposure.model import PeopleSet
from exposure.reach import ANYONE, MEMBER, Outcome, Request, Surface, from_steps, merge, stack_of, steps, table, who
from exposure.reach import surface as s
from exposure.reach.project import Project, plan_project
from exposure.reach.shadows import shadows
from exposure.reach.steps import UNKNOWN, NoPreviewError, known_from
from exposure.reach.tailnet import PolicyError
from tests.exposure.reach import homes
from tests.kit import builders, shipped

PROJECT = Path(__file__).parents[3]
STACKS = stack_names(PROJECT)
OWNER = "alfred"
APPLICATION = "cloudflare:index/zeroTrustAccessApplication:ZeroTrustAccessApplication"
MEMBERS = [name for name in STACKS if name != OWNER]


@cache
def _planned() -> Project:
    return plan_project(load_project(PROJECT))


@cache
def _text(stack: str, known: bool) -> str:
    if not known:
        return shipped.planned_text(stack)
    from gatehouse import offline

    secrets = {secret.key: secret.simulated for secret in SECRETS}
    return offline.run_offline(
        PROJECT,
        stack,
        False,
        secrets={**secrets, "cloudflare:apiToken": "t", "tailscale:apiKey": "t"},
        computed=lambda type_, name, inputs: {"id": f"id-of-{name}", "aud": f"aud-of-{name}"},
    ).to_json()


def _document(stack: str, known: bool = False) -> dict[str, Any]:
    """What the offline plan registers. `known`: with every id and AUD, as an engine has them after `up`."""
    document: dict[str, Any] = json.loads(_text(stack, known))
    for step in document["steps"] if known else ():
        name = step["urn"].rsplit("::", 1)[-1]
        step["newState"] |= {"id": f"id-of-{name}", "outputs": {"aud": f"aud-of-{name}"}}
    return document


@pytest.mark.parametrize("known", [False, True], ids=["before-up", "after-up"])
@pytest.mark.parametrize("stack", STACKS)
def test_what_is_registered_gives_the_surface_of_the_plan(stack: str, known: bool) -> None:
    if known and stack in MEMBERS:
        pytest.skip("a member's ids are the owner's, see the test of members")
    surface = from_steps(_document(stack, known), _planned().known(stack))
    assert surface == _planned().surfaces[stack]
    # A positive control: there is something in it.
    assert surface.tunnels[0].rules
    assert surface.applications


@pytest.mark.parametrize("stack", STACKS)
def test_both_answer_alike_for_everybody_and_every_place_word_for_word(stack: str) -> None:
    planned, registered = _planned().surfaces[stack], from_steps(_document(stack), _planned().known(stack))
    assert [(p, a) for p, a in table(planned)] == [(p, a) for p, a in table(registered)]
    for place, _ in table(planned):
        assert who(planned, place.request, ANYONE) == who(registered, place.request, ANYONE)


def test_a_member_reads_its_owners_document_as_well_as_its_plan() -> None:
    owner = _document(OWNER)
    for member in MEMBERS:
        told = known_from(owner, s.Known(tailnet=s.Tailnet("xantu-lizard.ts.net", None)))
        planned = _planned().known(member)
        assert dict(told.people) == dict(planned.people)
        assert (told.zones, told.bypass) == (planned.zones, planned.bypass)
        assert told.tailnet == planned.tailnet


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_finds_its_owners_policies_by_the_reference_once_they_have_ids(member: str) -> None:
    ids = {
        "policy_ids": {"household": "id-h", "admins": "id-a"},
        "bypass_policy_id": "id-b",
        "identity_provider_id": "id-i",
    }
    document = _document(member)
    text = json.dumps(document)
    for key, value in (("policy_ids-household", "id-h"), ("policy_ids-admins", "id-a")):
        text = text.replace(f"<{OWNER}-{key}>", value)
    text = text.replace(f"<{OWNER}-bypass_policy_id>", "id-b").replace(f"<{OWNER}-identity_provider_id>", "id-i")
    document = json.loads(text)
    urn = f"urn:pulumi:{member}::gatehouse::pulumi:pulumi:StackReference::organization/gatehouse/{OWNER}"
    state = {"urn": urn, "type": "pulumi:pulumi:StackReference", "inputs": {}, "outputs": {"outputs": ids}}
    # Without the reference nothing tells whose policies they are: open, and not silently closed.
    unresolved = from_steps(document, _planned().known(member))
    assert any(p.decision == "unknown" for a in unresolved.applications for p in a.policies)
    document["steps"].append({"op": "read", "urn": urn, "newState": state})
    assert from_steps(document, _planned().known(member)) == _planned().surfaces[member]


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_finds_its_owners_policies_by_their_ids_in_the_owners_document(member: str) -> None:
    text = json.dumps(_document(member))
    for name in _planned().plans[OWNER].estate.people:
        text = text.replace(f"<{OWNER}-policy_ids-{name}>", f"id-of-google-people-{name}")
    text = text.replace(f"<{OWNER}-bypass_policy_id>", "id-of-google-bypass")
    text = text.replace(f"<{OWNER}-identity_provider_id>", "id-of-google-idp")
    assert f"<{OWNER}-policy" not in text
    known = known_from(_document(OWNER, known=True), _planned().known(member))
    assert from_steps(json.loads(text), known) == _planned().surfaces[member]


@cache
def _home() -> tuple[Project, dict[str, dict[str, Any]]]:
    """The example with every form, planned; and what each of its two stacks registers."""
    from gatehouse import offline

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        project = Path(folder) / "project"
        shutil.copytree(PROJECT / "examples" / "home", project)
        shutil.copy(PROJECT / "Pulumi.yaml", project)
        shutil.copy(PROJECT / "__main__.py", project)
        homes.unchecked(patch)
        texts = {stack: offline.run_offline(project, stack).to_json() for stack in ("attic", "shed")}
    return plan_project(load_project(PROJECT / "examples" / "home")), {n: json.loads(t) for n, t in texts.items()}


@pytest.mark.parametrize("stack", ["attic", "shed"])
def test_every_form_that_is_registered_gives_the_surface_of_the_plan(stack: str) -> None:
    planned, documents = _home()
    surface = from_steps(documents[stack], planned.known(stack))
    assert surface == planned.surfaces[stack]
    assert [r.access.unresolved for r in surface.rules if r.access] != []
    if stack == "shed":
        # What the owner registers is known by its document as well: zones, and a policy for two sets together.
        told = known_from(documents["attic"], s.Known(tailnet=s.Tailnet("tail-example.ts.net", None)))
        assert [zone.name for zone in told.zones] == ["example.com", "example.org"]
        assert {"admins+household", "friends+household"} <= set(told.people)
        assert (told.deny, told.bypass) == (planned.known("shed").deny, planned.known("shed").bypass)
        assert from_steps(documents[stack], replace(told, node=planned.known("shed").node)) == surface


def test_people_of_every_kind_with_a_session_of_a_service_are_registered_as_planned(tmp_path: Path) -> None:
    from gatehouse import offline

    people = {
        "family": ["alice@example.com", "bob@example.com"],
        "there": {"emails": ["carl@example.com"], "countries": ["AT", "DE"], "ips": ["203.0.113.7/32"]},
        "smiths": {"github": ["smiths"], "login": "hub"},
        "gone": {"emails": ["old@example.com"], "until": "2026-01-01"},
    }
    hub = {"hub": {"type": "github", "client_id": "abcdef"}}
    estate = {**builders.ESTATE, "people": people, "default_people": "family", "logins": hub}
    services: dict[str, Any] = {}
    for prefix, session, name in itertools.product("ms", ("", "1h", "0s"), people):
        key = f"{prefix}{session}-{name}"
        access = {"access": {"session_duration": session}} if session else {}
        origin = {"namespace": key, "service": key, "port": 80}
        services[key] = {**builders.HTML, "origin": origin, "people": name, **access}
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(PROJECT / name, tmp_path)
    parts = {p: {key: value for key, value in services.items() if key.startswith(p)} for p in "ms"}
    text = builders.stack_text(parts["s"], estate=estate)
    (tmp_path / f"Pulumi.{OWNER}.yaml").write_text(text)
    node = {**builders.NODE, "name": "two", "context": "two", "lan_ipv4": "192.168.0.9"}
    text = builders.stack_text(parts["m"], node=node, estate=None, member_of=f"organization/gatehouse/{OWNER}")
    (tmp_path / "Pulumi.two.yaml").write_text(text)
    planned = plan_project(load_project(tmp_path))
    for stack in (OWNER, "two"):
        document = json.loads(offline.run_offline(tmp_path, stack).to_json())
        assert from_steps(document, planned.known(stack)) == planned.surfaces[stack]


def test_a_member_finds_zones_and_policies_of_its_owner_by_the_reference_once_they_have_ids() -> None:
    planned, documents = _home()
    text = json.dumps(documents["shed"])
    outputs: dict[str, Any] = {}
    for output, key, value in (
        ("zone_id", "", "z1"),
        ("zone_ids", "example.org", "z2"),
        ("policy_ids", "admins+household", "p1"),
        ("deny_policy_id", "", "p2"),
        ("identity_provider_id", "", "i1"),
    ):
        text = text.replace(f"<attic-{output}{'-' if key else ''}{key}>", value)
        outputs[output] = {key: value} if key else value
    assert "<attic" not in text
    # The API takes names below their own zone, too.
    text = text.replace('"name": "cameras.example.org"', '"name": "cameras"')
    document = json.loads(text)
    urn = "urn:pulumi:shed::gatehouse::pulumi:pulumi:StackReference::organization/gatehouse/attic"
    state = {"urn": urn, "type": "pulumi:pulumi:StackReference", "inputs": {}, "outputs": {"outputs": outputs}}
    document["steps"].append({"op": "read", "urn": urn, "newState": state})
    assert from_steps(document, planned.known("shed")) == planned.surfaces["shed"]


def _state(type_: str, inputs: Mapping[str, Any], name: str = "x") -> dict[str, Any]:
    urn = f"urn:pulumi:s::p::{type_}::{name}"
    return {"op": "same", "urn": urn, "newState": {"urn": urn, "type": type_, "id": name, "inputs": inputs}}


def test_a_policy_of_the_owner_is_found_by_the_placeholder_of_the_offline_plan() -> None:
    deny, bypass = s.Policy("deny", (s.Selector("everyone"),)), s.Policy("bypass", (s.Selector("everyone"),))
    both = s.people_policy(PeopleSet("admins+household", ("alice@example.com",)))
    known = s.Known(deny=deny, bypass=bypass, people={"admins+household": both})
    for output, policy in (
        ("deny_policy_id", deny),
        ("bypass_policy_id", bypass),
        ("policy_ids-admins+household", both),
        ("policy_ids-admins", s.Policy("unknown")),
    ):
        app = {"destinations": [{"type": "public", "uri": GRAFANA}], "policies": [{"id": f"<my-home-{output}>"}]}
        [found] = from_steps({"steps": [_state(APPLICATION, app)]}, known).applications
        assert found.policies == (policy,), output


@pytest.mark.parametrize("op", ["update", "replace"])
def test_an_application_that_is_made_anew_gets_another_aud(op: str) -> None:
    host, rules = "a.example.com", "cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig"
    tunnel = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
    app = _state(APPLICATION, {"destinations": [{"type": "public", "uri": host}]}, host)
    app |= {"op": op, "oldState": {"id": "app", "outputs": {"aud": "old"}}}
    access = {"required": True, "teamName": "team", "audTags": ["old" if op == "update" else UNKNOWN]}
    ingress = {"hostname": host, "service": "http://web:80", "originRequest": {"access": access}}
    config = _state(rules, {"tunnelId": "t", "config": {"ingresses": [ingress]}}, "rules")
    config["newState"]["dependencies"] = [app["urn"]]
    steps = [app, config, _state(tunnel, {"name": "t"}, "t")]
    [rule] = from_steps({"steps": steps}, s.Known()).rules
    assert rule.access == s.JwtCheck(True, "team", (host,))
    # An AUD that is no longer anybody's is traced to nobody.
    access["audTags"] = ["old", UNKNOWN]
    [rule] = from_steps({"steps": steps}, s.Known()).rules
    assert rule.access
    assert rule.access.unresolved == (1 if op == "update" else 2)


def _ingress(spec: Mapping[str, Any]) -> s.TailnetIngress:
    made = {"ingressClassName": "tailscale", "tls": [{"hosts": ["films"]}], **spec}
    metadata = {"namespace": "films", "name": "x", "annotations": {"tailscale.com/funnel": "true"}}
    step = _state("kubernetes:networking.k8s.io/v1:Ingress", {"metadata": metadata, "spec": made})
    [found] = from_steps({"steps": [step]}, s.Known()).tailnet_ingresses
    return found


def test_an_ingress_serves_its_paths_and_everything_where_it_says_nothing_else() -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    entries = [{"path": path, "backend": backend} for path in ("/share", "/api")]
    assert _ingress({"rules": [{"http": {"paths": entries}}]}).paths == ("/api", "/share")
    assert _ingress({"rules": [{"http": {"paths": entries}}]}).backend == "web:80"
    assert _ingress({"defaultBackend": backend}).paths == ("/",)
    assert _ingress({"defaultBackend": backend, "rules": [{"http": {"paths": entries}}]}).paths == ("/",)
    assert _ingress({"rules": [{"http": {"paths": [*entries, {"path": "/", "backend": backend}]}}]}).paths == ("/",)
    assert _ingress({}).paths == ()


def test_of_a_patched_service_the_name_is_known_and_the_ports_are_not() -> None:
    annotations = {"tailscale.com/expose": "true", "tailscale.com/hostname": "dns", "tailscale.com/tags": "tag:dns"}
    patch = {"metadata": {"namespace": "adguard", "name": "dns-svc", "annotations": annotations}}
    policy = {"tagOwners": {"tag:dns": []}, "grants": [{"src": ["*"], "dst": ["tag:dns"], "ip": ["udp:53"]}]}
    steps = [
        _state("kubernetes:core/v1:ServicePatch", patch),
        _state("tailscale:index/acl:Acl", {"acl": json.dumps(policy)}),
    ]
    surface = from_steps({"steps": steps}, s.Known(tailnet=s.Tailnet("tail.ts.net", None)))
    assert surface.tailnet_addresses == (s.TailnetAddress("dns", "adguard", None, ("tag:dns",), pods="dns-svc"),)
    # What the policy opens is what can be reached.
    assert [place.text for place, found in table(surface) if found.how] == ["dns.tail.ts.net:53/udp"]
    assert who(surface, Request("dns", 53, scheme="udp"), MEMBER).outcome is Outcome.TAILNET
    assert who(surface, Request("dns", 54, scheme="udp"), MEMBER).outcome is Outcome.TAILNET_DENIED


def test_a_service_of_its_own_has_its_ports_by_tcp_and_udp() -> None:
    annotations = {"tailscale.com/hostname": "git"}
    ports = [{"port": 22}, {"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    spec = {"loadBalancerClass": "tailscale", "ports": ports}
    service = _state("kubernetes:core/v1:Service", {"metadata": {"annotations": annotations}, "spec": spec})
    [found] = from_steps({"steps": [service]}, s.Known()).tailnet_addresses
    assert found.ports == (("tcp", 22), ("tcp", 53), ("udp", 53))


def test_a_load_balancer_opens_ports_of_the_node_unless_that_is_off() -> None:
    def at_home(**spec: Any) -> list[str]:
        ports = [{"port": 22, "targetPort": 2222}, {"port": 53, "protocol": "UDP", "nodePort": 30053}]
        spec = {"type": "LoadBalancer", "loadBalancerClass": "tailscale", "ports": ports, **spec}
        metadata = {"namespace": "git", "name": "git-ssh"}
        service = _state("kubernetes:core/v1:Service", {"metadata": metadata, "spec": spec})
        surface = from_steps({"steps": [service]}, s.Known(node=s.AtHome("pi", "192.168.1.10")))
        # The tailnet's own way is there in any case.
        assert surface.tailnet_addresses[0].workload("tcp", 22).port == 2222
        return [f"{p.text} {p.request.port} {found.workloads[0]}" for p, found in table(surface) if found.how]

    assert at_home(selector={"app": "git"}) == [
        "192.168.1.10:any node port/tcp 0 git/{app=git}:2222",
        "192.168.1.10:30053/udp 30053 git/{app=git}:53/udp",
    ]
    assert at_home() == [
        "192.168.1.10:any node port/tcp 0 git/git-ssh:2222",
        "192.168.1.10:30053/udp 30053 git/git-ssh:53/udp",
    ]
    assert at_home(allocateLoadBalancerNodePorts=False) == []


def test_each_path_of_an_ingress_ends_at_its_own_backend() -> None:
    def backend(name: str) -> dict[str, Any]:
        return {"service": {"name": name, "port": {"number": 80}}}

    paths = [{"path": "/api", "backend": backend("api")}, {"path": "/api/v1", "backend": backend("old")}]
    spec = {"ingressClassName": "tailscale", "defaultBackend": backend("web"), "rules": [{"http": {"paths": paths}}]}
    ingress = _state("kubernetes:networking.k8s.io/v1:Ingress", {"metadata": {"namespace": "n"}, "spec": spec})
    [found] = from_steps({"steps": [ingress]}, s.Known()).tailnet_ingresses
    asked = ("/", "/apis", "/api", "/api/x", "/api/v1/x")
    assert [str(found.workload(path)) for path in asked] == ["n/web:80", "n/web:80", "n/api:80", "n/api:80", "n/old:80"]


def test_a_program_of_somebody_else_names_its_cluster_after_its_tunnel() -> None:
    tunnel = _state("cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared", {"name": "attic"})
    spec = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}], "selector": {"b": "2", "a": "1"}}
    service = _state("kubernetes:core/v1:Service", {"metadata": {"namespace": "web"}, "spec": spec})
    [port] = from_steps({"steps": [tunnel, service]}, s.Known()).node_ports
    assert (port.workload.place, port.workload.port) == ("attic web/{a=1,b=2}", 80)
    [port] = from_steps({"steps": [service]}, s.Known()).node_ports
    assert str(port.workload) == "web/{a=1,b=2}:80"


@pytest.mark.parametrize(
    ("policies", "lasts"),
    [
        ([], "1h"),
        ([("allow", {"sessionDuration": "8h"})], "8h"),
        # Without a word of it, the provider gives a reusable one a day [TFC zero_trust_access_policy, schema.go].
        ([("allow", {})], "24h"),
        ([("allow", {"sessionDuration": "30m"}), ("allow", {"sessionDuration": "90m"})], "90m"),
        ([("deny", {"sessionDuration": "700h"}), ("bypass", {}), ("allow", {"sessionDuration": "30m"})], "30m"),
    ],
)
def test_a_policys_session_counts_before_its_applications(policies: list[tuple[str, Any]], lasts: str) -> None:
    steps = [
        _state("cloudflare:index/zeroTrustAccessPolicy:ZeroTrustAccessPolicy", {"decision": decision, **more}, f"p{n}")
        for n, (decision, more) in enumerate(policies)
    ]
    attached = [{"id": f"p{n}", "precedence": n + 1} for n in range(len(steps))]
    inputs = {"destinations": [{"uri": "a.example.com"}], "policies": attached, "sessionDuration": "1h"}
    app = _state("cloudflare:index/zeroTrustAccessApplication:ZeroTrustAccessApplication", inputs, "app")
    [found] = from_steps({"steps": [*steps, app]}, s.Known()).applications
    assert found.session == lasts


def test_the_group_of_a_policy_that_is_written_in_place_is_told_before_it_has_an_id() -> None:
    email = {"email": {"email": "ada@example.com"}}
    group = _state("cloudflare:index/zeroTrustAccessGroup:ZeroTrustAccessGroup", {"includes": [email]}, "g")
    group["newState"]["id"] = ""
    policy = {"decision": "allow", "includes": [{"group": {"id": UNKNOWN}}]}
    inputs = {"destinations": [{"uri": "a.example.com"}], "policies": [policy]}
    app = _state("cloudflare:index/zeroTrustAccessApplication:ZeroTrustAccessApplication", inputs, "app")
    app["newState"]["propertyDependencies"] = {"policies": [group["urn"]]}
    app["newState"]["dependencies"] = [group["urn"]]
    [found] = from_steps({"steps": [group, app]}, s.Known()).applications
    [selector] = found.policies[0].include
    assert selector.group
    assert selector.group.include == (s.Selector("email", "ada@example.com"),)


def test_each_zone_has_its_own_setting_and_its_own_names() -> None:
    zone, setting = "cloudflare:index/zone:Zone", "cloudflare:index/zoneSetting:ZoneSetting"
    record = "cloudflare:index/dnsRecord:DnsRecord"
    https = {"settingId": "always_use_https"}
    steps = [
        _state(zone, {"name": "example.com"}, "z1"),
        _state(zone, {"name": "example.net"}, "z2"),
        _state(setting, {**https, "zoneId": "z1", "value": "on"}, "s1"),
        _state(setting, {**https, "zoneId": "z2", "value": "off"}, "s2"),
        _state(record, {"zoneId": "z2", "name": "www", "type": "A", "content": "192.0.2.1"}, "r1"),
        _state(record, {"zoneId": "z2", "name": "@", "type": "A", "content": "192.0.2.1"}, "r2"),
        _state(record, {"zoneId": "z1", "name": "www.example.com", "type": "A", "content": "192.0.2.1"}, "r3"),
    ]
    known = s.Known((s.Zone("example.net", True), s.Zone("example.org", True)))
    surface = from_steps({"steps": steps}, known)
    assert surface.zones == (s.Zone("example.com", False, True), s.Zone("example.net", True, False))
    assert [r.host for r in surface.records] == ["example.net", "www.example.com", "www.example.net"]


def test_unknown_auds_that_do_not_fit_the_place_of_their_rule_count_as_unresolved() -> None:
    planned, documents = _home()
    host = "automation.example.org"

    def check(path: str | None, change: int) -> s.JwtCheck:
        document = copy.deepcopy(documents["attic"])
        for entry in _inputs(document, ":ZeroTrustTunnelCloudflaredConfig")["config"]["ingresses"]:
            if entry.get("hostname") == host and entry.get("path") == path:
                tags = entry["originRequest"]["access"]["audTags"]
                assert set(tags) == {UNKNOWN}
                entry["originRequest"]["access"]["audTags"] = [*tags, UNKNOWN][: len(tags) + change]
        surface = from_steps(document, planned.known("attic"))
        return next(r.access for r in surface.rules if (r.host, r.path) == (host, path) and r.access)

    test = "(?i)^/webhook/test([/;]|$)"
    assert (check(None, 0).applications, check(None, 0).unresolved) == ((host, f"{host}/webhook"), 0)
    assert (check(test, 0).applications, check(test, 0).unresolved) == ((f"{host}/webhook/test",), 0)
    for path, number in ((None, 2), (test, 1)):
        for change in (-1, 1):
            found = check(path, change)
            assert (found.applications, found.unresolved) == ((), number + change)


def _inputs(document: dict[str, Any], type_: str, word: str = "") -> dict[str, Any]:
    for step in document["steps"]:
        if step["newState"]["type"].endswith(type_) and word in json.dumps(step["newState"]["inputs"]):
            found: dict[str, Any] = step["newState"]["inputs"]
            return found
    raise AssertionError(type_)


def _changed(change: Mapping[str, Any], type_: str, word: str = "", known: bool = False) -> Surface:
    """The owner's surface with one resource registered otherwise than the plan says."""
    document = _document(OWNER, known)
    _inputs(document, type_, word).update(change)
    return from_steps(document, _planned().known(OWNER))


GRAFANA = "grafana-alfred.very-very-dark-gray.top"


def test_what_differs_from_the_plan_is_seen() -> None:
    assert who(_planned().surfaces[OWNER], Request(GRAFANA), ANYONE).outcome is Outcome.ACCESS_DENIED
    opened = _changed(
        {"policies": [{"decision": "bypass", "includes": [{"everyone": {}}]}]}, ":ZeroTrustAccessApplication", GRAFANA
    )
    assert who(opened, Request(GRAFANA), ANYONE).outcome is Outcome.JWT_REFUSED
    bare = _changed({"destinations": []}, ":ZeroTrustAccessApplication", f'"{GRAFANA}"')
    assert who(bare, Request(GRAFANA), ANYONE).outcome is Outcome.JWT_REFUSED
    unproxied = _changed({"proxied": False}, ":DnsRecord", GRAFANA)
    assert who(unproxied, Request(GRAFANA), ANYONE).outcome is Outcome.NO_NAME
    private = _changed({"metadata": {"namespace": "komga", "name": "x"}}, ":Ingress", "komga-alfred")
    assert who(private, Request("komga-alfred"), ANYONE).outcome is Outcome.OFF_TAILNET
    plain = _changed({"magicDns": False}, ":DnsPreferences")
    assert who(plain, Request("komga-alfred"), ANYONE).outcome is Outcome.NO_CERTIFICATE


@pytest.mark.parametrize(("said", "outcome"), [({"magicDns": False}, Outcome.NO_CERTIFICATE), ({}, Outcome.OPEN)])
def test_the_whole_of_dns_says_whether_machines_have_names(said: dict[str, bool], outcome: Outcome) -> None:
    # It is on where nothing is said [TFT resource_dns_configuration.go].
    document = _document(OWNER, False)
    state = next(s["newState"] for s in document["steps"] if s["newState"]["type"].endswith(":DnsPreferences"))
    state.update(type="tailscale:index/dnsConfiguration:DnsConfiguration", inputs=said)
    assert who(from_steps(document, _planned().known(OWNER)), Request("komga-alfred"), ANYONE).outcome is outcome


def test_an_aud_that_is_missing_from_a_rule_is_seen_before_and_after_up() -> None:
    api = f"https://{GRAFANA}/api"
    for known in (False, True):
        document = _document(OWNER, known)
        rules = _inputs(document, ":ZeroTrustTunnelCloudflaredConfig")["config"]["ingresses"]
        rule = next(r for r in rules if r.get("hostname") == GRAFANA and "path" not in r)
        tags = rule["originRequest"]["access"]["audTags"]
        assert len(tags) == 2
        del tags[0]
        surface = from_steps(document, _planned().known(OWNER))
        check = next(r.access for r in surface.rules if r.host == GRAFANA and r.access)
        if known:
            assert (check.applications, check.unresolved) == ((api.removeprefix("https://"),), 0)
        else:
            # One unknown AUD and two applications: which of them it is cannot be told.
            assert (check.applications, check.unresolved) == ((), 1)


def test_a_wrong_aud_resolves_to_nothing() -> None:
    document = _document(OWNER, known=True)
    text = json.dumps(document["steps"]).replace(
        '["aud-of-homebox-alfred.very-very-dark-gray.top"]', '["aud-of-grafana-alfred.very-very-dark-gray.top"]'
    )
    surface = from_steps({"steps": json.loads(text)}, _planned().known(OWNER))
    host = "homebox-alfred.very-very-dark-gray.top"
    member = next(c for c in table(surface) if c[0].request.host == host)
    assert member[1].how == {}


def test_what_is_deleted_is_not_there_and_what_is_replaced_is() -> None:
    document = _document(OWNER)
    deleted = copy.deepcopy(document)
    for step in deleted["steps"]:
        if step["newState"]["type"].endswith(":DnsRecord") and GRAFANA in json.dumps(step["newState"]["inputs"]):
            step.update(op="delete", oldState=step["newState"], newState=None)
            replaced = {"op": "delete-replaced", "urn": step["urn"], "oldState": step["oldState"], "newState": None}
    gone = from_steps(deleted, _planned().known(OWNER))
    assert who(gone, Request(GRAFANA), ANYONE).outcome is Outcome.NO_NAME
    document["steps"].append(replaced)
    assert from_steps(document, _planned().known(OWNER)) == _planned().surfaces[OWNER]


@pytest.mark.parametrize(
    ("include", "kinds"),
    [
        # As a refresh by the real plugin left it, where a group had been and somebody put everyone in its place.
        ({"everyone": {}, "group": {"id": None}, "email": None}, ["everyone"]),
        ({"everyone": {}, "group": {}}, ["everyone"]),
        # A shell alone still stands for something: nobody knows what.
        ({"group": {}}, ["group"]),
        ({"email": {"email": "ann@example.com"}, "group": {"id": UNKNOWN}}, ["email", "group"]),
    ],
)
def test_the_shell_of_a_selector_that_was_there_before_is_no_selector(
    include: dict[str, Any], kinds: list[str]
) -> None:
    type_ = "cloudflare:index/zeroTrustAccessPolicy:ZeroTrustAccessPolicy"
    policy = {"decision": "allow", "name": "p", "includes": [include]}
    app = {"name": "a", "destinations": [{"type": "public", "uri": "a.example.com"}], "policies": [{"id": "p1"}]}
    states = [
        {"urn": f"urn:pulumi:s::p::{type_}::p", "type": type_, "id": "p1", "inputs": policy},
        {"urn": f"urn:pulumi:s::p::{APPLICATION}::a", "type": APPLICATION, "id": "a1", "inputs": app},
    ]
    surface = from_steps({"steps": [{"op": "same", "urn": x["urn"], "newState": x} for x in states]}, s.Known())
    [found] = surface.applications[0].policies
    assert [selector.kind for selector in found.include] == kinds


def test_older_ways_to_say_an_applications_host_are_read() -> None:
    for old in ({"domain": GRAFANA, "destinations": None}, {"selfHostedDomains": [GRAFANA], "destinations": None}):
        surface = _changed(old, ":ZeroTrustAccessApplication", f'"{GRAFANA}"')
        assert surface.applications == _planned().surfaces[OWNER].applications


def test_a_relative_record_name_is_below_the_zone() -> None:
    assert _changed({"name": "grafana-alfred"}, ":DnsRecord", GRAFANA).records == _planned().surfaces[OWNER].records


def test_a_preview_that_leaves_unchanged_resources_out_is_refused() -> None:
    document = {**_document(OWNER), "changeSummary": {"same": 40}}
    with pytest.raises(NoPreviewError, match=r"leaves out 40 .*--show-sames"):
        from_steps(document, _planned().known(OWNER))


@pytest.mark.parametrize("document", [{}, {"steps": None}, {"steps": {}}])
def test_what_is_no_preview_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(NoPreviewError, match="steps"):
        from_steps(document, s.Known((s.Zone("example.com"),)))


def test_odd_steps_are_passed_over() -> None:
    steps: list[object] = [None, 1, {}, {"newState": {"type": "x", "inputs": None}}, {"newState": "x", "op": "create"}]
    assert from_steps({"steps": steps}, s.Known((s.Zone("example.com"),))).rules == ()
    assert stack_of({"steps": steps}) is None


def test_a_policy_that_is_not_json_is_refused_and_hujson_is_read() -> None:
    known = s.Known((s.Zone("example.com"),), tailnet=s.Tailnet("tail.ts.net", None))

    def acl(text: str) -> Surface:
        state = {"urn": "u", "type": "tailscale:index/acl:Acl", "inputs": {"acl": text}}
        return from_steps({"steps": [{"op": "create", "newState": state}]}, known)

    assert acl('{"grants": [], // none\n}').tailnet == s.Tailnet("tail.ts.net", {"grants": []})
    for wrong in ("{", "[]"):
        with pytest.raises(NoPreviewError, match="tailnet policy"):
            acl(wrong)


def test_unknown_is_the_engines_own_mark() -> None:
    from gatehouse import offline

    assert UNKNOWN == offline.UNKNOWN


def test_the_estate_is_the_sum_of_its_stacks() -> None:
    merged = merge(_planned().surfaces.values())
    assert len(merged.tunnels) == len(STACKS)
    assert {t.name for t in merged.tunnels} == {load_project(PROJECT)[n].config.node.name for n in STACKS}  # type: ignore[union-attr]
    assert merged.tailnet == _planned().surfaces[OWNER].tailnet


_TYPES = sorted(t for t in vars(steps).values() if isinstance(t, str) and re.fullmatch(r"[a-z]+:[\w./]+:\w+", t))
_WORDS = st.sampled_from(
    [
        *(
            "config",
            "ingresses",
            "hostname",
            "path",
            "service",
            "originRequest",
            "access",
            "audTags",
            "zoneId",
            "settingId",
            "rules",
            "http",
            "paths",
            "required",
            "teamName",
        ),
        *(
            "destinations",
            "uri",
            "policies",
            "id",
            "precedence",
            "decision",
            "includes",
            "group",
            "email",
            "everyone",
            "acl",
        ),
        *("name", "type", "content", "proxied", "metadata", "annotations", "spec", "ports", "tls", "hosts", "tunnelId"),
    ]
)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70000),
    st.sampled_from([UNKNOWN, "", "*", "a.example.com", "https://x/", "tailscale", "allow", "bypass", "(", "[secret]"]),
)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=4), max_leaves=12
)


@st.composite
def _any_document(draw: st.DrawFn) -> dict[str, Any]:
    found = []
    for index in range(draw(st.integers(0, 4))):
        urn = f"urn:pulumi:s::p::gatehouse:index:X$t::r{index}"
        state = {
            "urn": urn,
            "type": draw(st.sampled_from(_TYPES)),
            "inputs": draw(st.dictionaries(_WORDS, _JSON, max_size=5)),
            "outputs": draw(_JSON),
            "dependencies": draw(st.just([f"urn:pulumi:s::p::gatehouse:index:X$t::r{n}" for n in range(4)]) | _JSON),
            "propertyDependencies": draw(_JSON),
            "parent": draw(st.sampled_from(["", "urn:pulumi:s::p::gatehouse:index:AcmeHttpRoute::a-acme"])),
        }
        found.append(
            {"op": draw(st.sampled_from(["create", "same", "delete", "update"])), "urn": urn, "newState": state}
        )
    return {"steps": found}


@given(_any_document())
def test_any_document_gives_a_surface_that_answers_or_says_what_is_wrong(document: dict[str, Any]) -> None:
    try:
        surface = from_steps(document, s.Known((s.Zone("example.com"),)))
        table(surface)
        shadows(surface)
        who(surface, Request("a.example.com"), ANYONE)
    except (NoPreviewError, PolicyError):
        pass
