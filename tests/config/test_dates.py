"""What ends by date is said thirty days before, by the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from config import dates

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (NOW + timedelta(days=30, seconds=1), ""),
        (NOW + timedelta(days=30), "ends on 2026-12-29, in 30 days"),
        (datetime(2026, 11, 30, 0, 1, tzinfo=UTC), "ends on 2026-11-30, in 1 day"),
        (NOW + timedelta(hours=1), "ends on 2026-11-29, today"),
        (NOW - timedelta(hours=1), "ended on 2026-11-29, today"),
        (NOW - timedelta(days=400), "ended on 2025-10-25, 400 days ago"),
        # Half past midnight in Berlin is the day before in UTC.
        (datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), "ends on 2026-11-30, in 1 day"),
    ],
)
def test_an_end_is_said_thirty_days_before_and_ever_after(until: datetime, said: str) -> None:
    assert dates.ending(until, NOW) == said


def test_now_is_in_utc() -> None:
    assert dates.now().tzinfo is UTC
