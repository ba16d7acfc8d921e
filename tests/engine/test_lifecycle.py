"""The life of the shipped stacks, by the real engine: what changes at each step, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.engine.kit import RETAINED, Project, Run, doubles, orphans
from tests.engine.stacks import edit, shipped

pytestmark = pytest.mark.engine

ZONE = "very-very-dark-gray.top"
NEVER = ("Zone/", "ZoneDnssec/", "ZeroTrustTunnelCloudflared/", "ZeroTrustAccessPolicy/", "Acl/")
"""What a change of services must never replace or delete."""


def named(name: str, op: str, *paths: str) -> dict[str, str]:
    """What a host that is guarded has of its own, and its paths."""
    host = f"{name}.{ZONE}"
    return dict.fromkeys([f"DnsRecord/{host}", *(f"ZeroTrustAccessApplication/{host}{p}" for p in ("", *paths))], op)


def quiet(run: Run) -> None:
    """The run changed nothing."""
    assert run.changes == {}, run.steps
    assert run.steps == {}


def resources(project: Project, stack: str) -> dict[str, str]:
    return {r["urn"]: r.get("id", "") for r in project.state(stack)["resources"]}


def traced(project: Project, stack: str) -> list[list[str]]:
    """The files of each resource's stack trace, but for the stack's: the SDK registers it before the program begins."""
    traces = [r["stackTrace"] for r in project.state(stack)["resources"] if r["type"] != "pulumi:pulumi:Stack"]
    return [[frame["sourcePosition"].partition("#")[0].rpartition("/")[2] for frame in trace] for trace in traces]


def kept(run: Run) -> None:
    """What must live for ever does."""
    assert not {n: op for n, op in run.steps.items() if n.startswith(NEVER) and op in ("replace", "delete")}


def service_block(text: str, service: str) -> str:
    """The lines of one service in a stack file, from its key to the next."""
    lines = text.splitlines(keepends=True)
    begin = lines.index(f"    {service}:\n")
    end = next((i for i in range(begin + 1, len(lines)) if not lines[i].startswith("      ")), len(lines))
    return "".join(lines[begin:end])


def test_the_owners_life_changes_at_each_step_exactly_what_it_must(project: Project) -> None:
    shipped(project, "alfred", "octavo")
    planned = project.ok("preview")
    up = project.ok("up")
    assert up.counts == planned.counts
    assert up.steps == planned.steps
    assert set(up.steps.values()) == {"create"}
    total = len(up.steps)
    assert total > 60
    # Where each was registered, down to the program and no further: what runs the program is most of it otherwise.
    traces = traced(project, "alfred")
    assert len(traces) == total - 1
    assert {trace[-1] for trace in traces} == {"__main__.py"}
    assert {trace[0] for trace in traces} > {"access.py", "records.py", "manifests.py"}
    again = project.ok("up")
    quiet(again)
    assert again.counts == {"same": total}
    quiet(project.ok("refresh"))
    assert project.ok("preview", "--refresh").changes == {}
    assert not orphans(project, "alfred")
    assert not doubles(project.objects())

    # Another address for one host: its applications, its record and the rules; nobody else's.
    edit(
        project,
        "alfred",
        "      title: Grafana\n",
        f"      title: Grafana\n      host: charts.{ZONE}\n",
    )
    renamed = project.ok("up")
    kept(renamed)
    assert renamed.steps == {
        **named("charts", "create", "/api"),
        **named("grafana-alfred", "delete", "/api"),
        "ZeroTrustTunnelCloudflaredConfig/alfred-rules": "update",
    }
    quiet(project.ok("up"))

    # One more service.
    text = (project.folder / "Pulumi.alfred.yaml").read_text()
    new = service_block(text, "homebox").replace("homebox", "wiki").replace("Homebox", "Wiki")
    edit(project, "alfred", "    homebox:\n", f"{new}\n    homebox:\n")
    added = project.ok("up")
    kept(added)
    assert added.steps == {
        "ZeroTrustApp/wiki": "create",
        **named("wiki-alfred", "create"),
        "ZeroTrustTunnelCloudflaredConfig/alfred-rules": "update",
        "NetworkPolicy/connector-network": "update",
    }

    # And without it again.
    (project.folder / "Pulumi.alfred.yaml").write_text(
        (project.folder / "Pulumi.alfred.yaml").read_text().replace(new, "")
    )
    removed = project.ok("up")
    kept(removed)
    assert removed.steps == {
        "ZeroTrustApp/wiki": "delete",
        **named("wiki-alfred", "delete"),
        "ZeroTrustTunnelCloudflaredConfig/alfred-rules": "update",
        "NetworkPolicy/connector-network": "update",
    }
    quiet(project.ok("up"))
    assert not orphans(project, "alfred")

    gone = project.ok("destroy")
    assert gone.counts == {"delete": total}
    kinds = {"/".join(key.split("/")[:2]) for key in project.objects() if not key.startswith("kubernetes/")}
    assert kinds == RETAINED
    # In the cluster only namespaces are left: somebody else's services are in them.
    assert {key.split("/")[3] for key in project.objects() if key.startswith("kubernetes/")} == {"Namespace"}
    assert not any("cloudflared" in key for key in project.objects())
    assert project.objects()["tailscale/dns-preferences"]["body"]["magicDns"] is True


def test_a_member_lives_and_goes_beside_its_owner(project: Project, tmp_path: Path) -> None:
    shipped(project, "alfred", "octavo")
    early = project.run("up", stack="octavo")
    assert early.code == 1
    assert "alfred is not up yet" in early.err
    assert "gatehouse up --stack alfred --simulated" in early.err
    assert "Traceback" not in early.text
    project.ok("up")
    owners = resources(project, "alfred")
    world = project.objects()
    up = project.ok("up", stack="octavo")
    assert up.code == 0
    quiet(project.ok("up", stack="octavo"))
    quiet(project.ok("refresh", stack="octavo"))
    quiet(project.ok("up"))
    assert not orphans(project, "alfred", "octavo")
    edit(
        project,
        "octavo",
        "paths: {/api/webhook: {clients: anyone}}",
        f"paths: {{/api/hassio_push: {{clients: anyone}}}}\n      host: ha.{ZONE}",
    )
    changed = project.ok("up", stack="octavo")
    kept(changed)
    assert changed.steps == {
        **named("ha", "create", "/api/hassio_push"),
        **named("home-assistant-octavo", "delete", "/api/webhook"),
        "ZeroTrustTunnelCloudflaredConfig/octavo-rules": "update",
    }
    text = yaml.safe_load((project.folder / "Pulumi.octavo.yaml").read_text())
    assert text["config"]["gatehouse:member_of"] == "organization/gatehouse/alfred"
    gone = project.ok("destroy", stack="octavo")
    assert gone.changes == {"delete": up.changes["create"], "discard": 1}
    assert resources(project, "alfred") == owners
    left = {k for k in project.objects() if k not in world}
    assert {k.split("/")[3] for k in left if k.startswith("kubernetes/")} <= {"Namespace"}
    assert not {k for k in left if not k.startswith("kubernetes/")}
    quiet(project.ok("up"))
