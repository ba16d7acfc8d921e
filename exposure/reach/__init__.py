"""Who reaches what, decided offline from what is registered and not from the gate that made it.

surface = from_plan(plan)                       # or from_steps(json.load(file), known_of(plan))
who(surface, Request("grafana.example.com", 443, "/"), ANYONE)
table(surface)
"""

from __future__ import annotations

from exposure.reach.access import ANYONE, LAN, MEMBER, Principal
from exposure.reach.evaluate import Answer, Outcome, Request, Step, parse_principal, who
from exposure.reach.places import Place, Reached, places, principals, table
from exposure.reach.steps import NoPreviewError, from_steps, stack_of
from exposure.reach.surface import Known, Surface, Zone, from_plan, known_of, merge

__all__ = [
    "ANYONE",
    "LAN",
    "MEMBER",
    "Answer",
    "Known",
    "NoPreviewError",
    "Outcome",
    "Place",
    "Principal",
    "Reached",
    "Request",
    "Step",
    "Surface",
    "Zone",
    "from_plan",
    "from_steps",
    "known_of",
    "merge",
    "parse_principal",
    "places",
    "principals",
    "stack_of",
    "table",
    "who",
]
