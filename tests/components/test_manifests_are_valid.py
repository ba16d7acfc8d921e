"""Every Kubernetes object that the program registers, against the published schemas, offline and strict.

A real API server drops a misspelt field in silence, and Pulumi shows no difference then. The schemas are Kubernetes'
own OpenAPI definitions, bundled by `kubernetes-validate`; strict: a field that is not in them is refused.
"""

from __future__ import annotations

import copy
import functools
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from kubernetes_validate import SchemaNotFoundError, ValidationError, utils, validate  # type: ignore[import-untyped]

from config.secrets import SECRETS
from gatehouse.offline import Step, run_offline
from policy.pod_security import restricted
from policy.steps import resource_of
from tests.kit.builders import ACME, GAME, HTML, MEDIA, NODE, PROJECT, SSH, stack_text
from tests.kit.certificates import HOME_CA
from tests.kit.recorder import Registered, Secret, cloud

# One that many clusters still run, and the newest that the validator has.
VERSIONS = ("1.34", "1.37")
# No objects of Kubernetes' own: the chart's are Helm's affair, and a custom resource has its schema in the cluster.
_NOT_OBJECTS = (
    "kubernetes:helm.sh/v3:Release",
    "kubernetes:tailscale.com/v1alpha1:ProxyGroup",
    "kubernetes:traefik.io/v1alpha1:ServersTransportPatch",
)

# What the two stacks of the repository do not have: the operator's chart, TCP services on the tailnet, by a Service of
# ours and by somebody's own, Serve, origins outside the cluster, paths at Funnel, keys that are no names.
DATABASE: dict[str, Any] = {
    "origin": {
        "namespace": "db",
        "service": "db",
        "port": 5432,
        "scheme": "tcp",
        "target_port": "postgres",
        "other_ports": [{"port": 53, "protocol": "udp"}, {"port": 53, "target_port": 1053}],
        "selector": {"app": "db"},
    },
    "traffic": "non-html",
    "clients": "tailnet",
}


def _at(name: str, service: Mapping[str, Any], **origin: Any) -> dict[str, Any]:
    """The service, of a workload of its own; without what is None."""
    whole = {**service["origin"], "service": name, **origin}
    return {**service, "origin": {key: value for key, value in whole.items() if value is not None}}


