"""Small stack files for tests, as YAML text or as nested dicts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from config.loader import LoadedStack, parse_stack_text, tie, type_stack
from config.services import Service
from exposure.model import ExposurePlan
from exposure.plan import plan_stack

PROJECT = Path(__file__).parents[2]

NODE: Mapping[str, Any] = {
    "name": "alfred",
    "router_ipv4": "203.0.113.7",
    "lan_ipv4": "192.168.0.124",
    "context": "alfred",
    "tailscale_operator": "existing",
}
ESTATE: Mapping[str, Any] = {
    "account_id": "0" * 32,
    "team": "team",
    "zone": {"name": "example.com"},
    "google": {"client_id": "1-a.apps.googleusercontent.com"},
    "people": {"household": ["alice@example.com", "bob@example.com"], "admins": ["alice@example.com"]},
    "default_people": "household",
    "tailnet": {"name": "tail.ts.net"},
}
HTML: Mapping[str, Any] = {"origin": {"namespace": "web", "service": "web", "port": 8080}, "traffic": "html"}
"""Sensitive HTML for people: zero-trust."""
OPEN_HTML: Mapping[str, Any] = {**HTML, "sensitivity": "low", "clients": "anyone"}
"""Public tunnel."""
MEDIA: Mapping[str, Any] = {**OPEN_HTML, "traffic": "non-html", "bandwidth": "high"}
"""Funnel."""
SSH: Mapping[str, Any] = {"origin": {"on_node": True, "port": 22}, "traffic": "non-html", "clients": "tailnet"}
"""Tailnet."""
GAME: Mapping[str, Any] = {
    "origin": {"namespace": "game", "service": "game", "port": 25565, "scheme": "tcp", "selector": {"app": "game"}},
    "traffic": "non-html",
    "sensitivity": "low",
    "clients": "anyone",
    "port_forward": [{"external_port": 25565, "protocol": "tcp", "service_port": 25565, "node_port": 32565}],
}
"""Port-forward."""
ACME: Mapping[str, Any] = {
    "origin": {"namespace": "kube-system", "service": "traefik", "port": 80},
    "traffic": "acme-http-01",
    "sensitivity": "low",
    "clients": "anyone",
}


def service(**fields: Any) -> Service:
    """One typed service; sensitive HTML for people unless said."""
    return Service.model_validate({**HTML, **fields})


def stack_text(services: Mapping[str, Any], **sections: Any) -> str:
    """A stack file's text: `services`, and other sections (`node`, `estate`, `member_of`…) in place of the usual."""
    content = {
        "node": NODE,
        **({} if "member_of" in sections else {"estate": ESTATE}),
        **sections,
        "services": services,
    }
    keys = {f"gatehouse:{key}": value for key, value in content.items() if value is not None}
    # libyaml's, where it is: PyYAML's own emitter takes ten times as long.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump({"config": _plain(keys)}, Dumper=dumper, sort_keys=False))


def loaded(services: Mapping[str, Any], stack: str = "alfred", **sections: Any) -> LoadedStack:
    """A typed stack that is not yet tied to an owner."""
    return type_stack(parse_stack_text(stack_text(services, **sections), stack))


def plan_of(services: Mapping[str, Any], *others: LoadedStack, **sections: Any) -> ExposurePlan:
    """The plan of stack `alfred` with these services, beside other stacks."""
    stacks = tie([loaded(services, **sections), *others])
    found = [finding for stack in stacks.values() for finding in stack.findings]
    assert not found, found
    return plan_stack(stacks["alfred"], stacks)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
