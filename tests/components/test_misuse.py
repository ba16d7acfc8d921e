"""What would open a host, or break one, is refused at construction: by the components alone, and by the package."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from components.access import Access
from config.services import Connector as ConnectorSettings
from config.values import Host, Machine, OriginUrl, Path, Tag
from exposure.audience import ANYONE, NOBODY, people
from exposure.model import PeopleSet, TunnelRule
from exposure.ways.tunnel import PublicTunnelWay, ZeroTrustWay
from tests.components import examples as given
from tests.kit.recorder import record
from tests.package.test_package import ACCOUNT, GAME, INGRESS, PEOPLE, PUBLIC, ROUTE, ROUTES, SERVED, construct, routes

ORIGIN = given.ORIGIN
BLOG = "http://blog.blog.svc.cluster.local:80"
HOST = "wiki.example.com"
SECRET = "c2hvcnQ="


def later() -> Any:
    """What is known only once something else is there."""
    return pulumi.Output.from_input("known later")


def way(**fields: Any) -> Callable[[], object]:
    usual = {"service": "wiki", "title": "Wiki", "audience": given.HOUSEHOLD}
    usual |= {"hosts": (Host(HOST),), "origin": OriginUrl(ORIGIN)}
    from components import ZeroTrustApp

    return lambda: ZeroTrustApp("wiki", way=ZeroTrustWay(**{**usual, **fields}), access=given.ACCESS)


def rules(*rules: TunnelRule, **auds: str) -> Callable[[], object]:
    return lambda: given.configuration(rules=rules, auds=auds)


def app(**way: Any) -> Callable[[], object]:
    return lambda: given.zero_trust_app(**way)


def policies(**ids: Any) -> Callable[[], object]:
    return lambda: given.zero_trust_app(access=Access(ACCOUNT, "idp-id", ids, "bypass-id", "deny-id"))


# Each: what is done, the property that is named, and a word of why or of the fix.
ALONE: dict[str, tuple[Callable[[], object], str, str]] = {
    "an open path of a login's host that is the whole host": (app(paths={"/": ANYONE}), "wiki", "not below"),
    "an open path that is empty": (app(paths={"": ANYONE}), "Access", "does not start with `/`"),
    "an open path with a wildcard": (app(paths={"/*": ANYONE}), "Access", "wildcard"),
    "an open path with no slash": (app(paths={"api": ANYONE}), "Access", "does not start with `/`"),
    "a path that nothing has parsed": (way(paths=((Path("api"), ANYONE),)), "way.paths", "does not start with `/`"),
    "a login's way for anyone": (way(audience=ANYONE), "way", "for named people or for nobody"),
    "a login's way that names nobody": (app(audience=None), "wiki", "for named people or for nobody"),
    "a public way for people": (lambda: given.public_tunnel_route(audience=given.ADMINS), "blog", "is for anyone"),
    "a wildcard with paths": (app(hosts=["*.example.com"], paths={"/a": ANYONE}), "wiki", "name the hosts"),
    "hosts as one text": (app(hosts=HOST), "hosts", "write ['wiki.example.com']"),
    "no host": (way(hosts=()), "way.hosts", "at least one"),
    "a host with capitals": (way(hosts=(Host("Wiki.example.com"),)), "way.hosts[0]", "lower case"),
    "hosts that differ in case only": (way(hosts=(Host(HOST), Host(HOST.upper()))), "way.hosts[1]", "lower case"),
    "a host twice": (way(hosts=(Host(HOST), Host(HOST))), "way", "twice"),
    "a host with a scheme": (way(hosts=(Host(f"https://{HOST}"),)), "way.hosts[0]", "without scheme"),
    "a host with a slash": (way(hosts=(Host(f"{HOST}/"),)), "way.hosts[0]", "without scheme, port or path"),
    "an empty host": (way(hosts=(Host(""),)), "way.hosts[0]", "not a DNS label"),
    "a host that is no text": (way(hosts=(7,)), "way.hosts[0]", "text is expected"),
    "a host of another resource": (lambda: way(hosts=(later(),))(), "way.hosts[0]", "another resource's output"),
    "hosts of another resource": (lambda: way(hosts=later())(), "way.hosts", "another resource's output"),
    "an origin without scheme": (way(origin=OriginUrl("wiki:80")), "way.origin", "start it with http://"),
    "an origin with a path": (way(origin=OriginUrl(f"{ORIGIN}/wiki")), "way.origin", "with a path"),
    "a key that is no name": (way(service="My Wiki"), "way.service", "DNS label"),
    "a solver that is a status": (
        lambda: given.acme_http_route(hosts=["Wiki.example.com"]),
        "challenges.hosts[0]",
        "lower case",
    ),
    "two general rules for a host": (
        rules(TunnelRule(HOST, None, ORIGIN), TunnelRule(HOST, None, BLOG)),
        "rules[1]",
        "the first alone counts",
    ),
    "an open rule before one with login": (
        rules(TunnelRule(HOST, None, BLOG), TunnelRule(HOST, None, ORIGIN, "wiki", (HOST,)), **{HOST: "aud"}),
        "rules[1]",
        "shadows one with it",
    ),
    "a rule whose AUD is missing": (rules(TunnelRule(HOST, None, ORIGIN, "wiki", (HOST,))), "rules[0]", "`auds`"),
    "a rule for a host in capitals": (rules(TunnelRule("Wiki.example.com", None, ORIGIN)), "rules[0].host", "lower"),
    "a rule with a loose path": (rules(TunnelRule(HOST, "/api", ORIGIN)), "rules[0].path", "match pattern"),
    "a rule to nowhere": (rules(TunnelRule(HOST, None, "wiki")), "rules[0].origin", "no scheme"),
    "a team that is a domain": (
        lambda: given.configuration(team="example.cloudflareaccess.com"),
        "team",
        "such as example",
    ),
    "a team of another resource": (lambda: given.configuration(team=later()), "team", "another resource's output"),
    "people let in by the bypass policy": (policies(household="bypass-id"), "household", "lets anyone by"),
    "people kept out by the policy for nobody": (policies(household="deny-id"), "household", "nobody in"),
    "a set whose policy is missing": (policies(household=None), "household", "missing"),
    "a set that does not exist": (app(audience=people(["others"])), "wiki", "a policy for 'others'"),
    "a set with no people": (lambda: given.google(people=[PeopleSet("household", ())]), "people[0]", "at least"),
    "a set with a word for an address": (
        lambda: given.google(people=[PeopleSet("household", ("alice",))]),
        "people[0].emails[0]",
        "e-mail address",
    ),
    "Google with a team that is a domain": (lambda: given.google(team="a.b"), "team", "such as a"),
    "a session in days": (lambda: given.google(session_duration="7d"), "session_duration", "such as 168h"),
    "an account that is none": (lambda: given.google(account_id="mine"), "account_id", "32 lower-case hexadecimal"),
    "a tunnel's secret that is short": (lambda: given.tunnel(tunnel_secret=SECRET), "tunnel_secret", "openssl rand"),
    "a tunnel's secret that is no base64": (lambda: given.tunnel(tunnel_secret="a" * 43), "tunnel_secret", "base64"),
    "a tunnel's secret that is short, later": (
        lambda: given.tunnel(tunnel_secret=pulumi.Output.secret(SECRET)),
        "tunnel_secret",
        "openssl rand",
    ),
    "a word for SSL that is none": (lambda: given.zone(ssl="ful"), "ssl", "'full'"),
    "TLS 1.0": (lambda: given.zone(min_tls_version="1.0"), "min_tls_version", "'1.2'"),
    "a zone that is a URL": (lambda: given.zone(zone="https://example.com"), "zone", "such as example.com"),
    "a redirect to a URL": (
        lambda: given.zone(redirects={"www.example.com": "https://example.com"}),
        "redirects.www.example.com",
        "such as example.com",
    ),
    "too many connectors": (
        lambda: given.connector(settings=ConnectorSettings(replicas=99)),
        "settings.replicas",
        "1 to 25",
    ),
    "an image that moves": (
        lambda: given.connector(settings=ConnectorSettings(image="cloudflare/cloudflared:latest")),
        "settings.image",
        "`latest` changes",
    ),
    "a machine with dots": (
        lambda: given.funnel_service(machine=Machine("komga.tail.ts.net")),
        "way.machine",
        "such as komga",
    ),
    "a machine with dots, later": (
        lambda: given.funnel_service(machine=pulumi.Output.from_input("komga.tail.ts.net")),
        "way.machine",
        "such as komga",
    ),
    "a port that is none": (lambda: given.funnel_service(port=0), "way.port", "greater than or equal to 1"),
    "a namespace with capitals": (lambda: given.funnel_service(namespace="Komga"), "way.namespace", "DNS label"),
    "a tag without its mark": (lambda: given.tailnet_service(tag=Tag("wiki")), "way.tag", "`tag:"),
    "a router that is a name": (lambda: given.port_forward(ipv4="home.example.com"), "way.ipv4", "IPv4 address"),
    "pods without labels": (lambda: given.port_forward(selector={}), "way.selector", "at least"),
    "an Ingress for a scheme that is none": (lambda: given.managed_ingress(scheme="tcp"), "ingress.scheme", "'https'"),
    "an operator that counts from zero": (lambda: given.tailscale_operator(key=0), "key", "equal to 1"),
}
PACKAGE: dict[str, tuple[Callable[[], object], str, str]] = {
    "paths as one text": (
        lambda: routes({**PEOPLE, "paths": "/api"}),
        "routes[0].paths",
        "Paths with an audience of their own",
    ),
    **{
        f"the open path {path!r}": (
            lambda path=path: routes({**PEOPLE, "paths": {path: {"public": True}}}),  # type: ignore[misc]
            "routes[0]",
            "",
        )
        for path in ("", "/", "/*", "api")
    },
    "no word of whom it is for": (lambda: routes(ROUTE), "routes[0]", "say exactly one"),
    "no people": (lambda: routes({**ROUTE, "people": []}), "routes[0]", "say exactly one"),
    "a public and a protected route on one host": (
        lambda: routes(PEOPLE, {**PUBLIC, "key": "open"}),
        "routes",
        "another host or path",
    ),
    "hosts that differ in case only": (
        lambda: routes(PEOPLE, {**PUBLIC, "key": "open", "hosts": ["WIKI.example.com"]}),
        "routes[1].hosts[0]",
        "such as wiki.example.com",
    ),
    "an origin with a path": (lambda: routes({**PUBLIC, "origin": f"{ORIGIN}/"}), "routes[0].origin", "lone `/`"),
    "a host of another resource": (
        lambda: routes({**PUBLIC, "hosts": [later()]}),
        "routes[0].hosts[0]",
        "another resource's output",
    ),
    "a team that is a domain": (lambda: routes(PUBLIC, team="a.cloudflareaccess.com"), "team", "such as a"),
    "the bypass policy for people": (
        lambda: routes(PEOPLE, policyIds={"household": "bypass-id"}),
        "policyIds.household",
        "lets anyone by",
    ),
    "a set that does not exist": (lambda: routes({**ROUTE, "people": ["others"]}), "policyIds", "a set of that name"),
    "a set whose policy is missing": (lambda: routes(PEOPLE, policyIds={"household": None}), "policyIds", "of that"),
    "a set with no people": (
        lambda: made("Google", team="team", clientId="1", clientSecret="s", people={"household": []}),
        "people[0]",
        "at least one",
    ),
    "a word for SSL that is none": (lambda: made("Zone", zone="example.com", ssl="ful"), "ssl", "full"),
    "a tunnel's secret that is short": (
        lambda: made("Tunnel", tunnelName="home", tunnelSecret=SECRET),
        "tunnelSecret",
        "openssl rand",
    ),
    "too many connectors": (
        lambda: made("Connector", token="t", origins=[ORIGIN], replicas=99.0),
        "replicas",
        "1 to 25",
    ),
    "a machine with dots": (
        lambda: made("FunnelService", **{**SERVED, "machine": "wiki.tail.ts.net"}),
        "machine",
        "such as wiki",
    ),
    "an Ingress for no host": (lambda: made("ManagedIngress", **{**INGRESS, "hosts": []}), "hosts", "at least one"),
    "a node's port out of range": (
        lambda: made("PortForward", **{**GAME, "ports": [{"protocol": "udp", "port": 1.0, "nodePort": 80.0}]}),
        "ports[0].nodePort",
        "30000",
    ),
}


@pytest.mark.parametrize("known", [{"household": "bypass-id"}, {"admins": "admins-id"}], ids=["bypass", "no set"])
def test_a_wrong_policy_that_is_known_later_is_refused_in_the_run(known: dict[str, str]) -> None:
    with pytest.raises(pulumi.RunError, match=r"lets anyone by|a set of that name"):
        record(lambda: construct("TunnelRoutes", "routes", later_routes(known)), False)


def later_routes(known: dict[str, str]) -> dict[str, Any]:
    return {**ROUTES, "routes": [PEOPLE], "policyIds": pulumi.Output.from_input(known)}


def made(kind: str, **inputs: Any) -> object:
    account = {"accountId": ACCOUNT} if kind in ("Zone", "Google", "Tunnel") else {}
    return record(lambda: construct(kind, "wiki", {**account, **inputs}), False)


@pytest.mark.parametrize("misuse", ALONE)
def test_a_component_alone_refuses_it_with_property_reason_and_fix(misuse: str) -> None:
    program, property_, said = ALONE[misuse]
    # Known later, it is a RunError: the SDK wraps a ValueError in its own words.
    with pytest.raises((ValueError, pulumi.RunError), match=re.escape(property_)) as refused:
        record(program, False)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("misuse", PACKAGE)
def test_the_package_refuses_it_as_a_wrong_input_with_property_reason_and_fix(misuse: str) -> None:
    program, property_, said = PACKAGE[misuse]
    with pytest.raises(Exception, match=re.escape(f"property {property_}")) as refused:
        program()
    assert type(refused.value).__name__ == "RefusedError", repr(refused.value)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def test_what_is_right_is_taken_whole_and_known_later_where_it_only_passes_through() -> None:
    # The positive control of both tables.
    def program() -> None:
        way(audience=NOBODY, paths=((Path("/hooks"), ANYONE),))()
        rules(TunnelRule(HOST, None, ORIGIN, "wiki", (HOST,)), TunnelRule(HOST, "^/api(/|$)", BLOG), **{HOST: "aud"})()
        given.funnel_service(machine=pulumi.Output.from_input("komga"), namespace=pulumi.Output.from_input("komga"))
        given.tunnel("other", tunnel_secret=pulumi.Output.secret(given.TUNNEL_SECRET), tunnel_name=later())
        PublicTunnelWay.of("blog", hosts=["blog.example.com"], origin=BLOG)

    found = record(program, False)
    ingress = found.one("kubernetes:Ingress").inputs
    assert (ingress["spec"]["tls"], ingress["metadata"]["namespace"]) == ([{"hosts": ["komga"]}], "komga")


def test_all_that_is_wrong_with_a_component_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="ssl") as refused:
        record(lambda: given.zone(ssl="ful", account_id="mine", min_tls_version="1.1"), False)
    assert [line.split("`")[1] for line in str(refused.value).splitlines()] == ["account_id", "ssl", "min_tls_version"]
