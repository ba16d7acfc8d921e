"""The state is lost, everything else is there: adopted, taken over, and nothing is left to do, twice or lost."""

from __future__ import annotations

import pytest

from tests.engine.kit import Object, Project, doubles, orphans
from tests.engine.locks import broken_locks, protected
from tests.engine.stacks import SMALL, shipped, small
from tests.engine.test_lifecycle import quiet
from tests.kit.builders import NODE

pytestmark = pytest.mark.engine

VOLATILE = ("modifiedOn", "updatedAt", "resourceVersion", "generation", "version", "lastTransitionTime")


def lose_state(project: Project, stack: str = "alfred") -> None:
    state = project.folder / ".gatehouse/simulated/state/.pulumi/stacks/gatehouse"
    for path in state.glob(f"{stack}.json*"):
        path.unlink()


def lasting(objects: dict[str, Object]) -> dict[str, Object]:
    """What the clouds hold, without what each write changes."""

    def kept(value: object) -> object:
        if isinstance(value, dict):
            return {k: kept(v) for k, v in value.items() if k not in VOLATILE}
        return [kept(one) for one in value] if isinstance(value, list) else value

    return {key: {"id": item.get("id"), "body": kept(item["body"])} for key, item in objects.items()}


@pytest.mark.parametrize("stack", ["small", "alfred"])
def test_a_lost_state_is_recovered_with_nothing_changed_twice_or_lost(project: Project, stack: str) -> None:
    small(project, node={**NODE, "proxy_group": True}) if stack == "small" else shipped(project, "alfred")
    project.ok("up")
    before = lasting(project.objects())
    lose_state(project)
    since = len(project.calls())

    adopted = project.ok("adopt", "--apply")
    assert "in the way" not in adopted.out.lower()
    text = (project.folder / "Pulumi.alfred.yaml").read_text()
    assert "gatehouse:recover:" in text
    up = project.ok("up")
    assert not set(up.steps.values()) & {"replace", "delete"}
    # Marks on what is others' are set anew, for a Patch has no import; so is what a plugin cannot import.
    made = [call for call in project.calls()[since:] if call["method"] == "create" and call["outcome"] == "ok"]
    kinds = {call["type"].rsplit(":", 1)[-1] for call in made}
    assert "NamespacePatch" in kinds
    assert {kind for kind in kinds if not kind.endswith("Patch")} == {"ZoneSetting"}
    assert lasting(project.objects()) == before
    assert not orphans(project, "alfred")
    assert not doubles(project.objects())

    project.ok("adopt", "--done", "--apply")
    assert "gatehouse:recover" not in (project.folder / "Pulumi.alfred.yaml").read_text()
    assert project.ok("preview").changes == {}
    quiet(project.ok("up"))
    assert broken_locks(project, protected(project)) == []


def test_done_is_refused_while_an_id_is_not_in_the_state(project: Project) -> None:
    small(project)
    project.ok("up")
    lose_state(project)
    project.ok("adopt", "--apply")
    project.faults({"do": "refuse", "type": "DnsRecord", "method": "read", "times": 9})
    assert project.run("up").code == 1
    project.faults()
    text = (project.folder / "Pulumi.alfred.yaml").read_text()
    refused = project.run("adopt", "--done", "--apply")
    assert refused.code == 1
    assert "DnsRecord/" in refused.err
    assert "Nothing was changed" in refused.err
    assert (project.folder / "Pulumi.alfred.yaml").read_text() == text
    project.ok("up")
    project.ok("adopt", "--done", "--apply")
    assert project.ok("preview").changes == {}


def test_the_encoder_of_the_provider_cannot_strike_after_a_recovery(project: Project) -> None:
    """With the fault of docs/adr/0017 on: a tunnel's secret that is set from null would damage every later PUT."""
    small(project)
    project.ok("up")
    lose_state(project)
    project.faults({"do": "encoder"})
    project.ok("adopt", "--apply")
    project.ok("up")
    project.ok("adopt", "--done", "--apply")
    small(project, {**SMALL, "grafana": {**SMALL["grafana"], "title": "Charts", "host": "charts.example.com"}})
    project.ok("up")
    project.ok("rotate", "tunnel-token")
    small(project, {**SMALL, "grafana": {**SMALL["grafana"], "title": "Graphs", "host": "charts.example.com"}})
    project.ok("up")
    apps = [o["body"] for key, o in project.objects().items() if key.startswith("cloudflare/access-app/")]
    assert {app["name"] for app in apps} >= {"Graphs", "Graphs /api"}
    for app in apps:
        assert all(destination.get("uri") for destination in app["destinations"])
        assert all(policy.get("id") for policy in app["policies"])
    quiet(project.ok("up"))
