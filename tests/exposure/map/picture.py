"""Makes docs/map.png, the picture of alfred's map in the README: `python -m tests.exposure.map.picture`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from exposure.map import html_page
from tests.exposure.map import kit
from tests.kit.browser import browser, chromium
from tests.kit.builders import PROJECT

TARGET = PROJECT / "docs" / "map.png"


def main() -> int:
    """Write the picture. Returns 0, or 1 where there is no Chromium."""
    executable = chromium()
    if executable is None:
        print("No Chromium on PATH: install the package `chromium`.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, browser(executable) as chrome:
        page = Path(folder) / "map.html"
        page.write_text(html_page(kit.shipped("alfred")), encoding="utf-8")
        chrome.open(page, 1280)
        end = chrome.evaluate("document.querySelector('figure').getBoundingClientRect().bottom + 16")
        chrome.size(1280, round(end))
        chrome.picture(TARGET, whole=False)
    print(f"{TARGET}: {TARGET.stat().st_size // 1024} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
