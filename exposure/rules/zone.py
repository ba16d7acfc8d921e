"""The zone and its TLS settings."""

from __future__ import annotations

from collections.abc import Iterator

from config.errors import show
from config.fields import LABEL
from exposure.rules.base import OneStack, Problem, StackRule

_YEAR_SECONDS = 31536000


def _name(stack: OneStack) -> Iterator[Problem]:
    if not stack.stack.owns_estate or stack.estate is None:
        return
    name = stack.estate.zone.name
    labels = name.split(".")
    if len(labels) < 2 or not all(LABEL.fullmatch(label) for label in labels) or len(name) > 253:
        fixed = name.strip().lower().rstrip(".")
        fits = "." in fixed and all(LABEL.fullmatch(label) for label in fixed.split("."))
        yield Problem(
            ("estate", "zone", "name"),
            show(name),
            "no registered domain: lower-case labels with dots between, no scheme, no dot at the end",
            "write the domain as its registrar does, such as `example.com`",
            fixed if fits else "",
        )


def _ssl_off(stack: OneStack) -> Iterator[Problem]:
    zone = stack.estate.zone if stack.estate and stack.stack.owns_estate else None
    if zone is None or zone.ssl != "off":
        return
    clash = [
        word
        for word, said in (
            ("`always_use_https`", zone.always_use_https),
            ("`hsts`", zone.hsts is not None),
        )
        if said
    ]
    if clash:
        yield Problem(
            ("estate", "zone", "ssl"),
            '"off"',
            f"with {' and '.join(clash)} browsers are sent to https, which `off` does not serve: every page fails",
            "leave `ssl` out (strict)",
            "strict",
        )


def _hsts(stack: OneStack) -> Iterator[Problem]:
    hsts = stack.estate.zone.hsts if stack.estate and stack.stack.owns_estate else None
    if hsts is None:
        return
    more = [w for w, said in (("include_subdomains", hsts.include_subdomains), ("preload", hsts.preload)) if said]
    reach = ", for every name below the zone" if hsts.include_subdomains else ""
    yield Problem(
        ("estate", "zone", "hsts"),
        show({"max_age_seconds": hsts.max_age_seconds, **dict.fromkeys(more, True)}),
        f"browsers refuse plain http for {hsts.max_age_seconds} seconds{reach}, and nothing takes that back",
        "remove it, or acknowledge `hsts` under `gatehouse:acknowledge` with your reason",
    )


def _preload(stack: OneStack) -> Iterator[Problem]:
    hsts = stack.estate.zone.hsts if stack.estate and stack.stack.owns_estate else None
    if hsts and hsts.preload and not (hsts.include_subdomains and hsts.max_age_seconds >= _YEAR_SECONDS):
        yield Problem(
            ("estate", "zone", "hsts", "preload"),
            "true",
            "the browsers' preload list takes only zones that include subdomains for a year or more",
            f"say `include_subdomains: true` and `max_age_seconds: {_YEAR_SECONDS}`, or remove `preload`",
        )


def _certificate(stack: OneStack) -> Iterator[Problem]:
    zone = stack.estate.zone if stack.estate and stack.stack.owns_estate else None
    if zone and not zone.universal_ssl and not zone.advanced_certificate:
        yield Problem(
            ("estate", "zone", "universal_ssl"),
            "false",
            "without Universal SSL and with no other certificate, Cloudflare has none to show: no https at all",
            "leave it on, or say `advanced_certificate: true` if you have one",
        )


RULES = (
    StackRule("zone-name", "A zone is a registered domain", "CFDOC dns/zone-setups/full-setup", (1, 5), check=_name),
    StackRule(
        "zone-ssl-off",
        "No redirect to https in a zone that serves none",
        "CFDOC ssl/origin-configuration/ssl-modes/off",
        (29,),
        check=_ssl_off,
    ),
    StackRule(
        "hsts",
        "HSTS only knowingly",
        "CFDOC ssl/edge-certificates/additional-options/http-strict-transport-security",
        (29,),
        acceptable=True,
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
