"""`gatehouse diff`: against a git revision or a preview, and what acknowledges a wider exposure."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gatehouse.commands import CommandError, UsageError
from gatehouse.commands import diff as command
from tests.kit import builders, shipped

MEMBER: dict[str, Any] = {
    "member_of": "organization/gatehouse/alfred",
    "node": {**builders.NODE, "name": "octavo", "lan_ipv4": "192.168.0.8", "context": "octavo"},
}
SERVICES: dict[str, Any] = {"grafana": builders.HTML, "ssh": {**builders.SSH, "people": "admins"}}
OPEN = {**builders.HTML, "sensitivity": "low", "clients": "anyone"}
VAULT = {"namespace": "vault", "service": "vaultwarden", "port": 80}
SHOP = {"namespace": "shop", "service": "shop", "port": 80}
WHY = "The neighbours may look at it now"


def _write(project: Path, services: dict[str, Any], stack: str = "alfred", **sections: Any) -> None:
    (project / f"Pulumi.{stack}.yaml").write_text(builders.stack_text(services, **sections))


def _git(project: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(project), *arguments], check=True, capture_output=True)


def _commit(project: Path) -> None:
    _git(project, "add", "-A")
    _git(project, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "x", "--no-gpg-sign")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder of a repository, with one commit."""
    project = tmp_path / "home lab"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    _write(project, SERVICES)
    _write(project, {"wiki": builders.HTML}, "octavo", **MEMBER)
    _git(tmp_path, "init", "-q")
    _commit(tmp_path)
    return project


def run(project: Path, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments), project)


