"""`gatehouse map`: who reaches what, by which way: a page, a drawing, Mermaid, Markdown or plain text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from exposure.map import Map, html_page, map_of, markdown, mermaid, plain, svg_file
from exposure.reach.tailnet import PolicyError
from gatehouse.commands import CommandError, UsageError, add_stack, write_whole
from gatehouse.stacks import load
from gatehouse.surfaces import planned_project

_FORMATS: dict[str, Callable[[Map], str]] = {
    "html": html_page,
    "svg": svg_file,
    "mermaid": mermaid,
    "markdown": markdown,
    "text": plain,
}
_ENDINGS = {
    **{".html": "html", ".htm": "html", ".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"},
    **{".md": "markdown", ".markdown": "markdown", ".txt": "text"},
}
_EPILOG = """\
examples:
  gatehouse map --out map.html                   one page: open it in a browser
  gatehouse map --stack alfred --out map.svg     the drawing of one stack alone
  gatehouse map --stack alfred --format mermaid  for a README
  gatehouse map --out map.md                     a table, for a pull request
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.epilog = _EPILOG
    add_stack(parser, others="all of them")
    parser.add_argument("--out", metavar="FILE", help="write it there, in the form that its ending names")
    parser.add_argument("--format", choices=_FORMATS, help="default: by FILE's ending; html on standard output")


def run(args: argparse.Namespace, project: Path) -> int:
    """Write the map. Returns 0, or 1 where a stack file has findings.

    Raises UsageError for an unknown stack, and for a file whose ending names no form.
    """
    target = Path(args.out) if args.out not in (None, "-") else None
    form = args.format or (_ENDINGS.get(target.suffix.lower()) if target else "html")
    if form is None:
        raise UsageError(f"--out {target}: its ending names no form. Known: {', '.join(_ENDINGS)}; or give --format.")
    if form == "html" and target is None and sys.stdout.isatty():
        raise UsageError("A page is not for a terminal: give --out map.html, or --format markdown.")
    planned = planned_project(load(project), args.stack)
    if planned is None:
        return 1
    try:
        found = map_of(planned, *([args.stack] if args.stack else []))
    except PolicyError as error:
        raise CommandError(str(error)) from error
    text = _FORMATS[form](found)
    if target is None:
        # A page is UTF-8, whatever the terminal's encoding.
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        return 0
    try:
        write_whole(target, text)
    except OSError as error:
        raise CommandError(f"--out {target}: {error.strerror or error}.") from error
    size = len(text.encode()) // 1024 + 1
    print(f"{target}: {len(found.services)} services at {len(found.ways)} places, {size} KB")
    return 0
