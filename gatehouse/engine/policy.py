"""The rules of `policy/`: asked by the engine, as a policy pack, where it can, and of what the program registers."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from config.text import wrap
from gatehouse.commands import CommandError, write_whole

if TYPE_CHECKING:
    from gatehouse.offline import Offline
    from policy.model import Finding, Resource

_MODULE = "pulumi_policy"


@dataclass(frozen=True)
class Pack:
    """The policy pack for a run: what `--policy-pack` gets, or None, and then why the engine cannot run it."""

    given: Path | None
    """An executable that serves it."""
    refused: str = ""

    @property
    def policy_packs(self) -> list[str]:
        """For the Automation API."""
        return [str(self.given)] if self.given else []

    def __str__(self) -> str:
        """Who was asked."""
        if self.given:
            return "asked by the engine, as a policy pack, and of the program"
        return f"asked of the program, not by the engine: {self.refused}"


def has_rules(project: Path) -> bool:
    """Whether the rules are meant for a project: Gatehouse has its pack in its folder, another's program has none."""
    return (project / "policy" / "PulumiPolicy.yaml").is_file()


def pack_for(project: Path, environment: Mapping[str, str]) -> Pack:
    """How the rules are asked in a run of the engine [pulumi sdk/go/common/resource/plugin, NewPolicyAnalyzer].

    The engine takes an executable for a pack: the one written here starts it with this very Python.
    """
    if not has_rules(project):
        return Pack(None, "the project has no policy/")
    folder = project / "policy"
    if importlib.util.find_spec(_MODULE) is None:
        return Pack(None, f"{_MODULE} is not installed")
    if environment.get("PULUMI_IGNORE_AMBIENT_PLUGINS"):
        return Pack(None, "PULUMI_IGNORE_AMBIENT_PLUGINS is set")
    beside = project / ".gatehouse" / "pack"
    # The engine shows the description and the version that stand beside it, and calls it with its address first.
    _write(beside / "PulumiPolicy.yaml", (folder / "PulumiPolicy.yaml").read_text(encoding="utf-8"))
    start = f'exec {shlex.quote(sys.executable)} -u -m pulumi.policy "$1" {shlex.quote(str(folder.absolute()))}'
    return Pack(_write(beside / "gatehouse-policy", f"#!/bin/sh\n{start}\n", 0o755))


def _write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        # Another run may be about to start it.
        write_whole(path, text, mode)
    return path


def resources_of(found: Offline) -> list[Resource]:
    """The resources of an offline plan, and the other stacks that it reads."""
    from policy.steps import reference, resource_of

    references = (reference(stack, outputs) for stack, outputs in found.references.items())
    return [*(resource_of(step.state) for step in found.steps), *references]


def check_plan(project: Path, found: Offline) -> list[Finding]:
    """What the rules find in an offline plan; nothing where they are not meant for the project."""
    from policy.rules import check

    return check(resources_of(found)) if has_rules(project) else []


def check_offline(project: Path, stack: str) -> list[Finding]:
    """What the rules find in what the program registers, with no engine and no cloud.

    Nothing where the program itself is refused: the run that follows says so.
    """
    from gatehouse.offline import run_offline

    if not has_rules(project):
        return []
    try:
        return check_plan(project, run_offline(project, stack))
    except CommandError:
        return []


def render(findings: Iterable[Finding], width: int) -> str:
    """The findings for people, a paragraph each."""
    told = [f"{'error' if f.judged else 'note'}: policy {f.rule}: {f.message}" for f in findings]
    return "\n".join(line for text in told for line in wrap(text, width, "", "  "))


def summary_of(findings: Iterable[Finding], asked: str) -> str:
    """`Policy: 12 rules hold (…)`: how many rules are broken, what could not be judged, and who was asked."""
    from policy.rules import RULES

    found = list(findings)
    broken = len({f.rule for f in found if f.judged})
    unjudged = sum(not f.judged for f in found)
    text = f"{broken} of {len(RULES)} rules broken" if broken else f"{len(RULES)} rules hold"
    return f"Policy: {text}{f', {unjudged} not judged' if unjudged else ''} ({asked})"
