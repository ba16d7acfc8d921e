"""Findings: everything that is wrong with a stack file, each with its place, reason and fix."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from config.text import wrap

PathPart = str | int
Path_ = tuple[PathPart, ...]

_LONGEST = 80
_PAGE = "docs/refusals.md"


class Place(NamedTuple):
    """A place in a file; lines and columns count from 1, 0 where unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Finding:
    """One thing that would break, or open a hole, live.

    `rule` is the stable id, `path` the place in the configuration (`services.grafana.host`), `value` what stands there,
    `reason` why it breaks and `source` where that is documented, `fix` what to write instead.
    """

    rule: str
    path: Path_
    value: str
    reason: str
    fix: str
    place: Place
    source: str = ""
    suggestion: str = ""
    severity: Literal["error", "warning"] = "error"
    related: tuple[Place, ...] = field(default=())
    by_default: bool = False
    """Whether the value does not stand in the file: what holds where nothing is said."""

    @property
    def where(self) -> str:
        """The path as people write it."""
        return dotted(self.path)

    @property
    def service(self) -> str | None:
        """The service it is about, if it is about one."""
        return str(self.path[1]) if len(self.path) > 1 and self.path[0] == "services" else None

    @property
    def docs(self) -> str:
        """The paragraph about its rule, from the repository's root: the page has a heading for each id."""
        return f"{_PAGE}#{self.rule}"

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "path": self.where,
            "service": self.service,
            "value": self.value,
            "reason": self.reason,
            "source": self.source,
            "fix": self.fix,
            "suggestion": self.suggestion,
            "docs": self.docs,
            **self.place._asdict(),
            "related": [p._asdict() for p in self.related],
        }


class StackError(Exception):
    """A stack file with findings; carries them all."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(render(self.findings))


def dotted(path: Iterable[PathPart]) -> str:
    """`("services", "grafana", "hosts", 0)` gives `services.grafana.hosts[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return _printable(text)


def show(value: object) -> str:
    """A value as it may stand in a message: JSON, cut where long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        text = repr(type(value))
    text = _printable(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _printable(text: str) -> str:
    """Without characters that would steer a terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By place in the file, then rule; one of each."""
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda f: (f.place, f.where, f.rule, f.reason)))


def render(findings: Sequence[Finding], width: int = 80) -> str:
    """All findings for people, in the order of the file, in lines of at most `width` columns; words are not broken."""
    lines: list[str] = []
    for finding in in_order(findings):
        lines += [*render_one(finding, width), ""]
    lines.append(counted(findings))
    return "\n".join(lines)


def render_one(finding: Finding, width: int = 80) -> list[str]:
    """One finding in lines: its place and rule, then where in the configuration, what, why and how to fix it."""
    lines = [f"{finding.place}: {finding.severity} [{finding.rule}]"]
    if finding.path:
        value = f": {finding.value}" if finding.value else ""
        default = " (not in the file: so by default)" if finding.by_default else ""
        lines += _wrapped("at:   ", f"{finding.where}{value}{default}", width)
    lines += _wrapped("why:  ", finding.reason, width)
    lines += _wrapped("fix:  ", finding.fix, width)
    if finding.suggestion and f"`{finding.suggestion}`" not in finding.fix:
        lines += _wrapped("", f"did you mean {finding.suggestion!r}?", width)
    lines += [f"    see also {place}" for place in dict.fromkeys(finding.related)]
    lines += _wrapped("more: ", finding.docs + (f" ({finding.source})" if finding.source else ""), width)
    return lines


def counted(findings: Sequence[Finding]) -> str:
    """How many findings there are, in words."""
    errors = sum(f.severity == "error" for f in findings)
    warnings = len(findings) - errors
    counts = [f"{n} {word}{'s' if n != 1 else ''}" for n, word in ((errors, "error"), (warnings, "warning")) if n]
    return " and ".join(counts) + "." if counts else "Nothing found."


def _wrapped(label: str, text: str, width: int) -> list[str]:
    return wrap(_printable(text), max(width, 40), f"    {label}", " " * (4 + len(label)))


__all__ = [
    "Finding",
    "PathPart",
    "Path_",
    "Place",
    "StackError",
    "counted",
    "dotted",
    "in_order",
    "render",
    "render_one",
    "show",
]
