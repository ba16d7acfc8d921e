"""What an answer means, and what it must not be taken for."""

from __future__ import annotations

import pytest

from gatehouse.probe.judge import Answer, Failure, State, is_login, judge_http, redirect
from gatehouse.probe.probes import Expect, HttpProbe


def probe(expect: Expect, **more: str) -> HttpProbe:
    return HttpProbe(expect, "https", "wiki.example.com", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("location", "ours"),
    [
        ("https://team.cloudflareaccess.com/cdn-cgi/access/login/wiki.example.com?kid=1", True),
        ("https://TEAM.cloudflareaccess.com/", True),
        ("https://team.cloudflareaccess.com:443/", True),
        ("http://team.cloudflareaccess.com/", False),
        ("https://team.cloudflareaccess.com:8443/", False),
        ("https://other.cloudflareaccess.com/", False),
        ("https://team.cloudflareaccess.com.evil.example/", False),
        ("https://team.cloudflareaccess.com@evil.example/", False),
        ("https://user@team.cloudflareaccess.com/", False),
        ("//team.cloudflareaccess.com/", False),
        ("/cdn-cgi/access/login", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_only_the_team_s_own_login_is_the_login(location: str, ours: bool) -> None:
    assert is_login(Answer(302, {"location": location}), "team") is ours
    assert not is_login(Answer(200, {"location": location}), "team")


@pytest.mark.parametrize(
    ("expect", "answer", "state"),
    [
        ("guarded", Answer(403, {}), "passed"),
        ("guarded", Answer(403, {}, b"<html>Error 1020 | cloudflare</html>"), "passed"),
        ("guarded", Answer(530, {}, b"cloudflare 1033"), "passed"),
        ("guarded", Answer(403, {}, b"forbidden by the service"), "failed"),
        ("guarded", Answer(404, {"set-cookie": "session=1"}), "failed"),
        ("guarded", Answer(403, {"set-cookie": "CF_AppSession=1"}), "passed"),
        ("guarded", Answer(401, {}), "failed"),
        ("guarded", Answer(500, {}), "failed"),
        ("guarded", Answer(200, {}), "failed"),
        ("guarded", Answer(302, {"location": "/login"}), "failed"),
        ("guarded", Answer(401, {"cf-access-domain": "wiki.example.com"}, b"<html>"), "passed"),
        ("guarded", Answer(200, {"cf-access-domain": "wiki.example.com"}), "failed"),
        ("guarded", Answer(401, {"www-authenticate": "Basic realm=x"}), "failed"),
        ("blocked", Answer(401, {"www-authenticate": 'Cloudflare-Access resource_metadata="x"'}), "passed"),
        ("blocked", Answer(302, {"location": "https://team.cloudflareaccess.com/"}), "failed"),
        ("blocked", Answer(401, {}, b"token?"), "failed"),
        ("open", Answer(403, {"cf-access-aud": "0"}, b"<html>"), "failed"),
        ("login", Answer(403, {}), "failed"),
        ("open", Answer(401, {}, b"token?"), "passed"),
        ("open", Answer(404, {}), "passed"),
        ("open", Answer(403, {}), "failed"),
        ("open", Answer(403, {}, b"token!"), "passed"),
        ("page", Answer(302, {"location": "/app"}), "passed"),
        ("page", Answer(401, {}, b"password?"), "passed"),
        ("page", Answer(404, {}, b"not here"), "passed"),
        ("page", Answer(404, {}), "failed"),
        ("challenge", Answer(404, {}), "passed"),
        ("challenge", Answer(403, {}), "failed"),
        ("challenge", Answer(503, {}), "failed"),
        ("unknown", Answer(404, {}), "passed"),
        ("unknown", Answer(404, {}, b"404 page of a service"), "failed"),
        ("unknown", Answer(302, {"location": "https://team.cloudflareaccess.com/"}), "passed"),
        ("unknown", Answer(302, {"location": "https://team.example/"}), "failed"),
        ("unserved", Answer(404, {}, b"404 page not found\n"), "passed"),
        ("unserved", Answer(404, {}, b"<h1>No such album</h1>"), "failed"),
        ("unserved", Answer(401, {}), "failed"),
        ("unserved", Answer(302, {"location": "/login"}), "failed"),
        ("unserved", Answer(502, {}), "failed"),
        ("not-served", Answer(404, {}, b"nginx"), "passed"),
        ("not-served", Answer(401, {}), "failed"),
        ("not-served", Answer(302, {"location": "/login"}), "failed"),
    ],
)
def test_an_answer_is_judged_by_what_was_expected(expect: Expect, answer: Answer, state: State) -> None:
    assert judge_http(probe(expect), "team", [answer]).state == state


@pytest.mark.parametrize("kind", ["refused", "time-out", "tls", "broken"])
def test_silence_breaks_what_should_work_and_proves_nothing_of_what_must_not(kind: str) -> None:
    failure = Failure(kind)  # type: ignore[arg-type]
    assert judge_http(probe("page"), "team", failure).state == "failed"
    assert judge_http(probe("guarded"), "team", failure).state == "not proven"
    assert judge_http(probe("not-served"), "team", failure).state == "passed"


def test_a_name_that_is_not_there_is_the_finding_of_another_check() -> None:
    for expect in ("page", "login", "guarded", "https", "open", "challenge"):
        assert judge_http(probe(expect), "team", Failure("no name")).state == "not proven"
    assert judge_http(probe("unknown"), "team", Failure("no name")).state == "passed"


def test_https_of_another_host_is_not_where_plain_http_may_lead() -> None:
    plain = HttpProbe("https", "http", "wiki.example.com")

    def to(location: str) -> State:
        return judge_http(plain, "team", [Answer(301, {"location": location})]).state

    assert to("https://wiki.example.com/") == "passed"
    assert to("https://wiki.example.com:443/") == "passed"
    assert to("https://team.cloudflareaccess.com/x") == "passed"
    assert to("https://wiki.example.com.evil.example/") == "failed"
    assert to("https://wiki.example.com@evil.example/") == "failed"
    assert to("http://wiki.example.com/x") == "failed"
    assert to("/x") == "failed"


def test_a_location_that_is_no_url_leads_nowhere() -> None:
    assert redirect("https://a.example/", Answer(302, {"location": "https://["})) == ""
    assert redirect("https://a.example/", Answer(302, {"location": "b"})) == "https://a.example/b"
    assert redirect("https://a.example/", Answer(200, {"location": "/b"})) == ""
