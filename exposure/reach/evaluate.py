"""Who reaches a URL, decided step by step from what is registered, as each party on the way would decide.

DNS, then the edge's certificate, Access, cloudflared's rules and its JWT check; or Funnel and the tailnet's policy; or
a forwarded port. Every step says what matched and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Literal

from config.values import bare_host
from exposure.names import node_tag
from exposure.policy_eval import Endpoint
from exposure.reach import access
from exposure.reach.access import ANYONE, LAN, MEMBER, Kind, Principal
from exposure.reach.match import ascii_host, readings, serves
from exposure.reach.surface import (
    ANY_PORT,
    Application,
    JwtCheck,
    Record,
    Rule,
    Surface,
    Tailnet,
    TailnetAddress,
    TailnetIngress,
)
from exposure.reach.tailnet import (
    Gives,
    Logins,
    at_home,
    destination,
    gives,
    has_attribute,
    in_cluster,
    logins,
    nodes,
)
from exposure.workload import Protocol, Workload, of_url

Scheme = Literal["http", "https", "tcp", "udp"]

PORTS = {"http": 80, "https": 443, "ssh": 22, "rdp": 3389, "smb": 445}
"""The port of each scheme that has one."""
HTTP_PORTS = (80, 8080, 8880, 2052, 2082, 2086, 2095)
HTTPS_PORTS = (443, 2053, 2083, 2087, 2096, 8443)
"""The ports Cloudflare's proxy listens on [CFDOC fundamentals/reference/network-ports]."""


EDGE_PATH = "/cdn-cgi/"
"""What is below it, Cloudflare serves at every proxied host [CFDOC fundamentals/reference/cdn-cgi-endpoint]."""


class Outcome(Enum):
    """How it ends. The first four reach the service; they stand from the widest to the narrowest."""

    OPEN = "open"
    LOGIN = "after login"
    TOKEN = "with its secret"
    TAILNET = "from the tailnet"
    ACCESS_DENIED = "refused by Access"
    JWT_REFUSED = "refused by cloudflared (403)"
    EDGE = "answered by Cloudflare itself"
    STATUS = "answered by the tunnel itself"
    NOT_SERVED = "not served by the proxy (404)"
    TAILNET_DENIED = "not let in by the tailnet's policy"
    OFF_TAILNET = "not on the internet"
    NO_LISTENER = "nothing listens there"
    NO_CERTIFICATE = "no certificate"
    NO_RULES = "no rules"
    NO_NAME = "no such name"

    @property
    def reaches(self) -> bool:
        """Whether the service is reached."""
        return self in (Outcome.OPEN, Outcome.LOGIN, Outcome.TOKEN, Outcome.TAILNET)


_VERDICTS = {
    "bypass": "let by with no login",
    "login": "let in after a login",
    "token": "let in by its secret",
    "unknown": "taken to let in",
    "denied": "not among them",
}
WIDEST = {outcome: place for place, outcome in enumerate(Outcome)}
"""The place of each outcome among all, the widest first."""


@dataclass(frozen=True)
class Request:
    """What is asked for. `host` is a name, a tailnet machine, an address or `tag:…`; `path` as in the URL, no query."""

    host: str
    port: int = 443
    path: str = "/"
    scheme: Scheme = "https"

    @property
    def protocol(self) -> Protocol:
        """`udp` or `tcp`."""
        return "udp" if self.scheme == "udp" else "tcp"

    @property
    def is_ssh(self) -> bool:
        """Whether it is for the port at which Tailscale SSH answers."""
        return (self.protocol, self.port) == ("tcp", PORTS["ssh"])

    @property
    def url(self) -> str:
        """As text, the port left out where it is the scheme's own."""
        usual = {"http": 80, "https": 443}.get(self.scheme)
        port = "" if self.port == usual else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path if usual else ''}"


@dataclass(frozen=True)
class Step:
    """One decision on the way: who decides, what matched, and what follows."""

    stage: str
    matched: str
    why: str


