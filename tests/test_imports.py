"""What is decided without Pulumi is answered without it: in a fraction of a second, with no account."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.kit.builders import PROJECT

HEAVY = ("pulumi", "pulumi_cloudflare", "pulumi_tailscale", "pulumi_kubernetes", "grpc")

_IMPORT_ALL = """
import importlib, json, pkgutil, sys
import config, exposure
for package in (config, exposure):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""
_RUN_COMMAND = """
import contextlib, io, json, sys
from gatehouse import cli
with contextlib.redirect_stdout(io.StringIO()) as said:
    code = cli.main(sys.argv[1:])
assert said.getvalue(), "it said nothing"
print(json.dumps([code, sorted(sys.modules)]))
"""


def _python(code: str, *arguments: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_config_and_exposure_import_neither_pulumi_nor_a_provider_sdk() -> None:
    modules = _python(_IMPORT_ALL)
    assert isinstance(modules, list)
    assert {"config.loader", "exposure.plan", "exposure.check", "exposure.rules"} <= set(modules)
    assert not set(HEAVY) & set(modules)


def test_the_offline_plan_does_import_them() -> None:
    # The control: the way of looking sees them where they are.
    modules = _python("import json, sys, gatehouse.offline; print(json.dumps(sorted(sys.modules)))")
    assert isinstance(modules, list)
    assert "pulumi" in modules


@pytest.mark.parametrize(
    "command", [["check"], ["explain"], ["check", "--json"], ["explain", "--stack", "octavo", "--json"]]
)
def test_check_and_explain_import_neither(command: list[str]) -> None:
    answer = _python(_RUN_COMMAND, "-C", str(PROJECT), *command)
    assert isinstance(answer, list)
    code, modules = answer
    assert code == 0
    assert not set(HEAVY) & set(modules)
