"""Names that follow from a service's key and its node."""

from __future__ import annotations

from config.services import NodeOrigin, Service, ServiceOrigin, UrlOrigin
from config.stack import NAMESPACE

ACME_PATH = "/.well-known/acme-challenge"
"""Where HTTP-01 challenges are asked for (RFC 8555, 8.3)."""
ACME_EXPRESSION = r"^/\.well-known/acme-challenge/"
FUNNEL_TAG = "tag:k8s-funnel"
"""Only proxies with this tag may use Funnel, so nothing else in the cluster goes public by an annotation."""
OPERATOR_TAG = "tag:k8s-operator"


def title_of(key: str, service: Service) -> str:
    """The service's title, or its key as words."""
    return service.title or key.replace("-", " ").capitalize()


def host_of(key: str, service: Service, node: str, zone: str) -> str:
    """The public host name: `<service>-<node>.<zone>` unless said."""
    return service.host if service.host is not None else f"{key}-{node}.{zone}"


def machine_of(key: str, service: Service, node: str) -> str:
    """The machine name on the tailnet: `<service>-<node>` unless said."""
    return service.tailnet_name if service.tailnet_name is not None else f"{key}-{node}"


def node_tag(node: str) -> str:
    """The tag that the node itself carries on the tailnet."""
    return f"tag:{NAMESPACE}-{node}"


def service_tag(key: str, node: str) -> str:
    """The tag of a private service's own proxy, so that a grant opens that service alone."""
    return f"tag:{key}-{node}" if key[0].isalpha() else f"tag:s-{key}-{node}"


def path_expression(path: str) -> str:
    """An RE2 expression for a path and what is below it, anchored: `/api` gives `^/api(/|$)`.

    cloudflared matches unanchored, so a bare `/api` would match `/x/api2` as well [CFD ingress/rule.go].
    """
    special = set(r"\.+*?()|[]{}^$")
    return "^" + "".join(f"\\{c}" if c in special else c for c in path) + "(/|$)"


def origin_url(service: Service, lan_ipv4: str) -> str:
    """The URL that cloudflared calls for a service's origin: no path, not even `/` [CFD ingress/origin_service.go]."""
    origin = service.origin
    if isinstance(origin, UrlOrigin):
        return origin.url
    if isinstance(origin, NodeOrigin):
        return f"{origin.scheme}://{lan_ipv4}:{origin.port}"
    return service_url(origin)


def service_url(origin: ServiceOrigin) -> str:
    """The cluster-internal URL of a Kubernetes Service."""
    return f"{origin.scheme}://{origin.service}.{origin.namespace}.svc.cluster.local:{origin.port}"


def scheme_of(service: Service) -> str:
    """The origin's scheme, in lower case; empty where a URL has none."""
    origin = service.origin
    if isinstance(origin, UrlOrigin):
        return origin.url.split("://", 1)[0].lower() if "://" in origin.url else ""
    return origin.scheme
