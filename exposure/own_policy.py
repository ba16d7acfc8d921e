"""The owner's own part of the tailnet's policy: what the services need goes into its text, and comes out of it again.

The owner's text stays as it is, comments too, and ours stands at the end of each section, below a comment that says so.
Tailscale keeps the text, and its provider compares it but for white space [TFT plan_modifiers.go].
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from config.services import Node
from exposure.model import Json
from exposure.names import node_tag
from exposure.policy_eval import endpoints, hujson, machine, reach, read_policy
from exposure.policy_eval.hujson import HuJSONError, Path, Position
from exposure.policy_eval.ssh import login

MARK = "// From here: Gatehouse, from the services of the stack files. A change here is undone by the next `up`."
OPEN = '"grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]}]'
"""What a policy says with neither `acls` nor `grants` [tailscale.com/kb/1337]."""
OPEN_MARK = "// The policy said neither acls nor grants, which lets everybody reach everything."


class OwnPolicyError(ValueError):
    """The owner's policy cannot be merged: why, and where in its file."""

    def __init__(self, reason: str, position: Position) -> None:
        super().__init__(reason)
        self.position = position


class Twice(NamedTuple):
    """A name that the owner's policy defines, and the services do too, or may: its section and its place."""

    section: str
    name: str
    position: Position


@lru_cache(maxsize=16)
def parse(text: str) -> hujson.Document:
    """The policy in a text, read once for each, so it must not be changed. Raises OwnPolicyError for what is none."""
    try:
        document = hujson.parse(text)
    except HuJSONError as error:
        raise OwnPolicyError(error.reason, error.position) from None
    if not isinstance(document.value, dict):
        raise OwnPolicyError("a policy is an object: it begins with {", document.where[()])
    return document


def sections(document: hujson.Document) -> dict[str, str]:
    """The sections by their names in small letters, as they are written: Tailscale reads them in any case."""
    return {key.lower(): key for key in _at(document, ())}


def _at(document: hujson.Document, path: Path) -> Any:
    value: Any = document.value
    for part in path:
        value = value[part]
    return value


def tags(document: hujson.Document) -> set[str]:
    """The tags that the owner defines."""
    return _names(document, "tagowners")


def own_groups(text: str | None) -> tuple[set[str], int]:
    """What the owner's policy names, groups of ours too, and how many it defines; nothing of what is no policy."""
    try:
        document = parse(text or "{}")
    except OwnPolicyError:
        return set(), 0
    return words(document), len(_names(document, "groups"))


def _names(document: hujson.Document, section: str) -> set[str]:
    said = sections(document).get(section)
    found = _at(document, (said,)) if said else None
    return set(found) if isinstance(found, dict) else set()


def words(document: hujson.Document) -> set[str]:
    """Every text and name in it: what the owner's rules may refer to."""
    found: set[str] = set()
    left = [document.value]
    while left:
        value = left.pop()
        if isinstance(value, str):
            found.add(value.strip())
        elif isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return found


def place_of(document: hujson.Document, word: str) -> Position | None:
    """Where a text stands for the first time, if it does."""
    return next((document.where[path] for path in document.where if _at(document, path) == word), None)


def twice(document: hujson.Document, generated: Mapping[str, Json], sets: Iterable[str]) -> Iterator[Twice]:
    """What the owner defines and Gatehouse does too: groups called like a set of people, and tags of its machines."""
    tags = generated.get("tagOwners")
    ours = {
        "groups": {f"group:{name}" for name in sets},
        "tagowners": {tag.lower() for tag in tags} if isinstance(tags, dict) else set(),
    }
    for key, section in sections(document).items():
        members = _at(document, (section,)) if key in ours else None
        for name in members if isinstance(members, dict) else ():
            if name.lower() in ours[key] or (key == "tagowners" and name.lower().startswith(node_tag(""))):
                yield Twice(section, name, document.where[section, name])


# Merging


class _Edit(NamedTuple):
    begin: int
    end: int
    text: str


