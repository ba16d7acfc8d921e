"""`gatehouse who`: questions, answers, exit codes."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exposure.reach import ANYONE, from_plan
from exposure.reach import who as ask
from exposure.reach.places import places
from gatehouse.cli import main
from gatehouse.commands import CommandError, UsageError
from gatehouse.commands import who as command
from gatehouse.questions import Asked
from tests.exposure.map.kit import at
from tests.kit import builders, shipped

ROOT = Path(__file__).parents[2]
GRAFANA = "grafana-alfred.example.com"
SERVICES = {
    "grafana": at(
        "grafana",
        builders.HTML,
        paths={"/api": {"clients": "anyone"}},
        acknowledge={"access-path-bypass": "API clients have tokens of their own"},
    ),
    "blog": at("blog", builders.OPEN_HTML),
    "films": at("films", builders.MEDIA),
    "ssh": {**builders.SSH, "people": "admins"},
    "game": builders.GAME,
}
MEMBER: dict[str, Any] = {
    "member_of": "organization/gatehouse/alfred",
    "node": {**builders.NODE, "name": "octavo", "lan_ipv4": "192.168.0.8", "context": "octavo"},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.alfred.yaml").write_text(builders.stack_text(SERVICES))
    (tmp_path / "Pulumi.octavo.yaml").write_text(builders.stack_text({"wiki": builders.HTML}, **MEMBER))
    return tmp_path


def run(project: Path, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments), project)


@pytest.mark.parametrize(
    ("who", "code"), [("alice@example.com", 0), ("anyone", 1), ("mallory@example.net", 1), ("tag:k8s-funnel", 1)]
)
def test_the_exit_code_says_whether_somebody_reaches_it(project: Path, who: str, code: int) -> None:
    assert run(project, f"https://{GRAFANA}/d/1", "--as", who) == code
    assert run(project, f"https://{GRAFANA}/d/1") == 0


def test_the_steps_are_printed_within_eighty_columns(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(project, GRAFANA, "--as", "alice@example.com")
    out = capsys.readouterr().out
    assert "alice@example.com: reached, after login" in out
    assert [
        stage for stage in ("dns", "access", "policy", "login", "tunnel", "jwt", "origin") if f"\n  {stage} " in out
    ] == [
        *("dns", "access", "policy", "login", "tunnel", "jwt", "origin"),
    ]
    assert max(map(len, out.splitlines())) <= 80


def test_everybody_is_answered_where_nobody_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(project, f"{GRAFANA}/", "--json")
    answer = json.loads(capsys.readouterr().out)["answers"][0]
    groups = {tuple(g["principals"]): g["outcome"] for g in answer["who"]}
    assert ("alice@example.com", "bob@example.com") in {k[:2] for k, v in groups.items() if v == "after login"}
    refused = next(k for k, v in groups.items() if v == "refused by Access")
    assert {"anyone", "member", "tag:k8s-funnel"} <= set(refused)
    assert answer["url"] == f"https://{GRAFANA}/"


def test_the_table_names_every_place_of_every_stack(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "--json") == 0
    rows = {row["place"]: (row["who"], row["service"]) for row in json.loads(capsys.readouterr().out)["places"]}
    people = "alice@example.com, bob@example.com after login"
    assert rows == {
        f"{GRAFANA}/": (people, "grafana"),
        f"{GRAFANA}/api": ("anyone", "grafana"),
        "blog-alfred.example.com/": ("anyone", "blog"),
        "wiki-octavo.example.com/": (people, "wiki"),
        "films-alfred.tail.ts.net/": ("anyone", "films"),
        "alfred.tail.ts.net:22/tcp": ("alice@example.com from the tailnet", None),
        "game-alfred.example.com:25565/tcp": ("anyone", "game"),
        "192.168.0.124:22/tcp": ("anybody on the home network", None),
        "192.168.0.124:32565/tcp": ("anybody on the home network", "game"),
    }
    assert run(project) == 0
    assert f"{GRAFANA}/api\n    anyone\n" in capsys.readouterr().out


def test_one_stack_answers_for_itself(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "--stack", "octavo", "--json") == 0
    places = {row["place"] for row in json.loads(capsys.readouterr().out)["places"]}
    assert "wiki-octavo.example.com/" in places
    assert f"{GRAFANA}/" not in places
    assert run(project, GRAFANA, "--stack", "octavo", "--as", "alice@example.com") == 1


@pytest.mark.parametrize(
    ("target", "urls"),
    [
        (GRAFANA, [f"https://{GRAFANA}/"]),
        (f"{GRAFANA}/api?x=1#y", [f"https://{GRAFANA}/api"]),
        (f"http://{GRAFANA}", [f"http://{GRAFANA}/"]),
        (f"{GRAFANA}:8443", [f"https://{GRAFANA}:8443/"]),
        (f"{GRAFANA.upper()}:80", [f"http://{GRAFANA}/"]),
        ("game-alfred.example.com", ["tcp://game-alfred.example.com:25565"]),
        ("udp://game-alfred.example.com:25565", ["udp://game-alfred.example.com:25565"]),
        ("alfred", ["tcp://alfred.tail.ts.net:22"]),
        ("ssh://alfred", ["tcp://alfred.tail.ts.net:22"]),
        ("films-alfred", ["https://films-alfred.tail.ts.net/"]),
        ("tag:k8s-funnel:443", ["tcp://tag:k8s-funnel:443"]),
        ("203.0.113.7:25565", ["tcp://203.0.113.7:25565"]),
    ],
)
def test_a_target_is_a_url_or_a_host_with_or_without_port(
    project: Path, capsys: pytest.CaptureFixture[str], target: str, urls: list[str]
) -> None:
    assert run(project, target, "--json") == 0
    assert [answer["asked"] for answer in json.loads(capsys.readouterr().out)["answers"]] == urls


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["https://"], "no URL"),
        (["a b"], "no URL"),
        (["host:99999"], "no URL"),
        (["host:0"], "1 to 65535"),
        (["gopher://host"], "scheme 'gopher' is not known"),
        (["htps://host"], "did you mean 'https'"),
        (["tcp://host"], "give the port"),
        (["tag:x:ssh"], "and a port"),
        ([GRAFANA, "--as", "k8s-funel"], "did you mean 'tag:k8s-funnel'"),
        (["--as", "anyone"], "about a URL or a service"),
        (["alice@example.com", "--as", "anyone"], "is somebody"),
        ([GRAFANA, "--as", "admin"], "did you mean 'admins'"),
        # A word that is no host gets no answer: `not reached` would read as an all-clear.
        (["grafan"], "did you mean 'grafana'"),
        (["https://grafan/"], "did you mean 'grafana'"),
        (["grafan:443"], "did you mean 'grafana'"),
        (["housold"], "did you mean 'household'"),
        (["films-alfre"], "did you mean 'films-alfred'"),
        (["grafana/wb"], "did you mean 'grafana/web'"),
        (["grafan/"], "did you mean 'grafana/web'"),
        (["--stack", "alfre"], "did you mean 'alfred'"),
        (["--from", "nowhere.json"], "No such file"),
        (["--from", "Pulumi.yaml"], "not JSON"),
    ],
)
def test_a_wrong_question_is_told_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(UsageError, match=says):
        run(project, *arguments)


@pytest.mark.parametrize(
    "text", ["[]", '{"steps": []}', '{"steps": [{"urn": "urn:pulumi:x::p::t::n"}], "changeSummary": {"same": 3}}']
)
def test_what_is_no_whole_preview_is_told_so(project: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(UsageError, match="--from"):
        run(project, "--from", str(tmp_path / "p.json"))


def test_http_is_followed_to_https_where_the_edge_sends_it_on(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Cloudflare's API, zone setting always_use_https: all requests by http are answered with a 301 redirect.
    assert run(project, f"http://{GRAFANA}/d/1", "--as", "alice@example.com") == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert (first, second.strip()) == (
        f"http://{GRAFANA}/d/1",
        f"redirected to https://{GRAFANA}/d/1 (301, Always Use HTTPS)",
    )

    def answer(target: str) -> dict[str, Any]:
        assert run(project, target, "--json") == 0
        found = json.loads(capsys.readouterr().out)["answers"][0]
        assert isinstance(found, dict)
        return found

    plain, followed = answer(f"https://{GRAFANA}/d/1"), answer(f"http://{GRAFANA}/d/1")
    assert (followed["url"], followed["who"]) == (plain["url"], plain["who"])
    assert (plain["redirects"], [hop["to"] for hop in followed["redirects"]]) == ([], [plain["url"]])
    # What the edge does not send on is answered as it was asked: plain http, and a name that leads past Cloudflare.
    kept = {**builders.ESTATE, "zone": {"name": "example.com", "always_use_https": False}}
    (project / "Pulumi.alfred.yaml").write_text(builders.stack_text(SERVICES, estate=kept))
    for target in (f"http://{GRAFANA}/d/1", "http://game-alfred.example.com/"):
        assert (answer(target)["url"], answer(target)["redirects"]) == (target, [])


def test_a_host_that_redirects_is_followed_to_the_one_that_serves(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blog = {**SERVICES["blog"], "host": "example.com", "redirect_from": ["www.example.com"]}
    (project / "Pulumi.alfred.yaml").write_text(builders.stack_text({**SERVICES, "blog": blog}))
    assert run(project, "http://www.example.com/x", "--as", "anyone") == 0
    out = capsys.readouterr().out
    assert out.startswith("http://www.example.com/x\n")
    assert out.index("redirected to https://www.example.com/x") < out.index("redirected to https://example.com/x (301,")
    assert run(project, "https://example.com/x", "--as", "anyone") == 0, "the control"


def test_what_cloudflare_serves_itself_is_said_to_be_nobodys_way_in(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # CFDOC fundamentals/reference/cdn-cgi-endpoint: managed and served by Cloudflare.
    for host in (GRAFANA, "blog-alfred.example.com"):
        assert run(project, f"https://{host}/cdn-cgi/trace", "--as", "alice@example.com") == 1
        out = capsys.readouterr().out
        assert "alice@example.com: not reached, answered by Cloudflare itself" in out
        assert "\n  access" not in out
        assert run(project, f"https://{host}/cdn-cgi", "--as", "alice@example.com") == 0, "the control"
        capsys.readouterr()


def test_a_bare_host_lists_the_places_once(project: Path) -> None:
    with patch("gatehouse.questions.places", wraps=places) as listed:
        assert run(project, GRAFANA) == 0
    assert listed.call_count == 1


def test_a_name_that_is_nearly_there_is_suggested(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "grafna-alfred.example.com") == 0
    assert f"did you mean '{GRAFANA}'" in capsys.readouterr().out


def test_a_stack_with_findings_gets_no_answer(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    services = {"grafana": {**builders.HTML, "gate": "public-tunnel"}}
    (project / "Pulumi.alfred.yaml").write_text(builders.stack_text(services))
    assert run(project, GRAFANA) == 1
    printed = capsys.readouterr()
    assert "sensitive-without-access" in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("service", "rule"),
    [
        ({**builders.OPEN_HTML, "colour": "red"}, "unknown-key"),
        ({**builders.MEDIA, "origin": {"url": "http://192.168.0.9:80"}}, "gate-origin"),
    ],
)
def test_a_member_whose_owner_has_findings_gets_those_and_no_answer(
    project: Path, capsys: pytest.CaptureFixture[str], service: dict[str, Any], rule: str
) -> None:
    (project / "Pulumi.alfred.yaml").write_text(builders.stack_text({"music": service}))
    for command_line in (["who"], ["who", GRAFANA], ["map", "--format", "markdown"]):
        assert main(["-C", str(project), command_line[0], "--stack", "octavo", *command_line[1:]]) == 1
        printed = capsys.readouterr()
        assert "Pulumi.alfred.yaml:" in printed.err
        assert f"[{rule}]" in printed.err
        assert "Traceback" not in printed.err
        assert printed.out == ""


def test_a_service_with_several_ways_shows_each_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paperless = at("paperless", builders.HTML, gates=["zero-trust", "tailnet"])
    (project / "Pulumi.alfred.yaml").write_text(builders.stack_text({"paperless": paperless}))
    assert run(project, "--stack", "alfred", "--json") == 0
    rows = [r for r in json.loads(capsys.readouterr().out)["places"] if r["service"] == "paperless"]
    people = "alice@example.com, bob@example.com"
    assert [(r["place"], r["who"]) for r in rows] == [
        ("paperless-alfred.example.com/", f"{people} after login"),
        ("paperless-alfred.tail.ts.net/", f"{people} from the tailnet"),
    ]


def test_a_target_is_asked_of_the_estate_whose_zone_it_is_in(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    estate = {**builders.ESTATE, "account_id": "1" * 32, "team": "other", "zone": {"name": "example.net"}}
    node = {**builders.NODE, "name": "quarto", "context": "quarto", "lan_ipv4": "192.168.0.9"}
    other = {"estate": {**estate, "tailnet": {"name": "other.ts.net"}}, "node": node}
    (project / "Pulumi.quarto.yaml").write_text(builders.stack_text({"shop": at("shop", builders.OPEN_HTML)}, **other))
    assert run(project, "shop-quarto.example.net", "--as", "anyone") == 0
    assert run(project, "blog-alfred.example.com", "--as", "anyone") == 0
    # A name that only ends alike is in neither.
    assert run(project, "shop-quartoexample.net", "--as", "anyone") == 1


def test_no_stack_file_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no stack file"):
        run(tmp_path)


def test_a_preview_answers_like_the_stack_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for stack in ("alfred", "octavo"):
        (tmp_path / f"{stack}.json").write_text(shipped.planned_text(stack))
        files += ["--from", str(tmp_path / f"{stack}.json")]
    run(ROOT)
    planned = capsys.readouterr().out
    assert run(ROOT, *files) == 0
    assert capsys.readouterr().out == planned
    # A member's alone says whose people it takes.
    assert run(ROOT, *files[2:]) == 0
    assert "registered by stack alfred" in capsys.readouterr().err


OPEN_DOCS = {
    **builders.OPEN_HTML,
    "origin": {"namespace": "paperless", "service": "web", "port": 8000},
    "acknowledge": {"workload-wider": "It asks for a password of its own"},
}
CONTROLLER = {"namespace": "kube-system", "service": "traefik"}
TWICE: dict[str, Any] = {
    # One workload by two doors; and one behind a controller that a port of the router leads to as well.
    "paperless": {**builders.HTML, "origin": {"namespace": "paperless", "service": "web", "port": 8000}},
    "docs": OPEN_DOCS,
    "cloud": {
        "origin": {
            "namespace": "cloud",
            "service": "nextcloud",
            "port": 443,
            "scheme": "https",
            "through_ingress": "existing",
        },
        "origin_tls": {"match_sni_to_host": True},
        "traffic": "html",
    },
    "front": {
        **builders.GAME,
        "origin": {**CONTROLLER, "port": 443, "scheme": "tcp", "selector": {"app": "nginx"}},
        "port_forward": [{"external_port": 443, "protocol": "tcp", "service_port": 443, "node_port": 30443}],
        "acknowledge": {"workload-wider": "The controller lets in by a certificate"},
    },
}


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.alfred.yaml").write_text(builders.stack_text(TWICE))
    return tmp_path


def asked(project: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(project, *arguments, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_service_is_asked_for_by_its_key_with_all_of_its_ways(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(project, capsys, "grafana")
    assert found["service"] == "grafana"
    assert {row["place"]: row["who"] for row in found["places"]} == {
        f"{GRAFANA}/": "alice@example.com, bob@example.com after login",
        f"{GRAFANA}/api": "anyone",
    }
    assert found["together"]["who"] == "anyone"
    assert {tuple(row["workloads"]) for row in found["places"]} == {("grafana/web:8080",)}
    # The node's own port is no resource's: the stack file says whose it is.
    assert [row["place"] for row in asked(project, capsys, "ssh")["places"]] == [
        "alfred.tail.ts.net:22/tcp",
        "192.168.0.124:22/tcp",
    ]
    assert run(project, "grafana") == 0
    out = capsys.readouterr().out
    assert "together: anyone" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["blog", "--as", "anyone"], 0),
        (["wiki", "--as", "anyone"], 1),
        (["ssh", "--as", "admins"], 0),
        (["ssh", "--as", "household"], 1),
        (["ssh", "--as", "lan"], 0),
        (["game/game", "--as", "anyone"], 0),
        ([GRAFANA, "--as", "household"], 0),
    ],
)
def test_a_set_reaches_what_all_of_it_reach_and_a_service_is_reached_by_any_way(
    project: Path, arguments: list[str], code: int
) -> None:
    assert run(project, *arguments) == code


@pytest.mark.parametrize(
    ("who", "reaches", "not_"),
    [
        ("bob@example.com", {f"{GRAFANA}/", "wiki-octavo.example.com/", "films-alfred.tail.ts.net/"}, {"alfred.tail"}),
        ("admins", {f"{GRAFANA}/", "alfred.tail.ts.net:22/tcp"}, {"192.168"}),
        ("mallory@example.net", {f"{GRAFANA}/api", "blog-alfred.example.com/"}, {f"{GRAFANA}/", "wiki", "alfred.tail"}),
        ("anyone", {f"{GRAFANA}/api", "game-alfred.example.com:25565/tcp"}, {f"{GRAFANA}/", "192.168"}),
        ("lan", {f"{GRAFANA}/api", "192.168.0.124:22/tcp", "192.168.0.124:32565/tcp"}, {f"{GRAFANA}/", "alfred.tail"}),
    ],
)
def test_somebody_is_asked_for_everything_that_they_reach(
    project: Path, capsys: pytest.CaptureFixture[str], who: str, reaches: set[str], not_: set[str]
) -> None:
    places = {row["place"] for row in asked(project, capsys, who)["places"]}
    assert reaches <= places
    assert not [p for p in places for absent in not_ if (p == absent if absent.endswith("/") else p.startswith(absent))]
    assert run(project, who) == 0
    assert f"{who} reaches" in capsys.readouterr().out


_OWN_TAGS = """{
  "tagOwners": {"tag:printer": ["autogroup:admin"], "tag:desk": ["autogroup:admin"]},
  "grants": [{"src": ["tag:desk"], "dst": ["tag:printer"], "ip": ["tcp:631"]}],
}"""


@pytest.mark.parametrize(
    ("tag", "reaches"),
    [
        # By a service's `machines`, by a rule of the owner's own, and by nothing.
        ("tag:ci", ["alfred.tail.ts.net:9100/tcp"]),
        ("tag:desk", ["tag:printer:631/tcp"]),
        ("tag:printer", []),
        ("tag:zzz", []),
    ],
)
def test_a_tag_is_asked_for_what_machines_with_it_reach(
    project: Path, capsys: pytest.CaptureFixture[str], tag: str, reaches: list[str]
) -> None:
    services = {"metrics": {**builders.SSH, "origin": {"on_node": True, "port": 9100}, "machines": "tag:ci"}}
    tailnet = {"name": "tail.ts.net", "policy": "tailnet.hujson"}
    (project / "Pulumi.octavo.yaml").unlink()
    (project / "Pulumi.alfred.yaml").write_text(
        builders.stack_text(services, estate={**builders.ESTATE, "tailnet": tailnet})
    )
    (project / "tailnet.hujson").write_text(_OWN_TAGS)
    assert run(project, tag, "--json") == 0
    said, noted = capsys.readouterr()
    assert json.loads(said)["principals"] == [tag]
    assert [row["place"] for row in json.loads(said)["places"]] == reaches
    assert noted == (
        "gatehouse: no rule and no machine here has tag:zzz; one with it would reach what is listed\n"
        if tag == "tag:zzz"
        else ""
    )
    assert run(project, tag) == 0
    assert capsys.readouterr().out.startswith(f"{tag} reaches")


@pytest.mark.parametrize("target", ["paperless/web", "paperless/web:8000"])
def test_what_answers_is_asked_for_with_every_way_that_ends_there(
    twice: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    found = asked(twice, capsys, target)
    assert [(row["service"], row["who"]) for row in found["places"]] == [
        ("docs", "anyone"),
        ("paperless", "alice@example.com, bob@example.com after login"),
    ]
    assert found["together"]["who"] == "anyone"


def test_the_other_ways_to_the_same_workload_are_said(twice: Path, capsys: pytest.CaptureFixture[str]) -> None:
    others = {key: {r["place"] for r in asked(twice, capsys, key)["others"]} for key in TWICE}
    front = {"front-alfred.example.com:443/tcp", "192.168.0.124:30443/tcp"}
    at_home = {"192.168.0.124:80/tcp", "192.168.0.124:443/tcp"}
    assert others == {
        "paperless": {"docs-alfred.example.com/"},
        "docs": {"paperless-alfred.example.com/"},
        # Past the tunnel the controller leads on to whatever host is said.
        "cloud": front | at_home,
        "front": at_home,
    }
    assert run(twice, "cloud-alfred.example.com", "--as", "anyone") == 1
    capsys.readouterr()
    run(twice, "cloud-alfred.example.com")
    assert "front-alfred.example.com:443/tcp" in capsys.readouterr().out.partition("other ways")[2]
    run(twice, "front-alfred.example.com")
    assert "other ways" in capsys.readouterr().out
    places = {row["place"] for row in asked(twice, capsys, "cloud/nextcloud")["places"]}
    assert places == {"cloud-alfred.example.com/", *front, *at_home}


def test_where_not_every_request_is_known_that_is_said_and_the_code_is_3(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gatehouse import surfaces

    monkeypatch.setattr(surfaces, "unproved", lambda *_: (("grafana.example.com", "too many"),))
    for arguments in ([], ["grafana"], ["household"], ["wiki", "--as", "anyone"]):
        assert run(project, *arguments) == 3
        assert "not proved: grafana.example.com: too many" in capsys.readouterr().err
    # What is reached is reached, and one URL is one request.
    assert run(project, "blog", "--as", "anyone") == 0
    assert run(project, f"https://{GRAFANA}/") == 0
    assert run(project, f"https://{GRAFANA}/", "--as", "anyone") == 1


def test_it_starts_without_pulumi_and_without_re2_where_no_path_is_matched() -> None:
    code = (
        "import argparse, pathlib, sys\n"
        "from gatehouse.commands import who\n"
        "from exposure.reach import Request, who as ask, ANYONE, from_plan\n"
        "from config.loader import load_project\n"
        "from exposure.plan import plan_stack\n"
        f"stacks = load_project(pathlib.Path({str(ROOT)!r}))\n"
        "surface = from_plan(plan_stack(stacks['alfred'], stacks))\n"
        "assert ask(surface, Request('komga-alfred'), ANYONE).reaches\n"
        "print(sorted({'pulumi', 're2', 'rich', 'pulumi_cloudflare', 'jsonschema'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SURFACE = from_plan(builders.plan_of(SERVICES))


@given(st.text() | st.from_regex(r"([a-z]+://)?[a-z.\[\]:@%-]*(:[0-9]+)?(/[^ ]*)?", fullmatch=True))
@example("https://[::1]/")
@example("//")
@example("xn--/\u2100")
def test_any_text_is_answered_or_told_to_be_no_target(text: str) -> None:
    try:
        _, found = Asked.of([SURFACE], None).requests(text)
    except UsageError:
        return
    assert found
    for request in found:
        assert ask(SURFACE, request, ANYONE).steps


@given(
    st.text() | st.sampled_from(["grafana", "household", "a@b", "lan", "game/game", "films-alfred", "x/y", "tag:x:1"])
)
@example("http://[")
@example("//[/")
def test_any_word_stands_for_something_or_is_refused(text: str) -> None:
    try:
        subject = Asked.of([SURFACE], None).subject(text)
    except UsageError:
        return
    assert subject.kind in ("url", "service", "people", "workload")
