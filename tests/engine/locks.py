"""Born locked, judged from the recorded calls: what stood open after each of them.

Two judges, independent of each other: rules read directly off the clouds' objects, and the reach evaluator.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from config.loader import load_project
from exposure.audience import ANYONE as EVERYBODY
from exposure.plan import plan_stack
from exposure.reach import ANYONE, Request, Surface, from_steps, known_of, who
from exposure.reach.surface import Known
from tests.engine.kit import Object, Project, short


@dataclass(frozen=True)
class Host:
    """A host that nobody may reach without login, but for the paths that the stack file acknowledges."""

    name: str
    open_paths: tuple[str, ...] = ()


def bodies(objects: dict[str, Object], collection: str) -> list[Object]:
    return [{**item["body"], "$id": item["id"]} for key, item in objects.items() if key.startswith(f"{collection}/")]


def uncovered(objects: dict[str, Object], host: Host) -> Iterator[str]:
    """What is wrong with a protected host in this state of the clouds, by the objects themselves."""
    policies = {p["$id"]: p for p in bodies(objects, "cloudflare/access-policy")}
    groups = {g["$id"]: g for g in bodies(objects, "cloudflare/access-group")}
    guarded = False
    for app in bodies(objects, "cloudflare/access-app"):
        if host.name in [d["uri"] for d in app["destinations"]]:
            attached = [policies.get(entry["id"]) for entry in app["policies"]]
            members = [i["group"]["id"] for p in attached if p for i in p["includes"] if "group" in i]
            if len(attached) != 1 or not attached[0] or attached[0]["decision"] != "allow":
                yield f"the application of {host.name} has not exactly one policy that allows"
            elif len(members) != 1 or not all(list(one) == ["email"] for m in members for one in groups[m]["includes"]):
                yield f"the policy of {host.name} lets in others than named people"
            else:
                guarded = True
    rules = [
        rule
        for config in bodies(objects, "cloudflare/tunnel-config")
        for rule in config["config"]["ingresses"]
        if rule.get("hostname") == host.name
    ]
    checked = True
    for rule in rules:
        expression = rule.get("path", "")
        opened = any(path in expression.replace("\\", "") for path in host.open_paths)
        if opened or rule["service"].startswith("http_status:"):
            continue
        access = rule.get("originRequest", {}).get("access", {})
        if not (access.get("required") and access.get("audTags") and access.get("teamName")):
            checked = False
            yield f"the rule of {host.name}{expression} demands no JWT"
    records = [r for r in bodies(objects, "cloudflare/dns") if r["name"] == host.name]
    if records and not guarded:
        yield f"a record of {host.name}, and no application"
    if records and any(not r["proxied"] or r["type"] != "CNAME" for r in records):
        yield f"the record of {host.name} goes round the edge"
    if rules and not guarded and not checked:
        yield f"a rule of {host.name} without application"


def surface_of(objects: dict[str, Object], known: Known) -> Surface:
    """The reach evaluator's view of what the clouds hold."""
    apps = [f"{key}" for key in objects if key.startswith("cloudflare/access-app/")]
    steps: list[Object] = []
    for key, item in objects.items():
        if not item.get("urn"):
            continue
        state = {
            "urn": key,
            "type": item["urn"].split("::")[2].rsplit("$", 1)[-1],
            "id": item["id"],
            "inputs": item["body"],
            "outputs": {"aud": item["body"].get("aud")},
            "dependencies": apps if "tunnel-config" in key else [],
        }
        steps.append({"op": "create", "urn": key, "newState": state})
    return from_steps({"steps": steps}, known)


def reached(objects: dict[str, Object], known: Known, host: Host) -> Iterator[str]:
    """The paths of a protected host that anyone reaches and nobody acknowledged."""
    if not any(key.startswith("cloudflare/dns/") for key in objects):
        return
    surface = surface_of(objects, known)
    for path in ("/", "/login", "/api", "/api/x", "/.well-known/acme-challenge/token", "/apix"):
        if any(path == one or path.startswith(f"{one}/") for one in host.open_paths):
            continue
        answer = who(surface, Request(host.name, 443, path), ANYONE)
        if answer.reaches:
            yield f"anyone reaches https://{host.name}{path}: {answer.outcome.value}"


def protected(project: Project) -> set[Host]:
    """The hosts that the stack files want behind Google now, with the paths they leave open."""
    stacks = load_project(project.folder)
    planned = [a for stack in stacks.values() for a in plan_stack(stack, stacks).applications]
    opened = [(a.host, a.path) for a in planned if a.audience == EVERYBODY]
    return {
        Host(a.host, tuple(sorted(path for host, path in opened if host == a.host)))
        for a in planned
        if a.path.root and a.audience != EVERYBODY
    }


def either(was: set[Host], will: set[Host]) -> set[Host]:
    """The hosts of two stack files, with what either leaves open."""
    found = was | will
    return {Host(one.name, tuple(p for h in found if h.name == one.name for p in h.open_paths)) for one in found}


def known(project: Project, stack: str = "alfred") -> Known:
    """What no object of the clouds says."""
    stacks = load_project(project.folder)
    return known_of(plan_stack(stacks[stack], stacks))


def broken_locks(project: Project, hosts: Iterable[Host], since: int = 0) -> list[str]:
    """What stood open at any time, call by call, by either judge. Gives texts with the call after which it did."""
    found: list[str] = []
    hosts, knowledge = list(hosts), known(project)
    for number, (call, objects) in enumerate(project.history()):
        if number < since or not call.get("changes"):
            continue
        for host in hosts:
            for text in (*uncovered(objects, host), *reached(objects, knowledge, host)):
                about = short(call["urn"]) if call["urn"] else "by hand"
                found.append(f"after call {call['n']} ({call['method']} {about}): {text}")
    return found


@functools.cache
def position(method: str, name: str) -> str:
    """A call as the tests write it."""
    return f"{method} {name}"


def order(project: Project, since: int = 0) -> list[str]:
    """The changes that took effect, in order: `create DnsRecord/grafana-alfred.example.com`."""
    done = [call for call, _ in project.history()[since:] if call["outcome"] == "ok" and call["method"] != "read"]
    return [position(call["method"], short(call["urn"])) for call in done if call["urn"] and not call["preview"]]
