"""The plan as resources: a loop over ways, and the few things there is one of."""

from __future__ import annotations

import pulumi

from components.connector import Connector
from components.estate import EstateIds
from components.providers import Providers
from components.proxy_group import ProxyGroup
from components.sdk import cloudflare
from components.tailnet import Tailnet
from components.tailscale_operator import TailscaleOperator
from components.tunnel import Tunnel, TunnelConfiguration
from components.way import Context, Locks, component_of
from exposure.model import ExposurePlan
from exposure.ways.tailnet import TailnetWay


def register_ways(
    plan: ExposurePlan, providers: Providers, estate: EstateIds, tunnel: Tunnel, connector: Connector
) -> None:
    """Every way of every service, in the order that keeps a host locked from its birth.

    First what locks, Access applications above all; then the one rule list with their AUDs, once the connector has the
    certificates that it names; then the names.
    """
    context = Context(
        plan,
        estate.access,
        estate.zone_ids,
        tunnel.tunnel_id,
        estate.zones,
        register_tailnet(plan, providers),
        providers.options,
    )
    parts = [part for way in plan.ways for part in component_of(way).register(way, context)]
    configuration = TunnelConfiguration(
        plan.node,
        account_id=plan.estate.account_id,
        tunnel_id=tunnel.tunnel_id,
        team=plan.estate.team,
        rules=plan.rules,
        auds={name: aud for part in parts for name, aud in part.auds.items()},
        after=[*(resource for part in parts for resource in part.behind), *connector.behind],
        opts=providers.options,
    )
    locks = Locks(configuration.configured, parts)
    for part in parts:
        part.release(context, locks)
    for record in context.records.get(None, ()):
        cloudflare.DnsRecord(
            f"{record.name}-node",
            zone_id=estate.zone_ids[record.zone],
            name=record.host,
            type="A",
            content=record.target,
            proxied=True,
            ttl=1,
            comment=f"gatehouse: node {record.name}",
            opts=pulumi.ResourceOptions(
                provider=providers.cloudflare,
                delete_before_replace=True,
                # A wildcard's application is asked for this name too.
                depends_on=locks.applications(record.host),
            ),
        )


def register_tailnet(plan: ExposurePlan, providers: Providers) -> list[pulumi.Resource]:
    """The tailnet's policy where this stack owns it, the operator, shared proxies: what Funnel and Serve wait for."""
    first: list[pulumi.Resource] = []
    tailnet = plan.estate.tailnet
    if plan.tailnet_policy is not None and tailnet:
        registered = Tailnet(
            "tailnet",
            policy=plan.tailnet_policy_text or plan.tailnet_policy,
            dns=tailnet.dns,
            settings=tailnet.settings,
            overwrite=tailnet.overwrite_policy,
            opts=providers.options,
        )
        first.append(registered.acl)
    if plan.home.tailscale_operator == "helm":
        operator = TailscaleOperator(
            "tailscale-operator",
            node=plan.node,
            key=plan.home.operator_key,
            after=list(first),
            opts=providers.options,
        )
        first.append(operator.release)
    if plan.home.proxy_group and any(way.shared for way in plan.by(TailnetWay)):
        proxies = ProxyGroup(
            "tailscale-proxies",
            node=plan.node,
            replicas=plan.home.proxy_group.replicas,
            after=list(first),
            opts=providers.options,
        )
        first.append(proxies.group)
    return first


def export_plan(plan: ExposurePlan, tunnel: Tunnel) -> None:
    """What the plan holds for people: URLs and manual steps."""
    pulumi.export("urls", {service.key: ", ".join(service.urls) for service in plan.services})
    pulumi.export("tunnel_id", tunnel.tunnel_id)
    if plan.home.manifests_folder:
        pulumi.export("tunnel_token", tunnel.token)
    pulumi.export(
        "manual_steps",
        [
            {
                "key": work.key,
                "title": work.title,
                "steps": list(work.steps),
                "values": dict(work.values),
                "outputs": list(work.outputs.values()),
            }
            for work in plan.manual_steps
        ],
    )
    if not pulumi.runtime.is_dry_run():
        titles = "\n  ".join(work.title for work in plan.manual_steps)
        pulumi.log.info(f"manual steps that are left (gatehouse todo --stack {plan.stack} has the values):\n  {titles}")
