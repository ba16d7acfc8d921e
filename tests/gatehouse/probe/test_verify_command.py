"""`gatehouse verify` as it is called."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import stamina

from gatehouse.adopt.doubles import Account, Double
from gatehouse.adopt.things import Thing
from gatehouse.cli import main
from gatehouse.probe.names import Server
from gatehouse.probe.options import add_network_arguments, settings_of
from gatehouse.probe.runner import Result
from tests.gatehouse.probe.world import NAME_SERVERS, SECTIONS, SERVICES, World
from tests.kit.builders import HTML, stack_text

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.alfred.yaml").write_text(stack_text(SERVICES, **SECTIONS))
    return tmp_path


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as made:
        yield made


def verify(project: Path, *arguments: str) -> int:
    return main(["-C", str(project), "verify", *arguments])


def test_a_good_world_ends_with_0_and_a_table(project: Path, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(project, *world.arguments()) == 0
    text = capsys.readouterr().out
    assert "] wiki: " in text
    assert "FAILED" not in text
    assert "none failed" in text.splitlines()[-1]
    assert max(map(len, text.splitlines())) <= 80 + len(str(world.resolver))
    assert "\033" not in text


def test_a_broken_promise_ends_with_1_and_says_what_to_do(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    world.replies = [(lambda r: "cf-access-token" in r.headers and r.name.startswith("wiki"), world.origin)]
    with world:
        assert verify(project, *world.arguments()) == 1
    text = capsys.readouterr().out
    assert "FAILED wiki/forged-token" in text
    assert "Stop cloudflared." in text
    assert ", 1 failed" in text.splitlines()[-1]


def test_programs_get_json_alone_on_stdout_and_ci_gets_junit(
    project: Path, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    junit = tmp_path / "verify.xml"
    assert verify(project, "--json", "--junit", str(junit), "--only", "wiki", *world.arguments()) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert {c["subject"] for c in document["checks"]} == {"wiki"}
    assert "wiki: " in captured.err
    assert ElementTree.parse(junit).getroot().get("tests") == str(len(document["checks"]))


def test_name_servers_are_compared_with_the_stack_s_outputs(
    project: Path, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = tmp_path / "outputs.json"
    only = ["--only", "name-servers", "--outputs", str(outputs), *world.arguments()]
    outputs.write_text(json.dumps({"name_servers": list(NAME_SERVERS)}))
    assert verify(project, *only) == 0
    outputs.write_text(json.dumps({"name_servers": ["eve.ns.cloudflare.com", "mal.ns.cloudflare.com"]}))
    assert verify(project, *only) == 1
    assert "eve.ns.cloudflare.com" in capsys.readouterr().out


def test_what_cannot_be_shown_at_all_is_no_success(project: Path) -> None:
    # Everything is silent, and only what proves nothing then is asked.
    with World(silent=True) as world:
        arguments = world.arguments()
        arguments[arguments.index("--timeout") + 1] = "0.2"
        # Without the pause before the second try.
        with stamina.set_testing(True, attempts=2, cap=True):
            assert verify(project, "--only", "wiki/forged*", *arguments) == 1


@pytest.mark.parametrize(("twice", "code"), [(False, 0), (True, 1)])
def test_with_a_token_the_account_is_asked_for_doubles(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, twice: bool, code: int
) -> None:
    found = [Double(Thing("ZeroTrustAccessGroup", "accounts/a/g2", {}, "people"), "alice@example.com")] if twice else []
    monkeypatch.setattr(Account, "doubles", lambda account: found)
    # Without a token there is no such check.
    assert verify(project, "--only", "doubles") == 2
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "a-token")
    assert verify(project, "--only", "doubles") == code
    text = " ".join(capsys.readouterr().out.split())
    assert ('a second Access group "people", which no stack knows' in text) is twice
    assert ("gatehouse doubles --stack alfred lists them" in text) is twice


def test_an_account_that_cannot_be_compared_proves_nothing(
    project: Path, world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # There is no engine here, so no state can be read.
    monkeypatch.setenv("GATEHOUSE_ENGINE", "none")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "a-token")
    assert verify(project, "--only", "doubles", "--only", "wiki/login", *world.arguments()) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "not proven: example.com/doubles" in text
    assert "what is yours cannot be told" in text


def test_the_list_asks_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(project, "--list") == 0
    assert "forged-cookie" in capsys.readouterr().out
    assert verify(project, "--list", "--json", "--only", "ssh") == 0
    assert len(json.loads(capsys.readouterr().out)["checks"]) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stack", "alfret"], "did you mean 'alfred'?"),
        (["--only", "wikki"], "did you mean 'wiki'?"),
        (["--timeout", "0"], "--timeout 0"),
        (["--within", "-1"], "--within -1"),
        (["--resolver", "one.one.one.one"], "is no IP address"),
        (["--resolver", "1.1.1.1:99999"], "no port"),
        (["--connect", "nonsense"], "HOST:PORT=ADDR:PORT"),
        (["--connect", "a:x=127.0.0.1:1"], "no HOST:PORT"),
        (["--connect", "a:443=b:1"], "no IP address"),
        (["--connect", "a:443=127.0.0.1"], "has no port"),
        (["--ca-file", "/nowhere"], "there is no such file"),
        (["--outputs", "/nowhere"], "No such file"),
    ],
)
def test_wrong_usage_is_told_and_ends_with_2(
    arguments: list[str], words: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(project, *arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("9.9.9.9", "9.9.9.9", 53),
        ("9.9.9.9:5353", "9.9.9.9", 5353),
        ("2620:fe::fe", "2620:fe::fe", 53),
        ("[2620:fe::fe]:5353", "2620:fe::fe", 5353),
    ],
)
def test_a_resolver_is_an_address_with_or_without_a_port(text: str, address: str, port: int) -> None:
    parser = argparse.ArgumentParser()
    add_network_arguments(parser)
    asked = ["--resolver", text, "--connect", "*:443=[::1]:8443", "--connect", "A.example.com:80=127.0.0.1:8080"]
    settings = settings_of(parser.parse_args(asked))
    assert settings.resolver == Server(address, port)
    assert settings.connect == {("*", 443): ("::1", 8443), ("a.example.com", 80): ("127.0.0.1", 8080)}


def test_a_file_without_certificates_is_wrong_usage(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    assert verify(project, "--ca-file", str(tmp_path / "ca.pem")) == 2
    assert "it holds no certificate" in capsys.readouterr().err


def test_a_stack_file_with_findings_is_not_probed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.alfred.yaml").write_text(stack_text({"wiki": {**HTML, "host": "wiki.elsewhere.org"}}))
    assert verify(tmp_path) == 1
    assert "host-outside-zone" in capsys.readouterr().err


def test_after_a_simulated_up_there_is_nothing_outside_to_ask(
    project: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    up_on_simulated_clouds(project)
    assert verify(project) == 1
    said = capsys.readouterr().err
    assert "there is nothing outside to ask" in said
    assert "gatehouse verify alfred --demo" in said
    # The list asks nobody, and who says where to connect knows what to ask.
    assert verify(project, "--list") == 0
    assert verify(project, *world.arguments()) == 0


@pytest.mark.parametrize("real", ["credentials", "a secret"])
def test_a_stack_for_real_clouds_is_asked_whatever_was_simulated(
    project: Path, real: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    up_on_simulated_clouds(project)
    asked: list[object] = []

    async def run_checks(*arguments: object) -> list[Result]:
        asked.append(arguments)
        return []

    monkeypatch.setattr("gatehouse.probe.runner.run_checks", run_checks)
    if real == "credentials":
        monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "a-token")
        monkeypatch.setenv("TAILSCALE_API_KEY", "a-key")
    else:
        with (project / "Pulumi.alfred.yaml").open("a") as file:
            file.write("  gatehouse:tunnel_secret: {secure: v1:abc}\n")
    assert verify(project, "--only", "wiki") == 1
    assert len(asked) == 1


def up_on_simulated_clouds(project: Path) -> None:
    folder = project / ".gatehouse" / "simulated" / "state" / ".pulumi" / "stacks" / "gatehouse"
    folder.mkdir(parents=True)
    root = {"type": "pulumi:pulumi:Stack", "outputs": {"name_servers": []}}
    (folder / "alfred.json").write_text(json.dumps({"checkpoint": {"latest": {"resources": [root]}}}))


def test_the_demo_is_of_any_stack_and_breaks_one_login_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(project, "alfred", "--demo", "--json") == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    states = {c["id"]: c["state"] for c in checks}
    assert [i for i, state in states.items() if state == "failed"] == ["wiki/forged-cookie"]
    assert {state for i, state in states.items() if i != "wiki/forged-cookie"} == {"passed"}
    assert {"media/certificate", "game/tcp-25565", "example.com/chain", "board/acme"} <= set(states)
