"""`gatehouse verify --demo`: servers on loopback that stand in for Cloudflare, Tailscale and the router.

They keep every promise of the plan but one: a login that takes a forged cookie, so that a failure is seen too.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any, cast

import dns.dnssec
import dns.dnssectypes
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config.values import Host
from exposure.audience import ANYONE, NOBODY
from exposure.model import ExposurePlan
from exposure.ways.funnel import FunnelWay
from exposure.ways.tunnel import ZeroTrustWay
from gatehouse.probe.checks.view import View
from gatehouse.probe.names import Server
from gatehouse.probe.probes import Check, ClosedProbe, HttpProbe, PortProbe
from gatehouse.probe.settings import Client, Settings

_HERE = "127.0.0.1"
_NAME_SERVERS = ("ada.ns.cloudflare.com.", "bob.ns.cloudflare.com.")
_Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def demo(plan: ExposurePlan, checks: Iterable[Check], usual: Settings) -> AsyncIterator[Settings]:
    """The servers, while the context lasts, and the settings that lead to them."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="gatehouse-demo-")))
        names = _names(plan)
        tls = _tls(folder, [*names, *(f"*.{zone.name}" for zone in plan.estate.zones)])
        connect: dict[tuple[str, int], tuple[str, int]] = {}

        async def serve(name: str, port: int, handler: _Handler, tls: ssl.SSLContext | None = None) -> None:
            server = await asyncio.start_server(handler, _HERE, 0, ssl=tls)
            stack.callback(server.close)
            connect[name, port] = server.sockets[0].getsockname()[:2]

        edge = _Edge(plan)
        await serve("*", 443, partial(edge.serve, "https"), tls)
        await serve("*", 80, partial(edge.serve, "http"))
        for probe in (check.probe for check in checks):
            match probe:
                case PortProbe(protocol="tcp"):
                    await serve(probe.name, probe.port, lambda reader, writer: writer.close())
                case PortProbe():
                    connect[probe.name, probe.port] = await _datagrams(stack, lambda data: b"hello")
                case ClosedProbe():
                    connect[probe.name, probe.port] = _nobody(stack)
                case HttpProbe(address=str(address)):
                    connect[address, probe.port] = _nobody(stack)
        resolver = await _datagrams(stack, _Resolver(plan, names).answer)
        ca, clients = folder / "ca.pem", edge.clients
        yield replace(usual, resolver=Server(*resolver), ca_file=ca, connect=connect, clients=clients)


def _names(plan: ExposurePlan) -> dict[str, str]:
    """The names that public DNS has, with their addresses: the edge and Funnel are here."""
    records = {str(r.host): _HERE if r.proxied else str(r.target) for r in plan.records}
    return records | {f"{way.machine}.{way.tailnet}": _HERE for way in plan.by(FunnelWay)}


# Web


