"""Now, and how people are told of what ends by date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

SOON = timedelta(days=30)
"""How long before something ends it is said."""


def now() -> datetime:
    """This moment. Everything that depends on the date asks here, so that a test can hold the clock."""
    return datetime.now(UTC)


def ending(until: datetime, at: datetime) -> str:
    """That something ends soon, or has ended: `ends on 2026-12-24, in 3 days`; empty where it is later than SOON."""
    left = until - at
    if left > SOON:
        return ""
    day, days = f"{until.astimezone(UTC):%Y-%m-%d}", abs(until.astimezone(UTC).date() - at.astimezone(UTC).date()).days
    count = f"{days} day{'' if days == 1 else 's'}"
    if left > timedelta(0):
        return f"ends on {day}, {f'in {count}' if days else 'today'}"
    return f"ended on {day}, {f'{count} ago' if days else 'today'}"
