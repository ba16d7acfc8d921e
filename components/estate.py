"""What a stack takes from the estate's owner: registered here, or read from the owner's stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pulumi

from components.access import Access
from components.google import Google
from components.login import Login, LoginMethod
from components.service_tokens import ServiceTokens
from components.zone import Zone
from config.people import GOOGLE
from config.secrets import login_secret
from config.stack import owner_stack
from exposure.audience import ANYONE, NOBODY
from exposure.estate import people_set
from exposure.model import ExposurePlan, PeopleSet


@dataclass(frozen=True)
class EstateIds:
    """The ids that ways need of the estate: zones by name, and what Access applications attach."""

    zone_ids: Mapping[str, pulumi.Input[str]]
    access: Access
    zones: Sequence[pulumi.Resource] = ()
    """The zones, where this stack makes them."""


def register_estate(
    plan: ExposurePlan, secrets: Mapping[str, pulumi.Output[str]], options: pulumi.ResourceOptions
) -> EstateIds:
    """Zones, logins and policies, and their exports, where this stack owns them; else the owner's ids."""
    if plan.owner is not None:
        return estate_of(plan.owner, plan)
    estate = plan.estate
    zones = {
        zone.name: Zone(
            # The zone for names that are not said has had this name from the start.
            "estate" if zone is estate.zone else zone.name,
            account_id=estate.account_id,
            zone=zone.name,
            dnssec=zone.dnssec,
            ssl=zone.ssl,
            min_tls_version=zone.min_tls_version,
            always_use_https=zone.always_use_https,
            automatic_https_rewrites=zone.automatic_https_rewrites,
            hsts=zone.hsts,
            redirects={r.host: r.to for r in plan.redirects if r.zone == zone.name},
            opts=options,
        )
        for zone in estate.zones
    }
    access = Access(estate.account_id, session_duration=estate.session_duration)
    for method in _logins(plan, secrets, options):
        others = () if isinstance(method, Google) else method.policy_ids
        access = replace(
            # What nobody logs in to names the first one.
            method.access if access.identity_provider_id is None else access,
            policy_ids={**access.policy_ids, **method.policy_ids},
            logins={**access.logins, **dict.fromkeys(others, (method.name, method.identity_provider_id))},
        )
    if estate.tokens:
        tokens = ServiceTokens(
            "tokens", account_id=estate.account_id, tokens=estate.tokens, together=plan.token_sets, opts=options
        )
        access = replace(access, token_policy_ids=tokens.policy_ids)
        pulumi.export("service_tokens", tokens.clients)
        pulumi.export("token_policy_ids", tokens.policy_ids)
    main = zones[estate.zone.name]
    pulumi.export("name_servers", main.name_servers)
    pulumi.export("ds_record", main.ds_record)
    pulumi.export("ds", main.ds)
    pulumi.export(
        "zones", {n: {"name_servers": z.name_servers, "ds_record": z.ds_record, "ds": z.ds} for n, z in zones.items()}
    )
    ids = {name: zone.zone_id for name, zone in zones.items()}
    # Members read these by StackReference.
    pulumi.export("zone_ids", ids)
    pulumi.export("zone_id", main.zone_id)
    pulumi.export("identity_provider_id", access.identity_provider_id)
    pulumi.export("policy_ids", dict(access.policy_ids))
    if access.logins:
        pulumi.export("login_ids", {name: login for name, (_, login) in access.logins.items()})
    pulumi.export("bypass_policy_id", access.bypass_policy_id)
    pulumi.export("deny_policy_id", access.deny_policy_id)
    return EstateIds(ids, access, tuple(zone.zone for zone in zones.values()))


