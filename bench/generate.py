"""Stack files of any size: `python -m bench.generate SERVICES FOLDER` makes a project to try things on."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STACK = "bench"
_PEOPLE = {"household": ["alice@example.com", "bob@example.com"]}
_LOGIN = {"traffic": "html"}
_OPEN = {"traffic": "html", "sensitivity": "low", "clients": "anyone"}
_MEDIA = {"traffic": "non-html", "bandwidth": "high", "sensitivity": "low", "clients": "anyone"}
_PRIVATE = {"traffic": "html", "clients": "tailnet"}
# The same mix at every size; a thousand services stay below 500 Access applications.
_MIX = (_LOGIN, _OPEN, _MEDIA, _LOGIN, _PRIVATE, _OPEN, _LOGIN, _MEDIA, _LOGIN, _OPEN)
# Three thousand of these stay below 500 Access applications, too.
THIN = (_LOGIN, *[_OPEN] * 5, *[_MEDIA] * 2, *[_PRIVATE] * 2)
TAILNET = (_PRIVATE,)


def services(count: int, mix: Sequence[Mapping[str, str]] = _MIX) -> dict[str, dict[str, Any]]:
    """Services of the mix by key; of the usual one, every 20th has an open path."""
    found: dict[str, dict[str, Any]] = {}
    for number in range(count):
        key = f"s{number:04}"
        origin = {"namespace": f"n{number // 10:03}", "service": key, "port": 8080}
        found[key] = {"origin": origin, **mix[number % len(mix)]}
        if number % 20 == 0 and mix is _MIX:
            why = {"access-path-bypass": "API clients cannot log in with Google"}
            found[key] |= {"paths": {"/api": {"clients": "anyone"}}, "acknowledge": why}
    return found


def crowds(people: int, count: int) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """Sets of ten people, each in two of them, and services for two sets each."""
    sets = {f"set{n:03}": [f"p{(5 * n + k) % people:04}@example.com" for k in range(10)] for n in range(people // 5)}
    names = list(sets)
    found = services(count, (_LOGIN,))
    for number, fields in enumerate(found.values()):
        fields["people"] = [names[number % len(names)], names[(3 * number + 1) % len(names)]]
    return sets, found


def paths(count: int) -> dict[str, dict[str, Any]]:
    """One service with so many paths, every second one open."""
    why = {"access-path-bypass": "API clients cannot log in with Google"}
    parts = {f"/part{n:02}/v{n}": {"clients": ("anyone", "people")[n % 2]} for n in range(count)}
    return {key: {**fields, "paths": parts, "acknowledge": why} for key, fields in services(1, (_LOGIN,)).items()}


def stack_file(
    node: str,
    wanted: Mapping[str, Any],
    owner: str | None = None,
    number: int = 0,
    people: Mapping[str, Sequence[str]] = _PEOPLE,
) -> str:
    """A stack file's text (JSON is YAML): the owner of the estate, or a member of `owner`'s."""
    config: dict[str, Any] = {
        "acknowledge": {"google-test-users": "the OAuth client is published"} if len(people) > 1 else {},
        "node": {
            "name": node,
            "router_ipv4": f"203.0.113.{number + 1}",
            "lan_ipv4": f"192.168.0.{number + 1}",
            "context": node,
            "tailscale_operator": "existing",
        },
        "services": dict(wanted),
    }
    if owner is not None:
        config["member_of"] = f"organization/gatehouse/{owner}"
    else:
        config["estate"] = {
            "account_id": "0" * 32,
            "team": "team",
            "zone": {"name": "example.com"},
            "google": {"client_id": "1-a.apps.googleusercontent.com"},
            "people": people,
            "default_people": next(iter(people)),
            "tailnet": {"name": "tail.ts.net", "plan": "premium"},
        }
    return json.dumps({"config": {f"gatehouse:{key}": value for key, value in config.items()}}, indent=1)


def make_project(
    folder: Path,
    count: int,
    wanted: Mapping[str, Any] | None = None,
    people: Mapping[str, Sequence[str]] = _PEOPLE,
) -> Path:
    """A project with one stack, `bench`, of `count` services, or of those `wanted`. Returns `folder`."""
    _bare_project(folder)
    text = stack_file(STACK, services(count) if wanted is None else wanted, people=people)
    (folder / f"Pulumi.{STACK}.yaml").write_text(text, encoding="utf-8")
    return folder


def make_estate(folder: Path, stacks: int, count: int) -> Path:
    """A project of `stacks` stacks of `count` services, the first of which, `node00`, owns the estate."""
    _bare_project(folder)
    for number in range(stacks):
        node, owner = f"node{number:02}", "node00" if number else None
        text = stack_file(node, services(count), owner, number)
        (folder / f"Pulumi.{node}.yaml").write_text(text, encoding="utf-8")
    return folder


def _bare_project(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n", encoding="utf-8")
    shutil.copy(ROOT / "__main__.py", folder / "__main__.py")


if __name__ == "__main__":
    make_project(Path(sys.argv[2]), int(sys.argv[1]))
