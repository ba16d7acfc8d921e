"""What is folded from all ways: who asks for a path gets in where the narrowest claim of its host says so, not else.

Against a reading of its own: Access by the most specific application, cloudflared's rules by its public source.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.services import AccessSettings
from config.values import Host, OriginUrl, Path
from exposure import estate
from exposure.audience import ANYONE, NOBODY, Audience, people
from exposure.model import Redirect
from exposure.ways.way import DEFAULT_ACCESS, DEFAULT_SETTINGS, Claim
from tests.kit import cloudflared
from tests.kit.builders import ESTATE, HTML, OPEN_HTML, plan_of

FAMILY, ADMINS, BOTH = people(["family"]), people(["admins"]), people(["family", "admins"])
_HOSTS = ["example.com", "a.example.com", "b.example.com", "*.example.com"]
_PATHS = ["/", "/api", "/api/v1", "/api/v1/admin", "/apis", "/admin"]
_AUDIENCES = [NOBODY, FAMILY, ADMINS, BOTH, ANYONE]
_SETTINGS = [AccessSettings(skip_interstitial=True), AccessSettings(same_site_cookie_attribute="none")]


def _claim(host: str, path: str, audience: Audience, number: int, access: AccessSettings = DEFAULT_ACCESS) -> Claim:
    parsed = Path.parse(path)
    return Claim(
        Host.parse(host),
        parsed,
        audience,
        f"s{number}",
        f"S{number}",
        "http_status:404" if audience == NOBODY else OriginUrl.parse(f"http://o{number}:80"),
        DEFAULT_SETTINGS,
        parsed.expression if audience == ANYONE else parsed.guarded,
        access=DEFAULT_ACCESS if audience in (ANYONE, NOBODY) else access,
    )


@st.composite
def _claims(draw: st.DrawFn) -> list[Claim]:
    """Claims, no two of one path; a wildcard has the whole host, and where it is guarded so is what is below."""
    places = draw(st.lists(st.tuples(st.sampled_from(_HOSTS), st.sampled_from(_PATHS)), min_size=1, unique=True))
    places = [(h, p) for h, p in places if p == "/" or "*" not in h]
    audiences = [draw(st.sampled_from(_AUDIENCES)) for _ in places]
    guarded = any("*" in h and a != ANYONE for (h, _), a in zip(places, audiences, strict=True))
    settings = [draw(st.sampled_from([DEFAULT_ACCESS, *_SETTINGS])) for _ in places]
    found = [_claim(*place, a, n, s) for n, (place, a, s) in enumerate(zip(places, audiences, settings, strict=True))]
    below = {h for h, _ in places if h.endswith(".example.com")}
    # Refused by `check`: an open host or path below a wildcard that asks for a login.
    return [c for c in found if not (guarded and c.audience == ANYONE and c.host in below)]


@dataclass(frozen=True)
class Person:
    sets: frozenset[str]
    logs_in: bool = True

    def is_in(self, audience: Audience) -> bool:
        return audience.anyone or bool(self.sets & audience.people)


STRANGER = Person(frozenset(), logs_in=False)
WHO = [STRANGER, Person(frozenset()), Person(frozenset({"family"})), Person(frozenset({"admins"}))]


def _meant(claims: list[Claim], host: str, path: str) -> Claim | None:
    """The narrowest claim: the host's own before the wildcard's, then the longest path that covers the request."""
    for candidates in (
        [c for c in claims if c.host == host],
        [c for c in claims if c.host == "*.example.com" and host.endswith(".example.com")],
    ):
        covering = [c for c in candidates if c.path == "/" or path == c.path or path.startswith(f"{c.path}/")]
        if covering:
            return max(covering, key=lambda c: len(c.path) if c.path != "/" else 0)
        if candidates:
            # A name with a record of its own is nothing of the wildcard's for DNS; the tunnel's rule still takes it.
            continue
    return None


def _gets_to(claims: list[Claim], who: Person, host: str, path: str) -> str | None:
    """The origin that answers who asks, None where nobody does: Access first, then cloudflared with its JWT check."""
    applications = estate.applications(claims)
    best = None
    for application in applications:
        named, slash, rest = application.name.partition("/")
        exact = named == host
        wild = named.startswith("*.") and host.partition(".")[2] == named[2:]
        below = not slash or path == f"/{rest}" or path.startswith(f"/{rest}/")
        if (exact or wild) and below and (best is None or (exact, len(rest)) > best[0]):
            best = ((exact, len(rest)), application)
    jwt = None
    if best is not None:
        audience = best[1].audience
        if not audience.anyone:
            if not who.logs_in or not who.is_in(audience):
                return None
            jwt = best[1].name
    rules = estate.rules(claims)
    sent = [{"hostname": r.host, "path": r.path, "service": r.origin} for r in rules]
    sent = [{k: v for k, v in rule.items() if v is not None} for rule in sent]
    rule = rules[cloudflared.first_match(sent, host, path)]
    if rule.applications and jwt not in rule.applications:
        return None
    return None if rule.origin.startswith("http_status") else rule.origin


_ASKED_HOSTS = st.sampled_from(["example.com", "a.example.com", "b.example.com", "c.example.com", "x.c.example.com"])
_ASKED = st.sampled_from([*_PATHS, "/api/", "/api/v1/x", "/api/v1/admin/x", "/apiv", "/admin/x", "/other"])


@given(_claims(), st.sampled_from(WHO), _ASKED_HOSTS, _ASKED)
def test_everybody_gets_where_the_narrowest_claim_lets_them_and_nowhere_else(
    claims: list[Claim], who: Person, host: str, path: str
) -> None:
    meant = _meant(claims, host, path)
    deep = host.count(".") > 2
    found = _gets_to(claims, who, host, path)
    if meant is None or not who.is_in(meant.audience) or meant.audience == NOBODY:
        assert found is None
    elif deep and meant.host.wildcard and meant.audience != ANYONE:
        # Access's wildcard is one label deep and a tunnel's any: what lies deeper stays shut.
        assert found is None
    else:
        assert found == meant.origin


@given(_claims())
def test_an_application_is_made_where_the_audience_changes_and_nowhere_else(claims: list[Claim]) -> None:
    places = [a.name for a in estate.applications(claims)]
    assert len(places) == len(set(places))
    for claim in claims:
        uri = f"{claim.host}{'' if claim.path == '/' else claim.path}"
        if claim.audience == ANYONE and not any(a.host == claim.host and a.audience != ANYONE for a in claims):
            assert uri not in places, "nothing above it asks for a login"
        if claim.path == "/" and claim.audience != ANYONE and not claim.host.endswith(".example.com"):
            assert uri in places


@given(_claims(), st.randoms(use_true_random=False))
def test_the_folds_do_not_depend_on_the_order_of_services(claims: list[Claim], random: object) -> None:
    turned = list(reversed(claims))
    assert estate.rules(turned) == estate.rules(claims)
    assert set(estate.applications(turned)) == set(estate.applications(claims))


@given(_claims())
def test_no_rule_takes_a_login_of_other_people(claims: list[Claim]) -> None:
    by_name = {a.name: a.audience for a in estate.applications(claims)}
    for rule in estate.rules(claims):
        claim = next((c for c in claims if (c.host, c.expression) == (rule.host, rule.path)), None)
        for name in rule.applications:
            assert claim is not None
            # One that lets anyone by gives no JWT.
            assert by_name[name] in (claim.audience, ANYONE)


# On stack files.


def test_three_audiences_nest_and_each_has_an_application_and_a_rule_of_its_own() -> None:
    paths = {"/api": {"clients": "anyone"}, "/api/admin": {"people": "admins"}}
    plan = plan_of({"web": {**HTML, "paths": paths}})
    host = "web-alfred.example.com"
    assert {(a.name, str(a.audience)) for a in plan.applications} == {
        (host, "household"),
        (f"{host}/api", "anyone"),
        (f"{host}/api/admin", "admins"),
    }
    assert [(r.path, r.applications) for r in plan.rules] == [
        (estate.CLOSING, ()),
        ("(?i)^/api/admin([/;]|$)", (f"{host}/api/admin",)),
        ("^/api(/|$)", ()),
        (None, (host, f"{host}/api")),
        (None, ()),
    ]


def test_two_services_share_a_host_by_path_and_its_record_is_of_the_one_with_the_whole() -> None:
    matrix = {"origin": {"namespace": "matrix", "service": "synapse", "port": 8008}, "traffic": "html"}
    shared = {"host": "example.com"}
    plan = plan_of(
        {
            "blog": {**OPEN_HTML, **shared},
            "a-matrix": {**matrix, **shared, "path": "/_matrix", "sensitivity": "low", "clients": "anyone"},
            "console": {**matrix, **shared, "path": "/admin"},
        }
    )
    assert [(r.path, r.service) for r in plan.rules[:-1]] == [
        (estate.CLOSING, None),
        ("^/_matrix(/|$)", "a-matrix"),
        ("(?i)^/admin([/;]|$)", "console"),
        (None, "blog"),
    ]
    assert [(a.name, str(a.audience)) for a in plan.applications] == [("example.com/admin", "household")]
    assert [(r.host, r.service) for r in plan.records] == [("example.com", "blog")]


def test_a_host_that_is_for_nobody_answers_404_and_its_open_path_alone_is_open() -> None:
    plan = plan_of({"hooks": {**HTML, "clients": "nobody", "paths": {"/hook": {"clients": "anyone"}}}})
    assert [(r.path, r.origin, r.applications) for r in plan.rules[1:3]] == [
        ("^/hook(/|$)", "http://web.web.svc.cluster.local:8080", ()),
        (None, "http_status:404", ()),
    ]
    assert [str(a.audience) for a in plan.applications] == ["nobody", "anyone"]
    assert plan.nobody
    assert not plan_of({"web": HTML}).nobody


def test_several_hosts_of_a_service_have_an_application_a_rule_and_a_record_each() -> None:
    plan = plan_of({"web": {**HTML, "hosts": ["example.com", "www.example.com"]}})
    # Cloudflare takes one application a destination, so that none has two: hosts come and go by themselves.
    assert [a.name for a in plan.applications] == ["example.com", "www.example.com"]
    assert [r.applications for r in plan.rules] == [("example.com",), ("www.example.com",), ()]
    assert [r.host for r in plan.rules] == ["example.com", "www.example.com", None]
    assert [r.host for r in plan.records] == ["example.com", "www.example.com"]


def test_a_host_that_redirects_is_for_nobody_and_leads_to_the_first_host_of_its_service() -> None:
    zones = {**ESTATE, "other_zones": [{"name": "example.org"}]}
    names = {"redirect_from": ["www.example.org", "www.example.com"], "path": "/app"}
    services = {"web": {**OPEN_HTML, "hosts": ["example.com", "blog.example.com"], **names}, "wiki": HTML}
    plan = plan_of(services, estate=zones)
    assert plan.redirects == (
        Redirect("example.com", Host("www.example.com"), Host("example.com")),
        Redirect("example.org", Host("www.example.org"), Host("example.com")),
    )
    # Without the redirect nothing is there: 404 at the tunnel for every path, and denied by Access.
    redirecting = [(r.host, r.path, r.origin) for r in plan.rules if (r.host or "").startswith("www.")]
    assert redirecting == [(f"www.example.{top}", None, "http_status:404") for top in ("com", "org")]
    assert {str(a.audience) for a in plan.applications if a.host.startswith("www.")} == {"nobody"}
    assert {(r.host, r.zone) for r in plan.records} >= {("www.example.org", "example.org")}
    assert plan.nobody
    assert plan.service("web").audience == ANYONE
    # Who has none has none of it.
    assert plan_of({"wiki": HTML}).redirects == ()


def test_a_wildcard_does_not_serve_a_name_that_redirects() -> None:
    every = {**OPEN_HTML, "hosts": ["example.com", "*.example.com"], "redirect_from": ["www.example.com"]}
    plan = plan_of({"all": every})
    assert [(r.host, r.origin.split("//")[-1][:15]) for r in plan.rules[:-1]] == [
        ("example.com", "web.web.svc.clu"),
        ("www.example.com", "http_status:404"),
        ("*.example.com", "web.web.svc.clu"),
    ]


def test_several_sets_of_people_log_in_by_one_policy_with_everybody_in_it_once() -> None:
    plan = plan_of({"web": {**HTML, "people": ["household", "admins"]}, "wiki": HTML})
    found = {p.name: p.emails for p in plan.people}
    assert found == {
        "admins+household": ("alice@example.com", "bob@example.com"),
        "household": ("alice@example.com", "bob@example.com"),
    }


def test_a_host_belongs_to_the_longest_zone_that_it_ends_in() -> None:
    zones = {**ESTATE, "other_zones": [{"name": "example.net"}, {"name": "home.example.com"}]}
    hosts = ["www.example.net", "a.home.example.com", "b.example.com"]
    plan = plan_of({"web": {**OPEN_HTML, "hosts": hosts}}, estate=zones)
    assert {(r.host, r.zone) for r in plan.records} == {
        ("www.example.net", "example.net"),
        ("a.home.example.com", "home.example.com"),
        ("b.example.com", "example.com"),
    }


def test_hosts_below_a_wildcard_stay_their_services() -> None:
    plan = plan_of({"all": {**OPEN_HTML, "host": "*.example.com"}, "vault": {**HTML, "host": "vault.example.com"}})
    assert [(r.host, r.service) for r in plan.rules[:-1]] == [("vault.example.com", "vault"), ("*.example.com", "all")]
    assert [a.name for a in plan.applications] == ["vault.example.com"]


@pytest.mark.parametrize("audience", _AUDIENCES)
def test_who_shares_the_audience_of_what_is_above_needs_no_application(audience: Audience) -> None:
    claims = [_claim("example.com", "/", audience, 1), _claim("example.com", "/part", audience, 2)]
    assert len(estate.applications(claims)) == (audience != ANYONE)
    _, part, whole, _ = estate.rules(claims)
    assert part.applications == whole.applications


def test_what_shares_a_host_has_an_application_of_its_own_where_its_settings_are_others() -> None:
    lax, other = DEFAULT_ACCESS, AccessSettings(skip_interstitial=True)
    for below, names in ((lax, ["example.com"]), (other, ["example.com", "example.com/api"])):
        claims = [_claim("example.com", "/", FAMILY, 1, lax), _claim("example.com", "/api", FAMILY, 2, below)]
        found = {a.name: a.settings for a in estate.applications(claims)}
        assert found == dict(zip(names, (lax, below), strict=False))
