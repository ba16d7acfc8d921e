"""Whole runs by the real engine on simulated clouds, through the command line as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.secrets import SECRETS
from gatehouse.engine.acquire import Engine

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.engine

PROGRAM = """
import os, pulumi
from config.stack import NAMESPACE
config = pulumi.Config()
class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("gatehouse:index:Group", name, None, opts)
        self.register_outputs({})
def refuse(_=None):
    raise pulumi.RunError("two findings:\\n  one\\n  another")
def crash(_=None):
    raise ValueError("boom")
mode = config.get("mode")
if mode == "refuse": refuse()
if mode == "crash": crash()
for n in range(config.require_int("n")):
    group = Group(f"group{n}")
    Group(f"group{n}-inner", pulumi.ResourceOptions(parent=group))
    if mode == "refuse late": group.urn.apply(refuse)
    if mode == "crash late": group.urn.apply(crash)
if mode == "hang":
    open("hanging", "w").close()
    import time; time.sleep(60)
pulumi.export("plain", config.require_object("plain"))
pulumi.export("secret", config.require_secret("tunnel_secret"))
pulumi.export("token", "real" if "real-token" in os.environ.values() else "made up")
"""


def gatehouse(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gatehouse.cli", "-C", str(project), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def stack(project: Path, name: str = "alfred", **values: object) -> None:
    config = {f"gatehouse:{key}": value for key, value in {"n": 2, "plain": [1, {"on": "yes"}], **values}.items()}
    (project / f"Pulumi.{name}.yaml").write_text(json.dumps({"config": config}))


@pytest.fixture
def toy(tmp_path: Path, engine: Engine) -> Path:
    """A project with a program of components alone: quick, and all that a run does but providers."""
    folder = tmp_path / "a project, 100% odd"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    stack(folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, engine: Engine) -> Path:
    """The repository's own program and stack files in a folder of their own."""
    for name in ("__main__.py", "Pulumi.yaml", "config", "exposure", "components", "gatehouse"):
        (tmp_path / name).symlink_to(ROOT / name)
    for path in ROOT.glob("Pulumi.*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def without_program_error(answer: subprocess.CompletedProcess[str]) -> str:
    text = answer.stdout + answer.stderr
    assert answer.returncode == 0, text
    return text


def test_alfreds_whole_life(project: Path) -> None:
    before = {path: path.read_bytes() for path in project.glob("Pulumi.*.yaml")}
    preview = without_program_error(gatehouse(project, "preview"))
    assert re.match(r"Engine: pulumi 3\.\d+\.\d+, .*\. Clouds: simulated\.\n", preview)
    planned = int(re.search(r"\+ (\d+) to create", preview)[1])  # type: ignore[index]
    assert planned > 60
    assert max(len(line) for line in preview.splitlines() if "─ " in line) <= 80

    up = without_program_error(gatehouse(project, "up"))
    assert f"alfred: + {planned} created" in up
    again = without_program_error(gatehouse(project, "up"))
    assert f"alfred: {planned} unchanged" in again
    refreshed = without_program_error(gatehouse(project, "refresh"))
    assert f"alfred: {planned} unchanged" in refreshed

    state = (project / ".gatehouse/simulated/state/.pulumi/stacks/gatehouse/alfred.json").read_text()
    assert "very-very-dark-gray.top" in state
    for secret in SECRETS:
        for text in (state, preview, up, again, refreshed):
            assert secret.simulated not in text

    down = without_program_error(gatehouse(project, "destroy"))
    assert f"alfred: - {planned} deleted" in down
    # What was retained is not in the way of a second life.
    assert f"+ {planned} created" in without_program_error(gatehouse(project, "up"))
    assert {path: path.read_bytes() for path in project.glob("Pulumi.*.yaml")} == before


def test_a_member_is_refused_until_its_owner_is_up(project: Path) -> None:
    answer = gatehouse(project, "preview", "--stack", "octavo")
    assert answer.returncode == 1
    assert "gatehouse up --stack alfred" in answer.stderr
    without_program_error(gatehouse(project, "up"))
    assert "octavo: + " in without_program_error(gatehouse(project, "up", "--stack", "octavo"))


def test_the_engines_own_json_is_printed_and_nothing_else(toy: Path) -> None:
    stack(toy, n=1)
    answer = gatehouse(toy, "preview", "--json")
    document = json.loads(answer.stdout)
    assert document["changeSummary"] == {"create": 3}
    assert {step["newState"]["type"] for step in document["steps"]} == {"pulumi:pulumi:Stack", "gatehouse:index:Group"}
    assert document["config"]["gatehouse:tunnel_secret"] == "[secret]"


def test_values_reach_the_program_as_they_are_written_and_no_real_credential_does(toy: Path) -> None:
    (toy / "Pulumi.alfred.yaml").write_text(
        "config:\n  gatehouse:n: 1\n  gatehouse:plain: {on: off, time: 22:22, word: 'yes', number: 1.5}\n"
        "  gatehouse:tunnel_secret:\n    secure: v1:not-to-be-read\n"
    )
    text = gatehouse(toy, "up", CLOUDFLARE_API_TOKEN="real-token", PULUMI_BACKEND_URL="s3://elsewhere").stdout
    assert "none for tailscale" in text
    assert re.search(r"token +made up", text)
    state = json.loads((toy / ".gatehouse/simulated/state/.pulumi/stacks/gatehouse/alfred.json").read_text())
    [outputs] = [r["outputs"] for r in state["checkpoint"]["latest"]["resources"] if "Stack" in r["type"]]
    # YAML 1.2: `on`, `off` and `22:22` are words.
    assert outputs["plain"] == {"on": "off", "time": "22:22", "word": "yes", "number": 1.5}


@pytest.mark.parametrize("mode", ["refuse", "refuse late"])
@pytest.mark.parametrize("command", ["preview", "up"])
def test_what_the_program_refuses_is_said_once_with_no_noise(toy: Path, mode: str, command: str) -> None:
    stack(toy, mode=mode)
    answer = gatehouse(toy, command)
    text = answer.stdout + answer.stderr
    assert answer.returncode == 1
    assert text.count("two findings:\n  one\n  another") == 1
    for noise in ("Traceback", "never retrieved", "unhandled", "report"):
        assert noise not in text


@pytest.mark.parametrize("mode", ["crash", "crash late"])
def test_a_crash_of_the_program_is_short_and_its_traceback_is_in_the_log(toy: Path, mode: str) -> None:
    stack(toy, mode=mode)
    answer = gatehouse(toy, "preview")
    text = answer.stdout + answer.stderr
    assert answer.returncode == 1
    assert "ValueError: boom" in text
    assert "please report it" in text
    assert "Traceback" not in text
    assert "Traceback" in (toy / ".gatehouse/last-run.log").read_text()
    assert "Traceback" in gatehouse(toy, "preview", "--debug").stderr


def test_a_change_shows_what_is_new_and_what_goes(toy: Path) -> None:
    without_program_error(gatehouse(toy, "up"))
    stack(toy, n=1)
    preview = without_program_error(gatehouse(toy, "preview"))
    assert "- └─ group1" in preview
    assert "alfred: - 2 to delete, 3 unchanged" in preview


def test_destroying_what_is_not_up_says_so(toy: Path) -> None:
    answer = gatehouse(toy, "destroy")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "Nothing of alfred is up" in answer.stdout


def test_an_interrupt_stops_the_run_and_the_next_one_goes_on(toy: Path) -> None:
    stack(toy, mode="hang")
    process = subprocess.Popen(
        [sys.executable, "-m", "gatehouse.cli", "-C", str(toy), "up"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    waited = time.monotonic()
    while not (toy / "hanging").exists():
        assert time.monotonic() - waited < 30
        time.sleep(0.05)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Stopping" in text
    assert "Traceback" not in text
    stack(toy)
    without_program_error(gatehouse(toy, "up"))


def test_two_runs_at_once_wait_for_each_other(toy: Path) -> None:
    stack(toy, "other")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "gatehouse.cli", "-C", str(toy), "up", "--stack", name],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("alfred", "other")
    ]
    answers = [(p.communicate(timeout=60)[0], p.returncode) for p in processes]
    assert [code for _, code in answers] == [0, 0], answers
    assert "waiting for it" in answers[0][0] + answers[1][0]


# --- real clouds: the repository's own backend and settings; components alone, so that nothing real is touched

REAL = {"CLOUDFLARE_API_TOKEN": "made-up", "TAILSCALE_API_KEY": "made-up", "PULUMI_CONFIG_PASSPHRASE": "x"}


@pytest.fixture
def real(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The engine takes a relative backend for a URL and stumbles over a `%` in the folder's name.
    toy = toy.rename(tmp_path / "a real project")
    (toy / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    stack(toy, tunnel_secret="not one at all")
    return toy


def test_on_real_clouds_up_and_destroy_ask_and_without_a_terminal_refuse(real: Path) -> None:
    for command in ("up", "destroy"):
        answer = gatehouse(real, command, **REAL)
        assert answer.returncode == 2
        assert "--yes" in answer.stderr
    assert not (real / ".pulumi").exists()


def test_on_real_clouds_the_passphrase_must_be_given(real: Path) -> None:
    environment = {key: value for key, value in REAL.items() if "PASSPHRASE" not in key}
    answer = gatehouse(real, "preview", **environment)
    assert answer.returncode == 1
    assert "PULUMI_CONFIG_PASSPHRASE" in answer.stderr


def test_on_real_clouds_the_state_is_in_the_repository_and_protection_holds(real: Path) -> None:
    program = (real / "__main__.py").read_text()
    (real / "__main__.py").write_text(
        program.replace('Group(f"group{n}")', 'Group(f"group{n}", protect)').replace(
            "mode = config", "protect = pulumi.ResourceOptions(protect=True)\nmode = config"
        )
    )
    preview = without_program_error(gatehouse(real, "preview", **REAL))
    assert ". Clouds: real.\n" in preview
    without_program_error(gatehouse(real, "up", "--yes", **REAL))
    assert (real / ".pulumi/stacks/gatehouse/alfred.json").is_file()
    assert not (real / ".gatehouse/simulated").exists()
    refused = gatehouse(real, "destroy", "--yes", **REAL)
    assert refused.returncode == 1
    assert refused.stderr.count("gatehouse pulumi state unprotect --stack alfred --yes 'urn:") == 4
    (real / "__main__.py").write_text(program)
    without_program_error(gatehouse(real, "up", "--yes", **REAL))
    assert "deleted" in without_program_error(gatehouse(real, "destroy", "--yes", **REAL))


def test_simulated_can_be_asked_for_where_credentials_are_set(real: Path) -> None:
    assert "Clouds: simulated." in gatehouse(real, "preview", "--simulated", **REAL).stdout
