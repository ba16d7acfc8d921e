"""Every command's `--help`: an example that the command itself understands, in 80 columns, without colours."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from gatehouse.cli import COMMANDS, main, whole_parser
from gatehouse.examples import EXAMPLES, epilog

_LINE = re.compile(r"^  (.*\bgatehouse .*)$", re.MULTILINE)


def help_of(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def examples_in(text: str) -> list[list[str]]:
    """The arguments of each example: what stands after `gatehouse`, without the shell's redirection or comment."""
    section = re.split(r"^examples?:$", text, flags=re.MULTILINE)
    lines = _LINE.findall(section[1].split("\n\n")[0]) if len(section) > 1 else []
    found = []
    for line in lines:
        # A remark stands in a column of its own.
        typed = re.split(r" {2,}| > |\)\"", line)[0]
        words = shlex.split(typed.replace('eval "$(', ""))
        found.append(words[words.index("gatehouse") + 1 :])
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example_that_it_understands(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = examples_in(help_of(command, monkeypatch, capsys))
    assert examples, f"{command} has no example: gatehouse/examples.py"
    parser = whole_parser()
    for arguments in examples:
        assert parser.parse_args(arguments).command == command


def test_an_example_that_is_not_understood_is_seen() -> None:
    # The control of the test above.
    [arguments] = examples_in("example:\n  gatehouse check --stakc alfred\n\nmore\n  gatehouse nonsense")
    assert arguments == ["check", "--stakc", "alfred"]
    with pytest.raises(SystemExit):
        whole_parser().parse_args(arguments)


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_help_fits_80_columns_and_has_no_colours(
    command: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if command is None:
        monkeypatch.setenv("COLUMNS", "80")
        with pytest.raises(SystemExit):
            main(["--help"])
        text = capsys.readouterr().out
    else:
        text = help_of(command, monkeypatch, capsys)
    assert [line for line in text.splitlines() if len(line) > 80 and "gatehouse completion" not in line] == []
    assert "\033" not in text


def test_the_stacks_that_examples_name_are_shipped() -> None:
    named = {
        m for lines in EXAMPLES.values() for line in lines for m in re.findall(r"--(?:stack|member-of) (\S+)", line)
    }
    assert named
    root = Path(__file__).parents[2]
    assert [stack for stack in named if not (root / f"Pulumi.{stack}.yaml").is_file()] == []


def test_what_a_command_says_itself_comes_after_its_examples() -> None:
    assert epilog("schema", None) == "example:\n  gatehouse schema --write"
    assert epilog("schema", "exit code: 0") == "example:\n  gatehouse schema --write\n\nexit code: 0"
    assert epilog("schema", "examples:\n  gatehouse schema") == "examples:\n  gatehouse schema"
    assert epilog("unheard-of", None) is None


def test_only_the_wanted_commands_module_is_asked() -> None:
    # `--help` of all stays quick.
    actions = [a for a in whole_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    assert set(actions[0].choices) == set(COMMANDS)
