"""What is protected, where somebody means it to go or types `pulumi destroy`: as docs/operate.md has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatehouse.engine.acquire import Engine
from gatehouse.simulation.tamper import find, objects
from tests.engine.kit import Project, short
from tests.engine.real import RealProject
from tests.engine.stacks import SMALL, edit, small
from tests.engine.test_lifecycle import quiet

pytestmark = pytest.mark.engine


@pytest.fixture
def real(project: Project, engine: Engine, tmp_path: Path) -> RealProject:
    """A stack that is up, on simulated clouds that it takes for real."""
    small(project, {name: SMALL[name] for name in ("grafana", "blog", "komga")})
    credentials = {
        "CLOUDFLARE_API_TOKEN": "made-up",
        "TAILSCALE_API_KEY": "made-up",
        "PULUMI_CONFIG_PASSPHRASE": "made-up",
    }
    made = RealProject(project, engine, tmp_path / "clouds" / "clouds.json", credentials)
    made.set_up({"gatehouse:google_client_secret": "made-up", "gatehouse:tunnel_secret": "A" * 43 + "="})
    return made


def test_dnssec_goes_in_the_order_that_the_failed_run_says_and_the_zone_stays_signed(real: RealProject) -> None:
    project = real.project
    with real.attached():
        up = project.run("up", "--yes", simulated=False)
        assert up.code == 0, up.text
        edit(project, "alfred", "name: example.com", "name: example.com\n      dnssec: false")
        failed = project.run("up", "--yes", simulated=False)
        assert failed.code == 1
        assert "Remove the DS record at the registrar" in failed.err
        [command] = [line.strip() for line in failed.err.splitlines() if "pulumi state unprotect" in line]
        real.pulumi(*(word.strip("'") for word in command.removeprefix("gatehouse pulumi ").split()))
        up = project.run("up", "--yes", simulated=False)
        assert up.code == 0, up.text
        assert up.steps["ZoneDnssec/estate-dnssec"] == "delete"
        [signed] = [o for key, o in objects(real.state).items() if key.startswith("cloudflare/dnssec/")]
        # Signed still: Cloudflare says pending until the registrar has the DS record, and disabled once it is off.
        assert signed["body"]["status"] in ("active", "pending")


def test_a_typed_pulumi_destroy_leaves_what_is_protected_and_up_makes_the_rest_again(real: RealProject) -> None:
    project = real.project
    with real.attached():
        assert project.run("up", "--yes", simulated=False).code == 0
        tunnel = find(real.state, "cloudflare/tunnel/")
        with pytest.raises(AssertionError):  # It ends with an error.
            real.pulumi("destroy", "--yes", "--skip-preview", "--stack", "alfred")
        left = {short(urn) for urn in real.pulumi("stack", "--show-urns", "--stack", "alfred").split() if "$" in urn}
        assert {
            "Zone/estate-zone",
            "ZoneDnssec/estate-dnssec",
            "ZeroTrustTunnelCloudflared/alfred-tunnel",
            "Acl/tailnet-policy",
            "DnsPreferences/tailnet-dns",
        } == {name for name in left if not name.endswith(("/alfred", "/tailnet", "/estate"))}
        up = project.run("up", "--yes", simulated=False)
        assert up.code == 0, up.text
        assert find(real.state, "cloudflare/tunnel/") == tunnel
        quiet(project.run("up", "--yes", simulated=False))
