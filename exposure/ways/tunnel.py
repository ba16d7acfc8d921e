"""By a Cloudflare Tunnel: a host for anyone, or behind Access; and below it paths with audiences of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal, Self, cast

from pydantic import Field

from config.fields import Label, Port
from config.services import AccessSettings, Controller, OriginTls, Service, ServiceOrigin
from config.stack import Estate
from config.values import ROOT, Certificates, Host, MalformedError, OriginUrl, Path
from exposure.audience import ANYONE, NOBODY, Audience, meant_for_path, named
from exposure.names import origin_url, path_names, service_url
from exposure.ways.way import DEFAULT_ACCESS, DEFAULT_SETTINGS, PASSES, Claim, Facts, OriginSettings, Way, whom

_UPLOADS = re.compile(r"/(api|dav|remote\.php|webdav|assets|uploads?|backups?|sync|v2)(/|$)", re.IGNORECASE)
"""Paths by which apps send whole files: Immich's `/api/assets`, Nextcloud's `/remote.php/dav`, a registry's `/v2`."""
_WORTH = {
    "onetimepin": "a one-time PIN proves a mailbox, and nothing more: who gets into that gets in here",
    "github": "GitHub says whose address it is; whether it asks for a second factor is for its owner to set",
    "oidc": "the provider says whose address it is: one where people choose an address that it does not check lets "
    "in anybody",
}
"""What a login is worth [CFDOC cloudflare-one/identity]."""
NOT_FOUND = "http_status:404"
"""What cloudflared answers where nobody is meant to get through."""


@dataclass(frozen=True)
class ManagedIngress:
    """An Ingress of the node's controller with a Let's Encrypt certificate of its own."""

    namespace: Label
    service: Label
    port: Annotated[Port, PASSES]
    scheme: Literal["http", "https"]
    hosts: Annotated[tuple[Host, ...], Field(min_length=1)]
    class_name: Label
    cluster_issuer: Annotated[Label, PASSES]
    controller: Controller


