"""Access applications: what stands in front of a host, or of one path of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.base import Component
from components.sdk import cloudflare
from config.values import DurationText
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
    session_duration: DurationText = "24h"

    def __post_init__(self) -> None:
        """Raise ValueError where people would get in, or be kept out, by the policy of others."""
        for name, policy in self.policy_ids.items():
            if policy is None or policy in (self.bypass_policy_id, self.deny_policy_id):
                what = "missing" if policy is None else "the policy that lets anyone by, or nobody in"
                raise ValueError(f"policy_ids: that of {name!r} is {what}; give the policy of that set of people")

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

    It is named after its destination, of which Cloudflare takes one application only (docs/adr/0022). Where its host
    goes to another service, origin or audience, it is made anew, the old one deleted first: the rule asks for its AUD
    and shuts the host until it has the new one, so that nobody gets to the old origin by the new people's login, nor to
    a path that had no application of its own until now.
    """
    # Those of challenges were never a route's.
    formerly = _ROUTES if type(component).__name__ in _ROUTES else ()
    asks = planned.audience != ANYONE
    if asks and access.identity_provider_id is None:
        raise ValueError(f"{planned.name}: it is for {planned.audience}, which needs identity_provider_id, the login")
    return cloudflare.ZeroTrustAccessApplication(
        planned.name,
        account_id=access.account_id,
        name=planned.title,
        type="self_hosted",
        destinations=[{"type": "public", "uri": planned.name}],
        allowed_idps=[access.identity_provider_id] if access.identity_provider_id is not None and asks else None,
        auto_redirect_to_identity=True if asks else None,
        policies=[{"id": access.policy_of(planned), "precedence": 1}],
        session_duration=access.session_duration if asks else "24h",
        app_launcher_visible=asks and planned.audience != NOBODY,
        http_only_cookie_attribute=True,
        same_site_cookie_attribute="lax" if asks else None,
        opts=component.child(
            depends_on=after,
            delete_before_replace=True,
            replacement_trigger=f"{planned.service} {planned.origin} {planned.audience}",
            aliases=component.formerly(*formerly, was=planned.was),
        ),
    )
