"""The rules: what must hold of every stack's resources, read anew from the resources themselves.

Nothing here is taken from the code that makes the resources, so that a mistake there is found here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from policy.model import (
    Finding,
    Problem,
    Resource,
    ResourceRule,
    Stack,
    StackRule,
    at,
    is_hidden,
    is_unknown,
    items,
    mapping,
    show,
    text,
)
from policy.pod_security import plain_secrets, restricted

# Each with its name of before version 6 of the SDK, which still registers.
_APPLICATION = ("ZeroTrustAccessApplication", "AccessApplication")
_POLICY = ("ZeroTrustAccessPolicy", "AccessPolicy")
_GROUP = ("ZeroTrustAccessGroup", "AccessGroup")
_LOGIN = ("ZeroTrustAccessIdentityProvider", "AccessIdentityProvider")
_TUNNEL = ("ZeroTrustTunnelCloudflared", "Tunnel")
_RULES = ("ZeroTrustTunnelCloudflaredConfig", "TunnelConfig")
_RECORD = ("DnsRecord", "Record")

_PUBLIC_MAIL = frozenset({"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "icloud.com", "yahoo.com"})
_ANY_ADDRESS = ("0.0.0.0/0", "::/0")
_CFARGOTUNNEL = ".cfargotunnel.com"
# `^`, a literal, and the end of a segment; what is escaped or no special sign stands for itself [RE2 syntax].
_ANCHORED = re.compile(r"\^((?:\\[^A-Za-z0-9]|[^\\.+*?()|\[\]{}^$])+?)(\((?:\?:)?/\|\$\)|/|/?\$|/\?\$)")
_PROTECTED: Mapping[str, tuple[str, ...]] = {
    "cloudflare": ("Zone", "ZoneDnssec", *_TUNNEL),
    "tailscale": ("Acl",),
}


# --- Access: one policy, one Include


def _one_policy(resource: Resource) -> Iterator[Problem]:
    if not resource.is_a("cloudflare", *_APPLICATION):
        return
    policies = resource.inputs.get("policies")
    if is_hidden(policies):
        yield Problem(resource, "policies", show(policies), "the policies cannot be counted", judged=False)
    elif len(items(policies)) != 1:
        yield Problem(resource, "policies", f"{len(items(policies))} policies", "an application has exactly one")


def _one_include(resource: Resource) -> Iterator[Problem]:
    for path, policy in _policies(resource):
        includes = at(policy, "includes")
        if is_hidden(includes):
            yield Problem(resource, f"{path}includes", show(includes), "the rules cannot be counted", judged=False)
            continue
        if len(items(includes)) != 1:
            count = f"{len(items(includes))} rules"
            yield Problem(resource, f"{path}includes", count, "a policy has exactly one Include rule")
        for entry in items(includes):
            kinds = _selectors(entry)
            if not is_hidden(entry) and len(kinds) != 1:
                shown = " and ".join(kinds) or "empty"
                yield Problem(resource, f"{path}includes", shown, "a rule has exactly one selector")


def _policies(resource: Resource) -> Iterator[tuple[str, object]]:
    """Policies in a resource: (prefix of their properties, policy). An application may hold some of its own."""
    if resource.is_a("cloudflare", *_POLICY):
        yield "", resource.inputs
    if resource.is_a("cloudflare", *_APPLICATION):
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


def _bypass_on_host(stack: Stack) -> Iterator[Problem]:
    for application in stack.all("cloudflare", *_APPLICATION):
        decisions = _decisions(stack, application)
        for uri in _uris(application):
            if is_hidden(uri):
                if "bypass" in decisions:
                    why = "the bypass is for a path alone, and none can be seen"
                    yield Problem(application, "destinations", show(uri), why, judged=False)
                continue
            if _path(text(uri)):
                continue
            if "bypass" in decisions:
                yield Problem(application, "destinations", show(uri), "its policy lets anyone by on the whole host")
            elif None in decisions:
                why = "whether its policy is a bypass is not in this stack"
                yield Problem(application, "policies", _policy_ids(application), why, judged=False)


def _decisions(stack: Stack, application: Resource) -> list[str | None]:
    """What each policy of an application decides; None where the policy is not in sight."""
    found: list[str | None] = []
    unknown = 0
    for policy in items(application.inputs.get("policies")):
        decision = at(policy, "decision")
        given = stack.given(at(policy, "id"))
        if decision is not None and not is_hidden(decision):
            found.append(str(decision))
        elif given in ("bypass_policy_id", "policy_ids"):
            found.append("bypass" if given == "bypass_policy_id" else "allow")
        else:
            unknown += 1
    # An id is not known before `up`, or says nothing: what it was made from does.
    referred = stack.referred(application, "policies", "cloudflare", *_POLICY)
    found += [text(policy.inputs.get("decision")) or None for policy in referred]
    if unknown > len(referred) or is_hidden(application.inputs.get("policies")):
        found.append(None)
    return found


def _policy_ids(application: Resource) -> str:
    return show([show(at(policy, "id")) for policy in items(application.inputs.get("policies"))])


# --- Access: Google and nothing else


def _google(resource: Resource) -> Iterator[Problem]:
    if resource.is_a("cloudflare", *_LOGIN):
        kind = resource.inputs.get("type")
        if is_hidden(kind):
            yield Problem(resource, "type", show(kind), "it decides who vouches for people", judged=False)
        elif kind != "google":
            yield Problem(resource, "type", show(kind), "Google is the only way to log in")


def _one_login(stack: Stack) -> Iterator[Problem]:
    for application in stack.all("cloudflare", *_APPLICATION):
        decisions = _decisions(stack, application)
        if decisions and all(decision == "bypass" for decision in decisions):
            # A bypass asks nobody.
            continue
        logins = application.inputs.get("allowedIdps")
        found = items(logins)
        if is_hidden(logins):
            yield Problem(
                application, "allowedIdps", show(logins), "the ways to log in cannot be counted", judged=False
            )
        elif not found and _may_be_bypass(application, decisions):
            why = "a bypass needs none, and whether its policy is one is not in this stack"
            yield Problem(application, "allowedIdps", show(logins), why, judged=False)
        elif len(found) != 1:
            why = "with none named, every way to log in is open" if not found else "there is one way to log in: Google"
            yield Problem(application, "allowedIdps", f"{len(found)} login methods", why)
        elif stack.given(found[0]) != "identity_provider_id" and not stack.referred(
            application, "allowedIdps", "cloudflare", *_LOGIN
        ):
            why = "the login method is not in this stack"
            yield Problem(application, "allowedIdps", show(found[0]), why, judged=False)


def _may_be_bypass(application: Resource, decisions: Iterable[str | None]) -> bool:
    """Whether an application whose policy is out of sight can be a path exception."""
    uris = _uris(application)
    return None in decisions and bool(uris) and all(not is_hidden(u) and _path(text(u)) for u in uris)


# --- the tunnel asks again


def _jwt(stack: Stack) -> Iterator[Problem]:
    applications = list(stack.all("cloudflare", *_APPLICATION))
    opening = [a for a in applications if _opens(stack, a)]
    hosts: dict[str, list[Resource]] = {}
    for application in applications:
        if application in opening:
            continue
        for uri in _uris(application):
            if is_hidden(uri):
                yield Problem(application, "destinations", show(uri), "the host cannot be seen", judged=False)
            else:
                hosts[_host(text(uri))] = []
    if not hosts:
        return
    for configuration in stack.all("cloudflare", *_RULES):
        rules = items(at(configuration.inputs, "config", "ingresses"))
        if is_hidden(at(configuration.inputs, "config", "ingresses")):
            why = "whether protected hosts' rules demand a JWT cannot be seen"
            yield Problem(configuration, "config.ingresses", "hidden", why, judged=False)
        named = {text(at(rule, "hostname")).lower() for rule in rules} - {""}
        # A wildcard application guards every host that it covers and the tunnel has a rule for.
        covered = {name for name in named if any(_covers(host, name) for host in hosts)}
        for host in sorted({*hosts, *covered}):
            mine = _applications_of(host, applications)
            opened = [
                _raw_path(u) for a in mine if a in opening for u in map(text, _uris(a)) if _covers(_host(u), host)
            ]
            yield from _host_rules(configuration, host, len(mine), opened, rules)


def _opens(stack: Stack, application: Resource) -> bool:
    """Whether an application lets anyone by; where its policy is out of sight, whether it can be a path exception."""
    decisions = _decisions(stack, application)
    if decisions and all(decision == "bypass" for decision in decisions):
        return True
    return not items(application.inputs.get("allowedIdps")) and _may_be_bypass(application, decisions)


def _applications_of(host: str, applications: Iterable[Resource]) -> list[Resource]:
    """The applications that answer for a host; one for the whole host leaves nothing to a wildcard's."""
    exact = [a for a in applications if any(_host(text(uri)) == host for uri in _uris(a))]
    if any(_host(text(uri)) == host and not _path(text(uri)) for a in exact for uri in _uris(a)):
        return exact
    wider = [a for a in applications if any(_covers(_host(text(uri)), host) for uri in _uris(a))]
    return [*exact, *(a for a in wider if a not in exact)]


