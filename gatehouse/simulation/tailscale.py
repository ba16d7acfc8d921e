"""The simulated Tailscale: one tailnet.

Names, defaults, replacements: tailscale/terraform-provider-tailscale (`tailscale/resource_*.go`). Texts of
refusals: those the real service gave in headscale's captured results, where there is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

from gatehouse.simulation.cloud import Failure, Faults, FlatCloud, Kind, RefusedError, known, text_of, uuid_of
from gatehouse.simulation.shapes import parse
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import Object

#: Runs a policy's own `tests`: gives what fails; raises `ValueError` for what is no policy.
PolicyTests = Callable[[Object], list[str]]

DEFAULT_POLICY: Final = '{"grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]}]}'

SHAPES: Final = parse(
    """
Acl: acl! overwriteExistingContent resetAclOnDestroy
DnsPreferences: magicDns!
TailnetSettings: aclsExternalLink aclsExternallyManagedOn devicesApprovalOn devicesAutoUpdatesOn
 devicesKeyDurationDays httpsEnabled networkFlowLoggingOn postureIdentityCollectionOn regionalRoutingOn
 usersApprovalOn usersRoleAllowedToJoinExternalTailnet
OauthClient: scopes![] description tags[]
TailnetKey: description ephemeral expiry preauthorized recreateIfInvalid reusable tags[] userId
"""
)
_POLICY_KEYS: Final = frozenset(
    "acls attrConfig autoApprovers defaultSrcPosture derpMap disableIPv4 extraDNSRecords grants groups hosts ipsets "
    "nodeAttrs OneCGNATRoute postures randomizeClientPort ssh sshTests tagOwners tests".lower().split()
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
_HUJSON: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING: Final = re.compile(r'("(?:\\.|[^"\\])*")|,(\s*[\]}])', re.DOTALL)


def read_hujson(text: str) -> Any:
    """Reads JSON with comments and trailing commas; a key given twice is refused. Raises `ValueError`."""

    def once(pairs: list[tuple[str, Any]]) -> Object:
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f'duplicate object member name "{twice[0]}"')
        return dict(pairs)

    bare = _HUJSON.sub(lambda match: match[0] if match[0].startswith('"') else " ", text)
    return json.loads(_TRAILING.sub(lambda match: match[1] or match[2], bare), object_pairs_hook=once)


def policy_problem(policy: Any) -> str | None:
    """Says what the service would refuse in a policy, its `tests` aside; None for one it takes."""
    if not isinstance(policy, dict):
        return "the policy must be an object"
    for key in policy:
        if key.lower() not in _POLICY_KEYS:
            return f'unknown field "{key}"'
    fields = {key.lower(): value for key, value in policy.items()}
    tags = fields.get("tagowners") or {}
    groups = fields.get("groups") or {}
    for tag, owners in tags.items():
        for owner in owners:
            if str(owner).startswith("tag:") and owner not in tags:
                return f'tagOwners["{tag}"]: tag not found: "{owner}"'
            if str(owner).startswith("group:") and owner not in groups:
                return f'tagOwners["{tag}"]: group not found: "{owner}"'
    for where, name in _names(fields):
        if name.startswith("tag:") and name not in tags:
            return f'{where}tag not found: "{name}"'
        if name.startswith("group:") and name not in groups:
            return f'{where}group not found: "{name}"'
    return None


def _names(fields: Object) -> Iterator[tuple[str, str]]:
    """Yields each tag or group a policy refers to, with the service's words for where."""
    for list_ in ("acls", "grants", "ssh"):
        for rule in fields.get(list_) or []:
            for source in rule.get("src") or []:
                yield "src=", str(source)
            for target in rule.get("dst") or []:
                name = str(target)
                if list_ == "acls":
                    name = name.rpartition(":")[0]
                yield f'dst="{name}": ', name
    for grant in fields.get("nodeattrs") or []:
        for target in grant.get("target") or []:
            yield "", str(target)
    approvers = fields.get("autoapprovers") or {}
    for names in (*(approvers.get("routes") or {}).values(), approvers.get("exitNode") or []):
        for name in names:
            yield "", str(name)


