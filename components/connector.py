"""cloudflared in the cluster: the tunnel's end at home."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.base import Component
from components.given import reads, refuse
from components.manifests import FORCED, GIVEN_TO_SECRETS, GIVEN_TO_SERVICES, SKIP_AWAIT, UNHURRIED, ours
from config.services import Connector as Settings
from config.values import CA_FOLDER, Certificates, Image, OriginUrl, replicas
from exposure.model import TunnelRule

IMAGE = "cloudflare/cloudflared:2026.8.2"
"""Pinned: 2026.8.0 and .1 normalised request paths, which path rules depend on [CFD RELEASE_NOTES]."""
SECRET_NAME = "cloudflared-token"
_METRICS_PORT = 2000
_EDGE_PORT = 7844
_USER = 65532
_GRACE_SECONDS = 30
_RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}
_CA = "cloudflared-ca"
# How long `up` waits for pods that have a certificate, in seconds.
_AWAITED = {**UNHURRIED, "pulumi.com/timeoutSeconds": "300"}
# What is never Cloudflare: home networks, carrier-grade NAT (Tailscale too), link-local.
_LINK_LOCAL = "169.254.0.0/16"
_PRIVATE4 = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", _LINK_LOCAL]
_PRIVATE6 = ["fc00::/7", "fe80::/10"]


class Connector(Component):
    """cloudflared as a Deployment that Pod Security `restricted` admits.

    Takes the tunnel's token (a secret; None where manifests are rendered, for they would hold it in clear), the
    tunnel's rules, whose origins are all that it may call, and its settings (namespace, replicas 1 to 25, image,
    protocol, further ports that it may call). `after` is what must be there first, and go last: the tunnel.

    `certificates` are those that rules name as their `ca_pool`, by `Certificates.path`; such rules wait for `behind`.
    cloudflared reads the files when it gets a rule list, and refuses the whole list where one is missing [CFD
    ingress/origin_service.go, orchestration/orchestrator.go]. So a file is there before a rule names it, and stays
    until none does:

    - Every pod has the directory, from one ConfigMap that need not be there. Each file is a patch of it, named after
      its content: a changed certificate is another file beside the first.
    - A new file changes a note in the pods' template, so new pods start, which have it. `up` waits for them, up to five
      minutes, and only then registers the rules.
    - A file that no rule names any more is deleted by the engine after everything else, the rules among it.

    Registers Namespace, Secret (named by Pulumi, so that a new token rolls the pods by itself), Deployment (non-root
    65532, read-only root, no capabilities, probes on `/ready`, which answers 503 without an edge connection, a grace
    period above cloudflared's 30 s), PodDisruptionBudget, Service for metrics, NetworkPolicy (out to 7844 TCP and UDP,
    DNS, the origins and, for the JWT check, 443) and a ConfigMapPatch a certificate [CFDOC deploy-kubernetes; platform
    limits of 25 replicas].

    Without certificates `up` does not wait for the pods: a cluster whose image is not there yet must not hold
    everything else up.

    Example:
        ```python
        Connector("alfred", token=tunnel.token, rules=app.rules, settings=Settings(), after=[tunnel])
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        token: pulumi.Input[str] | None,
        rules: Sequence[TunnelRule],
        settings: Settings,
        certificates: Iterable[Certificates] = (),
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        refuse(
            name,
            (("settings", "replicas"), replicas, settings.replicas),
            (("settings", "image"), Image.parse, settings.image or IMAGE),
        )
        super().__init__(name, opts)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace",
            metadata=ours(None, settings.namespace, labels=_RESTRICTED, annotations=SKIP_AWAIT),
            opts=self.child(),
        )
        secret_name: pulumi.Input[str] = SECRET_NAME
        if token is not None:
            secret = kubernetes.core.v1.Secret(
                f"{name}-token",
                metadata=ours(settings.namespace),
                string_data={"token": pulumi.Output.secret(token)},
                opts=self.child(depends_on=[namespace], ignore_changes=GIVEN_TO_SECRETS),
            )
            secret_name = secret.metadata.name
        labels = {"app.kubernetes.io/name": "cloudflared", "app.kubernetes.io/instance": name}
        files = {one.path.rpartition("/")[2]: str(one) for one in certificates}
        patches = [
            kubernetes.core.v1.ConfigMapPatch(
                f"{name}-ca-{file.removesuffix('.pem')}",
                metadata=ours(settings.namespace, _CA, annotations=FORCED),
                data={file: files[file]},
                opts=self.child(depends_on=[namespace]),
            )
            for file in sorted(files)
        ]
        deployment = kubernetes.apps.v1.Deployment(
            f"{name}-deployment",
            metadata=ours(
                settings.namespace, "cloudflared", labels=labels, annotations=_AWAITED if files else SKIP_AWAIT
            ),
            spec=_deployment(settings, labels, secret_name, sorted(files)),
            opts=self.child(depends_on=[namespace, *patches, *after]),
        )
        self.behind: list[pulumi.Resource] = [deployment] if files else []
        """What rules that name a certificate wait for."""
        kubernetes.policy.v1.PodDisruptionBudget(
            f"{name}-disruption",
            metadata=ours(settings.namespace, "cloudflared", labels=labels),
            # One replica with minAvailable 1 would block every drain of the node.
            spec={"max_unavailable": 1, "selector": {"match_labels": labels}},
            opts=self.child(depends_on=[namespace]),
        )
        kubernetes.core.v1.Service(
            f"{name}-metrics",
            metadata=ours(settings.namespace, "cloudflared-metrics", labels=labels, annotations=SKIP_AWAIT),
            spec={
                "selector": labels,
                "ports": [{"name": "metrics", "protocol": "TCP", "port": _METRICS_PORT, "target_port": _METRICS_PORT}],
            },
            opts=self.child(depends_on=[namespace], ignore_changes=GIVEN_TO_SERVICES),
        )
        kubernetes.networking.v1.NetworkPolicy(
            f"{name}-network",
            metadata=ours(settings.namespace, "cloudflared", labels=labels),
            spec=network_policy(rules, labels, settings.open_ports),
            opts=self.child(depends_on=[namespace]),
        )
        self.namespace = settings.namespace
        self.register_outputs({"namespace": settings.namespace})


def _deployment(
    settings: Settings, labels: dict[str, str], secret_name: pulumi.Input[str], files: Sequence[str]
) -> Any:
    probe = {
        "http_get": {"path": "/ready", "port": _METRICS_PORT},
        "period_seconds": 10,
        "timeout_seconds": 5,
    }
    arguments = ["tunnel", "--no-autoupdate", "--metrics", f"0.0.0.0:{_METRICS_PORT}"]
    if settings.protocol != "auto":
        arguments += ["--protocol", settings.protocol]
    return {
        "replicas": settings.replicas,
        "selector": {"match_labels": labels},
        # With the new pod up before the old one goes, the tunnel never closes.
        "strategy": {"type": "RollingUpdate", "rolling_update": {"max_surge": 1, "max_unavailable": 0}},
        "template": {
            "metadata": {
                "labels": labels,
                **({"annotations": {"gatehouse/certificates": " ".join(files)}} if files else {}),
            },
            "spec": {
                "automount_service_account_token": False,
                "enable_service_links": False,
                "termination_grace_period_seconds": _GRACE_SECONDS + 10,
                "security_context": {
                    "run_as_non_root": True,
                    "run_as_user": _USER,
                    "run_as_group": _USER,
                    "seccomp_profile": {"type": "RuntimeDefault"},
                },
                "topology_spread_constraints": [
                    {
                        "max_skew": 1,
                        "topology_key": "kubernetes.io/hostname",
                        # A single node takes both.
                        "when_unsatisfiable": "ScheduleAnyway",
                        "label_selector": {"match_labels": labels},
                    }
                ],
                # Always, for a pod that starts while the last certificate goes still has to have it.
                "volumes": [{"name": "ca", "config_map": {"name": _CA, "optional": True}}],
                "containers": [
                    {
                        "name": "cloudflared",
                        "image": settings.image or IMAGE,
                        "args": [*arguments, "run"],
                        "env": [
                            {
                                "name": "TUNNEL_TOKEN",
                                "value_from": {"secret_key_ref": {"name": secret_name, "key": "token"}},
                            }
                        ],
                        "volume_mounts": [{"name": "ca", "mount_path": CA_FOLDER, "read_only": True}],
                        "ports": [{"name": "metrics", "container_port": _METRICS_PORT, "protocol": "TCP"}],
                        "readiness_probe": {**probe, "failure_threshold": 3},
                        # `/ready` fails in every internet outage; restarts then help nobody, so they come late.
                        "liveness_probe": {**probe, "initial_delay_seconds": 30, "failure_threshold": 30},
                        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                        "security_context": {
                            "allow_privilege_escalation": False,
                            "read_only_root_filesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        },
    }


def network_policy(rules: Sequence[TunnelRule], labels: dict[str, str], open_ports: Sequence[int] = ()) -> Any:
    """What cloudflared may call, and who may read its metrics (pods of the cluster).

    An origin in the cluster opens its namespace on all ports: a NetworkPolicy sees the pod's port, and the stack file
    names the Service's. DNS is the cluster's pods, or a cache on the node at a link-local address (169.254.20.10 in
    Kubernetes' own manifest, 169.254.25.10 in Kubespray's).

    `open_ports` are opened by a rule without `to`, which every network plugin reads alike; to Cilium the node is in it
    [cilium pkg/k8s/network_policy.go, WildcardEndpointSelector]. A selector does not match pods on the host's network
    [Kubernetes, Network Policies], and under Cilium no address matches the node itself, unless `policy-cidr-match-mode`
    says so [docs.cilium.io, Layer 3 Policies, IP/CIDR based; cilium#34387].
    """
    internet = [
        {"ip_block": {"cidr": "0.0.0.0/0", "except_": _PRIVATE4}},
        {"ip_block": {"cidr": "::/0", "except_": _PRIVATE6}},
    ]
    egress: list[dict[str, Any]] = [
        {"to": [_namespace("kube-system"), {"ip_block": {"cidr": _LINK_LOCAL}}], "ports": _both([53])},
        {"to": internet, "ports": _both([_EDGE_PORT])},
    ]
    if any(rule.applications for rule in rules):
        # The team's public keys, at <team>.cloudflareaccess.com.
        egress.append({"to": internet, "ports": [{"protocol": "TCP", "port": 443}]})
    origins = sorted({OriginUrl(rule.origin) for rule in rules if not rule.origin.startswith("http_status:")})
    inside = {origin: origin.service for origin in origins}
    egress += [{"to": [_namespace(n)]} for n in sorted({found[0] for found in inside.values() if found})]
    egress += [_outside(origin) for origin in origins if inside[origin] is None]
    if open_ports:
        egress.append({"ports": _both(sorted(set(open_ports)))})
    return {
        "pod_selector": {"match_labels": labels},
        "policy_types": ["Ingress", "Egress"],
        "ingress": [{"from_": [{"namespace_selector": {}}], "ports": [{"protocol": "TCP", "port": _METRICS_PORT}]}],
        "egress": egress,
    }


def _namespace(name: str) -> dict[str, Any]:
    return {"namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": name}}}


def _both(ports: Sequence[int]) -> list[dict[str, Any]]:
    return [{"protocol": protocol, "port": port} for port in ports for protocol in ("TCP", "UDP")]


def _outside(origin: OriginUrl) -> dict[str, Any]:
    """An origin that is not in the cluster: by its address, or, where it is a name, its port anywhere."""
    address = origin.address
    cidrs = [f"{address}/{address.max_prefixlen}"] if address else ["0.0.0.0/0", "::/0"]
    return {
        "to": [{"ip_block": {"cidr": cidr}} for cidr in cidrs],
        "ports": [{"protocol": "TCP", "port": origin.port}],
    }
