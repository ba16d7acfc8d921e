"""Whole estates for property tests: an owner and up to two members, each a stack file without findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from config.loader import LoadedStack, parse_stack_text, tie, type_stack
from exposure.model import ExposurePlan
from exposure.plan import plan_stack
from tests.kit.builders import stack_text

ZONE = "example.com"
TAILNET = "tail.ts.net"
EMAILS = tuple(f"{name}@example.com" for name in ("ada", "ben", "cleo", "dan", "eve"))
NODES = ("alfred", "octavo", "quarto")
_KEYS = (
    "alpha",
    "bravo",
    "charlie",
    "delta",
    "echo",
    "foxtrot",
    "golf",
    "hotel",
    "india",
    "juliett",
    "k9-dogs",
    "web-app",
)
_PATHS = ("/api", "/api/v1", "/auth", "/hooks/git.push", "/a+b", "/public", "/.well-known/openid-configuration")
_WHY = "a reason that is long enough"


@dataclass(frozen=True)
class Estate:
    """Stack files as plain values by stack name, the owner's first. `sections` hold everything but the services."""

    sections: Mapping[str, Mapping[str, Any]]
    services: Mapping[str, Mapping[str, Any]]

    @property
    def owner(self) -> str:
        """The stack that owns the estate."""
        return next(iter(self.sections))

    def text(self, stack: str, order: list[str] | None = None) -> str:
        """A stack file, its services in the order given."""
        services = self.services[stack]
        return stack_text({key: services[key] for key in order or services}, **self.sections[stack])

    def loaded(self, orders: Mapping[str, list[str]] | None = None) -> dict[str, LoadedStack]:
        """The stacks, typed and tied."""
        orders = orders or {}
        return tie([type_stack(parse_stack_text(self.text(s, orders.get(s)), s)) for s in self.sections])

    def plans(self, orders: Mapping[str, list[str]] | None = None) -> dict[str, ExposurePlan]:
        """Every stack's plan."""
        stacks = self.loaded(orders)
        return {name: plan_stack(stack, stacks) for name, stack in stacks.items()}


def estates(*, most_members: int = 2, most_services: int = 6) -> st.SearchStrategy[Estate]:
    """Estates of one to three nodes with services of every gate and their options; `gatehouse check` finds nothing."""
    return _estates(most_members, most_services)


@st.composite
def _estates(draw: st.DrawFn, most_members: int, most_services: int) -> Estate:
    members = draw(st.integers(0, most_members))
    with_tailnet = draw(st.sampled_from([True, True, True, False]))
    people = draw(
        st.dictionaries(
            st.sampled_from(["household", "admins", "friends"]),
            st.lists(st.sampled_from(EMAILS), min_size=1, max_size=4, unique=True),
            min_size=1,
            max_size=3,
        )
    )
    estate: dict[str, Any] = {
        "account_id": "0" * 32,
        "team": "team",
        "zone": {"name": ZONE, "always_use_https": draw(st.booleans()), "dnssec": draw(st.booleans())},
        "google": {"client_id": "1-a.apps.googleusercontent.com"},
        "people": people,
        "default_people": draw(st.sampled_from(sorted(people))),
    }
    if with_tailnet:
        estate["tailnet"] = {"name": TAILNET}
    sections: dict[str, Mapping[str, Any]] = {}
    services: dict[str, Mapping[str, Any]] = {}
    ports = iter(range(20000, 30000))
    node_ports = iter(range(30000, 32767))
    for index, node in enumerate(NODES[: members + 1]):
        own = {"estate": estate} if index == 0 else {"member_of": f"organization/gatehouse/{NODES[0]}"}
        sections[node] = {
            "node": {
                "name": node,
                "router_ipv4": "203.0.113.7",
                "lan_ipv4": f"192.168.0.{10 + index}",
                "context": node,
                "tailscale_operator": "existing",
                "public_record": draw(st.booleans()),
            },
            **own,
        }
        keys = draw(st.lists(st.sampled_from(_KEYS), max_size=most_services, unique=True))
        found: dict[str, Any] = {}
        needs_acme = False
        for key in keys:
            service = draw(_service(key, node, sorted(people), with_tailnet))
            for forwarded in service.get("port_forward", ()):
                forwarded["external_port"] = next(ports)
                forwarded["node_port"] = next(node_ports)
            needs_acme = needs_acme or "own_certificate" in service
            found[key] = service
        if needs_acme:
            found["acme-renewals"] = {
                "origin": {"namespace": "kube-system", "service": "traefik", "port": 80},
                "traffic": "acme-http-01",
                "sensitivity": "low",
                "clients": "anyone",
            }
        services[node] = _node_ports_once(found)
        if any(_may_share(service) for service in found.values()):
            sections[node] = {**sections[node], "node": {**sections[node]["node"], "proxy_group": draw(st.booleans())}}
    return Estate(sections, services)


def _may_share(service: Mapping[str, Any]) -> bool:
    """Whether it is on the tailnet, and not by a proxy of its own in any case."""
    origin = service["origin"]
    served = origin.get("scheme", "http") in ("http", "https") or "selector" in origin
    return "namespace" in origin and service.get("clients") == "tailnet" and served


def _node_ports_once(services: dict[str, Any]) -> dict[str, Any]:
    """Only one service for each port of the node itself."""
    seen: set[tuple[str, int]] = set()
    kept = {}
    for key, service in services.items():
        origin = service["origin"]
        if origin.get("on_node"):
            port = (origin.get("scheme", "tcp"), origin["port"])
            if port in seen:
                continue
            seen.add(port)
        kept[key] = service
    return kept


