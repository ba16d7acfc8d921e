"""The secrets a stack needs, where they come from and the command that sets each."""

from __future__ import annotations

import base64
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
SECRET_NAMES = frozenset(s.name for s in SECRETS)
