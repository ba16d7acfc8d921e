"""What the package is given, read as values by the parsers of the components. A wrong one is a GivenError."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Annotated, Any

import pulumi
from pydantic import Field

from components.access import Access
from components.given import GivenError, Problem, read
from config.fields import Label
from config.values import ROOT, Host, OriginUrl, Path
from exposure.audience import ANYONE, NOBODY, Audience, people
from exposure.model import AccessApplication
from exposure.ways.acme import Challenges
from exposure.ways.funnel import FunnelWay
from exposure.ways.port_forward import ForwardedPort, PortForwardWay
from exposure.ways.tailnet import TailnetPort, TailnetWay
from exposure.ways.tunnel import ManagedIngress, PublicTunnelWay, TunnelWay, ZeroTrustWay
from exposure.ways.way import Claim, OriginSettings
from package import args as given_as

_At = tuple[int | str, ...]
_MEMBERS = ("people", "public", "nobody")
HOSTS = Annotated[tuple[Host, ...], Field(min_length=1)]
"""At least one host."""
_SETTINGS = ("origin_server_name", "match_sni_to_host", "no_tls_verify", "http2_origin", "http_host_header")
# What a route says, each with its type; whom it is for is read before.
_ROUTE: dict[str, Any] = {
    "key": Label,
    "hosts": HOSTS,
    "origin": OriginUrl,
    "title": str,
    "path": Path,
    "acme_solver": OriginUrl,
    "people": Annotated[tuple[Label, ...], Field(min_length=1)],
    "public": bool,
    "nobody": bool,
}


def whole(value: Any) -> Any:
    """Plain values at any depth: whole numbers come over the wire as floats, words of a closed list as members."""
    if isinstance(value, Mapping):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def fields(component: str, at: _At, kinds: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are said, each read as its type. Raises GivenError with all that is wrong."""
    found: dict[str, Any] = {}
    problems: dict[_At, Problem] = {}
    for key, kind in kinds.items():
        if said.get(key) is not None:
            try:
                found[key] = read(component, (*at, key), kind, whole(said[key]))
            except GivenError as wrong:
                problems.update(wrong.problems)
    if problems:
        raise GivenError(component, problems)
    return found


def wrong(component: str, at: _At, why: str) -> GivenError:
    """What is refused for more than its form."""
    return GivenError(component, {at: Problem(why)})


def audience(component: str, at: _At, said: Mapping[str, Any]) -> Audience:
    """Whom a route or a path says that it is for."""
    named = [member for member in _MEMBERS if said.get(member)]
    if len(named) != 1:
        raise wrong(
            component, at, f"says {' and '.join(named) or 'none'} of `people`, `public` and `nobody`; say exactly one"
        )
    if named == ["people"]:
        return people(fields(component, at, _ROUTE, {"people": said["people"]})["people"])
    return ANYONE if named == ["public"] else NOBODY


def tunnel_ways(component: str, routes: Sequence[given_as.Route]) -> list[TunnelWay]:
    """The ways of all routes. Raises GivenError with all that is wrong in any of them."""
    ways: list[TunnelWay] = []
    problems: dict[_At, Problem] = {}
    for index, route in enumerate(routes):
        try:
            ways.append(_tunnel_way(component, ("routes", index), route))
        except GivenError as found:
            problems.update(found.problems)
    if problems:
        raise GivenError(component, problems)
    return ways


def _tunnel_way(component: str, at: _At, route: given_as.Route) -> TunnelWay:
    if not isinstance(route, Mapping):
        raise wrong(component, at, "a route is written plainly: `{key: …, hosts: […], origin: …, public: true}`")
    whom, said = audience(component, at, route), route.get("paths") or {}
    found = fields(component, at, _ROUTE, route)
    if not isinstance(said, Mapping):
        raise wrong(component, (*at, "paths"), "each path is written with whom it is for: `/api: {public: true}`")
    paths = {
        read(component, (*at, "paths", path), Path, path): audience(component, (*at, "paths", path), to)
        for path, to in said.items()
    }
    for path, to in paths.items():
        above = max((p for p in paths if p != path and p.covers(path)), key=len, default=None)
        if to == (paths[above] if above else whom):
            raise wrong(component, (*at, "paths", path), f"is for {to}, and so is what is above it; take it out")
    kind = PublicTunnelWay if whom == ANYONE else ZeroTrustWay
    way = kind(
        found["key"],
        found.get("title", found["key"]),
        whom,
        found["hosts"],
        found["origin"],
        found.get("path", ROOT),
        tuple(sorted(paths.items())),
        OriginSettings(
            **{key: whole(route[key]) for key in _SETTINGS if route.get(key) is not None},  # type: ignore[literal-required]
            connect_timeout_seconds=whole(route.get("connect_timeout_seconds")),
        ),
    )
    try:
        return read(component, ("way",), TunnelWay, way)  # type: ignore[no-any-return]
    except GivenError as problem:
        raise GivenError(component, {(*at, *path[2:]): why for path, why in problem.problems.items()}) from None


