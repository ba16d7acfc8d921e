"""Text in columns, for everything that is printed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence


def wrap(text: str, columns: int, first: str = "", rest: str = "") -> list[str]:
    """Lines of so many columns, words whole: addresses and commands are for copying. `first` and `rest` indent them."""
    return textwrap.wrap(
        text, columns, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def few(names: Sequence[str]) -> str:
    """Names one after the other; of many the first three, and how many more."""
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"
