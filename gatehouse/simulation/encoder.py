"""How Cloudflare's plugin writes the bodies of its requests, and how it can go wrong for the rest of a process.

Source: terraform-provider-cloudflare `internal/apijson/encoder.go`; docs/adr/0017 has the fault. The plugin makes the
function that writes a string once a process, at the first string it has to write in full, and keeps it. Made in a
POST or PUT, it is right. Made in a PATCH, for a string that was null before, it goes on to work as in a PATCH: it
leaves out what has not changed, in POSTs and PUTs too.
"""

from __future__ import annotations

from typing import Any

from gatehouse.simulation.values import Object, walk


class Encoder:
    """What one plugin process remembers of the strings it wrote."""

    def __init__(self) -> None:
        """A process that has written nothing yet."""
        self._made = False
        self.spoiled = False

    def patch(self, plan: Object, state: Object) -> None:
        """Writes a PATCH, which itself is right."""
        if not self._made and any(isinstance(item, str) and state.get(name) is None for name, item in plan.items()):
            self._made = self.spoiled = True

    def put(self, plan: Object, state: Object | None) -> Object:
        """Writes a PUT, or a POST where there is no state: gives the body as it goes out."""
        if self.spoiled:
            # A creation is compared with itself.
            return _changed(plan, plan if state is None else state)
        self._made = self._made or any(isinstance(item, str) for _, item in walk(plan))
        return plan


def _changed(plan: Object, state: Object) -> Object:
    """Gives `plan` without the strings that are the same in `state`."""
    return {
        name: _rest(item, state.get(name)) for name, item in plan.items() if not _same_string(item, state.get(name))
    }


def _rest(item: Any, old: Any) -> Any:
    if isinstance(item, dict):
        return _changed(item, old if isinstance(old, dict) else {})
    if isinstance(item, list):
        # Each is compared with itself, not with what was.
        return [None if isinstance(one, str) else _rest(one, one) for one in item]
    return item


def _same_string(item: Any, old: Any) -> bool:
    return isinstance(item, str) and item == old