def challenges(component: str, routes: Sequence[given_as.Route], ways: Sequence[TunnelWay]) -> list[Challenges]:
    """The challenges of the routes that renew their own certificate."""
    found = []
    for index, (route, way) in enumerate(zip(routes, ways, strict=True)):
        solver = route.get("acme_solver")
        if solver is None:
            continue
        if any(host.wildcard for host in way.hosts):
            raise wrong(
                component,
                ("routes", index, "acme_solver"),
                "it is for hosts by name, for HTTP-01 takes no wildcard; take one of the two out",
            )
        found.append(Challenges(way.service, way.title, way.hosts, OriginUrl(solver)))
    return found


def refuse_twice(component: str, keys: Iterable[str], claims: Iterable[Claim]) -> None:
    """Raise GivenError where two routes have one key, or one path of a host."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise wrong(component, ("routes",), f"two routes have the key {key!r}; rename one")
        seen.add(key)
    taken: dict[str, str] = {}
    for claim in claims:
        if claim.destination in taken:
            raise wrong(
                component,
                ("routes",),
                f"routes {taken[claim.destination]!r} and {claim.service!r} both have {claim.destination}; give one of "
                "them another host or path",
            )
        taken[claim.destination] = claim.service


def access(component: str, args: given_as.TunnelRoutesArgs, planned: Iterable[AccessApplication]) -> Access:
    """What the applications attach. Raises GivenError where something is missing for one of them."""
    sets = set()
    for application in planned:
        whom = application.audience
        needs = {"identity_provider_id": "identityProviderId", "policy_ids": "policyIds"}
        if whom == ANYONE:
            if application.path.root:
                raise wrong(
                    component,
                    ("routes",),
                    f"{application.name} is for anyone, and a wildcard above it is not; rename one",
                )
            needs = {"bypass_policy_id": "bypassPolicyId"}
        elif whom == NOBODY:
            needs = {"identity_provider_id": "identityProviderId", "deny_policy_id": "denyPolicyId"}
        else:
            sets.add(whom.set_name)
        for key, shown in needs.items():
            if args.get(key) is None:
                raise wrong(
                    component,
                    (key,),
                    f"{application.name} is for {whom}, which needs {shown}: give it that output of a Google",
                )
    policies = args.get("policy_ids") or {}
    others = [args[key] for key in ("bypass_policy_id", "deny_policy_id") if args.get(key) is not None]
    return Access(
        args["account_id"],
        args.get("identity_provider_id"),
        {found: _policy(component, found, policies, others) for found in sorted(sets)},
        args.get("bypass_policy_id"),
        args.get("deny_policy_id"),
        args.get("session_duration") or "24h",
    )


def _policy(component: str, name: str, policies: Any, others: Sequence[Any]) -> Any:
    """The policy of a set of people: it is there, and no other's. What is not known yet is asked in the run."""

    def asked(known: Mapping[str, Any]) -> Any:
        if known.get(name) is None:
            listed = ", ".join(sorted(known)) or "no policy"
            raise wrong(
                component,
                ("policy_ids",),
                f"it has {listed}, and a route is for {name!r}; give Google a set of that name",
            )
        return known[name]

    async def distinct(found: Any) -> Any:
        # Awaited, and not joined: an application depends on its own policy alone.
        if found in [await pulumi.Output.from_input(other).future() for other in others]:
            raise pulumi.RunError(str(_not_theirs(component, name)))
        return found

    if isinstance(policies, Mapping):
        policies = asked(policies)
        if policies in others:
            raise _not_theirs(component, name)
    else:
        policies = policies.apply(partial(_in_run, asked))
    return pulumi.Output.from_input(policies).apply(distinct)


