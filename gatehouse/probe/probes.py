"""What can be asked from outside, and a check: one promise of a plan, and how it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from gatehouse.probe.judge import Verdict

Expect: TypeAlias = Literal[
    "page", "open", "login", "guarded", "blocked", "https", "challenge", "unknown", "unserved", "not-served"
]
"""What an HTTP answer has to be: a page, an open path (no login, not refused), a redirect to the team's login, that or
a refusal by edge or tunnel, a refusal alone, a redirect to https, the challenge solver's answer, a name nobody serves,
a path that Funnel does not serve, and no service on the router's own address."""

PORTS = {"http": 80, "https": 443}
"""The ports that names are asked at."""


@dataclass(frozen=True)
class HttpProbe:
    """One GET. `sni` is the name that is resolved, connected to and put into the TLS handshake.

    `host` is the Host header where it differs, `address` an address in place of the resolved one, `target` the
    request's path as it is sent, dots and all.
    """

    expect: Expect
    scheme: Literal["http", "https"]
    sni: str
    target: str = "/"
    host: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    address: str | None = None
    verify: bool = True
    """Whether the certificate is looked at; another check does where not."""
    token: str | None = None
    """The service token whose headers go with it. Who sends it has them: no check holds a secret."""
    forged: bool = False
    """Whether they go with another secret than the token's."""

    def __post_init__(self) -> None:
        """Raise ValueError where a secret would go elsewhere than to its host, by TLS that is looked at."""
        elsewhere = self.host or self.address or self.expect == "challenge"
        if self.token and (self.scheme != "https" or elsewhere or not self.verify):
            raise ValueError(f"{self.sni}: a token is sent by https, to the host that is named, and nowhere else")

    @property
    def port(self) -> int:
        """80 or 443."""
        return PORTS[self.scheme]


@dataclass(frozen=True)
class NameProbe:
    """The addresses that public DNS gives for a name: `edge` (any but `not_these`), `exactly`, or `absent`."""

    expect: Literal["edge", "exactly", "absent"]
    name: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class ZoneProbe:
    """A zone's delegation: its name servers, the DS record, the chain of signatures, or that there is no DS record; and
    of one that moves, that Cloudflare has its records, and that the registrar has no DS record of the old DNS.

    `name_servers` and `ds` are the values that the stack put out, where known.
    """

    expect: Literal["name-servers", "ds", "chain", "no-ds", "records", "old-ds"]
    zone: str
    name_servers: tuple[str, ...] = ()
    ds: str | None = None


@dataclass(frozen=True)
class CertificateProbe:
    """A TLS handshake: a valid chain, and the name itself (no wildcard) in the certificate."""

    name: str
    port: int = 443


@dataclass(frozen=True)
class PortProbe:
    """A forwarded port: TCP has to connect; UDP is shown open by RakNet's ping alone."""

    name: str
    port: int
    protocol: Literal["tcp", "udp"]


@dataclass(frozen=True)
class ClosedProbe:
    """A port where nothing may answer: TCP that does not connect, or with `tls` no handshake either."""

    name: str
    port: int
    tls: bool = False


@dataclass(frozen=True)
class AccountProbe:
    """A look into the account, named for people: `ask` takes its time, and gives the verdict."""

    text: str
    ask: Callable[[], Verdict]


Probe: TypeAlias = HttpProbe | NameProbe | ZoneProbe | CertificateProbe | PortProbe | ClosedProbe | AccountProbe


@dataclass(frozen=True)
class Check:
    """One promise of the plan, how it is asked for, and what its breach means."""

    subject: str
    """What it is about: a service's key, or the full name of a zone or node."""
    gate: str
    what: str
    """What is asked, such as `login` or `open/api`."""
    promise: str
    probe: Probe
    means: str
    """What is so where the check fails."""
    fix: str
    """What to do then."""
    must_not: bool = False
    """Whether it asks for something that must not work."""
    at: str = ""
    """The host, where the same is asked of several."""

    @property
    def asked(self) -> str:
        """What is asked, for people."""
        match self.probe:
            case HttpProbe() as http:
                at = f" at {http.address}" if http.address else f" with Host {http.host}" if http.host else ""
                sent = "".join(f" with {name}: {value[:20]}…" for name, value in http.headers)
                if http.token:
                    sent += f" with token {http.token}{' and a wrong secret' if http.forged else ''}"
                return f"{http.scheme}://{http.sni}{http.target}{at}{sent}"
            case NameProbe(name=text) | ZoneProbe(zone=text) | AccountProbe(text=text):
                return text
            case PortProbe(name=name, port=port, protocol=protocol):
                return f"{protocol}://{name}:{port}"
            case CertificateProbe(name=name, port=port) | ClosedProbe(name=name, port=port):
                return f"{name}:{port}"

    @property
    def id(self) -> str:
        """`<subject>/<what>`, and `@<host>` where the same is asked of several hosts."""
        return f"{self.subject}/{self.what}" + (f"@{self.at}" if self.at else "")
