"""Answers to offline questions, given again for as long as nothing that they came from has changed.

`check`, `explain` and `who` read the stack files and nothing else, so the same question about the same files has the
same answer. It is kept in `.gatehouse/answers/` with all that it depends on as its name: the question, the project's
stack files to the byte, Gatehouse's own code, Python and its packages, and the form of the terminal. Where any of this
differs, or cannot be told, the question is answered anew. Only whole answers are kept: a command that was refused or
stopped leaves none. Deleting the folder is safe at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import PathFinder
from typing import Any, TextIO, cast

QUESTIONS = frozenset({"check", "explain", "who"})
"""The commands whose answers are kept."""
_OPTIONS = ("-C", "--stack", "--json", "--as")
"""Options that name no further file. With any other, such as `--from`, nothing is kept."""
_PACKAGES = ("config", "exposure", "gatehouse")
"""Gatehouse's packages that take part in an answer."""
_KEPT = 64
"""So many answers are kept of a project, the newest."""


class Answer:
    """The answer to one question, told apart from every other by all that it depends on."""

    def __init__(self, arguments: Sequence[str], project: str) -> None:
        """`arguments` as they were given to the command, about the project in this folder.

        Raises OSError where what the answer depends on cannot be read.
        """
        self._arguments, self._project = list(arguments), project
        self._folder = os.path.join(project, ".gatehouse", "answers")
        self._name = _fingerprint(arguments, project)

    def give(self) -> int | None:
        """Print what was kept and give its exit code; None where nothing is kept, or nothing that can be read."""
        try:
            with open(self._file, encoding="utf-8") as file:
                kept = json.load(file)
            code, out, err = int(kept["code"]), str(kept["out"]), str(kept["err"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        sys.stderr.write(err)
        sys.stdout.write(out)
        return code

    def keep(self, code: int, heard: Heard) -> None:
        """Keep an answer, unless what it depends on has changed meanwhile; where it cannot be written, keep none."""
        with contextlib.suppress(OSError):
            if _fingerprint(self._arguments, self._project) != self._name:
                return
            os.makedirs(self._folder, exist_ok=True)
            _write(os.path.join(self._folder, ".gitignore"), "*\n")
            _write(self._file, json.dumps({"code": code, "out": "".join(heard.out), "err": "".join(heard.err)}))
            answers = [e for e in os.scandir(self._folder) if e.name.endswith(".json")]
            for entry in sorted(answers, key=lambda e: e.stat().st_mtime_ns)[:-_KEPT]:
                os.unlink(entry.path)

    @property
    def _file(self) -> str:
        return os.path.join(self._folder, f"{self._name}.json")


class Heard:
    """What a command printed, while it went to the terminal."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.err: list[str] = []


@contextlib.contextmanager
def listening() -> Iterator[Heard]:
    """Note what is printed while this is entered."""
    heard = Heard()
    out, err = _Tee(sys.stdout, heard.out), _Tee(sys.stderr, heard.err)
    with contextlib.redirect_stdout(cast(TextIO, out)), contextlib.redirect_stderr(cast(TextIO, err)):
        yield heard


class _Tee:
    """A stream that notes what it is given. Whatever else is asked of it, the real one answers."""

    def __init__(self, stream: TextIO, noted: list[str]) -> None:
        self._stream, self._noted = stream, noted

    def write(self, text: str) -> int:
        self._noted.append(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def lasting(command: str | None, arguments: Iterable[str]) -> bool:
    """Whether the answer depends on nothing but the stack files: a question, asked with no option that is not known."""
    return command in QUESTIONS and all(
        not argument.startswith("-") or argument.startswith("-C") or argument.split("=", 1)[0] in _OPTIONS
        for argument in arguments
    )


def _fingerprint(arguments: Sequence[str], project: str) -> str:
    """A digest of all that an answer depends on. Raises OSError where that cannot be read."""
    digest = hashlib.blake2b(digest_size=20)

    def add(*values: object) -> None:
        digest.update(repr(values).encode())

    streams = [(s.isatty(), s.encoding) for s in (sys.stdout, sys.stderr)]
    add(list(arguments), project, streams, tuple(shutil.get_terminal_size((0, 0))), os.environ.get("NO_COLOR"))
    add(sys.version, sys.prefix, _change(os.path.dirname(os.path.dirname(_origin("pydantic")))))
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for package in _PACKAGES:
        for path in _sources(os.path.join(here, package)):
            add(path, *_change(path))
    for entry in sorted(os.scandir(project), key=lambda e: e.name):
        if entry.name.startswith("Pulumi.") and entry.is_file():
            with open(entry.path, "rb") as file:
                add(entry.name, *_change(entry.path), file.read())
    return digest.hexdigest()


def _change(path: str) -> tuple[int, int, int, int]:
    """What differs after any change of a file, or of a folder's entries, to the tick of the file system's clock."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _sources(folder: str) -> Iterator[str]:
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(entry.path)
        elif entry.name.endswith(".py"):
            yield entry.path


def _origin(module: str) -> str:
    """Where a module would be loaded from: installing or updating any package changes the folder around it."""
    spec = PathFinder.find_spec(module)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(module)
    return spec.origin


def _write(path: str, text: str) -> None:
    """Write a file whole or not at all, for its owner alone."""
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
