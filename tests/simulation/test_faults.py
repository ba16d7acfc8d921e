"""The fault plan and the hand behind the program's back, without an engine."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gatehouse.simulation import tamper
from gatehouse.simulation.cloudflare import Cloudflare
from gatehouse.simulation.faults import PlannedFaults
from gatehouse.simulation.store import Store
from gatehouse.simulation.tailscale import Tailscale
from tests.simulation.calls import history, read_calls, write_plan
from tests.simulation.plugin import ACCOUNT, Plugin, ProviderError
from tests.simulation.test_cloudflare import APP, GROUP, IDP, POLICY, RECORD, TUNNEL, ZONE, app, people, record

OAUTH = "tailscale:index/oauthClient:OauthClient"


@pytest.fixture
def cloud(store: Store) -> Plugin:
    return Plugin(Cloudflare(store, PlannedFaults(store)))


def zone(cloud: Plugin, name: str = "example.com") -> Any:
    return cloud.create(ZONE, name, account={"id": ACCOUNT}, name=name)


def outcomes(store: Store) -> list[str]:
    return [call["outcome"] for call in read_calls(store.path)]


def test_a_fault_meets_the_call_of_its_number_and_no_other(cloud: Plugin, store: Store) -> None:
    write_plan(store.path, {"do": "refuse", "call": 2, "text": "no"})
    made = zone(cloud, "one.com")
    made.refresh()  # a read has no number
    with pytest.raises(ProviderError, match="no"):
        zone(cloud, "two.com")
    zone(cloud, "two.com")
    assert outcomes(store) == ["ok", "ok", "fault: refuse before", "ok"]


def test_from_a_call_onwards_nothing_goes_until_the_plan_is_taken_away(cloud: Plugin, store: Store) -> None:
    write_plan(store.path, {"do": "cut", "call": 1, "onwards": True})
    for _ in range(3):
        with pytest.raises(ProviderError, match="connection reset"):
            zone(cloud)
    write_plan(store.path)
    zone(cloud)


def test_a_fault_may_name_the_resource(cloud: Plugin, store: Store) -> None:
    write_plan(store.path, {"do": "refuse", "type": "Zone", "name": "two.com", "method": "create"})
    zone(cloud, "one.com")
    with pytest.raises(ProviderError):
        zone(cloud, "two.com")


def test_cloudflares_provider_tries_twelve_times_and_then_says_the_status(cloud: Plugin, store: Store) -> None:
    write_plan(store.path, {"do": "status", "status": 503, "times": 11})
    zone(cloud, "one.com")
    write_plan(store.path, {"do": "status", "status": 503, "times": 12})
    with pytest.raises(ProviderError, match="503"):
        zone(cloud, "two.com")
    write_plan(store.path, {"do": "status", "status": 403, "times": 1})
    with pytest.raises(ProviderError, match="403"):
        zone(cloud, "two.com")


LOST: dict[str, dict[str, Any]] = {
    "cut": {"do": "cut"},
    **{f"status {number}": {"do": "status", "status": number} for number in (408, 409, 429, 500)},
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_a_creation_whose_answer_is_lost_is_asked_for_again(cloud: Plugin, store: Store, fault: dict[str, Any]) -> None:
    def lose() -> None:
        write_plan(store.path, {**fault, "when": "after"})

    made = zone(cloud)
    idp, _, policy = people(cloud)
    # What has a name of its own meets its own work.
    for type_, inputs in (
        (ZONE, {"account": {"id": ACCOUNT}, "name": "lost.example.com"}),
        (RECORD, record(made)),
        (TUNNEL, {"accountId": ACCOUNT, "name": "lost"}),
        (IDP, {"accountId": ACCOUNT, "name": "lost", "type": "onetimepin", "config": {}}),
        (APP, {**app("a.example.com", idp, policy), "name": "lost"}),
    ):
        lose()
        with pytest.raises(ProviderError, match=r"already[ _](exists|have)"):
            cloud.create(type_, "lost", **inputs)
    # What has none is made twice, and nobody is told.
    named: dict[str, Any] = {"accountId": ACCOUNT, "name": "lost", "includes": [{"everyone": {}}]}
    for type_, kind, inputs in ((GROUP, "group", named), (POLICY, "policy", {**named, "decision": "bypass"})):
        lose()
        again = cloud.create(type_, "lost", **inputs)
        two = [key for key, body in store.find(f"cloudflare/access-{kind}/") if body["name"] == "lost"]
        assert len(two) == 2
        assert two[1] == f"cloudflare/access-{kind}/{again.id}"


def test_a_deletion_whose_answer_is_lost_ends_in_not_found(cloud: Plugin, store: Store) -> None:
    made = zone(cloud)
    write_plan(store.path, {"do": "cut", "when": "after"})
    with pytest.raises(ProviderError, match="404"):
        made.delete()
    assert not list(store.find("cloudflare/"))


def test_cloudflares_provider_gives_up_where_no_answer_ever_comes(cloud: Plugin, store: Store) -> None:
    write_plan(store.path, {"do": "cut", "times": 11})
    zone(cloud, "one.com")
    write_plan(store.path, {"do": "cut", "times": 12})
    with pytest.raises(ProviderError, match="connection reset"):
        zone(cloud, "two.com")


def test_tailscales_provider_never_tries_again_and_leaves_a_live_key_behind(store: Store) -> None:
    tailnet = Plugin(Tailscale(store, PlannedFaults(store)))
    write_plan(store.path, {"do": "status", "status": 500, "when": "after"})
    with pytest.raises(ProviderError, match="500"):
        tailnet.create(OAUTH, "key", scopes=["dns"])
    write_plan(store.path, {"do": "cut"})
    with pytest.raises(ProviderError, match="connection reset"):
        tailnet.create(OAUTH, "key", scopes=["dns"])
    assert len(list(store.find("tailscale/key/"))) == 1


def test_a_call_that_hangs_until_the_clouds_end_makes_nothing(store: Store) -> None:
    faults = PlannedFaults(store)
    cloud = Plugin(Cloudflare(store, faults))
    write_plan(store.path, {"do": "hang"})
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(zone, cloud)
        while "fault: hang before" not in outcomes(store):
            time.sleep(0.01)
        write_plan(store.path)
        faults.release()
        with pytest.raises(ProviderError, match="connection refused"):
            hanging.result()
    assert not list(store.find("cloudflare/"))


def test_what_is_no_fault_is_refused(store: Store) -> None:
    for fault in ({"do": "explode"}, {"do": "cut", "when": "later"}, {"do": "cut", "kall": 1}, {}):
        with pytest.raises(ValueError, match="not a fault"):
            write_plan(store.path, fault)


def test_a_crash_ends_the_process(tmp_path: Path) -> None:
    state = tmp_path / "clouds.json"
    code = f"""
