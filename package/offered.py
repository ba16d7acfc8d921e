"""What the package offers, each made of its inputs in one call, since YAML has no second one.

Each is the component of `components/` itself, under the same type and with the same children; `TunnelRoutes` alone is
new, and joins what a program otherwise joins by hand (docs/adr/0013). Inputs are those of `schema.yaml`, by their names
in Python and with its defaults; what is wrong beyond that is a GivenError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import pulumi
from pydantic import Field

import components
from components.access import Access
from components.base import Component
from components.given import GivenError, Problem, read
from components.way import Locks
from config.fields import Label
from config.services import Connector as ConnectorSettings
from config.stack import Hsts, TailnetDns, TailnetSettings, Token
from config.values import ROOT, Certificates, DurationText, Host, OriginUrl, TeamText
from exposure import estate
from exposure.audience import ANYONE, NOBODY, Audience
from exposure.model import AccessApplication, PeopleSet, TunnelRule
from exposure.ways.acme import Challenges
from exposure.ways.funnel import FunnelWay
from exposure.ways.port_forward import ForwardedPort, PortForwardWay
from exposure.ways.tailnet import TailnetPort, TailnetWay
from exposure.ways.tunnel import ManagedIngress, PublicTunnelWay, TunnelWay, ZeroTrustWay
from exposure.ways.way import Claim, OriginSettings

Args = dict[str, Any]
Made = tuple[Component, Mapping[str, Any]]
"""A component, and those of its outputs that are no attributes of it."""
_Options = pulumi.ResourceOptions | None
_At = tuple[int | str, ...]
_NAMES = Annotated[tuple[Label, ...], Field(min_length=1)]
_ORIGINS = Annotated[tuple[OriginUrl, ...], Field(min_length=1)]
_SETTINGS = (
    "origin_server_name",
    "match_sni_to_host",
    "no_tls_verify",
    "http2_origin",
    "http_host_header",
    "connect_timeout_seconds",
)
_LOGIN = ("present",)


def wrong(component: str, at: _At, why: str) -> GivenError:
    """What is refused for more than its form."""
    return GivenError(component, {at: Problem(why)})


def _as_it_is(kind: Callable[..., Component]) -> Callable[[str, Args, _Options], Made]:
    return lambda name, args, opts: (kind(name, **args, opts=opts), {})


def _zone(name: str, args: Args, opts: _Options) -> Made:
    if "hsts" in args:
        args["hsts"] = read(name, ("hsts",), Hsts, args["hsts"])
    return components.Zone(name, **args, opts=opts), {}


def _google(name: str, args: Args, opts: _Options) -> Made:
    people = [PeopleSet(key, emails) for key, emails in sorted(args.pop("people").items())]
    return components.Google(name, **args, people=people, opts=opts), {}


def _service_tokens(name: str, args: Args, opts: _Options) -> Made:
    args["tokens"] = read(name, ("tokens",), dict[Label, Token], args["tokens"])
    args["together"] = read(name, ("together",), tuple[_NAMES, ...], args["together"])
    for index, names in enumerate(args["together"]):
        if unknown := sorted(set(names) - args["tokens"].keys()):
            raise wrong(name, ("together", index), f"no token is named {' or '.join(unknown)}; add it to `tokens`")
    made = components.ServiceTokens(name, **args, opts=opts)
    ids, secrets, ends = (
        pulumi.Output.all(**{key: client[part] for key, client in made.clients.items()})
        for part in ("client_id", "client_secret", "expires_at")
    )
    # A secret within a map arrives empty in a program in YAML: the whole map is one.
    return made, {"clientIds": ids, "clientSecrets": pulumi.Output.secret(secrets), "expiresAt": ends}


def _connector(name: str, args: Args, opts: _Options) -> Made:
    token, logins = args.pop("token"), args.pop("logins")
    origins = read(name, ("origins",), _ORIGINS, args.pop("origins"))
    pools = read(name, ("ca_pools",), tuple[Certificates, ...], args.pop("ca_pools", ()))
    made = components.Connector(
        name,
        token=token,
        rules=[TunnelRule(None, None, origin, None, _LOGIN if logins else ()) for origin in origins],
        settings=read(name, ("settings",), ConnectorSettings, lists(args)),
        certificates=pools,
        opts=opts,
    )
    ready = pulumi.Output.all(*[resource.id for resource in made.behind if isinstance(resource, pulumi.CustomResource)])
    return made, {"certificates": ready.apply(lambda _: [pool.path for pool in pools])}


def lists(value: Any) -> Any:
    """With lists in place of tuples, at any depth: a model of the stack file takes no others."""
    if isinstance(value, Mapping):
        return {key: lists(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _managed_ingress(name: str, args: Args, opts: _Options) -> Made:
    read(name, ("name",), Label, name)
    made = components.ManagedIngress(name, ingress=ManagedIngress(**args), opts=opts)
    return made, {"hosts": list(args["hosts"]), "urls": [f"https://{host}/" for host in args["hosts"]]}


def _funnel_service(name: str, args: Args, opts: _Options) -> Made:
    said = args.get("paths")
    if isinstance(said, tuple) and ROOT in said:
        raise wrong(name, ("paths",), "it has '/', which is everything; take `paths` out if that is meant")
    if said == ():
        raise wrong(name, ("paths",), "at least one is needed; take `paths` out if everything is meant")
    url = _url(args.pop("tailnet", None), args["machine"])
    args.update(backend=args.pop("service"), paths=(ROOT,) if said is None else said)
    way = FunnelWay(name, name, ANYONE if said is None else NOBODY, **args)
    return components.FunnelService(name, way=way, opts=opts), {"url": url}


def _tailnet_service(name: str, args: Args, opts: _Options) -> Made:
    """Whom it lets in is said by the tailnet's policy."""
    port, ports = args.pop("port", None), args.pop("ports", None)
    if (port is None) == (ports is None):
        at = "port" if port is None else "ports"
        raise wrong(name, (at,), f"{'neither' if port is None else 'both'} of `port` and `ports` said; say one")
    if port is not None and "selector" in args:
        raise wrong(name, ("selector",), "it has no effect with `port`, which serves the Service by https; take it out")
    url = _url(args.pop("tailnet", None), args["machine"])
    if ports is None:
        args.update(ports=(TailnetPort("tcp", 443, 443),), scheme="https", served=True, backend_port=port)
    else:
        listed = [TailnetPort(p["protocol"], p["port"], p.get("target_port", p["port"])) for p in ports]
        args.update(ports=tuple(listed), scheme="tcp", backend_port=443)
    way = TailnetWay(name, name, NOBODY, node="", backend=args.pop("service"), **args)
    return components.TailnetService(name, way=way, opts=opts), {"url": None if ports else url}


