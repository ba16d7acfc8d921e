"""A process that has imported the SDKs and forks for each run of the command line; `tests.engine.kit` starts it.

Importing costs seconds, a fork nothing; and a run can be killed as a user's can. Speaks JSON lines: a request
`{"argv", "project", "events", "out", "err", "env"}`, then `{"pid"}` when it has begun and `{"code"}` when it has ended.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

_PRELOADED = (
    "pulumi.automation",
    "components.stack",
    "components.connector",
    "components.program",
    "components.providers",
    "exposure.check",
    "gatehouse.engine.run",
    "gatehouse.engine.workspace",
    "gatehouse.simulation.launch",
    "gatehouse.commands.plan",
    "gatehouse.commands.explain",
    "gatehouse.commands.engine_run",
)


def _plain(value: Any) -> Any:
    return value.value if hasattr(value, "value") else getattr(value, "__dict__", repr(value))


def _run(request: dict[str, Any]) -> int:
    from gatehouse import cli
    from gatehouse.engine import run as engine_run
    from gatehouse.engine.progress import Progress

    os.environ.update(request["env"])
    with Path(request["events"]).open("w", encoding="utf-8") as events:

        class Recording(Progress):
            def on_event(self, event: Any) -> None:
                events.write(json.dumps(event.__dict__, default=_plain) + "\n")
                super().on_event(event)

        engine_run.Progress = Recording  # type: ignore[attr-defined]
        if clouds := request["env"].get("GATEHOUSE_TEST_CLOUDS"):
            _accounts_are(Path(clouds))
        return cli.main(["-C", request["project"], *request["argv"]])


def _accounts_are(clouds: Path) -> None:
    """Has the accounts of real clouds read from simulated ones: their providers are simulated too."""
    from gatehouse.adopt import accounts
    from gatehouse.adopt.simulated import read_simulated

    def read(stack: Any, settings: Any, *, without: Any = ()) -> Any:
        return read_simulated(clouds, stack.config.node.context)

    accounts.read_accounts = read


def _child(request: dict[str, Any]) -> int:
    os.setsid()
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(request[name], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), number)
    try:
        return _run(request)
    except BaseException:
        traceback.print_exc()
        return 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def main() -> None:
    """Serve until stdin closes."""
    gc.disable()
    for name in _PRELOADED:
        import_module(name)
    gc.enable()
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os._exit(_child(json.loads(line)))
        print(json.dumps({"pid": pid}), flush=True)
        print(json.dumps({"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}), flush=True)


if __name__ == "__main__":
    main()
