"""Reading the simulated clouds: their file holds objects by the engine's names already."""

from __future__ import annotations

import re
from pathlib import Path

from gatehouse.adopt.cluster import PATHS
from gatehouse.adopt.things import AccountError, Thing, dnssec_status, import_id
from gatehouse.simulation import tamper

_COLLECTIONS = {
    "zone": "Zone",
    "setting": "ZoneSetting",
    "dnssec": "ZoneDnssec",
    "dns": "DnsRecord",
    "tunnel": "ZeroTrustTunnelCloudflared",
    "tunnel-config": "ZeroTrustTunnelCloudflaredConfig",
    "idp": "ZeroTrustAccessIdentityProvider",
    "access-group": "ZeroTrustAccessGroup",
    "access-policy": "ZeroTrustAccessPolicy",
    "access-app": "ZeroTrustAccessApplication",
    "service-token": "ZeroTrustAccessServiceToken",
}
_TAILNET = {
    "tailscale/policy": ("Acl", "acl"),
    "tailscale/dns-preferences": ("DnsPreferences", "dns"),
    "tailscale/dns-configuration": ("DnsConfiguration", "dns_configuration"),
    "tailscale/settings": ("TailnetSettings", "settings"),
}


def read_simulated(clouds: Path, context: str) -> list[Thing]:
    """Everything in the simulated clouds, of clusters that of `context`. Raises AccountError where there are none."""
    if not clouds.exists():
        raise AccountError("There is nothing to adopt: the simulated clouds are empty.")
    try:
        objects = tamper.objects(clouds)
    except (OSError, ValueError, KeyError) as error:
        raise AccountError(f"{clouds} is not a file of the simulated clouds ({error}).") from error
    cluster = re.sub(r"[^A-Za-z0-9.@_-]", "_", context)
    # What has no name of its own is called by what it belongs to.
    names = {key.split("/")[-1]: o["body"].get("name") for key, o in objects.items() if o["body"].get("name")}
    found = []
    for key, item in sorted(objects.items()):
        body = item["body"]
        first, second, *rest = key.split("/")
        if first == "cloudflare" and second in _COLLECTIONS:
            type_ = _COLLECTIONS[second]
            own = rest[-1]
            account = str(body.get("accountId") or (body.get("account") or {}).get("id") or "")
            zone = rest[0] if second in ("setting", "dns", "dnssec") else ""
            label = str(body.get("name") or body.get("settingId") or names.get(own) or own)
            if second == "dnssec":
                body = {**body, "status": dnssec_status(body.get("status"))}
            body = {name: value for name, value in body.items() if name != "clientSecret"}
            if second == "dns":
                label = f"{label} {body.get('type')} {body.get('content', '')}".strip()
            found.append(Thing(type_, import_id(type_, own, account=account, zone=zone), body, label))
        elif key in _TAILNET:
            type_, own = _TAILNET[key]
            found.append(Thing(type_, own, body, ""))
        elif first == "kubernetes" and second == cluster and rest[-3] in PATHS:
            id_ = rest[-1] if rest[-2] == "-" else f"{rest[-2]}/{rest[-1]}"
            shown = {"metadata": body.get("metadata")} if rest[-3] == "Secret" else body
            found.append(Thing(rest[-3], id_, shown, id_))
    return found
