"""One owner and two members by StackReference, under the real engine."""

from __future__ import annotations

import pytest
import yaml

from tests.engine.kit import Project, orphans
from tests.engine.stacks import SMALL
from tests.engine.test_lifecycle import quiet
from tests.kit.builders import HTML, NODE, OPEN_HTML, SSH, stack_text

pytestmark = pytest.mark.engine

REFERENCE = "organization/gatehouse/alfred"


def three(project: Project) -> None:
    """alfred owns the estate; octavo and walter are members."""
    project.write("alfred", stack_text({"grafana": SMALL["grafana"], "ssh": {**SSH, "people": "admins"}}))
    for name, address, service in (("octavo", 8, HTML), ("walter", 9, OPEN_HTML)):
        node = {**NODE, "name": name, "context": name, "lan_ipv4": f"192.168.0.{address}"}
        project.write(name, stack_text({"wiki": service}, member_of=REFERENCE, node=node))


def test_an_owner_and_two_members_come_and_go_in_order(project: Project) -> None:
    three(project)
    for stack in ("octavo", "walter"):
        early = project.run("up", stack=stack)
        assert early.code == 1
        assert f"Stack {stack} is a member of alfred's estate" in early.err
        assert "gatehouse up --stack alfred --simulated" in early.err
        assert "Traceback" not in early.text
        assert not project.calls()
    project.ok("up")
    for stack in ("octavo", "walter"):
        project.ok("up", stack=stack)
        quiet(project.ok("up", stack=stack))
    quiet(project.ok("up"))
    # The member's application is guarded by the owner's policy.
    objects = project.objects()
    policy = next(i["id"] for k, i in objects.items() if "access-policy" in k and i["body"]["decision"] == "allow")
    apps = [i for k, i in objects.items() if "access-app" in k and "octavo" in i["body"]["destinations"][0]["uri"]]
    assert [entry["id"] for app in apps for entry in app["body"]["policies"]] == [policy]

    before = project.objects()
    refused = project.run("destroy")
    assert refused.code == 1
    assert "octavo, walter are still up" in refused.err
    assert "gatehouse destroy --stack octavo --simulated\n" in refused.err
    assert project.objects() == before
    project.ok("destroy", stack="octavo")
    refused = project.run("destroy")
    assert refused.code == 1
    assert "walter is still up" in refused.err
    project.ok("destroy", stack="walter")
    assert not orphans(project, "alfred") - {k for k in project.objects() if k.startswith("kubernetes/")}
    project.ok("destroy")


def test_a_member_that_wants_what_its_owner_has_not_made_yet_says_so(project: Project) -> None:
    three(project)
    project.ok("up")
    owner = yaml.safe_load((project.folder / "Pulumi.alfred.yaml").read_text())
    owner["config"]["gatehouse:estate"]["people"]["friends"] = ["eve@example.com"]
    (project.folder / "Pulumi.alfred.yaml").write_text(yaml.safe_dump(owner))
    node = {**NODE, "name": "octavo", "context": "octavo", "lan_ipv4": "192.168.0.8"}
    service = {**HTML, "people": "friends"}
    project.write("octavo", stack_text({"wiki": service}, member_of=REFERENCE, node=node))
    early = project.run("up", stack="octavo")
    assert early.code == 1
    assert "no policy for people 'friends'" in early.text
    assert "Traceback" not in early.text
    project.ok("up")
    project.ok("up", stack="octavo")
