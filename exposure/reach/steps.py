"""The surface of what was really registered: the JSON of `pulumi preview --json` or `gatehouse plan --json`.

Property names are the Pulumi providers' own (pulumi_cloudflare 6, pulumi_tailscale 0, pulumi_kubernetes 4). In a
preview ids are unknown; what an unknown id refers to is told by `propertyDependencies`. An AUD inside the rule list
cannot be told that way, since the dependencies are the whole list's. A rule's unknown AUDs are taken for those that its
place asks for (the application that decides there, and those that let anyone by below), where they are just as many;
otherwise they count as unresolved, which any login passes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from config.people import GOOGLE
from config.services import AccessSettings, CorsHeaders
from exposure.model import Json
from exposure.names import BACKEND_PORT
from exposure.reach.access import ANYONE, decide, hours
from exposure.reach.automata import shortest
from exposure.reach.match import covers_path
from exposure.reach.surface import (
    DECISIONS,
    Application,
    Destination,
    Group,
    JwtCheck,
    Known,
    Lookup,
    NodePort,
    Policy,
    Record,
    Rule,
    Selector,
    Surface,
    Tailnet,
    TailnetAddress,
    TailnetIngress,
    Tunnel,
    Zone,
    surface,
    tailnet_address,
    with_behind,
    zone_of,
)
from exposure.workload import Protocol, Workload, in_cluster, labelled

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's mark for a value that only the cloud knows [PU sdk/go/common/resource/plugin, UnknownStringValue]."""

_TUNNEL = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
_RULES = "cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig"
_APPLICATION = "cloudflare:index/zeroTrustAccessApplication:ZeroTrustAccessApplication"
_POLICY = "cloudflare:index/zeroTrustAccessPolicy:ZeroTrustAccessPolicy"
_TOKEN = "cloudflare:index/zeroTrustAccessServiceToken:ZeroTrustAccessServiceToken"
_GROUP = "cloudflare:index/zeroTrustAccessGroup:ZeroTrustAccessGroup"
_IDP = "cloudflare:index/zeroTrustAccessIdentityProvider:ZeroTrustAccessIdentityProvider"
_RECORD = "cloudflare:index/dnsRecord:DnsRecord"
_ZONE = "cloudflare:index/zone:Zone"
_SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
_ACL = "tailscale:index/acl:Acl"
_DNS = "tailscale:index/dnsPreferences:DnsPreferences"
_WHOLE_DNS = "tailscale:index/dnsConfiguration:DnsConfiguration"
_TAILNET = "tailscale:index/tailnetSettings:TailnetSettings"
_INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
_SERVICE = "kubernetes:core/v1:Service"
_SERVICE_PATCH = "kubernetes:core/v1:ServicePatch"
_REFERENCE = "pulumi:pulumi:StackReference"

_CFARGOTUNNEL = ".cfargotunnel.com"
_PLACEHOLDER = re.compile(
    r"<(?P<stack>.+)-(?P<output>(token_)?policy_ids|(bypass|deny)_policy_id|identity_provider_id|login_ids|zone_ids?)(-(?P<key>.+))?>"
)
"""What the offline plan puts for an output of the estate's owner that only the cloud knows."""
_DEFAULT_TAG = "tag:k8s"
_PROXY_GROUP = "tailscale.com/proxy-group"
"""The operator's proxies have this tag where no annotation says another [TS cmd/k8s-operator]."""


class NoPreviewError(ValueError):
    """The document is not the JSON of a preview, or lacks what is needed; the message says what."""


_BARE = ("everyone", "anyValidServiceToken", "certificate")
"""Selectors that say all by their name [CFAPI access policies, include]."""


@dataclass(frozen=True)
class _Resource:
    urn: str
    type: str
    inputs: Mapping[str, object]
    outputs: Mapping[str, object]
    id: str
    parent: str
    dependencies: tuple[str, ...]
    by_property: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]

    @property
    def service(self) -> str | None:
        """The key of the service whose component it is a child of: components are named by it."""
        if "gatehouse:" not in "".join(self.parent.split("::")[2:3]):
            return None
        name = self.parent.rsplit("::", 1)[-1]
        return name.removesuffix("-acme") if "AcmeHttpRoute" in self.parent else name


