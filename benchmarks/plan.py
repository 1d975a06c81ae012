"""Plan all benchmark workflows over sets of regions, and tabulate what that would be worth.

    python -m benchmarks.plan [--state-dir DIRECTORY] [--runs N] [--only NAME] [--json FILE]

Uses the runs that `python -m benchmarks.run --state-dir DIRECTORY` has left; a benchmark without runs, or all of them
without --state-dir, is run first. Every figure is simulated by the model of docs/problem-document.md over observed
runs; nothing is migrated. Region sets are those of `benchmarks.reproduction`, and both presets of energy per byte are
shown, because what is published lies between them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from benchmarks.run import state_directory, whole_number
from benchmarks.suite.discovery import Benchmark, find_benchmarks
from benchmarks.suite.execution import open_embedded_cloud, run_benchmark
from benchmarks.suite.planning import REGION_SETS, Expected, Planned, plan_over_regions, regions_of_all_sets
from benchmarks.suite.tables import aligned, write_json
from multi_x_serverless.adaptation.signals import COLLECTORS, collect_signals, read_signals
from multi_x_serverless.adaptation.workflows import deployed_workflows, model_of
from multi_x_serverless.cli.output import dollars_per_million, grams, percent, seconds, write_error, write_wrapped
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.errors import EXIT_FAILURE, EXIT_OK, MultiXServerlessError, NotEnoughDataError
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.history import History

DEFAULT_RUNS = 30
"""From so many on the product's own figures carry no warning of too few runs."""

HEADER = ("regions", "bytes", "placement", "in", "CO2eq", "vs home", "USD per 1M", "vs home", "p95", "vs home")
NAMES = 4
"""So many columns hold words."""

CAPTION = (
    "All figures are simulated: carbon and cost are modelled per run, from runs observed on this machine, round trips "
    "of the embedded data, and the forecast of the grids for the next 24 hours; means over these hours.\n"
    "'single' is the best single region for all of them, 'p95' the 95th percentile of the run time, 'bytes' the preset "
    "of energy per byte moved."
)


