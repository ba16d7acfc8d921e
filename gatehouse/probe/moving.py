"""A domain that moves: whether Cloudflare's name servers, which nobody asks yet, have what the old DNS has."""

from __future__ import annotations

import asyncio

import dns.rdata
import dns.rdtypes.ANY.TXT

from gatehouse.probe.judge import Verdict, failed, not_proven, passed
from gatehouse.probe.names import NoAnswerError, Resolver, Server, at_cloudflare, name_servers
from gatehouse.probe.probes import ZoneProbe
from gatehouse.probe.settings import Places, Settings

_SELECTORS = ("default", "dkim", "google", "k1", "k2", "k3", "mail", "protonmail", "s1", "s2", "selector1", "selector2")
_ASKED: tuple[tuple[str, str], ...] = (
    *(("", kind) for kind in ("A", "AAAA", "MX", "TXT", "CAA")),
    ("_dmarc", "TXT"),
    ("_mta-sts", "TXT"),
    *((f"{selector}._domainkey", "TXT") for selector in _SELECTORS),
    *((name, kind) for name in ("www", "mail", "autodiscover", "autoconfig") for kind in ("A", "AAAA")),
    ("_imaps._tcp", "SRV"),
    ("_submission._tcp", "SRV"),
)
"""What domains usually have, by name and kind: DNS does not list a zone's names."""
_MOST = 4


async def check_records(resolver: Resolver, places: Places, settings: Settings, probe: ZoneProbe) -> Verdict:
    """Compare what the world is told with what the zone's new name servers say, where those are known."""
    try:
        if at_cloudflare(await name_servers(resolver, probe.zone)):
            return passed("the name servers have changed")
        address = await places.address(probe.name_servers[0], 53) if probe.name_servers else None
        if address is None:
            return not_proven("Cloudflare's name servers for it are known after `gatehouse up`")
        new = Resolver(Server(*address), settings.timeout, settings.attempts)
        try:
            missing = await asyncio.gather(*(_missing(resolver, new, probe.zone, *asked) for asked in _ASKED))
        finally:
            await new.close()
    except NoAnswerError as error:
        return not_proven(str(error))
    found = [record for records in missing for record in records or ()]
    if found:
        more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
        return failed(f"not at Cloudflare: {', '.join(found[:_MOST])}{more}")
    if all(records is None for records in missing):
        return passed("nothing to bring was found")
    return not_proven(
        "Cloudflare has mail's records and the usual names; other names and DKIM selectors cannot be seen"
    )


async def _missing(old: Resolver, new: Resolver, zone: str, label: str, kind: str) -> list[str] | None:
    """What the old DNS has and the new one has not; None where the old one has nothing there."""
    name = f"{label}.{zone}" if label else zone
    there = await old.records(name, kind, unchecked=True)
    if not there:
        return None
    here = [_text(record) for record in await new.records(name, kind)]
    if kind in ("A", "AAAA"):
        # A proxied record shows the edge's addresses.
        return [] if here or await new.addresses(name) else [f"{kind} of {name}"]
    return [f"{kind} of {name} ({_shown(record)})" for record in there if _text(record) not in here]


def _text(record: dns.rdata.Rdata) -> str:
    if isinstance(record, dns.rdtypes.ANY.TXT.TXT):
        # A long text is in pieces, which each server cuts as it likes (RFC 7208, 3.3).
        return b"".join(record.strings).decode("utf-8", "replace")
    return str(record).rstrip(".").lower()


def _shown(record: dns.rdata.Rdata) -> str:
    # As zone files have it: control characters are numbers.
    text = str(record).strip('"')
    return text if len(text) <= 30 else f"{text[:29]}…"