def _host_rules(
    configuration: Resource, host: str, applications: int, opened: Iterable[str], rules: Iterable[object]
) -> Iterator[Problem]:
    """The rules that requests for a protected host can meet, in order, until one takes all that is left."""
    for number, rule in enumerate(rules):
        where = f"config.ingresses[{number}]"
        hostname, path, service = at(rule, "hostname"), at(rule, "path"), at(rule, "service")
        if is_hidden(rule) or is_hidden(hostname):
            yield Problem(configuration, where, show(hostname), f"it may be a rule of {host}", judged=False)
            continue
        if not _serves(text(hostname).lower(), host):
            continue
        if not text(service).startswith("http_status:") and not _is_open(path, opened):
            yield from _demand(configuration, f"{where}.originRequest.access", host, rule, applications)
        if path in (None, ""):
            return


def _demand(configuration: Resource, where: str, host: str, rule: object, applications: int) -> Iterator[Problem]:
    access = at(rule, "originRequest", "access")
    required, tags, team = at(access, "required"), at(access, "audTags"), at(access, "teamName")
    what = f"{host} is behind Access, and this rule lets requests by that Access never saw"
    if path := text(at(rule, "path")):
        what += f" (path {show(path)} is not one that an application opens)"
    if is_hidden(required):
        yield Problem(configuration, f"{where}.required", show(required), what, judged=False)
        return
    if required is not True:
        judged = not is_hidden(at(rule, "path"))
        yield Problem(configuration, f"{where}.required", show(required), what, judged)
        return
    if not is_hidden(team) and (not team or "." in text(team)):
        why = "cloudflared takes the team's bare name, and checks no JWT without it"
        yield Problem(configuration, f"{where}.teamName", show(team), why)
    if is_hidden(tags):
        yield Problem(configuration, f"{where}.audTags", show(tags), "the AUDs cannot be counted", judged=False)
        return
    known = [tag for tag in items(tags) if not is_unknown(tag)]
    count = len(set(map(str, known))) + len(items(tags)) - len(known)
    if count != applications:
        why = f"{host} has {applications} Access applications, and a JWT of each of them, and of no other, is right"
        yield Problem(configuration, f"{where}.audTags", f"{count} AUDs", why)


