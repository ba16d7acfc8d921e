"""People who come and go, their logins and from where they come: at no call is anybody let in whom no file lets in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gatehouse.simulation import tamper
from tests.engine.kit import Object, Project, orphans
from tests.engine.stacks import at, small
from tests.engine.test_lifecycle import quiet
from tests.engine.wider import wider
from tests.kit.builders import ESTATE, HTML, NODE, stack_text

pytestmark = pytest.mark.engine

SERVICES = {
    "photos": at("photos", HTML, people="guests"),
    "wiki": at("wiki", HTML, people=["guests", "friends"]),
    "nas": at("nas", HTML, clients="tailnet"),
}
LOGINS: Object = {"pin": {"type": "onetimepin"}, "hub": {"type": "github", "client_id": "Iv1.0123456789abcdef"}}
ANN, BEN, CLEO = "ann@example.com", "ben@example.com", "cleo@example.com"
DE, AT, PIN, HUB = {"countries": "DE"}, {"countries": ["AT"]}, {"login": "pin"}, {"login": "hub"}


def day(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def write(project: Project, guests: object, friends: object, services: Object | None = None) -> None:
    people = {**ESTATE["people"], "guests": guests, "friends": friends}
    small(project, services or SERVICES, estate={**ESTATE, "logins": LOGINS, "people": people})


def policies(project: Project) -> dict[str, str]:
    """The decision of each policy of Access, by name."""
    bodies = [o["body"] for key, o in project.objects().items() if key.startswith("cloudflare/access-policy/")]
    return {body["name"]: body["decision"] for body in bodies}


def of(*emails: str, **terms: object) -> Object:
    return {"emails": list(emails), **terms}


MOVES: tuple[tuple[str, object, object], ...] = (
    ("they have to come from a country, and one more comes", of(ANN, BEN, **DE), of(CLEO, **DE)),
    ("they come from another, and one goes", of(BEN, **AT), of(CLEO, **AT)),
    ("they come from anywhere again, and the first is back", [ANN], [CLEO]),
    ("they log in by a PIN, and one more comes", of(ANN, BEN, **PIN), of(CLEO, **PIN)),
    ("a domain gets in by it", {"domain": "smith.example", **PIN}, of(CLEO, **PIN)),
    ("an organization gets in by GitHub", {"github": "smiths/devs", **HUB}, of(BEN, **HUB)),
    ("they log in with Google again, until tomorrow", of(ANN, until=day(1)), [CLEO]),
    ("their last day is over", of(ANN, until=day(-1)), [CLEO]),
    ("it goes on, from a country", of(ANN, BEN, until=day(9), **DE), of(CLEO, **DE)),
    ("it is over again, and so it is for the others", of(ANN, until=day(-1), **DE), of(CLEO, until=day(-2), **DE)),
    ("all is as it was", [ANN], [CLEO]),
)


def test_nobody_is_let_in_while_terms_change_whom_they_let_in_neither_before_nor_after(project: Project) -> None:
    write(project, [ANN], [CLEO])
    project.ok("up")
    for what, guests, friends in MOVES:
        since = len(project.history())
        write(project, guests, friends)
        project.ok("up")
        assert wider(project, since) == [], what
        quiet(project.ok("preview"))
        assert not orphans(project, "alfred"), what
        if what == "their last day is over":
            assert policies(project)["Google Account: guests"] == "deny"
            # Somebody of the two sets together is left.
            assert policies(project)["Google Account: friends+guests"] == "allow"
        if what.startswith("it is over again"):
            assert policies(project)["Google Account: friends+guests from DE"] == "deny"
    quiet(project.ok("refresh"))
    project.ok("destroy")


def test_the_judge_sees_a_country_and_a_login_that_are_not_asked_for(project: Project) -> None:
    """Without this a judge that sees nothing would be content with everything."""
    write(project, of(ANN, **DE), of(CLEO, **DE))
    project.ok("up")
    since = len(project.history())
    write(project, of(ANN, BEN, **DE), of(CLEO, **DE))
    project.ok("up")
    assert wider(project, since) == []
    key = tamper.find(project.clouds, "cloudflare/access-policy/", name="Google Account: guests from DE")
    tamper.change(project.clouds, key, requires=[])
    write(project, of(ANN, **DE), of(CLEO, **DE))
    project.ok("up", "--refresh")
    assert any(f"{ANN} reaches" in text for text in wider(project, since))


def test_terms_change_under_the_services_of_another_stack(project: Project) -> None:
    node = {**NODE, "name": "octavo", "context": "octavo", "lan_ipv4": "192.168.0.8"}
    project.write("octavo", stack_text({"notes": at("notes", HTML, people="friends")}, member_of="alfred", node=node))
    since = 0
    for friends in ([CLEO], of(CLEO, BEN, **DE), of(BEN, until=day(-1), **AT)):
        write(project, [ANN], friends, {"photos": SERVICES["photos"]})
        for stack in ("alfred", "octavo"):
            project.ok("up", stack=stack)
            assert wider(project, since) == [] or not since, (friends, stack)
        quiet(project.ok("preview", stack="octavo"))
        since = len(project.history())
