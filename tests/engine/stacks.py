"""The stacks of these tests: the shipped ones, and a small one with every gate once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.engine.kit import ROOT, Project
from tests.kit.builders import ACME, GAME, HTML, MEDIA, OPEN_HTML, stack_text

WHY = "API clients bring tokens of their own and cannot log in"


def at(place: str, fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A service's fields, with a workload of its own: the Service and namespace of that name."""
    return {**fields, "origin": {**fields["origin"], "namespace": place, "service": place}, **more}


ZERO_TRUST: Mapping[str, Any] = {
    **HTML,
    "paths": {"/api": {"clients": "anyone"}},
    "acknowledge": {"access-path-bypass": WHY},
}
SMALL: Mapping[str, Mapping[str, Any]] = {
    "grafana": ZERO_TRUST,
    "blog": at("blog", OPEN_HTML),
    "komga": at("komga", MEDIA),
    "wiki": at("wiki", HTML, clients="tailnet"),
    "game": GAME,
    "renewals": ACME,
    "dash": {
        "origin": {
            "namespace": "dash",
            "service": "dash",
            "port": 443,
            "scheme": "https",
            "through_ingress": "managed",
        },
        "traffic": "html",
        "own_certificate": True,
    },
}
"""Every gate once, with an open path and a host that renews its own certificate."""


def small(project: Project, services: Mapping[str, Any] = SMALL, **sections: Any) -> None:
    """Writes stack `alfred` with these services."""
    project.write("alfred", stack_text(services, **sections))


def shipped(project: Project, *stacks: str) -> None:
    """Copies the repository's own stack files."""
    for stack in stacks:
        project.write(stack, (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))


def edit(project: Project, stack: str, old: str, new: str) -> None:
    """Changes the one place in a stack's file."""
    path: Path = project.folder / f"Pulumi.{stack}.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{text.count(old)} times: {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")
