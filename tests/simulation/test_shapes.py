"""The tables of properties against the SDKs' own types, which are the second source."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from pulumi import _types

from gatehouse.simulation import cloudflare_shapes, kubernetes_shapes, tailscale
from gatehouse.simulation.cloudflare import Cloudflare
from gatehouse.simulation.shapes import Shape, misfits, parse, without_unknown_fields
from gatehouse.simulation.store import Store


def _class_in(kind: Any) -> type | None:
    if isinstance(kind, type) and _types.is_input_type(kind):
        return kind
    return next((found for one in get_args(kind) if (found := _class_in(one))), None)


def _compare(arguments: type, name: str, shapes: Mapping[str, Shape], seen: set[str], ignored: frozenset[str]) -> None:
    if name in seen:
        return
    seen.add(name)
    kinds = {key: kind for key, kind in _types.input_type_types(arguments).items() if key not in ignored}
    names = _types.input_type_py_to_pulumi_names(arguments)
    needed = {
        names[one.name]
        for one in inspect.signature(arguments).parameters.values()
        if one.default is inspect.Parameter.empty and one.name in names
    }
    shape = shapes[name]
    assert set(shape) - ignored == set(kinds), name
    for key, field in shape.items():
        if key in ignored:
            continue
        inner = _class_in(kinds[key])
        if field.shape:
            assert inner is not None, f"{name}.{key}"
            _compare(inner, field.shape, shapes, seen, ignored)
        if not ignored:
            assert field.required == (key in needed), f"{name}.{key}"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK's own, of types under their old names
def test_the_cloudflare_table_is_what_the_sdk_takes(store: Store) -> None:
    import pulumi_cloudflare as sdk

    seen: set[str] = set()
    for name in Cloudflare(store).kinds:
        # An application's own rules lack two selectors that the reusable policies' have.
        _compare(getattr(sdk, f"{name}Args"), name, cloudflare_shapes.SHAPES, seen, frozenset())
    assert seen == set(cloudflare_shapes.SHAPES)


def test_the_tailscale_table_is_what_the_sdk_takes() -> None:
    import pulumi_tailscale as sdk

    for name in tailscale.SHAPES:
        _compare(getattr(sdk, f"{name}Args"), name, tailscale.SHAPES, set(), frozenset())


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("core", ["Namespace", "Secret", "ConfigMap", "Service", "ServiceAccount"]),
        ("apps", ["Deployment"]),
        ("policy", ["PodDisruptionBudget"]),
        ("networking", ["Ingress", "IngressClass", "NetworkPolicy"]),
    ],
)
def test_the_kubernetes_table_is_what_the_sdk_takes(module: str, names: list[str]) -> None:
    import pulumi_kubernetes as sdk

    group = getattr(sdk, module).v1
    seen: set[str] = set()
    for name in names:
        found = getattr(group, f"{name}Args", None) or getattr(group, f"{name}InitArgs")
        _compare(found, name, kubernetes_shapes.SHAPES, seen, frozenset({"status"}))


SHAPES = parse("A: one! two=B[] three*\n four\nB: x! y")


def test_the_notation_reads_lines_that_go_on() -> None:
    assert set(SHAPES["A"]) == {"one", "two", "three", "four"}
    assert SHAPES["A"]["two"].shape == "B"
    assert SHAPES["A"]["one"].required


def test_misfits_are_found_at_every_depth_with_the_nearest_name() -> None:
    found = {one.property: one.reason for one in misfits({"two": [{"x": 1}, {"xx": 1}], "three": {"any": 1}}, "A", SHAPES)}
    assert set(found) == {"one", "two[1].xx", "two[1].x"}
    assert 'Did you mean "x"?' in found["two[1].xx"]
    kept = without_unknown_fields({"two": [{"x": 1, "z": 2}], "four": 4, "five": 5}, "A", SHAPES)
    assert kept == {"two": [{"x": 1}], "four": 4}
