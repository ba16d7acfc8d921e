"""What people read fits 80 columns; colours are for terminals that want them, and never alone."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gatehouse.cli import main

ROOT = Path(__file__).parents[2]
OFFLINE = [
    ["check"],
    ["explain"],
    ["plan", "--stack", "alfred"],
    ["plan", "--stack", "octavo"],
    ["who"],
    ["who", "https://grafana-alfred.very-very-dark-gray.top/api"],
    ["diff"],
    ["verify", "--list"],
    ["todo"],
]


def too_wide(text: str) -> list[str]:
    """Lines over 80 columns that could have been broken: a long URL, and a command to paste, cannot."""
    wide = [line for line in text.splitlines() if len(line) > 80 and max(map(len, line.split())) < 40]
    return [line for line in wide if not re.match(r"\s*(pulumi|gatehouse) ", line)]


@pytest.mark.parametrize("command", OFFLINE, ids=" ".join)
def test_it_fits_80_columns_and_has_no_colours_in_a_file(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    main(["-C", str(ROOT), *command])
    said = capsys.readouterr()
    assert said.out
    assert too_wide(said.out) == []
    assert "\033" not in said.out + said.err


def test_a_line_that_is_too_wide_is_seen() -> None:
    assert too_wide("word " * 20 + "\nhttps://" + "x" * 90) == ["word " * 20]


def at_a_terminal(folder: Path, *command: str, **environment: str) -> str:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gatehouse.cli", "-C", str(folder), *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "PYTHONPATH": str(ROOT), **environment},
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        said += part
    process.wait(timeout=30)
    os.close(ours)
    return said.decode()


def test_colours_are_for_a_terminal_and_end_with_no_color(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.bad.yaml").write_text("config: {}\n")
    coloured = at_a_terminal(tmp_path, "check")
    assert "\033[31;1merror\033[0m" in coloured
    # Set to nothing, it is not set [no-color.org].
    assert at_a_terminal(tmp_path, "check", NO_COLOR="") == coloured
    plain = at_a_terminal(tmp_path, "check", NO_COLOR="1")
    # The same words: nothing is said by colour alone.
    assert plain == re.sub(r"\033\[[\d;]*m", "", coloured)
