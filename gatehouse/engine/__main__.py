"""`python -m gatehouse.engine`: get the engine, once, and say which it is."""

from __future__ import annotations

import sys
from pathlib import Path

from gatehouse.engine.acquire import find_or_get_engine


def main() -> int:
    """Get the engine for the project here. Returns 1 where none can be had."""
    refused: list[str] = []
    engine = find_or_get_engine(Path.cwd(), lambda text: print(text, flush=True), refused)
    if engine is None:
        print("No Pulumi engine can be had here:\n  " + "\n  ".join(refused), file=sys.stderr)
        return 1
    print(f"Engine: pulumi {engine.version}, {engine.origin}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
