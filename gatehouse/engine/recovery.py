"""What a run that was killed left open: operations of which the state does not say whether they took effect.

The engine warns of them at each `up` and goes on: what was made already is then made twice or refused, and its own
`refresh --import-pending-creates` drops what it is told to import (seen with 3.276.0). A resource that is imported by
its id is read by its provider, whatever its type, so that is how `up` takes over what was made: it looks for it in the
accounts first. The state is changed only by the engine, but for what the providers cannot read back (`completed`).
docs/adr/0018 says why.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatehouse.adopt.match import differences
from gatehouse.adopt.things import Thing, identity, labels_of
from policy.model import mapping
from policy.steps import plain

# How a state marks a secret, and how an import of a state takes one that is yet to be encrypted [PU
# sdk/go/common/resource/properties.go].
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_IS_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_CLOCKS_SECONDS = 120
_TIMELESS = ("Acl", "ZeroTrustAccessApplication", "ZeroTrustAccessIdentityProvider")
_TUNNEL = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"


@dataclass(frozen=True)
class OpenOperation:
    """An operation that began and of which no end is known: `kind` as the engine names it (`creating`, `updating`,
    `deleting`…), the resource's URN, and its inputs with secrets masked."""

    kind: str
    urn: str
    inputs: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def type(self) -> str:
        """The type token."""
        return self.urn.split("::")[2].rsplit("$", 1)[-1]

    @property
    def name(self) -> str:
        """Type and logical name, short, as `gatehouse:adopt` has it: `DnsRecord/grafana.example.com`."""
        return f"{self.type.rsplit(':', 1)[-1]}/{self.urn.split('::', 3)[3]}"

    def __str__(self) -> str:
        title = _title(self.inputs)
        return f"{self.kind} {self.name}" + (f" ({title})" if title else "")


def open_operations(deployment: Mapping[str, Any] | None) -> list[OpenOperation]:
    """The operations that a state (an export's `deployment`) holds open."""
    return [
        OpenOperation(
            str(entry["type"]), str(entry["resource"]["urn"]), mapping(plain(entry["resource"].get("inputs") or {}))
        )
        for entry in (deployment or {}).get("pending_operations") or ()
    ]


def recognised(creating: Sequence[OpenOperation], things: Sequence[Thing], *, exactly: bool = False) -> dict[str, str]:
    """Which of the resources that were being made are there: name (`DnsRecord/grafana.example.com`) to the import id.

    `things` are what is in the accounts, with what a state has already marked. What is set and not made (rules, the
    settings of a zone, DNSSEC) is never among the answers: to set it once more does no harm. `exactly`: only what is in
    every way as it was to be made.
    """
    found: dict[str, str] = {}
    for operation in creating:
        short = operation.name.partition("/")[0]
        known_by = identity(short, operation.inputs)
        fits = [
            thing
            for thing in things
            if thing.type == short
            and not thing.managed
            and thing.id not in found.values()
            and known_by is not None
            and identity(short, thing.inputs) == known_by
            and _is_ours(operation.inputs, thing)
            and not (exactly and differences(operation.inputs, thing.inputs))
        ]
        # Where the answer was lost the provider asked again, and there may be two: either is ours.
        fits.sort(key=lambda thing: (bool(differences(operation.inputs, thing.inputs)), thing.id))
        if fits:
            found[operation.name] = fits[0].id
    return found


def _is_ours(inputs: Mapping[str, Any], thing: Thing) -> bool:
    """Whether what has our name is ours: Kubernetes objects by our labels, the tailnet's policy by what it says."""
    if thing.type == "Acl":
        return not differences(inputs, thing.inputs)
    return labels_of(inputs).items() <= labels_of(thing.inputs).items()


def made_since(things: Sequence[Thing], began: float) -> list[Thing]:
    """The things that were made since a time (seconds of the epoch), as far as the cloud's clock and ours agree.

    Of a tailnet's policy and of a login method no cloud says when, of an application not every one: in every way as
    ours, they may as well be.
    """
    earliest = began - _CLOCKS_SECONDS
    return [t for t in things if (t.type in _TIMELESS if t.made_at is None else t.made_at >= earliest)]


def tunnels_without_secret(deployment: Mapping[str, Any] | None) -> dict[str, str]:
    """The tunnels whose secret an import left out of the state, since no provider reads it back: name to import id."""
    found = [resource for resource in (deployment or {}).get("resources") or () if _lacks(resource)]
    return {
        OpenOperation("", r["urn"]).name: r.get("importID") or f"{r['inputs'].get('accountId')}/{r['id']}"
        for r in found
    }


def _lacks(resource: Mapping[str, Any]) -> bool:
    return bool(resource["type"] == _TUNNEL and not (resource.get("inputs") or {}).get("tunnelSecret"))


def completed(deployment: Mapping[str, Any], tunnel_secret: Callable[[str], str]) -> dict[str, Any]:
    """The state without its list of open operations, and with what an import could not read: a tunnel's secret.

    With none in the state the next `up` would set it, which the provider's encoder does not survive (docs/adr/0017).

    Args:
        deployment: the state.
        tunnel_secret: gives a tunnel's secret, by its id.
    """
    state = copy.deepcopy({k: v for k, v in deployment.items() if k != "pending_operations"})
    for resource in filter(_lacks, state.get("resources") or ()):
        secret = {
            _SIGNATURE: _IS_SECRET,
            "plaintext": json.dumps(tunnel_secret(resource["id"])),
        }
        resource["inputs"]["tunnelSecret"] = resource["outputs"]["tunnelSecret"] = secret
        # The bridge notes beside the outputs what was null when it read them, and would take this for null again.
        noted = resource["outputs"].get("__pulumi_raw_state_delta") or {}
        ((noted.get("obj") or {}).get("ps") or {}).pop("tunnelSecret", None)
    return state


def without(resources: Sequence[Mapping[str, Any]], gone: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A state's resources without some of them, and without the dependencies on those: the engine takes no state that
    names what it does not have, and hears of them again at the next registration."""
    urns = {resource["urn"] for resource in gone}

    def others(found: Sequence[str] | None) -> list[str]:
        return [urn for urn in found or () if urn not in urns]

    return [
        {
            **resource,
            "dependencies": others(resource.get("dependencies")),
            "propertyDependencies": {
                name: others(found) for name, found in (resource.get("propertyDependencies") or {}).items()
            },
        }
        for resource in resources
        if resource not in gone
    ]


def _title(inputs: Mapping[str, Any]) -> str:
    """What people know it by: a name, or where it is."""
    metadata = inputs.get("metadata")
    if isinstance(metadata, Mapping):
        return "/".join(str(metadata[key]) for key in ("namespace", "name") if isinstance(metadata.get(key), str))
    for key in ("name", "settingId", "description"):
        if isinstance(inputs.get(key), str):
            return str(inputs[key])
    return ""
