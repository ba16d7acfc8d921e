"""README and docs say what is true of the code: keys, defaults, commands, links, examples, decisions."""

from __future__ import annotations

import ast
import io
import itertools
import json
import re
import shlex
import textwrap
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import redirect_stderr
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.errors import Finding, Place, render
from config.loader import load_project, parse_stack_text, tie, type_stack
from config.positions import read_yaml
from config.secrets import SECRETS
from config.services import Node, Service
from config.stack import StackConfig
from exposure.check import check
from exposure.decide import decide
from exposure.plan import plan_stack
from exposure.render import report
from exposure.rules import ACCEPTABLE, RULES, STRUCTURAL
from exposure.rules.acknowledgements import WIDER
from exposure.ways import WAYS
from gatehouse import cli
from gatehouse.token_ends import TOKEN_ENDS
from policy.rules import RULES as POLICIES
from tests.gatehouse.test_new_stack import TRAEFIK
from tests.kit.builders import ACME, ESTATE, NODE

GATES = tuple(WAYS)
ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/adr/*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
STACK_FILE = (ROOT / "docs" / "stack-file.md").read_text(encoding="utf-8")
FIRST_UP = (ROOT / "docs" / "first-up.md").read_text(encoding="utf-8")
GATES_PAGE = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")


REFUSALS = (ROOT / "docs" / "refusals.md").read_text(encoding="utf-8")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def table_after(text: str, marker: str) -> list[list[str]]:
    """The rows of the Markdown table that follows `<!-- marker -->`, without its head."""
    _, found, after = text.partition(f"<!-- {marker} -->")
    assert found, f"there is no <!-- {marker} -->"
    assert f"<!-- {marker} -->" not in after, f"<!-- {marker} --> is there twice"
    lines = itertools.takewhile(lambda line: line.startswith("|"), after.lstrip("\n").splitlines())
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return rows[2:]


def bare(cell: str) -> str:
    return cell.strip("`")


# --- the stack file's keys


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def models_below(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    found = {model.__name__: model}
    for field in model.model_fields.values():
        for below in models_in(field.annotation):
            found |= models_below(below)
    return found


MODELS = models_below(StackConfig)


def shown_default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return "–"
    if isinstance(default, BaseModel):
        return "its defaults"
    if default in ([], {}):
        return "none"
    return f"`{json.dumps(default).strip(chr(34))}`"


def test_the_walk_over_the_models_finds_nested_ones() -> None:
    assert {"StackConfig", "Estate", "Hsts", "Service", "UrlOrigin", "ForwardedPort"} <= set(MODELS)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_key_of_the_stack_file_is_documented_with_its_default(name: str) -> None:
    rows = table_after(STACK_FILE, f"model: {name}")
    documented = [(bare(row[0]), row[1]) for row in rows]
    assert documented == [(f.alias or key, shown_default(f)) for key, f in MODELS[name].model_fields.items()]
    assert all(row[2] for row in rows), "every key has a meaning"


def test_no_model_is_documented_that_is_not_there() -> None:
    assert sorted(re.findall(r"<!-- model: (\w+) -->", STACK_FILE)) == sorted(MODELS)


def test_every_secret_is_documented_with_the_command_that_sets_it() -> None:
    rows = table_after(STACK_FILE, "secrets")
    assert [(bare(row[0]), bare(row[2])) for row in rows] == [(s.key, s.set_with) for s in SECRETS]
    for secret in SECRETS:
        assert f"{secret.set_with} --stack" in FIRST_UP


# --- commands


def code_spans(text: str) -> Iterator[str]:
    """Inline code and the commands of console blocks, each on one line."""
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.M | re.S):
        if language == "console":
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                if line.strip().startswith("$ "):
                    yield line.strip()[2:]
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    yield from (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose))


def commands(program: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for span in code_spans(page.read_text(encoding="utf-8")):
            words = span.partition("#")[0].partition(" | ")[0].strip().removeprefix(".venv/bin/")
            if words.startswith(f"{program} "):
                found.append((named(page), words))
    return sorted(set(found))


def parse(command: str) -> None:
    """Parse with the command line's own parser. Raises SystemExit where it refuses."""
    words = [word for word in shlex.split(command)[1:] if word != "…"]
    if words == ["-C", "DIR"] or (len(words) == 1 and words[0] in cli.COMMANDS):
        # The command's name alone, in a sentence.
        return
    with redirect_stderr(io.StringIO()):
        cli._parser(cli._command_in(words)).parse_args(words)


@pytest.mark.parametrize(("page", "command"), commands("gatehouse"))
def test_every_gatehouse_command_in_the_docs_is_one(page: str, command: str) -> None:
    parse(command)


@pytest.mark.parametrize("command", ["gatehouse chekc", "gatehouse check --stacks alfred", "gatehouse explain a b"])
def test_the_parser_refuses_what_is_no_command(command: str) -> None:
    with pytest.raises(SystemExit):
        parse(command)


@cache
def messages() -> list[tuple[str, str]]:
    """Every text in the product that is no docstring, with its file; what is filled in is `{}`."""
    found = []
    for folder in ("config", "exposure", "components", "gatehouse"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            parts = {id(v) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for v in node.values}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told | parts:
                    found.append((named(path), node.value))
                elif isinstance(node, ast.JoinedStr):
                    words = (v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
                    found.append((named(path), "".join(map(str, words))))
    return found


def test_every_command_in_a_message_exists() -> None:
    typed = [(page, m) for page, text in messages() for m in re.findall(r"(?<=gatehouse )[a-z]+(?:-[a-z]+)?", text)]
    assert len(typed) > 50
    # The one that is none is the description of an OAuth client.
    unknown = [(page, word) for page, word in typed if word not in cli.COMMANDS]
    assert unknown == [("components/tailscale_operator.py", "operator")]


def test_no_message_has_people_type_pulumi_itself() -> None:
    # The engine that `make engine` builds has no language host, and may not be on PATH.
    bare = r"(?<!gatehouse )\bpulumi (?:up|preview|refresh|destroy|config|stack|state|cancel|import)\b"
    found = {(page, m) for page, text in messages() for m in re.findall(bare, text)}
    assert found == {
        # What other programs than Gatehouse print.
        ("exposure/reach/steps.py", "pulumi preview"),
        ("gatehouse/commands/engine_run.py", "pulumi preview"),
        ("gatehouse/commands/plan.py", "pulumi preview"),
    }


def test_the_readme_names_every_command() -> None:
    assert [name for name in cli.COMMANDS if not re.search(rf"(gatehouse|make) {name}\b", README)] == ["refresh"]
    assert "make refresh" in (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("page", "command"), commands("make"))
def test_every_make_target_in_the_docs_is_one(page: str, command: str) -> None:
    targets = re.findall(r"^([a-z-]+)(?: [a-z -]+)?:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    targets += re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[0].split()
    for word in shlex.split(command)[1:]:
        assert re.fullmatch(r"(STACK|ARGS|PYTHON)=.+", word) or word in targets


# --- links and words


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        goal = (page.parent / file).resolve() if file else page
        assert goal.exists(), f"{named(page)}: {target}"
        if anchor:
            assert anchor in anchors(goal), f"{named(page)}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_names_a_real_address_or_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"[\w.+-]+@([\w-]+\.[\w.-]+\w)", text)) <= {"example.com"}
    assert not re.search(r"(?<![\w.])/(tmp|work|home|root)/", text)


def test_the_readme_leads_to_every_page() -> None:
    for page in [*ROOT.glob("docs/*.md"), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "LICENSE"]:
        assert f"]({named(page)})" in README


def test_decisions_are_numbered_listed_and_have_their_three_parts() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    listed = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix(f"# {page.name[:4]}: ")
        assert f"| [{page.name[:4]}]({page.name}) | {title} |" in listed
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.M) == ["Context", "Decision", "Consequence"]


# --- error ids


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("rule", [*(rule.id for rule in RULES), *STRUCTURAL, WIDER, TOKEN_ENDS])
def test_every_error_id_has_its_paragraph(rule: str) -> None:
    finding = Finding(rule, (), "", "it breaks", "fix it", Place("x.yaml"))
    file, _, anchor = finding.docs.partition("#")
    assert finding.to_dict()["docs"] == finding.docs
    assert f"    more: {finding.docs}" in render([finding]).splitlines()
    assert anchor == rule
    paragraph = REFUSALS.partition(f"\n### {anchor}\n")[2].partition("\n### ")[0]
    assert (ROOT / file).read_text(encoding="utf-8") == REFUSALS
    assert all(word in paragraph for word in ("- why: ", "- fix: ", "Source: "))
    acceptable = rule in ACCEPTABLE or rule == WIDER
    assert ("May be acknowledged" in paragraph and f"  {rule}: " in paragraph) is acceptable
    assert ("Cannot be acknowledged." in paragraph) is not acceptable


def test_no_paragraph_is_about_an_id_that_is_gone_or_there_twice() -> None:
    ids = re.findall(r"^### (.*)$", REFUSALS, re.M)
    assert sorted(ids) == sorted([*(rule.id for rule in RULES), *STRUCTURAL, WIDER, TOKEN_ENDS])
    assert len(headings(ROOT / "docs" / "refusals.md")) == len(anchors(ROOT / "docs" / "refusals.md"))


def test_every_rule_of_the_policy_pack_has_its_paragraph() -> None:
    text = " ".join((ROOT / "docs" / "policy-pack.md").read_text(encoding="utf-8").split())
    for rule in POLICIES:
        paragraph = text.partition(f" ### {rule.id} ")[2].partition(" ### ")[0]
        assert f"- must hold: {rule.description} - fix: {rule.remediation}" in paragraph
    assert text.count(" ### ") == len(POLICIES)


def test_the_glossary_is_in_order_and_has_the_words() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    terms = [term for line in lines for term in re.findall(r"^- \*\*(.+?)\*\*: ", line)]
    assert terms == sorted(terms, key=str.lower)
    words = {word.lower() for term in terms for word in term.split(", ")}
    assert words >= {
        *("gate", "estate", "owner", "member", "node", "zone", "tunnel", "connector", "access application", "policy"),
        *(
            "aud",
            "funnel",
            "serve",
            "tailnet",
            "grant",
            "tag",
            "acme http-01",
            "manual steps",
            "simulated clouds",
            "plan",
        ),
    }


# The tasks of issue 6, point 6, and where each begins.
_TASKS = (
    "docs/first-up.md#a-first-real-up",
    "docs/operate.md#first-up",
    "docs/operate.md#add-a-service",
    "docs/operate.md#add-a-node",
    "docs/operate.md#let-someone-in",
    "docs/operate.md#take-someone-out",
    "docs/operate.md#let-in-a-client-that-cannot-log-in",
    "docs/operate.md#renew-certificates",
    "docs/rotate.md#rotate-a-secret",
    "docs/adopt.md#adopt-what-is-there-already",
    "docs/operate.md#move-the-state",
    "docs/operate.md#back-up",
    "docs/operate.md#recover-from-a-lost-laptop",
    "docs/operate.md#recover-from-a-lost-state",
    "docs/operate.md#recover-from-a-dead-node",
    "docs/operate.md#remove-everything",
)


@pytest.mark.parametrize("task", _TASKS)
def test_every_task_has_its_heading(task: str) -> None:
    page, _, anchor = task.partition("#")
    assert anchor in anchors(ROOT / page)


# --- gates


def test_the_readme_and_the_picture_have_every_gate_in_order() -> None:
    assert tuple(re.findall(r"^    # ([a-z-]+): ", README, re.M)) == GATES
    picture = ElementTree.parse(ROOT / "docs" / "gates.svg").getroot()
    texts = [node.text for node in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert tuple(text for text in texts if text in GATES) == GATES
    assert "prefers-color-scheme: dark" in (ROOT / "docs" / "gates.svg").read_text(encoding="utf-8")


_FACTS: dict[str, tuple[str, ...]] = {
    "scheme": ("http", "https", "tcp", "udp"),
    "traffic": ("html", "non-html", "acme-http-01"),
    "bandwidth": ("low", "high"),
    "sensitivity": ("low", "high"),
    "clients": ("anyone", "people", "tailnet", "nobody"),
}


def test_the_decision_table_is_what_is_decided() -> None:
    rows = table_after(GATES_PAGE, "decision table")
    used = set()
    for facts in itertools.product(*_FACTS.values()):
        number, row = next(
            (n, row)
            for n, row in enumerate(rows)
            if all(
                cell == "any" or fact in re.findall(r"`([^`]+)`", cell)
                for fact, cell in zip(facts, row[:5], strict=True)
            )
        )
        scheme, *rest = facts
        origin = {"namespace": "a", "service": "b", "port": 1, "scheme": scheme}
        service = Service.model_validate({"origin": origin, **dict(zip(list(_FACTS)[1:], rest, strict=True))})
        assert bare(row[5]) == decide(service).gate, facts
        used.add(number)
    assert used == set(range(len(rows))), "a row that never counts misleads"


def test_the_table_of_acknowledgements_is_complete() -> None:
    rows = table_after(GATES_PAGE, "acknowledgements")
    assert {bare(row[0]): row[1] for row in rows} == {**ACCEPTABLE, WIDER: "service or stack"}


# --- examples


def examples() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found += [(named(page), block) for block in re.findall(r"^ *```yaml\n(.*?)^ *```", text, re.M | re.S)]
    return found


def stack_of(example: str) -> dict[str, Any] | None:
    """The stack file's values that an example stands for; None where it is no part of one."""
    # YAML 1.2, as Pulumi reads it: `on` is a word.
    values: Any = read_yaml(textwrap.dedent(example), "example").values
    if "backend" in values:
        return None
    if "config" in values:
        return dict(values["config"])
    stack: dict[str, Any] = {"gatehouse:node": dict(NODE), "gatehouse:estate": dict(ESTATE)}
    if all(key.startswith("gatehouse:") for key in values):
        # A part of the estate stands for the whole of it.
        estate = {**ESTATE, **values.get("gatehouse:estate", {})}
        stack |= {**values, "gatehouse:estate": estate} if "gatehouse:member_of" not in values else values
    elif set(values) <= set(Node.model_fields):
        stack["gatehouse:node"] |= values
    elif set(values) <= set(Service.model_fields):
        web = {"origin": {"namespace": "web", "service": "web", "port": 80}, "traffic": "html"}
        stack["gatehouse:services"] = {"web": {**web, **values}}
    else:
        if any(service["origin"].get("service") == "traefik" for service in values.values()):
            stack["gatehouse:node"]["ingress_controller"] = TRAEFIK
        if any(service.get("own_certificate") for service in values.values()):
            values["acme-solver"] = dict(ACME)
        stack["gatehouse:services"] = values
    return stack


@pytest.mark.parametrize(("page", "example"), examples())
def test_every_example_of_a_stack_file_is_a_good_one(page: str, example: str) -> None:
    stack = stack_of(example)
    if stack is None:
        assert page == "docs/first-up.md"
        return
    text = yaml.safe_dump({"config": stack}, sort_keys=False)
    member = "gatehouse:member_of" in stack
    beside = {"tailnet.hujson": "{}"}.__getitem__
    loaded = [type_stack(parse_stack_text(text, "octavo" if member else "alfred", beside))]
    if member:
        owner = {"config": {"gatehouse:node": dict(NODE), "gatehouse:estate": dict(ESTATE)}}
        loaded.append(type_stack(parse_stack_text(yaml.safe_dump(owner), "alfred")))
    assert [f for f in check(tie(loaded)) if f.severity == "error"] == []


def test_an_example_with_a_misspelt_key_would_be_found() -> None:
    stack = stack_of("wiki: {origin: {namespace: a, service: b, port: 1}, trafic: html}")
    source = parse_stack_text(yaml.safe_dump({"config": stack}), "alfred")
    assert [f.rule for f in check(tie([type_stack(source)])) if f.severity == "error"] != []


def output_in_readme() -> list[str]:
    block = re.findall(r"^```text\n(.*?)^```", README, re.M | re.S)[0]
    return [line for line in block.splitlines() if line.strip() not in ("", "…")]


def test_the_output_in_the_readme_is_what_is_printed() -> None:
    stacks = load_project(ROOT)
    printed = report(plan_stack(stacks["alfred"], stacks), 80).splitlines()
    shown = output_in_readme()
    shown = shown[shown.index("Who reaches what (alfred):") : -1]
    assert [line for line in shown if line not in printed] == []


def test_the_number_of_resources_in_the_readme_is_the_plans() -> None:
    snapshot = ROOT / "tests" / "snapshots" / "alfred.json"
    if not snapshot.exists():
        pytest.skip("there is no snapshot of alfred's plan")
    count = json.loads(snapshot.read_text(encoding="utf-8"))["changeSummary"]["create"]
    assert f"alfred: + {count} to create" in README