@dataclass(frozen=True)
class Answer:
    """How it ends for one principal, and every step of why.

    Where it is reached, `workload` is what answers, and `origin` says it for people; None is what has no host.
    `host_header` is what the origin is asked by, if not the request's host, and `session` how long a login lasts;
    `login` is how one logs in, `weakened` what makes that worth less, and `from_` where one has to come from
    (`access.Answer`).
    """

    outcome: Outcome
    steps: tuple[Step, ...]
    origin: str = ""
    workload: Workload | None = None
    host_header: str = ""
    session: str = ""
    login: str = ""
    weakened: tuple[str, ...] = ()
    from_: tuple[tuple[str, ...], ...] = ()

    @property
    def how(self) -> str:
        """How it ends, and from where alone, in words."""
        return f"{self.outcome.value} {from_where(self.from_)}".rstrip()

    @property
    def reaches(self) -> bool:
        """Whether the service is reached."""
        return self.outcome.reaches


def from_where(from_: Iterable[Iterable[str]]) -> str:
    """From where one has to come, in words; empty for anywhere."""
    return " and ".join(" or ".join(one) for one in from_)


def who(surface: Surface, request: Request, principal: Principal) -> Answer:
    """Whether a principal reaches what a request asks for, and why."""
    return asking(surface, request)(principal)


def asking(surface: Surface, request: Request) -> Callable[[Principal], Answer]:
    """`who` of one request, for many principals: what is the same for all of them is found once."""
    request = replace(request, host=ascii_host(request.host.strip().lower().rstrip(".")), path=request.path or "/")
    machine = _machine(surface, request.host)
    if machine is not None:
        return partial(_on_tailnet, surface, request, machine)
    listening = surface.listeners.get(request.host)
    if listening is not None:
        return partial(_at_home, surface, request, listening)
    inside = surface.in_clusters.get(request.host)
    if inside is not None:
        return partial(_in_cluster, surface, request, inside)
    policy = surface.tailnet.policy if surface.tailnet else None
    target = destination(policy, request.host) if policy else None
    if target is not None:
        return partial(_on_tailnet, surface, request, _Machine(request.host, target, None))
    return partial(_public, surface, request)


def widest(answers: Iterable[Answer]) -> Answer:
    """The answer that lets in most, from anywhere before from some places; of equals the first."""
    return min(answers, key=lambda a: (WIDEST[a.outcome], len(a.from_)))


# The public way


def _public(surface: Surface, request: Request, principal: Principal) -> Answer:
    host = request.host
    records = surface.lookup.answering(host)
    if not records and any(host in (r.content, rule.address) for r in surface.records for rule in surface.router):
        step = Step("dns", host, "an address, asked for without a name")
        return _router(surface, request, host, (step,))
    if not records:
        zones = ", ".join(zone.name for zone in surface.zones) or "that is known here"
        outside = f"not in zone {zones}, nor on the tailnet"
        why = "no record and no wildcard answers for it" if surface.zone_of(host) else outside
        return Answer(Outcome.NO_NAME, (Step("dns", host, why),))
    record = records[0]
    text = f"{record.host} {record.type} {_target(record)}"
    if not record.proxied:
        if record.tunnel:
            why = "not proxied, and a tunnel's name resolves only inside Cloudflare"
            return Answer(Outcome.NO_NAME, (Step("dns", text, why),))
        step = Step("dns", text, "not proxied: clients go straight to that address, past Cloudflare and Access")
        return _router(surface, request, record.content, (step,))
    return _edge(surface, request, principal, record, Step("dns", text, "proxied: clients meet Cloudflare's edge"))


