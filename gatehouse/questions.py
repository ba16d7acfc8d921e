"""What somebody asks about: a URL, a host, a service, a person, a set of people, or what answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from config.people import GITHUB
from exposure.model import ExposurePlan
from exposure.reach.access import Principal
from exposure.reach.claims import is_among
from exposure.reach.evaluate import EDGE_PATH, HTTPS_PORTS, PORTS, Request, Scheme, parse_principal
from exposure.reach.places import Place, Reached, crowds, places, table
from exposure.reach.project import Project
from exposure.reach.surface import Selector, Surface
from exposure.workload import Workload
from gatehouse.commands import UsageError
from gatehouse.stacks import meant

_EMAIL = re.compile(r"[^\s/@:]+@[^\s/@:]+")
_TAG = re.compile(r"tag:[^\s/@:]+")


@dataclass(frozen=True)
class Subject:
    """What a word stands for: `name` is a service's key, a place of workloads, or a set's or a principal's name."""

    kind: Literal["url", "service", "people", "workload"]
    name: str
    principals: tuple[Principal, ...] = ()


@dataclass(frozen=True)
class Asked:
    """All that can be asked about. `project` is None where previews are read, which name no sets and no pods."""

    surfaces: Sequence[Surface]
    sets: Mapping[str, tuple[str, ...]]
    project: Project | None = None

    def until(self, subject: Subject) -> list[str]:
        """Of a set that has a last day, and of somebody in one: when that is."""
        words = {p.name for p in subject.principals}
        estates = {id(plan.estate): plan.estate for plan in self._plans}
        return [
            f"{name} {'ended on' if one.ended else 'gets in until'} {one.until}"
            for estate in estates.values()
            for name, one in estate.sets.items()
            if one.until and (name == subject.name or words & set(one.emails))
        ]

    @classmethod
    def of(cls, surfaces: Sequence[Surface], project: Project | None) -> Asked:
        """What surfaces, and the stack files that they come from, know."""
        sets: dict[str, tuple[str, ...]] = {}
        for surface in surfaces:
            sets |= _registered_sets(surface)
        for plan in project.plans.values() if project else ():
            sets |= plan.estate.members
        return cls(surfaces, sets, project)

    @property
    def _plans(self) -> Collection[ExposurePlan]:
        return self.project.plans.values() if self.project else ()

    @cached_property
    def places(self) -> list[tuple[Surface, Place]]:
        """Every place of every surface, with what the owner's own part of the policy opens by tags of its own."""
        return [(surface, place) for surface in self.surfaces for place in places(surface, tags=True)]

    @cached_property
    def rows(self) -> list[tuple[Place, Reached]]:
        """Every place with who reaches it."""
        return [row for surface in self.surfaces for row in table(surface)]

    @cached_property
    def hosts(self) -> Mapping[str, list[tuple[Surface, Request]]]:
        """What is asked for at each host, a machine of the tailnet by its short name too."""
        found: dict[str, list[tuple[Surface, Request]]] = {}
        for surface, place in self.places:
            host = place.request.host
            for name in {host, host.split(".", 1)[0] if host.endswith(".ts.net") else host}:
                found.setdefault(name, []).append((surface, place.request))
        return found

    def requests(self, text: str) -> tuple[Surface, list[Request]]:
        """What a URL or host asks for, of the estate that it belongs to; a bare host for each of its ports.

        Raises UsageError for what is neither.
        """
        host, port, path, scheme = wanted(text)
        own = self.hosts.get(host, [])
        if "." not in host and own:
            host = own[0][1].host
        known = [s for s in self.surfaces if s.zone_of(host)] or [s for s, _ in own] or self.surfaces
        surface = known[0]
        if scheme is None:
            usual: Scheme = "http" if port == 80 else "https" if port in (None, *HTTPS_PORTS) else "tcp"
            kinds = dict.fromkeys((r.port, r.scheme) for _, r in own if port in (None, r.port))
            return surface, [Request(host, at, path, by) for at, by in kinds or {(port or 443, usual): None}]
        return surface, [Request(host, port or 443, path, scheme)]

    def followed(self, surface: Surface, request: Request) -> list[tuple[Request, str]]:
        """The redirects of the edge that a client follows from a request, each with why, and where they end."""
        to = {str(redirect.host): str(redirect.to) for plan in self._plans for redirect in plan.redirects}
        hops: list[tuple[Request, str]] = []
        while len(hops) < 5 and any(record.proxied for record in surface.lookup.answering(request.host)[:1]):
            zone = surface.zone_of(request.host)
            if (request.scheme, request.port) == ("http", 80) and (zone is None or zone.always_https is not False):
                request = replace(request, scheme="https", port=443)
                # [API: zones, settings, always_use_https]
                hops.append((request, "301, Always Use HTTPS" if zone and zone.always_https else "taken to be 301"))
            elif request.host in to and not request.path.startswith(EDGE_PATH):
                request = replace(request, host=to[request.host], scheme="https", port=443)
                hops.append((request, "301, by redirect_from"))
            else:
                break
        return hops

    def service_of(self, place: Place) -> str | None:
        """The service that a place belongs to."""
        if place.service is not None or self.project is None:
            return place.service
        owner = self.project.owner_of(place)
        return owner[1] if owner else None

    def subject(self, text: str) -> Subject:
        """What a word stands for. Raises UsageError, with what was meant, where nothing has that name."""
        keys = {s.key for plan in self._plans for s in plan.services}
        keys |= {service for _, place in self.places if (service := self.service_of(place))}
        if text in keys:
            return Subject("service", text)
        if text in self.sets or text in ("anyone", "lan", "member") or _EMAIL.fullmatch(text):
            return Subject("people", text, self._inside(self.principals(text)))
        if text.startswith(("token:", GITHUB, "@")) or _TAG.fullmatch(text):
            return Subject("people", text, self._inside(self.principals(text)))
        ends = self.workloads()
        answering = {w.place.partition(" ")[2] for w in ends} | {str(w) for w in ends}
        if text in answering:
            return Subject("workload", text)
        host = wanted(text).host
        if host in self.hosts or any(sign in host for sign in ".:"):
            return Subject("url", text)
        close = meant(text, sorted(answering)) if "/" in text else ""
        close = close or meant(host, sorted({*keys, *self.sets, *self.hosts}))
        raise UsageError(
            f"Nothing here has the name {text!r}{close}. Ask for a service, a set of people, a tag, a host, a machine"
            " of the tailnet or what answers, as namespace/service."
        )

    def workloads(self) -> set[Workload]:
        """Everything that answers."""
        found = {w for surface in self.surfaces for n in surface.listeners.values() for w in n.values()}
        for plan in self._plans:
            found |= {w for s in plan.services for w in (*s.workloads, *((s.through,) if s.through else ()))}
        return {w for w in found if " " in w.place}

    def principals(self, text: str, tags: Iterable[str] = ()) -> tuple[Principal, ...]:
        """Who is meant: one, or everybody in a set. Raises UsageError for a word that is none."""
        if text in self.sets:
            return tuple(principal for word in self.sets[text] if (principal := parse_principal(word)))
        principal = parse_principal(text, tags)
        tokens = [f"token:{p.name}" for c in crowds(self.surfaces) for p in c.everybody if p.kind == "token"]
        if principal is None or (principal.kind == "token" and text not in tokens):
            known = ["anyone", "lan", "member", *sorted(self.sets), *tokens, *tags]
            raise UsageError(f"{text!r}: an e-mail address, or one of {', '.join(known)}{meant(text, known)}.")
        return (principal,)

    def unknown(self, subject: Subject) -> str:
        """Of a tag that no rule and no machine here has: that it is so, with the one that may be meant."""
        prefix, _, name = subject.name.rpartition(":")
        known = sorted(
            p.name.removeprefix("tag:") for c in crowds(self.surfaces) for p in c.everybody if p.kind == "tag"
        )
        if prefix != "tag" or name in known:
            return ""
        return f"no rule and no machine here has tag:{name}{meant(name, known)}; one with it would reach what is listed"

    def _inside(self, named: tuple[Principal, ...]) -> tuple[Principal, ...]:
        """These, and those who are known by name of the domains and GitHub organizations among them."""
        known = (p for crowd in crowds(self.surfaces) for p in crowd.everybody)
        return tuple(dict.fromkeys([*named, *(p for p in known if is_among(p, named))]))

    def same(self, ends: Iterable[Workload | str], *, named: bool = False) -> Callable[[Place, Reached], bool]:
        """Whether a place ends at one of these, by whichever name the stack files know it.

        The ingress controller of a service leads on to it for who says its host there: past the tunnel, that is. Where
        it is not `named` itself, that is all that it is.
        """
        services = [s for plan in self._plans for s in plan.services]
        groups = [(_in_clusters(s.workloads), s.through) for s in services]
        sought = set(ends)
        own = _closed({w.place for w in sought if isinstance(w, Workload) and " " in w.place}, groups)
        doors = _closed({door.place for inside, door in groups if door and inside & own}, groups)
        led = {
            s.key
            for s, (inside, door) in zip(services, groups, strict=True)
            if door and (inside & own or (named and door.place in own))
        }
        if not named:
            every = _closed({door.place for _, door in groups if door}, groups)
            doors |= own & every
            own -= every
            sought = {w for w in sought if not (isinstance(w, Workload) and w.place in every)}

        def ends_there(place: Place, reached: Reached) -> bool:
            bare = place.request.scheme in ("tcp", "udp")
            return self.service_of(place) in led or any(
                end in sought or (isinstance(end, Workload) and (end.place in own or (bare and end.place in doors)))
                for end in reached.workloads
            )

        return ends_there


