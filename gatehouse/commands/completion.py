"""`gatehouse completion bash | zsh | fish`: a script that completes commands, options and stack names."""

from __future__ import annotations

import argparse
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")
STACK_OPTIONS = frozenset({"stack", "stack_typed", "member_of"})
"""The arguments whose value is a stack of the folder one stands in."""
_FOLDERS = frozenset({"directory"})
_FILES = frozenset({"FILE", "POLICY.json", "NODES.json"})
_STACKS = {"bash": "_gatehouse_stacks", "zsh": "_gatehouse_stacks", "fish": "(__gatehouse_stacks)"}
# Names come from the files by the shell itself: starting Python at each key would be slow.
_PREAMBLE = {
    "bash": """\
_gatehouse_stacks() {
  local file
  for file in Pulumi.*.yaml Pulumi.*.yml; do
    [[ -e $file ]] || continue
    file=${file#Pulumi.}
    compgen -W "${file%.*}" -- "$1"
  done
}
""",
    "zsh": """\
_gatehouse_stacks() {
  local -a stacks
  stacks=(Pulumi.*.y(a|)ml(N:r))
  stacks=(${stacks#Pulumi.})
  compadd -a stacks
}
""",
    "fish": """\
function __gatehouse_stacks
  for file in Pulumi.*.yaml Pulumi.*.yml
    string replace -r '^Pulumi\\.(.*)\\.ya?ml$' '$1' -- $file
  end
end
""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"one of: {', '.join(SHELLS)}")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the script. Returns 0."""
    from gatehouse.cli import whole_parser

    print(script(whole_parser(), args.shell))
    return 0


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion script of `shell` (one of `SHELLS`) for a parser with all its commands."""
    import shtab

    _mark(parser)
    text = shtab.complete(parser, shell=shell, preamble=_PREAMBLE[shell])
    return str(text)


def _mark(parser: argparse.ArgumentParser) -> None:
    """Say of each option what its value is; shtab reads the attribute `complete`."""
    import shtab

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _mark(command)
        elif action.dest in STACK_OPTIONS:
            action.complete = _STACKS  # type: ignore[attr-defined]
        elif action.dest in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.metavar in _FILES or action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
