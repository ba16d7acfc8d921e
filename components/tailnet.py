"""What there is one of in a tailnet: its policy, DNS and settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pulumi
import pulumi_tailscale as tailscale

from components.base import Component
from config.stack import TailnetDns, TailnetSettings

_DNS, _SETTINGS = TailnetDns(), TailnetSettings()


class Tailnet(Component):
    """The tailnet's policy, DNS and settings.

    Takes the whole policy (as text where comments are to be kept); what devices ask for names; the settings, of which
    those not said stay as they are; and `overwrite`: whether a policy that somebody wrote by hand may be replaced;
    without it Tailscale refuses.

    Registers Acl (protected; its `tests` are run by Tailscale on every change), DnsPreferences, DnsConfiguration where
    more than MagicDNS is said, and TailnetSettings [TFT]. Both of DNS are protected and kept, for destroying either
    turns MagicDNS off, and they say the same of it. The parts that there are beside them are not used: a list of
    nameservers turns `override_local_dns` on unasked, and MagicDNS off when it goes (docs/adr/0032).

    Example:
        ```python
        Tailnet("tailnet", policy={"grants": [], "tests": []})
        ```
    """

    def __init__(
        self,
        name: str,
        *,
        policy: Mapping[str, object] | str,
        dns: TailnetDns = _DNS,
        settings: TailnetSettings = _SETTINGS,
        overwrite: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        # Tailscale compares the text but for white space, so it is always written the same way.
        self.acl = tailscale.Acl(
            f"{name}-policy",
            acl=policy if isinstance(policy, str) else json.dumps(policy, indent=2),
            overwrite_existing_content=overwrite or None,
            opts=self.child(protect=True),
        )
        self.policy_id: pulumi.Output[str] = self.acl.id
        preferences = tailscale.DnsPreferences(
            f"{name}-dns", magic_dns=dns.magic_dns, opts=self.child(protect=True, retain_on_delete=True)
        )
        if dns.whole:
            tailscale.DnsConfiguration(
                f"{name}-dns-configuration",
                magic_dns=dns.magic_dns,
                override_local_dns=dns.override_local_dns,
                nameservers=_resolvers(dns.nameservers or ()),
                split_dns=[
                    {"domain": domain, "nameservers": _resolvers(addresses)}
                    for domain, addresses in sorted((dns.split_dns or {}).items())
                ],
                search_paths=dns.search_paths or [],
                # Devices turn to a nameserver of the tailnet once the policy lets them.
                opts=self.child(protect=True, retain_on_delete=True, depends_on=[self.acl, preferences]),
            )
        tailscale.TailnetSettings(f"{name}-settings", **settings.model_dump(exclude_none=True), opts=self.child())
        self.register_outputs({})


def _resolvers(addresses: Iterable[str]) -> list[tailscale.DnsConfigurationNameserverArgsDict]:
    """Each address once, in the order of their text: the provider finds them by a binary search when it reads them, and
    takes another order for a change. To devices it means nothing: they ask all at once, and take the first answer [TFT
    resource_dns_configuration.go, reconcileNameservers; TS net/dns/resolver/forwarder.go].
    """
    return [{"address": address} for address in sorted(set(addresses))]
