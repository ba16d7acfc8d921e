"""Reading a Cloudflare account through the official client.

It signs in, turns pages, tries again and tells what went wrong. The paths are named here: to import its methods for
them, with a type for each field of the whole of Zero Trust, takes more than a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gatehouse.adopt.things import AccountError, Thing, camel, dnssec_status, import_id

if TYPE_CHECKING:
    from cloudflare import Cloudflare

SETTINGS = ("ssl", "min_tls_version", "always_use_https", "automatic_https_rewrites", "security_header")
_RULES = {"include": "includes", "exclude": "excludes", "require": "requires"}
_REQUEST = {"noTLSVerify": "noTlsVerify", "matchSNItoHost": "matchSnItoHost"}


def read_cloudflare(
    client: Cloudflare, account: str, zones: Sequence[str], *, estate: bool = True, tokens: bool = False
) -> list[Thing]:
    """What Gatehouse may know of an account: the zones named, what is in them, tunnels and Access.

    `estate` False leaves zone settings and DNSSEC out, which only the estate's owner has; `tokens` says that service
    tokens are looked for, which takes a permission of its own.
    Raises AccountError, naming the permission where one is missing.
    """
    found: list[Thing] = []

    def add(type_: str, own: str, inputs: Mapping[str, Any], label: str, zone_id: str = "") -> None:
        found.append(Thing(type_, import_id(type_, own, account=account, zone=zone_id), inputs, label))

    with _told("Zone Read"):
        there = [item for zone in zones for item in _all(client, "/zones", name=zone) if item["name"] == zone]
    for item in (z for z in there if z.get("account", {}).get("id", account) == account):
        zone, zone_id = item["name"], item["id"]
        add("Zone", zone_id, camel({k: item.get(k) for k in ("name", "type", "paused", "account", "created_on")}), zone)
        with _told("DNS Read"):
            for record in _all(client, f"/zones/{zone_id}/dns_records"):
                label = f"{record['name']} {record['type']} {record.get('content', '')}"
                add("DnsRecord", record["id"], camel(record), label, zone_id)
        if estate:
            with _told("Zone Settings Read"):
                for name in SETTINGS:
                    setting = _one(client, f"/zones/{zone_id}/settings/{name}")
                    # The value's own keys stay as they are.
                    add("ZoneSetting", name, {"settingId": name, "value": setting.get("value")}, name, zone_id)
            with _told("DNS Read"):
                signed = _one(client, f"/zones/{zone_id}/dnssec")
            add("ZoneDnssec", zone_id, {"status": dnssec_status(signed.get("status"))}, zone, zone_id)
    with _told("Cloudflare Tunnel Read"):
        for tunnel in _all(client, f"/accounts/{account}/cfd_tunnel", is_deleted=False):
            source = tunnel.get("config_src") or ("cloudflare" if tunnel.get("remote_config") else "local")
            add(
                "ZeroTrustTunnelCloudflared",
                tunnel["id"],
                {"name": tunnel["name"], "configSrc": source, "createdAt": tunnel.get("created_at")},
                tunnel["name"],
            )
            answer = _one(client, f"/accounts/{account}/cfd_tunnel/{tunnel['id']}/configurations")
            if answer.get("config"):
                add(
                    "ZeroTrustTunnelCloudflaredConfig",
                    tunnel["id"],
                    {"config": tunnel_config(answer["config"])},
                    tunnel["name"],
                )
    return found + read_access(client, account, tokens=tokens)


def read_access(client: Cloudflare, account: str, *, tokens: bool) -> list[Thing]:
    """The Access applications, policies, groups, login methods and, with `tokens`, service tokens of an account, one
    listing each. Tokens take a permission of their own. Raises AccountError, naming one that is missing.
    """
    found: list[Thing] = []

    def add(type_: str, own: str, inputs: Mapping[str, Any], label: str) -> None:
        found.append(Thing(type_, import_id(type_, own, account=account), inputs, label))

    access = f"/accounts/{account}/access"
    with _told("Access: Apps and Policies Read"):
        for application in _all(client, f"{access}/apps"):
            inputs = {**camel(application), "policies": [_policy(p) for p in application.get("policies") or ()]}
            add("ZeroTrustAccessApplication", application["id"], inputs, str(application.get("name") or ""))
        for policy in _all(client, f"{access}/policies"):
            add("ZeroTrustAccessPolicy", policy["id"], _policy(policy), str(policy.get("name") or ""))
    with _told("Access: Organizations, Identity Providers, and Groups Read"):
        for group in _all(client, f"{access}/groups"):
            add("ZeroTrustAccessGroup", group["id"], _policy(group), str(group.get("name") or ""))
        for provider in _all(client, f"{access}/identity_providers"):
            inputs = camel({k: provider.get(k) for k in ("name", "type", "config")})
            inputs["config"] = {k: v for k, v in (inputs["config"] or {}).items() if k != "clientSecret"}
            add("ZeroTrustAccessIdentityProvider", provider["id"], inputs, str(provider.get("name") or ""))
    with _told("Access: Service Tokens Read"):
        for token in _all(client, f"{access}/service_tokens") if tokens else ():
            inputs = camel({k: token.get(k) for k in ("name", "duration", "client_id", "expires_at")})
            add("ZeroTrustAccessServiceToken", token["id"], inputs, str(token.get("name") or ""))
    return found


def delete_access(client: Cloudflare, account: str, kind: str, own_id: str) -> None:
    """Delete one object of Access: `kind` is its place in the API (`apps`). Raises AccountError where it is refused."""
    permissions = dict.fromkeys(("apps", "policies"), "Apps and Policies") | {"service_tokens": "Service Tokens"}
    with _told(f"Access: {permissions.get(kind, 'Organizations, Identity Providers, and Groups')} Write"):
        client.delete(f"/accounts/{account}/access/{kind}/{own_id}", cast_to=object)


def read_tunnel_secret(client: Cloudflare, account: str, tunnel: str) -> str:
    """The secret in a tunnel's token, base64. It is for the engine's standard input and nowhere else."""
    import base64
    import json

    with _told("Cloudflare Tunnel Write"):
        token = _result(client, f"/accounts/{account}/cfd_tunnel/{tunnel}/token")
    try:
        return str(json.loads(base64.b64decode(str(token)))["s"])
    except (ValueError, KeyError) as error:
        # Without the error's own text, which may quote the token.
        raise AccountError(f"The tunnel's token has an unknown form ({type(error).__name__}).") from None


def tunnel_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A tunnel's configuration by the provider's names: `ingress` as `ingresses`, `audTag` as `audTags`."""
    rules = []
    for rule in config.get("ingress") or ():
        request = {_REQUEST.get(k, k): v for k, v in (rule.get("originRequest") or {}).items()}
        if isinstance(request.get("access"), Mapping):
            access = dict(request["access"])
            access["audTags"] = access.pop("audTag", None) or []
            request["access"] = access
        kept = {k: v for k, v in rule.items() if k in ("hostname", "path", "service") and v}
        rules.append({**kept, **({"originRequest": request} if request else {})})
    return {"ingresses": rules}


