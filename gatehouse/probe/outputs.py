"""What a stack put out for people: name servers and DS record of each zone, and when service tokens end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
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


def token_ends(outputs: Mapping[str, Any]) -> dict[str, datetime]:
    """When each service token ends; one that never does is not there."""
    found = {}
    tokens = outputs.get("service_tokens")
    for name, token in tokens.items() if isinstance(tokens, dict) else ():
        with suppress(KeyError, TypeError, ValueError):
            found[name] = datetime.fromisoformat(token["expires_at"]).astimezone(UTC)
    return found


def is_simulated(stack: LoadedStack) -> bool:
    """Whether what is known of a stack here is of simulated clouds."""
    from gatehouse.engine.clouds import clouds_of

    return not clouds_of(os.environ, stack.source).real


def outputs_here(project: Path, stack: LoadedStack) -> dict[str, Any]:
    """The outputs of a stack whose state is in a folder of this machine; else empty. Secrets stay encrypted."""
    from gatehouse.engine.backend import backend_url, local_folder

    simulated = project / ".gatehouse" / "simulated" / "state" / ".pulumi"
    states = simulated if is_simulated(stack) else local_folder(backend_url(project), project)
    if states is None:
        return {}
    # The file is the engine's checkpoint, read as `SimulatedWorkspace` does; its module costs a second to load.
    path = states / "stacks" / project_name(project) / f"{stack.name}.json"
    try:
        latest = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}
        resources = latest.get("resources") or []
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    root: dict[str, Any] = next((r for r in resources if r.get("type") == "pulumi:pulumi:Stack"), {})
    return dict(root.get("outputs") or {})
