"""Reading a cluster through the official client: what the Tailscale operator, cloudflared and Gatehouse have there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml

from config.services import controller_at
from gatehouse.adopt.things import AccountError, Thing

PATHS = {
    "Deployment": "/apis/apps/v1/deployments",
    "Ingress": "/apis/networking.k8s.io/v1/ingresses",
    "Namespace": "/api/v1/namespaces",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/poddisruptionbudgets",
    "ProxyGroup": "/apis/tailscale.com/v1alpha1/proxygroups",
    "Secret": "/api/v1/secrets",
    "Service": "/api/v1/services",
}
"""What is read of a cluster: where the API server lists each kind."""
# Of a Secret the API server is asked for its metadata alone: no value of one is ever read here.
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_SECONDS = 20

List = Callable[[str], list[dict[str, Any]]]
"""A kind to its objects in all namespaces, as the API server writes them."""


def connect(context: str, kubeconfig: str = "") -> List:
    """A way to list what is in the cluster of a kubectl context. Raises AccountError where there is no such context.

    `kubeconfig` is a path or the text itself, as the provider takes `kubernetes:kubeconfig`; empty for kubectl's own.
    """
    from kubernetes import config as settings

    # The client has types for its models only.
    config: Any = settings

    try:
        if "\n" in kubeconfig or kubeconfig.startswith("{"):
            connection = config.new_client_from_config_dict(yaml.safe_load(kubeconfig), context=context)
        else:
            connection = config.new_client_from_config(kubeconfig or None, context=context)
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        raise AccountError(
            f"kubectl's configuration has no usable context {context!r} (node.context): {error}"
            " See `kubectl config get-contexts`, or leave the cluster out: --without cluster."
        ) from None

    def listed(kind: str) -> list[dict[str, Any]]:
        accept = _METADATA if kind == "Secret" else "application/json"
        request = connection.param_serialize(
            "GET", PATHS[kind], header_params={"Accept": accept}, auth_settings=["BearerToken"]
        )
        try:
            answer = connection.call_api(*request, _request_timeout=_SECONDS)
            text = answer.read()
        except Exception as error:
            # urllib3 has many, and the client wraps none of them.
            raise AccountError(
                f"The cluster of context {context!r} could not be asked: {type(error).__name__}"
            ) from None
        if answer.status == 404 and kind == "ProxyGroup":
            # The Tailscale operator brings the kind.
            return []
        if answer.status != 200:
            raise AccountError(_refusal(int(answer.status), kind))
        # Of an empty list of metadata the API server writes null (seen with Kubernetes 1.34).
        items: list[dict[str, Any]] = json.loads(text)["items"] or []
        return items

    return listed


def _refusal(status: int, kind: str) -> str:
    if status in (401, 403):
        return (
            f"The cluster refuses to list each {kind} ({status}): the context's user needs the verb `list` on them in"
            " all namespaces."
        )
    return f"The cluster answered {status} when asked for each {kind}."


def ingress_controller(context: str) -> dict[str, str]:
    """What the stack file would say of the ingress controller of a context's cluster; nothing where none is found."""
    try:
        services = connect(context)("Service")
    except AccountError:
        return {}
    found = (controller_at(s["metadata"]["namespace"], s["metadata"]["name"]) for s in services)
    return next(filter(None, found), {})


def read_cluster(listed: List) -> list[Thing]:
    """What is in the cluster of the kinds that Gatehouse makes; of Secrets the metadata. Raises AccountError."""
    found = []
    for kind in PATHS:
        for item in listed(kind):
            metadata = item["metadata"]
            id_ = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
            # What is listed by its metadata says so in place of its own kind.
            found.append(Thing(kind, id_, {"metadata": metadata} if kind == "Secret" else item, id_))
    return found