def _edge(surface: Surface, request: Request, principal: Principal, record: Record, dns: Step) -> Answer:
    steps = [dns]
    ports = HTTP_PORTS if request.scheme == "http" else HTTPS_PORTS
    if request.scheme in ("tcp", "udp") or request.port not in ports:
        why = f"Cloudflare's proxy listens for {request.scheme} on none but ports {', '.join(map(str, ports))}"
        if request.scheme in ("tcp", "udp"):
            why = "Cloudflare's proxy carries HTTP only"
        return Answer(Outcome.NO_LISTENER, (*steps, Step("edge", f"port {request.port}", why)))
    if request.path.startswith(EDGE_PATH):
        why = "Cloudflare's own pages (login, trace, challenges): no application and no rule of yours is asked"
        return Answer(Outcome.EDGE, (*steps, Step("edge", EDGE_PATH, why)))
    zone = surface.zone_of(request.host)
    always_https = zone.always_https if zone else None
    to_https = request.scheme == "http" and always_https is not False
    if to_https:
        why = "Always Use HTTPS sends http on to https" if always_https else "taken to be sent on to https"
        steps.append(Step("edge", request.url, why))
    if request.scheme == "https" or to_https:
        depth = request.host.removesuffix(zone.name).count(".") if zone else 0
        if zone and depth > 1 and not zone.advanced_certificate:
            why = f"the edge's certificate covers {zone.name} and one label below it, and this is {depth} below"
            return Answer(Outcome.NO_CERTIFICATE, (*steps, Step("certificate", request.host, why)))
        why = "covered by the edge's certificate" if zone else "of a zone that is not known here; taken to be covered"
        steps.append(Step("certificate", request.host, why))
    by_access, by_tunnel = readings(request.path)
    answers = [
        _through(surface, request, principal, record, (*steps, *noted), seen, routed)
        for seen in by_access
        for routed in by_tunnel
        for noted in [_noted(seen, routed) if len({*by_access, *by_tunnel}) > 1 else ()]
    ]
    return widest(answers)


def _noted(seen: str, routed: str) -> tuple[Step, ...]:
    why = "the path can be read in two ways; this is the reading that lets in most"
    return (Step("edge", f"Access reads {seen}, cloudflared {routed}", why),)


def _through(
    surface: Surface,
    request: Request,
    principal: Principal,
    record: Record,
    steps: tuple[Step, ...],
    seen: str,
    routed: str,
) -> Answer:
    contenders = surface.lookup.deciding(request.host, seen)
    if not contenders:
        step = Step("access", "no application", "nothing asks who it is")
        return _origin(surface, request, record, (*steps, step), routed, None, "none")
    answers = []
    for application in contenders:
        text = f"application {application.key}"
        doubt = "" if len(contenders) == 1 else "; another is as specific, and Cloudflare does not say which wins"
        steps_here = (*steps, Step("access", text, f"the most specific one for this URL{doubt}"))
        answer = access.decide(application, principal)
        steps_here += (Step("policy", answer.why, _VERDICTS[answer.verdict]),)
        if answer.verdict == "denied":
            answers.append(Answer(Outcome.ACCESS_DENIED, steps_here))
            continue
        if answer.verdict == "login":
            providers = application.identity_providers
            how = " or ".join(providers) if providers else "any login method of the team"
            why = "Instant Auth" if application.redirect else "asked for on Access's page"
            steps_here += (Step("login", how, "; ".join((why, *application.weakened))),)
        found = _origin(surface, request, record, steps_here, routed, application, answer.verdict)
        answers.append(replace(found, from_=answer.from_))
    return widest(answers)


