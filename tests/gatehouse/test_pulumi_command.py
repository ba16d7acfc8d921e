"""`gatehouse pulumi`: the engine's own commands, by whichever engine Gatehouse has."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatehouse.cli import main


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    engine = tmp_path / "engine"
    engine.write_text(
        '#!/bin/sh\n[ "$1" = version ] && echo v3.300.0 && exit 0\n'
        'echo "in $(basename "$PWD"), backend ${PULUMI_BACKEND_URL:-its own}: $*"\nexit 7\n'
    )
    engine.chmod(0o755)
    monkeypatch.setenv("GATEHOUSE_ENGINE", str(engine))
    return tmp_path


def pulumi(project: Path, *words: str) -> int:
    return main(["-C", str(project), "pulumi", *words])


def test_the_words_go_to_the_engine_in_the_project_and_its_exit_code_comes_back(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert pulumi(project, "stack", "output", "--json", "--stack", "alfred") == 7
    assert capfd.readouterr().out == f"in {project.name}, backend its own: stack output --json --stack alfred\n"


@pytest.mark.parametrize("command", ["preview", "up", "refresh", "destroy"])
def test_what_gatehouse_does_itself_is_not_passed_on(
    project: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pulumi(project, command, "--stack", "alfred") == 2
    assert f"Run: gatehouse {command}" in capsys.readouterr().err


def test_without_words_or_without_an_engine_it_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pulumi(project) == 2
    assert "gatehouse pulumi stack ls" in capsys.readouterr().err
    monkeypatch.setenv("GATEHOUSE_ENGINE", "none")
    assert pulumi(project, "stack", "ls") == 1
    assert "GATEHOUSE_ENGINE=none forbids it" in capsys.readouterr().err
