"""What the `ssh` section lets through (https://tailscale.com/kb/1337/policy-syntax#tailscale-ssh).

Network access to port 22 is a question of its own (`evaluate.reach`); Tailscale's own `sshTests` leave it
out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from exposure.policy_eval.evaluate import every, selects, some
from exposure.policy_eval.policy import Policy, SshRule
from exposure.policy_eval.postures import Attributes
from exposure.policy_eval.selectors import Kind, Selector
from exposure.policy_eval.topology import Endpoint

Login = Literal["accept", "check", "deny"]
LOCALPART = "localpart:*@"
"""In `users`, with a domain: what stands before the `@` of an address there."""


def good_for(check_period: str) -> str:
    """How long a check is good, as a duration: `always` asks anew at every login."""
    return "0s" if check_period == "always" else check_period


def login(policy: Policy, source: Endpoint, target: Endpoint, user: str, attributes: Attributes) -> frozenset[Login]:
    """What `source` gets who logs in to `target` as `user` of that machine; a check wins over none.

    More than one where it depends on what is not known: whose device an address is, or a person's role.
    """
    found: list[tuple[Login, bool]] = [
        ("check" if rule.check else "accept", certain)
        for rule, certain in logging_in(policy, source, target, attributes)
        if _as(rule, user, source)
    ]
    if ("check", True) in found:
        return frozenset({"check"})
    possible = {result for result, _ in found}
    return frozenset(possible if ("accept", True) in found else {*possible, "deny"})


def logging_in(
    policy: Policy, source: Endpoint, target: Endpoint, attributes: Attributes | None
) -> Iterator[tuple[SshRule, bool]]:
    """The rules that let `source` log in to `target` as somebody, each with whether that is certain.

    `attributes` None: nothing is known of the source's device.
    """
    for rule in policy.ssh:
        postured = None if attributes is None else _postured(policy, rule, attributes)
        applies = every(
            some(selects(policy, selector, source) for selector in rule.sources) if source.settled else None,
            some(_at(policy, selector, target, source) for selector in rule.destinations) if target.settled else None,
            not rule.postures or postured,
        )
        if applies is not False:
            yield rule, applies is True


def _at(policy: Policy, selector: Selector, target: Endpoint, source: Endpoint) -> bool | None:
    if selector.kind is Kind.AUTOGROUP and selector.name == "self":
        mine = bool(source.user) and not source.tags and not target.tags
        return mine and source.user.lower() == target.user.lower()
    return selects(policy, selector, target)


def _as(rule: SshRule, user: str, source: Endpoint) -> bool:
    local, at, domain = source.user.rpartition("@")
    mine = bool(at) and not source.tags and user == local
    return any(
        (mine and allowed.lower() == f"{LOCALPART}{domain.lower()}")
        if allowed.startswith(LOCALPART) and allowed != LOCALPART
        else allowed == user or (allowed == "autogroup:nonroot" and user != "root")
        for allowed in rule.users
    )


def _postured(policy: Policy, rule: SshRule, attributes: Attributes) -> bool:
    return any(all(c.holds(attributes) for c in policy.postures[name]) for name in rule.postures)
