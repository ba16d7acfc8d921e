"""A hand in the simulated clouds behind the program's back: look at objects, change them, delete them.

`python -m gatehouse.simulation.tamper STATE` lists the objects; with a key and `delete`, or `property=JSON`…, it acts.
A running simulation takes what was done into account at the next call. What is done here stands in the log of calls.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatehouse.commands import write_whole
from gatehouse.simulation.values import Object


def objects(state: Path) -> dict[str, Object]:
    """The objects by key, each `{"body": …, "id": …, "urn": …}`; secrets are digests. Empty where there is no world."""
    try:
        held: dict[str, Object] = json.loads(state.read_text(encoding="utf-8"))["objects"]
    except FileNotFoundError:
        return {}
    return held


def find(state: Path, prefix: str, **properties: Any) -> str:
    """The key of the one object under `prefix` (`cloudflare/dns/`) with these properties. Raises LookupError."""
    found = [
        key
        for key, item in objects(state).items()
        if key.startswith(prefix) and all(item["body"].get(name) == value for name, value in properties.items())
    ]
    if len(found) != 1:
        raise LookupError(f"{len(found)} objects under {prefix} with {properties}: {found}")
    return found[0]


def delete(state: Path, key: str) -> None:
    """Deletes the object. Raises LookupError where there is none."""
    _edit(state, key, lambda held: held.pop(key))


def change(state: Path, key: str, **properties: Any) -> None:
    """Sets properties of the object; None takes one away. Raises LookupError where there is none."""

    def act(held: dict[str, Object]) -> None:
        body = {**held[key]["body"], **properties}
        held[key]["body"] = {name: value for name, value in body.items() if value is not None}

    _edit(state, key, act)


def put(state: Path, key: str, body: Object, id_: str) -> None:
    """Makes an object by hand, or replaces one."""
    _edit(
        state,
        key,
        lambda held: held.update({key: {"body": body, "given": sorted(body), "id": id_, "urn": ""}}),
        new=True,
    )


def _edit(state: Path, key: str, act: Callable[[dict[str, Object]], object], new: bool = False) -> None:
    world = json.loads(state.read_text(encoding="utf-8"))
    held = world["objects"]
    if key not in held and not new:
        raise LookupError(f"no object {key} in {state}")
    act(held)
    log = state.with_name(state.name + ".calls.jsonl")
    lines = log.read_text(encoding="utf-8").count("\n") if log.exists() else 0
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = {"n": lines + 1, "at": now, "provider": key.split("/", 1)[0], "method": "tamper", "type": "", "name": ""}
    entry |= {"urn": "", "id": "", "preview": False, "outcome": "ok", "changes": {key: held.get(key)}}
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    write_whole(state, json.dumps(world))


def main() -> int:
    """The command line; gives 1 where the state or the object is not there."""
    parser = argparse.ArgumentParser(prog="python -m gatehouse.simulation.tamper", description=__doc__)
    parser.add_argument("state", type=Path, help="the file that holds the simulated objects")
    parser.add_argument("key", nargs="?", help="the object")
    parser.add_argument("act", nargs="*", metavar="delete | property=JSON", help="what to do; without it: show it")
    args = parser.parse_args()
    try:
        if args.key is None:
            print("\n".join(sorted(objects(args.state))))
        elif args.act == ["delete"]:
            delete(args.state, args.key)
        elif args.act:
            pairs = [word.partition("=") for word in args.act]
            change(args.state, args.key, **{name: json.loads(value) for name, _, value in pairs})
        else:
            print(json.dumps(objects(args.state)[args.key], indent=2))
    except (OSError, ValueError, LookupError) as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
