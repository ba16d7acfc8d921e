"""Service entries for what the accounts show: tunnel rules, Access applications, Ingresses of Tailscale's operator."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar
from urllib.parse import urlsplit

from config.fields import LABEL
from config.people import Members
from config.services import ServiceOrigin, controller_at
from config.stack import Estate, StackConfig
from config.values import ROOT, Host, MalformedError, Path
from exposure.audience import ANYONE, NOBODY, Audience
from exposure.audience import people as people_of
from exposure.names import PROXY_GROUP, machine_of, names_of
from gatehouse.adopt.match import (
    TUNNEL_SUFFIX,
    is_for_everyone,
    lets_in,
    rules_of,
)
from gatehouse.adopt.things import Thing, images_of, is_tailscale, machine_of_ingress, places, records_at

_CONNECTOR = "gatehouse-cloudflared"
_ACME = "acme-challenge"
_REQUEST: Mapping[str, tuple[str, str]] = {
    "originServerName": ("origin_tls", "origin_server_name"),
    "matchSnItoHost": ("origin_tls", "match_sni_to_host"),
    "noTlsVerify": ("origin_tls", "no_tls_verify"),
    "connectTimeout": ("origin_request", "connect_timeout_seconds"),
    "httpHostHeader": ("origin_request", "http_host_header"),
    "http2Origin": ("origin_request", "http2_origin"),
}
"""A rule's settings, and where the stack file has each; that of Access is made anew."""


@dataclass
class Recognised:
    """What to write: services by key, further sets of people, values of the node; and what was seen but not written."""

    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: dict[str, list[str]] = field(default_factory=dict)
    node: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class _NotUnderstoodError(Exception):
    """The stack file has no word for it; the text says for what."""


def recognise(
    things: list[Thing], config: StackConfig, estate: Estate, tunnel: Thing | None, *, owns_estate: bool
) -> Recognised:
    """The entries that a stack file lacks. What the file says already is not touched.

    A service that lets in somebody whom no set of people has exactly gets a set of its own; where this stack does not
    own the estate, or Gatehouse has no word for who is let in, the service is left out with a note: nothing may become
    more reachable by being adopted.
    """
    reader = _Reader(things, config, estate, owns_estate)
    if tunnel:
        reader.tunnel(tunnel)
    for thing in reader.things:
        if thing.type == "Ingress" and is_tailscale(thing):
            reader.ingress(thing)
    reader.node()
    return reader.found


@dataclass
class _Part:
    """What of one host is a service: a path of it, who may ask for that, and paths with audiences of their own.

    `way` is the origin and the settings of the way there, as the stack file has them.
    """

    host: Host
    path: Path
    way: Mapping[str, Any]
    audience: Audience
    title: str | None
    own_certificate: bool
    paths: dict[Path, Audience] = field(default_factory=dict)

    def audience_at(self, path: Path) -> Audience:
        """Who may ask for a path."""
        return _nearest({self.path: self.audience, **self.paths}, path) or self.audience

    def joins(self, other: _Part) -> bool:
        """Whether it is the same at another host."""
        return replace(self, host=other.host, title=other.title) == other


_T = TypeVar("_T")


def _nearest(found: Mapping[Path, _T], path: Path) -> _T | None:
    """What is said for the longest path that covers one."""
    covering = [p for p in found if p.covers(path)]
    return found[max(covering, key=len)] if covering else None


