"""What a stack takes from the estate's owner: registered here, or read from the owner's stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from config.stack import owner_stack


@dataclass(frozen=True)
class EstateIds:
    """The ids that routes need of the estate."""

    zone_id: pulumi.Input[str]
    identity_provider_id: pulumi.Input[str] | None
    policy_ids: Mapping[str, pulumi.Input[str]]
    bypass_policy_id: pulumi.Input[str] | None
    zone: tuple[pulumi.Resource, ...] = ()
    """The zone, where this stack makes it: Cloudflare refuses an application for a host of no zone of the account."""


def estate_of(owner: str, people: list[str]) -> EstateIds:
    """The ids from the owner's stack, by StackReference; those of Google's only where `people` are let in by it.

    Registers nothing; reads `owner` (`organization/gatehouse/<stack>`). Raises RunError where the owner's stack lacks
    an output, with the command that makes it.
    """
    stack = pulumi.StackReference(owner)
    zone_id = _output(stack, "zone_id", owner)
    if not people:
        return EstateIds(zone_id, None, {}, None)
    policies = _output(stack, "policy_ids", owner)
    return EstateIds(
        zone_id,
        _output(stack, "identity_provider_id", owner),
        {name: policies.apply(lambda ids, name=name: _policy(ids, name, owner)) for name in people},  # type: ignore[misc]
        _output(stack, "bypass_policy_id", owner),
    )


def _output(stack: pulumi.StackReference, name: str, owner: str) -> pulumi.Output[Any]:
    def given(value: object) -> object:
        if value is None:
            raise _owner_first(f"output {name!r}", owner)
        return value

    return stack.get_output(name).apply(given)


def _policy(ids: Mapping[str, str], name: str, owner: str) -> str:
    if name not in ids:
        raise _owner_first(f"policy for people {name!r}", owner)
    return ids[name]


def _owner_first(lacks: str, owner: str) -> pulumi.RunError:
    return pulumi.RunError(
        f"the estate's owner has no {lacks} yet; bring it up first: pulumi up --stack {owner_stack(owner)}"
    )
