"""A way that is added: a file with its value, one with its component, a line in one table; nothing else is touched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import pulumi
import pytest

from components.way import Context, WayComponent, component_of
from config.loader import tie
from config.services import Service, ServiceOrigin
from config.stack import Estate
from exposure.audience import Audience, named_people
from exposure.check import check
from exposure.plan import plan_stack
from exposure.render import report
from exposure.ways import WAYS
from exposure.ways.way import Facts, Way
from tests.kit.builders import HTML, loaded


@dataclass(frozen=True)
class PigeonWay(Way):
    """By carrier pigeon: slow, and for people who are named."""

    loft: str

    gate = "pigeon"
    phrase = "a bird in hand"
    stations = ("internet", "proxy")
    component = f"{__name__}.PigeonPost"
    origins = (ServiceOrigin,)
    cautions = ("birds rest at night",)
    by = "loft"

    @classmethod
    def lets_in(cls, service: Service, estate: Estate | None) -> Audience:
        return named_people(service, estate)

    @classmethod
    def plan(cls, facts: Facts) -> Self:
        return cls(facts.key, facts.title, facts.people, f"{facts.key}-{facts.node.name}")

    @property
    def urls(self) -> tuple[str, ...]:
        return (f"pigeon://{self.loft}",)

    @property
    def reaches(self) -> str:
        return f"{self.audience}, who feed a pigeon"


class PigeonPost(WayComponent):
    """Registers nothing but itself."""

    def __init__(self, name: str, *, loft: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.loft = loft
        self.register_outputs({"loft": loft})

    @classmethod
    def register(cls, way: Way, context: Context) -> Sequence[WayComponent]:
        return [cls(way.service, loft=cast("PigeonWay", way).loft, opts=context.options)]


@pytest.fixture
def pigeons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WAYS, PigeonWay.gate, PigeonWay)


WIKI = {**HTML, "gates": ["zero-trust", "pigeon"]}


@pytest.mark.usefixtures("pigeons")
def test_a_line_in_the_table_is_all_that_check_plan_and_words_need() -> None:
    stacks = tie([loaded({"wiki": WIKI})])
    assert check(stacks) == ()
    plan = plan_stack(stacks["alfred"], stacks)
    web, pigeon = plan.service("wiki").ways
    assert isinstance(pigeon, PigeonWay)
    assert pigeon.loft == "wiki-alfred"
    assert [rule.host for rule in plan.rules] == ["wiki-alfred.example.com", None], "its other way is as ever"
    told = " ".join(report(plan).split())
    for said in (web.gate, *pigeon.urls, pigeon.reaches, "birds rest at night"):
        assert said in told


@pytest.mark.usefixtures("pigeons")
def test_it_may_let_in_no_more_than_clients_says_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    from exposure.audience import ANYONE

    monkeypatch.setattr(PigeonWay, "lets_in", classmethod(lambda cls, service, estate: ANYONE))
    found = check(tie([loaded({"wiki": WIKI})]))
    assert {"wider-than-meant", "sensitive-without-access"} <= {f.rule for f in found}


@pytest.mark.usefixtures("pigeons")
def test_the_loop_over_ways_finds_its_component() -> None:
    stacks = tie([loaded({"wiki": WIKI})])
    plan = plan_stack(stacks["alfred"], stacks)
    assert [component_of(way).__name__ for way in plan.ways] == ["ZeroTrustApp", "PigeonPost"]


def test_without_the_line_nobody_knows_the_gate() -> None:
    # The control: the test above shows something.
    assert any(f.rule == "gate-unknown" for f in check(tie([loaded({"wiki": WIKI})])))


def test_no_table_outside_the_ways_has_a_line_for_each_gate() -> None:
    # As keys, each stands in its own room alone; the words `funnel` and `tailnet` are other things' names too.
    root = Path(__file__).parents[1]
    found = []
    for folder in ("components", "config", "exposure", "gatehouse", "package"):
        for path in sorted((root / folder).rglob("*.py")):
            keys = {gate for gate in WAYS if re.search(rf'^ *"{gate}": ', path.read_text(encoding="utf-8"), re.M)}
            if len(keys) > 1:
                found.append(path.relative_to(root).as_posix())
    assert found == []
