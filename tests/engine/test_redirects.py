"""Names that redirect, by the real engine: the zone's one list of them comes, changes and goes with what shuts them."""

from __future__ import annotations

from typing import Any

import pytest

from gatehouse.simulation import tamper
from tests.engine.kit import Project, doubles, orphans
from tests.engine.stacks import at, edit, small
from tests.engine.test_lifecycle import quiet
from tests.engine.wider import wider
from tests.kit.builders import HTML, OPEN_HTML

pytestmark = pytest.mark.engine

APEX, WWW, OLD = "example.com", "www.example.com", "old.example.com"
LIST = "Ruleset/estate-redirects"
RULES = "ZeroTrustTunnelCloudflaredConfig/alfred-rules"


def own(host: str, op: str) -> dict[str, str]:
    """What a host that redirects has of its own."""
    return {f"DnsRecord/{host}": op, f"ZeroTrustAccessApplication/{host}": op}


def refs(project: Project) -> list[str]:
    """The rules of the zone's list, as the cloud has them."""
    lists = [o["body"] for key, o in project.objects().items() if key.startswith("cloudflare/ruleset/")]
    return [rule["ref"] for one in lists for rule in one["rules"]]


def test_the_list_of_redirects_comes_changes_and_goes_and_nobody_reaches_more(project: Project) -> None:
    def up(**names: Any) -> dict[str, str]:
        small(project, {"blog": at("blog", OPEN_HTML, **names), "wiki": at("wiki", HTML, clients="nobody", **SHUT)})
        since = len(project.history())
        run = project.ok("up")
        assert wider(project, since) == []
        quiet(project.ok("preview", "--refresh"))
        assert not orphans(project, "alfred")
        assert not doubles(project.objects())
        return run.steps

    up(hosts=[APEX, WWW])
    moved = up(host=APEX, redirect_from=[WWW])
    # The record is the host's, whatever becomes of it.
    assert moved == {LIST: "create", f"ZeroTrustAccessApplication/{WWW}": "create", RULES: "update"}
    assert refs(project) == ["www_example_com"]
    # The new one stands first, and the other is what it was.
    assert up(host=APEX, redirect_from=[WWW, OLD]) == {LIST: "update", **own(OLD, "create"), RULES: "update"}
    assert refs(project) == ["old_example_com", "www_example_com"]
    assert up(host=APEX, redirect_from=[OLD]) == {LIST: "update", **own(WWW, "delete"), RULES: "update"}
    assert up(host=APEX) == {LIST: "delete", **own(OLD, "delete"), RULES: "update"}
    assert refs(project) == []


def test_redirects_that_were_made_by_hand_are_refused_and_can_be_taken_over(project: Project) -> None:
    small(project, {"blog": at("blog", OPEN_HTML, host=APEX)})
    project.ok("up")
    zone = tamper.find(project.clouds, "cloudflare/zone/").rsplit("/", 1)[-1]
    target = {"targetUrl": {"value": "https://example.com/"}, "statusCode": 302}
    rule = {"action": "redirect", "expression": "true", "ref": "made", "actionParameters": {"fromValue": target}}
    body = {"zoneId": zone, "kind": "zone", "phase": "http_request_dynamic_redirect", "name": "default"}
    id_ = "e" * 32
    tamper.put(project.clouds, f"cloudflare/ruleset/{id_}", {**body, "rules": [rule], "version": "7"}, id_)

    small(project, {"blog": at("blog", OPEN_HTML, host=APEX, redirect_from=[WWW])})
    refused = project.run("up")
    assert refused.code == 1
    assert "gatehouse:recover" in refused.text
    assert refs(project) == ["made"]

    edit(project, "alfred", "config:\n", f"config:\n  gatehouse:recover: {{{LIST}: zones/{zone}/{id_}}}\n")
    project.ok("up")
    assert refs(project) == ["www_example_com"]
    edit(project, "alfred", f"  gatehouse:recover: {{{LIST}: zones/{zone}/{id_}}}\n", "")
    quiet(project.ok("up", "--refresh"))


SHUT = {
    "paths": {"/hook": {"clients": "anyone"}},
    "acknowledge": {"access-path-bypass": "Callers cannot log in; each hook has a secret name"},
}
"""So that the policy that lets nobody in is there throughout."""
