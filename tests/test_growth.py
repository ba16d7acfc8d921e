"""A coarse guard on growth: ratios within one run, with room, so that a busy machine does not fail it."""

from __future__ import annotations

import asyncio
import copy
import gc
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import _PAGE, Row, line, renewed
from bench.flat import write_flat
from bench.generate import STACK, TAILNET, THIN, make_estate, make_project, services, stack_file
from config.loader import LoadedStack, load_project, parse_stack_text, tie, type_stack
from exposure.check import check
from exposure.model import ExposurePlan
from exposure.plan import plan_stack
from exposure.reach.claims import prove
from exposure.reach.surface import from_plan
from gatehouse.engine.program import run_program
from gatehouse.offline import run_offline

FEW, MANY = 50, 200
# Four times the services. What grows with the square would take sixteen times as long.
ROOM = 8.0


def _stack(count: int) -> dict[str, LoadedStack]:
    return tie([type_stack(parse_stack_text(stack_file(STACK, services(count)), STACK))])


def _checked(count: int) -> None:
    stacks = _stack(count)
    assert check(stacks) == ()
    plan_stack(stacks[STACK], stacks)


def _seconds(work: Callable[[], object]) -> float:
    """Processor time, with the collector held: a test process has a large heap, and walking it is not measured."""
    gc.disable()
    try:
        started = time.process_time()
        work()
        return time.process_time() - started
    finally:
        gc.enable()


def _growth(work: Callable[[int], object], few: int = FEW, many: int = MANY, none: int | None = None) -> float:
    """How many times as long many take as few; what `none` takes is no growth.

    The best of each size counts, for a busy machine only ever makes it longer. They run again, all of them, only where
    there seems to be too much: a real square stays one.
    """
    sizes = [size for size in (none, few, many) if size is not None]
    best = dict.fromkeys(sizes, float("inf"))
    for _ in range(5):
        for size in sizes:
            for _ in range(1 if size == many else 3):
                best[size] = min(best[size], _seconds(lambda size=size: work(size)))  # type: ignore[misc]
        fixed = 0.0 if none is None else best[none]
        growth = (best[many] - fixed) / (best[few] - fixed)
        if 0 < growth < ROOM:
            break
    return growth


def test_reading_checking_and_deciding_grow_with_the_services() -> None:
    _checked(FEW)
    assert _growth(_checked) < ROOM


def test_proving_who_reaches_what_grows_with_the_services_and_the_machines_of_the_tailnet() -> None:
    def planned(count: int, mix: Sequence[Mapping[str, str]]) -> Mapping[str, LoadedStack]:
        return tie([type_stack(parse_stack_text(stack_file(STACK, services(count, mix)), STACK))])

    for mix in (THIN, TAILNET):
        plans = {count: plan_stack((stacks := planned(count, mix))[STACK], stacks) for count in (FEW, MANY)}

        def proved(count: int, plans: Mapping[int, ExposurePlan] = plans) -> None:
            # A policy is read once for each document: a plan of its own each time.
            plan = copy.deepcopy(plans[count])
            assert len(prove({STACK: from_plan(plan)}, {STACK: plan}, {}, {}).services) == count

        assert _growth(proved) < ROOM


def test_the_guard_sees_what_grows_with_the_square() -> None:
    def square(count: int) -> int:
        return sum(1 for a in range(count * 4) for b in range(count * 4) if a is b)

    assert _growth(square) > ROOM


def test_the_program_grows_with_the_services(tmp_path: Path) -> None:
    projects = {count: make_project(tmp_path / str(count), count) for count in (0, 10, 40)}
    run_offline(projects[10], STACK)
    # The zone, the tunnel and the rest that is there at any size are no growth.
    assert _growth(lambda count: run_offline(projects[count], STACK).steps, 10, 40, none=0) < ROOM


def _looked_at(project: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """How often the end of the program looks at an open output, for each resource."""
    looked = 0
    wait = asyncio.wait

    async def counting(outputs: list[asyncio.Task[object]], **options: Any) -> object:
        nonlocal looked
        looked += len(outputs)
        return await wait(outputs, **options)

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "wait", counting)
        steps = run_offline(project, STACK, program=lambda: run_program(project)).steps
    return looked / len(steps)


