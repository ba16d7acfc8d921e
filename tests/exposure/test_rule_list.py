"""The order of a tunnel's rules, and the expressions for paths, against cloudflared's own reading of them."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from config.values import Path
from exposure.estate import CATCH_ALL, CLOSING, in_order
from exposure.model import TunnelRule
from exposure.names import ACME_EXPRESSION, ACME_PATH
from tests.kit import cloudflared
from tests.kit.builders import ACME, HTML, plan_of

ORIGIN = "http://web.web.svc.cluster.local:80"
# Few and alike, so that they meet; with what means something in an expression.
_SEGMENTS = st.sampled_from(
    ["a", "ab", "api", "api2", "a.b", "a+b", ".well-known", "x(y", "[z", "q$", "^p", "b|c", "{2}"]
)
PATHS = st.lists(_SEGMENTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
HOSTS = st.sampled_from(["example.com", "a.example.com", "b.example.com", "x.a.example.com"])
PATTERNS = st.one_of(HOSTS, st.sampled_from(["*.example.com", "*.a.example.com"]))


def _as_sent(rules: tuple[TunnelRule, ...]) -> list[dict[str, Any]]:
    return [
        {"service": r.origin, **({"hostname": r.host} if r.host else {}), **({"path": r.path} if r.path else {})}
        for r in rules
    ]


@st.composite
def _rules(draw: st.DrawFn) -> list[TunnelRule]:
    """A rule for each (host, path) at most, each to an origin of its own."""
    wanted = draw(st.lists(st.tuples(PATTERNS, st.none() | PATHS), max_size=8, unique=True))
    return [
        TunnelRule(host, Path(path or "/").expression, f"http://o{n}:80", f"s{n}")
        for n, (host, path) in enumerate(wanted)
    ]


@given(_rules(), st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_order_given(rules: list[TunnelRule], random: Any) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)
    assert in_order(shuffled) == in_order(rules)


@given(_rules())
def test_the_list_is_one_that_cloudflared_accepts(rules: list[TunnelRule]) -> None:
    ordered = in_order(rules)
    assert cloudflared.refusals(_as_sent(ordered)) == []
    assert ordered[-1] == CATCH_ALL
    assert ordered.count(CATCH_ALL) == 1
    assert sorted(map(str, ordered[:-1])) == sorted(map(str, rules))


@given(_rules(), HOSTS, PATHS | st.just("/"), st.sampled_from(["", "/", "/below"]))
def test_every_request_meets_the_narrowest_rule_that_is_meant_for_it(
    rules: list[TunnelRule], host: str, path: str, rest: str
) -> None:
    # What is meant, without any expression: exact host before wildcard, longer before shorter; then the longest path
    # that the request is at or below, on whole segments.
    request = path.rstrip("/") + rest or "/"
    asked = {rule.service: rule for rule in rules}

    def narrowness(rule: TunnelRule) -> tuple[bool, int, int] | None:
        assert rule.host
        exact = rule.host == host
        if not exact and not (rule.host.startswith("*.") and host.endswith(rule.host[1:])):
            return None
        if rule.path is None:
            return exact, len(rule.host), 0
        said = _PLAIN[rule.path]
        return (exact, len(rule.host), len(said)) if request == said or request.startswith(f"{said}/") else None

    meant = max(
        ((found, rule.origin) for rule in asked.values() if (found := narrowness(rule)) is not None),
        default=(None, CATCH_ALL.origin),
    )[1]
    ordered = _as_sent(in_order(rules))
    assert ordered[cloudflared.first_match(ordered, host, request)]["service"] == meant


class _Plain(dict[str, str]):
    """Expression -> the path it was made of; read back by taking the escapes out."""

    def __missing__(self, expression: str) -> str:
        path = expression.removeprefix("^").removesuffix("(/|$)")
        self[expression] = "".join(c for n, c in enumerate(path) if c != "\\" or path[n - 1] == "\\")
        return self[expression]


_PLAIN = _Plain()


def test_challenges_come_before_every_other_rule_of_the_host_that_would_take_them() -> None:
    # The tunnel that worked had the `.well-known` rule before the host's general one.
    rules = [
        TunnelRule("d.example.com", None, ORIGIN),
        TunnelRule("d.example.com", Path("/.well-known").expression, ORIGIN),
        TunnelRule("d.example.com", ACME_EXPRESSION, "http://solver:80"),
    ]
    sent = _as_sent(in_order(rules))
    assert sent[cloudflared.first_match(sent, "d.example.com", f"{ACME_PATH}/token")]["service"] == "http://solver:80"
    # Nothing but a challenge is sent there.
    for other in ("/", "/.well-known/other", "/x/.well-known/acme-challenge/t", "/.well-known/acme-challengeX/t"):
        assert sent[cloudflared.first_match(sent, "d.example.com", other)]["service"] == ORIGIN


def test_no_rules_at_all_are_the_catch_all() -> None:
    assert in_order([]) == (CATCH_ALL,)
    assert CATCH_ALL.origin == "http_status:404"


_ANY_PATH = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=8),
    min_size=1,
    max_size=3,
).map(lambda parts: "/" + "/".join(parts))


@given(_ANY_PATH)
def test_an_expression_is_re2_and_matches_its_path_and_what_is_below(path: str) -> None:
    # cloudflared compiles it with Go's regexp, which is RE2, and searches unanchored.
    expression = re2.compile(Path(path).expression)
    assert expression.search(path)
    assert expression.search(f"{path}/")
    assert expression.search(f"{path}/below")
    for other in (f"{path}x", f"/x{path}", path[:-1] or "/", "/", f"{path.upper()}x"):
        assert bool(expression.search(other)) == other.startswith(f"{path}/"), other


@given(_ANY_PATH, _ANY_PATH)
def test_an_expression_matches_nothing_else(path: str, request: str) -> None:
    expected = request == path or request.startswith(f"{path}/")
    assert bool(re2.search(Path(path).expression, request)) == expected


@given(*[st.from_regex(r"(/[A-Za-z0-9._~@+-]{1,4}){1,3}", fullmatch=True)] * 2)
def test_a_guarded_expression_takes_capitals_and_what_is_cut_off_at_a_semicolon_too(path: str, request: str) -> None:
    guarded = re2.compile(Path(path).guarded)
    for asked in (request, path, f"{path}/x", path.upper(), path.swapcase(), f"{path};a=b", f"{path};/x", f"{path}x"):
        read = re.split(";|$", asked)[0].lower() if asked.lower().startswith(f"{path};".lower()) else asked.lower()
        expected = read == path.lower() or read.startswith(f"{path}/".lower())
        assert bool(guarded.search(asked)) == expected, asked


@pytest.mark.parametrize(
    ("path", "expression"),
    [
        ("/api", "^/api(/|$)"),
        ("/socket.io", r"^/socket\.io(/|$)"),
        ("/a+b/(c)", r"^/a\+b/\(c\)(/|$)"),
        ("/auth/refresh", "^/auth/refresh(/|$)"),
    ],
)
def test_expressions_read_as_people_write_them(path: str, expression: str) -> None:
    assert Path(path).expression == expression


def test_a_bare_path_would_match_elsewhere() -> None:
    # The control: why ours are anchored at both ends.
    assert cloudflared.first_match([{"path": "/api", "service": "x"}, {"service": "y"}], "h", "/x/api2") == 0
    assert (
        cloudflared.first_match([{"path": Path("/api").expression, "service": "x"}, {"service": "y"}], "h", "/x/api2")
        == 1
    )


def test_what_shuts_dot_segments_and_backslashes_matches_those_and_nothing_else() -> None:
    # Every path of up to six of these characters; meant: a segment that is `.` or `..`, also with parameters, or a
    # backslash anywhere.
    shuts = re2.compile(CLOSING)
    for length in range(7):
        for letters in itertools.product("/.a\\\n;" if length < 6 else "/.a\\;", repeat=length):
            path = "/" + "".join(letters)
            meant = any(segment.split(";")[0] in (".", "..") for segment in path.split("/")) or "\\" in path
            assert (shuts.search(path) is not None) == meant, path


@pytest.mark.parametrize(
    "path", ["/api/../admin", "/api/..", "/api\\..\\admin", "/api/./x", "/.well-known/acme-challenge/../../x"]
)
def test_a_host_with_paths_answers_400_before_any_of_them_for_a_way_round(path: str) -> None:
    paths = {"/api": {"clients": "anyone"}}
    https = {**HTML["origin"], "port": 443, "scheme": "https"}
    plan = plan_of({"acme": ACME, "web": {**HTML, "origin": https, "own_certificate": True, "paths": paths}})
    sent = _as_sent(plan.rules)
    assert cloudflared.refusals(sent) == []
    assert sent[cloudflared.first_match(sent, "web-alfred.example.com", path)]["service"] == "http_status:400"
    for other in ("/api", "/api/v1", "/", "/x..", "/.well-known/acme-challenge/token"):
        assert sent[cloudflared.first_match(sent, "web-alfred.example.com", other)]["service"] != "http_status:400"


def test_a_host_of_which_all_paths_are_alike_needs_no_such_rule() -> None:
    assert [r.path for r in plan_of({"web": HTML}).rules] == [None, None]
