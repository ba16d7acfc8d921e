"""`python -m tests.docs.refusals`: docs/refusals.md, with a paragraph for each rule and its examples from the tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import yaml

from config.errors import Finding, in_order
from config.loader import LoadedStack, load_project, parse_stack_text, tie, type_stack
from config.text import wrap
from exposure.rules import (
    ACCEPTABLE,
    RULES,
    STRUCTURAL,
    Rule,
    access,
    acme,
    addresses,
    claims,
    connector,
    controller,
    dns,
    estate,
    gates,
    hosts,
    limits,
    origins,
    people,
    tailnet_policy,
    tailscale,
    workloads,
    zone,
)
from exposure.rules.acknowledgements import WIDER
from exposure.rules.run import run
from gatehouse.token_ends import TOKEN_ENDS
from tests.exposure.rules.catalogue import CATALOGUE, Refusal

FIXTURES = Path(__file__).parents[1] / "fixtures" / "rules"
"""Whole small stack files, `<rule>/refused…` and `<rule>/accepted…`: the tests hold what is found in each."""

_SHOWN = 3
_HEAD = """# Refusals

What would break, or open a hole, live is refused before anything is registered. `gatehouse check` names the rule, and
prints the link to its paragraph here as `more:`. This page is made from the code and from the files that its tests
refuse: `python -m tests.docs.refusals > docs/refusals.md`.

Sources: CFD cloudflare/cloudflared · CFDOC cloudflare/cloudflare-docs · TFC cloudflare/terraform-provider-cloudflare ·
TS tailscale/tailscale · TFT tailscale/terraform-provider-tailscale · CM cert-manager/cert-manager · LE Let's Encrypt.

A rule looks at one service, one stack, or all stack files together. *at* is the place in an example that is refused.
The owner may take the risk of some rules knowingly, with an acknowledgement: the rule's id and a reason.
"""
_SUBJECTS: tuple[tuple[str, Sequence[Rule]], ...] = (
    ("Host names", hosts.RULES),
    ("Origins", origins.RULES),
    ("Gates", gates.RULES),
    ("People and Access", (*people.RULES, *access.RULES)),
    ("Connector and ingress controller", (*connector.RULES, *controller.RULES)),
    ("Zone", zone.RULES),
    ("Certificates", acme.RULES),
    ("Tailscale", (*tailscale.RULES, *tailnet_policy.RULES, *dns.RULES)),
    ("Workloads", workloads.RULES),
    ("Claims", claims.RULES),
    ("Nodes and estate", (*estate.RULES, *addresses.RULES)),
    ("Limits", limits.RULES),
)
_TOGETHER = "all stack files together"
_LOOKS_AT = {"service": "one service", "stack": "one stack", "family": _TOGETHER, "everything": _TOGETHER}
_STACK_FILE = "[stack-file.md](stack-file.md)"


def page() -> str:
    """The whole page. Raises FileNotFoundError outside a checkout, where the examples are not there."""
    refused = [r for r in CATALOGUE if _rules(r) or r.cannot]
    subjects = [*_SUBJECTS, ("Acknowledgements", [rule for rule in RULES if rule.id.startswith("acknowledgement-")])]
    parts = [_HEAD]
    for title, rules in subjects:
        parts += [f"## {title}\n", *(_rule(rule) for rule in rules)]
    parts += [
        _wider(),
        _ends(),
        "## Reading the file\n",
        "What does not fit the stack file's form is found under these ids; the rules then judge the rest.\n",
        *(_structural(rule, title) for rule, title in STRUCTURAL.items()),
        "## The catalogue\n",
        f"{len(refused)} of {len(CATALOGUE)}. A number is refused by rules, or cannot be written: a test shows it.\n",
        *_table(("#", "what", "refused by rule", "cannot be written", "source"), map(_row, CATALOGUE)),
    ]
    return "\n".join(parts) + "\n"


def _rule(rule: Rule) -> str:
    warning = " A warning only." if rule.severity == "warning" else ""
    numbers = ", ".join(map(str, sorted(rule.refuses)))
    catalogue = f" Catalogue: {numbers}." if numbers else ""
    return "\n".join(
        [
            f"### {rule.id}\n",
            *_wrapped(f"{_prose(rule.title)}. Looks at {_LOOKS_AT[rule.scope]}.{warning}{catalogue}"),
            "",
            *_examples(rule.id),
            *_wrapped(f"Source: {_prose(rule.source)}."),
            "",
            *_acknowledged(rule.id, ACCEPTABLE.get(rule.id)),
        ]
    )


def _structural(rule: str, title: str) -> str:
    return "\n".join(
        [
            f"### {rule}\n",
            f"{_prose(title.removesuffix(':'))}.\n",
            *_examples(rule),
            f"Source: {_STACK_FILE}.\n",
            *_acknowledged(rule, None),
        ]
    )


def _wider() -> str:
    return "\n".join(
        [
            f"### {WIDER}\n",
            "A change lets more people reach a service. Only `gatehouse diff` can tell, and it is not refused by "
            "`gatehouse check`. For what is no service's, the stack says it: that with the route or the exit node; for "
            "a node's port, such as Tailscale SSH's, the estate's owner.\n",
            "- why: an edit of another line may open more than its author saw\n"
            "- fix: undo it, or say why it is meant; the reason has to be new with the change\n",
            "Source: Gatehouse: who can reach more than before is said before it is so.\n",
            *_acknowledged(WIDER, "service", "The status page is for everyone from now on"),
        ]
    )


def _ends() -> str:
    return "\n".join(
        [
            f"### {TOKEN_ENDS}\n",
            "A service token ends within thirty days, or has ended. A warning only, by the date in the stack's state, "
            "where that is in a folder of this machine.\n",
            "- why: from then on whoever has it is kept out\n"
            "- fix: write another `duration`, such as `8761h`, and run `gatehouse up`: it is good that long from then "
            "on, with the secret that it has\n",
            "Source: CFDOC cloudflare-one/access-controls/service-credentials/service-tokens#renew-service-tokens.\n",
            *_acknowledged(TOKEN_ENDS, None),
        ]
    )


def _examples(rule: str) -> list[str]:
    """What is found in the files that the rule's tests refuse, one of each way to fix it."""
    shown: dict[str, Finding] = {}
    for finding in _findings(rule):
        if not any(len(str(part)) > 40 for part in finding.path):
            shown.setdefault(finding.fix, finding)
    lines: list[str] = []
    for finding in list(shown.values())[:_SHOWN]:
        value = f": {finding.value}" if finding.value else ""
        where = _code(f"{finding.where}{value}") if finding.path else "the file"
        where = where if finding.place.file.startswith("Pulumi.") else f"a line of {finding.place.file}"
        lines += _wrapped(f"at {where}", "- ")
        lines += _wrapped(f"why: {_prose(finding.reason)}", "  - ")
        lines += _wrapped(f"fix: {_prose(finding.fix)}", "  - ")
    return [*lines, ""]


