"""Answers that are kept: given again only while everything they came from is the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from gatehouse import answers, cli
from gatehouse.cli import main

ROOT = Path(__file__).parents[2]
_URL = "https://grafana-alfred.very-very-dark-gray.top"
Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for file in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.fixture
def ask(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Ask as the process would, with its own arguments; gives the exit code and what was printed."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("COLUMNS", "80")
    # What a process does with the collector, this one is not to keep.
    monkeypatch.setattr(cli, "gc", SimpleNamespace(disable=lambda: None, freeze=lambda: None))

    def asked(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gatehouse", *arguments])
        code = main()
        return code, *capsys.readouterr()

    return asked


def kept(project: Path) -> list[Path]:
    return sorted((project / ".gatehouse" / "answers").glob("*.json"))


def forge(project: Path) -> None:
    """Change what is kept, so that an answer from there is told from one made anew."""
    for file in kept(project):
        file.write_text(json.dumps({"code": 7, "out": "kept out\n", "err": "kept err\n"}))


FORGED = (7, "kept out\n", "kept err\n")
QUESTIONS = [
    ("check",),
    ("check", "--stack", "alfred", "--json"),
    ("explain", "--stack=octavo"),
    ("who", _URL),
    ("who", _URL, "--as", "stranger@example.com"),
    ("-C", ".", "who"),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_the_second_answer_is_the_first_one_and_comes_from_what_was_kept(
    ask: Ask, project: Path, question: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    first = ask(*question)
    assert ask(*question) == first
    # What nobody keeps says the same.
    assert (main(list(question)), *capsys.readouterr()) == first
    forge(project)
    assert ask(*question) == FORGED


def test_every_question_has_an_answer_of_its_own(ask: Ask, project: Path) -> None:
    assert len({ask(*question)[1] for question in QUESTIONS}) == len(QUESTIONS)
    assert len(kept(project)) == len(QUESTIONS)


def _services(project: Path, text: str, by: str) -> None:
    file = project / "Pulumi.alfred.yaml"
    old = file.read_text()
    assert text in old
    file.write_text(old.replace(text, by))


@pytest.mark.parametrize(
    "change",
    [
        lambda p, _: _services(p, "grafana", "grafanb"),
        lambda p, _: (p / "Pulumi.octavo.yaml").unlink(),
        lambda p, _: shutil.copy(p / "Pulumi.octavo.yaml", p / "Pulumi.third.yaml"),
        lambda p, _: (p / "Pulumi.yaml").write_text((p / "Pulumi.yaml").read_text() + "\n"),
        # The same bytes, written anew: somebody may have had others in between.
        lambda p, _: _services(p, "grafana", "grafana"),
        lambda _, m: m.setenv("COLUMNS", "120"),
        lambda _, m: m.setenv("NO_COLOR", "1"),
        lambda _, m: m.setattr(sys, "version", "another"),
        lambda _, m: m.setattr(answers, "_origin", lambda module: "/"),
    ],
    ids=["file", "gone", "new", "project", "touched", "width", "colour", "python", "packages"],
)
def test_what_an_answer_depends_on_makes_it_new(
    ask: Ask, project: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path, pytest.MonkeyPatch], object]
) -> None:
    ask("check")
    forge(project)
    assert ask("check") == FORGED
    change(project, monkeypatch)
    assert ask("check") != FORGED


def test_gatehouse_s_own_code_makes_it_new(
    tmp_path_factory: pytest.TempPathFactory, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path_factory.mktemp("code")
    for package in ("config", "exposure/rules", "gatehouse"):
        (code / package).mkdir(parents=True)
        (code / package / "part.py").write_text("a = 1\n")
    monkeypatch.setattr(answers, "__file__", str(code / "gatehouse" / "answers.py"))

    def name() -> str:
        return answers._fingerprint(["check"], str(project))

    seen = [name()]
    assert name() == seen[0]
    for change in (
        lambda: (code / "exposure" / "rules" / "part.py").write_text("a = 2\n"),
        lambda: (code / "config" / "more.py").write_text(""),
        lambda: (code / "gatehouse" / "part.py").unlink(),
    ):
        change()
        seen.append(name())
    assert len(set(seen)) == 4
    # The control: what Python writes there by itself changes nothing.
    (code / "config" / "__pycache__").mkdir()
    assert name() == seen[-1]


# A process that says what its answer came from: our modules, files, folders and variables.
_TOLD = """
import json, os, sys
root, question = sys.argv[1], sys.argv[2:]
files, variables = set(), set()

def heard(event, args):
    if event in ("open", "os.scandir", "os.listdir") and isinstance(args[0], (str, os.PathLike)):
        files.add(os.path.abspath(os.fspath(args[0])))

