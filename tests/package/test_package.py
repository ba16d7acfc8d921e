"""The package: its schema, that its components are the components, and that the examples say the same."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest
import yaml
from pulumi.provider.experimental.component import ComponentProvider

import components
from package.__main__ import NAME, VERSION
from package.wrappers import COMPONENTS
from tests.kit import snapshots
from tests.kit.recorder import Recording, Registered, record
from tests.package.typescript import declarations

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ACCOUNT = "0" * 32
SECRETS = {"clientSecret": "client secret", "tunnelSecret": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I="}
ROUTE = {"key": "wiki", "host": "wiki.example.com", "origin": "http://wiki.wiki.svc.cluster.local:8080"}
ROUTES: dict[str, Any] = {
    "accountId": ACCOUNT,
    "zoneId": "zone-id",
    "tunnelId": "tunnel-id",
    "team": "team",
    "identityProviderId": "idp-id",
    "policyIds": {"household": "policy-id"},
    "bypassPolicyId": "bypass-id",
}


def provider() -> ComponentProvider:
    return ComponentProvider(COMPONENTS, NAME, version=VERSION)


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(str(provider().schema))
    return found


def construct(kind: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """As the engine asks the package for it; gives the outputs by their names in the schema."""
    made = provider().construct(name, f"{NAME}:index:{kind}", cast("Any", inputs))
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
    assert {c.__name__ for c in COMPONENTS} == (set(components.__all__) - within) | {"TunnelRoutes"}


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
    assert (plugin["name"], plugin["version"]) == (schema()["name"], schema()["version"]) == ("gatehouse", VERSION)
    assert plugin["runtime"]["name"] == "python"


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


def python_example(preview: bool) -> Recording:
    folder = EXAMPLES / "python"
    config = {"home:accountId": ACCOUNT}
    secrets = {f"home:{k}": v for k, v in SECRETS.items()}
    return record(
        lambda: runpy.run_path(str(folder / "__main__.py")), preview, config=config, secrets=secrets, project=folder
    )


@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
def test_yaml_and_python_examples_make_the_same(preview: bool) -> None:
    ours = of_clouds(record(lambda: run_yaml(EXAMPLES / "yaml" / "Pulumi.yaml"), preview))
    theirs = of_clouds(python_example(preview))
    assert set(ours) == set(theirs)
    assert len(ours) > 20
    for name, resource in ours.items():
        other = theirs[name]
        assert resource.inputs == other.inputs, name
        assert (resource.protect, resource.retain) == (other.protect, other.retain), name
        # In the package, the zone is waited for before the routes are asked for at all: by their input zoneId.
        assert other.dependencies - resource.dependencies <= {"cloudflare:Zone zone-zone"}, name


def test_the_routes_are_born_locked() -> None:
    routes = [{**ROUTE, "people": "household", "pathExceptions": ["/api"], "acmeSolver": "http://ingress.ingress:80"}]
    found = of_clouds(record(lambda: construct("TunnelRoutes", "routes", {**ROUTES, "routes": routes}), False))
    record_ = found["cloudflare:DnsRecord wiki-dns"]
    applications = {n for n in found if n.startswith("cloudflare:ZeroTrustAccessApplication")}
    rules = "cloudflare:ZeroTrustTunnelCloudflaredConfig routes-rules"
    assert len(applications) == 3
    assert record_.dependencies >= {*applications, rules}
    assert found[rules].inputs["config"]["ingresses"][-1] == {"service": "http_status:404"}


def test_a_service_that_changes_its_gate_keeps_its_record_within_the_package_too() -> None:
    found = record(
        lambda: construct("TunnelRoutes", "routes", {**ROUTES, "routes": [{**ROUTE, "public": True}]}), False
    )
    [of] = [r for r in found if r.short == "cloudflare:DnsRecord"]
    parents = [alias.spec.parentUrn for alias in of.request.aliases if alias.spec.parentUrn]
    assert [p for p in parents if "gatehouse:index:TunnelRoutes$gatehouse:index:ZeroTrustApp::wiki" in p]


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        ([ROUTE], "neither of `people` and `public`"),
        ([{**ROUTE, "public": True, "people": "household"}], "both of"),
        ([{**ROUTE, "public": True, "pathExceptions": ["/api"]}], "no effect"),
        (
            [{**ROUTE, "public": True}, {**ROUTE, "public": True, "host": "b.example.com"}],
            "two routes have the key wiki",
        ),
        ([{**ROUTE, "public": True}, {**ROUTE, "public": True, "key": "b"}], "two routes have the host"),
        ([{**ROUTE, "people": "household", "pathExceptions": ["/api"]}], "bypassPolicyId"),
    ],
)
def test_a_slip_that_would_leave_something_open_is_refused(routes: list[dict[str, Any]], said: str) -> None:
    inputs = {k: v for k, v in ROUTES.items() if k != "bypassPolicyId"}
    with pytest.raises(Exception, match=re.escape(said)):
        record(lambda: construct("TunnelRoutes", "routes", {**inputs, "routes": routes}), False)


def test_people_without_a_policy_are_refused() -> None:
    with pytest.raises(Exception, match="policyIds has household"):
        record(
            lambda: construct("TunnelRoutes", "routes", {**ROUTES, "routes": [{**ROUTE, "people": "admins"}]}), False
        )


def test_whole_numbers_stay_whole_and_optional_parts_are_used() -> None:
    # Over the wire every number is a float.
    def program() -> None:
        construct("Zone", "zone", {"accountId": ACCOUNT, "zone": "example.com", "hsts": {"maxAgeSeconds": 300.0}})
        construct("Connector", "connector", {"token": "t", "origins": [ROUTE["origin"]], "replicas": 3.0})
        service = {"namespace": "wiki", "service": "wiki", "port": 8080.0, "machine": "wiki"}
        construct("FunnelService", "wiki", service)
        construct("TailnetService", "notes", {**service, "tag": "tag:svc-notes", "machine": "notes"})
        ports = [{"name": "java", "protocol": "TCP", "port": 25565.0, "nodePort": 32565.0}]
        game = {"namespace": "game", "selector": {"app": "game"}, "ports": ports, "host": "game.example.com"}
        construct("PortForward", "game", {**game, "zoneId": "zone-id", "ipv4": "203.0.113.7"})
        ingress = {"namespace": "wiki", "service": "wiki", "port": 443.0, "host": "wiki.example.com", "scheme": "https"}
        construct("ManagedIngress", "own", ingress)
        construct("Tailnet", "tailnet", {"policy": {"grants": []}})
        construct("TailscaleOperator", "operator", {"node": "alfred"})

    found = of_clouds(record(program, False))
    header = found["cloudflare:ZoneSetting zone-security-header"].inputs["value"]["strict_transport_security"]
    assert (header["enabled"], header["max_age"]) == (True, 300)
    assert found["kubernetes:Deployment connector-deployment"].inputs["spec"]["replicas"] == 3
    [port] = found["kubernetes:Service game-nodeport"].inputs["spec"]["ports"]
    assert (port["port"], port["nodePort"]) == (25565, 32565)
    assert found["cloudflare:DnsRecord game-dns"].inputs["content"] == "203.0.113.7"
    assert found["tailscale:Acl tailnet-policy"].protect
    assert {r.split()[0] for r in found} >= {"kubernetes:Ingress", "tailscale:OauthClient"}


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
