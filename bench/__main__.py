"""`python -m bench [SECTION ...]`: measure, print the rows with goals and ratios, and put them in docs/performance.md.

Sections: import, questions, reach, engine, typed, growth; all by default. What is not measured keeps its rows.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.generate import STACK, TAILNET, THIN, crowds, make_estate, make_project, paths, services
from bench.measure import ROOT, Cost, medians, once, python
from gatehouse.engine.acquire import VARIABLE

_PAGE = ROOT / "docs" / "performance.md"
_ROWS = re.compile(r"(?<=\n\|---\|---\|---\|---\|---\|---\|\n)(\|.*\n)*")
_SIZES = (15, 300, 1000)
_LARGE = (1000, 2000, 3000)
_OFTEN = 10
# Our program after an ordinary import: by another name, so that nothing of it is imported beforehand.
_ORDINARY = """\
import runpy
from pathlib import Path

import pulumi_cloudflare

runpy.run_path(str(Path(__file__).with_name("program.py")), run_name="__main__")
"""
# What our program does at its end, see `all_begun`.
_END = "\nimport asyncio\npulumi.run(lambda: asyncio.sleep(0))\n"
_BARE = "import pydantic, yaml"
_ONE_MODEL = "import yaml; from pydantic import create_model; create_model('M', x=(int, ...))(x=1)"


@dataclass(frozen=True)
class Row:
    """One figure: what, against what, both as text, the ratio and its goal (None: no goal, for the reader)."""

    what: str
    ours: str
    base: str
    ratio: float
    goal: float | None = None

    @property
    def met(self) -> str:
        """Whether the goal is met."""
        return "" if self.goal is None else "yes" if round(self.ratio, 2) <= self.goal else "**no**"


def imports(folder: Path, times: int) -> Iterator[Row]:
    """The Cloudflare SDK: as far as used, and whole."""
    found = medians(
        {
            # By itself: `import components` would load every component and the other SDKs too.
            "ours": python("-c", "import runpy; runpy.run_path('components/sdk.py')"),
            "base": python("-c", "import pulumi_cloudflare"),
        },
        times,
    )
    what, ours, base = "import of the Cloudflare SDK", found["ours"], found["base"]
    yield _time(what, ours, "ordinary import", base, 0.4)
    against = f"ordinary import: {base.memory:.0f} MB"
    yield Row(f"{what}: memory", f"{ours.memory:.0f} MB", against, ours.memory / base.memory)


def questions(folder: Path, times: int) -> Iterator[Row]:
    """The offline questions on alfred, and on a thousand services."""
    large = str(make_project(folder / "large", 1000))
    half = str(make_project(folder / "half", 500))
    many = str(make_estate(folder / "many", 50, 20))
    asked = {
        "check": ("check", "--stack", "alfred"),
        "explain": ("explain", "--stack", "alfred"),
        "who": ("who", "https://grafana-alfred.very-very-dark-gray.top"),
    }
    found = medians(
        {
            "bare": python("-c", _BARE),
            "model": python("-c", _ONE_MODEL),
            **{name: python("-m", "gatehouse.cli", *question) for name, question in asked.items()},
            "500": python("-m", "gatehouse.cli", "-C", half, "check"),
            "1000": python("-m", "gatehouse.cli", "-C", large, "check"),
            "50 stacks": python("-m", "gatehouse.cli", "-C", many, "check"),
        },
        times,
    )
    bare = f"`python -c '{_BARE}'`"
    for name in asked:
        yield _time(f"`gatehouse {name}`, alfred", found[name], bare, found["bare"], 1.5)
    yield _time("`gatehouse check`, alfred", found["check"], "pydantic with a single model", found["model"], None)
    yield _time("`gatehouse check`, 1,000 services", found["1000"], "alfred's", found["check"], 5)
    yield _time("`gatehouse check`, 1,000 services", found["1000"], "500 services", found["500"], 2)
    yield _time("`gatehouse check`, 50 stacks of 20", found["50 stacks"], "1,000 in one", found["1000"], None)


def reach(folder: Path, times: int) -> Iterator[Row]:
    """`gatehouse prove`: of alfred, of many services, people and paths, and of the tailnet."""
    sets, behind_login = crowds(1000, 200)
    projects = {
        **{f"{count:,}": make_project(folder / f"prove{count}", count, services(count, THIN)) for count in _LARGE},
        **{f"tailnet {n}": make_project(folder / f"tailnet{n}", n, services(n, TAILNET)) for n in (200, 400)},
        "crowds": make_project(folder / "crowds", 0, behind_login, sets),
        "paths": make_project(folder / "paths", 0, paths(60)),
    }
    preview = _unanchored(projects["paths"], folder / "preview.json")
    found = medians(
        {
            "check": python("-m", "gatehouse.cli", "check", "--stack", "alfred"),
            "prove": python("-m", "gatehouse.cli", "prove", "--stack", "alfred"),
            **{name: python("-m", "gatehouse.cli", "-C", str(at), "prove") for name, at in projects.items()},
            "preview": python("-m", "gatehouse.cli", "-C", str(projects["paths"]), "prove", "--from", str(preview)),
        },
        times,
    )
    yield _time("`gatehouse prove`, alfred", found["prove"], "`gatehouse check`, alfred", found["check"], 2)
    yield _time("`gatehouse prove`, 2,000 services", found["2,000"], "1,000 services", found["1,000"], 2.2)
    for name, what, seconds in (
        ("3,000", "3,000 services", 10),
        ("crowds", "1,000 people, 200 services", 3),
        ("preview", "60 paths of a host, 3 rules that are not anchored", 3),
        ("tailnet 400", "400 services of the tailnet", 2),
    ):
        cost = found[name]
        yield Row(f"`gatehouse prove`, {what}", _seconds(cost), f"{seconds} s", cost.cpu / seconds, 1)
    early, late = (found[b].memory - found[a].memory for a, b in itertools.pairwise(f"{n:,}" for n in _LARGE))
    what = "`gatehouse prove`, memory of one more service, 2,000 to 3,000"
    yield Row(what, f"{late:.0f} kB", f"1,000 to 2,000: {early:.0f} kB", late / early, 1.1)
    half, whole = (len(_policy(projects[f"tailnet {n}"])) for n in (200, 400))
    yield Row(
        "the tailnet's policy, 400 services", f"{whole / 1000:.0f} kB", f"200: {half / 1000:.0f} kB", whole / half, 2.1
    )


def _unanchored(project: Path, preview: Path) -> Path:
    """A preview of a project, written with three rules more before those of its first host, which are not anchored."""
    # In a process of its own: what this one holds would count as its children's peak.
    plan = python("-m", "gatehouse.cli", "-C", str(project), "plan", "--json", "--stack", STACK)
    document = json.loads(subprocess.run(plan, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    config = next(
        step["newState"]["inputs"]["config"]
        for step in document["steps"]
        if step["newState"]["type"].endswith(":ZeroTrustTunnelCloudflaredConfig")
    )
    rules = config["ingresses"]
    host = rules[0]["hostname"]
    config["ingresses"] = [
        {**rules[0], "hostname": host, "path": p} for p in ("admin", "v[0-9]+/pub", r"\.php$")
    ] + rules
    preview.write_text(json.dumps(document), encoding="utf-8")
    return preview


def _policy(project: Path) -> str:
    """The tailnet's policy as it is registered."""
    from config.loader import load_project
    from exposure.plan import plan_stack

    stacks = load_project(project)
    return json.dumps(plan_stack(stacks[STACK], stacks).tailnet_policy)


