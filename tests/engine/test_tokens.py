"""Service tokens by the real engine: made, shown, rotated and taken away, and nobody else gets in meanwhile."""

from __future__ import annotations

import re

import pytest

from tests.engine.kit import Object, Project, orphans
from tests.engine.stacks import at, small
from tests.engine.test_lifecycle import quiet
from tests.engine.wider import wider
from tests.kit.builders import ESTATE, HTML

pytestmark = pytest.mark.engine

PHOTOS = at("photos", HTML)
METRICS = at("metrics", HTML, clients="nobody", paths={"/federate": {"clients": "nobody", "tokens": ["prometheus"]}})
TOKENS: Object = {"phone": {"holder": "the photo app"}, "prometheus": {"duration": "720h"}}


def write(project: Project, known: Object = TOKENS, **photos: object) -> None:
    small(project, {"photos": {**PHOTOS, **photos}, "metrics": METRICS}, estate={**ESTATE, "tokens": known})


def of(project: Project, kind: str) -> dict[str, Object]:
    """The bodies of one kind in Cloudflare, by name."""
    bodies = [o["body"] for key, o in project.objects().items() if key.startswith(f"cloudflare/{kind}/")]
    return {body["name"]: body for body in bodies}


def headers(project: Project, name: str) -> list[str]:
    shown = project.run("token", name, "--show", simulated=True)
    assert shown.code == 0, shown.text
    return re.findall(r"^CF-Access-Client-(?:Id|Secret): (\S+)$", shown.out, re.MULTILINE)


def test_tokens_get_in_by_name_beside_people_and_alone_and_their_secrets_stay_secret(project: Project) -> None:
    write(project, {"prometheus": {"duration": "720h"}})
    project.ok("up")
    since = len(project.history())
    write(project, TOKENS, tokens="phone")
    up = project.ok("up")
    assert up.steps["ZeroTrustAccessServiceToken/tokens-phone"] == "create"
    # Nobody without a token gets in anywhere further.
    assert wider(project, since) == []
    policies = {
        key.rpartition("/")[2]: o["body"]
        for key, o in project.objects().items()
        if key.startswith("cloudflare/access-policy/")
    }
    attached = {
        name: [(policies[p["id"]]["decision"], p["precedence"]) for p in body["policies"]]
        for name, body in of(project, "access-app").items()
    }
    assert attached["Photos"] == [("non_identity", 1), ("allow", 2)]
    assert attached["Metrics /federate"] == [("non_identity", 1)]
    assert attached["Metrics"] == [("deny", 1)]
    identity, secret = headers(project, "phone")
    assert identity.endswith(".access")
    for path in project.folder.rglob("*"):
        # What the command itself printed is kept there by these tests.
        if path.is_file() and path.parent.name != "runs":
            assert secret.encode() not in path.read_bytes(), path
    quiet(project.ok("preview"))
    quiet(project.ok("refresh"))

    # A raised version makes a new secret, in place.
    rotation = project.run("token", "phone", "--rotate", simulated=False)
    version, until = re.search(r"version: (\d+)\n\s+previous_until: \"(\S+)\"", rotation.out).groups()  # type: ignore[union-attr]
    write(project, {**TOKENS, "phone": {"version": int(version), "previous_until": until}}, tokens="phone")
    rotated = project.ok("up")
    assert rotated.steps == {"ZeroTrustAccessServiceToken/tokens-phone": "update"}
    again = headers(project, "phone")
    assert again[0] == identity
    assert again[1] != secret
    quiet(project.ok("up"))

    # Taken away: the policy lets it in no longer before the token is gone, and nobody else gets in.
    since = len(project.history())
    write(project, {"prometheus": {"duration": "720h"}})
    project.ok("up")
    assert wider(project, since) == []
    assert set(of(project, "service-token")) == {"Gatehouse prometheus"}
    assert not orphans(project, "alfred")
    project.ok("destroy")
