"""Gates: whether the gates in force fit what the service is, and each other, and whether they have what they need."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Literal

from config.services import NodeOrigin, PathClients, Service
from config.values import bare_host
from exposure.audience import ANYONE, NOBODY, meant_for_path, tokens
from exposure.names import is_web, scheme_of
from exposure.rules.base import OneService, Problem, Rules, listed
from exposure.ways import WAYS
from exposure.ways.acme import AcmeWay
from exposure.ways.funnel import FunnelWay
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import TunnelWay

RULES = Rules()


@RULES.service("gate-unknown", "Gatehouse: a gate is one of a table")
def _unknown(service: OneService) -> Iterator[Problem]:
    """A gate that is asked for is a known one."""
    for index, gate in enumerate(service.service.asked):
        if gate not in WAYS:
            yield service.problem(
                ("gates", index) if service.service.gates else "gate",
                gate,
                "there is no gate of this name",
                f"remove it, and the gate is decided from what the service is; or write one of: {', '.join(WAYS)}",
                suggestion=next(iter(difflib.get_close_matches(gate, WAYS, n=1, cutoff=0.6)), ""),
            )


@RULES.service("one-or-several", "Gatehouse: one way to say a thing")
def _one_or_several(service: OneService) -> Iterator[Problem]:
    """One gate or several, one host or several, and each once."""
    said = service.service
    for one, several, both in (
        ("gate", "gates", said.gate is not None and said.gates),
        ("host", "hosts", said.host is not None and said.hosts),
    ):
        if both:
            yield service.problem(
                one,
                getattr(said, one),
                f"both `{one}` and `{several}` are there, and only one of the two would count",
                f"list all of them under `{several}:`, and remove `{one}:`",
                related=(service.ref(several),),
            )
    lists: list[tuple[tuple[str, ...], Sequence[str]]] = [
        (("gates",), said.gates or ()),
        (("hosts",), [bare_host(host) for host in said.hosts or ()]),
        (("redirect_from",), [bare_host(host) for host in said.redirect_from or ()]),
        *(((word,), getattr(said, word) or ()) for word in ("people", "tokens", "machines")),
        *(
            (("paths", path, word), getattr(to, word) or ())
            for path, to in said.paths.items()
            for word in ("people", "tokens")
        ),
    ]
    for path, words in lists:
        for index, word in enumerate(words):
            if word in words[:index]:
                yield service.problem(
                    (*path, index),
                    word,
                    "it is listed twice",
                    "remove it",
                    related=(service.ref(*path, words.index(word)),),
                )


def _without(service: OneService, gate: str) -> str:
    """What is left of its gates, as the stack file has it."""
    left = [asked for asked in service.service.asked if asked != gate]
    return f"[{', '.join(left)}]" if service.service.gates else left[0]


@RULES.service("gates-clash", "tailscale.com/kb/1223; CFDOC cloudflare-one/access-controls/policies/app-paths", (54,))
def _clash(service: OneService) -> Iterator[Problem]:
    """No two gates of a service take the same host or machine."""
    asked = "gates" if service.service.gates else "gate"
    for one, two in combinations(dict.fromkeys(service.gates), 2):
        first, second = WAYS[one], WAYS[two]
        if AcmeWay in (first, second):
            reason = "gate acme carries nothing but challenges, for every service that renews its own certificate"
            fix = f"say `{asked}: {_without(service, 'acme')}`"
            if service.service.traffic == "acme-http-01":
                fix = f"remove `{asked}:`, and make a second service for the other gate"
        elif first.by != second.by or not first.by:
            continue
        elif first.by == "machine":
            reason = (
                f"{one} and {two} would need the same name on the tailnet, which is served either by Serve or by Funnel"
            )
            fix = (
                f"say `{asked}: {_without(service, 'tailnet')}`, since a Funnel's name works inside the tailnet too; "
                "or make a second service with another `tailnet_name:`"
            )
        elif issubclass(first, TunnelWay) and issubclass(second, TunnelWay):
            reason = f"{one} and {two} both go through the tunnel, where one host has one answer to who gets in"
            fix = f"say `{asked}: {_without(service, one)}`, and in `paths` which paths have other clients"
        else:
            reason = f"{one} and {two} would need the same host name, which leads either to the tunnel or to the router"
            fix = "remove one of the two, or make a second service with another `host:`"
        yield service.problem(asked, service.service.asked, reason, fix)


@RULES.service("nobody-at-all", "Gatehouse: a gate is checked against the facts")
def _nobody(service: OneService) -> Iterator[Problem]:
    """Somebody can reach each service."""
    said, web = service.service, is_web(service.service)
    if not service.gates or service.by(AcmeWay):
        return
    audiences = {path: meant_for_path(to, said, service.estate) for path, to in said.paths.items()}
    open_ = [path for path, audience in audiences.items() if audience == ANYONE]
    somebody = [audience for audience in (tokens(said.tokens), *audiences.values()) if audience != NOBODY]
    if said.clients == "nobody" and not (web and somebody):
        why = (
            "none of its paths is for somebody" if web else f"{scheme_of(said)} has no paths that could be for somebody"
        )
        fix = "list under `paths` who reaches what, or " if web else ""
        yield service.problem(
            "clients",
            "nobody",
            f"nobody could reach it: {why}",
            f"{fix}say `clients: people`, or remove the service",
        )
    elif service.by(FunnelWay) and said.paths and not open_:
        yield service.problem(
            "paths",
            None,
            "Funnel serves only the paths for anyone, and there is none",
            "list a path with `clients: anyone`, or use another gate",
        )
    elif service.ways == (FunnelWay,) and said.paths and said.clients != "nobody":
        yield service.problem(
            "clients",
            said.clients,
            f"with `paths`, Funnel serves only the open ones ({listed(sorted(open_))}), so its clients could not reach "
            "the rest",
            "say `clients: nobody`, or remove `paths:`",
        )


def _objecting(service: OneService, rule: str) -> Iterator[Problem]:
    """The objections of `exposure.decide` that carry one rule's id."""
    for objection in service.objections if service.gates else ():
        if objection.rule == rule:
            first, *below = objection.field
            value = None if below else getattr(service.service, first)
            yield service.problem(objection.field, value, objection.reason, objection.fix, source=objection.source)


