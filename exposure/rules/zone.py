"""The zones and their TLS settings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from config.errors import show
from config.values import bare_host, is_name
from exposure.rules.base import OneStack, Problem, Rules, claimed_twice

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

RULES = Rules()
_YEAR_SECONDS = 31536000
_RESERVED = frozenset({"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"})
"""Top-level domains in which nobody registers, with `home.arpa` [IANA, Special-Use Domain Names; ICANN, .internal]."""
_FREE = frozenset({"cf", "ga", "gq", "ml", "tk"})
"""What Freenom gave away [github.com/acmesh-official/acme.sh/issues/2989]."""
_SETUP = "CFDOC dns/zone-setups/full-setup/setup"


@RULES.stack("zone-name", _SETUP, (1, 5))
def _name(stack: OneStack) -> Iterator[Problem]:
    """A zone is a domain's name."""
    for path, zone in stack.zones:
        wrong = _no_domain(zone.name)
        if wrong:
            fixed = _spelt(bare_host(zone.name.strip()).removeprefix("*."))
            if not _no_domain(fixed):
                fixed = (_not_registered(fixed) or ("", "", fixed))[2]
            yield Problem(
                (*path, "name"),
                show(zone.name),
                wrong,
                "write the domain as its registrar does, such as `example.com`; register one where you have none",
                fixed if fixed and fixed != zone.name and not _no_domain(fixed) else "",
            )


def _spelt(name: str) -> str:
    """A name in other scripts as registrars and DNS have it (`xn--…`), where that is the same name."""
    try:
        spelt = name.encode("idna").decode()
        return spelt if spelt.encode().decode("idna") == name else name
    except UnicodeError:
        return name


def _no_domain(name: str) -> str:
    """Why a name is no domain that somebody can register; empty where it is one by its form."""
    last = name.rpartition(".")[2]
    if "." not in name or not is_name(name):
        return "this is not a registered domain: lower-case labels with dots between, no scheme, and no dot at the end"
    if last.isdigit():
        return "an address, and a zone is a domain's name"
    if last in _RESERVED:
        return f"names in `.{last}` are for the home network, tests or documents: nobody can register one"
    return ""


@RULES.stack("zone-registered", f"{_SETUP}, dns/zone-setups/subdomain-setup", acceptable="stack")
def _registered(stack: OneStack) -> Iterator[Problem]:
    """A zone is a domain that its owner registered, unless knowingly."""
    for path, zone in stack.zones:
        wrong = None if _no_domain(zone.name) else _not_registered(zone.name)
        if wrong is not None:
            yield Problem((*path, "name"), show(zone.name), *wrong)


def _not_registered(name: str) -> tuple[str, str, str] | None:
    """Why a name is not one that its owner registered, what to write, and the name that is; None where it is one."""
    acknowledge = "acknowledge `zone-registered` under `gatehouse:acknowledge`"
    suffix, domain = _listed(name)
    if suffix is None:
        last = name.rpartition(".")[2]
        return (
            f"no top-level domain `.{last}` was known when this version was made",
            f"write a registered domain; or, where there is one by now, {acknowledge}",
            "",
        )
    if "." in suffix and _listed(name, official=True)[1] != domain:
        return (
            f"the owner of {suffix} gives out the names below it, and most such owners (DynDNS, hosting) keep the name "
            "servers: then the zone never becomes active",
            f"register a domain of your own; or, where {suffix} lets you set your name's name servers, {acknowledge}",
            "",
        )
    if domain is None:
        return f"`{name}` is nobody's own: people register domains below it", "write your domain below it", ""
    if domain != name:
        return (
            f"a subdomain of {domain}: Cloudflare takes registered domains, and subdomains on Enterprise plans alone",
            f"write `{domain}` where that is yours, and host names right below it; or, on such a plan, {acknowledge}",
            domain,
        )
    return None


