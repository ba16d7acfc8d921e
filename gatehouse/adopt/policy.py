"""The policy that stands in a tailnet: what of it is its owner's, and what would end by another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from config.loader import LoadedStack
from config.text import few
from exposure import own_policy
from exposure.plan import plan_stack
from exposure.reach.compare import compare
from exposure.reach.project import plan_project
from exposure.reach.surface import merge
from exposure.reach.tailnet import PolicyError, tags_of
from gatehouse.commands import CommandError

FILE = "tailnet.hujson"


def others_part(standing: str, stacks: Mapping[str, LoadedStack], name: str) -> str:
    """What of the policy that stands the stack files do not say; empty where that is nothing.

    Raises CommandError for what is no policy.
    """
    try:
        return own_policy.without(standing, plan_stack(stacks[name], stacks).tailnet_policy or {})
    except own_policy.OwnPolicyError as error:
        raise CommandError(f"The tailnet's policy cannot be read: line {error.position.line}: {error}.") from None


def owners_part(project: Path, standing: str, stacks: Mapping[str, LoadedStack], name: str) -> tuple[str, str] | None:
    """The same, for a file beside the stack file: its name and text.

    None where nothing is left, where the stack file names such a file already, and where it says `overwrite_policy`.
    Raises CommandError for a file of that name which the stack file does not name.
    """
    estate = stacks[name].estate
    tailnet = estate.tailnet if estate else None
    if tailnet is None or tailnet.policy or tailnet.overwrite_policy:
        return None
    text = others_part(standing, stacks, name)
    if text and (project / FILE).exists():
        raise CommandError(f"{FILE} is there, and the stack file does not say `policy: {FILE}` under estate.tailnet.")
    return (FILE, text) if text else None


def ended(standing: str, stacks: Mapping[str, LoadedStack], name: str) -> list[str]:
    """Who reaches what by the policy that stands, and cannot by the one of the stack files; a line each.

    Left out are the machines that Gatehouse makes: they are not there before it.
    """
    family = {n: s for n, s in stacks.items() if n == name or s.owner is stacks[name]}
    now = merge(plan_project(family).surfaces.values())
    if now.tailnet is None:
        return []
    try:
        value = own_policy.value(standing)
        changes = compare(replace(now, tailnet=replace(now.tailnet, policy=value)), now)
    except (own_policy.OwnPolicyError, PolicyError) as error:
        return [f"what it allows cannot be told here ({error})"]
    made = set(tags_of(now.tailnet.policy or {})) - set(tags_of(value))
    found: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        request = change.place.request
        if change.losses and now.machine_name(request.host) not in now.machines:
            who = few([str(p) for p in change.losses if p.name not in made])
            found.setdefault((who, request.host), []).append(f"{request.port}/{request.protocol}")
    return [f"{who}: no longer {host}, {_ports(ports)}" for (who, host), ports in found.items()]


def is_new_tailnets(standing: str) -> bool:
    """Whether a policy lets every device reach every other one, as that of a new tailnet does, and nothing more."""
    from exposure.policy_eval import read_policy

    policy = read_policy(standing).policy
    every = [s.text for rule in policy.rules for s in (*rule.sources, *rule.destinations)] if policy else []
    return bool(every) and set(every) == {"*"}


def _ports(ports: list[str]) -> str:
    # A rule for every port is asked about at both ends.
    return "any port" if {"1/tcp", "65535/tcp"} <= set(ports) else few(sorted(set(ports)))
