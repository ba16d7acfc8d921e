"""A protected host is locked from its first call to its last: read off the recorded calls, under the real engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gatehouse.simulation import tamper
from tests.engine.kit import Project
from tests.engine.locks import Host, broken_locks, either, order, protected
from tests.engine.stacks import SMALL, ZERO_TRUST, small
from tests.engine.wider import wider
from tests.kit.builders import HTML, OPEN_HTML

pytestmark = pytest.mark.engine

GRAFANA = Host("grafana-alfred.example.com", ("/api",))
DASH = Host("dash-alfred.example.com", ("/.well-known/acme-challenge",))


def test_hosts_are_locked_after_each_call_of_their_life(project: Project) -> None:
    small(project)
    assert protected(project) == {GRAFANA, DASH}
    project.ok("up")
    done = order(project)
    for host, path in ((GRAFANA.name, "/api"), (DASH.name, "/.well-known/acme-challenge")):
        record = done.index(f"create DnsRecord/{host}")
        rules = done.index("create ZeroTrustTunnelCloudflaredConfig/alfred-rules")
        for app in (host, f"{host}{path}"):
            assert done.index(f"create ZeroTrustAccessApplication/{app}") < rules < record
    assert broken_locks(project, {GRAFANA, DASH}) == []

    # One of two goes: its rule, then its record, then its applications; deletes are ordered by direct dependencies.
    since = len(project.history())
    small(project, {name: fields for name, fields in SMALL.items() if name != "grafana"})
    project.ok("up")
    gone = order(project, since)
    record = gone.index("delete DnsRecord/grafana-alfred.example.com")
    assert gone.index("update ZeroTrustTunnelCloudflaredConfig/alfred-rules") < record
    for app in (GRAFANA.name, f"{GRAFANA.name}/api"):
        assert record < gone.index(f"delete ZeroTrustAccessApplication/{app}")
    assert broken_locks(project, {GRAFANA, DASH}) == []

    project.ok("destroy")
    assert broken_locks(project, {GRAFANA, DASH}) == []
    assert not [call for call in project.calls() if call["outcome"] != "ok"]


LIFE: Mapping[str, Mapping[str, Any]] = {
    "public": OPEN_HTML,
    "behind login": ZERO_TRUST,
    "with other paths": {**HTML, "own_certificate": True},
    "renamed": {**HTML, "host": "charts.example.com"},
    "with a new path": {**ZERO_TRUST, "host": "charts.example.com"},
    "on the tailnet": {**HTML, "clients": "tailnet"},
    "behind login again": ZERO_TRUST,
}


def test_a_host_stays_locked_while_its_service_changes(project: Project) -> None:
    others = {name: SMALL[name] for name in ("dash", "renewals", "blog")}
    was: set[Host] = set()
    for what, service in LIFE.items():
        small(project, {"grafana": service, **others})
        will = protected(project)
        since = len(project.history())
        project.ok("up")
        assert wider(project, since) == [], what
        if what == "behind login":
            # What was open before may be so until it is locked: from then on, it is locked.
            done = order(project, since)
            rules = done.index("update ZeroTrustTunnelCloudflaredConfig/alfred-rules")
            assert done.index("create ZeroTrustAccessApplication/grafana-alfred.example.com") < rules
            since += rules
        assert broken_locks(project, either(was, will), since) == [], what
        was = will


def test_a_host_that_becomes_public_opens_once_and_nothing_else_does(project: Project) -> None:
    small(project, {"grafana": ZERO_TRUST, "dash": SMALL["dash"], "renewals": SMALL["renewals"]})
    project.ok("up")
    since = len(project.history())
    small(project, {"grafana": OPEN_HTML, "dash": SMALL["dash"], "renewals": SMALL["renewals"]})
    project.ok("up")
    done = order(project, since)
    rules = done.index("update ZeroTrustTunnelCloudflaredConfig/alfred-rules")
    assert rules < done.index("delete ZeroTrustAccessApplication/grafana-alfred.example.com")
    assert not [one for one in done if "DnsRecord" in one]
    assert broken_locks(project, {DASH}) == []


def test_the_judges_see_an_open_door(project: Project) -> None:
    """Without this a judge that sees nothing would be content with everything."""
    small(project, {"grafana": ZERO_TRUST})
    project.ok("up")
    assert broken_locks(project, {GRAFANA}) == []
    key = tamper.find(project.clouds, "cloudflare/tunnel-config/")
    config = project.objects()[key]["body"]["config"]
    bare = [{k: v for k, v in rule.items() if k != "originRequest"} for rule in config["ingresses"]]
    tamper.change(project.clouds, key, config={"ingresses": bare})
    [unchecked] = broken_locks(project, {GRAFANA})
    assert unchecked.endswith(f"the rule of {GRAFANA.name} demands no JWT")
    tamper.delete(project.clouds, tamper.find(project.clouds, "cloudflare/access-app/", name="Grafana"))
    found = broken_locks(project, {GRAFANA})[1:]
    assert any("and no application" in text for text in found)
    assert any(f"anyone reaches https://{GRAFANA.name}/login" in text for text in found)


@pytest.mark.parametrize(
    ("type_", "method", "left"),
    [
        ("ZeroTrustTunnelCloudflaredConfig", "update", {"rules", "record", "application"}),
        ("DnsRecord", "delete", {"record", "application"}),
        ("ZeroTrustAccessApplication", "delete", {"application"}),
    ],
)
def test_a_removal_that_fails_half_way_leaves_the_host_locked(
    project: Project, type_: str, method: str, left: set[str]
) -> None:
    small(project, {"grafana": HTML, "dash": SMALL["dash"], "renewals": SMALL["renewals"]})
    project.ok("up")
    hosts = protected(project)
    small(project, {"dash": SMALL["dash"], "renewals": SMALL["renewals"]})
    project.faults({"do": "refuse", "type": type_, "method": method, "times": 9})
    assert project.run("up").code == 1
    objects = project.objects()
    texts = {
        "rules": [str(item["body"]) for key, item in objects.items() if "tunnel-config" in key],
        "record": [str(item["body"]) for key, item in objects.items() if "/dns/" in key],
        "application": [str(item["body"]) for key, item in objects.items() if "access-app" in key],
    }
    assert {what for what, found in texts.items() if any(GRAFANA.name in text for text in found)} == left
    assert broken_locks(project, hosts) == []
    project.faults()
    project.ok("up")
    assert project.ok("up").changes == {}
    assert broken_locks(project, hosts) == []
