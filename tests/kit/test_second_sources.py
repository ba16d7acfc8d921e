"""The kit's own readings of public standards: each control refuses what it is there for."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.kit import cloudflared
from tests.kit.pod_security import violations

# The page's own demands met, and nothing more.
_GOOD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "volumes": [{"name": "tmp", "emptyDir": {}}],
    "containers": [
        {"name": "c", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
    ],
}


def _changed(path: str, value: Any) -> dict[str, Any]:
    pod = copy.deepcopy(_GOOD)
    *parents, last = path.split(".")
    holder: Any = pod
    for part in parents:
        holder = holder[int(part)] if part.isdigit() else holder.setdefault(part, {})
    holder[last] = value
    return pod


def test_a_pod_that_meets_the_profile_is_admitted() -> None:
    assert violations(_GOOD) == []
    assert violations(_changed("containers.0.securityContext.capabilities.add", ["NET_BIND_SERVICE"])) == []


@pytest.mark.parametrize(
    ("path", "value", "control"),
    [
        ("hostNetwork", True, "host namespaces"),
        ("hostPID", True, "host namespaces"),
        ("hostIPC", True, "host namespaces"),
        ("volumes", [{"name": "h", "hostPath": {"path": "/"}}], "volume types"),
        ("volumes", [{"name": "n", "nfs": {"server": "s", "path": "/"}}], "volume types"),
        ("securityContext.runAsNonRoot", False, "running as non-root"),
        ("securityContext.runAsUser", 0, "running as non-root user"),
        ("securityContext.seccompProfile", {}, "seccomp"),
        ("securityContext.seccompProfile", {"type": "Unconfined"}, "seccomp"),
        ("securityContext.appArmorProfile", {"type": "Unconfined"}, "apparmor"),
        ("securityContext.seLinuxOptions", {"type": "spc_t"}, "selinux"),
        ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}], "sysctls"),
        ("securityContext.windowsOptions", {"hostProcess": True}, "host process"),
        ("containers.0.securityContext.privileged", True, "privileged"),
        ("containers.0.securityContext.allowPrivilegeEscalation", True, "privilege escalation"),
        ("containers.0.securityContext", {"capabilities": {"drop": ["ALL"]}}, "privilege escalation"),
        ("containers.0.securityContext.capabilities", {"drop": ["NET_RAW"]}, "capabilities"),
        ("containers.0.securityContext.capabilities.add", ["NET_ADMIN"], "capabilities"),
        ("containers.0.securityContext.procMount", "Unmasked", "/proc mount type"),
        ("containers.0.securityContext.runAsUser", 0, "running as non-root user"),
        ("containers.0.ports", [{"containerPort": 80, "hostPort": 80}], "host ports"),
        ("containers.0.livenessProbe", {"httpGet": {"host": "10.0.0.1", "port": 80}}, "host probes"),
        ("initContainers", [{"name": "i"}], "privilege escalation"),
    ],
)
def test_each_control_of_the_profile_refuses_what_it_is_for(path: str, value: Any, control: str) -> None:
    assert control in {found.split(":")[0] for found in violations(_changed(path, value))}


# Facts of cloudflared's own tests (ingress/ingress_test.go, ingress/rule_test.go).
_LAST = {"service": "http_status:404"}


@pytest.mark.parametrize(
    ("rules", "accepted"),
    [
        ([_LAST], True),
        ([{"hostname": "*.example.com", "service": "https://localhost:8000"}, _LAST], True),
        ([{"hostname": "a.example.com", "service": "https://localhost:8000"}], False),
        ([_LAST, _LAST], False),
        ([{"hostname": "*", "service": "https://localhost:8000"}, _LAST], False),
        ([{"hostname": "a.*.example.com", "service": "https://localhost:8000"}, _LAST], False),
        ([{"hostname": "a.example.com:80", "service": "https://localhost:8000"}, _LAST], False),
        ([{"hostname": "a", "service": "https://localhost:8000/static/"}, _LAST], False),
        ([{"hostname": "a", "service": "https://localhost:8000/"}, _LAST], False),
        ([{"hostname": "a", "service": "localhost:8000"}, _LAST], False),
        ([{"hostname": "a", "path": "*/subpath2", "service": "https://localhost:8000"}, _LAST], False),
        ([{"hostname": "a", "path": "(?!x)", "service": "https://localhost:8000"}, _LAST], False),
        ([{"service": "http_status:99"}], False),
    ],
)
def test_rules_are_refused_as_cloudflared_refuses_them(rules: list[dict[str, Any]], accepted: bool) -> None:
    assert (cloudflared.refusals(rules) == []) is accepted


@pytest.mark.parametrize(
    ("rule", "host", "path", "matches"),
    [
        ({"hostname": "example.com"}, "example.com", "/", True),
        ({"hostname": "example.com"}, "sub.example.com", "/", False),
        ({"hostname": "*.example.com"}, "sub.example.com", "/", True),
        ({"hostname": "*.example.com"}, "sub.sub.example.com", "/", True),
        ({"hostname": "*.example.com"}, "example.com", "/", False),
        ({"path": "/static/.*\\.html"}, "any", "/static/x.html", True),
        ({"path": "/static/.*\\.html"}, "any", "/x/static/y.htmlz", True),
        ({"path": "/admin"}, "any", "/Admin", False),
    ],
)
def test_rules_match_as_cloudflareds_do(rule: dict[str, Any], host: str, path: str, matches: bool) -> None:
    rules = [{**rule, "service": "http://one"}, _LAST]
    assert (cloudflared.first_match(rules, host, path) == 0) is matches
