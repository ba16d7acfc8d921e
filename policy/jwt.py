"""The tunnel checks the JWT again: each rule asks for that of the application which decides where the rule leads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policy.model import Problem, Resource, Stack, at, is_hidden, items, show, text
from policy.places import (
    APPLICATION,
    CONFIGURATION,
    all_are,
    covers,
    decisions,
    host_of,
    opens,
    path_of,
    serves,
    uris,
    who,
)

# `^`, a literal, and the end of a segment; what is escaped or no special sign stands for itself [RE2 syntax].
_ANCHORED = re.compile(r"\^((?:\\[^A-Za-z0-9]|[^\\.+*?()|\[\]{}^$])+?)(\((?:\?:)?/\|\$\)|/|/?\$|/\?\$)")
_GUARDED = re.compile(r"\(\?i\)\^/.*\(\[/;\]\|\$\)")

_MIXED = "where Access reads a path otherwise, who passes one login would get in by the other"


@dataclass(frozen=True)
class _Place:
    """One path of a host that an application is for, and what is below it; the whole host has no path."""

    path: str
    application: Resource
    opens: bool
    denies: bool
    who: frozenset[str]

    def same_login(self, other: _Place) -> bool:
        """Whether both let in the same people, as far as it can be told."""
        return self.application.urn == other.application.urn or bool(self.who and self.who == other.who)


@dataclass(frozen=True)
class _Rule:
    """One rule of a tunnel's list. An empty `prefix` is the whole host; with None its path may match anything.

    cloudflared matches an expression anywhere in the path [cloudflared ingress/rule.go], so only an anchored literal
    that ends on a segment's end is sure to stay where it says: at the prefix `itself`, or `below` it.
    """

    number: int
    entry: object
    prefix: str | None
    itself: bool = True
    below: bool = True

    @classmethod
    def read(cls, number: int, entry: object) -> _Rule:
        """The rule; what it demands stays in `entry`."""
        path = at(entry, "path")
        if path in (None, ""):
            return cls(number, entry, "")
        said, shut = text(path), text(at(entry, "service")).startswith("http_status:")
        if _GUARDED.fullmatch(said) and (shut or at(entry, "originRequest", "access", "required") is True):
            # It takes more than its path, and lets nobody in there who does not log in for it.
            said = f"{said.removeprefix('(?i)').removesuffix('([/;]|$)')}(/|$)"
        literal = _ANCHORED.fullmatch(said)
        plain = re.sub(r"\\(.)", r"\1", literal[1]).rstrip("/") if literal else ""
        if not literal or not plain:
            return cls(number, entry, None)
        return cls(number, entry, plain, literal[2] != "/", literal[2] not in ("$", "/$", "/?$"))

    def meets(self, path: str) -> bool:
        """Whether it can get a request at or below a path."""
        if self.prefix is None or self.prefix == path or _within(self.prefix, path):
            return True
        return self.below and _within(path, self.prefix)

    def takes(self, path: str) -> bool:
        """Whether it gets every request at and below a path."""
        if self.prefix is None or not self.below:
            return False
        return _within(path, self.prefix) or (self.prefix == path and self.itself)


def _within(path: str, above: str) -> bool:
    """Whether a path is below another one."""
    return path.startswith(f"{above}/")


def tunnel_jwt(stack: Stack) -> Iterator[Problem]:
    """See the rule `tunnel-jwt`."""
    places: dict[str, list[_Place]] = {}
    auds: dict[str, Resource] = {}
    for application in stack.all("cloudflare", *APPLICATION):
        auds[text(application.inputs.get("aud"))] = application
        open_, people = opens(stack, application), who(stack, application)
        denies = all_are(decisions(stack, application), "deny")
        for uri in uris(application):
            if is_hidden(uri):
                if not open_:
                    yield Problem(application, "destinations", show(uri), "the host cannot be seen", judged=False)
                continue
            path = _path(text(uri), open_)
            if path is not None:
                places.setdefault(host_of(text(uri)), []).append(_Place(path, application, open_, denies, people))
    guarded = {host for host, found in places.items() if any(not place.opens for place in found)}
    if not guarded:
        return
    wild = [host for host in places if "*" in host]
    for configuration in stack.all("cloudflare", *CONFIGURATION):
        entries = at(configuration.inputs, "config", "ingresses")
        if is_hidden(entries):
            why = "whether protected hosts' rules demand a JWT cannot be seen"
            yield Problem(configuration, "config.ingresses", "hidden", why, judged=False)
        rules = _Rules(items(entries))
        # A wildcard application guards every host that it covers and the tunnel has a rule for.
        over = [host for host in wild if host in guarded]
        also = {name for name in rules.by_name if any(covers(host, name) for host in over)}
        for host in sorted({*guarded, *also}):
            found = _over(places.get(host, []), [p for w in wild if w != host and covers(w, host) for p in places[w]])
            yield from _Host(host, found, configuration, auds).problems(rules.of(host))


class _Rules:
    """A tunnel's list by host."""

    def __init__(self, entries: Sequence[object]) -> None:
        self._entries = entries
        self.by_name: dict[str, list[int]] = {}
        self._broad: list[int] = []
        for number, entry in enumerate(entries):
            name = text(at(entry, "hostname")).lower()
            if name and not name.startswith("*"):
                self.by_name.setdefault(name, []).append(number)
            else:
                self._broad.append(number)
                if name:
                    self.by_name.setdefault(name, [])

    def of(self, host: str) -> Iterator[tuple[int, object]]:
        """The rules that may take requests for a host, in order."""
        for number in sorted([*self.by_name.get(host, ()), *self._broad]):
            yield number, self._entries[number]


