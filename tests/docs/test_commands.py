"""The commands in `console` blocks of README and docs are run, or say what they need that a test has not.

A comment on the line before a block says so. Without one, the block is run here, offline.

- `<!-- needs: account -->`: real accounts, or a cluster; `<!-- needs: registry -->`: packages to install. Not run.
- `<!-- needs: engine -->`: run by bash where there is an engine; `engine and a stack`: one that is up already.
- `<!-- run in: tests/… -->`: the test that runs it on a stack made for it.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatehouse import cli
from gatehouse.engine.acquire import Engine
from gatehouse.simulation import tamper
from tests.docs.test_docs import PAGES, ROOT, named

_FENCE = re.compile(r"^( *)```console\n(.*?)^\1```$", re.M | re.S)
_MARK = re.compile(r"<!-- (needs|run in): (.+?) -->")
_NEEDS = ("account", "registry", "engine", "engine and a stack")
_ANSWERS = (
    'gatehouse() { if [ "$1" = pulumi ]; then command gatehouse "$@" <<<"a value"; else command gatehouse "$@"; fi; }'
)
_STANDS_FOR = {"<id>": "an-id"}
_PROJECT = ("Pulumi.yaml", "Pulumi.alfred.yaml", "Pulumi.octavo.yaml", "__main__.py", "Makefile", "pyproject.toml")
_LOCKS = ("requirements.txt", "requirements-dev.txt")


@dataclass(frozen=True)
class Block:
    """A console block: its page, line, marker (`needs`, `run in` or none, and of what), and commands."""

    page: str
    line: int
    kind: str
    value: str
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_in(page: str, text: str) -> Iterator[Block]:
    for fence in _FENCE.finditer(text):
        before = text[: fence.start()].rstrip("\n").rpartition("\n")[2].strip()
        mark = _MARK.fullmatch(before)
        commands: list[str] = []
        for line in fence[2].splitlines():
            line = line.removeprefix(fence[1])
            if line.startswith("$ "):
                commands.append(line[2:])
            else:
                commands[-1] += "\n" + line
        kind, value = (mark[1], mark[2]) if mark else ("", "")
        yield Block(page, text[: fence.start()].count("\n") + 1, kind, value, tuple(commands))


BLOCKS = [block for page in PAGES for block in blocks_in(named(page), page.read_text(encoding="utf-8"))]
OFFLINE = [block for block in BLOCKS if not block.kind]
BY_THE_ENGINE = [block for block in BLOCKS if block.value.startswith("engine")]
ELSEWHERE = [block for block in BLOCKS if block.kind == "run in"]


def project(folder: Path) -> Path:
    """A copy of what a run reads of the repository."""
    folder.mkdir()
    for name in (*_PROJECT, *_LOCKS):
        shutil.copy(ROOT / name, folder / name)
    (folder / "schema").mkdir()
    return folder


def committed(folder: Path) -> Path:
    who = ("-c", "user.name=Alice", "-c", "user.email=alice@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "As it is")):
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
    return folder


def run_offline(command: str) -> None:
    """Run one line here: `gatehouse …`, its output to a file or through jq. Fails where the exit code is unexpected."""
    expected = re.search(r"# exit code (\d)", command)
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|>")
    lexer.whitespace_split = True
    words = list(lexer)
    target = words[words.index(">") + 1] if ">" in words else None
    words = words[: words.index(">")] if target else words
    rest = words[words.index("|") + 1 :] if "|" in words else []
    words = words[: words.index("|")] if rest else words
    assert words[0] == "gatehouse", f"{command}: only gatehouse is run here"
    out = io.StringIO()
    with redirect_stdout(out):
        code = cli.main(words[1:])
    text = out.getvalue()
    assert code == (int(expected[1]) if expected else 0), f"{command}: exit code {code}\n{text}"
    if rest:
        assert rest[0] == "jq"
        if not shutil.which("jq"):
            pytest.skip("there is no jq")
        text = subprocess.run(rest, input=text, capture_output=True, text=True, check=True).stdout
    assert text.strip(), f"{command}: printed nothing"
    if target:
        Path(target).write_text(text, encoding="utf-8")


def script(block: Block, bucket: Path) -> str:
    """The block for bash. What Pulumi asks for is answered; a bucket is a folder."""
    lines = ["set -eu", _ANSWERS]
    text = "\n".join(block.commands)
    if block.value.endswith("a stack"):
        stacks = ["alfred", *(["octavo"] if "octavo" in text else [])]
        lines += (f"gatehouse up --simulated --stack {stack}" for stack in stacks)
        lines += ["gatehouse pulumi stack init alfred"] if "pulumi stack" in text else []
    for sign, value in {**_STANDS_FOR, "s3://my-bucket": f"file://{bucket}"}.items():
        text = text.replace(sign, value)
    return "\n".join([*lines, text]) + "\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = committed(project(tmp_path / "project"))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    return folder


@pytest.mark.parametrize("block", OFFLINE, ids=str)
def test_a_block_without_a_marker_runs_offline(block: Block, here: Path) -> None:
    for command in block.commands:
        run_offline(command)


@dataclass(frozen=True)
class Machine:
    """A project with an environment that `make` takes for made, and an engine; its bash has no accounts."""

    folder: Path
    engine: Path

    def __post_init__(self) -> None:
        project(self.folder)
        for made in (self.tools, self.home, self.bucket):
            made.mkdir(parents=True)
        (self.home / ".gatehouse-passphrase").write_text("a passphrase")
        for name, words in {"gatehouse": "-m gatehouse.cli ", "python": ""}.items():
            (self.tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
            (self.tools / name).chmod(0o755)
        (self.tools / "activate").touch()
        (self.folder / ".venv" / ".made-from-lock").touch()

    @property
    def tools(self) -> Path:
        return self.folder / ".venv" / "bin"

    @property
    def home(self) -> Path:
        return self.folder.parent / "home"

    @property
    def bucket(self) -> Path:
        return self.folder.parent / "bucket"

    def bash(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env={
                "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.home),
                "PYTHONPATH": str(ROOT),
                "GATEHOUSE_ENGINE": str(self.engine),
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.home / ".gatehouse-passphrase"),
            },
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )


@pytest.fixture
def machine(tmp_path: Path, engine: Engine) -> Machine:
    return Machine(tmp_path / "project", engine.path)


@pytest.mark.engine
@pytest.mark.parametrize("block", BY_THE_ENGINE, ids=str)
def test_a_block_for_the_engine_runs_on_it(block: Block, machine: Machine) -> None:
    done = machine.bash(script(block, machine.bucket))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.engine
def test_a_block_for_the_engine_that_fails_is_found(machine: Machine) -> None:
    block = Block("x.md", 1, "needs", "engine", ("gatehouse pulumi stack export --stack nobody", "true"))
    assert machine.bash(script(block, machine.bucket)).returncode != 0


@pytest.mark.engine
def test_a_dead_node_is_filled_again_with_the_same_tunnel(machine: Machine) -> None:
    clouds = machine.folder / ".gatehouse" / "simulated" / "clouds" / "clouds.json"
    assert machine.bash("make up").returncode == 0
    before = tamper.objects(clouds)
    cluster = {key for key in before if key.startswith("kubernetes/")}
    assert any("/Deployment/" in key for key in cluster)
    for key in cluster:
        if "/Namespace/" not in key:
            tamper.delete(clouds, key)
    [block] = [b for b in BLOCKS if b.page == "docs/operate.md" and b.commands == ("make refresh", "make up")]
    done = machine.bash("set -eu\n" + "\n".join(block.commands))
    assert done.returncode == 0, done.stdout + done.stderr
    after = tamper.objects(clouds)
    assert {_kind(key) for key in after} == {_kind(key) for key in before}
    outside = {key: item["id"] for key, item in before.items() if key not in cluster}
    assert {key: item["id"] for key, item in after.items() if not key.startswith("kubernetes/")} == outside


def _kind(key: str) -> str:
    """The key without what a new Secret's name ends in."""
    return re.sub(r"-[0-9a-f]{7,}$", "", key)


