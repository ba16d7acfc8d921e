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
from gatehouse.adopt.cluster import ingress_controller
from gatehouse.commands import CommandError, UsageError

_EPILOG = """\
A node joins an estate (--member-of) or owns one (--account-id, --team, ...).
On a terminal it asks for what no option gives; with --no-input it never asks.
The file is checked before it is written. An existing file is never overwritten.

exit code: 0 written, 1 the answers would break live, 2 wrong usage
"""
_OPERATORS = ("none", "existing", "helm")
_CONTROLLERS = ("traefik", "nginx", "other")
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
# Never asked for: the comment at its place in the file says which services need it.
_ROUTER = Question("router_ip", "Router's public IPv4 address", ("node", "router_ipv4"), "192.0.2.1", needed=False)
_NODE = (
    Question("lan_ip", "Node's IPv4 address at home", ("node", "lan_ipv4"), "192.0.2.2"),
    Question("tailnet_ip", "Node's tailnet address (Enter: none)", ("node", "tailnet_ipv4"), "100.64.0.1", False),
    Question("context", "kubectl context of its cluster", ("node", "context"), "context"),
    Question(
        "ingress",
        "Ingress controller: traefik (k3s has it), nginx (retired in 2026) or other",
        ("node", "ingress_controller", "kind"),
        "traefik",
    ),
    Question("operator", f"Tailscale operator: {', '.join(_OPERATORS)}", ("node", "tailscale_operator"), "existing"),
)
_MEMBER = Question("member_of", "Stack that owns the estate", ("member_of",), "owner")
_OPTIONS = {q.name: q for q in (_MEMBER, *_OWNER, _ROUTER, *_NODE)}


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
    parser.add_argument("node", metavar="NODE", help="the node's short name; its stack gets the same name")
    estate = parser.add_argument_group("the estate: join one or own one")
    estate.add_argument("--member-of", metavar="STACK", help="the stack that owns the estate")
    estate.add_argument("--account-id", metavar="ID", help="Cloudflare account, 32 hexadecimal digits")
    estate.add_argument("--team", metavar="NAME", help="Zero Trust team, the bare name")
    estate.add_argument("--zone", metavar="DOMAIN", help="the domain, such as example.com")
    estate.add_argument("--google-client-id", metavar="ID", help="the OAuth client for the login")
    estate.add_argument("--people", metavar="A,B", help=f"who may log in: the set `{_SET}`")
    estate.add_argument("--tailnet", metavar="NAME", help="such as tail1234.ts.net")
    node = parser.add_argument_group("the node")
    node.add_argument("--router-ip", metavar="IPV4", help="the router's public address; forwarded ports need it")
    node.add_argument("--lan-ip", metavar="IPV4", help="the node's address at home")
    node.add_argument("--tailnet-ip", metavar="IPV4", help="what `tailscale ip -4` says on it")
    node.add_argument("--context", metavar="NAME", help="kubectl context of its cluster (default: NODE)")
    node.add_argument(
        "--ingress", choices=_CONTROLLERS, help="the ingress controller (default: what the cluster has, else traefik)"
    )
    node.add_argument("--operator", choices=_OPERATORS, help="the Tailscale operator (default: none)")
    parser.add_argument("--no-input", action="store_true", help="never ask, even on a terminal")
    parser.add_argument("--print", dest="only_print", action="store_true", help="print the file instead of writing it")


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
    questions = (*(() if answers.get("member_of") else _OWNER), *_NODE, _ROUTER)
    defaults = _defaults(answers, others)
    missing: list[str] = []
    seen: dict[str, str] = {}
    for question in questions:
        if question.name in given:
            continue
        if question.name == "ingress":
            seen = ingress_controller(given.get("context", ""))
            defaults["ingress"] = seen.get("kind", "traefik")
        if ask and question is not _ROUTER:
            _ask(question, answers, defaults.get(question.name, ""), others, project)
        elif question.name in defaults:
            given[question.name] = defaults[question.name]
        elif question.needed:
            missing.append(question.option)
    if seen.get("kind") == given.get("ingress"):
        given["ingress_namespace"] = seen.get("namespace", "")
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
    print(f"Estates here are owned by: {', '.join(owners)}. Name one to join it, or write - to own a new estate.")
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

