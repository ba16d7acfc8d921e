"""Service entries for what the accounts show: tunnel rules, Access applications, Ingresses of Tailscale's operator."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from config.fields import LABEL
from config.services import ServiceOrigin
from config.stack import Estate, StackConfig
from exposure.names import host_of, machine_of
from gatehouse.adopt.match import (
    TUNNEL_SUFFIX,
    lets_anyone_by,
    lets_in,
    prefix_of,
    rules_of,
)
from gatehouse.adopt.things import Thing, is_tailscale, machine_of_ingress, places, records_at

_CONNECTOR = "gatehouse-cloudflared"
_ACME = "acme-challenge"
_REQUEST_WORDS = frozenset(
    {
        "access",
        "noTlsVerify",
        "originServerName",
        "matchSnItoHost",
        "caPool",
        "httpHostHeader",
        "http2Origin",
        "connectTimeout",
    }
)


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


class _Reader:
    def __init__(self, things: list[Thing], config: StackConfig, estate: Estate, owns_estate: bool) -> None:
        self.things = things
        self.config = config
        self.estate = estate
        self.owns_estate = owns_estate
        self.name = config.node.name
        self.zone = estate.zone.name
        self.found = Recognised()
        self.hosts = {host_of(k, s, self.name, self.zone) for k, s in config.services.items()}
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
        for rule in rules:
            host = str(rule.get("hostname") or "")
            if not host or rule.get("path") or host in self.hosts:
                continue
            try:
                key, entry = self._tunnelled(host, rule, [r for r in rules if r.get("hostname") == host], tunnel)
            except _NotUnderstoodError as why:
                self.found.notes.append(f"{host}: {why}")
                continue
            self.hosts.add(host)
            self.found.services[key] = entry

    def _tunnelled(
        self, host: str, rule: Mapping[str, Any], rules: list[Mapping[str, Any]], tunnel: Thing
    ) -> tuple[str, dict[str, Any]]:
        if host != self.zone and not host.endswith(f".{self.zone}"):
            raise _NotUnderstoodError(f"it is outside the zone {self.zone}")
        if "*" in host:
            raise _NotUnderstoodError("a service has one host name, and this is a wildcard")
        target = tunnel.own_id + TUNNEL_SUFFIX
        if not any(str(r.inputs.get("content", "")).lower() == target for r in records_at(self.things, host)):
            raise _NotUnderstoodError(
                "no DNS record leads to the tunnel, so nobody reaches it; Gatehouse would make one"
            )
        origin = self._origin(str(rule.get("service", "")))
        entry: dict[str, Any] = {"origin": origin, "traffic": "html"}
        entry.update(self._request(rule.get("originRequest") or {}))
        exceptions, own_certificate = self._paths(host, rule, rules)
        application = self.applications.get(host)
        if application is None:
            if any(p.startswith(f"{host}/") for p in self.applications):
                raise _NotUnderstoodError("Access guards some of its paths and not the host")
            entry.update(sensitivity="low", clients="anyone")
        else:
            entry = {"title": _title(application), **entry}
            people = self._people(host, application)
            if people:
                entry["people"] = people
            if exceptions:
                entry["path_exceptions"] = exceptions
        if own_certificate:
            entry["own_certificate"] = True
        key = self._key(host.removesuffix(self.zone).rstrip("."))
        if host != f"{key}-{self.name}.{self.zone}":
            entry = {**({"title": entry.pop("title")} if "title" in entry else {}), "host": host, **entry}
        return key, entry

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
        given = {k: v for k, v in request.items() if v not in (None, False, "", [], {}, 0)}
        strange = sorted(set(given) - _REQUEST_WORDS)
        if strange:
            raise _NotUnderstoodError(f"the stack file has no word for its setting {', '.join(strange)}")
        tls = {
            "origin_server_name": given.get("originServerName"),
            "match_sni_to_host": given.get("matchSnItoHost"),
            "ca_pool": given.get("caPool"),
            "no_tls_verify": given.get("noTlsVerify"),
        }
        finer = {
            "connect_timeout_seconds": int(given["connectTimeout"]) if "connectTimeout" in given else None,
            "http_host_header": given.get("httpHostHeader"),
            "http2_origin": given.get("http2Origin"),
        }
        sections = {"origin_tls": tls, "origin_request": finer}
        return {
            name: {k: v for k, v in section.items() if v is not None}
            for name, section in sections.items()
            if any(v is not None for v in section.values())
        }

    def _paths(
        self, host: str, general: Mapping[str, Any], rules: Iterable[Mapping[str, Any]]
    ) -> tuple[list[str], bool]:
        """The path exceptions of a host, and whether it renews its own certificate."""
        open_paths = {
            place.removeprefix(host): application
            for place, application in self.applications.items()
            if place.startswith(f"{host}/")
        }
        own_certificate = False
        for path, application in open_paths.items():
            if not all(lets_anyone_by(self._whole(p)) for p in application.inputs.get("policies") or [{}]):
                raise _NotUnderstoodError(f"an Access application for {host}{path} is no plain bypass")
        for rule in rules:
            path = str(rule.get("path") or "")
            if not path:
                continue
            if _ACME in path:
                own_certificate = True
                self._solver(str(rule.get("service", "")))
            elif rule.get("service") != general.get("service"):
                raise _NotUnderstoodError(f"its path {path} goes to another origin ({rule.get('service')})")
            elif prefix_of(path) not in open_paths and self.applications.get(host) is not None:
                raise _NotUnderstoodError(f"a rule of its own for {path}, which no Access application lets by")
        return sorted(p for p in open_paths if _ACME not in p), own_certificate

    def _solver(self, service: str) -> None:
        if self.solver:
            return
        self.solver = True
        self.found.services["acme-renewals"] = {
            "origin": self._origin(service),
            "traffic": "acme-http-01",
            "sensitivity": "low",
            "clients": "anyone",
        }

    def _people(self, host: str, application: Thing) -> str | None:
        """The set of people that an application lets in; None for the default set."""
        policies = [self._whole(p) for p in application.inputs.get("policies") or ()]
        allowed = [lets_in(p, self.things) for p in policies if p.get("decision") != "deny"]
        if not allowed or None in allowed or len(allowed) != len(policies):
            raise _NotUnderstoodError(
                "its Access policies are no plain list of e-mail addresses, and Gatehouse has no more"
            )
        emails = frozenset().union(*(a for a in allowed if a))
        sets = {name: frozenset(e.lower() for e in given) for name, given in self.estate.people.items()}
        sets |= {name: frozenset(given) for name, given in self.found.people.items()}
        if self.estate.default_people and sets.get(self.estate.default_people) == emails:
            return None
        for name, given in sorted(sets.items()):
            if given == emails:
                return name
        if not self.owns_estate:
            raise _NotUnderstoodError(
                "it lets in other people than any set of the estate's owner: add the set there first"
            )
        name = self._key(host.removesuffix(self.zone).rstrip("."), taken=sets)
        self.found.people[name] = sorted(emails)
        return name

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
        except _NotUnderstoodError as why:
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
        if annotations.get("tailscale.com/proxy-group"):
            raise _NotUnderstoodError("it is served by a ProxyGroup, which Gatehouse has no word for")
        paths = [p for rule in spec.get("rules") or () for p in (rule.get("http") or {}).get("paths") or ()]
        backends = [spec["defaultBackend"]] if spec.get("defaultBackend") else []
        if any(p.get("path", "/") != "/" for p in paths):
            raise _NotUnderstoodError("it sends paths to several Services; one machine name is one Service here")
        backends += [p["backend"] for p in paths]
        services = [b.get("service") for b in backends if b.get("service")]
        if len(services) != len(backends) or any(s != services[0] for s in services) or not services:
            raise _NotUnderstoodError("it has no single Service behind it")
        namespace, port = ingress.id.split("/")[0], services[0].get("port") or {}
        number = port.get("number") or self._port(f"{namespace}/{services[0]['name']}", str(port.get("name")))
        origin = {"namespace": namespace, "service": services[0]["name"], "port": number}
        if number == 443 or port.get("name") == "https":
            # The operator speaks https to these [TS cmd/k8s-operator].
            origin["scheme"] = "https"
        ServiceOrigin.model_validate(origin)
        if str(annotations.get("tailscale.com/funnel", "")).lower() == "true":
            return {
                "origin": origin,
                "traffic": "non-html",
                "bandwidth": "high",
                "sensitivity": "low",
                "clients": "anyone",
            }
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
            t.type == "Deployment" and re.search(r"tailscale/(k8s-)?operator|k8s-operator", _images(t))
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


def _title(application: Thing) -> str:
    text = "".join(c for c in application.label if c.isprintable())[:100]
    return text or places(application)[0]


def _images(deployment: Thing) -> str:
    pod = ((deployment.inputs.get("spec") or {}).get("template") or {}).get("spec") or {}
    return " ".join(str(c.get("image", "")) for c in pod.get("containers") or ())
