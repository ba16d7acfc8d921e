"""The program itself, `__main__.py`, on the shipped stacks and on broken ones."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import pytest
import yaml

from config.loader import load_project, read_stack_file
from config.secrets import SECRETS
from exposure.plan import plan_stack
from gatehouse import cli, offline
from gatehouse.commands import CommandError
from gatehouse.commands.todo import todos
from gatehouse.engine.program import run_program
from gatehouse.probe.checks import moving
from policy.pod_security import restricted
from tests.kit import cloudflared, sdk, shipped, snapshots
from tests.kit.builders import HTML, MEDIA, NODE, OPEN_HTML, PROJECT, stack_text
from tests.kit.recorder import UNKNOWN, Recording, Secret, Watch, record, short_type
from tests.policy import builders

SNAPSHOTS = Path(__file__).parent / "snapshots"
MADE_UP = {
    "gatehouse:tunnel_secret": "dHVubmVsIHNlY3JldCB0dW5uZWwgc2VjcmV0IHR1biE=",
    "gatehouse:google_client_secret": "the google client secret",
    "cloudflare:apiToken": "the cloudflare token",
    "tailscale:oauthClientSecret": "the tailscale secret",
}
RULES = "cloudflare:ZeroTrustTunnelCloudflaredConfig"
APPLICATION = "cloudflare:ZeroTrustAccessApplication"
RECORD = "cloudflare:DnsRecord"


def _config(stack: str, **changes: Any) -> dict[str, object]:
    values = read_stack_file(PROJECT / f"Pulumi.{stack}.yaml").values
    return {**values, **{f"gatehouse:{key}": value for key, value in changes.items()}}


def _run(
    stack: str,
    preview: bool,
    secrets: Mapping[str, str] = MADE_UP,
    outputs: Mapping[str, object] | None = None,
    **changes: Any,
) -> Recording:
    return record(
        lambda: run_program(PROJECT),
        preview,
        stack=stack,
        config=_config(stack, **changes),
        secrets=secrets,
        stack_outputs={"organization/gatehouse/alfred": outputs}.__getitem__ if outputs else None,
    )


OWNER_OUTPUTS: Mapping[str, object] = {
    "zone_id": "the zone",
    "identity_provider_id": "the idp",
    "policy_ids": {"household": "the policy"},
    "bypass_policy_id": "the bypass",
}


@pytest.fixture(scope="module", params=[True, False], ids=["preview", "up"])
def preview(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def alfred(preview: bool) -> Recording:
    return _shipped("alfred", preview)


@pytest.fixture(scope="module")
def octavo(preview: bool) -> Recording:
    return _shipped("octavo", preview)


@pytest.fixture(params=["alfred", "octavo"])
def either(request: pytest.FixtureRequest, preview: bool) -> Recording:
    return _shipped(request.param, preview)


@cache
def _shipped(stack: str, preview: bool) -> Recording:
    return _run(stack, preview, outputs=OWNER_OUTPUTS if stack == "octavo" else None)


# The reviewed snapshot.


@pytest.mark.parametrize("stack", ["alfred", "octavo"])
def test_the_plan_of_a_shipped_stack_is_the_one_that_was_reviewed(
    stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["-C", str(PROJECT), "plan", "--stack", stack, "--json"]) == 0
    snapshots.compare(SNAPSHOTS / f"{stack}.json", capsys.readouterr().out)


@pytest.mark.parametrize("stack", ["alfred", "octavo"])
def test_two_plans_are_alike_to_the_byte(stack: str) -> None:
    assert offline.run_offline(PROJECT, stack).to_json() == shipped.planned_text(stack)


def test_a_snapshot_that_differs_fails_with_a_diff_and_leaves_the_new_text_beside_it(tmp_path: Path) -> None:
    golden = tmp_path / "x.json"
    golden.write_text("one\ntwo\n")
    with (
        patch.dict(os.environ, {snapshots.UPDATE: ""}),
        pytest.raises(AssertionError, match=r"(?s)-two.*\+three"),
    ):
        snapshots.compare(golden, "one\nthree\n")
    assert (tmp_path / "x.json.ACTUAL").read_text() == "one\nthree\n"
    with patch.dict(os.environ, {snapshots.UPDATE: "1"}):
        snapshots.compare(golden, "one\nthree\n")
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_the_snapshot_has_the_shape_of_pulumi_preview_json() -> None:
    # pulumi/pulumi pkg/display and sdk/go/common/apitype: steps[].op, urn, newState; changeSummary.
    document = json.loads((SNAPSHOTS / "alfred.json").read_text(encoding="utf-8"))
    urns = [step["urn"] for step in document["steps"]]
    assert urns == sorted(set(urns))
    assert document["changeSummary"] == {"create": len(urns)}
    for step in document["steps"]:
        assert step["op"] == "create"
        assert step["newState"]["urn"] == step["urn"]
        assert {"type", "custom", "inputs"} <= set(step["newState"])


def test_the_snapshot_holds_secrets_as_a_mark_alone_and_unknowns_as_the_engine_writes_them() -> None:
    text = (SNAPSHOTS / "alfred.json").read_text(encoding="utf-8")
    steps = [step["newState"] for step in json.loads(text)["steps"]]
    # A record has the name of its host's application.
    states = {s["urn"].rsplit("::", 1)[1]: s for s in steps if "AccessApplication" not in s["type"]}
    assert states["alfred-tunnel"]["inputs"]["tunnelSecret"] == "[secret]"
    assert states["connector-token"]["inputs"]["stringData"] == "[secret]"
    assert states["google-idp"]["inputs"]["config"]["clientSecret"] == "[secret]"
    # sdk/go/common/resource/plugin/rpc.go, UnknownStringValue.
    assert (
        states["grafana-alfred.very-very-dark-gray.top"]["inputs"]["content"]
        == "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
        == UNKNOWN
    )


# What alfred registers.


def test_alfred_has_what_its_services_need_and_no_more(alfred: Recording) -> None:
    # Six services behind Access, one public, one challenge, four funnels, one forwarded: the table of the options
    # chosen. Applications: six hosts, Grafana's /api, the challenge. Records: seven hosts of the tunnel, the game, the
    # node.
    assert alfred.counts() == {
        RECORD: 9,
        APPLICATION: 8,
        "cloudflare:ZeroTrustAccessGroup": 1,
        "cloudflare:ZeroTrustAccessIdentityProvider": 1,
        "cloudflare:ZeroTrustAccessPolicy": 2,
        "cloudflare:ZeroTrustTunnelCloudflared": 1,
        RULES: 1,
        "cloudflare:Zone": 1,
        "cloudflare:ZoneDnssec": 1,
        "cloudflare:ZoneSetting": 5,
        "gatehouse:AcmeHttpRoute": 1,
        "gatehouse:Connector": 1,
        "gatehouse:FunnelService": 4,
        "gatehouse:Google": 1,
        "gatehouse:ManagedIngress": 1,
        "gatehouse:PortForward": 1,
        "gatehouse:PublicTunnelRoute": 1,
        "gatehouse:Tailnet": 1,
        "gatehouse:Tunnel": 1,
        "gatehouse:TunnelConfiguration": 1,
        "gatehouse:ZeroTrustApp": 6,
        "gatehouse:Zone": 1,
        "kubernetes:Deployment": 1,
        "kubernetes:Ingress": 5,
        "kubernetes:Namespace": 1,
        "kubernetes:NamespacePatch": 6,
        "kubernetes:NetworkPolicy": 1,
        "kubernetes:PodDisruptionBudget": 1,
        "kubernetes:Secret": 1,
        "kubernetes:Service": 2,
        "tailscale:Acl": 1,
        "tailscale:DnsPreferences": 1,
        "tailscale:TailnetSettings": 1,
    }


def test_preview_and_up_ask_for_the_same(alfred: Recording, preview: bool) -> None:
    # Under a preview what is made inside an `apply` is never seen.
    assert [r.urn for r in alfred] != []
    assert sorted(r.urn for r in _shipped("alfred", not preview)) == sorted(r.urn for r in alfred)


def test_the_providers_know_every_name_and_kind_of_every_input(either: Recording) -> None:
    custom = [r for r in either if r.request.custom]
    assert len(custom) > 10
    assert [mistake for resource in custom for mistake in sdk.mistakes(resource)] == []


def test_every_resource_uses_one_of_the_three_explicit_providers(either: Recording) -> None:
    for resource in either:
        if resource.request.custom and not resource.type.startswith("pulumi:"):
            package = resource.type.split(":")[0]
            assert f"pulumi:providers:{package}::{package}::" in resource.request.provider, resource.name


def test_cloudflared_would_take_the_rules(either: Recording) -> None:
    rules = either.one(RULES).inputs["config"]["ingresses"]
    assert len(rules) > 1
    assert cloudflared.refusals(rules) == []


def test_only_what_cannot_be_made_again_is_protected_or_kept(alfred: Recording) -> None:
    # Tunnel, zone, DNSSEC and tailnet policy are protected; what cannot be deleted safely is retained.
    protected = {r.short for r in alfred if r.protect}
    assert protected == {
        "cloudflare:Zone",
        "cloudflare:ZoneDnssec",
        "cloudflare:ZeroTrustTunnelCloudflared",
        "tailscale:Acl",
        "tailscale:DnsPreferences",
    }
    assert {r.short for r in alfred if r.retain} == {
        "cloudflare:Zone",
        "cloudflare:ZoneDnssec",
        "tailscale:DnsPreferences",
    }
    # Two records of one name, applications of one place, or machines of the tailnet cannot stand side by side.
    deletes_first = {r.name for r in (*alfred.all(RECORD), *alfred.all(APPLICATION))} | {
        r.name for r in alfred.all("kubernetes:Ingress") if r.inputs["spec"]["ingressClassName"] == "tailscale"
    }
    assert {r.name for r in alfred if r.deletes_first} == deletes_first
    # What a cluster gives, and an import therefore reads, replaces nothing [pulumi-kubernetes provider/diff.go].
    given = {"kubernetes:Secret": ["type"], "kubernetes:Service": ["spec.clusterIP", "spec.clusterIPs"]}
    ignored = {r.short: list(r.request.ignoreChanges) for r in alfred if r.request.ignoreChanges}
    assert ignored == given
    assert all(r.request.ignoreChanges for r in alfred if r.short in given)


def test_every_host_of_the_tunnel_is_born_locked_and_dies_locked(either: Recording) -> None:
    rules = either.one(RULES)
    applications: dict[str, set[str]] = {}
    for application in either.all(APPLICATION):
        host = application.inputs["destinations"][0]["uri"].split("/")[0]
        applications.setdefault(host, set()).add(f"{APPLICATION} {application.name}")
    hosts = [r for r in either.all(RECORD) if r.inputs["type"] == "CNAME"]
    assert {r.inputs["name"] for r in hosts} >= set(applications)
    order = [r.urn for r in either]
    for host in hosts:
        guards = applications.get(host.inputs["name"], set())
        assert host.dependencies >= {f"{RULES} {rules.name}", *guards}, host.name
        assert order.index(rules.urn) < order.index(host.urn)
    assert rules.property_dependencies("config") == {name for names in applications.values() for name in names}


def test_a_protected_host_takes_every_aud_of_its_applications_and_the_public_one_none(alfred: Recording) -> None:
    rules = alfred.one(RULES).inputs["config"]["ingresses"]
    general = {r["hostname"]: r for r in rules if "hostname" in r and "path" not in r}
    guarded = [a.inputs["destinations"][0]["uri"].split("/")[0] for a in alfred.all(APPLICATION)]
    for host, rule in general.items():
        access = rule.get("originRequest", {}).get("access")
        if host in guarded:
            assert access["required"] is True
            assert access["teamName"] == "high-energy-building"
            assert len(access["audTags"]) == guarded.count(host)
        else:
            assert access is None
            assert host.startswith("influxdb-")


def test_the_connector_goes_before_the_tunnel_and_the_policy_comes_before_the_funnels(alfred: Recording) -> None:
    deployment = alfred.one("kubernetes:Deployment")
    assert "cloudflare:ZeroTrustTunnelCloudflared alfred-tunnel" in deployment.dependencies
    funnels = [
        i for i in alfred.all("kubernetes:Ingress") if "tailscale.com/funnel" in i.inputs["metadata"]["annotations"]
    ]
    assert len(funnels) == 4
    for funnel in funnels:
        assert "tailscale:Acl tailnet-policy" in funnel.dependencies


def test_the_connectors_pods_are_admitted_under_restricted(alfred: Recording) -> None:
    assert list(restricted(builders.resource("Deployment", "d", **alfred.one("kubernetes:Deployment").inputs))) == []


def test_logical_names_come_from_what_there_is_one_of_and_not_from_what_may_change(alfred: Recording) -> None:
    # A host's record and applications are named after the host (docs/adr/0022), all else after service or stack.
    services = read_stack_file(PROJECT / "Pulumi.alfred.yaml").values["gatehouse:services"]
    assert isinstance(services, dict)
    grafana = {**services["grafana"], "host": "other.very-very-dark-gray.top", "title": "Another"}
    moved = {r.urn for r in _run("alfred", True, services={**services, "grafana": grafana})}
    was, now = ("grafana-alfred.very-very-dark-gray.top", "other.very-very-dark-gray.top")
    assert moved == {r.urn.replace(was, now) for r in alfred} != {r.urn for r in alfred}
    named = {r.short for r in alfred if "very-very" in r.name}
    assert named == {RECORD, APPLICATION}


@pytest.mark.parametrize("stack", ["alfred", "octavo"])
def test_up_explain_todo_map_and_verify_leave_the_same_to_a_person(
    stack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*command: str) -> str:
        assert cli.main(["-C", str(PROJECT), *command, "--stack", stack]) == 0
        return capsys.readouterr().out

    run = _run(stack, True, outputs=None if stack == "alfred" else OWNER_OUTPUTS)
    of_up = [(w["key"], w["title"], w["steps"], w["values"]) for w in run.exports["manual_steps"]]
    assert len(of_up) > 2
    [explained] = json.loads(said("explain", "--json"))["stacks"]
    assert [(w["key"], w["title"], w["steps"], w["values"]) for w in explained["manual_steps"]] == of_up
    (tmp_path / "outputs.json").write_text("{}")
    not_up = ("todo", "--outputs", str(tmp_path / "outputs.json"))
    listed = json.loads(said(*not_up, "--json"))["todo"]
    waiting = {"Name servers", "DS record"}
    assert [
        (w["key"], w["title"], w["steps"], {v["label"]: v["value"] for v in w["values"] if v["label"] not in waiting})
        for w in listed
    ] == of_up
    shown = {form: html.unescape(said("map", "--format", form)) for form in ("html", "markdown")}
    for text in (*shown.values(), said("explain"), said(*not_up)):
        for _, title, _, values in of_up:
            for value in (title, *values.values()):
                assert "".join(value.split()) in "".join(text.replace("\\", "").split()), value
    # What a check shows done is a check that verify makes, or of a domain that is still to come.
    asked = {check["id"] for check in json.loads(said("verify", "--list", "--json"))["checks"]}
    stacks = load_project(PROJECT)
    plan = plan_stack(stacks[stack], stacks)
    asked |= {check.id for check in moving(plan, {})}
    for todo in todos(plan, {}):
        assert set(todo.checks) <= asked


def test_the_exports_are_what_people_and_members_need(alfred: Recording, preview: bool) -> None:
    assert set(alfred.exports) == {
        "urls",
        "name_servers",
        "ds_record",
        "ds",
        "tunnel_id",
        "redirect_uri",
        "manual_steps",
        "zone_id",
        "zones",
        "zone_ids",
        "identity_provider_id",
        "policy_ids",
        "bypass_policy_id",
    }
    assert alfred.exports["urls"]["homebox"] == "https://homebox-alfred.very-very-dark-gray.top/"
    assert set(alfred.exports["policy_ids"]) == {"household"}
    assert {"name-servers", "google", "router-minecraft"} <= {w["key"] for w in alfred.exports["manual_steps"]}
    assert alfred.exports["name_servers"] == UNKNOWN if preview else len(alfred.exports["name_servers"]) == 2


# Secrets.


def _masked(value: Any) -> Any:
    if isinstance(value, Secret):
        return "[secret]"
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def test_no_secret_is_anywhere_in_clear(alfred: Recording) -> None:
    inputs = {r.urn: r.inputs for r in alfred}
    for secret in MADE_UP.values():
        assert secret in str(inputs), "the control: it is used"
        assert secret not in str(_masked(inputs))
        assert secret not in str(_masked(dict(alfred.exports)))
        assert secret not in str(_masked(dict(alfred.component_outputs)))
        assert secret not in str(alfred.messages)
        assert secret not in str([r.urn for r in alfred])


def test_the_connectors_token_is_a_secret_whole(alfred: Recording) -> None:
    assert isinstance(alfred.one("kubernetes:Secret").inputs["stringData"], Secret)
    assert "tunnel_token" not in alfred.exports


# The member.


def test_the_member_registers_nothing_that_there_is_one_of(octavo: Recording) -> None:
    kinds = set(octavo.counts())
    assert not [k for k in kinds if k.endswith((":Zone", ":ZoneDnssec", ":ZoneSetting", "IdentityProvider"))]
    assert not [k for k in kinds if k.endswith((":ZeroTrustAccessGroup", ":ZeroTrustAccessPolicy", ":Acl"))]
    assert {"cloudflare:ZeroTrustTunnelCloudflared", RULES, "kubernetes:Deployment"} <= kinds


def test_the_member_uses_the_owners_zone_login_and_policies(octavo: Recording) -> None:
    name = "home-assistant-octavo.very-very-dark-gray.top"
    host = octavo.one(APPLICATION, name).inputs
    assert host["allowedIdps"] == ["the idp"]
    assert host["policies"] == [{"id": "the policy", "precedence": 1}]
    path = octavo.one(APPLICATION, f"{name}/api/webhook").inputs
    assert path["policies"] == [{"id": "the bypass", "precedence": 1}]
    assert octavo.one(RECORD).inputs["zoneId"] == "the zone"


def test_the_member_asks_for_no_google_secret() -> None:
    secrets = {key: value for key, value in MADE_UP.items() if key != "gatehouse:google_client_secret"}
    assert _run("octavo", False, secrets, OWNER_OUTPUTS).messages is not None
    with pytest.raises(pulumi.RunError, match="google_client_secret"):
        _run("alfred", False, secrets)


# Options of a node.


def _node(**changes: Any) -> dict[str, object]:
    node = read_stack_file(PROJECT / "Pulumi.alfred.yaml").values["gatehouse:node"]
    assert isinstance(node, dict)
    return {**node, **changes}


def test_rendered_manifests_hold_no_secret_of_the_tunnel(preview: bool) -> None:
    found = _run("alfred", preview, node=_node(manifests_folder="manifests"))
    assert found.all("kubernetes:Secret") == []
    assert found.one("pulumi:kubernetes").inputs["renderYamlToDirectory"] == "manifests"
    assert isinstance(found.exports["tunnel_token"], Secret)
    assert "connector-secret" in {w["key"] for w in found.exports["manual_steps"]}


def test_no_namespace_that_is_not_gatehouses_is_rendered(preview: bool) -> None:
    # Its manifest would go with a service, and a tool that prunes would delete the namespace with all that is in it.
    found = _run("alfred", preview, node=_node(manifests_folder="manifests"))
    assert [n.inputs["metadata"]["name"] for n in found.all("kubernetes:Namespace")] == ["cloudflared"]
    assert found.all("kubernetes:NamespacePatch") == []
    assert found.one("kubernetes:Ingress", "komga-ingress")
    applied = _run("alfred", preview).all("kubernetes:NamespacePatch")
    assert "komga" in {n.inputs["metadata"]["name"] for n in applied}


def test_the_operator_comes_after_the_policy_and_before_what_it_serves(preview: bool) -> None:
    found = _run("alfred", preview, node=_node(tailscale_operator="helm"))
    release = found.one("kubernetes:Release")
    funnel = found.one("kubernetes:Ingress", "komga-ingress")
    assert f"kubernetes:Release {release.name}" in funnel.dependencies
    assert "tailscale:Acl tailnet-policy" in found.one("tailscale:OauthClient").dependencies
    assert "tailscale-operator" not in {w["key"] for w in found.exports["manual_steps"]}


def test_the_engines_own_configuration_counts_where_it_differs_from_the_file() -> None:
    # `pulumi preview --config …`
    found = _run("alfred", True, services={"web": dict(OPEN_HTML)})
    assert set(found.exports["urls"]) == {"web"}


# Bad input.


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The program in a folder of its own, without stack files."""
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