class Told(dict):
    def __getitem__(self, name):
        variables.add(name)
        return super().__getitem__(name)
    def get(self, name, default=None):
        variables.add(name)
        return super().get(name, default)
    def __contains__(self, name):
        variables.add(name)
        return super().__contains__(name)

from gatehouse.cli import main
sys.addaudithook(heard)
os.environ = Told(os.environ)
sys.stdout = open(os.devnull, "w")
main(question)
modules = {n.split(".")[0] for n, m in list(sys.modules.items())
           if (getattr(m, "__file__", None) or "").startswith(root + os.sep) and "site-packages" not in m.__file__}
print(json.dumps([sorted(modules), sorted(files), sorted(variables)]), file=sys.__stdout__)
"""


@pytest.mark.parametrize("question", ["check", "explain", "who"])
def test_a_question_reads_nothing_but_what_its_name_is_made_of(project: Path, question: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TOLD, str(ROOT), "-C", str(project), question],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    modules, files, variables = json.loads(done.stdout)
    assert modules == sorted(answers._PACKAGES)
    ours = {file for file in files if Path(file).is_relative_to(project)}
    assert ours == {str(project), str(project / "Pulumi.alfred.yaml"), str(project / "Pulumi.octavo.yaml")}
    # The rest is code and what Python keeps of it, or Python's own.
    code = (".py", ".pyc", ".so")
    elsewhere = {f for f in files if f not in ours and Path(f).is_file() and not f.endswith(code)}
    assert {f for f in elsewhere if not f.startswith((sys.prefix, sys.base_prefix))} == set()
    # Python's own: where its library is, and the language of argparse's words, which are in no answer that is kept.
    pythons = ("PYTHON", "_PYTHON", "PYDANTIC", "HOME", "LANG", "LC_")
    assert {v for v in variables if not v.startswith(pythons)} == {"COLUMNS", "LINES"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("who", "--from", "preview.json"),
        ("who", "--fr=preview.json"),
        ("check", "--help"),
        ("diff", "--base", "main"),
        ("map",),
        ("plan", "--stack", "alfred"),
        ("check", "--unknown"),
        (),
    ],
    ids=str,
)
def test_what_reads_more_than_the_stack_files_is_never_kept(arguments: tuple[str, ...]) -> None:
    assert cli._kept(list(arguments)) is None
    # The control.
    assert cli._kept(["-C", str(ROOT), "check"]) is not None


@pytest.mark.parametrize("arguments", [("check", "--stack", "nowhere"), ("who", "--as", "a@example.com")])
def test_a_question_that_is_refused_leaves_no_answer(ask: Ask, project: Path, arguments: tuple[str, ...]) -> None:
    code, _, err = ask(*arguments)
    assert code == 2
    assert err
    assert kept(project) == []
    assert ask("check")[0] == 0
    assert len(kept(project)) == 1


def test_findings_are_kept_with_their_exit_code(ask: Ask, project: Path) -> None:
    (project / "Pulumi.alfred.yaml").write_text("config:\n  gatehouse:nonsense: 1\n")
    first = ask("check")
    assert first[0] == 1
    assert ask("check") == first
    assert len(kept(project)) == 1
    explained = ask("explain")
    assert explained[0] == 1
    assert explained[2]
    assert ask("explain") == explained


@pytest.mark.parametrize("text", ["", "{", "[]", '{"code": "x", "out": "", "err": ""}', '{"code": 0}', "\ud800"])
def test_what_cannot_be_read_is_made_anew(ask: Ask, project: Path, text: str) -> None:
    first = ask("check")
    (file,) = kept(project)
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert ask("check") == first
    assert json.loads(file.read_text())["out"] == first[1]


def test_a_file_that_changes_while_it_is_read_leaves_no_answer(
    ask: Ask, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cli._run

    def meanwhile(arguments: list[str]) -> int:
        code = run(arguments)
        (project / "Pulumi.third.yaml").write_text("config: {}\n")
        return code

    monkeypatch.setattr(cli, "_run", meanwhile)
    assert ask("check")[0] == 0
    assert kept(project) == []


def test_where_nothing_can_be_written_the_answer_is_given_all_the_same(ask: Ask, project: Path) -> None:
    (project / ".gatehouse").write_text("a file where the folder would be")
    first = ask("check")
    assert first[0] == 0
    assert ask("check") == first


def test_only_the_newest_answers_stay(ask: Ask, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_KEPT", 2)
    ask("check")
    (oldest,) = kept(project)
    os.utime(oldest, (1, 1))
    ask("explain")
    assert len(kept(project)) == 2
    ask("who")
    assert len(kept(project)) == 2
    assert not oldest.exists()


def test_answers_are_for_their_owner_and_not_for_git(ask: Ask, project: Path) -> None:
    ask("check")
    (file,) = kept(project)
    assert file.stat().st_mode & 0o077 == 0
    assert (file.parent / ".gitignore").read_text() == "*\n"