def merged(text: str, generated: Mapping[str, Json]) -> str:
    """The owner's text with what the services need. Raises OwnPolicyError where it cannot be taken in."""
    document = parse(text)
    return _edited(text, _merge(document, text, (), generated))


def _merge(document: hujson.Document, text: str, path: Path, ours: Json | Mapping[str, Json]) -> Iterator[_Edit]:
    """A list goes at the end of the owner's, and so do the names that it does not have, in whatever case."""
    theirs = _at(document, path)
    if theirs is None:
        # Tailscale takes it for a section that is not there.
        span = document.spans[path]
        yield _Edit(span.value, span.end, _json(ours, len(path)))
    elif isinstance(ours, Mapping) and isinstance(theirs, dict):
        said = {key.lower(): key for key in theirs}
        new = []
        for name, item in ours.items():
            same = said.get(name.lower())
            if same is None:
                new.append(f"{json.dumps(name)}: {_json(item, len(path) + 1)}")
            else:
                yield from _merge(document, text, (*path, same), item)
        yield from _into(document, text, path, new)
    elif isinstance(ours, list) and isinstance(theirs, list):
        yield from _into(document, text, path, [_json(item, len(path) + 1) for item in ours])
    else:
        what = "an object" if isinstance(ours, Mapping) else "a list"
        raise OwnPolicyError(f"{'.'.join(map(str, path))}: expected {what}", document.where[path])


def _json(value: Json | Mapping[str, Json], depth: int) -> str:
    return json.dumps(value, indent=2).replace("\n", "\n" + "  " * depth)


def _into(document: hujson.Document, text: str, path: Path, entries: list[str], mark: str = MARK) -> Iterator[_Edit]:
    """Entries at the end of an object or a list, below a comment."""
    if not entries:
        return
    close = document.spans[path].end - 1
    last = max((document.spans[child].end for child in _children(document, path)), default=None)
    if last is not None and text[hujson.skip(text, last)] != ",":
        yield _Edit(last, last, ",")
    inside = "  " * (len(path) + 1)
    body = ",\n".join(inside + entry for entry in entries)
    yield _Edit(len(text[:close].rstrip()), close, f"\n{inside}{mark}\n{body}\n{'  ' * len(path)}")


def _children(document: hujson.Document, path: Path) -> Iterator[Path]:
    value = _at(document, path)
    return ((*path, name) for name in (value if isinstance(value, dict) else range(len(value))))


def _edited(text: str, edits: Iterable[_Edit]) -> str:
    # Of two that begin at one place the first given stands first: a comma before what follows it.
    for edit in sorted(edits, key=lambda e: e.begin)[::-1]:
        text = text[: edit.begin] + edit.text + text[edit.end :]
    return text


def value(text: str) -> dict[str, Json]:
    """What a policy's text says."""
    found: dict[str, Json] = _at(parse(text), ())
    return found


def tests_that_hold(own: str, generated: Mapping[str, Json], nodes: Iterable[Node]) -> dict[str, Json]:
    """What the services need, without the tests against what the owner's rules open: those were acknowledged, and
    Tailscale would refuse the policy for each. Raises OwnPolicyError for a policy that is not valid."""
    reading = read_policy(value(merged(own, generated)))
    if reading.policy is None:
        raise OwnPolicyError(str(reading.findings[0]), reading.findings[0].position)
    policy = reading.policy
    addresses = {str(node_tag(node.name)): node.tailnet_ipv4 or "" for node in nodes}

    def shut(test: Mapping[str, Any], target: str) -> bool:
        tag, _, port = target.rpartition(":")
        to = machine((tag,), addresses.get(tag, "")) if tag.startswith("tag:") else endpoints(policy, tag)[0]
        answers = [reach(policy, source, to, int(port), test["proto"]) for source in endpoints(policy, test["src"])]
        return not any(answer.partly or answer.maybe for answer in answers)

    def refused(test: Mapping[str, Any], user: str) -> bool:
        pairs = [(one, machine((tag,))) for one in endpoints(policy, test["src"]) for tag in test["dst"]]
        return all(login(policy, one, to, user, {}) == {"deny"} for one, to in pairs)

    kept = dict(generated)
    for section, holds in (("tests", shut), ("sshTests", refused)):
        tests: list[Json] = []
        for test in generated.get(section, ()):  # type: ignore[union-attr]
            assert isinstance(test, dict)
            denied = [word for word in test.get("deny", ()) if holds(test, str(word))]  # type: ignore[union-attr]
            left = {key: item for key, item in test.items() if key != "deny"} | ({"deny": denied} if denied else {})
            tests += [left] if {"accept", "check", "deny"} & set(left) else []
        kept |= {section: tests} if section in generated else {}
    return kept


