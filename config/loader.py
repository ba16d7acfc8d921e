"""Reading stack files: from disk to typed configuration, with every structural finding at once."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config import stack as models
from config.errors import Finding, Path_, Place, show
from config.fields import NO_IP_VERSION_FIX, NO_IPV6, NO_IPV6_FIX
from config.positions import Document, read_yaml
from config.repair import Mistake, Repair
from config.secrets import SECRET_NAMES
from config.services import Service
from config.stack import NAMESPACE, StackConfig, owner_stack

_FILE = re.compile(r"Pulumi\.(?P<stack>[A-Za-z0-9_.-]+)\.ya?ml")
_LARGEST = 4 * 1024 * 1024
_DOCS = "docs/stack-file.md"
_ROUNDS = 20
_FORMS = {
    "model_type": "keys with values are expected here",
    "dict_type": "keys with values are expected here",
    "list_type": "a list is expected here",
    "string_type": "text is expected here (in quotes, where it would be read as a number or as true or false)",
    "int_type": "a whole number is expected here, without quotes",
    "bool_type": "`true` or `false` is expected here, without quotes (`yes` and `on` are text)",
}
"""What pydantic's error types mean, in words for people."""
_NO_NODE = {"name": "node", "lan_ipv4": "192.0.2.2", "context": "context"}


@dataclass
class StackFile:
    """One stack file.

    `values` by full config key (`gatehouse:services`), `secure` the keys that hold an encrypted value.
    """

    path: Path
    stack: str
    values: dict[str, object]
    secure: frozenset[str]
    document: Document
    misspelt: dict[Path_, Path_] = field(default_factory=dict)
    """Paths that were read for others: the known one to the one that stands in the file."""

    @property
    def file(self) -> str:
        """The file's name for messages."""
        return self.document.file

    @property
    def raw(self) -> dict[str, object]:
        """What is Gatehouse's own, by short key and without secrets: the shape of `StackConfig`."""
        return {
            key.split(":", 1)[1]: value
            for key, value in self.values.items()
            if key.startswith(f"{NAMESPACE}:") and key.split(":", 1)[1] not in SECRET_NAMES
        }

    def place(self, path: Path_) -> Place:
        """The place of a path of the configuration, such as `("services", "grafana")`."""
        if not path:
            return self.document.place(("config",))
        return self.document.place(_in_file(path))

    def read_as(self, path: Path_, known: Path_) -> None:
        """Take what stands at `path`, a misspelt key, for `known`: findings about it show what stands there."""
        self.misspelt[known] = path
        old, new = _in_file(path), _in_file(known)
        for found, place in list(self.document.places.items()):
            if found[: len(old)] == old:
                self.document.places[(*new, *found[len(old) :])] = place

    def written(self, path: Path_) -> Path_:
        """A path with the keys that stand in the file."""
        for end in range(len(path), 0, -1):
            path = (*self.misspelt.get(path[:end], path[:end]), *path[end:])
        return path

    def has(self, path: Path_) -> bool:
        """Whether the file itself says what stands at a path."""
        return _in_file(path) in self.document.places


def _in_file(path: Path_) -> Path_:
    # A path may also name a key of another namespace in full (`tailscale:apiKey`).
    return ("config", path[0] if ":" in str(path[0]) else f"{NAMESPACE}:{path[0]}", *path[1:])


@dataclass
class LoadedStack:
    """A stack file after typing.

    `config` lacks what did not fit its type (see `findings`), and is None where there is no node. `typed` is what the
    rules read: the same, or with a stand-in for the node. Nothing is planned from either while there are errors.
    """

    source: StackFile
    config: StackConfig | None
    findings: list[Finding] = field(default_factory=list)
    owner: LoadedStack | None = None
    """The stack that owns the estate, where this is a member."""
    typed: StackConfig | None = None
    assumed: frozenset[Path_] = frozenset()
    """Paths that could not be read, so that `typed` holds a default or stand-in there: no rule may judge it."""

    def __post_init__(self) -> None:
        if self.typed is None:
            self.typed = self.config

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.source.stack

    @property
    def estate(self) -> models.Estate | None:
        """The estate: this stack's own or its owner's."""
        if self.typed and self.typed.estate:
            return self.typed.estate
        return self.owner.typed.estate if self.owner and self.owner.typed else None

    @property
    def owns_estate(self) -> bool:
        """Whether this stack owns the estate."""
        return bool(self.typed and self.typed.estate)


