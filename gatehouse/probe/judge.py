"""What an answer means for a check. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urljoin, urlsplit

from gatehouse.probe.probes import HttpProbe

State: TypeAlias = Literal["passed", "failed", "not proven"]


@dataclass(frozen=True)
class Verdict:
    """How a check ended, and what was seen."""

    state: State
    seen: str


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: header names in lower case, the body's first 4 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Failure:
    """No HTTP answer: the name is not there, nothing connects, no answer in time, or TLS refuses."""

    kind: Literal["no name", "refused", "time-out", "tls", "broken"]
    text: str = ""

    def __str__(self) -> str:
        words = {
            "no name": "the name does not resolve",
            "refused": "nothing answers at the port",
            "time-out": "no answer in time",
            "tls": "TLS refuses",
            "broken": "the connection broke",
        }[self.kind]
        return f"{words}: {self.text}" if self.text else words


# Cloudflare's own: 520-527 and 530 [CFDOC support/troubleshooting/http-status-codes/cloudflare-5xx-errors].
_EDGE_ERRORS = frozenset({*range(520, 528), 530})
_REFUSALS = frozenset({400, 403, 404, 409, 421}) | _EDGE_ERRORS
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WHY = {
    502: "502, cloudflared does not reach the origin",
    530: "530, no cloudflared is connected to the tunnel",
}


def passed(seen: str) -> Verdict:
    """The promise is kept."""
    return Verdict("passed", seen)


def failed(seen: str) -> Verdict:
    """The promise is broken."""
    return Verdict("failed", seen)


def not_proven(seen: str) -> Verdict:
    """Neither: another check says why, or nothing can be seen from outside."""
    return Verdict("not proven", seen)


def judge_http(probe: HttpProbe, team: str, answers: Sequence[Answer] | Failure) -> Verdict:
    """The verdict on an HTTP probe; `answers` are the redirects followed (`challenge` alone follows), then the last.

    `team` is the bare name: the login is `https://<team>.cloudflareaccess.com/` and no other host.
    """
    if isinstance(answers, Failure):
        return _without_answer(probe, answers)
    answer = answers[-1]
    host = probe.host or probe.sni
    if answer.headers.get("cf-mitigated") == "challenge":
        return not_proven("Cloudflare takes the probe for a robot and shows its challenge")
    location = redirect(f"{probe.scheme}://{probe.sni}{probe.target}", answer)
    if is_login(answer, team) and probe.expect not in ("unserved", "not-served"):
        broken = probe.expect in ("page", "open", "challenge", "blocked")
        return failed("sent to the login") if broken else passed("sent to the login")
    match probe.expect:
        case "page" | "open":
            if answer.status in _EDGE_ERRORS or answer.status in (502, 503, 504):
                return failed(_WHY.get(answer.status, f"{answer.status}, an error of the way, not of the page"))
            if by_access(answer):
                return failed(f"{answer.status}, refused by Access")
            if answer.status == 403 and not answer.body:
                return failed("403 and nothing else: the tunnel asks for a JWT")
            if probe.expect == "page" and answer.status == 404 and not answer.body:
                return failed("404 and nothing else: the tunnel has no rule for the host")
            return passed(f"{answer.status}")
        case "login" | "guarded" | "blocked" | "unknown" if _refused(answer):
            if probe.expect == "login":
                return failed(f"{answer.status}: refused, but no login is offered; the Access application is missing")
            return passed(f"{answer.status}, {'not served' if probe.expect == 'unknown' else 'refused'}")
        case "https" if location.split("/", 3)[:3] in (["https:", "", host], ["https:", "", f"{host}:443"]):
            return passed("sent to https")
        case "challenge":
            if answer.status in _REDIRECTS:
                return failed(f"{answer.status} to {location}, away from the host")
            if answer.status == 403:
                return failed("403: somebody refuses the path")
            if answer.status >= 500:
                return failed(_WHY.get(answer.status, f"{answer.status}: no solver behind the path"))
            return passed(f"{answer.status}, with no login")
        case "unserved":
            # Go's http.NotFound; another 404 is the service's own [TS ipn/ipnlocal/serve.go].
            if answer.status == 404 and answer.body.strip() in (b"", b"404 page not found"):
                return passed("404, not served")
        case "not-served":
            if probe.scheme == "http" and answer.status in _REDIRECTS and location.startswith("https:"):
                return passed("sent to https, nothing more")
            if 400 <= answer.status < 500 and answer.status != 401:
                return passed(f"{answer.status}, not served there")
    return failed(_answered(answer, location))


def redirect(url: str, answer: Answer) -> str:
    """Where an answer sends on to, as a whole URL; "" where it does not, or to nothing that is a URL."""
    if answer.status not in _REDIRECTS:
        return ""
    try:
        return urljoin(url, answer.headers.get("location", ""))
    except ValueError:
        return ""


def is_login(answer: Answer, team: str) -> bool:
    """Whether an answer sends to this team's login, and to no host that only looks like it."""
    if answer.status not in _REDIRECTS:
        return False
    try:
        parts = urlsplit(answer.headers.get("location", ""))
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and parts.hostname == f"{team}.cloudflareaccess.com"
        and port in (None, 443)
        and parts.username is None
    )


def _without_answer(probe: HttpProbe, failure: Failure) -> Verdict:
    if probe.expect == "unknown" and failure.kind in ("no name", "tls", "refused"):
        return passed(str(failure))
    if probe.expect == "not-served" or (probe.expect == "unserved" and failure.kind == "refused"):
        return passed(str(failure))
    if failure.kind == "no name":
        return not_proven(str(failure))
    # A page that does not answer is broken; what must not work is neither shown nor refuted by silence.
    if probe.expect in ("page", "open", "challenge", "login"):
        return failed(str(failure))
    return not_proven(str(failure))


def by_access(answer: Answer) -> bool:
    """Whether Access refuses, and says so: it names its application, or itself where it asks for credentials."""
    names = {"cf-access-aud", "cf-access-domain"} & answer.headers.keys()
    asks = answer.headers.get("www-authenticate", "").lower().startswith("cloudflare-access")
    return answer.status in (401, 403) and bool(names or asks)


def _refused(answer: Answer) -> bool:
    """A refusal by Cloudflare or cloudflared: an origin's own page is told by its body or its cookies.

    cloudflared answers 403 (no JWT) and the last rule's 404 with an empty body; Cloudflare's pages name it.
    [CFD proxy/proxy.go, ingress/origin_service.go]
    """
    if by_access(answer):
        return True
    if answer.status not in _REFUSALS:
        return False
    cookies = [c for c in [answer.headers.get("set-cookie", "")] if c and not c.lower().startswith(("cf_", "__cf"))]
    return not cookies and (not answer.body.strip() or b"cloudflare" in answer.body.lower())


def _answered(answer: Answer, location: str) -> str:
    if answer.status in _REDIRECTS:
        return f"{answer.status} to {location or 'nowhere'}"
    page = " ".join(answer.body.decode("utf-8", "replace").split())
    shown = page if len(page) <= 40 else f"{page[:39]}…"
    return f"{answer.status}, answered by the service{f': {shown}' if page else ''}"
