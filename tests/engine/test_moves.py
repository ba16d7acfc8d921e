"""Moves: paths, hosts, people and ways that change, each as a whole `up` of which every call is judged.

`tests.engine.wider` judges: after no call does anybody reach a workload that they reach neither before nor at the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from gatehouse.simulation import tamper
from tests.engine.kit import Project, doubles, orphans
from tests.engine.stacks import WHY, at, small
from tests.engine.test_lifecycle import NEVER, quiet
from tests.engine.wider import STRANGER, Request, View, wider
from tests.kit.builders import ACME, ESTATE, GAME, HTML, MEDIA, OPEN_HTML

pytestmark = pytest.mark.engine

HOUSEHOLD = ["alice@example.com", "bob@example.com"]
PEOPLE = {"household": HOUSEHOLD, "admins": ["alice@example.com"], "friends": ["carol@example.com"]}
GITHUB, STRIPE = "203.0.113.0/24", "198.51.100.7/32"
WHOM = {f"{STRANGER} from {GITHUB}": "github", f"{STRANGER} from {STRIPE}": "stripe"} | {
    STRANGER: "anyone",
    "alice@example.com": "alice",
    "bob@example.com": "bob",
    "carol@example.com": "carol",
}
X, Y, Z = "x.example.com", "y.example.com", "z.example.com"
RULES = "ZeroTrustTunnelCloudflaredConfig/alfred-rules"
ALWAYS = {name: at(name, HTML, people=name) for name in PEOPLE} | {"films": at("films", MEDIA)}
"""What is there throughout, so that each set has its policy, and Funnel its attribute."""


class Step(NamedTuple):
    """A stack file's services; who reaches what once it is up; and what changed, where that is the point."""

    services: Mapping[str, Any]
    ends: Mapping[str, str]
    changes: Mapping[str, str] | None = None
    estate: Mapping[str, Any] = {}


def for_(*people: str) -> dict[str, Any]:
    """The clients of a path: sets of people, or one of the words that are none."""
    return {"clients": people[0]} if people[0] in ("anyone", "nobody") else {"people": list(people)}


def html(place: str, kind: Mapping[str, Any] = HTML, **fields: Any) -> dict[str, Any]:
    """A service of sensitive HTML, for people unless said; a path of it that is for anyone is acknowledged."""
    bypassed = any(said.get("clients") == "anyone" for said in fields.get("paths", {}).values())
    return at(place, kind, **({"acknowledge": {"access-path-bypass": WHY}} if bypassed else {}), **fields)


def shown(view: View, place: str) -> str:
    """Who reaches what at a place, as `alice bob: grafana`; places are `x.example.com/api`, or with what they go by."""
    by, _, name = place.rpartition(" ")
    host, slash, path = name.partition("/")
    host, _, port = host.partition(":")
    request = Request(by or "internet", host, "tcp", int(port or 443), f"{slash}{path}" if port in ("", "443") else "")
    answers = {who: view.reached(person, request) for person, who in WHOM.items()}
    what = sorted({workload.partition(" ")[2].partition("/")[0] for found in answers.values() for workload in found})
    if not what:
        return "nobody"
    return (
        f"{'anyone' if answers['anyone'] else ' '.join(w for w, found in answers.items() if found)}: {' '.join(what)}"
    )


