"""Clouds that fail, lose answers, break connections or are changed by others: what the user sees, and what mends it."""

from __future__ import annotations

import pytest

from gatehouse.simulation import tamper
from tests.engine.kit import Object, Project, doubles, orphans
from tests.engine.locks import broken_locks, protected
from tests.engine.stacks import SMALL, small
from tests.engine.test_lifecycle import quiet

pytestmark = pytest.mark.engine

FEW = {name: SMALL[name] for name in ("grafana", "blog", "komga")}


def whole(project: Project) -> None:
    """One `up`, and nothing is left to do, twice or lost."""
    project.faults()
    project.ok("up")
    quiet(project.ok("up"))
    assert broken_locks(project, protected(project)) == []
    assert not orphans(project, "alfred")
    assert not doubles(project.objects())


BEFORE: dict[str, Object] = {
    f"{type_}-{deed}": {"do": deed, "type": type_, "times": 12}
    for type_, deed in (
        ("ZeroTrustAccessApplication", "refuse"),
        ("ZeroTrustAccessApplication", "cut"),
        ("ZeroTrustTunnelCloudflaredConfig", "status"),
        ("ZeroTrustTunnelCloudflaredConfig", "crash"),
        ("DnsRecord", "cut"),
        ("DnsRecord", "crash"),
        ("Acl", "status"),
        ("Ingress", "refuse"),
        ("Zone", "crash"),
    )
}


@pytest.mark.parametrize("fault", BEFORE.values(), ids=BEFORE)
def test_a_call_that_fails_is_told_and_the_next_up_goes_on(project: Project, fault: Object) -> None:
    small(project, FEW)
    project.faults(fault)
    failed = project.run("up")
    assert failed.code == 1
    assert "up failed after" in failed.err
    assert "Traceback" not in failed.text
    assert broken_locks(project, protected(project)) == []
    # Only a connection that breaks loses an answer; the others are answers.
    assert ("may exist although" in " ".join(failed.err.split())) == (fault["do"] in ("cut", "crash"))
    assert "Resource monitor" not in failed.text
    if fault["do"] == "crash":
        # Others were under way when the process ended: what of them is there, and unknown here, goes by hand.
        for stray in orphans(project, "alfred"):
            tamper.delete(project.clouds, stray)
    whole(project)


@pytest.mark.parametrize(
    ("type_", "prefix", "deed"),
    [
        ("ZeroTrustAccessApplication", "cloudflare/access-app/", "refuse"),
        ("ZeroTrustTunnelCloudflared", "cloudflare/tunnel/", "cut"),
        ("DnsRecord", "cloudflare/dns/", "status"),
        ("Zone", "cloudflare/zone/", "refuse"),
        ("ZoneSetting", "", "cut"),
        ("Ingress", "kubernetes/alfred/networking.k8s.io/v1/Ingress/", "refuse"),
    ],
)
def test_an_answer_that_is_lost_shows_as_taken_and_what_is_in_the_way_can_go(
    project: Project, type_: str, prefix: str, deed: str
) -> None:
    """A status that may pass is tried again by Cloudflare's provider, which then meets its own work."""
    small(project, FEW)
    project.faults({"do": deed, "when": "after", "type": type_, "times": 1})
    failed = project.run("up")
    assert failed.code == 1, failed.text
    assert broken_locks(project, protected(project)) == []
    project.faults()
    if prefix:
        if deed != "status":
            failed = project.run("up")
        assert failed.code == 1
        assert "already" in failed.err
        assert "`gatehouse adopt --stack alfred --apply`" in failed.err
        [stray] = [key for key in orphans(project, "alfred") if key.startswith(prefix)]
        tamper.delete(project.clouds, stray)
    whole(project)


def test_a_tailnet_policy_whose_answer_was_lost_is_taken_over_by_its_import_id(project: Project) -> None:
    small(project, FEW)
    project.faults({"do": "cut", "when": "after", "type": "Acl"})
    assert project.run("up").code == 1
    project.faults()
    failed = project.run("up")
    assert failed.code == 1
    assert "Overwrite Protected" in failed.text
    assert "gatehouse adopt" in failed.err
    small(project, FEW, adopt={"Acl/tailnet-policy": "acl"})
    project.ok("up")
    small(project, FEW)
    whole(project)


def test_cloudflares_provider_asks_again_and_tailscales_does_not(project: Project) -> None:
    small(project, FEW)
    project.faults({"do": "status", "status": 503, "provider": "cloudflare", "method": "create", "times": 5})
    project.ok("up")
    assert len([c for c in project.calls() if c["outcome"].startswith("fault")]) == 5
    small(project, {name: fields for name, fields in FEW.items() if name != "komga"})
    project.faults({"do": "status", "status": 503, "provider": "tailscale", "times": 1})
    failed = project.run("up")
    assert failed.code == 1
    assert "503" in failed.text
    whole(project)


def test_slow_clouds_change_nothing(project: Project) -> None:
    small(project, FEW)
    project.faults({"do": "delay", "seconds": 0.5, "type": "ZeroTrustAccessApplication", "times": 9})
    whole(project)


def test_what_somebody_changed_or_deleted_shows_with_refresh_and_is_made_good(project: Project) -> None:
    small(project, FEW)
    project.ok("up")
    record = tamper.find(project.clouds, "cloudflare/dns/", name="grafana-alfred.example.com")
    rules = tamper.find(project.clouds, "cloudflare/tunnel-config/")
    config = project.objects()[rules]["body"]["config"]
    tamper.delete(project.clouds, record)
    tamper.change(project.clouds, rules, config={"ingresses": config["ingresses"][-1:]})
    quiet(project.ok("preview"))  # Without a look at the clouds nothing shows: that is the engine's way.
    seen = project.ok("preview", "--refresh")
    assert seen.steps["DnsRecord/grafana-dns"] == "create"
    assert seen.steps["ZeroTrustTunnelCloudflaredConfig/alfred-rules"] == "update"
    project.ok("up", "--refresh")
    assert project.objects()[rules]["body"]["config"] == config
    whole(project)


def test_an_update_of_what_was_deleted_elsewhere_fails_and_refresh_cures_it(project: Project) -> None:
    small(project, FEW)
    project.ok("up")
    tamper.delete(project.clouds, tamper.find(project.clouds, "cloudflare/dns/", name="grafana-alfred.example.com"))
    small(project, {**FEW, "grafana": {**FEW["grafana"], "host": "charts.example.com"}})
    failed = project.run("up")
    assert failed.code == 1
    assert "404" in failed.text
    assert "`gatehouse refresh --stack alfred`" in failed.err
    project.ok("up", "--refresh")
    whole(project)
