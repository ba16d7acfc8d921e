"""What there is one of in a tailnet: its policy, MagicDNS and HTTPS."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pulumi
import pulumi_tailscale as tailscale

from components.base import Component


class Tailnet(Component):
    """The tailnet's policy, DNS preference and HTTPS setting.

    Takes the whole policy (as text where comments are to be kept), whether MagicDNS and HTTPS are on, and `overwrite`:
    whether a policy that somebody wrote by hand may be replaced; without it Tailscale refuses.

    Registers Acl (protected; its `tests` are run by Tailscale on every change), DnsPreferences (protected and kept:
    destroying it turns MagicDNS off) and TailnetSettings (`https_enabled` only; the rest stays as it is) [TFT].

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
        magic_dns: bool = True,
        https: bool = True,
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
        tailscale.DnsPreferences(
            f"{name}-dns", magic_dns=magic_dns, opts=self.child(protect=True, retain_on_delete=True)
        )
        tailscale.TailnetSettings(f"{name}-settings", https_enabled=https, opts=self.child())
        self.register_outputs({})