def _in_clusters(workloads: Iterable[Workload]) -> set[str]:
    return {w.place for w in workloads if " " in w.place}


def _closed(start: set[str], groups: Sequence[tuple[set[str], object]]) -> set[str]:
    """With every other name of what is named, such as a Service's and its pods'."""
    found = set(start)
    while more := [inside for inside, _ in groups if inside & found and not inside <= found]:
        found.update(*more)
    return found


def _registered_sets(surface: Surface) -> dict[str, tuple[str, ...]]:
    """The sets of people that registered policies name: groups of Access, by name."""
    found: dict[str, tuple[str, ...]] = {}
    for application in surface.applications:
        for policy in application.policies:
            for selector in policy.include:
                if selector.group and selector.group.name:
                    found[selector.group.name] = tuple(_words(selector.group.include))
    return found


def _words(selectors: Iterable[Selector]) -> Iterator[str]:
    signs = {"email": "", "emailDomain": "@", "githubOrganization": GITHUB}
    return (f"{signs[s.kind]}{s.value}" for s in selectors if s.kind in signs)


class Wanted(NamedTuple):
    """A URL or HOST[:PORT] as it was asked for; `port` and `scheme` are None where it says none."""

    host: str
    port: int | None
    path: str
    scheme: Scheme | None


def wanted(text: str) -> Wanted:
    """What a URL or host says. Raises UsageError for what is neither."""
    if text.startswith("tag:"):
        tag, _, number = text.removeprefix("tag:").partition(":")
        if not number.isdigit():
            raise UsageError(f"{text!r}: a machine is asked for by its tag and a port, such as tag:{tag}:22.")
        return Wanted(f"tag:{tag}", _port(text, number), "/", "tcp")
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise UsageError(f"{text!r} is no URL or HOST[:PORT]: {error}.") from error
    if not host or any(c.isspace() for c in text):
        raise UsageError(f"{text!r} is no URL or HOST[:PORT].")
    if port == 0:
        raise UsageError(f"{text!r}: ports are 1 to 65535.")
    if parts.scheme and parts.scheme not in (*PORTS, "tcp", "udp"):
        known = ", ".join(sorted({*PORTS, "tcp", "udp"}))
        raise UsageError(f"{text!r}: scheme {parts.scheme!r} is not known{meant(parts.scheme, PORTS)}; known: {known}.")
    if parts.scheme and port is None and parts.scheme not in PORTS:
        raise UsageError(f"{text!r}: give the port too, as {parts.scheme}://{host}:PORT.")
    web: Mapping[str, Scheme] = {"http": "http", "https": "https", "udp": "udp"}
    scheme = web.get(parts.scheme, "tcp") if parts.scheme else None
    return Wanted(host, port or PORTS.get(parts.scheme), parts.path or "/", scheme)


def _port(text: str, port: str) -> int:
    if not 1 <= int(port) <= 65535:
        raise UsageError(f"{text!r}: ports are 1 to 65535.")
    return int(port)