def _logins(
    plan: ExposurePlan, secrets: Mapping[str, pulumi.Output[str]], options: pulumi.ResourceOptions
) -> Iterator[LoginMethod]:
    """Google first, then the others; the first one has what an account has once."""
    estate = plan.estate

    def people(login: str) -> list[PeopleSet]:
        return [one for one in plan.people if one.login == login]

    if estate.google:
        google = Google(
            GOOGLE,
            account_id=estate.account_id,
            team=estate.team,
            client_id=estate.google.client_id,
            client_secret=secrets["google_client_secret"],
            people=people(GOOGLE),
            nobody=plan.nobody,
            session_duration=estate.session_duration,
            opts=options,
        )
        pulumi.export("redirect_uri", google.redirect_uri)
        yield google
    for name, login in estate.logins.items():
        first = name == estate.first_login
        yield Login(
            name,
            account_id=estate.account_id,
            team=estate.team,
            login=login,
            client_secret=secrets.get(login_secret(name).name),
            people=people(name),
            shared=first,
            nobody=first and plan.nobody,
            session_duration=estate.session_duration,
            opts=options,
        )


def estate_of(owner: str, plan: ExposurePlan) -> EstateIds:
    """The ids from the owner's stack, by StackReference; those of logins only as far as the plan's ways use them.

    Registers nothing; reads `owner` (`organization/gatehouse/<stack>`). Raises RunError where the owner's stack lacks
    an output, with the command that makes it.
    """
    # On Pulumi Cloud the organization is the one that this stack is in.
    organization = pulumi.get_organization() or "organization"
    stack = pulumi.StackReference(owner.replace("organization", organization, 1))
    main = plan.estate.zone.name
    others = sorted({record.zone for record in plan.records} - {main})
    zone_ids = {main: _output(stack, "zone_id", owner)}
    if others:
        found = _output(stack, "zone_ids", owner)
        zone_ids |= {name: _entry(found, name, "zone", owner) for name in others}
    audiences = {a.audience for a in plan.applications}
    access = Access(plan.estate.account_id, session_duration=plan.estate.session_duration)
    if audiences:
        policies = _output(stack, "policy_ids", owner)
        sets = [people_set(a, plan.estate) for a in sorted(audiences, key=str) if a.people]
        elsewhere = [one for one in sets if one.login != GOOGLE]
        login_ids = _output(stack, "login_ids", owner) if elsewhere else None
        access = Access(
            plan.estate.account_id,
            _output(stack, "identity_provider_id", owner),
            {
                name: _entry(policies, name, "policy for people", owner)
                for name in sorted({a.people_policy for a in plan.applications if a.audience.people})
            },
            _output(stack, "bypass_policy_id", owner) if ANYONE in audiences else None,
            _output(stack, "deny_policy_id", owner) if NOBODY in audiences else None,
            plan.estate.session_duration,
            logins={one.name: (one.login, _entry(login_ids, one.name, "login of people", owner)) for one in elsewhere}
            if login_ids
            else {},
        )
    tokens = sorted({a.token_name for a in audiences if a.tokens})
    if tokens:
        given = _output(stack, "token_policy_ids", owner)
        by_token = {name: _entry(given, name, "policy for service tokens", owner) for name in tokens}
        access = replace(access, token_policy_ids=by_token)
    return EstateIds(zone_ids, access)


def _output(stack: pulumi.StackReference, name: str, owner: str) -> pulumi.Output[Any]:
    def given(value: object) -> object:
        if value is None:
            raise _owner_first(f"output {name!r}", owner)
        return value

    return stack.get_output(name).apply(given)


def _entry(found: pulumi.Output[Any], name: str, what: str, owner: str) -> pulumi.Output[Any]:
    def given(ids: Mapping[str, str]) -> str:
        if name not in ids:
            raise _owner_first(f"{what} {name!r}", owner)
        return ids[name]

    return found.apply(given)


def _owner_first(lacks: str, owner: str) -> pulumi.RunError:
    return pulumi.RunError(
        f"the estate's owner has no {lacks} yet; bring it up first: gatehouse up --stack {owner_stack(owner)}"
    )
