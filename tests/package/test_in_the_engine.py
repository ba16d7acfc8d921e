"""The package as the engine runs it: a plugin of its own process, asked for the YAML example's components.

Pulumi's YAML and Node.js language hosts are in no Python package, so a program in Python stands in for the example's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from package.provider import schema
from tests.kit.builders import PROJECT

pytestmark = pytest.mark.engine
_EXAMPLE = PROJECT / "examples" / "yaml" / "Pulumi.yaml"
# The example's resources as remote components, which is what Pulumi's YAML makes of them.
_PROGRAM = """
import json, os, re
import pulumi, pulumi_kubernetes, yaml
from components.sdk import cloudflare

kinds = json.load(open(os.environ["SCHEMA"]))["resources"]
document = yaml.safe_load(open("example.yaml"))
options = pulumi.ResourceOptions(
    providers=[cloudflare.Provider("cloudflare"), pulumi_kubernetes.Provider("kubernetes", context="home")]
)
known = {"accountId": "0" * 32}
for name in ("clientSecret", "tunnelSecret"):
    known[name] = pulumi.Output.secret("c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=")

def value(of):
    if isinstance(of, dict):
        return {k: value(v) for k, v in of.items()}
    if isinstance(of, list):
        return [value(v) for v in of]
    found = re.fullmatch(r"\\$\\{(\\w+)(?:\\.(\\w+))?\\}", of) if isinstance(of, str) else None
    if not found:
        return of
    return getattr(known[found[1]], found[2]) if found[2] else known[found[1]]

for name, resource in document["resources"].items():
    token = resource["type"].replace(":", ":index:")
    outputs = dict.fromkeys(kinds[token]["properties"])
    inputs = {**outputs, **value(resource["properties"])}
    known[name] = pulumi.ComponentResource(token, name, inputs, options, remote=True)
for name, of in document["outputs"].items():
    pulumi.export(name, value(of))
"""

Run = Callable[..., str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "policy").symlink_to(PROJECT / "policy")
    (tmp_path / "Pulumi.yaml").write_text("name: toy\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "__main__.py").write_text(_PROGRAM)
    (tmp_path / "example.yaml").write_text(_EXAMPLE.read_text())
    (tmp_path / "schema.json").write_text(json.dumps(schema()))
    plugin = tmp_path / "bin" / "pulumi-resource-gatehouse"
    plugin.parent.mkdir()
    # What Pulumi's Python host does with a PulumiPlugin.yaml: run the folder with the engine's address.
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROJECT / "package"}" "$@"\n')
    plugin.chmod(0o755)
    return tmp_path


@pytest.fixture
def run(project: Path) -> Run:
    def call(command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gatehouse.cli", "-C", str(project), command, "--stack", "dev", "--simulated"],
            cwd=PROJECT,
            env={
                **os.environ,
                "PATH": f"{project / 'bin'}:{os.environ['PATH']}",
                "SCHEMA": str(project / "schema.json"),
            },
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


def calls(project: Path, method: str) -> list[str]:
    log = project / ".gatehouse" / "simulated" / "clouds" / "clouds.json.calls.jsonl"
    made = [json.loads(line) for line in log.read_text().splitlines()]
    return [c["name"] for c in made if c["method"] == method and not c.get("preview")]


def test_the_yaml_examples_components_come_up_keep_the_rules_and_change_gate(run: Run, project: Path) -> None:
    up = run("up")
    assert "rules hold (asked by the engine, as a policy pack" in up
    made = calls(project, "create")
    hosts = ["wiki.example.com", "blog.example.com", "www.example.com"]
    assert {"zone-zone", "wiki.example.com/api", *hosts, "connector-deployment"} <= set(made)
    # Born locked: the application, the rules, and the record, named after the host like the application.
    locked, born = (n for n, name in enumerate(made) if name == "wiki.example.com")
    assert locked < made.index("routes-rules") < born

    example: dict[str, Any] = yaml.safe_load((project / "example.yaml").read_text())
    blog = example["resources"]["routes"]["properties"]["routes"][1]
    del blog["public"]
    blog["people"] = ["household"]
    (project / "example.yaml").write_text(yaml.safe_dump(example, sort_keys=False))
    run("up")
    # The records stay, with another component above them, and all else as it was.
    assert sorted(calls(project, "create")[len(made) :]) == ["blog.example.com", "www.example.com"]
    assert calls(project, "delete") == []
