"""Field types shared by the models: shape only; what breaks live is said by the rules."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, LiteralString
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_before_validator_function

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""A DNS label: at most 63 letters, digits and hyphens, alphanumeric at both ends (RFC 1123)."""


def _label(value: str) -> str:
    if not LABEL.fullmatch(value):
        raise PydanticCustomError(
            "name",
            "a name here is a DNS label: lower-case letters, digits and hyphens, at most 63, "
            "with a letter or digit at both ends",
            {"fix": "write such a name"},
        )
    return value


def _set_name(value: str) -> str:
    if value in ("anyone", "lan", "member", "nobody"):
        raise PydanticCustomError(
            "name",
            "claims and `gatehouse who` have this word for somebody else than the people of a set",
            {"fix": "give the set another name"},
        )
    return _label(value)


def _ipv4(value: str) -> str:
    try:
        address = ipaddress.ip_address(value.strip("[]"))
    except ValueError:
        reason: LiteralString = (
            "an IPv4 address has four numbers from 0 to 255, with dots between and no zeros in front"
        )
        if re.search("[A-Za-z]", value):
            reason = "an IPv4 address is needed here, not a name: the router's rules and DNS records hold addresses"
        raise PydanticCustomError("ipv4", reason, {"fix": "write it like 192.168.0.9"}) from None
    if address.version == 6:
        raise PydanticCustomError("ipv6", NO_IPV6, {"fix": NO_IPV6_FIX})
    return value


NO_IPV6 = "IPv6 is not supported: a node and its router are known by their IPv4 addresses"
NO_IPV6_FIX = (
    "write the node's IPv4 address at home as `lan_ipv4:`. A line without a public IPv4 address (DS-Lite, "
    "carrier-grade NAT) needs no `router_ipv4:`: tunnels, Funnel and the tailnet only connect outwards"
)


# [CFD cmd/cloudflared/tunnel/cmd.go: `edge-ip-version` is 4 unless said]
NO_IP_VERSION_FIX = (
    "let the connector go out by IPv4, as it does by itself; a line with DS-Lite or carrier-grade NAT has that way too"
)


def _web_origin(value: str) -> str:
    if value != "*" and not re.fullmatch(_WEB_ORIGIN, value):
        raise PydanticCustomError(
            "web_origin",
            "a page's origin is scheme, host and port as browsers send them, with no path and no `/` at its end; with "
            "any other text no request would match",
            {"fix": "write it like `https://app.example.com`, or `*` alone for every page"},
        )
    return value


# Lower case, and no port that is the scheme's own [RFC 6454, 6.2].
_WEB_ORIGIN = r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:(?!80$|443$)[1-9][0-9]{0,4})?"


def _client_id(value: str) -> str:
    if not re.fullmatch(_CLIENT_ID, value):
        raise PydanticCustomError(
            "client_id",
            "the id of a Google OAuth client ends in `.apps.googleusercontent.com`; with any other, Google refuses "
            "every login",
            {"fix": "copy it from Google Cloud Console, Credentials"},
        )
    return value


_CLIENT_ID = r"[A-Za-z0-9_-]+\.apps\.googleusercontent\.com"


def _email(value: str) -> str:
    # The login's address only; whether the mailbox exists is for Google to know.
    if not re.fullmatch(r"(?!')[^@\s,;:*/\"<>()]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", value):
        fix = "write each person's address like alice@example.com"
        if value.startswith("@"):
            fix = f"where everybody of the domain is meant, write the set as keys: `{{domain: {value[1:]}}}`"
        raise PydanticCustomError("email", "this is not one e-mail address, without a display name", {"fix": fix})
    return value.lower()


def _person(value: str) -> str:
    return value.lower() if re.fullmatch(LOGIN_NAME, value, re.IGNORECASE) else _email(value)


def is_person(text: str) -> bool:
    """Whether a text is one address, or a name on the tailnet, as a set of people takes it."""
    try:
        return bool(_person(text))
    except PydanticCustomError:
        return False


