"""Second objects of ours in the account: seen after `up` and on request, and removed by their ids alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gatehouse.adopt.stack_text import edit
from gatehouse.engine.acquire import Engine
from gatehouse.simulation import tamper
from tests.engine.kit import Project, orphans
from tests.engine.real import RealProject
from tests.engine.stacks import SMALL, small
from tests.engine.test_lifecycle import quiet
from tests.engine.test_secrets import MARKS, SECRETS
from tests.kit.builders import ESTATE

pytestmark = pytest.mark.engine

FEW = {name: SMALL[name] for name in ("grafana", "blog")}
COPY = "99999999-0000-4000-8000-000000000001"


def copied(project: Project) -> str:
    """The key of a copy of grafana's application which lets anyone by, as a repeated POST could have left it."""
    ours = tamper.find(project.clouds, "cloudflare/access-app/", name="Grafana")
    everyone = tamper.find(project.clouds, "cloudflare/access-policy/", decision="bypass").rsplit("/", 1)[-1]
    body = {**project.objects()[ours]["body"], "policies": [{"id": everyone, "precedence": 1}]}
    tamper.put(project.clouds, f"cloudflare/access-app/{COPY}", body, COPY)
    return f"cloudflare/access-app/{COPY}"


@pytest.mark.parametrize("type_", ["ZeroTrustAccessGroup", "ZeroTrustAccessPolicy", "ZeroTrustAccessServiceToken"])
def test_what_a_repeated_request_made_twice_is_named_after_up_and_can_be_removed(project: Project, type_: str) -> None:
    grafana = {**FEW["grafana"], "tokens": ["phone"]}
    small(project, {**FEW, "grafana": grafana}, estate={**ESTATE, "tokens": {"phone": {}}})
    project.faults({"do": "status", "status": 502, "when": "after", "type": type_, "method": "create", "times": 1})
    up = project.ok("up")
    project.faults()
    [stray] = orphans(project, "alfred")
    own = stray.rsplit("/", 1)[-1]
    word = {"Group": "Access group", "Policy": "Access policy"}.get(type_[15:], "service token")
    assert f"warning: Cloudflare has a second {word}" in up.err
    assert f"Remove it: gatehouse doubles --stack alfred --simulated --remove {own}" in up.err
    before = project.objects()
    assert project.run("doubles").code == 1
    project.ok("doubles", "--remove", own, "--yes")
    assert project.objects() == {key: item for key, item in before.items() if key != stray}
    assert project.ok("doubles").out == "There are no doubles on the simulated clouds.\n"
    quiet(project.ok("up", "--refresh"))


def test_an_open_copy_of_an_application_says_whom_it_lets_in(project: Project) -> None:
    small(project, FEW)
    assert "has a second" not in project.ok("up").text
    copy = copied(project)
    # Nothing of Cloudflare's was changed: nobody looks.
    assert "has a second" not in project.ok("up").text
    small(project, {**FEW, "wiki": {**FEW["grafana"], "title": "Wiki"}})
    up = project.ok("up")
    said = " ".join(up.err.split())
    assert 'warning: Cloudflare has a second Access application "Grafana" (grafana-alfred.example.com)' in said
    assert "It lets in: anyone (bypass)." in said
    listed = project.run("doubles", "--json")
    assert listed.code == 1
    assert [d["id"] for d in json.loads(listed.out)["doubles"]] == [COPY]
    project.ok("doubles", "--remove", COPY, "--yes")
    assert copy not in project.objects()


def test_nothing_but_a_double_is_removed(project: Project) -> None:
    small(project, FEW)
    project.ok("up")
    copied(project)
    ours = tamper.find(project.clouds, "cloudflare/access-policy/", decision="bypass").rsplit("/", 1)[-1]
    tamper.put(project.clouds, "cloudflare/access-group/stranger", {"name": "Neighbours", "includes": []}, "stranger")
    before = project.objects()
    for own in (ours, "stranger", "no-such-id"):
        refused = project.run("doubles", "--remove", own, "--yes")
        assert refused.code == 2, own
        assert "it is no double" in refused.err
    # Without a terminal nobody can be asked.
    assert project.run("doubles", "--remove", COPY).code == 2
    assert project.objects() == before


@pytest.fixture
def api(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """Cloudflare's API for the groups of the simulated clouds; its address, and what was asked with the right token."""
    asked: list[str] = []
    clouds = tmp_path / "clouds" / "clouds.json"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path.partition('?')[0]}" if self._right() else "wrong token")
            kinds = {"access-group": "/groups", "service-token": "/service_tokens"}
            found = [
                {"id": item["id"], "name": item["body"]["name"], "include": item["body"].get("includes", [])}
                for key, item in tamper.objects(clouds).items()
                for kind, place in kinds.items()
                if key.startswith(f"cloudflare/{kind}/") and place in self.path and "page=2" not in self.path
            ]
            self._answer(found)

        def do_DELETE(self) -> None:
            asked.append(f"{self.command} {self.path}" if self._right() else "wrong token")
            self._answer({})

        def _right(self) -> bool:
            return self.headers["Authorization"] == f"Bearer {MARKS['cloudflare']}"

        def _answer(self, result: Any) -> None:
            body = json.dumps({"success": True, "errors": [], "messages": [], "result": result}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/client/v4", asked
    server.shutdown()
    server.server_close()


def test_on_real_clouds_the_account_is_asked_with_the_token_of_the_stack_file(
    project: Project, engine: Engine, tmp_path: Path, api: tuple[str, list[str]]
) -> None:
    address, asked = api
    small(project, FEW)
    real = RealProject(
        project,
        engine,
        tmp_path / "clouds" / "clouds.json",
        {"PULUMI_CONFIG_PASSPHRASE": MARKS["passphrase"]},
    )
    real.set_up(SECRETS)
    real.pulumi("config", "set", "tailscale:oauthClientId", "client", "--stack", "alfred")
    with real.attached():
        # Nobody answers: said, and no failure.
        silent = project.run("up", "--yes", simulated=False)
        assert silent.code == 0, silent.text
        assert "twice could not be looked up" in silent.err
        assert asked == []
        project.env["CLOUDFLARE_BASE_URL"] = address
        ours = tamper.find(real.state, "cloudflare/access-group/")
        tamper.put(real.state, f"cloudflare/access-group/{COPY}", tamper.objects(real.state)[ours]["body"], COPY)
        path = project.folder / "Pulumi.alfred.yaml"
        path.write_text(edit(path.read_text(), services={"wiki": {**FEW["grafana"], "title": "Wiki"}}))
        up = project.run("up", "--yes", simulated=False)
        assert up.code == 0, up.text
        assert 'a second Access group "Gatehouse household"' in up.err
        assert f"Remove it: gatehouse doubles --stack alfred --remove {COPY}\n" in up.err
        # One listing of each kind; the client asks for one more page where the first had something.
        kinds = [line.rsplit("/", 1)[-1] for line in asked]
        assert sorted(kinds) == ["apps", "groups", "groups", "identity_providers", "policies"]
        assert project.run("doubles", "--remove", COPY, "--yes", simulated=False).code == 0
    assert asked[-1] == f"DELETE /client/v4/accounts/{'0' * 32}/access/groups/{COPY}"
    assert "wrong token" not in asked
