"""Where in the program a resource is registered: what the engine keeps of it in the state, for whoever looks there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType

from pulumi.runtime import resource as registration
from pulumi.runtime.proto import source_pb2

_TRACE = "_get_stack_trace"
# A resource's own `__init__`, the one of CustomResource or ComponentResource, and Resource's: the SDK's own rule.
_CONSTRUCTORS = 3


@contextmanager
def traced_by(trace: Callable[[], source_pb2.StackTrace]) -> Iterator[None]:
    """With this in place of the SDK's stack trace of each registration; an SDK that is built otherwise is left alone.

    The SDK's own (pulumi/runtime/resource.py) is a sixth of an offline plan's time, and with the twenty frames of
    whatever hosts the program more than half of the state, which the engine writes anew for each change.
    """
    usual = getattr(registration, _TRACE, None)
    if usual is None:
        yield
        return
    setattr(registration, _TRACE, trace)
    try:
        yield
    finally:
        setattr(registration, _TRACE, usual)


def program_trace() -> source_pb2.StackTrace:
    """As the SDK's, from the registration outwards, but no further than the program's `__main__.py`."""
    frame: FrameType | None = sys._getframe()
    seen = 0
    while frame is not None and seen < _CONSTRUCTORS:
        seen += frame.f_code.co_name == "__init__"
        frame = frame.f_back
    frames = []
    while frame is not None:
        frames.append(source_pb2.StackFrame(pc=_position(frame)))
        if frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name == "<module>":
            break
        frame = frame.f_back
    return source_pb2.StackTrace(frames=frames)


def _position(frame: FrameType) -> source_pb2.SourcePosition | None:
    uri = _uri(frame.f_code.co_filename)
    return source_pb2.SourcePosition(uri=uri, line=frame.f_lineno) if uri else None


@cache
def _uri(file: str) -> str | None:
    try:
        return Path(file).as_uri()
    except ValueError:
        # `<frozen runpy>`, and a path that starts nowhere.
        return None
