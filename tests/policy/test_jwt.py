"""The rule `tunnel-jwt` against a reading of its own: who gets in where, request by request."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from policy.model import UNKNOWN, Resource
from tests.kit.profiles import NIGHTLY
from tests.policy.builders import (
    HOST,
    application,
    broken,
    findings,
    good_stack,
    made_from,
    resource,
    rule,
    spoiled,
    unjudged,
)

# The places that applications and rules are for, and requests that tell them apart.
PLACES = ("", "/a", "/a/b", "/c")
REQUESTS = ("/", "/x", "/a", "/a/x", "/ab", "/a/b", "/a/b/x", "/a/bc", "/c", "/c/x")
POLICIES = {"open": "bypass", "people": "allow", "admins": "few", "nobody": "deny"}


@dataclass(frozen=True)
class Case:
    """A host: whom each place is for, and the tunnel's rules by place, each with what it asks for."""

    places: dict[str, str]
    rules: dict[str, list[str] | str | None]
    """The places whose AUD counts; None without JWT; `404` for a fixed answer."""


def _drawn(chance: random.Random) -> Case:
    places = {p: chance.choice(sorted(POLICIES)) for p in PLACES if chance.random() < 0.7}
    rules: dict[str, list[str] | str | None] = {}
    for place in sorted(PLACES, key=len, reverse=True):
        if place and chance.random() < 0.4:
            continue
        # What is open elsewhere has no place in the list, as what is guarded elsewhere has none.
        some = [p for p, kind in places.items() if kind != "open" or p == place or p.startswith(f"{place}/")]
        above = [p for p in places if p == place or place.startswith(f"{p}/")]
        right = [max(above, key=len)] if above else []
        rules[place] = chance.choice(
            [None, "404", right, right, right, chance.sample(some, chance.randint(0, len(some)))]
        )
    return Case(places, rules)


def _safe(case: Case) -> bool:
    """Whether each request that Access guards is asked for that login's JWT again, and for no other's."""
    for request in REQUESTS:
        over = [p for p in case.places if request == p or request.startswith(f"{p}/")]
        kind = case.places[max(over, key=len)] if over else "open"
        met = next(r for r in case.rules if not r or re.search(f"^{r}(/|$)", request))
        asks = case.rules[met]
        if kind == "open" or asks == "404":
            continue
        if asks is None or {case.places[p] for p in asks} - {"open"} != {kind}:
            return False
    return True


def _known(application: Resource, aud: str) -> Resource:
    return replace(application, inputs={**application.inputs, "aud": aud})


def _stack(case: Case, told: bool) -> list[Resource]:
    stack = good_stack()
    policies = [stack[name] for name in ("google", *sorted(set(POLICIES.values())))]
    applications: dict[str, Resource] = {}
    for place, kind in case.places.items():
        logins = [] if kind == "open" else [stack["google"]]
        made = application(f"at {place}", f"{HOST}{place}", stack[POLICIES[kind]], *logins)
        applications[place] = _known(made, f"aud {place}") if told else made
    entries: list[dict[str, Any]] = []
    for place, asks in case.rules.items():
        path = {"path": f"^{place}(/|$)"} if place else {}
        if asks is None or isinstance(asks, str):
            entries.append({"hostname": HOST, **path, "service": "http_status:404" if asks else "http://x"})
        else:
            auds = [f"aud {p}" if told else UNKNOWN for p in asks]
            entries.append(rule(HOST, *auds, **path))
    rules = resource("Rules", "rules", config={"ingresses": [*entries, {"service": "http_status:404"}]})
    return [*policies, *applications.values(), made_from(rules, config=list(applications.values()))]


def test_the_rule_finds_what_a_walk_through_every_request_finds() -> None:
    chance = random.Random(14)
    verdicts: dict[bool, int] = {True: 0, False: 0}
    for _ in range(15_000 if NIGHTLY else 400):
        case = _drawn(chance)
        if not set(case.places.values()) - {"open"}:
            continue
        stack = _stack(case, told=True)
        safe = _safe(case)
        verdicts[safe] += 1
        assert (("tunnel-jwt", "rules") not in broken(stack)) is safe, case
        assert ("tunnel-jwt", "rules") not in unjudged(stack), case
        # What is not known yet is never taken for wrong where it is right.
        if safe:
            assert ("tunnel-jwt", "rules") not in broken(_stack(case, told=False)), case
    assert min(verdicts.values()) > 50, verdicts