def grafana(paths: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """One guarded host and its paths."""
    return {"grafana": html("grafana", host=X, paths=paths, **fields)}


def blog(paths: Mapping[str, Any]) -> dict[str, Any]:
    """One public host and its paths."""
    return {"blog": html("blog", OPEN_HTML, host=X, paths=paths)}


def of(place: str, *hosts: str, **fields: Any) -> dict[str, Any]:
    """A service with these hosts."""
    return {place: html(place, hosts=list(hosts), **fields)}


def public(place: str, *hosts: str, **fields: Any) -> dict[str, Any]:
    """A public one with these hosts."""
    return {place: at(place, OPEN_HTML, hosts=list(hosts), **fields)}


def forwarded(*hosts: str) -> dict[str, Any]:
    """The game, at these hosts."""
    return {"game": {**GAME, "hosts": list(hosts)}}


def access(*destinations: str) -> list[str]:
    """Applications as a run names them."""
    return [f"ZeroTrustAccessApplication/{one}" for one in destinations]


HOME = "alice bob"
PATHS_BEHIND_LOGIN = [
    Step(grafana({}), {X: f"{HOME}: grafana", f"{X}/api": f"{HOME}: grafana"}),
    # Put in, for anyone.
    Step(
        grafana({"/api": for_("anyone")}),
        {X: f"{HOME}: grafana", f"{X}/api/v1": "anyone: grafana", f"{X}/apix": f"{HOME}: grafana"},
        {**dict.fromkeys(access(f"{X}/api"), "create"), RULES: "update"},
    ),
    # For the host's own people: it needs no application.
    Step(
        grafana({"/api": for_("household")}),
        {f"{X}/api": f"{HOME}: grafana"},
        {RULES: "update", **dict.fromkeys(access(f"{X}/api"), "delete")},
    ),
    Step(
        grafana({"/api": for_("admins")}),
        {X: f"{HOME}: grafana", f"{X}/api": "alice: grafana"},
        {**dict.fromkeys(access(f"{X}/api"), "create"), RULES: "update"},
    ),
    Step(grafana({"/api": for_("nobody")}), {X: f"{HOME}: grafana", f"{X}/api": "nobody"}),
    # One inside the other, and both the other way round.
    Step(
        grafana({"/api": for_("friends"), "/api/hooks": for_("anyone")}),
        {f"{X}/api": "carol: grafana", f"{X}/api/hooks": "anyone: grafana"},
    ),
    Step(
        grafana({"/api": for_("anyone"), "/api/hooks": for_("friends")}),
        {f"{X}/api": "anyone: grafana", f"{X}/api/hooks": "carol: grafana"},
        {**dict.fromkeys(access(f"{X}/api", f"{X}/api/hooks"), "replace"), RULES: "update"},
    ),
    Step(grafana({}), {f"{X}/api": f"{HOME}: grafana", f"{X}/api/hooks": f"{HOME}: grafana"}),
    # The host gets other people, and what was theirs is a path's from now on.
    Step(
        grafana({"/api": for_("household")}, people="friends"),
        {X: "carol: grafana", f"{X}/api": f"{HOME}: grafana"},
    ),
    Step(
        grafana({"/api": for_("friends")}, people="household"),
        {X: f"{HOME}: grafana", f"{X}/api": "carol: grafana"},
    ),
    Step(
        grafana({"/api": for_("friends")}, clients="nobody"),
        {X: "nobody", f"{X}/other": "nobody", f"{X}/api": "carol: grafana"},
    ),
    Step(grafana({"/api": for_("anyone")}, clients="nobody"), {X: "nobody", f"{X}/api": "anyone: grafana"}),
    Step(grafana({}), {X: f"{HOME}: grafana", f"{X}/api": f"{HOME}: grafana"}),
]
PATHS_OF_A_PUBLIC_HOST = [
    Step(blog({}), {X: "anyone: blog", f"{X}/admin": "anyone: blog"}),
    Step(
        blog({"/admin": for_("admins")}),
        {X: "anyone: blog", f"{X}/admin/x": "alice: blog", f"{X}/adminx": "anyone: blog"},
        {**dict.fromkeys(access(f"{X}/admin"), "create"), RULES: "update"},
    ),
    Step(
        blog({"/admin": for_("household"), "/admin/feed": for_("anyone")}),
        {X: "anyone: blog", f"{X}/admin": f"{HOME}: blog", f"{X}/admin/feed": "anyone: blog"},
    ),
    Step(blog({"/admin": for_("nobody")}), {X: "anyone: blog", f"{X}/admin/feed": "nobody"}),
    Step(blog({}), {f"{X}/admin": "anyone: blog"}),
    # The whole host: anyone, people, nobody, and back.
    Step(
        {"blog": html("blog", host=X, paths={"/admin": for_("admins")})},
        {X: f"{HOME}: blog", f"{X}/admin": "alice: blog"},
    ),
    Step(
        {"blog": html("blog", host=X, clients="nobody", paths={"/feed": for_("anyone")})},
        {X: "nobody", f"{X}/admin": "nobody", f"{X}/feed": "anyone: blog"},
    ),
    Step(blog({"/admin": for_("friends")}), {X: "anyone: blog", f"{X}/admin": "carol: blog"}),
]
HOSTS = [
    Step(
        {**of("a", X), **of("b", Y, people="friends"), **public("c", Z), **forwarded("g.example.com")},
        {X: f"{HOME}: a", Y: "carol: b", Z: "anyone: c", "router g.example.com:32565": "anyone: game"},
    ),
    # Two services swap theirs.
    Step(
        {**of("a", Y), **of("b", X, people="friends"), **public("c", Z), **forwarded("g.example.com")},
        {X: "carol: b", Y: f"{HOME}: a"},
        {
            **dict.fromkeys(access(X, Y), "replace"),
            RULES: "update",
            f"DnsRecord/{X}": "update",
            f"DnsRecord/{Y}": "update",
        },
    ),
    # One is added to a service, from another, whose people are others; that one takes a public one's.
    Step(
        {
            **of("a", Y, X),
            **of("b", Z, people="friends"),
            **public("c", "c.example.com"),
            **forwarded("g.example.com"),
        },
        {X: f"{HOME}: a", Y: f"{HOME}: a", Z: "carol: b", "c.example.com": "anyone: c"},
    ),
    # What was guarded is public, what was public guarded, and one is taken away.
    Step(
        {**of("a", "c.example.com"), **of("b", Y, people="friends"), **public("c", X, Z), **forwarded("g.example.com")},
        {X: "anyone: c", Y: "carol: b", Z: "anyone: c", "c.example.com": f"{HOME}: a"},
    ),
    # To the router, from a guarded and from a public one; the game's own goes behind login.
    Step(
        {**of("a", "g.example.com"), **of("b", "b.example.com"), **public("c", Z), **forwarded(X, Y)},
        {
            "g.example.com": f"{HOME}: a",
            X: "nobody",
            f"router {X}:32565": "anyone: game",
            f"router {Y}:32565": "anyone: game",
            "router g.example.com:32565": "nobody",
        },
    ),
    # And back from there.
    Step(
        {**of("a", X), **of("b", Z, people="friends"), **public("c", Y), **forwarded("g.example.com")},
        {X: f"{HOME}: a", Y: "anyone: c", Z: "carol: b", f"router {X}:32565": "nobody"},
    ),
]
SHARED = [
    Step(of("site", X), {X: f"{HOME}: site", f"{X}/b": f"{HOME}: site"}),
    # A path that becomes another service's, for the same people and for others.
    Step(
        {**of("site", X), "b": html("b", host=X, path="/b")},
        {X: f"{HOME}: site", f"{X}/b/c": f"{HOME}: b", f"{X}/bc": f"{HOME}: site"},
    ),
    Step(
        {**of("site", X), "b": html("b", host=X, path="/b", people="friends")},
        {X: f"{HOME}: site", f"{X}/b": "carol: b"},
    ),
    # Both at once, the other way round.
    Step(
        {**of("site", X, people="friends"), "b": html("b", host=X, path="/b")},
        {X: "carol: site", f"{X}/b": f"{HOME}: b"},
    ),
    # From service to service, and two that swap.
    Step(
        {
            **public("site", X),
            "b": html("b", host=X, path="/c"),
            "c": html("c", host=X, path="/b", people="friends"),
        },
        {X: "anyone: site", f"{X}/b": "carol: c", f"{X}/c": f"{HOME}: b"},
    ),
    Step(
        {**public("site", X), "b": html("b", host=X, path="/b"), "c": html("c", host=X, path="/c", people="friends")},
        {X: "anyone: site", f"{X}/b": f"{HOME}: b", f"{X}/c": "carol: c"},
        {**dict.fromkeys(access(f"{X}/b", f"{X}/c"), "replace"), RULES: "update"},
    ),
    # Back to a path of the host's own service; then the host itself is another's.
    Step(
        of("site", X, paths={"/b": for_("admins"), "/c": for_("anyone")}),
        {X: f"{HOME}: site", f"{X}/b": "alice: site", f"{X}/c": "anyone: site"},
    ),
    Step(
        {"site": html("site", host=X, path="/site"), "b": html("b", host=X, path="/b", people="friends")},
        {X: "nobody", f"{X}/site": f"{HOME}: site", f"{X}/b": "carol: b"},
    ),
]


def wiki(*gates: str, **fields: Any) -> dict[str, Any]:
    """One service at these gates."""
    return {"wiki": html("wiki", host=X, gates=list(gates), **fields)}


def photos(**fields: Any) -> dict[str, Any]:
    """The same, which is too much for a tunnel."""
    return {"wiki": at("wiki", MEDIA, **fields)}


def game(*gates: str, **fields: Any) -> dict[str, Any]:
    """The game at these gates."""
    return {"game": {**GAME, "host": X, "gates": list(gates), **fields}}


ALONE = {"clients": "nobody", "gate": "funnel"}
BY_TAILNET, PORT = "tailnet wiki-alfred:443", f"router {X}:32565"
WAYS = [
    Step({"wiki": html("wiki", host=X)}, {X: f"{HOME}: wiki", BY_TAILNET: "nobody"}),
    Step(wiki("zero-trust", "tailnet"), {X: f"{HOME}: wiki", BY_TAILNET: f"{HOME}: wiki"}),
    Step(
        {"wiki": html("wiki", gate="tailnet", people="friends")},
        {X: "nobody", BY_TAILNET: "carol: wiki"},
    ),
    Step(wiki("tailnet", "zero-trust", people="admins"), {X: "alice: wiki", BY_TAILNET: "alice: wiki"}),
    # Funnel, for anyone; then single paths of it alone; then the tailnet again.
    Step(photos(), {X: "nobody", "wiki-alfred/share": "anyone: wiki", BY_TAILNET: "alice bob carol: wiki"}),
    Step(
        photos(paths={"/share": for_("anyone")}, **ALONE),
        {"wiki-alfred/share/x": "anyone: wiki", "wiki-alfred/": "nobody"},
        {"Ingress/wiki-ingress": "update"},
    ),
    Step(
        photos(paths={"/pub": for_("anyone")}, **ALONE),
        {"wiki-alfred/pub": "anyone: wiki", "wiki-alfred/share": "nobody"},
    ),
    Step({"wiki": html("wiki", clients="tailnet")}, {"wiki-alfred/": "nobody", BY_TAILNET: f"{HOME}: wiki"}),
    # The router's ports, with and without the tailnet.
    Step(game("port-forward"), {PORT: "anyone: game", "tailnet game-alfred:25565": "nobody"}),
    Step(
        game("port-forward", "tailnet", people="admins"),
        {PORT: "anyone: game", "tailnet game-alfred:25565": "alice: game"},
    ),
    Step(
        {"game": {k: v for k, v in GAME.items() if k not in ("port_forward", "sensitivity")} | {"clients": "tailnet"}},
        {PORT: "nobody", "tailnet game-alfred:25565": f"{HOME}: game"},
    ),
    Step(game("tailnet", "port-forward"), {PORT: "anyone: game", "tailnet game-alfred:25565": f"{HOME}: game"}),
]


def people(*household: str) -> dict[str, Any]:
    """The estate, where these are the household."""
    return {"people": {**PEOPLE, "household": [f"{name}@example.com" for name in household]}}


def both(place: str = "wiki", **fields: Any) -> dict[str, Any]:
    """A service by two ways, and one with another origin."""
    return {"wiki": html(place, host=X, gates=["zero-trust", "tailnet"], **fields)}


SETS = [
    Step(both(), {X: f"{HOME}: wiki", BY_TAILNET: f"{HOME}: wiki"}),
    # Members come and go.
    Step(
        both(),
        {X: "alice bob carol: wiki", BY_TAILNET: "alice bob carol: wiki"},
        {"ZeroTrustAccessGroup/google-people-household": "update", "Acl/tailnet-policy": "update"},
        people("alice", "bob", "carol"),
    ),
    Step(both(), {X: "bob: wiki", BY_TAILNET: "bob: wiki"}, None, people("bob")),
    # One set, several, another.
    Step(both(people=["household", "friends"]), {X: "alice bob carol: wiki", BY_TAILNET: "alice bob carol: wiki"}),
    Step(both(people=["admins", "friends"]), {X: "alice carol: wiki", BY_TAILNET: "alice carol: wiki"}),
    Step(both(people="friends"), {X: "carol: wiki", BY_TAILNET: "carol: wiki"}),
    # By Access alone, people and origin in one go, and back.
    Step({"wiki": html("wiki", host=X, people="friends")}, {X: "carol: wiki"}),
    Step({"wiki": html("wiki2", host=X)}, {X: f"{HOME}: wiki2"}),
    Step({"wiki": html("wiki", host=X, people="friends")}, {X: "carol: wiki"}),
]


def certified(place: str, *hosts: str, **fields: Any) -> dict[str, Any]:
    """A service behind the node's controller, with a certificate of its own."""
    origin = {"namespace": place, "service": place, "port": 443, "scheme": "https", "through_ingress": "managed"}
    return {place: {**HTML, "origin": origin, "hosts": list(hosts), "own_certificate": True, **fields}, "acme": ACME}


BEHIND_A_CONTROLLER = [
    Step({**certified("a", X), **certified("b", Y, people="friends")}, {X: f"{HOME}: a", Y: "carol: b"}),
    # The tunnel's rules lead to the controller throughout.
    Step({**certified("a", Y), **certified("b", X, people="friends")}, {X: "carol: b", Y: f"{HOME}: a"}),
    Step({**certified("a", Y, X), **certified("b", Z, people="friends")}, {X: f"{HOME}: a", Z: "carol: b"}),
    # One leaves the controller with a host of the other's.
    Step({**certified("a", Y), **of("b", X, people="friends")}, {X: "carol: b", Y: f"{HOME}: a", Z: "nobody"}),
]
WILD = "*.example.com"
TWO_ZONES = {"other_zones": [{"name": "example.org"}]}
WILDCARDS_AND_ZONES = [
    Step({**of("a", X), **public("c", Z)}, {X: f"{HOME}: a", Z: "anyone: c", Y: "nobody"}),
    # Over what is there, for anyone; then guarded, where the names below have other people, the same, their own.
    Step(
        {**of("a", X), **public("c", Z), **public("wild", WILD)},
        {X: f"{HOME}: a", Z: "anyone: c", Y: "anyone: wild", "deep.y.example.com": "anyone: wild"},
    ),
    Step(
        {**of("a", X, people="friends"), **of("wild", WILD)},
        {X: "carol: a", Y: f"{HOME}: wild", Z: f"{HOME}: wild", "deep.y.example.com": f"{HOME}: wild"},
    ),
    Step(
        {**of("a", X), **of("wild", WILD, people="friends")},
        {X: f"{HOME}: a", Y: "carol: wild"},
    ),
    Step({**of("a", X, Y), **of("wild", WILD)}, {X: f"{HOME}: a", Y: f"{HOME}: a", Z: f"{HOME}: wild"}),
    Step(of("wild", WILD, people="friends"), {X: "carol: wild", Y: "carol: wild"}),
    Step({**of("a", X), **public("c", Z)}, {X: f"{HOME}: a", Z: "anyone: c", Y: "nobody"}),
    # One more zone, and hosts that go over to it.
    Step(
        {**of("a", X), **public("c", Z, "z.example.org")},
        {X: f"{HOME}: a", "z.example.org": "anyone: c"},
        None,
        TWO_ZONES,
    ),
    Step(
        {**of("a", "z.example.org"), **public("c", "c.example.org", X)},
        {X: "anyone: c", "z.example.org": f"{HOME}: a", Z: "nobody"},
        None,
        TWO_ZONES,
    ),
]
FROM, BOTH_FROM = ({"clients": "anyone", "ips": ips} for ips in ([GITHUB], [GITHUB, STRIPE]))
FROM_ADDRESSES = [
    Step(grafana({"/hooks": for_("friends")}), {f"{X}/hooks": "carol: grafana"}),
    # From people to some addresses, and one more of these.
    Step(grafana({"/hooks": FROM}), {X: f"{HOME}: grafana", f"{X}/hooks/x": "github: grafana"}),
    Step(
        grafana({"/hooks": BOTH_FROM}),
        {f"{X}/hooks": "github stripe: grafana"},
        {f"ZeroTrustAccessGroup/{X}/hooks-addresses": "update"},
    ),
    # Anyone, and back; the host's people and its login change with it.
    Step(grafana({"/hooks": for_("anyone")}), {f"{X}/hooks": "anyone: grafana"}),
    Step(grafana({"/hooks": FROM}, people="friends"), {X: "carol: grafana", f"{X}/hooks": "github: grafana"}),
    Step(grafana({"/hooks": for_("admins")}), {X: f"{HOME}: grafana", f"{X}/hooks": "alice: grafana"}),
    Step(grafana({"/hooks": FROM}, clients="nobody"), {X: "nobody", f"{X}/hooks": "github: grafana"}),
    # The host goes to another service, and is public in between.
    Step({"wiki": html("wiki", host=X, paths={"/hooks": FROM})}, {X: f"{HOME}: wiki", f"{X}/hooks": "github: wiki"}),
    Step(blog({"/hooks": for_("admins")}), {X: "anyone: blog", f"{X}/hooks": "alice: blog"}),
    Step(grafana({"/hooks": FROM}), {X: f"{HOME}: grafana", f"{X}/hooks": "github: grafana"}),
    # For the host's own people: the application goes last.
    Step(grafana({}), {X: f"{HOME}: grafana", f"{X}/hooks": f"{HOME}: grafana"}),
]
WALKS = {
    "paths-from-addresses": FROM_ADDRESSES,
    "paths-behind-login": PATHS_BEHIND_LOGIN,
    "paths-of-a-public-host": PATHS_OF_A_PUBLIC_HOST,
    "hosts": HOSTS,
    "paths-between-services": SHARED,
    "ways": WAYS,
    "sets-of-people": SETS,
    "hosts-behind-a-controller": BEHIND_A_CONTROLLER,
    "wildcards-and-zones": WILDCARDS_AND_ZONES,
}


def move(project: Project, step: Step) -> list[str]:
    """Brings a step up; gives what was wider, call by call. It ends as the step says, and changed what it says."""
    since = len(project.history())
    small(project, {**ALWAYS, **step.services}, estate={**ESTATE, "people": PEOPLE, **step.estate})
    run = project.ok("up")
    assert not [name for name, op in run.steps.items() if op == "replace" and name.startswith(NEVER)]
    view = View(project.objects())
    assert {place: shown(view, place) for place in step.ends} == step.ends
    if step.changes is not None:
        assert run.steps == step.changes
    return wider(project, since)


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
def test_no_call_of_a_move_lets_anybody_further_in_than_before_and_after(project: Project, walk: list[Step]) -> None:
    for step in walk:
        assert move(project, step) == [], step
    quiet(project.ok("preview", "--refresh"))
    assert not orphans(project, "alfred")
    assert not doubles(project.objects())


def test_what_the_engine_cannot_order_lets_somebody_further_in_until_the_up_is_through(project: Project) -> None:
    """A group and the tailnet's policy are changed in place before what waits for them; what is deleted is so last."""

    def further(*steps: Step) -> set[str]:
        return {text.partition("): ")[2].partition(":")[0] for step in steps for text in move(project, step)}

    pair = {**certified("a", Y), **certified("b", Z, people="friends")}
    assert further(Step({**both(), **pair}, {X: f"{HOME}: wiki"})) == set()
    # A set gets one more, and its service another origin: the new one meets the old.
    origin = Step({**both("wiki2"), **pair}, {X: "alice bob carol: wiki2"}, None, people("alice", "bob", "carol"))
    assert further(origin) == {"carol@example.com reaches alfred wiki/wiki"}
    assert further(Step({**both("wiki2"), **pair}, {X: f"{HOME}: wiki2"})) == set()
    # A set gets one more, and its service other people.
    other = Step({**both("wiki2", people="admins"), **pair}, {X: "alice: wiki2"}, None, people("bob", "carol"))
    assert further(other) == {"carol@example.com reaches alfred wiki2/wiki2"}
    # On the tailnet: a service gets other people and another origin.
    tailnet = Step({"wiki": html("wiki", gate="tailnet", people="friends"), **pair}, {BY_TAILNET: "carol: wiki"})
    assert further(tailnet) == {"carol@example.com reaches alfred wiki2/wiki2"}
    # A service goes whose Ingress has a host that another's has from now on.
    taken = Step(certified("b", Y, Z, people="friends"), {Y: "carol: b"})
    assert further(taken) == {"carol@example.com reaches alfred a/a"}


def test_a_node_port_goes_to_another_service_in_two_ups_and_not_in_one(project: Project) -> None:
    small(project, {**forwarded(X), "films": ALWAYS["films"]})
    project.ok("up")
    other = {"other": at("other", GAME, host=X), "films": ALWAYS["films"]}
    small(project, other)
    refused = project.run("up")
    assert refused.code == 1
    assert "Another Service of the cluster has the NodePort of Service/other-nodeport" in " ".join(refused.err.split())
    small(project, {"films": ALWAYS["films"]})
    project.ok("up")
    small(project, other)
    project.ok("up")
    assert shown(View(project.objects()), PORT) == "anyone: other"


def test_the_judge_sees_whoever_gets_further_in_for_a_moment(project: Project) -> None:
    """Without this a judge that sees nothing would be content with everything."""
    small(project, {**both(), **forwarded("game.example.com"), "films": ALWAYS["films"]})
    project.ok("up")
    before = project.objects()

    def seen(prefix: str, now: Mapping[str, Any], **properties: Any) -> set[str]:
        """Who reaches what further in while an object is otherwise, and then as it was again."""
        key = tamper.find(project.clouds, prefix, **properties)
        since = len(project.history())
        tamper.change(project.clouds, key, **now)
        tamper.change(project.clouds, key, **{name: before[key]["body"].get(name) for name in now})
        found = wider(project, since)
        assert all(f"after call {project.history()[since][0]['n']} (tamper by hand): " in text for text in found)
        return {text.partition("): ")[2].partition(":")[0] for text in found}

    def changed(prefix: str, name: str, old: str, new: str, **properties: Any) -> dict[str, Any]:
        text = json.dumps(before[tamper.find(project.clouds, prefix, **properties)]["body"][name])
        assert old in text
        return {name: json.loads(text.replace(old, new))}

    group = changed("cloudflare/access-group/", "includes", "bob@", "mallory@")
    assert seen("cloudflare/access-group/", group) == {"mallory@example.com reaches alfred wiki/wiki"}
    # Of two locks one alone lets nobody by.
    unchecked = changed("cloudflare/tunnel-config/", "config", '"required": true', '"required": false')
    assert seen("cloudflare/tunnel-config/", unchecked) == set()
    bypass = tamper.find(project.clouds, "cloudflare/access-policy/", decision="bypass").rpartition("/")[2]
    opened = {"policies": [{"id": bypass, "precedence": 1}]}
    assert seen("cloudflare/access-app/", opened) == set()
    tamper.change(project.clouds, tamper.find(project.clouds, "cloudflare/tunnel-config/"), **unchecked)
    assert "a stranger reaches alfred wiki/wiki" in seen("cloudflare/access-app/", opened)
    led = changed("cloudflare/tunnel-config/", "config", "wiki.wiki", "other.other")
    assert "alice@example.com reaches alfred other/other" in seen("cloudflare/tunnel-config/", led)
    policy = {"acl": before["tailscale/policy"]["body"]["acl"].replace("group:household", "autogroup:member")}
    assert seen("tailscale/policy", policy) == {"a member of the tailnet who is in no set reaches alfred wiki/wiki"}
    ingress = "kubernetes/alfred/networking.k8s.io/v1/Ingress/wiki/"
    funnel = changed(ingress, "metadata", "tag:wiki-alfred", 'tag:k8s-funnel", "tailscale.com/funnel": "true')
    assert "a stranger reaches alfred wiki/wiki" in seen(ingress, funnel)
    pods = changed("kubernetes/alfred/v1/Service/game/", "spec", '"app": "game"', '"app": "bank"')
    assert "a stranger reaches alfred game/{app=bank}" in seen("kubernetes/alfred/v1/Service/game/", pods)
