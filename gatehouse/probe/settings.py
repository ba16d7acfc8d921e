"""How to probe, and where connections go."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatehouse.probe.names import Resolver, Server

PUBLIC_RESOLVER = Server("1.1.1.1")
"""Cloudflare's, which checks signatures. The system's own may be the tailnet's or the house's: not the outside."""


@dataclass(frozen=True)
class Client:
    """The two headers by which a program passes Access."""

    id: str
    secret: str = field(repr=False)

    def headers(self, forged: bool) -> tuple[tuple[str, str], ...]:
        """Them, or with another secret of the same length."""
        secret = "0" * len(self.secret) if forged else self.secret
        return ("CF-Access-Client-Id", self.id), ("CF-Access-Client-Secret", secret)


@dataclass(frozen=True)
class Settings:
    """How to probe.

    `timeout` is one try's, in seconds, and `within` the whole run's; `attempts` how often a passing fault is tried;
    `concurrency` how many checks run at once; `ca_file` the certificates to trust in place of the usual ones;
    `connect` sends connections for (host or `*`, port) elsewhere; `clients` are the service tokens by name, and
    `no_clients` says why there are none.
    """

    resolver: Server = PUBLIC_RESOLVER
    timeout: float = 5.0
    within: float = 30.0
    attempts: int = 2
    concurrency: int = 48
    ca_file: Path | None = None
    connect: Mapping[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    clients: Mapping[str, Client] = field(default_factory=dict)
    no_clients: str = "its secret is not known here"


def blind() -> ssl.SSLContext:
    """TLS that takes any certificate, for where another check looks at it, or nothing is to answer at all."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Places:
    """From a name and port to the address to connect to."""

    def __init__(self, resolver: Resolver, connect: Mapping[tuple[str, int], tuple[str, int]]) -> None:
        self._resolver = resolver
        self._connect = connect

    async def address(self, name: str, port: int) -> tuple[str, int] | None:
        """Where to connect; None where the name does not resolve (also where `*` redirects it).

        Raises NoAnswerError where the resolver cannot say.
        """
        if (name, port) in self._connect:
            return self._connect[name, port]
        if name.replace(".", "").isdigit() or ":" in name:
            return name, port
        found = await self._resolver.addresses(name)
        if not found:
            return None
        return self._connect.get(("*", port), (found[0], port))
