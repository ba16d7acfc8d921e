"""The simulated Cloudflare.

Names, defaults, replacements and import ids: cloudflare/terraform-provider-cloudflare v5
(`internal/services/*/schema.go`, `resource.go`, `plan_modifiers.go`). Tunnel rules: cloudflare/cloudflared
`ingress/ingress.go`. DNS names: developers.cloudflare.com/dns/manage-dns-records/troubleshooting/
records-with-same-name. Where the text of a refusal is not known, its sense is given.
"""

from __future__ import annotations

import base64
import importlib
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from gatehouse.simulation import values
from gatehouse.simulation.cloud import Faults, FlatCloud, Kind, RefusedError, camel, known
from gatehouse.simulation.cloudflare_shapes import SHAPES
from gatehouse.simulation.encoder import Encoder
from gatehouse.simulation.kubernetes import has_connector
from gatehouse.simulation.shapes import Failure, holes, misfits
from gatehouse.simulation.store import Store
from gatehouse.simulation.values import UNKNOWN, Object

_API: Final = "https://api.cloudflare.com/client/v4"
#: What the bridge writes beside the outputs: every type here has this schema (`schema.go`), and upgraders from 0 to it.
META: Final = '{"schema_version":"500"}'
#: Inputs that go into the URL, not into the body (`path:` in each `model.go`).
_IN_PATH: Final = frozenset({"accountId", "settingId", "tunnelId", "zoneId"})
_ACCOUNT_OR_ZONE: Final = "<{accounts|zones}/{account_id|zone_id}>"
_GO_DURATION: Final = re.compile(r"0|[-+]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_NAME_SERVERS: Final = ("ada", "alec", "beau", "cora", "dana", "elle", "finn", "gene", "hugh", "iris", "jay", "kim")
_LOCAL_SERVICES: Final = ("hello_world", "hello-world", "bastion", "socks-proxy")
_ON_OFF: Final = ("on", "off")
_SETTINGS: Final = {
    "always_use_https": _ON_OFF,
    "automatic_https_rewrites": _ON_OFF,
    "min_tls_version": ("1.0", "1.1", "1.2", "1.3"),
    "ssl": ("off", "flexible", "full", "strict", "origin_pull"),
}


def refuse(method: str, path: str, code: int, message: str, status: str = "400 Bad Request") -> RefusedError:
    """Gives the refusal in the form of the real provider's error."""
    return RefusedError(
        f'failed to make http request: {method} "{_API}{path}": {status} '
        f'{{"success":false,"errors":[{{"code":{code},"message":"{message}"}}]}}'
    )


def _has_schema(state: Object) -> bool:
    return bool(json.loads(state.get("__meta") or "{}").get("schema_version") == "500")


class _Kind(Kind):
    imports_or_fails = True
    #: Whether an update is a PATCH, with what has changed only; else it is a PUT of all (`MarshalJSONForUpdate`).
    patches = False

    def key(self, id_: str, properties: Object) -> str:
        # What is in a zone is imported by the zone's id and its own.
        zone = f"/{properties.get('zoneId')}" if self.import_form.startswith("<zone_id>/") else ""
        return f"{self.collection}{zone}/{id_}"

    def opened(self, state: Object, *, asks: bool = True) -> Object:
        # What says which object a call is about: the properties that the import id is made of, and the id.
        for parameter in re.findall(r"<(\w+)>", self.import_form) if asks else ():
            property_ = camel(parameter)
            if not state.get(property_ if property_ in SHAPES[self.type] else "id"):
                raise RefusedError(f"failed to make http request: missing required {parameter} parameter")
        return state

    def bridged(self, id_: str, outputs: Object) -> Object:
        return {**outputs, "id": id_, "__meta": META}

    def invalid(self, body: Object, problem: str) -> RefusedError:
        """Gives the API's refusal of a body that is not whole."""
        return refuse("POST", f"/{self.collection}", 1001, f"Bad request: {problem}")

    def whole(self, body: Object) -> None:
        for path in holes(body):
            raise self.invalid(body, f"{values.path_text(path)} is empty")
        for one in misfits(body, self.type, SHAPES):
            raise self.invalid(body, f"{one.property} is required")

    def zone(self, zone_id: Any) -> Object:
        """Gives the zone, or refuses as the API does for one it does not have."""
        item = self.store.get(f"cloudflare/zone/{zone_id}")
        if item is None:
            message = f"Could not route to /zones/{zone_id}, perhaps your object identifier is invalid?"
            raise refuse("GET", f"/zones/{zone_id}", 7003, message, "404 Not Found")
        body: Object = item["body"]
        return body

    def exists(self, collection: str, id_: Any, account: Any = None) -> bool:
        """Says whether such an object is there (and belongs to the account)."""
        item = self.store.get(f"cloudflare/{collection}/{id_}")
        return item is not None and (account is None or item["body"].get("accountId", account) == account)

    def others(self, collection: str, id_: str | None) -> Iterator[Object]:
        """Yields the bodies of the other objects of a collection."""
        own = f"cloudflare/{collection}/{id_}"
        return (body for key, body in self.store.find(f"cloudflare/{collection}/") if key != own)


class _Zone(_Kind):
    type = "Zone"
    collection = "cloudflare/zone"
    replaces = frozenset({"name", "account"})
    defaults: ClassVar[Mapping[str, Any]] = {"paused": False, "type": "full"}
    computed = (
        "activatedOn", "createdOn", "developmentMode", "meta", "modifiedOn", "nameServers", "originalNameServers",
        "originalRegistrar", "owner", "permissions", "plan", "status", "tenant", "tenantUnit", "vanityNameServers",
    )  # fmt: skip
    volatile = ("modifiedOn",)
    stamps = ("createdOn", "modifiedOn")
    import_form = "<zone_id>"
    patches = True

    def opened(self, state: Object, *, asks: bool = True) -> Object:
        # No schema is schema 0, and the upgrader from that takes the state for one of the plugin's version 4.
        if not _has_schema(state):
            raise RefusedError(
                "failed to get current raw state: Failed to unmarshal v4 zone state: "
                'Could not parse raw state as v4 format: unsupported attribute "account"'
            )
        if asks and not state.get("id"):
            raise RefusedError("Invalid zone state: empty or null zone ID")
        return state

    def admit(self, inputs: Object, id_: str | None) -> None:
        name = inputs["name"]
        if any(zone["name"].lower() == name.lower() for zone in self.others("zone", id_)):
            raise refuse("POST", "/zones", 1061, f"{name} already exists")

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        digits = int(mint("name servers")[:8], 16)
        first, step = digits % len(_NAME_SERVERS), 1 + digits // 97 % (len(_NAME_SERVERS) - 1)
        pair = sorted((_NAME_SERVERS[first], _NAME_SERVERS[(first + step) % len(_NAME_SERVERS)]))
        return {
            "developmentMode": 0,
            "meta": {"cdnOnly": False, "dnsOnly": False, "foundationDns": False, "pageRuleQuota": 3, "step": 2},
            "nameServers": [f"{name}.ns.cloudflare.com" for name in pair],
            "originalNameServers": ["ns1.registrar.example", "ns2.registrar.example"],
            "originalRegistrar": "registrar.example",
            "owner": {"type": "user"},
            "permissions": ["#zone:edit", "#zone:read"],
            "plan": {"name": "Free Website", "price": 0, "currency": "USD", "isSubscribed": False},
            "status": "pending",
            "tenant": {},
            "tenantUnit": {},
            "vanityNameServers": inputs.get("vanityNameServers", []),
        }

    def gone(self, id_: str, body: Object) -> bool:
        # The API takes a zone away with all that is in it.
        for collection in ("dns", "setting", "dnssec"):
            for key, _ in list(self.store.find(f"cloudflare/{collection}/{id_}")):
                self.store.remove(key)
        for key, ruleset in list(self.store.find("cloudflare/ruleset/")):
            if ruleset.get("zoneId") == id_:
                self.store.remove(key)
        return True


class _ZoneSetting(_Kind):
    type = "ZoneSetting"
    forgives_missing = True
    collection = "cloudflare/setting"
    replaces = frozenset({"zoneId", "settingId"})
    computed = ("editable", "modifiedOn")
    volatile = stamps = ("modifiedOn",)
    import_form = "<zone_id>/<setting_id>"
    named_by = "settingId"
    stays = True
    patches = True

    def admit(self, inputs: Object, id_: str | None) -> None:
        name, value = inputs["settingId"], inputs["value"]
        self.zone(inputs["zoneId"])
        path = f"/zones/{inputs['zoneId']}/settings/{name}"
        if name not in (*_SETTINGS, "security_header"):
            raise refuse("PATCH", path, 1006, f"Undefined zone setting: {name}")
        if name in _SETTINGS and value not in _SETTINGS[name]:
            raise refuse("PATCH", path, 1007, f"Invalid value for zone setting {name}")

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        return {"editable": True}

    def changed(self, id_: str, inputs: Object, old: Object) -> Object:
        # The plugin sends of an object only the fields that changed; here the API then knows no others.
        return {"value": _changed_fields(inputs["value"], old.get("value"))}

    def import_fails(self, body: Object) -> str:
        if not isinstance(body.get("value"), dict):
            return ""
        # The plugin itself ends with it, so that whatever else is under way fails as well.
        return (
            "Bridged provider panic (provider=cloudflare method=Read): "
            "runtime error: invalid memory address or nil pointer dereference"
        )


def _changed_fields(new: Any, old: Any) -> Any:
    if not isinstance(new, dict) or not isinstance(old, dict):
        return new
    return {name: _changed_fields(one, old.get(name)) for name, one in new.items() if one != old.get(name)}


class _ZoneDnssec(_Kind):
    type = "ZoneDnssec"
    collection = "cloudflare/dnssec"
    replaces = frozenset({"zoneId"})
    computed = (
        "algorithm", "digest", "digestAlgorithm", "digestType", "ds", "flags", "keyTag", "keyType", "modifiedOn",
        "publicKey",
    )  # fmt: skip
    volatile = stamps = ("modifiedOn",)
    import_form = "<zone_id>"
    named_by = "zoneId"
    patches = True

    def key(self, id_: str, properties: Object) -> str:
        return f"{self.collection}/{properties.get('zoneId', id_)}"

    def admit(self, inputs: Object, id_: str | None) -> None:
        self.zone(inputs["zoneId"])

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        if inputs.get("status") != "active":
            return {}
        return _ds_record(self.zone(inputs["zoneId"])["name"], bytes.fromhex(mint("key x") + mint("key y")))

    def changed(self, id_: str, inputs: Object, old: Object) -> Object:
        return {} if old.get("ds") else self.born(id_, inputs, self.store.mint(f"dnssec {id_}"))

    def stored(self, id_: str, body: Object) -> Object:
        moved = self.zone(body["zoneId"])["status"] == "active"
        status = body.get("status", "disabled")
        return {**body, "status": "pending" if status == "active" and not moved else status}

    def shown(self, body: Object, state: Object) -> Object:
        # The real one says `pending` while the registrar has no DS record, which would be a drift in every refresh.
        return {**body, "status": state.get("status", "active")} if body["status"] == "pending" else body

    def gone(self, id_: str, body: Object) -> bool:
        if body["status"] == "active":
            message = "DNSSEC is active: remove the DS record at the registrar and wait for it to be disabled."
            raise refuse("DELETE", f"/zones/{id_}/dnssec", 1006, message)
        return True


def _ds_record(zone: str, key: bytes) -> Object:
    """Gives the DNSSEC outputs for a key of algorithm 13."""
    import dns.dnssec
    import dns.rdata

    public = base64.b64encode(key).decode()
    signing: Any = dns.rdata.from_text("IN", "DNSKEY", f"257 3 13 {public}")
    tag = dns.dnssec.key_id(signing)
    digest = dns.dnssec.make_ds(f"{zone}.", signing, "SHA256").digest.hex().upper()
    return {
        "algorithm": "13",
        "digest": digest,
        "digestAlgorithm": "SHA256",
        "digestType": "2",
        "ds": f"{zone}. 3600 IN DS {tag} 13 2 {digest}",
        "flags": 257,
        "keyTag": tag,
        "keyType": "ECDSAP256SHA256",
        "publicKey": public,
    }


class _DnsRecord(_Kind):
    type = "DnsRecord"
    collection = "cloudflare/dns"
    replaces = frozenset({"zoneId", "type"})
    sets = frozenset({"tags"})
    defaults: ClassVar[Mapping[str, Any]] = {"proxied": False}
    computed = ("createdOn", "meta", "modifiedOn", "proxiable", "settings", "tags")
    volatile = ("modifiedOn",)
    stamps = ("createdOn", "modifiedOn")
    import_form = "<zone_id>/<dns_record_id>"

    def invalid(self, body: Object, problem: str) -> RefusedError:
        return refuse("PUT", f"/zones/{body['zoneId']}/dns_records", 1004, f"DNS Validation Error: {problem}")

    def full_name(self, name: str, zone: str) -> str:
        """Gives the record's name as the API writes it: `@` is the zone, a name outside it goes below it."""
        name = name.rstrip(".").lower()
        if name in ("@", zone):
            return zone
        return name if name.endswith(f".{zone}") else f"{name}.{zone}"

    def admit(self, inputs: Object, id_: str | None) -> None:
        zone_id, type_, content = inputs["zoneId"], inputs["type"].upper(), inputs.get("content")
        zone = self.zone(zone_id)["name"]
        name = self.full_name(inputs["name"], zone)
        path = f"/zones/{zone_id}/dns_records"

        def bad(code: int, message: str) -> RefusedError:
            return refuse("POST" if id_ is None else "PATCH", path, code, message)

        labels = name.split(".")
        if len(name) > 253 or not all(
            _LABEL.fullmatch(label) or (label == "*" and index == 0) for index, label in enumerate(labels)
        ):
            raise bad(9000, f"DNS name is invalid: {name}")
        if inputs["ttl"] != 1 and not 60 <= inputs["ttl"] <= 86400:
            raise bad(9021, "Invalid TTL. Must be between 60 and 86,400 seconds, or 1 for Automatic.")
        if type_ in ("A", "AAAA"):
            try:
                right = ipaddress.ip_address(str(content)).version == (4 if type_ == "A" else 6)
            except ValueError:
                right = False
            if not right:
                raise bad(9005, f"Content for {type_} record must be a valid IPv{4 if type_ == 'A' else 6} address.")
        if inputs.get("proxied") and type_ not in ("A", "AAAA", "CNAME"):
            raise bad(9004, "This record type cannot be proxied.")
        if inputs.get("tags"):
            raise bad(9044, f"DNS record has {len(inputs['tags'])} tags, exceeding the quota of 0.")
        own = f"{self.collection}/{zone_id}/{id_}"
        for key, other in self.store.find(f"{self.collection}/{zone_id}/"):
            if key == own or other["name"] != name:
                continue
            more = "For more details, refer to the documentation on records with the same name."
            if other["type"] == type_ and other.get("content") == content:
                raise bad(81058, "An identical record already exists.")
            if type_ == "CNAME" and other["type"] in ("A", "AAAA", "CNAME"):
                raise bad(81053, f"An A, AAAA, or CNAME record with that host already exists. {more}")
            if type_ in ("A", "AAAA") and other["type"] == "CNAME":
                raise bad(81054, f"A CNAME record with that host already exists. {more}")

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        return {
            "proxiable": inputs["type"].upper() in ("A", "AAAA", "CNAME"),
            "meta": "{}",
            "settings": inputs.get("settings", {}),
            "tags": inputs.get("tags", []),
        }

    def stored(self, id_: str, body: Object) -> Object:
        # The API answers full names, and 1 ("automatic") as the ttl of every proxied record.
        name = self.full_name(body["name"], self.zone(body["zoneId"])["name"])
        return {**body, "name": name, "ttl": 1 if body.get("proxied") else body["ttl"]}

    def same(self, property_: str, old: Any, new: Any, inputs: Object) -> bool:
        if property_ == "name" and isinstance(old, str):
            zone = self.store.get(f"cloudflare/zone/{inputs.get('zoneId')}")
            return zone is not None and self.full_name(old, zone["body"]["name"]) == self.full_name(
                str(new), zone["body"]["name"]
            )
        if property_ == "content" and inputs.get("type") == "CNAME":
            return str(old).lower() == str(new).lower()
        return False


class _Ruleset(_Kind):
    """An entry point: of each phase a zone has one (error 20217, cloudflare/terraform-provider-cloudflare#6273)."""

    type = "Ruleset"
    collection = "cloudflare/ruleset"
    replaces = frozenset({"accountId", "zoneId", "kind", "phase"})
    defaults: ClassVar[Mapping[str, Any]] = {"description": ""}
    computed = ("lastUpdated", "version")
    volatile = ("lastUpdated", "version")
    stamps = ("lastUpdated",)
    import_form = f"{_ACCOUNT_OR_ZONE}/<ruleset_id>"

    def bad(self, inputs: Object, code: int, message: str) -> RefusedError:
        """Gives the API's refusal."""
        return refuse("POST", f"/zones/{inputs.get('zoneId')}/rulesets", code, message)

    def invalid(self, body: Object, problem: str) -> RefusedError:
        return self.bad(body, 20204, f"invalid JSON: {problem}")

    def admit(self, inputs: Object, id_: str | None) -> None:
        phase, rules = inputs["phase"], inputs.get("rules") or []
        if inputs.get("zoneId"):
            self.zone(inputs["zoneId"])
        if any(all(o.get(n) == inputs.get(n) for n in self.replaces) for o in self.others("ruleset", id_)):
            message = f"exceeded maximum number of {inputs['kind']} rulesets for phase {phase}"
            raise self.bad(inputs, 20217, f"'{inputs['kind']}' is not a valid value for kind because {message}")
        refs = [rule["ref"] for rule in rules if rule.get("ref")]
        if len(set(refs)) != len(refs):
            raise self.bad(inputs, 20217, "rules cannot have the same ref")
        # The Free plan's [CFDOC rules/url-forwarding].
        if phase == "http_request_dynamic_redirect" and len(rules) > 10:
            raise self.bad(inputs, 20217, f"exceeded maximum number of rules in the phase {phase}: {len(rules)} of 10")

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        return {"version": "1"}

    def changed(self, id_: str, inputs: Object, old: Object) -> Object:
        return {"version": str(int(old.get("version") or 0) + 1)}


class _Tunnel(_Kind):
    type = "ZeroTrustTunnelCloudflared"
    collection = "cloudflare/tunnel"
    replaces = frozenset({"accountId", "configSrc"})
    defaults: ClassVar[Mapping[str, Any]] = {"configSrc": "local"}
    computed = (
        "accountTag", "connections", "createdAt", "deletedAt", "metadata", "remoteConfig", "status", "tunType",
    )  # fmt: skip
    stamps = ("createdAt",)
    secrets = (("tunnelSecret",),)
    import_form = "<account_id>/<tunnel_id>"
    uuids = True
    patches = True

    def opened(self, state: Object, *, asks: bool = True) -> Object:
        # The upgrader from schema 0 takes the secret from where version 4 of the plugin had it, which is nowhere.
        noted = values.at(state, ("__pulumi_raw_state_delta", "obj", "ps", "tunnelSecret"))
        lost = noted is not None or not _has_schema(state)
        opened = super().opened(state, asks=asks)
        return {name: one for name, one in opened.items() if not (lost and name == "tunnelSecret")}

    def bridged(self, id_: str, outputs: Object) -> Object:
        """Gives the outputs with the bridge's note of what was null when it was read."""
        null = {"obj": {"ps": {"tunnelSecret": {"replace": {"raw": None}}}}}
        noted = {} if outputs.get("tunnelSecret") else {"__pulumi_raw_state_delta": null}
        return super().bridged(id_, {**outputs, **noted})

    def admit(self, inputs: Object, id_: str | None) -> None:
        account, secret = inputs["accountId"], inputs.get("tunnelSecret")
        path = f"/accounts/{account}/cfd_tunnel"
        for other in self.others("tunnel", id_):
            # A deleted tunnel may still be answered for, with the time of its end; its name is free.
            taken = other["accountId"] == account and not other.get("deletedAt")
            if taken and other["name"] == inputs["name"]:
                message = (
                    "You already have a tunnel with this name. Delete the existing tunnel, or choose a different "
                    "name for your new tunnel"
                )
                raise refuse("POST", path, 1013, message, "409 Conflict")
        if secret is not None and len(base64.b64decode(str(secret))) < 32:
            raise refuse("POST", path, 1005, "tunnel_secret must be at least 32 bytes, in base64")

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        return {
            "accountTag": inputs["accountId"],
            "connections": [],
            "metadata": "{}",
            "remoteConfig": inputs.get("configSrc") == "cloudflare",
            "status": "inactive",
            "tunType": "cfd_tunnel",
        }

    def gone(self, id_: str, body: Object) -> bool:
        if has_connector(self.store, id_):
            message = "Cannot delete tunnel because it has active connections"
            raise refuse("DELETE", f"/accounts/{body['accountId']}/cfd_tunnel/{id_}", 1022, message)
        self.store.remove(f"cloudflare/tunnel-config/{id_}")
        return True


class _TunnelConfig(_Kind):
    type = "ZeroTrustTunnelCloudflaredConfig"
    forgives_missing = True
    collection = "cloudflare/tunnel-config"
    replaces = frozenset({"accountId", "tunnelId"})
    computed = ("config", "createdAt", "source", "version")
    volatile = ("version",)
    stamps = ("createdAt",)
    import_form = "<account_id>/<tunnel_id>"
    named_by = "tunnelId"
    stays = True

    def url(self, inputs: Object) -> str:
        """Gives the path of the tunnel's configuration."""
        return f"/accounts/{inputs['accountId']}/cfd_tunnel/{inputs['tunnelId']}/configurations"

    def invalid(self, body: Object, problem: str) -> RefusedError:
        return refuse("PUT", self.url(body), 1056, f"Bad Configuration: {problem}")

    def admit(self, inputs: Object, id_: str | None) -> None:
        if not self.exists("tunnel", inputs["tunnelId"], inputs["accountId"]):
            raise refuse("PUT", self.url(inputs), 1003, "Tunnel not found", "404 Not Found")
        problem = ingress_problem((inputs.get("config") or {}).get("ingresses") or [])
        if problem:
            raise self.invalid(inputs, problem)

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        before = self.store.get(self.key(id_, inputs))
        return {
            "config": inputs.get("config", {}),
            "source": "cloudflare",
            "version": before["body"]["version"] + 1 if before else 1,
        }

    def changed(self, id_: str, inputs: Object, old: Object) -> Object:
        return {"version": int(old.get("version") or 0) + 1}


def ingress_problem(rules: list[Object]) -> str | None:
    """Says what cloudflared would refuse in a tunnel's rules, in its words; None for a list it takes.

    Source: cloudflared `ingress/ingress.go` (`validateIngress`, `validateHostname`).
    """
    for index, rule in enumerate(rules):
        problem = (
            _service_problem(str(rule.get("service", "")))
            or _access_problem((rule.get("originRequest") or {}).get("access") or {})
            or _host_problem(rule, index, len(rules))
        )
        if problem:
            return problem
        if rule.get("path"):
            try:
                _compile(rule["path"])
            except Exception as error:  # re2 has an error type of its own
                return f"Rule #{index + 1} has an invalid regex: {error}"
    return None


def _compile(expression: str) -> None:
    re2: Any = importlib.import_module("re2")
    options = re2.Options()
    options.log_errors = False
    re2.compile(expression, options)


def _service_problem(service: str) -> str | None:
    if service.startswith(("unix:", "unix+tls:")) or service in _LOCAL_SERVICES:
        return None
    if service.startswith("http_status:"):
        code = service.removeprefix("http_status:")
        if not re.fullmatch(r"[-+]?\d+", code):
            return f'invalid HTTP status code: strconv.Atoi: parsing "{code}": invalid syntax'
        return None if 100 <= int(code) <= 999 else f"invalid HTTP status code: {int(code)}"
    try:
        url = urlsplit(service)
        host = url.hostname
    except ValueError as error:
        return f"{service}: {error}"
    if not url.scheme or not host or "://" not in service:
        return f"{service} is an invalid address, please make sure it has a scheme and a hostname"
    if url.path:
        return (
            f"{service} is an invalid address, ingress rules don't support proxying to a different path on the "
            "origin service. The path will be the same as the eyeball request's path"
        )
    return None


def _access_problem(access: Object) -> str | None:
    if access.get("required") and not access.get("teamName") and access.get("audTags"):
        return "access.TeamName cannot be blank when access.audTags are present"
    return None


def _host_problem(rule: Object, index: int, total: int) -> str | None:
    host = rule.get("hostname") or ""
    everything = host in ("", "*") and not rule.get("path")
    if re.fullmatch(r"[^:]*:[^:]*|\[.*\]:[^:]*", host):
        return "Hostname cannot contain a port"
    if host.rfind("*") > 0:
        return (
            'Hostname patterns can have at most one wildcard character ("*") and it can only be used for '
            'subdomains, e.g. "*.example.com"'
        )
    if index == total - 1 and not everything:
        return "The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)"
    if index < total - 1 and everything:
        return (
            f"Rule #{index + 1} is matching the hostname '{host}', but this will match every hostname, meaning the "
            "rules which follow it will never be triggered."
        )
    return None


class _Access(_Kind):
    """What the Access kinds share: they belong to an account, and refer to one another."""

    replaces = frozenset({"accountId", "zoneId"})
    uuids = True
    path = ""

    def opened(self, state: Object, *, asks: bool = True) -> Object:
        if asks and not state.get("accountId"):
            raise RefusedError("failed to make http request: either account ID or zone ID must be provided")
        return super().opened(state, asks=asks)

    def invalid(self, body: Object, problem: str) -> RefusedError:
        return self.bad(body, f"invalid_request: {problem}")

    def bad(self, inputs: Object, message: str, code: int = 12130, status: str = "400 Bad Request") -> RefusedError:
        """Gives the API's refusal."""
        path = f"/accounts/{inputs['accountId']}/access/{self.path}"
        return refuse("POST", path, code, f"access.api.error.{message}", status)

    def rules(self, inputs: Object, names: tuple[str, ...] = ("includes", "excludes", "requires")) -> None:
        """Refuses rules with no or several selectors, and such that refer to what is not there."""
        for name in names:
            for index, rule in enumerate(inputs.get(name) or []):
                at = f"{name}[{index}]"
                if len([one for one in rule.values() if one is not None]) != 1:
                    raise self.bad(inputs, f"invalid_request: {at} must have exactly one selector")
                for selector, field, collection in (
                    ("group", "id", "access-group"),
                    ("loginMethod", "id", "idp"),
                    ("githubOrganization", "identityProviderId", "idp"),
                    ("serviceToken", "tokenId", "service-token"),
                ):
                    target = (rule.get(selector) or {}).get(field)
                    if target and not self.exists(collection, target, inputs.get("accountId")):
                        raise self.bad(inputs, f"invalid_request: {at}: {selector} {target} does not exist")
                self._forms(inputs, at, rule)

    def _forms(self, inputs: Object, at: str, rule: Object) -> None:
        """Refuses values that are none: a domain with an `@`, a country of no two letters, a range that is none."""
        domain = (rule.get("emailDomain") or {}).get("domain")
        if domain is not None and ("@" in domain or "." not in domain):
            raise self.bad(inputs, f"invalid_request: {at}: not a domain")
        country = (rule.get("geo") or {}).get("countryCode")
        if country is not None and not re.fullmatch("[A-Z]{2}|T1", country):
            raise self.bad(inputs, f"invalid_request: {at}: not a country code")
        address = (rule.get("ip") or {}).get("ip")
        try:
            ipaddress.ip_network(address or "0.0.0.0/0")
        except ValueError:
            raise self.bad(inputs, f"invalid_request: {at}: not an IP address or range") from None
        github = (rule.get("githubOrganization") or {}).get("identityProviderId")
        if github and self.store.get(f"cloudflare/idp/{github}")["body"]["type"] != "github":  # type: ignore[index]
            raise self.bad(inputs, f"invalid_request: {at}: {github} is no GitHub identity provider")

    def duration(self, inputs: Object, name: str = "sessionDuration") -> None:
        """Refuses a duration that is not in Go's units (there is no day and no week)."""
        value = inputs.get(name)
        if value is not None and not _GO_DURATION.fullmatch(str(value)):
            raise self.bad(inputs, f"invalid_request: {name}: time: unknown unit or invalid duration {value}")


_ENDPOINTS: Final = ("authUrl", "tokenUrl", "certsUrl")


class _IdentityProvider(_Access):
    type = "ZeroTrustAccessIdentityProvider"
    collection = "cloudflare/idp"
    path = "identity_providers"
    replaces = frozenset({"accountId", "zoneId", "type"})
    computed = ("samlCertificateSet", "scimConfig")
    secrets = (("config", "clientSecret"), ("scimConfig", "secret"))
    import_form = f"{_ACCOUNT_OR_ZONE}/<identity_provider_id>"

    def admit(self, inputs: Object, id_: str | None) -> None:
        if any(
            all(one.get(key) == inputs.get(key) for key in ("accountId", "zoneId", "name", "type"))
            for one in self.others("idp", id_)
        ):
            message = "conflict: identity provider with that name already exists"
            raise self.bad(inputs, message, 12136, "409 Conflict")
        if inputs["type"] == "onetimepin" and any(one["type"] == "onetimepin" for one in self.others("idp", id_)):
            message = "conflict: a one-time PIN login exists already"
            raise self.bad(inputs, message, 12136, "409 Conflict")
        needs = ("clientId", "clientSecret", *(_ENDPOINTS if inputs["type"] == "oidc" else ()))
        if inputs["type"] in ("google", "google-apps", "github", "oidc", "azureAD", "facebook", "linkedin"):
            for name in needs:
                if not (inputs.get("config") or {}).get(name):
                    raise self.bad(inputs, f"invalid_request: config.{name} is required for {inputs['type']}")

    def check(self, inputs: Object) -> Iterator[Failure]:
        yield from super().check(inputs)
        # `RequiresOtherStringAttributeToBeOneOf(path.MatchRoot("type"), "oidc")` (`schema.go`).
        for name in (*_ENDPOINTS, "scopes") if inputs.get("type") != "oidc" else ():
            if (inputs.get("config") or {}).get(name) is not None:
                yield Failure(f"config.{name}", 'Attribute "type" must be one of ["oidc"]')

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        off = {"enabled": False, "identityUpdateBehavior": "no_action"}
        scim = {**off, "seatDeprovision": False, "userDeprovision": False, **inputs.get("scimConfig", {})}
        return {"scimConfig": scim}


class _Group(_Access):
    type = "ZeroTrustAccessGroup"
    collection = "cloudflare/access-group"
    path = "groups"
    import_form = f"{_ACCOUNT_OR_ZONE}/<group_id>"

    def admit(self, inputs: Object, id_: str | None) -> None:
        if not inputs.get("includes"):
            raise self.bad(inputs, "invalid_request: include must have at least one rule")
        self.rules(inputs)

    def gone(self, id_: str, body: Object) -> bool:
        for policy in (*self.others("access-policy", None), *self.others("access-group", id_)):
            for name in ("includes", "excludes", "requires"):
                if any((rule.get("group") or {}).get("id") == id_ for rule in policy.get(name) or []):
                    raise self.bad(body, f"invalid_request: group is used by {policy['name']}", 12132)
        return True


class _Policy(_Access):
    type = "ZeroTrustAccessPolicy"
    collection = "cloudflare/access-policy"
    path = "policies"
    replaces = frozenset({"accountId"})
    sets = frozenset({"includes", "excludes", "requires"})
    defaults: ClassVar[Mapping[str, Any]] = {"sessionDuration": "24h"}
    computed = ("appCount", "createdAt", "reusable", "updatedAt")
    volatile = ("updatedAt",)
    stamps = ("createdAt", "updatedAt")
    choices: ClassVar[Mapping[str, Iterable[str]]] = {"decision": ("allow", "deny", "non_identity", "bypass")}
    import_form = "<account_id>/<policy_id>"

    def admit(self, inputs: Object, id_: str | None) -> None:
        if not inputs.get("includes"):
            raise self.bad(inputs, "invalid_request: policy must have at least one include rule")
        self.rules(inputs)
        self.duration(inputs)

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        return {"appCount": 0, "reusable": True}

    def gone(self, id_: str, body: Object) -> bool:
        for app in self.others("access-app", None):
            if any(one.get("id") == id_ for one in app.get("policies") or []):
                raise self.bad(body, f"invalid_request: policy is used by the application {app.get('name')}", 12133)
        return True


_MOST_DESTINATIONS: Final = 5
_METHODS: Final = ("GET", "POST", "HEAD", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
_ANSWERED: Final = ("autoRedirectToIdentity", "enableBindingCookie", "optionsPreflightBypass")


class _Application(_Access):
    type = "ZeroTrustAccessApplication"
    collection = "cloudflare/access-app"
    path = "apps"
    sets = frozenset({"allowedIdps", "selfHostedDomains", "tags"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "appLauncherVisible": True,
        "httpOnlyCookieAttribute": True,
        "sessionDuration": "24h",
    }
    computed = ("aud", "domain", "destinations", "selfHostedDomains")
    choices: ClassVar[Mapping[str, Iterable[str]]] = {"sameSiteCookieAttribute": ("none", "lax", "strict")}
    import_form = f"{_ACCOUNT_OR_ZONE}/<app_id>"

    def check(self, inputs: Object) -> Iterator[Failure]:
        yield from super().check(inputs)
        if inputs.get("destinations") is not None and inputs.get("selfHostedDomains") is not None:
            message = 'Invalid Attribute Combination. Attribute "{}" cannot be specified when "{}" is specified'
            yield Failure("destinations", message.format("self_hosted_domains", "destinations"))
            yield Failure("selfHostedDomains", message.format("destinations", "self_hosted_domains"))
        cors = inputs.get("corsHeaders")
        if cors is not None and known(cors):
            yield from self._cors(cors)

    def _cors(self, cors: Object) -> Iterator[Failure]:
        """What the plugin's validators say of CORS (`schema.go`)."""
        for all_, some in (("allowAllMethods", "allowedMethods"), ("allowAllOrigins", "allowedOrigins")):
            if (cors.get(all_) is None) == (cors.get(some) is None):
                yield Failure(f"corsHeaders.{all_}", f"Exactly one of {all_!r} and {some!r} must be specified")
        for one, other in (("allowAllHeaders", "allowedHeaders"), ("allowCredentials", "allowAllOrigins")):
            if cors.get(one) is not None and cors.get(other) is not None:
                yield Failure(f"corsHeaders.{one}", f"{one!r} cannot be specified when {other!r} is specified")
        for method in cors.get("allowedMethods") or ():
            if str(method).upper() not in _METHODS:
                yield Failure("corsHeaders.allowedMethods", f"value must be one of {' '.join(_METHODS)}, got: {method}")
        if not -1 <= (cors.get("maxAge") or 0) <= 86400:
            yield Failure("corsHeaders.maxAge", f"value must be between -1 and 86400, got: {cors['maxAge']}")

    def places(self, inputs: Object) -> list[str]:
        """Gives the public addresses (host or host/path) the application guards."""
        given = [one.get("uri") for one in inputs.get("destinations") or [] if one.get("type", "public") == "public"]
        given = given or [inputs.get("domain"), *(inputs.get("selfHostedDomains") or [])]
        return list(dict.fromkeys(str(one) for one in given if one))

    def admit(self, inputs: Object, id_: str | None) -> None:
        self.duration(inputs)
        places = self.places(inputs)
        for index, one in enumerate(inputs.get("destinations") or []):
            if one.get("type", "public") == "public" and not one.get("uri"):
                raise self.bad(inputs, f"invalid_request: destinations[{index}].uri is required")
        if inputs.get("type", "self_hosted") == "self_hosted" and not places:
            raise self.bad(inputs, "invalid_request: a self-hosted application needs a domain or a destination")
        if len(places) > _MOST_DESTINATIONS:
            raise self.bad(inputs, f"invalid_request: at most {_MOST_DESTINATIONS} destinations, not {len(places)}")
        taken = {place.lower() for other in self.others("access-app", id_) for place in self.places(other)}
        if taken & {place.lower() for place in places}:
            raise self.bad(inputs, "application_already_exists", 11010, "409 Conflict")
        zones = [zone["name"] for zone in self.others("zone", None)]
        for place in places:
            host = place.partition("/")[0]
            if re.search(r"[:?#]", place):
                raise self.bad(inputs, f"invalid_request: {place}: no scheme, port, query or fragment")
            if not any(host == zone or host.endswith(f".{zone}") for zone in zones):
                raise self.bad(inputs, f"invalid_request: domain {host} does not belong to a zone of the account")
        if inputs.get("optionsPreflightBypass") and inputs.get("corsHeaders"):
            raise self.bad(inputs, "invalid_request: options_preflight_bypass cannot be on where cors_headers is set")
        idps = inputs.get("allowedIdps") or []
        for idp in idps:
            if not self.exists("idp", idp, inputs.get("accountId")):
                raise self.bad(inputs, f"invalid_request: identity provider {idp} does not exist")
        if inputs.get("autoRedirectToIdentity") and len(idps) != 1:
            raise self.bad(inputs, "invalid_request: auto_redirect_to_identity needs exactly one of allowed_idps")
        self._policies(inputs)

    def _policies(self, inputs: Object) -> None:
        seen: set[int] = set()
        for index, policy in enumerate(inputs.get("policies") or []):
            place = policy.get("precedence") or index + 1
            if place in seen or place < 1:
                raise self.bad(inputs, f"invalid_request: policies[{index}]: precedence {place} is taken or below 1")
            seen.add(place)
            if policy.get("id") is not None:
                if not self.exists("access-policy", policy["id"], inputs.get("accountId")):
                    raise self.bad(inputs, f"invalid_request: policy {policy['id']} does not exist")
            elif not policy.get("decision") or not policy.get("includes"):
                raise self.bad(inputs, f"invalid_request: policies[{index}] needs a decision and an include rule")
            else:
                self.rules({**policy, "accountId": inputs["accountId"]})

    def _domains(self, inputs: Object) -> Object:
        places = self.places(inputs)
        filled = {
            "domain": inputs.get("domain") or (places[0] if places else None),
            "selfHostedDomains": inputs.get("selfHostedDomains") or places,
            "destinations": inputs.get("destinations") or [{"type": "public", "uri": place} for place in places],
        }
        return filled if inputs.get("type", "self_hosted") == "self_hosted" else {}

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        return {"aud": mint("aud"), **self._domains(inputs)}

    def changed(self, id_: str, inputs: Object, old: Object) -> Object:
        return self._domains(inputs)

    def shown(self, body: Object, state: Object) -> Object:
        # The API answers these for every application; the plugin takes false for null where the state has null, but
        # an import has no state yet (`normalizations.go`).
        false = {name: False for name in _ANSWERED if not state or state.get(name) is False}
        return {**false, **super().shown(body, state)}

    def preview(self, inputs: Object, old: Object | None) -> Object:
        if old is None or any(
            known(inputs.get(name)) and inputs[name] != old.get(name)
            for name in ("domain", "destinations", "selfHostedDomains")
        ):
            names = ("domain", "destinations", "selfHostedDomains")
            return {name: UNKNOWN for name in names if inputs.get(name) is None}
        return {}


class _ServiceToken(_Access):
    type = "ZeroTrustAccessServiceToken"
    collection = "cloudflare/service-token"
    path = "service_tokens"
    defaults: ClassVar[Mapping[str, Any]] = {"duration": "8760h", "enabled": True, "clientSecretVersion": 1}
    computed = ("clientId", "clientSecret", "expiresAt")
    secrets = (("clientSecret",),)
    # `no_refresh` in `model.go`; after an import the plugin takes nothing for another version than the wanted one.
    untold = ("clientSecretVersion", "previousClientSecretExpiresAt")
    import_form = f"{_ACCOUNT_OR_ZONE}/<service_token_id>"

    def check(self, inputs: Object) -> Iterator[Failure]:
        yield from super().check(inputs)
        # Each of the two also requires the other (`schema.go`).
        rotated = ("clientSecretVersion", "previousClientSecretExpiresAt")
        for one, other in (rotated, rotated[::-1]):
            if inputs.get(one) is not None and inputs.get(other) is None:
                yield Failure(one, f"Attribute {other!r} must be specified when {one!r} is specified")

    def admit(self, inputs: Object, id_: str | None) -> None:
        if inputs.get("duration") != "forever":
            self.duration(inputs, "duration")

    def changed(self, id_: str, inputs: Object, old: Object) -> Object:
        # A raised version makes a new secret (`plan_modifiers.go`), and another duration counts from now on
        # [CFDOC service-tokens#renew-service-tokens].
        version, renewed = inputs.get("clientSecretVersion", 1), inputs.get("duration") != old.get("duration")
        there = self.store.get(self.key(id_, {**old, **inputs})) or {"body": old}
        rotated = version != there["body"].get("clientSecretVersion", 1)
        secret = {"clientSecret": self.store.mint(f"{id_} {version}")("secret")} if rotated else {}
        return {**secret, **(self._end(inputs) if renewed else {})}

    def preview(self, inputs: Object, old: Object | None) -> Object:
        if old is None:
            return {}
        same = inputs.get("clientSecretVersion", 1) == old.get("clientSecretVersion")
        # The plugin knows the end of no token that it changes: the attribute has no plan modifier (`schema.go`).
        return {"expiresAt": UNKNOWN, **({} if same else {"clientSecret": UNKNOWN})}

    def born(self, id_: str, inputs: Object, mint: Callable[[str], str]) -> Object:
        return {"clientId": f"{mint('client')[:32]}.access", "clientSecret": mint("secret"), **self._end(inputs)}

    def _end(self, inputs: Object) -> Object:
        hours = re.fullmatch(r"(\d+)h", str(inputs.get("duration", "8760h")))
        # What lasts forever has an end too (the plugin's acceptance test): far away.
        return {"expiresAt": self.store.later(3600 * int(hours.group(1) if hours else 876_000))}


class Cloudflare(FlatCloud):
    """The simulated Cloudflare account(s): any token is good, any account exists."""

    name = "cloudflare"
    version = "6.23.1"
    shapes = SHAPES
    #: The real one asks once and 11 times more, for some 190 s; here without the wait.
    attempts = 12

    def __init__(self, store: Store, faults: Faults | None = None) -> None:
        """Keeps its objects in `store`."""
        super().__init__(store, faults)
        kinds: tuple[type[Kind], ...] = (
            _Zone, _ZoneSetting, _ZoneDnssec, _DnsRecord, _Ruleset, _Tunnel, _TunnelConfig, _IdentityProvider, _Group,
            _Policy, _Application, _ServiceToken,
        )  # fmt: skip
        self.kinds = {kind.type: kind(store) for kind in kinds}
        self._encoder = Encoder()

    def sent(self, kind: Kind, inputs: Object, state: Object | None) -> Object:
        """Gives the body as the plugin writes it, which is not always what it was given: see `Encoder`."""
        assert isinstance(kind, _Kind)
        path = {name: item for name, item in inputs.items() if name in _IN_PATH}
        plan = {name: item for name, item in inputs.items() if name not in _IN_PATH}
        with self.store.lock:
            if kind.patches and state is not None:
                self._encoder.patch(plan, state)
                return inputs
            body = self._encoder.put(plan, state)
        return {**path, **body} if self.faults.on("encoder") else inputs
