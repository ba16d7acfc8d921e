from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatehouse.simulation import tamper
from gatehouse.simulation.store import Store, StoreError
from gatehouse.simulation.values import Secret
from tests.simulation.calls import read_calls


def test_a_change_is_in_the_file_when_the_transaction_ends(store: Store) -> None:
    with store.transaction():
        store.put("a/1", {"body": {"name": "one"}})
        assert not store.path.exists()
    assert json.loads(store.path.read_text())["objects"] == {"a/1": {"body": {"name": "one"}}}


def test_a_transaction_that_raises_changes_nothing(store: Store) -> None:
    with store.transaction():
        store.put("a/1", {"body": {"name": "one"}})
    before = store.path.read_text()

    def half() -> None:
        with store.transaction():
            store.put("a/1", {"body": {"name": "two"}})
            store.put("a/2", {"body": {}})
            store.count()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert store.get("a/1") == {"body": {"name": "one"}}
    assert store.get("a/2") is None
    assert store.path.read_text() == before


def test_a_world_is_the_same_after_it_was_closed_and_opened(tmp_path: Path) -> None:
    first = Store(tmp_path / "w.json", seed="s")
    with first.transaction():
        first.put("a/1", {"body": {"n": 1}})
        first.mint("urn")
    first.log({"method": "create"})
    first.close()
    second = Store(tmp_path / "w.json")
    try:
        assert second.get("a/1") == {"body": {"n": 1}}
        with second.transaction():
            again = second.mint("urn")("id")
        assert [call["n"] for call in read_calls(second.path)] == [1]
        second.log({"method": "delete"})
        assert [call["n"] for call in read_calls(second.path)] == [1, 2]
    finally:
        second.close()
    third = Store(tmp_path / "other.json", seed="s")
    try:
        with third.transaction():
            one, two = third.mint("urn")("id"), third.mint("urn")("id")
        assert one != two
        assert two == again
    finally:
        third.close()


def test_a_file_that_someone_replaced_is_read_again(store: Store) -> None:
    with store.transaction():
        store.put("a/1", {"body": {"n": 1}})
    data = json.loads(store.path.read_text())
    data["objects"]["a/1"]["body"]["n"] = 2
    other = store.path.with_name("other")
    other.write_text(json.dumps(data))
    other.replace(store.path)
    with store.transaction():
        assert store.get("a/1") == {"body": {"n": 2}}


def test_a_file_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text("{}")
    with pytest.raises(StoreError, match="not a file of the simulated clouds"):
        Store(path)
    assert path.read_text() == "{}"


def test_a_second_user_of_the_file_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatehouse.simulation.store._LOCK_SECONDS", 0.0)
    with pytest.raises(StoreError, match="used by another run"):
        Store(store.path)


def test_a_secret_is_sealed_and_comes_back_only_to_who_knows_it(store: Store) -> None:
    sealed = store.seal({"key": "hush", "name": "n"}, [("key",)])
    assert "hush" not in json.dumps(sealed)
    assert store.unseal(sealed, {"key": Secret("hush")}) == {"key": Secret("hush"), "name": "n"}
    assert store.unseal(sealed, {"key": Secret("other")})["key"].value.startswith("sealed-")


def test_a_line_cut_short_in_the_log_is_passed_over(store: Store) -> None:
    store.log({"method": "create"})
    with store.log_path.open("a") as log:
        log.write('{"n": 2, "met')
    assert [call["method"] for call in read_calls(store.path)] == ["create"]


def test_a_world_that_another_run_begins_anew_meanwhile_is_read_as_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Somebody who looks first whether the files are there finds them gone when they are opened.
    monkeypatch.setattr(Path, "exists", lambda *_, **__: True)
    assert read_calls(tmp_path / "clouds.json") == []
    assert tamper.objects(tmp_path / "clouds.json") == {}