# Telling apart


def without(text: str, generated: Mapping[str, Json]) -> str:
    """What of a policy's text is not brought by the services; empty where nothing is left. Raises OwnPolicyError.

    A policy with neither `acls` nor `grants` lets everybody reach everything: that is said in so many words, since it
    would not be so any more beside ours.
    """
    document = parse(text)
    said = sections(document)
    edits: list[_Edit] = []
    left = set(said.values())
    # What stands below our own comment was brought by us whole, and so was all of a text that has none.
    whole = f"{text}\n  {MARK}\n".find(f"\n  {MARK}\n") if MARK in text else 0
    for key, value in generated.items():
        section = said.get(key.lower(), "")
        theirs = _at(document, (section,)) if section else None
        mine: list[Path] = []
        if isinstance(value, dict) and isinstance(theirs, dict):
            if key == "tagOwners":
                # With no owner it is admins alone who may give it out, as with them named [tailscale.com/kb/1068].
                theirs = {tag: owners or ["autogroup:admin"] for tag, owners in theirs.items()}
            mine = list(_same(theirs, value, (section,), deep=key == "autoApprovers"))
        elif isinstance(value, list) and isinstance(theirs, list):
            mine = [(section, index) for index, item in enumerate(theirs) if item in value]
        elif section and value == theirs:
            left.discard(section)
            edits.append(_cut(document, text, (section,)))
        if mine and len(mine) == len(theirs or ()) and all(len(path) == 2 for path in mine):
            left.discard(section)
            mine = [(section,)] if document.spans[(section,)].begin >= whole else mine
        edits += (_cut(document, text, path) for path in mine)
    closed = any(_at(document, (said[key],)) is not None for key in ("acls", "grants") if key in said)
    if closed and not any(_at(document, (section,)) not in ({}, [], None) for section in left):
        return ""
    lines = _edited(text, edits).splitlines(keepends=True)
    rest = "".join(line for line in lines if line.strip() != MARK)
    return rest if closed else _edited(rest, _into(parse(rest), rest, (), [OPEN], OPEN_MARK))


def _same(theirs: Mapping[str, Any], ours: Mapping[str, Json], path: Path, deep: bool) -> Iterator[Path]:
    """What both say alike; `deep` looks into what they say in part alike."""
    for name, item in theirs.items():
        one = ours.get(name)
        if name in ours and one == item:
            yield (*path, name)
        elif deep and isinstance(item, dict) and isinstance(one, dict):
            yield from _same(item, one, (*path, name), deep)
        elif deep and isinstance(item, list) and isinstance(one, list):
            yield from ((*path, name, index) for index, word in enumerate(item) if word in one)


def _cut(document: hujson.Document, text: str, path: Path) -> _Edit:
    """A member or element goes, with the comma after it, and with its lines where nothing else stands on them."""
    span = document.spans[path]
    at = hujson.skip(text, span.end)
    begin, end = span.begin, at + 1 if text[at] == "," else span.end
    line = text.rfind("\n", 0, begin) + 1
    after = text.find("\n", end)
    if not text[line:begin].strip() and after >= 0 and not text[end:after].strip():
        return _Edit(line, after + 1, "")
    return _Edit(begin, end, "")
