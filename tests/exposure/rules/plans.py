"""Every plan that the tests of constructions look at: all accepted fixtures and the shipped stacks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from config.loader import LoadedStack, load_project, parse_stack_text, tie, type_stack
from config.stack import Estate
from exposure.model import ExposurePlan
from exposure.plan import plan_stack
from tests.exposure.rules.test_rules import cases, load

ROOT = Path(__file__).parents[3]


@cache
def plans() -> tuple[ExposurePlan, ...]:
    found = []
    for stacks in (load_project(ROOT), *(load(case) for case in cases("accepted"))):
        found += [plan_stack(stack, stacks) for stack in stacks.values()]
    return tuple(found)


@cache
def shipped_estate() -> Estate:
    """The estate of the shipped stacks."""
    estate = load_project(ROOT)["alfred"].estate
    assert estate
    return estate


def one(text: str) -> tuple[LoadedStack, ExposurePlan]:
    """A stack from text that is expected to be sound, and its plan."""
    stacks = tie([type_stack(parse_stack_text(text))])
    (stack,) = stacks.values()
    assert not stack.findings
    return stack, plan_stack(stack, stacks)
