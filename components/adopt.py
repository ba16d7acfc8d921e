"""Taking over what was there before: the ids in `gatehouse:adopt`, in one place for every resource."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

# What the plugin reads together and refuses together: an application's hosts come in both of two properties.
_COUNTERPARTS = {"ZeroTrustAccessApplication": "self_hosted_domains"}


def adoption_key(type_: str, name: str) -> str:
    """How `gatehouse:adopt` names a resource: `DnsRecord/grafana-dns`, the type token's last part and the name."""
    return f"{type_.rsplit(':', 1)[-1]}/{name}"


class Adoption:
    """Imports each resource that `ids` names (key to the provider's import id), and leaves it as it is.

    The engine refuses an import whose inputs differ from what is there [PU resource/deploy, ImportStep], so that all
    inputs are taken from there, and no change is made, for as long as the key is in the stack file. Without it the next
    preview shows what Gatehouse wants otherwise.

    Applies to what is registered after it; give `report` the word once all is.
    """

    def __init__(self, ids: Mapping[str, str]) -> None:
        self._ids = ids
        self._left = set(ids)
        if ids:
            pulumi.runtime.register_stack_transformation(self._transform)

    def _transform(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        key = adoption_key(args.type_, args.name)
        if key not in self._ids:
            return None
        self._left.discard(key)
        left_out = _COUNTERPARTS.get(args.type_.rsplit(":", 1)[-1])
        ignored = [name for name in args.props if name != left_out] if left_out else ["*"]
        taken = pulumi.ResourceOptions(import_=self._ids[key], ignore_changes=ignored)
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, taken))

    def report(self) -> None:
        """Say what stays as it was found, and warn of keys that no resource has."""
        for key in sorted(self._left):
            pulumi.log.warn(f"gatehouse:adopt names {key}, which this stack does not register; take the line out")
        taken = len(self._ids) - len(self._left)
        if taken:
            pulumi.log.warn(
                f"{taken} resources are adopted and stay as they were found. Once they are in the state (`up`), take"
                " `gatehouse:adopt` out (gatehouse adopt --done --apply), and preview what Gatehouse would change."
            )
