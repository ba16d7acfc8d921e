"""Pods: Pod Security `restricted`, and no secret in plain sight.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/, the latest version; `restricted` holds all
of `baseline`. What the standard relaxes for Windows and for user namespaces is not relaxed here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policy.model import SECRET, UNKNOWN, Problem, Resource, at, is_hidden, is_unknown, items, mapping, show, text

_POD_AT: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"),
        ("spec", "template"),
    ),
}
"""Where a kind of workload has its pod: the mapping with `metadata` and `spec`."""
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_VOLUMES = frozenset(
    ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
)
_SYSCTLS = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem",
)  # fmt: skip
_SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_PROFILES = ("RuntimeDefault", "Localhost")
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"

_Control = tuple[str, tuple[object, ...], str]
"""A field, what it may be (None: not there), and why nothing else."""
_NODES_NAMESPACES = "a pod must not share the node's namespaces"
_FILTERED = "system calls must be filtered"
_OF_POD: tuple[_Control, ...] = (
    ("hostNetwork", (None, False), _NODES_NAMESPACES),
    ("hostPID", (None, False), _NODES_NAMESPACES),
    ("hostIPC", (None, False), _NODES_NAMESPACES),
)
_OF_BOTH: tuple[_Control, ...] = (
    ("windowsOptions.hostProcess", (None, False), "it is a process of the node"),
    ("appArmorProfile.type", (None, *_PROFILES), "AppArmor must stay on"),
    ("seLinuxOptions.type", (None, "", *_SELINUX_TYPES), "no other SELinux type is allowed"),
    ("seLinuxOptions.user", (None, ""), "SELinux must not be set to it"),
    ("seLinuxOptions.role", (None, ""), "SELinux must not be set to it"),
)
"""Of the security context of a pod and of a container."""
_OF_CONTAINER: tuple[_Control, ...] = (
    ("privileged", (None, False), "it is root on the node"),
    ("allowPrivilegeEscalation", (False,), "a process must not gain more rights than its parent has"),
    ("procMount", (None, "Default"), "/proc must stay masked"),
)
_INHERITED: tuple[_Control, ...] = (
    ("runAsNonRoot", (True,), "the container may run as root"),
    ("seccompProfile.type", _PROFILES, _FILTERED),
)
"""Of a container's security context; where it says nothing, the pod's word holds."""

_SECRET_NAME = re.compile(
    r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|API_?KEY|AUTH_?KEY|ACCESS_?KEY|PRIVATE_?KEY"
    r"|SECRET_?KEY)$",
    re.IGNORECASE,
)
_SECRET_FLAG = re.compile(
    r"^--?(token|secret|password|passwd|passphrase|credentials?|api-?key|auth-?key|client-secret)(=|$)", re.IGNORECASE
)


@dataclass(frozen=True)
class _Pod:
    """A pod in a resource, and where it is; `whole` False where only part of it is given."""

    resource: Resource
    path: str
    metadata: Mapping[str, object]
    spec: object
    whole: bool = True

    def containers(self) -> Iterator[tuple[str, Mapping[str, object], bool]]:
        """(path, container, whether its group is known)."""
        for group in _CONTAINERS:
            found = at(self.spec, group)
            if is_hidden(found):
                yield f"{self.path}.{group}", {}, False
            for container in items(found):
                name = text(at(container, "name")) or "?"
                yield f"{self.path}.{group}[{name}]", mapping(container), not is_hidden(container)


def restricted(resource: Resource) -> Iterator[Problem]:
    """What Pod Security `restricted` refuses."""
    if resource.is_a("kubernetes", "Release"):
        yield Problem(
            resource,
            "chart",
            show(resource.inputs.get("chart")),
            "its pods are made by Helm in the cluster, where the namespace's Pod Security label admits or refuses them",
            judged=False,
        )
        return
    for pod in _pods(resource):
        if is_hidden(pod.spec):
            yield Problem(resource, pod.path, show(pod.spec), "the pod cannot be seen", judged=False)
        elif not pod.whole:
            yield Problem(resource, pod.path, "part of a pod", "a patch does not show the rest", judged=False)
        else:
            yield from _refused(pod)


def plain_secrets(resource: Resource) -> Iterator[Problem]:
    """Secrets in a pod's environment or arguments, or in a ConfigMap: everyone who may read the object reads them."""
    if resource.is_a("kubernetes", "ConfigMap", "ConfigMapPatch"):
        for key in ("data", "binaryData"):
            data = resource.inputs.get(key)
            if data == SECRET or SECRET in mapping(data).values():
                yield Problem(resource, key, "a secret", "a ConfigMap is kept in clear")
    for pod in _pods(resource):
        if pod.spec == SECRET or SECRET in (at(pod.spec, group) for group in _CONTAINERS):
            yield Problem(resource, pod.path, "a secret", "some value in it is a secret, and a pod is kept in clear")
            continue
        for path, container, _ in pod.containers():
            yield from _plain(resource, path, container)


