"""`gatehouse prove`: the table, the claims, exit codes, previews; and where a broken claim stops what."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli import main
from gatehouse.commands.prove import by_sets
from tests.exposure.map.kit import at
from tests.kit import builders, shipped

ROOT = Path(__file__).parents[2]
SERVICES = {
    "grafana": at(
        "grafana",
        builders.HTML,
        paths={"/api": {"clients": "anyone"}},
        acknowledge={"access-path-bypass": "API clients have tokens of their own"},
    ),
    "wiki": at("wiki", builders.HTML, people="admins"),
    "films": at("films", builders.MEDIA),
}
EXCEPTED = {"never": "anyone", "on": ["grafana", "wiki"], "except": ["grafana/api"]}
HOLDING = [EXCEPTED, {"only": "admins", "on": "wiki"}]
BROKEN = {"never": "anyone", "on": "grafana"}
MEMBER: dict[str, Any] = {
    "member_of": "organization/gatehouse/alfred",
    "node": {**builders.NODE, "name": "octavo", "lan_ipv4": "192.168.0.8", "context": "octavo"},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    shutil.copy(ROOT / "__main__.py", tmp_path)
    write(tmp_path, *HOLDING)
    return tmp_path


def write(project: Path, *claims: Any, **services: Any) -> None:
    (project / "Pulumi.alfred.yaml").write_text(builders.stack_text({**SERVICES, **services}, claims=list(claims)))


def run(project: Path, *words: str) -> int:
    return main(["-C", str(project), *words])


def test_the_table_says_who_reaches_each_service_at_most(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "prove") == 0
    assert (
        capsys.readouterr().out
        == """\
service  who at most            classes
films    anyone                       1  proved
grafana  anyone                       1  proved
         household after login        1
wiki     admins after login           1  proved

holds  never: anyone on grafana, wiki except grafana/api, 2 classes of requests

