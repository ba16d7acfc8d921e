"""Service tokens by the real engine: made, shown, rotated and taken away, and nobody else gets in meanwhile."""

from __future__ import annotations

import re

import pytest

from tests.engine.kit import Object, Project, orphans
from tests.engine.stacks import at, small
from tests.engine.test_lifecycle import quiet
from tests.engine.test_lost_state import lose_state
from tests.engine.wider import Request, View, wider
from tests.gatehouse.probe.world import Request as Asked
from tests.gatehouse.probe.world import Response, World, login
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


def versions(project: Project) -> dict[str, tuple[str, int]]:
    """The id of each token in Cloudflare and which of its secrets is good, by name."""
    return {name: (o["clientId"], o["clientSecretVersion"]) for name, o in of(project, "service-token").items()}


def headers(project: Project, name: str) -> list[str]:
    shown = project.run("token", name, "--show", simulated=True)
    assert shown.code == 0, shown.text
    return re.findall(r"^CF-Access-Client-(?:Id|Secret): (\S+)$", shown.out, re.MULTILINE)


def edge_of(project: Project) -> World:
    """Cloudflare's edge on loopback, which lets in by the ids and secrets that the simulated clouds gave out."""
    good = {tuple(headers(project, name)): name for name in TOKENS}
    assert len(good) == 2

    def edge(request: Asked) -> Response:
        if request.scheme == "http":
            return Response(301, headers={"Location": f"https://{request.name}{request.target}"})
        sent = (request.headers.get("cf-access-client-id", ""), request.headers.get("cf-access-client-secret", ""))
        token, photos = good.get(sent), request.name.startswith("photos")
        if not photos and not request.target.startswith("/federate"):
            return Response(403)
        if token == ("phone" if photos else "prometheus"):
            return there.origin(request)
        return login(request, ESTATE["team"]) if photos else Response(401, headers={"Cf-Access-Domain": request.name})

    there = World(hosts=["photos-alfred", "metrics-alfred"], replies=[(lambda r: True, edge)])
    return there


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

    # From outside each gets in where it is named, with the secret that the state has, and nothing else does.
    with edge_of(project) as there:
        seen = project.run("verify", *there.arguments(), "--all", "--only", "zero-trust", simulated=False)
    assert "none failed" in seen.out.splitlines()[-1], seen.text
    assert re.search(r"^ok  photos/token-phone: 200$", seen.out, re.MULTILINE)
    assert re.search(r"^ok  metrics/wrong-secret-prometheus/federate: 401, refused$", seen.out, re.MULTILINE)
    assert len(there.reached) == 2
    assert secret not in seen.text

    made = len(project.history())
    # It is said thirty days before the end, until another duration renews it, in place and with the same secret.
    check = project.run("check", simulated=False)
    assert (check.code, check.out.count("[token-ends]")) == (0, 1)
    assert project.run("token", simulated=False).code == 1
    ends = headers(project, "prometheus")
    write(project, {**TOKENS, "prometheus": {"duration": "8760h"}}, tokens="phone")
    renewed = project.ok("up")
    assert renewed.steps == {"ZeroTrustAccessServiceToken/tokens-prometheus": "update"}
    assert headers(project, "prometheus") == ends
    assert "token-ends" not in project.run("check", simulated=False).out
    write(project, TOKENS, tokens="phone")
    project.ok("up")

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
    # At no moment since it was made was the app out, and nobody else came in meanwhile.
    photos = Request("internet", "photos-alfred.example.com", "tcp", 443, "/")
    states = [View(objects) for _, objects in project.history()[made:]]
    assert len(states) > 2
    assert all(view.reached("token:phone", photos) for view in states)
    assert wider(project, made) == []

    # Taken away: the policy lets it in no longer before the token is gone, and nobody else gets in.
    since = len(project.history())
    write(project, {"prometheus": {"duration": "720h"}})
    project.ok("up")
    assert wider(project, since) == []
    assert set(of(project, "service-token")) == {"Gatehouse prometheus"}
    assert not orphans(project, "alfred")
    project.ok("destroy")


def test_after_a_lost_state_a_token_keeps_its_secret_which_nobody_can_read(project: Project) -> None:
    rotated: Object = {"version": 2, "previous_until": "2026-12-24T18:00:00Z"}
    known: Object = {"phone": rotated, "prometheus": {**rotated, "duration": "720h"}}
    write(project, {"phone": {}, "prometheus": {"duration": "720h"}}, tokens="phone")
    project.ok("up")
    write(project, known, tokens="phone")
    project.ok("up")
    before = versions(project)
    assert [version for _, version in before.values()] == [2, 2]
    lose_state(project)
    since = len(project.calls())
    # Cloudflare tells no version; one of them is adopted as it was found, for it is to last longer.
    write(project, {**known, "prometheus": {**rotated, "duration": "900h"}}, tokens="phone")
    adopted = project.ok("adopt", "--apply")
    assert "ZeroTrustAccessServiceToken/tokens-phone" in adopted.out
    text = (project.folder / "Pulumi.alfred.yaml").read_text().partition("gatehouse:adopt:")[2]
    assert "tokens-prometheus" in text.partition("gatehouse:recover:")[0]
    assert "tokens-phone" in text.partition("gatehouse:recover:")[2]
    up = project.ok("up")
    assert not set(up.steps.values()) & {"replace", "delete"}
    made = [call["type"].rsplit(":", 1)[-1] for call in project.calls()[since:] if call["method"] == "create"]
    assert not [kind for kind in made if kind.startswith("ZeroTrustAccess")]
    assert versions(project) == before
    project.ok("adopt", "--done", "--apply")
    assert project.ok("up").steps == {"ZeroTrustAccessServiceToken/tokens-prometheus": "update"}
    assert versions(project) == before
    quiet(project.ok("up"))
    shown = project.run("token", "phone", "--show", simulated=True)
    assert shown.code == 1
    assert "Cloudflare shows a secret once. The app that has it keeps working." in " ".join(shown.err.split())
    assert "None" not in shown.text
    # Rotated on purpose, it has one that is known.
    write(project, {**known, "phone": {**rotated, "version": 3}}, tokens="phone")
    project.ok("up")
    assert headers(project, "phone")[0] == before["Gatehouse phone"][0]
