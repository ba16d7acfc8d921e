"""What a rule is: a pure function that says what is wrong with one service, one stack, or all stacks together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack

from config.errors import Finding, Path_, Place, show
from config.loader import LoadedStack
from config.people import Members
from config.services import ExitNode, Gate, Node, Service, ServiceOrigin, UrlOrigin
from config.stack import Estate, Tailnet, Zone
from config.values import SCHEMES, MalformedError, is_name
from exposure.decide import Objection, chosen, objections
from exposure.estate import applications, claims
from exposure.model import AccessApplication
from exposure.names import ACME_PATH, hosts_of, machine_of, scheme_of
from exposure.ways import WAYS
from exposure.ways.way import Claim, Facts, Way

if TYPE_CHECKING:
    from exposure.reach.project import Project

_S = TypeVar("_S")
_V = TypeVar("_V")
_Check: TypeAlias = "Callable[[_S], Iterable[Problem]]"
_Adds: TypeAlias = "Callable[[_Check[_S]], _Check[_S]]"
Scope: TypeAlias = Literal["service", "stack", "family", "everything"]


@dataclass(frozen=True)
class Ref:
    """A place in a stack file, by path."""

    stack: LoadedStack
    path: Path_

    def problem(
        self,
        value: str,
        reason: str,
        fix: str,
        suggestion: str = "",
        source: str = "",
        related: tuple[Ref, ...] = (),
        place: Place | None = None,
    ) -> Problem:
        """A problem here; see `Problem`."""
        return Problem(self.path, value, reason, fix, suggestion, source, related, place, self.stack)


@dataclass(frozen=True)
class Problem:
    """What a rule found: at which path, what stands there, why that breaks live and what to write instead.

    `source` takes the place of the rule's own; `related` are the other places that take part.
    """

    path: Path_
    value: str
    reason: str
    fix: str
    suggestion: str = ""
    source: str = ""
    related: tuple[Ref, ...] = ()
    place: Place | None = None
    """Where it is, if not in the stack file."""
    stack: LoadedStack | None = None
    """Whose file that is; None where the rule judges one stack alone."""


@dataclass(frozen=True)
class OneStack:
    """A stack as the rules see it; `node` and `estate` are None where they could not be read."""

    stack: LoadedStack
    taken: AbstractSet[tuple[Path_, str]] = frozenset()
    """Which acceptable rules the stack really breaks: path of the holder of `acknowledge`, rule id."""
    found: Sequence[Finding] = field(default=(), compare=False)
    """What was found so far."""

    @property
    def refused(self) -> bool:
        """Whether an error was found that keeps it from being planned."""
        return any(finding.severity == "error" for finding in self.found)

    @property
    def node(self) -> Node | None:
        """The stack's node."""
        typed = self.stack.typed
        return typed.node if typed and ("node",) not in self.stack.assumed else None

    @property
    def node_name(self) -> str | None:
        """The node's name; None where it could not be read, so that nothing is derived from a guess."""
        return self.node.name if self.node and ("node", "name") not in self.stack.assumed else None

    @property
    def estate(self) -> Estate | None:
        """The estate, the stack's own or its owner's."""
        return self.stack.estate

    @property
    def zone_name(self) -> str | None:
        """The zone's name; None where it could not be read or is no name, so that nothing is derived from it."""
        unread = {("estate", "zone"), ("estate", "zone", "name")} & self.owner.assumed
        return self.estate.zone.name if self.estate and not unread and is_name(self.estate.zone.name) else None

    @property
    def record(self) -> str:
        """The name of the node's own public record; empty where it has none, or it is not known."""
        if not (self.node and self.node.public_record and self.node_name and self.zone_name):
            return ""
        return f"{self.node_name}.{self.zone_name}"

    @property
    def zones(self) -> tuple[tuple[Path_, Zone], ...]:
        """The zones that this stack's file has, each with its path."""
        if self.estate is None or not self.stack.owns_estate:
            return ()
        others = enumerate(self.estate.other_zones)
        return (("estate", "zone"), self.estate.zone), *((("estate", "other_zones", i), zone) for i, zone in others)

    @property
    def own_sets(self) -> tuple[tuple[str, Members], ...]:
        """The sets of people that this stack's file has."""
        return tuple(self.estate.sets.items()) if self.estate and self.stack.owns_estate else ()

    @property
    def leads(self) -> tuple[tuple[Path_, ExitNode], ...]:
        """What people reach by the node: its routes, and the internet; in the owner's file also nodes themselves, by
        Tailscale SSH. Each with the path of its `people`."""
        node = self.node
        routes = [(("node", "routes", i, "people"), route) for i, route in enumerate(node.routes)] if node else []
        exits = [(("node", "exit_node", "people"), node.exit_node)] if node and node.exit_node else []
        ssh = self.estate.ssh if self.estate and self.stack.owns_estate else None
        shells = [(("estate", "tailnet", "ssh", "people"), ssh)] if ssh else []
        return (*routes, *exits, *shells)

    @property
    def whole(self) -> bool:
        """Whether every service could be read, so that the absence of one means something."""
        return not any(path[:1] == ("services",) and len(path) < 3 for path in self.stack.assumed)

    @property
    def owner(self) -> LoadedStack:
        """The stack whose file the estate is in."""
        return self.stack.owner or self.stack

    @cached_property
    def services(self) -> tuple[OneService, ...]:
        """The services that could be read, by key."""
        typed = self.stack.typed
        return tuple(OneService(self, key, s) for key, s in sorted(typed.services.items())) if typed else ()

    def by(self, *ways: type) -> Iterator[OneService]:
        """The services that have a way of one of these kinds."""
        return (s for s in self.services if s.by(*ways))

    @cached_property
    def claims(self) -> tuple[tuple[Claim, Ref], ...]:
        """What its services take of public hosts by the tunnel, as far as names are known, and where that is said."""
        typed, estate = self.stack.typed, self.estate
        if typed is None or estate is None:
            return ()
        by_key = {s.key: s for s in self.services if s.hosts}
        facts = {s.key: Facts(s.key, s.service, typed.node, estate, typed.services) for s in by_key.values()}
        ways = [
            WAYS[gate].plan(facts[s.key])
            for s in by_key.values()
            for gate in s.gates
            if WAYS[gate].by == "host" and isinstance(s.service.origin, WAYS[gate].origins)
        ]
        return tuple(
            (claim, by_key[claim.service].claim_ref(claim)) for claim in claims(ways) if claim.service in by_key
        )

    @cached_property
    def applications(self) -> tuple[AccessApplication, ...]:
        """The Access applications that guard its services."""
        return applications([claim for claim, _ in self.claims])

    def ref(self, *path: str | int) -> Ref:
        """A place in this stack's file."""
        return Ref(self.stack, path)

    def estate_ref(self, *path: str | int) -> Ref:
        """A place in the estate, in whichever file it is."""
        return Ref(self.owner, ("estate", *path))


