"""Which service tokens end soon, by the dates in a stack's outputs: `check`, `todo` and `token` say it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from config import clock
from config.errors import Finding
from config.loader import LoadedStack
from config.stack import Token
from gatehouse.probe.outputs import token_ends

TOKEN_ENDS = "token-ends"
SOON = timedelta(days=30)
"""How long before a token ends it is said."""


def tokens_ending(stack: LoadedStack, outputs: Mapping[str, Any]) -> list[Finding]:
    """A warning for each token of a stack's estate that ends within thirty days, or has ended."""
    if not (stack.owns_estate and stack.estate):
        return []
    found = []
    for name, end in sorted(token_ends(outputs).items()):
        said = ending(end, clock.now())
        token = stack.estate.tokens.get(name)
        if token is None or not said:
            continue
        path = ("estate", "tokens", name)
        found.append(
            Finding(
                TOKEN_ENDS,
                stack.source.written(path),
                "",
                f"this service token {said}: {token.holder or 'whoever has it'} is kept out from then on",
                f"renew it: write `duration: {renewed(token)}`, and run `gatehouse up --stack {stack.name}`; it is"
                " good that long from then on, with the secret that it has",
                stack.source.place(path),
                "CFDOC cloudflare-one/access-controls/service-credentials/service-tokens#renew-service-tokens",
                severity="warning",
            )
        )
    return found


def renewed(token: Token) -> str:
    """Another duration of almost the same length: Cloudflare counts from the moment at which it changes."""
    hours = int(token.duration.removesuffix("h")) if token.duration != "forever" else 8759
    return f"{hours + 1 if hours < 999_999 else hours - 1}h"


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
