"""What the simulated clouds held after each call, from their log."""

from __future__ import annotations

from pathlib import Path

from gatehouse.simulation.store import read_calls
from gatehouse.simulation.values import Object


def history(state: Path) -> list[tuple[Object, dict[str, Object]]]:
    """Each call with the objects (by key) that calls had made by then."""
    found: list[tuple[Object, dict[str, Object]]] = []
    held: dict[str, Object] = {}
    for call in read_calls(state):
        changed = {**held, **call.get("changes", {})}
        held = {key: item for key, item in changed.items() if item is not None}
        found.append((call, held))
    return found