@dataclass(frozen=True)
class OneService:
    """A service as the rules see it."""

    inside: OneStack
    key: str
    service: Service

    @cached_property
    def objections(self) -> list[Objection]:
        """Everything that speaks against its gates."""
        return objections(self.service, self.estate)

    @cached_property
    def readable(self) -> bool:
        """Whether its origin has a scheme that means something; else its gate would be guesswork."""
        return not isinstance(self.service.origin, UrlOrigin) or scheme_of(self.service) in SCHEMES

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """The known gates of its ways; none where the origin cannot be read."""
        return tuple(d.gate for d in chosen(self.service) if d.gate in WAYS) if self.readable else ()

    @cached_property
    def ways(self) -> tuple[type[Way], ...]:
        """The kinds of its ways, as far as they are known."""
        return tuple(WAYS[gate] for gate in self.gates)

    @cached_property
    def _kinds(self) -> frozenset[type]:
        return frozenset(kind for way in self.ways for kind in way.__mro__)

    def by(self, *ways: type[Way]) -> bool:
        """Whether it has a way of one of these kinds."""
        return not self._kinds.isdisjoint(ways)

    def counts(self, setting: str) -> bool:
        """Whether a key of the service means something to one of its ways."""
        return any(setting in way.settings for way in self.ways)

    @property
    def guessed(self) -> bool:
        """Whether part of what it says could not be read, so that nothing is known of who it lets in."""
        return any(path[:2] == self.path for path in self.inside.stack.assumed)

    @property
    def gate_words(self) -> str:
        """Its gates, for people."""
        return " and ".join(self.gates)

    @property
    def estate(self) -> Estate | None:
        """The estate."""
        return self.inside.estate

    @property
    def path(self) -> Path_:
        """Its path in the stack file."""
        return ("services", self.key)

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """Its public host names, said or derived; none where node or zone are unknown."""
        node, zone = self.inside.node_name, self.inside.zone_name
        if node is None or zone is None:
            return self.service.said_hosts
        return hosts_of(self.key, self.service, node, zone)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it takes: its hosts, and those that redirect to the first of them."""
        return (*self.hosts, *(self.service.redirect_from or ()))

    def host_path(self, index: int) -> Path_:
        """Where a name that it takes stands in its part of the file."""
        if index >= len(self.hosts):
            return ("redirect_from", index - len(self.hosts))
        return ("hosts", index) if self.service.hosts else ("host",)

    def claim_ref(self, claim: Claim) -> Ref:
        """Where it is said that it takes a path of a public host."""
        if claim.path in self.service.paths:
            return self.ref("paths", str(claim.path))
        return (
            self.ref("own_certificate")
            if claim.path == ACME_PATH
            else self.ref(*self.host_path(self.names.index(claim.host)))
        )

    @property
    def cluster_origin(self) -> ServiceOrigin | None:
        """Its origin, where that is a Service of the cluster."""
        return self.service.origin if isinstance(self.service.origin, ServiceOrigin) else None

    @property
    def machine(self) -> str | None:
        """Its machine name on the tailnet, said or derived; None where the node is unknown."""
        if self.service.tailnet_name is not None:
            return self.service.tailnet_name
        node = self.inside.node_name
        return None if node is None else machine_of(self.key, self.service, node)

    @property
    def people(self) -> tuple[str, ...]:
        """The sets of people that it names, or the estate where it names none."""
        return tuple(self.service.people or (self.estate.default_people if self.estate else None) or ())

    def ref(self, *path: str | int) -> Ref:
        """A place in this service's part of the file."""
        return Ref(self.inside.stack, (*self.path, *path))

    def problem(
        self,
        path: str | Sequence[str | int],
        value: object,
        reason: str,
        fix: str,
        *,
        suggestion: str = "",
        source: str = "",
        related: tuple[Ref, ...] = (),
    ) -> Problem:
        """A problem below this service's path. `value` None shows nothing."""
        below = (path,) if isinstance(path, str) else tuple(path)
        shown = "" if value is None else show(value)
        return self.ref(*below).problem(shown, reason, fix, suggestion, source, related)

    def malformed(
        self, path: str | Sequence[str | int], value: object, error: MalformedError, fix: str = ""
    ) -> Problem:
        """The problem that something is no value of its kind; `fix` where the value was not written but derived."""
        return self.problem(path, value, error.reason, fix or error.fix, suggestion=error.suggestion)


