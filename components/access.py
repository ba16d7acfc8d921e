"""Access applications: what stands in front of a host, or of one path of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.base import Component
from components.sdk import cloudflare
from config.services import CorsHeaders
from config.values import DurationText
from exposure.audience import ANYONE, NOBODY
from exposure.model import AccessApplication

_ROUTES = ("ZeroTrustApp", "PublicTunnelRoute")


@dataclass(frozen=True)
class Access:
    """What applications attach: the one login method, and the reusable policies (`Google.access`).

    `policy_ids` are by set of people, several sets joined by `+`, and `token_policy_ids` by service token likewise;
    `bypass_policy_id` lets anyone by, `deny_policy_id` nobody. `session_duration` is in Go units up to hours. `logins`
    are by set of people too, for those who log in by another method than `identity_provider_id`: its name and its id.
    """

    account_id: pulumi.Input[str]
    identity_provider_id: pulumi.Input[str] | None = None
    policy_ids: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    bypass_policy_id: pulumi.Input[str] | None = None
    deny_policy_id: pulumi.Input[str] | None = None
    session_duration: DurationText = "24h"
    token_policy_ids: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    logins: Mapping[str, tuple[str, pulumi.Input[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError where people would get in, or be kept out, by the policy of others."""
        for name, policy in (*self.policy_ids.items(), *self.token_policy_ids.items()):
            if policy is None or policy in (self.bypass_policy_id, self.deny_policy_id):
                what = "missing" if policy is None else "the policy that lets anyone by, or nobody in"
                raise ValueError(f"policy_ids: that of {name!r} is {what}; give the policy of that set of people")

    def policies_of(self, planned: AccessApplication) -> list[pulumi.Input[str]]:
        """The policies of an application: one for tokens and one for people, or the one for anyone or nobody.

        Raises ValueError where there is none for its audience.
        """
        audience = planned.audience
        wanted: list[tuple[pulumi.Input[str] | None, str]] = []
        if audience.tokens:
            name = audience.token_name
            wanted.append((self.token_policy_ids.get(name), f"a policy for {name!r} in token_policy_ids"))
        if audience.people:
            name = planned.people_policy
            wanted.append((self.policy_ids.get(name), f"a policy for {name!r} in policy_ids"))
        if audience == ANYONE:
            wanted.append((self.bypass_policy_id, "bypass_policy_id, the policy that lets anyone by"))
        if audience == NOBODY:
            wanted.append((self.deny_policy_id, "deny_policy_id, the policy that lets nobody in"))
        found = []
        for policy, what in wanted:
            if policy is None:
                raise ValueError(f"{planned.name}: it is for {audience}, which needs {what}")
            found.append(policy)
        return found


def _cors(cors: CorsHeaders) -> Any:
    """As the provider has it, where every one is a word of its own [TFC zero_trust_access_application]."""
    found: dict[str, Any] = {"allow_credentials": cors.allow_credentials or None, "max_age": cors.max_age}
    for what in ("origins", "methods", "headers"):
        said = getattr(cors, f"allowed_{what}")
        found |= {f"allow_all_{what}": True} if "*" in said else {f"allowed_{what}": sorted(said)} if said else {}
    return {name: value for name, value in found.items() if value is not None}


def access_application(
    component: Component, planned: AccessApplication, access: Access, after: Sequence[pulumi.Resource] = ()
) -> cloudflare.ZeroTrustAccessApplication:
    """A child of `component`: an application with one policy and, where anybody logs in, exactly one login.

    Where service tokens get in too, a policy of theirs comes first, and an app that is refused is answered 401 instead
    of a login page [TFC zero_trust_access_application, service_auth_401_redirect].

    It is named after its destination, of which Cloudflare takes one application only (docs/adr/0022). Where its host
    goes to another service, origin or audience, it is made anew, the old one deleted first: the rule asks for its AUD
    and shuts the host until it has the new one, so that nobody gets to the old origin by the new people's login, nor to
    a path that had no application of its own until now.
    """
    # Those of challenges were never a route's.
    formerly = _ROUTES if type(component).__name__ in _ROUTES else ()
    settings = planned.settings
    asks = not planned.audience.opens
    login, identity_provider_id = access.logins.get(planned.audience.set_name, ("", access.identity_provider_id))
    policies: list[pulumi.Input[str]] = access.policies_of(planned) or [_bypass_from(component, planned, access)]
    # The rule of a path that is let by has no JWT to ask for: nothing shuts it while it has no application, so that one
    # is never made anew. Where there is no trigger, before or now, the engine replaces nothing [PU step_generator.go].
    trigger = f"{planned.service} {planned.origin} {planned.audience}" + (login and f" by {login}")
    if asks and identity_provider_id is None:
        raise ValueError(f"{planned.name}: it is for {planned.audience}, which needs identity_provider_id, the login")
    return cloudflare.ZeroTrustAccessApplication(
        planned.name,
        account_id=access.account_id,
        name=planned.title,
        type="self_hosted",
        destinations=[{"type": "public", "uri": planned.name}],
        allowed_idps=[identity_provider_id] if identity_provider_id is not None and asks else None,
        auto_redirect_to_identity=True if asks else None,
        policies=[{"id": found, "precedence": n} for n, found in enumerate(policies, 1)],
        service_auth401_redirect=True if planned.audience.tokens else None,
        session_duration=settings.session_duration or access.session_duration if asks else "24h",
        app_launcher_visible=bool(planned.audience.people) and settings.app_launcher_visible,
        logo_url=settings.logo_url,
        cors_headers=_cors(settings.cors_headers) if settings.cors_headers else None,
        skip_interstitial=settings.skip_interstitial or None,
        http_only_cookie_attribute=settings.http_only_cookie_attribute,
        same_site_cookie_attribute=settings.same_site_cookie_attribute if asks else None,
        opts=component.child(
            depends_on=after,
            delete_before_replace=True,
            replacement_trigger=None if planned.audience.ips else trigger,
            aliases=component.formerly(*formerly, was=planned.was),
        ),
    )


def _bypass_from(component: Component, planned: AccessApplication, access: Access) -> pulumi.Output[str]:
    """The policy of a path that anyone reaches from some addresses: one Include rule, the group of these.

    Another list is the same group, changed in one call. A bypass takes selectors of places and none of people [CFDOC
    cloudflare-one/access-controls/policies].
    """
    name = f"{planned.name}-addresses"
    group = cloudflare.ZeroTrustAccessGroup(
        name,
        account_id=access.account_id,
        name=f"Gatehouse addresses for {planned.name}",
        includes=[{"ip": {"ip": ip}} for ip in sorted(planned.audience.ips)],
        opts=component.child(),
    )
    return cloudflare.ZeroTrustAccessPolicy(
        name,
        account_id=access.account_id,
        name=f"Gatehouse bypass from addresses: {planned.name}",
        decision="bypass",
        includes=[{"group": {"id": group.id}}],
        session_duration=access.session_duration,
        opts=component.child(),
    ).id
