"""The whole stack file as one model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from config.base import Model
from config.fields import (
    LABEL,
    AccountId,
    CheckPeriod,
    ClientId,
    DnsDomain,
    Instant,
    Label,
    Nameserver,
    Person,
    Reason,
    SetName,
    SshUsers,
    Text,
    TokenDuration,
)
from config.people import GOOGLE, Login, Members, SetOfPeople, Terms
from config.services import ExitNode, Node, People, Service, Words, keys_or_true
from config.values import TeamText

NAMESPACE = "gatehouse"
"""The project's name and so the namespace of its configuration."""


Ssl: TypeAlias = Literal["off", "flexible", "full", "strict"]
TailnetPlan: TypeAlias = Literal["personal", "standard", "premium"]
MinTls: TypeAlias = Literal["1.2", "1.3"]


class Hsts(Model):
    """Strict-Transport-Security: browsers refuse plain http for `max_age_seconds`, with no way back before it ends."""

    max_age_seconds: Annotated[int, Field(ge=0, le=31536000)]
    """How long a browser keeps to it; at most a year."""
    include_subdomains: bool = False
    """For every name below the zone, also those that are not served through Cloudflare."""
    preload: bool = False
    """Ask browsers to know it without a first visit; needs subdomains and a year."""


class Zone(Model):
    """The Cloudflare zone that the public host names are in."""

    name: str
    """The registered domain, such as `example.com`."""
    dnssec: bool = True
    """Sign the zone. The registrar's DS record is a manual step."""
    ssl: Ssl = "strict"
    """How Cloudflare speaks to origins outside the tunnel."""
    min_tls_version: MinTls = "1.2"
    """The oldest TLS that browsers may speak; in quotes, for it is text."""
    always_use_https: bool = True
    """Redirect http to https."""
    automatic_https_rewrites: bool = True
    """Rewrite http links in pages to https."""
    universal_ssl: bool = True
    """Cloudflare's free edge certificate: the apex and one label below it."""
    advanced_certificate: bool = False
    """You have Advanced Certificate Manager, so deeper names work."""
    hsts: Hsts | None = None
    """Off unless given; acknowledge `hsts`."""


class Google(Model):
    """The Google OAuth client used to log in."""

    client_id: ClientId
    """Google Cloud Console, Credentials: ends in `.apps.googleusercontent.com`."""


class Token(Model):
    """A service token: an id and a secret by which an app or a script passes Access where nobody can log in."""

    holder: Text | None = None
    """Who or what has it, for people to read."""
    duration: TokenDuration = "8760h"
    """How long it is good, in hours (`8760h` is a year); or `forever`."""
    version: Annotated[int, Field(ge=2)] | None = None
    """For a new secret: 2 for the second, 3 for the third (`gatehouse token <name> --rotate` says what to write)."""
    previous_until: Instant | None = None
    """Until when the secret before this version is good too, such as `2026-12-24T18:00:00Z`."""

    @model_validator(mode="after")
    def _together(self) -> Token:
        # The provider refuses the one without the other [TFC zero_trust_access_service_token, schema.go].
        if (self.version is None) != (self.previous_until is None):
            raise PydanticCustomError("token", "`version` and `previous_until` are said together, or neither")
        return self


class TailnetDns(Model):
    """What every device of the tailnet asks for names, as far as it accepts the tailnet's DNS.

    Written as one whole wherever more than `magic_dns` is said [TFT resource_dns_configuration.go].
    """

    magic_dns: bool = True
    """Names for machines; Funnel and Serve need them."""
    nameservers: list[Nameserver] | None = None
    """What devices ask for all other names, in place of their own nameservers; needs `override_local_dns`."""
    override_local_dns: bool = False
    """Devices ask `nameservers` wherever they are, and not what their network gives them."""
    split_dns: dict[DnsDomain, Annotated[list[Nameserver], Field(min_length=1)]] | None = None
    """By domain, what devices ask for its names and those below it, whatever else they ask."""
    search_paths: list[DnsDomain] | None = None
    """Domains that are tried after a name of one word; the tailnet's own is the first by itself."""

    @property
    def whole(self) -> bool:
        """Whether more is said than MagicDNS, so that this is the tailnet's whole DNS."""
        return any(said is not None for said in (self.nameservers, self.split_dns, self.search_paths))


class TailnetSettings(Model):
    """The tailnet's settings; what is not said stays as the tailnet has it [TFT resource_tailnet_settings.go]."""

    https_enabled: bool = True
    """Certificates for `*.ts.net` names; Funnel and Serve need them."""
    devices_approval_on: bool | None = None
    """A new device waits until somebody approves it; the operator's machines are approved by their key."""
    users_approval_on: bool | None = None
    """A new user waits until somebody approves them."""
    devices_key_duration_days: Annotated[int, Field(ge=1, le=180)] | None = None
    """After how many days a device without a tag logs in again."""