def _is_open(path: object, opened: Iterable[str]) -> bool:
    """Whether all that a rule's path can match is below a path that an application opens.

    cloudflared matches the expression anywhere in the path [cloudflared ingress/rule.go], so only an anchored literal
    that ends on a segment's end is sure to stay below.
    """
    literal = _ANCHORED.fullmatch(text(path))
    if literal is None:
        return False
    plain = re.sub(r"\\(.)", r"\1", literal[1]).rstrip("/")
    # A path with `*` covers less or other than the same without it: then nothing is sure.
    whole = [prefix.rstrip("/") for prefix in opened if "*" not in prefix]
    return any(prefix and (plain == prefix or plain.startswith(f"{prefix}/")) for prefix in whole)


# --- hosts


def _uris(application: Resource) -> list[object]:
    """`host` or `host/path` of each place that an application is for."""
    inputs = application.inputs
    places = inputs.get("destinations")
    if is_hidden(places):
        return [places]
    found: list[object] = []
    for place in items(places):
        if at(place, "type") in (None, "public") or is_hidden(place):
            found.append(place if is_hidden(place) else at(place, "uri"))
    return found or [v for v in [inputs.get("domain"), *items(inputs.get("selfHostedDomains"))] if v]


def _host(uri: str) -> str:
    return uri.removeprefix("https://").partition("/")[0].lower()


