"""`gatehouse` as on real clouds (its own backend, passphrase, secrets and credentials), on simulated providers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gatehouse.engine.acquire import Engine
from gatehouse.simulation.launch import SimulatedClouds
from tests.engine.kit import Project


class RealProject:
    """A project whose stack is set up by hand, with the engine's own commands."""

    def __init__(self, project: Project, engine: Engine, state: Path, variables: Mapping[str, str]) -> None:
        self.project = project
        self.engine = engine
        self.state = state
        self.home = project.folder.parent / "home"
        self.variables = {
            "PULUMI_HOME": str(self.home),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # Nobody listens there: no test asks a real account.
            "CLOUDFLARE_BASE_URL": "http://127.0.0.1:9/client/v4",
            "TAILSCALE_BASE_URL": "http://127.0.0.1:9",
            **variables,
        }

    def pulumi(self, *words: str, text: str | None = None, errors: bool = False) -> str:
        """Runs the engine; gives what it prints, or what it says beside that."""
        done = subprocess.run(
            [str(self.engine.path), "--non-interactive", *words],
            cwd=self.project.folder,
            env={**os.environ, **self.variables, **self.project.env, "PULUMI_OPTION_VERBOSE": "0"},
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr if errors else done.stdout

    def set_up(self, secrets: Mapping[str, str], stack: str = "alfred") -> None:
        """Makes the stack and sets its secrets, as docs/operate.md has it."""
        self.pulumi("stack", "init", stack)
        for key, value in secrets.items():
            self.pulumi("config", "set", "--secret", key, "--stack", stack, text=value)

    @contextmanager
    def attached(self) -> Iterator[Project]:
        """Inside, runs meet the simulated clouds and take them for real."""
        with SimulatedClouds(self.state, namespaces=["web", "other"]) as clouds:
            self.project.env = {**self.variables, **clouds.env, "GATEHOUSE_TEST_CLOUDS": str(self.state)}
            yield self.project
            self.project.env = dict(self.variables)
