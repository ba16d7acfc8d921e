"""Values that cannot be wrong: one parser each, for the stack file's rules, the plan and the components alike.

A parsed value is text of its own type. Who holds one does not look at it again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from config.fields import LABEL

SCHEMES = ("http", "https", "tcp", "udp")
"""The schemes of an origin [CFD ingress/origin_service.go: any other one is silently TCP over WebSocket]."""
MOST_REPLICAS = 25
_CLUSTER = ".cluster.local"
_POD = re.compile(r"(\.[^.]+\.[^.]+\.svc|\.pod)(\.cluster\.local)?$")
"""A pod's own name [Kubernetes, DNS for Services and Pods]."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""What ends a name that is read as an address, and no name then [WHATWG URL, ends in a number]."""
_ENDS, _ENDS_SOMEHOW = "(/|$)", "([/;]|$)"
_STATUS = re.compile(r"http_status:\s*(\d*)", re.IGNORECASE)
_WORDS = ("hello_world", "hello-world", "bastion", "socks-proxy")
_SEGMENT = re.compile(r"[A-Za-z0-9._~@+-]+")
_SIGNS = {"?": "a query", "#": "a fragment", "*": "a wildcard", "%": "percent-encoding", ":": "`:`"}


class MalformedError(ValueError):
    """Text that is no value of its kind: which rule it breaks, why that breaks live, and what to write.

    `suggestion` is the value that was meant, where that can be told; `source` is where the platform says it.
    """

    def __init__(self, rule: str, reason: str, fix: str, suggestion: str = "", source: str = "") -> None:
        super().__init__(f"{reason}; {fix}" + (f" (such as {suggestion})" if suggestion else ""))
        self.rule = rule
        self.reason = reason
        self.fix = fix
        self.suggestion = suggestion
        self.source = source


class _Value(str):
    """Text that one parser has read; a model or dataclass that has a field of the type asks that parser."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value. Raises MalformedError."""
        raise NotImplementedError

    @classmethod
    def read(cls, text: str) -> Self:
        """The value, as pydantic asks for it."""
        try:
            return cls.parse(text)
        except MalformedError as wrong:
            # What it says is no template.
            context = {"reason": wrong.reason, "fix": wrong.fix, "meant": wrong.suggestion or None}
            raise PydanticCustomError("malformed", "{reason}", context) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls.read, core_schema.str_schema(strict=True))


Reachable: TypeAlias = Literal["nowhere", "shared", "home", "example", "internet"]
"""From where an address is reached: from nowhere but the machine itself, inside a provider's network (or a tailnet),
inside a home, from the internet; those for examples in documents (RFC 5737) stand for any."""
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_TAILSCALE_IPV6 = ipaddress.ip_network("fd7a:115c:a1e0::/48")
_THIS = ipaddress.ip_network("0.0.0.0/8")
_EXAMPLES = tuple(map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))


def reachable(address: ipaddress.IPv4Address | ipaddress.IPv6Address | str) -> Reachable:
    """From where an address is reached [IANA, IPv4 Special-Purpose Address Registry; RFC 6598: carrier-grade NAT]."""
    address = ipaddress.ip_address(address)
    own = address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast
    if own or (address.version == 4 and (address.is_reserved or address in _THIS)):
        return "nowhere"
    if address in _SHARED:
        return "shared"
    if any(address in examples for examples in _EXAMPLES):
        return "example"
    return "home" if address.is_private else "internet"


def on_tailnet(address: str) -> bool:
    """Whether an address is a tailnet's own: carrier-grade NAT's, or Tailscale's part of IPv6 [TS net/tsaddr]."""
    found = ipaddress.ip_address(address)
    return found in _SHARED or found in _TAILSCALE_IPV6


def is_name(text: str) -> bool:
    """Whether it is a DNS name of labels (RFC 1123)."""
    return len(text) <= 253 and all(LABEL.fullmatch(label) for label in text.split("."))


