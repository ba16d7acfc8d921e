"""Taking over what was there before: the ids in `gatehouse:adopt` and `gatehouse:recover`, in one place for all."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

# What is not to be taken from there. An application's hosts come in both of two properties, which the plugin reads
# together and refuses together. The version of a service token's secret is not read back: the plugin would take it for
# 1, and an update to that is another secret [TFC zero_trust_access_service_token].
_OURS = {
    "ZeroTrustAccessApplication": ("self_hosted_domains",),
    "ZeroTrustAccessServiceToken": ("client_secret_version", "previous_client_secret_expires_at"),
}
# What no provider reads back. Left alone in the run that imports it, it is put into the state afterwards
# (gatehouse/engine/recovery.py): otherwise that run would set it, which the Cloudflare provider's encoder does not
# survive (docs/adr/0017).
_UNREADABLE = {"ZeroTrustTunnelCloudflared": ["tunnel_secret"]}


def adoption_key(type_: str, name: str) -> str:
    """How `gatehouse:adopt` names a resource: `DnsRecord/grafana-dns`, the type token's last part and the name."""
    return f"{type_.rsplit(':', 1)[-1]}/{name}"


class Adoption:
    """Imports each resource that `as_found` or `ours` names (key to the provider's import id).

    What is `as_found` is left as it is for as long as it is named: all inputs are taken from there, and no change is
    made. Without it the next preview shows what Gatehouse wants otherwise. What is `ours` is brought to what the
    program says in the same run: the engine reads it, compares, and updates what differs [PU resource/deploy,
    continueStepsFromImport].

    Applies to what is registered after it; give `report` the word once all is.
    """

    def __init__(self, as_found: Mapping[str, str], ours: Mapping[str, str]) -> None:
        self._ids = {**ours, **as_found}
        self._as_found = as_found
        self._left = set(self._ids)
        if self._ids:
            pulumi.runtime.register_stack_transformation(self._transform)

    def _transform(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        key = adoption_key(args.type_, args.name)
        if key not in self._ids:
            return None
        self._left.discard(key)
        type_ = args.type_.rsplit(":", 1)[-1]
        if key in self._as_found:
            ours = _OURS.get(type_)
            ignored = [name for name in args.props if name not in ours] if ours else ["*"]
        else:
            ignored = _UNREADABLE.get(type_, [])
        taken = pulumi.ResourceOptions(import_=self._ids[key], ignore_changes=ignored)
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, taken))

    def report(self) -> None:
        """Say what stays as it was found, and warn of keys that no resource has."""
        for key in sorted(self._left):
            section = "adopt" if key in self._as_found else "recover"
            pulumi.log.warn(f"gatehouse:{section} names {key}, which this stack does not register; take the line out")
        taken = sum(key not in self._left for key in self._as_found)
        if taken:
            pulumi.log.warn(
                f"{taken} resources are adopted and stay as they were found. Once they are in the state (`up`), take"
                " `gatehouse:adopt` out (gatehouse adopt --done --apply), and preview what Gatehouse would change."
            )