def test_the_program_ends_without_looking_at_every_open_output_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = make_project(tmp_path / "ours", 20)
    assert _looked_at(ours, monkeypatch) < 5
    # The ordinary program shows that it is measured.
    assert _looked_at(write_flat(ours, STACK, tmp_path / "flat"), monkeypatch) > 20


def test_memory_grows_with_the_services() -> None:
    def kept(count: int) -> int:
        gc.collect()
        tracemalloc.start()
        stacks = _stack(count)
        whole = (stacks, plan_stack(stacks[STACK], stacks))
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert whole
        return used

    _checked(FEW)
    assert kept(MANY) / kept(FEW) < MANY / FEW * 1.25


def test_the_flat_program_that_is_measured_against_registers_the_same(tmp_path: Path) -> None:
    ours = make_project(tmp_path / "ours", 12)
    flat = write_flat(ours, STACK, tmp_path / "flat")
    found = run_offline(flat, STACK, program=lambda: run_program(flat)).steps
    wanted = [step for step in run_offline(ours, STACK).steps if step.state["custom"]]
    assert len(wanted) > 12
    assert Counter((s.type, s.name) for s in found if s.state["custom"]) == Counter((s.type, s.name) for s in wanted)
    keys = {(s.type, s.name): set(s.request.object.fields) for s in found}
    assert all(keys[(s.type, s.name)] == set(s.request.object.fields) for s in wanted)


def test_a_thousand_services_in_one_stack_are_planned() -> None:
    stacks = _stack(1000)
    assert check(stacks) == ()
    planned = plan_stack(stacks[STACK], stacks)
    assert len(planned.services) == 1000


def test_more_applications_than_an_account_takes_are_refused_with_the_source() -> None:
    only_logins = {
        f"s{n:04}": {"origin": {"namespace": "n", "service": f"s{n:04}", "port": 80}, "traffic": "html"}
        for n in range(501)
    }
    stacks = tie([type_stack(parse_stack_text(stack_file(STACK, only_logins), STACK))])
    (finding,) = check(stacks)
    assert (finding.rule, finding.severity) == ("limit-applications", "error")
    assert finding.source == "CFDOC cloudflare-one/account-limits"


def test_more_tunnels_than_an_account_takes_are_refused_with_the_source() -> None:
    files = [stack_file(f"n{n}", {}, "n0" if n else None, n % 250) for n in range(1001)]
    typed = [type_stack(parse_stack_text(text, f"n{n}")) for n, text in enumerate(files)]

    def found(count: int) -> list[str]:
        stacks = tie(typed[:count])
        return [
            f.source for f in check(stacks) if f.rule == "limit-account" and "tunnels, one for each stack" in f.reason
        ]

    assert found(1000) == []
    assert found(1001) == ["CFDOC cloudflare-one/account-limits"]


@pytest.fixture(scope="module")
def fifty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedStack]:
    return load_project(make_estate(tmp_path_factory.mktemp("estate"), 50, 6))


def test_fifty_stacks_of_one_estate_are_checked_and_planned(fifty: dict[str, LoadedStack]) -> None:
    assert check(fifty) == ()
    assert sum(len(plan_stack(stack, fifty).services) for stack in fifty.values()) == 300


def test_a_member_of_a_large_estate_is_planned_by_the_program(tmp_path: Path) -> None:
    project = make_estate(tmp_path, 50, 6)
    names = {step.name for step in run_offline(project, "node49").steps}
    assert "s0000-node49.example.com" in names
    # The owner's alone.
    assert "tailnet-policy" not in names
    assert "tailnet-policy" in {step.name for step in run_offline(project, "node00").steps}


def test_a_part_of_the_bench_leaves_the_other_rows_of_the_page_as_they_are() -> None:
    page = _PAGE.read_text(encoding="utf-8")
    one, other = (
        Row("`gatehouse prove`, alfred", f"{n} s", f"`gatehouse check`, alfred: {n} s", n) for n in (1.0, 2.0)
    )
    once, twice = renewed(page, [line(one)]), renewed(renewed(page, [line(one)]), [line(other)])
    assert once.replace(line(one), line(other)) == twice != once
    assert len(once.splitlines()) == len(page.splitlines())
    assert renewed(page, [line(Row("new", "1 s", "2 s", 0.5))]).count("\n") == page.count("\n") + 1
