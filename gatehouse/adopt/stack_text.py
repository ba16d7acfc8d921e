"""Changing a stack file's text: what is added is added, and the rest stays as it was written, comments too."""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from config.stack import NAMESPACE
from gatehouse.commands import CommandError

if TYPE_CHECKING:
    from ruamel.yaml import YAML

_INDENTS = ((2, 4, 2), (2, 2, 0), (4, 6, 4), (4, 6, 2), (4, 4, 0))
"""How far people, and Pulumi where it sets a value, indent maps and lists: the first that gives the text back."""
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
    out; None leaves it); the others are added to what is there. Raises CommandError where the text cannot be kept as it
    is.
    """
    from ruamel.yaml.comments import CommentedMap

    indents = next((i for i in _INDENTS if _same_text(_dumped(*_loaded(text, i)), text)), _INDENTS[0])
    yaml, document = _loaded(text, indents)
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
    return _dumped(yaml, document)


def _loaded(text: str, indents: tuple[int, int, int]) -> tuple[YAML, Any]:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 20
    yaml.indent(mapping=indents[0], sequence=indents[1], offset=indents[2])
    return yaml, yaml.load(text)


def _dumped(yaml: YAML, document: Any) -> str:
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _same_text(one: str, other: str) -> bool:
    return one.rstrip("\n") == other.rstrip("\n")


def edited_lines(before: str, after: str, name: str) -> list[str]:
    """The change as a unified diff, a line each."""
    return list(
        difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"{name} (now)", f"{name} (then)", lineterm="", n=2
        )
    )


def refuse_rewriting(text: str, name: str) -> None:
    """Raises CommandError where writing a stack file back would change lines of its owner's."""
    again = edit(text)
    pairs = zip(text.splitlines(), [*again.splitlines(), *[""] * text.count("\n")], strict=False)
    changed = [line for line, other in pairs if line != other]
    if changed and not _same_text(again, text):
        raise CommandError(
            f"{name} cannot be changed without rewriting a line of yours ({changed[0].strip()!r}): copy what is new"
            " from the diff by hand."
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
