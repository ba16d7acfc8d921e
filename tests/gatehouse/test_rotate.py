"""`gatehouse rotate`, apart from the engine: where a value goes, what is asked, and what comes next."""

from __future__ import annotations

import base64
import io
import subprocess
from pathlib import Path
from typing import Any

import pytest

from config.loader import parse_stack_text, type_stack
from gatehouse import cli
from gatehouse.commands import CommandError
from gatehouse.engine import secrets
from gatehouse.engine.acquire import Engine
from gatehouse.engine.workspace import EngineCommand, Workspace
from tests.kit.builders import HTML, NODE, stack_text

SERVICES = {"wiki": HTML}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """What is set: key, value, whether as a secret. No engine is there."""
    found: list[tuple[str, str, bool]] = []

    def set_value(workspace: object, stack: str, key: str, value: str, *, secret: bool = True) -> None:
        found.append((key, value, secret))

    monkeypatch.setattr(secrets, "open_workspace", lambda *_, **__: None)
    monkeypatch.setattr(secrets, "set_value", set_value)
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    write(tmp_path)
    return tmp_path


def write(project: Path, stack: str = "alfred", **sections: Any) -> Path:
    path = project / f"Pulumi.{stack}.yaml"
    path.write_text(stack_text(SERVICES, **sections))
    return path


def types(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def rotate(project: Path, *words: str) -> int:
    return cli.main(["-C", str(project), "rotate", *words, "--simulated"])


def test_a_tunnel_secret_is_thirty_two_random_bytes_that_nobody_sees(
    project: Path, given: list[tuple[str, str, bool]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert rotate(project, "tunnel-token") == 0
    assert rotate(project, "tunnel-token") == 0
    (key, first, secret), (_, second, _) = given
    assert (key, secret) == ("gatehouse:tunnel_secret", True)
    assert len(base64.b64decode(first, validate=True)) == len(base64.b64decode(second)) == 32
    assert first != second
    shown = capsys.readouterr().out
    assert first not in shown
    assert "1. gatehouse up --stack alfred --simulated" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_with_rendered_manifests_the_secret_in_the_cluster_is_made_by_hand(
    project: Path, given: list[tuple[str, str, bool]], capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, node={**NODE, "manifests_folder": "manifests"})
    assert rotate(project, "tunnel-token") == 0
    shown = capsys.readouterr().out
    assert "create secret generic cloudflared-token" in shown
    assert "rollout restart deployment cloudflared" in shown


def test_the_google_secret_is_asked_for_and_the_old_one_goes_last(
    project: Path,
    given: list[tuple[str, str, bool]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    types(monkeypatch, "a-new-secret\n")
    assert rotate(project, "google-secret") == 0
    assert given == [("gatehouse:google_client_secret", "a-new-secret", True)]
    shown = capsys.readouterr().out
    assert "a-new-secret" not in shown
    assert shown.index("Add secret") < shown.index("gatehouse up") < shown.index("delete it")


def test_an_empty_value_changes_nothing(
    project: Path,
    given: list[tuple[str, str, bool]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    types(monkeypatch, "\n")
    assert rotate(project, "google-secret") == 1
    assert given == []
    assert "nothing was changed" in capsys.readouterr().err


def test_a_members_google_secret_is_its_owners(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, "octavo", member_of="organization/gatehouse/alfred", node={**NODE, "name": "octavo"})
    assert rotate(project, "google-secret", "--stack", "octavo") == 2
    assert "--stack alfred" in capsys.readouterr().err


def test_the_credential_of_tailscale_is_set_as_the_stack_has_it(
    project: Path, given: list[tuple[str, str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    types(monkeypatch, "tskey-api-new\n")
    assert rotate(project, "tailscale-key") == 0
    assert given == [("tailscale:apiKey", "tskey-api-new", True)]
    given.clear()
    path = project / "Pulumi.alfred.yaml"
    path.write_text(path.read_text() + "  tailscale:oauthClientId: kOLD\n")
    types(monkeypatch, "kNEW\ntskey-client-new\n")
    assert rotate(project, "tailscale-key") == 0
    assert given == [
        ("tailscale:oauthClientId", "kNEW", False),
        ("tailscale:oauthClientSecret", "tskey-client-new", True),
    ]


def test_the_operators_client_is_counted_in_the_stack_file(project: Path, given: list[tuple[str, str, bool]]) -> None:
    path = write(project, node={**NODE, "tailscale_operator": "helm"})
    for count in (2, 3):
        assert rotate(project, "tailscale-key") == 0
        config = type_stack(parse_stack_text(path.read_text(), "alfred")).config
        assert config is not None
        assert config.node.operator_key == count
    assert given == []


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_a_stack_file_keeps_its_line_ends_and_its_mode(project: Path, given: object, ends: bytes) -> None:
    path = write(project, node={**NODE, "tailscale_operator": "helm"})
    path.write_bytes(path.read_bytes().replace(b"\n", ends))
    path.chmod(0o640)
    before = path.read_bytes().split(ends)
    assert rotate(project, "tailscale-key") == 0
    after = path.read_bytes().split(ends)
    assert len(after) == len(before) + 1
    assert set(before) < set(after)
    assert path.stat().st_mode & 0o777 == 0o640


def workspace(tmp_path: Path) -> Workspace:
    engine = Engine(Path("pulumi"), "3.276.0", "a stand-in")
    return Workspace(tmp_path, EngineCommand(engine, {}), {}, None)


def test_a_value_goes_to_the_engines_input_and_not_to_its_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[str], str]] = []

    def run(command: list[str], *, input: str, **_: object) -> subprocess.CompletedProcess[str]:
        seen.append((command, input))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    secrets.set_value(workspace(tmp_path), "alfred", "gatehouse:tunnel_secret", "hidden")
    [(command, typed)] = seen
    assert typed == "hidden"
    assert "hidden" not in " ".join(command)
    assert command[2:] == ["config", "set", "--secret", "gatehouse:tunnel_secret", "--stack", "alfred"]


def test_what_the_engine_says_is_told_without_the_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 255, "", "error: cannot set hidden: wrong passphrase\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(CommandError, match="wrong passphrase") as caught:
        secrets.set_value(workspace(tmp_path), "alfred", "gatehouse:tunnel_secret", "hidden")
    assert "hidden" not in str(caught.value)


def test_a_stack_that_the_backend_does_not_know_is_made_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.append(command[2:])
        unknown = len(seen) == 1
        return subprocess.CompletedProcess(command, 255 * unknown, "", "error: no stack named 'alfred' found" * unknown)

    monkeypatch.setattr(subprocess, "run", run)
    secrets.set_value(workspace(tmp_path), "alfred", "gatehouse:tunnel_secret", "hidden")
    assert seen[1] == ["stack", "init", "--no-select", "--stack", "alfred"]
    assert seen[2] == seen[0]