def stack_of(document: Mapping[str, object]) -> str | None:
    """The stack that a preview is of, from its URNs."""
    for step in _dicts(document.get("steps")):
        match = re.match(r"urn:pulumi:([^:]+)::", str(step.get("urn", "")))
        if match:
            return match[1]
    return None


def from_steps(document: Mapping[str, object], known: Known) -> Surface:
    """The surface of a preview's document. `known` is what no resource says (`known_of`).

    What the document registers itself (zone, policies, tailnet policy) takes the place of what `known` says of it.
    Raises NoPreviewError for a document that is no preview or leaves unchanged resources out.
    """
    return _Reader(document, known).surface()


def policies_of(document: Mapping[str, object], known: Known) -> dict[str, Policy]:
    """The reusable policies that a document registers, by their names in Cloudflare, whoever uses them."""
    reader = _Reader(document, known)
    found = [reader._policy(r, r.inputs, r.name) for r in reader.of(_POLICY)]
    return {policy.name: policy for policy in found}


def known_from(owner: Mapping[str, object], known: Known) -> Known:
    """What a member's stack knows by its owner's document: policies, login methods, tailnet, and zones."""
    reader = _Reader(owner, known)
    policies: dict[str, Policy] = {}
    shared: dict[str, Policy] = {}
    tokens: dict[str, Policy] = {}
    logins: dict[str, str] = {}
    methods = {r.parent: reader.providers[r.urn] for r in reader.of(_IDP)}
    # Google is registered first, and is the one of what nobody logs in to.
    first = next((p for p in methods.values() if p == GOOGLE), next(iter(methods.values()), None))
    for resource in reader.of(_POLICY):
        # A set's policy is a child of the component `google`: `google-people-household`; beside it `google-bypass`.
        prefix = resource.parent.rsplit("::", 1)[-1]
        policy = reader._policy(resource, resource.inputs, resource.name)
        name = resource.name.removeprefix(f"{prefix}-")
        if policy.decision == "non_identity":
            tokens[name] = policy
        elif name in ("bypass", "nobody"):
            shared[name] = policy
        elif policy.decision != "bypass":
            name = name.removeprefix("people-")
            policies[name] = policy
            if methods.get(resource.parent, GOOGLE) != GOOGLE:
                logins[name] = methods[resource.parent]
    found = reader.surface()
    by_id: dict[str, Policy | str] = {r.id: reader._policy(r, r.inputs, r.name) for r in reader.of(_POLICY) if r.id}
    by_id |= {r.id: reader.providers[r.urn] for r in reader.of(_IDP) if r.id}
    by_id |= {r.id: _text(r.inputs.get("name")) for r in reader.of(_ZONE) if r.id}
    return replace(
        known,
        by_id=by_id,
        zones=reader.zones,
        tailnet=found.tailnet,
        bypass=shared.get("bypass", known.bypass),
        deny=shared.get("nobody", known.deny),
        people=policies,
        logins=logins,
        tokens=tokens,
        identity_providers=(first,) if first else (),
    )


_MAKE = "make it with `gatehouse preview --json`, or with `pulumi preview --json --show-sames`"


