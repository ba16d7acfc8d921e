"""The flat program to measure against: the same resources, with no components and no checks.

`write_flat` makes a project of it from an offline plan: a list of resources with their inputs, options and references,
and `flat_program.py`, which imports the SDKs in the ordinary way and registers the list.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatehouse.offline import SECRET, UNKNOWN, Step, run_offline

_CONSTANT = ("apiVersion", "kind")
_PROVIDER = "pulumi:providers:"


def write_flat(source: Path, stack: str, folder: Path) -> Path:
    """Make `folder` a project whose program registers flatly what `source`'s stack registers. Returns `folder`."""
    steps = [step for step in run_offline(source, stack).steps if step.state["custom"]]
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("Pulumi.yaml", f"Pulumi.{stack}.yaml"):
        shutil.copy(source / file, folder / file)
    shutil.copy(Path(__file__).with_name("flat_program.py"), folder / "__main__.py")
    (folder / "resources.json").write_text(json.dumps(resources(steps)), encoding="utf-8")
    return folder


def resources(steps: list[Step]) -> list[dict[str, Any]]:
    """The resources as the flat program reads them, each after what it refers to."""
    left = {step.urn: step for step in steps}
    ordered: list[dict[str, Any]] = []
    for urn in list(left):
        _place(urn, left, ordered)
    return ordered


def _place(urn: str, left: dict[str, Step], ordered: list[dict[str, Any]]) -> None:
    step = left.pop(urn, None)
    if step is None:
        return
    request = step.request
    provider = str(request.provider).rsplit("::", 1)[0]
    of_inputs: Mapping[str, list[str]] = {key: sorted(d.urns) for key, d in request.propertyDependencies.items()}
    implied = {other for urns in of_inputs.values() for other in urns}
    for other in [provider, *request.dependencies, *sorted(implied)]:
        _place(other, left, ordered)
    inputs: Any = step.state["inputs"]
    ordered.append(
        {
            "urn": urn,
            "type": step.type,
            "name": step.name,
            "provider": provider,
            "protect": request.protect,
            "after": sorted(set(request.dependencies) - implied),
            "inputs": {
                _snake(key): _marked(value, of_inputs.get(key, []))
                for key, value in inputs.items()
                if step.type.startswith(_PROVIDER) or key not in _CONSTANT
            },
        }
    )


def _marked(value: Any, urns: list[str]) -> Any:
    """Inputs with `{"$of": [urns]}` for what only the cloud knows, and `{"$secret": …}` for secrets."""
    if isinstance(value, dict):
        return {key: _marked(item, urns) for key, item in value.items()}
    if isinstance(value, list):
        # A list of ids has one resource each.
        own = urns if len(urns) == len(value) else []
        return [_marked(item, own[number : number + 1] or urns) for number, item in enumerate(value)]
    if value == UNKNOWN:
        return {"$of": urns[0]} if urns else "unknown"
    return {"$secret": urns[0] if urns else None} if value == SECRET else value


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


if __name__ == "__main__":
    write_flat(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
