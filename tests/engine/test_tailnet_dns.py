"""The tailnet's DNS through its life, by the real engine: written as one, found as it was written, and taken out."""

from __future__ import annotations

from typing import Any

import pytest

from gatehouse.engine.acquire import Engine
from gatehouse.engine.workspace import SimulatedWorkspace
from tests.engine.kit import Project, Run
from tests.engine.stacks import small
from tests.engine.test_lifecycle import quiet
from tests.kit.builders import ESTATE, HTML

pytestmark = pytest.mark.engine

ADGUARD = {
    "origin": {
        "namespace": "adguard",
        "service": "adguard",
        "port": 53,
        "scheme": "udp",
        "selector": {"app": "adguard"},
        "other_ports": [{"port": 53}],
    },
    "traffic": "non-html",
    "clients": "tailnet",
}
DNS = {
    "nameservers": ["9.9.9.9", "100.101.102.103", "1.1.1.1"],
    "override_local_dns": True,
    "split_dns": {"home.example.com": ["100.101.102.103"]},
}
WHOLE = "DnsConfiguration/tailnet-dns-configuration"


def _tailnet(project: Project, **dns: Any) -> None:
    tailnet = {**ESTATE["tailnet"], **({"dns": dns} if dns else {})}
    small(project, {"grafana": HTML, "adguard": ADGUARD}, estate={**ESTATE, "tailnet": tailnet})


def _told(project: Project) -> dict[str, Any]:
    return dict(project.objects()["tailscale/dns-configuration"]["body"])


def _magic(project: Project) -> bool:
    return bool(project.objects()["tailscale/dns-preferences"]["body"]["magicDns"])


def _unprotected(project: Project, engine: Engine, failed: Run) -> None:
    """Follows the command that a failed run says."""
    [command] = [line.strip() for line in failed.err.splitlines() if "state unprotect" in line]
    words = command.removeprefix("gatehouse pulumi --simulated ").split()
    SimulatedWorkspace(project.folder, "gatehouse", engine).ask(*(word.strip("'") for word in words))


def test_nameservers_are_added_to_a_tailnet_that_is_up_and_taken_out_as_a_failed_run_says(
    project: Project, engine: Engine
) -> None:
    _tailnet(project)
    assert WHOLE not in project.ok("up").steps
    _tailnet(project, **DNS)
    # Nothing else changes: MagicDNS was written before, and is the same.
    assert project.ok("up").steps == {WHOLE: "create"}
    quiet(project.ok("up"))
    quiet(project.ok("refresh"))
    assert project.ok("preview", "--refresh").changes == {}
    told = _told(project)
    assert [server["address"] for server in told["nameservers"]] == ["1.1.1.1", "100.101.102.103", "9.9.9.9"]
    assert (told["overrideLocalDns"], told["magicDns"]) == (True, True)
    assert _magic(project)

    # To forget them is refused: devices would go on asking.
    _tailnet(project)
    failed = project.run("up")
    assert failed.code == 1
    assert "Write `nameservers: []`" in " ".join(failed.err.split()), failed.err
    _tailnet(project, nameservers=[])
    assert project.ok("up").steps == {WHOLE: "update"}
    told = _told(project)
    assert (told["nameservers"], told["splitDns"], told["overrideLocalDns"]) == ([], [], False)
    _tailnet(project)
    _unprotected(project, engine, failed)
    assert project.ok("up").steps == {WHOLE: "delete"}
    assert _magic(project)
    quiet(project.ok("up"))


def test_a_destroy_leaves_names_as_they_are(project: Project) -> None:
    # The provider's own delete turns MagicDNS off with the rest [TFT resource_dns_configuration.go].
    _tailnet(project, **DNS)
    project.ok("up")
    project.ok("destroy")
    assert _magic(project)
    assert _told(project)["overrideLocalDns"] is True
