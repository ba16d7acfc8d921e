"""Finding the engine, or getting it. Stand-ins take the place of `pulumi`, `go` and the installer: no network."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from gatehouse.engine import acquire
from gatehouse.engine.acquire import find_engine, find_or_get_engine

# What a real one answers to `pulumi version`.
ENGINE = "#!/bin/sh\necho v{version}\n"
# Stands in for `go`: knows `env`, and a build writes an engine where `-o` says.
GO = """#!/bin/sh
case "$1" in
env) printf 'go{version}\\n{toolchain}\\n' ;;
build)
  echo "$@" >> {log}
  while [ "$1" != -o ]; do shift; done
  {build}
esac
"""
BUILD = 'printf \'#!/bin/sh\\necho v3.300.1\\n\' > "$2"; chmod +x "$2"'
OFFLINE = "import sys; sys.exit(1)"


@pytest.fixture
def binaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but what the test puts there (and a shell's own tools)."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "sleep", "chmod", "cat"):
        (tools / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{tools}")
    monkeypatch.delenv(acquire.VARIABLE, raising=False)
    monkeypatch.setattr(acquire, "_INSTALL", OFFLINE)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project with spaces"
    folder.mkdir()
    return folder


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def go(binaries: Path, version: str = "1.99", toolchain: str = "local", build: str = BUILD) -> Path:
    log = binaries.parent / "go.log"
    script(binaries / "go", GO.format(version=version, toolchain=toolchain, log=log, build=build))
    return log


def test_pulumi_on_path_comes_first(binaries: Path, project: Path) -> None:
    pulumi = script(binaries / "pulumi", ENGINE.format(version="3.259.0"))
    log = go(binaries)
    found = find_or_get_engine(project, print)
    assert found is not None
    assert (found.path, found.version, found.origin) == (pulumi, "3.259.0", "found on PATH")
    assert not log.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ENGINE.format(version="3.100.0"), "`pulumi` on PATH is 3.100.0, older than 3.259.0"),
        ("#!/bin/sh\nexit 3\n", "`pulumi` on PATH does not say its version"),
        ("#!/bin/sh\necho usage: pulumi\n", "`pulumi` on PATH does not say its version"),
        ("#!/nowhere/at/all\n", "`pulumi` on PATH does not run (No such file or directory)"),
    ],
)
def test_a_pulumi_that_will_not_do_is_passed_over_with_the_reason(
    binaries: Path, project: Path, text: str, reason: str
) -> None:
    script(binaries / "pulumi", text)
    go(binaries)
    refused: list[str] = []
    found = find_or_get_engine(project, print, refused)
    assert found is not None
    assert found.version == "3.300.1"
    assert reason in refused


def test_with_nothing_to_get_it_from_there_is_none_and_every_reason(binaries: Path, project: Path) -> None:
    refused: list[str] = []
    assert find_or_get_engine(project, print, refused) is None
    assert refused == ["no `pulumi` on PATH", "Pulumi's own installer cannot be reached", "no `go` to build it with"]


def test_it_is_built_once_and_kept(binaries: Path, project: Path) -> None:
    log = go(binaries)
    said: list[str] = []
    built = find_or_get_engine(project, said.append)
    assert built is not None
    assert "just now" in built.origin
    assert any("2 to 4 minutes" in text for text in said)
    # The pinned module, with its version in the binary.
    assert "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3." in log.read_text()
    assert "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi" in log.read_text()
    again = find_or_get_engine(project, said.append)
    assert again is not None
    assert (again.version, again.origin) == ("3.300.1", "kept in .gatehouse/engine")
    assert len(log.read_text().splitlines()) == 1


def test_a_kept_engine_is_not_asked_for_its_version_again_until_it_changes(binaries: Path, project: Path) -> None:
    asked = binaries.parent / "asked"
    text = f"#!/bin/sh\necho asked >> {asked}\necho v3.300.1\n"
    made = script(binaries.parent / "made", text)
    go(binaries, build=f'cat {made} > "$2"; chmod +x "$2"')
    built = find_or_get_engine(project, print)
    assert built is not None
    assert find_engine(project) is not None
    assert asked.read_text().count("asked") == 1
    script(built.path, text.replace("3.300.1", "3.301.10"))
    found = find_engine(project)
    assert found is not None
    assert found.version == "3.301.10"


def test_a_build_that_fails_leaves_nothing_and_says_why(binaries: Path, project: Path) -> None:
    go(binaries, build="echo partly > \"$2\"; echo 'go: no such module' >&2; exit 1")
    refused: list[str] = []
    assert find_or_get_engine(project, print, refused) is None
    assert refused[-1] == "`go build` failed (go: no such module)"
    assert not [p for p in (project / ".gatehouse" / "engine").iterdir() if p.name.startswith("pulumi")]


def test_an_old_go_that_may_fetch_no_newer_one_is_refused(binaries: Path, project: Path) -> None:
    log = go(binaries, version="1.22.1")
    refused: list[str] = []
    assert find_or_get_engine(project, print, refused) is None
    assert refused[-1].startswith("`go` is older than 1.")
    assert not log.exists()


def test_an_old_go_that_may_fetch_a_newer_one_is_used(binaries: Path, project: Path) -> None:
    go(binaries, version="1.22.1", toolchain="auto")
    assert find_or_get_engine(project, print) is not None


def test_the_official_one_is_taken_where_its_installer_answers(
    binaries: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = go(binaries)
    monkeypatch.setattr(
        acquire,
        "_INSTALL",
        "import os, sys\nprint('reached', flush=True)\n"
        "os.mkdir(sys.argv[1] + '/bin')\n"
        "for name in ('pulumi', 'pulumi-language-python'):\n"
        "    path = sys.argv[1] + '/bin/' + name\n"
        "    open(path, 'w').write('#!/bin/sh\\necho v3.272.0\\n')\n"
        "    os.chmod(path, 0o755)\n",
    )
    found = find_or_get_engine(project, print)
    assert found is not None
    assert found.version == "3.272.0"
    assert (found.path.parent / "pulumi-language-python").exists()
    assert not log.exists()
    assert not list(found.path.parent.glob("install-*"))


def test_an_installer_that_hangs_is_given_up(binaries: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(binaries)
    monkeypatch.setattr(acquire, "_INSTALL", "import time; print('reached', flush=True); time.sleep(60)")
    monkeypatch.setattr(acquire, "_INSTALL_SECONDS", 0.3)
    refused: list[str] = []
    started = time.monotonic()
    found = find_or_get_engine(project, print, refused)
    assert time.monotonic() - started < 10
    assert found is not None
    assert "Pulumi's own installer took more than 0.3 s" in refused


def test_an_address_that_never_answers_is_given_up(
    binaries: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acquire, "_INSTALL", "import time; time.sleep(60)")
    monkeypatch.setattr(acquire, "_PROBE_SECONDS", 0.2)
    refused: list[str] = []
    assert find_or_get_engine(project, print, refused) is None
    assert "Pulumi's own installer cannot be reached" in refused


def test_two_commands_at_once_build_it_once(binaries: Path, project: Path) -> None:
    log = go(binaries, build=f"sleep 0.2; {BUILD}")
    found: list[acquire.Engine | None] = []
    said: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(find_or_get_engine(project, said.append))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [e.version if e else None for e in found] == ["3.300.1", "3.300.1"]
    assert len(log.read_text().splitlines()) == 1


def test_the_variable_names_an_engine_or_forbids_all(
    binaries: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(binaries / "pulumi", ENGINE.format(version="3.259.0"))
    mine = script(tmp_path / "mine", ENGINE.format(version="3.260.0"))
    monkeypatch.setenv(acquire.VARIABLE, str(mine))
    found = find_or_get_engine(project, print)
    assert found is not None
    assert (found.path, found.version) == (mine, "3.260.0")
    monkeypatch.setenv(acquire.VARIABLE, "none")
    refused: list[str] = []
    assert find_or_get_engine(project, print, refused) is None
    assert refused == ["GATEHOUSE_ENGINE=none forbids it"]