LOGIN_NAME = r"[a-z0-9][a-z0-9._+-]*@(github|passkey)"
"""The name of a user of the tailnet who logs in without an address [tailscale.com/kb/1337, tailscale.com/kb/1269]."""


@dataclass(frozen=True)
class Several:
    """A list of words, of which a single one may be written without brackets; `pattern` is for the schema."""

    what: LiteralString
    pattern: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        word = {"type": "string", **({"pattern": self.pattern} if self.pattern else {})}
        return {"anyOf": [word, {"type": "array", "items": word, "minItems": 1, "uniqueItems": True}]}

    def _read(self, value: object) -> object:
        if not isinstance(value, str | list):
            raise PydanticCustomError(
                "several", f"{self.what} is expected here, or a list of such names", {"fix": "write the name"}
            )
        return [value] if isinstance(value, str) else value


def _domain(value: str) -> str:
    if "." not in value or len(value) > 253 or not all(LABEL.fullmatch(label) for label in value.split(".")):
        bare = value.rpartition("@")[2].lower().rstrip(".")
        right = "." in bare and all(LABEL.fullmatch(label) for label in bare.split("."))
        raise PydanticCustomError(
            "domain",
            "the domain of addresses is expected here, what stands behind their `@`, in lower case",
            {"fix": f"write `{bare}`" if right else "write it like `example.com`", "meant": bare if right else None},
        )
    return value


def _organization(value: str) -> str:
    # GitHub's own form of names; teams are named by their slug [GitHub, REST API, Teams].
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,37}[A-Za-z0-9])?(/[A-Za-z0-9._-]{1,100})?", value):
        raise PydanticCustomError(
            "organization",
            "a GitHub organization is expected here, or a team of one",
            {"fix": "write `smiths` for an organization, `smiths/family` for a team"},
        )
    return value


def _country(value: str) -> str:
    if value not in _COUNTRIES:
        meant = "GB" if value.upper() == "UK" else value.upper()
        raise PydanticCustomError(
            "country",
            "a country is said by two capitals (ISO 3166-1), as Cloudflare tells where an address is",
            {"fix": f"write `{meant}`", "meant": meant} if meant in _COUNTRIES else {"fix": "write `DE` for Germany"},
        )
    return value


_CODES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY "
    "BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK "
    "FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR "
    "IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK "
    "ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
    "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF "
    "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
_COUNTRIES = frozenset(_CODES.split())
"""ISO 3166-1, alpha-2."""


def _network(value: str) -> str:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise PydanticCustomError(
            "network",
            "an address of the internet is expected here, or a range of such addresses",
            {"fix": "write it like 203.0.113.7/32"},
        ) from None
    if str(network) != value:
        raise PydanticCustomError(
            "network",
            "a range is written by its first address and its length, so that it is what it seems",
            {"fix": f"write `{network}`", "meant": str(network)},
        )
    if network.prefixlen < (8 if network.version == 4 else 16):
        raise PydanticCustomError(
            "network",
            "so wide a range has most of the internet in it, and keeps nobody out",
            {"fix": "write the range that is meant, such as 203.0.113.0/24"},
        )
    # Those for documents stand for any (RFC 5737, RFC 3849).
    example = any(network.version == e.version and network.subnet_of(e) for e in EXAMPLES)  # type: ignore[arg-type]
    if (network.is_multicast or not network.is_global) and not example:
        raise PydanticCustomError(
            "network",
            "Cloudflare sees the address that a request has on the internet, and this is none: at home and behind "
            "carrier-grade NAT that is another one",
            {"fix": "write the address that https://1.1.1.1/cdn-cgi/trace shows as `ip=`, if it stays the same"},
        )
    return value


_PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
PODS, CLUSTER_SERVICES = map(ipaddress.IPv4Network, ("10.42.0.0/16", "10.43.0.0/16"))
"""k3s's own, of pods and of Services [docs.k3s.io/cli/server, cluster-cidr and service-cidr]."""


