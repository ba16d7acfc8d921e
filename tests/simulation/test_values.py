from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import rpc

from gatehouse.simulation import values
from gatehouse.simulation.values import UNKNOWN, Secret

# The SDK's own constants are the second source of the markers.
SIGNATURE = rpc._special_sig_key
SECRET = rpc._special_secret_sig

plain = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1), plain | st.builds(Secret, plain), max_size=4))
def test_properties_come_back_from_the_wire_as_they_went(properties: dict[str, Any]) -> None:
    assert values.from_struct(values.to_struct(properties)) == properties


def test_secrets_and_unknowns_have_the_form_the_sdk_reads() -> None:
    struct = values.to_struct({"a": Secret("s"), "b": UNKNOWN})
    assert dict(struct["a"]) == {SIGNATURE: SECRET, "value": "s"}
    assert struct["b"] == rpc.UNKNOWN


def test_a_copy_of_what_is_unknown_goes_over_the_wire_as_unknown() -> None:
    assert values.to_struct(copy.deepcopy({"a": UNKNOWN}))["a"] == rpc.UNKNOWN


def test_the_text_form_of_a_secret_shows_nothing_of_it() -> None:
    assert "hidden" not in repr({"a": [Secret({"b": "hidden"})]})


def test_revealed_and_concealed_again_is_the_same() -> None:
    given_ = {"config": {"id": "a", "secret": Secret("s")}, "list": [1, Secret({"x": "y"})]}
    paths = list(values.secret_paths(given_))
    assert paths == [("config", "secret"), ("list", 1)]
    assert values.conceal(values.reveal(given_), paths) == given_


def test_differences_are_named_as_pulumi_writes_paths() -> None:
    old = {"metadata": {"annotations": {"a/b": "1"}}, "spec": {"ports": [{"port": 80}]}}
    new = {"metadata": {"annotations": {}}, "spec": {"ports": [{"port": 81}, {"port": 2}]}, "x": UNKNOWN}
    assert {values.path_text(path): how for path, how in values.differences(old, new)} == {
        'metadata.annotations["a/b"]': "delete",
        "spec.ports[0].port": "update",
        "spec.ports[1]": "add",
        "x": "add",
    }
