"""Origins: what cloudflared, or a Tailscale proxy, calls for a service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from config.services import OriginTls, UrlOrigin
from config.values import Certificates, Host, MalformedError, OriginUrl
from exposure.names import scheme_of
from exposure.rules.base import AllStacks, Family, OneService, OneStack, Problem, Rules
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import TunnelWay

RULES = Rules()
_CFD = "CFD ingress/origin_service.go"


def _faults(service: OneService, rule: str) -> Iterator[Problem]:
    """What is wrong with its URL, by the rule that the parser names."""
    origin = service.service.origin
    url = origin.url if isinstance(origin, UrlOrigin) else None
    for error in OriginUrl.faults(url) if url is not None else ():
        if error.rule == rule:
            # A password is not said again.
            yield service.malformed(("origin", "url"), None if url and "@" in url else url, error)


@RULES.service("origin-url-form", _CFD, (10,))
def _origin_url_form(service: OneService) -> Iterator[Problem]:
    """A service URL is scheme, host and port, and no path."""
    return _faults(service, "origin-url-form")


@RULES.service("origin-scheme-missing", _CFD, (11,))
def _origin_scheme_missing(service: OneService) -> Iterator[Problem]:
    """A service URL has a scheme."""
    return _faults(service, "origin-scheme-missing")


@RULES.service("origin-scheme-unknown", _CFD, (12,))
def _origin_scheme_unknown(service: OneService) -> Iterator[Problem]:
    """A service URL's scheme is a known one."""
    return _faults(service, "origin-scheme-unknown")


@RULES.service("origin-port-missing", _CFD, (13,))
def _origin_port_missing(service: OneService) -> Iterator[Problem]:
    """A tcp or udp URL has a port."""
    return _faults(service, "origin-port-missing")


@RULES.service("origin-http-status", _CFD, (14,))
def _origin_http_status(service: OneService) -> Iterator[Problem]:
    """A fixed http_status is not a service."""
    return _faults(service, "origin-http-status")


def _called(service: OneService) -> OriginUrl | None:
    """Its origin's URL, where it is a sound one."""
    origin = service.service.origin
    return OriginUrl(origin.url) if isinstance(origin, UrlOrigin) and not OriginUrl.faults(origin.url) else None


@RULES.everything("origin-unreachable", "CFD config/configuration.go")
def _unreachable(everything: AllStacks) -> Iterator[Problem]:
    """A pod of the cluster can reach an origin, and not by way of Cloudflare."""
    for stack in everything.stacks:
        for service in stack.services:
            yield from _faults(service, "origin-unreachable")
    for family in everything.families:
        fronts = _fronts(family)
        for stack in family.stacks:
            for service in stack.services:
                called = _called(service)
                if called is None:
                    continue
                found = next(((who, how) for name, who, how in fronts if name.covers(called.host)), None)
                if found is None:
                    continue
                other, how = found
                whose = "this service's own name" if other is service else f"the name of {_named(other)}"
                yield service.problem(
                    ("origin", "url"),
                    called,
                    f"that is {whose} {how}",
                    _DIRECTLY,
                    related=(other.ref(),) if other is not service else (),
                )


_DIRECTLY = "name what answers: the Kubernetes Service, a port of the node, or the machine's address"
_HOME = ("lan", "home", "internal", "localdomain", "home.arpa", "fritz.box")
"""Domains under which routers give names to machines at home."""


@RULES.everything("origin-other-name", "Kubernetes, DNS for Services and Pods; tailscale.com/kb/1438")
def _other_name(everything: AllStacks) -> Iterator[Problem]:
    """A thing of the estate is called by the name that tells that it is one and the same."""
    for stack in everything.stacks:
        for service in stack.services:
            yield from _faults(service, "origin-other-name")
    for family in everything.families:
        for stack in family.stacks:
            for service in stack.services:
                called = _called(service)
                found = _meant(called, stack, family.stacks) if called else None
                if found:
                    yield service.problem(("origin", "url"), called, *found)


