"""`python -m exposure.rules.docs`: the table of refusals, as docs/refusals.md has it."""

from __future__ import annotations

from collections.abc import Iterable

from exposure.rules import ACCEPTABLE, RULES, STRUCTURAL, Rule
from exposure.rules.acknowledgements import WIDER
from exposure.rules.catalogue import CATALOGUE, Refusal

_HEAD = """# Refusals

What would break, or open a hole, live is refused before anything is registered. This page is made from the code:
`python -m exposure.rules.docs > docs/refusals.md`.

Sources: CFD cloudflare/cloudflared · CFDOC cloudflare/cloudflare-docs · TFC cloudflare/terraform-provider-cloudflare ·
TS tailscale/tailscale · TFT tailscale/terraform-provider-tailscale · CM cert-manager/cert-manager · LE Let's Encrypt.
"""


def page() -> str:
    """The whole page."""
    refused = [r for r in CATALOGUE if _rules(r) or r.cannot]
    parts = [
        _HEAD,
        "## The catalogue\n",
        f"{len(refused)} of {len(CATALOGUE)}. A number is refused by rules, or cannot be written: a test shows it.\n",
        *_table(("#", "what", "refused by rule", "cannot be written", "source"), map(_row, CATALOGUE)),
        "\n## Rules\n",
        "A rule looks at one service, one stack, or all stack files together (estate). An owner may take the risk of "
        "an acceptable one knowingly: `acknowledge:` in the service, or `gatehouse:acknowledge:` for a stack or estate "
        "rule, with the rule's id and a reason.\n",
        *_table(("rule", "title", "looks at", "acceptable", "refuses", "source"), map(_rule_row, RULES)),
        f"\n`{WIDER}` in a service's `acknowledge` accepts that a change lets more people in (`gatehouse diff`).\n",
        "## Reading the file\n",
        "What does not fit the stack file's form is found under these ids; the rules then judge the rest.\n",
        *_table(("id", "title"), ((f"`{i}`", t) for i, t in STRUCTURAL.items())),
    ]
    return "\n".join(parts) + "\n"


def _rules(refusal: Refusal) -> list[Rule]:
    return [rule for rule in RULES if refusal.number in rule.refuses]


def _row(refusal: Refusal) -> tuple[str, ...]:
    cannot = "<br>".join(f"{c.how} (`{c.test.split('::')[1]}`)" for c in refusal.cannot)
    rules = "<br>".join(f"`{rule.id}`" for rule in _rules(refusal))
    return str(refusal.number), refusal.title, rules, cannot, refusal.source


def _rule_row(rule: Rule) -> tuple[str, ...]:
    acceptable = ACCEPTABLE.get(rule.id, "") and "yes"
    warning = " (warning)" if rule.severity == "warning" else ""
    numbers = ", ".join(map(str, sorted(rule.refuses)))
    return f"`{rule.id}`{warning}", rule.title, rule.scope, acceptable, numbers, rule.source


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


if __name__ == "__main__":
    print(page(), end="")
