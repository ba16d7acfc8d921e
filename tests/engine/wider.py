"""Nothing wider than before and after: which workload each one reaches by each request, after each recorded call.

Read off the clouds' objects alone, by what the platforms say of themselves: the record of a name, the most specific
Access application, the tunnel's first rule with its JWT check, the Ingress behind a controller; the tailnet's grants
and what the cluster exposes there; the node's ports. Nothing of the product's evaluator is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from posixpath import normpath
from urllib.parse import urlsplit

from tests.engine.kit import Object, Project, short
from tests.kit.cloudflared import first_match

Objects = Mapping[str, Object]
STRANGER = "a stranger"
MEMBER = "a member of the tailnet who is in no set"
_CONTROLLERS = ("traefik", "ingress-nginx-controller")
_EVERYTHING = '{"grants": [{"src": ["*"], "dst": ["*"], "ip": ["*"]}]}'
"""The policy of a new tailnet [tailscale.com/kb/1192]."""


@dataclass(frozen=True, order=True)
class Request:
    """What somebody asks for: `by` the internet, the tailnet, or a port that the router leads to the node."""

    by: str
    host: str
    protocol: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        return f"{self.protocol}://{self.host}:{self.port}{self.path} by the {self.by}"


@dataclass(frozen=True)
class _Exposed:
    """A machine of the tailnet that a cluster makes: its tag, and what answers at a port and below a path."""

    machine: str
    tag: str
    funnel: bool
    answers: tuple[tuple[str, int, str, str], ...]


class View:
    """One state of the clouds."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.records = [b for _, b in self._bodies("cloudflare/dns/")]
        self._apps = [b for _, b in self._bodies("cloudflare/access-app/")]
        self._policies = {key.rsplit("/", 1)[-1]: b for key, b in self._bodies("cloudflare/access-policy/")}
        self._groups = {key.rsplit("/", 1)[-1]: b for key, b in self._bodies("cloudflare/access-group/")}
        tokens = self._bodies("cloudflare/service-token/")
        self._tokens = {key.rsplit("/", 1)[-1]: f"token:{b['name'].removeprefix('Gatehouse ')}" for key, b in tokens}
        self._methods = {key.rsplit("/", 1)[-1]: b for key, b in self._bodies("cloudflare/idp/")}
        self._tunnels = {key.rsplit("/", 1)[-1]: b["name"] for key, b in self._bodies("cloudflare/tunnel/")}
        self._rules: dict[str, Sequence[Object]] = {
            key.rsplit("/", 1)[-1]: b["config"]["ingresses"] for key, b in self._bodies("cloudflare/tunnel-config/")
        }
        policy = json.loads(
            objects["tailscale/policy"]["body"]["acl"] if "tailscale/policy" in objects else _EVERYTHING
        )
        self._grants: list[Object] = policy["grants"]
        self._sets: dict[str, list[str]] = policy.get("groups", {})
        self._owned: list[str] = list(policy.get("tagOwners", {}))
        self._funnels = {tag for one in policy.get("nodeAttrs", ()) if "funnel" in one["attr"] for tag in one["target"]}
        self._held: dict[str, set[str]] = {}

    def _bodies(self, prefix: str) -> Iterator[tuple[str, Object]]:
        return ((key, item["body"]) for key, item in self._objects.items() if key.startswith(prefix))

    # -- what there is to ask for, and who asks -------------------------------------------------------------

    def people(self) -> set[str]:
        """Everybody who is named anywhere, service tokens among them (`token:phone`), somebody of each domain, each
        person by each login and from each country, and a stranger from each range of addresses."""
        includes = [i for group in self._groups.values() for i in group["includes"]]
        named = {i["email"]["email"] for i in includes if i.get("email")}
        named |= {f"any@{i['emailDomain']['domain']}" for i in includes if i.get("emailDomain")}
        named |= {email for emails in self._sets.values() for email in emails}
        countries = {i["geo"]["countryCode"] for i in includes if i.get("geo")}
        logins = {i["type"] for i in self._methods.values()} - {"google"}
        people = {
            " ".join((who, *by, *place))
            for who in named
            for by in ((), *((f"by {login}",) for login in sorted(logins)))
            for place in ((), *((f"from {country}",) for country in sorted(countries)))
        }
        places = {i["ip"]["ip"] for i in includes if i.get("ip")}
        return people | set(self._tokens.values()) | {f"{STRANGER} from {ip}" for ip in places}

    def hosts(self) -> set[str]:
        """Every public name, and for a wildcard one name below it and one deeper."""
        found = {r["name"] for r in self.records} | {place.partition("/")[0] for place, _ in self._places}
        found |= {rule["hostname"] for rules in self._rules.values() for rule in rules if rule.get("hostname")}
        below = {f"{more}.{name[2:]}" for name in found if name.startswith("*.") for more in ("any", "deep.any")}
        return {name for name in found if not name.startswith("*.")} | below

    def paths(self) -> set[str]:
        """Every path that anything says something of."""
        found = {f"/{place.partition('/')[2]}" for place, _ in self._places}
        for rules in self._rules.values():
            for rule in rules:
                plain = rule.get("path", "^/").removeprefix("^").removesuffix("(/|$)")
                if not re.search(r"(?<!\\)[()*?[]", plain):
                    found.add(re.sub(r"\\(.)", r"\1", plain).rstrip("/") or "/")
        return found | {path for e in self.exposed for *_, path, _ in e.answers}

    def machines(self) -> dict[str, set[tuple[str, int]]]:
        """The machines of the tailnet with the ports that anything says something of."""
        found = {node: {("tcp", 22), ("tcp", 443)} for node in self._nodes}
        for one in self.exposed:
            found.setdefault(one.machine, {("tcp", 443)}).update((protocol, port) for protocol, port, *_ in one.answers)
        granted = {
            (protocol, int(port))
            for grant in self._grants
            for ip in grant["ip"]
            if ip not in ("*", "icmp:*")
            for protocol, _, port in [ip.partition(":")]
        }
        return {machine: ports | granted for machine, ports in found.items()}

    def node_ports(self) -> set[tuple[str, int]]:
        """The ports that are open on the node."""
        return {(protocol, port) for protocol, port, _ in self._node_ports}

    # -- who reaches what -----------------------------------------------------------------------------------

    def reached(self, who: str, request: Request) -> set[str]:
        """The workloads that somebody reaches by a request: none, or as many as may answer."""
        if request.by == "internet":
            return self._web(who, request.host, request.path) | self._funnel(request)
        if request.by == "tailnet":
            return self._tailnet(who, request)
        led = any(r["name"] == request.host and r["type"] == "A" and not r.get("proxied") for r in self.records)
        asked = (request.protocol, request.port)
        return {workload for *port, workload in self._node_ports if led and tuple(port) == asked}

    def _web(self, who: str, host: str, path: str) -> set[str]:
        record = self._record(host)
        tunnel = record["content"].removesuffix(".cfargotunnel.com") if record and record["type"] == "CNAME" else ""
        if tunnel not in self._rules or not record or not record.get("proxied"):
            return set()
        rule = self._rules[tunnel][first_match(self._rules[tunnel], host, path)]
        if rule["service"].startswith("http_status:"):
            return set()
        # Dot segments are taken out of what Access sees, and of nothing else [CFDOC rules/normalization].
        shown = self._edge(who, host, normpath(path))
        if shown is None:
            return set()
        access = rule.get("originRequest", {}).get("access", {})
        if access.get("required"):
            accepted = shown & set(access["audTags"]) if access.get("audTags") else shown
            if not accepted:
                return set()
        return self._behind(self._tunnels.get(tunnel, tunnel), host, rule["service"])

    def _record(self, host: str) -> Object | None:
        """The name's own record, else the nearest wildcard's: a name that is there ends it for what is below it too."""
        names = self._named
        if host in names:
            return names[host]
        above = host
        while above:
            above = above.partition(".")[2]
            if f"*.{above}" in names:
                return names[f"*.{above}"]
            if above in names or any(name.endswith(f".{above}") for name in names):
                return None
        return None

    @cached_property
    def _named(self) -> dict[str, Object]:
        return {record["name"]: record for record in self.records}

    @cached_property
    def _places(self) -> list[tuple[str, Object]]:
        return [(d["uri"], app) for app in self._apps for d in app["destinations"]]

    def _edge(self, who: str, host: str, path: str) -> set[str] | None:
        """The AUDs of the JWTs that one can show behind the edge; None for one who does not get past it."""
        found: dict[tuple[bool, int], list[Object]] = {}
        for place, app in self._places:
            name, _, below = place.partition("/")
            # Access's `*` is a single label.
            if name in (host, f"*.{host.partition('.')[2]}") and _covers(f"/{below}", path):
                found.setdefault((name == host, len(below)), []).append(app)
        if not found:
            return self._logins(who)
        shown: set[str] | None = None
        for app in found[max(found)]:
            if self._decides(app, "bypass", who):
                # Nobody knows that the edge takes away a JWT which is sent by hand where it asks for none.
                shown = (shown or set()) | self._logins(who)
            elif self._passes(app, who):
                shown = (shown or set()) | {app["aud"]}
        return shown

    def _logins(self, who: str) -> set[str]:
        if who not in self._held:
            self._held[who] = {app["aud"] for app in self._apps if self._passes(app, who)}
        return self._held[who]

    def _passes(self, app: Object, who: str) -> bool:
        """Whether somebody gets a JWT: a person who logs in, or a token."""
        return self._decides(app, "allow", who) or self._decides(app, "non_identity", who)

    def _decides(self, app: Object, decision: str, who: str) -> bool:
        attached = [self._policies.get(entry["id"]) for entry in app["policies"]]
        if decision == "allow":
            by = who.partition(" by ")[2].partition(" ")[0] or "google"
            # No login named is every one of the account.
            if app.get("allowedIdps") and by not in {self._methods[i]["type"] for i in app["allowedIdps"]}:
                return False
        return any(
            p
            and p["decision"] == decision
            and self._includes(p["includes"], who)
            and all(self._includes([one], who) for one in p.get("requires") or ())
            for p in attached
        )

    def _includes(self, includes: Iterable[Object], who: str) -> bool:
        address, country = who.partition(" ")[0], who.partition(" from ")[2]
        for one in includes:
            if "everyone" in one or one.get("email", {}).get("email") == address:
                return True
            if "emailDomain" in one and address.endswith(f"@{one['emailDomain']['domain']}"):
                return True
            if country and country in (one.get("geo", {}).get("countryCode"), one.get("ip", {}).get("ip")):
                return True
            if "serviceToken" in one and self._tokens.get(one["serviceToken"]["tokenId"]) == who:
                return True
            if "group" in one and self._includes(self._groups.get(one["group"]["id"], {}).get("includes", ()), who):
                return True
        return False

    def _behind(self, cluster: str, host: str, origin: str) -> set[str]:
        """What answers at an origin; a controller leads on by the host."""
        url = urlsplit(origin)
        name, _, rest = (url.hostname or "").partition(".")
        if not rest.endswith(".svc.cluster.local"):
            return {origin}
        port = url.port or (443 if url.scheme == "https" else 80)
        if name in _CONTROLLERS and port == 443:
            led = {
                f"{cluster} {namespace}/{_backend(p['backend'])}"
                for namespace, spec in self._ingresses(cluster)
                for rule in spec.get("rules", ())
                if spec.get("ingressClassName") != "tailscale" and rule.get("host") == host
                for p in rule["http"]["paths"]
            }
            return led or {f"{cluster} {name}"}
        return {f"{cluster} {rest.partition('.')[0]}/{name}:{port}"}

    def _ingresses(self, cluster: str) -> Iterator[tuple[str, Object]]:
        kind = f"kubernetes/{cluster}/networking.k8s.io/v1/Ingress/"
        return ((key.removeprefix(kind).partition("/")[0], b["spec"]) for key, b in self._bodies(kind))

    @cached_property
    def _nodes(self) -> list[str]:
        return [tag.removeprefix("tag:gatehouse-") for tag in self._owned if tag.startswith("tag:gatehouse-")]

    @cached_property
    def exposed(self) -> list[_Exposed]:
        """What the operators of all clusters put on the tailnet [TS cmd/k8s-operator]."""
        found = []
        for key, body in self._bodies("kubernetes/"):
            # A release of a chart has none.
            metadata = body.get("metadata") or {}
            marks = metadata.get("annotations") or {}
            cluster, spec = key.split("/")[1], body.get("spec") or {}
            here = f"{cluster} {metadata.get('namespace')}"
            tag = marks.get("tailscale.com/tags", "tag:k8s")
            if "/Ingress/" in key and spec.get("ingressClassName") == "tailscale":
                served = [
                    ("tcp", 443, p["path"], f"{here}/{_backend(p['backend'])}")
                    for rule in spec.get("rules", ())
                    for p in rule["http"]["paths"]
                ]
                if "defaultBackend" in spec:
                    served.append(("tcp", 443, "/", f"{here}/{_backend(spec['defaultBackend'])}"))
                funnel = marks.get("tailscale.com/funnel") == "true" and tag in self._funnels
                found.append(_Exposed(spec["tls"][0]["hosts"][0], tag, funnel, tuple(served)))
            elif "/v1/Service/" in key and (
                spec.get("loadBalancerClass") == "tailscale" or marks.get("tailscale.com/expose") == "true"
            ):
                ports = tuple(_ports(here, body, "port"))
                found.append(_Exposed(marks["tailscale.com/hostname"], tag, False, ports))
        return found

    def _funnel(self, request: Request) -> set[str]:
        return {w for e in self.exposed if e.funnel and e.machine == request.host for w in _answer(e, request)}

    def _tailnet(self, who: str, request: Request) -> set[str]:
        found = {f"{node} itself:{request.port}/{request.protocol}" for node in self._nodes if node == request.host}
        if found and not self._granted(who, f"tag:gatehouse-{request.host}", request):
            found = set()
        for one in self.exposed:
            if one.machine == request.host and self._granted(who, one.tag, request):
                found |= _answer(one, request)
        return found

    def _granted(self, who: str, tag: str, request: Request) -> bool:
        address = who.partition(" ")[0] if "@" in who else who
        mine = {"*", "autogroup:member", address, *(n for n, emails in self._sets.items() if address in emails)}
        ips = {"*", f"{request.protocol}:{request.port}", f"{request.protocol}:*", str(request.port)}
        return not who.startswith((STRANGER, "token:")) and any(
            mine & set(g["src"]) and {"*", tag} & set(g["dst"]) and ips & set(g["ip"]) for g in self._grants
        )

    @cached_property
    def _node_ports(self) -> list[tuple[str, int, str]]:
        return [
            (protocol, port, workload)
            for key, body in self._bodies("kubernetes/")
            if "/v1/Service/" in key and (body.get("spec") or {}).get("type") == "NodePort"
            for protocol, port, _, workload in _ports(
                f"{key.split('/')[1]} {body['metadata'].get('namespace')}", body, "nodePort"
            )
        ]


