"""Ports beside the web: certificates, forwarded ports, and those where nothing may answer."""

from __future__ import annotations

import asyncio
import ssl

from gatehouse.probe.judge import Verdict, failed, not_proven, passed
from gatehouse.probe.names import again
from gatehouse.probe.probes import CertificateProbe, ClosedProbe, PortProbe
from gatehouse.probe.settings import Places, blind

_UDP_SECONDS = 2.0
# RakNet's unconnected ping (0x01), its pong (0x1c), and the magic in both [wiki.vg, Raknet Protocol].
_MAGIC = bytes.fromhex("00ffff00fefefefefdfdfdfd12345678")


async def check_certificate(
    places: Places, tls: ssl.SSLContext, probe: CertificateProbe, timeout: float, attempts: int
) -> Verdict:
    """Run a CertificateProbe."""
    address = await places.address(probe.name, probe.port)
    if address is None:
        return failed("the name does not resolve")
    try:
        async for attempt in again(_passing, attempts):
            with attempt:
                names, ends = await asyncio.wait_for(_handshake(address, tls, probe.name), timeout)
    except ssl.SSLCertVerificationError as error:
        return failed(f"the certificate is refused: {error.verify_message}")
    except ssl.SSLError as error:
        return failed(f"TLS refuses: {error.reason or error}")
    except TimeoutError:
        return failed("no answer in time")
    except OSError as error:
        return failed(f"nothing answers: {error.strerror or error}")
    if probe.name not in names:
        return failed(f"the certificate is for {', '.join(names) or 'no name'}, not the machine's own")
    return passed(f"valid until {ends}")


def _passing(error: Exception) -> bool:
    return isinstance(error, OSError) and not isinstance(error, ssl.SSLCertVerificationError)


async def _handshake(address: tuple[str, int], tls: ssl.SSLContext, name: str) -> tuple[list[str], str]:
    _, writer = await asyncio.open_connection(*address, ssl=tls, server_hostname=name)
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert()
    finally:
        await _close(writer)
    names = [value.lower() for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    return names, str(certificate.get("notAfter", "?"))


async def check_port(places: Places, probe: PortProbe, timeout: float, attempts: int) -> Verdict:
    """Run a PortProbe."""
    address = await places.address(probe.name, probe.port)
    if address is None:
        return not_proven("the name does not resolve")
    if probe.protocol == "udp":
        return await _udp(address, timeout, attempts)
    try:
        async for attempt in again(OSError, attempts):
            with attempt:
                _, writer = await asyncio.wait_for(asyncio.open_connection(*address), timeout)
    except TimeoutError:
        return failed("no answer in time")
    except OSError as error:
        return failed(f"it does not connect: {error.strerror or error}")
    await _close(writer)
    return passed("connects")


async def check_closed(places: Places, probe: ClosedProbe, timeout: float) -> Verdict:
    """Run a ClosedProbe: one try, for silence is what is wanted."""
    address = await places.address(probe.name, probe.port)
    if address is None:
        return not_proven("the name does not resolve")
    tls = blind() if probe.tls else None
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(*address, ssl=tls, server_hostname=probe.name if tls else None), min(timeout, 3.0)
        )
    except TimeoutError:
        return passed("no answer")
    except ssl.SSLError as error:
        return passed(f"no TLS: {error.reason or 'refused'}")
    except OSError:
        return passed("nothing answers")
    await _close(writer)
    return failed("it answers")


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), 1.0)
    except (OSError, TimeoutError):
        return


class _Pong(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _udp(address: tuple[str, int], timeout: float, attempts: int) -> Verdict:
    ping = b"\x01" + bytes(8) + _MAGIC + bytes(8)
    for _ in range(attempts):
        transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(_Pong, remote_addr=address)
        try:
            transport.sendto(ping)
            data = await asyncio.wait_for(protocol.answer, min(timeout, _UDP_SECONDS))
        except TimeoutError:
            continue
        except OSError:
            return failed("the address says that the port is closed")
        finally:
            transport.close()
        if data[:1] == b"\x1c" and _MAGIC in data:
            return passed("answers RakNet's ping (Minecraft Bedrock)")
        return passed("answers")
    return not_proven("UDP is silent: open or closed cannot be told, unless the game answers RakNet's ping")