def _origin(
    surface: Surface,
    request: Request,
    record: Record,
    steps: tuple[Step, ...],
    path: str,
    application: Application | None,
    verdict: Literal["none", "bypass", "login", "token", "unknown"],
) -> Answer:
    outcome = {"login": Outcome.LOGIN, "token": Outcome.TOKEN}.get(verdict, Outcome.OPEN)
    if record.tunnel is None:
        answer = _router(surface, request, record.content, steps)
        return replace(answer, outcome=outcome) if answer.reaches else answer
    tunnel = next((t for t in surface.tunnels if t.name == record.tunnel), None)
    rules = tunnel.rules if tunnel else None
    if tunnel is None or rules is None:
        return Answer(Outcome.NO_RULES, (*steps, Step("tunnel", record.tunnel, "its rules are not registered here")))
    if not rules:
        return Answer(Outcome.NO_RULES, (*steps, Step("tunnel", record.tunnel, "an empty list answers 503 to all")))
    try:
        index = tunnel.first(request.host, path)
    except ValueError as error:
        why = f"{error}; cloudflared refuses the whole list and keeps the one it had"
        return Answer(Outcome.NO_RULES, (*steps, Step("tunnel", record.tunnel, why)))
    if index is None:
        why = "no rule matches; cloudflared refuses a list without a last rule for everything"
        return Answer(Outcome.NO_RULES, (*steps, Step("tunnel", record.tunnel, why)))
    rule = rules[index]
    steps += (Step("tunnel", f"rule {index + 1} of {len(rules)} ({rule_text(rule)})", "the first that matches"),)
    if rule.access is None or not rule.access.required:
        why = "this rule asks for no JWT" if rule.access is None else "access.required is off: not enforced"
        steps += (Step("jwt", "not checked", why),)
    else:
        accepted, step = _jwt(rule.access, application, verdict)
        steps += (step,)
        if not accepted:
            return Answer(Outcome.JWT_REFUSED, steps)
    if rule.origin.startswith("http_status:"):
        code = rule.origin.removeprefix("http_status:")
        return Answer(
            Outcome.STATUS, (*steps, Step("origin", rule.origin, f"cloudflared answers {code}; no service does"))
        )
    called = of_url(rule.origin, tunnel.name)
    # What is called at the node may be a node port, and so what is behind that.
    workload = surface.listening(called.place, called.protocol, called.port) or called if called else None
    workload = surface.led_on(workload, bare_host(rule.host_header) or request.host, path)
    step = Step("origin", rule.origin, "the service answers" + f" by host {rule.host_header}" * bool(rule.host_header))
    by = application if outcome is Outcome.LOGIN else None
    login = (by.session, " or ".join(by.identity_providers) or "any", by.weakened) if by else ()
    return Answer(outcome, (*steps, step), rule.origin, workload, rule.host_header, *login)


def _jwt(check: JwtCheck, application: Application | None, verdict: str) -> tuple[bool, Step]:
    """cloudflared's own check: 403 without a JWT, and where none of its AUDs is accepted [CFD jwtvalidator.go]."""
    if application is None or verdict == "bypass":
        return False, Step("jwt", "none", "the rule asks for a JWT, and a request that nobody logged in for has none")
    if not check.team:
        return False, Step("jwt", application.key, "the rule names no team, so no JWT can be verified")
    if application.key in check.applications:
        return True, Step("jwt", application.key, "its AUD is one that the rule accepts")
    if check.unresolved:
        why = f"{check.unresolved} of the rule's AUDs cannot be traced; taken to be this application's"
        return True, Step("jwt", application.key, why)
    accepted = ", ".join(check.applications) or "none"
    return False, Step("jwt", application.key, f"its AUD is not among those that the rule accepts ({accepted})")


def _router(surface: Surface, request: Request, address: str, steps: tuple[Step, ...]) -> Answer:
    """A request at the router's own address: only forwarded ports lead further."""
    wanted = (request.protocol, request.port)
    text = f"{request.protocol} {request.port}"
    for rule in surface.router:
        if rule.address != address or (rule.protocol, rule.external) != wanted:
            continue
        inside = f"{rule.protocol} node port {rule.node_port}"
        steps += (Step("router", f"{address} {text}", f"forwarded to {inside} (a manual step)"),)
        port = surface.forwarded_to(rule)
        if port is None:
            return Answer(Outcome.NO_LISTENER, (*steps, Step("origin", inside, "no Service has this node port")))
        step = Step("origin", f"{inside} in {port.namespace}", f"the Service's port {port.service_port} answers")
        origin = f"{port.namespace} {port.protocol}:{port.service_port}"
        return Answer(Outcome.OPEN, (*steps, step), origin, port.workload)
    forwarded = sorted(f"{r.protocol} {r.external}" for r in surface.router if r.address == address)
    ports = f"only {', '.join(forwarded)}" if forwarded else "no port"
    why = f"{ports} is forwarded from there; what else the router does is not known here"
    return Answer(Outcome.NO_LISTENER, (*steps, Step("router", f"{address} {text}", why)))


