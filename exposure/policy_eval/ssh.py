"""What the `ssh` section lets through (https://tailscale.com/kb/1337/policy-syntax#tailscale-ssh).

Network access to port 22 is a question of its own (`evaluate.reach`); Tailscale's own `sshTests` leave it
out.
"""

from __future__ import annotations

from typing import Literal

from exposure.policy_eval.evaluate import every, selects, some
from exposure.policy_eval.policy import Policy, SshRule
from exposure.policy_eval.postures import Attributes
from exposure.policy_eval.selectors import Kind, Selector
from exposure.policy_eval.topology import Endpoint

Login = Literal["accept", "check", "deny"]


def login(policy: Policy, source: Endpoint, target: Endpoint, user: str, attributes: Attributes) -> frozenset[Login]:
    """What `source` gets who logs in to `target` as `user` of that machine; a check wins over none.

    More than one where it depends on what is not known: whose device an address is, or a person's role.
    """
    found: list[tuple[Login, bool]] = []
    for rule in policy.ssh:
        applies = every(
            some(selects(policy, selector, source) for selector in rule.sources) if source.settled else None,
            some(_at(policy, selector, target, source) for selector in rule.destinations) if target.settled else None,
            _as(rule, user, source),
            not rule.postures or _postured(policy, rule, attributes),
        )
        if applies is not False:
            found.append(("check" if rule.check else "accept", applies is True))
    if ("check", True) in found:
        return frozenset({"check"})
    possible = {result for result, _ in found}
    return frozenset(possible if ("accept", True) in found else {*possible, "deny"})


def _at(policy: Policy, selector: Selector, target: Endpoint, source: Endpoint) -> bool | None:
    if selector.kind is Kind.AUTOGROUP and selector.name == "self":
        mine = bool(source.user) and not source.tags and not target.tags
        return mine and source.user.lower() == target.user.lower()
    return selects(policy, selector, target)


def _as(rule: SshRule, user: str, source: Endpoint) -> bool:
    local, at, domain = source.user.rpartition("@")
    mine = bool(at) and not source.tags and user == local
    return any(
        (mine and allowed.lower() == f"localpart:*@{domain.lower()}")
        if allowed.startswith("localpart:*@")
        else allowed == user or (allowed == "autogroup:nonroot" and user != "root")
        for allowed in rule.users
    )


def _postured(policy: Policy, rule: SshRule, attributes: Attributes) -> bool:
    return any(all(c.holds(attributes) for c in policy.postures[name]) for name in rule.postures)
