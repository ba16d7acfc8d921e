"""`gatehouse explain`: each way of a service, whom it lets in, and whom all together do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatehouse.cli import main
from tests.kit.builders import HTML, stack_text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\n")
    wiki = {
        **HTML,
        "gates": ["zero-trust", "tailnet"],
        "hosts": ["wiki.example.com", "docs.example.com"],
        "paths": {"/api": {"clients": "anyone"}},
        "acknowledge": {"access-path-bypass": "the service asks for tokens of its own there"},
    }
    (tmp_path / "Pulumi.alfred.yaml").write_text(stack_text({"wiki": wiki}))
    return tmp_path


def test_a_service_is_told_with_every_way_and_whom_all_let_in_together(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-C", str(project), "explain", "--json"]) == 0
    [stack] = json.loads(capsys.readouterr().out)["stacks"]
    [wiki] = stack["services"]
    assert (wiki["service"], wiki["asked_for"], wiki["reaches"]) == ("wiki", True, "anyone")
    first, second = wiki["ways"]
    assert (first["gate"], first["urls"]) == ("zero-trust", ["https://wiki.example.com/", "https://docs.example.com/"])
    assert "household" in first["reaches"]
    assert "anyone: /api" in first["reaches"]
    assert (second["gate"], second["urls"]) == ("tailnet", ["https://wiki-alfred.tail.ts.net/"])
    assert second["reason"].startswith("asked for in the stack file")
    assert {work["key"] for work in stack["manual_steps"]} >= {"name-servers", "google"}


def test_people_read_the_same(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-C", str(project), "explain"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines.index("all  together anyone") > lines.index("tailnet (asked for)")
