"""What holds for every test: no network, no credential of whoever runs it, the engine only where it is at hand."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

import tests.kit.profiles  # noqa: F401
from gatehouse.engine.acquire import VARIABLE, Engine, find_engine

ROOT = Path(__file__).parents[1]
_OTHERS = ("PULUMI_", "CLOUDFLARE_", "TAILSCALE_", "KUBE")
_ENGINE = pytest.StashKey[Engine | None]()


def pytest_configure(config: pytest.Config) -> None:
    """Find the engine before the environment is cleaned; make no other process find another."""
    # A worker's end would walk all that it has made, a second long. First in, so last out.
    atexit.register(gc.freeze)
    engine = find_engine(ROOT)
    config.stash[_ENGINE] = engine
    for name in [n for n in os.environ if n.startswith(_OTHERS)]:
        del os.environ[name]
    # Nothing that a test starts gets an engine by itself.
    os.environ[VARIABLE] = str(engine.path) if engine else "none"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Collect without the garbage collector, and leave what is there then out of its later rounds.

    Collecting makes a million objects that stay to the end; to walk them again and again was a fifth of a run.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        # Uncollected: what little is garbage among it may stay too.
        gc.freeze()
        # With nothing left in its oldest generation, the collector would walk the whole of it far too often.
        gc.set_threshold(10_000, 10, 50)
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker neighbouring tests, so that few workers make the same fixtures and imports anew."""
    from xdist.scheduler import WorkStealingScheduling  # type: ignore[import-untyped]

    return WorkStealingScheduling(config, log) if config.option.dist == "load" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Engine tests may use the loopback network; without an engine they are skipped."""
    for item in items:
        if item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", "::1"]))
            if config.stash[_ENGINE] is None:
                item.add_marker(pytest.mark.skip(reason="no Pulumi engine at hand: `make engine` gets one"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say so where the engine's tests were asked for and did not run."""
    if config.stash[_ENGINE] is None and config.option.markexpr != "not engine":
        terminalreporter.write_line("No Pulumi engine at hand: its tests were skipped; `make engine` gets one.")


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine, for tests that are marked `engine`."""
    found = request.config.stash[_ENGINE]
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _own_event_loop() -> Iterator[None]:
    """An event loop for each test, closed after it: Pulumi's SDK leaves work on whatever loop it finds."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
