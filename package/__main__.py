"""The provider host: Pulumi starts it where a program uses the package."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Serve the components until the engine stops it."""
    # Started as a folder: what it stands in is not on the path yet.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from pulumi.provider import main as serve

    from package.provider import Provider

    serve(Provider(), sys.argv[1:])


if __name__ == "__main__":
    main()
