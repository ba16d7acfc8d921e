"""The kit's own readings of public standards: each control refuses what it is there for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit import cloudflared

# Facts of cloudflared's own tests (ingress/ingress_test.go, ingress/rule_test.go).
_LAST = {"service": "http_status:404"}


@pytest.mark.parametrize(
    ("rules", "accepted"),
    [
        ([_LAST], True),
        ([{"hostname": "*.example.com", "service": "https://localhost:8000"}, _LAST], True),
        ([{"hostname": "a.example.com", "service": "https://localhost:8000"}], False),
        ([_LAST, _LAST], False),
        ([{"hostname": "*", "service": "https://localhost:8000"}, _LAST], False),
        ([{"hostname": "a.*.example.com", "service": "https://localhost:8000"}, _LAST], False),
        ([{"hostname": "a.example.com:80", "service": "https://localhost:8000"}, _LAST], False),
        ([{"hostname": "a", "service": "https://localhost:8000/static/"}, _LAST], False),
        ([{"hostname": "a", "service": "https://localhost:8000/"}, _LAST], False),
        ([{"hostname": "a", "service": "localhost:8000"}, _LAST], False),
        ([{"hostname": "a", "path": "*/subpath2", "service": "https://localhost:8000"}, _LAST], False),
        ([{"hostname": "a", "path": "(?!x)", "service": "https://localhost:8000"}, _LAST], False),
        ([{"service": "http_status:99"}], False),
    ],
)
def test_rules_are_refused_as_cloudflared_refuses_them(rules: list[dict[str, Any]], accepted: bool) -> None:
    assert (cloudflared.refusals(rules) == []) is accepted


@pytest.mark.parametrize(
    ("rule", "host", "path", "matches"),
    [
        ({"hostname": "example.com"}, "example.com", "/", True),
        ({"hostname": "example.com"}, "sub.example.com", "/", False),
        ({"hostname": "*.example.com"}, "sub.example.com", "/", True),
        ({"hostname": "*.example.com"}, "sub.sub.example.com", "/", True),
        ({"hostname": "*.example.com"}, "example.com", "/", False),
        ({"path": "/static/.*\\.html"}, "any", "/static/x.html", True),
        ({"path": "/static/.*\\.html"}, "any", "/x/static/y.htmlz", True),
        ({"path": "/admin"}, "any", "/Admin", False),
    ],
)
def test_rules_match_as_cloudflareds_do(rule: dict[str, Any], host: str, path: str, matches: bool) -> None:
    rules = [{**rule, "service": "http://one"}, _LAST]
    assert (cloudflared.first_match(rules, host, path) == 0) is matches
