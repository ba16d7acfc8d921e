"""What the program registers for alfred: the part of the catalogue that components keep, whatever a file says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from config.secrets import SECRETS
from gatehouse import offline
from tests.exposure.rules.plans import ROOT


class Registered:
    """Everything registered, as in `up`: an application's AUD is `aud-<name>`, an id `id-<name>`."""

    def __init__(self, found: offline.Offline) -> None:
        self.steps = found.steps

    def all(self, kind: str) -> list[offline.Step]:
        return [s for s in self.steps if s.type.rsplit(":", 1)[1] == kind]

    def inputs(self, kind: str) -> list[dict[str, Any]]:
        found = [dict(s.state["inputs"]) for s in self.all(kind)]  # type: ignore[call-overload]
        assert found, kind
        return found

    @property
    def rules(self) -> list[dict[str, Any]]:
        (configuration,) = self.inputs("ZeroTrustTunnelCloudflaredConfig")
        rules: list[dict[str, Any]] = configuration["config"]["ingresses"]
        return rules


def _computed(kind: str, name: str, inputs: Mapping[str, object]) -> Mapping[str, object]:
    return {"id": f"id-{name}", "aud": f"aud-{name}", "nameServers": ["a.example.com", "b.example.com"]}


@pytest.fixture(scope="module")
def alfred() -> Registered:
    secrets = {secret.key: secret.simulated for secret in SECRETS}
    return Registered(offline.run_offline(ROOT, "alfred", False, secrets=secrets, computed=_computed))


def test_access_is_demanded_rule_by_rule(alfred: Registered) -> None:
    (configuration,) = alfred.inputs("ZeroTrustTunnelCloudflaredConfig")
    assert set(configuration["config"]) == {"ingresses"}
    demanded = {
        r["hostname"]: r["originRequest"]["access"] for r in alfred.rules if "access" in r.get("originRequest", {})
    }
    apps = alfred.inputs("ZeroTrustAccessApplication")
    names = [s.name for s in alfred.all("ZeroTrustAccessApplication")]
    auds: dict[str, set[str]] = {}
    for name, app in zip(names, apps, strict=True):
        (destination,) = app["destinations"]
        auds.setdefault(destination["uri"].split("/")[0], set()).add(f"aud-{name}")
    assert {host: set(access["audTags"]) for host, access in demanded.items()} == auds
    assert len(demanded) == 6
    for access in demanded.values():
        assert access["required"] is True
        assert access["teamName"] == "high-energy-building"


def test_a_tunnel_record_is_proxied_with_ttl_1(alfred: Registered) -> None:
    records = alfred.inputs("DnsRecord")
    tunnel = [r for r in records if r["type"] == "CNAME"]
    assert len(tunnel) == 7
    for record in tunnel:
        assert record["content"] == "id-alfred-tunnel.cfargotunnel.com"
        assert (record["proxied"], record["ttl"]) == (True, 1)
    assert any(not r["proxied"] for r in records)


def test_the_tunnel_is_remotely_managed_and_protected(alfred: Registered) -> None:
    (step,) = alfred.all("ZeroTrustTunnelCloudflared")
    assert step.state["protect"] is True
    assert alfred.inputs("ZeroTrustTunnelCloudflared")[0]["configSrc"] == "cloudflare"


def test_nothing_scales_the_connector(alfred: Registered) -> None:
    assert not [s.type for s in alfred.steps if "autoscal" in s.type.lower()]
    (deployment,) = alfred.inputs("Deployment")
    assert 1 <= deployment["spec"]["replicas"] <= 25


def test_the_connector_may_call_what_it_needs(alfred: Registered) -> None:
    (policy,) = alfred.inputs("NetworkPolicy")
    egress = policy["spec"]["egress"]
    ports = {(p["protocol"], p["port"]) for rule in egress for p in rule.get("ports", [])}
    assert {("TCP", 7844), ("UDP", 7844), ("TCP", 53), ("UDP", 53), ("TCP", 443)} <= ports
    namespaces = {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in egress
        for peer in rule["to"]
        if "namespaceSelector" in peer
    }
    called = {m[1] for r in alfred.rules if (m := re.search(r"//[^.]+\.([^.]+)\.svc\.", r["service"]))}
    assert len(called) > 4
    assert called <= namespaces
    # Not to be had by leaving everything open.
    assert all(rule.get("to") for rule in egress)


