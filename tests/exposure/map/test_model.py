"""What is on the map: every service, by the ways that the stack file asks for, to those whom it names."""

from __future__ import annotations

from typing import Any

from hypothesis import given

import tests.kit.profiles  # noqa: F401
from config.loader import tie
from exposure.map import map_of
from exposure.reach.project import plan_project
from tests.exposure.map import kit
from tests.kit import builders
from tests.kit.estates import Estate, estates

ALICE, BOB, STRANGER = "alice@example.com", "bob@example.com", "anyone"


def test_alfreds_map_says_who_comes_by_which_gate() -> None:
    titles = (
        "Visual Studio Code Server",
        "Firefly III",
        "Grafana",
        "Homebox",
        "Kubernetes Dashboard",
        "UniFi Controller",
    )
    household = dict.fromkeys(titles, ("zero-trust", "household, after Google login"))
    media = dict.fromkeys(("Audiobookshelf", "Komga", "Navidrome", "Plex Media Server"), ("funnel", "Anyone"))
    ways = kit.shipped("alfred").ways
    assert {w.title: (w.gate, w.who) for w in ways if not w.past_login} == {
        **household,
        **media,
        "InfluxDB": ("public-tunnel", "Anyone"),
        "ACME renewals": ("acme", "Let's Encrypt"),
        "Minecraft Server": ("port-forward", "Anyone"),
        "SSH": ("tailnet", "admins, from the tailnet"),
    }
    assert [(w.title, w.url.split("/", 3)[3], w.who) for w in ways if w.past_login] == [("Grafana", "api", "Anyone")]


def test_a_person_reaches_what_the_sets_of_people_say() -> None:
    ways = kit.shipped("alfred").ways
    assert {w.title for w in ways if ALICE not in w.people} == set()
    assert {w.title for w in ways if BOB not in w.people} == {"SSH"}
    assert {w.title for w in ways if STRANGER in w.people} == {
        *("InfluxDB", "Grafana", "ACME renewals", "Audiobookshelf", "Komga", "Navidrome", "Plex Media Server"),
        "Minecraft Server",
    }


def test_each_kind_goes_through_its_stations() -> None:
    assert {w.address: (w.route, w.spot) for w in kit.plain().ways} == {
        "blog-alfred.example.com": (("Internet", "Cloudflare edge", "no login", "Tunnel"), "cluster"),
        "grafana-alfred.example.com": (("Internet", "Cloudflare edge", "Google login", "Tunnel"), "cluster"),
        "grafana-alfred.example.com/api": (("Internet", "Cloudflare edge", "no login here", "Tunnel"), "cluster"),
        "nas-alfred.example.com": (("Internet", "Cloudflare edge", "Google login", "Tunnel"), "lan"),
        "films-alfred.tail.ts.net": (("Internet", "Tailscale Funnel", "no login", "Tailscale proxy"), "cluster"),
        "tcp://game-alfred.example.com:25565": (("Internet", "Router", "tcp 25565", "NodePort"), "cluster"),
        "notes-alfred.tail.ts.net": (("Tailnet", "by grant", "Tailscale proxy"), "cluster"),
        "ssh://alfred.tail.ts.net": (("Tailnet", "by grant"), "node"),
    }


def test_a_members_map_has_its_own_services_alone() -> None:
    assert {w.title for w in kit.shipped("octavo").ways} == {"Home Assistant", "SSH"}
    assert [w.url for w in kit.shipped("octavo").ways if w.title == "SSH"] == ["ssh://octavo.xantu-lizard.ts.net"]


def test_a_stack_without_services_has_an_empty_map() -> None:
    assert kit.made({}).ways == ()


def test_only_a_browsers_addresses_are_links() -> None:
    assert {w.url.split(":")[0]: w.link is not None for w in kit.shipped("alfred").ways} == {
        **{"https": True, "http": True},
        **{"tcp": False, "udp": False, "ssh": False},
    }


@given(estates())
def test_every_service_is_on_the_map_and_opens_to_whom_its_facts_say(estate: Estate) -> None:
    stacks = tie(list(estate.loaded().values()))
    for name, services in estate.services.items():
        found = map_of(plan_project(stacks, [name]), name)
        assert {way.service for way in found.ways} == set(services)
        sets: dict[str, Any] = estate.sections[estate.owner]["estate"]["people"]
        default = estate.sections[estate.owner]["estate"]["default_people"]
        for way in found.ways:
            facts = services[way.service]
            clients = facts.get("clients", "people")
            # What lets in a stranger: the service itself, a path that it excepts, or a certificate's challenge.
            excepted = any(way.url.endswith(path) for path in facts.get("path_exceptions", ()))
            assert (STRANGER in way.people) == (clients == "anyone" or excepted), (way, facts)
            if STRANGER not in way.people:
                named = {p for p in way.people if "@" in p}
                assert named == set(sets[facts.get("people", default)]) == set(way.crowd.members)


def test_the_order_of_the_file_does_not_matter() -> None:
    backwards = dict(reversed(list(kit.SERVICES.items())))
    assert kit.made(backwards) == kit.plain()


def test_a_service_that_is_excepted_under_the_zones_own_name_is_drawn_too() -> None:
    found = kit.made({"blog": {**builders.OPEN_HTML, "host": "example.com"}})
    assert [(w.url, w.who) for w in found.ways] == [("https://example.com/", "Anyone")]
