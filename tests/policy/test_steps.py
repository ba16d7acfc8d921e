"""Resources out of the states in a preview."""

from __future__ import annotations

from policy.model import REFERENCE, SECRET, UNKNOWN, Stack
from policy.steps import plain, reference, resource_of

URN = "urn:pulumi:s::p::gatehouse:index:Zone$cloudflare:index/zone:Zone::estate-zone"


def _state(**state: object) -> dict[str, object]:
    return {"urn": URN, "type": "cloudflare:index/zone:Zone", **state}


def test_a_state_becomes_a_resource_with_its_options_and_dependencies() -> None:
    by_property = {"name": ["urn:a"], "type": None}
    found = resource_of(
        _state(inputs={"name": "example.com"}, protect=True, dependencies=["urn:a"], propertyDependencies=by_property)
    )
    assert (found.package, found.kind, found.name, found.protect) == ("cloudflare", "Zone", "estate-zone", True)
    assert found.inputs == {"name": "example.com"}
    assert found.made_from("name") == ("urn:a",)
    assert found.made_from("type") == ()


def test_where_nothing_is_known_of_single_inputs_all_dependencies_count() -> None:
    assert resource_of(_state(dependencies=["urn:a"])).made_from("name") == ("urn:a",)


def test_secrets_and_unknowns_of_every_form_get_one_marker() -> None:
    """The signatures and markers are the engine's [pulumi sdk/go/common/resource]."""
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}
    assert plain({"a": [secret, "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", f"{UNKNOWN}.x", 1.0]}) == {
        "a": [SECRET, UNKNOWN, UNKNOWN, 1.0]
    }


def test_a_stack_knows_what_another_stack_gives_it() -> None:
    ids = {"policy_ids": {"household": "p1"}, "bypass_policy_id": "p2", "name_servers": ["x"], "zone_id": UNKNOWN}
    read = resource_of({"urn": f"urn:pulumi:s::p::{REFERENCE}::o", "type": REFERENCE, "outputs": {"outputs": ids}})
    for stack in (Stack([read]), Stack([reference("o", ids)])):
        assert (stack.given("p1"), stack.given("p2"), stack.given("p3")) == ("policy_ids", "bypass_policy_id", None)
        assert stack.given(UNKNOWN) is None
