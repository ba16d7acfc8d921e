"""A set-up that somebody made by hand, in the simulated clouds: names of their own choosing, nothing of Gatehouse's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatehouse.simulation.store import Store

ACCOUNT = "0" * 32
ZONE = "a" * 32
TUNNEL = "11111111-2222-4333-8444-555555555555"
GOOGLE = "aaaaaaaa-0000-4000-8000-000000000001"
PIN = "aaaaaaaa-0000-4000-8000-000000000002"
FAMILY = "bbbbbbbb-0000-4000-8000-000000000001"
FAMILY_POLICY = "cccccccc-0000-4000-8000-000000000001"
OPEN_POLICY = "cccccccc-0000-4000-8000-000000000002"
GRAPHS = "dddddddd-0000-4000-8000-000000000001"
GRAPHS_API = "dddddddd-0000-4000-8000-000000000002"
STRANGER = "dddddddd-0000-4000-8000-000000000003"
COMPUTED = {"aud", "domain", "nameServers", "version"}
TARGET = f"{TUNNEL}.cfargotunnel.com"

NODE: Mapping[str, Any] = {
    "name": "alfred",
    "router_ipv4": "203.0.113.7",
    "lan_ipv4": "192.168.0.124",
    "context": "alfred",
}
ESTATE: Mapping[str, Any] = {
    "account_id": ACCOUNT,
    "team": "team",
    "zone": {"name": "example.com"},
    "google": {"client_id": "1-a.apps.googleusercontent.com"},
    "people": {"household": ["alice@example.com", "bob@example.com"]},
    "default_people": "household",
    "tailnet": {"name": "tail.ts.net"},
}
STACK = """\
# My house. This comment stays.
config:
  gatehouse:node:
    name: alfred  # the Raspberry Pi
    router_ipv4: 203.0.113.7
    lan_ipv4: 192.168.0.124
    context: alfred

  gatehouse:estate:
    account_id: '00000000000000000000000000000000'
    team: team
    zone: {name: example.com}
    google: {client_id: 1-a.apps.googleusercontent.com}
    people:
      household:
        - alice@example.com
        - bob@example.com
    default_people: household
    tailnet: {name: tail.ts.net}
"""
"""A first stack file: node and estate, and no service yet."""


def objects() -> dict[str, dict[str, Any]]:
    """The clouds' objects by their keys."""
    email = [{"email": {"email": e}} for e in ("bob@example.com", "alice@example.com")]
    header = dict.fromkeys(("enabled", "include_subdomains", "preload", "nosniff"), False) | {"max_age": 0}
    settings: dict[str, Any] = {
        "ssl": "full",
        "min_tls_version": "1.0",
        "always_use_https": "off",
        "automatic_https_rewrites": "on",
        "security_header": {"strict_transport_security": header},
    }
    found: dict[str, dict[str, Any]] = {
        f"cloudflare/zone/{ZONE}": {
            "account": {"id": ACCOUNT},
            "name": "example.com",
            "type": "full",
            "status": "active",
            "nameServers": ["ada.ns.cloudflare.com", "jay.ns.cloudflare.com"],
        },
        f"cloudflare/dnssec/{ZONE}": {"zoneId": ZONE, "status": "disabled"},
        f"cloudflare/tunnel/{TUNNEL}": {"accountId": ACCOUNT, "name": "my homelab", "configSrc": "cloudflare"},
        f"cloudflare/tunnel-config/{TUNNEL}": {
            "accountId": ACCOUNT,
            "tunnelId": TUNNEL,
            "version": 7,
            "config": {
                "ingresses": [
                    {"hostname": "graphs.example.com", "service": "http://grafana.monitoring.svc.cluster.local:3000"},
                    {"hostname": "blog-alfred.example.com", "service": "http://blog.web.svc:8080"},
                    {"service": "http_status:404"},
                ]
            },
        },
        f"cloudflare/idp/{GOOGLE}": {
            "accountId": ACCOUNT,
            "name": "Log in with Google",
            "type": "google",
            "config": {"clientId": "client"},
        },
        f"cloudflare/idp/{PIN}": {"accountId": ACCOUNT, "name": "One-time PIN", "type": "onetimepin", "config": {}},
        f"cloudflare/access-group/{FAMILY}": {"accountId": ACCOUNT, "name": "Family", "includes": email},
        f"cloudflare/access-policy/{FAMILY_POLICY}": {
            "accountId": ACCOUNT,
            "name": "Only us",
            "decision": "allow",
            "includes": [{"group": {"id": FAMILY}}],
            "sessionDuration": "720h",
        },
        f"cloudflare/access-policy/{OPEN_POLICY}": {
            "accountId": ACCOUNT,
            "name": "wide open",
            "decision": "bypass",
            "includes": [{"everyone": {}}],
            "sessionDuration": "24h",
        },
        f"cloudflare/access-app/{GRAPHS}": application(GRAPHS, "Our graphs", "graphs.example.com", FAMILY_POLICY),
        f"cloudflare/access-app/{GRAPHS_API}": application(
            GRAPHS_API, "graphs for scripts", "graphs.example.com/api", OPEN_POLICY
        ),
        f"cloudflare/access-app/{STRANGER}": application(STRANGER, "NAS", "nas.example.com", FAMILY_POLICY),
        "tailscale/dns-preferences": {"magicDns": True},
        "tailscale/settings": {"httpsEnabled": True},
    }
    for name, value in settings.items():
        found[f"cloudflare/setting/{ZONE}/{name}"] = {"zoneId": ZONE, "settingId": name, "value": value}
    for number, (name, type_, content, proxied) in enumerate(
        (
            ("graphs.example.com", "CNAME", TARGET, True),
            ("blog-alfred.example.com", "CNAME", TARGET, True),
            ("nas.example.com", "A", "198.51.100.9", False),
            ("example.com", "MX", "mail.example.net", False),
        )
    ):
        found[f"cloudflare/dns/{ZONE}/{number:032x}"] = {
            "zoneId": ZONE,
            "name": name,
            "type": type_,
            "content": content,
            "proxied": proxied,
            "ttl": 1 if proxied else 300,
        }
    found |= cluster()
    return found


