"""Paths with audiences of their own, several hosts, ways and zones, wildcards: asked for one by one, and found."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from typing import Any

import pytest

from config.loader import tie
from exposure.check import check_one
from exposure.model import ExposurePlan
from gatehouse.engine.program import collector_held
from gatehouse.probe.checks import checks_of
from gatehouse.probe.options import wildcards_beside
from gatehouse.probe.probes import Check, ClosedProbe, HttpProbe, NameProbe, PortProbe, ZoneProbe
from gatehouse.probe.runner import Result, run_checks
from tests.gatehouse.probe.world import NAME_SERVERS, ROUTER, TEAM, WHY, Request, Response, World, at, login
from tests.kit.builders import ESTATE, GAME, HTML, MEDIA, NODE, OPEN_HTML, loaded, plan_of

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
NONCE = "n0nce"
OPEN = {"clients": "anyone"}


SERVICES: Mapping[str, Mapping[str, Any]] = {
    "site": {
        **OPEN_HTML,
        "hosts": ["example.com", "www.example.com"],
        "paths": {"/admin": {"people": "admins"}, "/old": {"clients": "nobody"}},
    },
    "wiki": {
        **HTML,
        "origin": at("wiki"),
        "gates": ["zero-trust", "tailnet"],
        "hosts": ["wiki.example.com", "wiki.example.org"],
        "paths": {"/api": OPEN},
        "acknowledge": {"access-path-bypass": WHY},
    },
    "notes": {
        **HTML,
        "origin": at("notes"),
        "host": "notes.example.com",
        "paths": {"/api": OPEN, "/api/private": {"people": "admins"}},
        "acknowledge": {"access-path-bypass": WHY},
    },
    "chat": {**HTML, "host": "chat.example.com", "origin": at("chat")},
    "matrix": {**OPEN_HTML, "host": "chat.example.com", "path": "/matrix", "origin": at("matrix")},
    "hooks": {
        **HTML,
        "clients": "nobody",
        "paths": {"/hooks": OPEN, "/known": {**OPEN, "ips": ["203.0.113.0/24"]}},
        "origin": at("hooks"),
        "acknowledge": {"access-path-bypass": WHY},
    },
    "rest": {**HTML, "host": "*.example.org", "origin": at("ingress-nginx")},
    "photos": {**MEDIA, "clients": "nobody", "paths": {"/share": OPEN}, "origin": at("photos")},
    "dns": {
        "origin": at("dns", 53, scheme="tcp", other_ports=[{"port": 53, "protocol": "udp"}, {"port": 853}]),
        "traffic": "non-html",
        "clients": "tailnet",
    },
}
"""One of each new form."""
SECTIONS: Mapping[str, Any] = {
    "node": {**NODE, "public_record": True},
    "estate": {**ESTATE, "other_zones": [{"name": "example.org", "dnssec": False}]},
}
PHOTOS = "photos-alfred.tail.ts.net"


@functools.cache
def plan() -> ExposurePlan:
    return plan_of(SERVICES, **SECTIONS)


@functools.cache
def made() -> dict[str, Check]:
    return {check.id: check for check in checks_of(plan(), NONCE)}


def asked_of(subject: str, checks: Mapping[str, Check] | None = None) -> set[str]:
    found = made() if checks is None else checks
    return {i.partition("/")[2] for i, check in found.items() if check.subject == subject}


def test_a_stack_file_may_say_all_of_this() -> None:
    assert check_one("alfred", tie([loaded(SERVICES, **SECTIONS)])) == ()


FORGERIES = {"forged-header", "forged-cookie", "forged-token"}
ODD = {"http", "host-capitals", "host-dot", "host-port", "fronted", "router-https", "router-http"}


def test_a_path_for_people_on_a_public_host_is_asked_as_a_host_of_its_own_would_be() -> None:
    whole = {"name", "answers", "http"}
    admin = {"login", "deeper-path", "into-dots", "into-slashes", "into-coded", *FORGERIES, *ODD}
    old = {"shut", "deeper-path", "into-dots", "into-slashes", "into-coded", *FORGERIES}
    expected = whole | {f"{what}/admin" for what in admin} | {f"{what}/old" for what in old}
    assert asked_of("site") == expected | {f"{what}@www.example.com" for what in expected}
    assert made()["site/login/admin@www.example.com"].probe == HttpProbe("login", "https", "www.example.com", "/admin")
    assert made()["site/into-dots/admin"].probe == HttpProbe("guarded", "https", "example.com", "/xn0nce/../admin")
    assert made()["site/into-coded/old"].probe == HttpProbe("guarded", "https", "example.com", "/%6fld")


def test_what_is_shut_below_an_open_path_is_reached_by_no_other_spelling() -> None:
    probes = [made()[f"notes/into-{how}/api/private"].probe for how in ("dots", "slashes", "coded")]
    assert [p.target for p in probes if isinstance(p, HttpProbe)] == [
        "/api/xn0nce/../private",
        "/api//private",
        "/api/%70rivate",
    ]
    assert "into-dots" not in asked_of("notes"), "nothing above it is open"
    assert "into-coded/@home" not in asked_of("a", checks({"a": {**OPEN_HTML, "paths": {"/@home": {}}}})), "reserved"


def checks(services: Mapping[str, Any]) -> dict[str, Check]:
    return {check.id: check for check in checks_of(plan_of(services), NONCE)}


def test_dots_that_lead_to_an_open_path_are_not_asked_to_be_shut() -> None:
    paths = {"/api": OPEN, "/api/v1": {"people": "admins"}, "/api/v1/hooks": OPEN}
    found = asked_of("wiki", checks({"wiki": {**HTML, "paths": paths, "acknowledge": {"access-path-bypass": WHY}}}))
    assert "dots/api/v1/hooks" in found
    assert "dots/api" in found
    nested = {"/api": OPEN, "/api/v1": OPEN}
    found = asked_of("wiki", checks({"wiki": {**HTML, "paths": nested, "acknowledge": {"access-path-bypass": WHY}}}))
    assert "dots/api" in found
    assert "dots/api/v1" not in found, "/api is open"


def test_a_service_below_a_path_of_a_shared_host_is_asked_for_there() -> None:
    assert made()["matrix/answers"].probe == HttpProbe("page", "https", "chat.example.com", "/matrix")
    assert {"sibling", "inside", "capitals", "dots", "coded-dots"} <= asked_of("matrix"), "the rest is chat's"
    assert made()["chat/login"].probe == HttpProbe("login", "https", "chat.example.com")
    other = {**SERVICES["chat"], **OPEN_HTML, "origin": at("chat")}
    assert "sibling" not in asked_of("matrix", checks({"chat": other, "matrix": SERVICES["matrix"]}))


def test_what_is_for_nobody_need_not_send_to_the_login() -> None:
    assert made()["hooks/shut"].probe == HttpProbe("guarded", "https", "hooks-alfred.example.com")
    assert "login" not in asked_of("hooks")
    assert "open/hooks" in asked_of("hooks")


def test_a_path_for_some_addresses_is_shut_for_whoever_asks_from_elsewhere() -> None:
    known = made()["hooks/shut/known"]
    assert known.probe == HttpProbe("guarded", "https", "hooks-alfred.example.com", "/known")
    assert known.must_not
    assert "203.0.113.0/24 alone" in known.means
    assert "open/known" not in asked_of("hooks")


def test_below_a_wildcard_a_made_up_name_is_asked_for_and_one_that_access_does_not_cover() -> None:
    assert made()["rest/name"].probe == NameProbe("edge", f"gatehouse-{NONCE}.example.org", (ROUTER,))
    assert made()["rest/login"].probe == HttpProbe("login", "https", f"gatehouse-{NONCE}.example.org")
    assert made()["rest/deeper-name"].probe == HttpProbe(
        "unknown", "https", f"deeper.gatehouse-{NONCE}.example.org", verify=False
    )
    assert "deeper-name" not in asked_of("wiki")


def test_every_zone_is_asked_about_and_a_name_that_nobody_has_only_without_a_wildcard() -> None:
    zones = {i for i, check in made().items() if isinstance(check.probe, ZoneProbe)}
    assert zones == {
        *(f"example.com/{what}" for what in ("name-servers", "ds", "chain")),
        *(f"example.org/{what}" for what in ("name-servers", "no-ds")),
    }
    assert "example.com/unknown-host" in made()
    assert "example.org/unknown-host" not in made()


def test_a_zone_is_compared_with_its_own_outputs() -> None:
    outputs = {
        "name_servers": ["a.ns.cloudflare.com"],
        "zones": {"example.org": {"name_servers": ["B.ns.cloudflare.com."], "ds_record": None}},
    }
    found = {check.id: check.probe for check in checks_of(plan(), NONCE, outputs)}
    assert found["example.com/name-servers"] == ZoneProbe("name-servers", "example.com", ("a.ns.cloudflare.com",))
    assert found["example.org/name-servers"] == ZoneProbe("name-servers", "example.org", ("b.ns.cloudflare.com",))
    alone = {check.id: check.probe for check in checks_of(plan(), NONCE, {"name_servers": ["a.ns.cloudflare.com"]})}
    assert alone["example.org/name-servers"] == ZoneProbe("name-servers", "example.org", ())


def test_a_wildcard_of_another_stack_takes_the_names_that_nobody_has() -> None:
    octavo = {**NODE, "name": "octavo", "lan_ipv4": "192.168.0.125", "context": "octavo"}
    wide = {"rest": {**HTML, "host": "*.example.com"}}
    member = loaded(wide, "octavo", node=octavo, member_of="organization/gatehouse/alfred")
    stacks = tie([loaded({"media": MEDIA}), member])
    assert wildcards_beside(stacks["alfred"], stacks) == ["*.example.com"]
    assert wildcards_beside(stacks["octavo"], stacks) == []
    mine = plan_of({"media": MEDIA})
    assert {"example.com/unknown-host", "media/no-name"} <= {c.id for c in checks_of(mine)}, "control"
    found = {c.id for c in checks_of(mine, NONCE, elsewhere=["*.example.com"])}
    assert not {"example.com/unknown-host", "media/no-name"} & found


def test_every_way_of_a_service_is_asked_about() -> None:
    gates = {check.gate for check in made().values() if check.subject == "wiki"}
    assert gates == {"zero-trust", "tailnet"}
    assert made()["wiki/private-name"].probe == NameProbe("absent", "wiki-alfred.tail.ts.net")


def test_the_same_question_at_two_ways_has_two_names() -> None:
    both = {**OPEN_HTML, "gates": ["public-tunnel", "funnel"]}
    found = checks({"page": both})
    assert found["page/answers"].gate == "public-tunnel"
    assert found["page/answers@page-alfred.tail.ts.net"].gate == "funnel"
    assert found["page/certificate"].gate == "funnel"


def test_of_funnel_with_paths_those_answer_and_nothing_else() -> None:
    assert made()["photos/answers/share"].probe == HttpProbe("open", "https", PHOTOS, "/share", verify=False)
    targets = [
        c.probe.target for c in made().values() if isinstance(c.probe, HttpProbe) and c.probe.expect == "unserved"
    ]
    assert targets == ["/", f"/gatehouse-{NONCE}"]
    assert not [i for i in checks({"media": MEDIA}) if "unserved" in i], "without paths all is served"


def test_each_tcp_port_of_the_user_s_own_service_must_not_answer_at_the_router() -> None:
    found = {c.what: c.probe for c in made().values() if c.subject == "dns" and isinstance(c.probe, ClosedProbe)}
    assert found == {"router-53": ClosedProbe(ROUTER, 53), "router-853": ClosedProbe(ROUTER, 853)}
    ours = {**SERVICES["dns"], "origin": {**SERVICES["dns"]["origin"], "selector": {"app": "dns"}}}
    whats = {check.what for check in checks_of(plan_of({"dns": ours}, **SECTIONS)) if check.subject == "dns"}
    assert whats == {"private-name", "no-name"}, "it has no port of the node"


def test_each_host_of_a_forwarded_port_leads_to_the_router() -> None:
    found = checks({"game": {**GAME, "hosts": ["mc.example.com", "game.example.com"]}})
    assert found["game/name@game.example.com"].probe == NameProbe("exactly", "game.example.com", (ROUTER,))
    assert found["game/tcp-25565@game.example.com"].probe == PortProbe("game.example.com", 25565, "tcp")
    assert found["game/name"].probe == NameProbe("exactly", "mc.example.com", (ROUTER,))


# Against a world


class Estate(World):
    """The edge as Cloudflare's documents have it, for these services: URLs are normalised before anything is asked."""

    def edge(self, request: Request) -> Response:
        if request.scheme == "http":
            return Response(301, headers={"Location": f"https://{request.name}{request.target}"})
        path = _normalised(request.target)
        first = path.split("/")[1]
        match request.name:
            case "example.com" | "www.example.com":
                return {"admin": login(request), "old": login(request)}.get(first, Response(200, "<h1>site</h1>"))
            case "wiki.example.com" | "wiki.example.org" | "notes.example.com":
                private = first == "api" and path.split("/")[2:3] == ["private"]
                return Response(200, "api") if first == "api" and not private else login(request)
            case "chat.example.com":
                return Response(200, "matrix") if first == "matrix" else login(request)
            case "hooks-alfred.example.com":
                return Response(200, "hook") if first == "hooks" else login(request)
            case name if name.endswith(".example.org"):
                # Access's wildcard covers one label; the tunnel's asks for a JWT below it too.
                return login(request) if name.count(".") == 2 else Response(403)
        return Response(404)

    def share(self, request: Request) -> Response:
        """Serve: what has no handler is not found."""
        served = request.target.split("/")[1] == "share"
        return Response(200, "album") if served else Response(404, "404 page not found\n")


