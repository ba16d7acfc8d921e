"""Every form of a stack file: who reaches what is what its words mean, by the plan and by what is registered."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.secrets import SECRETS
from exposure.reach import Outcome, Request, Surface, from_plan, from_steps, known_of, table, who
from exposure.reach.places import principals, reached
from exposure.reach.shadows import shadows
from tests.exposure.reach import homes, naive, worlds
from tests.exposure.reach.naive import Home
from tests.kit.builders import GAME, HTML, MEDIA, OPEN_HTML

_WORDS = {Outcome.OPEN: "open", Outcome.LOGIN: "login", Outcome.TOKEN: "token", Outcome.TAILNET: "tailnet"}
FEW = settings(max_examples=max(settings().max_examples // 4, 5))


def registered(home: Home, folder: Path, dry_run: bool = True) -> dict[str, Any]:
    """What the program registers: with every id and AUD unknown, or known as after an `up`."""
    from gatehouse import offline

    with pytest.MonkeyPatch.context() as patch:
        homes.unchecked(patch)
        project = homes.write(home, folder)
        if dry_run:
            return json.loads(offline.run_offline(project, home.node).to_json())  # type: ignore[no-any-return]
        found = offline.run_offline(
            project,
            home.node,
            False,
            secrets={"gatehouse:tunnel_secret": SECRETS[1].simulated, "gatehouse:google_client_secret": "s"}
            | {"cloudflare:apiToken": "t", "tailscale:apiKey": "t"},
            computed=lambda type_, name, inputs: {"id": f"{name}-id", "aud": f"aud of {name}"},
        )
    document: dict[str, Any] = json.loads(found.to_json())
    for step in document["steps"]:
        name = step["urn"].rsplit("::", 1)[-1]
        step["newState"] |= {"id": f"{name}-id", "outputs": {"aud": f"aud of {name}"}}
    return document


def answers(home: Home, surface: Surface, random: Random, most: int) -> Counter[Outcome]:
    """Ask both about things that are there, and beside them; how it ended, counted."""
    seen: Counter[Outcome] = Counter()
    asked = homes.requests(home)
    for scheme, host, port, path in random.sample(asked, min(most, len(asked))):
        for name in homes.PRINCIPALS:
            answer = who(surface, Request(host, port, path, scheme), worlds.principal(name))  # type: ignore[arg-type]
            expected = naive.meant(home, scheme, host, port, path, name)
            assert _WORDS.get(answer.outcome, "no") == expected, (scheme, host, port, path, name, answer)
            if answer.reaches:
                assert str(answer.workload) == naive.answering(home, scheme, host, port, path), answer
                assert sorted(word for one in answer.from_ for word in one) == naive.places(home, host, path), answer
            seen[answer.outcome] += 1
    return seen


@settings(max_examples=settings().max_examples * 2)
@given(homes.homes(), st.randoms(use_true_random=False))
def test_who_reaches_what_is_what_the_words_of_the_file_mean(home: Home, random: Random) -> None:
    surface = from_plan(homes.planned(home))
    answers(home, surface, random, 40)
    assert shadows(surface) == (), "nothing hides anything, and no bypass is wider than meant"


@FEW
@given(homes.homes())
def test_what_is_registered_gives_the_surface_of_the_plan(tmp_path_factory: pytest.TempPathFactory, home: Home) -> None:
    plan = homes.planned(home)
    document = registered(home, tmp_path_factory.mktemp("home") / "project")
    assert from_steps(document, known_of(plan)) == from_plan(plan)


TWO_ZONES = {"example.com": (False, True), "example.net": (True, False)}
PEOPLE = {"household": ["ada@example.com", "ben@example.com"], "admins": ["cleo@example.com"]}
HOUSEHOLD = "ada@example.com, ben@example.com after login"
ADMINS = "cleo@example.com after login"
BOTH = "ada@example.com, ben@example.com, cleo@example.com after login"
LOW = {**HTML, "sensitivity": "low"}
RAW = {"traffic": "non-html", "clients": "tailnet"}
SELECTED = {"selector": {"app": "git"}}
GIT = {"namespace": "git", "service": "git", "port": 22, "scheme": "tcp"}

EXACT: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nested paths with three audiences": (
        {
            "app": {
                **LOW,
                "host": "app.example.com",
                "paths": {
                    "/hooks": {"clients": "anyone"},
                    "/hooks/test": {"people": "admins"},
                    "/hooks/test/metrics": {"clients": "nobody"},
                    "/hooks/test/metrics/up": {"people": ["admins", "household"]},
                },
            }
        },
        {
            "app.example.com/": HOUSEHOLD,
            "app.example.com/hooks": "anyone",
            "app.example.com/hooks/test": ADMINS,
            "app.example.com/hooks/test/metrics": "nobody",
            "app.example.com/hooks/test/metrics/up": BOTH,
        },
    ),
    "paths for some addresses alone": (
        {
            "app": {
                **LOW,
                "host": "app.example.com",
                "paths": {
                    "/hooks": {"clients": "anyone", "ips": ["203.0.113.0/24", "2001:db8::/32"]},
                    "/hooks/ping": {"clients": "anyone"},
                },
            },
            "feed": {
                **LOW,
                "host": "feed.example.com",
                "clients": "nobody",
                "paths": {"/feed": {"clients": "anyone", "ips": ["198.51.100.7/32"]}},
            },
        },
        {
            "app.example.com/": HOUSEHOLD,
            "app.example.com/hooks": "anyone at 2001:db8::/32 or at 203.0.113.0/24",
            "app.example.com/hooks/ping": "anyone",
            "feed.example.com/": "nobody",
            "feed.example.com/feed": "anyone at 198.51.100.7/32",
        },
    ),
    "two services on one host by path": (
        {
            "chat": {**LOW, "host": "example.com", "people": "admins"},
            "matrix": {**OPEN_HTML, "host": "example.com", "path": "/_matrix"},
            "sync": {**LOW, "host": "example.com", "path": "/_matrix/sync"},
        },
        {
            "example.com/": ADMINS,
            "example.com/_matrix": "anyone",
            "example.com/_matrix/sync": HOUSEHOLD,
        },
    ),
    "a path of a host and nothing beside it": (
        {"app": {**OPEN_HTML, "host": "shop.example.com", "path": "/app"}},
        {"shop.example.com/": "nobody", "shop.example.com/app": "anyone"},
    ),
    "a public host with a path for people": (
        {"blog": {**OPEN_HTML, "host": "blog.example.com", "paths": {"/admin": {"people": "admins"}}}},
        {"blog.example.com/": "anyone", "blog.example.com/admin": ADMINS},
    ),
    "nobody with one open path": (
        {
            "hooks": {
                **LOW,
                "host": "hooks.example.com",
                "clients": "nobody",
                "paths": {"/github": {"clients": "anyone"}},
            }
        },
        {"hooks.example.com/": "nobody", "hooks.example.com/github": "anyone"},
    ),
    "a guarded wildcard and exact hosts below it": (
        {
            "all": {**LOW, "host": "*.example.com"},
            "blog": {**OPEN_HTML, "host": "blog.example.com"},
            "admin": {**LOW, "host": "admin.example.com", "people": "admins"},
            "same": {**LOW, "host": "same.example.com"},
        },
        {
            "*.example.com/": HOUSEHOLD,
            "blog.example.com/": "anyone",
            "admin.example.com/": ADMINS,
            "same.example.com/": HOUSEHOLD,
        },
    ),
    "a public wildcard and a guarded host": (
        {"all": {**OPEN_HTML, "host": "*.example.net"}, "mine": {**LOW, "host": "mine.example.net"}},
        {"*.example.net/": "anyone", "mine.example.net/": HOUSEHOLD},
    ),
    "two zones, of which one alone has certificates for deeper names": (
        {"deep": {**OPEN_HTML, "hosts": ["a.b.example.com", "a.b.example.net", "example.net"]}},
        {"a.b.example.com/": "nobody", "a.b.example.net/": "anyone", "example.net/": "anyone"},
    ),
    "several hosts, each with the path": (
        {"wiki": {**LOW, "hosts": ["wiki.example.com", "wiki.example.net"], "paths": {"/api": {"clients": "anyone"}}}},
        {
            "wiki.example.com/": HOUSEHOLD,
            "wiki.example.com/api": "anyone",
            "wiki.example.net/": HOUSEHOLD,
            "wiki.example.net/api": "anyone",
        },
    ),
    "a funnel of some paths": (
        {
            "photos": {
                **MEDIA,
                "gate": "funnel",
                "clients": "nobody",
                "paths": {"/share": {"clients": "anyone"}, "/admin": {"people": "admins"}},
            }
        },
        {"photos-alfred.tail.ts.net/": "nobody", "photos-alfred.tail.ts.net/share": "anyone"},
    ),
    "tcp and udp under one name, of a Service that is made and of one that is there": (
        {
            "git": {**RAW, "origin": {**GIT, **SELECTED, "target_port": 2222, "other_ports": [{"port": 80}]}},
            "dns": {**RAW, "origin": {**GIT, "port": 53, "scheme": "udp", "other_ports": [{"port": 53}]}},
        },
        {
            "git-alfred.tail.ts.net:22/tcp": HOUSEHOLD.replace("after login", "from the tailnet"),
            "git-alfred.tail.ts.net:80/tcp": HOUSEHOLD.replace("after login", "from the tailnet"),
            "dns-alfred.tail.ts.net:53/tcp": HOUSEHOLD.replace("after login", "from the tailnet"),
            "dns-alfred.tail.ts.net:53/udp": HOUSEHOLD.replace("after login", "from the tailnet"),
        },
    ),
    "one service by two ways": (
        {
            "paperless": {**LOW, "gates": ["zero-trust", "tailnet"], "people": ["admins", "household"]},
            "game": {**GAME, "gates": ["port-forward", "tailnet"], "people": "admins"},
        },
        {
            "paperless-alfred.example.com/": BOTH,
            "paperless-alfred.tail.ts.net/": BOTH.replace("after login", "from the tailnet"),
            "game-alfred.example.com:25565/tcp": "anyone",
            "192.168.0.124:32565/tcp": "anybody on the home network",
            "game-alfred.tail.ts.net:25565/tcp": ADMINS.replace("after login", "from the tailnet"),
        },
    ),
}


@pytest.mark.parametrize("form", [*EXACT, *(f"{form}, shared" for form in EXACT if "tcp" in form or "ways" in form)])
def test_each_form_is_reached_by_whom_it_names(form: str, tmp_path: Path) -> None:
    services, expected = EXACT[form.removesuffix(", shared")]
    home = Home(TWO_ZONES, PEOPLE, ["household"], services, shared=form.endswith(", shared"))
    plan = homes.planned(home)
    surface = from_plan(plan)
    rows = {place.text: found.text() for place, found in table(surface)}
    assert rows == expected
    answers(home, surface, Random(0), 400)
    assert shadows(surface) == ()
    assert from_steps(registered(home, tmp_path / "before"), known_of(plan)) == surface
    assert from_steps(registered(home, tmp_path / "after", dry_run=False), known_of(plan)) == surface
    # Each place is its own service's, also where several share a host.
    assert {place.service for place, found in table(surface) if found.how} == set(services)


def test_what_is_not_named_is_not_reached() -> None:
    services, _ = EXACT["nested paths with three audiences"]
    surface = from_plan(homes.planned(Home(TWO_ZONES, PEOPLE, ["household"], services)))
    everybody = principals(surface)

    def at(path: str) -> str:
        return reached(surface, Request("app.example.com", path=path), everybody).text()

    assert at("/hooksx") == at("/hook") == at("/x/hooks") == HOUSEHOLD
    assert at("/hooks/testx") == at("/hooks/x") == "anyone"
    assert at("/hooks/test/metrics/upx") == "nobody"
    # What the two parties may read apart is shut where it is no path, and otherwise as open as its widest reading.
    assert at("/hooks/test/../../x") == at("/hooks/%2e%2e/x") == HOUSEHOLD
    assert at("/hooks/..%2fx") == "nobody"


def test_a_name_deeper_than_a_guarded_wildcard_is_shut_by_the_jwt_check() -> None:
    home = Home({"example.com": (True, True)}, PEOPLE, ["household"], {"all": {**LOW, "host": "*.example.com"}})
    surface = from_plan(homes.planned(home))
    ada = worlds.principal("ada@example.com")
    assert who(surface, Request("x.example.com"), ada).outcome is Outcome.LOGIN
    assert who(surface, Request("x.y.example.com"), ada).outcome is Outcome.JWT_REFUSED


def test_every_way_of_ending_is_met() -> None:
    # The control of the properties above: these worlds have more in them than closed doors.
    seen: Counter[Outcome] = Counter()
    for number, (services, _) in enumerate(EXACT.values()):
        home = Home(TWO_ZONES, PEOPLE, ["household"], services)
        seen += answers(home, from_plan(homes.planned(home)), Random(number), 100)
    met = "OPEN LOGIN TAILNET ACCESS_DENIED STATUS NOT_SERVED TAILNET_DENIED OFF_TAILNET NO_LISTENER NO_CERTIFICATE"
    assert min(seen[Outcome[name]] for name in met.split()) > 5, seen
