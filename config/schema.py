"""JSON Schema of a stack file, for editors and other people's tools; made from the model."""

from __future__ import annotations

from typing import Any

from config.secrets import SECRETS
from config.stack import NAMESPACE, StackConfig

_DEFINITIONS = "$defs"


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
            "type": "object",
            "description": f"A secret; without it {secret.purpose}. Set it with: {secret.set_with}",
            "properties": {"secure": {"type": "string"}},
            "required": ["secure"],
            "additionalProperties": False,
        }
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
                "patternProperties": {f"^(?!{NAMESPACE}:)[^:]+:.+$": True},
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
