"""A small internet on loopback: a resolver with a signed zone, an edge with Access and a tunnel, Funnel, a router.

Written from the platforms' documents, not from what the plan says of rules: it decides for itself what a request gets.
`faults` make it behave badly, one way each.
"""

from __future__ import annotations

import asyncio
import functools
import posixpath
import re
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import cast
from urllib.parse import unquote

import dns.dnssec
import dns.dnssectypes
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from dns.rdtypes.ANY.DNSKEY import DNSKEY

from gatehouse.probe.names import Server
from gatehouse.probe.settings import Settings
from tests.kit.builders import ACME, ESTATE, GAME, HTML, MEDIA, NODE, OPEN_HTML, SSH

ZONE = "example.com"
TEAM = "team"
ROUTER = "203.0.113.7"
NAME_SERVERS = ("ada.ns.cloudflare.com", "bob.ns.cloudflare.com")
WHY = "a reason that is long enough"


def at(name: str, port: int = 80, **more: object) -> Mapping[str, object]:
    """A Service of its own, as an origin: two services with one workload are one thing."""
    return {"namespace": name, "service": name, "port": port, **more}


SERVICES: Mapping[str, Mapping[str, object]] = {
    "acme-renewals": ACME,
    "board": {
        **HTML,
        "origin": at("board", scheme="https", through_ingress="managed"),
        "own_certificate": True,
    },
    "game": {
        **GAME,
        "port_forward": [
            *GAME["port_forward"],
            {"external_port": 19132, "protocol": "udp", "service_port": 19132, "node_port": 32132},
        ],
    },
    "media": {**MEDIA, "origin": at("media")},
    "page": {**OPEN_HTML, "origin": at("page")},
    "ssh": SSH,
    "wiki": {
        **HTML,
        "origin": at("wiki"),
        "paths": {"/api": {"clients": "anyone"}},
        "acknowledge": {"access-path-bypass": WHY},
    },
}
"""A service of each gate: `wiki` with an open path, `board` with a certificate of its own."""
SECTIONS = {"node": {**NODE, "public_record": True}, "estate": ESTATE}
MEDIA_NAME = "media-alfred.tail.ts.net"


@dataclass(frozen=True)
class Request:
    """What came in. `host` is the Host header as sent, `target` the path as sent."""

    scheme: str
    sni: str
    host: str
    target: str
    headers: Mapping[str, str]

    @property
    def name(self) -> str:
        """The host that Cloudflare takes it for."""
        return re.sub(r":\d+$", "", self.host).rstrip(".").lower()


@dataclass(frozen=True)
class Response:
    """What goes out."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


Reply = Callable[[Request], Response]
ORIGIN = "<h1>Not for strangers</h1>"


def login(request: Request, team: str = TEAM) -> Response:
    """Access sends to the team's login."""
    return Response(
        302, headers={"Location": f"https://{team}.cloudflareaccess.com/cdn-cgi/access/login/{request.name}"}
    )


