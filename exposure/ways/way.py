"""What every way in has: its value, its words, its manual steps, and what it adds to what there is one of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Self

from pydantic import Field

from config.fields import Label
from config.people import GITHUB
from config.services import AccessSettings, Node, NodeOrigin, Service, ServiceOrigin, UrlOrigin
from config.stack import Estate
from config.values import Host, HostText, Machine, Path, Tag
from exposure.audience import Audience, meant, named_people
from exposure.names import hosts_of, login_of, login_words, machine_of, title_of
from exposure.workload import Protocol

PASSES = "passes"
"""Marks a field that only passes through to what is registered: a component takes another resource's output for it."""
WEB = frozenset({"http", "https"})
"""The schemes that browsers speak."""


@dataclass(frozen=True)
class OriginSettings:
    """cloudflared's `originRequest` for one rule; None leaves cloudflared's default [CFD config/configuration.go]."""

    origin_server_name: HostText | None = None
    match_sni_to_host: bool = False
    ca_pool: str | None = None
    """A file of the connector's pod (`Certificates.path`)."""
    no_tls_verify: bool = False
    http2_origin: bool = False
    http_host_header: str | None = None
    connect_timeout_seconds: Annotated[int, Field(ge=1, le=300)] | None = None


DEFAULT_SETTINGS = OriginSettings()
DEFAULT_ACCESS = AccessSettings()


@dataclass(frozen=True)
class Claim:
    """One path of one public host: whose it is, who may ask for it and for what is below it, and what answers.

    `expression` is the RE2 expression of its rule, None for the whole host; `was` the name that its Access application
    had when those were named after services.
    """

    host: Host
    path: Path
    audience: Audience
    service: str
    title: str
    origin: str
    settings: OriginSettings
    expression: str | None
    was: str | None = None
    access: AccessSettings = DEFAULT_ACCESS
    """Of its Access application, where that asks for a login or a token."""

    @property
    def destination(self) -> str:
        """The name of the Access application that it gets where it needs one."""
        return f"{self.host}{self.path.suffix}"


@dataclass(frozen=True)
class Address:
    """A public host name that leads to the router and not to a tunnel."""

    host: Host
    ipv4: str
    service: str


@dataclass(frozen=True)
class Grant:
    """What the tailnet's policy opens for a way: these sets of people and machines reach this tag at this port.

    `shared`: the tag is that of a Tailscale Service, for which the node's shared proxies answer.
    """

    key: str
    node: str
    people: tuple[str, ...]
    tag: Tag
    port: int
    protocol: Protocol
    machines: tuple[str, ...] = ()
    shared: bool = False


@dataclass(frozen=True)
class ManualStep:
    """What a person has to do. `values` are to be pasted or typed; `outputs` are stack outputs that hold more of them.

    Both are by label. `service` or `zone` is what it is about.
    """

    key: str
    title: str
    steps: tuple[str, ...] = ()
    service: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None


@dataclass(frozen=True)
class Facts:
    """All that a way is planned from: one service, and the stack that it is in."""

    key: str
    service: Service
    node: Node
    estate: Estate
    services: Mapping[str, Service]

    @property
    def title(self) -> str:
        """The name people know the service by."""
        return title_of(self.key, self.service)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """Its public host names."""
        return tuple(Host(h) for h in hosts_of(self.key, self.service, self.node.name, self.estate.zone.name))

    @property
    def machine(self) -> Machine:
        """Its name on the tailnet."""
        return Machine(machine_of(self.key, self.service, self.node.name))

    @property
    def audience(self) -> Audience:
        """Whom `clients` lets in."""
        return meant(self.service, self.estate)

    @property
    def people(self) -> Audience:
        """The people it names, whatever `clients` says."""
        return named_people(self.service, self.estate)

    @property
    def origin(self) -> ServiceOrigin:
        """Its origin, at gates that serve a Kubernetes Service alone. Raises TypeError otherwise: check it first."""
        if not isinstance(self.service.origin, ServiceOrigin):
            raise TypeError(f"service {self.key} has no Kubernetes Service; check it first")
        return self.service.origin

    @property
    def tailnet(self) -> str:
        """The tailnet's name. Raises ValueError where the estate has none."""
        if self.estate.tailnet is None:
            raise ValueError(f"service {self.key} goes by Tailscale and there is no tailnet; check it first")
        return self.estate.tailnet.name


