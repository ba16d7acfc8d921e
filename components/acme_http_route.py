"""HTTP-01 challenges of a host that renews its own certificate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pulumi

from components.access import Access, access_application
from components.way import Context, WayComponent
from exposure.estate import rules as rules_of
from exposure.model import AccessApplication, TunnelRule
from exposure.names import ACME_PATH
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
        app = ZeroTrustApp("dashboard", ...)
        app.publish(..., after=rules.configured, applications=acme.applications)
        ```
    """

    def __init__(
        self,
        name: str,
        *,
        challenges: Challenges,
        access: Access | None = None,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.applications: list[pulumi.Resource] = []
        for claim in challenges.claims() if access is not None else ():
            assert access is not None
            planned = AccessApplication(
                claim.title, claim.service, claim.host, claim.path, claim.audience, claim.origin, claim.was
            )
            application = access_application(self, planned, access, after)
            self.auds[planned.name] = application.aud
            self.applications.append(application)
        self.rules: list[TunnelRule] = [rule for rule in rules_of(challenges.claims()) if rule.host is not None]
        self.register_outputs({"hosts": list(challenges.hosts)})

    @classmethod
    def register(cls, way: Way, context: Context) -> Sequence[WayComponent]:
        """See `WayComponent`: a component for each service whose challenges they are."""
        found = []
        for challenges in cast("AcmeWay", way).challenges:
            guarded = any(a.path == ACME_PATH for a in context.applications(challenges.service))
            route = cls(
                challenges.name,
                challenges=challenges,
                access=context.access if guarded else None,
                after=context.first,
                opts=context.options,
            )
            for host, application in zip(challenges.hosts, route.applications, strict=False):
                context.guards.setdefault(host, []).append(application)
            found.append(route)
        return found
