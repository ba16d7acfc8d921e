"""The plan for people: the exposure table and the manual steps, in so many columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from config.text import wrap
from exposure.audience import named_people
from exposure.model import ExposurePlan, PlannedService
from exposure.tailnet import PLANS
from exposure.ways.way import ManualStep

_INDENT = "    "
NOT_YET = "known after `gatehouse up`"


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
                lines += _wrapped("note ", caution, width)
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
        lines += step_lines(work.steps, pasted(work, outputs or {}), width, "   ")
    return "\n".join(lines) if lines else "Nothing left to do by hand."


def pasted(work: ManualStep, outputs: Mapping[str, object]) -> list[tuple[str, str]]:
    """What is to be pasted or typed for a manual step, by label; `outputs` are the stack's, as far as known."""
    found = list(work.values.items())
    for label, name in work.outputs.items():
        value = _output(outputs, name)
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")
        found.append((label, shown or NOT_YET))
    return found


def step_lines(steps: Iterable[str], values: Iterable[tuple[str, str]], columns: int, indent: str) -> list[str]:
    """A manual step below its title. Values stand alone on their lines, never broken, to be copied."""
    lines = [line for step in steps for line in wrap(step, columns, f"{indent}- ", f"{indent}  ")]
    values, indent = list(values), f"{indent}  "
    longest = max((len(k) for k, v in values if len(indent) + len(k) + len(v) + 2 <= columns), default=0)
    for label, value in values:
        line = f"{indent}{label + ':':<{longest + 1}} {value}"
        if len(line) <= columns:
            lines.append(line)
        else:
            lines += [f"{indent}{label}:", f"{'':{min(len(indent) + 2, max(0, columns - len(value)))}}{value}"]
    return lines


def _output(outputs: Mapping[str, object], name: str) -> object:
    """An output, or, of `zones`, one of a zone: `zones.example.org.name_servers`."""
    first, _, rest = name.partition(".")
    zone, _, last = rest.rpartition(".")
    found = outputs.get(first)
    if not rest:
        return found
    of_zone = found.get(zone) if isinstance(found, Mapping) else None
    return of_zone.get(last) if isinstance(of_zone, Mapping) else None


def nameservers(plan: ExposurePlan) -> dict[str, list[str]]:
    """Whom devices of the tailnet ask for which names, as far as this stack says it."""
    tailnet = plan.estate.tailnet
    if plan.owner is not None or tailnet is None:
        return {}
    asked = {"all names": tailnet.dns.nameservers or [], **dict(sorted((tailnet.dns.split_dns or {}).items()))}
    return {what: addresses for what, addresses in asked.items() if addresses}


def tailscale_ssh(plan: ExposurePlan) -> str:
    """Who logs in to the node by Tailscale SSH, and as whom, in a sentence; empty where it is off."""
    ssh = plan.estate.ssh
    if ssh is None:
        return ""
    users = ", ".join({"autogroup:nonroot": "any user but root"}.get(user, user) for user in ssh.users)
    checked = f"checked {'at every login' if ssh.check_period == 'always' else f'every {ssh.check_period}'}"
    checked = checked if ssh.action == "check" else "with no check"
    root = " Root has the whole node, and every service on it." if "root" in ssh.users else ""
    own = f" `gatehouse who {plan.node}:22` counts rules of your own policy too."
    own = own if plan.estate.tailnet and plan.estate.tailnet.policy else ""
    return (
        f"{named_people(ssh, plan.estate)} as {users}, {checked}, at port 22 of {plan.node} on the tailnet. It asks for"
        f" no key; sshd, at {plan.home.lan_ipv4}, does as before.{root}{own}"
    )


def report(plan: ExposurePlan, width: int = 80, outputs: Mapping[str, object] | None = None) -> str:
    """The exposure table, whom devices ask for names, the manual steps, and what it takes of the tailnet's plan."""
    asked = [
        line for what, of in nameservers(plan).items() for line in wrap(f"{what}: {', '.join(of)}", width, _INDENT)
    ]
    ssh = "".join(f"{line}\n" for line in wrap(tailscale_ssh(plan), width, _INDENT, _INDENT))
    ssh = f"Who logs in by Tailscale SSH:\n{ssh}\n" if tailscale_ssh(plan) else ""
    names = "".join(("Whom devices of the tailnet ask:\n", *(f"{line}\n" for line in asked), "\n")) if asked else ""
    return (
        f"Who reaches what ({plan.stack}):\n{exposure_table(plan.services, width)}\n\n{names}{ssh}"
        f"Manual steps left:\n{manual_steps_list(plan.manual_steps, width, outputs)}{_of_the_plan(plan, width)}"
    )


def _of_the_plan(plan: ExposurePlan, width: int) -> str:
    tailnet, use = plan.estate.tailnet, plan.tailnet_taken
    if use is None or tailnet is None:
        return ""
    most = PLANS[tailnet.plan]
    words = (f"{count} of {most_} {what}" for count, most_, what in zip(use, most, _COUNTED, strict=True) if most_)
    return "\n\n" + "\n".join(wrap(f"Tailnet: {', '.join(words)} of plan {tailnet.plan}.", width))


_COUNTED = ("users", "groups", "tagged machines")


def _wrapped(label: str, text: str, width: int) -> list[str]:
    return wrap(text, width, _INDENT + label, _INDENT + " " * len(label))