def _url(tailnet: pulumi.Input[str] | None, machine: pulumi.Input[str]) -> pulumi.Output[str] | None:
    return None if tailnet is None else pulumi.Output.concat("https://", machine, ".", tailnet, "/")


def _port_forward(name: str, args: Args, opts: _Options) -> Made:
    zone_id = args.pop("zone_id")
    args["ports"] = tuple(
        ForwardedPort(p["protocol"], p["port"], p["port"], p["node_port"], p.get("target_port", p["port"]))
        for p in args["ports"]
    )
    made = components.PortForward(name, way=PortForwardWay(name, name, ANYONE, **args), opts=opts)
    made.publish(zone_id=zone_id)
    return made, {"urls": list(made.way.urls)}


def _tailnet(name: str, args: Args, opts: _Options) -> Made:
    read(name, ("policy",), dict[str, Any], args["policy"])
    for key, kind in (("dns", TailnetDns), ("settings", TailnetSettings)):
        if key in args:
            args[key] = read(name, (key,), kind, lists(args[key]))
    return components.Tailnet(name, **args, opts=opts), {}


class TunnelRoutes(Component):
    """Everything that comes in through one tunnel, born locked: applications, then the rule list, then DNS records.

    Registers a ZeroTrustApp or PublicTunnelRoute for each route, an AcmeHttpRoute where one renews its own certificate,
    and one TunnelConfiguration. Gives `urls` by key, `hosts`, and `auds` by destination.
    """

    def __init__(self, name: str, args: Args, opts: _Options = None) -> None:
        ways = _tunnel_ways(name, args["routes"])
        renewing = _challenges(name, args["routes"], ways)
        team = read(name, ("team",), TeamText, args["team"])
        claims = [*estate.claims(ways), *(claim for found in renewing for claim in found.claims())]
        _refuse_twice(name, [way.service for way in ways], claims)
        planned = {application.name: application for application in estate.applications(claims)}
        access = _access(name, args, planned.values())
        # What the rules are registered with waits for the files that they name.
        ruled = _with_certificates(name, ways, args["tunnel_id"], args.get("certificates"))
        super().__init__(name, opts)
        mine = pulumi.ResourceOptions(parent=self)

        def applications(of: TunnelWay | Challenges) -> list[AccessApplication]:
            return [planned[claim.destination] for claim in of.claims() if claim.destination in planned]

        routes = [
            (components.PublicTunnelRoute if isinstance(way, PublicTunnelWay) else components.ZeroTrustApp)(
                way.service, way=way, access=access, applications=applications(way), opts=mine
            )
            for way in ways
        ]
        acme = [
            components.AcmeHttpRoute(
                found.name, challenges=found, access=access, applications=applications(found), opts=mine
            )
            for found in renewing
        ]
        self.auds = {key: aud for part in (*acme, *routes) for key, aud in part.auds.items()}
        configuration = components.TunnelConfiguration(
            name,
            account_id=args["account_id"],
            tunnel_id=ruled,
            team=team,
            rules=estate.rules(claims),
            auds=self.auds,
            opts=mine,
        )
        locks = Locks(configuration.configured, [*acme, *routes])
        named: set[Host] = set()
        # A record is the route's that has most of its host, as in a stack.
        for route in sorted(routes, key=lambda route: (len(route.way.path), route.name)):
            for host in route.way.hosts:
                if host not in named:
                    named.add(host)
                    route.publish([host], zone_id=args["zone_id"], tunnel_id=args["tunnel_id"], after=locks.of(host))
        self.urls = {way.service: way.urls[0] for way in ways}
        self.hosts = sorted(str(host) for host in named)
        self.register_outputs({"urls": self.urls, "auds": self.auds})


