"""The plan for people: the exposure table and the hand-work, in so many columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from config.text import wrap
from exposure.model import Exposure, ExposurePlan, HandWork

_INDENT = "    "


def exposure_table(exposures: Iterable[Exposure], width: int = 80) -> str:
    """Service and gate on one line; below them the URL, who reaches it, why this gate, and cautions."""
    exposures = list(exposures)
    if not exposures:
        return "No services yet: add one under `gatehouse:services`."
    column = min(max(len(e.service) for e in exposures), max(width - 20, 12)) + 2
    lines = []
    for exposure in exposures:
        asked = " (asked for)" if exposure.asked_for else ""
        lines.append(f"{exposure.service:<{column}}{exposure.gate}{asked}")
        for url in exposure.url.split(", "):
            lines += _wrapped("url  ", url, width)
        lines += _wrapped("who  ", exposure.reaches, width)
        lines += _wrapped("why  ", exposure.reason, width)
        for caution in exposure.cautions:
            lines += _wrapped("mind ", caution, width)
    return "\n".join(lines)


def hand_work_list(hand_work: Iterable[HandWork], width: int = 80, outputs: Mapping[str, object] | None = None) -> str:
    """What remains for a person, numbered; `outputs` are the stack's, where it is up."""
    lines = []
    for number, work in enumerate(hand_work, 1):
        lines += textwrap.wrap(f"{number}. {work.title}", width, subsequent_indent="   ")
        for step in work.steps:
            lines += wrap(step, width, "   - ", "     ")
        for name in work.outputs:
            value = (outputs or {}).get(name)
            if value:
                shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
                lines.append(f"     {name}: {shown}")
    return "\n".join(lines) if lines else "Nothing left to do by hand."


def report(plan: ExposurePlan, width: int = 80, outputs: Mapping[str, object] | None = None) -> str:
    """The exposure table and the hand-work of one stack."""
    return (
        f"Who reaches what ({plan.stack}):\n{exposure_table(plan.exposures, width)}\n\n"
        f"Hand-work left:\n{hand_work_list(plan.hand_work, width, outputs)}"
    )


def _wrapped(label: str, text: str, width: int) -> list[str]:
    return wrap(text, width, _INDENT + label, _INDENT + " " * len(label))
