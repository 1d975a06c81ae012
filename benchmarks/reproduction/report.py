"""Everything that is computed, in order; the tables of `docs/reproduction.md`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import orjson

from benchmarks.reproduction import beyond, compare, foresight, frontiers, heuristic_study, plots
from benchmarks.reproduction.heuristic_week import heuristic_week_table, heuristic_weeks
from benchmarks.reproduction.overhead import break_even, break_even_table
from benchmarks.reproduction.solver_effort import solver_effort, solver_table
from benchmarks.reproduction.tables import Table

Found = TypeVar("Found")


@dataclass(frozen=True)
class Effort:
    """How much is computed.

    Attributes:
        draws: Of random shares.
        days_between_forecasts: 1 plans every day of the year.
        pinned: Nodes and graph of each pinned graph.
        tail_graphs: Tail-limited graphs; each is searched with all seeds.
        variants: Readings of the heuristic to compare.
    """

    draws: int
    days_between_forecasts: int
    pinned: Sequence[tuple[int, int]]
    tail_graphs: int
    variants: int


DEFAULT = Effort(
    draws=10,
    days_between_forecasts=5,
    pinned=[*((nodes, graph) for nodes in (6, 9, 12, 18) for graph in range(3)), (24, 0)],
    tail_graphs=6,
    variants=4,
)
FULL = Effort(
    draws=100,
    days_between_forecasts=1,
    pinned=[(nodes, graph) for nodes in (6, 9, 12, 18, 24) for graph in range(5)],
    tail_graphs=20,
    variants=5,
)

READ_GRAPHS = ((9, 0), (18, 0))
"""Nodes and graph of those that are searched under several readings of what is published."""

SAMPLED_GRAPHS = ((6, 0), (12, 0))
"""Those that are judged by samples, too."""

FIRST_FORECAST_DAY = 30


def run(output: Path, effort: Effort) -> list[Table]:
    """Compute and draw everything; write `results.json`, `reproduction.md` and the pictures."""
    output.mkdir(parents=True, exist_ok=True)
    tables: list[Table] = []
    began = time.perf_counter()

    def step(name: str, compute: Callable[[], Found]) -> Found:
        started = time.perf_counter()
        found = compute()
        now = time.perf_counter()
        print(f"{now - began:6.1f} s  {name} ({now - started:.1f} s)", flush=True)
        return found

    tables += step("published window", lambda: window_tables(effort.draws))
    points = step("transmission factors", compare.factor_points)
    tables.append(compare.factor_table(points))
    plots.draw_canada(output / "reproduction-canada.png")
    plots.draw_factors(points, output / "reproduction-factors.png")
    tables.append(step("published window, US only", foresight.us_table))
    tables.append(step("heuristic on the published window", lambda: heuristic_week_table(heuristic_weeks())))
    tables.append(step("solver", lambda: solver_table(solver_effort())))

    seeds = range(heuristic_study.SEEDS)
    pinned = [
        step(
            f"heuristic, {nodes} nodes, graph {graph}",
            partial(heuristic_study.study_pinned, nodes, graph, seeds),
        )
        for nodes, graph in effort.pinned
    ]
    tables += [heuristic_study.pinned_table(pinned), heuristic_study.equal_effort_table(pinned)]
    plots.draw_heuristic(pinned, output / "reproduction-heuristic.png")
    for nodes, graph in READ_GRAPHS:
        variants = step(f"readings, {nodes} nodes", partial(readings, nodes, graph, seeds, effort.variants))
        tables.append(heuristic_study.variants_table(variants))
    for nodes, graph in SAMPLED_GRAPHS:
        sampled = step(f"by samples, {nodes} nodes", partial(by_samples, nodes, graph, seeds))
        tables.append(heuristic_study.variants_table(sampled))
    tails = [
        step(
            f"tail limit {tightness}",
            partial(heuristic_study.study_tails, tightness, range(effort.tail_graphs), seeds),
        )
        for tightness in heuristic_study.TIGHTNESS
    ]
    tables.append(heuristic_study.tails_table(tails))

    years = [
        step(f"2023, {case.regions}, {case.preset}, {case.workload.name}", partial(beyond.solve_year, case))
        for case in beyond.cases()
    ]
    tables += [beyond.level_table(years), beyond.workload_table(years), beyond.season_table(years)]
    plots.draw_levels(years, output / "reproduction-levels.png")
    plots.draw_weeks(years, output / "reproduction-weeks.png")
    days = range(FIRST_FORECAST_DAY, len(beyond.YEAR), effort.days_between_forecasts)
    regrets = step("forecasts", lambda: [foresight.forecast_regret(case, days) for case in beyond.cases()])
    tables.append(foresight.regret_table(regrets, len(days)))
    tables.append(break_even_table([break_even(one) for one in years]))
    found = step("frontiers", frontiers.all_trade_offs)
    tables.append(frontiers.frontier_table(found))
    plots.draw_frontiers(found, output / "reproduction-frontiers.png")

    (output / "results.json").write_bytes(orjson.dumps([asdict(one) for one in tables], option=orjson.OPT_INDENT_2))
    text = "\n\n".join(one.to_markdown() for one in tables)
    (output / "reproduction.md").write_text(f"{text}\n", encoding="utf-8")
    return tables


def window_tables(draws: int) -> list[Table]:
    """Targets 1 to 3 and 6, and what they depend on."""
    return [
        compare.means_table(),
        compare.canada_table(),
        compare.headline_table(),
        compare.shares_table(draws),
        compare.untracked_table(),
        compare.speed_table(),
    ]


def readings(nodes: int, graph: int, seeds: Sequence[int], count: int) -> list[tuple[str, heuristic_study.Pinned]]:
    """One graph under some readings of what is published."""
    return [
        (
            heuristic_study.variant_name(parameters),
            heuristic_study.study_pinned(nodes, graph, seeds, parameters),
        )
        for parameters in heuristic_study.VARIANTS[:count]
    ]


def by_samples(nodes: int, graph: int, seeds: Sequence[int]) -> list[tuple[str, heuristic_study.Pinned]]:
    """One graph judged by the exact means and by samples."""
    return [
        ("judged by exact means", heuristic_study.study_pinned(nodes, graph, seeds)),
        ("judged by 2,000 samples", heuristic_study.study_pinned(nodes, graph, seeds, samples=True)),
    ]
