"""Who may, and what answers: two kinds of values that can be compared."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.services import Node
from exposure.audience import ANYONE, NOBODY, Audience, people
from exposure.workload import Workload, controller, through, workloads
from tests.kit.builders import GAME, HTML, NODE, plan_of, service

_WHO = ["alice", "bob", "token:phone", "tag:ci", "tag:nas", "stranger", "stranger at 203.0.113.0/24"]
_SETS = {"household": {"alice", "bob"}, "admins": {"alice"}}
_AUDIENCES = st.just(ANYONE) | st.builds(
    Audience,
    machines=st.frozensets(st.sampled_from(["tag:ci", "tag:nas"])),
    people=st.frozensets(st.sampled_from(["household", "admins"])),
    tokens=st.frozensets(st.just("phone")),
    ips=st.frozensets(st.just("203.0.113.0/24")),
)


def _members(audience: Audience) -> set[str]:
    """Everybody in it, named one by one: the independent meaning."""
    if audience.anyone:
        return set(_WHO)
    found = {*audience.machines, *(f"token:{t}" for t in audience.tokens), *(f"stranger at {i}" for i in audience.ips)}
    return found | {person for name in audience.people for person in _SETS[name]}


@given(_AUDIENCES, _AUDIENCES)
def test_union_is_both_together(one: Audience, other: Audience) -> None:
    assert _members(one | other) == _members(one) | _members(other)


@given(_AUDIENCES, _AUDIENCES)
def test_what_is_no_wider_lets_in_nobody_more(one: Audience, other: Audience) -> None:
    if one <= other:
        assert _members(one) <= _members(other)
    assert NOBODY <= one <= ANYONE
    assert one <= one | other


def test_the_order_is_strict_between_the_five_kinds() -> None:
    kinds = [
        NOBODY,
        Audience(tokens=frozenset({"phone"})),
        people(["admins"]),
        Audience(machines=frozenset({"tag:ci"})),
        ANYONE,
    ]
    for kind in kinds[1:]:
        assert not kind <= NOBODY
    for kind in kinds[:-1]:
        assert kind != ANYONE
        assert kind | ANYONE == ANYONE
    assert not people(["household"]) <= people(["admins"])
    assert people(["admins"]) <= people(["admins", "household"])


def test_an_audience_is_said_in_words() -> None:
    assert [str(a) for a in (NOBODY, ANYONE, people(["b", "a"]))] == ["nobody", "anyone", "a and b"]


_NODE = Node.model_validate(NODE)


def _of(origin: dict[str, Any], **more: Any) -> set[Workload]:
    return set(workloads({"it": service(origin=origin, **more)}, _NODE)["it"])


def test_a_port_of_the_node_and_its_address_are_one() -> None:
    assert _of({"on_node": True, "port": 8123}) == _of({"url": "http://192.168.0.124:8123"})
    assert _of({"on_node": True, "port": 8123}) != _of({"url": "http://192.168.0.125:8123"})
    assert not _of({"on_node": True, "port": 53}) & _of({"on_node": True, "port": 53, "scheme": "udp"})


def test_a_kubernetes_service_is_one_by_its_name_and_by_its_url() -> None:
    by_name = _of({"namespace": "web", "service": "web", "port": 8080})
    assert by_name == _of({"url": "http://web.web.svc.cluster.local:8080"})
    assert by_name != _of({"namespace": "web", "service": "web", "port": 8081})
    assert by_name != _of({"namespace": "other", "service": "web", "port": 8080})


def test_two_services_of_the_same_pods_are_one_whatever_they_are_called() -> None:
    first = {"namespace": "db", "service": "db", "port": 5432, "scheme": "tcp", "selector": {"app": "db"}}
    second = {**first, "service": "db-outside", "port": 15432, "target_port": 5432}
    assert _of(first) & _of(second)
    assert not _of(first) & _of({**second, "target_port": 5433})
    assert not _of(first) & _of({**second, "selector": {"app": "web"}})


def test_pods_that_another_service_selects_among_others_are_its_too() -> None:
    origin = {"namespace": "db", "service": "db", "port": 5432, "scheme": "tcp", "selector": {"app": "db"}}
    some = {**origin, "service": "one", "selector": {"app": "db", "role": "primary"}}
    other = {**origin, "service": "two", "selector": {"app": "db", "role": "replica"}}
    found = workloads({key: service(origin=o) for key, o in (("all", origin), ("one", some), ("two", other))}, _NODE)
    assert set(found["all"]) & set(found["one"]) == {Workload("alfred db/{app=db}", 5432)}
    assert not set(found["one"]) & set(found["two"]) - {Workload("alfred db/{app=db}", 5432)}
    apart = {**some, "namespace": "other"}
    away = workloads({"all": service(origin=origin), "one": service(origin=apart)}, _NODE)
    assert not set(away["all"]) & set(away["one"])


def test_the_ingress_controller_is_one_by_its_pods_and_by_the_node_s_ports() -> None:
    by_http, by_https = controller(_NODE)
    pods = {"namespace": "kube-system", "service": "x", "port": 1, "scheme": "tcp", "selector": {"app": "traefik"}}
    assert {by_http, by_https} <= _of(pods)
    assert by_https in _of({"url": "https://192.168.0.124"})
    assert by_http in _of({"on_node": True, "port": 80})
    assert not {by_http, by_https} & (_of({**pods, "namespace": "web"}) | _of({"url": "http://192.168.0.124:8080"}))
    assert not {by_http, by_https} & _of({**pods, "selector": {"app": "coredns"}})
    assert not {by_http, by_https} & _of({"url": "https://192.168.0.125"})


def test_every_port_that_is_forwarded_or_named_belongs_to_the_service() -> None:
    found = _of(dict(GAME["origin"]), port_forward=GAME["port_forward"])
    assert Workload("alfred game/game", 25565, "tcp") in found
    dns = {"namespace": "dns", "service": "dns", "port": 53, "scheme": "udp", "other_ports": [{"port": 53}]}
    assert _of(dns) == {Workload("alfred dns/dns", 53, "udp"), Workload("alfred dns/dns", 53, "tcp")}


def test_another_nodes_cluster_is_another_place() -> None:
    other = Node.model_validate({**NODE, "name": "octavo"})
    said = {"it": service(origin={"namespace": "web", "service": "web", "port": 8080})}
    assert not set(workloads(said, _NODE)["it"]) & set(workloads(said, other)["it"])


def test_the_ingress_controller_leads_on_to_what_goes_through_it() -> None:
    behind = {"namespace": "web", "service": "web", "port": 8080, "through_ingress": "existing"}
    assert through(service(origin=behind), _NODE) == controller(_NODE)[1]
    assert through(service(), _NODE) is None
    tls = {"origin_tls": {"match_sni_to_host": True}}
    plan = plan_of({"web": {**HTML, "origin": behind, **tls}})
    assert str(plan.service("web").through) == "kube-system/traefik:443"


@pytest.mark.parametrize(("port", "protocol", "text"), [(53, "udp", "dns/dns:53/udp"), (53, "tcp", "dns/dns:53")])
def test_a_workload_is_said_as_people_know_it(port: int, protocol: Any, text: str) -> None:
    assert str(Workload("alfred dns/dns", port, protocol)) == text
