"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.forecast.results import ANY_TWO, Results
from benchmarks.forecast.scores import Interval
from benchmarks.forecast.traces import REGION_SETS

SHOWN_DAYS = (1, 3, 7)
SETS = [*(one.name for one in REGION_SETS), ANY_TWO]


def write_tables(results: Results) -> str:
    """All tables, each under a sentence that says what it shows."""
    scores = results.scores
    days = " / ".join(str(day) for day in SHOWN_DAYS)
    with_home = [one.name for one in REGION_SETS]
    parts = [
        _table(
            f"Error and order, {days} days ahead. MAPE in %, Kendall's tau-b of the 24 hours of a day within a grid, "
            "and of the grids of a set within an hour (1 is the true order, 0 chance).",
            ["forecaster", "MAPE", "tau of hours", *(f"tau, {name}" for name in ("US", "Europe", "all regions"))],
            [
                [
                    name,
                    _days(found.error_percent, 1),
                    _days(found.tau_hours, 2),
                    *(_days(found.tau_regions[one], 2) for one in ("US", "Europe", "all regions")),
                ]
                for name, found in scores.items()
            ],
        ),
        _table(
            f"Regret of taking the grid of the least forecast in each hour, % of the best possible, {days} days ahead.",
            ["forecaster", *SETS],
            [[name, *(_days(found.regret_of_best[one], 2) for one in SETS)] for name, found in scores.items()],
        ),
        _table(
            f"Regret of a plan made of the first 24 hours and held for {days} days, % of the best possible.",
            ["forecaster", *SETS],
            [[name, *(_days(found.held_of_best[one], 2) for one in SETS)] for name, found in scores.items()],
        ),
        _table(
            "The same as % of what home emits.",
            ["forecaster", *with_home],
            [[name, *(_days(found.held_of_home[one], 2) for one in with_home)] for name, found in scores.items()],
        ),
        _table(
            "The same, % of the best possible, of origins from July on, which had no say in any parameter.",
            ["forecaster", *SETS],
            [[name, *(_days(found.held_of_best_from_july[one], 2) for one in SETS)] for name, found in scores.items()],
        ),
        _table(
            f"Regret that others have more than '{results.default}', in points of % of the best possible, with the "
            "95 % interval of a paired bootstrap over weeks: of the first day, and of a plan held for 7 days.",
            ["forecaster", *(f"{one}, {of}" for one in ("US", "Europe", ANY_TWO) for of in ("day 1", "7 days"))],
            [
                [
                    name,
                    *(
                        _interval(found[one])
                        for one in ("US", "Europe", ANY_TWO)
                        for found in (comparison.day_1, comparison.held_7_days)
                    ),
                ]
                for name, comparison in results.others.items()
            ],
        ),
        _table(
            "Regret over 7 days of a plan made of the first 24 hours / of one made of the mean of each hour over the 7 "
            "days predicted, % of the best possible.",
            ["forecaster", *SETS],
            [
                [name, *(f"{found.held_of_best[one][-1]:.2f} / {found.held_mean_of_best[one][-1]:.2f}" for one in SETS)]
                for name, found in scores.items()
            ],
        ),
        _table(
            f"'{results.default}' with less history or with a newest hour that is some hours old: MAPE of the first "
            "day in %, regret of the first day / of a plan held for 7 days, % of the best possible.",
            ["days, hours late", "MAPE", *SETS],
            [
                [
                    f"{found.history_days}, {found.hours_late}",
                    f"{found.error_percent:.1f}",
                    *(f"{found.day_1[one]:.2f} / {found.held_7_days[one]:.2f}" for one in SETS),
                ]
                for found in results.with_less
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    alignment = f"|---|{'---:|' * (len(header) - 1)}"
    first, *others = (f"| {' | '.join(line)} |" for line in (header, *rows))
    return "\n".join([caption, "", first, alignment, *others])


def _days(values: Sequence[float | None], digits: int) -> str:
    shown = [values[day - 1] for day in SHOWN_DAYS]
    return " / ".join("-" if value is None else f"{value:.{digits}f}" for value in shown)


def _interval(found: Interval) -> str:
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"
