"""Adopting a set-up made by hand, by the real engine: imported with nothing changed, then brought into form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatehouse.adopt.stack_text import edit
from tests.engine.kit import Project, orphans
from tests.gatehouse import hand_made as made
from tests.gatehouse.test_adopt import accepted

pytestmark = pytest.mark.engine

IMPORTED = {
    "DnsPreferences/tailnet-dns",
    "DnsRecord/blog-alfred.example.com",
    "DnsRecord/graphs.example.com",
    "Ingress/comics-ingress",
    "TailnetSettings/tailnet-settings",
    "ZeroTrustAccessApplication/graphs.example.com",
    "ZeroTrustAccessApplication/graphs.example.com/api",
    "ZeroTrustAccessIdentityProvider/google-idp",
    "ZeroTrustAccessPolicy/google-bypass",
    "ZeroTrustTunnelCloudflared/alfred-tunnel",
    "ZeroTrustTunnelCloudflaredConfig/alfred-rules",
    "Zone/estate-zone",
    "ZoneDnssec/estate-dnssec",
    "ZoneSetting/estate-always-use-https",
    "ZoneSetting/estate-automatic-https-rewrites",
    "ZoneSetting/estate-min-tls-version",
    "ZoneSetting/estate-ssl",
}

HEADER = f"cloudflare/setting/{made.ZONE}/security_header"


def bodies(project: Project) -> dict[str, Any]:
    """What was made by hand, as it is now; the namespace of a service gets a label."""
    objects = project.objects()
    found: dict[str, Any] = {k: (objects.get(k) or {}).get("body") for k in made.objects() if "/Namespace/" not in k}
    # Made, not imported, with the value that it had: the cloud notes that it was written.
    found[HEADER] = {k: v for k, v in found[HEADER].items() if k not in ("editable", "modifiedOn")}
    return found


def adopted(project: Project) -> None:
    """A project on the clouds made by hand, its stack file after the two runs of `adopt`."""
    project.write("alfred", made.STACK)
    made.write(project.clouds)
    first = project.run("adopt", "--apply")
    assert first.code == 1
    assert "access-path-bypass" in first.out
    path: Path = project.folder / "Pulumi.alfred.yaml"
    # The owner decides: only then are the import ids written.
    accepts = f"acknowledge: {{access-path-bypass: {accepted()['acknowledge']['access-path-bypass']}}}"
    text = path.read_text()
    assert "gatehouse:adopt:" not in text
    path.write_text(text.replace("      paths:", f"      {accepts}\n      paths:"))
    project.ok("adopt", "--apply")


def test_a_set_up_made_by_hand_is_imported_as_it_is_and_then_brought_into_form(project: Project) -> None:
    adopted(project)
    before = bodies(project)

    preview = project.ok("preview")
    imports = {name for name, op in preview.steps.items() if op == "import"}
    assert imports == IMPORTED
    # An empty diff: besides imports there are only new resources.
    assert set(preview.steps.values()) == {"import", "create"}
    steps = [e["resource_pre_event"]["metadata"] for e in preview.events if e.get("resource_pre_event")]
    assert len(steps) > len(IMPORTED)
    assert not [s["urn"] for s in steps if s.get("diffs") or s.get("detailed_diff")]

    up = project.ok("up")
    assert up.steps == preview.steps
    assert bodies(project) == before
    assert not [c for c in project.calls() if c["method"] in ("update", "delete")]
    assert project.ok("up").changes == {}

    # Once it is in the state, a second look finds nothing of its own left.
    again = project.ok("adopt")
    assert "to be imported" not in again.out
    assert "says all of this already" in again.out
    assert "Access application NAS" in again.out

    project.ok("adopt", "--done", "--apply")
    formed = project.ok("up")
    assert set(formed.steps.values()) == {"update", "replace"}
    assert [n for n, op in formed.steps.items() if op == "replace"] == ["Ingress/comics-ingress"]
    assert set(formed.steps) <= IMPORTED
    after = bodies(project)
    assert after[f"cloudflare/tunnel/{made.TUNNEL}"]["name"] == "alfred"
    rules = after[f"cloudflare/tunnel-config/{made.TUNNEL}"]["config"]["ingresses"]
    assert [r["originRequest"]["access"]["required"] for r in rules if r.get("originRequest")] == [True]
    # Two Ingresses of one machine name would get two names: the old one went first.
    ingress = [(c["method"], c["id"]) for c in project.calls() if c["name"] == "comics-ingress"]
    assert ingress[-2:] == [("delete", "media/comics"), ("create", "media/comics-tailscale")]
    assert project.ok("up").changes == {}
    assert project.ok("refresh").changes == {}
    assert not orphans(project, "alfred")

    # What is not the stack's is as it was to the last byte.
    for key in (
        f"cloudflare/access-app/{made.STRANGER}",
        f"cloudflare/access-group/{made.FAMILY}",
        f"cloudflare/access-policy/{made.FAMILY_POLICY}",
        f"cloudflare/idp/{made.PIN}",
        f"cloudflare/dns/{made.ZONE}/{2:032x}",
        f"cloudflare/dns/{made.ZONE}/{3:032x}",
        "kubernetes/alfred/apps/v1/Deployment/cloudflared/cloudflared",
    ):
        assert after[key] == before[key], key


def test_without_adopting_up_is_refused_and_nothing_made_by_hand_is_touched(project: Project) -> None:
    project.write("alfred", edit(made.STACK, services={"graphs": accepted()}))
    made.write(project.clouds)
    before = bodies(project)
    refused = project.run("up")
    assert refused.code == 1
    assert "already exists" in refused.text
    # What a tailnet has once is set, not made, so it may have been written before the refusal came.
    once = ("tailscale/settings", "tailscale/dns-preferences")
    after = bodies(project)
    assert len(before) > len(once)
    assert {k: v for k, v in after.items() if k not in once} == {k: v for k, v in before.items() if k not in once}
    assert all((after[k] or {}).items() >= before[k].items() for k in once if k in before)
