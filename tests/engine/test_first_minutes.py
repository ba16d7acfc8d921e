"""README alone leads a newcomer from nothing to an estate of two nodes with every gate, on simulated clouds."""

from __future__ import annotations

from pathlib import Path

import pytest

from exposure.ways import WAYS
from gatehouse.engine.acquire import Engine
from tests.docs.test_commands import BLOCKS, Block, Machine
from tests.gatehouse.test_new_stack import with_the_examples

pytestmark = pytest.mark.engine


def test_the_commands_of_the_readme_lead_to_two_nodes_with_every_gate(tmp_path: Path, engine: Engine) -> None:
    machine = Machine(tmp_path / "project", engine.path)
    new, own, second = (b for b in BLOCKS if b.page == "README.md" and b.value == f"tests/engine/{Path(__file__).name}")

    def typed(block: Block) -> str:
        done = machine.bash("\n".join(["set -eu", *block.commands]))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Wrote Pulumi.mini.yaml." in typed(new)
    with_the_examples(machine.folder, "mini")
    said = typed(own)
    assert [gate for gate in WAYS if f" {gate}\n" not in said] == []
    assert "mini: + " in said
    assert "mini: 0 changes" in said or " unchanged" in said
    assert "grafana-mini.example.com" in said
    assert "do not paste them anywhere" in said
    both = typed(second)
    assert "nuc: + " in both
    assert both.count(" deleted") == 2
