"""Faults on purpose: a plan, in a JSON file beside the state, of what goes wrong at which call.

`{"faults": [{…}, …]}`; the first that fits a call and is not used up meets it. All keys but `do` may be left out:

- `do`: `refuse` (the cloud says no), `status` (it answers with that HTTP status, which a provider may try again), `cut`
  (the connection breaks; tried again likewise), `delay` (the call waits), `hang` (it is never answered), `crash` (the
  clouds' process ends)
- `{"do": "encoder"}`, alone: a fault of Cloudflare's own plugin, see `gatehouse.simulation.encoder`
- `when`: `before` (nothing has happened yet; the default) or `after` (the change is made, the answer is lost)
- `call`: the number of the change (create, update, delete), from 1, counted since the plan was written
- `onwards`: with `call`, that change and each later one
- `type`, `name`, `method`, `provider`: the resource and what is done to it; of `type` the last word is enough
- `times`: how many calls it meets, 1 by default; with `onwards` and with `hang` there is no end
- `status` (500), `text` of the refusal, `seconds` of the delay (1.0)

Each fault that strikes is in the log of calls: method and resource of the call, outcome `fault: <do> <when>`.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any, Final

from gatehouse.simulation.cloud import Call, CutError, Faults, RefusedError, StatusError
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import Object

_CHANGES: Final = ("create", "update", "delete")
#: Not at one call, but in how a plugin works.
_LASTING: Final = ("encoder",)
_DEEDS: Final = ("refuse", "status", "cut", "delay", "hang", "crash", *_LASTING)
_KEYS: Final = frozenset(
    "do when call onwards type name method provider times status text seconds".split()  # noqa: SIM905
)
_CRASHED: Final = 70


def plan_path(state: Path) -> Path:
    """Where the plan of the world in `state` is."""
    return state.with_name(state.name + ".faults.json")


def _valid(fault: Object) -> Object:
    unknown = set(fault) - _KEYS
    if unknown or fault.get("do") not in _DEEDS or fault.get("when", "before") not in ("before", "after"):
        raise ValueError(f"not a fault: {fault}; `do` is one of {', '.join(_DEEDS)}, `when` before or after")
    return fault


class PlannedFaults(Faults):
    """The faults of the plan beside a state file, which is read again where it was replaced."""

    def __init__(self, store: Store) -> None:
        """Takes the world's store, for its place and its log."""
        self._store = store
        self._path = plan_path(store.path)
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._faults: list[Object] = []
        self._changes = 0
        self._numbers: dict[int, int] = {}
        self._over = threading.Event()

    def release(self) -> None:
        """Ends every wait, so that the process can end: calls that hang are cut."""
        self._over.set()

    def before(self, call: Call) -> None:
        """The request is under way."""
        if self._over.is_set():  # A call that hung is asked again, but not of clouds that end.
            raise CutError(f"{call.provider}: connection refused")
        with self._lock:
            self._read()
            if call.method in _CHANGES:
                self._changes += 1
                self._numbers[threading.get_ident()] = self._changes
            fault = self._next(call, "before")
        self._strike(fault, call, "before")

    def after(self, call: Call) -> None:
        """The change is made."""
        with self._lock:
            fault = self._next(call, "after")
        self._strike(fault, call, "after")

    def on(self, deed: str) -> bool:
        """Says whether the plan has this lasting fault."""
        with self._lock:
            self._read()
            return any(fault["do"] == deed for fault in self._faults)

    def _read(self) -> None:
        try:
            stat = self._path.stat()
        except OSError:
            self._seen, self._faults = None, []
            return
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen != self._seen:
            plan = json.loads(self._path.read_text(encoding="utf-8"))
            self._faults = [_valid(dict(fault)) for fault in plan["faults"]]
            self._seen, self._changes = seen, 0

    def _next(self, call: Call, when: str) -> Object | None:
        number = self._numbers.get(threading.get_ident(), 0) if call.method in _CHANGES else 0
        for fault in self._faults:
            if fault["do"] in _LASTING:
                continue
            endless = fault.get("onwards") or fault["do"] == "hang"
            if fault.get("when", "before") == when and _fits(fault, call, number):
                if endless:
                    return fault
                left = fault.setdefault("times", 1)
                if left > 0:
                    fault["times"] = left - 1
                    return fault
        return None

    def _strike(self, fault: Object | None, call: Call, when: str) -> None:
        if fault is None:
            return
        deed = fault["do"]
        self._store.log({**call.entry(), "outcome": f"fault: {deed} {when}"})
        if deed == "refuse":
            raise RefusedError(fault.get("text") or f"{call.provider}: internal error, please try again (500)")
        if deed == "status":
            raise StatusError(int(fault.get("status", 500)), fault.get("text", ""))
        if deed == "crash":
            os._exit(_CRASHED)
        if deed == "delay":
            self._over.wait(float(fault.get("seconds", 1.0)))
            return
        if deed == "hang":
            self._over.wait()
        raise CutError(f"{call.provider}: connection reset by peer")


def _fits(fault: Object, call: Call, number: int) -> bool:
    wanted: Any = fault.get("call")
    if wanted is not None and not (number >= wanted if fault.get("onwards") and number else number == wanted):
        return False
    type_ = fault.get("type")
    return (
        (type_ is None or type_ in (call.type, call.type.rsplit(":", 1)[-1]))
        and fault.get("name", call.name) == call.name
        and fault.get("method", call.method) == call.method
        and fault.get("provider", call.provider) == call.provider
    )
