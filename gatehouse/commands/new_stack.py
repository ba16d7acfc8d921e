"""`gatehouse new-stack NODE`: a valid, commented stack file, from a few answers or from options."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config.errors import Finding, render
from config.loader import (
    LoadedStack,
    load_project,
    parse_stack_text,
    read_stack_file,
    stack_names,
    stack_path,
    tie,
    type_stack,
)
from config.positions import read_yaml
from config.secrets import SECRETS
from config.stack import owner_reference, owner_stack
from exposure.check import check_one
from gatehouse.commands import CommandError, UsageError

_EPILOG = """\
A node joins an estate (--member-of), or owns one (--account-id, --team, ...).
On a terminal, what no option says is asked for; --no-input never asks.
The file is checked before it is written; one that is there is never touched.

exit code: 0 written, 1 the answers would break live, 2 wrong usage
"""
_OPERATORS = ("none", "existing", "helm")
_SET = "household"


@dataclass(frozen=True)
class Question:
    """What one option says: `path` is where its value stands in the file, `stand_in` a value of the right form."""

    name: str
    text: str
    path: tuple[str | int, ...]
    stand_in: str
    needed: bool = True
    many: bool = False

    @property
    def option(self) -> str:
        """The option, as typed."""
        return "--" + self.name.replace("_", "-")


_OWNER = (
    Question("account_id", "Cloudflare account id", ("estate", "account_id"), "0" * 31 + "a"),
    Question("team", "Zero Trust team, the bare name", ("estate", "team"), "team"),
    Question("zone", "Domain", ("estate", "zone", "name"), "example.com"),
    Question(
        "google_client_id",
        "Google OAuth client id (Enter: later; nobody can log in yet)",
        ("estate", "google", "client_id"),
        "1-a.apps.googleusercontent.com",
        needed=False,
    ),
    Question(
        "people",
        "Who may log in, addresses with commas (Enter: later)",
        ("estate", "people"),
        "alice@example.com",
        needed=False,
        many=True,
    ),
    Question("tailnet", "Tailnet, such as tail1234.ts.net (Enter: none)", ("estate", "tailnet"), "t.ts.net", False),
)
_NODE = (
    Question("router_ip", "Router's public IPv4 address", ("node", "router_ipv4"), "192.0.2.1"),
    Question("lan_ip", "Node's IPv4 address at home", ("node", "lan_ipv4"), "192.0.2.2"),
    Question("tailnet_ip", "Node's tailnet address (Enter: none)", ("node", "tailnet_ipv4"), "100.64.0.1", False),
    Question("context", "kubectl context of its cluster", ("node", "context"), "context"),
    Question("operator", f"Tailscale operator: {', '.join(_OPERATORS)}", ("node", "tailscale_operator"), "existing"),
)
_MEMBER = Question("member_of", "Stack that owns the estate", ("member_of",), "owner")
_OPTIONS = {q.name: q for q in (_MEMBER, *_OWNER, *_NODE)}


@dataclass
class Answers:
    """What is known so far, by question; a name that is there with "" was answered with nothing."""

    node: str
    given: dict[str, str] = field(default_factory=dict)

    def get(self, question: str) -> str:
        """The answer, "" where there is none."""
        return self.given.get(question, "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.epilog = _EPILOG
    parser.add_argument("node", metavar="NODE", help="the node's short name, and so its stack's")
    estate = parser.add_argument_group("the estate: join one, or own one")
    estate.add_argument("--member-of", metavar="STACK", help="the stack that owns the estate")
    estate.add_argument("--account-id", metavar="ID", help="Cloudflare account, 32 hexadecimal digits")
    estate.add_argument("--team", metavar="NAME", help="Zero Trust team, the bare name")
    estate.add_argument("--zone", metavar="DOMAIN", help="the domain, such as example.com")
    estate.add_argument("--google-client-id", metavar="ID", help="the OAuth client that people log in by")
    estate.add_argument("--people", metavar="A,B", help=f"who may log in: the set `{_SET}`")
    estate.add_argument("--tailnet", metavar="NAME", help="such as tail1234.ts.net")
    node = parser.add_argument_group("the node")
    node.add_argument("--router-ip", metavar="IPV4", help="the router's public address (the owner's otherwise)")
    node.add_argument("--lan-ip", metavar="IPV4", help="the node's address at home")
    node.add_argument("--tailnet-ip", metavar="IPV4", help="what `tailscale ip -4` says on it")
    node.add_argument("--context", metavar="NAME", help="kubectl context of its cluster (default: NODE)")
    node.add_argument("--operator", choices=_OPERATORS, help="the Tailscale operator (default: none)")
    parser.add_argument("--no-input", action="store_true", help="ask nothing, also on a terminal")
    parser.add_argument("--print", dest="only_print", action="store_true", help="print the file, write nothing")


def run(args: argparse.Namespace, project: Path) -> int:
    """Write the file and say what comes next. Returns 0.

    Raises UsageError where a stack of that name is there, an answer is missing or two contradict each other, and
    CommandError where what was answered would break live, or the file cannot be written.
    """
    node: str = args.node
    if node in stack_names(project):
        raise UsageError(f"{stack_path(project, node)} is there already, and is never overwritten.")
    others = load_project(project)
    given = {name: value for name in _OPTIONS if (value := getattr(args, name)) is not None}
    answers = Answers(node, given)
    ask = sys.stdin.isatty() and not args.no_input
    if wrong := _about(_findings(answers, others, project, lenient=True), ("node", "name")):
        raise UsageError(f"NODE {node!r}: {wrong.reason}.")
    owned = [q.option for q in _OWNER if q.name in given]
    if "member_of" in given and owned:
        raise UsageError(f"--member-of joins an estate, {', '.join(owned)} owns one: say one of the two.")
    if "member_of" not in given and not owned:
        _join_or_own(answers, others, project, ask)
    questions = (*(() if answers.get("member_of") else _OWNER), *_NODE)
    defaults = _defaults(answers, others)
    missing = []
    for question in questions:
        if question.name in given:
            continue
        if ask:
            _ask(question, answers, defaults.get(question.name, ""), others, project)
        elif question.name in defaults:
            given[question.name] = defaults[question.name]
        elif question.needed:
            missing.append(question.option)
    if missing:
        raise UsageError(f"{', '.join(missing)}: needed, and there is no terminal to ask at.")
    text = render_stack(answers)
    found = _findings(answers, others, project)
    if any(f.severity == "error" for f in found):
        raise CommandError(f"nothing was written; what was answered would break live:\n\n{render(found)}")
    if args.only_print:
        print(text, end="")
        return 0
    path = project / f"Pulumi.{node}.yaml"
    _write(path, text)
    print(f"Wrote {path.name}.\n" + _next_steps(answers))
    return 0


def _join_or_own(answers: Answers, others: Mapping[str, LoadedStack], project: Path, ask: bool) -> None:
    owners = sorted(name for name, stack in others.items() if stack.owns_estate)
    if not owners:
        return
    if not ask:
        if len(owners) > 1:
            raise UsageError(f"--member-of: say which estate, that of {' or '.join(owners)}.")
        answers.given["member_of"] = owners[0]
        return
    print(f"Estates here are owned by: {', '.join(owners)}. Write - for an estate of its own.")
    answer = _read(_MEMBER.text, owners[0])
    while answer != "-":
        answers.given["member_of"] = answer
        wrong = _about(_findings(answers, others, project, lenient=True), _MEMBER.path)
        if wrong is None:
            return
        print(f"  {wrong.reason}; {wrong.fix}")
        answer = _read(_MEMBER.text, owners[0])
    answers.given.pop("member_of", None)


def _defaults(answers: Answers, others: Mapping[str, LoadedStack]) -> dict[str, str]:
    """What an answer is where nobody says otherwise."""
    defaults = {"context": answers.node, "operator": "none"}
    owner = others.get(owner_stack(answers.get("member_of")))
    if owner and owner.config and owner.config.node.router_ipv4:
        # Nodes of one home share its router.
        defaults["router_ip"] = owner.config.node.router_ipv4
    return defaults


def _ask(question: Question, answers: Answers, default: str, others: Mapping[str, LoadedStack], project: Path) -> None:
    while True:
        answer = _read(question.text, default)
        if not answer and question.needed:
            print("  this is needed")
            continue
        answers.given[question.name] = answer
        wrong = _about(_findings(answers, others, project, lenient=True), question.path) if answer else None
        if wrong is None:
            return
        print(f"  {wrong.reason}" + (f"; {wrong.fix}" if wrong.rule not in ("wrong-form", "unknown-name") else ""))
        del answers.given[question.name]


def _read(text: str, default: str) -> str:
    try:
        return input(f"{text}{f' [{default}]' if default else ''}: ").strip() or default
    except EOFError:
        print()
        raise UsageError("the answers ended before the questions; nothing was written.") from None


def _about(findings: tuple[Finding, ...], path: tuple[str | int, ...]) -> Finding | None:
    return next((f for f in findings if f.severity == "error" and f.path[: len(path)] == path), None)


def _findings(
    answers: Answers, others: Mapping[str, LoadedStack], project: Path, lenient: bool = False
) -> tuple[Finding, ...]:
    """What the check finds in the file as answered; `lenient` fills in what is needed and not answered yet."""
    filled = answers
    if lenient:
        needed = {q.name: q.stand_in for q in (*(() if answers.get("member_of") else _OWNER), *_NODE) if q.needed}
        filled = Answers(answers.node, {**needed, **answers.given})
    new = type_stack(parse_stack_text(render_stack(filled), answers.node))
    # Ties are made anew, so the others are read anew.
    read = [type_stack(read_stack_file(stack_path(project, name))) for name in others]
    return check_one(answers.node, tie([*read, new]))


# The file


def render_stack(answers: Answers) -> str:
    """The stack file for these answers, with comments."""
    value = answers.get
    member = value("member_of")
    lines = [
        "# yaml-language-server: $schema=./schema/stack.schema.json",
        f"# {answers.node}: " + ("one more node of the estate." if member else "the node that owns the estate."),
        "# Every key: docs/stack-file.md. What follows from it: gatehouse explain --stack " + answers.node,
        "config:",
    ]
    if member:
        lines += [
            "  # Zone, team, people and tailnet are this stack's.",
            f"  gatehouse:member_of: {scalar(owner_reference(member))}",
            "",
        ]
    lines += _node_lines(answers)
    if not member:
        lines += ["", *_estate_lines(answers)]
    lines += ["", *_service_lines(bool(value("tailnet")) and value("operator") != "none")]
    return "\n".join(lines) + "\n"


def _node_lines(answers: Answers) -> list[str]:
    value = answers.get
    lines = [
        "  gatehouse:node:",
        f"    name: {scalar(answers.node)}",
        "    # The router's address on the internet, and the node's at home.",
        f"    router_ipv4: {scalar(value('router_ip'))}",
        f"    lan_ipv4: {scalar(value('lan_ip'))}",
    ]
    if value("tailnet_ip"):
        lines += ["    # What `tailscale ip -4` says on the node.", f"    tailnet_ipv4: {scalar(value('tailnet_ip'))}"]
    return [
        *lines,
        "    # `kubectl config get-contexts` lists them.",
        f"    context: {scalar(value('context'))}",
        "    # none, existing (you installed it) or helm (Gatehouse installs it).",
        f"    tailscale_operator: {scalar(value('operator'))}",
    ]


def _estate_lines(answers: Answers) -> list[str]:
    value = answers.get
    lines = [
        "  # What there is one of, however many nodes.",
        "  gatehouse:estate:",
        f"    account_id: {scalar(value('account_id'))}",
        f"    # Logins are at {value('team')}.cloudflareaccess.com.".replace("\n", " "),
        f"    team: {scalar(value('team'))}",
        "    zone:",
        f"      name: {scalar(value('zone'))}",
        "      # The registrar's DS record is left to you: gatehouse explain says how.",
        "      dnssec: true",
    ]
    if value("google_client_id"):
        lines += [
            "    # The one way to log in. Its secret is set apart, encrypted.",
            "    google:",
            f"      client_id: {scalar(value('google_client_id'))}",
        ]
    people = [a.strip() for a in value("people").split(",") if a.strip()]
    if people:
        lines += [
            "    # Sets of people. A service that names none lets the default set in.",
            "    people:",
            f"      {_SET}:",
            *(f"        - {scalar(address)}" for address in people),
            f"    default_people: {_SET}",
        ]
    if value("tailnet"):
        lines += ["    tailnet:", f"      name: {scalar(value('tailnet'))}"]
    return lines


def _service_lines(tailscale: bool) -> list[str]:
    """Examples behind comment signs: less to write, and nothing is exposed that nobody asked for."""
    lines = [
        "  # The services of this node, each said as what it is; its gate follows. Take the # away and change them.",
        "  # gatehouse:services:",
        "  #   # Anyone may see it: nothing in front.",
        "  #   blog:",
        "  #     origin: {namespace: blog, service: blog, port: 80}",
        "  #     traffic: html",
        "  #     sensitivity: low",
        "  #     clients: anyone",
        "  #   # Behind Google login; needs estate.google and estate.people.",
        "  #   grafana:",
        "  #     origin: {namespace: monitoring, service: grafana, port: 3000}",
        "  #     traffic: html",
    ]
    if tailscale:
        lines += [
            "  #   # Only devices of the tailnet.",
            "  #   ssh:",
            "  #     origin: {on_node: true, port: 22}",
            "  #     traffic: non-html",
            "  #     clients: tailnet",
        ]
    return lines


def scalar(text: str) -> str:
    """The text as YAML that is read as the same text: plain where that does, else in double quotes."""
    plain = text and text.isascii() and text.isprintable()
    if plain:
        document = read_yaml(f"a: {text}\n", "answer")
        if not document.findings and document.values == {"a": text}:
            return text
    return json.dumps(text)


def _write(path: Path, text: str) -> None:
    try:
        # `x`: what somebody else wrote meanwhile stays.
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise UsageError(f"{path} is there already, and is never overwritten.") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}.") from error


def _next_steps(answers: Answers) -> str:
    stack = answers.node
    logins = bool(answers.get("google_client_id")) and not answers.get("member_of")
    steps = [
        f"Add the node's services to Pulumi.{stack}.yaml, then see what they get:\n"
        f"       gatehouse check && gatehouse explain --stack {stack}",
        f"Try it on simulated clouds, which need no account:\n       gatehouse up --stack {stack} --simulated",
        f"For the real clouds, make the stack and set its secrets:\n       pulumi stack init {stack}",
    ]
    steps[-1] += "".join(f"\n       {s.set_with} --stack {stack}" for s in SECRETS if logins or not s.owner_only)
    steps.append(f"Look, then do it:\n       pulumi preview --stack {stack}\n       pulumi up --stack {stack}")
    return "Next:\n" + "\n".join(f"  {n}. {step}" for n, step in enumerate(steps, 1))
