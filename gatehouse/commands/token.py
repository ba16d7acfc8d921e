"""`gatehouse token`: the two headers by which an app or a script passes Access, and how to get new ones."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.loader import LoadedStack, load_project
from config.stack import Token
from config.text import wrap
from gatehouse.commands import CommandError, UsageError, width
from gatehouse.stacks import known_stack

_WEEK = 168
_EPILOG = """\
The secret is shown on a terminal only, or with --show where something else
reads it. An app that sends both headers with each request is let in where the
stack file names the token, with no login.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.epilog = _EPILOG
    parser.add_argument("name", nargs="?", metavar="TOKEN", help="its name under `tokens:` (default: list them all)")
    parser.add_argument("--stack", metavar="S", help="the estate's owner, where there are several")
    parser.add_argument(
        "--simulated", action="store_true", help="of the simulated clouds, also where credentials are set"
    )
    parser.add_argument("--show", action="store_true", help="show the secret where there is no terminal")
    parser.add_argument("--rotate", action="store_true", help="what to write for a new secret, and what comes next")
    parser.add_argument(
        "--overlap", type=int, default=_WEEK, metavar="HOURS", help="how long both are good (default: %(default)s)"
    )


def run(args: argparse.Namespace, project: Path) -> int:
    """List the tokens, show one's headers, or say how to rotate it. Returns 0. Raises CommandError."""
    stack = _owner(load_project(project), args.stack)
    assert stack.estate
    tokens = stack.estate.tokens
    if args.name is None:
        print(_listed(tokens))
        return 0
    if args.name not in tokens:
        known = f"Known tokens: {', '.join(sorted(tokens))}." if tokens else "There is none yet: docs/tokens.md."
        raise UsageError(f"The estate of {stack.name} has no service token {args.name!r}. {known}")
    if args.rotate:
        print(_rotation(args.name, tokens[args.name], stack.name, args.overlap))
        return 0
    if not (sys.stdout.isatty() or args.show):
        raise UsageError("This shows a secret, and the output is no terminal: add --show where you mean it.")
    client = _client(args, project, stack)
    print(f"CF-Access-Client-Id: {client['client_id']}\nCF-Access-Client-Secret: {client['client_secret']}")
    print(f"Good until {client['expires_at']}." if client.get("expires_at") else "Good until it is deleted.")
    return 0


def _owner(stacks: Mapping[str, LoadedStack], name: str | None) -> LoadedStack:
    if name is not None:
        known_stack(name, stacks)
    owners = [s for s in stacks.values() if s.owns_estate and s.estate and name in (None, s.name)]
    if len(owners) != 1:
        which = f"{name} owns no estate" if name else f"{len(owners)} stacks own an estate"
        raise UsageError(f"{which}: tokens are the estate's, so name its owner by --stack.")
    return owners[0]


def _client(args: argparse.Namespace, project: Path, stack: LoadedStack) -> Mapping[str, str]:
    from gatehouse.engine.clouds import choose_clouds
    from gatehouse.engine.secrets import open_workspace

    clouds = choose_clouds(os.environ, stack.source.values, args.simulated)
    real = not args.simulated and (clouds.real or bool(stack.source.secure))
    workspace = open_workspace(project, stack.name, simulated=not real, say=lambda text: print(text, file=sys.stderr))
    simulated = "" if real else " --simulated"
    try:
        text = workspace.ask("stack", "output", "service_tokens", "--json", "--show-secrets", "--stack", stack.name)
        found = json.loads(text)[args.name]
    except (CommandError, KeyError, ValueError) as error:
        raise CommandError(
            f"The state of {stack.name} has no token {args.name!r} yet: gatehouse up --stack {stack.name}{simulated}"
        ) from error
    client: Mapping[str, str] = found
    return client


def _listed(tokens: Mapping[str, Token]) -> str:
    if not tokens:
        return "The estate has no service tokens. docs/tokens.md says what they are for."
    size = max(map(len, tokens))
    rows = (f"{name:<{size}}  {token.duration:>8}  {token.holder or ''}" for name, token in tokens.items())
    return "\n".join(row.rstrip() for row in rows)


def _rotation(name: str, token: Token, stack: str, hours: int) -> str:
    """What to write, and what comes next: both secrets are good until a moment."""
    until = (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [
        f"1. In Pulumi.{stack}.yaml, under `tokens:` of the estate:",
        f"     {name}:",
        f"       version: {(token.version or 1) + 1}",
        f'       previous_until: "{until}"',
        f"2. gatehouse up --stack {stack}",
        *wrap("   makes the new secret. The old one is good until then, so nothing is locked out.", width(), "", "   "),
        f"3. gatehouse token {name} --stack {stack}",
        "   shows the new one: give it to the app.",
    ]
    return "\n".join(lines)
