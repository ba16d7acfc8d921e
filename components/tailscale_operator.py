"""The Tailscale operator in the cluster, from its Helm chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_tailscale as tailscale
from pydantic import Field

from components.base import Component
from components.given import reads
from components.manifests import GIVEN_TO_SECRETS, SKIP_AWAIT, ours
from config.fields import Label
from exposure.names import OPERATOR_TAG

CHART_VERSION = "1.102.3"
_NAMESPACE = "tailscale"
_DESCRIPTION = 50
"""As long as a client's description may be [TFT tailscale/resource_oauth_client.go]."""
_PRIVILEGED = {"pod-security.kubernetes.io/enforce": "privileged"}


class TailscaleOperator(Component):
    """The operator behind Ingresses of class `tailscale`, with an OAuth client of its own.

    Takes the node's name; `key` counts the OAuth clients: with another number a new one is made, the operator restarts
    with it, and the old one is deleted last. `after` is the policy, which must own
    `tag:k8s-operator` first. The chart is fetched from Tailscale's repository at preview and `up`, by the network.

    Registers OauthClient (scopes Devices Core, Auth Keys, Services), Namespace, Secret `operator-oauth` (so that the
    key stays out of Helm's own storage) and Release [TS cmd/k8s-operator/deploy/chart].

    Example:
        ```python
        TailscaleOperator("operator", node="alfred", after=[tailnet.acl])
        ```
    """

    @reads
    def __init__(
        self,
        name: str,
        *,
        node: pulumi.Input[Label],
        key: Annotated[int, Field(ge=1)] = 1,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        client = tailscale.OauthClient(
            f"{name}-client",
            description=pulumi.Output.from_input(node).apply(lambda name: _description(name, key)),
            scopes=["auth_keys", "devices:core", "services"],
            tags=[OPERATOR_TAG],
            # An update in place would keep the key.
            opts=self.child(depends_on=after, replace_on_changes=["description"]),
        )
        self.client_id: pulumi.Output[str] = client.id
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace",
            metadata=ours(None, _NAMESPACE, labels=_PRIVILEGED, annotations=SKIP_AWAIT),
            opts=self.child(),
        )
        client_secret: pulumi.Output[str] = pulumi.Output.secret(client.key)
        secret = kubernetes.core.v1.Secret(
            f"{name}-oauth",
            metadata=ours(_NAMESPACE, "operator-oauth"),
            string_data={"client_id": client.id, "client_secret": client_secret},
            opts=self.child(depends_on=[namespace], ignore_changes=GIVEN_TO_SECRETS),
        )
        self.release = kubernetes.helm.v3.Release(
            f"{name}-release",
            name="tailscale-operator",
            chart="tailscale-operator",
            version=CHART_VERSION,
            repository_opts={"repo": "https://pkgs.tailscale.com/helmcharts"},
            namespace=_NAMESPACE,
            values={
                "operatorConfig": {
                    "defaultTags": [OPERATOR_TAG],
                    # The operator reads its client once: another one restarts it.
                    "podAnnotations": {"gatehouse.exposes/oauth-client": client.id},
                },
                "proxyConfig": {"defaultTags": "tag:k8s"},
            },
            # The operator's pod may come up long after; its Ingresses wait for it by themselves.
            skip_await=True,
            timeout=300,
            opts=self.child(depends_on=[namespace, secret]),
        )
        self.register_outputs({})


def _description(node: str, key: int) -> str:
    """Of a long name, what there is room for: the count is what tells two clients of a node apart."""
    first, last = "gatehouse operator ", f" {key}" if key > 1 else ""
    return f"{first}{node[: _DESCRIPTION - len(first) - len(last)]}{last}"
