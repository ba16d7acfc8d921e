"""Google as the login, the sets of people, and one policy for each."""

from __future__ import annotations

import pulumi

from components.given import reads
from components.login import LoginMethod, People
from config.fields import AccountId, ClientId
from config.values import DurationText, TeamText


class Google(LoginMethod):
    """Google as Access's identity provider, and one reusable policy with one Include rule for each set of people.

    Takes the account id, the bare team name, the OAuth client's id and secret, and the sets of people. In the API each
    address is an include entry of its own, so the people of a set are an Access group and its policy includes that
    group alone, and so does one more for each of its `sessions` (`household@1h`). `nobody` adds a policy for hosts of
    which single paths alone are for somebody. Gives `access`, what applications attach, and its parts
    `identity_provider_id`, `policy_ids` by set, `bypass_policy_id` and `deny_policy_id`; and `redirect_uri`, which is
    to be entered at Google.

    Registers ZeroTrustAccessIdentityProvider, and for each set a ZeroTrustAccessGroup and a ZeroTrustAccessPolicy
    (allow), and one ZeroTrustAccessPolicy (bypass, everyone) for path exceptions and ACME. A set with `countries` or
    `ips` has a group for each of these too, which its policy requires; one that has ended has a policy that denies.
    `session_duration` is in Go units up to hours; the policy's overrides the applications' [CFDOC]. At most 1,000
    addresses a set [CFDOC account-limits].

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
        people: People,
        nobody: bool = False,
        session_duration: DurationText = "24h",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.method(
            {
                "name": "Google",
                "type": "google",
                "config": {"client_id": client_id, "client_secret": pulumi.Output.secret(client_secret)},
            },
            account_id=account_id,
            team=team,
            people=people,
            shared=True,
            nobody=nobody,
            session_duration=session_duration,
        )
