"""Which fields an object has: a compact notation, and the checks against it.

One line a shape: `Name: field field! field[] field* field=Other field=Other[]`. `!` is required, `[]` a list,
`*` a map or anything (not looked into), `=Other` names the shape of what is in it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.simulation.values import UNKNOWN, Path, Secret, path_text, walk


@dataclass(frozen=True)
class Field:
    """One field: whether it must be there and, where it holds objects, the name of their shape."""

    required: bool = False
    shape: str = ""


Shape = Mapping[str, Field]


def parse(text: str) -> dict[str, Shape]:
    """Reads the notation; a line that starts with a space goes on with the one before."""
    shapes: dict[str, Shape] = {}
    for line in text.replace("\n ", " ").strip().splitlines():
        name, _, words = line.partition(":")
        fields: dict[str, Field] = {}
        for word in words.split():
            field, _, inner = word.partition("=")
            fields[field.strip("!*[]")] = Field("!" in field, inner.strip("[]"))
        shapes[name.strip()] = fields
    return shapes


@dataclass(frozen=True)
class Failure:
    """One thing wrong with a resource's inputs, found before any call."""

    property: str
    reason: str


def misfits(value: Any, name: str, shapes: Mapping[str, Shape], at: Path = ()) -> Iterator[Failure]:
    """Yields each unknown field (with the nearest known one) and each required one that is missing."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from misfits(item, name, shapes, (*at, index))
        return
    if not isinstance(value, dict):
        return
    shape = shapes[name]
    for key, item in value.items():
        field = shape.get(key)
        if field is None:
            near = difflib.get_close_matches(key, shape, 1)
            hint = f' Did you mean "{near[0]}"?' if near else f" It takes: {', '.join(sorted(shape))}."
            yield Failure(path_text((*at, key)), f'An argument named "{key}" is not expected here.{hint}')
        elif field.shape and item is not None and item is not UNKNOWN:
            yield from misfits(item, field.shape, shapes, (*at, key))
    for key, field in shape.items():
        if field.required and value.get(key) is None:
            yield Failure(path_text((*at, key)), f'Missing required property "{key}".')


def imported(value: Any, name: str, shapes: Mapping[str, Shape]) -> Any:
    """Gives the inputs that an import takes from what was read: at every depth what can be set and is no zero value.

    Zero is what is false, 0 or empty; required fields are taken all the same. Source: pulumi-terraform-bridge
    `pkg/tfbridge/schema.go` (`extractSchemaInputs`).
    """
    if isinstance(value, list):
        return [imported(item, name, shapes) for item in value]
    if not isinstance(value, dict):
        return value
    taken = {}
    for key, field in shapes[name].items():
        item = imported(value.get(key), field.shape, shapes) if field.shape else value.get(key)
        if item is not None and (field.required or item or isinstance(item, Secret)):
            taken[key] = item
    return taken


def holes(value: Any) -> Iterator[Path]:
    """Yields where a list holds nothing: null, or an object without fields."""
    return (path for path, item in walk(value) if item in (None, {}) and path and isinstance(path[-1], int))