@dataclass(frozen=True)
class TunnelWay(Way):
    """Hosts of the tunnel. `path` is the part of them that is the service's; `paths` are narrower or wider below it.

    `names_host` expects the request's host on the origin's certificate. `redirect_from` are hosts that the edge
    redirects to the first of `hosts`; behind the redirect they are for nobody. `certificates` are those that `request`
    names as `ca_pool`, for the connector to have.
    """

    hosts: Annotated[tuple[Host, ...], Field(min_length=1)]
    origin: OriginUrl
    path: Path = ROOT
    paths: tuple[tuple[Path, Audience], ...] = ()
    request: OriginSettings = DEFAULT_SETTINGS
    names_host: bool = False
    ingress: ManagedIngress | None = None
    redirect_from: tuple[Host, ...] = ()
    certificates: Certificates | None = None
    access: AccessSettings = DEFAULT_ACCESS
    people: str = field(default="", compare=False)
    """Its people in words."""
    worth: str = field(default="", compare=False)
    """What their login is worth, where that is to be minded."""

    by: ClassVar[str] = "host"
    stations = ("internet", "edge", "tunnel")
    login: ClassVar[bool]
    """Whether somebody logs in to it: for anyone it is the other gate's."""
    # CFDOC workers/platform/limits, support/troubleshooting/http-status-codes/4xx-client-error/error-413.
    cautions = ("Cloudflare's Free and Pro plans take at most 100 MB a request",)
    settings = frozenset(
        {"host", "redirect_from", "path", "paths", "origin_request", "origin_tls", "through_ingress", "own_certificate"}
    )

    @classmethod
    def plan(cls, facts: Facts) -> Self:
        """See `Way`."""
        service, node = facts.service, facts.node
        origin = _origin(facts)
        tls, request = service.origin_tls or OriginTls(), service.origin_request
        own = service.own_certificate and origin.scheme == "https"
        certificates = _certificates(tls.ca_pool)
        ingress = None
        if isinstance(service.origin, ServiceOrigin) and service.origin.through_ingress == "managed":
            behind, controller = service.origin, node.ingress_controller
            ingress = ManagedIngress(
                behind.namespace,
                behind.service,
                behind.port,
                cast('Literal["http", "https"]', behind.scheme),
                facts.hosts,
                controller.class_name,
                controller.cluster_issuer,
                controller.kind,
            )
        paths = sorted((Path(p), meant_for_path(said, service, facts.estate)) for p, said in service.paths.items())
        audience = cls.lets_in(service, facts.estate)
        return cls(
            facts.key,
            facts.title,
            audience,
            facts.hosts,
            origin,
            Path(service.path) if service.path else ROOT,
            tuple(paths),
            OriginSettings(
                origin_server_name=tls.origin_server_name,
                match_sni_to_host=tls.match_sni_to_host,
                ca_pool=certificates.path if certificates else None,
                no_tls_verify=tls.no_tls_verify,
                http2_origin=bool(request and request.http2_origin),
                http_host_header=request.http_host_header if request else None,
                connect_timeout_seconds=request.connect_timeout_seconds if request else None,
            ),
            own and not (tls.match_sni_to_host or tls.no_tls_verify or tls.ca_pool or tls.origin_server_name),
            ingress,
            tuple(Host(h) for h in service.redirect_from or ()),
            certificates,
            service.access or DEFAULT_ACCESS,
            whom(facts.estate, Audience(people=audience.people)) if audience.people else "",
            "; ".join(
                dict.fromkeys(filter(None, (_worth(a, facts.estate) for a in (audience, *(a for _, a in paths)))))
            ),
        )

    def faults(self) -> tuple[str, ...]:
        """See `Way`."""
        found = []
        if (self.audience == ANYONE) == self.login:
            whom = "named people or for nobody" if self.login else "anyone"
            found.append(f"{type(self).__name__} is for {whom}, and this is for {self.audience}")
        if len(set(self.hosts)) < len(self.hosts):
            found.append("a host is there twice; name each once")
        if (self.paths or not self.path.root) and any(host.wildcard for host in self.hosts):
            # Cloudflare does not say which of `*.x/a` and `y.x` is more specific.
            found.append("a wildcard host has no paths with an audience of their own; name the hosts")
        found += [
            f"path {below!r} is not below {self.path!r}, so it is not a part of it"
            for below, _ in self.paths
            if below == self.path or not self.path.covers(below)
        ]
        return tuple(found)

    @classmethod
    def of(
        cls,
        key: str,
        *,
        hosts: Sequence[str],
        origin: str,
        title: str | None = None,
        audience: Audience | None = None,
        path: str = "/",
        paths: Mapping[str, Audience] | None = None,
        request: OriginSettings = DEFAULT_SETTINGS,
    ) -> Self:
        """The way from plain texts, for a program that has no stack file.

        Raises MalformedError, a ValueError, for a text that is no value, and ValueError for what is not of the gate.
        """
        found = [(Path.parse(p), a) for p, a in (paths or {}).items()]
        if isinstance(hosts, str):
            raise ValueError(f"{key}: hosts is {hosts!r}: a list is expected here; write [{hosts!r}]")
        way = cls(
            key,
            title or key,
            ANYONE if audience is None else audience,
            tuple(Host.parse(h) for h in hosts),
            OriginUrl.parse(origin),
            Path.parse(path),
            tuple(sorted(found, key=lambda entry: entry[0])),
            request,
        )
        for fault in way.faults():
            raise ValueError(f"{key}: {fault}")
        return way

    @property
    def urls(self) -> tuple[str, ...]:
        """See `Way`."""
        return tuple(f"https://{host}{self.path.suffix}/" for host in self.hosts)

    @property
    def mind(self) -> tuple[str, ...]:
        """With the paths that look like those of uploads, and what makes its login worth less."""
        uploads = [path for path in (self.path, *(p for p, _ in self.paths)) if _UPLOADS.search(path)]
        more = f": a larger upload by {' or '.join(uploads)} ends in 413, unless the app sends it in parts"
        return (f"{self.cautions[0]}{more if uploads else ''}", *filter(None, [self.worth]), *self.access.weakened)

    def claims(self) -> tuple[Claim, ...]:
        """The part of each host that is the service's, and each path below it with an audience of its own.

        A host that redirects is claimed whole, for nobody: without the redirect nothing is served there, also by a
        wildcard above it.
        """
        names = path_names(self.service, [path for path, _ in self.paths])
        parts = [(self.path, self.audience, self.service, self.title)]
        parts += [(path, audience, names[path], f"{self.title} {path}") for path, audience in self.paths]
        served = [(host, *part) for host in self.hosts for part in parts]
        shut = [(host, ROOT, NOBODY, self.service, self.title) for host in self.redirect_from]
        return tuple(
            Claim(
                host,
                path,
                audience,
                self.service,
                title,
                NOT_FOUND if audience == NOBODY else self.origin,
                DEFAULT_SETTINGS
                if audience == NOBODY
                else replace(self.request, origin_server_name=host)
                if self.names_host
                else self.request,
                path.expression if audience.opens else path.guarded,
                f"{name}-access" if host == self.hosts[0] else None,
                DEFAULT_ACCESS if audience.opens or audience == NOBODY else self.access,
            )
            for host, path, audience, name, title in (*served, *shut)
        )

    def _exceptions(self) -> str:
        groups: dict[Audience, list[Path]] = {}
        for path, audience in self.paths:
            groups.setdefault(audience, []).append(path)
        said = "".join(f"; {audience}: {' '.join(paths)}" for audience, paths in groups.items())
        return f"{said}; redirects from {' '.join(self.redirect_from)}" if self.redirect_from else said


