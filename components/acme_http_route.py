"""HTTP-01 challenges of a host that renews its own certificate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pulumi

from components.access import Access
from components.given import reads
from components.way import Context, WayComponent
from exposure.estate import asked_for, rules
from exposure.model import AccessApplication, TunnelRule
from exposure.ways.acme import AcmeWay, Challenges
from exposure.ways.way import Way


class AcmeHttpRoute(WayComponent):
    """The way of Let's Encrypt's challenges for one service's hosts, through a tunnel and past Access.

    Takes the challenges (whose they are, the hosts, and the solver's URL: the ingress controller's own http port, for
    cert-manager's solver is behind it), and `access` where the hosts are behind Access. Gives `rules` (before the
    general rule) and `auds` for the `TunnelConfiguration`, and `applications`, which the hosts' DNS records wait for.

    Registers a ZeroTrustAccessApplication for `<host>/.well-known/acme-challenge` alone, where protected: Access
    otherwise answers challenges with its login [cloudflare-docs#8306].

    Example:
        ```python
        acme = AcmeHttpRoute(
            "dashboard-acme",
            challenges=Challenges(
                "dashboard",
                "Dashboard",
                (Host("dashboard.example.com"),),
                OriginUrl("http://ingress-nginx-controller.ingress-nginx.svc.cluster.local:80"),
            ),
            access=google.access,
        )
        rules = TunnelConfiguration(
            "alfred",
            account_id="0" * 32,
            tunnel_id=tunnel.tunnel_id,
            team="example",
            rules=[*acme.rules, *app.rules],
            auds={**acme.auds, **app.auds},
        )
        after = [rules.configured, *acme.applications.values()]
        app.publish(zone_id=zone.zone_id, tunnel_id=tunnel.tunnel_id, after=after)
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        challenges: Challenges,
        access: Access | None = None,
        applications: Sequence[AccessApplication] | None = None,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self._challenges = challenges
        if applications is None:
            applications = [asked_for(claim) for claim in challenges.claims()] if access else []
        self.lock(applications, access, after)
        self.register_outputs({"hosts": list(challenges.hosts)})

    @property
    def rules(self) -> tuple[TunnelRule, ...]:
        """The tunnel's rules for the challenges."""
        return rules(self._challenges.claims())[:-1]

    @classmethod
    def register(cls, way: Way, context: Context) -> Sequence[WayComponent]:
        """See `WayComponent`: a component for each service whose challenges they are."""
        return [
            cls(
                challenges.name,
                challenges=challenges,
                access=context.access,
                applications=context.guarding(challenges.claims()),
                after=context.first,
                opts=context.options,
            )
            for challenges in cast("AcmeWay", way).challenges
        ]
