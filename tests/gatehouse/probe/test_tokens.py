"""Service tokens asked for on loopback: each lets in where it is named, and nothing else does; secrets stay secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli import main
from gatehouse.engine.acquire import VARIABLE
from gatehouse.engine.program import collector_held
from gatehouse.probe.checks import checks_of
from gatehouse.probe.probes import Check, HttpProbe
from gatehouse.probe.runner import Result, run_checks
from gatehouse.probe.settings import Client
from tests.gatehouse.probe.world import TEAM, ZONE, Request, Response, World, at, login
from tests.kit.builders import ESTATE, HTML, plan_of, stack_text

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
PHONE, CI = Client("phone.access", "phones-own-secret"), Client("ci.access", "the-secret-of-ci")
CLIENTS = {"phone": PHONE, "ci": CI}
SERVICES: Mapping[str, Mapping[str, Any]] = {
    "photos": {**HTML, "origin": at("photos"), "tokens": "phone"},
    "metrics": {
        **HTML,
        "origin": at("metrics"),
        "clients": "nobody",
        "paths": {"/federate": {"clients": "nobody", "tokens": "ci"}},
    },
}
PLAN = plan_of(SERVICES, estate={**ESTATE, "tokens": {"phone": {}, "ci": {}}})
PHOTOS, METRICS = f"photos-alfred.{ZONE}", f"metrics-alfred.{ZONE}"


def checks(ended: tuple[str, ...] = ()) -> list[Check]:
    return [c for c in checks_of(PLAN, "n0nce", ended=ended) if isinstance(c.probe, HttpProbe) and c.gate != "zone"]


class Access(World):
    """Cloudflare as its documents have it. An older account sends who has a wrong secret to the login, where there is
    one; a newer is strict [CFDOC service-tokens#enforce-strict-service-token-authentication]."""

    strict = False
    ended: frozenset[Client] = frozenset()

    def edge(self, request: Request) -> Response:
        if request.scheme == "http":
            return Response(301, headers={"Location": f"https://{request.name}{request.target}"})
        sent = (request.headers.get("cf-access-client-id"), request.headers.get("cf-access-client-secret"))
        good = next((c for c in (PHONE, CI) if (c.id, c.secret) == sent and c not in self.ended), None)
        refused = Response(401, "<title>401</title>", {"Cf-Access-Domain": request.name})
        if request.name == PHOTOS:
            if good is PHONE:
                return self.origin(request)
            return refused if self.strict and sent != (None, None) else login(request)
        if request.name != METRICS:
            return Response(404)
        if not request.target.startswith("/federate"):
            return Response(403, "", {"Cf-Access-Aud": "0" * 64})
        return self.origin(request) if good is CI else refused


def run(world: World, found: list[Check], clients: Mapping[str, Client] = CLIENTS) -> list[Result]:
    async def both() -> list[Result]:
        async with world:
            return await run_checks(found, TEAM, world.settings(clients=clients))

    with collector_held():
        return asyncio.run(both())


def failed(results: list[Result]) -> dict[str, str]:
    return {r.check.id: r.verdict.seen for r in results if r.verdict.state == "failed"}


def world(**more: Any) -> Access:
    return Access(hosts=["photos-alfred", "metrics-alfred"], **more)


@pytest.mark.parametrize("strict", [False, True])
def test_each_token_gets_in_where_it_is_named_and_nobody_else(strict: bool) -> None:
    there = world()
    there.strict = strict
    results = run(there, checks())
    assert {r.check.id: r.verdict for r in results if r.verdict.state != "passed"} == {}
    ids = {r.check.id for r in results if "ci" in r.check.id or "phone" in r.check.id}
    assert ids == {
        "photos/token-phone",
        "photos/wrong-secret-phone",
        "metrics/token-ci",
        "metrics/token-ci/federate",
        "metrics/wrong-secret-ci/federate",
    }
    # The services saw these two requests and no other.
    assert sorted((r.name, r.target) for r in there.reached) == [(METRICS, "/federate"), (PHOTOS, "/")]


def _with(request: Request, client: Client) -> bool:
    return request.headers.get("cf-access-client-id") == client.id


HOLES: dict[str, tuple[Callable[[Request], bool], str]] = {
    "the id alone is enough": (
        lambda r: _with(r, PHONE) and r.headers["cf-access-client-secret"] != PHONE.secret,
        "photos/wrong-secret-phone",
    ),
    "the same at a path": (
        lambda r: _with(r, CI) and r.headers["cf-access-client-secret"] != CI.secret,
        "metrics/wrong-secret-ci/federate",
    ),
    "a token opens more than its path": (lambda r: _with(r, CI) and r.target == "/", "metrics/token-ci"),
    "nobody is asked for a token": (
        lambda r: r.target == "/federate" and not [h for h in r.headers if h.startswith(("cf-access-", "cookie"))],
        "metrics/shut/federate",
    ),
}


@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_is_found_by_the_one_check_that_asks_for_it(hole: str) -> None:
    meant, check = HOLES[hole]
    there = world()
    there.replies = [(lambda r: r.scheme == "https" and meant(r), there.origin)]
    assert {k for k in failed(run(there, checks())) if "forged" not in k} == {check}


def test_a_token_that_does_not_get_in_is_found_whatever_keeps_it_out() -> None:
    answers = {
        "401, refused by Access": Response(401, "", {"WWW-Authenticate": 'Cloudflare-Access resource_metadata="x"'}),
        "403, refused by Access": Response(403, "<html>", {"Cf-Access-Aud": "0" * 64}),
        "403 and nothing else: the tunnel asks for a JWT": Response(403),
        "sent to the login": login(Request("https", PHOTOS, PHOTOS, "/", {})),
    }
    for seen, answer in answers.items():
        there = world(replies=[(lambda r: _with(r, PHONE), lambda r, answer=answer: answer)])
        assert failed(run(there, checks())) == {"photos/token-phone": seen}
    # What the service itself answers shows that the token got in.
    there = world(replies=[(lambda r: _with(r, PHONE) and r.headers["cf-access-client-secret"] == PHONE.secret,
                            lambda r: Response(401, "who are you?", {"WWW-Authenticate": "Basic"}))])  # fmt: skip
    assert failed(run(there, checks())) == {}


def test_where_tokens_alone_get_in_a_login_page_is_a_finding() -> None:
    there = world(replies=[(lambda r: r.target == "/federate" and not _with(r, CI), login)])
    assert set(failed(run(there, checks()))) == {"metrics/shut/federate"}


def test_a_token_that_has_ended_opens_nothing() -> None:
    there = world()
    there.ended = frozenset({PHONE, CI})
    results = run(there, checks(ended=("phone", "ci")))
    assert failed(results) == {}
    assert {"photos/token-phone", "metrics/token-ci/federate"} <= {r.check.id for r in results if r.check.must_not}
    assert set(failed(run(world(), checks(ended=("phone", "ci"))))) == {
        "photos/token-phone",
        "metrics/token-ci/federate",
    }


def test_without_the_secrets_nothing_is_proven_of_tokens_and_no_id_is_sent() -> None:
    there = world()
    results = run(there, checks(), {})
    unproven = {r.check.id: r.verdict.seen for r in results if r.verdict.state == "not proven"}
    assert set(unproven.values()) == {"its secret is not known here"}
    assert len(unproven) == 5
    assert there.reached == []


def test_a_secret_goes_to_its_own_host_by_https_and_after_no_redirect() -> None:
    sent: list[Request] = []

    def elsewhere(request: Request) -> Response:
        sent.append(request)
        return Response(302, headers={"Location": f"https://{METRICS if request.name == PHOTOS else PHOTOS}/caught"})

    with_token = world(replies=[(lambda r: "cf-access-client-id" in r.headers, elsewhere)])
    run(with_token, checks())
    assert {(r.scheme, r.sni, r.host) for r in sent if _with(r, PHONE)} == {("https", PHOTOS, PHOTOS)}
    assert {(r.scheme, r.sni, r.host) for r in sent if _with(r, CI)} == {("https", METRICS, METRICS)}
    assert not [r for r in sent if r.target == "/caught"]
    for wrong in (
        {"scheme": "http"},
        {"host": "other.example.com"},
        {"address": "127.0.0.1"},
        {"verify": False},
        {"expect": "challenge"},
    ):
        with pytest.raises(ValueError, match="nowhere else"):
            HttpProbe(**{"expect": "open", "scheme": "https", "sni": PHOTOS, "token": "phone", **wrong})  # type: ignore[arg-type]


def test_no_secret_is_in_what_is_shown() -> None:
    there = world()
    results = run(there, checks())
    shown = repr(results) + repr([r.check.asked for r in results]) + repr(CLIENTS)
    assert PHONE.id in shown
    assert not [c for c in CLIENTS.values() if c.secret in shown]
    asked = {r.check.id: r.check.asked for r in results}
    assert asked["photos/token-phone"] == f"https://{PHOTOS}/ with token phone"
    assert asked["photos/wrong-secret-phone"] == f"https://{PHOTOS}/ with token phone and a wrong secret"


def test_without_an_engine_or_a_state_verify_says_why_nothing_is_proven_of_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "none")
    (tmp_path / "Pulumi.yaml").write_text("name: gatehouse\nruntime: python\n")
    estate = {**ESTATE, "tokens": {"phone": {}, "ci": {}}}
    (tmp_path / "Pulumi.alfred.yaml").write_text(stack_text(SERVICES, estate=estate))
    there = world()
    with there:
        words = ["--only", "photos/*token*", "--only", "photos/wrong*", "--only", "photos/login", *there.arguments()]
        assert main(["-C", str(tmp_path), "verify", *words]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "not proven: photos/token-phone, photos/wrong-secret-phone" in said
    assert (
        "the secrets of service tokens are in the state of alfred: it takes the Pulumi engine, and none is here" in said
    )
    assert there.reached == []
