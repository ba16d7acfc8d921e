"""Each rule by pairs: a stack it is content with, and the same stack with one thing spoiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from policy.model import REFERENCE, UNKNOWN, Resource
from policy.rules import RULES
from policy.steps import reference
from tests.policy.builders import (
    HOST,
    application,
    broken,
    findings,
    good_stack,
    made_from,
    record,
    resource,
    rule,
    spoiled,
    unjudged,
)

Change = Callable[[Any], object]


def _ingress(number: int) -> Callable[[Any], dict[str, Any]]:
    def entry(inputs: Any) -> dict[str, Any]:
        found: dict[str, Any] = inputs["config"]["ingresses"][number]
        return found

    return entry


_first, _api, _general, _blog, _last = (_ingress(n) for n in range(5))


def _access(inputs: Any) -> dict[str, Any]:
    found: dict[str, Any] = _general(inputs)["originRequest"]["access"]
    return found


def test_a_careful_stack_breaks_no_rule_and_leaves_nothing_unjudged() -> None:
    assert findings(good_stack()) == []


def test_every_rule_says_what_must_hold_and_how_to_fix_it() -> None:
    assert len({r.id for r in RULES}) == len(RULES) == 15
    assert all(r.title for r in RULES)
    assert all(r.description.endswith(".") and r.remediation.endswith(".") for r in RULES)


# (rule, resource, what is spoiled). One line each: the stack is otherwise the careful one.
SPOILED: list[tuple[str, str, Change]] = [
    ("access-one-policy", "app", lambda i: i.update(policies=[])),
    ("access-one-policy", "app", lambda i: i.pop("policies")),
    ("access-one-policy", "app", lambda i: i["policies"].append({"id": UNKNOWN, "precedence": 2})),
    ("access-one-include", "allow", lambda i: i.update(includes=[])),
    ("access-one-include", "allow", lambda i: i["includes"].append({"email": {"email": "bob@example.com"}})),
    ("access-one-include", "allow", lambda i: i["includes"][0].update(geo={"countryCode": "DE"})),
    ("access-one-include", "app", lambda i: i["policies"][0].update(decision="allow", includes=[])),
    ("access-one-include", "allow", lambda i: i.update(includes=[{"serviceToken": {"tokenId": "t"}}])),
    ("access-one-include", "allow", lambda i: i.update(includes=[{"anyValidServiceToken": {}}])),
    ("access-one-include", "allow", lambda i: i.update(decision="non_identity")),
    ("access-one-include", "allow", lambda i: i.update(decision="non_identity", includes=[])),
    ("access-declared-login", "google", lambda i: i.update(type="onetimepin")),
    ("access-declared-login", "google", lambda i: i.pop("type")),
    ("access-allow-everyone", "allow", lambda i: i.update(includes=[{"everyone": {}}])),
    ("access-allow-everyone", "allow", lambda i: i.update(includes=[{"loginMethod": {"id": UNKNOWN}}])),
    ("access-allow-everyone", "allow", lambda i: i.update(includes=[{"emailDomain": {"domain": "Gmail.com"}}])),
    ("access-allow-everyone", "allow", lambda i: i.update(includes=[{"ip": {"ip": "0.0.0.0/0"}}])),
    ("access-allow-everyone", "people", lambda i: i["includes"].append({"everyone": {}})),
    ("access-cors", "app", lambda i: i.update(optionsPreflightBypass=True)),
    ("access-cors", "app", lambda i: i.update(corsHeaders={"allowAllOrigins": True, "allowCredentials": True})),
    ("access-cors", "app", lambda i: i.update(corsHeaders={"allowedOrigins": ["*"], "allowCredentials": True})),
    ("access-allow-everyone", "people", lambda i: i["includes"].append({"geo": {"countryCode": "DE"}})),
    ("access-allow-everyone", "few", lambda i: i.update(includes=[{"ip": {"ip": "203.0.113.7/32"}}])),
    ("access-from-required", "people", lambda i: i.update(includes=[{"geo": {"countryCode": "DE"}}])),
    ("access-one-login", "app", lambda i: i.pop("allowedIdps")),
    ("access-one-login", "app", lambda i: i.update(allowedIdps=[])),
    ("access-one-login", "app", lambda i: i["allowedIdps"].append("another")),
    ("access-bypass-host", "api", lambda i: i["destinations"][0].update(uri=HOST)),
    ("access-bypass-host", "api", lambda i: i["destinations"][0].update(uri=f"{HOST}/")),
    ("access-bypass-host", "api", lambda i: i["destinations"][0].update(uri=f"{HOST}/*")),
    ("access-bypass-host", "api", lambda i: i["destinations"].append({"type": "public", "uri": "other.example.com"})),
    ("access-bypass-host", "api", lambda i: (i.pop("destinations"), i.update(domain=HOST))),
    (
        "access-bypass-host",
        "app",
        lambda i: i.update(policies=[{"decision": "bypass", "includes": [{"everyone": {}}]}]),
    ),
    ("tunnel-jwt", "rules", lambda i: _general(i).pop("originRequest")),
    ("tunnel-jwt", "rules", lambda i: _access(i).pop("required")),
    ("tunnel-jwt", "rules", lambda i: _access(i).update(required=False)),
    ("tunnel-jwt", "rules", lambda i: _access(i).update(audTags=[])),
    ("tunnel-jwt", "rules", lambda i: _access(i).update(audTags=["a", "b", "c", "of-another-host"])),
    ("tunnel-jwt", "rules", lambda i: _access(i).update(teamName="")),
    ("tunnel-jwt", "rules", lambda i: _access(i).update(teamName="team.cloudflareaccess.com")),
    # Access on top enforces nothing [cloudflared ingress/ingress.go].
    (
        "tunnel-jwt",
        "rules",
        lambda i: i["config"].update(originRequest=_general(i).pop("originRequest")),
    ),
    # What is asked of the protected host must not end at another rule without a JWT.
    ("tunnel-jwt", "rules", lambda i: _general(i).update(hostname="*.example.com", originRequest={})),
    ("tunnel-jwt", "rules", lambda i: i["config"]["ingresses"].insert(0, {"service": "http://all:80"})),
    ("tunnel-jwt", "rules", lambda i: i["config"]["ingresses"].insert(2, {"hostname": HOST, "service": "http://x"})),
    ("tunnel-jwt", "rules", lambda i: (i["config"]["ingresses"].pop(2), _last_of(i).update(service="http://x"))),
    # Paths that match more than the application opens: unanchored, no end of a segment, a dot for any sign, or more.
    ("tunnel-jwt", "rules", lambda i: _api(i).update(path="/api(/|$)")),
    ("tunnel-jwt", "rules", lambda i: _api(i).update(path="^/api")),
    ("tunnel-jwt", "rules", lambda i: _api(i).update(path="^/")),
    ("tunnel-jwt", "rules", lambda i: _api(i).update(path="")),
    ("tunnel-jwt", "rules", lambda i: _api(i).update(path="^/api(/|$)|^/admin")),
    ("tunnel-jwt", "rules", lambda i: _api(i).update(path="^/apis(/|$)")),
    ("tunnel-jwt", "rules", lambda i: _first(i).update(path="^/.well-known/acme-challenge/")),
    # A path that is open on another host is not open here.
    ("tunnel-jwt", "rules", lambda i: _api(i).update(path="^/elsewhere(/|$)")),
    ("tunnel-record-proxied", "dns", lambda i: i.update(proxied=False)),
    ("tunnel-record-proxied", "dns", lambda i: i.pop("proxied")),
    ("tunnel-record-proxied", "dns", lambda i: i.update(ttl=300)),
    ("tunnel-record-proxied", "dns", lambda i: i.pop("ttl")),
    ("tunnel-record-proxied", "dns", lambda i: i.update(content="1234.cfargotunnel.com", proxied=False)),
    ("tunnel-record-proxied", "game", lambda i: i.update(content="1234.CFARGOTUNNEL.com.", proxied=True, ttl=1)),
    ("no-node-ports", "database", lambda i: i["spec"].pop("allocateLoadBalancerNodePorts")),
    ("no-node-ports", "database", lambda i: i["spec"].update(allocateLoadBalancerNodePorts=True)),
    # One that is asked for is given, whatever the default [Kubernetes, Service, NodePort allocation].
    ("no-node-ports", "database", lambda i: i["spec"]["ports"][0].update(nodePort=30000)),
    ("no-plain-secret", "connector", lambda i: _main(i).update(args=["tunnel", "run", "--token", "abc"])),
]


def _last_of(inputs: Any) -> dict[str, Any]:
    found: dict[str, Any] = inputs["config"]["ingresses"][-1]
    return found


def _main(inputs: Any) -> dict[str, Any]:
    found: dict[str, Any] = inputs["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize(("rule", "name", "change"), SPOILED)
def test_one_thing_spoiled_is_found_at_its_resource(rule: str, name: str, change: Change) -> None:
    stack = good_stack()
    stack[name] = spoiled(stack[name], change)
    assert (rule, name) in broken(stack)


@pytest.mark.parametrize("name", ["zone", "dnssec", "tunnel", "acl"])
def test_what_there_is_one_of_must_be_protected(name: str) -> None:
    stack = good_stack()
    stack[name] = replace(stack[name], protect=False)
    assert broken(stack) == {("protected", name)}


@pytest.mark.parametrize("missing", ["app", "api", "acme", "rules"])
def test_a_record_that_does_not_wait_for_its_lock_is_found(missing: str) -> None:
    stack = good_stack()
    stack["dns"] = record("dns", HOST, *(stack[n] for n in ("app", "api", "acme", "rules") if n != missing))
    assert broken(stack) == {("born-locked", "dns")}
    [finding] = findings(stack)
    assert stack[missing].name in finding.message


# What a careful program may do otherwise, and no rule may refuse.
ALLOWED: list[tuple[str, Change]] = [
    ("rules", lambda i: _general(i).update(hostname=HOST.upper())),
    ("rules", lambda i: _api(i).update(path="^/api/v1(/|$)")),
    ("rules", lambda i: _api(i).update(path="^/api/")),
    ("rules", lambda i: _api(i).update(path="^/api/?$")),
    ("rules", lambda i: _api(i).update(path="^/api(?:/|$)")),
    ("rules", lambda i: _access(i).update(audTags=["a", "b", "c"])),
    # What is open below leads to no JWT, so its AUD does neither good nor harm.
    ("rules", lambda i: _access(i).update(audTags=["a", "b", "b"])),
    ("rules", lambda i: _access(i).update(audTags=[UNKNOWN])),
    ("database", lambda i: i["spec"].update(loadBalancerClass="metallb", allocateLoadBalancerNodePorts=True)),
    ("rules", lambda i: i["config"]["ingresses"].insert(4, {"hostname": "*.example.com", "service": "http://x"})),
    ("rules", lambda i: i["config"]["ingresses"].insert(0, {"hostname": HOST, "service": "http_status:403"})),
    (
        "rules",
        lambda i: i["config"]["ingresses"].insert(0, {"hostname": "*.grafana.example.com", "service": "http://x"}),
    ),
    ("dns", lambda i: i.update(content="1234.cfargotunnel.com", ttl=1.0)),
    ("game", lambda i: i.update(type="CNAME", content="home.example.net", proxied=False, ttl=300)),
    ("allow", lambda i: i.update(includes=[{"emailDomain": {"domain": "example.com"}}])),
    ("allow", lambda i: i["includes"][0].update(email=None)),
    ("api", lambda i: i["destinations"].append({"type": "private", "uri": "tcp://10.0.0.1"})),
    ("tunnel", lambda i: i.update(content="1234.cfargotunnel.com")),
]


@pytest.mark.parametrize(("name", "change"), ALLOWED)
def test_what_is_as_good_is_not_refused(name: str, change: Change) -> None:
    stack = good_stack()
    stack[name] = spoiled(stack[name], change)
    assert broken(stack) == set()


def test_names_of_before_version_6_are_held_to_the_same_rules() -> None:
    old = Resource("cloudflare:index/accessApplication:AccessApplication", "old", "urn:old", {"policies": []})
    assert ("access-one-policy", "old") in broken([old])


# --- what cannot be judged is said


UNJUDGED: list[tuple[str, str, Change]] = [
    ("access-one-policy", "app", lambda i: i.update(policies=UNKNOWN)),
    ("access-one-include", "allow", lambda i: i.update(includes=UNKNOWN)),
    ("access-allow-everyone", "allow", lambda i: i.update(includes=[UNKNOWN])),
    ("access-allow-everyone", "people", lambda i: i.update(includes=UNKNOWN)),
    ("access-declared-login", "google", lambda i: i.update(type=UNKNOWN)),
    ("access-one-login", "app", lambda i: i.update(allowedIdps=UNKNOWN)),
    ("access-bypass-host", "api", lambda i: i.update(destinations=UNKNOWN)),
    ("tunnel-jwt", "rules", lambda i: i.update(config=UNKNOWN)),
    ("tunnel-jwt", "rules", lambda i: _access(i).update(required=UNKNOWN)),
    ("tunnel-jwt", "rules", lambda i: _access(i).update(audTags=UNKNOWN)),
    ("tunnel-jwt", "rules", lambda i: i["config"]["ingresses"].insert(0, {"hostname": UNKNOWN})),
    ("tunnel-jwt", "rules", lambda i: _api(i).update(path=UNKNOWN)),
    ("tunnel-jwt", "app", lambda i: i.update(destinations=UNKNOWN)),
    ("born-locked", "dns", lambda i: i.update(name=UNKNOWN)),
    ("tunnel-record-proxied", "dns", lambda i: i.update(proxied=UNKNOWN)),
    ("no-node-ports", "database", lambda i: i["spec"].update(allocateLoadBalancerNodePorts=UNKNOWN)),
]


@pytest.mark.parametrize(("rule", "name", "change"), UNJUDGED)
def test_what_is_not_known_yet_is_said_and_not_passed(rule: str, name: str, change: Change) -> None:
    stack = good_stack()
    stack[name] = spoiled(stack[name], change)
    assert (rule, name) in unjudged(stack)
    assert (rule, name) not in broken(stack)


# --- nobody


def test_an_application_that_denies_everyone_needs_no_login_and_may_have_one() -> None:
    stack = good_stack()
    deny, login = stack["deny"], stack["google"]
    for logins, wrong in (([], False), ([login], False), ([login, login], True)):
        stack["app"] = application("app", HOST, deny, *logins)
        assert (("access-one-login", "app") in broken(stack)) is wrong
        # Nobody has a JWT of it, so the rule that asks for one is shut.
        assert ("tunnel-jwt", "rules") not in broken(stack)
    stack["rules"] = spoiled(stack["rules"], lambda i: _general(i).pop("originRequest"))
    assert ("tunnel-jwt", "rules") in broken(stack)


# --- born locked: who else guards the host


def test_a_record_waits_for_the_applications_of_another_service_on_its_host() -> None:
    stack = good_stack()
    stack["admin"] = application("admin", f"{HOST}/admin", stack["few"], stack["google"])
    admin = rule(HOST, UNKNOWN, path="^/admin(/|$)")
    stack["rules"] = spoiled(stack["rules"], lambda i: i["config"]["ingresses"].insert(0, admin))
    assert broken(stack) == {("born-locked", "dns")}
    stack["dns"] = replace(stack["dns"], dependencies=(*stack["dns"].dependencies, stack["admin"].urn))
    assert broken(stack) == set()


def test_a_wildcards_record_waits_for_the_applications_of_every_name_that_it_gives() -> None:
    # A wildcard record answers for each name below that has none of its own [RFC 4592].
    stack = good_stack()
    stack["rules"] = spoiled(
        stack["rules"],
        lambda i: i["config"]["ingresses"].insert(4, {"hostname": "*.example.com", "service": "http://x"}),
    )
    stack["all"] = record("all", "*.example.com", stack["rules"])
    assert broken(stack) == {("born-locked", "all")}
    stack["all"] = record("all", "*.example.com", *(stack[n] for n in ("app", "api", "acme", "rules")))
    assert broken(stack) == set()
    stack["all"] = record("all", "*.lab.example.com", stack["rules"])
    assert broken(stack) == set(), "of names that are not below it, none"


def test_what_is_not_proxied_waits_for_no_wildcards_application_and_what_is_no_record_of_the_tunnel_for_no_rule() -> (
    None
):
    stack = good_stack()
    stack["wild"] = application("wild", "*.example.com", stack["allow"], stack["google"])
    stack["blog"] = record("blog", "blog.example.com", stack["wild"], stack["rules"])
    stack["dns"] = replace(stack["dns"], dependencies=(*stack["dns"].dependencies, stack["wild"].urn))
    stack["rules"] = spoiled(stack["rules"], lambda i: _blog(i).update(rule("*.example.com", UNKNOWN)))
    assert broken(stack) == set()
    node = resource("Record", "node", type="A", name="alfred.example.com", content="203.0.113.7", proxied=True, ttl=1)
    stack["node"] = node
    assert broken(stack) == {("born-locked", "node")}
    stack["node"] = replace(node, dependencies=(stack["wild"].urn,))
    assert broken(stack) == set()


# --- a member of another stack's estate


def _member(**ids: str) -> list[Resource]:
    """A host with an open path; policies and login method are another stack's, by id."""
    host = replace(
        resource(
            "Application",
            "app",
            destinations=[{"type": "public", "uri": HOST}],
            policies=[{"id": ids["allow"], "precedence": 1}],
            allowedIdps=[ids["login"]],
        ),
        by_property={"policies": ()},
    )
    path = resource(
        "Application",
        "api",
        destinations=[{"type": "public", "uri": f"{HOST}/api"}],
        policies=[{"id": ids["bypass"], "precedence": 1}],
    )
    api = {"hostname": HOST, "path": "^/api(/|$)", "service": "http://x"}
    rules = resource(
        "Rules", "rules", config={"ingresses": [api, rule(HOST, "a", "b"), {"service": "http_status:404"}]}
    )
    return [host, path, rules, record("dns", HOST, host, path, rules)]


