"""What a run of the engine says, taken from its events: steps, outputs, messages, and progress while it goes on."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING

from gatehouse.engine.drift import Reading
from gatehouse.engine.tree import Step
from policy.steps import plain

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent, PolicyEvent, StepEventMetadata

_MARKUP = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
_REPLACING = {"replace", "create-replacement", "delete-replaced", "import-replacement"}
_TTY_SECONDS = 0.1
_PLAIN_SECONDS = 10.0
# Python's own words around an exception of the program; the exception is told in another way.
_INLINE_CRASH = "python inline source runtime error:"
_SAID_BY_US = ("preview failed", "update failed", "refresh failed", "destroy failed")
# What the plugins say at every preview of what a destroy leaves behind: settings, a tunnel's rules.
# docs/operate.md says it where it matters.
_STAYS = "Resource Destruction Considerations"
# Advice in words of Pulumi's own, which an inline program without a language host cannot follow.
_ADVICE = re.compile(
    r"( To unprotect the resource, |\s*The resource already exists in the cluster\. This can).*", re.DOTALL
)
# A step that takes longer than this is waited for by name, with what such a wait is for.
_LONG_SECONDS = 20.0
_WAITS = {
    "cloudflare": ("Cloudflare", "the provider tries again for up to 3 min when Cloudflare is busy or out of reach"),
    "tailscale": ("Tailscale", "its answer is still to come"),
    "kubernetes": ("the cluster", "a workload, Service or Ingress is done when it is ready; after 10 min it fails"),
}
# Bridged plugins log what they then fail with, the other way round: `[ERROR] <detail>: <summary>`.
_LOGGED = re.compile(r"\[(?:ERROR|WARNING)\] ")
_UNHANDLED = "an unhandled error occurred: "
# What the language host says where ending the program's other tasks fails too: aftermath, once the cause was told.
_AFTERMATH = "Exception calling application: "


@dataclass(frozen=True)
class Message:
    """A diagnostic: severity as the engine names it (`warning`, `error`), text, and the resource's URN or ""."""

    severity: str
    text: str
    urn: str = ""

    def __str__(self) -> str:
        about = (
            f"{self.urn.split('::', 3)[3]}: "
            if self.urn.count("::") > 2 and "pulumi:pulumi:Stack" not in self.urn
            else ""
        )
        return f"{self.severity}: {about}{self.text}"


