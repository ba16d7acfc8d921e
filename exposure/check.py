"""Everything that is wrong with the stack files: what reading them found, and every rule."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from config.errors import Finding, in_order
from config.loader import LoadedStack
from exposure.rules.run import run


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
                about = ((), ("estate",), other.source.written(("estate",)))
                mine += [f for f in findings if f.path[:1] in about and f.severity == "error"]
            elif other.owner is stack:
                mine += [f for f in findings if f.severity == "error"]
            mine += [f for f in findings if any(place.file == stack.source.file for place in f.related)]
        return in_order(mine)


def checked(stacks: Mapping[str, LoadedStack], without: Container[str] = ()) -> Checked:
    """Run every rule over all stacks, but for those named in `without`."""
    return Checked(stacks, run(stacks, without))


def check(stacks: Mapping[str, LoadedStack]) -> tuple[Finding, ...]:
    """All findings of all stacks; see `Checked.findings`."""
    return checked(stacks).findings


def check_one(stack_name: str, stacks: Mapping[str, LoadedStack]) -> tuple[Finding, ...]:
    """The findings that keep one stack from being planned; see `Checked.of`."""
    return checked(stacks).of(stack_name)


__all__ = ["Checked", "check", "check_one", "checked"]
