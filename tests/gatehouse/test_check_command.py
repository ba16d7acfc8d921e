"""`gatehouse check` and `gatehouse schema`, as a user meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gatehouse.cli import main
from tests.config.test_reading import HEAD, WEB

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    return tmp_path


def run(project: Path, *arguments: str) -> int:
    return main(["-C", str(project), "check", *arguments])


def test_the_shipped_stacks_are_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ROOT) == 0
    assert capsys.readouterr().out == "alfred: 14 services, no problem\noctavo: 2 services, no problem\n"


def test_findings_end_with_1_and_fit_80_columns(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Pulumi.pi.yaml").write_text(HEAD + WEB + "      host: a.b.c.other.org/x\n      funnel_port: 443\n")
    assert run(project) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "Pulumi.pi.yaml:15:7: error [host-outside-zone]" in lines
    assert lines[-1] == "3 errors."
    assert max(map(len, lines)) <= 80
    assert not any("\033" in line for line in lines)


def test_warnings_alone_end_with_0(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = HEAD + WEB + "      acknowledge: {media-through-tunnel: there was a reason once}\n"
    (project / "Pulumi.pi.yaml").write_text(text)
    assert run(project) == 0
    assert "warning [acknowledgement-unused]" in capsys.readouterr().out


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_and_never_with_no_color(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    no_colour: str,
    coloured: bool,
) -> None:
    (project / "Pulumi.pi.yaml").write_text(HEAD + WEB + "      host: web.other.org\n")
    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert run(project) == 1
    assert ("\033[31;1merror\033[0m" in capsys.readouterr().out) is coloured


def test_json_is_for_programs_and_the_same_each_time(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Pulumi.pi.yaml").write_text(HEAD + WEB + "      host: web.other.org\n      funnel_port: 443\n")
    assert run(project, "--json") == 1
    first = capsys.readouterr().out
    assert run(project, "--json") == 1
    assert capsys.readouterr().out == first
    document = json.loads(first)
    assert document["stacks"] == ["pi"]
    assert [(f["rule"], f["path"], f["line"]) for f in document["findings"]] == [
        ("host-outside-zone", "services.web.host", 15),
        ("no-effect", "services.web.funnel_port", 16),
    ]


def test_json_of_a_clean_stack_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ROOT, "--stack", "alfred", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"findings": [], "stacks": ["alfred"]}


def test_a_stack_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ROOT, "--stack", "alfed") == 2
    message = capsys.readouterr().err
    assert "alfred, octavo" in message
    assert "did you mean 'alfred'?" in message


def test_a_project_without_a_stack_file_is_wrong_usage(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project) == 2
    assert "no stack file" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_a_message(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Pulumi.pi.yaml").write_bytes(b"\xff\xfe\x00")
    assert run(project) == 1
    assert "not UTF-8 text" in capsys.readouterr().out


def test_the_schema_is_printed_and_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(project), "schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["title"] == "Gatehouse stack file"
    assert main(["-C", str(project), "schema", "--write"]) == 0
    assert (project / "schema" / "stack.schema.json").read_text() == printed
    shutil.rmtree(project / "schema")
    (project / "schema").write_text("in the way")
    capsys.readouterr()
    assert main(["-C", str(project), "schema", "--write"]) == 1
    assert "cannot be written" in capsys.readouterr().err
