"""What others change in the clouds: a refresh says what it means for who reaches what."""

from __future__ import annotations

import pytest

from gatehouse.simulation import tamper
from tests.engine.kit import Project
from tests.engine.locks import broken_locks, protected
from tests.engine.stacks import SMALL, small
from tests.engine.test_lifecycle import quiet

pytestmark = pytest.mark.engine

FEW = {name: SMALL[name] for name in ("grafana", "blog", "komga", "game")}
HEAD = "Changed by somebody else since the last run"


def meant(text: str) -> str:
    """What is said of drift, on one line."""
    return " ".join(text.partition(HEAD)[2].partition("\nalfred: ")[0].split())


def test_nothing_is_said_where_nobody_changed_anything(project: Project) -> None:
    small(project, FEW)
    project.ok("up")
    # What Cloudflare itself counts is nobody's change.
    tunnel = tamper.find(project.clouds, "cloudflare/tunnel/", name="alfred")
    tamper.change(project.clouds, tunnel, status="healthy")
    for words in (("preview", "--refresh"), ("refresh",), ("up", "--refresh")):
        assert HEAD not in project.ok(*words).text, words


def test_everyone_in_a_policy_a_check_that_is_off_and_a_record_past_cloudflare_are_told(project: Project) -> None:
    small(project, FEW)
    project.ok("up")
    policy = tamper.find(project.clouds, "cloudflare/access-policy/", decision="allow")
    includes = project.objects()[policy]["body"]["includes"]
    tamper.change(project.clouds, policy, includes=[*includes, {"everyone": {}}])
    rules = tamper.find(project.clouds, "cloudflare/tunnel-config/")
    ingresses = project.objects()[rules]["body"]["config"]["ingresses"]
    unchecked = [
        {k: v for k, v in r.items() if k != "originRequest"} if r.get("hostname") == "grafana-alfred.example.com" else r
        for r in ingresses
    ]
    assert unchecked != ingresses
    tamper.change(project.clouds, rules, config={"ingresses": unchecked})
    record = tamper.find(project.clouds, "cloudflare/dns/", name="blog-alfred.example.com")
    tamper.change(project.clouds, record, proxied=False)
    for words in (("preview", "--refresh"), ("up", "--refresh")):
        said = meant(project.ok(*words).out)
        assert "(3 resources): " in said
        assert "- everyone was added to the policy 'Google Account: household'" in said
        assert "- the JWT check is off for grafana" in said
        assert "- blog's record goes past Cloudflare (unproxied)" in said
        assert "WIDER grafana-alfred.example.com/ [grafana] was: alice@example.com, bob@example.com after login" in said
        assert "narrower blog-alfred.example.com/" in said
    # `up --refresh` has put it back.
    assert HEAD not in project.ok("refresh").text
    quiet(project.ok("up"))


def test_refresh_tells_it_too_and_so_does_a_preview_for_programs(project: Project) -> None:
    small(project, FEW)
    project.ok("up")
    group = tamper.find(project.clouds, "cloudflare/access-group/")
    tamper.change(project.clouds, group, includes=[{"email": {"email": "mallory@example.com"}}])
    preview = project.ok("preview", "--refresh", "--json")
    assert preview.out.startswith("{")
    for said in (meant(preview.err), meant(project.ok("refresh").out)):
        assert "- mallory@example.com was added to the policy 'Google Account: household'" in said
        assert "- alice@example.com was taken out of the policy 'Google Account: household'" in said
        assert "new: mallory@example.com" in said


def test_drift_that_changes_nobodys_reach_says_so(project: Project) -> None:
    small(project, FEW)
    project.ok("up")
    tamper.change(project.clouds, tamper.find(project.clouds, "cloudflare/dns/", type="A"), comment="mine")
    assert meant(project.ok("refresh").out) == "(1 resource): no change in who reaches what."


def test_a_deleted_tunnel_is_told_taken_out_of_the_state_and_made_anew(project: Project) -> None:
    small(project, FEW)
    project.ok("up")
    tunnel = tamper.find(project.clouds, "cloudflare/tunnel/", name="alfred")
    tamper.change(project.clouds, tunnel, deletedAt="2026-01-02T03:04:05Z")
    preview = " ".join(project.ok("preview", "--refresh").out.split())
    assert "tunnel alfred was deleted in Cloudflare on 2026-01-02: everything behind it is down" in preview
    assert "Take it out of the state: gatehouse refresh --stack alfred --simulated" in preview
    refreshed = project.ok("refresh").out
    assert "the tunnel alfred is gone" in meant(refreshed)
    assert "narrower grafana-alfred.example.com/" in meant(refreshed)
    assert meant(refreshed).startswith("(1 resource): ")
    assert "record leads to" not in meant(refreshed)
    assert "It was taken out of the state." in refreshed
    assert "Make another, with its token, rules and records: gatehouse up --stack alfred --simulated\n" in refreshed
    # Cloudflare keeps a deleted tunnel for its log alone: its name is free.
    tamper.delete(project.clouds, tunnel)
    made = project.ok("up")
    assert made.steps["ZeroTrustTunnelCloudflared/alfred-tunnel"] == "create"
    assert made.steps["ZeroTrustTunnelCloudflaredConfig/alfred-rules"] == "replace"
    assert (
        made.steps["DnsRecord/blog-alfred.example.com"]
        == made.steps["DnsRecord/grafana-alfred.example.com"]
        == "update"
    )
    new = tamper.find(project.clouds, "cloudflare/tunnel/", name="alfred").rsplit("/", 1)[-1]
    record = tamper.find(project.clouds, "cloudflare/dns/", name="blog-alfred.example.com")
    assert project.objects()[record]["body"]["content"] == f"{new}.cfargotunnel.com"
    assert f"cloudflare/tunnel-config/{new}" in project.objects()
    [state] = [r for r in project.state()["resources"] if r["urn"].endswith("::alfred-tunnel")]
    assert state["protect"] is True
    assert broken_locks(project, protected(project)) == []
    quiet(project.ok("up", "--refresh"))


def test_up_with_refresh_does_not_call_it_done_where_the_tunnel_is_deleted(project: Project) -> None:
    small(project, FEW)
    project.ok("up")
    tunnel = tamper.find(project.clouds, "cloudflare/tunnel/", name="alfred")
    tamper.change(project.clouds, tunnel, deletedAt="2026-01-02T03:04:05Z")
    done = project.run("up", "--refresh")
    assert done.code == 1
    assert "was deleted in Cloudflare on 2026-01-02" in " ".join(done.out.split())
    tamper.delete(project.clouds, tunnel)
    assert project.ok("up").steps["ZeroTrustTunnelCloudflared/alfred-tunnel"] == "create"
