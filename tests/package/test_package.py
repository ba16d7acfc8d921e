"""The package: its schema, that its components are the components, and that the examples say the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest
import yaml

import components
from config import VERSION
from package.provider import Provider
from package.schema import NAME
from package.wrappers import COMPONENTS
from tests.kit import cloudflared, snapshots
from tests.kit.recorder import Recording, Registered, record
from tests.package import by_hand
from tests.package.typescript import declarations

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ACCOUNT = "0" * 32
SECRETS = {"clientSecret": "client secret", "tunnelSecret": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I="}
ROUTE = {"key": "wiki", "hosts": ["wiki.example.com"], "origin": "http://wiki.wiki.svc.cluster.local:8080"}
PUBLIC, PEOPLE = {**ROUTE, "public": True}, {**ROUTE, "people": ["household"]}
ROUTES: dict[str, Any] = {
    "accountId": ACCOUNT,
    "zoneId": "zone-id",
    "tunnelId": "tunnel-id",
    "team": "team",
    "identityProviderId": "idp-id",
    "policyIds": {"household": "policy-id"},
    "bypassPolicyId": "bypass-id",
    "denyPolicyId": "deny-id",
}


class RefusedError(Exception):
    """What the engine says of an input that is refused."""


@cache
def provider() -> Provider:
    """One for all: it is made once a process by the engine too, and reads the SDKs' whole source for it."""
    return Provider()


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(str(provider().schema))
    return found