class Host(_Value):
    """A public host name: lower case, no scheme, port or path; with `*.` in front, every name below [CFD ingress]."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The host. Raises MalformedError (`host-form`, `host-wildcard`)."""
        if "*" in text.removeprefix("*."):
            raise MalformedError(
                "host-wildcard",
                "a `*` matches only as the whole first label",
                "begin the name with `*.`, or list each host name",
            )
        name = text.removeprefix("*.")
        star, bare = text[: len(text) - len(name)], bare_host(name)
        if not is_name(bare):
            wrong = next((label for label in bare.split(".") if not LABEL.fullmatch(label)), None)
            fixed = ".".join(map(_in_ascii, bare.replace("_", "-").split(".")))
            reason = (
                f"{wrong!r} is not a DNS label, which has letters, digits and hyphens, at most 63, and a letter or "
                "digit at both ends"
            )
            if wrong is None:
                reason = "a DNS name has at most 253 characters"
            elif not wrong.isascii() and is_name(fixed):
                reason = f"DNS, Cloudflare and Access know {wrong!r} in its ASCII form only"
            raise MalformedError(
                "host-form",
                reason,
                f"write `{star}{fixed}`" if is_name(fixed) else "write a name of such labels",
                f"{star}{fixed}" if is_name(fixed) else "",
            )
        if bare != name:
            raise MalformedError(
                "host-form",
                "a host name is lower case, without scheme, port or path, for cloudflared and Access compare it "
                "without them",
                f"write `{star}{bare}`",
                f"{star}{bare}",
            )
        return cls(text)

    @property
    def wildcard(self) -> bool:
        """Whether it stands for every name below."""
        return self.startswith("*.")

    @property
    def name(self) -> str:
        """Without the wildcard's mark."""
        return self.removeprefix("*.")

    def covers(self, other: str) -> bool:
        """Whether it is the other name or, as a wildcard, above it: at any depth, as a tunnel's rule reads it."""
        return self == other or (self.wildcard and other.removeprefix("*.").endswith(self[1:]))


def is_named(header: str | None, hosts: Iterable[str]) -> bool:
    """Whether a Host header is for one of these hosts: servers compare without port, case and a dot at its end."""
    return header is not None and any(Host(host).covers(bare_host(header)) for host in hosts)


def _in_ascii(label: str) -> str:
    """A label as DNS has it: `xn--` and Punycode where it has other letters than ASCII's (RFC 5890, 2.3.2.1)."""
    if label.isascii():
        return label
    letters = unicodedata.normalize("NFC", label.lower())
    if not all(c.isalnum() or c == "-" or unicodedata.category(c) in ("Mn", "Mc") for c in letters):
        return label
    return f"xn--{letters.encode('punycode').decode()}"


def bare_host(text: str) -> str:
    """What is left of a host name without scheme, port, path, capitals and a dot at its end."""
    text = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://", "", text)
    return re.split(r"[:/?#]", text, maxsplit=1)[0].lower().rstrip(".")


class Path(_Value):
    """A path of a host and what is below it, as Access and cloudflared read it alike; `/` is the whole host."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The path. Raises MalformedError (`path-form`)."""
        wrong = _wrong_path(text)
        if wrong and text != "/":
            raise MalformedError(
                "path-form",
                f"{wrong}, which Access and cloudflared read differently, so one of them would let in more",
                "write a plain path such as `/api`; what is below it is included",
                _plainer(text),
            )
        return cls(text)

    @property
    def root(self) -> bool:
        """Whether it is the whole host."""
        return self == "/"

    @property
    def suffix(self) -> str:
        """As it stands behind a host in an Access destination: nothing for the whole host."""
        return "" if self.root else str(self)

    def covers(self, other: str) -> bool:
        """Whether the other path is this one or below it."""
        return self.root or other == self or other.startswith(f"{self}/")

    @property
    def above(self) -> Iterator[Path]:
        """The other paths that cover it, the nearest first."""
        yield from (Path(self[:end]) for end in range(len(self) - 1, 0, -1) if self[end] == "/")
        if not self.root:
            yield ROOT

    @property
    def expression(self) -> str | None:
        """As a tunnel's rule has it, anchored: `/api` gives `^/api(/|$)`; None for the whole host.

        cloudflared matches RE2 unanchored, so a bare `/api` would match `/x/api2` as well [CFD ingress/rule.go].
        """
        if self.root:
            return None
        special = set(r"\.+*?()|[]{}^$")
        return "^" + "".join(f"\\{c}" if c in special else c for c in self) + _ENDS

    @property
    def guarded(self) -> str | None:
        """Its expression where not everybody may: in capitals too, and with what some servers cut off at a `;`.

        Access compares letter by letter; a server that answers `/ADMIN` or `/admin;x` as `/admin` meets no login there,
        so the rule that asks for its JWT takes those as well.
        """
        plain = self.expression
        return plain and f"(?i){plain.removesuffix(_ENDS)}{_ENDS_SOMEHOW}"

    @property
    def slug(self) -> str:
        """A short name for it; two paths may have the same one."""
        return re.sub(r"[^a-z0-9]+", "-", self.lower()).strip("-") or "root"


