"""Reading a tailnet through Tailscale's HTTP API [TS API v2]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatehouse.adopt.things import AccountError, Thing

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "https://api.tailscale.com"
_API = "/api/v2"


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


def read_tailnet(client: httpx.Client, tailnet: str = "-") -> list[Thing]:
    """Policy, MagicDNS and settings of a tailnet, by default the one of the credentials. Raises AccountError."""
    of = f"/tailnet/{tailnet}"
    policy = _ask(client, "GET", f"{of}/acl", "policy_file:read", accept="application/hujson").text
    names = _ask(client, "GET", f"{of}/dns/preferences", "dns:read").json()
    settings = _ask(client, "GET", f"{of}/settings", "feature_settings:read").json()
    return [
        Thing("Acl", "acl", {"acl": policy}, ""),
        Thing("DnsPreferences", "dns", {"magicDns": bool(names.get("magicDNS"))}, ""),
        Thing("TailnetSettings", "settings", {"httpsEnabled": bool(settings.get("httpsEnabled"))}, ""),
    ]


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