def _findings(rule: str) -> Iterator[Finding]:
    cases = sorted(FIXTURES.joinpath(rule).glob("refused*"), key=lambda path: (path.stem != "refused", path.name))
    if not cases:
        raise FileNotFoundError(f"{FIXTURES / rule}: the examples are in a checkout of the repository only")
    for case in cases:
        found = in_order(finding for findings in run(_stacks(case)).values() for finding in findings)
        yield from (finding for finding in found if finding.rule == rule)


def _stacks(case: Path) -> dict[str, LoadedStack]:
    if case.is_dir():
        return load_project(case)
    return tie([type_stack(parse_stack_text(case.read_text(encoding="utf-8")))])


def _acknowledged(rule: str, level: str | None, reason: str = "") -> list[str]:
    if level is None:
        return ["Cannot be acknowledged.\n"]
    reason = reason or _reason(rule)
    where, key = ("at the service", "acknowledge") if level == "service" else ("in the stack", "gatehouse:acknowledge")
    indent = " " * (6 if level == "service" else 2)
    return [
        f"May be acknowledged {where}, with a reason of your own:\n",
        f"```yaml\n{indent}{key}:\n{indent}  {rule}: {reason}\n```\n",
    ]


def _reason(rule: str) -> str:
    """The reason in the first accepted file that takes this risk."""
    folder = FIXTURES.joinpath(rule)
    for case in sorted([*folder.glob("accepted*.yaml"), *folder.glob("accepted*/Pulumi.*.yaml")]):
        config = yaml.safe_load(case.read_text(encoding="utf-8"))["config"]
        holders = [config.get("gatehouse:acknowledge", {})]
        holders += [service.get("acknowledge", {}) for service in config.get("gatehouse:services", {}).values()]
        for holder in holders:
            if rule in holder:
                reason = str(holder[rule])
                return reason[0].upper() + reason[1:]
    raise FileNotFoundError(f"{FIXTURES / rule}: no accepted file acknowledges it")


def _prose(text: str) -> str:
    """Text that Markdown shows as it is: what it would take for its own is quoted, outside of code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if n % 2 else re.sub(r"([*<>\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", part) for n, part in enumerate(parts)
    )


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _wrapped(text: str, bullet: str = "") -> list[str]:
    return wrap(text, 120, bullet, " " * len(bullet))


def _rules(refusal: Refusal) -> list[Rule]:
    return [rule for rule in RULES if refusal.number in rule.refuses]


def _row(refusal: Refusal) -> tuple[str, ...]:
    cannot = "<br>".join(f"{c.how} (`{c.test.split('::')[1]}`)" for c in refusal.cannot)
    rules = "<br>".join(f"[{rule.id}](#{rule.id})" for rule in _rules(refusal))
    return str(refusal.number), refusal.title, rules, cannot, refusal.source


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


if __name__ == "__main__":
    print(page(), end="")
