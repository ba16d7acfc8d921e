"""Who may log in, and how: a login method, the sets of people that use it, and one policy for each set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pulumi
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from components.access import Access
from components.base import Component
from components.given import reads
from components.sdk import cloudflare
from config.fields import AccountId
from config.people import Login as LoginSettings
from config.values import DurationText, TeamText
from exposure.manual_steps import redirect_uri
from exposure.model import PeopleSet


def _somebody(said: PeopleSet) -> PeopleSet:
    if not (said.emails or said.domains or said.github or said.ended):
        raise PydanticCustomError(
            "people", "a set has at least one address, domain or organization", {"fix": "name one, or say `ended`"}
        )
    return said


People = Sequence[Annotated[PeopleSet, AfterValidator(_somebody)]]
"""Sets of people, each with somebody in it, or ended."""
_SELECTORS = {"countries": ("geo", "country_code"), "ips": ("ip", "ip")}
"""The selector of a group for each word that says from where people have to come, and its property."""


class LoginMethod(Component):
    """A login of Access, and by it one reusable policy with one Include rule for each set of people."""

    def method(
        self,
        provider: Mapping[str, Any],
        *,
        account_id: pulumi.Input[str],
        team: str,
        people: Sequence[PeopleSet],
        shared: bool,
        nobody: bool,
        session_duration: str,
    ) -> None:
        """Register it all; `provider` are the properties of the ZeroTrustAccessIdentityProvider.

        A set's group says who they are. From where they have to come are groups of their own, which the policy
        requires: of several values of one kind in `require` each would have to match [CFDOC
        cloudflare-one/access-controls/policies]. Where that changes, the groups are made anew, and the policy changes
        over to all of them in one call: whoever is new in a set gets in from elsewhere at no time.
        """
        name = self.name
        made = cloudflare.ZeroTrustAccessIdentityProvider(
            f"{name}-idp",
            account_id=account_id,
            **provider,
            opts=self.child(additional_secret_outputs=["config"]),
        )
        self.identity_provider_id: pulumi.Output[str] = made.id
        google = provider["type"] == "google"

        def policy(
            suffix: str, title: str, decision: str, includes: Any, requires: Any = None, session: str = session_duration
        ) -> Any:
            return cloudflare.ZeroTrustAccessPolicy(
                f"{name}-{suffix}",
                account_id=account_id,
                name=title,
                decision=decision,
                includes=[includes],
                requires=requires,
                session_duration=session,
                opts=self.child(),
            ).id

        def group(suffix: str, title: str, includes: Any, places: str) -> dict[str, Any]:
            made = cloudflare.ZeroTrustAccessGroup(
                f"{name}-{suffix}",
                account_id=account_id,
                name=title,
                includes=includes,
                opts=self.child(replacement_trigger=places) if places else self.child(),
            )
            return {"group": {"id": made.id}}

        self.policy_ids: dict[str, pulumi.Output[str]] = {}
        for one in people:
            places = ", ".join(value for _, values in one.limits for value in values)
            there = f" from {places}" if places else ""
            title = f"{'Google Account' if google else name}: {one.name}{there}"
            whom = f"{one.name}{'' if google else f' by {name}'}{there}"
            suffix = f"{'limited' if places else 'people'}-{one.name}"
            decision, requires = "allow", list[dict[str, Any]]()
            members: dict[str, Any] = {"everyone": {}}
            if one.ended:
                # A group of nobody is refused, and nobody is let in.
                decision = "deny"
            else:
                members = group(suffix, f"Gatehouse {whom}", _includes(one, made.id), places)
                requires = [
                    group(
                        f"{word}-{one.name}",
                        f"Gatehouse {word} of {whom}",
                        [{_SELECTORS[word][0]: {_SELECTORS[word][1]: value}} for value in values],
                        places,
                    )
                    for word, values in one.limits
                ]
            self.policy_ids[one.name] = policy(f"people-{one.name}", title, decision, members, requires or None)
            for session in one.sessions:
                key, longer = f"{one.name}@{session}", f"{title} for {session}"
                self.policy_ids[key] = policy(f"people-{key}", longer, decision, members, requires or None, session)
        self.bypass_policy_id = policy("bypass", "Gatehouse bypass", "bypass", {"everyone": {}}) if shared else None
        self.deny_policy_id = policy("nobody", "Gatehouse nobody", "deny", {"everyone": {}}) if nobody else None
        self.access = Access(
            account_id, made.id, self.policy_ids, self.bypass_policy_id, self.deny_policy_id, session_duration
        )
        self.redirect_uri = redirect_uri(team)
        self.register_outputs({"identity_provider_id": made.id, "redirect_uri": self.redirect_uri})


def _includes(people: PeopleSet, identity_provider_id: pulumi.Output[str]) -> list[dict[str, Any]]:
    """Who is in a group. The list's order counts in the API, so it is always the same."""
    found: list[dict[str, Any]] = [{"email": {"email": email}} for email in sorted(set(people.emails))]
    found += [{"email_domain": {"domain": domain}} for domain in sorted(set(people.domains))]
    for organization in sorted(set(people.github)):
        name, _, team = organization.partition("/")
        of_team = {"team": team} if team else {}
        found.append({"github_organization": {"identity_provider_id": identity_provider_id, "name": name, **of_team}})
    return found


class Login(LoginMethod):
    """A one-time PIN, GitHub, or any OpenID Connect provider as a login of Access, and the sets of people that use it.

    Takes the account id, the bare team name, `login` (its type, and what that needs), the OAuth client's secret where
    there is one, and the sets of people. Gives `access`, its parts, and `redirect_uri`, as `Google` does; with
    `shared` also the policy that lets anyone by, and with `nobody` that for nobody, which an account has once.

    Registers what `Google` does, with a ZeroTrustAccessIdentityProvider of that type. Of OpenID Connect the claim
    `email` counts, unless another is named [TFC zero_trust_access_identity_provider, schema.go].

    Example:
        ```python
        pin = Login(
            "pin",
            account_id="0" * 32,
            team="example",
            login=LoginSettings(type="onetimepin"),
            people=[PeopleSet("guests", ("guest@example.com",), login="pin")],
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
        login: LoginSettings,
        people: People,
        client_secret: pulumi.Input[str] | None = None,
        shared: bool = False,
        nobody: bool = False,
        session_duration: DurationText = "24h",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        config: dict[str, Any] = login.model_dump(exclude={"type"}, exclude_none=True)
        if login.type == "oidc":
            config.setdefault("scopes", ["openid", "email", "profile"])
        if login.client_id is not None:
            config["client_secret"] = pulumi.Output.secret(client_secret)
        self.method(
            {"name": name, "type": login.type, "config": config},
            account_id=account_id,
            team=team,
            people=people,
            shared=shared,
            nobody=nobody,
            session_duration=session_duration,
        )
