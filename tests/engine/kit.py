"""Runs of the real command line, by the real engine, on simulated clouds; quick, recorded, and killed where wanted."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from gatehouse.simulation import tamper
from tests.simulation.calls import history, read_calls, write_plan

ROOT = Path(__file__).parents[2]
Object = dict[str, Any]
_LIMIT = 120.0
_CLOUDS = Path(".gatehouse") / "simulated" / "clouds" / "clouds.json"


@dataclass(frozen=True)
class Run:
    """What a run did: its exit code (negative where it was killed), what it printed, the engine's events."""

    command: str
    code: int
    out: str
    err: str
    events: list[Object] = field(repr=False)
    seconds: float

    @cached_property
    def steps(self) -> dict[str, str]:
        """The operation on each resource (logical name and short type) that was not left as it was."""
        return {name: op for name, op in self.all_steps.items() if op not in ("same", "read")}

    @cached_property
    def all_steps(self) -> dict[str, str]:
        """As `steps`, with what was left as it was."""
        found: dict[str, str] = {}
        for event in self.events:
            step = event.get("resource_pre_event") or event.get("res_outputs_event")
            if not step:
                continue
            about = step["metadata"]
            urn, op = about["urn"], about["op"]
            if op in ("replace", "create-replacement", "delete-replaced"):
                op = "replace"
            name = short(urn)
            if op == "refresh":
                continue
            if event.get("res_outputs_event") and name in found:
                continue
            found[name] = "replace" if found.get(name) == "replace" else op
        return found

    @property
    def counts(self) -> dict[str, int]:
        """The engine's own summary: how many resources by operation."""
        for event in reversed(self.events):
            if event.get("summary_event"):
                return dict(event["summary_event"]["resource_changes"])
        return {}

    @property
    def changes(self) -> dict[str, int]:
        """`counts` without what was left as it was."""
        return {op: number for op, number in self.counts.items() if op not in ("same", "read")}

    @property
    def text(self) -> str:
        """All that was printed."""
        return self.out + self.err


def short(urn: str) -> str:
    """A resource as `DnsRecord/grafana-alfred.example.com`."""
    return f"{urn.split('::')[2].rsplit('$', 1)[-1].rsplit(':', 1)[-1]}/{urn.split('::', 3)[3]}"


