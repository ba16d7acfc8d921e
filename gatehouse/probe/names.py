"""What public DNS says: addresses, delegation, signatures. dnspython asks one resolver, which is the outside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dns.asyncquery
import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.rdtypes.ANY.DS
import dns.rrset
import stamina

from gatehouse.probe.judge import Verdict, failed, not_proven, passed
from gatehouse.probe.probes import NameProbe, ZoneProbe

# Cloudflare's authoritative servers are `<word>.ns.cloudflare.com` [CFDOC dns/nameservers].
_CLOUDFLARE = ".ns.cloudflare.com"
_KINDS = ("A", "AAAA")


def again(on: Any, attempts: int) -> Any:
    """As `stamina.retry_context`: tries a few times, with short pauses, what raises such an error or fits."""
    return stamina.retry_context(
        on=on, attempts=attempts, timeout=None, wait_initial=0.2, wait_max=1.0, wait_jitter=0.2
    )


class NoAnswerError(Exception):
    """The resolver did not answer, or said that it could not."""


@dataclass(frozen=True)
class Server:
    """A resolver: address and port."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        return self.address if self.port == 53 else f"{self.address}:{self.port}"


class Resolver:
    """Asks one resolver, and each question once."""

    def __init__(self, server: Server, timeout: float, attempts: int) -> None:
        self._server = server
        self._timeout = timeout
        self._attempts = attempts
        self._asked: dict[tuple[str, str, bool], asyncio.Task[dns.message.Message]] = {}

    async def ask(self, name: str, kind: str, unchecked: bool = False) -> dns.message.Message:
        """The resolver's whole answer, with signatures; `unchecked` also where it finds them wrong (CD).

        Raises NoAnswerError where there is none or it is SERVFAIL, REFUSED or the like; NXDOMAIN is an answer.
        """
        key = (name, kind, unchecked)
        if key not in self._asked:
            self._asked[key] = asyncio.ensure_future(self._ask(name, kind, unchecked))
        return await asyncio.shield(self._asked[key])

    async def _ask(self, name: str, kind: str, unchecked: bool) -> dns.message.Message:
        query = dns.message.make_query(name, kind, want_dnssec=True)
        query.flags |= dns.flags.AD
        if unchecked:
            query.flags |= dns.flags.CD
        try:
            async for attempt in again((dns.exception.DNSException, OSError), self._attempts):
                with attempt:
                    answer, _ = await dns.asyncquery.udp_with_fallback(
                        query, self._server.address, timeout=self._timeout, port=self._server.port
                    )
        except dns.exception.Timeout as error:
            raise NoAnswerError(f"resolver {self._server} does not answer") from error
        except (dns.exception.DNSException, OSError) as error:
            raise NoAnswerError(f"resolver {self._server}: {str(error) or type(error).__name__}") from error
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise NoAnswerError(f"resolver {self._server} says {dns.rcode.to_text(answer.rcode())} for {name}")
        return answer

    async def records(self, name: str, kind: str, unchecked: bool = False) -> list[dns.rdata.Rdata]:
        """The records of one kind, at the end of CNAMEs too."""
        answer = await self.ask(name, kind, unchecked)
        wanted = dns.rdatatype.from_text(kind)
        return [rdata for rrset in answer.answer if rrset.rdtype == wanted for rdata in rrset]

    async def addresses(self, name: str) -> list[str]:
        """IPv4 first, then IPv6; empty where the name has none."""
        found = await asyncio.gather(*(self.records(name, kind) for kind in _KINDS))
        return [str(rdata) for records in found for rdata in records]

    async def close(self) -> None:
        """Let go of what is still asked."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)


async def check_name(resolver: Resolver, probe: NameProbe) -> Verdict:
    """Run a NameProbe."""
    try:
        found = await resolver.addresses(probe.name)
    except NoAnswerError as error:
        return not_proven(str(error)) if probe.expect == "absent" else failed(str(error))
    shown = ", ".join(found[:3])
    match probe.expect:
        case "absent":
            return failed(f"it resolves to {shown}") if found else passed("no such name")
        case "exactly":
            if not found:
                return failed("no such name")
            return passed(shown) if set(found) == set(probe.addresses) else failed(f"it resolves to {shown}")
        case "edge":
            if not found:
                return failed("no such name")
            home = [a for a in found if a in probe.addresses]
            return failed(f"it resolves to {home[0]}, the router") if home else passed(shown)


async def check_zone(resolver: Resolver, probe: ZoneProbe) -> Verdict:
    """Run a ZoneProbe."""
    checks = {"name-servers": _name_servers, "ds": _ds, "chain": _chain, "no-ds": _no_ds, "old-ds": _old_ds}
    try:
        return await checks[probe.expect](resolver, probe)
    except NoAnswerError as error:
        return failed(str(error))


async def name_servers(resolver: Resolver, zone: str) -> list[str]:
    """The name servers that answer for a zone, in lower case; none where nobody does."""
    return sorted(str(r).rstrip(".").lower() for r in await resolver.records(zone, "NS", unchecked=True))


def at_cloudflare(servers: Sequence[str]) -> bool:
    """Whether Cloudflare alone answers for a zone."""
    return bool(servers) and all(n.endswith(_CLOUDFLARE) for n in servers)


async def _name_servers(resolver: Resolver, probe: ZoneProbe) -> Verdict:
    found = await name_servers(resolver, probe.zone)
    if not found:
        return failed("the zone has no name servers: nobody answers for it")
    shown = ", ".join(found)
    if probe.name_servers:
        return passed(shown) if set(found) == set(probe.name_servers) else failed(f"answered by {shown}")
    return passed(shown) if at_cloudflare(found) else failed(f"answered by {shown}")


async def _old_ds(resolver: Resolver, probe: ZoneProbe) -> Verdict:
    found = await _ds_records(resolver, probe.zone)
    if not found:
        return passed("none")
    tags = ", ".join(str(d.key_tag) for d in found)
    if not at_cloudflare(await name_servers(resolver, probe.zone)):
        return failed(f"DS record with key tag {tags}, and the name servers are not Cloudflare's yet")
    fits = _named(probe.zone, found, await _keys(resolver, probe.zone) or ())
    return passed(f"key tag {tags}, Cloudflare's") if fits else failed(f"DS record with key tag {tags}, of another key")


async def _no_ds(resolver: Resolver, probe: ZoneProbe) -> Verdict:
    found = await _ds_records(resolver, probe.zone)
    return failed(f"DS record with key tag {found[0].key_tag}") if found else passed("none")


async def _ds(resolver: Resolver, probe: ZoneProbe) -> Verdict:
    found = await _ds_records(resolver, probe.zone)
    if not found:
        return failed("no DS record at the parent")
    tags = ", ".join(str(d.key_tag) for d in found)
    if probe.ds:
        wanted = _ds_of(probe.ds)
        if wanted is not None and wanted not in found:
            return failed(f"DS record with key tag {tags}, and not the one of the stack's outputs ({wanted.key_tag})")
    keys = await _keys(resolver, probe.zone)
    if not _named(probe.zone, found, keys or ()):
        return failed(f"DS record with key tag {tags}, and no key of the zone fits it")
    return passed(f"key tag {tags}")


async def _chain(resolver: Resolver, probe: ZoneProbe) -> Verdict:
    zone = dns.name.from_text(probe.zone)
    ds = await _ds_records(resolver, probe.zone)
    answer = await resolver.ask(probe.zone, "DNSKEY", unchecked=True)
    keys, key_signatures = _signed(answer, zone, "DNSKEY")
    named = _named(probe.zone, ds, keys or ())
    if not ds or not named:
        return not_proven("there is no DS record that fits: see the check of it")
    if keys is None or key_signatures is None:
        return failed("the zone's keys are not signed")
    trusted = dns.rrset.from_rdata_list(zone, keys.ttl, named)
    soa, soa_signatures = _signed(await resolver.ask(probe.zone, "SOA", unchecked=True), zone, "SOA")
    if soa is None or soa_signatures is None:
        return failed("the zone's answers are not signed")
    try:
        dns.dnssec.validate(keys, key_signatures, {zone: trusted})
        dns.dnssec.validate(soa, soa_signatures, {zone: keys})
    except dns.exception.DNSException as error:
        return failed(f"signatures do not hold: {str(error) or type(error).__name__}")
    try:
        checked = await resolver.ask(probe.zone, "SOA")
    except NoAnswerError:
        return failed("the resolver refuses the zone: signatures above it do not hold")
    if not checked.flags & dns.flags.AD:
        root = await resolver.ask(".", "SOA")
        if root.flags & dns.flags.AD:
            return failed("the resolver checks signatures, and those above the zone do not reach the root")
        return not_proven("keys and answers fit; whether the chain reaches the root, this resolver does not check")
    return passed("checked here and by the resolver")


async def _ds_records(resolver: Resolver, zone: str) -> list[dns.rdtypes.ANY.DS.DS]:
    found = await resolver.records(zone, "DS", unchecked=True)
    return [r for r in found if isinstance(r, dns.rdtypes.ANY.DS.DS)]


async def _keys(resolver: Resolver, zone: str) -> dns.rrset.RRset | None:
    return _signed(await resolver.ask(zone, "DNSKEY", unchecked=True), dns.name.from_text(zone), "DNSKEY")[0]


def _signed(
    answer: dns.message.Message, name: dns.name.Name, kind: str
) -> tuple[dns.rrset.RRset | None, dns.rrset.RRset | None]:
    wanted = dns.rdatatype.from_text(kind)
    return (
        answer.get_rrset(answer.answer, name, dns.rdataclass.IN, wanted),
        answer.get_rrset(answer.answer, name, dns.rdataclass.IN, dns.rdatatype.RRSIG, wanted),
    )


def _named(
    zone: str, found: Sequence[dns.rdtypes.ANY.DS.DS], keys: Sequence[dns.rdata.Rdata] | dns.rrset.RRset
) -> list[dns.rdtypes.ANY.DNSKEY.DNSKEY]:
    """The keys that a DS record names."""
    named = []
    for key in keys:
        if not isinstance(key, dns.rdtypes.ANY.DNSKEY.DNSKEY):
            continue
        for ds in found:
            try:
                made = dns.dnssec.make_ds(dns.name.from_text(zone), key, ds.digest_type, validating=True)
            except dns.exception.DNSException:
                continue
            if made == ds:
                named.append(key)
                break
    return named


def _ds_of(text: str) -> dns.rdtypes.ANY.DS.DS | None:
    """The record in a DS line, `example.com. 3600 IN DS 2371 13 2 ABCD`; None for what is none."""
    try:
        _, _, fields = text.partition(" DS ")
        found = dns.rdata.from_text("IN", "DS", fields or text)
    except (dns.exception.DNSException, ValueError):
        return None
    return found if isinstance(found, dns.rdtypes.ANY.DS.DS) else None