def unguarded(expression: str) -> str | None:
    """The plain expression of a path whose guarded one this is (`Path.guarded`); None where it is none."""
    if not (expression.startswith("(?i)^") and expression.endswith(_ENDS_SOMEHOW)):
        return None
    return expression.removeprefix("(?i)").removesuffix(_ENDS_SOMEHOW) + _ENDS


ROOT = Path("/")
"""The whole of a host."""


def _wrong_path(path: str) -> str:
    if not path.startswith("/"):
        return "it does not start with `/`"
    if path.endswith("/"):
        return "it ends in `/`"
    for sign, what in _SIGNS.items():
        if sign in path:
            return f"it has {what}"
    segments = path[1:].split("/")
    if "" in segments:
        return "it has an empty part (`//`)"
    if "." in segments or ".." in segments:
        return "it is not normalised (`.` or `..`)"
    odd = next((s for s in segments if not _SEGMENT.fullmatch(s)), None)
    return f"{odd!r} has a character that is not a letter, digit or one of `._~@+-`" if odd is not None else ""


def _plainer(path: str) -> str:
    plain = re.split(r"[?#]", path, maxsplit=1)[0].removesuffix("*")
    plain = "/" + "/".join(part for part in plain.split("/") if part)
    return plain if plain not in ("/", path) and not _wrong_path(plain) else ""


