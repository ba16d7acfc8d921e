"""Where Access applications stand, and what they decide there: what several rules read of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from policy.model import Resource, Stack, at, is_hidden, items, text

# Each with its name of before version 6 of the SDK, which still registers.
APPLICATION = ("ZeroTrustAccessApplication", "AccessApplication")
POLICY = ("ZeroTrustAccessPolicy", "AccessPolicy")
CONFIGURATION = ("ZeroTrustTunnelCloudflaredConfig", "TunnelConfig")


def uris(application: Resource) -> list[object]:
    """`host` or `host/path` of each place that an application is for."""
    inputs = application.inputs
    places = inputs.get("destinations")
    if is_hidden(places):
        return [places]
    found: list[object] = []
    for place in items(places):
        if at(place, "type") in (None, "public") or is_hidden(place):
            found.append(place if is_hidden(place) else at(place, "uri"))
    return found or [v for v in [inputs.get("domain"), *items(inputs.get("selfHostedDomains"))] if v]


def host_of(uri: str) -> str:
    """The host of a place."""
    return uri.removeprefix("https://").partition("/")[0].lower()


def path_of(uri: str) -> str:
    """The path of a place with its slash in front; empty for the whole host, however that is written."""
    _, slash, path = uri.removeprefix("https://").partition("/")
    return f"{slash}{path}".rstrip("/*")


def covers(pattern: str, host: str) -> bool:
    """Whether an application's host covers a host: its `*` stands for a part of one label [Cloudflare, app paths]."""
    if "*" not in pattern:
        return pattern == host
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", "[^.]*"), host))


def serves(named: str, host: str) -> bool:
    """Whether a tunnel rule for `named` takes requests for a host; `*.` stands for any depth [cloudflared ingress]."""
    return named in ("", "*", host) or (named.startswith("*.") and host.endswith(named[1:]))


def decisions(stack: Stack, application: Resource) -> list[str | None]:
    """What each policy of an application decides; None where the policy is not in sight."""
    found: list[str | None] = []
    unknown = 0
    for policy in items(application.inputs.get("policies")):
        decision = at(policy, "decision")
        given = _GIVEN.get(stack.given(at(policy, "id")) or "")
        if decision is not None and not is_hidden(decision):
            found.append(str(decision))
        elif given:
            found.append(given)
        else:
            unknown += 1
    # An id is not known before `up`, or says nothing: what it was made from does.
    referred = stack.referred(application, "policies", "cloudflare", *POLICY)
    found += [text(policy.inputs.get("decision")) or None for policy in referred]
    if unknown > len(referred) or is_hidden(application.inputs.get("policies")):
        found.append(None)
    return found


_GIVEN = {
    "bypass_policy_id": "bypass",
    "deny_policy_id": "deny",
    "policy_ids": "allow",
    "token_policy_ids": "non_identity",
}


def all_are(found: Iterable[str | None], *wanted: str) -> bool:
    """Whether there are decisions, and each is one of these."""
    found = list(found)
    return bool(found) and all(decision in wanted for decision in found)


def may_be_bypass(application: Resource, found: Iterable[str | None]) -> bool:
    """Whether an application whose policy is out of sight can be one that opens a path."""
    places = uris(application)
    return None in found and bool(places) and all(not is_hidden(u) and path_of(text(u)) for u in places)


def opens(stack: Stack, application: Resource) -> bool:
    """Whether an application lets anyone by; where its policy is out of sight, whether it can be one that does."""
    found = decisions(stack, application)
    return all_are(found, "bypass") or (
        not items(application.inputs.get("allowedIdps")) and may_be_bypass(application, found)
    )


def who(stack: Stack, application: Resource) -> frozenset[str]:
    """What tells whom an application lets in from whom another does: its policies. Empty where they cannot be told."""
    ids = [at(policy, "id") for policy in items(application.inputs.get("policies"))]
    known = frozenset(text(i) for i in ids)
    return known if all(known) else frozenset(application.made_from("policies"))
