"""The refusals: rules about one service, one stack, and all stacks together. `RULES` names them all."""

from __future__ import annotations

from typing import Literal

from exposure.rules import (
    access,
    acknowledgements,
    acme,
    addresses,
    claims,
    connector,
    controller,
    dns,
    estate,
    gates,
    hosts,
    limits,
    origins,
    people,
    tailnet_policy,
    tailscale,
    workloads,
    zone,
)
from exposure.rules.base import Rule

_SUBJECTS: tuple[Rule, ...] = (
    *hosts.RULES,
    *origins.RULES,
    *gates.RULES,
    *access.RULES,
    *people.RULES,
    *connector.RULES,
    *controller.RULES,
    *zone.RULES,
    *acme.RULES,
    *tailscale.RULES,
    *tailnet_policy.RULES,
    *dns.RULES,
    *workloads.RULES,
    *claims.RULES,
    *addresses.RULES,
    *estate.RULES,
    *limits.RULES,
)


STRUCTURAL: dict[str, str] = {
    "yaml": "The file is YAML",
    "yaml-key": "A key is one word, which Pulumi reads as it stands",
    "yaml-value": "A value is the same to every reader of YAML",
    "duplicate-key": "A key stands once",
    "stack-file": "A stack has one file, and its values stand under config:",
    "config-namespace": "A key has Gatehouse's namespace, or another's",
    "unknown-key": "A key is known",
    "missing-key": "What is needed is there",
    "unknown-name": "A word is a known one",
    "wrong-form": "A value has its type",
    "secret-in-clear": "A secret is encrypted",
    "tailnet-policy-file": "The policy of your own is a text file beside the stack file",
    "estate-owner": "A stack owns an estate or is a member of one",
}
"""What reading a stack file finds (`config.loader`), by id."""
ACCEPTABLE: dict[str, Literal["service", "stack"]] = {r.id: r.acceptable for r in _SUBJECTS if r.acceptable}
"""Which rules an `acknowledge` may accept, and whether a service's or the stack's."""
RULES: tuple[Rule, ...] = (
    *_SUBJECTS,
    *acknowledgements.rules(ACCEPTABLE, frozenset({r.id for r in _SUBJECTS} | set(STRUCTURAL))),
)
"""Every rule."""

__all__ = ["ACCEPTABLE", "RULES", "STRUCTURAL", "Rule"]
