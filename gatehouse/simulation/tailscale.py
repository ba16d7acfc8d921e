"""The simulated Tailscale: one tailnet.

Names, defaults, replacements: tailscale/terraform-provider-tailscale (`tailscale/resource_*.go`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, ClassVar, Final

from gatehouse.simulation.cloud import Faults, FlatCloud, Kind, RefusedError, known, text_of
from gatehouse.simulation.shapes import Failure, parse
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import Object

DEFAULT_POLICY: Final = '{"grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]}]}'

SHAPES: Final = parse(
    """
Acl: acl! overwriteExistingContent resetAclOnDestroy
DnsPreferences: magicDns!
DnsConfiguration: magicDns nameservers=Resolver[] overrideLocalDns searchPaths[] splitDns=SplitDns[]
SplitDns: domain! nameservers=Resolver[]
Resolver: address! useWithExitNode
TailnetSettings: aclsExternalLink aclsExternallyManagedOn devicesApprovalOn devicesAutoUpdatesOn
 devicesKeyDurationDays httpsEnabled networkFlowLoggingOn postureIdentityCollectionOn regionalRoutingOn
 usersApprovalOn usersRoleAllowedToJoinExternalTailnet
OauthClient: scopes![] description tags[]
"""
)
_SCOPES: Final = (
    "account_settings", "all", "auth_keys", "device_invites", "devices:core", "devices:posture_attributes",
    "devices:routes", "dns", "feature_settings", "federated_keys", "log_streaming", "logs:configuration",
    "logs:network", "networking_settings", "oauth_keys", "policy_file", "services", "user_invites", "users", "webhooks",
)  # fmt: skip
_SETTINGS: Final[Object] = {
    "aclsExternalLink": "",
    "aclsExternallyManagedOn": False,
    "devicesApprovalOn": False,
    "devicesAutoUpdatesOn": False,
    "devicesKeyDurationDays": 180,
    "httpsEnabled": False,
    "networkFlowLoggingOn": False,
    "postureIdentityCollectionOn": False,
    "regionalRoutingOn": False,
    "usersApprovalOn": False,
    "usersRoleAllowedToJoinExternalTailnet": "admin",
}


def read_hujson(text: str) -> Any:
    """Reads JSON with comments and trailing commas; a key given twice is refused. Raises `ValueError`."""
    from exposure.policy_eval.hujson import parse

    return parse(text).value


class _Kind(Kind):
    forgives_missing = True
    uuids = True

    def bridged(self, id_: str, outputs: Object) -> Object:
        return {**outputs, "id": id_}

    def policy(self) -> Object:
        """Gives the tailnet's policy, read."""
        item = self.store.get("tailscale/policy")
        policy: Object = read_hujson(item["body"]["acl"] if item else DEFAULT_POLICY)
        return policy


class _Single(_Kind):
    """A kind of which the tailnet has one: `collection` is its key."""

    def key(self, id_: str, properties: Object) -> str:
        return self.collection


class _Acl(_Single):
    type = "Acl"
    collection = "tailscale/policy"

    def check(self, inputs: Object) -> Iterator[Failure]:
        if known(inputs.get("acl")):
            try:
                read_hujson(str(inputs["acl"]))
            except ValueError as error:
                yield Failure("acl", f"is invalid HuJSON: {error}")

    def admit(self, inputs: Object, id_: str | None) -> None:
        head = "Failed to set ACL" if id_ is None else "Failed to update ACL"
        # The offline evaluator, which agrees with the service's own answers (tests/exposure/policy_eval).
        from exposure.policy_eval import read_policy, run_tests

        reading = read_policy(str(inputs["acl"]))
        if reading.policy is None:
            raise RefusedError(f"{head}: {reading.findings[0].reason} (400)")
        if id_ is None and not inputs.get("overwriteExistingContent"):
            existing = self.store.get("tailscale/policy")
            if existing is not None and existing["body"]["acl"] != DEFAULT_POLICY:
                raise RefusedError(
                    "Overwrite Protected: You are trying to overwrite a non-default policy. Please import the ACL "
                    "first or set overwrite_existing_content = true."
                )
        if any(outcome.failures for outcome in run_tests(reading.policy)):  # The service says no more than that.
            raise RefusedError(f"{head}: test(s) failed (400)")

    def same(self, property_: str, old: Any, new: Any, inputs: Object) -> bool:
        if property_ != "acl" or not isinstance(old, str):
            return False
        # The provider compares the canonical form, in which comments count and white space does not.
        return _spaceless(old) == _spaceless(str(new))

    def missing(self, id_: str, state: Object) -> Object | None:
        return {**state, "acl": DEFAULT_POLICY}

    def gone(self, id_: str, body: Object) -> bool:
        return bool(body.get("resetAclOnDestroy"))


