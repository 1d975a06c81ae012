"""Which intervals a robust plan is made for, and what a problem document says of them.

The engine takes the case least favourable to moving: home's grid at the low end, every other grid and bytes between
regions at the high end (`docs/problem-document.md`, "Robust mode"). So there is one low factor, which is home's alone,
and one high factor for all other regions: that of the region whose forecasts were the worst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model.carbon_signal import CarbonSignal
from multi_x_serverless.model.robust import Interval, RobustCase
from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS, TransmissionPreset

ERRORS_WIDE = 2.0
"""How many mean absolute errors the interval reaches beyond the forecast. On the traces of 2023, 69 % of the hours of a
plan held for seven days then lie within it, and the mean of them in 88 % of the cases: `docs/forecast.md`, "How far
forecasts are off", measured by `benchmarks.forecast.intervals`."""

ASSUMED_FORECAST_ERROR = 0.15
"""Mean absolute error of a forecast, as a fraction, where it is not known: that of the seasonal forecast from the third
day on (`docs/forecast.md`, "Where it is bad")."""

ASSUMED_ERROR_OF_A_MEAN = 0.2
"""The same where all that is known is one mean for all hours: the mean distance of the hours of a grid from its mean of
the year, over the 20 traces of 2023 (`docs/forecast.md`, "How far forecasts are off")."""

FEWEST_JUDGED_HOURS = HOURS_PER_DAY
"""An error over fewer hours than a day has says little: nights are easier than afternoons."""

GIVEN = "given by hand"
"""Origin of an interval that was named."""

CARBON_SUBJECT, TRANSMISSION_SUBJECT = "carbon_interval", "transmission_interval"
"""Subjects of a problem's provenance."""


@dataclass(frozen=True)
class RobustSettings:
    """What is wanted of robust planning.

    Attributes:
        carbon_factors: Low and high factor on forecasts; `None`: by the errors of the forecasts.
        transmission_kwh_per_gb: Energy of bytes between regions; `None`: from one published preset to the other.

    Raises:
        UsageError: An interval is none, or does not hold the forecast.
    """

    carbon_factors: Interval | None = None
    transmission_kwh_per_gb: Interval | None = None

    def __post_init__(self) -> None:
        factors, energy = self.carbon_factors, self.transmission_kwh_per_gb
        if factors is not None and not 0.0 < factors.low <= 1.0 <= factors.high:
            raise UsageError(
                f"the interval of intensities is of factors on their forecasts: its low end is above 0 and at most 1, "
                f"its high end at least 1, not {factors.low:g} and {factors.high:g}."
            )
        if energy is not None and not (0.0 <= energy.low <= energy.high and energy.high > 0.0):
            raise UsageError(
                "the interval of the energy of bytes between regions, in kWh/GB, begins at 0 or above and ends above "
                f"that, not {energy.low:g} and {energy.high:g}."
            )


def robust_case(
    settings: RobustSettings, home: CarbonSignal, others: Sequence[CarbonSignal], preset: TransmissionPreset
) -> RobustCase:
    """The intervals to plan with.

    Args:
        settings: What is wanted.
        home: Signal of the home region.
        others: Signals of all other regions of the problem.
        preset: Energy per byte that is expected.

    Raises:
        UsageError: The interval of the energy of bytes does not hold what is expected.
    """
    expected = TRANSMISSION_PRESETS[preset].inter_region_kwh_per_gb
    energy = settings.transmission_kwh_per_gb
    if energy is not None and not energy.low <= expected <= energy.high:
        raise UsageError(
            f"the energy of bytes between regions is expected to be {expected:g} kWh/GB (preset '{preset}'), which is "
            f"not within {energy.low:g} to {energy.high:g}: name an interval around it, or the other preset."
        )
    moved = _named(energy) or interval_of_presets()
    factors = _named(settings.carbon_factors) or factors_of_forecasts(home, others)
    return RobustCase(factors, moved, energy_within_a_region(moved.high))


def as_settings(case: RobustCase) -> RobustSettings:
    """What asks for the same intervals again."""
    return RobustSettings(case.carbon_factors, case.transmission_kwh_per_gb)


