"""A second reading of the same facts, written apart from the product and as simple as can be: loops and no RE2.

It knows only what the tests generate: literal labels, a few expressions that Python and RE2 read alike, plain paths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

ZONE = "example.com"
_ASKED_AGAIN = lru_cache(100_000)
HTTPS = {443, 2053, 2083, 2087, 2096, 8443}


@dataclass
class World:
    """Plain tuples and dicts; `grants` are (sources, tags, protocol, port)."""

    records: list[tuple[str, bool, str]] = field(default_factory=list)  # host, proxied, "tunnel" or an address
    rules: list[tuple[str | None, str | None, str, list[str] | None]] = field(default_factory=list)  # … accepted apps
    # its destinations (host, path), and its policies
    apps: dict[str, tuple[list[tuple[str, str]], list[tuple[str, list[str], list[str], list[str]]]]] = field(
        default_factory=dict
    )
    zones: dict[str, bool] = field(default_factory=dict)  # with an advanced certificate or not
    forwards: dict[tuple[str, int], bool] = field(default_factory=dict)  # (protocol, port): is there a NodePort for it
    machines: dict[str, tuple[str, bool, list[str]]] = field(default_factory=dict)  # name: tag, funnel, served paths
    devices: dict[str, tuple[str, list[tuple[str, int]] | None]] = field(default_factory=dict)  # name: tag, ports
    groups: dict[str, list[str]] = field(default_factory=dict)
    grants: list[tuple[list[str], list[str], str, int | None]] = field(default_factory=list)
    funnel_tags: list[str] = field(default_factory=list)


@_ASKED_AGAIN
def glob(pattern: str, text: str, stop: str) -> bool:
    """Whether a pattern with `*` matches; `*` takes any characters but `stop`."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        if glob(pattern[1:], text, stop):
            return True
        return bool(text) and text[0] != stop and glob(pattern, text[1:], stop)
    return bool(text) and pattern[0] == text[0] and glob(pattern[1:], text[1:], stop)


@_ASKED_AGAIN
def app_covers(host_pattern: str, path_pattern: str, host: str, path: str) -> bool:
    """Access: one label a star in the host; a path covers itself and everything below it."""
    if not glob(host_pattern, host, "."):
        return False
    if path_pattern in ("", "/", "/*"):
        return True
    ends = [i for i, char in enumerate(path) if char == "/"] + [len(path)]
    return any(glob(path_pattern, path[:end], "\0") for end in ends)


def record_for(world: World, host: str) -> tuple[str, bool, str] | None:
    """The record of the name, or the wildcard right below its closest name that exists."""
    for record in world.records:
        if record[0] == host:
            return record
    existing = set(world.zones)
    for name, _, _ in world.records:
        labels = name.split(".")
        existing |= {".".join(labels[i:]) for i in range(len(labels))}
    if host in existing:
        return None
    rest = host
    while "." in rest:
        rest = rest.split(".", 1)[1]
        if rest in existing:
            return next((r for r in world.records if r[0] == "*." + rest), None)
    return None


def selected(selectors: list[str], who: str, before_login: bool) -> bool:
    for selector in selectors:
        if selector == "everyone" and (before_login or not who.startswith("tag:")):
            return True
        if not before_login and "@" in who and (selector == who or (selector[0] == "@" and who.endswith(selector))):
            return True
    return False


def access(world: World, app: str, who: str) -> str:
    """`bypass`, `login` or `no`."""
    policies = world.apps[app][1]
    for decision, include, exclude, require in policies:
        by = decision == "bypass" and selected(include, who, True) and not selected(exclude, who, True)
        if by and all(selected([r], who, True) for r in require):
            return "bypass"
    for decision, include, exclude, require in policies:
        if decision == "bypass" or not selected(include, who, False) or selected(exclude, who, False):
            continue
        if all(selected([r], who, False) for r in require):
            return "login" if decision == "allow" else "no"
    return "no"


def tunnel_rule(world: World, host: str, path: str) -> tuple[str | None, str | None, str, list[str] | None]:
    for rule in world.rules:
        name, expression = rule[0], rule[1]
        fits = name is None or name == host or (name[:2] == "*." and host[-len(name) + 1 :] == name[1:])
        if fits and (expression is None or re.search(expression, path)):
            return rule
    raise AssertionError("the generated lists end in a rule for everything")


