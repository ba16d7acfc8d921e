"""Who people are, and how they log in: sets of people, and logins beside Google's."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import Discriminator, Field, PrivateAttr, Tag, model_validator
from pydantic_core import PydanticCustomError

from config import clock
from config.base import Model
from config.fields import Countries, Day, Domains, HttpsUrl, Label, Networks, Organizations, Person, Text

GOOGLE = "google"
"""The login of sets that name none."""
LoginType: TypeAlias = Literal["onetimepin", "github", "oidc"]


class Login(Model):
    """A login method beside Google."""

    type: LoginType
    """`onetimepin` (a code by e-mail), `github`, or `oidc` (any OpenID Connect provider)."""
    client_id: Text | None = None
    """The OAuth client's id, for `github` and `oidc`; its secret is `gatehouse:<login>_client_secret`."""
    auth_url: HttpsUrl | None = None
    """For `oidc`: the provider's `authorization_endpoint`."""
    token_url: HttpsUrl | None = None
    """For `oidc`: its `token_endpoint`."""
    certs_url: HttpsUrl | None = None
    """For `oidc`: its `jwks_uri`."""
    scopes: Annotated[list[Text], Field(min_length=1)] | None = None
    """For `oidc`: what it is asked for; `openid`, `email` and `profile` otherwise."""
    email_claim_name: Text | None = None
    """For `oidc`: the claim that holds the address, where that is not `email`."""

    @model_validator(mode="after")
    def _of_its_type(self) -> Login:
        # The provider refuses endpoints and scopes at other types [TFC zero_trust_access_identity_provider, schema.go].
        endpoints = {"auth_url", "token_url", "certs_url"}
        needs = {"onetimepin": set(), "github": {"client_id"}, "oidc": {"client_id", *endpoints}}[self.type]
        may = needs | ({"scopes", "email_claim_name"} if self.type == "oidc" else set())
        said = {name for name in type(self).model_fields if name != "type" and getattr(self, name) is not None}
        if said - may or needs - said:
            words = f"also needs {_listed(needs - said)}" if needs - said else f"has no {_listed(said - may)}"
            fix = f"add {_listed(needs - said)}" if needs - said else f"remove {_listed(said - may)}"
            raise PydanticCustomError(
                "login", "a login of type {type} {words}", {"type": self.type, "words": words, "fix": fix}
            )
        return self


def _listed(keys: set[str]) -> str:
    return " and ".join(f"`{key}:`" for key in sorted(keys))


class Terms(NamedTuple):
    """The login of a set of people, and from where they get in: an Access application has one of each."""

    login: str
    countries: tuple[str, ...]
    ips: tuple[str, ...]


class Members(Model):
    """Who is in a set of people, and on what terms. A list alone is its `emails`."""

    emails: list[Person] = Field(default_factory=list)
    """Their addresses; for the tailnet alone also login names such as `ann@github`."""
    domain: Domains = Field(default_factory=list)
    """Everybody with an address of this domain, or of several; not of a public mail service."""
    github: Organizations = Field(default_factory=list)
    """Everybody in a GitHub organization (`smiths`), or in a team of one (`smiths/family`), by a login of that type."""
    login: Label | None = None
    """How they log in: an entry of `logins`; Google otherwise."""
    until: Day | None = None
    """The last day, in UTC, such as `"2026-12-06"`: from the next `up` after it, nobody of the set gets in."""
    countries: Countries = Field(default_factory=list)
    """They get in from these countries only, by two letters (ISO 3166-1), such as `DE`."""
    ips: Networks = Field(default_factory=list)
    """They get in from these addresses only, such as `203.0.113.7/32`."""
    _read_on: date = PrivateAttr(default_factory=lambda: clock.today())

    @property
    def days_left(self) -> int | None:
        """The days left after this one; negative where the last day is over, None where none is said."""
        return None if self.until is None else (date.fromisoformat(self.until) - self._read_on).days

    @property
    def ended(self) -> bool:
        """Whether the last day is over."""
        return self.days_left is not None and self.days_left < 0

    @property
    def words(self) -> tuple[str, ...]:
        """Who gets in by it: `everybody`, and nobody once it has ended."""
        return () if self.ended else self.everybody

    @property
    def everybody(self) -> tuple[str, ...]:
        """Who is in it, ended or not: addresses, `@` and a domain, `github:` and an organization."""
        return (*self.emails, *(f"@{d}" for d in self.domain), *(f"{GITHUB}{o}" for o in self.github))

    @property
    def off_tailnet(self) -> tuple[str, ...]:
        """The keys that say what the tailnet does not know: there people are known by their addresses alone."""
        return tuple(key for key in ("domain", "github", "countries", "ips") if getattr(self, key))

    @property
    def terms(self) -> Terms:
        """How they log in and from where they get in."""
        return Terms(self.login or GOOGLE, tuple(sorted(set(self.countries))), tuple(sorted(set(self.ips))))


GITHUB = "github:"


def _shape(value: object) -> str:
    return "keys" if isinstance(value, dict | Members) else "list"


SetOfPeople: TypeAlias = Annotated[
    Annotated[Members, Tag("keys")] | Annotated[list[Person], Tag("list")], Discriminator(_shape)
]
"""A list of addresses, or keys that say more."""


_PUBLIC = (
    "aol.com daum.net duck.com email.com fastmail.com fastmail.fm free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com "
    "gmx.de gmx.net googlemail.com hey.com icloud.com laposte.net libero.it live.com mac.com mail.com mail.de mail.ru "
    "mailbox.org me.com msn.com naver.com orange.fr outlook.com outlook.de pm.me posteo.de posteo.net proton.me "
    "protonmail.ch protonmail.com qq.com rocketmail.com seznam.cz sfr.fr t-online.de tuta.com tuta.io tutanota.com "
    "virgilio.it wanadoo.fr web.de wp.pl yandex.com yandex.ru ymail.com zoho.com zohomail.com 126.com 163.com"
)
_PUBLIC_MAIL = frozenset(_PUBLIC.split())
_PUBLIC_NAMES = re.compile(r"(hotmail|live|outlook|yahoo)\.((com?|net)\.)?[a-z]{2,3}")
"""Services that have their name right below many a country's domain."""


def is_public_mail(domain: str) -> bool:
    """Whether anybody gets an address of a domain."""
    return domain in _PUBLIC_MAIL or _PUBLIC_NAMES.fullmatch(domain) is not None
