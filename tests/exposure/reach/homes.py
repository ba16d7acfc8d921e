"""Stack files with every form of way, host and path, for properties; and the same as an engine would register it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from exposure.model import ExposurePlan
from tests.exposure.reach.naive import Home, at_home, gates
from tests.kit.builders import ESTATE, NODE, PROJECT, plan_of, stack_text

if TYPE_CHECKING:
    import pytest

EMAILS = tuple(f"{name}@example.com" for name in ("ada", "ben", "cleo", "dan"))
KEYS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf")
ZONES = ("example.com", "dev.example.com", "example.net")
HOSTS = ("www", "app", "x.app", "shop", "@")
PATHS = ("/api", "/api/v1", "/api/v1/open", "/admin", "/hooks/git.push", "/a+b")
BASES = ("/matrix", "/api", "/matrix/_client")
_PAGES = {"allowed_origins": ["https://app.example.com"], "allowed_methods": ["*"], "allow_credentials": True}
ACCESS = (
    {"cors_headers": _PAGES, "skip_interstitial": True},
    {"cors_headers": {**_PAGES, "allowed_origins": ["*"], "allow_credentials": False}, "app_launcher_visible": False},
    {"same_site_cookie_attribute": "none", "http_only_cookie_attribute": False, "session_duration": "1h"},
    {"session_duration": "1h"},
    {"session_duration": "1.5h"},
)
CLIENTS = ("anyone", "people", "nobody")
TOKENS = ("phone", "watch")
ADDRESSES = ["203.0.113.0/24", "198.51.100.7/32", "2001:db8::/32"]


@st.composite
def homes(draw: st.DrawFn) -> Home:
    """Homes of up to seven services. A path of a host is claimed once, as the rules of the stack file have it."""
    names = draw(st.sampled_from([ZONES[:1], ZONES[:2], ZONES]))
    people = draw(
        st.dictionaries(
            st.sampled_from(["household", "admins", "friends"]),
            st.lists(st.sampled_from([*EMAILS, "@example.org"]), min_size=1, max_size=3, unique=True),
            min_size=1,
        )
    )
    home = Home(
        {name: (draw(st.booleans()), draw(st.booleans())) for name in names},
        people,
        draw(st.lists(st.sampled_from(sorted(people)), min_size=1, max_size=2, unique=True)),
        {},
        shared=draw(st.booleans()),
    )
    taken: set[tuple[str, str]] = set()
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=len(KEYS))):
        service = draw(_service(key, home, taken))
        if service is not None:
            home.services[key] = service
    return home


@st.composite
def _service(draw: st.DrawFn, key: str, home: Home, taken: set[tuple[str, str]]) -> dict[str, Any] | None:
    kind = draw(st.sampled_from(["web", "web", "web", "web", "wildcard", "funnel", "serve", "raw", "game", "node"]))
    origin: dict[str, Any] = {"namespace": key, "service": key, "port": 8080}
    service: dict[str, Any] = {"origin": origin, "traffic": "html", "sensitivity": "low"}
    if draw(st.booleans()):
        service["people"] = draw(st.sampled_from([*sorted(home.people), sorted(home.people)]))
    if kind in ("web", "wildcard"):
        service["clients"] = draw(st.sampled_from(CLIENTS))
        draw(_tokens(service))
        if draw(st.integers(0, 3)) == 0 and (service["clients"] == "people" or service.get("tokens")):
            service["access"] = draw(st.sampled_from(ACCESS))
        if draw(st.integers(0, 3)) == 0 and service["clients"] == "people":
            service["gates"] = ["zero-trust", "tailnet"]
        if not draw(_hosts(kind == "wildcard", key, home, taken, service)):
            return None
        if "gates" not in service and draw(st.integers(0, 2)) == 0:
            number = 8100 + len(home.services)
            url = {"url": f"http://192.168.0.20:{number}"}
            service["origin"] = draw(st.sampled_from([url, {"on_node": True, "port": number, "scheme": "http"}]))
    elif kind == "funnel":
        service |= {"traffic": "non-html", "bandwidth": "high", "clients": "anyone"}
        if draw(st.booleans()):
            service |= {"gate": "funnel", "clients": "nobody", "paths": draw(_paths("", home))}
            service["paths"]["/share"] = {"clients": "anyone"}
    elif kind == "node":
        origin = {"on_node": True, "port": 22 + len(home.services)}
        service |= {"origin": origin, "traffic": "non-html", "clients": "tailnet"}
    elif kind == "serve":
        service |= {"clients": "tailnet"}
    elif kind == "raw":
        service |= {"traffic": "non-html", "clients": "tailnet"}
        origin["scheme"] = draw(st.sampled_from(["tcp", "udp"]))
        origin["other_ports"] = draw(
            st.lists(
                st.sampled_from([{"port": 53, "protocol": "udp"}, {"port": 53}, {"port": 22, "target_port": "ssh"}]),
                min_size=1,
                unique_by=str,
            )
        )
        if draw(st.booleans()):
            origin["selector"] = {"app": key}
    else:
        number = len(home.services)
        service |= {"traffic": "non-html", "clients": "anyone"}
        origin |= {"scheme": "tcp", "selector": {"app": key}}
        service["port_forward"] = [
            {"external_port": 25000 + number, "protocol": p, "service_port": 25565, "node_port": 30000 + 2 * number + n}
            for n, p in enumerate(draw(st.sampled_from([["tcp"], ["udp"], ["tcp", "udp"]])))
        ]
        if draw(st.booleans()):
            service["gates"] = ["port-forward", "tailnet"]
    return service


@st.composite
def _hosts(
    draw: st.DrawFn, wildcard: bool, key: str, home: Home, taken: set[tuple[str, str]], service: dict[str, Any]
) -> bool:
    """Give a web service its hosts and paths; False where another has one of them already."""
    zones = st.sampled_from(sorted(home.zones))
    found = []
    for _ in range(draw(st.integers(0, 2))):
        host = "*" if wildcard else draw(st.sampled_from(HOSTS))
        found.append(f"{host}.{draw(zones)}".removeprefix("@."))
    hosts = list(dict.fromkeys(found)) or [f"{key}-{home.node}.{next(iter(home.zones))}"]
    if found:
        service |= {"host": hosts[0]} if len(hosts) == 1 and draw(st.booleans()) else {"hosts": hosts}
    # What Access is told of a wildcard's path holds at every host below it too: wildcards have none here.
    whole = not found or wildcard
    base = "" if whole else draw(st.sampled_from(["", "", *BASES]))
    if base:
        service["path"] = base
    service["paths"] = {} if wildcard and found else draw(_paths(base, home))
    mine = {(host, path) for host in hosts for path in (base, *service["paths"])}
    if mine & taken:
        return False
    taken |= mine
    return True


@st.composite
def _paths(draw: st.DrawFn, base: str, home: Home) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in draw(st.lists(st.sampled_from(PATHS), max_size=4, unique=True)):
        said: dict[str, Any] = {"clients": draw(st.sampled_from(CLIENTS))}
        if said["clients"] == "people" and draw(st.booleans()):
            said["people"] = draw(st.sampled_from(sorted(home.people)))
        if said["clients"] == "anyone" and draw(st.integers(0, 2)) == 0:
            said["ips"] = draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, unique=True))
        draw(_tokens(said))
        found[f"{base}{path}"] = said
    return found


@st.composite
def _tokens(draw: st.DrawFn, said: dict[str, Any]) -> None:
    """Service tokens beside the clients, or in place of nobody."""
    if said["clients"] != "anyone" and draw(st.integers(0, 3)) == 0:
        said["tokens"] = draw(st.lists(st.sampled_from(TOKENS), min_size=1, unique=True))


def sections(home: Home) -> dict[str, Any]:
    """The rest of the stack file."""
    zones = [
        {"name": name, "advanced_certificate": advanced, "always_use_https": https}
        for name, (advanced, https) in home.zones.items()
    ]
    estate = {
        **ESTATE,
        "zone": zones[0],
        "other_zones": zones[1:],
        "people": {
            name: {"emails": [w for w in words if w[0] != "@"], "domain": [w[1:] for w in words if w[0] == "@"]}
            if any(w[0] == "@" for w in words)
            else words
            for name, words in home.people.items()
        },
        "default_people": home.default,
        "tokens": {name: {} for name in TOKENS},
        "tailnet": {"name": home.tailnet},
    }
    node = {**NODE, "name": home.node}
    if home.shared and any(_may_share(service) for service in home.services.values()):
        node["proxy_group"] = True
    return {"estate": estate, "node": node}


def _may_share(service: dict[str, Any]) -> bool:
    origin = service["origin"]
    served = origin.get("scheme", "http") in ("http", "https") or "selector" in origin
    return "namespace" in origin and "tailnet" in gates(service) and served


def planned(home: Home) -> ExposurePlan:
    """The home's plan."""
    return plan_of(home.services, **sections(home))