def application(id_: str, name: str, uri: str, policy: str) -> dict[str, Any]:
    """An Access application as somebody makes it in the dashboard."""
    return {
        "accountId": ACCOUNT,
        "name": name,
        "type": "self_hosted",
        "destinations": [{"type": "public", "uri": uri}],
        "domain": uri,
        "policies": [{"id": policy, "precedence": 1}],
        "sessionDuration": "720h",
        "appLauncherVisible": True,
        "aud": hashlib.sha256(id_.encode()).hexdigest(),
    }


def cluster() -> dict[str, dict[str, Any]]:
    """A cluster with cloudflared, and one Ingress of the Tailscale operator."""
    pod = {"containers": [{"name": "c", "image": "cloudflare/cloudflared:2025.1.0"}]}
    operator = {"containers": [{"name": "o", "image": "tailscale/k8s-operator:v1.102.3"}]}

    def deployment(namespace: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        labels = {"app": name}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
        }

    found: dict[str, dict[str, Any]] = {
        f"v1/Namespace/-/{name}": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in ("cloudflared", "media", "tailscale", "monitoring", "web")
    }
    found["apps/v1/Deployment/cloudflared/cloudflared"] = deployment("cloudflared", "cloudflared", pod)
    found["apps/v1/Deployment/tailscale/operator"] = deployment("tailscale", "operator", operator)
    found["v1/Service/media/komga"] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "komga", "namespace": "media"},
        "spec": {"ports": [{"name": "web", "port": 25600}], "clusterIP": "10.0.0.9"},
    }
    found["networking.k8s.io/v1/Ingress/media/comics"] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "comics", "namespace": "media", "annotations": {"tailscale.com/funnel": "true"}},
        "spec": {
            "ingressClassName": "tailscale",
            "defaultBackend": {"service": {"name": "komga", "port": {"name": "web"}}},
            "tls": [{"hosts": ["comics"]}],
        },
    }
    return {f"kubernetes/alfred/{key}": body for key, body in found.items()}


def write(path: Path, more: Mapping[str, Mapping[str, Any] | None] | None = None) -> None:
    """Put the set-up into a world of the simulated clouds; `more` adds objects, or takes them out (None)."""
    store = Store(path)
    try:
        with store.transaction():
            for key, body in {**objects(), **(more or {})}.items():
                if body is not None:
                    given = sorted(set(body) - COMPUTED - ({"status"} if "/zone/" in key else set()))
                    item = {"body": dict(body), "given": given, "id": key.rsplit("/", 1)[-1], "urn": ""}
                    store.put(key, item)
    finally:
        store.close()


def read(path: Path) -> dict[str, Any]:
    """The objects that are there now."""
    found: dict[str, Any] = json.loads(path.read_text())["objects"]
    return found
