"""The program under the SDK's mock monitor: every resource it wants, offline, with no engine and no account."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any, cast

import pulumi
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import mocks, rpc
from pulumi.runtime.proto import engine_pb2, resource_pb2, source_pb2
from pulumi.runtime.settings import Settings, configure
from pulumi.runtime.stack import run_in_stack

from config.errors import render as render_findings
from config.loader import read_stack_file
from config.secrets import secrets_in
from config.stack import owner_stack
from gatehouse.commands import CommandError, project_name, stack_file
from gatehouse.engine.positions import traced_by
from gatehouse.engine.program import collector_held, made_up_credentials, run_program, working_in
from gatehouse.simulation import values

UNKNOWN: str = rpc.UNKNOWN
"""What stands for a string that only the cloud knows; the engine's own marker."""
SECRET = "[secret]"
STACK_TYPE = "pulumi:pulumi:Stack"

_REFERENCE = "pulumi:pulumi:StackReference"

Computed = Callable[[str, str, Mapping[str, object]], Mapping[str, object]]
"""(type, name, inputs) -> outputs that only the cloud knows; an `id` among them is the resource's id."""
StackOutputs = Callable[[str], Mapping[str, object]]
"""Full name of a stack (`organization/gatehouse/alfred`) -> its outputs."""


@dataclass(frozen=True)
class Step:
    """A resource that the program registered, in the shape of a step of `pulumi preview --json`.

    `state` is the step's `newState`: secrets are `[secret]`, unknowns `UNKNOWN`. `request` is the raw request.
    """

    op: str
    urn: str
    state: Mapping[str, object]
    request: resource_pb2.RegisterResourceRequest = field(repr=False, compare=False)

    @property
    def type(self) -> str:
        """The type token."""
        return str(self.state["type"])

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.split("::", 3)[3]

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        provider = self.state.get("provider")
        return {"op": self.op, "urn": self.urn, **({"provider": provider} if provider else {}), "newState": self.state}


@dataclass(frozen=True)
class Offline:
    """What the program registered (sorted by URN), exported, said (severity, text), and read of other stacks."""

    steps: list[Step]
    outputs: Mapping[str, object]
    messages: Sequence[tuple[str, str]]
    references: Mapping[str, Mapping[str, object]]

    def to_json(self) -> str:
        """The shape of `pulumi preview --json`; the same text for the same program and stack."""
        counts = Counter(step.op for step in self.steps)
        document = {"steps": [step.to_dict() for step in self.steps], "changeSummary": counts}
        if self.messages:
            document["diagnostics"] = [{"message": text, "severity": severity} for severity, text in self.messages]
        return json.dumps(document, indent=4, sort_keys=True, ensure_ascii=False)