def write(home: Home, folder: Path) -> Path:
    """A project of the home alone, with the program of this repository."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    (folder / f"Pulumi.{home.node}.yaml").write_text(stack_text(home.services, **sections(home)))
    shutil.copy(PROJECT / "__main__.py", folder / "__main__.py")
    return folder


def unchecked(patch: pytest.MonkeyPatch) -> None:
    """Let the program register what the rules may refuse: reach is right of that too."""
    from components import program

    patch.setattr(program, "check_one", lambda *_: ())


def requests(home: Home) -> list[tuple[str, str, int, str]]:
    """Scheme, host, port and path of what is there, beside it and below it."""
    main = next(iter(home.zones))
    absent = {"nowhere.example.org", f"other.{main}", f"x.y.{main}"}
    hosts: set[str] = set()
    machines: set[str] = set()
    # Capitals of guarded paths are test_properties' and test_homes_of_others'.
    paths = {"/", "/any", "/apis", "/ANY"}
    ports = {("tcp", 22), ("udp", 53), ("tcp", 53), ("tcp", 8080), ("udp", 8080), ("tcp", 25565)}
    for key, service in home.services.items():
        ways = set(gates(service))
        origin = service["origin"]
        if origin.get("on_node") and "tailnet" in ways:
            machines.add(f"{home.node}.{home.tailnet}")
            ports.add(("tcp", origin["port"]))
        elif ways & {"tailnet", "funnel"}:
            machines.add(f"{key}-{home.node}.{home.tailnet}")
        else:
            absent.add(f"{key}-{home.node}.{home.tailnet}")
        if ways & {"public-tunnel", "zero-trust", "port-forward"}:
            said = service.get("hosts") or [service.get("host", f"{key}-{home.node}.{main}")]
            hosts |= {host.replace("*", label) for host in said for label in ("wild", "deep.er")}
        for path in (service.get("path", ""), *service.get("paths", {})):
            paths |= {path or "/", f"{path}/x", f"{path}x", f"/x{path}"}
        ports |= {(p["protocol"], p["external_port"]) for p in service.get("port_forward", ())}
    found = [(scheme, host, port, path) for host in hosts for scheme, port in WEB for path in paths]
    found += [("https", machine, 443, path) for machine in machines for path in paths]
    found += [(protocol, host, port, "/") for host in hosts | machines for protocol, port in ports]
    found += [(*reversed(at.split()[:2]), int(at.split()[2]), "/") for at in at_home(home)]  # type: ignore[misc]
    found += [(protocol, home.lan, port, "/") for protocol, port in ports]
    return sorted(found + [("https", host, 443, "/") for host in absent])


WEB = (("https", 443), ("http", 80))
PRINCIPALS = ("anyone", "lan", "mallory@example.org", *EMAILS, "tag:k8s-funnel", *(f"token:{t}" for t in TOKENS))
