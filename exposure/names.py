"""Names that follow from a service's key and its node."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from config.people import GOOGLE
from config.services import NodeOrigin, Service, UrlOrigin
from config.stack import NAMESPACE, Estate
from config.values import OriginUrl, Path, Tag

ACME_PATH = Path("/.well-known/acme-challenge")
"""Where HTTP-01 challenges are asked for (RFC 8555, 8.3)."""
ACME_EXPRESSION = r"^/\.well-known/acme-challenge/"
FUNNEL_TAG = Tag("tag:k8s-funnel")
"""Only proxies with this tag may use Funnel, so nothing else in the cluster goes public by an annotation."""
BACKEND_PORT = "gatehouse/backend-port"
"""The annotation of an Ingress of ours that says which number the port has that it names."""
OPERATOR_TAG = Tag("tag:k8s-operator")
PROXY_GROUP = "gatehouse-proxies"
"""The cluster's `ProxyGroup`, of the proxies that services share."""


def login_of(login: str, estate: Estate) -> str:
    """A login method: its type, and the name of one that is not Google."""
    return f"{estate.logins[login].type} {login}" if login in estate.logins else GOOGLE


def login_words(method: str) -> str:
    """A login method (`login_of`) for people."""
    kind, _, name = method.partition(" ")
    known = {GOOGLE: "Google login", "onetimepin": "one-time PIN", "github": "GitHub login"}
    return known.get(kind, f"{name or kind} login")


def title_of(key: str, service: Service) -> str:
    """The service's title, or its key as words."""
    return service.title or key.replace("-", " ").capitalize()


def hosts_of(key: str, service: Service, node: str, zone: str) -> tuple[str, ...]:
    """The public host names: `<service>-<node>.<zone>` unless said."""
    return service.said_hosts or (f"{key}-{node}.{zone}",)


def names_of(key: str, service: Service, node: str, zone: str) -> tuple[str, ...]:
    """The public names that are taken: its hosts, and those that redirect to the first of them."""
    return (*hosts_of(key, service, node, zone), *(service.redirect_from or ()))


def machine_of(key: str, service: Service, node: str) -> str:
    """The machine name on the tailnet: `<service>-<node>` unless said."""
    return service.tailnet_name if service.tailnet_name is not None else f"{key}-{node}"


def node_tag(node: str) -> Tag:
    """The tag that the node itself carries on the tailnet."""
    return Tag(f"tag:{NAMESPACE}-{node}")


def service_tag(key: str, node: str) -> Tag:
    """The tag of a private service's own proxy, so that a grant opens that service alone."""
    return Tag(f"tag:{key}-{node}" if key[0].isalpha() else f"tag:s-{key}-{node}")


def proxies_tag(node: str) -> Tag:
    """The tag of a node's shared proxies: whoever has it may answer for each service behind them."""
    return Tag(f"tag:k8s-proxies-{node}")


def proxies_name(node: str) -> str:
    """What the names of a node's shared proxies begin with; `-0` and so on follow."""
    return f"{node}-proxies"


def path_names(key: str, paths: Iterable[Path]) -> dict[Path, str]:
    """A logical name for each path of a service; two paths with one slug are told apart by a hash."""
    paths = sorted(set(paths))
    taken = [p.slug for p in paths]
    return {
        p: f"{key}-path-{p.slug}"
        + (f"-{hashlib.sha256(p.encode()).hexdigest()[:6]}" if taken.count(p.slug) > 1 else "")
        for p in paths
    }


def origin_url(service: Service, lan_ipv4: str) -> OriginUrl:
    """The URL that cloudflared calls for a service's origin."""
    origin = service.origin
    if isinstance(origin, UrlOrigin):
        return OriginUrl(origin.url)
    if isinstance(origin, NodeOrigin):
        return OriginUrl(f"{origin.scheme}://{lan_ipv4}:{origin.port}")
    return service_url(origin.namespace, origin.service, origin.port, origin.scheme)


def service_url(namespace: str, service: str, port: int, scheme: str = "http") -> OriginUrl:
    """The cluster-internal URL of a Kubernetes Service."""
    return OriginUrl(f"{scheme}://{service}.{namespace}.svc.cluster.local:{port}")


def scheme_of(service: Service) -> str:
    """The origin's scheme, in lower case; empty where a URL has none."""
    origin = service.origin
    if isinstance(origin, UrlOrigin):
        return origin.url.split("://", 1)[0].lower() if "://" in origin.url else ""
    return origin.scheme


def is_web(service: Service) -> bool:
    """Whether its origin speaks HTTP."""
    return scheme_of(service) in ("http", "https")
