"""The clouds' limits."""

from __future__ import annotations

from collections.abc import Iterator

from config.errors import show
from config.people import GOOGLE
from exposure.audience import named_people, on_tailnet
from exposure.manual_steps import GOOGLE_TEST_USERS
from exposure.rules.base import Family, OneStack, Problem, Rules
from exposure.tailnet import PLANS, machines_of, taken
from exposure.ways.funnel import FunnelWay
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import TunnelWay

RULES = Rules()
_LIMITS = "CFDOC cloudflare-one/account-limits"
_APPLICATIONS = 500
_ADDRESSES = 1000
_TUNNELS = 1000
_GROUPS = 300
_TOKENS = 50
_REDIRECTS = 10


@RULES.family("limit-applications", _LIMITS)
def _applications(family: Family) -> Iterator[Problem]:
    """An account has at most 500 Access applications."""
    count = sum(len(stack.applications) for stack in family.stacks)
    if count > _APPLICATIONS:
        yield family.owner.estate_ref("account_id").problem(
            "",
            f"all stacks together need {count} Access applications (one for each host, and one for each path "
            f"with clients of its own), and an account has at most {_APPLICATIONS}",
            "put several paths under one, or use a second account",
        )


@RULES.family("limit-account", _LIMITS)
def _account(family: Family) -> Iterator[Problem]:
    """An account has at most 1,000 tunnels and 300 Access groups."""
    # A policy for each group as well, of which there may be more; and a group for each of what it requires.
    estate = family.estate
    terms = [estate.terms(names) for names in _logins(family)] if estate else []
    groups = sum(1 + bool(t.countries) + bool(t.ips) for t in terms)
    groups += sum(bool(a.audience.ips) for stack in family.stacks for a in stack.applications)
    for count, most, what, fix in (
        (len(family.stacks), _TUNNELS, "tunnels, one for each stack", "use a second account for some of the nodes"),
        (
            groups,
            _GROUPS,
            "Access groups, one for each combination of sets of people that logs in, and for each path with `ips`",
            "use fewer combinations of sets",
        ),
        (
            len(estate.tokens) if estate else 0,
            _TOKENS,
            "service tokens",
            "let several apps share one, where they are of one holder",
        ),
    ):
        if count > most:
            reason = f"there are {count} {what}, and an account has at most {most}"
            yield family.owner.estate_ref("account_id").problem("", reason, fix)


def _logins(family: Family) -> set[frozenset[str]]:
    """Those who log in to something, each combination of sets of people once."""
    return {a.audience.people for stack in family.stacks for a in stack.applications if a.audience.people}


@RULES.stack("limit-addresses", _LIMITS)
def _addresses(stack: OneStack) -> Iterator[Problem]:
    """A rule of Access has at most 1,000 addresses."""
    for name, one in stack.own_sets:
        count = len(set(one.words))
        if count > _ADDRESSES:
            yield Problem(
                ("estate", "people", name),
                "",
                f"the set has {count} addresses, and a rule of Access takes at most {_ADDRESSES}",
                "split it into two sets",
            )


@RULES.stack("limit-redirects", "CFDOC rules/url-forwarding", acceptable="stack")
def _redirects(stack: OneStack) -> Iterator[Problem]:
    """A zone has at most 10 redirects."""
    if not stack.stack.owns_estate or stack.estate is None:
        return
    hosts = [host for service in stack.by(TunnelWay) for host in service.service.redirect_from or ()]
    for path, zone in stack.zones:
        count = sum(stack.estate.zone_of(host) == zone for host in hosts)
        if count > _REDIRECTS:
            yield Problem(
                (*path, "name"),
                show(zone.name),
                f"{count} hosts of this zone redirect, and a zone on the Free plan has at most {_REDIRECTS} such rules",
                "list some under `hosts:`, where they are served; or, if the zone has a paid plan, acknowledge "
                "`limit-redirects` under `gatehouse:acknowledge`",
            )


@RULES.family("google-test-users", "Google Cloud Console, Audience", acceptable="stack")
def _test_users(family: Family) -> Iterator[Problem]:
    """Google's client lets in at most 100 people while it is in testing."""
    estate = family.estate
    if estate is None or estate.google is None:
        return
    by_google = [names for names in _logins(family) if estate.terms(names).login == GOOGLE]
    people = estate.who(name for names in by_google for name in names)
    if len(people) > GOOGLE_TEST_USERS:
        yield family.owner.estate_ref("people").problem(
            "",
            f"{len(people)} people log in with Google, and an OAuth client in testing lets in {GOOGLE_TEST_USERS}",
            "publish the OAuth client and acknowledge `google-test-users` under `gatehouse:acknowledge`, or "
            "name fewer people",
        )


@RULES.family("limit-tailnet", "tailscale.com/pricing, read on 2026-09-20", severity="warning")
def _tailnet(family: Family) -> Iterator[Problem]:
    """A tailnet has as many users, groups and tagged machines as its plan allows."""
    estate = family.estate
    if estate is None or estate.tailnet is None:
        return
    most = PLANS[estate.tailnet.plan]
    private = [on_tailnet(s.service, estate) for s in family.by(TailnetWay)]
    private += [named_people(to, estate) for stack in family.stacks for _, to in stack.leads]
    sets = {name for audience in private for name in audience.people}
    served = {s.machine for s in family.by(TailnetWay, FunnelWay) if s.cluster_origin}
    machines = len(served) + machines_of(stack.node for stack in family.stacks)
    use = taken(estate, sets, machines, family.owner.stack.own_policy)
    for count, limit, what, fix in (
        (
            use.groups,
            most.groups,
            "groups in the tailnet's policy (each set of people that a service on the tailnet, a route, Tailscale"
            " SSH or your own part names, and those of your own)",
            "let services share sets of people",
        ),
        (
            use.users,
            most.users,
            "people on the tailnet (those with whom a machine is shared are no users of it)",
            "share machines with some of them",
        ),
        (
            use.machines,
            most.machines,
            "tagged machines (each node, each service by `tailnet` or `funnel`, and each shared proxy)",
            "take some services to the tunnel",
        ),
    ):
        if limit is not None and (count or 0) > limit:
            reason = f"there are {count} {what}, and plan {estate.tailnet.plan} has {limit}"
            yield family.owner.estate_ref("tailnet", "plan").problem(
                show(estate.tailnet.plan), reason, f"{fix}; or say which `plan:` you have"
            )