def _listed(name: str, official: bool = False) -> tuple[str | None, str | None]:
    """The public suffix that a name ends in, and the domain right below it; `official`: by the registries' alone."""
    found = _suffixes("" if "xn--" in name else name.rpartition(".")[2], official)
    return found.publicsuffix(name), found.privatesuffix(name)


@lru_cache
def _suffixes(last: str, official: bool) -> PublicSuffixList:
    """The list that Cloudflare goes by, as it was when the lock was made [CFDOC dns/zone-setups/full-setup/setup].

    Only what ends in one top-level domain, for the rest takes longer to read than the stack files; whole where that is
    empty.
    """
    # Here, since few commands need it.
    from publicsuffixlist import PSLFILE, PublicSuffixList

    end = f".{last}\n" if last else "\n"
    with open(PSLFILE, encoding="utf-8") as file:
        lines = [line for line in file if line.startswith("// ===") or f".{line}".endswith(end)]
    return PublicSuffixList(lines, accept_unknown=False, accept_encoded_idn=not last, only_icann=official)


@RULES.stack("zone-api", "github.com/acmesh-official/acme.sh/issues/2989", acceptable="stack")
def _free(stack: OneStack) -> Iterator[Problem]:
    """A zone's records can be made by the API."""
    for path, zone in stack.zones:
        if zone.name.rpartition(".")[2] in _FREE:
            yield Problem(
                (*path, "name"),
                show(zone.name),
                "Cloudflare's API refused records of domains that were free (.cf, .ga, .gq, .ml, .tk: error 1038), and "
                "whether it still does is not known to us",
                "use a domain of another kind; or, where the API has made a record for you, acknowledge `zone-api` "
                "under `gatehouse:acknowledge`",
            )


@RULES.stack("zone-twice", "CFDOC dns/zone-setups/full-setup", (59,))
def _twice(stack: OneStack) -> Iterator[Problem]:
    """An estate has a zone once."""
    for name, second, first in claimed_twice((zone.name, stack.ref(*path, "name")) for path, zone in stack.zones):
        yield Problem(
            second.path,
            show(name),
            "the estate has this zone already, and the two would undo each other's settings",
            "remove one of the two",
            related=(first,),
        )


@RULES.stack("zone-ssl-off", "CFDOC ssl/origin-configuration/ssl-modes/off", (29,))
def _ssl_off(stack: OneStack) -> Iterator[Problem]:
    """No redirect to https in a zone that serves none."""
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


@RULES.stack(
    "hsts", "CFDOC ssl/edge-certificates/additional-options/http-strict-transport-security", (29,), acceptable="stack"
)
def _hsts(stack: OneStack) -> Iterator[Problem]:
    """HSTS needs an acknowledgement."""
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


@RULES.stack("hsts-preload", "hstspreload.org", (29,))
def _preload(stack: OneStack) -> Iterator[Problem]:
    """Preload only in the form that browsers take."""
    for path, zone in stack.zones:
        hsts = zone.hsts
        if hsts and hsts.preload and not (hsts.include_subdomains and hsts.max_age_seconds >= _YEAR_SECONDS):
            yield Problem(
                (*path, "hsts", "preload"),
                "true",
                "the browsers' preload list takes only zones that include subdomains for a year or more",
                f"say `include_subdomains: true` and `max_age_seconds: {_YEAR_SECONDS}`, or remove `preload`",
            )


@RULES.stack("zone-certificate", "CFDOC ssl/edge-certificates/universal-ssl/disable-universal-ssl", (30,))
def _certificate(stack: OneStack) -> Iterator[Problem]:
    """A zone has a certificate at the edge."""
    for path, zone in stack.zones:
        if not zone.universal_ssl and not zone.advanced_certificate:
            yield Problem(
                (*path, "universal_ssl"),
                "false",
                "without Universal SSL and without another certificate Cloudflare has none to show, and nothing speaks "
                "https",
                "remove it, or say `advanced_certificate: true` if you have one",
            )
