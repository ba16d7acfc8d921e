"""Workloads: what answers to two services is as open as the more open of the two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

from config.people import Terms
from config.values import ROOT, Path, is_named
from exposure.audience import Audience, meant, meant_for_path
from exposure.rules.base import Family, OneService, OneStack, Problem, Rules, listed
from exposure.ways.acme import AcmeWay
from exposure.ways.port_forward import PortForwardWay
from exposure.ways.tunnel import TunnelWay
from exposure.workload import Workload, at_home, controller, one_home, workloads

RULES = Rules()
_ONE = "make one service of the two, with several `gates:`, or with `paths:` that have clients of their own"


@RULES.family(
    "workload-wider", "Gatehouse: who reaches a service is a question about what answers", acceptable="service"
)
def _wider(family: Family) -> Iterator[Problem]:
    """Two services with one workload let in the same people, or it is acknowledged."""
    told = set()
    for wide, narrow, workload, leads in _together(family.stacks):
        pair = (wide.inside.stack.name, wide.key, narrow.inside.stack.name, narrow.key)
        path, who = _more(wide, narrow)
        if not who or pair in told or wide.guessed or narrow.guessed:
            continue
        told.add(pair)
        other = narrow.key if narrow.inside is wide.inside else f"{narrow.key} of {narrow.inside.stack.name}"
        yield wide.problem(
            "origin",
            str(workload),
            ("the ingress controller leads on to" if leads else "the same workload answers for")
            + f" service {other}, which keeps out {who}{'' if path.root else f' at {path}'}; "
            + (f"whoever asks for its name by {wide.key} gets in" if leads else f"by {wide.key} they get in"),
            ("name the Service behind the controller, and not the controller itself" if leads else _ONE)
            + "; or acknowledge `workload-wider` and say what keeps them out",
            related=(narrow.ref("origin"),),
        )


def _together(family: Sequence[OneStack]) -> Iterator[tuple[OneService, OneService, Workload, bool]]:
    """Services with a workload in common, in both orders; and those that lead on to others, by the controller."""
    behind: dict[Workload, list[OneService]] = {}
    doors: dict[str | Workload, list[tuple[OneStack, Workload]]] = {}
    for stack in family:
        if stack.node and stack.node_name is not None:
            door = controller(stack.node)[1]
            names: list[str | Workload] = [door.place, *(at_home(stack.node.lan_ipv4, port) for port in (80, 443))]
            for name in names:
                doors.setdefault(name, []).append((stack, door))
    for stack in family:
        node = stack.node
        if node is None or stack.node_name is None:
            continue
        ends = workloads({s.key: s.service for s in stack.services}, node)
        for service in stack.services:
            if not service.gates or service.by(AcmeWay):
                continue
            found = list(ends[service.key])
            if service.by(PortForwardWay):
                ports = service.service.port_forward or ()
                found += [at_home(node.lan_ipv4, p.node_port, p.protocol) for p in ports]
            for workload in found:
                behind.setdefault(workload, []).append(service)
            led = [led for w in found for name in (w, w.place) for led in doors.get(name, ())]
            for inside, door in {door: (inside, door) for inside, door in led}.values():
                if _near(stack, inside):
                    yield from ((service, other, door, True) for other in inside.services if _leads(service, other))
    for workload, those in behind.items():
        for wide, narrow in permutations(those, 2):
            if _near(wide.inside, narrow.inside):
                yield wide, narrow, workload, False


def _near(one: OneStack, other: OneStack) -> bool:
    """Whether an address means the same thing to both: it is one machine's behind one router only."""
    return one is other or bool(one.node and other.node and one_home(one.node, other.node))


def _leads(service: OneService, other: OneService) -> bool:
    """Whether the controller leads a request by the one on to the other: where it carries the other's host."""
    request = service.service.origin_request
    if service is other or not other.gates or not other.by(TunnelWay):
        return False
    if is_named(request.http_host_header if request else None, other.hosts):
        return True
    # A tunnel passes on the host that it was asked by; another way carries any.
    inside = other.cluster_origin and other.cluster_origin.through_ingress
    return bool(inside) and not all(issubclass(way, TunnelWay) for way in service.ways)


def _more(wide: OneService, narrow: OneService) -> tuple[Path, str]:
    """The first path that one lets somebody in to and the other does not, and whom; nobody in no words."""
    said = {p for s in (wide, narrow) for p in (s.service.path, *s.service.paths) if p}
    for path in map(Path, (ROOT, *sorted(said))):
        one, other = _let_in(wide, path), _let_in(narrow, path)
        if one is None or other is None:
            continue
        if (one.anyone or one.ips - other.ips) and not other.anyone:
            return path, "strangers"
        people = wide.estate.members if wide.estate and not other.anyone else {}
        known = {word for name in other.people for word in people.get(name, ())}
        more = {word for name in one.people for word in people.get(name, ())} - known
        more = {word for word in more if f"@{word.rpartition('@')[2]}" not in known}
        more |= set() if other.anyone else one.machines - other.machines
        if more:
            return path, listed(sorted(more))
        # The same people by another login, or from where the other one lets nobody in.
        if wide.estate and one.people and other.people:
            asked, given = wide.estate.terms(other.people), wide.estate.terms(one.people)
            if asked.login != given.login or _asks_less(given, asked):
                return path, f"{one.set_name} but on other terms (login, countries, addresses)"
    return ROOT, ""


def _asks_less(one: Terms, other: Terms) -> bool:
    """Whether somebody gets in by the one from where nobody does by the other."""
    places = ((one.countries, other.countries), (one.ips, other.ips))
    return any(asked and not (given and set(given) <= set(asked)) for given, asked in places)


def _let_in(service: OneService, path: Path) -> Audience | None:
    """Whom a service lets in to a path of what answers; None where the path is outside its part."""
    said = service.service
    nearest = next((p for p in (path, *path.above) if p in said.paths), None)
    if nearest is not None:
        return meant_for_path(said.paths[nearest], said, service.estate)
    part = Path(said.path or ROOT).covers(path) or not all(issubclass(way, TunnelWay) for way in service.ways)
    return meant(said, service.estate) if part else None
