"""The words of a policy: selectors (who), ports and protocols (what).

Grammar: https://tailscale.com/kb/1337/policy-syntax and https://tailscale.com/kb/1396/targets. Functions that
read a text raise `ValueError` with the reason, in the words Tailscale itself uses where they are known.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from exposure.policy_eval.addresses import Range, Ranges, parse_address, parse_prefix


class Kind(Enum):
    """What a selector selects by."""

    ANY = "*"
    USER = "user"
    DOMAIN = "user:*@domain"
    GROUP = "group"
    TAG = "tag"
    AUTOGROUP = "autogroup"
    SERVICE = "svc"
    IPSET = "ipset"
    ADDRESS = "address"
    HOST = "host"


class Selector(NamedTuple):
    """One selector: its kind, its text with no white space around it, and its name without the prefix.

    `ranges` holds the addresses of ADDRESS at once; those of HOST and IPSET stand in the policy.
    """

    kind: Kind
    text: str
    name: str
    ranges: Ranges = ()


# `autogroup:members` is the older name of `autogroup:member`.
ROLES = ("owner", "admin", "network-admin", "it-admin", "billing-admin", "auditor")
_ANYWHERE = {*ROLES, "member", "members", "tagged"}
SOURCE_AUTOGROUPS = frozenset({*_ANYWHERE, "shared", "danger-all"})
DESTINATION_AUTOGROUPS = frozenset({*_ANYWHERE, "self", "internet"})
OWNER_AUTOGROUPS = frozenset(_ANYWHERE)
AUTOGROUPS = SOURCE_AUTOGROUPS | DESTINATION_AUTOGROUPS | {"nonroot"}

_TAG = re.compile(r"[a-zA-Z0-9-]+")
_SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def read_selector(text: str) -> Selector:
    """One selector as it stands in `src`, `dst` and the like, with no port; white space around it is dropped."""
    text = text.strip()
    if text == "*":
        return Selector(Kind.ANY, text, "")
    prefix, colon, name = text.partition(":")
    if colon and prefix in _PREFIXES:
        return Selector(_PREFIXES[prefix], text, _checked(prefix, name))
    # Before everything with a colon in it, for the sake of IPv6.
    found = parse_prefix(text)
    address = parse_address(text)
    if found is None and address is not None and address.value is not None:
        return Selector(Kind.ADDRESS, text, text, (Range(address.version, address.value, address.value),))
    if found is not None:
        return Selector(Kind.ADDRESS, text, text, (found,))
    if "@" in text:
        if prefix == "user" and colon:
            if not name.startswith("*@") or "*" in name[1:] or name == "*@":
                raise ValueError(f'"{text}": only user:*@<domain> stands for the people of a domain')
            return Selector(Kind.DOMAIN, text, name[2:])
        return Selector(Kind.USER, text, text)
    if not text:
        raise ValueError("an empty selector selects nothing")
    if colon or "/" in text:
        raise ValueError(f'"{text}": invalid address')
    return Selector(Kind.HOST, text, text)


_PREFIXES = {
    "group": Kind.GROUP,
    "tag": Kind.TAG,
    "autogroup": Kind.AUTOGROUP,
    "svc": Kind.SERVICE,
    "ipset": Kind.IPSET,
}


def _checked(prefix: str, name: str) -> str:
    if prefix == "tag":
        check_tag(name)
    elif prefix == "autogroup" and name not in AUTOGROUPS:
        raise ValueError(f'"autogroup:{name}" is no autogroup')
    elif prefix == "svc" and not _SERVICE.fullmatch(name):
        raise ValueError(f'"svc:{name}": a service name has lower case letters, digits and hyphens')
    elif not name:
        raise ValueError(f'"{prefix}:" names nothing')
    return name


def check_tag(name: str) -> None:
    """Refuse a tag name (without `tag:`) that Tailscale refuses [tailscale/tailscale tailcfg.CheckTag]."""
    if not name:
        raise ValueError("tag names must not be empty")
    if not (name[0].isascii() and name[0].isalpha()):
        raise ValueError("tag names must start with a letter, after 'tag:'")
    if not _TAG.fullmatch(name):
        raise ValueError("tag names can only contain numbers, letters, or dashes")


class Ports(NamedTuple):
    """Ports from `first` to `last`, both in it."""

    first: int
    last: int


ALL_PORTS = Ports(0, 65535)


def read_ports(text: str) -> tuple[Ports, ...]:
    """`*`, `22`, `80,443` or `8000-8100`, or a list of the last three."""
    if text == "*":
        return (ALL_PORTS,)
    found: list[Ports] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low = _port(text, first, "first")
        high = _port(text, last, "last") if dash else low
        if low < 1:
            raise ValueError(f"port range \"{text}\": first port must be >0, or use '*' for wildcard")
        if high < low:
            raise ValueError(f'port range "{text}": the last port is below the first')
        found.append(Ports(low, high))
    return tuple(found)


def _port(whole: str, text: str, which: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise ValueError(f'port range "{whole}": invalid {which} integer')
    if int(text) > 65535:
        raise ValueError(f'port range "{whole}": ports end at 65535')
    return int(text)


TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58

# Names the client reads [tailscale/tailscale types/ipproto], in any case of letters.
PROTOCOLS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "icmp": ICMP,
    "icmpv4": ICMP,
    "icmpv6": ICMPV6,
    "igmp": 2,
    "igp": 9,
    "ip-in-ip": 4,
    "ipv4": 4,
    "ipv6-icmp": ICMPV6,
    "sctp": SCTP,
    "tcp": TCP,
    "tsmp": 99,
    "udp": UDP,
}

# A rule without a protocol lets these through [tailscale/tailscale wgengine/filter: defaultProtos].
DEFAULT_PROTOCOLS = frozenset({TCP, UDP, ICMP, ICMPV6})

# "Only TCP, UDP, and SCTP traffic support specifying ports"
# [https://tailscale.com/kb/1337/policy-syntax#proto].
WITH_PORTS = frozenset({TCP, UDP, SCTP})


def read_protocol(text: str) -> int:
    """A protocol by name or by its IANA number 1–255."""
    if text.isascii() and text.isdigit():
        if text.startswith("0"):
            raise ValueError(f'proto "{text}": a protocol number is 1-255, without leading zeros')
        if len(text) > 3 or int(text) > 255:
            raise ValueError(f'proto "{text}": protocol numbers end at 255')
        return int(text)
    number = PROTOCOLS.get(text.lower())
    if number is None:
        raise ValueError(f'proto name "{text}" not known; use protocol number 1-255')
    return number


def protocol_name(number: int) -> str:
    """The name people use, else the number."""
    return next((name for name, known in PROTOCOLS.items() if known == number), str(number))


class Traffic(NamedTuple):
    """What a rule lets through: ports of protocols."""

    ports: tuple[Ports, ...]
    protocols: frozenset[int] = DEFAULT_PROTOCOLS

    def lets(self, protocol: int | None, port: int | None) -> bool:
        """Whether it lets this through, as the client's packet filter decides [tailscale/tailscale wgengine/filter].

        No protocol means TCP or UDP, either; no port means any one port. ICMP needs any open port of the pair of
        addresses, whatever the protocol.
        """
        if protocol is None:
            return self.lets(TCP, port) or self.lets(UDP, port)
        if protocol in (ICMP, ICMPV6):
            return True
        if protocol not in self.protocols:
            return False
        if protocol not in WITH_PORTS or port is None:
            return True
        return any(ports.first <= port <= ports.last for ports in self.ports)


def read_traffic(text: str) -> Traffic:
    """An entry of a grant's `ip`: `*`, ports, or `<protocol>:<ports>` [kb/1538/grants-syntax]."""
    protocol, colon, ports = text.strip().rpartition(":")
    if not colon:
        return Traffic(read_ports(ports))
    number = read_protocol(protocol)
    return checked_traffic(read_ports(ports), number)


def checked_traffic(ports: tuple[Ports, ...], protocol: int | None) -> Traffic:
    """The traffic of a protocol (None: the usual ones); refuses ports for a protocol that has none."""
    if protocol is None:
        return Traffic(ports)
    if protocol not in WITH_PORTS and ports != (ALL_PORTS,):
        raise ValueError(f"{protocol_name(protocol)} has no ports; only * is allowed for it")
    return Traffic(ports, frozenset({protocol}))


def split_port(text: str) -> tuple[str, str]:
    """`host:ports` as in an ACL's `dst` or a test, in its two parts; IPv6 may stand in brackets."""
    text = text.strip()
    host, colon, ports = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f'"{text}": a destination is <host>:<port>')
    if host.startswith("["):
        inner, closed, rest = host[1:].partition("]")
        address = parse_address(inner)
        if not closed or address is None or address.version != 6 or (rest and not rest.startswith("/")):
            raise ValueError(f'"{text}": square brackets are only for IPv6 addresses')
        host = inner + rest
    return host, ports
