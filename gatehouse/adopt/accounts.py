"""Reading what is there: the accounts and the cluster of a stack, or the simulated clouds, in one form."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from config.loader import LoadedStack
from gatehouse.adopt.things import Thing
from gatehouse.commands import UsageError

if TYPE_CHECKING:
    from cloudflare import Cloudflare

_SECONDS = 20


class Settings:
    """What the providers are told: by the stack file, else by the environment, as the program and the plugins take it.

    `values` are the stack file's by full key; `decrypt` gives one that is encrypted there, by its key.
    """

    def __init__(self, values: Mapping[str, object], decrypt: Callable[[str], str] | None = None) -> None:
        self._values = values
        self._decrypt = decrypt

    def get(self, variable: str, key: str) -> str:
        """The value of a config key, or of the environment variable that stands for it; empty where there is none."""
        value = self._values.get(key)
        if isinstance(value, str):
            return value
        if value is not None and self._decrypt:
            return self._decrypt(key)
        return os.environ.get(variable, "")

    @property
    def cloudflare_token(self) -> str:
        """The API token."""
        return self.get("CLOUDFLARE_API_TOKEN", "cloudflare:apiToken")

    @property
    def tailscale_credentials(self) -> dict[str, str]:
        """What `sign_in` takes; without a usable one it is empty."""
        key = self.get("TAILSCALE_API_KEY", "tailscale:apiKey")
        if key:
            return {"api_key": key}
        client = self.get("TAILSCALE_OAUTH_CLIENT_ID", "tailscale:oauthClientId")
        secret = self.get("TAILSCALE_OAUTH_CLIENT_SECRET", "tailscale:oauthClientSecret")
        return {"client_id": client, "client_secret": secret} if client and secret else {}


def cloudflare_client(settings: Settings) -> Cloudflare:
    """A client for the account that the provider uses. Raises UsageError where there is no token in clear."""
    from cloudflare import Cloudflare

    if not settings.cloudflare_token:
        raise UsageError("There is no Cloudflare API token here: set CLOUDFLARE_API_TOKEN.")
    base = settings.get("CLOUDFLARE_BASE_URL", "cloudflare:baseUrl")
    return Cloudflare(api_token=settings.cloudflare_token, base_url=base or None)


def read_accounts(stack: LoadedStack, settings: Settings, *, without: Collection[str] = ()) -> list[Thing]:
    """What is in the accounts and the cluster that a stack uses, without the parts that are left out.

    Raises UsageError without credentials, AccountError where something cannot be read.
    """
    assert stack.config is not None
    assert stack.estate is not None
    tailnet = stack.estate.tailnet if stack.owns_estate and "tailnet" not in without else None
    missing = []
    if "cloudflare" not in without and not settings.cloudflare_token:
        missing.append("CLOUDFLARE_API_TOKEN: an API token that may read the zone, DNS, tunnels and Access")
    if tailnet and not settings.tailscale_credentials:
        missing.append(
            "TAILSCALE_API_KEY, or TAILSCALE_OAUTH_CLIENT_ID and TAILSCALE_OAUTH_CLIENT_SECRET (or --without tailnet)"
        )
    if missing:
        listed = "\n  ".join(missing)
        raise UsageError(
            f"Your accounts are read for this, so set in the environment:\n  {listed}\nor say --simulated."
        )
    things: list[Thing] = []
    if "cloudflare" not in without:
        from gatehouse.adopt.cloudflare_account import read_cloudflare

        with cloudflare_client(settings) as client:
            zones = [zone.name for zone in stack.estate.zones]
            mine = {"estate": stack.owns_estate, "tokens": stack.owns_estate and bool(stack.estate.tokens)}
            things += read_cloudflare(client, stack.estate.account_id, zones, **mine)
    if tailnet:
        import httpx

        from gatehouse.adopt.tailnet_account import DEFAULT_URL, read_tailnet, sign_in

        url = settings.get("TAILSCALE_BASE_URL", "tailscale:baseUrl") or DEFAULT_URL
        with httpx.Client(base_url=url, timeout=_SECONDS) as http:
            sign_in(http, **settings.tailscale_credentials)
            name = settings.get("TAILSCALE_TAILNET", "tailscale:tailnet") or "-"
            things += read_tailnet(http, name, whole_dns=tailnet.dns.whole)
    if "cluster" not in without and not stack.config.node.manifests_folder:
        from gatehouse.adopt.cluster import connect, read_cluster

        context = settings.get("", "kubernetes:context") or stack.config.node.context
        things += read_cluster(connect(context, settings.get("", "kubernetes:kubeconfig")))
    return things


def read_clouds(project: Path, stack: LoadedStack) -> list[Thing]:
    """What is in the simulated clouds of a project. Raises AccountError where they are empty."""
    from gatehouse.adopt.simulated import read_simulated
    from gatehouse.engine.workspace import clouds_file

    assert stack.config is not None
    return read_simulated(clouds_file(project), stack.config.node.context)


_SINGLES = ("Acl", "DnsConfiguration", "DnsPreferences", "TailnetSettings")
"""Of these a tailnet has one, whatever its id is."""


def marked(things: list[Thing], known: Collection[tuple[str, str]]) -> list[Thing]:
    """The things, those marked that a state has: `known` holds the type's last part and the id of each resource."""
    singles = {type_ for type_, _ in known if type_ in _SINGLES}

    def has(thing: Thing) -> bool:
        return (thing.type, thing.own_id) in known or (thing.type, thing.id) in known or thing.type in singles

    return [replace(t, managed=t.managed or has(t)) for t in things]
