"""``simulate``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.output import (
    Column,
    dollars_per_million,
    grams,
    hour_ranges,
    percent,
    percentile,
    quantity,
    seconds,
    write_json,
    write_table,
)
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.cli.solution_tables import statistic_name
from multi_x_serverless.errors import EXIT_INFEASIBLE, EXIT_OK

if TYPE_CHECKING:
    from multi_x_serverless.model.plan import Objective
    from multi_x_serverless.solving.simulation import LimitCheck, SimulatedHour, Simulation

QUANTITIES: dict[Objective, tuple[str, Callable[[float], str]]] = {
    "carbon": ("CO2eq", grams),
    "cost": ("USD per 1M", dollars_per_million),
    "runtime": ("time", seconds),
}


@click.command("simulate")
@click.argument("problem", type=click.Path(path_type=Path))
@click.option(
    "--placement",
    required=True,
    metavar="FILE|all-home|REGION",
    help="A JSON file (node -> region, or a solution document); or all nodes at home; or all in a region but for those "
    "that may not run there: they stay home. A file goes before a region of the same name.",
)
@click.option("--hour", type=click.IntRange(0, 23), help="UTC hour.  [default: all hours of the document]")
@pass_settings
def command(settings: Settings, problem: Path, placement: str, hour: int | None) -> int:
    """Show carbon, cost and time of a placement of the problem document PROBLEM, and how it stands to the limits.

    PROBLEM is a file, or - for standard input; 'solve --dump-problem' writes one. Needs no cloud and no project. Exit
    code 4 when the placement breaks a hard limit.
    """
    from multi_x_serverless.cli.problem_file import read_document
    from multi_x_serverless.solving.simulation import simulate

    document = read_document(problem)
    is_file = Path(placement).is_file()
    outcome = simulate(document, read_document(Path(placement)) if is_file else placement, hour=hour)
    if settings.is_json:
        write_json("simulate", outcome.to_members())
    else:
        _show(settings, outcome)
    return EXIT_INFEASIBLE if outcome.breaks_a_hard_limit else EXIT_OK


def _show(settings: Settings, outcome: Simulation) -> None:
    tail = percentile(outcome.tail)
    sure = f"{outcome.confidence * 100:g} % sure"
    metric_rows = [(entry.hour, _metric_cells(metric, entry)) for metric in QUANTITIES for entry in outcome.hours]
    write_table(
        settings,
        f"Metrics per run of {outcome.workflow}, simulated in {outcome.scenarios} scenarios",
        [
            Column(""),
            Column("hours"),
            Column("mean", is_number=True),
            Column("at home", is_number=True),
            Column("vs home", is_number=True),
            Column(tail, is_number=True),
            Column(sure, is_number=True),
        ],
        _gathered(metric_rows),
        note="; ".join(_notes(outcome)),
    )
    limit_rows = [
        (entry.hour, _limit_cells(entry.limits[position]))
        for position in range(len(outcome.hours[0].limits))
        for entry in outcome.hours
    ]
    if limit_rows:
        write_table(
            settings,
            f"Limits: hard ones on {tail}, {sure} (relative ones also at its estimate and lower bound, each over "
            "home's; shown is the tightest); soft ones on the mean",
            [
                Column("limit"),
                Column("hours"),
                Column("held"),
                Column("at most", is_number=True),
                Column("reached", is_number=True),
                Column("margin", is_number=True),
                Column("met"),
            ],
            _gathered(limit_rows),
        )


def _notes(outcome: Simulation) -> list[str]:
    from multi_x_serverless.model.robust import LEAST_FAVOURABLE
    from multi_x_serverless.report.wording import describe_case

    notes = ["no runs were observed: all of this rests on declared estimates"] if outcome.is_prior else []
    if outcome.robust is not None:
        notes.append(f"carbon is that {LEAST_FAVOURABLE}, not what is expected: {describe_case(outcome.robust)}")
    return notes


def _gathered(rows: list[tuple[int, list[str]]]) -> list[list[str]]:
    """Rows that read the same at several hours as one, with the hours in the second column."""
    hours: dict[tuple[str, ...], list[int]] = {}
    for hour, cells in rows:
        hours.setdefault(tuple(cells), []).append(hour)
    return [[cells[0], hour_ranges(sorted(at)), *cells[1:]] for cells, at in hours.items()]


def _metric_cells(metric: Objective, entry: SimulatedHour) -> list[str]:
    found, home = entry.metrics.of(metric), entry.home_metrics.of(metric)
    name, show = QUANTITIES[metric]
    return [
        name,
        show(found.mean),
        show(home.mean),
        percent(found.mean / home.mean - 1.0, signed=True) if home.mean > 0 else "-",
        show(found.tail),
        "-" if found.tail_upper is None else show(found.tail_upper),
    ]


def _limit_cells(check: LimitCheck) -> list[str]:
    tightest = check.tightest
    return [
        f"{check.kind}: {check.metric}",
        statistic_name(tightest.statistic),
        quantity(check.metric, tightest.limit),
        quantity(check.metric, tightest.value),
        percent(tightest.slack / tightest.limit, signed=True) if tightest.limit > 0 else "-",
        "NO" if check.is_violated else "yes",
    ]
