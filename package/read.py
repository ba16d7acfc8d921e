"""What the package is given, read as values. A wrong one is a ValueError: property, value, why, and the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar

import pulumi
from pydantic import ConfigDict, TypeAdapter, ValidationError

from components.access import Access
from config.fields import IPv4, Label, NodePort, Port, SelectorKey, SelectorValue, TargetPort
from config.services import Controller
from config.values import ROOT, Host, Machine, MalformedError, OriginUrl, Path, Tag
from exposure.audience import ANYONE, NOBODY, Audience, people
from exposure.model import AccessApplication
from exposure.ways.acme import Challenges
from exposure.ways.funnel import FunnelWay
from exposure.ways.port_forward import ForwardedPort, PortForwardWay
from exposure.ways.tailnet import TailnetPort, TailnetWay
from exposure.ways.tunnel import ManagedIngress, PublicTunnelWay, TunnelWay, ZeroTrustWay
from exposure.ways.way import Claim, OriginSettings
from package import args as given_as

_T = TypeVar("_T")
_MEMBERS = ("people", "public", "nobody")


def _shape(kind: Any) -> Callable[[Any], Any]:
    return TypeAdapter(kind, config=ConfigDict(strict=True)).validate_python


_label, _port, _node_port, _ipv4 = _shape(Label), _shape(Port), _shape(NodePort), _shape(IPv4)
_target = _shape(TargetPort)
_protocol = _shape(Literal["tcp", "udp"])
_scheme = _shape(Literal["http", "https"])
_controller = _shape(Controller)
_selector = _shape(dict[SelectorKey, SelectorValue])


def whole(value: Any) -> Any:
    """Whole numbers as such, at any depth: over the wire they come as floats."""
    if isinstance(value, Mapping):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read(where: str, name: str, parse: Callable[[Any], _T], value: Any) -> _T:
    """A property's value, parsed."""
    try:
        return parse(whole(value))
    except ValidationError as wrong:
        why = wrong.errors()[0]["msg"]
    except MalformedError as wrong:
        why = str(wrong)
    raise ValueError(f"{where}: `{name}` is {value!r}: {why}")


def each(where: str, name: str, parse: Callable[[Any], _T], values: Any) -> tuple[_T, ...]:
    """A property that is a list of at least one; text is none, though it has letters."""
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"{where}: `{name}` is {values!r}: it is a list of at least one; write [{values or '…'}]")
    return tuple(read(where, name, parse, value) for value in values)


def audience(where: str, said: Mapping[str, Any]) -> Audience:
    """Whom a route or a path says that it is for."""
    named = [member for member in _MEMBERS if said.get(member)]
    if len(named) != 1:
        raise ValueError(f"{where} says {' and '.join(named) or 'none'} of `people`, `public` and `nobody`; say one")
    if named == ["people"]:
        return people(each(where, "people", str, said["people"]))
    return ANYONE if named == ["public"] else NOBODY


def tunnel_way(name: str, route: given_as.Route) -> TunnelWay:
    """The way of a route."""
    where = f"{name}: route {route['key']!r}"
    whom, said = audience(where, route), route.get("paths", {})
    if not isinstance(said, Mapping):
        raise ValueError(f"{where}: `paths` is {said!r}: write each path with whom it is for, `/api: {{public: true}}`")
    paths = {read(where, "paths", Path.parse, path): audience(f"{where}, path {path}", to) for path, to in said.items()}
    for path, to in paths.items():
        above = max((p for p in paths if p != path and p.covers(path)), key=len, default=None)
        if to == (paths[above] if above else whom):
            raise ValueError(f"{where}: path {path} is for {to}, and so is what is above it; take it out")
    kind = PublicTunnelWay if whom == ANYONE else ZeroTrustWay
    return kind.of(
        route["key"],
        hosts=each(where, "hosts", Host.parse, route["hosts"]),
        origin=read(where, "origin", OriginUrl.parse, route["origin"]),
        title=route.get("title"),
        audience=whom,
        path=read(where, "path", Path.parse, route.get("path", "/")),
        paths={str(path): to for path, to in paths.items()},
        request=OriginSettings(
            origin_server_name=route.get("origin_server_name"),
            no_tls_verify=route.get("no_tls_verify", False),
            http_host_header=route.get("http_host_header"),
        ),
    )


def challenges(name: str, route: given_as.Route, way: TunnelWay) -> Challenges | None:
    """The challenges of a route that renews its own certificate."""
    solver = route.get("acme_solver")
    if solver is None:
        return None
    where = f"{name}: route {route['key']!r}"
    if any(host.wildcard for host in way.hosts):
        raise ValueError(
            f"{where}: `acmeSolver` is for hosts by name, for HTTP-01 takes no wildcard; take one of the two out"
        )
    return Challenges(way.service, way.title, way.hosts, read(where, "acmeSolver", OriginUrl.parse, solver))


