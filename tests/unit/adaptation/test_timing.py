"""Times are compared among runs that are alike in their containers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from multi_x_serverless.adaptation.arms import AccountedRun, Arms, hourly_values
from multi_x_serverless.adaptation.comparison import Saving, saving, strata
from multi_x_serverless.adaptation.timing import timed_arms
from multi_x_serverless.solving.accounting import RunFootprint

ColdShare = Callable[[random.Random, bool], float]
"""Cold share of a run; whether the plan routed it."""


def drawn(seed: int, runs: int, cold_share: ColdShare, ratio: float = 1.0) -> Arms:
    """Runs of about a second, an eighth of them of the home share, and two and a half seconds more where cold."""
    generator = random.Random(seed)
    arms: list[list[AccountedRun]] = [[], []]
    for _ in range(runs):
        is_planned = generator.random() >= 0.125
        share = cold_share(generator, is_planned)
        time = generator.lognormvariate(0.0, 0.1) * (ratio if is_planned else 1.0)
        time += share * 2.5 * generator.lognormvariate(0.0, 0.5)
        arms[is_planned].append(AccountedRun(generator.randrange(24), RunFootprint(1.0, 0.0, 1.0, time), 1.0, share))
    control, planned = arms
    groups = strata((run.hour for run in control), (run.hour for run in planned))
    return Arms((), (), tuple(planned), tuple(control), groups)


def often_cold_at_home(generator: random.Random, is_planned: bool) -> float:
    return float(generator.random() < (0.05 if is_planned else 0.4))


def by_time(arms: Arms) -> Saving | None:
    timed = timed_arms(arms)
    return saving(hourly_values(timed.control, "runtime_s"), hourly_values(timed.planned, "runtime_s"), timed.groups)


def test_first_executions_in_new_containers_make_no_difference_in_time() -> None:
    """The plan's regions are as fast as home; the home share has fewer runs, and so more new containers."""
    arms = drawn(1, 400, often_cold_at_home)
    plain = saving(hourly_values(arms.control, "runtime_s"), hourly_values(arms.planned, "runtime_s"), arms.groups)
    assert plain is not None
    assert plain.low > 0.1, "a difference of containers with confidence"
    timed, found = timed_arms(arms), by_time(arms)
    assert timed.like == "warm"
    assert max(run.cold_share for run in (*timed.planned, *timed.control)) == 0.0
    assert found is not None
    assert found.low < 0.0 < found.high
    assert found.high - found.low < (plain.high - plain.low) / 2.0


def test_the_interval_of_warm_runs_covers_the_truth_as_often_as_it_says() -> None:
    repeats, covered = 300, 0
    for seed in range(repeats):
        found = by_time(drawn(seed, 400, often_cold_at_home, ratio=1.1))
        assert found is not None
        covered += found.low <= -0.1 <= found.high
    slack = 4.0 * math.sqrt(0.95 * 0.05 / repeats) + 0.02
    assert 0.95 - slack <= covered / repeats <= 0.95 + slack


def test_where_every_execution_is_cold_cold_runs_are_compared() -> None:
    """A run an hour finds no container anywhere."""
    arms = drawn(2, 300, lambda _generator, _is_planned: 1.0)
    timed = timed_arms(arms)
    assert (timed.like, len(timed.planned), len(timed.control)) == ("cold", len(arms.planned), len(arms.control))
    assert by_time(arms) is not None


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_runs_that_are_partly_cold_are_not_compared_by_time(share: float) -> None:
    timed = timed_arms(drawn(3, 300, lambda _generator, is_planned: 0.0 if is_planned else share))
    assert timed.like is None
