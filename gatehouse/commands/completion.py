"""`gatehouse completion bash | zsh | fish`: a script that completes commands, options and names of the stack files."""

from __future__ import annotations

import argparse
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")
STACK_OPTIONS = frozenset({"stack", "stack_typed", "member_of"})
"""The arguments whose value is a stack of the folder one stands in."""
_FOLDERS = frozenset({"directory"})
_FILES = frozenset({"FILE", "POLICY.json", "NODES.json"})
_WHOM = "WHO"
_WHAT = "WHAT"
_ENTRANCES = {"bash": "_gatehouse_{}", "zsh": "_gatehouse_{}", "fish": "(__gatehouse_{})"}
# Names come from the files by the shell itself: starting Python at each key would be slow. What `awk` takes for a name
# is one in the forms that people write; a word that is missing can be typed.
_AWK = r"""
function words(text,   n, i, w) {
  gsub(/[][{},"]/, " ", text); n = split(text, w, " ")
  for (i = 1; i <= n; i++) if (w[i] ~ /@/) print "whom", w[i]; else if (hosts && w[i] ~ /\./) print "what", w[i]
}
FNR == 1 { part = ""; node = ""; set = "" }
{ sub(/(^|[ \t])#.*/, "") }
/^  [a-z]+:/ { part = $1 }
part == "gatehouse:node:" && match($0, /[ {]name: *[a-z0-9-]+/) {
  node = substr($0, RSTART, RLENGTH); sub(/.*: */, "", node)
}
part == "gatehouse:estate:" {
  if (zone == "" && (match($0, /zone: *[{] *name: *[a-z0-9.-]+/) || match($0, /^      name: *[a-z0-9.-]+/))) {
    zone = substr($0, RSTART, RLENGTH); sub(/.*: */, "", zone)
  }
  rest = $0
  while (match(rest, /[a-z0-9-]+: *\[[^]]*@/)) {
    set = substr(rest, RSTART, RLENGTH); sub(/:.*/, "", set); print "whom", set
    rest = substr(rest, RSTART + RLENGTH); set = ""
  }
  if ($0 ~ /^ +[a-z0-9-]+:[ \t]*$/) { set = $1; sub(/:/, "", set) }
  if ($0 ~ /^ +- .*@/ && set != "") { print "whom", set; set = "" }
  hosts = 0; words($0)
}
part == "gatehouse:services:" {
  if ($0 ~ /^    [a-z0-9-]+:/) {
    key = $1; sub(/:.*/, "", key); print "what", key
    made[key "-" node] = 1; last = key "-" node
  }
  if ($0 ~ /^ +hosts?:/ || $0 ~ /[{,] *hosts?:/) delete made[last]
  if ($0 ~ /^ +(host|hosts|redirect_from):/) { hosts = 1; line = $0; sub(/^[^:]*:/, "", line); words(line) }
}
END { if (zone != "") for (name in made) print "what", name "." zone }
"""
_ALWAYS = "anyone lan member"
_PREAMBLE = {
    "bash": f"""\
_gatehouse_stacks() {{
  local file
  for file in Pulumi.*.yaml Pulumi.*.yml; do
    [[ -e $file ]] || continue
    file=${{file#Pulumi.}}
    compgen -W "${{file%.*}}" -- "$1"
  done
}}
_gatehouse_names() {{
  awk '{_AWK}' Pulumi.*.y*ml 2>/dev/null | sed -n "s/^$1 //p" | sort -u
}}
_gatehouse_whom() {{ compgen -W "{_ALWAYS} $(_gatehouse_names whom)" -- "$1"; }}
_gatehouse_what() {{ compgen -W "$(_gatehouse_names 'wh[a-z]*')" -- "$1"; }}
""",
    "zsh": f"""\
_gatehouse_stacks() {{
  local -a stacks
  stacks=(Pulumi.*.y(a|)ml(N:r))
  stacks=(${{stacks#Pulumi.}})
  compadd -a stacks
}}
_gatehouse_names() {{
  awk '{_AWK}' Pulumi.*.y(a|)ml(N) /dev/null 2>/dev/null | sed -n "s/^$1 //p" | sort -u
}}
_gatehouse_whom() {{ local -a found; found=({_ALWAYS} $(_gatehouse_names whom)); compadd -a found }}
_gatehouse_what() {{ local -a found; found=($(_gatehouse_names 'wh[a-z]*')); compadd -a found }}
""",
    "fish": f"""\
function __gatehouse_stacks
  for file in Pulumi.*.yaml Pulumi.*.yml
    string replace -r '^Pulumi\\.(.*)\\.ya?ml$' '$1' -- $file
  end
end
function __gatehouse_names
  set -l files Pulumi.*.yaml Pulumi.*.yml
  awk '{_AWK}' $files /dev/null 2>/dev/null | sed -n "s/^$argv[1] //p" | sort -u
end
function __gatehouse_whom
  string split " " "{_ALWAYS}"
  __gatehouse_names whom
end
function __gatehouse_what
  __gatehouse_names 'wh[a-z]*'
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
        elif action.dest in STACK_OPTIONS or action.metavar in (_WHOM, _WHAT):
            names = {_WHOM: "whom", _WHAT: "what"}.get(str(action.metavar), "stacks")
            found = {shell: entrance.format(names) for shell, entrance in _ENTRANCES.items()}
            action.complete = found  # type: ignore[attr-defined]
        elif action.dest in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.metavar in _FILES or action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
