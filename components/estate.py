"""What a stack takes from the estate's owner: registered here, or read from the owner's stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class EstateIds:
    """The ids that routes need of the estate."""

    zone_id: pulumi.Input[str]
    identity_provider_id: pulumi.Input[str] | None
    policy_ids: Mapping[str, pulumi.Input[str]]
    bypass_policy_id: pulumi.Input[str] | None


def estate_of(owner: str, people: list[str]) -> EstateIds:
    """The ids from the owner's stack, by StackReference.

    Registers nothing; reads `owner` (`organization/gatehouse/<stack>`). Raises through the engine where the stack or an
    output is not there.
    """
    stack = pulumi.StackReference(owner)
    policies = stack.require_output("policy_ids")
    return EstateIds(
        stack.require_output("zone_id"),
        stack.require_output("identity_provider_id"),
        {name: policies.apply(lambda ids, name=name: _policy(ids, name, owner)) for name in people},  # type: ignore[misc]
        stack.require_output("bypass_policy_id"),
    )


def _policy(ids: Mapping[str, str], name: str, owner: str) -> str:
    if name not in ids:
        raise pulumi.RunError(
            f"the estate's owner has no policy for people {name!r} yet; bring it up first:"
            f" pulumi up --stack {owner.split('/')[-1]}"
        )
    return ids[name]
