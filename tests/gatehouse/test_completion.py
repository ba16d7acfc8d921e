"""Shell completion, asked of the shells themselves where they are at hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gatehouse.cli import COMMANDS, main, whole_parser
from gatehouse.commands.completion import SHELLS, STACK_OPTIONS, script

_ASK_BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
function_name=$(complete -p gatehouse | sed -E 's/.*-F ([^ ]+) .*/\\1/')
"$function_name" gatehouse "${COMP_WORDS[$COMP_CWORD]}" "${COMP_WORDS[$COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Pulumi.yaml", "Pulumi.alfred.yaml", "Pulumi.octavo.yml", "Pulumi.with.dots.yaml"):
        (tmp_path / name).touch()
    return tmp_path


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = "/usr/bin:/bin:/usr/local/bin"
    return subprocess.run(
        command, cwd=folder, env={"PATH": path, "HOME": str(folder)}, capture_output=True, text=True, timeout=30
    )


def bash(folder: Path, *words: str) -> list[str]:
    (folder / "completion.bash").write_text(script(whole_parser(), "bash"))
    answer = run("bash", "-c", _ASK_BASH, "bash", "completion.bash", "gatehouse", *words, folder=folder)
    assert answer.stderr == ""
    return answer.stdout.split()


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"there is no {shell} on this machine")


@needs("bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("pol",), {"policy-test"}),
        (("",), set(COMMANDS)),
        (("check", "--stack", ""), {"alfred", "octavo", "with.dots"}),
        (("up", "--stack", "oc"), {"octavo"}),
        (("up", "oc"), {"octavo"}),
        (("new-stack", "nuc", "--member-of", "a"), {"alfred"}),
        (("diff", "--format", ""), {"text", "markdown", "json"}),
        (("completion", ""), set(SHELLS)),
        (("check", "--js"), {"--json"}),
        (("up", "--stack", "nowhere"), set()),
    ],
)
def test_bash_offers_commands_options_choices_and_stacks(
    folder: Path, words: tuple[str, ...], offered: set[str]
) -> None:
    assert set(bash(folder, *words)) == offered


STACK = """\
config:
  gatehouse:node: {name: pi, router_ipv4: 203.0.113.7}
  gatehouse:estate:
    zone:
      name: example.com  # ours
    people:
      family: [alice@example.com, bob@example.com]
      admins:
        - carol@example.com
  gatehouse:services:
    # not: this
    wiki:
      origin: {namespace: wiki, service: wiki, port: 80}
    shop:
      hosts: [shop.example.com, "www.example.com"]
      redirect_from: [old.example.com]
"""
PEOPLE = {"family", "admins", "alice@example.com", "bob@example.com", "carol@example.com"}
NAMES = {"wiki", "wiki-pi.example.com", "shop", "shop.example.com", "www.example.com", "old.example.com"}


@needs("bash")
@needs("awk")
def test_hosts_people_and_services_are_offered_from_the_files(folder: Path) -> None:
    (folder / "Pulumi.alfred.yaml").write_text(STACK)
    assert set(bash(folder, "who", "")) == NAMES | PEOPLE
    assert set(bash(folder, "who", "sh")) == {"shop", "shop.example.com"}
    assert set(bash(folder, "who", "wiki", "--as", "")) == PEOPLE | {"anyone", "lan", "member"}


@needs("fish")
def test_fish_offers_the_same(folder: Path) -> None:
    (folder / "completion.fish").write_text(script(whole_parser(), "fish"))

    def offered(line: str) -> set[str]:
        answer = run("fish", "-c", f"source completion.fish; complete -C {line!r}", folder=folder)
        assert answer.stderr == ""
        return {row.split("\t")[0] for row in answer.stdout.splitlines()}

    assert offered("gatehouse check --stack ") == {"alfred", "octavo", "with.dots"}
    assert offered("gatehouse pol") == {"policy-test"}
    assert offered("gatehouse diff --format ") == {"text", "markdown", "json"}


@needs("zsh")
def test_zsh_takes_the_script_and_reads_the_stacks(folder: Path) -> None:
    text = script(whole_parser(), "zsh")
    (folder / "_gatehouse").write_text(text)
    assert run("zsh", "-n", "_gatehouse", folder=folder).stderr == ""
    function = re.search(r"^_gatehouse_stacks\(\) \{.*?^\}", text, re.MULTILINE | re.DOTALL)
    assert function
    program = f"compadd() {{ print -l $stacks }}\n{function[0]}\n_gatehouse_stacks"
    answer = run("zsh", "-f", "-c", program, folder=folder)
    assert (answer.stderr, answer.stdout.split()) == ("", ["alfred", "octavo", "with.dots"])


@pytest.mark.parametrize("shell", SHELLS)
def test_every_option_that_names_a_stack_is_completed_from_the_files(shell: str) -> None:
    text = script(whole_parser(), shell)
    known = len([name for name in COMMANDS if f"gatehouse {name}".split()[1] in text])
    assert known == len(COMMANDS)
    assert len(re.findall(r"(?:_gatehouse_stacks\"?|__gatehouse_stacks\)\") ?", text)) > len(STACK_OPTIONS)


def test_it_needs_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["completion", "bash"]) == 0
    assert "complete -o" in capsys.readouterr().out
    # The control: another command does need one.
    assert main(["check"]) == 2


def test_a_shell_that_is_not_known_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", "csh"])
    assert ended.value.code == 2
    assert "'csh'" in capsys.readouterr().err