def _refused(project: Path, stack: str, preview: bool = True, **more: Any) -> tuple[str, list[str]]:
    """The message, and types of what was asked for all the same."""
    watch = Watch()
    with patch.object(offline, "Recorder", watch.recorder), pytest.raises(CommandError) as refusal:
        offline.run_offline(project, stack, preview, **more)
    assert not isinstance(refusal.value, offline.ProgramError)
    text = str(refusal.value)
    assert "Traceback" not in text
    return text, watch.types


BAD = stack_text(
    {
        "typo": {**HTML, "sensitivty": "low"},
        "media": {**MEDIA, "gate": "public-tunnel"},
        "bare": {**HTML, "gate": "public-tunnel"},
        "outside": {**HTML, "host": "outside.example.org"},
        "deep": {**HTML, "host": "deep.down.example.com"},
        "one": {**HTML, "host": "same.example.com"},
        "two": {**HTML, "host": "same.example.com"},
        "path": {**HTML, "origin": {"url": "http://192.168.0.9:8080/app"}},
        "nobody": {**HTML, "people": "friends"},
        "film": MEDIA,
    },
    estate={
        "account_id": "0" * 32,
        "team": "team",
        "zone": {"name": "example.com"},
        "google": {"client_id": "1-a.apps.googleusercontent.com"},
        "people": {"household": ["alice@example.com"]},
        "default_people": "household",
    },
)
# What has to be told, and where in the file; a refusal each, by the rule's id.
MISTAKES = {
    "unknown-key": "services.typo.sensitivty",
    "media-through-tunnel": "services.media.bandwidth",
    "sensitive-without-access": "services.bare.gate",
    "host-outside-zone": "services.outside.host",
    "host-too-deep": "services.deep.host",
    "host-twice": "services.two.host",
    "origin-url-form": "services.path.origin.url",
    "people-unknown": "services.nobody.people",
    "tailnet-missing": "estate.tailnet",
}
_FINDING = re.compile(r"^(\S+?):(\d+):\d+: error \[([a-z-]+)\]\n\s+at:\s+([\w.-]+)", re.MULTILINE)


