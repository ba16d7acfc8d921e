"""The package: its schema, that its components are the components, and that the examples say the same."""

from __future__ import annotations

import contextlib
import inspect
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest
import yaml

import components
from config import VERSION
from config.services import Connector as ConnectorSettings
from config.stack import Hsts, TailnetDns, TailnetSettings, Token
from config.values import Certificates
from package.offered import OFFERED
from package.provider import PAGES, Provider
from tests.docs import components as pages
from tests.kit import cloudflared
from tests.kit.certificates import HOME_CA
from tests.kit.recorder import Recording, Registered, Secret, record
from tests.package import by_hand

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
        made = provider().construct(name, f"gatehouse:index:{kind}", cast("Any", inputs))
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


def test_every_component_is_offered_or_stands_within_one_that_is() -> None:
    within = {"ZeroTrustApp", "PublicTunnelRoute", "AcmeHttpRoute", "TunnelConfiguration"}
    # docs/package.md says what the package does not offer.
    left_out = {"Login", "ProxyGroup"}
    assert set(OFFERED) == (set(components.__all__) - within - left_out) | {"TunnelRoutes"}
    assert {f"{schema()['name']}:index:{kind}" for kind in OFFERED} == set(schema()["resources"])


def test_every_key_is_described_and_of_a_type_that_a_component_takes() -> None:
    document = schema()
    for token, part in {**document["resources"], **document["types"]}.items():
        for key, value in {**part.get("inputProperties", {}), **part.get("properties", {})}.items():
            assert value.get("description"), f"{token}.{key}"
        assert part["description"], token


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
        ([ROUTE], "property routes[0] has a problem: says none of `people`, `public`, `nobody`"),
        ([{**ROUTE, "public": False}], "says none of"),
        ([{**ROUTE, "people": []}], "says none of"),
        ([{**PUBLIC, "people": ["household"]}], "says people and public of"),
        ([{**PUBLIC, "tokens": ["phone"]}], "says tokens and public of"),
        ([{**ROUTE, "nobody": True, "tokens": ["phone"]}], "says tokens and nobody of"),
        ([{**ROUTE, "tokens": []}], "says none of"),
        ([{**PEOPLE, "publik": True}], "routes[0].publik has a problem: no such key is known here"),
        ([{**PEOPLE, "paths": {"/api": {"publik": True}}}], "routes[0].paths./api.publik has a problem: no such key"),
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
        (
            "paths",
            {"/api": {"public": "false"}},
            "routes[0].paths./api.public has a problem: true or false is expected",
        ),
        ("paths", {"/api": {"public": pulumi.Output.from_input(False)}}, "it is another resource's output"),
        (
            "paths",
            {"/api": pulumi.Output.from_input({"public": False})},
            "routes[0].paths./api has a problem: it is an",
        ),
        ("public", pulumi.Output.from_input(False), "routes[0].public has a problem: it is another resource's output"),
        ("public", "false", "routes[0].public has a problem: true or false is expected here"),
        ("hosts", pulumi.Output.from_input(["wiki.example.com"]), "routes[0].hosts has a problem: it is another"),
        ("hosts", [pulumi.Output.from_input("wiki.example.com")], "routes[0].hosts[0] has a problem: it is another"),
        ("paths", "/api", "routes[0].paths has a problem: keys with values are expected here"),
        ("paths", ["/api"], "routes[0].paths has a problem: keys with values are expected here"),
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
        (PEOPLE, {"policyIds": None}, "property policyIds has a problem: wiki.example.com is for household, which"),
        (
            PEOPLE,
            {"identityProviderId": None},
            "property identityProviderId has a problem: wiki.example.com is for household, which",
        ),
        (
            {**PEOPLE, "paths": {"/api": {"public": True}}},
            {"bypassPolicyId": None},
            "property bypassPolicyId has a problem: wiki.example.com/api is for anyone, which",
        ),
        (
            {**ROUTE, "nobody": True},
            {"denyPolicyId": None},
            "property denyPolicyId has a problem: wiki.example.com is for nobody, which",
        ),
        ({**ROUTE, "people": ["admins"]}, {}, "it has household, and a route is for 'admins'"),
        (
            {**ROUTE, "tokens": ["phone"]},
            {},
            "property tokenPolicyIds has a problem: wiki.example.com is for token phone",
        ),
        ({**PEOPLE, "tokens": ["phone"]}, {"tokenPolicyIds": {"tv": "i"}}, "it has tv, and a route is for 'phone'"),
        (
            {**ROUTE, "tokens": ["phone"]},
            {"tokenPolicyIds": {"phone": "bypass-id"}},
            "it is the policy that lets anyone",
        ),
        (
            {**PEOPLE, "paths": {"/api": {"tokens": ["phone"]}}},
            {"tokenPolicyIds": {"phone": pulumi.Output.from_input("bypass-id")}},
            "it is the policy that lets anyone by",
        ),
        (PEOPLE, {"sessionDuration": "1 day"}, "property sessionDuration has a problem"),
        (PEOPLE, {"team": pulumi.Output.from_input("team")}, "property team has a problem: it is another resource's"),
        ({**PEOPLE, "caPool": HOME_CA}, {}, "property certificates has a problem: route 'wiki' has a `caPool`"),
        ({**PEOPLE, "caPool": HOME_CA}, {"certificates": ["/other.pem"]}, "it lacks the `caPool` of route 'wiki'"),
        ({**PEOPLE, "caPool": "/etc/ca.pem"}, {}, "property routes[0].caPool has a problem: no certificate"),
    ],
)
def test_what_an_application_needs_and_is_not_given_is_told(
    route: Mapping[str, Any], lacking: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(Exception, match=re.escape(said)):
        routes(route, **lacking)


def test_a_token_gets_in_beside_people_and_alone_by_its_own_policy() -> None:
    alone = {**ROUTE, "key": "api", "path": "/api", "tokens": ["phone"]}
    beside = {**PEOPLE, "tokens": ["tv", "phone"], "paths": {"/metrics": {"tokens": ["tv"]}}}
    ids = {"phone": "phone-id", "tv": "tv-id", "phone+tv": "both-id"}
    found = routes(alone, beside, tokenPolicyIds=ids)
    attached = {
        a.inputs["destinations"][0]["uri"]: [policy["id"] for policy in a.inputs["policies"]]
        for a in found.all("cloudflare:ZeroTrustAccessApplication")
    }
    assert attached == {
        "wiki.example.com": ["both-id", "policy-id"],
        "wiki.example.com/api": ["phone-id"],
        "wiki.example.com/metrics": ["tv-id"],
    }
    assert all(auds for host, _, auds in rules_of(found) if host)


def test_tokens_have_a_policy_for_each_combination_and_their_secret_stays_one() -> None:
    made: dict[str, Any] = {}
    inputs = {
        "accountId": ACCOUNT,
        "tokens": {"phone": {}, "tv": {"duration": "forever", "version": 2.0, "previousUntil": "2026-12-24T18:00:00Z"}},
        "together": [["tv"], ["tv", "phone"]],
    }

    def program() -> None:
        made.update(construct("ServiceTokens", "tokens", inputs))
        pulumi.export("outputs", made)

    found = record(program, False)
    assert set(made["policyIds"]) == {"tv", "phone+tv"}
    tv = found.one("cloudflare:ZeroTrustAccessServiceToken", "tokens-tv").inputs
    assert (tv["duration"], tv["clientSecretVersion"]) == ("forever", 2)
    assert isinstance(found.exports["outputs"]["clientSecrets"], Secret)
    assert (
        set(found.exports["outputs"]["clientSecrets"].value)
        == set(found.exports["outputs"]["clientIds"])
        == {"phone", "tv"}
    )
    for key, wrong, said in (
        ("together", [["radio"]], "property together[0] has a problem: no token is named radio"),
        ("together", [[]], "property together[0] has a problem: at least one is needed"),
        ("tokens", {"tv": {"version": 2.0}}, "property tokens.tv has a problem: `version` and `previous"),
        ("tokens", {"tv": {"duration": "1d"}}, "property tokens.tv.duration has a problem"),
    ):
        with pytest.raises(RefusedError, match=re.escape(said)):
            record(lambda key=key, wrong=wrong: construct("ServiceTokens", "t", {**inputs, key: wrong}), False)  # type: ignore[misc]


def test_a_rule_names_a_certificate_once_the_connectors_pods_have_its_file() -> None:
    origin = "https://nas.nas.svc.cluster.local:443"

    def program() -> None:
        connector = construct("Connector", "connector", {"token": "t", "origins": [origin], "caPools": [HOME_CA]})
        listed = [{**PEOPLE, "origin": origin, "caPool": f"the CA at home\n{HOME_CA}"}]
        construct("TunnelRoutes", "routes", {**ROUTES, "routes": listed, "certificates": connector["certificates"]})

    found = record(program, False)
    [rule, _] = found.one("cloudflare:ZeroTrustTunnelCloudflaredConfig").inputs["config"]["ingresses"]
    [patch] = found.all("kubernetes:ConfigMapPatch")
    assert rule["originRequest"]["caPool"].endswith(f"/{next(iter(patch.inputs['data']))}")
    assert patch.inputs["data"] == {rule["originRequest"]["caPool"].rpartition("/")[2]: HOME_CA}
    assert "kubernetes:Deployment connector-deployment" in rules_wait_for(found)
    # Without a certificate they do not wait for the pods.
    assert not [d for d in rules_wait_for(routes(PEOPLE)) if d.startswith("kubernetes:")]


def rules_wait_for(found: Recording) -> frozenset[str]:
    return frozenset(found.one("cloudflare:ZeroTrustTunnelCloudflaredConfig").dependencies)


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


CONNECTOR = {"token": "t", "origins": [ROUTE["origin"]]}
NEEDED: dict[str, dict[str, Any]] = {
    "Zone": {"accountId": ACCOUNT, "zone": "example.com"},
    "Google": {
        "accountId": ACCOUNT,
        "team": "example",
        "clientId": "1-a.apps.googleusercontent.com",
        "clientSecret": "s",
        "people": {"household": ["alice@example.com"]},
    },
    "TunnelRoutes": {key: ROUTES[key] for key in ("accountId", "zoneId", "tunnelId", "team")} | {"routes": [PUBLIC]},
    "Connector": CONNECTOR,
    "ManagedIngress": {key: value for key, value in INGRESS.items() if key != "scheme"},
    "FunnelService": SERVED,
    "TailnetService": {**SERVICE, **TAGGED, "ports": [{"port": 22.0}]},
    "PortForward": GAME,
    "Tailnet": {"policy": {"grants": []}},
    "TailscaleOperator": {"node": "alfred"},
}
# Another value than the default, for each input that may be left out, and what it needs beside it.
MAY: dict[str, dict[str, Any]] = {
    "Zone": {
        "dnssec": False,
        "ssl": "full",
        "minTlsVersion": "1.3",
        "alwaysUseHttps": False,
        "automaticHttpsRewrites": False,
        "hsts": {"maxAgeSeconds": 300.0},
        "redirects": {"www.example.com": "example.com"},
    },
    "Google": {"nobody": True, "sessionDuration": "30m"},
    "TunnelRoutes": {
        "identityProviderId": ("idp", {"routes": [{**ROUTE, "nobody": True}], "denyPolicyId": "d"}),
        "policyIds": ({"household": "p"}, {"routes": [PEOPLE], "identityProviderId": "idp"}),
        "tokenPolicyIds": ({"tv": "t"}, {"routes": [{**ROUTE, "tokens": ["tv"]}], "identityProviderId": "idp"}),
        "bypassPolicyId": (
            "b",
            {"routes": [{**ROUTE, "nobody": True, "paths": {"/a": {"public": True}}}], "denyPolicyId": "d"}
            | {"identityProviderId": "idp"},
        ),
        "denyPolicyId": ("d", {"routes": [{**ROUTE, "nobody": True}], "identityProviderId": "idp"}),
        "sessionDuration": ("30m", {"routes": [PEOPLE], "identityProviderId": "i", "policyIds": {"household": "p"}}),
        "certificates": (
            [Certificates(HOME_CA).path],
            {"routes": [{**PUBLIC, "caPool": HOME_CA}]},
        ),
    },
    "Connector": {
        "logins": False,
        "caPools": [HOME_CA],
        "namespace": "other",
        "replicas": 3.0,
        "image": "registry.example.com/cloudflared:2026.8.2",
        "protocol": "quic",
        "openPorts": [53.0],
    },
    "ManagedIngress": {
        "scheme": "https",
        "className": "traefik",
        "controller": ("traefik", {"scheme": "https"}),
        "clusterIssuer": "letsencrypt",
    },
    "FunnelService": {"paths": ["/api"], "tag": "tag:other", "portName": "https", "tailnet": "tail1.ts.net"},
    "TailnetService": {
        "port": (80.0, {"ports": None}),
        "ports": [{"port": 22.0, "protocol": "udp"}],
        "selector": {"app": "git"},
        "portName": ("https", {"ports": None, "port": 80.0}),
        "tailnet": ("tail1.ts.net", {"ports": None, "port": 80.0}),
    },
    "PortForward": {},
    "Tailnet": {"dns": {"nameservers": ["9.9.9.9"]}, "settings": {"httpsEnabled": False}, "overwrite": True},
    "TailscaleOperator": {"key": 2.0},
}
ROUTE_MAY: dict[str, Any] = {
    "title": "The wiki",
    "path": "/app",
    "acmeSolver": "http://traefik.kube-system.svc.cluster.local:80",
    "noTlsVerify": True,
    "originServerName": "wiki.home.example.com",
    "matchSniToHost": True,
    "http2Origin": True,
    "connectTimeoutSeconds": 5.0,
    "httpHostHeader": "wiki.local",
}


def made_of(kind: str, inputs: Mapping[str, Any]) -> object:
    """All that is asked for, and the outputs."""
    outputs: dict[str, Any] = {}

    def program() -> None:
        outputs.update(construct(kind, "it", {key: value for key, value in inputs.items() if value is not None}))
        pulumi.export("outputs", outputs)

    found = record(program, False)
    return [(r.name, r.inputs, sorted(r.dependencies)) for r in found], found.exports


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in MAY.items() for key in keys])
def test_each_input_that_may_be_left_out_has_an_effect(kind: str, key: str) -> None:
    value = MAY[kind][key]
    value, beside = value if isinstance(value, tuple) else (value, {})
    needed = {**NEEDED[kind], **beside}
    with_it = made_of(kind, {**needed, key: value})
    # Without it, something else is made or it is refused.
    with contextlib.suppress(RefusedError):
        assert made_of(kind, {**needed, key: None}) != with_it