IDS = {"allow": "policy-1", "bypass": "policy-2", "login": "idp-1"}
OWNER = reference(
    "organization/gatehouse/alfred",
    {
        "policy_ids": {"household": "policy-1"},
        "bypass_policy_id": "policy-2",
        "deny_policy_id": "policy-3",
        "identity_provider_id": "idp-1",
    },
)


def test_a_member_is_judged_by_what_its_owner_gives_it() -> None:
    assert OWNER.type == REFERENCE
    assert findings([*_member(**IDS), OWNER]) == []


def test_a_member_may_have_hosts_for_nobody_by_the_owners_policy() -> None:
    assert findings([*_member(allow="policy-3", bypass="policy-2", login="idp-1"), OWNER]) == []


def test_a_member_that_puts_the_owners_bypass_on_a_whole_host_is_found() -> None:
    stack = [*_member(allow="policy-2", bypass="policy-2", login="idp-1"), OWNER]
    assert broken(stack) == {("access-bypass-host", "app")}


@pytest.mark.parametrize("ids", [IDS, {"allow": UNKNOWN, "bypass": UNKNOWN, "login": UNKNOWN}])
def test_without_its_owner_in_sight_a_member_is_said_to_be_unjudged(ids: dict[str, str]) -> None:
    stack = _member(**ids)
    assert broken(stack) == set()
    assert unjudged(stack) == {
        ("access-bypass-host", "app"),
        ("access-one-login", "app"),
        ("access-one-login", "api"),
    }