# The home network


def _at_home(
    surface: Surface,
    request: Request,
    listening: Mapping[tuple[Protocol, int | str], Workload],
    principal: Principal,
) -> Answer:
    steps: tuple[Step, ...] = (Step("home", request.host, "on the home network, past every gate"),)
    workload = listening.get((request.protocol, request.port))
    if workload is None:
        ports = ", ".join(sorted(f"{protocol} {port}" for protocol, port in listening)) or "nothing"
        step = Step("listener", f"{request.protocol} {request.port}", f"known to answer there: {ports}")
        return Answer(Outcome.NO_LISTENER, (*steps, step))
    policy = surface.tailnet.policy if surface.tailnet else None
    target = at_home(policy, request.host) if policy and not principal.off_tailnet else None
    if policy and target:
        found = gives(policy, principal, target, request.protocol, request.port)
        if found.allowed:
            why = f"lets it in, where a subnet router of the tailnet leads to {request.host}"
            routed = Step("tailnet", "; ".join(found.why), why)
            return Answer(Outcome.TAILNET, (*steps, routed), str(workload), workload, from_=_UNTOLD * found.doubtful)
    if principal != LAN:
        step = Step("listener", str(workload), "only who is on the home network gets there, whoever that is")
        return Answer(Outcome.OFF_TAILNET, (*steps, step))
    step = Step("origin", str(workload), "answers everybody there")
    return Answer(Outcome.OPEN, (*steps, step), str(workload), workload)


def _in_cluster(
    surface: Surface,
    request: Request,
    inside: Mapping[tuple[Protocol, int | str], tuple[Workload, str | None]],
    principal: Principal,
) -> Answer:
    steps: tuple[Step, ...] = (Step("cluster", request.host, "an address of the cluster's own, past every gate"),)
    listens = inside.get((request.protocol, request.port)) or inside.get((request.protocol, ANY_PORT))
    workload, _ = listens or next(iter(inside.values()))
    workload = replace(workload, port=request.port) if workload.port == ANY_PORT else workload
    policy = surface.tailnet.policy if surface.tailnet and not principal.off_tailnet else None
    # A Service listens at its ports; of pods nothing here says at which.
    for pods in (True, False) if listens else (True,):
        target = in_cluster(policy, request.host, pods) if policy else None
        found = gives(policy, principal, target, request.protocol, request.port) if policy and target else None
        if found and found.allowed:
            why = "lets it in, where a subnet router of the tailnet leads into the cluster"
            routed = Step("tailnet", "; ".join(found.why), why)
            return Answer(Outcome.TAILNET, (*steps, routed), str(workload), workload, from_=_UNTOLD * found.doubtful)
    return Answer(Outcome.OFF_TAILNET, (*steps, Step("listener", str(workload), "no rule of a policy leads there")))


# The tailnet


@dataclass(frozen=True)
class _Machine:
    """A machine of the tailnet, or what else its policy opens: its ports (None: not known, so any) and Ingress."""

    name: str
    target: Endpoint
    ports: tuple[tuple[str, int], ...] | None
    ingress: TailnetIngress | None = None
    address: TailnetAddress | None = None

    @property
    def tags(self) -> str:
        """What a rule of the policy can open it by, in words."""
        return ", ".join(sorted(self.target.tags)) or self.target.name


