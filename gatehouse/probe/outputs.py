"""What a stack put out for people: name servers and DS record of each zone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.loader import LoadedStack
from gatehouse.commands import UsageError, project_name


def outputs_in(source: str) -> dict[str, Any]:
    """The stack outputs in a file (or `-`), as the engine's `stack output --json` prints them. Raises UsageError."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--outputs {source}: {getattr(error, 'strerror', None) or error}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--outputs {source}: not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise UsageError(f"--outputs {source}: not an object; give what `gatehouse pulumi stack output --json` prints.")
    return found


def of_zone(outputs: Mapping[str, Any], zone: str, main: str) -> Mapping[str, Any]:
    """One zone's outputs: `zones` has them by name; those of the estate's main zone stand for themselves too."""
    zones = outputs.get("zones")
    found = zones.get(zone) if isinstance(zones, dict) else None
    return found if isinstance(found, dict) else outputs if zone == main else {}


def name_servers_in(outputs: Mapping[str, Any]) -> list[str]:
    """A zone's output `name_servers`; empty where it is not there."""
    found = outputs.get("name_servers")
    return [n for n in found if isinstance(n, str)] if isinstance(found, list) else []


def ds_in(outputs: Mapping[str, Any]) -> str | None:
    """A zone's output `ds_record`, None where it is not there."""
    found = outputs.get("ds_record")
    return found if isinstance(found, str) and found.strip() else None


def simulated_outputs(project: Path, stack: LoadedStack) -> dict[str, Any]:
    """The outputs of a stack that is up on simulated clouds alone; empty for any other. Secrets stay encrypted."""
    from gatehouse.engine.clouds import clouds_of

    if clouds_of(os.environ, stack.source).real:
        return {}
    # The file is the engine's checkpoint, read as `SimulatedWorkspace` does; its module costs a second to load.
    folder = project / ".gatehouse" / "simulated" / "state" / ".pulumi" / "stacks" / project_name(project)
    try:
        latest = json.loads((folder / f"{stack.name}.json").read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}
        resources = latest.get("resources") or []
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    root: dict[str, Any] = next((r for r in resources if r.get("type") == "pulumi:pulumi:Stack"), {})
    return dict(root.get("outputs") or {})