class _Reader:
    def __init__(self, document: Mapping[str, object], known: Known) -> None:
        steps = document.get("steps")
        if not isinstance(steps, list):
            raise NoPreviewError(f"it has no list `steps`: {_MAKE}")
        self.known = known
        self.resources: dict[str, _Resource] = {}
        shown = 0
        for step in _dicts(steps):
            state = step.get("newState")
            op = str(step.get("op", ""))
            shown += op == "same"
            # What goes has no new state; what is replaced has one of the same URN as its replacement.
            if isinstance(state, Mapping) and op not in ("delete", "delete-replaced", "discard", "discard-replaced"):
                resource = _resource(step, state)
                self.resources[resource.urn] = resource
        same = _dict(document.get("changeSummary")).get("same")
        if isinstance(same, int) and same > shown:
            raise NoPreviewError(f"it leaves out {same - shown} unchanged resources: {_MAKE}")
        self.outputs = self._owner_outputs()
        self.zones = self._zones()
        self.providers = {r.urn: _provider(r) for r in self.of(_IDP)}
        self.applications = {r.urn: self._application(r) for r in self.of(_APPLICATION)}
        self.auds = {str(r.outputs["aud"]): r.urn for r in self.of(_APPLICATION) if _is_known(r.outputs.get("aud"))}
        self.lookup = Lookup(self.applications.values(), ())

    def of(self, type_: str) -> list[_Resource]:
        return [r for r in self.resources.values() if r.type == type_]

    def surface(self) -> Surface:
        return surface(
            replace(self.known, zones=self.zones, tailnet=self._tailnet()),
            tunnels=[self._tunnel(r) for r in self.of(_TUNNEL)],
            applications=self.applications.values(),
            records=[self._record(r) for r in self.of(_RECORD)],
            tailnet_ingresses=[i for r in self.of(_INGRESS) for i in _ingress(r, self.cluster)],
            tailnet_addresses=[
                a for r in (*self.of(_SERVICE), *self.of(_SERVICE_PATCH)) for a in _address(r, self.cluster)
            ],
            node_ports=[n for r in self.of(_SERVICE) for n in _node_ports(r, self.cluster)],
            nodes=with_behind(self.known, (b for r in self.of(_INGRESS) for b in _behind(r, self.cluster))),
        )

    @property
    def cluster(self) -> str:
        """The node's name, which its only tunnel has too."""
        tunnels = self.of(_TUNNEL)
        if self.known.node or len(tunnels) != 1:
            return self.known.node.name if self.known.node else ""
        return _text(tunnels[0].inputs.get("name"))

    # The tunnel

    def _tunnel(self, tunnel: _Resource) -> Tunnel:
        name = str(tunnel.inputs.get("name", tunnel.name))
        lists = [r for r in self.of(_RULES) if self._refers(r, "tunnelId", tunnel)]
        if not lists:
            return Tunnel(name, None)
        config = _dict(lists[0].inputs.get("config"))
        return Tunnel(name, tuple(self._rule(lists[0], entry) for entry in _dicts(config.get("ingresses"))))

    def _rule(self, owner: _Resource, entry: Mapping[str, object]) -> Rule:
        host, path = _text(entry.get("hostname")) or None, _text(entry.get("path")) or None
        request = _dict(entry.get("originRequest"))
        access = _dict(request.get("access"))
        deciding = self._deciding(host or "", path)
        record = next((r for r in self.of(_RECORD) if _text(r.inputs.get("name")) == host), None)
        own = [a.service for a in deciding if any(d.host == host for d in a.destinations)]
        services = [*own, record.service if record else None, *(a.service for a in deciding)]
        return Rule(
            None if host == "*" else host,
            path,
            _text(entry.get("service")),
            self._check(owner, host or "", path, deciding, access) if access else None,
            next(filter(None, services), None),
            _text(request.get("httpHostHeader")),
        )

    def _deciding(self, host: str, path: str | None) -> list[Application]:
        """The applications that may decide where a rule's path, or its whole host, begins."""
        # No name has that sign, so of a wildcard it stands for those that have no application of their own.
        return self.lookup.deciding(host.replace("*", "~", 1), _start(path)) if host else []

    def _check(
        self,
        owner: _Resource,
        host: str,
        path: str | None,
        deciding: Sequence[Application],
        access: Mapping[str, object],
    ) -> JwtCheck:
        tags = [str(t) for t in _list(access.get("audTags"))]
        resolved = {self.applications[self.auds[t]].key for t in tags if t in self.auds}
        unresolved = [t for t in tags if t not in self.auds]
        # What the place asks for, of which the AUD is not known yet; Gatehouse's own rules name just these.
        asked = {a.key for a in deciding} | {a.key for a in self._opening(host, path)}
        waiting = {
            self.applications[urn].key
            for urn in {*owner.dependencies, *owner.by_property.get("config", ())} & self.applications.keys()
            if urn not in self.auds.values()
        }
        missing = asked - resolved
        if resolved <= asked and missing <= waiting and unresolved == [UNKNOWN] * len(missing):
            resolved, unresolved = asked, []
        return JwtCheck(
            access.get("required") is True, _text(access.get("teamName")), tuple(sorted(resolved)), len(unresolved)
        )

    def _opening(self, host: str, path: str | None) -> list[Application]:
        """The applications that let anyone by at a part of what a rule takes."""
        start = _start(path).rstrip("/")
        return [
            a
            for a in self.applications.values()
            if any(d.host == host and covers_path(start, d.path or "/") for d in a.destinations)
            and decide(a, ANYONE).verdict == "bypass"
        ]

    # Access

    def _application(self, resource: _Resource) -> Application:
        inputs = resource.inputs
        uris = [
            _text(d.get("uri")) for d in _dicts(inputs.get("destinations")) if _text(d.get("type")) in ("", "public")
        ]
        # Older ways to say the same [TFC zero_trust_access_application].
        uris += [] if uris else [_text(d) for d in _list(inputs.get("selfHostedDomains"))]
        uris += [] if uris else [_text(inputs.get("domain"))] if inputs.get("domain") else []
        entries = sorted(_dicts(inputs.get("policies")), key=lambda p: _number(p.get("precedence")))
        waiting = self._waiting(resource, "policies", _POLICY, (entry.get("id") for entry in entries))
        # That of tokens stands first, as it is asked first.
        waiting.sort(key=lambda p: p.inputs.get("decision") != "non_identity")
        unknown = iter(waiting)
        policies = tuple(self._attached(resource, entry, unknown) for entry in entries)
        # The longest of its policies that let people in, where these say it [CFDOC session-management].
        sessions = sorted((p.session for p in policies if p.decision == "allow" and p.session), key=hours)
        return Application(
            tuple(sorted(_destination(uri) for uri in uris)),
            policies,
            self._identity_providers(resource),
            inputs.get("autoRedirectToIdentity") is True,
            _text(inputs.get("name")),
            resource.service,
            sessions[-1] if sessions else _text(inputs.get("sessionDuration")),
            _weakened(inputs),
        )

    def _waiting(self, owner: _Resource, word: str, type_: str, ids: Iterable[object]) -> list[_Resource]:
        """What a property refers to whose ids are not known yet; nothing where it is not all of them."""
        found = [r for r in self._depended(owner, word, type_) if not _is_known(r.id)]
        return found if len(found) == list(ids).count(UNKNOWN) else []

    def _identified(self, type_: str, identity: str, waiting: Iterator[_Resource]) -> _Resource | None:
        """The resource that has an id; where that is not known yet, the next of those that wait for one."""
        if identity == UNKNOWN:
            return next(waiting, None)
        return next((r for r in self.of(type_) if _is_known(identity) and r.id == identity), None)

    def _attached(self, application: _Resource, entry: Mapping[str, object], waiting: Iterator[_Resource]) -> Policy:
        """A policy as an application attaches it: by id, or written in place."""
        if entry.get("decision") is not None:
            return self._policy(application, entry, _text(entry.get("name")))
        identity = _text(entry.get("id"))
        policy = self._identified(_POLICY, identity, waiting)
        if policy is not None:
            return self._policy(policy, policy.inputs, policy.name)
        return self._owners(identity) or Policy("unknown", name=identity)

    def _owners(self, identity: str) -> Policy | None:
        """A policy that the estate's owner registers, by its id or the offline plan's placeholder."""
        known = self.known.by_id.get(identity)
        if isinstance(known, Policy):
            return known
        output, key = self._owners_output(identity)
        if output in ("bypass_policy_id", "deny_policy_id"):
            return self.known.bypass if output == "bypass_policy_id" else self.known.deny
        by_name = {"policy_ids": self.known.people, "token_policy_ids": self.known.tokens}
        # One with a session of its own (`household@1h`) lets in the same people.
        return by_name[output].get(key.partition("@")[0]) if output in by_name else None

    def _owners_output(self, identity: str) -> tuple[str, str]:
        """Which output of the owner an id is, and under which key in it."""
        match = _PLACEHOLDER.fullmatch(identity)
        return (match["output"], match["key"] or "") if match else self.outputs.get(identity, ("", ""))

    def _policy(self, owner: _Resource, inputs: Mapping[str, object], name: str) -> Policy:
        decision = _text(inputs.get("decision"))
        return Policy(
            next((d for d in DECISIONS if d == decision), "unknown"),
            include=self._selectors(owner, inputs, "includes"),
            exclude=self._selectors(owner, inputs, "excludes"),
            require=self._selectors(owner, inputs, "requires"),
            name=_text(inputs.get("name")) or name,
            # One that stands by itself has a day by default [TFC zero_trust_access_policy].
            session=_text(inputs.get("sessionDuration")) or ("24h" if owner.type == _POLICY else ""),
        )

    def _selectors(self, owner: _Resource, inputs: Mapping[str, object], word: str) -> tuple[Selector, ...]:
        found = []
        # Which of the tokens is which is all one.
        tokens = (r for r in self._depended(owner, word, _TOKEN) if not _is_known(r.id))
        ids = [_dict(entry.get("group")).get("id") for entry in _dicts(inputs.get(word))]
        groups = iter(self._waiting(owner, word, _GROUP, ids))
        for entry in _dicts(inputs.get(word)):
            given = {kind: _dict(value) for kind, value in entry.items() if value is not None}
            # What was refreshed keeps the shell of the selector that was there before beside the one that is there now.
            full = {k: d for k, d in given.items() if k in _BARE or any(v is not None for v in d.values())}
            for kind, details in (full or given).items():
                if kind == "group":
                    identity = _text(details.get("id"))
                    group = self._identified(_GROUP, identity, groups)
                    found.append(self._resolved(group) if group else Selector(kind, identity))
                elif kind in ("email", "emailDomain"):
                    field = "domain" if kind == "emailDomain" else "email"
                    found.append(Selector(kind, _text(details.get(field)).lower()))
                elif kind == "githubOrganization":
                    parts = (_text(details.get("name")), _text(details.get("team")))
                    found.append(Selector(kind, "/".join(filter(None, parts)).lower()))
                elif kind == "serviceToken":
                    identity = _text(details.get("tokenId"))
                    token = self._identified(_TOKEN, identity, tokens)
                    found.append(Selector(kind, _token_name(token) if token else identity))
                else:
                    text = ", ".join(str(v) for v in details.values() if v not in (None, UNKNOWN))
                    found.append(Selector(kind, text))
        return tuple(sorted(found, key=lambda s: (s.kind, s.value, s.group.name if s.group else "")))

    def _resolved(self, group: _Resource) -> Selector:
        found = Group(
            include=self._selectors(group, group.inputs, "includes"),
            exclude=self._selectors(group, group.inputs, "excludes"),
            require=self._selectors(group, group.inputs, "requires"),
            name=_text(group.inputs.get("name")),
        )
        return Selector("group", "", found)

    def _identity_providers(self, application: _Resource) -> tuple[str, ...]:
        found: set[str] = set()
        for identity in _list(application.inputs.get("allowedIdps")):
            matching = {
                t for u, t in self.providers.items() if self.resources[u].id == identity and _is_known(identity)
            }
            if not matching and identity == UNKNOWN:
                matching = {self.providers[r.urn] for r in self._depended(application, "allowedIdps", _IDP)}
            by_id = self.known.by_id.get(str(identity))
            if isinstance(by_id, str):
                matching = {by_id}
            output, key = self._owners_output(str(identity))
            if not matching and output == "identity_provider_id":
                matching = set(self.known.identity_providers)
            if not matching and key in self.known.logins:
                matching = {self.known.logins[key]}
            found |= matching or {"unknown"}
        return tuple(sorted(found))

    def _owner_outputs(self) -> dict[str, tuple[str, str]]:
        """What each id among the outputs of a StackReference stands for: (output, key in it)."""
        found: dict[str, tuple[str, str]] = {}
        for reference in self.of(_REFERENCE):
            for output, value in _dict(reference.outputs.get("outputs")).items():
                if isinstance(value, Mapping):
                    found.update({str(v): (output, k) for k, v in value.items() if _is_known(v)})
                elif _is_known(value):
                    found[str(value)] = (output, "")
        return found

    # DNS

    def _zones(self) -> tuple[Zone, ...]:
        """The zones that are registered here, with their settings; those that are known otherwise."""
        known = {zone.name: zone for zone in self.known.zones}
        found = []
        for resource in self.of(_ZONE):
            zone = known.get(_text(resource.inputs.get("name"))) or Zone(_text(resource.inputs.get("name")))
            for setting in self.of(_SETTING):
                mine = self._refers(setting, "zoneId", resource)
                if mine and setting.inputs.get("settingId") == "always_use_https":
                    zone = replace(zone, always_https=setting.inputs.get("value") == "on")
            found.append(zone)
        return tuple(found) or self.known.zones

    def _zone_of(self, record: _Resource, name: str) -> str:
        """The name of the zone that a record is in: by the id that it gives, else by its own name."""
        identity = _text(record.inputs.get("zoneId"))
        mine = next((r for r in self.of(_ZONE) if self._refers(record, "zoneId", r)), None)
        if mine is not None:
            return _text(mine.inputs.get("name"))
        by_id = self.known.by_id.get(identity)
        if isinstance(by_id, str):
            return by_id
        output, key = self._owners_output(identity)
        inside = zone_of(self.zones, name)
        first = self.zones[0].name if self.zones else ""
        return key if output == "zone_ids" else first if output == "zone_id" or not inside else inside.name

    def _record(self, record: _Resource) -> Record:
        inputs = record.inputs
        name = _text(inputs.get("name")).lower().rstrip(".")
        zone = self._zone_of(record, name)
        if name in ("@", ""):
            name = zone
        elif zone and name != zone and not name.endswith(f".{zone}"):
            # The API takes names below the zone and gives them back whole [TFC dns_record].
            name = f"{name}.{zone}"
        content = _text(inputs.get("content"))
        tunnel = self._leads_to(record, content)
        return Record(
            name,
            _text(inputs.get("type")),
            "" if tunnel else content,
            inputs.get("proxied") is True,
            tunnel,
            record.service,
        )

    def _leads_to(self, record: _Resource, content: str) -> str | None:
        tunnels = self.of(_TUNNEL)
        if UNKNOWN in content:
            tunnels = self._depended(record, "content", _TUNNEL)
        elif content.endswith(_CFARGOTUNNEL):
            tunnels = [t for t in tunnels if t.id == content.removesuffix(_CFARGOTUNNEL)]
            if not tunnels:
                return content.removesuffix(_CFARGOTUNNEL)
        else:
            return None
        return str(tunnels[0].inputs.get("name")) if len(tunnels) == 1 else None

    # The tailnet

    def _tailnet(self) -> Tailnet | None:
        known = self.known.tailnet
        policies, settings = self.of(_ACL), self.of(_TAILNET)
        dns = [*self.of(_WHOLE_DNS), *self.of(_DNS)]
        if not (policies or dns or settings):
            return known
        policy = known.policy if known else None
        for acl in policies:
            policy = _policy_json(acl.inputs.get("acl"))
        return Tailnet(
            known.name if known else None,
            policy,
            dns[0].inputs.get("magicDns", True) is True if dns else (known.magic_dns if known else True),
            settings[0].inputs.get("httpsEnabled") is True if settings else (known.https if known else True),
        )

    # References

    def _depended(self, resource: _Resource, property_: str, type_: str) -> list[_Resource]:
        urns = resource.by_property.get(property_) or resource.dependencies
        return [self.resources[u] for u in urns if u in self.resources and self.resources[u].type == type_]

    def _refers(self, resource: _Resource, property_: str, target: _Resource) -> bool:
        value = resource.inputs.get(property_)
        if _is_known(value):
            return value == target.id
        return target in self._depended(resource, property_, target.type)


