"""The command line as a process, and its frame."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gatehouse.cli import COMMANDS, main, whole_parser
from tests.kit.builders import NODE, stack_text

ROOT = Path(__file__).parents[2]


def gatehouse(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gatehouse.cli", *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "GATEHOUSE_ENGINE": "none"},
        capture_output=True,
        text=True,
    )


def test_help_lists_every_command_and_is_there_at_once() -> None:
    before = os.times()
    answer = gatehouse("--help")
    after = os.times()
    assert answer.returncode == 0
    assert [name for name in COMMANDS if f"\n    {name}" not in answer.stdout] == []
    # 0.03 s of processor; a heavy import would take ten times that.
    assert after.children_user + after.children_system - before.children_user - before.children_system < 0.3


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"gatehouse {name}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nonsense"], ["plan", "--nonsense"], ["-C"]])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: gatehouse" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_an_argument_that_is_no_text_is_wrong_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    # As Python gives what a terminal sends that is not UTF-8.
    assert main([name, "--stack", "a\udcff"]) == 2
    assert "a\\udcff: this argument is not text in UTF-8" in capsys.readouterr().err


def test_a_folder_whose_name_is_no_text_is_worked_in(tmp_path: Path) -> None:
    folder = Path(f"{tmp_path}/a\udcff")
    folder.mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    answer = gatehouse("-C", str(folder), "check")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "a\\udcff yet" in answer.stderr
    shutil.copy(ROOT / "Pulumi.alfred.yaml", folder)
    assert gatehouse("-C", str(folder), "check").stdout == "alfred: 14 services, no problem\n"


def test_a_terminal_that_knows_few_characters_gets_them_escaped(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    head = (ROOT / "Pulumi.alfred.yaml").read_text(encoding="utf-8").partition("  gatehouse:services:")[0]
    (tmp_path / "Pulumi.pi.yaml").write_text(f"{head}  gatehouse:é: 5\n", encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-m", "gatehouse.cli", "-C", str(tmp_path), "check"],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 1
    assert "\\xe9" in answer.stdout
    assert answer.stderr == ""


def test_no_command_is_wrong_usage_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().out


def test_a_stack_that_is_not_there_is_answered_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\n")
    (tmp_path / "Pulumi.one.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.two.yml").write_text("config: {}\n")
    for command in ("plan", "preview", "destroy"):
        assert main(["-C", str(tmp_path), command, "--stack", "three"]) == 2
        assert "the stacks here are: one, two" in capsys.readouterr().err


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A project with an owner and a member."""
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\n")
    for stack, text in (
        ("pi", stack_text({})),
        (
            "nuc",
            stack_text(
                {},
                member_of="organization/gatehouse/pi",
                node={**NODE, "name": "nuc", "context": "nuc", "lan_ipv4": "192.168.0.9"},
            ),
        ),
    ):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(text.replace("name: alfred", f"name: {stack}"))
    return tmp_path


