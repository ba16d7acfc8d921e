"""The fault in how Cloudflare's plugin writes its bodies (docs/adr/0017), and what the API says to such a body."""

from __future__ import annotations

from typing import Any

import pytest

from gatehouse.simulation.cloudflare import Cloudflare
from gatehouse.simulation.encoder import Encoder
from gatehouse.simulation.faults import PlannedFaults
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import Secret
from tests.simulation.calls import write_plan
from tests.simulation.plugin import ACCOUNT, Plugin, ProviderError, Resource
from tests.simulation.test_cloudflare import APP, GROUP, TUNNEL, TUNNEL_SECRET, ZONE, app, people, tunnel

SECRET: dict[str, Any] = {
    "accountId": ACCOUNT,
    "name": "alfred",
    "configSrc": "cloudflare",
    "tunnelSecret": Secret(TUNNEL_SECRET),
}


def before(store: Store) -> tuple[Resource, Resource]:
    """A tunnel without its secret and an application, from an earlier process."""
    cloud = Plugin(Cloudflare(store))
    cloud.create(ZONE, "zone", account={"id": ACCOUNT}, name="example.com")
    idp, _, policy = people(cloud)
    made = cloud.create(APP, "app", **app("a.example.com", idp, policy))
    imported = cloud.import_(TUNNEL, "alfred", f"{ACCOUNT}/{tunnel(cloud).id}")
    assert imported is not None
    # A process of its own: nothing was written in it yet.
    made.plugin = imported.plugin = Plugin(Cloudflare(store, PlannedFaults(store)))
    return imported, made


def test_after_a_tunnel_got_its_secret_no_application_can_be_changed(store: Store) -> None:
    line, made = before(store)
    write_plan(store.path, {"do": "encoder"})
    line.update(**SECRET)
    with pytest.raises(ProviderError, match=r"invalid_request: allowedIdps\[0\] is empty"):
        made.update(**{**made.inputs, "name": "new"})
    with pytest.raises(ProviderError, match="name is required"):
        made.plugin.create(GROUP, "g", accountId=ACCOUNT, name="g", includes=[{"everyone": {}}])


def test_after_an_application_was_changed_the_tunnels_secret_does_no_harm(store: Store) -> None:
    line, made = before(store)
    write_plan(store.path, {"do": "encoder"})
    made = made.update(**{**made.inputs, "name": "new"})
    line.update(**SECRET)
    made.update(**{**made.inputs, "name": "newer"})


def test_without_the_fault_the_order_means_nothing(store: Store) -> None:
    line, made = before(store)
    line.update(**SECRET)
    assert made.update(**{**made.inputs, "name": "new"})["name"] == "new"


def test_a_tunnel_whose_secret_the_state_has_does_no_harm(store: Store) -> None:
    line, made = before(store)
    line = line.update(**SECRET)
    line.plugin = made.plugin = Plugin(Cloudflare(store, PlannedFaults(store)))
    write_plan(store.path, {"do": "encoder"})
    line.update(**{**SECRET, "name": "new"})
    made.update(**{**made.inputs, "name": "new"})


def test_what_the_api_takes_of_a_damaged_body_is_what_it_holds(store: Store) -> None:
    line, _ = before(store)
    zone = line.plugin.create(ZONE, "other", account={"id": ACCOUNT}, name="example.org")
    inputs: dict[str, Any] = {"accountId": ACCOUNT, "type": "self_hosted", "name": "a", "domain": "a.example.org"}
    made = line.plugin.create(APP, "plain", **inputs)
    line.plugin = made.plugin = zone.plugin = Plugin(Cloudflare(store, PlannedFaults(store)))
    write_plan(store.path, {"do": "encoder"})
    line.update(**SECRET)
    made = made.update(**{**inputs, "domain": "b.example.org"})
    assert made["name"] == "a"  # as the plan had it: the plugin does not look at what it is answered
    read = made.refresh()
    assert read is not None
    assert "name" not in read.outputs


# As the plugin's own encoder wrote it when it was run on such bodies.
def test_a_spoiled_encoder_leaves_out_what_has_not_changed() -> None:
    encoder = Encoder()
    encoder.patch({"name": "alfred", "tunnelSecret": "s"}, {"name": "alfred"})
    state = {"name": "a", "allowedIdps": ["i"], "policies": [{"id": "p", "precedence": 1}], "cors": {"x": "1", "y": 2}}
    plan = {**state, "name": "b", "destinations": [{"type": "public", "uri": "a"}], "cors": {"x": "1", "y": 3}}
    assert encoder.put(plan, state) == {
        "name": "b",
        "allowedIdps": [None],
        "policies": [{"precedence": 1}],
        "destinations": [{}],
        "cors": {"y": 3},
    }
    assert encoder.put(state, None)["policies"] == [{"precedence": 1}]
    assert "name" not in encoder.put(state, None)
