"""Whose lock it is that stands in the way, in the form that the engine writes (pulumi pkg/backend/diy/lock.go)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gatehouse.engine.lock import locks


def lock(folder: Path, pid: int, host: str = "", stack: str = "alfred") -> Path:
    where = folder / ".pulumi" / "locks" / "organization" / "gatehouse" / stack
    where.mkdir(parents=True, exist_ok=True)
    said = {
        "pid": pid,
        "username": "ann",
        "hostname": host or socket.gethostname(),
        "timestamp": "2026-11-29T01:02:03.123456789+01:00",
    }
    path = where / f"{pid}.json"
    path.write_text(json.dumps(said))
    return path


def test_a_lock_says_who_holds_it_and_since_when(tmp_path: Path) -> None:
    lock(tmp_path, 4711, host="nuc")
    lock(tmp_path, 4712, stack="octavo")
    [found] = locks("file://.?metadata=skip", tmp_path, "gatehouse", "alfred")
    assert (found.pid, found.host) == (4711, "nuc")
    assert str(found).startswith("process 4711 on nuc, since 2026-11-2")
    assert not found.is_left_over, "nobody can tell from here"


def test_the_lock_of_a_process_that_is_gone_is_left_over(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    lock(tmp_path, gone.pid)
    [found] = locks(f"file://{tmp_path}", Path("/elsewhere"), "gatehouse", "alfred")
    assert found.is_left_over


def test_a_number_that_another_program_has_by_now_holds_nothing(tmp_path: Path) -> None:
    """This test's own process lives, and is no engine."""
    lock(tmp_path, os.getpid())
    [found] = locks("file://.", tmp_path, "gatehouse", "alfred")
    assert found.is_left_over


def test_an_engine_that_is_at_work_keeps_its_lock(tmp_path: Path) -> None:
    engine = tmp_path / "pulumi"
    engine.symlink_to("/bin/sleep")
    with subprocess.Popen([engine, "30"]) as process:
        try:
            lock(tmp_path, process.pid)
            [found] = locks("file://.", tmp_path, "gatehouse", "alfred")
            assert not found.is_left_over
        finally:
            process.kill()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells")
def test_a_dead_engine_that_nobody_waited_for_holds_nothing(tmp_path: Path) -> None:
    engine = tmp_path / "pulumi"
    engine.symlink_to("/bin/true")
    process = subprocess.Popen([engine])
    lock(tmp_path, process.pid)
    # It stays as a zombie until it is waited for.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    [found] = locks("file://.", tmp_path, "gatehouse", "alfred")
    assert found.is_left_over
    assert process.wait() == 0


def test_other_backends_and_broken_files_say_nothing(tmp_path: Path) -> None:
    path = lock(tmp_path, 1)
    assert locks("s3://bucket", tmp_path, "gatehouse", "alfred") == []
    assert locks("", tmp_path, "gatehouse", "alfred") == []
    path.write_text("{")
    assert locks("file://.", tmp_path, "gatehouse", "alfred") == []
