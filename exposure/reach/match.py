"""What matches what: Access's destinations, cloudflared's rules, DNS records; each as its own party reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from exposure.reach.surface import Application, Destination, Record, Rule

_UNRESERVED = re.compile(r"%(2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")


@lru_cache(maxsize=4096)
def covers_host(pattern: str, host: str) -> bool:
    """Whether an Access application's host covers a host: `*` stands for a part of one label, or a whole one.

    [CFDOC cloudflare-one/access-controls/policies/app-paths]
    """
    if "*" not in pattern:
        return pattern == host
    expression = "[^.]*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, host) is not None and not host.startswith(".")


@lru_cache(maxsize=4096)
def covers_path(pattern: str, path: str) -> bool:
    """Whether an Access application's path covers a path: itself and what is below; `*` stands for anything, `/` too.

    `/alpha` covers `/alpha` and `/alpha/one`; `/alpha/*` covers `/alpha/one` and not `/alpha` [CFDOC app-paths]. That a
    path does not cover `/alphabet` is not said there; the tunnel's rules do not lean on it.
    """
    pattern = pattern.rstrip("/")
    if pattern in ("", "/*"):
        return True
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(f"{expression}(/.*)?", path, re.DOTALL) is not None


def covers(destination: Destination, host: str, path: str) -> bool:
    """Whether a destination covers a URL's host and decoded path."""
    return covers_host(destination.host, host) and covers_path(destination.path, path)


def winners(applications: Iterable[Application], host: str, path: str) -> list[Application]:
    """The applications that may decide over a URL: the most specific one; none inherits from another [CFDOC app-paths].

    There is more than one only where one has the more specific host and the other the more specific path: Cloudflare
    does not say which wins.
    """
    found: list[tuple[Application, tuple[int, int, int], tuple[int, int]]] = []
    for application in applications:
        ranks = [(_host_rank(d.host), _path_rank(d.path)) for d in application.destinations if covers(d, host, path)]
        if ranks:
            found.append((application, *max(ranks)))
    return [
        a
        for a, by_host, by_path in found
        if not any(
            by_host <= other_host and by_path <= other_path and (by_host, by_path) != (other_host, other_path)
            for _, other_host, other_path in found
        )
    ]


def _host_rank(pattern: str) -> tuple[int, int, int]:
    return (pattern.count("*") == 0, len(pattern.replace("*", "")), -pattern.count("*"))


def _path_rank(pattern: str) -> tuple[int, int]:
    pattern = pattern.rstrip("/")
    return (len(pattern.replace("*", "")), -pattern.count("*"))


def matches_host(rule: str | None, host: str) -> bool:
    """Whether a tunnel rule's host matches, as cloudflared's `matchHost` decides: `*.` at the front is any depth below.

    [CFD ingress/ingress.go]
    """
    if rule is None or rule in ("", "*"):
        return True
    # A rule in letters beyond ASCII matches its punycode as well.
    return any(name == host or (name.startswith("*.") and host.endswith(name[1:])) for name in (rule, ascii_host(rule)))


@lru_cache(maxsize=4096)
def ascii_host(host: str) -> str:
    """A host name as DNS carries it; as it is where that cannot be."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def matches_path(expression: str | None, path: str) -> bool:
    """Whether a tunnel rule's path matches a decoded path: RE2, case-sensitive, unanchored [CFD ingress/rule.go].

    Raises ValueError for what is no RE2 expression: cloudflared refuses the whole list then.
    """
    return expression is None or expression == "" or compiled(expression).search(path) is not None


@lru_cache(maxsize=4096)
def compiled(expression: str) -> Any:
    """An RE2 expression. Raises ValueError where it is none."""
    # Loaded only where a path is to be matched: most questions end before that.
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"{expression!r} is no RE2 expression: {text}") from None


def first_rule(rules: Sequence[Rule], host: str, path: str) -> int | None:
    """The index of the first rule that matches, None where none does. Raises ValueError as `matches_path` does."""
    for index, rule in enumerate(rules):
        if matches_host(rule.host, host) and matches_path(rule.path, path):
            return index
    return None


def answering(records: Iterable[Record], host: str, zone: str) -> list[Record]:
    """The records that answer for a host: its own, else those of the closest wildcard.

    A wildcard covers any depth, but nothing at or below a name that exists [RFC 4592; CFDOC
    dns/manage-dns-records/reference/wildcard-dns-records].
    """
    return Lookup((), records, zone).answering(host)


class Lookup:
    """What decides over a host, found once: the applications and records of a surface by name."""

    def __init__(self, applications: Iterable[Application], records: Iterable[Record], zone: str) -> None:
        self.applications = tuple(applications)
        self._records: dict[str, list[Record]] = {}
        # A name exists where it has a record, or a name below it has.
        self._existing = {zone}
        for record in records:
            self._records.setdefault(record.host, []).append(record)
            labels = record.host.split(".")
            self._existing.update(".".join(labels[depth:]) for depth in range(len(labels)))
        self._near: dict[str, list[Application]] = {}
        self._deciding: dict[tuple[str, str], list[Application]] = {}

    def answering(self, host: str) -> list[Record]:
        """The records that answer for a host."""
        if host in self._existing:
            return self._records.get(host, [])
        labels = host.split(".")
        for depth in range(1, len(labels)):
            above = ".".join(labels[depth:])
            if above in self._existing:
                return self._records.get(f"*.{above}", [])
        return []

    def deciding(self, host: str, path: str) -> list[Application]:
        """The applications that may decide over a URL (`winners`)."""
        found = self._deciding.get((host, path))
        if found is None:
            if host not in self._near:
                self._near[host] = [
                    a for a in self.applications if any(covers_host(d.host, host) for d in a.destinations)
                ]
            found = self._deciding[host, path] = winners(self._near[host], host, path)
        return found


@lru_cache(maxsize=4096)
def readings(path: str) -> tuple[str, ...]:
    """How a request's path may be read: decoded as it is, and normalised first. Nearly always the same.

    Cloudflare normalises paths for its own rules and may pass the original on [CFDOC rules/normalization]; Go's URL
    keeps dot segments. A path read in two ways must be safe in both.
    """
    decoded = unquote(path) or "/"
    return tuple(dict.fromkeys((decoded, unquote(normalised(path)))))


def normalised(path: str) -> str:
    """A path with unreserved characters decoded, `\\` and repeated `/` made one `/`, and dot segments removed."""
    text = _UNRESERVED.sub(lambda m: unquote(m[0]), path).replace("\\", "/")
    text = re.sub(r"/+", "/", text)
    kept: list[str] = []
    parts = text.split("/")
    for part in parts[1:]:
        if part == "..":
            kept = kept[:-1]
        elif part != ".":
            kept.append(part)
    closing = "/" if parts[-1] in (".", "..") and kept and kept[-1] != "" else ""
    return "/" + "/".join(kept) + closing
