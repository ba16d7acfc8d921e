"""A program of every simulated type, and its runs; `test_with_the_engine` starts it in a process of its own.

`python -m tests.simulation.life FOLDER PROGRAM STEP…`: steps are `preview`, `up`, `refresh`, `destroy`, `key=value`
(sets config) and `forget` (the state keeps as outputs of what is in Cloudflare the inputs alone); prints one JSON line
a step: the counts by operation and the outputs, or the error.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pulumi
from pulumi import automation

from gatehouse.simulation.launch import SimulatedClouds
from tests.simulation.plugin import ACCOUNT

ZONE = "example.com"
SECRETS = {
    "tunnel": base64.b64encode(b"made up, thirty-two bytes of it.").decode(),
    "google": "made-up-google-secret",
    "api": "made-up-api-token",
}
SERVICES = ("grafana", "unifi")


def cloudflare(options: pulumi.ResourceOptions, changed: bool) -> pulumi.Output[str]:
    """Every Cloudflare type, in born-locked order; gives the tunnel's token."""
    import pulumi_cloudflare as cf

    def also(*before: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(provider=options.provider, depends_on=list(before))

    zone = cf.Zone("zone", account={"id": ACCOUNT}, name=ZONE, type="full", opts=options)
    settings: dict[str, Any] = {
        "ssl": "strict",
        "min_tls_version": "1.2",
        "security_header": {"strict_transport_security": {"enabled": True, "max_age": 86400}},
    }
    for name, value in settings.items():
        cf.ZoneSetting(name, zone_id=zone.id, setting_id=name, value=value, opts=options)
    cf.ZoneDnssec("dnssec", zone_id=zone.id, status="active", opts=options)
    tunnel = cf.ZeroTrustTunnelCloudflared(
        "tunnel",
        account_id=ACCOUNT,
        name="alfred",
        config_src="cloudflare",
        tunnel_secret=SECRETS["tunnel"],
        opts=options,
    )
    idp = cf.ZeroTrustAccessIdentityProvider(
        "google",
        account_id=ACCOUNT,
        name="Google",
        type="google",
        config={"client_id": "id", "client_secret": pulumi.Output.secret(SECRETS["google"])},
        opts=options,
    )
    addresses = ["ada@example.com", "bob@example.com", *(["eve@example.com"] if changed else [])]
    group = cf.ZeroTrustAccessGroup(
        "people",
        account_id=ACCOUNT,
        name="people",
        includes=[{"email": {"email": address}} for address in addresses],
        opts=options,
    )
    policy = cf.ZeroTrustAccessPolicy(
        "allow",
        account_id=ACCOUNT,
        name="allow",
        decision="allow",
        includes=[{"group": {"id": group.id}}],
        session_duration="24h",
        opts=options,
    )
    apps = {
        name: cf.ZeroTrustAccessApplication(
            f"{name}-app",
            account_id=ACCOUNT,
            type="self_hosted",
            name=name,
            destinations=[{"type": "public", "uri": f"{name}.{ZONE}"}],
            allowed_idps=[idp.id],
            auto_redirect_to_identity=True,
            policies=[{"id": policy.id, "precedence": 1}],
            session_duration="24h",
            opts=also(zone),
        )
        for name in SERVICES
    }
    rules: list[Any] = [
        {
            "hostname": f"{name}.{ZONE}",
            "service": "http://web.default:80",
            "origin_request": {"access": {"required": True, "team_name": "team", "aud_tags": [app.aud]}},
        }
        for name, app in apps.items()
    ]
    config = cf.ZeroTrustTunnelCloudflaredConfig(
        "rules",
        account_id=ACCOUNT,
        tunnel_id=tunnel.id,
        config={"ingresses": [*rules, {"service": "http_status:404"}]},
        opts=options,
    )
    for name in SERVICES:
        cf.DnsRecord(
            f"{name}-dns",
            zone_id=zone.id,
            name=f"{name}.{ZONE}",
            type="CNAME",
            content=pulumi.Output.concat(tunnel.id, ".cfargotunnel.com"),
            ttl=1,
            proxied=True,
            comment="changed" if changed else "new",
            opts=also(config),
        )
    pulumi.export("aud", apps["grafana"].aud)
    pulumi.export("nameServers", zone.name_servers)
    return tunnel.id.apply(
        lambda id_: base64.b64encode(json.dumps({"a": ACCOUNT, "t": id_, "s": SECRETS["tunnel"]}).encode()).decode()
    )


def tailscale(options: pulumi.ResourceOptions) -> Any:
    """Every Tailscale type; gives the operator's client."""
    import pulumi_tailscale as ts

    policy = {
        "tagOwners": {"tag:k8s-operator": [], "tag:k8s": ["tag:k8s-operator"]},
        "grants": [{"src": ["ada@example.com"], "dst": ["tag:k8s"], "ip": ["tcp:443"]}],
        "tests": [{"src": "ada@example.com", "accept": ["tag:k8s:443"], "deny": ["tag:k8s:22"]}],
    }
    acl = ts.Acl("policy", acl=json.dumps(policy), opts=options)
    after = pulumi.ResourceOptions(provider=options.provider, depends_on=[acl])
    ts.DnsPreferences("dns", magic_dns=True, opts=options)
    ts.TailnetSettings("settings", https_enabled=True, opts=options)
    return ts.OauthClient("oauth", scopes=["devices:core", "auth_keys"], tags=["tag:k8s-operator"], opts=after)


def kubernetes(options: pulumi.ResourceOptions, token: Any, client: Any, changed: bool) -> None:
    """The kinds the program uses."""
    import pulumi_kubernetes as k8s

    labels = {"app": "cloudflared"}
    space = k8s.core.v1.Namespace("space", metadata={"name": "cloudflared"}, opts=options)

    def named(name: str) -> Any:
        return {"name": name, "namespace": space.metadata.name}

    k8s.core.v1.NamespacePatch("patch", metadata={"name": "default", "labels": {"ours": "yes"}}, opts=options)
    secret = k8s.core.v1.Secret(
        "token", metadata=named("token"), string_data={"token": pulumi.Output.secret(token)}, opts=options
    )
    k8s.core.v1.ConfigMap("map", metadata=named("map"), data={"changed": str(changed)}, opts=options)
    environment: Any = [{"name": "TUNNEL_TOKEN", "value_from": {"secret_key_ref": {"name": "token", "key": "token"}}}]
    container = {"name": "c", "image": "cloudflare/cloudflared:2025.1.0", "env": environment}
    pod: Any = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    selector: Any = {"match_labels": labels}
    k8s.apps.v1.Deployment(
        "connector",
        metadata=named("cloudflared"),
        spec={"replicas": 3 if changed else 2, "selector": selector, "template": pod},
        opts=pulumi.ResourceOptions(provider=options.provider, depends_on=[secret]),
    )
    ports: Any = [{"port": 25565, "node_port": 32565}]
    k8s.core.v1.Service(
        "service",
        metadata=named("minecraft"),
        spec={"type": "NodePort", "selector": labels, "ports": ports},
        opts=options,
    )
    k8s.policy.v1.PodDisruptionBudget(
        "pdb", metadata=named("pdb"), spec={"min_available": 1, "selector": selector}, opts=options
    )
    k8s.networking.v1.NetworkPolicy(
        "wall", metadata=named("wall"), spec={"pod_selector": selector, "policy_types": ["Egress"]}, opts=options
    )
    k8s.networking.v1.Ingress(
        "funnel",
        metadata=named("komga"),
        spec={"ingress_class_name": "tailscale", "tls": [{"hosts": ["komga-alfred"]}]},
        opts=options,
    )
    k8s.helm.v3.Release(
        "operator",
        chart="tailscale-operator",
        version="1.80.0",
        namespace="tailscale",
        create_namespace=True,
        values={"oauth": {"clientId": client.id, "clientSecret": client.key}},
        opts=options,
    )


def program() -> None:
    import pulumi_cloudflare
    import pulumi_kubernetes
    import pulumi_tailscale

    changed = pulumi.Config().get_bool("changed") or False
    secret = pulumi.Output.secret(SECRETS["api"])
    providers = (
        pulumi_cloudflare.Provider("cloudflare", api_token=secret),
        pulumi_tailscale.Provider("tailscale", api_key=secret),
        pulumi_kubernetes.Provider("kubernetes", context="alfred"),
    )
    one, two, three = (pulumi.ResourceOptions(provider=provider) for provider in providers)
    token = cloudflare(one, changed)
    kubernetes(three, token, tailscale(two), changed)


def refused() -> None:
    """Two records with one name, unless told otherwise."""
    import pulumi_cloudflare as cf

    options = pulumi.ResourceOptions(provider=cf.Provider("cloudflare"))
    zone = cf.Zone("zone", account={"id": ACCOUNT}, name=ZONE, opts=options)
    before: list[pulumi.Resource] = []
    for name in ("one", "two"):
        label = pulumi.Config().get(name) or "a"
        target = "x.example.net"
        # One after the other, so that it is always the second that is refused.
        after = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=before))
        before = [
            cf.DnsRecord(name, zone_id=zone.id, name=f"{label}.{ZONE}", type="CNAME", content=target, ttl=1, opts=after)
        ]