class OriginUrl(_Value):
    """What cloudflared calls: scheme, host and port, and no path, not even `/` [CFD ingress/origin_service.go]."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The URL. Raises MalformedError: the first of `faults`."""
        for fault in cls.faults(text):
            raise fault
        return cls(text)

    @classmethod
    def faults(cls, text: str) -> list[MalformedError]:
        """Everything that is wrong with a text as an origin's URL, each under its rule."""
        return list(_faults(text))

    @property
    def scheme(self) -> str:
        """`http`, `https`, `tcp` or `udp`."""
        return self.partition("://")[0]

    @property
    def host(self) -> str:
        """The host name or address in one spelling: lower case, no dot at its end."""
        return _spelled(urlsplit(self).hostname or "")

    @property
    def complete(self) -> bool:
        """Whether its host is a whole name: with a dot at its end nothing looks it up below another domain."""
        return (urlsplit(self).hostname or "").endswith(".")

    @property
    def port(self) -> int:
        """The port, the scheme's own where none is written."""
        return urlsplit(self).port or (443 if self.scheme == "https" else 80)

    @property
    def service(self) -> tuple[str, str] | None:
        """Namespace and name of the Kubernetes Service that it leads to; None for what is outside the cluster."""
        parts = self.host.removesuffix(_CLUSTER).split(".")
        return (parts[1], parts[0]) if len(parts) == 3 and parts[2] == "svc" else None

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The address, where it is one."""
        return _address(self.host)


class Answer(_Value):
    """What a rule of the tunnel leads to: an origin's URL, or one fixed status [CFD ingress/ingress.go]."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The answer. Raises MalformedError: the first fault of it as an origin's URL."""
        return cls(text if re.fullmatch(r"http_status:[2-5][0-9]{2}", text) else OriginUrl.parse(text))


def _faults(text: str) -> Iterator[MalformedError]:
    status = _STATUS.match(text)
    if status:
        inside = 200 <= int(status[1] or 0) <= 599
        yield MalformedError(
            "origin-http-status",
            "a fixed answer is not a service, and the tunnel answers 404 to other hosts by itself"
            if inside
            else "this is not a status of HTTP, which are 200 to 599",
            "name what is to answer, or remove the service",
        )
    elif text.lower() in _WORDS or text.lower().startswith("unix"):
        yield MalformedError(
            "origin-scheme-unknown",
            "this is one of cloudflared's own services or a socket in its pod, and not a service of yours",
            "name the Kubernetes Service, a port of the node, or an http or https URL",
        )
    elif "://" not in text:
        yield MalformedError(
            "origin-scheme-missing",
            "there is no scheme, so cloudflared would refuse the URL, and with it the tunnel's whole rule list",
            "start it with http:// or https://",
            f"http://{text}" if "/" not in text and _is_address("http", text) else "",
        )
    else:
        scheme, _, rest = text.partition("://")
        yield from _address_faults(scheme, rest)
        if scheme.lower() not in SCHEMES:
            near = {"ws": "http", "wss": "https"}.get(scheme.lower()) or _closest(scheme.lower())
            tls = near == "https"
            yield MalformedError(
                "origin-scheme-unknown",
                "this is not the scheme of a service: cloudflared takes one that it does not know for TCP over "
                "WebSocket, and browsers get nothing",
                "use https (WebSockets work over it), and say in `origin_tls` how its certificate is checked"
                if tls
                else "use http (WebSockets work over it), https, tcp or udp",
                f"{near}://{rest}" if near and not tls else "",
            )


def _address_faults(scheme: str, rest: str) -> Iterator[MalformedError]:
    address = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if scheme != scheme.lower() and scheme.lower() in SCHEMES:
        yield MalformedError(
            "origin-url-form",
            "a scheme is lower case",
            f"write `{scheme.lower()}://{rest}`",
            f"{scheme.lower()}://{rest}",
        )
    more = rest[len(address) :]
    if more:
        what = {"/": "path", "?": "query", "#": "fragment"}[more[0]]
        yield MalformedError(
            "origin-url-form",
            f"cloudflared refuses a service URL with a {what}{', even a lone `/`,' if what == 'path' else ''} and "
            "with it the tunnel's whole rule list",
            "write only scheme, host and port; a request's own path is passed on as it is",
            f"{scheme}://{address}" if "@" not in address else "",
        )
    if "@" in address:
        yield MalformedError(
            "origin-url-form",
            "a user or password stands in clear in this file, and cloudflared does not send it",
            "write the URL without it, and let the service ask for its own login",
        )
    elif not _is_address(scheme, address):
        yield MalformedError(
            "origin-url-form",
            f"{address!r} is not a host name or address with an optional port from 1 to 65535",
            "write it like http://192.168.0.9:8123",
        )
    else:
        host = _spelled(urlsplit(f"{scheme}://{address}").hostname or "")
        unreachable = _unreachable(host)
        if unreachable:
            yield MalformedError("origin-unreachable", *unreachable)
        if _POD.search(host):
            yield MalformedError(
                "origin-other-name",
                "this is the name of one pod, past its Service, so nothing tells that the two are the same",
                "name the Service: `{namespace: web, service: web, port: 80}`",
            )
    if scheme.lower() in ("tcp", "udp") and not re.search(r":\d+$", address):
        yield MalformedError(
            "origin-port-missing",
            "there is no port, so cloudflared would call 7864, its own default for tcp",
            "add the service's port",
        )


def _is_address(scheme: str, address: str) -> bool:
    try:
        parts = urlsplit(f"{scheme}://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or port == 0 or address.endswith(":"):
        return False
    return address.startswith("[") if ":" in host else is_name(host.rstrip("."))


def _spelled(host: str) -> str:
    """A host in one spelling: a name or an address has many, and what is called is one thing by each."""
    host = host.lower().rstrip(".")
    return str(_address(host) or host)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is, if any; IPv4 written as IPv6 is called as IPv4 [Go net.ParseIP]."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address


def _unreachable(host: str) -> tuple[str, str] | None:
    """Why a host leads nowhere from a pod of the cluster, and what to write."""
    by_address = "write the machine's address on the home network, or a name that your DNS server knows"
    if _LOCAL.fullmatch(host):
        return _OWN
    address = _address(host)
    if address is None:
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            return "this is neither a name nor an address, which has four numbers from 0 to 255", by_address
        if host.endswith(".local") and not host.endswith(_CLUSTER):
            return "names in `.local` are found by multicast, which does not reach a pod", by_address
        return None
    if address.is_loopback or address.is_unspecified:
        return _OWN
    if address.is_link_local:
        return "a link-local address is a machine's own, or its cloud's metadata with keys in it", by_address
    if reachable(address) == "nowhere":
        return "no machine has this address", by_address
    return None


# RFC 6761; Debian's and Red Hat's /etc/hosts; what Docker and Podman call the host, which a pod does not know.
_LOCAL = re.compile(
    r"(.+\.)?localhost|localhost6?(\.localdomain6?)?|ip6-(localhost|loopback)|.+\.(docker|containers)\.internal"
)
_OWN = (
    "cloudflared runs in a pod of its own, and this address is that pod: only cloudflared's own metrics and profiles "
    "answer there",
    "for a port of the node, write `origin: {on_node: true, port: 8123, scheme: http}` with its port; for a pod, name "
    "its Kubernetes Service",
)


def _closest(scheme: str) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(scheme, sorted(SCHEMES), n=1, cutoff=0.6)), "")


class Certificates(_Value):
    """Certificates as PEM, of a CA or an origin's own, written so that Go's `AppendCertsFromPEM` takes every one."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The certificates. Raises MalformedError (`origin-ca-pool`)."""
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509 import InvalidVersion, load_pem_x509_certificates

        kinds = set(re.findall(r"-----BEGIN ([^-\n]*)-----", text))
        if any("PRIVATE KEY" in kind for kind in kinds):
            reason = "a private key stands in clear in the file: whoever reads it can pretend to be the origin"
            fix = "remove the key and make a new one, for this one is known; keep the blocks BEGIN CERTIFICATE"
        elif not kinds:
            reason = (
                "no certificate: cloudflared has the files of its own pod alone, and where one is missing it refuses "
                "the tunnel's whole rule list"
            )
            fix = (
                "paste the certificate below `ca_pool: |`, from -----BEGIN CERTIFICATE----- to "
                "-----END CERTIFICATE-----; Gatehouse gives the connector the file"
            )
        elif kinds != {"CERTIFICATE"}:
            reason = f"a block of {' and '.join(sorted(kinds - {'CERTIFICATE'}))}, which cloudflared skips"
            fix = "keep the blocks BEGIN CERTIFICATE only (openssl x509 -in <file> writes one)"
        elif len(text) > _MOST_CERTIFICATES:
            reason = f"longer than {_MOST_CERTIFICATES} characters: the files of a connector share a ConfigMap of 1 MiB"
            fix = "name the one CA that signed the origin's certificate; public ones are trusted anyway"
        else:
            try:
                # The library warns of a serial number of 0, which Go takes; a negative one it refuses since 1.23.
                with warnings.catch_warnings(action="ignore"):
                    found = load_pem_x509_certificates(text.encode())
                    if any(one.serial_number < 0 for one in found):
                        raise ValueError
                return cls("".join(one.public_bytes(Encoding.PEM).decode() for one in found))
            except (ValueError, InvalidVersion):
                reason = "its certificates cannot be read: cloudflared would trust none of them, and answer 502"
                fix = "paste the whole block again, each line as it is in the file"
        raise MalformedError("origin-ca-pool", reason, fix)

    @property
    def path(self) -> str:
        """Their file in the connector's pod: named after what it holds, so that others are another file."""
        return f"{CA_FOLDER}/{hashlib.sha256(self.encode()).hexdigest()[:16]}.pem"


