"""The plan: what a stack is to register, decided and ordered, before any cloud knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, NamedTuple, TypeAlias, TypeVar

from pydantic import Field

from config.fields import Email
from config.people import GOOGLE
from config.services import AccessSettings, Node
from config.stack import Estate
from config.values import AnswerText, Certificates, DurationText, Host, HostText, Path
from exposure.audience import NOBODY, Audience
from exposure.ways.tunnel import TunnelWay
from exposure.ways.way import DEFAULT_ACCESS, DEFAULT_SETTINGS, ManualStep, OriginSettings, Way
from exposure.workload import Workload

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
_W = TypeVar("_W", bound=Way)


@dataclass(frozen=True)
class TunnelRule:
    """One rule of a tunnel's list.

    `applications` names the Access applications whose AUD cloudflared accepts; empty means that no JWT is asked for.
    `path` is an RE2 expression, matched unanchored by cloudflared, so ours start with `^/`.
    """

    host: HostText | None
    path: Annotated[str, Field(pattern=r"^(\(\?i\))?\^/")] | None
    origin: AnswerText
    service: str | None = None
    applications: tuple[str, ...] = ()
    settings: OriginSettings = DEFAULT_SETTINGS


@dataclass(frozen=True)
class AccessApplication:
    """An Access application for one host, or for one path of it. `audience` is whom its one policy lets in.

    Cloudflare takes one application a destination (`application_already_exists`), so it is named after that: it stays
    when its host goes to another service. `origin` is what answers behind it, `was` the name that it had before.
    """

    title: str
    service: str
    host: Host
    path: Path
    audience: Audience
    origin: str
    was: str | None = None
    settings: AccessSettings = DEFAULT_ACCESS

    @property
    def people_policy(self) -> str:
        """The name of the policy of its people: their sets, and the session where it is the application's own."""
        session = self.settings.session_duration
        return f"{self.audience.set_name}@{session}" if session else self.audience.set_name

    @property
    def name(self) -> str:
        """Logical name, and the destination as Access writes it: host and path, no scheme, no trailing slash."""
        return f"{self.host}{self.path.suffix}"


@dataclass(frozen=True)
class DnsRecord:
    """A record of a zone. `target` None is the stack's tunnel, through a proxied CNAME."""

    name: str
    """Logical name: the host's, so that the record stays when the host goes to another service."""
    host: Host
    zone: str
    target: str | None = None
    proxied: bool = True
    service: str | None = None


@dataclass(frozen=True, order=True)
class Redirect:
    """A host of a zone that answers with a redirect to another host."""

    zone: str
    host: Host
    to: Host


@dataclass(frozen=True)
class PeopleSet:
    """People for Access: one group, and one policy that includes only that group. `name` joins several sets by `+`.

    They are those with one of `emails` or an address of one of `domains`, and those in one of the GitHub organizations
    `github` (or teams, `organization/team`); nobody once all of them have `ended`. They log in by `login`. Where there
    are `countries` or `ips`, they have to come from one of these. For each of `sessions` there is one more policy like
    it, whose logins last that long.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$")]
    emails: tuple[Email, ...] = ()
    domains: tuple[str, ...] = ()
    github: tuple[str, ...] = ()
    login: str = GOOGLE
    countries: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    ended: bool = False
    sessions: tuple[DurationText, ...] = ()

    @property
    def limits(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """From where they have to come: `countries` and `ips`, each with its values, as far as there are any."""
        return tuple((word, values) for word, values in (("countries", self.countries), ("ips", self.ips)) if values)


class Limits(NamedTuple):
    """What a tailnet's plan has at most, None where it says nothing; or what an estate takes of that.

    `machines` are those with a tag.
    """

    users: int | None
    groups: int
    machines: int | None


@dataclass(frozen=True)
class PlannedService:
    """One service: what it is, whom it is for, and the ways in, the usual one first."""

    key: str
    title: str
    workloads: tuple[Workload, ...]
    through: Workload | None
    """The ingress controller that it is reached through, if any."""
    ways: tuple[Way, ...]
    reasons: tuple[str, ...]
    """Why each way is there, in words."""
    asked_for: bool

    @property
    def audience(self) -> Audience:
        """Everybody who gets in by any way."""
        union = NOBODY
        for way in self.ways:
            union |= way.audience
            for claim in way.claims():
                union |= claim.audience
        return union

    @property
    def urls(self) -> tuple[str, ...]:
        """Where people find it, by every way."""
        return tuple(dict.fromkeys(url for way in self.ways for url in way.urls))


@dataclass(frozen=True)
class ExposurePlan:
    """All that one stack registers: its services with their ways, and what there is one of (`exposure.estate`)."""

    stack: str
    owner: str | None
    """Reference to the owner's stack, or None where this stack owns the estate."""
    estate: Estate
    home: Node
    """The node's part of the stack file."""
    services: tuple[PlannedService, ...]
    rules: tuple[TunnelRule, ...]
    applications: tuple[AccessApplication, ...]
    records: tuple[DnsRecord, ...]
    redirects: tuple[Redirect, ...]
    """Empty in a member's stack: a zone has one list of them."""
    people: tuple[PeopleSet, ...]
    """Who logs in anywhere in the estate; empty in a member's stack."""
    token_sets: tuple[tuple[str, ...], ...]
    """The service tokens that get in anywhere in the estate, together as they do; empty in a member's stack."""
    nobody: bool
    """Whether anything in the estate is behind Access for nobody; False in a member's stack."""
    tailnet_policy: Mapping[str, Json] | None
    """The whole tailnet's policy; None in a member's stack or without a tailnet."""
    tailnet_policy_text: str | None
    """The same as it is registered, with the comments of the owner's own part; None where there is none."""
    tailnet_taken: Limits | None
    """What the estate takes of its tailnet's plan; None in a member's stack or without a tailnet."""
    manual_steps: tuple[ManualStep, ...]
    adopt: Mapping[str, str] = field(default_factory=dict)
    """What was there before, to be left as it was found: `<type>/<logical name>` to the import id."""
    recover: Mapping[str, str] = field(default_factory=dict)
    """What Gatehouse made and its state lost, in the same form."""

    @property
    def node(self) -> str:
        """The node's short name."""
        return self.home.name

    @property
    def owns_estate(self) -> bool:
        """Whether zones, people and tailnet are registered by this stack."""
        return self.owner is None

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        """Every way of every service."""
        return tuple(way for service in self.services for way in service.ways)

    @cached_property
    def certificates(self) -> tuple[Certificates, ...]:
        """What the tunnel's rules name as their `ca_pool`, each once."""
        found = {way.certificates for way in self.by(TunnelWay) if way.certificates}
        return tuple(sorted(found))

    def by(self, kind: type[_W]) -> tuple[_W, ...]:
        """The ways of one kind."""
        return tuple(way for way in self.ways if isinstance(way, kind))

    def service(self, key: str) -> PlannedService:
        """One service. Raises KeyError where there is none."""
        for service in self.services:
            if service.key == key:
                return service
        raise KeyError(key)
