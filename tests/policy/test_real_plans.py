"""The rules on the real plans: nothing to find, and each rule finds its one thing where a resource is spoiled."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli import main
from gatehouse.engine.policy import check_plan
from gatehouse.offline import run_offline
from policy.model import Resource
from policy.rules import RULES, check
from tests.kit.builders import HTML, NODE, PROJECT, stack_text
from tests.policy.builders import broken
from tests.policy.conftest import Planned


@pytest.mark.parametrize("stack", ["alfred", "octavo"])
def test_a_stack_of_the_repository_breaks_no_rule_and_leaves_nothing_unjudged(planned: Planned, stack: str) -> None:
    found = planned(stack)
    assert len(found) > 15
    assert [f.message for f in check(found.values())] == []


def _container(inputs: Any) -> Any:
    return inputs["spec"]["template"]["spec"]["containers"][0]


def _rule_of(inputs: Any, host: str) -> Any:
    return next(r for r in inputs["config"]["ingresses"] if r.get("hostname", "").startswith(host) and "path" not in r)


GRAFANA = "grafana-alfred.very-very-dark-gray.top"
HOME = "home-assistant-octavo.very-very-dark-gray.top"
# rule -> (logical name, kind, what is spoiled)
CONTROLS: dict[str, tuple[str, str, Callable[[Any], object]]] = {
    "access-one-policy": (GRAFANA, "ZeroTrustAccessApplication", lambda i: i["policies"].clear()),
    "access-one-include": (
        "google-people-household",
        "ZeroTrustAccessPolicy",
        lambda i: i["includes"].append({"email": {"email": "bob@example.com"}}),
    ),
    "access-declared-login": ("google-idp", "ZeroTrustAccessIdentityProvider", lambda i: i.update(type="onetimepin")),
    "access-allow-everyone": (
        "google-people-household",
        "ZeroTrustAccessGroup",
        lambda i: i["includes"].append({"everyone": {}}),
    ),
    "access-cors": (GRAFANA, "ZeroTrustAccessApplication", lambda i: i.update(optionsPreflightBypass=True)),
    "access-from-required": (
        "google-people-household",
        "ZeroTrustAccessGroup",
        lambda i: i.update(includes=[{"geo": {"countryCode": "DE"}}]),
    ),
    "tunnel-record-proxied": (GRAFANA, "DnsRecord", lambda i: i.update(proxied=False)),
    "no-node-ports": ("minecraft-nodeport", "Service", lambda i: i["spec"].update(loadBalancerClass="tailscale")),
    "pod-security-restricted": (
        "connector-deployment",
        "Deployment",
        lambda i: _container(i)["securityContext"].pop("capabilities"),
    ),
    "no-plain-secret": ("connector-deployment", "Deployment", lambda i: _container(i)["args"].append("--token=abc")),
    "access-one-login": (GRAFANA, "ZeroTrustAccessApplication", lambda i: i.pop("allowedIdps")),
    "access-bypass-host": (
        f"{GRAFANA}/api",
        "ZeroTrustAccessApplication",
        lambda i: i.update(destinations=[{"type": "public", "uri": "homebox-alfred.very-very-dark-gray.top"}]),
    ),
    "tunnel-jwt": (
        "alfred-rules",
        "ZeroTrustTunnelCloudflaredConfig",
        lambda i: _rule_of(i, "unifi").pop("originRequest"),
    ),
}


def _spoil(found: dict[str, Resource], name: str, kind: str, **changes: Any) -> dict[str, Resource]:
    [urn] = [urn for urn, r in found.items() if (r.name, r.kind) == (name, kind)]
    return {**found, urn: replace(found[urn], **changes)}


@pytest.mark.parametrize("rule", sorted(CONTROLS))
def test_one_thing_spoiled_in_the_real_plan_is_found(planned: Planned, rule: str) -> None:
    name, kind, change = CONTROLS[rule]
    found = planned("alfred")
    [resource] = [r for r in found.values() if (r.name, r.kind) == (name, kind)]
    inputs = copy.deepcopy(dict(resource.inputs))
    change(inputs)
    assert (rule, name) in broken(_spoil(found, name, kind, inputs=inputs))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("estate-zone", "Zone"),
        ("estate-dnssec", "ZoneDnssec"),
        ("alfred-tunnel", "ZeroTrustTunnelCloudflared"),
        ("tailnet-policy", "Acl"),
    ],
)
def test_the_real_plan_unprotected_is_found(planned: Planned, name: str, kind: str) -> None:
    assert broken(_spoil(planned("alfred"), name, kind, protect=False)) == {("protected", name)}


def test_a_record_of_the_real_plan_that_waits_for_nothing_is_found(planned: Planned) -> None:
    assert broken(_spoil(planned("octavo"), HOME, "DnsRecord", dependencies=())) == {("born-locked", HOME)}


def test_every_rule_has_its_control_on_the_real_plan() -> None:
    assert {*CONTROLS, "protected", "born-locked"} == {rule.id for rule in RULES}


def test_a_member_with_hosts_for_nobody_breaks_no_rule_and_leaves_nothing_unjudged(tmp_path: Path) -> None:
    # The policies are its owner's: what they decide is told by the owner's plan.
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(PROJECT / name, tmp_path)
    (tmp_path / "policy").symlink_to(PROJECT / "policy")
    (tmp_path / "Pulumi.owner.yaml").write_text(stack_text({}))
    node = {**NODE, "name": "other", "context": "other", "lan_ipv4": "192.168.0.125", "router_ipv4": "203.0.113.8"}
    hooks = {**HTML, "clients": "nobody", "paths": {"/in": {}}}
    (tmp_path / "Pulumi.member.yaml").write_text(stack_text({"hooks": hooks}, member_of="owner", node=node))
    found = run_offline(tmp_path, "member")
    assert "deny_policy_id" in str([step.state["inputs"] for step in found.steps]), "the control"
    assert [f.message for f in check_plan(tmp_path, found)] == []


# --- the command


@pytest.fixture
def careless(tmp_path: Path) -> Path:
    """A project whose program leaves its zone unprotected, with the repository's rules."""
    (tmp_path / "policy").symlink_to(PROJECT / "policy")
    (tmp_path / "Pulumi.yaml").write_text("name: careless\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    program = (
        'from components.sdk import cloudflare\ncloudflare.Zone("z", account={"id": "0" * 32}, name="example.com")\n'
    )
    (tmp_path / "__main__.py").write_text(program)
    return tmp_path


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_plan_prints_what_the_rules_find_and_ends_with_1(
    careless: Path, form: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-C", str(careless), "plan", "--stack", "dev", *form]) == 1
    shown = capsys.readouterr()
    said = " ".join((shown.err if form else shown.out).split())
    assert "error: policy protected: Zone z: protect is false; losing it takes down more than this stack." in said
    assert ("Policy: 1 of 15 rules broken" in said) is (not form)


def test_plan_of_another_programs_project_asks_no_rules(careless: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (careless / "policy").unlink()
    assert main(["-C", str(careless), "plan", "--stack", "dev"]) == 0
    assert "olicy" not in capsys.readouterr().out


def test_plan_of_the_repository_says_that_the_rules_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(PROJECT), "plan", "--stack", "alfred"]) == 0
    assert "Policy: 15 rules hold (asked of this plan)" in capsys.readouterr().out
