"""The plan as resources, gate by gate, in the order that keeps a host locked from its birth."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pulumi

from components.acme_http_route import AcmeHttpRoute
from components.estate import EstateIds, estate_of
from components.funnel_service import FunnelService
from components.google import Google
from components.managed_ingress import ManagedIngress
from components.port_forward import PortForward
from components.providers import Providers
from components.public_tunnel_route import PublicTunnelRoute
from components.sdk import cloudflare
from components.tailnet import Tailnet
from components.tailnet_service import TailnetService
from components.tailscale_operator import TailscaleOperator
from components.tunnel import Tunnel, TunnelConfiguration
from components.zero_trust_app import ZeroTrustApp
from components.zone import Zone
from exposure.model import ExposurePlan, TunnelRule
from exposure.names import ACME_EXPRESSION, ACME_PATH


def register_estate(plan: ExposurePlan, providers: Providers, secrets: Mapping[str, pulumi.Output[str]]) -> EstateIds:
    """Zone, Google and policies, and their exports, where this stack owns them; else the owner's ids."""
    if plan.owner is not None:
        return estate_of(plan.owner, sorted({a.people for a in plan.applications if a.people}))
    estate, zone = plan.estate, plan.estate.zone
    registered = Zone(
        "estate",
        account_id=estate.account_id,
        zone=zone.name,
        dnssec=zone.dnssec,
        ssl=zone.ssl,
        min_tls_version=zone.min_tls_version,
        always_use_https=zone.always_use_https,
        automatic_https_rewrites=zone.automatic_https_rewrites,
        hsts=zone.hsts,
        opts=providers.options,
    )
    google = None
    if estate.google:
        google = Google(
            "google",
            account_id=estate.account_id,
            team=estate.team,
            client_id=estate.google.client_id,
            client_secret=secrets["google_client_secret"],
            people=plan.people,
            session_duration=estate.session_duration,
            opts=providers.options,
        )
        pulumi.export("redirect_uri", google.redirect_uri)
    pulumi.export("name_servers", registered.name_servers)
    pulumi.export("ds_record", registered.ds_record)
    pulumi.export("ds", registered.ds)
    ids = EstateIds(
        registered.zone_id,
        google.identity_provider_id if google else None,
        google.policy_ids if google else {},
        google.bypass_policy_id if google else None,
        (registered.zone,),
    )
    # Members read these by StackReference.
    pulumi.export("zone_id", ids.zone_id)
    pulumi.export("identity_provider_id", ids.identity_provider_id)
    pulumi.export("policy_ids", dict(ids.policy_ids))
    pulumi.export("bypass_policy_id", ids.bypass_policy_id)
    return ids


def register_tunnel(
    plan: ExposurePlan, providers: Providers, estate: EstateIds, tunnel: Tunnel
) -> tuple[TunnelRule, ...]:
    """Everything that comes in through the tunnel. Returns the rules.

    First every Access application, then the one rule list with their AUDs, then the DNS records.
    """
    account_id = plan.estate.account_id
    general = {r.service: r for r in plan.rules if r.path is None and r.service}
    hosts = [a for a in plan.applications if a.path is None]
    protected = {a.service for a in hosts}
    titles = {a.name: a.title for a in plan.applications}
    exceptions: dict[str, list[str]] = {}
    for application in plan.applications:
        if application.path is not None and application.path != ACME_PATH:
            exceptions.setdefault(application.service, []).append(application.path)
    acme: dict[str, AcmeHttpRoute] = {}
    for rule in plan.rules:
        if rule.service and rule.host and rule.path == ACME_EXPRESSION:
            behind_access = rule.service in protected
            acme[rule.service] = AcmeHttpRoute(
                f"{rule.service}-acme",
                service=rule.service,
                host=rule.host,
                solver=rule.origin,
                title=titles.get(f"{rule.service}-acme"),
                account_id=account_id,
                bypass_policy_id=estate.bypass_policy_id if behind_access else None,
                after=estate.zone,
                opts=providers.options,
            )
    routes: list[ZeroTrustApp | PublicTunnelRoute] = []
    for application in hosts:
        rule = general[application.service]
        assert application.people
        assert estate.identity_provider_id is not None
        routes.append(
            ZeroTrustApp(
                application.service,
                account_id=account_id,
                host=application.host,
                title=application.title,
                origin=rule.origin,
                identity_provider_id=estate.identity_provider_id,
                policy_id=estate.policy_ids[application.people],
                bypass_policy_id=estate.bypass_policy_id,
                path_exceptions=exceptions.get(application.service, ()),
                also=acme[application.service].auds if application.service in acme else None,
                settings=rule.settings,
                session_duration=plan.estate.session_duration,
                after=estate.zone,
                opts=providers.options,
            )
        )
    for service, rule in general.items():
        if service not in protected:
            assert rule.host
            routes.append(
                PublicTunnelRoute(
                    service,
                    host=rule.host,
                    origin=rule.origin,
                    settings=rule.settings,
                    opts=providers.options,
                )
            )
    auds = {
        k: v
        for part in (*acme.values(), *routes)
        if not isinstance(part, PublicTunnelRoute)
        for k, v in part.auds.items()
    }
    rules = [rule for part in (*acme.values(), *routes) for rule in part.rules]
    configuration = TunnelConfiguration(
        plan.node,
        account_id=account_id,
        tunnel_id=tunnel.tunnel_id,
        team=plan.estate.team,
        rules=rules,
        auds=auds,
        opts=providers.options,
    )
    for route in routes:
        if isinstance(route, ZeroTrustApp):
            others = acme[route.name].applications if route.name in acme else []
            route.publish(zone_id=estate.zone_id, tunnel_id=tunnel.tunnel_id, after=configuration, applications=others)
        else:
            route.publish(zone_id=estate.zone_id, tunnel_id=tunnel.tunnel_id, after=configuration)
    for ingress in plan.managed_ingresses:
        ManagedIngress(
            f"{ingress.service}-ingress",
            namespace=ingress.namespace,
            service=ingress.backend,
            port=ingress.port,
            scheme=ingress.scheme,
            host=ingress.host,
            class_name=plan.ingress_controller.class_name,
            cluster_issuer=plan.ingress_controller.cluster_issuer,
            opts=providers.options,
        )
    return plan.rules