def growth(folder: Path, times: int) -> Iterator[Row]:
    """What one more service costs, at 15 and at 1,000."""
    sizes = (0, 15, 300, 650, 1000)
    projects = {size: make_project(folder / f"growth{size}", size) for size in sizes}
    # First, while this process is small: a child's peak begins with its parent's.
    memory = {size: once(python("-m", "bench.run_ours", str(projects[size]))).memory for size in (300, 650, 1000)}
    early, late = (memory[650] - memory[300]) / 0.35, (memory[1000] - memory[650]) / 0.35
    yield Row(
        "memory of one more service, 650 to 1,000", f"{late:.0f} kB", f"300 to 650: {early:.0f} kB", late / early, 1.1
    )

    from gatehouse.offline import run_offline

    run_offline(projects[0], STACK)
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    # As `gatehouse` does for as long as it runs.
    gc.disable()
    # The difference of two runs of seconds: their noise shows threefold in it.
    for _ in range(2 * times):
        for size in sizes:
            # Fifteen services take a tenth of a second, whose noise is a large part of one service.
            for _ in range(_OFTEN if size <= 15 else 1):
                gc.collect()
                started = time.process_time()
                run_offline(projects[size], STACK)
                taken[size].append(time.process_time() - started)
    cost = {size: statistics.median(seconds) for size, seconds in taken.items()}
    few, many = (cost[15] - cost[0]) / 15 * 1000, (cost[1000] - cost[650]) / 350 * 1000
    yield Row(
        "one more service at 1,000 (650 to 1,000)", f"{many:.2f} ms", f"at 15 (0 to 15): {few:.2f} ms", many / few, 1.1
    )


