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
from gatehouse.commands import CommandError, UsageError, about, width
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
    parser.add_argument("--stack", metavar="S", help="the estate's owner (default: the only one)")
    parser.set_defaults(needs_stack=True)
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
    stack = _owner(project, args.stack)
    assert stack.estate
    tokens = stack.estate.tokens
    if args.name is None:
        print(_listed(tokens))
        return 0
    if args.name not in tokens:
        known = f"Known tokens: {', '.join(sorted(tokens))}." if tokens else "There is none yet: docs/tokens.md."
        raise UsageError(f"The estate of {stack.name} has no service token {args.name!r}. {known}")
    if args.rotate:
        print(_rotation(args.name, tokens[args.name], stack.name, args))
        return 0
    if not (sys.stdout.isatty() or args.show):
        raise UsageError("This shows a secret, and the output is no terminal: add --show where you mean it.")
    client = _client(args, project, stack)
    print(f"CF-Access-Client-Id: {client['client_id']}\nCF-Access-Client-Secret: {client['client_secret']}")
    print(f"Good until {client['expires_at']}." if client.get("expires_at") else "Good until it is deleted.")
    return 0


def _owner(project: Path, name: str) -> LoadedStack:
    stacks = load_project(project)
    stack = stacks[known_stack(name, stacks)]
    if not stack.owns_estate or stack.estate is None:
        owner = stack.owner.name if stack.owner else "OWNER"
        raise UsageError(f"{name} owns no estate, and tokens are the estate's: gatehouse token --stack {owner}")
    return stack


def _client(args: argparse.Namespace, project: Path, stack: LoadedStack) -> Mapping[str, str]:
    from gatehouse.engine.clouds import clouds_of
    from gatehouse.engine.secrets import open_workspace

    simulated = not clouds_of(os.environ, stack.source, args.simulated).real
    workspace = open_workspace(project, stack.name, simulated=simulated, say=lambda text: print(text, file=sys.stderr))
    try:
        text = workspace.ask("stack", "output", "service_tokens", "--json", "--show-secrets", "--stack", stack.name)
        found = json.loads(text)[args.name]
    except (CommandError, KeyError, ValueError) as error:
        raise CommandError(
            f"The state of {stack.name} has no token {args.name!r} yet: gatehouse up {about(stack.name, simulated)}"
        ) from error
    client: Mapping[str, str] = found
    return client


def _listed(tokens: Mapping[str, Token]) -> str:
    if not tokens:
        return "The estate has no service tokens. docs/tokens.md says what they are for."
    size = max(map(len, tokens))
    rows = (f"{name:<{size}}  {token.duration:>8}  {token.holder or ''}" for name, token in tokens.items())
    return "\n".join(row.rstrip() for row in rows)


def _rotation(name: str, token: Token, stack: str, args: argparse.Namespace) -> str:
    """What to write, and what comes next: both secrets are good until a moment."""
    on = about(stack, args.simulated)
    until = (datetime.now(UTC) + timedelta(hours=args.overlap)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = [
        f"1. In Pulumi.{stack}.yaml, under `tokens:` of the estate:",
        f"     {name}:",
        f"       version: {(token.version or 1) + 1}",
        f'       previous_until: "{until}"',
        f"2. gatehouse up {on}",
        *wrap("   makes the new secret. The old one is good until then, so nothing is locked out.", width(), "", "   "),
        f"3. gatehouse token {name} {on}",
        "   shows the new one: give it to the app.",
    ]
    return "\n".join(lines)
