"""Who may log in: Google, the sets of people, and one policy for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from components.access import Access
from components.base import Component
from components.given import reads
from components.sdk import cloudflare
from config.fields import AccountId, ClientId
from config.values import DurationText, TeamText
from exposure.manual_steps import redirect_uri
from exposure.model import PeopleSet


class Google(Component):
    """Google as Access's identity provider, and one reusable policy with one Include rule for each set of people.

    Takes the account id, the bare team name, the OAuth client's id and secret, and the sets of people. In the API each
    address is an include entry of its own, so the people of a set are an Access group and its policy includes that
    group alone, and so does one more for each of its `sessions` (`household@1h`). `nobody` adds a policy for hosts of
    which single paths alone are for somebody. Gives `access`, what applications attach, and its parts
    `identity_provider_id`, `policy_ids` by set, `bypass_policy_id` and `deny_policy_id`; and `redirect_uri`, which is
    to be entered at Google.

    Registers ZeroTrustAccessIdentityProvider, and for each set a ZeroTrustAccessGroup and a ZeroTrustAccessPolicy
    (allow), and one ZeroTrustAccessPolicy (bypass, everyone) for path exceptions and ACME. `session_duration` is in Go
    units up to hours; the policy's overrides the applications' [CFDOC]. At most 1,000 addresses a set [CFDOC
    account-limits].

    Example:
        ```python
        google = Google(
            "google",
            account_id="0" * 32,
            team="example",
            client_id="1-a.apps.googleusercontent.com",
            client_secret=config.require_secret("google_client_secret"),
            people=[PeopleSet("household", ("alice@example.com",))],
        )
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        account_id: pulumi.Input[AccountId],
        team: TeamText,
        client_id: pulumi.Input[ClientId],
        client_secret: pulumi.Input[str],
        people: Sequence[PeopleSet],
        nobody: bool = False,
        session_duration: DurationText = "24h",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        provider = cloudflare.ZeroTrustAccessIdentityProvider(
            f"{name}-idp",
            account_id=account_id,
            name="Google",
            type="google",
            config={"client_id": client_id, "client_secret": pulumi.Output.secret(client_secret)},
            opts=self.child(additional_secret_outputs=["config"]),
        )
        self.identity_provider_id: pulumi.Output[str] = provider.id

        def policy(
            suffix: str, title: str, decision: str, includes: Any, session: str = session_duration
        ) -> pulumi.Output[str]:
            return cloudflare.ZeroTrustAccessPolicy(
                f"{name}-{suffix}",
                account_id=account_id,
                name=title,
                decision=decision,
                includes=[includes],
                session_duration=session,
                opts=self.child(),
            ).id

        self.policy_ids: dict[str, pulumi.Output[str]] = {}
        for group in people:
            members = cloudflare.ZeroTrustAccessGroup(
                f"{name}-people-{group.name}",
                account_id=account_id,
                name=f"Gatehouse {group.name}",
                # The list's order counts in the API, so it is always the same.
                includes=[{"email": {"email": email}} for email in sorted(set(group.emails))],
                opts=self.child(),
            )
            title = f"Google Account: {group.name}"
            included = {"group": {"id": members.id}}
            self.policy_ids[group.name] = policy(f"people-{group.name}", title, "allow", included)
            for session in group.sessions:
                key = f"{group.name}@{session}"
                self.policy_ids[key] = policy(f"people-{key}", f"{title} for {session}", "allow", included, session)
        self.bypass_policy_id = policy("bypass", "Gatehouse bypass", "bypass", {"everyone": {}})
        self.deny_policy_id: pulumi.Output[str] | None = None
        if nobody:
            self.deny_policy_id = policy("nobody", "Gatehouse nobody", "deny", {"everyone": {}})
        self.access = Access(
            account_id,
            provider.id,
            self.policy_ids,
            self.bypass_policy_id,
            self.deny_policy_id,
            session_duration,
        )
        self.redirect_uri = redirect_uri(team)
        self.register_outputs({"identity_provider_id": provider.id, "redirect_uri": self.redirect_uri})
