"""Any bytes as a stack file give findings or a plan, never a traceback."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from config.errors import render
from config.loader import LoadedStack, load_project, parse_stack_text, tie, type_stack
from exposure.check import checked
from exposure.plan import plan_stack
from tests.kit.profiles import NIGHTLY

ROOT = Path(__file__).parents[2]
ALFRED: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.alfred.yaml").read_text())
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
TEXT = (ROOT / "Pulumi.alfred.yaml").read_text()


def judge(stacks: dict[str, LoadedStack]) -> bool:
    """Findings or a plan; whether there was a plan."""
    found = checked(stacks)
    findings = found.findings
    assert render(findings)
    planned = False
    for name, stack in stacks.items():
        errors = [f for f in found.of(name) if f.severity == "error"]
        assert not errors or set(errors) <= set(findings)
        if not errors:
            plan_stack(stack, stacks)
            planned = True
    return planned


def from_bytes(data: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Pulumi.any.yaml").write_bytes(data)
        return judge(load_project(Path(folder)))


def from_values(values: object) -> bool:
    return from_text(yaml.dump(values, Dumper=_DUMPER, sort_keys=False, allow_unicode=True))


def from_text(text: str) -> bool:
    return judge(tie([type_stack(parse_stack_text(text))]))


def paths_of(value: object, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [path for key, inner in items for path in [(*above, key), *paths_of(inner, (*above, key))]]


PATHS = paths_of(ALFRED)
WORDS = [
    "*",
    "/",
    "a.b",
    "http://x",
    "tcp://x",
    "https://x/y",
    "*.x.y",
    "A",
    "-",
    "::",
    "[",
    "http_status:404",
    "http_status:9999999999",
    "zero-trust",
    "funnel",
    "tailnet",
    "port-forward",
    "acme",
    "public-tunnel",
    "anyone",
    "people",
    "html",
    "non-html",
    "acme-http-01",
    "low",
    "high",
    "tcp",
    "udp",
    "http",
    "https",
    "managed",
    "existing",
    "household",
    "bypass",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(WORDS)
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.binary(max_size=300))
@example(b"[" * 100_000)
@example(b"{a: " * 60_000)
@example(b"- " * 50_000)
@example(b"&a [*a, *a]")
@example(b"a: &a [1,2]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]")
@example(b"\xff\xfe")
@example(b"\x00")
@example(b"config: " + b"9" * 10_000)
@example(b"config:\n  gatehouse:node: !!python/object/apply:os.system [id]\n")
@example(b"config:\n  gatehouse:services: {a: {origin: {url: 'http://['}, traffic: html}}\n")
def test_any_bytes_give_findings(data: bytes) -> None:
    assert not from_bytes(data)


@given(st.data())
def test_a_real_stack_file_with_bytes_changed_gives_findings_or_a_plan(data: st.DataObject) -> None:
    text = TEXT.encode()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 30))
        text = text[:start] + data.draw(st.binary(max_size=20)) + text[start + length :]
    from_bytes(text)


def put(values: Any, path: tuple[str | int, ...], value: object) -> None:
    """Set what is at a path, or at the deepest part of it that there still is."""
    for part in path[:-1]:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            break
    if isinstance(values, dict):
        values[path[-1]] = value
    elif isinstance(values, list):
        values.append(value)


@given(st.lists(st.tuples(st.sampled_from(PATHS), ANYTHING), min_size=1, max_size=4))
def test_a_real_stack_file_with_values_changed_gives_findings_or_a_plan(changes: list[tuple[Any, Any]]) -> None:
    values = copy.deepcopy(ALFRED)
    for path, value in changes:
        put(values, path, value)
    from_values(values)


@given(st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(PATHS)), min_size=1, max_size=3))
def test_a_real_stack_file_with_values_swapped_gives_findings_or_a_plan(swaps: list[tuple[Any, Any]]) -> None:
    values = copy.deepcopy(ALFRED)
    for path, other in swaps:
        taken: Any = ALFRED
        for part in other:
            taken = taken[part]
        put(values, path, copy.deepcopy(taken))
    from_values(values)


def test_the_shipped_file_itself_is_planned() -> None:
    # The positive control of the tests above: they do reach the plan.
    assert from_values(ALFRED)
    assert from_text(json.dumps(ALFRED, ensure_ascii=False))


@pytest.mark.parametrize("path", PATHS, ids=lambda p: ".".join(map(str, p))[-60:])
def test_every_key_of_the_shipped_file_may_be_missing_or_null(path: tuple[Any, ...]) -> None:
    kinds: tuple[Any, ...] = (0, "", [], {})
    # Values of another kind take turns; by night each key has all of them.
    others = (None, *(kinds if NIGHTLY else kinds[PATHS.index(path) % 4 :][:1]), ...)
    values = copy.deepcopy(ALFRED)
    holder: Any = values
    for part in path[:-1]:
        holder = holder[part]
    for value in others:
        if value is ...:
            del holder[path[-1]]
        else:
            holder[path[-1]] = value
        # JSON is YAML, and is written in a tenth of the time.
        from_text(json.dumps(values, ensure_ascii=False))
