"""No secret is anywhere in clear: not in the state, not in what is printed, not in logs, events or manifests."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from gatehouse.engine.acquire import Engine
from gatehouse.simulation.tamper import objects
from tests.engine.kit import Project, doubles
from tests.engine.real import RealProject
from tests.engine.stacks import SMALL, small
from tests.kit.builders import ESTATE, HTML, NODE
from tests.simulation.calls import read_calls, write_plan

pytestmark = pytest.mark.engine

TUNNEL = b"MARK-tunnel-6f1d2c9ab874e35TUNNL"
MARKS = {
    "google": "MARK-google-41f7a05cd29b",
    "github": "MARK-github-c07e5a91b3d2",
    "tunnel": base64.b64encode(TUNNEL).decode(),
    "cloudflare": "MARK-cloudflare-token-b81f90a2c4de",
    "tailscale": "MARK-tailscale-oauth-77a9c3e05b12",
    "passphrase": "MARK-passphrase-3d80f6",
}
SECRETS = {
    "gatehouse:google_client_secret": MARKS["google"],
    "gatehouse:tunnel_secret": MARKS["tunnel"],
    "cloudflare:apiToken": MARKS["cloudflare"],
    "tailscale:oauthClientSecret": MARKS["tailscale"],
}


def forms(secret: bytes) -> Iterator[bytes]:
    """The secret as it is, in base64 (also inside a longer text), in hexadecimal, quoted and backwards escaped."""
    yield secret
    yield secret.hex().encode()
    yield quote(secret.decode(), safe="").encode()
    for ahead in range(3):
        # The characters that stand for whole bytes of the secret, wherever it begins.
        text = base64.b64encode(b"\0" * ahead + secret)
        yield text[(4 if ahead else 0) : -4]


def marks() -> dict[str, set[bytes]]:
    """All forms of all secrets; the shortest is long enough to be nothing else."""
    raw = {name: value.encode() for name, value in MARKS.items()} | {"tunnel's bytes": TUNNEL}
    found = {name: set(forms(value)) for name, value in raw.items()}
    assert all(len(form) > 12 for several in found.values() for form in several)
    return found


def leaks(*folders: Path) -> list[str]:
    """Each file that holds a secret in any form, with the secret's name."""
    sought = marks()
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files
    return [
        f"{name} in {path}"
        for path in files
        for data in [path.read_bytes()]
        for name, several in sought.items()
        if any(form in data for form in several)
    ]


@pytest.fixture
def real(project: Project, engine: Engine, tmp_path: Path) -> RealProject:
    login = {"hub": {"type": "github", "client_id": "Iv1.0123456789abcdef"}}
    small(project, {n: SMALL[n] for n in ("grafana", "blog", "komga")}, estate={**ESTATE, "logins": login})
    variables = {"PULUMI_CONFIG_PASSPHRASE": MARKS["passphrase"]}
    made = RealProject(project, engine, tmp_path / "clouds" / "clouds.json", variables)
    made.set_up({**SECRETS, "gatehouse:hub_client_secret": MARKS["github"]})
    made.pulumi("config", "set", "tailscale:oauthClientId", "client", "--stack", "alfred")
    return made


def test_secrets_are_nowhere_in_clear_through_a_life_with_failures(real: RealProject, tmp_path: Path) -> None:
    project = real.project
    with real.attached():

        def run(*words: str) -> str:
            done = project.run(*words, simulated=False)
            assert "Clouds: real." in done.text, done.text
            return f"{done.code} {done.text}"

        assert run("preview", "--debug").startswith("0")
        # As loud as docs/troubleshooting.md has it; operations fail with each secret in play.
        project.env |= {"PULUMI_OPTION_VERBOSE": "7", "PULUMI_OPTION_LOGTOSTDERR": "true"}
        for types in (("ZeroTrustTunnelCloudflared", "ZeroTrustAccessIdentityProvider"), ("Secret",)):
            write_plan(real.state, *({"do": "refuse", "type": type_, "method": "create"} for type_ in types))
            assert run("up", "--yes", "--debug").startswith("1")
        write_plan(real.state)
        assert run("up", "--yes", "--debug").startswith("0")
        assert (project.folder / ".gatehouse" / "last-run.log").stat().st_size > 100_000
        assert run("up", "--yes").startswith("0")
        assert run("refresh").startswith("0")
        assert run("preview", "--refresh", "--debug").startswith("0")
        real.pulumi("stack", "export", "--stack", "alfred", "--file", str(tmp_path / "export.json"))
        shown = real.pulumi("stack", "output", "--stack", "alfred", "--json")
        (tmp_path / "outputs.json").write_text(shown)
        assert leaks(tmp_path) == []

    # They are in play, and are found where they are asked for in clear.
    clear = real.pulumi("stack", "export", "--show-secrets", "--stack", "alfred")
    (tmp_path / "clear").mkdir()
    (tmp_path / "clear" / "export.json").write_text(clear)
    found = {leak.split(" in ")[0] for leak in leaks(tmp_path / "clear")}
    assert found >= {"google", "github", "tunnel", "cloudflare", "tailscale"}
    token = json.dumps({"s": MARKS["tunnel"]}).encode()
    (tmp_path / "clear" / "export.json").write_bytes(base64.b64encode(b"xx" + token))
    assert leaks(tmp_path / "clear") == [f"tunnel in {tmp_path / 'clear' / 'export.json'}"]


def test_rendered_manifests_hold_no_secret(
    project: Project, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)  # where a plugin of the engine's would be
    node = {**NODE, "manifests_folder": "manifests/alfred"}
    small(project, {"wiki": HTML}, node=node)
    variables = {"PULUMI_CONFIG_PASSPHRASE": MARKS["passphrase"]}
    real = RealProject(project, engine, tmp_path / "clouds" / "clouds.json", variables)
    real.set_up(SECRETS)
    real.pulumi("config", "set", "tailscale:oauthClientId", "client", "--stack", "alfred")
    with real.attached():
        done = project.run("up", "--yes", simulated=False)
        assert done.code == 0, done.text
    manifests = list((project.folder / "manifests").rglob("*.yaml"))
    assert any("cloudflared" in path.name for path in manifests)
    assert not any("secret" in path.name.lower() for path in manifests)
    assert leaks(tmp_path) == []


def test_a_run_that_was_killed_on_real_clouds_is_taken_up_by_the_next(real: RealProject) -> None:
    """The accounts are read by the simulated clouds' own reader: nothing here answers as the services do."""
    project = real.project
    with real.attached():
        write_plan(
            real.state,
            {"do": "hang", "when": "after", "type": "ZeroTrustAccessGroup"},
            {"do": "hang", "when": "before", "type": "ZeroTrustTunnelCloudflared"},
        )

        def both() -> bool:
            struck = [c for c in read_calls(real.state) if c["outcome"].startswith("fault: hang")]
            return len(struck) == 2 and sum(c["method"] == "create" for c in read_calls(real.state)) > 12

        killed = project.run("up", "--yes", simulated=False, doom=both)
        assert killed.code == -9
        write_plan(real.state)
    with real.attached():
        taken = project.run("up", "--yes", simulated=False)
        assert taken.code == 0, taken.text
        assert "The lock of a run of alfred that was killed is taken away" in taken.out
        assert "ZeroTrustAccessGroup/google-people-household: it is there, and is taken over" in taken.out
        assert "ZeroTrustTunnelCloudflared/alfred-tunnel: nothing of it is there" in taken.out
        again = project.run("up", "--yes", simulated=False)
        assert again.changes == {}, again.text
        assert not doubles(objects(real.state))
    assert leaks(project.folder / ".gatehouse") == []
