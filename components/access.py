"""Access applications: what stands in front of a host, or of one path of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.base import Component
from components.sdk import cloudflare
from exposure.audience import ANYONE, NOBODY
from exposure.model import AccessApplication

_ROUTES = ("ZeroTrustApp", "PublicTunnelRoute")


@dataclass(frozen=True)
class Access:
    """What applications attach: the one login method, and the reusable policies (`Google.access`).

    `policy_ids` are by set of people, several sets joined by `+`; `bypass_policy_id` lets anyone by, `deny_policy_id`
    nobody. `session_duration` is in Go units up to hours.
    """

    account_id: pulumi.Input[str]
    identity_provider_id: pulumi.Input[str] | None = None
    policy_ids: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    bypass_policy_id: pulumi.Input[str] | None = None
    deny_policy_id: pulumi.Input[str] | None = None
    session_duration: str = "24h"

    def policy_of(self, planned: AccessApplication) -> pulumi.Input[str]:
        """The one policy of an application. Raises ValueError where there is none for its audience."""
        audience = planned.audience
        if audience == ANYONE:
            found, what = self.bypass_policy_id, "bypass_policy_id, the policy that lets anyone by"
        elif audience == NOBODY:
            found, what = self.deny_policy_id, "deny_policy_id, the policy that lets nobody in"
        else:
            found, what = self.policy_ids.get(audience.set_name), f"a policy for {audience.set_name!r} in policy_ids"
        if found is None:
            raise ValueError(f"{planned.name}: it is for {audience}, which needs {what}")
        return found


def access_application(
    component: Component, planned: AccessApplication, access: Access, after: Sequence[pulumi.Resource] = ()
) -> cloudflare.ZeroTrustAccessApplication:
    """A child of `component`: an application with exactly one policy and, where anybody logs in, exactly one login.

    An application that is moved to another host in place leaves the old one without it while the old record and rule
    are still there (docs/adr/0021): made anew, the new one comes first, and the old one goes when everything else has
    moved. A service that changes its gate keeps its applications.
    """
    asks = planned.audience != ANYONE
    if asks and access.identity_provider_id is None:
        raise ValueError(f"{planned.name}: it is for {planned.audience}, which needs identity_provider_id, the login")
    return cloudflare.ZeroTrustAccessApplication(
        f"{planned.name}-access",
        account_id=access.account_id,
        name=planned.title,
        type="self_hosted",
        destinations=[{"type": "public", "uri": uri} for uri in planned.uris],
        allowed_idps=[access.identity_provider_id] if access.identity_provider_id is not None and asks else None,
        auto_redirect_to_identity=True if asks else None,
        policies=[{"id": access.policy_of(planned), "precedence": 1}],
        session_duration=access.session_duration if asks else "24h",
        app_launcher_visible=asks and planned.audience != NOBODY,
        http_only_cookie_attribute=True,
        same_site_cookie_attribute="lax" if asks else None,
        opts=component.child(
            depends_on=after,
            replace_on_changes=["destinations"],
            aliases=component.formerly(*_ROUTES) if type(component).__name__ in _ROUTES else (),
        ),
    )
