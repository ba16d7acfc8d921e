"""What is registered, with one thing taken away, weakened or moved: `compare` names what changes, and nothing else.

Whether a change opens or shuts anything is told by the naive reading, asked at every place of a grid of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from config.loader import load_project
from config.values import unguarded
from exposure.model import PeopleSet
from exposure.reach import surface as s
from exposure.reach.compare import compare
from exposure.reach.places import ANY_NAME
from exposure.reach.project import plan_project
from exposure.reach.surface import Surface
from tests.exposure.reach import naive
from tests.exposure.reach.kit import BYPASS
from tests.kit.builders import PROJECT
from tests.kit.profiles import NIGHTLY

ELSEWHERE = "192.0.2.99"
STRANGER = "stranger@example.net"
Asked = tuple[str, int, str, str]
"""Host, port, path, protocol."""


def _estates() -> dict[str, Surface]:
    found = {}
    for name, project in (("repository", PROJECT), ("home", PROJECT / "examples" / "home")):
        (found[name],) = plan_project(load_project(Path(project))).whole()
    return found


ESTATES = _estates()


def _naive(found: Surface) -> dict[str, naive.World]:
    """The surface in the words of the naive reading, once with the rules of each tunnel."""
    return {tunnel.name: _of_tunnel(found, tunnel) for tunnel in found.tunnels}


def _of_tunnel(found: Surface, tunnel: s.Tunnel) -> naive.World:
    world = naive.World(zones={z.name: z.advanced_certificate for z in found.zones})
    # Nothing answers at an address that is not the router's, nor past the edge at a tunnel's name.
    routers = {r.address for r in found.router}
    for r in found.records:
        elsewhere = r.tunnel not in (None, tunnel.name)
        world.records.append((r.host, r.proxied, r.content if elsewhere or r.content in routers else "tunnel"))
    keys = {d: str(n) for n, a in enumerate(found.applications) for d in a.destinations}
    by_name = {f"{d.host}{d.path}": key for d, key in keys.items()}
    for number, application in enumerate(found.applications):
        places = [(d.host, d.path) for d in application.destinations]
        policies = [
            (str(p.decision), _words(p.include), _words(p.exclude), _words(p.require)) for p in application.policies
        ]
        world.apps[str(number)] = (places, policies)
    for rule in tunnel.rules or ():
        accepted = None if rule.access is None else [by_name[a] for a in rule.access.applications if a in by_name]
        world.rules.append((rule.host, rule.path, rule.origin, accepted))
    inside = {(n.protocol, n.node_port) for n in found.node_ports}
    world.forwards = {(r.protocol, r.external): (r.protocol, r.node_port) in inside for r in found.router}
    policy, suffix = _policy(found)
    for tag in policy["tagOwners"]:
        world.devices[_device(tag, suffix)] = (tag, None)
    for ingress in found.tailnet_ingresses:
        (tag,) = ingress.tags
        served = [] if "/" in ingress.paths else list(ingress.paths)
        world.machines[ingress.machine + suffix] = (tag, ingress.funnel, served)
    for address in found.tailnet_addresses:
        (tag,) = address.tags
        ports = None if address.ports is None else [(str(p), n) for p, n in address.ports]
        world.devices[address.machine + suffix] = (tag, ports)
    world.groups = policy["groups"]
    for grant in policy["grants"]:
        for protocol, port in _carried(grant):
            world.grants.append((grant["src"], grant["dst"], protocol, port))
    for attribute in policy.get("nodeAttrs", ()):
        world.funnel_tags += attribute["target"] if "funnel" in attribute["attr"] else []
    return world


def _policy(found: Surface) -> tuple[Any, str]:
    assert found.tailnet is not None
    return found.tailnet.policy, f".{found.tailnet.name}"


def _device(tag: str, suffix: str) -> str:
    """Nodes by their names; what no machine has, by its tag."""
    node = tag.removeprefix("tag:gatehouse-")
    return tag if node == tag else node + suffix


def _carried(grant: Any) -> Iterator[tuple[str, int | None]]:
    for ip in grant["ip"]:
        protocol, _, port = ip.rpartition(":")
        yield protocol or "*", None if port == "*" else int(port)


def _words(selectors: tuple[s.Selector, ...]) -> list[str]:
    found = []
    for selector in selectors:
        if selector.group is not None:
            assert selector.group == s.Group(selector.group.include)
            found += _words(selector.group.include)
        else:
            found.append("everyone" if selector.kind == "everyone" else selector.value)
    return found


def _asked(*surfaces: Surface) -> Iterator[Asked]:
    """A grid: every name, with every path that anything is said of, and paths below, beside and between them."""
    hosts = {r.host for f in surfaces for r in f.records} | {z.name for f in surfaces for z in f.zones}
    names = {h.replace("*", n, 1) for h in hosts for n in (ANY_NAME, f"any.{ANY_NAME}")}
    said = {(d.host, d.path) for f in surfaces for a in f.applications for d in a.destinations}
    said |= {
        (r.host, _literal(r.path)) for f in surfaces for t in f.tunnels for r in t.rules or () if r.host and r.path
    }
    for host in sorted(names):
        of_host = {p.rstrip("/*") for h, p in said if h == host or naive.glob(h, host, "\0")}
        paths = {p + end for p in of_host | {""} for end in ("", "/", "/x", "x")} - {"", "x"}
        paths |= {variant for p in of_host if p for variant in (p.upper(), f"{p};x")}
        yield from ((host, 443, path, "tcp") for path in sorted(paths | {f"/x{p}" for p in paths}))
    for found in surfaces:
        yield from ((h, r.external, "/", r.protocol) for h in sorted(hosts) for r in found.router)
        policy, suffix = _policy(found)
        for ingress in found.tailnet_ingresses:
            served = {"/", "/x", *ingress.paths, *(p.rstrip("/") + "/x" for p in ingress.paths)}
            yield from ((ingress.machine + suffix, 443, path, "tcp") for path in sorted(served))
        for grant in policy["grants"]:
            for tag, (protocol, port) in product(grant["dst"], _carried(grant)):
                if port is not None:
                    serve = (protocol, port) == ("tcp", 443)
                    names = {i.machine + suffix for i in found.tailnet_ingresses if tag in i.tags and serve}
                    for address in found.tailnet_addresses:
                        if tag in address.tags and (address.ports is None or (protocol, port) in address.ports):
                            names.add(address.machine + suffix)
                    yield from ((name, port, "/", protocol) for name in names or {_device(tag, suffix)})


def _literal(expression: str) -> str:
    plain = unguarded(expression) or expression
    return plain.removeprefix("^").removesuffix("(/|$)").replace("\\", "") if "?" not in plain else "/"


ORDER = ("open", "login", "tailnet", "no")
ROUND = "/..%2f"


def _word(world: naive.World, asked: Asked, who: str) -> tuple[str, str]:
    """The widest answer over the readings of the path, and the path as the tunnel read it."""
    host, port, path, protocol = asked
    routed = path.replace("%2f", "/")
    words = ((naive.ask(world, host, port, seen, who, protocol, routed), routed) for seen in {path, routed})
    return min(words, key=lambda found: ORDER.index(found[0]))


def _answers(worlds: dict[str, naive.World], asked: Asked, everybody: list[str]) -> list[set[str]]:
    """Of each who asks: the answer of the tunnel that the name leads to, and the origin."""
    host, _, path, protocol = asked
    found = []
    for who in everybody:
        words = [(w, *_word(w, asked, who)) for w in worlds.values()]
        web = path and protocol == "tcp" and naive.record_for(next(iter(worlds.values())), host)
        found.append(
            {
                f"{word} {_door(naive.tunnel_rule(w, host, to)[2], to) if web else ''}"
                for w, word, to in words
                if word != "no"
            }
        )
    return found


def _door(origin: str, path: str) -> str:
    """An origin; the two doors of the ingress controller lead on to the same by the request's host, but challenges."""
    challenge = path.startswith("/.well-known/acme-challenge/")
    return origin if challenge else re.sub(r"^https?://(ingress-nginx-controller|traefik)\.(.*):\d+$", r"\1", origin)


