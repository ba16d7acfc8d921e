"""The `gatehouse` command. Each command's module is imported only when it is called."""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from config import VERSION
from gatehouse.commands import CommandError, UsageError, named_stack
from gatehouse.examples import epilog

_ENGINE = "gatehouse.commands.engine_run"

COMMANDS: dict[str, tuple[str, str]] = {
    "new-stack": ("gatehouse.commands.new_stack", "write a node's stack file, from a few questions"),
    "check": ("gatehouse.commands.check", "find everything that is wrong with the stack files, offline"),
    "explain": ("gatehouse.commands.explain", "which gate each service gets, why, and who reaches it"),
    "who": ("gatehouse.commands.who", "who reaches a URL or a service, and by which rule, offline"),
    "map": ("gatehouse.commands.map", "draw who reaches what: a page, an SVG, Mermaid, Markdown or text"),
    "diff": ("gatehouse.commands.diff", "who can reach more, or less, after a change of the stack files"),
    "prove": ("gatehouse.commands.prove", "who reaches each service at most, and whether every claim holds"),
    "plan": ("gatehouse.commands.plan", "the resources of a stack, offline and without an engine"),
    "preview": (_ENGINE, "show what `up` would change"),
    "up": (_ENGINE, "make or update what the stack file describes"),
    "todo": ("gatehouse.commands.todo", "the manual steps that are left, with the values to paste"),
    "verify": ("gatehouse.commands.verify", "test from outside what must work, and what must not"),
    "refresh": (_ENGINE, "read what is in the clouds into the state"),
    "destroy": (_ENGINE, "remove what `up` made"),
    "adopt": ("gatehouse.commands.adopt", "find what is in your accounts already, and import it"),
    "doubles": ("gatehouse.commands.doubles", "list and remove duplicates in Cloudflare that no stack knows"),
    "rotate": (
        "gatehouse.commands.rotate",
        "replace a tunnel token, Tailscale key or Google secret, without an outage",
    ),
    "pulumi": ("gatehouse.commands.pulumi", "run another command of the Pulumi engine: config, stack, state"),
    "policy-test": ("gatehouse.commands.policy_test", "run the tests of a Tailscale policy, offline"),
    "token": ("gatehouse.commands.token", "the headers of a service token, for an app that cannot log in"),
    "schema": ("gatehouse.commands.schema", "the JSON Schema of the stack file, for editors"),
    "completion": ("gatehouse.commands.completion", "print the completion script for bash, zsh or fish"),
}
"""Name -> (module, help). A module has `add_arguments(parser)` and `run(args, project) -> int` (its exit code)."""
ANYWHERE = frozenset({"completion", "policy-test"})
"""Commands that need no project."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line. Returns 0 (done), 1 (findings or a failure), 2 (wrong usage) or 3 (not proved)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        # The process ends with the command: once the program has run, a collection would walk a million objects.
        gc.disable()
        # A folder's name may be no text, and a terminal may know few characters: both are shown escaped.
        for stream, errors in (
            (sys.stdin, "replace"),
            (sys.stdout, "backslashreplace"),
            (sys.stderr, "backslashreplace"),
        ):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors=errors)
    try:
        _be_text(arguments)
        args = _parser(_command_in(arguments)).parse_args(arguments)
        if args.command is None:
            _parser(None).print_help()
            return 2
        project = _folder(args)
        if hasattr(args, "stack"):
            args.stack = named_stack(args, project)
        return int(import_module(COMMANDS[args.command][0]).run(args, project))
    except UsageError as error:
        print(f"gatehouse: {error}", file=sys.stderr)
        return 2
    except CommandError as error:
        print(f"gatehouse: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ngatehouse: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        if argv is None:
            # Python collects once more at its end, held or not.
            gc.freeze()


def _be_text(arguments: Sequence[str]) -> None:
    """Raises UsageError for an argument that is no text; the name of a folder or file that is there may be any."""
    for argument in arguments:
        if any("\ud800" <= c <= "\udfff" for c in argument) and not os.path.exists(argument):
            raise UsageError(f"{ascii(argument)[1:-1]}: this argument is not text in UTF-8.")


def whole_parser() -> argparse.ArgumentParser:
    """The parser with the arguments of every command."""
    return _parser(*COMMANDS)


class _Command(argparse.ArgumentParser):
    """A command's parser, with options anywhere: argparse ends the arguments that may be missing at the first option
    after one that may not (`rotate WHAT --simulated STACK`)."""

    _mixed = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's, which this calls by way of its method for options anywhere: that cannot take a REMAINDER."""
        if self._mixed or any(action.nargs == argparse.REMAINDER for action in self._actions):
            return super().parse_known_args(args, namespace)
        self._mixed = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixed = False


def _parser(*wanted: str | None) -> argparse.ArgumentParser:
    """The parser; only the wanted commands' modules are asked for their arguments."""
    parser = argparse.ArgumentParser(
        prog="gatehouse",
        description="Remote access for a homelab: each service gets the gate that fits what it is.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=28),
    )
    parser.add_argument("-C", dest="directory", metavar="DIR", help="work in DIR instead of here")
    parser.add_argument("--version", action="version", version=f"gatehouse {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_Command)
    for name, (module, text) in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=name)
        if name in wanted:
            import_module(module).add_arguments(sub)
            sub.formatter_class = argparse.RawDescriptionHelpFormatter
            sub.epilog = epilog(name, sub.epilog)
    return parser


def _command_in(arguments: Sequence[str]) -> str | None:
    """The first argument that is neither an option of ours nor its value, if it is a command."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "-C":
            next(rest, None)
        elif not argument.startswith("-"):
            return argument if argument in COMMANDS else None
    return None


def _folder(args: argparse.Namespace) -> Path:
    """The folder that the command works in: the one with Pulumi.yaml, `-C DIR` or here or the nearest one above."""
    if args.command in ANYWHERE:
        return Path.cwd()
    start = Path(args.directory or ".").resolve()
    if args.directory and not start.is_dir():
        raise UsageError(f"-C {args.directory}: there is no such folder.")
    for folder in (start, *start.parents):
        if (folder / "Pulumi.yaml").is_file():
            return folder
    raise UsageError(f"There is no Pulumi.yaml in {start} or above it; use -C DIR to name the project's folder.")


if __name__ == "__main__":
    sys.exit(main())