def _normalised(target: str) -> str:
    import posixpath
    from urllib.parse import unquote

    return posixpath.normpath(unquote(target.partition("?")[0]).replace("//", "/"))


def world(holes: bool) -> Estate:
    """A good one, or one where every HTTP check that can fail does: what must not answer does, and the reverse."""
    names = ["wiki.example.org", f"gatehouse-{NONCE}.example.org", f"deeper.gatehouse-{NONCE}.example.org"]
    records: dict[tuple[str, str], list[str]] = {(name, "A"): ["127.0.0.1"] for name in ("example.com", *names)}
    records |= {(name, "AAAA"): [] for name in ("example.com", *names)}
    records["example.org", "NS"] = [f"{n}." for n in NAME_SERVERS]
    wrong = {_key(c.probe): c.must_not for c in made().values() if isinstance(c.probe, HttpProbe)}
    made_up = Estate(
        records=records,
        other_zones=["example.org"],
        hosts=["alfred", "www", "wiki", "notes", "chat", "hooks-alfred"],
        machines=[PHOTOS],
        funnel_names=[PHOTOS],
        router_ports=[53, 853],
    )
    made_up.funnel_reply = made_up.share
    if holes:
        records[f"gatehouse-{NONCE}.example.com", "A"] = ["127.0.0.1"]

        def opposite(request: Request) -> Response:
            key = (request.scheme, request.sni, request.host, request.target, _credentials(request.headers))
            return Response(200, "<h1>open</h1>") if wrong.get(key, True) else login(request)

        made_up.replies = [(lambda r: True, opposite)]
        made_up.funnel_reply = opposite
        made_up.router_reply = lambda r: Response(200, "welcome")
    return made_up


def _key(probe: HttpProbe) -> tuple[str, ...]:
    sni = probe.sni if probe.scheme == "https" else ""
    return (probe.scheme, sni, probe.host or probe.sni, probe.target, _credentials(dict(probe.headers)))


def _credentials(headers: Mapping[str, str]) -> str:
    names = ("cf-access-jwt-assertion", "cookie", "cf-access-token")
    return " ".join(k.lower() for k in headers if k.lower() in names)


def probed(estate: World) -> list[Result]:
    async def both() -> list[Result]:
        async with estate:
            return await run_checks([*made().values()], TEAM, estate.settings())

    with collector_held():
        return asyncio.run(both())


def test_an_estate_that_keeps_every_promise_passes() -> None:
    results = probed(world(holes=False))
    # Nothing listens at the router, and a TCP handshake with nobody is refused.
    assert {r.check.id: r.verdict for r in results if r.verdict.state != "passed"} == {}
    assert len(results) == len(made())


def test_every_promise_about_the_web_that_is_broken_is_found() -> None:
    results = probed(world(holes=True))
    asked = {r.check.id for r in results if isinstance(r.check.probe, HttpProbe)}
    assert {r.check.id for r in results if r.verdict.state == "failed"} == asked