def _weakened(inputs: Mapping[str, object]) -> tuple[str, ...]:
    cors = _dict(inputs.get("corsHeaders"))
    origins = ("*",) if cors.get("allowAllOrigins") is True else tuple(map(str, _list(cors.get("allowedOrigins"))))
    made = AccessSettings.model_construct
    return made(
        cors_headers=CorsHeaders.model_construct(
            allowed_origins=origins, allow_credentials=cors.get("allowCredentials") is True
        ),
        # Without a word of it, browsers take `lax`.
        same_site_cookie_attribute=_text(inputs.get("sameSiteCookieAttribute")).lower() or "lax",
        http_only_cookie_attribute=inputs.get("httpOnlyCookieAttribute") is not False,
        skip_interstitial=inputs.get("skipInterstitial") is True,
    ).weakened


def _provider(method: _Resource) -> str:
    """A login method: its type, and the name of one that is not Google."""
    kind = _text(method.inputs.get("type"))
    return kind if kind == GOOGLE else f"{kind} {_text(method.inputs.get('name'))}"


def _token_name(token: _Resource) -> str:
    """A service token's name: by our component its key, elsewhere what it is called."""
    component = token.parent.rsplit("::", 1)[-1]
    mine = "gatehouse:index:ServiceTokens" in token.parent
    return token.name.removeprefix(f"{component}-") if mine else _text(token.inputs.get("name")) or token.name


