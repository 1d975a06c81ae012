"""Whether a few days of a grid's own hours are a better basis of a forecast than the trace of another year.

    python -m benchmarks.forecast.short_history

Only one year is known, so the trace of 4 weeks before and of 4 weeks after an origin stands in for that of another
year: not quite the season, but the same power plants, and weather of its own. Of each number of own days are compared

    own hours           these days alone, continued by the forecaster in use
    trace, scaled       the forecast made of the trace, times what the own days are of the same days of the trace
    trace, then own     four weeks of the trace, so scaled, whose last days are replaced by the own ones, continued
    trace               the forecast made of the trace as it is
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.forecast.evaluate import SETS
from benchmarks.forecast.results import ANY_TWO
from benchmarks.forecast.scores import Interval, absolute_percentage_error, difference, held, regret
from benchmarks.forecast.traces import HORIZON_HOURS, START_OF_TRACE, Origins, trace, what_came_true
from benchmarks.usage import take_no_arguments
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER, HISTORY_DAYS, Series
from multi_x_serverless.collection.hours import DAYS_IN_WEEK
from multi_x_serverless.model.units import HOURS_PER_DAY, SECONDS_PER_HOUR

OWN_DAYS = (1, 2, 4, 6)
STAND_IN_WEEKS = (-4, 4)
"""Whole weeks, so that working days and weekends are where they were."""

_MARGIN_DAYS = max(STAND_IN_WEEKS) * DAYS_IN_WEEK
ORIGINS = Origins.of_the_year(HISTORY_DAYS + _MARGIN_DAYS + 1, 365 - DAYS_IN_WEEK - _MARGIN_DAYS)

OWN, TRACE = "own hours", "trace"


def predict(history: Series, origin: int) -> Series:
    """A week from an origin on, by the forecaster in use."""
    return DEFAULT_FORECASTER.forecast(history, START_OF_TRACE + origin * SECONDS_PER_HOUR, HORIZON_HOURS)


def _of_own(own: Series, stand_in: Series, origin: int) -> Series:  # noqa: ARG001 - the trace is not looked at
    return predict(own, origin)


def _of_trace(own: Series, stand_in: Series, origin: int) -> Series:  # noqa: ARG001 - own hours are not looked at
    return predict(stand_in, origin)


def _of_scaled_trace(own: Series, stand_in: Series, origin: int) -> Series:
    return predict(stand_in, origin) * _level(own, stand_in)


def _of_both(own: Series, stand_in: Series, origin: int) -> Series:
    older = stand_in[:, : -own.shape[-1]] * _level(own, stand_in)
    return predict(np.concatenate([older, own], axis=-1), origin)


def _level(own: Series, stand_in: Series) -> Series:
    same_days = stand_in[:, -own.shape[-1] :]
    return np.asarray(own.mean(axis=-1, keepdims=True) / same_days.mean(axis=-1, keepdims=True), dtype=np.float64)


WAYS: Mapping[str, Callable[[Series, Series, int], Series]] = {
    OWN: _of_own,
    "trace, then own": _of_both,
    "trace, scaled": _of_scaled_trace,
    TRACE: _of_trace,
}


def predictions(way: str, days: int, origins: Origins = ORIGINS) -> Series:
    """The week after each origin by each of the stand-ins in turn, shape (zones, stand-ins * origins, 168)."""
    intensities = trace()
    found = []
    for weeks in STAND_IN_WEEKS:
        for origin in origins.hours:
            end = origin + weeks * DAYS_IN_WEEK * HOURS_PER_DAY
            stand_in = intensities[:, end - HISTORY_DAYS * HOURS_PER_DAY : end]
            found.append(WAYS[way](intensities[:, origin - days * HOURS_PER_DAY : origin], stand_in, origin))
    return np.stack(found, axis=1)


def write_table(origins: Origins = ORIGINS) -> str:
    """The table of `docs/forecast.md`, under a sentence that says what it shows."""
    came_true = np.concatenate([what_came_true(trace(), origins)] * len(STAND_IN_WEEKS), axis=1)
    weeks = origins.weeks * len(STAND_IN_WEEKS)
    header = ["days, basis", "MAPE", *SETS, f"{ANY_TWO}, day 1", f"{ANY_TWO}, 7 days"]
    caption = (
        f"Forecasts of {', '.join(map(str, OWN_DAYS[:-1]))} or {OWN_DAYS[-1]} days of a grid's own hours, and of the "
        "trace of another time with and without them: MAPE of the first day in %, regret of the first day / of a plan "
        "held for 7 days, % of the best possible; and how much more that is than with own hours alone, in points, with "
        "the 95 % interval of a paired bootstrap over weeks."
    )
    lines = [
        caption,
        "",
        f"| {' | '.join(header)} |",
        f"|---|{'---:|' * (len(header) - 1)}",
    ]
    day, week = slice(0, HOURS_PER_DAY), slice(None)
    for days in OWN_DAYS:
        own = predictions(OWN, days, origins)
        own_day, own_week = regret(own, came_true, SETS[ANY_TWO]), regret(held(own), came_true, SETS[ANY_TWO])
        for way in WAYS:
            predicted = own if way == OWN else predictions(way, days, origins)
            of_day = {name: regret(predicted, came_true, choices) for name, choices in SETS.items()}
            of_week = {name: regret(held(predicted), came_true, choices) for name, choices in SETS.items()}
            cells = [
                f"{absolute_percentage_error(predicted, came_true)[..., day].mean():.2f}",
                *(
                    f"{of_day[name].percent_of_best(hours=day):.2f} / {of_week[name].percent_of_best():.2f}"
                    for name in SETS
                ),
                "-" if way == OWN else _shown(difference(of_day[ANY_TWO], own_day, weeks, day)),
                "-" if way == OWN else _shown(difference(of_week[ANY_TWO], own_week, weeks, week)),
            ]
            lines.append(f"| {days}, {way} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _shown(found: Interval) -> str:
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"


if __name__ == "__main__":
    take_no_arguments("benchmarks.forecast.short_history", __doc__)
    print(write_table(), end="")
