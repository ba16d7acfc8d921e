"""By Tailscale Funnel: for anyone who knows the name, past Cloudflare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from config.fields import Label, Port
from config.services import Service, ServiceOrigin
from config.stack import Estate
from config.values import ROOT, Machine, Path, Tag
from exposure.audience import ANYONE, NOBODY, Audience, meant_for_path
from exposure.names import FUNNEL_TAG
from exposure.ways.way import PASSES, Facts, Way

NO_LOGIN = "Funnel has no login of its own: whoever knows the name meets the service's own login"


@dataclass(frozen=True)
class FunnelWay(Way):
    """A Kubernetes Service at `https://<machine>.<tailnet>/`, of which `paths` are served and nothing else."""

    namespace: Annotated[Label, PASSES]
    backend: Annotated[Label, PASSES]
    port: Annotated[Port, PASSES]
    machine: Annotated[Machine, PASSES]
    tailnet: str = ""
    tag: Tag = FUNNEL_TAG
    paths: tuple[Path, ...] = (ROOT,)
    waits: tuple[str, ...] = ()
    port_name: str | None = None

    gate = "funnel"
    component = "components.funnel_service.FunnelService"
    phrase = "Tailscale, no login"
    stations = ("internet", "funnel", "proxy")
    origins = (ServiceOrigin,)
    settings = frozenset({"tailnet_name", "funnel_port", "paths", "port_name"})
    cautions = (
        "Funnel's bandwidth limit is not disclosed and cannot be raised; if streams stall, use port-forward or the "
        "tailnet",
        NO_LOGIN,
    )
    by: ClassVar[str] = "machine"

    @classmethod
    def lets_in(cls, service: Service, estate: Estate | None) -> Audience:
        """Anyone, who then meets the service's own login; nobody but on the open paths where there are any."""
        return NOBODY if service.paths else ANYONE

    @classmethod
    def plan(cls, facts: Facts) -> Self:
        """See `Way`."""
        origin = facts.origin
        said = facts.service.paths
        open_ = [Path(p) for p, to in said.items() if meant_for_path(to, facts.service, facts.estate) == ANYONE]
        return cls(
            facts.key,
            facts.title,
            cls.lets_in(facts.service, facts.estate),
            origin.namespace,
            origin.service,
            origin.port,
            facts.machine,
            facts.tailnet,
            paths=tuple(sorted(open_)) if said else (ROOT,),
            waits=() if facts.node.tailscale_operator == "helm" else ("tailscale-operator",),
            port_name=origin.port_name,
        )

    @property
    def urls(self) -> tuple[str, ...]:
        """See `Way`."""
        return tuple(f"https://{self.machine}.{self.tailnet}{path}" for path in self.paths)

    @property
    def reaches(self) -> str:
        """See `Way`."""
        return "anyone on the internet who knows the name"