CA_FOLDER = "/etc/gatehouse/ca"
"""Where the connector's pods have certificates that rules name."""
_MOST_CERTIFICATES = 50_000


class Machine(_Value):
    """The name of a machine on the tailnet: one DNS label, the first of its full name [tailscale.com/kb/1098]."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name. Raises MalformedError (`tailnet-name`)."""
        if not LABEL.fullmatch(text):
            first = text.split(".")[0].lower().replace("_", "-")
            raise MalformedError(
                "tailnet-name",
                "a machine's name on the tailnet is one DNS label: lower-case letters, digits and hyphens, at most 63",
                "write only the first part of the name",
                first if LABEL.fullmatch(first) else "",
            )
        return cls(text)


class Tag(_Value):
    """A tag of the tailnet: `tag:`, a letter, then letters, digits and hyphens [tailscale.com/kb/1068]."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The tag. Raises MalformedError (`tag-form`)."""
        if not re.fullmatch(r"tag:[A-Za-z][A-Za-z0-9-]*", text):
            raise MalformedError(
                "tag-form",
                "a tag is `tag:`, a letter, and then letters, digits and hyphens",
                "write it as `tag:wiki-alfred`",
            )
        return cls(text)


class Team(_Value):
    """A Zero Trust team's bare name, as in `<team>.cloudflareaccess.com`: cloudflared adds the rest [CFD ingress]."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name. Raises MalformedError (`team-form`)."""
        if not LABEL.fullmatch(text):
            first = bare_host(text).split(".")[0]
            raise MalformedError(
                "team-form",
                "a team's name is one DNS label, from which cloudflared makes the address of its keys",
                "write what stands before `.cloudflareaccess.com`",
                first if LABEL.fullmatch(first) else "",
            )
        return cls(text)