# --- wildcards


def test_an_application_for_a_wildcard_guards_each_host_that_the_tunnel_has_a_rule_for() -> None:
    stack = good_stack()
    allow, login = stack["allow"], stack["google"]
    wild = application("wild", "*.lab.example.com", allow, login)
    for host, wrong in (("a.lab.example.com", True), ("a.b.lab.example.com", False), ("lab.example.com", False)):
        rules = resource("Rules", "rules", config={"ingresses": [{"hostname": host, "service": "http://x"}]})
        assert (("tunnel-jwt", "rules") in broken([allow, login, wild, rules])) is wrong, host


def test_a_host_with_an_application_of_its_own_takes_no_jwt_of_a_wildcards() -> None:
    stack = good_stack()
    stack["wild"] = application("wild", "*.example.com", stack["allow"], stack["google"])
    # The wildcard guards the public host too, so that one has to ask as well.
    stack["rules"] = spoiled(stack["rules"], lambda i: _blog(i).update(rule("blog.example.com", UNKNOWN)))
    stack["blog"] = record("blog", "blog.example.com", stack["wild"], stack["rules"])
    stack["dns"] = replace(stack["dns"], dependencies=(*stack["dns"].dependencies, stack["wild"].urn))
    assert broken(stack) == set()


# --- what a finding says