class TailscaleSsh(ExitNode):
    """Who logs in to the nodes by Tailscale SSH, which answers at port 22 on the tailnet, and asks for no key."""

    users: SshUsers = Field(default_factory=lambda: ["autogroup:nonroot"])
    """As which users of the node: names it has, `root`, `autogroup:nonroot` for any but root, or
    `localpart:*@example.com` for what stands before the `@` of each one's address there."""
    action: Literal["check", "accept"] = "check"
    """`check`: who has not logged in to Tailscale within `check_period` does so anew; `accept`: nobody has to."""
    check_period: CheckPeriod = "12h"
    """How long a check is good: from `1m` to `168h`, or `always` for a new one at every login."""

    @field_validator("check_period")
    @classmethod
    def _of_a_check(cls, period: str, said: ValidationInfo) -> str:
        if said.data.get("action") == "accept":
            raise PydanticCustomError(
                "check_period", "with `action: accept`, nobody is checked", {"fix": "remove it, or say `action: check`"}
            )
        return period


class Tailnet(Model):
    """The tailnet and what there is one of in it."""

    name: str
    """Such as `xantu-lizard.ts.net`."""
    dns: TailnetDns = TailnetDns()
    """What its devices ask for names."""
    settings: TailnetSettings = TailnetSettings()
    """Certificates, approval, expiry."""
    users: list[Person] = Field(default_factory=list)
    """People who are users of the tailnet, whether a private service names them or not. The policy's tests then show
    what they reach and what not; Tailscale refuses a test that names somebody it does not know."""
    policy: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")] | None = None
    """A file beside this one with a policy of your own, in HuJSON: it is kept, and what the services need is added."""
    ssh: Annotated[
        TailscaleSsh | None, BeforeValidator(keys_or_true, json_schema_input_type=bool | TailscaleSsh | None)
    ] = None
    """Tailscale SSH on every node of the estate: `true`, or keys that say who, as whom, and how often checked."""
    plan: TailnetPlan = "personal"
    """Tailscale's plan, for its limits: `personal`, `standard` or `premium`."""
    overwrite_policy: bool = False
    """Replace a policy that somebody wrote by hand; acknowledge `tailnet-policy-overwrite`."""


class Estate(Model):
    """What there is one of, however many nodes: account, zone, team, people, tailnet. One stack owns it."""

    account_id: AccountId
    """The Cloudflare account's id: 32 hexadecimal digits, in its dashboard's address."""
    team: Annotated[TeamText, WithJsonSchema({"type": "string", "pattern": f"^{LABEL.pattern}$"})]
    """The Zero Trust team's bare name: `<team>.cloudflareaccess.com`."""
    zone: Zone
    """The zone that host names are in which are not said."""
    other_zones: list[Zone] = Field(default_factory=list)
    """More zones, each with settings of its own; a host belongs to the longest zone that it ends in."""
    google: Google | None = None
    """The login of every set of people that names no other."""
    logins: dict[Label, Login] = Field(default_factory=dict)
    """Other logins by name, for sets of people that name one."""
    people: dict[SetName, SetOfPeople] = Field(default_factory=dict)
    """Sets of people by name: lists of addresses, or keys that say who is in it and on what terms."""
    default_people: People | None = None
    """The sets that services use which name none."""
    tokens: dict[Label, Token] = Field(default_factory=dict)
    """Service tokens by name, for apps and scripts that cannot log in."""
    session_duration: str = "24h"
    """How long a login lasts at every application, in Go units up to hours: `0s`, or up to a month (`730h`)."""
    tailnet: Tailnet | None = None
    """Needed by services that go by Tailscale."""

    @property
    def ssh(self) -> TailscaleSsh | None:
        """Tailscale SSH on the nodes, if it is on."""
        return self.tailnet.ssh if self.tailnet else None

    @property
    def zones(self) -> tuple[Zone, ...]:
        """Every zone, the one for names that are not said first."""
        return (self.zone, *self.other_zones)

    @cached_property
    def sets(self) -> Mapping[str, Members]:
        """Each set of people with its terms, whichever way it is written."""
        return {n: s if isinstance(s, Members) else Members(emails=s) for n, s in self.people.items()}

    @cached_property
    def members(self) -> Mapping[str, tuple[str, ...]]:
        """Who is in each set of people (`Members.words`)."""
        return {name: said.words for name, said in self.sets.items()}

    def who(self, names: Iterable[str]) -> set[str]:
        """Who is in any of these sets of people; a set that is not known has nobody."""
        return {word for name in names for word in self.members.get(name, ())}

    @cached_property
    def everybody(self) -> Mapping[str, tuple[str, ...]]:
        """Who is in each set of people, ended or not: whom claims are about."""
        return {name: said.everybody for name, said in self.sets.items()}

    def terms(self, names: Iterable[str]) -> Terms:
        """The terms of sets that are let in together. That they are the same, and known, is for rules to say."""
        return next((self.sets[name].terms for name in sorted(names) if name in self.sets), Members().terms)

    @property
    def first_login(self) -> str | None:
        """The login of applications that nobody logs in to, which have to name one; None where there is none."""
        return GOOGLE if self.google else next(iter(self.logins), None)

    def zone_of(self, host: str) -> Zone | None:
        """The longest zone that a host name is in, if any."""
        name = host.removeprefix("*.")
        inside = [z for z in self.zones if name == z.name or name.endswith(f".{z.name}")]
        return max(inside, key=lambda z: len(z.name), default=None)


