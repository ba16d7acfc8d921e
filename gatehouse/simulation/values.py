"""Property values on the wire and in the program: secrets, unknowns and paths into nested values.

Source of the markers: Pulumi's property value encoding (`sdk/go/common/resource/plugin/rpc.go`,
`pulumi/runtime/rpc.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from google.protobuf import json_format, struct_pb2

from policy.model import UNKNOWN as UNKNOWN_TEXT
from policy.model import UNKNOWNS

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
Path = tuple[str | int, ...]
Object = dict[str, Any]


class Unknown(Enum):
    """A value that the engine does not know yet; there is one, and a copy of it is the same."""

    UNKNOWN = "UNKNOWN"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True)
class Secret:
    """A value that must never be shown; its text form shows nothing of it."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(…)"


def from_struct(struct: struct_pb2.Struct) -> Object:
    """Gives the properties of a request; secrets are `Secret`, unknowns `UNKNOWN`, whole numbers `int`."""
    return dict(rebuilt(json_format.MessageToDict(struct), _read))


def _read(value: Any) -> Any:
    if isinstance(value, str):
        return UNKNOWN if value in UNKNOWNS else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return value
    signature = value.get(_SIGNATURE)
    if signature == _SECRET:
        return Secret(rebuilt(value["value"], _read))
    if signature == _OUTPUT:
        inner = rebuilt(value.get("value", UNKNOWN), _read)
        return Secret(inner) if value.get("secret") else inner
    if signature == _RESOURCE:
        return _read(value["id"]) if "id" in value else value["urn"]
    return dict(sorted(value.items()))


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Gives the wire form of properties; `None` values are left out, as the real providers do."""
    struct = struct_pb2.Struct()
    struct.update(rebuilt(dict(properties), _written))
    return struct


def _written(value: Any) -> Any:
    if isinstance(value, Secret):
        return {_SIGNATURE: _SECRET, "value": value.value}
    if value is UNKNOWN:
        return UNKNOWN_TEXT
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if item is not None}
    return list(value) if isinstance(value, tuple) else value


def walk(value: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yields everything in a value with its path, what holds other things first; a `Secret` adds no step."""
    yield at, value
    if isinstance(value, Secret):
        yield from walk(value.value, at)
    elif isinstance(value, (dict, list)):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from walk(item, (*at, step))


def reveal(value: Any) -> Any:
    """Gives a deep copy without `Secret` wrappers."""
    return rebuilt(value, lambda item: reveal(item.value) if isinstance(item, Secret) else item)


def rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """Gives a deep copy in which `change` has had a look at each part, what holds others first."""
    value = change(value)
    if isinstance(value, dict):
        return {key: rebuilt(item, change) for key, item in value.items()}
    return [rebuilt(item, change) for item in value] if isinstance(value, list) else value


def secret_paths(value: Any) -> Iterator[Path]:
    """Yields where the `Secret` wrappers sit, outermost first."""
    return (path for path, item in walk(value) if isinstance(item, Secret))


def conceal(value: Object, paths: Iterable[Path]) -> Object:
    """Gives `value` with everything at `paths` wrapped as `Secret`; a path that is not there is passed over."""
    for path in sorted(set(paths), key=len):
        holder = at(value, path[:-1])
        found = _step(holder, path[-1]) if path else None
        if found is not None and not isinstance(found, Secret):
            holder[path[-1]] = Secret(found)
    return value


def at(value: Any, path: Path) -> Any:
    """Gives what is at `path`, None where nothing is."""
    for step in path:
        value = _step(value, step)
    return value


def replaced(value: Object, path: Path, item: Any) -> Object:
    """Gives `value` with `item` at `path`; a path that is not there is passed over."""
    holder = at(value, path[:-1])
    if isinstance(holder, dict):
        holder[path[-1]] = item
    return value


def _step(holder: Any, step: str | int) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    if isinstance(holder, list) and isinstance(step, int) and step < len(holder):
        return holder[step]
    return None


def redact(text: str, *sources: Any) -> str:
    """Gives the text with each text that is inside a `Secret` of the sources replaced by `[secret]`."""
    found = {item for source in sources for item in secrets_in(source) if isinstance(item, str) and len(item) > 2}
    for word in sorted(found, key=len, reverse=True):
        text = text.replace(word, "[secret]")
    return text


def secrets_in(value: Any) -> Iterator[Any]:
    """Yields what is in each `Secret`, and all that is inside it."""
    for _, item in walk(value):
        if isinstance(item, Secret):
            yield from (inner for _, inner in walk(reveal(item)))


def has_unknown(value: Any) -> bool:
    """Says whether an unknown sits anywhere in `value`."""
    return any(item is UNKNOWN for _, item in walk(value))


def shaped_like(live: Any, given: Any) -> Any:
    """Gives of `live` only what `given` also speaks of: what the owner of `given` manages."""
    if isinstance(live, dict) and isinstance(given, dict):
        return {key: shaped_like(live[key], item) for key, item in given.items() if live.get(key) is not None}
    if isinstance(live, list) and isinstance(given, list) and len(live) == len(given):
        return [shaped_like(one, other) for one, other in zip(live, given, strict=True)]
    return live


def differences(old: Any, new: Any, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yields each difference as its path and `add`, `delete` or `update`; an unknown differs from everything."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            before, after = old.get(key), new.get(key)
            if before is None and after is None:
                continue
            if before is None:
                yield (*at, key), "add"
            elif after is None:
                yield (*at, key), "delete"
            else:
                yield from differences(before, after, (*at, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index >= len(old):
                yield (*at, index), "add"
            elif index >= len(new):
                yield (*at, index), "delete"
            else:
                yield from differences(old[index], new[index], (*at, index))
    elif old is UNKNOWN or new is UNKNOWN or type(old) is not type(new) or old != new:
        yield at, "update"


def path_text(path: Path) -> str:
    """Gives the path as Pulumi writes it: `spec.ports[0]`, `metadata.annotations["a/b"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "a").replace("-", "a").isalnum():
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text
