"""The Cloudflare zone, its settings and DNSSEC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.base import Component
from components.given import reads
from components.sdk import cloudflare
from config.fields import AccountId
from config.stack import Hsts, MinTls, Ssl
from config.values import DomainText, HostText


class Zone(Component):
    """A full zone with its TLS settings, signed where asked.

    Takes the account id, the zone's name, the least TLS version (`1.2`, `1.3`), how Cloudflare speaks to origins
    outside the tunnel (`ssl`), `hsts` or None for off, and `redirects`, hosts and where each leads. Gives `zone_id`,
    and for the registrar `name_servers`, `ds_record` and the same by field, `ds` (both None without DNSSEC).

    Registers Zone and ZoneDnssec (protected, and kept in Cloudflare on delete: a zone deleted or unsigned while its DS
    record is at the registrar is down [TFC zone_dnssec]), and ZoneSettings `ssl`, `min_tls_version`,
    `always_use_https`, `automatic_https_rewrites` and `security_header`. HSTS is sent also when off: deleting a setting
    is a no-op, so nothing else would ever switch it off [TFC zone_setting]. With `redirects` also a Ruleset, the zone's
    one of its phase: the edge answers for these hosts before Access and tunnel [CFDOC rules/url-forwarding,
    ruleset-engine/about/rulesets].

    Example:
        ```python
        zone = Zone("example", account_id="0" * 32, zone="example.com")
        pulumi.export("name_servers", zone.name_servers)
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        account_id: pulumi.Input[AccountId],
        zone: pulumi.Input[DomainText],
        dnssec: bool = True,
        ssl: Ssl = "strict",
        min_tls_version: MinTls = "1.2",
        always_use_https: bool = True,
        automatic_https_rewrites: bool = True,
        hsts: Hsts | None = None,
        redirects: Mapping[HostText, HostText] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        registered = cloudflare.Zone(
            f"{name}-zone",
            account={"id": account_id},
            name=zone,
            type="full",
            opts=self.child(protect=True, retain_on_delete=True),
        )
        settings: dict[str, object] = {
            "ssl": ssl,
            "min_tls_version": min_tls_version,
            "always_use_https": "on" if always_use_https else "off",
            "automatic_https_rewrites": "on" if automatic_https_rewrites else "off",
            # Keys go to the API as they are, in snake case: the value is typed Any.
            "security_header": {
                "strict_transport_security": {
                    "enabled": hsts is not None,
                    "max_age": hsts.max_age_seconds if hsts else 0,
                    "include_subdomains": bool(hsts and hsts.include_subdomains),
                    "preload": bool(hsts and hsts.preload),
                    "nosniff": False,
                }
            },
        }
        for setting, value in settings.items():
            cloudflare.ZoneSetting(
                f"{name}-{setting.replace('_', '-')}",
                zone_id=registered.id,
                setting_id=setting,
                value=value,
                # The plugin's update sends only the fields that changed: a new `max_age` would go without `enabled`.
                # A replacement sends them all, and its delete is a no-op.
                opts=self.child(replace_on_changes=["value"] if isinstance(value, dict) else []),
            )
        if redirects:
            cloudflare.Ruleset(
                f"{name}-redirects",
                zone_id=registered.id,
                kind="zone",
                phase="http_request_dynamic_redirect",
                name="Gatehouse redirects",
                description="Hosts that redirect to another",
                rules=[_redirect(host, to) for host, to in sorted(redirects.items())],
                opts=self.child(),
            )
        self.zone = registered
        self.zone_id: pulumi.Output[str] = registered.id
        self.name_servers: pulumi.Output[list[str]] = registered.name_servers.apply(lambda n: list(n or []))
        self.ds_record: pulumi.Output[str | None] | None = None
        self.ds: pulumi.Output[dict[str, str]] | None = None
        if dnssec:
            signed = cloudflare.ZoneDnssec(
                f"{name}-dnssec",
                zone_id=registered.id,
                status="active",
                opts=self.child(protect=True, retain_on_delete=True),
            )
            self.ds_record = signed.ds
            self.ds = pulumi.Output.all(
                key_tag=signed.key_tag,
                algorithm=signed.algorithm,
                digest_type=signed.digest_type,
                digest=signed.digest,
                public_key=signed.public_key,
            ).apply(_fields)
        self.register_outputs({"zone_id": self.zone_id, "name_servers": self.name_servers, "ds_record": self.ds_record})


def _redirect(host: str, to: str) -> cloudflare.RulesetRuleArgsDict:
    """One host's rule. Whatever the API would fill in is said, so that a refresh finds no difference.

    `ref` is how a rule stays itself where others come and go before it [TFC ruleset].
    """
    return {
        "ref": host.replace(".", "_"),
        "description": f"{host} to {to}",
        "enabled": True,
        "expression": f'(http.host eq "{host}")',
        "action": "redirect",
        "action_parameters": {
            "from_value": {
                "status_code": 301,
                "preserve_query_string": True,
                "target_url": {"expression": f'concat("https://{to}", http.request.uri.path)'},
            }
        },
    }


def _fields(values: Mapping[str, Any]) -> dict[str, str]:
    """The DS record's fields as a registrar's form takes them; the SDK reads whole numbers as fractions."""
    return {
        name: str(int(value)) if isinstance(value, float) else str(value)
        for name, value in values.items()
        if value not in (None, "")
    }
