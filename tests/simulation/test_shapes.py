"""The tables of properties against the SDKs' own types, which are the second source."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from pulumi import _types

from gatehouse.simulation import cloudflare_shapes, tailscale
from gatehouse.simulation.cloudflare import Cloudflare
from gatehouse.simulation.shapes import Shape, misfits, parse
from gatehouse.simulation.store import Store


def _class_in(kind: Any) -> type | None:
    if isinstance(kind, type) and _types.is_input_type(kind):
        return kind
    return next((found for one in get_args(kind) if (found := _class_in(one))), None)


def _compare(arguments: type, name: str, shapes: Mapping[str, Shape], seen: set[str]) -> None:
    if name in seen:
        return
    seen.add(name)
    kinds = _types.input_type_types(arguments)
    names = _types.input_type_py_to_pulumi_names(arguments)
    needed = {
        names[one.name]
        for one in inspect.signature(arguments).parameters.values()
        if one.default is inspect.Parameter.empty and one.name in names
    }
    shape = shapes[name]
    assert set(shape) == set(kinds), name
    for key, field in shape.items():
        inner = _class_in(kinds[key])
        if field.shape:
            assert inner is not None, f"{name}.{key}"
            _compare(inner, field.shape, shapes, seen)
        assert field.required == (key in needed), f"{name}.{key}"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK's own, of types under their old names
def test_the_cloudflare_table_is_what_the_sdk_takes(store: Store) -> None:
    import pulumi_cloudflare as sdk

    seen: set[str] = set()
    for name in Cloudflare(store).kinds:
        # An application's own rules lack two selectors that the reusable policies' have.
        _compare(getattr(sdk, f"{name}Args"), name, cloudflare_shapes.SHAPES, seen)
    assert seen == set(cloudflare_shapes.SHAPES)


def test_the_tailscale_table_is_what_the_sdk_takes(store: Store) -> None:
    import pulumi_tailscale as sdk

    seen: set[str] = set()
    for name in tailscale.Tailscale(store).kinds:
        _compare(getattr(sdk, f"{name}Args"), name, tailscale.SHAPES, seen)
    assert seen == set(tailscale.SHAPES)


SHAPES = parse("A: one! two=B[] three*\n four\nB: x! y")


def test_the_notation_reads_lines_that_go_on() -> None:
    assert set(SHAPES["A"]) == {"one", "two", "three", "four"}
    assert SHAPES["A"]["two"].shape == "B"
    assert SHAPES["A"]["one"].required


def test_misfits_are_found_at_every_depth_with_the_nearest_name() -> None:
    found = {
        one.property: one.reason for one in misfits({"two": [{"x": 1}, {"xx": 1}], "three": {"any": 1}}, "A", SHAPES)
    }
    assert set(found) == {"one", "two[1].xx", "two[1].x"}
    assert 'Did you mean "x"?' in found["two[1].xx"]
