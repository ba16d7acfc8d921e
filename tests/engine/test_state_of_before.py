"""States that the code before wrote: what they name stays as it is, and nothing of it is made, replaced or lost.

`states/` holds them with the clouds' own contents; `states/now/` holds their stack files in today's language.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping

import pytest

from tests.engine.keep_states import STATES, WORLDS
from tests.engine.kit import RETAINED, Object, Project, Run, doubles, orphans
from tests.engine.test_lifecycle import quiet

pytestmark = pytest.mark.engine

_CONNECTOR = frozenset({"Deployment/connector-deployment", "NetworkPolicy/connector-network"})
UPDATES: Mapping[str, frozenset[str]] = {
    # A rule that shuts dot segments stands before the paths of a host. The connector's pods have a place for
    # certificates, and may ask a DNS cache on the node. The policy's tests take nobody for a member of whom that is not
    # said.
    "alfred": _CONNECTOR | {"Acl/tailnet-policy", "ZeroTrustTunnelCloudflaredConfig/alfred-rules"},
    "octavo": _CONNECTOR | {"ZeroTrustTunnelCloudflaredConfig/octavo-rules"},
    # An address on the tailnet has no port on the node any more; the policy's tests are fewer. An ingress-nginx is told
    # to speak https whatever its class is called.
    "rich": frozenset(
        {
            *_CONNECTOR,
            "Acl/tailnet-policy",
            "Ingress/dashboard-ingress-certificate",
            "Ingress/shop-ingress-certificate",
            "Service/database-service",
            "Service/resolver-service",
            "ZeroTrustTunnelCloudflaredConfig/walter-rules",
        }
    ),
}
"""What today's program updates in place in each, named one by one."""
PROVIDERS = frozenset({"cloudflare/cloudflare", "kubernetes/kubernetes", "tailscale/tailscale"})
"""Their version is that of the SDK which is installed, whatever the program."""


def restore(project: Project, world: str, harm: Callable[[Object], Object] = lambda state: state) -> None:
    """Puts the world's clouds, states and stack files in place, the owner's state as `harm` gives it."""
    kept = json.loads(gzip.decompress((STATES / f"{world}.json.gz").read_bytes()))
    project.clouds.parent.mkdir(parents=True)
    project.clouds.write_text(json.dumps(kept["clouds"]), encoding="utf-8")
    backend = project.folder / ".gatehouse/simulated/state/.pulumi"
    (backend / "stacks/gatehouse").mkdir(parents=True)
    (backend / "meta.yaml").write_text("version: 1\n", encoding="utf-8")
    for stack, state in kept["states"].items():
        latest = harm(state) if stack == WORLDS[world][0] else state
        checkpoint = {"stack": f"organization/gatehouse/{stack}", "latest": latest}
        path = backend / "stacks/gatehouse" / f"{stack}.json"
        path.write_text(json.dumps({"version": 3, "checkpoint": checkpoint}), encoding="utf-8")
        project.write(stack, (STATES / "now" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))


def previewed(project: Project, stack: str) -> Run:
    """A preview which leaves all that the state names where it is, and updates what `UPDATES` names."""
    recorded = len(project.state(stack)["resources"])
    run = project.ok("preview", stack=stack)
    assert set(run.changes) <= {"update"}, run.steps
    assert set(run.steps.values()) <= {"update"}, run.steps
    assert set(run.steps) - PROVIDERS == UPDATES[stack]
    assert len(run.all_steps) == recorded
    return run


@pytest.mark.parametrize("world", WORLDS)
def test_what_the_code_before_made_stays_as_it_is(project: Project, world: str) -> None:
    stacks = WORLDS[world]
    restore(project, world)
    made = set(project.objects())
    # The member's too from its owner's state as it was: nobody has to bring up the owner first.
    previews = {stack: previewed(project, stack) for stack in stacks}
    for stack in stacks:
        assert project.ok("up", stack=stack).steps == previews[stack].steps
    for stack in stacks:
        quiet(project.ok("preview", stack=stack))
    assert set(project.objects()) == made
    assert not orphans(project, *stacks)
    assert not doubles(project.objects())
    for stack in reversed(stacks):
        project.ok("destroy", stack=stack)
        assert not project.state(stack).get("resources")
    left = {key for key in project.objects() if key.split("/")[3:4] != ["Namespace"]}
    assert {"/".join(key.split("/")[:2]) for key in left} == RETAINED


def renamed(state: Object, record: Object) -> Object:
    """As if another program had made the record."""
    urn = json.dumps(record["urn"])
    changed: Object = json.loads(json.dumps(state).replace(urn, urn[:-1] + '-of-another"'))
    return changed


def of_another_kind(state: Object, record: Object) -> Object:
    """As if the record had been another: no update makes a CNAME of it."""
    for part in ("inputs", "outputs"):
        record[part]["type"] = "A"
    return state


def with_another_comment(state: Object, record: Object) -> Object:
    """As if the program had described the record otherwise."""
    for part in ("inputs", "outputs"):
        record[part]["comment"] = "by hand"
    return state


@pytest.mark.parametrize(
    ("harm", "seen"),
    [
        (renamed, {"create", "delete"}),
        (of_another_kind, {"replace"}),
        (with_another_comment, {"update"}),
    ],
)
def test_a_state_in_which_one_record_is_another_is_told_from_it(
    project: Project, harm: Callable[[Object, Object], Object], seen: set[str]
) -> None:
    def harmed(state: Object) -> Object:
        [record] = [r for r in state["resources"] if r.get("inputs", {}).get("comment") == "gatehouse: homebox"]
        return harm(state, record)

    restore(project, "shipped", harmed)
    assert set(project.ok("preview").changes) >= seen
    with pytest.raises(AssertionError):
        previewed(project, "alfred")