@dataclass
class World:
    """As a context manager: servers in a thread of their own; as an asynchronous one, on the loop that runs.

    `replies` are asked before the edge's own sense: (whether it is meant, what it answers). `records` replace what DNS
    says for (name, kind); `dns_faults` are words that the resolver knows.
    """

    replies: Sequence[tuple[Callable[[Request], bool], Reply]] = ()
    records: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    dns_faults: frozenset[str] = frozenset()
    funnel_names: Sequence[str] = (MEDIA_NAME,)
    funnel_trusted: bool = True
    funnel_reply: Reply = lambda r: Response(200, "media")
    router_reply: Reply | None = None
    open_ports: frozenset[int] = frozenset()
    closed_ports: frozenset[int] = frozenset()
    raknet: bool = True
    always_https: bool = True
    silent: bool = False
    zone: str = ZONE
    router_ports: Sequence[int] = (22,)
    other_zones: Sequence[str] = ()
    """More that the edge has certificates for; their names are in `records`."""
    hosts: Sequence[str] = ("page-alfred", "wiki-alfred", "board-alfred", "alfred")
    """Labels in the zone that lead to the edge."""
    machines: Sequence[str] = (MEDIA_NAME,)
    game: str = f"game-alfred.{ZONE}"
    reached: list[Request] = field(default_factory=list)
    """What the service behind the protected hosts got to see."""

    def __enter__(self) -> World:
        loop = asyncio.new_event_loop()
        ready = threading.Event()
        failure: list[BaseException] = []

        def work() -> None:
            asyncio.set_event_loop(loop)
            try:
                loop.run_until_complete(self.__aenter__())
            except BaseException as error:
                failure.append(error)
                ready.set()
                return
            ready.set()
            loop.run_forever()

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        ready.wait(10)
        if failure:
            raise failure[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = self._loop
        assert isinstance(loop, asyncio.BaseEventLoop)
        asyncio.run_coroutine_threadsafe(self._stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(10)
        loop.close()

    async def __aenter__(self) -> World:
        self._loop = asyncio.get_running_loop()
        self._servers: list[asyncio.Server] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._unheard: list[socket.socket] = []
        self._transports: list[asyncio.BaseTransport] = []
        self._connect: dict[tuple[str, int], tuple[str, int]] = {}
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def _nobody(self) -> tuple[str, int]:
        """An address of loopback where nobody listens, nor will: the port is taken."""
        taken = socket.socket()
        self._unheard.append(taken)
        taken.bind(("127.0.0.1", 0))
        return ("127.0.0.1", int(taken.getsockname()[1]))

    async def _stop(self) -> None:
        for taken in self._unheard:
            taken.close()
        for server in self._servers:
            server.close()
        for transport in self._transports:
            transport.close()
        others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # A TLS connection that is closed waits for its peer, which may be gone.
        for writer in self._writers:
            writer.transport.abort()
        # Rounds of the loop, for what a closing transport leaves to do.
        for _ in range(10):
            await asyncio.sleep(0)

    async def _start(self) -> None:
        edge_tls = server_tls(tuple(name for zone in (self.zone, *self.other_zones) for name in (f"*.{zone}", zone)))
        edge, plain = self._http(self._edge, "https"), self._http(self._edge, "http")
        await self._serve("*", 443, edge, edge_tls)
        await self._serve("*", 80, plain)
        funnel = self._http(lambda r: self.funnel_reply(r), "https")
        for name in self.machines:
            await self._serve(name, 443, funnel, server_tls(tuple(self.funnel_names), self.funnel_trusted))
            for port in (8443, 10000):
                if port in self.open_ports:
                    await self._serve(name, port, funnel, server_tls(tuple(self.funnel_names)))
                else:
                    self._connect[name, port] = self._nobody()
        for port, scheme in ((443, "https"), (80, "http")):
            if self.router_reply:
                at_home = server_tls(("ingress.local",), False) if port == 443 else None
                await self._serve(ROUTER, port, self._http(self.router_reply, scheme), at_home)
            else:
                self._connect[ROUTER, port] = self._nobody()
        for port in self.router_ports:
            if port in self.open_ports:
                await self._serve(ROUTER, port, self._hang_up)
            else:
                self._connect[ROUTER, port] = self._nobody()
        game = self.game
        if 25565 in self.closed_ports:
            self._connect[game, 25565] = self._nobody()
        else:
            await self._serve(game, 25565, self._hang_up)
        udp, _ = await self._loop.create_datagram_endpoint(
            functools.partial(_Udp, self._raknet), local_addr=("127.0.0.1", 0)
        )
        self._transports.append(udp)
        closed = self._nobody()
        self._connect[game, 19132] = closed if 19132 in self.closed_ports else udp.get_extra_info("sockname")[:2]
        await self._start_dns()

    async def _serve(self, name: str, port: int, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls)
        self._servers.append(server)
        self._connect[name, port] = ("127.0.0.1", server.sockets[0].getsockname()[1])

    def settings(self, **more: object) -> Settings:
        """How to probe this world."""
        usual = {
            "resolver": self.resolver,
            "timeout": 10.0,
            "attempts": 1,
            "ca_file": ca_file(),
            "connect": self._connect,
        }
        return Settings(**{**usual, **more})  # type: ignore[arg-type]

    def arguments(self) -> list[str]:
        """The same as options of the command line."""
        found = ["--resolver", str(self.resolver), "--timeout", "10", "--ca-file", str(ca_file())]
        for (name, port), (address, other) in self._connect.items():
            found += ["--connect", f"{name}:{port}={address}:{other}"]
        return found

    # HTTP

    def _http(self, reply: Reply, scheme: str) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.append(writer)
            try:
                if self.silent:
                    await asyncio.sleep(60)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                tls = writer.get_extra_info("ssl_object")
                sni = getattr(tls, "asked_for", "") if tls else ""
                answer = reply(Request(scheme, sni, headers.get("host", ""), head[0].split(" ")[1], headers))
                body = answer.body.encode()
                lines = [f"HTTP/1.1 {answer.status} X", f"Content-Length: {len(body)}", "Connection: close"]
                lines += [f"{k}: {v}" for k, v in answer.headers.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                await writer.drain()
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                writer.close()

        return handle

    def _edge(self, request: Request) -> Response:
        """Cloudflare: https, then Access, then the tunnel."""
        for meant, reply in self.replies:
            if meant(request):
                return reply(request)
        return self.edge(request)

    def edge(self, request: Request) -> Response:
        """A well-behaved edge."""
        if request.scheme == "http" and self.always_https:
            return Response(301, headers={"Location": f"https://{request.name}{request.target}"})
        path = posixpath.normpath(unquote(request.target.partition("?")[0]))
        path += "/" if request.target.endswith("/") and path != "/" else ""
        match request.name.removesuffix(f".{ZONE}"):
            case "page-alfred":
                return Response(200, "<h1>page</h1>")
            case "wiki-alfred":
                return self.origin(request) if path == "/api" or path.startswith("/api/") else login(request)
            case "board-alfred":
                # The bypass is for the challenge path, the tunnel's rule for what is below it.
                if path == "/.well-known/acme-challenge":
                    return Response(403)
                solver = path.startswith("/.well-known/acme-challenge/")
                return Response(404, "default backend - 404") if solver else login(request)
        return Response(404)

    def origin(self, request: Request) -> Response:
        """The service behind the login: it screams, and remembers who came."""
        self.reached.append(request)
        return Response(200, ORIGIN)

    async def _hang_up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    def _raknet(self, data: bytes, answer: Callable[[bytes], None]) -> None:
        if self.raknet and data[:1] == b"\x01":
            answer(b"\x1c" + data[1:9] + bytes(8) + data[9:25] + b"\x00\x04MCPE")

    # DNS

    async def _start_dns(self) -> None:
        self._zone = SignedZone(self.zone, self.dns_faults)
        for _ in range(20):
            udp, _ = await self._loop.create_datagram_endpoint(
                functools.partial(_Udp, self._dns), local_addr=("127.0.0.1", 0)
            )
            port = udp.get_extra_info("sockname")[1]
            try:
                server = await asyncio.start_server(self._dns_stream, "127.0.0.1", port)
            except OSError:
                udp.close()
                continue
            self._transports.append(udp)
            self._servers.append(server)
            self.resolver = Server("127.0.0.1", port)
            return
        raise OSError("no port that is free for both UDP and TCP")

    def _dns(self, data: bytes, answer: Callable[[bytes], None]) -> None:
        if "silent" not in self.dns_faults:
            answer(self._resolve(dns.message.from_wire(data)).to_wire())

    async def _dns_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        reply = self._resolve(dns.message.from_wire(await reader.readexactly(length))).to_wire()
        writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()

    def _resolve(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        name, kind = str(question.name), dns.rdatatype.to_text(question.rdtype)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if "servfail" in self.dns_faults and name.rstrip(".") == self.zone and not query.flags & dns.flags.CD:
            reply.set_rcode(dns.rcode.SERVFAIL)
            return reply
        checks = "no-checks" not in self.dns_faults
        if checks and (name == "." or "insecure" not in self.dns_faults):
            reply.flags |= dns.flags.AD
        if name == ".":
            reply.answer = [dns.rrset.from_text(".", 60, "IN", "SOA", "a. b. 1 2 3 4 5")]
            return reply
        found = self._records(name.rstrip("."), kind)
        if isinstance(found, list):
            reply.answer = found
        else:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def _records(self, name: str, kind: str) -> list[dns.rrset.RRset] | None:
        """The answer; None where there is no such name."""
        if (name, kind) in self.records:
            texts = self.records[name, kind]
            return [dns.rrset.from_text_list(f"{name}.", 60, "IN", kind, list(texts))] if texts else None
        if name == self.zone:
            return self._zone.answers.get(kind, [])
        addresses = {
            **{f"{host}.{self.zone}": "127.0.0.1" for host in self.hosts},
            self.game: ROUTER,
            **dict.fromkeys(self.machines, "127.0.0.1"),
        }
        if name not in addresses:
            return None
        return [dns.rrset.from_text(f"{name}.", 60, "IN", "A", addresses[name])] if kind == "A" else []


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, reply: Callable[[bytes, Callable[[bytes], None]], None]) -> None:
        self._reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's own is no subclass of it.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._reply(data, lambda answer: self._transport.sendto(answer, addr))


class SignedZone:
    """The zone's own records, signed with a key made for it [RFC 4034], and the DS record at its parent."""

    def __init__(self, name: str, faults: frozenset[str]) -> None:
        zone = dns.name.from_text(name)
        key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        dnskey, stranger = (self._dnskey(k) for k in (key, other))
        keys = dns.rrset.from_rdata(zone, 3600, dnskey)
        soa = dns.rrset.from_text(zone, 3600, "IN", "SOA", "ada.ns.cloudflare.com. dns.cloudflare.com. 1 2 3 4 5")
        ns = dns.rrset.from_text_list(zone, 3600, "IN", "NS", [f"{n}." for n in NAME_SERVERS])
        named = stranger if "other-ds" in faults else dnskey
        ds = dns.dnssec.make_ds(zone, named, "SHA256")
        now = time.time()
        since, until = (now - 7200, now - 3600) if "expired" in faults else (now - 3600, now + 3600)

        def signed(records: dns.rrset.RRset) -> list[dns.rrset.RRset]:
            signer = other if "forged" in faults and records is soa else key
            signature = dns.dnssec.sign(records, signer, zone, dnskey, inception=since, expiration=until)
            return [records, dns.rrset.from_rdata(zone, 3600, signature)]

        self.answers: dict[str, list[dns.rrset.RRset]] = {"NS": [ns], "SOA": signed(soa), "DNSKEY": signed(keys)}
        if "unsigned" in faults:
            self.answers["SOA"] = [soa]
        if "no-ds" not in faults:
            self.answers["DS"] = [dns.rrset.from_rdata(zone, 3600, ds)]

    @staticmethod
    def _dnskey(key: ec.EllipticCurvePrivateKey) -> DNSKEY:
        made = dns.dnssec.make_dnskey(key.public_key(), dns.dnssectypes.Algorithm.ECDSAP256SHA256, flags=257)
        assert isinstance(made, DNSKEY)
        return made


@functools.cache
def _authority(trusted: bool) -> trustme.CA:
    return trustme.CA()


@functools.cache
def server_tls(names: tuple[str, ...], trusted: bool = True) -> ssl.SSLContext:
    """A server's side with a certificate for `names`, made by the tests' own authority (or by a stranger)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority(trusted).issue_cert(*names).configure_cert(context)

    def note(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        tls.asked_for = name or ""  # type: ignore[attr-defined]

    context.sni_callback = note
    return context


@functools.cache
def ca_file() -> Path:
    """The tests' own authority, as a file."""
    import atexit
    import tempfile

    folder = tempfile.TemporaryDirectory(prefix="gatehouse-test-ca-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "ca.pem"
    _authority(True).cert_pem.write_to_path(path)
    return path
