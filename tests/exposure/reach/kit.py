"""Short ways to say a surface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exposure.model import Json, PeopleSet
from exposure.reach import surface as s
from exposure.reach.access import Principal
from exposure.reach.surface import Application, Destination, JwtCheck, Policy, Rule, Selector, Surface

ZONE = "example.com"
ALICE = Principal("person", "alice@example.com")
BOB = Principal("person", "bob@example.com")
ROUTER = "203.0.113.7"

BYPASS = Policy("bypass", (Selector("everyone"),))


def allow(*emails: str) -> Policy:
    """A policy for these addresses, through a group."""
    return s.people_policy(PeopleSet("people", tuple(emails)))


def app(uri: str, *policies: Policy, service: str | None = None) -> Application:
    """An application for one host and path."""
    host, slash, path = uri.partition("/")
    return Application((Destination(host, f"{slash}{path}"),), policies, ("google",), True, uri, service)


def rule(
    host: str | None,
    path: str | None = None,
    *accepts: str,
    origin: str = "http://web.apps.svc.cluster.local:80",
    service: str | None = None,
) -> Rule:
    """A rule; with `accepts` it demands a JWT of one of these applications."""
    return Rule(host, path, origin, JwtCheck(True, "team", accepts) if accepts else None, service)


CATCH_ALL = rule(None, origin="http_status:404")


def world(
    *rules: Rule,
    apps: tuple[Application, ...] = (),
    hosts: tuple[str, ...] | None = None,
    records: tuple[s.Record, ...] = (),
    policy: Mapping[str, Json] | None = None,
    known: Mapping[str, Any] | None = None,
    **more: Any,
) -> Surface:
    """A surface of one tunnel whose hosts have proxied records, and the catch-all at the end of its rules."""
    named = hosts if hosts is not None else tuple(dict.fromkeys(r.host for r in rules if r.host))
    facts: dict[str, Any] = dict(known or {})
    facts.setdefault("zones", (s.Zone(ZONE, facts.pop("advanced_certificate", False), True),))
    if policy is not None:
        facts["tailnet"] = s.Tailnet("tail.ts.net", policy)
    return s.surface(
        s.Known(**facts),
        tunnels=[s.Tunnel("alfred", (*rules, CATCH_ALL))],
        applications=apps,
        records=[*(s.Record(h, "CNAME", "", True, "alfred") for h in named), *records],
        **more,
    )
