"""What a destroy of real clouds says first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gatehouse.commands import CommandError
from gatehouse.engine.run import Options, _Run
from tests.kit.builders import HTML, PROJECT, stack_text

URN = "urn:pulumi:alfred::gatehouse::gatehouse:index:Tailnet$tailscale:index/{}::tailnet"


def _said(project: Path, **inputs: Any) -> str:
    resources = [
        {"urn": URN.format("acl:Acl"), "protect": True, "inputs": {"acl": "{}"}},
        {"urn": URN.format("dnsConfiguration:DnsConfiguration"), "protect": True, "inputs": inputs},
        {"urn": URN.format("tailnetSettings:TailnetSettings"), "inputs": {"httpsEnabled": True}},
    ]
    workspace: Any = SimpleNamespace(state=lambda _: {"deployment": {"resources": resources}})
    with pytest.raises(CommandError) as refused:
        _Run("destroy", project, "alfred", Options())._refuse_protected(workspace)
    text = str(refused.value)
    assert text.count("state unprotect") == 2
    return text


def test_nameservers_are_taken_out_before_a_destroy_which_leaves_them(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_bytes((PROJECT / "Pulumi.yaml").read_bytes())
    (tmp_path / "Pulumi.alfred.yaml").write_text(stack_text({"web": HTML}))
    assert "nameservers" not in _said(tmp_path, nameservers=[], splitDns=[])
    for said in ({"nameservers": [{"address": "9.9.9.9"}]}, {"splitDns": [{"domain": "home.arpa"}]}):
        assert "First write `nameservers: []`" in _said(tmp_path, **said)