@pytest.mark.parametrize("dry_run", [True, False], ids=["preview", "up"])
def test_a_wrong_stack_file_registers_nothing_and_tells_every_mistake_at_once(project: Path, dry_run: bool) -> None:
    (project / "Pulumi.bad.yaml").write_text(BAD, encoding="utf-8")
    text, asked_for = _refused(project, "bad", dry_run)
    assert asked_for == [offline.STACK_TYPE]
    told = {rule: (file, int(line), path) for file, line, rule, path in _FINDING.findall(text)}
    for rule, path in MISTAKES.items():
        file, line, place = told[rule]
        assert (file, place) == ("Pulumi.bad.yaml", path)
        # The line is the one of the key, or of what it is missing from.
        assert BAD.splitlines()[line - 1].strip().split(":")[0] in (*path.split(".")[-2:], "gatehouse")
    assert text.count("why:") == text.count("fix:") == len(_FINDING.findall(text)) >= len(MISTAKES)


def test_the_same_program_registers_a_right_stack_file(project: Path) -> None:
    # The control of the test above.
    blog = {**OPEN_HTML, "origin": {"namespace": "web", "service": "blog", "port": 80}}
    (project / "Pulumi.good.yaml").write_text(stack_text({"web": HTML, "blog": blog}), encoding="utf-8")
    kinds = [short_type(step.type) for step in offline.run_offline(project, "good").steps]
    assert kinds.count(APPLICATION) == 1
    assert kinds.count(RECORD) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("config: [", "Pulumi.bad.yaml:2"),
        ("", "config"),
        ("config:\n  gatehouse:node: 7\n", "node"),
        ("config:\n  gatehouse:services: {}\n", "node"),
        (stack_text({}, member_of="nobody"), "estate-owner"),
        (BAD.replace("gatehouse:node", "gatehouse:nod"), "nod"),
    ],
)
def test_what_is_no_stack_file_is_told_too(project: Path, text: str, said: str) -> None:
    (project / "Pulumi.bad.yaml").write_text(text, encoding="utf-8")
    message, asked_for = _refused(project, "bad")
    assert said in message
    assert set(asked_for) <= {offline.STACK_TYPE}


