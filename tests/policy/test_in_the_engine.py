"""The pack under the real engine, on simulated clouds; and how a run finds out whether an engine can run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pulumi.automation import EngineEvent, PolicyEvent

from gatehouse.engine.policy import pack_for
from gatehouse.engine.progress import Progress
from tests.kit.builders import PROJECT

_PROGRAM = """
import pulumi
from components.sdk import cloudflare
provider = cloudflare.Provider("cloudflare")
def options(**more):
    return pulumi.ResourceOptions(provider=provider, **more)
"""
_CAREFUL = """
cloudflare.Zone("zone", account={"id": "0" * 32}, name="example.com", opts=options(protect=True))
"""
# A login beside Google's, as Gatehouse registers it.
_LOGIN = """
login = pulumi.ComponentResource("gatehouse:index:Login", "pin")
cloudflare.ZeroTrustAccessIdentityProvider(
    "pin-idp", account_id="0" * 32, name="PIN", type="onetimepin", config={}, opts=options(parent=login),
)
"""
_UNPROTECTED = """
cloudflare.Zone("zone", account={"id": "0" * 32}, name="example.com", opts=options())
"""
_OPEN_HOST = """
zone = cloudflare.Zone("zone", account={"id": "0" * 32}, name="example.com", opts=options(protect=True))
bypass = cloudflare.ZeroTrustAccessPolicy(
    "bypass", account_id="0" * 32, name="bypass", decision="bypass", includes=[{"everyone": {}}],
    session_duration="24h", opts=options(),
)
cloudflare.ZeroTrustAccessApplication(
    "app", account_id="0" * 32, name="app", type="self_hosted", policies=[{"id": bypass.id, "precedence": 1}],
    destinations=[{"type": "public", "uri": "app.example.com"}], opts=options(depends_on=[zone]),
)
"""
# One rule that looks at a resource, and one that looks at the stack.
_BROKEN = [
    pytest.param(_UNPROTECTED, "error: policy protected: Zone zone: protect is false", id="protected"),
    pytest.param(
        _OPEN_HOST,
        "error: policy access-bypass-host: ZeroTrustAccessApplication app: destinations is app.example.com",
        id="access-bypass-host",
    ),
]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the repository's rules and a program of its own."""
    (tmp_path / "policy").symlink_to(PROJECT / "policy")
    (tmp_path / "Pulumi.yaml").write_text("name: toy\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    return tmp_path


@pytest.fixture
def run(project: Path) -> Run:
    """`gatehouse COMMAND` on a program."""

    def call(command: str, program: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (project / "__main__.py").write_text(_PROGRAM + program)
        return subprocess.run(
            [sys.executable, "-m", "gatehouse.cli", "-C", str(project), command, "--stack", "dev", "--simulated"],
            cwd=PROJECT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return call


def _made(project: Path) -> list[str]:
    """What the simulated clouds were asked to make for good."""
    log = project / ".gatehouse" / "simulated" / "clouds" / "clouds.json.calls.jsonl"
    calls = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    return [call["name"] for call in calls if call["method"] == "create" and not call.get("preview")]


@pytest.mark.engine
def test_the_engine_asks_the_pack_and_a_careful_program_passes(run: Run, project: Path) -> None:
    for command in ("preview", "up"):
        done = run(command, _CAREFUL)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Policy: 15 rules hold (asked by the engine, as a policy pack, and of the program)" in done.stdout
    assert _made(project) == ["zone"]


@pytest.mark.engine
def test_the_engine_tells_the_pack_by_which_component_a_login_is_registered(run: Run) -> None:
    done = run("preview", _LOGIN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Policy: 15 rules hold (asked by the engine" in done.stdout
    other = run("preview", _LOGIN.replace("gatehouse:index:Login", "mine:index:Login"))
    assert (other.returncode, "policy access-declared-login" in other.stdout) == (1, True)


@pytest.mark.engine
@pytest.mark.parametrize("path", ["family/Pulumi.villa.yaml", "developer/Pulumi.desk.yaml"])
def test_no_rule_of_the_pack_refuses_a_home_with_logins_tokens_and_terms(path: str, tmp_path: Path) -> None:
    for part in PROJECT.iterdir():
        if not part.name.startswith((".", "Pulumi.")):
            (tmp_path / part.name).symlink_to(part)
    stack = PROJECT / "examples" / path
    for part in (PROJECT / "Pulumi.yaml", stack):
        shutil.copy(part, tmp_path)
    words = [sys.executable, "-m", "gatehouse.cli", "-C", str(tmp_path), "preview", "--simulated"]
    done = subprocess.run(
        [*words, "--stack", stack.name.split(".")[1]], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout.count("(asked by the engine, as a policy pack")) == (0, 1), done.stdout


@pytest.mark.engine
@pytest.mark.parametrize(("program", "said"), _BROKEN)
def test_the_engine_refuses_a_preview_that_breaks_a_rule(run: Run, program: str, said: str) -> None:
    done = run("preview", program)
    assert done.returncode == 1
    assert said in " ".join(done.stdout.split())
    assert "preview failed" in done.stderr


@pytest.mark.engine
@pytest.mark.parametrize(("program", "said"), _BROKEN)
def test_up_touches_nothing_where_a_rule_is_broken(run: Run, project: Path, program: str, said: str) -> None:
    done = run("up", program)
    assert done.returncode == 1
    assert "nothing was touched" in done.stderr
    assert said in " ".join(done.stderr.split())
    assert _made(project) == []


@pytest.mark.engine
def test_where_the_engine_cannot_run_the_pack_the_rules_are_asked_of_the_program(run: Run) -> None:
    done = run("preview", _UNPROTECTED, PULUMI_IGNORE_AMBIENT_PLUGINS="true")
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "error: policy protected: Zone zone" in said
    assert (
        "1 of 15 rules broken (asked of the program, not by the engine: PULUMI_IGNORE_AMBIENT_PLUGINS is set)" in said
    )


# --- what the engine gets


def test_the_engine_gets_an_executable_that_serves_the_pack(project: Path) -> None:
    for _ in range(2):
        (script,) = map(Path, pack_for(project, {}).policy_packs)
        assert os.access(script, os.X_OK)
        assert script.read_text().splitlines()[1:] == [
            f'exec {sys.executable} -u -m pulumi.policy "$1" {project / "policy"}'
        ]
        # The engine shows the description and the version that stand beside it.
        assert (script.parent / "PulumiPolicy.yaml").read_text() == (
            PROJECT / "policy" / "PulumiPolicy.yaml"
        ).read_text()
        assert {p.name for p in script.parent.iterdir()} == {script.name, "PulumiPolicy.yaml"}
        # One from an environment that is gone is written anew.
        script.write_text("#!/bin/sh\nexec /gone/python\n")


def test_another_programs_project_is_asked_no_rules(tmp_path: Path) -> None:
    assert pack_for(tmp_path, {}).policy_packs == []


# --- what is shown of the engine's events


def _event(level: str, policy: str) -> EngineEvent:
    message = "What must hold.\nZone zone: protect is false.\n"
    return EngineEvent(
        0, 0, policy_event=PolicyEvent(message, "never", policy, "gatehouse", "0.1.0", "0.1.0", level, "urn:z")
    )


def test_a_mandatory_finding_is_an_error_and_advice_is_left_to_the_rules_of_the_program() -> None:
    progress = Progress("previewing", quiet=True)
    progress.on_event(_event("mandatory", "protected"))
    progress.on_event(_event("advisory", "not-judged"))
    assert [str(message) for message in progress.messages] == ["error: policy protected: Zone zone: protect is false."]