@st.composite
def _service(draw: st.DrawFn, key: str, node: str, sets: list[str], tailnet: bool) -> dict[str, Any]:
    kinds = ["private", "private", "open", "game", "nobody"]
    if tailnet:
        kinds += ["media", "media-private", "sensitive-media", "tailnet-html", "node-port", "tailnet-tcp"]
        kinds += ["two-ways", "funnel-paths"]
    kind = draw(st.sampled_from(kinds))
    # The operator's proxies speak https to port 443, and this is plain http.
    port = draw(st.integers(1, 65535).filter(lambda p: p != 443))
    origin: dict[str, Any] = {"namespace": key, "service": f"{key}-svc", "port": port}
    service: dict[str, Any] = {"origin": origin, "traffic": "html"}
    named = ("private", "media-private", "tailnet-html", "node-port", "tailnet-tcp", "two-ways")
    if kind in named and draw(st.booleans()):
        service["people"] = draw(st.sampled_from([*sets, sets]))
    if kind in ("private", "open"):
        if draw(st.booleans()):
            service["host"] = f"{key}-at-{node}.{ZONE}"
        elif draw(st.booleans()):
            service["hosts"] = [f"{key}.{ZONE}", f"{key}-too.{ZONE}"] if node == NODES[0] else [f"{key}-{node}2.{ZONE}"]
        if draw(st.integers(0, 3)) == 0:
            service["origin"] = {"url": f"http://{key}.{node}.home.arpa:8080"}
        elif draw(st.integers(0, 3)) == 0:
            origin |= {"scheme": "https", "through_ingress": "managed"}
            service["own_certificate"] = True
    if kind == "private":
        if draw(st.booleans()):
            service["sensitivity"] = "low"
        service |= draw(_paths(sets, "people"))
    elif kind == "open":
        service |= {"sensitivity": "low", "clients": "anyone"} | draw(_paths(sets, "anyone"))
    elif kind == "nobody":
        service |= {"sensitivity": "low", "clients": "nobody", "acknowledge": {"access-path-bypass": _WHY}}
        service["paths"] = {draw(st.sampled_from(_PATHS)): {"clients": "anyone"}}
    elif kind == "two-ways":
        service |= {"gates": ["zero-trust", "tailnet"]}
    elif kind == "funnel-paths":
        service |= {"gate": "funnel", "traffic": "non-html", "sensitivity": "low", "clients": "nobody"}
        service["paths"] = {p: {"clients": "anyone"} for p in draw(st.sampled_from([_PATHS[:1], _PATHS[3:5]]))}
    elif kind == "media":
        service |= {"traffic": "non-html", "bandwidth": "high", "sensitivity": "low", "clients": "anyone"}
    elif kind == "sensitive-media":
        service |= {"traffic": "non-html", "clients": "anyone", "acknowledge": {"sensitive-on-funnel": _WHY}}
    elif kind == "media-private":
        service |= {"traffic": "non-html", "bandwidth": "high"}
    elif kind == "tailnet-html":
        service |= {"clients": "tailnet"}
    elif kind == "node-port":
        service |= {
            "origin": {"on_node": True, "port": draw(st.sampled_from([22, 22, 873, 8123]))},
            "traffic": "non-html",
            "clients": "tailnet",
        }
    elif kind == "tailnet-tcp":
        origin["scheme"] = draw(st.sampled_from(["tcp", "udp"]))
        if draw(st.booleans()):
            origin |= {"selector": {"app": key}, "target_port": draw(st.sampled_from([22, "ssh"]))}
        if draw(st.booleans()):
            other = {"tcp": "udp", "udp": "tcp"}[origin["scheme"]]
            origin["other_ports"] = [{"port": origin["port"], "protocol": other}]
        service |= {"traffic": "non-html", "clients": "tailnet"}
    elif kind == "game":
        origin |= {"scheme": "tcp", "selector": {"app": key}}
        ports = draw(st.lists(st.integers(1, 65535), min_size=1, max_size=2, unique=True))
        service |= {
            "traffic": "non-html",
            "sensitivity": "low",
            "clients": "anyone",
            "port_forward": [
                {
                    "external_port": 1,
                    "protocol": draw(st.sampled_from(["tcp", "udp"])),
                    "service_port": p,
                    "node_port": 1,
                }
                for p in ports
            ],
        }
    return service


@st.composite
def _paths(draw: st.DrawFn, sets: list[str], whole: str) -> dict[str, Any]:
    """`paths:` of a service whose own clients are `whole`, with the acknowledgement that they need."""
    paths: dict[str, Any] = {}
    for path in draw(st.lists(st.sampled_from(_PATHS), max_size=3, unique=True)):
        paths[path] = {"clients": draw(st.sampled_from(["anyone", "anyone", "people", "nobody"]))}
        if paths[path]["clients"] == "people" and draw(st.booleans()):
            paths[path]["people"] = draw(st.sampled_from(sets))
    if not paths:
        return {}

    def above(path: str) -> str:
        nearest = max((p for p in paths if path.startswith(f"{p}/")), key=len, default=None)
        return str(paths[nearest]["clients"]) if nearest else whole

    past = any(said["clients"] == "anyone" and above(p) != "anyone" for p, said in paths.items())
    return {"paths": paths, **({"acknowledge": {"access-path-bypass": _WHY}} if past else {})}
