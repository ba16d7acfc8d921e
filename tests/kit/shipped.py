"""The offline plans of the stacks in the repository, each made once for all tests that only look at one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.kit.builders import PROJECT

if TYPE_CHECKING:
    from gatehouse.offline import Offline


@cache
def planned(stack: str) -> Offline:
    """What the program registers for a stack. Nobody may change it."""
    from gatehouse.offline import run_offline

    return run_offline(PROJECT, stack)


@cache
def planned_text(stack: str) -> str:
    """The same as `gatehouse plan --json` prints it."""
    return planned(stack).to_json()