class _Reader:
    def __init__(self, things: list[Thing], config: StackConfig, estate: Estate, owns_estate: bool) -> None:
        self.things = things
        self.config = config
        self.estate = estate
        self.owns_estate = owns_estate
        self.name = config.node.name
        self.zone = estate.zone.name
        self.found = Recognised()
        self.hosts = {h for k, s in config.services.items() for h in names_of(k, s, self.name, self.zone)}
        self.machines = {machine_of(k, s, self.name) for k, s in config.services.items()}
        self.solver = any(s.traffic == "acme-http-01" for s in config.services.values())
        self.applications: dict[str, Thing] = {}
        for thing in things:
            if thing.type == "ZeroTrustAccessApplication":
                for place in places(thing):
                    self.applications.setdefault(place, thing)

    # --- the tunnel

    def tunnel(self, tunnel: Thing) -> None:
        rules = next(
            (
                rules_of(t.inputs)
                for t in self.things
                if t.type == "ZeroTrustTunnelCloudflaredConfig" and t.own_id == tunnel.own_id
            ),
            [],
        )
        services: list[list[_Part]] = []
        whole: list[list[_Part]] = []
        for host in dict.fromkeys(str(rule["hostname"]) for rule in rules if rule.get("hostname")):
            if host in self.hosts:
                continue
            try:
                parts = self._parts(Host.parse(host), rules, tunnel)
            except (_NotUnderstoodError, MalformedError) as why:
                self.found.notes.append(f"{host}: {why}")
                continue
            # A host that is one service as a whole may be one more name of another such.
            alike = next((s for s in whole if len(parts) == 1 and s[0].joins(parts[0])), None)
            if alike:
                alike += parts
            else:
                services += [[part] for part in parts]
                whole += services[-1:] if len(parts) == 1 else []
        for hosts in services:
            key, entry = self._entry(hosts)
            self.found.services[key] = entry

    def _parts(self, host: Host, rules: list[Mapping[str, Any]], tunnel: Thing) -> list[_Part]:
        """The services at a host: one for each origin, and the paths of each that others may ask for."""
        if self.estate.zone_of(host) is None:
            raise _NotUnderstoodError(f"it is outside the zones {', '.join(z.name for z in self.estate.zones)}")
        target = tunnel.own_id + TUNNEL_SUFFIX
        if not any(str(r.inputs.get("content", "")).lower() == target for r in records_at(self.things, host)):
            raise _NotUnderstoodError(
                "no DNS record leads to the tunnel, so nobody reaches it; Gatehouse would make one"
            )
        ways: dict[Path, dict[str, Any] | None] = {}
        solver = ""
        for number, rule in enumerate(rules):
            if rule.get("hostname") != host:
                continue
            plain = _path(rule)
            if plain is None:
                raise _NotUnderstoodError(f"its path {rule.get('path')} is an expression, which has no word here")
            path = Path.parse(plain)
            if any(_takes(earlier, host, path) for earlier in rules[:number]):
                continue
            if _ACME in path:
                solver = str(rule.get("service", ""))
            else:
                ways[path] = self._way(rule)
        if not ways:
            raise _NotUnderstoodError("an earlier rule of the list takes all of its requests")
        audiences = self._audiences(host)
        parts: list[_Part] = []
        behind = [way for way in ways.values() if way is not None]
        if ROOT in ways and ways[ROOT] is None and behind and all(way == behind[0] for way in behind):
            parts.append(_Part(host, ROOT, behind[0], NOBODY, self._title(host), bool(solver)))
        for path in sorted({*ways, *audiences}, key=len):
            way = _nearest(ways, path)
            audience = NOBODY if way is None else _nearest(audiences, path) or ANYONE
            above = next((part for part in reversed(parts) if part.path.covers(path)), None)
            if above and way in (None, above.way):
                if audience != above.audience_at(path):
                    above.paths[path] = audience
            elif way is not None:
                title = self._title(f"{host}{path.suffix}")
                parts.append(_Part(host, path, way, audience, title, bool(solver) and not parts))
        if solver:
            self._solver(solver)
        return parts

    def _title(self, place: str) -> str | None:
        """What the Access application for just that is called."""
        application = self.applications.get(place)
        if application is None:
            return None
        return "".join(c for c in application.label if c.isprintable())[:100] or places(application)[0]

    def _audiences(self, host: Host) -> dict[Path, Audience]:
        """Whom Access lets in at a host, by path; where it says nothing, anyone gets by. An exact host wins."""
        wildcard = f"*.{host.partition('.')[2]}"
        exact: dict[Path, Audience] = {}
        wide: dict[Path, Audience] = {}
        for place, application in self.applications.items():
            pattern, slash, rest = place.partition("/")
            odd = "*" in pattern.removeprefix("*.")
            # Access's `*` is one label in front, or stands within a label, or for any part of a path.
            if pattern not in (host, wildcard) and not (odd and fnmatchcase(host, pattern)):
                continue
            if odd or "*" in rest:
                raise _NotUnderstoodError(f"an Access application for {place}: a `*` within has no word here")
            if _ACME not in rest:
                found = exact if pattern == host else wide
                found[Path.parse(slash + rest) if rest else ROOT] = self._audience(host, application)
        return exact if ROOT in exact else {**wide, **exact}

    def _way(self, rule: Mapping[str, Any]) -> dict[str, Any] | None:
        """Origin and settings of a rule, as the stack file has them; None where it answers by itself."""
        service = str(rule.get("service", ""))
        if service.startswith("http_status:"):
            return None
        return {"origin": self._origin(service), "traffic": "html", **self._request(rule.get("originRequest") or {})}

    def _entry(self, parts: list[_Part]) -> tuple[str, dict[str, Any]]:
        """The service at one host, or at several."""
        part, hosts = parts[0], [part.host for part in parts]
        key = self._key(self._words(part.host, part.path))
        entry: dict[str, Any] = {"title": part.title} if part.title else {}
        if len(hosts) > 1:
            entry["hosts"] = list(map(str, hosts))
        elif hosts[0] != f"{key}-{self.name}.{self.zone}":
            entry["host"] = str(hosts[0])
        if not part.path.root:
            entry["path"] = str(part.path)
        entry |= part.way
        if part.audience == ANYONE:
            entry |= {"sensitivity": "low", "clients": "anyone"}
        elif part.audience == NOBODY:
            entry["clients"] = "nobody"
        elif part.audience.people != set(self.estate.default_people or ()):
            entry["people"] = _said(part.audience)
        if part.paths:
            entry["paths"] = {
                str(path): {"people": _said(audience)} if audience.people else {"clients": str(audience)}
                for path, audience in sorted(part.paths.items())
            }
        if part.own_certificate:
            entry["own_certificate"] = True
        return key, entry

    def _words(self, host: Host, path: Path = ROOT) -> str:
        """What a service is called after: its host without the zone, and its path."""
        zone = self.estate.zone_of(host)
        name = host.removesuffix(zone.name if zone else "").rstrip(".")
        words = "any" if name == "*" else name.removeprefix("*.") or ("" if path.root else host.partition(".")[0])
        return words if path.root else f"{words.removesuffix(f'-{self.name}')}-{path.slug}"

    def _origin(self, url: str) -> dict[str, Any]:
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        except ValueError:
            raise _NotUnderstoodError(f"its origin {url!r} is no URL") from None
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            raise _NotUnderstoodError(f"its origin {url!r} is not http or https")
        scheme = {} if parts.scheme == "http" else {"scheme": parts.scheme}
        labels = host.removesuffix(".cluster.local").split(".")
        namespaces = {t.id for t in self.things if t.type == "Namespace"}
        if (len(labels) == 3 and labels[2] == "svc") or (len(labels) == 2 and labels[1] in namespaces):
            return {"namespace": labels[1], "service": labels[0], "port": port, **scheme}
        if host == self.config.node.lan_ipv4:
            return {"on_node": True, "port": port, "scheme": parts.scheme}
        if "." not in host:
            raise _NotUnderstoodError(f"its origin {url!r} names a Service without its namespace")
        return {"url": f"{parts.scheme}://{parts.netloc}"}

    def _request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        given = {k: v for k, v in request.items() if v not in (None, False, "", [], {}, 0) and k != "access"}
        if "caPool" in given:
            raise _NotUnderstoodError(
                f"its certificate is the file {given['caPool']} of another connector: write the service with the PEM "
                "text as `origin_tls.ca_pool`"
            )
        strange = sorted(set(given) - set(_REQUEST))
        if strange:
            raise _NotUnderstoodError(f"the stack file has no word for its setting {', '.join(strange)}")
        sections: dict[str, Any] = {}
        for name, (section, key) in _REQUEST.items():
            if name in given:
                sections.setdefault(section, {})[key] = int(given[name]) if name == "connectTimeout" else given[name]
        return sections

    def _solver(self, service: str) -> None:
        if self.solver:
            return
        self.solver = True
        origin, controller = self._origin(service), self.config.node.ingress_controller
        place = (str(origin.get("namespace")), str(origin.get("service")))
        if place != (controller.namespace, controller.service) and (said := controller_at(*place)):
            self.found.node["ingress_controller"] = said
        self.found.services["acme-renewals"] = {
            "origin": origin,
            "traffic": "acme-http-01",
            "sensitivity": "low",
            "clients": "anyone",
        }

    def _audience(self, host: Host, application: Thing) -> Audience:
        """Whom an application lets in. A set of people that nobody has yet is added, named after the host."""
        policies = [self._whole(p) for p in application.inputs.get("policies") or ()]
        if policies and all(is_for_everyone(p, "bypass") for p in policies):
            return ANYONE
        if policies and all(p.get("decision") == "deny" for p in policies):
            return NOBODY
        allowed = [lets_in(p, self.things) for p in policies if p.get("decision") != "deny"]
        if not allowed or None in allowed or len(allowed) != len(policies):
            raise _NotUnderstoodError(
                "its Access policies are no plain list of e-mail addresses, and Gatehouse has no more"
            )
        emails = frozenset().union(*(a for a in allowed if a))
        sets = {
            name: frozenset(said.words)
            for name, said in self.estate.sets.items()
            if said.until is None and said.terms == Members().terms
        }
        sets |= {name: frozenset(given) for name, given in self.found.people.items()}
        usual = self.estate.default_people or []
        if usual and frozenset().union(*(sets.get(name, ()) for name in usual)) == emails:
            return people_of(usual)
        for name, given in sorted(sets.items()):
            if given == emails:
                return people_of([name])
        if not self.owns_estate:
            raise _NotUnderstoodError(
                "it lets in other people than any set of the estate's owner: add the set there first"
            )
        name = self._key(self._words(host), taken=sets)
        self.found.people[name] = sorted(emails)
        return people_of([name])

    def _whole(self, policy: Mapping[str, Any]) -> Mapping[str, Any]:
        """A policy of an application; where it is only referred to, the reusable one."""
        if policy.get("includes") or not policy.get("id"):
            return policy
        reusable = (t for t in self.things if t.type == "ZeroTrustAccessPolicy" and t.own_id == policy["id"])
        return next((t.inputs for t in reusable), policy)

    # --- the tailnet

    def ingress(self, ingress: Thing) -> None:
        machine = machine_of_ingress(ingress)
        if machine in self.machines:
            return
        try:
            entry = self._served(ingress)
        except (_NotUnderstoodError, MalformedError) as why:
            self.found.notes.append(f"Ingress {ingress.id}: {why}")
            return
        key = self._key(machine)
        if machine != f"{key}-{self.name}":
            entry = {"tailnet_name": machine, **entry}
        self.machines.add(machine)
        self.found.services[key] = entry

    def _served(self, ingress: Thing) -> dict[str, Any]:
        spec = ingress.inputs.get("spec") or {}
        annotations = (ingress.inputs.get("metadata") or {}).get("annotations") or {}
        group = annotations.get("tailscale.com/proxy-group")
        if group == PROXY_GROUP and not self.config.node.proxy_group:
            self.found.node["proxy_group"] = True
        elif group not in (None, "", PROXY_GROUP):
            raise _NotUnderstoodError(
                f"it is behind ProxyGroup {group}, and Gatehouse has one of its own (`node.proxy_group`): to go behind"
                " that one, it has to be deleted first"
            )
        paths = [p for rule in spec.get("rules") or () for p in (rule.get("http") or {}).get("paths") or ()]
        backends = [spec["defaultBackend"]] if spec.get("defaultBackend") else []
        backends += [p["backend"] for p in paths]
        whole = bool(spec.get("defaultBackend")) or any(p.get("path", "/") == "/" for p in paths)
        funnel = not group and str(annotations.get("tailscale.com/funnel", "")).lower() == "true"
        if not whole and not funnel:
            raise _NotUnderstoodError("it serves single paths on the tailnet, and a service there is served whole")
        services = [b.get("service") for b in backends if b.get("service")]
        if len(services) != len(backends) or any(s != services[0] for s in services) or not services:
            raise _NotUnderstoodError("it has no single Service behind it; one machine name is one Service here")
        namespace, port = ingress.id.split("/")[0], services[0].get("port") or {}
        number = port.get("number") or self._port(f"{namespace}/{services[0]['name']}", str(port.get("name")))
        origin = {"namespace": namespace, "service": services[0]["name"], "port": number}
        if number == 443 or port.get("name") == "https":
            # The operator speaks https to these [TS cmd/k8s-operator].
            origin["scheme"] = "https"
            if number != 443:
                origin["port_name"] = "https"
        ServiceOrigin.model_validate(origin)
        if funnel:
            entry = {"origin": origin, "traffic": "non-html", "bandwidth": "high", "sensitivity": "low"}
            if whole:
                return {**entry, "clients": "anyone"}
            opened = sorted(Path.parse(str(p["path"]).rstrip("/")) for p in paths)
            return {**entry, "clients": "nobody", "paths": {str(p): {"clients": "anyone"} for p in opened}}
        return {"origin": origin, "traffic": "html", "clients": "tailnet"}

    def _port(self, service: str, name: str) -> int:
        thing = next((t for t in self.things if t.type == "Service" and t.id == service), None)
        ports = (thing.inputs.get("spec") or {}).get("ports") or () if thing else ()
        for port in ports:
            if port.get("name") == name:
                return int(port["port"])
        raise _NotUnderstoodError(f"Service {service} has no port named {name}")

    # --- the node

    def node(self) -> None:
        namespaces = {t.id for t in self.things if t.type == "Namespace"}
        if self.config.node.connector.namespace in namespaces and not self._has_ours():
            self.found.node["connector"] = {"namespace": _CONNECTOR}
            self.found.notes.append(
                f"namespace {self.config.node.connector.namespace} is there already: Gatehouse's connectors go to"
                f" {_CONNECTOR}, beside yours, which keep the tunnel up meanwhile"
            )
        operator = any(
            t.type == "Deployment" and re.search(r"tailscale/(k8s-)?operator|k8s-operator", images_of(t))
            for t in self.things
        )
        if operator and self.config.node.tailscale_operator == "none":
            self.found.node["tailscale_operator"] = "existing"

    def _has_ours(self) -> bool:
        """Whether the connectors' namespace has Gatehouse's own connectors already."""
        place = self.config.node.connector.namespace
        return any(
            t.type == "Deployment"
            and t.id == f"{place}/cloudflared"
            and (t.inputs["metadata"].get("labels") or {}).get("app.kubernetes.io/instance") == "connector"
            for t in self.things
        )

    def _key(self, words: str, taken: Iterable[str] | None = None) -> str:
        """A key for a service (or a set of people): the name without the node's, told apart from others by a number."""
        words = words.removesuffix(f"-{self.name}") or "home"
        base = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:50] or "service"
        assert LABEL.fullmatch(base)
        used = set(taken) if taken is not None else {*self.config.services, *self.found.services}
        names = [base, *(f"{base}-{n}" for n in range(2, 100))]
        return next(name for name in names if name not in used)


_LITERAL = re.compile(
    r"\^?((?:[\w/~@-]|\\.|\.(?![*+?])|\+(?=\w))*)(?:\(/\|\$\)|\(/\.\*\)\?\$?|(?:\.?\*)?\$?)", re.ASCII
)


def _path(rule: Mapping[str, Any]) -> Path | None:
    """The path that a rule is for: `^/api(/|$)` and `/api/.*` both give `/api`; None where it is no plain one."""
    found = _LITERAL.fullmatch(str(rule.get("path") or ""))
    return Path(re.sub(r"\\(.)", r"\1", found[1]).rstrip("/") or "/") if found else None


def _takes(rule: Mapping[str, Any], host: Host, path: Path) -> bool:
    """Whether an earlier rule takes all requests for a path of a host: cloudflared goes by the first that matches."""
    over, at = str(rule.get("hostname") or ""), _path(rule)
    return (not over or Host(over).covers(host)) and at is not None and at.covers(path)


def _said(audience: Audience) -> str | list[str]:
    """Sets of people as the stack file has them."""
    names = sorted(audience.people)
    return names[0] if len(names) == 1 else names