@pytest.mark.parametrize("key", ROUTE_MAY)
def test_each_key_of_a_route_that_may_be_left_out_has_an_effect(key: str) -> None:
    route = {**ROUTE, "people": ["household"], "origin": "https://wiki.wiki.svc.cluster.local:443"}
    of = {**ROUTES, "routes": [route]}
    assert made_of("TunnelRoutes", {**of, "routes": [{**route, key: ROUTE_MAY[key]}]}) != made_of("TunnelRoutes", of)


def test_those_are_all() -> None:
    resources = {token.rpartition(":")[2]: resource for token, resource in schema()["resources"].items()}
    may = {kind: r["inputProperties"].keys() - set(r["requiredInputs"]) for kind, r in resources.items()}
    assert may == {kind: MAY.get(kind, {}).keys() for kind in resources}
    route = schema()["types"]["gatehouse:index:Route"]
    of_audience = schema()["types"]["gatehouse:index:PathRoute"]["properties"].keys()
    assert route["properties"].keys() - set(route["required"]) == ROUTE_MAY.keys() | of_audience | {"paths", "caPool"}


def test_the_defaults_of_the_schema_are_the_components_own() -> None:
    compared = 0
    models: dict[str, Any] = {
        "Token": Token,
        "Hsts": Hsts,
        "TailnetDns": TailnetDns,
        "TailnetSettings": TailnetSettings,
        "Connector": ConnectorSettings,
    }
    for token, part in {**schema()["types"], **schema()["resources"]}.items():
        kind = token.rpartition(":")[2]
        if kind in models:
            own = {key: field.default for key, field in models[kind].model_fields.items()}
        elif hasattr(components, kind):
            own = {k: p.default for k, p in inspect.signature(getattr(components, kind).__init__).parameters.items()}
        else:
            continue
        for key, said in part.get("inputProperties", part.get("properties", {})).items():
            default = own.get(re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", key))
            if isinstance(default, bool | int | str):
                assert said.get("default") == default, f"{kind}.{key}"
                compared += 1
    assert compared > 15


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
        ("PortForward", "game", {**GAME, "ports": "25565"}, "property ports has a problem: a list is expected here"),
        ("PortForward", "game", {**GAME, "selector": {"app": "a b"}}, "property selector.app has a problem"),
        ("PortForward", "game", {**GAME, "ipv4": "203.0.113"}, "property ipv4 has a problem"),
        ("Tailnet", "t", {"policy": []}, "property policy has a problem: keys with values are expected here"),
        (
            "Tailnet",
            "t",
            {"policy": {"grants": [{"src": [pulumi.Output.from_input("a")]}]}},
            "property policy has a problem: it is another resource's output",
        ),
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
    with pytest.raises(Exception, match="property zone has a problem: missing: The registered"):
        record(lambda: construct("Zone", "zone", {"accountId": ACCOUNT}), False)


# Pages and examples


def test_each_component_has_its_page_with_an_example_in_each_language() -> None:
    for kind in OFFERED:
        blocks = pages.examples(kind)
        assert list(blocks) == ["yaml", *pages.LANGUAGES], kind
        assert (PAGES / f"{kind}.md").read_text() == pages.page(kind, blocks), "python -m tests.docs.components"
        assert "{{% example %}}\n```yaml\n" in schema()["resources"][f"gatehouse:index:{kind}"]["description"]
    assert {page.stem for page in PAGES.iterdir()} == set(OFFERED)


@pytest.mark.parametrize("kind", OFFERED)
def test_the_example_of_a_page_is_one_that_is_taken(kind: str) -> None:
    document = yaml.safe_load(pages.examples(kind)["yaml"])
    [resource] = document["resources"].values()
    assert resource["type"] == f"gatehouse:{kind}"
    known = {"accountId": ACCOUNT, **SECRETS}
    text = re.sub(r"\$\{(\w+)\}", lambda m: known.get(m[1], m[1]), json.dumps(resource["properties"]))
    assert record(lambda: construct(kind, "it", json.loads(text)), False).resources


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