holds  only: admins on wiki, 1 class of requests
"""
    )


def test_a_broken_claim_ends_with_one_and_a_url_that_who_explains(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, BROKEN, *HOLDING)
    assert run(project, "prove") == 1
    out = capsys.readouterr().out
    url = "https://grafana-alfred.example.com/api"
    assert f"BROKEN  never: anyone on grafana, 2 classes of requests\n    anyone reaches {url}\n" in out
    assert f"see: gatehouse who {url}\n" in out
    assert out.count("\nholds  ") == 2
    # It is an error of the stack file, and who reaches what is told all the same.
    assert run(project, "check") == 1
    assert "[claim-broken]" in capsys.readouterr().out
    assert run(project, "who", url, "--as", "anyone") == 0
    assert "anyone: reached, open" in capsys.readouterr().out


def test_nothing_is_registered_while_a_claim_is_broken(project: Path) -> None:
    from gatehouse import offline

    assert offline.run_offline(project, "alfred").steps
    write(project, BROKEN)
    with pytest.raises(Exception, match="claim-broken"):
        offline.run_offline(project, "alfred")


def test_a_members_service_that_breaks_the_owners_claim_is_not_registered_either(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = {**builders.HTML, "origin": {"url": "http://192.168.0.50:8080"}}
    write(project, {"never": "anyone", "on": "camera"}, camera=camera)
    acknowledged = {"workload-wider": "the garden alone is in the picture"}
    garden = {**builders.OPEN_HTML, "origin": camera["origin"], "acknowledge": acknowledged}
    member = project / "Pulumi.octavo.yaml"
    member.write_text(builders.stack_text({"garden": garden}, **MEMBER))
    for stack in ("alfred", "octavo"):
        assert run(project, "check", "--stack", stack) == 1
        assert "by service garden of stack octavo" in " ".join(capsys.readouterr().out.split())
    # The control: with a camera of its own.
    member.write_text(builders.stack_text({"garden": {**garden, "origin": {"url": "http://192.168.0.51"}}}, **MEMBER))
    assert run(project, "check", "--stack", "octavo") == 0


def test_one_stacks_services_and_claims_are_shown_of_the_whole_estates(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "Pulumi.octavo.yaml").write_text(
        builders.stack_text({"wiki": builders.OPEN_HTML}, claims=[{"never": "anyone", "on": "wiki"}], **MEMBER)
    )
    assert run(project, "prove", "--stack", "alfred") == 0
    assert "octavo" not in capsys.readouterr().out
    assert run(project, "prove", "--stack", "octavo") == 1
    assert "grafana" not in capsys.readouterr().out
    assert run(project, "prove") == 1
    out = capsys.readouterr().out
    assert "\nalfred/wiki " in out
    assert "\noctavo/wiki " in out
    assert "holds never: anyone on grafana, wiki except grafana/api [alfred]" in " ".join(out.split())
    assert run(project, "prove", "--stack", "octav") == 2
    assert "did you mean 'octavo'" in capsys.readouterr().err


def test_a_stack_with_findings_is_not_judged(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, {"never": "anyone", "on": "grafna"})
    assert run(project, "prove") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "claim-unknown" in printed.err


def test_programs_get_it_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, BROKEN, EXCEPTED)
    assert run(project, "prove", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert [(s["service"], s["classes"], s["proved"]) for s in document["services"]] == [
        ("films", 1, True),
        ("grafana", 2, True),
        ("wiki", 1, True),
    ]
    assert [c["state"] for c in document["claims"]] == ["broken", "holds"]
    assert document["claims"][0]["counterexample"] == {
        "who": "anyone",
        "url": "https://grafana-alfred.example.com/api",
        "how": "open",
        "by": None,
        "workload": None,
    }


def test_a_preview_is_judged_like_the_stack_files(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from gatehouse import offline

    (tmp_path / "preview.json").write_text(offline.run_offline(project, "alfred").to_json())
    write(project, BROKEN, *HOLDING)
    assert run(project, "prove") == 1
    planned = capsys.readouterr().out
    assert run(project, "prove", "--from", str(tmp_path / "preview.json")) == 1
    assert capsys.readouterr().out == planned


def _foreign(name: str, kind: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:prod::shop::{kind}::{name}"
    state = {"urn": urn, "custom": True, "type": kind, "inputs": inputs, "id": f"{name}-id", **more}
    return {"op": "same", "urn": urn, "newState": state}


def foreign(path: str | None) -> str:
    """Another program: an admin page behind Access on a tunnel, and a rule past its JWT check for one path."""
    application = "cloudflare:index/zeroTrustAccessApplication:ZeroTrustAccessApplication"
    config = "cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig"
    host, aud = "admin.example.com", {"outputs": {"aud": "the-aud"}}
    check = {"access": {"required": True, "teamName": "t", "audTags": ["the-aud"]}}
    policy = {"decision": "allow", "includes": [{"email": {"email": "ann@example.com"}}]}
    bypass = {"decision": "bypass", "includes": [{"everyone": {}}]}
    rules: list[dict[str, Any]] = [
        {"hostname": host, "service": "http://admin.shop.svc.cluster.local", "originRequest": check}
    ]
    steps = [
        _foreign("stack", "pulumi:pulumi:Stack", {}),
        _foreign("t", "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared", {"name": "t"}),
        _foreign("admin", application, {"destinations": [{"uri": host}], "policies": [policy]}, **aud),
        _foreign(
            "dns",
            "cloudflare:index/dnsRecord:DnsRecord",
            {"name": host, "type": "CNAME", "content": "t-id.cfargotunnel.com", "proxied": True},
        ),
    ]
    if path:
        rules.insert(0, {"hostname": host, "path": path, "service": "http://admin.shop.svc.cluster.local"})
        uri = {"destinations": [{"uri": f"{host}/health"}], "policies": [bypass]}
        steps.append(_foreign("open", application, uri, outputs={"aud": "another"}))
    listed = {"config": {"ingresses": [*rules, {"service": "http_status:404"}]}, "tunnelId": "t-id"}
    return json.dumps({"steps": [*steps, _foreign("rules", config, listed)], "changeSummary": {"same": len(steps) + 1}})


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        (None, 0, "holds never: anyone on admin.example.com"),
        ("^/health$", 1, "anyone reaches https://admin.example.com/health see:"),
        ("health", 1, "anyone reaches https://admin.example.com/health see:"),
        (r"^/health\pL", 3, "not proved never: anyone on admin.example.com"),
    ],
)
def test_another_programs_preview_is_judged_by_its_hosts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str | None, code: int, says: str
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: nodejs\n")
    (tmp_path / "Pulumi.prod.yaml").write_text(
        "config:\n  gatehouse:claims:\n    - never: anyone\n      on: admin.example.com\n"
        "    - only: ann@example.com\n      on: admin.example.com\n"
    )
    (tmp_path / "p.json").write_text(foreign(path))
    assert run(tmp_path, "prove", "--from", str(tmp_path / "p.json")) == code
    assert says in " ".join(capsys.readouterr().out.split())


def test_what_is_no_preview_is_told_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "prove", "--from", "nowhere.json") == 2
    assert "No such file" in capsys.readouterr().err


def test_people_are_called_by_their_sets() -> None:
    sets = {"household": ["a@x", "b@x"], "admins": ["a@x"], "friends": ["c@x"], "none": []}
    assert by_sets(["a@x", "b@x"], sets) == "household"
    assert by_sets(["a@x"], sets) == "admins"
    assert by_sets(["b@x", "c@x", "tag:x"], sets) == "friends, b@x, tag:x"
    assert by_sets(["a", "b", "c", "d", "e"], sets) == "a, b, c and 2 more"


def test_check_reads_nothing_of_reach_where_there_are_no_claims(project: Path) -> None:
    def loaded(*words: str) -> set[str]:
        code = (
            "import sys\nfrom gatehouse.cli import main\n"
            f"main(['-C', {str(project)!r}, *{words!r}])\nprint(*sys.modules, file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        return set(done.stderr.split())

    assert "exposure.reach.claims" in loaded("check")
    write(project)
    assert "exposure.reach.claims" not in loaded("check")


def test_the_pages_output_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(ROOT), "prove", "--stack", "alfred"]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    page = (ROOT / "docs" / "proved.md").read_text()
    shown = page.partition("```text\n")[2].partition("```")[0].splitlines()
    assert len(shown) > 3
    assert [line for line in shown if line.split() not in printed] == []


def test_alfreds_preview_says_the_same_as_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for stack in ("alfred", "octavo"):
        (tmp_path / f"{stack}.json").write_text(shipped.planned_text(stack))
        files += ["--from", str(tmp_path / f"{stack}.json")]
    assert main(["-C", str(ROOT), "prove"]) == 0
    planned = capsys.readouterr().out.splitlines()
    assert main(["-C", str(ROOT), "prove", *files]) == 0
    found = capsys.readouterr().out
    # The node's own record belongs to no service, and is called by its host there.
    assert "alfred.very-very-dark-gray.top" in found
    names = [line.split()[0] for line in planned if line.split()]
    assert [name for name in names if name not in found] == []
