"""How long a login lasts at one service, by the real engine: its policy goes where it is said and comes back."""

from __future__ import annotations

import pytest

from tests.engine.kit import Object, Project
from tests.engine.stacks import at, small
from tests.engine.test_lifecycle import quiet
from tests.engine.wider import wider
from tests.kit.builders import ESTATE, HTML

pytestmark = pytest.mark.engine


def attached(project: Project) -> dict[str, list[tuple[str, str, str]]]:
    """Of each application: its session, and each policy's name and session, which counts before it."""
    bodies: dict[str, Object] = {key: o["body"] for key, o in project.objects().items()}
    policies = {key.rpartition("/")[2]: b for key, b in bodies.items() if key.startswith("cloudflare/access-policy/")}
    return {
        body["name"]: [
            (body["sessionDuration"], policies[p["id"]]["name"], policies[p["id"]]["sessionDuration"])
            for p in body["policies"]
        ]
        for key, body in bodies.items()
        if key.startswith("cloudflare/access-app/")
    }


def test_a_session_of_a_service_comes_changes_and_goes_and_nobody_else_gets_in(project: Project) -> None:
    usual = ("24h", "Google Account: household", "24h")
    for session in (None, "1h", "720h", None):
        since = len(project.history())
        access = {"access": {"session_duration": session}} if session else {}
        small(project, {"photos": at("photos", HTML, **access), "wiki": at("wiki", HTML)}, estate=ESTATE)
        planned = project.ok("preview")
        up = project.ok("up")
        assert up.steps == planned.steps
        own = (session, f"Google Account: household for {session}", session) if session else usual
        assert attached(project) == {"Photos": [own], "Wiki": [usual]}
        assert wider(project, since) == []
        quiet(project.ok("preview"))