def _machine(surface: Surface, host: str) -> _Machine | None:
    if host.startswith("tag:"):
        return _Machine(host, surface.device("", (host,)), None)
    name = surface.machine_name(host)
    if name is None:
        return None
    found = surface.machines.get(name)
    if isinstance(found, TailnetIngress):
        return _Machine(name, surface.device(name, found.tags), (("tcp", 443),), found)
    if found:
        return _Machine(name, surface.device(name, found.tags), found.ports, None, found)
    policy = surface.tailnet.policy if surface.tailnet else None
    if policy and name in nodes(policy):
        return _Machine(name, surface.device(name, (node_tag(name),)), None)
    return None


def _on_tailnet(surface: Surface, request: Request, machine: _Machine, principal: Principal) -> Answer:
    tailnet = surface.tailnet or Tailnet(None, None)
    kind = "an Ingress" if machine.ingress else "a Service" if machine.address else "a device"
    what = f"{kind} of the tailnet with {machine.tags}" if machine.target.device else "where a node may lead people"
    if machine.target.device and machine.target.service:
        what += f", behind shared proxies as {machine.target.service}"
    steps: tuple[Step, ...] = (Step("name", machine.name, what),)
    if machine.ports is not None and (request.protocol, request.port) not in machine.ports:
        ports = ", ".join(f"{protocol} {port}" for protocol, port in machine.ports)
        step = Step("listener", f"{request.protocol} {request.port}", f"it listens on {ports} only")
        return Answer(Outcome.NO_LISTENER, (*steps, step))
    if machine.ingress:
        if not (tailnet.https and tailnet.magic_dns):
            why = "the tailnet's HTTPS certificates or MagicDNS are off, so Serve and Funnel have no certificate"
            return Answer(Outcome.NO_CERTIFICATE, (*steps, Step("certificate", machine.name, why)))
        if request.scheme not in ("https", "tcp"):
            step = Step("listener", request.scheme, "only https is served")
            return Answer(Outcome.NO_LISTENER, (*steps, step))
    funnel = _funnel(tailnet, machine) if machine.ingress else None
    # Inside the tailnet the name is a tailnet address: a device there meets the policy, not Funnel.
    if funnel and funnel[0] and principal.kind != "tag":
        return _served(surface, machine, request, Outcome.OPEN, (*steps, funnel[1]))
    if funnel:
        steps += (funnel[1],)
    if principal.off_tailnet:
        step = Step("tailnet", "no device of the tailnet", "the internet does not lead here")
        return Answer(Outcome.OFF_TAILNET, (*steps, step))
    if tailnet.policy is None:
        step = Step("tailnet", "no policy", "the estate's owner registers it, and it is not known here")
        return Answer(Outcome.NO_RULES, (*steps, step))
    found = gives(tailnet.policy, principal, machine.target, request.protocol, request.port)
    steps += (_grant(found, principal, machine, request),)
    if not found.allowed:
        return Answer(Outcome.TAILNET_DENIED, steps)
    # The operator's proxies have no Tailscale SSH.
    device = machine.target.tags and not (machine.ingress or machine.address)
    ssh = logins(tailnet.policy, principal, machine.target) if device and request.is_ssh else None
    steps += (_ssh(ssh),) if ssh else ()
    answer = replace(_served(surface, machine, request, Outcome.TAILNET, steps), from_=_UNTOLD * found.doubtful)
    if not ssh:
        return answer
    login = "Tailscale" * bool(ssh.check_period)
    return replace(answer, session=ssh.check_period, login=login, weakened=ssh.users)


def _ssh(found: Logins) -> Step:
    """As whom Tailscale SSH lets in who reaches port 22, where it is on [tailscale.com/kb/1193]."""
    if not found.users:
        return Step("ssh", "no rule", "Tailscale SSH, where it is on, logs them in as nobody")
    good = "" if found.check_period == "0s" else f" that is good for {found.check_period}"
    checked = f", after a login at Tailscale{good}" if found.check_period else ""
    return Step("ssh", "; ".join(found.why), f"{', '.join(found.users)}, with no key{checked}")


