"""The rules: what must hold of every stack's resources, read anew from the resources themselves.

Nothing here is taken from the code that makes the resources, so that a mistake there is found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from policy.jwt import tunnel_jwt
from policy.model import (
    Finding,
    Problem,
    Resource,
    Rule,
    Stack,
    at,
    is_hidden,
    items,
    mapping,
    show,
    text,
)
from policy.places import (
    APPLICATION,
    CONFIGURATION,
    POLICY,
    all_are,
    covers,
    decisions,
    host_of,
    may_be_bypass,
    path_of,
    serves,
    uris,
)
from policy.pod_security import plain_secrets, restricted

# Each with its name of before version 6 of the SDK, which still registers.
_GROUP = ("ZeroTrustAccessGroup", "AccessGroup")
_LOGIN = ("ZeroTrustAccessIdentityProvider", "AccessIdentityProvider")
_TOKENS = "non_identity"
"""The decision of a Service Auth policy [CFDOC cloudflare-one/access-controls/policies]."""
_WITH_TOKENS = (["allow", _TOKENS], ["deny", _TOKENS])
_FROM = frozenset({"geo", "ip", "ipList"})
"""What says where a request comes from, and not who sends it."""
_BY_TOKEN = frozenset({"serviceToken", "anyValidServiceToken"})
_TUNNEL = ("ZeroTrustTunnelCloudflared", "Tunnel")
_RECORD = ("DnsRecord", "Record")

_PUBLIC_MAIL = frozenset({"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "icloud.com", "yahoo.com"})
_ANY_ADDRESS = ("0.0.0.0/0", "::/0")
_CFARGOTUNNEL = ".cfargotunnel.com"
_PROTECTED: Mapping[str, tuple[str, ...]] = {
    "cloudflare": ("Zone", "ZoneDnssec", *_TUNNEL),
    "tailscale": ("Acl",),
}


# --- Access: one policy, one Include


def _one_policy(stack: Stack) -> Iterator[Problem]:
    for application in stack.all("cloudflare", *APPLICATION):
        policies = application.inputs.get("policies")
        count = len(items(policies))
        # Where the last day of all of its people is over, theirs denies.
        beside = count == 2 and sorted(map(str, decisions(stack, application))) in _WITH_TOKENS
        if is_hidden(policies):
            yield Problem(application, "policies", show(policies), "the policies cannot be counted", judged=False)
        elif count != 1 and not beside:
            why = "an application has one, and one for service tokens beside that for people"
            yield Problem(application, "policies", f"{count} policies", why)


def _one_include(resource: Resource) -> Iterator[Problem]:
    for path, policy in _policies(resource):
        includes = at(policy, "includes")
        if is_hidden(includes):
            yield Problem(resource, f"{path}includes", show(includes), "the rules cannot be counted", judged=False)
            continue
        by_token = at(policy, "decision") == _TOKENS
        if len(items(includes)) != 1 and not (by_token and items(includes)):
            count = f"{len(items(includes))} rules"
            yield Problem(resource, f"{path}includes", count, "a policy has exactly one Include rule")
        for entry in items(includes):
            kinds = _selectors(entry)
            if not is_hidden(entry) and len(kinds) != 1:
                shown = " and ".join(kinds) or "empty"
                yield Problem(resource, f"{path}includes", shown, "a rule has exactly one selector")
            if kinds and (kinds != ["serviceToken"] if by_token else not _BY_TOKEN.isdisjoint(kinds)):
                why = "a Service Auth policy names service tokens and nothing else, and no other policy names one"
                yield Problem(resource, f"{path}includes", " and ".join(kinds), why)


def _policies(resource: Resource) -> Iterator[tuple[str, object]]:
    """Policies in a resource: (prefix of their properties, policy). An application may hold some of its own."""
    if resource.is_a("cloudflare", *POLICY):
        yield "", resource.inputs
    if resource.is_a("cloudflare", *APPLICATION):
        for number, policy in enumerate(items(resource.inputs.get("policies"))):
            if at(policy, "decision") is not None or at(policy, "includes") is not None:
                yield f"policies[{number}].", policy


def _selectors(entry: object) -> list[str]:
    return sorted(kind for kind, value in mapping(entry).items() if value is not None)


# --- Access: who gets in


def _allow_everyone(resource: Resource) -> Iterator[Problem]:
    who = [(path, policy) for path, policy in _policies(resource) if at(policy, "decision") not in ("bypass", "deny")]
    if resource.is_a("cloudflare", *_GROUP):
        who.append(("", resource.inputs))
    for path, policy in who:
        includes = at(policy, "includes")
        if is_hidden(includes):
            yield Problem(resource, f"{path}includes", show(includes), "who is let in cannot be seen", judged=False)
        for entry in items(includes):
            if is_hidden(entry):
                yield Problem(resource, f"{path}includes", show(entry), "who is let in cannot be seen", judged=False)
            for kind in _selectors(entry):
                if _is_everyone(kind, mapping(entry)[kind]):
                    yield Problem(resource, f"{path}includes", _selector(entry, kind), "that is everyone")
                elif kind in _FROM and not (resource.is_a("cloudflare", *_GROUP) and _only_from(resource)):
                    yield Problem(resource, f"{path}includes", _selector(entry, kind), "that is everyone there")


def _is_everyone(kind: str, value: object) -> bool:
    if kind in ("everyone", "loginMethod"):
        # Whoever has logged in by a method: with Google, everyone with an account there.
        return True
    if kind == "emailDomain":
        return text(at(value, "domain")).lower().lstrip("@") in _PUBLIC_MAIL
    return kind == "ip" and text(at(value, "ip")) in _ANY_ADDRESS


def _selector(entry: object, kind: str) -> str:
    value = mapping(mapping(entry)[kind])
    shown = ", ".join(show(v) for v in value.values())
    return f"{kind} {shown}".strip()


def _only_from(group: Resource) -> bool:
    """Whether a group says where requests come from and nothing else: it is to be required."""
    includes = items(group.inputs.get("includes"))
    return bool(includes) and all(kinds and _FROM.issuperset(kinds) for kinds in map(_selectors, includes))


def _included_from(stack: Stack) -> Iterator[Problem]:
    for policy in stack.all("cloudflare", *POLICY, *_GROUP):
        for group in stack.referred(policy, "includes", "cloudflare", *_GROUP):
            if policy.inputs.get("decision") not in ("bypass", "deny") and _only_from(group):
                shown = ", ".join(_selector(e, kind) for e in items(group.inputs["includes"]) for kind in _selectors(e))
                why = f"{policy.name} includes it, so everyone there would get in; where people come from is required"
                yield Problem(group, "includes", shown, why)


def _bypass_on_host(stack: Stack) -> Iterator[Problem]:
    for application in stack.all("cloudflare", *APPLICATION):
        found = decisions(stack, application)
        for uri in uris(application):
            if is_hidden(uri):
                if "bypass" in found:
                    why = "the bypass is for a path alone, and none can be seen"
                    yield Problem(application, "destinations", show(uri), why, judged=False)
                continue
            if path_of(text(uri)):
                continue
            if "bypass" in found:
                yield Problem(application, "destinations", show(uri), "its policy lets anyone by on the whole host")
            elif None in found:
                why = "whether its policy is a bypass is not in this stack"
                yield Problem(application, "policies", _policy_ids(application), why, judged=False)


def _policy_ids(application: Resource) -> str:
    return show([show(at(policy, "id")) for policy in items(application.inputs.get("policies"))])


# --- Access: the logins that are declared, and nothing else


def _login(resource: Resource) -> Iterator[Problem]:
    if resource.is_a("cloudflare", *_LOGIN):
        kind = resource.inputs.get("type")
        # Gatehouse's component registers what the estate declares, and nothing else.
        declared = kind in _DECLARED and _component(resource.parent) == "gatehouse:index:Login"
        if is_hidden(kind):
            yield Problem(resource, "type", show(kind), "it decides who vouches for people", judged=False)
        elif kind != "google" and not declared:
            yield Problem(resource, "type", show(kind), "the ways to log in are Google and what the estate declares")


def _component(urn: str) -> str:
    """The type of a component, by its URN."""
    return "".join(urn.split("::")[2:3]).rpartition("$")[2]


_DECLARED = frozenset({"onetimepin", "github", "oidc"})


def _another_login(stack: Stack, application: Resource) -> bool:
    """Whether a policy of an application is for people who log in by another method than it names."""
    policies = stack.referred(application, "policies", "cloudflare", *POLICY)
    logins = stack.referred(application, "allowedIdps", "cloudflare", *_LOGIN)
    allow = [p.parent for p in policies if p.inputs.get("decision") == "allow"]
    by = {parent for parent in allow if _component(parent).startswith("gatehouse:index:")}
    return bool(logins) and any(parent != login.parent for parent in by for login in logins)


def _one_login(stack: Stack) -> Iterator[Problem]:
    for application in stack.all("cloudflare", *APPLICATION):
        found_decisions = decisions(stack, application)
        logins = application.inputs.get("allowedIdps")
        found = items(logins)
        if all_are(found_decisions, "bypass") or (all_are(found_decisions, "deny") and not logins):
            # A bypass asks nobody, and where everyone is denied a login changes nothing.
            continue
        if is_hidden(logins):
            yield Problem(
                application, "allowedIdps", show(logins), "the ways to log in cannot be counted", judged=False
            )
        elif not found and may_be_bypass(application, found_decisions):
            why = "a bypass needs none, and whether its policy is one is not in this stack"
            yield Problem(application, "allowedIdps", show(logins), why, judged=False)
        elif len(found) != 1:
            why = "with none named, every way to log in is open" if not found else "there is one way to log in"
            yield Problem(application, "allowedIdps", f"{len(found)} login methods", why)
        elif _another_login(stack, application):
            why = "its people are let in by another login, which may ask for more"
            yield Problem(application, "allowedIdps", show(found[0]), why)
        elif stack.given(found[0]) not in ("identity_provider_id", "login_ids") and not stack.referred(
            application, "allowedIdps", "cloudflare", *_LOGIN
        ):
            why = "the login method is not in this stack"
            yield Problem(application, "allowedIdps", show(found[0]), why, judged=False)


# --- DNS


def _tunnel_record(resource: Resource) -> Iterator[Problem]:
    if not resource.is_a("cloudflare", *_RECORD):
        return
    content, kind = resource.inputs.get("content", resource.inputs.get("value")), resource.inputs.get("type")
    tunnel = text(content).lower().rstrip(".").endswith(_CFARGOTUNNEL)
    if not tunnel and not (is_hidden(content) and kind == "CNAME"):
        return
    what = "a record of the tunnel" if tunnel else "a CNAME whose target is not known yet may be the tunnel's, and"
    proxied, ttl = resource.inputs.get("proxied"), resource.inputs.get("ttl")
    if kind != "CNAME":
        yield Problem(resource, "type", show(kind), f"{what} is a CNAME")
    for name, value, right in (("proxied", proxied, True), ("ttl", ttl, 1)):
        if is_hidden(value):
            yield Problem(resource, name, show(value), f"{what} must be proxied, with ttl 1", judged=False)
        elif value != right or isinstance(value, bool) != isinstance(right, bool):
            yield Problem(resource, name, show(value), f"{what} must be proxied, with ttl 1, or Access is not asked")


def _born_locked(stack: Stack) -> Iterator[Problem]:
    guarded: dict[str, list[Resource]] = {}
    for application in stack.all("cloudflare", *APPLICATION):
        for host in {host_of(text(uri)) for uri in uris(application) if text(uri)}:
            guarded.setdefault(host, []).append(application)
    wild = [host for host in guarded if "*" in host]
    tunnels = list(stack.all("cloudflare", *CONFIGURATION))
    for record in stack.all("cloudflare", *_RECORD):
        name = text(record.inputs.get("name")).lower()
        if guarded and is_hidden(record.inputs.get("name")):
            why = "it may be the name of a host behind Access"
            yield Problem(record, "name", show(record.inputs.get("name")), why, judged=False)
        hosts = {name}
        if record.inputs.get("proxied") is not False:
            # What is not proxied never meets Access, so no wildcard's application either.
            hosts |= {host for host in wild if covers(host, name)}
        if name.startswith("*."):
            # Through it every name below has an address, before it has a record of its own.
            hosts |= {host for host in guarded if host.endswith(name[1:])}
        mine = {a.urn: a for host in sorted(hosts) for a in guarded.get(host, ())}
        first = [*mine.values(), *(t for t in tunnels if mine and _leads_to(t, record, name))]
        for other in first:
            if other.urn not in record.dependencies:
                why = f"{name} would have an address before it has its lock, or keep it longer"
                yield Problem(record, "dependsOn", f"without {other.kind} {other.name}", why)


def _leads_to(configuration: Resource, record: Resource, host: str) -> bool:
    """Whether a record can be one of the tunnel, and the tunnel has a rule for its host."""
    named = [text(at(r, "hostname")).lower() for r in items(at(configuration.inputs, "config", "ingresses"))]
    return record.inputs.get("type") == "CNAME" and any(serves(n, host) for n in named if n)


# --- the tailnet


def _node_ports(resource: Resource) -> Iterator[Problem]:
    spec = resource.inputs.get("spec")
    if not resource.is_a("kubernetes", "Service", "ServicePatch") or at(spec, "loadBalancerClass") != "tailscale":
        return
    allocates = at(spec, "allocateLoadBalancerNodePorts")
    why = "each port would be open on the node as well, for everybody at home"
    if allocates is not False:
        shown = "spec.allocateLoadBalancerNodePorts"
        yield Problem(resource, shown, show(allocates), why, judged=not is_hidden(allocates))
    for number, port in enumerate(items(at(spec, "ports"))):
        if at(port, "nodePort") is not None:
            yield Problem(resource, f"spec.ports[{number}].nodePort", show(at(port, "nodePort")), why)


# --- Access: what a page or a preflight may do


def _cors(resource: Resource) -> Iterator[Problem]:
    if not resource.is_a("cloudflare", *APPLICATION):
        return
    if resource.inputs.get("optionsPreflightBypass") is True:
        why = "anyone's OPTIONS requests go past Access"
        yield Problem(resource, "optionsPreflightBypass", "true", why)
    cors = mapping(resource.inputs.get("corsHeaders"))
    every = cors.get("allowAllOrigins") is True or "*" in items(cors.get("allowedOrigins"))
    if every and cors.get("allowCredentials") is True:
        why = "every page on the web acts as whoever is logged in"
        yield Problem(resource, "corsHeaders", "every origin, with credentials", why)


# --- what must not get lost


def _protected(resource: Resource) -> Iterator[Problem]:
    if resource.is_a(resource.package, *_PROTECTED.get(resource.package, ())) and not resource.protect:
        yield Problem(resource, "protect", "false", "losing it takes down more than this stack")


# --- all of them

RESOURCE_RULES: tuple[Rule, ...] = (
    Rule(
        "access-one-include",
        "One Include rule for each policy",
        "An Access policy has exactly one Include rule with one selector; Include rules are joined by `or`. A policy "
        "of Service Auth names service tokens and nothing else, and no other policy names one.",
        "Put the people into an Access group and include that group alone; put tokens into a policy of decision "
        "non_identity.",
        _one_include,
    ),
    Rule(
        "access-declared-login",
        "A login is Google's, or one that the estate declares",
        "An identity provider of Access is Google, or a one-time PIN, GitHub or OpenID Connect provider that is "
        "registered by Gatehouse's component, and so declared in the stack file.",
        'Set type to "google", declare it in gatehouse:estate.logins, or take the identity provider out.',
        _login,
    ),
    Rule(
        "access-cors",
        "No page on the web acts as whoever is logged in",
        "An Access application lets no preflight by to the origin, and takes no credentials from pages of every "
        "origin.",
        "Name the origins in cors_headers, so that Access answers preflights itself, or leave allow_credentials out.",
        _cors,
    ),
    Rule(
        "access-allow-everyone",
        "Nobody is let in by being anybody",
        "A policy that lets people in, or a group, includes neither everyone, nor everyone who can log in, nor "
        "everyone from a country or an address, nor every address of a public mail service. A group of countries or "
        "addresses alone may be required.",
        "Name the people in gatehouse:estate.people.",
        _allow_everyone,
    ),
    Rule(
        "tunnel-record-proxied",
        "Records of the tunnel are proxied",
        "A DNS record that points at the tunnel is a proxied CNAME with ttl 1; Access and TLS are in the proxy.",
        "Set type to CNAME, proxied to true and ttl to 1.",
        _tunnel_record,
    ),
    Rule(
        "protected",
        "What there is one of is protected",
        "Zone, DNSSEC, tunnel and tailnet policy have the resource option `protect`.",
        "Give it ResourceOptions(protect=True).",
        _protected,
    ),
    Rule(
        "no-node-ports",
        "What is for the tailnet has no port of the node",
        "A Service of class `tailscale` has no node ports: Kubernetes allocates one for each port unless it is told "
        "otherwise, open to everybody at home.",
        "Set spec.allocateLoadBalancerNodePorts to false, and no port's nodePort.",
        _node_ports,
    ),
    Rule(
        "pod-security-restricted",
        "Pods are Pod Security `restricted`",
        "Every pod of a Kubernetes workload would be admitted under the Pod Security level `restricted`.",
        "See https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted.",
        restricted,
    ),
    Rule(
        "no-plain-secret",
        "No secret in plain sight",
        "No secret is in a pod's environment, command or arguments, or in a ConfigMap.",
        "Put it into a Secret and refer to it: valueFrom.secretKeyRef, or a mounted file.",
        plain_secrets,
    ),
)
"""Rules for one resource, which the engine asks before it touches that resource."""

STACK_RULES: tuple[Rule, ...] = (
    Rule(
        "access-one-policy",
        "One policy for each application",
        "An Access application has one policy, and one of Service Auth beside it where service tokens get in too: more "
        "are a list of doors, and none lets nobody in.",
        "Attach one reusable policy, policies=[{id, precedence: 1}], and one more for service tokens alone.",
        _one_policy,
    ),
    Rule(
        "access-one-login",
        "One login method for each application",
        "An Access application names exactly one login method; with none, each that the account has is open. A bypass "
        "needs none, nor does an application that denies everyone.",
        "Set allowed_idps to the id of one identity provider, that of its people.",
        _one_login,
    ),
    Rule(
        "access-from-required",
        "Where people come from is required",
        "A group of countries or addresses is included by no policy that lets anybody in but a bypass, which is for a "
        "path alone, and by no other group.",
        "Put it into the policy's require rules, and include the group of the people.",
        _included_from,
    ),
    Rule(
        "access-bypass-host",
        "A bypass is for a path alone",
        "An application with a bypass policy is for a path of a host, never for the whole of it.",
        "Give the destination a path, or the application a policy that asks for a login.",
        _bypass_on_host,
    ),
    Rule(
        "tunnel-jwt",
        "The tunnel checks the JWT again",
        "Every tunnel rule that a request behind Access can meet demands a JWT of the application that decides where "
        "the rule leads, and takes that of no other login; only what an application opens, or none covers, is without.",
        "Set origin_request.access: required true, the bare team name, and the AUD of the application that decides; "
        "give a path with a login of its own a rule of its own.",
        tunnel_jwt,
    ),
    Rule(
        "born-locked",
        "A host is locked before it has an address",
        "The DNS record of a host behind Access depends directly on each application of the host, whosever it is, a "
        "wildcard's above it among them, and on the tunnel's rules; a wildcard's record on those of every name below "
        "it. So it comes last and goes first.",
        "Add them to the record's depends_on.",
        _born_locked,
    ),
)
"""Rules for the whole stack."""

RULES: tuple[Rule, ...] = (*RESOURCE_RULES, *STACK_RULES)


def check(resources: Iterable[Resource]) -> list[Finding]:
    """What every rule finds, sorted by URN and rule; the findings that could not be judged are among them."""
    stack = Stack(resources)
    found = [finding for rule in RESOURCE_RULES for resource in stack.resources for finding in rule.find(resource)]
    found += [finding for rule in STACK_RULES for finding in rule.find(stack)]
    order = partial(sorted, key=lambda f: (not f.judged, f.urn, f.rule, f.problem.property, f.problem.value))
    return list(order({(f.rule, f.message): f for f in found}.values()))