def register_tailnet(plan: ExposurePlan, providers: Providers) -> None:
    """The tailnet's policy where this stack owns it, then the operator, then what is annotated for Funnel or Serve."""
    first: list[pulumi.Resource] = []
    tailnet = plan.estate.tailnet
    if plan.tailnet_policy is not None and tailnet:
        registered = Tailnet(
            "tailnet",
            policy=plan.tailnet_policy,
            magic_dns=tailnet.magic_dns,
            https=tailnet.https,
            overwrite=tailnet.overwrite_policy,
            opts=providers.options,
        )
        first.append(registered.acl)
    if plan.operator == "helm":
        operator = TailscaleOperator(
            "tailscale-operator", node=plan.node, key=plan.operator_key, after=list(first), opts=providers.options
        )
        first.append(operator.release)
    for ingress in plan.tailscale_ingresses:
        kind: Callable[..., object] = FunnelService if ingress.funnel else TailnetService
        kind(
            ingress.service,
            namespace=ingress.namespace,
            service=ingress.backend,
            port=ingress.port,
            machine=ingress.machine,
            tag=ingress.tag,
            after=first,
            opts=providers.options,
        )
    for service in plan.tailscale_services:
        TailnetService(
            service.service,
            namespace=service.namespace,
            service=service.backend,
            port=service.port,
            machine=service.machine,
            tag=service.tag,
            protocol=service.protocol,
            selector=service.selector,
            after=first,
            opts=providers.options,
        )


def register_forwarded(plan: ExposurePlan, providers: Providers, estate: EstateIds) -> None:
    """Forwarded ports, and the records that point at the router."""
    by_service = {r.service: r for r in plan.records if r.target is not None}
    for forwarded in plan.forwarded:
        component = PortForward(
            forwarded.service,
            namespace=forwarded.namespace,
            selector=forwarded.selector,
            ports=[(name, protocol, port, node_port) for name, protocol, _, port, node_port in forwarded.ports],
            opts=providers.options,
        )
        record = by_service[forwarded.service]
        assert record.target
        component.publish(host=record.host, zone_id=estate.zone_id, ipv4=record.target)
    node = by_service.get(None)
    if node and node.target:
        cloudflare.DnsRecord(
            f"{node.name}-node",
            zone_id=estate.zone_id,
            name=node.host,
            type="A",
            content=node.target,
            proxied=True,
            ttl=1,
            comment=f"gatehouse: node {node.name}",
            opts=pulumi.ResourceOptions(provider=providers.cloudflare, delete_before_replace=True),
        )


def export_plan(plan: ExposurePlan, tunnel: Tunnel) -> None:
    """What the plan holds for people: URLs and hand-work."""
    pulumi.export("urls", {e.service: e.url for e in plan.exposures})
    pulumi.export("tunnel_id", tunnel.tunnel_id)
    if plan.manifests_folder:
        pulumi.export("tunnel_token", tunnel.token)
    pulumi.export(
        "hand_work",
        [
            {
                "key": work.key,
                "title": work.title,
                "steps": list(work.steps),
                "values": dict(work.values),
                "outputs": list(work.outputs),
            }
            for work in plan.hand_work
        ],
    )
    if not pulumi.runtime.is_dry_run():
        titles = "\n  ".join(work.title for work in plan.hand_work)
        pulumi.log.info(f"up waits for none of this, it is for you (pulumi stack output hand_work):\n  {titles}")