@RULES.service("gate-acme", "LE docs/challenge-types")
def _gate_acme(service: OneService) -> Iterator[Problem]:
    """Gate acme carries HTTP-01 challenges, and no other gate does."""
    return _objecting(service, "gate-acme")


@RULES.service("gate-not-http", "CFDOC cloudflare-one/applications/non-http", (53,))
def _gate_not_http(service: OneService) -> Iterator[Problem]:
    """A tunnel and a Funnel carry nothing but HTTP."""
    return _objecting(service, "gate-not-http")


@RULES.service(
    "media-through-tunnel",
    "CFDOC fundamentals/reference/policies-compliances/delivering-videos-with-cloudflare",
    (50,),
    acceptable="service",
)
def _media_through_tunnel(service: OneService) -> Iterator[Problem]:
    """Media and high bandwidth through Cloudflare need an acknowledgement."""
    return _objecting(service, "media-through-tunnel")


@RULES.service("sensitive-without-access", "Gatehouse: sensitive HTML goes behind Zero Trust Access", (38,))
def _sensitive_without_access(service: OneService) -> Iterator[Problem]:
    """Sensitive HTML is behind Access."""
    return _objecting(service, "sensitive-without-access")


@RULES.service("sensitive-on-funnel", "tailscale.com/kb/1223", acceptable="service")
def _sensitive_on_funnel(service: OneService) -> Iterator[Problem]:
    """Something sensitive on a Funnel needs an acknowledgement."""
    return _objecting(service, "sensitive-on-funnel")


@RULES.service(
    "sensitive-by-port-forward", "Gatehouse: a forwarded port has no login in front of it", acceptable="service"
)
def _sensitive_by_port_forward(service: OneService) -> Iterator[Problem]:
    """Something sensitive by port forwarding needs an acknowledgement."""
    return _objecting(service, "sensitive-by-port-forward")


@RULES.service("http-by-port-forward", "Gatehouse: port forwarding is for non-HTTP services", acceptable="service")
def _http_by_port_forward(service: OneService) -> Iterator[Problem]:
    """Plain HTTP by port forwarding needs an acknowledgement."""
    return _objecting(service, "http-by-port-forward")


@RULES.service("tailnet-for-anyone", "tailscale.com/kb/1136")
def _tailnet_for_anyone(service: OneService) -> Iterator[Problem]:
    """What anyone uses is not on the tailnet alone."""
    return _objecting(service, "tailnet-for-anyone")


@RULES.service("wider-than-meant", "Gatehouse: a gate is checked against the facts")
def _wider_than_meant(service: OneService) -> Iterator[Problem]:
    """The gate lets in nobody but the clients."""
    return _objecting(service, "wider-than-meant")


