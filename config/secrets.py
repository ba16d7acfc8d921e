"""The secrets a stack needs, where they come from and the command that sets each."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Secret:
    """A secret of the stack file.

    `key` is the full config key, `purpose` what breaks without it, `set_with` the command that sets it, `owner_only`
    whether only the estate's owner needs it, `simulated` a made-up value of the right form for simulated clouds.
    """

    key: str
    purpose: str
    set_with: str
    owner_only: bool
    simulated: str

    @property
    def name(self) -> str:
        """The key without its namespace."""
        return self.key.split(":", 1)[1]


SECRETS: tuple[Secret, ...] = (
    Secret(
        key="gatehouse:google_client_secret",
        purpose="Cloudflare cannot ask Google who somebody is",
        set_with="gatehouse pulumi config set --secret gatehouse:google_client_secret",
        owner_only=True,
        simulated="simulated-google-client-secret",
    ),
    Secret(
        key="gatehouse:tunnel_secret",
        purpose="the connectors in the cluster cannot join the tunnel",
        set_with='gatehouse pulumi config set --secret gatehouse:tunnel_secret "$(openssl rand -base64 32)"',
        owner_only=False,
        # 32 bytes, as Cloudflare demands of a tunnel secret.
        simulated=base64.b64encode(b"simulated tunnel secret 32 bytes").decode(),
    ),
)
_OF_LOGIN = "_client_secret"


def login_secret(login: str) -> Secret:
    """The secret of a login beside Google's, by the login's name."""
    key = f"gatehouse:{login}{_OF_LOGIN}"
    return Secret(
        key=key,
        purpose=f"Cloudflare cannot ask {login} who somebody is",
        set_with=f"gatehouse pulumi config set --secret {key}",
        owner_only=True,
        simulated=f"simulated-{login}-client-secret",
    )


def secrets_with(logins: object) -> tuple[Secret, ...]:
    """Every secret, with those of `logins` that have a client: the estate's, as typed or as they stand in a file."""
    named = logins if isinstance(logins, Mapping) else {}
    clients = (
        name
        for name, said in named.items()
        if (said.get("client_id") if isinstance(said, Mapping) else getattr(said, "client_id", None))
    )
    return (*SECRETS, *(login_secret(str(name)) for name in clients))


def secrets_in(values: Mapping[str, object]) -> tuple[Secret, ...]:
    """Every secret that a stack file's values call for, by full key."""
    estate = values.get("gatehouse:estate")
    return secrets_with(estate.get("logins") if isinstance(estate, Mapping) else None)


def is_secret(name: str) -> bool:
    """Whether a key of ours, without its namespace, is a secret's."""
    return name.endswith(_OF_LOGIN) or name in {s.name for s in SECRETS}


CREDENTIAL = (
    "([Tt]oken|[Ss]ecret|[Pp]assword|[Pp]asswd|[Pp]wd|[Pp]assphrase|[Cc]redentials?|[Kk]ubeconfig|"
    "([Aa]pi|[Pp]rivate|[Aa]ccess|[Aa]uth|[Ss]ervice|[Ss]ecret|[Ss]igning|[Ee]ncryption|[Mm]aster|[Ss]sh)[_-]?[Kk]eys?)"
)
"""How the keys of credentials end: `cloudflare:apiToken`, `tailscale:oauthClientSecret`, `minio:secret_key`."""
_TELLING = re.compile(r"tskey-|-----BEGIN [A-Z ]*PRIVATE KEY")
"""How credentials begin that can be told under any key: Tailscale's, and private keys."""


def in_clear(path: tuple[str | int, ...], value: object) -> Iterator[tuple[str | int, ...]]:
    """The paths below a key at which a credential stands without being encrypted."""
    if isinstance(value, dict):
        if set(value) != {"secure"}:
            for key, inner in value.items():
                yield from in_clear((*path, key), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from in_clear((*path, index), inner)
    elif isinstance(value, str | int) and not isinstance(value, bool) and value != "":
        named = next(str(part) for part in reversed(path) if not isinstance(part, int))
        # The way to a file is no secret; what is in it would be.
        where = isinstance(value, str) and re.fullmatch(r"[~./][^\s{}]*", value) and "kubeconfig" in named.lower()
        if (re.search(f"{CREDENTIAL}$", named, re.IGNORECASE) or _TELLING.match(str(value))) and not where:
            yield path