def _meant(called: OriginUrl, stack: OneStack, family: Sequence[OneStack]) -> tuple[str, str] | None:
    """What of the estate an origin is by another name, and how to write it; None where it is none that is known."""
    host, estate = called.host, stack.estate
    tailnet = estate.tailnet.name if estate and estate.tailnet else None
    for other in family:
        node = other.node
        if node is None:
            continue
        names = {f"{node.name}.{domain}" for domain in (*_HOME, *((tailnet,) if tailnet else ()))}
        if host in (node.name, str(node.tailnet_ipv4), *names):
            if other is stack:
                fix = f"write `origin: {{on_node: true, port: {called.port}, scheme: {called.scheme}}}`"
                return "this is the node itself by another name, and it may be named as such", fix
            fix = f"write its address at home: `{called.scheme}://{node.lan_ipv4}:{called.port}`"
            return f"this is the node {node.name} by another name, and an address says so", fix
        if host == str(node.router_ipv4):
            return (
                "this is the router's public address: the request would leave the house, and come back only where a "
                "port is forwarded",
                _DIRECTLY,
            )
    machines = {s.machine for other in family for s in other.by(TailnetWay)}
    if tailnet and host.endswith(f".{tailnet}") and host.removesuffix(f".{tailnet}") not in machines:
        return "this is a name on the tailnet, and the connector's pod is not in it", _DIRECTLY
    first, _, last = host.partition(".")
    origins = [s.cluster_origin for s in stack.services]
    namespaces = {o.namespace for o in origins if o} | (
        {stack.node.ingress_controller.namespace, stack.node.connector.namespace} if stack.node else set()
    )
    # Pods look a short name up below `svc.cluster.local` first; a dot at its end keeps them from it.
    if last in namespaces and not called.complete:
        return (
            f"in the cluster this is first of all the Service {first} of namespace {last}",
            f"write `origin: {{namespace: {last}, service: {first}, port: {called.port}, scheme: {called.scheme}}}`; "
            f"or `{host}.` with a dot at its end for a machine of that name",
        )
    return None


def _fronts(family: Family) -> list[tuple[Host, OneService | OneStack, str]]:
    """Names that lead nowhere from the connector's pod: whose they are, and why."""
    by_edge = "at Cloudflare: the request would go out and come back, for ever or to a login"
    by_router = "at the router: the request would leave the house, and come back only where a port is forwarded"
    by_tailnet = "on the tailnet, and the connector's pod is not in it"
    found: list[tuple[Host, OneService | OneStack, str]] = []
    tailnet = family.tailnet.name if family.tailnet else ""
    for stack in family.stacks:
        found += [(Host(stack.record), stack, by_edge)] if stack.record else []
        for service in stack.services:
            found += [(Host(name), service, by_edge) for name in service.names if service.by(TunnelWay)]
            found += [(Host(name), service, by_router) for name in service.hosts if service.by(PortForwardWay)]
            if tailnet and service.machine and service.by(TailnetWay):
                found.append((Host(f"{service.machine}.{tailnet}"), service, by_tailnet))
    return found


def _named(who: OneService | OneStack) -> str:
    return f"service {who.key}" if isinstance(who, OneService) else f"node {who.node_name}"


def _https(service: OneService) -> bool:
    return bool(_through(service)) or scheme_of(service.service) == "https"


def _through(service: OneService) -> str | None:
    return service.cluster_origin.through_ingress if service.cluster_origin else None


@RULES.service(
    "origin-tls-missing",
    "CFDOC cloudflare-one/connections/connect-networks/configure-tunnels/origin-configuration",
    (16,),
)
def _tls_missing(service: OneService) -> Iterator[Problem]:
    """An https origin says how its certificate is checked."""
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
            "calls, which no certificate has, and answers 502",
            "say `origin_tls: {match_sni_to_host: true}` if the certificate is for its host name, and "
            "`own_certificate: true` besides if it renews that itself; otherwise give `origin_tls` the certificate's "
            "`origin_server_name`, or as `ca_pool` the PEM text of who signed it, or knowingly `no_tls_verify`",
        )


