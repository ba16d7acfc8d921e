"""Each rule on whole small stack files, under tests/fixtures/rules/<rule>/: `refused…` and `accepted…`.

A refused file says beside the line what is to be found there, and nothing else may be found:
`#! <rule> <path> = <value> ? <suggestion>`, and `#~ <rule>` at a place that the finding names as well. A folder is a
whole repository of stack files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.errors import Finding
from config.loader import LoadedStack, load_project, parse_stack_text, tie, type_stack
from exposure.check import check
from exposure.plan import plan_stack
from exposure.rules import ACCEPTABLE, RULES, STRUCTURAL

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rules"
MARK = re.compile(
    r"(?P<rule>[a-z0-9-]+)(?: (?P<path>[^=?@\s].*?))?(?: = (?P<value>.+?))?"
    r"(?: \? (?P<suggestion>\S+))?(?: @(?P<line>\d+))?"
)
RULE_IDS = sorted({rule.id for rule in RULES} | set(STRUCTURAL))

Expected = tuple[str, str, str, str, str, int]
"""Rule, path, value, suggestion, file, line."""


def cases(kind: str) -> list[Path]:
    return sorted(path for path in FIXTURES.glob(f"*/{kind}*") if path.is_dir() or path.suffix == ".yaml")


def texts(case: Path) -> Iterator[tuple[str, str]]:
    """File name in messages, and text."""
    if case.is_dir():
        yield from ((path.name, path.read_text()) for path in sorted(case.iterdir()))
    else:
        yield "Pulumi.test.yaml", case.read_text()


def load(case: Path) -> dict[str, LoadedStack]:
    if case.is_dir():
        return load_project(case)
    return tie([type_stack(parse_stack_text(case.read_text()))])


def marks(case: Path) -> tuple[list[Expected], set[tuple[str, str, int]]]:
    expected: list[Expected] = []
    related = set()
    for file, text in texts(case):
        for number, line in enumerate(text.splitlines(), 1):
            for part in re.split(r"#(?=[!~] )", line)[1:]:
                if part.startswith("~"):
                    related.add((part[2:].strip(), file, number))
                    continue
                mark = MARK.fullmatch(part[2:].strip())
                assert mark, f"{file}:{number}: {part}"
                expected.append(
                    (
                        mark["rule"],
                        mark["path"] or "",
                        mark["value"] or "",
                        mark["suggestion"] or "",
                        file,
                        int(mark["line"] or number),
                    )
                )
    return sorted(expected), related


def named(case: Path) -> str:
    return f"{case.parent.name}/{case.stem}"


@pytest.mark.parametrize("case", cases("refused"), ids=named)
def test_exactly_what_is_marked_is_found(case: Path) -> None:
    expected, related = marks(case)
    found = check(load(case))
    assert expected, "a refused file without a mark proves nothing"
    assert sorted((f.rule, f.where, f.value, f.suggestion, f.place.file, f.place.line) for f in found) == expected
    assert {(f.rule, place.file, place.line) for f in found for place in f.related} == related
    assert case.parent.name in {f.rule for f in found} or "alone" in case.stem
    lines = {file: text.splitlines() for file, text in texts(case)}
    for finding in found:
        assert finding.reason
        assert finding.mend
        # A misspelt key is read as the known one, and what is found about that stands at the misspelt one.
        if not any(f.rule == "unknown-key" and f.place == finding.place for f in found):
            assert column_is_right(finding, lines[finding.place.file][finding.place.line - 1])


def column_is_right(finding: Finding, line: str) -> bool:
    """The column is that of the deepest part of the path that is in the file, or of an item of a list."""
    text = line[finding.place.column - 1 :].lstrip("\"'")
    item = isinstance(finding.path[-1], int) if finding.path else False
    parts = [str(part) for part in finding.path if not isinstance(part, int)]
    start = finding.value.strip('"') if item else ""
    keys = (*parts, *(f"gatehouse:{part}" for part in parts), "config", start or "{")
    return not finding.path or text.startswith(keys)


@pytest.mark.parametrize("case", cases("accepted"), ids=named)
def test_nothing_is_found_in_what_is_accepted(case: Path) -> None:
    stacks = load(case)
    assert check(stacks) == ()
    # What has no findings can be planned.
    for stack in stacks.values():
        plan_stack(stack, stacks)


@pytest.mark.parametrize("kind", ["refused", "accepted"])
def test_every_rule_has_both_kinds_of_fixture(kind: str) -> None:
    assert sorted({case.parent.name for case in cases(kind)}) == RULE_IDS


def test_ids_are_unique_and_readable() -> None:
    assert len(RULE_IDS) == len(RULES) + len(STRUCTURAL)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+|hsts|yaml", rule) for rule in RULE_IDS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_where_its_reason_is_documented(rule: object) -> None:
    assert rule.source  # type: ignore[attr-defined]
    assert rule.title  # type: ignore[attr-defined]


def test_the_risks_that_may_be_acknowledged_are_these() -> None:
    # The issue names media, no_tls_verify, a path's bypass and HSTS; the rest are risks of the same kind.
    assert ACCEPTABLE == {
        "media-through-tunnel": "service",
        "origin-tls-unverified": "service",
        "access-path-bypass": "service",
        "sensitive-on-funnel": "service",
        "sensitive-by-port-forward": "service",
        "workload-wider": "service",
        "http-by-port-forward": "service",
        "hsts": "stack",
        "tailnet-policy-overwrite": "stack",
        "google-test-users": "stack",
    }
