"""Second objects of a stack's own in the account: what a create made whose answer was lost and that was asked again.

Access policies and groups, of which Cloudflare takes two of one name; applications, login methods and service tokens
too, for that it refuses a second one is not documented (11010). Tunnels and records of one name it refuses (errors
1013, 81053, 81058): a second create of theirs fails and is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from config.loader import LoadedStack
from config.text import wrap
from exposure.reach.access import ANYONE, decide, describe, emails
from exposure.reach.steps import from_steps
from exposure.reach.surface import Known
from gatehouse.adopt.things import AccountError, Thing, identity, places, words_of
from gatehouse.commands import CommandError, about

if TYPE_CHECKING:
    from cloudflare import Cloudflare

_APPLICATION, _POLICY, _GROUP = "ZeroTrustAccessApplication", "ZeroTrustAccessPolicy", "ZeroTrustAccessGroup"
_PATHS: Mapping[str, tuple[str, str]] = {
    _APPLICATION: ("apps", "access-app"),
    _POLICY: ("policies", "access-policy"),
    _GROUP: ("groups", "access-group"),
    "ZeroTrustAccessIdentityProvider": ("identity_providers", "idp"),
    "ZeroTrustAccessServiceToken": ("service_tokens", "service-token"),
}
"""The types: where the API has each below `/accounts/<id>/access`, and what the simulated clouds call it."""
_SECONDS = 15


@dataclass(frozen=True)
class Double:
    """An object that no state has, of the type and name (and destinations) of one that a state has.

    `lets_in` says whom it lets in, "" for a login method or a token; `used_by` what refers to it.
    """

    thing: Thing
    lets_in: str
    used_by: tuple[str, ...] = ()

    def __str__(self) -> str:
        at = f" ({', '.join(places(self.thing))})" if self.thing.type == _APPLICATION else ""
        return f'{words_of(self.thing.type)} "{self.thing.label}"{at}'

    @property
    def sentence(self) -> str:
        """What it is and whom it lets in."""
        lets_in = f" It lets in: {self.lets_in}." if self.lets_in else ""
        return (
            f"Cloudflare has a second {self}, which no stack knows: an answer was lost and the provider asked again, or"
            f" somebody copied it.{lets_in}"
        )

    def removal(self, stack: str, simulated: bool) -> str:
        """The command that removes it."""
        return f"gatehouse doubles {about(stack, simulated)} --remove {self.thing.own_id}"

    def text(self, stack: str, simulated: bool, columns: int) -> str:
        """Both, for people; the command stands on a line of its own."""
        return "\n".join([*wrap(self.sentence, columns), f"Remove it: {self.removal(stack, simulated)}"])

    def to_dict(self) -> dict[str, object]:
        """For programs."""
        return {"type": self.thing.type, "id": self.thing.own_id, "name": self.thing.label, "lets_in": self.lets_in}


def doubles(things: Iterable[Thing], known: Set[tuple[str, str]]) -> list[Double]:
    """The doubles among the things of an account. `known` are the types and ids that the states have (`known_ids`)."""
    found = [t for t in things if t.type in _PATHS]
    own = {id_ for t in found for id_ in (t.own_id, t.id) if (t.type, id_) in known}
    ours = {_key(t) for t in found if {t.own_id, t.id} & own}
    strays = [t for t in found if not {t.own_id, t.id} & own and _key(t) in ours]
    return [Double(t, _lets_in(t, found), tuple(_users(t, found))) for t in strays]


def _key(thing: Thing) -> tuple[object, ...]:
    # A token is known by its name here alone: whoever takes one over for that has no secret (`identity`).
    return (thing.type, identity(thing.type, thing.inputs) or thing.label)


def _users(thing: Thing, things: Iterable[Thing]) -> Iterable[str]:
    """What has its id among its own properties: a policy in an application, a group in a policy."""
    return (str(t) for t in things if t.own_id != thing.own_id and f'"{thing.own_id}"' in json.dumps(dict(t.inputs)))


def _lets_in(thing: Thing, things: Iterable[Thing]) -> str:
    """Whom it lets in, in words. A policy or a group is asked as the only one of an application."""
    if thing.type == _APPLICATION:
        inputs: Mapping[str, object] = thing.inputs
    elif thing.type == _POLICY:
        inputs = {"policies": [{"id": thing.own_id}]}
    elif thing.type == _GROUP:
        inputs = {"policies": [{"decision": "allow", "includes": [{"group": {"id": thing.own_id}}]}]}
    else:
        return ""
    asked = Thing(_APPLICATION, "asked", inputs, "")
    steps = [_step(t) for t in (asked, *(t for t in things if t.type != _APPLICATION))]
    [application] = from_steps({"steps": steps}, Known()).applications
    anyone = decide(application, ANYONE).verdict
    if anyone in ("bypass", "login"):
        return "anyone (bypass)" if anyone == "bypass" else "anyone who logs in"
    people = sorted(e for p in application.policies if p.decision == "allow" for e in emails(p.include))
    return ", ".join(people) or "; ".join(map(describe, application.policies)) or "nobody"


def _step(thing: Thing) -> dict[str, object]:
    """A thing as a step of a preview has it, for what reads those."""
    type_ = f"cloudflare:index/{thing.type[0].lower()}{thing.type[1:]}:{thing.type}"
    urn = f"urn:pulumi:s::p::{type_}::{thing.own_id}"
    return {
        "op": "same",
        "urn": urn,
        "newState": {"urn": urn, "type": type_, "id": thing.own_id, "inputs": thing.inputs},
    }


# --- the account of a stack


class Account:
    """The Cloudflare account of a stack, real or simulated, as far as doubles go."""

    def __init__(self, project: Path, stack: LoadedStack, *, simulated: bool) -> None:
        assert stack.estate is not None
        self.project = project
        self.stack = stack
        self.simulated = simulated
        self.id = stack.estate.account_id
        self.tokens = bool(stack.estate.tokens)

    def doubles(self) -> list[Double]:
        """Read, and decide. Raises CommandError where the account or a state cannot be read."""
        from gatehouse.engine.secrets import known_ids

        known = known_ids(self.project, simulated=self.simulated)
        if not known:
            raise AccountError("No state of this project's stacks is at hand, so what is yours cannot be told.")
        return doubles(self._things(), known)

    def warnings(self, columns: int) -> list[str]:
        """For the end of an `up`: each double, or why none can be looked for."""
        try:
            return [double.text(self.stack.name, self.simulated, columns) for double in self.doubles()]
        except (CommandError, KeyError, OSError, ValueError) as error:
            return [f"Whether Cloudflare has anything of yours twice could not be looked up: {error}"]

    def remove(self, double: Double) -> None:
        """Delete the object. Raises CommandError where something uses it or Cloudflare refuses."""
        if double.used_by:
            raise AccountError(f"{double} is used by {', '.join(double.used_by)}: change or remove that first.")
        path, collection = _PATHS[double.thing.type]
        if self.simulated:
            from gatehouse.engine.workspace import clouds_file
            from gatehouse.simulation import tamper

            tamper.delete(clouds_file(self.project), f"cloudflare/{collection}/{double.thing.own_id}")
            return
        from gatehouse.adopt.cloudflare_account import delete_access

        with self._client() as client:
            delete_access(client, self.id, path, double.thing.own_id)

    def _things(self) -> list[Thing]:
        if self.simulated:
            from gatehouse.adopt.simulated import read_simulated
            from gatehouse.engine.workspace import clouds_file

            return read_simulated(clouds_file(self.project), "")
        from gatehouse.adopt.cloudflare_account import read_access

        with self._client() as client:
            return read_access(client, self.id, tokens=self.tokens)

    def _client(self) -> Cloudflare:
        from gatehouse.adopt.accounts import Settings, cloudflare_client

        settings = Settings(self.stack.source.values, self._decrypted)
        return cloudflare_client(settings).with_options(timeout=_SECONDS, max_retries=1)

    def _decrypted(self, key: str) -> str:
        from gatehouse.engine.secrets import open_workspace, value_of

        workspace = open_workspace(self.project, self.stack.name, simulated=False, say=lambda text: None)
        return value_of(workspace, self.stack.name, key)