def _path(uri: str, open_: bool) -> str | None:
    """The path of a place. With `*` in it what is open is not sure, and what is guarded begins before that."""
    written = uri.removeprefix("https://").partition("/")[2]
    if open_:
        return None if "*" in written else path_of(uri)
    return re.split(r"/[^/]*\*", path_of(uri), maxsplit=1)[0]


def _over(exact: Sequence[_Place], wider: Sequence[_Place]) -> list[_Place]:
    """What decides over a host: its own applications, and a wildcard's where none of those is for the path."""
    return [*exact, *(p for p in wider if not any(e.path == p.path or _within(p.path, e.path) for e in exact))]


class _Host:
    """A host that Access guards, and the rules that its requests can meet."""

    def __init__(
        self, host: str, places: Sequence[_Place], configuration: Resource, auds: Mapping[str, Resource]
    ) -> None:
        self.host = host
        self.places = places
        self.configuration = configuration
        self.auds = auds
        self.untold: Problem | None = None

    def problems(self, entries: Iterable[tuple[int, object]]) -> Iterator[Problem]:
        """What is wrong with the rules."""
        yield from self._walk(entries)
        if self.untold:
            yield self.untold

    def _walk(self, entries: Iterable[tuple[int, object]]) -> Iterator[Problem]:
        """In order, until one takes all that is left."""
        before: list[_Rule] = []
        for number, entry in entries:
            hostname = at(entry, "hostname")
            if is_hidden(entry) or is_hidden(hostname):
                yield self._problem(f"config.ingresses[{number}]", hostname, f"it may be a rule of {self.host}", False)
            elif serves(text(hostname).lower(), self.host):
                rule = _Rule.read(number, entry)
                if not text(at(entry, "service")).startswith("http_status:"):
                    yield from self._rule(rule, before)
                before.append(rule)
                if rule.prefix == "":
                    return

    def _rule(self, rule: _Rule, before: Sequence[_Rule]) -> Iterator[Problem]:
        above = self._deciding(rule.prefix or "")
        met = [p for p in self.places if rule.meets(p.path) and not any(r.takes(p.path) for r in before)]
        guards = [p for p in met if not p.opens and (rule.prefix is None or p is above or _within(p.path, rule.prefix))]
        if not guards:
            return
        access = at(rule.entry, "originRequest", "access")
        where = f"config.ingresses[{rule.number}].originRequest.access"
        what = f"{self._shown(guards)} is behind Access, and this rule lets requests by that Access never saw"
        if path := text(at(rule.entry, "path")):
            what += f" (path {show(path)} is not one that an application opens)"
        required, team = at(access, "required"), at(access, "teamName")
        if is_hidden(required):
            yield self._problem(f"{where}.required", required, what, False)
        elif required is not True:
            yield self._problem(f"{where}.required", required, what, not is_hidden(at(rule.entry, "path")))
        else:
            if not is_hidden(team) and (not team or "." in text(team)):
                why = "cloudflared takes the team's bare name, and checks no JWT without it"
                yield self._problem(f"{where}.teamName", team, why)
            deciding = above if above in guards else guards[0]
            others = [p for p in guards if not p.same_login(deciding)]
            if others and rule.prefix is None:
                why = f"{self.host} has several logins, and which of them its path leads to cannot be told"
                yield self._problem(f"config.ingresses[{rule.number}].path", at(rule.entry, "path"), why, False)
            elif others:
                why = f"{self._shown([deciding])} has one login and {self._shown(others)} another: {_MIXED}"
                yield self._problem(f"config.ingresses[{rule.number}].path", at(rule.entry, "path"), why)
            else:
                yield from self._tags(f"{where}.audTags", at(access, "audTags"), rule, deciding)

    def _tags(self, where: str, tags: object, rule: _Rule, deciding: _Place) -> Iterator[Problem]:
        """The right AUDs are that of the application which decides, and those of what is open below it."""
        if is_hidden(tags):
            yield self._problem(where, tags, "the AUDs cannot be counted", False)
            return
        prefix = rule.prefix or ""
        same = {p.application.urn for p in self.places if p.same_login(deciding)}
        open_ = [p for p in self.places if p.opens and (p.path == prefix or _within(p.path, prefix))]
        right = same | {p.application.urn for p in open_}
        known = {text(tag) for tag in items(tags)} - {""}
        count = len(known) + sum(is_hidden(tag) for tag in items(tags))
        told = [self.auds[tag] for tag in sorted(known) if tag in self.auds]
        wrong = [application for application in told if application.urn not in right]
        place = self._shown([deciding])
        if wrong:
            why = f"{wrong[0].name} does not decide over {place}: {_MIXED}"
            yield self._problem(where, f"the AUD of {wrong[0].name}", why)
        elif not count:
            yield self._problem(where, "0 AUDs", f"a JWT of {place} has one")
        elif count > len(right):
            why = f"{len(right)} can be right, of {place} and of what is open below it: {_MIXED}"
            yield self._problem(where, f"{count} AUDs", why)
        elif len(told) == count and not any(application.urn in same for application in told):
            yield self._problem(where, f"{count} AUDs", f"none is that of {deciding.application.name}: nobody gets in")
        elif len(told) < count and self.untold is None and self._another(deciding):
            why = f"{self.host} has several logins, and whose AUD a rule takes only the engine knows, once it is made"
            self.untold = self._problem(where, f"{count} AUDs", why, False)

    def _another(self, deciding: _Place) -> bool:
        """Whether the host has another login by which anybody gets a JWT."""
        return any(not (p.opens or p.denies or p.same_login(deciding)) for p in self.places)

    def _deciding(self, path: str) -> _Place | None:
        """The place whose application decides over a path: the longest, with nothing inherited [app paths]."""
        over = [p for p in self.places if p.path == path or _within(path, p.path)]
        return max(over, key=lambda p: len(p.path), default=None)

    def _shown(self, places: Sequence[_Place]) -> str:
        return f"{self.host}{min(p.path for p in places)}"

    def _problem(self, where: str, value: object, why: str, judged: bool = True) -> Problem:
        return Problem(self.configuration, where, show(value), why, judged)
