"""`gatehouse new-stack`: what it writes is valid, and nothing that was there is touched."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loader import load_project
from exposure.check import check
from exposure.plan import plan_stack
from exposure.ways import WAYS
from gatehouse.cli import main
from gatehouse.commands import new_stack
from gatehouse.commands.new_stack import scalar

ROOT = Path(__file__).parents[2]
NODE = ["--router-ip", "203.0.113.7", "--lan-ip", "192.168.0.9"]
ESTATE = ["--account-id", "0" * 31 + "1", "--team", "home", "--zone", "example.com"]
# As k3s brings it [k3s-io/k3s manifests/traefik.yaml; github.com/traefik/traefik-helm-chart].
TRAEFIK = {"namespace": "kube-system", "service": "traefik", "class_name": "traefik"}
EVERYTHING = [
    *ESTATE,
    *["--google-client-id", "1-a.apps.googleusercontent.com", "--people", "alice@example.com, bob@example.com"],
    *["--tailnet", "tail.ts.net", *NODE, "--tailnet-ip", "100.64.0.9", "--context", "k3s", "--operator", "existing"],
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    return tmp_path


def run(project: Path, *arguments: str) -> int:
    return main(["-C", str(project), "new-stack", *arguments])


def written(project: Path, stack: str) -> Any:
    # Another reader of YAML than the product's own.
    return yaml.safe_load((project / f"Pulumi.{stack}.yaml").read_text())["config"]


def findings(project: Path) -> list[tuple[str, str]]:
    return [(f.rule, f.where) for f in check(load_project(project))]


def answering(monkeypatch: pytest.MonkeyPatch, answers: Sequence[str]) -> list[str]:
    """Answer at a terminal that is none. Gives what was asked."""
    asked: list[str] = []
    left = iter(answers)

    def answer(prompt: str) -> str:
        asked.append(prompt)
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    return asked


def test_every_answer_by_option_gives_a_valid_owner(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "pi", *EVERYTHING) == 0
    assert written(project, "pi") == {
        "gatehouse:node": {
            "name": "pi",
            "router_ipv4": "203.0.113.7",
            "lan_ipv4": "192.168.0.9",
            "tailnet_ipv4": "100.64.0.9",
            "context": "k3s",
            "ingress_controller": {"kind": "traefik"},
            "tailscale_operator": "existing",
        },
        "gatehouse:estate": {
            "account_id": "0" * 31 + "1",
            "team": "home",
            "zone": {"name": "example.com", "dnssec": True},
            "google": {"client_id": "1-a.apps.googleusercontent.com"},
            "people": {"household": ["alice@example.com", "bob@example.com"]},
            "default_people": "household",
            "tailnet": {"name": "tail.ts.net"},
        },
    }
    assert findings(project) == []
    said = capsys.readouterr().out
    assert "gatehouse:google_client_secret --stack pi" in said
    assert "gatehouse:tunnel_secret" in said
    assert max(map(len, said.splitlines())) <= 110
    first = (project / "Pulumi.pi.yaml").read_text().splitlines()[0]
    assert first == (ROOT / "Pulumi.alfred.yaml").read_text().splitlines()[0]


def test_no_router_is_asked_for_where_none_is_needed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, [""])
    assert run(project, "pi", *[word for word in EVERYTHING if word not in ("--router-ip", "203.0.113.7")]) == 0
    assert len(asked) == 1
    assert "ngress" in asked[0]
    assert "router_ipv4" not in written(project, "pi")["gatehouse:node"]
    assert findings(project) == []


def test_a_second_node_joins_the_one_estate_there_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "pi", *EVERYTHING) == 0
    assert run(project, "nuc", "--lan-ip", "192.168.0.10") == 0
    assert written(project, "nuc") == {
        "gatehouse:member_of": "organization/gatehouse/pi",
        "gatehouse:node": {
            "name": "nuc",
            # The owner's router.
            "router_ipv4": "203.0.113.7",
            "lan_ipv4": "192.168.0.10",
            "context": "nuc",
            "ingress_controller": {"kind": "traefik"},
            "tailscale_operator": "none",
        },
    }
    assert findings(project) == []
    assert "google_client_secret" not in capsys.readouterr().out.split("Wrote Pulumi.nuc.yaml")[1]


def with_the_examples(project: Path, stack: str) -> None:
    """Remove the comment signs in front of the examples, as people are told to."""
    path = project / f"Pulumi.{stack}.yaml"
    head, services = path.read_text().split("  # gatehouse:services:\n")
    bare = "\n".join(line.replace("  # ", "  ", 1) for line in services.splitlines())
    path.write_text(f"{head}  gatehouse:services:\n{bare}\n")


def test_there_is_one_example_a_gate_and_each_is_accepted(project: Path) -> None:
    assert run(project, "pi", *EVERYTHING) == 0
    with_the_examples(project, "pi")
    stacks = load_project(project)
    plan = plan_stack(stacks["pi"], stacks)
    assert [way.gate for way in plan.ways] == list(WAYS)
    # A warning alone: the example beside it says that it needs such a service.
    assert findings(project) == [("acme-unused", "services.acme-renewals.traffic")]


def test_the_examples_are_those_of_the_readme(project: Path) -> None:
    assert run(project, "pi", *EVERYTHING) == 0
    with_the_examples(project, "pi")
    readme = (ROOT / "README.md").read_text()
    shown = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", readme, re.M | re.S)]
    services = {key: value for block in shown for key, value in block.items() if ":" not in key}
    assert services == written(project, "pi")["gatehouse:services"]


def test_what_is_there_is_never_overwritten(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("Pulumi.pi.yaml", "Pulumi.nuc.yml"):
        (project / name).write_text("config: {}  # mine\n")
        assert run(project, name.split(".")[1], *EVERYTHING) == 2
        assert "is there already, and is never overwritten" in capsys.readouterr().err
        assert (project / name).read_text() == "config: {}  # mine\n"
    assert sorted(p.name for p in project.iterdir()) == ["Pulumi.nuc.yml", "Pulumi.pi.yaml", "Pulumi.yaml"]


def test_a_file_that_appears_meanwhile_is_not_overwritten_either(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def meanwhile(answers: new_stack.Answers) -> str:
        (project / "Pulumi.pi.yaml").write_text("mine")
        return render(answers)

    render = new_stack.render_stack
    monkeypatch.setattr(new_stack, "render_stack", meanwhile)
    assert run(project, "pi", *EVERYTHING) == 2
    assert (project / "Pulumi.pi.yaml").read_text() == "mine"
    assert "never overwritten" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (["--lan-ip", "192.168.0"], "wrong-form"),
        (["--account-id", "short"], "wrong-form"),
        (["--zone", "localhost"], "zone-name"),
        (["--tailnet", "example.com"], "tailnet-domain"),
        (["--people", "nobody"], "wrong-form"),
        (["--context", "a\nb"], "wrong-form"),
    ],
)
def test_what_would_break_live_is_not_written(
    project: Path, change: list[str], rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project, "pi", *EVERYTHING, *change) == 1
    message = capsys.readouterr().err
    assert "nothing was written" in message
    assert f"[{rule}]" in message
    assert not (project / "Pulumi.pi.yaml").exists()


def test_a_second_owner_of_one_zone_is_not_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "pi", *EVERYTHING) == 0
    assert run(project, "nuc", *EVERYTHING) == 1
    assert "estate-owner-twice" in capsys.readouterr().err
    assert not (project / "Pulumi.nuc.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Pi", *EVERYTHING], "NODE 'Pi'"),
        (["../pi", *EVERYTHING], "NODE '../pi'"),
        (["pi", "--member-of", "alfred", "--team", "home", *NODE], "say one of the two"),
        (["pi", "--team", "home"], "--account-id, --zone, --lan-ip: needed"),
        (["pi"], "there is no terminal to ask at"),
    ],
)
def test_wrong_usage_ends_with_2_and_writes_nothing(
    project: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(project, *arguments, "--no-input") == 2
    assert said in capsys.readouterr().err
    assert [p.name for p in project.iterdir()] == ["Pulumi.yaml"]


def test_an_owner_that_is_not_there_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "pi", "--member-of", "nobody", *NODE) == 1
    assert "estate-owner" in capsys.readouterr().err


def test_print_writes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project, "pi", *EVERYTHING, "--print") == 0
    assert yaml.safe_load(capsys.readouterr().out)["config"]["gatehouse:node"]["name"] == "pi"
    assert [p.name for p in project.iterdir()] == ["Pulumi.yaml"]


def test_questions_are_asked_again_until_the_answer_holds(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answering(
        monkeypatch,
        [
            "oops",
            "0" * 31 + "1",
            "home",
            "localhost",
            "example.com",
            "",
            "",
            "",
            "",
            "192.168.0.9",
            "",
            "",
            "haproxy",
            "other",
            "",
        ],
    )
    assert run(project, "pi") == 0
    said = capsys.readouterr().out
    assert "32 lower-case hexadecimal digits" in said
    assert "this is needed" in said
    assert len([a for a in asked if a.startswith("Cloudflare account id")]) == 2
    assert len([a for a in asked if a.startswith("Domain")]) == 2
    config = written(project, "pi")
    assert config["gatehouse:estate"]["zone"]["name"] == "example.com"
    assert config["gatehouse:node"]["context"] == "pi"
    assert "ingress_controller" not in config["gatehouse:node"], "it is left to its owner, behind a comment sign"
    assert set(config["gatehouse:estate"]) == {"account_id", "team", "zone"}
    assert findings(project) == []


def test_with_an_estate_at_hand_the_first_question_is_whether_to_join(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(project, "pi", *EVERYTHING) == 0
    asked = answering(monkeypatch, ["", "192.168.0.10", "", "", "", ""])
    assert run(project, "nuc") == 0
    assert asked[0] == "Stack that owns the estate [pi]: "
    assert written(project, "nuc")["gatehouse:member_of"] == "organization/gatehouse/pi"
    own = answering(monkeypatch, ["-", "0" * 31 + "2", "other", "example.org"])
    assert run(project, "third") == 2
    assert own[1].startswith("Cloudflare account id")


@pytest.mark.parametrize(
    ("seen", "answer", "said"),
    [
        ({"kind": "nginx"}, "", {"kind": "nginx"}),
        ({"kind": "traefik", "namespace": "traefik"}, "", {"kind": "traefik", "namespace": "traefik"}),
        ({"kind": "traefik", "namespace": "traefik"}, "nginx", {"kind": "nginx"}),
    ],
)
def test_the_ingress_controller_of_the_cluster_is_proposed(
    seen: dict[str, str], answer: str, said: object, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_stack, "ingress_controller", lambda context: seen if context == "k3s" else {})
    asked = answering(monkeypatch, ["", "", "", "", "k3s", answer, ""])
    assert run(project, "pi", *ESTATE, *NODE) == 0
    assert any(a.startswith("Ingress controller") and f"[{seen['kind']}]" in a for a in asked)
    assert written(project, "pi")["gatehouse:node"]["ingress_controller"] == said
    assert findings(project) == []


def test_answers_that_end_early_write_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, ["0" * 31 + "1"])
    assert run(project, "pi") == 2
    assert "nothing was written" in capsys.readouterr().err
    assert not (project / "Pulumi.pi.yaml").exists()


@pytest.mark.parametrize(
    "text", ["a", "1", "0001", "12e34", "true", "~", "a: b", "a #b", '"', "ü", "[", "- x", "a\nb", ""]
)
def test_a_scalar_is_read_as_the_same_text(text: str) -> None:
    assert yaml.safe_load(f"a: {scalar(text)}\n") == {"a": text}


def test_it_asks_at_a_real_terminal(project: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gatehouse.cli", "-C", str(project), "new-stack", "pi", *ESTATE, *NODE]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    process = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    # Client id, people, tailnet, tailnet address, context, ingress controller, operator: Enter for each.
    os.write(ours, b"\n" * 7)
    out, errors = process.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, errors) == (0, b""), errors
    assert b"kubectl context of its cluster [pi]" in out
    assert written(project, "pi")["gatehouse:node"]["context"] == "pi"