def preset_within(case: RobustCase) -> TransmissionPreset:
    """A preset whose energy of bytes between regions lies in the interval: plans do not say by which they were made."""
    energy = case.transmission_kwh_per_gb
    best = TRANSMISSION_PRESETS["best"].inter_region_kwh_per_gb
    return "best" if energy is None or energy.low <= best <= energy.high else "worst"


def _named(interval: Interval | None) -> Interval | None:
    """An interval with the origin that it has been given by hand, unless it has one."""
    return None if interval is None else Interval(interval.low, interval.high, interval.origin or GIVEN)


def interval_of_presets() -> Interval:
    """Energy of bytes between regions over what is published."""
    energies = [preset.inter_region_kwh_per_gb for preset in TRANSMISSION_PRESETS.values()]
    return Interval(
        min(energies),
        max(energies),
        f"the published presets, {min(energies):g} to {max(energies):g} kWh/GB between regions",
    )


def energy_within_a_region(between: float) -> float:
    """What bytes take within a region where they take so much between two, kWh/GB.

    On a straight line from one published preset to the other, which have nothing within where they have most between.
    """
    best, worst = TRANSMISSION_PRESETS["best"], TRANSMISSION_PRESETS["worst"]
    way = (between - best.inter_region_kwh_per_gb) / (worst.inter_region_kwh_per_gb - best.inter_region_kwh_per_gb)
    share = min(1.0, max(0.0, way))
    return (1.0 - share) * best.intra_region_kwh_per_gb + share * worst.intra_region_kwh_per_gb


@dataclass(frozen=True)
class _Error:
    """A mean absolute error of forecasts, as a fraction, and where it comes from."""

    region: str
    relative: float
    origin: str


def factors_of_forecasts(home: CarbonSignal, others: Sequence[CarbonSignal]) -> Interval:
    """Factors around forecasts, by their errors: the low one by home's, the high one by the worst of the others.

    A factor reaches as far down as up: with an error e it is 1 / (1 + `ERRORS_WIDE` e) and 1 + `ERRORS_WIDE` e, so that
    no intensity is ever below zero.
    """
    of_home = _error(home)
    low = 1.0 / (1.0 + ERRORS_WIDE * of_home.relative)
    how = f"{ERRORS_WIDE:g} mean absolute errors of the forecasts"
    if not others:
        return Interval(low, 1.0, f"{how}: home {_described(of_home)}; there is no other region")
    worst = max(map(_error, others), key=lambda error: (error.relative, error.region))
    return Interval(
        low,
        1.0 + ERRORS_WIDE * worst.relative,
        f"{how}: home {_described(of_home)}; of all others that of {_described(worst)}, the largest",
    )


def _described(error: _Error) -> str:
    return f"{error.region} {error.relative * 100.0:.1f} % ({error.origin})"


def _error(signal: CarbonSignal) -> _Error:
    known = signal.forecast_error
    if known is not None and known.hours >= FEWEST_JUDGED_HOURS:
        of = "" if signal.is_of_its_own_time else " of another year"
        return _Error(signal.region, known.relative, f"{known.hours} h{of}")
    if len(set(signal.intensity_gco2eq_per_kwh)) == 1:
        return _Error(signal.region, ASSUMED_ERROR_OF_A_MEAN, "assumed: one mean for all hours")
    return _Error(signal.region, ASSUMED_FORECAST_ERROR, "assumed: not known yet")


def interval_members(
    case: RobustCase | None, preset: TransmissionPreset
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """What a problem document says of the intervals: `intensity_interval`, and all of `transmission`."""
    energy = TRANSMISSION_PRESETS[preset]
    between, within = energy.inter_region_kwh_per_gb, energy.intra_region_kwh_per_gb
    carbon = None if case is None else case.carbon_factors
    interval = None
    if case is not None and case.transmission_kwh_per_gb is not None:
        moved = case.transmission_kwh_per_gb
        interval = {
            "low_factor": moved.low / between,
            "high_factor": moved.high / between,
            # Where nothing is expected within a region, that is also what goes with the dear end (`preset_within`).
            "intra_high_factor": case.within_region_kwh_per_gb / within if within > 0.0 else 1.0,
        }
    return (
        None if carbon is None else {"low_factor": carbon.low, "high_factor": carbon.high},
        {"inter_region_kwh_per_gb": between, "intra_region_kwh_per_gb": within, "interval": interval},
    )
