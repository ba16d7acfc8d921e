"""What the rules look at and what they say. No Pulumi in here: the pack, the command line and tests bring their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands for a value that only the cloud knows [pulumi sdk/go/common/resource/plugin/rpc.go]."""
SECRET = "[secret]"
"""What stands for a secret, in plans."""
REFERENCE = "pulumi:pulumi:StackReference"

# The engine has a marker for each kind of value.
UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
_SHOWN = 60


@dataclass(frozen=True)
class Resource:
    """A resource as it is to be: inputs by their wire names (camelCase), unknowns and secrets as markers.

    `dependencies` are URNs; `by_property` holds those that an input was made from. Of a StackReference the inputs hold
    `outputs`, the other stack's; of an Access application its `aud`, once it has one.
    """

    type: str
    name: str
    urn: str
    inputs: Mapping[str, object]
    protect: bool = False
    parent: str = ""
    dependencies: tuple[str, ...] = ()
    by_property: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def package(self) -> str:
        """`cloudflare`, `kubernetes`, `tailscale`, `gatehouse`, `pulumi`."""
        return self.type.partition(":")[0]

    @property
    def kind(self) -> str:
        """The class: `DnsRecord`, `Deployment`."""
        return self.type.rpartition(":")[2]

    def is_a(self, package: str, *kinds: str) -> bool:
        """Whether it is one of these classes of a package."""
        return self.package == package and self.kind in kinds

    def made_from(self, name: str) -> tuple[str, ...]:
        """URNs that the input `name` was made from; all dependencies where nothing is known of single inputs."""
        return self.by_property.get(name, ()) if self.by_property else self.dependencies


@dataclass(frozen=True)
class Problem:
    """What a rule found at a resource: the property, its value as it may be shown, and why it is wrong.

    `judged` False: the rule could not tell, and `why` says what it would have to know.
    """

    resource: Resource
    property: str
    value: str
    why: str
    judged: bool = True


@dataclass(frozen=True)
class Finding:
    """A problem under its rule."""

    rule: str
    problem: Problem
    fix: str

    @property
    def judged(self) -> bool:
        """False where the rule could not tell."""
        return self.problem.judged

    @property
    def urn(self) -> str:
        """The resource's."""
        return self.problem.resource.urn

    @property
    def message(self) -> str:
        """One sentence for people: resource, property, value, why, fix. Holds no secret."""
        problem = self.problem
        head = f"{problem.resource.kind} {problem.resource.name}: {problem.property} is {problem.value}"
        if not problem.judged:
            return f"{head}; not judged: {problem.why}"
        return f"{head}; {problem.why}. {self.fix}"


@dataclass(frozen=True)
class Rule:
    """A rule: `id` a slug, `title` a few words, `description` what must hold, `remediation`, and what finds breaches.

    `check` takes a resource, so that the engine asks it before that is touched; or, of `STACK_RULES`, the whole stack.
    """

    id: str
    title: str
    description: str
    remediation: str
    check: Callable[[Any], Iterable[Problem]]

    def find(self, checked: Resource | Stack) -> list[Finding]:
        """What is wrong with a resource or a stack."""
        return [Finding(self.id, problem, self.remediation) for problem in self.check(checked)]


class Stack:
    """All resources of a stack, and what the owner of the estate gives it."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.resources: tuple[Resource, ...] = tuple(resources)
        self.by_urn: Mapping[str, Resource] = {resource.urn: resource for resource in self.resources}
        self._given = dict(_outputs(self.resources))

    def all(self, package: str, *kinds: str) -> Iterator[Resource]:
        """The resources of these classes."""
        return (resource for resource in self.resources if resource.is_a(package, *kinds))

    def given(self, value: object) -> str | None:
        """The output of another stack that a value is, or None: `bypass_policy_id`, `policy_ids`."""
        return self._given.get(value) if isinstance(value, str) and not is_unknown(value) else None

    def referred(self, resource: Resource, name: str, package: str, *kinds: str) -> list[Resource]:
        """The resources of these classes that the input `name` was made from."""
        found = [self.by_urn[urn] for urn in resource.made_from(name) if urn in self.by_urn]
        return [other for other in found if other.is_a(package, *kinds)]


def _outputs(resources: Iterable[Resource]) -> Iterator[tuple[str, str]]:
    for resource in resources:
        if resource.type == REFERENCE:
            for name, value in mapping(resource.inputs.get("outputs")).items():
                for item in value.values() if isinstance(value, Mapping) else [value]:
                    if isinstance(item, str) and item:
                        yield item, name


# --- values


def is_unknown(value: object) -> bool:
    """Whether a value is not known before `up`."""
    return isinstance(value, str) and (value in UNKNOWNS or UNKNOWN in value)


def is_hidden(value: object) -> bool:
    """Whether a value cannot be looked into: unknown, or a secret."""
    return is_unknown(value) or value == SECRET


def at(value: object, *path: str) -> object:
    """What is at a path of keys: None where nothing is, the marker where a value on the way is hidden."""
    for key in path:
        if is_hidden(value):
            return value
        value = mapping(value).get(key)
    return value


def mapping(value: object) -> Mapping[str, object]:
    """The value where it is a mapping, else an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[object]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else ()


def text(value: object) -> str:
    """The value where it is a known string, else an empty one."""
    return value if isinstance(value, str) and not is_hidden(value) else ""


def show(value: object) -> str:
    """A value in words, short; for values that are no secrets."""
    if value is None:
        return "not set"
    if is_unknown(value):
        return "not known yet"
    if value == SECRET:
        return "a secret"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    shown = shown or "empty"
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"
