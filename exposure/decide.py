"""Which gate a service gets, and why: one total, pure function of what the service is."""

from __future__ import annotations

from dataclasses import dataclass

from config.services import Gate, Service
from config.stack import Estate
from exposure.audience import ANYONE, meant
from exposure.names import is_web, scheme_of
from exposure.ways import WAYS
from exposure.ways.funnel import NO_LOGIN
from exposure.ways.tunnel import TunnelWay


@dataclass(frozen=True)
class Decision:
    """A gate, and the reason in words."""

    gate: Gate
    reason: str

    @property
    def cautions(self) -> tuple[str, ...]:
        """What to keep in mind at the gate."""
        return WAYS[self.gate].cautions


@dataclass(frozen=True)
class Objection:
    """Why a gate does not fit a service. `rule` may be acknowledged only where `acceptable`."""

    rule: str
    field: str
    reason: str
    mend: str
    source: str
    acceptable: bool = False


def decide(service: Service) -> Decision:
    """The gate for what the service is, whatever the file asks for."""
    web = is_web(service)
    if service.traffic == "acme-http-01":
        return Decision(
            "acme",
            "Let's Encrypt asks on port 80 only, which Cloudflare redirects to 443: challenges go by their path",
        )
    if service.clients == "tailnet":
        return Decision("tailnet", "only devices of the tailnet use it, so it stays off the internet")
    if not web:
        if service.clients == "anyone":
            return Decision(
                "port-forward",
                "not HTTP, and its clients run no Tailscale: only a forwarded port lets them in",
            )
        return Decision("tailnet", "not HTTP, and its clients are known people, who can run Tailscale")
    if service.traffic == "html" and service.bandwidth == "low":
        if service.sensitivity == "low" and service.clients == "anyone":
            return Decision(
                "public-tunnel",
                "HTML, low bandwidth and not sensitive: a Cloudflare Tunnel carries it to anyone",
            )
        if service.clients == "nobody":
            return Decision("zero-trust", "HTML of which some paths only are for somebody: all else is shut")
        what = "sensitive HTML" if service.sensitivity == "high" else "HTML for named people"
        return Decision("zero-trust", f"{what}: a Cloudflare Tunnel with Google login in front")
    load = "high bandwidth" if service.bandwidth == "high" else "mostly not HTML"
    if service.clients == "people":
        return Decision(
            "tailnet", f"{load}, which Cloudflare's free plan does not carry; for named people, and {NO_LOGIN}"
        )
    return Decision(
        "funnel",
        f"{load}, which Cloudflare's free plan does not carry: Tailscale Funnel takes it to clients without Tailscale",
    )


def chosen(service: Service) -> tuple[Decision, ...]:
    """The ways in force: those asked for where there are any, else the one decided."""
    decided = decide(service)
    taken = "; ".join(f"{rule}: {reason}" for rule, reason in sorted(service.acknowledge.items()))
    return tuple(
        decided
        if gate == decided.gate
        else Decision(
            gate,
            f"asked for in the stack file (the facts alone give {decided.gate})"
            + (f"; accepted: {taken}" if taken else ""),
        )
        for gate in service.asked or (decided.gate,)
    )


def objections(service: Service, estate: Estate | None) -> list[Objection]:
    """Everything that speaks against the gates in force."""
    return [found for decision in chosen(service) for found in _objections(service, estate, decision.gate)]