def _policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    return {_RULES.get(k, k): v for k, v in camel(policy).items()}


def _all(client: Cloudflare, path: str, **query: object) -> Iterator[dict[str, Any]]:
    """What a path lists, on every page."""
    from cloudflare.pagination import SyncV4PagePaginationArray

    page = SyncV4PagePaginationArray[object]
    for item in client.get_api_list(path, model=object, page=page, options={"params": query}):
        yield dict(item) if isinstance(item, Mapping) else {}


def _one(client: Cloudflare, path: str) -> dict[str, Any]:
    """The one thing that a path shows; empty where there is none."""
    found = _result(client, path)
    return dict(found) if isinstance(found, Mapping) else {}


def _result(client: Cloudflare, path: str) -> object:
    answer = client.get(path, cast_to=object)
    return answer.get("result") if isinstance(answer, Mapping) else None


@contextmanager
def _told(permission: str) -> Iterator[None]:
    """What goes wrong, as something to fix."""
    import cloudflare

    try:
        yield
    except (cloudflare.AuthenticationError, cloudflare.PermissionDeniedError) as error:
        raise AccountError(
            f"Cloudflare refuses this ({error.status_code}): the API token needs the permission {permission!r}."
            " Create one at dash.cloudflare.com/profile/api-tokens and set CLOUDFLARE_API_TOKEN."
        ) from None
    except cloudflare.APIStatusError as error:
        if error.status_code == 400 and "header" in str(error).lower():
            raise AccountError(
                "Cloudflare takes CLOUDFLARE_API_TOKEN for no API token: copy it again, without quotes or spaces."
            ) from None
        raise AccountError(f"Cloudflare answered {error.status_code} ({permission}): {_texts(error)}") from None
    except cloudflare.APIError as error:
        raise AccountError(f"Cloudflare could not be asked ({permission}): {error}") from None


def _texts(error: Any) -> str:
    errors = getattr(error, "errors", None) or []
    return "; ".join(str(getattr(e, "message", e)) for e in errors) or type(error).__name__
