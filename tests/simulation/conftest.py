"""An empty world a test, and the providers on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatehouse.simulation.cloudflare import Cloudflare
from gatehouse.simulation.kubernetes import Kubernetes
from gatehouse.simulation.store import Store
from gatehouse.simulation.tailscale import Tailscale
from tests.simulation.plugin import Plugin


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    world = Store(tmp_path / "clouds.json")
    yield world
    world.close()


@pytest.fixture
def cloudflare(store: Store) -> Plugin:
    return Plugin(Cloudflare(store))


@pytest.fixture
def tailscale(store: Store) -> Plugin:
    return Plugin(Tailscale(store))


@pytest.fixture
def kubernetes(store: Store) -> Plugin:
    return Plugin(Kubernetes(store), context="alfred")
