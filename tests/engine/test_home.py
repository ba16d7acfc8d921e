"""The example with every form of a way in goes the whole life, and `who` says of it what the clouds' objects say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.loader import load_project
from exposure.plan import plan_stack
from exposure.reach import ANYONE, MEMBER, Principal, Surface, from_plan, merge, who
from exposure.reach import Request as Asked
from tests.engine.kit import RETAINED, ROOT, Project, orphans
from tests.engine.test_lifecycle import quiet
from tests.engine.wider import MEMBER as SOME_MEMBER
from tests.engine.wider import STRANGER, Request, View, requests, wider

pytestmark = pytest.mark.engine

STACKS = ("attic", "shed")
EXTERNAL = 25565
"""The router's port that leads to the game's node port."""


def surface_of(project: Project) -> Surface:
    """What `who` is asked about: the stack files, planned."""
    stacks = load_project(project.folder)
    plans = [plan_stack(stacks[name], stacks) for name in STACKS]
    return merge(from_plan(plan, plans[0] if plan.owner else None) for plan in plans)


def said(surface: Surface, name: str, request: Request) -> bool:
    """Whether `who` says that somebody reaches something by a request."""
    principal = {STRANGER: ANYONE, SOME_MEMBER: MEMBER}.get(name, Principal("person", name))
    port, scheme = request.port, "https" if request.port == 443 else request.protocol
    if request.by == "router":
        port, scheme = EXTERNAL, request.protocol
    return who(surface, Asked(request.host, port, request.path or "/", scheme), principal).reaches  # type: ignore[arg-type]


def found(view: View, name: str, request: Request) -> bool:
    """The same, read off the objects; to a machine of the tailnet one may come by a Funnel as well."""
    by = {request.by} if "." in request.host else {"internet", "tailnet"}
    return any(view.reached(name, replace(request, by=one)) for one in by)


def test_a_home_with_every_form_goes_the_whole_life_and_who_agrees_with_the_clouds(project: Project) -> None:
    for name in STACKS:
        project.write(name, (ROOT / f"examples/home/Pulumi.{name}.yaml").read_text(encoding="utf-8"))
    for name in STACKS:
        assert project.run("check", stack=name, simulated=False).code == 0
    for name in STACKS:
        since = len(project.history())
        planned = project.ok("preview", stack=name)
        up = project.ok("up", stack=name)
        assert up.steps == planned.steps
        assert set(up.steps.values()) == {"create"}
        assert wider(project, since) == []
        quiet(project.ok("preview", stack=name))
    assert not orphans(project, *STACKS)

    view, surface = View(project.objects()), surface_of(project)
    names = [STRANGER, SOME_MEMBER, *sorted(view.people())]
    # For deeper names the edge has no certificate, which is no lock; of two readings of a path `who` takes the wider.
    asked = [request for request in requests([view]) if "deep." not in request.host and ".." not in request.path]
    answers = {(name, r): found(view, name, r) for name in names for r in asked}
    assert {one: said(surface, *one) for one in answers} == answers
    reached = {(name, r.host) for (name, r), reaches in answers.items() if reaches}
    assert {host for name, host in reached if name == STRANGER} == {
        "example.com",
        "blog.example.com",
        "any.example.org",
        "automation.example.org",
        "receiver-attic.example.com",
        "photos-attic",
        "game-attic.example.com",
    }
    assert {host for name, host in reached if name == "alice@example.com"} >= {
        "paperless-attic.example.com",
        "cameras.example.org",
        "paperless-attic",
        "git-attic",
        "dns-attic",
        "game-attic",
        "shed",
    }

    for name in STACKS:
        quiet(project.ok("refresh", stack=name))
        quiet(project.ok("up", stack=name))
    before = project.objects()
    for name in reversed(STACKS):
        since = len(project.history())
        project.ok("destroy", stack=name)
        assert wider(project, since) == []
        assert not project.state(name).get("resources")
    # The user's own Service stays, with nothing of ours on it; and what a destroy leaves.
    [dns] = [item for key, item in project.objects().items() if "/v1/Service/" in key]
    assert "tailscale.com/expose" in str(before["kubernetes/attic/v1/Service/adguard/adguard-dns"]["body"])
    assert "tailscale.com" not in str(dns["body"])
    kinds = {"/".join(key.split("/")[:2]) for key in project.objects() if not key.startswith("kubernetes/")}
    assert kinds == RETAINED
