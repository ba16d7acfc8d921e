"""Running the project's program in the engine's process: what is imported before it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatehouse.engine import program
from gatehouse.engine import run as engine_run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "__main__.py").write_text("import os\n\nfrom components.zone import Zone\n")
    (tmp_path / "needed_by_it.py").write_text("HERE = True\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(program, "_NEEDED", ("needed_by_it",))
    yield tmp_path
    sys.modules.pop("needed_by_it", None)


def test_what_the_program_needs_is_imported_from_its_own_folder(project: Path) -> None:
    program.load_meanwhile(project).join()
    assert sys.modules["needed_by_it"].__file__ == str(project / "needed_by_it.py")


def test_for_a_program_of_another_kind_nothing_is_imported(project: Path) -> None:
    (project / "__main__.py").write_text("import pulumi_cloudflare  # and no components of ours\n")
    program.load_meanwhile(project).join()
    assert "needed_by_it" not in sys.modules


@pytest.mark.parametrize("wrong", ["raise SystemError('half way')", "def"])
def test_what_cannot_be_imported_is_left_to_the_program(
    project: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "needed_by_it.py").write_text(wrong + "\n")
    program.load_meanwhile(project).join()
    assert "needed_by_it" not in sys.modules
    assert capsys.readouterr() == ("", "")


def test_without_a_program_nothing_is_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "__main__.py").unlink()
    program.load_meanwhile(project).join()
    assert capsys.readouterr() == ("", "")


def test_the_program_begins_when_the_import_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    # Before that it could meet modules that are half there.
    order: list[str] = []
    loading = threading.Thread(target=lambda: None)
    monkeypatch.setattr(loading, "join", lambda: order.append("imported"))
    monkeypatch.setattr(engine_run, "run_program", lambda project: order.append("begun"))
    run = object.__new__(engine_run._Run)
    run.project, run.options, run.loading = Path(), engine_run.Options(debug=True), loading
    run.take_over = None
    run._program()
    assert order == ["imported", "begun"]
