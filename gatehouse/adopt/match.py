"""Which of the planned resources is there already: by host, destination and shape, for names are a person's own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatehouse.adopt.things import Thing, images_of, is_tailscale, labels_of, machine_of_ingress, places, records_at
from policy.model import SECRET, UNKNOWN

TUNNEL_SUFFIX = ".cfargotunnel.com"
_PLAIN = (str, int, float, bool, type(None))
_LISTED = (
    "Acl",
    "DnsRecord",
    "Ingress",
    "ZeroTrustAccessApplication",
    "ZeroTrustAccessGroup",
    "ZeroTrustAccessIdentityProvider",
    "ZeroTrustAccessPolicy",
    "ZeroTrustAccessServiceToken",
    "ZeroTrustTunnelCloudflared",
)
"""What its owner wants to see named where it is left alone."""


@dataclass(frozen=True)
class Planned:
    """A resource that the program registers: type's last part, logical name, inputs, what it refers to by property."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    refers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Property to the keys (`type/name`) of the resources whose outputs are in it."""

    @property
    def key(self) -> str:
        """As `gatehouse:adopt` names it."""
        return f"{self.type}/{self.name}"


@dataclass(frozen=True)
class Match:
    """A planned resource and the object that it is; `differences` are what Gatehouse would change of it later."""

    planned: Planned
    thing: Thing
    differences: tuple[str, ...]


@dataclass
class Matched:
    """What was recognised, what stands in the way of a planned resource, and what is left alone, with why."""

    matches: list[Match] = field(default_factory=list)
    in_the_way: list[tuple[Planned, Thing, str]] = field(default_factory=list)
    left_alone: list[tuple[Thing, str]] = field(default_factory=list)

    @property
    def as_found(self) -> dict[str, str]:
        """For `gatehouse:adopt`: what Gatehouse wants otherwise."""
        return {m.planned.key: m.thing.id for m in self.matches if m.differences}

    @property
    def ours(self) -> dict[str, str]:
        """For `gatehouse:recover`: what is as Gatehouse makes it, whoever made it."""
        return {m.planned.key: m.thing.id for m in self.matches if not m.differences}


def match(planned: Sequence[Planned], things: list[Thing], tunnel: Thing | None) -> Matched:
    """Recognise planned resources among the things of the accounts.

    `tunnel` is the stack's own, as `choose_tunnel` found it. A tunnel is recognised only where each of its rules is one
    of the stack's, for Gatehouse writes the whole list.
    """
    matcher = _Matcher(planned, [t for t in things if not t.managed], tunnel)
    matcher.run()
    return matcher.result


