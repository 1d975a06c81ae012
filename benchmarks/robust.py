"""What planning for the case least favourable to moving gives up, and what it spares, over the traces of 2023.

    python -m benchmarks.robust

The published workloads (`benchmarks.reproduction`) are planned at the start of every 13th day by the forecast of that
moment, as `solve` and as `solve --robust` would, and each plan is held for 7 days. What it then emits is taken by the
intensities that came true, once with each published preset of energy per byte: nobody knows which is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import orjson

from benchmarks.forecast.intervals import tracked_errors
from benchmarks.forecast.traces import START_OF_TRACE, ZONES, Origins, trace
from benchmarks.reproduction.applications import WORKLOADS, Workload
from benchmarks.reproduction.beyond import REGION_SETS
from benchmarks.reproduction.document import Setting
from benchmarks.reproduction.problems import Series, Study, build_study, carbon_of, on_day
from benchmarks.reproduction.tables import Table, table
from benchmarks.usage import take_no_arguments
from multi_x_serverless import _core, data
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER, HISTORY_DAYS
from multi_x_serverless.collection.forecast_error import JUDGED_DAYS
from multi_x_serverless.collection.hours import DAYS_IN_WEEK
from multi_x_serverless.model.robust import Interval, RobustCase
from multi_x_serverless.model.units import DAY_S, HOURS_PER_DAY
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, TransmissionPreset
from multi_x_serverless.solving.robust import (
    ERRORS_WIDE,
    energy_within_a_region,
    interval_members,
    interval_of_presets,
)

DAYS_BETWEEN_PLANS = 13
"""No multiple of 7: every day of the week occurs."""

DAYS = range(HISTORY_DAYS + JUDGED_DAYS + 1, 365 - DAYS_IN_WEEK, DAYS_BETWEEN_PLANS)
PRESETS: tuple[TransmissionPreset, ...] = ("best", "worst")
ONE_ENERGY = Interval(
    TRANSMISSION_PRESETS["best"].inter_region_kwh_per_gb, TRANSMISSION_PRESETS["best"].inter_region_kwh_per_gb
)
"""For plans that are robust against forecasts only: `--transmission-interval 0.001,0.001`."""

HOURS_HELD = DAYS_IN_WEEK * HOURS_PER_DAY


@dataclass(frozen=True)
class Held:
    """A plan held for a week, in gCO2eq per run, as means over its hours.

    Attributes:
        expected: By the forecast it was made by, with the preset `best`.
        expected_home: Everything home, by the same.
        emitted: Preset -> by what came true.
        emitted_home: The same of everything at home.
    """

    expected: float
    expected_home: float
    emitted: Mapping[TransmissionPreset, float]
    emitted_home: Mapping[TransmissionPreset, float]


@dataclass(frozen=True)
class Pair:
    """Both plans of a workload at a moment."""

    plain: Held
    robust: Held


def pairs_of(
    workload: Workload, regions: Sequence[str], days: Sequence[int] = DAYS, energy: Interval | None = None
) -> Iterator[Pair]:
    """Both plans of a workload in a set of regions, made at the start of some days of the year.

    Args:
        workload: Which.
        regions: Home first.
        days: Counted from 1 January as 0.
        energy: Interval of the energy of bytes between regions, kWh/GB; of the published presets if `None`.
    """
    setting = Setting(regions=tuple(regions), rule="product")
    studies = {
        preset: build_study(workload, replace(setting, transmission=TRANSMISSION_PRESETS[preset])) for preset in PRESETS
    }
    places = [ZONES.index(data.regions()[region].grid_zone) for region in regions]
    intensities = trace()[places]
    errors = tracked_errors(intensities, Origins(tuple(day * HOURS_PER_DAY for day in days)))
    for position, day in enumerate(days):
        now = day * HOURS_PER_DAY
        history = intensities[:, now - HISTORY_DAYS * HOURS_PER_DAY : now]
        forecast = DEFAULT_FORECASTER.forecast(history, START_OF_TRACE + day * DAY_S, HOURS_PER_DAY)
        came_true = intensities[:, now : now + HOURS_HELD]
        cautious = robust_study(studies["best"], errors[:, position], energy or interval_of_presets())
        plain, robust = (
            _held(studies, _placements(study, forecast), forecast, came_true) for study in (studies["best"], cautious)
        )
        yield Pair(plain, robust)


def robust_study(study: Study, errors: Series, energy: Interval) -> Study:
    """A study with the intervals that the product would take.

    Args:
        study: With the preset `best`.
        errors: Tracked errors of the regions, home first, as fractions.
        energy: Interval of the energy of bytes between regions, kWh/GB.
    """
    factors = Interval(1.0 / (1.0 + ERRORS_WIDE * float(errors[0])), 1.0 + ERRORS_WIDE * float(errors[1:].max()))
    case = RobustCase(factors, energy, energy_within_a_region(energy.high))
    document = orjson.loads(study.document)
    document["intensity_interval"], transmission = interval_members(case, "best")
    document["transmission"] |= transmission
    return replace(study, problem=_core.Problem.from_json(orjson.dumps(document)))


def _placements(study: Study, forecast: Series) -> list[Mapping[str, str]]:
    solution = orjson.loads(on_day(study, forecast).solve("fine-grained", threads=1))
    return [hour["placement"] for hour in solution["hours"]]


def _held(
    studies: Mapping[TransmissionPreset, Study],
    placements: Sequence[Mapping[str, str]],
    forecast: Series,
    came_true: Series,
) -> Held:
    home = [dict.fromkeys(placements[0], studies["best"].setting.home)] * HOURS_PER_DAY

    def mean(preset: TransmissionPreset, of_day: Sequence[Mapping[str, str]], intensities: Series) -> float:
        days = intensities.shape[-1] // HOURS_PER_DAY
        return float(carbon_of(studies[preset], list(of_day) * days, intensities).mean())

    return Held(
        expected=mean("best", placements, forecast),
        expected_home=mean("best", home, forecast),
        emitted={preset: mean(preset, placements, came_true) for preset in PRESETS},
        emitted_home={preset: mean(preset, home, came_true) for preset in PRESETS},
    )


def summary(name: str, found: Sequence[Pair]) -> tuple[str, ...]:
    """A row: what both plans save of what home emits, plain / robust, each week and workload counting alike."""

    def cell(saved: Sequence[tuple[float, float]]) -> str:
        plain, robust = np.array(saved).mean(axis=0) * 100.0
        return f"{plain:.1f} / {robust:.1f} %"

    def emitted(preset: TransmissionPreset) -> list[tuple[float, float]]:
        return [
            (
                1.0 - pair.plain.emitted[preset] / pair.plain.emitted_home[preset],
                1.0 - pair.robust.emitted[preset] / pair.robust.emitted_home[preset],
            )
            for pair in found
        ]

    worst = np.array(emitted("worst"))
    return (
        name,
        cell(
            [
                (
                    1.0 - pair.plain.expected / pair.plain.expected_home,
                    1.0 - pair.robust.expected / pair.robust.expected_home,
                )
                for pair in found
            ]
        ),
        cell(emitted("best")),
        cell(emitted("worst")),
        " / ".join(f"{part * 100.0:.0f}" for part in (worst < 0.0).mean(axis=0)) + " %",
        " / ".join(f"{max(0.0, -lowest) * 100.0:.0f}" for lowest in worst.min(axis=0)) + " %",
    )


def study_of_all(
    workloads: Sequence[Workload] = WORKLOADS,
    region_sets: Mapping[str, Sequence[str]] = REGION_SETS,
    days: Sequence[int] = DAYS,
) -> Table:
    """The table of the guide to plans."""
    rows = [
        summary(f"{name}{kind}", [pair for workload in workloads for pair in pairs_of(workload, regions, days, energy)])
        for name, regions in region_sets.items()
        for kind, energy in (("", None), (", grids alone", ONE_ENERGY))
    ]
    return table(
        f"Saved against home by a plan / by a robust plan, held for 7 days: means over {len(workloads)} published "
        f"workloads and {len(days)} weeks of 2023.",
        (
            "regions",
            "expected, best",
            "came true, best",
            "came true, worst",
            "weeks above home, worst",
            "most above home, worst",
        ),
        rows,
    )


if __name__ == "__main__":
    take_no_arguments("benchmarks.robust", __doc__)
    print(study_of_all().to_markdown())
