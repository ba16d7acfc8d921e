"""What each component of the package takes. Read by Pulumi's analyzer: real annotations, one docstring a key.

What a decision or a name is made of is plain; what only goes to a cloud may be another resource's output.
"""

# No `from __future__ import annotations`: the analyzer reads types, not their text.
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

import pulumi


class Ssl(StrEnum):
    """How Cloudflare speaks to origins outside the tunnel."""

    OFF = "off"
    FLEXIBLE = "flexible"
    FULL = "full"
    STRICT = "strict"


class MinTls(StrEnum):
    """The oldest TLS that browsers may speak."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class Protocol(StrEnum):
    """What a port carries."""

    TCP = "tcp"
    UDP = "udp"


class Scheme(StrEnum):
    """What a Service speaks."""

    HTTP = "http"
    HTTPS = "https"


class Controller(StrEnum):
    """The kind of an ingress controller."""

    TRAEFIK = "traefik"
    NGINX = "nginx"
    OTHER = "other"


class EdgeProtocol(StrEnum):
    """What cloudflared speaks to Cloudflare; a fixed one has no fallback when the network blocks it."""

    AUTO = "auto"
    QUIC = "quic"
    HTTP2 = "http2"


class Hsts(TypedDict):
    """Strict-Transport-Security, with no way back before it ends."""

    max_age_seconds: int
    """How long a browser keeps to it; at most 31536000."""
    include_subdomains: NotRequired[bool]
    """For every name below the zone. Default: false."""
    preload: NotRequired[bool]
    """Ask browsers to know it without a first visit. Default: false."""


class ZoneArgs(TypedDict):
    """The Cloudflare zone."""

    account_id: pulumi.Input[str]
    """The Cloudflare account's id: 32 hexadecimal digits, in its dashboard's address."""
    zone: pulumi.Input[str]
    """The registered domain, such as `example.com`."""
    dnssec: NotRequired[bool]
    """Sign the zone. Default: true."""
    ssl: NotRequired[Ssl]
    """How Cloudflare speaks to origins outside the tunnel. Default: strict."""
    min_tls_version: NotRequired[MinTls]
    """The oldest TLS that browsers may speak: 1.2 or 1.3. Default: 1.2."""
    always_use_https: NotRequired[bool]
    """Redirect http to https. Default: true."""
    automatic_https_rewrites: NotRequired[bool]
    """Rewrite http links in pages. Default: true."""
    hsts: NotRequired[Hsts]
    """Off unless given."""


class GoogleArgs(TypedDict):
    """The one login method, and who may use it."""

    account_id: pulumi.Input[str]
    """The Cloudflare account's id: 32 hexadecimal digits, in its dashboard's address."""
    team: str
    """The Zero Trust team's bare name: one DNS label, what stands before `.cloudflareaccess.com`."""
    client_id: pulumi.Input[str]
    """The OAuth client's id, which ends in `.apps.googleusercontent.com`."""
    client_secret: pulumi.Input[str]
    """The OAuth client's secret."""
    people: dict[str, list[str]]
    """Sets of people by name: e-mail addresses. What is for two sets together needs one named `admins+household`."""
    nobody: NotRequired[bool]
    """Whether a route, or a path of one, is for nobody. Default: false."""
    session_duration: NotRequired[str]
    """How long a login lasts, in Go units up to hours, such as `30m`. Default: 24h."""


class TunnelArgs(TypedDict):
    """A tunnel, configured by Cloudflare."""

    account_id: pulumi.Input[str]
    """The Cloudflare account's id: 32 hexadecimal digits, in its dashboard's address."""
    tunnel_name: pulumi.Input[str]
    """The tunnel's name in Cloudflare."""
    tunnel_secret: pulumi.Input[str]
    """At least 32 random bytes in base64, such as `openssl rand -base64 32` makes."""


class PathRoute(TypedDict):
    """Whom a path of a route is for, and all below it: exactly one of `people`, `public` and `nobody` is said."""

    people: NotRequired[list[str]]
    """The sets of people (of `policyIds`) that may log in."""
    public: NotRequired[bool]
    """Anyone may open it, without login."""
    nobody: NotRequired[bool]
    """Nobody gets in."""


