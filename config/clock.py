"""What day it is: the one place that asks. All else is given the day, with the stack file that was read on it."""

from __future__ import annotations

from datetime import UTC, date, datetime


def today() -> date:
    """The day in UTC."""
    return datetime.now(UTC).date()