def engine(folder: Path, times: int) -> Iterator[Row]:
    """The same two programs through the real engine, on simulated clouds."""
    from gatehouse.engine.acquire import find_engine

    found_engine = find_engine(ROOT)
    if found_engine is None:
        print("No engine at hand: its rows stay as they are (`make engine` gets one).")
        return
    os.environ[VARIABLE] = str(found_engine.path)
    for size in _SIZES:
        ours, flat = folder / f"ours{size}", folder / f"flat{size}"
        make_project(ours, size)
        # In a process of its own: what this one holds would count as its children's peak.
        once(python("-m", "bench.flat", str(ours), STACK, str(flat)))
        commands = {"ours": _preview(ours), "flat": _preview(flat)}
        if size == 300:
            commands["ordinary"] = _preview(_copy(ours, "ordinary", lambda text: _ORDINARY))
            commands["end"] = _preview(_copy(flat, "end", lambda text: text + _END))
        found = medians(commands, times)
        what = f"preview by the engine, {size:,} services"
        if size == 300:
            ordinary = f"{what}, ordinary import"
            yield _time(ordinary, found["ordinary"], "flat program", found["flat"], 1.05, wall=True)
            yield _time(ordinary, found["ordinary"], "flat program that ends as ours does", found["end"], wall=True)
        yield _time(what, found["ours"], "flat program", found["flat"], wall=True)


def _copy(project: Path, name: str, change: Callable[[str], str]) -> Path:
    """A copy of a project with its program changed; as it was, the program is there as `program.py`."""
    copy = Path(shutil.copytree(project, project.with_name(f"{project.name}-{name}")))
    program = copy / "__main__.py"
    text = program.read_text(encoding="utf-8")
    (copy / "program.py").write_text(text, encoding="utf-8")
    program.write_text(change(text), encoding="utf-8")
    return copy


