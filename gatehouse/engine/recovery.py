"""What a run that was killed left open: operations of which the state does not say whether they took effect.

The engine itself warns at each `up` and goes on: what was made already is then made twice or refused, and its own
`refresh --import-pending-creates` drops what it is told to import (seen with 3.259.0). So the state is mended here, as
its export and import allow: what was made is put into it for a refresh to fill, the rest is taken off the list.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OpenOperation:
    """An operation that began and of which no end is known: `kind` as the engine names it (`creating`, `updating`,
    `deleting`…), the resource's URN, and what it is called there where that is known."""

    kind: str
    urn: str
    title: str = ""

    @property
    def name(self) -> str:
        """Type and logical name, short: `DnsRecord/grafana-dns`."""
        return f"{self.urn.split('::')[2].rsplit(':', 1)[-1]}/{self.urn.split('::', 3)[3]}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" ({self.title})" if self.title else "")


def open_operations(deployment: Mapping[str, Any] | None) -> list[OpenOperation]:
    """The operations that a state (an export's `deployment`) holds open."""
    return [
        OpenOperation(str(entry["type"]), str(entry["resource"]["urn"]), _title(entry["resource"].get("inputs") or {}))
        for entry in (deployment or {}).get("pending_operations") or ()
    ]


def settled(deployment: Mapping[str, Any], made: Mapping[str, str]) -> dict[str, Any]:
    """The state without open operations; what was being created and is `made` (URN to id) is a resource of it.

    Its outputs are its inputs until a refresh reads it. What was being updated or deleted is in the state anyhow, and a
    refresh shows what became of it.
    """
    state = copy.deepcopy(dict(deployment))
    resources = list(state.get("resources") or ())
    there = {resource["urn"] for resource in resources}
    for entry in state.pop("pending_operations", None) or ():
        resource = entry["resource"]
        urn = resource["urn"]
        if entry["type"] == "creating" and urn in made and urn not in there:
            resources.append({**resource, "id": made[urn], "outputs": resource.get("inputs") or {}})
    state["resources"] = resources
    return state


def what_to_say(stack: str, creating: Sequence[OpenOperation]) -> str:
    """What the user has to find out where a run on real clouds was killed while it made something."""
    listed = "\n".join(
        f"  {operation.name}" + (f": {operation.title}" * bool(operation.title)) for operation in creating
    )
    return (
        f"the last run of {stack} was ended while it made these, and nobody knows whether they are there:\n{listed}\n"
        "Nothing was touched. Look each up (in the dashboard, or with `gatehouse adopt`), then tell, for each, the id "
        "that it has or that it is not there:\n"
        f"  gatehouse refresh --stack {stack} --made {creating[0].name}=ID --not-made {creating[-1].name} ...\n"
        "What is not there is made at the next `up`."
    )


def _title(inputs: Mapping[str, Any]) -> str:
    """What people know it by: a name, or where it is."""
    metadata = inputs.get("metadata")
    if isinstance(metadata, Mapping):
        return "/".join(str(metadata[key]) for key in ("namespace", "name") if isinstance(metadata.get(key), str))
    for key in ("name", "settingId", "description"):
        if isinstance(inputs.get(key), str):
            return str(inputs[key])
    return ""