def evaluated_tests(policy: Object) -> list[str]:
    """Runs a policy's `tests` with the offline evaluator; the `PolicyTests` of the running clouds."""
    from exposure.policy_eval import read_policy, run_tests

    reading = read_policy(policy)
    if reading.policy is None:
        raise ValueError(reading.findings[0].reason)
    return [outcome.test.path for outcome in run_tests(reading.policy) if outcome.failures]


class _Kind(Kind):
    collection = "tailscale"
    forgives_missing = True

    def bridged(self, id_: str, outputs: Object) -> Object:
        return {**outputs, "id": id_}

    def policy(self) -> Object:
        """Gives the tailnet's policy, read."""
        item = self.store.get("tailscale/policy")
        policy: Object = read_hujson(item["body"]["acl"] if item else DEFAULT_POLICY)
        return policy

    def tags_owned(self, tags: list[str]) -> None:
        """Refuses tags that the policy has no owner for."""
        owners = next((item for key, item in self.policy().items() if key.lower() == "tagowners"), None) or {}
        if any(tag not in owners for tag in tags):
            raise RefusedError(f"requested tags [{' '.join(tags)}] are invalid or not permitted (400)")

    def new_id(self, mint: Callable[[str], str], inputs: Object) -> str:
        return uuid_of(mint("id"))


class _Acl(_Kind):
    type = "Acl"

    def __init__(self, store: Store, tests: PolicyTests) -> None:
        super().__init__(store)
        self.tests = tests

    def key(self, id_: str, properties: Object) -> str:
        return "tailscale/policy"

    def check(self, inputs: Object) -> Iterator[Failure]:
        if known(inputs.get("acl")):
            try:
                read_hujson(str(inputs["acl"]))
            except ValueError as error:
                yield Failure("acl", f"is invalid HuJSON: {error}")

    def admit(self, inputs: Object, id_: str | None) -> None:
        head = "Failed to set ACL" if id_ is None else "Failed to update ACL"
        policy = read_hujson(str(inputs["acl"]))
        problem = policy_problem(policy)
        if problem:
            raise RefusedError(f"{head}: {problem} (400)")
        if id_ is None and not inputs.get("overwriteExistingContent"):
            existing = self.store.get("tailscale/policy")
            if existing is not None and existing["body"]["acl"] != DEFAULT_POLICY:
                raise RefusedError(
                    "Overwrite Protected: You are trying to overwrite a non-default policy. Please import the ACL "
                    "first or set overwrite_existing_content = true."
                )
        try:
            failed = self.tests(policy)
        except ValueError as error:
            raise RefusedError(f"{head}: {error} (400)") from None
        if failed:  # The service says no more than that.
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


class _DnsPreferences(_Kind):
    type = "DnsPreferences"

    def key(self, id_: str, properties: Object) -> str:
        return "tailscale/dns-preferences"

    def missing(self, id_: str, state: Object) -> Object | None:
        return {"magicDns": True}  # as in every new tailnet

    def gone(self, id_: str, body: Object) -> bool:
        # A destroy turns MagicDNS off; it does not leave it as it was.
        item = self.store.get(self.key(id_, body)) or {}
        item["body"]["magicDns"] = False
        self.store.put(self.key(id_, body), item)
        return False


class _TailnetSettings(_Kind):
    type = "TailnetSettings"
    computed = tuple(_SETTINGS)

    def key(self, id_: str, properties: Object) -> str:
        return "tailscale/settings"

    def missing(self, id_: str, state: Object) -> Object | None:
        return dict(_SETTINGS)

    def check(self, inputs: Object) -> Iterator[Failure]:
        role = inputs.get("usersRoleAllowedToJoinExternalTailnet")
        if known(role) and role not in ("none", "member", "admin"):
            yield Failure("usersRoleAllowedToJoinExternalTailnet", "must be one of: none, member, admin")
        link = inputs.get("aclsExternalLink")
        if known(link) and not re.match(r"https?://", str(link)):
            yield Failure("aclsExternalLink", "must be a valid URL with http or https scheme")

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        item = self.store.get("tailscale/settings")
        return {**_SETTINGS, **(item["body"] if item else {}), **inputs}

    def gone(self, id_: str, body: Object) -> bool:
        return False


