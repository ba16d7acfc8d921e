"""What manifests of several components share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.base import Component
from config.values import ROOT, Path, label_name
from exposure.names import BACKEND_PORT, PROXY_GROUP

# An object that was taken over from a lost state has fields of the provider that wrote them before, under another name.
FORCED = {"pulumi.com/patchForce": "true"}
UNHURRIED = {"pulumi.com/deletionPropagationPolicy": "background", **FORCED}
"""Foreground deletion, the plugin's default, waits up to ten silent minutes for the cluster's garbage collector."""
SKIP_AWAIT = {"pulumi.com/skipAwait": "true", **UNHURRIED}
"""The plugin waits ten silent minutes for a Deployment, Service or Ingress; what it waits for may come later."""
# What the cluster gives and an import reads: that the program does not have it is no reason to replace the object
# [pulumi-kubernetes provider/pkg/provider/diff.go].
GIVEN_TO_SERVICES = ["spec.clusterIP", "spec.clusterIPs"]
GIVEN_TO_SECRETS = ["type"]
BY_PROXY_GROUP = ['metadata.annotations["tailscale.com/proxy-group"]']
"""What replaces an Ingress or Service of the operator's, the old one deleted first: of an annotation that comes or goes
it leaves its finalizer, and the machine of a Service [TS cmd/k8s-operator/svc.go, svc-for-pg.go, ingress-for-pg.go]."""
OURS = {"app.kubernetes.io/managed-by": "gatehouse"}
"""The label of each object that is Gatehouse's own: by it `gatehouse adopt` knows them where the state is lost."""
_MARKING = ("FunnelService", "TailnetService", "PortForward")


def ours(
    namespace: str | None,
    name: str | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] = UNHURRIED,
) -> Any:
    """The metadata of an object of Gatehouse's own; without a name Pulumi gives it one."""
    placed = {key: value for key, value in (("name", name), ("namespace", namespace)) if value is not None}
    return {**placed, "labels": {**(labels or {}), **OURS}, "annotations": dict(annotations)}


class RenderingProvider(kubernetes.Provider):
    """Writes manifests to a folder and applies nothing. Of this class, so that a component can tell."""


def shared_namespace(
    component: Component, namespace: str, beside: frozenset[str] = frozenset()
) -> list[pulumi.Resource]:
    """The namespace of somebody's Service: made where missing, never deleted, nothing in it touched.

    A Patch is server-side apply: it creates what is not there, and deleting it only gives its label back
    [pulumi-kubernetes provider/pkg/await]. Rendered it is an ordinary Namespace, in one file for all the services that
    are in it, and goes with the first of them: a GitOps tool that prunes would then delete the namespace and whatever
    is in it. So there is none; the Service that is exposed has its namespace. `beside` are the classes of components
    that the service has as well: each has a mark of its own.
    """
    if isinstance(component.get_provider("kubernetes:core/v1:NamespacePatch"), RenderingProvider):
        return []
    patch = kubernetes.core.v1.NamespacePatch(
        f"{component.name}-namespace",
        metadata={
            "name": namespace,
            "labels": {f"gatehouse.exposes/{label_name(component.name)}": "true"},
            "annotations": FORCED,
        },
        # A service that changes its gate keeps its mark on the namespace.
        opts=component.child(aliases=component.formerly(*(n for n in _MARKING if n not in beside))),
    )
    return [patch]


def proxied(shared: bool) -> dict[str, str]:
    """The annotation of what is behind the cluster's `ProxyGroup`."""
    return {"tailscale.com/proxy-group": PROXY_GROUP} if shared else {}


def tailscale_ingress(
    component: Component,
    *,
    namespace: str,
    service: str,
    port: int,
    port_name: str | None = None,
    machine: str,
    tag: str,
    funnel: bool,
    shared: bool = False,
    paths: Sequence[Path] = (ROOT,),
    beside: frozenset[str] = frozenset(),
    after: Sequence[pulumi.Resource] = (),
) -> kubernetes.networking.v1.Ingress:
    """An Ingress of the Tailscale operator: one TLS host, the short machine name; of the Service `paths` alone.

    The operator ignores rule hosts that differ from the full name and takes the name's first label from
    `tls[0].hosts[0]`. It speaks https to port 443, and to a port that the Ingress calls `https`; that one's number is
    noted, for who reads the Ingress without the Service [TS cmd/k8s-operator/ingress.go]. A service that changes
    between Serve and Funnel keeps its Ingress: a second one would get another name. `shared`: behind the `ProxyGroup`.
    """
    annotations = {**SKIP_AWAIT, "tailscale.com/tags": tag, **proxied(shared)}
    if funnel:
        annotations["tailscale.com/funnel"] = "true"
    if port_name:
        annotations[BACKEND_PORT] = str(port)
    backend: Any = {"service": {"name": service, "port": {"name": port_name} if port_name else {"number": port}}}
    spec: Any = {"ingress_class_name": "tailscale", "default_backend": backend, "tls": [{"hosts": [machine]}]}
    if ROOT not in paths:
        # Without a host a rule is for the name in `tls`, and the operator takes Prefix alone [TS ingress.go].
        entries = [{"path": str(path), "path_type": "Prefix", "backend": backend} for path in paths]
        spec = {"ingress_class_name": "tailscale", "rules": [{"http": {"paths": entries}}], "tls": spec["tls"]}
    return kubernetes.networking.v1.Ingress(
        f"{component.name}-ingress",
        # The operator makes a label of the name [TS cmd/k8s-operator/svc.go, childResourceLabels].
        metadata=ours(namespace, label_name(f"{component.name}-tailscale"), annotations=annotations),
        spec=spec,
        opts=component.child(
            # Two with one machine name would get two names: where it is replaced, the old one goes first.
            delete_before_replace=True,
            replace_on_changes=BY_PROXY_GROUP,
            depends_on=[*shared_namespace(component, namespace, beside), *after],
            aliases=component.formerly("FunnelService", "TailnetService"),
        ),
    )