def _spaceless(text: str) -> str:
    return re.sub(r'("(?:\\.|[^"\\])*")|\s+', lambda match: match[1] or "", text)


class _DnsPreferences(_Single):
    type = "DnsPreferences"
    collection = "tailscale/dns-preferences"

    def missing(self, id_: str, state: Object) -> Object | None:
        return {"magicDns": True}  # as in every new tailnet

    def gone(self, id_: str, body: Object) -> bool:
        # A destroy turns MagicDNS off; it does not leave it as it was.
        item = self.store.get(self.collection) or {}
        item["body"]["magicDns"] = False
        self.store.put(self.collection, item)
        return False


class _DnsConfiguration(_Single):
    type = "DnsConfiguration"
    collection = "tailscale/dns-configuration"
    defaults: ClassVar[Mapping[str, Any]] = {
        "magicDns": True,
        "nameservers": [],
        "overrideLocalDns": False,
        "searchPaths": [],
        "splitDns": [],
    }

    def check(self, inputs: Object) -> Iterator[Failure]:
        splits = inputs.get("splitDns") or ()
        for number, split in enumerate(splits if known(splits) else ()):
            if known(split) and not split.get("nameservers"):
                reason = 'Insufficient nameservers blocks. At least 1 "nameservers" blocks are required.'
                yield Failure(f"splitDns[{number}].nameservers", reason)

    def admit(self, inputs: Object, id_: str | None) -> None:
        for _, resolvers in _resolvers(inputs):
            for resolver in resolvers:
                try:
                    ip_address(resolver["address"])
                except ValueError:
                    raise RefusedError(
                        f"Failed to set DNS configuration: invalid IP {resolver['address']} (400)"
                    ) from None

    def stored(self, id_: str, body: Object) -> Object:
        # MagicDNS is one switch, whichever resource writes it.
        self._magic_dns(bool(body["magicDns"]))
        return body

    def _magic_dns(self, on: bool) -> None:
        item = self.store.get(_DnsPreferences.collection) or {"id": "dns_preferences", "urn": ""}
        self.store.put(_DnsPreferences.collection, {**item, "body": {"magicDns": on}})

    def missing(self, id_: str, state: Object) -> Object | None:
        return {**self.defaults, "magicDns": self._is_magic()}

    def _is_magic(self) -> bool:
        item = self.store.get(_DnsPreferences.collection)
        return bool(item["body"]["magicDns"]) if item else True

    def shown(self, body: Object, state: Object) -> Object:
        ordered = dict(_resolvers(state))
        found = {at: _reconciled(ordered.get(at, []), resolvers) for at, resolvers in _resolvers(body)}
        split = [{**item, "nameservers": found[item["domain"]]} for item in body["splitDns"]]
        return {**body, "magicDns": self._is_magic(), "nameservers": found[""], "splitDns": split}

    def gone(self, id_: str, body: Object) -> bool:
        # A destroy writes a configuration that says nothing, so MagicDNS goes off with the rest.
        self._magic_dns(False)
        return True


