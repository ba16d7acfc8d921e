"""Resources out of the states that `pulumi preview --json` and `gatehouse plan --json` print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policy.model import REFERENCE, SECRET, UNKNOWN, Resource, is_unknown, mapping

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"


def resource_of(state: Mapping[str, object]) -> Resource:
    """A resource from its state: `urn`, `type`, `inputs`, `protect`, `dependencies`, `propertyDependencies`…"""
    urn, kind = str(state.get("urn", "")), str(state.get("type", ""))
    inputs = mapping(plain(state.get("inputs") or {}))
    outputs = mapping(plain(state.get("outputs") or {}))
    if kind == REFERENCE:
        inputs = {**inputs, **outputs}
    elif "aud" in outputs:
        inputs = {**inputs, "aud": outputs["aud"]}
    return Resource(
        kind,
        urn.split("::", 3)[-1],
        urn,
        inputs,
        state.get("protect") is True,
        str(state.get("parent") or ""),
        _urns(state.get("dependencies")),
        {name: _urns(urns) for name, urns in mapping(state.get("propertyDependencies")).items()},
    )


def reference(stack: str, outputs: Mapping[str, object]) -> Resource:
    """A StackReference, for programs that read one without a step for it."""
    return Resource(REFERENCE, stack, f"{REFERENCE}::{stack}", {"outputs": plain(outputs)})


def plain(value: object) -> object:
    """A value with every secret and every unknown as its one marker."""
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _SECRET_SIGNATURE:
            return SECRET
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return UNKNOWN if is_unknown(value) else value


def _urns(value: object) -> tuple[str, ...]:
    return tuple(str(urn) for urn in value) if isinstance(value, Iterable) and not isinstance(value, str) else ()
