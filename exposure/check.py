"""Everything that is wrong with the stack files: what reading them found, and every rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from config.errors import Finding, Path_, in_order
from config.loader import LoadedStack
from exposure.rules import RULES
from exposure.rules.acknowledgements import acknowledged
from exposure.rules.base import AllStacks, OneStack, Problem, Ref, Rule


@dataclass(frozen=True)
class Checked:
    """What a check of all stacks found: the rules have run once, whatever is asked of it."""

    stacks: Mapping[str, LoadedStack]
    found: Mapping[str, list[Finding]]
    """The findings of each file, by stack."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings of all stacks, in the order of the files; errors or warnings."""
        return in_order(finding for found in self.found.values() for finding in found)

    def of(self, stack_name: str) -> tuple[Finding, ...]:
        """The findings that keep one stack from being planned.

        Its own, those of other files that name it, its owner's about the estate and, for an owner, its members' errors:
        the tailnet's policy and the sets of people are made from every member's services.

        Raises KeyError for a stack that there is not.
        """
        stack = self.stacks[stack_name]
        mine: list[Finding] = list(self.found[stack_name])
        for name, findings in self.found.items():
            other = self.stacks[name]
            if other is stack.owner:
                mine += [f for f in findings if f.path[:1] in ((), ("estate",)) and f.severity == "error"]
            elif other.owner is stack:
                mine += [f for f in findings if f.severity == "error"]
            mine += [f for f in findings if any(place.file == stack.source.file for place in f.related)]
        return in_order(mine)


def checked(stacks: Mapping[str, LoadedStack]) -> Checked:
    """Run every rule over all stacks."""
    return Checked(stacks, _by_stack(stacks))


def check(stacks: Mapping[str, LoadedStack]) -> tuple[Finding, ...]:
    """All findings of all stacks; see `Checked.findings`."""
    return checked(stacks).findings


def check_one(stack_name: str, stacks: Mapping[str, LoadedStack]) -> tuple[Finding, ...]:
    """The findings that keep one stack from being planned; see `Checked.of`."""
    return checked(stacks).of(stack_name)


def _by_stack(stacks: Mapping[str, LoadedStack]) -> dict[str, list[Finding]]:
    found = {name: list(stack.findings) for name, stack in stacks.items()}
    everything = AllStacks(tuple(OneStack(stack) for stack in stacks.values() if stack.typed is not None))
    taken: dict[str, set[tuple[Path_, str]]] = {name: set() for name in stacks}
    for rule, stack, problem in _problems((r for r in RULES if not r.last), everything):
        holder = acknowledged(stack, problem.path, rule.id) if rule.acceptable else None
        if holder is None:
            found[stack.name].append(rule.finding(stack, problem))
        else:
            taken[stack.name].add((holder, rule.id))
    after = AllStacks(tuple(OneStack(s.stack, frozenset(taken[s.stack.name])) for s in everything.stacks))
    for rule, stack, problem in _problems((r for r in RULES if r.last), after):
        found[stack.name].append(rule.finding(stack, problem))
    return found


def _problems(rules: Iterable[Rule], everything: AllStacks) -> Iterator[tuple[Rule, LoadedStack, Problem]]:
    for rule in rules:
        for stack, problem in rule.problems(everything):
            if not _guesswork(stack, problem):
                yield rule, stack, problem


def _guesswork(stack: LoadedStack, problem: Problem) -> bool:
    """Whether the problem rests on a value that could not be read and has its own finding already."""
    path = problem.path
    for assumed in stack.assumed:
        # Of what is above an unreadable value, a whole service or section stands on other values too.
        if path[: len(assumed)] == assumed or (len(path) > 2 and assumed[: len(path)] == path):
            return True
    return any(_under_assumed(ref) for ref in problem.related)


def _under_assumed(ref: Ref) -> bool:
    return any(ref.path[: len(assumed)] == assumed for assumed in ref.stack.assumed)


__all__ = ["Checked", "check", "check_one", "checked"]