def typed(folder: Path, times: int) -> Iterator[Row]:
    """`gatehouse preview` of alfred against a typed `pulumi preview`, by Pulumi's own Python language host."""
    from gatehouse.engine.acquire import find_engine
    from gatehouse.engine.program import made_up_credentials
    from gatehouse.engine.workspace import SimulatedWorkspace
    from gatehouse.simulation.launch import SimulatedClouds

    engine = find_engine(ROOT)
    if engine is None or shutil.which("pulumi-language-python") is None:
        print("No engine, or no `pulumi-language-python` on PATH: the rows of `pulumi preview` stay as they are.")
        return
    os.environ[VARIABLE] = str(engine.path)
    ours = python("-m", "gatehouse.cli", "preview", "--simulated", "--stack", "alfred")
    once(ours)
    flat = folder / "flat"
    once(python("-m", "bench.flat", str(ROOT), "alfred", str(flat)))
    (flat / ".venv").symlink_to(ROOT / ".venv")
    # The state, settings and made-up secrets of ours; clouds of their own, for ours starts and stops its each time.
    workspace = SimulatedWorkspace(ROOT, "gatehouse", engine)
    with SimulatedClouds(folder / "clouds.json") as clouds, made_up_credentials():
        variables = {**workspace.variables, **clouds.env, "PULUMI_HOME": str(folder / "home")}

        def plain(project: Path) -> list[str]:
            return [
                *("env", *(f"{name}={value}" for name, value in variables.items()), str(engine.path)),
                *("-C", str(project), "preview", "--non-interactive", "--stack", "alfred"),
                *("--config-file", str(workspace.folder / "Pulumi.alfred.yaml")),
            ]

        found = medians({"ours": ours, "flat": plain(flat), "same": plain(ROOT)}, times)
    what = "`gatehouse preview`, alfred"
    yield _time(what, found["ours"], "flat program, `pulumi preview`", found["flat"], 0.5, wall=True)
    yield _time(what, found["ours"], "the same program, `pulumi preview`", found["same"], None, wall=True)


def _preview(project: Path) -> list[str]:
    return python("-m", "gatehouse.cli", "-C", str(project), "preview", "--simulated", "--stack", STACK)


def _time(what: str, ours: Cost, against: str, base: Cost, goal: float | None = None, wall: bool = False) -> Row:
    """A row of times; the ratio is that of the processor's, or the wall's where the engine works beside Python."""
    ratio = ours.wall / base.wall if wall else ours.cpu / base.cpu
    return Row(what, _seconds(ours), f"{against}: {_seconds(base)}", ratio, goal)


def _seconds(cost: Cost) -> str:
    return f"{cost.cpu:.2f} s ({cost.wall:.2f})"


SECTIONS: dict[str, Callable[[Path, int], Iterator[Row]]] = {
    "import": imports,
    "questions": questions,
    "reach": reach,
    "engine": engine,
    "typed": typed,
    # Last: it fills this process.
    "growth": growth,
}


def line(row: Row) -> str:
    """A row in Markdown; times are seconds of processor and, in brackets, on the wall."""
    goal = "" if row.goal is None else f"≤ {row.goal:g}"
    return f"| {row.what} | {row.ours} | {row.base} | {row.ratio:.2f} | {goal} | {row.met} |"


def renewed(page: str, lines: list[str]) -> str:
    """The page with these rows: in the place of those of the same names, or at the table's end."""

    def named(row: str) -> tuple[str, str]:
        what, _, base, *_ = row.split(" | ")
        return what, base.rpartition(": ")[0]

    return _ROWS.sub(lambda m: "\n".join({named(r): r for r in [*m[0].splitlines(), *lines]}.values()) + "\n", page)


def main() -> None:
    """Measure the sections asked for, print the table and write it down."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--times", type=int, default=5, help="runs of which the median is taken (default: 5)")
    args = parser.parse_args()
    unknown = set(args.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-bench-"))
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}."
    try:
        for name in [n for n in SECTIONS if n in (args.sections or SECTIONS)]:
            print(f"{name}...", flush=True)
            lines = [line(row) for row in SECTIONS[name](folder, args.times)]
            print("\n".join(lines), flush=True)
            _PAGE.write_text(renewed(_PAGE.read_text(encoding="utf-8"), lines), encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"docs/performance.md has these rows. Say there what they were measured with: {machine}")


if __name__ == "__main__":
    main()
