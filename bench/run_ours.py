"""Our program's whole process: `python -m bench.run_ours PROJECT`, checks and components, offline."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from bench.generate import STACK
from gatehouse.offline import run_offline

if __name__ == "__main__":
    # As `gatehouse` begins and ends.
    gc.disable()
    print(len(run_offline(Path(sys.argv[1]), STACK).steps))
    gc.freeze()
