"""The engine's lock on a stack of a local file backend: who holds it, and whether that run still goes on."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gatehouse.engine.backend import local_folder


@dataclass(frozen=True)
class Lock:
    """A lock's file, and what it says of its holder: process id, machine, time [PU pkg/backend/diy/lock.go]."""

    path: Path
    pid: int
    host: str
    since: datetime

    @property
    def is_left_over(self) -> bool:
        """Whether its run is over: its process is gone from this machine, or another one has its number by now."""
        if self.host != socket.gethostname():
            return False
        with suppress(OSError):
            # Linux tells what a process is, and whether it is dead and only not yet waited for (Z, X) [proc(5)];
            # elsewhere a process of that number counts as the lock's.
            name, _, state = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")
            if "pulumi" not in name or state.split()[0] in ("Z", "X"):
                return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def __str__(self) -> str:
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"process {self.pid}{where}, since {self.since.astimezone():%Y-%m-%d %H:%M:%S}"


def locks(backend: str, folder: Path, project: str, stack: str) -> list[Lock]:
    """The locks on a stack; none where the backend is no local folder, for only the engine can tell then.

    Args:
        backend: the backend's URL (`file://.?metadata=skip`, `file://~`).
        folder: what the URL is relative to: the one that Pulumi.yaml is in.
        project: the project's name.
        stack: the stack's.
    """
    root = local_folder(backend, folder)
    found = []
    for path in sorted((root / "locks" / "organization" / project / stack).glob("*.json")) if root else ():
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(path.read_text(encoding="utf-8"))
            since = datetime.fromisoformat(str(said["timestamp"]))
            found.append(Lock(path, int(said["pid"]), str(said["hostname"]), since))
    return found