def _tunnel_ways(component: str, routes: Iterable[Args]) -> list[TunnelWay]:
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


def _tunnel_way(component: str, at: _At, route: Args) -> TunnelWay:
    whom, said = _audience(component, at, route), route.get("paths", {})
    pool = read(component, (*at, "ca_pool"), Certificates | None, route.get("ca_pool"))
    try:
        way: TunnelWay = read(
            component,
            (),
            TunnelWay,
            (PublicTunnelWay if whom == ANYONE else ZeroTrustWay)(
                read(component, ("key",), Label, route["key"]),
                str(route.get("title") or route["key"]),
                whom,
                route["hosts"],
                route["origin"],
                route["path"],
                tuple(sorted((path, _audience(component, ("paths", path), to)) for path, to in said.items())),
                OriginSettings(ca_pool=pool.path if pool else None, **{k: route[k] for k in _SETTINGS if k in route}),
                certificates=pool,
            ),
        )
    except GivenError as found:
        raise GivenError(
            component, {(*at, *_said_as(path, said)): why for path, why in found.problems.items()}
        ) from None
    for path, to in way.paths:
        wider = [entry for entry in way.paths if entry[0] != path and entry[0].covers(path)]
        above = max(wider, key=lambda entry: len(entry[0]), default=(ROOT, whom))
        if to == above[1]:
            raise wrong(component, (*at, "paths", path), f"is for {to}, and so is what is above it; take it out")
    return way


def _said_as(path: _At, paths: Mapping[str, Any]) -> _At:
    """A way's paths are a list of pairs, and their settings one value: where a route says them."""
    if path[:1] == ("paths",) and len(path) > 1 and isinstance(path[1], int):
        return ("paths", sorted(paths)[path[1]])
    return path[1:] if path[:1] == ("request",) else path


def _audience(component: str, at: _At, said: Mapping[str, Any]) -> Audience:
    """Whom a route or a path says that it is for."""
    named = [member for member in ("people", "tokens", "public", "nobody") if said.get(member)]
    if named in (["public"], ["nobody"]):
        return ANYONE if named == ["public"] else NOBODY
    if not named or {"public", "nobody"} & set(named):
        raise wrong(
            component,
            at,
            f"says {' and '.join(named) or 'none'} of `people`, `public`, `nobody` and `tokens`; say exactly "
            "one, or `people` and `tokens`",
        )
    found = {key: frozenset(read(component, (*at, key), _NAMES, said[key])) for key in named}
    return Audience(people=found.get("people", frozenset()), tokens=found.get("tokens", frozenset()))


def _challenges(component: str, routes: Iterable[Args], ways: Iterable[TunnelWay]) -> list[Challenges]:
    """The challenges of the routes that renew their own certificate."""
    found = []
    for index, (route, way) in enumerate(zip(routes, ways, strict=True)):
        at = ("routes", index, "acme_solver")
        if "acme_solver" not in route:
            continue
        if any(host.wildcard for host in way.hosts):
            raise wrong(
                component, at, "it is for hosts by name, for HTTP-01 takes no wildcard; take one of the two out"
            )
        solver = read(component, at, OriginUrl, route["acme_solver"])
        found.append(Challenges(way.service, way.title, way.hosts, solver))
    return found


def _refuse_twice(component: str, keys: Iterable[str], claims: Iterable[Claim]) -> None:
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