def test_a_stack_without_a_file_is_told_what_stacks_there_are(project: Path) -> None:
    (project / "Pulumi.good.yaml").write_text(stack_text({"web": HTML}), encoding="utf-8")
    text, asked_for = _refused(project, "nope", config={})
    assert "Pulumi.nope.yaml" in text
    assert "good" in text
    assert asked_for == [offline.STACK_TYPE]


def test_two_owners_of_port_80_are_refused(project: Path) -> None:
    acme = {**OPEN_HTML, "traffic": "acme-http-01"}
    (project / "Pulumi.bad.yaml").write_text(stack_text({"a": acme, "b": acme}), encoding="utf-8")
    text, asked_for = _refused(project, "bad")
    assert "[acme-twice]" in text
    assert asked_for == [offline.STACK_TYPE]


def test_a_warning_is_said_and_does_not_stop(project: Path) -> None:
    unused = {**HTML, "acknowledge": {"media-through-tunnel": "It sent films once, and no more"}}
    (project / "Pulumi.good.yaml").write_text(stack_text({"web": unused}), encoding="utf-8")
    found = offline.run_offline(project, "good")
    (said,) = [text for severity, text in found.messages if severity == "warning" and "acknowledge" in text]
    assert "[acknowledgement-unused]" in said
    assert len(found.steps) > 10