class Host:
    """The process that forks the runs."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.host"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "GRPC_VERBOSITY": "NONE", "NO_COLOR": "1"},
        )
        self._rest = b""

    def close(self) -> None:
        """Ends it."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def run(self, request: Object, doom: Callable[[], bool] | None = None) -> int:
        """Runs; gives the exit code. Kills the run and its engine, without warning, once `doom` says so."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        pid = int(self._line(_LIMIT)["pid"])
        try:
            return self._end_of(pid, doom)
        except Exception:
            # Its end is told too, and must not be taken for the next run's.
            _kill(pid)
            self._line(_LIMIT)
            said = "".join(Path(request[name]).read_text(errors="replace") for name in ("out", "err"))
            print(f"{request['argv']} was killed, having said:\n{said}")
            raise

    def _end_of(self, pid: int, doom: Callable[[], bool] | None) -> int:
        until = time.monotonic() + _LIMIT
        while True:
            with suppress(TimeoutError):
                return int(self._line(0.02 if doom else _LIMIT)["code"])
            if doom is None or time.monotonic() > until:
                raise TimeoutError(f"it took more than {_LIMIT} s")
            if doom():
                _kill(pid)
                doom = None

    def _line(self, seconds: float) -> Object:
        assert self._process.stdout
        until = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(self._process.stdout.fileno(), 65536)
            if not part:
                raise RuntimeError("the host of the runs ended")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        answer: Object = json.loads(line)
        return answer


def _kill(pid: int) -> None:
    """SIGKILL for the engine, then for the run itself; the simulated clouds end by themselves."""
    children = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += [int(word) for word in (task / "children").read_text().split()]
    for child in children:
        with suppress(OSError):
            if b"gatehouse.simulation" not in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)


class Project:
    """A project of its own in a folder, whose program is the repository's."""

    def __init__(self, folder: Path, host: Host) -> None:
        self.folder = folder
        self.host = host
        self.env: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("Pulumi.yaml", "__main__.py"):
            shutil.copy(ROOT / name, folder / name)

    @property
    def clouds(self) -> Path:
        """The file of the simulated clouds."""
        return self.folder / _CLOUDS

    def write(self, stack: str, text: str) -> None:
        """Writes the stack's file."""
        (self.folder / f"Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")

    def run(
        self,
        command: str,
        *words: str,
        stack: str = "alfred",
        doom: Callable[[], bool] | None = None,
        simulated: bool = True,
    ) -> Run:
        """Runs `gatehouse <command> --stack <stack> --simulated <words>`."""
        logs = self.folder / ".gatehouse" / "runs"
        logs.mkdir(parents=True, exist_ok=True)
        number = len(list(logs.glob("*.out")))
        paths = {name: str(logs / f"{number:02d}.{name}") for name in ("events", "out", "err")}
        argv = [command, "--stack", stack, *(["--simulated"] if simulated else []), *words]
        request = {"argv": argv, "project": str(self.folder)}
        begun = time.monotonic()
        code = self.host.run({**request, **paths, "env": self.env}, doom)
        seconds = time.monotonic() - begun
        events = []
        with suppress(FileNotFoundError):
            for line in Path(paths["events"]).read_text(encoding="utf-8").splitlines():
                with suppress(json.JSONDecodeError):  # the last line of a run that was killed
                    events.append(json.loads(line))
        out, err = (Path(paths[name]).read_text(encoding="utf-8", errors="replace") for name in ("out", "err"))
        return Run(command, code, out, err, events, seconds)

    def ok(self, command: str, *words: str, stack: str = "alfred") -> Run:
        """As `run`, for what has to go well."""
        done = self.run(command, *words, stack=stack)
        assert done.code == 0, f"{command} {stack}: {done.code}\n{done.out}\n{done.err}"
        return done

    def killed(self, command: str, *faults: Object, stack: str = "alfred", settle: float = 0.15) -> Run:
        """Runs until a fault that hangs has struck, leaves the engine `settle` seconds to write, then kills all."""
        self.faults(*faults)
        before = len(self.calls())
        struck: list[float] = []

        def doom() -> bool:
            if not struck and any(c["outcome"].startswith("fault: hang") for c in self.calls()[before:]):
                struck.append(time.monotonic())
            return bool(struck) and time.monotonic() - struck[0] > settle

        done = self.run(command, stack=stack, doom=doom)
        self.faults()
        return done

    def faults(self, *faults: Object) -> None:
        """Puts the plan of faults in place, or takes it away."""
        write_plan(self.clouds, *faults)

    def calls(self) -> list[Object]:
        """The calls so far that were no previews."""
        return [call for call in read_calls(self.clouds) if not call["preview"]]

    def history(self) -> list[tuple[Object, dict[str, Object]]]:
        """Each call with what the clouds held after it."""
        return history(self.clouds)

    def objects(self) -> dict[str, Object]:
        """What the clouds hold."""
        return tamper.objects(self.clouds)

    def state(self, stack: str = "alfred") -> Object:
        """The engine's state of the stack."""
        path = self.folder / ".gatehouse/simulated/state/.pulumi/stacks/gatehouse" / f"{stack}.json"
        latest: Object = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}
        return latest

    def copy(self, folder: Path) -> Project:
        """The same project, world and state in another folder: a snapshot to go on from."""
        shutil.copytree(self.folder, folder, symlinks=True)
        shutil.rmtree(folder / ".gatehouse" / "runs", ignore_errors=True)
        return Project(folder, self.host)


RETAINED = {
    "cloudflare/dnssec",
    "cloudflare/setting",
    "cloudflare/zone",
    "tailscale/dns-preferences",
    "tailscale/policy",
    "tailscale/settings",
}
"""The kinds of objects that a destroy leaves beside what is in the cluster."""


def orphans(project: Project, *stacks: str) -> set[str]:
    """The objects of the clouds that no stack's state knows, by key; what a Patch made is nobody's."""
    known = {resource.get("id") for stack in stacks for resource in project.state(stack).get("resources", ())}
    made = {key: item for key, item in project.objects().items() if item.get("urn") and item.get("id") not in known}
    return {key for key, item in made.items() if not item["urn"].split("::")[2].endswith("Patch")}


def doubles(objects: Mapping[str, Object]) -> set[str]:
    """The URNs that made more than one object."""
    urns = [item["urn"] for item in objects.values() if item.get("urn")]
    return {urn for urn in urns if urns.count(urn) > 1}
