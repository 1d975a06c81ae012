"""How far what came true lies from forecasts, in multiples of the errors that are tracked, over the traces of 2023.

    python -m benchmarks.forecast.intervals

`solve --robust` takes intensities to lie within some mean absolute errors of their forecast (`solving/robust.py`). The
error is tracked as a deployment does: of the forecasts made at the start of each of the last 7 days, the first 24
hours, as far as they have passed. With an error e, k errors reach from 1 / (1 + k e) to 1 + k e times the forecast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.forecast.scores import held
from benchmarks.forecast.traces import START_OF_TRACE, ZONES, Origins, forecasts, trace, what_came_true
from benchmarks.usage import take_no_arguments
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER, HISTORY_DAYS, Series
from multi_x_serverless.collection.forecast_error import JUDGED_DAYS
from multi_x_serverless.model.units import DAY_S, HOURS_PER_DAY
from multi_x_serverless.solving.robust import ASSUMED_FORECAST_ERROR, ERRORS_WIDE

WIDTHS = (1.0, ERRORS_WIDE, 3.0)
ORIGINS = Origins.of_the_year(first_day=HISTORY_DAYS + JUDGED_DAYS + 1)
"""Before each of them are a week of forecasts and what these are made of."""


@dataclass(frozen=True)
class Coverage:
    """Shares of values within an interval, below and above it."""

    within: float
    below: float
    above: float

    def __str__(self) -> str:
        return f"{self.within * 100:.0f} % ({self.below * 100:.0f} / {self.above * 100:.0f})"


def tracked_errors(intensities: Series, origins: Origins) -> Series:
    """What is known at each origin of the errors of earlier forecasts, as a fraction, shape (zones, origins)."""
    last_day = max(origins.hours) // HOURS_PER_DAY
    by_day = {
        day: DEFAULT_FORECASTER.forecast(
            intensities[:, (day - HISTORY_DAYS) * HOURS_PER_DAY : day * HOURS_PER_DAY],
            START_OF_TRACE + day * DAY_S,
            HOURS_PER_DAY,
        )
        for day in range(HISTORY_DAYS, last_day + 1)
    }
    return np.stack([_tracked_error(intensities, by_day, hour) for hour in origins.hours], axis=1)


def _tracked_error(intensities: Series, by_day: dict[int, Series], hour: int) -> Series:
    first = math.ceil(hour / HOURS_PER_DAY) - JUDGED_DAYS
    predicted = np.concatenate([by_day[day] for day in range(first, math.ceil(hour / HOURS_PER_DAY))], axis=-1)
    came_true = intensities[:, first * HOURS_PER_DAY : hour]
    missed = np.abs(predicted[:, : came_true.shape[-1]] - came_true).sum(axis=-1)
    return np.asarray(missed / came_true.sum(axis=-1), dtype=np.float64)


def coverage(expected: Series, came_true: Series, reach: Series) -> Coverage:
    """How often what came true is between 1 / (1 + reach) and 1 + reach times what was expected."""
    ratio = came_true / expected
    below, above = float((ratio < 1.0 / (1.0 + reach)).mean()), float((ratio > 1.0 + reach).mean())
    return Coverage(1.0 - below - above, below, above)


def distance_from_the_mean(intensities: Series) -> float:
    """Mean distance of the hours of a grid from its mean of the year, as a fraction, over all grids."""
    mean = intensities.mean(axis=-1, keepdims=True)
    return float((np.abs(intensities - mean).mean(axis=-1) / mean[:, 0]).mean())


def write_table(origins: Origins = ORIGINS) -> str:
    """The table of `docs/forecast.md`, under a sentence that says what it shows, and a figure below."""
    intensities = trace()
    predicted, came_true = forecasts(DEFAULT_FORECASTER, intensities, origins), what_came_true(intensities, origins)
    errors = tracked_errors(intensities, origins)[..., None]
    caption = (
        "How much of what came true lies within an interval around the forecast (below / above it): the hours of the "
        "first day and of a plan held for 7 days, and their means."
    )
    lines = [
        caption,
        "",
        "| reach | hours, day 1 | hours, held 7 days | mean of day 1 | mean of 7 days |",
        f"|---|{'---:|' * 4}",
    ]
    reaches = [(f"{_errors(width)}", width * errors) for width in WIDTHS]
    assumed = ERRORS_WIDE * ASSUMED_FORECAST_ERROR
    reaches.append((f"{assumed * 100:.0f} %, where the error is not known", np.full_like(errors, assumed)))
    first, kept = predicted[..., :HOURS_PER_DAY], held(predicted)
    day, week = came_true[..., :HOURS_PER_DAY], came_true
    for name, reach in reaches:
        cells = [
            coverage(first, day, reach),
            coverage(kept, week, reach),
            coverage(_mean(first), _mean(day), reach),
            coverage(_mean(kept), _mean(week), reach),
        ]
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    figures = (
        f"Mean of the tracked errors: {errors.mean() * 100:.1f} %. Mean distance of an hour from its grid's mean of "
        f"the year: {distance_from_the_mean(intensities) * 100:.0f} %, over {len(ZONES)} grids."
    )
    return "\n".join([*lines, "", figures]) + "\n"


def _errors(width: float) -> str:
    return "1 mean error" if width == 1.0 else f"{width:g} mean errors"


def _mean(series: Series) -> Series:
    return np.asarray(series.mean(axis=-1, keepdims=True), dtype=np.float64)


if __name__ == "__main__":
    take_no_arguments("benchmarks.forecast.intervals", __doc__)
    print(write_table(), end="")
