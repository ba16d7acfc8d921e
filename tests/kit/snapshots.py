"""Golden files: compared byte by byte, updated on purpose."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

UPDATE = "GATEHOUSE_UPDATE_SNAPSHOTS"
_MOST_LINES = 60


def compare(golden: Path, actual: str) -> None:
    """Fail with a diff where `actual` is not what the golden file holds; it is then left beside it as `.ACTUAL`.

    With GATEHOUSE_UPDATE_SNAPSHOTS=1 in the environment, the golden file is written in place of all this.
    """
    beside = golden.with_name(f"{golden.name}.ACTUAL")
    if os.environ.get(UPDATE):
        golden.write_text(actual, encoding="utf-8")
    expected = golden.read_text(encoding="utf-8") if golden.exists() else ""
    if actual == expected:
        beside.unlink(missing_ok=True)
        return
    beside.write_text(actual, encoding="utf-8")
    lines = list(
        difflib.unified_diff(expected.splitlines(), actual.splitlines(), golden.name, beside.name, "", "", 2, "")
    )
    shown = "\n".join(lines[:_MOST_LINES])
    more = f"\n… {len(lines) - _MOST_LINES} more lines" if len(lines) > _MOST_LINES else ""
    raise AssertionError(f"{golden} differs; if that is meant, review it and run with {UPDATE}=1:\n{shown}{more}")
