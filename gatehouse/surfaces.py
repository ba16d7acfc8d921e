"""What `who`, `diff` and `map` ask about: the stack files, planned, or the JSON of previews."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from config.errors import render as render_findings
from config.loader import LoadedStack
from exposure.check import checked
from exposure.reach.places import unproved
from exposure.reach.project import Project, plan_project
from exposure.reach.steps import NoPreviewError, from_steps, known_from, stack_of
from exposure.reach.surface import Known, Surface
from exposure.rules.claims import BROKEN
from gatehouse.commands import UsageError
from gatehouse.stacks import known_stack


def planned_project(stacks: Mapping[str, LoadedStack], stack: str | None) -> Project | None:
    """The stacks, planned; None where one, or its owner, has findings, which are printed.

    Raises UsageError for an unknown stack.
    """
    names = list(stacks) if stack is None else [known_stack(stack, stacks)]
    # A broken claim is for `check` and `prove` to say: who reaches what can be told all the same.
    found = checked(stacks, without={BROKEN})
    # A member's people and the tailnet's policy are the owner's: without its plan there is no answer.
    owners = [owner.name for name in names if (owner := stacks[name].owner)]
    errors = dict.fromkeys(f for name in (*names, *owners) for f in found.of(name) if f.severity == "error")
    if errors:
        print(render_findings(list(errors)), file=sys.stderr)
        return None
    return plan_project(stacks, names)


def not_proved(*surfaces: Surface) -> int:
    """Say on standard error of which requests nothing is proved. Returns the exit code for that: 3, or 0 for none."""
    found = unproved(*surfaces)
    for host, why in found:
        print(f"gatehouse: not proved: {host}: {why}", file=sys.stderr)
    return 3 if found else 0


def read_previews(sources: Sequence[str], stacks: Mapping[str, LoadedStack]) -> tuple[dict[str, Surface], list[str]]:
    """The surface of each preview by stack, and notes. What no resource says is taken from the stack files.

    Raises UsageError for what is no preview.
    """
    documents: dict[str, tuple[str, dict[str, Any]]] = {}
    for source in sources:
        document = _document(source)
        name = stack_of(document)
        if name is None:
            raise UsageError(f"--from {source}: it has no step of any stack, so nothing to read.")
        documents[name] = (source, document)
    surfaces: dict[str, Surface] = {}
    notes = []
    for name, (source, document) in documents.items():
        try:
            known = _known(stacks, name)
            owner = stacks[name].owner if name in stacks else None
            if owner is not None and owner.name in documents:
                known = known_from(documents[owner.name][1], known)
            elif owner is not None:
                notes.append(
                    f"{source}: people and the tailnet's policy are registered by stack {owner.name}, and are taken"
                    " from its stack file as it is now; give its preview too, by another --from"
                )
            surfaces[name] = from_steps(document, known)
            unknown = {p.name for a in surfaces[name].applications for p in a.policies if p.decision == "unknown"}
            if unknown:
                notes.append(
                    f"{source}: {len(unknown)} of its policies are registered elsewhere, so whom they let in cannot be"
                    " told from it, and everybody is taken to pass them"
                )
        except NoPreviewError as error:
            raise UsageError(f"--from {source}: {error}.") from error
    return surfaces, notes


def _document(source: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        document = json.loads(text)
    except OSError as error:
        raise UsageError(f"--from {source}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--from {source}: not JSON ({error}).") from error
    if not isinstance(document, dict):
        raise UsageError(f"--from {source}: not the JSON of a preview, which is an object with `steps`.")
    return document


def planned_alone(stacks: Mapping[str, LoadedStack], name: str) -> Project | None:
    """One stack, planned; None where its file has findings, or there is none: it may be another program's."""
    try:
        return plan_project(stacks, [name])
    except (ValueError, AssertionError, KeyError, AttributeError, TypeError):
        return None


def _known(stacks: Mapping[str, LoadedStack], name: str) -> Known:
    project = planned_alone(stacks, name)
    if project is not None:
        return project.known(name)
    if name in stacks:
        print(f"gatehouse: Pulumi.{name}.yaml has findings, so only the preview itself is read.", file=sys.stderr)
    return Known()
