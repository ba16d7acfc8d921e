"""What a stack put out for people: name servers and DS record of each zone."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatehouse.commands import UsageError


def outputs_in(source: str) -> dict[str, Any]:
    """The stack outputs in a file (or `-`), as `pulumi stack output --json` prints them. Raises UsageError."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--outputs {source}: {getattr(error, 'strerror', None) or error}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--outputs {source}: not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise UsageError(f"--outputs {source}: not an object; give what `pulumi stack output --json` prints.")
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