def test_the_token_comes_from_a_secret(alfred: Registered) -> None:
    (deployment,) = alfred.inputs("Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert not [a for a in container["args"] if "token" in a.lower()]
    (token,) = [e for e in container["env"] if e["name"] == "TUNNEL_TOKEN"]
    assert "value" not in token
    assert token["valueFrom"]["secretKeyRef"]["key"] == "token"
    for secret in alfred.inputs("Secret"):
        assert "[secret]" in json.dumps(secret)


def test_zone_dnssec_and_policy_are_protected(alfred: Registered) -> None:
    for kind, retained in (("Zone", True), ("ZoneDnssec", True), ("Acl", None), ("DnsPreferences", True)):
        (step,) = [s for s in alfred.all(kind) if not s.type.startswith("gatehouse:")]
        assert step.state.get("protect") is True, kind
        assert step.state.get("retainOnDelete") is retained, kind


def test_an_ingress_names_its_class_once(alfred: Registered) -> None:
    for ingress in alfred.inputs("Ingress"):
        assert ingress["spec"]["ingressClassName"]
        assert "kubernetes.io/ingress.class" not in ingress["metadata"]["annotations"]
        assert not [k for k in ingress["metadata"]["annotations"] if k.startswith("acme.cert-manager.io/")]


def test_an_application_has_one_policy(alfred: Registered) -> None:
    for application in alfred.inputs("ZeroTrustAccessApplication"):
        (policy,) = application["policies"]
        assert set(policy) == {"id", "precedence"}
        assert policy["precedence"] == 1


def test_a_policy_includes_one_group(alfred: Registered) -> None:
    decisions = {}
    for policy in alfred.inputs("ZeroTrustAccessPolicy"):
        assert not set(policy) & {"requires", "excludes"}
        (include,) = policy["includes"]
        (selector,) = include
        decisions[policy["decision"]] = selector
    assert decisions == {"allow": "group", "bypass": "everyone"}
    for group in alfred.inputs("ZeroTrustAccessGroup"):
        assert group["includes"]
        assert all(set(i) == {"email"} for i in group["includes"])
        assert not set(group) & {"requires", "excludes"}
    assert not alfred.all("ZeroTrustAccessServiceToken")


def test_instant_auth_has_google_alone(alfred: Registered) -> None:
    (provider,) = alfred.inputs("ZeroTrustAccessIdentityProvider")
    assert provider["type"] == "google"
    behind = [a for a in alfred.inputs("ZeroTrustAccessApplication") if "/" not in a["destinations"][0]["uri"]]
    assert len(behind) == 6
    for application in behind:
        assert application["autoRedirectToIdentity"] is True
        assert application["allowedIdps"] == ["id-google-idp"]
    for application in alfred.inputs("ZeroTrustAccessApplication"):
        assert application.get("sameSiteCookieAttribute") != "strict"


def test_a_session_is_no_longer_than_its_policys(alfred: Registered) -> None:
    durations = {p["sessionDuration"] for p in alfred.inputs("ZeroTrustAccessPolicy") if p["decision"] == "allow"}
    assert durations == {"24h"}
    for application in alfred.inputs("ZeroTrustAccessApplication"):
        assert application["sessionDuration"] in durations


def test_no_other_singleton_is_registered(alfred: Registered) -> None:
    kinds = [s.type.rsplit(":", 1)[1] for s in alfred.steps]
    for kind in (
        "DnsConfiguration",
        "DnsNameservers",
        "DnsSearchPaths",
        "DnsSplitNameservers",
        "ZeroTrustOrganization",
    ):
        assert kind not in kinds
    for kind in ("Acl", "DnsPreferences", "TailnetSettings", "ZoneDnssec", "ZeroTrustAccessIdentityProvider"):
        assert kinds.count(kind) == 1


def test_a_tailscale_ingress_is_one_the_operator_reads(alfred: Registered) -> None:
    ingresses = [i for i in alfred.inputs("Ingress") if i["spec"]["ingressClassName"] == "tailscale"]
    assert len(ingresses) == 4
    for ingress in ingresses:
        spec, annotations = ingress["spec"], ingress["metadata"]["annotations"]
        (tls,) = spec["tls"]
        (machine,) = tls["hosts"]
        assert re.fullmatch(r"[a-z0-9-]+", machine)
        assert set(spec) == {"ingressClassName", "tls", "defaultBackend"}
        assert re.fullmatch(r"tag:[a-z][a-z0-9-]*", annotations["tailscale.com/tags"])
        assert "tailscale.com/proxy-group" not in annotations
    for service in alfred.inputs("Service"):
        assert "tailscale.com/funnel" not in service["metadata"].get("annotations", {})


def test_only_the_operator_runs_proxies(alfred: Registered) -> None:
    everything = json.dumps([s.state for s in alfred.steps], default=str)
    assert not re.search(r"TS_SERVE_CONFIG|TS_KUBE_SECRET|TS_AUTHKEY|AllowFunnel", everything)
    assert "tailscale.com/funnel" in everything
    assert not [s for s in alfred.steps if s.type.endswith(("StatefulSet", "DaemonSet", "TailnetKey"))]