@dataclass
class _Edge:
    """Cloudflare's edge and Funnel, by what the plan says of each host and path."""

    plan: ExposurePlan
    hole: str = ""

    def __post_init__(self) -> None:
        self.view = View(self.plan, "demo")
        self.funnels = {f"{way.machine}.{way.tailnet}": way.paths for way in self.plan.by(FunnelWay)}
        locked = [host for way in self.plan.by(ZeroTrustWay) for host in way.hosts]
        self.hole = locked[len(locked) // 2] if locked else ""
        tokens = {name for claim in self.view.claims for name in claim.audience.tokens}
        self.clients = {name: Client(f"{name}.access", token_hex()) for name in tokens}

    async def serve(self, scheme: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            name = headers.get("host", "").partition(":")[0].rstrip(".").lower()
            status, more, body = self._decided(scheme, name, head[0].split(" ")[1], headers)
            always = f"Connection: close\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"HTTP/1.1 {status} X\r\n{always}{more}\r\n{body}".encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def _decided(self, scheme: str, name: str, target: str, headers: Mapping[str, str]) -> tuple[int, str, str]:
        if name in self.funnels:
            return (200, "", "hello") if target in self.funnels[name] else (404, "", "404 page not found")
        if scheme == "http":
            return 301, f"Location: https://{name}{target}\r\n", ""
        if name == self.hole and "CF_Authorization=" in headers.get("cookie", ""):
            return 200, "", "<h1>Not for strangers</h1>"
        audience = self.view.audience(Host(name), target)
        if audience in (ANYONE, NOBODY):
            return (200, "", "hello") if audience == ANYONE else (404, "", "")
        sent = (headers.get("cf-access-client-id"), headers.get("cf-access-client-secret"))
        if any((self.clients[name].id, self.clients[name].secret) == sent for name in audience.tokens):
            return 200, "", "hello"
        if not audience.people:
            return 401, f"Cf-Access-Domain: {name}\r\n", ""
        return (
            302,
            f"Location: https://{self.plan.estate.team}.cloudflareaccess.com/cdn-cgi/access/login/{name}\r\n",
            "",
        )


def _nobody(stack: AsyncExitStack) -> tuple[str, int]:
    """An address where nothing listens: its port is taken."""
    taken = stack.enter_context(socket.socket())
    taken.bind((_HERE, 0))
    return _HERE, int(taken.getsockname()[1])


def _tls(folder: Path, names: Iterable[str]) -> ssl.SSLContext:
    """One certificate for all names, which signs itself: in `ca.pem` it is the authority too."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gatehouse verify --demo")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    forms = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*forms))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


# Names


@dataclass
class _Resolver:
    """A public resolver that checks signatures, and the zones, each signed with a key of its own [RFC 4034]."""

    plan: ExposurePlan
    names: Mapping[str, str]
    records: dict[tuple[str, str], list[dns.rrset.RRset]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for zone in self.plan.estate.zones:
            for found in _signed_zone(zone.name) if zone.dnssec else [_name_servers(zone.name)]:
                self.records.setdefault((zone.name, dns.rdatatype.to_text(found[0].rdtype)), []).extend(found)

    def answer(self, data: bytes) -> bytes:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = str(question.name).rstrip("."), dns.rdatatype.to_text(question.rdtype)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA | dns.flags.AD
        address = self.names.get(name) or self.names.get(f"*.{name.partition('.')[2]}")
        if found := self.records.get((name, kind)):
            reply.answer = found
        elif address and kind == "A":
            reply.answer = [dns.rrset.from_text(f"{name}.", 60, "IN", "A", address)]
        elif not address and name and (name, "NS") not in self.records:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()


def _name_servers(name: str) -> list[dns.rrset.RRset]:
    return [dns.rrset.from_text(f"{name}.", 3600, "IN", "NS", *_NAME_SERVERS)]


def _signed_zone(name: str) -> Iterable[list[dns.rrset.RRset]]:
    """Its name servers, and key and SOA, each with its signature, and the DS record at its parent."""
    zone, key = dns.name.from_text(name), ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), dns.dnssectypes.Algorithm.ECDSAP256SHA256, flags=257)
    yield _name_servers(name)
    yield [dns.rrset.from_rdata(zone, 3600, dns.dnssec.make_ds(zone, dnskey, "SHA256"))]
    soa = dns.rrset.from_text(zone, 3600, "IN", "SOA", f"{_NAME_SERVERS[0]} dns.cloudflare.com. 1 2 3 4 5")
    for records in (dns.rrset.from_rdata(zone, 3600, dnskey), soa):
        signature = dns.dnssec.sign(records, key, zone, dnskey, inception=time.time() - 3600, lifetime=7200)
        yield [records, dns.rrset.from_rdata(zone, 3600, signature)]


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._answer(data), addr)


async def _datagrams(stack: AsyncExitStack, answer: Callable[[bytes], bytes]) -> tuple[str, int]:
    made = partial(_Datagrams, answer)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(made, local_addr=(_HERE, 0))
    stack.callback(transport.close)
    return cast("tuple[str, int]", transport.get_extra_info("sockname")[:2])