def stack_names(project: Path) -> list[str]:
    """The stacks that have a file in the project, sorted."""
    names = (_FILE.fullmatch(p.name) for p in project.iterdir() if p.is_file())
    return sorted({m["stack"] for m in names if m})


def stack_path(project: Path, stack: str) -> Path:
    """Where the stack's file is; `.yaml` unless only `.yml` is there."""
    short = project / f"Pulumi.{stack}.yml"
    return short if short.exists() else project / f"Pulumi.{stack}.yaml"


def read_stack_file(path: Path) -> StackFile:
    """Read a stack file. What cannot be read is in `document.findings`; nothing is raised but OSError."""
    match = _FILE.fullmatch(path.name)
    stack = match["stack"] if match else path.stem
    data = path.read_bytes()
    if len(data) > _LARGEST:
        document = Document(path.name)
        document.findings.append(
            Finding(
                "yaml",
                (),
                "",
                f"larger than {_LARGEST} bytes",
                "split the services over stacks",
                Place(path.name),
            )
        )
    else:
        try:
            document = read_yaml(data.decode("utf-8-sig"), path.name)
        except UnicodeDecodeError as error:
            document = Document(path.name)
            document.findings.append(
                Finding(
                    "yaml",
                    (),
                    "",
                    f"not UTF-8 text (byte {error.start})",
                    "save the file as UTF-8",
                    Place(path.name),
                )
            )
    return _stack_file(path, stack, document)


def parse_stack_text(text: str, stack: str = "test") -> StackFile:
    """A stack file from text, as `Pulumi.<stack>.yaml` would hold it."""
    path = Path(f"Pulumi.{stack}.yaml")
    return _stack_file(path, stack, read_yaml(text, path.name))


def _in_config(finding: Finding) -> Finding:
    """A finding of the YAML reader with the path that people and rules know."""
    path = finding.path[1:] if finding.path[:1] == ("config",) else finding.path
    if path and str(path[0]).startswith(f"{NAMESPACE}:"):
        path = (str(path[0]).split(":", 1)[1], *path[1:])
    return replace(finding, path=path)


def _stack_file(path: Path, stack: str, document: Document) -> StackFile:
    document.findings[:] = map(_in_config, document.findings)
    values: dict[str, object] = {}
    top = document.values if isinstance(document.values, dict) else {}
    config = top.get("config")
    if not document.findings and not isinstance(config, dict):
        document.findings.append(
            Finding(
                "stack-file",
                (),
                "" if config is None else show(config),
                "a stack file has its values under `config:`",
                f"start it with `config:` and `{NAMESPACE}:node:` below it, see {_DOCS}",
                document.place(("config",)),
            )
        )
    for key, value in (config if isinstance(config, dict) else {}).items():
        values[key] = value
        place = document.place(("config", key))
        namespace = key.split(":", 1)[0]
        if ":" not in key:
            document.findings.append(
                Finding(
                    "config-namespace",
                    (key,),
                    "",
                    "a key of a stack file has a namespace, else Pulumi refuses the file",
                    f"write `{NAMESPACE}:{key}:`",
                    place,
                    "Pulumi, stack settings file",
                )
            )
        elif namespace != NAMESPACE and difflib.get_close_matches(namespace, [NAMESPACE], cutoff=0.75):
            document.findings.append(
                Finding(
                    "config-namespace",
                    (key,),
                    "",
                    "Gatehouse reads only its own namespace, so this would be ignored",
                    f"write `{NAMESPACE}:{key.split(':', 1)[1]}:`",
                    place,
                    suggestion=NAMESPACE,
                )
            )
    secure = frozenset(k for k, v in values.items() if isinstance(v, dict) and set(v) == {"secure"})
    return StackFile(path, stack, values, secure, document)


