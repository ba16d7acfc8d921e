"""Reading a tailnet through Tailscale's HTTP API [TS API v2]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gatehouse.adopt.things import AccountError, Thing

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "https://api.tailscale.com"
_API = "/api/v2"
_SETTINGS = ("httpsEnabled", "devicesApprovalOn", "usersApprovalOn", "devicesKeyDurationDays")
"""What a stack file can say of a tailnet's settings."""


def sign_in(client: httpx.Client, *, api_key: str = "", client_id: str = "", client_secret: str = "") -> None:
    """Give the client its credentials: an API key, or a token for an OAuth client. Raises AccountError.

    The client's `base_url` is the API's, without a path: `DEFAULT_URL`, unless the provider was told another.
    """
    token = api_key
    if not api_key:
        form = {"client_id": client_id, "client_secret": client_secret}
        answer = _ask(client, "POST", "/oauth/token", "a valid OAuth client", data=form)
        token = str(answer.json().get("access_token", ""))
    client.headers["Authorization"] = f"Bearer {token}"


def read_tailnet(client: httpx.Client, tailnet: str = "-", *, whole_dns: bool = False) -> list[Thing]:
    """Policy, MagicDNS and settings of a tailnet, by default the one of the credentials.

    With `whole_dns` all of its DNS too. Raises AccountError.
    """
    of = f"/tailnet/{tailnet}"
    policy = _ask(client, "GET", f"{of}/acl", "policy_file:read", accept="application/hujson").text
    names = _ask(client, "GET", f"{of}/dns/preferences", "dns:read").json()
    settings = _ask(client, "GET", f"{of}/settings", "feature_settings:read").json()
    things = [
        Thing("Acl", "acl", {"acl": policy}, ""),
        Thing("DnsPreferences", "dns", {"magicDns": bool(names.get("magicDNS"))}, ""),
        Thing("TailnetSettings", "settings", {key: settings[key] for key in _SETTINGS if key in settings}, ""),
    ]
    if whole_dns:
        # The one answer that the API calls alpha: it is asked only where a stack file has more than MagicDNS.
        things.append(_whole_dns(_ask(client, "GET", f"{of}/dns/configuration", "dns:read").json()))
    return things


def _whole_dns(answer: Mapping[str, Any]) -> Thing:
    """The tailnet's DNS; what is off or empty is left out of the answer."""
    preferences = answer.get("preferences") or {}

    def resolvers(found: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
        return sorted(({k: v for k, v in r.items() if v} for r in found or ()), key=lambda r: str(r["address"]))

    inputs = {
        "magicDns": bool(preferences.get("magicDNS")),
        "overrideLocalDns": bool(preferences.get("overrideLocalDNS")),
        "nameservers": resolvers(answer.get("nameservers")),
        "searchPaths": answer.get("searchPaths") or [],
        "splitDns": [
            {"domain": domain, "nameservers": resolvers(found)}
            for domain, found in sorted((answer.get("splitDNS") or {}).items())
        ],
    }
    return Thing("DnsConfiguration", "dns_configuration", inputs, "")


def _ask(
    client: httpx.Client, method: str, path: str, scope: str, accept: str = "application/json", **more: Any
) -> httpx.Response:
    import httpx

    try:
        answer = client.request(method, _API + path, headers={"Accept": accept}, **more)
    except httpx.HTTPError as error:
        raise AccountError(f"Tailscale could not be asked: {type(error).__name__}: {error}") from None
    if answer.status_code in (401, 403, 404):
        raise AccountError(
            f"Tailscale refuses {path} ({answer.status_code}): the credentials need {scope}. Set TAILSCALE_API_KEY, or"
            " TAILSCALE_OAUTH_CLIENT_ID and TAILSCALE_OAUTH_CLIENT_SECRET of a client with that scope."
        )
    if answer.is_error:
        raise AccountError(f"Tailscale answered {answer.status_code} to {path}.")
    return answer
