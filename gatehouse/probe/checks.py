"""What to ask from outside: the list of checks that follows from a plan. Pure: no network, no clock, no chance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

from exposure.model import AccessApplication, ExposurePlan
from exposure.names import ACME_EXPRESSION, ACME_PATH

if TYPE_CHECKING:
    from gatehouse.probe.judge import Verdict

Expect: TypeAlias = Literal["page", "open", "login", "guarded", "https", "challenge", "unknown", "not-served"]
"""What an HTTP answer has to be: a page, an open path (no login, not refused), a redirect to the team's login, that or
a refusal by edge or tunnel, a redirect to https, the challenge solver's answer, a name nobody serves, and no service
on the router's own address."""

UNPLANNED_FUNNEL_PORTS = (8443, 10000)
"""Funnel's other ports; the operator serves 443 alone [TS cmd/k8s-operator]."""
_PORTS = {"http": 80, "https": 443, "ssh": 22}

FORGED_JWT = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImdhdGVob3VzZS1wcm9iZSJ9.eyJlbWFpbCI6ImFsaWNlQGV4YW1wbGUuY29tIn0.Z2F0ZWhvdXNlLXByb2Jl"
)
"""A token that nobody signed: {"alg": "RS256", "kid": "gatehouse-probe"}, {"email": "alice@example.com"}."""


@dataclass(frozen=True)
class HttpProbe:
    """One GET. `sni` is the name that is resolved, connected to and put into the TLS handshake.

    `host` is the Host header where it differs, `address` an address in place of the resolved one, `target` the
    request's path as it is sent, dots and all.
    """

    expect: Expect
    scheme: Literal["http", "https"]
    sni: str
    target: str = "/"
    host: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    address: str | None = None
    verify: bool = True
    """Whether the certificate is looked at; another check does where not."""

    @property
    def port(self) -> int:
        """80 or 443."""
        return _PORTS[self.scheme]

    @property
    def text(self) -> str:
        """For people."""
        at = f" at {self.address}" if self.address else f" with Host {self.host}" if self.host else ""
        sent = "".join(f" with {name}: {value[:20]}…" for name, value in self.headers)
        return f"{self.scheme}://{self.sni}{self.target}{at}{sent}"


@dataclass(frozen=True)
class NameProbe:
    """The addresses that public DNS gives for a name: `edge` (any but `not_these`), `exactly`, or `absent`."""

    expect: Literal["edge", "exactly", "absent"]
    name: str
    addresses: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """For people."""
        return self.name


@dataclass(frozen=True)
class ZoneProbe:
    """A zone's delegation: its name servers, the DS record, the chain of signatures, or that there is no DS record.

    `name_servers` and `ds` are the values that the stack put out, where known.
    """

    expect: Literal["name-servers", "ds", "chain", "no-ds"]
    zone: str
    name_servers: tuple[str, ...] = ()
    ds: str | None = None

    @property
    def text(self) -> str:
        """For people."""
        return self.zone


@dataclass(frozen=True)
class CertificateProbe:
    """A TLS handshake: a valid chain, and the name itself (no wildcard) in the certificate."""

    name: str
    port: int = 443

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.name}:{self.port}"


@dataclass(frozen=True)
class PortProbe:
    """A forwarded port: TCP has to connect; UDP is shown open by RakNet's ping alone."""

    name: str
    port: int
    protocol: Literal["tcp", "udp"]

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.protocol}://{self.name}:{self.port}"


@dataclass(frozen=True)
class ClosedProbe:
    """A port where nothing may answer: TCP that does not connect, or with `tls` no handshake either."""

    name: str
    port: int
    tls: bool = False

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.name}:{self.port}"


@dataclass(frozen=True)
class AccountProbe:
    """A look into the account: `ask` takes its time, and gives the verdict."""

    text: str
    ask: Callable[[], Verdict]


