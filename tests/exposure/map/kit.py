"""Maps for tests: of plain stacks, and one in which every word is an attempt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from config.loader import load_project, tie
from exposure.map import Map, Way, map_of
from exposure.map.model import Crowd, Home
from exposure.reach.project import plan_project
from exposure.ways.way import ManualStep
from tests.kit import builders

_WHY = "API clients have tokens of their own"


def at(key: str, service: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A service whose workload is its own."""
    return {**service, "origin": {**service["origin"], "namespace": key}, **more}


SERVICES: Mapping[str, Any] = {
    "blog": at("blog", builders.OPEN_HTML),
    "films": at("films", builders.MEDIA),
    "game": builders.GAME,
    "grafana": at(
        "grafana",
        builders.HTML,
        people="admins",
        paths={"/api": {"clients": "anyone"}},
        acknowledge={"access-path-bypass": _WHY},
    ),
    "notes": at("notes", builders.HTML, clients="tailnet"),
    "nas": {**builders.HTML, "origin": {"url": "http://192.168.0.200:8080"}},
    "ssh": {**builders.SSH, "people": "admins"},
}
"""One of each kind."""

FORMS: Mapping[str, Any] = {
    "blog": at(
        "blog",
        builders.OPEN_HTML,
        hosts=["example.com", "www.example.com"],
        paths={"/admin": {"people": "admins"}},
    ),
    "chat": at("chat", builders.OPEN_HTML, host="example.com", path="/_matrix"),
    "paperless": at("paperless", builders.HTML, gates=["zero-trust", "tailnet"], people=["admins", "household"]),
    "hooks": at(
        "hooks",
        builders.HTML,
        clients="nobody",
        paths={"/github": {"clients": "anyone"}},
        acknowledge={"access-path-bypass": _WHY},
    ),
    "pages": at("pages", builders.OPEN_HTML, host="*.example.com"),
    "photos": at("photos", builders.MEDIA, gate="funnel", clients="nobody", paths={"/share": {"clients": "anyone"}}),
    "dns": {
        **builders.SSH,
        "origin": {
            "namespace": "dns",
            "service": "dns",
            "port": 53,
            "scheme": "udp",
            "other_ports": [{"port": 53, "protocol": "tcp"}],
        },
    },
    "home": {**builders.HTML, "origin": {"url": f"http://{builders.NODE['lan_ipv4']}:8123"}},
}
"""Several ways, hosts and ports, paths with clients of their own, a shared host, a wildcard."""

HOSTILE = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=1</script>",
    '"><img src="http://evil.example/x.png" onerror="window.pwned=1">',
    "' onfocus='window.pwned=1' autofocus='",
    "]]><!-- & &amp; &lt;b&gt; <b>bold</b>",
    "</style><style>body{display:none}</style>",
    "```\n```| **a** [x](javascript:window.pwned=1) `code` # ~~",
    ']] --> who0; click who0 href "javascript:window.pwned=1" %%{init: {}}%% #35;',
    "${window.pwned=1}{{7*7}}\u2028\u2029\\u003c",
    "מפה عربى 地図地図地図地図地図地図地図地図地図地図地図地図地図地図 Ünïcödé 👩🏽‍💻",
    "W" * 120,
)


@cache
def shipped(stack: str) -> Map:
    """The map of a stack of this repository."""
    stacks = load_project(builders.PROJECT)
    return map_of(plan_project(stacks, [stack]), stack)


@cache
def estate() -> Map:
    """The map of every stack of this repository."""
    return map_of(plan_project(load_project(builders.PROJECT)))


def made(services: Mapping[str, Any] = SERVICES, **sections: Any) -> Map:
    """The map of stack `alfred` with these services."""
    stacks = tie([builders.loaded(services, **sections)])
    assert not [f for s in stacks.values() for f in s.findings if f.severity == "error"]
    return map_of(plan_project(stacks, ["alfred"]), "alfred")


@cache
def plain() -> Map:
    """One service of each kind."""
    return made()


@cache
def forms() -> Map:
    """Every form of a way."""
    return made(FORMS)


@cache
def hostile() -> Map:
    """The plain map with every word replaced, also those that a stack file would refuse."""
    found = plain()
    words = iter(HOSTILE * 20)
    crowds = {crowd: Crowd(next(words), next(words), (next(words),)) for crowd in found.crowds}
    people = {name: f"{next(words)}{number}" for number, name in enumerate(found.people)}
    keys = {ways[0].service: f"{next(words)}{number}" for number, ways in enumerate(found.services)}
    node = next(words)
    titles = {key: next(words) for key in keys}

    def spoiled(way: Way) -> Way:
        url = f"https://{next(words)}/"
        return replace(
            way,
            node=node,
            service=keys[way.service],
            title=titles[way.service],
            crowd=crowds[way.crowd],
            front=next(words),
            how=next(words) if way.how else "",
            url=url,
            address=next(words),
            link=url if way.link else None,
            people=tuple(people[name] for name in way.people),
            origin=next(words),
        )

    return replace(
        found,
        stacks=(next(words),),
        homes=(Home(node, (next(words), next(words)), next(words), next(words)),),
        ways=tuple(map(spoiled, found.ways)),
        people=tuple(people.values()),
        manual_steps=tuple(ManualStep(word, word, (word, f"`{word}`"), values={word: word}) for word in HOSTILE),
    )