def run_offline(
    project: Path,
    stack: str,
    dry_run: bool = True,
    config: Mapping[str, object] | None = None,
    *,
    secrets: Mapping[str, str] | None = None,
    computed: Computed | None = None,
    stack_outputs: StackOutputs | None = None,
    program: Callable[[], None] | None = None,
) -> Offline:
    """Run a program under the mock monitor.

    Args:
        project: the folder with `__main__.py`, Pulumi.yaml and the stack files.
        stack: the stack's name.
        dry_run: as in a preview (what the cloud computes is unknown), or as in `up`.
        config: the configuration by full key, in place of the stack file's plain values.
        secrets: secret configuration by full key; by default a made-up value for each secret that the stack file holds.
        computed: what the cloud computes, in `up`; by default nothing but an id.
        stack_outputs: the outputs of other stacks; by default those of the other stack's own offline plan.
        program: run instead of `__main__.py`.

    Raises:
        CommandError: for what the user has to fix, as the program words it.
        ProgramError: where the program itself fails.
    """
    name = project_name(project)
    if config is None:
        source = read_stack_file(stack_file(project, stack))
        if source.document.findings:
            raise CommandError(render_findings(source.document.findings))
        config = {key: value for key, value in source.values.items() if key not in source.secure}
        made_up = {secret.key: secret.simulated for secret in secrets_in(source.values)}
        secrets = {k: made_up.get(k, "simulated") for k in sorted(source.secure)} if secrets is None else secrets
    others = stack_outputs or _planned_outputs(project, config, dry_run)
    monitor = Recorder(name, stack, dry_run, computed, others)
    messages: list[tuple[str, str]] = []

    def log(request: Any) -> None:
        if request.severity != engine_pb2.DEBUG and not request.ephemeral:
            messages.append((engine_pb2.LogSeverity.Name(request.severity).lower(), request.message))

    def session() -> None:
        # The settings live in context variables: in a context of its own, one run knows nothing of another.
        configure(
            Settings(
                name,
                stack,
                monitor,
                SimpleNamespace(Log=log),
                dry_run=dry_run,
                legacy_apply_enabled=False,
                organization="organization",
                root_directory=str(project),
            )
        )
        pulumi.runtime.set_all_config(
            {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
            | dict(secrets or {}),
            sorted(secrets or {}),
        )
        _run_loop(program or (lambda: run_program(project)))

    with collector_held(), working_in(project), made_up_credentials(), traced_by(source_pb2.StackTrace):
        try:
            contextvars.Context().run(session)
        except pulumi.RunError as error:
            raise CommandError(str(error)) from error
        except CommandError:
            raise
        except (Exception, SystemExit) as error:
            raise ProgramError(error) from error
    return monitor.result(messages)


class ProgramError(CommandError):
    """The program failed by a mistake of its own; `trace` is for whoever fixes it."""

    def __init__(self, error: BaseException) -> None:
        self.trace = "".join(traceback.format_exception(error))
        super().__init__(f"the program failed: {type(error).__name__}: {error}. Please report it (--debug shows more).")


class _AtOnce(ThreadPoolExecutor):
    """Does what it is given at once, in no other thread: the monitor answers from memory and nothing waits for it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


def _run_loop(program: Callable[[], None]) -> None:
    """Run a Pulumi program to its end on an event loop of its own, as the SDK's language host does."""
    logger = logging.getLogger("asyncio")
    level = logger.level
    # A failed registration fails every task that waits for it: told once, by the exception itself.
    logger.setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_AtOnce())
    try:
        loop.run_until_complete(run_in_stack(program))
    finally:
        loop.run_until_complete(_cancel_others())
        loop.close()
        logger.setLevel(level)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _planned_outputs(project: Path, config: Mapping[str, object], dry_run: bool) -> StackOutputs:
    """Outputs of another stack of the project from its own offline plan, what only the cloud knows as a placeholder."""

    def outputs(reference: str) -> Mapping[str, object]:
        owner = owner_stack(reference)
        found = run_offline(project, owner).outputs
        return {name: _placeholder(value, f"{owner}-{name}") for name, value in found.items()}

    # Before the program runs, where no event loop runs yet. An owner that cannot be planned is the program's to tell.
    owner = config.get("gatehouse:member_of")
    known: dict[str, Mapping[str, object]] = {}
    if isinstance(owner, str):
        with suppress(CommandError):
            known[owner] = outputs(owner)

    def apart(reference: str) -> Mapping[str, object]:
        # A plan within a plan needs a thread of its own: this one's event loop is running.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(outputs, reference).result()

    return lambda reference: known[reference] if reference in known else apart(reference)


def _placeholder(value: object, name: str) -> object:
    if isinstance(value, dict):
        return {k: _placeholder(v, f"{name}-{k}") for k, v in value.items()}
    if isinstance(value, list):
        return [_placeholder(v, f"{name}-{n}") for n, v in enumerate(value)]
    return f"<{name}>" if value == UNKNOWN else value