_SERVICES = """\
  # The services of this node. Describe what each one is; its gate follows from that. Below is one example a gate:
  # remove the # in front of those that you have, and change them.
  # gatehouse:services:
  #   # public-tunnel: a web page for anyone, with no login in front.
  #   blog:
  #     origin: {namespace: blog, service: blog, port: 80}
  #     traffic: html
  #     sensitivity: low
  #     clients: anyone
  #   # zero-trust: a web page behind Google login. Needs estate.google and estate.people.
  #   grafana:
  #     origin: {namespace: monitoring, service: grafana, port: 3000}
  #     traffic: html
  #   # acme: Let's Encrypt's challenges, to the ingress controller. Needs a service with `own_certificate: true`.
  #   acme-renewals:
  #     origin: {namespace: kube-system, service: traefik, port: 80}
  #     traffic: acme-http-01
  #     sensitivity: low
  #     clients: anyone
  #   # funnel: media, for clients without Tailscale. Needs estate.tailnet and a node.tailscale_operator.
  #   jellyfin:
  #     origin: {namespace: media, service: jellyfin, port: 8096}
  #     traffic: non-html
  #     bandwidth: high
  #     sensitivity: low
  #     clients: anyone
  #   # tailnet: for your own devices only. Needs estate.tailnet.
  #   ssh:
  #     origin: {on_node: true, port: 22}
  #     traffic: non-html
  #     clients: tailnet
  #   # port-forward: not HTTP, for players who are strangers. Needs node.router_ipv4.
  #   minecraft:
  #     origin: {namespace: games, service: minecraft, port: 25565, scheme: tcp, selector: {app: minecraft}}
  #     traffic: non-html
  #     sensitivity: low
  #     clients: anyone
  #     port_forward:
  #       - {external_port: 25565, protocol: tcp, service_port: 25565, node_port: 30565}
"""
"""Behind comment signs, so that nothing is exposed that nobody asked for. README shows the same."""


def render_stack(answers: Answers) -> str:
    """The stack file for these answers, with comments."""
    value = answers.get
    member = value("member_of")
    lines = [
        "# yaml-language-server: $schema=./schema/stack.schema.json",
        f"# {answers.node}: " + ("one more node of the estate." if member else "the node that owns the estate."),
        f"# Every key: docs/stack-file.md. What follows from it: gatehouse explain {answers.node}",
        "config:",
    ]
    if member:
        lines += [
            "  # The stack whose zone, team, people and tailnet this node uses.",
            f"  gatehouse:member_of: {scalar(owner_reference(member))}",
            "",
        ]
    lines += _node_lines(answers)
    if not member:
        lines += ["", *_estate_lines(answers)]
    return "\n".join(lines) + f"\n\n{_SERVICES}"


def _node_lines(answers: Answers) -> list[str]:
    value = answers.get
    lines = [
        "  gatehouse:node:",
        f"    name: {scalar(answers.node)}",
        "    # The node's address at home.",
        f"    lan_ipv4: {scalar(value('lan_ip'))}",
        "    # The router's public address; only forwarded ports and `public_record` need it.",
        f"    router_ipv4: {scalar(value('router_ip'))}" if value("router_ip") else "    # router_ipv4:",
    ]
    if value("tailnet_ip"):
        lines += ["    # What `tailscale ip -4` says on the node.", f"    tailnet_ipv4: {scalar(value('tailnet_ip'))}"]
    kind, namespace = value("ingress"), value("ingress_namespace")
    said = f"kind: {scalar(kind)}" + (f", namespace: {scalar(namespace)}" if namespace else "")
    if kind == "other":
        said = "kind: other, namespace: NAMESPACE, service: NAME, class_name: CLASS"
    return [
        *lines,
        "    # `kubectl config get-contexts` lists them.",
        f"    context: {scalar(value('context'))}",
        "    # What serves the cluster's Ingresses: traefik, nginx or other.",
        f"    {'# ' if kind == 'other' else ''}ingress_controller: {{{said}}}",
        "    # none, existing (you installed it) or helm (Gatehouse installs it).",
        f"    tailscale_operator: {scalar(value('operator'))}",
    ]


def _estate_lines(answers: Answers) -> list[str]:
    value = answers.get
    lines = [
        "  # What all nodes share.",
        "  gatehouse:estate:",
        f"    account_id: {scalar(value('account_id'))}",
        f"    # Logins are at {value('team')}.cloudflareaccess.com.".replace("\n", " "),
        f"    team: {scalar(value('team'))}",
        "    zone:",
        f"      name: {scalar(value('zone'))}",
        "      # The DS record at the registrar is a manual step: gatehouse todo has the values.",
        "      dnssec: true",
    ]
    if value("google_client_id"):
        lines += [
            "    # The login. Its secret is set separately, and is encrypted.",
            "    google:",
            f"      client_id: {scalar(value('google_client_id'))}",
        ]
    people = [a.strip() for a in value("people").split(",") if a.strip()]
    if people:
        lines += [
            "    # Sets of people. A service that names no set is for default_people.",
            "    people:",
            f"      {_SET}:",
            *(f"        - {scalar(address)}" for address in people),
            f"    default_people: {_SET}",
        ]
    if value("tailnet"):
        lines += ["    tailnet:", f"      name: {scalar(value('tailnet'))}"]
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
    secrets = [s.set_with for s in SECRETS if logins or not s.owner_only]
    steps = [
        ("Describe the node's services in the file, then see what they get:", f"gatehouse explain {stack}"),
        ("Try it on simulated clouds, which need no account:", f"gatehouse up {stack} --simulated"),
        (
            "For the real clouds, follow docs/first-up.md. The secrets are set by:",
            f"gatehouse pulumi stack init {stack}",
            *(f"{command} --stack {stack}" for command in secrets),
        ),
        ("Then look at what would be made, and make it:", f"gatehouse preview {stack}", f"gatehouse up {stack}"),
    ]
    lines = (f"  {n}. " + "\n       ".join(step) for n, step in enumerate(steps, 1))
    return "Next:\n" + "\n".join(lines)