@dataclass(frozen=True)
class Way(ABC):
    """One way into a service: a value that holds all that its component registers.

    The class says what is so of its gate wherever it is used; `exposure.ways.WAYS` names every one. A way takes nothing
    from the plan, which only calls it.
    """

    service: Label
    title: Annotated[str, PASSES]
    audience: Audience
    """Whom it lets in, but for what `claims` say of single paths."""

    gate: ClassVar[str]
    """The gate's name, as in the stack file."""
    phrase: ClassVar[str]
    """The gate in a few words, for a legend."""
    stations: ClassVar[tuple[str, ...]]
    """What requests pass on the way, in order (`exposure.map.model.STATION_NAMES`)."""
    component: ClassVar[str]
    """The class that registers it, by its full name: what a stack means is decided without Pulumi."""
    carries: ClassVar[frozenset[str]] = WEB
    """The schemes of origins that it can serve."""
    origins: ClassVar[tuple[type, ...]] = (ServiceOrigin, NodeOrigin, UrlOrigin)
    """The kinds of origins that it can serve."""
    settings: ClassVar[frozenset[str]] = frozenset()
    """The keys of a service that count at this gate and not at every one."""
    cautions: ClassVar[tuple[str, ...]] = ()
    """What to keep in mind at this gate."""
    by: ClassVar[str] = ""
    """Two ways of a service by the same name take the same thing, and exclude each other: its host, its machine."""

    @classmethod
    @abstractmethod
    def lets_in(cls, service: Service, estate: Estate | None) -> Audience:
        """Whom this gate would let in, paths with clients of their own left aside."""

    @classmethod
    @abstractmethod
    def plan(cls, facts: Facts) -> Self:
        """The way of a checked service."""

    @property
    @abstractmethod
    def urls(self) -> tuple[str, ...]:
        """Where people find it."""

    @property
    @abstractmethod
    def reaches(self) -> str:
        """Who gets in, in words."""

    @property
    def mind(self) -> tuple[str, ...]:
        """What to keep in mind at this service."""
        return self.cautions

    def faults(self) -> tuple[str, ...]:
        """What would open something by omission, or is read in two ways: for who makes one of no checked service."""
        return ()

    def claims(self) -> tuple[Claim, ...]:
        """What it takes of public hosts, through the tunnel."""
        return ()

    def addresses(self) -> tuple[Address, ...]:
        """The names that lead to the router for it."""
        return ()

    def grants(self) -> tuple[Grant, ...]:
        """What the tailnet's policy has to open for it."""
        return ()

    def manual_steps(self, node: Node) -> tuple[ManualStep, ...]:
        """What a person has to do for this way alone."""
        return ()


def whom(estate: Estate, audience: Audience) -> str:
    """The people of an audience in words: its sets, who they are, how they log in and from where they come."""
    words = estate.who(audience.people)
    people = sum("@" in word[1:] for word in words)
    said = [f"{people} {'person' if people == 1 else 'people'}"] if people or not words else []
    said += [f"everybody{word}" for word in sorted(words) if word.startswith("@")]
    said += [f"GitHub {word.removeprefix(GITHUB)}" for word in sorted(words) if word.startswith(GITHUB)]
    said += lasting(estate, audience)
    login, countries, ips = estate.terms(audience.people)
    found = [f"{audience} ({', '.join(said)}) after {login_words(login_of(login, estate))}"]
    found += [f"in {' or '.join(countries)}"] if countries else []
    found += [f"at {' or '.join(ips)}"] if ips else []
    return ", ".join(found)


def lasting(estate: Estate, audience: Audience) -> list[str]:
    """Of each set of an audience that has a last day: when that is, or was."""
    found = [(name, estate.sets[name]) for name in sorted(audience.people & estate.sets.keys())]
    return [f"{name} {'ended on' if one.ended else 'until'} {one.until}" for name, one in found if one.until]
