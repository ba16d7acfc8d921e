"""One run of the engine on a stack: preview, up, refresh or destroy."""

from __future__ import annotations

import logging
import os
import signal
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from config.errors import render as render_findings
from config.loader import StackFile, read_stack_file, stack_names, stack_path
from config.stack import owner_stack
from gatehouse.commands import CommandError, UsageError, about, project_name, stack_file, width
from gatehouse.engine.acquire import Engine, find_or_get_engine
from gatehouse.engine.clouds import choose_clouds
from gatehouse.engine.drift import deleted_tunnels, meaning, without
from gatehouse.engine.failures import REPORT, Asked, report, shown
from gatehouse.engine.policy import Pack, check_offline, has_rules, pack_for, summary_of
from gatehouse.engine.policy import render as render_policy
from gatehouse.engine.program import collector_held, load_meanwhile, made_up_credentials, run_program, working_in
from gatehouse.engine.progress import Progress
from gatehouse.engine.takeover import TakeOver
from gatehouse.engine.tree import render_counts, render_outputs, render_tree
from policy.model import UNKNOWN

if TYPE_CHECKING:
    from gatehouse.engine.workspace import EngineStack, Workspace
    from policy.model import Finding

_VERBS = {"preview": "previewing", "up": "updating", "refresh": "refreshing", "destroy": "destroying"}


@dataclass(frozen=True)
class Options:
    """How to run: `yes` asks nothing, `simulated` forces simulated clouds, `as_json` prints the engine's own preview
    JSON, `refresh` reads the clouds first, `debug` shows tracebacks."""

    simulated: bool = False
    yes: bool = False
    as_json: bool = False
    refresh: bool = False
    debug: bool = False


def run(command: str, project: Path, stack: str, options: Options) -> int:
    """Run `command` (preview, up, refresh, destroy) on a stack and print what it does.

    Returns 0, or 1 where the run failed (what failed is printed). Raises CommandError for what the user has to fix.
    """
    this = _Run(command, project, stack, options)
    code = this.run()
    if this.interrupted:
        # The program's thread may hang for ever in what was interrupted, and Python would wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 1)
    return code