def _home_range(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value, strict=False)
    except ValueError:
        network = None
    if network is None or not any(network.subnet_of(private) for private in _PRIVATE):
        raise PydanticCustomError(
            "home_range",
            "a range of IPv4 addresses at home is expected here, of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
            {"fix": "write it like 192.168.1.0/24, or 192.168.1.40/32 for one machine"},
        )
    if str(network) != value:
        raise PydanticCustomError(
            "home_range",
            "a range is written by its first address and its length, so that it is what it seems",
            {"fix": f"write `{network}`", "meant": str(network)},
        )
    if any(network.overlaps(inside) for inside in (PODS, CLUSTER_SERVICES)):
        raise PydanticCustomError(
            "home_range",
            "the cluster's own addresses are in it (k3s: 10.42.0.0/16 for pods, 10.43.0.0/16 for Services): every "
            "Service of every namespace would be reached, past its gate",
            {"fix": "write the range of the home network alone, such as 192.168.1.0/24"},
        )
    return value


def _route_port(value: str) -> str:
    protocol, _, port = value.partition(":")
    if protocol not in ("tcp", "udp") or not re.fullmatch("[1-9][0-9]{0,4}", port) or int(port) > 65535:
        bare = re.fullmatch("[1-9][0-9]{0,4}", value)
        raise PydanticCustomError(
            "route_port",
            "a protocol and a port are expected here, as Tailscale writes them",
            {"fix": f"write `tcp:{value}`" if bare else "write it like `tcp:631` or `udp:53`"},
        )
    return value


_SSH_USER = r"^(autogroup:nonroot|localpart:\*@[a-z0-9-]+(\.[a-z0-9-]+)+|[A-Za-z0-9_][A-Za-z0-9_.-]*)$"
_CHECK_PERIOD = r"^([1-9][0-9]{0,3}m|([1-9][0-9]?|1[0-5][0-9]|16[0-8])h|always)$"


def _ssh_user(value: str) -> str:
    if not re.fullmatch(_SSH_USER, value):
        raise PydanticCustomError(
            "ssh_user",
            "a user of the node is expected here, and Tailscale has no word for all of them",
            {"fix": "write one like `pi` or `root`, or `autogroup:nonroot` for any but root"},
        )
    return value


def _check_period(value: str) -> str:
    if not re.fullmatch(_CHECK_PERIOD, value):
        raise PydanticCustomError(
            "check_period",
            "Tailscale takes from a minute to a week for this, in whole minutes or hours here",
            {"fix": "write it like `30m` or `12h`, `168h` at most, or `always` for a check at every login"},
        )
    return value


