"""The results for people (progress, table, findings), for programs (JSON) and for CI (JUnit XML)."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO
from xml.etree import ElementTree

from config.text import wrap
from gatehouse.probe.judge import State
from gatehouse.probe.probes import Check
from gatehouse.probe.runner import Result

_COLOURS = {"failed": "31;1", "not proven": "33", "passed": "32"}
_MARKS = {"failed": "FAILED", "not proven": "?", "passed": "ok"}


class Progress:
    """Shows what is done: on a terminal one line that is rewritten, elsewhere a line for each subject."""

    def __init__(self, checks: Sequence[Check], stream: TextIO, live: bool) -> None:
        self._all = Counter(check.subject for check in checks)
        self._left = Counter(self._all)
        self._total = len(checks)
        self._done = 0
        self._bad: Counter[str] = Counter()
        self._stream = stream
        self._live = live

    def __call__(self, result: Result) -> None:
        """Take a result."""
        subject = result.check.subject
        self._done += 1
        self._left[subject] -= 1
        self._bad[subject] += result.verdict.state == "failed"
        if self._live:
            end = "" if self._done < self._total else "\r\033[K"
            bad = self._bad.total()
            text = f"{self._done} of {self._total}{f', {bad} failed' if bad else ''}  {result.check.id}"
            self._stream.write(f"\r\033[K{text[:79]}{end}")
            self._stream.flush()
        elif not self._left[subject]:
            bad = self._bad[subject]
            done = _counted(self._all[subject]) + (f", {bad} failed" if bad else "")
            print(f"[{self._done:>3} of {self._total}] {subject}: {done}", file=self._stream, flush=True)


def table(results: Sequence[Result], columns: int = 80, colours: bool = False) -> str:
    """A row for each gate of each subject: what works, what must not work and does not, what could not be shown."""
    rows: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        rows.setdefault((result.check.subject, result.check.gate), []).append(result)
    widest = min(max((len(subject) for subject, _ in rows), default=0), columns - 53)
    lines = [f"{'':<{widest}}  {'gate':<13}  {'works':>7}  {'kept shut':>9}  {'unproven':>8}"]
    for (subject, gate), found in rows.items():
        state = _worst(found)
        line = (
            f"{_cut(subject, widest):<{widest}}  {gate:<13}  {_share(found, False):>7}"
            f"  {_share(found, True):>9}  {_count(found, 'not proven') or '':>8}  "
        )
        lines.append(line + _painted(_MARKS[state], state, colours))
    return "\n".join(lines)


def findings(results: Sequence[Result], columns: int = 80, colours: bool = False, every: bool = False) -> str:
    """What failed, with what it means and what to do; below, what is not proven; with `every`, all that passed too."""
    lines: list[str] = []
    for result in results:
        if every and result.verdict.state == "passed":
            lines.append(
                f"{_painted('ok', 'passed', colours)}  {result.check.id}: {result.verdict.seen}"[: columns + 20]
            )
    if lines:
        lines.append("")
    for result in results:
        check = result.check
        if result.verdict.state == "failed":
            lines += [
                f"{_painted('FAILED', 'failed', colours)} {check.id}",
                *_wrapped("asked", check.asked, columns),
                *_wrapped("promised", check.promise, columns),
                *_wrapped("seen", result.verdict.seen, columns),
                *_wrapped("means", check.means, columns),
                *_wrapped("do", check.fix, columns),
                "",
            ]
    doubtful: dict[str, list[str]] = {}
    for result in results:
        if result.verdict.state == "not proven":
            doubtful.setdefault(result.verdict.seen, []).append(result.check.id)
    for seen, ids in doubtful.items():
        shown = ", ".join(ids[:6]) + (f" and {len(ids) - 6} more" if len(ids) > 6 else "")
        first = f"not proven: {shown}"
        lines += textwrap.wrap(first, columns, subsequent_indent="    ", break_on_hyphens=False)
        lines += textwrap.wrap(seen, columns, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines).rstrip()


def summary(results: Sequence[Result], seconds: float) -> str:
    """One line with the counts."""
    n = {state: _count(results, state) for state in ("passed", "failed", "not proven")}
    text = f"{_counted(len(results))} in {seconds:.1f} s: {n['passed']} passed"
    text += f", {n['failed']} failed" if n["failed"] else ", none failed"
    return text + (f", {n['not proven']} not proven" if n["not proven"] else "") + "."


def to_dict(stack: str, results: Sequence[Result], seconds: float) -> dict[str, object]:
    """The results for programs."""
    return {
        "stack": stack,
        "seconds": round(seconds, 3),
        "passed": _count(results, "passed"),
        "failed": _count(results, "failed"),
        "not_proven": _count(results, "not proven"),
        "checks": [
            {
                "id": r.check.id,
                "subject": r.check.subject,
                "gate": r.check.gate,
                "must_not": r.check.must_not,
                "asked": r.check.asked,
                "promise": r.check.promise,
                "state": r.verdict.state,
                "seen": r.verdict.seen,
                "means": r.check.means,
                "fix": r.check.fix,
                "seconds": round(r.seconds, 3),
            }
            for r in results
        ],
    }


def write_junit(path: Path, stack: str, results: Sequence[Result], seconds: float) -> None:
    """Write JUnit XML: a suite for each subject; what is not proven is `skipped`. Raises OSError."""
    root = ElementTree.Element("testsuites", _attributes(f"gatehouse verify {stack}", results, seconds))
    subjects = dict.fromkeys(r.check.subject for r in results)
    for subject in subjects:
        own = [r for r in results if r.check.subject == subject]
        suite = ElementTree.SubElement(root, "testsuite", _attributes(subject, own, sum(r.seconds for r in own)))
        for result in own:
            check = result.check
            case = ElementTree.SubElement(
                suite,
                "testcase",
                {"classname": f"{stack}.{subject}", "name": check.id, "time": f"{result.seconds:.3f}"},
            )
            if result.verdict.state == "failed":
                failure = ElementTree.SubElement(case, "failure", {"message": _xml(result.verdict.seen)})
                failure.text = _xml(
                    f"asked: {check.asked}\npromised: {check.promise}\nmeans: {check.means}\ndo: {check.fix}"
                )
            elif result.verdict.state == "not proven":
                ElementTree.SubElement(case, "skipped", {"message": _xml(result.verdict.seen)})
    ElementTree.indent(root)
    path.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _attributes(name: str, results: Sequence[Result], seconds: float) -> dict[str, str]:
    return {
        "name": name,
        "tests": str(len(results)),
        "failures": str(_count(results, "failed")),
        "skipped": str(_count(results, "not proven")),
        "time": f"{seconds:.3f}",
    }


def _xml(text: str) -> str:
    """Without what XML 1.0 cannot hold: an answer's body may have anything."""
    return "".join(c if c in "\t\n" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" else "?" for c in text)


def _count(results: Sequence[Result], state: State) -> int:
    return sum(r.verdict.state == state for r in results)


def _share(results: Sequence[Result], must_not: bool) -> str:
    own = [r for r in results if r.check.must_not == must_not]
    return f"{_count(own, 'passed')} of {len(own)}" if own else ""


def _worst(results: Sequence[Result]) -> State:
    states = {r.verdict.state for r in results}
    return "failed" if "failed" in states else "passed" if "passed" in states else "not proven"


def _painted(text: str, state: State, colours: bool) -> str:
    return f"\033[{_COLOURS[state]}m{text}\033[0m" if colours else text


def _counted(number: int) -> str:
    return f"{number} check" if number == 1 else f"{number} checks"


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else f"{text[: columns - 1]}…"


def _wrapped(label: str, text: str, columns: int) -> list[str]:
    return wrap(text, columns, f"    {label:<9} ", " " * 14)
