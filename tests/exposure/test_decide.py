"""Which gate a service gets: the table of the options chosen for each service, and everything between its rows."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest

from config.loader import load_project
from config.services import GATES, Gate, Service
from exposure.decide import chosen, decide, objections
from exposure.names import scheme_of
from tests.kit.builders import PROJECT, service

CLOUDFLARE = ("public-tunnel", "zero-trust")
OPEN_TO_ANYONE = ("public-tunnel", "funnel", "port-forward")

# The owner's own table ("Options chosen" of the post on remote access that the first stack comes from): which service
# goes through which gate, and a word of the cause that the reason has to name.
CHOSEN: dict[str, tuple[Gate, str]] = {
    "acme-renewals": ("acme", "port 80"),
    "influxdb": ("public-tunnel", "not sensitive"),
    "grafana": ("zero-trust", "sensitive HTML"),
    "unifi": ("zero-trust", "sensitive HTML"),
    "code-server": ("zero-trust", "sensitive HTML"),
    "kubernetes-dashboard": ("zero-trust", "sensitive HTML"),
    "firefly-iii": ("zero-trust", "sensitive HTML"),
    "homebox": ("zero-trust", "sensitive HTML"),
    "audiobookshelf": ("funnel", "high bandwidth"),
    "komga": ("funnel", "high bandwidth"),
    "navidrome": ("funnel", "high bandwidth"),
    "plex": ("funnel", "high bandwidth"),
    # Reached over the tailnet as it is ("the tailnet IP address is reachable").
    "ssh": ("tailnet", "devices of the tailnet"),
    "minecraft": ("port-forward", "not HTTP"),
}


def _shipped() -> dict[str, Service]:
    config = load_project(PROJECT)["alfred"].config
    assert config
    return config.services


def test_the_shipped_stack_has_every_service_of_the_table_and_no_other() -> None:
    assert set(_shipped()) == set(CHOSEN)


@pytest.mark.parametrize("name", CHOSEN)
def test_each_service_of_the_table_gets_its_gate_from_its_facts_and_the_reason_names_the_cause(name: str) -> None:
    said = _shipped()[name]
    assert said.gate is None, "the facts decide, not a wish"
    gate, cause = CHOSEN[name]
    decision = decide(said)
    assert decision.gate == gate
    assert cause in decision.reason
    assert objections(said) == []


def test_funnel_comes_with_a_word_on_its_undisclosed_bandwidth_limit() -> None:
    # https://tailscale.com/kb/1223/funnel: "non-configurable bandwidth limits".
    (caution, *_) = decide(_shipped()["plex"]).cautions
    assert "bandwidth" in caution
    assert "not disclosed" in caution
    assert decide(_shipped()["grafana"]).cautions == ()


def test_a_forwarded_port_comes_with_a_word_on_what_stands_in_front_of_it() -> None:
    assert "nothing in front of it" in decide(_shipped()["minecraft"]).cautions[0]


# Everything between the rows.

_ORIGINS: dict[str, dict[str, Any]] = {
    **{
        f"service-{s}": {"namespace": "n", "service": "s", "port": 80, "scheme": s}
        for s in ("http", "https", "tcp", "udp")
    },
    **{f"node-{s}": {"on_node": True, "port": 80, "scheme": s} for s in ("http", "tcp", "udp")},
    **{f"url-{s}": {"url": f"{s}://192.168.0.9:80"} for s in ("http", "HTTPS", "tcp")},
}
FACTS = [
    service(origin=origin, traffic=traffic, bandwidth=bandwidth, sensitivity=sensitivity, clients=clients)
    for origin, traffic, bandwidth, sensitivity, clients in product(
        _ORIGINS.values(),
        ("html", "non-html", "acme-http-01"),
        ("low", "high"),
        ("low", "high"),
        ("anyone", "people", "tailnet"),
    )
]
WISHES = [said.model_copy(update={"gate": gate}) for said in FACTS for gate in get_args(Gate)]


def _web(said: Service) -> bool:
    return scheme_of(said) in ("http", "https")


def _sensitive_page(said: Service) -> bool:
    return said.traffic == "html" and said.sensitivity == "high"


def _against(said: Service) -> dict[str, bool]:
    """Rules that object, and whether the owner may take the risk."""
    return {objection.rule: objection.acceptable for objection in objections(said)}


def test_every_combination_of_facts_has_a_gate_and_a_reason() -> None:
    assert len(FACTS) == 10 * 36
    for said in FACTS:
        decision = decide(said)
        assert decision.gate in GATES
        assert len(decision.reason) > 20
        assert decision == decide(said)


def test_challenges_go_by_the_acme_gate_and_nothing_else_does() -> None:
    for said in FACTS:
        assert (decide(said).gate == "acme") == (said.traffic == "acme-http-01")


def test_nothing_of_high_bandwidth_and_nothing_but_html_goes_through_cloudflare() -> None:
    # The post: traffic must be HTML or low-bandwidth; Cloudflare's terms on serving video and other large files:
    # developers.cloudflare.com/fundamentals/reference/policies-compliances/delivering-videos-with-cloudflare/
    for said in FACTS:
        if decide(said).gate in CLOUDFLARE:
            assert said.traffic == "html"
            assert said.bandwidth == "low"
            assert _web(said)


def test_sensitive_html_is_never_decided_onto_a_gate_without_a_login_but_where_it_contradicts_itself() -> None:
    for said in FACTS:
        if _sensitive_page(said) and decide(said).gate in OPEN_TO_ANYONE:
            assert "sensitive-for-anyone" in _against(said)
            assert said.clients == "anyone"


def test_sensitive_html_that_cloudflare_carries_is_always_behind_access() -> None:
    for said in FACTS:
        if _sensitive_page(said) and said.bandwidth == "low" and _web(said) and said.clients != "tailnet":
            assert decide(said).gate == "zero-trust"


def test_what_only_the_tailnet_uses_stays_off_the_internet() -> None:
    for said in FACTS:
        if said.clients == "tailnet" and said.traffic != "acme-http-01":
            assert decide(said).gate == "tailnet"


def test_strangers_are_never_sent_to_the_tailnet() -> None:
    for said in FACTS:
        if said.clients == "anyone":
            assert decide(said).gate != "tailnet"


def test_what_is_not_http_is_never_decided_onto_a_gate_that_carries_http() -> None:
    for said in FACTS:
        if not _web(said) and said.traffic != "acme-http-01":
            assert decide(said).gate in ("tailnet", "port-forward")


def test_http_is_never_decided_onto_a_forwarded_port() -> None:
    for said in FACTS:
        if _web(said):
            assert decide(said).gate != "port-forward"


def test_the_gate_decided_stands_unless_the_facts_contradict_each_other() -> None:
    for said in FACTS:
        rules = set(_against(said))
        if said.sensitivity == "low" or said.clients == "tailnet":
            assert rules == set(), said
        else:
            assert rules <= {"sensitive-for-anyone", "sensitive-without-access", "sensitive-on-funnel"}


# A gate that is asked for.


def test_a_gate_that_is_asked_for_is_the_gate_in_force_and_the_reason_says_what_the_facts_alone_give() -> None:
    for said in WISHES:
        decided, taken = decide(said), chosen(said)
        assert taken.gate == said.gate
        if said.gate == decided.gate:
            assert taken == decided
        else:
            assert f"the facts alone give {decided.gate}" in taken.reason
            assert "asked for" in taken.reason


def test_every_objection_says_what_why_and_how_to_mend_it() -> None:
    for said in WISHES:
        for objection in objections(said):
            assert objection.field in Service.model_fields
            assert len(objection.reason) > 20
            assert len(objection.mend) > 10
            if objection.acceptable:
                assert f"acknowledge `{objection.rule}`" in objection.mend


def test_no_objection_is_made_twice() -> None:
    for said in WISHES:
        rules = [objection.rule for objection in objections(said)]
        assert len(rules) == len(set(rules)), said


# (what is asked for, of which service) -> the objection, and whether the owner may take the risk knowingly. The cases
# are the refusals that the post and the providers' documents give, not the code's branches.
REFUSED: dict[str, tuple[dict[str, Any], str, bool]] = {
    "sensitive page, public tunnel": ({"gate": "public-tunnel"}, "sensitive-without-access", False),
    "sensitive page, funnel": ({"gate": "funnel"}, "sensitive-without-access", False),
    "sensitive page, port-forward": ({"gate": "port-forward"}, "sensitive-without-access", False),
    "media, public tunnel": (
        {"gate": "public-tunnel", "traffic": "non-html", "sensitivity": "low", "clients": "anyone"},
        "media-through-tunnel",
        True,
    ),
    "media, zero-trust": ({"gate": "zero-trust", "traffic": "non-html"}, "media-through-tunnel", True),
    "high bandwidth, zero-trust": ({"gate": "zero-trust", "bandwidth": "high"}, "media-through-tunnel", True),
    "tcp, zero-trust": (
        {"gate": "zero-trust", "traffic": "non-html", "origin": _ORIGINS["service-tcp"]},
        "gate-not-http",
        False,
    ),
    "udp, funnel": (
        {"gate": "funnel", "traffic": "non-html", "origin": _ORIGINS["service-udp"]},
        "gate-not-http",
        False,
    ),
    "sensitive files, funnel": ({"gate": "funnel", "traffic": "non-html"}, "sensitive-on-funnel", True),
    "http, port-forward": (
        {"gate": "port-forward", "sensitivity": "low", "clients": "anyone"},
        "http-by-port-forward",
        True,
    ),
    "for anyone, tailnet": (
        {"gate": "tailnet", "sensitivity": "low", "clients": "anyone"},
        "tailnet-for-anyone",
        False,
    ),
    "for the tailnet, funnel": (
        {"gate": "funnel", "traffic": "non-html", "sensitivity": "low", "clients": "tailnet"},
        "wider-than-meant",
        False,
    ),
    "for people, public tunnel": ({"gate": "public-tunnel", "sensitivity": "low"}, "wider-than-meant", False),
    "ssh for people, port-forward": (
        {"gate": "port-forward", "traffic": "non-html", "origin": _ORIGINS["node-tcp"]},
        "wider-than-meant",
        False,
    ),
    "challenges, elsewhere": ({"gate": "public-tunnel", "traffic": "acme-http-01"}, "gate-acme", False),
    "a page, acme": ({"gate": "acme"}, "gate-acme", False),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_unfit_gate_is_objected_to(case: str) -> None:
    facts, rule, acceptable = REFUSED[case]
    assert _against(service(**facts))[rule] is acceptable


@pytest.mark.parametrize("case", REFUSED)
def test_the_same_service_without_the_wish_is_not_refused_for_that(case: str) -> None:
    # The control of the test above.
    facts, rule, _ = REFUSED[case]
    assert rule not in _against(service(**{k: v for k, v in facts.items() if k != "gate"}))


def test_no_wish_puts_a_sensitive_page_in_front_of_strangers() -> None:
    for said in WISHES:
        if _sensitive_page(said) and said.gate in OPEN_TO_ANYONE:
            assert False in _against(said).values(), said


def test_no_wish_lets_strangers_in_where_named_people_or_the_tailnet_are_meant() -> None:
    # Funnel for low sensitivity is the one the facts themselves may give: media for people without Tailscale.
    for said in WISHES:
        if said.traffic == "acme-http-01" or said.gate not in OPEN_TO_ANYONE:
            continue
        if said.clients == "tailnet" or (said.clients == "people" and said.gate != "funnel"):
            assert False in _against(said).values(), said
        if said.clients == "people" and said.gate == "funnel" and said.sensitivity == "high":
            assert _against(said), said


def test_no_wish_carries_media_through_cloudflare_unless_the_risk_is_named() -> None:
    for said in WISHES:
        if said.gate in CLOUDFLARE and (said.traffic == "non-html" or said.bandwidth == "high"):
            assert _against(said), said


def test_an_accepted_risk_stands_in_the_reason_in_the_owners_words() -> None:
    said = service(
        gate="funnel", traffic="non-html", acknowledge={"sensitive-on-funnel": "It asks for its own password"}
    )
    assert "sensitive-on-funnel: It asks for its own password" in chosen(said).reason


@pytest.mark.parametrize("gate", ["funnel", "port-forward"])
def test_a_gate_that_is_asked_for_comes_with_the_same_cautions(gate: Gate) -> None:
    decided = next(decide(said) for said in FACTS if decide(said).gate == gate)
    wished = next(said for said in WISHES if said.gate == gate and decide(said).gate != gate)
    assert chosen(wished).cautions == decided.cautions
    assert chosen(wished).cautions
