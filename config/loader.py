"""Reading stack files: from disk to typed configuration, with every structural finding at once."""

from __future__ import annotations

import copy
import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from config import stack as models
from config.errors import Finding, Path_, Place, dotted, show
from config.mistakes import closest, in_words
from config.positions import Document, read_yaml
from config.repair import Repair
from config.secrets import in_clear, is_secret, secrets_in
from config.services import Service
from config.stack import NAMESPACE, StackConfig, owner_stack

_FILE = re.compile(r"Pulumi\.(?P<stack>[A-Za-z0-9_.-]+)\.ya?ml")
_LARGEST = 16 * 1024 * 1024
_LARGEST_POLICY = 1024 * 1024
_DOCS = "docs/stack-file.md"
_ROUNDS = 20
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
    beside: Callable[[str], str] | None = None
    """The text of a file beside it that is not on the disk, or None where it is: raises LookupError for none."""

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
            if key.startswith(f"{NAMESPACE}:") and not is_secret(key.split(":", 1)[1])
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
    own_policy: str | None = None
    """The text of the file that `estate.tailnet.policy` names."""

    def __post_init__(self) -> None:
        if self.typed is None:
            self.typed = self.config
        self._read_own_policy()

    def _read_own_policy(self) -> None:
        tailnet = self.typed.estate.tailnet if self.typed and self.typed.estate else None
        if tailnet is None or tailnet.policy is None:
            return
        path: Path_ = ("estate", "tailnet", "policy")
        try:
            read = self.source.beside or partial(read_beside, self.source.path.parent)
            self.own_policy = read(tailnet.policy)
        except LookupError as error:
            reason, fix = error.args
            place = self.source.place(path)
            self.findings.append(Finding("tailnet-policy-file", path, show(tailnet.policy), reason, fix, place))

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
    """The stacks that have a file in the project, sorted; what is no file, such as a broken link, is found later."""
    names = (_FILE.fullmatch(p.name) for p in project.iterdir())
    return sorted({m["stack"] for m in names if m})


def stack_path(project: Path, stack: str) -> Path:
    """Where the stack's file is: the `.yaml`, which Pulumi reads, unless only a `.yml` is there."""
    path = project / f"Pulumi.{stack}.yaml"
    short = path.with_suffix(".yml")
    return short if os.path.lexists(short) and not os.path.lexists(path) else path


def read_stack_file(path: Path) -> StackFile:
    """Read a stack file. What cannot be read is in `document.findings`, and nothing is raised."""
    match = _FILE.fullmatch(path.name)
    stack = match["stack"] if match else path.stem
    document = _read(path)
    if path.suffix == ".yml" or os.path.lexists(path.with_suffix(".yml")):
        document.findings.append(_other_ending(path))
    return _stack_file(path, stack, document)


