"""The policy's own `tests` and `sshTests`, run as Tailscale runs them when a policy is saved.

Semantics (https://tailscale.com/kb/1337/policy-syntax#tests): a test is told from one person, group, tag,
host or address; each of `accept` must be reachable, none of `deny`; a destination is one host and one port;
without `proto`, TCP or UDP, either; a protocol without ports is tested at port 0. What such a test cannot say
(a wildcard, a CIDR, an autogroup, a name that is not defined) fails the test and does not make the policy
invalid.

The service knows its users, their roles and devices. Where a result depends on one that is not told here, it is
neither passed nor failed but unknown. Whoever the policy names is taken for a member; of anybody else nobody
knows, and where a topology lists the people, they are outside the tailnet (tailscale#4558, #5931).

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
from exposure.policy_eval.topology import NOTHING, UNTOLD, Endpoint, Topology, UnknownNameError, endpoints

Expected = Literal["accept", "check", "deny", ""]
State = Literal["passed", "failed", "unknown"]


class Failure(NamedTuple):
    """What did not pass: what was expected of which destination (both empty where the test is wrong), and why."""

    expected: Expected
    destination: str
    reason: str
    why: tuple[Why, ...] = ()

    def __str__(self) -> str:
        told = f"{self.expected} {self.destination}: " if self.destination else ""
        return told + self.reason + "".join(f"; {why}" for why in self.why)


class Outcome(NamedTuple):
    """One test with its failures, what cannot be told here, and notes on what the result rests on."""

    test: PolicyTest | SshTest
    failures: tuple[Failure, ...] = ()
    unknown: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """Whether it passed."""
        return "failed" if self.failures else "unknown" if self.unknown else "passed"

    @property
    def passed(self) -> bool:
        """Whether it certainly passed."""
        return self.state == "passed"

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "test": self.test.path,
            "line": self.test.position.line,
            "src": self.test.src,
            "passed": self.passed,
            "state": self.state,
            "failures": list(map(_to_dict, self.failures)),
            "unknown": list(map(_to_dict, self.unknown)),
            "notes": list(self.notes),
        }


def _to_dict(failure: Failure) -> dict[str, object]:
    return {
        "expected": failure.expected,
        "destination": failure.destination,
        "reason": failure.reason,
        "rules": [{"rule": w.rule, "line": w.position.line, "text": str(w)} for w in failure.why],
    }


def lines_of(outcome: Outcome) -> list[str]:
    """A test's outcome for people: whether it passed, and below that why not."""
    mark = {"failed": "FAILED"}.get(outcome.state, outcome.state)
    lines = [f"{mark} {outcome.test.path} from {outcome.test.src or '(nobody)'}"]
    for word, failures in (("by", outcome.failures), ("depends on", outcome.unknown)):
        for failure in failures:
            told_of = f"{failure.expected} {failure.destination}".strip()
            lines.append(f"    {told_of}: {failure.reason}" if told_of else f"    {failure.reason}")
            lines += [f"        {word} {why}" for why in failure.why]
    return [*lines, *(f"    note: {note}" for note in outcome.notes)]


def run_tests(policy: Policy, topology: Topology = NOTHING) -> tuple[Outcome, ...]:
    """Run `tests`, then `sshTests`.

    Without a topology, a tag or a person stands for one device of its own, and addresses of the tailnet for
    devices nobody knows; what depends on that is unknown.
    """
    return (
        *(_Run(policy, topology).run(test) for test in policy.tests),
        *(_SshRun(policy, topology).run_ssh(test) for test in policy.ssh_tests),
    )


_UNKNOWN = "cannot be told here"

_SOURCES = (Kind.USER, Kind.GROUP, Kind.TAG, Kind.HOST, Kind.ADDRESS)
_DESTINATIONS = (*_SOURCES, Kind.SERVICE)


def _resolve(policy: Policy, text: str, topology: Topology, kinds: tuple[Kind, ...]) -> tuple[Endpoint, ...]:
    """What a word of a test stands for; raises `ValueError` for what may not stand there."""
    selector = read_selector(text)
    if selector.kind not in kinds or (selector.kind is Kind.HOST and selector.name not in policy.hosts):
        raise UnknownNameError(f'unknown user or host: "{selector.text}"')
    if selector.kind is Kind.ADDRESS and "/" in selector.text:
        raise UnknownNameError(f'"{selector.text}": a test names single addresses, no CIDR')
    found = endpoints(policy, selector.text, topology)
    if selector.kind is Kind.USER and not (topology.users or _named(policy, topology, selector.name)):
        return tuple(endpoint._replace(standing=UNTOLD) for endpoint in found)
    return found