def test_without_a_stack_it_is_the_only_one_that_owns_an_estate(
    several: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-C", str(several), "todo"]) == 0
    said = capsys.readouterr().out
    assert main(["-C", str(several), "todo", "pi"]) == 0
    assert said == capsys.readouterr().out
    (several / "Pulumi.pi.yaml").unlink()
    # A member alone is the only stack there is; that it has no owner here is for the check to say.
    assert main(["-C", str(several), "todo"]) == 1
    assert "Pulumi.nuc.yaml" in capsys.readouterr().err


def test_with_two_owners_the_stacks_are_named_and_one_is_to_be_chosen(
    several: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (several / "Pulumi.attic.yaml").write_text("config: {}\n")
    needing = [name for name, command in _commands().items() if command.get_default("needs_stack")]
    assert {"up", "todo", "verify", "rotate"} <= set(needing)
    for name in needing:
        assert main(["-C", str(several), name, *(["tunnel-token"] if name == "rotate" else [])]) == 2
        said = capsys.readouterr().err
        assert "Which stack? The stacks here are: attic, nuc, pi. Name one, such as --stack attic" in said


def test_a_stack_is_typed_with_or_without_its_option(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["explain", "nuc"], ["explain", "--stack", "nuc"], ["explain", "nuc", "--stack", "nuc"]):
        assert main(["-C", str(several), *words]) == 0
        assert capsys.readouterr().out.startswith("Who reaches what (nuc):")
    assert main(["-C", str(several), "check", "nuc", "--stack", "pi"]) == 2
    assert "name one" in capsys.readouterr().err
    assert main(["-C", str(several), "check", "nobody"]) == 2
    assert "nuc, pi" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_an_argument_is_taken_before_between_and_after_the_options_of_every_command(name: str) -> None:
    command = _commands()[name]
    positional = [a for a in command._actions if not a.option_strings]
    if any(a.nargs == argparse.REMAINDER for a in positional):
        # All of it is the engine's: an option after its command is so too.
        assert name == "pulumi"
        assert command.parse_args(["stack", "--simulated"]).words == ["stack", "--simulated"]
        return
    words = [next(iter(a.choices)) if a.choices else f"a{number}" for number, a in enumerate(positional)]
    flags = [a for a in command._actions if a.option_strings and a.nargs == 0 and a.dest not in ("help", "version")]
    named = [a for a in command._actions if a.option_strings and a.nargs is None and not a.choices and not a.type]
    options = [[flag.option_strings[0]] for flag in flags[:1]] + [[one.option_strings[0], "v"] for one in named[:1]]
    assert options or not words or name == "completion"
    for option in options:
        read = {
            str(sorted(vars(command.parse_args([*words[:at], *option, *words[at:]])).items(), key=str))
            for at in range(len(words) + 1)
        }
        assert len(read) == 1, option
        [one] = read
        assert all(word in one for word in [*words, *option[1:]])


def test_no_name_of_a_stack_is_built_in() -> None:
    # Examples in help name the shipped stacks; nothing that runs does.
    assert [name for name, c in _commands().items() if c.get_default("stack") is not None] == []
    assert "alfred" not in (ROOT / "Makefile").read_text()


def _commands() -> Mapping[str, argparse.ArgumentParser]:
    actions = whole_parser()._actions
    return next(a.choices for a in actions if isinstance(a, argparse._SubParsersAction))


def test_a_folder_without_a_project_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(tmp_path), "plan"]) == 2
    assert "There is no Pulumi.yaml" in capsys.readouterr().err
    assert main(["-C", str(tmp_path / "nowhere"), "plan"]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_a_command_works_from_a_folder_inside_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\n")
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    assert main(["plan", "--stack", "x"]) == 2
    assert str(tmp_path / "Pulumi.x.yaml") in capsys.readouterr().err


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\n")
    (tmp_path / "Pulumi.alfred.yaml").write_text("config:\n  - [\n")
    return tmp_path


def test_a_broken_stack_file_is_a_message_and_no_traceback(broken: Path) -> None:
    answer = gatehouse("-C", str(broken), "up")
    assert answer.returncode == 1, answer
    assert "Pulumi.alfred.yaml" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("command", ["plan", "preview", "up"])
def test_every_command_that_reads_a_broken_stack_file_answers_so(
    command: str, broken: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEHOUSE_ENGINE", "none")
    # What it does not answer, it raises here.
    assert main(["-C", str(broken), command]) == 1
    said = capsys.readouterr().err
    assert "Pulumi.alfred.yaml" in said
    assert "Traceback" not in said


def test_without_an_engine_up_says_why_there_is_none() -> None:
    answer = gatehouse("up")
    assert answer.returncode == 1
    assert "up needs the Pulumi engine" in answer.stderr
    assert "GATEHOUSE_ENGINE=none" in answer.stderr


def test_without_an_engine_a_preview_is_the_offline_plan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEHOUSE_ENGINE", "none")
    assert main(["-C", str(ROOT), "preview"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Engine: none, this is the offline plan. Clouds: none.\n")
    assert "cloudflare:ZeroTrustTunnelCloudflared" in printed
    assert "to create" in printed