def _ways_round(
    before: dict[str, naive.World], after: dict[str, naive.World], grid: set[Asked], everybody: list[str]
) -> set[tuple[str, int]]:
    """The hosts where somebody gets in by a way round a path now, and not everywhere straight."""

    def rank(worlds: dict[str, naive.World], asked: Asked, who: str) -> int:
        return min(ORDER.index(_word(world, asked, who)[0]) for world in worlds.values())

    paths: dict[str, list[Asked]] = {}
    for asked in grid:
        # In capitals or with `;` a guarded path is for nobody: nothing is meant to be found there.
        if asked[1] == 443 and asked[3] == "tcp" and asked[2] == asked[2].lower() and ";" not in asked[2]:
            paths.setdefault(asked[0], []).append(asked)
    found = set()
    for host, straight in paths.items():
        rounds = [(host, 443, path.rstrip("/") + ROUND, "tcp") for _, _, path, _ in straight if path != "/"]
        for by, who in product(rounds, everybody):
            now = rank(after, by, who)
            gained = now < ORDER.index("no") and now < rank(before, by, who)
            if gained and any(rank(after, asked, who) > now for asked in straight):
                found.add((host, 443))
                break
    return found


def _mutants(found: Surface) -> Iterator[tuple[str, Surface]]:
    """Each with what was done to it."""
    for at, tunnel in enumerate(found.tunnels):
        rules = list(tunnel.rules or ())

        def with_rules(changed: list[s.Rule], at: int = at) -> Surface:
            tunnels = list(found.tunnels)
            tunnels[at] = replace(tunnels[at], rules=tuple(changed))
            return replace(found, tunnels=tuple(tunnels))

        for n, rule in enumerate(rules[:-1]):
            said = f"rule {rule.host} {rule.path or ''}"
            yield f"{said}: removed", with_rules(rules[:n] + rules[n + 1 :])
            yield f"{said}: 404", with_rules([*rules[:n], replace(rule, origin="http_status:404"), *rules[n + 1 :]])
            if n and rules[n - 1].host == rule.host:
                yield f"{said}: moved up", with_rules([*rules[: n - 1], rule, rules[n - 1], *rules[n + 1 :]])
            if rule.access:
                yield f"{said}: no JWT", with_rules([*rules[:n], replace(rule, access=None), *rules[n + 1 :]])
                for gone in rule.access.applications:
                    fewer = tuple(a for a in rule.access.applications if a != gone)
                    changed = replace(rule, access=replace(rule.access, applications=fewer))
                    yield f"{said}: without the AUD of {gone}", with_rules([*rules[:n], changed, *rules[n + 1 :]])
            if rule.path and "?" not in rule.path:
                loose = replace(rule, path=rule.path.removeprefix("^").removesuffix("(/|$)"))
                yield f"{said}: not anchored", with_rules([*rules[:n], loose, *rules[n + 1 :]])
    for n, application in enumerate(found.applications):
        others = [a for m, a in enumerate(found.applications) if m != n]
        said = f"application {application.name}"
        (where,) = application.destinations
        yield f"{said}: removed", replace(found, applications=tuple(others))
        more = s.people_policy(PeopleSet("more", (STRANGER,)))
        for what, other in (
            ("bypass", replace(application, policies=(BYPASS,))),
            ("one more policy", replace(application, policies=(*application.policies, more))),
            ("no policy", replace(application, policies=())),
            ("narrower", replace(application, destinations=(replace(where, path=where.path.rstrip("/") + "/x"),))),
            ("all of the host", replace(application, destinations=(replace(where, path=""),))),
        ):
            taken = {d for a in others for d in a.destinations}
            if not taken & set(other.destinations):  # Access takes a destination only once.
                yield f"{said}: {what}", replace(found, applications=(*others, other))
    for n, record in enumerate(found.records):
        rest = (*found.records[:n], *found.records[n + 1 :])
        yield f"record {record.host}: removed", replace(found, records=rest)
        changed_record = replace(record, type="A", content=ELSEWHERE, proxied=False, tunnel=None)
        yield f"record {record.host}: past the edge", replace(found, records=(*rest, changed_record))
    policy, _ = _policy(found)
    grants = policy["grants"]
    for n, grant in enumerate(grants):
        for what, now in (("removed", []), ("for all members", [{**grant, "src": ["autogroup:member"]}])):
            changed_policy = {**policy, "grants": grants[:n] + now + grants[n + 1 :]}
            tailnet = replace(found.tailnet, policy=changed_policy) if found.tailnet else None
            yield f"grant {n}: {what}", replace(found, tailnet=tailnet)
    for n, ingress in enumerate(found.tailnet_ingresses):
        around = list(found.tailnet_ingresses)
        around[n] = replace(ingress, funnel=not ingress.funnel)
        yield f"proxy {ingress.machine}: funnel {not ingress.funnel}", replace(found, tailnet_ingresses=tuple(around))
    for n, forwarded in enumerate(found.router):
        fewer_ports = found.router[:n] + found.router[n + 1 :]
        yield f"port {forwarded.external}: not forwarded", replace(found, router=fewer_ports)


