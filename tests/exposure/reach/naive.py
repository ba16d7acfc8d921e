"""A second reading of the same facts, written apart from the product and as simple as can be: loops and no RE2.

It knows only what the tests generate: literal labels, a few expressions that Python and RE2 read alike, plain paths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

ZONE = "example.com"
HTTPS = {443, 2053, 2083, 2087, 2096, 8443}


@dataclass
class World:
    """Plain tuples and dicts; `grants` are (sources, tags, protocol, port)."""

    records: list[tuple[str, bool, str]] = field(default_factory=list)  # host, proxied, "tunnel" or an address
    rules: list[tuple[str | None, str | None, str, list[str] | None]] = field(default_factory=list)  # … accepted apps
    apps: dict[str, tuple[str, str, list[tuple[str, list[str], list[str], list[str]]]]] = field(default_factory=dict)
    advanced: bool = False
    forwards: dict[tuple[str, int], bool] = field(default_factory=dict)  # (protocol, port): is there a NodePort for it
    machines: dict[str, tuple[str, bool]] = field(default_factory=dict)  # name: tag, funnel
    groups: dict[str, list[str]] = field(default_factory=dict)
    grants: list[tuple[list[str], list[str], str, int | None]] = field(default_factory=list)
    funnel_tags: list[str] = field(default_factory=list)


def glob(pattern: str, text: str, stop: str) -> bool:
    """Whether a pattern with `*` matches; `*` takes any characters but `stop`."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        if glob(pattern[1:], text, stop):
            return True
        return bool(text) and text[0] != stop and glob(pattern, text[1:], stop)
    return bool(text) and pattern[0] == text[0] and glob(pattern[1:], text[1:], stop)


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
    existing = {ZONE}
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
    policies = world.apps[app][2]
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


def ask(world: World, host: str, port: int, path: str, who: str) -> str:
    """`open`, `login`, `tailnet` or `no`, for https (tcp at an address of the router)."""
    if host in world.machines:
        return ask_tailnet(world, host, port, who)
    record = record_for(world, host)
    if record is None:
        return "no"
    _, proxied, target = record
    if not proxied:
        return "open" if target != "tunnel" and world.forwards.get(("tcp", port)) else "no"
    if port not in HTTPS or (host.count(".") > ZONE.count(".") + 1 and not world.advanced):
        return "no"
    deciding = [a for a, (h, p, _) in world.apps.items() if app_covers(h, p, host, path)]
    # The more specific one wins: in host and path, or in one of them with the other alike.
    best = []
    for a in deciding:
        beaten = False
        for b in deciding:
            ha, hb = host_weight(world.apps[a][0]), host_weight(world.apps[b][0])
            pa, pb = path_weight(world.apps[a][1]), path_weight(world.apps[b][1])
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
        _, _, origin, accepted = tunnel_rule(world, host, path)
        refused = accepted is not None and (verdict != "login" or app not in accepted)
        results.append("no" if refused or origin.startswith("http_status:") else reached)
    return next((word for word in ("open", "login") if word in results), "no")


def host_weight(pattern: str) -> tuple[bool, int, int]:
    return ("*" not in pattern, sum(c != "*" for c in pattern), -pattern.count("*"))


def path_weight(pattern: str) -> tuple[int, int]:
    pattern = pattern.rstrip("/")
    return (sum(c != "*" for c in pattern), -pattern.count("*"))


def ask_tailnet(world: World, machine: str, port: int, who: str) -> str:
    tag, funnel = world.machines[machine]
    if port != 443:
        return "no"
    if funnel and tag in world.funnel_tags and not who.startswith("tag:"):
        return "open"
    if who == "anyone":
        return "no"
    for sources, tags, protocol, number in world.grants:
        mine = {who, "*"} | {g for g, members in world.groups.items() if who in members}
        if not who.startswith("tag:"):
            mine.add("autogroup:member")
        if mine & set(sources) and tag in tags and protocol in ("tcp", "*") and number in (port, None):
            return "tailnet"
    return "no"