def ask(
    world: World, host: str, port: int, path: str, who: str, protocol: str = "tcp", routed: str | None = None
) -> str:
    """`open`, `login`, `tailnet` or `no`, for https (tcp or udp at an address of the router, or a device).

    `routed` is the path as the tunnel reads it, where Access reads another.
    """
    if host in world.machines:
        return ask_machine(world, host, port, path, who)
    if host in world.devices:
        tag, ports = world.devices[host]
        listens = ports is None or (protocol, port) in ports
        return "tailnet" if listens and granted(world, tag, protocol, port, who) else "no"
    record = record_for(world, host)
    if record is None:
        return "no"
    _, proxied, target = record
    if not proxied:
        return "open" if target != "tunnel" and world.forwards.get((protocol, port)) else "no"
    if port not in HTTPS or not certified(world.zones, host):
        return "no"
    places = [(a, h, p) for a, (destinations, _) in world.apps.items() for h, p in destinations]
    deciding = [(a, h, p) for a, h, p in places if app_covers(h, p, host, path)]
    # Of one application its own most specific place counts.
    own: dict[str, tuple[str, str]] = {}
    for a, h, p in deciding:
        if a not in own or (host_weight(h), path_weight(p)) > (host_weight(own[a][0]), path_weight(own[a][1])):
            own[a] = (h, p)
    # The more specific one wins: in host and path, or in one of them with the other alike.
    best = []
    for a, (h, p) in own.items():
        beaten = False
        for other, below in own.values():
            ha, hb = host_weight(h), host_weight(other)
            pa, pb = path_weight(p), path_weight(below)
            beaten = beaten or (hb >= ha and pb >= pa and (hb > ha or pb > pa))
        if not beaten:
            best.append(a)
    ways = [(a, access(world, a, who)) for a in best] if best else [("", "none")]
    results = []
    for app, verdict in ways:
        if verdict == "no":
            results.append("no")
            continue
        reached = "login" if verdict == "login" else "open"
        if target != "tunnel":
            results.append(reached if world.forwards.get(("tcp", port)) else "no")
            continue
        _, _, origin, accepted = tunnel_rule(world, host, path if routed is None else routed)
        refused = accepted is not None and (verdict != "login" or app not in accepted)
        results.append("no" if refused or origin.startswith("http_status:") else reached)
    return next((word for word in ("open", "login") if word in results), "no")


def zone_of(zones: dict[str, bool], host: str) -> str:
    """The longest zone that a name ends in."""
    labels = host.split(".")
    return next((z for n in range(len(labels)) if (z := ".".join(labels[n:])) in zones), "")


def certified(zones: dict[str, bool], host: str) -> bool:
    """Whether the edge has a certificate: for the zone and one label below it, or where one is bought."""
    zone = zone_of(zones, host)
    return zones.get(zone, True) or len(host.split(".")) - len(zone.split(".")) <= 1


@_ASKED_AGAIN
def host_weight(pattern: str) -> tuple[bool, int, int]:
    return ("*" not in pattern, sum(c != "*" for c in pattern), -pattern.count("*"))


@_ASKED_AGAIN
def path_weight(pattern: str) -> tuple[int, int]:
    pattern = pattern.rstrip("/")
    return (sum(c != "*" for c in pattern), -pattern.count("*"))


def ask_machine(world: World, machine: str, port: int, path: str, who: str) -> str:
    """A proxy of the operator: https on 443, some paths or all."""
    tag, funnel, served = world.machines[machine]
    if port != 443 or (served and not any(path == p or path.startswith(p + "/") for p in served)):
        return "no"
    if funnel and tag in world.funnel_tags and not who.startswith("tag:"):
        return "open"
    return "tailnet" if granted(world, tag, "tcp", port, who) else "no"


def granted(world: World, tag: str, protocol: str, port: int, who: str) -> bool:
    if who in ("anyone", "lan"):
        return False
    for sources, tags, carried, number in world.grants:
        mine = {who, "*"} | {g for g, members in world.groups.items() if who in members}
        if not who.startswith("tag:"):
            mine.add("autogroup:member")
        if mine & set(sources) and tag in tags and carried in (protocol, "*") and number in (port, None):
            return True
    return False


# A stack file, read as its words mean it: what anybody may do, whatever is registered for it.


@dataclass
class Home:
    """One node's stack file as plain values. `zones` are (advanced certificate, always https) by name.

    `shared`: what may share proxies does, which is to change nothing of what is reached.
    """

    zones: dict[str, tuple[bool, bool]]
    people: dict[str, list[str]]
    default: list[str]
    services: dict[str, dict[str, Any]]
    node: str = "alfred"
    tailnet: str = "tail.ts.net"
    lan: str = "192.168.0.124"
    shared: bool = False


def gates(service: dict[str, Any]) -> list[str]:
    """The ways in that are asked for, or the one that follows from the facts."""
    if "gates" in service or "gate" in service:
        return list(service.get("gates") or [service["gate"]])
    if service["origin"].get("scheme", "http") in ("tcp", "udp"):
        return ["port-forward" if service.get("clients") == "anyone" else "tailnet"]
    clients = service.get("clients", "people")
    if clients == "tailnet":
        return ["tailnet"]
    if service["traffic"] == "html":
        return ["public-tunnel" if clients == "anyone" else "zero-trust"]
    return ["tailnet" if clients == "people" else "funnel"]