@pytest.mark.parametrize("block", ELSEWHERE, ids=str)
def test_a_block_that_is_run_elsewhere_names_a_test_with_its_words(block: Block) -> None:
    test = ROOT / block.value
    assert test.suffix == ".py"
    text = test.read_text(encoding="utf-8")
    if "BLOCKS" in text:
        # It runs what the page has.
        return
    for command in block.commands:
        program, *words = shlex.split(re.sub(r"<\w+>", "it", command), comments=True)
        wanted = words[:1] if program == "gatehouse" else words[2:]
        wanted += [word for word in words[1:2] if not word.startswith("-")]
        wanted += [word for word in words if word.startswith("--") and word != "--stack"]
        assert [word for word in wanted if word not in text] == [], command


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.kind == "needs"], ids=str)
def test_a_marker_says_what_is_known(block: Block) -> None:
    assert block.value in _NEEDS


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_marker_stands_at_a_block(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    outside = re.sub(r"`[^`\n]*`", "", text)
    assert len(_MARK.findall(outside)) == sum(bool(block.kind) for block in blocks_in(named(page), text))


def test_blocks_are_found_with_their_markers() -> None:
    text = "a\n<!-- needs: engine -->\n```console\n$ make up\n```\n\n"
    text += "  ```console\n  $ one \\\n      two\n  $ three\n  ```\n"
    assert [(b.line, b.value, b.commands) for b in blocks_in("x.md", text)] == [
        (3, "engine", ("make up",)),
        (7, "", ("one \\\n    two", "three")),
    ]
    assert len(OFFLINE) >= 5
    assert len(BY_THE_ENGINE) >= 5


@pytest.mark.parametrize("command", ["gatehouse check --stack nobody", "gatehouse check  # exit code 1", "make up"])
def test_a_command_that_does_not_do_what_is_said_would_be_found(command: str, here: Path) -> None:
    with pytest.raises(AssertionError):
        run_offline(command)


def test_who_is_out_is_out(here: Path) -> None:
    # The page says "exit code 1 means no"; the same question about somebody who is in ends with 0.
    run_offline("gatehouse who grafana-alfred.very-very-dark-gray.top --as alice@example.com")