class _Run:
    def __init__(self, command: str, project: Path, stack: str, options: Options) -> None:
        self.command = command
        self.project = project
        self.stack = stack
        self.options = options
        self.source: StackFile = _read_source(project, stack)
        self.name = project_name(project)
        self.started = time.monotonic()
        self.live = sys.stdout.isatty() and not options.as_json
        self.color = self.live and not os.environ.get("NO_COLOR")
        self.crash = ""
        self.host_crash = ""
        self.interrupted = False
        self.take_over: TakeOver | None = None
        self.loading: threading.Thread | None = None
        self.pack = Pack(None)
        self.real = False
        self.findings: list[Finding] | None = None
        self.after_engine: Callable[[], None] = lambda: None
        self.once_more: Callable[[], None] = lambda: None

    def _on(self, stack: str = "") -> str:
        return about(stack or self.stack, not self.real)

    def say(self, text: str) -> None:
        """To people: beside stdout where that holds JSON."""
        print(text, file=sys.stderr if self.options.as_json else sys.stdout, flush=True)

    def run(self) -> int:
        clouds = choose_clouds(os.environ, self.source.values, self.options.simulated)
        if clouds.real and self.command in ("up", "destroy") and not self.options.yes and not sys.stdin.isatty():
            raise UsageError(
                f"{self.command} on real clouds asks first, and there is no terminal to ask on: add --yes."
            )
        refused: list[str] = []
        engine = find_or_get_engine(self.project, self.say, refused)
        if engine is None:
            return self._without_engine(refused)
        self.real = clouds.real
        self.say(f"Engine: pulumi {engine.version}, {engine.origin}. Clouds: {'real' if clouds.real else 'simulated'}.")
        if clouds.note:
            self.say(textwrap.fill(clouds.note, width()))
        self.pack = pack_for(self.project, os.environ)
        if self.source.values.get("gatehouse:adopt"):
            # The engine would judge what somebody made by hand, and refuse even to import it.
            self.pack = Pack(None, "what gatehouse:adopt names stays as it was found")
        with collector_held(), ExitStack() as at_end:
            at_end.enter_context(working_in(self.project))
            return self._real(engine) if clouds.real else self._simulated(engine, at_end)

    def _without_engine(self, refused: list[str]) -> int:
        reasons = textwrap.fill(f"No Pulumi engine can be had here: {'; '.join(refused)}.", width())
        if self.command != "preview":
            raise CommandError(f"{self.command} needs the Pulumi engine.\n{reasons}")
        self.say(f"Engine: none, this is the offline plan. Clouds: none.\n{reasons}")
        from gatehouse import plan

        return plan.show(self.project, self.stack, self.options.as_json)

    # --- the two kinds of clouds

    def _simulated(self, engine: Engine, at_end: ExitStack) -> int:
        from gatehouse.engine import workspace as places
        from gatehouse.simulation.launch import SimulatedClouds, SimulationError

        at_end.enter_context(places.only_one(self.project, self.say))
        workspace = places.SimulatedWorkspace(self.project, self.name, engine)
        if self.command in ("refresh", "destroy") and not workspace.stacks().get(self.stack):
            self.say(f"Nothing of {self.stack} is up on simulated clouds.")
            return 0
        workspace.begin_world()
        clouds = SimulatedClouds(
            places.clouds_file(self.project),
            namespaces=places.namespaces(self.source),
            services=places.services(self.source),
        )
        # The clouds take as long to start as the stack takes to be set up.
        clouds.begin()
        at_end.callback(clouds.stop)
        self.after_engine = clouds.end
        with self._failures_told(workspace):
            stack = self._opened(workspace, lambda: workspace.configure(self.source))
            if self.command == "destroy":
                workspace.unprotect(self.stack)
        try:
            at_end.enter_context(clouds)
        except SimulationError as error:
            raise CommandError(str(error)) from error
        workspace.variables.update(clouds.env)

        def once_more() -> None:
            clouds.again()
            workspace.variables.update(clouds.env)

        self.once_more = once_more
        at_end.enter_context(made_up_credentials())
        code = self._operate(stack, workspace)
        if code == 0 and self.command == "destroy":
            workspace.end_world()
        return code

    def _real(self, engine: Engine) -> int:
        from gatehouse.engine.workspace import real_workspace

        workspace = real_workspace(self.project, self.source, engine)
        self._refuse_locked()
        with self._failures_told(workspace):
            stack = self._opened(workspace)
            if self.command == "destroy":
                self._refuse_protected(workspace)
        if self.command in ("up", "destroy") and not self.options.yes:
            code = self._operate(stack, workspace, preview=True)
            if code or not self._confirmed():
                return code or 1
        return self._operate(stack, workspace)

    def _opened(self, workspace: Workspace, configure: Callable[[], None] = lambda: None) -> EngineStack:
        """The stack, ready for the command. Raises CommandError where another stack or a former run stands before."""
        self._owner_is_up(workspace)
        configure()
        stack = workspace.open(self.stack, self._program, make=not self.real or self.command in ("preview", "up"))
        self.take_over = TakeOver(self.project, self.source, self.say, simulated=not self.real)
        self.take_over.look(workspace, self.command)
        if self.command == "destroy":
            self._no_member_is_up(workspace)
        return stack

    def _refuse_locked(self) -> None:
        """A run that is under way is not to be disturbed; the lock of one that was killed is taken away.

        Raises CommandError where another run holds the stack, or may hold it.
        """
        from gatehouse.engine.backend import backend_url
        from gatehouse.engine.lock import locks

        if self.command == "preview":
            return
        for lock in locks(backend_url(self.project), self.project, self.name, self.stack):
            if lock.is_left_over:
                lock.path.unlink(missing_ok=True)
                self.say(f"The lock of a run of {self.stack} that was killed is taken away ({lock}).")
                continue
            raise CommandError(
                f"Another run holds stack {self.stack} ({lock}). Nothing was touched. Wait until it ends, or stop it "
                f"with Ctrl-C where it runs. Only if it is certainly dead: {self._cancel()}"
            )

    def _cancel(self) -> str:
        return f"gatehouse pulumi{'' if self.real else ' --simulated'} cancel --yes --stack {self.stack}"

    def _confirmed(self) -> bool:
        answer = input(f"\n{self.command} stack {self.stack} on the real clouds? [y/N] ")
        if answer.strip().lower() in ("y", "yes"):
            return True
        self.say("Nothing was done.")
        return False

    def _refuse_protected(self, workspace: Workspace) -> None:
        """Raises CommandError where something is protected: with the commands, and what has to come before them."""
        resources = (workspace.state(self.stack)["deployment"] or {}).get("resources") or []
        protected = [r for r in resources if r.get("protect")]
        if not protected:
            return
        names = "\n".join(
            f"  gatehouse pulumi state unprotect --stack {self.stack} --yes '{r['urn']}'" for r in protected
        )
        dns = ""
        if any(r.get("inputs", {}).get(word) for r in protected for word in ("nameservers", "splitDns")):
            dns = (
                "\nThe tailnet's nameservers stay set all the same: where one goes with this stack, devices find no "
                "names any more. First write `nameservers: []` under `dns:` of `estate.tailnet`, and nothing beside it "
                f"but `magic_dns:`; then run gatehouse up {self._on(self.stack)}."
            )
        raise CommandError(
            f"{len(protected)} resources of {self.stack} are protected: losing them takes down more than this stack. "
            f"Nothing was done. Where you mean it, unprotect each first:\n{names}{dns}"
        )

    def _owner_is_up(self, workspace: Workspace) -> None:
        """A member stack reads its owner's outputs: without them nothing of it can be made."""
        reference = self.source.values.get("gatehouse:member_of")
        if self.command not in ("preview", "up") or not isinstance(reference, str):
            return
        owner = owner_stack(reference)
        if not workspace.stacks().get(owner):
            raise CommandError(
                f"Stack {self.stack} is a member of {owner}'s estate (gatehouse:member_of), and {owner} is not up yet: "
                f"its zone and tailnet are not known. First run: gatehouse up {self._on(owner)}"
            )

    def _no_member_is_up(self, workspace: Workspace) -> None:
        """An owner that goes takes its members' zone and policies along. Raises CommandError with what goes first."""
        up = workspace.stacks()
        members = [
            name
            for name in stack_names(self.project)
            if up.get(name)
            and owner_stack(str(read_stack_file(stack_path(self.project, name)).values.get("gatehouse:member_of")))
            == self.stack
        ]
        if members:
            first = "\n".join(f"  gatehouse destroy {self._on(name)}" for name in members)
            raise CommandError(
                f"{self.stack} owns what its members use (zone, login, tailnet policy), and {', '.join(members)} "
                f"{'is' if len(members) == 1 else 'are'} still up. Nothing was done. First run:\n{first}"
            )

    # --- one operation

    def _operate(self, stack: EngineStack, workspace: Workspace, preview: bool = False) -> int:
        from pulumi.automation import ConcurrentUpdateError

        command = "preview" if preview else self.command
        progress = Progress(_VERBS[command], quiet=self.options.as_json, live=self.live)
        failure: Exception | None = None
        assert self.take_over
        refresh = True if self.options.refresh or (self.take_over.open and command != "preview") else None
        asks: dict[str, object] = {"refresh": refresh, "policy_packs": self.pack.policy_packs}
        operation = "preview_destroy" if preview and self.command == "destroy" else command
        more: dict[str, dict[str, object]] = {
            "preview": {**asks, "json": self.options.as_json},
            "up": {**asks, "suppress_outputs": True},
            "destroy": {"refresh": refresh},
        }
        if command == "up":
            self._refuse_what_policy_forbids()
        if self.options.as_json:
            # Without it the document lacks what stays as it is, and `who --from` would answer from half a stack.
            stack.workspace.env_vars = {**stack.workspace.env_vars, "PULUMI_OPTION_SHOW_SAMES": "true"}
        if command in ("preview", "up"):
            self.loading = load_meanwhile(self.project)
        with progress, self._interruptible(workspace), self._crashes_kept():
            try:
                getattr(stack, operation)(on_event=progress.on_event, color="never", **more.get(operation, {}))
            except Exception as error:
                failure = error
        lost = command == "up" and failure and progress.not_made and not workspace.command.interrupts
        if lost and self.take_over.made_all_the_same(workspace, progress.not_made):
            self.once_more()
            return self._operate(stack, workspace)
        if command in ("up", "destroy") and not preview and not isinstance(failure, ConcurrentUpdateError):
            try:
                self.take_over.close(workspace, success=failure is None)
            except CommandError as error:
                self.say(f"The state could not be put in order, and is as the engine left it: {error}")
        self.crash = self.crash or progress.crash or (self.host_crash if progress.cause_untold else "")
        # Simulated clouds take as long to end as what is left takes to be told.
        self.after_engine()
        log = self._keep_log(workspace, failure)
        failed = failure is not None or bool(self.crash)
        self._show(progress, workspace, command, failed)
        if command != "destroy" and (
            told := meaning(self.project, self.stack, progress.read, bool(self.take_over.open))
        ):
            self.say("\n".join(["", *told]))
        if failed:
            asked = Asked(self.project, self.command, self.stack, self.source.values, os.environ, not self.real)
            report(
                progress,
                asked,
                log,
                self.crash,
                self.options.debug,
                lambda: failure and self._engine_error(failure, workspace),
            )
            code = 1
        else:
            self._finish(progress, preview)
            code = self._policy()
        with self._failures_told(workspace):
            code |= self._take_out_what_is_deleted(progress, workspace, command)
        if command == "up" and not failed:
            self._warn_of_doubles(progress)
        return code

    def _take_out_what_is_deleted(self, progress: Progress, workspace: Workspace, command: str) -> int:
        """A deleted tunnel answers as if it were there. Out of the state, the next `up` makes another in its place.

        Returns 1 where `up` has left something down.
        """
        deleted = deleted_tunnels(progress.read) if command != "destroy" else []
        for tunnel in deleted:
            again = f"Make another, with its token, rules and records: gatehouse up {self._on()}"
            what = "It was taken out of the state."
            if command == "preview":
                what = f"Take it out of the state: gatehouse refresh {self._on()}"
            else:
                exported = workspace.state(self.stack)
                workspace.put_state(self.stack, {**exported, "deployment": without(exported["deployment"], tunnel.urn)})
            self.say("\n" + textwrap.fill(f"warning: {tunnel}.", width()) + f"\n{what}\n{again}")
        return int(command == "up" and bool(deleted))

    def _warn_of_doubles(self, progress: Progress) -> None:
        """A provider that asked again makes no noise: the account is looked at. The stack is as wanted all the same."""
        made = ("create", "replace", "update", "import")
        if not any(s.op in made and s.type.startswith("cloudflare:") for s in progress.steps.values()):
            return
        from config.loader import load_project
        from gatehouse.adopt.doubles import Account

        stack = load_project(self.project)[self.stack]
        if stack.estate is not None:
            for text in Account(self.project, stack, simulated=not self.real).warnings(width()):
                print(f"\nwarning: {text}", file=sys.stderr, flush=True)

    def _show(self, progress: Progress, workspace: Workspace, command: str, failed: bool) -> None:
        if self.options.as_json:
            if workspace.command.last_output.startswith("{"):
                print(workspace.command.last_output)
            for message in shown(progress, self.options.debug):
                print(message, file=sys.stderr)
            return
        steps = list(progress.steps.values())
        # A program that was refused has registered nothing but its stack: no tree then.
        if not failed or len(steps) > 1:
            tree = render_tree(steps, width(), self.color)
            print(tree + "\n" if tree else "", end="")
        if command == "up" and progress.outputs and not failed:
            print(f"\nOutputs:\n{render_outputs(progress.outputs, width(), UNKNOWN)}")
        for message in shown(progress, self.options.debug):
            print(f"\n{message}" if "\n" in message.text else str(message))
        sys.stdout.flush()

    def _finish(self, progress: Progress, preview: bool) -> None:
        if self.options.as_json:
            return
        planned = preview or self.command == "preview"
        print(f"\n{self.stack}: {render_counts(progress.counts, planned, self.color)}")
        if self.command in ("preview", "up"):
            from gatehouse.plan import exposure

            told = exposure(self.project, self.stack, None if planned else progress.outputs)
            print(told)
            if told and not self.real:
                print("\nThese clouds are simulated: take none of these steps now. A real `up` leaves them to you.")
        what = "preview" if preview else self.command
        print(f"\n{what}: {progress.seconds:.1f} s, {time.monotonic() - self.started:.1f} s in all", flush=True)

    def _findings(self) -> list[Finding]:
        """What the rules of policy/ find in the program, asked once."""
        if self.findings is None:
            self.findings = check_offline(self.project, self.stack)
        return self.findings

    def _refuse_what_policy_forbids(self) -> None:
        """The engine asks rules for the whole stack only when all is made: `up` asks them of the program first."""
        wrong = [f for f in self._findings() if f.judged]
        if wrong:
            raise CommandError(
                f"nothing was touched, for rules of policy/ are broken:\n{render_policy(wrong, width())}"
            )

    def _policy(self) -> int:
        """Ask the rules of the program too, which shows more than the pack sees. Returns 1 where one is broken."""
        if self.command not in ("preview", "up") or not has_rules(self.project):
            return 0
        findings = self._findings()
        if findings:
            self.say(render_policy(findings, width()))
        self.say(summary_of(findings, str(self.pack)))
        return int(any(f.judged for f in findings))

    @contextmanager
    def _failures_told(self, workspace: Workspace) -> Iterator[None]:
        """Failures of the engine beside an operation, as something to read."""
        try:
            yield
        except CommandError:
            raise
        except Exception as error:
            raise self._engine_error(error, workspace) from error

    def _engine_error(self, error: Exception, workspace: Workspace) -> Exception:
        """What the engine said where it could not even begin."""
        from pulumi.automation import CommandError as EngineFailure
        from pulumi.automation import ConcurrentUpdateError, StackNotFoundError

        if isinstance(error, CommandError):
            return error
        if isinstance(error, StackNotFoundError):
            return CommandError(f"There is no stack {self.stack} in the backend: nothing of it is up.")
        if isinstance(error, ConcurrentUpdateError):
            return CommandError(
                f"Another run holds stack {self.stack}. Nothing was touched. Wait until it ends. Only if it is "
                f"certainly dead: {self._cancel()}"
            )
        if isinstance(error, EngineFailure):
            lines = [line for line in str(error).partition("stderr: ")[2].splitlines() if line.strip()]
            return CommandError("The engine says:\n" + "\n".join(f"  {line}" for line in lines[:20]))
        self.crash = "".join(traceback.format_exception(error))
        return CommandError(f"{REPORT}\n  {self._keep_log(workspace, error)}")

    def _keep_log(self, workspace: Workspace, failure: Exception | None) -> Path:
        path = self.project / ".gatehouse" / "last-run.log"
        path.parent.mkdir(exist_ok=True)
        trace = "".join(traceback.format_exception(failure)) if failure else ""
        path.write_text("\n".join([*workspace.command.log, trace, self.crash]), encoding="utf-8")
        return path

    # --- the program

    def _program(self) -> None:
        """The project's `__main__.py`, run as `pulumi` would run it."""
        if self.loading:
            self.loading.join()

        from pulumi import RunError

        from gatehouse.engine.messages import without_debug_messages
        from gatehouse.engine.positions import program_trace, traced_by

        if not self.options.debug:
            without_debug_messages()
        if self.take_over and self.take_over.ids:
            from components.adopt import Adoption

            Adoption({}, self.take_over.ids)
        try:
            with traced_by(program_trace):
                run_program(self.project)
        except RunError:
            raise
        except (Exception, SystemExit) as error:
            self.crash = traceback.format_exc()
            raise RunError(f"the program failed: {type(error).__name__}: {error}") from error

    @contextmanager
    def _crashes_kept(self) -> Iterator[None]:
        """Where ending the program fails, gRPC alone hears of it, and would print the traceback."""

        def keep(record: logging.LogRecord) -> bool:
            from pulumi import RunError

            error = record.exc_info[1] if record.exc_info else None
            if error is not None and not isinstance(error, RunError):
                self.host_crash = "".join(traceback.format_exception(error))
            return False

        logger = logging.getLogger("grpc._server")
        logger.addFilter(keep)
        try:
            yield
        finally:
            logger.removeFilter(keep)

    @contextmanager
    def _interruptible(self, workspace: Workspace) -> Iterator[None]:
        """Ctrl-C (and SIGTERM) ask the engine to stop after what is under way; a second one, to stop at once."""
        words = {
            1: "Stopping: the engine ends what is under way. Press Ctrl-C again to stop at once.",
            2: "Stopping at once: what was under way may be left half done.",
        }

        def stop(number: int, frame: FrameType | None) -> None:
            asked = workspace.command.interrupt()
            if asked in words:
                print(f"\n{words[asked]}", file=sys.stderr, flush=True)

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            # Who presses Ctrl-C twice may press it a third time, while the clouds are stopped.
            if not workspace.command.interrupts:
                for number, handler in before.items():
                    signal.signal(number, handler)
            self.interrupted = workspace.command.interrupts > 0


def _read_source(project: Path, stack: str) -> StackFile:
    source = read_stack_file(stack_file(project, stack))
    if source.document.findings:
        raise CommandError(render_findings(source.document.findings))
    return source
