"""`gatehouse policy-test`: run the tests of a Tailscale policy, offline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gatehouse.commands import UsageError

if TYPE_CHECKING:
    from exposure.policy_eval import Finding, Outcome

_EPILOG = """\
Tailscale knows your users, their roles and their devices. Without --topology,
every tag and every person stands for one device of its own, and whoever the
policy names for a member. A test whose result depends on a role, on somebody
whom the policy does not name or on whose device an address is comes out as
unknown, with the rule that it depends on.

The topology is JSON (comments and trailing commas allowed):

  {
    "users": [
      "ann@example.com",
      {"login": "bob@example.com", "role": "admin"}
    ],
    "nodes": [
      {"name": "laptop", "user": "ann@example.com",
       "addresses": ["100.64.0.1", "fd7a:115c:a1e0::1"]},
      {"name": "router", "tags": ["tag:router"], "addresses": ["100.64.0.2"],
       "routes": ["192.168.0.0/24"], "exit_node": true},
      {"name": "phone", "user": "bob@example.com",
       "posture": {"node:os": "ios"}}
    ]
  }

A node has tags, or else a user. role: owner, admin, network-admin, it-admin,
billing-admin, auditor, member, or shared for somebody outside the tailnet.
Where users are listed, everybody else is outside. routes: approved subnets.

Exit code: 0 no test fails (some may be unknown), 1 a test fails, 2 not a valid
policy or topology, or wrong usage.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("policy", metavar="POLICY.json", help="the policy, JSON or HuJSON; - for standard input")
    parser.add_argument("--topology", metavar="NODES.json", help="the people and devices of the tailnet")
    parser.add_argument(
        "--admin",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="this person is an admin of the tailnet; may be given again",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace, project: Path) -> int:
    """Run the tests. Returns 0 when none fails, 1 when one does, 2 for what is no valid policy or topology.

    Files are named from where one stands (from DIR with `-C DIR`). Raises `UsageError` for a file that cannot
    be read and an `--admin` that is no login name.
    """
    from exposure.policy_eval import NOTHING, read_policy, read_topology, run_tests

    for admin in args.admin:
        if "@" not in admin:
            raise UsageError(f"--admin {admin}: a login name has an @, such as ann@example.com.")

    folder = Path(getattr(args, "directory", None) or ".")
    reading = read_policy(_read(folder, args.policy))
    topology = NOTHING
    findings: Sequence[tuple[str, Finding]] = [(args.policy, finding) for finding in reading.findings]
    if args.topology is not None:
        told = read_topology(_read(folder, args.topology))
        topology = told.topology or NOTHING
        findings = [*findings, *((args.topology, finding) for finding in told.findings)]
    if reading.policy is None or findings:
        _print_findings(findings, args.json)
        return 2
    topology = topology._replace(admins=frozenset(admin.lower() for admin in args.admin))
    results = run_tests(reading.policy, topology)
    _print_results(args.policy, results, args.json)
    return 1 if any(result.failures for result in results) else 0


def _read(folder: Path, name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else (folder / name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{name!a} cannot be read: {reason}") from None


def _say(text: str) -> None:
    # Names come from outside: what the terminal cannot show is escaped and no reason to stop.
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _print_findings(findings: Sequence[tuple[str, Finding]], as_json: bool) -> None:
    if as_json:
        told = [{"file": name, **finding.to_dict()} for name, finding in findings]
        print(json.dumps({"valid": False, "findings": told}, indent=2))
        return
    for name, finding in findings:
        _say(f"{name}:{finding}")
    count = len(findings)
    _say(f"{count} problem{'s' if count != 1 else ''}: no test was run.")


def _print_results(name: str, results: Sequence[Outcome], as_json: bool) -> None:
    from exposure.policy_eval.policy_tests import lines_of

    states = [result.state for result in results]
    if as_json:
        told = {
            "valid": True,
            "passed": all(result.passed for result in results),
            "tests": len(results),
            "failed": states.count("failed"),
            "unknown": states.count("unknown"),
            "results": [result.to_dict() for result in results],
        }
        print(json.dumps(told, indent=2))
        return
    for result in results:
        if result.passed and not result.notes:
            continue
        line = f":{result.test.position.line}" if result.test.position.line else ""
        first, *more = lines_of(result)
        _say("\n".join([f"{name}{line}: {first}", *more]))
    if not results:
        _say(f"{name}: a valid policy, with no tests.")
    else:
        unknown = f", {states.count('unknown')} unknown" if "unknown" in states else ""
        _say(f"{name}: {states.count('passed')} of {len(results)} tests pass{unknown}.")
