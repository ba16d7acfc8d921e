"""Which gate a service gets, and why: one total, pure function of what the service is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.services import Gate, Service, ServiceOrigin
from config.stack import Estate
from config.values import Path
from exposure.audience import ANYONE, meant, meant_for_path
from exposure.names import is_web, scheme_of
from exposure.ways import WAYS
from exposure.ways.funnel import NO_LOGIN
from exposure.ways.tunnel import TunnelWay
from exposure.ways.way import Way


@dataclass(frozen=True)
class Decision:
    """A gate, and the reason in words."""

    gate: Gate
    reason: str


@dataclass(frozen=True)
class Objection:
    """Why a gate does not fit a service, and at which key of it. `rule` may be acknowledged only where `acceptable`."""

    rule: str
    field: tuple[str, ...]
    reason: str
    fix: str
    source: str = ""
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
        return Decision("zero-trust", f"{what}: a Cloudflare Tunnel with a login in front")
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
    found = [o for d in chosen(service) if d.gate in WAYS for o in _objections(service, estate, WAYS[d.gate])]
    return list(dict.fromkeys(found))


def _objections(service: Service, estate: Estate | None, way: type[Way]) -> Iterator[Objection]:
    gate, scheme, said = way.gate, scheme_of(service), service.clients
    asked = ("gates" if service.gates else "gate",)
    page = service.traffic == "html"
    if (service.traffic == "acme-http-01") != (gate == "acme") and not (
        len(service.asked) > 1 and "acme" in service.asked
    ):
        yield Objection(
            "gate-acme",
            asked,
            "this gate carries nothing but challenges"
            if gate == "acme"
            else "HTTP-01 challenges need gate acme, which lets them pass every login",
            f"remove `{asked[0]}:`",
        )
    if gate != "acme" and scheme and scheme not in way.carries:
        yield Objection(
            "gate-not-http",
            asked,
            "Funnel carries nothing but HTTPS, as the Tailscale operator makes it"
            if gate == "funnel"
            else "a tunnel carries HTTP; other protocols would need a program at the client's end",
            _instead(service, estate, way),
            "TS cmd/k8s-operator" if gate == "funnel" else "CFDOC cloudflare-one/applications/non-http",
        )
    elif issubclass(way, TunnelWay) and (service.traffic == "non-html" or service.bandwidth == "high"):
        yield Objection(
            "media-through-tunnel",
            ("bandwidth" if service.bandwidth == "high" else "traffic",),
            "Cloudflare's terms allow no video or other large files on the free plan, and it may cut off access",
            f"{_instead(service, estate, way)}, or acknowledge `media-through-tunnel` with your reason",
            "CFDOC fundamentals/reference/policies-compliances/delivering-videos-with-cloudflare",
            True,
        )
    if gate == "port-forward" and is_web(service) and not (page and service.sensitivity == "high"):
        yield Objection(
            "http-by-port-forward",
            asked,
            "nothing stands in front of it, and unless the service itself speaks TLS, everything crosses the internet "
            "in "
            "clear",
            f"{_instead(service, estate, way)}, or acknowledge `http-by-port-forward` and say what protects it",
            acceptable=True,
        )
    if gate == "acme":
        return
    if service.sensitivity == "high":
        yield from _sensitive(service, estate, way)
    if gate == "tailnet" and said == "anyone" and len(service.asked) < 2:
        yield Objection(
            "tailnet-for-anyone",
            ("clients",),
            "clients without Tailscale cannot reach it on the tailnet",
            "say `clients: tailnet`, or use another gate",
        )
    yield from _wider(service, estate, way)


def _instead(service: Service, estate: Estate | None, way: type[Way]) -> str:
    """Which other gate to use, so that nothing speaks against it."""
    if len(service.asked) > 1:
        return f"take {way.gate} out of `gates:`"
    gate = decide(service).gate
    move = moved(service, estate, gate) if gate != way.gate else ""
    return (
        move if move and not any(_objections(service, estate, WAYS[gate])) else "use a gate that fits (docs/gates.md)"
    )


def moved(service: Service, estate: Estate | None, gate: Gate, more: str = "") -> str:
    """What to write for another gate: the gate, and the keys that have no effect there; empty where it cannot be."""
    way = WAYS[gate]
    if not isinstance(service.origin, way.origins) or scheme_of(service) not in way.carries:
        return ""
    if gate == "port-forward" and not (service.port_forward and getattr(service.origin, "selector", None)):
        return "use gate port-forward, which needs `port_forward:` and the origin's `selector:`"
    counting = {setting for other in WAYS.values() for setting in other.settings} | {"own_certificate"}
    said = {key: "host" if key == "hosts" else key for key in sorted(service.model_fields_set)}
    if isinstance(service.origin, ServiceOrigin):
        said |= {key: key for key in sorted(service.origin.model_fields_set)}
    lost = [f"`{key}:`" for key, setting in said.items() if setting in counting - way.settings or key == "gates"]
    needs = ", with a `tailnet:` in the estate" if way.by == "machine" and estate and not estate.tailnet else ""
    return f"say `gate: {gate}`{more}{', and remove ' + ' and '.join(lost) if lost else ''}{needs}"


def _wider(service: Service, estate: Estate | None, way: type[Way]) -> Iterator[Objection]:
    """Where the gate lets in somebody whom `clients` does not: to all of the service, or to a path of it."""
    gate, inside = way.gate, way.lets_in(service, estate)
    # Nobody at all is another rule's finding.
    # A login is asked for anywhere: it is no device.
    elsewhere = service.clients == "tailnet" and issubclass(way, TunnelWay) and not inside.anyone
    if (elsewhere or not inside <= meant(service, estate)) and (service.clients != "nobody" or is_web(service)):
        whom = {"people": "named people", "tailnet": "devices of the tailnet", "nobody": "nobody, except on `paths`"}
        if service.clients == "nobody":
            fix = "use gate zero-trust, or funnel with `paths`, or say who its `clients` are"
        else:
            fix = _instead(service, estate, way)
            if elsewhere:
                fix += ", or say `clients: people`"
            elif service.traffic != "html" or service.sensitivity == "low":
                fix += ", or say `clients: anyone`"
        yield Objection(
            "wider-than-meant",
            ("clients",),
            f"its clients are {whom[service.clients]}, and gate {gate} lets in {inside}"
            + (" from any device" if elsewhere else ""),
            fix,
        )
    audiences = {Path(path): meant_for_path(to, service, estate) for path, to in service.paths.items()}
    for path, audience in audiences.items():
        shut = gate == "funnel" and audience != ANYONE
        above = [p for p, a in audiences.items() if shut and a == ANYONE and p.covers(path)]
        if above:
            why = f"Funnel serves {above[0]} to anyone, with everything below"
            fix = f"in place of {above[0]}, list the paths below it that are open"
        elif audience.ips and inside <= meant(service, estate):
            # Its own people by another way are no wider: who calls from an address does so beside them.
            continue
        elif "paths" not in way.settings and len(service.asked) > 1 and not inside <= audience:
            why = f"gate {gate} lets {inside} in to the whole service, whatever the path"
            fix = f"take {gate} out of `gates:`, or let them in to this path too"
        else:
            continue
        yield Objection(
            "wider-than-meant",
            ("paths", str(path)),
            f"this path is for {audience}, and {why}",
            fix,
        )


def _sensitive(service: Service, estate: Estate | None, way: type[Way]) -> Iterator[Objection]:
    """What speaks against a gate that shows something sensitive to anyone."""
    gate, page = way.gate, service.traffic == "html"
    asked = "gates" if service.gates else "gate"
    whole = way.lets_in(service, estate) == ANYONE
    open_path = gate == "funnel" and any(to.clients == "anyone" for to in service.paths.values())
    if whole and (page or gate == "public-tunnel"):
        what = "a sensitive page" if page else "something sensitive"
        yield Objection(
            "sensitive-without-access",
            (asked if service.asked else "sensitivity",),
            f"gate {gate} shows {what} to anyone who finds the name",
            "say `sensitivity: low`, if a stranger there does no harm; or "
            + (
                _instead(service, estate, way)
                if service.clients != "anyone"
                else "say `clients: people`, and they log in"
            ),
        )
    elif (whole or open_path) and scheme_of(service) in way.carries:
        rule = "sensitive-on-funnel" if gate == "funnel" else "sensitive-by-port-forward"
        yield Objection(
            rule,
            ("sensitivity",),
            "Funnel has no login of its own, and this service is sensitive"
            if gate == "funnel"
            else f"gate {gate} lets anyone try, with no login in front, and this service is sensitive",
            f"use gate tailnet, or acknowledge `{rule}` and say what login the service has",
            acceptable=True,
        )
    if page and service.clients == "anyone" and gate != "tailnet":
        yield Objection(
            "sensitive-for-anyone",
            ("clients",),
            "sensitive HTML goes behind a login, which lets in named people only",
            "say `clients: people`, or `sensitivity: low`; where only a part is sensitive, say `sensitivity: low` and "
            "list that part under `paths:` with clients of its own",
        )
