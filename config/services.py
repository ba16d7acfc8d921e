"""What a service is: its origin, its traffic, who its clients are. Its gate follows from these facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from config.base import Model
from config.fields import (
    LABEL,
    HeaderName,
    HomeRange,
    HostHeader,
    ImageUrl,
    IPv4,
    Label,
    Networks,
    NodePort,
    Port,
    Reason,
    RoutePort,
    SelectorKey,
    SelectorValue,
    ServerName,
    Several,
    TargetPort,
    Text,
    WebOrigin,
)

Gate: TypeAlias = Label
"""The name of a way in; `exposure.ways` knows which there are."""
Scheme: TypeAlias = Literal["http", "https", "tcp", "udp"]
Clients: TypeAlias = Literal["nobody", "people", "tailnet", "anyone"]
Method: TypeAlias = Literal["GET", "POST", "HEAD", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"]


People: TypeAlias = Annotated[
    list[Label], Field(min_length=1), Several("the name of a set of people", f"^{LABEL.pattern}$")
]
"""A set of people (estate `people`), or several."""
Tokens: TypeAlias = Annotated[list[Label], Field(min_length=1), Several("the name of a token")]
"""Names of service tokens; a single one may be written without brackets."""


def _no_way_in(value: str) -> str:
    if value == "tag:k8s-funnel":
        raise PydanticCustomError(
            "funnel", "machines with this tag face the internet", {"fix": "give the machine that is meant another tag"}
        )
    return value


_TAG = r"^tag:[a-zA-Z][a-zA-Z0-9-]*$"
MachineTag: TypeAlias = Annotated[str, Field(pattern=_TAG), AfterValidator(_no_way_in)]
Machines: TypeAlias = Annotated[list[MachineTag], Field(min_length=1), Several("the tag of a machine", _TAG)]
"""Machines of the tailnet by their tag [tailscale/tailscale tailcfg.CheckTag], or several."""
Words: TypeAlias = Annotated[list[str], Field(min_length=1), Several("a name")]
"""A word, or several."""


class OriginTls(Model):
    """How cloudflared checks the certificate of an https origin."""

    origin_server_name: ServerName | None = None
    """The name expected on the origin's certificate; the service's host name where it renews its own."""
    match_sni_to_host: bool = False
    """Expect the request's own host name on the certificate (cloudflared `matchSNItoHost`)."""
    ca_pool: str | None = None
    """The certificate of the CA that signed the origin's, as PEM text; or the origin's own, where it signs itself."""
    no_tls_verify: bool = False
    """Accept any certificate. A risk: acknowledge `origin-tls-unverified`."""


class OtherPort(Model):
    """One more port of a Service."""

    port: Port
    """The Service's port."""
    protocol: Literal["tcp", "udp"] = "tcp"
    """What it carries."""
    target_port: TargetPort | None = None
    """The port of the pods, by number or name; `port` otherwise."""


class ServiceOrigin(Model):
    """A Kubernetes Service in the node's cluster."""

    namespace: Label
    """The Service's namespace."""
    service: Label
    """The Service's name."""
    port: Port
    """The Service's port, not the container's: a tunnel or a Tailscale Ingress talks to the Service."""
    scheme: Scheme = "http"
    """What it speaks."""
    port_name: Literal["https"] | None = None
    """At tailnet and funnel: `https`, where the Service's port has that name. Tailscale's operator speaks https to such
    a port, and to 443."""
    target_port: TargetPort | None = None
    """The port of the pods, by number or name, where Gatehouse makes the Service (`selector`); `port` otherwise."""
    other_ports: Annotated[list[OtherPort], Field(min_length=1)] | None = None
    """More ports under the same name: TCP and UDP on the tailnet."""
    through_ingress: Literal["managed", "existing"] | None = None
    """Reach the Service through the node's ingress controller, which holds its certificate: `managed` registers
    the Ingress (with cert-manager's annotation), `existing` uses the one you have."""
    selector: Annotated[dict[SelectorKey, SelectorValue], Field(min_length=1)] | None = None
    """The labels of its pods: Gatehouse then makes a Service of its own, at gate port-forward, and for TCP or UDP on
    the tailnet. Without them the tailnet takes the Service as it is."""


