"""`gatehouse schema`: JSON Schema of the stack file, for editors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from config.schema import stack_file_schema
from config.stack import NAMESPACE
from exposure.rules import ACCEPTABLE, RULES
from exposure.rules.acknowledgements import WIDER
from exposure.ways import WAYS
from gatehouse.commands import CommandError

_FILE = Path("schema") / "stack.schema.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--write", action="store_true", help=f"write it to {_FILE} in the project")


def run(args: argparse.Namespace, project: Path) -> int:
    """Print the schema, or write it. Returns 0. Raises CommandError where the file cannot be written."""
    text = text_of(whole_schema())
    if not args.write:
        print(text, end="")
        return 0
    path = project / _FILE
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}.") from error
    print(f"Wrote {path}")
    return 0


def whole_schema() -> dict[str, Any]:
    """The schema of the stack file with the gates and risks that there are, which the model alone does not know."""
    schema = stack_file_schema()
    service = schema["$defs"]["Service"]["properties"]
    for holder in (service["gate"], service["gates"]["items"]):
        del holder["pattern"]
        holder["enum"] = list(WAYS)
    for holder, level in ((service, "service"), (schema["properties"]["config"]["properties"], "stack")):
        acknowledge = holder.get("acknowledge") or holder[f"{NAMESPACE}:acknowledge"]
        reason = acknowledge.pop("additionalProperties")
        titles = {rule.id: rule.title for rule in RULES if ACCEPTABLE.get(rule.id) == level}
        titles[WIDER] = f"A change lets more people reach {'it' if level == 'service' else 'a node, and no service'}"
        acknowledge["properties"] = {rule: {"description": f"{title}.", **reason} for rule, title in titles.items()}
        acknowledge["additionalProperties"] = False
    return schema


def text_of(schema: Any) -> str:
    """A schema as the committed file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
