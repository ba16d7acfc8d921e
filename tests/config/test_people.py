"""Sets of people and logins: what may be written, and what day it is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from config import clock
from config.people import Members, Terms
from tests.kit.builders import ESTATE, HTML, loaded


def findings(**estate: Any) -> list[tuple[str, str, str]]:
    """Path, value and what is meant, of each finding."""
    stack = loaded({"web": HTML}, estate={**ESTATE, **estate})
    return sorted((f.where.removeprefix("estate."), f.value, f.suggestion) for f in stack.findings)


def one(**said: Any) -> list[tuple[str, str, str]]:
    return findings(people={**ESTATE["people"], "some": said})


def test_a_list_is_a_set_of_its_addresses_and_one_word_may_stand_for_a_list() -> None:
    people = {"all": ["Ann@example.com"], "some": {"domain": "smith.example", "github": "Smiths", "countries": "DE"}}
    estate = loaded({"web": HTML}, estate={**ESTATE, "people": people, "default_people": "all"}).estate
    assert estate
    assert estate.members == {"all": ("ann@example.com",), "some": ("@smith.example", "github:Smiths")}
    assert estate.sets["some"].terms == Terms("google", ("DE",), ())


@pytest.mark.parametrize(
    ("said", "value", "meant"),
    [
        ({"domain": "@Smith.example"}, '"@Smith.example"', "smith.example"),
        ({"domain": "smith"}, '"smith"', ""),
        ({"github": "smiths/family/ann"}, '"smiths/family/ann"', ""),
        ({"countries": "de"}, '"de"', "DE"),
        ({"countries": "UK"}, '"UK"', "GB"),
        ({"countries": "EU"}, '"EU"', ""),
        ({"ips": "203.0.113.7"}, '"203.0.113.7"', "203.0.113.7/32"),
        ({"ips": "203.0.113.7/24"}, '"203.0.113.7/24"', "203.0.113.0/24"),
        ({"ips": "home"}, '"home"', ""),
        # No request comes from these to Cloudflare [IANA, IPv4 and IPv6 Special-Purpose Address Registry].
        *(({"ips": ip}, f'"{ip}"', "") for ip in ("192.168.0.0/24", "100.64.0.0/10", "127.0.0.1/32", "169.254.0.0/16")),
        *(({"ips": ip}, f'"{ip}"', "") for ip in ("224.0.0.0/8", "fd12:3456::/32", "fe80::/64", "ff02::/16")),
        # And these are nearly everybody.
        *(({"ips": ip}, f'"{ip}"', "") for ip in ("0.0.0.0/0", "96.0.0.0/3", "::/0", "2000::/3")),
        ({"until": "6.12.2026"}, '"6.12.2026"', ""),
        ({"until": "2026-02-30"}, '"2026-02-30"', ""),
        ({"until": "20261206"}, '"20261206"', ""),
    ],
    ids=str,
)
def test_what_would_let_in_nobody_or_everybody_is_refused(said: dict[str, str], value: str, meant: str) -> None:
    [key] = said
    assert one(emails=["ann@example.com"], **said) == [(f"people.some.{key}", value, meant)]


def test_addresses_of_the_internet_may_be_named() -> None:
    assert (
        one(emails=["ann@example.com"], ips=["203.0.113.7/32", "8.8.8.0/24", "2a02:8109::/32", "2001:db8::1/128"]) == []
    )


def test_a_date_without_quotes_is_refused_for_pulumi_makes_another_text_of_it() -> None:
    from config.loader import parse_stack_text, type_stack
    from tests.kit.builders import stack_text

    people = {"guests": {"emails": ["ann@example.com"], "until": "2026-12-06"}}
    text = stack_text({"web": HTML}, estate={**ESTATE, "people": {**ESTATE["people"], **people}})
    assert type_stack(parse_stack_text(text)).findings == []
    [finding] = type_stack(parse_stack_text(text.replace("'2026-12-06'", "2026-12-06"))).findings
    assert (finding.rule, finding.suggestion) == ("yaml-value", '"2026-12-06"')


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ({"type": "onetimepin", "client_id": "x"}, "remove `client_id:`"),
        ({"type": "github"}, "add `client_id:`"),
        ({"type": "github", "client_id": "x", "scopes": ["user"]}, "remove `scopes:`"),
        ({"type": "oidc", "client_id": "x"}, "add `auth_url:` and `certs_url:` and `token_url:`"),
    ],
    ids=str,
)
def test_a_login_has_just_what_its_type_takes(said: dict[str, Any], fix: str) -> None:
    [finding] = loaded({"web": HTML}, estate={**ESTATE, "logins": {"mine": said}}).findings
    assert (finding.where, finding.fix) == ("estate.logins.mine", fix)
    assert findings(logins={"mine": {"type": "saml"}}) == [("logins.mine.type", '"saml"', "")]


def test_endpoints_are_https() -> None:
    urls = dict.fromkeys(("auth_url", "token_url", "certs_url"), "https://id.example.com/x")
    oidc = {"type": "oidc", "client_id": "x", **urls}
    assert findings(logins={"mine": oidc}) == []
    assert findings(logins={"mine": {**oidc, "token_url": "http://id.example.com/x"}}) == [
        ("logins.mine.token_url", '"http://id.example.com/x"', "")
    ]


@pytest.mark.parametrize(
    ("today", "left", "words"),
    [(date(2026, 12, 4), 2, 1), (date(2026, 12, 6), 0, 1), (date(2026, 12, 7), -1, 0), (date(2030, 1, 1), -1122, 0)],
)
def test_the_last_day_is_counted_from_the_day_on_which_the_file_is_read(
    monkeypatch: pytest.MonkeyPatch, today: date, left: int, words: int
) -> None:
    monkeypatch.setattr(clock, "today", lambda: today)
    said = Members(emails=["ann@example.com"], until="2026-12-06")
    assert (said.days_left, said.ended, len(said.words)) == (left, left < 0, words)
    monkeypatch.setattr(clock, "today", lambda: date(2000, 1, 1))
    assert said.days_left == left, "what is read keeps its day"


def test_the_day_is_that_of_utc() -> None:
    before = datetime.now(UTC).date()
    assert before <= clock.today() <= datetime.now(UTC).date()
