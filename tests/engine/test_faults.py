"""Clouds that fail, lose answers, break connections or are changed by others: what the user sees, and what fixes it."""

from __future__ import annotations

import pytest

from gatehouse.simulation import tamper
from tests.engine.kit import Object, Project, doubles, orphans
from tests.engine.locks import broken_locks, protected
from tests.engine.stacks import SMALL, small
from tests.engine.test_lifecycle import quiet
from tests.gatehouse import hand_made as made

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
    # Cloudflare's provider asks 12 times, for each resource.
    f"{type_}-{deed}": {"do": deed, "type": type_, "times": 99}
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
    ("name", "deed"),
    [
        ("ZeroTrustTunnelCloudflared/alfred-tunnel", "cut"),
        ("DnsRecord/grafana-alfred.example.com", "status"),
        ("ZeroTrustAccessApplication/grafana-alfred.example.com/api", "cut"),
        ("Zone/estate-zone", "refuse"),
        ("Ingress/komga-ingress", "refuse"),
        ("ZeroTrustAccessIdentityProvider/google-idp", "refuse"),
        ("Acl/tailnet-policy", "cut"),
        # What asks ends with it: the engine starts a plugin that crashed again.
        ("Deployment/connector-deployment", "crash"),
        ("ZeroTrustTunnelCloudflared/alfred-tunnel", "crash"),
    ],
)
def test_what_was_made_although_its_answer_was_lost_is_taken_over_and_the_run_goes_on(
    project: Project, name: str, deed: str
) -> None:
    """Cloudflare's provider asks again, but where it is refused, and then meets its own work; Tailscale's gives up."""
    small(project, FEW)
    type_, _, logical = name.partition("/")
    project.faults({"do": deed, "when": "after", "type": type_, "name": logical, "method": "create", "times": 1})
    done = project.ok("up")
    assert f"{name} was made all the same" in done.out
    whole(project)


def test_what_somebody_else_made_before_is_not_taken_for_a_lost_answer(project: Project) -> None:
    project.write("alfred", made.STACK)
    made.write(project.clouds)
    key = f"cloudflare/zone/{made.ZONE}"
    tamper.change(project.clouds, key, createdOn="2020-01-01T00:00:00Z")
    small(project, FEW)
    failed = project.run("up")
    assert failed.code == 1
    assert "made all the same" not in failed.text
    assert "`gatehouse adopt --stack alfred --simulated --apply`" in " ".join(failed.err.split())
    assert project.objects()[key]["body"]["createdOn"] == "2020-01-01T00:00:00Z"
    assert project.run("up").code == 1


def test_a_setting_whose_answer_was_lost_is_set_again(project: Project) -> None:
    small(project, FEW)
    project.faults({"do": "cut", "when": "after", "type": "ZoneSetting"})
    project.ok("up")
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
    assert seen.steps["DnsRecord/grafana-alfred.example.com"] == "create"
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
    assert "`gatehouse refresh --stack alfred --simulated`" in failed.err
    project.ok("up", "--refresh")
    whole(project)