def forget(stack: automation.Stack) -> None:
    """Leaves in the state what a program can know without the plugin."""
    exported = stack.export_stack()
    for resource in (exported.deployment or {})["resources"]:
        if resource["type"].startswith("cloudflare:"):
            resource["outputs"] = resource["inputs"]
    stack.import_stack(exported)


def main(folder: Path, which: str, *steps: str) -> None:
    """Runs the steps on new clouds and a new stack in `folder`."""
    with SimulatedClouds(folder / "clouds.json") as clouds:
        for name in ("home", "state"):
            (folder / name).mkdir()
        variables = {
            **clouds.env,
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "made up",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        stack = automation.create_stack(
            "test",
            project_name="life",
            program={"program": program, "refused": refused}[which],
            opts=automation.LocalWorkspaceOptions(work_dir=str(folder), env_vars=variables),
        )
        for step in steps:
            if step == "forget":
                forget(stack)
                continue
            key, given, value = step.partition("=")
            if given:
                stack.set_config(key, automation.ConfigValue(value))
                continue
            try:
                done = getattr(stack, step)()
            except automation.CommandError as error:
                print(json.dumps({"step": step, "error": str(error)}), flush=True)
                continue
            counts = done.change_summary if step == "preview" else done.summary.resource_changes
            outputs = getattr(done, "outputs", {})
            shown = {name: one.value for name, one in outputs.items() if not one.secret}
            print(json.dumps({"step": step, "counts": counts, "outputs": shown}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
