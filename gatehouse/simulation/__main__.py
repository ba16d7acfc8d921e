"""The process of the simulated clouds: prints the ports as one JSON line, serves until stdin closes."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from gatehouse.simulation.cloudflare import Cloudflare
from gatehouse.simulation.faults import PlannedFaults
from gatehouse.simulation.kubernetes import Kubernetes
from gatehouse.simulation.server import serve
from gatehouse.simulation.store import Store, StoreError
from gatehouse.simulation.tailscale import Tailscale


def main() -> int:
    """Serves; gives 1 where the state file cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m gatehouse.simulation", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the file that holds the simulated objects")
    parser.add_argument("--namespace", action="append", default=[], help="a namespace every cluster has")
    parser.add_argument(
        "--service", action="append", default=[], help="a Service every cluster has: NAMESPACE/NAME:PORT/PROTOCOL,..."
    )
    args = parser.parse_args()
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    try:
        store = Store(args.state)
    except StoreError as problem:
        print(problem, file=sys.stderr)
        return 1
    faults = PlannedFaults(store)
    clouds = (
        Cloudflare(store, faults),
        Tailscale(store, faults),
        Kubernetes(store, faults, namespaces=args.namespace, services=args.service),
    )
    servers, ports = serve(clouds)
    print(json.dumps(ports), flush=True)

    def until_stdin_closes() -> None:
        # The parent holds the other end: it closes also when the parent is killed, so that no orphan stays.
        while sys.stdin.buffer.read(4096):
            pass
        done.set()

    threading.Thread(target=until_stdin_closes, daemon=True).start()
    done.wait()
    faults.release()
    for server in servers:
        server.stop(grace=0.5).wait()
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
