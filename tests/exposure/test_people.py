"""Sets of people that are more than lists: in the plan, in what is registered, and in who reaches what."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from config import clock
from config.loader import tie
from config.people import is_public_mail
from config.stack import Claim
from exposure.check import check
from exposure.map.model import map_of
from exposure.model import ExposurePlan, PeopleSet
from exposure.reach import ANYONE, Outcome, Request, from_plan, from_steps, known_of, who
from exposure.reach.access import Principal, decide
from exposure.reach.claims import prove
from exposure.reach.compare import compare
from exposure.reach.evaluate import parse_principal
from exposure.reach.places import table
from exposure.reach.project import plan_project
from exposure.reach.steps import known_from
from exposure.reach.surface import Application, Policy, Selector
from gatehouse import offline
from gatehouse.changes import leads
from gatehouse.cli import main
from policy.rules import check as rules
from policy.steps import resource_of
from tests.exposure.map.kit import at
from tests.kit.builders import ESTATE, HTML, NODE, PROJECT, loaded, plan_of, stack_text

SUNDAY = date(2026, 12, 6)
LOGINS: dict[str, Any] = {
    "pin": {"type": "onetimepin"},
    "hub": {"type": "github", "client_id": "Iv1.0123456789abcdef"},
    "work": {
        "type": "oidc",
        "client_id": "gatehouse",
        "auth_url": "https://id.example.com/authorize",
        "token_url": "https://id.example.com/token",
        "certs_url": "https://id.example.com/keys",
    },
}
PEOPLE: dict[str, Any] = {
    **ESTATE["people"],
    "guests": {"emails": ["guest@example.com"], "login": "pin", "until": SUNDAY.isoformat()},
    "devs": {"github": ["Smiths/devs", "jones"], "login": "hub"},
    "staff": {"domain": "smith.example", "login": "work"},
    "travel": {"emails": ["carol@example.com"], "countries": ["DE", "AT"], "ips": "203.0.113.7/32"},
    "users": ["alice@example.com", "dan@github"],
}
SERVICES: dict[str, Any] = {
    **{name: at(name, HTML, people=name) for name in ("guests", "devs", "staff", "travel", "household")},
    "shut": at("shut", HTML, clients="nobody", paths={"/open": {"people": "guests"}}),
    "nas": at("nas", HTML, clients="tailnet", people=["users", "guests"]),
}


def estate(**people: Any) -> dict[str, Any]:
    return {**ESTATE, "logins": LOGINS, "people": {**PEOPLE, **people}}


MEMBER: dict[str, Any] = {
    "member_of": "alfred",
    "node": {**NODE, "name": "octavo", "lan_ipv4": "192.168.0.8", "context": "octavo"},
}


@pytest.fixture(autouse=True)
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    """Sets the day; the last one of the guests at first."""

    def frozen(day: date) -> None:
        monkeypatch.setattr(clock, "today", lambda: day)

    frozen(SUNDAY)
    return frozen


def planned(**people: Any) -> ExposurePlan:
    return plan_of(SERVICES, estate=estate(**people))


def reached(plan: ExposurePlan, service: str, word: str, path: str = "/") -> Outcome:
    principal = parse_principal(word)
    assert principal
    return who(from_plan(plan), Request(f"{service}-alfred.example.com", path=path), principal).outcome


# --- until


@pytest.mark.parametrize(("day", "ended"), [(date(2026, 12, 5), False), (SUNDAY, False), (date(2026, 12, 7), True)])
def test_the_last_day_is_the_last_one_on_which_they_get_in(on: Any, day: date, ended: bool) -> None:
    on(day)
    plan = planned()
    expected = Outcome.ACCESS_DENIED if ended else Outcome.LOGIN
    assert reached(plan, "guests", "guest@example.com") is expected
    assert reached(plan, "shut", "guest@example.com", "/open/x") is expected
    assert plan.tailnet_policy
    groups = plan.tailnet_policy["groups"]
    assert isinstance(groups, dict)
    assert ("group:guests" in groups) is not ended
    grants = json.dumps(plan.tailnet_policy["grants"])
    assert ("group:guests" in grants) is not ended
    assert "group:users" in grants
    # Nobody else comes or goes.
    assert reached(plan, "household", "bob@example.com") is Outcome.LOGIN
    assert reached(plan, "guests", "anyone") is Outcome.ACCESS_DENIED


def test_of_two_sets_together_those_are_left_whose_last_day_is_not_over(on: Any) -> None:
    on(date(2027, 1, 1))
    past = {"emails": ["past@example.com"], "until": "2026-12-31"}
    plan = plan_of({"web": {**HTML, "people": ["past", "household"]}}, estate=estate(past=past))
    assert plan.people == (PeopleSet("household+past", ("alice@example.com", "bob@example.com")),)
    alone = plan_of({"web": {**HTML, "people": "past"}}, estate=estate(past=past))
    assert alone.people == (PeopleSet("past", ended=True),)


def test_check_explain_who_and_todo_speak_of_the_last_day(
    on: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\n")
    (tmp_path / "Pulumi.alfred.yaml").write_text(stack_text(SERVICES, estate=estate()))

    def said(*arguments: str) -> str:
        # Whoever is asked for may be in a GitHub organization as well.
        assert main(["-C", str(tmp_path), *arguments]) == (3 if arguments[0] == "who" else 0)
        return " ".join(capsys.readouterr().out.split())

    assert "set guests ends today (UTC)" in said("check")
    on(date(2026, 12, 3))
    assert "set guests ends in 3 days (UTC)" in said("check")
    assert "guests (1 person, guests until 2026-12-06) after one-time PIN" in said("explain")
    assert "guests and users, from devices of the tailnet, guests until 2026-12-06" in said("explain")
    assert "set of people guests gets in until 2026-12-06 (UTC)" in said("who", "guest@example.com")
    on(date(2026, 11, 28))
    assert "no problem" in said("check"), "more than a week ahead there is nothing to say"
    on(date(2026, 12, 7))
    assert "its last day is over: the next `gatehouse up` takes its people out" in said("check")
    assert "guests (0 people, guests ended on 2026-12-06)" in said("explain")
    assert "Run `gatehouse up` after 2026-12-06, the last day of set guests, which is over" in said("explain")
    assert "reaches nothing set of people guests ended on 2026-12-06" in said("who", "guest@example.com")


# --- who gets in


def test_who_says_what_some_of_a_domain_reach_and_that_anybody_may_be_in_an_organization(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\n")
    services = {f"for-{name}": at(name, HTML, people=name) for name in ("family", "staff", "devs")}
    file = tmp_path / "Pulumi.alfred.yaml"
    file.write_text(stack_text(services, estate=estate(family=["ann@smith.example"])))

    def said(code: int, *arguments: str) -> tuple[str, str]:
        assert main(["-C", str(tmp_path), "who", *arguments]) == code
        out, err = capsys.readouterr()
        return " ".join(out.split()), err

    assert "for-family-alfred.example.com/ ann@smith.example after login" in said(3, "staff")[0]
    organizations = ("who is in GitHub jones is", "who is in GitHub smiths/devs is")
    assert all(words in said(3, "bob@example.com")[1] for words in organizations)
    assert all(words in said(3, "for-devs-alfred.example.com", "--as", "bob@example.com")[1] for words in organizations)
    assert said(1, "for-family-alfred.example.com", "--as", "bob@example.com")[1] == ""
    assert said(0, "for-family-alfred.example.com", "--as", "ann@smith.example")[1] == ""
    assert said(0, "github:jones")[1] == ""


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("Alice@Example.com", True),
        ("@example.com", True),
        ("dan@github", True),
        ("alice@example.com.", False),
        ("<alice@example.com>", False),
        ("Alice <alice@example.com>", False),
        ("alice@example.com,bob@example.com", False),
        ("@example.com.", False),
        ("alice@", False),
    ],
)
def test_a_claim_about_what_is_no_address_is_refused_for_it_would_hold_of_nobody(word: str, known: bool) -> None:
    claims = [{"never": word, "on": "web"}, {"only": ["household", word], "on": "web"}]
    service = {**HTML, "clients": "nobody", "paths": {"/x": {"people": "household"}}}
    found = check(tie([loaded({"web": service}, estate=estate(), claims=claims)]))
    assert {f.where for f in found if f.rule == "claim-unknown"} == (
        set() if known else {"claims[0].never", "claims[1].only[1]"}
    )


def test_an_apostrophe_is_part_of_an_address_and_no_quote_is() -> None:
    def found(address: str) -> list[str]:
        found = check(tie([loaded({"web": HTML}, estate=estate(household=[address]))]))
        return [f.rule for f in found if f.severity == "error"]

    assert found("o'brien@example.com") == []
    assert found("'alice@example.com'") == ["wrong-form"]


@pytest.mark.parametrize(
    "url",
    [
        "https://192.168.0.9/token",
        "https://[fd00::1]/token",
        "https://100.64.0.9/token",
        "https://id.home.arpa/token",
        "https://nas.local/token",
        "http://id.example.com/token",
    ],
)
def test_an_endpoint_at_home_is_refused_alone_and_the_sets_of_that_login_are_not(url: str) -> None:
    logins = {**LOGINS, "work": {**LOGINS["work"], "token_url": url}}
    found = check(tie([loaded({"web": {**HTML, "people": "staff"}}, estate={**estate(), "logins": logins})]))
    assert [(f.rule, f.where) for f in found if f.severity == "error"] == [
        ("wrong-form", "estate.logins.work.token_url")
    ]


@pytest.mark.parametrize("word", ["anyone", "lan", "member", "nobody"])
def test_a_set_is_not_called_by_a_word_for_somebody_else(word: str) -> None:
    found = check(tie([loaded({"web": {**HTML, "people": "household"}}, estate=estate(**{word: ["x@example.com"]}))]))
    assert [f.fix for f in found if f.severity == "error"] == ["give the set another name"]


def test_everybody_of_a_domain_gets_in_and_nobody_whose_address_only_looks_like_it() -> None:
    plan = planned()
    assert reached(plan, "staff", "bob@smith.example") is Outcome.LOGIN
    for other in ("bob@example.com", "bob@not-smith.example", "bob@a.smith.example", "anyone", "github:smiths"):
        assert reached(plan, "staff", other) is Outcome.ACCESS_DENIED, other
    assert reached(plan, "household", "bob@smith.example") is Outcome.ACCESS_DENIED


def test_of_another_programs_policy_everybody_gets_in_by_a_public_mail_service() -> None:
    def lets_in(domain: str, word: str) -> bool:
        policy = Policy("allow", (Selector("emailDomain", domain),))
        principal = parse_principal(word)
        assert principal
        return decide(Application((), (policy,)), principal).verdict == "login"

    assert lets_in("gmail.com", "anyone")
    assert lets_in("yahoo.de", "bob@example.com")
    assert not lets_in("smith.example", "anyone")
    assert not lets_in("gmail.com", "tag:k8s-funnel")


def test_who_is_in_a_github_organization_is_asked_for_by_its_name() -> None:
    plan = planned()
    for word, outcome in (
        ("github:Jones", Outcome.LOGIN),
        ("github:jones/any-team", Outcome.LOGIN),
        ("github:smiths/devs", Outcome.LOGIN),
        ("github:smiths", Outcome.ACCESS_DENIED),
        ("github:smiths/others", Outcome.ACCESS_DENIED),
        ("github:jonesy", Outcome.ACCESS_DENIED),
        ("alice@example.com", Outcome.ACCESS_DENIED),
    ):
        assert reached(plan, "devs", word) is outcome, word
    assert reached(plan, "household", "github:jones") is Outcome.ACCESS_DENIED


def test_each_set_logs_in_by_its_own_login_and_what_is_for_nobody_by_the_first() -> None:
    surface = from_plan(planned())
    logins = {a.key.partition("-")[0] + a.key.partition(".com")[2]: a.identity_providers for a in surface.applications}
    assert logins == {
        "guests": ("onetimepin pin",),
        "devs": ("github hub",),
        "staff": ("oidc work",),
        "travel": ("google",),
        "household": ("google",),
        "shut": ("google",),
        "shut/open": ("onetimepin pin",),
    }
    assert all(a.redirect for a in surface.applications)


def test_the_picture_and_the_words_name_the_login() -> None:
    project = plan_project(tie([loaded(SERVICES, estate=estate())]))
    ways = {way.service: way for way in map_of(project).ways if way.url.endswith("-alfred.example.com/")}
    fronts = {service: (way.front, way.how, way.crowd.label) for service, way in ways.items()}
    assert fronts["guests"] == ("one-time PIN", "after one-time PIN", "guests")
    assert fronts["devs"] == ("GitHub login", "after GitHub login", "devs")
    assert fronts["staff"] == ("work login", "after work login", "staff")
    assert fronts["household"] == ("Google login", "after Google login", "household")
    [staff] = [s for s in project.plans["alfred"].services if s.key == "staff"]
    assert staff.ways[0].reaches == "staff (everybody@smith.example) after work login"
    assert any("does not check" in note for note in staff.ways[0].mind), "what the login is worth is said"
    [travel] = [s for s in project.plans["alfred"].services if s.key == "travel"]
    assert travel.ways[0].reaches == "travel (1 person) after Google login, in AT or DE, at 203.0.113.7/32"


# --- what is registered


def registered(folder: Path, stack: str, known: bool) -> dict[str, Any]:
    """What the program registers: as in a preview, or with every id and AUD, as after `up`."""
    folder.mkdir(exist_ok=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        (folder / name).write_text((PROJECT / name).read_text())
    (folder / "Pulumi.alfred.yaml").write_text(stack_text(SERVICES, estate=estate()))
    if stack == "octavo":
        services = {"more": at("more", HTML, people="staff"), "web": HTML}
        (folder / "Pulumi.octavo.yaml").write_text(stack_text(services, **MEMBER))
    if not known:
        found: dict[str, Any] = json.loads(offline.run_offline(folder, stack).to_json())
        return found
    secrets = {
        "gatehouse:tunnel_secret": "A" * 43 + "=",
        **{f"gatehouse:{name}_client_secret": "s" for name in ("google", "hub", "work")},
        "cloudflare:apiToken": "t",
        "tailscale:apiKey": "t",
    }
    computed = lambda type_, name, inputs: {"id": f"{name}-id", "aud": f"aud of {name}"}  # noqa: E731
    found = json.loads(offline.run_offline(folder, stack, False, secrets=secrets, computed=computed).to_json())
    for step in found["steps"]:
        name = step["urn"].rsplit("::", 1)[-1]
        step["newState"] |= {"id": f"{name}-id", "outputs": {"aud": f"aud of {name}"}}
    return found


@pytest.mark.parametrize(
    ("day", "known"), [(SUNDAY, False), (date(2026, 12, 7), True)], ids=["before-up", "after-up-on-the-day-after"]
)
def test_what_is_registered_gives_the_surface_of_the_plan(on: Any, tmp_path: Path, day: date, known: bool) -> None:
    on(day)
    plan = planned()
    document = registered(tmp_path, "alfred", known)
    surface = from_steps(document, known_of(plan))
    assert surface == from_plan(plan)
    assert not [p for a in surface.applications for p in a.policies if p.decision == "unknown"]
    assert [(place, found) for place, found in table(surface)] == [(p, f) for p, f in table(from_plan(plan))]
    assert rules([resource_of(step["newState"]) for step in document["steps"]]) == []


def test_a_members_people_log_in_by_the_owners_login(tmp_path: Path) -> None:
    stacks = tie([loaded(SERVICES, estate=estate()), loaded({"more": HTML}, "octavo", **MEMBER)])
    assert not [f for f in check(stacks) if f.severity == "error"]
    owner = registered(tmp_path, "alfred", False)
    member = registered(tmp_path, "octavo", False)
    for known in (known_of(planned()), known_from(owner, known_of(planned()))):
        surface = from_steps(member, known)
        logins = {a.key.partition("-")[0]: a.identity_providers for a in surface.applications}
        assert logins == {"more": ("oidc work",), "web": ("google",)}
        found = who(surface, Request("more-octavo.example.com"), Principal("person", "bob@smith.example"))
        assert found.outcome is Outcome.LOGIN


# --- diff and claims


def change(service: str, **people: Any) -> tuple[str, str, str]:
    """What becomes of one service where sets of people change: kind, who gains, and what else is said."""
    before, now = from_plan(planned()), from_plan(planned(**people))
    [found] = [c for c in compare(before, now) if c.place.request.host.startswith(f"{service}-")]
    return found.kind, ", ".join(map(str, found.gains)), leads(found)


def test_a_change_of_terms_is_wider_where_less_is_asked_for() -> None:
    carol = {"emails": ["carol@example.com"]}
    limits = {"countries": ["DE", "AT"], "ips": ["203.0.113.7/32"]}
    free = change("travel", travel=carol)
    assert free[:2] == ("wider", "carol@example.com")
    assert free[2] == "from anywhere, no longer in AT or in DE and at 203.0.113.7/32"
    assert change("travel", travel={**carol, **limits, "countries": ["DE", "AT", "CH"]})[0] == "wider"
    assert change("travel", travel={**carol, "countries": ["DE", "AT"]})[0] == "wider"
    assert change("travel", travel={**carol, **limits, "countries": "DE"})[0] == "narrower"
    for addresses, kind in (
        ("198.51.100.128/25", "narrower"),
        ("198.51.0.0/16", "wider"),
        ("203.0.113.0/25", "wider"),
        (["198.51.100.7/32", "203.0.113.7/32"], "wider"),
        ("2001:db8::/48", "wider"),
    ):
        ranges = (planned(travel={**carol, "ips": a}) for a in ("198.51.100.0/24", addresses))
        [found] = compare(*map(from_plan, ranges))
        assert found.kind == kind, addresses
    told = change("household", household={"emails": ESTATE["people"]["household"], "login": "pin"})
    assert told == ("wider", "alice@example.com, bob@example.com", "one-time PIN, no longer Google login")


def test_a_later_last_day_is_no_news_before_the_first_and_wider_after_it(on: Any) -> None:
    later = {**PEOPLE["guests"], "until": "2026-12-24"}
    assert compare(from_plan(planned()), from_plan(planned(guests=later))) == ()
    on(date(2026, 12, 7))
    assert change("guests", guests=later)[:2] == ("wider", "guest@example.com")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"only": "staff", "on": "staff"}, "holds"),
        ({"only": "household", "on": "staff"}, "broken"),
        ({"never": "anyone", "on": ["staff", "devs", "guests", "travel"]}, "holds"),
        ({"never": "bob@smith.example", "on": "staff"}, "broken"),
        ({"never": "bob@smith.example", "on": "household"}, "holds"),
        ({"never": "staff", "on": "household"}, "holds"),
        ({"never": "staff", "on": "staff"}, "broken"),
        ({"only": "devs", "on": "devs"}, "holds"),
        # Who is in an organization is known to GitHub alone, so neither can be told.
        ({"never": "alice@example.com", "on": "devs"}, "not proved"),
        ({"never": "devs", "on": "household"}, "not proved"),
        ({"never": "guests", "on": ["guests", "household"]}, "broken"),
        # A team that nothing lets in by its name is in its organization.
        ({"never": "team", "on": "devs"}, "broken"),
        ({"never": "team", "on": "travel"}, "not proved"),
        # Of a set that has ended its people are meant, whom another set may let in.
        ({"never": "past", "on": "travel"}, "broken"),
        ({"never": "past", "on": "household"}, "holds"),
        ({"only": "past", "on": "travel"}, "holds"),
    ],
    ids=str,
)
def test_claims_know_domains_and_organizations(said: dict[str, Any], state: str) -> None:
    people = estate(
        team={"github": "jones/ops", "login": "hub"}, past={"emails": ["carol@example.com"], "until": "2026-01-01"}
    )
    project = plan_project(tie([loaded(SERVICES, estate=people)]))
    claims = {"alfred": [Claim.model_validate(said)]}
    [verdict] = prove(project.surfaces, project.plans, claims, project.plans["alfred"].estate.everybody).verdicts
    assert verdict.state == state, verdict


def test_of_a_set_that_has_ended_a_claim_says_that_nobody_of_it_gets_in(on: Any) -> None:
    on(date(2026, 12, 7))
    project = plan_project(tie([loaded(SERVICES, estate=estate())]))
    claims = {"alfred": [Claim.model_validate({"never": "guests", "on": "guests"})]}
    [verdict] = prove(project.surfaces, project.plans, claims, project.plans["alfred"].estate.members).verdicts
    assert verdict.state == "holds"
    assert who(project.surfaces["alfred"], Request("guests-alfred.example.com"), ANYONE).outcome is not Outcome.LOGIN


def test_one_workload_by_two_services_is_wider_where_one_asks_for_less() -> None:
    def found(people: str, **sets: Any) -> list[str]:
        services = {"limited": {**HTML, "people": "travel"}, "other": {**HTML, "people": people}}
        return [f.where for f in check(tie([loaded(services, estate=estate(**sets))])) if f.rule == "workload-wider"]

    carol = ["carol@example.com"]
    limits = {"countries": ["AT", "DE"], "ips": "203.0.113.7/32"}
    assert found("same", same={"emails": carol, **limits}) == []
    assert found("fewer", fewer={"emails": carol, **limits, "countries": "DE"}) == ["services.limited.origin"]
    assert found("free", free=carol) == ["services.other.origin"]
    # By another login: neither asks for less than the other.
    assert found("pin", pin={"emails": carol, **limits, "login": "pin"}) == [
        "services.limited.origin",
        "services.other.origin",
    ]


def test_a_login_that_would_be_the_only_lock_is_refused_with_the_reason() -> None:
    stack = loaded({"web": {**HTML, "bypass_ips": ["203.0.113.7/32"]}})
    [finding] = stack.findings
    assert (finding.rule, finding.where) == ("unknown-key", "services.web.bypass_ips")
    assert "no JWT" in finding.reason
    assert "`gates: [zero-trust, tailnet]`" in finding.fix


def test_a_name_that_a_mail_service_has_in_many_countries_is_no_mail_service_below_a_domain() -> None:
    assert all(map(is_public_mail, ("live.co.uk", "outlook.com.br", "hotmail.fr", "yahoo.co.jp", "yahoo.com")))
    assert not any(map(is_public_mail, ("live.smith.example", "outlook.example.com", "smith-yahoo.com", "alive.com")))