@dataclass(frozen=True)
class Study:
    """All that was planned.

    Attributes:
        problems: Benchmark -> why it could not be planned.
    """

    planned: tuple[Planned, ...]
    problems: dict[str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, plan, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plan", description="Plan the benchmark workflows over sets of regions."
    )
    parser.add_argument("--state-dir", type=Path, help="where benchmarks.run has run  [default: run them anew]")
    parser.add_argument(
        "--runs", type=whole_number, default=DEFAULT_RUNS, metavar="N", help="where there are none  [default: 30]"
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures and their data to this file")
    options = parser.parse_args(arguments)
    try:
        benchmarks = find_benchmarks(options.only)
        with state_directory(options.state_dir) as directory:
            study = plan_all(benchmarks, options.runs, Path(directory))
    except MultiXServerlessError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for name, found in groupby(study.planned, key=lambda one: one.benchmark):
        print(f"{name}\n\n{aligned(HEADER, [row for one in found for row in rows_of(one)], names=NAMES)}\n")
    if study.planned:
        write_wrapped(CAPTION)
    for line in notes(study.planned):
        write_wrapped(line, hanging="  ")
    for name, problem in study.problems.items():
        write_error(f"error: {name}: {problem}")
    if options.json is not None:
        members = {
            "caption": CAPTION,
            "simulated": True,
            "region_sets": REGION_SETS,
            "planned": study.planned,
            "problems": study.problems,
        }
        write_json(options.json, members)
    return EXIT_FAILURE if study.problems else EXIT_OK


def plan_all(benchmarks: Sequence[Benchmark], runs: int, state_dir: Path) -> Study:
    """Run what has no runs yet, collect signals, and plan; what goes wrong with one benchmark stops no other.

    Raises:
        MultiXServerlessError: Signals cannot be collected, or the state directory is held by another command.
    """
    problems: dict[str, str] = {}
    with open_embedded_cloud(state_dir) as cloud:
        ready = {record.configuration.workflow_name for record in deployed_workflows(cloud) if _has_runs(cloud, record)}
    for number, benchmark in enumerate(benchmarks, start=1):
        if benchmark.name in ready:
            continue
        print(f"{number}/{len(benchmarks)} running {benchmark.name}", file=sys.stderr, flush=True)
        try:
            measured = run_benchmark(state_dir, benchmark, runs)
        except (MultiXServerlessError, OSError) as error:
            problems[benchmark.name] = str(error)
            continue
        if measured.failures:
            problems[benchmark.name] = f"{measured.failures} of {measured.runs} runs failed: {measured.problem}"
    planned: list[Planned] = []
    with open_embedded_cloud(state_dir) as cloud:
        records = deployed_workflows(cloud)
        if records:
            collect_signals(cloud, COLLECTORS, regions_of_all_sets())
        signals = read_signals(cloud)
        for benchmark in benchmarks:
            if benchmark.name in problems:
                continue
            print(f"planning {benchmark.name}", file=sys.stderr, flush=True)
            try:
                record = _record_of(records, benchmark)
                history = History(cloud).runs(record.workflow_id)
                planned += plan_over_regions(benchmark.name, model_of(record), history, signals)
            except MultiXServerlessError as error:
                problems[benchmark.name] = str(error)
    return Study(tuple(planned), problems)


def _has_runs(cloud: Cloud, record: WorkflowRecord) -> bool:
    """Whether runs of a workflow as it is deployed ended well."""
    return any(
        run.status == "complete" and run.manifest_id == record.manifest_id
        for run in History(cloud).runs(record.workflow_id)
    )


def _record_of(records: Iterable[WorkflowRecord], benchmark: Benchmark) -> WorkflowRecord:
    for record in records:
        if record.configuration.workflow_name == benchmark.name:
            return record
    raise NotEnoughDataError(f"'{benchmark.name}' is not deployed.")


def rows_of(planned: Planned) -> list[tuple[str, ...]]:
    """One line for home, one for the best single region, one for the plan."""
    home = planned.home
    single: tuple[str, ...] = ("single", "none keeps the limits", *["-"] * 6)
    if planned.single is not None and planned.single_region is not None:
        single = ("single", planned.single_region, *cells(planned.single, home))
    return [
        (planned.regions, planned.transmission, "home", planned.home_region, *cells(home, home)),
        ("", "", *single),
        ("", "", "plan", ", ".join(planned.plan_regions), *cells(planned.plan, home)),
    ]


def cells(expected: Expected, home: Expected) -> tuple[str, ...]:
    """The figures, each followed by its difference to home."""

    def against(found: float, reference: float) -> str:
        return percent(found / reference - 1.0, signed=True) if reference > 0 and found != reference else "-"

    return (
        grams(expected.carbon_gco2eq),
        against(expected.carbon_gco2eq, home.carbon_gco2eq),
        dollars_per_million(expected.cost_usd),
        against(expected.cost_usd, home.cost_usd),
        seconds(expected.tail_s),
        against(expected.tail_s, home.tail_s),
    )


def notes(planned: Sequence[Planned]) -> list[str]:
    """What has to be said of the figures, each sentence once."""
    lines = dict.fromkeys(f"{one.benchmark}: {warning}" for one in planned for warning in one.warnings)
    for one in planned:
        where = f"{one.benchmark}, {one.regions}, {one.transmission}"
        if one.infeasible_hours:
            lines[f"{where}: nothing keeps the hard limits at hours {one.infeasible_hours}; all stays home then."] = (
                None
            )
        elif not one.is_proven:
            lines[f"{where}: proven to within {percent(one.gap)} of the optimum only."] = None
    return list(lines)


if __name__ == "__main__":
    sys.exit(main())
