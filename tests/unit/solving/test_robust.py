"""Which intervals a robust plan is made for, and what a problem document says of them."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from typing import Any

import pytest

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model.carbon_signal import CarbonSignal, ForecastError
from multi_x_serverless.model.robust import Interval
from multi_x_serverless.solving.engine import SOLVERS, LoadedProblem
from multi_x_serverless.solving.model_constants import TransmissionPreset
from multi_x_serverless.solving.problem import SolveSettings, build_problem
from multi_x_serverless.solving.robust import (
    ASSUMED_ERROR_OF_A_MEAN,
    ASSUMED_FORECAST_ERROR,
    ERRORS_WIDE,
    FEWEST_JUDGED_HOURS,
    GIVEN,
    RobustSettings,
    as_settings,
    energy_within_a_region,
    factors_of_forecasts,
    preset_within,
    robust_case,
)
from multi_x_serverless.solving.robust_problem import read_robust_case, without_intervals
from tests.oracles.checker import Checker
from tests.oracles.problems import random_problem
from tests.unit.core.documents import dump, fan_out_problem
from tests.unit.solving.workflows import embedded_signals, observed_runs, workflow

ROUNDING = 1e-6


def signal(region: str, error: float | None = None, hours: int = 100, *, flat: bool = False) -> CarbonSignal:
    return CarbonSignal(
        region=region,
        grid_zone=region.upper(),
        intensity_gco2eq_per_kwh=tuple(400.0 if flat else 400.0 + hour for hour in range(24)),
        valid_from=0.0,
        method="made up",
        is_estimated=flat,
        source="test",
        vintage="2023",
        collected_at=0.0,
        forecast_error=None if error is None else ForecastError(error, hours),
        measured_until=0.0,
    )


def test_factors_are_homes_error_down_and_the_worst_other_error_up() -> None:
    found = factors_of_forecasts(signal("home", 0.1), [signal("a", 0.05), signal("b", 0.3), signal("c", 0.2)])
    assert ERRORS_WIDE == 2.0
    assert found.low == pytest.approx(1.0 / 1.2)
    assert found.high == pytest.approx(1.6)
    assert found.origin == (
        "2 mean absolute errors of the forecasts: home home 10.0 % (100 h); of all others that of b 30.0 % (100 h), "
        "the largest"
    )


def test_no_error_is_so_large_that_home_emits_nothing() -> None:
    assert factors_of_forecasts(signal("home", 0.9), [signal("a", 0.9)]).low > 0.0


@pytest.mark.parametrize(
    ("other", "error", "words"),
    [
        (signal("a"), ASSUMED_FORECAST_ERROR, "a 15.0 % (assumed: not known yet)"),
        (signal("a", 0.001, FEWEST_JUDGED_HOURS - 1), ASSUMED_FORECAST_ERROR, "assumed: not known yet"),
        (signal("a", 0.001, FEWEST_JUDGED_HOURS), 0.001, "a 0.1 % (24 h)"),
        (signal("a", flat=True), ASSUMED_ERROR_OF_A_MEAN, "a 20.0 % (assumed: one mean for all hours)"),
        (replace(signal("a", 0.4), measured_until=None), 0.4, "a 40.0 % (100 h of another year)"),
    ],
)
def test_an_error_that_is_not_known_is_assumed_and_said_so(other: CarbonSignal, error: float, words: str) -> None:
    found = factors_of_forecasts(signal("home", 0.1), [other])
    assert found.high == pytest.approx(1.0 + 2.0 * error)
    assert words in found.origin


def test_a_workflow_that_may_run_at_home_only_has_no_other_grid() -> None:
    found = factors_of_forecasts(signal("home", 0.1), [])
    assert found.high == 1.0
    assert "no other region" in found.origin


@pytest.mark.parametrize(
    ("low", "high"), [(1.1, 1.2), (0.8, 0.9), (0.0, 1.2), (-0.5, 1.2), (1.2, 0.8), (math.nan, 1.2), (0.9, math.nan)]
)
def test_factors_that_do_not_hold_the_forecast_are_refused(low: float, high: float) -> None:
    with pytest.raises(UsageError, match="above 0 and at most 1, its high end at least 1"):
        RobustSettings(carbon_factors=Interval(low, high))


@pytest.mark.parametrize(("low", "high"), [(-0.001, 0.005), (0.005, 0.001), (0.0, 0.0), (math.nan, 0.005)])
def test_energies_that_are_no_interval_are_refused(low: float, high: float) -> None:
    with pytest.raises(UsageError, match="begins at 0 or above"):
        RobustSettings(transmission_kwh_per_gb=Interval(low, high))


@pytest.mark.parametrize(
    ("preset", "interval", "is_refused"),
    [
        ("best", (0.001, 0.001), False),
        ("best", (0.0, 0.06), False),
        ("best", (0.002, 0.06), True),
        ("worst", (0.002, 0.06), False),
        ("worst", (0.001, 0.004), True),
    ],
)
def test_energies_hold_what_is_expected(
    preset: TransmissionPreset, interval: tuple[float, float], *, is_refused: bool
) -> None:
    settings = RobustSettings(transmission_kwh_per_gb=Interval(*interval))
    if is_refused:
        with pytest.raises(UsageError, match=f"preset '{preset}'"):
            robust_case(settings, signal("home"), [], preset)
        return
    case = robust_case(settings, signal("home"), [], preset)
    assert case.transmission_kwh_per_gb == Interval(*interval, GIVEN)
    assert preset_within(case) in ("best", preset)
    assert robust_case(as_settings(case), signal("home"), [], preset_within(case)) == case


def test_bytes_within_a_region_follow_those_between_from_one_preset_to_the_other() -> None:
    assert energy_within_a_region(0.001) == 0.001
    assert energy_within_a_region(0.003) == pytest.approx(0.0005)
    assert [energy_within_a_region(between) for between in (0.005, 0.06)] == [0.0, 0.0]
    assert energy_within_a_region(0.0005) == 0.001


@pytest.mark.parametrize("preset", ["best", "worst"])
def test_a_robust_document_says_all_of_its_case(preset: TransmissionPreset) -> None:
    plain, robust = (
        json.loads(
            build_problem(
                workflow(), observed_runs(30), embedded_signals(), SolveSettings(transmission=preset, robust=settings)
            )
        )
        for settings in (None, RobustSettings(carbon_factors=Interval(0.8, 1.25)))
    )
    assert robust["intensity_interval"] == {"low_factor": 0.8, "high_factor": 1.25}
    between = robust["transmission"]["inter_region_kwh_per_gb"]
    assert between == plain["transmission"]["inter_region_kwh_per_gb"]
    assert between * robust["transmission"]["interval"]["high_factor"] == pytest.approx(0.005)
    assert between * robust["transmission"]["interval"]["low_factor"] == pytest.approx(0.001)
    # What is expected within a region stays in the document; at the dear end bytes there take nothing.
    within = robust["transmission"]["intra_region_kwh_per_gb"]
    assert within == plain["transmission"]["intra_region_kwh_per_gb"]
    assert within * robust["transmission"]["interval"]["intra_high_factor"] == 0.0
    case = read_robust_case(dump(robust))
    assert case is not None
    assert case.carbon_factors == Interval(0.8, 1.25, GIVEN)
    assert case.transmission_kwh_per_gb is not None
    assert case.transmission_kwh_per_gb.high == pytest.approx(0.005)
    assert case.transmission_kwh_per_gb.origin.startswith("the published presets, 0.001 to 0.005 kWh/GB")
    assert case.within_region_kwh_per_gb == 0.0
    origins = {"carbon_interval", "transmission_interval"}
    assert set(robust["provenance"]) == set(plain["provenance"]) | origins
    # Nothing else differs, and what is expected is the document without intervals.
    assert json.loads(without_intervals(dump(robust))) == plain


def test_a_case_is_read_of_the_document_as_the_engine_takes_it() -> None:
    problem = fan_out_problem()
    assert read_robust_case(dump(problem)) is None
    problem["transmission"] |= {"interval": {"low_factor": 0.5, "high_factor": 4.0}}
    case = read_robust_case(dump(problem))
    assert case is not None
    assert case.carbon_factors is None
    assert case.transmission_kwh_per_gb == Interval(0.0005, 0.004)
    assert case.within_region_kwh_per_gb == 0.004
    for factor, within in ((0.0, 0.0), (0.5, 0.0005), (None, 0.004)):
        problem["transmission"]["interval"]["intra_high_factor"] = factor
        case = read_robust_case(dump(problem))
        assert case is not None
        assert case.within_region_kwh_per_gb == within
    found = json.loads(without_intervals(dump(problem)))
    assert found == fan_out_problem()
    problem["transmission"]["interval"] = None
    problem["intensity_interval"] = {"low_factor": 0.9, "high_factor": 1.1}
    case = read_robust_case(dump(problem))
    assert case is not None
    assert (case.carbon_factors, case.transmission_kwh_per_gb) == (Interval(0.9, 1.1), None)
    assert case.within_region_kwh_per_gb == 0.001


def test_a_case_is_the_same_once_it_was_written() -> None:
    """Also where the dear end lies between the presets, and bytes within a region take a part of what is expected."""
    settings = RobustSettings(Interval(0.8, 1.25), Interval(0.0005, 0.003))
    document = build_problem(workflow(), observed_runs(30), embedded_signals(), SolveSettings(robust=settings))
    signals = [embedded_signals().carbon[region] for region in ("us-east-1", "ca-central-1")]
    written, case = read_robust_case(document), robust_case(settings, signals[0], signals[1:], "best")
    assert written is not None
    assert written.within_region_kwh_per_gb == pytest.approx(case.within_region_kwh_per_gb)
    assert case.within_region_kwh_per_gb == pytest.approx(0.0005)
    assert json.loads(document)["transmission"]["interval"]["intra_high_factor"] == pytest.approx(0.5)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", range(6))
def test_every_solver_plans_for_the_case_that_the_checker_computes(solver: str, seed: int) -> None:
    problem = random_problem(seed, min_nodes=3, max_nodes=6, max_regions=4, limits=False)
    problem["intensity_interval"] = {"low_factor": 0.7, "high_factor": 1.4}
    problem["transmission"]["interval"] = {"low_factor": 0.5, "high_factor": 5.0, "intra_high_factor": seed / 4.0}
    checker = Checker(problem)
    for hour in LoadedProblem(dump(problem)).solve(solver).hours:
        for placement, metrics in (
            (hour.placement, hour.metrics),
            (dict.fromkeys(hour.placement, problem["home"]), hour.home_metrics),
        ):
            assert metrics.carbon.mean == pytest.approx(
                checker.summaries(placement, hour.hour)["carbon"].mean, rel=1e-6
            )


# -- what a robust plan promises, and when -----------------------------------------------------------------------------

LOW, HIGH = 0.8, 1.3


def with_intervals(seed: int, constraints: dict[str, Any], scenarios: int = 60) -> dict[str, Any]:
    problem = random_problem(seed, min_nodes=2, max_nodes=5, limits=False, scenarios=scenarios)
    problem["intensity_interval"] = {"low_factor": LOW, "high_factor": HIGH}
    problem["constraints"] = constraints
    problem["hours"] = problem["hours"][:1]
    return problem


def in_the_case(problem: dict[str, Any], solver: str = "fine-grained") -> float:
    """By what fraction the plan is above home in the case; negative if it is below."""
    (hour,) = LoadedProblem(dump(problem)).solve(solver).hours
    return hour.metrics.carbon.mean / hour.home_metrics.carbon.mean - 1.0


def at_worst(problem: dict[str, Any]) -> float:
    """The same at the corner of the intervals that is worst for the plan, each grid by itself; by the checker."""
    problem = copy.deepcopy(problem)
    (hour,) = LoadedProblem(dump(problem)).solve("fine-grained").hours
    everything_home = dict.fromkeys(hour.placement, problem["home"])
    forecast = problem["intensity_gco2e_per_kwh"]
    problem["intensity_interval"] = None
    found = []
    for corner in range(2 ** len(problem["regions"])):
        factors = {region: HIGH if corner >> place & 1 else LOW for place, region in enumerate(problem["regions"])}
        problem["intensity_gco2e_per_kwh"] = {
            region: [value * factors[region] for value in values] for region, values in forecast.items()
        }
        checker = Checker(problem)
        plan, home = (
            checker.summaries(placement, hour.hour)["carbon"].mean for placement in (hour.placement, everything_home)
        )
        found.append(plan / home - 1.0)
    return max(found)


@pytest.mark.parametrize("seed", [*range(8), 14, 39, 42, 48])  # in the last four a plan without intervals would not
def test_a_plan_that_beats_home_in_the_case_beats_it_wherever_the_grids_are(seed: int) -> None:
    assert at_worst(with_intervals(seed, {"priority_order": ["carbon"]}, scenarios=20)) <= 1e-9


@pytest.mark.parametrize("solver", SOLVERS)
def test_with_carbon_first_no_plan_is_above_home_in_the_case(solver: str) -> None:
    for seed in range(30):
        assert in_the_case(with_intervals(seed, {"priority_order": ["carbon", "cost"]}), solver) <= ROUNDING


def test_with_another_priority_a_plan_may_be_above_home_and_says_so() -> None:
    """Planning robustly changes carbon alone: what is cheapest or fastest stays so."""
    for order in (["cost", "carbon"], ["runtime"]):
        above = [seed for seed in range(30) if in_the_case(with_intervals(seed, {"priority_order": order})) > 0.01]
        assert above
        problem = with_intervals(above[0], {"priority_order": order})
        assert at_worst(problem) > 0.01


def test_with_a_tolerance_a_plan_may_be_above_home_by_that() -> None:
    constraints = {"priority_order": ["carbon", "cost"], "priority_tolerance": 0.2}
    found = [in_the_case(with_intervals(seed, constraints)) for seed in range(40)]
    assert 0.05 < max(found) <= 0.2 + ROUNDING


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_where_home_breaks_a_limit_a_plan_may_be_above_home(kind: str) -> None:
    found = []
    for seed in range(30):
        problem = with_intervals(seed, {"priority_order": ["carbon"]})
        problem["constraints"][kind] = {"runtime": {"type": "relative", "value": 0.9}}
        found.append(in_the_case(problem))
    assert max(found) > 0.05


@pytest.mark.parametrize(
    "constraints",
    [
        {"priority_order": ["cost", "carbon"]},
        {"priority_order": ["runtime"]},
        {"priority_order": ["carbon", "cost"], "priority_tolerance": 0.2},
    ],
)
def test_a_soft_limit_on_carbon_keeps_every_priority_from_above_home(constraints: dict[str, Any]) -> None:
    for seed in range(30):
        limited = constraints | {"soft": {"carbon": {"type": "relative", "value": 1.0}}}
        assert in_the_case(with_intervals(seed, limited)) <= ROUNDING


def test_the_case_is_the_worst_one_only_if_a_plan_draws_no_less_from_other_grids_than_home_does() -> None:
    """In this problem everything at home exchanges bytes with another region, and the cheapest plan fewer."""
    problem = with_intervals(2429, {"priority_order": ["cost", "carbon"]}, scenarios=20)
    assert in_the_case(problem) < 0.0 < at_worst(problem)
