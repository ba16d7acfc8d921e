"""Which gate a service gets, and why: one total, pure function of what the service is."""

from __future__ import annotations

from dataclasses import dataclass

from config.services import Gate, Service
from exposure.names import scheme_of

FUNNEL_CAUTION = (
    "Funnel's bandwidth limit is not disclosed and cannot be raised; if streams stall, use port-forward or the tailnet"
)
_UNSHIELDED = "the service meets the internet with nothing in front of it: keep it patched"
_NO_LOGIN = "Funnel has no login of its own: whoever knows the name meets the service's own login"

_CAUTIONS: dict[str, tuple[str, ...]] = {"funnel": (FUNNEL_CAUTION, _NO_LOGIN), "port-forward": (_UNSHIELDED,)}


@dataclass(frozen=True)
class Decision:
    """A gate, the reason in words, and what to keep in mind."""

    gate: Gate
    reason: str
    cautions: tuple[str, ...] = ()


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
    """The gate for what the service is, whatever `gate:` asks for."""
    web = scheme_of(service) in ("http", "https")
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
                _CAUTIONS["port-forward"],
            )
        return Decision("tailnet", "not HTTP, and its clients are known people, who can run Tailscale")
    if service.traffic == "html" and service.bandwidth == "low":
        if service.sensitivity == "low" and service.clients == "anyone":
            return Decision(
                "public-tunnel",
                "HTML, low bandwidth and not sensitive: a Cloudflare Tunnel carries it to anyone",
            )
        what = "sensitive HTML" if service.sensitivity == "high" else "HTML for named people"
        return Decision("zero-trust", f"{what}: a Cloudflare Tunnel with Google login in front")
    load = "high bandwidth" if service.bandwidth == "high" else "mostly not HTML"
    if service.clients == "people" and service.sensitivity == "high":
        return Decision(
            "tailnet",
            f"{load}, which Cloudflare's free plan does not carry; sensitive, for named people, and {_NO_LOGIN}",
        )
    return Decision(
        "funnel",
        f"{load}, which Cloudflare's free plan does not carry: Tailscale Funnel takes it to clients without Tailscale",
        _CAUTIONS["funnel"],
    )


def chosen(service: Service) -> Decision:
    """The gate in force: the one asked for where there is one, else the one decided."""
    decided = decide(service)
    if service.gate is None or service.gate == decided.gate:
        return decided
    cautions = _CAUTIONS.get(service.gate, ())
    taken = "; ".join(f"{rule}: {reason}" for rule, reason in sorted(service.acknowledge.items()))
    return Decision(
        service.gate,
        f"asked for in the stack file (the facts alone give {decided.gate})"
        + (f"; accepted: {taken}" if taken else ""),
        cautions,
    )


def objections(service: Service) -> list[Objection]:
    """Everything that speaks against the gate in force."""
    gate = chosen(service).gate
    web = scheme_of(service) in ("http", "https")
    found: list[Objection] = []

    def against(rule: str, field: str, reason: str, mend: str, source: str = "", acceptable: bool = False) -> None:
        found.append(Objection(rule, field, reason, mend, source, acceptable))

    if service.traffic == "acme-http-01" and gate != "acme":
        against("gate-acme", "gate", "HTTP-01 challenges go by path, before every login", "remove `gate:`")
    if gate == "acme" and service.traffic != "acme-http-01":
        against("gate-acme", "gate", "this gate carries challenges only", "remove `gate:`")
    if gate in ("public-tunnel", "zero-trust"):
        if not web and scheme_of(service):
            against(
                "gate-not-http",
                "gate",
                "browsers speak HTTP to a tunnel; other protocols need a client program at both ends",
                "use gate tailnet for known people, port-forward for anyone",
                "CFDOC cloudflare-one/applications/non-http",
            )
        elif service.traffic == "non-html" or service.bandwidth == "high":
            against(
                "media-through-tunnel",
                "bandwidth" if service.bandwidth == "high" else "traffic",
                "Cloudflare's terms allow no video or other large files through the free plan; it may cut access off",
                "use gate funnel, tailnet or port-forward, or acknowledge `media-through-tunnel` with your reason",
                "CFDOC fundamentals/reference/policies-compliances/delivering-videos-with-cloudflare",
                True,
            )
    sensitive_page = service.traffic == "html" and service.sensitivity == "high"
    if gate in ("public-tunnel", "port-forward", "funnel") and sensitive_page:
        against(
            "sensitive-without-access",
            "gate" if service.gate else "sensitivity",
            f"gate {gate} shows a sensitive page to anyone who finds the name",
            "use gate zero-trust (remove `gate:`), or say `sensitivity: low` if a stranger there does no harm",
        )
    elif gate == "public-tunnel" and service.sensitivity == "high":
        against(
            "sensitive-without-access",
            "gate",
            "gate public-tunnel lets anyone in, and this is sensitive",
            "use gate zero-trust, or say `sensitivity: low`",
        )
    if gate == "funnel" and not sensitive_page:
        if not web:
            against(
                "gate-not-http",
                "gate",
                "Funnel by the Tailscale operator carries HTTPS only",
                "use gate tailnet or port-forward",
                "TS cmd/k8s-operator",
            )
        elif service.sensitivity == "high":
            against(
                "sensitive-on-funnel",
                "sensitivity",
                "Funnel has no login of its own, and this is sensitive",
                "use gate tailnet, or acknowledge `sensitive-on-funnel` and say what login the service has",
                acceptable=True,
            )
    if gate == "port-forward" and web and not sensitive_page:
        against(
            "http-by-port-forward",
            "gate",
            "plain HTTP crosses the internet unless the service itself speaks TLS, and nothing stands in front of it",
            "use gate funnel, or acknowledge `http-by-port-forward` and say what protects it",
            acceptable=True,
        )
    if gate == "tailnet" and service.clients == "anyone":
        against(
            "tailnet-for-anyone",
            "clients",
            "clients without Tailscale cannot reach a tailnet name",
            "say `clients: tailnet`, or use another gate",
        )
    if gate in ("funnel", "public-tunnel", "port-forward") and service.clients == "tailnet":
        against(
            "wider-than-meant",
            "clients",
            f"the clients are devices of the tailnet, and gate {gate} lets anyone in",
            "use gate tailnet, or say `clients: anyone`",
        )
    if gate in ("public-tunnel", "port-forward") and service.clients == "people":
        against(
            "wider-than-meant",
            "clients",
            f"the clients are named people, and gate {gate} lets anyone in",
            f"use gate {'zero-trust' if gate == 'public-tunnel' else 'tailnet'}, or say `clients: anyone`",
        )
    if sensitive_page and service.clients == "anyone" and gate != "tailnet":
        against(
            "sensitive-for-anyone",
            "clients",
            "sensitive HTML for anyone is a contradiction: it goes behind Google login, and then not anyone gets in",
            "say `clients: people`, or `sensitivity: low`",
        )
    return found
