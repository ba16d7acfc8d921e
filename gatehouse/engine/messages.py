"""What the program says to the engine."""

from __future__ import annotations

from typing import Any

from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.settings import SETTINGS


def without_debug_messages() -> None:
    """For the program that runs in this context: what the SDK says of each registration is not sent.

    That is four messages a resource and three more a component, each sent on the program's event loop, which waits for
    the answer: a third of a preview's time, for lines that nothing but the engine's own log shows.
    """
    engine = SETTINGS.engine
    if engine is not None:
        SETTINGS.engine = _WithoutDebug(engine)


class _WithoutDebug:
    """The engine's client, but for messages that nobody reads."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def Log(self, request: engine_pb2.LogRequest) -> Any:  # noqa: N802 - the protocol's name
        """Pass on what is more than a debug message."""
        return None if request.severity == engine_pb2.DEBUG else self._engine.Log(request)
