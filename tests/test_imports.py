"""What is decided without Pulumi is answered without it: in a fraction of a second, with no account."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.kit.builders import PROJECT

HEAVY = {"pulumi", "pulumi_cloudflare", "pulumi_tailscale", "pulumi_kubernetes", "grpc", "rich", "jsonschema"}
# What the probe asks with.
HEAVY |= {"httpx", "dns", "stamina", "ssl", "asyncio"}

# One fresh process looks after each step, for all the tests: what a step imports is there for the later ones too, which
# takes nothing from a test of absence. The control, where everything heavy is seen, comes last.
_COMMANDS = (
    ["check"],
    ["explain"],
    ["check", "--json"],
    ["explain", "--stack", "octavo", "--json"],
    ["schema"],
    ["prove"],
    ["verify", "--list"],
)
_LOOK = """
import contextlib, importlib, io, json, pkgutil, sys
found = []
def looked(code=None):
    found.append([code, sorted(sys.modules)])
import config, exposure
for package in (config, exposure):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
looked()
from gatehouse import cli
for command in json.loads(sys.argv[2]):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = cli.main(["-C", sys.argv[1], *command])
    assert said.getvalue(), "it said nothing"
    looked(code)
import gatehouse.offline
looked()
print(json.dumps(found))
"""
Looked = Sequence[tuple[int | None, set[str]]]


@pytest.fixture(scope="module")
def looked() -> Looked:
    """Exit code, where there is one, and what has been imported: after the packages, each command, the offline plan."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOK, str(PROJECT), json.dumps(_COMMANDS)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(code, set(modules)) for code, modules in json.loads(done.stdout.splitlines()[-1])]


def test_config_and_exposure_import_neither_pulumi_nor_a_provider_sdk(looked: Looked) -> None:
    _, modules = looked[0]
    assert {"config.loader", "exposure.plan", "exposure.check", "exposure.rules"} <= modules
    assert not HEAVY & modules


def test_the_offline_plan_does_import_them(looked: Looked) -> None:
    # The control: the way of looking sees them where they are.
    _, modules = looked[-1]
    assert "pulumi" in modules


@pytest.mark.parametrize("which", range(1, len(_COMMANDS) + 1), ids=[" ".join(command) for command in _COMMANDS])
def test_a_command_that_needs_neither_imports_neither(looked: Looked, which: int) -> None:
    code, modules = looked[which]
    assert code == 0
    # The control: it did work it out.
    assert f"gatehouse.commands.{_COMMANDS[which - 1][0]}" in modules
    assert not HEAVY & modules