def _in_run(ask: Callable[[Any], Any], known: Any) -> Any:
    """What is refused in the run is a RunError: the SDK wraps a ValueError in its own words."""
    try:
        return ask(known)
    except GivenError as refused:
        raise pulumi.RunError(str(refused)) from None


def _not_theirs(component: str, name: str) -> GivenError:
    return wrong(
        component,
        ("policy_ids", name),
        "it is the policy that lets anyone by, or nobody in; give the policy of that set of people",
    )


def funnel_way(component: str, args: given_as.FunnelServiceArgs) -> FunnelWay:
    """The way of a FunnelService."""
    said = args.get("paths") is not None
    paths = tuple(args["paths"]) if said and isinstance(args["paths"], list) else args.get("paths", (ROOT,))
    if said and ROOT in paths:
        raise wrong(component, ("paths",), "it has '/', which is everything; take `paths` out if that is meant")
    if said and not paths:
        raise wrong(component, ("paths",), "at least one is needed; take `paths` out if everything is meant")
    return FunnelWay(
        component,
        component,
        NOBODY if said else ANYONE,
        args["namespace"],  # type: ignore[arg-type]
        args["service"],  # type: ignore[arg-type]
        whole(args["port"]),
        args["machine"],  # type: ignore[arg-type]
        paths=paths,  # type: ignore[arg-type]
    )


def tailnet_way(component: str, args: given_as.TailnetServiceArgs) -> TailnetWay:
    """The way of a TailnetService; whom it lets in is said by the tailnet's policy."""
    port, ports, selector = whole(args.get("port")), whole(args.get("ports")), args.get("selector")
    if (port is None) == (ports is None):
        at = "port" if port is None else "ports"
        raise wrong(component, (at,), f"{'neither' if port is None else 'both'} of `port` and `ports` said; say one")
    if port is not None and selector is not None:
        raise wrong(
            component, ("selector",), "it has no effect with `port`, which serves the Service by https; take it out"
        )
    found = _each(ports, _tailnet_port)
    return TailnetWay(
        component,
        component,
        NOBODY,
        "",
        args["machine"],  # type: ignore[arg-type]
        args["tag"],  # type: ignore[arg-type]
        (TailnetPort("tcp", 443, 443),) if ports is None else found,
        "https" if ports is None else "tcp",
        namespace=args["namespace"],  # type: ignore[arg-type]
        backend=args["service"],  # type: ignore[arg-type]
        served=ports is None,
        backend_port=443 if port is None else port,
        selector=selector,
    )


def _each(listed: Any, kind: Callable[[Mapping[str, Any]], Any]) -> Any:
    """A list of such; whatever else it is, for the component to refuse."""
    return tuple(kind(said) for said in listed) if isinstance(listed, list) else listed


def _tailnet_port(said: Mapping[str, Any]) -> TailnetPort:
    return TailnetPort(said.get("protocol", "tcp"), said["port"], said.get("target_port", said["port"]))


def port_forward_way(component: str, args: given_as.PortForwardArgs) -> PortForwardWay:
    """The way of a PortForward."""
    return PortForwardWay(
        component,
        component,
        ANYONE,
        listed(args["hosts"]),
        args["ipv4"],  # type: ignore[arg-type]
        args["namespace"],  # type: ignore[arg-type]
        args["selector"],
        _each(whole(args["ports"]), _forwarded),
    )


def _forwarded(said: Mapping[str, Any]) -> ForwardedPort:
    port = said["port"]
    return ForwardedPort(said["protocol"], port, port, said["node_port"], said.get("target_port", port))


def managed_ingress(component: str, args: given_as.ManagedIngressArgs) -> ManagedIngress:
    """The Ingress of a ManagedIngress."""
    read(component, ("name",), Label, component)
    return ManagedIngress(
        args["namespace"],
        args["service"],
        whole(args["port"]),
        whole(args.get("scheme", "http")),
        listed(args["hosts"]),
        args.get("class_name", "nginx"),
        args.get("cluster_issuer", "letsencrypt-prod"),  # type: ignore[arg-type]
        whole(args.get("controller", "nginx")),
    )


def listed(value: Any) -> Any:
    """A list as a tuple; whatever else it is, for the component to refuse."""
    return tuple(value) if isinstance(value, list) else value