def _covers(path: str, asked: str) -> bool:
    return path == "/" or asked == path or asked.startswith(f"{path}/")


def _backend(backend: Object) -> str:
    return f"{backend['service']['name']}:{backend['service']['port']['number']}"


def _ports(here: str, body: Object, which: str) -> Iterator[tuple[str, int, str, str]]:
    """A Service's ports: by the pods' labels and port where it has labels."""
    spec, name = body.get("spec") or {}, body["metadata"]["name"]
    pods = ",".join(f"{k}={v}" for k, v in sorted((spec.get("selector") or {}).items()))
    for port in spec.get("ports") or ():
        target = f"{{{pods}}}:{port.get('targetPort', port['port'])}" if pods else f"{name}:{port['port']}"
        protocol = port.get("protocol", "TCP").lower()
        yield protocol, port[which], "/", f"{here}/{target}/{protocol}"


def _answer(exposed: _Exposed, request: Request) -> set[str]:
    """What answers: of several paths the longest."""
    fitting = [
        (len(path), workload)
        for protocol, port, path, workload in exposed.answers
        if (protocol, port) == (request.protocol, request.port) and _covers(path, request.path or "/")
    ]
    longest = max((length for length, _ in fitting), default=0)
    return {workload for length, workload in fitting if length == longest}


