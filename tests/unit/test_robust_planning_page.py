"""The page on robust plans is true: figures are the benchmarks' and the program's; so is what they are measured by."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from benchmarks import robust
from benchmarks.forecast.intervals import Coverage, coverage, tracked_errors, write_table
from benchmarks.forecast.traces import ZONES, Origins, trace
from benchmarks.reproduction.applications import WORKLOADS, workload
from benchmarks.reproduction.beyond import REGION_SETS
from benchmarks.reproduction.document import FOUR_REGIONS, Setting
from benchmarks.reproduction.problems import Study, build_study, on_day
from multi_x_serverless import data
from multi_x_serverless.cli.commands.solve import command as solve_command
from multi_x_serverless.collection.embedded_carbon import EmbeddedCarbonSource
from multi_x_serverless.collection.forecast import DEFAULT_FORECASTER
from multi_x_serverless.collection.forecast_error import error_on_trace
from multi_x_serverless.model.robust import Interval
from multi_x_serverless.model.units import SECONDS_PER_HOUR
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS
from multi_x_serverless.solving.robust import (
    ASSUMED_ERROR_OF_A_MEAN,
    ASSUMED_FORECAST_ERROR,
    ERRORS_WIDE,
    FEWEST_JUDGED_HOURS,
    RobustSettings,
    interval_of_presets,
    robust_case,
)
from tests.unit.solving.test_robust import signal

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "plan-robustly.md").read_text(encoding="utf-8")
FORECAST = (DOCS / "forecast.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())


# -- the pages ---------------------------------------------------------------------------------------------------------


def test_the_table_of_intervals_is_the_benchmarks() -> None:
    assert write_table().strip() in FORECAST
    (row,) = re.findall(r"^\| 2 mean errors \|.*\| (\d+) % .* \| (\d+) % \(\d+ / \d+\) \|$", FORECAST, re.MULTILINE)
    held = re.findall(r"(\d+) % \(", FORECAST[FORECAST.index("| 2 mean errors |") :].splitlines()[0])[1]
    assert f"holds [{held} % of the hours of a plan that is held for a week, and {row[1]} % of such weeks" in WORDS
    (mean,) = re.findall(r"^Mean of the tracked errors: ([\d.]+) %", FORECAST, re.MULTILINE)
    assert f"the {mean} % above are its mean" in " ".join(FORECAST.split())
    assert f"outside the intervals: {100 - int(held)} % of single hours do" in WORDS
    assert f"{held} % of the hours of a plan" in " ".join(
        (DOCS.parent / "python/multi_x_serverless/solving/robust.py").read_text(encoding="utf-8").split()
    )


def test_the_table_of_savings_is_the_benchmarks() -> None:
    """For the regions in which most happens; all of it takes three times as long."""
    table = robust.study_of_all(region_sets={"US only": REGION_SETS["US only"]})
    lines = table.to_markdown().splitlines()
    assert lines[2] in PAGE
    for line in lines[4:]:
        assert line in PAGE
    assert len(lines[4:]) == 2


def test_constants_are_those_of_the_program() -> None:
    assert ERRORS_WIDE == 2.0
    assert "1 / (1 + 2 e) times its forecast" in WORDS
    assert f"taken to be {ASSUMED_FORECAST_ERROR * 100:.0f} %, and {ASSUMED_ERROR_OF_A_MEAN * 100:.0f} %" in WORDS
    assert f"Over less than {FEWEST_JUDGED_HOURS} hours" in WORDS
    energy = interval_of_presets()
    assert f"{energy.high:g} kWh/GB, of the published {energy.low:g} to {energy.high:g}" in WORDS
    assert TRANSMISSION_PRESETS["worst"].intra_region_kwh_per_gb == 0.0
    assert f"at {energy.low:g} it has {TRANSMISSION_PRESETS['best'].intra_region_kwh_per_gb:g}" in WORDS
    options = {option for parameter in solve_command.params for option in parameter.opts + parameter.secondary_opts}
    assert set(re.findall(r"(--(?:robust|no-robust|carbon-interval|transmission-interval))", PAGE)) <= options


def test_an_interval_of_grids_alone_takes_bytes_at_their_dear_end() -> None:
    """What the page says of `--carbon-interval`, and of bytes within a region."""
    assert f"with `--carbon-interval` alone a byte between regions takes {interval_of_presets().high:g} kWh/GB" in WORDS
    case = robust_case(RobustSettings(carbon_factors=Interval(0.8, 1.25)), signal("home"), [], "best")
    assert case.transmission_kwh_per_gb == interval_of_presets()
    assert case.within_region_kwh_per_gb == 0.0, "nothing within a region"


# -- what is measured --------------------------------------------------------------------------------------------------


def test_values_are_counted_within_below_and_above() -> None:
    expected = np.full((1, 4), 100.0)
    came_true = np.array([[49.0, 51.0, 199.0, 201.0]])
    found = coverage(expected, came_true, np.array([[1.0]]))
    assert found == Coverage(within=0.5, below=0.25, above=0.25)
    assert str(found) == "50 % (25 / 25)"


@pytest.mark.parametrize("year", [data.TRACE_YEAR, 2026])
@pytest.mark.parametrize("hour", [60 * 24, 60 * 24 + 7])
def test_the_error_is_the_one_that_a_deployment_tracks(hour: int, year: int) -> None:
    """In a year of other weekdays, too: those of the trace count."""
    errors = tracked_errors(trace(), Origins((hour,)))[:, 0]
    for code in ("us-east-1", "us-west-1", "eu-central-1"):
        region = data.regions()[code]
        now = datetime(year, 1, 1, tzinfo=timezone.utc).timestamp() + hour * SECONDS_PER_HOUR
        found = error_on_trace(region, EmbeddedCarbonSource(), DEFAULT_FORECASTER, now)
        assert found is not None
        assert errors[ZONES.index(region.grid_zone)] == pytest.approx(found.relative, rel=1e-6)


def test_a_robust_study_has_the_intervals_of_the_product() -> None:
    setting = Setting(regions=FOUR_REGIONS, rule="product")
    study = build_study(workload("RAG small"), setting)
    nothing = robust.robust_study(study, np.zeros(4), Interval(0.001, 0.001))
    cautious = robust.robust_study(study, np.array([0.1, 0.2, 0.05, 0.1]), Interval(0.001, 0.001))
    dear = robust.robust_study(study, np.zeros(4), interval_of_presets())
    day = np.repeat(np.array([[400.0], [30.0], [250.0], [200.0]]), 24, axis=1)
    home = dict.fromkeys(study.problem.nodes, "us-east-1")
    away = dict.fromkeys(study.problem.nodes, "ca-central-1")

    def carbon(of: Study, placement: dict[str, str]) -> float:
        return on_day(of, day).evaluate(placement, 0).carbon.mean

    assert carbon(nothing, home) == pytest.approx(carbon(study, home))
    assert carbon(nothing, away) == pytest.approx(carbon(study, away))
    # Home's error is 0.1, the largest of the others 0.2; a part of the bytes goes outside, whose grid stays.
    assert 1.0 / 1.2 < carbon(cautious, home) / carbon(study, home) < 0.9
    assert 1.0 < carbon(cautious, away) / carbon(study, away) < 1.4
    assert carbon(dear, away) > 2.0 * carbon(study, away)


def test_a_plan_is_held_against_what_came_true_with_both_presets() -> None:
    pairs = list(robust.pairs_of(WORKLOADS[0], REGION_SETS["US only"], days=(100, 200)))
    assert len(pairs) == 2
    for pair in pairs:
        assert pair.plain.emitted_home == pair.robust.emitted_home
        assert pair.plain.expected <= pair.robust.expected
        assert pair.robust.emitted["worst"] <= pair.robust.emitted_home["worst"]
    name, expected, *_ = robust.summary("some", pairs)
    assert name == "some"
    plain, cautious = (float(part) for part in expected.removesuffix(" %").split(" / "))
    assert plain >= cautious
