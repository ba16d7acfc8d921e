"""What the program says to the engine, and what it keeps to itself."""

from __future__ import annotations

import contextvars
from typing import Any

import pulumi
import pytest
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.settings import SETTINGS

from gatehouse.engine.messages import without_debug_messages


class Engine:
    """The engine's end of the line."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def Log(self, request: Any) -> str:  # noqa: N802
        self.heard.append((engine_pb2.LogSeverity.Name(request.severity), request.message))
        return "answer"

    def GetRootResource(self, request: Any) -> str:  # noqa: N802
        return f"root for {request}"


@pytest.mark.parametrize("kept", [True, False])
def test_debug_messages_alone_are_not_sent(kept: bool) -> None:
    engine = Engine()

    def program() -> None:
        SETTINGS.engine = engine
        if not kept:
            without_debug_messages()
        pulumi.log.debug("beginning rpc")
        pulumi.log.info("one")
        pulumi.log.warn("two")
        pulumi.log.error("three")

    contextvars.copy_context().run(program)
    told = [("INFO", "one"), ("WARNING", "two"), ("ERROR", "three")]
    assert engine.heard == ([("DEBUG", "beginning rpc"), *told] if kept else told)


def test_whatever_else_is_asked_of_the_engine_is_asked() -> None:
    def program() -> str:
        SETTINGS.engine = Engine()
        without_debug_messages()
        return str(SETTINGS.engine.GetRootResource("me"))

    assert contextvars.copy_context().run(program) == "root for me"


def test_a_program_without_an_engine_is_left_as_it_is() -> None:
    def program() -> None:
        SETTINGS.engine = None
        without_debug_messages()
        assert SETTINGS.engine is None

    contextvars.copy_context().run(program)
