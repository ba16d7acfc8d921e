"""Where a resource was registered, as the engine is told."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import resource as registration
from pulumi.runtime.proto import source_pb2

from gatehouse.engine.positions import program_trace, traced_by

_NAME = "_get_stack_trace"
_CLASSES = """
class Resource:
    def __init__(self):
        ASK()

class CustomResource(Resource):
    def __init__(self):
        super().__init__()

class Own(CustomResource):
    def __init__(self, *args):
        __self__ = self
        __self__._internal_init(*args)

    def _internal_init(self):
        super().__init__()
"""
_CALLS = """
def service():
    Own()

def main():
    service()

main()
"""


def trace_of(tmp_path: Path, program: str, trace: Callable[[], source_pb2.StackTrace]) -> list[tuple[str, int]]:
    """(file's name, line) of each frame that is told for a resource of this program."""
    kept: list[source_pb2.StackTrace] = []

    def ask() -> None:
        kept.append(trace())

    path = tmp_path / "__main__.py"
    path.write_text(program, encoding="utf-8")
    runpy.run_path(str(path), init_globals={"ASK": ask}, run_name="__main__")
    return [(frame.pc.uri.rpartition("/")[2], frame.pc.line) for frame in kept[0].frames]


def test_the_trace_is_the_sdks_own_up_to_the_program_and_without_what_runs_it(tmp_path: Path) -> None:
    sdks: Any = getattr(registration, _NAME)
    whole = trace_of(tmp_path, _CLASSES + _CALLS, sdks)
    ours = trace_of(tmp_path, _CLASSES + _CALLS, program_trace)
    lines = (_CLASSES + _CALLS).splitlines()
    assert [lines[line - 1].strip() for _, line in ours] == ["Own()", "service()", "main()"]
    assert ours == whole[:3]
    # What runs it is there to leave out: runpy, this test, pytest.
    assert len(whole) > 10


def test_the_sdk_has_its_own_trace_back_afterwards() -> None:
    before = getattr(registration, _NAME)

    def mistaken() -> None:
        with traced_by(source_pb2.StackTrace):
            assert getattr(registration, _NAME) is source_pb2.StackTrace
            raise ValueError("mistake")

    with pytest.raises(ValueError, match="mistake"):
        mistaken()
    assert getattr(registration, _NAME) is before


def test_an_sdk_without_such_a_function_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(registration, _NAME)
    with traced_by(source_pb2.StackTrace):
        assert not hasattr(registration, _NAME)
    assert not hasattr(registration, _NAME)
