"""From a typed stack file to everything that the stack registers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

from config.loader import LoadedStack
from config.services import GATES, Node, NodeOrigin, OriginTls, Service, ServiceOrigin
from config.stack import Estate, owner_reference, owner_stack
from exposure import handwork
from exposure.decide import chosen
from exposure.ingress import acme_rule, general_rule, in_order, open_path_rule
from exposure.model import (
    AccessApplication,
    DnsRecord,
    Exposure,
    ExposurePlan,
    ForwardedService,
    HandWork,
    Json,
    ManagedIngress,
    OriginSettings,
    PeopleSet,
    TailscaleIngress,
    TailscaleService,
    TunnelRule,
)
from exposure.names import (
    ACME_PATH,
    FUNNEL_TAG,
    host_of,
    machine_of,
    origin_url,
    scheme_of,
    service_tag,
    title_of,
)
from exposure.tailnet import TailnetService, policy, tailnet_service


def plan_stack(stack: LoadedStack, project: Mapping[str, LoadedStack]) -> ExposurePlan:
    """The plan of one stack whose findings are empty; `project` holds every stack, for what they share.

    Raises ValueError where the stack was not checked first.
    """
    config, estate = stack.config, stack.estate
    if config is None or estate is None or any(f.severity == "error" for f in stack.findings):
        raise ValueError(f"stack {stack.name} has findings; check it first")
    builder = _Builder(config.node, estate, config.services)
    for key, service in sorted(config.services.items()):
        builder.add(key, service)
    node = config.node
    owner = owner_reference(config.member_of) if config.member_of else None
    family = [s for s in project.values() if s.config and s.estate is estate]
    people = sorted({name for member in family for name in _access_people(member, estate)}) if owner is None else []
    ssh = any(e.gate == "tailnet" for e in builder.exposures)
    hand_work: list[HandWork] = []
    if owner is None:
        everyone = {*people, *(_people(s, estate) for m in family for _, s in _gated(m, "tailnet"))}
        hand_work += handwork.for_estate(estate, everyone)
    elif builder.private or builder.tailscale_ingresses:
        hand_work.append(
            HandWork(
                "owner-first",
                "Bring the estate's owner up first",
                (f"Its tailnet policy names what {node.name} offers: pulumi up --stack {owner_stack(owner)}",),
            )
        )
    hand_work += handwork.for_node(node, estate.tailnet is not None, ssh)
    hand_work += handwork.for_operator(
        node.tailscale_operator, len(builder.tailscale_ingresses) + len(builder.tailscale_services)
    )
    hand_work += handwork.for_certificates(
        config.services, node.ingress_controller.cluster_issuer, node.ingress_controller.class_name
    )
    hand_work += handwork.for_router(node, builder.forwarded)
    if node.manifests_folder:
        hand_work.append(
            HandWork(
                "connector-secret",
                "Give the connector its token",
                (
                    "The rendered manifests hold no secret. In the cluster:",
                    f"kubectl -n {node.connector.namespace} create secret generic cloudflared-token"
                    ' --from-literal=token="$(pulumi stack output --show-secrets tunnel_token)"',
                ),
                outputs=("tunnel_token",),
            )
        )
    records = list(builder.records)
    if node.public_record:
        records.append(DnsRecord(node.name, f"{node.name}.{estate.zone.name}", node.router_ipv4))
    return ExposurePlan(
        stack=stack.name,
        node=node.name,
        owner=owner,
        estate=estate,
        connector=node.connector,
        ingress_controller=node.ingress_controller,
        context=node.context,
        manifests_folder=node.manifests_folder,
        operator=node.tailscale_operator,
        operator_key=node.operator_key,
        zone=estate.zone,
        exposures=tuple(sorted(builder.exposures, key=lambda e: (GATES.index(e.gate), e.service))),
        rules=in_order(builder.rules),
        applications=tuple(builder.applications),
        records=tuple(records),
        people=tuple(PeopleSet(name, tuple(sorted(set(estate.people[name])))) for name in people),
        tailscale_ingresses=tuple(builder.tailscale_ingresses),
        tailscale_services=tuple(builder.tailscale_services),
        forwarded=tuple(builder.forwarded),
        managed_ingresses=tuple(builder.managed_ingresses),
        tailnet_policy=estate_policy(family, estate) if owner is None and estate.tailnet else None,
        hand_work=tuple(hand_work),
        adopt=dict(sorted(config.adopt.items())),
        recover=dict(sorted(config.recover.items())),
    )


def estate_policy(family: Sequence[LoadedStack], estate: Estate) -> dict[str, Json]:
    """The tailnet policy from every stack of the estate."""
    private: list[TailnetService] = []
    nodes: list[str] = []
    funnels = False
    for member in family:
        assert member.config
        nodes.append(member.config.node.name)
        private += [
            tailnet_service(key, service, member.config.node.name, _people(service, estate))
            for key, service in _gated(member, "tailnet")
        ]
        funnels = funnels or any(True for _ in _gated(member, "funnel"))
    return policy(estate, sorted(nodes), private, funnels)


def _gated(stack: LoadedStack, gate: str) -> Iterable[tuple[str, Service]]:
    services = stack.config.services if stack.config else {}
    return [(key, s) for key, s in sorted(services.items()) if chosen(s).gate == gate]


def _access_people(stack: LoadedStack, estate: Estate) -> set[str]:
    return {_people(s, estate) for _, s in _gated(stack, "zero-trust")}


def _people(service: Service, estate: Estate) -> str:
    return service.people or estate.default_people or ""


class _Builder:
    """Gathers what each service contributes."""

    def __init__(self, node: Node, estate: Estate, services: Mapping[str, Service]) -> None:
        self.node = node
        self.estate = estate
        self.services = services
        self.solver = next((s for s in services.values() if s.traffic == "acme-http-01"), None)
        self.rules: list[TunnelRule] = []
        self.applications: list[AccessApplication] = []
        self.records: list[DnsRecord] = []
        self.tailscale_ingresses: list[TailscaleIngress] = []
        self.tailscale_services: list[TailscaleService] = []
        self.forwarded: list[ForwardedService] = []
        self.managed_ingresses: list[ManagedIngress] = []
        self.private: list[TailnetService] = []
        self.exposures: list[Exposure] = []

    def add(self, key: str, service: Service) -> None:
        decision = chosen(service)
        title = title_of(key, service)
        host = host_of(key, service, self.node.name, self.estate.zone.name)
        reaches, url, work = {
            "public-tunnel": self._public_tunnel,
            "zero-trust": self._zero_trust,
            "acme": self._acme,
            "funnel": self._funnel,
            "tailnet": self._tailnet,
            "port-forward": self._port_forward,
        }[decision.gate](key, service, title, host)
        self.exposures.append(
            Exposure(
                key,
                title,
                decision.gate,
                service.gate is not None,
                decision.reason,
                decision.cautions,
                url,
                reaches,
                work,
            )
        )

    def _public_tunnel(self, key: str, service: Service, title: str, host: str) -> tuple[str, str, tuple[str, ...]]:
        self._tunnel_host(key, service, title, host, ())
        return "anyone on the internet", f"https://{host}/", ()

    def _zero_trust(self, key: str, service: Service, title: str, host: str) -> tuple[str, str, tuple[str, ...]]:
        people = _people(service, self.estate)
        applications = [AccessApplication(key, title, key, host, None, people)]
        names = path_names(key, service.path_exceptions)
        applications += [AccessApplication(names[p], f"{title} {p}", key, host, p) for p in sorted(names)]
        if service.own_certificate:
            applications.append(AccessApplication(f"{key}-acme", f"{title} ACME", key, host, ACME_PATH))
        self.applications += applications
        self._tunnel_host(key, service, title, host, tuple(a.name for a in applications))
        for path in sorted(names):
            self.rules.append(open_path_rule(key, host, path, self._origin(service), self._settings(service, host)))
        count = len(set(self.estate.people.get(people, ())))
        reaches = f"{people} ({count} {'person' if count == 1 else 'people'}) after Google login"
        if names:
            reaches += f"; anyone: {' '.join(sorted(names))}"
        return reaches, f"https://{host}/", ("google",)

    def _tunnel_host(self, key: str, service: Service, title: str, host: str, applications: tuple[str, ...]) -> None:
        if service.own_certificate and self.solver is not None:
            self.rules.append(acme_rule(key, host, origin_url(self.solver, self.node.lan_ipv4)))
        self.rules.append(general_rule(key, host, self._origin(service), applications, self._settings(service, host)))
        self.records.append(DnsRecord(key, host, service=key))
        origin = service.origin
        if isinstance(origin, ServiceOrigin) and origin.through_ingress == "managed":
            self.managed_ingresses.append(
                ManagedIngress(key, origin.namespace, origin.service, origin.port, origin.scheme, host)
            )

    def _acme(self, key: str, service: Service, title: str, host: str) -> tuple[str, str, tuple[str, ...]]:
        hosts = [
            host_of(k, s, self.node.name, self.estate.zone.name)
            for k, s in sorted(self.services.items())
            if s.own_certificate
        ]
        url = ", ".join(f"http://{h}{ACME_PATH}/" for h in hosts)
        return "Let's Encrypt (anyone): that path alone", url, ("cluster-issuer",)

    def _funnel(self, key: str, service: Service, title: str, host: str) -> tuple[str, str, tuple[str, ...]]:
        assert isinstance(service.origin, ServiceOrigin)
        assert self.estate.tailnet
        machine = machine_of(key, service, self.node.name)
        origin = service.origin
        self.tailscale_ingresses.append(
            TailscaleIngress(key, origin.namespace, origin.service, origin.port, machine, FUNNEL_TAG, True)
        )
        return (
            "anyone on the internet who knows the name",
            f"https://{machine}.{self.estate.tailnet.name}/",
            ("tailscale-operator",) if self.node.tailscale_operator != "helm" else (),
        )

    def _tailnet(self, key: str, service: Service, title: str, host: str) -> tuple[str, str, tuple[str, ...]]:
        assert self.estate.tailnet
        people = _people(service, self.estate)
        private = tailnet_service(key, service, self.node.name, people)
        self.private.append(private)
        reaches = f"{people}, from devices of the tailnet"
        tailnet = self.estate.tailnet.name
        origin = service.origin
        if isinstance(origin, NodeOrigin):
            scheme = "ssh" if origin.port == 22 else origin.scheme
            port = "" if origin.port == 22 else f":{origin.port}"
            return reaches, f"{scheme}://{self.node.name}.{tailnet}{port}", ("tailscale-up",)
        assert isinstance(origin, ServiceOrigin)
        machine = machine_of(key, service, self.node.name)
        tag = service_tag(key, self.node.name)
        work = ("tailscale-operator",) if self.node.tailscale_operator != "helm" else ()
        if scheme_of(service) in ("http", "https"):
            self.tailscale_ingresses.append(
                TailscaleIngress(key, origin.namespace, origin.service, origin.port, machine, tag, False)
            )
            return reaches, f"https://{machine}.{tailnet}/", work
        self.tailscale_services.append(
            TailscaleService(
                key,
                origin.namespace,
                origin.service,
                origin.port,
                "UDP" if origin.scheme == "udp" else "TCP",
                machine,
                tag,
                origin.selector,
            )
        )
        return reaches, f"{origin.scheme}://{machine}.{tailnet}:{origin.port}", work

    def _port_forward(self, key: str, service: Service, title: str, host: str) -> tuple[str, str, tuple[str, ...]]:
        assert isinstance(service.origin, ServiceOrigin)
        assert service.port_forward
        ports = tuple(
            (
                f"{p.protocol}-{p.service_port}",
                p.protocol.upper(),
                p.external_port,
                p.service_port,
                p.node_port,
            )
            for p in service.port_forward
        )
        self.forwarded.append(
            ForwardedService(key, service.origin.namespace, dict(service.origin.selector or {}), ports)
        )
        self.records.append(DnsRecord(key, host, self.node.router_ipv4, proxied=False, service=key))
        url = ", ".join(f"{protocol.lower()}://{host}:{external}" for _, protocol, external, _, _ in ports)
        return "anyone on the internet", url, (f"router-{key}",)

    def _origin(self, service: Service) -> str:
        origin = service.origin
        if isinstance(origin, ServiceOrigin) and origin.through_ingress:
            controller = self.node.ingress_controller
            return f"https://{controller.service}.{controller.namespace}.svc.cluster.local:{controller.https_port}"
        return origin_url(service, self.node.lan_ipv4)

    def _settings(self, service: Service, host: str) -> OriginSettings:
        tls = service.origin_tls or OriginTls()
        request = service.origin_request
        https = self._origin(service).startswith("https:")
        by_name = https and service.own_certificate and not (tls.match_sni_to_host or tls.no_tls_verify or tls.ca_pool)
        return OriginSettings(
            origin_server_name=tls.origin_server_name or (host if by_name else None),
            match_sni_to_host=tls.match_sni_to_host,
            ca_pool=tls.ca_pool,
            no_tls_verify=tls.no_tls_verify,
            http2_origin=bool(request and request.http2_origin),
            http_host_header=request.http_host_header if request else None,
            connect_timeout_seconds=request.connect_timeout_seconds if request else None,
        )


def path_names(key: str, paths: Iterable[str]) -> dict[str, str]:
    """A logical name for each path exception; two paths with one slug are told apart by a hash."""
    paths = sorted(set(paths))
    slugs = {p: re.sub(r"[^a-z0-9]+", "-", p.lower()).strip("-") or "root" for p in paths}
    taken = list(slugs.values())
    return {
        p: f"{key}-path-{slug}" + (f"-{hashlib.sha256(p.encode()).hexdigest()[:6]}" if taken.count(slug) > 1 else "")
        for p, slug in slugs.items()
    }
