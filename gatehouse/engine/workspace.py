"""Where a run works: the repository itself for real clouds, a folder under `.gatehouse/` for simulated ones."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from pulumi.automation import CommandResult, LocalWorkspace, PulumiCommand, Stack, UpdateSummary
from pulumi.automation._stack import StackInitMode
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from config.loader import StackFile
from config.secrets import secrets_in
from gatehouse.commands import CommandError
from gatehouse.engine.acquire import Engine, alone
from gatehouse.engine.backend import backend_url
from gatehouse.engine.program import REAL_PREFIXES

# Simulated clouds hold nothing worth a secret, and nobody is to be asked for one.
_SIMULATED_PASSPHRASE = "simulated"
_ENDED = "world-ended"
_SECONDS = 60


class EngineCommand(PulumiCommand):
    """The engine found by `acquire`, without asking it for its version again, in a process group of its own.

    Ctrl-C on a terminal goes to the whole group: the engine gets its interrupts from `interrupt` alone.
    """

    def __init__(self, engine: Engine, environment: Mapping[str, str]) -> None:
        self.command = str(engine.path)
        self.version = VersionInfo.parse(engine.version)
        self.log: list[str] = []
        self.last_output = ""
        self.environment = dict(environment)
        self._process: subprocess.Popen[str] | None = None
        self.interrupts = 0

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        """Run the engine; raises CommandError of the Automation API where it fails."""
        binaries = str(Path(self.command).parent)
        environment = {
            **self.environment,
            **additional_env,
            "PULUMI_AUTOMATION_API": "true",
            "PATH": os.pathsep.join(filter(None, [binaries, self.environment.get("PATH", "")])),
        }
        command = [self.command, "--non-interactive", *args]
        lines: dict[str, list[str]] = {"out": [], "err": []}

        def read(stream: Any, name: str, callback: Callable[[str], Any] | None) -> None:
            for line in stream:
                lines[name].append(line.rstrip())
                if callback:
                    callback(line.rstrip())

        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        ) as process:
            self._process = process
            readers = [
                threading.Thread(target=read, args=(process.stdout, "out", on_output)),
                threading.Thread(target=read, args=(process.stderr, "err", on_error)),
            ]
            try:
                for reader in readers:
                    reader.start()
                for reader in readers:
                    reader.join()
                process.wait()
            finally:
                self._process = None
                if process.poll() is None:
                    process.kill()
        result = CommandResult("\n".join(lines["out"]), "\n".join(lines["err"]), process.returncode)
        self.last_output = result.stdout
        self.log.append(f"$ pulumi {' '.join(args)}\n{result.stdout}\n{result.stderr}\nexit code {result.code}\n")
        if process.returncode:
            raise create_command_error(result)
        return result

    def interrupt(self) -> int:
        """Ask the engine to stop: after what is under way, then at once, then by force. Returns how often asked."""
        self.interrupts += 1
        if self._process:
            self._process.send_signal(signal.SIGINT if self.interrupts < 3 else signal.SIGKILL)
        return self.interrupts


class EngineStack(Stack):
    """A stack whose operations don't end with three more runs of the engine, for outputs and history.

    Both are in the events already; a run of the engine costs a quarter of a second, and these would print every secret,
    into the log too. Made by its constructor: `Stack.select` and its like give a plain Stack.
    """

    def outputs(self) -> dict[str, Any]:
        """None: see `Progress.outputs`."""
        return {}

    def info(self, show_secrets: bool = True) -> UpdateSummary | None:
        """A summary that says nothing: see `Progress.counts`."""
        return UpdateSummary(kind="", start_time=None, message="", environment={}, config={}, result="")  # type: ignore[arg-type]


class Workspace:
    """A place to run the engine in, and the means to open a stack there."""

    def __init__(self, folder: Path, command: EngineCommand, variables: Mapping[str, str], home: Path | None) -> None:
        self.folder = folder
        self.command = command
        self.variables = dict(variables)
        self._home = home

    def local(self, program: Callable[[], None] | None) -> LocalWorkspace:
        """The Automation API's workspace."""
        return LocalWorkspace(
            work_dir=str(self.folder),
            pulumi_home=str(self._home) if self._home else None,
            program=program,
            env_vars=self.variables,
            pulumi_command=self.command,
        )

    def ask(self, *words: str, given: str = "") -> str:
        """What the engine prints when asked beside a run. It is in no log, for it may hold secrets.

        `given` goes to its standard input, and never to a command line. Raises CommandError, without what was given.
        """
        try:
            done = subprocess.run(
                [self.command.command, "--non-interactive", *words],
                input=given,
                cwd=self.folder,
                env=self.command.environment
                | self.variables
                | ({"PULUMI_HOME": str(self._home)} if self._home else {}),
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CommandError(f"The engine could not be run: {type(error).__name__}.") from None
        if done.returncode:
            said = done.stderr.replace(given, "[secret]") if given else done.stderr
            lines = [line for line in said.splitlines() if line.strip()]
            raise CommandError("The engine says:\n" + "\n".join(f"  {line}" for line in lines[:10]))
        return done.stdout

    def state(self, stack: str) -> dict[str, Any]:
        """A stack's state as `pulumi stack export` prints it, with its secrets encrypted. Raises CommandError."""
        exported: dict[str, Any] = json.loads(self.ask("stack", "export", "--stack", stack))
        return exported

    def put_state(self, stack: str, exported: Mapping[str, Any]) -> None:
        """Replace a stack's state; the engine checks it and encrypts what is a secret. Raises CommandError."""
        self.ask("stack", "import", "--stack", stack, given=json.dumps(exported))

    def stacks(self) -> dict[str, int]:
        """The stacks in the backend, each with the number of its resources besides the stack itself."""
        return {s.name.rsplit("/", 1)[-1]: max((s.resource_count or 0) - 1, 0) for s in self.local(None).list_stacks()}

    def open(self, stack: str, program: Callable[[], None] | None, make: bool) -> EngineStack:
        """The stack, made where it is missing and `make` says so. Raises StackNotFoundError."""
        workspace = self.local(program)
        return EngineStack(stack, workspace, StackInitMode.CREATE_OR_SELECT if make else StackInitMode.SELECT)


class SimulatedWorkspace(Workspace):
    """A folder of its own: the user's stack file, state and settings are neither changed nor used."""

    def __init__(self, project: Path, name: str, engine: Engine) -> None:
        folder = simulated_folder(project)
        for part in ("state", "home"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(REAL_PREFIXES)}
        super().__init__(
            folder,
            EngineCommand(engine, clean),
            {
                # Quoted, since the engine takes it for a URL: a folder may have a space or a `%` in its name.
                # Without files of attributes beside the state: a run killed while it writes one locks the stack out.
                "PULUMI_BACKEND_URL": "file://" + quote(str(folder / "state")) + "?metadata=skip",
                "PULUMI_CONFIG_PASSPHRASE": _SIMULATED_PASSPHRASE,
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
            },
            folder / "home",
        )
        self._name = name
        _write(folder / "Pulumi.yaml", {"name": name, "runtime": "python"})
        # `only_one` keeps other runs away: a lock that is still there was left by a run that was killed.
        shutil.rmtree(folder / "state" / ".pulumi" / "locks", ignore_errors=True)
        shutil.rmtree(folder / "home" / "logs", ignore_errors=True)

    def _state(self, stack: str) -> Path:
        return self.folder / "state" / ".pulumi" / "stacks" / self._name / f"{stack}.json"

    def exists(self, stack: str) -> bool:
        """Whether the stack was ever made."""
        return self._state(stack).is_file()

    def stacks(self) -> dict[str, int]:
        """As the base class, from the backend's files: quicker than the engine."""
        found = {}
        for path in self._state("x").parent.glob("*.json"):
            latest = json.loads(path.read_text(encoding="utf-8")).get("checkpoint", {}).get("latest") or {}
            found[path.stem] = sum(r["type"] != "pulumi:pulumi:Stack" for r in latest.get("resources") or ())
        return found

    def state(self, stack: str) -> dict[str, Any]:
        """As the base class, from the backend's file: quicker than the engine."""
        checkpoint = json.loads(self._state(stack).read_text(encoding="utf-8"))
        return {"version": checkpoint["version"], "deployment": checkpoint["checkpoint"].get("latest")}

    def open(self, stack: str, program: Callable[[], None] | None, make: bool) -> EngineStack:
        """As the base class. `--stack` is in every command, so that an existing stack need not be selected first."""
        workspace = self.local(program)
        if not self.exists(stack):
            workspace.create_stack(stack)
        workspace.select_stack = lambda stack_name: None  # type: ignore[method-assign]
        return EngineStack(stack, workspace, StackInitMode.SELECT)

    def configure(self, source: StackFile) -> None:
        """Copy the stack file's plain values; secrets get made-up values, encrypted as real ones are."""
        path = self.folder / f"Pulumi.{source.stack}.yaml"
        before = _read(path)
        plain = {k: _without_secrets(v) for k, v in source.values.items() if k not in source.secure}
        secrets = secrets_in(source.values)
        names = {s.key for s in secrets}
        config = {k: v for k, v in plain.items() if k not in names}
        kept = {k: v for k, v in before.get("config", {}).items() if k in names and isinstance(v, dict)}
        salt = before.get("encryptionsalt")
        _write(path, {**({"encryptionsalt": salt} if salt else {}), "config": {**config, **(kept if salt else {})}})
        if not self.exists(source.stack):
            self.local(None).create_stack(source.stack)
        if not salt or set(kept) != names:
            pairs = [word for s in secrets for word in ("--secret", f"{s.key}={s.simulated}")]
            self._run("config", "set-all", "--stack", source.stack, *pairs)

    def unprotect(self, stack: str) -> None:
        """Take every protection off: simulated objects are worth none, and the whole life is to be seen."""
        self._run("state", "unprotect", "--all", "--yes", "--stack", stack)

    def _run(self, *arguments: str) -> None:
        self.command.run(list(arguments), str(self.folder), {**self.variables, "PULUMI_HOME": str(self._home)})

    def end_world(self) -> None:
        """Once no stack has resources: note that the next run begins with empty clouds.

        What was retained would be in its way. The objects stay until then, for whoever wants to look at them.
        """
        if not any(self.stacks().values()):
            (self.folder / _ENDED).touch()

    def begin_world(self) -> None:
        """Empty the clouds where the last destroy said so."""
        if (self.folder / _ENDED).exists():
            shutil.rmtree(clouds_file(self.folder.parent.parent).parent, ignore_errors=True)
            (self.folder / _ENDED).unlink()


def simulated_folder(project: Path) -> Path:
    """Where simulated runs work."""
    return project / ".gatehouse" / "simulated"


def namespaces(source: StackFile) -> list[str]:
    """The namespaces that the stack's services are in, and the operator that is there: in simulated clusters they are
    there from the start."""
    node = source.values.get("gatehouse:node")
    there = isinstance(node, dict) and node.get("tailscale_operator") == "existing"
    return sorted({*(origin["namespace"] for origin in _origins(source)), *["tailscale"] * there})


def services(source: StackFile) -> list[str]:
    """The Services that the stack file takes as they are, as `<namespace>/<name>:<port>/<protocol>,…`: likewise."""
    found: dict[str, dict[str, None]] = {}
    for origin in _origins(source):
        own = {"port": origin.get("port"), "protocol": "udp" if origin.get("scheme") == "udp" else "tcp"}
        others = origin.get("other_ports")
        ports = [own, *(p for p in (others if isinstance(others, list) else ()) if isinstance(p, dict))]
        if isinstance(origin.get("service"), str) and not origin.get("selector"):
            listed = found.setdefault(f"{origin['namespace']}/{origin['service']}", {})
            listed |= {f"{p['port']}/{p.get('protocol', 'tcp')}": None for p in ports if isinstance(p.get("port"), int)}
    return [f"{name}:{','.join(ports)}" for name, ports in sorted(found.items()) if ports]


def _origins(source: StackFile) -> list[dict[str, Any]]:
    """The origins in clusters, also of a file that is not checked yet."""
    values = source.values.get("gatehouse:services")
    origins = [s.get("origin") for s in values.values() if isinstance(s, dict)] if isinstance(values, dict) else []
    return [o for o in origins if isinstance(o, dict) and isinstance(o.get("namespace"), str)]


def clouds_file(project: Path) -> Path:
    """Where the simulated clouds keep their objects; other files of theirs are beside it and start as it does."""
    return simulated_folder(project) / "clouds" / "clouds.json"


def real_workspace(project: Path, source: StackFile, engine: Engine) -> Workspace:
    """The repository itself. Raises CommandError where its secrets cannot be opened."""
    environment = dict(os.environ)
    own = _read(source.path)
    backend = backend_url(project)
    # Pulumi Cloud keeps the key itself; every other backend's own provider is the passphrase.
    other_provider = own.get("secretsprovider") or own.get("encryptedkey")
    if not other_provider and ("encryptionsalt" in own or (backend and not backend.startswith("http"))):
        given = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
        if not any(name in environment for name in given):
            raise CommandError(
                f"The secrets of stack {source.stack} are locked with a passphrase, and none is given. Set {given[0]}, "
                f"or {given[1]} to a file that holds it. (Or use --simulated.)"
            )
    return Workspace(project, EngineCommand(engine, environment), {"PULUMI_SKIP_UPDATE_CHECK": "true"}, None)


@contextmanager
def only_one(project: Path, say: Callable[[str], None]) -> Iterator[None]:
    """One simulated run at a time in a project: the stacks share their clouds."""
    folder = simulated_folder(project)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder / ".lock", lambda: say("Another simulated run is under way here: waiting for it...")):
        yield


def _without_secrets(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_secrets(v) for k, v in value.items() if not (isinstance(v, dict) and set(v) == {"secure"})}
    if isinstance(value, list):
        return [_without_secrets(v) for v in value]
    return value


def _read(path: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _write(path: Path, settings: Mapping[str, object]) -> None:
    # JSON is YAML on which no two readers differ.
    path.write_text(json.dumps(settings, indent=2), encoding="utf-8")
