"""Reading on after a mistake, so that one run finds them all: the likeliest meaning takes the mistake's place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from config.errors import Path_

_REASON = "not readable in the stack file"
_STAND_INS: dict[Path_, object] = {
    ("estate", "account_id"): "0" * 32,
    ("estate", "team"): "team",
    ("estate", "zone"): {"name": "zone.invalid"},
    ("estate", "zone", "name"): "zone.invalid",
    ("estate", "google", "client_id"): "0.apps.googleusercontent.com",
    ("estate", "tailnet", "name"): "tailnet.ts.net",
    ("node", "name"): "node",
    ("node", "lan_ipv4"): "192.0.2.2",
    ("node", "context"): "context",
}
"""What is needed and has no default, so that the rest can be read; no rule judges it (see `Repair.assumed`)."""
_DECIDING = frozenset({"gate", "traffic", "bandwidth", "sensitivity", "clients", "origin"})
"""A service whose gate cannot be known is left out: findings about the wrong gate would mislead."""


@dataclass(frozen=True)
class Mistake:
    """What did not fit: where, and whether it is needed and absent or a key that is not known.

    `suggestion` is the known key nearest to it, `meant` what was most likely meant in place of a value.
    """

    path: Path_
    missing: bool = False
    unknown_key: bool = False
    suggestion: str = ""
    meant: object = None


@dataclass
class Repair:
    """What was assumed in place of what the file says, and which keys were read as another one (old path, new path)."""

    assumed: set[Path_] = field(default_factory=set)
    renamed: list[tuple[Path_, Path_]] = field(default_factory=list)

    def apply(self, values: dict[str, object], mistakes: Iterable[Mistake]) -> bool:
        """Take the mistakes out of `values`, in place. False when nothing could be done."""
        done = False
        # Later items of a list first, so that earlier ones keep their place.
        for mistake in sorted(
            {m.path: m for m in mistakes}.values(), key=lambda m: [str(p).rjust(6, "0") for p in m.path], reverse=True
        ):
            done = self._one(values, mistake) or done
        return done

    def _one(self, values: dict[str, object], mistake: Mistake) -> bool:
        path = mistake.path
        holder = _at(values, path[:-1])
        if mistake.unknown_key and isinstance(holder, dict) and path[-1] in holder:
            value = holder.pop(path[-1])
            if mistake.suggestion and mistake.suggestion not in holder:
                holder[mistake.suggestion] = value
                self.renamed.append((path, (*path[:-1], mistake.suggestion)))
            return True
        if mistake.meant and isinstance(holder, dict):
            holder[path[-1]] = mistake.meant
            if not isinstance(mistake.meant, str):
                # A word that is close counts; a value of another type is read, and judged no further.
                self.assumed.add(path)
            return True
        stand_in = _REASON if path[-2:-1] == ("acknowledge",) else _STAND_INS.get(path)
        if stand_in is not None and isinstance(holder, dict) and holder.get(path[-1]) != stand_in:
            holder[path[-1]] = dict(stand_in) if isinstance(stand_in, dict) else stand_in
            self.assumed.add(path)
            return True
        return self._drop(values, path[:-1] if mistake.missing else path)

    def _drop(self, values: dict[str, object], path: Path_) -> bool:
        if path[:1] == ("services",) and len(path) > 2 and path[2] in _DECIDING:
            path = path[:2]
        while len(path) > 1 and isinstance(path[-1], int) and path[:2] != ("estate", "people"):
            path = path[:-1]
        if not path:
            return False
        self.assumed.add(path)
        holder = _at(values, path[:-1])
        if isinstance(holder, dict) and path[-1] in holder:
            del holder[path[-1]]
            return True
        if isinstance(holder, list) and isinstance(path[-1], int) and path[-1] < len(holder):
            del holder[path[-1]]
            return True
        # It is gone already, or stands in something that is no mapping: then that does not fit either.
        return False


def _at(values: object, path: Path_) -> object:
    for part in path:
        if isinstance(values, dict) and part in values:
            values = cast("dict[object, object]", values)[part]
        elif isinstance(values, list) and isinstance(part, int) and part < len(values):
            values = values[part]
        else:
            return None
    return values