UDP = [{"port": 53, "protocol": "udp"}]
EVERYTHING = {
    "acme-renewals": ACME,
    "app": {
        **_at("app", HTML),
        "paths": {"/api": {"clients": "anyone"}},
        "acknowledge": {"access-path-bypass": "API clients cannot log in"},
    },
    "outside": {**HTML, "origin": {"url": "http://192.168.0.50:8123"}},
    "proxmox": {**HTML, "origin": {"url": "https://192.168.0.51:8006"}, "origin_tls": {"ca_pool": HOME_CA}},
    "dashboard": {
        **HTML,
        "origin": {"namespace": "web", "service": "own", "port": 443, "scheme": "https", "through_ingress": "managed"},
        "own_certificate": True,
    },
    "media": {**_at("media", MEDIA), "clients": "nobody", "paths": {"/feed": {"clients": "anyone"}}},
    "wiki": {**_at("wiki", HTML), "clients": "tailnet"},
    "unifi": {**_at("unifi", HTML, port=8443, scheme="https", port_name="https"), "clients": "tailnet"},
    "database": DATABASE,
    "9database": _at("other", DATABASE, selector={"app": "other"}),
    "theirs": _at("theirs", DATABASE, other_ports=UDP, selector=None, target_port=None),
    "ssh": SSH,
    "game": GAME,
}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with every kind of service, and the program of the repository."""
    folder = tmp_path_factory.mktemp("everything")
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(PROJECT / name, folder)
    text = stack_text(EVERYTHING, node={**NODE, "tailscale_operator": "helm"})
    (folder / "Pulumi.every.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _schemas_read_once() -> Iterator[None]:
    """The validator reads the files of schemas anew for each object."""
    with patch.object(utils, "schema_contents", functools.cache(utils.schema_contents)):
        yield


@functools.cache
def _steps(project: Path, stack: str) -> tuple[Step, ...]:
    """What the program registers in `up`."""
    secrets = {secret.key: secret.simulated for secret in SECRETS}
    return tuple(run_offline(project, stack, dry_run=False, secrets=secrets, computed=cloud).steps)


def _objects(project: Path, stack: str) -> dict[str, dict[str, Any]]:
    """By URN, the object as it goes to the cluster, of every Kubernetes resource."""
    return {
        step.urn: _in_clear(Registered(step.urn, step.request).inputs)
        for step in _steps(project, stack)
        if step.type.startswith("kubernetes:") and step.type not in _NOT_OBJECTS
    }


def _in_clear(value: Any) -> Any:
    if isinstance(value, Secret):
        return _in_clear(value.value)
    if isinstance(value, dict):
        return {key: _in_clear(item) for key, item in value.items()}
    return [_in_clear(item) for item in value] if isinstance(value, list) else value


def _wrong(found: dict[str, Any], version: str) -> str | None:
    try:
        validate(found, version, strict=True)
    except ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    except SchemaNotFoundError as error:
        return str(error.message)
    return None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("stack", ["alfred", "octavo", "every"])
def test_every_object_of_a_stack_fits_its_schema(stack: str, version: str, everything: Path) -> None:
    found = _objects(everything if stack == "every" else PROJECT, stack)
    assert len(found) >= 6
    assert {urn: wrong for urn, one in found.items() if (wrong := _wrong(one, version))} == {}


def test_every_kind_of_object_that_components_can_make_is_among_them(everything: Path) -> None:
    sources = "".join(path.read_text() for path in (PROJECT / "components").glob("*.py"))
    written = set(re.findall(r"\bkubernetes\.[a-z][\w.]*\.([A-Z]\w+)\(", sources)) - {"Release"}
    assert len(written) >= 8
    assert written - {"CustomResource", "CustomResourcePatch"} == {
        urn.split("::")[2].rpartition(":")[2] for urn in _objects(everything, "every")
    }


def test_every_workload_of_a_stack_is_pod_security_restricted(everything: Path) -> None:
    for project, stack in ((PROJECT, "alfred"), (PROJECT, "octavo"), (everything, "every")):
        found = [resource_of(step.state) for step in _steps(project, stack)]
        assert "Deployment" in {r.kind for r in found}
        assert [p for r in found for p in restricted(r) if p.judged] == []


# --- the validator finds what it is there for


def _spoil(found: dict[str, Any], *path: str | int, rename: str) -> dict[str, Any]:
    """The object with the last key of a path spelt otherwise."""
    copied = copy.deepcopy(found)
    holder: Any = copied
    for key in path[:-1]:
        holder = holder[key]
    holder[rename] = holder.pop(path[-1])
    return copied


SPELLINGS: list[tuple[str, tuple[str | int, ...], str]] = [
    ("connector-deployment", ("spec", "template", "spec", "securityContext", "runAsNonRoot"), "runAsNonroot"),
    ("connector-deployment", ("spec", "template", "spec", "containers", 0, "readinessProbe"), "readynessProbe"),
    ("connector-deployment", ("spec", "selector", "matchLabels"), "match_labels"),
    # The SDK's own Python names must not reach the wire.
    ("connector-network", ("spec", "ingress", 0, "from"), "from_"),
    ("connector-network", ("spec", "egress", 1, "to", 0, "ipBlock", "except"), "except_"),
    ("connector-disruption", ("spec", "maxUnavailable"), "maxUnavailble"),
    ("connector-metrics", ("spec", "ports", 0, "targetPort"), "target_port"),
    ("connector-namespace", ("metadata", "labels"), "label"),
    ("connector-token", ("stringData",), "string_data"),
]


@pytest.mark.parametrize(("name", "path", "spelling"), SPELLINGS)
def test_a_misspelt_field_is_refused(name: str, path: tuple[str | int, ...], spelling: str, everything: Path) -> None:
    [found] = [one for urn, one in _objects(everything, "every").items() if urn.endswith(f"::{name}")]
    for version in VERSIONS:
        assert _wrong(found, version) is None
        assert spelling in str(_wrong(_spoil(found, *path, rename=spelling), version))


def test_a_value_of_another_kind_and_a_kind_that_does_not_exist_are_refused() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x"},
        "spec": {"ports": [{"port": "eighty"}]},
    }
    assert "eighty" in str(_wrong(service, VERSIONS[-1]))
    old = {"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "x"}}
    assert "extensions/v1beta1" in str(_wrong(old, VERSIONS[-1]))
