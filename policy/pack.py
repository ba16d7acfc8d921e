"""The rules as policies of `pulumi_policy`. Importing this starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from policy.model import UNKNOWN, Finding, Resource, Rule, Stack
from policy.rules import RESOURCE_RULES, STACK_RULES, check
from policy.steps import plain

NAME = "gatehouse"
NOT_JUDGED = "not-judged"
"""The policy that only says what no rule could tell."""


def policies() -> list[Policy]:
    """A mandatory policy for each rule, and an advisory one for what could not be judged."""
    return [
        *(_for_resources(rule) for rule in RESOURCE_RULES),
        *(_for_stack(rule) for rule in STACK_RULES),
        StackValidationPolicy(
            NOT_JUDGED,
            "What a rule could not tell, for want of a value or of another stack's resources.",
            validate=_stack_check(lambda resources: (f for f in check(resources) if not f.judged)),
            enforcement_level=EnforcementLevel.ADVISORY,
        ),
    ]


def _for_resources(rule: Rule) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        parent = args.opts.parent or ""
        resource = Resource(args.resource_type, args.name, args.urn, known(args.props), args.opts.protect, parent)
        _report((f for f in rule.find(resource) if f.judged), report)

    return ResourceValidationPolicy(
        rule.id,
        rule.description,
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
        display_name=rule.title,
        remediation_steps=rule.remediation,
    )


def _for_stack(rule: Rule) -> Policy:
    return StackValidationPolicy(
        rule.id,
        rule.description,
        validate=_stack_check(lambda resources: (f for f in rule.find(Stack(resources)) if f.judged)),
        enforcement_level=EnforcementLevel.MANDATORY,
        display_name=rule.title,
        remediation_steps=rule.remediation,
    )


def _stack_check(
    find: Callable[[Iterable[Resource]], Iterable[Finding]],
) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        _report(find(map(resource_of, args.resources)), report)

    return validate


def _report(findings: Iterable[Finding], report: ReportViolation) -> None:
    for finding in findings:
        report(finding.message, finding.urn)


def resource_of(resource: PolicyResource) -> Resource:
    """A resource as the engine hands it to a stack policy."""
    return Resource(
        resource.resource_type,
        resource.name,
        resource.urn,
        known(resource.props),
        resource.opts.protect,
        resource.parent.urn if resource.parent else "",
        tuple(other.urn for other in resource.dependencies),
        {name: tuple(other.urn for other in others) for name, others in resource.property_dependencies.items()},
    )


def known(properties: Mapping[str, object]) -> Mapping[str, object]:
    """The properties with a marker where one is unknown.

    The SDK's own mappings raise where an unknown value is looked at, and the policy then counts as passed.
    """
    return {name: _value(properties, name) for name in properties}


def _value(holder: Mapping[str, object], key: str) -> object:
    try:
        return _plain(holder[key])
    except UnknownValueError:
        return UNKNOWN


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return known(value)
    if isinstance(value, str) or not hasattr(value, "__len__") or not hasattr(value, "__getitem__"):
        return plain(value)
    found: list[object] = []
    for number in range(len(value)):
        try:
            found.append(_plain(value[number]))
        except UnknownValueError:
            found.append(UNKNOWN)
    return found