def _resource(step: Mapping[str, object], state: Mapping[str, object]) -> _Resource:
    # What is made anew has another id and another AUD than what is there.
    old = {} if step.get("op") in ("replace", "create-replacement") else _dict(step.get("oldState"))
    by_property = {k: tuple(str(u) for u in _list(v)) for k, v in _dict(state.get("propertyDependencies")).items()}
    # A preview of an update knows ids and outputs from what is there already.
    return _Resource(
        str(state.get("urn", step.get("urn", ""))),
        str(state.get("type", "")),
        _dict(state.get("inputs")),
        {**_dict(old.get("outputs")), **{k: v for k, v in _dict(state.get("outputs")).items() if _is_known(v)}},
        str(state.get("id") or old.get("id") or ""),
        str(state.get("parent", "")),
        tuple(str(u) for u in _list(state.get("dependencies"))),
        by_property,
    )


def _start(path: str | None) -> str:
    """A path that a rule takes, the shortest; `/` where it takes the whole host."""
    return (shortest(path) or "/") if path else "/"


def _destination(uri: str) -> Destination:
    host, slash, path = uri.removeprefix("https://").partition("/")
    return Destination(host.lower(), f"{slash}{path}")


def _policy_json(text: object) -> Mapping[str, Json]:
    """The tailnet's policy from the text given to Tailscale; it may be HuJSON."""
    from exposure.policy_eval.hujson import HuJSONError, parse

    if isinstance(text, Mapping):
        return cast("Mapping[str, Json]", text)
    try:
        value = json.loads(str(text))
    except ValueError:
        try:
            value = parse(str(text)).value
        except HuJSONError as error:
            raise NoPreviewError(f"its tailnet policy is not HuJSON: {error}") from error
    if not isinstance(value, Mapping):
        raise NoPreviewError("its tailnet policy is not an object")
    return value


