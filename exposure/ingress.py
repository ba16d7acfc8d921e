"""The tunnel's rules: what one service contributes, and the one order of them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exposure.model import OriginSettings, TunnelRule
from exposure.names import ACME_EXPRESSION, path_expression

CATCH_ALL = TunnelRule(None, None, "http_status:404")
"""cloudflared demands a last rule with neither host nor path [CFD ingress/ingress.go]."""


def general_rule(
    service: str,
    host: str,
    origin: str,
    applications: Sequence[str] = (),
    settings: OriginSettings = OriginSettings(),
) -> TunnelRule:
    """A host's general rule; with `applications`, cloudflared answers 403 without a JWT of one of them.

    `applications` must name every Access application of the host: the AUD differs by application and path.
    """
    return TunnelRule(host, None, origin, service, tuple(applications), settings)


def open_path_rule(
    service: str, host: str, path: str, origin: str, settings: OriginSettings = OriginSettings()
) -> TunnelRule:
    """The rule of a path exception: no JWT, for a bypassed request has none [CFD ingress/rule.go]."""
    return TunnelRule(host, path_expression(path), origin, service, (), settings)


def acme_rule(service: str, host: str, solver: str) -> TunnelRule:
    """The rule that takes a host's HTTP-01 challenges to the solver."""
    return TunnelRule(host, ACME_EXPRESSION, solver, service)


def in_order(rules: Iterable[TunnelRule]) -> tuple[TunnelRule, ...]:
    """The rule list: every host's paths before its general rule, narrow before broad, the catch-all last and alone.

    The first rule that matches wins, so a longer path stands before a shorter one and an exact host before a wildcard.
    The order does not depend on the order given.
    """
    return (*sorted((r for r in rules if r.host is not None), key=_key), CATCH_ALL)


def _key(rule: TunnelRule) -> tuple[bool, int, str, bool, int, str]:
    host = rule.host or ""
    wildcard = host.startswith("*.")
    return (
        wildcard,
        -len(host) if wildcard else 0,
        host,
        rule.path is None,
        -len(rule.path or ""),
        rule.path or "",
    )
