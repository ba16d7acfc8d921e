"""The plan: what a stack is to register, decided and ordered, before any cloud knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from config.services import Connector, Gate, IngressController
from config.stack import Estate, Zone

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


@dataclass(frozen=True)
class OriginSettings:
    """cloudflared's `originRequest` for one rule; None leaves cloudflared's default [CFD config/configuration.go]."""

    origin_server_name: str | None = None
    match_sni_to_host: bool = False
    ca_pool: str | None = None
    no_tls_verify: bool = False
    http2_origin: bool = False
    http_host_header: str | None = None
    connect_timeout_seconds: int | None = None


@dataclass(frozen=True)
class TunnelRule:
    """One rule of a tunnel's list.

    `applications` names the Access applications whose AUD cloudflared accepts; empty means that no JWT is asked for.
    `path` is an RE2 expression, matched unanchored by cloudflared, so ours start with `^/`.
    """

    host: str | None
    path: str | None
    origin: str
    service: str | None = None
    applications: tuple[str, ...] = ()
    settings: OriginSettings = OriginSettings()


@dataclass(frozen=True)
class AccessApplication:
    """An Access application for a host, or for one path of it.

    `people` is the set let in by the reusable policy; None is a bypass, for a path only.
    """

    name: str
    """Logical name, from the service's key."""
    title: str
    service: str
    host: str
    path: str | None = None
    people: str | None = None

    @property
    def uri(self) -> str:
        """The destination as Access writes it: host and path, no scheme, no trailing slash."""
        return f"{self.host}{self.path or ''}"


@dataclass(frozen=True)
class DnsRecord:
    """A record of the zone. `target` None is the stack's tunnel, through a proxied CNAME."""

    name: str
    """Logical name."""
    host: str
    target: str | None = None
    proxied: bool = True
    service: str | None = None


@dataclass(frozen=True)
class TailscaleIngress:
    """Serve or Funnel by an Ingress of the Tailscale operator, in the Service's own namespace."""

    service: str
    namespace: str
    backend: str
    port: int
    machine: str
    """First label of the tailnet name."""
    tag: str
    funnel: bool


@dataclass(frozen=True)
class TailscaleService:
    """A TCP or UDP Service given a tailnet address by the Tailscale operator."""

    service: str
    namespace: str
    backend: str
    port: int
    protocol: Literal["TCP", "UDP"]
    machine: str
    tag: str
    selector: Mapping[str, str] | None = None


@dataclass(frozen=True)
class ForwardedService:
    """A NodePort Service behind ports that the router forwards."""

    service: str
    namespace: str
    selector: Mapping[str, str]
    ports: tuple[tuple[str, str, int, int, int], ...]
    """(name, protocol TCP/UDP, external port, Service port, node port)."""


@dataclass(frozen=True)
class ManagedIngress:
    """An Ingress of the node's controller with its own Let's Encrypt certificate."""

    service: str
    namespace: str
    backend: str
    port: int
    scheme: str
    host: str


@dataclass(frozen=True)
class HandWork:
    """What a person has to do. `values` are literal; `outputs` names stack outputs that hold the rest."""

    key: str
    title: str
    steps: tuple[str, ...]
    service: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exposure:
    """One service as `explain` shows it."""

    service: str
    title: str
    gate: Gate
    asked_for: bool
    reason: str
    cautions: tuple[str, ...]
    url: str
    reaches: str
    hand_work: tuple[str, ...] = ()


@dataclass(frozen=True)
class PeopleSet:
    """A set of people for Access: one group, and one policy that includes only that group."""

    name: str
    emails: tuple[str, ...]


@dataclass(frozen=True)
class ExposurePlan:
    """All that one stack registers."""

    stack: str
    node: str
    owner: str | None
    """Reference to the owner's stack, or None where this stack owns the estate."""
    estate: Estate
    connector: Connector
    ingress_controller: IngressController
    context: str
    manifests_folder: str | None
    operator: Literal["none", "existing", "helm"]
    operator_key: int
    """Counts the operator's OAuth clients."""
    zone: Zone
    exposures: tuple[Exposure, ...]
    rules: tuple[TunnelRule, ...]
    applications: tuple[AccessApplication, ...]
    records: tuple[DnsRecord, ...]
    people: tuple[PeopleSet, ...]
    tailscale_ingresses: tuple[TailscaleIngress, ...]
    tailscale_services: tuple[TailscaleService, ...]
    forwarded: tuple[ForwardedService, ...]
    managed_ingresses: tuple[ManagedIngress, ...]
    tailnet_policy: Mapping[str, Json] | None
    """The whole tailnet's policy; None in a member's stack or without a tailnet."""
    hand_work: tuple[HandWork, ...]
    adopt: Mapping[str, str] = field(default_factory=dict)
    """What was there before, to be left as it was found: `<type>/<logical name>` to the import id."""
    recover: Mapping[str, str] = field(default_factory=dict)
    """What Gatehouse made and its state lost, in the same form."""

    @property
    def owns_estate(self) -> bool:
        """Whether zone, people and tailnet are registered by this stack."""
        return self.owner is None
