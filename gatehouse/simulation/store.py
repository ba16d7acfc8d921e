"""The objects of the simulated clouds in one JSON file, and the log of calls beside it.

A change is in the file before the caller gets its answer. The file is replaced by rename, so that a killed
process leaves either the old or the new one. Secret values are kept as keyed digests, never in clear.
"""

from __future__ import annotations

import copy
import fcntl
import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gatehouse.simulation import values
from gatehouse.simulation.values import Object, Secret

_SEALED: Final = "$sealed"
_LOCK_SECONDS: Final = 5.0


class StoreError(Exception):
    """The state file cannot be used; the text says why and what to do."""


class Store:
    """The objects, by key (`cloudflare/zone/<id>`), each `{"body": …, "urn": …, …}`."""

    def __init__(self, path: Path, *, seed: str = "gatehouse", now: Callable[[], float] = time.time) -> None:
        """Opens the file, or starts an empty world where there is none.

        `seed` decides all ids: two worlds with one seed give one resource the same ids.
        Raises `StoreError` where another process holds the file or it cannot be read.
        """
        self.path = path
        self.log_path = path.with_name(path.name + ".calls.jsonl")
        self.lock = threading.RLock()
        self._now = now
        path.parent.mkdir(parents=True, exist_ok=True)
        self._holder = self._hold()
        self._seen: tuple[int, int] | None = None
        self._objects: dict[str, Object] = {}
        self._lines: dict[str, str] = {}
        self._meta: Object = {"version": 1, "seed": seed, "counter": 0, "births": {}}
        self._undo: dict[str, Object | None] | None = None
        #: What the last transaction changed: key to object, None for one that is gone.
        self.changes: dict[str, Object | None] = {}
        if path.exists():
            self._load()
        elif self.log_path.exists():
            self.log_path.unlink()
        self._log = self.log_path.open("a", encoding="utf-8")
        self._calls = self.log_path.read_text(encoding="utf-8").count("\n")

    def _hold(self) -> int:
        holder = os.open(self.path.with_name(self.path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        until = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > until:
                    os.close(holder)
                    raise StoreError(
                        f"{self.path} is used by another run of the simulated clouds: wait for it, or end it."
                    ) from None
                time.sleep(0.05)
            else:
                return holder

    def close(self) -> None:
        """Lets go of the files."""
        self._log.close()
        os.close(self._holder)

    # -- the file -------------------------------------------------------------------------------------------

    def _load(self) -> None:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            self._meta = {key: data[key] for key in ("version", "seed", "counter", "births")}
            self._objects = data["objects"]
        except (ValueError, KeyError, TypeError, OSError) as problem:
            raise StoreError(
                f"{self.path} is not a file of the simulated clouds ({type(problem).__name__}: {problem}): "
                "move it away to start with an empty world."
            ) from None
        self._lines = {key: self._line(key) for key in self._objects}
        self._seen = self._stamp()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def _line(self, key: str) -> str:
        return f"{json.dumps(key)}: {json.dumps(self._objects[key], sort_keys=True)}"

    def _write(self) -> None:
        head = ",\n".join(f'"{key}": {json.dumps(value, sort_keys=True)}' for key, value in self._meta.items())
        lines = ",\n".join(self._lines.values())
        fresh = self.path.with_name(self.path.name + ".new")
        descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f'{{\n{head},\n"objects": {{\n{lines}\n}}\n}}\n')
        fresh.replace(self.path)
        self._seen = self._stamp()

    @contextmanager
    def transaction(self) -> Iterator[Store]:
        """All changes inside are in the file when it ends, or none where it raises.

        A file that someone else replaced meanwhile (a test that makes drift) is read again first.
        """
        with self.lock:
            if self._seen is not None and self._stamp() != self._seen and self.path.exists():
                self._load()
            meta = copy.deepcopy(self._meta)
            self._undo = {}
            try:
                yield self
                if self._undo or meta != self._meta:
                    self._write()
                self.changes = {key: self._objects.get(key) for key in self._undo}
            except BaseException:
                self._meta = meta
                for key, before in self._undo.items():
                    self._set(key, before)
                raise
            finally:
                self._undo = None

    def _set(self, key: str, item: Object | None) -> None:
        if item is None:
            self._objects.pop(key, None)
            self._lines.pop(key, None)
        else:
            self._objects[key] = item
            self._lines[key] = self._line(key)

    # -- objects --------------------------------------------------------------------------------------------

    def get(self, key: str) -> Object | None:
        """Gives a copy of the object, or `None`."""
        item = self._objects.get(key)
        return None if item is None else copy.deepcopy(item)

    def put(self, key: str, item: Object) -> None:
        """Sets the object; inside a transaction only."""
        self._change(key, copy.deepcopy(item))

    def remove(self, key: str) -> None:
        """Removes the object if it is there; inside a transaction only."""
        self._change(key, None)

    def _change(self, key: str, item: Object | None) -> None:
        if self._undo is None:
            raise RuntimeError("a change outside a transaction")
        self._undo.setdefault(key, self._objects.get(key))
        self._set(key, item)

    def find(self, prefix: str) -> Iterator[tuple[str, Object]]:
        """Yields key and body of each object under `prefix` (`cloudflare/zone/`); not copies: only look."""
        for key, item in self._objects.items():
            if key.startswith(prefix):
                yield key, item["body"]

    # -- ids, time, secrets ---------------------------------------------------------------------------------

    def mint(self, urn: str) -> Callable[[str], str]:
        """Starts a new life of the resource; gives a function from a purpose to 64 hexadecimal digits.

        They depend on the seed, the URN and how often it was created: the same in every run, but another
        after a re-creation.
        """
        births = self._meta["births"]
        births[urn] = birth = births.get(urn, 0) + 1
        seed = self._meta["seed"]
        return lambda purpose: hashlib.sha256(f"{seed}\n{urn}\n{birth}\n{purpose}".encode()).hexdigest()

    def count(self) -> int:
        """Gives the next number of the world's only counter (resource versions)."""
        self._meta["counter"] += 1
        return int(self._meta["counter"])

    def time(self) -> str:
        """Gives the time as the clouds write it."""
        return self.later(0)

    def later(self, seconds: float) -> str:
        """Gives the time `seconds` from now."""
        return datetime.fromtimestamp(self._now() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def digest(self, value: Any) -> str:
        """Gives what stands in the file for a secret value."""
        text = json.dumps(value, sort_keys=True).encode()
        return hmac.new(str(self._meta["seed"]).encode(), text, hashlib.sha256).hexdigest()

    def seal(self, body: Object, paths: Iterable[values.Path]) -> Object:
        """Gives `body` with the values at `paths` replaced by their digests."""

        def seal(value: Any) -> Any:
            return {_SEALED: self.digest(values.reveal(value))} if isinstance(value, Secret) else value

        return dict(values.rebuilt(values.conceal(copy.deepcopy(body), paths), seal))

    def unseal(self, body: Any, *known: Any) -> Any:
        """Gives `body` with digests replaced by the secrets in `known` that have them.

        A secret that is not known there (changed elsewhere, or an import) becomes a made-up text.
        """
        plain = {self.digest(item): item for source in known for item in values.secrets_in(source)}

        def unseal(value: Any) -> Any:
            digest = value.get(_SEALED) if isinstance(value, dict) else None
            return value if digest is None else Secret(plain.get(digest, f"sealed-{digest[:12]}"))

        return values.rebuilt(body, unseal)

    def recognised(self, texts: Mapping[str, Any], known: Mapping[str, Any]) -> Object:
        """Gives `texts` with those that `unseal` made up replaced by the values of their names in `known`, if they are
        those."""

        def made_up(value: Any) -> str:
            return f"sealed-{self.digest(value)[:12]}"

        return {k: known[k] if k in known and text == made_up(known[k]) else text for k, text in texts.items()}

    # -- the log --------------------------------------------------------------------------------------------

    def log(self, entry: Object) -> None:
        """Adds a line to the log of calls; lines stand in the order in which the calls took effect."""
        with self.lock:
            self._calls += 1
            self._log.write(json.dumps({"n": self._calls, "at": self.time(), **entry}) + "\n")
            self._log.flush()
