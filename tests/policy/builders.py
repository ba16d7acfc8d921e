"""Small stacks for the rules: resources as a careful program registers them, to be spoiled one property at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from policy.model import UNKNOWN, Finding, Resource
from policy.rules import check

HOST = "grafana.example.com"
TEAM = "team"
ACME = "/.well-known/acme-challenge"
_CLASSES = {
    "Application": "cloudflare:index/zeroTrustAccessApplication:ZeroTrustAccessApplication",
    "Policy": "cloudflare:index/zeroTrustAccessPolicy:ZeroTrustAccessPolicy",
    "Group": "cloudflare:index/zeroTrustAccessGroup:ZeroTrustAccessGroup",
    "Login": "cloudflare:index/zeroTrustAccessIdentityProvider:ZeroTrustAccessIdentityProvider",
    "Tunnel": "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared",
    "Rules": "cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig",
    "Record": "cloudflare:index/dnsRecord:DnsRecord",
    "Zone": "cloudflare:index/zone:Zone",
    "Dnssec": "cloudflare:index/zoneDnssec:ZoneDnssec",
    "Acl": "tailscale:index/acl:Acl",
    "Service": "kubernetes:core/v1:Service",
    "Deployment": "kubernetes:apps/v1:Deployment",
    "CronJob": "kubernetes:batch/v1:CronJob",
    "Pod": "kubernetes:core/v1:Pod",
    "DeploymentPatch": "kubernetes:apps/v1:DeploymentPatch",
    "PodList": "kubernetes:core/v1:PodList",
    "Rollout": "kubernetes:argoproj.io/v1alpha1:Rollout",
    "ConfigMap": "kubernetes:core/v1:ConfigMap",
    "Release": "kubernetes:helm.sh/v3:Release",
}


def resource(kind: str, name: str, protect: bool = False, /, **inputs: Any) -> Resource:
    """A resource of a class (short, see `_CLASSES`), depending on nothing."""
    token = _CLASSES[kind]
    return Resource(token, name, f"urn:pulumi:s::gatehouse::{token}::{name}", inputs, protect)


def made_from(resource: Resource, /, **properties: list[Resource]) -> Resource:
    """The resource with inputs made from others, and so depending on them."""
    by_property = {name: tuple(other.urn for other in others) for name, others in properties.items()}
    dependencies = sorted({urn for urns in by_property.values() for urn in urns})
    return replace(resource, dependencies=tuple(dependencies), by_property=by_property)


def good_stack() -> dict[str, Resource]:
    """A host behind Access with an open path and ACME, a public host, and what there is one of. By logical name."""
    login = resource("Login", "google", type="google", name="Google")
    group = resource("Group", "people", includes=[{"email": {"email": "alice@example.com"}}])
    allow = resource("Policy", "allow", decision="allow", includes=[{"group": {"id": UNKNOWN}}])
    bypass = resource("Policy", "bypass", decision="bypass", includes=[{"everyone": {}}])
    deny = resource("Policy", "deny", decision="deny", includes=[{"everyone": {}}])
    few = resource("Policy", "few", decision="allow", includes=[{"email": {"email": "alice@example.com"}}])
    app = application("app", HOST, allow, login)
    api = application("api", f"{HOST}/api", bypass)
    acme = application("acme", f"{HOST}{ACME}", bypass)
    elsewhere = {"type": "public", "uri": "other.example.com/elsewhere"}
    acme = spoiled(acme, lambda inputs: inputs["destinations"].append(elsewhere))
    tunnel = resource("Tunnel", "tunnel", True, name="alfred")
    rules = resource(
        "Rules",
        "rules",
        config={
            "ingresses": [
                {"hostname": HOST, "path": r"^/\.well-known/acme-challenge/", "service": "http://ingress:80"},
                {"hostname": HOST, "path": "^/api(/|$)", "service": "http://grafana:3000"},
                rule(HOST, UNKNOWN, UNKNOWN, UNKNOWN),
                {"hostname": "blog.example.com", "service": "http://blog:80"},
                {"service": "http_status:404"},
            ]
        },
    )
    rules = made_from(rules, config=[app, api, acme], tunnelId=[tunnel])
    found = [
        login,
        group,
        made_from(allow, includes=[group]),
        bypass,
        deny,
        few,
        app,
        api,
        acme,
        tunnel,
        rules,
        record("dns", HOST, app, api, acme, rules),
        record("blog", "blog.example.com", rules),
        resource("Record", "game", type="A", name="game.example.com", content="203.0.113.7", proxied=False, ttl=300),
        resource("Zone", "zone", True, name="example.com"),
        resource("Dnssec", "dnssec", True, status="active"),
        resource("Acl", "acl", True, acl="{}"),
        resource("Deployment", "connector", **deployment(pod())),
        resource(
            "Service",
            "database",
            spec={
                "type": "LoadBalancer",
                "loadBalancerClass": "tailscale",
                "allocateLoadBalancerNodePorts": False,
                "ports": [{"port": 5432}],
            },
        ),
    ]
    return {r.name: r for r in found}


def application(name: str, uri: str, policy: Resource, *logins: Resource) -> Resource:
    """An application for `host` or `host/path`."""
    found = resource(
        "Application",
        name,
        type="self_hosted",
        destinations=[{"type": "public", "uri": uri}],
        policies=[{"id": UNKNOWN, "precedence": 1}],
        **({"allowedIdps": [UNKNOWN for _ in logins]} if logins else {}),
    )
    return made_from(found, policies=[policy], **({"allowedIdps": list(logins)} if logins else {}))


def rule(host: str, *auds: str, path: str | None = None) -> dict[str, Any]:
    """A tunnel rule that demands a JWT."""
    access = {"required": True, "teamName": TEAM, "audTags": list(auds)}
    found = {"hostname": host, "service": "http://grafana:3000", "originRequest": {"access": access}}
    return found if path is None else {**found, "path": path}


def record(name: str, host: str, *after: Resource) -> Resource:
    """A record of the tunnel."""
    found = resource("Record", name, type="CNAME", name=host, content=UNKNOWN, proxied=True, ttl=1)
    return replace(found, dependencies=tuple(r.urn for r in after))


def pod() -> dict[str, Any]:
    """A pod's spec that `restricted` admits."""
    return {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "main",
                "image": "example/image:1",
                "args": ["tunnel", "run"],
                "env": [{"name": "TUNNEL_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token"}}}],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }


def deployment(spec: object, **metadata: object) -> dict[str, Any]:
    """A Deployment's inputs around a pod's spec."""
    return {"kind": "Deployment", "spec": {"template": {"metadata": metadata, "spec": spec}}}


def spoiled(resource: Resource, change: Callable[[Any], object]) -> Resource:
    """The resource with its inputs changed by `change`, which gets a copy of them."""
    inputs = copy.deepcopy(dict(resource.inputs))
    change(inputs)
    return replace(resource, inputs=inputs)


def findings(stack: Mapping[str, Resource] | list[Resource]) -> list[Finding]:
    """What all rules find."""
    return check(stack.values() if isinstance(stack, Mapping) else stack)


def broken(stack: Mapping[str, Resource] | list[Resource]) -> set[tuple[str, str]]:
    """(rule, logical name) of every finding that was judged."""
    return {(f.rule, f.problem.resource.name) for f in findings(stack) if f.judged}


def unjudged(stack: Mapping[str, Resource] | list[Resource]) -> set[tuple[str, str]]:
    """(rule, logical name) of every finding that could not be judged."""
    return {(f.rule, f.problem.resource.name) for f in findings(stack) if not f.judged}
