"""Programs under the recorder, with no provider's SDK: components and StackReferences are enough."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from gatehouse.commands import CommandError
from gatehouse.offline import UNKNOWN, Offline, ProgramError, run_offline


class Thing(pulumi.CustomResource):
    made: pulumi.Output[str]

    def __init__(self, name: str, properties: dict[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("toy:index/thing:Thing", name, {**properties, "made": None}, opts)


class Group(pulumi.ComponentResource):
    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gatehouse:index:Group", name, None, opts)
        self.register_outputs({"size": 1})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.toy.yaml").write_text(
        "config:\n  gatehouse:n: 2\n  gatehouse:tunnel_secret:\n    secure: v1:made-up\n"
    )
    return tmp_path


Run = Callable[..., Offline]


@pytest.fixture
def run(project: Path) -> Run:
    return lambda program, dry_run=True, **more: run_offline(
        project, "toy", dry_run, **{"config": {}, "program": program, **more}
    )


def only(found: Offline, name: str) -> dict[str, Any]:
    [step] = [s for s in found.steps if s.name == name]
    return dict(step.state)


def test_options_are_recorded_and_urns_are_the_engines(run: Run) -> None:
    def program() -> None:
        group = Group("outer")
        inner = Group("inner", pulumi.ResourceOptions(parent=group))
        first = Thing("first", {"size": 3}, pulumi.ResourceOptions(parent=inner, protect=True, retain_on_delete=True))
        Thing("second", {"of": first.made}, pulumi.ResourceOptions(depends_on=[group], ignore_changes=["of"]))

    found = run(program)
    first = only(found, "first")
    # A URN holds every parent's type but the stack's [PU sdk/go/common/resource/urn].
    assert first["urn"] == (
        "urn:pulumi:toy::gatehouse::gatehouse:index:Group$gatehouse:index:Group$toy:index/thing:Thing::first"
    )
    assert first["protect"] is True
    assert first["retainOnDelete"] is True
    assert first["custom"] is True
    assert first["inputs"] == {"size": 3}
    assert first["parent"].endswith("::inner")
    second = only(found, "second")
    assert second["ignoreChanges"] == ["of"]
    assert second["propertyDependencies"] == {"of": [first["urn"]]}
    assert first["urn"] in second["dependencies"]
    assert "protect" not in second


def test_secrets_are_hidden_and_what_the_cloud_computes_is_unknown_in_a_preview(run: Run) -> None:
    def program() -> None:
        thing = Thing("thing", {"token": pulumi.Output.secret("hunter2"), "list": [{"deep": pulumi.Output.secret(1)}]})
        Thing("after", {"of": thing.made, "id": thing.id})
        pulumi.export("made", thing.made)
        pulumi.export("token", pulumi.Output.secret("hunter2"))

    found = run(program)
    assert only(found, "thing")["inputs"] == {"token": "[secret]", "list": [{"deep": "[secret]"}]}
    # The engine's own marker of an unknown string [PU sdk/python/lib/pulumi/runtime/rpc.py].
    assert UNKNOWN == "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    assert only(found, "after")["inputs"] == {"of": UNKNOWN, "id": UNKNOWN}
    assert found.outputs == {"made": UNKNOWN, "token": "[secret]"}
    assert "hunter2" not in found.to_json()


def test_as_in_up_what_the_cloud_computes_is_known(run: Run) -> None:
    def program() -> None:
        thing = Thing("thing", {"size": 1})
        pulumi.export("made", thing.made)
        pulumi.export("id", thing.id)

    def computed(type_: str, name: str, inputs: object) -> dict[str, object]:
        assert (type_, name, inputs) == ("toy:index/thing:Thing", "thing", {"size": 1})
        return {"made": "by the cloud", "id": "42"}

    assert run(program, dry_run=False, computed=computed).outputs == {"made": "by the cloud", "id": "42"}


def test_two_runs_print_the_same_bytes(run: Run) -> None:
    def program() -> None:
        pulumi.log.warn("mind this")
        for n in range(30):
            Thing(f"thing{n}", {"n": n, "of": {"b": 1.5, "a": None}})

    first = run(program).to_json()
    assert first == run(program).to_json()
    document = json.loads(first)
    assert document["changeSummary"] == {"create": 31}
    assert document["diagnostics"] == [{"message": "mind this", "severity": "warning"}]
    assert [s["urn"] for s in document["steps"]] == sorted(s["urn"] for s in document["steps"])


def test_a_second_resource_of_one_name_is_refused(run: Run) -> None:
    def program() -> None:
        Thing("twice", {})
        Thing("twice", {})

    with pytest.raises(CommandError, match="Duplicate resource URN"):
        run(program)


@pytest.mark.parametrize("late", [False, True])
def test_what_the_program_refuses_is_its_message_alone(run: Run, late: bool) -> None:
    def refuse(_: object = None) -> None:
        raise pulumi.RunError("two findings:\n  a\n  b")

    def program() -> None:
        Group("group").urn.apply(refuse) if late else refuse()

    with pytest.raises(CommandError, match=r"^two findings:\n  a\n  b$") as caught:
        run(program)
    assert not isinstance(caught.value, ProgramError)


def test_a_crash_of_the_program_says_which_and_keeps_its_traceback(run: Run) -> None:
    def program() -> None:
        raise ValueError("boom")

    with pytest.raises(ProgramError, match=r"ValueError: boom.*report") as caught:
        run(program)
    assert "Traceback" in caught.value.trace


def test_a_providers_function_is_refused_unless_the_caller_answers_it(run: Run) -> None:
    def program() -> None:
        pulumi.export("answer", pulumi.runtime.invoke_output("toy:index/ask:ask", {"a": 1}).apply(lambda r: r["b"]))

    with pytest.raises(CommandError, match=r"toy:index/ask:ask asks a provider"):
        run(program)


def test_another_stacks_outputs_come_from_the_caller(run: Run) -> None:
    def program() -> None:
        owner = pulumi.StackReference("organization/gatehouse/owner")
        pulumi.export("zone", owner.require_output("zone_id"))

    found = run(program, stack_outputs=lambda name: {"zone_id": f"of {name}"})
    assert found.outputs == {"zone": "of organization/gatehouse/owner"}


def test_a_member_reads_its_owners_outputs_from_the_owners_own_plan(project: Path) -> None:
    (project / "Pulumi.member.yaml").write_text("config:\n  gatehouse:member_of: organization/gatehouse/toy\n")
    (project / "__main__.py").write_text(
        "import pulumi\n"
        "config = pulumi.Config()\n"
        "if config.get('member_of'):\n"
        "    owner = pulumi.StackReference(config.require('member_of'))\n"
        "    pulumi.export('seen', owner.outputs.apply(dict))\n"
        "else:\n"
        "    pulumi.export('known', 'as it is')\n"
        "    pulumi.export('secret', config.require_secret('tunnel_secret'))\n"
    )
    assert run_offline(project, "member").outputs == {"seen": {"known": "as it is", "secret": "[secret]"}}


def test_a_stack_that_only_the_program_names_is_planned_while_it_runs(project: Path) -> None:
    (project / "Pulumi.other.yaml").write_text("config:\n  gatehouse:other: 'true'\n")
    (project / "__main__.py").write_text(
        "import pulumi\n"
        "if pulumi.Config().get('other'):\n"
        "    pulumi.export('seen', pulumi.StackReference('organization/gatehouse/toy').outputs.apply(dict))\n"
        "else:\n"
        "    pulumi.export('known', 'as it is')\n"
    )
    assert run_offline(project, "other").outputs == {"seen": {"known": "as it is"}}


def test_the_stack_files_values_reach_the_program_and_its_secrets_as_made_up_ones(project: Path) -> None:
    (project / "__main__.py").write_text(
        "import pulumi, os\n"
        "config = pulumi.Config()\n"
        "pulumi.export('n', config.require_int('n'))\n"
        "pulumi.export('secret', config.require_secret('tunnel_secret'))\n"
        "pulumi.export('other', config.get('google_client_secret') or 'not set')\n"
        "pulumi.export('where', os.getcwd())\n"
    )
    found = run_offline(project, "toy")
    assert found.outputs == {"n": 2, "secret": "[secret]", "other": "not set", "where": str(project)}
    assert [s.type for s in run_offline(project, "toy").steps] == ["pulumi:pulumi:Stack"]


def test_no_credential_of_whoever_runs_it_reaches_the_program(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "real")
    monkeypatch.setenv("TAILSCALE_OAUTH_CLIENT_SECRET", "real")
    monkeypatch.setenv("GATEHOUSE_CONTROL", "seen")
    seen: dict[str, str] = {}
    run(lambda: seen.update(os.environ))
    assert seen["GATEHOUSE_CONTROL"] == "seen"
    assert "real" not in seen.values()
    assert os.environ["CLOUDFLARE_API_TOKEN"] == "real"
