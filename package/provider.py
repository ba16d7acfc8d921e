"""The provider: its schema, inputs as that says them, and refusals as Pulumi shows those of a property."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.provider import ConstructResult

from components.given import NOT_YET, GivenError, Problem
from config import VERSION
from config.errors import dotted
from package.offered import OFFERED

_ROOT = Path(__file__).resolve().parents[1]
PAGES = _ROOT / "docs" / "components"
"""A page a component, made from the schema; its examples are the schema's."""
# A component takes a way as one value, whose fields have names of their own.
_WITHIN = ("way", "ingress", "settings", "challenges")
_OTHERWISE = {"backend": "service", "backend_port": "port", "target": "target_port"}
_Path = tuple[int | str, ...]


@cache
def schema() -> dict[str, Any]:
    """`schema.yaml`, with what is said elsewhere: version, license, who publishes it, and the examples."""
    found: dict[str, Any] = yaml.safe_load((_ROOT / "package" / "schema.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    repository = project["urls"]["Repository"]
    logo = f"{repository.replace('github.com', 'raw.githubusercontent.com')}/v{VERSION}/docs/logo.svg"
    for token, resource in found["resources"].items():
        page = PAGES / f"{token.rpartition(':')[2]}.md"
        if page.is_file():
            resource["description"] += f"\n\n{_examples(page.read_text(encoding='utf-8'))}"
    about = {"version": VERSION, "license": project["license"], "homepage": repository, "repository": repository}
    return {**found, **about, "logoUrl": logo}


def _examples(page: str) -> str:
    blocks = re.findall(r"^```\w+\n.*?^```$", page, re.MULTILINE | re.DOTALL)
    return "\n".join(
        ["{{% examples %}}", "## Example Usage", "{{% example %}}", *blocks, "{{% /example %}}", "{{% /examples %}}"]
    )


class Provider(pulumi.provider.Provider):
    """Makes what `schema` describes by `OFFERED`."""

    def __init__(self) -> None:
        super().__init__(VERSION, json.dumps(schema()))

    def construct(
        self, name: str, resource_type: str, inputs: Any, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        """See `pulumi.provider.Provider`. Raises InputPropertiesError with all that is wrong."""
        described = schema()["resources"][resource_type]
        try:
            problems: dict[_Path, Problem] = {}
            args = _fields(name, described["inputProperties"], described["requiredInputs"], inputs, (), problems)
            if problems:
                raise GivenError(name, problems)
            made, more = OFFERED[resource_type.rpartition(":")[2]](name, args, options)
        except GivenError as refused:
            errors = [
                pulumi.InputPropertyErrorDetails(property_path=_property(path), reason=problem.why)
                for path, problem in refused.problems.items()
            ]
            raise pulumi.InputPropertiesError("what it is given is refused", errors) from None
        state = {key: more.get(key, getattr(made, _snake(key), None)) for key in described["properties"]}
        return ConstructResult(made.urn, {key: value for key, value in state.items() if value is not None})


def _fields(
    component: str, keys: Mapping[str, Any], required: list[str], said: Any, path: _Path, problems: dict[_Path, Problem]
) -> dict[str, Any]:
    """What an object says by its keys in Python, with the defaults; `problems` gets what is wrong."""
    if not isinstance(said, Mapping):
        problems[path] = Problem(f"keys with values are expected here: {', '.join(keys)}")
        return {}
    for key in said.keys() - keys.keys():
        problems[(*path, key)] = Problem(f"no such key is known here; write one of: {', '.join(keys)}")
    found = {}
    for key, part in keys.items():
        value = part.get("default") if said.get(key) is None else said[key]
        if value is not None:
            found[_snake(key)] = _value(component, part, value, (*path, key), problems)
        elif key in required:
            problems[(*path, key)] = Problem(f"missing: {part['description']}")
    return found


def _value(component: str, part: Mapping[str, Any], value: Any, path: _Path, problems: dict[_Path, Problem]) -> Any:
    """A value as its part of the schema says it; text and numbers are for the components to read."""
    kind = schema()["types"].get(part.get("$ref", "").removeprefix("#/types/"), part)
    inner = kind.get("items") or kind.get("additionalProperties")
    late = isinstance(value, pulumi.Output) or ("type" not in kind and _has_output(value))
    if late and not _may_be_late(kind):
        problems[path] = Problem(NOT_YET)
    elif kind.get("type") == "boolean" and not isinstance(value, bool):
        problems[path] = Problem("true or false is expected here")
    if path in problems:
        return None
    if late:
        return value
    if "properties" in kind:
        return _fields(component, kind["properties"], kind.get("required", []), value, path, problems)
    if "enum" in kind and value not in (words := [word["value"] for word in kind["enum"]]):
        problems[path] = Problem(f"no such word is known here; write one of: {', '.join(words)}")
    if "additionalProperties" in kind and isinstance(value, Mapping):
        return {key: _value(component, inner, item, (*path, key), problems) for key, item in value.items()}
    if "items" in kind and isinstance(value, list):
        return tuple(_value(component, inner, item, (*path, n), problems) for n, item in enumerate(value))
    if inner:
        said = "keys with values are expected here" if "items" not in kind else "a list is expected here; write ['…']"
        problems[path] = Problem(f"{said}. {part['description']}" if "description" in part else said)
    return whole(value)


def _may_be_late(kind: Mapping[str, Any]) -> bool:
    """Whether another resource's output may be given: text, numbers, and collections of them. Components ask more."""
    inner = kind.get("items") or kind.get("additionalProperties") or kind
    return "properties" not in kind and inner.get("type") in ("string", "integer")


def _has_output(value: Any) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return isinstance(value, pulumi.Output) or any(_has_output(item) for item in inner)


def whole(value: Any) -> Any:
    """Numbers come over the wire as floats; whole ones are whole again, at any depth."""
    if isinstance(value, Mapping):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _snake(key: str) -> str:
    return re.sub(r"[A-Z]", lambda m: f"_{m[0].lower()}", key)


def _property(path: _Path) -> str:
    """A path as the schema has it: `ports[0].nodePort`."""
    parts = path[1:] if path[0] in _WITHIN and len(path) > 1 else path
    named = (part if isinstance(part, int) else _OTHERWISE.get(part, part) for part in parts)
    return dotted(tuple(_camel().get(part, part) if isinstance(part, str) else part for part in named))


@cache
def _camel() -> dict[str, str]:
    parts = [*schema()["resources"].values(), *schema()["types"].values()]
    return {_snake(key): key for part in parts for key in part.get("inputProperties", part.get("properties", ()))}