class Progress:
    """Collects the engine's events; as a context manager it shows on `stream` what is under way.

    On a terminal one line is rewritten; elsewhere a line is printed every ten seconds, so that nothing is silent. What
    takes long is named with its cloud, and why it may take so long is said once for each. `clock` gives seconds.
    """

    def __init__(
        self, verb: str, quiet: bool = False, live: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.steps: dict[str, Step] = {}
        self.messages: list[Message] = []
        self.outputs: dict[str, object] = {}
        self.counts: dict[str, int] = {}
        self.crash = ""
        self.cause_untold = False
        self.read: dict[str, Reading] = {}
        self._verb = verb
        self._quiet = quiet
        self._live = live
        self._busy: dict[str, float] = {}
        self._explained: set[str] = set()
        self._done: set[str] = set()
        self._lock = threading.Lock()
        self._clock = clock
        self._started = clock()
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return self._clock() - self._started

    @property
    def not_made(self) -> list[Step]:
        """The creations that failed."""
        return [step for step in self.steps.values() if step.failed and step.op in ("create", "replace")]

    def on_event(self, event: EngineEvent) -> None:
        """Take an event of the Automation API."""
        with self._lock:
            if event.resource_pre_event:
                self._began(event.resource_pre_event.metadata)
            elif event.res_outputs_event:
                self._finished(event.res_outputs_event.metadata)
            elif event.res_op_failed_event:
                self._failed(event.res_op_failed_event.metadata)
            elif event.policy_event:
                self._policy(event.policy_event)
            elif event.diagnostic_event:
                diagnostic = event.diagnostic_event
                if diagnostic.ephemeral or diagnostic.severity in ("debug", "info#debug"):
                    return
                self._say(diagnostic.severity, (diagnostic.prefix or "") + diagnostic.message, diagnostic.urn or "")
            elif event.summary_event:
                self.counts = {
                    str(getattr(op, "value", op)): n for op, n in event.summary_event.resource_changes.items()
                }

    def _began(self, step: StepEventMetadata) -> None:
        op = str(step.op.value)
        state = step.new or step.old
        changes = sorted(step.detailed_diff or ()) or sorted(step.diffs or ())
        before = self.steps.get(step.urn)
        if before and before.op in _REPLACING:
            op, changes = "replace", list(before.changes) or changes
        if op in _REPLACING:
            op = "replace"
        elif op not in ("update", "refresh"):
            changes = []
        inputs = plain(step.new.inputs) if op in ("create", "replace") and step.new else {}
        self.steps[step.urn] = Step(
            op,
            step.urn,
            state.parent if state else "",
            tuple(changes),
            inputs=inputs if isinstance(inputs, dict) else {},
        )
        if op != "same":
            self._busy[step.urn] = self._clock()

    def _finished(self, step: StepEventMetadata) -> None:
        self._busy.pop(step.urn, None)
        self._done.add(step.urn)
        known = self.steps.get(step.urn)
        if known and known.op == "refresh":
            self.read[step.urn] = Reading.of(step)
            # The engine says what a refresh found only when it has read the resource.
            changes = tuple(sorted(step.detailed_diff or ()) or sorted(step.diffs or ()))
            found = str(step.op.value)
            self.steps[step.urn] = replace(known, op="same" if found == "refresh" else found, changes=changes)
        if step.type == "pulumi:pulumi:Stack" and step.new and isinstance(step.new.outputs, Mapping):
            self.outputs = {name: plain(value) for name, value in step.new.outputs.items()}

    def _failed(self, step: StepEventMetadata) -> None:
        self._busy.pop(step.urn, None)
        known = self.steps.get(step.urn) or Step(str(step.op.value), step.urn)
        self.steps[step.urn] = replace(known, failed=True)

    def _policy(self, event: PolicyEvent) -> None:
        """A policy's finding; the engine puts the policy's description above it."""
        # What the pack cannot tell is advisory: the same rules tell it of the program, which shows more.
        if event.enforcement_level == "mandatory":
            text = event.message.strip().partition("\n")[2] or event.message
            self._say("error", f"policy {event.policy_name}: {text}", "")

    def _say(self, severity: str, text: str, urn: str) -> None:
        text = _ADVICE.sub("", _MARKUP.sub("", text)).strip().removeprefix(f"{severity}: ")
        if severity == "warning" and text.endswith(_STAYS):
            return
        if _INLINE_CRASH in text:
            self.crash = text
            return
        text = text.removeprefix(_UNHANDLED)
        if text.startswith(_AFTERMATH):
            if self.crash or any(m.severity == "error" for m in self.messages):
                return
            self.cause_untold = True
            text = text.removeprefix(_AFTERMATH)
        text = _LOGGED.sub("", text, count=1) if _LOGGED.match(text) else text
        if not text or text in _SAID_BY_US:
            return
        # One failure comes from the program, from the language host and from the engine; two resources may fail alike.
        alike = [m for m in self.messages if m.severity == severity and (m.urn == urn or not m.urn or not urn)]
        self.messages = [m for m in self.messages if m not in alike or not _is_turned(m.text, text)]
        if not any(m.text == text for m in alike):
            self.messages.append(Message(severity, text, urn))

    # --- what is shown meanwhile

    def __enter__(self) -> Progress:
        if not self._quiet:
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._ticker:
            self._ticker.join()

    def _tick(self) -> None:
        while not self._ended.wait(_TTY_SECONDS if self._live else _PLAIN_SECONDS):
            lines = self.lines()
            if self._live:
                *kept, line = lines
                sys.stdout.write("\r\x1b[K" + "".join(f"{one}\n" for one in kept) + line[:78])
            else:
                sys.stdout.write("".join(f"  {line}\n" for line in lines))
            sys.stdout.flush()
        if self._live:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()

    def lines(self) -> list[str]:
        """What to show now: why a cloud is waited for, once for each; and last what is under way."""
        now = self._clock()
        with self._lock:
            busy = {self.steps[urn]: now - began for urn, began in self._busy.items()}
            done = len(self._done)
        waits: dict[str, list[str]] = {}
        for step, seconds in sorted(busy.items(), key=lambda entry: (-entry[1], entry[0].name)):
            cloud = step.type.partition(":")[0]
            if seconds >= _LONG_SECONDS and cloud in _WAITS:
                waits.setdefault(cloud, []).append(f"{step.label}, {seconds:.0f} s")
        why = [
            f"waiting for {_WAITS[cloud][0]}: {_few(names)} ({_WAITS[cloud][1]})"
            for cloud, names in waits.items()
            if cloud not in self._explained
        ]
        self._explained |= waits.keys()
        told = [f"waiting for {_WAITS[cloud][0]}: {_few(names)}" for cloud, names in waits.items()]
        under_way = sorted(step.name for step in busy)
        if not told and under_way:
            told = [f"under way: {_few(under_way)}"]
        return [*why, ", ".join([f"{self._verb}: {done} done, {now - self._started:.0f} s", *told])]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _is_turned(logged: str, text: str) -> bool:
    """Whether one is `<detail>: <summary>` and the other `<summary>: <detail>`."""
    parts = text.split(": ")
    return any(": ".join([*parts[i:], *parts[:i]]) == logged for i in range(1, len(parts)))
