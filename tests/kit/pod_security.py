"""Pod Security Standards, profile `restricted` (it holds `baseline`), as the public page lists its controls.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ (read for Kubernetes 1.34; Linux pods only)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
_SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def violations(pod: Mapping[str, Any]) -> list[str]:
    """What admission under `restricted` would refuse of a pod's spec, by the names of the controls."""
    found = [f"host namespaces: {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for volume in pod.get("volumes", []):
        found += [f"volume types: {kind}" for kind in volume if kind != "name" and kind not in _VOLUMES]
    context = pod.get("securityContext", {})
    found += [f"sysctls: {item['name']}" for item in context.get("sysctls", []) if item["name"] not in _SAFE_SYSCTLS]
    found += _shared(context, "pod")
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(group, []):
            found += _container(container, context)
    return found


def _container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> list[str]:
    own = container.get("securityContext", {})
    name = container["name"]
    found = _shared(own, name)
    if own.get("privileged"):
        found.append(f"privileged: {name}")
    if own.get("procMount", "Default") != "Default":
        found.append(f"/proc mount type: {name}")
    if own.get("allowPrivilegeEscalation") is not False:
        found.append(f"privilege escalation: {name}")
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        found.append(f"capabilities: {name} does not drop ALL")
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        found.append(f"capabilities: {name} adds {capabilities['add']}")
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        found.append(f"running as non-root: {name}")
    profile = own.get("seccompProfile", pod.get("seccompProfile", {})).get("type")
    if profile not in ("RuntimeDefault", "Localhost"):
        found.append(f"seccomp: {name}")
    found += [f"host ports: {name}" for port in container.get("ports", []) if port.get("hostPort")]
    for hook in ("livenessProbe", "readinessProbe", "startupProbe"):
        for action in ("httpGet", "tcpSocket"):
            if container.get(hook, {}).get(action, {}).get("host"):
                found.append(f"host probes: {name}")
    return found


def _shared(context: Mapping[str, Any], name: str) -> list[str]:
    """What pods and containers may both say."""
    found = []
    if context.get("runAsUser") == 0:
        found.append(f"running as non-root user: {name}")
    if context.get("runAsNonRoot") is False:
        found.append(f"running as non-root: {name}")
    if context.get("seccompProfile", {}).get("type") == "Unconfined":
        found.append(f"seccomp: {name}")
    if context.get("appArmorProfile", {}).get("type") == "Unconfined":
        found.append(f"apparmor: {name}")
    if context.get("windowsOptions", {}).get("hostProcess"):
        found.append(f"host process: {name}")
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type", "") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        found.append(f"selinux: {name}")
    return found
