"""What the engine reads from a stack file, against what is judged."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gatehouse.engine.acquire import Engine
from tests.config.test_reading import HEAD, ODD, PULUMI, TIMES

pytestmark = pytest.mark.engine


class Folder:
    """A project of the engine's alone, with a backend beside it."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path, self.engine = path, engine
        (path / "state").mkdir()
        (path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
        self.run("stack", "init", "pi")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        quiet = {
            "PULUMI_CONFIG_PASSPHRASE": "x",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_HOME": str(self.path / "home"),
        }
        backend = {"PULUMI_BACKEND_URL": f"file://{self.path / 'state'}"}
        return subprocess.run(
            [str(self.engine.path), "--non-interactive", *arguments],
            cwd=self.path,
            env={**os.environ, **quiet, **backend},
            capture_output=True,
            text=True,
            check=False,
        )

    def read(self, words: list[str]) -> list[Any]:
        """What the engine makes of plain words."""
        lines = "".join(f"    k{n}: {word}\n" for n, word in enumerate(words))
        (self.path / "Pulumi.pi.yaml").write_text(f"config:\n  gatehouse:x:\n{lines}")
        told = self.run("config", "get", "gatehouse:x", "--stack", "pi")
        values = json.loads(told.stdout)
        return [values[f"k{n}"] for n in range(len(words))]


@pytest.fixture
def folder(tmp_path: Path, engine: Engine) -> Folder:
    return Folder(tmp_path, engine)


def test_the_engine_reads_words_as_the_tests_of_reading_say(folder: Folder) -> None:
    table = {**PULUMI, **ODD}
    assert folder.read(list(table)) == list(table.values())
    assert all(told.endswith("+0000 UTC") for told in folder.read(list(TIMES)))


def test_the_engine_refuses_a_file_with_an_endless_number(folder: Folder) -> None:
    (folder.path / "Pulumi.pi.yaml").write_text("config:\n  gatehouse:x: {a: .inf}\n")
    assert folder.run("config", "get", "gatehouse:x", "--stack", "pi").returncode != 0


def test_the_engine_reads_the_ending_of_its_project_file_alone(folder: Folder) -> None:
    (folder.path / "Pulumi.pi.yml").write_text(HEAD)
    assert folder.run("config", "get", "gatehouse:node", "--stack", "pi").returncode != 0
    (folder.path / "Pulumi.pi.yml").rename(folder.path / "Pulumi.pi.yaml")
    assert "203.0.113.7" in folder.run("config", "get", "gatehouse:node", "--stack", "pi").stdout
