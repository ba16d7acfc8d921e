"""Gatehouse: the stack file decides, the components register. This is wiring only."""

from __future__ import annotations

from pathlib import Path

import pulumi

from components.adopt import Adoption
from components.connector import Connector
from components.program import all_begun, read_plan, read_secrets
from components.providers import make_providers
from components.stack import (
    export_plan,
    register_estate,
    register_forwarded,
    register_tailnet,
    register_tunnel,
)
from components.tunnel import Tunnel


def main() -> None:
    """Register everything that the current stack is to expose."""
    plan = read_plan(Path(__file__).parent)
    adoption = Adoption(plan.adopt, plan.recover)
    secrets = read_secrets(plan)
    tailnet = plan.estate.tailnet
    providers = make_providers(plan.context, tailnet.name if tailnet else None, plan.manifests_folder)

    estate = register_estate(plan, providers, secrets)
    tunnel = Tunnel(
        plan.node,
        account_id=plan.estate.account_id,
        tunnel_name=plan.node,
        tunnel_secret=secrets["tunnel_secret"],
        opts=providers.options,
    )
    rules = register_tunnel(plan, providers, estate, tunnel)
    Connector(
        "connector",
        token=None if plan.manifests_folder else tunnel.token,
        rules=rules,
        settings=plan.connector,
        after=[tunnel],
        opts=providers.options,
    )
    register_tailnet(plan, providers)
    register_forwarded(plan, providers, estate)
    adoption.report()
    export_plan(plan, tunnel)


main()
pulumi.run(all_begun)
