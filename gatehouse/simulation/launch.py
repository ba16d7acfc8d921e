"""Starts and stops the process of the simulated clouds."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5.0


class SimulationError(Exception):
    """The simulated clouds did not start; the text says why."""


class SimulatedClouds:
    """A context manager: inside it the simulated clouds run and `env` attaches an engine to them.

    `begin()` may be called before, to start the process while something else is done; entering then waits.
    """

    def __init__(
        self,
        state: Path,
        *,
        namespaces: Iterable[str] = (),
        services: Iterable[str] = (),
        start_seconds: float = _START_SECONDS,
    ) -> None:
        """Takes the file of the simulated objects (made if missing) and the world's settings.

        `namespaces` and `services` (`<namespace>/<name>:<port>/<protocol>,…`) are there in each cluster from the start.
        """
        self.state = state.absolute()
        self.env: dict[str, str] = {}
        self._arguments = ["--state", str(self.state)]
        self._arguments += [f"--namespace={name}" for name in namespaces]
        self._arguments += [f"--service={text}" for text in services]
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The file with what the process writes besides the ports: faults of the simulation itself."""
        return self.state.with_name(self.state.name + ".log")

    @property
    def pid(self) -> int:
        """The process's id; raises `SimulationError` where it does not run."""
        if self._process is None:
            raise SimulationError("The simulated clouds are not running.")
        return self._process.pid

    def begin(self) -> None:
        """Starts the process and does not wait for it."""
        if self._process is not None:
            return
        self.state.parent.mkdir(parents=True, exist_ok=True)
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gatehouse.simulation", *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "GRPC_VERBOSITY": "NONE"},
                start_new_session=True,  # A Ctrl-C is for the engine, which still needs its clouds to stop well.
            )

    def __enter__(self) -> SimulatedClouds:
        """Waits until the clouds answer; raises `SimulationError` where they do not."""
        self.begin()
        try:
            ports = self._ports()
        except BaseException:
            self.stop()
            raise
        attached = ",".join(f"{name}:{port}" for name, port in ports.items())
        self.env = {"PULUMI_DEBUG_PROVIDERS": attached}
        return self

    def _ports(self) -> dict[str, int]:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        # The line is shorter than a pipe's buffer, so it comes whole.
        ready, _, _ = select.select([process.stdout], [], [], self._start_seconds)
        if not ready:
            raise SimulationError(
                f"The simulated clouds did not start within {self._start_seconds:.0f} s; see {self.log}."
            )
        line = process.stdout.readline()
        if not line:
            code = process.wait()
            words = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise SimulationError(words[-1] if words else f"The simulated clouds ended at once (exit code {code}).")
        ports: dict[str, int] = json.loads(line)
        return ports

    def again(self) -> None:
        """Starts the process again where it has ended, as an engine starts a plugin again that crashed.

        Raises `SimulationError` where it does not answer.
        """
        if self._process is not None and self._process.poll() is not None:
            self.stop()
            self.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the clouds."""
        self.stop()

    def end(self) -> None:
        """Closes the process's stdin, so that it ends, and does not wait for it; `stop` does."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self) -> None:
        """Stops the process: closes its stdin, then, where that is not enough, ends it."""
        self.end()
        process, self._process = self._process, None
        self.env = {}
        if process is None:
            return
        if process.stdout is not None:
            process.stdout.close()
        for end in (process.terminate, process.kill):
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                end()
        process.wait()