class NodeOrigin(Model):
    """A port of the node itself, such as SSH or a NodePort."""

    on_node: Literal[True]
    """Says that the origin is the node itself."""
    port: Port
    """The node's port."""
    scheme: Scheme = "tcp"
    """What it speaks."""


class UrlOrigin(Model):
    """Something that is not in the cluster, by URL: scheme, host and port, and no path."""

    url: str
    """Such as `http://192.168.0.9:8123`."""


def _origin_shape(value: object) -> str:
    if isinstance(value, UrlOrigin) or (isinstance(value, dict) and "url" in value):
        return "url"
    if isinstance(value, NodeOrigin) or (isinstance(value, dict) and "on_node" in value):
        return "on_node"
    return "service"


Origin: TypeAlias = Annotated[
    Annotated[ServiceOrigin, Tag("service")] | Annotated[NodeOrigin, Tag("on_node")] | Annotated[UrlOrigin, Tag("url")],
    Discriminator(_origin_shape),
]


class ForwardedPort(Model):
    """One port that the router forwards to the node."""

    external_port: Port
    """The port on the router's public address."""
    protocol: Literal["tcp", "udp"]
    """What the router forwards."""
    service_port: Port
    """The port of the Service in the cluster."""
    target_port: TargetPort | None = None
    """The port of the pods, by number or name; `service_port` otherwise."""
    node_port: NodePort
    """The node's port that the router forwards to."""


class OriginRequest(Model):
    """cloudflared's settings for the way to the origin."""

    connect_timeout_seconds: Annotated[int, Field(ge=1, le=300)] | None = None
    """Whole seconds: cloudflared's remote configuration takes nothing finer. 30 by default."""
    http_host_header: HostHeader | None = None
    """Overrides the Host header; a wrong one is answered 404 by an ingress controller."""
    http2_origin: bool = False
    """Speak HTTP/2 to the origin; https only."""


class CorsHeaders(Model):
    """What Access answers to a browser's preflight (CORS): which other pages may send requests to the service.

    The service's answers to the requests themselves need headers of its own.
    """

    allowed_origins: Annotated[tuple[WebOrigin, ...], Field(min_length=1, strict=False)]
    """The pages, by origin, such as `https://app.example.com`; `["*"]` is every page, without credentials."""
    allowed_methods: Annotated[tuple[Method, ...], Field(min_length=1, strict=False)]
    """Such as `[GET, POST]`; `["*"]` is every one."""
    allowed_headers: Annotated[tuple[HeaderName, ...], Field(strict=False)] = ()
    """Headers that a request may have; `["*"]` is every one."""
    allow_credentials: bool = False
    """The login's cookie goes with them: such a page acts as whoever has it open."""
    max_age: Annotated[int, Field(ge=-1, le=86400)] | None = None
    """How many seconds a browser keeps the answer; -1 is not at all."""

    @model_validator(mode="after")
    def _alone(self) -> CorsHeaders:
        for allowed in (self.allowed_origins, self.allowed_methods, self.allowed_headers):
            if "*" in allowed and len(allowed) > 1:
                raise PydanticCustomError(
                    "cors", "`*` is every one, so nothing stands beside it", {"fix": "leave the others out"}
                )
        if self.allow_credentials and "*" in self.allowed_origins:
            # The provider refuses both together [TFC zero_trust_access_application, schema.go], and browsers do.
            raise PydanticCustomError(
                "cors",
                "with `allow_credentials`, every page on the web would act as whoever is logged in: browsers and "
                "Cloudflare refuse it for `*`",
                {"fix": "name the origins, or leave `allow_credentials` out"},
            )
        return self


