"""The options that `verify` and `todo --probe` share, and the plan they are about."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gatehouse.commands import UsageError

if TYPE_CHECKING:
    from config.loader import LoadedStack
    from exposure.model import ExposurePlan
    from gatehouse.probe.settings import Settings


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """How to ask the network."""
    parser.add_argument(
        "--timeout", type=float, default=5.0, metavar="SECONDS", help="for one try (default: %(default)g)"
    )
    parser.add_argument(
        "--within", type=float, default=30.0, metavar="SECONDS", help="for the whole run (default: %(default)g)"
    )
    parser.add_argument(
        "--resolver",
        default="1.1.1.1",
        metavar="IP[:PORT]",
        help="the public resolver to ask; not one of the tailnet or the house (default: %(default)s)",
    )
    parser.add_argument(
        "--connect",
        action="append",
        default=[],
        metavar="HOST:PORT=ADDR:PORT",
        help="connect there instead; HOST may be * (for tests, or one edge server)",
    )
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="trust these certificates instead of the usual")


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings in the arguments. Raises UsageError for what is no address, number or file."""
    from gatehouse.probe.names import Server
    from gatehouse.probe.settings import Settings

    for name in ("timeout", "within"):
        if not 0 < getattr(args, name) <= 3600:
            raise UsageError(f"--{name} {getattr(args, name):g}: seconds are more than 0 and at most 3600.")
    if args.ca_file is not None and not args.ca_file.is_file():
        raise UsageError(f"--ca-file {args.ca_file}: there is no such file.")
    address, port = _address("--resolver", args.resolver, args.resolver, 53)
    connect = {}
    for text in args.connect:
        before, equals, after = text.partition("=")
        if not equals:
            raise UsageError(f"--connect {text!r}: write HOST:PORT=ADDR:PORT, such as *:443=127.0.0.1:8443.")
        host, separator, number = before.rpartition(":")
        if not separator or not host or not _is_port(number):
            raise UsageError(f"--connect {text!r}: {before!r} is no HOST:PORT.")
        connect[host.lower(), int(number)] = _address("--connect", text, after, None)
    return Settings(
        resolver=Server(address, port),
        timeout=args.timeout,
        within=args.within,
        ca_file=args.ca_file,
        connect=connect,
    )


def _address(option: str, text: str, part: str, usual: int | None) -> tuple[str, int]:
    import ipaddress

    host, port = part, usual
    if part.count(":") == 1 or part.startswith("["):
        host, _, number = part.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        port = int(number) if _is_port(number) else None
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {host or part!r} is no IP address.") from error
    if port is None:
        raise UsageError(f"{option} {text!r}: {part!r} has no port from 1 to 65535.")
    return host, port


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535


def planned(project: Path, stack: str) -> tuple[ExposurePlan, Mapping[str, LoadedStack]] | None:
    """The stack's plan and every stack; None where the file has findings, which are printed. Raises UsageError."""
    from config.errors import render as render_findings
    from exposure.check import check_one
    from exposure.plan import plan_stack
    from gatehouse.stacks import known_stack, load

    stacks = load(project)
    known_stack(stack, stacks)
    errors = [f for f in check_one(stack, stacks) if f.severity == "error"]
    if errors:
        print(render_findings(errors), file=sys.stderr)
        return None
    return plan_stack(stacks[stack], stacks), stacks


def wildcards_beside(stack: LoadedStack, stacks: Mapping[str, LoadedStack]) -> list[str]:
    """The wildcard hosts that the other stacks of the estate have."""
    others = [s.config for s in stacks.values() if s.config and s is not stack and s.estate is stack.estate]
    hosts = [host for config in others for service in config.services.values() for host in service.said_hosts]
    return [host for host in hosts if host.startswith("*.")]