def _ingress(resource: _Resource, cluster: str) -> Iterable[TailnetIngress]:
    metadata, spec = _dict(resource.inputs.get("metadata")), _dict(resource.inputs.get("spec"))
    annotations = _dict(metadata.get("annotations"))
    if spec.get("ingressClassName") != "tailscale":
        return
    namespace, name = _text(metadata.get("namespace")) or "default", _text(metadata.get("name"))
    hosts = [h for tls in _dicts(spec.get("tls"))[:1] for h in _list(tls.get("hosts"))]
    # Without a TLS host the name is made from namespace and name [TS cmd/k8s-operator/ingress.go].
    machine = str(hosts[0]).split(".", 1)[0] if hosts else f"{namespace}-{name}-ingress"
    rest = [_dict(spec.get("defaultBackend"))]
    served = {}
    for rule in _dicts(spec.get("rules")):
        for entry in _dicts(_dict(rule.get("http")).get("paths")):
            served[_text(entry.get("path")) or "/"] = _dict(entry.get("backend"))
    number = _text(annotations.get(BACKEND_PORT))
    by_path = [(path, _backend(b, number)) for path, b in (*(("/", b) for b in rest), *served.items()) if b]
    backends = dict.fromkeys(backend for _, backend in by_path)
    # A proxy group's Ingresses have no Funnel.
    shared = _PROXY_GROUP in annotations
    funnel = annotations.get("tailscale.com/funnel") == "true" and not shared
    paths = ("/",) if rest[0] or "/" in served else tuple(sorted(served))
    yield TailnetIngress(
        *(machine, namespace, ", ".join(backends), _tags(annotations), funnel, paths, resource.service, cluster),
        tuple(sorted(dict(by_path).items())) if len(backends) > 1 else (),
        shared,
    )