class AccessSettings(Model):
    """Settings of a service's Access applications, by the provider's names, where they let in people or tokens."""

    session_duration: str | None = None
    """How long a login lasts at this service; the estate's `session_duration` otherwise."""
    cors_headers: CorsHeaders | None = None
    """Access answers preflights itself; without it, 403."""
    app_launcher_visible: bool = True
    """People see a tile in the App Launcher (`<team>.cloudflareaccess.com`)."""
    logo_url: ImageUrl | None = None
    """The tile's image; its server sees who opens the launcher."""
    same_site_cookie_attribute: Literal["none", "lax", "strict"] = "lax"
    """`none`: the login's cookie goes with requests of other sites' pages, which may so act as whoever is logged in.
    `strict`: logins may end in a loop of redirects. Acknowledge `access-weakened`."""
    http_only_cookie_attribute: bool = True
    """False: scripts of the service's pages read the login's cookie. Acknowledge `access-weakened`."""
    skip_interstitial: bool = False
    """`cloudflared access` asks nothing in the browser of who is logged in. Acknowledge `access-weakened`."""

    @property
    def weakened(self) -> tuple[str, ...]:
        """What makes a login worth less, in words."""
        cors = self.cors_headers
        pages = sorted(cors.allowed_origins) if cors and cors.allow_credentials else ()
        found = [f"pages of {page} act as whoever is logged in" for page in pages]
        if self.same_site_cookie_attribute == "none":
            found.append("its cookie goes with requests of other sites' pages")
        if not self.http_only_cookie_attribute:
            found.append("scripts of its pages read its cookie")
        if self.skip_interstitial:
            found.append("a link of `cloudflared access` logs in whoever sent it")
        return tuple(found)


class PathClients(Model):
    """Who may ask for one path of a service, and for what is below it."""

    clients: Literal["nobody", "people", "anyone"] = "people"
    """`anyone`, with no login; named `people`; or `nobody`."""
    people: People | None = None
    """The sets of people let in; the service's own otherwise."""
    tokens: Tokens | None = None
    """Service tokens (estate `tokens`) that are let in too, with no login; with `clients: nobody` they alone."""
    ips: Annotated[Networks, Field(min_length=1, max_length=1000)] | None = None
    """With `clients: anyone`: from these addresses of the internet alone, such as `203.0.113.0/24`; at most 1,000."""

    @field_validator("ips")
    @classmethod
    def _of_anyone(cls, ips: list[str], said: ValidationInfo) -> list[str]:
        if said.data.get("clients", "anyone") != "anyone":
            raise PydanticCustomError(
                "ips",
                "who calls from an address is anyone there, with no login, and this path is for others",
                {"fix": "remove it, or say `clients: anyone` beside it; a set of people has `ips:` of its own"},
            )
        return ips