def _raw_path(uri: str) -> str:
    """The path of a place, with its slash in front; empty where there is none."""
    _, slash, path = uri.removeprefix("https://").partition("/")
    return f"{slash}{path}"


def _path(uri: str) -> str:
    """As `_raw_path`, and empty too where `/` or `/*` stand for the whole host."""
    return _raw_path(uri).rstrip("/*")


def _covers(pattern: str, host: str) -> bool:
    """Whether an application's host covers a host: its `*` stands for a part of one label [Cloudflare, app paths]."""
    if "*" not in pattern:
        return pattern == host
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", "[^.]*"), host))


def _serves(named: str, host: str) -> bool:
    """Whether a tunnel rule for `named` takes requests for a host; `*.` stands for any depth [cloudflared ingress]."""
    if named in ("", "*", host):
        return True
    return named.startswith("*.") and host.endswith(named[1:])


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
    guarded: list[tuple[str, Resource]] = [
        (_host(text(uri)), application)
        for application in stack.all("cloudflare", *_APPLICATION)
        for uri in _uris(application)
        if text(uri)
    ]
    tunnels = list(stack.all("cloudflare", *_RULES))
    for record in stack.all("cloudflare", *_RECORD):
        name = text(record.inputs.get("name")).lower()
        if guarded and is_hidden(record.inputs.get("name")):
            why = "it may be the name of a host behind Access"
            yield Problem(record, "name", show(record.inputs.get("name")), why, judged=False)
        mine = {a.urn: a for host, a in guarded if _covers(host, name)}
        if not mine:
            continue
        first = [*mine.values(), *(t for t in tunnels if _has_rule(t, name))]
        for other in first:
            if other.urn not in record.dependencies:
                why = f"{name} would have an address before it has its lock, or keep it longer"
                yield Problem(record, "dependsOn", f"without {other.kind} {other.name}", why)


def _has_rule(configuration: Resource, host: str) -> bool:
    rules = items(at(configuration.inputs, "config", "ingresses"))
    return any(text(at(r, "hostname")) and _serves(text(at(r, "hostname")).lower(), host) for r in rules)


# --- what must not get lost


def _protected(resource: Resource) -> Iterator[Problem]:
    if resource.is_a(resource.package, *_PROTECTED.get(resource.package, ())) and not resource.protect:
        yield Problem(resource, "protect", "false", "losing it takes down more than this stack")


# --- all of them