@dataclass(frozen=True)
class PublicTunnelWay(TunnelWay):
    """HTML that does no harm in a stranger's hands, with nothing in front."""

    gate = "public-tunnel"
    component = "components.public_tunnel_route.PublicTunnelRoute"
    phrase = "nothing in front"
    login: ClassVar[bool] = False

    @classmethod
    def lets_in(cls, service: Service, estate: Estate | None) -> Audience:
        """Anyone."""
        return ANYONE

    @property
    def reaches(self) -> str:
        """See `Way`."""
        return f"anyone on the internet{self._exceptions()}"


@dataclass(frozen=True)
class ZeroTrustWay(TunnelWay):
    """HTML behind Access: people after a login, or nobody but for single paths."""

    gate = "zero-trust"
    component = "components.zero_trust_app.ZeroTrustApp"
    phrase = "a login first"
    login: ClassVar[bool] = True
    settings = TunnelWay.settings | {"access", "people", "tokens"}

    @classmethod
    def lets_in(cls, service: Service, estate: Estate | None) -> Audience:
        """The people and tokens that it names; nobody where that is said."""
        return named(service, estate)

    @property
    def reaches(self) -> str:
        """See `Way`."""
        tokens = Audience(tokens=self.audience.tokens)
        said = [self.people] if self.audience.people else []
        said += [str(tokens)] if tokens != NOBODY else []
        return f"{' and '.join(said) or NOBODY}{self._exceptions()}"


def _worth(audience: Audience, estate: Estate) -> str:
    login = estate.logins.get(estate.terms(audience.people).login)
    return _WORTH[login.type] if login else ""


def _certificates(text: str | None) -> Certificates | None:
    try:
        return None if text is None else Certificates.parse(text)
    except MalformedError:
        # A rule's finding.
        return None


def _origin(facts: Facts) -> OriginUrl:
    origin = facts.service.origin
    if isinstance(origin, ServiceOrigin) and origin.through_ingress:
        controller = facts.node.ingress_controller
        return service_url(controller.namespace, controller.service, controller.https_port, "https")
    return origin_url(facts.service, facts.node.lan_ipv4)
