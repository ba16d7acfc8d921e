"""Processes measured whole: wall time, processor time and peak memory, interleaved, with medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall, seconds of processor (user and system), peak memory in MB."""

    wall: float
    cpu: float
    memory: float


def python(*arguments: str) -> list[str]:
    """The command line of this very Python."""
    return [sys.executable, *arguments]


def once(command: Sequence[str]) -> Cost:
    """One run of a command, with what it started. Raises RuntimeError where it fails."""
    # With it Python would compile our own modules anew each time, and the packages, which are compiled, not.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {said.decode(errors='replace')[-2000:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2))


def medians(commands: Mapping[str, Sequence[str]], times: int) -> dict[str, Cost]:
    """The median costs of each command. They take turns, so that what else the machine does falls on all alike."""
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for command in commands.values():
        # Compiled files and the disk's cache are there from now on.
        once(command)
    for _ in range(times):
        for name, command in commands.items():
            found[name].append(once(command))
    return {name: _median(costs) for name, costs in found.items()}


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(c, key) for c in costs) for key in ("wall", "cpu", "memory")))
