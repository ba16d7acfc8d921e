"""Running every rule over all stack files."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from config.errors import Finding, Path_
from config.loader import LoadedStack
from exposure.rules import RULES
from exposure.rules.acknowledgements import acknowledged
from exposure.rules.base import AllStacks, OneStack, Problem, Ref, Rule


def run(stacks: Mapping[str, LoadedStack], without: Container[str] = ()) -> dict[str, list[Finding]]:
    """What reading found and what every rule finds, in each file, by stack; less the risks that are taken knowingly.

    `without` names rules that are not asked.
    """
    rules = [rule for rule in RULES if rule.id not in without]
    found = {name: list(stack.findings) for name, stack in stacks.items()}
    everything = AllStacks(tuple(OneStack(stack) for stack in stacks.values() if stack.typed is not None))
    taken: dict[str, set[tuple[Path_, str]]] = {name: set() for name in stacks}

    def judge(asked: Iterable[Rule], everything: AllStacks) -> None:
        for rule, stack, problem in _problems(asked, everything):
            holder = acknowledged(stack, problem.path, rule.id) if rule.acceptable else None
            if holder is None:
                found[stack.name].append(rule.finding(stack, problem))
            else:
                taken[stack.name].add((holder, rule.id))

    judge((rule for rule in rules if not rule.last), everything)
    # What the last ones find is seen by those after them.
    after = (OneStack(s.stack, taken[s.stack.name], found[s.stack.name]) for s in everything.stacks)
    judge((rule for rule in rules if rule.last), AllStacks(tuple(after)))
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