from pathlib import Path
from gatehouse.simulation.cloud import Call
from gatehouse.simulation.faults import PlannedFaults
from gatehouse.simulation.store import Store
from tests.simulation.calls import write_plan
store = Store(Path({str(state)!r}))
write_plan(store.path, {{"do": "crash"}})
PlannedFaults(store).before(Call("cloudflare", "create", "urn:pulumi:s::p::t::n"))
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 70


def test_what_the_clouds_held_after_each_call_can_be_told(cloud: Plugin, store: Store) -> None:
    made = zone(cloud)
    group = cloud.create(GROUP, "people", accountId=ACCOUNT, name="p", includes=[{"email": {"email": "a@example.com"}}])
    tamper.change(store.path, f"cloudflare/access-group/{group.id}", name="theirs")
    made.refresh()
    made.delete()
    states = [objects for _, objects in history(store.path)]
    held = [sorted(key.split("/")[1] for key in objects) for objects in states]
    assert held == [["zone"], *[["access-group", "zone"]] * 3, ["access-group"]]
    names = [objects[f"cloudflare/access-group/{group.id}"]["body"]["name"] for objects in states[1:]]
    assert names == ["p", "theirs", "theirs", "theirs"]


def test_a_hand_behind_the_programs_back_changes_and_deletes(cloud: Plugin, store: Store) -> None:
    made = zone(cloud)
    key = tamper.find(store.path, "cloudflare/zone/", name="example.com")
    tamper.change(store.path, key, paused=True)
    assert read_calls(store.path)[-1]["method"] == "tamper"
    seen = made.refresh()
    assert seen is not None
    tamper.delete(store.path, key)
    with pytest.raises(ProviderError, match="404"):
        made.delete()
    with pytest.raises(LookupError):
        tamper.find(store.path, "cloudflare/zone/")
    with pytest.raises(LookupError):
        tamper.delete(store.path, key)


def test_the_hand_has_a_command_line(cloud: Plugin, store: Store) -> None:
    zone(cloud)
    key = tamper.find(store.path, "cloudflare/zone/")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gatehouse.simulation.tamper", str(store.path), *words]
        return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)

    assert run().stdout == f"{key}\n"
    assert '"name": "example.com"' in run(key).stdout
    assert run(key, "paused=true").returncode == 0
    assert tamper.objects(store.path)[key]["body"]["paused"] is True
    assert run(key, "delete").returncode == 0
    assert not tamper.objects(store.path)
    gone = run(key, "delete")
    assert gone.returncode == 1
    assert "no object" in gone.stderr
