"""What the schema says beside what Pulumi's analyzer reads from the code: who made it, defaults, and secrets."""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import components
from config import VERSION

_ROOT = Path(__file__).resolve().parents[1]
_PROJECT: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = "gatehouse"
NAMESPACE = "gatehouse"
"""What SDKs are published under: `@gatehouse/gatehouse`, `gatehouse_gatehouse`; otherwise as Pulumi's own."""
_REPOSITORY: str = _PROJECT["urls"]["Repository"]
_ABOUT = {
    "displayName": "Gatehouse",
    "description": "Remote access for a homelab: Cloudflare Tunnel and Access, Tailscale, and the cluster behind them",
    "keywords": ["pulumi", "category/network", "kind/component", "cloudflare", "tailscale", "homelab"],
    "homepage": _REPOSITORY,
    "repository": _REPOSITORY,
    "license": _PROJECT["license"],
    "publisher": "Gatehouse",
    "logoUrl": f"{_REPOSITORY.replace('github.com', 'raw.githubusercontent.com')}/v{VERSION}/docs/logo.svg",
}
_SECRET_INPUTS = {("Google", "clientSecret"), ("Tunnel", "tunnelSecret"), ("Connector", "token")}
_SECRET_OUTPUTS = {("Tunnel", "token")}
# What wrappers fill in by themselves, where no argument of the component has the default.
_DEFAULTS: dict[tuple[str, str], Any] = {
    ("Connector", "logins"): True,
    ("Connector", "namespace"): "cloudflared",
    ("Connector", "replicas"): 2,
    ("Connector", "protocol"): "auto",
    ("ManagedIngress", "scheme"): "http",
    ("ManagedIngress", "className"): "nginx",
    ("ManagedIngress", "controller"): "nginx",
    ("ManagedIngress", "clusterIssuer"): "letsencrypt-prod",
    ("TunnelRoutes", "sessionDuration"): "24h",
}


def completed(analyzed: str) -> str:
    """The schema, with what the analyzer leaves out."""
    document: dict[str, Any] = json.loads(analyzed)
    head = {"name": document.pop("name"), "version": document.pop("version"), **_ABOUT}
    document = {**head, **{key: value for key, value in document.items() if key not in head}}
    for token, resource in document["resources"].items():
        kind = token.rpartition(":")[2]
        for key, part in resource["inputProperties"].items():
            _loosen(part)
            default = _default(kind, key)
            if default is not None:
                part["default"] = default
            if (kind, key) in _SECRET_INPUTS:
                part["secret"] = True
        for key, part in resource["properties"].items():
            if (kind, key) in _SECRET_OUTPUTS:
                part["secret"] = True
    return json.dumps(document)


def _loosen(part: dict[str, Any]) -> None:
    """Objects in a plain list are no plain ones: Pulumi's generator for Go makes no type for those, and uses it."""
    for inner in (part[key] for key in ("items", "additionalProperties") if key in part):
        if "$ref" in inner:
            inner.pop("plain", None)
        _loosen(inner)


def _default(kind: str, key: str) -> Any:
    """The default that the component itself has for an argument of this name."""
    known = inspect.signature(getattr(components, kind).__init__).parameters if hasattr(components, kind) else {}
    argument = known.get(re.sub(r"([A-Z])", lambda m: f"_{m[1].lower()}", key))
    default = argument.default if argument else None
    return default if isinstance(default, bool | int | str) else _DEFAULTS.get((kind, key))