def members(home: Home, said: dict[str, Any], otherwise: dict[str, Any]) -> list[str]:
    sets = said.get("people") or otherwise.get("people") or home.default
    sets = [sets] if isinstance(sets, str) else sets
    return [email for name in sets for email in named(home, name)]


def named(home: Home, name: str) -> list[str]:
    """Who is in a set: everybody of its domain is the one stranger there that is asked for."""
    return [f"mallory{word}" if word.startswith("@") else word for word in home.people[name]]


def tokens(said: dict[str, Any]) -> list[str]:
    return [f"token:{name}" for name in said.get("tokens", [])]


def claims(home: Home) -> list[tuple[str, str, list[str] | None, str]]:
    """What services take of public hosts: host, path ("" is all of it), who may (None is anyone), the service's key."""
    found: list[tuple[str, str, list[str] | None, str]] = []
    main = next(iter(home.zones))
    for key, service in home.services.items():
        ways = [g for g in gates(service) if g in ("public-tunnel", "zero-trust")]
        for host in service.get("hosts") or [service.get("host", f"{key}-{home.node}.{main}")] if ways else []:
            whole = None if ways == ["public-tunnel"] else members(home, service, {})
            whole = [] if service.get("clients") == "nobody" else whole
            whole = whole if whole is None else whole + tokens(service)
            found.append((host, service.get("path", ""), whole, key))
            for path, said in service.get("paths", {}).items():
                word = said.get("clients", "people")
                who = None if word == "anyone" else [] if word == "nobody" else members(home, said, service)
                who = who if who is None else who + tokens(said)
                found.append((host, path, who, key))
    return found


def places(home: Home, host: str, path: str) -> list[str]:
    """From where alone a request of anyone gets to what it asks for, if its path says so."""
    mine = nearest(claims(home), host, path)
    if mine is None or mine[2] is not None:
        return []
    said = home.services[mine[3]].get("paths", {}).get(mine[1], {})
    return sorted(f"at {ip}" for ip in said.get("ips", []))


def nearest(taken: list[tuple[str, str, list[str] | None, str]], host: str, path: str) -> Any:
    """The claim that a request is, if any: the exact host or the closest wildcard, and of it the longest path."""
    exact = [c for c in taken if c[0] == host and below(c[1], path)]
    above = [c for c in taken if c[0].startswith("*.") and host.endswith(c[0][1:]) and below(c[1], path)]
    longest = max((len(c[0]) for c in above), default=0)
    return max(exact or [c for c in above if len(c[0]) == longest], key=lambda c: len(c[1]), default=None)


def below(path: str, asked: str) -> bool:
    return asked == path or asked.startswith(path + "/") or path == ""


def meant(home: Home, scheme: str, host: str, port: int, path: str, who: str) -> str:
    """`open`, `login`, `tailnet` or `no`, as the file's words mean it. `lan` is a stranger on the home network."""
    if host[0].isdigit():
        return "open" if who == "lan" and f"{host} {scheme} {port}" in at_home(home) else "no"
    if host.endswith(home.tailnet):
        return meant_on_tailnet(home, scheme, host.removesuffix("." + home.tailnet), port, path, who)
    if scheme in ("tcp", "udp"):
        return meant_by_router(home, scheme, host, port)
    taken = claims(home)
    names = World(zones={zone: said[0] for zone, said in home.zones.items()})
    names.records = [(c[0], True, "tunnel") for c in taken] + [(h, False, "router") for h in forwarded(home)[0]]
    https = scheme == "https" or home.zones.get(zone_of(names.zones, host), (False, True))[1]
    record = record_for(names, host)
    if port != (443 if scheme == "https" else 80) or record is None or not record[1]:
        return "no"
    if https and not certified(names.zones, host):
        return "no"
    mine = nearest(taken, host, path)
    if mine is None:
        return "no"
    taken_by, _, may, _ = mine
    if may is None:
        return "open"
    # A wildcard's login is for one label; deeper names are shut where there is one.
    deeper = taken_by.startswith("*.") and host.count(".") > taken_by.count(".")
    return ("token" if who.startswith("token:") else "login") if who in may and not deeper else "no"


