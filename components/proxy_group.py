"""The proxies that services on the tailnet share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pulumi
import pulumi_kubernetes as kubernetes
from pydantic import Field

from components.base import Component
from components.given import reads
from components.manifests import SKIP_AWAIT, ours
from config.fields import Label
from exposure.names import PROXY_GROUP, proxies_name, proxies_tag


class ProxyGroup(Component):
    """The Tailscale operator's proxies that the services of a node share, each as a Tailscale Service.

    Takes the node's name, after which the machines and their tag are named, and `replicas`, the number of pods. `after`
    is the policy, which must own the tag, and the operator, whose chart brings the kind. What is behind them waits for
    this on deletion: an Ingress or Service keeps its finalizer where its `ProxyGroup` is gone
    [TS cmd/k8s-operator/ingress-for-pg.go, svc-for-pg.go, Reconcile].

    Registers ProxyGroup (`tailscale.com/v1alpha1`) [TS deploy/crds/tailscale.com_proxygroups.yaml].

    Example:
        ```python
        ProxyGroup("proxies", node="alfred", after=[tailnet.acl])
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        node: Label,
        replicas: Annotated[int, Field(ge=1)] = 2,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        self.group = kubernetes.apiextensions.CustomResource(
            f"{name}-group",
            api_version="tailscale.com/v1alpha1",
            kind="ProxyGroup",
            metadata=ours(None, PROXY_GROUP, annotations=SKIP_AWAIT),
            spec={
                "type": "ingress",
                "replicas": replicas,
                "hostnamePrefix": proxies_name(node),
                "tags": [proxies_tag(node)],
            },
            # The tags of machines that are there stay as they are, and two groups of one name there cannot be.
            opts=self.child(
                delete_before_replace=True, replace_on_changes=["spec.hostnamePrefix", "spec.tags"], depends_on=after
            ),
        )
        self.register_outputs({})