@RULES.service("sensitive-for-anyone", "Gatehouse: sensitive HTML goes behind Zero Trust Access", (42,))
def _sensitive_for_anyone(service: OneService) -> Iterator[Problem]:
    """Sensitive HTML has named clients."""
    return _objecting(service, "sensitive-for-anyone")


_ELSEWHERE = "for a machine outside the cluster, set the forward in the router alone: Gatehouse has no part in it"


@RULES.service("gate-origin", "TS cmd/k8s-operator", (53, 58))
def _origin(service: OneService) -> Iterator[Problem]:
    """Funnel, tailnet and port forwarding have an origin they can serve."""
    for gate, way in zip(service.gates, service.ways, strict=True):
        if not isinstance(service.service.origin, way.origins):
            also = ", or a port of the node by `on_node`" if NodeOrigin in way.origins else ""
            yield service.problem(
                "origin",
                None,
                f"gate {gate} needs a Kubernetes Service of the cluster"
                + (" or a port of the node" if also else "")
                + " as the origin",
                f"name a Kubernetes Service by `namespace`, `service` and `port`{also}; "
                + (
                    _ELSEWHERE
                    if way is PortForwardWay
                    else "for a machine outside, make a Service without a selector and an EndpointSlice with "
                    "its address"
                ),
            )


@RULES.service("port-forward-ports", "Kubernetes Service")
def _ports(service: OneService) -> Iterator[Problem]:
    """Port forwarding names its ports."""
    if service.by(PortForwardWay) and not service.service.port_forward:
        yield service.problem(
            "port_forward",
            None,
            "nothing says which ports the router forwards",
            "list each under `port_forward:`, such as `{external_port: 25565, protocol: tcp, service_port: 25565, "
            "node_port: 32565}`",
        )


@RULES.service("port-forward-twice", "Kubernetes Service")
def _ports_twice(service: OneService) -> Iterator[Problem]:
    """A forwarded Service lists each port once."""
    forwarded = enumerate(service.service.port_forward or ())
    yield from _listed_twice(
        service, [(("port_forward", i, "service_port"), p.protocol, p.service_port) for i, p in forwarded]
    )


@RULES.service("other-ports-twice", "Kubernetes Service")
def _other_ports_twice(service: OneService) -> Iterator[Problem]:
    """A Service's ports are listed once."""
    origin = service.cluster_origin
    if origin and origin.other_ports:
        others = enumerate(origin.other_ports)
        main = (("origin", "port"), "udp" if origin.scheme == "udp" else "tcp", origin.port)
        yield from _listed_twice(
            service, [main, *((("origin", "other_ports", i, "port"), p.protocol, p.port) for i, p in others)]
        )


def _listed_twice(service: OneService, ports: Iterable[tuple[tuple[str | int, ...], str, int]]) -> Iterator[Problem]:
    seen: dict[tuple[str, int], tuple[str | int, ...]] = {}
    for path, protocol, port in ports:
        first = seen.setdefault((protocol, port), path)
        if first != path:
            yield service.problem(
                path,
                port,
                f"{protocol} port {port} of the Service is listed twice, and Kubernetes refuses a Service with two "
                "such ports",
                "remove one of the two",
                related=(service.ref(*first),),
            )


@RULES.service("selector-missing", "Kubernetes Service")
def _selector(service: OneService) -> Iterator[Problem]:
    """A Service that Gatehouse makes knows its pods."""
    origin, node = service.cluster_origin, service.inside.node
    rendered = bool(node and node.manifests_folder)
    raw = service.by(TailnetWay) and not is_web(service.service)
    if origin is None or origin.selector or not (service.by(PortForwardWay) or (raw and rendered)):
        return
    yield service.problem(
        ("origin", "selector"),
        None,
        "Gatehouse makes a Service of its own here, which needs the labels of the pods that it leads to"
        if service.by(PortForwardWay)
        else "rendered manifests cannot change a Service that is there, so Gatehouse makes one of its own, which needs "
        "the labels of the pods that it leads to",
        f"add `selector:` with the labels of the pods; `kubectl -n {origin.namespace} describe service "
        f"{origin.service}` shows them; "
        + (_ELSEWHERE if service.by(PortForwardWay) else "where it has none, leave `manifests_folder` out"),
    )


