"""Finding the Pulumi engine, or getting it: PATH, kept, official installer, its Go module."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Say = Callable[[str], None]

# From here on the engine takes an executable for a policy pack (pulumi/pulumi#24052), and updates what it imports in
# the same run; older ones were not tried.
MINIMUM = (3, 259, 0)
VARIABLE = "GATEHOUSE_ENGINE"

_HERE = Path(__file__).parent
_MODULE = "github.com/pulumi/pulumi/pkg/v3"
_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_PROBE_SECONDS = 6
_INSTALL_SECONDS = 60
_BUILD_SECONDS = 1200


@dataclass(frozen=True)
class Engine:
    """An engine to run: the executable, its version (`3.259.0`) and, in words, where it is from."""

    path: Path
    version: str
    origin: str


def find_or_get_engine(project: Path, say: Say, refused: list[str] | None = None) -> Engine | None:
    """Find an engine, or get one and keep it in the project's `.gatehouse/engine/`.

    In order: the executable that GATEHOUSE_ENGINE names (`none` forbids all); `pulumi` on PATH; the kept one; the
    official one by the Automation API's installer; one built from the Go module that `go.mod` beside this file pins.

    Args:
        project: the folder that `.gatehouse/` is in.
        say: told what goes on where it takes more than a moment.
        refused: gets, for each way that did not work, the reason.

    Returns:
        The engine, or None where none can be had.
    """
    reasons = refused if refused is not None else []
    kept = _kept_folder(project)
    found = find_engine(project, reasons)
    if found or os.environ.get(VARIABLE):
        return found
    kept.mkdir(parents=True, exist_ok=True)
    with alone(kept / ".lock", lambda: say("Another command is getting the engine: waiting for it...")):
        return _kept(kept, []) or _first([lambda: _install(kept, say), lambda: _build(kept, say)], reasons)


def find_engine(project: Path, refused: list[str] | None = None) -> Engine | None:
    """The engine that is at hand, without getting one: GATEHOUSE_ENGINE, PATH, kept."""
    reasons = refused if refused is not None else []
    asked = os.environ.get(VARIABLE)
    if asked:
        return _first([lambda: _asked_for(asked)], reasons)
    return _first([_on_path], reasons) or _kept(_kept_folder(project), reasons)


class _RefusedError(Exception):
    """A way to an engine that did not work; the text is the reason."""


def _first(ways: Iterable[Callable[[], Engine]], reasons: list[str]) -> Engine | None:
    for way in ways:
        try:
            return way()
        except _RefusedError as why:
            reasons.append(str(why))
    return None


def _kept_folder(project: Path) -> Path:
    return project / ".gatehouse" / "engine"


def _asked_for(asked: str) -> Engine:
    if asked == "none":
        raise _RefusedError(f"{VARIABLE}=none forbids it")
    return _probe(Path(asked), f"named by {VARIABLE}", f"{VARIABLE}={asked}")


def _on_path() -> Engine:
    path = shutil.which("pulumi")
    if path is None:
        raise _RefusedError("no `pulumi` on PATH")
    return _probe(Path(path), "found on PATH", "`pulumi` on PATH")


def _kept(folder: Path, reasons: list[str]) -> Engine | None:
    path = folder / "pulumi"
    if not path.is_file():
        return None
    # Asking a 100 MB binary for its version takes a quarter of a second: the answer is kept while the file stays.
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads((folder / "pulumi.json").read_text(encoding="utf-8"))
        if note["file"] == _fingerprint(path) and os.access(path, os.X_OK):
            return Engine(path, str(note["version"]), str(note["origin"]))
    return _first([lambda: _probe(path, "kept in .gatehouse/engine", str(path))], reasons)


def _keep(folder: Path, version: str, how: str) -> Engine:
    path = folder / "pulumi"
    note = {"version": version, "origin": "kept in .gatehouse/engine", "how": how, "file": _fingerprint(path)}
    (folder / "pulumi.json").write_text(json.dumps(note), encoding="utf-8")
    return Engine(path, version, f"{how} just now")


def _fingerprint(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]


def _probe(path: Path, origin: str, name: str) -> Engine:
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [path, "version"], capture_output=True, text=True, timeout=20, env=environment, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or "no answer in 20 s"
        raise _RefusedError(f"{name} does not run ({why})") from None
    if answer.returncode or not re.fullmatch(r"v?\d+\.\d+\.\d+\S*", answer.stdout.strip()):
        raise _RefusedError(f"{name} does not say its version")
    engine = Engine(path, answer.stdout.strip().removeprefix("v"), origin)
    if _numbers(engine.version) < MINIMUM:
        raise _RefusedError(f"{name} is {engine.version}, older than {'.'.join(map(str, MINIMUM))}")
    return engine


# --- the official one

_INSTALL = """
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request("https://get.pulumi.com/install.sh", method="HEAD"), timeout=5).close()
print("reached", flush=True)
from pulumi.automation import PulumiCommand
PulumiCommand.install(root=sys.argv[1])
"""


def _install(folder: Path, say: Say) -> Engine:
    """The official engine, of the SDK's own version; in a process of its own, which can be ended where it hangs."""
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="install-") as temporary,
        _started(
            [sys.executable, "-c", _INSTALL, temporary], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
    ):
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], _PROBE_SECONDS)
        if not ready or process.stdout.readline().strip() != "reached":
            raise _RefusedError("Pulumi's own installer cannot be reached")
        say(f"Getting the official Pulumi engine, once ({_INSTALL_SECONDS} s at most)...")
        try:
            _, errors = process.communicate(timeout=_INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise _RefusedError(f"Pulumi's own installer took more than {_INSTALL_SECONDS} s") from None
        binaries = Path(temporary, "bin")
        if process.returncode or not (binaries / "pulumi").is_file():
            raise _RefusedError(f"Pulumi's own installer failed ({_last_line(errors)})")
        engine = _probe(binaries / "pulumi", "", "the official engine")
        # `pulumi` goes last: while it is not there, nothing is.
        for path in sorted(binaries.iterdir(), key=lambda p: p.name == "pulumi"):
            path.replace(folder / path.name)
        return _keep(folder, engine.version, "fetched, the official one,")


# --- from its Go module


def _build(folder: Path, say: Say) -> Engine:
    go = shutil.which("go")
    if go is None:
        raise _RefusedError("no `go` to build it with")
    text = (_HERE / "go.mod").read_text(encoding="utf-8")
    wanted = _pinned(r"^go (\S+)$", text)
    if not _new_enough(go, wanted):
        raise _RefusedError(f"`go` is older than {wanted}")
    version = _pinned(rf"{re.escape(_MODULE)} (v\S+)", text)
    temporary = folder / f"pulumi.{os.getpid()}"
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", f"-s -w -X {_VERSION_VARIABLE}={version}"]
    command = [go, "build", "-o", str(temporary), *flags, f"{_MODULE}/cmd/pulumi"]
    say(f"Building the Pulumi engine {version} from its Go module: once, 2 to 4 minutes...")
    started = time.monotonic()
    try:
        with (
            tempfile.TemporaryFile("w+") as log,
            _started(
                command, cwd=_HERE, env={**os.environ, "CGO_ENABLED": "0"}, stdout=log, stderr=subprocess.STDOUT
            ) as process,
        ):
            while process.poll() is None and (seconds := time.monotonic() - started) < _BUILD_SECONDS:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=15)
                    break
                say(f"  still building, {seconds + 15:.0f} s")
            if process.returncode is None:
                raise _RefusedError(f"building it took more than {_BUILD_SECONDS // 60} minutes")
            if process.returncode:
                log.seek(0)
                raise _RefusedError(f"`go build` failed ({_last_line(log.read())})")
        engine = _probe(temporary, "", "the engine built here")
        temporary.replace(folder / "pulumi")
    finally:
        temporary.unlink(missing_ok=True)
    say(f"  built in {time.monotonic() - started:.0f} s")
    return _keep(folder, engine.version, "built from its Go module")


def _pinned(pattern: str, go_mod: str) -> str:
    match = re.search(pattern, go_mod, re.M)
    if match is None:
        raise AssertionError(f"go.mod has nothing like {pattern}")
    return match[1]


def _new_enough(go: str, wanted: str) -> bool:
    """Whether this Go can build a module of Go version `wanted`: it is, or may fetch, one that can."""
    answer = subprocess.run(
        [go, "env", "GOVERSION", "GOTOOLCHAIN"],
        capture_output=True,
        text=True,
        cwd=tempfile.gettempdir(),
        stdin=subprocess.DEVNULL,
    )
    version, _, toolchain = answer.stdout.strip().partition("\n")
    have = _numbers(version)
    return have >= _numbers(wanted) or (have >= (1, 21) and not toolchain.startswith("local"))


def _numbers(version: str) -> tuple[int, ...]:
    match = re.search(r"\d+(\.\d+)*", version)
    return tuple(int(n) for n in match[0].split(".")) if match else ()


# --- shared


@contextmanager
def alone(path: Path, waits: Callable[[], None]) -> Iterator[None]:
    """Hold a lock file, so that two commands at once don't do the same twice; `waits` says that one has to wait."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process, which ends with what it started where it still runs."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "with no word"
