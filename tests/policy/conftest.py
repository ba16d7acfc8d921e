"""The plans of the stacks in the repository, made once."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from gatehouse.engine.policy import resources_of
from policy.model import Resource
from tests.kit import shipped

Planned = Callable[[str], dict[str, Resource]]


@functools.cache
def _resources(stack: str) -> tuple[Resource, ...]:
    return tuple(resources_of(shipped.planned(stack)))


@pytest.fixture
def planned() -> Planned:
    """By URN, every resource that a stack of the repository registers."""
    return lambda stack: {r.urn: r for r in _resources(stack)}