def _objections(service: Service, estate: Estate | None, gate: Gate) -> list[Objection]:
    way = WAYS.get(gate)
    if way is None:
        return []
    found: list[Objection] = []
    asked = "gates" if service.gates else "gate"

    def against(rule: str, field: str, reason: str, mend: str, source: str = "", acceptable: bool = False) -> None:
        found.append(Objection(rule, field, reason, mend, source, acceptable))

    if (service.traffic == "acme-http-01") != (gate == "acme"):
        reason = (
            "this gate carries challenges only"
            if gate == "acme"
            else "HTTP-01 challenges go by path, before every login"
        )
        against("gate-acme", asked, reason, f"remove `{asked}:`")
    scheme = scheme_of(service)
    page = service.traffic == "html"
    open_ = way.lets_in(service, estate) == ANYONE and gate != "acme"
    if scheme and scheme not in way.carries:
        against(
            "gate-not-http",
            asked,
            "Funnel by the Tailscale operator carries HTTPS only"
            if gate == "funnel"
            else "browsers speak HTTP to a tunnel; other protocols need a client program at both ends",
            "use gate tailnet for known people, port-forward for anyone",
            "TS cmd/k8s-operator" if gate == "funnel" else "CFDOC cloudflare-one/applications/non-http",
        )
    elif issubclass(way, TunnelWay) and (not page or service.bandwidth == "high"):
        against(
            "media-through-tunnel",
            "bandwidth" if service.bandwidth == "high" else "traffic",
            "Cloudflare's terms allow no video or other large files through the free plan; it may cut access off",
            "use gate funnel, tailnet or port-forward, or acknowledge `media-through-tunnel` with your reason",
            "CFDOC fundamentals/reference/policies-compliances/delivering-videos-with-cloudflare",
            True,
        )
    if service.sensitivity == "high" and open_:
        found += _sensitive(gate, asked, page, scheme in way.carries, service)
    if gate == "port-forward" and is_web(service) and not (page and service.sensitivity == "high"):
        against(
            "http-by-port-forward",
            asked,
            "plain HTTP crosses the internet unless the service itself speaks TLS, and nothing stands in front of it",
            "use gate funnel, or acknowledge `http-by-port-forward` and say what protects it",
            acceptable=True,
        )
    if gate == "tailnet" and service.clients == "anyone" and len(service.asked) < 2:
        against(
            "tailnet-for-anyone",
            "clients",
            "clients without Tailscale cannot reach a tailnet name",
            "say `clients: tailnet`, or use another gate",
        )
    if gate != "acme" and service.clients != "nobody" and not way.lets_in(service, estate) <= meant(service, estate):
        whom = {"people": "named people", "tailnet": "devices of the tailnet"}[service.clients]
        better = "zero-trust" if gate == "public-tunnel" and service.clients == "people" else "tailnet"
        against(
            "wider-than-meant",
            "clients",
            f"the clients are {whom}, and gate {gate} lets anyone in",
            f"use gate {better}, or say `clients: anyone`",
        )
    if service.clients == "nobody" and way.lets_in(service, estate) != meant(service, estate):
        against(
            "wider-than-meant",
            "clients",
            f"the clients are nobody but for `paths`, and gate {gate} lets in {way.lets_in(service, estate)}",
            "use gate zero-trust, or funnel with `paths`, or say whom `clients` are",
        )
    if page and service.sensitivity == "high" and service.clients == "anyone" and gate != "tailnet":
        against(
            "sensitive-for-anyone",
            "clients",
            "sensitive HTML for anyone is a contradiction: it goes behind Google login, and then not anyone gets in",
            "say `clients: people`, or `sensitivity: low`",
        )
    return found


def _sensitive(gate: Gate, asked: str, page: bool, carried: bool, service: Service) -> list[Objection]:
    """What is sensitive at a gate that lets anyone in."""
    if page:
        return [
            Objection(
                "sensitive-without-access",
                asked if service.asked else "sensitivity",
                f"gate {gate} shows a sensitive page to anyone who finds the name",
                f"use gate zero-trust (remove `{asked}:`), or say `sensitivity: low` if a stranger there does no harm",
                "",
            )
        ]
    if gate == "public-tunnel":
        return [
            Objection(
                "sensitive-without-access",
                asked,
                "gate public-tunnel lets anyone in, and this is sensitive",
                "use gate zero-trust, or say `sensitivity: low`",
                "",
            )
        ]
    if not carried:
        return []
    rule = "sensitive-on-funnel" if gate == "funnel" else "sensitive-by-port-forward"
    return [
        Objection(
            rule,
            "sensitivity",
            "Funnel has no login of its own, and this is sensitive"
            if gate == "funnel"
            else f"gate {gate} lets anyone try, with no login in front, and this is sensitive",
            f"use gate tailnet, or acknowledge `{rule}` and say what login the service has",
            "",
            True,
        )
    ]
