"""`gatehouse policy-test`."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatehouse.cli import main
from gatehouse.commands import UsageError, policy_test

_PASSES = """// HuJSON
{
  "tagOwners": {"tag:server": [], "tag:ci": []},
  "grants": [{"src": ["tag:ci"], "dst": ["tag:server"], "ip": ["tcp:443"]}],
  "tests": [
    {"src": "tag:ci", "accept": ["tag:server:443"], "deny": ["tag:server:22"]},
  ],
}
"""
_FAILS = _PASSES.replace('"deny": ["tag:server:22"]', '"deny": ["tag:server:443"]')
_INVALID = _PASSES.replace("tcp:443", "tcp:https").replace('"tag:ci": []', '"tag:ci": ["tag:nobody"]')


def _run(folder: Path, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    policy_test.add_arguments(parser)
    parser.set_defaults(directory=str(folder))
    return policy_test.run(parser.parse_args(arguments), folder)


def _write(folder: Path, policy: str, name: str = "policy.hujson") -> str:
    (folder / name).write_text(policy, encoding="utf-8")
    return name


def test_a_policy_whose_tests_pass_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, _write(tmp_path, _PASSES)) == 0
    assert capsys.readouterr().out == "policy.hujson: 1 of 1 tests pass.\n"


def test_a_failing_test_ends_with_1_and_names_test_and_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, _write(tmp_path, _FAILS)) == 1
    assert capsys.readouterr().out.splitlines() == [
        "policy.hujson:6: FAILED tests[0] from tag:ci",
        "    deny tag:server:443: is let through",
        "        by grants[0] (line 4): tag:ci -> tag:server",
        "policy.hujson: 0 of 1 tests pass.",
    ]


def test_an_invalid_policy_ends_with_2_and_every_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, _write(tmp_path, _INVALID)) == 2
    assert capsys.readouterr().out.splitlines() == [
        'policy.hujson:3:46: tagOwners["tag:ci"][0]: tag not found: "tag:nobody"',
        'policy.hujson:4:64: grants[0].ip[0]: port range "https": invalid first integer',
        "2 problems: no test was run.",
    ]


def test_a_policy_without_tests_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, _write(tmp_path, '{"grants": []}')) == 0
    assert "no tests" in capsys.readouterr().out


def test_json_tells_passed_failed_and_invalid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(policy: str) -> tuple[int, dict[str, object]]:
        code = _run(tmp_path, _write(tmp_path, policy), "--json")
        return code, json.loads(capsys.readouterr().out)

    code, passed = told(_PASSES)
    assert (code, passed["valid"], passed["passed"], passed["tests"], passed["failed"]) == (0, True, True, 1, 0)
    code, failed = told(_FAILS)
    assert (code, failed["valid"], failed["passed"], failed["failed"]) == (1, True, False, 1)
    results = failed["results"]
    assert isinstance(results, list)
    assert results[0]["failures"] == [
        {
            "expected": "deny",
            "destination": "tag:server:443",
            "reason": "is let through",
            "rules": [{"rule": "grants[0]", "line": 4, "text": "grants[0] (line 4): tag:ci -> tag:server"}],
        }
    ]
    code, invalid = told(_INVALID)
    assert (code, invalid["valid"]) == (2, False)
    findings = invalid["findings"]
    assert isinstance(findings, list)
    assert [(f["file"], f["line"], f["path"]) for f in findings] == [
        ("policy.hujson", 3, 'tagOwners["tag:ci"][0]'),
        ("policy.hujson", 4, "grants[0].ip[0]"),
    ]


def test_a_topology_decides_what_the_policy_alone_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = _write(tmp_path, _PASSES.replace('"accept": ["tag:server:443"]', '"accept": ["100.64.0.7:443"]'))
    assert _run(tmp_path, policy) == 0
    assert capsys.readouterr().out.splitlines() == [
        "policy.hujson:6: unknown tests[0] from tag:ci",
        "    accept 100.64.0.7:443: cannot be told here",
        "        depends on grants[0] (line 4): tag:ci -> tag:server",
        "policy.hujson: 0 of 1 tests pass, 1 unknown.",
    ]
    nodes = '{"nodes": [{"name": "s", "tags": ["tag:server"], "addresses": ["100.64.0.7"]}]}'
    assert _run(tmp_path, policy, "--topology", _write(tmp_path, nodes, "nodes.json")) == 0


def test_the_topology_of_the_help_is_a_valid_one(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    policy_test.add_arguments(parser)
    text = parser.format_help()
    example = text[text.index("  {\n") : text.index("\n  }\n") + 5]
    assert _run(tmp_path, _write(tmp_path, _PASSES), "--topology", _write(tmp_path, example, "nodes.json")) == 0


def test_an_admin_named_on_the_command_line_decides_what_depends_on_the_role(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """{
      "tagOwners": {"tag:server": ["autogroup:admin"]},
      "acls": [{"action": "accept", "src": ["autogroup:admin"], "dst": ["*:*"]}],
      "tests": [{"src": "ann@example.com", "accept": ["tag:server:22"]}],
    }"""
    policy = _write(tmp_path, text)
    assert _run(tmp_path, policy) == 0
    assert "unknown tests[0]" in capsys.readouterr().out
    assert _run(tmp_path, policy, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["passed"], told["failed"], told["unknown"], told["results"][0]["state"]) == (False, 0, 1, "unknown")
    assert _run(tmp_path, policy, "--admin", "Ann@example.com") == 0
    assert capsys.readouterr().out == "policy.hujson: 1 of 1 tests pass.\n"
    nodes = _write(tmp_path, '{"users": [{"login": "ann@example.com", "role": "member"}]}', "nodes.json")
    assert _run(tmp_path, policy, "--topology", nodes) == 1
    with pytest.raises(UsageError, match="a login name has an @"):
        _run(tmp_path, policy, "--admin", "ann")


def test_no_project_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["policy-test", _write(tmp_path, _PASSES)]) == 0
    assert "1 of 1 tests pass" in capsys.readouterr().out
    assert main(["-C", str(tmp_path.parent), "policy-test", f"{tmp_path.name}/policy.hujson"]) == 0
    capsys.readouterr()
    assert main(["who"]) == 2, "the control: another command needs one"
    assert "no Pulumi.yaml" in capsys.readouterr().err


def test_a_wrong_topology_ends_with_2_and_names_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = _write(tmp_path, _PASSES)
    assert _run(tmp_path, policy, "--topology", _write(tmp_path, '{"nodes": {}}', "nodes.json")) == 2
    assert capsys.readouterr().out.startswith("nodes.json:1:11: nodes: expected a list\n")


@pytest.mark.parametrize("arguments", [["missing.json"], ["p.json", "--topology", "missing.json"], ["."], ["a\0b"]])
def test_a_file_that_cannot_be_read_is_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    _write(tmp_path, _PASSES, "p.json")
    with pytest.raises(UsageError, match="cannot be read"):
        _run(tmp_path, *arguments)


def test_a_policy_is_read_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(_FAILS.encode())))
    assert _run(tmp_path, "-") == 1


def test_names_the_terminal_cannot_show_are_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding="ascii")
    monkeypatch.setattr("sys.stdout", out)
    assert _run(tmp_path, _write(tmp_path, '{"tests": [{"src": "ü@example.com"}]}')) == 1
    out.flush()
    assert b"from \\xfc@example.com" in written.getvalue()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")), st.booleans())
def test_any_file_ends_with_a_code_and_no_traceback(tmp_path: Path, content: bytes, as_json: bool) -> None:
    (tmp_path / "any.json").write_bytes(content)
    options = ["--json"] if as_json else []
    assert _run(tmp_path, "any.json", *options) in (0, 1, 2)
    (tmp_path / "good.json").write_text(_PASSES, encoding="utf-8")
    assert _run(tmp_path, "good.json", "--topology", "any.json", *options) in (0, 1, 2)
