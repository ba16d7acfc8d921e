"""Gatehouse: the stack file decides, the components register. This is wiring only."""

from __future__ import annotations

from pathlib import Path

import pulumi

from components.adopt import Adoption
from components.connector import Connector
from components.estate import register_estate
from components.program import all_begun, read_plan, read_secrets
from components.providers import make_providers
from components.stack import export_plan, register_ways
from components.tunnel import Tunnel


def main() -> None:
    """Register everything that the current stack is to expose."""
    plan = read_plan(Path(__file__).parent)
    adoption = Adoption(plan.adopt, plan.recover)
    secrets = read_secrets(plan)
    tailnet = plan.estate.tailnet
    providers = make_providers(plan.home.context, tailnet.name if tailnet else None, plan.home.manifests_folder)

    estate = register_estate(plan, secrets, providers.options)
    tunnel = Tunnel(
        plan.node,
        account_id=plan.estate.account_id,
        tunnel_name=plan.node,
        tunnel_secret=secrets["tunnel_secret"],
        opts=providers.options,
    )
    connector = Connector(
        "connector",
        token=None if plan.home.manifests_folder else tunnel.token,
        rules=plan.rules,
        settings=plan.home.connector,
        certificates=plan.certificates,
        after=[tunnel],
        opts=providers.options,
    )
    register_ways(plan, providers, estate, tunnel, connector)
    adoption.report()
    export_plan(plan, tunnel)


main()
pulumi.run(all_begun)
