"""The rules as the engine's policy pack, asked as the SDK's own server asks them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from pulumi_policy import (
    EnforcementLevel,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.policy import PolicyCustomTimeouts
from pulumi_policy.proxy import unknown_checking_proxy

from policy.model import UNKNOWN, Resource
from policy.pack import NOT_JUDGED, known, policies
from policy.rules import RULES
from tests.kit.builders import PROJECT
from tests.policy.builders import deployment, good_stack, pod, resource, spoiled

Said = list[tuple[str, str, str | None]]


def _options(resource: Resource) -> PolicyResourceOptions:
    return PolicyResourceOptions(
        resource.protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), [], resource.parent or None
    )


def _ask(resource: Resource) -> Said:
    """What the resource policies say: (policy, message, URN)."""
    said: Said = []
    for policy in policies():
        if isinstance(policy, ResourceValidationPolicy):
            properties = unknown_checking_proxy(dict(resource.inputs))
            args = ResourceValidationArgs(
                resource.type, properties, resource.urn, resource.name, _options(resource), None
            )
            policy.validate(args, lambda text, urn=None, name=policy.name: said.append((name, text, urn)))  # type: ignore[misc]
    return said


def _ask_stack(stack: Mapping[str, Resource]) -> Said:
    """What the stack policies say."""
    made = {
        r.urn: PolicyResource(
            r.type, unknown_checking_proxy(dict(r.inputs)), r.urn, r.name, _options(r), None, None, [], {}
        )
        for r in stack.values()
    }
    for r in stack.values():
        made[r.urn].dependencies = [made[urn] for urn in r.dependencies]
        made[r.urn].property_dependencies = {k: [made[urn] for urn in urns] for k, urns in r.by_property.items()}
    said: Said = []
    for policy in policies():
        if isinstance(policy, StackValidationPolicy):
            args = StackValidationArgs(list(made.values()))
            policy.validate(args, lambda text, urn=None, name=policy.name: said.append((name, text, urn)))  # type: ignore[misc]
    return said


def test_every_rule_is_a_mandatory_policy_and_what_cannot_be_judged_an_advisory_one() -> None:
    levels = {policy.name: policy.enforcement_level for policy in policies()}
    assert levels.pop(NOT_JUDGED) is EnforcementLevel.ADVISORY
    assert levels == {rule.id: EnforcementLevel.MANDATORY for rule in RULES}


def test_a_careful_stack_has_nothing_said_of_it() -> None:
    stack = good_stack()
    assert [said for r in stack.values() for said in _ask(r)] == []
    assert _ask_stack(stack) == []


def test_a_spoiled_resource_is_named_before_it_is_touched() -> None:
    login = spoiled(good_stack()["google"], lambda i: i.update(type="onetimepin"))
    [(policy, message, urn)] = _ask(login)
    assert (policy, urn) == ("access-declared-login", login.urn)
    assert "type is onetimepin" in message


def test_a_login_that_gatehouse_registers_is_declared_also_where_it_is_asked_for_alone() -> None:
    pin = resource("Login", "pin", type="onetimepin", name="pin")
    assert [policy for policy, _, _ in _ask(pin)] == ["access-declared-login"]
    assert _ask(replace(pin, parent="urn:pulumi:s::gatehouse::gatehouse:index:Login::pin")) == []


def test_an_unknown_value_beside_a_bad_one_does_not_let_it_pass() -> None:
    """The SDK ends a policy, as passed, where it looks at an unknown value: here the image is one."""

    def spoil(inputs: Any) -> None:
        spec = inputs["spec"]["template"]["spec"]
        spec["hostNetwork"] = True
        spec["containers"][0]["image"] = UNKNOWN

    made = spoiled(resource("Deployment", "d", **deployment(pod())), spoil)
    assert [said[0] for said in _ask(made)] == ["pod-security-restricted"]


def test_a_spoiled_stack_is_named_at_its_resource() -> None:
    stack = good_stack()
    stack["rules"] = spoiled(stack["rules"], lambda i: i["config"]["ingresses"][2].pop("originRequest"))
    [(policy, message, urn)] = _ask_stack(stack)
    assert (policy, urn) == ("tunnel-jwt", stack["rules"].urn)
    assert "grafana.example.com is behind Access" in message


def test_what_cannot_be_judged_is_said_as_advice() -> None:
    stack = good_stack()
    stack["rules"] = spoiled(stack["rules"], lambda i: i.update(config=UNKNOWN))
    assert (NOT_JUDGED, stack["rules"].urn) in {(policy, urn) for policy, _, urn in _ask_stack(stack)}


def test_unknown_values_become_the_marker_wherever_they_are() -> None:
    inputs = {"a": UNKNOWN, "b": [UNKNOWN, {"c": UNKNOWN, "d": 1.0}], "e": {"f": "x"}}
    assert known(unknown_checking_proxy(inputs)) == inputs


def test_the_pack_is_found_by_the_engine_and_runs_in_the_projects_environment() -> None:
    settings = yaml.safe_load((PROJECT / "policy" / "PulumiPolicy.yaml").read_text())
    options = settings["runtime"]["options"]
    program = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["runtime"]["options"]
    assert settings["runtime"]["name"] == "python"
    assert (PROJECT / "policy" / options["virtualenv"]).resolve() == PROJECT / program["virtualenv"]


@pytest.mark.parametrize("module", ["policy.rules", "policy.steps"])
def test_the_rules_import_neither_pulumi_nor_what_makes_the_resources(module: str) -> None:
    names = "{m.split('.')[0] for m in sys.modules} & {'pulumi', 'pulumi_policy', 'components', 'exposure', 'config'}"
    command = [sys.executable, "-c", f"import sys, {module}; print({names} or 'none')"]
    shown = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "none"
