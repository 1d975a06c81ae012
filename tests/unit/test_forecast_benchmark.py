"""What the forecast benchmark measures is what it says."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.forecast import evaluate as evaluation
from benchmarks.forecast.scores import (
    absolute_percentage_error,
    difference,
    held,
    held_mean,
    kendall_tau_b,
    regret,
)
from benchmarks.forecast.traces import PAIRS, REGION_SETS, ZONES, Origins, RegionSet, forecasts, trace, what_came_true
from multi_x_serverless.collection.forecast import Persistence, Series

CHOICE = RegionSet("two", (ZONES[0], ZONES[1]))


def two_grids(first: list[float], second: list[float]) -> Series:
    """One origin and some hours of the first two grids; the others are never asked for."""
    return np.array([[first], [second]], dtype=np.float64)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=8))
def test_tau_b_is_that_of_the_definition(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    concordant = discordant = tied_first = tied_second = 0
    for one, other in combinations(range(len(pairs)), 2):
        product = (first[one] - first[other]) * (second[one] - second[other])
        concordant += product > 0
        discordant += product < 0
        tied_first += first[one] == first[other]
        tied_second += second[one] == second[other]
    count = len(pairs) * (len(pairs) - 1) / 2
    untied = np.sqrt((count - tied_first) * (count - tied_second))
    found = kendall_tau_b(first[:, None], second[:, None])[0]
    if untied == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx((concordant - discordant) / untied)


def test_regret_is_what_the_choice_emits_over_the_best() -> None:
    came_true = two_grids([10.0, 20.0, 30.0], [20.0, 10.0, 40.0])
    forecast = two_grids([1.0, 1.0, 9.0], [2.0, 2.0, 1.0])  # Chooses the first, the first, the second.
    found = regret(forecast, came_true, [CHOICE])
    assert found.met.tolist() == [[10.0, 20.0, 40.0]]
    assert found.best.tolist() == [[10.0, 10.0, 30.0]]
    assert found.percent_of_best() == pytest.approx(100.0 * 20.0 / 50.0)
    assert found.percent_of_best(hours=slice(0, 2)) == pytest.approx(100.0 * 10.0 / 20.0)
    assert found.percent_of_home() == pytest.approx(100.0 * 20.0 / 60.0)
    assert regret(came_true, came_true, [CHOICE, CHOICE]).percent_of_best() == 0.0
    assert absolute_percentage_error(np.array([8.0, 12.0]), np.array([10.0, 10.0])).tolist() == [20.0, 20.0]


def test_a_plan_that_is_held_repeats_its_first_day() -> None:
    forecast = np.arange(72.0)[None, None]
    assert held(forecast)[0, 0].tolist() == list(range(24)) * 3
    assert held_mean(forecast)[0, 0].tolist() == [24.0 + hour for hour in range(24)] * 3


def test_a_difference_is_paired_and_its_interval_is_over_weeks() -> None:
    random = np.random.default_rng(5)
    came_true = random.uniform(10.0, 100.0, size=(2, 60, 24))
    good = came_true + random.normal(0.0, 5.0, size=came_true.shape)
    bad = came_true + random.normal(0.0, 80.0, size=came_true.shape)
    weeks = [origin // 6 for origin in range(60)]
    of_good, of_bad = (regret(forecast, came_true, [CHOICE]) for forecast in (good, bad))
    found = difference(of_bad, of_good, weeks, slice(None))
    assert found.value == pytest.approx(of_bad.percent_of_best() - of_good.percent_of_best())
    assert 0 < found.low < found.value < found.high
    assert difference(of_good, of_good, weeks, slice(None)) == difference(of_bad, of_bad, weeks, slice(None))
    # Weeks that are all alike leave nothing uncertain.
    alike = regret(np.tile(bad[:, :6], (1, 10, 1)), np.tile(came_true[:, :6], (1, 10, 1)), [CHOICE])
    same = regret(np.tile(good[:, :6], (1, 10, 1)), np.tile(came_true[:, :6], (1, 10, 1)), [CHOICE])
    certain = difference(alike, same, weeks, slice(None))
    assert certain.low == pytest.approx(certain.high)


def test_origins_are_of_all_hours_and_see_nothing_of_what_comes() -> None:
    origins = Origins.of_the_year()
    assert {hour % 24 for hour in origins.hours} == set(range(24))
    counts = np.bincount([hour % 24 for hour in origins.hours])
    assert counts.max() - counts.min() <= 1
    counting = np.tile(np.arange(8760.0), (2, 1))
    assert what_came_true(counting, origins)[0, :, 0].tolist() == list(origins.hours)
    for late in (0, 5):
        seen = forecasts(Persistence(), counting, origins, hours_late=late)
        assert np.all(seen[0, :, : 24 - late] == np.array(origins.hours)[:, None] - 24 + np.arange(24 - late))
        assert seen.shape == (2, len(origins.hours), 168)
        assert np.all(seen.max(axis=(0, 2)) == np.array(origins.hours) - late - 1)


def test_sets_are_of_known_grids_with_home_first_and_pairs_are_all() -> None:
    assert len(PAIRS) == len(ZONES) * (len(ZONES) - 1) / 2
    for one in REGION_SETS:
        assert len(set(one.zones)) == len(one.zones) > 2
        assert [ZONES[place] for place in one.places] == list(one.zones)
    assert {one.name: one.zones[0] for one in REGION_SETS}["Europe"] == "DE"
    assert len(next(one for one in REGION_SETS if one.name == "all regions").zones) == 16
    assert trace().shape == (len(ZONES), 8760)


def test_the_command_writes_figures_tables_and_a_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = Origins((29 * 24, 200 * 24 + 5, 300 * 24 + 11))
    monkeypatch.setattr(Origins, "of_the_year", classmethod(lambda cls: few))
    monkeypatch.setattr("sys.argv", ["evaluate", "--output", str(tmp_path / "new")])
    evaluation.main()
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"forecast.json", "forecast.md", "forecast.png"}
    figures = json.loads((tmp_path / "new" / "forecast.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert figures["origins"] == 3
    assert set(figures["scores"]) == {figures["default"], *figures["others"]}
    assert len(figures["scores"]["persistence"]["held_of_best"]["US"]) == 7


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")