def construct(kind: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """As the engine asks the package for it; gives the outputs by their names in the schema."""
    try:
        made = provider().construct(name, f"{NAME}:index:{kind}", cast("Any", inputs))
    except (pulumi.InputPropertyError, pulumi.InputPropertiesError) as refused:
        # As the engine prints it.
        if isinstance(refused, pulumi.InputPropertyError):
            errors = [(refused.property_path, refused.reason)]
        else:
            errors = [(e["property_path"], e["reason"]) for e in refused.errors or []]
        raise RefusedError("\n".join(f"property {at} has a problem: {why}" for at, why in errors)) from None
    return dict(made.state)


def of_clouds(found: Recording) -> dict[str, Registered]:
    return {f"{r.short} {r.name}": r for r in found if not r.type.startswith(("gatehouse:", "pulumi:"))}


# The schema


def test_the_schema_is_as_committed() -> None:
    snapshots.compare(ROOT / "package" / "schema.json", json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")


def test_the_declarations_for_typescript_are_as_committed() -> None:
    snapshots.compare(EXAMPLES / "typescript" / "types" / "gatehouse.d.ts", declarations(schema()))


def test_every_component_is_offered_or_stands_within_one_that_is() -> None:
    within = {"ZeroTrustApp", "PublicTunnelRoute", "AcmeHttpRoute", "TunnelConfiguration"}
    # docs/package.md says what the package does not offer.
    left_out = {"Login", "ServiceTokens"}
    assert {c.__name__ for c in COMPONENTS} == (set(components.__all__) - within - left_out) | {"TunnelRoutes"}


def test_every_key_is_described_and_of_a_type_that_a_component_takes() -> None:
    document = schema()
    for token, part in {**document["resources"], **document["types"]}.items():
        for key, value in {**part.get("inputProperties", {}), **part.get("properties", {})}.items():
            assert value.get("description"), f"{token}.{key}"
        assert part["description"], token


@pytest.mark.parametrize("kind", sorted({c.__name__ for c in COMPONENTS} - {"TunnelRoutes"}))
def test_a_wrapper_is_the_component_itself(kind: str) -> None:
    [wrapper] = [c for c in COMPONENTS if c.__name__ == kind]
    assert wrapper.__bases__ == (getattr(components, kind),)


def test_the_plugin_is_named_as_its_schema() -> None:
    plugin = yaml.safe_load((ROOT / "package" / "PulumiPlugin.yaml").read_text())
    # All that Pulumi reads of it [sdk/go/common/workspace, PluginProject]; name and version are the schema's.
    assert set(plugin) == {"runtime", "requiredPulumiVersion"}
    assert plugin["runtime"]["name"] == "python"
    assert (schema()["name"], schema()["version"]) == ("gatehouse", VERSION)


# What it makes


def run_yaml(path: Path) -> dict[str, Any]:
    """A YAML program, by a small reading of its own: resources in order, `${name}` and `${name.output}`."""
    document = yaml.safe_load(path.read_text())
    known: dict[str, Any] = {"accountId": ACCOUNT, **{k: pulumi.Output.secret(v) for k, v in SECRETS.items()}}

    def value(of: Any) -> Any:
        if isinstance(of, dict):
            return {k: value(v) for k, v in of.items()}
        if isinstance(of, list):
            return [value(v) for v in of]
        found = re.fullmatch(r"\$\{(\w+)(?:\.(\w+))?\}", of) if isinstance(of, str) else None
        if not found:
            return of
        return known[found[1]] if found[2] is None else known[found[1]][found[2]]

    kinds = schema()["resources"]
    for name, resource in document["resources"].items():
        package, kind = resource["type"].split(":")
        described = kinds[f"{package}:index:{kind}"]
        given = resource["properties"]
        assert set(given) <= set(described["inputProperties"]), name
        assert set(described["requiredInputs"]) <= set(given), name
        known[name] = construct(kind, name, value(given))
    outputs = {name: value(of) for name, of in document["outputs"].items()}
    for name, of in outputs.items():
        pulumi.export(name, of)
    return outputs


def by_hand_recorded(preview: bool) -> Recording:
    folder = EXAMPLES / "python"
    config = {"home:accountId": ACCOUNT}
    secrets = {f"home:{k}": v for k, v in SECRETS.items()}
    return record(by_hand.main, preview, config=config, secrets=secrets, project=folder)


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
def test_the_yaml_example_makes_what_the_components_make_by_hand(preview: bool) -> None:
    ours = of_clouds(record(lambda: run_yaml(EXAMPLES / "yaml" / "Pulumi.yaml"), preview))
    theirs = of_clouds(by_hand_recorded(preview))
    assert set(ours) == set(theirs)
    assert len(ours) > 20
    for name, resource in ours.items():
        other = theirs[name]
        assert resource.inputs == other.inputs, name
        assert (resource.protect, resource.retain) == (other.protect, other.retain), name
        # In the package, the zone is waited for before the routes are asked for at all: by their input zoneId.
        assert other.dependencies - resource.dependencies <= {"cloudflare:Zone zone-zone"}, name


def routes(*listed: Mapping[str, Any], **more: Any) -> Recording:
    """A TunnelRoutes of these routes."""
    inputs = {**ROUTES, "routes": list(listed), **more}
    return record(lambda: construct("TunnelRoutes", "routes", {k: v for k, v in inputs.items() if v}), False)


def rules_of(found: Recording) -> list[tuple[str | None, str | None, list[str]]]:
    """Host, path, and the AUDs of each rule."""
    listed = found.one("cloudflare:ZeroTrustTunnelCloudflaredConfig").inputs["config"]["ingresses"]
    assert cloudflared.refusals(listed) == []
    listed = cloudflared.routing(listed)
    accesses = [rule.get("originRequest", {}).get("access", {}) for rule in listed]
    return [(r.get("hostname"), r.get("path"), a.get("audTags", [])) for r, a in zip(listed, accesses, strict=True)]


def policies_of(found: Recording) -> dict[str, str]:
    """The policy of each application by what that is for."""
    return {
        a.inputs["destinations"][0]["uri"]: a.inputs["policies"][0]["id"]
        for a in found.all("cloudflare:ZeroTrustAccessApplication")
    }


def test_the_routes_are_born_locked() -> None:
    route = {**PEOPLE, "paths": {"/api": {"public": True}}, "acmeSolver": "http://ingress.ingress:80"}
    found = of_clouds(routes(route))
    record_ = found["cloudflare:DnsRecord wiki.example.com"]
    applications = {n for n in found if n.startswith("cloudflare:ZeroTrustAccessApplication")}
    rules = "cloudflare:ZeroTrustTunnelCloudflaredConfig routes-rules"
    assert len(applications) == 3
    assert record_.dependencies >= {*applications, rules}
    assert found[rules].inputs["config"]["ingresses"][-1] == {"service": "http_status:404"}


def test_routes_share_a_host_by_path_each_for_its_own_people() -> None:
    admin = {**ROUTE, "key": "admin", "path": "/admin", "people": ["admins"], "origin": "http://admin.admin:80"}
    hooks = {**ROUTE, "key": "hooks", "path": "/hooks", "nobody": True, "paths": {"/hooks/in": {"public": True}}}
    found = routes(hooks, admin, PEOPLE, policyIds={"household": "policy-id", "admins": "admins-id"})
    assert policies_of(found) == {
        "wiki.example.com": "policy-id",
        "wiki.example.com/admin": "admins-id",
        "wiki.example.com/hooks": "deny-id",
        "wiki.example.com/hooks/in": "bypass-id",
    }
    host, into = "wiki.example.com", "wiki.example.com/hooks/in-aud"
    assert rules_of(found) == [
        (host, "^/hooks/in(/|$)", []),
        (host, "(?i)^/admin([/;]|$)", ["wiki.example.com/admin-aud"]),
        (host, "(?i)^/hooks([/;]|$)", []),
        (host, None, ["wiki.example.com-aud", into]),
        (None, None, []),
    ]
    only = found.one("cloudflare:DnsRecord")
    assert only.parent.endswith("::wiki")
    assert {d for d in only.dependencies if "Application" in d} == {
        f"cloudflare:ZeroTrustAccessApplication {place}" for place in policies_of(found)
    }


def test_a_route_for_several_sets_attaches_the_policy_of_them_together() -> None:
    found = routes({**ROUTE, "people": ["household", "admins"]}, policyIds={"admins+household": "both-id"})
    assert policies_of(found) == {"wiki.example.com": "both-id"}


def test_a_service_that_changes_its_gate_keeps_its_record_within_the_package_too() -> None:
    of = routes(PUBLIC).one("cloudflare:DnsRecord")
    parents = [alias.spec.parentUrn for alias in of.request.aliases if alias.spec.parentUrn]
    assert [p for p in parents if "gatehouse:index:TunnelRoutes$gatehouse:index:ZeroTrustApp::wiki" in p]


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([ROUTE], "property routes[0] has a problem: says none of `people`, `public` and `nobody`"),
        ([{**ROUTE, "public": False}], "says none of"),
        ([{**ROUTE, "people": []}], "says none of"),
        ([{**PUBLIC, "people": ["household"]}], "says people and public of"),
        ([{**PEOPLE, "paths": {"/api": {}}}], "property routes[0].paths./api has a problem: says none of"),
        (
            [{**PUBLIC, "paths": {"/api": {"public": True}}}],
            "routes[0].paths./api has a problem: is for anyone, and so",
        ),
        (
            [{**PEOPLE, "paths": {"/a": {"public": True}, "/a/b": {"public": True}}}],
            "routes[0].paths./a/b has a problem: is for anyone, and so",
        ),
        ([PUBLIC, {**PUBLIC, "hosts": ["b.example.com"]}], "two routes have the key 'wiki'"),
        ([PUBLIC, {**PUBLIC, "key": "b"}], "routes 'wiki' and 'b' both have wiki.example.com;"),
        (
            [{**PEOPLE, "paths": {"/b": {"public": True}}}, {**PUBLIC, "key": "b", "path": "/b"}],
            "routes 'wiki' and 'b' both have wiki.example.com/b;",
        ),
        (
            [{**PUBLIC, "hosts": ["a.example.com", "a.example.com"]}],
            "routes[0] has a problem: a host",
        ),
        (
            [{**PEOPLE, "hosts": ["*.example.com"]}, {**PUBLIC, "key": "b"}],
            "wiki.example.com is for anyone, and a wild",
        ),
        ([{**PEOPLE, "hosts": ["*.example.com"], "path": "/app"}], "a wildcard host has no paths"),
        ([{**PEOPLE, "hosts": ["*.example.com"], "acmeSolver": "http://x:80"}], "HTTP-01 takes no wildcard"),
    ],
)
def test_a_slip_that_would_leave_something_open_is_refused(listed: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(Exception, match=re.escape(said)):
        routes(*listed)


@pytest.mark.parametrize(
    ("property_", "value", "said"),
    [
        # What opened the whole host once, as a path exception that was none.
        *(
            ("paths", {path: {"public": True}}, "one of them would let in more")
            for path in ("", "api", "/*", "/api/", "//", "/%61")
        ),
        ("paths", {"/": {"public": True}}, "'/' is not below '/'"),
        ("paths", "/api", "each path is written with whom it is for"),
        ("paths", ["/api"], "each path is written with whom it is for"),
        ("path", "app", "routes[0].path has a problem: it does not start with `/`"),
        ("hosts", "wiki.example.com", "routes[0].hosts has a problem: a list is expected here"),
        ("hosts", [], "routes[0].hosts has a problem: at least one is needed"),
        ("hosts", ["https://wiki.example.com"], "(such as wiki.example.com)"),
        ("hosts", ["wiki.*.example.com"], "whole first label"),
        ("origin", "wiki:8080", "routes[0].origin has a problem: there is no scheme"),
        ("origin", "http://wiki:8080/", "even a lone `/`"),
        ("acmeSolver", "http_status:200", "routes[0].acmeSolver has a problem: a fixed answer"),
        ("people", "household", "routes[0].people has a problem: a list is expected here"),
    ],
)
def test_a_wrong_value_is_told_with_its_property_and_the_fix(property_: str, value: Any, said: str) -> None:
    assert routes(PEOPLE).all("cloudflare:DnsRecord"), "the control"
    with pytest.raises(RefusedError, match=re.escape(said)) as refused:
        routes({**PEOPLE, property_: value})
    assert str(refused.value).startswith("property routes[0]")


@pytest.mark.parametrize(
    ("route", "lacking", "said"),
    [
        (PEOPLE, {"policyIds": None}, "wiki.example.com is for household, which needs policyIds"),
        (PEOPLE, {"identityProviderId": None}, "which needs identityProviderId"),
        (
            {**PEOPLE, "paths": {"/api": {"public": True}}},
            {"bypassPolicyId": None},
            "wiki.example.com/api is for anyone, which needs bypassPolicyId",
        ),
        ({**ROUTE, "nobody": True}, {"denyPolicyId": None}, "is for nobody, which needs denyPolicyId"),
        ({**ROUTE, "people": ["admins"]}, {}, "it has household, and a route is for 'admins'"),
    ],
)
def test_what_an_application_needs_and_is_not_given_is_told(
    route: Mapping[str, Any], lacking: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(Exception, match=re.escape(said)):
        routes(route, **lacking)


SERVICE = {"namespace": "wiki", "service": "wiki", "machine": "wiki"}
SERVED = {**SERVICE, "port": 8080.0}
TAGGED = {"tag": "tag:svc-notes", "machine": "notes"}
GAME = {
    "namespace": "game",
    "selector": {"app": "game"},
    "ports": [{"protocol": "udp", "port": 25565.0, "nodePort": 32565.0, "targetPort": "bedrock"}],
    "hosts": ["game.example.com"],
    "zoneId": "zone-id",
    "ipv4": "203.0.113.7",
}
INGRESS = {"namespace": "wiki", "service": "wiki", "port": 443.0, "hosts": ["wiki.example.com"], "scheme": "https"}


def test_whole_numbers_stay_whole_and_optional_parts_are_used() -> None:
    # Over the wire every number is a float.
    def program() -> None:
        construct("Zone", "zone", {"accountId": ACCOUNT, "zone": "example.com", "hsts": {"maxAgeSeconds": 300.0}})
        construct("Connector", "connector", {"token": "t", "origins": [ROUTE["origin"]], "replicas": 3.0})
        construct("FunnelService", "wiki", {**SERVED, "paths": ["/api"]})
        construct("TailnetService", "notes", {**SERVED, **TAGGED})
        ports = [{"port": 22.0, "targetPort": 2222.0}, {"port": 53.0, "protocol": "udp"}]
        construct("TailnetService", "git", {**SERVICE, **TAGGED, "ports": ports, "selector": {"app": "git"}})
        construct("TailnetService", "dns", {**SERVICE, **TAGGED, "ports": ports[1:]})
        construct("PortForward", "game", GAME)
        construct("ManagedIngress", "own", INGRESS)
        dns = {"splitDns": {"home.example.com": ["9.9.9.9"]}}
        settings = {"devicesApprovalOn": True, "devicesKeyDurationDays": 90.0}
        construct("Tailnet", "tailnet", {"policy": {"grants": []}, "dns": dns, "settings": settings})
        construct("TailscaleOperator", "operator", {"node": "alfred"})

    found = of_clouds(record(program, False))
    header = found["cloudflare:ZoneSetting zone-security-header"].inputs["value"]["strict_transport_security"]
    assert (header["enabled"], header["max_age"]) == (True, 300)
    assert found["kubernetes:Deployment connector-deployment"].inputs["spec"]["replicas"] == 3
    assert found["kubernetes:Service game-nodeport"].inputs["spec"]["ports"] == [
        {"name": "udp-25565", "protocol": "UDP", "port": 25565, "targetPort": "bedrock", "nodePort": 32565}
    ]
    assert found["cloudflare:DnsRecord game.example.com"].inputs["content"] == "203.0.113.7"
    assert found["tailscale:Acl tailnet-policy"].protect
    split = found["tailscale:DnsConfiguration tailnet-dns-configuration"].inputs["splitDns"]
    assert split == [{"domain": "home.example.com", "nameservers": [{"address": "9.9.9.9"}]}]
    assert found["tailscale:TailnetSettings tailnet-settings"].inputs["devicesKeyDurationDays"] == 90
    assert {r.split()[0] for r in found} >= {"kubernetes:Ingress", "tailscale:OauthClient"}
    funnel = found["kubernetes:Ingress wiki-ingress"].inputs["spec"]
    assert [p["path"] for p in funnel["rules"][0]["http"]["paths"]] == ["/api"]
    assert (
        found["kubernetes:Ingress notes-ingress"].inputs["spec"]["defaultBackend"]["service"]["port"]["number"] == 8080
    )
    assert found["kubernetes:Service git-service"].inputs["spec"]["ports"] == [
        {"name": "tcp-22", "protocol": "TCP", "port": 22, "targetPort": 2222},
        {"name": "udp-53", "protocol": "UDP", "port": 53, "targetPort": 53},
    ]
    assert found["kubernetes:ServicePatch dns-exposed"].inputs["metadata"]["name"] == "wiki"


@pytest.mark.parametrize(
    ("kind", "name", "inputs", "said"),
    [
        ("FunnelService", "wiki", {**SERVED, "paths": ["/"]}, "take `paths` out"),
        ("FunnelService", "wiki", {**SERVED, "paths": ["/*"]}, "property paths[0] has a problem"),
        ("FunnelService", "wiki", {**SERVED, "machine": "wiki.tail.ts.net"}, "property machine has a problem"),
        ("FunnelService", "wiki", {**SERVED, "port": 0.0}, "property port has a problem"),
        ("FunnelService", "My Wiki", SERVED, "property service has a problem"),
        ("TailnetService", "notes", {**SERVICE, **TAGGED}, "neither of `port` and `ports`"),
        ("TailnetService", "notes", {**SERVED, **TAGGED, "ports": [{"port": 1}]}, "both of `port` and `ports`"),
        (
            "TailnetService",
            "notes",
            {**SERVED, **TAGGED, "selector": {"a": "b"}},
            "selector has a problem: it has",
        ),
        ("TailnetService", "notes", {**SERVED, **TAGGED, "tag": "svc-notes"}, "property tag has a problem"),
        (
            "TailnetService",
            "notes",
            {**SERVICE, **TAGGED, "ports": [{"port": 1, "protocol": "icmp"}]},
            "ports[0].protocol has a problem: no such word",
        ),
        ("PortForward", "game", {**GAME, "hosts": ["game_1.example.com"]}, "(such as game-1.example.com)"),
        (
            "PortForward",
            "game",
            {**GAME, "ports": [{"protocol": "tcp", "port": 1, "nodePort": 80}]},
            "property ports[0].nodePort has a problem",
        ),
        ("PortForward", "game", {**GAME, "selector": {"app": "a b"}}, "property selector.app has a problem"),
        ("PortForward", "game", {**GAME, "ipv4": "203.0.113"}, "property ipv4 has a problem"),
        ("ManagedIngress", "own", {**INGRESS, "scheme": "tcp"}, "write one of: http, https"),
        ("ManagedIngress", "own", {**INGRESS, "hosts": ["*x.example.com"]}, "property hosts[0] has a problem"),
        ("Connector", "connector", {"token": "t", "origins": ["wiki:80"]}, "property origins[0] has a problem"),
    ],
)
def test_a_wrong_value_of_any_component_is_told_with_its_property(
    kind: str, name: str, inputs: dict[str, Any], said: str
) -> None:
    with pytest.raises(Exception, match=re.escape(said)):
        record(lambda: construct(kind, name, inputs), False)


def test_a_missing_input_is_named() -> None:
    with pytest.raises(Exception, match="Missing required input 'zone'"):
        record(lambda: construct("Zone", "zone", {"accountId": ACCOUNT}), False)


# TypeScript

TSC = EXAMPLES / "typescript" / "node_modules" / ".bin" / "tsc"


@pytest.mark.skipif(
    not TSC.exists() or shutil.which("node") is None, reason="needs node, and `npm install` in examples/typescript"
)
def test_the_typescript_example_has_the_right_types(tmp_path: Path) -> None:
    folder = EXAMPLES / "typescript"
    good = subprocess.run([str(TSC), "--noEmit", "-p", str(folder)], capture_output=True, text=True, timeout=120)
    assert good.returncode == 0, good.stdout
    for name in ("tsconfig.json", "types", "node_modules"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "index.ts").write_text((folder / "index.ts").read_text().replace("public: true", "publik: true"))
    bad = subprocess.run([str(TSC), "--noEmit", "-p", str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert "'publik' does not exist" in bad.stdout


def test_the_typescript_example_says_what_the_yaml_example_says() -> None:
    # Read as text, where there is no node: the same resources with the same keys.
    text = (EXAMPLES / "typescript" / "index.ts").read_text()
    resources = yaml.safe_load((EXAMPLES / "yaml" / "Pulumi.yaml").read_text())["resources"]
    made = re.findall(r'new gatehouse\.(\w+)\("(\w+)"', text)
    assert made == [(r["type"].split(":")[1], name) for name, r in resources.items()]
    keys = {key for r in resources.values() for key in r["properties"]} | {
        k for r in resources["routes"]["properties"]["routes"] for k in r
    }
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", text)] == []
