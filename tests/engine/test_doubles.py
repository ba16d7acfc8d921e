"""Second objects of ours in the account: seen after `up` and on request, and removed by their ids alone."""

from __future__ import annotations

import json

import pytest

from gatehouse.simulation import tamper
from tests.engine.kit import Project, orphans
from tests.engine.stacks import SMALL, small
from tests.engine.test_lifecycle import quiet

pytestmark = pytest.mark.engine

FEW = {name: SMALL[name] for name in ("grafana", "blog")}
COPY = "99999999-0000-4000-8000-000000000001"


def copied(project: Project) -> str:
    """The key of a copy of grafana's application which lets anyone by, as a repeated POST could have left it."""
    ours = tamper.find(project.clouds, "cloudflare/access-app/", name="Grafana")
    everyone = tamper.find(project.clouds, "cloudflare/access-policy/", decision="bypass").rsplit("/", 1)[-1]
    body = {**project.objects()[ours]["body"], "policies": [{"id": everyone, "precedence": 1}]}
    tamper.put(project.clouds, f"cloudflare/access-app/{COPY}", body, COPY)
    return f"cloudflare/access-app/{COPY}"


@pytest.mark.parametrize("type_", ["ZeroTrustAccessGroup", "ZeroTrustAccessPolicy"])
def test_what_a_repeated_request_made_twice_is_named_after_up_and_can_be_removed(project: Project, type_: str) -> None:
    small(project, FEW)
    project.faults({"do": "status", "status": 502, "when": "after", "type": type_, "method": "create", "times": 1})
    up = project.ok("up")
    project.faults()
    [stray] = orphans(project, "alfred")
    own = stray.rsplit("/", 1)[-1]
    assert "warning: Cloudflare has a second Access" in up.err
    assert f"Remove it: gatehouse doubles --stack alfred --remove {own} --simulated" in up.err
    before = project.objects()
    assert project.run("doubles").code == 1
    project.ok("doubles", "--remove", own, "--yes")
    assert project.objects() == {key: item for key, item in before.items() if key != stray}
    assert project.ok("doubles").out == "There are no doubles on the simulated clouds.\n"
    quiet(project.ok("up", "--refresh"))


def test_an_open_copy_of_an_application_says_whom_it_lets_in(project: Project) -> None:
    small(project, FEW)
    assert "second" not in project.ok("up").text
    copy = copied(project)
    # Nothing of Cloudflare's was changed: nobody looks.
    assert "second" not in project.ok("up").text
    small(project, {**FEW, "wiki": {**FEW["grafana"], "title": "Wiki"}})
    up = project.ok("up")
    said = " ".join(up.err.split())
    assert 'warning: Cloudflare has a second Access application "Grafana" (grafana-alfred.example.com)' in said
    assert "It lets in: anyone (bypass)." in said
    listed = project.run("doubles", "--json")
    assert listed.code == 1
    assert [d["id"] for d in json.loads(listed.out)["doubles"]] == [COPY]
    project.ok("doubles", "--remove", COPY, "--yes")
    assert copy not in project.objects()


def test_nothing_but_a_double_is_removed(project: Project) -> None:
    small(project, FEW)
    project.ok("up")
    copied(project)
    ours = tamper.find(project.clouds, "cloudflare/access-policy/", decision="bypass").rsplit("/", 1)[-1]
    tamper.put(project.clouds, "cloudflare/access-group/stranger", {"name": "Neighbours", "includes": []}, "stranger")
    before = project.objects()
    for own in (ours, "stranger", "no-such-id"):
        refused = project.run("doubles", "--remove", own, "--yes")
        assert refused.code == 2, own
        assert "it is no double" in refused.err
    # Without a terminal nobody can be asked.
    assert project.run("doubles", "--remove", COPY).code == 2
    assert project.objects() == before
