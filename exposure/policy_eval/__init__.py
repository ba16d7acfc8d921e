"""An offline evaluator of Tailscale policies: who may reach what, and whether the policy's own tests pass.

    reading = read_policy(text)          # reading.policy, or every reading.findings at once
    run_tests(reading.policy)            # one result a test
    reach(reading.policy, "tag:ci", "tag:server", 443, "tcp")

Standard library only; no node list is needed (see `topology`). The records are NamedTuples and not dataclasses, which
would double the time this takes to import.
"""

from __future__ import annotations

from exposure.policy_eval.evaluate import Decision, Why, reach, who_reaches
from exposure.policy_eval.policy import Finding, Policy, Reading, read_policy
from exposure.policy_eval.policy_tests import Failure, Outcome, run_tests
from exposure.policy_eval.topology import (
    NOTHING,
    Endpoint,
    Node,
    Topology,
    TopologyReading,
    UnknownNameError,
    User,
    endpoints,
    machine,
    read_topology,
)

__all__ = [
    "NOTHING",
    "Decision",
    "Endpoint",
    "Failure",
    "Finding",
    "Node",
    "Outcome",
    "Policy",
    "Reading",
    "Topology",
    "TopologyReading",
    "UnknownNameError",
    "User",
    "Why",
    "endpoints",
    "machine",
    "reach",
    "read_policy",
    "read_topology",
    "run_tests",
    "who_reaches",
]
