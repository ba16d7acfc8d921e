"""Declarations for TypeScript from the package's schema, as far as the schema uses it. Pulumi makes the real SDK."""

from __future__ import annotations

from typing import Any

_HEAD = """\
// Made from package/schema.json (GATEHOUSE_UPDATE_SNAPSHOTS=1 make test). `pulumi install` makes the SDK itself.
import * as pulumi from "@pulumi/pulumi";
"""
_SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}


def declarations(schema: dict[str, Any]) -> str:
    """The package's module, as `.d.ts`."""
    parts = [_HEAD]
    for token, part in schema["types"].items():
        name = token.rsplit(":", 1)[1]
        if "enum" in part:
            words = " | ".join(f'"{member["value"]}"' for member in part["enum"])
            parts.append(f"export type {name}Args = {words};\n")
            continue
        parts.append(
            f"export interface {token.rsplit(':', 1)[1]}Args {{\n{_members(part, 'properties', 'required')}}}\n"
        )
    for token, part in schema["resources"].items():
        name = token.rsplit(":", 1)[1]
        outputs = "".join(
            f"    readonly {key}: pulumi.Output<{_plain(p)}{_or_absent(key, part)}>;\n"
            for key, p in part["properties"].items()
        )
        parts.append(f"export interface {name}Args {{\n{_members(part, 'inputProperties', 'requiredInputs')}}}\n")
        parts.append(
            f"export declare class {name} extends pulumi.ComponentResource {{\n{outputs}"
            f"    constructor(name: string, args: {name}Args, opts?: pulumi.ComponentResourceOptions);\n}}\n"
        )
    return "\n".join(parts)


def _or_absent(key: str, part: dict[str, Any]) -> str:
    return "" if key in part.get("required", []) else " | undefined"


def _members(part: dict[str, Any], properties: str, required: str) -> str:
    return "".join(
        f"    {key}{'' if key in part.get(required, []) else '?'}: {_input(p)};\n"
        for key, p in part[properties].items()
    )


def _input(part: dict[str, Any]) -> str:
    inner = _shape(part, _input)
    return inner if part.get("plain") else f"pulumi.Input<{inner}>"


def _plain(part: dict[str, Any]) -> str:
    return _shape(part, _plain)


def _shape(part: dict[str, Any], inner: Any) -> str:
    reference = part.get("$ref", "")
    if reference == "pulumi.json#/Any":
        return "any"
    if reference:
        return f"{reference.rsplit(':', 1)[1]}Args"
    if part["type"] == "array":
        return f"{inner(part['items'])}[]" if " " not in inner(part["items"]) else f"({inner(part['items'])})[]"
    if part["type"] == "object":
        return f"{{ [key: string]: {inner(part['additionalProperties'])} }}"
    return _SIMPLE[part["type"]]
