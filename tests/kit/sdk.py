"""The provider SDKs' own types as a second source: which input names a resource takes, which it needs, of what kind.

The mock monitor takes any input, and a real Kubernetes API server drops unknown fields silently.
"""

from __future__ import annotations

import collections.abc
import inspect
import sys
from typing import Any, get_args, get_origin

import pulumi_kubernetes
import pulumi_tailscale
from pulumi import _types

from components.sdk import cloudflare
from tests.kit.recorder import UNKNOWN, Registered, Secret

_PACKAGES = {"cloudflare": cloudflare, "kubernetes": pulumi_kubernetes, "tailscale": pulumi_tailscale}
# What the SDK has no types for: the kind's own schema, as far as it is used [TS deploy/crds].
_CUSTOM = {
    "kubernetes:tailscale.com/v1alpha1:ProxyGroup": {"type": str, "replicas": int, "hostnamePrefix": str, "tags": list}
}


def mistakes(resource: Registered) -> list[str]:
    """Inputs that the SDK's types do not know, lack, or have of another kind; paths by wire name."""
    if resource.type in _CUSTOM:
        spec, kinds = resource.inputs["spec"], _CUSTOM[resource.type]
        return [f"{resource.name}.spec.{k}: {v!r}" for k, v in spec.items() if type(v) is not kinds.get(k)]
    return _against(_arguments(resource.type), resource.inputs, resource.name)


def _arguments(token: str) -> type:
    """The argument class of a resource's type token."""
    package, module, name = token.split(":")
    if package == "pulumi":
        package, name = name, "Provider"
    holder: Any = _PACKAGES[package]
    if package == "kubernetes" and name != "Provider":
        # `networking.k8s.io/v1` is `pulumi_kubernetes.networking.v1`.
        group, version = module.split("/")
        holder = getattr(getattr(holder, group.split(".")[0]), version)
    holder = sys.modules[getattr(holder, name).__module__]
    found = getattr(holder, f"{name}Args", None) or getattr(holder, f"{name}InitArgs")
    assert isinstance(found, type)
    return found


def _against(arguments: type, value: dict[str, Any], path: str) -> list[str]:
    kinds = _types.input_type_types(arguments)
    found = [f"{path}.{key}: not known to {arguments.__name__}" for key in sorted(set(value) - set(kinds))]
    found += [f"{path}.{key}: needed by {arguments.__name__}" for key in sorted(_needed(arguments) - set(value))]
    for key, item in sorted(value.items()):
        if key in kinds:
            found += _of_kind(kinds[key], item, f"{path}.{key}")
    return found


def _needed(arguments: type) -> set[str]:
    names = _types.input_type_py_to_pulumi_names(arguments)
    parameters = list(inspect.signature(arguments).parameters.values())
    return {names[p.name] for p in parameters if p.default is inspect.Parameter.empty and p.name in names}


def _of_kind(kind: Any, value: Any, path: str) -> list[str]:
    if isinstance(value, Secret):
        return _of_kind(kind, value.value, path)
    if kind is Any or value is None or value == UNKNOWN:
        return []
    if isinstance(kind, type) and _types.is_input_type(kind):
        return _against(kind, value, path) if isinstance(value, dict) else [f"{path}: {value!r} is no {kind.__name__}"]
    origin = get_origin(kind)
    if origin is collections.abc.Sequence:
        if not isinstance(value, list):
            return [f"{path}: {value!r} is no list"]
        return [m for n, item in enumerate(value) for m in _of_kind(_first(kind), item, f"{path}[{n}]")]
    if origin is collections.abc.Mapping:
        return [] if isinstance(value, dict) else [f"{path}: {value!r} is no mapping"]
    if kind in (str, bool, int):
        fits = type(value) is kind
    elif kind is float:
        fits = type(value) in (int, float)
    else:
        return []
    return [] if fits else [f"{path}: {value!r} is no {kind.__name__}"]


def _first(kind: Any) -> Any:
    """The kind of a sequence's items, out of `Input[...]`."""
    item = get_args(kind)[0]
    return get_args(item)[0] if get_args(item) and get_origin(item) is not collections.abc.Sequence else item
