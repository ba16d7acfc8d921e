"""What matches what: hosts and paths of Access and of cloudflared's rules, each as its own party reads them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

ODD = r"^/(?s:(.*/)?)(\.\.?([/;]|$)|[^/]*\\)|//"
"""Paths that somebody on the way reads as another one: dot segments, backslashes, two slashes (`readings`)."""
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


def glob(pattern: str) -> str:
    """An Access application's path as an RE2 expression, "" for one that covers every path (`covers_path`)."""
    pattern = pattern.rstrip("/")
    if pattern in ("", "/*"):
        return ""
    return f"(?s)^{'.*'.join(_quoted(part) for part in pattern.split('*'))}(/.*)?$"


def _quoted(text: str) -> str:
    return "".join(f"\\{c}" if c in r"\.+*?()|[]{}^$" else c for c in text)


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


def serves(paths: Iterable[str], path: str) -> bool:
    """Whether a proxy of Tailscale's that serves these paths alone passes a request's path on.

    It decodes, removes dot segments, and looks for the nearest path at or above it [TS ipn/ipnlocal/serve.go,
    getServeHandler].
    """
    clean = posixpath.normpath(f"/{unquote(path).lstrip('/')}")
    return any(clean == p.rstrip("/") or clean.startswith(f"{p.rstrip('/')}/") for p in paths)


@lru_cache(maxsize=4096)
def readings(path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """How a request's path may be read: by Access, and by cloudflared. Nearly always all the same.

    Cloudflare normalises paths for its own rules, decodes no `%2F` there, and passes the original on [CFDOC
    rules/normalization]; cloudflared matches the decoded path, and Go's URL keeps dot segments [CFD proxy/proxy.go].
    Whether Access decodes what normalisation leaves is not said. The readings are taken for independent: a request has
    to be safe in all of them.
    """
    decoded, edge = unquote(path) or "/", normalised(path)
    return tuple(dict.fromkeys((decoded, unquote(edge), edge))), tuple(dict.fromkeys((decoded, unquote(edge))))


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
