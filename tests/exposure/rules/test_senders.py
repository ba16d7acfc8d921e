"""Where an open path could be a service token's, the refusal says so, and of which apps it is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.loader import tie
from exposure.check import check
from exposure.rules.access import _SENDERS
from tests.kit.builders import HTML, loaded

ROOT = Path(__file__).parents[3]
OPEN = {"paths": {"/api": {"clients": "anyone"}}}


def fix(key: str, service: str = "web") -> str:
    one = {**HTML, **OPEN, "origin": {"namespace": "web", "service": service, "port": 80}}
    [finding] = check(tie([loaded({key: one})]))
    assert finding.rule == "access-path-bypass"
    return finding.fix


@pytest.mark.parametrize(("key", "service"), [("immich", "web"), ("photos", "immich-server")])
def test_a_service_whose_app_sends_headers_is_known_by_its_key_or_its_origin(key: str, service: str) -> None:
    assert "a service token in its place (`tokens:`), where they can send two headers, as Immich's app can" in fix(
        key, service
    )


def test_of_others_it_is_said_without_a_name_and_the_risk_may_be_taken_as_before() -> None:
    said = fix("wiki")
    assert "where they can send two headers; or acknowledge `access-path-bypass`" in said
    assert said.endswith(", or remove them")


def test_each_app_that_is_named_is_in_the_table_with_its_source() -> None:
    table = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    rows = [line.lower() for line in table.splitlines() if re.match(r"\| .* \| .*token.*\]\(https://", line)]
    for word in _SENDERS:
        assert [row for row in rows if word in row], word