def _resolvers(body: Object) -> Iterator[tuple[str, list[Object]]]:
    """The global nameservers, under no name, and those of each domain."""
    yield "", body.get("nameservers") or []
    yield from ((split["domain"], split["nameservers"]) for split in body.get("splitDns") or ())


def _reconciled(existing: list[Object], answered: list[Object]) -> list[Object]:
    """What the provider makes of an answer: those that it knew first, as far as its binary search finds them."""
    left, found = list(answered), []
    for address in (one["address"] for one in existing):
        index = bisect_left(left, address, key=lambda one: one["address"])
        if index < len(left) and left[index]["address"] == address:
            found.append(left.pop(index))
    return found + left


class _TailnetSettings(_Single):
    type = "TailnetSettings"
    collection = "tailscale/settings"
    computed = tuple(_SETTINGS)
    choices: ClassVar[Mapping[str, Iterable[str]]] = {
        "usersRoleAllowedToJoinExternalTailnet": ("none", "member", "admin")
    }
    stays = True

    def missing(self, id_: str, state: Object) -> Object | None:
        return dict(_SETTINGS)

    def admit(self, inputs: Object, id_: str | None) -> None:
        days = inputs.get("devicesKeyDurationDays", 180)
        if not 1 <= days <= 180:
            raise RefusedError(f"Failed to update tailnet settings: invalid key duration {days} (400)")

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        item = self.store.get("tailscale/settings")
        return {**_SETTINGS, **(item["body"] if item else {}), **inputs}


class _OauthClient(_Kind):
    type = "OauthClient"
    collection = "tailscale/key"
    sets = frozenset({"scopes", "tags"})
    defaults: ClassVar[Mapping[str, Any]] = {"description": "", "tags": []}
    computed = ("createdAt", "key", "updatedAt", "userId")
    volatile = ("updatedAt",)
    stamps = ("createdAt", "updatedAt")
    secrets = (("key",),)

    def opened(self, state: Object, *, asks: bool = True) -> Object:
        # The plugin asks by the state's id; that the API gives nothing of use for none is all that is sure.
        if asks and not state.get("id"):
            raise RefusedError('Failed to fetch key: Error reading tailnet key with id "" (404)')
        return state

    def new_id(self, mint: Callable[[str], str], inputs: Object) -> str:
        return f"k{text_of(mint('id'), 12)}CNTRL"

    def check(self, inputs: Object) -> Iterator[Failure]:
        if len(str(inputs.get("description") or "")) > 50 and known(inputs["description"]):
            yield Failure("description", "string length must be at most 50")

    def admit(self, inputs: Object, id_: str | None) -> None:
        head = "Failed to create oauth client" if id_ is None else "Failed to update oauth client"
        scopes, tags = inputs["scopes"], inputs.get("tags") or []
        for scope in scopes:
            if scope.removesuffix(":read") not in _SCOPES:
                raise RefusedError(f'{head}: invalid scope "{scope}" (400)')
        if not tags and {"devices:core", "auth_keys"} & set(scopes):
            raise RefusedError(f"{head}: tags are required for the scopes devices:core and auth_keys (400)")
        owners = next((item for key, item in self.policy().items() if key.lower() == "tagowners"), None) or {}
        if any(tag not in owners for tag in tags):
            raise RefusedError(f"requested tags [{' '.join(tags)}] are invalid or not permitted (400)")

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        return {"key": f"tskey-client-{id_}-{text_of(mint('secret'), 32)}", "userId": ""}


class Tailscale(FlatCloud):
    """The simulated tailnet: any key is good."""

    name = "tailscale"
    version = "0.29.2"
    shapes = SHAPES

    def __init__(self, store: Store, faults: Faults | None = None) -> None:
        """Keeps its objects in `store`."""
        super().__init__(store, faults)
        kinds = (_Acl, _DnsPreferences, _DnsConfiguration, _TailnetSettings, _OauthClient)
        self.kinds = {kind.type: kind(store) for kind in kinds}
