"""`gatehouse todo`: what is left, with the values, ticked off where it is seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.loader import load_project
from exposure.model import ExposurePlan
from exposure.plan import plan_stack
from gatehouse.cli import main
from gatehouse.commands.todo import Seen, Todo, ds_fields, render, todos
from gatehouse.probe.outputs import outputs_here
from tests.gatehouse.probe.world import NAME_SERVERS, SECTIONS, SERVICES, World
from tests.kit.builders import ESTATE, GAME, HTML, NODE, OPEN_HTML, PROJECT, plan_of, stack_text

DIGEST = "AB" * 32
OUTPUTS: Mapping[str, Any] = {
    "name_servers": list(NAME_SERVERS),
    "ds_record": f"example.com. 3600 IN DS 2371 13 2 {DIGEST}",
    "ds": {"key_tag": "2371", "algorithm": "13", "digest_type": "2", "digest": DIGEST, "public_key": "mdsswUyr=="},
}


def todo(plan: ExposurePlan, key: str, outputs: Mapping[str, Any] = OUTPUTS, form: str = "any") -> Todo:
    return next(t for t in todos(plan, outputs, form) if t.key == key)


def test_every_piece_of_manual_steps_is_there_and_in_its_order() -> None:
    stacks = load_project(PROJECT)
    for name in stacks:
        plan = plan_stack(stacks[name], stacks)
        assert [(t.key, t.title) for t in todos(plan, {})] == [(w.key, w.title) for w in plan.manual_steps]


def test_each_zone_has_its_registrar_and_its_own_values() -> None:
    zones = {
        "zone": {"name": "example.com", "dnssec": False},
        "other_zones": [{"name": "example.org"}, {"name": "example.net"}],
    }
    plan = plan_of({}, estate={**ESTATE, **zones})
    outputs = {
        "name_servers": ["ada.ns.cloudflare.com"],
        "zones": {"example.org": {"name_servers": ["eve.ns.cloudflare.com"], "ds_record": OUTPUTS["ds_record"]}},
    }
    assert [t.key for t in todos(plan, outputs)][:11] == [
        *(f"{what}" for what in ("old-ds", "records", "name-servers")),
        *(f"{what}-example.org" for what in ("old-ds", "records", "name-servers", "ds-record")),
        *(f"{what}-example.net" for what in ("old-ds", "records", "name-servers", "ds-record")),
    ]
    assert todo(plan, "name-servers", outputs).values == (("Name server 1", "ada.ns.cloudflare.com"),)
    own = todo(plan, "name-servers-example.org", outputs)
    assert own.title == "Point example.org to Cloudflare at its registrar"
    assert own.values == (("Name server 1", "eve.ns.cloudflare.com"),)
    assert own.checks == ("example.org/name-servers",)
    assert ("Digest", DIGEST) in todo(plan, "ds-record-example.org", outputs).values
    assert todo(plan, "ds-record-example.net", outputs).values == (("DS record", "known after `gatehouse up`"),)


def test_the_name_servers_are_to_be_pasted_one_by_one() -> None:
    assert todo(plan_of({}), "name-servers").values == (
        ("Name server 1", "ada.ns.cloudflare.com"),
        ("Name server 2", "bob.ns.cloudflare.com"),
    )


@pytest.mark.parametrize(
    ("form", "values"),
    [
        (
            "any",
            [
                ("Key tag", "2371"),
                ("Algorithm", "13 (ECDSA Curve P-256 with SHA-256)"),
                ("Digest type", "2 (SHA-256)"),
                ("Digest", DIGEST),
            ],
        ),
        (
            "porkbun",
            [
                ("Key Tag", "2371"),
                ("DS Data Algorithm", "13 (ECDSA Curve P-256 with SHA-256)"),
                ("Digest Type", "2 (SHA-256)"),
                ("Digest", DIGEST),
            ],
        ),
        (
            # RFC 4034, 2.1: a key-signing key has flags 257, and the protocol is always 3.
            "key",
            [
                ("Flags", "257"),
                ("Protocol", "3"),
                ("Algorithm", "13 (ECDSA Curve P-256 with SHA-256)"),
                ("Public key", "mdsswUyr=="),
            ],
        ),
    ],
)
def test_the_ds_record_is_shown_field_by_field_as_the_registrar_s_form_has_it(
    form: str, values: list[tuple[str, str]]
) -> None:
    assert list(todo(plan_of({}), "ds-record", form=form).values) == values


def test_the_ds_record_s_fields_are_taken_out_of_its_line_where_they_are_not_given() -> None:
    expected = {"key_tag": "2371", "algorithm": "13", "digest_type": "2", "digest": DIGEST}
    assert ds_fields({"ds_record": OUTPUTS["ds_record"]}) == expected
    assert ds_fields({"ds_record": "estate-dnssec 3600 IN DS 2371 13 2 ABCD EF"})["digest"] == "ABCDEF"
    nothings: list[dict[str, Any]] = [{}, {"ds_record": None}, {"ds": {}}, {"ds_record": "a. IN DS x 13 2 AB"}]
    for nothing in nothings:
        assert ds_fields(nothing) == {}


def test_an_unsigned_zone_has_no_ds_record_to_enter() -> None:
    unsigned = plan_of({}, estate={**ESTATE, "zone": {"name": "example.com", "dnssec": False}})
    assert "ds-record" not in {t.key for t in todos(unsigned, {})}
    assert "ds-record" in {t.key for t in todos(plan_of({}), {})}, "control"


def test_before_up_what_is_not_known_yet_is_said_so() -> None:
    plan = plan_of({})
    assert {v for key in ("name-servers", "ds-record") for _, v in todo(plan, key, {}).values} == {
        "known after `gatehouse up`"
    }


def test_google_gets_its_addresses_and_each_test_user() -> None:
    values = dict(todo(plan_of({"wiki": HTML}), "google").values)
    # CFDOC cloudflare-one/identity/idp-integration/google.
    assert values["Authorized redirect URI"] == "https://team.cloudflareaccess.com/cdn-cgi/access/callback"
    assert values["Authorized origin"] == "https://team.cloudflareaccess.com"
    assert [v for k, v in values.items() if k.startswith("Test user")] == ["alice@example.com", "bob@example.com"]


def test_the_router_s_rules_and_the_node_s_command_are_whole() -> None:
    plan = plan_of({"game": GAME})
    assert todo(plan, "router-game").checks == ("game/tcp-25565",)
    assert todo(plan, "router-game").values == (("TCP port 25565", "to 192.168.0.124 port 32565"),)
    assert todo(plan, "tailscale-up").values == (
        ("On alfred", "sudo tailscale up --hostname=alfred --advertise-tags=tag:gatehouse-alfred"),
        ("Or its name alone", "sudo tailscale set --hostname=alfred"),
    )


def test_rendered_manifests_leave_the_connector_s_secret_to_a_command() -> None:
    plan = plan_of({"page": OPEN_HTML}, node={**NODE, "manifests_folder": "manifests", "tailscale_operator": "none"})
    found = todo(plan, "connector-secret")
    assert [v.split()[0] for _, v in found.values] == ["kubectl"]
    assert found.checks == ("page/answers",)


def test_the_list_fits_80_columns_and_breaks_no_value() -> None:
    plan = plan_of(SERVICES, **SECTIONS)
    found = todos(plan, OUTPUTS)
    text = render(found, Seen({}))
    assert max(map(len, text.splitlines())) <= 80
    lines = [line.strip() for line in text.splitlines()]
    for item in found:
        for label, value in item.values:
            assert any(line == value or line.endswith(f" {value}") for line in lines), label


def test_only_what_was_seen_in_full_is_ticked_off() -> None:
    two = Todo("a", "A", checks=("x", "y"))
    assert Seen({"x": "passed", "y": "passed"}).of(two) == "done"
    assert Seen({"x": "passed", "y": "failed"}).of(two) == "open"
    assert Seen({"x": "passed", "y": "not proven"}).of(two) == "done"
    assert Seen({"x": "not proven", "y": "not proven"}).of(two) == "not seen"
    assert Seen({"x": "passed"}).of(two) == "not seen", "the other was not even asked"
    assert Seen({}).of(Todo("b", "B")) == "not seen"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (tmp_path / "Pulumi.alfred.yaml").write_text(stack_text(SERVICES, **SECTIONS))
    return tmp_path


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_the_probe_ticks_off_what_it_sees(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "outputs.json").write_text(json.dumps({"name_servers": list(NAME_SERVERS)}))
    asked = ["-C", str(project), "todo", "--probe", "--json", "--outputs", str(project / "outputs.json")]

    def states(world: World) -> dict[str, str]:
        with world:
            assert main([*asked, *world.arguments()]) == 0
        return {t["key"]: t["state"] for t in json.loads(capsys.readouterr().out)["todo"]}

    assert states(World()) == {
        "old-ds": "done",
        "records": "done",
        "name-servers": "done",
        "ds-record": "done",
        "google": "not seen",
        "tailnet-name": "done",
        "tailscale-up": "not seen",
        "share-machines": "not seen",
        "tailscale-operator": "done",
        "cluster-issuer": "not seen",
        "router-game": "done",
    }
    found = states(World(dns_faults=frozenset({"no-ds"}), closed_ports=frozenset({25565})))
    assert (found["name-servers"], found["ds-record"], found["router-game"]) == ("done", "open", "open")


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_domain_that_moves_is_compared_before_its_name_servers_change(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "outputs.json").write_text(json.dumps({"name_servers": list(NAME_SERVERS)}))
    asked = ["-C", str(project), "todo", "--probe", "--outputs", str(project / "outputs.json")]
    spf, dkim = '"v=spf1 include:_spf.old.net ~all"', '"v=DKIM1; p=abc"'
    old: dict[tuple[str, str], list[str]] = {
        ("example.com", "NS"): ["ns1.old.net.", "ns2.old.net."],
        ("example.com", "MX"): ["10 mx.old.net."],
        ("example.com", "TXT"): [spf],
        ("example.com", "A"): ["198.51.100.20"],
        ("s1._domainkey.example.com", "TXT"): [dkim],
    }
    # At Cloudflare: proxied, in other pieces, and mail's one record by another server.
    new: dict[tuple[str, str], list[str]] = {
        ("example.com", "MX"): ["10 MX.old.net."],
        ("example.com", "TXT"): ['"v=spf1 include:_spf" ".old.net ~all"'],
        ("example.com", "A"): ["104.16.0.1"],
        ("s1._domainkey.example.com", "TXT"): [dkim],
    }

    def seen(cloudflare: dict[tuple[str, str], list[str]], **more: Any) -> dict[str, tuple[str, str]]:
        with World(records=cloudflare) as there, World(records=old, **more) as here:
            to = ("--connect", f"{NAME_SERVERS[0]}:53=127.0.0.1:{there.resolver.port}")
            assert main([*asked, "--json", *here.arguments(), *to]) == 0
        return {t["key"]: (t["state"], t["seen"]) for t in json.loads(capsys.readouterr().out)["todo"]}

    found = seen(new)
    assert found["records"][0] == "not seen", "there may be names that nobody can guess"
    assert "DKIM selectors cannot be seen" in found["records"][1]
    assert found["old-ds"][0] == "open"
    assert "key tag" in found["old-ds"][1]
    assert found["name-servers"] == ("open", "answered by ns1.old.net, ns2.old.net")
    assert seen(new, dns_faults=frozenset({"no-ds"}))["old-ds"] == ("done", "")
    for missing, words in (
        (("example.com", "MX"), "MX of example.com (10 mx.old.net.)"),
        (("example.com", "TXT"), "TXT of example.com (v=spf1 include:_spf.old.net ~…)"),
        (("example.com", "A"), "A of example.com"),
        (("s1._domainkey.example.com", "TXT"), "TXT of s1._domainkey.example.com (v=DKIM1; p=abc)"),
    ):
        less = {key: value for key, value in new.items() if key != missing}
        assert seen(less)["records"] == ("open", f"not at Cloudflare: {words}")


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_new_domain_has_nothing_to_bring_and_one_before_its_first_up_cannot_be_compared(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def records(world: World, *more: str) -> tuple[str, str]:
        with world:
            assert main(["-C", str(project), "todo", "--probe", "--json", *world.arguments(), *more]) == 0
        (found,) = (t for t in json.loads(capsys.readouterr().out)["todo"] if t["key"] == "records")
        return found["state"], found["seen"]

    at_registrar = {("example.com", "NS"): ["ns1.registrar.net."]}
    assert records(World(records=at_registrar)) == (
        "not seen",
        "Cloudflare's name servers for it are known after `gatehouse up`",
    )
    (project / "outputs.json").write_text(json.dumps({"name_servers": list(NAME_SERVERS)}))
    with World() as there:
        to = ("--connect", f"{NAME_SERVERS[0]}:53=127.0.0.1:{there.resolver.port}")
        outputs = ("--outputs", str(project / "outputs.json"))
        assert records(World(records=at_registrar), *outputs, *to) == ("done", "")


def test_without_outputs_those_of_the_simulated_stack_are_taken_and_it_is_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-C", str(project), "todo"]) == 0
    assert "After a real `up`" in capsys.readouterr().out
    state = project / ".gatehouse" / "simulated" / "state" / ".pulumi" / "stacks" / "gatehouse" / "alfred.json"
    state.parent.mkdir(parents=True)
    resources = [
        {"type": "cloudflare:index/zone:Zone", "outputs": {}},
        {"type": "pulumi:pulumi:Stack", "outputs": dict(OUTPUTS)},
    ]
    state.write_text(json.dumps({"version": 3, "checkpoint": {"latest": {"resources": resources}}}))
    assert main(["-C", str(project), "todo"]) == 0
    text = capsys.readouterr().out
    assert DIGEST in text
    assert "made up, from a simulated stack" in text


@pytest.mark.parametrize("content", ["", "[]", '{"checkpoint": null}', '{"checkpoint": {"latest": null}}', "\x00"])
def test_a_simulated_state_that_cannot_be_read_gives_nothing(project: Path, content: str) -> None:
    state = project / ".gatehouse" / "simulated" / "state" / ".pulumi" / "stacks" / "gatehouse" / "alfred.json"
    state.parent.mkdir(parents=True)
    state.write_text(content)
    assert outputs_here(project, load_project(project)["alfred"]) == {}


@pytest.mark.parametrize(("content", "words"), [("[]", "not an object"), ("{", "not JSON")])
def test_outputs_that_are_none_are_wrong_usage(
    project: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "outputs.json").write_text(content)
    assert main(["-C", str(project), "todo", "--outputs", str(project / "outputs.json")]) == 2
    assert words in capsys.readouterr().err