class Route(TypedDict):
    """Hosts through the tunnel, and whom they are for: exactly one of `people`, `public` and `nobody` is said.

    Nothing is open by omission.
    """

    key: str
    """The service's key; its component is named after it."""
    hosts: list[str]
    """The public host names, the usual one first. Other routes may have other paths of the same host."""
    origin: str
    """Where it answers: scheme, host and port, no path."""
    title: NotRequired[str]
    """The name people know it by. Default: the key."""
    people: NotRequired[list[str]]
    """The sets of people (of `policyIds`) that may log in."""
    public: NotRequired[bool]
    """Anyone may open it, without login."""
    nobody: NotRequired[bool]
    """Nobody gets in, but for what `paths` says."""
    path: NotRequired[str]
    """The part of the hosts that is the route's, such as `/app`. Default: the whole."""
    paths: NotRequired[dict[str, PathRoute]]
    """Paths with an audience of their own, such as `/api`; the longest that matches counts."""
    acme_solver: NotRequired[str]
    """Where HTTP-01 challenges of the hosts go, for one that renews its own certificate."""
    no_tls_verify: NotRequired[bool]
    """Accept any certificate of an https origin. Default: false."""
    origin_server_name: NotRequired[str]
    """The name expected on an https origin's certificate."""
    match_sni_to_host: NotRequired[bool]
    """Expect the request's own host name on an https origin's certificate. Default: false."""
    http2_origin: NotRequired[bool]
    """Speak HTTP/2 to an https origin. Default: false."""
    connect_timeout_seconds: NotRequired[int]
    """How long cloudflared tries to reach the origin: 1 to 300 whole seconds. Default: 30."""
    http_host_header: NotRequired[str]
    """Overrides the Host header."""


class TunnelRoutesArgs(TypedDict):
    """All routes of one tunnel: it has one rule list, so one writer."""

    account_id: pulumi.Input[str]
    """The Cloudflare account's id: 32 hexadecimal digits, in its dashboard's address."""
    zone_id: pulumi.Input[str]
    """The zone that the hosts are in."""
    tunnel_id: pulumi.Input[str]
    """The tunnel."""
    team: str
    """The Zero Trust team's bare name: one DNS label, what stands before `.cloudflareaccess.com`."""
    routes: list[Route]
    """The routes, in any order."""
    identity_provider_id: NotRequired[pulumi.Input[str]]
    """A Google's; needed where anybody logs in."""
    policy_ids: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """A Google's, by set of people; needed where anybody logs in."""
    bypass_policy_id: NotRequired[pulumi.Input[str]]
    """A Google's; needed for paths that anyone may open below others, and for ACME behind login."""
    deny_policy_id: NotRequired[pulumi.Input[str]]
    """A Google's with `nobody`; needed where a route or a path is for nobody."""
    session_duration: NotRequired[str]
    """How long a login lasts, in Go units up to hours, such as `30m`. Default: 24h."""


class ConnectorArgs(TypedDict):
    """cloudflared in the cluster."""

    token: pulumi.Input[str]
    """The tunnel's token."""
    origins: list[str]
    """What it may call: the routes' origins."""
    logins: NotRequired[bool]
    """A route is behind login, so that it fetches the team's public keys. Default: true."""
    namespace: NotRequired[str]
    """The namespace made for it. Default: cloudflared."""
    replicas: NotRequired[int]
    """1 to 25. Default: 2."""
    image: NotRequired[str]
    """Another image than the pinned one, with a tag or digest."""
    protocol: NotRequired[EdgeProtocol]
    """What it speaks to Cloudflare; a fixed one has no fallback. Default: auto."""
    open_ports: NotRequired[list[int]]
    """Ports that its NetworkPolicy opens at every address, such as those of pods on the host's network."""


class ManagedIngressArgs(TypedDict):
    """An Ingress of the node's controller, with a certificate of its own."""

    namespace: str
    """The Service's namespace: one DNS label."""
    service: str
    """The Service's name: one DNS label."""
    port: pulumi.Input[int]
    """The Service's port, 1 to 65535."""
    hosts: list[str]
    """The host names."""
    scheme: NotRequired[Scheme]
    """http or https. Default: http."""
    class_name: NotRequired[str]
    """The IngressClass. Default: nginx."""
    controller: NotRequired[Controller]
    """By which it is told to speak https; `other` speaks http only. Default: nginx."""
    cluster_issuer: NotRequired[pulumi.Input[str]]
    """cert-manager's ClusterIssuer. Default: letsencrypt-prod."""