def requests(views: Iterable[View]) -> set[Request]:
    """All that is worth asking in any of these states: every name with every path, what is beside them and what is read
    in two ways, every port."""
    views = list(views)
    paths = {path for view in views for path in view.paths()}
    below = paths - {"/"}
    paths |= {p for path in below for p in (f"{path}/x", f"{path}x", f"/x{path}")} | {"/", "/other"}
    paths |= {f"{path}/..{other}" for path in below for other in below - {path}}
    found = set()
    hosts = {host for view in views for host in view.hosts()}
    machines = {machine for view in views for machine in view.machines()}
    found |= {Request("internet", host, "tcp", 443, path) for host in hosts | machines for path in paths}
    for view in views:
        for machine, ports in view.machines().items():
            for protocol, port in ports:
                asked = paths if port == 443 else {""}
                found |= {Request("tailnet", machine, protocol, port, path) for path in asked}
        found |= {Request("router", host, *port) for host in hosts for port in view.node_ports()}
    return found


def reach(view: View, asked: Iterable[Request], whom: Iterable[str]) -> dict[tuple[str, Request], set[str]]:
    """Who reaches what in one state; what reaches nothing is not in it."""
    whom = list(whom)
    found = {(who, request): view.reached(who, request) for request in asked for who in whom}
    return {one: workloads for one, workloads in found.items() if workloads}


def wider(project: Project, since: int = 0) -> list[str]:
    """What somebody reached after a call and neither before call `since` nor at the end; texts with the call."""
    history = project.history()
    before = View(history[since - 1][1] if since else {})
    states = [(call, View(objects)) for call, objects in history[since:] if call.get("changes")]
    if not states:
        return []
    views = [before, *(view for _, view in states)]
    asked = requests(views)
    whom = [STRANGER, MEMBER, *sorted({person for view in views for person in view.people()})]
    may = reach(before, asked, whom)
    for one, workloads in reach(states[-1][1], asked, whom).items():
        may[one] = may.get(one, set()) | workloads
    found = []
    for call, view in states:
        about = short(call["urn"]) if call["urn"] else "by hand"
        for (who, request), workloads in sorted(reach(view, asked, whom).items()):
            found += [
                f"after call {call['n']} ({call['method']} {about}): {who} reaches {workload} at {request}"
                for workload in sorted(workloads - may.get((who, request), set()))
            ]
    return found