RESOURCE_RULES: tuple[ResourceRule, ...] = (
    ResourceRule(
        "access-one-policy",
        "One policy for each application",
        "An Access application has exactly one policy: several are a list of doors, and none lets nobody in.",
        "Attach one reusable policy: policies=[{id, precedence: 1}].",
        _one_policy,
    ),
    ResourceRule(
        "access-one-include",
        "One Include rule for each policy",
        "An Access policy has exactly one Include rule with one selector; Include rules are joined by `or`.",
        "Put the people into an Access group and include that group alone.",
        _one_include,
    ),
    ResourceRule(
        "access-google-only",
        "Google is the only login method",
        "An identity provider of Access is Google.",
        'Set type to "google", or take the identity provider out.',
        _google,
    ),
    ResourceRule(
        "access-allow-everyone",
        "Nobody is let in by being anybody",
        "A policy that lets people in, or a group, includes neither everyone, nor everyone who can log in, nor every "
        "address of a public mail service or of the internet.",
        "Name the people in gatehouse:estate.people.",
        _allow_everyone,
    ),
    ResourceRule(
        "tunnel-record-proxied",
        "Records of the tunnel are proxied",
        "A DNS record that points at the tunnel is a proxied CNAME with ttl 1; Access and TLS are in the proxy.",
        "Set type to CNAME, proxied to true and ttl to 1.",
        _tunnel_record,
    ),
    ResourceRule(
        "protected",
        "What there is one of is protected",
        "Zone, DNSSEC, tunnel and tailnet policy have the resource option `protect`.",
        "Give it ResourceOptions(protect=True).",
        _protected,
    ),
    ResourceRule(
        "pod-security-restricted",
        "Pods are Pod Security `restricted`",
        "Every pod of a Kubernetes workload would be admitted under the Pod Security level `restricted`.",
        "See https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted.",
        restricted,
    ),
    ResourceRule(
        "no-plain-secret",
        "No secret in plain sight",
        "No secret is in a pod's environment, command or arguments, or in a ConfigMap.",
        "Put it into a Secret and refer to it: valueFrom.secretKeyRef, or a mounted file.",
        plain_secrets,
    ),
)
"""Rules for one resource, which the engine asks before it touches that resource."""

STACK_RULES: tuple[StackRule, ...] = (
    StackRule(
        "access-one-login",
        "One login method for each application",
        "An Access application names exactly one login method; with none, each that the account has is open. A bypass "
        "needs none.",
        "Set allowed_idps to the id of the Google identity provider alone.",
        _one_login,
    ),
    StackRule(
        "access-bypass-host",
        "A bypass is for a path alone",
        "An application with a bypass policy is for a path of a host, never for the whole of it.",
        "Give the destination a path, or the application a policy that asks for a login.",
        _bypass_on_host,
    ),
    StackRule(
        "tunnel-jwt",
        "The tunnel checks the JWT again",
        "Every tunnel rule that a host behind Access can meet demands a JWT of one of that host's applications; only a "
        "path that an application opens is without.",
        "Set origin_request.access: required true, the bare team name, and the AUD of every application of the host.",
        _jwt,
    ),
    StackRule(
        "born-locked",
        "A host is locked before it has an address",
        "The DNS record of a host behind Access depends directly on each of its applications and on the tunnel's "
        "rules, so that it comes last and goes first.",
        "Add them to the record's depends_on.",
        _born_locked,
    ),
)
"""Rules for the whole stack."""

RULES: tuple[ResourceRule | StackRule, ...] = (*RESOURCE_RULES, *STACK_RULES)


def check(resources: Iterable[Resource]) -> list[Finding]:
    """What every rule finds, sorted by URN and rule; the findings that could not be judged are among them."""
    stack = Stack(resources)
    found = [finding for rule in RESOURCE_RULES for resource in stack.resources for finding in rule.find(resource)]
    found += [finding for rule in STACK_RULES for finding in rule.find(stack)]
    order = partial(sorted, key=lambda f: (not f.judged, f.urn, f.rule, f.problem.property, f.problem.value))
    return list(order({(f.rule, f.message): f for f in found}.values()))