Probe: TypeAlias = HttpProbe | NameProbe | ZoneProbe | CertificateProbe | PortProbe | ClosedProbe | AccountProbe


@dataclass(frozen=True)
class Check:
    """One promise of the plan, how it is asked for, and what its breach means."""

    id: str
    """`<subject>/<what>`; the subject is a service's key, or the full name of zone or node."""
    gate: str
    promise: str
    probe: Probe
    means: str
    """What is so where the check fails."""
    mend: str
    """What to do then."""
    must_not: bool = False
    """Whether it asks for something that must not work."""

    @property
    def subject(self) -> str:
        """What the check is about."""
        return self.id.split("/", 1)[0]


def checks_of(
    plan: ExposurePlan,
    nonce: str = "0000",
    name_servers: Iterable[str] = (),
    ds: str | None = None,
) -> tuple[Check, ...]:
    """Every check that the plan of one stack gives, the estate's first, then service by service.

    `nonce` (letters and digits) makes names and paths that nobody has; `name_servers` and `ds` are the stack's outputs
    where they are known.
    """
    maker = _Maker(plan, nonce)
    found = [
        *maker.zone(tuple(n.rstrip(".").lower() for n in name_servers), ds),
        *maker.node(),
    ]
    for exposure in plan.exposures:
        found += maker.service(exposure.service)
    return tuple(found)


