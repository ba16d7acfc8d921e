"""The process that forks the runs, once a worker; a project a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatehouse.engine.acquire import Engine
from tests.engine.kit import Host, Project


@pytest.fixture(scope="session")
def host(engine: Engine) -> Iterator[Host]:
    started = Host()
    yield started
    started.close()


@pytest.fixture
def project(tmp_path: Path, host: Host) -> Project:
    return Project(tmp_path / "project", host)
