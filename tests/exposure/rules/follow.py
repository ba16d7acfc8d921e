"""Following a message: what a finding's fix says in so many words, done to the values of the stack file."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import yaml

from config.errors import Finding
from config.services import Service
from config.stack import Zone

Values = Any
"""What a stack file holds, as plain values."""
Step = Callable[[Values], None]
Keys = tuple[Any, ...]


def fixes(finding: Finding) -> Iterator[tuple[str, list[Step]]]:
    """Each thing that a finding tells to do, by its kind. Where several words may be written, one is enough.

    Only what is said in a form that a program can follow: `say `key: value``, `remove `key:``, `remove it`,
    `acknowledge `rule``, `write one of: …`, and the suggestion.
    """
    fix, path = finding.fix, keys_of(finding)
    if not finding.place.file.startswith("Pulumi."):
        # What is to be done in a policy is done to its text (`FIXED`).
        for rule in re.findall(r"acknowledge `([a-z0-9-]+)`", fix):
            yield "acknowledged", [partial(_acknowledge, holder=(), rule=rule)]
        return
    first = fix.split("; or")[0].split(", or ")[0]
    if finding.suggestion:
        yield "suggestion", [partial(_suggested, finding=finding)]
    if first.startswith("remove this service") or ", or remove the service" in fix:
        yield "service removed", [partial(_delete, path=path[:2])]
    if steps := list(_steps(finding, first)):
        yield "said", [partial(_all, steps=steps)]
    words = re.fullmatch(r"(?:.*; )?write one of: ([^;]+)(?:;.*)?", fix)
    if words and not finding.suggestion:
        yield "one of", [partial(_set, path=path, value=word) for word in words[1].split(", ")]
    if re.match(r"(remove (it|them)|take it out)\b", fix) or re.search(r", or remove (it|them)$", fix):
        yield "removed", [partial(_delete, path=path)]
    for rule in re.findall(r"acknowledge `([a-z0-9-]+)`", fix):
        holder = path[:2] if path[0] == "gatehouse:services" else ()
        yield "acknowledged", [partial(_acknowledge, holder=holder, rule=rule)]


def followed(values: Values, step: Step) -> Values:
    """The values after a step."""
    changed = copy.deepcopy(values)
    step(changed)
    return changed


def keys_of(finding: Finding) -> Keys:
    """The finding's path as the file has it."""
    first, *rest = finding.path or ("",)
    return (first if ":" in str(first) else f"gatehouse:{first}", *rest)


def _steps(finding: Finding, fix: str) -> Iterator[Step]:
    path = keys_of(finding)
    # What is to be written first, and what follows it by an `and`.
    said = re.match(r"[^`]*?\b(?:say|write|add|set) `([^`]+)`(?: and `([^`]+)`)?", fix)
    form = "[^<]+" if fix.startswith("write `") else r"[\w:]+: [^<]+"
    for word in said.groups() if said else ():
        if word and re.fullmatch(form, word):
            yield partial(_say, finding=finding, word=word)
    for listed in re.findall(r"remove (`\w+:?`(?: and `\w+:?`)*)", fix):
        for key in re.findall(r"`(\w+):?`", listed):
            yield partial(_remove, path=path, key=key)
    for gate in re.findall(r"take (\S+) out of `gates:`", fix):
        yield partial(_take_out, path=(*path[:2], "gates"), word=gate)
    if "in place of the estate" in fix:
        yield partial(_delete, path=("gatehouse:estate",))


def _all(values: Values, steps: list[Step]) -> None:
    for step in steps:
        step(values)


def _say(values: Values, finding: Finding, word: str) -> None:
    path = keys_of(finding)
    if word.endswith(":"):
        holder = _at(values, path[:-1])
        old = path[-1] if path[-1] in holder else finding.path[-1]
        holder[word[:-1] if len(path) > 1 or ":" in word[:-1] else f"gatehouse:{word[:-1]}"] = holder.pop(old)
        return
    said = word if word[0] in "*/" else yaml.safe_load(word)
    if not isinstance(said, dict):
        _set(values, path, said)
        return
    for key, value in said.items():
        if key.startswith("gatehouse:"):
            values["config"][key] = value
        elif path[0] == "gatehouse:services" and key in Service.model_fields:
            _at(values, path[:2])[key] = value
        elif path[0] == "gatehouse:services" and key in Zone.model_fields:
            _at(values, ("gatehouse:estate", "zone"))[key] = value
        elif path[0] == "gatehouse:services" and isinstance(value, dict) and "origin" in value:
            _at(values, path[:1])[key] = value
        else:
            _at(values, path[:-1])[key] = value


def _remove(values: Values, path: Keys, key: str) -> None:
    """Remove a key from what is nearest above a path."""
    holders = [_at(values, path[:end]) for end in range(len(path) - 1, 0, -1)]
    holders += [holder["origin"] for holder in holders if isinstance(holder, dict) and "origin" in holder]
    del next(holder for holder in holders if isinstance(holder, dict) and key in holder)[key]


def _take_out(values: Values, path: Keys, word: str) -> None:
    _at(values, path).remove(word)


def _suggested(values: Values, finding: Finding) -> None:
    path, word = keys_of(finding), finding.suggestion
    holder = _at(values, path[:-1])
    if finding.value or not isinstance(holder, dict):
        _set(values, path, word if word.startswith("*") else yaml.safe_load(word))
    elif finding.rule == "config-namespace":
        holder[f"{word}:{str(path[0]).partition(':')[2]}"] = holder.pop(path[0])
    else:
        # A key of the configuration's top stands with its namespace.
        holder[word if len(path) > 1 else f"gatehouse:{word}"] = holder.pop(path[-1])


def _set(values: Values, path: Keys, value: object) -> None:
    holder = _at(values, path[:-1])
    if isinstance(holder, str):
        # One word, where a list may stand.
        path, holder = path[:-1], _at(values, path[:-2])
    elif isinstance(holder, dict) and isinstance(holder.get(path[-1]), list) and not isinstance(value, list):
        value = [value]
    holder[path[-1]] = value


def _delete(values: Values, path: Keys) -> None:
    holder = _at(values, path[:-1])
    if isinstance(holder, str) or (isinstance(holder, list) and len(holder) == 1):
        # Nothing would be left of the list.
        path = path[:-1]
    del _at(values, path[:-1])[path[-1]]


def _acknowledge(values: Values, holder: Keys, rule: str) -> None:
    key = "acknowledge" if holder else "gatehouse:acknowledge"
    _at(values, holder).setdefault(key, {})[rule] = "it was weighed, and this is why"


def _at(values: Values, path: Keys) -> Any:
    found = values["config"]
    for part in path:
        found = found[part]
    return found
