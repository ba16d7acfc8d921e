"""Pod Security `restricted` and secrets in plain sight, each control by a pair.

Expectations are the public standard's: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from policy.model import SECRET, UNKNOWN, Resource
from policy.pod_security import is_tunnel_token, plain_secrets, restricted
from tests.policy.builders import deployment, pod, resource

Change = Callable[[dict[str, Any]], object]


def _pod(change: Change) -> dict[str, Any]:
    spec = copy.deepcopy(pod())
    change(spec)
    return spec


def _main(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["containers"][0]
    return found


def _context(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _main(spec)["securityContext"]
    return found


def _refused(found: Resource) -> list[str]:
    return [p.property for p in restricted(found) if p.judged]


def _unjudged(found: Resource) -> list[str]:
    return [p.property for p in restricted(found) if not p.judged]


# (end of the property's path, what is spoiled), in the order of the standard's page.
REFUSED: list[tuple[str, Change]] = [
    ("windowsOptions.hostProcess", lambda s: s["securityContext"].update(windowsOptions={"hostProcess": True})),
    ("windowsOptions.hostProcess", lambda s: _context(s).update(windowsOptions={"hostProcess": True})),
    ("hostNetwork", lambda s: s.update(hostNetwork=True)),
    ("hostPID", lambda s: s.update(hostPID=True)),
    ("hostIPC", lambda s: s.update(hostIPC=True)),
    ("privileged", lambda s: _context(s).update(privileged=True)),
    ("volumes[v]", lambda s: s.update(volumes=[{"name": "v", "hostPath": {"path": "/"}}])),
    ("ports.hostPort", lambda s: _main(s).update(ports=[{"containerPort": 80, "hostPort": 80}])),
    ("livenessProbe.httpGet.host", lambda s: _main(s).update(livenessProbe={"httpGet": {"host": "169.254.169.254"}})),
    ("startupProbe.tcpSocket.host", lambda s: _main(s).update(startupProbe={"tcpSocket": {"host": "10.0.0.1"}})),
    ("preStop.httpGet.host", lambda s: _main(s).update(lifecycle={"preStop": {"httpGet": {"host": "x"}}})),
    ("appArmorProfile.type", lambda s: s["securityContext"].update(appArmorProfile={"type": "Unconfined"})),
    ("appArmorProfile.type", lambda s: _context(s).update(appArmorProfile={"type": "Unconfined"})),
    ("seLinuxOptions.type", lambda s: s["securityContext"].update(seLinuxOptions={"type": "spc_t"})),
    ("seLinuxOptions.user", lambda s: _context(s).update(seLinuxOptions={"user": "root"})),
    ("seLinuxOptions.role", lambda s: _context(s).update(seLinuxOptions={"role": "sysadm_r"})),
    ("procMount", lambda s: _context(s).update(procMount="Unmasked")),
    ("securityContext.sysctls", lambda s: s["securityContext"].update(sysctls=[{"name": "kernel.msgmax"}])),
    ("volumes[v]", lambda s: s.update(volumes=[{"name": "v", "nfs": {"server": "x"}}])),
    ("volumes[v]", lambda s: s.update(volumes=[{"name": "v", "image": {"reference": "x"}}])),
    ("allowPrivilegeEscalation", lambda s: _context(s).pop("allowPrivilegeEscalation")),
    ("allowPrivilegeEscalation", lambda s: _context(s).update(allowPrivilegeEscalation=True)),
    ("allowPrivilegeEscalation", lambda s: _context(s).update(allowPrivilegeEscalation=0)),
    ("[main].securityContext.runAsNonRoot", lambda s: s["securityContext"].pop("runAsNonRoot")),
    ("[main].securityContext.runAsNonRoot", lambda s: _context(s).update(runAsNonRoot=False)),
    ("spec.securityContext.runAsNonRoot", lambda s: s["securityContext"].update(runAsNonRoot=False)),
    ("spec.securityContext.runAsUser", lambda s: s["securityContext"].update(runAsUser=0)),
    ("[main].securityContext.runAsUser", lambda s: _context(s).update(runAsUser=0.0)),
    ("[main].securityContext.seccompProfile.type", lambda s: s["securityContext"].pop("seccompProfile")),
    ("seccompProfile.type", lambda s: s["securityContext"].update(seccompProfile={"type": "Unconfined"})),
    ("seccompProfile.type", lambda s: _context(s).update(seccompProfile={"type": "Unconfined"})),
    (
        "spec.securityContext.seccompProfile.type",
        lambda s: (
            s["securityContext"].update(seccompProfile={"type": "Unconfined"}),
            _context(s).update(seccompProfile={"type": "RuntimeDefault"}),
        ),
    ),
    ("capabilities.drop", lambda s: _context(s).pop("capabilities")),
    ("capabilities.drop", lambda s: _context(s).update(capabilities={"drop": ["NET_RAW"]})),
    ("capabilities.add", lambda s: _context(s)["capabilities"].update(add=["NET_BIND_SERVICE", "NET_ADMIN"])),
    ("[main].securityContext.runAsNonRoot", lambda s: s.pop("securityContext")),
    ("capabilities.drop", lambda s: _main(s).pop("securityContext")),
    ("spec.containers", lambda s: s.pop("containers")),
]


@pytest.mark.parametrize(("end", "change"), REFUSED)
def test_what_the_standard_refuses_is_found(end: str, change: Change) -> None:
    found = _refused(resource("Deployment", "d", **deployment(_pod(change))))
    assert any(path.endswith(end) for path in found), found


ADMITTED: list[Change] = [
    lambda s: None,
    lambda s: _context(s)["capabilities"].update(add=["NET_BIND_SERVICE"]),
    lambda s: s["securityContext"].update(sysctls=[{"name": "net.ipv4.ping_group_range", "value": "0 1"}]),
    lambda s: s["securityContext"].update(runAsUser=65532, seLinuxOptions={"level": "s0", "type": "container_t"}),
    lambda s: s.update(volumes=[{"name": "a", "emptyDir": {}}, {"name": "b", "secret": {}}, {"name": "c", "csi": {}}]),
    lambda s: s.update(hostNetwork=False, hostPID=None),
    lambda s: _main(s).update(ports=[{"containerPort": 80, "hostPort": 0}], readinessProbe={"httpGet": {"port": 80}}),
    # The container's own word, where the pod has none.
    lambda s: (
        s.pop("securityContext"),
        _context(s).update(runAsNonRoot=True, seccompProfile={"type": "Localhost"}),
    ),
]


@pytest.mark.parametrize("change", ADMITTED)
def test_what_the_standard_admits_is_not_found(change: Change) -> None:
    assert list(restricted(resource("Deployment", "d", **deployment(_pod(change))))) == []


@pytest.mark.parametrize("group", ["initContainers", "ephemeralContainers"])
def test_every_kind_of_container_is_looked_at(group: str) -> None:
    found = _refused(resource("Deployment", "d", **deployment(_pod(lambda s: s.update({group: [{"name": "other"}]})))))
    assert f"spec.template.spec.{group}[other].securityContext.capabilities.drop" in found


def test_an_apparmor_annotation_may_not_switch_it_off() -> None:
    key = "container.apparmor.security.beta.kubernetes.io/main"
    for value, wrong in (("unconfined", True), ("runtime/default", False), ("localhost/mine", False)):
        inputs = deployment(pod(), annotations={key: value})
        assert bool(_refused(resource("Deployment", "d", **inputs))) is wrong


def test_every_kind_of_workload_is_looked_at() -> None:
    bad = _pod(lambda s: s.update(hostNetwork=True))
    path = "hostNetwork"
    assert _refused(resource("Pod", "p", spec=bad)) == [f"spec.{path}"]
    job = {"spec": {"jobTemplate": {"spec": {"template": {"spec": bad}}}}}
    assert _refused(resource("CronJob", "c", **job)) == [f"spec.jobTemplate.spec.template.spec.{path}"]
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"):
        made = Resource(f"kubernetes:some/v1:{kind}", "x", "urn", deployment(bad))
        assert _refused(made) == [f"spec.template.spec.{path}"], kind
    assert _refused(resource("PodList", "l", items=[{"spec": pod()}, {"spec": bad}])) == [f"items[1].spec.{path}"]
    assert _refused(resource("Deployment", "d", spec={})) == ["spec.template.spec.containers"]
    # A kind that is nobody's standard, by its containers.
    assert _refused(resource("Rollout", "r", steps=[{"pod": bad}])) == [f"steps[0].pod.{path}"]
    assert _refused(resource("Rollout", "r", **deployment(bad))) == [f"spec.template.spec.{path}"]


def test_what_is_no_workload_is_left_alone() -> None:
    for token in ("kubernetes:core/v1:Service", "kubernetes:core/v1:Namespace", "cloudflare:index/zone:Zone"):
        assert list(restricted(Resource(token, "x", "urn", {"spec": {"hostNetwork": True}}))) == []


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("spec.template.spec.hostNetwork", lambda s: s.update(hostNetwork=UNKNOWN)),
        ("spec.template.spec.volumes", lambda s: s.update(volumes=UNKNOWN)),
        ("spec.template.spec.volumes[?]", lambda s: s.update(volumes=[UNKNOWN])),
        ("spec.template.spec.securityContext.sysctls", lambda s: s["securityContext"].update(sysctls=UNKNOWN)),
        (
            "spec.template.spec.containers[main].securityContext.capabilities.add",
            lambda s: _context(s)["capabilities"].update(add=UNKNOWN),
        ),
        ("spec.template.spec.containers", lambda s: s.update(containers=UNKNOWN)),
        (
            "spec.template.spec.containers[main].securityContext.capabilities.drop",
            lambda s: _context(s).update(capabilities=UNKNOWN),
        ),
        ("spec.template.spec.securityContext.runAsUser", lambda s: s["securityContext"].update(runAsUser=UNKNOWN)),
    ],
)
def test_an_unknown_value_is_said_and_not_passed(path: str, change: Change) -> None:
    made = resource("Deployment", "d", **deployment(_pod(change)))
    assert path in _unjudged(made)
    assert _refused(made) == []


def test_a_pod_out_of_sight_is_said() -> None:
    assert _unjudged(resource("Deployment", "d", **deployment(UNKNOWN))) == ["spec.template.spec"]
    assert _unjudged(resource("DeploymentPatch", "d", **deployment(pod()))) == ["spec.template.spec"]
    assert _unjudged(resource("DeploymentPatch", "d", metadata={"name": "x"})) == []
    assert _unjudged(resource("Release", "r", chart="tailscale-operator")) == ["chart"]


# --- secrets in plain sight

TOKEN = base64.b64encode(json.dumps({"a": "0" * 32, "t": "tunnel", "s": "secret"}).encode()).decode()


def _found(change: Change) -> list[tuple[str, str]]:
    made = resource("Deployment", "d", **deployment(_pod(change)))
    return [(p.property.rpartition("].")[2] or p.property, p.value) for p in plain_secrets(made)]


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "TUNNEL_TOKEN", "value": "abc"},
        {"name": "TUNNEL_TOKEN", "value": UNKNOWN},
        {"name": "DB_PASSWORD", "value": "abc"},
        {"name": "TS_AUTHKEY", "value": "tskey-auth-x"},
        {"name": "GOOGLE_CLIENT_SECRET", "value": "abc"},
        {"name": "HARMLESS", "value": SECRET},
        {"name": "HARMLESS", "value": TOKEN},
    ],
)
def test_a_secret_in_the_environment_is_found_and_not_shown(variable: dict[str, str]) -> None:
    made = resource("Deployment", "d", **deployment(_pod(lambda s: _main(s).update(env=[variable]))))
    [problem] = plain_secrets(made)
    assert problem.property == f"spec.template.spec.containers[main].env[{variable['name']}].value"
    assert problem.value in ("a secret", "given in plain")


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "TUNNEL_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "token"}}},
        {"name": "TUNNEL_TOKEN_FILE", "value": "/run/secrets/token"},
        {"name": "SECRET_NAME", "value": "tailscale"},
        {"name": "TOKENIZER", "value": "fast"},
        {"name": "TUNNEL_TOKEN", "value": ""},
        {"name": "TZ", "value": UNKNOWN},
    ],
)
def test_what_is_no_secret_may_stand_in_the_environment(variable: dict[str, object]) -> None:
    assert _found(lambda s: _main(s).update(env=[variable])) == []


def test_an_environment_that_is_secret_as_a_whole_has_a_secret_in_it() -> None:
    assert _found(lambda s: _main(s).update(env=SECRET)) == [("env", "a secret")]


@pytest.mark.parametrize("key", ["args", "command"])
@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["tunnel", "run", "--token", "abc"], True),
        (["tunnel", "run", "--token=abc"], True),
        (["tunnel", "run", SECRET], True),
        (["tunnel", "run", TOKEN], True),
        ([f"--anything={TOKEN}"], True),
        (SECRET, True),
        (["tunnel", "--token-file", "/run/token"], False),
        (["tunnel", "run", UNKNOWN], False),
    ],
)
def test_a_secret_among_the_arguments_is_found(key: str, words: object, wrong: bool) -> None:
    found = _found(lambda s: _main(s).update({key: words}))
    assert bool(found) is wrong
    assert "abc" not in str(found)


def test_a_pod_that_is_secret_as_a_whole_has_a_secret_in_it() -> None:
    """The SDK marks a whole input as secret where a value inside is: a reference to a Secret would not be one."""
    made = resource("Deployment", "d", kind="Deployment", spec=SECRET)
    assert [p.value for p in plain_secrets(made)] == ["a secret"]
    assert list(plain_secrets(resource("Deployment", "d", **deployment(UNKNOWN)))) == []


def test_a_config_map_holds_no_secret() -> None:
    assert [p.property for p in plain_secrets(resource("ConfigMap", "c", data=SECRET))] == ["data"]
    assert [p.property for p in plain_secrets(resource("ConfigMap", "c", data={"a": "b", "c": SECRET}))] == ["data"]
    assert list(plain_secrets(resource("ConfigMap", "c", data={"a": "b"}))) == []


def test_a_tunnels_token_is_known_by_what_it_holds() -> None:
    assert is_tunnel_token(TOKEN)
    for value in ("", "abc", base64.b64encode(b'{"a":1,"t":2}    ').decode(), "x" * 400, None, 3, UNKNOWN):
        assert not is_tunnel_token(value)