class Claim(Model):
    """What holds of who reaches services, proved before anything is registered: `never` or `only`, of what is `on`."""

    never: str | None = None
    """Who reaches none of it: `anyone`, `lan`, `member`, a set of people (estate `people`), `token:` and the name of a
    service token, an e-mail address, or machines by their tag."""
    only: Words | None = None
    """Nobody reaches it but these: sets of people, service tokens (`token:phone`), e-mail addresses, tags of machines,
    or `lan`."""
    on: Words
    """Services of this stack, by key."""
    except_: Words = Field(default_factory=list, alias="except")
    """But for these paths and what is below them: `<service>/<path>`, such as `grafana/api`."""

    @model_validator(mode="after")
    def _one(self) -> Claim:
        if (self.never is None) == (self.only is None):
            raise PydanticCustomError(
                "claim",
                "a claim says either `never` or `only`",
                {"fix": "write one of the two, and another claim for the other"},
            )
        return self

    @property
    def excepted(self) -> tuple[tuple[str, str], ...]:
        """Service and path of each exception."""
        parts = (text.partition("/") for text in self.except_)
        return tuple((service, f"/{path}") for service, _, path in parts)

    def __str__(self) -> str:
        who = f"never: {self.never}" if self.never is not None else f"only: {', '.join(self.only or ())}"
        but = f" except {', '.join(self.except_)}" if self.except_ else ""
        return f"{who} on {', '.join(self.on)}{but}"


def _reference(value: str) -> str:
    *place, stack = value.split("/")
    if place in ([], list(_HERE)) and _STACK_NAME.fullmatch(stack):
        return value
    if len(place) == 2 and _STACK_NAME.fullmatch(stack):
        reason = (
            "the owner is a stack of this repository, so its project is `gatehouse`"
            if place[1] != NAMESPACE
            else "the owner is in the organization of this stack, whichever that is: `organization` stands for it, on "
            "Pulumi Cloud too"
        )
        raise PydanticCustomError("reference", reason, {"fix": f"write `{stack}`", "meant": stack})
    raise PydanticCustomError(
        "reference",
        "the owner is named by its stack: letters, digits, `-`, `_` and `.`",
        {"fix": "write the name in the owner's file name: `alfred` for Pulumi.alfred.yaml"},
    )


_HERE = ("organization", NAMESPACE)
_STACK_NAME = re.compile(r"[A-Za-z0-9_.-]+")
Reference = Annotated[
    str,
    AfterValidator(_reference),
    WithJsonSchema({"type": "string", "pattern": f"^({'/'.join(_HERE)}/)?{_STACK_NAME.pattern}$"}),
]
"""Another stack of the repository. On a file backend the organization is the literal `organization` [PU]."""


class StackConfig(Model):
    """Everything in `Pulumi.<stack>.yaml` under `gatehouse:`."""

    node: Node
    """The node that this stack is for."""
    estate: Estate | None = None
    """Present in the one stack that owns the estate."""
    member_of: Reference | None = None
    """The owner's stack, by its name or as `organization/gatehouse/<stack>`; present in every other stack."""
    services: dict[Label, Service] = Field(default_factory=dict)
    """The node's services by key; resources and the usual host names are named after the key."""
    claims: list[Claim] = Field(default_factory=list)
    """What must hold of who reaches its services; one that does not hold is refused."""
    acknowledge: dict[str, Reason] = Field(default_factory=dict)
    """Risks of the whole stack taken knowingly: rule id to reason."""
    adopt: dict[str, str] = Field(default_factory=dict)
    """What was there before, taken over: `<type>/<logical name>` to the provider's import id. `gatehouse adopt` writes
    it; what is named here is imported and stays as it is until the key is taken out."""
    recover: dict[str, str] = Field(default_factory=dict)
    """What Gatehouse made and its state lost: `<type>/<logical name>` to the provider's import id. `gatehouse adopt`
    writes it; what is named here is imported, and from then on as the rest of this file says."""


def owner_stack(member_of: str) -> str:
    """The short stack name in a reference (`organization/gatehouse/alfred` gives `alfred`)."""
    return member_of.rpartition("/")[2]


def owner_reference(member_of: str) -> str:
    """The full name for a StackReference, where the organization is the one of a file backend."""
    return "/".join((*_HERE, owner_stack(member_of)))
