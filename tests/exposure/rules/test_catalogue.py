"""The catalogue is whole, its tests exist, and the page made from it is the committed one."""

from __future__ import annotations

import ast
from itertools import product
from pathlib import Path

import pytest

from config.services import NodeOrigin, Service, ServiceOrigin, UrlOrigin
from exposure.decide import objections
from exposure.rules import RULES
from exposure.ways import WAYS
from tests.docs.refusals import page
from tests.exposure.rules.catalogue import CATALOGUE, Refusal
from tests.exposure.rules.plans import shipped_estate

ROOT = Path(__file__).parents[3]
BY_ID = {rule.id: rule for rule in RULES}


def test_the_catalogue_has_the_numbers_1_to_63() -> None:
    assert [refusal.number for refusal in CATALOGUE] == list(range(1, 64))
    assert {number for rule in RULES for number in rule.refuses} <= set(range(1, 64))


@pytest.mark.parametrize("refusal", CATALOGUE, ids=lambda r: f"{r.number}")
def test_each_number_is_refused_or_cannot_be_written(refusal: Refusal) -> None:
    assert refusal.cannot or any(refusal.number in rule.refuses for rule in RULES)
    assert refusal.source


@pytest.mark.parametrize("test", sorted({c.test for r in CATALOGUE for c in r.cannot}))
def test_each_test_that_the_catalogue_names_exists(test: str) -> None:
    file, name = test.split("::")
    tree = ast.parse((ROOT / file).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_no_test_of_a_construction_is_left_out_of_the_catalogue() -> None:
    named = {c.test for r in CATALOGUE for c in r.cannot}
    for file in {test.split("::")[0] for test in named}:
        tree = ast.parse((ROOT / file).read_text())
        tests = {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")}
        assert {f"{file}::{name}" for name in tests} <= named


def test_the_committed_page_is_fresh() -> None:
    fresh = page()
    assert (ROOT / "docs" / "refusals.md").read_text() == fresh, "python -m tests.docs.refusals > docs/refusals.md"
    assert "63 of 63" in fresh


def test_every_objection_to_a_gate_is_a_rule_with_the_same_leave() -> None:
    # Every service there can be, by its facts.
    origins = (
        ServiceOrigin(namespace="a", service="a", port=80),
        ServiceOrigin(namespace="a", service="a", port=80, scheme="tcp"),
        NodeOrigin(on_node=True, port=22),
        UrlOrigin(url="https://nas:443"),
    )
    seen = set()
    for origin, traffic, bandwidth, sensitivity, clients, gate in product(
        origins,
        ("html", "non-html", "acme-http-01"),
        ("low", "high"),
        ("low", "high"),
        ("anyone", "people", "tailnet", "nobody"),
        (None, *WAYS),
    ):
        facts = {"traffic": traffic, "bandwidth": bandwidth, "sensitivity": sensitivity, "clients": clients}
        service = Service.model_validate({"origin": origin, "gate": gate, **facts})
        for objection in objections(service, shipped_estate()):
            seen.add(objection.rule)
            assert BY_ID[objection.rule].acceptable is ("service" if objection.acceptable else None)
            assert objection.field[0] in Service.model_fields
    assert len(seen) == 10