class _Matcher:
    def __init__(self, planned: Sequence[Planned], things: list[Thing], tunnel: Thing | None) -> None:
        self.planned = planned
        self.things = things
        self.result = Matched()
        self.why: dict[int, str] = {}
        self.tunnel = tunnel
        unfit = self._unfit(tunnel) if tunnel else ""
        if tunnel and unfit:
            # Its records stay with it: both are another's, or something has to be done first.
            self.why[id(tunnel)] = unfit
            self.tunnel = None

    def run(self) -> None:
        finders: Mapping[str, Callable[[Planned], Thing | None]] = {
            "Zone": lambda p: self._first(p, lambda t: t.inputs.get("name") == p.inputs.get("name")),
            "DnsConfiguration": lambda p: self._first(p, lambda t: True),
            "ZoneSetting": self._setting,
            "ZoneDnssec": lambda p: self._first(p, lambda t: self._in_its_zone(p, t)),
            "ZeroTrustTunnelCloudflared": lambda p: None if self.tunnel and self.tunnel.managed else self.tunnel,
            "ZeroTrustTunnelCloudflaredConfig": self._rules,
            "ZeroTrustAccessIdentityProvider": self._login,
            "ZeroTrustAccessGroup": lambda p: self._first(p, lambda t: _same_emails(t.inputs, p.inputs)),
            "ZeroTrustAccessServiceToken": self._token,
            "ZeroTrustAccessPolicy": self._policy,
            "ZeroTrustAccessApplication": self._application,
            "DnsRecord": self._record,
            "Ingress": self._ingress,
            **dict.fromkeys(
                ("Deployment", "Namespace", "NetworkPolicy", "PodDisruptionBudget", "ProxyGroup", "Secret", "Service"),
                self._object,
            ),
            **dict.fromkeys(("Acl", "DnsPreferences", "TailnetSettings"), lambda p: self._first(p, lambda t: True)),
        }
        taken: set[int] = set()
        for planned in self.planned:
            if planned.type not in finders:
                continue
            thing = finders[planned.type](planned)
            if thing is not None and id(thing) not in taken:
                taken.add(id(thing))
                found = tuple(differences(planned.inputs, thing.inputs))
                self.result.matches.append(Match(planned, thing, found))
        self._leave_shared()
        taken = {id(m.thing) for m in self.result.matches}
        in_the_way = {id(thing) for _, thing, _ in self.result.in_the_way}
        for thing in self.things:
            if id(thing) in taken | in_the_way or not self._is_worth_saying(thing):
                continue
            self.result.left_alone.append((thing, self.why.get(id(thing), "")))

    def _is_worth_saying(self, thing: Thing) -> bool:
        if thing.type == "Ingress":
            return is_tailscale(thing)
        if thing.type == "Deployment":
            return "cloudflared" in images_of(thing)
        return thing.type in _LISTED

    def _of(self, type_: str) -> list[Thing]:
        return [t for t in self.things if t.type == type_]

    def _first(self, planned: Planned, fits: Callable[[Thing], bool]) -> Thing | None:
        return next((t for t in self._of(planned.type) if fits(t)), None)

    # --- Cloudflare

    def _in_its_zone(self, planned: Planned, thing: Thing) -> bool:
        """Whether a thing is of the zone whose id the planned resource takes; of any where it takes none."""
        keys = planned.refers.get("zoneId", ())
        names = [p.inputs.get("name") for p in self.planned if p.type == "Zone" and p.key in keys]
        zones = [t.own_id for t in self.things if t.type == "Zone" and t.inputs.get("name") in names]
        return not names or thing.id.split("/")[0] in zones

    def _unfit(self, tunnel: Thing) -> str:
        """Why a tunnel cannot be this stack's; empty where it can."""
        if tunnel.inputs.get("configSrc") == "local":
            # Changing that replaces a tunnel [TFC zero_trust_tunnel_cloudflared].
            return "its rules are in a file beside cloudflared: migrate it to remote management first (docs/adopt.md)"
        lost = self._lost_rules()
        return f"it has rules that no service of this stack stands for: {', '.join(lost)}" if lost else ""

    def _lost_rules(self) -> list[str]:
        """The rules of the tunnel that Gatehouse's own list would not have."""
        assert self.tunnel
        config = next((p for p in self.planned if p.type == "ZeroTrustTunnelCloudflaredConfig"), None)
        ours = rules_of(config.inputs) if config else []
        hosts = {str(r["hostname"]) for r in ours if r.get("hostname")}
        paths = {(str(r["hostname"]), prefix_of(str(r["path"]))) for r in ours if r.get("hostname") and r.get("path")}
        there = next((t for t in self._of("ZeroTrustTunnelCloudflaredConfig") if t.own_id == self.tunnel.own_id), None)
        rules = rules_of(there.inputs) if there else []
        lost = []
        for rule in rules:
            host, path = str(rule.get("hostname") or ""), str(rule.get("path") or "")
            if not host and not path and str(rule.get("service")).startswith("http_status:"):
                continue
            general = next((r for r in rules if r.get("hostname") == host and not r.get("path")), {})
            same_way = path and general.get("service") == rule.get("service")
            if host not in hosts or (path and (host, prefix_of(path)) not in paths and not same_way):
                lost.append(f"{host or '(any host)'}{' ' + path if path else ''}")
        return lost

    def _setting(self, planned: Planned) -> Thing | None:
        setting = planned.inputs.get("settingId")
        thing = self._first(planned, lambda t: t.own_id == setting and self._in_its_zone(planned, t))
        if thing is None or not _is_map(thing.inputs.get("value")):
            return thing
        # The plugin crashes where it imports a setting whose value is an object, and takes the whole run with it
        # [pulumi-terraform-bridge pkg/tfbridge/schema.go, extractSchemaInputs]. Making it writes the whole value.
        found = "; ".join(differences(planned.inputs, thing.inputs))
        if found:
            self._blocked(planned, thing, f"it cannot be imported, so that the first `up` changes it: {found}")
        return None

    def _rules(self, planned: Planned) -> Thing | None:
        tunnel = self.tunnel
        return self._first(planned, lambda t: t.own_id == tunnel.own_id) if tunnel else None

    def _login(self, planned: Planned) -> Thing | None:
        wanted = (planned.inputs.get("config") or {}).get("clientId") if _is_map(planned.inputs.get("config")) else None
        alike = [t for t in self._of(planned.type) if t.inputs.get("type") == planned.inputs.get("type")]
        same = [t for t in alike if wanted and (t.inputs.get("config") or {}).get("clientId") == wanted]
        if same or len(alike) == 1:
            return (same or alike)[0]
        for thing in alike:
            self.why[id(thing)] = "there are several logins of its type, and none has the client id of the stack file"
        return None

    def _token(self, planned: Planned) -> Thing | None:
        """One that Gatehouse made, by the name that it gives: who has another's secret is not to get in by it.

        Of two, the one that a policy names: a lost answer leaves a second one, whose secret nobody has.
        """
        used = {id_ for t in self.things if t.type == "ZeroTrustAccessPolicy" for id_ in tokens_in(t.inputs) or ()}
        found = [t for t in self._of(planned.type) if t.inputs.get("name") == planned.inputs.get("name")]
        return next((t for t in found if t.own_id in used), found[0] if found else None)

    def _policy(self, planned: Planned) -> Thing | None:
        decision = str(planned.inputs.get("decision"))
        if decision == "non_identity":
            tokens = [self._token(p) for p in self.planned if p.key in planned.refers.get("includes", ())]
            ids = {t.own_id if t else "" for t in tokens}
            return self._first(planned, lambda t: tokens_in(t.inputs) == ids)
        if decision in ("bypass", "deny"):
            return self._first(planned, lambda t: is_for_everyone(t.inputs, decision))
        if planned.inputs.get("requires"):
            # What is there may ask for less, and would stay as it was found.
            return None
        group = next((p for p in self.planned if p.key in planned.refers.get("includes", ())), None)
        wanted = emails_of(group.inputs.get("includes") or (), self.things) if group else None
        return self._first(planned, lambda t: wanted is not None and lets_in(t.inputs, self.things) == wanted)

    def _application(self, planned: Planned) -> Thing | None:
        [uri] = places(Thing(planned.type, "", planned.inputs, "")) or [""]
        thing = self._first(planned, lambda t: uri in places(t))
        if thing and len(places(thing)) > 1:
            guards = ", ".join(places(thing))
            self._blocked(planned, thing, f"it guards several at once ({guards}): give each one of its own there first")
            return None
        return thing

    def _leave_shared(self) -> None:
        """Leave policies and groups that somebody else's applications use: who is let in there is not ours to say."""
        for type_, uses in (("ZeroTrustAccessPolicy", _policies_in), ("ZeroTrustAccessGroup", _groups_in)):
            taken = {id(m.thing) for m in self.result.matches}
            users: dict[str, str] = {}
            for thing in self.things:
                if id(thing) not in taken:
                    users |= dict.fromkeys(uses(thing), str(thing))
            for found in [m for m in self.result.matches if m.planned.type == type_ and m.thing.own_id in users]:
                self.result.matches.remove(found)
                used = users[found.thing.own_id]
                self.why[id(found.thing)] = (
                    f"{used}, which is not this stack's, uses it; Gatehouse makes one of its own"
                )

    def _record(self, planned: Planned) -> Thing | None:
        there = records_at(self.things, str(planned.inputs.get("name")))
        want = planned.inputs.get("content")
        for thing in there:
            if thing.inputs.get("type") != planned.inputs.get("type"):
                continue
            content = str(thing.inputs.get("content", "")).lower()
            if self.tunnel and want == UNKNOWN and content == self.tunnel.own_id + TUNNEL_SUFFIX:
                return thing
            if content == want:
                return thing
        for thing in there:
            target = f"{thing.inputs.get('type')} {thing.inputs.get('content')}"
            self._blocked(planned, thing, f"it goes elsewhere ({target}): delete or rename it, or `up` is refused")
        return None

    # --- tailnet and cluster

    def _ingress(self, planned: Planned) -> Thing | None:
        wanted = Thing(planned.type, "", planned.inputs, "")
        if not is_tailscale(wanted):
            metadata = planned.inputs.get("metadata") or {}
            return self._first(planned, lambda t: t.id == f"{metadata.get('namespace')}/{metadata.get('name')}")
        machine = machine_of_ingress(wanted)
        thing = self._first(planned, lambda t: is_tailscale(t) and machine_of_ingress(t) == machine)
        namespace = (planned.inputs.get("metadata") or {}).get("namespace")
        if thing and thing.id.split("/")[0] != namespace:
            self._blocked(planned, thing, f"it has the name {machine} in another namespace: delete it, or rename one")
            return None
        return thing

    def _object(self, planned: Planned) -> Thing | None:
        """What Gatehouse made in the cluster: by our label, and by name where it has one that is not generated."""
        metadata = planned.inputs.get("metadata") or {}

        def is_it(thing: Thing) -> bool:
            theirs = thing.inputs.get("metadata") or {}
            named = all(theirs.get(k) == metadata[k] for k in ("namespace", "name") if k in metadata)
            return named and labels_of(planned.inputs).items() <= labels_of(thing.inputs).items()

        return self._first(planned, is_it)

    def _blocked(self, planned: Planned, thing: Thing, why: str) -> None:
        self.result.in_the_way.append((planned, thing, why))


