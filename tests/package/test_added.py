"""A stranger's program: from `pulumi package add` of a git tag to a preview by the real engine, in each language.

Needs Pulumi's language hosts, which come with the official CLI, and a package registry. With an engine of another
origin, or none of a language's tools, the language is skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import VERSION
from gatehouse.engine.acquire import Engine
from gatehouse.simulation.launch import SimulatedClouds
from package.provider import schema
from tests.docs import components as pages
from tests.kit.builders import PROJECT
from tests.package.test_package import ACCOUNT, SECRETS, by_hand_recorded, of_clouds

pytestmark = [pytest.mark.engine, pytest.mark.slow]
EXAMPLES = PROJECT / "examples"
PACKAGE = f"github.com/OWNER/gatehouse/package@v{VERSION}"
TOOLS = {"yaml": ("yaml", None), "typescript": ("nodejs", "npm"), "python": ("python", None), "go": ("go", "go")}


@dataclass
class Stranger:
    """Somebody with the CLI, whose clouds are simulated."""

    pulumi: Path
    home: Path
    env: dict[str, str]

    def says(self, *arguments: str | Path, cwd: Path) -> str:
        """What a command says that does what it should."""
        done = self.run(*arguments, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        """A command of the CLI."""
        command = [self.pulumi, *arguments, "--non-interactive", "--color=never"]
        return subprocess.run(command, cwd=cwd, env=self.env, capture_output=True, text=True, timeout=600)

    def host(self, language: str) -> str | None:
        """Where the host of a language is."""
        return shutil.which(f"pulumi-language-{language}", path=self.env["PATH"])

    def project(self, example: str, stack: str | None = None) -> Path:
        """An example's program with a stack, without the package."""
        folder = self.home / (stack or example)
        shutil.copytree(EXAMPLES / example, folder, ignore=shutil.ignore_patterns("sdks", "node_modules", ".venv"))
        settings = yaml.safe_load((folder / "Pulumi.yaml").read_text())
        del settings["packages"]
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
        self.says("stack", "init", stack or example, cwd=folder)
        self.says("config", "set", "accountId", ACCOUNT, cwd=folder)
        for key, value in SECRETS.items():
            self.says("config", "set", "--secret", key, value, cwd=folder)
        return folder


def git(*arguments: str | Path, cwd: Path) -> bytes:
    named = ["-c", "user.name=Gatehouse", "-c", "user.email=gatehouse@example.com", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *named, *arguments], cwd=cwd, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def stranger(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    home = tmp_path_factory.mktemp("stranger")
    path = f"{engine.path.parent}{os.pathsep}{os.environ['PATH']}"
    if shutil.which("pulumi-language-python", path=path) is None:
        pytest.skip("the language hosts come with Pulumi's official CLI, and this engine has none")
    # The repository as it is here, with the release's tag.
    repository = home / "forge" / "OWNER" / "gatehouse.git"
    for name in git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=PROJECT).decode().split("\0"):
        if name and (PROJECT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, repository / name)
    git("init", "--quiet", cwd=repository)
    git("add", "--all", "--force", cwd=repository)
    git("commit", "--quiet", "--message=A release", cwd=repository)
    git("tag", f"v{VERSION}", cwd=repository)
    # Pulumi's own plugins are simulated: it looks only whether they are installed.
    for name, version in re.findall(
        r"^pulumi-(\w+)==(\S+)", (PROJECT / "package" / "requirements.txt").read_text(), re.MULTILINE
    ):
        plugin = home / "pulumi" / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}"
        plugin.parent.mkdir(parents=True)
        plugin.write_text("#!/bin/sh\nexit 1\n")
        plugin.chmod(0o755)
    command = [sys.executable, "-m", "tests.package.forge", str(repository.parents[1]), str(home / "ca.pem")]
    with (
        subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as forge,
        SimulatedClouds(home / "clouds" / "clouds.json") as clouds,
    ):
        assert forge.stdout
        port = forge.stdout.readline().strip()
        trusted = Path(ssl.get_default_verify_paths().cafile or "")
        (home / "trusted.pem").write_text(
            "\n".join(file.read_text() for file in (home / "ca.pem", trusted) if file.is_file())
        )
        (home / "state").mkdir()
        env = {
            **os.environ,
            **clouds.env,
            "PATH": path,
            "HTTPS_PROXY": f"http://127.0.0.1:{port}",
            "SSL_CERT_FILE": str(home / "trusted.pem"),
            "PULUMI_HOME": str(home / "pulumi"),
            "PULUMI_BACKEND_URL": f"file://{home / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "GOFLAGS": "-mod=mod",
        }
        try:
            yield Stranger(engine.path, home, env)
        finally:
            forge.kill()


