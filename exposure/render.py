"""The plan for people: the exposure table and the manual steps, in so many columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from config.text import wrap
from exposure.model import ExposurePlan, PlannedService
from exposure.ways.way import ManualStep

_INDENT = "    "


def exposure_table(services: Iterable[PlannedService], width: int = 80) -> str:
    """Service and gate on one line; below them the URLs, who reaches it, why, and cautions; so for each way."""
    services = list(services)
    if not services:
        return "No services yet: add one under `gatehouse:services`."
    column = min(max(len(s.key) for s in services), max(width - 20, 12)) + 2
    lines = []
    for service in services:
        asked = " (asked for)" if service.asked_for else ""
        for number, (way, reason) in enumerate(zip(service.ways, service.reasons, strict=True)):
            lines.append(f"{'' if number else service.key:<{column}}{way.gate}{asked}")
            for url in way.urls:
                lines += _wrapped("url  ", url, width)
            lines += _wrapped("who  ", way.reaches, width)
            lines += _wrapped("why  ", reason, width)
            for caution in way.mind:
                lines += _wrapped("mind ", caution, width)
        if len(service.ways) > 1:
            lines += _wrapped("all  ", f"together {service.audience}", width)
    return "\n".join(lines)


def manual_steps_list(
    manual_steps: Iterable[ManualStep], width: int = 80, outputs: Mapping[str, object] | None = None
) -> str:
    """What remains for a person, numbered; `outputs` are the stack's, where it is up."""
    lines = []
    for number, work in enumerate(manual_steps, 1):
        lines += textwrap.wrap(f"{number}. {work.title}", width, subsequent_indent="   ")
        for step in work.steps:
            lines += wrap(step, width, "   - ", "     ")
        for name in work.outputs:
            value = _output(outputs or {}, name)
            if value:
                shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
                lines.append(f"     {name}: {shown}")
    return "\n".join(lines) if lines else "Nothing left to do by hand."


def _output(outputs: Mapping[str, object], name: str) -> object:
    """An output, or, of `zones`, one of a zone: `zones.example.org.name_servers`."""
    first, _, rest = name.partition(".")
    zone, _, last = rest.rpartition(".")
    found = outputs.get(first)
    if not rest:
        return found
    of_zone = found.get(zone) if isinstance(found, Mapping) else None
    return of_zone.get(last) if isinstance(of_zone, Mapping) else None


def report(plan: ExposurePlan, width: int = 80, outputs: Mapping[str, object] | None = None) -> str:
    """The exposure table and the manual steps of one stack."""
    return (
        f"Who reaches what ({plan.stack}):\n{exposure_table(plan.services, width)}\n\n"
        f"Manual steps left:\n{manual_steps_list(plan.manual_steps, width, outputs)}"
    )


def _wrapped(label: str, text: str, width: int) -> list[str]:
    return wrap(text, width, _INDENT + label, _INDENT + " " * len(label))