def _behind(resource: _Resource, cluster: str) -> Iterable[tuple[str, str, Workload]]:
    """What an ingress controller leads on to by an Ingress: by host and path."""
    metadata, spec = _dict(resource.inputs.get("metadata")), _dict(resource.inputs.get("spec"))
    namespace = _text(metadata.get("namespace")) or "default"
    for rule in _dicts(spec.get("rules")) if spec.get("ingressClassName") != "tailscale" else ():
        for entry in _dicts(_dict(rule.get("http")).get("paths")):
            name, _, port = _backend(_dict(entry.get("backend")), "").rpartition(":")
            workload = in_cluster(cluster, namespace, name, int(port) if port.isdigit() else port)
            yield _text(rule.get("host")) or "*", _text(entry.get("path")) or "/", workload


def _backend(backend: Mapping[str, object], number: str) -> str:
    """Service and port; `number` is the number of a port that is named, where it is known."""
    service = _dict(backend.get("service"))
    port = _dict(service.get("port"))
    return f"{_text(service.get('name'))}:{_port(port) if 'number' in port else number or _port(port)}"


def _address(resource: _Resource, cluster: str) -> Iterable[TailnetAddress]:
    metadata, spec = _dict(resource.inputs.get("metadata")), _dict(resource.inputs.get("spec"))
    annotations = _dict(metadata.get("annotations"))
    if spec.get("loadBalancerClass") != "tailscale" and annotations.get("tailscale.com/expose") != "true":
        return
    namespace, name = _text(metadata.get("namespace")) or "default", _text(metadata.get("name"))
    # A patch says nothing of the ports of the Service that it is put on.
    whole = resource.type == _SERVICE
    yield tailnet_address(
        _text(annotations.get("tailscale.com/hostname")) or f"{namespace}-{name}",
        namespace,
        {(_protocol(p), _number(p.get("port"))): _target(p) for p in _dicts(spec.get("ports"))} if whole else None,
        _tags(annotations),
        resource.service,
        cluster,
        labelled(_dict(spec.get("selector"))) if spec.get("selector") else name,
        _PROXY_GROUP in annotations,
    )


