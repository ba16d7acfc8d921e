"""A tailnet whose owner wrote a policy: refused, adopted, kept, added to and told apart again, by the real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exposure.policy_eval.hujson import parse
from gatehouse.simulation.store import Store
from tests.engine.kit import Project
from tests.engine.test_lost_state import lose_state
from tests.exposure.rules.test_own_policies import FOLDER, SERVICES
from tests.kit.builders import ESTATE, NODE, stack_text

pytestmark = pytest.mark.engine
KEY = "tailscale/policy"
OWN = (FOLDER / "homelab-by-tags.hujson").read_text()
WIKI = '{"src": ["autogroup:member"], "dst": ["tag:wiki-alfred"], "ip": ["tcp:443"]},'


def standing(project: Project) -> str:
    return str(project.objects()[KEY]["body"]["acl"])


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def test_the_policy_that_stands_is_kept_through_the_whole_life(project: Project) -> None:
    services = {key: SERVICES[key] for key in ("ssh", "wiki")}
    project.write("alfred", stack_text(services, node=NODE, estate=ESTATE))
    store = Store(project.clouds)
    with store.transaction():
        store.put(KEY, {"body": {"acl": OWN}, "given": ["acl"], "id": "acl", "urn": ""})
    store.close()

    refused = project.run("up")
    assert refused.code == 1
    assert "tag:mobile: no longer tag:homelab, 443/tcp, 53/udp" in " ".join(refused.text.split())
    assert "gatehouse adopt" in refused.text
    assert "Acl/tailnet-policy" not in refused.steps
    assert project.calls() == []
    assert standing(project) == OWN

    shown = project.ok("adopt")
    assert not (project.folder / "tailnet.hujson").exists()
    assert "+++ tailnet.hujson (then)" in shown.out
    assert '+    {"src": ["tag:mobile"], "dst": ["tag:homelab"], "ip": ["tcp:443", "udp:53"]},' in shown.out
    project.ok("adopt", "--apply")
    own = project.folder / "tailnet.hujson"
    assert own.read_text() == OWN
    stack = project.folder / "Pulumi.alfred.yaml"
    assert "policy: tailnet.hujson" in stack.read_text()
    preview = project.ok("preview")
    assert preview.steps["Acl/tailnet-policy"] == "import"
    project.ok("up")
    assert standing(project) == OWN
    assert project.ok("up").changes == {}

    project.ok("adopt", "--done", "--apply")
    assert project.ok("up").steps == {"Acl/tailnet-policy": "update"}
    merged = standing(project)
    assert "// Tags for kinds of machines, ssh after a check" in merged
    assert '"tag:wiki-alfred"' in merged
    assert project.ok("up").changes == {}
    assert project.ok("refresh").changes == {}

    edit(own, '  "grants": [\n', f'  "grants": [\n    {WIKI}\n')
    opened = project.run("up")
    assert opened.code == 1
    assert "tailnet.hujson:9:5" in opened.text
    assert "every member of the tailnet reach wiki-alfred:443/tcp" in " ".join(opened.text.split())
    assert standing(project) == merged
    edit(stack, "config:\n", "config:\n  gatehouse:acknowledge: {tailnet-policy-opens: all of us read it}\n")
    assert project.ok("up").steps == {"Acl/tailnet-policy": "update"}
    edit(own, f"    {WIKI}\n", "")
    edit(stack, "  gatehouse:acknowledge: {tailnet-policy-opens: all of us read it}\n", "")
    assert project.ok("up").steps == {"Acl/tailnet-policy": "update"}
    assert standing(project) == merged

    # Of a lost state and file, all comes back: an empty diff.
    lose_state(project)
    own.unlink()
    edit(stack, "      policy: tailnet.hujson\n", "")
    project.ok("adopt", "--apply")
    assert "Acl/tailnet-policy: acl" in stack.read_text().partition("gatehouse:recover:")[2]
    project.ok("up")
    assert standing(project) == merged
    project.ok("adopt", "--done", "--apply")
    assert project.ok("up").changes == {}


def test_a_node_leads_to_the_home_network_and_leaves_the_owners_approvals_as_they_are(project: Project) -> None:
    services = {key: SERVICES[key] for key in ("ssh", "wiki")}
    estate = {**ESTATE, "tailnet": {**ESTATE["tailnet"], "policy": "tailnet.hujson"}}
    own = project.folder / "tailnet.hujson"
    own.write_text('{"autoApprovers": {"routes": {"192.168.7.0/24": ["autogroup:admin"]}}}\n')
    project.write("alfred", stack_text(services, node=NODE, estate=estate))
    project.ok("up")
    before = standing(project)

    stack = project.folder / "Pulumi.alfred.yaml"
    bare = stack.read_text()
    leads: dict[str, Any] = {"routes": [{"to": "192.168.7.0/24", "people": "admins"}], "exit_node": True}
    project.write("alfred", stack_text(services, node={**NODE, **leads}, estate=estate))
    assert project.ok("up").steps == {"Acl/tailnet-policy": "update"}
    found: Any = parse(standing(project)).value
    tag = "tag:gatehouse-alfred"
    assert found["autoApprovers"] == {
        "routes": {"192.168.7.0/24": ["autogroup:admin", tag]},
        "exitNode": [tag],
    }
    assert {"src": ["group:admins"], "dst": ["192.168.7.0/24"], "ip": ["*"]} in found["grants"]
    assert project.ok("up").changes == {}
    assert project.ok("refresh").changes == {}
    stack.write_text(bare)
    assert project.ok("up").steps == {"Acl/tailnet-policy": "update"}
    assert standing(project) == before


def test_tailscale_ssh_is_turned_on_changed_and_off_again_beside_rules_of_the_owners_own(project: Project) -> None:
    rule = '{"action": "accept", "src": ["autogroup:admin"], "dst": ["tag:homelab"], "users": ["root"]}'
    (project.folder / "tailnet.hujson").write_text(
        f'{{"tagOwners": {{"tag:homelab": ["autogroup:admin"]}}, "ssh": [{rule}]}}\n'
    )

    def write(**ssh: Any) -> None:
        tailnet = {**ESTATE["tailnet"], "policy": "tailnet.hujson", **({"ssh": ssh} if ssh else {})}
        project.write(
            "alfred", stack_text({"wiki": SERVICES["wiki"]}, node=NODE, estate={**ESTATE, "tailnet": tailnet})
        )

    write()
    project.ok("up")
    before = standing(project)
    write(people="admins")
    assert project.ok("up").steps == {"Acl/tailnet-policy": "update"}
    found: Any = parse(standing(project)).value
    own, ours = found["ssh"]
    assert own == json.loads(rule)
    assert ours["users"] == ["autogroup:nonroot"]
    assert {
        "src": "alice@example.com",
        "dst": ["tag:gatehouse-alfred"],
        "check": ["nonroot"],
        "deny": ["root"],
    } in found["sshTests"]
    assert project.ok("up").changes == {}

    write(people="household", users=["root"], action="accept")
    assert project.ok("up").steps == {"Acl/tailnet-policy": "update"}
    found = parse(standing(project)).value
    assert [rule["action"] for rule in found["ssh"]] == ["accept", "accept"]
    write()
    assert project.ok("up").steps == {"Acl/tailnet-policy": "update"}
    assert standing(project) == before