class _Key(_Kind):
    secrets = (("key",),)

    def opened(self, state: Object, *, asks: bool = True) -> Object:
        # The plugin asks by the state's id; that the API gives nothing of use for none is all that is sure.
        if asks and not state.get("id"):
            raise RefusedError('Failed to fetch key: Error reading tailnet key with id "" (404)')
        return state

    def key(self, id_: str, properties: Object) -> str:
        return f"tailscale/key/{id_}"

    def new_id(self, mint: Callable[[str], str], inputs: Object) -> str:
        return f"k{text_of(mint('id'), 12)}CNTRL"

    def check(self, inputs: Object) -> Iterator[Failure]:
        if len(str(inputs.get("description") or "")) > 50 and known(inputs["description"]):
            yield Failure("description", "string length must be at most 50")


class _OauthClient(_Key):
    type = "OauthClient"
    sets = frozenset({"scopes", "tags"})
    defaults: ClassVar[Mapping[str, Any]] = {"description": "", "tags": []}
    computed = ("createdAt", "key", "updatedAt", "userId")
    volatile = ("updatedAt",)

    def admit(self, inputs: Object, id_: str | None) -> None:
        head = "Failed to create oauth client" if id_ is None else "Failed to update oauth client"
        scopes, tags = inputs["scopes"], inputs.get("tags") or []
        for scope in scopes:
            if scope.removesuffix(":read") not in _SCOPES:
                raise RefusedError(f'{head}: invalid scope "{scope}" (400)')
        if not tags and {"devices:core", "auth_keys"} & set(scopes):
            raise RefusedError(f"{head}: tags are required for the scopes devices:core and auth_keys (400)")
        self.tags_owned(tags)

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        now = self.store.time()
        return {
            "createdAt": now,
            "updatedAt": now,
            "key": f"tskey-client-{id_}-{text_of(mint('secret'), 32)}",
            "userId": "",
        }

    def changed(self, id_: str, inputs: Object, old: Object) -> Object:
        return {"updatedAt": self.store.time()}


class _TailnetKey(_Key):
    type = "TailnetKey"
    replaces = frozenset({"reusable", "ephemeral", "tags", "preauthorized", "expiry", "description"})
    sets = frozenset({"tags"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "reusable": False,
        "ephemeral": False,
        "preauthorized": False,
        "tags": [],
        "description": "",
        "expiry": 7776000,
    }
    computed = ("createdAt", "expiresAt", "invalid", "key", "userId")

    def check(self, inputs: Object) -> Iterator[Failure]:
        yield from super().check(inputs)
        again = inputs.get("recreateIfInvalid")
        if known(again) and again not in ("", "always", "never"):
            yield Failure("recreateIfInvalid", 'must be one of: "", "always", "never"')

    def admit(self, inputs: Object, id_: str | None) -> None:
        if not 0 < inputs.get("expiry", 1) <= 7776000:
            raise RefusedError(
                "Failed to create key: Error creating tailnet key: expirySeconds must be 1 to 7776000 (400)"
            )
        self.tags_owned(inputs.get("tags") or [])

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        return {
            "createdAt": self.store.time(),
            "expiresAt": self.store.later(inputs.get("expiry", 7776000)),
            "invalid": False,
            "key": f"tskey-auth-{id_}-{text_of(mint('secret'), 32)}",
            "userId": inputs.get("userId", ""),
        }

    def missing(self, id_: str, state: Object) -> Object | None:
        return {**state, "invalid": True}

    def forces(self, olds: Object, news: Object) -> tuple[str, ...]:
        again = {"always": True, "never": False}.get(str(news.get("recreateIfInvalid")), bool(news.get("reusable")))
        return ("invalid",) if olds.get("invalid") is True and again else ()


class Tailscale(FlatCloud):
    """The simulated tailnet: any key is good."""

    name = "tailscale"
    version = "0.29.2"
    shapes = SHAPES

    def __init__(self, store: Store, faults: Faults | None = None, *, policy_tests: PolicyTests | None = None) -> None:
        """Keeps its objects in `store`.

        `policy_tests` runs a policy's own `tests` and gives what fails; without it they are taken as passed.
        """
        super().__init__(store, faults)
        kinds: tuple[Kind, ...] = (
            _Acl(store, policy_tests or (lambda policy: [])),
            _DnsPreferences(store),
            _TailnetSettings(store),
            _OauthClient(store),
            _TailnetKey(store),
        )
        self.kinds = {kind.type: kind for kind in kinds}
