"""A page a component: `python -m tests.docs.components` writes docs/components from the package's schema.

The examples are Pulumi's own conversions of those in YAML, which stand on the pages and are the schema's too. With
`--examples` they are made anew; that needs the CLI with its language hosts and `pulumi-converter-yaml`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from config import VERSION
from package.provider import PAGES, schema

LANGUAGES = {"typescript": "index.ts", "python": "__main__.py", "go": "main.go", "csharp": "Program.cs"}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLUGIN = """#!{python}
import pathlib, sys
from pulumi.provider import Provider, main
main(Provider({version!r}, pathlib.Path({schema!r}).read_text()), sys.argv[1:])
"""


def examples(kind: str) -> dict[str, str]:
    """The examples on a component's page by language."""
    return dict(_BLOCK.findall((PAGES / f"{kind}.md").read_text(encoding="utf-8")))


def page(kind: str, blocks: dict[str, str]) -> str:
    """A component's page."""
    resource = schema()["resources"][f"gatehouse:index:{kind}"]
    described = resource["description"].partition("{{% examples %}}")[0].strip()
    types = _types([*resource["inputProperties"].values(), *resource["properties"].values()])
    parts = [
        f"# {kind}",
        described,
        "<!-- `python -m tests.docs.components` writes this page from package/schema.yaml. -->",
        *(f"```{language}\n{text}```" for language, text in blocks.items()),
        "## Inputs",
        _table(resource["inputProperties"], resource["requiredInputs"]),
        "## Outputs",
        _table(resource["properties"], []),
    ]
    for name in types:
        part = schema()["types"][f"gatehouse:index:{name}"]
        parts.append(f"## {name}\n\n{part['description']}")
        parts.append(
            _table(part["properties"], part.get("required", []))
            if "properties" in part
            else "\n".join(
                f"- `{w['value']}`{': ' + w['description'] if 'description' in w else ''}" for w in part["enum"]
            )
        )
    return "\n\n".join(parts) + "\n"


def _types(parts: list[Any]) -> dict[str, None]:
    """The types that these properties lead to, in order."""
    found: dict[str, None] = {}
    for part in parts:
        name = part.get("$ref", "").partition("gatehouse:index:")[2]
        if name and name not in found:
            found[name] = None
            found |= _types(list(schema()["types"][f"gatehouse:index:{name}"].get("properties", {}).values()))
        found |= _types([part[key] for key in ("items", "additionalProperties") if key in part])
    return found


def _table(properties: dict[str, Any], required: list[str]) -> str:
    lines = ["| | type | |", "|---|---|---|"]
    for key, part in properties.items():
        marks = ["required"] if key in required else []
        marks += ["secret"] if part.get("secret") else []
        if "default" in part:
            default = part["default"]
            marks.append(f"default `{default if isinstance(default, str) else json.dumps(default)}`")
        said = f" ({', '.join(marks)})" if marks else ""
        lines.append(f"| `{key}` | {_type(part)} | {part['description'].replace('|', chr(92) + '|')}{said} |")
    return "\n".join(lines)


def _type(part: Any) -> str:
    if reference := part.get("$ref"):
        name = reference.partition("gatehouse:index:")[2]
        return f"[{name}](#{name.lower()})" if name else "any"
    if part["type"] == "array":
        return f"list of {_type(part['items'])}"
    return f"map of {_type(part['additionalProperties'])}" if part["type"] == "object" else str(part["type"])


def converted(pulumi: str, programs: dict[str, str], language: str, env: dict[str, str]) -> dict[str, str]:
    """Programs in YAML, by name, in another language, by Pulumi's converter."""
    found = {}
    with TemporaryDirectory() as folder:
        (Path(folder) / "schema.json").write_text(json.dumps(schema()), encoding="utf-8")
        plugin = Path(folder) / "pulumi-resource-gatehouse"
        plugin.write_text(
            _PLUGIN.format(python=sys.executable, version=VERSION, schema=str(Path(folder) / "schema.json"))
        )
        plugin.chmod(0o755)
        for name, program in programs.items():
            at = Path(folder) / name
            at.mkdir()
            (at / "Pulumi.yaml").write_text(f"name: home\nruntime: yaml\n{program}", encoding="utf-8")
            command = [pulumi, "convert", "--from=yaml", f"--language={language}", "--generate-only", "--out=out"]
            path = f"{folder}{os.pathsep}{env['PATH']}"
            done = subprocess.run(command, cwd=at, env={**env, "PATH": path}, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(done.stdout + done.stderr)
            lines = (at / "out" / LANGUAGES[language]).read_text(encoding="utf-8").strip().splitlines()
            found[name] = "".join(f"{line.rstrip()}\n" for line in lines)
            if language == "python":
                ruff = [str(Path(sys.executable).with_name("ruff")), "format", "-"]
                found[name] = subprocess.run(ruff, input=found[name], capture_output=True, text=True, check=True).stdout
    return found


def main(again: bool) -> None:
    """Write the pages."""
    kinds = [token.rpartition(":")[2] for token in schema()["resources"]]
    blocks = {kind: examples(kind) for kind in kinds}
    if again:
        yaml = {kind: found["yaml"] for kind, found in blocks.items()}
        for language in LANGUAGES:
            for kind, text in converted("pulumi", yaml, language, dict(os.environ)).items():
                blocks[kind][language] = text
    for kind, found in blocks.items():
        (PAGES / f"{kind}.md").write_text(page(kind, found), encoding="utf-8")


if __name__ == "__main__":
    main("--examples" in sys.argv)
