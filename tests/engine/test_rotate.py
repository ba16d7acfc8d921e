"""Rotation by the real engine: exactly what holds the secret changes, and the old one goes last."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.engine.kit import ROOT, Project
from tests.engine.stacks import at, small
from tests.kit.builders import HTML, MEDIA, NODE

pytestmark = pytest.mark.engine

SERVICES = {"wiki": HTML, "komga": at("komga", MEDIA)}


def changes(project: Project, since: int) -> list[str]:
    """The calls that changed something, in order."""
    return [
        f"{c['method']} {c['type'].rsplit(':', 1)[-1]}/{c['name']}"
        for c in project.calls()[since:]
        if c["method"] in ("create", "update", "delete")
    ]


def stack_file(project: Project) -> str:
    return (project.folder / "Pulumi.alfred.yaml").read_text()


def test_a_new_tunnel_token_reaches_the_connectors_before_the_old_secret_goes(project: Project) -> None:
    small(project, SERVICES)
    project.ok("up")
    since, file = len(project.calls()), stack_file(project)
    [before] = [k for k in project.objects() if "/Secret/cloudflared/" in k]
    rotated = project.ok("rotate", "tunnel-token")
    assert "rollout status deployment cloudflared" in rotated.out
    assert stack_file(project) == file
    up = project.ok("up")
    assert up.steps == {
        "ZeroTrustTunnelCloudflared/alfred-tunnel": "update",
        "Secret/connector-token": "replace",
        "Deployment/connector-deployment": "update",
    }
    assert changes(project, since) == [
        "update ZeroTrustTunnelCloudflared/alfred-tunnel",
        "create Secret/connector-token",
        "update Deployment/connector-deployment",
        "delete Secret/connector-token",
    ]
    # At no call was the Deployment without a Secret that is there.
    for call, held in project.history():
        for key, item in held.items():
            if key.endswith("Deployment/cloudflared/cloudflared"):
                [container] = item["body"]["spec"]["template"]["spec"]["containers"]
                name = container["env"][0]["valueFrom"]["secretKeyRef"]["name"]
                assert f"kubernetes/alfred/v1/Secret/cloudflared/{name}" in held, call
                strategy = item["body"]["spec"]["strategy"]["rollingUpdate"]
                assert strategy == {"maxSurge": 1, "maxUnavailable": 0}
    [after] = [k for k in project.objects() if "/Secret/cloudflared/" in k]
    assert after != before
    assert project.ok("up").changes == {}


def test_a_new_google_secret_changes_the_login_method_alone_and_is_never_shown(project: Project) -> None:
    small(project, SERVICES)
    project.ok("up")
    done = subprocess.run(
        [sys.executable, "-m", "gatehouse.cli", "-C", str(project.folder), "rotate", "google-secret", "--simulated"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="a-marked-google-secret\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    up = project.ok("up")
    assert up.steps == {"ZeroTrustAccessIdentityProvider/google-idp": "update"}
    shown = done.stdout + done.stderr + up.text
    assert "a-marked-google-secret" not in shown
    for path in (project.folder / ".gatehouse").rglob("*"):
        if path.is_file():
            assert b"a-marked-google-secret" not in path.read_bytes(), path


def test_the_operators_new_client_is_there_before_the_old_one_goes(project: Project) -> None:
    small(project, SERVICES, node={**NODE, "tailscale_operator": "helm"})
    project.ok("up")
    since = len(project.calls())
    shown = project.ok("rotate", "tailscale-key")
    assert "+    operator_key: 2" in shown.out
    up = project.ok("up")
    assert up.steps == {
        "OauthClient/tailscale-operator-client": "replace",
        "Secret/tailscale-operator-oauth": "replace",
        "Release/tailscale-operator-release": "update",
    }
    assert changes(project, since) == [
        "create OauthClient/tailscale-operator-client",
        "delete Secret/tailscale-operator-oauth",
        "create Secret/tailscale-operator-oauth",
        "update Release/tailscale-operator-release",
        "delete OauthClient/tailscale-operator-client",
    ]
    assert project.ok("up").changes == {}


def test_a_stack_that_was_never_up_has_nothing_to_rotate(project: Project) -> None:
    small(project, SERVICES)
    refused = project.run("rotate", "tunnel-token")
    assert refused.code == 1
    assert "was never up" in refused.err