class FunnelServiceArgs(TypedDict):
    """A Service on the internet by Tailscale Funnel."""

    namespace: pulumi.Input[str]
    """The Service's namespace: one DNS label."""
    service: pulumi.Input[str]
    """The Service's name: one DNS label."""
    port: pulumi.Input[int]
    """The Service's port, 1 to 65535; https is spoken to 443, and http to any other."""
    machine: pulumi.Input[str]
    """First label of its name in the tailnet: at most 63 lower-case letters, digits and hyphens."""
    paths: NotRequired[list[str]]
    """The paths that are served, and what is below them. Default: all."""


class TailnetPort(TypedDict):
    """One port of an address in the tailnet."""

    port: int
    """The port, and the Service's."""
    protocol: NotRequired[Protocol]
    """tcp or udp. Default: tcp."""
    target_port: NotRequired[Any]
    """With `selector`: the pods' port, by number or name. Default: the same."""


class TailnetServiceArgs(TypedDict):
    """A Service for devices of the tailnet only: one port by https, or ports by TCP and UDP."""

    namespace: pulumi.Input[str]
    """The Service's namespace: one DNS label."""
    service: pulumi.Input[str]
    """The Service's name: one DNS label."""
    machine: pulumi.Input[str]
    """First label of its name in the tailnet: at most 63 lower-case letters, digits and hyphens."""
    tag: pulumi.Input[str]
    """The proxy's tag, such as `tag:svc-wiki`: a grant of the tailnet's policy names it."""
    port: NotRequired[pulumi.Input[int]]
    """The Service's port, served by https on 443. Exactly one of `port` and `ports` is said."""
    ports: NotRequired[list[TailnetPort]]
    """Ports of an address of its own, for what is not HTTP."""
    selector: NotRequired[dict[str, str]]
    """With `ports`: the labels of its pods, for a Service of its own. Without them the one that is there is exposed."""


class ForwardedPort(TypedDict):
    """One port that the router forwards to the node."""

    protocol: Protocol
    """tcp or udp."""
    port: int
    """The Service's port, 1 to 65535."""
    node_port: int
    """The node's port, 30000 to 32767."""
    target_port: NotRequired[Any]
    """The pods' port, by number or name. Default: the Service's."""


class PortForwardArgs(TypedDict):
    """NodePorts behind the router, and the names that point at it."""

    namespace: pulumi.Input[str]
    """The pods' namespace."""
    selector: dict[str, str]
    """The pods' labels."""
    ports: list[ForwardedPort]
    """What the router forwards. Its own rule is yours to make."""
    hosts: list[str]
    """The public host names."""
    zone_id: pulumi.Input[str]
    """The zone that the hosts are in."""
    ipv4: pulumi.Input[str]
    """The router's public address."""


class TailnetDns(TypedDict):
    """What every device of the tailnet asks for names. Written as one whole where more than MagicDNS is said."""

    magic_dns: NotRequired[bool]
    """Names for machines. Default: true."""
    nameservers: NotRequired[list[str]]
    """Addresses of what devices ask for all other names."""
    override_local_dns: NotRequired[bool]
    """Devices ask `nameservers`, and not what their network gives them. Default: false."""
    split_dns: NotRequired[dict[str, list[str]]]
    """By domain, addresses of what devices ask for its names and those below it."""
    search_paths: NotRequired[list[str]]
    """Domains that are tried after a name of one word."""


class TailnetSettings(TypedDict):
    """The tailnet's settings. What is not said stays as the tailnet has it."""

    https_enabled: NotRequired[bool]
    """Certificates for `*.ts.net` names. Default: true."""
    devices_approval_on: NotRequired[bool]
    """A new device waits until somebody approves it."""
    users_approval_on: NotRequired[bool]
    """A new user waits until somebody approves them."""
    devices_key_duration_days: NotRequired[int]
    """After how many days a device without a tag logs in again: at most 180."""


class TailnetArgs(TypedDict):
    """The tailnet's policy, DNS and settings."""

    policy: dict[str, Any]
    """The whole policy."""
    dns: NotRequired[TailnetDns]
    """What devices ask for names."""
    settings: NotRequired[TailnetSettings]
    """Certificates, approval, expiry."""
    overwrite: NotRequired[bool]
    """Replace a policy that somebody wrote by hand. Default: false."""


class TailscaleOperatorArgs(TypedDict):
    """The Tailscale operator, from its chart."""

    node: pulumi.Input[str]
    """The node's short name: one DNS label."""
    key: NotRequired[int]
    """Counts the operator's OAuth clients, from 1: another number makes a new one, and deletes the old one last."""
