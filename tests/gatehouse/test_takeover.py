"""A run that failed while the account was out of reach: what it made is found by the next one, and by nobody else's."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.loader import parse_stack_text
from gatehouse.adopt.things import AccountError, Thing
from gatehouse.engine.takeover import TakeOver
from gatehouse.engine.tree import Step
from tests.kit.builders import stack_text

URN = "urn:pulumi:alfred::gatehouse::gatehouse:index:ZeroTrustApp$cloudflare:index/dnsRecord:DnsRecord::grafana-dns"
INPUTS = {"name": "grafana.example.com", "type": "CNAME", "content": "t.cfargotunnel.com"}
FAILED = [Step("create", URN, failed=True, inputs=INPUTS)]


class Workspace:
    """A state that holds nothing."""

    def __init__(self) -> None:
        self.put: list[Any] = []

    def state(self, stack: str) -> dict[str, Any]:
        return {"version": 3, "deployment": {"resources": []}}

    def put_state(self, stack: str, exported: Any) -> None:
        self.put.append(exported)


def run(tmp_path: Path, said: list[str]) -> TakeOver:
    return TakeOver(tmp_path, parse_stack_text(stack_text({}), "alfred"), said.append, simulated=False)


def account(monkeypatch: pytest.MonkeyPatch, *things: Thing) -> None:
    monkeypatch.setattr(TakeOver, "_things", lambda self, workspace, operations: list(things))


def record(made: float, **more: Any) -> Thing:
    at = datetime.fromtimestamp(made, UTC).isoformat()
    return Thing("DnsRecord", "zone/r1", {**INPUTS, "createdOn": at, **more}, "")


@pytest.fixture
def lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose last run could not ask what became of a record."""

    def out_of_reach(*_: object) -> list[Thing]:
        raise AccountError("Cloudflare could not be asked")

    monkeypatch.setattr(TakeOver, "_things", out_of_reach)
    said: list[str] = []
    assert not run(tmp_path, said).made_all_the_same(Workspace(), FAILED)  # type: ignore[arg-type]
    assert said == []
    return tmp_path


def test_the_next_run_asks_again_and_takes_it_over(lost: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account(monkeypatch, record(time.time()))
    said: list[str] = []
    later, workspace = run(lost, said), Workspace()
    later.look(workspace, "up")  # type: ignore[arg-type]
    assert later.ids == {"DnsRecord/grafana-dns": "zone/r1"}
    assert said == ["DnsRecord/grafana-dns was made all the same, and its answer was lost: it is taken over."]
    later.close(workspace, success=True)  # type: ignore[arg-type]
    # Once is enough: afterwards nothing is looked for.
    after = run(lost, said)
    after.look(workspace, "up")  # type: ignore[arg-type]
    assert after.ids == {}


@pytest.mark.parametrize("thing", [record(time.time() - 3600), record(time.time(), content="elsewhere.example.com")])
def test_what_is_older_or_other_is_somebodys(lost: Path, monkeypatch: pytest.MonkeyPatch, thing: Thing) -> None:
    account(monkeypatch, thing)
    later = run(lost, [])
    later.look(Workspace(), "up")  # type: ignore[arg-type]
    assert later.ids == {}


def test_a_run_that_fails_again_keeps_the_note_and_other_commands_pass_it_by(
    lost: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account(monkeypatch, record(time.time()))
    for command in ("preview", "refresh", "destroy"):
        other = run(lost, [])
        other.look(Workspace(), command)  # type: ignore[arg-type]
        assert other.ids == {}
    run(lost, []).close(Workspace(), success=False)  # type: ignore[arg-type]
    later = run(lost, [])
    later.look(Workspace(), "up")  # type: ignore[arg-type]
    assert later.ids


def test_a_note_that_is_no_note_is_none(lost: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account(monkeypatch, record(time.time()))
    [note] = (lost / ".gatehouse").glob("unheard-of-*")
    assert json.loads(note.read_text())["creating"] == [{"urn": URN, "inputs": INPUTS}]
    note.write_text("[]")
    later = run(lost, [])
    later.look(Workspace(), "up")  # type: ignore[arg-type]
    assert later.ids == {}
