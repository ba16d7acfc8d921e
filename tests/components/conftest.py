"""Every component's tests run as in a preview and as in `up`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.recorder import UNKNOWN, Recording, record

Run = Callable[[Callable[[], Any]], Recording]
Known = Callable[[Any], Any]


@pytest.fixture(params=[True, False], ids=["preview", "up"])
def preview(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def run(preview: bool) -> Run:
    """Runs a program to its end; assert after it only."""
    return lambda program: record(program, preview)


@pytest.fixture
def known(preview: bool) -> Known:
    """What only the cloud knows: unknown in a preview."""
    return lambda value: UNKNOWN if preview else value
