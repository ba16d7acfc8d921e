"""The example run in the documentation is what the command prints."""

from __future__ import annotations

import re

import pytest

from tests.gatehouse.probe.picture import run
from tests.kit.builders import PROJECT


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_the_example_in_the_documentation_is_what_is_printed() -> None:
    def timeless(text: str) -> str:
        return re.sub(r"in [\d.]+ s", "in N s", text)

    shown = (PROJECT / "docs" / "verify.txt").read_text(encoding="utf-8")
    assert timeless(run()) == timeless(shown), "python -m tests.gatehouse.probe.picture docs/verify.txt"