class Service(Model):
    """One service, said as what it is. The gate is decided from it, with the reason in words."""

    title: Text | None = None
    """The name people know it by; the key as words otherwise."""
    gate: Gate | None = None
    """Only to ask for another gate than the one decided; it is checked against the same facts."""
    gates: Annotated[list[Gate], Field(min_length=1)] | None = None
    """Several ways in, such as `[zero-trust, tailnet]`: the second works when Cloudflare does not."""
    origin: Origin
    """Where it answers."""
    traffic: Literal["html", "non-html", "acme-http-01"]
    """`html` (with low-bandwidth assets), `non-html` (media, files, other protocols), or `acme-http-01` (renewals)."""
    bandwidth: Literal["low", "high"] = "low"
    """`high` for audio, video, photo libraries, backups."""
    sensitivity: Literal["low", "high"] = "high"
    """`low` only where a stranger who opens it does no harm."""
    clients: Clients = "people"
    """`anyone` on the internet, named `people` who log in, devices of the `tailnet`, or `nobody` but for
    what `paths` says."""
    people: People | None = None
    """The sets of people (estate `people`) let in; the estate's `default_people` otherwise."""
    tokens: Tokens | None = None
    """Service tokens (estate `tokens`) that get in by the tunnel too, with no login: apps and scripts."""
    access: AccessSettings | None = None
    """Settings of its Access applications: how long a login lasts, CORS, the launcher's tile, cookies."""
    machines: Machines | None = None
    """Machines that get in on the tailnet too, by tag, such as `tag:ci`; with `clients: tailnet` and no `people` they
    alone."""
    host: str | None = None
    """The public host name; `<service>-<node>.<zone>` otherwise. `*.` in front is every name below."""
    hosts: Annotated[list[str], Field(min_length=1)] | None = None
    """Several host names of one service, the usual one first."""
    redirect_from: Annotated[list[str], Field(min_length=1)] | None = None
    """Host names that redirect to the service's first one, at Cloudflare's edge; for the stack that owns the estate."""
    path: str | None = None
    """The service has this path of its host alone, and what is below it; other services share the host."""
    paths: dict[str, PathClients] = Field(default_factory=dict)
    """Paths with clients of their own, such as `/api: {clients: anyone}`; the longest that matches counts. Acknowledge
    `access-path-bypass` where it lets anyone past the login. At gate funnel these paths alone are served."""
    tailnet_name: str | None = None
    """The machine name on the tailnet; `<service>-<node>` otherwise."""
    own_certificate: bool = False
    """Renews its own Let's Encrypt certificate by HTTP-01 through the tunnel."""
    origin_tls: OriginTls | None = None
    """For an https origin: how its certificate is checked."""
    origin_request: OriginRequest | None = None
    """Finer settings of the way from cloudflared to the origin."""
    port_forward: Annotated[list[ForwardedPort], Field(min_length=1)] | None = None
    """For gate `port-forward`: the ports that the router forwards."""
    funnel_port: int | None = None
    """Funnel's public port; 443 is the only one that the Tailscale operator serves."""
    acknowledge: dict[str, Reason] = Field(default_factory=dict)
    """Risks taken knowingly: rule id to reason."""

    @property
    def asked(self) -> tuple[Gate, ...]:
        """The gates asked for, if any."""
        return tuple(self.gates or ([self.gate] if self.gate else []))

    @property
    def said_hosts(self) -> tuple[str, ...]:
        """The host names that the file gives, if any."""
        return tuple(self.hosts or ([self.host] if self.host is not None else []))


class _Preset(NamedTuple):
    """What is so of an ingress controller where it is installed as its own documents say."""

    namespace: str
    service: str
    class_name: str


Controller: TypeAlias = Literal["traefik", "nginx", "other"]
_PRESETS: Mapping[str, _Preset] = {
    # k3s's own [k3s-io/k3s manifests/traefik.yaml]; the chart by itself is in namespace `traefik`.
    "traefik": _Preset("kube-system", "traefik", "traefik"),
    "nginx": _Preset("ingress-nginx", "ingress-nginx-controller", "nginx"),
    "other": _Preset("", "", ""),
}


def controller_at(namespace: str, service: str) -> dict[str, str]:
    """What to say in the stack file of a controller whose Service this is; nothing where its kind is not known."""
    for kind, preset in _PRESETS.items():
        if service == preset.service:
            return {"kind": kind} if namespace == preset.namespace else {"kind": kind, "namespace": namespace}
    return {}


def _preset(field: str) -> Any:
    """The field as the controller's kind has it, where it is not said; empty for `other`."""
    return Field(default_factory=lambda said: getattr(_PRESETS[said.get("kind", "traefik")], field))


class IngressController(Model):
    """The node's ingress controller, by its kind; each value that is said takes the place of the kind's own."""

    kind: Controller = "traefik"
    """`traefik` (k3s's own, or its chart), `nginx` (ingress-nginx, retired in 2026), or `other`."""
    namespace: Label = _preset("namespace")
    """Of its Service: `kube-system` for traefik, `ingress-nginx` for nginx; needed for `other`."""
    service: Label = _preset("service")
    """The name of its Service: `traefik`, `ingress-nginx-controller`; needed for `other`."""
    http_port: Port = 80
    """The Service's port for http, where challenges go."""
    https_port: Port = 443
    """The Service's port for https."""
    class_name: Label = _preset("class_name")
    """Its IngressClass: `traefik`, `nginx`; needed for `other`."""
    cluster_issuer: Label = "letsencrypt-prod"
    """cert-manager's ClusterIssuer for Ingresses that Gatehouse manages."""
    on_lan: bool = True
    """It listens at the node's address at home too, on ports 80 and 443, as k3s's does: everybody there gets to what is
    behind it, past Access."""

    @property
    def known(self) -> bool:
        """Whether it is said where it is; otherwise that is a finding."""
        return all((self.namespace, self.service, self.class_name))