def test_a_mistake_in_the_owners_file_stops_the_member_and_the_other_way_round(project: Path) -> None:
    good = stack_text({"web": HTML})
    (project / "Pulumi.owner.yaml").write_text(good.replace("team: team", "team: Te am"), encoding="utf-8")
    member = stack_text({"wiki": HTML}, member_of="owner", node={**NODE, "name": "other", "context": "other"})
    (project / "Pulumi.member.yaml").write_text(member, encoding="utf-8")
    assert "Pulumi.owner.yaml" in _refused(project, "member")[0]
    # The owner makes the policies and the tailnet's grants from its members' services.
    (project / "Pulumi.owner.yaml").write_text(good, encoding="utf-8")
    (project / "Pulumi.member.yaml").write_text(member.replace("traffic: html", "trafic: html"), encoding="utf-8")
    assert "Pulumi.member.yaml" in _refused(project, "owner")[0]


# Missing secrets.


def _without_credentials(project: Path) -> Any:
    def program() -> None:
        for key in [k for k in os.environ if k.startswith(("CLOUDFLARE_", "TAILSCALE_"))]:
            del os.environ[key]
        run_program(project)

    return program


COMMANDS = {secret.key: f"{secret.set_with} --stack alfred" for secret in SECRETS} | {
    "cloudflare:apiToken": "gatehouse pulumi config set --secret cloudflare:apiToken --stack alfred",
    "tailscale:oauthClientSecret": "gatehouse pulumi config set --secret tailscale:oauthClientSecret --stack alfred",
}


