"""What the checks of every way look up in a plan."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from config.values import Host
from exposure import estate
from exposure.audience import NOBODY, Audience
from exposure.model import ExposurePlan
from exposure.ways.way import Claim
from gatehouse.probe.probes import Check, NameProbe


@dataclass(frozen=True)
class View:
    """A plan as it is seen from outside; `nonce` makes names and paths that nobody has."""

    plan: ExposurePlan
    nonce: str
    elsewhere: tuple[str, ...] = ()
    """The wildcard hosts of other stacks."""
    ended: frozenset[str] = frozenset()
    """Service tokens that have ended."""

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """What the stack takes of public hosts."""
        return estate.claims(self.plan.ways)

    @property
    def router(self) -> str | None:
        """The router's address, where a record of the plan relies on it."""
        return next((record.target for record in self.plan.records if record.target), None)

    @property
    def home(self) -> tuple[str, ...]:
        """The addresses that no proxied name may lead to."""
        return (self.router,) if self.router else ()

    def name(self, host: Host) -> str:
        """The name that is asked for: a made-up one below a wildcard."""
        return self.unknown(host.name) if host.wildcard else host

    def unknown(self, zone: str) -> str:
        """A name in a zone that nobody has."""
        return f"gatehouse-{self.nonce}.{zone}"

    def audience(self, host: Host, target: str) -> Audience:
        """Who may ask a host for a target, as the edge reads its path: decoded, no dots, single slashes.

        [developers.cloudflare.com/rules/normalization/how-it-works]
        """
        path = posixpath.normpath(re.sub("/+", "/", unquote(target.partition("?")[0])))
        found = [claim for claim in self.claims if claim.host.covers(host) and claim.path.covers(path)]
        # An exact host wins over wildcards, the longest of those over others, and then the longest path.
        best = max(found, key=lambda c: (not c.host.wildcard, len(c.host), len(c.path)), default=None)
        return best.audience if best else NOBODY

    def covered(self, name: str) -> bool:
        """Whether a wildcard of any stack makes a name be there."""
        hosts = [*(record.host for record in self.plan.records), *map(Host, self.elsewhere)]
        return any(host.wildcard and host.covers(name) for host in hosts)

    def no_name(self, key: str, gate: str) -> Iterator[Check]:
        """A service that goes by Tailscale has no name in the zone, unless it has a way there too."""
        host = f"{key}-{self.plan.node}.{self.plan.estate.zone.name}"
        if host not in {record.host for record in self.plan.records} and not self.covered(host):
            yield Check(
                key,
                gate,
                "no-name",
                f"{host} does not exist",
                NameProbe("absent", host),
                "A second way in, through Cloudflare or the router, stands beside this one.",
                f"Delete the record {host} in Cloudflare: no stack registers it.",
                must_not=True,
            )