ADMIN = {"": "people", "/a": "admins"}


def _found(case: Case, told: bool = False) -> list[tuple[bool, str]]:
    found = [f for f in findings(_stack(case, told)) if f.rule == "tunnel-jwt"]
    return [(f.judged, f.message) for f in found]


def test_which_of_two_logins_an_unknown_aud_is_of_is_said_to_be_unjudged_once_a_host() -> None:
    case = Case(ADMIN, {"/a": ["/a"], "": [""]})
    [(judged, message)] = _found(case)
    assert not judged
    assert f"{HOST} has several logins, and whose AUD a rule takes only the engine knows, once it is made" in message
    assert "audTags is 1 AUDs; not judged" in message
    assert _found(case, told=True) == []
    assert _found(Case({"": "people", "/a": "open"}, {"/a": None, "": ["", "/a"]})) == [], "one login needs no telling"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"/a": ["/a", ""], "": [""]}, f"1 can be right, of {HOST}/a"),
        ({"/a": ["/a"], "": ["", "/a"]}, f"1 can be right, of {HOST} "),
        ({"": [""]}, f"{HOST} has one login and {HOST}/a another"),
    ],
)
def test_two_logins_at_one_rule_are_found_by_their_number_alone(rules: dict[str, Any], said: str) -> None:
    assert [message for judged, message in _found(Case(ADMIN, rules)) if judged and said in message]


def test_known_auds_are_told_apart_by_what_they_are_of() -> None:
    [(judged, message)] = _found(Case(ADMIN, {"/a": [""], "": [""]}), told=True)
    assert judged
    assert "audTags is the AUD of at ; at  does not decide over grafana.example.com/a" in message
    # That of another host's application, with which the same people pass there.
    other = application("elsewhere", "other.example.com", good_stack()["allow"], good_stack()["google"])
    stack = [*_stack(Case({"": "people"}, {"": [""]}), told=True), _known(other, "aud elsewhere")]
    assert ("tunnel-jwt", "rules") not in broken(stack)
    stack[-2] = spoiled(stack[-2], lambda i: i["config"]["ingresses"].insert(0, rule(HOST, "aud elsewhere")))
    assert ("tunnel-jwt", "rules") in broken(stack)


def test_a_path_of_a_public_host_that_is_guarded_needs_a_rule_of_its_own() -> None:
    assert _found(Case({"/a": "people"}, {"/a": ["/a"], "": None})) == []
    [(judged, message)] = _found(Case({"/a": "people"}, {"": None}))
    assert judged
    assert f"{HOST}/a is behind Access, and this rule lets requests by" in message
    # Nothing covers `/c`, and what is asked there is more than need be.
    assert _found(Case({"/a": "people"}, {"/c": None, "/a": ["/a"], "": None})) == []
    assert _found(Case({"/a": "people"}, {"": ["/a"]})) == []


@pytest.mark.parametrize("path", ["/a(/|$)", "^/(a|c)(/|$)", "^/"])
def test_a_path_that_may_match_anything_with_several_logins_behind_it_is_unjudged(path: str) -> None:
    stack = _stack(Case(ADMIN, {"/a": ["/a"], "": [""]}), told=True)
    stack[-1] = spoiled(stack[-1], lambda i: i["config"]["ingresses"].insert(0, rule(HOST, "aud ", path=path)))
    assert ("tunnel-jwt", "rules") in unjudged(stack)


def test_a_wildcards_rule_takes_the_jwt_of_the_wildcards_application() -> None:
    stack = good_stack()
    wild = application("wild", "*.lab.example.com", stack["allow"], stack["google"])
    own = application("own", "a.lab.example.com", stack["few"], stack["google"])
    policies = [stack[name] for name in ("google", "allow", "few")]

    def found(*entries: dict[str, Any]) -> bool:
        rules = resource("Rules", "rules", config={"ingresses": list(entries)})
        told = [_known(a, a.name) for a in (wild, own)]
        return ("tunnel-jwt", "rules") in broken([*policies, *told, rules])

    rest, mine = rule("*.lab.example.com", "wild"), rule("a.lab.example.com", "own")
    assert not found(mine, rest)
    assert found(mine, {"hostname": "*.lab.example.com", "service": "http://x"})
    # Without a rule of its own the host is led to the wildcard's origin by the wildcard's login.
    assert found(rest)
    assert found(rule("a.lab.example.com", "wild"), rest)
