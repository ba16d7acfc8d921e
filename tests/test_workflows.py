"""The GitHub workflows: pinned, with the least rights, and safe with a stranger's pull request."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import VERSION

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"].partition(".com/")[2]
FILES = [*WORKFLOWS, ROOT / ".github" / "actions" / "setup" / "action.yml"]
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def read(path: Path) -> Any:
    # YAML 1.1 reads the key `on` as true; GitHub does not.
    return yaml.safe_load(re.sub(r"^on:", '"on":', path.read_text(), flags=re.MULTILINE))


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = read(path)["jobs"]
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    document = read(path)
    if "runs" in document:
        yield from document["runs"]["steps"]
    for job in document.get("jobs", {}).values():
        yield from job["steps"]


def unpinned(text: str) -> list[str]:
    used = [line.split("uses:", 1)[1].strip() for line in text.splitlines() if "uses:" in line]
    return [u for u in used if not u.startswith("./") and not _PINNED.fullmatch(u)]


def test_there_is_a_workflow_for_each_moment() -> None:
    assert {p.stem for p in WORKFLOWS} == {"acceptance", "checks", "comment", "drift", "preview", "release", "up"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_actions_are_pinned_by_commit_with_their_version(path: Path) -> None:
    assert unpinned(path.read_text()) == []
    assert unpinned("- uses: actions/checkout@v7\n- uses: a/b@main # v1.0.0") == [
        "actions/checkout@v7",
        "a/b@main # v1.0.0",
    ]


def test_an_action_has_one_pin_in_all_files() -> None:
    used = {u for p in FILES for u in re.findall(r"uses: ([\w.-]+/\S+ # \S+)", p.read_text())}
    names = [u.split("@")[0] for u in used]
    assert len(names) == len(set(names)) > 4


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_nothing_is_permitted_but_by_job(path: Path) -> None:
    document = read(path)
    assert document["permissions"] == {}
    for name, job in document["jobs"].items():
        rights = job["permissions"]
        assert set(rights.values()) <= {"read", "write"}, name
        # A job's own identity is worth what somebody trusts it with: it is of an environment, and of main alone.
        if rights.pop("id-token", None):
            assert job["environment"], name
            assert "github.ref == 'refs/heads/main'" in job.get("if", "") or job["needs"] == "preview", name
            assert "vars.TAILSCALE_AUDIENCE" in json.dumps(job), name
        # Whoever may write runs no code of the repository and sees no secret.
        if "write" in rights.values():
            assert [s["uses"].split("@")[0] for s in job["steps"]] in (
                ["actions/download-artifact", "actions/github-script"],
                ["actions/github-script"],
            )
            assert "secrets." not in json.dumps(job)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_a_strangers_code_meets_no_secret(path: Path) -> None:
    document = read(path)
    assert "pull_request_target" not in document["on"]
    for name, job in document["jobs"].items():
        if "secrets." in json.dumps(job):
            assert job["environment"], name
            assert (
                "github.ref == 'refs/heads/main'" in job.get("if", "")
                or "needs" in job
                or ("github.event.pull_request.head.repo.full_name == github.repository" in job["if"])
            ), name
        if "workflow_run" in document["on"]:
            assert not [s for s in job["steps"] if "run" in s or "checkout" in s.get("uses", "")]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_no_expression_gets_into_a_script(path: Path) -> None:
    scripts = [s["run"] for s in steps(path) if "run" in s]
    scripts += [s["with"]["script"] for s in steps(path) if "script" in s.get("with", {})]
    assert [s for s in scripts if "${{" in s] == []
    kept = [s for s in steps(path) if "actions/checkout" in s.get("uses", "")]
    assert [s for s in kept if s["with"]["persist-credentials"] is not False] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_every_job_ends_and_only_one_up_runs_at_a_time(path: Path) -> None:
    document = read(path)
    assert all(job["timeout-minutes"] <= 60 for job in document["jobs"].values())
    assert document["concurrency"]["cancel-in-progress"] is (path.stem in ("checks", "preview"))


def test_up_waits_for_approval_and_verify_for_up() -> None:
    up = jobs(ROOT / ".github" / "workflows" / "up.yml")
    assert (up["up"]["environment"], up["up"]["needs"], up["verify"]["needs"]) == ("production", "preview", "up")
    assert up["up"]["strategy"]["max-parallel"] == 1
    drift = [s["run"] for s in steps(ROOT / ".github" / "workflows" / "drift.yml") if "run" in s]
    assert "--refresh --expect-no-changes" in drift[0]


@pytest.mark.parametrize(
    ("tag", "repository", "changed", "said"),
    [
        (f"v{VERSION}", REPOSITORY, None, ""),
        ("v9.9.9", REPOSITORY, None, "The tag is v9.9.9 and VERSION"),
        (f"v{VERSION}", "fork/gatehouse", None, "is not https://github.com/fork/gatehouse"),
        (f"v{VERSION}", REPOSITORY, f"## [{VERSION}] - ", "CHANGELOG.md has no section"),
    ],
)
def test_a_release_is_the_version_with_its_section(
    tmp_path: Path, tag: str, repository: str, changed: str | None, said: str
) -> None:
    [script] = [s["run"] for s in jobs(ROOT / ".github/workflows/release.yml")["check"]["steps"] if "name" in s]
    for name in ("config", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    text = (ROOT / "CHANGELOG.md").read_text()
    (tmp_path / "CHANGELOG.md").write_text(text.replace(changed, "## [") if changed else text)
    runner = {**os.environ, "GITHUB_REF_NAME": tag, "GITHUB_REPOSITORY": repository, "RUNNER_TEMP": str(tmp_path)}
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=runner, capture_output=True, text=True)
    assert (said in done.stdout, done.returncode) == (True, 1 if said else 0), done.stdout + done.stderr
    if not said:
        notes = (tmp_path / "notes.md").read_text().strip()
        assert notes.startswith("### Added")
        assert "\n## " not in notes


def test_the_newest_release_of_the_changelog_is_the_version() -> None:
    released = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert released[0] == VERSION


def test_nothing_else_says_who_publishes_it() -> None:
    listed = subprocess.run(["git", "grep", "-l", REPOSITORY], cwd=ROOT, capture_output=True, text=True).stdout
    assert {path for path in listed.split() if not path.startswith(("tests/", "docs/"))} == {"pyproject.toml"}


def test_gatehouse_commands_in_workflows_are_understood() -> None:
    from gatehouse.cli import whole_parser

    found = []
    for path in FILES:
        for step in steps(path):
            joined = step.get("run", "").replace("\\\n", " ")
            for line in re.findall(r"\.venv/bin/gatehouse ([^\n>]*)", joined):
                arguments = re.sub(r'"\$\([^)]*\)"', "main", line).split()
                found.append(whole_parser().parse_args(arguments).command)
    assert set(found) == {"check", "diff", "token", "verify"}


ZIZMOR = Path(sys.executable).with_name("zizmor")


@pytest.mark.skipif(not ZIZMOR.exists(), reason="zizmor is not installed: it is in requirements-dev.txt")
def test_the_linter_finds_nothing_in_them_and_something_in_a_bad_one(tmp_path: Path) -> None:
    command = [str(ZIZMOR), "--offline", "--strict-collection", "--quiet"]
    clean = subprocess.run([*command, str(ROOT / ".github")], capture_output=True, text=True)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "bad.yml").write_text(
        "on: pull_request_target\njobs:\n  j:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - run: echo ${{ github.event.pull_request.title }}\n"
    )
    bad = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert bad.returncode != 0
    assert "template-injection" in bad.stdout
    assert "dangerous-triggers" in bad.stdout


# The comment, made by its script with a GitHub that answers from here

NODE = shutil.which("node")
_STUB = """
const calls = [];
const given = JSON.parse(process.argv[2]);
const payload = {workflow_run: given.run};
const context = {repo: {owner: 'me', repo: 'home'}, payload, serverUrl: 'https://github.com', runId: 7};
const rest = {
  pulls: {list: async q => { calls.push(['list', q]); return {data: given.pulls}; }},
  issues: {
    listComments: 'comments', listForRepo: 'issues',
    createComment: async q => calls.push(['createComment', q]),
    updateComment: async q => calls.push(['updateComment', q]),
    create: async q => calls.push(['create', q]), update: async q => calls.push(['update', q]),
  },
};
const github = {rest, paginate: async what => given[what]};
const core = {notice: () => calls.push(['notice'])};
(async () => { SCRIPT })().then(() => console.log(JSON.stringify(calls)));
"""


def script_calls(workflow: str, given: dict[str, Any], tmp_path: Path, **environment: str) -> list[list[Any]]:
    [script] = [
        s["with"]["script"]
        for s in steps(ROOT / ".github" / "workflows" / f"{workflow}.yml")
        if "script" in s.get("with", {})
    ]
    (tmp_path / "s.js").write_text(_STUB.replace("SCRIPT", script))
    assert NODE
    done = subprocess.run(
        [NODE, str(tmp_path / "s.js"), json.dumps(given)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    calls: list[list[Any]] = json.loads(done.stdout)
    return calls


RUN = {
    "head_repository": {"owner": {"login": "stranger"}},
    "head_branch": "topic",
    "head_sha": "abc",
    "html_url": "https://x/1",
}
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node on this machine")


@needs_node
def test_the_comment_is_made_once_and_then_renewed_and_calls_nobody(tmp_path: Path) -> None:
    report = tmp_path / "exposure.md"
    report.write_text("### Exposure\n@everyone <!-- gatehouse: exposure -->\n" + "x" * 70000)
    pulls = [{"number": 3, "head": {"sha": "old"}}, {"number": 4, "head": {"sha": "abc"}}]
    given: dict[str, Any] = {"run": RUN, "pulls": pulls, "comments": []}
    listed, made = script_calls("comment", given, tmp_path, REPORT=str(report))
    assert listed[1]["head"] == "stranger:topic"
    assert (made[0], made[1]["issue_number"]) == ("createComment", 4)
    body = made[1]["body"]
    assert body.startswith("<!-- gatehouse: exposure -->\n### Exposure")
    assert "@everyone" not in body
    assert body.count("<!--") == 1
    assert len(body) < 65536
    theirs = {"id": 8, "user": {"login": "stranger"}, "body": "<!-- gatehouse: exposure -->"}
    mine = {"id": 9, "user": {"login": "github-actions[bot]"}, "body": "<!-- gatehouse: exposure -->\nold"}
    given["comments"] = [theirs, mine]
    renewed = script_calls("comment", given, tmp_path, REPORT=str(report))[-1]
    assert (renewed[0], renewed[1]["comment_id"]) == ("updateComment", 9)


@needs_node
def test_a_pull_request_that_moved_on_gets_no_comment(tmp_path: Path) -> None:
    given = {"run": RUN, "pulls": [{"number": 3, "head": {"sha": "newer"}}], "comments": []}
    assert [c[0] for c in script_calls("comment", given, tmp_path, REPORT="none")] == ["list", "notice"]


@needs_node
@pytest.mark.parametrize(
    ("result", "open_", "calls"),
    [
        ("failure", False, ["create"]),
        ("failure", True, ["createComment"]),
        ("success", True, ["createComment", "update"]),
        ("success", False, []),
    ],
)
def test_drift_has_one_issue_that_opens_and_closes(tmp_path: Path, result: str, open_: bool, calls: list[str]) -> None:
    issue = {"number": 5, "title": "Drift: the clouds differ from the stack files"}
    given = {"run": {}, "pulls": [], "issues": [issue] if open_ else []}
    assert [c[0] for c in script_calls("drift", given, tmp_path, RESULT=result)] == calls