@RULES.service("no-effect", "Gatehouse: unknown keys are refused, for a key with no effect protects nothing")
def _no_effect(service: OneService) -> Iterator[Problem]:
    """A setting has an effect at the service's gate."""
    if not service.gates:
        return
    said, origin = service.service, service.cluster_origin
    raw = not is_web(said)
    https = scheme_of(said) == "https" or bool(origin and origin.through_ingress)
    pods = bool(origin and origin.selector)
    forwarded = service.by(PortForwardWay)
    # A host at gate funnel is another rule's finding.
    named = not service.by(FunnelWay) or service.counts("host")
    # Where it stands, what is said, whether the rest of the service lets it count, and what that would take.
    asks = _asks(said)
    session = said.access.session_duration if said.access and asks and service.counts("access") else None
    rows: list[tuple[tuple[str | int, ...], object, bool, str]] = [
        (("host",), said.host if named else None, True, ""),
        (("hosts",), said.hosts if named else None, True, ""),
        (("redirect_from",), said.redirect_from, True, ""),
        (("tokens",), said.tokens, said.clients != "anyone", " where not anyone gets in anyway"),
        (("access",), said.access, asks != "", " where people or tokens get in"),
        (("access", "session_duration"), session, asks == "people", " where people get in"),
        (("machines",), said.machines, True, ""),
        (("path",), said.path, True, ""),
        (("tailnet_name",), said.tailnet_name, origin is not None, " for a Service of the cluster"),
        (("port_forward",), said.port_forward, True, ""),
        (("funnel_port",), said.funnel_port, True, ""),
        (("origin_request",), said.origin_request, True, ""),
        (("origin_tls",), said.origin_tls, https, " with an https origin"),
    ]
    if origin:
        others = enumerate(origin.other_ports or ())
        with_pods = " with a tcp or udp origin and a `selector`"
        rows += [
            (("origin", "through_ingress"), origin.through_ingress, True, ""),
            (("origin", "port_name"), origin.port_name, https and not raw, " with an https origin"),
            (("origin", "selector"), origin.selector, raw or forwarded, " with a tcp or udp origin"),
            (("origin", "target_port"), origin.target_port, raw and pods, with_pods),
            (("origin", "other_ports"), origin.other_ports, raw, " with a tcp or udp origin"),
            *((("origin", "other_ports", i, "target_port"), p.target_port, pods, with_pods) for i, p in others if raw),
        ]
    for path, value, fits, needs in rows:
        setting = {"hosts": "host", "access": "access"}.get(str(path[0]), str(path[-1]))
        if value is not None and not (fits and service.counts(setting)):
            able = [
                f"{g}{'' if way is PortForwardWay else needs}" for g, way in WAYS.items() if setting in way.settings
            ]
            yield _without_effect(service, path, value, listed(able))
    yield from _people_without_effect(service)


def _asks(said: Service) -> Literal["people", "tokens", ""]:
    """Who gets in somewhere, people before tokens: then there is an Access application that asks."""
    places: list[Service | PathClients] = [said, *said.paths.values()]
    if any(to.clients == "people" for to in places):
        return "people"
    return "tokens" if any(to.tokens for to in places) else ""


def _people_without_effect(service: OneService) -> Iterator[Problem]:
    said = service.service
    inherited = service.counts("paths") and any(to.clients == "people" and not to.people for to in said.paths.values())
    if said.people is not None and not inherited and (said.clients == "nobody" or not service.counts("people")):
        able = (gate for gate, way in WAYS.items() if "people" in way.settings)
        yield _without_effect(service, ("people",), ", ".join(said.people), listed(able))
    tunnel = service.by(TunnelWay)
    for path, to in said.paths.items():
        if to.ips and service.by(FunnelWay):
            yield service.problem(
                ("paths", path, "ips"),
                ", ".join(to.ips),
                "nothing in front of gate funnel tells callers by their addresses, so the path is not served",
                f"remove the path, or ask for a gate by a tunnel; without `ips:` anyone reaches {path}",
            )
        beside = f"beside `clients: {to.clients}`"
        for word, names, fits, where in (
            ("people", to.people, to.clients == "people", beside),
            ("tokens", to.tokens, tunnel and to.clients != "anyone", beside if tunnel else "but by a tunnel"),
        ):
            if names is not None and not fits:
                yield service.problem(
                    ("paths", path, word),
                    ", ".join(names),
                    f"it has no effect {where}",
                    "remove it, or remove `clients:`" if tunnel else "remove it",
                )


def _without_effect(service: OneService, path: tuple[str | int, ...], value: object, able: str) -> Problem:
    return service.problem(
        path,
        value if isinstance(value, str | int) else None,
        f"it has no effect at gate {service.gate_words}, and who relies on it would be wrong",
        f"remove it; it has an effect at gate {able}",
    )
