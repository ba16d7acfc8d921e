"""What is asked of a host of the tunnel: of the service's part of it, and of each path with an audience of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from config.values import Host, Path
from exposure.audience import ANYONE, NOBODY
from exposure.names import ACME_EXPRESSION, ACME_PATH
from exposure.ways.tunnel import TunnelWay
from exposure.ways.way import Claim
from gatehouse.probe.checks.view import View
from gatehouse.probe.probes import PORTS, Check, HttpProbe, NameProbe, Probe

FORGED_JWT = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImdhdGVob3VzZS1wcm9iZSJ9.eyJlbWFpbCI6ImFsaWNlQGV4YW1wbGUuY29tIn0.Z2F0ZWhvdXNlLXByb2Jl"
)
"""A token that nobody signed: {"alg": "RS256", "kid": "gatehouse-probe"}, {"email": "alice@example.com"}."""
_FORGERIES = (
    ("forged-header", "Cf-Access-Jwt-Assertion", FORGED_JWT, "Cf-Access-Jwt-Assertion"),
    ("forged-cookie", "Cookie", f"CF_Authorization={FORGED_JWT}", "the cookie CF_Authorization"),
    ("forged-token", "cf-access-token", FORGED_JWT, "cf-access-token"),
)


def tunnel(view: View, way: TunnelWay) -> Iterator[Check]:
    """All that is asked, host by host."""
    for host in way.hosts:
        base, *below = [claim for claim in way.claims() if claim.host == host]
        asked = _Host(view, way, host, base)
        yield asked.leads_to_the_edge()
        tokens = sorted({token for claim in (base, *below) for token in claim.audience.tokens})
        for claim in (base, *below):
            yield from asked.opened(claim) if claim.audience == ANYONE else asked.shut(claim)
            yield from asked.by_token(claim, tokens)
        yield from asked.renewals()


@dataclass(frozen=True)
class _Host:
    view: View
    way: TunnelWay
    host: Host
    base: Claim

    @property
    def name(self) -> str:
        return self.view.name(self.host)

    @property
    def nonce(self) -> str:
        return f"gatehouse-{self.view.nonce}"

    def check(self, what: str, promise: str, probe: Probe, why: tuple[str, str], must_not: bool = False) -> Check:
        return Check(self.way.service, self.way.gate, what, promise, probe, *why, must_not=must_not, at=self.host)

    def guard(self, what: str, promise: str, probe: Probe, why: tuple[str, str]) -> Check:
        return self.check(what, promise, probe, why, must_not=True)

    def suffix(self, claim: Claim) -> str:
        return "" if claim is self.base else claim.path

    def leads_to_the_edge(self) -> Check:
        return self.check(
            "name",
            "the name leads to Cloudflare's edge, not home",
            NameProbe("edge", self.name, self.view.home),
            (
                "The name does not resolve, or it leads past Cloudflare straight to the router.",
                f"Run `gatehouse up`; in Cloudflare the record {self.host} has to be a proxied CNAME to the tunnel.",
            ),
        )

    # What anyone may ask for

    def opened(self, claim: Claim) -> Iterator[Check]:
        if claim is self.base:
            yield self.check(
                "answers", "anyone gets a page", HttpProbe("page", "https", self.name, claim.path), _NO_ANSWER
            )
            zone = self.view.plan.estate.zone_of(self.host)
            if zone and zone.always_use_https:
                probe = HttpProbe("https", "http", self.name, claim.path)
                yield self.guard("http", "plain http leads to https", probe, _CLEAR)
        else:
            yield self.check(
                f"open{claim.path}",
                f"{claim.path} is open to API clients, with no login",
                HttpProbe("open", "https", self.name, claim.path),
                (
                    "API and mobile clients cannot log in, so they do not work.",
                    f"Redirected to the login: the Access application for {self.host}{claim.path} is missing. 403: the"
                    " tunnel asks that path for a JWT. Run `gatehouse preview --refresh`.",
                ),
            )
        path, nonce = claim.path, self.view.nonce
        if not path.root:
            yield from self.beside(
                (f"{what}{self.suffix(claim)}", target, f"{target} is not open, for {path} alone is")
                for what, target in (
                    ("sibling", f"{path}x{nonce}"),
                    ("inside", f"/x{nonce}{path}"),
                    ("capitals", path.upper() if path.upper() != path else path.lower()),
                    ("dots", f"{path}/../{self.nonce}"),
                    ("coded-dots", f"{path}/%2e%2e/{self.nonce}"),
                )
            )

    def beside(self, asked: Iterator[tuple[str, str, str]]) -> Iterator[Check]:
        """What lies beside an open path is not open, unless another claim opens it."""
        for what, target, promise in asked:
            if self.view.audience(self.host, target) != ANYONE:
                yield self.guard(what, promise, HttpProbe("guarded", "https", self.name, target), _PATH)

    def renewals(self) -> Iterator[Check]:
        """The challenges' path alone is open, where the service renews its own certificate."""
        if not any(
            (claim.host, claim.service, claim.expression) == (self.host, self.way.service, ACME_EXPRESSION)
            for claim in self.view.claims
        ):
            return
        yield self.check(
            "acme",
            "Let's Encrypt reaches the challenge path with no login",
            HttpProbe("challenge", "http", self.name, f"{ACME_PATH}/{self.nonce}"),
            (
                "The certificate of the origin will not be renewed.",
                "404 by the ingress controller is right while no challenge is under way. Redirected to the login: the"
                " Access application for the path is missing. 502: the ingress controller does not answer on its port"
                " 80.",
            ),
        )
        folder = ACME_PATH.rsplit("/", 1)[0]
        yield from self.beside(
            (what, target, f"{target} is not open: the challenge path alone is")
            for what, target in (
                ("acme-folder", f"{folder}/"),
                ("acme-beside", f"{folder}/{self.nonce}"),
                ("acme-longer", f"{ACME_PATH}X/{self.nonce}"),
                ("acme-dots", f"{ACME_PATH}/../../{self.nonce}"),
            )
        )

    # What is for people, or for nobody

    def shut(self, claim: Claim) -> Iterator[Check]:
        path, suffix = claim.path, self.suffix(claim)
        login = f"who is not logged in is sent to {self.view.plan.estate.team}.cloudflareaccess.com"
        namespace = self.view.plan.home.connector.namespace
        stop = (
            f"If something answered: stop cloudflared now (kubectl -n {namespace} scale deploy --all --replicas=0),"
            " then run `gatehouse preview --refresh` and see who changed the Access application."
        )
        if not claim.audience.people:
            login = "nobody gets in" if claim.audience == NOBODY else "who has no token is refused, with no login page"
            if claim.audience.ips:
                login = "who calls from another address is refused"
            probe = HttpProbe(_kept_out(claim), "https", self.name, path)
            yield self.guard(
                f"shut{suffix}",
                login,
                probe,
                (
                    "What is for nobody has answered somebody."
                    if claim.audience == NOBODY
                    else f"The service has answered: right where this was asked from {' or '.join(sorted(ips))} alone."
                    if (ips := claim.audience.ips)
                    else "The service has answered, or an app is sent to a login, and takes that page for an answer.",
                    stop,
                ),
            )
        else:
            yield self.guard(
                f"login{suffix}",
                login,
                HttpProbe("login", "https", self.name, path),
                ("Anyone may have reached the service without a login, or nobody reaches it at all.", stop),
            )
        deep = HttpProbe("guarded", "https", self.name, f"{path.suffix}/{self.nonce}/deeper?a=b")
        yield self.guard(f"deeper-path{suffix}", f"{login}, on a deeper path too", deep, _PATH)
        for what, header, value, where in _FORGERIES:
            probe = HttpProbe("guarded", "https", self.name, path, headers=((header, value),))
            yield self.guard(f"{what}{suffix}", f"a made-up JWT in {where} opens nothing", probe, _FORGED)
        # What is asked of the whole is not asked of its parts again.
        if claim is self.base or (self.base.audience == ANYONE and claim.audience != NOBODY):
            yield from self._otherwise(claim)
        above = [c for c in self.view.claims if c.host == self.host and c.path != path and c.path.covers(path)]
        opened = next((c.path for c in above if c.audience == ANYONE), None)
        if opened is not None:
            yield from self._through(opened, path, suffix)

    def by_token(self, claim: Claim, tokens: Sequence[str]) -> Iterator[Check]:
        """Of a host where service tokens get in: each of them alone, with its secret and with another.

        A secret is sent to no host but those that its token is for.
        """
        for token in tokens if claim.audience != ANYONE else ():
            what = f"token-{token}{self.suffix(claim)}"
            probe = HttpProbe(_kept_out(claim), "https", self.name, claim.path, token=token)
            if token not in claim.audience.tokens:
                yield self.guard(what, f"token {token} does not get in here", probe, _TOKEN)
            elif token in self.view.ended:
                yield self.guard(what, f"token {token} has ended and opens nothing", probe, _TOKEN)
            else:
                there = replace(probe, expect="open")
                yield self.check(what, f"token {token} gets in, with no login", there, _NO_TOKEN)
                forged = replace(probe, forged=True)
                promise = f"token {token} with a wrong secret opens nothing"
                yield self.guard(f"wrong-secret-{what.removeprefix('token-')}", promise, forged, _TOKEN)

    def _otherwise(self, claim: Claim) -> Iterator[Check]:
        """The same by plain http, by a host that is written otherwise, by another's TLS name, and past Cloudflare."""
        name, path, suffix = self.name, claim.path, self.suffix(claim)
        plain = HttpProbe("https", "http", name, path)
        yield self.guard(f"http{suffix}", "plain http leads to https or the login", plain, _PLAIN)
        for what, host, promise in (
            ("host-capitals", name.upper(), "the host in capitals is the same host"),
            ("host-dot", f"{name}.", "the host with a dot at its end is the same host"),
            ("host-port", f"{name}:8443", "the host with a port is the same host"),
        ):
            probe = HttpProbe("guarded", "https", name, path, host=host)
            yield self.guard(f"{what}{suffix}", promise, probe, _ODD_HOST)
        if self.host.wildcard:
            yield self.guard(
                f"deeper-name{suffix}",
                "a name two labels below the wildcard is not served: Access's `*` is one label",
                HttpProbe("unknown", "https", f"deeper.{name}", path, verify=False),
                _ODD_HOST,
            )
        fronts = [r for r in self.view.plan.rules if r.host and r.path is None and not r.host.startswith("*.")]
        fronts.sort(key=lambda rule: bool(rule.applications))
        front = next((str(rule.host) for rule in fronts if rule.host != self.host), None)
        if front:
            probe = HttpProbe("guarded", "https", front, path, host=name)
            yield self.guard(f"fronted{suffix}", f"no way in by the TLS name of {front}", probe, _ODD_HOST)
        for scheme in ("https", "http") if self.view.router else ():
            yield self.guard(
                f"router-{scheme}{suffix}",
                f"the router's own address does not serve it by {scheme}",
                HttpProbe("not-served", scheme, name, path, address=self.view.router, verify=False),
                (
                    "Who knows the router's address reaches the service past Cloudflare and its login.",
                    f"Delete the router's forward of port {PORTS[scheme]}: the tunnel needs none. (Run this from"
                    " outside: at home a router may answer for itself.)",
                ),
            )

    def _through(self, opened: Path, path: Path, suffix: str) -> Iterator[Check]:
        """No other spelling leads from an open path to a shut one below it: the edge reads them alike."""
        parent, _, last = path.rpartition("/")
        for what, target in (
            ("into-dots", f"{opened.suffix}/x{self.view.nonce}/..{path.removeprefix(opened.suffix)}"),
            ("into-slashes", f"{parent}//{last}"),
            ("into-coded", f"{parent}/%{ord(last[0]):02x}{last[1:]}"),
        ):
            # Only what RFC 3986 leaves unreserved is decoded.
            if what != "into-coded" or re.match(r"[A-Za-z0-9._~-]", last):
                probe = HttpProbe("guarded", "https", self.name, target)
                yield self.guard(f"{what}{suffix}", f"{target} is shut as {path} is", probe, _SPELLING)


