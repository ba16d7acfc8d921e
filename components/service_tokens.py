"""Who gets in without a login: service tokens, and one policy for each combination of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.base import Component
from components.sdk import cloudflare
from config.stack import Token
from exposure.audience import Audience


class ServiceTokens(Component):
    """Service tokens of a Zero Trust account, for apps and scripts that cannot log in.

    Takes the account id, the tokens by name, and `together`, the combinations that applications let in. A program that
    has a token sends its two parts as headers `CF-Access-Client-Id` and `CF-Access-Client-Secret` with each request
    [CFDOC cloudflare-one/access-controls/service-credentials/service-tokens]. Gives `policy_ids` by combination, names
    joined by `+`, and `clients`, the id, the secret (a Pulumi secret) and the end of each token.

    Registers a ZeroTrustAccessServiceToken for each token, and for each combination a ZeroTrustAccessPolicy of decision
    `non_identity` (Service Auth) with an include rule a token: any of them passes. A raised `version` makes a new
    secret, and the one before is good until `previous_until` [TFC zero_trust_access_service_token]. At most 50 tokens
    an account [CFDOC account-limits].

    Example:
        ```python
        tokens = ServiceTokens(
            "tokens", account_id="0" * 32, tokens={"phone": Token(holder="the phone app")}, together=[("phone",)]
        )
        ```
    """

    def __init__(
        self,
        name: str,
        *,
        account_id: pulumi.Input[str],
        tokens: Mapping[str, Token],
        together: Sequence[Sequence[str]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        made = {
            key: cloudflare.ZeroTrustAccessServiceToken(
                f"{name}-{key}",
                account_id=account_id,
                name=f"Gatehouse {key}",
                duration=token.duration,
                client_secret_version=token.version,
                previous_client_secret_expires_at=token.previous_until,
                opts=self.child(additional_secret_outputs=["clientSecret"]),
            )
            for key, token in sorted(tokens.items())
        }
        self.policy_ids: dict[str, pulumi.Output[str]] = {
            audience.token_name: cloudflare.ZeroTrustAccessPolicy(
                f"{name}-{audience.token_name}",
                account_id=account_id,
                name=f"Gatehouse tokens: {audience.token_name}",
                decision="non_identity",
                includes=[{"service_token": {"token_id": made[key].id}} for key in sorted(audience.tokens)],
                opts=self.child(),
            ).id
            for audience in (Audience(tokens=frozenset(keys)) for keys in together)
        }
        self.clients: dict[str, dict[str, pulumi.Output[str]]] = {
            key: {
                "client_id": token.client_id,
                "client_secret": pulumi.Output.secret(token.client_secret),
                "expires_at": token.expires_at,
            }
            for key, token in made.items()
        }
        self.register_outputs({"policy_ids": self.policy_ids})
