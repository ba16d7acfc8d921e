"""Origins: what cloudflared, or a Tailscale proxy, calls for a service."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from config.fields import LABEL
from config.services import OriginTls, ServiceOrigin, UrlOrigin
from exposure.names import scheme_of
from exposure.rules.base import SCHEMES, OneService, Problem, ServiceRule
from exposure.ways.tunnel import TunnelWay

_CFD = "CFD ingress/origin_service.go"
_STATUS = re.compile(r"http_status:\s*(\d*)", re.IGNORECASE)
_WORDS = ("hello_world", "hello-world", "bastion", "socks-proxy")


def _url(service: OneService) -> str | None:
    origin = service.service.origin
    return origin.url if isinstance(origin, UrlOrigin) else None


def _url_form(service: OneService) -> Iterator[Problem]:
    url = _url(service)
    if url is None or "://" not in url:
        return
    scheme, _, rest = url.partition("://")
    address = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if scheme != scheme.lower() and scheme.lower() in SCHEMES:
        yield service.problem(
            ("origin", "url"), url, "a scheme is lower case", "write it so", suggestion=f"{scheme.lower()}://{rest}"
        )
    more = rest[len(address) :]
    if more:
        what = {"/": "path", "?": "query", "#": "fragment"}[more[0]]
        yield service.problem(
            ("origin", "url"),
            url,
            f"cloudflared refuses a service URL with a {what}, even a lone `/`, and with it the tunnel's whole list",
            "write scheme, host and port only; a request's own path is passed on as it is",
            suggestion=f"{scheme}://{address}" if "@" not in address else "",
        )
    if "@" in address:
        yield service.problem(
            ("origin", "url"),
            None,
            "a user or password here stands in clear in the file, and cloudflared does not send it",
            "take it out, and let the service ask for its own login",
        )
        return
    if not _address(scheme, address):
        yield service.problem(
            ("origin", "url"),
            url,
            f"{address!r} is no host name or address with an optional port from 1 to 65535",
            "write it as `http://192.168.0.9:8123`",
        )


def _address(scheme: str, address: str) -> bool:
    try:
        parts = urlsplit(f"{scheme}://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or port == 0 or address.endswith(":"):
        return False
    if ":" in host:
        return address.startswith("[")
    return len(host) <= 253 and all(LABEL.fullmatch(label) for label in host.rstrip(".").split("."))


def _no_scheme(service: OneService) -> Iterator[Problem]:
    url = _url(service)
    if url is None or "://" in url or _STATUS.match(url) or url.lower() in _WORDS or url.lower().startswith("unix"):
        return
    yield service.problem(
        ("origin", "url"),
        url,
        "no scheme: cloudflared refuses the URL, and with it the tunnel's whole list",
        "start it with http:// or https://",
        suggestion=f"http://{url}" if "/" not in url and _address("http", url) else "",
    )


def _unknown_scheme(service: OneService) -> Iterator[Problem]:
    url = _url(service)
    if url is None or _STATUS.match(url):
        return
    scheme = url.split(":", 1)[0].lower() if "://" in url else ""
    if "://" in url and scheme not in SCHEMES:
        near = {"ws": "http", "wss": "https"}.get(scheme) or next(
            iter(difflib.get_close_matches(scheme, sorted(SCHEMES), n=1, cutoff=0.6)), ""
        )
        yield service.problem(
            ("origin", "url"),
            url,
            "not a scheme for a service: cloudflared takes an unknown one, a typo included, for TCP over WebSocket, "
            "and browsers get nothing",
            "use http (WebSockets work over it), https, tcp or udp",
            suggestion=f"{near}://{url.split('://', 1)[1]}" if near else "",
        )
    elif url.lower() in _WORDS or url.lower().startswith("unix"):
        yield service.problem(
            ("origin", "url"),
            url,
            "one of cloudflared's own services or a socket in its pod, and no service of yours",
            "name the Kubernetes Service, a port of the node, or an http or https URL",
        )


def _port(service: OneService) -> Iterator[Problem]:
    url = _url(service)
    if url is None or scheme_of(service.service) not in ("tcp", "udp"):
        return
    address = re.split(r"[/?#]", url.split("://", 1)[1], maxsplit=1)[0]
    if not re.search(r":\d+$", address):
        yield service.problem(
            ("origin", "url"),
            url,
            "no port: cloudflared would call 7864, its own default for tcp",
            "add the service's port",
        )


def _status(service: OneService) -> Iterator[Problem]:
    url = _url(service)
    match = _STATUS.match(url) if url is not None else None
    if match:
        code = int(match[1] or 0)
        inside = 200 <= code <= 599
        yield service.problem(
            ("origin", "url"),
            url,
            "a fixed answer is no service; the rule list ends in http_status:404 by itself"
            if inside
            else "no status of an answer: those are 200 to 599",
            "name what is to answer, or remove the service",
        )


def _https(service: OneService) -> bool:
    origin = service.service.origin
    through = isinstance(origin, ServiceOrigin) and origin.through_ingress
    return bool(through) or scheme_of(service.service) == "https"


def _through(service: OneService) -> str | None:
    origin = service.service.origin
    return origin.through_ingress if isinstance(origin, ServiceOrigin) else None


def _tls_missing(service: OneService) -> Iterator[Problem]:
    if not service.by(TunnelWay) or not _https(service) or service.service.own_certificate:
        return
    if _through(service) == "managed":
        return
    tls = service.service.origin_tls or OriginTls()
    if not (tls.origin_server_name or tls.match_sni_to_host or tls.ca_pool or tls.no_tls_verify):
        yield service.problem(
            "origin_tls",
            None,
            "an https origin, and nothing says how to check its certificate: cloudflared expects the name it calls, "
            "which is cluster-internal, and answers 502",
            "say `own_certificate: true` if it renews one for its host name; else set `origin_tls` with "
            "`origin_server_name`, `match_sni_to_host`, `ca_pool`, or knowingly `no_tls_verify`",
        )


def _unverified(service: OneService) -> Iterator[Problem]:
    tls = service.service.origin_tls
    if service.by(TunnelWay) and tls is not None and tls.no_tls_verify:
        yield service.problem(
            ("origin_tls", "no_tls_verify"),
            True,
            "any certificate is taken, so whoever gets between cloudflared and the service can read and change all",
            "set `origin_server_name` or `ca_pool`, or acknowledge `origin-tls-unverified` with your reason",
        )


def _managed(service: OneService) -> Iterator[Problem]:
    if service.by(TunnelWay) and _through(service) == "managed" and not service.service.own_certificate:
        yield service.problem(
            ("origin", "through_ingress"),
            "managed",
            "a managed Ingress gets its certificate by HTTP-01, and without `own_certificate` no challenge reaches it: "
            "cloudflared meets the controller's self-signed one and answers 502",
            "say `own_certificate: true`, or leave `through_ingress` out and reach the Service itself",
        )


def _host_header(service: OneService) -> Iterator[Problem]:
    request, host = service.service.origin_request, next(iter(service.hosts), None)
    header = request.http_host_header if request else None
    if not service.by(TunnelWay) or not _through(service):
        return
    if header is not None and host is not None and header != host:
        yield service.problem(
            ("origin_request", "http_host_header"),
            header,
            f"the ingress controller knows the service as {host} and answers 404 to another Host header",
            "remove it: cloudflared passes the request's own host on",
            suggestion=host,
        )


def _http2(service: OneService) -> Iterator[Problem]:
    request = service.service.origin_request
    if service.by(TunnelWay) and request is not None and request.http2_origin and not _https(service):
        yield service.problem(
            ("origin_request", "http2_origin"),
            True,
            "HTTP/2 to an origin needs TLS, and this origin is plain http",
            "remove it, or give the origin `scheme: https`",
        )


RULES = (
    ServiceRule("origin-url-form", "A service URL is scheme, host and port, and no path", _CFD, (10,), check=_url_form),
    ServiceRule("origin-scheme-missing", "A service URL has a scheme", _CFD, (11,), check=_no_scheme),
    ServiceRule("origin-scheme-unknown", "A service URL's scheme is a known one", _CFD, (12,), check=_unknown_scheme),
    ServiceRule("origin-port-missing", "A tcp or udp URL has a port", _CFD, (13,), check=_port),
    ServiceRule("origin-http-status", "A fixed http_status is no service", _CFD, (14,), check=_status),
    ServiceRule(
        "origin-tls-missing",
        "An https origin says how its certificate is checked",
        "CFDOC cloudflare-one/connections/connect-networks/configure-tunnels/origin-configuration",
        (16,),
        check=_tls_missing,
    ),
    ServiceRule(
        "origin-tls-unverified",
        "no_tls_verify only knowingly",
        "CFDOC cloudflare-one/connections/connect-networks/configure-tunnels/origin-configuration",
        (16,),
        acceptable=True,
        check=_unverified,
    ),
    ServiceRule(
        "managed-ingress-certificate",
        "A managed Ingress renews its own certificate",
        "CM pkg/issuer/acme/http",
        (16,),
        check=_managed,
    ),
    ServiceRule(
        "host-header",
        "The Host header that the ingress controller gets is the host's",
        "CFDOC cloudflare-one/connections/connect-networks/configure-tunnels/origin-configuration",
        check=_host_header,
    ),
    ServiceRule("http2-on-http", "http2_origin only on https", "CFD config/configuration.go", (17,), check=_http2),
)
