"""The whole life of a stack of every simulated type, by the real engine and the real SDKs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gatehouse.engine.acquire import Engine
from tests.simulation.calls import read_calls
from tests.simulation.life import SECRETS, SERVICES

pytestmark = pytest.mark.engine


def run(engine: Engine, folder: Path, *arguments: str) -> list[Any]:
    """Runs the steps with the engine; gives the line of each."""
    (folder / "bin").mkdir()
    (folder / "bin" / "pulumi").symlink_to(engine.path)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.life", str(folder), *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def position(calls: list[dict[str, Any]], method: str, name: str) -> int:
    """Where in the log the one such call is."""
    [found] = [call["n"] for call in calls if (call["method"], call["name"]) == (method, name)]
    return int(found)


def test_the_whole_life_of_a_stack_goes_as_on_real_clouds(engine: Engine, tmp_path: Path) -> None:
    first, up, again, seen, change, changed, seen_again, last, gone = run(
        engine,
        tmp_path,
        "program",
        *("preview", "up", "up", "refresh", "changed=true", "preview", "up", "refresh", "up", "destroy"),
    )
    total = first["counts"]["create"]
    assert total > 30
    assert up["counts"] == {"create": total}
    for step in (again, seen, seen_again, last):
        assert step["counts"] == {"same": total}
    assert change["counts"] == changed["counts"] == {"update": 4, "replace": 1, "same": total - 5}
    assert changed["outputs"]["aud"] == up["outputs"]["aud"]
    assert gone["counts"] == {"delete": total}

    # Whatever is kept, history and backups too, holds no secret in clear.
    texts = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.suffix in (".json", ".jsonl")]
    assert any("grafana" in text for text in texts)
    for secret in (*SECRETS.values(), "tskey-"):
        assert not any(secret in text for text in texts)

    calls = read_calls(tmp_path / "clouds.json")
    assert {call["outcome"] for call in calls} == {"ok"}
    made = [call for call in calls if not call["preview"]]
    for name in SERVICES:
        app, rules, record = (position(made, "create", one) for one in (f"{name}-app", "rules", f"{name}-dns"))
        assert app < rules < record
        app, record = (position(made, "delete", one) for one in (f"{name}-app", f"{name}-dns"))
        assert record < app
    assert position(made, "delete", "connector") < position(made, "delete", "tunnel")


def test_what_a_cloud_refuses_is_told_and_the_next_run_goes_on(engine: Engine, tmp_path: Path) -> None:
    bad, good = run(engine, tmp_path, "refused", "up", "two=b", "up")
    assert "81058" in bad["error"]
    assert good["counts"] == {"create": 1, "same": 4}


def test_a_state_that_the_plugin_did_not_write_is_refused(engine: Engine, tmp_path: Path) -> None:
    made, lost = run(engine, tmp_path, "refused", "two=b", "up", "forget", "refresh")
    assert made["counts"] == {"create": 5}
    assert 'unsupported attribute "account"' in lost["error"]
