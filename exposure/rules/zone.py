"""The zones and their TLS settings."""

from __future__ import annotations

from collections.abc import Iterator

from config.errors import show
from config.values import is_name
from exposure.rules.base import OneStack, Problem, StackRule, claimed_twice

_YEAR_SECONDS = 31536000


def _name(stack: OneStack) -> Iterator[Problem]:
    for path, zone in stack.zones:
        name = zone.name
        if "." not in name or not is_name(name):
            fixed = name.strip().lower().rstrip(".")
            yield Problem(
                (*path, "name"),
                show(name),
                "this is not a registered domain: lower-case labels with dots between, no scheme, and no dot at the "
                "end",
                "write the domain as its registrar does, such as `example.com`",
                fixed if "." in fixed and is_name(fixed) else "",
            )


def _twice(stack: OneStack) -> Iterator[Problem]:
    for name, second, first in claimed_twice((zone.name, stack.ref(*path, "name")) for path, zone in stack.zones):
        yield Problem(
            second.path,
            show(name),
            "the estate has this zone already, and the two would undo each other's settings",
            "remove one of the two",
            related=(first,),
        )


def _ssl_off(stack: OneStack) -> Iterator[Problem]:
    for path, zone in stack.zones:
        said = {"`always_use_https`": zone.always_use_https, "`hsts`": zone.hsts is not None}
        clash = [word for word, on in said.items() if on]
        if zone.ssl == "off" and clash:
            yield Problem(
                (*path, "ssl"),
                '"off"',
                f"with {' and '.join(clash)} browsers are sent to https, which `off` does not serve, so every page "
                f"fails",
                "remove it: it is `strict` by default",
                "strict",
            )


def _hsts(stack: OneStack) -> Iterator[Problem]:
    for path, zone in stack.zones:
        hsts = zone.hsts
        if hsts is None:
            continue
        more = [w for w, said in (("include_subdomains", hsts.include_subdomains), ("preload", hsts.preload)) if said]
        reach = ", for every name below the zone" if hsts.include_subdomains else ""
        yield Problem(
            (*path, "hsts"),
            show({"max_age_seconds": hsts.max_age_seconds, **dict.fromkeys(more, True)}),
            f"browsers refuse plain http for {hsts.max_age_seconds} seconds{reach}, and nothing takes that back",
            "remove it, or acknowledge `hsts` under `gatehouse:acknowledge` with your reason",
        )


def _preload(stack: OneStack) -> Iterator[Problem]:
    for path, zone in stack.zones:
        hsts = zone.hsts
        if hsts and hsts.preload and not (hsts.include_subdomains and hsts.max_age_seconds >= _YEAR_SECONDS):
            yield Problem(
                (*path, "hsts", "preload"),
                "true",
                "the browsers' preload list takes only zones that include subdomains for a year or more",
                f"say `include_subdomains: true` and `max_age_seconds: {_YEAR_SECONDS}`, or remove `preload`",
            )


def _certificate(stack: OneStack) -> Iterator[Problem]:
    for path, zone in stack.zones:
        if not zone.universal_ssl and not zone.advanced_certificate:
            yield Problem(
                (*path, "universal_ssl"),
                "false",
                "without Universal SSL and without another certificate Cloudflare has none to show, and nothing speaks "
                "https",
                "remove it, or say `advanced_certificate: true` if you have one",
            )


RULES = (
    StackRule("zone-name", "A zone is a registered domain", "CFDOC dns/zone-setups/full-setup", (1, 5), check=_name),
    StackRule("zone-twice", "An estate has a zone once", "CFDOC dns/zone-setups/full-setup", (59,), check=_twice),
    StackRule(
        "zone-ssl-off",
        "No redirect to https in a zone that serves none",
        "CFDOC ssl/origin-configuration/ssl-modes/off",
        (29,),
        check=_ssl_off,
    ),
    StackRule(
        "hsts",
        "HSTS needs an acknowledgement",
        "CFDOC ssl/edge-certificates/additional-options/http-strict-transport-security",
        (29,),
        acceptable="stack",
        check=_hsts,
    ),
    StackRule("hsts-preload", "Preload only in the form that browsers take", "hstspreload.org", (29,), check=_preload),
    StackRule(
        "zone-certificate",
        "A zone has a certificate at the edge",
        "CFDOC ssl/edge-certificates/universal-ssl/disable-universal-ssl",
        (30,),
        check=_certificate,
    ),
)
