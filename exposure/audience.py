"""Who may reach something, as one value from the stack file to reach: nobody, tokens, machines, people, anyone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from config.services import ExitNode, PathClients, Service
from config.stack import Estate


@dataclass(frozen=True)
class Audience:
    """Those who may: `people` are names of sets, `tokens` names of service tokens, `machines` tags of the tailnet, and
    `ips` addresses at which anyone may.

    `<=` says that it lets in nobody whom the other does not, `|` is both together. Anyone takes in all others.
    """

    anyone: bool = False
    people: frozenset[str] = frozenset()
    tokens: frozenset[str] = frozenset()
    machines: frozenset[str] = frozenset()
    ips: frozenset[str] = frozenset()

    def __or__(self, other: Audience) -> Audience:
        if self.anyone or other.anyone:
            return ANYONE
        return Audience(
            False,
            self.people | other.people,
            self.tokens | other.tokens,
            self.machines | other.machines,
            self.ips | other.ips,
        )

    def __le__(self, other: Audience) -> bool:
        return self | other == other

    @property
    def opens(self) -> bool:
        """Whether somebody gets in who neither logs in nor has a secret, and so has no JWT."""
        return self.anyone or bool(self.ips)

    @property
    def set_name(self) -> str:
        """The name of its sets of people together, such as `admins+household`."""
        return "+".join(sorted(self.people))

    @property
    def token_name(self) -> str:
        """The name of its tokens together, such as `phone+prometheus`."""
        return "+".join(sorted(self.tokens))

    def __str__(self) -> str:
        if self.anyone:
            return "anyone"
        words = [*sorted(self.people), *(f"token {t}" for t in sorted(self.tokens))]
        words += sorted(self.machines)
        words += [f"anyone at {' or '.join(sorted(self.ips))}"] if self.ips else []
        return " and ".join(words) or "nobody"


NOBODY = Audience()
ANYONE = Audience(anyone=True)


def people(names: Iterable[str]) -> Audience:
    """Those in any of these sets of people."""
    return Audience(people=frozenset(names))


def tokens(names: Iterable[str] | None) -> Audience:
    """Whoever holds any of these service tokens."""
    return Audience(tokens=frozenset(names or ()))


def named_people(said: Service | ExitNode, estate: Estate | None) -> Audience:
    """The people whom a service or a route names, or the estate where it names none."""
    return people(said.people or (estate.default_people if estate else None) or ())


def on_tailnet(service: Service, estate: Estate | None) -> Audience:
    """The people whom a service names, from their devices, and its machines; these alone where it is for no others."""
    alone = service.machines and service.clients == "tailnet" and not service.people
    people_too = NOBODY if alone else named_people(service, estate)
    return people_too | Audience(machines=frozenset(service.machines or ()))


def named(service: Service, estate: Estate | None) -> Audience:
    """The people and tokens that a service names."""
    by_name = NOBODY if service.clients == "nobody" else named_people(service, estate)
    return by_name | tokens(service.tokens)


def meant(service: Service, estate: Estate | None) -> Audience:
    """Whom `clients` and `tokens` let in: no way of the service may let in more."""
    if service.clients == "anyone":
        return ANYONE
    return named(service, estate) | Audience(machines=frozenset(service.machines or ()))


def meant_for_path(said: PathClients, service: Service, estate: Estate | None) -> Audience:
    """Whom a path's own `clients` lets in."""
    if said.clients == "anyone":
        return Audience(ips=frozenset(said.ips)) if said.ips else ANYONE
    if said.clients == "nobody":
        return tokens(said.tokens)
    return (people(said.people) if said.people else named_people(service, estate)) | tokens(said.tokens)
