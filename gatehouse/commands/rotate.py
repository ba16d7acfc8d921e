"""`gatehouse rotate`: a new secret in place of an old one, in an order that leaves no connector without a valid one."""

from __future__ import annotations

import argparse
import base64
import getpass
import os
import secrets
import sys
import textwrap
from pathlib import Path
from typing import Protocol

from config.loader import LoadedStack, load_project
from gatehouse.commands import CommandError, UsageError, about, add_stack, stack_file, width, write_whole

WHAT = ("tunnel-token", "tailscale-key", "google-secret")
_TUNNEL_BYTES = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("what", choices=WHAT, help="the secret to replace")
    add_stack(parser)
    parser.add_argument(
        "--simulated", action="store_true", help="use the simulated clouds, even if credentials are set"
    )
    parser.add_argument(
        "--provider",
        action="store_true",
        help="for tailscale-key: Gatehouse's own credential, not the operator's client",
    )


def run(args: argparse.Namespace, project: Path) -> int:
    """Set the new secret and print what comes next. Returns 0. Raises CommandError for what the user has to fix."""
    from gatehouse.engine.clouds import clouds_of

    path = stack_file(project, args.stack)
    stack = load_project(project)[args.stack]
    if stack.config is None or stack.estate is None:
        raise CommandError(f"{path.name} has findings: gatehouse check --stack {args.stack}")
    clouds = clouds_of(os.environ, stack.source, args.simulated)
    print(f"Stack {args.stack}, {'real' if clouds.real else 'simulated'} clouds.")
    if clouds.note:
        print(clouds.note)
    {"tunnel-token": _tunnel_token, "tailscale-key": _tailscale_key, "google-secret": _google_secret}[args.what](
        args, project, stack, clouds.real
    )
    return 0


def _tunnel_token(args: argparse.Namespace, project: Path, stack: LoadedStack, real: bool) -> None:
    """A new tunnel secret, made here: nobody has to see it."""
    assert stack.config is not None
    namespace = stack.config.node.connector.namespace
    set_ = _setter(project, args.stack, real)
    set_("gatehouse:tunnel_secret", base64.b64encode(secrets.token_bytes(_TUNNEL_BYTES)).decode())
    steps = [
        (
            _up(args, real),
            "changes the tunnel in place, makes a new Secret, rolls the Deployment to it pod by pod, and deletes the"
            " old Secret last. Connections that are up stay up; one that breaks before its pod is rolled has to wait.",
        )
    ]
    if stack.config.node.manifests_folder:
        token = (
            f'--from-literal=token="$(gatehouse pulumi stack output --show-secrets tunnel_token --stack {args.stack})"'
        )
        make = f"kubectl -n {namespace} create secret generic cloudflared-token --dry-run=client -o yaml"
        steps += [
            (f"{make} \\\n     {token} | kubectl apply -f -", "for the rendered manifests hold no secret."),
            (f"kubectl -n {namespace} rollout restart deployment cloudflared", ""),
        ]
    steps += [
        (f"kubectl -n {namespace} rollout status deployment cloudflared", "ends once each pod has the new token."),
        ("", "Connectors that are not Gatehouse's run until they restart: give them the new token, or stop them."),
    ]
    _next(steps)


def _google_secret(args: argparse.Namespace, project: Path, stack: LoadedStack, real: bool) -> None:
    """The second secret of the Google client, which Google makes; both are valid until the old one is deleted."""
    if not stack.owns_estate:
        owner = stack.owner.name if stack.owner else "the owner"
        raise UsageError(f"The Google secret is the estate's: gatehouse rotate google-secret --stack {owner}")
    print("First, at Google (Cloud Console, Credentials, the client): Add secret. The old one stays valid.")
    _setter(project, args.stack, real)("gatehouse:google_client_secret", _asked("The new secret"))
    _next(
        [
            (_up(args, real), ""),
            (
                "",
                "Log in once in a private window: Cloudflare never shows it again; only a login proves it.",
            ),
            ("", "At Google, disable the old secret; log in again; then delete it."),
        ]
    )


