"""YAML read as Pulumi reads it, with the line and column of every key."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import yaml

from config.errors import Finding, Path_, Place, dotted, show

_DEEPEST = 60
_MOST_REPEATED = 100_000


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
            raise _UnreadableError(_TOO_DEEP, _SHALLOW, parent.start_mark if parent else None)

    def ascend_resolver(self) -> None:
        self.depth -= 1


_TOO_DEEP = "nested too deeply"
_SHALLOW = f"a stack file has a few levels, and at most {_DEEPEST} are read: remove the extra brackets or indentation"
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML does not allow in a file (YAML 1.2.2, 5.1)."""

# Plain words as gopkg.in/yaml.v3 reads them (resolve.go), which is Pulumi's reader [PU sdk/go/common/encoding]: `yes`,
# `on` and `22:22` are text, unlike in YAML 1.1; `0120` is octal and `1_000` a number, unlike in YAML 1.2.
_SAFE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})|0x[0-9a-fA-F]{1,15}|-?(0|[1-9][0-9]{0,8})\.[0-9]{0,5}[1-9]")
"""The numbers that every reader of YAML takes alike."""
_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?\S*)?")
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
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

    def unreadable(self, reason: str, fix: str, line: int = 0, column: int = 0) -> Document:
        """This document, with nothing read and the reason why."""
        self.values = None
        self.findings.append(Finding("yaml", (), "", reason, fix, Place(self.file, line, column)))
        return self


class _UnreadableError(Exception):
    def __init__(self, reason: str, fix: str, mark: yaml.Mark | None) -> None:
        super().__init__(reason)
        self.reason, self.fix, self.mark = reason, fix, mark


def read_yaml(text: str, file: str) -> Document:
    """Parse `text`; what cannot be read is in `findings`, never raised."""
    document = Document(file)
    odd = _NOT_TEXT.search(text)
    if odd:
        what = "a NUL byte" if odd[0] == "\0" else f"the control character U+{ord(odd[0]):04X}"
        before = text[: odd.start()]
        return document.unreadable(
            f"{what} stands here, and YAML is text",
            "remove it; if the file was cut off or is in another encoding, write it again as UTF-8",
            before.count("\n") + 1,
            odd.start() - before.rfind("\n"),
        )
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is not None:
            document.values = _Builder(document).build(node, (), 0)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        line = text.splitlines()[mark.line : mark.line + 1] if mark else []
        document.unreadable(*_said(problem, line[0] if line else ""), *_counted(mark))
    except _UnreadableError as error:
        document.unreadable(error.reason, error.fix, *_counted(error.mark))
    except RecursionError:
        document.unreadable(_TOO_DEEP, _SHALLOW)
    return document