def _named(policy: Policy, topology: Topology, login: str) -> bool:
    """Whether the policy or the topology says who this is."""
    named = {member for members in policy.groups.values() for member in members}
    named |= {s.name for rule in policy.all_rules for s in rule.sources if s.kind is Kind.USER}
    return topology.names(login) or login.lower() in {name.lower() for name in named}


class _Run:
    """One run over one test of `tests`."""

    def __init__(self, policy: Policy, topology: Topology) -> None:
        self.policy, self.topology = policy, topology
        self.failures: list[Failure] = []
        self.unknown: list[Failure] = []
        self.notes: dict[str, None] = {}

    def fail(self, reason: str, expected: Expected = "", destination: str = "", why: tuple[Why, ...] = ()) -> None:
        self.failures.append(Failure(expected, destination, reason, why))

    def outcome(self, test: PolicyTest | SshTest) -> Outcome:
        return Outcome(test, tuple(self.failures), tuple(self.unknown), tuple(self.notes))

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
        return self.outcome(test)

    def sources(self, src: str) -> tuple[Endpoint, ...]:
        if not src:
            self.fail("src is missing")
            return ()
        try:
            found = _resolve(self.policy, src, self.topology, _SOURCES)
        except ValueError as error:
            self.fail(f"src: {error}")
            return ()
        if "@" in src and ":" not in src:
            if self.topology.users and not self.topology.names(src):
                self.notes[f"{src} is not in the topology, so not in the tailnet either"] = None
            elif not _named(self.policy, self.topology, src):
                self.notes[f"nothing here says whether {src} is in the tailnet: a topology can, or --admin"] = None
        return found

    def protocol(self, text: str) -> str | None:
        """The protocol, empty for the usual ones; None, and a failure, for one that is not known."""
        try:
            return text and str(read_protocol(text))
        except ValueError as error:
            self.fail(str(error))
            return None

    def check(
        self, test: PolicyTest, sources: tuple[Endpoint, ...], destination: str, proto: str, expected: Expected
    ) -> None:
        try:
            host, ports = split_port(destination)
            port = _port(ports, proto)
            targets = _resolve(self.policy, host, self.topology, _DESTINATIONS)
        except ValueError as error:
            self.fail(str(error), expected, destination)
            return
        opened, shut, why, maybe = 0, 0, dict[Why, None](), dict[Why, None]()
        for source in sources:
            for target in targets:
                decision = reach(
                    self.policy,
                    source,
                    target,
                    port,
                    proto,
                    self.topology,
                    attributes=test.attributes,
                )
                opened += decision.partly
                shut += not (decision.partly or decision.maybe)
                why.update(dict.fromkeys(decision.why))
                maybe.update(dict.fromkeys(decision.maybe))
        pairs = len(sources) * len(targets)
        if expected == "deny" and opened:
            reason = "is let through" if opened == pairs else "some of the devices are let through"
            self.fail(reason, expected, destination, tuple(why))
        elif expected == "accept" and shut:
            reason = "no rule lets it through" if shut == pairs else "only some of the devices are let through"
            self.fail(reason, expected, destination, tuple(why))
        elif opened + shut < pairs:
            self.unknown.append(
                Failure(expected, destination, _UNKNOWN, tuple(rule for rule in maybe if rule not in why))
            )


def _port(text: str, proto: str) -> int | None:
    """The one port of a test; None for a protocol that has none, which is tested at port 0.

    Seen in policies that the service takes: icmp at port 0. With `*` it fails them, as with any other protocol.
    """
    if proto and (number := int(proto)) not in WITH_PORTS:
        if text != "0":
            raise ValueError(f'port "{text}": {protocol_name(number)} has no ports, so a test of it has port 0')
        return None
    found = read_ports(text)
    if len(found) != 1 or found[0].first != found[0].last:
        raise ValueError(f'port "{text}": a test has one port')
    return found[0].first


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
                        told = f"{source.name} gets {' or '.join(sorted(got))}"
                        if expected not in got:
                            self.fail(told, expected, f"{user} on {target.name}")
                        elif len(got) > 1:
                            reason = f"{told}: which one {_UNKNOWN}"
                            self.unknown.append(Failure(expected, f"{user} on {target.name}", reason))
        return self.outcome(test)