class Connector(Model):
    """cloudflared in the cluster."""

    namespace: Label = "cloudflared"
    """The namespace made for it, and held to Pod Security `restricted`: nothing else is in it."""
    replicas: int = 2
    """At most 25 a tunnel (Cloudflare's limit); 2 keep the tunnel up while one restarts."""
    image: str | None = None
    """Another image than the pinned one, with a tag or digest."""
    protocol: Literal["auto", "quic", "http2"] = "auto"
    """A fixed protocol has no fallback when the network blocks it."""
    open_ports: list[Port] = Field(default_factory=list)
    """Ports that its NetworkPolicy opens at every address: of origins whose pods are on the host's network, of the node
    itself under Cilium, 53 for a DNS cache at another address than 169.254.0.0/16."""


class ExitNode(Model):
    """Who reaches the internet by the node."""

    people: People | None = None
    """The sets of people; the estate's `default_people` otherwise."""


class Route(ExitNode):
    """A range of the home network that people reach by the node, from their devices on the tailnet."""

    to: HomeRange
    """Such as `192.168.1.0/24`, or `192.168.1.40/32` for one machine."""
    ports: Annotated[list[RoutePort], Field(min_length=1)] | None = None
    """The ports that are open there, such as `tcp:631`; every one otherwise."""


class ProxyGroup(Model):
    """The Tailscale operator's proxies that the services of a node share."""

    replicas: Annotated[int, Field(ge=1, le=10)] = 2
    """How many pods, each a machine of the tailnet; with 2 nothing is down while one restarts."""


def keys_or_true(value: object) -> object:
    """What is said by keys, or by `true` where their defaults do."""
    return {} if value is True else None if value is False else value


def _route(value: object) -> object:
    return {"to": value} if isinstance(value, str) else value


class Node(Model):
    """The single-node cluster that this stack is for."""

    name: Label
    """The node's short name; host names end in it."""
    router_ipv4: IPv4 | None = None
    """The router's public address; needed by gate `port-forward` and `public_record` alone."""
    lan_ipv4: IPv4
    """The node's address at home."""
    tailnet_ipv4: IPv4 | None = None
    """The node's address on the tailnet (`tailscale ip -4`)."""
    context: Text
    """The kubectl context of its cluster."""
    public_record: bool = False
    """Register the proxied record `<node>.<zone>` that points at the router."""
    ingress_controller: IngressController = IngressController()
    """The cluster's ingress controller, where ACME challenges go."""
    connector: Connector = Connector()
    """cloudflared in the cluster."""
    tailscale_operator: Literal["none", "existing", "helm"] = "none"
    """`helm` installs the Tailscale operator from its chart (needs the network), `existing` uses yours."""
    operator_key: Annotated[int, Field(ge=1)] = 1
    """With `helm`: which OAuth client of the operator this is; another number makes a new one and deletes the old one
    (`gatehouse rotate tailscale-key`)."""
    proxy_group: Annotated[
        ProxyGroup | None, BeforeValidator(keys_or_true, json_schema_input_type=bool | ProxyGroup | None)
    ] = None
    """Services on the tailnet share the proxies of one `ProxyGroup`, in place of a pod each: `true`, or keys."""
    exit_node: Annotated[
        ExitNode | None, BeforeValidator(keys_or_true, json_schema_input_type=bool | ExitNode | None)
    ] = None
    """People reach the internet by the node, and so from its address: `true`, or keys that say who."""
    routes: list[Annotated[Route, BeforeValidator(_route, json_schema_input_type=HomeRange | Route)]] = Field(
        default_factory=list
    )
    """Ranges of the home network that people reach by the node, each alone or with keys that say who and which
    ports."""
    manifests_folder: str | None = None
    """Render the cluster's manifests to this folder, for GitOps, in place of applying them."""
