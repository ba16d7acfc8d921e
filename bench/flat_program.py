"""A plain Pulumi program: the ordinary imports, and a list of resources registered one after the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_cloudflare
import pulumi_kubernetes
import pulumi_tailscale

_PACKAGES: dict[str, Any] = {
    "cloudflare": pulumi_cloudflare,
    "kubernetes": pulumi_kubernetes,
    "tailscale": pulumi_tailscale,
}
_made: dict[str, Any] = {}


def _class(token: str) -> Any:
    package, module, name = token.split(":")
    if package == "pulumi":
        return _PACKAGES[name].Provider
    if package == "kubernetes":
        group, version = module.split("/")
        return getattr(getattr(getattr(_PACKAGES[package], group.split(".")[0]), version), name)
    return getattr(_PACKAGES[package], name)


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        if "$of" in value:
            return _made[value["$of"]].id
        if "$secret" in value:
            return pulumi.Output.secret("c2VjcmV0")
        return {key: _value(item) for key, item in value.items()}
    return [_value(item) for item in value] if isinstance(value, list) else value


for _one in json.loads(Path(__file__).with_name("resources.json").read_text()):
    _made[_one["urn"]] = _class(_one["type"])(
        _one["name"],
        **{key: _value(item) for key, item in _one["inputs"].items()},
        opts=pulumi.ResourceOptions(
            provider=_made.get(_one["provider"]),
            protect=_one["protect"],
            depends_on=[_made[urn] for urn in _one["after"]],
        ),
    )