@dataclass(frozen=True)
class Family:
    """The stacks that share an estate, its owner first."""

    stacks: tuple[OneStack, ...]

    @property
    def owner(self) -> OneStack:
        """The stack whose file the estate is in."""
        return self.stacks[0]

    @property
    def estate(self) -> Estate | None:
        """The estate; None where it could not be read."""
        return self.owner.estate

    @property
    def tailnet(self) -> Tailnet | None:
        """The estate's tailnet, where it has one."""
        return self.estate.tailnet if self.estate else None

    def by(self, *ways: type) -> Iterator[OneService]:
        """The services of all its stacks that have a way of one of these kinds."""
        return (service for stack in self.stacks for service in stack.by(*ways))

    def once(self, of: Callable[[Family], _V]) -> _V:
        """What a function makes of the family: made once, whichever rules ask. Raises what it raises."""
        if of not in self._made:
            self._made[of] = of(self)
        made: _V = self._made[of]
        return made

    @cached_property
    def _made(self) -> dict[object, Any]:
        return {}


@dataclass(frozen=True)
class AllStacks:
    """Every stack file of the repository."""

    stacks: tuple[OneStack, ...]

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """Each owner of an estate with all that share it."""
        owners = (one for one in self.stacks if one.stack.owns_estate)
        return tuple(Family((owner, *(s for s in self.stacks if s.stack.owner is owner.stack))) for owner in owners)


def planned(family: Family) -> Project:
    """A family's plans and surfaces, for `Family.once`. Raises ValueError where a stack has findings."""
    # Loaded only where a rule asks for it.
    from exposure.reach.project import plan_project

    return plan_project({one.stack.name: one.stack for one in family.stacks})


_LOOKED_AT: Mapping[Scope, Callable[[AllStacks], Iterable[tuple[OneStack | None, Any]]]] = {
    "service": lambda everything: ((stack, service) for stack in everything.stacks for service in stack.services),
    "stack": lambda everything: ((stack, stack) for stack in everything.stacks),
    "family": lambda everything: ((family.owner, family) for family in everything.families),
    "everything": lambda everything: ((None, everything),),
}
"""What a rule of each scope looks at, with the stack whose file has its problems, unless these say another."""