def _node_ports(resource: _Resource, cluster: str) -> Iterable[NodePort]:
    """The ports that a Service opens at the node; a LoadBalancer's too, unless that is off [Kubernetes, Service]."""
    metadata, spec = _dict(resource.inputs.get("metadata")), _dict(resource.inputs.get("spec"))
    allocated = spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    if not (allocated or spec.get("type") == "NodePort"):
        return
    selector = _dict(spec.get("selector"))
    for port in _dicts(spec.get("ports")):
        yield NodePort(
            _text(metadata.get("namespace")) or "default",
            _protocol(port),
            _number(port.get("port")),
            _number(port.get("nodePort")),
            resource.service,
            cluster,
            labelled(selector) if selector else _text(metadata.get("name")),
            _target(port),
        )


def _target(port: Mapping[str, object]) -> int | str:
    """The pods' port behind a Service's: the same one where that is not said."""
    target = port.get("targetPort")
    if isinstance(target, str) and target and target != UNKNOWN:
        return target
    return _number(target) or _number(port.get("port"))


def _tags(annotations: Mapping[str, object]) -> tuple[str, ...]:
    tags = [t.strip() for t in _text(annotations.get("tailscale.com/tags")).split(",") if t.strip()]
    return tuple(sorted(tags)) or (_DEFAULT_TAG,)


def _protocol(port: Mapping[str, object]) -> Protocol:
    return "udp" if _text(port.get("protocol")).lower() == "udp" else "tcp"


def _port(port: Mapping[str, object]) -> str:
    return str(_number(port["number"])) if "number" in port else _text(port.get("name"))


def _is_known(value: object) -> bool:
    return value is not None and value != "" and value != UNKNOWN


def _dict(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _dicts(value: object) -> list[Mapping[str, object]]:
    return [_dict(v) for v in _list(value) if isinstance(v, Mapping)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