def test_a_finding_names_resource_property_value_reason_and_fix() -> None:
    stack = good_stack()
    stack["google"] = spoiled(stack["google"], lambda i: i.update(type="onetimepin"))
    [finding] = findings(stack)
    assert finding.message == (
        "ZeroTrustAccessIdentityProvider google: type is onetimepin; the ways to log in are Google and what the estate "
        'declares. Set type to "google", declare it in gatehouse:estate.logins, or take the identity provider out.'
    )
    assert finding.urn == stack["google"].urn


def test_findings_come_in_the_same_order_whatever_the_order_of_the_resources() -> None:
    stack = good_stack()
    stack["google"] = spoiled(stack["google"], lambda i: i.update(type="github"))
    stack["app"] = spoiled(stack["app"], lambda i: i.update(policies=[], allowedIdps=[]))
    forth = [f.message for f in findings(list(stack.values()))]
    assert len(forth) > 2
    assert forth == [f.message for f in findings(list(stack.values())[::-1])]


# --- logins beside Google, and from where people come


def _by(component: str, found: Resource) -> Resource:
    return replace(found, parent=f"urn:pulumi:s::gatehouse::gatehouse:index:{component}::{component.lower()}")


def test_a_login_that_gatehouse_registers_is_declared_and_of_any_other_program_only_google() -> None:
    stack = good_stack()
    pin = resource("Login", "pin", type="onetimepin", name="pin")
    assert rules_of({**stack, "pin": _by("Login", pin)}) == []
    assert rules_of({**stack, "pin": pin}) == ["access-declared-login"]
    assert rules_of({**stack, "pin": _by("Login", spoiled(pin, lambda i: i.update(type="saml")))}) == [
        "access-declared-login"
    ]


