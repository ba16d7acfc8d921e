"""`gatehouse token`: the two headers by which an app or a script passes Access, and how to get new ones."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from config.loader import LoadedStack, load_project
from config.stack import Token
from config.text import wrap
from gatehouse.commands import CommandError, UsageError, about, width
from gatehouse.probe.outputs import outputs_here, outputs_in, token_ends
from gatehouse.stacks import known_stack
from gatehouse.token_ends import tokens_ending

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
    parser.add_argument(
        "--outputs", metavar="FILE", help="for the list: what `gatehouse pulumi stack output --json` prints (or -)"
    )
    parser.add_argument("--show", action="store_true", help="show the secret where there is no terminal")
    parser.add_argument("--rotate", action="store_true", help="what to write for a new secret, and what comes next")
    parser.add_argument(
        "--overlap", type=int, default=_WEEK, metavar="HOURS", help="how long both are good (default: %(default)s)"
    )


def run(args: argparse.Namespace, project: Path) -> int:
    """List the tokens, show one's headers, or say how to rotate it.

    Returns 0, or 1 where one of the list ends within thirty days. Raises CommandError.
    """
    stack = _stack(project, args.stack)
    if args.name is None:
        return _list(stack, outputs_in(args.outputs) if args.outputs else outputs_here(project, stack))
    if not stack.owns_estate or stack.estate is None:
        owner = stack.owner.name if stack.owner else "OWNER"
        raise UsageError(f"{stack.name} owns no estate, and tokens are the estate's: gatehouse token --stack {owner}")
    tokens = stack.estate.tokens
    if args.name not in tokens:
        known = f"Known tokens: {', '.join(sorted(tokens))}." if tokens else "There is none yet: docs/tokens.md."
        raise UsageError(f"The estate of {stack.name} has no service token {args.name!r}. {known}")
    if args.rotate:
        print(_rotation(args.name, tokens[args.name], stack.name, args))
        return 0
    if not (sys.stdout.isatty() or args.show):
        raise UsageError("This shows a secret, and the output is no terminal: add --show where you mean it.")
    client = _client(args, project, stack)
    if not client.get("client_secret"):
        raise CommandError(
            f"The secret of token {args.name!r} is not in the state: the token was adopted, and Cloudflare shows a "
            "secret once. The app that has it keeps working. For a new secret: "
            f"gatehouse token {args.name} --rotate {about(stack.name, args.simulated)}"
        )
    print(f"CF-Access-Client-Id: {client['client_id']}\nCF-Access-Client-Secret: {client['client_secret']}")
    print(f"Good until {client['expires_at']}." if client.get("expires_at") else "Good until it is deleted.")
    return 0


def _stack(project: Path, name: str) -> LoadedStack:
    stacks = load_project(project)
    return stacks[known_stack(name, stacks)]


def _client(args: argparse.Namespace, project: Path, stack: LoadedStack) -> Mapping[str, str]:
    from gatehouse.engine.clouds import clouds_of
    from gatehouse.engine.secrets import open_workspace, service_tokens

    simulated = not clouds_of(os.environ, stack.source, args.simulated).real
    workspace = open_workspace(project, stack.name, simulated=simulated, say=lambda text: print(text, file=sys.stderr))
    try:
        return service_tokens(workspace, stack.name)[args.name]
    except (CommandError, KeyError, ValueError) as error:
        raise CommandError(
            f"The state of {stack.name} has no token {args.name!r} yet: gatehouse up {about(stack.name, simulated)}"
        ) from error


def _list(stack: LoadedStack, outputs: Mapping[str, Any]) -> int:
    tokens = stack.estate.tokens if stack.owns_estate and stack.estate else {}
    if not tokens:
        print(f"{stack.name} has no service tokens of its own. docs/tokens.md says what they are for.")
        return 0
    size, ends = max(map(len, tokens)), token_ends(outputs)
    for name, token in tokens.items():
        until = f"{ends[name]:%Y-%m-%d}" if name in ends else "-"
        print(f"{name:<{size}}  {token.duration:>8}  {until:<10}  {token.holder or ''}".rstrip())
    ending = tokens_ending(stack, outputs)
    for finding in ending:
        print("\n".join(["", *wrap(f"{finding.path[-1]}: {finding.reason}. To {finding.fix}.", width(), "", "  ")]))
    return 1 if ending else 0


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