class Domain(_Value):
    """The registered domain of a zone, such as `example.com`: a host name of two labels or more, with no wildcard."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The domain. Raises MalformedError (`host-form`)."""
        found = Host.parse(text)
        if found.wildcard or "." not in found:
            raise MalformedError("host-form", "a zone is one registered domain", "write it as `example.com`")
        return cls(found)


class Duration(_Value):
    """How long a login lasts, as Access takes it: Go's units up to hours, a month at most, or `0s` [CFDOC policies]."""

    __slots__ = ()
    _NUMBER = r"[0-9]{1,19}(?:\.[0-9]{1,19})?"
    _GO = re.compile(rf"(?:{_NUMBER}(?:ns|us|µs|ms|s|m|h)){{1,7}}")
    _PART = re.compile(rf"({_NUMBER})(ns|us|µs|ms|s|m|h|d|w)")
    _HOUR = 3_600_000_000_000
    _NANOSECONDS: ClassVar[dict[str, int]] = {
        "ns": 1,
        "us": 10**3,
        "µs": 10**3,
        "ms": 10**6,
        "s": 10**9,
        "m": 60 * 10**9,
        "h": _HOUR,
        "d": 24 * _HOUR,
        "w": 168 * _HOUR,
    }
    _MONTH_HOURS = 730

    @classmethod
    def parse(cls, text: str) -> Self:
        """The duration. Raises MalformedError (`session-duration`)."""
        parts = cls._PART.findall(text[:100])
        hours = sum(Decimal(number) * cls._NANOSECONDS[unit] for number, unit in parts) / cls._HOUR
        units, month = cls._GO.fullmatch(text) is not None, cls._MONTH_HOURS
        if (units and 0 < hours <= month) or text == "0s":
            return cls(text)
        reason, fix = (
            "Access takes a duration in Go's units up to hours (30m, 24h, 1h30m), no days or weeks",
            "write it so",
        )
        suggestion = f"{hours:g}h" if re.fullmatch("[0-9]{1,9}[dw]", text) and 0 < hours <= month else ""
        if units and not hours:
            reason, fix, suggestion = "for a login that ends at once, Access has one word", "write `0s`", "0s"
        elif hours > month:
            reason, fix = f"Access takes a month at most, {month} hours", f"write `{month}h` or less"
            suggestion = f"{month}h"
        raise MalformedError("session-duration", reason, fix, suggestion)


_BODIES = (
    "it does not pass on a POST with an empty body as it is, so buttons and logins fail; the next release took the "
    "change back"
)
_UNFIT = (
    (
        (0, 0, 0),
        (2022, 9, 99),
        "it does not know `access` in a rule, so it never checks Access's JWT again; the first that does is 2022.10.0",
        "CFD RELEASE_NOTES 2022.10.0 (TUN-6774, TUN-6775)",
    ),
    ((2024, 9, 0), (2024, 9, 0), _BODIES, "CFD RELEASE_NOTES 2024.9.1 (reverts TUN-8592); cloudflared#1340"),
    ((2024, 10, 0), (2024, 10, 0), _BODIES, "CFD RELEASE_NOTES 2024.10.1 (reverts TUN-8592); cloudflared#1340"),
    (
        (2026, 8, 0),
        (2026, 8, 1),
        "it rewrites a request's path before it compares, and path rules depend on the path as it is; 2026.8.2 took "
        "that back",
        "CFD RELEASE_NOTES 2026.8.2 (VULN-141859)",
    ),
)
"""Releases of cloudflared that are unfit: the first and the last of them, why, and where that is said."""
_VERSION = re.compile(r"v?(20\d\d)\.(\d{1,2})\.(\d{1,2})(?![\d.])")


