"""Which forecaster of carbon intensity leads to the best placements, over the traces of 2023.

    python -m benchmarks.forecast.evaluate [--output DIRECTORY]

From an origin every 29 hours after the first four weeks, each forecaster predicts the next seven days of every grid.
Written are `forecast.json` (all figures), `forecast.md` (the tables of `docs/forecast.md`) and `forecast.png`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.forecast.plot import draw
from benchmarks.forecast.results import ANY_TWO, DAYS, Comparison, Results, Scores, WithLess
from benchmarks.forecast.scores import (
    Regret,
    Rows,
    absolute_percentage_error,
    difference,
    held,
    held_mean,
    kendall_tau_b,
    regret,
)
from benchmarks.forecast.tables import write_tables
from benchmarks.forecast.traces import (
    PAIRS,
    REGION_SETS,
    ZONES,
    Origins,
    RegionSet,
    forecasts,
    trace,
    what_came_true,
)
from multi_x_serverless.collection.forecast import (
    DEFAULT_FORECASTER,
    FORECASTERS,
    HISTORY_DAYS,
    CarbonForecaster,
    Seasonal,
    Series,
)
from multi_x_serverless.collection.hours import DAYS_IN_WEEK, same_moment
from multi_x_serverless.model.units import HOURS_PER_DAY

SECOND_HALF_BEGINS_ON_DAY = 181
SETS: Mapping[str, Sequence[RegionSet]] = {**{one.name: (one,) for one in REGION_SETS}, ANY_TWO: PAIRS}
DAYS_AND_HOURS_LATE = (
    *((days, 0) for days in (1, 2, 4, 7, 14, HISTORY_DAYS)),
    *((HISTORY_DAYS, hours) for hours in (3, 6, 12, 24)),
)
"""Less history than the forecaster would like to have, and newest hours that came in late."""


@dataclass(frozen=True)
class LastWeeksMean:
    """The mean of the last 7 days for every hour: chooses one grid and knows no hours. For scale."""

    name: str = "one grid, of last week"
    method: str = "mean of the 7 days before"

    def forecast(
        self,
        history: Series,
        first_hour: float,  # noqa: ARG002 - all alike
        hours: int,
        own_moment: Callable[[float], float] = same_moment,  # noqa: ARG002
    ) -> Series:
        mean = history[..., -DAYS_IN_WEEK * HOURS_PER_DAY :].mean(axis=-1, keepdims=True)
        return np.asarray(np.repeat(mean, hours, axis=-1), dtype=np.float64)


COMPARED: tuple[CarbonForecaster, ...] = (
    LastWeeksMean(),
    *FORECASTERS,
    Seasonal(name="seasonal, persistence fitted", persistence=None),
)


def evaluate(compared: Sequence[CarbonForecaster], default: str, origins: Origins) -> Results:
    """Let every forecaster predict the week after every origin, and score it."""
    intensities = trace()
    came_true = what_came_true(intensities, origins)
    scores: dict[str, Scores] = {}
    of_hours: dict[str, dict[str, Regret]] = {}
    of_plans: dict[str, dict[str, Regret]] = {}
    for forecaster in compared:
        predicted = forecasts(forecaster, intensities, origins)
        of_hours[forecaster.name] = {name: regret(predicted, came_true, choices) for name, choices in SETS.items()}
        of_plans[forecaster.name] = {
            name: regret(held(predicted), came_true, choices) for name, choices in SETS.items()
        }
        of_means = {name: regret(held_mean(predicted), came_true, choices) for name, choices in SETS.items()}
        scores[forecaster.name] = _scores(
            predicted, came_true, origins, of_hours[forecaster.name], of_plans[forecaster.name], of_means
        )
    day, week = slice(0, HOURS_PER_DAY), slice(None)
    return Results(
        origins=len(origins.hours),
        zones=ZONES,
        default=default,
        scores=scores,
        others={
            name: Comparison(
                {one: difference(of_hours[name][one], of_hours[default][one], origins.weeks, day) for one in SETS},
                {one: difference(of_plans[name][one], of_plans[default][one], origins.weeks, week) for one in SETS},
            )
            for name in scores
            if name != default
        },
        with_less=[_with_less(days, late, intensities, came_true, origins) for days, late in DAYS_AND_HOURS_LATE],
    )


def _with_less(days: int, late: int, intensities: Series, came_true: Series, origins: Origins) -> WithLess:
    predicted = forecasts(DEFAULT_FORECASTER, intensities, origins, days, late)
    first = slice(0, HOURS_PER_DAY)
    return WithLess(
        history_days=days,
        hours_late=late,
        error_percent=float(absolute_percentage_error(predicted, came_true)[..., first].mean()),
        day_1={
            name: regret(predicted, came_true, choices).percent_of_best(hours=first) for name, choices in SETS.items()
        },
        held_7_days={
            name: regret(held(predicted), came_true, choices).percent_of_best() for name, choices in SETS.items()
        },
    )


def _scores(
    predicted: Series,
    came_true: Series,
    origins: Origins,
    of_hours: Mapping[str, Regret],
    of_plans: Mapping[str, Regret],
    of_means: Mapping[str, Regret],
) -> Scores:
    error = absolute_percentage_error(predicted, came_true)
    from_july = np.flatnonzero(np.array(origins.hours) >= SECOND_HALF_BEGINS_ON_DAY * HOURS_PER_DAY)
    by_day = [slice((day - 1) * HOURS_PER_DAY, day * HOURS_PER_DAY) for day in DAYS]
    until = [slice(0, day * HOURS_PER_DAY) for day in DAYS]

    def tau_of_hours(hours: slice) -> float | None:
        first, second = (np.moveaxis(series[..., hours], -1, 0) for series in (predicted, came_true))
        return _mean(kendall_tau_b(first, second))

    def of_best(
        found: Mapping[str, Regret], stretches: Sequence[slice], rows: Rows = slice(None)
    ) -> dict[str, list[float]]:
        return {name: [one.percent_of_best(rows, hours) for hours in stretches] for name, one in found.items()}

    def of_home(found: Mapping[str, Regret], stretches: Sequence[slice]) -> dict[str, list[float]]:
        return {one.name: [found[one.name].percent_of_home(hours) for hours in stretches] for one in REGION_SETS}

    return Scores(
        error_percent=[float(error[..., hours].mean()) for hours in by_day],
        tau_hours=[tau_of_hours(hours) for hours in by_day],
        tau_regions={
            one.name: [
                _mean(kendall_tau_b(predicted[one.places][..., hours], came_true[one.places][..., hours]))
                for hours in by_day
            ]
            for one in REGION_SETS
        },
        regret_of_best=of_best(of_hours, by_day),
        regret_of_home=of_home(of_hours, by_day),
        held_of_best=of_best(of_plans, until),
        held_of_home=of_home(of_plans, until),
        held_mean_of_best=of_best(of_means, until),
        held_of_best_from_july=of_best(of_plans, until, from_july),
    )


def _mean(values: Series) -> float | None:
    """Mean of what is defined; None where nothing is: what is constant has no order."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compare the forecasters of carbon intensity.")
    parser.add_argument("--output", type=Path, default=Path(".forecast"), help="directory of tables and plot")
    arguments = parser.parse_args()
    began = time.perf_counter()
    results = evaluate(COMPARED, DEFAULT_FORECASTER.name, Origins.of_the_year())
    arguments.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(results), indent=1)
    (arguments.output / "forecast.json").write_text(f"{text}\n", encoding="utf-8")
    tables = write_tables(results)
    (arguments.output / "forecast.md").write_text(tables, encoding="utf-8")
    draw(results, arguments.output / "forecast.png")
    print(tables)
    print(f"{results.origins} origins, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
