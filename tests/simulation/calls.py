"""The simulated clouds from outside: their log of calls, what they held after each, and faults on purpose."""

from __future__ import annotations

import json
from pathlib import Path

from gatehouse.commands import write_whole
from gatehouse.simulation.faults import _valid, plan_path
from gatehouse.simulation.values import Object


def write_plan(state: Path, *faults: Object) -> None:
    """Writes a plan of faults (which starts the count of changes anew); without faults it takes the plan away.

    Raises ValueError for a fault that is none.
    """
    for fault in faults:
        _valid(fault)
    path = plan_path(state)
    if not faults:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"faults": faults}))


def read_calls(state: Path) -> list[Object]:
    """Gives the log of calls of the world in `state`: `n`, `at`, `provider`, `method`, `type`, `name`, `urn`,
    `id`, `preview`, `outcome` (`ok` or the error) and, where something changed, `changes` a call."""
    log = state.with_name(state.name + ".calls.jsonl")
    try:
        text = log.read_text(encoding="utf-8")
    except FileNotFoundError:
        # None yet; a run that begins a new world takes the old one's log away at any moment.
        return []
    # A last line without its end is that of a process killed while it wrote.
    lines = text.split("\n")[:-1]
    return [json.loads(line) for line in lines]


def history(state: Path) -> list[tuple[Object, dict[str, Object]]]:
    """Each call with the objects (by key) that calls had made by then."""
    found: list[tuple[Object, dict[str, Object]]] = []
    held: dict[str, Object] = {}
    for call in read_calls(state):
        changed = {**held, **call.get("changes", {})}
        held = {key: item for key, item in changed.items() if item is not None}
        found.append((call, held))
    return found