def test_a_preview_without_secrets_warns_of_each_with_its_command_and_goes_on() -> None:
    found = offline.run_offline(PROJECT, "alfred", True, program=_without_credentials(PROJECT))
    ((severity, text),) = found.messages
    assert severity == "warning"
    for key, command in COMMANDS.items():
        assert key in text
        assert command in text
    assert len(found.steps) > 50


def test_up_without_secrets_lists_each_with_its_command_and_registers_nothing() -> None:
    text, asked_for = _refused(PROJECT, "alfred", False, program=_without_credentials(PROJECT))
    for key, command in COMMANDS.items():
        assert f"{key}:" in text
        assert command in text
    assert asked_for == [offline.STACK_TYPE]


@pytest.mark.parametrize("missing", sorted(MADE_UP))
def test_up_names_the_one_that_is_missing_alone(missing: str) -> None:
    secrets = {key: value for key, value in MADE_UP.items() if key != missing}
    config = _config("alfred")
    run = _without_credentials(PROJECT)
    text, asked_for = _refused(PROJECT, "alfred", False, config=config, secrets=secrets, program=run)
    assert [key for key in COMMANDS if f"{key}:" in text] == [missing]
    assert asked_for == [offline.STACK_TYPE]


def test_up_with_every_secret_says_only_what_is_left_by_hand() -> None:
    found = record(_without_credentials(PROJECT), False, stack="alfred", config=_config("alfred"), secrets=MADE_UP)
    assert [severity for severity, _ in found.messages] == ["info"]
    assert "manual steps that are left (gatehouse todo --stack alfred" in found.messages[0][1]


def test_the_shipped_stack_files_hold_no_secret_in_clear() -> None:
    for stack in ("alfred", "octavo"):
        values = yaml.safe_load((PROJECT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
        assert not set(values) & set(COMMANDS)
