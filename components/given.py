"""What a component is given, read by the one parser of each type before anything of it is registered.

The signature says the types: `@reads` asks pydantic, by whose core every value type of `config` is read. A wrong value
is refused with its property, why, and the fix; all of one component at once.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, wraps
from inspect import signature
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import pulumi
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from config.errors import dotted, show
from config.values import MalformedError, TunnelSecretText
from exposure.ways.way import PASSES, Way

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Path = tuple[int | str, ...]
_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True, revalidate_instances="always")
NOT_YET = (
    "it is another resource's output, and names and rules are made of it before there are any; write the value itself, "
    "or take it from the program's configuration"
)
"""Why an output is refused where a value is needed at once."""
_FORMS = {
    "string_type": "text is expected here",
    "int_type": "a whole number is expected here",
    "bool_type": "true or false is expected here",
    "tuple_type": "a list is expected here; write ['…']",
    "too_short": "at least one is needed",
    "dict_type": "keys with values are expected here",
    "mapping_type": "keys with values are expected here",
}


@dataclasses.dataclass(frozen=True)
class Problem:
    """Why a value is refused, and the fix; `shown` is the value, empty for a secret."""

    why: str
    shown: str = ""

    def __str__(self) -> str:
        return f" is {self.shown}: {self.why}" if self.shown else f": {self.why}"


class GivenError(ValueError, pulumi.RunError):
    """What is wrong with a component's inputs: of each property why, and the fix. Ends a program in clean words."""

    def __init__(self, component: str, problems: Mapping[_Path, Problem]) -> None:
        self.problems = dict(problems)
        super().__init__("\n".join(f"{component}: `{dotted(path)}`{said}" for path, said in problems.items()))


def read(component: str, path: tuple[int | str, ...], kind: Any, value: Any) -> Any:
    """One value, read as a type. Raises GivenError."""
    problems: dict[_Path, Problem] = {}
    found = _read(component, kind, value, path, problems)
    if problems:
        raise GivenError(component, problems)
    return found


def refuse(component: str, *asked: tuple[_Path, Callable[[Any], object], Any]) -> None:
    """Ask each value's own parser, where the value's type is wider. Raises GivenError."""
    problems: dict[_Path, Problem] = {}
    for path, parse, value in asked:
        try:
            parse(value)
        except MalformedError as wrong:
            problems[path] = Problem(str(wrong), show(value))
    if problems:
        raise GivenError(component, problems)


def reads(init: Callable[_P, _R]) -> Callable[_P, _R]:
    """A component's `__init__` that is given its arguments as their types say. Raises GivenError."""
    shape = signature(init)

    @wraps(init)
    def reading(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        given = shape.bind(*args, **kwargs).arguments
        _, component, *_ = given.values()
        problems: dict[_Path, Problem] = {}
        for name, kind in _hints(init).items():
            if name in given and name not in ("self", "opts", "return"):
                given[name] = _read(str(component), kind, given[name], (name,), problems)
        if problems:
            raise GivenError(str(component), problems)
        bound = shape.bind_partial()
        bound.arguments.update(given)
        return init(*bound.args, **bound.kwargs)

    return reading


def _read(component: str, kind: Any, value: Any, path: _Path, problems: dict[_Path, Problem]) -> Any:
    passes, bare = _taken(kind)
    if _is_engines(bare) or (value is None and type(None) in get_args(bare)):
        return value
    if isinstance(value, pulumi.Output):
        if passes:
            return value.apply(lambda known: _late(component, bare, known, path))
        problems[path] = Problem(NOT_YET)
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = _hints(type(value))
        read_ = {
            f.name: _read(component, fields[f.name], getattr(value, f.name), (*path, f.name), problems)
            for f in dataclasses.fields(value)
        }
        if problems:
            return value
        whole = dataclasses.replace(value, **read_)
        if isinstance(whole, Way):
            problems.update((path, Problem(fault)) for fault in whole.faults()[:1])
        return whole
    if isinstance(value, list):
        value = tuple(value)
    try:
        return _adapter(bare).validate_python(value)
    except ValidationError as wrong:
        for detail in wrong.errors(include_url=False):
            if detail["type"] == "too_short" and detail["input"]:
                continue  # It is counted without those that are wrong.
            problems[(*path, *detail["loc"])] = _problem(bare, detail)
    return value


def _late(component: str, kind: Any, value: Any, path: _Path) -> Any:
    """What is known once the engine runs. The SDK wraps a ValueError in its own words, and a RunError in none."""
    problems: dict[_Path, Problem] = {}
    found = _read(component, kind, value, path, problems)
    if problems:
        raise pulumi.RunError(str(GivenError(component, problems)))
    return found


def _problem(kind: Any, detail: ErrorDetails) -> Problem:
    if isinstance(detail["input"], pulumi.Output):
        return Problem(NOT_YET)
    why, context = detail["msg"].replace("Input should", "it should"), detail.get("ctx", {})
    if "fix" in context:
        why += f"; {context['fix']}" + (f" (such as {context['meant']})" if context.get("meant") else "")
    return Problem(_FORMS.get(detail["type"], why), "" if kind == TunnelSecretText else show(detail["input"]))


@cache
def _hints(of: Any) -> dict[str, Any]:
    # `Input` names the class by a string.
    return get_type_hints(of, None, {"Output": pulumi.Output, "T": Any}, include_extras=True)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # A model has its own ways of reading, which are as strict.
    own = isinstance(kind, type) and (dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel))
    return TypeAdapter(kind, config=None if own else _STRICT)


def _taken(kind: Any) -> tuple[bool, Any]:
    """Whether outputs are taken, and the type that is meant: `Input[X]` and what only passes through are both."""
    if get_origin(kind) is Annotated and PASSES in kind.__metadata__:
        return True, kind
    members = get_args(kind)
    if Awaitable in {get_origin(m) for m in members}:
        bare = tuple(m for m in members if get_origin(m) not in (pulumi.Output, Awaitable))
        return True, functools.reduce(operator.or_, bare)
    return False, kind


@cache
def _is_engines(kind: Any) -> bool:
    """Whether it is a resource, or a container of such or of outputs: nothing to read."""
    return kind in (str, Any, object) or "pulumi" in repr(kind)
