"""A service token's end is said thirty days before, by the date in the state, by `check`, `todo` and `token`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from config import clock
from gatehouse.cli import main
from gatehouse.token_ends import ending
from tests.kit.builders import ESTATE, HTML, NODE, stack_text

TOKENS = {"phone": {"holder": "the phone of Ada"}, "ci": {"duration": "720h"}, "kept": {"duration": "forever"}}
ENDS = {"phone": "2026-12-24T18:00:00Z", "ci": "2027-06-01T00:00:00Z", "gone": "2026-12-01T00:00:00Z"}
HERE = (".gatehouse/simulated/state/.pulumi", ".pulumi")


def state(project: Path, folder: str, ends: Mapping[str, str], stack: str = "alfred") -> None:
    """A checkpoint as the engine writes it, where the secret alone is encrypted."""
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}
    tokens = {n: {"client_id": f"{n}.access", "client_secret": secret, "expires_at": e} for n, e in ends.items()}
    root = {"type": "pulumi:pulumi:Stack", "outputs": {"service_tokens": tokens}}
    path = project / folder / "stacks" / "gatehouse" / f"{stack}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 3, "checkpoint": {"latest": {"resources": [root]}}}))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text(
        "name: gatehouse\nruntime: python\nbackend: {url: 'file://.?metadata=skip'}\n"
    )
    (tmp_path / "Pulumi.alfred.yaml").write_text(
        stack_text({"wiki": {**HTML, "tokens": ["phone", "ci", "kept"]}}, estate={**ESTATE, "tokens": TOKENS})
    )
    at(monkeypatch, "2026-12-21")
    return tmp_path


def at(monkeypatch: pytest.MonkeyPatch, day: str) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC))


def run(project: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["-C", str(project), *words])
    return code, " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("real", [False, True])
def test_it_is_said_by_all_three_from_a_state_of_this_machine(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], real: bool
) -> None:
    if real:
        # Values that are encrypted say that the stack is one of the real clouds.
        with (project / "Pulumi.alfred.yaml").open("a") as file:
            file.write("  gatehouse:tunnel_secret: {secure: v1:abc}\n")
    state(project, HERE[real], ENDS)
    state(project, HERE[not real], dict.fromkeys(ENDS, "2030-01-01T00:00:00Z"))
    said = "this service token ends on 2026-12-24, in 3 days: the phone of Ada is kept out from then on"
    fix = "write `duration: 8761h`, and run `gatehouse up --stack alfred`"
    code, text = run(project, capsys, "check")
    assert (code, text.count("[token-ends]")) == (0, 1)
    assert "at: estate.tokens.phone why:" in text
    assert said in text
    assert fix in text
    code, text = run(project, capsys, "todo")
    assert code == 0
    assert f"1. Renew service token phone - T{said[1:]}. - Renew it: {fix}" in text
    code, text = run(project, capsys, "token")
    assert code == 1
    assert "phone 8760h 2026-12-24 the phone of Ada ci 720h 2027-06-01 kept forever - phone: this" in text

    at(monkeypatch, "2027-02-01")
    assert "ended on 2026-12-24, 39 days ago" in run(project, capsys, "check")[1]
    at(monkeypatch, "2026-11-24")
    assert run(project, capsys, "token")[0] == 0
    assert "token-ends" not in run(project, capsys, "check")[1]
    assert "Renew service token" not in run(project, capsys, "todo")[1]


def test_without_a_state_nothing_is_said_and_nothing_fails(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, capsys, "check") == (0, "alfred: 1 service, no problem")
    assert run(project, capsys, "token") == (0, "phone 8760h - the phone of Ada ci 720h - kept forever -")


@pytest.mark.parametrize("end", ["soon", None, 3])
def test_a_date_that_is_none_is_left_out(project: Path, capsys: pytest.CaptureFixture[str], end: Any) -> None:
    state(project, HERE[0], {"phone": end})
    assert run(project, capsys, "token")[0] == 0


def test_the_drift_workflow_gives_the_outputs_and_fails_by_them(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # As `pulumi stack output --json` prints them.
    tokens = {"phone": {"client_id": "a.access", "client_secret": "[secret]", "expires_at": ENDS["phone"]}}
    (project / "outputs.json").write_text(json.dumps({"service_tokens": tokens}))
    given = ("--outputs", str(project / "outputs.json"))
    code, text = run(project, capsys, "token", "--stack", "alfred", *given)
    assert code == 1
    assert "in 3 days" in text
    # A member's stack has none of its own: the workflow asks of each stack.
    (project / "Pulumi.nuc.yaml").write_text(
        stack_text({}, estate=None, member_of="alfred", node={**NODE, "name": "nuc", "lan_ipv4": "192.168.0.10"})
    )
    (project / "outputs.json").write_text("{}")
    code, text = run(project, capsys, "token", "--stack", "nuc", *given)
    assert code == 0
    assert "nuc has no service tokens of its own" in text


NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (NOW + timedelta(days=30, seconds=1), ""),
        (NOW + timedelta(days=30), "ends on 2026-12-29, in 30 days"),
        (datetime(2026, 11, 30, 0, 1, tzinfo=UTC), "ends on 2026-11-30, in 1 day"),
        (NOW + timedelta(hours=1), "ends on 2026-11-29, today"),
        (NOW - timedelta(hours=1), "ended on 2026-11-29, today"),
        (NOW - timedelta(days=400), "ended on 2025-10-25, 400 days ago"),
        # Half past midnight in Berlin is the day before in UTC.
        (datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), "ends on 2026-11-30, in 1 day"),
    ],
)
def test_an_end_is_said_thirty_days_before_and_ever_after(until: datetime, said: str) -> None:
    assert ending(until, NOW) == said


def test_a_held_clock_holds_the_day_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock.now().tzinfo is UTC
    at(monkeypatch, "2026-12-21")
    assert str(clock.today()) == "2026-12-21"
