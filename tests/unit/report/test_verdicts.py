"""What moving one node alone does, in one word."""

from __future__ import annotations

import pytest

from multi_x_serverless.model.plan import Objective
from multi_x_serverless.report.explanation import Alternative
from multi_x_serverless.report.verdicts import judge
from multi_x_serverless.solving.simulation import Simulator
from multi_x_serverless.solving.solution import Bounds
from tests.unit.core.documents import RESIZE, dump, fan_out_problem

AWAY = "ca-central-1"
ORDER: tuple[Objective, ...] = ("carbon", "runtime", "cost")


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(dump(fan_out_problem()))


def judged(simulator: Simulator, tolerance: float, least: Bounds) -> Alternative:
    """All nodes away at night, where the grid is cleaner, held against one of them alone at home."""
    away = dict.fromkeys(simulator.home, AWAY)
    here, moved = simulator.at(away, 0), simulator.at({**away, RESIZE: "us-east-1"}, 0)
    return judge("us-east-1", here, moved, None, ORDER, tolerance, least)


def carbon_of(simulator: Simulator) -> tuple[float, float]:
    """Of the placement, and of the one that was moved."""
    away = dict.fromkeys(simulator.home, AWAY)
    placements = away, {**away, RESIZE: "us-east-1"}
    here, moved = (simulator.at(placement, 0).metrics.carbon.mean for placement in placements)
    return here, moved


def test_without_a_tolerance_any_difference_counts(simulator: Simulator) -> None:
    found = judged(simulator, 0.0, (carbon_of(simulator)[0], None, None))
    assert (found.verdict, found.decided_by) == ("worse", "carbon")


def test_equal_is_what_is_within_the_tolerance_of_the_least(simulator: Simulator) -> None:
    here, moved = carbon_of(simulator)
    tolerance = (moved / here - 1.0) * 1.1
    of_the_best = judged(simulator, tolerance, (here, None, None))
    assert of_the_best.decided_by != "carbon", "both are within it"
    given_up = here / (1.0 + 0.9 * tolerance)
    found = judged(simulator, tolerance, (given_up, None, None))
    assert (found.verdict, found.decided_by) == ("worse", "carbon"), "the placement has given up most of it already"


def test_where_nothing_is_proven_the_two_are_held_against_each_other(simulator: Simulator) -> None:
    here, moved = carbon_of(simulator)
    assert judged(simulator, (moved / here - 1.0) * 1.1, (None, None, None)).decided_by != "carbon"
    assert judged(simulator, (moved / here - 1.0) * 0.9, (None, None, None)).decided_by == "carbon"


@pytest.mark.parametrize("least", [(), (None,)])
def test_objectives_that_the_solver_did_not_come_to_are_not_proven(simulator: Simulator, least: Bounds) -> None:
    assert judged(simulator, 0.0, least) == judged(simulator, 0.0, (None, None, None))