def type_stack(source: StackFile, raw: Mapping[str, object] | None = None) -> LoadedStack:
    """Type a stack file. `raw` takes the place of the file's values where the engine gave others (`--config`)."""
    values = copy.deepcopy(dict(source.raw if raw is None else raw))
    findings = list(source.document.findings)
    findings += _secret_findings(source, values)
    if not values and findings:
        return LoadedStack(source, None, findings)
    repair = Repair()
    for _ in range(_ROUNDS):
        no_node = ("node",) in repair.assumed
        try:
            typed = StackConfig.model_validate({**values, "node": _NO_NODE} if no_node else values)
        except ValidationError as error:
            details = [_finding(source, detail) for detail in error.errors(include_url=False)]
            # A key that is missing because it is misspelt, or because it was left out above, has its finding already.
            misspelt = {(*m.path[:-1], m.suggestion) for m, _ in details if m.unknown_key and m.suggestion}
            mistakes = [mistake for mistake, _ in details if not (mistake.missing and mistake.path in misspelt)]
            findings += [
                found for m, found in details if not (m.missing and (m.path in misspelt or m.path in repair.assumed))
            ]
            if any(mistake.path == ("node",) for mistake in mistakes):
                values.pop("node", None)
                repair.assumed.add(("node",))
            before = len(repair.renamed)
            if not repair.apply(values, mistakes) and no_node == (("node",) in repair.assumed):
                break
            for old, new in repair.renamed[before:]:
                source.read_as(old, new)
        else:
            config = None if no_node else typed
            return LoadedStack(source, config, findings, typed=typed, assumed=frozenset(repair.assumed))
    return LoadedStack(source, None, findings)


def load_project(project: Path) -> dict[str, LoadedStack]:
    """Every stack file of the project, typed, members tied to their owner. Keys are stack names."""
    return tie([type_stack(read_stack_file(stack_path(project, name))) for name in stack_names(project)])


def tie(stacks: list[LoadedStack]) -> dict[str, LoadedStack]:
    """Tie each member to its owner; a member without one gets a finding."""
    loaded = {s.name: s for s in stacks}
    for member in loaded.values():
        if not member.typed:
            continue
        reference = member.typed.member_of
        if bool(reference) == bool(member.typed.estate):
            # A broken estate was left out above and has findings of its own.
            if reference or not any(f.path[:1] in (("estate",), ("member_of",)) for f in member.findings):
                member.findings.append(_estate_or_member(member))
            continue
        if not reference:
            continue
        member.owner = loaded.get(owner_stack(reference))
        owner = member.owner
        if not owner or (owner.typed and not owner.typed.estate and not owner.findings):
            path: Path_ = ("member_of",)
            owners = [s.name for s in loaded.values() if s.owns_estate]
            member.findings.append(
                Finding(
                    "estate-owner",
                    path,
                    show(reference),
                    "no stack file here of that name owns an estate, so zone, people and tailnet are unknown",
                    f"name the owner: {' or '.join(owners)}" if owners else "give one stack file a `gatehouse:estate`",
                    member.source.place(path),
                    suggestion=_closest(owner_stack(reference), owners),
                )
            )
    return loaded


def _estate_or_member(stack: LoadedStack) -> Finding:
    both = bool(stack.typed and stack.typed.estate)
    return Finding(
        "estate-owner",
        ("member_of",) if both else (),
        "",
        "both `estate` and `member_of`: two owners of one zone, team and tailnet undo each other"
        if both
        else "neither `estate` nor `member_of`: there is no zone, team or tailnet to use",
        "keep `gatehouse:estate` in one stack only; the others say "
        f"`{NAMESPACE}:member_of: organization/{NAMESPACE}/<owner's stack>`",
        stack.source.place(("member_of",) if both else ()),
    )


def _secret_findings(source: StackFile, values: dict[str, object]) -> list[Finding]:
    findings = []
    for key in source.values:
        short = key.split(":", 1)[-1]
        if key.startswith(f"{NAMESPACE}:") and short in SECRET_NAMES and key not in source.secure:
            findings.append(
                Finding(
                    "secret-in-clear",
                    (short,),
                    "",
                    "this secret stands in clear in a file that is committed",
                    f"take it out, make a new one, and set it with `pulumi config set --secret {key}`",
                    source.place((short,)),
                )
            )
        elif key in source.secure and key.startswith(f"{NAMESPACE}:") and short not in SECRET_NAMES:
            findings.append(
                Finding(
                    "unknown-key",
                    (short,),
                    "",
                    "no secret of this name is known",
                    "known secrets: " + ", ".join(sorted(SECRET_NAMES)),
                    source.place((short,)),
                    suggestion=_closest(short, sorted(SECRET_NAMES)),
                )
            )
            values.pop(short, None)
    return findings


def _closest(word: str, known: list[str]) -> str:
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), "")


