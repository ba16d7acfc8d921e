"""The policy's own `tests` and `sshTests`, run as Tailscale runs them when a policy is saved.

Semantics (https://tailscale.com/kb/1337/policy-syntax#tests): a test is told from one person, group, tag,
host or address; each of `accept` must be reachable, none of `deny`; a destination is one host and one port;
without `proto`, TCP or UDP, either. A person need not exist: any login name stands for a member of the
tailnet. What such a test cannot say (a wildcard, a CIDR, an autogroup, a name that is not defined) fails the
test and does not make the policy invalid.

Where several devices stand behind a name, this is stricter than needed: `accept` wants all of them to be let
through, `deny` none.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from exposure.policy_eval.evaluate import Why, reach
from exposure.policy_eval.policy import Policy, PolicyTest, SshTest
from exposure.policy_eval.selectors import (
    WITH_PORTS,
    Kind,
    protocol_name,
    read_ports,
    read_protocol,
    read_selector,
    split_port,
)
from exposure.policy_eval.ssh import login
from exposure.policy_eval.topology import Endpoint, Topology, UnknownNameError, endpoints

Expected = Literal["accept", "check", "deny", ""]


class Failure(NamedTuple):
    """Why a test fails: what was expected of which destination (both empty where the test is wrong)."""

    expected: Expected
    destination: str
    reason: str
    why: tuple[Why, ...] = ()

    def __str__(self) -> str:
        told = f"{self.expected} {self.destination}: " if self.destination else ""
        return told + self.reason + "".join(f"; {why}" for why in self.why)


class Outcome(NamedTuple):
    """One test with its failures (none: passed) and notes on what it rests on."""

    test: PolicyTest | SshTest
    failures: tuple[Failure, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it passed."""
        return not self.failures

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "test": self.test.path,
            "line": self.test.position.line,
            "src": self.test.src,
            "passed": self.passed,
            "failures": [
                {
                    "expected": failure.expected,
                    "destination": failure.destination,
                    "reason": failure.reason,
                    "rules": [{"rule": w.rule, "line": w.position.line, "text": str(w)} for w in failure.why],
                }
                for failure in self.failures
            ],
            "notes": list(self.notes),
        }


def lines_of(outcome: Outcome) -> list[str]:
    """A test's outcome for people: whether it passed, and below that why not."""
    mark = "passed" if outcome.passed else "FAILED"
    lines = [f"{mark} {outcome.test.path} from {outcome.test.src or '(nobody)'}"]
    for failure in outcome.failures:
        told_of = f"{failure.expected} {failure.destination}".strip()
        lines.append(f"    {told_of}: {failure.reason}" if told_of else f"    {failure.reason}")
        lines += [f"        by {why}" for why in failure.why]
    return [*lines, *(f"    note: {note}" for note in outcome.notes)]


def run_tests(policy: Policy, topology: Topology | None = None) -> tuple[Outcome, ...]:
    """Run `tests`, then `sshTests`.

    Without a topology, a tag or a person stands for one device of its own, and addresses of the tailnet for
    devices nobody knows; a note tells where an answer rests on that.
    """
    return (
        *(_Run(policy, topology).run(test) for test in policy.tests),
        *(_SshRun(policy, topology).run_ssh(test) for test in policy.ssh_tests),
    )


_UNKNOWN = "whether a rule lets it through cannot be told without a topology"

_SOURCES = (Kind.USER, Kind.GROUP, Kind.TAG, Kind.HOST, Kind.ADDRESS)
_DESTINATIONS = (*_SOURCES, Kind.SERVICE)


def _resolve(policy: Policy, text: str, topology: Topology | None, kinds: tuple[Kind, ...]) -> tuple[Endpoint, ...]:
    """What a word of a test stands for; raises `ValueError` for what may not stand there."""
    selector = read_selector(text)
    if selector.kind not in kinds or (selector.kind is Kind.HOST and selector.name not in policy.hosts):
        raise UnknownNameError(f'unknown user or host: "{selector.text}"')
    if selector.kind is Kind.ADDRESS and "/" in selector.text:
        raise UnknownNameError(f'"{selector.text}": a test names single addresses, no CIDR')
    return endpoints(policy, selector.text, topology)


