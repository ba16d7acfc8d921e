"""The zones' own checks, where the stack owns the estate, and the node's record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from exposure.model import ExposurePlan
from gatehouse.probe.checks.view import View
from gatehouse.probe.outputs import ds_in, name_servers_in, of_zone
from gatehouse.probe.probes import Check, HttpProbe, NameProbe, ZoneProbe


def zones(view: View, outputs: Mapping[str, Any]) -> Iterator[Check]:
    """Delegation and signatures of each zone, and that a made-up name in it is not served."""
    estate = view.plan.estate
    for settings in estate.zones if view.plan.owns_estate else ():
        zone = settings.name
        ask = partial(Check, zone, "zone")
        own = of_zone(outputs, zone, estate.zone.name)
        servers = tuple(n.rstrip(".").lower() for n in name_servers_in(own))
        yield ask(
            "name-servers",
            f"{zone} is answered by {' and '.join(servers) or 'Cloudflare'}",
            ZoneProbe("name-servers", zone, servers),
            "The domain is still answered by somebody else, so nothing of the plan is live under its name.",
            "Enter the zone's two name servers at the registrar (gatehouse todo); the change may take a day.",
        )
        if not settings.dnssec:
            yield ask(
                "no-ds",
                "no DS record at the parent, for the zone is not signed",
                ZoneProbe("no-ds", zone),
                "The registrar says that the zone is signed and it is not: resolvers that check refuse the domain.",
                "Delete the DS record at the registrar, or set `dnssec: true` for the zone.",
                must_not=True,
            )
        else:
            yield ask(
                "ds",
                "the DS record at the parent is that of the zone's key",
                ZoneProbe("ds", zone, ds=ds_in(own)),
                "Nobody can tell a forged answer for this domain from a true one; with a wrong DS record, resolvers"
                " that check refuse the whole domain.",
                "Enter the DS record at the registrar as `gatehouse todo` shows it, field by field.",
            )
            yield ask(
                "chain",
                "signatures hold from the root to the zone's answers",
                ZoneProbe("chain", zone),
                "Resolvers that check signatures refuse the domain, or treat it as unsigned.",
                f"See Cloudflare, DNS, Settings, DNSSEC, and https://dnsviz.net/d/{zone}/; disable nothing while the"
                " DS record is at the registrar.",
            )
        name = view.unknown(zone)
        if not view.covered(name):
            yield ask(
                "unknown-host",
                "a name that nobody has is not served",
                HttpProbe("unknown", "https", name, verify=False),
                "A wildcard record, or a rule that matches every host, opens names that are in no plan.",
                "Delete the wildcard DNS record in Cloudflare; the tunnel's last rule has to be http_status:404.",
                must_not=True,
            )


def moving(plan: ExposurePlan, outputs: Mapping[str, Any]) -> Iterator[Check]:
    """Of a domain that comes from another DNS, what has to be done before its name servers change."""
    for settings in plan.estate.zones if plan.owns_estate else ():
        zone = settings.name
        ask = partial(Check, zone, "zone")
        servers = tuple(name_servers_in(of_zone(outputs, zone, plan.estate.zone.name)))
        yield ask(
            "records",
            "what the old DNS has, Cloudflare has",
            ZoneProbe("records", zone, servers),
            "Mail and what else the domain is used for stop when the name servers change.",
            "Import the old DNS's records at Cloudflare.",
        )
        yield ask(
            "old-ds",
            "the registrar has no DS record of the old DNS",
            ZoneProbe("old-ds", zone),
            "The domain is down as soon as its name servers change.",
            "Remove it at the registrar, and wait until its TTL is over.",
        )


def node(view: View) -> Iterator[Check]:
    """The node's own record."""
    for record in view.plan.records:
        if record.service is None and record.target:
            yield Check(
                record.host,
                "node",
                "name",
                "the node's record shows Cloudflare, not the router's address",
                NameProbe("edge", record.host, view.home),
                "The router's address is public, or the record is missing.",
                f"Run `gatehouse up`; in Cloudflare the record {record.host} has to be proxied (orange cloud).",
            )
