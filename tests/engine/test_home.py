"""The example homes go the whole life, and `who` says of them what the clouds' objects say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from config.loader import load_project
from exposure.plan import plan_stack
from exposure.reach import ANYONE, MEMBER, Surface, from_plan, merge, who
from exposure.reach import Request as Asked
from exposure.reach.evaluate import parse_principal
from tests.engine.kit import RETAINED, ROOT, Project, orphans
from tests.engine.test_lifecycle import quiet
from tests.engine.wider import MEMBER as SOME_MEMBER
from tests.engine.wider import STRANGER, Request, View, requests, wider

pytestmark = pytest.mark.engine

EXTERNAL = 25565
"""The router's port that leads to the game's node port."""
ALICE = {
    "paperless-attic.example.com",
    "cameras.example.org",
    "paperless-attic",
    "git-attic",
    "dns-attic",
    "game-attic",
    "shed",
}
HOMES: dict[str, tuple[tuple[str, ...], dict[str, set[str]]]] = {
    "home": (
        ("attic", "shed"),
        {
            STRANGER: {
                "example.com",
                "blog.example.com",
                "any.example.org",
                "automation.example.org",
                "receiver-attic.example.com",
                "photos-attic",
                "game-attic.example.com",
            },
            "alice@example.com": ALICE,
        },
    ),
    "family": (
        ("villa",),
        {
            STRANGER: {"photos.example.com"},
            "gail@example.com": {"photos.example.com"},
            "gil@example.com": {"photos.example.com", "welcome.example.com"},
            "token:ada-phone": {"photos.example.com", "papers.example.com", "messages.example.com"},
            "token:ben-phone": {"photos.example.com", "messages.example.com"},
            "token:scanner": {"photos.example.com", "papers.example.com"},
        },
    ),
    "developer": (
        ("desk",),
        {
            STRANGER: {"docs.example.com", "hooks.example.com"},
            "carl@example.com": {f"{name}.example.com" for name in ("docs", "hooks", "app", "api")},
            "token:ci": {f"{name}.example.com" for name in ("docs", "hooks", "git", "api")},
            "token:prometheus": {f"{name}.example.com" for name in ("docs", "hooks", "git", "metrics")},
        },
    ),
}
"""The stacks of each, and the hosts at which somebody reaches anything."""


def surface_of(project: Project, names: Sequence[str]) -> Surface:
    """What `who` is asked about: the stack files, planned."""
    stacks = load_project(project.folder)
    plans = [plan_stack(stacks[name], stacks) for name in names]
    return merge(from_plan(plan, plans[0] if plan.owner else None) for plan in plans)


def said(surface: Surface, name: str, request: Request) -> bool:
    """Whether `who` says that somebody reaches something by a request."""
    principal = {STRANGER: ANYONE, SOME_MEMBER: MEMBER}.get(name) or parse_principal(name)
    assert principal
    port, scheme = request.port, "https" if request.port == 443 else request.protocol
    if request.by == "router":
        port, scheme = EXTERNAL, request.protocol
    return who(surface, Asked(request.host, port, request.path or "/", scheme), principal).reaches  # type: ignore[arg-type]


def found(view: View, name: str, request: Request) -> bool:
    """The same, read off the objects, by any login and from anywhere; a Funnel may lead to the tailnet too."""
    by = {request.by} if "." in request.host else {"internet", "tailnet"}
    # Anybody may come from an address at which anyone gets in.
    whoever = {name, *(person for person in view.people() if person.startswith((f"{name} ", f"{STRANGER} ")))}
    return any(view.reached(person, replace(request, by=one)) for person in whoever for one in by)


@pytest.mark.parametrize("home", HOMES)
def test_a_home_goes_the_whole_life_and_who_agrees_with_the_clouds(project: Project, home: str) -> None:
    names, hosts = HOMES[home]
    for name in names:
        project.write(name, (ROOT / f"examples/{home}/Pulumi.{name}.yaml").read_text(encoding="utf-8"))
    for name in names:
        assert project.run("check", stack=name, simulated=False).code == 0
    for name in names:
        since = len(project.history())
        planned = project.ok("preview", stack=name)
        up = project.ok("up", stack=name)
        assert up.steps == planned.steps
        assert set(up.steps.values()) == {"create"}
        assert wider(project, since) == []
        quiet(project.ok("preview", stack=name))
    assert not orphans(project, *names)

    view, surface = View(project.objects()), surface_of(project, names)
    named = {person.partition(" ")[0] for person in view.people() if not person.startswith(STRANGER)}
    everybody = [STRANGER, SOME_MEMBER, *sorted(named)]
    # For deeper names the edge has no certificate, which is no lock; of two readings of a path `who` takes the wider.
    asked = [request for request in requests([view]) if "deep." not in request.host and ".." not in request.path]
    answers = {(who, r): found(view, who, r) for who in everybody for r in asked}
    assert {one: said(surface, *one) for one in answers} == answers
    reached = {(who, r.host) for (who, r), reaches in answers.items() if reaches}
    found_at = {who: {host for one, host in reached if one == who} for who in hosts}
    assert {who: at & hosts[who] if who == "alice@example.com" else at for who, at in found_at.items()} == hosts

    for name in names:
        quiet(project.ok("refresh", stack=name))
        quiet(project.ok("up", stack=name))
    before = project.objects()
    for name in reversed(names):
        since = len(project.history())
        project.ok("destroy", stack=name)
        assert wider(project, since) == []
        assert not project.state(name).get("resources")
    kinds = {"/".join(key.split("/")[:2]) for key in project.objects() if not key.startswith("kubernetes/")}
    assert kinds == RETAINED
    if home == "home":
        # The user's own Service stays, with nothing of ours on it; and what a destroy leaves.
        [dns] = [item for key, item in project.objects().items() if "/v1/Service/" in key]
        assert "tailscale.com/expose" in str(before["kubernetes/attic/v1/Service/adguard/adguard-dns"]["body"])
        assert "tailscale.com" not in str(dns["body"])