def changes(project: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code = run(project, *arguments, "--format", "json")
    return code, json.loads(capsys.readouterr().out)["changes"]


def test_nothing_changed_is_nothing_wider(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project) == 0
    assert capsys.readouterr().out == "Against HEAD: no change in who reaches what.\n"


def test_a_wider_service_is_told_and_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(project, {**SERVICES, "grafana": OPEN})
    code, found = changes(project, capsys)
    assert code == 1
    assert [(c["kind"], c["place"], c["stack"], c["service"], c["now"]) for c in found] == [
        ("wider", "grafana-alfred.example.com/", "alfred", "grafana", "anyone")
    ]
    assert run(project) == 1
    out = capsys.readouterr().out
    assert "WIDER  grafana-alfred.example.com/  [grafana]" in out
    assert "was: alice@example.com, bob@example.com after login" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_narrower_service_passes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(project, {**SERVICES, "grafana": {**builders.HTML, "people": "admins"}})
    code, found = changes(project, capsys)
    assert (code, [(c["kind"], c["losses"]) for c in found]) == (0, [("narrower", ["bob@example.com"])])


def test_an_acknowledgement_of_the_service_accepts_its_own_change_only(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    acknowledged = {**OPEN, "acknowledge": {"exposure-wider": WHY}}
    _write(project, {**SERVICES, "grafana": acknowledged})
    code, found = changes(project, capsys)
    assert (code, found[0]["acknowledged"]) == (0, WHY)
    _write(project, {**SERVICES, "grafana": acknowledged, "blog": OPEN})
    code, found = changes(project, capsys)
    assert code == 1
    assert {c["service"]: c["acknowledged"] for c in found} == {"grafana": WHY, "blog": None}


def test_an_acknowledgement_that_was_there_before_was_for_another_change(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    acknowledge = {"acknowledge": {"exposure-wider": WHY}}
    _write(project, {**SERVICES, "grafana": {**builders.HTML, **acknowledge}})
    _commit(project)
    _write(project, {**SERVICES, "grafana": {**OPEN, **acknowledge}})
    assert run(project) == 1
    assert "the acknowledgement was there before" in capsys.readouterr().out
    _write(project, {**SERVICES, "grafana": {**OPEN, "acknowledge": {"exposure-wider": f"{WHY} too"}}})
    assert run(project) == 0


def test_tailscale_ssh_is_acknowledged_by_the_service_at_port_22_and_for_a_node_without_one_by_the_estate(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estate = {**builders.ESTATE, "tailnet": {**builders.ESTATE["tailnet"], "ssh": {"people": "admins"}}}
    _write(project, SERVICES, estate=estate)
    code, found = changes(project, capsys)
    assert code == 1
    assert [(c["place"], c["stack"], c["service"], c["gains"]) for c in found] == [
        ("alfred.tail.ts.net:22/tcp", "alfred", "ssh", ["alice@example.com"]),
        ("octavo.tail.ts.net:22/tcp", "alfred", None, ["alice@example.com"]),
    ]
    assert found[0]["also"] == "SSH as any user but root"
    assert found[1]["now"] == "alice@example.com from the tailnet, SSH as any user but root"
    assert run(project) == 1
    assert "alfred: no service, so under `gatehouse:acknowledge`" in " ".join(capsys.readouterr().out.split())
    why = {"exposure-wider": WHY}
    _write(project, {**SERVICES, "ssh": {**SERVICES["ssh"], "acknowledge": why}}, estate=estate)
    assert changes(project, capsys)[0] == 1
    _write(project, {**SERVICES, "ssh": {**SERVICES["ssh"], "acknowledge": why}}, estate=estate, acknowledge=why)
    code, found = changes(project, capsys)
    assert (code, [c["acknowledged"] for c in found]) == (0, [WHY, WHY])


def test_a_path_that_goes_to_others_is_told_by_its_own_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = {"/admin": {"people": "admins"}, "/hooks": {"clients": "nobody"}}
    _write(project, {**SERVICES, "grafana": {**builders.HTML, "paths": paths}})
    assert {(c["kind"], c["place"]) for c in changes(project, capsys)[1]} == {
        ("narrower", "grafana-alfred.example.com/admin"),
        ("narrower", "grafana-alfred.example.com/hooks"),
    }
    _commit(project)
    paths = {"/admin": {}, "/hooks": {"clients": "anyone"}}
    why = {"acknowledge": {"access-path-bypass": "The sender can do nothing but call"}}
    _write(project, {**SERVICES, "grafana": {**builders.HTML, "paths": paths, **why}})
    code, found = changes(project, capsys)
    assert code == 1
    assert {(c["kind"], c["place"], c["service"], "anyone" in c["gains"]) for c in found} == {
        ("wider", "grafana-alfred.example.com/admin", "grafana", False),
        ("wider", "grafana-alfred.example.com/hooks", "grafana", True),
    }


def test_a_service_that_gains_a_way_is_wider_at_the_new_place(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(project, {**SERVICES, "grafana": {**builders.HTML, "gates": ["zero-trust", "tailnet"]}})
    code, found = changes(project, capsys)
    assert code == 1
    assert [(c["place"], c["service"]) for c in found] == [("grafana-alfred.tail.ts.net/", "grafana")]


MOVED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a blog that leads to the password store": ({"blog": OPEN}, {"blog": {**OPEN, "origin": VAULT}}),
    "another Service's port": ({"blog": OPEN}, {"blog": {**OPEN, "origin": {**OPEN["origin"], "port": 9090}}}),
    "a forwarded port in front of other pods": (
        {"game": builders.GAME},
        {"game": {**builders.GAME, "origin": {**builders.GAME["origin"], "selector": {"app": "vault"}}}},
    ),
    "a machine at home": (
        {"nas": {**OPEN, "origin": {"url": "http://192.168.0.9:5000"}}},
        {"nas": {**OPEN, "origin": {"url": "http://192.168.0.9:5001"}}},
    ),
    "a funnel": ({"films": builders.MEDIA}, {"films": {**builders.MEDIA, "origin": VAULT}}),
    "a private door": ({"wiki": builders.HTML}, {"wiki": {**builders.HTML, "origin": VAULT}}),
}


@pytest.mark.parametrize("what", MOVED)
def test_another_workload_behind_the_same_door_is_wider(
    project: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    before, after = MOVED[what]
    _write(project, before)
    _commit(project)
    assert run(project) == 0
    capsys.readouterr()
    _write(project, after)
    code, found = changes(project, capsys)
    [key] = before
    mine = [c for c in found if c["service"] == key and not c["place"].startswith("192.168.0.9")]
    assert code == 1
    for change in mine:
        assert (change["kind"], change["before"]) == ("wider", change["now"])
        assert change["leads_to"] != change["led_to"]
    assert mine
    run(project)
    out = " ".join(capsys.readouterr().out.split())
    assert f"and: leads to {mine[0]['leads_to'][0]}, no longer to {mine[0]['led_to'][0]}" in out
    assert run(project, "--format", "markdown") == 1
    assert f"leads to {mine[0]['leads_to'][0]}, no longer to {mine[0]['led_to'][0]}" in capsys.readouterr().out
    why = {"acknowledge": {"exposure-wider": WHY}}
    _write(project, {key: {**after[key], **why}})
    assert {c["acknowledged"] for c in changes(project, capsys)[1] if c["kind"] == "wider"} == {WHY}


def test_another_host_header_and_a_longer_login_are_wider(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(header: str | None, session: str) -> None:
        request = {"origin_request": {"http_host_header": header}} if header else {}
        _write(
            project, {"grafana": {**builders.HTML, **request}}, estate={**builders.ESTATE, "session_duration": session}
        )

    write(None, "24h")
    _commit(project)
    write("vault.example.com", "24h")
    code, found = changes(project, capsys)
    assert (code, [c["place"] for c in found]) == (1, ["grafana-alfred.example.com/"])
    assert found[0]["also"] == "leads to web/web:8080 as vault.example.com, no longer to web/web:8080"
    write(None, "720h")
    code, found = changes(project, capsys)
    assert code == 1
    assert {(c["place"], c["also"]) for c in found} == {
        (f"{name}.example.com/", "a login lasts 720h, no longer 24h") for name in ("grafana-alfred", "wiki-octavo")
    }
    # Shorter is no wider, however it is written.
    write(None, "30m")
    code, found = changes(project, capsys)
    assert (code, {c["kind"] for c in found}) == (0, {"narrower"})


def test_a_longer_login_at_one_service_is_wider_there_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(session: str) -> None:
        _write(project, {"grafana": {**builders.HTML, "access": {"session_duration": session}}})

    write("1h")
    _commit(project)
    write("720h")
    code, found = changes(project, capsys)
    assert (code, [(c["service"], c["also"]) for c in found]) == (1, [("grafana", "a login lasts 720h, no longer 1h")])
    write("30m")
    assert changes(project, capsys)[0] == 0


def test_what_makes_a_login_worth_less_is_wider_and_its_end_is_not(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(**access: object) -> None:
        why = {"access-weakened": WHY} if access else {}
        _write(project, {"grafana": {**builders.HTML, **({"access": access} if access else {}), "acknowledge": why}})

    pages = {"allowed_origins": ["https://app.example.com"], "allowed_methods": ["GET"], "allow_credentials": True}
    write()
    _commit(project)
    for access, said in (
        ({"cors_headers": pages}, "pages of https://app.example.com act as whoever is logged in"),
        ({"same_site_cookie_attribute": "none"}, "its cookie goes with requests of other sites' pages"),
        ({"http_only_cookie_attribute": False}, "scripts of its pages read its cookie"),
        ({"skip_interstitial": True}, "a link of `cloudflared access` logs in whoever sent it"),
    ):
        write(**access)
        code, found = changes(project, capsys)
        assert (code, [(c["place"], c["kind"], c["also"]) for c in found]) == (
            1,
            [("grafana-alfred.example.com/", "wider", said)],
        )
    # What lets in nobody further is no change; nor is what ends.
    write(cors_headers={**pages, "allow_credentials": False}, logo_url="https://example.com/a.png")
    assert changes(project, capsys) == (0, [])
    write(cors_headers={**pages, "allowed_origins": ["https://app.example.com", "https://b.example.com"]})
    _commit(project)
    write(cors_headers=pages)
    code, found = changes(project, capsys)
    assert (code, {c["kind"] for c in found}) == (0, {"narrower"})


def test_a_port_of_the_node_is_open_to_the_home_network_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(project, {**SERVICES, "game": builders.GAME})
    found = {c["place"]: c for c in changes(project, capsys)[1]}
    assert found["192.168.0.124:32565/tcp"]["gains"] == ["anybody on the home network"]
    assert {c["service"] for c in found.values()} == {"game"}
    run(project)
    # After anyone nobody else is named.
    assert "new: anyone\n" in capsys.readouterr().out


def test_a_node_at_another_address_at_home_is_no_wider(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    services = {**SERVICES, "game": builders.GAME}
    _write(project, services)
    _commit(project)
    node = {**builders.NODE, "lan_ipv4": "192.168.0.77"}
    _write(project, services, node=node)
    assert changes(project, capsys) == (0, [])
    assert run(project) == 0
    assert "node alfred was at 192.168.0.124 and is at 192.168.0.77" in " ".join(capsys.readouterr().out.split())
    # What changes with it is told, at its new address.
    _write(project, SERVICES, node=node)
    assert {c["kind"] for c in changes(project, capsys)[1]} == {"narrower"}


def test_a_comparison_that_leaves_something_out_is_no_proof(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gatehouse import surfaces

    monkeypatch.setattr(surfaces, "unproved", lambda *_: (("grafana.example.com", "too many"),))
    assert run(project) == 3
    assert "not proved: grafana.example.com: too many" in capsys.readouterr().err
    _write(project, {**SERVICES, "grafana": OPEN})
    assert run(project) == 1


def test_a_zone_that_is_gone_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zones = {**builders.ESTATE, "other_zones": [{"name": "example.net"}]}
    _write(project, {**SERVICES, "shop": {**OPEN, "host": "example.net", "origin": SHOP}}, estate=zones)
    assert {c["place"] for c in changes(project, capsys)[1]} == {"example.net/"}
    _commit(project)
    _write(project, SERVICES)
    assert run(project) == 0
    out = capsys.readouterr().out
    assert "zone example.net is gone" in out
    assert "narrower  example.net/" in out


def test_a_person_more_widens_every_service_of_the_set_in_every_stack(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = {**builders.ESTATE["people"], "admins": ["alice@example.com", "carol@example.com"]}
    people["household"] = [*people["household"], "carol@example.com"]
    _write(project, SERVICES, estate={**builders.ESTATE, "people": people})
    code, found = changes(project, capsys)
    assert code == 1
    assert {(c["stack"], c["service"], *c["gains"]) for c in found} == {
        ("alfred", "grafana", "carol@example.com"),
        ("octavo", "wiki", "carol@example.com"),
        ("alfred", "ssh", "carol@example.com"),
    }
    assert {c["stack"] for c in changes(project, capsys, "--stack", "octavo")[1]} == {"octavo"}


def test_a_new_stack_is_all_new(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = {**MEMBER["node"], "name": "quarto", "context": "quarto", "lan_ipv4": "192.168.0.9"}
    _write(project, {"blog": OPEN}, "quarto", **{**MEMBER, "node": node})
    assert run(project) == 1
    assert "stack quarto is new" in capsys.readouterr().out


def test_a_stack_that_could_not_be_planned_before_is_all_new(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = (project / "Pulumi.alfred.yaml").read_text()
    (project / "Pulumi.alfred.yaml").write_text("config:\n  gatehouse:node: 1\n")
    _commit(project)
    (project / "Pulumi.alfred.yaml").write_text(good)
    assert run(project) == 1
    assert "could not be planned at HEAD" in capsys.readouterr().out


def test_any_revision_may_be_the_base(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(project, {**SERVICES, "grafana": OPEN})
    _commit(project)
    assert run(project) == 0
    assert run(project, "--base", "HEAD~1") == 1


def test_markdown_is_a_table_whose_cells_hold(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(project, {**SERVICES, "grafana": {**OPEN, "acknowledge": {"exposure-wider": "a | b, as they said"}}})
    assert run(project, "--format", "markdown") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "### Exposure against `HEAD`: 1 wider (1 acknowledged)"
    row = next(line for line in lines if "grafana" in line)
    assert "wider, acknowledged" in row
    assert row.replace("\\|", "").count("|") == 6
    assert run(project, "--format", "markdown", "--base", "HEAD") == 0


def test_a_preview_may_be_the_base(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).parents[2]
    document = json.loads(shipped.planned_text("alfred"))
    (tmp_path / "same.json").write_text(json.dumps(document))
    assert run(root, "--from", str(tmp_path / "same.json")) == 0
    assert "no change" in capsys.readouterr().out
    # Before, nobody had a record for Grafana: now it is there, so it is wider.
    record = "::grafana-alfred.very-very-dark-gray.top"
    document["steps"] = [s for s in document["steps"] if not (":DnsRecord" in s["urn"] and s["urn"].endswith(record))]
    (tmp_path / "less.json").write_text(json.dumps(document))
    code, found = changes(root, capsys, "--from", str(tmp_path / "less.json"))
    assert code == 1
    assert {c["service"] for c in found} == {"grafana"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--base", "nope"], "git knows no revision 'nope'"),
        (["--base", "--help-me"], "git knows no revision"),
        (["--base", ""], "git knows no revision"),
        (["--stack", "octavoo"], "did you mean 'octavo'"),
        (["--from", "nowhere.json"], "No such file"),
    ],
)
def test_a_wrong_base_is_told_so(project: Path, arguments: list[str], says: str) -> None:
    flags = [f"{arguments[0]}={arguments[1]}"]
    with pytest.raises(UsageError, match=says):
        run(project, *flags)


def test_a_folder_without_git_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    _write(tmp_path, SERVICES)
    with pytest.raises(UsageError, match="no git repository"):
        run(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="git cannot be run"):
        run(tmp_path)


def test_a_repository_without_a_commit_is_told_so(tmp_path: Path) -> None:
    _write(tmp_path, SERVICES)
    _git(tmp_path, "init", "-q")
    with pytest.raises(UsageError, match="no revision 'HEAD'"):
        run(tmp_path)


def test_stack_files_with_findings_are_not_compared(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write(project, {"grafana": {**builders.HTML, "gate": "public-tunnel"}})
    assert run(project) == 1
    assert "sensitive-without-access" in capsys.readouterr().err


def test_a_wider_route_and_a_new_exit_node_are_refused_unless_the_stack_that_says_them_says_why(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estate = {**builders.ESTATE, "tailnet": {"name": "tail.ts.net"}}
    printer = {"to": "192.168.0.40/32", "people": "admins", "ports": ["tcp:631"]}
    home = {**builders.NODE, "routes": [printer]}
    _write(project, SERVICES, estate=estate, node=home)
    _commit(project)
    assert changes(project, capsys) == (0, [])
    wider = {**home, "routes": [{**printer, "ports": ["tcp:631", "tcp:80"]}], "exit_node": {"people": "admins"}}
    _write(project, SERVICES, estate=estate, node=wider)
    code, found = changes(project, capsys)
    places = {(c["place"].rpartition(":")[0], c["kind"], c["stack"]) for c in found}
    assert (code, places) == (1, {("192.168.0.40/32", "wider", "alfred"), ("autogroup:internet", "wider", "alfred")})
    assert run(project) == 1
    assert "(alfred: no service, so under `gatehouse:acknowledge`)" in capsys.readouterr().out.replace("\n", " ")
    _write(project, SERVICES, estate=estate, node=wider, acknowledge={"exposure-wider": WHY})
    assert changes(project, capsys)[0] == 0


def test_an_own_policy_is_read_at_the_revision_and_what_it_opens_of_ones_own_is_told_and_not_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estate = {**builders.ESTATE, "tailnet": {"name": "tail.ts.net", "policy": "tailnet.hujson"}}
    own = project / "tailnet.hujson"
    rule = '{"src": ["bob@example.com"], "dst": ["tag:nas"], "ip": ["tcp:445"]},'
    route = '{"src": ["bob@example.com"], "dst": ["10.9.0.0/16"], "ip": ["tcp:445"]},'
    text = '{"tagOwners": {"tag:nas": ["autogroup:admin"]}, "grants": [%s]}'
    own.write_text(text % rule)
    _write(project, SERVICES, estate=estate)
    _commit(project)
    assert changes(project, capsys) == (0, [])
    own.write_text(text % route)
    code, found = changes(project, capsys)
    assert (code, [(c["kind"], c["place"], c["gains"], c["losses"]) for c in found]) == (
        0,
        [
            ("wider", "10.9.0.0/16:445/tcp", ["bob@example.com"], []),
            ("narrower", "tag:nas:445/tcp", [], ["bob@example.com"]),
        ],
    )
    # What it opens of a service is refused like any other way in, also where the risk was taken.
    own.write_text(text % (rule + rule.replace("tag:nas", "tag:gatehouse-alfred").replace("445", "22")))
    _write(project, SERVICES, estate=estate, acknowledge={"tailnet-policy-opens": "Bob may log in as well"})
    code, found = changes(project, capsys)
    assert (code, [(c["place"], c["service"], c["gains"]) for c in found if c["kind"] == "wider"]) == (
        1,
        [("alfred.tail.ts.net:22/tcp", "ssh", ["bob@example.com"])],
    )
