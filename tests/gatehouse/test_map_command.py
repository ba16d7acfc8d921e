"""`gatehouse map`: formats, files, exit codes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gatehouse.cli import main
from tests.exposure.map import kit
from tests.kit import builders

KEPT = {"Pulumi.yaml", "Pulumi.alfred.yaml"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.alfred.yaml").write_text(builders.stack_text(kit.SERVICES))
    return tmp_path


def run(project: Path, *arguments: str) -> int:
    return main(["-C", str(project), "map", *arguments])


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("map.html", "<!doctype html>"),
        ("map.svg", "<svg "),
        ("map.md", "### Who"),
        ("map.MMD", "flowchart LR"),
        ("map.txt", "Who reaches what: alfred\n"),
    ],
)
def test_the_files_ending_says_the_format(
    project: Path, name: str, begins: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = project / name
    assert run(project, "--out", str(target)) == 0
    assert target.read_text(encoding="utf-8").startswith(begins)
    assert capsys.readouterr().out.startswith(f"{target}: 7 services at 8 places, ")
    assert {p.name for p in project.iterdir()} == {*KEPT, name}


@pytest.mark.parametrize("name", ["map", "map.png", "map.html.bak"])
def test_an_ending_that_names_no_form_is_refused(project: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "--out", str(project / name)) == 2
    assert ".html, .htm, .svg" in capsys.readouterr().err
    assert {p.name for p in project.iterdir()} == KEPT
    assert run(project, "--out", str(project / name), "--format", "svg") == 0


def test_without_a_stack_it_is_of_all_of_them(project: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    node = {**builders.NODE, "name": "octavo", "lan_ipv4": "192.168.0.8", "context": "octavo"}
    services = {"wiki": kit.at("wiki", builders.HTML)}
    (project / "Pulumi.octavo.yaml").write_text(builders.stack_text(services, member_of="alfred", node=node))

    def printed(*arguments: str) -> str:
        assert run(project, "--format", "text", *arguments) == 0
        return capsysbinary.readouterr().out.decode()

    whole = printed()
    assert whole.startswith("Who reaches what: alfred, octavo\n")
    assert "https://wiki-octavo.example.com/" in whole
    assert "https://grafana-alfred.example.com/api" in whole
    assert "grafana" not in printed("--stack", "octavo")


def test_the_format_asked_for_comes_before_the_ending(project: Path) -> None:
    assert run(project, "--out", str(project / "map.html"), "--format", "markdown") == 0
    assert (project / "map.html").read_text(encoding="utf-8").startswith("### Who")


@pytest.mark.parametrize(
    ("form", "begins"),
    [("html", "<!doctype html>"), ("svg", "<svg "), ("markdown", "### Who"), ("mermaid", "flowchart LR")],
)
def test_without_a_file_it_is_printed(
    project: Path, form: str, begins: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(project, "--format", form) == 0
    out = capsysbinary.readouterr().out.decode()
    assert out.startswith(begins)
    assert out.endswith("\n")


def test_a_page_is_not_thrown_at_a_terminal(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run(project) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--out map.html" in captured.err


def test_an_unknown_stack_is_answered_with_those_there_are(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "--stack", "alfrd", "--format", "markdown") == 2
    assert "did you mean 'alfred'" in capsys.readouterr().err


def test_findings_are_said_and_nothing_is_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Pulumi.alfred.yaml").write_text(
        builders.stack_text({"web": {**builders.HTML, "host": "web.elsewhere.org"}})
    )
    assert run(project, "--out", str(project / "map.html")) == 1
    assert "host-outside-zone" in capsys.readouterr().err
    assert {p.name for p in project.iterdir()} == KEPT


@pytest.mark.parametrize("name", ["missing/map.html", "folder.html"])
def test_a_file_that_cannot_be_written_is_said_without_a_traceback(
    project: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "folder.html").mkdir()
    assert run(project, "--out", str(project / name)) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"gatehouse: --out {project / name}: ")
    assert "Traceback" not in err
    assert {p.name for p in project.iterdir()} == {*KEPT, "folder.html"}


def test_an_old_map_is_replaced_whole_with_the_rights_of_any_file(project: Path) -> None:
    target = project / "map.html"
    target.write_text("old" * 100_000)
    before = os.umask(0o022)
    try:
        assert run(project, "--out", str(target)) == 0
    finally:
        os.umask(before)
    assert target.read_text(encoding="utf-8").endswith("</html>\n")
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