def _some(mutants: Iterator[tuple[str, Surface]]) -> Iterator[tuple[str, Surface]]:
    """Every fifth of a kind; by night all of them."""
    kinds: dict[str, list[tuple[str, Surface]]] = {}
    for said, mutant in mutants:
        kinds.setdefault(said.split()[0], []).append((said, mutant))
    for of_kind in kinds.values():
        yield from of_kind[:: 1 if NIGHTLY else 5]


@pytest.mark.parametrize("name", sorted(ESTATES))
def test_compare_names_every_mutant_that_changes_reach_and_none_that_does_not(name: str) -> None:
    base = ESTATES[name]
    before = _naive(base)
    people = {e for a in base.applications for p in a.policies for e in _words(p.include) if "@" in e}
    world = next(iter(before.values()))
    people |= {e for members in world.groups.values() for e in members}
    everybody = ["anyone", STRANGER, *sorted(people), *sorted({tag for tag, _, _ in world.machines.values()})]
    seen: Counter[str] = Counter()

    @cache
    def asked_before(asked: Asked) -> tuple[set[str], ...]:
        return tuple(_answers(before, asked, everybody))

    for said, mutant in _some(_mutants(base)):
        after = _naive(mutant)
        grid = set(_asked(base, mutant))
        differing = {a for a in grid if asked_before(a) != tuple(_answers(after, a, everybody))}
        hosts = {(host, port) for host, port, _, _ in differing}
        # What changes what rules match can open a way round a path.
        if said.startswith(("rule", "application")):
            hosts |= _ways_round(before, after, grid, ["anyone", STRANGER, min(people)])
        changes = compare(base, mutant)
        named = {p.request for c in changes for p in (c.place, *c.more)}
        # What is known at home is what rules and ports name; the grid has no address of it.
        named = {r for r in named if not r.host[0].isdigit()}
        assert {(r.host, r.port) for r in named} == hosts, (said, differing)
        for request in named:
            asked = (request.host, request.port, request.path, request.protocol)
            assert asked_before(asked) != tuple(_answers(after, asked, everybody)), (said, request)
        seen[f"{said.split()[0]} {'changes' if hosts else 'changes nothing'}"] += 1
    # A positive control: many change something, and some do not.
    for kind in ("rule", "application", "record", "grant"):
        assert seen[f"{kind} changes"], seen
    assert sum(n for k, n in seen.items() if k.endswith("nothing")) > 5, seen