def _kept_out(claim: Claim) -> Literal["guarded", "blocked"]:
    """Who is kept out where nobody logs in meets no login page [TFC service_auth_401_redirect]."""
    return "blocked" if claim.audience.tokens and not claim.audience.people else "guarded"


_NO_TOKEN = (
    "The app that has the token is locked out.",
    "Refused or sent to the login: compare the Service Auth policy of the Access application with `gatehouse who URL`,"
    " and run `gatehouse preview --refresh`. Was the token renewed, disabled or deleted in the dashboard?",
)
_TOKEN = (
    "A token opens what it is not for, or no longer: whoever has it, or guesses, reaches the service.",
    "Stop cloudflared, then see which policies the Access application of the host has: run `gatehouse preview"
    " --refresh`, and take the token away as docs/tokens.md says.",
)
_NO_ANSWER = (
    "The service is not to be had from outside.",
    "502: is the origin's Service up (kubectl get endpoints)? 530: do cloudflared's pods run? 404 or a login:"
    " somebody changed the tunnel's rules or Access; run `gatehouse preview --refresh`.",
)
_CLEAR = (
    "Passwords and cookies may travel in clear.",
    "Cloudflare, SSL/TLS, Edge Certificates: Always Use HTTPS on; run `gatehouse preview --refresh`.",
)
_PATH = (
    "A path that is for nobody without a login is open to anyone, so the login is no protection.",
    "Stop cloudflared if it answered from the service, then compare the Access applications of the host with"
    " `gatehouse who URL` and run `gatehouse preview --refresh`.",
)
_SPELLING = (
    "The path is reached past its login by another spelling of it.",
    "Cloudflare, Rules, Settings: URL normalization on (type Cloudflare, incoming URLs), as it is from the start; then"
    " run `gatehouse preview --refresh`.",
)
_FORGED = (
    "A token that nobody signed is taken for a login: anyone gets in who sends one.",
    "Stop cloudflared. The Access application is missing or bypassed, and the tunnel's rule no longer asks for a JWT"
    " (access.required): run `gatehouse preview --refresh`, then `gatehouse up`.",
)
_PLAIN = (
    "The service answers without TLS, and maybe without login.",
    "Cloudflare, SSL/TLS, Edge Certificates: Always Use HTTPS on; run `gatehouse preview --refresh`.",
)
_ODD_HOST = (
    "The same host, written otherwise, is served without login.",
    "Stop cloudflared. A tunnel rule matches more than the host (a wildcard, or a last rule that is not"
    " http_status:404), or a public service's origin serves every host: run `gatehouse preview --refresh`.",
)
