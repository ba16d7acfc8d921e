"""Device posture: conditions on a device's attributes (https://tailscale.com/kb/1288/device-posture)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

Value = str | int | float | bool
Attributes = Mapping[str, Value]
NO_ATTRIBUTES: Attributes = MappingProxyType({})

_CONDITION = re.compile(r"([a-zA-Z][\w.-]*:[\w.:-]+)\s*(.*)", re.DOTALL)
_OPERATOR = re.compile(r"(==|!=|<=|>=|<|>|NOT\s+IN\b|IN\b|IS\s+SET\b|NOT\s+SET\b)\s*(.*)", re.DOTALL)
_LIST_ITEM = re.compile(r"\s*('[^']*'|[^\s,'\]]+)\s*(,|$)")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_FIELD = re.compile(r"[0-9]+|[^0-9.]+")
_VERSIONS = ("node:osVersion", "node:tsVersion")


class Condition(NamedTuple):
    """One assertion of a posture: an attribute, an operator, and the values it is compared with."""

    text: str
    attribute: str
    operator: str
    values: tuple[Value, ...] = ()

    def holds(self, attributes: Attributes) -> bool:
        """Whether a device with these attributes meets it; one without the attribute meets no comparison."""
        if self.operator in ("IS SET", "NOT SET"):
            return (self.attribute in attributes) is (self.operator == "IS SET")
        if self.attribute not in attributes:
            return False
        mine = attributes[self.attribute]
        if self.operator in ("==", "IN"):
            return any(self._compare(mine, value) == 0 for value in self.values)
        if self.operator in ("!=", "NOT IN"):
            return all(self._compare(mine, value) != 0 for value in self.values)
        order = self._compare(mine, self.values[0])
        if order is None:
            return False
        return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[self.operator]

    def _compare(self, mine: Value, value: Value) -> int | None:
        """-1, 0 or 1; None where the two cannot be ordered."""
        if self.attribute in _VERSIONS and isinstance(mine, str) and isinstance(value, str):
            left, right = _version(mine), _version(value)
            return (left > right) - (left < right)
        if isinstance(mine, bool) or isinstance(value, bool) or isinstance(mine, str) or isinstance(value, str):
            return 0 if type(mine) is type(value) and mine == value else None
        return (mine > value) - (mine < value)


def _version(text: str) -> list[tuple[int, int, str]]:
    # Numbers as numbers, and above words at the same place (1.40.0 is newer than 1.40.beta); 1.40 equals
    # 1.40.0.
    fields = [(1, int(f[-1000:]), "") if f.isdigit() else (0, 0, f) for f in _FIELD.findall(text) if f.isascii()]
    while fields and fields[-1] == (1, 0, ""):
        fields.pop()
    return fields


def read_condition(text: str) -> Condition:
    """One assertion, such as `node:tsVersion >= '1.40'`. Raises `ValueError` for another form."""
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}": a condition is <attribute> <operator> <value>')
    attribute, rest = found.groups()
    if not rest:  # the bare name of a truth value, as in Tailscale's own default policy
        return Condition(text, attribute, "==", (True,))
    split = _OPERATOR.fullmatch(rest)
    if split is None:
        raise ValueError(f'"{text}": operators are ==, !=, <, <=, >, >=, IN, NOT IN, IS SET, NOT SET')
    operator, operand = " ".join(split[1].split()), split[2]
    if operator.endswith("SET"):
        if operand:
            raise ValueError(f'"{text}": {operator} stands without a value')
        return Condition(text, attribute, operator)
    if operator.endswith("IN"):
        return Condition(text, attribute, operator, _list(text, operand))
    return Condition(text, attribute, operator, (_value(text, operand),))


def _list(text: str, operand: str) -> tuple[Value, ...]:
    if not (operand.startswith("[") and operand.endswith("]")):
        raise ValueError(f"\"{text}\": a list such as ['macos', 'linux'] must follow")
    inner, at, values = operand[1:-1], 0, list[Value]()
    while at < len(inner) and inner[at:].strip():
        item = _LIST_ITEM.match(inner, at)
        if item is None:
            raise ValueError(f'"{text}": the list cannot be read')
        values.append(_value(text, item[1]))
        at = item.end()
    return tuple(values)


def _value(text: str, operand: str) -> Value:
    if len(operand) >= 2 and operand[0] == operand[-1] == "'" and "'" not in operand[1:-1]:
        return operand[1:-1]
    if operand in ("true", "false"):
        return operand == "true"
    if _NUMBER.fullmatch(operand) and len(operand) < 40:
        return float(operand) if "." in operand else int(operand)
    raise ValueError(f"\"{text}\": a value is 'text' in single quotes, a number, true or false")
