"""The list of checks that follows from a plan, a file a way. Pure: no network, no clock, no chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from exposure.model import ExposurePlan
from exposure.ways.funnel import FunnelWay
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import PublicTunnelWay, ZeroTrustWay
from exposure.ways.way import Way
from gatehouse.probe.checks.estate import moving, node, zones
from gatehouse.probe.checks.funnel import funnel
from gatehouse.probe.checks.port_forward import port_forward
from gatehouse.probe.checks.tailnet import tailnet
from gatehouse.probe.checks.tunnel import tunnel
from gatehouse.probe.checks.view import View
from gatehouse.probe.probes import Check

BY_WAY: dict[type[Way], Callable[[View, Any], Iterator[Check]]] = {
    PublicTunnelWay: tunnel,
    ZeroTrustWay: tunnel,
    FunnelWay: funnel,
    TailnetWay: tailnet,
    PortForwardWay: port_forward,
}
"""What is asked of each way; nothing of one that is not here. Challenges are asked for at the hosts that renew."""


def checks_of(
    plan: ExposurePlan,
    nonce: str = "0000",
    outputs: Mapping[str, Any] | None = None,
    elsewhere: Iterable[str] = (),
    ended: Iterable[str] = (),
) -> tuple[Check, ...]:
    """Every check that the plan of one stack gives, the estate's first, then service by service.

    `nonce` (letters and digits) makes names and paths that nobody has; `outputs` are the stack's where they are known;
    `elsewhere` the wildcard hosts of other stacks, below which every name is there; `ended` the service tokens that are
    good no longer.
    """
    view = View(plan, nonce, tuple(elsewhere), frozenset(ended))
    found = [*zones(view, outputs or {}), *node(view)]
    for way in plan.ways:
        if type(way) in BY_WAY:
            found += BY_WAY[type(way)](view, way)
    usual: dict[str, str] = {}
    plain = [replace(check, at="") for check in found]
    return tuple(
        short if usual.setdefault(short.id, check.at) == check.at else check
        for check, short in zip(found, plain, strict=True)
    )


def selected(checks: Iterable[Check], patterns: Iterable[str]) -> list[Check]:
    """The checks that a pattern names: a subject, a gate, what is asked, or an id with `*`; all where there is none."""
    from fnmatch import fnmatchcase

    wanted = list(patterns)
    return [
        check
        for check in checks
        if not wanted
        or any(
            pattern in (check.subject, check.gate, check.what) or fnmatchcase(check.id, pattern) for pattern in wanted
        )
    ]


__all__ = ["BY_WAY", "checks_of", "moving", "selected"]
