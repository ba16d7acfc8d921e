"""Runs `gatehouse verify --demo` and keeps what it prints.

python -m tests.gatehouse.probe.picture docs/verify.txt docs/verify.svg    # rich makes the picture, where it is there
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path

from gatehouse.cli import main
from tests.kit.builders import PROJECT


def run() -> str:
    """What the command prints on a terminal in the end."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["-C", str(PROJECT), "verify", "--demo"])
    assert code == 1, "one login is broken on purpose"
    # On a terminal, progress is one line, and wiped.
    lines = [line for line in out.getvalue().splitlines() if not re.match(r"\[ *\d+ of \d+\]", line)]
    return "$ gatehouse verify --demo\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = run()
    for name in sys.argv[1:]:
        if name.endswith(".svg"):
            from rich.console import Console
            from rich.text import Text

            console = Console(record=True, width=80, file=io.StringIO())
            styled = Text(text)
            styled.highlight_regex(r"\bFAILED\b", "bold red")
            styled.highlight_regex(r"\bok(?=\n)", "green")
            styled.highlight_regex(r"^\$ .*", "bold")
            console.print(styled)
            console.save_svg(name, title="gatehouse verify")
        else:
            Path(name).write_text(text, encoding="utf-8")
    print(text)