class _Maker:
    def __init__(self, plan: ExposurePlan, nonce: str) -> None:
        self.plan = plan
        self.nonce = nonce
        self.zone_name = plan.zone.name
        self.login = f"{plan.estate.team}.cloudflareaccess.com"
        self.router = next((r.target for r in plan.records if r.target), None)
        self.fronts = [r.host for r in plan.rules if r.host and r.path is None and not r.applications]
        self.fronts += [r.host for r in plan.rules if r.host and r.path is None and r.applications]

    def zone(self, name_servers: tuple[str, ...], ds: str | None) -> Iterator[Check]:
        """The zone's own, where this stack owns it."""
        zone = self.zone_name
        if not self.plan.owns_estate:
            return
        yield Check(
            f"{zone}/name-servers",
            "zone",
            f"{zone} is answered by {' and '.join(name_servers) or 'Cloudflare'}",
            ZoneProbe("name-servers", zone, name_servers),
            "The domain is still answered by somebody else, so nothing of the plan is live under its name.",
            "Enter the two name servers of output `name_servers` at the registrar (gatehouse todo);"
            " the change may take a day.",
        )
        if not self.plan.zone.dnssec:
            yield Check(
                f"{zone}/no-ds",
                "zone",
                "no DS record at the parent, for the zone is not signed",
                ZoneProbe("no-ds", zone),
                "The registrar says that the zone is signed and it is not: resolvers that check refuse the domain.",
                "Delete the DS record at the registrar, or set `zone.dnssec: true`.",
                must_not=True,
            )
        else:
            yield Check(
                f"{zone}/ds",
                "zone",
                "the DS record at the parent is that of the zone's key",
                ZoneProbe("ds", zone, ds=ds),
                "Nobody can tell a forged answer for this domain from a true one; with a wrong DS record, resolvers"
                " that check refuse the whole domain.",
                "Enter the DS record at the registrar as `gatehouse todo` shows it, field by field.",
            )
            yield Check(
                f"{zone}/chain",
                "zone",
                "signatures hold from the root to the zone's answers",
                ZoneProbe("chain", zone),
                "Resolvers that check signatures refuse the domain, or treat it as unsigned.",
                f"See Cloudflare, DNS, Settings, DNSSEC, and https://dnsviz.net/d/{zone}/; disable nothing while the"
                " DS record is at the registrar.",
            )
        name = f"gatehouse-{self.nonce}.{zone}"
        yield Check(
            f"{zone}/unknown-host",
            "zone",
            "a name that nobody has is not served",
            HttpProbe("unknown", "https", name, verify=False),
            "A wildcard record, or a rule that matches every host, opens names that are in no plan.",
            "Delete the wildcard DNS record in Cloudflare; the tunnel's last rule has to be http_status:404.",
            must_not=True,
        )

    def node(self) -> Iterator[Check]:
        """The node's own record."""
        for record in self.plan.records:
            if record.service is None and record.target:
                yield Check(
                    f"{record.host}/name",
                    "node",
                    "the node's record shows Cloudflare, not the router's address",
                    NameProbe("edge", record.host, self._home()),
                    "The router's address is public, or the record is missing.",
                    f"Run `gatehouse up`; in Cloudflare the record {record.host} has to be proxied (orange cloud).",
                )

    def service(self, key: str) -> Iterator[Check]:
        """One service's, by its gate."""
        exposure = next(e for e in self.plan.exposures if e.service == key)
        make = {
            "public-tunnel": self._public,
            "zero-trust": self._zero_trust,
            "funnel": self._funnel,
            "tailnet": self._tailnet,
            "port-forward": self._port_forward,
        }.get(exposure.gate)
        return make(key) if make else iter(())

    # The tunnel

    def _tunnel_host(self, key: str) -> str:
        return next(r.host for r in self.plan.rules if r.service == key and r.path is None and r.host)

    def _home(self) -> tuple[str, ...]:
        return (self.router,) if self.router else ()

    def _name(self, key: str, gate: str, host: str) -> Check:
        return Check(
            f"{key}/name",
            gate,
            "the name leads to Cloudflare's edge, not home",
            NameProbe("edge", host, self._home()),
            "The name does not resolve, or it leads past Cloudflare straight to the router.",
            f"Run `gatehouse up`; in Cloudflare the record {host} has to be a proxied CNAME to the tunnel.",
        )

    def _public(self, key: str) -> Iterator[Check]:
        host, gate = self._tunnel_host(key), "public-tunnel"
        yield self._name(key, gate, host)
        yield Check(
            f"{key}/answers",
            gate,
            "anyone gets a page",
            HttpProbe("page", "https", host),
            "The service is not to be had from outside.",
            "502: is the origin's Service up (kubectl get endpoints)? 530: do cloudflared's pods run? 404 or a login:"
            " somebody changed the tunnel's rules or Access; run `gatehouse preview --refresh`.",
        )
        if self.plan.zone.always_use_https:
            yield self._https(key, gate, host)
        if self._renews(key):
            yield self._challenge(key, gate, host)

    def _https(self, key: str, gate: str, host: str) -> Check:
        return Check(
            f"{key}/http",
            gate,
            "plain http leads to https",
            HttpProbe("https", "http", host),
            "Passwords and cookies may travel in clear.",
            "Cloudflare, SSL/TLS, Edge Certificates: Always Use HTTPS on; run `gatehouse preview --refresh`.",
            must_not=True,
        )

    def _renews(self, key: str) -> bool:
        return any(r.service == key and r.path == ACME_EXPRESSION for r in self.plan.rules)

    def _challenge(self, key: str, gate: str, host: str) -> Check:
        return Check(
            f"{key}/acme",
            gate,
            "Let's Encrypt reaches the challenge path with no login",
            HttpProbe("challenge", "http", host, f"{ACME_PATH}/gatehouse-{self.nonce}"),
            "The certificate of the origin will not be renewed.",
            "404 by the ingress controller is right while no challenge is under way. Redirected to the login: the"
            " Access application for the path is missing. 502: the ingress controller does not answer on its port 80.",
        )

    def _zero_trust(self, key: str) -> Iterator[Check]:
        host, gate = self._tunnel_host(key), "zero-trust"
        applications = [a for a in self.plan.applications if a.service == key]
        login = f"who is not logged in is sent to {self.login}"
        yield self._name(key, gate, host)
        yield Check(
            f"{key}/login",
            gate,
            login,
            HttpProbe("login", "https", host),
            "Anyone may have reached the service without a login, or nobody reaches it at all.",
            "If something answered: stop cloudflared now (kubectl -n"
            f" {self.plan.connector.namespace} scale deploy --all --replicas=0), then run `gatehouse preview --refresh`"
            " and see who changed the Access application.",
            must_not=True,
        )
        deep = f"/gatehouse-{self.nonce}/deeper?a=b"
        yield self._guard(
            key, "deeper-path", f"{login}, on a deeper path too", HttpProbe("guarded", "https", host, deep), _PATH
        )
        yield self._guard(
            key,
            "forged-header",
            "a made-up JWT in Cf-Access-Jwt-Assertion opens nothing",
            HttpProbe("guarded", "https", host, headers=(("Cf-Access-Jwt-Assertion", FORGED_JWT),)),
            _FORGED,
        )
        yield self._guard(
            key,
            "forged-cookie",
            "a made-up JWT in the cookie CF_Authorization opens nothing",
            HttpProbe("guarded", "https", host, headers=(("Cookie", f"CF_Authorization={FORGED_JWT}"),)),
            _FORGED,
        )
        yield self._guard(
            key,
            "forged-token",
            "a made-up JWT in cf-access-token opens nothing",
            HttpProbe("guarded", "https", host, headers=(("cf-access-token", FORGED_JWT),)),
            _FORGED,
        )
        yield self._guard(
            key, "http", "plain http leads to https or the login", HttpProbe("https", "http", host), _PLAIN
        )
        yield self._guard(
            key,
            "host-capitals",
            "the host in capitals is the same host",
            HttpProbe("guarded", "https", host, host=host.upper()),
            _ODD_HOST,
        )
        yield self._guard(
            key,
            "host-dot",
            "the host with a dot at its end is the same host",
            HttpProbe("guarded", "https", host, host=f"{host}."),
            _ODD_HOST,
        )
        yield self._guard(
            key,
            "host-port",
            "the host with a port is the same host",
            HttpProbe("guarded", "https", host, host=f"{host}:8443"),
            _ODD_HOST,
        )
        front = next((h for h in self.fronts if h != host), None)
        if front:
            yield self._guard(
                key,
                "fronted",
                f"no way in by the TLS name of {front}",
                HttpProbe("guarded", "https", front, host=host),
                _ODD_HOST,
            )
        if self.router:
            for scheme in ("https", "http"):
                yield Check(
                    f"{key}/router-{scheme}",
                    gate,
                    f"the router's own address does not serve it by {scheme}",
                    HttpProbe(
                        "not-served",
                        "https" if scheme == "https" else "http",
                        host,
                        address=self.router,
                        verify=False,
                    ),
                    "Who knows the router's address reaches the service past Cloudflare and its login.",
                    f"Delete the router's forward of port {_PORTS[scheme]}: the tunnel needs none. (Run this from"
                    " outside: at home a router may answer for itself.)",
                    must_not=True,
                )
        yield from self._exceptions(key, gate, host, applications)
        if self._renews(key):
            yield from self._beside_acme(key, gate, host)

    def _guard(self, key: str, what: str, promise: str, probe: HttpProbe, why: tuple[str, str]) -> Check:
        return Check(f"{key}/{what}", "zero-trust", promise, probe, *why, must_not=True)

    def _exceptions(self, key: str, gate: str, host: str, applications: Iterable[AccessApplication]) -> Iterator[Check]:
        paths = sorted(a.path for a in applications if a.path is not None and a.path != ACME_PATH)
        for path in paths:
            yield Check(
                f"{key}/open{path}",
                gate,
                f"{path} is open to API clients, with no login",
                HttpProbe("open", "https", host, path),
                "API and mobile clients cannot log in with Google, so they do not work.",
                f"Redirected to the login: the Access application for {host}{path} is missing. 403: the tunnel asks"
                " that path for a JWT. Run `gatehouse preview --refresh`.",
            )
            for what, target in (
                ("sibling", f"{path}x{self.nonce}"),
                ("inside", f"/x{self.nonce}{path}"),
                ("capitals", path.upper() if path.upper() != path else path.lower()),
                ("dots", f"{path}/../gatehouse-{self.nonce}"),
                ("coded-dots", f"{path}/%2e%2e/gatehouse-{self.nonce}"),
            ):
                # A shorter exception may open what lies beside a longer one.
                if target == path or (what not in ("dots", "coded-dots") and _below(target, paths)):
                    continue
                yield self._guard(
                    key,
                    f"{what}{path}",
                    f"{target} is not open, for {path} alone is",
                    HttpProbe("guarded", "https", host, target),
                    _PATH,
                )

    def _beside_acme(self, key: str, gate: str, host: str) -> Iterator[Check]:
        yield self._challenge(key, gate, host)
        folder = ACME_PATH.rsplit("/", 1)[0]
        paths = sorted(a.path for a in self.plan.applications if a.service == key and a.path and a.path != ACME_PATH)
        for what, target in (
            ("acme-folder", f"{folder}/"),
            ("acme-beside", f"{folder}/gatehouse-{self.nonce}"),
            ("acme-longer", f"{ACME_PATH}X/gatehouse-{self.nonce}"),
            ("acme-dots", f"{ACME_PATH}/../../gatehouse-{self.nonce}"),
        ):
            if not _below(target, paths):
                yield self._guard(
                    key,
                    what,
                    f"{target} is not open: the challenge path alone is",
                    HttpProbe("guarded", "https", host, target),
                    _PATH,
                )

    # Tailscale

    def _funnel(self, key: str) -> Iterator[Check]:
        assert self.plan.estate.tailnet
        ingress = next(i for i in self.plan.tailscale_ingresses if i.service == key)
        name, gate = f"{ingress.machine}.{self.plan.estate.tailnet.name}", "funnel"
        up = "Is the proxy up (kubectl -n tailscale get pods) and the Ingress's address set? The first certificate may"
        yield Check(
            f"{key}/certificate",
            gate,
            "the name serves a valid certificate of its own",
            CertificateProbe(name),
            "Clients refuse the connection, or somebody else answers for the name.",
            f"{up} take a minute. The tailnet needs HTTPS and the node attribute `funnel`.",
        )
        yield Check(
            f"{key}/answers",
            gate,
            "anyone gets an answer",
            HttpProbe("page", "https", name, verify=False),
            "The service is not to be had from outside.",
            f"{up} take a minute. 502: the service behind the proxy does not answer.",
        )
        for port in UNPLANNED_FUNNEL_PORTS:
            yield Check(
                f"{key}/port-{port}",
                gate,
                f"nothing is served on Funnel's port {port}",
                ClosedProbe(name, port, tls=True),
                "Something that is in no plan is public on this machine.",
                "On the proxy: `tailscale funnel status` says what; `tailscale funnel reset` closes it.",
                must_not=True,
            )
        yield from self._no_name_in_zone(key, gate)

    def _tailnet(self, key: str) -> Iterator[Check]:
        exposure = next(e for e in self.plan.exposures if e.service == key)
        url = urlsplit(exposure.url)
        name, gate = url.hostname or "", "tailnet"
        yield Check(
            f"{key}/private-name",
            gate,
            "public DNS does not know the tailnet name",
            NameProbe("absent", name),
            "The machine's name is public, which Tailscale does for Funnel alone.",
            "On the machine: `tailscale funnel status`; `tailscale funnel reset` closes it. (Ask a public resolver:"
            " on a device of the tailnet, its own one knows the name.)",
            must_not=True,
        )
        port = url.port or _PORTS.get(url.scheme)
        on_node = name.split(".", 1)[0] == self.plan.node
        forwarded = {external for f in self.plan.forwarded for _, _, external, _, _ in f.ports}
        if on_node and self.router and port and url.scheme != "udp" and port not in forwarded:
            yield Check(
                f"{key}/router",
                gate,
                f"the router's own address does not answer on port {port}",
                ClosedProbe(self.router, port),
                "Anyone on the internet reaches it, not the tailnet alone.",
                f"Delete the router's forward of port {port}. (Run this from outside: at home a router may answer for"
                " itself.)",
                must_not=True,
            )
        yield from self._no_name_in_zone(key, gate)

    def _no_name_in_zone(self, key: str, gate: str) -> Iterator[Check]:
        host = f"{key}-{self.plan.node}.{self.zone_name}"
        if host not in {r.host for r in self.plan.records}:
            yield Check(
                f"{key}/no-name",
                gate,
                f"{host} does not exist",
                NameProbe("absent", host),
                "A second way in, through Cloudflare or the router, stands beside this one.",
                f"Delete the record {host} in Cloudflare: no stack registers it.",
                must_not=True,
            )

    # The router

    def _port_forward(self, key: str) -> Iterator[Check]:
        record = next(r for r in self.plan.records if r.service == key)
        forwarded = next(f for f in self.plan.forwarded if f.service == key)
        gate = "port-forward"
        assert record.target
        yield Check(
            f"{key}/name",
            gate,
            f"the name leads to the router, {record.target}",
            NameProbe("exactly", record.host, (record.target,)),
            "Players are sent to the wrong address.",
            f"Has the router's public address changed? Set `node.router_ipv4` and run `gatehouse up`. The record"
            f" {record.host} must not be proxied.",
        )
        for _, protocol, external, _, node_port in forwarded.ports:
            kind: Literal["tcp", "udp"] = "udp" if protocol == "UDP" else "tcp"
            yield Check(
                f"{key}/{kind}-{external}",
                gate,
                f"{protocol} port {external} answers",
                PortProbe(record.host, external, kind),
                "Nobody outside reaches the service.",
                f"Does the router forward {protocol} {external} to port {node_port} of the node (gatehouse todo)? Is"
                " the pod ready? (Run this from outside: few routers forward their own address from home.)",
            )


