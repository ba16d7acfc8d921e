"""What a refresh found, and what it means: who reaches what by the state, and who by what was read."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi.automation import StepEventMetadata, StepEventStateMetadata

_TUNNEL = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
_TOKEN = "cloudflare:index/zeroTrustAccessServiceToken:ZeroTrustAccessServiceToken"
_DELETED = "deletedAt"


@dataclass(frozen=True)
class Reading:
    """One resource before and after it was read, each as a preview's step has it; None where it is not there."""

    before: Mapping[str, Any] | None
    found: Mapping[str, Any] | None

    @classmethod
    def of(cls, step: StepEventMetadata) -> Reading:
        """From the engine's event."""
        return cls(_state(step.old), _state(step.new))

    @property
    def drifted(self) -> bool:
        """Whether it is gone, or a property is another that is given and not computed, as a status is."""
        if self.before is None or self.found is None:
            return True
        deleted = self.before["inputs"].get(_DELETED) != self.found["inputs"].get(_DELETED)
        return deleted or bool(self.before["given"] != self.found["given"])


@dataclass(frozen=True)
class DeletedTunnel:
    """A tunnel that Cloudflare shows with the day of its deletion: it is there no longer."""

    urn: str
    name: str
    at: str

    def __str__(self) -> str:
        return f"tunnel {self.name} was deleted in Cloudflare on {self.at[:10]}: everything behind it is down"


def deleted_tunnels(read: Mapping[str, Reading]) -> list[DeletedTunnel]:
    """The tunnels that were read and are deleted [CFAPI GET /accounts/{id}/cfd_tunnel/{id}: `deleted_at`]."""
    found = [(urn, r.found["inputs"]) for urn, r in read.items() if r.found and r.found["type"] == _TUNNEL]
    return [
        DeletedTunnel(urn, str(inputs.get("name")), str(inputs[_DELETED]))
        for urn, inputs in found
        if inputs.get(_DELETED)
    ]


def meaning(project: Path, stack: str, read: Mapping[str, Reading], killed: bool) -> list[str]:
    """What others changed since the last run (or that run itself, where it was `killed`), as lines; none for nothing.

    Where it cannot be told, a line says so.
    """
    if all(r.before == r.found for r in read.values()):
        return []
    from gatehouse.changes import counts, lines, wrap

    drifted = sum(r.drifted for r in read.values())
    many = "" if not drifted else " (1 resource)" if drifted == 1 else f" ({drifted} resources)"
    who = "by the run that was ended, or by somebody else" if killed else "by somebody else since the last run"
    head = f"Changed {who}{many}"
    try:
        found, changes = _compared(project, stack, read)
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        return wrap(
            f"{head}; what it means for who reaches what cannot be told ({type(error).__name__}: {error}).", "", ""
        )
    if not (drifted or found or changes):
        return []
    told = [f"{head}: {counts(changes)}."]
    for sentence in found:
        told += wrap(f"- {sentence}", "", "  ")
    for change in changes:
        told += ["", *lines(change, change.place.service)]
    return told


def _compared(project: Path, stack: str, read: Mapping[str, Reading]) -> tuple[list[str], tuple[Any, ...]]:
    from config.loader import load_project
    from exposure.reach.compare import compare
    from exposure.reach.drift import differences
    from exposure.reach.project import plan_project
    from exposure.reach.steps import from_steps, policies_of

    known = plan_project(load_project(project), [stack]).known(stack)
    gone = {r.before["id"] for r in read.values() if r.before and not r.found and r.before["type"] == _TOKEN}
    documents = [
        _document(r.before for r in read.values()),
        _document(_without_tokens(r.found, gone) for r in read.values()),
    ]
    before, found = (from_steps(document, known) for document in documents)
    policies = [policies_of(document, known) for document in documents]
    return differences(before, found, *policies), compare(before, found)


def _document(states: Any) -> dict[str, Any]:
    there = [s for s in states if s is not None and not (s["type"] == _TUNNEL and s["inputs"].get(_DELETED))]
    return {"steps": [{"op": "same", "urn": state["urn"], "newState": state} for state in there]}


def _without_tokens(state: Mapping[str, Any] | None, gone: Set[str]) -> Mapping[str, Any] | None:
    """A policy without the service tokens that are deleted: it goes on naming them, and they let nobody in."""
    rules = state["inputs"].get("includes") if state and gone else None
    if not state or not isinstance(rules, list):
        return state
    left = [rule for rule in rules if not (rule and (rule.get("serviceToken") or {}).get("tokenId") in gone)]
    return {**state, "inputs": {**state["inputs"], "includes": left}}


def _state(state: StepEventStateMetadata | None) -> dict[str, Any] | None:
    """A state with what was read in place of what was given: inputs are not brought up to date by every provider."""
    if state is None:
        return None
    outputs = dict(state.outputs or {})
    values = outputs or dict(state.inputs or {})
    about = {"urn": state.urn, "type": state.type, "id": state.id, "parent": state.parent, "given": state.inputs or {}}
    return {**about, "inputs": values, "outputs": outputs}


def without(deployment: Mapping[str, Any], urn: str) -> dict[str, Any]:
    """A state without a resource, and without what says that others depend on it; those stay.

    `pulumi state delete --target-dependents` would take them out too, and `up` would meet them in the clouds.
    """
    state = copy.deepcopy(dict(deployment))
    state["resources"] = [r for r in state.get("resources") or () if r["urn"] != urn]
    for resource in state["resources"]:
        if urn in (resource.get("dependencies") or ()):
            resource["dependencies"] = [u for u in resource["dependencies"] if u != urn]
        by_property = resource.get("propertyDependencies") or {}
        for name, urns in by_property.items():
            by_property[name] = [u for u in urns or () if u != urn]
        if resource.get("deletedWith") == urn:
            del resource["deletedWith"]
    return state
