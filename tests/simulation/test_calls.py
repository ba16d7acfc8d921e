"""The one way to the clouds: order, log, and the place where a fault plan comes in."""

from __future__ import annotations

import pytest

from gatehouse.simulation.cloud import Call, Faults, RefusedError
from gatehouse.simulation.cloudflare import Cloudflare
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import Secret
from tests.simulation.calls import read_calls
from tests.simulation.plugin import ACCOUNT, Plugin, ProviderError
from tests.simulation.test_cloudflare import ZONE
from tests.simulation.test_kubernetes import NAMESPACE


def test_the_log_tells_each_call_in_order_and_how_it_ended(cloudflare: Plugin, store: Store) -> None:
    cloudflare.create(ZONE, "zone", preview=True, account={"id": ACCOUNT}, name="example.com")
    made = cloudflare.create(ZONE, "zone", account={"id": ACCOUNT}, name="example.com")
    with pytest.raises(ProviderError):
        cloudflare.create(ZONE, "again", account={"id": ACCOUNT}, name="example.com")
    made.refresh()
    made.delete()
    calls = read_calls(store.path)
    assert [(c["n"], c["method"], c["name"], c["preview"], c["outcome"] == "ok") for c in calls] == [
        (1, "create", "zone", True, True),
        (2, "create", "zone", False, True),
        (3, "create", "again", False, False),
        (4, "read", "zone", False, True),
        (5, "delete", "zone", False, True),
    ]
    assert calls[1]["id"] == made.id
    assert calls[1]["type"] == ZONE
    assert calls[1]["provider"] == "cloudflare"
    assert calls[1]["urn"] == made.urn


class _Once(Faults):
    """Fails the first creation, before or after it took effect."""

    def __init__(self, when: str) -> None:
        self.when = when

    def before(self, call: Call) -> None:
        self._fail("before", call)

    def after(self, call: Call) -> None:
        self._fail("after", call)

    def _fail(self, when: str, call: Call) -> None:
        if self.when == when and call.method == "create":
            self.when = ""
            raise RefusedError("the line is dead")


@pytest.mark.parametrize(("when", "there"), [("before", False), ("after", True)])
def test_a_fault_comes_before_the_change_or_loses_the_answer(store: Store, when: str, there: bool) -> None:
    plugin = Plugin(Cloudflare(store, _Once(when)))
    with pytest.raises(ProviderError, match="the line is dead"):
        plugin.create(ZONE, "zone", account={"id": ACCOUNT}, name="example.com")
    assert bool(list(store.find("cloudflare/zone/"))) is there
    if there:
        with pytest.raises(ProviderError, match="already exists"):
            plugin.create(ZONE, "zone", account={"id": ACCOUNT}, name="example.com")
    else:
        plugin.create(ZONE, "zone", account={"id": ACCOUNT}, name="example.com")


def test_a_secret_never_shows_in_what_is_refused_nor_in_the_log(store: Store, kubernetes: Plugin) -> None:
    labels = {"careless": Secret("not a label value: hush")}
    with pytest.raises(ProviderError, match=r"Invalid value: .*\[secret\]") as caught:
        kubernetes.create(NAMESPACE, "x", metadata={"name": "x", "labels": labels})
    assert "hush" not in str(caught.value)
    assert "hush" not in store.log_path.read_text()
    assert "[secret]" in read_calls(store.path)[-1]["outcome"]