EXAMPLES = tuple(map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")))
"""Addresses for documents [RFC 5737, RFC 3849]."""


def _https_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        right = parts.scheme == "https" and "." in host and parts.username is None
        inside = host.endswith((".local", ".lan", ".internal", ".home.arpa")) or (_is_ip(host) and not _is_public(host))
    except ValueError:
        right = inside = False
    if right and inside:
        raise PydanticCustomError(
            "https_url",
            "Cloudflare asks this address from the internet, and it is one of a home network",
            {"fix": "write the name by which the provider is reached from outside, and let anyone reach it there"},
        )
    if not right or re.search(r"\s", value):
        raise PydanticCustomError(
            "https_url",
            "an https URL is expected here",
            {"fix": "copy it from the provider's `/.well-known/openid-configuration`"},
        )
    return value


def _day(value: str) -> str:
    try:
        right = date.fromisoformat(value).isoformat() == value
    except ValueError:
        right = False
    if not right:
        raise PydanticCustomError(
            "day", "a day is expected here: year, month, day", {"fix": 'write it like `"2026-12-06"`, in quotes'}
        )
    return value


def _hex32(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", value):
        raise PydanticCustomError(
            "account_id",
            "a Cloudflare account id has 32 lower-case hexadecimal digits",
            {"fix": "copy it from Cloudflare's dashboard, Account Home"},
        )
    return value


def _text(value: str) -> str:
    odd = next((c for c in value if unicodedata.category(c) in _INVISIBLE and c not in _JOINERS), None)
    if odd is not None:
        raise PydanticCustomError(
            "text",
            "one line of text is expected, and this has a character in it that cannot be seen (U+{code}): people could "
            "be shown something else than what is written",
            {"code": f"{ord(odd):04X}", "fix": "remove the character, or write the text again"},
        )
    if not value.strip():
        raise PydanticCustomError("text", "there are only blanks here", {"fix": "write something to read"})
    return value


def _reason(value: str) -> str:
    if len(_text(value).strip()) < 10:
        raise PydanticCustomError(
            "reason",
            "a reason has at least 10 characters: whoever reads this in a year has to understand it",
            {"fix": "say what makes the risk acceptable"},
        )
    return value


def _machine_name(value: str) -> str:
    if not _SERVER_NAME.fullmatch(value) and not _is_ip(value):
        raise PydanticCustomError(
            "server_name",
            "the name on a certificate is a bare DNS name or IP address, without scheme, port, path or blanks",
            {"fix": "write the name as the certificate has it, such as `nas.home.arpa`"},
        )
    return value


def _host_header(value: str) -> str:
    name, colon, port = value.rpartition(":")
    address = value.startswith("[") and _is_ip(re.sub(r"\](:[0-9]{1,5})?$", "", value[1:]))
    if not (address or _SERVER_NAME.fullmatch(value) or (colon and port.isdigit() and _SERVER_NAME.fullmatch(name))):
        raise PydanticCustomError(
            "host_header",
            "a Host header is a host name, with a port where one is needed: anything else is refused on the way to the "
            "origin, so every request would fail",
            {"fix": "write the host name, such as `nas.home.arpa`"},
        )
    return value


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_public(value: str) -> bool:
    return ipaddress.ip_address(value).is_global


def _nameserver(value: str) -> str:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise PydanticCustomError(
            "nameserver",
            "a nameserver is known by its IPv4 or IPv6 address, with no port: a name would have to be asked for first",
            {"fix": "write its address, such as `9.9.9.9`"},
        ) from None
    own = address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast
    if own or value in _QUAD_100:
        raise PydanticCustomError(
            "nameserver",
            "no device would find a nameserver at this address: it is each one's own, or nobody's",
            {"fix": "write the address that other devices reach the nameserver at"},
        )
    return str(address)


_QUAD_100 = ("100.100.100.100", "fd7a:115c:a1e0::53")
"""Where Tailscale itself answers on each device, and from where it asks the nameservers [TS net/tsaddr]."""


def _dns_domain(value: str) -> str:
    name = value.strip(".").removeprefix("*.").lower()
    if not all(LABEL.fullmatch(label) for label in name.split(".")) or len(name) > 253:
        raise PydanticCustomError(
            "dns_domain",
            "this is no DNS name of letters, digits and hyphens",
            {"fix": "write it as `home.example.com`"},
        )
    if name == "ts.net" or name.endswith(".ts.net"):
        raise PydanticCustomError(
            "dns_domain",
            "names below `ts.net` are answered by MagicDNS on each device, and no nameserver is asked for them",
            {"fix": "remove it"},
        )
    if name != value:
        raise PydanticCustomError(
            "dns_domain",
            "a domain is written bare and in lower case, and holds for all names below it",
            {"fix": f"write `{name}`"},
        )
    return value


def _selector_key(value: str) -> str:
    prefix, slash, name = value.rpartition("/")
    right = _PART.fullmatch(name) and (not slash or (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix)))
    if not right:
        raise PydanticCustomError(
            "selector_key",
            "a label's key is `name` or `prefix/name`: letters, digits, `-`, `_` and `.`, at most 63 in the name, with "
            "a letter or digit at both ends",
            _PODS_LABELS,
        )
    return value


def _selector_value(value: str) -> str:
    if value and not _PART.fullmatch(value):
        raise PydanticCustomError(
            "selector_value",
            "a label's value is at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
            _PODS_LABELS,
        )
    return value


def _target_port(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
        return value
    if isinstance(value, str) and _PORT_NAME.fullmatch(value) and "--" not in value:
        return value
    raise PydanticCustomError(
        "target_port",
        "a port of the pods is a number from 1 to 65535, or its name there: at most 15 lower-case letters, digits and "
        "hyphens, one of them a letter",
        {"fix": "write the port that the pods listen on"},
    )


_PODS_LABELS = {"fix": "copy the labels of the pods: `kubectl get pods --show-labels` shows them"}


_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, those for the direction of text among them, and of breaks of lines."""
_JOINERS = "\u200c\u200d"
"""Needed by some scripts, and in emoji."""
# As Go takes the name to verify [Go crypto/x509/verify.go, validHostname]: underscores are in use.
_SERVER_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
)
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")
# Kubernetes, Labels and Selectors: syntax and character set.
_PART = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")

# What a validator demands, as far as JSON Schema can say it: for editors (`config.schema`).
_LABEL_SCHEMA = WithJsonSchema({"type": "string", "pattern": f"^{LABEL.pattern}$"})
_IPV4_SCHEMA = WithJsonSchema({"type": "string", "format": "ipv4", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$"})
_EMAIL_SCHEMA = WithJsonSchema({"type": "string", "format": "email", "pattern": r"^[^@\s]+@[^@\s]+$"})
_SELECTOR_KEY_SCHEMA = WithJsonSchema({"type": "string", "pattern": f"^({_SUBDOMAIN.pattern}/)?{_PART.pattern}$"})
_SELECTOR_VALUE_SCHEMA = WithJsonSchema({"type": "string", "pattern": f"^({_PART.pattern})?$"})
_TEXT_SCHEMA = WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"\S"})
_REASON_SCHEMA = WithJsonSchema({"type": "string", "minLength": 10, "maxLength": 400, "pattern": r"\S"})
_SERVER_NAME_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9_.:-]+$"})
_HOST_HEADER_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9_.:\[\]-]+$"})
_ACCOUNT_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{32}$"})

Label = Annotated[str, AfterValidator(_label), _LABEL_SCHEMA]
"""A DNS label."""
SetName = Annotated[str, AfterValidator(_set_name), _LABEL_SCHEMA]
"""The name of a set of people: a DNS label, and none of the words for others (`anyone`, `lan`)."""
IPv4 = Annotated[str, AfterValidator(_ipv4), _IPV4_SCHEMA]
"""An IPv4 address in dotted form."""
Email = Annotated[str, AfterValidator(_email), _EMAIL_SCHEMA]
"""One e-mail address; kept in lower case, as Cloudflare's API returns it."""
Person = Annotated[str, AfterValidator(_person), _EMAIL_SCHEMA]
"""An e-mail address, or the login name of a user of the tailnet who has none there (`ann@github`)."""
Domains = Annotated[list[Annotated[str, AfterValidator(_domain)]], Several("a domain", r"^[a-z0-9.-]+$")]
"""Domains of e-mail addresses."""
Organizations = Annotated[
    list[Annotated[str, AfterValidator(_organization)]],
    Several("a GitHub organization", "^[A-Za-z0-9-]+(/[A-Za-z0-9._-]+)?$"),
]
"""GitHub organizations, or teams of them."""
Countries = Annotated[list[Annotated[str, AfterValidator(_country)]], Several("a country", "^[A-Z]{2}$")]
"""Countries by their two letters."""
Networks = Annotated[list[Annotated[str, AfterValidator(_network)]], Several("an address", "^[0-9a-f.:]+/[0-9]+$")]
"""Ranges of addresses of the internet."""
HomeRange = Annotated[
    str, AfterValidator(_home_range), WithJsonSchema({"type": "string", "pattern": "^[0-9.]+/[0-9]+$"})
]
"""A range of addresses of the home network [RFC 1918], none of the cluster's."""
RoutePort = Annotated[
    str, AfterValidator(_route_port), WithJsonSchema({"type": "string", "pattern": "^(tcp|udp):[1-9][0-9]{0,4}$"})
]
"""A protocol and a port, as a grant has them [tailscale.com/kb/1324]."""
SshUsers = Annotated[
    list[Annotated[str, AfterValidator(_ssh_user)]], Field(min_length=1), Several("a user of the node", _SSH_USER)
]
"""Users of a machine, as a policy's `ssh` has them [tailscale.com/kb/1193]."""
CheckPeriod = Annotated[
    str, AfterValidator(_check_period), WithJsonSchema({"type": "string", "pattern": _CHECK_PERIOD})
]
"""How long a check of Tailscale SSH is good, from a minute to a week [tailscale.com/kb/1193, checkPeriod]."""
HttpsUrl = Annotated[str, AfterValidator(_https_url), WithJsonSchema({"type": "string", "pattern": "^https://"})]
"""An https URL."""
Day = Annotated[
    str,
    AfterValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
]
"""A day, as ISO 8601 has it."""
ClientId = Annotated[str, AfterValidator(_client_id), WithJsonSchema({"type": "string", "pattern": f"^{_CLIENT_ID}$"})]
"""The id of a Google OAuth client [developers.google.com/identity/protocols/oauth2]."""
AccountId = Annotated[str, AfterValidator(_hex32), _ACCOUNT_SCHEMA]
"""A Cloudflare account id."""
Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP or UDP port, 1 to 65535."""
NodePort = Annotated[int, Field(ge=30000, le=32767)]
"""A Kubernetes NodePort in the default range, 30000 to 32767."""
TargetPort = Annotated[
    int | str,
    PlainValidator(_target_port),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": f"^(?!.*--){_PORT_NAME.pattern}$"},
            ]
        }
    ),
]
"""A port of pods, by number or by name (RFC 6335)."""
Nameserver = Annotated[
    str, AfterValidator(_nameserver), WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f.:]+$"})
]
"""The address of a nameserver, IPv4 or IPv6, in its usual form."""
DnsDomain = Annotated[
    str,
    AfterValidator(_dns_domain),
    WithJsonSchema({"type": "string", "pattern": rf"^(?!(.*\.)?ts\.net$){LABEL.pattern}(\.{LABEL.pattern})*$"}),
]
"""A domain whose names nameservers are asked for; none of Tailscale's own [tailscale#9495]."""
SelectorKey = Annotated[str, AfterValidator(_selector_key), _SELECTOR_KEY_SCHEMA]
"""The key of a Kubernetes label."""
SelectorValue = Annotated[str, AfterValidator(_selector_value), _SELECTOR_VALUE_SCHEMA]
"""The value of a Kubernetes label."""
Selector = Annotated[Mapping[SelectorKey, SelectorValue], Field(min_length=1)]
"""The labels of pods."""
TokenDuration = Annotated[str, Field(pattern=r"^([1-9][0-9]{0,5}h|forever)$")]
"""How long a service token is good: whole hours, or `forever` [TFC zero_trust_access_service_token]."""
Instant = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
"""A moment as RFC 3339 has it, in UTC."""
WebOrigin = Annotated[
    str, AfterValidator(_web_origin), WithJsonSchema({"type": "string", "pattern": r"^(\*|https?://[^/]+)$"})
]
"""Where a page is from, as browsers write it [RFC 6454]: `https://app.example.com`; or `*`, which is any."""
HeaderName = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9!#$%&'+.^_`|~-]+)$")]
"""The name of an HTTP header [RFC 9110, 5.1]; or `*`, which is any."""
ImageUrl = Annotated[str, Field(max_length=2000, pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[!-~]*$")]
"""An image on the web, by https."""
Reason = Annotated[str, Field(max_length=400), AfterValidator(_reason), _REASON_SCHEMA]
"""Why the owner takes a risk, in words: 10 to 400 characters on one line."""
Text = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_text), _TEXT_SCHEMA]
"""A short text for people."""
ServerName = Annotated[str, AfterValidator(_machine_name), _SERVER_NAME_SCHEMA]
"""The name that is expected on a certificate."""
HostHeader = Annotated[str, AfterValidator(_host_header), _HOST_HEADER_SCHEMA]
"""What stands in a request's Host header."""