def _counted(mark: yaml.Mark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _said(problem: str, line: str) -> tuple[str, str]:
    """What is wrong with YAML that does not parse, and what to write."""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab indents this line, and YAML is indented by spaces only", "write spaces in place of the tab"
    if "another document" in problem:
        return "a second document begins here (`---`), and Pulumi reads only the first", "remove this line"
    return f"not valid YAML: {problem}", "fix the YAML at this place; check the indentation"


class _Builder:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.seen: set[int] = set()
        self.open: set[int] = set()
        self.repeated = 0
        self.alias: yaml.Node | None = None
        """The outermost node that is repeated here by an alias."""

    def build(self, node: yaml.Node, path: Path_, depth: int) -> object:
        if path not in self.document.places:
            self.document.places[path] = self._place(node)
        if isinstance(node, yaml.ScalarNode):
            self._repeat(node, path)
            return self._scalar(node, path)
        if id(node) in self.open:
            raise _UnreadableError(
                f"an alias below {_named(path)} repeats the very part of the file that it stands in, without end",
                "write what is meant in place of the alias (`*`)",
                node.start_mark,
            )
        if depth > _DEEPEST:
            raise _UnreadableError(_TOO_DEEP, _SHALLOW, node.start_mark)
        outermost = self._repeat(node, path)
        self.open.add(id(node))
        value: object
        if isinstance(node, yaml.MappingNode):
            value = self._mapping(node, path, depth)
        else:
            value = [self.build(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        self.open.discard(id(node))
        if outermost:
            self.alias = None
        if node.tag:
            self._tagged(node, path, self.document.place(path))
        return value

    def _repeat(self, node: yaml.Node, path: Path_) -> bool:
        """Count what aliases repeat: a few of them can make a small file a huge one. Whether the node is such a one."""
        first = self.alias is None and id(node) in self.seen
        self.seen.add(id(node))
        if first:
            self.alias = node
        if self.alias is None:
            return False
        self.repeated += 1
        if self.repeated > _MOST_REPEATED:
            raise _UnreadableError(
                f"the aliases (`*`) of this file repeat more than {_MOST_REPEATED} values; the one at {_named(path)} "
                "repeats what begins here",
                "write out what is meant in place of the aliases",
                self.alias.start_mark,
            )
        if first and isinstance(node, yaml.ScalarNode):
            self.alias = None
        return first

    def _mapping(self, node: yaml.MappingNode, path: Path_, depth: int) -> dict[str, object]:
        result: dict[str, object] = {}
        merged: dict[str, object] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node)
            value = _plain_or_text(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if value is None:
                self._finding("yaml-key", path, place, "a key has to be one word", "write the key as plain text")
                continue
            name = str(key_node.value)
            below = (*path, name)
            if key_node.tag:
                self._tagged(key_node, below, place)
            if name == "<<" and key_node.style not in _QUOTED:
                self._finding(
                    "yaml-key",
                    below,
                    place,
                    "Pulumi merges another part of the file in here, so what counts does not stand where it is read",
                    "write the keys out here, and remove `<<`",
                )
                for part in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    more = self.build(part, below, depth + 1)
                    merged = {**(more if isinstance(more, dict) else {}), **merged}
                continue
            read = (
                value.key if isinstance(value, _Odd) else str(value).lower() if value in (True, False) else str(value)
            )
            if read != name:
                self._finding(
                    "yaml-key",
                    below,
                    place,
                    f"Pulumi reads this key as {read}, and so as another key",
                    f'put it in quotes: `"{name}":`',
                )
            if name in result:
                self._finding(
                    "duplicate-key",
                    below,
                    place,
                    f"{show(name)} is there twice, and only one of the two could count",
                    "remove or rename one of the two",
                )
                continue
            self.document.places[below] = place
            result[name] = self.build(value_node, below, depth + 1)
        return {**merged, **result}

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> object:
        if node.tag:
            self._tagged(node, path, self.document.place(path))
        value = _plain_or_text(node)
        if not isinstance(value, _Odd):
            return value
        place = self.document.place(path)
        self._finding("yaml-value", path, place, value.reason, value.fix, node.value, value.suggestion)
        return value.value

    def _tagged(self, node: yaml.Node, path: Path_, place: Place) -> None:
        tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
        self._finding(
            "yaml-value",
            path,
            place,
            "a tag makes another type of a value, and each reader of YAML knows others",
            "remove the tag; put text that looks like a number in quotes",
            tag,
        )

    def _place(self, node: yaml.Node) -> Place:
        mark = node.start_mark
        return Place(self.document.file, mark.line + 1, mark.column + 1)

    def _finding(
        self, rule: str, path: Path_, place: Place, reason: str, fix: str, value: str = "", suggestion: str = ""
    ) -> None:
        self.document.findings.append(Finding(rule, path, value, reason, fix, place, suggestion=suggestion))


_QUOTED = ("'", '"', "|", ">")


def _named(path: Path_) -> str:
    return f"`{dotted(path)}`" if path else "the top"


def _plain_or_text(node: yaml.ScalarNode) -> object:
    """What a word is: text where it is in quotes."""
    return node.value if node.style in _QUOTED or node.tag else _read(node.value)


@dataclass(frozen=True)
class _Odd:
    """A plain word that Pulumi reads as something else than it seems, or than other readers of YAML do."""

    value: object
    reason: str
    fix: str
    suggestion: str = ""

    @property
    def key(self) -> str:
        return "a date and time" if isinstance(self.value, str) else str(self.value)


def _read(text: str) -> object:
    """What a plain word is, or `_Odd`."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    if _SAFE.fullmatch(text):
        return float(text) if "." in text else int(text, 0)
    quoted = f'put it in quotes if it is text: `"{text}"`'
    if _ENDLESS.fullmatch(text):
        return _Odd(text, "Pulumi reads this as an endless number or none, and refuses the whole file", quoted)
    if _TIME.fullmatch(text):
        return _Odd(
            text,
            "Pulumi reads this as a date, and makes another text of it",
            f'write `"{text}"`, in quotes',
            f'"{text}"',
        )
    number = _number(text)
    if number is None:
        return text
    if text == str(number):
        return _Odd(number, "so long a number loses its last digits on its way through Pulumi", quoted)
    meant, other = (
        (text.lstrip("0") or "0", f" (or `{number}`, if octal is meant)") if text.isdigit() else (str(number), "")
    )
    return _Odd(
        number,
        f"Pulumi reads this as {number}, and not every reader of YAML does",
        f"write `{meant}`{other if meant != str(number) else ''}; {quoted}",
        meant,
    )


def _number(text: str) -> int | float | None:
    """The number that Pulumi takes a plain word for, if any."""
    plain = re.sub(r"(?<=[0-9])_(?=[0-9])", "", text) if text[0] == "." else text.replace("_", "")
    integer = _INTEGER.fullmatch(plain) if len(plain) < 100 else None
    if integer:
        sign, digits = integer.groups()
        octal = digits.isdigit() and digits[0] == "0"
        return int(sign + digits, 8 if octal else 0)
    number = float(plain) if _FLOAT.fullmatch(plain) else math.inf
    if math.isinf(number):
        # As text, then [PU].
        return None
    return int(number) if number.is_integer() else number
