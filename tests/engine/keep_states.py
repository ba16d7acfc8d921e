"""Makes the states of `states/` anew, with the code that is beside it: `states/README.md` says which code and how."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.engine.kit import Host, Object, Project

STATES = Path(__file__).parent / "states"
WORLDS = {"shipped": ("alfred", "octavo"), "rich": ("rich",)}
"""The clouds that are kept, each with its stacks, the estate's owner first."""
# Where and when a state was made: no two makings have these in common, and the engine needs none of them.
_OF_THE_MAKING = ("stackTrace", "sourcePosition", "created", "modified")
_TIME = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"')


def _state(project: Project, stack: str) -> Object:
    state = project.state(stack)
    state["resources"] = [{k: v for k, v in r.items() if k not in _OF_THE_MAKING} for r in state["resources"]]
    return state


def _clouds(project: Project) -> Object:
    clouds: Object = json.loads(project.clouds.read_text(encoding="utf-8"))
    return {**clouds, "objects": dict(sorted(clouds["objects"].items()))}


def main() -> None:
    """Brings the stacks of each world up, and keeps their states and what the clouds hold."""
    host = Host()
    with TemporaryDirectory() as folder:
        for world, stacks in WORLDS.items():
            project = Project(Path(folder) / world, host)
            for stack in stacks:
                project.write(stack, (STATES / "before" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))
            for stack in stacks:
                project.ok("up", stack=stack)
            kept = {"states": {stack: _state(project, stack) for stack in stacks}, "clouds": _clouds(project)}
            text = _TIME.sub('"2025-01-01T00:00:00Z"', json.dumps(kept, indent=1))
            (STATES / f"{world}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    host.close()


if __name__ == "__main__":
    main()
