"""Schedules of a day against all of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from multi_x_serverless.errors import UsageError
from multi_x_serverless.model.units import HOURS_PER_DAY
from multi_x_serverless.solving.schedule import GRANULARITIES, Schedule, best_schedule


def value_of(walk: tuple[int, ...], values: NDArray[np.float64], switching: NDArray[np.float64]) -> float:
    """Of a schedule with one candidate an hour, hour by hour and switch by switch."""
    hours = sum(float(values[candidate, hour]) for hour, candidate in enumerate(walk))
    if switching.ndim == 2:
        return hours + sum(float(switching[walk[hour - 1], walk[hour]]) for hour in range(HOURS_PER_DAY))
    return hours + sum(float(switching[hour, walk[hour - 1], walk[hour]]) for hour in range(HOURS_PER_DAY))


def by_brute_force(
    values: NDArray[np.float64], switching: NDArray[np.float64], granularity: int
) -> tuple[float, tuple[int, ...]]:
    length = HOURS_PER_DAY // granularity
    walks = (
        tuple(candidate for candidate in blocks for _ in range(length))
        for blocks in itertools.product(range(values.shape[0]), repeat=granularity)
    )
    return min((value_of(walk, values, switching), walk) for walk in walks)


def random_day(seed: int, count: int, price: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    chance = np.random.default_rng(seed)
    values = chance.integers(0, 50, (count, HOURS_PER_DAY)).astype(float)
    switching = chance.integers(0, 20, (count, count)).astype(float) * price
    np.fill_diagonal(switching, 0.0)
    return values, switching


@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 4),
    price=st.sampled_from([0.0, 0.5, 3.0, 50.0]),
    granularity=st.sampled_from([1, 2, 3, 4, 6]),
)
@settings(max_examples=120, deadline=None)
def test_no_schedule_is_better(seed: int, count: int, price: float, granularity: int) -> None:
    values, switching = random_day(seed, count, price)
    found = best_schedule(values, switching, granularity=granularity)
    assert found is not None
    least, _ = by_brute_force(values, switching, granularity)
    assert found.value == pytest.approx(least)
    assert found.value == pytest.approx(value_of(found.candidates, values, switching))
    assert len(set(zip(*[iter(found.candidates)] * (HOURS_PER_DAY // granularity), strict=True))) <= granularity


@given(seed=st.integers(0, 10_000), granularity=st.sampled_from([2, 3, 4, 6]))
@settings(max_examples=40, deadline=None)
def test_switches_may_have_another_price_at_every_hour(seed: int, granularity: int) -> None:
    values, _ = random_day(seed, 3, 1.0)
    switching = np.random.default_rng(seed + 1).integers(0, 40, (HOURS_PER_DAY, 3, 3)).astype(float)
    switching[:, range(3), range(3)] = 0.0
    found = best_schedule(values, switching, granularity=granularity)
    assert found is not None
    assert found.value == pytest.approx(by_brute_force(values, switching, granularity)[0])
    assert found.value - found.switching == pytest.approx(
        sum(values[candidate, hour] for hour, candidate in enumerate(found.candidates))
    )


@given(seed=st.integers(0, 10_000), count=st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_finer_schedules_are_never_worse_and_free_switches_give_each_hour_its_best(seed: int, count: int) -> None:
    values, switching = random_day(seed, count, 1.0)
    by_granularity = [best_schedule(values, switching, granularity=number) for number in GRANULARITIES]
    found = {number: schedule for number, schedule in zip(GRANULARITIES, by_granularity, strict=True) if schedule}
    for coarse, fine in itertools.combinations(GRANULARITIES, 2):
        if fine % coarse == 0:
            assert found[fine].value <= found[coarse].value + 1e-9
    free = best_schedule(values, np.zeros((count, count)))
    assert free is not None
    assert free.value == pytest.approx(values.min(axis=0).sum())


def test_a_gain_of_one_hour_that_is_less_than_the_way_there_and_back_is_left_alone() -> None:
    values = np.zeros((2, HOURS_PER_DAY))
    values[1] = 10.0
    values[0, 12] = 15.0
    switching = np.array([[0.0, 2.0], [2.0, 0.0]])
    stays = best_schedule(values, switching * 2)
    assert stays is not None
    assert stays == Schedule((0,) * HOURS_PER_DAY, 15.0, 0.0, 0)
    goes = best_schedule(values, switching)
    assert goes is not None
    assert (goes.candidates[12], goes.switches, goes.switching, goes.value) == (1, 2, 4.0, 14.0)


def test_midnight_is_an_hour_like_others() -> None:
    values = np.zeros((2, HOURS_PER_DAY))
    values[0, [22, 23, 0, 1]] = 9.0
    values[1, 2:22] = 9.0
    switching = np.array([[0.0, 5.0], [5.0, 0.0]])
    found = best_schedule(values, switching)
    assert found is not None
    assert (found.switches, found.value) == (2, 10.0)


def test_what_is_not_allowed_is_not_chosen() -> None:
    values = np.zeros((2, HOURS_PER_DAY))
    values[0, 3] = np.inf
    found = best_schedule(values, np.full((2, 2), 1.0) - np.eye(2))
    assert found is not None
    assert found.candidates[3] == 1
    values[1, 4] = np.inf
    assert best_schedule(values, np.zeros((2, 2)), granularity=1) is None
    assert best_schedule(values, np.zeros((2, 2))) is not None
    values[0, 4] = np.inf
    assert best_schedule(values, np.zeros((2, 2))) is None
    with pytest.raises(UsageError, match="5 placements"):
        best_schedule(values, np.zeros((2, 2)), granularity=5)