def test_people_are_let_in_by_the_login_that_their_set_names_and_by_no_other() -> None:
    stack = good_stack()
    pin = _by("Login", resource("Login", "pin", type="onetimepin", name="pin"))
    stack |= {"pin": pin, "google": _by("Google", stack["google"]), "allow": _by("Google", stack["allow"])}
    assert rules_of(stack) == []
    stack["app"] = made_from(stack["app"], policies=[stack["allow"]], allowedIdps=[pin])
    assert rules_of(stack) == ["access-one-login"]


def test_a_group_of_countries_may_be_required_and_not_be_included() -> None:
    stack = good_stack()
    there = resource("Group", "there", includes=[{"geo": {"countryCode": "DE"}}, {"ip": {"ip": "203.0.113.7/32"}}])
    allow = spoiled(stack["allow"], lambda i: i.update(requires=[{"group": {"id": UNKNOWN}}]))
    stack |= {"there": there, "allow": made_from(allow, includes=[stack["people"]], requires=[there])}
    assert rules_of(stack) == []
    stack["allow"] = made_from(allow, includes=[there])
    assert rules_of(stack) == ["access-from-required"]
    # A bypass of a path is for everyone, or for those there.
    stack = good_stack() | {"there": there}
    stack["bypass"] = made_from(stack["bypass"], includes=[there])
    assert rules_of(stack) == []


def test_beside_tokens_a_policy_of_people_who_have_ended_denies() -> None:
    stack = good_stack()
    tokens = resource("Policy", "tokens", decision="non_identity", includes=[{"serviceToken": {"tokenId": UNKNOWN}}])
    app = spoiled(stack["app"], lambda i: i["policies"].append({"id": UNKNOWN, "precedence": 2}))
    for beside, found in (("allow", []), ("deny", []), ("bypass", ["access-bypass-host", "access-one-policy"])):
        app = made_from(app, policies=[tokens, stack[beside]], allowedIdps=[stack["google"]])
        assert [r for r in rules_of({**stack, "tokens": tokens, "app": app}) if r != "tunnel-jwt"] == found, beside


def rules_of(stack: dict[str, Resource]) -> list[str]:
    return sorted({finding.rule for finding in findings(stack)})
