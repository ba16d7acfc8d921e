"""HTTP-01 challenges of a host that renews its own certificate."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.base import Component
from components.zero_trust_app import bypass_application
from exposure.ingress import acme_rule
from exposure.model import TunnelRule
from exposure.names import ACME_PATH


class AcmeHttpRoute(Component):
    """The way of Let's Encrypt's challenges for one host, through a tunnel and past Access.

    Takes the host, the solver's URL (the ingress controller's own http port: cert-manager's solver is behind it), and,
    where the host is behind Access, the account id and the reusable bypass policy. `service` is the key of the host's
    service. Gives `rules` (before the general rule) and `auds` for the `TunnelConfiguration`, and `applications`,
    which the host's DNS record waits for.

    Registers a ZeroTrustAccessApplication for `<host>/.well-known/acme-challenge` alone, where protected: Access
    otherwise answers challenges with its login [cloudflare-docs#8306].

    Example:
        ```python
        acme = AcmeHttpRoute(
            "dashboard-acme",
            service="dashboard",
            host="dashboard.example.com",
            solver="http://ingress-nginx-controller.ingress-nginx.svc.cluster.local:80",
            account_id="0" * 32,
            bypass_policy_id=google.bypass_policy_id,
        )
        app = ZeroTrustApp("dashboard", ..., also=acme.auds)
        app.publish(zone_id=zone.zone_id, tunnel_id=tunnel.tunnel_id, after=rules, applications=acme.applications)
        ```
    """

    def __init__(
        self,
        name: str,
        *,
        service: str,
        host: str,
        solver: str,
        title: str | None = None,
        account_id: pulumi.Input[str] | None = None,
        bypass_policy_id: pulumi.Input[str] | None = None,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.auds: dict[str, pulumi.Output[str]] = {}
        self.applications: list[pulumi.Resource] = []
        if bypass_policy_id is not None:
            if account_id is None:
                raise ValueError(f"{name}: a bypass policy needs its account_id")
            application = bypass_application(
                self,
                name,
                account_id=account_id,
                title=title or f"{service} ACME",
                uri=f"{host}{ACME_PATH}",
                policy_id=bypass_policy_id,
                after=after,
            )
            self.auds[name] = application.aud
            self.applications.append(application)
        self.rules: list[TunnelRule] = [acme_rule(service, host, solver)]
        self.register_outputs({"host": host})
