"""What is in the accounts, in the one form that the rest works on: a resource's inputs as the engine writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from gatehouse.commands import CommandError


class _Sort(NamedTuple):
    """A type: what people call it, the form of its import id, and by which inputs an account tells ours from others."""

    words: str
    id: str = ""
    known_by: tuple[str, ...] | None = None


# The forms of import ids: [TFC internal/services/*/resource.go, ImportState].
_SORTS: Mapping[str, _Sort] = {
    "Acl": _Sort("policy of the tailnet", known_by=()),
    "DnsConfiguration": _Sort("DNS of the tailnet"),
    "DnsPreferences": _Sort("MagicDNS"),
    "DnsRecord": _Sort("DNS record", "{zone}/{id}", ("name", "type")),
    "Namespace": _Sort("namespace"),
    "TailnetSettings": _Sort("settings of the tailnet"),
    "ZeroTrustAccessApplication": _Sort("Access application", "accounts/{account}/{id}"),
    "ZeroTrustAccessGroup": _Sort("Access group", "accounts/{account}/{id}", ("name",)),
    "ZeroTrustAccessIdentityProvider": _Sort("login method", "accounts/{account}/{id}", ("name", "type")),
    "ZeroTrustAccessPolicy": _Sort("Access policy", "{account}/{id}", ("name",)),
    # Not known by its name: one that a killed run made has a secret that nobody got.
    "ZeroTrustAccessServiceToken": _Sort("service token", "accounts/{account}/{id}"),
    "ZeroTrustTunnelCloudflared": _Sort("tunnel", "{account}/{id}", ("name",)),
    "ZeroTrustTunnelCloudflaredConfig": _Sort("rules of tunnel", "{account}/{id}"),
    "Zone": _Sort("zone", "{id}", ("name",)),
    "ZoneDnssec": _Sort("DNSSEC of", "{zone}"),
    "ZoneSetting": _Sort("zone setting", "{zone}/{id}"),
}


def words_of(type_: str) -> str:
    """The type as people call it."""
    return _SORTS[type_].words if type_ in _SORTS else type_


class AccountError(CommandError):
    """An account cannot be read; the text says which permission or setting is missing."""


@dataclass(frozen=True)
class Thing:
    """One object of an account.

    `type` is the resource type's last part (`DnsRecord`), `id` the provider's import id, `inputs` its properties by
    their names in the engine (`zoneId`), `label` what its owner knows it by. `managed`: a stack has it already.
    """

    type: str
    id: str
    inputs: Mapping[str, Any] = field(compare=False)
    label: str
    managed: bool = False

    @property
    def own_id(self) -> str:
        """The object's own id, the import id's last part."""
        return self.id.rsplit("/", 1)[-1]

    @property
    def made_at(self) -> float | None:
        """When it was made, in seconds of the epoch; None where its cloud does not say."""
        metadata = self.inputs.get("metadata")
        text = self.inputs.get("createdAt") or self.inputs.get("createdOn")
        text = text or (metadata.get("creationTimestamp") if isinstance(metadata, Mapping) else None)
        try:
            return datetime.fromisoformat(str(text)).timestamp()
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{words_of(self.type)} {self.label}"


def import_id(type_: str, own_id: str, *, account: str = "", zone: str = "") -> str:
    """The import id of a Cloudflare object.

    Example: `import_id("DnsRecord", "r1", zone="z1")` gives `z1/r1`.
    """
    return _SORTS[type_].id.format(id=own_id, account=account, zone=zone)


def dnssec_status(status: object) -> str:
    """What a zone's DNSSEC was set to: `pending` is active, and waits for the registrar's DS record."""
    return "active" if status == "pending" else str(status or "disabled")


def camel(value: Any) -> Any:
    """Snake case keys in camel case, at every depth: `session_duration` gives `sessionDuration`."""
    if isinstance(value, Mapping):
        return {re.sub(r"_([a-z0-9])", lambda m: m[1].upper(), str(k)): camel(v) for k, v in value.items()}
    if isinstance(value, list):
        return [camel(item) for item in value]
    return value


def places(application: Thing) -> list[str]:
    """What an Access application guards: `host` or `host/path`, lower-case hosts, no trailing slash or star."""
    inputs = application.inputs
    given = [d.get("uri") for d in inputs.get("destinations") or () if d.get("type", "public") == "public"]
    given = given or [inputs.get("domain"), *(inputs.get("selfHostedDomains") or ())]
    found = []
    for uri in given:
        if uri:
            host, slash, path = re.sub(r"/\*?$", "", str(uri)).partition("/")
            found.append(host.lower() + slash + path)
    return list(dict.fromkeys(found))


def identity(type_: str, inputs: Mapping[str, Any]) -> tuple[str, ...] | None:
    """By what an account, or a cluster, tells an object of ours from its others; None for what is set and not made.

    Example: `identity("DnsRecord", {"name": "blog.example.com", "type": "CNAME"})` gives both.
    """
    if type_ == "ZeroTrustAccessApplication":
        return str(inputs.get("name")), *sorted(places(Thing(type_, "", inputs, "")))
    known_by = _SORTS[type_].known_by if type_ in _SORTS else None
    if known_by is not None:
        return tuple(str(inputs.get(name)) for name in known_by)
    metadata = inputs.get("metadata")
    # A Patch is of an object that others own, and is made anew without harm.
    if not isinstance(metadata, Mapping) or type_.endswith("Patch"):
        return None
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def labels_of(inputs: Mapping[str, Any]) -> dict[str, str]:
    """A Kubernetes object's labels; none for what has none."""
    metadata = inputs.get("metadata")
    return dict(metadata.get("labels") or {}) if isinstance(metadata, Mapping) else {}


def records_at(things: list[Thing], host: str) -> list[Thing]:
    """The address records of a name."""
    return [
        t
        for t in things
        if t.type == "DnsRecord" and t.inputs.get("name") == host and t.inputs.get("type") in ("A", "AAAA", "CNAME")
    ]


def machine_of_ingress(ingress: Thing) -> str:
    """The name that the Tailscale operator gives an Ingress's machine [TS cmd/k8s-operator]."""
    tls = (ingress.inputs.get("spec") or {}).get("tls") or [{}]
    hosts = tls[0].get("hosts") or [""]
    return str(hosts[0]).split(".")[0] or f"{ingress.id.replace('/', '-')}-ingress"


def images_of(deployment: Thing) -> str:
    """The images of a Deployment's containers, in one text."""
    pod = ((deployment.inputs.get("spec") or {}).get("template") or {}).get("spec") or {}
    return " ".join(str(c.get("image", "")) for c in pod.get("containers") or ())


def is_tailscale(ingress: Thing) -> bool:
    """Whether an Ingress is the Tailscale operator's."""
    annotations = (ingress.inputs.get("metadata") or {}).get("annotations") or {}
    spec = ingress.inputs.get("spec") or {}
    return "tailscale" in (spec.get("ingressClassName"), annotations.get("kubernetes.io/ingress.class"))
