"""Resources as a tree, for people. Pure: steps in, text out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from config.text import wrap

_OPS: Mapping[str, tuple[str, str, str, str]] = {
    "create": ("+", "32", "to create", "created"),
    "update": ("~", "33", "to update", "updated"),
    "delete": ("-", "31", "to delete", "deleted"),
    "replace": ("±", "35", "to replace", "replaced"),
    "import": ("=", "36", "to import", "imported"),
    "read": (">", "36", "to read", "read"),
    "discard": ("<", "33", "no longer to read", "no longer read"),
    "same": (" ", "2", "unchanged", "unchanged"),
    "create-replacement": ("±", "35", "", ""),
    "delete-replaced": ("±", "35", "", ""),
    "import-replacement": ("=", "36", "", ""),
    "refresh": ("~", "33", "", ""),
}
"""Each operation's sign and colour, and its words before and after the run; in the order in which they are counted."""


@dataclass(frozen=True)
class Step:
    """What happens to one resource: `op` as the engine names it, `parent` a URN, `changes` what differs; `inputs` is
    what it is to be made of, secrets masked."""

    op: str
    urn: str
    parent: str = ""
    changes: tuple[str, ...] = ()
    failed: bool = False
    inputs: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)

    @property
    def type(self) -> str:
        """The type, short: `cloudflare:DnsRecord`, `kubernetes:Service`."""
        token = self.urn.split("::")[2].rsplit("$", 1)[-1]
        package, _, rest = token.partition(":")
        module, _, name = rest.rpartition(":")
        # The module says the API's group and version, or repeats the type: no help to people.
        return f"{package}:{name}" if module.partition("/")[0] == "index" or "/" in module else token

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.split("::", 3)[3]

    @property
    def label(self) -> str:
        """Type and logical name for a sentence: `DnsRecord/grafana.example.com`."""
        return f"{self.type.rpartition(':')[2]}/{self.name}"


def render_tree(steps: Iterable[Step], width: int, color: bool = False) -> str:
    """The steps that change something, under their parents, sorted by name; at most `width` columns."""
    by_urn = {step.urn: step for step in steps}
    wanted: set[str] = set()
    for step in by_urn.values():
        urn = step.urn if step.op != "same" or step.failed else ""
        while urn in by_urn and urn not in wanted:
            wanted.add(urn)
            urn = by_urn[urn].parent
    children: dict[str, list[Step]] = {}
    for step in sorted((by_urn[urn] for urn in wanted), key=lambda s: (s.name, s.type)):
        children.setdefault(step.parent if step.parent in wanted else "", []).append(step)
    lines: list[tuple[Step, str]] = []

    def walk(step: Step, lead: str, branch: str) -> None:
        lines.append((step, lead + branch + step.name))
        below = children.get(step.urn, [])
        inner = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        for child in below:
            walk(child, inner, "└─ " if child is below[-1] else "├─ ")

    for root in children.get("", []):
        walk(root, "", "")
    # A name longer than the column pushes its type to the right; few are. The longest type takes 43 columns.
    column = min(max((len(text) for _, text in lines), default=0), width - 47)
    return "\n".join(line for step, text in lines for line in _lines(step, text, column, width, color))


def _lines(step: Step, text: str, column: int, width: int, color: bool) -> list[str]:
    sign, code, *_ = _OPS.get(step.op, ("?", "0"))
    left = f"{'!' if step.failed else sign} {_cut(text, width - 12):<{column}}"
    kind = _cut(step.type, width - len(left) - 2)
    length = len(left) + 2 + len(kind)
    line = f"{left}  {kind}"
    if color:
        line = f"\x1b[{'31' if step.failed else code}m{left}\x1b[0m  \x1b[2m{kind}\x1b[0m"
    changes = f"[{', '.join(step.changes)}]" if step.changes else ""
    if not changes or length + 1 + len(changes) <= width:
        return [f"{line} {changes}".rstrip()]
    return [line, *textwrap.wrap(changes, width, initial_indent=" " * 8, subsequent_indent=" " * 9)]


def render_counts(counts: Mapping[str, int], planned: bool, color: bool = False) -> str:
    """`96 to create, 2 to update, 5 unchanged`."""
    merged: dict[str, int] = {}
    for op, count in counts.items():
        # A replacement is three steps of the engine and one change for people.
        if op not in ("create-replacement", "delete-replaced", "discard-replaced"):
            merged[op] = merged.get(op, 0) + count
    parts = []
    for op in [op for op in _OPS if op in merged] + sorted(op for op in merged if op not in _OPS):
        sign, code, before, after = _OPS.get(op, (" ", "0", "", ""))
        part = f"{sign} {merged[op]} {(before if planned else after) or op}".strip()
        parts.append(f"\x1b[{code}m{part}\x1b[0m" if color else part)
    return ", ".join(parts) or "nothing to do"


def render_outputs(outputs: Mapping[str, object], width: int, unknown: str = "") -> str:
    """The stack's outputs, whole, since they are there to be copied; tables only by their size."""
    lines = []
    column = max((len(name) for name in outputs), default=0)
    for name in sorted(outputs):
        value = outputs[name]
        if unknown and value == unknown:
            continue
        if isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
            text = ", ".join(map(str, value))
        elif isinstance(value, dict | list):
            text = f"({len(value)} entries)"
        else:
            text = str(value)
        line = f"  {name:<{column}}  {text}"
        if len(line) > width:
            line = "\n".join([f"  {name}", *wrap(text, width, "    ", "    ")])
        lines.append(line)
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
