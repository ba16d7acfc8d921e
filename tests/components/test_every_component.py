"""What holds of every component: its type, its children, its providers, and names that the providers know."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import pulumi
import pulumi_kubernetes
import pulumi_tailscale
import pytest

import components
from components.sdk import cloudflare
from config.people import Login as LoginSettings
from config.services import Connector as ConnectorSettings
from config.stack import Token
from config.values import Host, Machine, OriginUrl, Tag
from exposure.audience import ANYONE, people
from exposure.model import PeopleSet
from exposure.ways.acme import Challenges
from exposure.ways.funnel import FunnelWay
from exposure.ways.port_forward import ForwardedPort, PortForwardWay
from exposure.ways.tailnet import TailnetPort, TailnetWay
from exposure.ways.tunnel import ManagedIngress as PlannedIngress
from exposure.ways.tunnel import PublicTunnelWay, ZeroTrustWay
from tests.components.conftest import Run
from tests.components.examples import EXAMPLES, TUNNEL_SECRET
from tests.kit import sdk
from tests.kit.recorder import Recording, Registered, record

each = pytest.mark.parametrize("name", sorted(EXAMPLES))
_OURS = "gatehouse:index:"


@cache
def _alone(name: str, preview: bool) -> Recording:
    """A component's example and nothing else, run once for all tests that look at it."""
    return record(EXAMPLES[name], preview)


def _children(found: Recording) -> tuple[Registered, list[Registered]]:
    (component,) = [r for r in found if r.type.startswith(_OURS)]
    return component, [r for r in found if r.urn != component.urn and not r.type.startswith("pulumi:")]


def test_every_component_of_the_package_is_tested_alone() -> None:
    assert set(EXAMPLES) == set(components.__all__)


def test_type_tokens_are_unique() -> None:
    # A mock run takes two components of one type token and name without a word; the engine takes them for one.
    found = record(lambda: [make("same") for make in EXAMPLES.values()], preview=True)
    tokens = [r.type for r in found if r.type.startswith("gatehouse:")]
    assert sorted(tokens) == sorted(f"{_OURS}{name}" for name in EXAMPLES)


@each
def test_its_type_is_stated_and_it_is_a_component(name: str, preview: bool) -> None:
    component, _ = _children(_alone(name, preview))
    assert component.type == f"{_OURS}{name}"
    assert not component.request.custom


@each
def test_its_children_have_it_as_parent_and_their_names_begin_with_its_own(name: str, preview: bool) -> None:
    component, children = _children(_alone(name, preview))
    assert children or name == "PublicTunnelRoute", "a test of children needs children"
    for child in children:
        assert child.parent == component.urn
        # Cloudflare takes one Access application of a place (docs/adr/0022).
        named_after = "wiki.example.com" if child.short.endswith("AccessApplication") else f"{component.name}-"
        assert child.name.startswith(named_after)


@each
def test_two_of_it_stand_side_by_side(name: str, preview: bool, run: Run) -> None:
    # The recorder refuses a second resource of one URN.
    one = len(list(_alone(name, preview)))
    two = len(list(run(lambda: (EXAMPLES[name]("first"), EXAMPLES[name]("second")))))
    assert two - 1 == 2 * (one - 1)


def test_the_recorder_refuses_a_second_resource_of_one_urn(run: Run) -> None:
    with pytest.raises(Exception, match="Duplicate resource URN"):
        run(lambda: (EXAMPLES["Zone"]("same"), EXAMPLES["Zone"]("same")))


@each
def test_the_providers_know_every_name_and_kind_of_its_inputs(name: str, preview: bool) -> None:
    _, children = _children(_alone(name, preview))
    assert [m for child in children for m in sdk.mistakes(child)] == []


def test_a_misspelt_input_would_be_noticed(run: Run) -> None:
    def program() -> None:
        wrong: Any = {"selektor": {"a": "b"}, "ports": [{"port": "80"}]}
        pulumi_kubernetes.core.v1.Service("s", spec=wrong)

    (service,) = run(program).all("kubernetes:Service")
    assert sdk.mistakes(service) == [
        "s.spec.selektor: not known to ServiceSpecArgs",
        "s.spec.ports[0].port: '80' is no int",
    ]


@each
def test_its_children_use_the_providers_given_to_it(name: str, run: Run) -> None:
    def program() -> None:
        given: list[pulumi.ProviderResource] = [
            cloudflare.Provider("c"),
            pulumi_tailscale.Provider("t"),
            pulumi_kubernetes.Provider("k"),
        ]
        EXAMPLES[name](opts=pulumi.ResourceOptions(providers=given))

    wanted = {"cloudflare": "::c::", "tailscale": "::t::", "kubernetes": "::k::"}
    for child in run(program):
        package = child.type.split(":")[0]
        if package in wanted:
            assert wanted[package] in child.request.provider, child.name


@each
def test_options_of_the_component_do_not_leak_into_its_children(name: str, preview: bool, run: Run) -> None:
    options = pulumi.ResourceOptions(ignore_changes=["name"], aliases=[pulumi.Alias(name="old")], retain_on_delete=True)
    plain = {r.name: r for r in _children(_alone(name, preview))[1]}
    component, children = _children(run(lambda: EXAMPLES[name](opts=options)))
    assert component.request.ignoreChanges == ["name"], "the control"
    for child in children:
        assert child.request.ignoreChanges == plain[child.name].request.ignoreChanges
        assert "name" not in child.request.ignoreChanges
        assert child.retain == plain[child.name].retain
        assert len(child.request.aliases) <= len(plain[child.name].request.aliases) + 1


class _Standing(dict[str, Any]):
    """The names of an example: what it makes itself, what it imports, and its surroundings, made where asked for."""

    _MADE: ClassVar[dict[str, Callable[[], object]]] = {
        "zone": EXAMPLES["Zone"],
        "tunnel": EXAMPLES["Tunnel"],
        "google": EXAMPLES["Google"],
        "tailnet": EXAMPLES["Tailnet"],
        "app": EXAMPLES["ZeroTrustApp"],
        "config": pulumi.Config,
    }
    _IMPORTED: ClassVar[dict[str, object]] = {
        **{name: getattr(components, name) for name in components.__all__},
        **{value.__name__: value for value in (Host, Machine, OriginUrl, Tag, Token, PeopleSet, Challenges, people)},
        **{way.__name__: way for way in (ZeroTrustWay, PublicTunnelWay, FunnelWay, TailnetWay, PortForwardWay)},
        **{port.__name__: port for port in (TailnetPort, ForwardedPort)},
        "ANYONE": ANYONE,
        "pulumi": pulumi,
        "Planned": PlannedIngress,
        "Settings": ConnectorSettings,
        "LoginSettings": LoginSettings,
    }

    def __missing__(self, name: str) -> object:
        if name in self._IMPORTED:
            return self._IMPORTED[name]
        if name not in self._MADE:
            raise KeyError(name)
        self[name] = self._MADE[name]()
        return self[name]


@each
def test_the_example_in_its_docstring_runs(name: str) -> None:
    example = inspect.getdoc(getattr(components, name)) or ""
    code = textwrap.dedent(example.split("```python\n", 1)[1].split("```", 1)[0])
    secrets = {"gatehouse:s": TUNNEL_SECRET, "gatehouse:google_client_secret": "client secret"}
    found = record(lambda: exec(code, {}, _Standing()), preview=False, secrets=secrets)
    assert name in {r.type.removeprefix(_OURS) for r in found}
