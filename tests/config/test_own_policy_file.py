"""The file beside the stack file that holds a tailnet's own policy: read, or a finding, whatever is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from config.loader import load_project
from exposure.check import check
from tests.kit.builders import ESTATE, SSH, stack_text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    tailnet = {"name": "tail.ts.net", "policy": "tailnet.hujson"}
    text = stack_text({"ssh": {**SSH, "people": "admins"}}, estate={**ESTATE, "tailnet": tailnet})
    (folder / "Pulumi.alfred.yaml").write_text(text)
    return folder


def findings(project: Path) -> list[tuple[str, str, int]]:
    return [(f.rule, f.reason, f.place.line) for f in check(load_project(project))]


def a_link_out(path: Path) -> None:
    other = path.parent.parent / "elsewhere.hujson"
    other.write_text("{}")
    path.symlink_to(other)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "there is no such file"),
        (Path.mkdir, "it is a folder"),
        (a_link_out, "a link out of this folder"),
        (lambda path: path.symlink_to("tailnet.hujson"), "cannot be read"),
        (os.mkfifo, "there is no such file"),
        (lambda path: path.write_bytes(b" " * 5_000_000), "larger than 1 MiB"),
        (lambda path: path.write_bytes(b"{}\n\xff"), "not UTF-8 text (line 2)"),
    ],
    ids=["missing", "folder", "link out", "link in a circle", "pipe", "5 MB", "not UTF-8"],
)
def test_what_is_no_file_of_text_is_one_finding(project: Path, make: Callable[[Path], object], reason: str) -> None:
    make(project / "tailnet.hujson")
    [(rule, why, line)] = findings(project)
    assert (rule, reason in why) == ("tailnet-policy-file", True), why
    assert line > 1


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("", "expected a value", 1),
        ("// nothing\n", "expected a value", 2),
        ("[]", "a policy is an object", 1),
        ("null", "a policy is an object", 1),
        ("{\n  'groups': {},\n}", "expected a name in double quotes", 2),
        ('{"acls": [],\n "acls": []}', "stands twice", 2),
        ('{"acls": [],\n "ACLs": []}', "once more", 2),
        ('{"grants":\n  {}}', "grants: expected a list", 2),
        ('{"groups":\n  []}', "groups: expected an object", 2),
        ("{" * 5000, "expected a name", 1),
        ('{"grants": ' + "[" * 5000, "nested deeper", 1),
        ('{"hosts": {"nas": "nowhere"}}', "hosts.nas", 1),
        ('{"grants": [{"src": ["tag:gatehouse-alfred"], "dst": ["tag:nas"], "ip": ["22"]}]}', "tag not found", 1),
    ],
)
def test_what_is_no_policy_is_found_at_its_line(project: Path, text: str, reason: str, line: int) -> None:
    (project / "tailnet.hujson").write_text(text)
    found = findings(project)
    assert {rule for rule, _, _ in found} == {"tailnet-policy-invalid"}
    assert any(reason in why and line == at for _, why, at in found), found


@pytest.mark.parametrize(
    "text",
    ["{}", '{"grants": null, "Groups": null, "tests": [],}', "\ufeff{}", '{"randomizeClientPort": true} // mine\n'],
)
def test_what_says_little_is_a_policy(project: Path, text: str) -> None:
    (project / "tailnet.hujson").write_text(text, encoding="utf-8")
    assert findings(project) == []


def test_a_link_within_the_folder_is_read(project: Path) -> None:
    (project / "own.hujson").write_text("{}")
    (project / "tailnet.hujson").symlink_to("own.hujson")
    assert findings(project) == []


def test_a_policy_elsewhere_cannot_be_named(project: Path) -> None:
    path = project / "Pulumi.alfred.yaml"
    path.write_text(path.read_text().replace("policy: tailnet.hujson", "policy: ../tailnet.hujson"))
    (project.parent / "tailnet.hujson").write_text("{}")
    assert {rule for rule, _, _ in findings(project)} == {"wrong-form"}


def test_an_acl_to_the_nodes_own_address_is_one_to_the_node(project: Path) -> None:
    path = project / "Pulumi.alfred.yaml"
    path.write_text(path.read_text().replace("context: alfred", "context: alfred\n    tailnet_ipv4: 100.101.102.103"))
    rule = '{"acls": [{"action": "accept", "src": ["bob@example.com"], "dst": ["100.101.102.103:22"]}]}'
    (project / "tailnet.hujson").write_text(rule)
    [(found, why, _)] = findings(project)
    assert found == "tailnet-policy-opens"
    assert "bob@example.com reach alfred:22/tcp" in why
    # Of an address that nobody knows it is a question: other than the node, no machine of Gatehouse's is there.
    (project / "tailnet.hujson").write_text(rule.replace("102.103", "102.104"))
    assert findings(project) == []
