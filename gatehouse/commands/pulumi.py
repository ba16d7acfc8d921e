"""`gatehouse pulumi …`: the engine's own commands (config, stack, state), by the engine that Gatehouse uses."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from gatehouse.commands import CommandError, UsageError, project_name

_PROGRAM = ("preview", "up", "refresh", "destroy")
"""What runs or follows the program: the engine alone would need Pulumi's language host for Python."""
_EPILOG = """\
Without --simulated this is about the state and the secrets of real stacks.
Their passphrase comes from PULUMI_CONFIG_PASSPHRASE, or from the file that
PULUMI_CONFIG_PASSPHRASE_FILE names; on a terminal you are asked for it.

exit code: the engine's own, 2 for wrong usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.epilog = _EPILOG
    parser.add_argument("--simulated", action="store_true", help="use the state of the simulated clouds")
    parser.add_argument(
        "words", nargs=argparse.REMAINDER, metavar="...", help="a command of Pulumi's, with its options"
    )


def run(args: argparse.Namespace, project: Path) -> int:
    """Run the engine in the project's folder. Returns its exit code. Raises CommandError where there is none."""
    words: list[str] = args.words
    if not words:
        raise UsageError("Which command of Pulumi? For example: gatehouse pulumi stack ls")
    if words[0] in _PROGRAM:
        raise UsageError(f"This is for the engine's other commands. Run: gatehouse {words[0]}")
    from gatehouse.engine.acquire import find_or_get_engine

    refused: list[str] = []
    engine = find_or_get_engine(project, lambda text: print(text, file=sys.stderr), refused)
    if engine is None:
        raise CommandError(f"There is no Pulumi engine: {'; '.join(refused)}.")
    if args.simulated:
        from gatehouse.engine.workspace import SimulatedWorkspace, only_one

        with only_one(project, lambda text: print(text, file=sys.stderr)):
            print(SimulatedWorkspace(project, project_name(project), engine).ask(*words), end="")
        return 0
    path = os.pathsep.join([str(engine.path.parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    return subprocess.run([engine.path, *words], cwd=project, env=environment, check=False).returncode
