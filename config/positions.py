"""YAML read as Pulumi reads it, with the line and column of every key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from config.errors import Finding, Path_, Place, show

_DEEPEST = 60
_MOST = 200_000


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    depth = 0

    def resolve(self, kind: type[yaml.Node], value: object, implicit: object) -> str:
        """No tag: `_scalar` says what a word is, and PyYAML's tables would be asked for nothing."""
        return ""

    # The composer calls these two around every node. libyaml's recurses in C: a file nested deeply enough would end the
    # process without a word.
    def descend_resolver(self, parent: yaml.Node | None, index: object) -> None:
        self.depth += 1
        # A word stands below the deepest collection.
        if self.depth > _DEEPEST + 1:
            raise _UnreadableError("nested too deeply")

    def ascend_resolver(self) -> None:
        self.depth -= 1


# Pulumi reads YAML 1.2's core schema (gopkg.in/yaml.v3): `yes`, `on` and `22:22` are text, unlike in YAML 1.1.
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass
class Document:
    """A YAML file as plain values, with the place of each path."""

    file: str
    values: object = None
    places: dict[Path_, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def place(self, path: Path_) -> Place:
        """The place of a path, or of the nearest part above it that is in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.file))


class _UnreadableError(Exception):
    pass


def read_yaml(text: str, file: str) -> Document:
    """Parse `text`; what cannot be read is in `findings`, never raised."""
    document = Document(file)
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is not None:
            document.values = _Builder(document).build(node, (), 0)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        _unreadable(
            document,
            place,
            f"not valid YAML: {problem}",
            "fix the YAML at this place; check the indentation",
        )
    except (_UnreadableError, RecursionError, ValueError) as error:
        reason = str(error) or "nested too deeply"
        _unreadable(document, Place(file), reason, "write the stack file as plain, shallow YAML")
    return document


def _unreadable(document: Document, place: Place, reason: str, fix: str) -> None:
    document.values = None
    document.findings.append(Finding("yaml", (), "", reason, fix, place))


class _Builder:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0

    def build(self, node: yaml.Node, path: Path_, depth: int) -> object:
        self.count += 1
        # An alias repeats a whole subtree, so depth and size are bounded here and not by the file's length.
        if depth > _DEEPEST or self.count > _MOST:
            raise _UnreadableError("nested too deeply or too large, or an alias refers to itself")
        if path not in self.document.places:
            self.document.places[path] = self._place(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path_, depth: int) -> dict[str, object]:
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node)
            if not isinstance(key_node, yaml.ScalarNode) or _scalar(key_node) is None:
                self._finding("yaml-key", path, place, "a key here is one word", "write the key as plain text")
                continue
            name = str(key_node.value)
            if name in result:
                self._finding(
                    "duplicate-key",
                    (*path, name),
                    place,
                    f"{show(name)} stands twice; only one of them would count",
                    "remove or rename one of the two",
                )
                continue
            below = (*path, name)
            self.document.places[below] = place
            result[name] = self.build(value_node, below, depth + 1)
        return result

    def _place(self, node: yaml.Node) -> Place:
        mark = node.start_mark
        return Place(self.document.file, mark.line + 1, mark.column + 1)

    def _finding(self, rule: str, path: Path_, place: Place, reason: str, fix: str) -> None:
        self.document.findings.append(Finding(rule, path, "", reason, fix, place))


def _scalar(node: yaml.ScalarNode) -> object:
    text: str = node.value
    if node.style in ("'", '"', "|", ">") or node.tag == "!":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text) and len(text) < 20:
        return int(text)
    if _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