@pytest.mark.parametrize("example", TOOLS)
def test_a_program_goes_from_package_add_of_a_tag_to_what_the_components_make(stranger: Stranger, example: str) -> None:
    language, tool = TOOLS[example]
    if stranger.host(language) is None or (tool and shutil.which(tool) is None):
        pytest.skip(f"no pulumi-language-{language}, or no {tool}")
    project = stranger.project(example)
    stranger.says("package", "add", PACKAGE, cwd=project)
    assert PACKAGE.partition("@")[0] in (project / "Pulumi.yaml").read_text()
    stranger.says("install", cwd=project)
    steps: list[dict[str, Any]] = json.loads(stranger.says("preview", "--json", cwd=project))["steps"]
    clouds = ("cloudflare:", "kubernetes:", "tailscale:")
    made = {step["urn"].split("::")[3] for step in steps if step["newState"]["type"].startswith(clouds)}
    assert made == {resource.name for resource in of_clouds(by_hand_recorded(True)).values()}
    assert {step["op"] for step in steps} == {"create"}


def test_what_would_open_a_host_is_refused_with_its_property(stranger: Stranger) -> None:
    if stranger.host("yaml") is None:
        pytest.skip("no pulumi-language-yaml")
    project = stranger.project("yaml", "refused")
    stranger.says("package", "add", PACKAGE, cwd=project)
    program = (project / "Pulumi.yaml").read_text()
    (project / "Pulumi.yaml").write_text(program.replace("/api:", "api:"))
    refused = stranger.run("preview", cwd=project)
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    assert "property routes[0].paths.api with value" in said or "property routes[0].paths.api has" in said, said
    assert "Traceback" not in said


@pytest.mark.parametrize("language", pages.LANGUAGES)
def test_the_pages_examples_are_pulumis_conversions(stranger: Stranger, language: str) -> None:
    host = {"typescript": "nodejs", "csharp": "dotnet"}.get(language, language)
    if stranger.host(host) is None or shutil.which("pulumi-converter-yaml", path=stranger.env["PATH"]) is None:
        pytest.skip(f"no pulumi-language-{host}, or no pulumi-converter-yaml")
    # Those with the most in them: all twelve take minutes.
    kinds = ("TunnelRoutes", "PortForward")
    programs = {kind: pages.examples(kind)["yaml"] for kind in kinds}
    made = pages.converted(str(stranger.pulumi), programs, language, stranger.env)
    assert made == {kind: pages.examples(kind)[language] for kind in kinds}


@pytest.mark.parametrize("language", ["nodejs", "python", "go", "dotnet", "java"])
def test_pulumi_makes_an_sdk_of_the_schema(stranger: Stranger, language: str) -> None:
    if stranger.host(language) is None:
        pytest.skip(f"no pulumi-language-{language}")
    (stranger.home / "schema.json").write_text(json.dumps(schema()))
    command = ("package", "gen-sdk", "schema.json", f"--language={language}", "--out=made")
    stranger.says(*command, cwd=stranger.home)
    assert any((stranger.home / "made" / language).rglob("*unnelRoutes*")) or language == "python"