# --- where pods are


def _pods(resource: Resource) -> Iterator[_Pod]:
    if resource.package != "kubernetes" or resource.is_a("kubernetes", "Release", "Provider"):
        return
    whole = not resource.kind.endswith("Patch")
    kind = resource.kind.removesuffix("Patch")
    if kind.endswith("List"):
        for number, item in enumerate(items(resource.inputs.get("items"))):
            yield from _pods_of(resource, kind.removesuffix("List"), item, f"items[{number}].", whole)
    else:
        yield from _pods_of(resource, kind, resource.inputs, "", whole)


def _pods_of(resource: Resource, kind: str, value: object, prefix: str, whole: bool) -> Iterator[_Pod]:
    if kind not in _POD_AT:
        # A kind of somebody's own: whatever has containers is a pod.
        yield from _anywhere(resource, value, prefix, whole)
        return
    path = _POD_AT[kind]
    pod = at(value, *path)
    spec = at(pod, "spec")
    if spec is None and not whole:
        return
    if spec is None:
        spec = {}
    yield _Pod(resource, prefix + ".".join([*path, "spec"]), mapping(at(pod, "metadata")), spec, whole)


def _anywhere(resource: Resource, value: object, path: str, whole: bool) -> Iterator[_Pod]:
    if isinstance(value, Mapping):
        if isinstance(value.get("containers"), list | tuple):
            yield _Pod(resource, path.rstrip("."), {}, value, whole)
        else:
            for key, inner in value.items():
                yield from _anywhere(resource, inner, f"{path}{key}.", whole)
    for number, inner in enumerate(items(value)):
        yield from _anywhere(resource, inner, f"{path.rstrip('.')}[{number}].", whole)


# --- restricted


def _refused(pod: _Pod) -> Iterator[Problem]:
    yield from _controls(pod, "", pod.spec, _OF_POD)
    yield from _volumes(pod)
    context = at(pod.spec, "securityContext")
    yield from _either(pod, "securityContext", context)
    # A container's own word overrules its pod's, so the pod's is looked at by itself too.
    if at(context, "seccompProfile", "type") == "Unconfined":
        yield Problem(pod.resource, f"{pod.path}.securityContext.seccompProfile.type", "Unconfined", _FILTERED)
    if at(context, "runAsNonRoot") is False:
        yield Problem(
            pod.resource, f"{pod.path}.securityContext.runAsNonRoot", "false", "the containers may run as root"
        )
    sysctls = at(context, "sysctls")
    if is_hidden(sysctls):
        yield _hidden(pod, "securityContext.sysctls", sysctls)
    for sysctl in items(sysctls):
        why = "a sysctl that is not a safe one"
        yield from _allowed(pod, "securityContext.sysctls", at(sysctl, "name"), _SYSCTLS, why)
    for key, value in mapping(pod.metadata.get("annotations")).items():
        if key.startswith(_APPARMOR) and value != "runtime/default" and not text(value).startswith("localhost/"):
            yield Problem(pod.resource, f"annotation {key}", show(value), "AppArmor must stay on")
    found = list(pod.containers())
    for path, container, known in found:
        inner = path.removeprefix(f"{pod.path}.")
        if known:
            yield from _container(pod, inner, container, context)
        else:
            yield _hidden(pod, inner, UNKNOWN)
    if not found:
        yield Problem(pod.resource, f"{pod.path}.containers", "empty", "a pod has containers")


def _volumes(pod: _Pod) -> Iterator[Problem]:
    volumes = at(pod.spec, "volumes")
    if is_hidden(volumes):
        yield _hidden(pod, "volumes", volumes)
    for volume in items(volumes):
        path = f"volumes[{text(at(volume, 'name')) or '?'}]"
        if is_hidden(volume):
            yield _hidden(pod, path, volume)
            continue
        kinds = {key for key, value in mapping(volume).items() if key != "name" and value is not None}
        for kind in sorted(kinds - _VOLUMES):
            yield Problem(pod.resource, f"{pod.path}.{path}", kind, "a volume of that type reaches past the pod")


def _container(pod: _Pod, path: str, container: Mapping[str, object], of_pod: object) -> Iterator[Problem]:
    context = container.get("securityContext")
    mine = f"{path}.securityContext"
    yield from _either(pod, mine, context)
    yield from _controls(pod, f"{mine}.", context, _OF_CONTAINER)
    yield from _capabilities(pod, f"{mine}.capabilities", at(context, "capabilities"))
    yield from _controls(pod, f"{mine}.", context, _INHERITED, of_pod)
    for port in items(container.get("ports")):
        why = "it opens a port of the node"
        yield from _allowed(pod, f"{path}.ports.hostPort", at(port, "hostPort"), (None, 0), why)
    for action, value in _actions(container):
        why = "the kubelet would call another host"
        yield from _allowed(pod, f"{path}.{action}.host", at(value, "host"), (None, ""), why)


