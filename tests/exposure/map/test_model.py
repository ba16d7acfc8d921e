"""What is on the map: every service, by the ways that the stack file asks for, to those whom it names."""

from __future__ import annotations

from typing import Any

from hypothesis import given

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


def test_each_form_of_a_way_is_drawn_with_whom_it_names() -> None:
    assert {w.address: (w.gate, w.who, w.front) for w in kit.forms().ways} == {
        "example.com": ("public-tunnel", "Anyone", "no login"),
        "example.com/admin": ("public-tunnel", "admins, after Google login", "Google login"),
        "www.example.com": ("public-tunnel", "Anyone", "no login"),
        "www.example.com/admin": ("public-tunnel", "admins, after Google login", "Google login"),
        "example.com/_matrix": ("public-tunnel", "Anyone", "no login"),
        "*.example.com": ("public-tunnel", "Anyone", "no login"),
        "paperless-alfred.example.com": ("zero-trust", "admins and household, after Google login", "Google login"),
        "paperless-alfred.tail.ts.net": ("tailnet", "admins and household, from the tailnet", "by grant"),
        "hooks-alfred.example.com/github": ("zero-trust", "Anyone", "no login here"),
        "home-alfred.example.com": ("zero-trust", "household, after Google login", "Google login"),
        "photos-alfred.tail.ts.net/share": ("funnel", "Anyone", "no login"),
        "tcp://dns-alfred.tail.ts.net:53": ("tailnet", "household, from the tailnet", "by grant"),
        "udp://dns-alfred.tail.ts.net:53": ("tailnet", "household, from the tailnet", "by grant"),
    }
    ways = {w.address: w for w in kit.forms().ways}
    assert [w.title for w in ways.values() if "example.com/_matrix" in w.url] == ["Chat"]
    assert ways["*.example.com"].link is None, "no browser opens a wildcard"
    assert (ways["home-alfred.example.com"].spot, ways["home-alfred.example.com"].origin) == (
        "node",
        "port 8123 of the node",
    )
    assert [w.origin for w in kit.forms().ways if w.service == "dns"] == ["dns/dns:53", "dns/dns:53/udp"]


def test_a_service_with_two_ways_is_one_service() -> None:
    found = kit.forms()
    assert sorted(ways[0].service for ways in found.services) == sorted(kit.FORMS)
    assert [len(ways) for ways in found.services if ways[0].service == "paperless"] == [2]


def test_a_members_map_has_its_own_services_alone() -> None:
    assert {w.title for w in kit.shipped("octavo").ways} == {"Home Assistant", "SSH"}
    assert [w.url for w in kit.shipped("octavo").ways if w.title == "SSH"] == ["ssh://octavo.xantu-lizard.ts.net"]


def test_the_estates_map_has_the_services_of_every_node_and_all_manual_steps() -> None:
    found, alfred, octavo = kit.estate(), kit.shipped("alfred"), kit.shipped("octavo")
    assert (found.stacks, found.name) == (("alfred", "octavo"), "alfred, octavo")
    assert {w.url for w in found.ways} == {w.url for w in (*alfred.ways, *octavo.ways)}
    assert len(found.services) == len(alfred.services) + len(octavo.services), "SSH of each node is a service"
    assert found.manual_steps == (*alfred.manual_steps, *octavo.manual_steps)
    assert found.people == alfred.people


def test_the_owners_node_comes_first_whatever_the_stacks_are_called() -> None:
    owner = builders.loaded({"web": builders.HTML}, "zulu")
    member = builders.loaded(
        {"ssh": builders.SSH},
        "alpha",
        member_of="zulu",
        node={**builders.NODE, "name": "octavo", "lan_ipv4": "192.168.0.8", "context": "octavo"},
    )
    found = map_of(plan_project(tie([owner, member])))
    assert [home.node for home in found.homes] == ["alfred", "octavo"]


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
            # The nearest path with clients of its own says who, at gates that tell paths apart.
            paths = facts.get("paths", {}) if way.gate != "tailnet" else {}
            near = [p for p in paths if f"{way.path.rstrip('/')}/".startswith(f"{p}/")]
            said = paths[max(near, key=len)] if near else {"clients": facts.get("clients", "people")}
            assert (STRANGER in way.people) == (said["clients"] == "anyone"), (way, facts)
            if STRANGER not in way.people:
                names = said.get("people", facts.get("people", default))
                names = [names] if isinstance(names, str) else names
                expected = {e for name in names for e in sets[name]} if said["clients"] != "nobody" else set()
                assert {p for p in way.people if "@" in p} == expected == set(way.crowd.members)


def test_the_order_of_the_file_does_not_matter() -> None:
    backwards = dict(reversed(list(kit.SERVICES.items())))
    assert kit.made(backwards) == kit.plain()


def test_a_service_that_is_excepted_under_the_zones_own_name_is_drawn_too() -> None:
    found = kit.made({"blog": {**builders.OPEN_HTML, "host": "example.com"}})
    assert [(w.url, w.who) for w in found.ways] == [("https://example.com/", "Anyone")]