class _Run:
    """One run over one test of `tests`."""

    def __init__(self, policy: Policy, topology: Topology | None) -> None:
        self.policy, self.topology = policy, topology
        self.failures: list[Failure] = []
        self.notes: dict[str, None] = {}

    def fail(self, reason: str, expected: Expected = "", destination: str = "", why: tuple[Why, ...] = ()) -> None:
        self.failures.append(Failure(expected, destination, reason, why))

    def run(self, test: PolicyTest) -> Outcome:
        sources = self.sources(test.src)
        if not test.accept and not test.deny:
            self.fail("neither accept nor deny is given, so nothing is tested")
        proto = self.protocol(test.protocol)
        if sources and proto is not None:
            for destination in test.accept:
                self.check(test, sources, destination, proto, "accept")
            for destination in test.deny:
                self.check(test, sources, destination, proto, "deny")
        return Outcome(test, tuple(self.failures), tuple(self.notes))

    def sources(self, src: str) -> tuple[Endpoint, ...]:
        if not src:
            self.fail("src is missing")
            return ()
        try:
            found = _resolve(self.policy, src, self.topology, _SOURCES)
        except ValueError as error:
            self.fail(f"src: {error}")
            return ()
        if "@" in src and ":" not in src and not self.known(src):
            where = "the topology or the policy" if self.topology else "the policy"
            self.notes[f"nobody called {src} is in {where}: tested as a member in no group"] = None
        return found

    def known(self, login: str) -> bool:
        named = {member for members in self.policy.groups.values() for member in members}
        sources = [rule.sources for rule in self.policy.rules] + [rule.sources for rule in self.policy.ssh]
        named |= {s.name for selectors in sources for s in selectors if s.kind is Kind.USER}
        if self.topology:
            named |= {user.login for user in self.topology.users} | {node.user for node in self.topology.nodes}
        return login.lower() in {name.lower() for name in named}

    def protocol(self, text: str) -> str | None:
        """The protocol, empty for the usual ones; None, and a failure, for one a test cannot have."""
        if not text:
            return ""
        try:
            number = read_protocol(text)
        except ValueError as error:
            self.fail(str(error))
            return None
        if number not in WITH_PORTS:
            self.fail(f"proto: tests are of tcp, udp or sctp, not {protocol_name(number)}")
            return None
        return text

    def check(
        self, test: PolicyTest, sources: tuple[Endpoint, ...], destination: str, proto: str, expected: Expected
    ) -> None:
        try:
            host, ports = split_port(destination)
            found = read_ports(ports)
            if len(found) != 1 or found[0].first != found[0].last:
                raise ValueError(f'port "{ports}": a test has one port')
            targets = _resolve(self.policy, host, self.topology, _DESTINATIONS)
        except ValueError as error:
            self.fail(str(error), expected, destination)
            return
        open_pairs, why, maybe = 0, dict[Why, None](), dict[Why, None]()
        for source in sources:
            for target in targets:
                decision = reach(
                    self.policy,
                    source,
                    target,
                    found[0].first,
                    proto,
                    self.topology,
                    attributes=test.attributes,
                )
                open_pairs += decision.partly
                why.update(dict.fromkeys(decision.why))
                maybe.update(dict.fromkeys(decision.maybe))
        pairs = len(sources) * len(targets)
        if expected == "deny" and open_pairs:
            reason = "is let through" if open_pairs == pairs else "some of the devices are let through"
            self.fail(reason, expected, destination, tuple(why))
        elif expected == "accept" and open_pairs < pairs:
            reason = "only some of the devices are let through" if open_pairs else "no rule lets it through"
            self.fail(_UNKNOWN if maybe and not open_pairs else reason, expected, destination, tuple(why))
        if open_pairs < pairs:
            for rule in (rule for rule in maybe if rule not in why):
                self.notes[f"{expected} {destination}: depends on what is not known here: {rule}"] = None


class _SshRun(_Run):
    """The same for `sshTests`."""

    def run_ssh(self, test: SshTest) -> Outcome:
        sources = self.sources(test.src)
        targets: list[Endpoint] = []
        if not test.destinations:
            self.fail("dst is missing")
        for text in test.destinations:
            try:
                selector = read_selector(text)
                if selector.kind is Kind.ADDRESS and selector.ranges[0].version == 6:
                    # Seen of the service: it takes an IPv4 address here, and fails a test with an IPv6 one.
                    raise UnknownNameError(f'"{text}": Tailscale takes no IPv6 address here; name it in hosts')
                targets.extend(_resolve(self.policy, text, self.topology, _SOURCES))
            except ValueError as error:
                self.fail(str(error), "", text)
        if not (test.accept or test.check or test.deny):
            self.fail("neither accept, check nor deny is given, so nothing is tested")
        expectations: tuple[tuple[Expected, tuple[str, ...]], ...] = (
            ("accept", test.accept),
            ("check", test.check),
            ("deny", test.deny),
        )
        for expected, users in expectations:
            for user in users:
                if not user:
                    self.fail('user "" is not valid', expected, '""')
                    continue
                for source in sources:
                    for target in targets:
                        got = login(self.policy, source, target, user, test.attributes)
                        known = got != "deny" or (source.settled and target.settled)
                        if got != expected:
                            reason = f"{source.name} gets {got}" if known else _UNKNOWN
                            self.fail(reason, expected, f"{user} on {target.name}")
                        elif not known:
                            self.notes[f"deny {user} on {target.name}: {_UNKNOWN}"] = None
        return Outcome(test, tuple(self.failures), tuple(self.notes))