def _access(component: str, args: Args, planned: Iterable[AccessApplication]) -> Access:
    """What the applications attach. Raises GivenError where something is missing for one of them."""
    sets: dict[str, set[str]] = {"policy_ids": set(), "token_policy_ids": set()}
    for application in planned:
        whom = application.audience
        needs = ["bypass_policy_id"] if whom == ANYONE else ["identity_provider_id"]
        if whom == ANYONE and application.path.root:
            why = f"{application.name} is for anyone, and a wildcard above it is not; rename one"
            raise wrong(component, ("routes",), why)
        if whom == NOBODY:
            needs.append("deny_policy_id")
        for key, name in (("policy_ids", whom.set_name), ("token_policy_ids", whom.token_name)):
            if name:
                needs.append(key)
                sets[key].add(name)
        for key in needs:
            if key not in args:
                source = (
                    "`policyIds` of a ServiceTokens" if key == "token_policy_ids" else "output of that name of a Google"
                )
                raise wrong(component, (key,), f"{application.name} is for {whom}, which needs it; give the {source}")
    others = [args[key] for key in ("bypass_policy_id", "deny_policy_id") if key in args]
    policies = {
        key: {name: _policy(component, key, name, args[key], others) for name in sorted(names)}
        for key, names in sets.items()
    }
    return Access(
        args["account_id"],
        args.get("identity_provider_id"),
        bypass_policy_id=args.get("bypass_policy_id"),
        deny_policy_id=args.get("deny_policy_id"),
        session_duration=read(component, ("session_duration",), DurationText, args["session_duration"]),
        **policies,
    )


def _policy(component: str, key: str, name: str, policies: Any, others: Sequence[Any]) -> Any:
    """The policy of sets of people or of tokens: it is there, and no other's. What is not known is asked in the run."""
    theirs = wrong(
        component, (key, name), "it is the policy that lets anyone by, or nobody in; give that of those named"
    )

    def asked(known: Mapping[str, Any]) -> Any:
        if known.get(name) is None:
            listed = ", ".join(sorted(known)) or "no policy"
            fix = (
                "`together` of the ServiceTokens that combination"
                if key == "token_policy_ids"
                else "Google a set of that name"
            )
            raise wrong(component, (key,), f"it has {listed}, and a route is for {name!r}; give {fix}")
        return known[name]

    async def distinct(found: Any) -> Any:
        # Awaited, and not joined: an application depends on its own policy alone.
        if found in [await pulumi.Output.from_input(other).future() for other in others]:
            raise pulumi.RunError(str(theirs))
        return found

    found = asked(policies) if isinstance(policies, Mapping) else policies.apply(partial(_in_run, asked))
    if found in others:
        raise theirs
    return pulumi.Output.from_input(found).apply(distinct)


def _in_run(ask: Callable[[Any], Any], known: Any) -> Any:
    """What is refused in the run is a RunError: the SDK wraps a ValueError in its own words."""
    try:
        return ask(known)
    except GivenError as refused:
        raise pulumi.RunError(str(refused)) from None


def _with_certificates(
    component: str, ways: Iterable[TunnelWay], tunnel_id: pulumi.Input[str], certificates: Any
) -> pulumi.Input[str]:
    """The tunnel's id, once the connector has every file that a rule names."""
    pools = {way.certificates.path: way.service for way in ways if way.certificates}
    if not pools:
        return tunnel_id
    fix = "give it the `certificates` of the Connector that has the same text among its `caPools`"
    if certificates is None:
        why = f"route {next(iter(pools.values()))!r} has a `caPool`, whose file has to be there before its rule; {fix}"
        raise wrong(component, ("certificates",), why)

    def asked(known: list[Any]) -> Any:
        for path in pools.keys() - known[1]:
            raise wrong(component, ("certificates",), f"it lacks the `caPool` of route {pools[path]!r}; {fix}")
        return known[0]

    return pulumi.Output.all(tunnel_id, certificates).apply(partial(_in_run, asked))


OFFERED: dict[str, Callable[[str, Args, _Options], Made]] = {
    "Zone": _zone,
    "Google": _google,
    "ServiceTokens": _service_tokens,
    "Tunnel": _as_it_is(components.Tunnel),
    "TunnelRoutes": lambda name, args, opts: (TunnelRoutes(name, args, opts), {}),
    "Connector": _connector,
    "ManagedIngress": _managed_ingress,
    "FunnelService": _funnel_service,
    "TailnetService": _tailnet_service,
    "PortForward": _port_forward,
    "Tailnet": _tailnet,
    "TailscaleOperator": _as_it_is(components.TailscaleOperator),
}
"""By the component's name in the schema."""
