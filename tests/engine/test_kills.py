"""`up` killed at every call, and faults at every kind of call: still locked, and the next `up` makes it whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.kit import Host, Object, Project, Run, doubles, orphans
from tests.engine.locks import broken_locks, either, protected
from tests.engine.stacks import SMALL, ZERO_TRUST, at, small
from tests.engine.test_lifecycle import quiet
from tests.engine.wider import wider
from tests.kit.builders import HTML, NODE

pytestmark = pytest.mark.engine

MAKES = 40
"""How many changes the first `up` of the small stack makes; a test holds the number."""
CHANGES = 25
"""How many the second one, with another stack file, makes."""
CHANGED = {
    **{name: fields for name, fields in SMALL.items() if name not in ("komga", "dash")},
    "grafana": {**HTML, "host": "charts.example.com", "paths": {"/api": {"people": "admins"}}},
    "blog": at("blog", ZERO_TRUST, paths={"/api": {"clients": "nobody"}, "/feed": {"clients": "anyone"}}),
    "wiki": at("wiki", HTML, gates=["zero-trust", "tailnet"], host="grafana-alfred.example.com"),
}
"""Two services gone, a public one behind login with paths of its own, an open path for people; a host goes to another
service, which gains a way by it."""

GIT = {
    "origin": {"namespace": "git", "service": "git", "port": 22, "scheme": "tcp", "selector": {"app": "git"}},
    "traffic": "non-html",
    "clients": "tailnet",
}
LOGIN = {"wall": at("wall", HTML)}


def points(last: int) -> list[object]:
    """Each change; two of three are slow: `make engine-test-all` kills at those too."""
    return [pytest.param(n, marks=[pytest.mark.slow] if n % 3 else []) for n in range(1, last + 1)]


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory, host: Host) -> Project:
    """The small stack, set up and not yet up."""
    project = Project(tmp_path_factory.mktemp("empty") / "project", host)
    small(project)
    project.ok("preview")
    return project


@pytest.fixture(scope="session")
def made(empty: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small stack, up."""
    project = empty.copy(tmp_path_factory.mktemp("made") / "project")
    project.ok("up")
    return project


def changes(project: Project, since: int = 0) -> list[Object]:
    return [
        c for c in project.calls()[since:] if c["outcome"] == "ok" and c["method"] in ("create", "update", "delete")
    ]


def test_the_numbers_of_calls_are_those_that_are_killed(made: Project, tmp_path: Path) -> None:
    assert len(changes(made)) == MAKES
    project = made.copy(tmp_path / "project")
    since = len(project.calls())
    small(project, CHANGED)
    project.ok("up")
    assert len(changes(project, since)) == CHANGES


def cut_at(number: int) -> list[Object]:
    """From this change on nothing is answered; the change itself is made."""
    return [{"do": "hang", "when": "after", "call": number}, {"do": "hang", "call": number + 1, "onwards": True}]


def converges(project: Project, killed: Run) -> None:
    """The next `up` needs no help, and then there is nothing left to do, nothing twice and nothing lost."""
    assert killed.code == -9, killed.text
    hosts = protected(project)
    project.ok("up")
    assert broken_locks(project, hosts) == []
    assert wider(project) == []
    quiet(project.ok("up"))
    assert not project.state().get("pending_operations")
    assert not orphans(project, "alfred")
    assert not doubles(project.objects())


@pytest.mark.parametrize("number", points(MAKES))
def test_killed_while_it_makes_it_all_it_is_locked_and_the_next_up_ends_it(
    empty: Project, tmp_path: Path, number: int
) -> None:
    project = empty.copy(tmp_path / "project")
    converges(project, project.killed("up", *cut_at(number), settle=0.0))


@pytest.mark.parametrize("number", points(CHANGES))
def test_killed_while_it_changes_things_it_is_locked_and_the_next_up_ends_it(
    made: Project, tmp_path: Path, number: int
) -> None:
    project = made.copy(tmp_path / "project")
    was = protected(project)
    small(project, CHANGED)
    since = len(project.history())
    killed = project.killed("up", *cut_at(number), settle=0.0)
    assert killed.code == -9, killed.text
    # Open at first; and shut by its rule alone, while it goes from service to service. `wider` sees both.
    others = ("blog-alfred.example.com", "grafana-alfred.example.com")
    hosts = {host for host in either(was, protected(project)) if host.name not in others}
    project.ok("up")
    assert wider(project, since) == []
    quiet(project.ok("up"))
    assert broken_locks(project, hosts, since) == []
    # What was public is locked in the end.
    assert broken_locks(project, protected(project), len(project.history()) - 1) == []
    assert not project.state().get("pending_operations")
    assert not orphans(project, "alfred")
    assert not doubles(project.objects())


MOVES = 6
"""How many changes shared proxies come with, or go: policy, group, and two services that are deleted and made anew."""


def sharing(project: Project, on: bool) -> None:
    node = {**NODE, "tailscale_operator": "helm", "proxy_group": on}
    small(project, {"wiki": at("wiki", HTML, clients="tailnet"), "git": GIT, **LOGIN}, node=node)


@pytest.fixture(scope="session")
def alone(empty: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two services on the tailnet with proxies of their own, up."""
    project = empty.copy(tmp_path_factory.mktemp("alone") / "project")
    sharing(project, on=False)
    project.ok("up")
    return project


@pytest.fixture(scope="session")
def together(alone: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same behind shared proxies, up."""
    project = alone.copy(tmp_path_factory.mktemp("together") / "project")
    sharing(project, on=True)
    since = len(project.calls())
    project.ok("up")
    assert len(changes(project, since)) == MOVES
    return project


@pytest.mark.parametrize("number", points(MOVES))
@pytest.mark.parametrize("on", [True, False], ids=["behind", "back"])
def test_killed_while_services_go_behind_shared_proxies_or_come_back_the_next_up_ends_it(
    alone: Project, together: Project, tmp_path: Path, on: bool, number: int
) -> None:
    project = (alone if on else together).copy(tmp_path / "project")
    sharing(project, on=on)
    since = len(project.history())
    killed = project.killed("up", *cut_at(number), settle=0.0)
    assert killed.code == -9, killed.text
    project.ok("up")
    quiet(project.ok("up"))
    assert wider(project, since) == []
    assert not project.state().get("pending_operations")
    assert not orphans(project, "alfred")
    assert not doubles(project.objects())
    # A finalizer that nobody takes off would show here.
    project.ok("destroy")


@pytest.mark.parametrize("number", [1, 9, 18, 27])
def test_killed_while_it_destroys_it_is_locked_and_the_next_destroy_ends_it(
    made: Project, tmp_path: Path, number: int
) -> None:
    project = made.copy(tmp_path / "project")
    hosts, since = protected(project), len(project.history())
    killed = project.killed("destroy", *cut_at(number), settle=0.0)
    assert killed.code == -9, killed.text
    project.ok("destroy")
    assert broken_locks(project, hosts) == []
    assert wider(project, since) == []
    assert not project.state().get("resources")
    left = {key.split("/")[1] for key in project.objects() if key.startswith("cloudflare/")}
    assert left == {"zone", "dnssec", "setting"}
