"""Certificates that rules name: cloudflared refuses a tunnel's whole rule list where a file of it is missing.

A file is there, and in pods that started with it, before a rule names it; it goes after no rule names it any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from config.values import CA_FOLDER, Certificates
from gatehouse.simulation import tamper
from tests.engine.kit import Project
from tests.engine.stacks import small
from tests.engine.test_lifecycle import quiet
from tests.kit.builders import HTML
from tests.kit.certificates import HOME_CA, OTHER_CA

pytestmark = pytest.mark.engine

HOME, OTHER = Certificates(HOME_CA).path, Certificates(OTHER_CA).path
CLUSTER = "kubernetes/alfred/"
FILES = f"{CLUSTER}v1/ConfigMap/cloudflared/cloudflared-ca"
PODS = f"{CLUSTER}apps/v1/Deployment/cloudflared/cloudflared"


def at(number: int, certificate: str | None) -> dict[str, Any]:
    tls = {"no_tls_verify": True} if certificate is None else {"ca_pool": certificate}
    taken = {} if certificate else {"acknowledge": {"origin-tls-unverified": "it signs its own certificate"}}
    return {**HTML, "origin": {"url": f"https://192.168.0.{number}:8006"}, "origin_tls": tls, **taken}


def named(held: Mapping[str, Any]) -> set[str]:
    """The files that the tunnel's rules name."""
    configs = [item["body"]["config"] for key, item in held.items() if key.startswith("cloudflare/tunnel-config/")]
    requests = [rule.get("originRequest") or {} for config in configs for rule in config.get("ingresses") or ()]
    return {request["caPool"] for request in requests if request.get("caPool")}


def there(held: Mapping[str, Any]) -> set[str]:
    """The files that a pod finds which starts now."""
    pod = held[PODS]["body"]["spec"]["template"]["spec"] if PODS in held else {"containers": []}
    mounted = {m["name"]: m["mountPath"] for c in pod["containers"] for m in c.get("volumeMounts", ())}
    ours = [v["name"] for v in pod.get("volumes", ()) if v.get("configMap", {}).get("name") == "cloudflared-ca"]
    places = {mounted[name] for name in ours}
    data = (held[FILES]["body"].get("data") or {}) if FILES in held else {}
    return {f"{place}/{file}" for place in places for file in data}


def started_with(held: Mapping[str, Any]) -> set[str]:
    """The files that the running pods had from their start, at least."""
    template = held[PODS]["body"]["spec"]["template"]["metadata"] if PODS in held else {}
    files = (template.get("annotations") or {}).get("gatehouse/certificates", "")
    return {f"{CA_FOLDER}/{file}" for file in files.split()}


def missing(project: Project, since: int = 0) -> Iterator[str]:
    """After which calls a rule list would be refused: by pods that run, where it is new, or by one that starts."""
    before: set[str] = set()
    for number, (call, held) in enumerate(project.history()):
        wanted = named(held)
        if PODS in held and number >= since:
            for file in sorted((wanted - there(held)) | ((wanted - before) - started_with(held))):
                yield f"{call['method']} {call.get('urn', '')}: {file}"
        before = wanted


def test_a_rule_never_names_a_file_that_is_not_there(project: Project) -> None:
    steps: tuple[tuple[Mapping[str, Any], set[str]], ...] = (
        ({"pve": at(20, HOME_CA)}, {HOME}),
        # Another, one more, and none where there was one.
        ({"pve": at(20, OTHER_CA)}, {OTHER}),
        ({"pve": at(20, OTHER_CA), "nas": at(21, HOME_CA)}, {HOME, OTHER}),
        ({"pve": at(20, None), "nas": at(21, HOME_CA)}, {HOME}),
        # The last one goes with its service, and another comes.
        ({"pve": at(20, None)}, set()),
        ({"pve": at(20, OTHER_CA)}, {OTHER}),
    )
    for services, files in steps:
        small(project, services)
        project.ok("up")
        held = project.objects()
        assert named(held) == there(held) == files
    quiet(project.ok("up"))
    project.ok("destroy")
    assert list(missing(project)) == []
    assert not [key for key in project.objects() if "/cloudflared/" in key]


def test_the_judge_sees_a_file_that_goes_too_early(project: Project) -> None:
    small(project, {"pve": at(20, HOME_CA)})
    project.ok("up")
    since = len(project.history())
    tamper.change(project.clouds, FILES, data={})
    assert [text.rpartition(": ")[2] for text in missing(project, since)] == [HOME]


def test_where_the_pods_do_not_start_no_rule_is_changed(project: Project) -> None:
    small(project, {"pve": at(20, None)})
    project.ok("up")
    small(project, {"pve": at(20, HOME_CA)})
    project.faults({"do": "refuse", "type": "Deployment", "method": "update", "times": 9})
    assert project.run("up").code == 1
    assert named(project.objects()) == set()
    project.faults()
    project.ok("up")
    assert named(project.objects()) == {HOME}
    assert list(missing(project)) == []
