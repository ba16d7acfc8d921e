"""The process: it starts, answers on loopback, and never stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gatehouse.simulation.launch import SimulatedClouds, SimulationError


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child that ended and was not waited for is still listed.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def _ends(pid: int) -> bool:
    until = time.monotonic() + 10
    while _lives(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not _lives(pid)


def test_the_clouds_start_give_the_engine_its_variable_and_stop(tmp_path: Path) -> None:
    with SimulatedClouds(tmp_path / "clouds.json") as clouds:
        attached = dict(one.split(":") for one in clouds.env["PULUMI_DEBUG_PROVIDERS"].split(","))
        assert set(attached) == {"cloudflare", "tailscale", "kubernetes"}
        assert all(0 < int(port) < 65536 for port in attached.values())
        pid = clouds.pid
        assert _lives(pid)
    assert _ends(pid)
    assert clouds.env == {}


def test_a_file_that_is_not_theirs_is_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "clouds.json"
    path.write_text("[]")
    with pytest.raises(SimulationError, match="is not a file of the simulated clouds"), SimulatedClouds(path):
        pass


def test_a_start_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    clouds = SimulatedClouds(tmp_path / "clouds.json", start_seconds=0.01)
    clouds.begin()
    pid = clouds.pid
    with pytest.raises(SimulationError, match="did not start within"), clouds:
        pass
    assert _ends(pid)


def test_no_orphan_stays_when_the_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from gatehouse.simulation.launch import SimulatedClouds\n"
        "with SimulatedClouds(pathlib.Path(sys.argv[1])) as clouds:\n"
        "    print(clouds.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "clouds.json")], cwd=root, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _lives(pid)
        parent.send_signal(signal.SIGKILL)
    assert _ends(pid)
