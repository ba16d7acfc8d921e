"""cloudflared's reading of a tunnel's rules, written from its public source (ingress/ingress.go, ingress/rule.go).

Rules are as the API has them: `hostname`, `path`, `service`, `originRequest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import re2  # type: ignore[import-untyped]

Rule = Mapping[str, Any]


def routing(rules: Sequence[Rule]) -> list[Rule]:
    """The rules that lead to an origin or are the last: all but the one that refuses ways round paths."""
    return [rule for rule in rules if rule["service"] != "http_status:400"]


def refusals(rules: Sequence[Rule]) -> list[str]:
    """What `validateIngress` would refuse; an empty list is accepted there and then answers 503 to all."""
    found = []
    for number, rule in enumerate(rules, 1):
        host, path, service = rule.get("hostname", ""), rule.get("path", ""), rule["service"]
        catches_all = host in ("", "*") and not path
        if (number == len(rules)) != catches_all:
            found.append(f"rule {number}: the last rule, and only it, matches everything")
        if host.rfind("*") > 0 or ":" in host:
            found.append(f"rule {number}: host name {host}")
        try:
            re2.compile(path)
        except re2.error:
            found.append(f"rule {number}: path {path} is not RE2")
        if service.startswith("http_status:"):
            if not 100 <= int(service.removeprefix("http_status:")) <= 999:
                found.append(f"rule {number}: {service}")
        else:
            url = urlsplit(service)
            if not url.scheme or not url.hostname or url.path:
                found.append(f"rule {number}: {service} has no scheme or host, or has a path")
        access = rule.get("originRequest", {}).get("access", {})
        if access.get("required") and access.get("audTags") and not access.get("teamName"):
            found.append(f"rule {number}: audTags without a team")
    return found


def first_match(rules: Sequence[Rule], host: str, path: str) -> int:
    """The index of the rule that answers a request (`FindMatchingRule`): the first whose host and path match."""
    return next(
        index
        for index, rule in enumerate(rules)
        if _host_matches(rule.get("hostname", ""), host)
        and (not rule.get("path") or re2.search(rule["path"], path) is not None)
    )


def _host_matches(pattern: str, host: str) -> bool:
    if pattern in ("", "*") or pattern == host:
        return True
    return pattern.startswith("*.") and host.endswith(pattern[1:])