@RULES.service(
    "origin-tls-unverified",
    "CFDOC cloudflare-one/connections/connect-networks/configure-tunnels/origin-configuration",
    (16,),
    acceptable="service",
)
def _unverified(service: OneService) -> Iterator[Problem]:
    """`no_tls_verify` needs an acknowledgement."""
    tls = service.service.origin_tls
    if service.by(TunnelWay) and tls is not None and tls.no_tls_verify:
        yield service.problem(
            ("origin_tls", "no_tls_verify"),
            True,
            "any certificate is accepted, so whoever gets between cloudflared and the service can read and change "
            "everything",
            "set `origin_server_name` or `ca_pool`, or acknowledge `origin-tls-unverified` with your reason",
        )


@RULES.service("origin-ca-pool", "CFD ingress/origin_service.go, tlsconfig/certreloader.go")
def _ca_pool(service: OneService) -> Iterator[Problem]:
    """The CA of an origin is a certificate, which the connector has before a rule names it."""
    tls, node = service.service.origin_tls, service.inside.node
    if tls is None or tls.ca_pool is None:
        return
    path = ("origin_tls", "ca_pool")
    try:
        Certificates.parse(tls.ca_pool)
    except MalformedError as error:
        # A key is not said again.
        yield service.malformed(path, None if "\n" in tls.ca_pool else tls.ca_pool, error)
    if service.by(TunnelWay) and node and node.manifests_folder:
        yield service.problem(
            path,
            None,
            "the rule names a file that the connector's pods have once your rendered manifests are applied, and `up` "
            "does not wait for that: where the file is missing, cloudflared refuses the tunnel's whole rule list",
            "leave `manifests_folder` out, so that the pods have the file first; or say `no_tls_verify` knowingly",
        )


@RULES.service("managed-ingress-certificate", "CM pkg/issuer/acme/http", (16,))
def _managed(service: OneService) -> Iterator[Problem]:
    """A managed Ingress renews its own certificate."""
    if service.by(TunnelWay) and _through(service) == "managed" and not service.service.own_certificate:
        yield service.problem(
            ("origin", "through_ingress"),
            "managed",
            "a managed Ingress gets its certificate by HTTP-01, and without `own_certificate` no challenge reaches it, "
            "so "
            "cloudflared finds the controller's self-signed one and answers 502",
            "remove `through_ingress:` to reach the Service itself, or say `own_certificate: true`",
        )


@RULES.service(
    "managed-ingress-https", "kubernetes.github.io/ingress-nginx, annotations; traefik pkg/provider/kubernetes/ingress"
)
def _managed_https(service: OneService) -> Iterator[Problem]:
    """A managed Ingress speaks https where the controller can be told to."""
    node, origin = service.inside.node, service.cluster_origin
    if not (node and origin and service.by(TunnelWay) and _through(service) == "managed" and origin.scheme == "https"):
        return
    kind = node.ingress_controller.kind
    if kind == "other" or (kind == "traefik" and node.manifests_folder):
        yield service.problem(
            ("origin", "scheme"),
            "https",
            "how this ingress controller is told to speak https to a Service is not known here, so it would speak "
            "plain http to an https port: 400 or 502"
            if kind == "other"
            else "Traefik is told by annotations of your Service, and what is rendered to a folder cannot change the "
            "Service that is there",
            "name a port of the Service that speaks http; or write the Ingress yourself and say `through_ingress: "
            "existing`; or leave `through_ingress` and `own_certificate` out and say in `origin_tls` how cloudflared "
            "checks the Service's certificate",
            related=(service.inside.ref("node", "ingress_controller"),),
        )


@RULES.service(
    "host-header", "CFDOC cloudflare-one/connections/connect-networks/configure-tunnels/origin-configuration"
)
def _host_header(service: OneService) -> Iterator[Problem]:
    """The Host header that the ingress controller gets is the host's."""
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


@RULES.service("http2-on-http", "CFD config/configuration.go", (17,))
def _http2(service: OneService) -> Iterator[Problem]:
    """`http2_origin` needs https."""
    request = service.service.origin_request
    if service.by(TunnelWay) and request is not None and request.http2_origin and not _https(service):
        yield service.problem(
            ("origin_request", "http2_origin"),
            True,
            "HTTP/2 to an origin needs TLS, and this origin is plain http",
            "remove it, or give the origin `scheme: https`",
        )
