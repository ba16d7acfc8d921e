"""Let's Encrypt's HTTP-01 challenges, by their path, past every login, to what answers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from pydantic import Field

from config.fields import Label
from config.services import Service
from config.stack import Estate
from config.values import Host, OriginUrl
from exposure.audience import ANYONE, Audience
from exposure.names import ACME_EXPRESSION, ACME_PATH, hosts_of, origin_url, title_of
from exposure.ways.way import DEFAULT_SETTINGS, PASSES, Claim, Facts, Way


@dataclass(frozen=True)
class Challenges:
    """The challenges of one service that renews its own certificate."""

    service: Label
    title: Annotated[str, PASSES]
    hosts: Annotated[tuple[Host, ...], Field(min_length=1)]
    solver: OriginUrl

    @property
    def name(self) -> str:
        """The logical name of what lets them by."""
        return f"{self.service}-acme"

    def claims(self) -> tuple[Claim, ...]:
        """The challenges' path of each host, for anyone: Access otherwise answers it with its login."""
        return tuple(
            Claim(
                host,
                ACME_PATH,
                ANYONE,
                self.service,
                f"{self.title} ACME",
                self.solver,
                DEFAULT_SETTINGS,
                ACME_EXPRESSION,
                f"{self.name}-access" if host == self.hosts[0] else None,
            )
            for host in self.hosts
        )


@dataclass(frozen=True)
class AcmeWay(Way):
    """The challenges of every host that renews its own certificate, to the ingress controller [CM pkg/issuer/acme]."""

    challenges: tuple[Challenges, ...]

    gate = "acme"
    component = "components.acme_http_route.AcmeHttpRoute"
    phrase = "the challenges' path alone"
    stations = ("internet", "edge", "tunnel")
    by: ClassVar[str] = "host"

    @classmethod
    def lets_in(cls, service: Service, estate: Estate | None) -> Audience:
        """Anyone: nobody knows from where Let's Encrypt asks."""
        return ANYONE

    @classmethod
    def plan(cls, facts: Facts) -> Self:
        """See `Way`."""
        solver = origin_url(facts.service, facts.node.lan_ipv4)
        renewing = [(k, s) for k, s in sorted(facts.services.items()) if s.own_certificate]
        return cls(
            facts.key,
            facts.title,
            ANYONE,
            tuple(
                Challenges(
                    key,
                    title_of(key, service),
                    tuple(Host(h) for h in hosts_of(key, service, facts.node.name, facts.estate.zone.name)),
                    solver,
                )
                for key, service in renewing
            ),
        )

    @property
    def urls(self) -> tuple[str, ...]:
        """See `Way`."""
        return tuple(f"http://{host}{ACME_PATH}/" for c in self.challenges for host in c.hosts)

    @property
    def reaches(self) -> str:
        """See `Way`."""
        return "Let's Encrypt (anyone): that path alone"

    def claims(self) -> tuple[Claim, ...]:
        """See `Way`."""
        return tuple(claim for c in self.challenges for claim in c.claims())
