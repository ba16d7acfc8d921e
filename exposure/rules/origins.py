"""Origins: what cloudflared, or a Tailscale proxy, calls for a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from config.services import OriginTls, UrlOrigin
from config.values import OriginUrl
from exposure.names import scheme_of
from exposure.rules.base import AllStacks, EstateRule, OneService, OneStack, Problem, ServiceRule
from exposure.ways.tunnel import TunnelWay

_CFD = "CFD ingress/origin_service.go"


def _faults(rule: str) -> Callable[[OneService], Iterable[Problem]]:
    """What is wrong with its URL, by the rule that the parser names."""

    def check(service: OneService) -> Iterator[Problem]:
        origin = service.service.origin
        url = origin.url if isinstance(origin, UrlOrigin) else None
        for error in OriginUrl.faults(url) if url is not None else ():
            if error.rule == rule:
                # A password is not said again.
                yield service.malformed(("origin", "url"), None if url and "@" in url else url, error)

    return check


def _unreachable(everything: AllStacks) -> Iterator[tuple[OneStack, Problem]]:
    for stack in everything.stacks:
        for service in stack.services:
            yield from ((stack, problem) for problem in _faults("origin-unreachable")(service))
    for _, family in everything.families():
        published = {host: s for stack in family for s in stack.by(TunnelWay) for host in s.hosts}
        for stack in family:
            for service in stack.services:
                origin = service.service.origin
                called = OriginUrl(origin.url) if isinstance(origin, UrlOrigin) else None
                if called is None or OriginUrl.faults(called) or called.host not in published:
                    continue
                other = published[called.host]
                itself = "itself" if other is service else f"service {other.key}"
                problem = service.problem(
                    ("origin", "url"),
                    called,
                    f"that host leads to {itself} through the tunnel: the request would go out to Cloudflare and come "
                    f"back, "
                    "without end or to a login",
                    "name what answers: the Kubernetes Service, a port of the node, or the machine's address",
                    related=() if other is service else (other.ref(),),
                )
                yield stack, problem


def _https(service: OneService) -> bool:
    return bool(_through(service)) or scheme_of(service.service) == "https"


def _through(service: OneService) -> str | None:
    return service.cluster_origin.through_ingress if service.cluster_origin else None


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
            "nothing says how to check the certificate of this https origin: cloudflared expects the name that it "
            "calls, "
            "which no certificate has, and answers 502",
            "say `origin_tls: {match_sni_to_host: true}` if the certificate is for its host name, and "
            "`own_certificate: true` besides if it renews that itself; otherwise give `origin_tls` the certificate's "
            "`origin_server_name` or its `ca_pool`, or knowingly `no_tls_verify`",
        )


def _unverified(service: OneService) -> Iterator[Problem]:
    tls = service.service.origin_tls
    if service.by(TunnelWay) and tls is not None and tls.no_tls_verify:
        yield service.problem(
            ("origin_tls", "no_tls_verify"),
            True,
            "any certificate is accepted, so whoever gets between cloudflared and the service can read and change "
            "everything",
            "set `origin_server_name` or `ca_pool`, or acknowledge `origin-tls-unverified` with your reason",
        )


def _managed(service: OneService) -> Iterator[Problem]:
    if service.by(TunnelWay) and _through(service) == "managed" and not service.service.own_certificate:
        yield service.problem(
            ("origin", "through_ingress"),
            "managed",
            "a managed Ingress gets its certificate by HTTP-01, and without `own_certificate` no challenge reaches it, "
            "so "
            "cloudflared finds the controller's self-signed one and answers 502",
            "remove `through_ingress:` to reach the Service itself, or say `own_certificate: true`",
        )


def _host_header(service: OneService) -> Iterator[Problem]:
    request = service.service.origin_request
    header = request.http_host_header if request else None
    if not service.by(TunnelWay) or not _through(service):
        return
    if header is not None and service.hosts and header not in service.hosts:
        yield service.problem(
            ("origin_request", "http_host_header"),
            header,
            f"the ingress controller knows the service as {' or '.join(service.hosts)} and answers 404 to another Host "
            "header",
            "remove it: cloudflared passes the request's own host on",
            suggestion=service.hosts[0],
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
    ServiceRule(
        "origin-url-form",
        "A service URL is scheme, host and port, and no path",
        _CFD,
        (10,),
        check=_faults("origin-url-form"),
    ),
    ServiceRule(
        "origin-scheme-missing", "A service URL has a scheme", _CFD, (11,), check=_faults("origin-scheme-missing")
    ),
    ServiceRule(
        "origin-scheme-unknown",
        "A service URL's scheme is a known one",
        _CFD,
        (12,),
        check=_faults("origin-scheme-unknown"),
    ),
    ServiceRule(
        "origin-port-missing", "A tcp or udp URL has a port", _CFD, (13,), check=_faults("origin-port-missing")
    ),
    EstateRule(
        "origin-unreachable",
        "An origin is somewhere that a pod of the cluster gets to, and not through this estate's own front",
        "CFD config/configuration.go",
        check=_unreachable,
    ),
    ServiceRule(
        "origin-http-status", "A fixed http_status is no service", _CFD, (14,), check=_faults("origin-http-status")
    ),
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
        acceptable="service",
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