def _either(pod: _Pod, path: str, context: object) -> Iterator[Problem]:
    """What a pod's and a container's securityContext are both held to."""
    user = at(context, "runAsUser")
    if is_hidden(user):
        yield _hidden(pod, f"{path}.runAsUser", user)
    elif user == 0:
        yield Problem(pod.resource, f"{pod.path}.{path}.runAsUser", "0", "that is root")
    yield from _controls(pod, f"{path}.", context, _OF_BOTH)


def _controls(
    pod: _Pod, prefix: str, holder: object, controls: Iterable[_Control], above: object = None
) -> Iterator[Problem]:
    """What a holder of fields, or the one above it, has that it may not have."""
    for field, allowed, why in controls:
        keys = field.split(".")
        own = at(holder, *keys)
        yield from _allowed(pod, f"{prefix}{field}", at(above, *keys) if own is None else own, allowed, why)


def _capabilities(pod: _Pod, path: str, capabilities: object) -> Iterator[Problem]:
    dropped, added = at(capabilities, "drop"), at(capabilities, "add")
    if is_hidden(dropped):
        yield _hidden(pod, f"{path}.drop", dropped)
    elif "ALL" not in items(dropped):
        yield Problem(pod.resource, f"{pod.path}.{path}.drop", show(dropped), "capabilities must be dropped: ALL")
    if is_hidden(added):
        yield _hidden(pod, f"{path}.add", added)
    for capability in items(added):
        yield from _allowed(pod, f"{path}.add", capability, ("NET_BIND_SERVICE",), "only NET_BIND_SERVICE may be added")


def _actions(container: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    hooks = [(hook, container.get(hook)) for hook in ("livenessProbe", "readinessProbe", "startupProbe")]
    hooks += [(f"lifecycle.{hook}", at(container.get("lifecycle"), hook)) for hook in ("postStart", "preStop")]
    for hook, value in hooks:
        for action in ("httpGet", "tcpSocket"):
            found = at(value, action)
            if found is not None:
                yield f"{hook}.{action}", found


def _allowed(pod: _Pod, path: str, value: object, allowed: Iterable[object], why: str) -> Iterator[Problem]:
    if is_hidden(value):
        yield _hidden(pod, path, value)
    elif not any(_same(value, good) for good in allowed):
        yield Problem(pod.resource, f"{pod.path}.{path}", show(value), why)


def _same(value: object, other: object) -> bool:
    """Equal, and not only as Python has it, where False is 0."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _hidden(pod: _Pod, path: str, value: object) -> Problem:
    return Problem(pod.resource, f"{pod.path}.{path}", show(value), "its value decides", judged=False)


# --- secrets in plain sight


def _plain(resource: Resource, path: str, container: Mapping[str, object]) -> Iterator[Problem]:
    environment = container.get("env")
    if environment == SECRET:
        yield Problem(resource, f"{path}.env", "a secret", "the environment is kept in clear")
    for variable in items(environment):
        name, value = text(at(variable, "name")) or "?", at(variable, "value")
        # The value is never shown.
        if value == SECRET or is_tunnel_token(value):
            yield Problem(resource, f"{path}.env[{name}].value", "a secret", "the environment is kept in clear")
        elif _SECRET_NAME.search(name) and (is_unknown(value) or text(value)):
            yield Problem(resource, f"{path}.env[{name}].value", "given in plain", "by its name it is a secret")
    for key in ("command", "args"):
        words = container.get(key)
        if words == SECRET:
            yield Problem(resource, f"{path}.{key}", "a secret", "arguments are kept in clear and seen on the node")
        for word in items(words):
            flag = _SECRET_FLAG.match(text(word))
            if word == SECRET or is_tunnel_token(word):
                shown = "a secret"
            elif flag:
                shown = flag[0].rstrip("=")
            else:
                continue
            yield Problem(resource, f"{path}.{key}", shown, "arguments are kept in clear and seen on the node")


def is_tunnel_token(value: object) -> bool:
    """Whether a text is (or ends, after a `=`, with) a tunnel's token: base64 of JSON with a, t and s [cloudflared]."""
    for word in {text(value), text(value).partition("=")[2]}:
        if len(word) < 20:
            continue
        try:
            found = json.loads(base64.b64decode(word, validate=True))
        except (binascii.Error, ValueError):
            continue
        if isinstance(found, dict) and {"a", "t", "s"} <= set(found):
            return True
    return False