def choose_tunnel(
    things: Iterable[Thing], node: str, zones: Sequence[str], hosts: Iterable[str], asked: str = ""
) -> Thing | None:
    """The stack's own tunnel: the one asked for by name or id, else of the node's name, else where the hosts lead.

    `hosts` are those of the stack's services; without a record of theirs, those that end in `-<node>.<zone>` count,
    and then all of the `zones`. None where several could be it.
    """
    things = list(things)
    tunnels = [t for t in things if t.type == "ZeroTrustTunnelCloudflared"]
    if asked:
        return next((t for t in tunnels if asked in (t.label, t.own_id)), None)
    named = [t for t in tunnels if t.inputs.get("name") == node]
    if named:
        return named[0]
    known = set(hosts)
    for counts in (
        lambda name: name in known,
        lambda name: name.endswith(tuple(f"-{node}.{zone}" for zone in zones)),
        lambda name: f".{name}".endswith(tuple(f".{zone}" for zone in zones)),
    ):
        targets = {
            str(t.inputs.get("content", "")).lower()
            for t in things
            if t.type == "DnsRecord" and counts(str(t.inputs.get("name")))
        }
        found = [t for t in tunnels if t.own_id + TUNNEL_SUFFIX in targets]
        if len(found) == 1:
            return found[0]
        if found:
            return None
    return None