def forwarded(home: Home) -> tuple[set[str], set[tuple[str, int]]]:
    """The names that lead to the router, and the ports that it forwards."""
    main = next(iter(home.zones))
    names: set[str] = set()
    ports: set[tuple[str, int]] = set()
    for key, service in home.services.items():
        if "port-forward" in gates(service):
            names |= set(service.get("hosts") or [service.get("host", f"{key}-{home.node}.{main}")])
            ports |= {(p["protocol"], p["external_port"]) for p in service["port_forward"]}
    return names, ports


def meant_by_router(home: Home, scheme: str, host: str, port: int) -> str:
    names, ports = forwarded(home)
    # One address has many names: each leads to every port.
    return "open" if host in names and (scheme, port) in ports else "no"


def meant_on_tailnet(home: Home, scheme: str, machine: str, port: int, path: str, who: str) -> str:
    for key, service in home.services.items():
        origin = service["origin"]
        if origin.get("on_node"):
            mine = machine == home.node and "tailnet" in gates(service) and (scheme, port) == ("tcp", origin["port"])
            if mine and who in members(home, service, {}) and not who.startswith("mallory"):
                return "tailnet"
            continue
        if service.get("tailnet_name", f"{key}-{home.node}") != machine:
            continue
        if "funnel" in gates(service):
            anyone = {p: said for p, said in service.get("paths", {}).items() if said.get("clients") == "anyone"}
            open_ = [p for p, said in anyone.items() if "ips" not in said]
            served = not service.get("paths") or any(below(p, path) for p in open_)
            return "open" if served and scheme == "https" and port == 443 and not who.startswith("tag:") else "no"
        if "tailnet" not in gates(service):
            continue
        ports = [("https", 443)]
        if origin.get("scheme") in ("tcp", "udp"):
            ports = [(origin["scheme"], origin["port"])]
            ports += [(p.get("protocol", "tcp"), p["port"]) for p in origin.get("other_ports", [])]
        # The tailnet's policy knows addresses alone.
        inside = who in members(home, service, {}) and not who.startswith("mallory")
        return "tailnet" if inside and (scheme, port) in ports else "no"
    return "no"


def pods(origin: dict[str, Any], port: Any, protocol: str = "tcp") -> str:
    """The port of a Service's pods: by their labels, or of the Service where those are not said."""
    labels = ",".join(f"{k}={v}" for k, v in sorted(origin.get("selector", {}).items()))
    name = "{" + labels + "}" if labels else origin["service"]
    return f"{origin['namespace']}/{name}:{port}" + ("/udp" if protocol == "udp" else "")


def at_home(home: Home) -> dict[str, str]:
    """What answers anybody on the home network: `<address> <protocol> <port>`, and what is behind it.

    Of what is for nobody by any way nothing is registered, so nothing is known.
    """
    found: dict[str, str] = {}
    led_to = {key for _, _, who, key in claims(home) if who != []}
    for key, service in home.services.items():
        origin = service["origin"]
        if not (key in led_to or {"tailnet", "port-forward"} & set(gates(service))):
            continue
        if origin.get("on_node"):
            found[f"{home.lan} tcp {origin['port']}"] = f"{home.lan}:{origin['port']}"
        if "url" in origin:
            address = origin["url"].removeprefix("http://")
            found[f"{address.replace(':', ' tcp ')}"] = address
        for p in service.get("port_forward", ()):
            target = p.get("target_port", p["service_port"])
            found[f"{home.lan} {p['protocol']} {p['node_port']}"] = pods(origin, target, p["protocol"])
    return found


def answering(home: Home, scheme: str, host: str, port: int, path: str) -> str:
    """What answers a request that gets through."""
    if host[0].isdigit():
        return at_home(home)[f"{host} {scheme} {port}"]
    for key, service in home.services.items():
        origin = service["origin"]
        if host == f"{key}-{home.node}.{home.tailnet}" and not origin.get("on_node"):
            if scheme == "https":
                return f"{origin['namespace']}/{origin['service']}:{origin['port']}"
            others = {
                (p.get("protocol", "tcp"), p["port"]): p.get("target_port", p["port"])
                for p in origin.get("other_ports", [])
            }
            others.setdefault((origin["scheme"], origin["port"]), origin.get("target_port", origin["port"]))
            return pods(origin, others[scheme, port] if "selector" in origin else port, scheme)
        for p in service.get("port_forward", ()) if not host.endswith(home.tailnet) else ():
            if (p["protocol"], p["external_port"]) == (scheme, port):
                return pods(origin, p.get("target_port", p["service_port"]), scheme)
    if host.endswith(home.tailnet):
        return f"{home.lan}:{port}"
    origin = home.services[nearest(claims(home), host, path)[3]]["origin"]
    if origin.get("on_node"):
        return f"{home.lan}:{origin['port']}"
    return (
        origin.get("url", "").removeprefix("http://") or f"{origin['namespace']}/{origin['service']}:{origin['port']}"
    )