def _tailscale_key(args: argparse.Namespace, project: Path, stack: LoadedStack, real: bool) -> None:
    assert stack.config is not None
    if stack.config.node.tailscale_operator == "helm" and not args.provider:
        _operator_client(args, project, stack, real)
        return
    oauth = "tailscale:oauthClientSecret" in stack.source.values or "tailscale:oauthClientId" in stack.source.values
    print(
        "First, in Tailscale's admin console: make a second "
        + (
            "OAuth client with the same scopes and tags (Settings, OAuth clients)."
            if oauth
            else "API key (Settings, Keys)."
        )
        + " The old one stays valid."
    )
    set_ = _setter(project, args.stack, real)
    if oauth:
        identity, secret = _asked("The new client's id", hidden=False), _asked("Its secret")
        set_("tailscale:oauthClientId", identity, secret=False)
        set_("tailscale:oauthClientSecret", secret)
    else:
        set_("tailscale:apiKey", _asked("The new key"))
    steps = [
        (
            f"gatehouse preview --refresh {about(args.stack, not real)}",
            "asks Tailscale with the new credential; without --refresh a preview may call nobody.",
        ),
        ("", "In the admin console, revoke the old one."),
    ]
    if any(os.environ.get(n) for n in ("TAILSCALE_API_KEY", "TAILSCALE_OAUTH_CLIENT_SECRET")):
        steps.insert(0, ("", "Take TAILSCALE_* out of the environment: the plugin refuses to start with both."))
    if stack.config.node.tailscale_operator == "existing":
        steps.append(("", "The operator in the cluster is yours, and so is its OAuth client: docs/rotate.md says how."))
    _next(steps)


def _operator_client(args: argparse.Namespace, project: Path, stack: LoadedStack, real: bool) -> None:
    """The operator's OAuth client is Gatehouse's: a count in the stack file makes the next `up` replace it."""
    from gatehouse.adopt.stack_text import edit, edited_lines

    assert stack.config is not None
    path = stack_file(project, args.stack)
    text = path.read_text(encoding="utf-8")
    after = edit(text, node={"operator_key": stack.config.node.operator_key + 1})
    write_whole(path, after)
    print("\n".join(edited_lines(text, after, path.name)))
    _next(
        [
            (
                _up(args, real),
                "makes a second OAuth client, gives it to the operator, which restarts, and deletes the first one last."
                " The proxies have keys of their own and stay up.",
            ),
            ("kubectl -n tailscale rollout status deployment operator", ""),
        ]
    )


class _Set(Protocol):
    def __call__(self, key: str, value: str, *, secret: bool = True) -> None: ...


def _setter(project: Path, stack: str, real: bool) -> _Set:
    """Opens the place of the secrets before anybody is asked for one."""
    from gatehouse.engine.secrets import open_workspace, set_value

    workspace = open_workspace(project, stack, simulated=not real, say=print)

    def set_(key: str, value: str, *, secret: bool = True) -> None:
        set_value(workspace, stack, key, value, secret=secret)
        print(f"Set {key}.")

    return set_


def _asked(what: str, *, hidden: bool = True) -> str:
    """A value from the terminal, not echoed where it is secret, or a line from standard input. Never an argument."""
    if not sys.stdin.isatty():
        value = sys.stdin.readline()
    else:
        value = getpass.getpass(f"{what}: ") if hidden else input(f"{what}: ")
    value = value.strip()
    if not value:
        raise CommandError(f"{what} is empty, so nothing was changed.")
    return value


def _up(args: argparse.Namespace, real: bool) -> str:
    return f"gatehouse up {about(args.stack, not real)}"


def _next(steps: list[tuple[str, str]]) -> None:
    """Numbered: a command as it is to be typed, and what it does, or what is to be done by hand."""
    print("\nNext:")
    for number, (command, words) in enumerate(steps, 1):
        first = f"{number}. "
        if command:
            print(f"{first}{command}")
        if words:
            print(textwrap.fill(words, width(), initial_indent="   " if command else first, subsequent_indent="   "))