class Image(_Value):
    """The connector's image, with a tag that stays or a digest [CFD RELEASE_NOTES]."""

    __slots__ = ()
    _REFERENCE = re.compile(
        r"(?P<name>[a-z0-9]+([._:-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*?)"
        r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
    )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The reference. Raises MalformedError (`connector-image`)."""
        match = cls._REFERENCE.fullmatch(text)
        tag, digest = (match["tag"] or "", match["digest"]) if match else ("", None)
        said = _VERSION.match(tag)
        version = tuple(map(int, said.groups())) if said else ()
        unfit = next((row for row in _UNFIT if version and row[0] <= version <= row[1]), None)
        if not match:
            reason = "this is not the name of a container image"
        elif unfit:
            reason = unfit[2]
        elif digest is None and not tag:
            reason = "there is neither a tag nor a digest, so each restart may bring another cloudflared"
        elif digest is None and (tag.startswith("latest") or not re.search(r"\d", tag)):
            reason = f"`{tag}` changes: each restart may bring another cloudflared, with other rules for paths"
        else:
            return cls(text)
        raise MalformedError(
            "connector-image",
            reason,
            "remove it to use the pinned image, or write `cloudflare/cloudflared:<version>`, better with "
            "`@sha256:<digest>`",
            source=unfit[3] if unfit else "",
        )


class TunnelSecret(_Value):
    """A tunnel's secret: base64 of at least 32 bytes [TFC zero_trust_tunnel_cloudflared]. No message repeats it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The secret. Raises MalformedError (`tunnel-secret-form`)."""
        try:
            long = len(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            long = 0
        if long < 32:
            raise MalformedError(
                "tunnel-secret-form",
                "a tunnel's secret is at least 32 bytes in base64, or Cloudflare refuses the tunnel",
                "make one with `openssl rand -base64 32`",
            )
        return cls(text)


def replicas(count: int) -> int:
    """How many connectors a tunnel has [CFDOC account-limits]. Raises MalformedError (`connector-replicas`)."""
    if not 1 <= count <= MOST_REPLICAS:
        raise MalformedError(
            "connector-replicas",
            "a tunnel takes at most 25 connectors, and the rest would restart for ever"
            if count > MOST_REPLICAS
            else "without a connector every host of the tunnel answers 530",
            "write `replicas: 2`, which keeps the tunnel up while one restarts, or another number from 1 to 25",
        )
    return count


HostText: TypeAlias = Annotated[str, AfterValidator(Host.read)]
AnswerText: TypeAlias = Annotated[str, AfterValidator(Answer.read)]
TeamText: TypeAlias = Annotated[str, AfterValidator(Team.read)]
DomainText: TypeAlias = Annotated[str, AfterValidator(Domain.read)]
DurationText: TypeAlias = Annotated[str, AfterValidator(Duration.read)]
TunnelSecretText: TypeAlias = Annotated[str, AfterValidator(TunnelSecret.read)]


def object_name(key: str, suffix: str) -> str:
    """The name of a Kubernetes Service that is made for a key: `<key>-<suffix>`, wherever that is one.

    It starts with a letter and has at most 63 characters (RFC 1035; Kubernetes, Object Names and IDs): otherwise `s-`
    stands in front, the key is cut, and a hash of it tells it apart.
    """
    name = f"{key}-{suffix}"
    return name if key[:1].isalpha() and len(name) <= 63 else _cut(f"s-{key}", key, f"-{suffix}")


def label_name(name: str) -> str:
    """The last part of a Kubernetes label's key: at most 63 characters, a long name cut and told apart by a hash."""
    return name if len(name) <= 63 else _cut(name, name, "")


def _cut(text: str, whole: str, end: str) -> str:
    mark = f"-{hashlib.sha256(whole.encode()).hexdigest()[:8]}{end}"
    return text[: 63 - len(mark)].rstrip("-") + mark


__all__ = [
    "CA_FOLDER",
    "MOST_REPLICAS",
    "ROOT",
    "SCHEMES",
    "Answer",
    "AnswerText",
    "Certificates",
    "Domain",
    "DomainText",
    "Duration",
    "DurationText",
    "Host",
    "HostText",
    "Image",
    "Machine",
    "MalformedError",
    "OriginUrl",
    "Path",
    "Reachable",
    "Tag",
    "Team",
    "TeamText",
    "TunnelSecret",
    "TunnelSecretText",
    "bare_host",
    "is_name",
    "is_named",
    "label_name",
    "object_name",
    "reachable",
    "replicas",
    "unguarded",
]
