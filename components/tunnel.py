"""The node's tunnel, and the one list of rules it has."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.base import Component
from components.given import GivenError, Problem, reads
from components.sdk import cloudflare
from config.fields import AccountId
from config.values import TeamText, TunnelSecretText
from exposure.estate import in_order
from exposure.model import TunnelRule
from exposure.ways.way import OriginSettings


class Tunnel(Component):
    """A remotely managed tunnel.

    Takes the account id, the tunnel's name in Cloudflare and `tunnel_secret` (base64 of 32 random bytes, a secret).
    Gives `tunnel_id` and `token`, a secret for the connectors, made here: the API's own token data source is called at
    every preview and returns it in clear.

    Registers ZeroTrustTunnelCloudflared, protected. `config_src` is `cloudflare`: the default `local` ignores the rule
    list, and changing it later replaces the tunnel [TFC zero_trust_tunnel_cloudflared].

    Example:
        ```python
        tunnel = Tunnel("alfred", account_id="0" * 32, tunnel_name="alfred", tunnel_secret=config.require_secret("s"))
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        account_id: pulumi.Input[AccountId],
        tunnel_name: pulumi.Input[str],
        tunnel_secret: pulumi.Input[TunnelSecretText],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        secret = pulumi.Output.secret(tunnel_secret)
        tunnel = cloudflare.ZeroTrustTunnelCloudflared(
            f"{name}-tunnel",
            account_id=account_id,
            name=tunnel_name,
            config_src="cloudflare",
            tunnel_secret=secret,
            opts=self.child(protect=True),
        )
        self.tunnel_id: pulumi.Output[str] = tunnel.id
        self.token: pulumi.Output[str] = pulumi.Output.secret(
            pulumi.Output.all(account_id, tunnel.id, secret).apply(lambda parts: tunnel_token(*parts))
        )
        self.register_outputs({"tunnel_id": self.tunnel_id, "token": self.token})


def tunnel_token(account_id: str, tunnel_id: str, tunnel_secret: str) -> str:
    """A connector's token: base64 of JSON with account, tunnel and secret [CFD connection, TunnelToken]."""
    parts = {"a": account_id, "t": tunnel_id, "s": tunnel_secret}
    return base64.b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode()


class TunnelConfiguration(Component):
    """All rules of one tunnel: a tunnel has one list, so one writer.

    Takes the rules of every route in any order (`in_order` orders them and adds the catch-all), the bare team name,
    and `auds`: the AUD of each Access application by logical name. A rule with `applications` demands a JWT of one of
    them. Gives `configured`, the resource that a DNS record must wait for.

    Registers ZeroTrustTunnelCloudflaredConfig. Deleting it is a no-op: the rules go with the tunnel [TFC].

    Raises GivenError, a ValueError, where two rules have one place, or `auds` lacks an application that a rule names.

    Example:
        ```python
        rules = TunnelConfiguration(
            "alfred", account_id="0" * 32, tunnel_id=tunnel.tunnel_id, team="example", rules=app.rules, auds=app.auds
        )
        app.publish(zone_id=zone.zone_id, tunnel_id=tunnel.tunnel_id, after=[rules.configured])
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        account_id: pulumi.Input[AccountId],
        tunnel_id: pulumi.Input[str],
        team: TeamText,
        rules: Sequence[TunnelRule],
        auds: Mapping[str, pulumi.Input[str]],
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        _refuse_unsafe(name, rules, auds)
        super().__init__(name, opts)
        self.configured = cloudflare.ZeroTrustTunnelCloudflaredConfig(
            f"{name}-rules",
            account_id=account_id,
            tunnel_id=tunnel_id,
            config={"ingresses": [_ingress(rule, team, auds) for rule in in_order(rules)]},
            opts=self.child(depends_on=after),
        )
        self.register_outputs({})


def _refuse_unsafe(name: str, rules: Sequence[TunnelRule], auds: Mapping[str, pulumi.Input[str]]) -> None:
    """Refuse what would leave a host to the rule that happens to be first, or a login's rule without its check."""
    problems: dict[tuple[int | str, ...], Problem] = {}
    taken: dict[tuple[str | None, str | None], TunnelRule] = {}
    for index, rule in enumerate(rules):
        other = taken.setdefault((rule.host, rule.path), rule)
        if other != rule and rule.host is not None:
            problems["rules", index] = Problem(
                f"two rules for {rule.host}, {f'path {rule.path}' if rule.path else 'the whole of it'} "
                f"({other.service or other.origin} and {rule.service or rule.origin}): the first alone counts, and one "
                "without login shadows one with it; give one of them another host or path"
            )
        missing = [application for application in rule.applications if auds.get(application) is None]
        if missing:
            problems["rules", index] = Problem(
                f"the rule for {rule.host} asks for the login of {', '.join(missing)}, whose AUD is not in `auds`; add "
                "the `auds` of the component that has it"
            )
    if problems:
        raise GivenError(name, problems)


def _ingress(rule: TunnelRule, team: str, auds: Mapping[str, pulumi.Input[str]]) -> Any:
    """A rule as the provider takes it; what is not set is left out, or refresh shows a difference."""
    request = _origin_request(rule.settings)
    if rule.applications:
        # cloudflared enforces `access` per rule only, never at the top level [CFD ingress/ingress.go].
        request["access"] = {
            "required": True,
            "team_name": team,
            "aud_tags": [auds[a] for a in rule.applications],
        }
    entry: dict[str, Any] = {"service": rule.origin}
    if rule.host is not None:
        entry["hostname"] = rule.host
    if rule.path is not None:
        entry["path"] = rule.path
    if request:
        entry["origin_request"] = request
    return entry


def _origin_request(settings: OriginSettings) -> dict[str, Any]:
    given = {
        "origin_server_name": settings.origin_server_name,
        "match_sn_ito_host": settings.match_sni_to_host,
        "ca_pool": settings.ca_pool,
        "no_tls_verify": settings.no_tls_verify,
        "http2_origin": settings.http2_origin,
        "http_host_header": settings.http_host_header,
        "connect_timeout": settings.connect_timeout_seconds,
    }
    return {key: value for key, value in given.items() if value}