def _plain(loc: tuple[int | str, ...]) -> Path_:
    """Pydantic's location without the mark of keys and the tag of the origin's union."""
    path = [part for part in loc if part != "[key]"]
    if path[:1] == ["services"] and path[2:3] == ["origin"]:
        del path[3:4]
    return tuple(path)


def _fields_at(path: Path_) -> list[str]:
    """The keys known at a path of the configuration."""
    model: object = StackConfig
    for part in path:
        model = _below(model, part)
    if isinstance(model, tuple):
        return sorted({name for m in model for name in m.model_fields})
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    # `except` is a word of Python's, so its field has another name.
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _below(model: object, part: int | str) -> object:
    annotation: object = None
    if isinstance(model, tuple):
        model = next((m for m in model if part in m.model_fields), None)
    if isinstance(model, type) and issubclass(model, BaseModel) and isinstance(part, str):
        known = model.model_fields.get(part)
        annotation = known.annotation if known else None
    elif get_origin(model) in (dict, list):
        annotation = get_args(model)[-1]
    while annotation is not None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return annotation
        origin = get_origin(annotation)
        if origin in (dict, list):
            return annotation
        arguments = [a for a in get_args(annotation) if a is not type(None)]
        found = [m for a in arguments for m in _models_in(a)]
        if len(found) > 1:
            return tuple(found)
        annotation = arguments[0] if arguments else None
    return None


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for a in get_args(annotation) for m in _models_in(a)]


def _finding(source: StackFile, detail: ErrorDetails) -> tuple[Mistake, Finding]:
    path = _plain(detail["loc"])
    kind = detail["type"]
    value = detail.get("input")
    shown = show(value) if isinstance(value, str | int | float | bool | None) else ""
    place, at = source.place(path), source.written(path)
    if kind == "extra_forbidden" and path[-1] == "path_exceptions":
        paths = [p for p in value if isinstance(p, str)] if isinstance(value, list) else []
        said = ", ".join(f"{p}: {{clients: anyone}}" for p in paths or ["/api"])
        return Mistake(path), Finding(
            "unknown-key",
            at,
            "",
            "paths have clients of their own now, and this key says nothing any more",
            f"write `paths: {{{said}}}` in its place",
            place,
        )
    if kind == "extra_forbidden" and path[:1] == ("node",) and re.search("ip_?v6|ip_version", str(path[-1])):
        fix = NO_IPV6_FIX if "v6" in str(path[-1]) else NO_IP_VERSION_FIX
        return Mistake(path), Finding("unknown-key", at, "", NO_IPV6, f"remove it, and {fix}", place)
    if kind == "extra_forbidden":
        known = _fields_at(path[:-1])
        suggestion = _closest(str(path[-1]), known)
        return Mistake(path, unknown_key=True, suggestion=suggestion), Finding(
            "unknown-key",
            at,
            "",
            "no such key; it would have no effect, and a key with no effect protects nothing",
            f"known keys here: {', '.join(known)}" if known else "remove it",
            place,
            suggestion=suggestion,
        )
    if kind == "missing":
        return Mistake(path, missing=True), Finding(
            "missing-key", at, "", "this is needed and not there", f"add `{path[-1]}:` here{_what(path)}", place
        )
    expected = detail.get("ctx", {}).get("expected", "")
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", str(expected))
        suggestion = _closest(value, known) if isinstance(value, str) else ""
        return Mistake(path, suggestion=suggestion), Finding(
            "unknown-name",
            at,
            shown,
            "no such word is known here",
            f"one of: {', '.join(known)}" if known else f"one of: {expected}",
            place,
            suggestion=suggestion,
        )
    return Mistake(path), Finding(
        "wrong-form",
        at,
        shown,
        _FORMS.get(kind, str(detail["msg"]).replace("Input should", "this should")),
        detail.get("ctx", {}).get("fix") or f"write it in that form{_what(path)}",
        place,
    )


def _what(path: Path_) -> str:
    """The field's description, first sentence, in brackets."""
    model: object = StackConfig
    for part in path[:-1]:
        model = _below(model, part)
    candidates = model if isinstance(model, tuple) else (model,)
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            known = candidate.model_fields.get(str(path[-1])) if path else None
            if known and known.description:
                return f" ({' '.join(known.description.split())})"
    return ""


__all__ = [
    "LoadedStack",
    "Service",
    "StackFile",
    "load_project",
    "parse_stack_text",
    "read_stack_file",
    "stack_names",
    "stack_path",
    "tie",
    "type_stack",
]