def refuse_twice(name: str, keys: Iterable[str], claims: Iterable[Claim]) -> None:
    """Raise ValueError where two routes have one key, or one path of a host."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"{name}: two routes have the key {key!r}; rename one")
        seen.add(key)
    taken: dict[str, str] = {}
    for claim in claims:
        if claim.destination in taken:
            raise ValueError(
                f"{name}: routes {taken[claim.destination]!r} and {claim.service!r} both have {claim.destination}; "
                "give one of them another host or path"
            )
        taken[claim.destination] = claim.service


def access(name: str, args: given_as.TunnelRoutesArgs, planned: Iterable[AccessApplication]) -> Access:
    """What the applications attach. Raises ValueError where something is missing for one of them."""
    sets = set()
    for application in planned:
        whom = application.audience
        needs = {"identity_provider_id": "identityProviderId", "policy_ids": "policyIds"}
        if whom == ANYONE:
            if application.path.root:
                raise ValueError(
                    f"{name}: {application.name} is for anyone, and a wildcard above it is not; rename one"
                )
            needs = {"bypass_policy_id": "bypassPolicyId"}
        elif whom == NOBODY:
            needs = {"identity_provider_id": "identityProviderId", "deny_policy_id": "denyPolicyId"}
        else:
            sets.add(whom.set_name)
        missing = [shown for key, shown in needs.items() if args.get(key) is None]
        if missing:
            raise ValueError(f"{name}: {application.name} is for {whom}, which needs {' and '.join(missing)}")
    policies = pulumi.Output.from_input(args.get("policy_ids"))
    return Access(
        args["account_id"],
        args.get("identity_provider_id"),
        {found: policies.apply(partial(_policy, name, found)) for found in sorted(sets)},
        args.get("bypass_policy_id"),
        args.get("deny_policy_id"),
        args.get("session_duration", "24h"),
    )


def _policy(name: str, found: str, policies: Mapping[str, Any]) -> Any:
    if found not in policies:
        raise ValueError(
            f"{name}: policyIds has {', '.join(sorted(policies)) or 'none'}, and a route is for {found!r}; give Google "
            "a set of that name"
        )
    return policies[found]


def funnel_way(name: str, args: given_as.FunnelServiceArgs) -> FunnelWay:
    """The way of a FunnelService."""
    said = "paths" in args
    paths = each(name, "paths", Path.parse, args["paths"]) if said else (ROOT,)
    if said and ROOT in paths:
        raise ValueError(f"{name}: `paths` has '/', which is everything; take `paths` out if that is meant")
    return FunnelWay(
        _object(name),
        name,
        NOBODY if said else ANYONE,
        read(name, "namespace", _label, args["namespace"]),
        read(name, "service", _label, args["service"]),
        read(name, "port", _port, args["port"]),
        read(name, "machine", Machine.parse, args["machine"]),
        paths=paths,
    )


def tailnet_way(name: str, args: given_as.TailnetServiceArgs) -> TailnetWay:
    """The way of a TailnetService; whom it lets in is said by the tailnet's policy."""
    port, ports, selector = args.get("port"), args.get("ports"), args.get("selector")
    if (port is None) == (ports is None):
        raise ValueError(f"{name} says {'neither' if port is None else 'both'} of `port` and `ports`; say one")
    if port is not None and selector is not None:
        raise ValueError(
            f"{name}: `selector` has no effect with `port`, which serves the Service by https; take it out"
        )
    backend_port = 443 if port is None else read(name, "port", _port, port)
    found = () if ports is None else each(name, "ports", lambda said: _tailnet_port(name, said), ports)
    return TailnetWay(
        _object(name),
        name,
        NOBODY,
        "",
        read(name, "machine", Machine.parse, args["machine"]),
        read(name, "tag", Tag.parse, args["tag"]),
        found or (TailnetPort("tcp", 443, backend_port),),
        "tcp" if found else "https",
        namespace=read(name, "namespace", _label, args["namespace"]),
        backend=read(name, "service", _label, args["service"]),
        served=not found,
        backend_port=backend_port,
        selector=None if selector is None else read(name, "selector", _selector, selector),
    )


def _tailnet_port(name: str, said: Mapping[str, Any]) -> TailnetPort:
    port = read(name, "port", _port, said["port"])
    target = read(name, "targetPort", _target, said.get("target_port", port))
    return TailnetPort(read(name, "protocol", _protocol, said.get("protocol", "tcp")), port, target)


def port_forward_way(name: str, args: given_as.PortForwardArgs) -> PortForwardWay:
    """The way of a PortForward."""
    return PortForwardWay(
        _object(name),
        name,
        ANYONE,
        each(name, "hosts", Host.parse, args["hosts"]),
        read(name, "ipv4", _ipv4, args["ipv4"]),
        read(name, "namespace", _label, args["namespace"]),
        read(name, "selector", _selector, args["selector"]),
        each(name, "ports", lambda said: _forwarded(name, said), args["ports"]),
    )


def _forwarded(name: str, said: Mapping[str, Any]) -> ForwardedPort:
    port = read(name, "port", _port, said["port"])
    node_port = read(name, "nodePort", _node_port, said["node_port"])
    target = read(name, "targetPort", _target, said.get("target_port", port))
    return ForwardedPort(read(name, "protocol", _protocol, said["protocol"]), port, port, node_port, target)


def managed_ingress(name: str, args: given_as.ManagedIngressArgs) -> ManagedIngress:
    """The Ingress of a ManagedIngress."""
    _object(name)
    return ManagedIngress(
        read(name, "namespace", _label, args["namespace"]),
        read(name, "service", _label, args["service"]),
        read(name, "port", _port, args["port"]),
        read(name, "scheme", _scheme, args.get("scheme", "http")),
        each(name, "hosts", Host.parse, args["hosts"]),
        read(name, "className", _label, args.get("class_name", "nginx")),
        read(name, "clusterIssuer", _label, args.get("cluster_issuer", "letsencrypt-prod")),
        read(name, "controller", _controller, args.get("controller", "nginx")),
    )


def _object(name: str) -> str:
    """A name that names of Kubernetes objects are made of."""
    return str(read(name, "name", _label, name))
