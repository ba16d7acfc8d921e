"""Changing a stack file's text: what is added is added, and the rest stays as it was written, comments too."""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from config.stack import NAMESPACE
from gatehouse.commands import CommandError

if TYPE_CHECKING:
    from ruamel.yaml import YAML

_INDENTS = ((2, 4, 2), (2, 2, 0), (4, 6, 4), (4, 6, 2), (4, 2, 0))
"""How far people, and Pulumi where it sets a value, indent maps and lists: what is added follows the nearest."""
_REVIEW = "adopted, to be reviewed"


def edit(
    text: str,
    *,
    adopt: Mapping[str, str] | None = None,
    recover: Mapping[str, str] | None = None,
    services: Mapping[str, Mapping[str, Any]] | None = None,
    people: Mapping[str, list[str]] | None = None,
    node: Mapping[str, Any] | None = None,
    policy: str = "",
) -> str:
    """A stack file's text with these entries. `adopt` and `recover` take the place of their sections (empty takes one
    out; None leaves it); the others are added to what is there. Raises CommandError, with the lines to paste, where a
    line that is not about them would be another.
    """
    from ruamel.yaml.comments import CommentedMap

    indents = _layout(text)
    yaml, document = _loaded(text, indents)
    plain = _dumped(yaml, document)
    config = document["config"]
    for name, entry in (services or {}).items():
        section = config.setdefault(f"{NAMESPACE}:services", CommentedMap())
        section[name] = _block(entry)
        section.yaml_set_comment_before_after_key(name, before=_REVIEW, indent=4)
    for name, emails in (people or {}).items():
        config[f"{NAMESPACE}:estate"].setdefault("people", CommentedMap())[name] = list(emails)
    if policy:
        config[f"{NAMESPACE}:estate"]["tailnet"]["policy"] = policy
    for name, value in (node or {}).items():
        section = config[f"{NAMESPACE}:node"]
        if isinstance(value, Mapping) and isinstance(section.get(name), Mapping):
            section[name].update(value)
        else:
            # After the node's name: behind the last key stands what belongs to the next section.
            section.insert(min(1, len(section)), name, _block(value))
    for section, ids in (("adopt", adopt), ("recover", recover)):
        if ids:
            config[f"{NAMESPACE}:{section}"] = CommentedMap(sorted(ids.items()))
        elif ids is not None:
            config.pop(f"{NAMESPACE}:{section}", None)
    after = _dumped(yaml, document)
    kept = _kept(text, plain, after)
    if kept is None or _loaded(kept, indents)[1] != _loaded(after, indents)[1]:
        raise CommandError(
            "The stack file cannot be changed without rewriting lines of yours. Make this change by hand:\n\n"
            + "\n".join(edited_lines(plain, after, "the stack file"))
        )
    return kept


def _layout(text: str) -> tuple[int, int, int]:
    """The indents that give most of a text back."""
    lines, found = set(text.splitlines()), {}
    for indents in _INDENTS:
        found[indents] = len(lines & set(_dumped(*_loaded(text, indents)).splitlines()))
        if found[indents] == len(lines):
            break
    return max(found, key=lambda indents: found[indents])


def _loaded(text: str, indents: tuple[int, int, int]) -> tuple[YAML, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20
    yaml.indent(mapping=indents[0], sequence=indents[1], offset=indents[2])
    try:
        document = yaml.load(text)
    except MarkedYAMLError as error:
        # What it does not read and the engine does, such as a tab before a comment.
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise CommandError(
            f"The stack file cannot be changed with its comments kept: {error.problem}{line}. Write that otherwise,"
            " such as blanks in place of a tab, and run this again."
        ) from None
    return yaml, document


def _dumped(yaml: YAML, document: Any) -> str:
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _kept(text: str, plain: str, after: str) -> str | None:
    """A text with the change from `plain`, which is the same in ruamel's layout, to `after`: what that leaves alone
    stays as it was written, however that is. None where the change is in the middle of what is laid out otherwise."""
    own, laid, new = (t.splitlines() for t in (text, plain, after))
    at = {0: 0}
    shift: dict[int, int] = {}
    for tag, i1, i2, j1, j2 in _opcodes([_bare(line) for line in laid], [_bare(line) for line in own]):
        if tag == "equal":
            at |= {i1 + k: j1 + k for k in range(1, i2 - i1)}
            shift |= {i1 + k: _indent(own[j1 + k]) for k in range(i2 - i1)}
        # What is only there, such as a document's end mark, stays behind what is added.
        at[i2] = j1 if tag == "insert" else j2
    lines: list[str] = []
    # How far each line is indented there, and here.
    depths: list[tuple[int, int]] = []
    for tag, i1, i2, j1, j2 in _opcodes(laid, new):
        if i1 not in at or i2 not in at:
            return None
        if tag == "equal":
            lines += own[at[i1] : at[i2]]
            depths += [(_indent(laid[k]), shift[k]) for k in range(i1, i2) if k in shift and _is_content(laid[k])]
            continue
        if not all(k in shift for k in range(i1, i2)):
            return None
        for line in new[j1:j2]:
            deep = _indent(line)
            # As its neighbour, or below what it belongs to.
            there, here = next(((there, here) for there, here in reversed(depths) if there <= deep), (0, 0))
            lines.append(" " * (here + deep - there) + line.lstrip() if line.strip() else line)
            depths += [(deep, here + deep - there)] if _is_content(line) else []
    lines += own[at[len(laid)] :]
    return "\n".join(lines) + "\n" * text.endswith("\n")


def _opcodes(one: Sequence[str], other: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes()


def _bare(line: str) -> str:
    return re.sub(r"\s", "", line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def edited_lines(before: str, after: str, name: str) -> list[str]:
    """The change as a unified diff, a line each."""
    return list(
        difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"{name} (now)", f"{name} (then)", lineterm="", n=2
        )
    )


def _block(value: Any) -> Any:
    """Inner maps in one line (`{namespace: media, …}`), as the shipped files have origins."""
    from ruamel.yaml.comments import CommentedMap

    if not isinstance(value, Mapping):
        return value
    block = CommentedMap()
    for key, item in value.items():
        inner = _block(item)
        if isinstance(inner, CommentedMap):
            inner.fa.set_flow_style()
        block[key] = inner
    return block
