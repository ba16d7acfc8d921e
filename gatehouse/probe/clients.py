"""The service tokens that `verify` sends: read from the state, they go into requests and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from config import clock
from config.loader import LoadedStack
from exposure.model import ExposurePlan
from exposure.ways.tunnel import TunnelWay
from gatehouse.commands import CommandError
from gatehouse.probe.outputs import is_simulated, outputs_here, token_ends

if TYPE_CHECKING:
    from gatehouse.probe.settings import Client


@dataclass(frozen=True)
class Clients:
    """The tokens by name, those that have ended, and why there are none where that is so."""

    by_name: Mapping[str, Client] = field(default_factory=dict)
    ended: frozenset[str] = frozenset()
    why: str = "the secrets of service tokens are in the state of the estate's owner, and it is not read here"


def clients_of(project: Path, stack: LoadedStack, plan: ExposurePlan, *, secrets: bool) -> Clients:
    """The tokens of a stack's estate, where the plan lets any in; without `secrets` only which have ended."""
    owner = stack.owner or stack
    if not any(claim.audience.tokens for way in plan.by(TunnelWay) for claim in way.claims()):
        return Clients()
    by_name: dict[str, Client] = {}
    why, outputs = Clients.why, outputs_here(project, owner)
    if secrets:
        from gatehouse.engine.acquire import find_engine
        from gatehouse.engine.secrets import open_workspace, service_tokens
        from gatehouse.probe.settings import Client

        try:
            # None is fetched for this.
            if find_engine(project) is None:
                raise CommandError("it takes the Pulumi engine, and none is here.")
            workspace = open_workspace(project, owner.name, simulated=is_simulated(owner), say=lambda text: None)
            found = service_tokens(workspace, owner.name)
            outputs = {"service_tokens": found}
            # One that was adopted has no secret here.
            known = {name: token for name, token in found.items() if token.get("client_secret")}
            by_name = {name: Client(token["client_id"], token["client_secret"]) for name, token in known.items()}
        except (CommandError, ValueError) as error:
            why = f"the secrets of service tokens are in the state of {owner.name}: {error}"
    ended = frozenset(name for name, end in token_ends(outputs).items() if end <= clock.now())
    return Clients(by_name, ended, why)