@dataclass(frozen=True)
class Rule:
    """A rule: a stable `id`, where the reason is documented, and the numbers of the catalogue that it refuses.

    `check` is a pure function of what the rule looks at, a service or what else its `scope` says, and never raises.
    `acceptable` says where the owner may take the risk with an `acknowledge` that names the id, if at all.
    """

    id: str
    source: str
    scope: Scope
    check: Callable[[Any], Iterable[Problem]]
    refuses: tuple[int, ...] = ()
    acceptable: Literal["service", "stack"] | None = None
    severity: Literal["error", "warning"] = "error"
    last: bool = False
    """Runs after the others, with what they found in `OneStack.taken` and `OneStack.found`."""

    @property
    def title(self) -> str:
        """What holds where the rule finds nothing: the first line of its function's docstring, less the full stop."""
        return (self.check.__doc__ or "").partition("\n")[0].removesuffix(".")

    def problems(self, everything: AllStacks) -> Iterator[tuple[LoadedStack, Problem]]:
        """Everything this rule finds, with the stack whose file it is in. Never raises."""
        for one, subject in _LOOKED_AT[self.scope](everything):
            for problem in self.check(subject):
                stack = problem.stack or (one and one.stack)
                assert stack
                yield stack, problem

    def finding(self, stack: LoadedStack, problem: Problem) -> Finding:
        """A problem with its place in the file, and the keys that stand there."""
        return Finding(
            self.id,
            stack.source.written(problem.path),
            problem.value,
            problem.reason,
            problem.fix,
            problem.place or stack.source.place(problem.path),
            problem.source or self.source,
            problem.suggestion,
            self.severity,
            tuple(ref.stack.source.place(ref.path) for ref in problem.related),
            by_default=bool(problem.value) and problem.place is None and not stack.source.has(problem.path),
        )


class How(TypedDict, total=False):
    """What else a rule may say; see `Rule`."""

    acceptable: Literal["service", "stack"]
    severity: Literal["error", "warning"]
    last: bool


class Rules(list[Rule]):
    """The rules of one subject, in the order of their functions: each is a function, decorated by what it looks at."""

    def service(self, id: str, source: str, refuses: tuple[int, ...] = (), **how: Unpack[How]) -> _Adds[OneService]:
        """A rule about one service, whatever else there is."""
        return self._adds("service", id, source, refuses, how)

    def stack(self, id: str, source: str, refuses: tuple[int, ...] = (), **how: Unpack[How]) -> _Adds[OneStack]:
        """A rule about one stack: its node, or its services together."""
        return self._adds("stack", id, source, refuses, how)

    def family(self, id: str, source: str, refuses: tuple[int, ...] = (), **how: Unpack[How]) -> _Adds[Family]:
        """A rule about the stacks that share an estate. A problem that says no file is in the owner's."""
        return self._adds("family", id, source, refuses, how)

    def everything(self, id: str, source: str, refuses: tuple[int, ...] = (), **how: Unpack[How]) -> _Adds[AllStacks]:
        """A rule about all stacks together. Its problems say in which file they are."""
        return self._adds("everything", id, source, refuses, how)

    def _adds(self, scope: Scope, id: str, source: str, refuses: tuple[int, ...], how: How) -> _Adds[Any]:
        def add(check: _Check[Any]) -> _Check[Any]:
            self.append(Rule(id, source, scope, check, refuses, **how))
            return check

        return add


def malformed(parse: Callable[[_V], object], value: _V, path: Path_) -> Iterator[Problem]:
    """The problem that a value's own parser finds."""
    try:
        parse(value)
    except MalformedError as wrong:
        yield Problem(path, show(value), wrong.reason, wrong.fix, wrong.suggestion, source=wrong.source)


def claimed_twice(claims: Iterable[tuple[str, Ref]]) -> Iterator[tuple[str, Ref, Ref]]:
    """What is claimed more than once: the claim, who came second, and who came first (in the order given)."""
    first: dict[str, Ref] = {}
    for claim, ref in claims:
        if claim in first:
            yield claim, ref, first[claim]
        else:
            first[claim] = ref


def listed(words: Iterable[str]) -> str:
    """Words as people list them: `a, b and c`."""
    rest = list(words)
    return " and ".join([", ".join(rest[:-1]), rest[-1]] if len(rest) > 1 else rest)
