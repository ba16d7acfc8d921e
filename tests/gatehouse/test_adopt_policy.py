"""The policy that stands in a tailnet: what of it is kept in a file, and what would end by the stack's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exposure.check import check
from exposure.own_policy import merged
from exposure.plan import plan_stack
from exposure.policy_eval import read_policy
from gatehouse.adopt.policy import ended, is_new_tailnets, others_part, owners_part
from gatehouse.commands import CommandError
from gatehouse.simulation.tailscale import DEFAULT_POLICY
from tests.exposure.rules.test_own_policies import FOLDER, stack
from tests.kit.builders import ESTATE

DEFAULT = (FOLDER / "default.hujson").read_text()


def test_a_policy_that_says_no_rule_lets_everybody_everywhere_and_the_file_says_so() -> None:
    # [tailscale.com/kb/1337: with neither acls nor grants everything is allowed]; beside Gatehouse's it would not be.
    standing = '{"tagOwners": {"tag:nas": []}} // short\n'
    text = others_part(standing, stack("{}"), "alfred")
    policy = read_policy(text).policy
    assert policy is not None
    [rule] = policy.rules
    assert rule.path == "grants[0]"
    assert (rule.sources[0].text, rule.destinations[0].text) == ("*", "*")
    assert "// short" in text
    assert is_new_tailnets(text)
    assert is_new_tailnets(DEFAULT)
    assert is_new_tailnets(DEFAULT_POLICY)
    assert not is_new_tailnets((FOLDER / "guests.hujson").read_text())


def test_the_operators_tags_as_its_documentation_writes_them_are_left_out_and_those_with_other_owners_stay() -> None:
    # [tailscale.com/kb/1236]; Gatehouse names admins, who may give out a tag without an owner anyway [kb/1068].
    standing = """{
      "tagOwners": {"tag:k8s-operator": [], "tag:k8s": ["tag:k8s-operator"], "tag:nas": []},
      "grants": [{"src": ["carol@example.com"], "dst": ["tag:nas"], "ip": ["*"]}],
    }"""
    said = '"tag:k8s-operator": [], "tag:k8s": ["tag:k8s-operator"], '
    assert others_part(standing, stack("{}"), "alfred") == standing.replace(said, "  ")
    assert not check(stack(others_part(standing, stack("{}"), "alfred")))
    other = standing.replace('"tag:k8s-operator": []', '"tag:k8s-operator": ["carol@example.com"]')
    assert '"tag:k8s-operator": ["carol@example.com"]' in others_part(other, stack("{}"), "alfred")


def test_what_would_end_is_said_of_everything_that_the_policy_opens() -> None:
    stacks = stack("{}")
    lines = ended((FOLDER / "via-exit-nodes.hujson").read_text(), stacks, "alfred")
    assert any("alice@example.com" in line and "no longer autogroup:internet, any port" in line for line in lines)
    assert any("no longer 10.250.0.0/16, any port" in line for line in lines)
    lines = ended((FOLDER / "services.hujson").read_text(), stacks, "alfred")
    assert any("no longer svc:photos, 443/tcp" in line for line in lines)
    ours = plan_stack(stacks["alfred"], stacks).tailnet_policy
    assert ours is not None
    lines = ended(merged((FOLDER / "hosts-and-sets.hujson").read_text(), ours), stacks, "alfred")
    assert any(line.startswith("alice@example.com: no longer 100.64.7.7/32, 445/tcp") for line in lines), lines
    assert any(line.startswith("bob@example.com: no longer 10.9.0.0/16, any port") for line in lines), lines
    lines = ended(DEFAULT, stacks, "alfred")
    assert any("no longer autogroup:member, any port" in line for line in lines), lines
    # What Gatehouse itself opens is no loss, nor are machines that it is to make.
    assert not any("wiki" in line or "db-alfred" in line for line in lines)
    assert ended('{"grants": []}', stacks, "alfred") == []


def test_nothing_is_written_where_nothing_is_the_owners_or_where_it_was_said_what_to_do(tmp_path: Path) -> None:
    own = '// mine\n{"grants": [], "randomizeClientPort": true}'
    stacks = stack("{}")
    assert owners_part(tmp_path, own, stacks, "alfred") is None, "the stack file names a file already"
    bare = stack("{}", estate={**ESTATE, "tailnet": {"name": "tail.ts.net"}})
    assert owners_part(tmp_path, own, bare, "alfred") == ("tailnet.hujson", own)
    generated = json.dumps(plan_stack(bare["alfred"], bare).tailnet_policy)
    assert owners_part(tmp_path, generated, bare, "alfred") is None
    over = stack("{}", estate={**ESTATE, "tailnet": {"name": "tail.ts.net", "overwrite_policy": True}})
    assert owners_part(tmp_path, own, over, "alfred") is None
    (tmp_path / "tailnet.hujson").write_text("{}")
    with pytest.raises(CommandError, match="does not say `policy:"):
        owners_part(tmp_path, own, bare, "alfred")
    with pytest.raises(CommandError, match="line 1"):
        owners_part(tmp_path, "not a policy", bare, "alfred")