def _read(path: Path) -> Document:
    try:
        if path.exists() and not path.is_file():
            return _no_file(
                path, f"it is {'a folder' if path.is_dir() else 'no file'}, where the stack's file has to be"
            )
        data = path.read_bytes()
    except OSError as error:
        link = path.is_symlink() and not path.exists()
        return _no_file(
            path,
            f"it is a link to {os.readlink(path)}, and no file is there"
            if link
            else f"it cannot be read ({error.strerror or error})",
        )
    document = Document(path.name)
    if len(data) > _LARGEST:
        return document.unreadable(
            f"larger than {_LARGEST >> 20} MiB, more than Gatehouse reads of one stack",
            "split the services over stacks",
        )
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:2]:
        return document.unreadable(
            "not UTF-8 text, but UTF-16 (which some editors call Unicode)", "save the file as UTF-8", 1, 1
        )
    try:
        return read_yaml(data.decode("utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        return document.unreadable(
            f"byte 0x{data[error.start]:02x} here is not UTF-8: the file is in another encoding",
            "save the file as UTF-8",
            before.count(b"\n") + 1,
            error.start - before.rfind(b"\n"),
        )


def read_beside(folder: Path, name: str) -> str:
    """The text of a file beside the stack files. Raises LookupError with the reason and a fix."""
    path = folder / name
    fix = "put the file beside the stack file, or remove `policy:`; `gatehouse adopt` writes the policy that you have"
    try:
        if path.resolve().parent != path.parent.resolve():
            raise LookupError("it is a link out of this folder, to what nobody reviews here", fix)
        if path.is_dir():
            raise LookupError("it is a folder, where a file has to be", fix)
        # What is neither, such as a pipe, would be waited for.
        data = path.read_bytes() if path.is_file() else None
    except (OSError, RuntimeError) as error:
        # A link in a circle is a RuntimeError of pathlib's.
        raise LookupError(f"it cannot be read ({getattr(error, 'strerror', None) or error})", fix) from None
    if data is None:
        raise LookupError("there is no such file beside the stack file", fix)
    if len(data) > _LARGEST_POLICY:
        raise LookupError(f"it is larger than {_LARGEST_POLICY >> 20} MiB, which no policy is", fix)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LookupError(f"it is not UTF-8 text (line {line})", "save it as UTF-8") from None


def _not_given(name: str) -> str:
    raise LookupError("there is no such file beside the stack file", f"write {name}, or remove `policy:`")


def _no_file(path: Path, reason: str) -> Document:
    document = Document(path.name)
    document.findings.append(
        Finding("stack-file", (), "", reason, "put the stack's file in its place, or remove it", Place(path.name))
    )
    return document


def _other_ending(path: Path) -> Finding:
    # Pulumi looks for the ending that its project file has, Pulumi.yaml [PU sdk/go/common/workspace/paths.go].
    long, short = path.with_suffix(".yaml").name, path.with_suffix(".yml").name
    two = path.suffix == ".yaml"
    return Finding(
        "stack-file",
        (),
        "",
        f"there are {long} and {short}, and Pulumi reads {long} only"
        if two
        else f"Pulumi reads {long} and not {short}, so nothing in this file would count",
        f"keep what is meant in {long}, and remove {short}" if two else f"rename it to {long}",
        Place(short),
    )


def parse_stack_text(text: str, stack: str = "test", beside: Callable[[str], str] = _not_given) -> StackFile:
    """A stack file from text, as `Pulumi.<stack>.yaml` would hold it. `beside` gives the text of a file beside it."""
    path = Path(f"Pulumi.{stack}.yaml")
    return replace(_stack_file(path, stack, read_yaml(text, path.name)), beside=beside)


def _in_config(finding: Finding) -> Finding:
    """A finding of the YAML reader with the path that people and rules know."""
    path = finding.path[1:] if finding.path[:1] == ("config",) else finding.path
    if path and str(path[0]).startswith(f"{NAMESPACE}:"):
        path = (str(path[0]).split(":", 1)[1], *path[1:])
    return replace(finding, path=path)


def _stack_file(path: Path, stack: str, document: Document) -> StackFile:
    document.findings[:] = map(_in_config, document.findings)
    top = document.values if isinstance(document.values, dict) else {}
    config = top.get("config")
    if not isinstance(config, dict) and (top or not document.findings):
        document.findings.append(
            Finding(
                "stack-file",
                (),
                "" if config is None else show(config),
                "a stack file has its values below `config:`",
                f"start the file with `config:`, and write `{NAMESPACE}:node:` and the rest below it ({_DOCS})",
                document.place(("config",)),
            )
        )
    values: dict[str, object] = dict(config) if isinstance(config, dict) else {}
    document.findings += (finding for key in values for finding in _key_findings(document, key))
    secure = frozenset(k for k, v in values.items() if isinstance(v, dict) and set(v) == {"secure"})
    return StackFile(path, stack, values, secure, document)


def _key_findings(document: Document, key: str) -> Iterator[Finding]:
    place = document.place(("config", key))
    namespace = key.split(":", 1)[0]
    if ":" not in key:
        yield Finding(
            "config-namespace",
            (key,),
            "",
            "a key of a stack file has a namespace in front, and Gatehouse reads those with its own",
            f"write `{NAMESPACE}:{key}:`",
            place,
            "Pulumi, stack settings file",
        )
    elif namespace != NAMESPACE and difflib.get_close_matches(namespace, [NAMESPACE], cutoff=0.75):
        yield Finding(
            "config-namespace",
            (key,),
            "",
            "Gatehouse reads only keys with its own namespace, so this would be ignored",
            f"write `{NAMESPACE}:{key.split(':', 1)[1]}:`",
            place,
            suggestion=NAMESPACE,
        )


def type_stack(source: StackFile, raw: Mapping[str, object] | None = None) -> LoadedStack:
    """Type a stack file. `raw` takes the place of the file's values where the engine gave others (`--config`)."""
    values = copy.deepcopy(dict(source.raw if raw is None else raw))
    findings = list(source.document.findings)
    findings += _secret_findings(source, values)
    if not values and findings:
        return LoadedStack(source, None, findings)
    repair = Repair()
    odd = {finding.path for finding in findings if finding.rule == "yaml-value"}
    for _ in range(_ROUNDS):
        no_node = ("node",) in repair.assumed
        try:
            typed = StackConfig.model_validate({**values, "node": _NO_NODE} if no_node else values)
        except ValidationError as error:
            # A default that follows from another value is no mistake of its own where that value is one.
            errors = [e for e in error.errors(include_url=False) if e["type"] != "default_factory_not_called"]
            details = [in_words(detail, values, source.place) for detail in errors]
            # A key that is missing because it is misspelt, or because it was left out above, has its finding already.
            misspelt = {(*m.path[:-1], m.suggestion) for m, _ in details if m.unknown_key and m.suggestion}
            mistakes = [mistake for mistake, _ in details if not (mistake.missing and mistake.path in misspelt)]
            findings += [
                replace(found, path=source.written(found.path))
                for m, found in details
                if m.path not in odd
                and not (m.missing and (m.path in misspelt or m.path in repair.assumed))
                # What is said of a whole may be so because a part was left out above.
                and not any(len(a) > len(m.path) and a[: len(m.path)] == m.path for a in repair.assumed)
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
                    "no stack of this name owns an estate here, so zone, people and tailnet are unknown",
                    f"write one of: {', '.join(owners)}" if owners else "give one stack file a `gatehouse:estate`",
                    member.source.place(path),
                    suggestion=closest(owner_stack(reference), owners),
                )
            )
    return loaded