class Recorder(mocks.MockMonitor):
    """A monitor that keeps the raw requests, and refuses what the engine would refuse."""

    def __init__(
        self,
        project: str,
        stack: str,
        dry_run: bool,
        computed: Computed | None = None,
        stack_outputs: StackOutputs | None = None,
    ) -> None:
        super().__init__(cast("mocks.Mocks", None))  # Never asked: the recorder answers everything itself.
        self._project = project
        self._stack = stack
        self._dry_run = dry_run
        self._computed = computed
        self._stack_outputs = stack_outputs
        self._lock = Lock()
        self.requests: dict[str, resource_pb2.RegisterResourceRequest] = {}
        self.registered_outputs: dict[str, struct_pb2.Struct] = {}
        self.references: dict[str, Mapping[str, object]] = {}

    def result(self, messages: Sequence[tuple[str, str]]) -> Offline:
        """What was registered, sorted by URN."""
        steps = []
        outputs: dict[str, object] = {}
        for urn, request in sorted(self.requests.items()):
            state = _state(urn, request)
            if request.type == STACK_TYPE:
                outputs = _plain(self.registered_outputs.get(urn, struct_pb2.Struct()))
                state["outputs"] = outputs
            steps.append(Step("create", urn, state, request))
        return Offline(steps, outputs, sorted(set(messages)), self.references)

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The URN that the engine would make: every parent's type but the stack's is in it."""
        types = parent.split("::")[2] if parent else ""
        qualified = type_ if types in ("", STACK_TYPE) else f"{types}${type_}"
        return f"urn:pulumi:{self._stack}::{self._project}::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        """Record a resource; echo its inputs, and what the cloud computes."""
        urn = self.make_urn(request.parent, request.type, request.name)
        with self._lock:
            if urn in self.requests:
                raise pulumi.RunError(
                    f"Duplicate resource URN {urn!r}: two resources of one type and parent are named {request.name!r}."
                )
            self.requests[urn] = request
        answer = struct_pb2.Struct()
        answer.CopyFrom(request.object)
        if request.type.startswith("kubernetes:") and "metadata" in answer.fields:
            # The plugin gives a name to what has none.
            metadata = answer.fields["metadata"].struct_value
            if "name" not in metadata.fields:
                metadata["name"] = UNKNOWN if self._dry_run else f"{request.name}-00000000"
        identity = request.importId
        if request.custom and not self._dry_run:
            identity = f"{request.name}-id"
            if self._computed:
                more = dict(self._computed(request.type, request.name, _plain(request.object)))
                identity = str(more.pop("id", identity))
                answer.update(more)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=answer)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        """Record a component's or the stack's outputs."""
        with self._lock:
            self.registered_outputs[request.urn] = request.outputs
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        """Answer a StackReference; nothing else can be read offline."""
        if request.type != _REFERENCE or self._stack_outputs is None:
            raise pulumi.RunError(f"{request.type} {request.name!r} cannot be read offline.")
        outputs = self.references[request.name] = dict(self._stack_outputs(request.name))
        properties = struct_pb2.Struct()
        properties.update({"name": request.name, "outputs": outputs, "secretOutputNames": []})
        urn = self.make_urn(request.parent, request.type, request.name)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=properties, id=request.name)

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        """Refuse a provider's function: nothing can be asked offline."""
        raise pulumi.RunError(f"{request.tok} asks a provider, which cannot be done offline.")


_SAME = ("parent", "protect", "retainOnDelete", "provider", "deletedWith", "deleteBeforeReplace")
"""What a request and a state have by one name."""


def _state(urn: str, request: Any) -> dict[str, object]:
    """A request in the shape of the engine's resource state; what is unset is left out, as the engine does."""
    state: dict[str, object] = {
        "urn": urn,
        "custom": request.custom,
        "type": request.type,
        "inputs": _plain(request.object),
        "dependencies": sorted(request.dependencies),
        "propertyDependencies": {
            key: sorted(value.urns) for key, value in sorted(request.propertyDependencies.items())
        },
        "aliases": [json_format.MessageToDict(alias) for alias in request.aliases],
        "additionalSecretOutputs": sorted(request.additionalSecretOutputs),
        "customTimeouts": json_format.MessageToDict(request.customTimeouts),
        "ignoreChanges": list(request.ignoreChanges),
        "importID": request.importId,
        "replaceOnChanges": list(request.replaceOnChanges),
        **{name: getattr(request, name) for name in _SAME},
    }
    return {key: value for key, value in state.items() if value or key in ("urn", "custom", "type", "inputs")}


def _plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A protobuf struct as plain values: secrets as `[secret]`, whole numbers as integers."""

    def shown(value: Any) -> Any:
        return SECRET if isinstance(value, values.Secret) else UNKNOWN if value is values.UNKNOWN else value

    return dict(values.rebuilt(values.from_struct(struct), shown))
