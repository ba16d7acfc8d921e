"""The JSON Schema of a stack file: fresh, and read by an independent validator."""

from __future__ import annotations

import copy
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from config.positions import read_yaml
from exposure.rules import ACCEPTABLE
from exposure.ways import WAYS
from gatehouse.commands.schema import text_of, whole_schema
from tests.exposure.rules.test_rules import cases, named

# It has no types.
jsonschema: Any = import_module("jsonschema")
ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "schema" / "stack.schema.json"
# YAML 1.2, as Pulumi and editors read it: `off` is text.
ALFRED: Any = read_yaml((ROOT / "Pulumi.alfred.yaml").read_text(), "alfred").values
STACKS = sorted(ROOT.glob("Pulumi.*.yaml"))


def errors(values: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(json.loads(COMMITTED.read_text()))
    return sorted(".".join(map(str, e.absolute_path)) for e in validator.iter_errors(values))


def test_the_committed_schema_is_fresh() -> None:
    assert COMMITTED.read_text() == text_of(whole_schema()), "gatehouse schema --write"


def test_it_knows_every_gate() -> None:
    service = whole_schema()["$defs"]["Service"]["properties"]
    assert service["gate"]["enum"] == service["gates"]["items"]["enum"] == list(WAYS)


def test_it_is_a_valid_schema_of_its_draft() -> None:
    schema = json.loads(COMMITTED.read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", STACKS, ids=lambda p: p.name)
def test_a_shipped_stack_file_is_valid(path: Path) -> None:
    assert len(STACKS) >= 2
    assert errors(read_yaml(path.read_text(), path.name).values) == []


@pytest.mark.parametrize("path", STACKS, ids=lambda p: p.name)
def test_a_stack_files_first_line_points_editors_at_it(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=./schema/stack.schema.json"
    assert (path.parent / first.split("=", 1)[1]).resolve() == COMMITTED


@pytest.mark.parametrize("case", [c for c in cases("accepted") if c.is_file()], ids=named)
def test_what_the_rules_accept_is_valid(case: Path) -> None:
    assert errors(read_yaml(case.read_text(), case.name).values) == []


def test_what_has_another_form_is_refused() -> None:
    def changed(*path: str, to: Any) -> list[str]:
        values = copy.deepcopy(ALFRED)
        holder = values["config"]
        for part in path[:-1]:
            holder = holder[part]
        if to is ...:
            del holder[path[-1]]
        else:
            holder[path[-1]] = to
        return errors(values)

    assert changed("gatehouse:services", "plex", "gate", to="funnel") == []
    assert changed("gatehouse:services", "plex", "gate", to="funel") == ["config.gatehouse:services.plex.gate"]
    assert changed("gatehouse:services", "plex", "gates", to=["zero-trust", "tailnet"]) == []
    assert changed("gatehouse:services", "plex", "gates", to=["funel"]) == ["config.gatehouse:services.plex.gates.0"]
    assert changed("gatehouse:services", "plex", "people", to=["household", "admins"]) == []
    assert changed("gatehouse:services", "plex", "people", to=None) == ["config.gatehouse:services.plex.people"]
    assert changed("gatehouse:services", "plex", "gait", to="funnel") == ["config.gatehouse:services.plex"]
    assert changed("gatehouse:services", "plex", "traffic", to=...) == ["config.gatehouse:services.plex"]
    assert changed("gatehouse:services", "Plex", to={}) == ["config.gatehouse:services"]
    assert changed("gatehouse:services", "ssh", "origin", to={"on_node": True}) == [
        "config.gatehouse:services.ssh.origin"
    ]
    assert changed("gatehouse:node", to=...) == ["config"]
    assert changed("gatehouse:estate", to=...) == ["config"]
    assert changed("gatehouse:member_of", to="organization/gatehouse/other") == ["config"]
    assert changed("gatehouse:nodes", to={}) == ["config"]
    assert changed("gatehouse:tunnel_secret", to="in clear") == ["config.gatehouse:tunnel_secret"]
    assert changed("gatehouse:tunnel_secret", to={"secure": "v1:abc"}) == []
    assert changed("cloudflare:apiToken", to={"secure": "v1:abc"}) == []
    assert changed("gatehouse:estate", "account_id", to="short") == ["config.gatehouse:estate.account_id"]


FORMS = {
    "connector-image",
    "connector-replicas",
    "funnel-port",
    "gate-unknown",
    "host-form",
    "missing-key",
    "origin-url-form",
    "origin-scheme-missing",
    "origin-scheme-unknown",
    "origin-port-missing",
    "path-form",
    "secret-in-clear",
    "session-duration",
    "stack-file",
    "tailnet-domain",
    "tailnet-name",
    "unknown-key",
    "unknown-name",
    "wrong-form",
    "zone-name",
}
"""Rules about a value by itself, or a key."""
BEYOND = {
    # What is derived stands in no file.
    "host-form/refused-derived-too-long",
    "tailnet-name/refused-derived-too-long",
    # A number within a text, and what is right in itself and wrong at its gate.
    "origin-url-form/refused-port-too-high",
    "origin-port-missing/refused-for-its-gate-alone",
    # A table of releases, and words that move.
    "connector-image/refused-before-access",
    "connector-image/refused-bodies",
    "connector-image/refused-latest-arm64",
    "connector-image/refused-moving",
    "connector-image/refused-path-rewriting-mirrored",
    "connector-image/refused-path-rewriting",
    # A sum of several parts, and names that are set aside.
    "session-duration/refused-beyond-go",
    "session-duration/refused-just-beyond",
    "session-duration/refused-year",
    "zone-name/refused-below-home-network",
    "zone-name/refused-documents",
    "zone-name/refused-home-network",
    "zone-name/refused-multicast-dns",
}


@pytest.mark.parametrize("case", [c for c in cases("refused") if c.is_file() and c.parent.name in FORMS], ids=named)
def test_a_form_that_check_refuses_is_refused_by_the_schema(case: Path) -> None:
    found = errors(read_yaml(case.read_text(), case.name).values)
    assert bool(found) is (named(case) not in BEYOND)


@pytest.mark.parametrize(
    ("origin", "where"),
    [
        ("http://192.168.0.9:8123", "origin"),
        (None, "origin"),
        ({"url": "http://192.168.0.9:8123", "port": 80}, "origin"),
        ({"url": "http://192.168.0.9:8123/"}, "origin.url"),
        ({"on_node": False, "port": 80}, "origin.on_node"),
        ({"on_node": True, "port": 80, "service": "web"}, "origin"),
        ({"namespace": "web", "service": "web"}, "origin"),
        ({"namespace": "web", "service": "web", "port": "80"}, "origin.port"),
    ],
)
def test_a_wrong_origin_is_one_error(origin: object, where: str) -> None:
    values = copy.deepcopy(ALFRED)
    values["config"]["gatehouse:services"]["plex"]["origin"] = origin
    assert errors(values) == [f"config.gatehouse:services.plex.{where}"]


def test_the_risks_that_may_be_acknowledged_are_listed() -> None:
    schema = whole_schema()
    service = schema["$defs"]["Service"]["properties"]["acknowledge"]
    stack = schema["properties"]["config"]["properties"]["gatehouse:acknowledge"]
    for part, level in ((service, "service"), (stack, "stack")):
        assert part["additionalProperties"] is False
        assert {rule for rule, where in ACCEPTABLE.items() if where == level} <= set(part["properties"])
    assert "exposure-wider" in service["properties"]


def test_every_key_is_described() -> None:
    schema = whole_schema()
    parts = {**schema["$defs"], "config": schema["properties"]["config"]}
    for name, part in parts.items():
        assert part.get("description"), name
        for key, value in part["properties"].items():
            assert value.get("description") or "$ref" in value, f"{name}.{key}"
            assert "\n" not in value.get("description", "")
