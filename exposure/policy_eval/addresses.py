"""IP addresses and sets of them, as the policy uses them.

An address may be *unknown*: a device that stands for a tag or a person, with no topology at hand, has some
address of the tailnet, nobody knows which. Questions about it are answered yes, no or `None` (it depends on
the address).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

_LAST = {4: (1 << 32) - 1, 6: (1 << 128) - 1}


class Range(NamedTuple):
    """The addresses from `first` to `last`, both in it, of IP version 4 or 6."""

    version: int
    first: int
    last: int


Ranges = tuple[Range, ...]
"""A set of addresses: ranges in order, none touching the next."""


class Address(NamedTuple):
    """One address; `value` is None where it is some unknown address of the tailnet.

    Such a one that is not `named` is taken to be none that stands alone in a policy, as of a machine made later.
    """

    version: int
    value: int | None
    named: bool = True

    def __str__(self) -> str:
        if self.value is None:
            return f"an IPv{self.version} address of the tailnet"
        kind = ipaddress.IPv4Address if self.version == 4 else ipaddress.IPv6Address
        return str(kind(self.value))


UNKNOWN = (Address(4, None), Address(6, None))
"""What a device has when nobody knows its addresses."""
UNNAMED = (Address(4, None, named=False), Address(6, None, named=False))
"""The same of a device that a policy names by no single address."""


def parse_address(text: str) -> Address | None:
    """`100.64.0.1` or `fd7a::1`; None for everything else (zones included)."""
    if "%" in text:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return Address(found.version, int(found))


def parse_prefix(text: str) -> Range | None:
    """A CIDR such as `10.0.0.0/8`, None for everything else; bits after the prefix are dropped, as Go does."""
    host, slash, length = text.partition("/")
    address = parse_address(host)
    if not slash or address is None or address.value is None or not (length.isascii() and length.isdigit()):
        return None
    bits = 32 if address.version == 4 else 128
    if len(length) > 3 or int(length) > bits or (length != "0" and length.startswith("0")):
        return None
    size = 1 << (bits - int(length))
    first = address.value - address.value % size
    return Range(address.version, first, first + size - 1)


def parse_range(text: str) -> Range | None:
    """An address, a CIDR, or `first-last`; None for everything else."""
    if "-" in text:
        first, last = (parse_address(part) for part in text.split("-", 1))
        if first is None or last is None or first.value is None or last.value is None:
            return None
        if first.version != last.version or first.value > last.value:
            return None
        return Range(first.version, first.value, last.value)
    address = parse_address(text)
    if address is not None and address.value is not None:
        return Range(address.version, address.value, address.value)
    return parse_prefix(text)


def union(ranges: Iterable[Range]) -> Ranges:
    """The set of all addresses in any of them."""
    merged: list[Range] = []
    for item in sorted(ranges):
        last = merged[-1] if merged else None
        if last is not None and last.version == item.version and item.first <= last.last + 1:
            merged[-1] = Range(item.version, last.first, max(last.last, item.last))
        else:
            merged.append(item)
    return tuple(merged)


def without(ranges: Ranges, taken: Ranges) -> Ranges:
    """The addresses of `ranges` that are not in `taken`."""
    for hole in taken:
        kept: list[Range] = []
        for item in ranges:
            if item.version != hole.version or item.last < hole.first or hole.last < item.first:
                kept.append(item)
                continue
            if item.first < hole.first:
                kept.append(Range(item.version, item.first, hole.first - 1))
            if hole.last < item.last:
                kept.append(Range(item.version, hole.last + 1, item.last))
        ranges = tuple(kept)
    return ranges


def _prefixes(*texts: str) -> Ranges:
    return union(found for text in texts if (found := parse_prefix(text)) is not None)


EVERYTHING = _prefixes("0.0.0.0/0", "::/0")

# What `*` means as a source. 100.115.92.0/23 is ChromeOS's own and left out
# [tailscale/tailscale net/tsaddr: CGNATRange, ChromeOSVMRange, TailscaleULARange].
TAILNET = without(_prefixes("100.64.0.0/10", "fd7a:115c:a1e0::/48"), _prefixes("100.115.92.0/23"))

# Addresses of IPv4 subnets behind routers, which stand within the tailnet's own IPv6 range
# [https://tailscale.com/kb/1201/4via6-subnets].
VIA6 = _prefixes("fd7a:115c:a1e0:b1a::/64")

# What a device's own address may be.
_DEVICES = without(TAILNET, VIA6)

# autogroup:internet is every public address [https://tailscale.com/kb/1396/targets]; what is not public is
# said by IANA's special-purpose registries (private, shared, link-local, loopback, multicast, unique local).
INTERNET = without(
    EVERYTHING,
    _prefixes(
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8"),
    ),
)


def contains(ranges: Ranges, address: Address) -> bool | None:
    """Whether the set holds the address; None where that depends on which address it is."""
    if address.value is not None:
        return any(r.version == address.version and r.first <= address.value <= r.last for r in ranges)
    if not address.named:
        ranges = tuple(r for r in ranges if r.first != r.last)
    mine = tuple(r for r in _DEVICES if r.version == address.version)
    left = without(mine, ranges)
    if not left:
        return True
    return False if left == mine else None


def single(ranges: Ranges) -> Address | None:
    """The one address of the set, if it has just one."""
    if len(ranges) == 1 and ranges[0].first == ranges[0].last:
        return Address(ranges[0].version, ranges[0].first)
    return None


def whole(found: Range) -> bool:
    """Whether the range is every address of its version (`0.0.0.0/0`, `::/0`)."""
    return found.first == 0 and found.last == _LAST[found.version]
