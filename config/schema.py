"""JSON Schema of a stack file, for editors and other people's tools; made from the model."""

from __future__ import annotations

from typing import Any

from config.fields import LABEL
from config.secrets import CREDENTIAL, SECRETS
from config.stack import NAMESPACE, StackConfig

_DEFINITIONS = "$defs"
_LABEL = LABEL.pattern
_NAME = rf"({_LABEL}\.)+{_LABEL}"
_HOST = r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)"
_DURATION = r"^(0s|(?=.*[1-9])([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$"
_PATH = r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~@+-]+)+"
# What the rules refuse, as far as JSON Schema can say it: by model and key.
_FORMS: dict[tuple[str, str], dict[str, Any]] = {
    ("Connector", "replicas"): {"minimum": 1, "maximum": 25},
    ("Connector", "image"): {
        "pattern": r"^[a-z0-9][^\s@]*(:(?!latest$)[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$"
    },
    ("AccessSettings", "session_duration"): {"pattern": _DURATION},
    ("Estate", "session_duration"): {"pattern": _DURATION},
    ("Node", "manifests_folder"): {"pattern": r"^[^./~\s\\][^\\]*$"},
    ("Service", "funnel_port"): {"const": 443},
    ("Service", "gates"): {"uniqueItems": True},
    ("Service", "host"): {"pattern": rf"^(\*\.)?{_NAME}$"},
    ("Service", "hosts"): {"items": {"type": "string", "pattern": rf"^(\*\.)?{_NAME}$"}, "uniqueItems": True},
    ("Service", "path"): {"pattern": f"^(/|{_PATH})$"},
    ("Service", "paths"): {"propertyNames": {"pattern": f"^{_PATH}$"}},
    ("Service", "redirect_from"): {"items": {"type": "string", "pattern": f"^{_NAME}$"}, "uniqueItems": True},
    ("Service", "tailnet_name"): {"pattern": f"^{_LABEL}$"},
    ("Tailnet", "name"): {"pattern": rf"^{_LABEL}\.ts\.net$"},
    ("UrlOrigin", "url"): {"pattern": rf"^(https?://{_HOST}(:[0-9]{{1,5}})?|(tcp|udp)://{_HOST}:[0-9]{{1,5}})$"},
    ("Zone", "name"): {"pattern": rf"^(?!.*\.[0-9]+$){_NAME}$"},
}
_NOT_BOTH = [{"not": {"required": [one, several]}} for one, several in (("gate", "gates"), ("host", "hosts"))]


_SECURE: dict[str, Any] = {
    "type": "object",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}


def stack_file_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of a whole `Pulumi.<stack>.yaml`.

    It knows shapes only: what breaks live is for `gatehouse check`, and which gates there are is added by `gatehouse
    schema`. Keys of other namespaces are the providers' own.
    """
    model = StackConfig.model_json_schema(ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = model.pop(_DEFINITIONS, {})
    properties = {f"{NAMESPACE}:{name}": value for name, value in model["properties"].items()}
    for secret in SECRETS:
        properties[secret.key] = {
            "description": f"A secret; without it {secret.purpose}. Set it with: {secret.set_with}",
            **_SECURE,
        }
    for (name, key), form in _FORMS.items():
        definitions[name]["properties"][key] |= form
    service = definitions["Service"]
    service["properties"]["origin"] = _origin(service["properties"]["origin"]["description"])
    service["allOf"] = _NOT_BOTH
    definitions["Claim"]["oneOf"] = [{"required": ["never"]}, {"required": ["only"]}]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Gatehouse stack file",
        "description": "Pulumi.<stack>.yaml: what each service is. `gatehouse check` says what would break live.",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                "description": model.get("description", ""),
                "properties": properties,
                # Pulumi and the providers have namespaces of their own.
                "patternProperties": {
                    f"^(?!{NAMESPACE}:)[^:]+:.+$": True,
                    f"^{NAMESPACE}:{_LABEL}_client_secret$": _SECURE,
                    f"^(?!{NAMESPACE}:)[^:]+:.*{CREDENTIAL}$": {"anyOf": [_SECURE, {"pattern": "^[~./]"}]},
                },
                "additionalProperties": False,
                "required": [f"{NAMESPACE}:{name}" for name in model.get("required", [])],
                "oneOf": [
                    {"required": [f"{NAMESPACE}:estate"]},
                    {"required": [f"{NAMESPACE}:member_of"]},
                ],
            }
        },
        _DEFINITIONS: definitions,
    }
    tidied: dict[str, Any] = _tidy(schema)
    return tidied


def _origin(description: str) -> dict[str, Any]:
    """The form that the keys say, so that an editor has one thing to say about a wrong one."""

    def form(key: str, model: str, otherwise: dict[str, Any]) -> dict[str, Any]:
        return {"if": {"required": [key]}, "then": {"$ref": f"#/$defs/{model}"}, "else": otherwise}

    node = form("on_node", "NodeOrigin", {"$ref": "#/$defs/ServiceOrigin"})
    keys = form("url", "UrlOrigin", node)
    return {"description": description, "if": {"type": "object"}, "then": keys, "else": {"type": "object"}}


def _tidy(part: Any) -> Any:
    """Without the titles that pydantic makes of names and without null, and with descriptions on one line."""
    if isinstance(part, list):
        return [_tidy(item) for item in part]
    if not isinstance(part, dict):
        return part
    alternatives = part.get("anyOf", [])
    if {"type": "null"} in alternatives:
        # Nobody writes null for what may be left out, and editors name the key at fault without it.
        said = [a for a in alternatives if a != {"type": "null"}]
        rest = {key: value for key, value in part.items() if key not in ("anyOf", "default")}
        part = {**(said[0] if len(said) == 1 else {"anyOf": said}), **rest}
    tidied: dict[str, Any] = {}
    if "patternProperties" in part:
        # A key of another form is refused, as the model refuses it.
        tidied["additionalProperties"] = False
    for key, value in part.items():
        if key == "title" and isinstance(value, str) and "$schema" not in part:
            continue
        tidied[key] = " ".join(value.split()) if key == "description" and isinstance(value, str) else _tidy(value)
    return tidied