_PATH = (
    "A path that is in no exception is open to anyone, so the login is no protection.",
    "Stop cloudflared if it answered from the service, then compare the Access applications of the host with"
    " `gatehouse who URL` and run `gatehouse preview --refresh`.",
)
_FORGED = (
    "A token that nobody signed is taken for a login: anyone gets in who sends one.",
    "Stop cloudflared. The Access application is missing or bypassed, and the tunnel's rule no longer asks for a JWT"
    " (access.required): run `gatehouse preview --refresh`, then `gatehouse up`.",
)
_PLAIN = (
    "The service answers without TLS, and maybe without login.",
    "Cloudflare, SSL/TLS, Edge Certificates: Always Use HTTPS on; run `gatehouse preview --refresh`.",
)
_ODD_HOST = (
    "The same host, written otherwise, is served without login.",
    "Stop cloudflared. A tunnel rule matches more than the host (a wildcard, or a last rule that is not"
    " http_status:404), or a public service's origin serves every host: run `gatehouse preview --refresh`.",
)


def _below(target: str, paths: Iterable[str]) -> bool:
    return any(target == p or target.startswith(f"{p}/") for p in paths)


def selected(checks: Iterable[Check], patterns: Iterable[str]) -> list[Check]:
    """The checks that a pattern names: a subject, a gate, what is asked, or an id with `*`; all where there is none."""
    from fnmatch import fnmatchcase

    wanted = list(patterns)
    return [
        check
        for check in checks
        if not wanted
        or any(
            pattern in (check.subject, check.gate, check.id.split("/", 1)[1]) or fnmatchcase(check.id, pattern)
            for pattern in wanted
        )
    ]