# --- shapes


def rules_of(inputs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rules in a tunnel configuration's inputs."""
    config: Any = inputs.get("config")
    rules = config.get("ingresses") if _is_map(config) else None
    return [r for r in rules if _is_map(r)] if isinstance(rules, list) else []


def prefix_of(path: str) -> str:
    """The literal path that a rule's expression begins with: `^/api(/|$)` and `/api/.*` both give `/api`."""
    start = path.removeprefix("(?i)").removeprefix("^")
    text = re.sub(r"\\(.)", r"\1", re.split(r"(?<!\\)[\[({*+?|$]|\.(?=[*+?])", start)[0])
    return text.rstrip("/") or "/"


def emails_of(rules: Iterable[Any], things: Iterable[Thing]) -> frozenset[str] | None:
    """The addresses that include rules let in, groups followed; None where they let in by anything else."""
    groups = {t.own_id: t for t in things if t.type == "ZeroTrustAccessGroup"}
    found: set[str] = set()
    for rule in rules:
        given = {k: v for k, v in rule.items() if v is not None} if _is_map(rule) else {}
        if set(given) == {"email"}:
            found.add(str(given["email"].get("email")).lower())
        elif set(given) == {"group"} and given["group"].get("id") in groups:
            group = groups[given["group"]["id"]].inputs
            inner = None if group.get("excludes") or group.get("requires") else emails_of(group["includes"], ())
            if inner is None:
                return None
            found |= inner
        else:
            return None
    return frozenset(found) or None


def lets_in(policy: Mapping[str, Any], things: Iterable[Thing]) -> frozenset[str] | None:
    """The addresses that an allow policy lets in; None for every other policy."""
    if policy.get("decision") != "allow" or policy.get("requires") or policy.get("excludes"):
        return None
    return emails_of(policy.get("includes") or (), things)


def tokens_in(policy: Mapping[str, Any]) -> set[str] | None:
    """The service tokens that a Service Auth policy names; None for one that says anything else."""
    if policy.get("decision") != "non_identity" or policy.get("requires") or policy.get("excludes"):
        return None
    found: set[str] = set()
    for rule in policy.get("includes") or ():
        given = {k: v for k, v in rule.items() if v is not None} if _is_map(rule) else {}
        if set(given) != {"serviceToken"}:
            return None
        found.add(str(given["serviceToken"].get("tokenId")))
    return found or None


def is_for_everyone(policy: Mapping[str, Any], decision: str) -> bool:
    """Whether a policy has that decision (`bypass`, `deny`) for everyone."""
    rules = policy.get("includes") or []
    everyone = len(rules) == 1 and _is_map(rules[0]) and rules[0].get("everyone") is not None
    return policy.get("decision") == decision and everyone and not policy.get("requires") and not policy.get("excludes")


def _same_emails(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one.get("excludes") or one.get("requires"):
        return False
    emails = emails_of(one.get("includes") or (), ())
    return emails is not None and emails == emails_of(other.get("includes") or (), ())


def _policies_in(thing: Thing) -> list[str]:
    """The reusable policies that an Access application refers to."""
    policies = thing.inputs.get("policies") if thing.type == "ZeroTrustAccessApplication" else None
    return [str(p["id"]) for p in policies or () if _is_map(p) and p.get("id")]


def _groups_in(thing: Thing) -> list[str]:
    """The groups that a policy, an application's own policies or another group refer to."""
    if not thing.type.startswith("ZeroTrustAccess"):
        return []
    holders = [thing.inputs, *(p for p in thing.inputs.get("policies") or () if _is_map(p))]
    rules = [r for h in holders for name in ("includes", "excludes", "requires") for r in h.get(name) or ()]
    return [str(r["group"].get("id")) for r in rules if _is_map(r) and _is_map(r.get("group"))]


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


# --- differences

_WHERE = ("accountId", "zoneId", "apiVersion", "kind")
"""Where a thing was read says these; not every answer repeats them."""
_UNTOLD = ("clientSecretVersion", "previousClientSecretExpiresAt")
"""No answer has these: Cloudflare takes what it is told of a service token's secret, and does not say it again."""


def differences(planned: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """What the plan wants otherwise, a line a property; what only `up` knows, and secrets, are not compared."""
    wanted = {k: v for k, v in planned.items() if k not in (*_WHERE, *_UNTOLD) or k in there}
    return list(_differences("", wanted, there))


def _differences(path: str, planned: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(planned):
        want, have = planned[key], there.get(key)
        deeper: Any = have
        name = f"{path}.{key}" if path else key
        if _same(want, have):
            continue
        if name == "config" and rules_of(planned):
            yield from _rule_differences(rules_of(planned), rules_of(there))
        elif _is_map(want) and _is_map(have):
            yield from _differences(name, want, deeper)
        elif isinstance(have, _PLAIN) and isinstance(want, _PLAIN) and key != "acl":
            yield f"{name}: {json.dumps(have)} -> {json.dumps(want)}"
        else:
            yield f"{name} changes"


def _rule_differences(want: list[Mapping[str, Any]], have: list[Mapping[str, Any]]) -> Iterator[str]:
    """By host and path, for a person looks for those; the order alone is said too."""
    ours, theirs = ({(r.get("hostname"), r.get("path")): r for r in rules} for rules in (want, have))
    for key in [*ours, *(k for k in theirs if k not in ours)]:
        name = " ".join(filter(None, key)) or "catch-all"
        if key not in theirs:
            yield f"new rule {name}"
        elif key not in ours:
            yield f"rule {name} goes"
        elif not _same(ours[key], theirs[key]):
            yield from _differences(f"rule {name}", ours[key], theirs[key])
    if [k for k in ours if k in theirs] != [k for k in theirs if k in ours]:
        yield "the rules' order"


def _same(want: Any, have: Any) -> bool:
    if isinstance(want, str) and want in (UNKNOWN, SECRET):
        return True
    if want in (None, False) and have in (None, False):
        return True
    if _is_map(want):
        return all(_same(v, have.get(k) if _is_map(have) else None) for k, v in want.items())
    if isinstance(want, list):
        return isinstance(have, list) and len(want) == len(have) and all(map(_same, want, have))
    return bool(want == have)