_UNTOLD = (("with a role, posture or address that is not known here",),)
"""What the policy asks for where it does not let in whatever a device is."""


def _grant(found: Gives, principal: Principal, machine: _Machine, request: Request) -> Step:
    doubt = "" if not found.doubtful else " (hangs on what is not known here, so taken to let in)"
    if not found.allowed:
        return Step("tailnet", "no grant", f"none opens {machine.tags} {request.protocol}:{request.port} here")
    member = "; for a member of the tailnet" if principal.kind == "person" and found.for_members else ""
    return Step("tailnet", "; ".join(found.why), f"lets it in{doubt}{member}")


def _funnel(tailnet: Tailnet, machine: _Machine) -> tuple[bool, Step]:
    assert machine.ingress
    if not machine.ingress.funnel:
        return False, Step("funnel", "off", "the Ingress has no Funnel annotation: tailnet only")
    if tailnet.policy is None:
        return True, Step("funnel", "on", "the policy is not known here; taken to allow Funnel")
    if has_attribute(tailnet.policy, machine.target, "funnel"):
        return True, Step("funnel", "on", f"the policy gives {machine.tags} the attribute funnel: anyone")
    return False, Step("funnel", "refused", f"the policy gives {machine.tags} no attribute funnel")


def _served(surface: Surface, machine: _Machine, request: Request, outcome: Outcome, steps: tuple[Step, ...]) -> Answer:
    protocol, port = request.protocol, request.port
    workload: Workload | None = None
    if machine.ingress:
        workload = machine.ingress.workload(request.path)
        origin = f"{machine.ingress.namespace}/{machine.ingress.backend}"
        paths = machine.ingress.paths
        # Of bare TCP no path is known: it may be any that is served.
        if not (serves(paths, request.path) if request.scheme == "https" else paths):
            step = Step("proxy", request.path, f"only {', '.join(paths)} is served; the proxy answers 404")
            return Answer(Outcome.NOT_SERVED, (*steps, step))
    elif machine.address:
        origin = f"{machine.address.namespace} {protocol}:{port}"
        workload = machine.address.workload(protocol, port)
    else:
        origin = f"{machine.name} {protocol}:{port}"
        node = next((n for n in surface.nodes if n.name == machine.name), None)
        # A node port answers at all of a node's addresses.
        workload = surface.listening(node.address, protocol, port) if node else None
    return Answer(outcome, (*steps, Step("origin", origin, "the service answers")), origin, workload)


def rule_text(rule: Rule) -> str:
    """A tunnel rule in a few words."""
    return f"{rule.host or 'any host'}{f' {rule.path}' if rule.path else ''}"


def _target(record: Record) -> str:
    return f"tunnel {record.tunnel}" if record.tunnel else record.content


def parse_principal(text: str, tags: Iterable[str] = ()) -> Principal | None:
    """A principal as people write one: `anyone`, `lan`, `member`, an e-mail address, `@` and a domain for somebody
    there, `github:` and an organization, `token:` and the name of a service token, a tag with or without `tag:`."""
    text = text.strip().rstrip(".")
    for known in (ANYONE, LAN, MEMBER):
        if text == known.kind:
            return known
    if text.startswith("tag:"):
        return Principal("tag", text)
    kinds: tuple[Kind, ...] = ("token", "github")
    for kind in kinds:
        if text.startswith(f"{kind}:"):
            name = text.removeprefix(f"{kind}:")
            return Principal(kind, name.lower() if kind == "github" else name)
    if "@" in text:
        return Principal("person", f"{'somebody' * text.startswith('@')}{text.lower()}")
    return Principal("tag", f"tag:{text}") if f"tag:{text}" in set(tags) else None