def _estate_or_member(stack: LoadedStack) -> Finding:
    both = bool(stack.typed and stack.typed.estate)
    return Finding(
        "estate-owner",
        ("member_of",) if both else (),
        "",
        "a stack owns an estate or uses the one of another stack, and this has both `estate` and `member_of`"
        if both
        else "there is neither `estate` nor `member_of`, so there is no zone, team or tailnet to use",
        f"keep `{NAMESPACE}:estate` in the stack that owns the zone, and write `{NAMESPACE}:member_of:` with that "
        "stack's name in the others",
        stack.source.place(("member_of",) if both else ()),
    )


def _secret_findings(source: StackFile, values: dict[str, object]) -> Iterator[Finding]:
    names = [secret.name for secret in secrets_in(source.values)]
    for key, value in source.values.items():
        namespace, _, short = key.rpartition(":")
        if namespace != NAMESPACE or is_secret(short):
            # A secret of ours is one whatever is in it.
            clear = [(key,)] if namespace == NAMESPACE and key not in source.secure else in_clear((key,), value)
            for path in clear:
                known = (short,) if namespace == NAMESPACE else path
                yield Finding(
                    "secret-in-clear",
                    known,
                    "",
                    "this secret stands in clear in a file that is committed: whoever reads the repository has it",
                    "remove it, make a new one where it comes from, and set that with `gatehouse pulumi config set "
                    f"--secret {_settable(path)}`",
                    source.place(known),
                )
        if namespace == NAMESPACE and key in source.secure and short not in names:
            yield Finding(
                "unknown-key",
                (short,),
                "",
                "Gatehouse has no secret of this name",
                "write one of: " + ", ".join(sorted(names)),
                source.place((short,)),
                suggestion=closest(short, sorted(names)),
            )
            values.pop(short, None)


def _settable(path: Path_) -> str:
    return str(path[0]) if len(path) == 1 else f"--path '{dotted(path)}'"


__all__ = [
    "LoadedStack",
    "Service",
    "StackFile",
    "load_project",
    "parse_stack_text",
    "read_beside",
    "read_stack_file",
    "stack_names",
    "stack_path",
    "tie",
    "type_stack",
]
