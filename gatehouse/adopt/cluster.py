"""Reading a cluster through the official client: what the Tailscale operator and cloudflared run on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gatehouse.adopt.things import AccountError, Thing

_LISTS = {
    "Deployment": ("AppsV1Api", "list_deployment_for_all_namespaces"),
    "Ingress": ("NetworkingV1Api", "list_ingress_for_all_namespaces"),
    "Namespace": ("CoreV1Api", "list_namespace"),
    "Service": ("CoreV1Api", "list_service_for_all_namespaces"),
}
_SECONDS = 20

List = Callable[[str], list[dict[str, Any]]]
"""A kind to its objects in all namespaces, as the API server writes them."""


def connect(context: str) -> List:
    """A way to list what is in the cluster of a kubectl context. Raises AccountError where there is no such context."""
    from kubernetes import client
    from kubernetes import config as settings

    # The client has types for its models only.
    config: Any = settings

    try:
        connection = config.new_client_from_config(context=context)
    except (config.ConfigException, OSError) as error:
        raise AccountError(
            f"kubectl's configuration has no usable context {context!r} (node.context): {error}"
            " See `kubectl config get-contexts`, or leave the cluster out: --without cluster."
        ) from None

    def listed(kind: str) -> list[dict[str, Any]]:
        api, method = _LISTS[kind]
        try:
            answer = getattr(getattr(client, api)(connection), method)(_request_timeout=_SECONDS)
        except client.ApiException as error:
            raise AccountError(_refusal(int(error.status or 0), kind)) from None
        except Exception as error:
            # urllib3 has many, and the client wraps none of them.
            raise AccountError(
                f"The cluster of context {context!r} could not be asked: {type(error).__name__}"
            ) from None
        items: list[dict[str, Any]] = connection.sanitize_for_serialization(answer.items)
        return items

    return listed


def _refusal(status: int, kind: str) -> str:
    if status in (401, 403):
        return (
            f"The cluster refuses to list each {kind} ({status}): the context's user needs the verb `list` on them in"
            " all namespaces."
        )
    return f"The cluster answered {status} when asked for each {kind}."


def read_cluster(listed: List) -> list[Thing]:
    """Deployments, Ingresses, namespaces and Services. Raises AccountError."""
    found = []
    for kind in _LISTS:
        for item in listed(kind):
            metadata = item["metadata"]
            id_ = f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]
            found.append(Thing(kind, id_, item, id_))
    return found
